"""
Published ways to count hits of spotted intervals, by name, beside the strict one.

The same predictions score differently under each: what a prediction may be credited for, whether an IoU of exactly 0.5 is
enough, whether frames are counted inclusively, and whether videos without the kind are looked at. Figures of papers can be
compared only under the rule they were counted with; the strict rule is the one to report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmme.interval import Interval
from mmme.metrics.spotting import TOLERANCE, Counts, iou_matrix, match

__all__ = ["RULES", "Rule", "count", "count_video"]

Frames = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Rule:
    """
    A way of counting.

    Parameters
    ----------
    sentence
        What it does, for tables.
    overlap
        ``inclusive``: frames 3 to 5 are three; ``continuous``: they are two long; ``one more``: inclusive, and one frame
        is added to every intersection, so that neighbours which do not meet share one.
    more_than
        An IoU of exactly the limit is no hit.
    credit
        ``one-to-one``: most pairs, each label and prediction once; ``labels found``: a label is found that any prediction
        reaches, so one prediction may find several; ``best label``: predictions in their order take the label of highest
        IoU, and miss when it is taken; ``pairs``: every pair of a label and a prediction counts.
    empty_videos
        Whether videos without a label of the kind are looked at.
    source
        Where it was read.
    """

    sentence: str
    overlap: Literal["inclusive", "continuous", "one more"]
    more_than: bool
    credit: Literal["one-to-one", "labels found", "best label", "pairs"]
    empty_videos: bool
    source: str


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "strict": Rule(
            "each label and each prediction once, inclusive frames, IoU of 0.5 is enough, all videos",
            "inclusive",
            more_than=False,
            credit="one-to-one",
            empty_videos=True,
            source="MEGC2020 rules as written, arXiv:1912.11985",
        ),
        "megc2020": Rule(
            "a label is found that any prediction reaches; one frame is added to every intersection",
            "one more",
            more_than=False,
            credit="labels found",
            empty_videos=True,
            source="script of the MEGC2020 baseline",
        ),
        "softnet": Rule(
            "predictions in their order take their best label; only videos that hold the kind",
            "inclusive",
            more_than=False,
            credit="best label",
            empty_videos=False,
            source="code of SOFTNet, arXiv:2106.06489, and of MEAN",
        ),
        "sl-swin": Rule(
            "as softnet, but an IoU of exactly 0.5 is no hit",
            "inclusive",
            more_than=True,
            credit="best label",
            empty_videos=False,
            source="code of SL-Swin, doi:10.3390/electronics12122656",
        ),
        "of-fd": Rule(
            "a label is found that any prediction reaches; lengths are offset minus onset",
            "continuous",
            more_than=False,
            credit="labels found",
            empty_videos=True,
            source="code of the MEGC2021 winner (He)",
        ),
        "me-tst": Rule(
            "every pair of a label and a prediction counts as a hit, so there can be more hits than labels",
            "inclusive",
            more_than=False,
            credit="pairs",
            empty_videos=True,
            source="code of ME-TST and BoostingVRME",
        ),
    }
)


def _overlaps(truth: Sequence[Frames], pred: Sequence[Frames], overlap: str) -> NDArray[np.float64]:
    """Return the IoU of each label with each prediction as the rule computes it."""
    t, p = (np.asarray(x, dtype=np.float64).reshape(-1, 2) for x in (truth, pred))
    if overlap == "inclusive":
        return iou_matrix([Interval(a, b + 1) for a, b in t.tolist()], [Interval(a, b + 1) for a, b in p.tolist()])
    shared = np.minimum(t[:, None, 1], p[None, :, 1]) - np.maximum(t[:, None, 0], p[None, :, 0])
    lengths = (t[:, 1] - t[:, 0])[:, None] + (p[:, 1] - p[:, 0])[None]
    shared = np.maximum(shared, 0)
    if overlap == "one more":
        shared, lengths = shared + 1, lengths + 2
    union = lengths - shared
    iou = np.divide(shared, union, out=np.zeros(shared.shape), where=union > 0)
    empty = (t[:, 1] <= t[:, 0])[:, None] | (p[:, 1] <= p[:, 0])[None]
    return np.where(empty, 0.0, iou)


def count_video(truth: Sequence[Frames], pred: Sequence[Frames], rule: Rule, *, min_iou: float = 0.5) -> Counts:
    """
    Count hits, false alarms and misses of one kind in one video.

    Parameters
    ----------
    truth, pred
        First and last frame of each interval, both included; predictions in the order of their file.
    rule
        How.
    min_iou
        Least intersection over union of a hit.

    Returns
    -------
    Counts
        Under ``labels found`` and ``pairs``, false alarms or misses can be negative, as in the published codes.

    Examples
    --------
    >>> overlapping, one = [(10, 20), (12, 24)], [(11, 21)]
    >>> [count_video(overlapping, one, RULES[name]).tp for name in ("strict", "megc2020", "me-tst")]
    [1, 2, 2]
    """
    if not rule.empty_videos and not len(truth):
        return Counts(0, 0, 0)
    if not len(truth) or not len(pred):
        return Counts(0, len(pred), len(truth))
    if rule.credit == "one-to-one":
        return match([Interval(a, b + 1) for a, b in truth], [Interval(a, b + 1) for a, b in pred], min_iou=min_iou)
    iou = _overlaps(truth, pred, rule.overlap)
    reached = iou > min_iou + TOLERANCE if rule.more_than else iou >= min_iou - TOLERANCE
    if rule.credit == "labels found":
        tp = int(reached.any(axis=1).sum())
        return Counts(tp, len(pred) - tp, len(truth) - tp)
    if rule.credit == "pairs":
        tp = int(reached.sum())
        return Counts(tp, int((~reached.any(axis=0)).sum()), len(truth) - tp)
    taken: set[int] = set()
    for k in range(len(pred)):
        best = len(truth) - 1 - int(np.argmax(iou[::-1, k]))  # of equal ones the last, as their sorting has it
        if reached[best, k]:
            taken.add(best)
    return Counts(len(taken), len(pred) - len(taken), len(truth) - len(taken))


def count(
    truth: Mapping[str, Sequence[Frames]],
    pred: Mapping[str, Sequence[Frames]],
    videos: Sequence[str],
    rule: Rule,
    *,
    min_iou: float = 0.5,
) -> Counts:
    """
    Count one kind over videos, added up.

    Parameters
    ----------
    truth, pred
        Intervals by video, as in `count_video`; a video that is absent has none.
    videos
        All that were searched.
    rule, min_iou
        As in `count_video`.

    Examples
    --------
    >>> count({"a": [(1, 10)]}, {"a": [(1, 10)], "b": [(5, 9)]}, ["a", "b"], RULES["strict"])
    Counts(tp=1, fp=1, fn=0)
    >>> count({"a": [(1, 10)]}, {"a": [(1, 10)], "b": [(5, 9)]}, ["a", "b"], RULES["softnet"])
    Counts(tp=1, fp=0, fn=0)
    """
    parts = (count_video(truth.get(v, ()), pred.get(v, ()), rule, min_iou=min_iou) for v in videos)
    return sum(parts, start=Counts(0, 0, 0))
