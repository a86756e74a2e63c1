"""How beats of a heart, or of a pulse, resemble each other, and what that says of a recording."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mmme.features.sampling import Regular

__all__ = ["beat_doubts", "between_samples", "likeness", "thinned"]

#: Longer without a beat, none was found [s].
LONGEST_WITHOUT_S = 3.0
#: Fewer beats have no median beat.
LEAST_BEATS = 5


def likeness(clean: NDArray[np.float64], places: NDArray[np.int64], before: int, after: int) -> NDArray[np.float64]:
    """
    Correlation of each beat with the median beat of the recording, ``(n_beats,)``; 1 at the ends, where it is not whole.

    Parameters
    ----------
    clean : (n,)
        Cleaned signal.
    places : (n_beats,)
        Peaks in it.
    before, after
        Samples around a peak that are compared.

    Examples
    --------
    >>> t = np.arange(1000) / 100
    >>> x = np.exp(-0.5 * (((t + 0.5) % 1.0 - 0.5) / 0.05) ** 2)
    >>> x[450:550] = np.linspace(0, 1, 100)
    >>> likeness(x, np.arange(100, 1000, 100), 20, 20).round(1).tolist()
    [1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0]
    """
    r = np.ones(places.size)
    whole = (places >= before) & (places < clean.size - after)
    if whole.sum() < LEAST_BEATS:
        return r
    rows = sliding_window_view(clean, before + after)[places[whole] - before]
    usual = np.median(rows, axis=0)
    rows = rows - rows.mean(axis=1, keepdims=True)
    usual = usual - usual.mean()
    size = np.sqrt(np.einsum("ij,ij->i", rows, rows) * (usual @ usual))
    r[whole] = np.divide(rows @ usual, size, out=np.zeros(size.size), where=size > 0)
    return r


def beat_doubts(
    coarse: Regular,
    clean: NDArray[np.float64],
    places: NDArray[np.int64],
    *,
    least_r: float,
    before_s: float,
    after_s: float,
    word: str,
) -> dict[str, NDArray[np.bool_]]:
    """
    Mark stretches of 3 s without a beat, and beats that do not resemble the others.

    Parameters
    ----------
    coarse, clean, places
        The recording, the same cleaned, and the peaks in it.
    least_r
        Correlation with the median beat below which a beat is none.
    before_s, after_s
        Time around a peak that is compared [s].
    word
        What the beats are called in the causes.

    Returns
    -------
    dict
        Marks ``(n,)`` by cause.
    """
    n = coarse.t.size
    without, unlike = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    for a, b in pairwise(np.concatenate([[0], places, [n - 1]]).tolist()):
        if b - a > LONGEST_WITHOUT_S * coarse.fs_hz:
            without[a:b] = True
    r = likeness(clean, places, round(before_s * coarse.fs_hz), round(after_s * coarse.fs_hz))
    middle = (places[1:] + places[:-1]) // 2
    starts, stops = np.concatenate([places[:1], middle]), np.concatenate([middle, places[-1:]])
    for i in np.flatnonzero(r < least_r):
        unlike[starts[i] : stops[i] + 1] = True
    return {f"no {word} were found": without, f"{word} do not resemble the others": unlike}


def between_samples(signal: Regular, clean: NDArray[np.float64], places: NDArray[np.int64]) -> NDArray[np.float64]:
    """
    Find the times of extrema [s], ``(n,)``, from the parabola through each and its two neighbours.

    Examples
    --------
    >>> t = np.arange(200) / 100
    >>> x = np.cos(2 * np.pi * (t - 0.503))
    >>> s = Regular(t, x, np.zeros(200, dtype=bool), 100.0)
    >>> between_samples(s, x, np.array([50])).round(4).tolist()
    [0.503]
    """
    inner = np.clip(places, 1, max(clean.size - 2, 1))
    before, here, after = clean[inner - 1], clean[inner], clean[inner + 1]
    bend = before - 2 * here + after
    shift = np.divide(0.5 * (before - after), bend, out=np.zeros(inner.size), where=bend != 0)
    shift[(np.abs(shift) > 1) | (inner != places)] = 0.0
    return np.asarray(signal.t[places] + shift / signal.fs_hz)


def thinned(signal: Regular, rate_hz: float) -> Regular:
    """
    Keep every few samples, and which of those left out were bad: enough to tell where a recording is flat, torn or over.

    Examples
    --------
    >>> s = Regular(np.arange(10) / 10, np.arange(10.0), np.arange(10) == 3, 10.0)
    >>> k = thinned(s, 5.0)
    >>> k.x.tolist(), k.bad.tolist(), k.fs_hz
    ([0.0, 2.0, 4.0, 6.0, 8.0], [False, True, False, False, False], 5.0)
    """
    q = max(1, int(signal.fs_hz // rate_hz))
    starts = np.arange(0, signal.t.size, q)
    bad = np.logical_or.reduceat(signal.bad, starts) if signal.bad.any() else np.zeros(starts.size, dtype=bool)
    return Regular(signal.t[::q].copy(), signal.x[::q].copy(), bad, signal.fs_hz / q)
