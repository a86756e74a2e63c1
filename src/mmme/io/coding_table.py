"""
Cells of an annotation table as they are: Excel sheets, CSV, TSV, and the interval lists of spotting benchmarks (JSON).

Nothing is converted here: the header is found below whatever precedes it, by the columns that are wanted, and every cell
keeps its place for messages.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import openpyxl
from openpyxl.utils import get_column_letter

from mmme.errors import DataError

__all__ = ["Layout", "Sheet", "choose_sheet", "find_header", "plain_name", "read_sheets"]

_SUFFIXES = (".xlsx", ".xlsm", ".xls", ".csv", ".tsv", ".txt", ".json")
_DELIMITERS = ("\t", ";", ",")
_HEADER_WITHIN = 60  # lines of free text above a header that are looked through
_BLANK_AT_MOST = 5000  # blank rows in a row, after which a sheet ends
_TRAILING = 20  # blank rows kept at the end
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Sheet:
    """
    One sheet of cells.

    Parameters
    ----------
    file
        File name, for messages.
    name
        Name of the sheet; empty where a file has no sheets.
    lines
        Row number from 1, and the cells of that row, blank rows included.
    spreadsheet
        Whether cells are known by letter (``D5``) rather than by line and column name.
    delimiter
        What separates cells in a text file; empty elsewhere.
    """

    file: str
    name: str
    lines: tuple[tuple[int, tuple[Any, ...]], ...]
    spreadsheet: bool = True
    delimiter: str = ""

    def source(self, number: int) -> str:
        """Return file and row, for example ``coding.xlsx!HS:17``."""
        return f"{self.file}!{self.name}:{number}" if self.name else f"{self.file}:{number}"

    def cell(self, number: int, column: int, header: str = "") -> str:
        """Return the address of a cell; columns count from 0."""
        if self.spreadsheet:
            return f"{get_column_letter(column + 1)}{number}"
        return f"line {number} {header}".strip()


@dataclass(frozen=True, slots=True)
class Layout:
    """
    Where things are in a sheet.

    Parameters
    ----------
    header
        Row number of the header; 0 where the sheet has none.
    names
        Column names as written.
    columns
        By role: index of the column, from 0.
    others
        Indices of columns that have a name and no role.
    """

    header: int
    names: tuple[str, ...]
    columns: Mapping[str, int]
    others: tuple[int, ...]


def plain_name(text: object) -> str:
    """
    Return a column name without what varies between copies of a table: case, blanks, underscores, punctuation.

    Examples
    --------
    >>> plain_name("Onset Frame") == plain_name("onset_frame") == plain_name("OnsetFrame")
    True
    >>> plain_name("sub_ID'")
    'subid'
    """
    folded = unicodedata.normalize("NFKC", "" if text is None else str(text)).casefold()
    return "".join(letter for letter in folded if letter.isalnum() or letter == "#")


def read_sheets(path: str | os.PathLike[str]) -> tuple[Sheet, ...]:
    """
    Read all sheets of a table.

    Parameters
    ----------
    path
        ``.xlsx``; text with commas, tabs or semicolons in UTF-8, GB 18030 or Latin-1 (``.csv``, ``.tsv``, ``.txt``); or
        ``.json`` with intervals by video, ``{"videos": {name: {"truth": [[kind, onset, apex, offset], ...]}}}``.

    Returns
    -------
    tuple of Sheet
        Sheets that hold anything, in the order of the file.

    Raises
    ------
    DataError
        If the file is missing, empty, damaged, or of another kind.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path.name}: expected an annotation table, got no file")
    if path.suffix.lower() not in _SUFFIXES:
        raise DataError(f"{path.name}: expected a table {', '.join(_SUFFIXES)}, got '{path.suffix}'")
    content = path.read_bytes()
    if content.startswith(_OLD_EXCEL):
        raise DataError(
            f"{path.name}: expected .xlsx or text, got a workbook of Excel 97 to 2003; save it as .xlsx or .csv first"
        )
    if content.startswith(_ZIP) or path.suffix.lower() in (".xlsx", ".xlsm"):
        sheets = _workbook(path.name, content)
    elif path.suffix.lower() == ".json":
        sheets = (_intervals(path.name, content),)
    else:
        sheets = (_text(path.name, content),)
    filled = tuple(sheet for sheet in sheets if any(_filled(line) for _, line in sheet.lines))
    if not filled:
        raise DataError(f"{path.name}: expected a table, got a file without any cell filled")
    return filled


def _workbook(name: str, content: bytes) -> tuple[Sheet, ...]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # openpyxl on styles and validation lists it does not keep
            book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            sheets = [(page.title, _lines(page)) for page in book.worksheets]
            book.close()
    except Exception as error:
        raise DataError(
            f"{name}: expected an Excel workbook, got one that cannot be read ({type(error).__name__}); is it cut short?"
        ) from None
    many = sum(any(_filled(line) for line in lines) for _, lines in sheets) > 1
    return tuple(Sheet(name, title if many else "", tuple(enumerate(lines, start=1))) for title, lines in sheets)


def _lines(page: Any) -> list[tuple[Any, ...]]:
    """Cells of a page; formatted but blank rows far below the last filled one are no part of a table."""
    lines: list[tuple[Any, ...]] = []
    page.reset_dimensions()  # some programs state a size of one cell, and openpyxl would believe it
    for line in page.iter_rows(values_only=True):
        lines.append(line if _filled(line) else ())
        if len(lines) > _BLANK_AT_MOST and not any(lines[-_BLANK_AT_MOST:]):
            break
    while len(lines) > _TRAILING and not any(lines[-_TRAILING - 1 :]):
        del lines[-1]
    return lines


def _text(name: str, content: bytes) -> Sheet:
    text = _decoded(name, content)
    best: tuple[tuple[int, int], str, list[tuple[int, tuple[str, ...]]]] | None = None
    for delimiter in _DELIMITERS:
        lines = _records(name, text, delimiter)
        widths = Counter(len(cells) for _, cells in lines if len(cells) > 1)
        width, n = max(widths.items(), key=lambda pair: (pair[1], pair[0])) if widths else (1, 0)
        if best is None or (n, width) > best[0]:
            best = ((n, width), delimiter, lines)
    assert best is not None
    return Sheet(name, "", tuple(best[2]), spreadsheet=False, delimiter=best[1])


def _records(name: str, text: str, delimiter: str) -> list[tuple[int, tuple[str, ...]]]:
    """Split text into records, each with the number of the line it begins on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    records, number = [], 1
    try:
        for cells in reader:
            records.append((number, tuple(cells)))
            number = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{name}: expected a table as text, got line {number} that cannot be split ({error})") from None
    return records


def _decoded(name: str, content: bytes) -> str:
    """Decode by the byte order mark, else UTF-8, else what the bytes above 127 look like."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    if b"\x00" in content:
        raise DataError(f"{name}: expected a table as text, got zero bytes; is it another kind of file?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    runs = [len(run) for run in re.findall(rb"[\x80-\xff]+", content)]
    paired = sum(n for n in runs if n % 2 == 0)  # Chinese text comes in pairs of high bytes, Latin letters come alone
    if paired > sum(runs) / 2:
        try:
            return content.decode("gb18030")
        except UnicodeDecodeError:
            pass
    return content.decode("latin-1")


def _intervals(name: str, content: bytes) -> Sheet:
    """Turn interval lists by video into rows, one per interval."""
    try:
        videos = json.loads(content)["videos"]
        rows = [(video, *interval) for video, entry in videos.items() for interval in entry["truth"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError(
            f'{name}: expected {{"videos": {{name: {{"truth": [[kind, onset, apex, offset], ...]}}}}}}, got other JSON'
        ) from None
    lines = [("video", "type", "onset", "apex", "offset"), *rows]
    return Sheet(name, "", tuple(enumerate(lines, start=1)), spreadsheet=False)


def _filled(line: Sequence[Any]) -> bool:
    return any(value is not None and str(value).strip() for value in line)


def choose_sheet(sheets: Sequence[Sheet], wanted: Sequence[str]) -> Sheet | None:
    """
    Return the first wanted sheet that is there, by name without regard to case; None where none is.

    Examples
    --------
    >>> hs, vis = Sheet("a.xlsx", "HS", ()), Sheet("a.xlsx", "VIS", ())
    >>> choose_sheet([hs, vis], ["nir", "vis"]).name
    'VIS'
    """
    by_name = {plain_name(sheet.name): sheet for sheet in sheets}
    return next((by_name[plain_name(name)] for name in wanted if plain_name(name) in by_name), None)


def find_header(sheet: Sheet, roles: Mapping[str, Sequence[str]], required: Sequence[str]) -> Layout:
    """
    Find the header of a sheet by the columns that are wanted, below whatever text precedes it.

    Parameters
    ----------
    sheet
        Cells.
    roles
        Column names by role, in any spelling of case, blanks and underscores.
    required
        Roles that must be there.

    Returns
    -------
    Layout
        Columns by role.

    Raises
    ------
    DataError
        If no line is such a header (with what the nearest lacks), or two of its columns would be one role.

    Examples
    --------
    >>> sheet = Sheet("a.csv", "", ((1, ("Release 2",)), (3, ("Subject", "Onset Frame")), (4, ("01", "46"))))
    >>> find_header(sheet, {"subject": ["Subject"], "onset": ["OnsetFrame", "Onset"]}, ["onset"]).header
    3
    """
    known = {role: {plain_name(name) for name in names} for role, names in roles.items() if names}
    nearest: tuple[int, tuple[str, ...]] = (0, ())
    for number, line in sheet.lines[:_HEADER_WITHIN]:
        names = tuple("" if value is None else str(value).strip() for value in line)
        plain = [plain_name(name) for name in names]
        hits = {role: [k for k, name in enumerate(plain) if name in aliases] for role, aliases in known.items()}
        found = [role for role in required if hits.get(role)]
        if len(found) == len(required):
            return _layout(sheet, number, names, hits)
        n_roles = sum(bool(columns) for columns in hits.values())
        if n_roles > nearest[0]:
            nearest = (n_roles, names)
    place = f"{sheet.file}{f' sheet {sheet.name}' if sheet.name else ''}"
    names = tuple(name for name in nearest[1] if name)
    have = {plain_name(name) for name in names}
    lacking = [f"{role} ({' or '.join(roles.get(role, ()))})" for role in required if not known.get(role, set()) & have]
    got = f"a header {', '.join(names)}" if names else "no line with any of them"
    raise DataError(f"{place}: expected columns for {', '.join(lacking or required)}, got {got}; is it another layout?")


def _layout(sheet: Sheet, number: int, names: tuple[str, ...], hits: Mapping[str, list[int]]) -> Layout:
    """Check that columns and roles go one to one."""
    faults = [
        f"columns {' and '.join(repr(names[k]) for k in columns)} would both be {role}"
        for role, columns in hits.items()
        if len(columns) > 1
    ]
    of_column: dict[int, list[str]] = {}
    for role, columns in hits.items():
        for k in columns:
            of_column.setdefault(k, []).append(role)
    faults += [f"column {names[k]!r} would be {' and '.join(roles)}" for k, roles in of_column.items() if len(roles) > 1]
    if faults:
        raise DataError(
            f"{sheet.file}: row {number}: expected one column per role, got {'; '.join(faults)}; "
            "rename one, or state the columns in a layout file"
        )
    others = tuple(k for k, name in enumerate(names) if name and k not in of_column)
    return Layout(number, names, MappingProxyType({role: found[0] for role, found in hits.items() if found}), others)
