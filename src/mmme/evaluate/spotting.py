"""
Spotting: when expressions happen in long recordings.

A classifier gives each moment of a time grid a likelihood per kind; a decoder turns the curve of a video into scored
intervals. What the decoder needs to know, a threshold and a half-width per kind, is chosen on training subjects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ProtocolError, raise_faults
from mmme.evaluate.environment import environment
from mmme.evaluate.fitting import FoldJob, class_values, fitted_on, fresh_estimator, over_folds
from mmme.evaluate.leaks import check_table
from mmme.evaluate.protocols import Protocol as SplitProtocol
from mmme.evaluate.protocols import Split, named_protocol, splits
from mmme.evaluate.spotting_scores import spotting_scores
from mmme.interval import Interval
from mmme.metrics.spotting import match, pooled
from mmme.types import KINDS, FeatureTable, Result
from mmme.workers import Workers

__all__ = ["Curves", "Decode", "Truth", "run_spotting", "spotting_columns", "video_subjects"]

# Likelihoods differ in scale between kinds and models, quantiles do not; events fill a small part of a recording.
QUANTILES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.9925, 0.995, 0.9975, 0.999)

Truth = Mapping[str, Sequence[tuple[str, Interval]]]


class Decode(Protocol):
    """From the likelihood curve of one video and kind to scored intervals."""

    def __call__(
        self, t: NDArray[np.float64], likelihood: NDArray[np.float64], *, threshold: float, half_width_s: float
    ) -> Sequence[tuple[Interval, float]]:
        """Return intervals with their scores, none where the curve stays below the threshold."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """
    Likelihood of each kind at each moment, from models that never saw the moment's subject.

    Parameters
    ----------
    videos, times_s : (n_rows,)
        Rows as in the table.
    likelihood
        By kind, (n_rows,).
    threshold, half_width_s
        By fold and kind: what was chosen on the training subjects; NaN where they had no expression of the kind.
    """

    videos: NDArray[np.str_]
    times_s: NDArray[np.float64]
    likelihood: Mapping[str, NDArray[np.float64]]
    threshold: Mapping[str, Mapping[str, float]]
    half_width_s: Mapping[str, Mapping[str, float]]

    def of(self, video: str) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
        """Return times [s] and likelihood by kind of one video."""
        rows = self.videos == video
        return self.times_s[rows], {kind: values[rows] for kind, values in self.likelihood.items()}


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    fold: FoldJob
    times_s: NDArray[np.float64]
    videos: NDArray[np.str_]
    truth: Truth
    decode: Decode
    kinds: tuple[str, ...]
    n_inner: int
    min_iou: float
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class _FoldOutcome:
    likelihood: NDArray[np.float64]
    spotted: list[tuple[str, str, float, float, float]]
    threshold: dict[str, float]
    half_width_s: dict[str, float]


def _likelihood(job: _Job, train: NDArray[np.intp], test: NDArray[np.intp]) -> NDArray[np.float64]:
    model = fitted_on(job.fold, train)
    word, values = class_values(model, job.fold.table.X[test], job.kinds)
    if word != "probability":
        raise ProtocolError(
            f"estimator {type(model).__name__}: expected probabilities (predict_proba) for likelihood curves, got none; "
            "logistic regression has them"
        )
    return values


def _decoded(
    job: _Job, rows: NDArray[np.intp], values: NDArray[np.float64], width: float, at: float
) -> dict[str, list[tuple[Interval, float]]]:
    """Scored intervals by video from the likelihood of one kind on some rows."""
    return {
        video: list(job.decode(job.times_s[rows[here]], values[here], threshold=at, half_width_s=width))
        for video, here in _by_video(job.videos[rows]).items()
    }


def _by_video(videos: NDArray[np.str_]) -> dict[str, NDArray[np.intp]]:
    """Positions of the rows of each video, in their order."""
    names, which = np.unique(videos, return_inverse=True)
    order = np.argsort(which, kind="stable")
    ends = np.cumsum(np.bincount(which, minlength=len(names)))
    return {str(name): part for name, part in zip(names, np.split(order, ends[:-1]), strict=True)}


def _threshold(job: _Job, rows: NDArray[np.intp], values: NDArray[np.float64], kind: str, width: float) -> float:
    """Threshold of highest pooled F1 on out-of-fold curves of training subjects; the higher one of equals."""
    best, best_f1 = float("nan"), -1.0
    groups = [(video, here, job.times_s[rows[here]]) for video, here in _by_video(job.videos[rows]).items()]
    for at in np.unique(np.quantile(values, QUANTILES)):
        found = {
            video: job.decode(times, values[here], threshold=float(at), half_width_s=width) for video, here, times in groups
        }
        counts = pooled(
            match([i for k, i in job.truth.get(video, ()) if k == kind], [i for i, _ in spotted], min_iou=job.min_iou)
            for video, spotted in found.items()
        )
        if counts.f1 >= best_f1:
            best, best_f1 = float(at), counts.f1
    return best


def _spot_fold(job: _Job) -> _FoldOutcome:
    """Choose on training subjects, then spot in the videos left out."""
    table, split = job.fold.table, job.fold.split
    train_videos = {str(v) for v in np.unique(job.videos[split.train])}
    inner = splits(
        table.rows(split.train),
        SplitProtocol("inner subject-kfold", "subject", min(job.n_inner, len(np.unique(table.subjects[split.train])))),
        seed=job.seed,
    )
    out_of_fold = np.zeros((len(split.train), len(job.kinds)))
    for part in inner:
        out_of_fold[part.test] = _likelihood(job, split.train[part.train], split.train[part.test])
    likelihood = _likelihood(job, split.train, split.test)
    spotted, threshold, half_width = [], {}, {}
    for k, kind in enumerate(job.kinds):
        known = [i.duration_s for v in train_videos for label, i in job.truth.get(v, ()) if label == kind]
        threshold[kind] = half_width[kind] = float("nan")
        if not known:
            continue
        half_width[kind] = float(np.median(known)) / 2
        threshold[kind] = _threshold(job, split.train, out_of_fold[:, k], kind, half_width[kind])
        found = _decoded(job, split.test, likelihood[:, k], half_width[kind], threshold[kind])
        spotted += [(v, kind, float(i.start), float(i.stop), float(s)) for v, items in found.items() for i, s in items]
    return _FoldOutcome(likelihood, spotted, threshold, half_width)


def video_subjects(
    table: FeatureTable,
    times_s: NDArray[np.float64],
    videos: NDArray[np.str_],
    spans: Mapping[str, Interval],
    truth: Truth,
    kinds: Sequence[str],
) -> dict[str, str]:
    """Check that rows, spans and truth speak of the same videos, and return each video's subject."""
    if not len(table) == len(times_s) == len(videos):
        raise ProtocolError(f"spotting: expected {len(table)} times and videos, got {len(times_s)} and {len(videos)}")
    faults, subject_of = [], {}
    for video in np.unique(videos):
        rows = videos == video
        who = np.unique(table.subjects[rows])
        subject_of[str(video)] = str(who[0])
        if len(who) > 1:
            faults.append(f"video '{video}': expected one subject, got {', '.join(who)}")
        if not np.all(np.diff(times_s[rows]) > 0):
            faults.append(f"video '{video}': expected increasing times, got a step back or a repeat; are rows in order?")
        if str(video) not in spans:
            faults.append(f"video '{video}': expected a span, got none")
    faults += [f"video '{v}': expected rows for its span, got none" for v in spans if v not in subject_of]
    faults += [f"video '{v}': expected rows for its coded expressions, got none" for v in truth if v not in subject_of]
    strange = sorted({kind for events in truth.values() for kind, _ in events} - set(kinds))
    faults += [f"kind '{kind}': expected one of {', '.join(kinds)}" for kind in strange]
    raise_faults("spotting", faults, error=ProtocolError)
    return subject_of


def run_spotting(
    table: FeatureTable,
    *,
    times_s: NDArray[np.float64],
    videos: Sequence[str] | NDArray[np.str_],
    spans: Mapping[str, Interval],
    truth: Truth,
    estimator: Any,
    decode: Decode,
    protocol: str | SplitProtocol = "loso",
    kinds: Sequence[str] = KINDS,
    n_inner: int = 5,
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
) -> tuple[Result, Curves]:
    """
    Evaluate spotting: curves from a classifier of moments, intervals from a decoder, everything chosen without the tested.

    Parameters
    ----------
    table
        One row per moment of a time grid; labels are ``neutral`` or a kind.
    times_s, videos : (n_rows,)
        Time of each row and the video (trial) it lies in; times increase within a video.
    spans
        Stretch of every video that is searched, also of those without an expression.
    truth
        Coded expressions of each video, ``(kind, interval)``; a video that is absent has none.
    estimator
        A scikit-learn classifier with ``predict_proba``, for example a pipeline that ends in logistic regression with
        ``class_weight="balanced"``.
    decode
        ``decode(t, likelihood, threshold=, half_width_s=)`` gives ``(interval, score)`` for one video and kind.
    protocol
        One that keeps subjects apart: ``loso`` or ``subject-kfold``.
    kinds
        Kinds to spot; each has its own curve, threshold and half-width.
    n_inner
        Folds of training subjects. The threshold of a kind is the quantile of their out-of-fold likelihoods with the
        highest F1 on them; its half-width is half the median coded duration on them.
    min_iou
        Least intersection over union of a hit.
    title, model, dataset, config, seed, n_bootstrap, workers, progress
        As in `run`.
    n_chance
        Draws of randomly placed intervals, as many and as long as spotted, behind the chance level.

    Returns
    -------
    Result
        Predictions and truth have the columns video, subject, kind, onset_s, offset_s, predictions also fold and score.
    Curves
        Likelihoods row by row, with the thresholds chosen.

    Raises
    ------
    ProtocolError
        If rows, spans and truth do not fit, subjects would be on both sides, there are fewer than 3 subjects, the
        estimator has no probabilities, or a fold failed.
    ConfigError
        If the protocol is not known.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> t = np.tile(np.arange(20) / 10, 3)
    >>> videos, label = np.repeat(["v1", "v2", "v3"], 20), np.where((t > 0.75) & (t < 1.25), "micro", "neutral")
    >>> X, rows = (label == "micro")[:, None] * 1.0, [f"{v}@{s:.1f}" for v, s in zip(videos, t)]
    >>> table = FeatureTable.build(X, ["speed"], rows, np.repeat(["S1", "S2", "S3"], 20), videos, label)
    >>> def decode(t, likelihood, *, threshold, half_width_s):
    ...     on = t[likelihood >= threshold]
    ...     return [(Interval(on[0] - 0.05, on[-1] + 0.05), float(likelihood.max()))]
    >>> result, curves = run_spotting(
    ...     table, times_s=t, videos=videos, spans={v: Interval(0, 2) for v in ("v1", "v2", "v3")},
    ...     truth={v: [("micro", Interval(0.75, 1.25))] for v in ("v1", "v2", "v3")},
    ...     estimator=LogisticRegression(), decode=decode, n_bootstrap=100, n_chance=20)
    >>> result.score("F1 micro").value, curves.likelihood["micro"].shape
    (1.0, (60,))
    """
    protocol = named_protocol(protocol)
    if protocol.apart != "subject":
        raise ProtocolError(
            f"spotting: expected a protocol that keeps subjects apart (loso, subject-kfold), got {protocol.name}"
        )
    at, which = np.asarray(times_s, dtype=np.float64), np.asarray(videos, dtype=np.str_)
    subject_of = video_subjects(table, at, which, spans, truth, kinds)
    if len(set(subject_of.values())) < 3:
        raise ProtocolError(
            f"spotting needs at least 3 subjects, one to test and two to choose on, got {len(set(subject_of.values()))}"
        )
    check_table(table)
    folds = splits(table, protocol, seed=seed)
    fresh = fresh_estimator(estimator, table, seed)
    jobs = [
        _Job(
            FoldJob(table, fresh, split, tuple(kinds)),
            at,
            which,
            {v: truth.get(v, ()) for v in np.unique(which[split.train]).tolist()},  # the tested videos' truth stays here
            decode,
            tuple(kinds),
            n_inner,
            min_iou,
            seed,
        )
        for split in folds
    ]
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
        "videos": [
            {"video": v, "subject": subject_of[v], "start_s": float(s.start), "stop_s": float(s.stop)}
            for v, s in sorted(spans.items())
        ],
    }
    scores, chance = spotting_scores(predictions, coded, described, seed=seed)
    result = Result(
        task="spotting",
        title=title or type(estimator).__name__,
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
    return result, _curves(folds, outcomes, which, at, kinds)


def spotting_columns(
    folds: Sequence[Split],
    spotted_in: Sequence[Sequence[tuple[str, str, float, float, float]]],
    subject_of: Mapping[str, str],
    truth: Truth,
) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Arrange what was spotted in each fold (video, kind, start, stop, score) and what was coded as columns of a Result."""
    spotted = [
        (video, subject_of[video], kind, start, stop, score, split.name)
        for split, found in zip(folds, spotted_in, strict=True)
        for video, kind, start, stop, score in found
    ]
    coded = [
        (video, subject_of[video], kind, float(i.start), float(i.stop))
        for video in sorted(truth)
        for kind, i in truth[video]
    ]
    names = ("video", "subject", "kind", "onset_s", "offset_s", "score", "fold")
    return (
        {name: [row[j] for row in spotted] for j, name in enumerate(names)},
        {name: [row[j] for row in coded] for j, name in enumerate(names[:5])},
    )


def _curves(
    folds: Sequence[Split],
    outcomes: Sequence[_FoldOutcome],
    videos: NDArray[np.str_],
    times_s: NDArray[np.float64],
    kinds: Sequence[str],
) -> Curves:
    likelihood = np.full((len(times_s), len(kinds)), np.nan)
    for split, outcome in zip(folds, outcomes, strict=True):
        likelihood[split.test] = outcome.likelihood
    return Curves(
        videos,
        times_s,
        {kind: likelihood[:, k] for k, kind in enumerate(kinds)},
        {s.name: o.threshold for s, o in zip(folds, outcomes, strict=True)},
        {s.name: o.half_width_s for s, o in zip(folds, outcomes, strict=True)},
    )
