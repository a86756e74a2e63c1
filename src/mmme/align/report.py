"""What each device made of each trigger change, and which changes there were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mmme.align.matching import SAME_EVENT_S, pairs
from mmme.types import Markers, Recording, Timeline

__all__ = ["Edges", "MarkerCounts", "MarkerRow", "frame_period_s", "marker_counts", "marker_report", "trigger_edges"]

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
    between_ms
        By device: the change lies within this of the mapped time [ms]; half the gap between two frames for a camera, all
        of it after a gap of more than 100 ms, 0 for the others.
    outvoted
        Only one device has it, two or more others recorded and do not, and the codes before and after do not need it.
        It is not in the timeline.
    """

    code: int
    t_s: float
    seen_by: tuple[str, ...]
    lost_by: tuple[str, ...]
    doubled_by: tuple[str, ...]
    deviation_ms: Mapping[str, float]
    between_ms: Mapping[str, float] = field(default_factory=dict)
    outvoted: bool = False


@dataclass(frozen=True, slots=True)
class MarkerCounts:
    """
    How many changes one device has, lost, doubled, and has against all others.

    Parameters
    ----------
    seen
        Changes of the session that it has.
    lost
        Repaired: it recorded at that time, and the change comes from other devices.
    doubled
        Changes that it has more than once.
    extra
        Changes that it alone has, against two or more others.
    """

    seen: int
    lost: int
    doubled: int
    extra: int

    @property
    def repaired(self) -> bool:
        """Tell whether anything of this device was repaired from the others."""
        return bool(self.lost or self.doubled or self.extra)


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """When the trigger changed on a device's clock, and within which of that time [s]."""

    markers: Markers
    between_s: NDArray[np.float64]


def marker_counts(rows: Iterable[MarkerRow], devices: Iterable[str]) -> dict[str, MarkerCounts]:
    """
    Count what each device lost, doubled and made up.

    Parameters
    ----------
    rows
        From `marker_report`.
    devices
        Names, for example ``timeline.clocks``.

    Returns
    -------
    dict
        `MarkerCounts` by device.

    Examples
    --------
    >>> rows = [MarkerRow(101, 1.0, ("eeg", "biopac"), ("camera",), ("biopac",), {})]
    >>> marker_counts(rows, ["eeg", "camera"])["camera"]
    MarkerCounts(seen=0, lost=1, doubled=0, extra=0)
    """
    rows = list(rows)
    return {
        d: MarkerCounts(
            seen=sum(d in r.seen_by and not r.outvoted for r in rows),
            lost=sum(d in r.lost_by for r in rows),
            doubled=sum(d in r.doubled_by for r in rows),
            extra=sum(d in r.seen_by and r.outvoted for r in rows),
        )
        for d in devices
    }


def marker_report(recording: Recording, timeline: Timeline) -> list[MarkerRow]:
    """
    List every trigger change of a session with what each device made of it.

    Parameters
    ----------
    recording
        As given to `mmme.align.align`.
    timeline
        As returned by it.

    Returns
    -------
    list of MarkerRow
        In order of session time. Equal codes within 1.5 s on several devices are one change. A change that only one of
        several devices has, within 1.5 s of an equal code that the same device also has, is a doubled marker. One that
        only one of three or more devices has is outvoted, unless it is needed: the line cannot change from a code to the
        same code, so between two equal codes another was lost.

    Examples
    --------
    >>> from mmme.align import align
    >>> from mmme.types import Stream
    >>> eeg = Stream("eeg", "eeg", np.arange(0.0, 9.0), np.zeros(9), "V")
    >>> recording = Recording("S01", "01", {"eeg": eeg}, {"eeg": Markers("eeg", np.array([2.0]), np.array([101]))})
    >>> marker_report(recording, align(recording))[0].seen_by
    ('eeg',)
    """
    devices = list(timeline.clocks)
    edges = trigger_edges(recording, devices)
    mapped = {d: Markers(d, timeline.clocks[d].to_session(edges[d].markers.t), edges[d].markers.codes) for d in devices}
    events, copies = _events(mapped)
    spans = {
        d: [timeline.coverage[n] for n, s in timeline.streams.items() if s.device == d and n in timeline.coverage]
        for d in devices
    }
    doubled: dict[int, dict[str, None]] = {}
    for device, at in copies:
        doubled.setdefault(at, {})[device] = None
    rows = []
    for k, (code, seen) in enumerate(events):
        times = {d: float(mapped[d].t[at]) for d, at in seen.items()}
        t_s = _event_time(times, timeline)
        recorded = [d for d in devices if not spans[d] or any(span.contains(t_s) for span in spans[d])]
        rows.append(
            MarkerRow(
                code=code,
                t_s=t_s,
                seen_by=tuple(times),
                lost_by=tuple(d for d in recorded if d not in times),
                doubled_by=tuple(doubled.get(k, ())),
                deviation_ms=MappingProxyType({d: 1e3 * (t - t_s) for d, t in times.items()}),
                between_ms=MappingProxyType({d: 1e3 * float(edges[d].between_s[at]) for d, at in seen.items()}),
            )
        )
    return _without_outvoted(sorted(rows, key=lambda row: row.t_s))


def frame_period_s(recording: Recording, device: str) -> float:
    """Median time between frames [s] if the device is the camera, else 0."""
    video = recording.streams.get("video")
    return float(np.median(np.diff(video.t))) if video is not None and video.device == device else 0.0


def trigger_edges(recording: Recording, devices: Sequence[str]) -> dict[str, Edges]:
    """Find when the trigger changed, by device: as marked, but between two frames for a camera."""
    none = np.empty(0), np.empty(0, dtype=np.int64)
    markers = {d: recording.markers.get(d, Markers(d, *none)) for d in devices}
    edges = {d: Edges(m, np.zeros(len(m))) for d, m in markers.items()}
    video = recording.streams.get("video")
    if video is not None and len(markers.get(video.device, ())):
        marked = markers[video.device]
        first = np.searchsorted(video.t, marked.t - ROUNDING_S)  # the first frame that carries the code
        gap = marked.t - video.t[np.maximum(first - 1, 0)]
        period = frame_period_s(recording, video.device)
        close = (first > 0) & (gap <= max(MAX_FRAME_GAP_S, 1.5 * period))
        known = np.where(close, gap, period)
        t = np.maximum.accumulate(marked.t - 0.5 * known)
        edges[video.device] = Edges(replace(marked, t=t), np.where(close | (first == 0), 0.5 * known, gap))
    return edges


def _events(mapped: Mapping[str, Markers]) -> tuple[list[tuple[int, dict[str, int]]], list[tuple[str, int]]]:
    """Group markers of all devices (reference first) into events, and name the doubled markers' events."""
    code: list[int] = []
    t: list[float] = []
    seen: list[dict[str, int]] = []
    for device, markers in mapped.items():
        order = np.argsort(np.array(t), kind="stable") if t else np.empty(0, dtype=np.int64)
        known = Markers("events", np.array(t)[order], np.array(code, dtype=np.int64)[order])
        paired = {int(b): int(order[a]) for a, b in zip(*pairs(known, markers), strict=True)}
        for j, (time, value) in enumerate(zip(markers.t.tolist(), markers.codes.tolist(), strict=True)):
            if j in paired:
                seen[paired[j]][device] = j
            else:
                code.append(value)
                t.append(time)
                seen.append({device: j})
    if len(mapped) == 1:  # no second witness: nothing can be called a copy
        return list(zip(code, seen, strict=True)), []
    n_seen = np.array([len(s) for s in seen])
    codes = np.array(code, dtype=np.int64)
    own = {d: np.array([m.t[s[d]] if d in s else np.inf for s in seen]) for d, m in mapped.items()}
    original: dict[int, int] = {}
    for k in np.flatnonzero(n_seen == 1).tolist():
        (device, _), *_ = seen[k].items()
        away_s = np.where((codes == codes[k]) & (n_seen > 1), np.abs(own[device] - t[k]), np.inf)
        nearest = int(np.argmin(away_s))
        if away_s[nearest] <= SAME_EVENT_S:
            original[k] = nearest
    kept = [k for k in range(len(seen)) if k not in original]
    place = {k: n for n, k in enumerate(kept)}
    copies = [(next(iter(seen[k])), place[m]) for k, m in original.items()]
    return [(code[k], seen[k]) for k in kept], copies


def _event_time(times: Mapping[str, float], timeline: Timeline) -> float:
    """Session time of one event: the reference's unless two or more others agree against it, else the others' mean."""
    reference = next(iter(timeline.clocks))
    others = {d: t for d, t in times.items() if d != reference and not timeline.clocks[d].assumed}
    if reference not in times:
        return float(np.mean(list(others.values() or times.values())))
    allowed_s = 1e-2 + max((timeline.clocks[d].residual_ms for d in others), default=0.0) / 1e3
    mean_s = float(np.mean(list(others.values()))) if others else times[reference]
    agree = len(others) >= 2 and float(np.ptp(list(others.values()))) <= allowed_s
    return mean_s if agree and abs(times[reference] - mean_s) > allowed_s else times[reference]


def _without_outvoted(rows: list[MarkerRow]) -> list[MarkerRow]:
    """Mark the rows that one device has against two or more, unless the codes around need them."""
    sure = [k for k, row in enumerate(rows) if len(row.seen_by) > 1]
    t = np.array([rows[k].t_s for k in sure])
    known = {rows[k].code for k in sure}
    judged = []
    for row in rows:
        at = int(np.searchsorted(t, row.t_s))
        around = [rows[k] for k in sure[max(at - 1, 0) : at + 1]]
        if len(row.seen_by) > 1 or len(row.lost_by) < 2 or len(around) < 2:
            judged.append(row)
            continue
        before, after = around
        near = min(row.t_s - before.t_s, after.t_s - row.t_s) <= SAME_EVENT_S
        held = row.code in (before.code, after.code)
        needed = before.code == after.code or row.code in known
        outvoted = held or near or not needed
        judged.append(replace(row, outvoted=True, lost_by=()) if outvoted else row)
    return judged
