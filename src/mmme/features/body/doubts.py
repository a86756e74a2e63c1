"""
What speaks against a stretch of a signal of the body, by rules that mean the same in every recording.

Marks are one per sample, so that windows can ask which share of them they hold without being cut out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, minimum_filter1d

from mmme.features.sampling import Regular
from mmme.features.windows import Windows

__all__ = ["at_limit", "joined", "marked_share", "still", "widened"]

#: Of a peak cut off, its neighbouring values last less than this share; of a smooth peak in coarse steps, 0.41 and more.
SIDES_SHARE = 0.2


def at_limit(signal: Regular, coarse: Regular, *, least_s: float) -> NDArray[np.bool_]:
    """
    Mark where a channel stays at the largest or smallest value of its recording: clipped by its amplifier or converter.

    A smooth peak, recorded in coarse steps, also stays at one value, but it comes and goes through the next steps, on
    which it stays at least 0.41 times as long (a parabola's); what is cut off arrives within a few samples. At the first
    and the last sample nothing arrives: what rests there is still (`still`), not clipped.

    Parameters
    ----------
    signal
        One channel at the rate it was recorded.
    coarse
        The same at a lower rate; marks are for its samples.
    least_s
        Shorter stays are not marked [s]; at least 3 samples.

    Returns
    -------
    (n_coarse,) bool
        The marks.

    Examples
    --------
    >>> t = np.arange(400) / 100
    >>> s = Regular(t, np.minimum(np.sin(2 * np.pi * t / 4), 0.9), np.zeros(400, dtype=bool), 100.0)
    >>> marks = at_limit(s, s, least_s=0.2)
    >>> t[marks].min().round(2), t[marks].max().round(2)
    (0.72, 1.28)
    """
    x = signal.x
    q = max(1, round(signal.fs_hz / coarse.fs_hz))
    marks = np.zeros(coarse.t.size, dtype=bool)
    least = max(3, round(least_s * signal.fs_hz))
    for limit in (float(x.max()), float(x.min())):
        at = np.flatnonzero(x == limit)
        if at.size < least:
            continue
        breaks = np.flatnonzero(np.diff(at) > 1)
        first, last = at[np.r_[0, breaks + 1]], at[np.r_[breaks, at.size - 1]]
        long = (last - first + 1 >= least) & (first > 0) & (last < x.size - 1)
        for a, b in zip(first[long].tolist(), last[long].tolist(), strict=True):
            length = b - a + 1
            before, after = x[max(0, a - length) : a][::-1], x[b + 1 : b + 1 + length]
            if _equal(before) + _equal(after) < SIDES_SHARE * length:
                marks[a // q : b // q + 1] = True
    return marks


def _equal(x: NDArray[np.float64]) -> int:
    """Count the samples at the beginning that equal the first."""
    other = np.flatnonzero(x != x[:1])
    return int(other[0]) if other.size else x.size


def still(signal: Regular, *, flat: float, least_s: float) -> NDArray[np.bool_]:
    """
    Mark stretches of at least ``least_s`` seconds in which a channel moves by no more than ``flat``; ``(n,)``.

    Examples
    --------
    >>> x = np.r_[np.arange(20.0), np.full(30, 20.0), np.arange(20.0)]
    >>> marks = still(Regular(np.arange(70) / 10, x, np.zeros(70, dtype=bool), 10.0), flat=0.0, least_s=2.0)
    >>> int(np.flatnonzero(marks)[0]), int(np.flatnonzero(marks)[-1])
    (20, 49)
    """
    n = min(max(2, round(least_s * signal.fs_hz)), signal.x.size)
    quiet = maximum_filter1d(signal.x, n) - minimum_filter1d(signal.x, n) <= flat
    # Each of these speaks for the n samples from n // 2 before it; beyond the ends there are none.
    whole = np.zeros(signal.x.size, dtype=bool)
    whole[n // 2 : signal.x.size - n + n // 2 + 1] = True
    return np.asarray(maximum_filter1d((quiet & whole).astype(np.uint8), n, origin=0 if n % 2 else -1).astype(bool))


def joined(marks: NDArray[np.bool_], gap: int) -> NDArray[np.bool_]:
    """
    Mark also what lies between two marks less than ``gap`` samples apart.

    Examples
    --------
    >>> joined(np.array([1, 0, 1, 0, 0, 0, 1], dtype=bool), 3).astype(int).tolist()
    [1, 1, 1, 0, 0, 0, 1]
    """
    at = np.flatnonzero(marks)
    steps = np.diff(at)
    near = (steps > 1) & (steps < gap)
    change = np.zeros(marks.size + 1, dtype=np.int64)
    np.add.at(change, at[:-1][near], 1)
    np.add.at(change, at[1:][near], -1)
    return np.asarray(marks | (np.cumsum(change[:-1]) > 0))


def widened(marks: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """
    Mark also ``reach`` samples to each side.

    Examples
    --------
    >>> widened(np.array([0, 0, 1, 0, 0, 0], dtype=bool), 1).astype(int).tolist()
    [0, 1, 1, 1, 0, 0]
    """
    return np.asarray(maximum_filter1d(marks.astype(np.uint8), 2 * reach + 1).astype(bool))


def marked_share(marks: NDArray[np.bool_], signal: Regular, windows: Windows) -> NDArray[np.float64]:
    """
    Share of each window's samples that are marked, ``(k,)``; of windows that leave the recording, others'.

    Examples
    --------
    >>> s = Regular(np.arange(6) / 10, np.zeros(6), np.zeros(6, dtype=bool), 10.0)
    >>> marked_share(np.array([0, 0, 1, 0, 0, 0], dtype=bool), s, Windows(np.array([0.1, 0.3]), 0.2)).tolist()
    [0.5, 0.0]
    """
    if not marks.any():
        return np.zeros(windows.start_s.size)
    count = np.concatenate([[0], np.cumsum(marks)])
    first = windows.first_sample(signal)
    n = min(windows.n_samples(signal), marks.size)
    return np.asarray((count[first + n] - count[first]) / n)
