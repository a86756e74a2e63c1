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
from mmme.errors import ConfigError, DataError, ProtocolError
from mmme.features.face.flow_images import pooled, standardised_images
from mmme.interval import Interval
from mmme.io.flow_npz import read_flow_npz
from mmme.io.moments_npz import Moments, write_moments
from mmme.io.table_npz import read_table, write_table
from mmme.models.catalogue import SPOTTERS, make_model, make_spotter, takes
from mmme.models.spotting import intervals_from_likelihood
from mmme.models.spotting_fusion import GatedSpotter, RescoredSpotter
from mmme.study.assembly import assembled, joined, model_facts, way_of
from mmme.study.describe import Described
from mmme.study.modalities import by_signal
from mmme.study.targets import coded_in, rated_in, recognise_action_units, recognise_ratings
from mmme.trials import action_units_by_row, unique_expressions
from mmme.types import FeatureTable, Result, Spotter
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
HEART_RATE_SLOPE = "hr_slope_bpm_per_s"


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


def recognise(
    tables: Mapping[str, FeatureTable],
    classifiers: Mapping[str, str],
    *,
    title: str,
    dataset: Mapping[str, Any],
    classes: Sequence[str] | None,
    run: Run,
    fusion: str = "",
    without: str = "",
    way: str = "",
) -> Result:
    """
    Evaluate one recognition.

    Parameters
    ----------
    tables
        By modality, with the same rows; beside ``body`` its ``body-quality`` may stand, by which late fusion weighs it.
    classifiers
        Of the one table, or one per modality.
    title, dataset, classes
        As in `mmme.evaluate.run`.
    run
        How.
    fusion
        Name of a fusion where there are several modalities; see `mmme.models.fusion.make_fusion`.
    without
        Signal of the body that is left out.
    way
        How the folds of a network are trained, ``one-by-one`` or ``stacked``; by default a short timing decides. The Result
        keeps it, for the two are equal to rounding only.
    """
    made = assembled(tables, classifiers, run.config, title=title, fusion=fusion, without=without)
    table, estimator = made.table, made.estimator
    way = way or way_of(estimator, table, run.config)
    if way:
        estimator.set_params(way=way)
    return evaluate.run(
        table,
        estimator,
        run.config.recognition.protocol,
        classes=classes,
        title=title,
        model={
            **({"way": way} if way else {}),
            **model_facts(tables, made),
            "fusion": fusion,
            "without": without,
        },
        dataset=dataset,
        config={"run": run.config.model_dump(mode="json"), "classes": list(classes) if classes else None},
        seed=run.config.seed,
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
) -> tuple[Result, evaluate.Curves | None]:
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

    Returns
    -------
    Result
        Scores with intervals.
    Curves or None
        Likelihoods; None from networks, which propose intervals.

    Raises
    ------
    ConfigError
        If the body is to join in a way that the model does not know, or has no heart rate for a gate.
    """
    config = run.config
    table = joined(tables)
    common: dict[str, Any] = {
        "times_s": moments.times_s,
        "videos": moments.videos,
        "spans": moments.spans,
        "truth": truth,
        "n_inner": config.spotting.n_inner,
        "min_iou": config.spotting.min_iou,
        "title": title,
        "model": {"name": config.spotting.model, "modalities": list(tables), "body": config.spotting.body},
        "dataset": dataset,
        "config": {"run": config.model_dump(mode="json")},
        "seed": config.seed,
        "n_bootstrap": config.scores.n_bootstrap,
        "n_chance": config.scores.n_placements,
        "workers": run.workers,
        "progress": run.progress(f"spot from {title}"),
    }
    if config.spotting.model in SPOTTERS:
        return evaluate.run_proposals(table, spotter=_spotter(tables, table, config), **common), None
    if config.spotting.body != "early":
        raise ConfigError(
            f"spotting.body = '{config.spotting.body}' needs a network that proposes intervals as spotting.model "
            f"({', '.join(SPOTTERS)}), got '{config.spotting.model}'"
        )
    estimator = make_model(config.spotting.model, random_state=config.seed)
    return evaluate.run_spotting(table, estimator=estimator, decode=intervals_from_likelihood, **common)


def _spotter(tables: Mapping[str, FeatureTable], table: FeatureTable, config: RunConfig) -> Spotter:
    """Make the network, and around it what brings the body in where there are both."""
    network = make_spotter(config.spotting.model, epochs=config.spotting.epochs, random_state=config.seed)
    if config.spotting.body == "early" or len(tables) < 2:
        return network
    n_face = len(next(iter(tables.values())).columns)
    if config.spotting.body == "rescored":
        return RescoredSpotter(network, n_face, min_iou=config.spotting.min_iou)
    slopes = [k for k, name in enumerate(table.columns[n_face:]) if name.endswith(HEART_RATE_SLOPE)]
    if not slopes:
        raise ConfigError(f"spotting.body = 'gate': expected a column {HEART_RATE_SLOPE} of the body, got none")
    return GatedSpotter(network, n_face, min_iou=config.spotting.min_iou, column=slopes[0])


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
    result = _of_table(table, path.stem, dataset, run)
    out.mkdir(parents=True, exist_ok=True)
    evaluate.save_result(result, out / result_name(result))
    return result


def _of_table(table: FeatureTable, name: str, dataset: Mapping[str, Any], run: Run) -> Result:
    """Evaluate the target that the run file asks for."""
    config = run.config
    classifiers = {"all": config.recognition.model}
    if config.rows.target == "emotion":
        return recognise({name: table}, classifiers, title=name, dataset=dataset, classes=None, run=run)
    shown = coded_in(table) if config.rows.target == "action-units" else {}
    return _of_target({name: table}, classifiers, shown, title=name, dataset=dataset, run=run)


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
    for planned in _plan(described, run.config):
        title = planned.title
        try:
            if planned.task == "recognition":
                result = _recognised(planned, described, out, run)
            else:
                tables = {f"{n}-moments": described.tables[f"{n}-moments"] for n in planned.modalities}
                dataset = _dataset(described, out, [*(f"{n}.npz" for n in tables), "moments.npz"])
                truth = _coded(described, run.config, moments)
                result, likelihoods = spot(tables, moments, truth, title=title, dataset=dataset, run=run)
                if likelihoods is not None:
                    curves[title] = likelihoods
        except ProtocolError as error:
            failures.append((f"{planned.task} from {title}", str(error)))
            continue
        evaluate.save_result(result, out / result_name(result))
        results.append(result)
    if not results:
        raise ProtocolError(f"{described.study.name}: expected at least one result, got none; {failures[0][1]}")
    return StudyResults(tuple(results), curves, tuple(failures))


def _recognised(planned: _Planned, described: Described, out: Path, run: Run) -> Result:
    """Evaluate one planned recognition of the target that the run file asks for."""
    config = run.config
    tables = {n: described.tables[n] for n in planned.modalities}
    dataset = _dataset(described, out, [f"{n}.npz" for n in tables])
    if config.rows.target == "emotion":
        return recognise(
            tables,
            planned.classifiers,
            title=planned.title,
            dataset=dataset,
            classes=_classes(described, config),
            run=run,
            fusion=planned.fusion,
            without=planned.without,
        )
    return _of_target(
        tables,
        planned.classifiers,
        action_units_by_row(described.trials, min_iou=config.rows.duplicate_iou),
        title=planned.title,
        dataset=dataset,
        run=run,
        fusion=planned.fusion,
        without=planned.without,
    )


def _of_target(
    tables: Mapping[str, FeatureTable],
    classifiers: Mapping[str, str],
    shown: Mapping[str, tuple[int, ...]],
    *,
    title: str,
    dataset: Mapping[str, Any],
    run: Run,
    fusion: str = "",
    without: str = "",
) -> Result:
    """Evaluate a target that is no class of emotions."""
    config = run.config
    progress = run.progress(f"{config.rows.target} from {title}")
    if config.rows.target == "action-units":
        return recognise_action_units(
            tables,
            classifiers,
            shown,
            title=title,
            dataset=dataset,
            config=config,
            fusion=fusion,
            without=without,
            workers=run.workers,
            progress=progress,
        )
    return recognise_ratings(
        tables,
        rated_in(next(iter(tables.values())), config.rows.target),
        title=title,
        dataset=dataset,
        config=config,
        workers=run.workers,
        progress=progress,
    )


@dataclass(frozen=True, slots=True)
class _Planned:
    """One result to be made."""

    task: str
    title: str
    modalities: tuple[str, ...]
    classifiers: Mapping[str, str]
    fusion: str = ""
    without: str = ""


def _plan(described: Described, config: RunConfig) -> list[_Planned]:
    """Every result of a study, in order."""
    chosen = {"face": config.recognition.model, "body": config.recognition.body_model}
    plan = [_Planned("recognition", name, (name,), {name: model}) for name, model in chosen.items()]
    rated = config.rows.target in ("valence", "arousal")
    for fusion in ("early",) if rated else config.recognition.fusion:  # regressors are joined by their columns only
        weighed = config.recognition.weigh_by_quality and fusion != "early"
        modalities = (*MODALITIES, "body-quality") if weighed else MODALITIES
        title = f"face + body, {fusion}"
        plan.append(_Planned("recognition", title, modalities, chosen, fusion))
        if config.recognition.leave_one_out:
            plan += [
                _Planned("recognition", f"{title}, without {signal}", modalities, chosen, fusion, signal)
                for signal in by_signal(described.tables["body"])
            ]
    spotted = (("face", ("face",)), ("body", ("body",)), ("face + body", MODALITIES))
    return plan + [_Planned("spotting", title, modalities, {}) for title, modalities in spotted]


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
