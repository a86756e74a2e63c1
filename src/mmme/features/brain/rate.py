"""
A recording at the rate it is analysed at, and where it has holes.

Pauses of the amplifier and samples that are not finite are bridged by straight lines, because filters cannot work across
them, and told apart from what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from mmme.features.brain.decimation import HALF_WIDTH, decimated_channels
from mmme.features.sampling import Regular, decimated, regular
from mmme.types import StoredSamples, Stream

__all__ = ["Bridged", "lowered"]


@dataclass(frozen=True, slots=True, eq=False)
class Bridged:
    """
    Rows of an array as if none had been left out: straight lines lead over its gaps.

    Parameters
    ----------
    x : (n, n_channels)
        Anything with slices of rows.
    place : (n,) int64
        Row on the regular grid that each row of ``x`` belongs in, increasing from 0.

    Examples
    --------
    >>> Bridged(np.array([[0.0], [1.0], [4.0]]), np.array([0, 1, 4]))[1:4].tolist()
    [[1.0], [2.0], [3.0]]
    """

    x: Any
    place: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int]:
        """(n on the regular grid, n_channels)."""
        return int(self.place[-1]) + 1, int(self.x.shape[1])

    def __getitem__(self, index: int | slice) -> NDArray[Any]:
        """Return one row, or the rows from ``index.start`` to ``index.stop``."""
        if not isinstance(index, slice):
            row: NDArray[Any] = self[index : index + 1]
            return row[0]
        wanted = np.arange(index.start, index.stop)
        before = np.searchsorted(self.place, wanted, side="right") - 1
        after = np.minimum(before + 1, self.place.size - 1)
        first = int(before[0])
        held = np.asarray(self.x[first : int(after[-1]) + 1])
        ahead = wanted - self.place[before]
        if not ahead.any():
            return held[: wanted.size]
        share = (ahead / np.maximum(self.place[after] - self.place[before], 1))[:, None]
        low, high = held[before - first], held[after - first]
        return np.asarray(np.where(share == 0, low, low + share * (high - low)))


def lowered(
    stream: Stream, columns: Sequence[int], rate_hz: float
) -> tuple[Regular, NDArray[np.float32], NDArray[np.bool_] | None]:
    """
    Bring channels to a lower rate.

    Parameters
    ----------
    stream
        ``(n, n_channels)`` or ``(n,)`` [V].
    columns
        Channels that are wanted, in this order.
    rate_hz
        Wanted rate; the next one above it that divides the stream's is taken [Hz].

    Returns
    -------
    grid
        Times, which are also its samples; ``bad`` where every channel lacks samples because the recording paused.
    x : (n_columns, n) float32
        [µV], each less a constant near its first sample.
    missing : (n_columns, n) bool, or None
        Samples that were missing in a channel, or within reach of one in the filter; None where there are none at all.

    Raises
    ------
    DataError
        If the times contradict the nominal rate.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(4000, 2)) * 1e-5
    >>> x[2000, 1] = np.nan
    >>> grid, y, missing = lowered(Stream("eeg", "eeg", np.arange(4000) / 1000, x, "V", 1000.0), [0, 1], 250.0)
    >>> grid.fs_hz, y.shape, missing.sum(axis=1).tolist()
    (250.0, (2, 1000), [0, 21])
    """
    x: Any = stream.x if len(stream.x.shape) == 2 else np.asarray(stream.x[:])[:, None]
    scale = np.full(x.shape[1], 1e6)
    stored = stream.x.stored() if isinstance(stream.x, StoredSamples) else None
    if stored is not None:
        x, scale = stored[0], stored[1] * 1e6
    times = regular(replace(stream, x=np.zeros(len(stream)), channels=(), types=()))
    q = max(1, int(times.fs_hz // rate_hz))
    paused = times.bad
    if paused.any():
        x = Bridged(x, np.flatnonzero(~paused))
        paused = maximum_filter1d(paused.astype(np.uint8), 2 * HALF_WIDTH * q + 1).astype(bool) if q > 1 else paused
    y = decimated_channels(x, q, scale=scale, columns=columns)
    t = np.ascontiguousarray(times.t[::q])
    grid = Regular(t, t, np.ascontiguousarray(paused[::q]), times.fs_hz / q)
    torn = [k for k, channel in enumerate(y) if not np.isfinite(channel).all()]
    if not torn and not grid.bad.any():
        return grid, y, None
    missing = np.tile(grid.bad, (len(columns), 1))
    for k in torn:  # each by itself, so that a hole in one is no hole in the others
        own = stream.x[:, columns[k]] if len(stream.x.shape) == 2 else stream.x[:]
        lower = decimated(regular(replace(stream, x=np.asarray(own), channels=(), types=())), rate_hz)
        y[k] = 1e6 * (lower.x - lower.x[0])
        missing[k] = lower.bad
    return grid, y, missing
