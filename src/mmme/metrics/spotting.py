"""
Scores of spotting: which coded intervals were found, and what was found besides.

Conventions
-----------
- A prediction hits a coded interval of the same kind and video when their intersection over union (IoU) reaches
  ``min_iou``, 0.5 by default; exactly 0.5 is a hit (with 1e-9 to spare for times in binary fractions).
- Matching is strictly one to one and maximal: a prediction hits at most one coded interval, a coded interval is hit at
  most once, every other prediction is a false positive, and no other assignment has more hits.
- Counts are added up over all videos, those without any event included; precision, recall and F1 come from the sums.
- Frames are inclusive: an expression in frames 3 to 5 lasts three frames (`frames_interval`).

How published codes differ
--------------------------
- The MEGC2020 script counts coded intervals that are reached by any prediction (`labels_found`), so one prediction may
  be credited twice: on its own CAS(ME)^2 output 109 macro-expressions instead of 104.
- Counting only videos that contain the class triples the ME F1 of the same output (.0082 to .0265).
- ``IoU > 0.5`` instead of ``>=`` loses a few percent of the hits on short expressions; lengths without the inclusive
  frame (``offset - onset``) shift others.
- Greedy matching by score never has more hits than the maximal one; `average_precision` is greedy, as its ranking needs.

References
----------
He et al. (2020), Spotting macro- and micro-expression intervals in long video sequences, arXiv:1912.11985.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from mmme.interval import Interval

__all__ = [
    "Counts",
    "average_precision",
    "average_precision_of_ranking",
    "f1_of_counts",
    "false_alarms_per_minute",
    "frames_interval",
    "hits_in_order",
    "iou_matrix",
    "labels_found",
    "match",
    "matched_pairs",
    "pooled",
    "precision_of_counts",
    "recall_of_counts",
    "strs",
]

TOLERANCE = 1e-9


def _ratio(numerator: ArrayLike, denominator: ArrayLike) -> NDArray[np.float64]:
    num, den = np.broadcast_arrays(np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64))
    return np.divide(num, den, out=np.zeros(num.shape), where=den > 0)


def precision_of_counts(tp: ArrayLike, fp: ArrayLike) -> NDArray[np.float64]:
    """Share of predictions that hit, elementwise; 0 where nothing was predicted."""
    return _ratio(tp, np.add(tp, fp))


def recall_of_counts(tp: ArrayLike, fn: ArrayLike) -> NDArray[np.float64]:
    """Share of coded intervals that were hit, elementwise; 0 where nothing was coded."""
    return _ratio(tp, np.add(tp, fn))


def f1_of_counts(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike) -> NDArray[np.float64]:
    """``2 TP / (2 TP + FP + FN)``, elementwise; 0 where nothing was coded nor predicted."""
    return _ratio(np.multiply(2, tp), np.add(np.multiply(2, tp), np.add(fp, fn)))


@dataclass(frozen=True, slots=True)
class Counts:
    """
    Hits, false alarms and misses; added up before any score is computed.

    Parameters
    ----------
    tp, fp, fn
        Matched, unmatched predictions, unmatched coded intervals.

    Examples
    --------
    >>> total = Counts(1, 2, 0) + Counts(1, 0, 1)
    >>> total, total.precision, round(total.recall, 3), round(total.f1, 3)
    (Counts(tp=2, fp=2, fn=1), 0.5, 0.667, 0.571)
    """

    tp: int
    fp: int
    fn: int

    def __add__(self, other: Counts) -> Counts:
        """Pool with the counts of other videos."""
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def precision(self) -> float:
        """Share of predictions that hit; 0 without predictions."""
        return float(precision_of_counts(self.tp, self.fp))

    @property
    def recall(self) -> float:
        """Share of coded intervals that were hit; 0 without any."""
        return float(recall_of_counts(self.tp, self.fn))

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 when there is nothing at all."""
        return float(f1_of_counts(self.tp, self.fp, self.fn))


def pooled(counts: Iterable[Counts]) -> Counts:
    """
    Sum of the counts of many videos, folds or kinds.

    Examples
    --------
    >>> pooled([Counts(1, 0, 0), Counts(0, 3, 1)])
    Counts(tp=1, fp=3, fn=1)
    """
    return sum(counts, start=Counts(0, 0, 0))


def frames_interval(onset: int, offset: int) -> Interval:
    """
    Stretch covered by the frames ``onset`` to ``offset``, both included, in frames.

    Raises
    ------
    ValueError
        If ``offset < onset``.

    Examples
    --------
    >>> frames_interval(3, 5)
    Interval(start=3, stop=6)
    """
    if offset < onset:
        raise ValueError(f"frames: need onset <= offset, got {onset} and {offset}")
    return Interval(onset, offset + 1)


def iou_matrix(truth: Sequence[Interval], pred: Sequence[Interval]) -> NDArray[np.float64]:
    """
    Intersection over union of each coded with each predicted interval.

    Returns
    -------
    (n_truth, n_pred)

    Examples
    --------
    >>> iou_matrix([Interval(0, 2)], [Interval(0, 4), Interval(2, 3)]).tolist()
    [[0.5, 0.0]]
    """
    t = np.array([(i.start, i.stop) for i in truth], dtype=np.float64).reshape(-1, 1, 2)
    p = np.array([(i.start, i.stop) for i in pred], dtype=np.float64).reshape(1, -1, 2)
    shared = np.maximum(0.0, np.minimum(t[..., 1], p[..., 1]) - np.maximum(t[..., 0], p[..., 0]))
    return shared / ((t[..., 1] - t[..., 0]) + (p[..., 1] - p[..., 0]) - shared)


def matched_pairs(truth: Sequence[Interval], pred: Sequence[Interval], *, min_iou: float = 0.5) -> list[tuple[int, int]]:
    """
    Pair coded with predicted intervals one to one, as many as possible; among equals the highest summed IoU.

    Parameters
    ----------
    truth, pred
        Intervals of one video and one kind, in one unit.
    min_iou
        Least intersection over union of a pair, in (0, 1]; the value itself is enough.

    Returns
    -------
    list of (position in truth, position in pred)

    Raises
    ------
    ValueError
        If ``min_iou`` is not in (0, 1].

    Examples
    --------
    >>> matched_pairs([Interval(0, 2), Interval(2, 4)], [Interval(2, 4), Interval(0, 3)])
    [(0, 1), (1, 0)]
    """
    if not 0 < min_iou <= 1:
        raise ValueError(f"min_iou: expected a value above 0 and up to 1, got {min_iou}")
    if not truth or not pred:
        return []
    iou = iou_matrix(truth, pred)
    # One more pair outweighs any sum of IoUs, so the number of hits is maximal before their quality is.
    weight = (iou >= min_iou - TOLERANCE) * (min(iou.shape) + 1.0 + iou)
    rows, columns = linear_sum_assignment(weight, maximize=True)
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if weight[r, c] > 0]


def match(truth: Sequence[Interval], pred: Sequence[Interval], *, min_iou: float = 0.5) -> Counts:
    """
    Match spotted to coded intervals one to one and count.

    Parameters
    ----------
    truth, pred
        Intervals of one video and one kind, in one unit (seconds, or frames by `frames_interval`).
    min_iou
        Least intersection over union of a hit; the value itself is enough.

    Returns
    -------
    Counts

    Raises
    ------
    ValueError
        If ``min_iou`` is not in (0, 1].

    Examples
    --------
    >>> match([Interval(0, 2), Interval(2, 4)], [Interval(0, 3)])  # one prediction cannot hit two
    Counts(tp=1, fp=0, fn=1)
    """
    tp = len(matched_pairs(truth, pred, min_iou=min_iou))
    return Counts(tp, len(pred) - tp, len(truth) - tp)


def labels_found(truth: Sequence[Interval], pred: Sequence[Interval], *, min_iou: float = 0.5) -> Counts:
    """
    Count as the MEGC2020 script does: every coded interval that any prediction reaches is a hit.

    For comparison with published tables only. One prediction may be credited for several coded intervals, and of
    several predictions on one coded interval all but one are false alarms: ``fp = len(pred) - tp``, which can be negative.

    Parameters
    ----------
    truth, pred, min_iou
        As in `match`.

    Returns
    -------
    Counts

    Examples
    --------
    >>> labels_found([Interval(0, 4), Interval(2, 6)], [Interval(1, 5)])
    Counts(tp=2, fp=-1, fn=0)
    """
    tp = int(np.sum(np.any(iou_matrix(truth, pred) >= min_iou - TOLERANCE, axis=1)))
    return Counts(tp, len(pred) - tp, len(truth) - tp)


def hits_in_order(
    truth: Sequence[Interval], pred: Sequence[Interval], scores: ArrayLike, *, min_iou: float = 0.5
) -> NDArray[np.bool_]:
    """
    Tell for each prediction of one video whether it hits, the highest score choosing first.

    Each takes the coded interval of highest IoU that is still free; equal scores go in the order given.

    Returns
    -------
    (n_pred,) bool

    Examples
    --------
    >>> hits_in_order([Interval(0, 2)], [Interval(0, 2), Interval(0, 2)], [0.1, 0.9]).tolist()
    [False, True]
    """
    hits = np.zeros(len(pred), dtype=bool)
    if not truth or not pred:
        return hits
    iou = iou_matrix(truth, pred)
    for j in np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable"):
        i = int(np.argmax(iou[:, j]))
        if iou[i, j] >= min_iou - TOLERANCE:
            hits[j] = True
            iou[i] = -1.0
    return hits


def average_precision_of_ranking(
    hits: ArrayLike, scores: ArrayLike, n_truth: ArrayLike, *, weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """
    Area under the interpolated precision-recall curve of ranked predictions.

    Parameters
    ----------
    hits, scores : (n_pred,)
        Whether each prediction hits, and its score; equal scores enter the curve together.
    n_truth : () or (n_draws,)
        Coded intervals; per draw where predictions are weighted.
    weights : (n_draws, n_pred)
        How often each prediction counts in each draw of a bootstrap; by default once.

    Returns
    -------
    () or (n_draws,)
        0 where nothing was coded or predicted.

    Examples
    --------
    >>> round(float(average_precision_of_ranking([True, False, True], [0.9, 0.8, 0.7], 2)), 4)
    0.8333
    """
    scores = np.asarray(scores, dtype=np.float64)
    order = np.argsort(-scores, kind="stable")
    single = weights is None
    w = np.ones((1, len(scores))) if weights is None else np.asarray(weights, dtype=np.float64)
    if not len(scores):
        return np.zeros(np.shape(n_truth))
    last_of_tie = np.append(np.diff(scores[order]) != 0, True)
    tp = np.cumsum(w[:, order] * np.asarray(hits, dtype=np.float64)[order], axis=1)[:, last_of_tie]
    n = np.cumsum(w[:, order], axis=1)[:, last_of_tie]
    best_from_here = np.maximum.accumulate(_ratio(tp, n)[:, ::-1], axis=1)[:, ::-1]
    area = np.sum(np.diff(tp, axis=1, prepend=0.0) * best_from_here, axis=1)
    value = _ratio(area, n_truth)
    return value[0] if single else value


def average_precision(
    truth: Sequence[Sequence[Interval]],
    pred: Sequence[Sequence[tuple[Interval, float]]],
    *,
    min_iou: float = 0.5,
) -> float:
    """
    Average precision (AP) of scored intervals of one kind, over all videos at once.

    Predictions are ranked by score over all videos; each takes the free coded interval of its video with the highest
    IoU. Precision is interpolated (the best at any higher recall), as in the detection literature.

    Parameters
    ----------
    truth
        Coded intervals per video.
    pred
        ``(interval, score)`` per video, in the same order of videos.
    min_iou
        Least intersection over union of a hit.

    Returns
    -------
    float
        Between 0 and 1; 0 when nothing was coded or predicted.

    Raises
    ------
    ValueError
        If the numbers of videos differ.

    Examples
    --------
    >>> average_precision([[Interval(0, 2)], []], [[(Interval(0, 2), 0.4)], [(Interval(5, 6), 0.9)]])
    0.5
    """
    if len(truth) != len(pred):
        raise ValueError(f"expected predictions for {len(truth)} videos, got {len(pred)}; give an empty list where none")
    hits = [
        hits_in_order(t, [i for i, _ in p], [s for _, s in p], min_iou=min_iou) for t, p in zip(truth, pred, strict=True)
    ]
    scores = [s for p in pred for _, s in p]
    flat = np.concatenate(hits) if hits else np.zeros(0, dtype=bool)
    return float(average_precision_of_ranking(flat, scores, sum(len(t) for t in truth)))


def false_alarms_per_minute(fp: ArrayLike, duration_s: ArrayLike) -> NDArray[np.float64]:
    """
    Divide false alarms by minutes of video, elementwise; 0 where there is no video.

    Parameters
    ----------
    fp
        False positives.
    duration_s
        Length of all videos searched [s], also of those without events.

    Examples
    --------
    >>> float(false_alarms_per_minute(6, 120.0))
    3.0
    """
    return _ratio(np.multiply(60.0, fp), duration_s)


def strs(spotted: Counts, recognised: ArrayLike) -> float:
    """
    Spot-then-recognise score: F1 of spotting times F1 of recognition of the hits.

    F1 of recognition is the harmonic mean of macro-averaged precision and recall, as in the MEGC challenges from 2022
    on; it is not UF1, which averages the classes' F1.

    Parameters
    ----------
    spotted
        Pooled counts of spotting.
    recognised : (n_classes, n_classes)
        Confusion counts of the matched intervals, rows for the truth.

    Examples
    --------
    >>> strs(Counts(2, 1, 1), [[1, 0], [0, 1]])
    0.6666666666666666
    """
    counts = np.asarray(recognised, dtype=np.float64)
    precision = float(np.mean(_ratio(np.diagonal(counts), counts.sum(axis=0))))
    recall = float(np.mean(_ratio(np.diagonal(counts), counts.sum(axis=1))))
    return spotted.f1 * float(_ratio(2 * precision * recall, precision + recall))
