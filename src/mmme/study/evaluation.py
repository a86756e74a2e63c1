"""
Recognition and spotting on tables, and the tables and Results they leave on disk.

A Result names its table files with their SHA-256 and the folder they are in, seen from the Result's own.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmme import evaluate
from mmme.config import RunConfig
from mmme.errors import DataError, ProtocolError
from mmme.features.face.flow_images import pooled, standardised_images
from mmme.interval import Interval
from mmme.io.flow_npz import read_flow_npz
from mmme.io.moments_npz import Moments, write_moments
from mmme.io.table_npz import read_table, write_table
from mmme.models.catalogue import make_model, takes
from mmme.models.fusion import LateFusion
from mmme.models.spotting import intervals_from_likelihood
from mmme.study.describe import Described
from mmme.trials import unique_expressions
from mmme.types import FeatureTable, Result
from mmme.workers import Workers

__all__ = [
    "Run",
    "StudyResults",
    "evaluate_study",
    "evaluate_table",
    "read_any_table",
    "read_table_for",
    "recognise",
    "result_name",
    "sha256_of",
    "spot",
]

Step = Callable[[str, int, int], None]
Truth = Mapping[str, Sequence[tuple[str, Interval]]]

MODALITIES = ("face", "body")


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
    failures
        Runs that could not be made, with the sentence that says why.
    """

    results: tuple[Result, ...]
    curves: Mapping[str, evaluate.Curves]
    failures: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """The run file, where folds run, and whom to tell of progress."""

    config: RunConfig
    workers: Workers
    step: Step | None = None

    def progress(self, task: str) -> Callable[[int, int], None] | None:
        """Return what tells of one task."""
        step = self.step
        return (lambda done, total: step(task, done, total)) if step else None


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file; `DataError` when it is missing."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected a table (.npz), got no file") from error


def read_any_table(path: Path, config: RunConfig) -> FeatureTable:
    """Read either layout of a table as the run file's model takes it: images pooled to columns, or as they are."""
    return read_table_for(path, config, takes(config.recognition.model))


def read_table_for(path: Path, config: RunConfig, what: str) -> FeatureTable:
    """Read either layout of a table; images are pooled where ``columns`` are wanted."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            keys = set(archive.files)
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected a table (.npz), got no file") from error
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, AttributeError) as error:
        raise DataError(f"{path}: expected a table (.npz), got a file that is none; was it written completely?") from error
    # images of that layout are stretched one by one, so their zero and scale are arbitrary
    table = read_table(path) if "trial_ids" in keys else standardised_images(read_flow_npz(path))
    return pooled(table, block=config.face.pool) if table.X.ndim == 4 and what == "columns" else table


def _joined(tables: Mapping[str, FeatureTable]) -> FeatureTable:
    """All columns side by side; refuse a modality without a single value, which imputation would make up."""
    for name, table in tables.items():
        if not table.valid.any():
            reasons = ", ".join(sorted(r for r in table.reasons if r)) or "no rows"
            raise ProtocolError(f"{name}: expected at least one value, got none ({reasons}); leave the modality out")
    first, *others = tables.values()
    for table in others:
        first = first.joined(table)
    return first


def recognise(
    tables: Mapping[str, FeatureTable],
    classifiers: Mapping[str, str],
    *,
    title: str,
    dataset: Mapping[str, Any],
    classes: Sequence[str] | None,
    run: Run,
) -> Result:
    """
    Evaluate one recognition.

    Parameters
    ----------
    tables
        By modality, with the same rows; beside ``body`` its ``body-quality`` may stand, by which late fusion weighs it.
    classifiers
        Either one classifier for all columns, under any name, or one per modality, whose probabilities are averaged.
    title, dataset, classes
        As in `mmme.evaluate.run`.
    run
        How.
    """
    table, seed = _joined(tables), run.config.seed
    late = len(tables) > 1 and len(classifiers) > 1
    parts = {name: make_model(model, random_state=seed) for name, model in classifiers.items()}
    if late:
        ends = np.cumsum([t.X.shape[1] for t in tables.values()]).tolist()
        places = {n: list(range(end - t.X.shape[1], end)) for (n, t), end in zip(tables.items(), ends, strict=True)}
        columns = {name: places[name] for name in parts}
        quality = {
            name: [i for i in places[f"{name}-quality"] if table.columns[i].endswith("_quality")]
            for name in parts
            if f"{name}-quality" in places
        }
    estimator = LateFusion(parts, columns, quality=quality, random_state=seed) if late else next(iter(parts.values()))
    return evaluate.run(
        table,
        estimator,
        run.config.recognition.protocol,
        classes=classes,
        title=title,
        model={
            "name": " + ".join(classifiers.values()),
            "classifiers": dict(classifiers),
            "modalities": list(tables),
            "valid_share": {n: round(float(t.valid.mean()), 4) for n, t in tables.items()},
        },
        dataset=dataset,
        config={"run": run.config.model_dump(mode="json"), "classes": list(classes) if classes else None},
        seed=seed,
        n_bootstrap=run.config.scores.n_bootstrap,
        n_permutations=run.config.scores.n_permutations,
        by="dataset" if "dataset" in table.strata else None,
        workers=run.workers,
        progress=run.progress(f"recognise from {title}"),
    )


def spot(
    tables: Mapping[str, FeatureTable],
    moments: Moments,
    truth: Truth,
    *,
    title: str,
    dataset: Mapping[str, Any],
    run: Run,
) -> tuple[Result, evaluate.Curves]:
    """
    Evaluate one spotting.

    Parameters
    ----------
    tables
        Moments by modality, with the same rows.
    moments
        Where the rows lie.
    truth
        Coded kind and interval, by trial.
    title, dataset
        As in `mmme.evaluate.run_spotting`.
    run
        How.
    """
    config = run.config
    return evaluate.run_spotting(
        _joined(tables),
        times_s=moments.times_s,
        videos=moments.videos,
        spans=moments.spans,
        truth=truth,
        estimator=make_model(config.spotting.model, random_state=config.seed),
        decode=intervals_from_likelihood,
        n_inner=config.spotting.n_inner,
        min_iou=config.spotting.min_iou,
        title=title,
        model={"name": config.spotting.model, "modalities": list(tables)},
        dataset=dataset,
        config={"run": config.model_dump(mode="json")},
        seed=config.seed,
        n_bootstrap=config.scores.n_bootstrap,
        n_chance=config.scores.n_placements,
        workers=run.workers,
        progress=run.progress(f"spot from {title}"),
    )


def evaluate_table(path: Path, out: Path, run: Run) -> Result:
    """
    Evaluate one table on disk, flow images of any corpus or a feature table, and store the Result.

    Parameters
    ----------
    path
        ``.npz`` in the layout of `mmme.io.flow_npz` or `mmme.io.table_npz`.
    out
        Folder of the Result; made when missing.
    run
        How.

    Returns
    -------
    Result
        As stored in ``out``.

    Raises
    ------
    DataError
        If the file is missing or no such table.
    """
    digest = sha256_of(path)
    table = read_any_table(path, run.config)
    simulated = {"yes": True, "no": False}.get(table.origin.get("simulated", ""))
    folder = os.path.relpath(path.resolve().parent, out.resolve())
    dataset = {"name": path.stem, "folder": folder, "files": {path.name: digest}, "simulated": simulated}
    classifiers = {"all": run.config.recognition.model}
    result = recognise({path.stem: table}, classifiers, title=path.stem, dataset=dataset, classes=None, run=run)
    out.mkdir(parents=True, exist_ok=True)
    evaluate.save_result(result, out / result_name(result))
    return result


def evaluate_study(described: Described, out: Path, run: Run) -> StudyResults:
    """
    Recognise and spot from the face, from the body, and from both; store each Result as soon as it is made.

    Parameters
    ----------
    described
        A described study.
    out
        Existing folder for tables (``.npz``) and results (``.result.json``).
    run
        How.

    Returns
    -------
    StudyResults
        Recognition from face, body, both (early and late as the run file says), then spotting from face, body, both; what
        could not be made, for lack of a modality or of subjects, is among the failures and costs no other.
    """
    for name, table in described.tables.items():
        write_table(table, out / f"{name}.npz")
    moments = _moments(described)
    write_moments(moments, out / "moments.npz")
    results: list[Result] = []
    curves: dict[str, evaluate.Curves] = {}
    failures: list[tuple[str, str]] = []
    for task, title, modalities, classifiers in _plan(run.config):
        try:
            if task == "recognition":
                tables = {n: described.tables[n] for n in modalities}
                dataset = _dataset(described, out, [f"{n}.npz" for n in tables])
                classes = _classes(described, run.config)
                result = recognise(tables, classifiers, title=title, dataset=dataset, classes=classes, run=run)
            else:
                tables = {f"{n}-moments": described.tables[f"{n}-moments"] for n in modalities}
                dataset = _dataset(described, out, [*(f"{n}.npz" for n in tables), "moments.npz"])
                truth = _coded(described, run.config, moments)
                result, curves[title] = spot(tables, moments, truth, title=title, dataset=dataset, run=run)
        except ProtocolError as error:
            failures.append((f"{task} from {title}", str(error)))
            continue
        evaluate.save_result(result, out / result_name(result))
        results.append(result)
    if not results:
        raise ProtocolError(f"{described.study.name}: expected at least one result, got none; {failures[0][1]}")
    return StudyResults(tuple(results), curves, tuple(failures))


def _plan(config: RunConfig) -> list[tuple[str, str, tuple[str, ...], dict[str, str]]]:
    """Task, title, modalities and classifiers of every result of a study."""
    face, body, fusion = config.recognition.model, config.recognition.body_model, config.recognition.fusion
    plan: list[tuple[str, str, tuple[str, ...], dict[str, str]]] = [
        ("recognition", "face", ("face",), {"face": face}),
        ("recognition", "body", ("body",), {"body": body}),
    ]
    if fusion != "late":
        plan.append(("recognition", "face + body, early", MODALITIES, {"all": face}))
    if fusion != "early":
        trusted = (*MODALITIES, "body-quality") if config.recognition.weigh_by_quality else MODALITIES
        plan.append(("recognition", "face + body, late", trusted, {"face": face, "body": body}))
    spotted = (("face", ("face",)), ("body", ("body",)), ("face + body", MODALITIES))
    return plan + [("spotting", title, modalities, {}) for title, modalities in spotted]


def _classes(described: Described, config: RunConfig) -> list[str]:
    mapped = described.study.info.class_map(config.rows.classes)
    return sorted({c for c in mapped.values() if c})


def _dataset(described: Described, out: Path, files: Sequence[str]) -> dict[str, Any]:
    return {
        "name": described.study.name,
        "revision": described.study.revision,
        "folder": ".",
        "files": {name: sha256_of(out / name) for name in files},
        "simulated": described.study.simulated,
    }


def _coded(described: Described, config: RunConfig, moments: Moments) -> dict[str, list[tuple[str, Interval]]]:
    """Coded intervals of the searched trials, two coders' copies once; what has no duration cannot be hit."""
    return {
        trial.id: [
            (e.kind, e.interval) for e in unique_expressions(trial, min_iou=config.rows.duplicate_iou) if e.duration_s > 0
        ]
        for trial in described.trials
        if trial.id in moments.spans
    }


def result_name(result: Result) -> str:
    """Return the file name of a result: task and title."""
    words = "-".join(result.title.replace("+", " ").replace(",", " ").split())
    return f"{result.task}-{words}.result.json"


def _moments(described: Described) -> Moments:
    """Say where the rows that are moments lie; a row's name is ``<trial>#<k>``."""
    table = described.tables["face-moments"]
    videos = np.array([name.rpartition("#")[0] for name in table.trial_ids], dtype=np.str_)
    times_s = np.array([float(t) for t in table.strata["time_s"]], dtype=np.float64)
    searched = set(videos.tolist())
    return Moments(videos, times_s, {t.id: t.span for t in described.trials if t.id in searched})
