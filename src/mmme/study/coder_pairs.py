"""Two coders compared, over all subjects that both coded."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmme.interval import Interval
from mmme.metrics.agreement import au_kappas, kappa_of_counts, label_agreement, matched_within
from mmme.metrics.reliability import (
    icc_of_sums,
    interval_over_subjects,
    mean_difference_of_sums,
    pair_sums,
    ratio_of_counts,
)
from mmme.metrics.spotting import matched_pairs
from mmme.types import KINDS, Expression, Trial

__all__ = ["AgreementScore", "CodedTrial", "PairAgreement", "compare_coders"]

_UNIT = re.compile(r"AU\d+")
_LEAST = 5  # events of a unit before its kappa says anything
_MOMENTS = ("onset", "apex", "offset", "duration")


@dataclass(frozen=True, slots=True, eq=False)
class CodedTrial:
    """
    A trial with the frames of its video.

    Parameters
    ----------
    recording
        Name of the recording it is in.
    trial
        With the expressions of all coders.
    frames_s : (n_frames,)
        Session times of the frames of the recording [s].
    """

    recording: str
    trial: Trial
    frames_s: NDArray[np.float64]

    def frame(self, time_s: float) -> int:
        """Return the frame nearest to a session time."""
        right = int(np.clip(np.searchsorted(self.frames_s, time_s), 1, len(self.frames_s) - 1))
        return right - int(time_s - self.frames_s[right - 1] <= self.frames_s[right] - time_s)

    def frames(self, row: Expression) -> tuple[int, int, int]:
        """Return the frames of onset, apex and offset."""
        return self.frame(row.onset), self.frame(row.apex), self.frame(row.offset)


@dataclass(frozen=True, slots=True)
class AgreementScore:
    """
    One number about two coders.

    Parameters
    ----------
    name
        For example ``F1 at IoU 0.5``.
    value
        NaN where it is undefined.
    low, high
        95 % interval from resampling subjects; NaN with one subject.
    n
        Events, pairs or trials behind it.
    unit
        Empty for shares and coefficients.
    note
        What has to be known with it.
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    unit: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """
    Two coders compared over all subjects that both coded.

    Parameters
    ----------
    first, second
        Coders; differences are second minus first.
    subjects
        Subjects in which both coded something.
    n_events
        Events of the first and of the second coder in these subjects.
    n_trials
        Trials with events of both, of the first only, of the second only.
    n_pairs
        Events that both saw.
    scores
        In the order of the table.
    """

    first: str
    second: str
    subjects: tuple[str, ...]
    n_events: tuple[int, int]
    n_trials: tuple[int, int, int]
    n_pairs: int
    scores: tuple[AgreementScore, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Both:
    """Rows of two coders in one trial."""

    trial: CodedTrial
    first: tuple[Expression, ...]
    second: tuple[Expression, ...]

    def paired(self, min_iou: float) -> list[tuple[Expression, Expression]]:
        """Rows of one event; a frame lasts until the next one, so that an event of one frame has a duration."""
        frame_s = float(np.median(np.diff(self.trial.frames_s)))
        spans = [[Interval(r.onset, r.offset + frame_s) for r in rows] for rows in (self.first, self.second)]
        return [(self.first[i], self.second[j]) for i, j in matched_pairs(*spans, min_iou=min_iou)]

    def counts(self, n_paired: int) -> list[float]:
        """Numerator and denominator of F1."""
        return [2.0 * n_paired, float(len(self.first) + len(self.second))]

    def within(self, frames: int) -> list[float]:
        """Return the same for rows that are within a number of frames."""
        one, two = ([self.trial.frames(row) for row in rows] for rows in (self.first, self.second))
        return self.counts(len(matched_within(np.array(one), np.array(two), tolerance=frames)))


def compare_coders(
    trials: Sequence[CodedTrial], first: str, second: str, *, min_iou: float = 0.5, tolerance_frames: int = 5
) -> PairAgreement:
    """
    Compare two coders over the subjects that both coded.

    A trial without rows of a coder counts as one in which the coder found nothing, as long as the coder coded anything of
    that subject; annotation tables do not say who looked at which trial. F1 is also given over the trials with rows of
    both, which is what it would be if each had looked at no other.

    Parameters
    ----------
    trials
        Of the whole study.
    first, second
        Coders.
    min_iou, tolerance_frames
        As in `agree_study`.

    Returns
    -------
    PairAgreement
        Without scores where the coders have no subject in common.
    """
    both: dict[str, list[_Both]] = {}
    for t in trials:
        rows = [tuple(r for r in t.trial.expressions if r.coder == coder) for coder in (first, second)]
        both.setdefault(t.trial.subject, []).append(_Both(t, *rows))
    both = {s: b for s, b in both.items() if any(x.first for x in b) and any(x.second for x in b)}
    cells = [x for b in both.values() for x in b]
    n_events = (sum(len(x.first) for x in cells), sum(len(x.second) for x in cells))
    n_trials = (
        sum(bool(x.first) and bool(x.second) for x in cells),
        sum(bool(x.first) and not x.second for x in cells),
        sum(bool(x.second) and not x.first for x in cells),
    )
    pairs = {s: [(x.trial, a, b) for x in found for a, b in x.paired(min_iou)] for s, found in both.items()}
    scores = (
        *_detection(both, min_iou, tolerance_frames),
        *_labels(list(pairs.values())),
        *_times(list(pairs.values())),
    )
    n_pairs = sum(len(found) for found in pairs.values())
    return PairAgreement(first, second, tuple(both), n_events, n_trials, n_pairs, scores if both else ())


def _detection(both: Mapping[str, Sequence[_Both]], min_iou: float, frames: int) -> list[AgreementScore]:
    """F1 of events, by overlap and by frames."""
    levels = sorted({0.3, 0.5, min_iou})
    found = []
    for level in levels:
        sums = [np.sum([x.counts(len(x.paired(level))) for x in b], axis=0) for b in both.values()]
        found.append(_score(f"F1 at IoU {level:g}", sums, ratio_of_counts, n=_half(sums)))
    shared = [[x for x in b if x.first and x.second] for b in both.values()]
    sums = [np.sum([x.counts(len(x.paired(0.5))) for x in b] or [[0.0, 0.0]], axis=0) for b in shared]
    found.append(_score("F1 at IoU 0.5, trials of both", sums, ratio_of_counts, n=_half(sums)))
    sums = [np.sum([x.within(frames) for x in b], axis=0) for b in both.values()]
    note = "onset and offset"
    found.append(_score(f"F1 within {frames} frames", sums, ratio_of_counts, n=_half(sums), note=note))
    return found


def _half(sums: Sequence[NDArray[np.float64]]) -> int:
    """Count the events of both coders together."""
    return int(sum(s[1] for s in sums))


Pairs = Sequence[Sequence[tuple[CodedTrial, Expression, Expression]]]
"""By subject: the trial, and the rows of both coders."""


def _labels(pairs: Pairs) -> list[AgreementScore]:
    """Agreement on kind and on action units."""
    tables = [label_agreement([a.kind for _, a, _ in p], [b.kind for _, _, b in p], labels=KINDS) for p in pairs]
    counts = [t.counts.astype(np.float64) for t in tables]
    n = int(sum(t.n for t in tables))
    total = np.sum(counts, axis=0) if counts else np.zeros((2, 2))
    micro = [f"{share:.0%}" for share in (total[0].sum() / n, total[:, 0].sum() / n)] if n else ["n/a", "n/a"]
    same = [np.array([np.trace(c), c.sum()]) for c in counts]
    found = [
        _score("kind: same", same, ratio_of_counts, n=n),
        _score("kind: kappa", counts, kappa_of_counts, n=n, note=f"micro: {micro[0]} and {micro[1]}"),
    ]
    units = [[(_numbers(a), _numbers(b)) for _, a, b in p] for p in pairs]
    coded = [[(a, b) for a, b in p if a or b] for p in units]
    blank = sum(len(p) for p in units) - sum(len(p) for p in coded)
    note = f"undefined for {blank} events without any unit" if blank else ""
    ratios = [np.array([sum(2 * len(a & b) / (len(a) + len(b)) for a, b in p), len(p)]) for p in coded]
    n = sum(len(p) for p in coded)
    found.append(_score("action units: mean ratio", ratios, ratio_of_counts, n=n, note=note))
    sums = [np.array([sum(2.0 * len(a & b) for a, b in p), sum(len(a) + len(b) for a, b in p)]) for p in coded]
    found.append(_score("action units: pooled ratio", sums, ratio_of_counts, n=n, note=note))
    return found + _unit_kappas(units)


def _numbers(row: Expression) -> set[str]:
    """Return the action units of a row without side, intensity and doubt."""
    return {match[0] if (match := _UNIT.match(unit)) else unit for unit in row.aus}


def _unit_kappas(units: Sequence[Sequence[tuple[set[str], set[str]]]]) -> list[AgreementScore]:
    """Kappa of each action unit that was coded often enough."""
    flat = [pair for p in units for pair in p]
    found = []
    for unit, whole in au_kappas([a for a, _ in flat], [b for _, b in flat]).items():
        if whole.counts.sum() - whole.counts[0, 0] < _LEAST:
            continue
        counts = []
        for p in units:
            table = np.zeros((2, 2))
            for a, b in p:
                table[int(unit in a), int(unit in b)] += 1
            counts.append(table)
        shares = " and ".join(f"{share:.0%}" for share in whole.prevalence("present"))
        found.append(_score(f"{unit}: kappa", counts, kappa_of_counts, n=whole.n, note=f"present: {shares}"))
    return found


def _times(pairs: Pairs) -> list[AgreementScore]:
    """Differences of onset, apex, offset and duration, and their ICC; ends only where both saw one."""
    found = []
    for k, moment in enumerate(_MOMENTS):
        frames, seconds = [], []
        for p in pairs:
            rows = [(t, a, b) for t, a, b in p if k < 2 or (a.offset > a.apex and b.offset > b.apex)]
            frames.append(pair_sums(*([_moment_frames(t, (a, b)[side], k) for t, a, b in rows] for side in (0, 1))))
            seconds.append(pair_sums(*([_moment_s(t, (a, b)[side], k) for t, a, b in rows] for side in (0, 1))))
        n = int(sum(s[0] for s in frames))
        note = "ends that both saw" if k > 1 else ""
        for sums, unit, scale in ((frames, "frames", 1.0), (seconds, "ms", 1000.0)):
            for absolute in (False, True):

                def mean(s: NDArray[np.float64], *, absolute: bool = absolute, scale: float = scale) -> NDArray[np.float64]:
                    return scale * mean_difference_of_sums(s, absolute=absolute)

                name = f"{moment}: {'absolute difference' if absolute else 'difference'}"
                found.append(_score(name, sums, mean, n=n, unit=unit, note=note))
        found.append(_score(f"{moment}: ICC(2,1)", seconds, icc_of_sums, n=n, note=note))
    return found


def _moment_frames(trial: CodedTrial, row: Expression, k: int) -> float:
    onset, apex, offset = trial.frames(row)
    return float((onset, apex, offset, offset - onset)[k])


def _moment_s(trial: CodedTrial, row: Expression, k: int) -> float:
    """Time from the start of the trial, or duration [s]."""
    start = trial.trial.span.start
    return (row.onset - start, row.apex - start, row.offset - start, row.duration_s)[k]


def _score(
    name: str,
    sums: Sequence[NDArray[np.float64]],
    score: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    n: int,
    unit: str = "",
    note: str = "",
) -> AgreementScore:
    """Score of all subjects together, with its interval."""
    if not len(sums):
        return AgreementScore(name, math.nan, math.nan, math.nan, 0, unit, note)
    stacked = np.stack([np.asarray(s, dtype=np.float64) for s in sums])
    low, high = interval_over_subjects(stacked, score)
    return AgreementScore(name, float(score(stacked.sum(axis=0))), low, high, n, unit, note)
