"""
Annotation tables of every data set -> rows in our words; what a table's columns mean is data, in the data set's TOML.

Nothing is repaired, dropped or put in order: a cell that cannot be read is a fault, all of a file at once; a blank line,
an event outside its video, an order that does not hold is a finding, and the row is kept as written.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mmme.datasets.coding.behaviors import behavior_rows
from mmme.datasets.coding.rows import Cells, as_text, clip_stem, in_order, matched, rows_of_line
from mmme.datasets.coding.sheets import find_table, stated_rate
from mmme.datasets.coding.spec import CodingSpec, Joined
from mmme.datasets.coding.stamped import stamped_rows
from mmme.datasets.coding.tiers import tier_rows
from mmme.errors import DataError, raise_faults
from mmme.io.coding_table import Layout, Sheet, plain_name, read_sheets
from mmme.types import CodingRow, Finding, listed

__all__ = ["CodingTable", "read_coding_rows"]


@dataclass(frozen=True, slots=True)
class CodingTable:
    """
    Rows of an annotation table, and what was odd about it.

    Parameters
    ----------
    rows
        In the order of the table. They still name participants.
    findings
        Coded remarks, without names.
    columns
        By role: the column it was read from.
    """

    rows: tuple[CodingRow, ...]
    findings: tuple[Finding, ...] = ()
    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def read_coding_rows(path: str | os.PathLike[str], spec: CodingSpec, *, sheet: str | None = None) -> CodingTable:
    r"""
    Read an annotation table.

    Parameters
    ----------
    path
        Table as `mmme.io.coding_table.read_sheets` reads it; ``.eaf``; ``.boris``.
    spec
        What its columns mean: the section ``[coding]`` of a data set.
    sheet
        Sheet to read instead of the first wanted one.

    Returns
    -------
    CodingTable
        One row per event, and findings.

    Raises
    ------
    DataError
        If the file cannot be read, has another layout, or cells cannot be read; all faults at once, each with its cell.

    Examples
    --------
    >>> import tempfile
    >>> spec = CodingSpec(columns={"subject": ("ID",), "onset": ("On",), "aus": ("AU",)}, rate_hz=200.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.csv").write_text("ID,On,AU\n01,41,4+L10\n")
    ...     row = read_coding_rows(Path(folder, "a.csv"), spec).rows[0]
    >>> row.onset.frame, row.onset.t_s, [str(au) for au in row.aus]
    (40, 0.2, ['AU4', 'AU10L'])
    """
    path = Path(path)
    if spec.reader == "mmme":
        rows, findings = stamped_rows(path, spec.coder_blocks)
        columns: Mapping[str, str] = MappingProxyType({})
    elif spec.reader == "elan" or path.suffix.lower() == ".eaf":
        rows, findings = tier_rows(path, spec)
        columns = MappingProxyType({})
    elif spec.reader == "boris" or path.suffix.lower() == ".boris":
        rows, findings = behavior_rows(path, spec)
        columns = MappingProxyType({})
    else:
        rows, findings, columns = _table(path, spec, sheet)
    if not rows:
        raise DataError(f"{_shown(path)}: expected at least one coded event, got none")
    rows, odd = _order(path, rows)
    return CodingTable(tuple(rows), (*findings, *odd), columns)


def _table(path: Path, spec: CodingSpec, wanted: str | None) -> tuple[list[CodingRow], list[Finding], Mapping[str, str]]:
    """Rows of a table with a line per event."""
    sheets = read_sheets(path)
    sheet, layout = find_table(sheets, spec, wanted)
    from_file = matched(spec.file_name, path.name)
    rate_hz = stated_rate(spec, sheet, path)
    rows, findings, faults, odd = [], [], list[str](), list[tuple[str, str]]()
    above: dict[str, Any] = {}
    blank, text_only, skipped = list[int](), list[int](), list[int]()
    for number, values in sheet.lines:
        if number <= layout.header:
            continue
        cells = Cells(sheet, number, layout, values, spec, above)
        if not any(as_text(value) for value in values):
            blank.append(number)
            continue
        if layout.header and [as_text(v) for v in values if as_text(v)] == [name for name in layout.names if name]:
            text_only.append(number)
            continue
        if not _says_an_event(cells):
            text_only.append(number)
            continue
        surplus = [as_text(value) for value in values[len(layout.names) :] if as_text(value)]
        if surplus and layout.header and sheet.delimiter:
            faults.append(
                f"line {number}: expected {len(layout.names)} cells, got {len(values)}; is a text with '{sheet.delimiter}' "
                "not in quotes?"
            )
            continue
        new, why = rows_of_line(cells, from_file, rate_hz)
        faults += cells.faults
        odd += [(sheet.source(number), clause) for clause in why]
        above = {role: cells.raw(role) for role in spec.fill_down}
        rows += new
        if not new and not cells.faults and not why:
            skipped.append(number)
    raise_faults(_place(sheet), faults)
    rows, named = _spell_out(rows, sheets, spec)
    findings += _line_findings(sheet, {"blank": blank, "text without an event": text_only}, skipped)
    findings += [Finding("D011", "warning", source, clause, (source,)) for source, clause in odd]
    findings += _unread(sheets, sheet, layout, spec)
    if spec.rates_hz and rate_hz is None and "fps" not in layout.columns:
        text = f"neither sheet nor file name says {' or '.join(spec.rates_hz)}, so frames have no rate and no times"
        findings.append(Finding("D011", "warning", _place(sheet), text))
    rows, more = _join(path, rows, spec.joined, spec)
    columns = {role: layout.names[k] for role, k in layout.columns.items() if k < len(layout.names)}
    return rows, [*findings, *named, *more, *_repeated(_place(sheet), rows)], MappingProxyType(columns)


def _says_an_event(cells: Cells) -> bool:
    """Whether a line has more than a remark: a time, or a subject and something else."""
    if any(cells.text(role) for role in ("onset", "onset_time", "offset", "offset_time")):
        return True
    filled = sum(bool(as_text(value)) for value in cells.values)
    return filled > 1 and bool(cells.text("subject") or cells.text("clip"))


def _place(sheet: Sheet) -> str:
    return f"{sheet.file}!{sheet.name}" if sheet.name else sheet.file


def _numbers(sources: Sequence[str]) -> str:
    """Row numbers of sources."""
    return listed(source.rsplit(":", 1)[-1] for source in sources)


def _shown(path: Path) -> str:
    """File name for messages; one that may hold a person's name is not told."""
    return f"*{path.suffix}" if path.suffix.lower() == ".eaf" else path.name


def _line_findings(sheet: Sheet, left: Mapping[str, list[int]], skipped: list[int]) -> list[Finding]:
    """Lines without an event."""
    findings = []
    for what, numbers in left.items():
        if numbers:
            level = "note" if what == "blank" else "warning"
            sources = tuple(sheet.source(number) for number in numbers)
            text = f"{len(numbers)} rows are {what}: {listed(numbers)}"
            findings.append(Finding("D011", level, _place(sheet), text, sources))  # type: ignore[arg-type]
    if skipped:
        sources = tuple(sheet.source(number) for number in skipped)
        text = f"{len(skipped)} rows are of another kind than micro or macro and were left out: {listed(skipped)}"
        findings.append(Finding("D018", "note", _place(sheet), text, sources))
    return findings


def _unread(sheets: Sequence[Sheet], sheet: Sheet, layout: Layout, spec: CodingSpec) -> list[Finding]:
    """Columns and sheets that nobody reads."""
    known = {plain_name(name) for name in (*spec.ignored, *spec.columns.get("notes", ()))}
    columns = [layout.names[k] for k in layout.others if plain_name(layout.names[k]) not in known]
    findings = []
    if columns:
        findings.append(Finding("D018", "note", _place(sheet), f"columns not read: {listed(columns)}"))
    spelt = {naming.sheet for naming in spec.naming.values()}
    others = [s.name for k, s in enumerate(sheets, start=1) if s is not sheet and k not in spelt]
    if others:
        findings.append(Finding("D018", "note", sheet.file, f"sheets not read: {listed(others)}"))
    return findings


def _spell_out(rows: list[CodingRow], sheets: Sequence[Sheet], spec: CodingSpec) -> tuple[list[CodingRow], list[Finding]]:
    """Replace numbers and short names by what the naming sheets say they stand for."""
    findings = []
    for role, naming in spec.naming.items():
        if naming.sheet > len(sheets):
            continue
        at = (naming.written - 1, naming.meant - 1)
        meant = {
            as_text(values[at[0]]).casefold(): as_text(values[at[1]])
            for _, values in sheets[naming.sheet - 1].lines
            if len(values) > max(at) and as_text(values[at[0]])
        }
        lacking = sorted({str(getattr(row, role)) for row in rows if str(getattr(row, role)).casefold() not in meant})
        if lacking:
            text = f"sheet {naming.sheet} does not say what {role} {listed(lacking)} stands for; kept as written"
            findings.append(Finding("D011", "warning", sheets[0].file, text))
        rows = [_renamed(row, role, meant.get(str(getattr(row, role)).casefold())) for row in rows]
    return rows, findings


def _renamed(row: CodingRow, role: str, meant: str | None) -> CodingRow:
    written = str(getattr(row, role))
    if meant is None or meant == written:
        return row
    return replace(row, **{role: meant}, notes=(*row.notes, f"{role} written as {written}"))  # type: ignore[arg-type]


def _join(
    path: Path, rows: list[CodingRow], joined: Joined | None, spec: CodingSpec
) -> tuple[list[CodingRow], list[Finding]]:
    """Add columns of the second table in the same folder, where it is there."""
    if joined is None:
        return rows, []
    beside = sorted(p for p in path.parent.iterdir() if p != path and p.is_file() and not p.name.startswith(("~", ".")))
    second = next((p for pattern in joined.files for p in beside if fnmatch.fnmatch(p.name.lower(), pattern.lower())), None)
    if second is None:
        return rows, []
    sheets = read_sheets(second)
    roles = dict(joined.columns)
    sheet, layout = find_table(sheets, spec.model_copy(update={"columns": roles, "required": tuple(roles), "sheets": ()}))
    added = [role for role in roles if role not in ("subject", "clip")]
    values: dict[tuple[str, str], dict[str, str]] = {}
    for number, line in sheet.lines:
        cells = Cells(sheet, number, layout, line, spec)
        if number > layout.header and cells.text("subject"):
            key = (cells.text("subject").casefold(), clip_stem(cells.text("clip")).casefold())
            values[key] = {role: cells.text(role) for role in added}
    keys = [(row.subject.casefold(), row.clip.casefold()) for row in rows]
    lacking = [row.source for row, key in zip(rows, keys, strict=True) if key not in values]
    findings = []
    if lacking:
        text = f"{len(lacking)} rows have no line in {second.name}: {_numbers(lacking)}"
        findings.append(Finding("D011", "warning", path.name, text, tuple(lacking)))
    if surplus := len(set(values) - set(keys)):
        findings.append(Finding("D011", "warning", second.name, f"{surplus} lines have no row in {path.name}"))
    new = [replace(row, **values.get(key, {})) for row, key in zip(rows, keys, strict=True)]  # type: ignore[arg-type]
    return new, findings


def _order(path: Path, rows: Sequence[CodingRow]) -> tuple[list[CodingRow], list[Finding]]:
    """Note rows whose moments are not in order, and rows whose onset is unknown."""
    kept, wrong, without = [], list[str](), list[str]()
    for row in rows:
        notes = row.notes
        if row.onset is None:
            without.append(row.source)
        if not in_order(row.onset, row.apex, row.offset):
            wrong.append(row.source)
            notes = (*notes, "onset <= apex <= offset does not hold")
        kept.append(replace(row, notes=notes))
    findings = []
    if wrong:
        text = f"{len(wrong)} rows violate onset <= apex <= offset: {_numbers(wrong)}"
        findings.append(Finding("D001", "error", _shown(path), text, tuple(wrong)))
    if without:
        text = f"{len(without)} rows have no onset, so they cannot be placed: {_numbers(without)}"
        findings.append(Finding("D011", "warning", _shown(path), text, tuple(without)))
    return kept, findings


def _repeated(where: str, rows: Sequence[CodingRow]) -> list[Finding]:
    """Rows that say in all columns what an earlier row says."""
    seen: dict[CodingRow, str] = {}
    again = []
    for row in rows:
        first = seen.setdefault(replace(row, source=""), row.source)
        if first != row.source:
            again.append(row.source)
    if not again:
        return []
    return [Finding("D019", "warning", where, f"{len(again)} rows repeat an earlier row: {_numbers(again)}", tuple(again))]
