"""Tables of samples: CSV, TSV and other delimited text with one header line."""

from __future__ import annotations

import csv
import io
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mmme.errors import ConfigError, DataError, raise_faults, unknown_name
from mmme.types import Reading, Stream

__all__ = ["read_columns"]

# names of time columns, and how long their unit is; a name that says neither is not guessed
_TIMES = {
    **dict.fromkeys(("time", "t", "time_s", "t_s", "seconds", "sec", "secs", "time (s)", "time [s]", "timestamp_s"), 1.0),
    **dict.fromkeys(("time_ms", "t_ms", "ms", "milliseconds", "time (ms)", "time [ms]", "timestamp_ms"), 1e-3),
    **dict.fromkeys(("time_us", "microseconds", "time (us)", "timestamp_us"), 1e-6),
}
_TRIGGERS = ("trigger", "triggers", "trig", "marker", "markers", "event_code", "stim")
_UNEVEN = 0.25  # times may be off a line by this part of a step and still be a constant rate
_UNIT = re.compile(r"(?P<label>.*?)\s*[\[(](?P<unit>[^\[\]()]*)[\])]\s*")


def read_columns(
    path: str | os.PathLike[str],
    *,
    time: str | None = None,
    fs: float | None = None,
    trigger: str | None = None,
    delimiter: str | None = None,
) -> Reading:
    r"""
    Read a table with one row per sample.

    Parameters
    ----------
    path
        Text file with one header line; a unit may stand behind a name in brackets, ``ECG (mV)``.
    time
        Column of times, in s unless its name ends in ``_ms`` or ``_us`` or has such a unit. Without it, a column called
        ``time``, ``t``, ``time_s``, ``time_ms`` or the like.
    fs
        Rate [Hz] of a table without times.
    trigger
        Column of trigger values; without it, one called ``trigger``, ``marker`` or the like, if there is one.
    delimiter
        Without it, comma, semicolon or tab, whichever divides the header.

    Returns
    -------
    Reading
        One stream per column of numbers, and ``trigger``. Times need not be even. Empty cells are NaN and counted in
        ``findings``.

    Raises
    ------
    ConfigError
        If a named column is not there, or there is neither a column of times nor a rate.
    DataError
        If the file is no table, times are missing or do not increase, or cells hold text (all of them at once).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "a.csv"
    ...     _ = file.write_text("time_ms;ECG (mV);trigger\n0;0.1;0\n4;0.3;7\n8;;7\n")
    ...     reading = read_columns(file)
    >>> [(s.name, s.unit, s.fs) for s in reading.streams], reading.findings
    ([('ECG', 'mV', 250.0), ('trigger', '', 250.0)], ('ECG (mV): 1 of 3 samples are empty',))
    """
    path = Path(path)
    where = f"*{path.suffix}"
    if not path.is_file():
        raise DataError(f"{where}: expected a table of samples, got no file")
    text = _decoded(path)
    delimiter = delimiter or _delimiter(text)
    try:
        header = [name.strip() for name in next(csv.reader([text.split("\n", 1)[0].rstrip("\r")], delimiter=delimiter))]
        table = pd.read_csv(
            io.StringIO(text), sep=delimiter, header=None, skiprows=1, names=range(len(header)), index_col=False
        )
    except (StopIteration, ValueError, pd.errors.ParserError) as error:
        raise DataError(
            f"{where}: expected a table with a header, got {' '.join(str(error).split())[:100] or 'nothing'}"
        ) from None
    if len(set(header)) != len(header) or "" in header:
        raise DataError(f"{where}: expected a header with a different name for each column, got {', '.join(header)}")
    values, faults = _numbers(table, header)
    raise_faults(where, faults)
    t_s, t_name = _times(where, header, values, time, fs)
    trigger_name = _trigger_name(where, header, trigger)
    rate = fs if t_name is None else _rate(t_s)
    streams, findings = [], []
    for name in header:
        if name == t_name:
            continue
        x = values[name]
        empty = int(np.isnan(x).sum())
        if empty == len(x):
            findings.append(f"{name}: expected numbers, got an empty column; left out")
            continue
        if empty:
            findings.append(f"{name}: {empty} of {len(x)} samples are empty")
        label, unit = _label_and_unit(name)
        streams.append(Stream("trigger" if name == trigger_name else label, "table", t_s, x, unit, rate))
    if not streams:
        raise DataError(f"{where}: expected at least one column beside the times, got none")
    return Reading(tuple(streams), np.empty(0), (), tuple(findings))


def _decoded(path: Path) -> str:
    """Text of the file: UTF-8 with or without a mark, or Latin-1."""
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _delimiter(text: str) -> str:
    """Return whichever of tab, semicolon and comma divides the header most often."""
    first = text.split("\n", 1)[0]
    return max("\t;,", key=first.count)


def _numbers(table: pd.DataFrame, header: list[str]) -> tuple[dict[str, NDArray[np.float64]], list[str]]:
    """Columns as numbers; what is text is a fault with its line."""
    values, faults = {}, []
    for k, name in enumerate(header):
        column = table[k]
        if column.dtype == object:
            texts = pd.Series([re.sub(r"^(-?\d+),(\d+)$", r"\1.\2", str(value).strip()) for value in column])
            nothing = texts.str.lower().isin(["nan", "n/a", "na", "", "none"])
            column = pd.to_numeric(texts.where(~nothing), errors="coerce")
            bad = np.flatnonzero(column.isna() & ~nothing)
            faults += [f"line {i + 2}: expected a number in {name}, got '{str(table[k].iloc[i])[:20]}'" for i in bad]
        values[name] = column.to_numpy(dtype=np.float64)
    return values, faults


def _times(
    where: str, header: list[str], values: dict[str, NDArray[np.float64]], time: str | None, fs: float | None
) -> tuple[NDArray[np.float64], str | None]:
    """Return times [s] and the column they come from."""
    if time is not None and time not in header:
        raise unknown_name("column", time, header, where=where)
    name = time or next((h for h in header if h.lower() in _TIMES), None)
    if name is None:
        if fs is None:
            raise ConfigError(
                f"{where}: expected a column of times such as time_s or a stated rate, got {', '.join(header)}; "
                "state time or rate_hz of the device"
            )
        return np.arange(len(values[header[0]])) / fs, None
    unit_s = (
        1e-3
        if re.search(r"(_ms|[\[(]ms[\])])$", name.lower())
        else 1e-6
        if re.search(r"(_us|[\[(]us[\])])$", name.lower())
        else 1.0
    )
    unit_s = _TIMES.get(name.lower(), unit_s)
    t_s = values[name] * unit_s
    if not np.isfinite(t_s).all():
        raise DataError(f"{where}: expected a time in every row, got none in line {int(np.argmax(~np.isfinite(t_s))) + 2}")
    if not np.all(np.diff(t_s) > 0):
        at = int(np.argmin(np.diff(t_s) > 0))
        raise DataError(f"{where}: expected increasing times, got {t_s[at]:g} s then {t_s[at + 1]:g} s in line {at + 3}")
    return t_s, name


def _trigger_name(where: str, header: list[str], trigger: str | None) -> str | None:
    if trigger is not None and trigger not in header:
        raise unknown_name("column", trigger, header, where=where)
    return trigger or next((h for h in header if h.lower() in _TRIGGERS), None)


def _rate(t_s: NDArray[np.float64]) -> float | None:
    """Constant rate of the rows [Hz]; None where there is none."""
    step = np.diff(t_s)
    middle = float(np.median(step))
    line = t_s[0] + np.arange(len(t_s)) * (t_s[-1] - t_s[0]) / max(len(t_s) - 1, 1)
    if np.abs(t_s - line).max() > _UNEVEN * middle:
        return None
    return float(np.round((len(t_s) - 1) / (t_s[-1] - t_s[0]), 9))


def _label_and_unit(name: str) -> tuple[str, str]:
    """Split ``ECG (mV)``."""
    match = _UNIT.fullmatch(name)
    return (match["label"], match["unit"].strip()) if match and match["label"] else (name, "")
