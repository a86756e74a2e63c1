"""
Corrections of annotation tables: what was wrong, what is right, and why; the table itself is never touched.

A correction file is a CSV with the columns ``source, field, old, new, reason``. ``source`` is file and row as findings name
them (``coding_file.xlsx:17``); ``field`` is one of those below; ``old`` must be what the table says, so that a correction
is applied once and to the right row; ``new`` may be empty to say that there is nothing.

======================= ====================================================================================================
field                   form
======================= ====================================================================================================
onset, apex, offset     ``hh-mm-ss-mmm-code``, ``hh-mm-ss-mmm``, a frame from 0, or seconds with an ``s`` (``1.24s``)
kind                    ``micro`` or ``macro``
aus                     ``AU4,AU7L,AU17?``
emotion, target         as written
self_report, coder      as written
marker                  a trigger value
======================= ====================================================================================================
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmme.errors import DataError, raise_faults, unknown_name
from mmme.io.action_units import parse_action_units
from mmme.types import CodingRow, Finding, FrameStamp, Moment

__all__ = ["Correction", "apply_corrections", "moment_text", "read_corrections"]

COLUMNS = ("source", "field", "old", "new", "reason")
FIELDS = ("onset", "apex", "offset", "kind", "aus", "emotion", "target", "self_report", "coder", "marker")
_STAMP = re.compile(r"(\d\d)-(\d\d)-(\d\d)-(\d{3})(?:-(\d{3,4}))?")


@dataclass(frozen=True, slots=True)
class Correction:
    """One line of a correction file."""

    source: str
    field: str
    old: str
    new: str
    reason: str


def read_corrections(path: str | os.PathLike[str]) -> tuple[Correction, ...]:
    """
    Read a correction file.

    Raises
    ------
    DataError
        If columns are missing, a field is unknown, or a reason is; all faults at once.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path.name}: expected a file of corrections, got none")
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = list(csv.reader(file))
    if not lines or tuple(cell.strip() for cell in lines[0]) != COLUMNS:
        raise DataError(
            f"{path.name}: expected the columns {','.join(COLUMNS)}, got {','.join(lines[0]) if lines else 'none'}"
        )
    corrections, faults = [], []
    for number, line in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in line):
            continue
        if len(line) != len(COLUMNS):
            faults.append(f"line {number}: expected {len(COLUMNS)} cells, got {len(line)}")
            continue
        correction = Correction(*(cell.strip() for cell in line))
        if correction.field not in FIELDS:
            faults.append(f"line {number}: {unknown_name('field', correction.field, FIELDS)}")
        if not correction.reason:
            faults.append(f"line {number}: expected a reason, got none")
        corrections.append(correction)
    raise_faults(path.name, faults)
    return tuple(corrections)


def apply_corrections(
    rows: Sequence[CodingRow], corrections: Sequence[Correction]
) -> tuple[tuple[CodingRow, ...], tuple[Finding, ...]]:
    """
    Return the rows with corrections applied, and a finding for each.

    Parameters
    ----------
    rows
        As read.
    corrections
        As read.

    Returns
    -------
    rows
        In the same order.
    findings
        D021, one per correction.

    Raises
    ------
    DataError
        If a row is not there, does not say what ``old`` claims, or ``new`` cannot be read; all at once.

    Examples
    --------
    >>> row = CodingRow("coding.xlsx:2", "x", "", "A", "macro", Moment(3), Moment(5), Moment(9))
    >>> (fixed,), _ = apply_corrections([row], [Correction("coding.xlsx:2", "kind", "macro", "micro", "0.2 s long")])
    >>> fixed.kind
    'micro'
    """
    place = {row.source: k for k, row in enumerate(rows)}
    fixed = list(rows)
    findings, faults = [], []
    for c in corrections:
        if c.source not in place:
            faults.append(f"{c.source}: expected a row of that name, got none")
            continue
        row = fixed[place[c.source]]
        is_now = field_text(row, c.field)
        if is_now != c.old:
            faults.append(f"{c.source}: expected {c.field} '{c.old}', got '{is_now}'; was it corrected in the table?")
            continue
        try:
            change: dict[str, Any] = {c.field: _parsed(c.field, c.new)}
        except (DataError, ValueError) as error:
            faults.append(f"{c.source}: expected a new {c.field}, got '{c.new}' ({error})")
            continue
        fixed[place[c.source]] = replace(row, **change)
        findings.append(Finding("D021", "note", c.source, f"{c.field} '{c.old}' became '{c.new}': {c.reason}"))
    raise_faults("corrections", faults)
    return tuple(fixed), tuple(findings)


def field_text(row: CodingRow, field: str) -> str:
    """Return a field as a correction file writes it."""
    value = getattr(row, field)
    if value is None:
        return ""
    if isinstance(value, Moment):
        return moment_text(value)
    return ",".join(str(au) for au in value) if isinstance(value, tuple) else str(value)


def moment_text(moment: Moment) -> str:
    """
    Write a moment as a correction file does.

    Examples
    --------
    >>> moment_text(Moment(stamp=FrameStamp(60338257, 410))), moment_text(Moment(12)), moment_text(Moment(t_s=1.5))
    ('16-45-38-257-410', '12', '1.5s')
    """
    if moment.stamp is not None:
        seconds, ms = divmod(moment.stamp.time_of_day_ms, 1000)
        code = "" if moment.stamp.code is None else f"-{moment.stamp.code:03d}"
        return f"{seconds // 3600:02d}-{seconds // 60 % 60:02d}-{seconds % 60:02d}-{ms:03d}{code}"
    return str(moment.frame) if moment.frame is not None else f"{moment.t_s}s"


def _parsed(field: str, text: str) -> Any:
    """Read the new value of a field."""
    if field in ("onset", "apex", "offset"):
        return _moment(text) if text else None
    if field == "kind":
        if text not in ("micro", "macro", ""):
            raise ValueError("micro, macro or nothing")
        return text or None
    if field == "marker":
        return int(text) if text else None
    if field == "aus":
        return parse_action_units(text)
    return text


def _moment(text: str) -> Moment:
    if match := _STAMP.fullmatch(text):
        hour, minute, second, ms = (int(part) for part in match.groups()[:4])
        code = None if match[5] is None else int(match[5])
        return Moment(stamp=FrameStamp(((hour * 60 + minute) * 60 + second) * 1000 + ms, code))
    return Moment(t_s=float(text.removesuffix("s"))) if text.endswith("s") else Moment(int(text))
