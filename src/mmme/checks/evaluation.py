"""Findings on feature tables, splits and results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.evaluate.leaks import copied_rows, is_standardised, near_copies, row_groups
from mmme.types import FeatureTable, Finding, Level, Result, listed

__all__ = ["check_result", "check_table"]

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]

MIN_PER_CLASS = 5
WIDE = 0.3


def check_table(
    table: FeatureTable,
    splits: Iterable[Fold] | None = None,
    *,
    classes: Sequence[str] | None = None,
    where: str = "feature table",
) -> tuple[Finding, ...]:
    """
    Check a feature table, and the folds it is to be divided into.

    Parameters
    ----------
    table
        Of all subjects.
    splits
        Row positions for training and test, fold by fold.
    classes
        All classes there should be; those of the table by default.
    where
        Name for the findings.

    Returns
    -------
    tuple of Finding
        P001 is an error where the folds keep nothing apart (then P005 too), and a warning where stimuli are kept apart,
        as in leave-one-video-out. P002 compares means and deviations of all columns that vary; tables standardised
        within each subject pass, as no other subject's rows were used. P003 compares rows of 3 values or more.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(12, 4))
    >>> table = FeatureTable.build(X, list("abcd"), range(12), ["S1", "S2"] * 6, ["v"] * 12, ["pos"] * 3 + ["neg"] * 9)
    >>> for finding in check_table(table):
    ...     print(finding)
    P004 warning feature table: expected at least 5 samples in each class, got pos 3
    """
    folds = list(splits or ())
    present = dict(zip(*(a.tolist() for a in np.unique(table.labels, return_counts=True)), strict=True))
    expected = list(classes) if classes is not None else list(present)
    findings = [*_split_findings(table, folds, where)]
    if is_standardised(table):
        text = "means are 0 and deviations 1 over all rows, test rows included; standardise inside the estimator"
        findings.append(Finding("P002", "error", where, text))
    findings += _copies(table, folds, where)
    if rare := [f"{c} {present.get(c, 0)}" for c in expected if present.get(c, 0) < MIN_PER_CLASS]:
        text = f"expected at least {MIN_PER_CLASS} samples in each class, got {listed(rare)}"
        findings.append(Finding("P004", "warning", where, text))
    untrained = [
        f"{c} in fold {k}"
        for k, (train, test) in enumerate(folds, start=1)
        for c in sorted(set(table.labels[test].tolist()) - set(table.labels[train].tolist()))
    ]
    if untrained:
        text = f"{len(untrained)} times a class is tested that has no training rows: {listed(untrained)}"
        findings.append(Finding("P004", "warning", where, text))
    return tuple(findings)


def check_result(result: Result) -> tuple[Finding, ...]:
    """
    Check what a result can be believed for.

    Parameters
    ----------
    result
        From `mmme.evaluate`.

    Returns
    -------
    tuple of Finding
        P001 and P005 from the folds that tested each subject (a subject tested in several folds was trained on too),
        R001 to R003 from scores, chance levels and predictions.

    Examples
    --------
    >>> from mmme.types import Score
    >>> result = Result("recognition", "face", {}, {"name": "loso", "apart": "subject"}, {}, {}, 0,
    ...     {"truth": ["a", "b"], "pred": ["a", "a"], "subject": ["S1", "S2"]}, {}, (Score("UF1", 0.3, 0.1, 0.6),),
    ...     {"UF1": {"mean": 0.3, "p95": 0.4, "p": 0.5}}, {})
    >>> for finding in check_result(result):
    ...     print(finding)
    R001 warning face UF1: 0.300 [0.100, 0.600] is not above the chance level, whose 95th percentile is 0.400
    R002 warning face UF1: the interval [0.100, 0.600] is 0.500 wide; more subjects would narrow it
    R003 warning face: all 2 predictions are 'a'
    """
    findings = []
    apart = str(result.protocol.get("apart", ""))
    both = _in_several_folds(result)
    if both:
        text = f"{len(both)} subjects were tested in several folds and so were trained on too: {listed(both)}"
        findings.append(Finding("P001", "warning" if apart == "stimulus" else "error", result.title, text))
    if apart == "nothing" or str(result.protocol.get("name", "")) == "random-kfold":
        text = f"protocol {result.protocol.get('name', '')} deals rows at random, which flatters every score"
        findings.append(Finding("P005", "error", result.title, text))
    for score in result.scores:
        name = score.name if score.group == "all" else f"{score.name} ({score.group})"
        span = f"[{score.low:.3f}, {score.high:.3f}]"
        p95 = result.chance.get(name, {}).get("p95")
        if p95 is not None and not score.low > p95:
            text = f"{score.value:.3f} {span} is not above the chance level, whose 95th percentile is {p95:.3f}"
            findings.append(Finding("R001", "warning", f"{result.title} {name}", text))
        if score.high - score.low > WIDE + 1e-9 and not (result.task == "recognition" and score.name.startswith("F1 ")):
            text = f"the interval {span} is {score.high - score.low:.3f} wide; more subjects would narrow it"
            findings.append(Finding("R002", "warning", f"{result.title} {name}", text))
    return (*findings, *_one_class(result))


def _split_findings(table: FeatureTable, folds: Sequence[Fold], where: str) -> list[Finding]:
    """Subjects on both sides, and folds that keep nothing apart."""
    subjects = [np.intersect1d(table.subjects[train], table.subjects[test]) for train, test in folds]
    stimuli = [np.intersect1d(table.stimuli[train], table.stimuli[test]) for train, test in folds]
    leaking = [k for k, both in enumerate(subjects) if both.size]
    if not leaking:
        return []
    random = any(stimuli[k].size for k in leaking)
    names = sorted({str(s) for k in leaking for s in subjects[k]})
    level: Level = "error" if random else "warning"
    text = f"{len(names)} subjects are on both sides in {len(leaking)} of {len(folds)} folds: {listed(names)}"
    findings = [Finding("P001", level, where, text)]
    if random:
        text = "the folds keep neither subjects nor stimuli apart, which flatters every score; leave subjects out"
        findings.append(Finding("P005", "error", where, text))
    return findings


def _copies(table: FeatureTable, folds: Sequence[Fold], where: str) -> list[Finding]:
    """Rows with the same values, or nearly, under several subjects or on both sides of a split."""
    findings = []
    across = copied_rows(table)
    if across:
        text = f"{len(across)} pairs of identical rows belong to different subjects: {_named(table, across)}"
        findings.append(Finding("P003", "warning", where, text))
    if near := [pair for pair in near_copies(table) if pair not in across]:
        text = (
            f"{len(near)} pairs of rows of different subjects are nearly the same: {_named(table, near)}; one event twice?"
        )
        findings.append(Finding("P003", "warning", where, text))
    group = row_groups(table)
    leaking = [
        k
        for k, (train, test) in enumerate(folds, start=1)
        if np.setdiff1d(np.intersect1d(group[train], group[test]), [-1]).size
    ]
    if leaking:
        text = f"identical rows are on both sides in {len(leaking)} of {len(folds)} folds: {listed(leaking)}"
        findings.append(Finding("P003", "error", where, text))
    return findings


def _named(table: FeatureTable, pairs: Sequence[tuple[int, int]]) -> str:
    return listed([f"{table.trial_ids[a]} and {table.trial_ids[b]}" for a, b in pairs], 4)


def _in_several_folds(result: Result) -> list[str]:
    """Subjects that were tested in more than one fold."""
    if "fold" not in result.predictions or "subject" not in result.predictions:
        return []
    folds: dict[str, set[Any]] = {}
    for subject, fold in zip(result.predictions["subject"], result.predictions["fold"], strict=True):
        folds.setdefault(str(subject), set()).add(fold)
    return sorted(s for s, tested in folds.items() if len(tested) > 1)


def _one_class(result: Result) -> list[Finding]:
    """All predictions alike although the truth is not, or none at all."""
    column, truth = (
        ("pred", result.predictions.get("truth", ()))
        if result.task == "recognition"
        else ("kind", result.truth.get("kind", ()))
    )
    made = [str(v) for v in result.predictions.get(column, ())]
    if not len(truth) or (made and (len(set(made)) > 1 or len(set(truth)) == 1)):
        return []
    text = (
        f"all {len(made)} predictions are '{made[0]}'"
        if made
        else f"expected predictions, got none for {len(truth)} events"
    )
    return [Finding("R003", "warning", result.title, text)]
