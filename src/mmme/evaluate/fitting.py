"""Fit on one side of a split, predict on the other; runs here or on a worker."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from mmme.errors import ProtocolError, raise_faults
from mmme.evaluate.protocols import Split, check_estimator
from mmme.types import FeatureTable
from mmme.workers import Workers

__all__ = ["class_values", "fitted_on", "fresh_estimator", "over_folds"]

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, eq=False)
class FoldJob:
    """Work of one fold, with all it needs and nothing of other folds."""

    table: FeatureTable
    estimator: Any
    split: Split
    classes: tuple[str, ...]


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
    out = np.full((len(X), len(classes)), missing)
    for j, name in enumerate(classes):
        if name in known:
            out[:, j] = values[:, known.index(name)]
    return word, out


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
