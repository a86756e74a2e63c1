"""
What several coders saw, as one table that names its sources; no coder's row is changed or lost.

Rows of different coders are one event when they overlap enough. Coders are compared in pairs, one to one; the closest
pairs join first, and no event takes two rows of one coder. Where A overlaps B and B overlaps C they are one event of three.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Literal, TypeVar

from mmme.metrics.spotting import iou_matrix, matched_pairs
from mmme.trials.build import rule_kind
from mmme.types import Expression, Kind, Trial

__all__ = ["ConsensusEvent", "SeenUnit", "consensus", "same_events"]

Status = Literal["agreed", "one coder only", "disputed"]
Vote = TypeVar("Vote", bound=str)
_UNIT = re.compile(r"AU(\d+)")


@dataclass(frozen=True, slots=True)
class SeenUnit:
    """An action unit and the coders who saw it; side, intensity and doubt are kept where all of them wrote the same."""

    unit: str
    coders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConsensusEvent:
    """
    One expression by all coders who saw it.

    Parameters
    ----------
    trial, subject
        Trial id and subject code.
    coders
        Who saw it, sorted.
    sources
        Rows it was made from, in the order of the coders.
    status
        ``agreed`` (two coders at least, nothing disputed), ``one coder only``, or ``disputed``.
    disputes
        What they disagree on: ``kind``, ``emotion`` (no majority), ``aus`` (several coded some, and share none).
    kind
        By majority; where there is none, by the rule on durations.
    kind_by
        ``majority``, ``rule``, or ``one coder``.
    onset, apex, offset
        Medians of the coders' times [s] (of two: means). The end is that of those who saw one: an offset after the apex.
        Where the three would not be in order, all are of those who saw the end. Apex equal to offset: nobody saw it.
    aus
        All action units that anybody saw, in the order of their numbers, with who saw them.
    emotion
        By majority of those who named one; else empty.
    """

    trial: str
    subject: str
    coders: tuple[str, ...]
    sources: tuple[str, ...]
    status: Status
    disputes: tuple[str, ...]
    kind: Kind
    kind_by: Literal["majority", "rule", "one coder"]
    onset: float
    apex: float
    offset: float
    aus: tuple[SeenUnit, ...]
    emotion: str


def consensus(
    trial: Trial, *, min_iou: float = 0.5, rule: Callable[[float, float, float], Kind] = rule_kind
) -> tuple[ConsensusEvent, ...]:
    """
    Bring together what the coders of a trial saw.

    Parameters
    ----------
    trial
        With the expressions of all coders.
    min_iou
        Least intersection over union of two rows of one event, in (0, 1]; the value itself is enough.
    rule
        Kind by onset, apex and offset [s], where coders are divided.

    Returns
    -------
    tuple of ConsensusEvent
        In order of onset; every row of the trial is in exactly one of them.

    Raises
    ------
    ValueError
        If ``min_iou`` is not in (0, 1].

    Examples
    --------
    >>> from mmme.interval import Interval
    >>> a = Expression("S01", "A", "micro", 1.0, 1.2, 1.2, ("AU4",), "fear", "c.xlsx:2")
    >>> b = Expression("S01", "B", "micro", 1.0, 1.1, 1.3, ("AU4", "AU7"), "fear", "c.xlsx:9")
    >>> (event,) = consensus(Trial("S01-103", "S01", "fear-2", Interval(0, 10), "fear", (a, b)))
    >>> event.status, event.kind_by, round(event.apex, 2), event.offset, event.aus[1]
    ('agreed', 'majority', 1.15, 1.3, SeenUnit(unit='AU7', coders=('B',)))
    """
    events = [_event(trial, group, rule) for group in same_events(trial.expressions, min_iou=min_iou)]
    return tuple(sorted(events, key=lambda e: (e.onset, e.offset, e.coders)))


def same_events(rows: Sequence[Expression], *, min_iou: float = 0.5) -> list[tuple[Expression, ...]]:
    """
    Group rows that are one event, at most one row of each coder.

    Parameters
    ----------
    rows
        Expressions of one trial.
    min_iou
        As in `consensus`. Rows that name one moment only (onset equal to offset) go with rows of the same moment.

    Returns
    -------
    list of tuple of Expression
        Sorted by coder inside a group; each row is in one of them.

    Examples
    --------
    >>> rows = [Expression("S01", coder, "micro", t, t + 0.2, t + 0.4) for coder, t in (("A", 1.0), ("B", 1.1), ("C", 1.2))]
    >>> [[row.coder for row in group] for group in same_events(rows)]
    [['A', 'B', 'C']]
    """
    by_coder: dict[str, list[int]] = {}
    for k, row in enumerate(rows):
        by_coder.setdefault(row.coder, []).append(k)
    links = [
        link
        for one, two in combinations(sorted(by_coder), 2)
        for link in _links(rows, by_coder[one], by_coder[two], min_iou)
    ]
    group_of = {k: {k} for k in range(len(rows))}
    for _, i, j in sorted(links, key=lambda link: (-link[0], link[1:])):
        one, two = group_of[i], group_of[j]
        if one is two or {rows[k].coder for k in one} & {rows[k].coder for k in two}:
            continue
        one |= two
        group_of.update(dict.fromkeys(two, one))
    groups = {min(group): group for group in group_of.values()}
    return [tuple(sorted((rows[k] for k in groups[key]), key=lambda e: e.coder)) for key in sorted(groups)]


def _links(rows: Sequence[Expression], one: list[int], two: list[int], min_iou: float) -> Iterable[tuple[float, int, int]]:
    """Pairs of rows of two coders, with their overlap."""
    wide = [[k for k in side if rows[k].duration_s > 0] for side in (one, two)]
    spans = [[rows[k].interval for k in side] for side in wide]
    for a, b in matched_pairs(*spans, min_iou=min_iou):
        yield float(iou_matrix([spans[0][a]], [spans[1][b]])[0, 0]), wide[0][a], wide[1][b]
    free = [k for k in two if rows[k].duration_s == 0]
    for k in one:
        same = next((j for j in free if rows[k].duration_s == 0 and rows[j].onset == rows[k].onset), None)
        if same is not None:
            free.remove(same)
            yield 1.0, k, same


def _event(trial: Trial, group: tuple[Expression, ...], rule: Callable[[float, float, float], Kind]) -> ConsensusEvent:
    onset, apex, offset = _times(group)
    voted = _majority([row.kind for row in group])
    emotions = [row.emotion for row in group if row.emotion]
    aus = _units(group)
    coding = [row for row in group if row.aus]
    disputes = []
    if len({row.kind for row in group}) > 1:
        disputes.append("kind")
    if emotions and _majority(emotions) is None:
        disputes.append("emotion")
    if len(coding) > 1 and not any(len(unit.coders) > 1 for unit in aus):
        disputes.append("aus")
    return ConsensusEvent(
        trial=trial.id,
        subject=trial.subject,
        coders=tuple(row.coder for row in group),
        sources=tuple(row.source for row in group),
        status="one coder only" if len(group) == 1 else "disputed" if disputes else "agreed",
        disputes=tuple(disputes),
        kind=rule(onset, apex, offset) if voted is None else voted,
        kind_by="one coder" if len(group) == 1 else "rule" if voted is None else "majority",
        onset=onset,
        apex=apex,
        offset=offset,
        aus=aus,
        emotion=_majority(emotions) or "",
    )


def _times(group: tuple[Expression, ...]) -> tuple[float, float, float]:
    """Onset, apex and offset of an event; medians of the same rows are always in order."""
    ended = [row for row in group if row.offset > row.apex] or list(group)
    onset, apex = median(row.onset for row in group), median(row.apex for row in group)
    offset = median(row.offset for row in ended)
    if apex > offset:
        apex = median(row.apex for row in ended)
    if onset > apex:
        onset, apex = median(row.onset for row in ended), median(row.apex for row in ended)
    return onset, apex, offset


def _majority(votes: Sequence[Vote]) -> Vote | None:
    """Return what more than half voted for."""
    if not votes:
        return None
    choice, n = Counter(votes).most_common(1)[0]
    return choice if 2 * n > len(votes) else None


def _units(group: tuple[Expression, ...]) -> tuple[SeenUnit, ...]:
    """Union of the action units by their number, with who saw each."""
    written: dict[str, dict[str, str]] = {}
    for row in group:
        for unit in row.aus:
            match = _UNIT.match(unit)
            written.setdefault(match[0] if match else unit, {}).setdefault(row.coder, unit)
    found = []
    for number, by in written.items():
        forms = set(by.values())
        found.append(SeenUnit(forms.pop() if len(forms) == 1 else number, tuple(by)))
    return tuple(sorted(found, key=lambda seen: (int(m[1]) if (m := _UNIT.match(seen.unit)) else 100, seen.unit)))
