"""
Samples around events: an apex, an onset or the start of a stimulus, whatever `Occasions.at_s` holds.

An event is moved to the nearest sample (at 250 Hz by at most 2 ms); latencies are counted from the event itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mmme.features.brain.clean import CleanEeg
from mmme.features.windows import SAME_S, Occasions, either, first_reason

__all__ = ["epochs", "event_reasons", "event_samples", "lags"]

#: Values in one block of epochs (4 MB).
BLOCK = 1_000_000


def event_samples(clean: CleanEeg, at_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Find the sample nearest to each event, ``(k,)``; -1 where there is no event or it lies outside the recording."""
    after = np.clip(np.searchsorted(clean.t, at_s), 1, clean.t.size - 1)
    nearest = after - (np.abs(clean.t[after - 1] - at_s) <= np.abs(clean.t[after] - at_s))
    half = 0.5 / clean.fs_hz + SAME_S
    outside = ~((at_s >= clean.t[0] - half) & (at_s <= clean.t[-1] + half))
    return np.where(outside, -1, nearest).astype(np.int64)


def lags(fs_hz: float, from_s: float, to_s: float) -> NDArray[np.int64]:
    """
    Give the samples of ``[from_s, to_s)``, counted from the event.

    Examples
    --------
    >>> lags(10.0, -0.2, 0.3).tolist()
    [-2, -1, 0, 1, 2]
    """
    return np.arange(np.ceil((from_s - SAME_S) * fs_hz), np.ceil((to_s - SAME_S) * fs_hz)).astype(np.int64)


def event_reasons(clean: CleanEeg, occasions: Occasions, first: int, last: int, *, what: str) -> NDArray[np.str_]:
    """
    Say why nothing can be computed from samples ``first`` to ``last`` (counted from the event), ``(k,)``.

    Parameters
    ----------
    clean, occasions
        A recording, and events in it.
    first, last
        Samples from the event, both included.
    what
        What they are called in the reason.
    """
    at = event_samples(clean, occasions.at_s)
    n = clean.t.size
    outside = (at < 0) | (at + first < 0) | (at + last >= n)
    checks = [(outside, f"{what} leaves the recording")]
    if clean.bad.any():
        count = np.concatenate([[0], np.cumsum(clean.bad)])
        touched = count[np.clip(at + last + 1, 0, n)] > count[np.clip(at + first, 0, n)]
        checks.append((touched, f"{what} touches missing samples"))
    return either(occasions.eventless(), first_reason(len(occasions), *checks))


def epochs(clean: CleanEeg, at: NDArray[np.int64], first: int, last: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """
    Cut samples ``first`` to ``last`` (both included) around events, block by block.

    Parameters
    ----------
    clean
        A recording.
    at : (k,) int64
        Samples of the events; those too near to an end get other samples, see `event_reasons`.
    first, last
        Samples from the event.

    Yields
    ------
    which, x
        The events of the block, and their samples ``(n_channels, b, last - first + 1)`` [µV], a copy.
    """
    n = last - first + 1
    if n > clean.t.size:
        raise ValueError(f"epochs: expected at most {clean.t.size} samples, got {n}")
    views = sliding_window_view(clean.x, n, axis=1)
    start = np.clip(at + first, 0, clean.t.size - n)
    step = max(1, BLOCK // (max(1, len(clean.channels)) * n))
    for a in range(0, at.size, step):
        yield slice(a, min(a + step, at.size)), views[:, start[a : a + step]]
