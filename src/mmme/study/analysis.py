"""`mmme analyse`: an imported study -> what brain and body do around expressions, as tables, figures and a page."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmme.config import RunConfig
from mmme.datasets.study import open_study
from mmme.errors import DataError
from mmme.evaluate import environment
from mmme.features.brain.cleaning import EegSettings
from mmme.io.feature_store import content_key
from mmme.neuro.group import GroupAnalysis, GroupSettings, analyse_group
from mmme.neuro.subject import FaceMotion, SubjectAnalysis, SubjectSettings, analyse_subject, load_subject, save_subject
from mmme.study.describe import code_hash, derivatives, inputs_of, stored_face_moments, trial_from_json
from mmme.study.recordings import aligned, cut_into_trials
from mmme.study.validation import Validation, validate_trials
from mmme.types import FeatureTable, Trial
from mmme.workers import Outcome, Workers

__all__ = ["AnalysisJob", "StudyAnalysis", "analyse_recording", "analyse_study", "methods_text", "write_tables"]

#: Of the face's motion: within 0.2 s, about half of a micro-expression.
MOTION = "_0.2s"
Step = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class AnalysisJob:
    """One recording to analyse: the study's folder, its name there, the run file."""

    study: Path
    recording: str
    config: RunConfig


@dataclass(frozen=True, slots=True, eq=False)
class StudyAnalysis:
    """
    What `analyse_study` found.

    Parameters
    ----------
    name, simulated
        Of the study.
    subjects
        One per recording that could be analysed.
    group
        Subjects put together.
    validation
        Of the annotation.
    failures
        The sentence for each recording that could not be analysed.
    config
        The run file.
    versions
        Of the software.
    """

    name: str
    simulated: bool
    subjects: tuple[SubjectAnalysis, ...]
    group: GroupAnalysis
    validation: Validation
    failures: tuple[str, ...]
    config: RunConfig
    versions: Mapping[str, str]


def subject_settings(config: RunConfig) -> SubjectSettings:
    """Return what the run file asks of each recording."""
    return SubjectSettings(
        eeg=EegSettings(
            low_hz=config.eeg.low_hz,
            high_hz=config.eeg.high_hz,
            line_hz=config.eeg.line_hz,
            reference=config.eeg.reference,
            bad="interpolate",
            seed=config.seed,
        ),
        components=config.analysis.components,
        measure=config.eeg.coupling,
        still_before_s=config.analysis.still_before_s,
        still_after_s=config.analysis.still_after_s,
        min_iou=config.rows.duplicate_iou,
        max_lag_s=config.analysis.max_lag_s,
        n_draws=config.analysis.n_permutations,
        seed=config.seed,
    )


def _target(study: Path, recording: str) -> Path:
    return derivatives(study) / "analysis" / f"sub-{recording}.npz"


def analyse_recording(job: AnalysisJob) -> str:
    """
    Align, cut and measure one recording; keep a finished analysis that still holds.

    Parameters
    ----------
    job
        What to analyse.

    Returns
    -------
    str
        The recording's name.

    Raises
    ------
    MmmeError
        With the sentence that says why this recording cannot be analysed.
    """
    study, settings = open_study(job.study), subject_settings(job.config)
    table = stored_face_moments(job.study, job.recording)
    key = content_key(
        {
            "inputs": inputs_of(study, job.recording),
            "coding": content_key({"text": (study.path / "coding.tsv").read_text(encoding="utf-8")}),
            "alignment": job.config.alignment.model_dump(mode="json"),
            "settings": asdict(settings),
            "face": "" if table is None else content_key(dict(table.origin) | {"rows": list(table.trial_ids)}),
            "code": code_hash("types", "io", "align", "trials", "features", "neuro"),
        }
    )
    target = _target(job.study, job.recording)
    beside = target.with_suffix(".trials.json")
    if load_subject(target, key=key) is not None and beside.exists():
        return job.recording
    recording = study.recording(job.recording)
    timeline = aligned(recording, job.config)
    trials = cut_into_trials(study, job.recording, timeline).trials
    found = analyse_subject(timeline, trials, recording=job.recording, face=_motion(table), settings=settings)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = beside.with_name(f".{beside.name}.partial")
    partial.write_text(json.dumps([asdict(trial) for trial in trials]), encoding="utf-8")
    os.replace(partial, beside)  # noqa: PTH105 - atomic on every platform
    save_subject(found, target, key=key)
    return job.recording


def _motion(table: FeatureTable | None) -> FaceMotion | None:
    """Read the motion of the face from its description."""
    if table is None:
        return None
    columns = [k for k, name in enumerate(table.columns) if name.endswith(MOTION) and "strongest" not in name]
    t_s = np.asarray(table.strata["time_s"], dtype=np.float64)
    order = np.argsort(t_s, kind="stable")
    regions = np.asarray(table.X, dtype=np.float64)[order][:, columns]
    return FaceMotion(t_s[order], regions.mean(axis=1), regions)


def analyse_study(
    study: Path, config: RunConfig, *, workers: Workers, step: Step | None = None
) -> tuple[StudyAnalysis, list[Outcome[AnalysisJob, str]]]:
    """
    Analyse all recordings of a study, then put subjects together; a recording that fails costs no other.

    Parameters
    ----------
    study
        Folder that `mmme import` made. The face's motion is that of `mmme features`; without it there is no coupling.
    config
        The run file.
    workers
        Where recordings are analysed.
    step
        Called with a task, done, and all.

    Returns
    -------
    found
        All.
    outcomes
        One per recording, in order.

    Raises
    ------
    DataError
        If no recording could be analysed.
    """
    opened = open_study(study)
    jobs = [AnalysisJob(study, name, config) for name in opened.recordings]
    outcomes: list[Outcome[AnalysisJob, str]] = []
    for outcome in workers.as_completed(analyse_recording, jobs):
        outcomes.append(outcome)
        if step:
            step("measure recordings", len(outcomes), len(jobs))
    outcomes.sort(key=lambda o: o.index)
    failures = tuple(f"{o.item.recording}: {o.error}" for o in outcomes if o.error)
    done = [o.item.recording for o in outcomes if not o.error]
    subjects = tuple(one for name in done if (one := load_subject(_target(study, name))) is not None)
    if not subjects:
        raise DataError(f"{study}: expected at least one recording that can be analysed, got none; {'; '.join(failures)}")
    trials: list[Trial] = []
    for name in done:
        stored = json.loads(_target(study, name).with_suffix(".trials.json").read_text(encoding="utf-8"))
        trials += [trial_from_json(one) for one in stored]
    group = analyse_group(
        subjects,
        settings=GroupSettings(
            config.analysis.n_permutations, config.analysis.forming_p, config.seed, config.analysis.sources
        ),
        step=step,
    )
    validation = validate_trials(opened, trials, min_iou=config.rows.duplicate_iou, seed=config.seed)
    found = StudyAnalysis(opened.name, opened.simulated, subjects, group, validation, failures, config, environment())
    return found, outcomes


def methods_text(found: StudyAnalysis) -> str:
    """
    Write the methods paragraph: everything that was done, with every parameter.

    Parameters
    ----------
    found
        An analysis.
    """
    config, a = found.config, found.config.analysis
    n_pairs = {kind: sum(p.kind == kind for one in found.subjects for p in one.pairs) for kind in ("micro", "macro")}
    n_without = sum(len(one.without) for one in found.subjects)
    families = list(dict.fromkeys(str(q["family"]) for q in found.group.questions))
    components = (
        "The analysis was made twice, with and without the independent components of eyes, heart and muscles (Picard); "
        "tests are of the second, the first is shown beside them."
        if a.components
        else "No components were taken out; muscle power and eye movement are shown beside every effect."
    )
    people, n_recordings = len({one.subject for one in found.subjects}), len(found.subjects)
    sentences = [
        "All data are simulated." if found.simulated else "",
        (
            f"{people} subjects ({n_recordings} recordings) showed {n_pairs['micro']} micro- and {n_pairs['macro']} "
            f"macro-expressions that could be paired with a neutral moment; {n_without} could not."
        ),
        (
            f"Each neutral moment was drawn at random (seed {config.seed}) within the same trial, as long as its "
            f"expression, with a still face from {a.still_before_s:g} s before to {a.still_after_s:g} s after it."
        ),
        (
            f"EEG was brought to 250 Hz, band-passed {config.eeg.low_hz:g} to {config.eeg.high_hz:g} Hz (zero-phase FIR), "
            f"referenced to {config.eeg.reference}, bad channels interpolated by spherical splines."
        ),
        components,
        (
            "Epochs from -0.7 to 1.5 s around onset and apex, baseline -0.7 to -0.2 s before the onset; power by Morlet "
            "wavelets (theta 4.5 to 7.5, alpha 8.5 to 12, beta 14 to 26, gamma 31 to 41 Hz), in dB against the baseline of "
            "each epoch."
        ),
        (
            "Differences of subjects (expression less neutral moment, and micro less macro) were tested over channels and "
            f"times by cluster permutation (two-sided forming p {a.forming_p:g}, {a.n_permutations} sign flips)."
        ),
        (
            "Sources of potentials: sLORETA on spheres fitted to template places, grid of 10 mm, peaks of 500 "
            "resamplings of subjects."
            if a.sources
            else ""
        ),
        (
            f"Networks: {config.eeg.coupling} over epochs of 1.5 s from the onset, equal numbers of epochs on both sides, "
            f"network-based statistic (intensity, forming p {a.forming_p:g}), graphs at density 0.2 joined by the maximum "
            "spanning tree, small-world sigma against 20 rewired networks."
        ),
        (
            "Responses of the body: windows of 5 s (heart, vessels, skin), 8 s (breath, temperature) and 30 s around the "
            "onset (RMSSD); sign flips of subjects' means, and mixed models "
            "difference ~ 1 + (1 | subject) + (1 | stimulus), REML."
        ),
        (
            f"Coupling: circular cross-correlation of the face's motion with each signal, lags up to {a.max_lag_s:g} s, "
            f"{a.n_permutations} turned copies."
        ),
        (
            f"Families stated beforehand: {', '.join(families)}. Within a family, p was corrected by the largest "
            "standardised statistic over its questions, over families by Bonferroni; an effect is claimed below .05. "
            "Tables by emotion and by action unit are exploratory (false discovery rate)."
        ),
        f"Software: {', '.join(f'{k} {v}' for k, v in found.versions.items() if k != 'machine')}.",
    ]
    return " ".join(text for text in sentences if text)


def source_rows(group: GroupAnalysis) -> list[dict[str, Any]]:
    """Return one row per potential that has places in the head."""
    return [
        {
            "lock": lock,
            "contrast": contrast,
            "start_s": start,
            "stop_s": stop,
            "right_mm": found.peak_mm[0],
            "front_mm": found.peak_mm[1],
            "up_mm": found.peak_mm[2],
            "reach_mm": found.reach_mm,
            "n_subjects": found.n_subjects,
        }
        for (lock, contrast, start, stop), found in group.sources.items()
    ]


def write_tables(found: StudyAnalysis, out: Path) -> list[Path]:
    """
    Write every table as CSV, and ``analysis.json`` with questions, run file and versions.

    Parameters
    ----------
    found
        An analysis.
    out
        Folder.

    Returns
    -------
    list of Path
        Files written.
    """
    g = found.group
    tables: dict[str, Sequence[Mapping[str, Any]]] = {
        "questions": g.questions,
        "clusters": g.clusters,
        "sources": source_rows(g),
        "graphs": g.graphs,
        "responses": g.responses,
        "responses_by_emotion": g.by_emotion,
        "responses_by_action_unit": g.by_unit,
        "coupling": g.coupling,
        "coupling_by_group": g.coupling_by_group,
        "quality": g.quality,
        "events": g.events,
        **{f"validation_{name}": rows for name, rows in found.validation.tables.items()},
    }
    folder = out / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    written = [_write_csv(folder / f"{name}.csv", rows) for name, rows in tables.items() if rows]
    content = {
        "format": "mmme analysis",
        "version": 1,
        "study": found.name,
        "simulated": found.simulated,
        "questions": g.questions,
        "claims": [f"{c['family']}: {c['question']}" for c in g.claims],
        "run": found.config.model_dump(mode="json"),
        "versions": dict(found.versions),
        "notes": [*g.notes, *found.validation.notes],
        "failures": list(found.failures),
        "methods": methods_text(found),
    }
    target = out / "analysis.json"
    partial = target.with_name(f".{target.name}.partial")
    partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(partial, target)  # noqa: PTH105 - atomic on every platform
    return [*written, target]


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    os.replace(partial, path)  # noqa: PTH105 - atomic on every platform
    return path
