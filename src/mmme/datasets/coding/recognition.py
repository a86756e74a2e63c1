"""Which data set an annotation table is of, by its header and the form of its names."""

from __future__ import annotations

import os
import re
from pathlib import Path

from mmme.config import validated
from mmme.datasets.catalogue import DatasetInfo, dataset_info, dataset_names
from mmme.datasets.coding.rows import as_text
from mmme.datasets.coding.sheets import find_table
from mmme.datasets.coding.spec import CodingSpec
from mmme.errors import ConfigError, DataError
from mmme.io.boris import is_boris_header
from mmme.io.coding_table import Layout, Sheet, plain_name, read_sheets
from mmme.io.coding_xlsx import COLUMNS

__all__ = ["coding_spec_of", "recognise_table"]

_TABLES = (".xlsx", ".xlsm", ".csv", ".tsv", ".txt", ".json")
_LOOKED_AT = 40  # rows whose names must have the form
_HEADER_WITHIN = 60  # lines


def coding_spec_of(info: DatasetInfo) -> CodingSpec:
    """
    Return how a data set's annotation table is read.

    Raises
    ------
    ConfigError
        If the data set has no section ``[coding]``.

    Examples
    --------
    >>> coding_spec_of(dataset_info("casme2")).rate_hz
    200.0
    """
    coding: object = info.coding
    if coding is None:
        raise ConfigError(f"{info.key}: expected a section [coding] for its annotation table, got none")
    if isinstance(coding, CodingSpec):
        return coding
    return validated(CodingSpec, dict(coding), f"{info.key}.toml [coding]")  # type: ignore[call-overload]


def recognise_table(path: str | os.PathLike[str]) -> str | None:
    r"""
    Tell which data set an annotation table is of.

    Parameters
    ----------
    path
        File.

    Returns
    -------
    str or None
        Short name of the data set or format; None where the file is no table, or fits none or several equally well.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = Path(folder, "a.csv")
    ...     _ = table.write_text("Subject,Filename,OnsetFrame,ApexFrame,OffsetFrame\n01,EP02_01f,46,59,86\n")
    ...     recognise_table(table)
    'casme2'
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".eaf":
        return "elan"
    if suffix == ".boris" or path.name.lower().endswith(".boris.gz"):
        return "boris"
    if suffix not in _TABLES:
        return None
    try:
        sheets = read_sheets(path)
    except DataError:
        return None
    if any(is_boris_header(cells) for sheet in sheets for _, cells in sheet.lines[:_HEADER_WITHIN]):
        return "boris"
    if _is_stamped(sheets[0]):
        return "mmme"
    fits = {key: fit for key in dataset_names() if (fit := _fit(path, sheets, key)) is not None}
    best = max(fits.values(), default=(0, 0))
    winners = [key for key, fit in fits.items() if fit == best]
    return winners[0] if len(winners) == 1 else None


def _is_stamped(sheet: Sheet) -> bool:
    """Whether a line is the header of the MMME release."""
    official = {plain_name(name) for name in COLUMNS}
    return any(official <= {plain_name(value) for value in cells} for _, cells in sheet.lines[:_HEADER_WITHIN])


def _fit(path: Path, sheets: tuple[Sheet, ...], key: str) -> tuple[int, int] | None:
    """How well a table fits: columns under their first name, and columns at all; None where it does not fit."""
    try:
        spec = coding_spec_of(dataset_info(key))
        if spec.reader != "table" or not spec.recognise:
            return None
        sheet, layout = find_table(sheets, spec)
    except (DataError, ConfigError):
        return None
    if not any(all(_matches(path, sheet, layout, *pair) for pair in each.items()) for each in spec.recognise):
        return None
    written = {role: plain_name(layout.names[k]) for role, k in layout.columns.items() if k < len(layout.names)}
    own = [role for role, names in spec.columns.items() if names and written.get(role) == plain_name(names[0])]
    return len(own), len(layout.columns)


def _matches(path: Path, sheet: Sheet, layout: Layout, role: str, pattern: str) -> bool:
    """Whether the first values of a role all have a form; or the file's name, or one of the column names."""
    if role == "file":
        return re.fullmatch(pattern, path.name, re.IGNORECASE) is not None
    if role == "header":
        return any(re.fullmatch(pattern, name, re.IGNORECASE) for name in layout.names)
    column = layout.columns.get(role)
    if column is None:
        return False
    lines = [cells for number, cells in sheet.lines if number > layout.header][:_LOOKED_AT]
    texts = [text for cells in lines if column < len(cells) and (text := as_text(cells[column]))]
    return bool(texts) and all(re.fullmatch(pattern, text, re.IGNORECASE) for text in texts)
