"""How beats of a heart, or of a pulse, resemble each other, and what that says of a recording."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import median_filter, uniform_filter1d

from mmme.features.body.beats import NEIGHBOURS, Beats
from mmme.features.sampling import Regular
from mmme.features.windows import SAME_S

__all__ = ["beat_doubts", "believed", "between_samples", "likeness", "set_aside", "thinned"]

#: Longer without a beat, none was found [s].
LONGEST_WITHOUT_S = 3.0
#: Intervals that differ from those around by more than this factor are no heart's.
UNEVEN = 2.2
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


def believed(r: NDArray[np.float64], least_r: float) -> NDArray[np.bool_]:
    """
    Tell which beats resemble the others, on average with their neighbours: one beat of another shape is no bad signal.

    Parameters
    ----------
    r : (n_beats,)
        From `likeness`.
    least_r
        Mean correlation of three beats in a row below which they are none.

    Examples
    --------
    >>> believed(np.array([1.0, 1.0, 0.2, 1.0, 1.0, 0.3, 0.1, 0.3, 1.0]), 0.66).astype(int).tolist()
    [1, 1, 1, 1, 1, 0, 0, 0, 1]
    """
    return np.asarray(uniform_filter1d(r, 3, mode="nearest") >= least_r) if r.size else np.zeros(0, dtype=bool)


def set_aside(beats: Beats, found_s: NDArray[np.float64], doubted: NDArray[np.bool_]) -> Beats:
    """
    Accept no interval that overlaps one of those between beats as found that are doubted.

    Parameters
    ----------
    beats
        Perhaps corrected.
    found_s : (b,)
        Beats as found [s].
    doubted : (b - 1,)
        One per interval between these.

    Examples
    --------
    >>> found = np.array([0.0, 1.0, 2.0, 3.0])
    >>> made = Beats(np.array([0.0, 1.0, 1.5, 2.0, 3.0]), np.ones(4, dtype=bool))
    >>> set_aside(made, found, np.array([False, True, False])).accepted.tolist()
    [True, False, False, True]
    """
    if not doubted.any():
        return beats
    seconds = np.interp(beats.t_s, found_s, np.concatenate([[0.0], np.cumsum(np.diff(found_s) * doubted)]))
    return Beats(beats.t_s, beats.accepted & (np.diff(seconds) <= SAME_S))


def beat_doubts(
    signal: Regular, beat_s: NDArray[np.float64], like: NDArray[np.bool_], *, shortest_s: float, word: str
) -> dict[str, NDArray[np.bool_]]:
    """
    Mark stretches of 3 s without a beat, beats that do not resemble the others, and beats that come too fast or unevenly.

    Parameters
    ----------
    signal
        On whose samples marks are made.
    beat_s : (n_beats,)
        Beats as found [s].
    like : (n_beats,)
        Which of them are `believed`.
    shortest_s
        Intervals below are none of a heart [s].
    word
        What the beats are called in the causes.

    Returns
    -------
    dict
        Marks ``(n,)`` by cause.

    References
    ----------
    Orphanidou et al. (2015), doi:10.1109/JBHI.2014.2338351 (limits of intervals, their ratio, correlation).
    """
    ends = np.concatenate([[signal.start_s], beat_s, [signal.stop_s]])
    empty = np.diff(ends) > LONGEST_WITHOUT_S
    middle = 0.5 * (beat_s[1:] + beat_s[:-1])
    starts, stops = np.concatenate([beat_s[:1], middle]), np.concatenate([middle, beat_s[-1:]])
    interval = np.diff(beat_s)
    usual = median_filter(interval, size=NEIGHBOURS, mode="nearest") if interval.size else interval
    odd = (interval > UNEVEN * usual) | (interval * UNEVEN < usual)
    fast = interval < shortest_s
    return {
        f"no {word} were found": _marked(signal, ends[:-1][empty], ends[1:][empty]),
        f"{word} do not resemble the others": _marked(signal, starts[~like], stops[~like]),
        f"{word} faster than {60 / shortest_s:.0f} a minute": _marked(signal, beat_s[:-1][fast], beat_s[1:][fast]),
        f"{word} are uneven": _marked(signal, beat_s[:-1][odd], beat_s[1:][odd]),
    }


def _marked(signal: Regular, start_s: NDArray[np.float64], stop_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark stretches, each at least one sample."""
    change = np.zeros(signal.t.size + 1, dtype=np.int64)
    first = np.minimum(np.searchsorted(signal.t, start_s), signal.t.size - 1)
    np.add.at(change, first, 1)
    np.add.at(change, np.maximum(np.searchsorted(signal.t, stop_s), first + 1), -1)
    return np.asarray(np.cumsum(change[:-1]) > 0)


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
