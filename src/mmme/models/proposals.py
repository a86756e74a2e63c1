"""
From curves to scored intervals, whatever drew the curves: peaks, boundaries, and what overlaps.

Everything is in seconds, so the same settings hold at every frame rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from mmme.errors import ConfigError
from mmme.interval import Interval
from mmme.types import Kind, Proposal

__all__ = ["proposals_at_peaks", "refined", "soft_suppressed"]

Curve = NDArray[np.float64]


def proposals_at_peaks(
    t: Curve,
    centre: Curve,
    before_s: Curve,
    after_s: Curve,
    kind: Kind,
    *,
    floor: float = 0.01,
    most: int = 0,
) -> list[Proposal]:
    """
    Propose an interval at every peak of a curve.

    Parameters
    ----------
    t, centre : (n,)
        Times [s], and how likely each is the middle of an expression (0 to 1); no peak where it is NaN.
    before_s, after_s : (n,)
        How far the expression would reach before and after each moment [s].
    kind
        Of the expressions.
    floor
        Peaks below are left out.
    most
        At most so many, the highest; 0 for all.

    Examples
    --------
    >>> t = np.arange(0, 2, 0.1)
    >>> half = np.full(len(t), 0.2)
    >>> (found,) = proposals_at_peaks(t, np.where(t == 1.0, 0.9, 0.0), half, half, "micro")
    >>> round(found.interval.start, 2), round(found.interval.stop, 2), found.score
    (0.8, 1.2, 0.9)
    """
    values = np.where(np.isfinite(centre), centre, -1.0)
    peaks = find_peaks(np.concatenate([[-2.0], values, [-2.0]]), height=floor)[0] - 1
    order = sorted(peaks.tolist(), key=lambda k: (-values[k], k))
    made = []
    for k in order[: most or None]:
        start = max(float(t[0]), float(t[k] - before_s[k]))
        stop = min(float(t[-1]), float(t[k] + after_s[k]))
        if stop > start:
            made.append(Proposal(kind, Interval(start, stop), float(t[k]), float(values[k])))
    return made


def refined(proposal: Proposal, t: Curve, starts: Curve, stops: Curve, *, reach: float = 0.25) -> Proposal:
    """
    Move the ends of a proposal to where a boundary is likeliest, within a share of its length.

    Parameters
    ----------
    proposal
        To be refined.
    t, starts, stops : (n,)
        Times [s], and how likely each is an onset, an offset.
    reach
        Farthest move, as a share of the proposal's length; ends that no boundary is near stay.

    Examples
    --------
    >>> t = np.arange(0, 2, 0.1)
    >>> found = Proposal("macro", Interval(0.5, 1.5), 1.0, 0.9)
    >>> moved = refined(found, t, np.where(np.isclose(t, 0.4), 0.8, 0.0), np.zeros(len(t)))
    >>> round(moved.interval.start, 2), moved.interval.stop
    (0.4, 1.5)
    """
    length = proposal.interval.duration_s
    ends = []
    for end, curve in ((proposal.interval.start, starts), (proposal.interval.stop, stops)):
        near = np.flatnonzero(np.abs(t - end) <= reach * length)
        weights = curve[near] * (1 - 0.5 * np.abs(t[near] - end) / max(reach * length, 1e-9)) if len(near) else near
        best = int(np.argmax(weights)) if len(near) else 0
        ends.append(float(t[near[best]]) if len(near) and weights[best] > 0 else end)
    if not ends[0] < proposal.apex < ends[1]:
        return proposal
    return replace(proposal, interval=Interval(ends[0], ends[1]))


def soft_suppressed(proposals: Sequence[Proposal], *, sigma: float = 0.3, apart: float = 0.2) -> list[Proposal]:
    """
    Lower the score of proposals by their overlap with better ones of the same kind, and drop what overlaps much.

    Coded expressions of one kind never overlap, so of two proposals for one expression the second is a false alarm for
    sure; one that touches a neighbour only a little may well be true.

    Parameters
    ----------
    proposals
        Of one video, in any order.
    sigma
        A score falls by ``exp(-iou^2 / sigma)`` for each better proposal (Bodla et al. 2017, arXiv:1704.04503).
    apart
        Proposals whose IoU with a better one is above this are dropped.

    Raises
    ------
    ConfigError
        If a setting is out of range.

    Examples
    --------
    >>> two = [Proposal("micro", Interval(1.0, 1.4), 1.2, 0.9), Proposal("micro", Interval(1.1, 1.5), 1.3, 0.8)]
    >>> [p.score for p in soft_suppressed(two)]
    [0.9]
    """
    if not (sigma > 0 and 0 <= apart <= 1):
        raise ConfigError(f"suppression: expected sigma above 0 and apart from 0 to 1, got {sigma} and {apart}")
    left = sorted(proposals, key=lambda p: (-p.score, p.interval.start))
    kept: list[Proposal] = []
    while left:
        best = left.pop(0)
        kept.append(best)
        still = []
        for other in left:
            iou = best.interval.iou(other.interval) if other.kind == best.kind else 0.0
            if iou <= apart:
                still.append(replace(other, score=other.score * float(np.exp(-(iou**2) / sigma))))
        left = sorted(still, key=lambda p: (-p.score, p.interval.start))
    return sorted(kept, key=lambda p: p.interval.start)
