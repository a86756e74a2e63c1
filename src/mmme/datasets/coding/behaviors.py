"""Events of BORIS -> rows in our words: one per state event, with the apex that a point event marks in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mmme.datasets.coding.rows import clip_stem, kind_of, matched
from mmme.datasets.coding.spec import CodingSpec
from mmme.io.action_units import read_action_units
from mmme.io.boris import BorisEvent, boris_events, read_boris
from mmme.io.coding_table import plain_name, read_sheets
from mmme.types import ActionUnit, CodingRow, Finding, Kind, Moment, listed

__all__ = ["behavior_rows"]

_UNITS = re.compile(r"[^a-z]*(?:[LRATBU]\s*)?(?:AU|AD)\s*\d.*", re.IGNORECASE | re.DOTALL)


def behavior_rows(path: Path, spec: CodingSpec) -> tuple[list[CodingRow], list[Finding]]:
    """
    Read the events of a BORIS project or of an exported table.

    Behavior, category and modifiers are read alike: a word for micro or macro is the kind, ``AU4`` or ``AU4+AU7`` are
    action units, the behavior is else the emotion, and a modifier or category else a note.

    Parameters
    ----------
    path
        ``.boris``, ``.boris.gz``, or a table exported by BORIS.
    spec
        Words for kinds, and the names of behaviors that mark an apex.

    Returns
    -------
    rows : list of CodingRow
        State events, and point events that mark no apex (with an onset only).
    findings : list of Finding
        States without a stop; point events.

    Raises
    ------
    DataError
        As the readers.
    """
    if path.suffix.lower() in (".boris", ".gz"):
        events = read_boris(path)
    else:
        sheet = read_sheets(path)[0]
        events = boris_events(path.name, sheet.lines)
    apex_names = {plain_name(name) for name in spec.apex_behaviors}
    apexes = [e for e in events if not e.is_state and plain_name(e.behavior) in apex_names]
    used: set[str] = set()
    rows = [_row(path, event, apexes, used, spec) for event in events if event not in apexes]
    findings = []
    if open_states := [e.place for e in events if e.is_state and e.stop_s is None]:
        text = f"{len(open_states)} state events have no start or no stop: {listed(open_states)}"
        findings.append(Finding("D011", "warning", path.name, text))
    if points := [e.place for e in events if not e.is_state and e not in apexes]:
        text = f"{len(points)} point events have no duration: {listed(points)}"
        findings.append(Finding("D011", "note", path.name, text))
    if stray := [e.place for e in apexes if e.place not in used]:
        findings.append(Finding("D011", "warning", path.name, f"{len(stray)} apexes lie in no event: {listed(stray)}"))
    return rows, findings


def _row(path: Path, event: BorisEvent, apexes: Sequence[BorisEvent], used: set[str], spec: CodingSpec) -> CodingRow:
    kind: Kind | None = None
    units: list[ActionUnit] = []
    notes: list[str] = []
    emotion = ""
    for k, text in enumerate((event.behavior, event.category, *event.modifiers)):
        found = kind_of(text, spec)
        if found is not None:
            kind = kind or found
        elif _UNITS.fullmatch(text) and not read_action_units(text).unread:
            coded = read_action_units(text)
            units += coded.units
            notes += coded.notes
        elif k == 0:
            emotion = text
        elif text:
            notes.append(text)
    inside = [
        apex
        for apex in apexes
        if (apex.observation, apex.subject) == (event.observation, event.subject)
        and event.stop_s is not None
        and event.start_s <= apex.start_s <= event.stop_s
    ]
    used |= {apex.place for apex in inside}
    if len(inside) > 1:
        notes.append(f"{len(inside)} apexes; the first is taken")
    if not event.is_state:
        notes.append("point event")
    if event.comment:
        notes.append(event.comment)
    said = matched(spec.file_name, path.name)
    return CodingRow(
        source=f"{path.name}:{event.place.removeprefix('line ')}",
        subject=event.subject or said.get("subject", ""),
        clip=clip_stem(event.media[0]) if len(event.media) == 1 else event.observation,
        coder=said.get("coder", ""),
        kind=kind or spec.kind or None,
        onset=Moment(t_s=event.start_s),
        apex=Moment(t_s=inside[0].start_s) if inside else None,
        offset=None if event.stop_s is None else Moment(t_s=event.stop_s),
        aus=tuple(dict.fromkeys(units)),
        emotion=emotion,
        session=said.get("session", ""),
        fps=event.fps,
        notes=tuple(notes),
    )
