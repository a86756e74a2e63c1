"""What is in an annotation table, in numbers; and the same rows in one form for every data set."""

from __future__ import annotations

import fnmatch
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmme.datasets.catalogue import DatasetInfo, dataset_info, dataset_names
from mmme.datasets.coding.reading import CodingTable, read_coding_rows
from mmme.datasets.coding.recognition import coding_spec_of, recognise_table
from mmme.errors import ConfigError, DataError
from mmme.io.bids_tsv import write_tsv
from mmme.types import CodingRow, FrameStamp, Moment

__all__ = ["coding_summary", "read_any_coding", "write_coding_tsv"]


def read_any_coding(
    table: str | os.PathLike[str],
    *,
    dataset: str | None = None,
    layout: str | os.PathLike[str] | None = None,
    sheet: str | None = None,
) -> tuple[DatasetInfo, CodingTable]:
    """
    Read an annotation table of a data set that is named, described in an own layout, or recognised.

    Parameters
    ----------
    table
        File.
    dataset
        Short name of a data set or format.
    layout
        Own TOML file with a section ``[coding]``.
    sheet
        Sheet to read instead of the first that fits.

    Returns
    -------
    tuple
        The data set, and the table's rows with findings.

    Raises
    ------
    ConfigError
        If both a data set and a layout are given, or the one given is unknown or faulty.
    DataError
        If the table is of no known data set, or cannot be read.

    Examples
    --------
    >>> read_any_coding("coding.xlsx")
    Traceback (most recent call last):
        ...
    mmme.errors.DataError: coding.xlsx: expected an annotation table, got no file
    """
    path = Path(table)
    if not path.is_file():
        raise DataError(f"{path.name}: expected an annotation table, got no file")
    if dataset is not None and layout is not None:
        raise ConfigError("expected either --dataset or --layout, got both")
    known = str(layout) if layout is not None else dataset or recognise_table(path)
    if known is None:
        if owner := _joined_to(path):
            raise DataError(
                f"{path.name}: expected an annotation table, got columns that belong to that of {owner}; read that"
            )
        raise DataError(
            f"{path.name}: expected a table of a known data set, got one that fits none or several; "
            "name it with --dataset, or describe its columns in a layout file"
        )
    info = dataset_info(known)
    return info, read_coding_rows(path, coding_spec_of(info), sheet=sheet)


def _joined_to(path: Path) -> str:
    """Name of the data set whose table this one adds columns to; empty where there is none."""
    for key in dataset_names():
        info = dataset_info(key)
        joined = coding_spec_of(info).joined if info.coding is not None else None
        if joined is not None and any(fnmatch.fnmatch(path.name.lower(), pattern.lower()) for pattern in joined.files):
            return info.name
    return ""


def coding_summary(info: DatasetInfo, table: CodingTable) -> dict[str, Any]:
    """
    Count what a table holds; nobody is named.

    Parameters
    ----------
    info
        The data set.
    table
        Its rows.

    Returns
    -------
    dict
        Counts, the columns that were read, and published totals.
    """
    rows = table.rows
    columns = {role: header for role, header in table.columns.items() if "#" not in role}
    return {
        "dataset": info.key,
        "name": info.name,
        "rows": len(rows),
        "participants": len({row.subject for row in rows if row.subject}),
        "clips": len({(row.subject, row.clip) for row in rows if row.clip}),
        "coders": len({row.coder for row in rows}),
        "kinds": _counts(row.kind or "kind not stated" for row in rows),
        "emotions": _counts(row.emotion.lower() for row in rows if row.emotion),
        "targets": _counts(row.target.lower() for row in rows if row.target),
        "self_reports": _counts(row.self_report.lower() for row in rows if row.self_report),
        "objective_classes": _counts(row.objective_class for row in rows if row.objective_class),
        "action_units": _counts(f"AU{number}" for row in rows for number in dict.fromkeys(au.number for au in row.aus)),
        "without_action_units": sum(not row.aus for row in rows),
        "missing": {role: sum(getattr(row, role) is None for row in rows) for role in ("onset", "apex", "offset")},
        "rates_hz": dict(Counter(row.fps for row in rows if row.fps)),
        "with_notes": sum(bool(row.notes) for row in rows),
        "published": dict(info.expected),
        "columns": columns,
    }


def _counts(values: Any) -> dict[str, int]:
    return dict(Counter(values).most_common())


def write_coding_tsv(path: str | os.PathLike[str], rows: Sequence[CodingRow], *, names_are_codes: bool) -> None:
    """
    Write rows in one form, whatever table they came from.

    Frames count from 0, times are seconds, stamps are ``hh-mm-ss-mmm[-code]``; what is unknown is ``n/a``.

    Parameters
    ----------
    path
        Target, ``.tsv``.
    rows
        Rows.
    names_are_codes
        Whether subjects are codes already. Where they are people's names, they are numbered in order of appearance, and
        whatever may hold a name or the day of recording (source, clip, session, notes with a name) is left out.

    Raises
    ------
    DataError
        If a text holds a line break.
    """
    number: dict[str, str] = {}
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for row in rows:
        subject = number.setdefault(row.subject, f"P{len(number) + 1:03d}")
        line = {
            "source": row.source if names_are_codes else row.source.rsplit(":", 1)[-1],
            "subject": row.subject if names_are_codes else subject,
            "session": row.session if names_are_codes else "",
            "clip": row.clip if names_are_codes else "",
            "coder": row.coder,
            "kind": row.kind,
            "marker": row.marker,
            "fps": None if row.fps is None else f"{row.fps:g}",
            "aus": ",".join(str(au) for au in row.aus),
            "emotion": row.emotion,
            "target": row.target,
            "self_report": row.self_report,
            "objective_class": row.objective_class,
            "notes": "; ".join(" ".join(note.split()) for note in row.notes if names_are_codes or not _names(note, row)),
        }
        for role in ("onset", "apex", "offset"):
            moment: Moment = getattr(row, role) or Moment()
            line |= {
                f"{role}_frame": moment.frame,
                f"{role}_s": None if moment.t_s is None else f"{moment.t_s:.6f}".rstrip("0").rstrip("."),
                f"{role}_stamp": _stamp(moment.stamp),
            }
        for name, values in columns.items():
            values.append(line[name])
    write_tsv(path, columns)


_COLUMNS = (
    "source", "subject", "session", "clip", "coder", "kind", "marker", "fps",
    "onset_frame", "apex_frame", "offset_frame", "onset_s", "apex_s", "offset_s",
    "onset_stamp", "apex_stamp", "offset_stamp",
    "aus", "emotion", "target", "self_report", "objective_class", "notes",
)  # fmt: skip


def _names(note: str, row: CodingRow) -> bool:
    """Whether a note holds the participant's name."""
    return bool(row.subject) and row.subject.casefold() in note.casefold()


def _stamp(stamp: FrameStamp | None) -> str:
    if stamp is None:
        return ""
    seconds, ms = divmod(stamp.time_of_day_ms, 1000)
    text = f"{seconds // 3600:02d}-{seconds // 60 % 60:02d}-{seconds % 60:02d}-{ms:03d}"
    return text if stamp.code is None else f"{text}-{stamp.code:03d}"
