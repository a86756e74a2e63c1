"""
The slope of the spectrum apart from its rhythms: how fast power falls with frequency, ``1 / f ** exponent``.

Activity of muscles makes the spectrum flatter: a smaller exponent around an expression may come from the face.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmme.features.brain.clean import CleanEeg
from mmme.features.brain.places import By, Measure, window_columns, window_names
from mmme.features.brain.spectra import frequencies, over_spectra
from mmme.features.tables import Column
from mmme.features.windows import Occasions, Windows

__all__ = ["aperiodic_columns", "aperiodic_names", "exponent"]

#: Between the slow drifts that the high-pass takes away and the low-pass.
FIT_HZ = (2.0, 40.0)
#: Alpha and its flanks are no part of the line.
ALPHA_HZ = (7.0, 14.0)
#: Points of the line are means over a quarter of an octave, so that high frequencies do not outvote low ones.
PER_OCTAVE = 4
_MEASURES = [Measure("exponent", "the exponent", 2.0, FIT_HZ[1])]


def exponent(x: NDArray[np.float32], first: NDArray[np.int64], n: int, fs_hz: float) -> NDArray[np.float64]:
    """
    Exponent of the aperiodic part of the spectrum of windows, ``(k, n_channels)``.

    A line is fitted to ln density over ln frequency, 2 to 40 Hz without 7 to 14 Hz, by the median of the slopes between all
    pairs of points (Theil, Sen), which up to 29 % of deviating points cannot move far: the peak of another rhythm is a few.

    On simulated noise of exponents 0 to 2.5 the mean is within 0.05 of the truth in windows of 2 s or more, also with peaks
    at 10 and 20 Hz; one value scatters by 0.20 (standard deviation) in 2 s, 0.15 in 4 s, 0.10 in 10 s, 0.04 in 60 s.

    Parameters
    ----------
    x : (n_channels, n_times)
        Signal.
    first : (k,) int64
        First sample of each window.
    n
        Samples of a window.
    fs_hz
        Rate [Hz].

    Returns
    -------
    (k, n_channels) float64
        Positive where power falls with frequency; NaN without power.

    References
    ----------
    Donoghue et al. (2020), Parameterizing neural power spectra into periodic and aperiodic components,
    doi:10.1038/s41593-020-00744-x. Sen (1968), doi:10.1080/01621459.1968.10480934.

    Examples
    --------
    >>> white = np.random.default_rng(0).normal(size=(1, 15000)).astype(np.float32)
    >>> float(exponent(white, np.array([0]), 15000, 250.0)[0, 0].round(1)) + 0.0
    0.0
    """
    f = frequencies(n, fs_hz)
    points, log_f = _points(f)
    i, j = np.triu_indices(log_f.size, 1)
    run = log_f[j] - log_f[i]

    def fit(density: NDArray[np.float32]) -> NDArray[np.float64]:
        log = np.log(density, out=np.full(density.shape, np.nan, dtype=np.float32), where=density > 0)
        level = np.stack([log[..., inside].mean(axis=2) for inside in points], axis=2).astype(np.float64)
        return -np.median((level[..., j] - level[..., i]) / run, axis=2, keepdims=True)

    if log_f.size < 2:
        return np.full((first.size, x.shape[0]), np.nan)
    return over_spectra(x, first, n, fs_hz, fit)[..., 0]


def _points(f: NDArray[np.float64]) -> tuple[list[NDArray[np.int64]], NDArray[np.float64]]:
    """Frequencies of each point of the line, and the mean of their logarithms."""
    octave = np.full(f.size, -1)
    fitted = (f >= FIT_HZ[0]) & (f < FIT_HZ[1]) & ~((f >= ALPHA_HZ[0]) & (f < ALPHA_HZ[1]))
    octave[fitted] = np.floor(PER_OCTAVE * np.log2(f[fitted] / FIT_HZ[0]) + 1e-9)
    points = [np.flatnonzero(octave == o) for o in np.unique(octave[fitted])]
    return points, np.array([np.log(f[inside]).mean() for inside in points])


def aperiodic_names(names: Sequence[str] = (), *, by: By = "region") -> tuple[str, ...]:
    """
    Columns of `aperiodic_columns`, in order.

    Examples
    --------
    >>> aperiodic_names()[:2]
    ('eeg_exponent_frontal', 'eeg_exponent_frontal_change')
    """
    return window_names(_MEASURES, names, by=by)


def aperiodic_columns(clean: CleanEeg, occasions: Occasions, *, by: By = "region") -> dict[str, Column]:
    """
    Exponent of the aperiodic part of the spectrum of each window, see `exponent`, and its change from the baseline.

    Parameters
    ----------
    clean, occasions, by
        As in `mmme.features.brain.band_power.band_power_columns`.

    Returns
    -------
    dict
        ``eeg_exponent_<place>`` and the same with ``_change``, in the order of `aperiodic_names`.
    """

    def values_of(clean: CleanEeg, windows: Windows) -> NDArray[np.float64]:
        grid = clean.grid
        n = min(windows.n_samples(grid), grid.t.size)
        return exponent(clean.x, windows.first_sample(grid), n, clean.fs_hz)[..., None]

    return window_columns(clean, occasions, _MEASURES, values_of, by=by)
