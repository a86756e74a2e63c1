"""Which sheet of a file holds the annotation table, what its columns are, and at which rate its frames were taken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

from mmme.datasets.coding.rows import as_text
from mmme.datasets.coding.spec import CodingSpec
from mmme.errors import DataError
from mmme.io.coding_table import Layout, Sheet, choose_sheet, find_header, plain_name

__all__ = ["find_table", "stated_rate"]


def find_table(sheets: Sequence[Sheet], spec: CodingSpec, wanted: str | None = None) -> tuple[Sheet, Layout]:
    """
    Find the sheet to read and its columns.

    Parameters
    ----------
    sheets
        Sheets of a file.
    spec
        What is looked for.
    wanted
        Name of a sheet, instead of the first that fits.

    Returns
    -------
    tuple
        Sheet and layout.

    Raises
    ------
    DataError
        If no sheet has the columns; that of the first sheet is told.
    """
    if wanted is not None:
        chosen = choose_sheet(sheets, [wanted])
        if chosen is None:
            names = ", ".join(sheet.name or "one without a name" for sheet in sheets)
            raise DataError(f"{sheets[0].file}: expected a sheet '{wanted}', got {names}")
        return chosen, _layout(chosen, spec)
    named = choose_sheet(sheets, spec.sheets)
    if named is not None:
        return named, _layout(named, spec)
    first: DataError | None = None
    for sheet in sheets:
        try:
            return sheet, _layout(sheet, spec)
        except DataError as error:
            first = first or error
    assert first is not None
    raise first


def _layout(sheet: Sheet, spec: CodingSpec) -> Layout:
    """Columns by header, or by position where there is none."""
    roles: dict[str, Sequence[str]] = {role: names for role, names in spec.columns.items() if role != "notes"}
    for k, each in enumerate(spec.more, start=1):
        roles |= {f"{role}#{k}": names for role, names in each.items()}
    try:
        return find_header(sheet, roles, spec.required)
    except DataError:
        if not spec.positions or not _fits_positions(sheet, spec):
            raise
    columns = {role: k for k, role in enumerate(spec.positions) if role}
    return Layout(0, spec.positions, MappingProxyType(columns), ())


def _fits_positions(sheet: Sheet, spec: CodingSpec) -> bool:
    """Whether the first filled line has a number where the onset should be."""
    at = spec.positions.index("onset")
    for _, values in sheet.lines:
        if any(as_text(value) for value in values):
            return len(values) > at and re.fullmatch(r"\d+(\.0+)?", as_text(values[at])) is not None
    return False


def stated_rate(spec: CodingSpec, sheet: Sheet, path: Path) -> float | None:
    """Return the frame rate [Hz], by a word in the sheet's or the file's name if need be; None where it is not stated."""
    if spec.rate_hz:
        return spec.rate_hz
    for text in (sheet.name, path.stem):
        parts = {plain_name(part) for part in re.split(r"[^A-Za-z0-9]+", text)}
        for word, rate_hz in spec.rates_hz.items():
            if plain_name(word) in parts:
                return rate_hz
    return None
