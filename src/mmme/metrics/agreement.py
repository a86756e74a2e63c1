"""
How far two coders agree: on labels, on action units, and on where expressions are.

Conventions
-----------
- Agreement on labels and action units is over events that both coders have; agreement on events tells how many those are.
- Events are paired one to one by IoU as in `mmme.metrics.spotting`; neither coder is the truth, and F1 is symmetric.
- 0/0 is NaN here, not 0: two coders who had nothing to disagree on neither agree nor disagree.

References
----------
Cohen (1960), A coefficient of agreement for nominal scales, doi:10.1177/001316446002000104.
Ekman, Friesen & Hager (2002), FACS Investigator's Guide (the ratio for action units).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmme.interval import Interval
from mmme.metrics.spotting import Counts, matched_pairs

__all__ = ["EventAgreement", "au_agreement", "cohens_kappa", "event_agreement"]


def cohens_kappa(first: Sequence[str], second: Sequence[str]) -> float:
    """
    Cohen's kappa: agreement on labels beyond what the two coders' habits would give by chance.

    Parameters
    ----------
    first, second : (n_events,)
        Labels of the same events by the two coders.

    Returns
    -------
    float
        Up to 1; NaN when both coders used one single label throughout, or there are no events.

    Raises
    ------
    ValueError
        If the numbers of labels differ.

    Examples
    --------
    >>> round(cohens_kappa(["a", "a", "b", "b"], ["a", "b", "b", "b"]), 3)
    0.5
    """
    if len(first) != len(second):
        raise ValueError(f"expected the same events from both coders, got {len(first)} and {len(second)} labels")
    names = sorted({*first, *second})
    if len(names) < 2:
        return float("nan")
    share = np.array([[list(coder).count(name) for name in names] for coder in (first, second)]) / len(first)
    expected = float(share[0] @ share[1])
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / len(first)
    return (observed - expected) / (1.0 - expected)


def au_agreement(first: Sequence[Collection[str]], second: Sequence[Collection[str]]) -> float:
    """
    Reliability of action units: ``2 |A and B| / (|A| + |B|)``, sums over all events.

    Parameters
    ----------
    first, second : (n_events,)
        Action units of the same events by the two coders; repeated units count once.

    Returns
    -------
    float
        Between 0 and 1; NaN when nobody coded any unit.

    Raises
    ------
    ValueError
        If the numbers of events differ.

    Examples
    --------
    >>> round(au_agreement([{"AU4", "AU7"}, {"AU12"}], [{"AU4"}, {"AU12"}]), 3)
    0.8
    """
    if len(first) != len(second):
        raise ValueError(f"expected the same events from both coders, got {len(first)} and {len(second)}")
    shared = sum(len(set(a) & set(b)) for a, b in zip(first, second, strict=True))
    coded = sum(len(set(a)) + len(set(b)) for a, b in zip(first, second, strict=True))
    return 2 * shared / coded if coded else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class EventAgreement:
    """
    How two coders' events of one video go together.

    Parameters
    ----------
    pairs : (n_matched, 2)
        Positions of paired events in the first and the second list.
    counts
        Paired, only the second coder's, only the first coder's; pool over videos before taking `f1`.
    differences_s : (n_matched, 3)
        Onset, apex, offset of the second coder minus the first [s].
    """

    pairs: NDArray[np.int64]
    counts: Counts
    differences_s: NDArray[np.float64]

    @property
    def f1(self) -> float:
        """Detection F1; NaN when neither coder has an event."""
        return self.counts.f1 if self.counts != Counts(0, 0, 0) else float("nan")

    @property
    def mean_abs_differences_s(self) -> tuple[float, float, float]:
        """Mean absolute difference of onset, apex and offset [s]; NaN without pairs."""
        if not len(self.differences_s):
            return (float("nan"),) * 3
        onset, apex, offset = np.abs(self.differences_s).mean(axis=0)
        return float(onset), float(apex), float(offset)


def event_agreement(first: ArrayLike, second: ArrayLike, *, min_iou: float = 0.5, frame_s: float = 0.0) -> EventAgreement:
    """
    Pair two coders' events of one video by IoU and compare their times.

    Parameters
    ----------
    first, second : (n_events, 3)
        Onset, apex, offset [s] of each coder's events.
    min_iou
        Least intersection over union of a pair; the value itself is enough.
    frame_s
        Duration of the last frame [s], added to every offset before the comparison, for times read from frames.

    Returns
    -------
    EventAgreement

    Raises
    ------
    ValueError
        If the shape is wrong, or an event has no duration.

    Examples
    --------
    >>> a = event_agreement([[1.0, 1.2, 1.4]], [[1.1, 1.2, 1.4], [5.0, 5.1, 5.2]])
    >>> a.counts, [round(d, 3) for d in a.mean_abs_differences_s]
    (Counts(tp=1, fp=1, fn=0), [0.1, 0.0, 0.0])
    """
    lists = [np.asarray(events, dtype=np.float64) for events in (first, second)]
    lists = [events.reshape(0, 3) if not events.size else events for events in lists]
    for name, events in zip(("first", "second"), lists, strict=True):
        if events.ndim != 2 or events.shape[1] != 3:
            raise ValueError(f"{name}: expected onset, apex, offset per event, shape (n, 3), got {events.shape}")
        empty = np.flatnonzero(~(events[:, 0] < events[:, 2] + frame_s))
        if empty.size:
            raise ValueError(
                f"{name}: expected a duration above 0 s, got {events[empty[0], 2] - events[empty[0], 0]} s "
                f"in event {empty[0]}; give frame_s where times are those of frames"
            )
    one, two = ([Interval(float(e[0]), float(e[2]) + frame_s) for e in events] for events in lists)
    pairs = np.array(matched_pairs(one, two, min_iou=min_iou), dtype=np.int64).reshape(-1, 2)
    counts = Counts(len(pairs), len(two) - len(pairs), len(one) - len(pairs))
    return EventAgreement(pairs, counts, lists[1][pairs[:, 1]] - lists[0][pairs[:, 0]])
