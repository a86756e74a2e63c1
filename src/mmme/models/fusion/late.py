"""
Face and body together, each with its own classifier, their opinions made one.

Opinions of different classifiers are not on one scale. The softmax of a linear SVM's decision values never goes far from
chance, while a discriminant of many columns and few rows is sure of everything it says; in a plain mean the second decides
alone, right or wrong. With ``calibrate=True`` each modality's opinions are brought to the scale of how often they are right
for training subjects that its model had not seen: the sure and wrong one falls silent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from mmme.errors import ConfigError, ProtocolError, unknown_name
from mmme.models.fusion import modalities
from mmme.models.fusion.modalities import Columns, columns_of
from mmme.models.fusion.opinions import calibrated, inner_folds, opinions, opinions_over_folds, temperature
from mmme.models.fusion.rules import RULES, Average, Rule
from mmme.types.folds import FoldPrediction, Rows

__all__ = ["LateFusion"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Learned:
    """What a late fusion learns beyond its parts: the classes, their shares, temperatures, and the rule."""

    classes: NDArray[Any]
    prior: Floats
    heat: Floats | None
    rule: Rule

    def decide(self, said: Floats, trust: Floats) -> tuple[Floats, Floats]:
        """Return probabilities and weights of modalities; a row without any opinion gets the shares of the classes."""
        proba, weight = self.rule.combine(_scaled(said, self.heat), trust)
        silent = ~(trust > 0).any(axis=1)
        proba[silent], weight[silent] = self.prior, 0.0
        return proba, weight


def _scaled(said: Floats, heat: Floats | None) -> Floats:
    if heat is None:
        return said
    return np.stack([calibrated(said[:, m], heat[m]) for m in range(said.shape[1])], axis=1)


class LateFusion(ClassifierMixin, BaseEstimator):
    """
    One decision from the class probabilities of one classifier per modality.

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
        By modality, for the mean; equal by default. Only ratios matter.
    quality
        By modality: positions of columns in ``X`` that say how far this row's modality can be trusted, 0 to 1. Their mean
        over those that are not NaN multiplies the weight; 0 or none leaves the modality out of the row. Modalities that
        are not named count fully.
    random_state
        Given to every ``random_state`` in the estimators when not None.
    calibrate
        Bring each modality's probabilities to one scale by a temperature, chosen on training subjects whom its model had
        not seen. Fit then needs ``groups``. Every rule but the mean calibrates in any case.
    rule
        ``mean``; ``weighted`` (weights learned on training subjects), ``product``, ``stacked`` (logistic regression on
        probabilities), ``fuzzy`` (Choquet integral).
    n_inner
        Folds of training subjects behind temperatures and rules; fewer where there are fewer subjects.

    Attributes
    ----------
    estimators_
        Fitted, by modality.
    classes_
        Classes in sorted order.
    temperatures_
        By modality; above 1 where its classifier was too sure of itself. Empty without calibration.
    rule_
        The learned rule.
    missing_note_
        What was missing in the rows fitted, and what was done; empty when nothing was.

    Examples
    --------
    >>> from mmme.models.classical import make_model
    >>> X = np.array([[0.0, 5.0], [1.0, 6.0], [0.1, 5.1], [0.9, np.nan]])
    >>> y = ["neg", "pos", "neg", "pos"]
    >>> parts = {"face": make_model("svm-linear", {"C": 1.0}), "body": make_model("logistic")}
    >>> fused = LateFusion(parts, {"face": [0], "body": [1]}).fit(X, y)
    >>> fused.predict([[0.8, np.nan], [np.nan, 5.0]]).tolist()
    ['pos', 'neg']
    >>> fused.decided_by([[0.8, np.nan], [0.9, 5.9]]).tolist(), fused.missing_note_
    ([[1.0, 0.0], [0.5, 0.5]], '4 rows: body missing in 1: decided by the others')
    """

    def __init__(
        self,
        estimators: Mapping[str, Any],
        columns: Columns,
        weights: Mapping[str, float] | None = None,
        quality: Mapping[str, Sequence[int]] | None = None,
        random_state: int | None = None,
        calibrate: bool = False,  # noqa: FBT001, FBT002  scikit-learn sets parameters by name
        rule: str = "mean",
        n_inner: int = 5,
    ) -> None:
        self.estimators = estimators
        self.columns = columns
        self.weights = weights
        self.quality = quality
        self.random_state = random_state
        self.calibrate = calibrate
        self.rule = rule
        self.n_inner = n_inner

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the modalities, in the order of the columns of `decided_by`."""
        return tuple(self.estimators)

    @property
    def _where(self) -> str:
        return "late fusion" if self.rule == "mean" else f"{self.rule} fusion"

    def _checked(self, X: ArrayLike) -> NDArray[Any]:
        if self.rule != "mean" and self.rule not in RULES:
            raise unknown_name("rule of late fusion", self.rule, ["mean", *RULES])
        if self.rule != "mean" and self.weights is not None:
            raise ConfigError(f"{self._where}: expected no weights, got {dict(self.weights)}; only the mean takes them")
        if self.n_inner < 2:
            raise ConfigError(f"{self._where}: expected at least 2 inner folds, got {self.n_inner}")
        names = list(self.estimators)
        return modalities.checked(self._where, X, self.columns, names=names, weights=self.weights, quality=self.quality)

    def _seen(self, X: NDArray[Any]) -> tuple[NDArray[np.bool_], Floats]:
        """Which modalities each row has, and how far each is trusted (0 where missing)."""
        names = list(self.estimators)
        there = modalities.presence(X, self.columns, names)
        return there, np.where(there, modalities.trust(X, names, self.quality), 0.0)

    @property
    def _looks_inside(self) -> bool:
        return bool(self.calibrate) or self.rule != "mean"

    def _inner(self, train: NDArray[np.intp], groups: NDArray[Any] | None) -> list[Rows]:
        """Inner folds of training rows, as positions in the whole matrix."""
        if not self._looks_inside:
            return []
        local = inner_folds(self._where, None if groups is None else groups[train], self.n_inner)
        return [(train[a], train[b]) for a, b in local]

    def _opinions(
        self,
        X: NDArray[Any],
        y: NDArray[Any],
        groups: NDArray[Any] | None,
        folds: Sequence[Rows],
        classes: Sequence[NDArray[Any]],
        asked: Sequence[int] = (),
    ) -> list[Floats]:
        """
        Opinions of every modality on the test rows of every fold, ``(n_test, n_modalities, n_classes)`` each.

        An inner fold from which a modality cannot be learned has no opinion of it; the folds in ``asked`` must have one.
        """
        there, _ = self._seen(X)
        out = [
            np.full((len(test), len(self.estimators), len(k)), np.nan) for (_, test), k in zip(folds, classes, strict=True)
        ]
        for m, (name, estimator) in enumerate(self.estimators.items()):
            rows = np.flatnonzero(there[:, m])
            place = np.full(len(X), -1)
            place[rows] = np.arange(len(rows))
            jobs, owners = [], []
            for k, (train, test) in enumerate(folds):
                job = place[train[there[train, m]]], place[test[there[test, m]]]
                n_known = len(np.unique(y[rows][job[0]]))
                if job[1].size and (k in asked or 2 <= n_known < job[0].size):
                    jobs.append(job)
                    owners.append(k)
            part, who = X[rows][:, columns_of(self.columns, name)], None if groups is None else groups[rows]
            model = modalities.seeded(estimator, self.random_state)
            said = opinions_over_folds(model, part, y[rows], jobs, who, [classes[k] for k in owners])
            for k, opinion in zip(owners, said, strict=True):
                test = folds[k][1]
                out[k][there[test, m], m] = opinion
        return out

    def _learn(self, said: Floats, y: NDArray[Any], trust: Floats) -> _Learned:
        """Learn temperatures and rule from opinions on training rows by models that had not seen them."""
        classes, counts = np.unique(y, return_counts=True)
        prior = counts / counts.sum()
        if not self._looks_inside:
            return _Learned(classes, prior, None, self._mean())
        for m, name in enumerate(self.estimators):
            if np.isnan(said[:, m]).all():
                raise ProtocolError(
                    f"{self._where}: expected {name} of at least 2 training subjects, with several classes each, to "
                    "calibrate on, got too few rows; leave the modality out"
                )
        of_class = np.searchsorted(classes, y)
        heat = np.array([temperature(said[:, m], of_class) for m in range(said.shape[1])])
        heard = np.where(np.isnan(said).all(axis=2), 0.0, trust)
        rule = self._mean() if self.rule == "mean" else RULES[self.rule](_scaled(said, heat), heard, of_class)
        return _Learned(classes, prior, heat, rule)

    def _mean(self) -> Average:
        given = self.weights or {}
        return Average(np.array([float(given.get(name, 1.0)) for name in self.estimators]))

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
            Subjects: inner folds keep them together, and they are handed on to estimators whose fit takes them.

        Raises
        ------
        ConfigError
            If columns or weights do not fit the estimators, or the rule is not known.
        ProtocolError
            If a modality is missing in all rows, or in all rows of all but one class; or if there are no subjects to
            calibrate on.
        """
        X, y = self._checked(X), np.asarray(y)
        who = None if groups is None else np.asarray(groups)
        there, trust = self._seen(X)
        modalities.learnable(self._where, y, there, list(self.estimators))
        self.classes_ = np.unique(y)
        inner = self._inner(np.arange(len(X)), who)
        said = np.full((len(X), len(self.estimators), len(self.classes_)), np.nan)
        for (_, rows), opinion in zip(inner, self._opinions(X, y, who, inner, [self.classes_] * len(inner)), strict=True):
            said[rows] = opinion
        self._learned = self._learn(said, y, trust)
        self.prior_, self.rule_ = self._learned.prior, self._learned.rule
        heat = self._learned.heat
        self.temperatures_ = {} if heat is None else dict(zip(self.estimators, heat.tolist(), strict=True))
        self.estimators_: dict[str, Any] = {}
        for m, (name, estimator) in enumerate(self.estimators.items()):
            has = there[:, m]
            part, subjects = X[has][:, columns_of(self.columns, name)], None if who is None else who[has]
            model = modalities.seeded(estimator, self.random_state)
            self.estimators_[name] = modalities.fitted(model, part, y[has], subjects)
        self.missing_note_ = self.missing_note(X)
        return self

    def restored(
        self, estimators: Mapping[str, Any], classes: NDArray[Any], prior: Floats, heat: Floats | None, rule: Rule
    ) -> LateFusion:
        """Take over what a fit had learned, in place: fitted classifiers, classes, their shares, temperatures, and rule."""
        self.estimators_, self.classes_, self.prior_, self.rule_ = dict(estimators), classes, prior, rule
        self.temperatures_ = {} if heat is None else dict(zip(self.estimators, heat.tolist(), strict=True))
        self._learned = _Learned(classes, prior, heat, rule)
        self.missing_note_ = ""
        return self

    def alone(self, X: ArrayLike) -> dict[str, NDArray[np.float64]]:
        """
        Tell what each modality says by itself, calibrated where the fusion calibrates, ``(n_samples, n_classes)`` each.

        NaN throughout where the modality is missing.
        """
        X = self._checked(X)
        there, _ = self._seen(X)
        said = np.full((len(X), len(self.estimators_), len(self.classes_)), np.nan)
        for m, (name, model) in enumerate(self.estimators_.items()):
            if there[:, m].any():
                said[there[:, m], m] = opinions(model, X[there[:, m]][:, columns_of(self.columns, name)], self.classes_)
        said = _scaled(said, self._learned.heat)
        return {name: said[:, m] for m, name in enumerate(self.estimators_)}

    def _decided(self, X: ArrayLike) -> tuple[Floats, Floats]:
        X = self._checked(X)
        _, trust = self._seen(X)
        said = np.full((len(X), len(self.estimators_), len(self.classes_)), np.nan)
        for m, (name, model) in enumerate(self.estimators_.items()):
            asked = trust[:, m] > 0
            if asked.any():
                said[asked, m] = opinions(model, X[asked][:, columns_of(self.columns, name)], self.classes_)
        return self._learned.decide(said, trust)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Class probabilities of the rule, ``(n_samples, n_classes)``."""
        return self._decided(X)[0]

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Class of highest probability; the first in sorted order of equals."""
        return np.asarray(self.classes_[np.argmax(self.predict_proba(X), axis=1)])

    def decided_by(self, X: ArrayLike) -> NDArray[np.float64]:
        """
        Weight of each modality in each row's decision, ``(n_samples, n_modalities)``, in the order of ``estimators``.

        Rows sum to 1; 0 where a modality is missing, and throughout where all are. What a weight is, the rule says:
        the share in the mean; the share of the evidence (product, stacked); the step of the measure (fuzzy).
        """
        return self._decided(X)[1]

    def missing_note(self, X: ArrayLike) -> str:
        """Say in a sentence what is missing in rows and what is done with them; empty when nothing is."""
        there, _ = self._seen(self._checked(X))
        return modalities.note(there, list(self.estimators), "decided by the others")

    def without(self, modality: str) -> LateFusion:
        """
        Return the same fusion, unfitted, without one modality; its columns may stay in ``X``.

        Raises
        ------
        ConfigError
            If there is no such modality, or no other.
        """
        modalities.without_one(self._where, self.columns, modality)
        names = ("estimators", "columns", "weights", "quality")
        rest = {name: modalities.reduced(getattr(self, name), modality) for name in names}
        return LateFusion(**{**self.get_params(deep=False), **rest})

    def predict_over_folds(
        self, X: ArrayLike, y: ArrayLike, folds: Sequence[Rows], *, groups: ArrayLike | None = None
    ) -> list[FoldPrediction]:
        """
        Predict the test rows of every fold; inner folds of all folds go to each part's `predict_over_folds` at once.

        Parts that offer none are fitted fold by fold. Each fold comes out as from `fit` on its training rows.

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
        X, y = self._checked(X), np.asarray(y)
        who = None if groups is None else np.asarray(groups)
        there, trust = self._seen(X)
        jobs: list[Rows] = []
        classes: list[NDArray[Any]] = []
        spans = []
        for train, test in folds:
            modalities.learnable(self._where, y[train], there[train], list(self.estimators))
            inner = self._inner(np.asarray(train), who)
            spans.append((len(jobs), len(jobs) + len(inner)))
            jobs += [*inner, (np.asarray(train), np.asarray(test))]
            classes += [np.unique(y[train])] * (len(inner) + 1)
        said = self._opinions(X, y, who, jobs, classes, [stop for _, stop in spans])
        out = []
        for (start, stop), (train, test) in zip(spans, folds, strict=True):
            seen = np.full((len(X), len(self.estimators), len(classes[stop])), np.nan)
            for (_, rows), opinion in zip(jobs[start:stop], said[start:stop], strict=True):
                seen[rows] = opinion
            learned = self._learn(seen[train], y[train], trust[train])
            proba, weight = learned.decide(said[stop], trust[test])
            names = np.asarray([str(c) for c in learned.classes], dtype=np.str_)
            pred = names[proba.argmax(axis=1)]
            out.append(FoldPrediction(pred, "probability", proba, names, weight, self.parts))
        return out
