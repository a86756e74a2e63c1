"""The straight line between the clocks of two devices, how far it can be trusted, and when it is refused."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmme.align.matching import MAX_DRIFT_PPM, Line, first_line, pairs, theil_sen, unique_codes
from mmme.errors import AlignmentError
from mmme.types import ClockMap, Markers

__all__ = ["clock_map"]

Times = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

MIN_MARKERS = 3  # two points always lie on a line and so cannot disagree
FRAMES_OFF = 1.5  # a camera sees a marker half a frame off, and one frame more where a frame was lost at the edge
MIN_MATCHED = 0.5  # of the reference's markers
MAX_MISFIT = 0.25  # of the shared markers; at 29 % Theil-Sen breaks down
MAD_FACTOR, MIN_TRIM_S = 4.0, 1.5e-3  # a quantum of 1 ms on both devices and some jitter are no fault
MIN_RUN = 3  # markers in a row that are off alike: single ones are wrong markers, several are another clock
ALIKE_S = 0.05
STEP = 4.0  # two lines must leave this much less than one, in squares, to be called a step


@dataclass(frozen=True, slots=True)
class _Match:
    """Markers of the reference (``i``) and of the device (``j``) that are the same change, the line, what it keeps."""

    i: Indices
    j: Indices
    line: Line
    kept: Mask
    off_s: Times


def clock_map(reference: Markers, device: Markers, *, limit_ms: float, frame_s: float, force: bool = False) -> ClockMap:
    """Map one device onto the reference, or say in one clause why not."""
    match = _match(reference, device, frame_s)
    _refuse_restart(reference, device, match)
    faults = _faults(reference, device, match, max(limit_ms, 1e3 * FRAMES_OFF * frame_s), frame_s)
    if faults and not force:
        raise AlignmentError(f"{device.device}: {faults[0]}")
    line, kept = match.line, match.kept
    misfit_ms = 1e3 * np.abs(match.off_s)
    # what was accepted against the rules counts whole: then no matched marker may be worse than the bound
    trusted = np.ones_like(kept) if faults else kept
    left_out_s = _left_out(device.t[match.j], match.off_s, kept)
    return ClockMap(
        device=device.device,
        rate=line.rate,
        intercept_s=line.at_centre_s - line.rate * line.centre_s,
        residual_ms=float(misfit_ms[kept].max()),
        n_used=int(kept.sum()),
        n_rejected=int(np.sum(~kept)),
        residual_p50_ms=float(np.quantile(misfit_ms[kept], 0.5)),
        residual_p95_ms=float(np.quantile(misfit_ms[kept], 0.95)),
        n_unmatched=len(reference) + len(device) - 2 * len(match.i),
        max_error_ms=1e3 * max(float(np.max(left_out_s[trusted])), 0.5 * frame_s),
        forced="; ".join(fault.partition(";")[0] for fault in faults),
    )


def _faults(reference: Markers, device: Markers, match: _Match, limit_ms: float, frame_s: float) -> list[str]:
    """Name what is against a map; each of them may be accepted on demand."""
    i, j, kept, off_s = match.i, match.j, match.kept, match.off_s
    elsewhere = len(set(unique_codes(reference)) & set(unique_codes(device)) - set(reference.codes[i].tolist()))
    drift_ppm = (match.line.rate - 1.0) * 1e6
    worst = int(np.argmax(np.where(kept, np.abs(off_s), -1.0)))
    residual_ms = 1e3 * abs(float(off_s[worst]))
    faults = []
    if (misfits := int(np.sum(~kept)) + elsewhere) > MAX_MISFIT * (len(i) + elsewhere):
        faults.append(
            f"expected the {len(i) + elsewhere} markers that {device.device} and {reference.device} share on one line, got "
            f"{misfits} off it; did a device pause or restart, or is it another sitting?"
        )
    if run := _run_of_misfits(match):
        first, last = run
        faults.append(
            f"expected wrong markers to be single, got {last - first + 1} in a row that are all "
            f"{abs(1e3 * off_s[first]):.0f} ms off, from {_marker(device, j[first])} to {_marker(device, j[last])}; "
            "did its clock jump there?"
        )
    if abs(drift_ppm) - 2e6 * _rate_error(off_s[kept], device.t[j][kept], frame_s) > MAX_DRIFT_PPM:
        faults.append(
            f"expected a drift within {MAX_DRIFT_PPM:.0f} ppm of {reference.device}, got {drift_ppm:.0f} ppm; "
            "is the sampling rate of one of them not what its file says?"
        )
    if len(i) < MIN_MATCHED * len(reference):
        faults.append(
            f"expected at least half of the {len(reference)} markers of {reference.device}, got {len(i)}; "
            "did one of the devices start late, stop early, or record another sitting?"
        )
    if residual_ms > limit_ms:
        step = _step(reference.t[i][kept], device.t[j][kept])
        jump = "" if step is None else f", or did its clock jump by {1e3 * step[1]:.0f} ms at {step[0]:.3f} s"
        faults.append(
            f"worst of {int(kept.sum())} markers is {residual_ms:.1f} ms off after the fit, limit {limit_ms:.1f} "
            f"ms; is {_marker(device, j[worst])} missing or doubled{jump}?"
        )
    return faults


def _marker(markers: Markers, at: int) -> str:
    """Name a marker by code and device time."""
    return f"marker {markers.codes[at]} (device time {markers.t[at]:.3f} s)"


def _match(reference: Markers, device: Markers, frame_s: float) -> _Match:
    """Find the markers that two devices share, and the line through them."""
    line = first_line(reference, device)
    match = None if line is None else _match_along(line, reference, device, frame_s)
    if match is None:
        shared = 0 if line is None else len(pairs(reference, replace(device, t=line(device.t)))[0])
        raise AlignmentError(
            f"{device.device}: expected at least {MIN_MARKERS} markers in common with {reference.device}, got {shared} "
            f"({len(device)} and {len(reference)} in all); was the trigger cable connected, is it the same sitting?"
        )
    # the first line may be off by more than the time between two equal codes
    return _match_along(match.line, reference, device, frame_s) or match


def _match_along(line: Line, reference: Markers, device: Markers, frame_s: float) -> _Match | None:
    """Pair markers where a line predicts them, and fit again; None where fewer than 3 pair."""
    i, j = pairs(reference, replace(device, t=line(device.t)))
    if len(i) < MIN_MARKERS:
        return None
    fitted, kept = _fit(reference.t[i], device.t[j], frame_s)
    return _Match(i, j, fitted, kept, reference.t[i] - fitted(device.t[j]))


def _fit(reference_s: Times, device_s: Times, frame_s: float) -> tuple[Line, Mask]:
    """Theil-Sen, trim, least squares; the line and the mask of the markers kept."""
    rough = theil_sen(reference_s, device_s)
    off_s = reference_s - rough(device_s)
    mad_s = float(np.median(np.abs(off_s - np.median(off_s))))
    kept: Mask = np.abs(off_s) <= max(MAD_FACTOR * mad_s, MIN_TRIM_S, frame_s)
    x, y = device_s[kept], reference_s[kept]
    centre_s, spread = float(np.mean(x)), float(np.ptp(x))
    excess = y - x  # near constant: keeps the digits that a slope near 1 would cost
    slope = float(np.dot(x - centre_s, excess) / np.dot(x - centre_s, x - centre_s)) if spread > 0 else 0.0
    return Line(1.0 + slope, centre_s, centre_s + float(np.mean(excess))), kept


def _left_out(device_s: Times, off_s: Times, kept: Mask) -> Times:
    """Misfit [s] of each marker to the line through the others: with few markers, one of them bends the line to itself."""
    x = device_s - float(np.mean(device_s[kept]))
    spread = float(np.dot(x[kept], x[kept]))
    say = np.where(kept, 1.0 / kept.sum() + (x**2 / spread if spread > 0 else 0.0), 0.0)
    return np.asarray(np.abs(off_s) / np.maximum(1.0 - say, 0.05))


def _rate_error(off_s: Times, device_s: Times, frame_s: float) -> float:
    """Estimate the standard error of a rate; frames count with their quantisation even when they happen to fit well."""
    spread = float(np.std(device_s)) * np.sqrt(len(device_s))
    sd_s = np.sqrt(np.sum(off_s**2) / max(len(off_s) - 2, 1))
    return float(max(sd_s, frame_s / np.sqrt(12.0)) / spread) if spread > 0 else float("inf")


def _refuse_restart(reference: Markers, device: Markers, match: _Match) -> None:
    """Refuse a device whose clock starts anew: markers that the line leaves over fit it in a row with another shift."""
    in_line = np.zeros(len(device), dtype=bool)
    in_line[match.j] = True
    free = np.setdiff1d(np.arange(len(reference)), match.i)
    a, b = np.nonzero(reference.codes[free][:, None] == np.where(in_line, -1, device.codes)[None, :])
    if len(a) < MIN_RUN:
        return
    shift_s = reference.t[free][a] - match.line(device.t[b])
    order = np.argsort(shift_s)
    count = np.searchsorted(shift_s[order], shift_s[order] + ALIKE_S, "right") - np.arange(len(order))
    start = int(np.argmax(count))
    alike = order[start : start + int(count[start])]
    rows = np.unique(b[alike])
    if len(rows) < MIN_RUN or in_line[rows[0] : rows[-1] + 1].any():
        return
    raise AlignmentError(
        f"{device.device}: expected one clock from start to end, got {len(rows)} markers in a row from "
        f"{_marker(device, rows[0])} to {_marker(device, rows[-1])} that fit {reference.device} only with a jump of "
        f"{-float(np.median(shift_s[alike])):.3f} s; did a device pause or restart, or is it another sitting?"
    )


def _run_of_misfits(match: _Match) -> tuple[int, int] | None:
    """First and last of the longest run of markers that were set aside with about the same misfit, if it is one."""
    best: tuple[int, int] | None = None
    first = 0
    for k in range(1, len(match.kept) + 1):
        alike = k < len(match.kept) and not match.kept[k] and abs(match.off_s[k] - match.off_s[first]) <= ALIKE_S
        if match.kept[first] or not alike:
            if not match.kept[first] and k - first >= MIN_RUN and (best is None or k - first > best[1] - best[0] + 1):
                best = first, k - 1
            first = k
    return best


def _step(reference_s: Times, device_s: Times) -> tuple[float, float] | None:
    """Device time and size [s] of the one jump that explains most, if two lines fit far better than one."""
    n = len(device_s)
    if n < 2 * MIN_RUN:
        return None
    x, y = device_s - device_s.mean(), reference_s - device_s - np.mean(reference_s - device_s)
    sums = np.cumsum(np.column_stack([np.ones(n), x, y, x * x, x * y, y * y]), axis=0)

    def left(s: NDArray[np.float64]) -> NDArray[np.float64]:
        m, sx, sy, sxx, sxy, syy = s.T
        vx, vy, cxy = sxx - sx**2 / m, syy - sy**2 / m, sxy - sx * sy / m
        return np.asarray(vy - cxy**2 / np.maximum(vx, 1e-12))

    before = sums[MIN_RUN - 1 : n - MIN_RUN]
    two = left(before) + left(sums[-1] - before)
    if STEP * two.min() > left(sums[-1:])[0]:
        return None
    k = MIN_RUN + int(np.argmin(two))
    at = 0.5 * (x[k - 1] + x[k])
    ends = [np.polyval(np.polyfit(x[s], y[s], 1), at) for s in (slice(None, k), slice(k, None))]
    return float(at + device_s.mean()), float(ends[0] - ends[1])
