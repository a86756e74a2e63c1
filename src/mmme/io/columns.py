"""Tables of samples: CSV, TSV and other delimited text with one header line."""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import itertools
import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mmme.errors import ConfigError, DataError, raise_faults, unknown_name
from mmme.types import Reading, Stream

__all__ = ["read_columns"]

_SECONDS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("us", "µs", "μs", "usec", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("ns", "nsec", "nanoseconds"), 1e-9),
    **dict.fromkeys(("min", "minutes"), 60.0),
}
# what columns of times are called; those of the second line do not tell their unit, and nothing is guessed from values
_TIME = re.compile(r"(?:elapsed |relative )?(?:t|time|times|time ?stamps?|lsl time ?stamp)")
_TRIGGERS = ("trigger", "triggers", "trig", "marker", "markers", "event", "events", "event_code", "stim")
_UNIT = re.compile(r"(?P<label>.*?)\s*[\[(](?P<unit>[^\[\]()]*)[\])]\s*")
_NOTHING = ("", "nan", "n/a", "na", "none", "null", "-")
_COMMENTS = ("#", "%", "//")
_UNEVEN = 0.25  # a line through even times may be off by this part of a sample


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a table is written: its columns, their units, and the number (from 1) of the first line of values."""

    encoding: str
    delimiter: str
    decimal: str
    header: list[str]
    units: dict[str, str]
    first_line: int


def read_columns(
    path: str | os.PathLike[str],
    *,
    time: str | None = None,
    fs: float | None = None,
    trigger: str | None = None,
    units: Mapping[str, str] | None = None,
    delimiter: str | None = None,
) -> Reading:
    r"""
    Read a table with one row per sample.

    Parameters
    ----------
    path
        Text file with one header line, after comments that begin with ``#`` or ``%``. Units may stand behind names in
        brackets, ``ECG (mV)``, or in a line of their own below the header.
    time
        Column of times, if need be with its unit in brackets, ``"Timestamp [ms]"``. Without it, a column called ``time``,
        ``t``, ``timestamp``, ``seconds``, ``ms`` or the like. Cells may also be dates with times of day (ISO 8601), or
        times of day; times are then those since the first row.
    fs
        Rate [Hz] of a table without times. Of times whose unit nothing tells, the unit that gives this rate is taken;
        without it those called ``time`` or ``t`` are in s. Both are told.
    trigger
        Column of trigger values; without it, one called ``trigger``, ``marker``, ``event`` or the like, if there is one.
    units
        Units by column, where the file does not tell them.
    delimiter
        Without it, comma, semicolon or tab, whichever divides the header.

    Returns
    -------
    Reading
        One stream per column of numbers, and ``trigger``; a trigger column of text becomes annotations, one wherever the
        text changes. Times need not be even. Empty cells are NaN and counted in ``findings``; columns without any number
        are left out and told.

    Raises
    ------
    ConfigError
        If a named column is not there, or neither the file nor the caller tells times, their unit, or a rate.
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
    layout = _layout(where, path, delimiter)
    table = _table(where, path, layout)
    said = {**layout.units, **_known(where, units or {}, layout.header)}
    time_name, time_unit = _time_column(where, layout.header, time, said)
    trigger_name = trigger or next((h for h in layout.header if _plain(h) in _TRIGGERS), None)
    if trigger_name is not None and trigger_name not in layout.header:
        raise unknown_name("column", trigger_name, layout.header, where=where)
    started: dt.datetime | None = None
    rate: float | None = fs
    findings: list[str] = []
    if time_name is None:
        if fs is None:
            raise ConfigError(
                f"{where}: expected a column of times such as time_s or a stated rate, got {', '.join(layout.header)}; "
                "state time or rate_hz of the device"
            )
        t_s = np.arange(len(table)) / fs
    else:
        t_s, started = _times(where, table[layout.header.index(time_name)], time_name, time_unit, fs, layout, findings)
        rate = _rate(t_s)
    streams: list[Stream] = []
    faults: list[str] = []
    texts: list[tuple[float, str]] = []
    for k, name in enumerate(layout.header):
        if name == time_name:
            continue
        x, bad = _numbers(table[k], layout)
        filled = int(np.isfinite(x).sum())
        if name == trigger_name and bad:
            texts = _changes(t_s, table[k])
            continue
        if not filled:
            findings.append(f"{name}: expected numbers, got {'text' if bad else 'an empty column'}; left out")
            continue
        faults += [f"line {line}: expected a number in {name}, got '{text}'" for line, text in bad]
        if len(x) > filled + len(bad):
            findings.append(f"{name}: {len(x) - filled} of {len(x)} samples are empty")
        label, unit = _label_and_unit(name)
        label = "trigger" if name == trigger_name else label
        streams.append(Stream(label, "table", t_s, x, said.get(name, unit), rate))
    raise_faults(where, faults)
    if not streams and not texts:
        raise DataError(f"{where}: expected at least one column beside the times, got none")
    text_t_s = np.array([t for t, _ in texts], dtype=np.float64)
    return Reading(tuple(streams), text_t_s, tuple(text for _, text in texts), tuple(findings), started)


def _layout(where: str, path: Path, delimiter: str | None) -> _Layout:
    """Look at the beginning of the file."""
    encoding = _encoding(path)
    with path.open(encoding=encoding, newline="") as file:
        lines = [line.rstrip("\r\n") for line in itertools.islice(file, 200)]
    top = next((k for k, line in enumerate(lines) if line.strip() and not line.lstrip().startswith(_COMMENTS)), None)
    if top is None or top + 1 >= len(lines):
        raise DataError(
            f"{where}: expected a table with a header and rows below it, got {'a header' if lines else 'nothing'}"
        )
    delimiter = delimiter or max("\t;,", key=lines[top].count)
    header = [name.strip() for name in next(csv.reader([lines[top]], delimiter=delimiter))]
    if header[-1] == "" and len(header) > 1:  # a delimiter at the end of every line
        header.pop()
    if len(set(header)) != len(header) or "" in header:
        raise DataError(f"{where}: expected a header with a different name for each column, got {', '.join(header)}")
    if all(_is_number(name) for name in header):
        raise DataError(f"{where}: expected a header with names of columns, got numbers: {', '.join(header)[:60]}")
    second = [cell.strip() for cell in next(csv.reader([lines[top + 1]], delimiter=delimiter), [])][: len(header)]
    has_units = any(cell.lower() not in _NOTHING for cell in second) and not any(map(_is_value, second))
    units = {name: cell for name, cell in zip(header, second, strict=False) if cell} if has_units else {}
    sample = "\n".join(lines[top + 1 :])
    comma = delimiter != "," and bool(re.search(r"\d,\d", sample)) and not re.search(r"\d\.\d", sample)
    return _Layout(encoding, delimiter, "," if comma else ".", header, units, top + 2 + has_units)


def _encoding(path: Path) -> str:
    """UTF-8 or UTF-16 with a mark, UTF-8, or else Latin-1."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        head = file.read(4)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        file.seek(0)
        try:
            while block := file.read(1 << 20):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "latin-1"
    return "utf-8-sig"


def _table(where: str, path: Path, layout: _Layout) -> pd.DataFrame:
    """All rows; numbers as numbers where a whole column is."""
    n = len(layout.header)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            table = pd.read_csv(
                path, sep=layout.delimiter, header=None, names=list(range(n)), index_col=False, low_memory=False,
                skiprows=layout.first_line - 1, skip_blank_lines=False, skipinitialspace=True, encoding=layout.encoding,
                decimal=layout.decimal, na_values=[*_NOTHING, "NaN", "N/A", "NA"],
            )  # fmt: skip
        except (ValueError, pd.errors.ParserError, pd.errors.ParserWarning) as error:
            reason = " ".join(str(error).split())[:100]
            if "Length of header" in reason:
                reason = "rows with more"
            raise DataError(
                f"{where}: expected a table of {n} columns as in its header, got {reason or 'nothing'}"
            ) from None
    filled = np.flatnonzero(table.notna().to_numpy().any(axis=1))
    return table.iloc[: filled[-1] + 1 if filled.size else 0]


def _known(where: str, units: Mapping[str, str], header: list[str]) -> dict[str, str]:
    for name in units:
        if name not in header:
            raise unknown_name("column", name, header, where=where)
    return dict(units)


def _plain(name: str) -> str:
    """Return a name in small letters without its unit."""
    return _label_and_unit(name)[0].lower()


def _time_column(
    where: str, header: list[str], time: str | None, said: Mapping[str, str]
) -> tuple[str | None, float | None]:
    """Find the column of times and how many seconds its unit has, as far as names tell."""
    if time is not None:
        label, unit = _label_and_unit(time)
        if time not in header and (label not in header or unit.lower() not in _SECONDS):
            raise unknown_name("column", time, header, where=where)
        if time not in header:
            return label, _SECONDS[unit.lower()]
        return time, _unit_s(time, said)
    for name in header:
        plain = re.sub(r"[_\s]+", " ", _plain(name))
        base, _, last = plain.rpartition(" ")
        if plain in _SECONDS or _TIME.fullmatch(plain) or (last in _SECONDS and _TIME.fullmatch(base)):
            return name, _unit_s(name, said)
    return None, None


def _unit_s(name: str, said: Mapping[str, str]) -> float | None:
    """Seconds per unit of times, from a stated unit or the name; None where neither tells."""
    label, unit = _label_and_unit(name)
    words = re.split(r"[_\s]+", label.lower())
    for text in (said.get(name, ""), unit, words[-1]):
        if text.lower() in _SECONDS:
            return _SECONDS[text.lower()]
    return None


def _times(
    where: str, column: pd.Series, name: str, unit_s: float | None, fs: float | None, layout: _Layout, findings: list[str]
) -> tuple[NDArray[np.float64], dt.datetime | None]:
    """Return times [s] of the rows, and when they began if cells are dates."""
    started = None
    x, bad = _numbers(column, layout)
    if len(bad) == len(x) and len(x):
        t_s, started = _clock(where, column, name)
    else:
        raise_faults(where, [f"line {line}: expected a time in {name}, got '{text}'" for line, text in bad])
        if np.isnan(x).any():
            line = int(np.argmax(np.isnan(x))) + layout.first_line
            raise DataError(f"{where}: expected a time in every row, got none in line {line}")
        t_s = x * (_fitting(where, x, name, fs, findings) if unit_s is None else unit_s)
    if len(t_s) < 2:
        raise DataError(f"{where}: expected at least 2 rows, got {len(t_s)}")
    if not np.all(np.diff(t_s) > 0):
        at = int(np.argmin(np.diff(t_s) > 0))
        line = at + 1 + layout.first_line
        raise DataError(
            f"{where}: expected increasing times, got {t_s[at]:.10g} s then {t_s[at + 1]:.10g} s in line {line}"
        )
    return t_s, started


def _clock(where: str, column: pd.Series, name: str) -> tuple[NDArray[np.float64], dt.datetime | None]:
    """Read times [s] since the first row from dates with times of day, or from times of day."""
    cells = pd.Series([str(cell).strip() for cell in column])
    try:
        if re.match(r"\d{4}[-/]", cells.iloc[0]):
            stamps = pd.to_datetime(cells.str.replace("/", "-"), format="ISO8601")
            since = stamps - stamps.iloc[0]
            return since.dt.total_seconds().to_numpy(dtype=np.float64), stamps.iloc[0].to_pydatetime()
        since = pd.to_timedelta(cells)
        return (since - since.iloc[0]).dt.total_seconds().to_numpy(dtype=np.float64), None
    except ValueError:
        raise DataError(
            f"{where}: expected numbers, dates (2024-03-11 10:00:00.123) or times of day in {name}, "
            f"got '{cells.iloc[0][:30]}'"
        ) from None


def _fitting(where: str, x: NDArray[np.float64], name: str, fs: float | None, findings: list[str]) -> float:
    """Return the unit [s] of times that do not tell it: the one with the stated rate; else that of 'time' and 't' is s."""
    middle = float(np.median(np.diff(x))) if len(x) > 1 else float("nan")
    for unit_s, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")):
        if fs is not None and abs(middle * unit_s * fs - 1) < 0.1:
            findings.append(f"nothing tells the unit of '{name}'; in {unit} it has the stated rate")
            return unit_s
    if _plain(name) in ("t", "time"):
        findings.append(f"nothing tells the unit of '{name}'; it is taken to be in s, one row every {middle:g} s")
        return 1.0
    reason = "the stated rate fits none" if fs is not None else "its name does not tell"
    raise ConfigError(
        f"{where}: expected the unit of the times in '{name}', got none ({reason}); "
        f'state it like time = "{_label_and_unit(name)[0]} [ms]"'
    )


def _numbers(column: pd.Series, layout: _Layout) -> tuple[NDArray[np.float64], list[tuple[int, str]]]:
    """Column as numbers (NaN where empty), and the cells that hold text, with their lines."""
    if column.dtype != object:
        return column.to_numpy(dtype=np.float64), []
    texts = pd.Series([str(cell).strip() for cell in column])
    if layout.delimiter != ",":
        texts = texts.str.replace(r"^(-?\d+),(\d+)$", r"\1.\2", regex=True)
    nothing = column.isna() | texts.str.lower().isin(_NOTHING)
    x = pd.to_numeric(texts.where(~nothing), errors="coerce").to_numpy(dtype=np.float64)
    bad = np.flatnonzero(np.isnan(x) & ~nothing.to_numpy())
    return x, [(int(i) + layout.first_line, texts.iloc[i][:20]) for i in bad]


def _changes(t_s: NDArray[np.float64], column: pd.Series) -> list[tuple[float, str]]:
    """List times and texts where a column of texts changes to a text."""
    texts = ["" if pd.isna(cell) else str(cell).strip() for cell in column]
    before = ["", *texts[:-1]]
    return [(float(t), text) for t, text, last in zip(t_s, texts, before, strict=True) if text and text != last]


def _rate(t_s: NDArray[np.float64]) -> float | None:
    """Constant rate of the rows [Hz]; None where there is none."""
    middle = float(np.median(np.diff(t_s)))
    line = t_s[0] + np.arange(len(t_s)) * (t_s[-1] - t_s[0]) / max(len(t_s) - 1, 1)
    if np.abs(t_s - line).max() > _UNEVEN * middle:
        return None
    return float(np.round((len(t_s) - 1) / (t_s[-1] - t_s[0]), 9))


def _label_and_unit(name: str) -> tuple[str, str]:
    """Split ``ECG (mV)``."""
    match = _UNIT.fullmatch(name)
    return (match["label"], match["unit"].strip()) if match and match["label"] else (name, "")


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"\s*[-+]?(\d+([.,]\d*)?|[.,]\d+)(e[-+]?\d+)?\s*", text, re.IGNORECASE))


def _is_value(text: str) -> bool:
    """Tell whether a cell is a number, a date or a time of day, not a unit."""
    return _is_number(text) or bool(re.match(r"\d{1,4}[-/:]\d", text))
