"""
The coding sheet of the MMME release: one row per expression, frames given as wall-clock strings.

The release concatenates the sheets of two coders without saying so; times are indices into a rebuilt AVI and ``dif`` has
two units. So coders are told apart here, frames are given as stamps to be looked up, and ``dif`` is never read.
"""

from __future__ import annotations

import datetime as dt
import itertools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import openpyxl

from mmme.errors import DataError, raise_faults
from mmme.types import FrameStamp

__all__ = ["CodingRow", "coding_rows", "frames_spanned", "parse_frame_stamp", "read_coding_xlsx"]

COLUMNS = (
    "Subject",
    "Filename",
    "Marker",
    "OnsetTime",
    "ApexTime",
    "OffsetTime",
    "OnsetFrame",
    "ApexFrame",
    "OffsetFrame",
    "Action Units",
    "Estimated Emotion",
    "Date",
    "dif",
)
KIND = "Macro/Micro"  # only in the combined sheet
_STAMP = re.compile(r"(\d\d)-(\d\d)-(\d\d)-(\d{3})(?:-(\d{3,4}))?")
_TRIAL = re.compile(r"([a-z]+)_(\d+)_(\d{3})_([a-z]+)_(\d{8})\.avi")
_AU = re.compile(r"[LR]?AU\d{1,2}[A-Z]?\??")


@dataclass(frozen=True, slots=True)
class CodingRow:
    """
    One row of the sheet; still with the participant's name, so it must not outlive the import.

    Parameters
    ----------
    row
        Row number in the sheet, from 1 for the header.
    coder
        ``A`` for the first block of rows, ``B`` for the second.
    name, date
        Participant and day of recording.
    emotion, video, marker
        What the stimulus was chosen for, its number, and its trigger value.
    onset, apex, offset
        Frames.
    times_s
        Onset, apex and offset in the rebuilt AVI; not physical time.
    aus
        Action units as written.
    estimated
        ``Estimated Emotion`` as written.
    kind
        ``micro``, ``macro``, or None in the sheet of 13 columns.
    """

    row: int
    coder: str
    name: str
    date: dt.date
    emotion: str
    video: int
    marker: int
    onset: FrameStamp
    apex: FrameStamp
    offset: FrameStamp
    times_s: tuple[float, float, float]
    aus: tuple[str, ...]
    estimated: str
    kind: Literal["micro", "macro"] | None


def parse_frame_stamp(text: str) -> FrameStamp:
    """
    Read a frame string of the sheet.

    Parameters
    ----------
    text
        ``hh-mm-ss-mmm-code`` or ``hh-mm-ss-mmm``.

    Returns
    -------
    FrameStamp
        Time of day and code.

    Raises
    ------
    DataError
        If the text has another form or no such time exists.

    Examples
    --------
    >>> parse_frame_stamp("16-45-38-257-1000").code, parse_frame_stamp("00-00-01-500").time_of_day_ms
    (1000, 1500)
    """
    match = _STAMP.fullmatch(text)
    if match is None:
        raise DataError(f"expected a frame hh-mm-ss-mmm-code or hh-mm-ss-mmm, got '{text}'")
    hour, minute, second, ms = (int(part) for part in match.groups()[:4])
    if hour > 23 or minute > 59 or second > 59:
        raise DataError(f"expected a frame with a time of day, got '{text}'")
    code = None if match[5] is None else int(match[5])
    if code is not None and not 1 <= code <= 1000:
        raise DataError(f"expected a frame with a code 1..1000, got '{text}'")
    return FrameStamp(((hour * 60 + minute) * 60 + second) * 1000 + ms, code)


def frames_spanned(first: FrameStamp, last: FrameStamp) -> int | None:
    """
    Count saved frames from one to the other, both included, by their codes, which wrap after 1000.

    Parameters
    ----------
    first, last
        Frames less than a thousand apart.

    Returns
    -------
    int or None
        What the column ``dif`` means where frames have codes; None where one has none.

    Examples
    --------
    >>> frames_spanned(parse_frame_stamp("10-00-00-100-980"), parse_frame_stamp("10-00-00-640-059"))
    80
    """
    if first.code is None or last.code is None:
        return None
    return (last.code - first.code) % 1000 + 1


def read_coding_xlsx(path: str | os.PathLike[str], *, blocks: Sequence[int] | None = None) -> tuple[CodingRow, ...]:
    """
    Read the coding sheet, with 13 columns or with 14.

    Parameters
    ----------
    path
        ``coding_file.xlsx`` or ``coding_file_combined.xlsx``.
    blocks
        Row numbers at which a coder's block begins, the first being 2; without it, a block begins where a participant comes
        up again after others (or, with one participant only, where trials start again).

    Returns
    -------
    tuple of CodingRow
        In the order of the sheet.

    Raises
    ------
    DataError
        All faults of the sheet at once, each with its cell. Names are not shown.
    """
    path = Path(path)
    return coding_rows(path.name, _cells(path), blocks=blocks)


def coding_rows(
    where: str, lines: Sequence[tuple[int, Sequence[Any]]], *, blocks: Sequence[int] | None = None
) -> tuple[CodingRow, ...]:
    """
    Read the cells of the coding sheet.

    Parameters
    ----------
    where
        The file, for messages.
    lines
        Row number and cells, the header first. Column names match in any case, with or without blanks and underscores, and
        in any order; further columns are not read.
    blocks
        As for `read_coding_xlsx`.

    Returns
    -------
    tuple of CodingRow
        In the order of the sheet, blank lines left out.

    Raises
    ------
    DataError
        As for `read_coding_xlsx`.
    """
    written = tuple("" if value is None else str(value).strip() for value in lines[0][1]) if lines else ()
    while written and not written[-1]:
        written = written[:-1]
    official = {_plain(name): name for name in (*COLUMNS, KIND)}
    header = tuple(official.get(_plain(name), name) for name in written)
    if any(header.count(name) != 1 for name in COLUMNS) or header.count(KIND) > 1:
        raise DataError(f"{where}: expected the columns {', '.join(COLUMNS)} (and {KIND}), got {', '.join(written)}")
    cells = [
        (k, tuple(line[: len(header)])) for k, line in lines[1:] if any(v is not None and str(v).strip() for v in line)
    ]
    faults: list[str] = []
    rows = [row for number, values in cells if (row := _row(number, header, values, faults)) is not None]
    raise_faults(where, faults)
    if not rows:
        raise DataError(f"{where}: expected at least one row, got a header only")
    starts = _block_starts(where, rows) if blocks is None else list(blocks)
    if starts[:1] != [rows[0].row] or starts != sorted(set(starts)) or starts[-1] > rows[-1].row:
        raise DataError(
            f"{where}: expected blocks as increasing row numbers from {rows[0].row} to {rows[-1].row}, got {starts}"
        )
    coder_of = [chr(ord("A") + sum(row.row >= start for start in starts) - 1) for row in rows]
    return tuple(replace(row, coder=coder) for row, coder in zip(rows, coder_of, strict=True))


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _cells(path: Path) -> list[tuple[int, tuple[Any, ...]]]:
    """Lines of the first sheet with their numbers."""
    if not path.is_file():
        raise DataError(f"{path.name}: expected a coding sheet, got no file")
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:
        raise DataError(
            f"{path.name}: expected an Excel sheet, got one that cannot be read ({type(error).__name__}); is it cut short?"
        ) from None
    try:
        return list(enumerate(book.worksheets[0].iter_rows(values_only=True), start=1))
    finally:
        book.close()


class _Cells:
    """Cells of one row by column name; what is wrong with them is collected."""

    def __init__(self, number: int, header: tuple[str, ...], values: tuple[Any, ...]) -> None:
        self.number = number
        self.place = {name: f"{chr(ord('A') + k)}{number}" for k, name in enumerate(header)}
        self.value = dict(zip(header, values, strict=False))
        self.faults: list[str] = []

    def fault(self, name: str, text: str) -> None:
        """Add a fault of that column's cell."""
        self.faults.append(f"{self.place[name]}: {text}")

    def text(self, name: str) -> str:
        """Return the content as text; empty is a fault."""
        value = self.value.get(name)
        text = "" if value is None else str(value).strip()
        if not text:
            self.fault(name, f"expected {name}, got an empty cell")
        return text

    def stamp(self, name: str) -> FrameStamp:
        """Return a frame."""
        text = self.text(name)
        try:
            return parse_frame_stamp(text) if text else FrameStamp(0, None)
        except DataError as error:
            self.fault(name, str(error))
            return FrameStamp(0, None)

    def seconds(self, name: str) -> float:
        """Return a time."""
        text = self.text(name)
        try:
            value = float(text) if text else 0.0
        except ValueError:
            value = -1.0
        if not 0 <= value < 86_400:
            self.fault(name, f"expected {name} in seconds, got '{text}'")
        return value

    def trial(self) -> tuple[str, dt.date, str, int, int]:
        """Return participant, day, emotion, video and marker, where Subject, Filename and Marker agree."""
        subject, filename, marker = self.text("Subject"), self.text("Filename"), self.text("Marker")
        match = _TRIAL.fullmatch(filename)
        if match is None:
            if filename:
                self.fault("Filename", "expected <emotion>_<video>_<marker>_<name>_<YYYYMMDD>.avi, got another form")
            return "", dt.date.min, "", 0, 0
        if subject and match[4] != subject:
            self.fault("Subject", "expected the participant of Filename, got another one")
        if marker and marker.removesuffix(".0") != str(int(match[3])):
            self.fault("Marker", f"expected the marker of Filename, {match[3]}, got {marker}")
        try:
            date = dt.datetime.strptime(match[5], "%Y%m%d").date()  # noqa: DTZ007 (a calendar day has no zone)
        except ValueError:
            self.fault("Filename", f"expected a date at its end, got {match[5]}")
            date = dt.date.min
        return match[4], date, match[1], int(match[2]), int(match[3])

    def action_units(self) -> tuple[str, ...]:
        """Return action units as written."""
        text = self.text("Action Units")
        aus = tuple(part.strip() for part in text.split(",")) if text else ()
        for au in aus:
            if not _AU.fullmatch(au):
                self.fault("Action Units", f"expected action units such as 'AU4, AU7', got '{au}'")
        return aus

    def kind(self) -> Literal["micro", "macro"] | None:
        """Return the kind, None where the sheet has no such column."""
        word = self.text(KIND).lower() if KIND in self.place else None
        if word == "micro":
            return "micro"
        if word == "macro":
            return "macro"
        if word:
            self.fault(KIND, f"expected Macro or Micro, got '{self.value[KIND]}'")
        return None


def _row(number: int, header: tuple[str, ...], values: tuple[Any, ...], faults: list[str]) -> CodingRow | None:
    """Read one row; its faults are appended, and then there is no row."""
    cells = _Cells(number, header, values)
    trial = cells.trial()
    times = cells.seconds("OnsetTime"), cells.seconds("ApexTime"), cells.seconds("OffsetTime")
    frames = cells.stamp("OnsetFrame"), cells.stamp("ApexFrame"), cells.stamp("OffsetFrame")
    row = CodingRow(number, "", *trial, *frames, times, cells.action_units(), cells.text("Estimated Emotion"), cells.kind())
    if not times[0] <= times[1] <= times[2] and not cells.faults:
        cells.fault("OnsetTime", f"need onset <= apex <= offset, got {times[0]}, {times[1]}, {times[2]} s")
    faults.extend(cells.faults)
    return None if cells.faults else row


def _block_starts(where: str, rows: Sequence[CodingRow]) -> list[int]:
    """First row number of each coder's block."""
    starts, seen, current = [rows[0].row], set[str](), rows[0].name
    for row in rows:
        if row.name != current:
            seen.add(current)
            if row.name in seen:
                starts.append(row.row)
                seen = set()
            current = row.name
    if len({row.name for row in rows}) == 1:  # nobody can come up again: look for the trials to start again
        again = [b.row for a, b in itertools.pairwise(rows) if b.marker < a.marker]
        starts += again if len(again) == 1 else []
    if len(starts) > 2:
        raise DataError(
            f"{where}: expected the blocks of two coders, got participants coming up again at rows "
            f"{', '.join(str(s) for s in starts[1:6])}; state where blocks begin"
        )
    return starts
