"""Tables as BIDS has them: tab-separated, one header line, ``n/a`` for what is not there."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mmme.errors import DataError, raise_faults

__all__ = ["read_json", "read_numbers", "read_tsv", "write_json", "write_tsv"]


def write_tsv(path: str | os.PathLike[str], columns: Mapping[str, Sequence[Any]]) -> None:
    """
    Write a table; the file appears when it is complete.

    Parameters
    ----------
    path
        Target, ``.tsv``.
    columns
        Values by column name, all of one length; ``None`` and empty text become ``n/a``.

    Raises
    ------
    DataError
        If lengths differ, or a text holds a tab or a line break.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_tsv(f"{folder}/a.tsv", {"x": [1, 2], "y": ["a", None]})
    ...     read_tsv(f"{folder}/a.tsv")["y"]
    ['a', '']
    """
    path = Path(path)
    texts = [["n/a" if value is None or value == "" else str(value) for value in values] for values in columns.values()]
    lengths = {name: len(values) for name, values in zip(columns, texts, strict=True)}
    faults = [f"expected columns of one length, got {lengths}"] if len(set(lengths.values())) > 1 else []
    for name, values in zip(columns, texts, strict=True):
        faults += [f"column {name}: '{v}' holds a tab or line break" for v in values if set(v) & set("\t\n\r")]
    raise_faults(path.name, faults)
    lines = ["\t".join(columns), *("\t".join(row) for row in zip(*texts, strict=True))]
    _write(path, "\n".join(lines) + "\n")


def read_tsv(path: str | os.PathLike[str], columns: Sequence[str] = ()) -> dict[str, list[str]]:
    """
    Read a table as text; ``n/a`` becomes the empty string.

    Parameters
    ----------
    path
        ``.tsv`` file.
    columns
        Columns it must have.

    Returns
    -------
    dict
        Texts by column name.

    Raises
    ------
    DataError
        If the file or a column is missing, or a row has another number of cells.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path.name}: expected a table, got no file")
    lines = path.read_text(encoding="utf-8").splitlines()
    names = lines[0].split("\t") if lines else []
    rows = [line.split("\t") for line in lines[1:]]
    faults = [f"expected a column '{name}', got {', '.join(names) or 'none'}" for name in columns if name not in names]
    faults += [
        f"line {k + 2}: expected {len(names)} cells, got {len(r)}" for k, r in enumerate(rows) if len(r) != len(names)
    ]
    raise_faults(path.name, faults)
    return {name: ["" if row[k] == "n/a" else row[k] for row in rows] for k, name in enumerate(names)}


def read_numbers(path: str | os.PathLike[str], columns: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """
    Read columns of numbers of a table; ``n/a`` becomes NaN.

    Parameters
    ----------
    path
        ``.tsv`` file.
    columns
        Columns to read.

    Returns
    -------
    dict
        ``(n,)`` float64 by column name.

    Raises
    ------
    DataError
        If the file or a column is missing, or a cell is no number.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path.name}: expected a table, got no file")
    try:
        table = pd.read_csv(path, sep="\t", usecols=list(columns), dtype=np.float64, na_values=["n/a"])
    except ValueError as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{path.name}: expected columns {', '.join(columns)} of numbers, got {reason}") from None
    return {name: table[name].to_numpy() for name in columns}


def write_json(path: str | os.PathLike[str], content: Mapping[str, Any]) -> None:
    """Write a JSON file; it appears when it is complete."""
    _write(Path(path), json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a JSON object; `DataError` where there is none."""
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path.name}: expected a JSON file, got none") from None
    except ValueError as error:
        raise DataError(f"{path.name}: expected JSON, got {error}") from None
    if not isinstance(content, dict):
        raise DataError(f"{path.name}: expected a JSON object, got {type(content).__name__}")
    return content


def _write(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(text, encoding="utf-8", newline="\n")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
