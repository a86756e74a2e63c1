"""BIOPAC recordings that AcqKnowledge exported to MATLAB (versions 5 and 7.3)."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
from numpy.typing import NDArray

from mmme.errors import DataError, raise_faults
from mmme.types import Reading, Samples, Stream

__all__ = ["Columns", "read_biopac_mat"]

_NEEDED = ("data", "labels", "units", "isi", "isi_units")
_LINE = re.compile(r"digital\s*(?:\(STP input\s*(\d)\)|input\s*(\d)|(\d))", re.IGNORECASE)
_CACHE = 1 << 24  # bytes
_ISI_S = {"ms": 1e-3, "s": 1.0, "sec": 1.0, "us": 1e-6, "µs": 1e-6}


class Columns:
    """
    Columns of a data set (n, columns) in a file of version 7.3, read when asked for; one (n,) or several (n, m).

    A column of number -1 is not in the file and is 0 throughout.
    """

    dtype = np.dtype(np.float64)

    def __init__(self, path: Path, columns: int | tuple[int, ...]) -> None:
        self._path, self._columns = path, columns
        self._data: h5py.Dataset | None = None
        with h5py.File(path, "r") as file:
            self._n = int(file["data"].shape[1])  # MATLAB's columns are HDF5's rows

    @property
    def shape(self) -> tuple[int, ...]:
        """(n,) or (n, m)."""
        return (self._n,) if isinstance(self._columns, int) else (self._n, len(self._columns))

    def __len__(self) -> int:
        """Count samples."""
        return self._n

    def __getitem__(self, index: Any) -> Any:
        """Return samples."""
        if self._data is None:  # kept open: its cache spares unpacking a piece of the file for every slice of it
            self._data = h5py.File(self._path, "r", rdcc_nbytes=_CACHE)["data"]
        rows, columns = index if isinstance(index, tuple) else (index, slice(None))
        if isinstance(self._columns, int):
            return self._data[self._columns, rows]
        wanted = np.array(self._columns)[columns]
        blank = np.zeros(np.shape(np.arange(self._n)[rows]))
        parts = [blank if k < 0 else self._data[k, rows] for k in np.atleast_1d(wanted).tolist()]
        return np.stack(parts, axis=-1) if np.ndim(wanted) else parts[0]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open file behind when sent to another process."""
        return {**self.__dict__, "_data": None}


def read_biopac_mat(path: str | os.PathLike[str]) -> Reading:
    """
    Read an AcqKnowledge export to MATLAB.

    Parameters
    ----------
    path
        ``.mat`` file with ``data, labels, units, isi, isi_units`` and, if the recording was cut, ``start_sample``.

    Returns
    -------
    Reading
        One stream per column under its label and in its unit, calculated columns too; the columns
        ``Digital (STP Input 0)`` to 7 as ``lines`` (n, 8), those that were not exported being 0. Columns of version 7.3
        stay on disk; those of version 5 are views of what MATLAB stored, so that nothing is in memory twice. Labels that
        repeat, missing lines and, in version 5, values that are not finite are told.

    Raises
    ------
    DataError
        If the file is no such export, its sample interval makes no sense, or a digital line is in it twice; all faults at
        once.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path.suffix}: expected a MATLAB file, got no file")
    content, columns, n = _variables(path)
    labels, units = _texts(content["labels"]), _texts(content["units"])
    if n < 2 or len(labels) != columns or len(units) != columns:
        raise DataError(
            f"*{path.suffix}: expected one label and one unit per column of data (n, columns), "
            f"got data ({n}, {columns}), {len(labels)} labels, {len(units)} units"
        )
    isi, isi_unit = float(np.ravel(content["isi"])[0]), _texts(content["isi_units"])[0]
    faults = []
    if isi_unit not in _ISI_S or not isi > 0:
        faults.append(f"expected a sample interval above 0 in {', '.join(_ISI_S)}, got {isi} {isi_unit}")
    found = {k: _line_number(label) for k, label in enumerate(labels)}
    lines = {number: k for k, number in found.items() if number is not None}
    numbers = [number for number in found.values() if number is not None]
    faults += [f"digital line {k}: expected 0 to 7, each once" for k in set(numbers) if k > 7 or numbers.count(k) > 1]
    raise_faults(f"*{path.suffix}", faults)
    step_s = isi * _ISI_S[isi_unit]
    start = float(np.ravel(content["start_sample"])[0]) if "start_sample" in content else 0.0
    t = (start + np.arange(n)) * step_s
    streams = [
        Stream(label, "biopac", t, _part(path, content, k), unit, 1.0 / step_s)
        for k, (label, unit) in enumerate(zip(labels, units, strict=True))
        if found[k] is None
    ]
    if lines:
        levels = _part(path, content, tuple(lines.get(k, -1) for k in range(8)))
        streams.append(Stream("lines", "biopac", t, levels, "V", 1.0 / step_s))
    return Reading(tuple(streams), np.empty(0), (), tuple(_oddities(content, labels, found)))


def _oddities(content: dict[str, Any], labels: list[str], found: dict[int, int | None]) -> list[str]:
    """Tell of missing lines, labels that repeat, and values that are not finite."""
    lines = {number for number in found.values() if number is not None}
    odd = []
    if lines and (missing := sorted(set(range(8)) - lines)):
        odd.append(f"digital lines {', '.join(map(str, missing))} were not exported and count as 0")
    odd += [
        f"label '{label}' is there {labels.count(label)} times"
        for label in dict.fromkeys(labels)
        if labels.count(label) > 1
    ]
    if "data" in content and not np.isfinite(content["data"].sum()):
        n = len(content["data"])
        bad = [n - int(np.isfinite(content["data"][:, k]).sum()) for k in range(len(labels))]
        odd += [f"{label}: {m} of {n} samples are not finite" for label, m in zip(labels, bad, strict=True) if m]
    return odd


def _part(path: Path, content: dict[str, Any], columns: int | tuple[int, ...]) -> Samples:
    """Columns of the data: views where they are in memory, else on disk."""
    if "data" not in content:
        return Columns(path, columns)
    data: NDArray[np.float64] = content["data"]
    if isinstance(columns, int):
        return data[:, columns]
    first = columns[0]
    if columns == tuple(range(first, first + len(columns))):
        return data[:, first : first + len(columns)]
    gathered = np.zeros((len(data), len(columns)), dtype=np.float32)  # levels of 0 and 5 V
    for place, column in enumerate(columns):
        if column >= 0:
            gathered[:, place] = data[:, column]
    return gathered


def _line_number(label: str) -> int | None:
    """Return the number of a digital line; None for other columns."""
    match = _LINE.fullmatch(label.strip())
    return None if match is None else int(next(group for group in match.groups() if group is not None))


def _variables(path: Path) -> tuple[dict[str, Any], int, int]:
    """Variables of the file (of version 7.3: all but the data), number of columns and of samples."""
    if h5py.is_hdf5(path):
        with h5py.File(path, "r") as file:
            missing = [name for name in _NEEDED if name not in file]
            if missing:
                raise DataError(f"*{path.suffix}: expected an AcqKnowledge export, got one without {', '.join(missing)}")
            content = {
                name: _hdf5_value(file, file[name])
                for name in (*_NEEDED, "start_sample")
                if name in file and name != "data"
            }
            columns, n = file["data"].shape
        return content, int(columns), int(n)
    try:
        content = scipy.io.loadmat(path, variable_names=[*_NEEDED, "start_sample"])
    except Exception as error:
        raise DataError(
            f"*{path.suffix}: expected a MATLAB file, got one that cannot be read ({type(error).__name__}); cut short?"
        ) from None
    missing = [name for name in _NEEDED if name not in content]
    if missing:
        raise DataError(f"*{path.suffix}: expected an AcqKnowledge export, got one without {', '.join(missing)}")
    data = np.asarray(content["data"])
    if data.ndim != 2:
        raise DataError(f"*{path.suffix}: expected data (n, columns), got {data.shape}")
    return content, int(data.shape[1]), int(data.shape[0])


def _hdf5_value(file: h5py.File, item: Any) -> Any:
    """Value of a small variable: numbers, a character matrix (each column of HDF5 a row of text), or cells of text."""
    values = item[()]
    if item.attrs.get("MATLAB_class") == b"cell" or values.dtype == h5py.ref_dtype:
        return [_characters(file[reference][()]) for reference in np.ravel(values)]
    if item.attrs.get("MATLAB_class") == b"char" or values.dtype == np.uint16:
        return [_characters(row) for row in np.atleast_2d(values.T)]
    return values


def _characters(values: NDArray[Any]) -> str:
    return "".join(chr(int(code)) for code in np.ravel(values) if code)


def _texts(value: Any) -> list[str]:
    """Strings of a MATLAB char matrix (padded rows) or cell array."""
    return [str(np.ravel(v)[0] if isinstance(v, np.ndarray) and v.size else v).strip() for v in np.ravel(value)]
