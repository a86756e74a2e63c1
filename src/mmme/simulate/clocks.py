"""True time, the clocks of the devices, and the trigger line that all devices see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmme.interval import Interval
from mmme.simulate.plan import StudyPlan
from mmme.simulate.stimuli import IDLE, Stimulus

__all__ = ["DeviceClock", "Schedule", "Shown", "draw_clocks", "draw_schedule", "level_at"]

_LEAD_S = 5.0  # from the start of the stimulus program to the first stimulus
_TAIL_S = 6.0  # all devices record at least this long after the last stimulus


@dataclass(frozen=True, slots=True)
class DeviceClock:
    """
    Straight line between the clock of a device and true time: ``true = rate * device + intercept_s``.

    Parameters
    ----------
    device
        ``eeg``, ``biopac`` or ``camera``.
    rate
        True seconds per device second.
    intercept_s
        True time at device time 0 [s].

    Examples
    --------
    >>> clock = DeviceClock("eeg", 1.0001, -5.0)
    >>> round(float(clock.to_true(clock.to_device(12.0))), 9)
    12.0
    """

    device: str
    rate: float
    intercept_s: float

    def to_true(self, device_s: ArrayLike) -> NDArray[np.float64]:
        """Return true times of device times [s]."""
        return np.asarray(self.rate * np.asarray(device_s, dtype=np.float64) + self.intercept_s)

    def to_device(self, true_s: ArrayLike) -> NDArray[np.float64]:
        """Return device times of true times [s]."""
        return np.asarray((np.asarray(true_s, dtype=np.float64) - self.intercept_s) / self.rate)


@dataclass(frozen=True, slots=True)
class Shown:
    """One stimulus as it was shown, in true time."""

    stimulus: Stimulus
    span: Interval


@dataclass(frozen=True, slots=True)
class Schedule:
    """
    What the stimulus program did.

    Parameters
    ----------
    shown
        Stimuli in order of presentation.
    levels
        ``(time [s], value)``: from that true time on the trigger line holds the value; idle (100) before the first.
    stop_s
        True time at which the devices stop.
    """

    shown: tuple[Shown, ...]
    levels: tuple[tuple[float, int], ...]
    stop_s: float


def draw_schedule(rng: np.random.Generator, plan: StudyPlan, stimuli: Sequence[Stimulus]) -> Schedule:
    """
    Draw when each stimulus is shown; true time 0 is the start of the stimulus program.

    Parameters
    ----------
    rng
        Source of chance.
    plan
        For the lengths of stimuli and pauses.
    stimuli
        In order of presentation.

    Returns
    -------
    Schedule
        With the codes 77 and 88 before the first stimulus, as in the MMME recordings.

    Examples
    --------
    >>> from mmme.simulate.stimuli import choose_stimuli
    >>> schedule = draw_schedule(np.random.default_rng(0), StudyPlan(trials=2), choose_stimuli(2))
    >>> [level for _, level in schedule.levels]
    [77, 88, 100, 103, 100, 108, 100]
    """
    levels: list[tuple[float, int]] = [(1.0, 77), (2.0, 88), (2.6, IDLE)]
    shown, now = [], _LEAD_S + float(rng.uniform(0, 0.5))
    for stimulus in stimuli:
        stop = now + plan.trial_s * float(rng.uniform(0.9, 1.1))
        shown.append(Shown(stimulus, Interval(now, stop)))
        levels += [(now, stimulus.marker), (stop, IDLE)]
        now = stop + plan.rest_s * float(rng.uniform(0.9, 1.1))
    return Schedule(tuple(shown), tuple(levels), shown[-1].span.stop + max(_TAIL_S, plan.rest_s))


def level_at(levels: Sequence[tuple[float, int]], t: NDArray[np.float64]) -> NDArray[np.int64]:
    """
    Value on the trigger line at true times.

    Parameters
    ----------
    levels
        As in `Schedule`.
    t : (n,)
        True times [s].

    Returns
    -------
    (n,) int64
        0..255.

    Examples
    --------
    >>> level_at([(1.0, 77), (2.0, 100)], np.array([0.5, 1.0, 3.0])).tolist()
    [100, 77, 100]
    """
    edges = np.array([time for time, _ in levels])
    values = np.array([IDLE, *(value for _, value in levels)], dtype=np.int64)
    return np.asarray(values[np.searchsorted(edges, t, side="right")])


def draw_clocks(rng: np.random.Generator, subject: int) -> dict[str, DeviceClock]:
    """
    Draw the clocks of one session.

    EEG and BIOPAC count from their own first sample; one of them is started tens of seconds before the other, which
    one alternates over subjects. The camera's clock is the wall clock of its computer [s since midnight], about 25 s
    behind. All run 20 to 150 ppm fast or slow.

    Parameters
    ----------
    rng
        Source of chance.
    subject
        Number of the subject, for the alternation.

    Returns
    -------
    dict
        Device name to `DeviceClock`.

    Examples
    --------
    >>> sorted(draw_clocks(np.random.default_rng(0), 0))
    ['biopac', 'camera', 'eeg']
    """
    # Signs by turns, so that every study has pairs of devices that drift apart and some that drift alike.
    signs = np.where([subject % 2, (subject // 2) % 2, (subject + 1) % 2], 1.0, -1.0)
    rates = 1.0 + signs * rng.uniform(20e-6, 150e-6, 3)
    early, late = -float(rng.uniform(18, 38)), -float(rng.uniform(3, 7))
    eeg_start, biopac_start = (late, early) if subject % 2 == 0 else (early, late)
    wall_start = float(rng.uniform(9 * 3600, 17 * 3600))
    behind = 24.8 + float(rng.normal(0, 3))
    return {
        "eeg": DeviceClock("eeg", float(rates[0]), eeg_start),
        "biopac": DeviceClock("biopac", float(rates[1]), biopac_start),
        "camera": DeviceClock("camera", float(rates[2]), -float(rates[2]) * (wall_start - behind)),
    }
