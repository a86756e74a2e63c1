"""All columns side by side, one classifier, and a column per modality that says whether it is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from mmme.models.fusion import modalities
from mmme.models.fusion.modalities import Columns, columns_of
from mmme.models.fusion.opinions import opinions, opinions_over_folds
from mmme.types.folds import FoldPrediction, Rows

__all__ = ["EarlyFusion"]

DONE = "filled as the classifier fills missing values, and marked as missing"


class EarlyFusion(ClassifierMixin, BaseEstimator):
    """
    One classifier of all modalities' columns.

    What is missing stays NaN and is filled by the classifier itself, inside its training rows (`make_model` takes their
    median); a column per modality, 1 where it is missing, lets it learn that a value was filled. A row without any
    modality teaches nothing and gets the shares of the classes.

    Parameters
    ----------
    estimator
        Unfitted; it must accept NaN.
    columns
        By modality: positions of its columns in ``X``.
    quality
        By modality: positions of columns in ``X``; a modality whose quality is 0 in a row counts as missing there.
    random_state
        Given to every ``random_state`` in the estimator when not None.

    Attributes
    ----------
    estimator_
        Fitted on the modalities' columns in the order of ``columns``, then the marks.
    classes_
        Classes in sorted order.
    missing_note_
        What was missing in the rows fitted, and what was done; empty when nothing was.

    Examples
    --------
    >>> from mmme.models.classical import make_model
    >>> X = np.array([[0.0, 5.0], [1.0, 6.0], [0.1, 5.1], [0.9, np.nan]])
    >>> fused = EarlyFusion(make_model("logistic"), {"face": [0], "body": [1]}).fit(X, ["neg", "pos", "neg", "pos"])
    >>> fused.predict([[0.8, np.nan], [0.1, 5.0]]).tolist()
    ['pos', 'neg']
    """

    def __init__(
        self,
        estimator: Any,
        columns: Columns,
        quality: Mapping[str, Sequence[int]] | None = None,
        random_state: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.columns = columns
        self.quality = quality
        self.random_state = random_state

    def _seen(self, X: ArrayLike) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        X = modalities.checked("early fusion", X, self.columns, quality=self.quality)
        return modalities.trusted_only(X, self.columns, self.quality)

    def _inputs(self, X: NDArray[Any], there: NDArray[np.bool_]) -> NDArray[Any]:
        parts = [X[:, columns_of(self.columns, name)] for name in self.columns]
        parts = [np.where(there[:, m, None], part, np.nan) for m, part in enumerate(parts)]
        return np.concatenate([*parts, (~there).astype(X.dtype)], axis=1)

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> EarlyFusion:
        """
        Fit on the rows that have any modality.

        Parameters
        ----------
        X : (n_samples, n_features)
            All modalities side by side.
        y : (n_samples,)
            Classes.
        groups : (n_samples,)
            Subjects, handed on to an estimator whose fit takes them.

        Raises
        ------
        ConfigError
            If columns do not fit the matrix.
        ProtocolError
            If a modality is missing in all rows of all but one class: its filled values would be made up.
        """
        (X, there), y = self._seen(X), np.asarray(y)
        modalities.learnable("early fusion", y, there, list(self.columns))
        self.classes_, counts = np.unique(y, return_counts=True)
        self.prior_ = counts / counts.sum()
        rows = there.any(axis=1)
        model = modalities.seeded(self.estimator, self.random_state)
        who = None if groups is None else np.asarray(groups)[rows]
        self.estimator_ = modalities.fitted(model, self._inputs(X, there)[rows], y[rows], who)
        self.missing_note_ = modalities.note(there, list(self.columns), DONE)
        return self

    def _proba(self, X: NDArray[Any], there: NDArray[np.bool_]) -> NDArray[np.float64]:
        out = np.tile(self.prior_, (len(X), 1))
        rows = there.any(axis=1)
        if rows.any():
            out[rows] = np.nan_to_num(opinions(self.estimator_, self._inputs(X, there)[rows], self.classes_), nan=0.0)
        return out

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Class probabilities of the classifier, ``(n_samples, n_classes)``."""
        return self._proba(*self._seen(X))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Class of highest probability; the first in sorted order of equals."""
        return np.asarray(self.classes_[np.argmax(self.predict_proba(X), axis=1)])

    def decided_by(self, X: ArrayLike) -> NDArray[np.float64]:
        """
        Weight of each modality in each row's decision, ``(n_samples, n_modalities)``, in the order of ``columns``.

        It is how far the probabilities move when the modality is taken away, as a share of all; 0 where it is missing.
        """
        X, there = self._seen(X)
        return modalities.by_leaving_out(lambda left: self._proba(X, left), there)

    def missing_note(self, X: ArrayLike) -> str:
        """Say in a sentence what is missing in rows and what is done with them; empty when nothing is."""
        return modalities.note(self._seen(X)[1], list(self.columns), DONE)

    def without(self, modality: str) -> EarlyFusion:
        """
        Return the same fusion, unfitted, without one modality; its columns may stay in ``X``.

        Raises
        ------
        ConfigError
            If there is no such modality, or no other.
        """
        modalities.without_one("early fusion", self.columns, modality)
        rest = {name: modalities.reduced(getattr(self, name), modality) for name in ("columns", "quality")}
        return EarlyFusion(**{**self.get_params(deep=False), **rest})

    def predict_over_folds(
        self, X: ArrayLike, y: ArrayLike, folds: Sequence[Rows], *, groups: ArrayLike | None = None
    ) -> list[FoldPrediction]:
        """
        Predict the test rows of every fold; each comes out as from `fit` on its training rows.

        Parameters
        ----------
        X, y, groups
            As in `fit`, all rows.
        folds
            Training and test rows of each.

        Raises
        ------
        ConfigError, ProtocolError
            As `fit`.
        """
        (X, there), y = self._seen(X), np.asarray(y)
        rows = there.any(axis=1)
        place = np.cumsum(rows) - 1
        for train, _ in folds:
            modalities.learnable("early fusion", y[train], there[train], list(self.columns))
        jobs = [(place[train[rows[train]]], place[test[rows[test]]]) for train, test in folds]
        known = [np.unique(y[train], return_counts=True) for train, _ in folds]
        asked = [k for k, (_, test) in enumerate(jobs) if test.size]
        said = opinions_over_folds(
            modalities.seeded(self.estimator, self.random_state),
            self._inputs(X, there)[rows],
            y[rows],
            [jobs[k] for k in asked],
            None if groups is None else np.asarray(groups)[rows],
            [known[k][0] for k in asked],
        )
        by_fold = dict(zip(asked, said, strict=True))
        out = []
        for k, (_, test) in enumerate(folds):
            classes, counts = known[k]
            proba = np.tile(counts / counts.sum(), (len(test), 1))
            if k in by_fold:
                proba[rows[test]] = np.nan_to_num(by_fold[k], nan=0.0)
            names = np.asarray([str(c) for c in classes], dtype=np.str_)
            out.append(FoldPrediction(names[proba.argmax(axis=1)], "probability", proba, names))
        return out
