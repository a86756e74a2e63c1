"""A cleaned EEG recording: what every measure of the brain is computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmme.features.quality import Verdict
from mmme.features.sampling import Regular

__all__ = ["MUSCLE_CELL_S", "CleanEeg"]

#: Length of the cells in which muscle activity is measured [s]: a fifth of a micro-expression at its longest.
MUSCLE_CELL_S = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class CleanEeg:
    """
    Scalp channels of one recording, re-referenced, filtered and on one grid.

    Parameters
    ----------
    t : (n,) float64
        Session times [s].
    x : (n_channels, n) float32
        [µV].
    bad : (n,) bool
        Samples that were missing, or within reach of one in the filters; bridged in ``x``.
    fs_hz
        Rate [Hz].
    channels
        Names in 10-10 spelling.
    flat : (n_channels,) bool
        Channels that never move; not part of the reference.
    bad_channels
        Channels that should not be trusted, each with its reason; still in ``x`` as recorded unless ``interpolated``.
    interpolated
        Channels replaced by their neighbours because it was asked for.
    muscle_uv : (n_channels, n_cells) float32
        Root mean square of 65 to 95 Hz in cells of `MUSCLE_CELL_S` from ``t[0]`` on, before ICA and low-pass [µV]; empty
        where the rate does not reach that far.
    verdict
        Quality, by channel.
    steps
        What was done, in order, in words, for `FeatureTable.origin`: reference, filter with taps, line, channels, ICA.
    refused
        Why nothing can be computed from the recording; the empty string where something can.
    """

    t: NDArray[np.float64]
    x: NDArray[np.float32]
    bad: NDArray[np.bool_]
    fs_hz: float
    channels: tuple[str, ...]
    flat: NDArray[np.bool_]
    bad_channels: Mapping[str, str]
    interpolated: tuple[str, ...]
    muscle_uv: NDArray[np.float32]
    verdict: Verdict
    steps: Mapping[str, str]
    refused: str = ""

    @property
    def grid(self) -> Regular:
        """The times as a signal of their own, for placing windows; its samples are the times."""
        return Regular(self.t, self.t, self.bad, self.fs_hz)

    def index(self, name: str) -> int | None:
        """Row of a channel; None where the recording lacks it."""
        return self.channels.index(name) if name in self.channels else None
