"""
How sure a score is: intervals from resampling subjects, chance level from permuted labels, paired comparison.

Conventions
-----------
- Subjects, not samples, are drawn: samples of one face are not independent.
- Everything works on one count array per subject. A bootstrap is one matrix product with multinomial weights, so that
  10,000 draws cost milliseconds; the numbers are those of a loop that builds every resampled list and scores it.
- Percentile intervals, 95 % by default. p values are ``(1 + draws at least as extreme) / (1 + draws)``, never 0.

References
----------
Efron & Tibshirani (1993), An introduction to the bootstrap, doi:10.1201/9780429246593.
Phipson & Smyth (2010), Permutation p-values should never be zero, doi:10.2202/1544-6115.1585.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Difference",
    "Level",
    "bootstrap_interval",
    "bootstrap_totals",
    "bootstrap_weights",
    "paired_difference",
    "percentile_interval",
    "permutation_level",
    "permuted_counts",
]

ScoreOfCounts = Callable[[NDArray[np.float64]], NDArray[np.float64]]
TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True)
class Level:
    """
    What a score is worth when the predictions know nothing.

    Parameters
    ----------
    mean
        Mean score over the draws.
    p95
        Their 95th percentile.
    p
        ``(1 + draws that reach the observed score) / (1 + draws)``.
    """

    mean: float
    p95: float
    p: float


@dataclass(frozen=True, slots=True)
class Difference:
    """
    Score of the first model minus score of the second, on the same subjects.

    Parameters
    ----------
    value
        Observed difference.
    low, high
        95 % interval from resampling subjects.
    p
        Two-sided, from exchanging the two models' predictions subject by subject.
    """

    value: float
    low: float
    high: float
    p: float


def _per_subject(counts: ArrayLike, name: str = "counts") -> NDArray[np.float64]:
    counts = np.asarray(counts, dtype=np.float64)
    if counts.ndim < 2 or counts.shape[0] < 1:
        raise ValueError(f"{name}: expected one array of counts per subject, (n_subjects, ...), got {counts.shape}")
    return counts


def bootstrap_weights(n_subjects: int, n_draws: int, *, seed: int = 0) -> NDArray[np.float64]:
    """
    How often each subject occurs in each bootstrap sample of as many subjects, drawn with replacement.

    Returns
    -------
    (n_draws, n_subjects)
        Whole numbers; each row sums to ``n_subjects``.

    Examples
    --------
    >>> bootstrap_weights(4, 3).sum(axis=1).tolist()
    [4.0, 4.0, 4.0]
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), size=n_draws).astype(np.float64)


def bootstrap_totals(counts: ArrayLike, n_draws: int, *, seed: int = 0) -> NDArray[np.float64]:
    """
    Pooled counts of resampled subjects.

    Parameters
    ----------
    counts : (n_subjects, ...)
        Counts of each subject.
    n_draws
        Bootstrap samples.
    seed
        Of the draws; the same seed draws the same subjects for any counts of as many subjects.

    Returns
    -------
    (n_draws, ...)

    Examples
    --------
    >>> bootstrap_totals([[1, 0], [1, 0], [1, 0]], 2).tolist()
    [[3.0, 0.0], [3.0, 0.0]]
    """
    counts = _per_subject(counts)
    flat = counts.reshape(len(counts), -1)
    return (bootstrap_weights(len(counts), n_draws, seed=seed) @ flat).reshape(n_draws, *counts.shape[1:])


def percentile_interval(draws: ArrayLike, *, level: float = 0.95) -> tuple[float, float]:
    """
    Find the ends of the central interval that holds the share ``level`` of the draws.

    Examples
    --------
    >>> percentile_interval([0.0, 1.0, 2.0], level=0.5)
    (0.5, 1.5)
    """
    if not 0 < level < 1:
        raise ValueError(f"level: expected a share between 0 and 1, got {level}")
    low, high = np.quantile(np.asarray(draws, dtype=np.float64), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap_interval(
    counts: ArrayLike, score: ScoreOfCounts, *, n_draws: int = 10_000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """
    Interval of a score from resampling subjects.

    Parameters
    ----------
    counts : (n_subjects, ...)
        Counts of each subject, for example one confusion matrix each.
    score
        From pooled counts ``(n_draws, ...)`` to ``(n_draws,)``, for example `mmme.metrics.recognition.uf1`.
    n_draws
        Bootstrap samples.
    level
        Share of draws inside.
    seed
        Of the draws.

    Returns
    -------
    low, high
        NaN both with a single subject, from whom nothing can be resampled.

    Raises
    ------
    ValueError
        If there is no subject or the level is not a share.

    Examples
    --------
    >>> from mmme.metrics.recognition import accuracy
    >>> bootstrap_interval([[[2, 0], [0, 1]], [[1, 0], [0, 2]]], accuracy)
    (1.0, 1.0)
    """
    counts = _per_subject(counts)
    if len(counts) < 2:
        return float("nan"), float("nan")
    return percentile_interval(score(bootstrap_totals(counts, n_draws, seed=seed)), level=level)


def permuted_counts(counts: ArrayLike, n_draws: int, *, seed: int = 0) -> NDArray[np.float64]:
    """
    Confusion counts after permuting the truth against fixed predictions.

    A permutation only matters through its confusion matrix, whose margins are fixed; the matrices are therefore drawn
    directly, cell by cell, from the hypergeometric distribution that permuted labels follow.

    Parameters
    ----------
    counts : (n_blocks, n_classes, n_classes)
        Labels are permuted inside each block (one block: among all samples), then blocks are added up.
    n_draws
        Permutations.
    seed
        Of the draws.

    Returns
    -------
    (n_draws, n_classes, n_classes)

    Examples
    --------
    >>> permuted_counts([[[2, 0], [0, 3]]], 4).sum(axis=(1, 2)).tolist()
    [5.0, 5.0, 5.0, 5.0]
    """
    counts = _per_subject(counts).astype(np.int64)
    rng = np.random.default_rng(seed)
    n_blocks, n_classes, _ = counts.shape
    columns = np.broadcast_to(counts.sum(axis=1), (n_draws, n_blocks, n_classes)).copy()
    total = np.zeros((n_draws, n_classes, n_classes))
    for i in range(n_classes - 1):
        left = np.broadcast_to(counts[:, i].sum(axis=1), (n_draws, n_blocks)).copy()
        others = columns.sum(axis=2)
        for j in range(n_classes - 1):
            others -= columns[:, :, j]
            drawn = rng.hypergeometric(columns[:, :, j], others, left)
            total[:, i, j] = drawn.sum(axis=1)
            columns[:, :, j] -= drawn
            left -= drawn
        total[:, i, -1] = left.sum(axis=1)
        columns[:, :, -1] -= left
    total[:, -1] = columns.sum(axis=1)
    return total


def permutation_level(
    counts: ArrayLike, score: ScoreOfCounts, *, within_subject: bool = False, n_draws: int = 10_000, seed: int = 0
) -> Level:
    """
    Chance level of a recognition score: labels permuted against the predictions as they are.

    Parameters
    ----------
    counts : (n_subjects, n_classes, n_classes)
        Confusion counts of each subject.
    score
        From ``(n_draws, n_classes, n_classes)`` to ``(n_draws,)``.
    within_subject
        Permute inside subjects only. This keeps what the predictions know about subjects as a whole (who is often
        surprised), and asks whether they know more than that; the level is higher.
    n_draws
        Permutations.
    seed
        Of the draws.

    Returns
    -------
    Level

    Examples
    --------
    >>> from mmme.metrics.recognition import accuracy
    >>> permutation_level([[[50, 0], [0, 50]]], accuracy).p < 0.001
    True
    """
    counts = _per_subject(counts)
    pooled = counts.sum(axis=0)
    observed = float(score(pooled))
    draws = np.asarray(score(permuted_counts(counts if within_subject else pooled[None], n_draws, seed=seed)))
    reached = int(np.sum(draws >= observed - TOLERANCE))
    return Level(float(draws.mean()), float(np.quantile(draws, 0.95)), (1 + reached) / (1 + n_draws))


def paired_difference(
    first: ArrayLike, second: ArrayLike, score: ScoreOfCounts, *, n_draws: int = 10_000, seed: int = 0
) -> Difference:
    """
    Compare two models on the same subjects.

    Parameters
    ----------
    first, second : (n_subjects, ...)
        Counts of each subject by the two models, subjects in the same order.
    score
        From pooled counts ``(n_draws, ...)`` to ``(n_draws,)``.
    n_draws
        Draws, of subjects for the interval and of exchanges for p.
    seed
        Of the draws.

    Returns
    -------
    Difference
        Interval NaN with a single subject.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> from mmme.metrics.recognition import accuracy
    >>> same = [[[2, 1], [0, 1]], [[1, 0], [1, 2]]]
    >>> paired_difference(same, same, accuracy)
    Difference(value=0.0, low=0.0, high=0.0, p=1.0)
    """
    one, two = _per_subject(first, "first"), _per_subject(second, "second")
    if one.shape != two.shape:
        raise ValueError(f"expected counts of the same subjects from both models, got {one.shape} and {two.shape}")
    shape = (n_draws, *one.shape[1:])
    observed = float(score(one.sum(axis=0)) - score(two.sum(axis=0)))
    if len(one) < 2:
        low = high = float("nan")
    else:
        drawn = [score(bootstrap_totals(c, n_draws, seed=seed)) for c in (one, two)]
        low, high = percentile_interval(drawn[0] - drawn[1])
    exchanged = np.random.default_rng(seed).integers(0, 2, size=(n_draws, len(one))).astype(np.float64)
    moved = (exchanged @ (two - one).reshape(len(one), -1)).reshape(shape)
    draws = score(one.sum(axis=0) + moved) - score(two.sum(axis=0) - moved)
    reached = int(np.sum(np.abs(draws) >= abs(observed) - TOLERANCE))
    return Difference(observed, low, high, (1 + reached) / (1 + n_draws))


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """
    Adjust p values of several tests by Holm's step-down rule (Holm 1979, Scandinavian Journal of Statistics 6, 65-70).

    Parameters
    ----------
    p_values : (n,)
        One per test.

    Returns
    -------
    (n,)
        In the same order; the chance of any false claim among those below a level is at most that level.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
