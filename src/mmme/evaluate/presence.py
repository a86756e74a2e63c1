"""
Which action units a sample shows: one classifier per action unit, under the protocols and checks of recognition.

Every action unit is predicted by a clone of the same estimator, from folds that are the same for all. Scores come from
counts pooled over folds, intervals from resampling subjects, the chance level from exchanging whole samples' truths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError, ProtocolError, raise_faults
from mmme.evaluate.environment import environment
from mmme.evaluate.fitting import fresh_estimator, predicted_folds
from mmme.evaluate.leaks import check_table
from mmme.evaluate.protocols import Protocol, named_protocol, splits
from mmme.metrics import multi_label, uncertainty
from mmme.types import FeatureTable, Result, Score
from mmme.workers import Workers

__all__ = ["presence_scores", "run_presence"]

ABSENT, PRESENT = "absent", "present"
TOLERANCE = 1e-9


def _evaluated(present: NDArray[np.bool_], names: Sequence[str], subjects: NDArray[np.str_], least: int) -> list[int]:
    """Positions of labels that enough subjects show, and enough do not always show."""
    kept = []
    for k in range(len(names)):
        showing = len(np.unique(subjects[present[:, k]]))
        lacking = len(np.unique(subjects[~present[:, k]]))
        if min(showing, lacking) >= least:
            kept.append(k)
    return kept


def run_presence(
    table: FeatureTable,
    present: NDArray[np.bool_],
    names: Sequence[str],
    estimator: Any,
    protocol: str | Protocol = "loso",
    *,
    least_subjects: int = 3,
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
    Evaluate the presence of several labels.

    Parameters
    ----------
    table
        One row per sample; its labels are not looked at.
    present : (n_rows, n_labels) bool
        Which labels each row shows.
    names
        Of the labels, for example ``AU4``.
    estimator
        A scikit-learn classifier, cloned for every label and fold.
    protocol, title, model, dataset, config, seed, n_bootstrap, n_permutations, workers
        As in `mmme.evaluate.run`.
    least_subjects
        A label is evaluated when at least so many subjects show it, and so many have a row without it. The others are
        named in ``protocol["left_out"]``.
    progress
        Called with labels done, and all.

    Returns
    -------
    Result
        Of task ``action-units``. Predictions have the columns trial, subject, stimulus, fold and, for every label,
        ``truth:<name>``, ``pred:<name>`` and, where the estimator has one, ``value:<name>``.

    Raises
    ------
    ProtocolError
        As `mmme.evaluate.run`, or if no label can be evaluated.
    DataError
        If ``present`` does not fit the table.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X, who = [[0.0], [1.0]] * 6, ["S1"] * 4 + ["S2"] * 4 + ["S3"] * 4
    >>> table = FeatureTable.build(X, ["brow"], [f"r{k}" for k in range(12)], who, ["film"] * 12, ["x"] * 12)
    >>> present = np.array(X) > 0.5
    >>> made = run_presence(table, present, ["AU4"], DecisionTreeClassifier(), n_bootstrap=100, n_permutations=100)
    >>> made.score("F1 AU4").value
    1.0
    """
    there = np.asarray(present)
    if there.shape != (len(table), len(names)) or there.dtype != np.bool_:
        raise DataError(
            f"presence: expected yes or no (bool) for {len(table)} rows and {len(names)} labels, got {there.dtype} "
            f"{there.shape}"
        )
    kept = _evaluated(there, names, table.subjects, least_subjects)
    if not kept:
        raise ProtocolError(
            f"presence of {', '.join(names) or 'no label'}: expected one that at least {least_subjects} subjects show and "
            f"{least_subjects} do not always show, got none"
        )
    protocol = named_protocol(protocol)
    check_table(table)
    folds = splits(table, protocol, seed=seed)
    tested = np.sort(np.concatenate([split.test for split in folds]))
    fold = np.full(len(table), "", dtype=object)
    for split in folds:
        fold[split.test] = split.name
    predictions: dict[str, list[Any]] = {
        "trial": [table.trial_ids[k] for k in tested],
        "subject": table.subjects[tested].tolist(),
        "stimulus": table.stimuli[tested].tolist(),
        "fold": fold[tested].tolist(),
    }
    for done, k in enumerate(kept):
        one = replace(table, labels=np.where(there[:, k], PRESENT, ABSENT))
        fresh = fresh_estimator(estimator, one, seed)
        try:
            outcomes = predicted_folds(one, fresh, folds, (ABSENT, PRESENT), workers=workers, progress=None)
        except ProtocolError as error:
            raise ProtocolError(f"{names[k]}: {error}") from error
        pred, value = np.zeros(len(table), dtype=bool), np.full(len(table), np.nan)
        for split, outcome in zip(folds, outcomes, strict=True):
            pred[split.test] = np.asarray(outcome.pred) == PRESENT
            if outcome.word:
                value[split.test] = outcome.values[:, 1]
        predictions[f"truth:{names[k]}"] = there[tested, k].tolist()
        predictions[f"pred:{names[k]}"] = pred[tested].tolist()
        if np.isfinite(value[tested]).all():
            predictions[f"value:{names[k]}"] = value[tested].tolist()
        if progress is not None:
            progress(done + 1, len(kept))
    described = {
        "name": protocol.name,
        "description": protocol.description,
        "apart": protocol.apart,
        "n_folds": len(folds),
        "n_rows": len(table),
        "labels": [names[k] for k in kept],
        "left_out": [name for k, name in enumerate(names) if k not in kept],
        "least_subjects": least_subjects,
        "n_bootstrap": n_bootstrap,
        "n_permutations": n_permutations,
    }
    scores, chance = presence_scores(predictions, described, seed=seed)
    return Result(
        task="action-units",
        title=title or type(estimator).__name__,
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


def presence_scores(
    predictions: Mapping[str, Sequence[Any]], protocol: Mapping[str, Any], *, seed: int = 0
) -> tuple[tuple[Score, ...], dict[str, dict[str, float]]]:
    """
    Compute all scores of the presence of labels from predictions.

    Parameters
    ----------
    predictions
        Columns subject, and ``truth:<name>``, ``pred:<name>`` and perhaps ``value:<name>`` for each label.
    protocol
        ``labels``, ``n_bootstrap``, ``n_permutations``.
    seed
        Of the draws.

    Returns
    -------
    scores
        macro F1, micro F1, exact match, Hamming loss; then F1 and, with values, AUC within subjects of each label, whose
        ``n`` counts the rows that show it.
    chance
        Of ``macro F1``: mean, p95 and p.

    Raises
    ------
    DataError
        If a column is missing.
    """
    labels = list(protocol["labels"])
    needed = ["subject", *(f"{part}:{name}" for name in labels for part in ("truth", "pred"))]
    raise_faults("predictions", [f"expected a column '{c}', got none" for c in needed if c not in predictions])
    truth, pred = (
        np.stack([np.asarray(predictions[f"{part}:{name}"], dtype=bool) for name in labels], axis=1)
        for part in ("truth", "pred")
    )
    n_draws = protocol["n_bootstrap"]
    subjects = np.asarray(predictions["subject"], dtype=np.str_)
    _, counts = multi_label.counts_by_subject(truth, pred, subjects)
    pooled = counts.sum(axis=0)
    scores = []
    for name, score in multi_label.MULTI_LABEL_SCORES.items():
        low, high = uncertainty.bootstrap_interval(counts, score, n_draws=n_draws, seed=seed)
        scores.append(Score(name, float(score(pooled)), low, high, "all", len(truth)))
    drawn = multi_label.f1_per_label(uncertainty.bootstrap_totals(counts, n_draws, seed=seed)[:, :-1])
    f1 = multi_label.f1_per_label(pooled[:-1])
    for k, name in enumerate(labels):
        n = int(truth[:, k].sum())
        scores.append(Score(f"F1 {name}", float(f1[k]), *_interval(drawn[:, k], len(counts)), "all", n))
        if f"value:{name}" in predictions:
            values = np.asarray(predictions[f"value:{name}"], dtype=np.float64)
            pairs = multi_label.ordered_pairs(truth[:, k], values, subjects)
            areas = multi_label.area_within(uncertainty.bootstrap_totals(pairs, n_draws, seed=seed))
            area = float(multi_label.area_within(pairs.sum(axis=0)))
            scores.append(Score(f"AUC {name}", area, *_interval(areas, len(counts)), "all", n))
    draws = multi_label.permuted_macro_f1(truth, pred, protocol["n_permutations"], seed=seed)
    reached = int(np.sum(draws >= scores[0].value - TOLERANCE))
    level = {"mean": float(np.mean(draws)), "p95": float(np.quantile(draws, 0.95)), "p": (1 + reached) / (1 + len(draws))}
    return tuple(scores), {"macro F1": level}


def _interval(draws: NDArray[np.float64], n_subjects: int) -> tuple[float, float]:
    """Interval of the draws in which the score is defined; of a single subject there is none."""
    known = draws[np.isfinite(draws)]
    if n_subjects < 2 or not known.size:
        return float("nan"), float("nan")
    return uncertainty.percentile_interval(known)
