"""
BIOPAC recordings as AcqKnowledge exports them to MATLAB: analogue signals, and a trigger value on eight digital lines.

Nothing is assumed about units: they are read from the file and brought to V, µS and °C.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray

from mmme.errors import DataError, raise_faults

__all__ = ["Biopac", "LineCodes", "decode_lines", "read_biopac_mat"]

# first part of a label -> stream; sensors that exist twice get a letter from the second on
SIGNALS: Mapping[str, str] = MappingProxyType(
    {
        "PPG": "ppg",
        "RSP": "rsp",
        "EMG": "emg",
        "EMG A": "emg",
        "EMG B": "emg_b",
        "SKT": "skt",
        "SKT A": "skt",
        "SKT B": "skt_b",
        "EDA": "eda",
        "ECG": "ecg",
    }
)
_STORED = {"eda": "µS", "skt": "°C", "skt_b": "°C"}  # all others: V
# (dimension, factor, constant): stored value = factor * x + constant
_UNITS: Mapping[str, tuple[str, float, float]] = MappingProxyType(
    {
        **dict.fromkeys(("v", "volt", "volts"), ("V", 1.0, 0.0)),
        **dict.fromkeys(("mv", "millivolt", "millivolts"), ("V", 1e-3, 0.0)),
        **dict.fromkeys(("uv", "microvolt", "microvolts"), ("V", 1e-6, 0.0)),
        **dict.fromkeys(
            ("us", "umho", "umhos", "micromho", "micromhos", "microsiemens", "delta microsiemens"), ("µS", 1.0, 0.0)
        ),
        **dict.fromkeys(("s", "siemens", "mho"), ("µS", 1e6, 0.0)),
        **dict.fromkeys(("c", "degc", "deg c", "°c", "celsius", "degrees c"), ("°C", 1.0, 0.0)),
        **dict.fromkeys(("f", "degf", "deg f", "°f", "fahrenheit", "degrees f"), ("°C", 5 / 9, -160 / 9)),
    }
)
_LINE = re.compile(r"Digital \(STP Input (\d)\)")
_ISI_S = {"ms": 1e-3, "s": 1.0, "sec": 1.0, "us": 1e-6, "µs": 1e-6}


@dataclass(frozen=True, slots=True, eq=False)
class Biopac:
    """
    One BIOPAC recording.

    Parameters
    ----------
    t0_s
        Time of the first sample on the device clock [s].
    fs
        Sampling rate [Hz].
    signals
        By stream name, ``(n,)`` float64 in stored units.
    units
        Stored unit by stream name.
    lines : (n, 8) float64
        Digital input lines 0 to 7 as recorded [V].
    left_out
        Labels of columns that are neither, such as rates that the recorder calculated.
    """

    t0_s: float
    fs: float
    signals: Mapping[str, NDArray[np.float64]]
    units: Mapping[str, str]
    lines: NDArray[np.float64]
    left_out: tuple[str, ...]

    @property
    def n(self) -> int:
        """Count samples."""
        return int(self.lines.shape[0])

    @property
    def t(self) -> NDArray[np.float64]:
        """Sample times (n,) on the device clock [s]."""
        return self.t0_s + np.arange(self.n) / self.fs


@dataclass(frozen=True, slots=True, eq=False)
class LineCodes:
    """
    Trigger values held on digital lines.

    Parameters
    ----------
    initial
        Value held at the start.
    first : (m,) int64
        Sample at which each change began.
    codes : (m,) int64
        Value held from then on.
    n_unsettled
        Changes that returned to the value before, or never came to rest: spikes, not values.
    """

    initial: int
    first: NDArray[np.int64]
    codes: NDArray[np.int64]
    n_unsettled: int


def decode_lines(lines: NDArray[Any], fs: float, *, settle_s: float = 0.005) -> LineCodes:
    """
    Read the 8-bit values that are held on digital lines.

    Bit k is line k. Each line's threshold lies midway between its own levels (2.5 V for a line that never changes). Lines
    may switch some samples apart: a value counts once it has been held for ``settle_s``, and dates from the first change
    of the burst that led to it.

    Parameters
    ----------
    lines : (n, n_lines)
        Levels [V], line 0 first.
    fs
        Sampling rate [Hz].
    settle_s
        How long a value must be held to count [s]; two samples at least.

    Returns
    -------
    LineCodes
        The initial value and the changes.

    Raises
    ------
    DataError
        If no value is ever held that long.

    Examples
    --------
    >>> held = decode_lines(np.tile([0, 0, 5, 0, 0, 5, 5, 0], (10, 1)), 1000.0)
    >>> held.initial, len(held.codes)
    (100, 0)
    """
    lines = np.asarray(lines)
    n = lines.shape[0]
    value = np.zeros(n, dtype=np.int64)
    for k in range(lines.shape[1]):
        low, high = (float(lines[:, k].min()), float(lines[:, k].max())) if n else (0.0, 0.0)
        threshold = 0.5 * (low + high) if high - low > 1.0 else 2.5
        value |= (lines[:, k] > threshold).astype(np.int64) << k
    starts = np.concatenate([[0], np.flatnonzero(np.diff(value)) + 1])
    lengths = np.diff(np.concatenate([starts, [n]]))
    held = np.flatnonzero(lengths >= max(2, int(np.ceil(settle_s * fs))))  # lines may always switch one sample apart
    if n == 0 or held.size == 0:
        raise DataError(f"digital lines: expected a value held for {settle_s * 1000:g} ms, got none in {n} samples")
    codes = value[starts[held]]
    # the run after the last one held is where the burst began
    began = starts[np.concatenate([[0], held[:-1] + 1])]
    new = np.concatenate([[False], np.diff(codes) != 0])
    unsettled = int(np.sum(np.diff(codes) == 0)) + int(held[-1] != starts.size - 1)
    return LineCodes(int(codes[0]), began[new].astype(np.int64), codes[new], unsettled)


def read_biopac_mat(path: str | os.PathLike[str]) -> Biopac:
    """
    Read an AcqKnowledge export to MATLAB (version 5 files).

    Parameters
    ----------
    path
        ``.mat`` file with ``data, labels, units, isi, isi_units`` and, if the recording was cut, ``start_sample``.

    Returns
    -------
    Biopac
        Signals in V, µS and °C, and the digital lines.

    Raises
    ------
    DataError
        If the file is no such export, a unit is unknown, or digital lines are missing; all faults at once.
    """
    path = Path(path)
    content = _load(path)
    missing = [name for name in ("data", "labels", "units", "isi", "isi_units") if name not in content]
    if missing:
        raise DataError(f"{path.name}: expected an AcqKnowledge export, got one without {', '.join(missing)}")
    data = np.asarray(content["data"])
    labels, units = _texts(content["labels"]), _texts(content["units"])
    if data.ndim != 2 or data.shape[0] < 2 or len(labels) != data.shape[1] or len(units) != data.shape[1]:
        raise DataError(
            f"{path.name}: expected one label and one unit per column of data (n, columns), "
            f"got data {data.shape}, {len(labels)} labels, {len(units)} units"
        )
    if not np.isfinite(data).all():
        raise DataError(f"{path.name}: expected finite samples, got NaN or infinity in {_bad_columns(data, labels)}")
    isi, isi_unit = float(np.ravel(content["isi"])[0]), _texts(content["isi_units"])[0]
    faults = []
    if isi_unit not in _ISI_S or not isi > 0:
        faults.append(f"expected a sample interval above 0 in {', '.join(_ISI_S)}, got {isi} {isi_unit}")
    signals: dict[str, NDArray[np.float64]] = {}
    lines: dict[int, int] = {}
    left_out = []
    for column, (label, unit) in enumerate(zip(labels, units, strict=True)):
        line = _LINE.fullmatch(label.strip())
        name = SIGNALS.get(label.split(",")[0].strip())
        if line:
            lines[int(line[1])] = column
        elif name is None:
            left_out.append(label)
        elif name in signals:
            faults.append(f"column {column + 1} '{label}': expected one {name} column, got a second")
        else:
            values, fault = _in_stored_unit(data[:, column], unit, _STORED.get(name, "V"))
            signals[name] = values
            faults += [f"column {column + 1} '{label}': {fault}"] if fault else []
    if sorted(lines) != list(range(8)):
        faults.append(f"expected columns 'Digital (STP Input 0)' to 7, got inputs {sorted(lines) or 'none'}")
    if not signals:
        faults.append(f"expected signals such as 'ECG, X, RSPEC-R', got {', '.join(labels)}")
    raise_faults(path.name, faults)
    step_s = isi * _ISI_S[isi_unit]
    start = float(np.ravel(content["start_sample"])[0]) if "start_sample" in content else 0.0
    stored = {name: _STORED.get(name, "V") for name in signals}
    levels = data[:, [lines[k] for k in range(8)]]
    return Biopac(start * step_s, 1.0 / step_s, signals, stored, levels, tuple(left_out))


def _load(path: Path) -> dict[str, Any]:
    """Read the variables of a MATLAB file of version 5."""
    if not path.is_file():
        raise DataError(f"{path.name}: expected a MATLAB file, got no file")
    try:
        content: dict[str, Any] = scipy.io.loadmat(path)
    except NotImplementedError:
        raise DataError(
            f"{path.name}: expected a MATLAB file of version 5, got version 7.3; save it again with save(..., '-v7')"
        ) from None
    except Exception as error:
        raise DataError(
            f"{path.name}: expected a MATLAB file, got one that cannot be read ({type(error).__name__}); is it cut short?"
        ) from None
    return content


def _texts(value: Any) -> list[str]:
    """Strings of a MATLAB char matrix (padded rows) or cell array."""
    return [str(np.ravel(v)[0] if isinstance(v, np.ndarray) and v.size else v).strip() for v in np.ravel(value)]


def _bad_columns(data: NDArray[Any], labels: list[str]) -> str:
    """Labels of columns with values that are not finite."""
    return ", ".join(f"'{label}'" for k, label in enumerate(labels) if not np.isfinite(data[:, k]).all())


def _in_stored_unit(values: NDArray[Any], unit: str, stored: str) -> tuple[NDArray[np.float64], str]:
    """Convert to the stored unit, or say why not."""
    known = _UNITS.get(unit.strip().replace("µ", "u").replace("μ", "u").lower())
    if known is None or known[0] != stored:
        return values, f"expected a unit that means {stored}, got '{unit}'"
    return np.ascontiguousarray(known[1] * values + known[2], dtype=np.float64), ""
