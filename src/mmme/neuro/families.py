"""Questions that are asked together: family-wise and false-discovery corrections, stated beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import false_discovery_control

from mmme.errors import DataError

__all__ = ["TIE", "Question", "answered", "flipped_t", "sign_flips", "within_family"]

#: Statistics that differ by less, relatively, are equal: permutations of the same numbers round differently.
TIE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """
    One question of a family, with what permutations say when nothing is there.

    Parameters
    ----------
    family
        The family it was put into beforehand.
    name
        What is asked, for example ``theta, micro``.
    observed
        Statistic that grows with the effect, whatever its sign.
    null : (n_draws,)
        The same under permutation.
    """

    family: str
    name: str
    observed: float
    null: NDArray[np.float64]

    @property
    def p(self) -> float:
        """Share of draws that reach the observed value, which counts as a draw."""
        reached = self.null >= self.observed - TIE * abs(self.observed)
        return float((1 + np.count_nonzero(reached)) / (1 + self.null.size))


def sign_flips(n_subjects: int, n_draws: int, *, seed: int = 0) -> NDArray[np.float64]:
    """
    Draw signs for the differences of subjects, which are as likely as their opposites where nothing is there.

    Where there are no more patterns than draws, all are given once, without the observed one and without opposites, which
    say the same both ways.

    Returns
    -------
    (at most n_draws, n_subjects) float64
        1 or -1.

    Examples
    --------
    >>> np.unique(sign_flips(12, 100)).tolist(), sign_flips(5, 100).shape
    ([-1.0, 1.0], (15, 5))
    """
    if n_subjects <= 20 and 2 ** (n_subjects - 1) - 1 <= n_draws:
        bits = np.arange(1, 2 ** (n_subjects - 1))[:, None] >> np.arange(n_subjects) & 1
        return np.asarray(1.0 - 2.0 * bits)
    return np.random.default_rng(seed).choice([-1.0, 1.0], size=(n_draws, n_subjects))


def flipped_t(x: NDArray[np.float64], flips: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Give t of every column's mean under every flip of the rows' signs; 0 where a column does not vary.

    The sum of squares does not change with signs, so all flips cost one matrix product.

    Parameters
    ----------
    x : (n_subjects, n)
        Differences.
    flips : (n_flips, n_subjects)
        From `sign_flips`.

    Returns
    -------
    (n_flips, n) float64

    Examples
    --------
    >>> flipped_t(np.array([[1.0], [2.0], [3.0]]), np.ones((1, 3))).round(3).tolist()
    [[3.464]]
    """
    n = x.shape[0]
    mean = flips @ x / n
    variance = ((x**2).mean(axis=0) - mean**2) * n / (n - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = mean / np.sqrt(np.maximum(variance, 0.0) / n)
    return np.asarray(np.where(variance > 1e-24, t, 0.0))


def within_family(observed: ArrayLike, null: ArrayLike) -> NDArray[np.float64]:
    """
    Correct for all questions of a family at once by the largest standardised statistic.

    Each question's statistic is standardised by the mean and deviation of its own draws, the observed among them, so that
    statistics of unlike size share one distribution of their maximum. Controls the chance of any false answer, and its
    smallest p does not shrink with the number of questions as Bonferroni's would have to.

    Parameters
    ----------
    observed : (n_questions,)
        Statistics.
    null : (n_questions, n_draws)
        Under permutation; draw ``b`` of all questions should be the same permutation, where they can be.

    Returns
    -------
    (n_questions,) float64
        Corrected p; 1 where a question has no variation.

    References
    ----------
    Westfall, Young (1993), Resampling-based multiple testing, Wiley (single-step maximum).

    Examples
    --------
    >>> draws = np.random.default_rng(0).normal(size=(2, 999))
    >>> within_family([5.0, 0.1], draws).round(3).tolist()
    [0.001, 0.717]
    """
    value = np.asarray(observed, dtype=np.float64)
    draws = np.atleast_2d(np.asarray(null, dtype=np.float64))
    if value.shape != (draws.shape[0],) or not draws.shape[1]:
        raise DataError(f"family: expected draws for each of {value.size} questions, got shape {draws.shape}")
    everything = np.column_stack([value, draws])
    sd = everything.std(axis=1, keepdims=True)
    varies = sd > TIE * np.abs(everything).max(axis=1, keepdims=True)
    z = np.where(varies, (everything - everything.mean(axis=1, keepdims=True)) / np.where(varies, sd, 1.0), -np.inf)
    largest = z[:, 1:].max(axis=0)
    reached = largest[None, :] >= z[:, :1] - 1e-6  # standardised ties
    return np.where(varies[:, 0], (1 + reached.sum(axis=1)) / (1 + draws.shape[1]), 1.0)


def answered(questions: Sequence[Question]) -> list[dict[str, object]]:
    """
    Correct all questions of an analysis: within families by the maximum, over families by Bonferroni.

    Returns
    -------
    list of dict
        In order: ``family, question, statistic, p`` of one question alone, ``p_family`` corrected within its family,
        ``q_family`` (false discovery rate in the family, Benjamini and Hochberg), ``p_all`` corrected over the whole
        analysis. An effect is claimed where ``p_all`` is below .05: in 5 % of analyses at most anything is claimed where
        nothing is there.

    References
    ----------
    Benjamini, Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x.

    Examples
    --------
    >>> draws = np.random.default_rng(0).normal(size=(2, 999))
    >>> rows = answered([Question("brain", "theta", 6.0, draws[0]), Question("body", "rate", 0.0, draws[1])])
    >>> [(row["question"], row["p_all"] < 0.05) for row in rows]
    [('theta', True), ('rate', False)]
    """
    rows: list[dict[str, object]] = [
        {"family": q.family, "question": q.name, "statistic": float(q.observed), "p": q.p} for q in questions
    ]
    families = list(dict.fromkeys(q.family for q in questions))
    corrected = {}
    for family in families:
        own = [i for i, q in enumerate(questions) if q.family == family]
        n_draws = min(questions[i].null.size for i in own)
        p = within_family([questions[i].observed for i in own], [questions[i].null[:n_draws] for i in own])
        q = false_discovery_control([questions[i].p for i in own])
        corrected.update({i: (float(one), float(other)) for i, one, other in zip(own, p, q, strict=True)})
    for i, row in enumerate(rows):
        row["p_family"], row["q_family"] = corrected[i]
        # Holm would do for one answer per family; a family has many, so each gets an equal part of the whole 5 %.
        row["p_all"] = min(1.0, corrected[i][0] * len(families))
    return rows
