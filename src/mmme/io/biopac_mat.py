"""BIOPAC recordings that AcqKnowledge exported to MATLAB (versions 5 and 7.3)."""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

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
_MATRIX, _PACKED, _DOUBLES = 14, 15, 9  # types of elements in a file of version 5
_DOUBLE, _COMPLEX = 6, 0x08  # class of an array, and a flag
_LOOK = 1 << 18
_ISI_S = {"ms": 1e-3, "s": 1.0, "sec": 1.0, "us": 1e-6, "µs": 1e-6}


@dataclass(frozen=True, slots=True)
class PlainMatrix:
    """
    Matrix of a file of version 5 that is not packed: column after column of numbers, from a place in the file on.

    Indexed as HDF5 would show it, by column and rows.
    """

    path: Path
    place: int
    n_columns: int
    n: int

    def __getitem__(self, index: tuple[int, Any]) -> NDArray[np.float64]:
        """Return samples of one column."""
        column, rows = index
        if isinstance(rows, slice):
            start, stop, step = rows.indices(self.n)
            if step == 1:
                return self._between(column, start, max(start, stop))
        wanted = np.arange(self.n)[rows]
        if not wanted.size:
            return np.empty(0)
        first = int(wanted.min())
        return np.asarray(self._between(column, first, int(wanted.max()) + 1)[wanted - first])

    def _between(self, column: int, first: int, stop: int) -> NDArray[np.float64]:
        """Read rows of one column, from the first to before the last."""
        at = self.place + 8 * (column * self.n + first)
        return np.fromfile(self.path, dtype="<f8", count=stop - first, offset=at)


class Columns:
    """
    Columns of a data set (n, columns) that stays in its file, read when asked for; one (n,) or several (n, m).

    A column of number -1 is not in the file and is 0 throughout.
    """

    dtype = np.dtype(np.float64)

    def __init__(self, path: Path, columns: int | tuple[int, ...], plain: PlainMatrix | None = None) -> None:
        self._path, self._columns, self._plain = path, columns, plain
        self._data: Any = plain
        if plain is not None:
            self._n = plain.n
            return
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
        there = {k: self._data[k, rows] for k in np.atleast_1d(wanted).tolist() if k >= 0}
        shape = np.shape(next(iter(there.values()))) if there else np.shape(np.arange(self._n)[rows])
        parts = [there[k] if k >= 0 else np.zeros(shape) for k in np.atleast_1d(wanted).tolist()]
        return np.stack(parts, axis=-1) if np.ndim(wanted) else parts[0]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open file behind when sent to another process."""
        return {**self.__dict__, "_data": self._plain}


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
        ``Digital (STP Input 0)`` to 7 as ``lines`` (n, 8), those that were not exported being 0. Columns stay on disk,
        unless a file of version 5 is packed: then they are views of what was unpacked, and nothing is in memory twice.
        Labels that repeat, missing lines and, in version 5, values that are not finite are told.

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
    if (data := content.get("data")) is not None:
        n = data.n if isinstance(data, PlainMatrix) else len(data)
        for k, label in enumerate(labels):
            column = (
                (lambda rows, k=k: data[k, rows]) if isinstance(data, PlainMatrix) else (lambda rows, k=k: data[rows, k])
            )
            pieces = (column(slice(start, start + _LOOK)) for start in range(0, n, _LOOK))
            if bad := sum(int(np.sum(~np.isfinite(piece))) for piece in pieces):
                odd.append(f"{label}: {bad} of {n} samples are not finite")
    return odd


def _part(path: Path, content: dict[str, Any], columns: int | tuple[int, ...]) -> Samples:
    """Columns of the data: views where they are in memory, else on disk."""
    if "data" not in content:
        return Columns(path, columns)
    if isinstance(content["data"], PlainMatrix):
        return Columns(path, columns, content["data"])
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
    plain = _plain_matrix(path, "data")
    wanted = [name for name in (*_NEEDED, "start_sample") if plain is None or name != "data"]
    try:
        content = scipy.io.loadmat(path, variable_names=wanted)
    except Exception as error:
        raise DataError(
            f"*{path.suffix}: expected a MATLAB file, got one that cannot be read ({type(error).__name__}); cut short?"
        ) from None
    if plain is not None:
        content["data"] = plain
    missing = [name for name in _NEEDED if name not in content]
    if missing:
        raise DataError(f"*{path.suffix}: expected an AcqKnowledge export, got one without {', '.join(missing)}")
    if plain is not None:
        return content, plain.n_columns, plain.n
    data = np.asarray(content["data"])
    if data.ndim != 2:
        raise DataError(f"*{path.suffix}: expected data (n, columns), got {data.shape}")
    return content, int(data.shape[1]), int(data.shape[0])


def _plain_matrix(path: Path, name: str) -> PlainMatrix | None:
    """
    Find a matrix of double numbers in a file of version 5; None where it is packed, of another kind, or cut short.

    The file is a row of elements, each after its type and length; a matrix is an element that holds its class, its size,
    its name and its numbers (MathWorks, MAT-File Format, "Level 5 MAT-File Format").
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(128)[126:128] != b"IM":  # big-endian files are left to SciPy
            return None
        while (at := file.tell()) + 8 <= size:
            kind, length = struct.unpack("<II", file.read(8))
            if kind != _MATRIX:
                if kind == _PACKED:
                    return None
                file.seek(at + 8 + length)
                continue
            flags, dims, label = (_element(file) for _ in range(3))
            kind, n_bytes = struct.unpack("<II", file.read(8))
            if label.decode("latin-1") == name:
                shape = struct.unpack(f"<{len(dims) // 4}i", dims)
                double = flags[0] == _DOUBLE and not flags[1] & _COMPLEX and kind == _DOUBLES
                whole = len(shape) == 2 and n_bytes == 8 * shape[0] * shape[1] and file.tell() + n_bytes <= size
                return PlainMatrix(path, file.tell(), shape[1], shape[0]) if double and whole else None
            file.seek(at + 8 + length)
    return None


def _element(file: BinaryIO) -> bytes:
    """Read a small element; up to four bytes share eight with type and length, longer ones end at a multiple of eight."""
    head = file.read(8)
    kind, length = struct.unpack("<II", head)
    if kind >> 16:
        return head[4 : 4 + (kind >> 16)]
    content = file.read(length)
    file.seek(-length % 8, 1)
    return content


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
