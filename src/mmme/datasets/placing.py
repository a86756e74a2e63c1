"""Rows of a coding sheet -> coded events, in frames of the imported video."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmme.datasets.catalogue import DatasetInfo
from mmme.io.coding_xlsx import CodingRow, FrameStamp
from mmme.types import CodedEvent

__all__ = ["TrialFrames", "place_row"]

NEAREST_MS = 5  # a stamp without code is taken from a file name, so a frame must be this near
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, eq=False)
class TrialFrames:
    """
    Frames of one trial.

    Parameters
    ----------
    index : (n,) int64
        Places in the video.
    time_of_day_ms : (n,) int64
        Stamps [ms].
    code : (n,) int64
        Running codes 1..1000.
    """

    index: NDArray[np.int64]
    time_of_day_ms: NDArray[np.int64]
    code: NDArray[np.int64]

    @classmethod
    def by_marker(
        cls, host_s: NDArray[np.float64], code: NDArray[np.int64], marker: NDArray[np.int64]
    ) -> dict[int, TrialFrames]:
        """Split the frames of a session by their trigger value."""
        ms = np.rint(host_s * 1000).astype(np.int64) % _DAY_MS
        parts = ((int(value), np.flatnonzero(marker == value)) for value in np.unique(marker))
        return {value: cls(at, ms[at], code[at]) for value, at in parts}

    def find(self, stamp: FrameStamp) -> int | str:
        """Place of the frame in the video, or why there is none."""
        apart = np.abs((self.time_of_day_ms - stamp.time_of_day_ms + _DAY_MS // 2) % _DAY_MS - _DAY_MS // 2)
        if stamp.code is not None:
            same = np.flatnonzero((apart == 0) & (self.code == stamp.code))
            if same.size == 1:
                return int(self.index[same[0]])
            near = np.flatnonzero((self.code == stamp.code) & (apart < 1000))
            there = f"; code {stamp.code} was saved {apart[near[0]]} ms away" if near.size else ""
            return f"expected a frame of that time and code in its trial, got {same.size or 'none'}{there}"
        nearest = int(np.argmin(apart))
        if apart[nearest] <= NEAREST_MS:
            return int(self.index[nearest])
        return f"expected a frame of its trial within {NEAREST_MS} ms, got the nearest {int(apart[nearest])} ms away"


def place_row(
    row: CodingRow, frames: Mapping[int, TrialFrames], *, subject: str, source: str, info: DatasetInfo
) -> CodedEvent | str:
    """
    Find the frames of a row in the video of its session.

    With a code, time and code must be those of one frame of the trial; without, the nearest stamp within 5 ms is taken.

    Parameters
    ----------
    row
        Row of the sheet.
    frames
        Frames of the session by trigger value.
    subject
        Code of the participant.
    source
        Sheet and row, for example ``coding_file.xlsx:17``.
    info
        The data set.

    Returns
    -------
    CodedEvent or str
        The event, or one sentence on why the row cannot be placed.
    """
    known = info.stimuli.get(row.marker)
    said = f"{info.word(row.emotion)}-{row.video}"
    if known is None:
        return f"expected the marker of a trial, got {row.marker}"
    # where the release does not number the videos of an emotion, the number proves nothing
    if known[1] != info.word(row.emotion) or (known[0] != said and row.emotion != "calm"):
        return f"expected stimulus {known[0]} for marker {row.marker}, got {said}"
    if row.marker not in frames:
        return f"expected frames with marker {row.marker} in its session, got none"
    found = {name: frames[row.marker].find(getattr(row, name)) for name in ("onset", "apex", "offset")}
    faults = [f"{name}: {place}" for name, place in found.items() if isinstance(place, str)]
    if faults:
        return "; ".join(faults)
    onset, apex, offset = (int(place) for place in found.values())
    if not onset <= apex <= offset:
        return f"need onset <= apex <= offset in frames, got {onset}, {apex}, {offset}"
    return CodedEvent(subject, row.coder, row.kind, row.marker, *known, onset, apex, offset, row.aus, row.estimated, source)
