"""
From curves to intervals.

`spot` needs no training: it finds the moments at which facial regions leave and come back. `intervals_from_likelihood`
reads the likelihood curve of a trained classifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks

from mmme.errors import ConfigError, DataError
from mmme.features.face.motion import STRONGEST, MotionCurve, strongest
from mmme.interval import Interval
from mmme.types import Kind

__all__ = ["Spotted", "beyond_s", "foot", "intervals_from_likelihood", "speaking", "speaking_s", "spot", "spot_at"]

MICRO_MAX_S = 0.5
#: Mean of the strongest regions; a broad smile moves the corners of the mouth by about 8 px of a 128-px face.
MOST_PX = 10.0
#: Kinds of a longer half-width have ends of their own in a likelihood curve.
RESOLVED_S = 0.25
#: Reaches at which an apex is looked for: half of a short, of a long micro-expression, and of a macro-expression.
APEX_REACHES_S = (0.15, 0.25, 0.6, 1.2)
#: Regions that speech moves.
SPEAKING = frozenset({"mouth-right", "mouth-left", "lip-upper", "lip-lower", "chin"})
#: A mouth that moves at least so often, no two moves farther apart [s], speaks; looked at over this reach [s], and so far
#: beyond its first and last move [s]. Syllables come 3 to 6 times a second.
SYLLABLES, APART_S, SYLLABLE_REACH_S, BESIDE_S = 4, 0.6, 0.1, 0.35


@dataclass(frozen=True, slots=True)
class Spotted:
    """
    One expression that was found.

    Parameters
    ----------
    kind
        ``micro`` when it lasts at most 0.5 s, else ``macro``.
    onset, apex, offset
        Times [s].
    score
        Bump of the strongest regions at the apex [px of a 128-px face].
    regions
        Those that moved most, strongest first.
    """

    kind: Kind
    onset: float
    apex: float
    offset: float
    score: float
    regions: tuple[str, ...]


def spot(
    curve: MotionCurve,
    *,
    noise: float = 4.0,
    floor_px: float = 0.25,
    max_px: float = MOST_PX,
    min_s: float = 0.1,
    max_s: float = 5.0,
) -> tuple[Spotted, ...]:
    """
    Spot expressions in a motion curve without training.

    Parameters
    ----------
    curve
        Of the video.
    noise
        Peaks count above this many times the median of the curve at their reach, which is what the face does when it
        does nothing; no strong expression hides a weak one, as it does below a share of the maximum.
    floor_px
        Peaks below this never count [px of a 128-px face], so that a still face gives nothing.
    max_px
        Nothing counts beside a motion above this: no muscle moves a whole region so far, but a head that turns away and a
        hand before the face do. `beyond_s` tells how much of a video that concerns.
    min_s, max_s
        Shortest and longest expression [s].

    Returns
    -------
    tuple of Spotted
        In order of time; of overlapping candidates the one with the higher score.

    Raises
    ------
    ConfigError
        If a parameter is out of range.

    Examples
    --------
    >>> t = np.arange(0, 4, 1 / 30)
    >>> moved = np.zeros((len(t), 3, 2))
    >>> moved[:, :, 1] = -np.interp(t, [1.8, 2.0, 2.2], [0, 1, 0])[:, None]  # up and down again within 0.4 s
    >>> (found,) = spot(MotionCurve(t, moved, ("a", "b", "c")))
    >>> found.kind, round(found.onset, 1), round(found.apex, 1), round(found.offset, 1)
    ('micro', 1.8, 2.0, 2.2)
    """
    if not (noise >= 0 and 0 < floor_px < max_px and 0 < min_s < max_s):
        raise ConfigError(
            "spotting: expected noise of 0 or more, 0 < floor_px < max_px and 0 < min_s < max_s, "
            f"got noise {noise}, {floor_px} and {max_px} px, {min_s} and {max_s} s"
        )
    beyond = _beyond(curve, max_px)
    spoken = speaking(curve)  # what counts as speech does not depend on how faint an expression is asked for
    # a voice moves cheeks and nose along with the mouth, the brows it leaves alone
    below = np.array([not name.startswith("brow") for name in curve.names])
    found: list[Spotted] = []
    for reach in APEX_REACHES_S:
        regions = curve.bump(reach)
        regions[np.ix_(spoken, below)] *= 0.0  # NaN stays
        level = strongest(regions)
        seen = np.isfinite(level)
        if not seen.any():
            continue
        threshold = max(floor_px, noise * float(np.median(level[seen])))
        level = np.where(seen, level, 0.0)
        for peak in find_peaks(np.pad(level, 1), height=threshold)[0] - 1:
            candidate = _around(curve, int(peak), regions[peak], float(level[peak]), reach)
            around = (curve.t >= candidate.onset - reach) & (curve.t <= candidate.offset + reach)
            if not min_s <= candidate.offset - candidate.onset <= max_s or beyond[around].any():
                continue
            within = (curve.t >= candidate.onset) & (curve.t <= candidate.offset)
            if not spoken[within].any() or not _of_the_mouth(candidate):
                found.append(candidate)
    kept: list[Spotted] = []
    for candidate in sorted(found, key=lambda s: -s.score):
        interval = Interval(candidate.onset, candidate.offset)
        if all(interval.overlap_s(Interval(k.onset, k.offset)) == 0 for k in kept):
            kept.append(candidate)
    return tuple(sorted(kept, key=lambda s: s.onset))


def spot_at(curve: MotionCurve, apex_s: float, *, kind: Kind | None = None) -> Spotted:
    """
    Find onset and offset of an expression whose apex is known, as `spot` does for the apexes that it finds.

    Parameters
    ----------
    curve
        Of the video, or of the seconds around the apex.
    apex_s
        Time of the apex [s].
    kind
        Looked for at the reaches of this kind alone; at all by default.

    Returns
    -------
    Spotted
        At the reach at which the face moves most. Its onset is the apex where nothing moves before it.

    Raises
    ------
    DataError
        If the curve does not cover the apex, or shows no face there.

    Examples
    --------
    >>> t = np.arange(0, 4, 1 / 30)
    >>> moved = np.zeros((len(t), 3, 2))
    >>> moved[:, :, 1] = -np.interp(t, [1.8, 2.0, 2.2], [0, 1, 0])[:, None]
    >>> found = spot_at(MotionCurve(t, moved, ("a", "b", "c")), 2.0)
    >>> found.kind, round(found.onset, 1), round(found.offset, 1)
    ('micro', 1.8, 2.2)
    """
    step = float(curve.t[1] - curve.t[0])
    if not curve.t[0] - step <= apex_s <= curve.t[-1] + step:
        span = f"{curve.t[0]:.3f} to {curve.t[-1]:.3f} s"
        raise DataError(f"apex at {apex_s:g} s: expected a time in the video, {span}, got one outside")
    peak = int(np.abs(curve.t - apex_s).argmin())
    reaches = {"micro": APEX_REACHES_S[:2], "macro": APEX_REACHES_S[2:]}.get(kind or "", APEX_REACHES_S)
    bumps = [(reach, curve.bump(reach)[peak]) for reach in reaches]
    seen = [(float(strongest(bump[None])[0]), reach, bump) for reach, bump in bumps if np.isfinite(bump).all()]
    if not seen:
        raise DataError(f"apex at {apex_s:g} s: expected a face there and around, got none")
    score, reach, bump = max(seen, key=lambda one: one[0])
    return replace(_around(curve, peak, bump, score, reach), apex=float(apex_s))


def speaking(curve: MotionCurve, *, noise: float = 4.0, floor_px: float = 0.25) -> NDArray[np.bool_]:
    """
    Mark the moments at which a mouth moves again and again, as in speech.

    There `spot` looks at the brows alone: what falls into speech below them is lost, what the brows show is not.

    Parameters
    ----------
    curve
        Of the video; without regions of the mouth nothing is marked.
    noise, floor_px
        As in `spot`.

    Returns
    -------
    (k,) bool

    Examples
    --------
    >>> t = np.arange(0, 6, 1 / 30)
    >>> moved = np.zeros((len(t), 3, 2))
    >>> moved[:, :, 1] = np.where((t > 2) & (t < 4), np.sin(2 * np.pi * 4 * t), 0)[:, None]
    >>> said = speaking(MotionCurve(t, moved, ("chin", "lip-lower", "lip-upper")))
    >>> bool(said[t < 1.5].any()), bool(said[(t > 2.2) & (t < 3.8)].all())
    (False, True)
    """
    mouth = [k for k, name in enumerate(curve.names) if name in SPEAKING]
    marked = np.zeros(len(curve.t), dtype=bool)
    if len(mouth) < STRONGEST:
        return marked
    level = strongest(curve.bump(SYLLABLE_REACH_S)[:, mouth])
    seen = np.isfinite(level)
    if not seen.any():
        return marked
    level = np.where(seen, level, 0.0)
    # half the size that is asked of an expression, a weak syllable between strong ones is one of them; the noise stays out
    threshold = max(0.5 * floor_px, noise * float(np.median(level[seen])))
    at = curve.t[find_peaks(np.pad(level, 1), height=threshold)[0] - 1]
    for group in np.split(at, np.flatnonzero(np.diff(at) > APART_S) + 1):
        if len(group) >= SYLLABLES:
            marked |= (curve.t >= group[0] - BESIDE_S) & (curve.t <= group[-1] + BESIDE_S)
    return marked


def speaking_s(curve: MotionCurve) -> float:
    """Return the seconds in which the mouth speaks, where its movements are no expressions."""
    return float(curve.t[-1] - curve.t[0]) / max(1, len(curve.t) - 1) * float(np.sum(speaking(curve)))


def _of_the_mouth(candidate: Spotted) -> bool:
    """Tell whether most of what moved is moved by speech as well."""
    return 2 * sum(name in SPEAKING for name in candidate.regions) > len(candidate.regions)


def _beyond(curve: MotionCurve, max_px: float) -> NDArray[np.bool_]:
    """Mark the moments at which the face moves more than a face can, at any reach."""
    return np.asarray(np.any([strongest(curve.bump(reach)) > max_px for reach in APEX_REACHES_S], axis=0))


def beyond_s(curve: MotionCurve, *, max_px: float = MOST_PX) -> float:
    """Return the seconds in which a face moves more than a face can, or is not there; nothing is spotted in them."""
    step = float(curve.t[-1] - curve.t[0]) / max(1, len(curve.t) - 1)
    return step * float(np.sum(_beyond(curve, max_px) | ~np.isfinite(curve.total)))


def _around(curve: MotionCurve, peak: int, bumps: NDArray[np.float64], score: float, reach_s: float) -> Spotted:
    """Follow the strongest regions from the apex down both sides, along the direction in which they moved."""
    order = np.argsort(-bumps)[:STRONGEST]
    times = curve.t[peak] + np.array([-reach_s, 0.0, reach_s])
    before, now, after = curve.at(times)[:, order]
    away = now - 0.5 * (before + after)
    unit = away / np.maximum(np.linalg.norm(away), 1e-12)
    moved = np.einsum("kri,ri->k", curve.displacement[:, order], unit)
    step = float(curve.t[1] - curve.t[0])
    far = max(1, round(2 * reach_s / step))
    onset = float(curve.t[peak]) - step * foot(moved[peak::-1][: far + 1])
    offset = float(curve.t[peak]) + step * foot(moved[peak:][: far + 1])
    onset, offset = max(onset, float(curve.t[0])), min(offset, float(curve.t[-1]))
    kind: Kind = "micro" if offset - onset <= MICRO_MAX_S else "macro"
    return Spotted(kind, onset, float(curve.t[peak]), offset, score, tuple(curve.names[k] for k in order))


def foot(slope: NDArray[np.float64]) -> float:
    """
    Count the steps from an apex to where the motion begins or ends: the line through 3/4 and 1/4 of the height, at 0.

    The first move above the noise comes later than the first move. The line meets the foot of a straight rise; of a
    half cosine it leaves out a sixth of the length, in which a fifteenth of the height is covered.
    """
    gone = np.flatnonzero(~np.isfinite(slope))
    slope = slope[: gone[0]] if len(gone) else slope
    if len(slope) < 2 or slope[0] <= slope.min():
        return 0.0
    height = (slope - slope.min()) / (slope[0] - slope.min())
    high, low = (_first_below(height, level) for level in (0.75, 0.25))
    return low + 0.5 * (low - high)


def _first_below(height: NDArray[np.float64], level: float) -> float:
    """Return the place, in steps and linear in between, where a curve that starts at 1 first comes down to a level."""
    k = int(np.argmax(height <= level))
    return k - 1 + float((height[k - 1] - level) / (height[k - 1] - height[k]))


def intervals_from_likelihood(
    t: NDArray[np.float64],
    likelihood: NDArray[np.float64],
    *,
    threshold: float,
    half_width_s: float,
    smooth: float = 0.5,
) -> Sequence[tuple[Interval, float]]:
    """
    Read intervals off the likelihood curve of one kind, the highest peak first.

    A long kind reaches from its peak down both sides to half the peak's height, on each side at least half of and at
    most twice the half-width: the curve says where it ends, the kind says within which limits. A short kind, whose ends
    the features behind the curve cannot resolve, gets its half-width on both sides. No interval leaves the curve, and
    there are no peaks where the likelihood is not known.

    Parameters
    ----------
    t, likelihood : (k,)
        Times [s], increasing, and likelihoods.
    threshold
        Peaks at or above count.
    half_width_s
        Half the usual length of the kind [s].
    smooth
        The curve is averaged over this share of the half-width first.

    Returns
    -------
    list of (Interval, float)
        None of which overlap, with their peak likelihoods.

    Examples
    --------
    >>> t = np.arange(0, 2, 0.1)
    >>> [(i.start, i.stop, s) for i, s in intervals_from_likelihood(
    ...     t, np.where(t == 1.0, 0.9, 0.1), threshold=0.5, half_width_s=0.2, smooth=0.0)]
    [(0.8, 1.2, 0.9)]
    """
    if len(t) < 3:
        return []
    step = float(t[-1] - t[0]) / (len(t) - 1)
    width = 2 * int(0.5 * smooth * half_width_s / step) + 1
    known = np.isfinite(likelihood)
    curve = uniform_filter1d(np.where(known, likelihood, 0.0), width, mode="nearest")
    curve = np.where(known, curve, -1.0)  # no likelihood, no peak
    if curve.max() < threshold:
        return []
    peaks = find_peaks(np.concatenate([[-1.0], curve, [-1.0]]), height=threshold)[0] - 1
    kept: list[tuple[Interval, float]] = []
    for peak in sorted(peaks[curve[peaks] >= threshold], key=lambda k: -curve[k]):
        before_s, after_s = half_width_s, half_width_s
        if half_width_s > RESOLVED_S:
            low = np.flatnonzero(curve < 0.5 * curve[peak])
            split = int(np.searchsorted(low, peak))
            first = t[low[split - 1]] + 0.5 * step if split else t[0]
            last = t[low[split]] - 0.5 * step if split < len(low) else t[-1]
            before_s, after_s = np.clip([t[peak] - first, last - t[peak]], 0.5 * half_width_s, 2 * half_width_s)
        start, stop = np.clip([t[peak] - before_s, t[peak] + after_s], t[0], t[-1])
        interval = Interval(float(start), float(stop))
        if all(interval.overlap_s(other) == 0 for other, _ in kept):
            kept.append((interval, float(curve[peak])))
    return kept
