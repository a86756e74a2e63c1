"""
Run recognition and spotting on tables, store what a Result needs to be run again, and run it again.

A Result names its table files with their SHA-256. They lie beside it, or where ``--data`` says.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmme import evaluate
from mmme.config import RunConfig, load_config
from mmme.datasets.catalogue import dataset_info
from mmme.errors import DataError
from mmme.features.flow_images import pooled, standardised_images
from mmme.interval import Interval
from mmme.io.flow_npz import read_flow_npz
from mmme.io.moments_npz import Moments, read_moments, write_moments
from mmme.io.table_npz import read_table, write_table
from mmme.models.classical import make_model
from mmme.models.fusion import LateFusion
from mmme.models.spotting import intervals_from_likelihood
from mmme.study.describe import Described
from mmme.trials import unique_expressions
from mmme.types import FeatureTable, Result
from mmme.workers import Workers

__all__ = ["StudyResults", "evaluate_study", "evaluate_table", "rerun", "result_name", "same_predictions"]

Step = Callable[[str, int, int], None]
Truth = Mapping[str, Sequence[tuple[str, Interval]]]

MODALITIES = ("face", "body")
SAME = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class StudyResults:
    """
    What evaluating a study gave.

    Parameters
    ----------
    results
        Recognition first, then spotting.
    curves
        Likelihood curves of spotting, by the title of their result.
    """

    results: tuple[Result, ...]
    curves: Mapping[str, evaluate.Curves]


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file; `DataError` when it is missing."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected a table (.npz), got no file") from error


def read_any_table(path: Path, config: RunConfig) -> FeatureTable:
    """Read either layout of a table and pool tensors to columns."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            keys = set(archive.files)
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise DataError(f"{path}: expected a table (.npz), got {error}") from error
    # images of that layout are stretched one by one, so their zero and scale are arbitrary
    table = read_table(path) if "trial_ids" in keys else standardised_images(read_flow_npz(path))
    return pooled(table, block=config.face.pool) if table.X.ndim == 4 else table


def _fused(tables: Mapping[str, FeatureTable], fusion: str, config: RunConfig) -> tuple[FeatureTable, Any]:
    """Return one table and the estimator that reads it."""
    names = list(tables)
    joined = tables[names[0]]
    for name in names[1:]:
        joined = joined.joined(tables[name])
    seed = config.seed
    if fusion != "late":
        return joined, make_model(_model_name(names, config), random_state=seed)
    ends = np.cumsum([tables[n].X.shape[1] for n in names]).tolist()
    columns = {n: list(range(end - tables[n].X.shape[1], end)) for n, end in zip(names, ends, strict=True)}
    parts = {n: make_model(_model_name([n], config), random_state=seed) for n in names}
    return joined, LateFusion(parts, columns, random_state=seed)


def _model_name(modalities: Sequence[str], config: RunConfig) -> str:
    """Few bodily features want another classifier than many pixels."""
    return config.recognition.body_model if list(modalities) == ["body"] else config.recognition.model


def _recognise(
    tables: Mapping[str, FeatureTable],
    *,
    title: str,
    fusion: str,
    dataset: Mapping[str, Any],
    config: RunConfig,
    classes: Sequence[str] | None,
    workers: Workers,
    step: Step | None,
) -> Result:
    table, estimator = _fused(tables, fusion, config)
    names = [_model_name([n], config) for n in tables] if fusion == "late" else [_model_name(list(tables), config)]
    by = "dataset" if "dataset" in table.strata else None
    return evaluate.run(
        table,
        estimator,
        config.recognition.protocol,
        classes=classes,
        title=title,
        model={"name": " + ".join(names), "fusion": fusion, "modalities": list(tables)},
        dataset=dataset,
        config={"run": config.model_dump(mode="json"), "classes": list(classes) if classes else None},
        seed=config.seed,
        n_bootstrap=config.scores.n_bootstrap,
        n_permutations=config.scores.n_permutations,
        by=by,
        workers=workers,
        progress=(lambda done, total: step(f"recognise from {title}", done, total)) if step else None,
    )


def _spot(
    tables: Mapping[str, FeatureTable],
    moments: Moments,
    truth: Truth,
    *,
    title: str,
    dataset: Mapping[str, Any],
    config: RunConfig,
    workers: Workers,
    step: Step | None,
) -> tuple[Result, evaluate.Curves]:
    names = list(tables)
    joined = tables[names[0]]
    for name in names[1:]:
        joined = joined.joined(tables[name])
    return evaluate.run_spotting(
        joined,
        times_s=moments.times_s,
        videos=moments.videos,
        spans=moments.spans,
        truth=truth,
        estimator=make_model(config.spotting.model, random_state=config.seed),
        decode=intervals_from_likelihood,
        n_inner=3,
        min_iou=config.spotting.min_iou,
        title=title,
        model={"name": config.spotting.model, "modalities": names},
        dataset=dataset,
        config={"run": config.model_dump(mode="json")},
        seed=config.seed,
        n_bootstrap=config.scores.n_bootstrap,
        workers=workers,
        progress=(lambda done, total: step(f"spot from {title}", done, total)) if step else None,
    )


def evaluate_table(path: Path, config: RunConfig, *, workers: Workers, step: Step | None = None) -> Result:
    """
    Evaluate one table on disk: flow images of any corpus, or a feature table.

    Parameters
    ----------
    path
        ``.npz`` in the layout of `mmme.io.flow_npz` or `mmme.io.table_npz`.
    config
        The run file.
    workers
        Where folds run.
    step
        Called with the task's name, folds done, and all.

    Returns
    -------
    Result
        Which `rerun` can run again.

    Raises
    ------
    DataError
        If the file is missing or no such table.
    """
    dataset = {
        "name": path.stem,
        "folder": str(path.resolve().parent),
        "files": {path.name: sha256_of(path)},
        "simulated": False,
    }
    table = read_any_table(path, config)
    return _recognise(
        {path.stem: table},
        title=path.stem,
        fusion="none",
        dataset=dataset,
        config=config,
        classes=None,
        workers=workers,
        step=step,
    )


def _coded(described: Described, config: RunConfig) -> dict[str, list[tuple[str, Interval]]]:
    """Coded intervals of each trial, two coders' copies once; those without duration cannot be spotted and are left out."""
    return {
        trial.id: [
            (e.kind, e.interval) for e in unique_expressions(trial, min_iou=config.rows.duplicate_iou) if e.duration_s > 0
        ]
        for trial in described.trials
    }


def evaluate_study(
    described: Described, config: RunConfig, out: Path, *, workers: Workers, step: Step | None = None
) -> StudyResults:
    """
    Recognise and spot from the face, from the body, and from both; store tables and results in ``out``.

    Parameters
    ----------
    described
        A described study.
    config
        The run file.
    out
        Existing folder for tables (``.npz``) and results (``.result.json``).
    workers
        Where folds run.
    step
        Called with the task's name, folds done, and all.

    Returns
    -------
    StudyResults
        Recognition from face, body, both (early and late as the run file says), then spotting from face, body, both.
    """
    info = dataset_info(described.study.layout)
    classes = sorted({c for c in info.class_map(config.rows.classes).values() if c})
    truth = _coded(described, config)
    files = {}
    for name, table in described.tables.items():
        write_table(table, out / f"{name}.npz")
        files[name] = f"{name}.npz"
    moments = _moments(described)
    write_moments(moments, out / "moments.npz")

    def dataset_of(names: Sequence[str]) -> dict[str, Any]:
        return {
            "name": described.study.name,
            "revision": described.study.revision,
            "folder": str(out.resolve()),
            "files": {n: sha256_of(out / n) for n in names},
            "simulated": described.study.simulated,
        }

    results: list[Result] = []
    both = [("face + body, early", "early"), ("face + body, late", "late")]
    runs: list[tuple[str, tuple[str, ...], str]] = [("face", ("face",), "none"), ("body", ("body",), "none")]
    runs += [(title, MODALITIES, fusion) for title, fusion in both if config.recognition.fusion in (fusion, "both")]
    for title, names, fusion in runs:
        tables = {n: described.tables[n] for n in names}
        dataset = dataset_of([files[n] for n in names])
        results.append(
            _recognise(
                tables,
                title=title,
                fusion=fusion,
                dataset=dataset,
                config=config,
                classes=classes,
                workers=workers,
                step=step,
            )
        )
    curves = {}
    spot_runs: list[tuple[str, tuple[str, ...]]] = [("face", ("face",)), ("body", ("body",)), ("face + body", MODALITIES)]
    for title, names in spot_runs:
        tables = {f"{n}-moments": described.tables[f"{n}-moments"] for n in names}
        dataset = dataset_of([*(files[n] for n in tables), "moments.npz"])
        result, curves[title] = _spot(
            tables, moments, truth, title=title, dataset=dataset, config=config, workers=workers, step=step
        )
        results.append(result)
    for result in results:
        evaluate.save_result(result, out / result_name(result))
    return StudyResults(tuple(results), curves)


def result_name(result: Result) -> str:
    """Return the file name of a result: task and title."""
    words = "-".join(result.title.replace("+", " ").replace(",", " ").split())
    return f"{result.task}-{words}.result.json"


def _moments(described: Described) -> Moments:
    """Say where the rows that are moments lie; a row's name is ``<trial>#<k>``."""
    table = described.tables["face-moments"]
    videos = np.array([name.rpartition("#")[0] for name in table.trial_ids], dtype=np.str_)
    times_s = np.array([float(t) for t in table.strata["time_s"]], dtype=np.float64)
    return Moments(videos, times_s, {t.id: t.span for t in described.trials if t.id in set(videos.tolist())})


def rerun(result: Result, *, data: Path | None = None, workers: Workers, step: Step | None = None) -> Result:
    """
    Run a Result again from what it holds.

    Parameters
    ----------
    result
        As stored.
    data
        Folder of its tables, when they are no longer where they were.
    workers
        Where folds run.
    step
        Called with the task's name, folds done, and all.

    Returns
    -------
    Result
        Made anew; equal predictions mean that the result repeats.

    Raises
    ------
    DataError
        If a table is missing or has changed since.
    """
    folder = data or Path(str(result.dataset["folder"]))
    for name, digest in result.dataset["files"].items():
        if sha256_of(folder / name) != digest:
            raise DataError(
                f"{folder / name}: expected the table this result was made from, got another; has it been made again?"
            )
    config = load_config(result.config["run"], where=f"result '{result.title}'")
    if result.task == "recognition":
        modalities = result.model["modalities"]
        names = [n for n in result.dataset["files"] if n.endswith(".npz")]
        tables = {m: read_any_table(folder / n, config) for m, n in zip(modalities, names, strict=True)}
        return _recognise(
            tables,
            title=result.title,
            fusion=result.model["fusion"],
            dataset=result.dataset,
            config=config,
            classes=result.config["classes"],
            workers=workers,
            step=step,
        )
    tables = {m: read_table(folder / f"{m}.npz") for m in result.model["modalities"]}
    truth: dict[str, list[tuple[str, Interval]]] = {}
    columns = ("video", "kind", "onset_s", "offset_s")
    for video, kind, onset, offset in zip(*(result.truth[c] for c in columns), strict=True):
        truth.setdefault(video, []).append((kind, Interval(onset, offset)))
    again, _ = _spot(
        tables,
        read_moments(folder / "moments.npz"),
        truth,
        title=result.title,
        dataset=result.dataset,
        config=config,
        workers=workers,
        step=step,
    )
    return again


def same_predictions(first: Result, second: Result) -> str:
    """
    Compare the predictions of two results.

    Returns
    -------
    str
        Empty when all are the same; else what differs first. Probabilities may differ by 1e-9.
    """
    if set(first.predictions) != set(second.predictions):
        return f"columns {sorted(first.predictions)} became {sorted(second.predictions)}"
    for name, column in first.predictions.items():
        other = second.predictions[name]
        if len(column) != len(other):
            return f"{len(column)} predictions became {len(other)}"
        if column and isinstance(column[0], float):
            apart = np.abs(np.asarray(column, dtype=np.float64) - np.asarray(other, dtype=np.float64))
            if np.any(apart > SAME):
                row = int(np.nanargmax(apart))
                return f"{name} in row {row}: {column[row]} became {other[row]}"
        else:
            for row, (a, b) in enumerate(zip(column, other, strict=True)):
                if a != b:
                    return f"{name} in row {row}: {a} became {b}"
    return ""
