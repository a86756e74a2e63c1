"""Signals first, then systems, then body and face: late fusions within a late fusion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from mmme.errors import ConfigError, raise_faults
from mmme.models.fusion import modalities
from mmme.models.fusion.late import LateFusion
from mmme.models.fusion.modalities import Columns, columns_of
from mmme.types.folds import FoldPrediction, Rows

__all__ = ["HierarchicalFusion", "Tree", "usual_tree"]

#: Branches by name; a leaf is the name of a modality.
Tree = Mapping[str, Any]

WHERE = "hierarchical fusion"
FACE = ("face", "video")
AUTONOMIC = ("ecg", "eda", "ppg", "rsp", "skt", "hr", "hrv")


def usual_tree(names: Sequence[str]) -> dict[str, Any]:
    """
    Group modalities: autonomic signals; these, EEG and others make the body; body and face make the decision.

    Parameters
    ----------
    names
        Of modalities; ``face`` and ``video`` are the face, ``ecg, eda, ppg, rsp, skt, hr, hrv`` autonomic.

    Examples
    --------
    >>> usual_tree(["face", "eeg", "ecg", "eda"])
    {'face': 'face', 'body': {'eeg': 'eeg', 'autonomic': {'ecg': 'ecg', 'eda': 'eda'}}}
    """
    autonomic = {name: name for name in names if name in AUTONOMIC}
    body: dict[str, Any] = {name: name for name in names if name not in FACE and name not in AUTONOMIC}
    if len(autonomic) > 1:
        body["autonomic"] = autonomic
    else:
        body |= autonomic
    face = {name: name for name in names if name in FACE}
    return {**face, "body": body} if face and len(body) > 1 else {**face, **body}


def leaves(tree: Any) -> list[str]:
    """Modalities of a branch, in order."""
    return [tree] if isinstance(tree, str) else [leaf for branch in tree.values() for leaf in leaves(branch)]


def _pruned(tree: Any, modality: str) -> Any:
    """Take a leaf away, and branches that it leaves empty; a branch of one becomes that one."""
    if isinstance(tree, str):
        return None if tree == modality else tree
    left = {name: branch for name, branch in ((n, _pruned(b, modality)) for n, b in tree.items()) if branch is not None}
    if not left:
        return None
    return next(iter(left.values())) if len(left) == 1 else left


class HierarchicalFusion(ClassifierMixin, BaseEstimator):
    """
    Late fusion of late fusions, along a tree of modalities.

    Every branch is calibrated on training subjects that none of its classifiers had seen, so inner folds are divided anew
    at every level: with 3 of them a tree of three levels needs at least 5 training subjects, and fits each classifier of
    its lowest level 64 times.

    Parameters
    ----------
    estimators
        By modality, unfitted.
    columns
        By modality: positions of its columns in ``X``.
    tree
        Branches by name, leaves are modalities; `usual_tree` by default.
    quality
        By modality: positions of columns in ``X``; a modality whose quality is 0 in a row counts as missing there.
    random_state
        Given to every ``random_state`` in the estimators when not None.
    rule, n_inner
        Of every branch; see `LateFusion`.

    Attributes
    ----------
    fusion_
        The fitted `LateFusion` of the top branches.
    classes_
        Classes in sorted order.
    missing_note_
        What was missing in the rows fitted, and what was done; empty when nothing was.

    Examples
    --------
    >>> from mmme.models.classical import make_model
    >>> rng = np.random.default_rng(0)
    >>> y, who = np.array(["neg", "pos"] * 20), np.repeat(["S1", "S2", "S3", "S4"], 10)
    >>> X = rng.normal(size=(40, 3)) + 2 * (y == "pos")[:, None]
    >>> columns = {"face": [0], "ecg": [1], "eda": [2]}
    >>> model = HierarchicalFusion({name: make_model("logistic") for name in columns}, columns)
    >>> model.fit(X, y, groups=who).predict([[2.0, 2.0, np.nan], [0.0, np.nan, np.nan]]).tolist()
    ['pos', 'neg']
    """

    def __init__(
        self,
        estimators: Mapping[str, Any],
        columns: Columns,
        tree: Tree | None = None,
        quality: Mapping[str, Sequence[int]] | None = None,
        random_state: int | None = None,
        rule: str = "product",
        n_inner: int = 3,
    ) -> None:
        self.estimators = estimators
        self.columns = columns
        self.tree = tree
        self.quality = quality
        self.random_state = random_state
        self.rule = rule
        self.n_inner = n_inner

    def _tree(self) -> Tree:
        return usual_tree(list(self.estimators)) if self.tree is None else self.tree

    def _seen(self, X: ArrayLike) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Rows with what is not trusted made NaN, and which modalities each row has."""
        X = modalities.checked(WHERE, X, self.columns, names=list(self.estimators), quality=self.quality)
        found = leaves(self._tree())
        faults = [f"expected {name} once in the tree, got it {found.count(name)} times"
                  for name in self.estimators if found.count(name) != 1]  # fmt: skip
        faults += [f"expected modalities as leaves, got '{name}'" for name in found if name not in self.estimators]
        raise_faults(WHERE, faults, error=ConfigError)
        X, there = modalities.trusted_only(X, {name: self.columns[name] for name in self.estimators}, self.quality)
        if self.quality:
            X = np.array(X, dtype=np.result_type(X.dtype, np.float32))
            for m, name in enumerate(self.estimators):
                X[np.ix_(~there[:, m], columns_of(self.columns, name))] = np.nan
        return X, there

    def _built(self) -> LateFusion:
        return self._branch(self._tree(), {name: columns_of(self.columns, name) for name in self.estimators})

    def _branch(self, tree: Tree, columns: Mapping[str, NDArray[np.intp]]) -> LateFusion:
        """Late fusion of a branch; a branch within gets its own columns side by side."""
        parts: dict[str, Any] = {}
        places: dict[str, NDArray[np.intp]] = {}
        for name, branch in tree.items():
            own = leaves(branch)
            places[name] = np.concatenate([columns[leaf] for leaf in own])
            if isinstance(branch, str):
                parts[name] = self.estimators[branch]
                continue
            ends = np.cumsum([len(columns[leaf]) for leaf in own])
            inside = {leaf: np.arange(end - len(columns[leaf]), end) for leaf, end in zip(own, ends, strict=True)}
            parts[name] = self._branch(branch, inside)
        return LateFusion(
            parts, places, random_state=self.random_state, calibrate=True, rule=self.rule, n_inner=self.n_inner
        )

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> HierarchicalFusion:
        """
        Fit every classifier on the rows that have its modality, and every branch on inner folds of subjects.

        Parameters
        ----------
        X : (n_samples, n_features)
            All modalities side by side.
        y : (n_samples,)
            Classes.
        groups : (n_samples,)
            Subjects.

        Raises
        ------
        ConfigError
            If columns or tree do not fit the estimators.
        ProtocolError
            As `LateFusion.fit`; also where subjects do not suffice for inner folds at every level.
        """
        (X, there), y = self._seen(X), np.asarray(y)
        modalities.learnable(WHERE, y, there, list(self.estimators))
        self.fusion_ = self._built().fit(X, y, groups=groups)
        self.classes_ = self.fusion_.classes_
        self.missing_note_ = self._note(there)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Class probabilities, ``(n_samples, n_classes)``."""
        return self.fusion_.predict_proba(self._seen(X)[0])

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Class of highest probability; the first in sorted order of equals."""
        return np.asarray(self.classes_[np.argmax(self.predict_proba(X), axis=1)])

    def decided_by(self, X: ArrayLike) -> NDArray[np.float64]:
        """
        Weight of each modality in each row's decision, ``(n_samples, n_modalities)``, in the order of ``estimators``.

        A modality's weight in its branch times the weight of the branch; rows sum to 1, or to 0 without any.
        """
        X, _ = self._seen(X)
        weight = dict(_weights(self.fusion_, self._tree(), X, np.ones(len(X))))
        return np.stack([weight[name] for name in self.estimators], axis=1)

    def _note(self, there: NDArray[np.bool_]) -> str:
        return modalities.note(there, list(self.estimators), "decided by the others, those of the same branch first")

    def missing_note(self, X: ArrayLike) -> str:
        """Say in a sentence what is missing in rows and what is done with them; empty when nothing is."""
        return self._note(self._seen(X)[1])

    def without(self, modality: str) -> HierarchicalFusion:
        """
        Return the same fusion, unfitted, without one modality; its columns may stay in ``X``.

        Raises
        ------
        ConfigError
            If there is no such modality, or no other.
        """
        modalities.without_one(WHERE, self.columns, modality)
        rest = {k: modalities.reduced(getattr(self, k), modality) for k in ("estimators", "columns", "quality")}
        tree = None if self.tree is None else _pruned(self.tree, modality)
        tree = {tree: tree} if isinstance(tree, str) else tree
        return HierarchicalFusion(**{**self.get_params(deep=False), **rest, "tree": tree})

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
        for train, _ in folds:
            modalities.learnable(WHERE, y[train], there[train], list(self.estimators))
        return self._built().predict_over_folds(X, y, folds, groups=groups)


def _weights(
    fusion: LateFusion, tree: Tree, X: NDArray[Any], outer: NDArray[np.float64]
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Go down the branches with the weights that lead there."""
    shares = fusion.decided_by(X) * outer[:, None]
    for m, (name, branch) in enumerate(tree.items()):
        if isinstance(branch, str):
            yield branch, shares[:, m]
        else:
            yield from _weights(fusion.estimators_[name], branch, X[:, columns_of(fusion.columns, name)], shares[:, m])
