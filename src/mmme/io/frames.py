"""
Camera frames: what their file names say, and when they were taken.

A frame is named ``YYYY-MM-DD-HH-MM-SS-mmm-CODE-MARKER.tif``: the wall clock of the computer when it took the frame out
of its queue, a running code 001..1000 that wraps and counts *saved* frames only, and the trigger value. The stamp is late
by some milliseconds, by tens of milliseconds during a stall, and a frame that the camera lost leaves no trace but a gap.
`frame_clock` turns stamps into the times at which frames were taken.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError, DataError, raise_faults, unknown_name

__all__ = ["FrameClock", "FrameIndex", "FrameName", "frame_clock", "frame_markers", "index_frames", "parse_frame_name"]

WRAP = 1000
_NAME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d{3})-(\d{3,4})-(\d{3})\.(?:tiff?|png|jpe?g|bmp)", re.IGNORECASE
)
_NUMBERED = re.compile(r".*?(?P<frame>\d+)\.(?:tiff?|png|jpe?g|bmp)", re.IGNORECASE)
_ENDINGS = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp")
_GROUPS = ("year", "month", "day", "hour", "minute", "second", "ms", "code", "marker", "frame")
_DAY_MS = 86_400_000
_PAUSE_S = 0.25  # stalls last a quarter of this; saving pauses between trials last longer
_STAMP_S = 0.001  # resolution of the stamps
_SETTLED = 4  # frames in a row on the grid; of frames that waited, no more than three come that evenly
_DRIFT_BLOCK_S = 30.0  # a clock that bends by 5 ppm moves by 0.15 ms meanwhile


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


@dataclass(frozen=True, slots=True, eq=False)
class FrameClock:
    """
    When each frame was taken, and how sure that is.

    Parameters
    ----------
    t_s : (n,) float64
        Time taken [s] on the clock of the stamps, strictly increasing.
    uncertainty_s : (n,) float64
        Standard uncertainty of ``t_s`` [s] against the other frames; a delay that all frames share is not in it.
    period_s
        Time between two frames when none is lost [s].
    dropped_before : (n,) int64
        Frames lost between this one and the one before; 0 at the start of a segment.
    missing_before : (n,) int64
        How many of those had a running code, so were saved and have since left the folder.
    late_s : (n,) float64
        Stamp minus ``t_s`` [s].
    segment : (n,) int64
        Number of the stretch between pauses of saving, from 0.
    """

    t_s: NDArray[np.float64]
    uncertainty_s: NDArray[np.float64]
    period_s: float
    dropped_before: NDArray[np.int64]
    missing_before: NDArray[np.int64]
    late_s: NDArray[np.float64]
    segment: NDArray[np.int64]

    @property
    def n_stalls(self) -> int:
        """Runs of frames that arrived more than two periods late."""
        late = self.late_s > 2 * self.period_s
        return int(np.sum(late[1:] & ~late[:-1]) + late[0])


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
    order = order[np.argsort(_running_number(host_ms[order] / 1000.0, code[order]), kind="stable")]
    running = _running_number(host_ms[order] / 1000.0, code[order])
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


def _running_number(host_s: NDArray[np.float64], code: NDArray[np.int64]) -> NDArray[np.int64]:
    """Unwrap the running code; small steps back are frames whose stamps crossed, after a pause the code only goes on."""
    step = np.diff(code)
    nearest = (step + WRAP // 2) % WRAP - WRAP // 2
    onward = (step - 1) % WRAP + 1
    step = np.where(np.diff(host_s) > _PAUSE_S, onward, nearest)
    return np.concatenate([[0], np.cumsum(step)]).astype(np.int64)


def frame_clock(host_s: NDArray[np.float64], code: NDArray[np.int64], *, nominal_hz: float | None = None) -> FrameClock:
    """
    Reconstruct when frames were taken from when they arrived.

    A free-running camera takes frames on a grid of one period; arrival is never early. The period is where arrival
    times modulo the period bunch most, which neither lost frames nor pauses disturb. In each stretch between pauses, the
    smallest lateness of all later frames is a lower envelope that steps up by whole periods where frames were lost and
    ignores stalls. A loss inside a stall can be placed anywhere in it: such frames get the middle and a larger
    uncertainty. So do the first three frames after any loss, and at the ends of a stretch, since a frame that waited can
    fall on the grid by chance; their time is the likely one. In long stretches the phase of the grid is followed.

    Parameters
    ----------
    host_s : (n,) float64
        Arrival stamps [s], in the order of saving.
    code : (n,) int64
        Running codes 1..1000 that wrap.
    nominal_hz
        Rate the camera was set to [Hz]; the period is then sought within 5 % of it, else around the median spacing.

    Returns
    -------
    FrameClock
        Times, uncertainties and losses.

    Raises
    ------
    DataError
        If lengths differ, there are fewer than 3 frames, or codes do not increase.

    Examples
    --------
    >>> taken = np.arange(300) / 150
    >>> clock = frame_clock(np.round(taken + 0.001, 3), np.arange(300) + 1)
    >>> round(1 / clock.period_s, 1), int(clock.dropped_before.sum())
    (150.0, 0)
    """
    host_s = np.asarray(host_s, dtype=np.float64)
    code = np.asarray(code, dtype=np.int64)
    if host_s.ndim != 1 or host_s.shape != code.shape or host_s.shape[0] < 3:
        raise DataError(f"frame clock: expected 3 or more stamps with one code each, got {host_s.shape} and {code.shape}")
    number = _running_number(host_s, code)
    if np.any(np.diff(number) <= 0):
        at = int(np.argmax(np.diff(number) <= 0))
        raise DataError(f"frame clock: expected increasing codes, got {code[at]} then {code[at + 1]} at frame {at}")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(host_s) > _PAUSE_S]))
    pieces = [slice(int(a), int(b)) for a, b in zip(starts, [*starts[1:], host_s.shape[0]], strict=True)]
    period = _period(host_s, pieces, nominal_hz)
    found = [_piece_levels(host_s[piece], number[piece], period) for piece in pieces]
    longest_stall_s = max(float(np.max(host_s[piece] - f.high_s)) for piece, f in zip(pieces, found, strict=True))
    t, high = np.empty_like(host_s), np.empty_like(host_s)
    uncertainty = np.empty_like(host_s)
    segment = np.empty(host_s.shape, dtype=np.int64)
    for k, (piece, levels) in enumerate(zip(pieces, found, strict=True)):
        t[piece], uncertainty[piece] = _piece_times(levels, period, longest_stall_s)
        high[piece] = levels.high_s
        segment[piece] = k
    for piece in pieces[1:]:  # a stall right before a pause can reach over it
        behind = t[piece.start - 1] + period - t[piece.start]
        if behind > 0:
            t[piece] += behind
            uncertainty[piece] += behind
    jumped = np.rint(np.diff(high) / period).astype(np.int64) - 1
    inside = np.diff(segment) == 0
    dropped = np.concatenate([[0], np.where(inside, np.maximum(jumped, 0), 0)])
    missing = np.concatenate([[0], np.where(inside, np.diff(number) - 1, 0)])
    return FrameClock(t, uncertainty, period, dropped, missing, host_s - t, segment)


def _period(host_s: NDArray[np.float64], pieces: Sequence[slice], nominal_hz: float | None) -> float:
    """Find the period at which arrival times, modulo it, bunch most; from one-second blocks up to whole pieces."""
    spacing = np.concatenate([np.diff(host_s[piece]) for piece in pieces])
    if nominal_hz is not None:
        centre, reach = 1.0 / nominal_hz, 0.05 / nominal_hz
    else:
        centre = float(np.median(spacing)) if spacing.size else 0.01
        reach = 0.45 * centre
    if not centre > 0:
        raise DataError(
            f"frame clock: expected stamps that go on, got a median spacing of {centre} s; are all stamps equal?"
        )
    at, step, score = 0, 0.0, np.zeros(1)
    for block_s, most in ((1.0, 3_000), (8.0, 10_000), (60.0, 40_000)):
        blocks = _blocks(host_s, pieces, block_s, most)
        longest = max(float(block[-1] - block[0]) for block in blocks)
        if longest <= 0:
            break
        step = centre**2 / longest / 8
        trial = centre + np.arange(-int(reach / step) - 1, int(reach / step) + 2) * step
        trial = trial[trial > 0]
        score = np.zeros(trial.shape)
        for block in blocks:
            phase = np.outer(1.0 / trial, block - block[0]) * (2 * np.pi)
            score += np.cos(phase).sum(axis=1) ** 2 + np.sin(phase).sum(axis=1) ** 2
        at = int(np.argmax(score))
        centre, reach = float(trial[at]), 4 * step
        if longest < block_s / 2:
            break
    if 0 < at < score.size - 1:  # vertex of the parabola through the best three
        a, b, c = score[at - 1 : at + 2]
        if a + c < 2 * b:
            centre += 0.5 * step * float((a - c) / (a - 2 * b + c))
    return centre


def _blocks(host_s: NDArray[np.float64], pieces: Sequence[slice], block_s: float, most: int) -> list[NDArray[np.float64]]:
    """Cut pieces into blocks of at most ``block_s`` seconds and keep an even selection of about ``most`` frames."""
    blocks = []
    for piece in pieces:
        times = host_s[piece]
        edges = np.searchsorted(times, np.arange(times[0], times[-1] + block_s, block_s))
        blocks += [part for part in np.split(times, edges[1:]) if part.size > 1]
    blocks = blocks or [host_s[pieces[0]]]
    every = max(1, sum(block.size for block in blocks) // most)
    return blocks[::every]


@dataclass(frozen=True, slots=True, eq=False)
class _Levels:
    """Of one piece: latest possible times, periods lost by then, which frames arrived promptly, and their spread [s]."""

    high_s: NDArray[np.float64]
    lost: NDArray[np.float64]
    prompt: NDArray[np.bool_]
    spread_s: float


def _piece_levels(host_s: NDArray[np.float64], number: NDArray[np.int64], period: float) -> _Levels:
    """Find the most frames that can have been lost before each frame of a piece, as arrival is never early."""
    since = period * (number - number[0])
    drift = _drift(host_s - host_s[0] - since, host_s, period)
    late = host_s - host_s[0] - since - drift
    phase, spread = _edge(late, period)
    tolerance = min(2 * _STAMP_S, 0.3 * period)
    # the smallest lateness of all frames from here on: whole periods of it are frames lost before here
    envelope = np.minimum.accumulate(late[::-1])[::-1]
    lost = np.floor((envelope - phase + tolerance) / period)
    prompt = late - phase - lost * period < 0.5 * period + tolerance
    return _Levels(host_s[0] + phase + since + drift + lost * period, lost, prompt, spread)


def _piece_times(levels: _Levels, period: float, longest_stall_s: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Most likely times of one piece's frames, and their standard uncertainties.

    A frame after a gap may have come promptly after a loss, or late and before it: on the grid it is either way. Only a
    run of frames that keep to the grid settles it, as frames that waited come faster than they were taken.
    """
    lost, prompt = levels.lost, levels.prompt
    before = np.concatenate([[True], prompt[:-1]])
    place = np.arange(lost.size)
    begins = ~prompt | ~before | (np.diff(lost, prepend=lost[0] - 1) != 0)
    settled = prompt & (place - np.maximum.accumulate(np.where(begins, place, 0)) >= _SETTLED - 1)
    none_yet = lost[0] - np.floor(longest_stall_s / period)
    least = np.maximum.accumulate(np.where(settled, lost, none_yet))
    # without a sign of waiting a loss is the likely reason of a gap; else the middle has the smallest worst error
    guess = np.maximum.accumulate(np.where(prompt & before, lost, 0.5 * (least + lost)))
    worst_s = np.maximum(lost - guess, guess - least) * period
    return levels.high_s + (guess - lost) * period, levels.spread_s + worst_s / np.sqrt(3.0)


def _drift(late: NDArray[np.float64], host_s: NDArray[np.float64], period: float) -> NDArray[np.float64]:
    """Slow change of the lateness over a long piece [s]: of its phase, block by block; 0 in a piece of one block."""
    n = int((host_s[-1] - host_s[0]) // _DRIFT_BLOCK_S)
    if n < 2:
        return np.zeros(late.shape)
    edges = np.linspace(host_s[0], host_s[-1], n + 1)
    block = np.clip(np.searchsorted(edges, host_s, side="right") - 1, 0, n - 1)
    angle = 2 * np.pi * late / period
    sine, cosine = np.bincount(block, np.sin(angle), n), np.bincount(block, np.cos(angle), n)
    there = np.flatnonzero(np.bincount(block, minlength=n))
    phase = np.unwrap(np.arctan2(sine[there], cosine[there])) / (2 * np.pi) * period
    return np.asarray(np.interp(host_s, (0.5 * (edges[1:] + edges[:-1]))[there], phase - phase[0]))


def _edge(late: NDArray[np.float64], period: float) -> tuple[float, float]:
    """Lower edge of lateness modulo the period [s], and its standard uncertainty [s]."""
    angle = 2 * np.pi * late / period
    centre = float(np.arctan2(np.sin(angle).mean(), np.cos(angle).mean())) / (2 * np.pi) * period
    around = (late - centre + period / 2) % period - period / 2
    edge = float(np.quantile(around, 0.03)) if late.size >= 30 else float(around.min())
    phase = centre + edge
    jitter = float(np.quantile(around, 0.84) - np.quantile(around, 0.16)) / 2
    return phase, float(np.hypot(_STAMP_S / np.sqrt(12), jitter / np.sqrt(max(1, min(late.size, 30)))))


def frame_markers(
    t_s: NDArray[np.float64], marker: NDArray[np.int64], *, idle: int = 100
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """
    List changes of the trigger value as the camera saw them.

    Parameters
    ----------
    t_s : (n,) float64
        Times of the frames [s].
    marker : (n,) int64
        Trigger value of each frame.
    idle
        Value taken to hold before the first frame.

    Returns
    -------
    t : (m,) float64
        Time of the first frame of each changed value [s].
    codes : (m,) int64
        The value from that frame on.

    Examples
    --------
    >>> t, codes = frame_markers(np.arange(5) / 10, np.array([100, 101, 101, 100, 102]))
    >>> t.tolist(), codes.tolist()
    ([0.1, 0.3, 0.4], [101, 100, 102])
    """
    marker = np.asarray(marker, dtype=np.int64)
    changed = np.flatnonzero(np.diff(marker, prepend=idle) != 0)
    return np.asarray(t_s, dtype=np.float64)[changed], marker[changed]
