"""
How far two coders agree: on labels, on action units, and on where expressions are.

Conventions
-----------
- Agreement on labels and action units is over events that both coders have; agreement on events tells how many those are.
- Events are paired one to one by IoU as in `mmme.metrics.spotting`; neither coder is the truth, and F1 is symmetric.
- 0/0 is NaN here, not 0: two coders who had nothing to disagree on neither agree nor disagree.
- Kappa falls with rarity: two coders who agree on 95 of 100 events have 0.90 where a label is given to half of them, and
  0.42 where it is given to 5 and 4. The prevalence therefore stands beside it (`LabelAgreement`).
- Times of paired events are compared in `mmme.metrics.reliability`.

References
----------
Cohen (1960), A coefficient of agreement for nominal scales, doi:10.1177/001316446002000104.
Feinstein & Cicchetti (1990), High agreement but low kappa, doi:10.1016/0895-4356(90)90158-L.
Ekman, Friesen & Hager (2002), FACS Investigator's Guide (the ratio for action units).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from mmme.interval import Interval
from mmme.metrics.spotting import Counts, matched_pairs

__all__ = [
    "AuAgreement",
    "EventAgreement",
    "LabelAgreement",
    "au_agreement",
    "au_kappas",
    "au_overlap",
    "cohens_kappa",
    "event_agreement",
    "kappa_of_counts",
    "label_agreement",
    "matched_within",
]


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


def kappa_of_counts(counts: ArrayLike) -> NDArray[np.float64]:
    """
    Cohen's kappa of tables of counts.

    Parameters
    ----------
    counts : (..., n_labels, n_labels)
        Events by label of the first coder (rows) and of the second (columns); may be pooled over subjects.

    Returns
    -------
    (...)
        NaN where there is no event, or both coders used one single label throughout.

    Examples
    --------
    >>> round(float(kappa_of_counts([[20, 5], [10, 15]])), 6)
    0.4
    """
    table = np.asarray(counts, dtype=np.float64)
    total = table.sum(axis=(-2, -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = np.trace(table, axis1=-2, axis2=-1) / total
        expected = np.sum(table.sum(axis=-1) * table.sum(axis=-2), axis=-1) / total**2
        return np.asarray(np.where(expected < 1.0 - 1e-12, (observed - expected) / (1.0 - expected), np.nan))


@dataclass(frozen=True, slots=True, eq=False)
class LabelAgreement:
    """
    How two coders' labels of the same events go together.

    Parameters
    ----------
    labels
        In the order of the table.
    counts : (n_labels, n_labels)
        Events by label of the first coder (rows) and of the second (columns).
    """

    labels: tuple[str, ...]
    counts: NDArray[np.int64]

    @property
    def n(self) -> int:
        """Events."""
        return int(self.counts.sum())

    @property
    def observed(self) -> float:
        """Share of events with the same label; NaN without events."""
        return float(np.trace(self.counts) / self.n) if self.n else float("nan")

    @property
    def kappa(self) -> float:
        """Cohen's kappa; NaN without events or where one label was used throughout."""
        return float(kappa_of_counts(self.counts))

    def prevalence(self, label: str) -> tuple[float, float]:
        """Share of events that the first and the second coder gave a label; NaN without events."""
        k = self.labels.index(label)
        if not self.n:
            return float("nan"), float("nan")
        return float(self.counts[k].sum() / self.n), float(self.counts[:, k].sum() / self.n)


def label_agreement(first: Sequence[str], second: Sequence[str], *, labels: Sequence[str] = ()) -> LabelAgreement:
    """
    Cross-tabulate two coders' labels of the same events.

    Parameters
    ----------
    first, second : (n_events,)
        Labels.
    labels
        Order of the table; by default all that occur, sorted.

    Returns
    -------
    LabelAgreement

    Raises
    ------
    ValueError
        If the numbers of labels differ, or one is not among ``labels``.

    Examples
    --------
    >>> a = label_agreement(["micro", "macro", "macro", "micro"], ["micro", "macro", "micro", "micro"])
    >>> a.observed, a.kappa, a.prevalence("micro")
    (0.75, 0.5, (0.5, 0.75))
    """
    if len(first) != len(second):
        raise ValueError(f"expected the same events from both coders, got {len(first)} and {len(second)} labels")
    names = tuple(labels) or tuple(sorted({*first, *second}))
    if unknown := sorted({*first, *second} - set(names)):
        raise ValueError(f"expected labels {', '.join(names)}, got also {', '.join(unknown)}")
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    for a, b in zip(first, second, strict=True):
        counts[names.index(a), names.index(b)] += 1
    return LabelAgreement(names, counts)


def au_kappas(first: Sequence[Collection[str]], second: Sequence[Collection[str]]) -> dict[str, LabelAgreement]:
    """
    Agreement on each action unit: coded or not, over all events.

    Parameters
    ----------
    first, second : (n_events,)
        Action units of the same events by the two coders.

    Returns
    -------
    dict
        By action unit that anybody coded, the most frequent first; labels are ``absent`` and ``present``.

    Raises
    ------
    ValueError
        If the numbers of events differ.

    Examples
    --------
    >>> found = au_kappas([{"AU4"}, {"AU12"}, {"AU4"}], [{"AU4"}, {"AU12"}, set()])
    >>> {au: round(a.kappa, 2) for au, a in found.items()}
    {'AU4': 0.4, 'AU12': 1.0}
    """
    if len(first) != len(second):
        raise ValueError(f"expected the same events from both coders, got {len(first)} and {len(second)}")
    units = sorted({unit for units in (*first, *second) for unit in units})
    words = ("absent", "present")
    found = {
        unit: label_agreement(*([words[unit in units] for units in side] for side in (first, second)), labels=words)
        for unit in units
    }
    return dict(sorted(found.items(), key=lambda item: -int(item[1].counts[1].sum() + item[1].counts[:, 1].sum())))


@dataclass(frozen=True, slots=True)
class AuAgreement:
    """
    Agreement ratio of action units, ``2 |A and B| / (|A| + |B|)``, in both of its usual forms.

    Parameters
    ----------
    mean
        Mean over events in which somebody coded a unit; NaN where there is none.
    pooled
        Sums over events first, as in `au_agreement`.
    n
        Events in which somebody coded a unit.
    n_undefined
        Events in which neither coder coded any: the ratio is 0/0 there, and they are in neither number.
    """

    mean: float
    pooled: float
    n: int
    n_undefined: int


def au_overlap(first: Sequence[Collection[str]], second: Sequence[Collection[str]]) -> AuAgreement:
    """
    Agreement ratio of action units, as the mean over events and pooled.

    Parameters
    ----------
    first, second : (n_events,)
        Action units of the same events by the two coders; repeated units count once.

    Returns
    -------
    AuAgreement

    Raises
    ------
    ValueError
        If the numbers of events differ.

    Examples
    --------
    >>> a = au_overlap([{"AU4", "AU7"}, {"AU12"}, set()], [{"AU4"}, {"AU12"}, set()])
    >>> round(a.mean, 3), round(a.pooled, 3), a.n, a.n_undefined
    (0.833, 0.8, 2, 1)
    """
    pooled = au_agreement(first, second)
    ratios = [2 * len(set(a) & set(b)) / (len(set(a)) + len(set(b))) for a, b in zip(first, second, strict=True) if a or b]
    return AuAgreement(float(np.mean(ratios)) if ratios else float("nan"), pooled, len(ratios), len(first) - len(ratios))


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


def matched_within(first: ArrayLike, second: ArrayLike, *, tolerance: float) -> list[tuple[int, int]]:
    """
    Pair two coders' events whose onsets and whose offsets are both within a tolerance, one to one, as many as possible.

    Parameters
    ----------
    first, second : (n_events, 3)
        Onset, apex, offset of each coder's events of one video, in frames (or s).
    tolerance
        Largest difference of a pair, in the same unit; the value itself is enough. Apexes do not matter.

    Returns
    -------
    list of (position in first, position in second)
        Of several ways to pair as many, the one with the least summed differences.

    Raises
    ------
    ValueError
        If the tolerance is negative or the shape is wrong.

    Examples
    --------
    >>> matched_within([[10, 15, 20], [30, 31, 40]], [[12, 15, 19], [33, 35, 40]], tolerance=2)
    [(0, 0)]
    """
    if not tolerance >= 0:
        raise ValueError(f"tolerance: expected 0 or more, got {tolerance}")
    one, two = (np.asarray(events, dtype=np.float64).reshape(-1, 3) for events in (first, second))
    if not len(one) or not len(two):
        return []
    apart = np.abs(one[:, None, [0, 2]] - two[None, :, [0, 2]])
    near = apart.max(axis=2) <= tolerance + 1e-9
    # One more pair outweighs any gain in closeness.
    weight = near * (min(near.shape) + 1.0 - apart.sum(axis=2) / (2 * tolerance + 1.0))
    rows, columns = linear_sum_assignment(weight, maximize=True)
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if near[r, c]]
