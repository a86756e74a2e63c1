"""Mean, spread and slope of a slow signal in thousands of windows at once, from cumulative sums: no window is cut out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmme.features.sampling import Regular
from mmme.features.windows import Windows

__all__ = ["Levels", "levels", "means"]


class Levels(NamedTuple):
    """
    What a signal is like in each window.

    Parameters
    ----------
    mean, sd : (k,) float64
        Mean and standard deviation (n - 1) in the signal's unit; the latter NaN for windows of one sample.
    slope_per_s : (k,) float64
        Slope of the least-squares line [unit/s]; NaN for windows of one sample.
    """

    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    slope_per_s: NDArray[np.float64]


def _ends(signal: Regular, windows: Windows) -> tuple[NDArray[np.int64], int]:
    """First sample of each window, and how many samples a window has."""
    return windows.first_sample(signal), min(windows.n_samples(signal), signal.t.size)


def _between(values: NDArray[np.float64], first: NDArray[np.int64], n: int) -> NDArray[np.float64]:
    """Sum ``n`` values from each ``first`` on."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(total[first + n] - total[first])


def means(signal: Regular, windows: Windows) -> NDArray[np.float64]:
    """
    Mean of each window, ``(k,)``; of others for windows that leave the recording (`mmme.features.windows.unusable`).

    Examples
    --------
    >>> s = Regular(np.arange(5) / 10, np.array([1.0, 3.0, 5.0, 5.0, 9.0]), np.zeros(5, dtype=bool), 10.0)
    >>> means(s, Windows(np.array([0.0, 0.3]), 0.2)).tolist()
    [2.0, 7.0]
    """
    first, n = _ends(signal, windows)
    centre = float(signal.x.mean())
    return np.asarray(centre + _between(signal.x - centre, first, n) / n)


def levels(signal: Regular, windows: Windows) -> Levels:
    """
    Mean, standard deviation and slope of each window.

    Parameters
    ----------
    signal
        One channel.
    windows
        ``k`` of them; those that leave the recording describe other samples.

    Examples
    --------
    >>> s = Regular(np.arange(5) / 10, np.array([1.0, 3.0, 5.0, 5.0, 9.0]), np.zeros(5, dtype=bool), 10.0)
    >>> mean, sd, slope = levels(s, Windows(np.array([0.0]), 0.3))
    >>> mean.tolist(), sd.round(6).tolist(), slope.round(6).tolist()
    ([3.0], [2.0], [20.0])
    """
    first, n = _ends(signal, windows)
    centre = float(signal.x.mean())  # sums of what is near 0 keep their digits
    x = signal.x - centre
    total = _between(x, first, n)
    if n < 2:
        nothing = np.full(first.size, np.nan)
        return Levels(centre + total / n, nothing, nothing)
    squares = np.maximum(_between(x * x, first, n) - total**2 / n, 0.0)
    place = np.arange(x.size) - 0.5 * x.size
    lean = _between(place * x, first, n) - total * (first + 0.5 * (n - 1) - 0.5 * x.size)
    return Levels(centre + total / n, np.sqrt(squares / (n - 1)), lean / (n * (n * n - 1.0) / 12.0) * signal.fs_hz)
