"""
How regular the EEG is in windows: Hjorth's three parameters, spectral entropy and permutation entropy.

What is computed from samples goes through cumulative sums along the recording, so overlapping windows cost little more than
one; only the samples that some window covers are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmme.features.brain.clean import CleanEeg
from mmme.features.brain.places import By, Measure, window_columns, window_names
from mmme.features.brain.spectra import CYCLES, band_averages, over_spectra
from mmme.features.tables import Column
from mmme.features.windows import Occasions, Windows

__all__ = [
    "covered",
    "entropy_columns",
    "entropy_names",
    "hjorth",
    "hjorth_columns",
    "hjorth_names",
    "permutation_entropy",
    "spectral_entropy",
]

#: A second holds several cycles of most of what passes the filters.
_HJORTH = [Measure(f"hjorth_{name}", "Hjorth", 1.0) for name in ("activity", "mobility_hz", "complexity")]
#: Cells of 1 Hz from 2 Hz on, where 1.5 s hold 3 cycles, up to the end of the gamma band.
ENTROPY_HZ = (2.0, 45.0)
#: Compared samples lie half a cycle of the highest frequency apart; neighbours at 250 Hz would show the low-pass only.
LAG_HZ = 2 * ENTROPY_HZ[1]
#: Patterns of three samples; 50 of them per kind keep the bias of the entropy, 5 / (2 N ln 6), below half a percent.
N_PATTERNS, PER_PATTERN = 6, 50


def covered(first: NDArray[np.int64], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """
    List the samples that windows of ``n`` samples cover, and find the windows among them.

    Parameters
    ----------
    first : (k,)
        First sample of each window, sorted.
    n
        Samples of a window.

    Returns
    -------
    samples : (m,) int64
        Covered samples, in order.
    first_in : (k,) int64
        Position of each window's first sample in ``samples``; its others follow.

    Examples
    --------
    >>> samples, first_in = covered(np.array([0, 2, 10]), 3)
    >>> samples.tolist(), first_in.tolist()
    ([0, 1, 2, 3, 4, 10, 11, 12], [0, 2, 5])
    """
    new = np.minimum(np.diff(first, append=first[-1] + n), n)
    start = np.cumsum(new) - new
    return np.repeat(first - start, new) + np.arange(int(new.sum())), start


def hjorth(x: NDArray[np.float32], first: NDArray[np.int64], n: int, fs_hz: float) -> NDArray[np.float64]:
    """
    Activity, mobility and complexity of windows.

    Parameters
    ----------
    x : (n_channels, n_times)
        Signal [µV].
    first : (k,) int64
        First sample of each window, sorted.
    n
        Samples of a window.
    fs_hz
        Rate [Hz].

    Returns
    -------
    (k, n_channels, 3) float64
        Natural logarithm of the variance [ln µV²]; mobility as a frequency [Hz], the root of the variance of the
        derivative over that of the signal, divided by 2 pi: that of a sine is its frequency; complexity, mobility of the
        derivative over mobility, 1 for a sine. NaN where a window does not move.

    References
    ----------
    Hjorth (1970), EEG analysis based on time domain properties, doi:10.1016/0013-4694(70)90143-4.

    Examples
    --------
    >>> t = np.arange(1000) / 250
    >>> x = (2 * np.sin(2 * np.pi * 5 * t)[None]).astype(np.float32)
    >>> ln_activity, mobility_hz, complexity = hjorth(x, np.array([0]), 1000, 250.0)[0, 0]
    >>> float(np.exp(ln_activity).round(2)), float(mobility_hz.round(1)), float(complexity.round(2))
    (2.0, 5.0, 1.0)
    """
    samples, start = covered(first, n)
    result = np.full((first.size, x.shape[0], 3), np.nan)
    for c, channel in enumerate(x):
        rows = channel[samples].astype(np.float64)
        rows -= rows.mean()
        slopes = np.diff(rows)
        bends = np.diff(slopes)
        v = _variances(_sums(rows, start, n), _sums(rows * rows, start, n), n)
        # The sum of differences is what lies between the ends.
        dv = _variances(rows[start + n - 1] - rows[start], _sums(slopes * slopes, start, n - 1), n - 1)
        ddv = _variances(slopes[start + n - 2] - slopes[start], _sums(bends * bends, start, n - 2), n - 2)
        # Differences of sums leave rounding errors where nothing moves; 1e-9 of the recording's variance is far below EEG.
        moving = np.minimum(np.minimum(v, dv), ddv) > 1e-9 * max(float(rows @ rows) / rows.size, 1e-30)
        v, dv, ddv = v[moving], dv[moving], ddv[moving]
        mobility = np.sqrt(dv / v)
        result[moving, c] = np.stack([np.log(v), mobility * fs_hz / (2 * np.pi), np.sqrt(ddv / dv) / mobility], axis=1)
    return result


def _sums(x: NDArray[np.float64], start: NDArray[np.int64], n: int) -> NDArray[np.float64]:
    """Sum over windows of ``n`` samples, ``(k,)``."""
    total = np.empty(x.size + 1)
    total[0] = 0.0
    np.cumsum(x, out=total[1:])
    return np.asarray(total[start + n] - total[start])


def _variances(total: NDArray[np.float64], square: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Variance of ``n`` values from their sum and the sum of their squares."""
    return np.asarray(np.maximum(square / n - (total / n) ** 2, 0.0))


def hjorth_names(names: Sequence[str] = (), *, by: By = "region") -> tuple[str, ...]:
    """
    Columns of `hjorth_columns`, in order.

    Examples
    --------
    >>> hjorth_names()[::2][:3]
    ('eeg_hjorth_activity_frontal', 'eeg_hjorth_mobility_hz_frontal', 'eeg_hjorth_complexity_frontal')
    """
    return window_names(_HJORTH, names, by=by)


def hjorth_columns(clean: CleanEeg, occasions: Occasions, *, by: By = "region") -> dict[str, Column]:
    """
    Hjorth's activity, mobility and complexity of each window, see `hjorth`, and their changes from the baseline.

    They describe what passed the filters: the same recording low-passed elsewhere has another mobility.

    Parameters
    ----------
    clean, occasions, by
        As in `mmme.features.brain.band_power.band_power_columns`.

    Returns
    -------
    dict
        ``eeg_hjorth_<parameter>_<place>`` and the same with ``_change``, in the order of `hjorth_names`; windows of less
        than 1 s are refused.
    """

    def values_of(clean: CleanEeg, windows: Windows) -> NDArray[np.float64]:
        grid = clean.grid
        return hjorth(clean.x, windows.first_sample(grid), min(windows.n_samples(grid), grid.t.size), clean.fs_hz)

    return window_columns(clean, occasions, _HJORTH, values_of, by=by)


def spectral_entropy(x: NDArray[np.float32], first: NDArray[np.int64], n: int, fs_hz: float) -> NDArray[np.float64]:
    """
    Entropy of how power is spread over 2 to 45 Hz, in cells of 1 Hz, ``(k, n_channels)``.

    0 is all power in one cell, 1 the same in all 43. The spectrum of a short window is rough and its entropy therefore
    lower: compare windows of one length.

    Parameters
    ----------
    x, first, n, fs_hz
        As in `hjorth`.

    References
    ----------
    Inouye et al. (1991), Quantification of EEG irregularity by use of the entropy of the power spectrum,
    doi:10.1016/0013-4694(91)90138-T.
    """
    low, high = (int(f) for f in ENTROPY_HZ)
    cells = band_averages(n, fs_hz, {str(f): (float(f), f + 1.0) for f in range(low, high)})

    def entropy(density: NDArray[np.float32]) -> NDArray[np.float64]:
        power = (density @ cells).astype(np.float64)
        total = power.sum(axis=2, keepdims=True)
        p = np.divide(power, total, out=np.full(power.shape, np.nan), where=total > 0)
        return -(p * np.log(p, out=np.zeros_like(p), where=p > 0)).sum(axis=2, keepdims=True) / np.log(high - low)

    return over_spectra(x, first, n, fs_hz, entropy)[..., 0]


def permutation_entropy(x: NDArray[np.float32], first: NDArray[np.int64], n: int, *, lag: int) -> NDArray[np.float64]:
    """
    Entropy of the six orders in which three samples can lie, ``(k, n_channels)``, as a share of its maximum ln 6.

    Parameters
    ----------
    x, first, n
        As in `hjorth`.
    lag
        Distance of the compared samples, in samples; ``n`` must be above twice as many.

    References
    ----------
    Bandt, Pompe (2002), Permutation entropy, doi:10.1103/PhysRevLett.88.174102.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(1, 5000)).astype(np.float32)
    >>> permutation_entropy(noise, np.array([0]), 5000, lag=1).round(3).tolist()
    [[1.0]]
    """
    samples, start = covered(first, n)
    stop = start + n - 2 * lag
    result = np.empty((first.size, x.shape[0]))
    counts = np.zeros((samples.size - 2 * lag + 1,), dtype=np.int32)
    for c, channel in enumerate(x):
        a, b, d = (channel[samples[i * lag : samples.size - (2 - i) * lag]] for i in range(3))
        order = (a <= b) + 2 * (b <= d) + 4 * (a <= d)
        entropy = np.zeros(first.size)
        for kind in (0, 1, 2, 5, 6, 7):  # a <= b <= d < a cannot be, nor its opposite
            np.cumsum(order == kind, out=counts[1:])
            p = (counts[stop] - counts[start]) / (n - 2 * lag)
            entropy -= p * np.log(p, out=np.zeros_like(p), where=p > 0)
        result[:, c] = entropy / np.log(N_PATTERNS)
    return result


def _lag(fs_hz: float) -> int:
    """Distance of compared samples."""
    return max(1, round(fs_hz / LAG_HZ))


def _entropy_measures(fs_hz: float) -> list[Measure]:
    """List what the two entropies need: 3 cycles of 2 Hz, and enough patterns."""
    needs_s = (N_PATTERNS * PER_PATTERN + 2 * _lag(fs_hz)) / fs_hz
    return [
        Measure("spectral_entropy", "spectral entropy", CYCLES / ENTROPY_HZ[0], ENTROPY_HZ[1]),
        Measure("permutation_entropy", "permutation entropy", needs_s),
    ]


def entropy_names(names: Sequence[str] = (), *, by: By = "region") -> tuple[str, ...]:
    """
    Columns of `entropy_columns`, in order.

    Examples
    --------
    >>> entropy_names()[::2][:2]
    ('eeg_spectral_entropy_frontal', 'eeg_permutation_entropy_frontal')
    """
    return window_names(_entropy_measures(250.0), names, by=by)


def entropy_columns(clean: CleanEeg, occasions: Occasions, *, by: By = "region") -> dict[str, Column]:
    """
    Spectral entropy and permutation entropy of each window, 0 to 1, and their changes from the baseline.

    Sample entropy and its multiscale kin are not offered: they need more samples than most windows here have.

    Parameters
    ----------
    clean, occasions, by
        As in `mmme.features.brain.band_power.band_power_columns`.

    Returns
    -------
    dict
        ``eeg_spectral_entropy_<place>``, see `spectral_entropy`, in windows of at least 1.5 s;
        ``eeg_permutation_entropy_<place>``, see `permutation_entropy`, of samples half a cycle of 45 Hz apart (3 at 250
        Hz), in windows of at least 300 patterns (1.22 s at 250 Hz);
        each also with ``_change``, in the order of `entropy_names`.
    """

    def values_of(clean: CleanEeg, windows: Windows) -> NDArray[np.float64]:
        grid = clean.grid
        first, n, lag = windows.first_sample(grid), min(windows.n_samples(grid), grid.t.size), _lag(clean.fs_hz)
        values = np.full((first.size, len(clean.channels), 2), np.nan)
        values[..., 0] = spectral_entropy(clean.x, first, n, clean.fs_hz)
        if n > 2 * lag:
            values[..., 1] = permutation_entropy(clean.x, first, n, lag=lag)
        return values

    return window_columns(clean, occasions, _entropy_measures(clean.fs_hz), values_of, by=by)
