"""
Breaths of a whole recording: NeuroKit2's cleaner and zero-crossing detector at 100 Hz, times between the samples.

References
----------
Khodadad et al. (2018), doi:10.1088/1361-6579/aad7e6. Makowski et al. (2021), NeuroKit2, doi:10.3758/s13428-020-01516-y.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from mmme.features.sampling import Regular, decimated

__all__ = ["RSP_HZ", "Breaths", "find_breaths"]

#: At 25 Hz one extremum in twenty lies more than 10 ms from that of 1000 Hz, at 100 Hz none (between the samples).
RSP_HZ = 100.0
# What the detector raises when a signal holds no breaths at all (white noise, a ramp).
_NO_BREATHS = (IndexError, ValueError)
# Size of breathing is followed in blocks of 10 s, by the median of 9 of them.
_BLOCK_S, _BLOCKS = 10.0, 9
# Less than this share of the usual size is noise of a loose belt, not breathing.
_SMALLEST_SHARE = 0.05


class Breaths(NamedTuple):
    """
    Ends of expiration and inspiration.

    Parameters
    ----------
    trough_s, peak_s : (n_breaths,) float64
        Start and end of each inspiration [s]: trough ``i``, then peak ``i``.
    amplitude : (n_breaths,) float64
        Peak minus trough of the cleaned signal (0.05 to 3 Hz), in its unit.
    """

    trough_s: NDArray[np.float64]
    peak_s: NDArray[np.float64]
    amplitude: NDArray[np.float64]


def find_breaths(signal: Regular) -> Breaths:
    """
    Find where each inspiration starts and ends.

    The detector sets aside extrema that are less than 0.3 times the median depth of the recording from their neighbours. A
    belt that slips, or a subject who sits back, would lose breaths for the rest of the session: the detector is given the
    cleaned signal divided by its own size over the 90 s around.

    Parameters
    ----------
    signal
        Respiration belt, rising with inspiration, at about 100 Hz or the lower rate it was recorded with.

    Examples
    --------
    >>> t = np.arange(0, 60, 0.01)
    >>> s = Regular(t, np.sin(2 * np.pi * t / 4), np.zeros(t.size, dtype=bool), 100.0)
    >>> b = find_breaths(s)
    >>> b.peak_s[:3].round(2).tolist(), b.trough_s[:3].round(2).tolist(), b.amplitude[3].round(2)
    ([5.0, 9.0, 13.0], [3.0, 7.0, 11.0], 2.0)
    """
    import neurokit2 as nk

    signal = decimated(signal, RSP_HZ)
    clean: NDArray[np.float64] = np.asarray(signal.x - signal.x.mean())
    if signal.fs_hz >= 7.0:  # the cleaner needs 3 Hz well below half the rate
        clean = np.asarray(nk.rsp_clean(signal.x, sampling_rate=signal.fs_hz))
    if np.count_nonzero(np.diff(clean > 0)) < 3:  # fewer than two extrema between crossings of zero
        return _none()
    try:
        found = nk.rsp_findpeaks(clean / _size(clean, signal.fs_hz), sampling_rate=signal.fs_hz)
    except _NO_BREATHS:
        return _none()
    peak_s, top = _extrema(signal, clean, np.asarray(found["RSP_Peaks"], dtype=np.int64), 1.0)
    trough_s, bottom = _extrema(signal, clean, np.asarray(found["RSP_Troughs"], dtype=np.int64), -1.0)
    return Breaths(trough_s, peak_s, top - bottom)


def _none() -> Breaths:
    """No breaths."""
    return Breaths(np.empty(0), np.empty(0), np.empty(0))


def _size(clean: NDArray[np.float64], fs_hz: float) -> NDArray[np.float64]:
    """How large breathing is around each sample, ``(n,)``: free of short artefacts, never far below the usual."""
    block = round(_BLOCK_S * fs_hz)
    n = clean.size // block
    if n < 2:
        return np.ones(clean.size)
    size = np.median(np.abs(clean[: n * block]).reshape(n, block), axis=1)
    size = np.maximum(median_filter(size, size=min(_BLOCKS, n), mode="nearest"), _SMALLEST_SHARE * np.median(size))
    if not size.min() > 0:
        return np.ones(clean.size)
    return np.interp(np.arange(clean.size), (np.arange(n) + 0.5) * block, size)


def _extrema(
    signal: Regular, clean: NDArray[np.float64], at: NDArray[np.int64], sign: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Place extrema of the cleaned signal between its samples, by the tops of parabolas: times and heights."""
    if not at.size or clean.size < 3:
        return np.empty(0), np.empty(0)
    # The largest of the same half wave: dividing by the size may have moved a flat one.
    crossings = np.concatenate([[0], np.flatnonzero(np.diff(clean > 0)) + 1, [clean.size]])
    wave = np.searchsorted(crossings, at, side="right")
    halves = zip(crossings[wave - 1].tolist(), crossings[wave].tolist(), strict=True)
    at = np.array([a + int(np.argmax(sign * clean[a:b])) for a, b in halves], dtype=np.int64)
    at = np.clip(at, 1, clean.size - 2)
    left, here, right = clean[at - 1], clean[at], clean[at + 1]
    bend = left - 2.0 * here + right
    shift = np.divide(0.5 * (left - right), bend, out=np.zeros(at.size), where=bend != 0)
    shift = np.clip(shift, -1.0, 1.0)
    return signal.t[at] + shift / signal.fs_hz, here - 0.25 * (left - right) * shift
