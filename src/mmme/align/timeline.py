"""A recording on one session clock: mapped streams, merged markers, and what was repaired."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from mmme.align.clocks import SAME_EVENT_S, clock_map, pairs
from mmme.errors import AlignmentError, ConfigError, raise_faults, unknown_name
from mmme.types import ClockMap, Markers, Recording, Timeline

__all__ = ["MarkerRow", "align", "event_uncertainty_s", "marker_report"]

MAX_FRAME_GAP_S = 0.1  # after a longer gap between frames nobody knows when the code changed
ROUNDING_S = 1e-3  # marker and frame times may have been written with three decimals


@dataclass(frozen=True, slots=True)
class MarkerRow:
    """
    One trigger change of a session, and what each device made of it.

    Parameters
    ----------
    code
        The trigger value.
    t_s
        Session time [s].
    seen_by
        Devices that have it, the reference first.
    lost_by
        Devices that recorded at that time and do not have it; it is repaired from the others.
    doubled_by
        Devices that have it more than once; the copies are not in the timeline.
    deviation_ms
        By device: mapped time minus ``t_s`` [ms].
    """

    code: int
    t_s: float
    seen_by: tuple[str, ...]
    lost_by: tuple[str, ...]
    doubled_by: tuple[str, ...]
    deviation_ms: Mapping[str, float]


def align(recording: Recording, *, reference: str = "eeg", limit_ms: float = 10.0) -> Timeline:
    """
    Bring all devices of a recording onto the clock of one of them.

    Parameters
    ----------
    recording
        Streams and markers, each on the clock of its own device.
    reference
        The device whose clock becomes session time. A recording of a single device keeps that device's clock.
    limit_ms
        Worst misfit of a marker that a fit may keep [ms]. 10 ms is 1.5 frames at 150 Hz and a fortieth of a
        micro-expression; for a slower camera 1.5 of its frames count instead.

    Returns
    -------
    Timeline
        Streams with mapped times; markers of all devices merged: the reference's time where it has the marker (unless
        two or more others agree against it), else the mean of the others. ``clocks`` begins with the reference.
        `marker_report` tells what was repaired.

    Raises
    ------
    ConfigError
        If there is no such device, or the limit is not positive.
    AlignmentError
        Once for all devices that cannot be aligned: fewer than 3 markers shared (two always lie on a line), a drift
        above 500 ppm (crystals are within 200; more means a wrong sampling rate), fewer than half of the reference's
        markers found, more than a quarter of the shared markers off the line (at 29 % the robust fit breaks down;
        the clock jumped), a worst kept marker beyond ``limit_ms``, or codes that fit equally well in two places.

    Notes
    -----
    The trim is ``max(4 MAD, 1.5 ms)``, for a camera at least one frame. A drift counts as too high only when it is
    so by more than two standard errors, as three markers in a few seconds say little about it.

    A camera shows a code first in the frame *after* the change. The change lies between that frame and the one
    before, so camera markers are moved to the midpoint of the two, half a period earlier on average; what stays is a
    uniform error of up to half a period. A constant delay between exposure and frame time is part of the intercept and
    cannot be seen from markers.

    Example of the numbers to expect: 48 trials, 0.8 ms jitter, lost, doubled and wrong markers: below 1 ms over 75 min.

    References
    ----------
    Sen PK (1968), Estimates of the regression coefficient based on Kendall's tau, doi:10.1080/01621459.1968.10480934.

    Examples
    --------
    >>> from mmme.types import Stream
    >>> t, codes = np.array([10.0, 70.0, 100.0, 155.0]), np.array([101, 100, 102, 100])
    >>> eeg = Stream("eeg", "eeg", np.arange(0.0, 200.0), np.zeros(200), "V")
    >>> skt = Stream("skt", "biopac", np.arange(0.0, 200.0), np.zeros(200), "°C")
    >>> markers = {"eeg": Markers("eeg", t, codes), "biopac": Markers("biopac", t * 1.0001 + 24.8, codes)}
    >>> timeline = align(Recording("S01", "01", {"eeg": eeg, "skt": skt}, markers))
    >>> clock = timeline.clocks["biopac"]
    >>> round(clock.drift_ppm), round(float(clock.to_session(np.array([34.801]))[0]), 6)
    (-100, 10.0)
    """
    if not limit_ms > 0:
        raise ConfigError(f"limit_ms: expected more than 0 ms, got {limit_ms}")
    where = f"recording {recording.subject}/{recording.session}"
    devices = sorted({s.device for s in recording.streams.values()} | set(recording.markers))
    reference = devices[0] if len(devices) == 1 else reference
    if reference not in devices:
        raise unknown_name("device", reference, devices, where=where)
    edges = _edges(recording, devices)
    clocks = {reference: ClockMap(reference, 1.0, 0.0, 0.0, len(edges[reference]), 0)}
    faults = []
    for device in (d for d in devices if d != reference):
        frame_s = max(_frame_period_s(recording, device), _frame_period_s(recording, reference))
        try:
            clocks[device] = clock_map(edges[reference], edges[device], limit_ms=limit_ms, frame_s=frame_s)
        except AlignmentError as error:
            faults.append(str(error))
    raise_faults(where, faults, error=AlignmentError)
    streams = {n: replace(s, t=clocks[s.device].to_session(s.t)) for n, s in recording.streams.items()}
    coverage = {name: stream.span for name, stream in streams.items()}
    timeline = Timeline(
        subject=recording.subject,
        session=recording.session,
        streams=MappingProxyType(streams),
        markers=Markers("session", np.empty(0), np.empty(0, dtype=np.int64)),
        clocks=MappingProxyType(clocks),
        coverage=MappingProxyType(coverage),
        source=recording.source,
    )
    rows = marker_report(recording, timeline)
    times, codes = np.array([r.t_s for r in rows]), np.array([r.code for r in rows], dtype=np.int64)
    return replace(timeline, markers=Markers("session", times, codes))


def marker_report(recording: Recording, timeline: Timeline) -> list[MarkerRow]:
    """
    List every trigger change of a session with what each device made of it.

    Parameters
    ----------
    recording
        As given to `align`.
    timeline
        As returned by `align`.

    Returns
    -------
    list of MarkerRow
        In order of session time. Equal codes within 1.5 s on several devices are one change. A change that only one of
        several devices has, within 1.5 s of an equal code that the same device also has, is a doubled marker.

    Examples
    --------
    >>> from mmme.types import Stream
    >>> eeg = Stream("eeg", "eeg", np.arange(0.0, 9.0), np.zeros(9), "V")
    >>> recording = Recording("S01", "01", {"eeg": eeg}, {"eeg": Markers("eeg", np.array([2.0]), np.array([101]))})
    >>> marker_report(recording, align(recording))[0].seen_by
    ('eeg',)
    """
    devices = list(timeline.clocks)
    edges = _edges(recording, devices)
    mapped = {d: Markers(d, timeline.clocks[d].to_session(edges[d].t), edges[d].codes) for d in devices}
    events, copies = _events(mapped)
    spans = {
        d: [timeline.coverage[n] for n, s in timeline.streams.items() if s.device == d and n in timeline.coverage]
        for d in devices
    }
    rows = []
    for k, (code, times) in enumerate(events):
        t_s = _event_time(times, timeline)
        recorded = [d for d in devices if not spans[d] or any(span.contains(t_s) for span in spans[d])]
        rows.append(
            MarkerRow(
                code=code,
                t_s=t_s,
                seen_by=tuple(times),
                lost_by=tuple(d for d in recorded if d not in times),
                doubled_by=tuple(dict.fromkeys(d for d, at in copies if at == k)),
                deviation_ms=MappingProxyType({d: 1e3 * (t - t_s) for d, t in times.items()}),
            )
        )
    return sorted(rows, key=lambda row: row.t_s)


def event_uncertainty_s(timeline: Timeline, device: str) -> float:
    """
    Tell how well an event on a device's clock is known in session time.

    Parameters
    ----------
    timeline
        As returned by `align`.
    device
        Whose clock.

    Returns
    -------
    float
        Standard uncertainty [s]: the worst marker kept by the fit, taken as half the width of a uniform distribution
        (divided by the root of 3). It is not divided by the root of the number of markers, as a clock that does not
        run straight is not averaged away. 0 for the reference.

    Raises
    ------
    ConfigError
        If the timeline has no such device.

    References
    ----------
    JCGM 100:2008, Guide to the expression of uncertainty in measurement, 4.3.7.

    Examples
    --------
    >>> clocks = {"camera": ClockMap("camera", 1.0, 0.0, 3.0, 90, 2)}
    >>> line = Timeline("S01", "01", {}, Markers("session", np.empty(0), np.empty(0, int)), clocks, {})
    >>> round(event_uncertainty_s(line, "camera"), 6)
    0.001732
    """
    if device not in timeline.clocks:
        where = f"timeline {timeline.subject}/{timeline.session}"
        raise unknown_name("device", device, timeline.clocks, where=where)
    return timeline.clocks[device].residual_ms / 1e3 / float(np.sqrt(3.0))


def _frame_period_s(recording: Recording, device: str) -> float:
    """Median time between frames [s] if the device is the camera, else 0."""
    video = recording.streams.get("video")
    return float(np.median(np.diff(video.t))) if video is not None and video.device == device else 0.0


def _edges(recording: Recording, devices: Sequence[str]) -> dict[str, Markers]:
    """Find when the trigger changed, by device: as marked, but between two frames for a camera."""
    none = np.empty(0), np.empty(0, dtype=np.int64)
    edges = {d: recording.markers.get(d, Markers(d, *none)) for d in devices}
    video = recording.streams.get("video")
    if video is not None and len(edges.get(video.device, ())):
        marked = edges[video.device]
        first = np.searchsorted(video.t, marked.t - ROUNDING_S)  # the first frame that carries the code
        gap = marked.t - video.t[np.maximum(first - 1, 0)]
        period = _frame_period_s(recording, video.device)
        gap = np.where((first > 0) & (gap <= max(MAX_FRAME_GAP_S, 1.5 * period)), gap, period)
        edges[video.device] = replace(marked, t=np.maximum.accumulate(marked.t - 0.5 * gap))
    return edges


def _events(mapped: Mapping[str, Markers]) -> tuple[list[tuple[int, dict[str, float]]], list[tuple[str, int]]]:
    """Group session times of all devices (reference first) into events, and name the doubled markers' events."""
    events: list[tuple[int, dict[str, float]]] = []
    for device, markers in mapped.items():
        order = sorted(range(len(events)), key=lambda k: next(iter(events[k][1].values())))
        known = Markers(
            "events",
            np.array([next(iter(events[k][1].values())) for k in order]),
            np.array([events[k][0] for k in order], dtype=np.int64),
        )
        paired = dict(zip(*(a.tolist() for a in reversed(pairs(known, markers))), strict=True))
        for j, (t, code) in enumerate(zip(markers.t.tolist(), markers.codes.tolist(), strict=True)):
            if j in paired:
                events[order[paired[j]]][1][device] = t
            else:
                events.append((code, {device: t}))
    if len(mapped) == 1:  # no second witness: nothing can be called a copy
        return events, []
    original: dict[int, int] = {}
    for k, (code, times) in enumerate(events):
        if len(times) == 1:
            (device, t), *_ = times.items()
            near = [
                (abs(other[device] - t), m)
                for m, (c, other) in enumerate(events)
                if c == code and len(other) > 1 and abs(other.get(device, np.inf) - t) <= SAME_EVENT_S
            ]
            if near:
                original[k] = min(near)[1]
    kept = [k for k in range(len(events)) if k not in original]
    copies = [(next(iter(events[k][1])), kept.index(m)) for k, m in original.items()]
    return [events[k] for k in kept], copies


def _event_time(times: Mapping[str, float], timeline: Timeline) -> float:
    """Session time of one event: the reference's unless two or more others agree against it, else the others' mean."""
    reference = next(iter(timeline.clocks))
    others = {d: t for d, t in times.items() if d != reference}
    if reference not in times:
        return float(np.mean(list(others.values())))
    allowed_s = 1e-2 + max((timeline.clocks[d].residual_ms for d in others), default=0.0) / 1e3
    mean_s = float(np.mean(list(others.values()))) if others else times[reference]
    agree = len(others) >= 2 and float(np.ptp(list(others.values()))) <= allowed_s
    return mean_s if agree and abs(times[reference] - mean_s) > allowed_s else times[reference]
