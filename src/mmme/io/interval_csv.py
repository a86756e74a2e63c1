"""Lists of intervals in frames as CSV: what is coded, what a method spotted, and which videos were searched."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmme.errors import DataError, raise_faults
from mmme.types import Kind

__all__ = ["IntervalRow", "SearchedVideo", "read_intervals", "read_videos"]

KIND_WORDS: Mapping[str, Kind] = {
    **dict.fromkeys(("micro", "me", "micro-expression", "micro_expression", "microexpression"), "micro"),
    **dict.fromkeys(("macro", "mae", "macro-expression", "macro_expression", "macroexpression"), "macro"),
}
NOTHING = ("", "n/a", "na", "nan", "none", "null")


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """
    One row of such a list.

    Parameters
    ----------
    video
        Name of the video.
    kind
        ``micro`` or ``macro``.
    onset, apex, offset
        Frames, both ends included; None where the cell is empty, and for apex and offset where it is 0.
    score
        How sure the method is; None where there is no such column.
    subject, emotion
        As written; empty where there is no such column.
    line
        In the file, from 1.
    """

    video: str
    kind: Kind
    onset: int | None
    apex: int | None
    offset: int | None
    score: float | None
    subject: str
    emotion: str
    line: int


@dataclass(frozen=True, slots=True)
class SearchedVideo:
    """
    One video that was searched.

    Parameters
    ----------
    video
        Its name.
    subject
        Empty where there is no such column.
    n_frames
        Its length; None where there is no such column.
    """

    video: str
    subject: str
    n_frames: int | None


def _table(path: Path, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Lines with their cells by column, names in small letters."""
    if not path.is_file():
        raise DataError(f"{path.name}: expected a CSV file with the columns {', '.join(needed)}, got no file")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(",;\t", key=first.count))
            header = [cell.strip().lower() for cell in next(reader, [])]
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name}: expected text in UTF-8, got byte {error.object[error.start]:#x}") from error
    missing = [name for name in needed if name not in header]
    if missing or len(set(header)) != len(header):
        raise DataError(
            f"{path.name}: expected a header with {', '.join(needed)}, each once, got {', '.join(header) or 'nothing'}"
        )
    rows = [(line, row) for line, row in rows if any(row)]
    long = [f"line {line}: expected {len(header)} cells, got {len(row)}" for line, row in rows if len(row) != len(header)]
    raise_faults(path.name, long)
    return [(line, dict(zip(header, row, strict=True))) for line, row in rows]


def _read(
    cell: str, into: Callable[[float], Any], what: str, line: int, faults: list[str], *, low: float | None = None
) -> Any:
    """Return a number, or None for an empty cell; what is none goes to the faults."""
    if cell.lower() in NOTHING:
        return None
    try:
        value = float(cell)
        good = value == into(value) and (low is None or value >= low)
    except (ValueError, OverflowError):
        good = False
    if not good:
        least = "" if low is None else f" of {low:g} or more"
        faults.append(f"line {line}: expected {what}{least}, got '{cell[:40]}'")
        return None
    return into(value)


def read_intervals(path: str | os.PathLike[str]) -> tuple[IntervalRow, ...]:
    r"""
    Read coded or spotted intervals.

    Parameters
    ----------
    path
        Columns ``video, kind, onset_frame, offset_frame``, and where there are ``apex_frame, score, subject, emotion``;
        others are not looked at. Divided by comma, semicolon or tab. Kinds may also be written ``ME`` and ``MaE``.

    Raises
    ------
    DataError
        If it is no such file, or cells cannot be read (all of them at once).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "a.csv"
    ...     _ = file.write_text("video,kind,onset_frame,offset_frame\na,ME,5,17\na,macro,30,0\n")
    ...     [(row.kind, row.onset, row.offset) for row in read_intervals(file)]
    [('micro', 5, 17), ('macro', 30, None)]
    """
    path = Path(path)
    faults: list[str] = []
    made = []
    for line, cells in _table(path, ("video", "kind", "onset_frame", "offset_frame")):
        kind = KIND_WORDS.get(cells["kind"].lower())
        if kind is None:
            faults.append(f"line {line}: expected kind micro (ME) or macro (MaE), got '{cells['kind'][:40]}'")
        if not cells["video"]:
            faults.append(f"line {line}: expected the name of a video, got nothing")
        onset, apex, offset = (
            _read(cells.get(name, ""), int, f"a whole number of frames as {name}", line, faults, low=0)
            for name in ("onset_frame", "apex_frame", "offset_frame")
        )
        score = _read(cells.get("score", ""), float, "a number as score", line, faults)
        if kind is None:
            continue
        if onset is not None and offset and offset < onset:
            faults.append(f"line {line}: expected offset_frame not before onset_frame {onset}, got {offset}")
        # 0 stands for "not coded" in published tables: only the first frame of a video can begin there, none can end
        row = IntervalRow(
            cells["video"],
            kind,
            onset,
            apex or None,
            offset or None,
            score,
            cells.get("subject", ""),
            cells.get("emotion", ""),
            line,
        )
        made.append(row)
    raise_faults(path.name, faults)
    return tuple(made)


def read_videos(path: str | os.PathLike[str]) -> tuple[SearchedVideo, ...]:
    r"""
    Read which videos were searched: ``video`` and, where known, ``n_frames`` and ``subject``.

    Raises
    ------
    DataError
        If it is no such file, a video is there twice, or a cell cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "v.csv"
    ...     _ = file.write_text("video;n_frames;subject\na;900;S1\n")
    ...     read_videos(file)
    (SearchedVideo(video='a', subject='S1', n_frames=900),)
    """
    path = Path(path)
    faults: list[str] = []
    made: dict[str, SearchedVideo] = {}
    for line, cells in _table(path, ("video",)):
        n = _read(cells.get("n_frames", ""), int, "a whole number of frames as n_frames", line, faults, low=1)
        name = cells["video"]
        if not name or name in made:
            faults.append(f"line {line}: expected every video once, got {f'{name!r} again' if name else 'no name'}")
        made[name] = SearchedVideo(name, cells.get("subject", ""), n)
    raise_faults(path.name, faults)
    return tuple(made.values())
