"""The times of a full-length session: frames, markers and planted events of three devices, without pixels or signals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError, raise_faults
from mmme.interval import Interval
from mmme.simulate.clocks import DeviceClock, level_at
from mmme.simulate.stimuli import IDLE
from mmme.types import Markers

__all__ = ["FrameStamps", "TimedSession", "TimingPlan", "simulate_timing"]

Times = NDArray[np.float64]
Level = tuple[float, int]

_AROUND_S = 0.3  # frames are saved from this long before to this long after a stimulus
_FOREIGN = (77, 88, 37, 255)
_LATE_START_S = 1.1  # frames missing at the start of a trial, as in the first trial of a MMME session


@dataclass(frozen=True, slots=True)
class TimingPlan:
    """
    What a session without pixels and signals is to contain; the defaults are a MMME session with all of its faults.

    Parameters
    ----------
    length_s
        From the start of the stimulus program to its end [s].
    trials
        Stimuli, 1 to 99, with codes from 101 on and the idle code 100 after each.
    fps
        Frames per second.
    lost, doubled
        Share of the trigger changes that a device misses, or has twice.
    foreign, wrong
        Codes that only one device has, and changes with another device's code, per device.
    dropped
        Share of the frames that are lost, alone, in runs, and inside stalls.
    stall_s
        Longest stall of the camera's computer [s]; 0 for none.
    stall_hz
        Stalls per second.
    jitter_s
        A frame arrives up to this long after it was taken [s].
    lag_s
        By how much every frame arrives late [s]; nothing in the data tells it from a shift of the clock.
    stamp_s
        Resolution of all time stamps [s].
    offset_s
        The camera's clock is behind by this [s].
    bend_s
        The camera's clock departs from a straight line by up to this [s], in one slow swing.
    around
        Save frames only around trials, else from start to end.
    value_at
        The trigger value in a frame's name is that of its ``arrival`` or of its ``exposure``.
    events
        Planted events per trial, of three frames each.

    Raises
    ------
    ConfigError
        Once, with all values that are out of range.

    Examples
    --------
    >>> TimingPlan().trials
    48
    """

    length_s: float = 4500.0
    trials: int = 48
    fps: float = 150.0
    lost: float = 0.02
    doubled: float = 0.02
    foreign: int = 2
    wrong: int = 1
    dropped: float = 0.01
    stall_s: float = 0.06
    stall_hz: float = 0.35
    jitter_s: float = 0.003
    lag_s: float = 0.0
    stamp_s: float = 0.001
    offset_s: float = 24.8
    bend_s: float = 0.0
    around: bool = True
    value_at: Literal["arrival", "exposure"] = "arrival"
    events: int = 6

    def __post_init__(self) -> None:
        """Check all ranges, raise once."""
        ranges: tuple[tuple[str, float, float, float, str], ...] = (
            ("trials", self.trials, 1, 99, ""),
            ("length_s", self.length_s, 8.0 * self.trials, 86_400, " s"),
            ("fps", self.fps, 20, 500, " Hz"),
            ("lost", self.lost, 0, 0.5, ""),
            ("doubled", self.doubled, 0, 0.5, ""),
            ("foreign", self.foreign, 0, 100, ""),
            ("wrong", self.wrong, 0, 10, ""),
            ("dropped", self.dropped, 0, 0.3, ""),
            ("stall_s", self.stall_s, 0, 0.2, " s"),
            ("stall_hz", self.stall_hz, 0, 5, " Hz"),
            ("jitter_s", self.jitter_s, 0, 0.02, " s"),
            ("stamp_s", self.stamp_s, 1e-6, 0.01, " s"),
            ("events", self.events, 0, 1000, ""),
        )
        faults = [
            f"{name}: expected {low:g} to {high:g}{unit}, got {value:g}{unit}"
            for name, value, low, high, unit in ranges
            if not low <= value <= high
        ]
        raise_faults("timing plan", faults, error=ConfigError)


@dataclass(frozen=True, slots=True, eq=False)
class FrameStamps:
    """
    Saved frames: what their names say, and when they were taken.

    Parameters
    ----------
    host_s : (n,) float64
        Time stamp [s] on the clock of the camera's computer.
    code : (n,) int64
        Running code 1..1000.
    marker : (n,) int64
        Trigger value.
    taken_s : (n,) float64
        True time of exposure [s]; the lag of arrival is not in it.
    """

    host_s: Times
    code: NDArray[np.int64]
    marker: NDArray[np.int64]
    taken_s: Times


@dataclass(frozen=True, slots=True, eq=False)
class TimedSession:
    """
    A session's times, and the truth behind them.

    Parameters
    ----------
    clocks
        By device: ``eeg``, ``biopac``, ``camera``. The camera's is the straight part; ``bend_s`` comes on top.
    shown
        Trial code and span in true time, in order.
    markers
        Of ``eeg`` and ``biopac``, on their own clocks; the camera's are in its frames.
    frames
        Of the camera.
    events : (n, 3) int64
        Onset, apex and offset frame of each planted event.
    event_codes : (n,) int64
        Trial code of each.
    """

    clocks: Mapping[str, DeviceClock]
    shown: tuple[tuple[int, Interval], ...]
    markers: Mapping[str, Markers]
    frames: FrameStamps
    events: NDArray[np.int64]
    event_codes: NDArray[np.int64]


def simulate_timing(seed: int, plan: TimingPlan | None = None) -> TimedSession:
    """
    Draw the times of one session.

    Each device's clock runs 20 to 150 ppm fast or slow. Every device has faults of its own: changes it missed, codes it
    has twice, codes nobody else has, and wrong ones. Frames arrive late and in bursts after stalls; some are lost.

    Parameters
    ----------
    seed
        Equal seeds give equal sessions.
    plan
        What to contain; without it a MMME session with all of its faults.

    Returns
    -------
    TimedSession
        With the truth.

    Examples
    --------
    >>> session = simulate_timing(1, TimingPlan(length_s=120, trials=2, events=3))
    >>> [code for code, _ in session.shown], session.events.shape
    ([101, 102], (6, 3))
    """
    plan = TimingPlan() if plan is None else plan
    rng = np.random.default_rng(seed)
    shown = _schedule(rng, plan)
    levels = [level for code, span in shown for level in ((span.start, code), (span.stop, IDLE))]
    rates = 1.0 + rng.choice([-1.0, 1.0], 3) * rng.uniform(20e-6, 150e-6, 3)
    wall_s = float(rng.uniform(9, 17)) * 3600 - plan.offset_s
    clocks = {
        "eeg": DeviceClock("eeg", float(rates[0]), -float(rng.uniform(3, 40))),
        "biopac": DeviceClock("biopac", float(rates[1]), -float(rng.uniform(3, 40))),
        "camera": DeviceClock("camera", float(rates[2]), -float(rates[2]) * wall_s),
    }
    markers = {d: _device_markers(rng, plan, levels, clocks[d]) for d in ("eeg", "biopac")}
    frames, trial = _frames(rng, plan, shown, _line_faults(rng, plan, levels), clocks["camera"])
    events, codes = _events(rng, plan, shown, frames, trial)
    return TimedSession(MappingProxyType(clocks), shown, MappingProxyType(markers), frames, events, codes)


def _schedule(rng: np.random.Generator, plan: TimingPlan) -> tuple[tuple[int, Interval], ...]:
    """Stimuli and pauses with the proportions of MMME (21 to 60 s, 43 to 59 s), stretched to the length."""
    lengths = np.column_stack([rng.uniform(21, 60, plan.trials), rng.uniform(43, 59, plan.trials)]).ravel()
    ends = np.concatenate([[0.0], np.cumsum(lengths)]) * plan.length_s / lengths.sum()
    return tuple((101 + k, Interval(float(ends[2 * k]), float(ends[2 * k + 1]))) for k in range(plan.trials))


def _chosen(rng: np.random.Generator, plan: TimingPlan, n: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_], set[int]]:
    """Which changes are lost, which doubled, and which have a wrong code; no change has two faults."""
    order = rng.permutation(n)
    n_lost, n_doubled = int(rng.binomial(n, plan.lost)), int(rng.binomial(n, plan.doubled))
    lost, doubled = np.zeros(n, bool), np.zeros(n, bool)
    lost[order[:n_lost]] = True
    doubled[order[n_lost : n_lost + n_doubled]] = True
    return lost, doubled, set(order[n_lost + n_doubled :][: plan.wrong].tolist())


def _wrong(rng: np.random.Generator, code: int) -> int:
    """Return a code with one of its eight lines read wrongly."""
    return code ^ (1 << int(rng.integers(8)))


def _device_markers(rng: np.random.Generator, plan: TimingPlan, levels: list[Level], clock: DeviceClock) -> Markers:
    """List changes as a device with annotations has them, stamped at the first sample after the change."""
    lost, doubled, wrong = _chosen(rng, plan, len(levels))
    rows = []
    for k, (t, code) in enumerate(levels):
        if not lost[k]:
            rows.append((t, _wrong(rng, code) if k in wrong else code))
        if doubled[k]:
            rows.append((t + float(rng.uniform(0.02, 0.4)), code))
    rows += [(float(rng.uniform(0, plan.length_s)), int(rng.choice(_FOREIGN))) for _ in range(plan.foreign)]
    t = np.ceil(clock.to_device([row[0] for row in rows]) / plan.stamp_s) * plan.stamp_s
    order = np.argsort(t, kind="stable")
    return Markers(clock.device, np.asarray(t[order]), np.array([rows[k][1] for k in order], dtype=np.int64))


def _line_faults(rng: np.random.Generator, plan: TimingPlan, levels: list[Level]) -> list[Level]:
    """Levels as the camera's computer reads them: a lost change leaves the old level, a doubled one bounces."""
    lost, doubled, wrong = _chosen(rng, plan, len(levels))
    read: list[Level] = []
    before = IDLE
    for k, (t, code) in enumerate(levels):
        if lost[k]:
            continue
        value = _wrong(rng, code) if k in wrong else code
        read.append((t, value))
        if doubled[k]:
            back = t + float(rng.uniform(0.02, 0.3))
            read += [(back, before), (back + float(rng.uniform(0.02, 0.06)), value)]
        before = value
    for _ in range(plan.foreign):
        at = float(rng.uniform(0, plan.length_s))
        now = int(level_at(read, np.array([at]))[0])
        read += [(at, int(rng.choice(_FOREIGN))), (at + float(rng.uniform(0.03, 0.1)), now)]
    return sorted(read)


def _frames(
    rng: np.random.Generator,
    plan: TimingPlan,
    shown: tuple[tuple[int, Interval], ...],
    levels: list[Level],
    clock: DeviceClock,
) -> tuple[FrameStamps, NDArray[np.int64]]:
    """Draw the saved frames, and the index of the trial that each lies in or near to."""
    period = (1.0 + float(rng.normal(0, 5e-5))) / plan.fps
    phase = float(rng.uniform(0, period))
    spans = [Interval(s.start - _AROUND_S, s.stop + _AROUND_S) for _, s in shown]
    pieces = spans if plan.around else [Interval(-5.0, plan.length_s + 5.0)]
    late_start = int(rng.integers(len(shown))) if rng.random() < 0.3 else -1
    taken, arrived = [], []
    for k, piece in enumerate(pieces):
        number = np.arange(np.ceil((piece.start - phase) / period), np.floor((piece.stop - phase) / period) + 1)
        t, arrival = _arrivals(rng, plan, phase + period * number)
        if plan.around and k == late_start:
            edge = shown[k][1].start
            keep = (t < edge) | (t > edge + _LATE_START_S)
            t, arrival = t[keep], arrival[keep]
        taken.append(t)
        arrived.append(arrival)
    t, arrival = np.concatenate(taken), np.concatenate(arrived)
    bend_s = plan.bend_s * np.sin(2 * np.pi * arrival / plan.length_s)
    host = np.ceil((clock.to_device(arrival) + bend_s) / plan.stamp_s) * plan.stamp_s
    marker = level_at(levels, arrival if plan.value_at == "arrival" else t)
    code = (int(rng.integers(1000)) + np.arange(len(t))) % 1000 + 1
    trial = np.searchsorted([span.start for span in spans], t, side="right") - 1
    return FrameStamps(np.round(host, 6), code, marker, t), np.maximum(trial, 0)


def _arrivals(rng: np.random.Generator, plan: TimingPlan, t: Times) -> tuple[Times, Times]:
    """Draw which frames are kept, and when each leaves the queue [s of true time]: never early, in bursts after stalls."""
    lost = rng.random(len(t)) < 0.65 * plan.dropped
    for start in np.flatnonzero(rng.random(len(t)) < 0.07 * plan.dropped):
        lost[start : start + int(rng.integers(3, 7))] = True
    ready = t + plan.lag_s + plan.jitter_s * rng.random(len(t)) ** 2
    count = int(rng.poisson(plan.stall_hz * (t[-1] - t[0]))) if plan.stall_s else 0
    lengths = rng.uniform(plan.stall_s / 3, plan.stall_s, count)
    for start, length in zip(rng.uniform(t[0], t[-1], count), lengths, strict=True):
        first, last = np.searchsorted(ready, [start, start + length])
        ready[first:last] = np.maximum(ready[first:last], start + length)
        if rng.random() < 0.3 and plan.dropped:  # the queue was full
            lost[first + int(rng.integers(max(last - first, 1))) : last] |= rng.random() < 25 * plan.dropped
    t, ready = t[~lost], ready[~lost]
    queue = np.cumsum(rng.uniform(0.0021, 0.003, len(t)))  # what saving takes, one after the other
    return t, np.maximum.accumulate(ready - queue) + queue


def _events(
    rng: np.random.Generator,
    plan: TimingPlan,
    shown: tuple[tuple[int, Interval], ...],
    frames: FrameStamps,
    trial: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Planted events: three frames in order within a trial, one in three of them about a frame that arrived late."""
    rows, codes = [], []
    steps = np.diff(frames.host_s, prepend=frames.host_s[0])
    for k, (code, span) in enumerate(shown):
        inside = np.flatnonzero((trial == k) & (frames.taken_s >= span.start) & (frames.taken_s < span.stop))
        late = inside[steps[inside] > 2.5 / plan.fps]
        for n in range(plan.events):
            length = min(int(plan.fps * rng.uniform(0.1, 1.0)), len(inside) // 2)
            near = late if n % 3 == 0 and len(late) else inside
            start = int(np.clip(rng.choice(near) - rng.integers(5), inside[0], inside[-1] - length))
            rows.append((start, start + int(rng.integers(length + 1)), start + length))
            codes.append(code)
    return np.array(rows, dtype=np.int64).reshape(-1, 3), np.array(codes, dtype=np.int64)
