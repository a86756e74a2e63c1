"""Signals at irregular times: ``_samples.tsv.gz`` with a header, the first column being the time of each row."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mmme.errors import DataError, raise_faults
from mmme.types import Samples

__all__ = ["read_samples", "write_samples"]

TIME = "t_s"


def write_samples(
    path: str | os.PathLike[str],
    t_s: NDArray[np.float64],
    signals: Mapping[str, Samples],
    units: Mapping[str, str],
    *,
    descriptions: Mapping[str, str],
) -> None:
    """
    Write signals that share irregular times; equal input gives equal bytes, the gzip header has neither name nor time.

    Parameters
    ----------
    path
        Target, ``..._samples.tsv.gz``; its sidecar lies beside it.
    t_s : (n,) float64
        Times [s], increasing; microseconds are kept.
    signals
        ``(n,)`` each by column name; what is not finite becomes ``n/a``.
    units, descriptions
        By column name.

    Raises
    ------
    DataError
        If a signal has another length than the times.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a_samples.tsv.gz"
    ...     write_samples(path, np.array([0.0, 0.7]), {"hr": np.array([61.0, 62.0])}, {"hr": "bpm"}, descriptions={})
    ...     t_s, read, unit = read_samples(path)
    >>> t_s.tolist(), read["hr"].tolist(), unit
    ([0.0, 0.7], [61.0, 62.0], {'hr': 'bpm'})
    """
    path = Path(path)
    faults = [f"{name}: expected {len(t_s)} samples, got {x.shape}" for name, x in signals.items() if x.shape != t_s.shape]
    raise_faults(path.name, faults)
    table = pd.DataFrame({TIME: np.char.mod("%.6f", t_s), **{n: np.asarray(x[:], np.float64) for n, x in signals.items()}})
    text = table.to_csv(sep="\t", index=False, na_rep="n/a", float_format="%.9g", lineterminator="\n")
    partial = path.with_name(path.name + ".partial")
    sidecar = path.with_name(path.name.removesuffix(".tsv.gz") + ".json")
    told = {TIME: {"Description": "Time on the clock of the device", "Units": "s"}}
    told |= {name: {"Description": descriptions.get(name, name), "Units": units[name]} for name in signals}
    try:
        with partial.open("wb") as raw, gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as file:
            file.write(text.encode("ascii"))
        partial.replace(path)
        partial.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        partial.replace(sidecar)
    finally:
        partial.unlink(missing_ok=True)


def read_samples(
    path: str | os.PathLike[str],
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]], dict[str, str]]:
    """
    Read signals at irregular times.

    Returns
    -------
    t_s : (n,) float64
        Times [s].
    signals
        ``(n,)`` by column name.
    units
        By column name.

    Raises
    ------
    DataError
        If a file is missing, cut short, or not what `write_samples` writes.
    """
    path = Path(path)
    sidecar = path.with_name(path.name.removesuffix(".tsv.gz") + ".json")
    for file in (path, sidecar):
        if not file.is_file():
            raise DataError(f"{file.name}: expected a file, got none")
    try:
        table = pd.read_csv(path, sep="\t", dtype=np.float64, na_values="n/a", compression="gzip")
        units = {n: str(c["Units"]) for n, c in json.loads(sidecar.read_text(encoding="utf-8")).items()}
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{path.name}: expected a packed table of numbers, got {reason}; was the copy cut short?") from None
    if list(table.columns[:1]) != [TIME] or set(table.columns) != set(units):
        raise DataError(f"{path.name}: expected the columns {', '.join(units)}, got {', '.join(map(str, table.columns))}")
    names = [str(name) for name in table.columns[1:]]
    return table[TIME].to_numpy(), {n: table[n].to_numpy() for n in names}, {n: units[n] for n in names}
