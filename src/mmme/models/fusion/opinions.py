"""
What one modality says of rows that its model has not seen, and how far that can be believed.

An opinion is a row of class probabilities; NaN throughout where the modality is missing, NaN for a class that the model
never saw. `evidence` is its logarithm around the mean of the classes: 0 says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax
from sklearn.base import clone
from sklearn.model_selection import GroupKFold

from mmme.errors import ConfigError, ProtocolError
from mmme.models.classical import probabilities
from mmme.models.fusion.modalities import fitted
from mmme.types.folds import FoldPrediction, Rows

__all__ = ["balanced", "calibrated", "evidence", "inner_folds", "opinions", "opinions_over_folds", "temperature"]

#: Below this a probability counts as this: a model that is sure beyond it has not seen enough to be.
LEAST = 1e-12
#: Bounds of the logarithm of a temperature; at the upper one nothing is left of any opinion.
COLDEST, HOTTEST = -4.0, 7.0


def inner_folds(where: str, groups: NDArray[Any] | None, n_folds: int) -> list[Rows]:
    """
    Divide training rows by subject, for choices that must not be made on rows the model was fitted on.

    Raises
    ------
    ProtocolError
        Without subjects, or with fewer than 2.
    """
    n = 0 if groups is None else len(np.unique(groups))
    if groups is None or n < 2:
        raise ProtocolError(
            f"{where}: expected groups of at least 2 training subjects to calibrate on, got {n or 'none'}; "
            "mmme.evaluate gives the training subjects to fit"
        )
    return list(GroupKFold(min(n_folds, n)).split(np.zeros(len(groups)), groups=groups))


def opinions(model: Any, X: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.float64]:
    """Class probabilities of a fitted model, ``(n_samples, n_classes)``, NaN for classes that it never saw."""
    out = np.full((len(X), len(classes)), np.nan)
    out[:, np.searchsorted(classes, model.classes_)] = probabilities(model, X)
    return out


def opinions_over_folds(
    estimator: Any,
    X: NDArray[Any],
    y: NDArray[Any],
    folds: Sequence[Rows],
    groups: NDArray[Any] | None,
    classes: Sequence[NDArray[Any]],
) -> list[NDArray[np.float64]]:
    """
    Opinions on the test rows of each fold by a clone fitted on its training rows.

    Where the estimator offers `predict_over_folds`, what folds share is computed once.

    Parameters
    ----------
    estimator
        Unfitted.
    X, y, groups
        All rows.
    folds
        Training and test rows of each.
    classes
        Of each fold's columns, sorted.

    Returns
    -------
    list of (n_test, n_classes)
    """
    if hasattr(estimator, "predict_over_folds"):
        said = clone(estimator).predict_over_folds(X, y, list(folds), groups=groups)
        return [_read(one, estimator, names) for one, names in zip(said, classes, strict=True)]
    out = []
    for (train, test), names in zip(folds, classes, strict=True):
        model = fitted(clone(estimator), X[train], y[train], None if groups is None else groups[train])
        out.append(opinions(model, X[test], names))
    return out


def _read(said: FoldPrediction, estimator: Any, classes: NDArray[Any]) -> NDArray[np.float64]:
    if not said.word:
        raise ConfigError(
            f"model {type(estimator).__name__}: expected probabilities or decision values of folds, got classes alone; "
            "choose another model"
        )
    values = said.values
    if said.word == "score":
        if len(said.classes) == 2:  # as `probabilities` reads a single decision value
            values = np.stack([np.zeros(len(values)), values[:, -1]], axis=1)
        values = softmax(values, axis=1)
    names = [str(c) for c in classes]
    out = np.full((len(values), len(names)), np.nan)
    out[:, [names.index(str(c)) for c in said.classes]] = values
    return out


def evidence(opinion: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Logarithm of probabilities around the mean of the known classes; 0 for unknown ones, NaN where all are missing.

    Examples
    --------
    >>> evidence(np.array([[0.5, 0.5, np.nan], [np.nan] * 3])).tolist()
    [[0.0, 0.0, 0.0], [nan, nan, nan]]
    """
    known = ~np.isnan(opinion)
    log = np.where(known, np.log(np.clip(np.where(known, opinion, 1.0), LEAST, 1.0)), 0.0)
    around = log.sum(axis=-1, keepdims=True) / np.maximum(known.sum(axis=-1, keepdims=True), 1)
    return np.where(known.any(axis=-1, keepdims=True), np.where(known, log - around, 0.0), np.nan)


def balanced(y: NDArray[np.intp], n_classes: int) -> NDArray[np.float64]:
    """Weights of rows by which all classes that occur weigh equally; they sum to the number of rows."""
    counts = np.bincount(y, minlength=n_classes)
    return np.asarray((len(y) / np.count_nonzero(counts) / np.maximum(counts, 1))[y])


def temperature(opinion: NDArray[np.float64], y: NDArray[np.intp]) -> float:
    """
    Divisor of evidence that makes the probabilities of the true classes greatest; classes weigh equally.

    High where the modality knows little: at 1000 nothing is left of its opinions.

    Parameters
    ----------
    opinion : (n_samples, n_classes)
        On rows that the model was not fitted on; missing ones do not count.
    y : (n_samples,)
        Positions of the true classes.

    References
    ----------
    Guo et al. (2017), On calibration of modern neural networks, arXiv:1706.04599.

    Examples
    --------
    >>> sure = np.tile([0.999, 0.001], (100, 1))
    >>> hot = temperature(sure, np.repeat([0, 1], [75, 25]).astype(np.intp))
    >>> hot > 1000  # both classes weigh the same, and are told apart no better than by chance
    True
    """
    there = ~np.isnan(opinion).all(axis=1)
    value, y = evidence(opinion[there]), y[there]
    weight = balanced(y, opinion.shape[1])
    true = value[np.arange(len(y)), y]

    def loss(log_t: float) -> float:
        t = np.exp(log_t)
        return float(np.sum(weight * (logsumexp(value / t, axis=1) - true / t)))

    return float(np.exp(minimize_scalar(loss, bounds=(COLDEST, HOTTEST), method="bounded").x))


def calibrated(opinion: NDArray[np.float64], heat: float) -> NDArray[np.float64]:
    """Probabilities at a temperature; a class that the model never saw gets the share of no evidence."""
    return np.asarray(softmax(evidence(opinion) / heat, axis=-1))
