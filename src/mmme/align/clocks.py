"""Which marker of one device is which of another, and the straight line between their clocks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import theilslopes

from mmme.errors import AlignmentError
from mmme.types import ClockMap, Markers

__all__ = ["SAME_EVENT_S", "clock_map", "pairs"]

Times = NDArray[np.float64]
Indices = NDArray[np.int64]

MIN_MARKERS = 3  # two points always lie on a line and so cannot disagree
MIN_UNIQUE = 5  # Theil-Sen stands 29 % wrong points: one of five
FRAMES_OFF = 1.5  # a camera sees a marker half a frame off, and one frame more where a frame was lost at the edge
MIN_MATCHED = 0.5  # of the reference's markers
MAX_MISFIT = 0.25  # of the shared markers; at 29 % Theil-Sen breaks down
MAX_DRIFT_PPM = 500.0  # crystals of recording devices are within 200 ppm of each other
SAME_EVENT_S = 1.5  # in MMME a code returns after 21 s at the earliest, and a frame came up to 1.1 s late
MAD_FACTOR, MIN_TRIM_S = 4.0, 1.5e-3  # a quantum of 1 ms on both devices and some jitter are no fault
VOTE_WIDTH_S = 0.05  # coarse on purpose: it only has to be much shorter than the time between markers
FIT_POINTS = 1000  # Theil-Sen looks at all pairs of points


@dataclass(frozen=True, slots=True)
class _Line:
    """Reference time of device time: ``rate * (t - centre_s) + at_centre_s``."""

    rate: float
    centre_s: float
    at_centre_s: float

    def __call__(self, t: Times) -> Times:
        """Map device times [s]."""
        return self.rate * (t - self.centre_s) + self.at_centre_s


def clock_map(reference: Markers, device: Markers, *, limit_ms: float, frame_s: float) -> ClockMap:
    """Map one device onto the reference, or say in one clause why not."""
    name = device.device
    pair = f"{name} and {reference.device}"
    line = _first_line(reference, device)
    i, j = pairs(reference, replace(device, t=line(device.t))) if line else (np.empty(0, int), np.empty(0, int))
    if len(i) < MIN_MARKERS:
        raise AlignmentError(
            f"{name}: expected at least {MIN_MARKERS} markers in common with {reference.device}, got {len(i)} "
            f"({len(device)} and {len(reference)} in all); was the trigger cable connected, is it the same sitting?"
        )
    line, kept = _fit(reference.t[i], device.t[j], frame_s)
    off_s = reference.t[i] - line(device.t[j])
    elsewhere = len(set(_unique(reference)) & set(_unique(device)) - set(reference.codes[i].tolist()))
    misfits = int(np.sum(~kept)) + elsewhere
    if misfits > MAX_MISFIT * (len(i) + elsewhere):
        raise AlignmentError(
            f"{name}: expected the {len(i) + elsewhere} markers that {pair} share on one line, got {misfits} off it; "
            "did a device pause or restart, or is it another sitting?"
        )
    drift_ppm = (line.rate - 1.0) * 1e6
    if abs(drift_ppm) - 2e6 * _rate_error(off_s[kept], device.t[j][kept], frame_s) > MAX_DRIFT_PPM:
        raise AlignmentError(
            f"{name}: expected a drift within {MAX_DRIFT_PPM:.0f} ppm of {reference.device}, got {drift_ppm:.0f} ppm; "
            "is the sampling rate of one of them not what its file says?"
        )
    if len(i) < MIN_MATCHED * len(reference):
        raise AlignmentError(
            f"{name}: expected at least half of the {len(reference)} markers of {reference.device}, got {len(i)}; "
            "did one of the devices start late, stop early, or record another sitting?"
        )
    worst = int(np.argmax(np.where(kept, np.abs(off_s), -1.0)))
    residual_ms = 1e3 * abs(float(off_s[worst]))
    limit_ms = max(limit_ms, 1e3 * FRAMES_OFF * frame_s)
    if residual_ms > limit_ms:
        raise AlignmentError(
            f"{name}: worst of {int(kept.sum())} markers is {residual_ms:.1f} ms off after the fit, limit {limit_ms:.1f} "
            f"ms; is marker {device.codes[j][worst]} (device time {device.t[j][worst]:.3f} s) missing or doubled?"
        )
    intercept_s = line.at_centre_s - line.rate * line.centre_s
    return ClockMap(name, line.rate, intercept_s, residual_ms, int(kept.sum()), int(np.sum(~kept)))


def _unique(markers: Markers) -> dict[int, int]:
    """Positions of the codes that occur exactly once, by code."""
    codes, first, count = np.unique(markers.codes, return_index=True, return_counts=True)
    return {int(c): int(k) for c, k, n in zip(codes, first, count, strict=True) if n == 1}


def _first_line(reference: Markers, device: Markers) -> _Line | None:
    """Predict reference times from codes that cannot be confused, or else by a vote of all equal codes."""
    here, there = _unique(reference), _unique(device)
    shared = [c for c in here if c in there]
    if len(shared) < MIN_UNIQUE:
        return _voted_line(reference, device)
    return _theil_sen(reference.t[[here[c] for c in shared]], device.t[[there[c] for c in shared]])


def _voted_line(reference: Markers, device: Markers) -> _Line | None:
    """Line that most pairs of equal code agree on; None without pairs, `AlignmentError` if two do equally well."""
    i, j = np.nonzero(reference.codes[:, None] == device.codes[None, :])
    if not len(i):
        return None
    centre_s = float(np.mean(device.t))
    span_s = max(float(np.ptp(device.t)), VOTE_WIDTH_S)
    most = 2 * MAX_DRIFT_PPM * 1e-6  # looked for beyond what is allowed, so that too high a drift can be named
    rates = 1.0 + np.linspace(-most, most, 2 * int(np.ceil(most * span_s / VOTE_WIDTH_S)) + 1)

    def votes(rate: float) -> tuple[Times, Indices]:
        shift_s = np.sort(reference.t[i] - rate * (device.t[j] - centre_s))
        return shift_s, np.searchsorted(shift_s, shift_s + VOTE_WIDTH_S, "right") - np.arange(len(shift_s))

    rate = max(rates.tolist(), key=lambda r: (int(votes(r)[1].max()), -abs(r - 1.0)))
    shift_s, count = votes(rate)
    best = int(np.argmax(count))
    other = count[np.abs(shift_s - shift_s[best]) > 4 * VOTE_WIDTH_S]
    if other.size and count[best] >= MIN_MARKERS and other.max() >= 0.9 * count[best]:
        raise AlignmentError(
            f"{device.device}: expected marker codes that fit {reference.device} in one way, got {count[best]} and "
            f"{other.max()} matches at different shifts; markers need different codes or uneven intervals"
        )
    within = slice(best, best + int(count[best]))
    return _Line(rate, centre_s, float(np.median(shift_s[within])))


def pairs(reference: Markers, mapped: Markers) -> tuple[Indices, Indices]:
    """Pair equal codes within `SAME_EVENT_S`, one to one, the closest first; positions in both, by reference time."""
    found: list[tuple[float, int, int]] = []
    for i, (t, code) in enumerate(zip(reference.t, reference.codes, strict=True)):
        first, last = np.searchsorted(mapped.t, [t - SAME_EVENT_S, t + SAME_EVENT_S])
        found += [(abs(float(mapped.t[j] - t)), i, j) for j in range(first, last) if mapped.codes[j] == code]
    partner: dict[int, int] = {}
    taken: set[int] = set()
    for _, i, j in sorted(found):
        if i not in partner and j not in taken:
            partner[i] = j
            taken.add(j)
    i_sorted = sorted(partner)
    return np.array(i_sorted, dtype=np.int64), np.array([partner[i] for i in i_sorted], dtype=np.int64)


def _theil_sen(reference_s: Times, device_s: Times) -> _Line:
    """Median of all slopes, on centred times; evenly thinned above `FIT_POINTS` points."""
    thin = slice(None, None, -(-len(device_s) // FIT_POINTS))
    y, x = reference_s[thin], device_s[thin]
    centre_s = float(np.median(x))
    rate = 1.0 + float(theilslopes(y - x, x - centre_s)[0]) if np.ptp(x) > 0 else 1.0
    return _Line(rate, centre_s, float(np.median(y - rate * (x - centre_s))))


def _fit(reference_s: Times, device_s: Times, frame_s: float) -> tuple[_Line, NDArray[np.bool_]]:
    """Theil-Sen, trim, least squares; the line and the mask of the markers kept."""
    rough = _theil_sen(reference_s, device_s)
    off_s = reference_s - rough(device_s)
    mad_s = float(np.median(np.abs(off_s - np.median(off_s))))
    kept: NDArray[np.bool_] = np.abs(off_s) <= max(MAD_FACTOR * mad_s, MIN_TRIM_S, frame_s)
    x, y = device_s[kept], reference_s[kept]
    centre_s, spread = float(np.mean(x)), float(np.ptp(x))
    excess = y - x  # near constant: keeps the digits that a slope near 1 would cost
    slope = float(np.dot(x - centre_s, excess) / np.dot(x - centre_s, x - centre_s)) if spread > 0 else 0.0
    return _Line(1.0 + slope, centre_s, centre_s + float(np.mean(excess))), kept


def _rate_error(off_s: Times, device_s: Times, frame_s: float) -> float:
    """Estimate the standard error of a rate; frames count with their quantisation even when they happen to fit well."""
    spread = float(np.std(device_s)) * np.sqrt(len(device_s))
    sd_s = np.sqrt(np.sum(off_s**2) / max(len(off_s) - 2, 1))
    return float(max(sd_s, frame_s / np.sqrt(12.0)) / spread) if spread > 0 else float("inf")
