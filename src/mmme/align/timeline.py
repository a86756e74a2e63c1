"""A recording on one session clock: mapped streams and merged markers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from mmme.align.clocks import clock_map
from mmme.align.report import Edges, frame_period_s, marker_report, trigger_edges
from mmme.errors import AlignmentError, ConfigError, raise_faults, unknown_name
from mmme.types import ClockMap, Markers, Recording, Timeline

__all__ = ["align", "event_bound_s", "event_uncertainty_s"]


def align(
    recording: Recording,
    *,
    reference: str = "eeg",
    limit_ms: float = 10.0,
    force: bool = False,
    assumed: Mapping[str, tuple[str, float]] | None = None,
) -> Timeline:
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
    force
        Accept a map that would be refused for its misfits, its drift or too few shared markers. It carries the reason
        (`ClockMap.forced`), and its bound covers every matched marker. Fewer than 3 markers, codes that fit in two
        places and a clock that starts anew are refused all the same: there is no one line then.
    assumed
        Devices without markers of their own: by device, whose clock it follows and the shift [s] that takes its time to
        that clock, ``time of the other = time of the device + shift``; shift 0 where one computer recorded both. The map
        is marked (`ClockMap.assumed`), and how far it is off is unknown (NaN).

    Returns
    -------
    Timeline
        Streams with mapped times; markers of all devices merged: the reference's time where it has the marker (unless
        two or more others agree against it), else the mean of the others. ``clocks`` begins with the reference.
        `marker_report` tells what was repaired, and what one device had against all others and is left out.

    Raises
    ------
    ConfigError
        If there is no such device, the limit is not positive, or an assumed clock follows itself, the reference's is
        assumed, or a shift is not finite.
    AlignmentError
        Once for all devices that cannot be aligned: fewer than 3 markers shared (two always lie on a line), codes that
        fit equally well in two places, three or more markers in a row that need another shift (the clock started anew),
        or are set aside with the same misfit (it jumped); a drift above 500 ppm (crystals are within 200; more means a
        wrong sampling rate), fewer than half of the reference's markers found, more than a quarter of the shared
        markers off the line (at 29 % the robust fit breaks down), a worst kept marker beyond ``limit_ms``.

    Notes
    -----
    The trim is ``max(4 MAD, 1.5 ms)``, for a camera at least one frame. A drift counts as too high only when it is
    so by more than two standard errors, as three markers in a few seconds say little about it.

    A camera shows a code first in the frame *after* the change. The change lies between that frame and the one
    before, so camera markers are moved to the midpoint of the two, half a period earlier on average; what stays is a
    uniform error of up to half a period. A constant delay between exposure and frame time is part of the intercept and
    cannot be seen from markers.

    What to expect, and how it was measured: docs/time.md.

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
    assumed = {} if assumed is None else assumed
    _check_assumed(assumed, reference, devices, where)
    edges = trigger_edges(recording, devices)
    clocks = {reference: _own_clock(reference, len(edges[reference].markers))}
    faults = []
    for device in (d for d in devices if d != reference and d not in assumed):
        frame_s = max(frame_period_s(recording, device), frame_period_s(recording, reference))
        here, there = edges[reference].markers, edges[device].markers
        try:
            clocks[device] = clock_map(here, there, limit_ms=limit_ms, frame_s=frame_s, force=force)
        except AlignmentError as error:
            faults.append(str(error))
    raise_faults(where, faults, error=AlignmentError)
    clocks |= {d: _assumed_clock(d, clocks[other], shift_s, edges[d]) for d, (other, shift_s) in assumed.items()}
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
    rows = [row for row in marker_report(recording, timeline) if not row.outvoted]
    times, codes = np.array([r.t_s for r in rows]), np.array([r.code for r in rows], dtype=np.int64)
    return replace(timeline, markers=Markers("session", times, codes))


def _check_assumed(assumed: Mapping[str, tuple[str, float]], reference: str, devices: Sequence[str], where: str) -> None:
    """Refuse assumptions about devices that are not there, about the reference, or in a circle."""
    for device, (other, shift_s) in assumed.items():
        for name in (device, other):
            if name not in devices:
                raise unknown_name("device", name, devices, where=f"{where}, assumed clock")
        if device == reference:
            raise ConfigError(
                f"{where}, assumed clock: expected a device that follows the reference, got {device} itself; "
                "choose another reference"
            )
        if other in assumed:
            raise ConfigError(
                f"{where}, assumed clock: expected {device} to follow a device with markers, got {other}, whose clock is "
                "assumed as well"
            )
        if not np.isfinite(shift_s):
            raise ConfigError(f"{where}, assumed clock: expected a shift of {device} in seconds, got {shift_s}")


def _own_clock(device: str, n: int) -> ClockMap:
    """Give the reference its own clock."""
    return ClockMap(device, 1.0, 0.0, 0.0, n, 0, residual_p50_ms=0.0, residual_p95_ms=0.0, max_error_ms=0.0)


def _assumed_clock(device: str, other: ClockMap, shift_s: float, edges: Edges) -> ClockMap:
    """Let a device follow another one's clock; how far it is off is unknown."""
    intercept_s = other.intercept_s + other.rate * shift_s
    unmatched = len(edges.markers)
    return ClockMap(device, other.rate, intercept_s, float("nan"), 0, 0, n_unmatched=unmatched, assumed=True)


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
        Standard uncertainty [s]: the bound of `event_bound_s`, taken as half the width of a uniform distribution
        (divided by the root of 3). It is not divided by the root of the number of markers, as a clock that does not
        run straight is not averaged away. 0 for the reference, NaN for an assumed clock.

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
    return event_bound_s(timeline, device) / float(np.sqrt(3.0))


def event_bound_s(timeline: Timeline, device: str) -> float:
    """
    Bound the error of a device's clock in session time.

    Parameters
    ----------
    timeline
        As returned by `align`.
    device
        Whose clock.

    Returns
    -------
    float
        `ClockMap.max_error_ms` in seconds, or the worst residual where a map does not state it. 0 for the reference,
        NaN for an assumed clock. A delay that all of a device's markers or samples share is not in it.

    Raises
    ------
    ConfigError
        If the timeline has no such device.

    Examples
    --------
    >>> clocks = {"camera": ClockMap("camera", 1.0, 0.0, 3.0, 90, 2, max_error_ms=3.5)}
    >>> line = Timeline("S01", "01", {}, Markers("session", np.empty(0), np.empty(0, int)), clocks, {})
    >>> event_bound_s(line, "camera")
    0.0035
    """
    if device not in timeline.clocks:
        where = f"timeline {timeline.subject}/{timeline.session}"
        raise unknown_name("device", device, timeline.clocks, where=where)
    clock = timeline.clocks[device]
    return (clock.residual_ms if np.isnan(clock.max_error_ms) else clock.max_error_ms) / 1e3
