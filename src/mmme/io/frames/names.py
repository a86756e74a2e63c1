"""
Names of camera frames: what they say, and the order in which the frames were saved.

A frame is named ``YYYY-MM-DD-HH-MM-SS-mmm-CODE-MARKER.tif``: the wall clock of the computer when it took the frame out
of its queue, a running code 001..1000 that wraps and counts *saved* frames only, and the trigger value. Other laboratories
state a pattern of their names.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError, DataError, raise_faults, unknown_name
from mmme.io.frames.clock import WRAP, running_number

__all__ = ["FrameIndex", "FrameName", "index_frames", "parse_frame_name"]

_NAME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d{3})-(\d{3,4})-(\d{3})\.(?:tiff?|png|jpe?g|bmp)", re.IGNORECASE
)
_NUMBERED = re.compile(r".*?(?P<frame>\d+)\.(?:tiff?|png|jpe?g|bmp)", re.IGNORECASE)
_ENDINGS = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp")
_GROUPS = ("year", "month", "day", "hour", "minute", "second", "ms", "code", "marker", "frame")
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class FrameName:
    """What one file name says: date, milliseconds since its midnight, running code 1..1000, trigger value 0..255."""

    date: dt.date
    time_of_day_ms: int
    code: int
    marker: int


@dataclass(frozen=True, slots=True, eq=False)
class FrameIndex:
    """
    The frames of one folder in the order in which they were saved.

    Parameters
    ----------
    folder
        Where they lie.
    names : (n,)
        File names.
    host_s : (n,) float64 or None
        Stamp [s] since midnight of the first frame's date, running on over midnight; None where names tell no time.
    code : (n,) int64
        Running code 1..1000.
    marker : (n,) int64 or None
        Trigger value 0..255; None where names tell none.
    number : (n,) int64 or None
        Number in the name; None where names tell none.
    """

    folder: Path
    names: tuple[str, ...]
    host_s: NDArray[np.float64] | None
    code: NDArray[np.int64]
    marker: NDArray[np.int64] | None
    number: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        """Count frames."""
        return len(self.names)

    @property
    def paths(self) -> tuple[Path, ...]:
        """Full path of every frame."""
        return tuple(self.folder / name for name in self.names)


def parse_frame_name(name: str) -> FrameName:
    """
    Read a camera file name.

    Parameters
    ----------
    name
        File name without folder.

    Returns
    -------
    FrameName
        Its parts.

    Raises
    ------
    DataError
        If the name has another form, or an impossible date, time, code or trigger value.

    Examples
    --------
    >>> frame = parse_frame_name("2023-07-21-16-45-38-257-410-112.tif")
    >>> frame.time_of_day_ms, frame.code, frame.marker
    (60338257, 410, 112)
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise DataError(f"frame '{name}': expected YYYY-MM-DD-HH-MM-SS-mmm-CODE-MARKER.tif, got another form")
    year, month, day, hour, minute, second, ms, code, marker = (int(part) for part in match.groups())
    try:
        date = dt.date(year, month, day)
        dt.time(hour, minute, second)
    except ValueError as error:
        raise DataError(f"frame '{name}': expected a date and a time of day, got {error}") from None
    if not 1 <= code <= WRAP:
        raise DataError(f"frame '{name}': expected a running code 1..{WRAP}, got {code}")
    if marker > 255:
        raise DataError(f"frame '{name}': expected a trigger value 0..255, got {marker}")
    return FrameName(date, ((hour * 60 + minute) * 60 + second) * 1000 + ms, code, marker)


def index_frames(folder: str | os.PathLike[str], *, pattern: str | None = None) -> FrameIndex:
    """
    List the camera frames of a folder in the order of saving, without opening any.

    Parameters
    ----------
    folder
        Folder that holds frames and nothing else (hidden files apart).
    pattern
        Regular expression of names (with or without their ending) that are not
        ``YYYY-MM-DD-HH-MM-SS-mmm-CODE-MARKER``, with some of the groups ``year month day hour minute second ms code marker
        frame``; ``ms`` behind ``second`` is a decimal fraction, alone it is a whole number of ms. Without a pattern, names
        of that form; or else names that end in a number, such as ``img046.jpg``.

    Returns
    -------
    FrameIndex
        Ordered by running code where stamps cross or tie; by number where names tell no time.

    Raises
    ------
    ConfigError
        If the pattern is no regular expression, or has neither a time nor a frame number.
    DataError
        If the folder is missing or empty, holds other files, or two frames claim the same place.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder.name}: expected a folder of camera frames, got none")
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    if not names:
        raise DataError(f"{folder.name}: expected camera frames, got an empty folder; was the camera started?")
    if pattern is not None:
        return _by_pattern(folder, names, _compiled(pattern))
    if _NAME.fullmatch(names[0]) is None and all(_NUMBERED.fullmatch(name) for name in names):
        return _by_pattern(folder, names, _NUMBERED)
    day, host_ms, code, marker = _parsed(folder.name, names)
    return _in_order(folder, names, host_ms + (day - day.min()) * _DAY_MS, code, marker, None)


def _parsed(where: str, names: list[str]) -> tuple[NDArray[np.int64], ...]:
    """
    Read names of the standard form all at once: day (ordinal), milliseconds of the day, running code, trigger value.

    Names of one length have their digits at the same places, so they are read as a table of characters; whatever is not of
    that form goes through `parse_frame_name`, which says why.
    """
    found = np.zeros((4, len(names)), dtype=np.int64)
    left = np.ones(len(names), dtype=bool)
    lengths = np.fromiter((len(name) for name in names), dtype=np.int64, count=len(names))
    for length in np.unique(lengths):
        at = np.flatnonzero(lengths == length)
        table = np.array([names[k] for k in at]).astype(f"S{length}") if _ascii(names, at) else None
        if table is None:
            continue
        characters = table.view(np.uint8).reshape(len(at), length)
        for n_code in (3, 4):
            good, parts = _fields(characters, n_code)
            year, month, day, hour, minute, second, ms, code, marker = parts
            good &= left[at] & (hour < 24) & (minute < 60) & (second < 60)
            good &= (code >= 1) & (code <= WRAP) & (marker <= 255)
            if not good.any():
                continue
            days, which = np.unique(((year * 100 + month) * 100 + day)[good], return_inverse=True)
            ordinal = np.array([_ordinal(int(d)) for d in days], dtype=np.int64)[which]
            good[good] = ordinal > 0
            of_day = ((hour * 60 + minute) * 60 + second) * 1000 + ms
            found[:, at[good]] = ordinal[ordinal > 0], of_day[good], code[good], marker[good]
            left[at[good]] = False
    faults = []
    for k in np.flatnonzero(left):
        try:
            frame = parse_frame_name(names[k])
        except DataError as error:
            faults.append(str(error))
            continue
        found[:, k] = frame.date.toordinal(), frame.time_of_day_ms, frame.code, frame.marker
    raise_faults(where, faults)
    return tuple(found)


def _ordinal(day: int) -> int:
    """Ordinal of a day YYYYMMDD; 0 where there is no such day."""
    try:
        return dt.date(day // 10_000, day // 100 % 100, day % 100).toordinal()
    except ValueError:
        return 0


def _ascii(names: list[str], at: NDArray[np.int64]) -> bool:
    return all(names[k].isascii() for k in at)


def _fields(characters: NDArray[np.uint8], n_code: int) -> tuple[NDArray[np.bool_], list[NDArray[np.int64]]]:
    """Numbers at their places in names of one length, and which names have digits and dashes there and a known ending."""
    n = len(characters)
    good = np.ones(n, dtype=bool)
    parts = []
    at = 0
    for k, width in enumerate((4, 2, 2, 2, 2, 2, 3, n_code, 3)):
        if at + width > characters.shape[1]:
            return np.zeros(n, dtype=bool), [np.zeros(n, dtype=np.int64)] * 9
        digits = characters[:, at : at + width].astype(np.int64) - ord("0")
        good &= ((digits >= 0) & (digits <= 9)).all(axis=1)
        parts.append(digits @ (10 ** np.arange(width - 1, -1, -1)))
        at += width
        if k < 8:
            good &= characters[:, at] == ord("-") if at < characters.shape[1] else False
            at += 1
    endings = characters[:, at:].tobytes().decode("latin-1").lower()
    width = characters.shape[1] - at
    known = {endings[k * width : (k + 1) * width] in _ENDINGS for k in range(n)} if width else {False}
    if known != {True}:
        good &= np.array([endings[k * width : (k + 1) * width] in _ENDINGS for k in range(n)]) if width else False
    return good, parts


def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a stated pattern of names."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"frame_name '{pattern}': expected a regular expression, got {error}") from None
    groups = set(compiled.groupindex)
    if unknown := sorted(groups - set(_GROUPS)):
        raise unknown_name("group", unknown[0], _GROUPS, where=f"frame_name '{pattern}'")
    if not groups & {"frame", "second", "ms"}:
        raise ConfigError(
            f"frame_name '{pattern}': expected the group frame, or a time (second or ms, with hour and minute where they "
            "are written); got neither"
        )
    return compiled


def _by_pattern(folder: Path, names: list[str], pattern: re.Pattern[str]) -> FrameIndex:
    """Index names by a pattern with named groups."""
    matches = [pattern.fullmatch(name) or pattern.fullmatch(name.rpartition(".")[0]) for name in names]
    faults = [
        f"frame '{name}': expected the form of frame_name, got another"
        for name, m in zip(names, matches, strict=True)
        if not m
    ]
    faults += [
        f"frame '{name}': expected one of {', '.join(_ENDINGS)}"
        for name in names
        if Path(name).suffix.lower() not in _ENDINGS
    ]
    raise_faults(folder.name, faults)
    groups = set(pattern.groupindex)

    def column(name: str) -> NDArray[np.int64]:
        if name not in groups:
            return np.zeros(len(names), dtype=np.int64)
        texts = [m[name] for m in matches if m]
        bad = [k for k, text in enumerate(texts) if not (text or "").isdecimal()]
        raise_faults(folder.name, [f"frame '{names[k]}': expected a whole number as {name}, got '{texts[k]}'" for k in bad])
        return np.array([int(text) for text in texts], dtype=np.int64)

    number = column("frame") if "frame" in groups else None
    marker = column("marker") if "marker" in groups else None
    if not groups & {"second", "ms"}:
        assert number is not None
        order = np.argsort(number, kind="stable")
        twice = np.flatnonzero(np.diff(number[order]) == 0)
        raise_faults(
            folder.name, [f"frames '{names[order[i]]}' and '{names[order[i + 1]]}' claim the same place" for i in twice]
        )
        kept = None if marker is None else marker[order]
        return FrameIndex(folder, tuple(names[i] for i in order), None, number[order] % WRAP + 1, kept, number[order])
    ms = ((column("hour") * 60 + column("minute")) * 60 + column("second")) * 1000
    if "ms" in groups and "second" in groups:  # a fraction, however many digits it has
        column("ms")
        ms += np.array([round(float(f"0.{m['ms']}") * 1000) for m in matches if m], dtype=np.int64)
    elif "ms" in groups:
        ms += column("ms")
    if {"year", "month", "day"} <= groups:
        days = _days(folder.name, names, column("year"), column("month"), column("day"))
        ms += (days - days.min()) * _DAY_MS
    if "code" in groups:
        code = column("code")
    elif number is not None:
        code = number % WRAP + 1
    else:
        code = np.argsort(np.argsort(ms, kind="stable"), kind="stable") % WRAP + 1
    return _in_order(folder, names, ms, code, marker, number)


def _days(
    where: str, names: list[str], year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Ordinals of days; a fault for each name with an impossible one."""
    dates, which = np.unique((year * 100 + month) * 100 + day, return_inverse=True)
    ordinals = np.array([_ordinal(int(date)) for date in dates], dtype=np.int64)[which]
    impossible = np.flatnonzero(ordinals == 0)
    raise_faults(where, [f"frame '{names[k]}': expected a date, got {year[k]}-{month[k]}-{day[k]}" for k in impossible])
    return ordinals


def _in_order(
    folder: Path,
    names: list[str],
    host_ms: NDArray[np.int64],
    code: NDArray[np.int64],
    marker: NDArray[np.int64] | None,
    number: NDArray[np.int64] | None,
) -> FrameIndex:
    """Order frames by stamp, and by running code where stamps cross or tie."""
    order = np.argsort(host_ms, kind="stable")
    order = order[np.argsort(running_number(host_ms[order] / 1000.0, code[order]), kind="stable")]
    running = running_number(host_ms[order] / 1000.0, code[order])
    twice = np.flatnonzero(np.diff(running) == 0)
    clashes = [f"frames '{names[order[i]]}' and '{names[order[i + 1]]}' claim the same place" for i in twice]
    raise_faults(folder.name, clashes)
    return FrameIndex(
        folder,
        tuple(names[i] for i in order),
        host_ms[order] / 1000.0,
        code[order],
        None if marker is None else marker[order],
        None if number is None else number[order],
    )
