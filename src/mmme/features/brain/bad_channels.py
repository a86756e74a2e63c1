"""Channels of the EEG that should not be trusted, by absolute rules and by comparison with the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_BAD", "bad_channels", "highest_correlation"]

#: Pieces in which channels are compared [s], at most this many, spread over the recording.
PIECE_S, MOST_PIECES = 10.0, 30
#: Robust standard deviations of the logarithm of the spread by which a channel stands out.
NOISY_Z = 5.0
#: The spread of logarithms is taken to be no less than this: among channels that are all alike nobody stands out.
LEAST_SCALE = 0.1
#: 98th percentile of the correlations with all others below which a channel goes with none of them, as in PREP.
LONELY = 0.4
#: Share of the pieces in which it must not.
LONELY_SHARE = 0.5
#: Microvolts: below the noise of any amplifier with an electrode on skin.
DEAD_UV = 0.5
#: Beyond this share of bad channels, the mean of the rest is no reference.
MOST_BAD = 0.2


def bad_channels(x: NDArray[np.float32], fs_hz: float, *, fast_uv: NDArray[np.float64] | None = None) -> dict[int, str]:
    """
    Find channels that should not be trusted.

    Parameters
    ----------
    x : (n_channels, n)
        Band-passed channels against one common reference [µV].
    fs_hz
        Rate [Hz].
    fast_uv : (n_channels,)
        Median root mean square above the EEG's band [µV], where it was measured.

    Returns
    -------
    dict
        Reason by row, in order: dead below 0.5 µV; far larger (robust z of the log spread above 5), or far more fast
        activity than the others; correlated with no other channel (98th percentile below 0.4) in most pieces of 10 s. The
        last is not asked where it would hold for most channels: then they have nothing in common.

    References
    ----------
    Bigdely-Shamlo et al. (2015), The PREP pipeline, doi:10.3389/fninf.2015.00016.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = (10 * rng.normal(size=(1, 5000)) + 3 * rng.normal(size=(8, 5000))).astype(np.float32)
    >>> x[2] *= 30
    >>> bad_channels(x, 250.0)
    {2: 'varies 30 times as much as the others'}
    """
    n = x.shape[1]
    length = min(n, round(PIECE_S * fs_hz))
    starts = np.unique(np.linspace(0, n - length, min(MOST_PIECES, max(1, n // length))).astype(int))
    pieces = [x[:, a : a + length] for a in starts]
    spread = np.median([0.7413 * np.subtract(*np.quantile(p, (0.75, 0.25), axis=1)) for p in pieces], axis=0)
    found = {int(i): f"below {DEAD_UV:g} µV" for i in np.flatnonzero(spread < DEAD_UV)}
    alive = np.flatnonzero(spread >= DEAD_UV)
    if alive.size < 4:
        return found
    for i in alive[_standing_out(spread[alive])]:
        found.setdefault(int(i), f"varies {spread[i] / np.median(spread[alive]):.0f} times as much as the others")
    if fast_uv is not None:
        for i in alive[_standing_out(fast_uv[alive])]:
            times = fast_uv[i] / np.median(fast_uv[alive])
            found.setdefault(int(i), f"has {times:.0f} times as much fast activity as the others")
    few = np.mean([highest_correlation(p[alive]) < LONELY for p in pieces], axis=0) > LONELY_SHARE
    if few.sum() <= alive.size / 2:
        for i in alive[few]:
            found.setdefault(int(i), "goes with no other channel")
    return dict(sorted(found.items()))


def highest_correlation(x: NDArray[np.float32]) -> NDArray[np.float64]:
    """
    Find the 98th percentile of each channel's absolute correlations with the others, ``(n_channels,)``.

    Parameters
    ----------
    x : (n_channels, n)
        At least two channels.
    """
    centred = x - x.mean(axis=1, keepdims=True)
    norm = np.sqrt(np.einsum("ij,ij->i", centred, centred))
    centred = np.divide(centred, norm[:, None], out=np.zeros_like(centred), where=norm[:, None] > 0)
    matrix = np.abs(centred @ centred.T).astype(np.float64)
    np.fill_diagonal(matrix, np.nan)
    return np.asarray(np.nanquantile(matrix, 0.98, axis=0))


def _standing_out(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which positive values are far above the others."""
    level = np.log(np.maximum(values, 1e-12))
    scale = max(1.4826 * float(np.median(np.abs(level - np.median(level)))), LEAST_SCALE)
    return np.asarray((level - np.median(level)) / scale > NOISY_Z)
