"""
Align, cut and describe every recording of a study, and keep what was made beside it.

``STUDY/derivatives/mmme/sub-S01/`` holds what one recording gave: four feature tables and ``description.json`` with clocks,
trials and findings. It is made under another name and renamed when complete; a finished one is kept as long as the
recording, the run file's relevant keys and the version of mmme are the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mmme import __version__
from mmme.checks import check_study
from mmme.config import RunConfig
from mmme.datasets.study import Study, open_study
from mmme.errors import DataError
from mmme.evaluate import environment
from mmme.features.body import body_features
from mmme.features.flow_images import flow_images, pooled
from mmme.features.motion import motion_features
from mmme.features.tables import stack
from mmme.interval import Interval
from mmme.io.table_npz import read_table, write_table
from mmme.study.recordings import aligned, cut_into_trials, design, findings_of
from mmme.trials import expression_samples, grid_samples, left_out
from mmme.types import ClockMap, Expression, FeatureTable, Finding, Trial
from mmme.workers import Outcome, Workers

__all__ = ["Described", "RecordingJob", "derivatives", "describe_recording", "describe_study", "gather"]

TABLES = ("face", "body", "face-moments", "body-moments")


@dataclass(frozen=True, slots=True)
class RecordingJob:
    """One recording to describe: the study's folder, its name there, the run file."""

    study: Path
    recording: str
    config: RunConfig


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """
    All recordings of a study, described.

    Parameters
    ----------
    study
        Where it came from.
    tables
        Stacked over subjects: ``face`` and ``body`` have one row per expression, ``face-moments`` and ``body-moments`` one
        per moment of a trial.
    trials
        Of all subjects.
    clocks
        By recording and device.
    findings
        Of all recordings.
    left_out
        Expressions whose emotion has no class in the class map, by emotion.
    """

    study: Study
    tables: Mapping[str, FeatureTable]
    trials: tuple[Trial, ...]
    clocks: Mapping[str, Mapping[str, ClockMap]]
    findings: tuple[Finding, ...]
    left_out: Mapping[str, int]


def derivatives(study: Path) -> Path:
    """Return the folder in which what is made from a study is kept."""
    return study / "derivatives" / "mmme"


def _key(study: Study, recording: str, config: RunConfig) -> str:
    """Hash of everything that can change a description."""
    relevant = config.model_dump(include={"alignment", "rows", "face", "body", "spotting"}, mode="json")
    made_from = [study.revision, *(hashlib.sha256(p.read_bytes()).hexdigest() for p in _small_files(study, recording))]
    text = json.dumps([__version__, environment(), made_from, recording, relevant], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _small_files(study: Study, recording: str) -> list[Path]:
    """Tables of a study that a person may correct: coded events, frame times, markers, channels."""
    return [study.path / "coding.tsv", *sorted(study.files(recording).folder.rglob(f"{study.files(recording).stem}*.tsv"))]


def describe_recording(job: RecordingJob) -> str:
    """
    Align, cut and describe one recording; keep a finished description that still holds.

    Parameters
    ----------
    job
        What to describe.

    Returns
    -------
    str
        The recording's name.

    Raises
    ------
    MmmeError
        With the sentence that says why this recording cannot be described.
    """
    study = open_study(job.study)
    target = derivatives(job.study) / f"sub-{job.recording}"
    key = _key(study, job.recording, job.config)
    if (target / "description.json").exists():
        if json.loads((target / "description.json").read_text(encoding="utf-8"))["key"] == key:
            return job.recording
        shutil.rmtree(target)
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)

    config = job.config
    info = study.info
    recording = study.recording(job.recording)
    timeline = aligned(recording, config)
    cut = cut_into_trials(study, job.recording, timeline)
    kind = None if config.rows.kind == "any" else config.rows.kind
    rows = expression_samples(
        cut.trials, kind=kind, class_of=info.class_map(config.rows.classes), min_iou=config.rows.duplicate_iou
    )
    moments = grid_samples(cut.trials, step_s=config.spotting.step_s)
    video = timeline.stream("video")
    origin = {"simulated": "yes" if study.simulated else "no", "study": study.name}
    if rows:  # a subject without an expression of the kind has nothing to recognise, and all the more to be searched
        images = flow_images(video, rows, size=config.face.size_px, method=config.face.flow)
        _keep(pooled(images, block=config.face.pool), partial / "face.npz", origin)
        _keep(body_features(timeline, rows, signals=config.body.signals), partial / "body.npz", origin)
    _keep(motion_features(video, moments), partial / "face-moments.npz", origin)
    _keep(body_features(timeline, moments, signals=config.body.signals), partial / "body-moments.npz", origin)
    description = {
        "key": key,
        "versions": environment(),
        "left_out": left_out(cut.trials, kind=kind, class_of=info.class_map(config.rows.classes)),
        "clocks": {device: asdict(clock) for device, clock in timeline.clocks.items()},
        "trials": [_trial_as_json(trial) for trial in cut.trials],
        "findings": [asdict(f) for f in findings_of(study, job.recording, recording, timeline, cut)],
    }
    (partial / "description.json").write_text(json.dumps(description, indent=1), encoding="utf-8")
    os.replace(partial, target)  # noqa: PTH105 - a description is there whole or not at all
    return job.recording


def _keep(table: FeatureTable, path: Path, origin: Mapping[str, str]) -> None:
    """Write a table that says what it was made from."""
    write_table(replace(table, origin={**table.origin, **origin}), path)


def _trial_as_json(trial: Trial) -> dict[str, Any]:
    return asdict(trial)


def _trial_from_json(data: Mapping[str, Any]) -> Trial:
    expressions = tuple(Expression(**{**e, "aus": tuple(e["aus"])}) for e in data["expressions"])
    return Trial(**{**data, "span": Interval(**data["span"]), "expressions": expressions})


def describe_study(
    study: Path,
    config: RunConfig,
    *,
    workers: Workers,
    step: Callable[[str, int, int], None] | None = None,
) -> list[Outcome[RecordingJob, str]]:
    """
    Describe all recordings of a study; one that fails is reported and costs no other.

    Parameters
    ----------
    study
        Folder that `mmme import` made.
    config
        The run file.
    workers
        Where recordings are described.
    step
        Called with the task's name, recordings done, and all.

    Returns
    -------
    list of Outcome
        One per recording, in order.
    """
    jobs = [RecordingJob(study, name, config) for name in open_study(study).recordings]
    outcomes: list[Outcome[RecordingJob, str]] = []
    for outcome in workers.as_completed(describe_recording, jobs):
        outcomes.append(outcome)
        if step:
            step("align, cut, describe", len(outcomes), len(jobs))
    return sorted(outcomes, key=lambda o: o.index)


def gather(study: Path, recordings: Sequence[str]) -> Described:
    """
    Read the descriptions of the given recordings and stack their tables.

    Parameters
    ----------
    study
        Folder of the study.
    recordings
        Names whose description is finished.

    Raises
    ------
    DataError
        If there is no recording, or a description is missing.
    """
    if not recordings:
        raise DataError(f"{study}: expected at least one described recording, got none; see what `mmme features` reported")
    folder = derivatives(study)
    descriptions: dict[str, Any] = {}
    for name in recordings:
        path = folder / f"sub-{name}" / "description.json"
        if not path.exists():
            raise DataError(f"{path}: expected a description of {name}, got none; run `mmme features {study}` first")
        descriptions[name] = json.loads(path.read_text(encoding="utf-8"))
    tables = {}
    for table in TABLES:
        files = [folder / f"sub-{s}" / f"{table}.npz" for s in recordings]
        there = [read_table(file) for file in files if file.exists()]
        if not there:
            raise DataError(f"{study}: expected expressions to describe, got none; does rows.kind of the run file fit?")
        tables[table] = stack(there)
    trials = tuple(_trial_from_json(t) for s in recordings for t in descriptions[s]["trials"])
    findings = tuple(Finding(**{**f, "rows": tuple(f["rows"])}) for s in recordings for f in descriptions[s]["findings"])
    opened = open_study(study)
    whole = tuple(f for f in opened.findings() if f.where.split()[0] not in opened.recordings)
    across = () if opened.info.clips else check_study(trials, design=design(opened))
    return Described(
        study=opened,
        tables=tables,
        trials=trials,
        clocks={s: {d: ClockMap(**c) for d, c in descriptions[s]["clocks"].items()} for s in recordings},
        findings=(*whole, *findings, *across),
        left_out=dict(sum((Counter(descriptions[s]["left_out"]) for s in recordings), Counter())),
    )
