"""
Fit on one side of a split, predict on the other; runs here or on a worker.

Estimators that compute once what folds share (`FoldwiseEstimator`) are given many folds at once. They could look where
`fit` cannot, so one fold is also fitted on its training rows alone, and has to come out the same.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from mmme.errors import ProtocolError, raise_faults
from mmme.evaluate.protocols import Split, check_estimator
from mmme.types import FeatureTable, FoldPrediction, FoldwiseEstimator
from mmme.workers import Workers

__all__ = ["FoldJob", "FoldOutcome", "class_values", "fitted_on", "fresh_estimator", "over_folds", "predicted_folds"]

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, eq=False)
class FoldJob:
    """Work of one fold, with all it needs and nothing of other folds."""

    table: FeatureTable
    estimator: Any
    split: Split
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ChunkJob:
    """Work of several folds by an estimator that shares among them; of the first of them alone when ``verify``."""

    table: FeatureTable
    estimator: FoldwiseEstimator
    splits: tuple[Split, ...]
    classes: tuple[str, ...]
    verify: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class FoldOutcome:
    """Predictions of one fold, what the values by class are, and how far each part of a fusion decided."""

    pred: list[str]
    word: str
    values: NDArray[np.float64]
    weights: Mapping[str, NDArray[np.float64]]


#: Shared and plain computation of one fold may differ by rounding, not by more.
SAME = 1e-4


def fresh_estimator(estimator: Any, table: FeatureTable, seed: int) -> Any:
    """
    Clone an estimator, seed every ``random_state`` in it, and refuse one that has already learned.

    Raises
    ------
    ProtocolError
        If it cannot be cloned, or carries something it was fitted on.
    """
    try:
        copy = clone(estimator)
    except TypeError as error:
        raise ProtocolError(
            f"estimator {type(estimator).__name__}: expected one that scikit-learn can clone, so that every fold starts "
            f"anew, got {error}"
        ) from error
    check_estimator(copy, table)
    seeded = [k for k in copy.get_params(deep=True) if k == "random_state" or k.endswith("__random_state")]
    return copy.set_params(**dict.fromkeys(seeded, seed)) if seeded else copy


def fitted_on(job: FoldJob, train: NDArray[np.intp]) -> Any:
    """Fit a clone on the given rows only; their subjects go along as ``groups`` where fit asks for them."""
    model = clone(job.estimator)
    table = job.table
    if "groups" in inspect.signature(model.fit).parameters:
        return model.fit(table.X[train], table.labels[train], groups=table.subjects[train])
    return model.fit(table.X[train], table.labels[train])


def class_values(model: Any, X: NDArray[Any], classes: Sequence[str]) -> tuple[str, NDArray[np.float64]]:
    """
    Probability, or else decision value, of each class for each row.

    Returns
    -------
    word
        ``probability``, ``score`` or, when the model offers neither, an empty string.
    values : (n_rows, n_classes)
        Probability 0, score NaN, for a class that the model never saw.
    """
    if hasattr(model, "predict_proba"):
        word, values, missing = "probability", np.asarray(model.predict_proba(X), dtype=np.float64), 0.0
    elif hasattr(model, "decision_function"):
        word, values, missing = "score", np.asarray(model.decision_function(X), dtype=np.float64), np.nan
        values = np.stack([-values, values], axis=1) if values.ndim == 1 else values
    else:
        return "", np.zeros((len(X), 0))
    known = [str(c) for c in model.classes_]
    if values.shape != (len(X), len(known)):  # one value per pair of classes, say: nothing that belongs to a class
        return "", np.zeros((len(X), 0))
    return word, _by_class(values, known, classes, missing)


def _by_class(
    values: NDArray[np.float64], known: Sequence[str], classes: Sequence[str], missing: float
) -> NDArray[np.float64]:
    """Columns in the order of all classes."""
    out = np.full((len(values), len(classes)), missing)
    for j, name in enumerate(classes):
        if name in known:
            out[:, j] = values[:, list(known).index(name)]
    return out


def _test_fold(job: FoldJob) -> FoldOutcome:
    model = fitted_on(job, job.split.train)
    X = job.table.X[job.split.test]
    pred = [str(p) for p in np.asarray(model.predict(X)).tolist()]
    if len(pred) != len(X):
        raise ProtocolError(f"expected {len(X)} predictions, got {len(pred)}")
    word, values = class_values(model, X, job.classes)
    weights: dict[str, NDArray[np.float64]] = {}
    if hasattr(model, "decided_by"):
        parts = getattr(model, "parts", None) or tuple(model.columns)
        weights = dict(zip(parts, np.asarray(model.decided_by(X), dtype=np.float64).T, strict=True))
    return FoldOutcome(pred, word, values, weights)


def _test_chunk(job: ChunkJob) -> list[FoldOutcome]:
    table = job.table
    if job.verify:
        return [_test_fold(FoldJob(table, job.estimator, job.splits[0], job.classes))]
    model = clone(job.estimator)
    folds = [(split.train, split.test) for split in job.splits]
    made = model.predict_over_folds(table.X, table.labels, folds, groups=table.subjects)
    if len(made) != len(folds):
        raise ProtocolError(f"expected predictions of {len(folds)} folds, got {len(made)}")
    return [_outcome(one, split, job.classes) for one, split in zip(made, job.splits, strict=True)]


def _outcome(made: FoldPrediction, split: Split, classes: Sequence[str]) -> FoldOutcome:
    pred = [str(p) for p in np.asarray(made.pred).tolist()]
    if len(pred) != len(split.test):
        raise ProtocolError(f"fold {split.name}: expected {len(split.test)} predictions, got {len(pred)}")
    known = [str(c) for c in made.classes]
    weights = (
        {} if made.weights is None else dict(zip(made.parts, np.asarray(made.weights, dtype=np.float64).T, strict=True))
    )
    if not made.word or made.values.shape != (len(pred), len(known)):
        return FoldOutcome(pred, "", np.zeros((len(pred), 0)), weights)
    missing = 0.0 if made.word == "probability" else np.nan
    values = _by_class(np.asarray(made.values, dtype=np.float64), known, classes, missing)
    return FoldOutcome(pred, made.word, values, weights)


def predicted_folds(
    table: FeatureTable,
    estimator: Any,
    folds: Sequence[Split],
    classes: Sequence[str],
    *,
    workers: Workers | None,
    progress: Callable[[int, int], None] | None,
) -> list[FoldOutcome]:
    """
    Predict the test rows of all folds.

    Raises
    ------
    ProtocolError
        If any fold failed, or an estimator that shares among folds predicts otherwise than one that is fitted on the
        training rows alone.
    """
    names = [split.name for split in folds]
    chosen = tuple(classes)
    if not isinstance(estimator, FoldwiseEstimator):
        jobs = [FoldJob(table, estimator, split, chosen) for split in folds]
        return over_folds(_test_fold, jobs, names, workers=workers, progress=progress)
    at_once = getattr(estimator, "folds_at_once", None) or len(folds)
    n_chunks = max(-(-len(folds) // at_once), min(len(folds), workers.parallel if workers else 1))
    parts = [part for part in np.array_split(np.arange(len(folds)), n_chunks) if part.size]
    chunks = [ChunkJob(table, estimator, tuple(folds[k] for k in part), chosen) for part in parts]
    first = min(range(len(folds)), key=lambda k: (-len(folds[k].test), k))  # most rows, most to compare
    chunks.append(ChunkJob(table, estimator, (folds[first],), chosen, verify=True))
    spans = [f"{names[part[0]]} to {names[part[-1]]}" if len(part) > 1 else names[part[0]] for part in parts]
    made = over_folds(_test_chunk, chunks, [*spans, f"{names[first]} alone"], workers=workers, progress=progress)
    outcomes = [outcome for chunk in made[:-1] for outcome in chunk]
    _compare(outcomes[first], made[-1][0], names[first])
    return outcomes


def _compare(shared: FoldOutcome, alone: FoldOutcome, name: str) -> None:
    """Refuse when sharing among folds changed what a fold predicts; rounding may turn a tie."""
    pred, plain = np.asarray(shared.pred), np.asarray(alone.pred)
    one, other = shared.values, alone.values
    differ = pred != plain
    same = one.shape == other.shape and np.allclose(one, other, rtol=SAME, atol=SAME, equal_nan=True)
    if same and one.size and differ.any():
        best = np.sort(one[differ], axis=1)
        same = bool(np.all(best[:, -1] - best[:, -2] < SAME))
    elif not one.size:
        same = same and not differ.any()
    if not same:
        raise ProtocolError(
            f"fold {name}: expected the same from all folds at once as from its training rows alone, got other values "
            f"({int(differ.sum())} of {len(pred)} predictions differ); predict_over_folds lets folds know of each other"
        )


def over_folds(
    function: Callable[[T], R],
    jobs: Sequence[T],
    names: Sequence[str],
    *,
    workers: Workers | None,
    progress: Callable[[int, int], None] | None,
) -> list[R]:
    """
    Results of all folds in order.

    Raises
    ------
    ProtocolError
        After all folds were tried, if any failed; a score over the others would be a score of other subjects.
    """
    source: Iterable[Any] = (workers or Workers()).as_completed(function, jobs)
    done: dict[int, R] = {}
    faults: list[tuple[int, str]] = []
    for count, outcome in enumerate(source, start=1):
        if outcome.error:
            faults.append((outcome.index, f"fold {names[outcome.index]}: {outcome.error}"))
        else:
            done[outcome.index] = outcome.value
        if progress is not None:
            progress(count, len(jobs))
    where = f"evaluation ({len(faults)} of {len(jobs)} folds failed, so there is no score)"
    raise_faults(where, [text for _, text in sorted(faults)], error=ProtocolError)
    return [done[i] for i in range(len(jobs))]
