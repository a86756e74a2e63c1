"""
One model under many seeds: a distribution, not the best of them; and two models on the same subjects.

A seed decides how a network starts and in which order it learns; nothing says that one seed is better for a new face than
another. So all seeds are reported, the score of a model is their mean, and its interval comes from resampling subjects with
all seeds of a subject together: it says how the mean would differ with other subjects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError, raise_faults
from mmme.evaluate.recognition import RECOGNITION_SCORES
from mmme.metrics import recognition, uncertainty
from mmme.metrics.uncertainty import Difference
from mmme.types import Result

__all__ = ["SeedScore", "compare", "over_seeds"]


@dataclass(frozen=True, slots=True)
class SeedScore:
    """
    A score under many seeds.

    Parameters
    ----------
    name
        For example ``UF1``.
    mean
        Over the seeds.
    sd
        Between seeds; 0 for one.
    low, high
        95 % interval of the mean, from resampling subjects.
    by_seed
        In the order of the results.
    group
        ``all`` or a stratum.
    """

    name: str
    mean: float
    sd: float
    low: float
    high: float
    by_seed: tuple[float, ...]
    group: str = "all"


def _counts(results: Sequence[Result], group: str = "all") -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Confusion counts ``(n_subjects, n_seeds, n_classes, n_classes)`` of results over the same rows."""
    if not results:
        raise DataError("repeats: expected at least one result, got none")
    first, faults = results[0], []
    for result in results:
        if result.task != "recognition":
            faults.append(f"'{result.title}': expected recognition, got {result.task}")
        elif any(result.predictions[c] != first.predictions[c] for c in ("trial", "truth", "subject")):
            faults.append(
                f"'{result.title}': expected the rows of '{first.title}', got others; were they evaluated on one table?"
            )
        elif result.protocol["classes"] != first.protocol["classes"]:
            faults.append(f"'{result.title}': expected the classes of '{first.title}', got others")
    raise_faults("repeats", faults)
    stratum = np.asarray(first.predictions.get("stratum", [""] * len(first.predictions["truth"])), dtype=np.str_)
    rows = np.ones(len(stratum), dtype=bool) if group == "all" else stratum == group
    if not rows.any():
        raise DataError(f"repeats: expected rows of group '{group}', got none")
    made = []
    names: tuple[str, ...] = ()
    for result in results:
        truth, pred, who = (np.asarray(result.predictions[c], dtype=np.str_)[rows] for c in ("truth", "pred", "subject"))
        names, counts = recognition.confusion_by_subject(truth, pred, who, result.protocol["classes"])
        made.append(counts)
    return names, np.stack(made, axis=1)


def _mean_of(
    score: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the mean over seeds, the axis before the classes, as a score of counts."""
    return lambda counts: np.asarray(score(counts)).mean(axis=-1)


def over_seeds(
    results: Sequence[Result], *, groups: bool = False, n_draws: int = 10_000, seed: int = 0
) -> tuple[SeedScore, ...]:
    """
    Summarise results of one model that differ in their seed.

    Parameters
    ----------
    results
        Of recognition, on the same rows.
    groups
        Also per stratum.
    n_draws
        Bootstrap samples of subjects.
    seed
        Of the draws; the same for every model, so that intervals of models can be compared.

    Returns
    -------
    tuple of SeedScore
        UF1, UAR and accuracy over all rows, then per stratum.

    Raises
    ------
    DataError
        If there is no result, or they are of other rows or classes.

    Examples
    --------
    >>> from mmme.types import FeatureTable
    >>> from mmme.evaluate import run
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X, who, y = [[0.0], [1.0]] * 6, ["S1"] * 4 + ["S2"] * 4 + ["S3"] * 4, ["neg", "pos"] * 6
    >>> table = FeatureTable.build(X, ["AU12"], [f"{s}-{i}" for i, s in enumerate(who)], who, ["film"] * 12, y)
    >>> uf1, *_ = over_seeds([run(table, DecisionTreeClassifier(), seed=s) for s in (0, 1)])
    >>> uf1.name, uf1.mean, uf1.sd, uf1.by_seed
    ('UF1', 1.0, 0.0, (1.0, 1.0))
    """
    named = ["all"]
    if groups and results:
        named += sorted({str(v) for v in results[0].predictions.get("stratum", ()) if v})
    made = []
    for group in named:
        _, counts = _counts(results, group)
        for name, score in RECOGNITION_SCORES.items():
            each = np.asarray(score(counts.sum(axis=0).astype(np.float64)))
            low, high = uncertainty.bootstrap_interval(counts, _mean_of(score), n_draws=n_draws, seed=seed)
            sd = float(each.std(ddof=1)) if len(each) > 1 else 0.0
            made.append(SeedScore(name, float(each.mean()), sd, low, high, tuple(map(float, each)), group))
    return tuple(made)


def compare(
    first: Sequence[Result], second: Sequence[Result], score: str = "UF1", *, n_draws: int = 10_000, seed: int = 0
) -> Difference:
    """
    Compare two models on the same subjects: mean score of the first's seeds minus that of the second's.

    Parameters
    ----------
    first, second
        Results under as many seeds each; a model without randomness may have one.
    score
        ``UF1``, ``UAR`` or ``accuracy``.
    n_draws
        Draws of subjects for the interval, and of exchanges for p.
    seed
        Of the draws.

    Returns
    -------
    Difference
        Two-sided p from exchanging the two models' predictions subject by subject, all seeds together.

    Raises
    ------
    DataError
        If rows or classes differ, or the numbers of seeds do and neither is one.
    """
    (names, one), (others, two) = _counts(first), _counts(second)
    if names != others or first[0].predictions["trial"] != second[0].predictions["trial"]:
        raise DataError(
            f"comparison of '{first[0].title}' with '{second[0].title}': expected the same rows, got others; "
            "were they evaluated on one table?"
        )
    n = max(one.shape[1], two.shape[1])
    if {one.shape[1], two.shape[1]} - {1, n}:
        raise DataError(
            f"comparison of '{first[0].title}' with '{second[0].title}': expected as many seeds, or one, got "
            f"{one.shape[1]} and {two.shape[1]}"
        )
    one, two = (np.broadcast_to(c, (len(c), n, *c.shape[2:])) for c in (one, two))
    return uncertainty.paired_difference(one, two, _mean_of(RECOGNITION_SCORES[score]), n_draws=n_draws, seed=seed)
