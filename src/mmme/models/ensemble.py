"""
Support vector machines on several families of values from flow images, chosen and averaged on training subjects.

A member is one family of values (`mmme.features.face.flow_descriptors`) under one kernel. All are averaged, or the best
few: each member then predicts the training subjects out of fold, members are ranked by the mean of UF1 and UAR there, and
how many are averaged is chosen on the same predictions. Nothing is chosen on subjects that are tested. Averaging all has
proved better than choosing: docs/flow-recognition.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GroupKFold
from sklearn.svm import SVC

from mmme.errors import ConfigError, DataError, ProtocolError, unknown_name
from mmme.features.face.flow_descriptors import FLOW_DESCRIPTORS
from mmme.metrics.recognition import confusion, uar, uf1
from mmme.types.folds import FoldPrediction, Rows

__all__ = ["FAMILIES", "MEMBERS", "Family", "FlowEnsemble", "Member"]

Floats = NDArray[np.float64]
#: A column that hardly varies is not blown up: its deviation counts as this share of the largest at least.
LEAST_DEVIATION = 1e-3


@dataclass(frozen=True, slots=True)
class Family:
    """
    Values from flow images.

    Parameters
    ----------
    descriptor
        Of `FLOW_DESCRIPTORS`.
    block
        Side of a block [px].
    options
        Further arguments of the descriptor, as pairs.
    """

    descriptor: str
    block: int
    options: tuple[tuple[str, Any], ...] = ()

    def values(self, images: ArrayLike) -> Floats:
        """Rows of values, one per image and each from that image alone."""
        if self.descriptor not in FLOW_DESCRIPTORS:
            raise unknown_name("descriptor of flow images", self.descriptor, FLOW_DESCRIPTORS)
        return np.asarray(FLOW_DESCRIPTORS[self.descriptor](images, block=self.block, **dict(self.options)))


@dataclass(frozen=True, slots=True)
class Member:
    """
    One machine of an ensemble.

    Parameters
    ----------
    family
        What it sees.
    kernel
        ``linear``, or ``rbf``: ``exp(-width * distance^2 / median squared distance of training rows)``.
    C
        Of the support vector machine; kernels are scaled so that it means the same for every family.
    width
        Of ``rbf``.
    """

    family: Family
    kernel: Literal["linear", "rbf"]
    C: float
    width: float = 1.0


#: What a choice is offered. Poor families stay in: leaving them out by the scores of tested subjects would be a choice too.
FAMILIES: tuple[Family, ...] = (
    Family("as-stored", 2),
    Family("signed", 2),
    Family("signed", 4),
    Family("signed", 4, (("power", 0.7),)),
    Family("rectified", 2),
    Family("rectified", 4),
    Family("rectified", 2, (("scale", "strain"),)),
    Family("rectified", 4, (("scale", "strain"),)),
    Family("gradients", 4),
    Family("rectified-gradients", 4),
    Family("oriented", 4),
)
MEMBERS: tuple[Member, ...] = tuple(
    member
    for family in FAMILIES
    for member in (
        *(Member(family, "linear", C) for C in (0.1, 0.3, 1.0)),
        *(Member(family, "rbf", 2.0, width) for width in (0.5, 1.0, 2.0)),
    )
)


@dataclass(frozen=True, slots=True, eq=False)
class _Space:
    """Training rows of one family, standardised, with the units of its kernels."""

    mean: Floats
    deviation: Floats
    rows: Floats
    products: Floats
    size: float
    spread: float

    @classmethod
    def of(cls, values: Floats) -> _Space:
        mean, deviation = values.mean(axis=0), values.std(axis=0)
        deviation = np.maximum(deviation, LEAST_DEVIATION * deviation.max())
        deviation[deviation == 0] = 1  # every column is constant: rows become 0
        rows = (values - mean) / deviation
        products = rows @ rows.T
        size = float(np.mean(np.diag(products))) or 1.0
        spread = float(np.median(_squared_distances(products, np.diag(products), np.diag(products)))) or 1.0
        return cls(mean, deviation, rows, products, size, spread)

    def kernel(self, member: Member, new: Floats | None = None) -> Floats:
        """Kernel of new rows, or of the training rows, with the training rows."""
        own = np.diag(self.products)
        if new is None:
            products, lengths = self.products, own
        else:
            new = (new - self.mean) / self.deviation
            products, lengths = new @ self.rows.T, (new**2).sum(axis=1)
        if member.kernel == "linear":
            return products / self.size
        distances = _squared_distances(products, lengths, own)
        return np.asarray(np.exp(-member.width / self.spread * distances))


def _squared_distances(products: Floats, of_rows: Floats, of_columns: Floats) -> Floats:
    return np.maximum(of_rows[:, None] + of_columns[None] - 2 * products, 0)


def _machine(kernel: Floats, y: NDArray[Any], C: float) -> Any:
    return SVC(kernel="precomputed", C=C, class_weight="balanced").fit(kernel, y)


def _decisions(machine: Any, kernel: Floats, classes: NDArray[Any]) -> Floats:
    """One column per class; a class that the machine never saw is one below the least likely."""
    values = np.asarray(machine.decision_function(kernel), dtype=np.float64)
    values = np.stack([-values, values], axis=1) if values.ndim == 1 else values
    out = np.repeat(values.min(axis=1, keepdims=True) - 1, len(classes), axis=1)
    out[:, np.searchsorted(classes, machine.classes_)] = values
    return out


def _score(values: Floats, y: NDArray[Any], classes: NDArray[Any]) -> float:
    counts = confusion(y, classes[values.argmax(axis=1)], classes.tolist()).astype(np.float64)
    return float(uf1(counts) + uar(counts)) / 2


@dataclass(frozen=True, slots=True, eq=False)
class _Chosen:
    """Machines of the chosen members, the unit of each one's decisions, and what the choice rested on."""

    classes: NDArray[Any]
    members: tuple[Member, ...]
    spaces: Mapping[Family, _Space]
    machines: tuple[Any, ...]
    units: tuple[float, ...]
    by_member: tuple[float, ...]
    by_size: Mapping[int, float]

    def decide(self, values: Mapping[Family, Floats]) -> Floats:
        parts = [
            _decisions(machine, self.spaces[m.family].kernel(m, values[m.family]), self.classes) / unit
            for m, machine, unit in zip(self.members, self.machines, self.units, strict=True)
        ]
        return np.asarray(np.mean(parts, axis=0))


class FlowEnsemble(ClassifierMixin, BaseEstimator):
    """
    Machines on flow images, chosen and averaged on training subjects.

    Parameters
    ----------
    members
        What is tried; None for `MEMBERS`, 66 of them. With a single one nothing is chosen.
    sizes
        Numbers of best members of which one is chosen; 0 stands for all, larger ones than there are members count as all.
        With a single size the number is fixed; by default all are averaged.
    n_folds
        Inner folds of training subjects; fewer where there are fewer subjects.
    shape
        Shape of one image, for rows that come flattened, as in a fusion.

    Attributes
    ----------
    classes_
        Class names.
    members_
        The chosen members, best first.
    size_
        How many.
    score_by_member_
        Mean of UF1 and UAR of each member out of fold on training subjects, as ``members``.
    score_by_size_
        The same of the average of so many best members.

    References
    ----------
    Cawley & Talbot (2010), On over-fitting in model selection, JMLR 11, 2079-2107.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(24, 8, 8, 3))
    >>> y, who = np.tile(["neg", "pos"], 12), np.repeat(["S1", "S2", "S3", "S4"], 6)
    >>> X[y == "pos", :4, :, 1] -= 4
    >>> few = (Member(Family("signed", 4), "linear", 1.0), Member(Family("rectified", 4), "rbf", 2.0))
    >>> model = FlowEnsemble(few, sizes=(1, 2)).fit(X, y, groups=who)
    >>> model.predict(X[:2]).tolist(), model.size_
    (['neg', 'pos'], 1)
    """

    def __init__(
        self,
        members: Sequence[Member] | None = None,
        sizes: Sequence[int] = (0,),
        n_folds: int = 5,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        self.members = members
        self.sizes = sizes
        self.n_folds = n_folds
        self.shape = shape

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> FlowEnsemble:
        """
        Choose and fit.

        Parameters
        ----------
        X : (n_samples, height, width, 3)
            u, v and strain of training rows.
        y : (n_samples,)
            Their classes.
        groups : (n_samples,)
            Their subjects.

        Raises
        ------
        ConfigError
            Without members or sizes, or with a negative size.
        DataError
            If X are not flow images.
        ProtocolError
            With fewer than 2 subjects to choose on, or where an inner fold would train on a single class.
        """
        self.model_ = self._chosen(self._values(X), np.asarray(y), None if groups is None else np.asarray(groups))
        self.classes_ = self.model_.classes
        self.members_, self.size_ = self.model_.members, len(self.model_.members)
        self.score_by_member_, self.score_by_size_ = self.model_.by_member, dict(self.model_.by_size)
        return self

    def decision_function(self, X: ArrayLike) -> Floats:
        """Mean of the members' decision values, each in its own unit; columns as ``classes_``."""
        images = self._images(X)
        return self.model_.decide({m.family: m.family.values(images) for m in self.members_})

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Classes of images ``(n_samples, height, width, 3)``."""
        return np.asarray(self.classes_[self.decision_function(X).argmax(axis=1)])

    def predict_over_folds(
        self, X: NDArray[Any], y: NDArray[Any], folds: Sequence[Rows], *, groups: NDArray[Any] | None = None
    ) -> list[FoldPrediction]:
        """
        Predict the test rows of every fold; values of images, which depend on no other image, are computed once.

        Parameters
        ----------
        X, y, groups
            As `fit`, all rows.
        folds
            Positions of training and test rows.

        Returns
        -------
        list of FoldPrediction
            Each as from a clone fitted on the training rows alone.

        Raises
        ------
        ConfigError, DataError, ProtocolError
            As `fit`.
        """
        values, y = self._values(X), np.asarray(y)
        made = []
        for train, test in folds:
            who = None if groups is None else np.asarray(groups)[train]
            model = self._chosen({f: v[train] for f, v in values.items()}, y[train], who)
            scores = model.decide({m.family: values[m.family][test] for m in model.members})
            made.append(FoldPrediction(model.classes[scores.argmax(axis=1)], "score", scores, model.classes))
        return made

    def _values(self, X: ArrayLike) -> dict[Family, Floats]:
        if not self._members or not len(self.sizes) or min(self.sizes) < 0:
            raise ConfigError(
                f"flow ensemble: expected members and sizes of 0 (all) or more, got {len(self._members)} members and sizes "
                f"{list(self.sizes)}"
            )
        images = self._images(X)
        return {family: family.values(images) for family in dict.fromkeys(m.family for m in self._members)}

    def _images(self, X: ArrayLike) -> NDArray[Any]:
        X = np.asarray(X)
        if self.shape is None or X.ndim != 2:
            return X
        if X.shape[1] != int(np.prod(self.shape)):
            raise DataError(
                f"flow ensemble: expected {int(np.prod(self.shape))} values per row for shape {self.shape}, got "
                f"{X.shape[1]}"
            )
        return X.reshape(len(X), *self.shape)

    @property
    def _members(self) -> tuple[Member, ...]:
        return MEMBERS if self.members is None else tuple(self.members)

    def _chosen(self, values: Mapping[Family, Floats], y: NDArray[Any], who: NDArray[Any] | None) -> _Chosen:
        members, classes = self._members, np.unique(y)
        spaces = {family: _Space.of(v) for family, v in values.items()}
        if len(members) == 1:
            machine = _machine(spaces[members[0].family].kernel(members[0]), y, members[0].C)
            return _Chosen(classes, members, spaces, (machine,), (1.0,), (), {})
        out_of_fold = self._out_of_fold(spaces, y, who)
        units = out_of_fold.std(axis=2).mean(axis=1)
        units[units == 0] = 1
        out_of_fold /= units[:, None, None]
        by_member = [_score(values, y, classes) for values in out_of_fold]
        order = np.argsort(-np.asarray(by_member), kind="stable")
        counts = dict.fromkeys(len(members) if k == 0 else min(k, len(members)) for k in self.sizes)
        by_size = {k: _score(out_of_fold[order[:k]].mean(axis=0), y, classes) for k in counts}
        best = order[: max(by_size, key=by_size.__getitem__)]
        return _Chosen(
            classes=classes,
            members=tuple(members[i] for i in best),
            spaces={members[i].family: spaces[members[i].family] for i in best},
            machines=tuple(_machine(spaces[members[i].family].kernel(members[i]), y, members[i].C) for i in best),
            units=tuple(float(units[i]) for i in best),
            by_member=tuple(by_member),
            by_size=by_size,
        )

    def _out_of_fold(self, spaces: Mapping[Family, _Space], y: NDArray[Any], who: NDArray[Any] | None) -> Floats:
        """Decision values of every member for training rows, by machines that never saw the row's subject."""
        n = 0 if who is None else len(np.unique(who))
        if who is None or n < 2:
            raise ProtocolError(
                f"flow ensemble: expected groups of at least 2 subjects to choose members on, got {n}; mmme.evaluate gives "
                "the training subjects to fit"
            )
        classes = np.unique(y)
        out = np.empty((len(self._members), len(y), len(classes)))
        folds = list(GroupKFold(min(self.n_folds, n)).split(y, y, who))
        for train, _ in folds:
            if len(np.unique(y[train])) < 2:
                raise ProtocolError(
                    f"flow ensemble: expected 2 classes or more among the subjects of an inner fold, got only "
                    f"{y[train][0]}; too few subjects show another class to choose members on"
                )
        for i, member in enumerate(self._members):
            kernel = spaces[member.family].kernel(member)
            for train, test in folds:
                machine = _machine(kernel[np.ix_(train, train)], y[train], member.C)
                out[i, test] = _decisions(machine, kernel[np.ix_(test, train)], classes)
        return out
