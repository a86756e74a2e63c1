"""
Face and body together.

Early fusion needs no class: join the tables' columns (`FeatureTable.joined`) and use one classical pipeline, which
standardises each column by itself. Late fusion is here: one classifier per modality, their probabilities averaged.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from mmme.errors import ConfigError, ProtocolError, raise_faults
from mmme.models.classical import probabilities

__all__ = ["LateFusion"]


class LateFusion(ClassifierMixin, BaseEstimator):
    """
    Mean of the class probabilities of one classifier per modality.

    A row in which a whole modality is missing (all its columns NaN) is decided by the others; a row in which all are
    missing gets the shares of the classes in training. A classifier learns from the rows that have its modality.
    Classifiers without probabilities are read by the softmax of their decision values (`probabilities`).

    Parameters
    ----------
    estimators
        By modality, unfitted.
    columns
        By modality: positions of its columns in ``X``.
    weights
        By modality; equal by default. Only ratios matter.
    quality
        By modality: positions of columns in ``X`` that say how far this row's modality can be trusted, 0 to 1. Their mean
        over those that are not NaN multiplies the weight; 0 or none leaves the modality out of the row. Modalities that
        are not named count fully.
    random_state
        Given to every ``random_state`` in the estimators when not None.

    Attributes
    ----------
    estimators_
        Fitted, by modality.
    classes_
        Classes in sorted order.

    Examples
    --------
    >>> from mmme.models.classical import make_model
    >>> X = np.array([[0.0, 5.0], [1.0, 6.0], [0.1, 5.1], [0.9, np.nan]])
    >>> y = ["neg", "pos", "neg", "pos"]
    >>> parts = {"face": make_model("svm-linear", {"C": 1.0}), "body": make_model("logistic")}
    >>> fused = LateFusion(parts, {"face": [0], "body": [1]}).fit(X, y)
    >>> fused.predict([[0.8, np.nan], [np.nan, 5.0]]).tolist()
    ['pos', 'neg']
    """

    def __init__(
        self,
        estimators: Mapping[str, Any],
        columns: Mapping[str, Sequence[int] | NDArray[np.intp]],
        weights: Mapping[str, float] | None = None,
        quality: Mapping[str, Sequence[int]] | None = None,
        random_state: int | None = None,
    ) -> None:
        self.estimators = estimators
        self.columns = columns
        self.weights = weights
        self.quality = quality
        self.random_state = random_state

    def _checked(self, X: ArrayLike) -> NDArray[Any]:
        X = np.asarray(X)
        faults = []
        if not self.estimators:
            faults.append("expected at least one modality, got none")
        if sorted(self.estimators) != sorted(self.columns):
            faults.append(
                f"expected columns for {', '.join(sorted(self.estimators))}, got them for {', '.join(sorted(self.columns))}"
            )
        if X.ndim != 2:
            faults.append(f"expected X of shape (n_samples, n_features), got {X.shape}")
        else:
            for name, columns in self.columns.items():
                positions = np.asarray(columns, dtype=np.intp)
                if not positions.size or positions.min() < 0 or positions.max() >= X.shape[1]:
                    faults.append(
                        f"columns of {name}: expected positions from 0 to {X.shape[1] - 1}, got {positions.tolist()}"
                    )
        weights = dict.fromkeys(self.estimators, 1.0) if self.weights is None else self.weights
        if sorted(weights) != sorted(self.estimators) or min(weights.values(), default=1.0) <= 0:
            faults.append(
                f"weights: expected one above 0 for each of {', '.join(sorted(self.estimators))}, got {dict(weights)}"
            )
        for name, columns in (self.quality or {}).items():
            if (
                name not in self.estimators
                or not len(columns)
                or X.ndim != 2
                or not 0 <= min(columns) <= max(columns) < X.shape[1]
            ):
                faults.append(f"quality: expected a modality and positions of its columns, got {name}: {list(columns)}")
        raise_faults("late fusion", faults, error=ConfigError)
        return X

    def _trust(self, name: str, X: NDArray[Any]) -> NDArray[np.float64]:
        """Weight of a modality in each row, ``(n_samples,)``."""
        share = np.full(len(X), 1.0 if self.weights is None else float(self.weights[name]))
        if self.quality and name in self.quality:
            told = X[:, list(self.quality[name])].astype(np.float64)
            known = np.isfinite(told)
            share *= np.where(known, np.clip(told, 0.0, 1.0), 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        return share

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> LateFusion:
        """
        Fit every modality on the rows that have it.

        Parameters
        ----------
        X : (n_samples, n_features)
            All modalities side by side.
        y : (n_samples,)
            Classes.
        groups : (n_samples,)
            Subjects, handed on to estimators whose fit takes them.

        Raises
        ------
        ConfigError
            If columns or weights do not fit the estimators.
        ProtocolError
            If a modality is missing in all rows, or in all rows of all but one class.
        """
        X, y = self._checked(X), np.asarray(y)
        self.classes_, counts = np.unique(y, return_counts=True)
        self.prior_ = counts / counts.sum()
        self.estimators_: dict[str, Any] = {}
        for name, estimator in self.estimators.items():
            part = X[:, np.asarray(self.columns[name], dtype=np.intp)]
            there = ~np.isnan(part).all(axis=1)
            if len(np.unique(y[there])) < 2:
                raise ProtocolError(
                    f"late fusion: expected {name} in training rows of at least 2 classes, got it in {int(there.sum())} of "
                    f"{len(y)} rows of {len(np.unique(y[there]))} classes; leave the modality out"
                )
            model = clone(estimator)
            if self.random_state is not None:
                seeded = [k for k in model.get_params() if k == "random_state" or k.endswith("__random_state")]
                model.set_params(**dict.fromkeys(seeded, self.random_state))
            takes_groups = groups is not None and "groups" in inspect.signature(model.fit).parameters
            extra = {"groups": np.asarray(groups)[there]} if takes_groups else {}
            self.estimators_[name] = model.fit(part[there], y[there], **extra)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Weighted mean of the modalities' probabilities, ``(n_samples, n_classes)``."""
        X = self._checked(X)
        total = np.zeros((len(X), len(self.classes_)))
        weight = np.zeros(len(X))
        for name, model in self.estimators_.items():
            part = X[:, np.asarray(self.columns[name], dtype=np.intp)]
            share = self._trust(name, X)
            there = ~np.isnan(part).all(axis=1) & (share > 0)
            if not there.any():
                continue
            known = np.searchsorted(self.classes_, model.classes_)
            total[np.ix_(there, known)] += share[there, None] * probabilities(model, part[there])
            weight[there] += share[there]
        silent = weight == 0
        total[silent], weight[silent] = self.prior_, 1.0
        return total / weight[:, None]

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Class of highest mean probability; the first in sorted order of equals."""
        return np.asarray(self.classes_[np.argmax(self.predict_proba(X), axis=1)])
