"""
Ratings such as valence and arousal: a regressor per fold, under the protocols and checks of recognition.

Beside every prediction stands the mean rating of the training rows of its fold, against which R2 is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from mmme.errors import DataError, ProtocolError, raise_faults
from mmme.evaluate.environment import environment
from mmme.evaluate.fitting import fresh_estimator, over_folds
from mmme.evaluate.leaks import check_table
from mmme.evaluate.protocols import Protocol, Split, named_protocol, splits
from mmme.metrics import continuous, uncertainty
from mmme.types import FeatureTable, Result, Score
from mmme.workers import Workers

__all__ = ["rating_scores", "run_ratings"]

TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    X: NDArray[Any]
    values: NDArray[np.float64]
    estimator: Any
    split: Split


def _test(job: _Job) -> tuple[NDArray[np.float64], float]:
    """Predictions of the test rows by a clone fitted on the training rows, and the mean of those."""
    train, test = job.split.train, job.split.test
    pred = np.asarray(clone(job.estimator).fit(job.X[train], job.values[train]).predict(job.X[test]), dtype=np.float64)
    if pred.shape != (len(test),) or not np.isfinite(pred).all():
        raise ProtocolError(
            f"expected {len(test)} finite predictions, got shape {pred.shape}, {np.isfinite(pred).sum()} finite"
        )
    return pred, float(job.values[train].mean())


def run_ratings(
    table: FeatureTable,
    values: NDArray[np.float64],
    estimator: Any,
    protocol: str | Protocol = "loso",
    *,
    name: str = "rating",
    title: str = "",
    model: Mapping[str, Any] | None = None,
    dataset: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    seed: int = 0,
    n_bootstrap: int = 10_000,
    n_permutations: int = 10_000,
    workers: Workers | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """
    Evaluate a regressor of ratings.

    Parameters
    ----------
    table
        One row per sample; its labels are not looked at.
    values : (n_rows,)
        Ratings, in the unit of their scale, finite.
    estimator
        A scikit-learn regressor, unfitted, for example `mmme.models.regression.make_regressor`.
    protocol, title, model, dataset, config, seed, n_bootstrap, n_permutations, workers, progress
        As in `mmme.evaluate.run`.
    name
        What was rated, for example ``valence``.

    Returns
    -------
    Result
        Of task ``ratings``. Predictions have the columns trial, subject, stimulus, fold, truth, pred, baseline.

    Raises
    ------
    ProtocolError
        If the split or the estimator would leak, or any fold failed.
    DataError
        If ratings do not fit the table, are not finite, or are all the same.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> X, who = [[float(k)] for k in range(12)], ["S1"] * 4 + ["S2"] * 4 + ["S3"] * 4
    >>> table = FeatureTable.build(X, ["smile"], [f"r{k}" for k in range(12)], who, ["film"] * 12, ["x"] * 12)
    >>> made = run_ratings(table, 2 * np.arange(12.0), LinearRegression(), n_bootstrap=100, n_permutations=100)
    >>> round(made.score("CCC").value, 3)
    1.0
    """
    rated = np.asarray(values, dtype=np.float64)
    if rated.shape != (len(table),):
        raise DataError(f"{name}: expected a rating for each of {len(table)} rows, got shape {rated.shape}")
    if not np.isfinite(rated).all():
        raise DataError(
            f"{name}: expected finite ratings, got {int((~np.isfinite(rated)).sum())} that are not; leave rows out"
        )
    if len(table) and rated.min() == rated.max():
        raise DataError(f"{name}: expected ratings that vary, got {rated.min():g} in all {len(rated)} rows")
    protocol = named_protocol(protocol)
    check_table(table)
    folds = splits(table, protocol, seed=seed)
    fresh = fresh_estimator(estimator, table, seed)
    jobs = [_Job(table.X, rated, fresh, split) for split in folds]
    outcomes = over_folds(_test, jobs, [split.name for split in folds], workers=workers, progress=progress)
    pred, baseline = np.full(len(table), np.nan), np.full(len(table), np.nan)
    fold = np.full(len(table), "", dtype=object)
    for split, (said, mean) in zip(folds, outcomes, strict=True):
        pred[split.test], baseline[split.test], fold[split.test] = said, mean, split.name
    tested = np.sort(np.concatenate([split.test for split in folds]))
    predictions: dict[str, list[Any]] = {
        "trial": [table.trial_ids[k] for k in tested],
        "subject": table.subjects[tested].tolist(),
        "stimulus": table.stimuli[tested].tolist(),
        "fold": fold[tested].tolist(),
        "truth": rated[tested].tolist(),
        "pred": pred[tested].tolist(),
        "baseline": baseline[tested].tolist(),
    }
    described = {
        "name": protocol.name,
        "description": protocol.description,
        "apart": protocol.apart,
        "n_folds": len(folds),
        "n_rows": len(table),
        "rating": name,
        "n_bootstrap": n_bootstrap,
        "n_permutations": n_permutations,
    }
    scores, chance = rating_scores(predictions, described, seed=seed)
    return Result(
        task="ratings",
        title=title or name,
        dataset=dict(dataset or {}),
        protocol=described,
        model=dict(model or {}),
        config=dict(config or {}),
        seed=seed,
        predictions=predictions,
        truth={},
        scores=scores,
        chance=chance,
        versions=environment(),
    )


def rating_scores(
    predictions: Mapping[str, Sequence[Any]], protocol: Mapping[str, Any], *, seed: int = 0
) -> tuple[tuple[Score, ...], dict[str, dict[str, float]]]:
    """
    Compute all scores of ratings from predictions.

    Parameters
    ----------
    predictions
        Columns subject, truth, pred, baseline.
    protocol
        ``n_bootstrap``, ``n_permutations``.
    seed
        Of the draws.

    Returns
    -------
    scores
        CCC, correlation, MAE and RMSE [unit of the scale], R2 against the mean of the training rows.
    chance
        Of ``CCC``: mean, p95 and p.

    Raises
    ------
    DataError
        If a column is missing.
    """
    needed = ("subject", "truth", "pred", "baseline")
    raise_faults("predictions", [f"expected a column '{c}', got none" for c in needed if c not in predictions])
    truth, pred, base = (np.asarray(predictions[c], dtype=np.float64) for c in ("truth", "pred", "baseline"))
    _, sums = continuous.sums_by_subject(truth, pred, predictions["subject"], base)
    scores = []
    for name, score in continuous.CONTINUOUS_SCORES.items():
        value = float(score(sums.sum(axis=0)))
        low, high = uncertainty.bootstrap_interval(sums, score, n_draws=protocol["n_bootstrap"], seed=seed)
        scores.append(Score(name, value, low, high, "all", len(truth)))
    draws = continuous.permuted_concordance(truth, pred, protocol["n_permutations"], seed=seed)
    reached = int(np.sum(draws >= scores[0].value - TOLERANCE))
    level = {"mean": float(draws.mean()), "p95": float(np.quantile(draws, 0.95)), "p": (1 + reached) / (1 + len(draws))}
    return tuple(scores), {"CCC": level}
