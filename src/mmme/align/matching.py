"""Which marker of one device is which of another."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import theilslopes

from mmme.errors import AlignmentError
from mmme.types import Markers

__all__ = ["MAX_DRIFT_PPM", "SAME_EVENT_S", "Line", "first_line", "pairs", "theil_sen", "unique_codes"]

Times = NDArray[np.float64]
Indices = NDArray[np.int64]

MAX_DRIFT_PPM = 500.0  # crystals of recording devices are within 200 ppm of each other
SAME_EVENT_S = 1.5  # in MMME a code returns after 21 s at the earliest, and a frame came up to 1.1 s late
FIT_POINTS = 1000  # Theil-Sen looks at all pairs of points
_MIN_VOTES = 3
_MIN_UNIQUE = 5  # Theil-Sen stands 29 % wrong points: one of five
_MOST_AGREE = 0.75
_VOTE_WIDTH_S = 0.05  # coarse on purpose: it only has to be much shorter than the time between markers
_VOTERS = 100  # of the device; each votes with all equal codes of the reference
_MANY_PAIRS = 10_000


@dataclass(frozen=True, slots=True)
class Line:
    """Reference time of device time: ``rate * (t - centre_s) + at_centre_s``."""

    rate: float
    centre_s: float
    at_centre_s: float

    def __call__(self, t: Times) -> Times:
        """Map device times [s]."""
        return self.rate * (t - self.centre_s) + self.at_centre_s


def unique_codes(markers: Markers) -> dict[int, int]:
    """Positions of the codes that occur exactly once, by code."""
    codes, first, count = np.unique(markers.codes, return_index=True, return_counts=True)
    return {int(c): int(k) for c, k, n in zip(codes, first, count, strict=True) if n == 1}


def first_line(reference: Markers, device: Markers) -> Line | None:
    """
    Predict reference times from codes that cannot be confused, or else by a vote of all equal codes.

    The vote also decides where most of those codes are off their line: a line through both halves of a broken clock
    fits neither.
    """
    here, there = unique_codes(reference), unique_codes(device)
    shared = [c for c in here if c in there]
    if len(shared) < _MIN_UNIQUE:
        return _voted_line(reference, device)
    y, x = reference.t[[here[c] for c in shared]], device.t[[there[c] for c in shared]]
    line = theil_sen(y, x)

    def agreeing(candidate: Line) -> int:
        return int(np.sum(np.abs(y - candidate(x)) <= _VOTE_WIDTH_S))

    if agreeing(line) >= _MOST_AGREE * len(shared):
        return line
    only = np.isin(device.codes, shared), np.isin(reference.codes, shared)
    voted = _voted_line(
        replace(reference, t=reference.t[only[1]], codes=reference.codes[only[1]]),
        replace(device, t=device.t[only[0]], codes=device.codes[only[0]]),
    )
    return voted if voted is not None and agreeing(voted) > max(agreeing(line), 2) else line


def _voted_line(reference: Markers, device: Markers) -> Line | None:
    """Line that most pairs of equal code agree on; None without pairs, `AlignmentError` if two do equally well."""
    voters = slice(None, None, -(-len(device) // _VOTERS) or 1)
    i, j = np.nonzero(reference.codes[:, None] == device.codes[voters][None, :])
    if not len(i):
        return None
    y, x = reference.t[i], device.t[voters][j]
    centre_s = float(np.mean(x))
    span_s = max(float(np.ptp(x)), _VOTE_WIDTH_S)
    most = 2 * MAX_DRIFT_PPM * 1e-6  # looked for beyond what is allowed, so that too high a drift can be named
    rates = 1.0 + np.linspace(-most, most, 2 * int(np.ceil(most * span_s / _VOTE_WIDTH_S)) + 1)

    def shifts(rate: float) -> Times:
        return y - rate * (x - centre_s)

    def fullest(rate: float) -> int:
        place = np.floor((shifts(rate) - y.min() + x.max()) * (2 / _VOTE_WIDTH_S)).astype(np.int64)
        place -= place.min()
        if place.max() <= 20 * len(place):
            count = np.bincount(place, minlength=2)
            return int(np.max(count[1:] + count[:-1]))
        place.sort()
        return int(np.max(np.searchsorted(place, place + 1, "right") - np.arange(len(place))))

    def best_of(some: NDArray[np.float64]) -> float:
        return max(some.tolist(), key=lambda r: (fullest(r), -abs(r - 1.0)))

    if len(x) > _MANY_PAIRS:  # so many agree at the right rate that its neighbours show it
        coarse = int(np.argmin(np.abs(rates - best_of(rates[::3]))))
        rates = rates[max(coarse - 2, 0) : coarse + 3]
    rate = best_of(rates)
    order = np.argsort(shifts(rate), kind="stable")
    shift_s = shifts(rate)[order]
    count = np.searchsorted(shift_s, shift_s + _VOTE_WIDTH_S, "right") - np.arange(len(shift_s))
    best = int(np.argmax(count))
    within = slice(best, best + int(count[best]))
    elsewhere = np.where(np.abs(shift_s - shift_s[best]) > 4 * _VOTE_WIDTH_S, count, 0)
    rival = int(np.argmax(elsewhere))
    if count[best] >= _MIN_VOTES and elsewhere[rival] >= 0.9 * count[best]:
        twice = np.isin(j[order][rival : rival + int(elsewhere[rival])], j[order][within])
        if np.mean(twice) > 0.5:  # the same markers fit twice; different ones are a clock that starts anew
            raise AlignmentError(
                f"{device.device}: expected marker codes that fit {reference.device} in one way, got {count[best]} and "
                f"{elsewhere[rival]} matches at different shifts; markers need different codes or uneven intervals"
            )
    return Line(rate, centre_s, float(np.median(shift_s[within])))


def pairs(reference: Markers, mapped: Markers) -> tuple[Indices, Indices]:
    """Pair equal codes within `SAME_EVENT_S`, one to one, the closest first; positions in both, by reference time."""
    first, last = np.searchsorted(mapped.t, [reference.t - SAME_EVENT_S, reference.t + SAME_EVENT_S])
    i = np.repeat(np.arange(len(reference)), last - first)
    j = np.arange(len(i)) - np.repeat(np.cumsum(last - first) - last, last - first)
    equal = reference.codes[i] == mapped.codes[j]
    i, j = i[equal], j[equal]
    partner: dict[int, int] = {}
    taken: set[int] = set()
    for k in np.argsort(np.abs(mapped.t[j] - reference.t[i]), kind="stable").tolist():
        a, b = int(i[k]), int(j[k])
        if a not in partner and b not in taken:
            partner[a] = b
            taken.add(b)
    i_sorted = sorted(partner)
    return np.array(i_sorted, dtype=np.int64), np.array([partner[a] for a in i_sorted], dtype=np.int64)


def theil_sen(reference_s: Times, device_s: Times) -> Line:
    """Median of all slopes, on centred times; evenly thinned above `FIT_POINTS` points."""
    thin = slice(None, None, -(-len(device_s) // FIT_POINTS))
    y, x = reference_s[thin], device_s[thin]
    centre_s = float(np.median(x))
    rate = 1.0 + float(theilslopes(y - x, x - centre_s)[0]) if np.ptp(x) > 0 else 1.0
    return Line(rate, centre_s, float(np.median(y - rate * (x - centre_s))))
