"""The coding sheet of the MMME release -> rows in our words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmme.io.action_units import parse_action_units
from mmme.io.coding_table import find_header, read_sheets
from mmme.io.coding_xlsx import COLUMNS, coding_rows, frames_spanned
from mmme.types import CodingRow, Finding, FrameStamp, Moment, listed

__all__ = ["stamped_rows"]

_APART_MS = 50.0  # stamps jitter by tens of ms
_DAY_MS = 86_400_000


def stamped_rows(path: Path, blocks: Sequence[int] = ()) -> tuple[list[CodingRow], list[Finding]]:
    """
    Read a coding sheet whose frames are named by time of day.

    Parameters
    ----------
    path
        ``coding_file.xlsx`` or ``coding_file_combined.xlsx``, or the same as text.
    blocks
        Row numbers at which a coder's block begins; where none are given, by the rule of
        `mmme.io.coding_xlsx.read_coding_xlsx`.

    Returns
    -------
    rows : list of CodingRow
        With the participant's name in ``subject`` and ``clip``; ``dif`` is never read.
    findings : list of Finding
        Blank rows; rows without a running code; rows whose length by stamps and by video time differs.

    Raises
    ------
    DataError
        As `mmme.io.coding_xlsx.coding_rows`.
    """
    sheet = read_sheets(path)[0]
    header = find_header(sheet, {COLUMNS[0]: [COLUMNS[0]]}, [COLUMNS[0]]).header
    lines = [line for line in sheet.lines if line[0] >= header]
    rows, without_code, apart = [], list[str](), list[str]()
    for row in coding_rows(path.name, lines, blocks=blocks or None):
        source = f"{path.name}:{row.row}"
        moments = [
            Moment(t_s=t_s, stamp=stamp) for t_s, stamp in zip(row.times_s, (row.onset, row.apex, row.offset), strict=True)
        ]
        if frames_spanned(row.onset, row.apex) is None:
            without_code.append(source)
        by_stamp = _span_ms(row.onset, row.offset)
        if abs(by_stamp - 1000 * (row.times_s[2] - row.times_s[0])) > _APART_MS:
            apart.append(source)
        rows.append(
            CodingRow(
                source=source,
                subject=row.name,
                clip=f"{row.emotion}_{row.video}_{row.marker:03d}_{row.name}_{row.date:%Y%m%d}",
                coder=row.coder,
                kind=row.kind,
                onset=moments[0],
                apex=moments[1],
                offset=moments[2],
                aus=tuple(unit for text in row.aus for unit in parse_action_units(text)),
                emotion=row.estimated,
                target=row.emotion,
                session=f"{row.date:%Y%m%d}",
                marker=row.marker,
            )
        )
    findings = []
    if blank := [k for k, values in lines if not any(value is not None and str(value).strip() for value in values)]:
        sources = tuple(f"{path.name}:{number}" for number in blank)
        findings.append(Finding("D011", "note", path.name, f"{len(blank)} rows are blank: {listed(blank)}", sources))
    if without_code:
        text = f"{len(without_code)} rows name frames without a running code, by time of day alone"
        findings.append(Finding("D012", "note", path.name, text, tuple(without_code)))
    if apart:
        text = f"{len(apart)} rows last over {_APART_MS:.0f} ms more or less by their stamps than by their video times"
        findings.append(Finding("D012", "note", path.name, text, tuple(apart)))
    return rows, findings


def _span_ms(first: FrameStamp, last: FrameStamp) -> int:
    return (last.time_of_day_ms - first.time_of_day_ms + _DAY_MS // 2) % _DAY_MS - _DAY_MS // 2
