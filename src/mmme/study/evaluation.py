"""
Recognition and spotting on tables, and the tables and Results they leave on disk.

A Result names its table files with their SHA-256 and the folder they are in, seen from the Result's own.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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
from mmme.models.catalogue import NETWORKS_TAKE, make_model, takes
from mmme.models.fusion import LateFusion, make_fusion
from mmme.models.spotting import intervals_from_likelihood
from mmme.study.describe import Described
from mmme.study.modalities import by_signal, only_columns, signal_of
from mmme.trials import unique_expressions
from mmme.types import FeatureTable, Result
from mmme.workers import Workers

__all__ = [
    "Run",
    "StudyResults",
    "evaluate_study",
    "evaluate_table",
    "flat",
    "model_of",
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


def _filled(tables: Mapping[str, FeatureTable]) -> Mapping[str, FeatureTable]:
    """Refuse a modality without a single value, which imputation would make up."""
    for name, table in tables.items():
        if not table.valid.any():
            reasons = ", ".join(sorted(r for r in table.reasons if r)) or "no rows"
            raise ProtocolError(f"{name}: expected at least one value, got none ({reasons}); leave the modality out")
    return tables


def _joined(tables: Mapping[str, FeatureTable]) -> FeatureTable:
    """Put all columns side by side."""
    tables = _filled(tables)
    first, *others = tables.values()
    for table in others:
        first = first.joined(table)
    return first


def model_of(name: str, config: RunConfig) -> Any:
    """Build a model by name, networks with what the run file asks of their training."""
    if name not in NETWORKS_TAKE:
        return make_model(name, random_state=config.seed)
    asked: dict[str, Any] = {
        "epochs": config.network.epochs,
        "learning_rate": config.network.learning_rate,
        "batch_size": config.network.batch_size,
        "class_weights": config.network.class_weights,
        "focal_gamma": config.network.focal_gamma,
        "balanced_sampling": config.network.balanced_sampling,
        "label_smoothing": config.network.label_smoothing,
        "mirror": config.network.mirror,
    }
    return make_model(name, {k: v for k, v in asked.items() if v}, random_state=config.seed)


def flat(table: FeatureTable) -> FeatureTable:
    """Return a table whose rows are vectors; a tensor's values are named by their number."""
    if table.X.ndim == 2:
        return table
    X = table.X.reshape(len(table), -1)
    reason = np.repeat(table.reason[:, None], X.shape[1], axis=1)
    return replace(table, X=X, columns=tuple(f"value {k}" for k in range(X.shape[1])), reason=reason)


def _without(tables: Mapping[str, FeatureTable], signal: str) -> dict[str, FeatureTable]:
    """Leave one signal's columns out of the body's table."""
    if not signal:
        return dict(tables)
    body = tables["body"]
    return {**tables, "body": only_columns(body, [k for k, c in enumerate(body.columns) if signal_of(c) != signal])}


def _lacks_rows(table: FeatureTable) -> bool:
    return bool(np.any(table.reason))


def _fusion(
    tables: Mapping[str, FeatureTable], joined: FeatureTable, parts: Mapping[str, Any], fusion: str, seed: int
) -> Any:
    """Fuse one model per modality; a single network is fused with nothing, and rows without input get class shares."""
    ends = np.cumsum([int(np.prod(t.X.shape[1:])) for t in tables.values()]).tolist()
    sizes = (int(np.prod(t.X.shape[1:])) for t in tables.values())
    places = {n: list(range(end - size, end)) for n, end, size in zip(tables, ends, sizes, strict=True)}
    quality = {
        name: [i for i in places[f"{name}-quality"] if joined.columns[i].endswith("_quality")]
        for name in parts
        if f"{name}-quality" in places
    }
    columns = {name: places[name] for name in parts}
    if not fusion:
        return LateFusion(parts, columns, random_state=seed)
    return make_fusion(fusion, parts, columns, seed, quality=quality or None)


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
    seed = run.config.seed
    used = _without(tables, without)
    empty: list[str] = []
    if fusion == "hierarchical" and "body" in used:
        every = by_signal(used["body"])
        signals = {name: table for name, table in every.items() if table.valid.any()}
        empty = [name for name in every if name not in signals]
        classifiers = {k: v for k, v in classifiers.items() if k != "body"} | dict.fromkeys(signals, classifiers["body"])
        used = {k: v for k, v in used.items() if not k.startswith("body")} | signals
    parts = {name: model_of(model, run.config) for name, model in classifiers.items()}
    tensors = {name: table.X.shape[1:] for name, table in used.items() if table.X.ndim > 2}
    if not fusion and not (tensors and _lacks_rows(next(iter(used.values())))):
        table, estimator = next(iter(_filled(used).values())), next(iter(parts.values()))
    else:
        if fusion == "early" and tensors:
            raise ProtocolError(f"{title}: expected columns to join, got a tensor of {', '.join(tensors)}; fuse it late")
        for name, shape in tensors.items():
            parts[name if fusion else next(iter(parts))].set_params(shape=shape)
        table = _joined({name: flat(table) for name, table in used.items()})
        if not fusion:
            parts = dict(zip(used, parts.values(), strict=True))
        estimator = _fusion(used, table, parts, fusion, seed)
    way = way or _way_of(estimator, table, run)
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
            "name": " + ".join(classifiers.values()),
            "classifiers": dict(classifiers),
            "modalities": list(tables),
            "valid_share": {n: round(float(t.valid.mean()), 4) for n, t in tables.items()},
            "fusion": fusion,
            "without": without,
            "without_values": empty,
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


def _way_of(estimator: Any, table: FeatureTable, run: Run) -> str:
    """Time how the folds of a network are trained sooner; nothing for others."""
    if not hasattr(estimator, "way_for"):
        return ""
    folds = evaluate.splits(table, run.config.recognition.protocol, seed=run.config.seed)
    return str(estimator.way_for(table.X, table.labels, [(fold.train, fold.test) for fold in folds]))


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
    for planned in _plan(described, run.config):
        title = planned.title
        try:
            if planned.task == "recognition":
                tables = {n: described.tables[n] for n in planned.modalities}
                result = recognise(
                    tables,
                    planned.classifiers,
                    title=title,
                    dataset=_dataset(described, out, [f"{n}.npz" for n in tables]),
                    classes=_classes(described, run.config),
                    run=run,
                    fusion=planned.fusion,
                    without=planned.without,
                )
            else:
                tables = {f"{n}-moments": described.tables[f"{n}-moments"] for n in planned.modalities}
                dataset = _dataset(described, out, [*(f"{n}.npz" for n in tables), "moments.npz"])
                truth = _coded(described, run.config, moments)
                result, curves[title] = spot(tables, moments, truth, title=title, dataset=dataset, run=run)
        except ProtocolError as error:
            failures.append((f"{planned.task} from {title}", str(error)))
            continue
        evaluate.save_result(result, out / result_name(result))
        results.append(result)
    if not results:
        raise ProtocolError(f"{described.study.name}: expected at least one result, got none; {failures[0][1]}")
    return StudyResults(tuple(results), curves, tuple(failures))


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
    for fusion in config.recognition.fusion:
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
