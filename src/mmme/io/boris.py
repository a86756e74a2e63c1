"""
BORIS: project files (``.boris``, ``.boris.gz``) and exported events.

State events have a start and a stop, point events a moment. In a project a state event is two entries, paired here by
observation, subject, behavior and modifiers, as BORIS does. Exports are read from cells, in the three layouts that BORIS
has had: one line per start, stop or point, told by ``Behavior type`` (8 and 9) or ``Status`` (up to 7), and aggregated with
``Start (s)`` and ``Stop (s)``. Friard and Gamba (2016), doi:10.1111/2041-210X.12584
"""

from __future__ import annotations

import gzip
import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from mmme.errors import DataError, raise_faults

__all__ = ["BorisEvent", "boris_events", "is_boris_header", "read_boris"]

_NOBODY = "No focal subject"
_POINT, _START, _STOP = "point", "start", "stop"


@dataclass(frozen=True, slots=True)
class BorisEvent:
    """
    One coded event.

    Parameters
    ----------
    place
        Where it was read: observation and number of the entry, or line.
    observation, subject, behavior, category
        As in the project; subject empty for nobody in particular.
    modifiers
        As chosen.
    start_s
        Time [s] from the start of the observation's media.
    stop_s
        End of a state event [s]; None for a point event, and where the stop was never coded.
    is_state
        Whether it has a duration.
    media
        Names of media files, without folders.
    fps
        Frame rate [Hz], where all media have the same.
    comment
        Free text.
    """

    place: str
    observation: str
    subject: str
    behavior: str
    category: str
    modifiers: tuple[str, ...]
    start_s: float
    stop_s: float | None
    is_state: bool
    media: tuple[str, ...] = ()
    fps: float | None = None
    comment: str = ""


def read_boris(path: str | os.PathLike[str]) -> tuple[BorisEvent, ...]:
    """
    Read all observations of a project.

    Parameters
    ----------
    path
        ``.boris`` or ``.boris.gz``.

    Returns
    -------
    tuple of BorisEvent
        By observation, in order of their start.

    Raises
    ------
    DataError
        If the file is missing or no project, or an event has no time or a behavior that the ethogram does not know.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path.name}: expected a BORIS project, got no file")
    content = path.read_bytes()
    try:
        project = json.loads(gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content)
        observations, ethogram = project["observations"], project["behaviors_conf"]
        behaviors = {entry["code"]: (str(entry["type"]), str(entry.get("category", ""))) for entry in ethogram.values()}
    except (ValueError, KeyError, TypeError, AttributeError, OSError, EOFError):
        raise DataError(f"{path.name}: expected a BORIS project with observations, got another file") from None
    events: list[BorisEvent] = []
    faults: list[str] = []
    for name, observation in observations.items():
        entries = []
        for k, entry in enumerate(observation.get("events", ()), start=1):
            place = f"{name} event {k}"
            entries.append(_entry(place, name, observation, entry, behaviors, faults))
        events += _paired([pair for pair in entries if pair is not None])
    raise_faults(path.name, faults)
    return tuple(events)


def _entry(
    place: str,
    name: str,
    observation: Mapping[str, Any],
    entry: Sequence[Any],
    behaviors: Mapping[str, tuple[str, str]],
    faults: list[str],
) -> tuple[str, BorisEvent] | None:
    """Read one entry of a project; states carry no word for start or stop."""
    if len(entry) < 3 or _seconds(entry[0]) is None:
        faults.append(f"{place}: expected a time in s, got '{entry[0] if entry else ''}'")
        return None
    subject, behavior, modifiers, comment = (str(part or "") for part in (*entry[1:5], "", "")[:4])
    if behavior not in behaviors:
        faults.append(f"{place}: expected a behavior of the ethogram, got '{behavior}'")
        return None
    kind, category = behaviors[behavior]
    is_state = kind.lower().startswith("state")
    media, info = (observation.get(key) or {} for key in ("file", "media_info"))  # live observations have none
    paths = [str(file) for files in media.values() for file in files]
    rates = {float(fps) for fps in info.get("fps", {}).values() if _seconds(fps)}
    event = BorisEvent(
        place=place,
        observation=name,
        subject="" if subject == _NOBODY else subject,
        behavior=behavior,
        category=category,
        modifiers=tuple(part.strip() for part in modifiers.split("|") if part.strip() and part.strip() != "None"),
        start_s=_seconds(entry[0]) or 0.0,
        stop_s=None,
        is_state=is_state,
        media=tuple(PurePosixPath(file.replace("\\", "/")).name for file in paths),
        fps=rates.pop() if len(rates) == 1 else None,
        comment=comment,
    )
    return ("" if is_state else _POINT, event)


def _paired(entries: Iterable[tuple[str, BorisEvent]]) -> list[BorisEvent]:
    """Join starts and stops; a state whose stop was never coded stays open."""
    events: list[BorisEvent] = []
    open_at: dict[tuple[str, str, str, tuple[str, ...]], int] = {}
    for word, event in sorted(entries, key=lambda pair: pair[1].start_s):
        key = (event.observation, event.subject, event.behavior, event.modifiers)
        if word == _POINT or (word == _STOP and key not in open_at):
            events.append(event)
        elif key in open_at and word != _START:
            first = events[open_at[key]]
            comments = " ".join(text for text in (first.comment, event.comment) if text)
            events[open_at.pop(key)] = replace(first, stop_s=event.start_s, comment=comments)
        else:
            open_at[key] = len(events)
            events.append(event)
    return events


def is_boris_header(names: Iterable[object]) -> bool:
    """
    Tell whether column names are those of an export of BORIS.

    Examples
    --------
    >>> is_boris_header(["Observation id", "Subject", "Behavior", "Behavior type", "Time"])
    True
    >>> is_boris_header(["Subject", "Filename", "Onset"])
    False
    """
    known = {_plain(name) for name in names}
    moments = {"time", "status"} <= known or {"time", "behaviortype"} <= known
    return "behavior" in known and (moments or {"starts", "stops"} <= known)


def boris_events(file: str, lines: Sequence[tuple[int, Sequence[Any]]]) -> tuple[BorisEvent, ...]:
    """
    Read the cells of an exported table of events.

    Parameters
    ----------
    file
        Name, for messages.
    lines
        Row number and cells; the header may stand below other lines.

    Returns
    -------
    tuple of BorisEvent
        In order of their start within an observation.

    Raises
    ------
    DataError
        If there is no header, or a cell cannot be read; all faults at once.

    Examples
    --------
    >>> lines = [(1, ["Subject", "Behavior", "Status", "Time"]), (2, ["s1", "micro", "START", "1.5"])]
    >>> [event] = boris_events("a.tsv", [*lines, (3, ["s1", "micro", "STOP", "1.9"])])
    >>> event.start_s, event.stop_s
    (1.5, 1.9)
    """
    at = next((k for k, (_, cells) in enumerate(lines) if is_boris_header(cells)), None)
    if at is None:
        raise DataError(f"{file}: expected columns of a BORIS export (Subject, Behavior, Behavior type, Time)")
    names = [str(name or "").strip() for name in lines[at][1]]
    above = {str(cells[0]).strip(): str(cells[1] or "") for _, cells in lines[:at] if len(cells) > 1 and cells[0]}
    entries: list[tuple[str, BorisEvent]] = []
    faults: list[str] = []
    for number, cells in lines[at + 1 :]:
        if any(str(value or "").strip() for value in cells):
            row = {_plain(name): value for name, value in zip(names, cells, strict=False)}
            entry = _line(number, row, names, above.get("Observation id", ""), faults)
            entries += [] if entry is None else [entry]
    raise_faults(file, faults)
    by_observation = dict.fromkeys(event.observation for _, event in entries)
    return tuple(e for name in by_observation for e in _paired([p for p in entries if p[1].observation == name]))


def _line(
    number: int, row: Mapping[str, Any], names: Sequence[str], observation: str, faults: list[str]
) -> tuple[str, BorisEvent] | None:
    """Read one line of an export."""
    word = str(row.get("behaviortype") or row.get("status") or "").strip().lower()
    aggregated = "starts" in row
    start = _seconds(row.get("starts") if aggregated else row.get("time"))
    if word not in (("state", _POINT) if aggregated else (_START, _STOP, _POINT)):
        faults.append(f"line {number}: expected {'STATE or POINT' if aggregated else 'START, STOP or POINT'}, got '{word}'")
        return None
    if start is None:
        faults.append(f"line {number}: expected a time in s, got '{row.get('starts') if aggregated else row.get('time')}'")
        return None
    chosen = [str(row.get(_plain(name)) or "").strip() for name in names if _plain(name).startswith("modifier")]
    modifiers = tuple(part.strip() for text in chosen for part in text.split("|") if part.strip() not in ("", "None"))
    subject = str(row.get("subject") or "").strip()
    media = next((str(row[k]) for k in ("mediafilename", "mediafilepath", "mediafile", "source") if row.get(k)), "")
    comments = [str(row[k]).strip() for k in ("comment", "commentstart", "commentstop") if row.get(k)]
    event = BorisEvent(
        place=f"line {number}",
        observation=str(row.get("observationid") or observation).strip(),
        subject="" if subject == _NOBODY else subject,
        behavior=str(row.get("behavior") or "").strip(),
        category=str(row.get("behavioralcategory") or "").strip(),
        modifiers=modifiers,
        start_s=start,
        stop_s=_seconds(row.get("stops")) if aggregated and word == "state" else None,
        is_state=word != _POINT,
        media=tuple(
            PurePosixPath(part.replace("\\", "/").removeprefix("player #1:").strip()).name for part in media.split(";")
        )
        if media
        else (),
        fps=_seconds(row.get("fpsframes", row.get("fps"))) or None,
        comment=" ".join(text for text in comments if text),
    )
    return (_POINT if aggregated else word, event)


def _media_name(text: str) -> str:
    path = re.sub(r"^player #\d+:", "", text.strip(), flags=re.IGNORECASE)
    return PurePosixPath(path.replace("\\", "/")).name


def _seconds(value: Any) -> float | None:
    """Return seconds from a number or a text; None where it is neither or unknown."""
    text = str("" if value is None else value).strip()
    try:
        number = float(text)
    except ValueError:
        clock = re.fullmatch(r"(-?)(\d+):(\d\d):(\d\d(?:\.\d+)?)", text)
        if clock is None:
            return None
        sign = -1 if clock[1] else 1
        return sign * (int(clock[2]) * 3600 + int(clock[3]) * 60 + float(clock[4]))
    return number if math.isfinite(number) else None


def _plain(name: object) -> str:
    return "".join(letter for letter in str(name or "").casefold() if letter.isalnum())
