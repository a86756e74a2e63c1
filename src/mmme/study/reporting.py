"""What the report shows of a study, of a table, or of stored results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmme.checks import Finding, check_result, check_table
from mmme.config import RunConfig, load_config
from mmme.datasets.study import open_study
from mmme.evaluate import load_result, rescore, splits
from mmme.interval import Interval
from mmme.report import ExampleTrial, ReportMaterial
from mmme.study.describe import Described
from mmme.study.evaluation import StudyResults, read_any_table
from mmme.study.modalities import left_out_table, mean_weights
from mmme.study.pulse import PulseAgreement
from mmme.study.recordings import aligned
from mmme.trials import unique_expressions
from mmme.types import FeatureTable, Result, Trial

__all__ = ["pulse_sentence", "report_of_results", "report_of_study", "report_of_table"]

SHOWN_SIGNALS = (("ecg", 1e3, "mV"), ("ppg", 1.0, "V"), ("eda", 1.0, "µS"), ("rsp", 1.0, "V"), ("skt", 1.0, "°C"))
SHOWN_MOTION = "motion_strongest_0.2s"
SHOWN_EEG = ("FZ", "OZ")
SHOWN_POINTS = 1500


def report_of_table(result: Result, path: Path) -> ReportMaterial:
    """Return the material of one evaluated table, which lies at ``path``."""
    table = read_any_table(path, load_config(result.config["run"]))
    n_subjects, n_rows = len(set(result.predictions["subject"])), len(result.predictions["subject"])
    facts = [
        ("data", f"{result.dataset['name']}: {n_rows} samples of {n_subjects} subjects"),
        _target(result),
        ("model", str(result.model["name"])),
        ("protocol", str(result.protocol["description"])),
    ]
    return ReportMaterial(
        title=f"Micro-expression recognition on {result.dataset['name']}",
        simulated=bool(result.dataset.get("simulated")),
        facts=facts,
        results=[result],
        findings=[*check_table(table, _folds(table, result)), *check_result(result)],
    )


def _target(result: Result) -> tuple[str, str]:
    """Say what was predicted, and how often there is each."""
    if result.task == "action-units":
        shown = {name: sum(result.predictions[f"truth:{name}"]) for name in result.protocol["labels"]}
        return ("action units", _counts(shown))
    if result.task == "ratings":
        low, high = min(result.predictions["truth"]), max(result.predictions["truth"])
        return ("ratings", f"{low:g} to {high:g}")
    return ("classes", _counted(result.predictions["truth"]))


def _folds(table: FeatureTable, result: Result) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return the folds that a recognition result used."""
    made = splits(table, str(result.protocol["name"]), seed=result.seed)
    return [(split.train, split.test) for split in made]


def report_of_results(paths: Sequence[Path], title: str) -> ReportMaterial:
    """Return the material of stored results, their scores recomputed from their predictions."""
    results = [rescore(load_result(path)) for path in paths]
    facts = [
        ("result", f"{path.name}: {r.task} from {r.title}, {r.dataset.get('name', '')}")
        for path, r in zip(paths, results, strict=True)
    ]
    return ReportMaterial(
        title=title,
        simulated=any(bool(r.dataset.get("simulated")) for r in results),
        facts=facts,
        results=results,
        findings=[f for r in results for f in check_result(r)],
        weights=_weights(results),
        without=_without(results),
    )


def report_of_study(
    described: Described, made: StudyResults, config: RunConfig, failures: Sequence[tuple[str, str]]
) -> ReportMaterial:
    """
    Return the material of an evaluated study, with two trials to look at.

    Parameters
    ----------
    described
        The recordings.
    made
        Results and curves.
    config
        The run file.
    failures
        Recordings that failed, with their sentence.
    """
    unique = [e for t in described.trials for e in unique_expressions(t, min_iou=config.rows.duplicate_iou)]
    rows = [e for t in described.trials for e in t.expressions]
    kinds = Counter(e.kind for e in unique)
    n_coders = len({e.coder for e in rows})
    n_moment = sum(e.duration_s == 0 for e in unique)
    table = described.tables["face"]
    facts = [
        ("data", described.study.name),
        ("recordings", f"{len(described.clocks)} described, {len(failures)} failed"),
        ("trials", str(len(described.trials))),
        (
            "expressions",
            f"{kinds['micro']} micro, {kinds['macro']} macro ({len(rows)} rows of {n_coders} coders)",
        ),
        ("recognised", f"{len(table)} expressions ({config.rows.kind}): {_counted(table.labels.tolist())}"),
        ("left out", f"{_counts(described.left_out) or 'none'} without a class; {n_moment} coded at one moment only"),
        ("models", ", ".join(f"{r.task} from {r.title}: {r.model['name']}" for r in made.results)),
    ]
    facts += _muscles(described)
    if described.pulse is not None:
        facts.append(("pulse of the face", pulse_sentence(described.pulse)))
    findings = [*described.findings, *(f for r in made.results for f in check_result(r))]
    folds = _folds(table, made.results[0]) if made.results[0].task == "recognition" else None
    for name in ("face", "body"):
        findings += check_table(described.tables[name], folds, where=f"table {name}")
    units, evidence = _evidence(described, made)
    shares, subjects, causes = _quality(described.tables["quality"])
    return ReportMaterial(
        title="Micro-expressions in face and body",
        simulated=described.study.simulated,
        facts=facts,
        results=made.results,
        clocks=described.clocks,
        limit_ms=config.alignment.limit_ms,
        findings=_in_order(findings),
        examples=[_example(t, described, made, config) for t in _worth_seeing(described.trials)],
        failures=[*failures, *made.failures],
        action_units=units,
        evidence=evidence,
        quality=shares,
        quality_subjects=subjects,
        quality_causes=causes,
        weights=_weights(made.results),
        without=_without(made.results),
    )


def _weights(results: Sequence[Result]) -> dict[str, dict[str, float]]:
    """Shares of the modalities in every whole fusion that tells them."""
    told = {r.title: mean_weights(r) for r in results if not r.model.get("without")}
    return {title: shares for title, shares in told.items() if len(shares) > 1}


def _without(results: Sequence[Result]) -> dict[str, list[tuple[str, float, float, float, float, float]]]:
    """Losses of fusions without a signal, as rows of a table."""
    return {
        title: [(r.signal.upper(), r.uf1, r.loss.value, r.loss.low, r.loss.high, r.loss.p) for r in rows]
        for title, rows in left_out_table(results).items()
    }


def _muscles(described: Described) -> list[tuple[str, str]]:
    """Say how much of what was recorded from the scalp muscles overlap."""
    said = []
    for name, what in (("body-quality", "windows around an expression"), ("quality", "trials")):
        table = described.tables[name]
        if "eeg_muscle_share" in table.columns:
            share = table.X[:, table.columns.index("eeg_muscle_share")]
            if np.isfinite(share).any():
                said.append(f"{100 * np.nanmean(share):.1f} % of the time of {what}")
    return [("muscles over the scalp", ", ".join(said))] if said else []


def _quality(table: FeatureTable) -> tuple[dict[str, NDArray[np.float64]], list[str], list[tuple[str, str]]]:
    """Arrange the quality of trials by signal, subject and order, and count what spoils it."""
    subjects = sorted(set(table.subjects.tolist()))
    rows = {s: np.flatnonzero(table.subjects == s) for s in subjects}
    widest = max(len(r) for r in rows.values())
    shares: dict[str, NDArray[np.float64]] = {}
    causes = []
    for k, column in enumerate(table.columns):
        if not column.endswith("_quality"):
            continue
        signal = column.removesuffix("_quality")
        cells = np.full((len(subjects), widest), np.nan)
        for i, own in enumerate(rows.values()):
            cells[i, : len(own)] = table.X[own, k]
        shares[signal.upper()] = cells
        said = Counter(c for c in table.strata[f"{signal} cause"].tolist() if c)
        if said:
            causes.append((signal.upper(), ", ".join(f"{why} ({n})" for why, n in said.most_common(4))))
    return shares, subjects, causes


def _evidence(described: Described, made: StudyResults) -> tuple[list[str], dict[str, NDArray[np.float64]]]:
    """Average the evidence of each action unit over the expressions of a class, as coded and as predicted from the face."""
    table = described.tables.get("au-evidence")
    if table is None or table.X.ndim != 2 or not table.columns:
        return [], {}
    columns = [k for k, name in enumerate(table.columns) if name.endswith("_evidence_px")]
    groups = {f"coded\n{name}": table.labels == name for name in sorted(set(table.labels.tolist()))}
    face = next((r for r in made.results if (r.task, r.title) == ("recognition", "face")), None)
    if face is not None:
        said = dict(zip(face.predictions["trial"], face.predictions["pred"], strict=True))
        pred = np.array([said.get(name, "") for name in table.trial_ids])
        groups |= {f"predicted\n{name}": pred == name for name in sorted(set(pred.tolist()) - {""})}
    values = table.X[:, columns].astype(np.float64)
    seen = np.isfinite(values).all(axis=1)
    units = [table.columns[k].removesuffix("_evidence_px").upper() for k in columns]
    return units, {
        f"{name}\n(n = {int((rows & seen).sum())})": values[rows & seen].mean(axis=0)
        for name, rows in groups.items()
        if (rows & seen).any()
    }


def pulse_sentence(found: PulseAgreement) -> str:
    """
    Say how the pulse of the face agrees with the ECG.

    Examples
    --------
    >>> from mmme.study.pulse import pulse_agreement
    >>> pulse_sentence(pulse_agreement(np.array([71.0, 82.0, np.nan]), np.array([70.0, 81.0, 64.0]), ["", "", "still"]))
    'a rate in 2 of 3 windows; face minus ECG 1.0 bpm, limits of agreement 1.0 to 1.0, 100 % within 3 bpm; none: still 1'
    """
    said = f"a rate in {found.with_face} of {found.windows} windows"
    if found.with_both:
        said += f"; face minus ECG {found.bias_bpm:.1f} bpm"
        if found.with_both > 1:
            said += f", limits of agreement {found.low_bpm:.1f} to {found.high_bpm:.1f}"
        said += f", {100 * found.within_3_bpm:.0f} % within 3 bpm"
    return said + (f"; none: {_counts(found.why_not)}" if found.why_not else "")


def _counted(labels: Sequence[str]) -> str:
    return _counts(Counter(labels))


def _counts(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in sorted(numbers.items()))


def _in_order(findings: Sequence[Finding]) -> list[Finding]:
    level = {"error": 0, "warning": 1, "note": 2}
    return sorted(findings, key=lambda f: (level[f.level], f.code, f.where))


def _worth_seeing(trials: Sequence[Trial]) -> list[Trial]:
    """Choose the first trial of each of two subjects that holds both kinds; fewer where there is none."""
    chosen: dict[str, Trial] = {}
    for trial in trials:
        if {e.kind for e in trial.expressions} == {"micro", "macro"}:
            chosen.setdefault(trial.subject, trial)
    return list(chosen.values())[:2]


def _example(trial: Trial, described: Described, made: StudyResults, config: RunConfig) -> ExampleTrial:
    truth = [(e.kind, e.interval) for e in unique_expressions(trial, min_iou=config.rows.duplicate_iou) if e.duration_s > 0]
    spotted: dict[str, list[tuple[str, Interval]]] = {}
    for result in made.results:
        if result.task == "spotting":
            columns = zip(*(result.predictions[c] for c in ("video", "kind", "onset_s", "offset_s")), strict=True)
            spotted[result.title] = [(kind, Interval(a, b)) for video, kind, a, b in columns if video == trial.id]
    return ExampleTrial(
        title=f"{trial.id}, {trial.stimulus}",
        start_s=trial.span.start,
        truth=truth,
        traces=_traces(trial, described, config),
        curves={title: curves.of(trial.id) for title, curves in made.curves.items()},
        spotted=spotted,
    )


def _traces(
    trial: Trial, described: Described, config: RunConfig
) -> Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64], str]]:
    """Read what was recorded in the trial, on the session clock, thinned to what a figure can show."""
    study = open_study(described.study.path)
    name = max((name for name in study.recordings if trial.id.startswith(name)), key=len)
    timeline = aligned(study.recording(name), config)
    traces: dict[str, tuple[NDArray[np.float64], NDArray[np.float64], str]] = {}
    motion = described.tables["face-moments"]
    rows = np.array([name.rpartition("#")[0] == trial.id for name in motion.trial_ids])
    if rows.any():
        times = np.array([float(t) for t in motion.strata["time_s"][rows]])
        column = motion.columns.index(SHOWN_MOTION)
        traces["face motion"] = (times, motion.X[rows, column].astype(np.float64), "px")
    if "eeg" in timeline.streams:
        eeg = timeline.streams["eeg"]
        part = eeg.between(trial.span)
        for channel in SHOWN_EEG:
            names = [c.upper() for c in eeg.channels]
            if channel in names:
                x = np.asarray(eeg.x[part], dtype=np.float64)[:, names.index(channel)] * 1e6
                traces[f"EEG {channel}"] = _thin(eeg.t[part], x - x.mean(), "µV")
    for name, factor, unit in SHOWN_SIGNALS:
        if name in timeline.streams:
            stream = timeline.streams[name]
            part = stream.between(trial.span)
            traces[name.upper()] = _thin(stream.t[part], np.asarray(stream.x[part], dtype=np.float64) * factor, unit)
    return traces


def _thin(
    t: NDArray[np.float64], x: NDArray[np.float64], unit: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], str]:
    step = max(1, len(t) // SHOWN_POINTS)
    return t[::step], x[::step], unit
