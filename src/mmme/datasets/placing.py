"""Rows of an annotation table -> coded events, in frames of the imported video."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmme.datasets.catalogue import DatasetInfo
from mmme.datasets.raw import RawSession
from mmme.types import CodedEvent, CodingRow, FrameStamp, Moment

__all__ = ["NEAREST_MS", "FrameTable", "place_row", "session_of"]

NEAREST_MS = 5  # a stamp without code is taken from a file name, so a frame must be this near
_DAY_MS = 86_400_000
_STIMULUS = re.compile(r"([a-z]+)_(\d+)_.*")


@dataclass(frozen=True, slots=True, eq=False)
class FrameTable:
    """
    Frames of one recording, as far as annotation tables can name them.

    Parameters
    ----------
    t_s : (n,) float64
        Times [s].
    number : (n,) int64
        Numbers by which tables count frames: those of file names, else 0, 1, 2, ...
    host_s : (n,) float64 or None
        Stamps [s] since midnight.
    code, marker : (n,) int64 or None
        Running codes and trigger values.
    """

    t_s: NDArray[np.float64]
    number: NDArray[np.int64]
    host_s: NDArray[np.float64] | None = None
    code: NDArray[np.int64] | None = None
    marker: NDArray[np.int64] | None = None

    def of_trial(self, marker: int | None) -> NDArray[np.int64]:
        """Places of the frames of one trial; of all frames where the row or the video knows no trigger."""
        if marker is None or self.marker is None:
            return np.arange(len(self.t_s))
        return np.flatnonzero(self.marker == marker)

    def find(self, moment: Moment, among: NDArray[np.int64]) -> int | str:
        """Place of a moment's frame in the video, counted from the first of ``among``; or why there is none."""
        if moment.stamp is not None:
            return self._by_stamp(moment.stamp, among)
        if moment.frame is not None:
            number = self.number - (self.number[among[0]] if among[0] else 0)
            at = np.searchsorted(number, moment.frame)
            if at < len(number) and number[at] == moment.frame:
                return int(at)
            return f"expected a frame {number[among[0]]} to {number[among[-1]]}, got {moment.frame}"
        if moment.t_s is None:
            return "expected a frame or a time, got neither"
        since_s = self.t_s - self.t_s[among[0]]
        nearest = int(np.argmin(np.abs(since_s - moment.t_s)))
        period_s = float(np.median(np.diff(self.t_s)))
        if abs(float(since_s[nearest]) - moment.t_s) <= period_s:
            return nearest
        return f"expected a time within the {since_s[among[-1]]:.3f} s of the video, got {moment.t_s:.3f} s"

    def _by_stamp(self, stamp: FrameStamp, among: NDArray[np.int64]) -> int | str:
        """Place of the frame with that stamp."""
        if self.host_s is None or self.code is None:
            return "expected frames with stamps, as the table names them so; the video has none"
        ms = np.rint(self.host_s[among] * 1000).astype(np.int64) % _DAY_MS
        apart = np.abs((ms - stamp.time_of_day_ms + _DAY_MS // 2) % _DAY_MS - _DAY_MS // 2)
        if stamp.code is not None:
            same = np.flatnonzero((apart == 0) & (self.code[among] == stamp.code))
            if same.size == 1:
                return int(among[same[0]])
            near = np.flatnonzero((self.code[among] == stamp.code) & (apart < 1000))
            there = f"; code {stamp.code} was saved {apart[near[0]]} ms away" if near.size else ""
            return f"expected a frame of that time and code in its trial, got {same.size or 'none'}{there}"
        nearest = int(np.argmin(apart))
        if apart[nearest] <= NEAREST_MS:
            return int(among[nearest])
        return f"expected a frame of its trial within {NEAREST_MS} ms, got the nearest {int(apart[nearest])} ms away"


def session_of(row: CodingRow, sessions: Sequence[RawSession]) -> RawSession | str:
    """
    Find the session that a row belongs to.

    Parameters
    ----------
    row
        Row of the table.
    sessions
        Sessions of the row's participant.

    Returns
    -------
    RawSession or str
        The session; or why there is none, without the name.
    """
    if not sessions:
        return "expected a participant with a session, got none"
    if sessions[0].label.startswith("run-"):
        there = [s for s in sessions if row.clip in s.written]
        return there[0] if len(there) == 1 else f"expected one video of its clip, got {len(there) or 'none'}"
    if not row.session:
        return sessions[0] if len(sessions) == 1 else f"expected the sitting of a row, got none of {len(sessions)}"
    there = [s for s in sessions if row.session in (s.date, s.label, *s.written)]
    if len(there) == 1:
        return there[0]
    return f"expected the day of {'the imported session' if len(sessions) == 1 else 'one imported session'}, got another"


def place_row(row: CodingRow, frames: FrameTable, *, subject: str, label: str, info: DatasetInfo) -> CodedEvent | str:
    """
    Find the frames of a row in the video of its recording.

    A stamp with a code must be that of one frame of the trial; without, the nearest stamp within 5 ms is taken. A frame
    number must exist; a time must lie within the video.

    Parameters
    ----------
    row
        Row of the table.
    frames
        Frames of its recording.
    subject, label
        Code of the participant, and the recording's label.
    info
        The data set.

    Returns
    -------
    CodedEvent or str
        The event, or one sentence on why the row cannot be placed.
    """
    known = _stimulus(row, info)
    if isinstance(known, str):
        return known
    whole = row.onset is not None and row.onset.stamp is None and info.coding_counts_from == "video"
    among = frames.of_trial(None if whole else row.marker)
    if not among.size:
        return f"expected frames with marker {row.marker} in its session, got none"
    if row.onset is None:
        return "expected an onset, got none"
    if row.apex is None and row.offset is None:
        return "expected an apex or an offset, got neither"
    moments = {"onset": row.onset, "apex": row.apex, "offset": row.offset}
    found = {name: frames.find(moment, among) for name, moment in moments.items() if moment is not None}
    faults = [f"{name}: {place}" for name, place in found.items() if isinstance(place, str)]
    if faults:
        return "; ".join(faults)
    place = {name: int(at) for name, at in found.items()}
    assumed = tuple(name for name in ("apex", "offset") if name not in place)
    if "apex" in assumed:
        place["apex"] = (place["onset"] + place["offset"]) // 2
    if "offset" in assumed:
        place["offset"] = place["apex"]
    onset, apex, offset = place["onset"], place["apex"], place["offset"]
    if not onset <= apex <= offset:
        return f"need onset <= apex <= offset in frames, got {onset}, {apex}, {offset}"
    return CodedEvent(
        subject=subject,
        coder=row.coder or "A",
        kind=row.kind,
        marker=row.marker,
        stimulus=known[0],
        target=known[1],
        onset_frame=onset,
        apex_frame=apex,
        offset_frame=offset,
        aus=tuple(str(au) for au in row.aus),
        emotion=row.emotion,
        source=row.source,
        session=label,
        self_report=row.self_report,
        assumed=assumed,
    )


def _stimulus(row: CodingRow, info: DatasetInfo) -> tuple[str, str] | str:
    """Stimulus and target of a row, or why it contradicts the data set's list of stimuli."""
    target = info.word(row.target) if row.target else ""
    if not info.stimuli:
        return (str(row.marker) if row.marker is not None else row.clip), target
    known = info.stimulus_of.get(-1 if row.marker is None else row.marker)
    if known is None:
        return f"expected the marker of a trial, got {row.marker}"
    if match := _STIMULUS.fullmatch(row.clip):
        said, video = info.word(match[1]), f"{info.word(match[1])}-{match[2]}"
        # where the release does not number the videos of an emotion, the number proves nothing
        if known[1] != said or (known[0] != video and said != "calm"):
            return f"expected stimulus {known[0]} for marker {row.marker}, got {video}"
    elif target and known[1] != target:
        return f"expected a target of {known[1]} for marker {row.marker}, got {target}"
    return known
