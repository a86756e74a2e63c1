"""One line of an annotation table -> rows in our words, one per event, with what was odd about them."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from mmme.datasets.coding.spec import EVENT_ROLES, CodingSpec
from mmme.errors import DataError
from mmme.io.action_units import read_action_units
from mmme.io.coding_table import Layout, Sheet, plain_name
from mmme.io.coding_xlsx import parse_frame_stamp
from mmme.types import CodingRow, Kind, Moment

__all__ = ["Cells", "clip_stem", "in_order", "kind_of", "matched", "rows_of_line"]

_VIDEO = frozenset({".avi", ".mp4", ".mov", ".mkv", ".wmv", ".mpg", ".mpeg", ".webm", ".m4v"})
_NOTHING = frozenset({"n/a", "nan", "#n/a"})
_PLAIN_NOTES = frozenset({"notes", "note", "remarks", "remark", "comment", "comments"})


@dataclass(slots=True)
class Cells:
    """Cells of one line by role; faults and notes are collected."""

    sheet: Sheet
    number: int
    layout: Layout
    values: tuple[Any, ...]
    spec: CodingSpec
    above: Mapping[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def has(self, role: str) -> bool:
        """Whether the table has a column for a role."""
        return role in self.layout.columns

    def raw(self, role: str) -> Any:
        """Content of a cell as it is; None where there is none."""
        column = self.layout.columns.get(role)
        value = self.values[column] if column is not None and column < len(self.values) else None
        empty = value is None or (isinstance(value, str) and not value.strip())
        return self.above.get(role) if empty and role in self.spec.fill_down else value

    def fault(self, role: str, text: str) -> None:
        """Add a fault of that role's cell."""
        column = self.layout.columns[role]
        header = self.layout.names[column] if column < len(self.layout.names) else role
        self.faults.append(f"{self.sheet.cell(self.number, column, header)}: {text}")

    def text(self, role: str) -> str:
        """Content as text, whole numbers without decimals; empty where there is nothing."""
        text = as_text(self.raw(role))
        return "" if text.casefold() in _NOTHING else text

    def quantity(self, role: str, what: str) -> float | None:
        """Content as a number; None where it stands for nothing."""
        value = self.raw(role)
        if isinstance(value, dt.date | dt.time | dt.timedelta | bool):
            self.fault(role, f"expected {role} as {what}, got a {type(value).__name__}; did a spreadsheet convert it?")
            return None
        if value is None or as_text(value).casefold() in self.spec.missing:
            return None
        text = as_text(value)
        if self.sheet.delimiter == ";" and re.fullmatch(r"-?\d+,\d+", text):
            text = text.replace(",", ".")
        try:
            number = float(text)
        except ValueError:
            self.fault(role, f"expected {role} as {what}, got '{text}'")
            return None
        return number if math.isfinite(number) else None

    def whole(self, role: str, what: str) -> int | None:
        """Content as a whole number; None where it stands for nothing."""
        number = self.quantity(role, what)
        if number is None:
            return None
        if number != round(number):
            self.fault(role, f"expected {role} as {what}, got {number:g}")
            return None
        return round(number)


def as_text(value: Any) -> str:
    """
    Return what a cell says, as written; a spreadsheet's whole floats lose their decimals.

    Examples
    --------
    >>> as_text(20.0), as_text(" 01 "), as_text(None)
    ('20', '01', '')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value == round(value):
        return str(round(value))
    return str(value).strip()


def clip_stem(text: str) -> str:
    r"""
    Return the name of a clip without folder and ending.

    Examples
    --------
    >>> clip_stem("raw\\s15\\15_0101.avi"), clip_stem("006_1_2")
    ('15_0101', '006_1_2')
    """
    path = PurePosixPath(text.replace("\\", "/"))
    return path.stem if path.suffix.lower() in _VIDEO else path.name


def matched(patterns: Sequence[str], text: str) -> dict[str, str]:
    """Return the groups of the first pattern that the whole text matches; empty where none does."""
    for pattern in patterns:
        if match := re.fullmatch(pattern, text, re.IGNORECASE):
            return {name: value for name, value in match.groupdict().items() if value}
    return {}


def kind_of(text: str, spec: CodingSpec) -> Kind | None:
    """
    Read a word for micro or macro; None where it is neither.

    Examples
    --------
    >>> spec = CodingSpec(columns={"onset": ("Onset",), "subject": ("ID",)}, kinds={"MaE": "macro"})
    >>> kind_of("Micro - 1/2", spec), kind_of("mae", spec), kind_of("smile", spec)
    ('micro', 'macro', None)
    """
    plain = plain_name(text)
    for word, kind in spec.kinds.items():
        if plain_name(word) == plain:
            return kind
    if plain.startswith("micro"):
        return "micro"
    return "macro" if plain.startswith("macro") else None


def in_order(onset: Moment | None, apex: Moment | None, offset: Moment | None) -> bool:
    """
    Tell whether onset <= apex <= offset, as far as they are known.

    Examples
    --------
    >>> in_order(Moment(4), None, Moment(3)), in_order(Moment(4), Moment(5), None)
    (False, True)
    """
    known = [moment for moment in (onset, apex, offset) if moment is not None]
    for name in ("frame", "t_s"):
        values = [value for moment in known if (value := getattr(moment, name)) is not None]
        if len(values) > 1:
            return values == sorted(values)
    stamps = [moment.stamp.time_of_day_ms for moment in known if moment.stamp is not None]
    return stamps == sorted(stamps)


def rows_of_line(cells: Cells, from_file: Mapping[str, str], rate_hz: float | None) -> tuple[list[CodingRow], list[str]]:
    """
    Read one line.

    Parameters
    ----------
    cells
        The line; its faults are added to ``cells.faults``, and then the rows must not be used.
    from_file
        What the file's name says, by role.
    rate_hz
        Frame rate of the sheet, where a row does not state its own.

    Returns
    -------
    rows : list of CodingRow
        One per event; none where the line is of another kind and such are left out.
    odd : list of str
        Events that were left out, one clause each.
    """
    spec = cells.spec
    kind = _kind(cells)
    if isinstance(kind, str) and kind not in ("micro", "macro"):
        return [], []
    written = cells.text("clip")
    from_clip = matched(spec.clip_name, written)
    said = {**from_file, **from_clip}
    if from_clip.get("clip", clip_stem(written)) != clip_stem(written):
        cells.notes.append(f"written as {clip_stem(written)}")
    fps = cells.quantity("fps", "frames per second") if cells.has("fps") else None
    fps = fps or rate_hz
    subject = cells.text("subject") or said.get("subject", "")
    if not subject and cells.has("subject"):
        cells.fault("subject", "expected a subject, got an empty cell; are cells merged?")
    units = read_action_units(cells.raw("aus"))
    if units.unread and not spec.au_free_text:
        cells.fault("aus", f"expected action units such as '4+7', 'L12' or 'AU4, AU7', got '{as_text(cells.raw('aus'))}'")
    elif units.unread:
        cells.notes += [f"action units: {part}" for part in units.unread]
    cells.notes += units.notes
    _other_notes(cells)
    marker = cells.whole("marker", "a trigger value") if cells.has("marker") else _number(said.get("marker"))
    emotion = cells.text("emotion")
    common = {
        "source": cells.sheet.source(cells.number),
        "subject": subject,
        "clip": said.get("clip", "") if said.get("clip") else clip_stem(written),
        "coder": cells.text("coder") or said.get("coder", ""),
        "kind": kind,
        "aus": units.units,
        "emotion": emotion,
        "target": cells.text("target") or said.get("target", ""),
        "self_report": cells.text("self_report"),
        "objective_class": cells.text("objective_class"),
        "session": cells.text("session") or said.get("session", ""),
        "marker": marker,
        "fps": fps,
    }
    odd = []
    code = said.get("emotion", "").lower()
    if code in spec.clip_codes and emotion and emotion.lower() != spec.clip_codes[code]:
        odd.append(f"the clip's name says {spec.clip_codes[code]}, the emotion {emotion}")
        cells.notes.append(f"clip name says {spec.clip_codes[code]}")
    rows = []
    for k in range(len(spec.more) + 1):
        event = _event(cells, k, fps, odd)
        if event is not None:
            rows.append(CodingRow(**common, **event))  # type: ignore[arg-type]
    return rows, odd


def _kind(cells: Cells) -> Kind | str | None:
    """Kind of a line; another word where such lines are left out."""
    spec = cells.spec
    text = cells.text("kind")
    if not text:
        return spec.kind or None
    kind = kind_of(text, spec)
    if kind is None and spec.other_kinds == "skip":
        return text
    if kind is None:
        cells.fault("kind", f"expected micro or macro, got '{text}'")
    return kind


def _event(cells: Cells, k: int, fps: float | None, odd: list[str]) -> dict[str, Any] | None:
    """Onset, apex and offset of the k-th event of a line, and the row's notes; None where there is none."""
    suffix = "" if k == 0 else f"#{k}"
    if k and not any(as_text(cells.raw(f"{role}{suffix}")) for role in EVENT_ROLES):
        return None
    first, last = (_bound(cells, role) for role in ("first", "last"))
    length = _bound(cells, "length")
    if last is None and first is not None and length is not None:
        last = first + length - 1
    notes = list(cells.notes)
    found = {role: _moment(cells, role, suffix, fps, first, notes) for role in EVENT_ROLES}
    if found["offset"] is None and cells.has("duration") and not cells.has("offset") and not k:
        found["offset"] = _end(cells, found["onset"], fps)
    number = [as_text(cells.raw(f"{role}{suffix}")) for role in ("onset", "offset")]
    outside = [
        moment
        for moment in found.values()
        if moment is not None and moment.frame is not None and first is not None and last is not None
        if not first <= moment.frame + cells.spec.first_frame <= last
    ]
    if k and (outside or found["onset"] is None or found["offset"] is None):
        odd.append(f"event {k + 1}, {number[0] or 'nothing'} to {number[1] or 'nothing'}, is not in its video: left out")
        return None
    if outside:
        notes.append(f"outside its video, frames {first} to {last}")
        odd.append(f"{number[0]} to {number[1]} is not in its video, frames {first} to {last}")
    if k:
        notes.append(f"event {k + 1} of its line")
    return {**found, "notes": tuple(notes)}


def _bound(cells: Cells, role: str) -> int | None:
    return cells.whole(role, "a frame number") if cells.has(role) else None


def _moment(cells: Cells, role: str, suffix: str, fps: float | None, first: int | None, notes: list[str]) -> Moment | None:
    """One moment of an event; a missing one gets a note where the table has a column for it."""
    spec, name, time_name = cells.spec, f"{role}{suffix}", f"{role}_time{suffix}"
    if not cells.has(name) and not cells.has(time_name):
        return None
    t_s = None
    if cells.has(time_name):
        time = cells.quantity(time_name, f"a time in {spec.time_unit}")
        t_s = None if time is None else time / (1000 if spec.time_unit == "ms" else 1)
    written = as_text(cells.raw(name))
    if spec.unit == "stamps" and cells.has(name):
        if not written or written.casefold() in spec.missing:
            notes.append(_missing(role, written))
            return None
        try:
            return Moment(t_s=t_s, stamp=parse_frame_stamp(written))
        except DataError as error:
            cells.fault(name, str(error))
            return None
    if spec.unit in ("s", "ms") and cells.has(name):
        time = cells.quantity(name, f"a time in {spec.unit}")
        if time is None or time < 0:
            notes.append(_missing(role, written))
            return None
        return Moment(t_s=time / (1000 if spec.unit == "ms" else 1))
    frame = cells.whole(name, "a frame number") if cells.has(name) else None
    if frame is not None and frame < spec.first_frame:
        frame = None
    if frame is None:
        if t_s is not None:
            return Moment(t_s=t_s)
        notes.append(_missing(role, written))
        return None
    place = frame - spec.first_frame
    if t_s is None and fps:
        t_s = (frame - first if first is not None else place) / fps
    return Moment(place, t_s)


def _missing(role: str, written: str) -> str:
    return f"{role} not coded, written as '{written}'" if written else f"{role} not coded"


def _end(cells: Cells, onset: Moment | None, fps: float | None) -> Moment | None:
    """Offset from onset and duration."""
    duration = cells.quantity("duration", f"a time in {cells.spec.time_unit}")
    if duration is None or onset is None or onset.t_s is None or duration < 0:
        return None
    length_s = duration / (1000 if cells.spec.time_unit == "ms" else 1)
    frame = onset.frame + round(length_s * fps) if onset.frame is not None and fps else None
    return Moment(frame, onset.t_s + length_s)


def _other_notes(cells: Cells) -> None:
    """Add what is written in columns of notes, with the column's name where that says what it is."""
    wanted = {plain_name(name) for name in cells.spec.columns.get("notes", ())}
    for column in cells.layout.others:
        name = cells.layout.names[column]
        text = as_text(cells.values[column]) if column < len(cells.values) else ""
        if plain_name(name) in wanted and text:
            cells.notes.append(text if plain_name(name) in _PLAIN_NOTES else f"{name} {text}")


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
