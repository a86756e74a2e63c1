"""Run a stored Result again from what it holds, and compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmme.config import load_config
from mmme.errors import DataError
from mmme.evaluate import rescore
from mmme.interval import Interval
from mmme.io.moments_npz import read_moments
from mmme.io.table_npz import read_table
from mmme.study.evaluation import Run, Step, read_any_table, recognise, sha256_of, spot
from mmme.study.targets import recognise_action_units, recognise_ratings
from mmme.types import Result
from mmme.workers import Workers

__all__ = ["differences", "rerun"]

#: Probabilities and scores may differ by rounding in another build of a library.
SAME = 1e-9


def rerun(result: Result, folder: Path, *, workers: Workers, step: Step | None = None) -> Result:
    """
    Fit and predict again.

    Parameters
    ----------
    result
        As stored.
    folder
        Where its tables are.
    workers
        Where folds run.
    step
        Called with the task's name, folds done, and all.

    Returns
    -------
    Result
        Made anew; no `differences` means that the result repeats.

    Raises
    ------
    DataError
        If a table is missing or has changed since.
    """
    for name, digest in result.dataset["files"].items():
        if sha256_of(folder / name) != digest:
            raise DataError(
                f"{folder / name}: expected the table this result was made from, got another; was it made again?"
            )
    run = Run(load_config(result.config["run"], where=f"result '{result.title}'"), workers, step)
    if result.task == "recognition" and "classifiers" not in result.model:
        raise DataError(
            f"result '{result.title}': expected its classifiers in the model, got {', '.join(result.model)}; "
            "was it made by another version?"
        )
    if result.task == "recognition":
        files = zip(result.model["modalities"], result.dataset["files"], strict=True)
        return recognise(
            {modality: read_any_table(folder / file, run.config) for modality, file in files},
            result.model["classifiers"],
            title=result.title,
            dataset=result.dataset,
            classes=result.config["classes"],
            run=run,
            fusion=str(result.model.get("fusion", "")),
            without=str(result.model.get("without", "")),
            way=str(result.model.get("way", "")),
        )
    if result.task in ("action-units", "ratings"):
        return _again_of_target(result, folder, run)
    truth: dict[str, list[tuple[str, Interval]]] = {}
    columns = ("video", "kind", "onset_s", "offset_s")
    for video, kind, onset, offset in zip(*(result.truth[c] for c in columns), strict=True):
        truth.setdefault(video, []).append((kind, Interval(onset, offset)))
    again, _ = spot(
        {m: read_table(folder / f"{m}.npz") for m in result.model["modalities"]},
        read_moments(folder / "moments.npz"),
        truth,
        title=result.title,
        dataset=result.dataset,
        run=run,
    )
    return again


def _again_of_target(result: Result, folder: Path, run: Run) -> Result:
    """Evaluate action units or ratings again; the truth is the stored one."""
    files = zip(result.model["modalities"], result.dataset["files"], strict=True)
    tables = {modality: read_any_table(folder / file, run.config) for modality, file in files}
    rows = result.predictions["trial"]
    if result.task == "ratings":
        rated = dict(zip(rows, result.predictions["truth"], strict=True))
        table = next(iter(tables.values()))
        values = np.array([rated.get(row, np.nan) for row in table.trial_ids], dtype=np.float64)
        return recognise_ratings(
            tables, values, title=result.title, dataset=result.dataset, config=run.config, workers=run.workers
        )
    labels = result.protocol["labels"]
    shown = {
        row: tuple(int(name.removeprefix("AU")) for name in labels if result.predictions[f"truth:{name}"][k])
        for k, row in enumerate(rows)
    }
    return recognise_action_units(
        tables,
        result.model["classifiers"],
        shown,
        title=result.title,
        dataset=result.dataset,
        config=run.config,
        fusion=str(result.model.get("fusion", "")),
        without=str(result.model.get("without", "")),
        workers=run.workers,
    )


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _is_numeric(column: Sequence[Any]) -> bool:
    return all(value is None or isinstance(value, float | int) for value in column)


def differences(stored: Result, again: Result) -> str:
    """
    Compare two results: predictions first, then the scores that follow from them.

    Returns
    -------
    str
        Empty when all are the same; else what differs first. Numbers may differ by 1e-9; one that is missing on one side
        only differs.
    """
    if set(stored.predictions) != set(again.predictions):
        return f"columns {sorted(stored.predictions)} became {sorted(again.predictions)}"
    for name, column in stored.predictions.items():
        other = again.predictions[name]
        if len(column) != len(other):
            return f"{len(column)} predictions became {len(other)}"
        if _is_numeric(column) and _is_numeric(other):
            first, second = (np.array([_number(v) for v in c]) for c in (column, other))
            row = np.flatnonzero(~np.isclose(first, second, rtol=0, atol=SAME, equal_nan=True))
        else:
            row = np.flatnonzero([a != b for a, b in zip(column, other, strict=True)])
        if len(row):
            return f"{name} in row {row[0]}: {column[row[0]]} became {other[row[0]]}"
    computed = {(s.name, s.group): s.value for s in rescore(stored).scores}
    for score in stored.scores:
        value = computed.get((score.name, score.group), float("nan"))
        if not np.isclose(value, score.value, rtol=0, atol=SAME, equal_nan=True):
            return f"score {score.name} ({score.group}) is stored as {score.value}, its predictions give {value}"
    return ""
