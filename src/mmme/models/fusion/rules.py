"""
Rules that make one decision of several modalities' opinions, each learned on opinions about training subjects.

A rule gets opinions ``(n_samples, n_modalities, n_classes)``, NaN where a modality is missing, and how far each is trusted
``(n_samples, n_modalities)``, 0 where it is missing. It returns probabilities and the weight of each modality in each row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from mmme.models.fusion.opinions import balanced, evidence

__all__ = ["RULES", "Average", "Choquet", "Product", "Rule", "Stack", "lambda_of"]

Floats = NDArray[np.float64]


class Rule(Protocol):
    """What makes one decision of several opinions."""

    def combine(self, opinion: Floats, trust: Floats) -> tuple[Floats, Floats]:
        """Return probabilities ``(n, n_classes)`` and weights ``(n, n_modalities)``, all 0 without any opinion."""
        ...


def shares(amount: Floats, trust: Floats) -> Floats:
    """Divide rows by their sums; where all amounts are 0, trusted modalities share equally."""
    amount = np.where(amount.sum(axis=1, keepdims=True) > 0, amount, trust > 0)
    return np.asarray(amount / np.maximum(amount.sum(axis=1, keepdims=True), np.finfo(float).tiny))


@dataclass(frozen=True, slots=True, eq=False)
class Average:
    """
    Weighted mean of probabilities.

    Parameters
    ----------
    weights : (n_modalities,)
        Only ratios matter.
    """

    weights: Floats

    def combine(self, opinion: Floats, trust: Floats) -> tuple[Floats, Floats]:
        """Average; an opinion's weight is also its share in the decision."""
        share = trust * self.weights
        total = share.sum(axis=1, keepdims=True)
        weight = share / np.where(total > 0, total, 1.0)
        return np.einsum("nm,nmc->nc", weight, np.nan_to_num(opinion, nan=0.0)), weight


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """
    Product of probabilities: right where modalities err independently, given the class.

    A modality's weight is the length of its evidence, as a share of all.
    """

    def combine(self, opinion: Floats, trust: Floats) -> tuple[Floats, Floats]:
        """Multiply; trust is an exponent."""
        said = trust[:, :, None] * np.nan_to_num(evidence(opinion), nan=0.0)
        return softmax(said.sum(axis=1), axis=1), shares(np.linalg.norm(said, axis=2), trust)


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """
    Logistic regression on probabilities, with an input of its own for each modality that is missing.

    A modality's weight is the length of what its inputs add to the classes' logits, as a share of all.

    Parameters
    ----------
    coef : (n_modalities, n_classes, n_classes)
        From each probability, less the share of chance, to each logit.
    absent : (n_modalities, n_classes)
        Added where the modality is missing; 0 where it never was in training.
    intercept : (n_classes,)
        Minus infinity for a class without any row to learn from.
    """

    coef: Floats
    absent: Floats
    intercept: Floats

    def combine(self, opinion: Floats, trust: Floats) -> tuple[Floats, Floats]:
        """Add up logits; trust shrinks an opinion towards that of chance."""
        said = np.einsum("nmc,mcd->nmd", _inputs(opinion, trust), self.coef)
        logits = said.sum(axis=1) + (trust == 0).astype(float) @ self.absent + self.intercept
        around = said - said.mean(axis=2, keepdims=True)
        return softmax(logits, axis=1), shares(np.linalg.norm(around, axis=2), trust)


def _inputs(opinion: Floats, trust: Floats) -> Floats:
    return np.asarray(trust[:, :, None] * np.nan_to_num(opinion - 1 / opinion.shape[2], nan=0.0))


@dataclass(frozen=True, slots=True, eq=False)
class Choquet:
    """
    Choquet integral of probabilities over a Sugeno lambda-measure, for each class.

    The measure says what a set of modalities is worth together, more or less than the sum of its members; with some
    missing it is the measure of those that are there. A modality's weight is its step of the measure in the integral of
    the class that was decided.

    Parameters
    ----------
    densities : (n_modalities, n_classes)
        What each is worth alone, above 0 and below 1.

    References
    ----------
    Cho & Kim (1995), Combining multiple neural networks by fuzzy integral, doi:10.1109/21.364825.
    """

    densities: Floats

    def combine(self, opinion: Floats, trust: Floats) -> tuple[Floats, Floats]:
        """Integrate class by class; trust scales the densities."""
        n, n_modalities, n_classes = opinion.shape
        value = np.empty((n, n_classes))
        steps = np.zeros((n, n_modalities, n_classes))
        patterns, of_row = np.unique(trust, axis=0, return_inverse=True)
        for k, pattern in enumerate(patterns):
            rows, there = np.flatnonzero(of_row.ravel() == k), np.flatnonzero(pattern > 0)
            for c in range(n_classes if there.size else 0):
                step = _steps(opinion[np.ix_(rows, there)][:, :, c], pattern[there] * self.densities[there, c])
                value[rows, c] = np.sum(step * opinion[np.ix_(rows, there)][:, :, c], axis=1)
                steps[rows[:, None], there, c] = step
            if not there.size:
                value[rows] = 1.0
        value /= value.sum(axis=1, keepdims=True)
        decided = value.argmax(axis=1)
        return value, steps[np.arange(n), :, decided]


def lambda_of(densities: Floats) -> float:
    """
    Solve ``1 + l = prod(1 + l g)`` for the l of a Sugeno measure in which everything together is worth 1.

    Parameters
    ----------
    densities : (n,)
        At least 2, above 0 and below 1.

    Returns
    -------
    float
        Above -1; 0 where the densities sum to 1, negative where they sum to more.

    Examples
    --------
    >>> round(lambda_of(np.array([0.5, 0.25])), 9)  # two: (1 - sum) / product
    2.0
    """
    total = densities.sum()
    if abs(total - 1) < 1e-9:
        return 0.0

    def excess(value: float) -> float:
        return float(np.expm1(np.log1p(value * densities).sum()) - value) / value

    if total > 1:
        low = -1 + 1e-12
        return float(brentq(excess, low, -1e-12)) if excess(low) < 0 else low
    high = 1.0
    while excess(high) < 0:
        high *= 2
    return float(brentq(excess, 1e-12, high))


def _steps(value: Floats, densities: Floats) -> Floats:
    """Return steps of the measure from the most to the least certain modality, ``(n, n_modalities)``; rows sum to 1."""
    if value.shape[1] == 1:
        return np.ones_like(value)
    factor = lambda_of(densities)
    order = np.argsort(-value, axis=1, kind="stable")
    worth, measured = np.zeros(len(value)), np.zeros_like(value)
    for rank in range(value.shape[1]):
        density = densities[order[:, rank]]
        more = density + factor * worth * density if rank < value.shape[1] - 1 else 1 - worth
        measured[np.arange(len(value)), order[:, rank]] = more
        worth = worth + more
    return measured


def learn_average(opinion: Floats, trust: Floats, y: NDArray[np.intp]) -> Average:
    """
    Learn weights under which the true classes are most probable, by expectation and maximisation.

    References
    ----------
    Dempster et al. (1977), doi:10.1111/j.2517-6161.1977.tb01600.x (mixture of known components).
    """
    n_modalities = opinion.shape[1]
    true = np.nan_to_num(opinion[np.arange(len(y)), :, y], nan=0.0) * (trust > 0)
    row = balanced(y, opinion.shape[2])[:, None] * (true.sum(axis=1, keepdims=True) > 0)
    weights = np.full(n_modalities, 1 / n_modalities)
    for _ in range(200):
        blame = true * weights
        blame = row * blame / np.maximum(blame.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        # a modality is asked only where it is there, so that being often missing does not count against it
        offered = row * (trust > 0) * weights
        offered = row * offered / np.maximum(offered.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        weights = weights * blame.sum(axis=0) / np.maximum(offered.sum(axis=0), np.finfo(float).tiny)
        weights = np.maximum(weights / weights.sum(), 1e-6)
    return Average(weights)


def learn_product(opinion: Floats, trust: Floats, y: NDArray[np.intp]) -> Product:
    """Nothing is left to learn: temperatures already say how far each opinion goes."""
    del opinion, trust, y
    return Product()


def learn_stack(opinion: Floats, trust: Floats, y: NDArray[np.intp], *, strength: float = 1.0) -> Stack:
    """
    Fit the logistic regression; classes weigh equally.

    References
    ----------
    Wolpert (1992), Stacked generalization, doi:10.1016/S0893-6080(05)80023-1.
    """
    n, n_modalities, n_classes = opinion.shape
    inputs = np.concatenate([_inputs(opinion, trust).reshape(n, -1), (trust == 0).astype(float)], axis=1)
    asked = (trust > 0).any(axis=1)
    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=2000).fit(inputs[asked], y[asked])
    coef, intercept = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn keeps the second class alone
        coef, intercept = np.stack([-coef[0], coef[0]]) / 2, np.array([-intercept[0], intercept[0]]) / 2
    whole, start = np.zeros((inputs.shape[1], n_classes)), np.full(n_classes, -np.inf)
    whole[:, model.classes_], start[model.classes_] = coef.T, intercept
    split = n_modalities * n_classes
    return Stack(whole[:split].reshape(n_modalities, n_classes, n_classes), whole[split:], start)


def learn_choquet(opinion: Floats, trust: Floats, y: NDArray[np.intp]) -> Choquet:
    """Densities from how well each modality tells each class from the others: twice the area under its curve, less 1."""
    n_modalities, n_classes = opinion.shape[1:]
    densities = np.full((n_modalities, n_classes), 0.01)
    for m in range(n_modalities):
        there = trust[:, m] > 0
        for c in range(n_classes):
            if 0 < np.sum(y[there] == c) < there.sum():
                area = roc_auc_score(y[there] == c, opinion[there, m, c])
                densities[m, c] = np.clip(2 * area - 1, 0.01, 0.99)
    return Choquet(densities)


#: How each rule is learned from opinions on training subjects, their trust, and the positions of the true classes.
RULES: Mapping[str, Callable[[Floats, Floats, NDArray[np.intp]], Rule]] = MappingProxyType(
    {"weighted": learn_average, "product": learn_product, "stacked": learn_stack, "fuzzy": learn_choquet}
)
