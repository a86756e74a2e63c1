"""
When camera frames were taken, from when they arrived.

The stamp in a frame's name is late by some milliseconds, by tens of milliseconds during a stall, and a frame that the
camera lost leaves no trace but a gap. `frame_clock` turns stamps into the times at which frames were taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError

__all__ = ["WRAP", "FrameClock", "frame_clock", "frame_markers", "running_number"]

WRAP = 1000
_PAUSE_S = 0.25  # stalls last a quarter of this; saving pauses between trials last longer
_STAMP_S = 0.001  # resolution of the stamps
_SETTLED = 4  # frames in a row on the grid; of frames that waited, no more than three come that evenly
_DRIFT_BLOCK_S = 30.0  # a clock that bends by 5 ppm moves by 0.15 ms meanwhile


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


def running_number(host_s: NDArray[np.float64], code: NDArray[np.int64]) -> NDArray[np.int64]:
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
    number = running_number(host_s, code)
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
