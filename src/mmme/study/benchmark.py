"""
Many models, many seeds, one table: recognition under one protocol, with what was published beside it.

A run of one model under one seed is a `Result` of its own on disk. The table is made from these files, so that a benchmark
that was interrupted goes on, and everybody can recompute every row from its predictions.
"""

from __future__ import annotations

import inspect
import json
import os
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from mmme import evaluate
from mmme.config import RunConfig, load_config
from mmme.errors import ConfigError, DataError, ProtocolError
from mmme.metrics.uncertainty import holm
from mmme.models.catalogue import IS_RANDOM, NETWORKS_TAKE, model_names, takes
from mmme.study.assembly import model_of
from mmme.study.evaluation import Run, read_table_for, recognise, sha256_of
from mmme.types import FeatureTable, FoldwiseEstimator, Result
from mmme.workers import Workers

__all__ = ["BenchmarkRow", "benchmark_recognition", "default_models", "published", "summary"]

REFERENCE = "svm-linear"
TABLE = "recognition.json"
SYMBOLS = "0123456789abcdefghijklmnopqrstuvwxyz"  # one per class, in the order of the protocol's classes


@dataclass(frozen=True, slots=True)
class BenchmarkRow:
    """
    One model of the benchmark.

    Parameters
    ----------
    model
        Its name.
    seeds
        How many; one where nothing is random.
    scores
        Over the seeds, over all rows and per data set.
    against
        Difference of UF1 to the linear SVM on the same subjects: value, low, high, p, and p after Holm's correction over
        all models; empty for the SVM itself.
    cpu_s
        Mean CPU time of one whole evaluation [s].
    audit
        What the audit of its folds said.
    published
        UF1, UAR, source, and how the figures were obtained, where there are any.
    """

    model: str
    seeds: int
    scores: tuple[evaluate.SeedScore, ...]
    against: Mapping[str, float]
    cpu_s: float
    audit: str
    published: Mapping[str, Any]

    def score(self, name: str, group: str = "all") -> evaluate.SeedScore:
        """Return the score of that name and group."""
        return next(s for s in self.scores if (s.name, s.group) == (name, group))


@dataclass(frozen=True, slots=True)
class _Job:
    """One model under one seed."""

    path: Path
    model: str
    seed: int
    config: RunConfig
    digest: str
    out: Path


def published() -> dict[str, dict[str, Any]]:
    """Return what was printed for the MEGC2019 composite, by model."""
    text = resources.files("mmme.study").joinpath("published.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def default_models(kind: str) -> tuple[str, ...]:
    """Name all models that can read a table of columns or of flow images."""
    return tuple(name for name in model_names() if takes(name) in ("columns", kind))


def benchmark_recognition(
    path: Path,
    out: Path,
    config: RunConfig,
    *,
    models: Sequence[str] = (),
    seeds: int = 10,
    ready: bool = False,
    workers: Workers,
    step: Callable[[str, int, int], None] | None = None,
) -> tuple[BenchmarkRow, ...]:
    """
    Evaluate many models on one table; what is already in the folder is kept.

    Parameters
    ----------
    path
        Table of flow images or of features (``.npz``).
    out
        Folder of the Results and of ``recognition.json``. Runs that only a ``recognition.json`` there holds are not run
        again: their Results are made from its predictions, without probabilities.
    config
        Protocol, number of draws; its seed is the first.
    models
        Names; all that can read the table by default.
    seeds
        Of models in which something is random.
    ready
        Run nothing; make the table of what is in the folder. Rows then tell how many seeds each model has.
    workers
        Where models run, each on one core.
    step
        Called with a task, done, and all.

    Returns
    -------
    tuple of BenchmarkRow
        Highest UF1 first.

    Raises
    ------
    ConfigError
        If a model is not known or cannot read the table, there is no seed, or nothing is ready.
    ProtocolError
        After all were tried, if any model failed; the others are in the folder.
    """
    if seeds < 1:
        raise ConfigError(f"benchmark: expected at least 1 seed, got {seeds}")
    digest = sha256_of(path)
    kind = "flow-image" if _is_tensor(path, config) else "columns"
    chosen = tuple(models) or default_models(kind)
    for name in chosen:
        if takes(name) not in ("columns", kind):
            raise ConfigError(
                f"benchmark: model '{name}' takes {takes(name)}, expected one that takes {kind}, as {path.name} holds"
            )
    out.mkdir(parents=True, exist_ok=True)
    jobs = [
        _Job(path.resolve(), name, config.seed + k, config, digest, out.resolve())
        for k in range(seeds)
        for name in chosen
        if k == 0 or name in IS_RANDOM or name in NETWORKS_TAKE
    ]
    _restore(out, jobs)
    left = [job for job in jobs if not _is_done(job, out)]
    if ready:
        jobs, left = [job for job in jobs if job not in left], []
        if not jobs:
            raise ConfigError("benchmark: expected runs of this table and run file in the folder, got none that is ready")
    faults, done = [], len(jobs) - len(left)
    for outcome in workers.as_completed(_evaluated, left):
        if outcome.value is None:
            faults.append(f"{outcome.item.model}, seed {outcome.item.seed}: {outcome.error}")
        else:
            evaluate.save_result(outcome.value, out / _file_name(outcome.item))
        done += 1
        if step is not None:
            step("models and seeds", done, len(jobs))
    if faults:
        raise ProtocolError(f"benchmark ({len(faults)} of {len(jobs)} runs failed): {'; '.join(sorted(faults))}")
    results: dict[str, list[Result]] = {}
    for job in jobs:
        results.setdefault(job.model, []).append(evaluate.load_result(out / _file_name(job)))
    rows = summary(results, n_draws=config.scores.n_bootstrap)
    _write(rows, results, path, digest, config, out / TABLE)
    return rows


def _is_tensor(path: Path, config: RunConfig) -> bool:
    return read_table_for(path, config, "flow-image").X.ndim > 2


def _file_name(job: _Job) -> str:
    return f"{job.model}-{job.config.recognition.protocol}-seed{job.seed}.result.json"


def _is_done(job: _Job, out: Path) -> bool:
    """Tell whether the folder holds this run, of this table and run file."""
    path = out / _file_name(job)
    if not path.exists():
        return False
    try:
        stored = evaluate.load_result(path)
    except DataError:
        return False
    same_data = list(stored.dataset.get("files", {}).values()) == [job.digest]
    try:  # compared as read today, so that a key that came later, at its default, makes no difference
        same_run = load_config(stored.config.get("run", {})) == _config_of(job)
    except ConfigError:
        return False
    return same_data and same_run


def _restore(out: Path, jobs: Sequence[_Job]) -> None:
    """Write the Results of runs whose predictions only the folder's table holds, if it is of this data and run file."""
    try:
        stored = json.loads((out / TABLE).read_text(encoding="utf-8"))
        kept = {(row["model"], run["seed"]): run for row in stored["rows"] for run in row["runs"]}
        same = stored["table"]["sha256"] == jobs[0].digest and load_config(stored["run"]) == jobs[0].config
    except (OSError, ValueError, KeyError, ConfigError):
        return
    for job in jobs if same else ():
        run = kept.get((job.model, job.seed))
        if run is None or (out / _file_name(job)).exists():
            continue
        config = _config_of(job)
        table = read_table_for(job.path, config, takes(job.model))
        classes = stored["protocol"]["classes"]
        predictions: dict[str, list[Any]] = {
            "trial": list(table.trial_ids),
            "subject": table.subjects.tolist(),
            "stimulus": table.stimuli.tolist(),
            "truth": table.labels.tolist(),
            "pred": [classes[SYMBOLS.index(symbol)] for symbol in run["pred"]],
            "fold": _fold_names(table, config),
            "stratum": table.strata[by].tolist() if (by := stored["protocol"]["by"]) is not None else [""] * len(table),
        }
        scores, chance = evaluate.scores_from_predictions(
            predictions,
            classes,
            seed=job.seed,
            n_bootstrap=config.scores.n_bootstrap,
            n_permutations=config.scores.n_permutations,
        )
        result = Result(
            task="recognition",
            title=job.model,
            dataset=_dataset(job, table),
            protocol=stored["protocol"],
            model=run["model"],
            config={"run": config.model_dump(mode="json"), "classes": None},
            seed=job.seed,
            predictions=predictions,
            truth={},
            scores=scores,
            chance=chance,
            versions=run["versions"],
        )
        evaluate.save_result(result, out / _file_name(job))


def _fold_names(table: FeatureTable, config: RunConfig) -> list[str]:
    """Name the fold that tested each row."""
    names = np.full(len(table), "", dtype=object)
    for split in evaluate.splits(table, config.recognition.protocol, seed=config.seed):
        names[split.test] = split.name
    return [str(name) for name in names]


def _symbols(result: Result) -> str:
    """Write the predicted classes of all rows as one string."""
    classes = list(result.protocol["classes"])
    return "".join(SYMBOLS[classes.index(label)] for label in result.predictions["pred"])


def _dataset(job: _Job, table: FeatureTable) -> dict[str, Any]:
    return {
        "name": job.path.stem,
        "folder": os.path.relpath(job.path.parent, job.out),
        "files": {job.path.name: job.digest},
        "simulated": {"yes": True, "no": False}.get(table.origin.get("simulated", "")),
    }


def _config_of(job: _Job) -> RunConfig:
    """Return the run file of one run, so that `mmme rerun` can repeat it."""
    recognition = job.config.recognition.model_copy(update={"model": job.model})
    return job.config.model_copy(update={"recognition": recognition, "seed": job.seed})


def _evaluated(job: _Job) -> Result:
    """Evaluate one model under one seed, on one core."""
    if job.model in NETWORKS_TAKE:
        import torch

        torch.set_num_threads(1)  # two runs side by side are faster than one on two cores
    config = _config_of(job)
    table = read_table_for(job.path, config, takes(job.model))
    started = time.process_time()
    result = recognise(
        {job.path.stem: table},
        {"all": job.model},
        title=job.model,
        dataset=_dataset(job, table),
        classes=None,
        run=Run(config, Workers()),
    )
    cpu_s = time.process_time() - started
    said = str(_audited(table, model_of(job.model, config), config)) if job.seed == job.config.seed else ""
    return replace(result, model={**result.model, "cpu_s": round(cpu_s, 3), "audit": said})


def _audited(table: FeatureTable, estimator: Any, config: RunConfig) -> evaluate.Audit:
    """Audit what the evaluation does with one fold; estimators that share among folds are given two at once."""
    folds = evaluate.splits(table, config.recognition.protocol, seed=config.seed)

    def procedure(changed: FeatureTable, split: evaluate.Split) -> NDArray[np.str_]:
        model = clone(estimator)
        if not isinstance(model, FoldwiseEstimator):
            X, y = changed.X[split.train], changed.labels[split.train]
            asks = "groups" in inspect.signature(model.fit).parameters
            fitted = model.fit(X, y, groups=changed.subjects[split.train]) if asks else model.fit(X, y)
            return np.asarray(fitted.predict(changed.X[split.test]))
        other = next(f for f in folds if f.name != split.name)
        both = [(split.train, split.test), (np.setdiff1d(other.train, split.test), np.setdiff1d(other.test, split.test))]
        return np.asarray(model.predict_over_folds(changed.X, changed.labels, both, groups=changed.subjects)[0].pred)

    return evaluate.audit(procedure, table, config.recognition.protocol, n_folds=1, n_draws=1, seed=config.seed)


def summary(results: Mapping[str, Sequence[Result]], *, n_draws: int = 10_000) -> tuple[BenchmarkRow, ...]:
    """
    Make the table from Results.

    Parameters
    ----------
    results
        By model, one per seed, on the same rows.
    n_draws
        Draws behind intervals and comparisons.

    Returns
    -------
    tuple of BenchmarkRow
        Highest mean UF1 first.
    """
    reference = results.get(REFERENCE)
    against = {
        name: evaluate.compare(made, reference, n_draws=n_draws)
        for name, made in results.items()
        if reference is not None and name != REFERENCE
    }
    adjusted = dict(zip(against, holm([d.p for d in against.values()]), strict=True))
    known = published() if _is_composite(results) else {}
    rows = [
        BenchmarkRow(
            model=name,
            seeds=len(made),
            scores=evaluate.over_seeds(made, groups=True, n_draws=n_draws),
            against={**asdict(against[name]), "p_holm": adjusted[name]} if name in against else {},
            cpu_s=float(np.mean([r.model["cpu_s"] for r in made])),
            audit=next((str(r.model["audit"]) for r in made if r.model.get("audit")), ""),
            published=known.get(name, {}),
        )
        for name, made in results.items()
    ]
    return tuple(sorted(rows, key=lambda row: -row.score("UF1").mean))


def _is_composite(results: Mapping[str, Sequence[Result]]) -> bool:
    """Tell whether published figures belong beside: 442 clips of 68 subjects in three data sets."""
    first = next(iter(results.values()))[0]
    strata = {v for v in first.predictions["stratum"] if v}
    return len(first.predictions["trial"]) == 442 and len(set(first.predictions["subject"])) == 68 and len(strata) == 3


def _runs(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return what makes each run again: nothing where a protocol tests some rows only or has too many classes to write."""
    if len(results[0].protocol["classes"]) > len(SYMBOLS) or results[0].protocol["n_rows"] != len(
        results[0].predictions["pred"]
    ):
        return []
    return [{"seed": r.seed, "model": r.model, "versions": r.versions, "pred": _symbols(r)} for r in results]


def _write(
    rows: Sequence[BenchmarkRow],
    results: Mapping[str, Sequence[Result]],
    path: Path,
    digest: str,
    config: RunConfig,
    target: Path,
) -> None:
    first = next(iter(results.values()))[0]
    content = {
        "format": "mmme benchmark of recognition",
        "version": 1,
        "table": {
            "name": path.name,
            "sha256": digest,
            "rows": len(first.predictions["trial"]),
            "subjects": len(set(first.predictions["subject"])),
            "classes": list(first.protocol["classes"]),
            "simulated": first.dataset.get("simulated"),
        },
        "protocol": dict(first.protocol),
        "intervals": "95 %, subjects resampled with all seeds of a subject together",
        "against": f"mean UF1 over seeds minus that of {REFERENCE}; p from exchanging predictions subject by subject, "
        "p_holm over all models",
        "rows": [asdict(row) | {"runs": _runs(results[row.model])} for row in rows],
        "predictions": "pred of a run: for each row of the table the position of its class among the protocol's classes",
        "run": config.model_dump(mode="json"),
        "first_seed": config.seed,
        "versions": dict(first.versions),
    }
    temporary = target.with_name(f".{target.name}.partial")
    temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(temporary, target)  # noqa: PTH105 - atomic on every platform
