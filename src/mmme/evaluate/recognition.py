"""
Recognition: which class a sample belongs to.

Scores are computed from the stored predictions and from nothing else, with counts pooled over folds.

The chance level that every result carries permutes labels against fixed predictions. Predictions of different folds hang
together, because each subject also trains the models of all others; so without any effect scores scatter a little more
than that level says (in 150 simulated studies of 20 subjects without effect 6.7 % reached p <= 0.05, and 85 % of the 95 %
intervals held the chance mean). Where a claim hangs on p near 0.05, use `chance_by_refitting`.
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
from mmme.metrics import recognition, uncertainty
from mmme.metrics.calibration import Calibration, calibration
from mmme.types import FeatureTable, Result, Score
from mmme.workers import Workers

__all__ = [
    "RECOGNITION_SCORES",
    "calibration_of",
    "chance_by_refitting",
    "confusion_of",
    "run",
    "scores_from_predictions",
]

RECOGNITION_SCORES: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "UF1": recognition.uf1,
    "UAR": recognition.uar,
    "accuracy": recognition.accuracy,
}


def _classes(table: FeatureTable, classes: Sequence[str] | None) -> tuple[str, ...]:
    present = sorted({str(label) for label in table.labels})
    chosen = tuple(classes) if classes is not None else tuple(present)
    faults = [f"label '{label}' is not among the classes {', '.join(chosen)}" for label in present if label not in chosen]
    if len(chosen) < 2 or len(set(chosen)) != len(chosen):
        faults.append(f"expected at least 2 different classes, got {', '.join(chosen) or 'none'}")
    raise_faults("evaluation", faults, error=ProtocolError)
    return chosen


def run(
    table: FeatureTable,
    estimator: Any,
    protocol: str | Protocol = "loso",
    *,
    classes: Sequence[str] | None = None,
    title: str = "",
    model: Mapping[str, Any] | None = None,
    dataset: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    seed: int = 0,
    n_bootstrap: int = 10_000,
    n_permutations: int = 10_000,
    by: str | None = None,
    workers: Workers | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """
    Evaluate a classifier: fit a clone per fold on training rows only, predict the rest, score all predictions at once.

    Parameters
    ----------
    table
        One row per sample. NaN reach the estimator as they are; imputation belongs into it.
    estimator
        A scikit-learn classifier or pipeline, unfitted. Every ``random_state`` in it is set to ``seed``. If its ``fit``
        takes ``groups``, it gets the training subjects.
    protocol
        Name or `Protocol`; see `splits`.
    classes
        All classes in the order wanted; by default the labels that occur, sorted. Name them where one may be absent:
        absent classes count.
    title
        One line for tables.
    model, dataset, config
        Stored in the Result as they are.
    seed
        Of folds, estimator, bootstrap and permutation.
    n_bootstrap, n_permutations
        Draws behind intervals and chance levels.
    by
        Name of a stratum of the table: scores per value of it as well, from the same folds.
    workers
        Where folds run; inline by default, with the same result.
    progress
        Called with folds done and all folds.

    Returns
    -------
    Result
        Predictions have the columns trial, subject, stimulus, truth, pred, fold, stratum, and one per class,
        ``probability:<class>`` or ``score:<class>``, where the estimator offers it; of a fusion also ``weight:<part>``, how
        far each part decided the row.

    Raises
    ------
    ProtocolError
        If the split or the estimator would leak, the labels do not fit the classes, or any fold failed: all folds are
        tried, then all failures are named, and no score is given.
    ConfigError
        If the protocol is not known.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X, who, y = [[0.0], [1.0]] * 6, ["S1"] * 4 + ["S2"] * 4 + ["S3"] * 4, ["neg", "pos"] * 6
    >>> rows = [f"{s}-{i}" for i, s in enumerate(who)]
    >>> table = FeatureTable.build(X, ["AU12"], rows, who, ["film"] * 12, y)
    >>> result = run(table, DecisionTreeClassifier(), title="face")
    >>> result.score("UF1").value, result.protocol["n_folds"]
    (1.0, 3)
    """
    chosen = _classes(table, classes)
    protocol = named_protocol(protocol)
    if by is not None and by not in table.strata:
        have = ", ".join(sorted(table.strata)) or "none"
        raise ProtocolError(f"scores by '{by}': expected a stratum of the table, got none of that name (there are: {have})")
    if by is not None and "all" in table.strata[by]:
        raise ProtocolError(f"scores by '{by}': expected groups of other names than 'all', which means all rows; rename it")
    check_table(table)
    folds = splits(table, protocol, seed=seed)
    fresh = fresh_estimator(estimator, table, seed)
    outcomes = predicted_folds(table, fresh, folds, chosen, workers=workers, progress=progress)

    pred, fold = np.full(len(table), "", dtype=object), np.full(len(table), "", dtype=object)
    word = outcomes[0].word
    values = np.full((len(table), len(chosen) if word else 0), np.nan)
    weights = {part: np.full(len(table), np.nan) for part in outcomes[0].weights}
    for split, outcome in zip(folds, outcomes, strict=True):
        pred[split.test], fold[split.test] = outcome.pred, split.name
        values[split.test] = outcome.values
        for part, weight in outcome.weights.items():
            weights[part][split.test] = weight
    tested = np.sort(np.concatenate([split.test for split in folds]))  # a fixed split does not test all
    n_rows, table = len(table), table.rows(tested)
    pred, fold, values = pred[tested], fold[tested], values[tested]
    predictions: dict[str, list[Any]] = {
        "trial": list(table.trial_ids),
        "subject": table.subjects.tolist(),
        "stimulus": table.stimuli.tolist(),
        "truth": table.labels.tolist(),
        "pred": pred.tolist(),
        "fold": fold.tolist(),
        "stratum": table.strata[by].tolist() if by is not None else [""] * len(table),
        **{f"{word}:{name}": values[:, j].tolist() for j, name in enumerate(chosen) if word},
        **{f"weight:{part}": weight[tested].tolist() for part, weight in weights.items()},
    }
    scores, chance = scores_from_predictions(
        predictions, chosen, seed=seed, n_bootstrap=n_bootstrap, n_permutations=n_permutations
    )
    return Result(
        task="recognition",
        title=title or type(estimator).__name__,
        dataset=dict(dataset or {}),
        protocol={
            "name": protocol.name,
            "description": protocol.description,
            "apart": protocol.apart,
            "n_folds": len(folds),
            "n_rows": n_rows,
            "classes": list(chosen),
            "by": by,
            "n_bootstrap": n_bootstrap,
            "n_permutations": n_permutations,
        },
        model=dict(model or {}),
        config=dict(config or {}),
        seed=seed,
        predictions=predictions,
        truth={},
        scores=scores,
        chance=chance,
        versions=environment(),
    )


def _groups(predictions: Mapping[str, Sequence[Any]]) -> list[tuple[str, NDArray[np.bool_]]]:
    stratum = np.asarray(predictions.get("stratum", [""] * len(predictions["truth"])), dtype=np.str_)
    named = [str(v) for v in np.unique(stratum) if v]
    return [("all", np.ones(len(stratum), dtype=bool)), *((name, stratum == name) for name in named)]


def scores_from_predictions(
    predictions: Mapping[str, Sequence[Any]],
    classes: Sequence[str],
    *,
    seed: int = 0,
    n_bootstrap: int = 10_000,
    n_permutations: int = 10_000,
) -> tuple[tuple[Score, ...], dict[str, dict[str, float]]]:
    """
    Compute all recognition scores, their intervals and chance levels from predictions.

    Parameters
    ----------
    predictions
        Columns truth, pred, subject and, for scores per group, stratum (blank where there is none).
    classes
        All classes; each counts, also in a group where it is absent.
    seed
        Of the draws.
    n_bootstrap, n_permutations
        Draws behind intervals (of subjects) and chance levels (of labels, against the predictions as they are).

    Returns
    -------
    scores
        UF1, UAR, accuracy, F1 per class and, where every row has probabilities (``probability:<class>``), Brier score and
        calibration error over all samples (group ``all``), then the first three per stratum.
    chance
        By score name, ``UF1`` or ``UF1 (<group>)``: mean, p95 and p.

    Raises
    ------
    DataError
        If a column is missing, lengths differ, or a label is not among the classes.

    Examples
    --------
    >>> scores, chance = scores_from_predictions(
    ...     {"truth": ["a", "b"] * 2, "pred": ["a", "b", "b", "b"], "subject": ["S1", "S1", "S2", "S2"]}, ["a", "b"])
    >>> round(scores[0].value, 3), scores[0].n, scores[0].low < scores[0].high
    (0.733, 4, True)
    """
    missing = [f"expected a column '{c}', got none" for c in ("truth", "pred", "subject") if c not in predictions]
    raise_faults("predictions", missing)
    scores: list[Score] = []
    chance: dict[str, dict[str, float]] = {}
    for group, rows in _groups(predictions):
        truth, pred, subject = (np.asarray(predictions[c], dtype=np.str_)[rows] for c in ("truth", "pred", "subject"))
        try:
            _, counts = recognition.confusion_by_subject(truth, pred, subject, list(classes))
        except ValueError as error:
            raise DataError(f"predictions: {error}") from error
        for name, score in RECOGNITION_SCORES.items():
            value = float(score(counts.sum(axis=0).astype(np.float64)))
            low, high = uncertainty.bootstrap_interval(counts, score, n_draws=n_bootstrap, seed=seed)
            scores.append(Score(name, value, low, high, group, int(counts.sum())))
            level = uncertainty.permutation_level(counts, score, n_draws=n_permutations, seed=seed)
            key = name if group == "all" else f"{name} ({group})"
            chance[key] = {"mean": level.mean, "p95": level.p95, "p": level.p}
        if group == "all":
            scores += _class_scores(counts, classes, n_bootstrap, seed)
            scores += _calibration_scores(predictions, classes, n_bootstrap, seed)
    return tuple(scores), chance


def _class_scores(counts: NDArray[np.int64], classes: Sequence[str], n_bootstrap: int, seed: int) -> list[Score]:
    """F1 of each class over all samples; ``n`` is how many samples are of the class."""
    draws = uncertainty.bootstrap_totals(counts, n_bootstrap, seed=seed)
    f1, f1_drawn = recognition.f1_per_class(counts.sum(axis=0).astype(np.float64)), recognition.f1_per_class(draws)
    made = []
    for k, name in enumerate(classes):
        low, high = uncertainty.percentile_interval(f1_drawn[:, k]) if len(counts) > 1 else (float("nan"), float("nan"))
        made.append(Score(f"F1 {name}", float(f1[k]), low, high, "all", int(counts[:, k].sum())))
    return made


def _probabilities(predictions: Mapping[str, Sequence[Any]], classes: Sequence[str]) -> NDArray[np.float64] | None:
    """Return the probability of each class ``(n_rows, n_classes)``; None where a model gave none for every row."""
    columns = [f"probability:{name}" for name in classes]
    if not all(column in predictions for column in columns):
        return None
    values = np.stack([np.asarray(predictions[column], dtype=np.float64) for column in columns], axis=1)
    # of a class that a fold's training rows lack there is no probability, and a sum other than 1 is none either
    return values if np.allclose(values.sum(axis=1), 1.0, rtol=0, atol=1e-5) else None


def _calibration_scores(
    predictions: Mapping[str, Sequence[Any]], classes: Sequence[str], n_bootstrap: int, seed: int
) -> list[Score]:
    """How far probabilities can be taken at their word, over all rows; nothing where there are none."""
    found = calibration_of(predictions, classes, n_bootstrap=n_bootstrap, seed=seed)
    if found is None:
        return []
    n = len(predictions["truth"])
    return [
        Score("Brier score", found.brier, found.brier_low, found.brier_high, "all", n),
        Score("calibration error", found.error, found.error_low, found.error_high, "all", n),
    ]


def calibration_of(
    predictions: Mapping[str, Sequence[Any]], classes: Sequence[str], *, n_bootstrap: int = 10_000, seed: int = 0
) -> Calibration | None:
    """
    Compare the probabilities of recognition with how often they were right.

    Parameters
    ----------
    predictions, classes, n_bootstrap, seed
        As in `scores_from_predictions`, with the columns ``probability:<class>``.

    Returns
    -------
    Calibration or None
        None unless every row has a probability of every class. The calibration error of a resampled set is larger than that
        of the set, most with few rows, so its interval lies high.

    Examples
    --------
    >>> calibration_of({"truth": ["a", "b"], "pred": ["a", "b"], "subject": ["S1", "S2"], "probability:a": [0.9, 0.1],
    ...                 "probability:b": [0.1, 0.9]}, ["a", "b"]).said
    (0.9,)
    """
    probability = _probabilities(predictions, classes)
    if probability is None:
        return None
    codes = {name: k for k, name in enumerate(classes)}
    truth = [codes[name] for name in predictions["truth"]]
    sums = probability / probability.sum(axis=1, keepdims=True)  # stored in single precision by some models
    return calibration(sums, truth, predictions["subject"], n_draws=n_bootstrap, seed=seed)


def confusion_of(result: Result, group: str = "all") -> NDArray[np.int64]:
    """
    Count what a recognition result took for what: rows are the truth, in the order of ``result.protocol["classes"]``.

    Parameters
    ----------
    result
        Of recognition.
    group
        ``all`` or a stratum.

    Returns
    -------
    (n_classes, n_classes) int64

    Raises
    ------
    DataError
        If the result is not of recognition, or has no such group.
    """
    if result.task != "recognition":
        raise DataError(f"result '{result.title}': expected recognition, got {result.task}")
    groups = dict(_groups(result.predictions))
    if group not in groups:
        raise DataError(f"result '{result.title}': expected a group among {', '.join(groups)}, got '{group}'")
    truth, pred = (np.asarray(result.predictions[c], dtype=np.str_)[groups[group]] for c in ("truth", "pred"))
    return recognition.confusion(truth, pred, result.protocol["classes"])


def chance_by_refitting(
    result: Result,
    table: FeatureTable,
    estimator: Any,
    protocol: str | Protocol = "loso",
    *,
    within_subject: bool = False,
    n_draws: int = 100,
    workers: Workers | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, dict[str, float]]:
    """
    Chance level from whole evaluations on permuted labels: every draw fits every fold again.

    Slower than the level in ``result.chance`` by ``n_draws`` evaluations, and exact where that one is a little too easy.

    Parameters
    ----------
    result
        Of `run` on the same table, estimator and protocol; its scores are the observed ones.
    table, estimator, protocol, workers
        As given to `run`.
    within_subject
        Permute inside subjects only, which keeps how often each subject shows each class.
    n_draws
        Permutations.
    progress
        Called with draws done and all draws.

    Returns
    -------
    dict
        By score name, over all samples: mean, p95 and ``p = (1 + draws that reach the score) / (1 + n_draws)``.

    Raises
    ------
    DataError
        If the result is not of these rows.
    ProtocolError
        As `run`.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X, who, y = [[0.0], [1.0]] * 6, ["S1"] * 4 + ["S2"] * 4 + ["S3"] * 4, ["neg", "pos"] * 6
    >>> table = FeatureTable.build(X, ["AU12"], [f"{s}-{i}" for i, s in enumerate(who)], who, ["film"] * 12, y)
    >>> result = run(table, DecisionTreeClassifier())
    >>> chance_by_refitting(result, table, DecisionTreeClassifier(), n_draws=19)["UF1"]["p"] <= 0.2
    True
    """
    if result.task != "recognition" or tuple(result.predictions["trial"]) != table.trial_ids:
        raise DataError(f"result '{result.title}': expected recognition of the table's {len(table)} rows, got other rows")
    classes = tuple(result.protocol["classes"])
    rng = np.random.default_rng(result.seed)
    draws: dict[str, list[float]] = {name: [] for name in RECOGNITION_SCORES}
    for draw in range(n_draws):
        order = rng.permutation(len(table))
        if within_subject:
            by_subject = np.argsort(table.subjects, kind="stable")
            order = order[np.argsort(table.subjects[order], kind="stable")][np.argsort(by_subject)]
        shuffled = replace(table, labels=table.labels[order])
        folds = splits(shuffled, protocol, seed=result.seed)
        fresh = fresh_estimator(estimator, shuffled, result.seed)
        outcomes = predicted_folds(shuffled, fresh, folds, classes, workers=workers, progress=None)
        truth = np.concatenate([shuffled.labels[s.test] for s in folds])
        counts = recognition.confusion(truth, [p for outcome in outcomes for p in outcome.pred], classes)
        for name, score in RECOGNITION_SCORES.items():
            draws[name].append(float(score(counts.astype(np.float64))))
        if progress is not None:
            progress(draw + 1, n_draws)
    return {name: _level(values, result.score(name).value) for name, values in draws.items()}


def _level(draws: Sequence[float], observed: float) -> dict[str, float]:
    reached = int(np.sum(np.asarray(draws) >= observed - uncertainty.TOLERANCE))
    return {
        "mean": float(np.mean(draws)),
        "p95": float(np.quantile(draws, 0.95)),
        "p": (1 + reached) / (1 + len(draws)),
    }
