"""When the camera exposes, when its computer notes the frame, and what the file is then called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmme.simulate.clocks import DeviceClock, Schedule, level_at
from mmme.simulate.plan import StudyPlan

__all__ = ["FrameLog", "draw_frame_log", "frame_names"]

_AROUND_S = 0.3  # frames are saved from this long before to this long after a stimulus
_DROP_SHARE = 0.006  # single frames; runs of frames bring it to about 1 %
_STALL_HZ = 0.35
_JITTER_S = 0.003


@dataclass(frozen=True, slots=True, eq=False)
class FrameLog:
    """
    All saved frames of a session.

    Parameters
    ----------
    exposure : (n_exposed,) int64
        Running number of each exposure that should have been saved, counted from the camera's first exposure.
    saved : (n_exposed,) bool
        False where the frame was lost.
    phase_s, period_s
        Exposure ``k`` is at true time ``phase_s + k * period_s``.
    host_ms : (n_saved,) int64
        Time stamp in the file name [ms since midnight of the camera's computer].
    codes : (n_saved,) int64
        Running code 1..1000, +1 per saved frame.
    markers : (n_saved,) int64
        Trigger value when the frame was taken from the queue.
    trial : (n_saved,) int64
        Index of the stimulus around which the frame was saved.
    bounds
        First and last exposure around each stimulus.
    """

    exposure: NDArray[np.int64]
    saved: NDArray[np.bool_]
    phase_s: float
    period_s: float
    host_ms: NDArray[np.int64]
    codes: NDArray[np.int64]
    markers: NDArray[np.int64]
    trial: NDArray[np.int64]
    bounds: tuple[tuple[int, int], ...]

    @property
    def t(self) -> NDArray[np.float64]:
        """True exposure times of the saved frames [s], shape (n_saved,)."""
        return self.phase_s + self.exposure[self.saved] * self.period_s


def _arrivals(rng: np.random.Generator, t: NDArray[np.float64], *, stalls: bool) -> NDArray[np.float64]:
    """
    Draw when the frames of one trial leave the queue [s of true time].

    Never before the exposure; a little later by chance; during a stall of the computer all wait, then come 2-3 ms apart.
    """
    ready = t + _JITTER_S * rng.random(len(t)) ** 2
    if stalls:
        count = int(rng.poisson(_STALL_HZ * (t[-1] - t[0])))
        for start, length in zip(rng.uniform(t[0], t[-1], count), rng.uniform(0.02, 0.06, count), strict=True):
            waiting = (ready > start) & (ready < start + length)
            ready[waiting] = start + length
    service = rng.uniform(0.0021, 0.003, len(t))
    arrival = np.empty_like(ready)
    last = -np.inf
    for i, moment in enumerate(ready):
        last = max(moment, last + service[i])
        arrival[i] = last
    return arrival


def _lost(rng: np.random.Generator, n: int) -> NDArray[np.bool_]:
    """Which of n exposures are lost: single ones, and now and then a run of three to six."""
    lost = rng.random(n) < _DROP_SHARE
    for start in np.flatnonzero(rng.random(n) < 0.001):
        lost[start : start + int(rng.integers(3, 7))] = True
    return lost


def draw_frame_log(rng: np.random.Generator, plan: StudyPlan, schedule: Schedule, clock: DeviceClock) -> FrameLog:
    """
    Draw exposures, losses, time stamps, codes and markers of a session.

    Parameters
    ----------
    rng
        Source of chance.
    plan
        For the frame rate and the faults.
    schedule
        Stimuli and trigger levels.
    clock
        Of the camera's computer.

    Returns
    -------
    FrameLog
        In order of time. Time stamps are rounded up to whole ms, so none lies before its exposure.

    Examples
    --------
    >>> from mmme.simulate.clocks import draw_schedule
    >>> from mmme.simulate.stimuli import choose_stimuli
    >>> plan = StudyPlan(trials=1, video_fps=50.0)
    >>> schedule = draw_schedule(np.random.default_rng(0), plan, choose_stimuli(1))
    >>> log = draw_frame_log(np.random.default_rng(0), plan, schedule, DeviceClock("camera", 1.0, -36000.0))
    >>> bool(np.all(np.diff(log.host_ms) > 0))
    True
    """
    period = (1.0 + float(rng.normal(0, 5e-5))) / plan.video_fps
    phase = float(rng.uniform(0, period))
    code = int(rng.integers(1000))
    exposures, saved, hosts, codes, markers, trials, bounds = [], [], [], [], [], [], []
    for index, shown in enumerate(schedule.shown):
        first = int(np.ceil((shown.span.start - _AROUND_S - phase) / period))
        last = int(np.floor((shown.span.stop + _AROUND_S - phase) / period))
        number = np.arange(first, last + 1, dtype=np.int64)
        keep = ~_lost(rng, len(number)) if plan.frame_drops else np.ones(len(number), bool)
        arrival = _arrivals(rng, phase + number[keep] * period, stalls=plan.camera_stalls)
        n = len(arrival)
        exposures.append(number)
        bounds.append((first, last))
        saved.append(keep)
        hosts.append(np.ceil(clock.to_device(arrival) * 1000).astype(np.int64))
        codes.append((code + np.arange(n)) % 1000 + 1)
        markers.append(level_at(schedule.levels, arrival))
        trials.append(np.full(n, index))
        code += n
    return FrameLog(
        np.concatenate(exposures),
        np.concatenate(saved),
        phase,
        period,
        np.concatenate(hosts),
        np.concatenate(codes).astype(np.int64),
        np.concatenate(markers),
        np.concatenate(trials),
        tuple(bounds),
    )


def clock_text(host_ms: int) -> str:
    """
    Time stamp as in file names and coding sheet.

    Examples
    --------
    >>> clock_text(60338257)
    '16-45-38-257'
    """
    seconds, ms = divmod(int(host_ms), 1000)
    return f"{seconds // 3600:02d}-{seconds // 60 % 60:02d}-{seconds % 60:02d}-{ms:03d}"


def frame_names(
    date: str,
    host_ms: Sequence[int] | NDArray[np.int64],
    codes: Sequence[int] | NDArray[np.int64],
    markers: Sequence[int] | NDArray[np.int64],
) -> list[str]:
    """
    File names of camera frames in the MMME layout.

    Parameters
    ----------
    date
        ``YYYY-MM-DD``.
    host_ms : (n,)
        Time of the camera's computer [ms since midnight].
    codes : (n,)
        Running code, 1..1000.
    markers : (n,)
        Trigger value.

    Returns
    -------
    list of str
        ``YYYY-MM-DD-HH-MM-SS-mmm-CODE-MARKER.tif``, code of three digits except 1000.

    Examples
    --------
    >>> frame_names("2023-07-21", [60338257, 60338264], [1000, 1], [112, 112])
    ['2023-07-21-16-45-38-257-1000-112.tif', '2023-07-21-16-45-38-264-001-112.tif']
    """
    rows = zip(host_ms, codes, markers, strict=True)
    return [f"{date}-{clock_text(ms)}-{code:03d}-{marker:03d}.tif" for ms, code, marker in rows]
