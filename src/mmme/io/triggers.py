"""
Trigger values, whatever carried them: texts of annotations, one column of numbers, or digital lines.

All three give the same result, `Triggers`: the times at which the value changed, and the value from then on.

- *held* levels (the layout of MMME: the value stays until the next one, and rest has a code of its own) give every change.
- *pulses* return to a rest level after each code; with ``held=False`` these returns are left out. The rest level is the
  value that is there for the longest time altogether.

Columns and lines are read block by block, so that files larger than memory can be decoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError, DataError
from mmme.types import Markers, Stream

__all__ = ["MARKER_TEXT", "Triggers", "from_column", "from_lines", "from_texts"]

# '101', '101.0', 'S101', 'S  1', 'Stimulus/S 12', 'Trigger#5', 'Trigger 5', 'Event: 7', 'DIN5', 'TTL5'
MARKER_TEXT = (
    r"(?:(?:stimulus|trigger|trig|event|marker|code|ttl|din|value)\s*[/#:=_-]?\s*)?(?:s\s*)?(?P<code>\d{1,3})(?:\.0*)?"
)
_HIGHEST = 255
_SETTLE_S = 0.005
_BLOCK = 1 << 18
_ROUNDING = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Triggers:
    """
    Trigger values in order of time, on the clock of the device.

    Parameters
    ----------
    t_s : (m,) float64
        Times of change [s].
    codes : (m,) int64
        Value from that time on, 0..255.
    initial
        Value at the start; None where that is not known, as with annotations.
    n_unsettled
        Changes that returned to the value before or were not held long enough: spikes, not values.
    others
        Texts that are no trigger value, each once.
    findings
        What else was odd, one sentence each.
    """

    t_s: NDArray[np.float64]
    codes: NDArray[np.int64]
    initial: int | None = None
    n_unsettled: int = 0
    others: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Count changes."""
        return int(self.codes.shape[0])

    def markers(self, device: str) -> Markers:
        """Markers on the clock of that device."""
        return Markers(device, self.t_s, self.codes)


def from_texts(t_s: NDArray[np.float64], texts: Sequence[str], *, pattern: str | None = None) -> Triggers:
    """
    Read trigger values from annotations.

    Parameters
    ----------
    t_s : (m,) float64
        Times [s].
    texts
        One each.
    pattern
        Regular expression for a whole text, in which the group ``code`` (else the first group, else all of it) is the
        value; without it `MARKER_TEXT`, in any case: digits alone or after S, Stimulus/, Trigger, Event, Marker, Code, TTL,
        DIN, Value. Responses, comments and new segments are no trigger values.

    Returns
    -------
    Triggers
        Values 0..255; all other texts, each once, in ``others``.

    Raises
    ------
    ConfigError
        If the pattern is no regular expression, or what it finds is no number.

    Examples
    --------
    >>> found = from_texts(np.array([0.5, 1.0, 2.0]), ["S  1", "Stimulus/S 12", "New Segment/"])
    >>> found.codes.tolist(), found.others
    ([1, 12], ('New Segment/',))
    """
    try:
        wanted = re.compile(pattern or MARKER_TEXT, re.IGNORECASE)
    except re.error as error:
        raise ConfigError(f"marker_text '{pattern}': expected a regular expression, got {error}") from None
    code_of: dict[str, int | None] = {}
    for text in dict.fromkeys(texts):
        match = wanted.fullmatch(text.strip())
        code_of[text] = None if match is None else _number(match, wanted)
    codes = np.array([-1 if (code := code_of[text]) is None else code for text in texts], dtype=np.int64)
    is_code = codes >= 0
    times, values = np.asarray(t_s, dtype=np.float64)[is_code], codes[is_code]
    findings = []
    if times.size > 1 and np.any(np.diff(times) < 0):
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
        findings.append("annotations were not in order of time; trigger values are")
    others = tuple(sorted(text for text, code in code_of.items() if code is None))
    return Triggers(times, values, others=others, findings=tuple(findings))


def _number(match: re.Match[str], pattern: re.Pattern[str]) -> int | None:
    """Value of a text; None above 255."""
    found = match["code"] if "code" in pattern.groupindex else match[1] if pattern.groups else match[0]
    try:
        code = int(found)
    except (TypeError, ValueError):
        raise ConfigError(
            f"marker_text '{pattern.pattern}': expected digits in the group 'code', got '{found}' in '{match[0]}'"
        ) from None
    return code if 0 <= code <= _HIGHEST else None


def from_column(
    column: Stream, *, low_byte: bool = False, mask: int = 0xFF, held: bool = True, settle_s: float | None = None
) -> Triggers:
    """
    Read trigger values from one column of numbers.

    Whole numbers (to within 0.01) are taken as they are, less the bits outside the mask. That covers stimulus channels and
    the Status channel of BioSemi (codes in bits 0 to 15, states of the amplifier above). A column in volts holds the code
    in the low byte of its value in µV: 0.06538 V is 65380 µV = 0xFF64, and 0x64 is 100.

    Parameters
    ----------
    column
        ``x`` (n,) or (n, 1), may be lazy.
    low_byte
        Values are V, and the low byte of their µV is the code. Whole numbers of 1 and more are understood all the same.
    mask
        Bits that hold the code.
    held
        Codes are held levels; False where they are pulses that return to a rest level.
    settle_s
        How long a value must be held to count [s]. Without it 5 ms and two samples at least for levels; for pulses two
        samples, or one that stands alone between rests.

    Returns
    -------
    Triggers
        Changes of the value. What the bits outside the mask held is told in ``findings``, unless ``low_byte``.

    Raises
    ------
    DataError
        If values are neither whole numbers nor stated to be V, are not finite, or none is ever held that long.

    Examples
    --------
    >>> x = np.repeat([0.06538, 0.065381, 0.06538], 50)
    >>> found = from_column(Stream("trigger", "eeg", np.arange(150) / 1000, x, "V", 1000.0), low_byte=True)
    >>> found.initial, found.codes.tolist(), found.t_s.tolist()
    (100, [101, 100], [0.05, 0.1])
    """
    outside: set[int] = set()
    starts, values = _runs(_codes_of(column, low_byte, mask, outside))
    findings = []
    if outside - {0} and not low_byte:
        shown = ", ".join(f"0x{bits:04X}" for bits in sorted(outside)[:4])
        more = f" and {len(outside) - 4} more" if len(outside) > 4 else ""
        findings.append(f"bits of the trigger column outside 0x{mask:02X} held {shown}{more} and are left out")
    need = _samples(column, settle_s, held)
    alone = not held and settle_s is None
    return _changes("trigger column", column, starts, values, need, held=held, alone=alone, findings=tuple(findings))


def _codes_of(column: Stream, low_byte: bool, mask: int, outside: set[int]) -> Iterator[NDArray[np.int64]]:  # noqa: FBT001
    """Yield the codes of one block after the other; collect what the other 16-bit bits held."""
    numbers = False
    fraction = 0.0  # the largest value below 0.5: V, or a rest level that a file's own scaling has rounded
    for start in range(0, len(column), _BLOCK):
        block = np.asarray(column.x[start : start + _BLOCK]).reshape(-1)
        highest = float(np.abs(block).max())
        if not np.isfinite(highest):
            raise DataError("trigger column: expected finite values, got NaN or infinity")
        if highest < 0.5:
            fraction = max(fraction, highest)
            as_volts = low_byte and not numbers
            values = np.rint(block * 1e6).astype(np.int64) if as_volts else np.zeros(block.shape, dtype=np.int64)
        else:
            values = _whole(block)
            if low_byte and fraction > 0 and not numbers:
                raise DataError("trigger column: expected V throughout, got whole numbers after V; is low_byte right?")
            numbers = True
        above = values & 0xFFFF & ~mask
        if above.any() or outside:
            outside.update(np.unique(above).tolist())
        yield values & mask
    if fraction > 0 and not numbers and not low_byte:
        raise DataError(
            f"trigger column: expected whole numbers, got {fraction:g} at most; is it in V? then state low_byte = true, "
            "and the low byte of the value in µV is the code"
        )


def _whole(block: NDArray[Any]) -> NDArray[np.int64]:
    """Nearest whole numbers, which must be near: files that scale to 16 bits miss them by 0.004."""
    if block.dtype.kind in "iu":
        return block.astype(np.int64)
    rounded = np.rint(block)
    away = np.abs(block - rounded)
    if away.max() > _ROUNDING:
        raise DataError(f"trigger column: expected whole numbers, got {block[np.argmax(away)]:g}; is it another signal?")
    return rounded.astype(np.int64)


def from_lines(lines: Stream, *, held: bool = True, settle_s: float | None = None) -> Triggers:
    """
    Read trigger values from digital lines.

    Bit k is line k. Each line's threshold lies midway between its own levels (2.5 V for a line that never changes; 0.5
    where all lines hold nothing but 0 and 1). Lines may switch some samples apart: a value counts once it has been held,
    and dates from the first change of the burst that led to it.

    Parameters
    ----------
    lines
        ``x`` (n, n_lines), at most 8 lines, line 0 first; may be lazy, and is then read twice.
    held
        Codes are held levels; False where they are pulses that return to a rest level.
    settle_s
        How long a value must be held to count [s], two samples at least. Without it 5 ms for levels, 2 samples for pulses.

    Returns
    -------
    Triggers
        The initial value and the changes.

    Raises
    ------
    DataError
        If there are more lines than bits, levels are not finite, or no value is ever held that long.

    Examples
    --------
    >>> levels = np.tile([0, 0, 5, 0, 0, 5, 5, 0], (10, 1))
    >>> found = from_lines(Stream("lines", "biopac", np.arange(10) / 1000, levels, "V", 1000.0))
    >>> found.initial, len(found)
    (100, 0)
    """
    shape = lines.x.shape
    if len(shape) != 2 or not 1 <= shape[1] <= 8:
        raise DataError(f"digital lines: expected one to eight columns, got {tuple(shape)}")
    threshold = _thresholds(lines)
    starts, values = _runs(
        np.packbits(np.asarray(lines.x[k : k + _BLOCK]) > threshold, axis=1, bitorder="little")[:, 0]
        for k in range(0, len(lines), _BLOCK)
    )
    return _changes("digital lines", lines, starts, values, max(2, _samples(lines, settle_s, held)), held=held)


def _thresholds(lines: Stream) -> NDArray[np.float64]:
    """Level above which a line is high, (n_lines,)."""
    low, high = np.full(lines.x.shape[1], np.inf), np.full(lines.x.shape[1], -np.inf)
    for k in range(0, len(lines), _BLOCK):
        block = np.asarray(lines.x[k : k + _BLOCK])
        low, high = np.minimum(low, block.min(axis=0)), np.maximum(high, block.max(axis=0))
    bad = np.flatnonzero(~np.isfinite(low + high))
    if bad.size:
        raise DataError(f"digital lines: expected finite levels, got NaN or infinity in line {bad[0]}")
    if high.max() == 1 and low.min() == 0 and np.isin(low, (0, 1)).all() and np.isin(high, (0, 1)).all():
        return np.full(low.shape, 0.5)
    return np.where(high - low > 1.0, 0.5 * (low + high), 2.5)


def _samples(stream: Stream, settle_s: float | None, held: bool) -> int:  # noqa: FBT001
    """How many samples a value must be held."""
    if settle_s is None and not held:
        return 2
    fs = stream.fs or 1.0 / float(np.median(np.diff(stream.t)))
    least = 2 if held else 1
    return max(least, int(np.ceil((_SETTLE_S if settle_s is None else settle_s) * fs - 1e-6)))


def _runs(blocks: Iterable[NDArray[np.int64]] | Iterable[NDArray[np.uint8]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First sample and value of every stretch of equal values."""
    starts, values = [], []
    n, last = 0, -1
    for block in blocks:
        changed = np.flatnonzero(block[1:] != block[:-1]) + 1
        if int(block[0]) != last:
            changed = np.concatenate([[0], changed])
        starts.append(changed + n)
        values.append(block[changed].astype(np.int64))
        n, last = n + len(block), int(block[-1])
    return np.concatenate(starts).astype(np.int64), np.concatenate(values)


def _changes(
    what: str,
    stream: Stream,
    starts: NDArray[np.int64],
    values: NDArray[np.int64],
    need: int,
    *,
    held: bool,
    alone: bool = False,
    findings: tuple[str, ...] = (),
) -> Triggers:
    """Take the stretches that were held; each dates from the first change since the one before."""
    lengths = np.diff(np.append(starts, len(stream)))
    settled = lengths >= need
    rest = -1
    if not held:
        rest = int(np.argmax(np.bincount(values, weights=lengths)))
        at_rest = values == rest
        settled |= at_rest
        if alone and len(values) > 2:  # one sample between rests is a pulse; beside another value it is a bit that was late
            settled[1:-1] |= at_rest[:-2] & at_rest[2:]
    kept = np.flatnonzero(settled)
    if kept.size == 0:
        raise DataError(f"{what}: expected a value held for {need} samples, got none in {len(stream)} samples")
    codes = values[kept]
    began = starts[np.concatenate([[0], kept[:-1] + 1])]
    new = np.concatenate([[False], np.diff(codes) != 0])
    n_unsettled = int(np.sum(np.diff(codes) == 0)) + int(kept[-1] != len(values) - 1)
    new &= codes != rest
    return Triggers(stream.t[began[new]], codes[new], int(codes[0]), n_unsettled, findings=findings)
