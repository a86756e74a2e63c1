"""Continuous peripheral signals as BIDS has them: ``_physio.tsv.gz`` without header, described by ``_physio.json``."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray

from mmme.errors import DataError, raise_faults
from mmme.types import Reading, Samples, Stream

__all__ = ["Physio", "PhysioColumn", "open_physio", "read_physio", "read_physio_reading", "write_physio"]

_ROWS = 20_000  # formatted at a time
_LARGEST = 1e38  # what 32-bit numbers hold
_PIECE = 500_000  # rows read at a time


@dataclass(frozen=True, slots=True, eq=False)
class Physio:
    """
    Signals of one device that share a rate.

    Parameters
    ----------
    fs
        Sampling rate [Hz].
    t0_s
        Time of the first sample [s] (``StartTime``).
    signals
        ``(n,)`` by column name.
    units
        By column name.
    sidecar
        The whole JSON file.
    """

    fs: float
    t0_s: float
    signals: Mapping[str, Samples]
    units: Mapping[str, str]
    sidecar: Mapping[str, Any]


def write_physio(
    path: str | os.PathLike[str],
    signals: Mapping[str, Samples],
    units: Mapping[str, str],
    *,
    fs: float,
    t0_s: float = 0.0,
    descriptions: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> None:
    """
    Write signals and their sidecar; equal input gives equal bytes.

    Values are kept as 32-bit numbers, as fine as a 24-bit converter. The gzip header carries neither name nor time.

    Parameters
    ----------
    path
        Target, ``..._physio.tsv.gz``.
    signals
        ``(n,)`` each by column name, all of one length; may be lazy, and is read once, block by block. NaN becomes ``n/a``.
    units
        By column name.
    fs, t0_s
        Sampling rate [Hz] and time of the first sample [s].
    descriptions
        One line by column name.
    more
        Further keys of the sidecar.

    Raises
    ------
    DataError
        If there is no signal, lengths differ, a value is infinite or above 1e38, or a unit is missing.
    """
    path = Path(path)
    lengths = {name: tuple(x.shape) for name, x in signals.items()}
    faults = [f"column {name}: expected a unit, got none" for name in signals if name not in units]
    if not signals or len(set(lengths.values())) != 1:
        faults.append(f"expected signals of one length, got {lengths or 'none'}")
    raise_faults(path.name, faults)
    n = next(iter(lengths.values()))[0]
    columns = list(signals)
    sidecar: dict[str, Any] = {"SamplingFrequency": fs, "StartTime": t0_s, "Columns": columns, **(more or {})}
    for name in columns:
        text = (descriptions or {}).get(name)
        sidecar[name] = {**({"Description": text} if text else {}), "Units": units[name]}
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as raw, gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as file:
            too_large: dict[str, float] = {}
            for start in range(0, n, _ROWS):
                part = [np.asarray(signals[name][start : start + _ROWS], dtype=np.float64) for name in columns]
                highest = {name: _highest(x) for name, x in zip(columns, part, strict=True)}
                too_large |= {name: high for name, high in highest.items() if high > _LARGEST}
                file.write(_as_text(part) if not too_large else b"")
        raise_faults(path.name, [f"column {k}: expected values up to 1e38, got {high:g}" for k, high in too_large.items()])
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    text = json.dumps(sidecar, indent=2, ensure_ascii=False) + "\n"
    partial = _sidecar(path).with_name(_sidecar(path).name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(_sidecar(path))


def _highest(x: NDArray[np.float64]) -> float:
    """Return the largest absolute value, NaN apart."""
    highest = max(float(x.max()), -float(x.min()))
    return float(np.nanmax(np.abs(x), initial=0.0)) if np.isnan(highest) else highest


def _as_text(columns: Sequence[NDArray[np.float64]]) -> bytes:
    """Write rows of numbers as text; orjson writes each as the shortest that gives the same 32-bit number."""
    rows = np.stack([x.astype(np.float32) for x in columns], axis=1)
    text = orjson.dumps(rows, option=orjson.OPT_SERIALIZE_NUMPY)
    return text[2:-2].replace(b"],[", b"\n").replace(b",", b"\t").replace(b"null", b"n/a") + b"\n"


def read_physio(path: str | os.PathLike[str]) -> Physio:
    """
    Read signals and their sidecar.

    Parameters
    ----------
    path
        ``..._physio.tsv.gz``; the JSON file of the same name lies beside it.

    Returns
    -------
    Physio
        Signals by column name.

    Raises
    ------
    DataError
        If a file is missing or cut short, a key is missing, or columns and values do not fit.
    """
    path = Path(path)
    sidecar = _read_sidecar(path)
    columns = list(sidecar["Columns"])
    table = _columns(path, len(columns))
    signals = {name: table[k] for k, name in enumerate(columns)}
    units = {name: str(sidecar.get(name, {}).get("Units", "")) for name in columns}
    return Physio(float(sidecar["SamplingFrequency"]), float(sidecar["StartTime"]), signals, units, sidecar)


def _columns(path: Path, n_columns: int) -> NDArray[np.float64]:
    """Read all numbers of a packed file, (columns, n); piece by piece, so that text and numbers are not there together."""
    try:
        with gzip.open(path, "rb") as packed:
            pieces = pd.read_csv(packed, sep="\t", header=None, dtype=np.float64, na_values="n/a", chunksize=_PIECE)
            tables = [piece.to_numpy().T for piece in pieces]
    except (OSError, EOFError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise DataError(f"{path.name}: expected packed columns of numbers, got {reason}; was the copy cut short?") from None
    if tables[0].shape[0] != n_columns:
        raise DataError(f"{path.name}: expected {n_columns} columns as in its sidecar, got {tables[0].shape[0]}")
    return np.ascontiguousarray(np.concatenate(tables, axis=1))


class PhysioColumn:
    """One column (n,) of a file, which is read when samples are first asked for, for all its columns at once."""

    dtype = np.dtype(np.float64)
    ndim = 1

    def __init__(
        self, path: Path, column: int, n_columns: int, n: int, shared: dict[str, NDArray[np.float64]] | None = None
    ) -> None:
        self._path, self._column, self._n_columns, self._n = path, column, n_columns, n
        self._all = {} if shared is None else shared  # the columns of one file share what was read

    @property
    def shape(self) -> tuple[int, ...]:
        """(n,)."""
        return (self._n,)

    def __len__(self) -> int:
        """Count samples."""
        return self._n

    def __getitem__(self, index: Any) -> Any:
        """Return samples."""
        if "x" not in self._all:
            self._all["x"] = _columns(self._path, self._n_columns)
            if self._all["x"].shape[1] != self._n:
                got = self._all.pop("x").shape[1]
                raise DataError(f"{self._path.name}: expected {self._n} rows as at import, got {got}; was it cut short?")
        return self._all["x"][self._column, index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: FBT001 (NumPy's protocol)
        """All samples at once."""
        return np.asarray(self[:], dtype=dtype)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the samples behind when sent to another process."""
        return {**self.__dict__, "_all": {}}


def open_physio(path: str | os.PathLike[str], n: int) -> Physio:
    """
    Open signals whose number of samples is known; they are read when asked for.

    Parameters
    ----------
    path
        ``..._physio.tsv.gz``; the JSON file of the same name lies beside it.
    n
        Number of rows.

    Returns
    -------
    Physio
        Its signals are `PhysioColumn`.

    Raises
    ------
    DataError
        If a file is missing or a key is; on reading samples, if rows or columns do not fit.
    """
    path = Path(path)
    sidecar = _read_sidecar(path)
    columns = list(sidecar["Columns"])
    shared: dict[str, NDArray[np.float64]] = {}
    signals = {name: PhysioColumn(path, k, len(columns), n, shared) for k, name in enumerate(columns)}
    units = {name: str(sidecar.get(name, {}).get("Units", "")) for name in columns}
    return Physio(float(sidecar["SamplingFrequency"]), float(sidecar["StartTime"]), signals, units, sidecar)


def read_physio_reading(path: str | os.PathLike[str]) -> Reading:
    """
    Read a file of another data set as what a device recorded; errors as in `read_physio`.

    BIDS' own names are understood as labels (``cardiac``, ``respiratory``); a column ``trigger`` holds trigger values.
    """
    physio = read_physio(path)
    n = next(iter(physio.signals.values())).shape[0]
    t = physio.t0_s + np.arange(n) / physio.fs
    streams, findings = [], []
    for name, x in physio.signals.items():
        if undefined := int(np.isnan(x[:]).sum()):
            findings.append(f"{name}: {undefined} of {n} samples are n/a")
        streams.append(Stream(name, "physio", t, x, physio.units[name], physio.fs))
    return Reading(tuple(streams), np.empty(0), (), tuple(findings))


def _read_sidecar(path: Path) -> dict[str, Any]:
    """Read what describes a file of signals."""
    for file in (path, _sidecar(path)):
        if not file.is_file():
            raise DataError(f"{file.name}: expected a file, got none")
    try:
        sidecar: dict[str, Any] = json.loads(_sidecar(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{_sidecar(path).name}: expected JSON, got {error}") from None
    missing = [key for key in ("SamplingFrequency", "StartTime", "Columns") if key not in sidecar]
    raise_faults(_sidecar(path).name, [f"expected the key {key}, got none" for key in missing])
    return sidecar


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".tsv.gz") + ".json")
