"""
Spotting with learned proposals: a spotter proposes scored intervals, a threshold per kind decides which are kept.

The threshold is chosen on proposals that training subjects got from spotters that had not seen them. Nothing of a tested
video is looked at before its proposals are made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ProtocolError, raise_faults
from mmme.evaluate.environment import environment
from mmme.evaluate.fitting import over_folds
from mmme.evaluate.leaks import check_table
from mmme.evaluate.protocols import Protocol, named_protocol, splits
from mmme.evaluate.spotting import Truth, spotting_columns, video_subjects
from mmme.evaluate.spotting_scores import spotting_scores
from mmme.interval import Interval
from mmme.metrics.spotting import TOLERANCE, match, pooled
from mmme.types import KINDS, Course, FeatureTable, Proposal, Result, Spotter
from mmme.workers import Workers

__all__ = ["courses_of", "run_proposals"]

Coded = Sequence[tuple[str, Interval]]


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """Videos of one fold: training with what is coded, tested without."""

    spotter: Spotter
    train: Mapping[str, Course]
    coded: Mapping[str, Coded]
    subject_of: Mapping[str, str]
    test: Mapping[str, Course]
    kinds: tuple[str, ...]
    n_inner: int
    min_iou: float
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class _Outcome:
    spotted: Sequence[tuple[str, str, float, float, float]]
    threshold: dict[str, float]


def courses_of(
    table: FeatureTable, times_s: NDArray[np.float64], videos: Sequence[str] | NDArray[np.str_]
) -> dict[str, Course]:
    """
    Divide a table of moments into one course per video; missing values are NaN there.

    Parameters
    ----------
    table
        One row per moment, in order of time within a video.
    times_s, videos : (n_rows,)
        Where each row lies.

    Examples
    --------
    >>> table = FeatureTable.build([[1.0], [2.0], [3.0]], ["px"], ["a#0", "a#1", "b#0"], ["S1"] * 3, ["v"] * 3, ["x"] * 3)
    >>> {name: course.X.ravel().tolist() for name, course in courses_of(table, np.array([0.0, 0.1, 0.0]), "aab").items()}
    {'a': [1.0, 2.0], 'b': [3.0]}
    """
    which, at = np.array(list(videos), dtype=np.str_), np.asarray(times_s, dtype=np.float64)
    return {str(video): Course(at[which == video], table.X[which == video]) for video in np.unique(which)}


def _proposed(job: _Job, train: Sequence[str], tested: Mapping[str, Course]) -> dict[str, list[Proposal]]:
    """Proposals for some videos from a fresh spotter that learned from others."""
    spotter = deepcopy(job.spotter)
    spotter.fit([job.train[v] for v in train], [job.coded[v] for v in train])
    return dict(zip(tested, spotter.propose(list(tested.values())), strict=True))


def _threshold(job: _Job, proposed: Mapping[str, Sequence[Proposal]], kind: str) -> float:
    """Score of highest pooled F1 on training videos; the higher one of equals, none where nothing is coded."""
    coded = {v: [i for name, i in own if name == kind] for v, own in job.coded.items()}
    own = {v: [p for p in found if p.kind == kind] for v, found in proposed.items()}
    scores = np.array(sorted(p.score for found in own.values() for p in found))
    if not any(coded.values()) or not len(scores):
        return float("nan")
    best, best_f1 = float("inf"), -1.0
    for at in np.unique(np.quantile(scores, np.linspace(0, 1, 201))):
        counts = pooled(match(coded[v], [p.interval for p in own[v] if p.score >= at], min_iou=job.min_iou) for v in coded)
        if counts.f1 >= best_f1 - TOLERANCE:
            best, best_f1 = float(at), max(best_f1, counts.f1)
    return best


def _spot_fold(job: _Job) -> _Outcome:
    """Choose thresholds on training subjects, then spot in the videos left out."""
    subjects = sorted({job.subject_of[v] for v in job.train})
    rng = np.random.default_rng(job.seed)
    part_of = dict(zip(rng.permutation(subjects).tolist(), np.arange(len(subjects)) % job.n_inner, strict=True))
    out_of_fold: dict[str, list[Proposal]] = {}
    for part in range(min(job.n_inner, len(subjects))):
        held = {v: c for v, c in job.train.items() if part_of[job.subject_of[v]] == part}
        rest = [v for v in job.train if v not in held]
        if any(job.coded[v] for v in rest):
            out_of_fold |= _proposed(job, rest, held)
    threshold = {kind: _threshold(job, out_of_fold, kind) for kind in job.kinds}
    spotted = [
        (video, p.kind, p.interval.start, p.interval.stop, p.score)
        for video, found in _proposed(job, list(job.train), job.test).items()
        for p in found
        if p.score >= threshold[p.kind]
    ]
    return _Outcome(spotted, threshold)


def run_proposals(
    table: FeatureTable,
    *,
    times_s: NDArray[np.float64],
    videos: Sequence[str] | NDArray[np.str_],
    spans: Mapping[str, Interval],
    truth: Truth,
    spotter: Spotter,
    protocol: str | Protocol = "loso",
    kinds: Sequence[str] = KINDS,
    n_inner: int = 3,
    min_iou: float = 0.5,
    title: str = "",
    model: Mapping[str, Any] | None = None,
    dataset: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    seed: int = 0,
    n_bootstrap: int = 10_000,
    n_chance: int = 200,
    workers: Workers | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """
    Evaluate a spotter that learns to propose intervals.

    Parameters
    ----------
    table
        One row per moment of a steady time grid; labels are not looked at.
    times_s, videos, spans, truth, protocol, kinds, min_iou, title, model, dataset, config, seed
        As in `mmme.evaluate.run_spotting`.
    spotter
        Unfitted; a copy is fitted for every fold.
    n_inner
        Folds of training subjects on which the threshold of each kind is chosen.
    n_bootstrap, n_chance, workers, progress
        As in `mmme.evaluate.run_spotting`.

    Returns
    -------
    Result
        Of task ``spotting``. ``protocol["thresholds"]`` keeps what was chosen in each fold.

    Raises
    ------
    ProtocolError
        If the protocol does not keep subjects apart, there are fewer than 3, or rows, videos and truth do not fit.
    DataError
        If the spotter cannot read the table.

    Examples
    --------
    >>> class Bright:
    ...     def fit(self, courses, coded):
    ...         return self
    ...     def propose(self, courses):
    ...         on = [c.t[c.X[:, 0] > 0.5] for c in courses]
    ...         return [[Proposal("micro", Interval(a[0] - 0.05, a[-1] + 0.05), a[0], 0.9)] for a in on]
    >>> t = np.tile(np.arange(20) / 10, 3)
    >>> X = ((t >= 0.8) & (t < 1.2)).astype(np.float32)[:, None]
    >>> who = np.repeat(["S1", "S2", "S3"], 20)
    >>> table = FeatureTable.build(X, ["px"], [f"{w}#{k}" for k, w in enumerate(who)], who, ["v"] * 60, ["x"] * 60)
    >>> result = run_proposals(table, times_s=t, videos=who, spans={s: Interval(0, 2) for s in ("S1", "S2", "S3")},
    ...     truth={s: [("micro", Interval(0.75, 1.15))] for s in ("S1", "S2", "S3")}, spotter=Bright(), n_bootstrap=100,
    ...     n_chance=20)
    >>> result.score("F1 micro").value
    1.0
    """
    protocol = named_protocol(protocol)
    if protocol.apart != "subject":
        raise ProtocolError(
            f"spotting: expected a protocol that keeps subjects apart (loso, subject-kfold), got {protocol.name}"
        )
    at, which = np.asarray(times_s, dtype=np.float64), np.array(list(videos), dtype=np.str_)
    subject_of = video_subjects(table, at, which, spans, truth, kinds)
    if len(set(subject_of.values())) < 3:
        raise ProtocolError(
            f"spotting needs at least 3 subjects, one to test and two to choose on, got {len(set(subject_of.values()))}"
        )
    raise_faults("spotting", [] if n_inner > 1 else [f"n_inner: expected at least 2, got {n_inner}"], error=ProtocolError)
    check_table(table)
    courses = courses_of(table, at, which)
    folds = splits(table, protocol, seed=seed)
    jobs = []
    for split in folds:
        train, test = ({str(v) for v in np.unique(which[rows])} for rows in (split.train, split.test))
        jobs.append(
            _Job(
                spotter,
                {v: courses[v] for v in sorted(train)},
                {v: truth.get(v, ()) for v in sorted(train)},  # the tested videos' truth stays here
                subject_of,
                {v: courses[v] for v in sorted(test)},
                tuple(kinds),
                n_inner,
                min_iou,
                seed,
            )
        )
    outcomes = over_folds(_spot_fold, jobs, [s.name for s in folds], workers=workers, progress=progress)
    predictions, coded = spotting_columns(folds, [o.spotted for o in outcomes], subject_of, truth)
    described = {
        "name": protocol.name,
        "description": protocol.description,
        "apart": protocol.apart,
        "n_folds": len(folds),
        "n_inner": n_inner,
        "kinds": list(kinds),
        "min_iou": min_iou,
        "n_bootstrap": n_bootstrap,
        "n_chance": n_chance,
        "thresholds": {
            split.name: {k: None if np.isnan(v) else v for k, v in outcome.threshold.items()}
            for split, outcome in zip(folds, outcomes, strict=True)
        },
        "videos": [
            {"video": v, "subject": subject_of[v], "start_s": float(s.start), "stop_s": float(s.stop)}
            for v, s in sorted(spans.items())
        ],
    }
    scores, chance = spotting_scores(predictions, coded, described, seed=seed)
    return Result(
        task="spotting",
        title=title or type(spotter).__name__,
        dataset=dict(dataset or {}),
        protocol=described,
        model=dict(model or {}),
        config=dict(config or {}),
        seed=seed,
        predictions=predictions,
        truth=coded,
        scores=scores,
        chance=chance,
        versions=environment(),
    )
