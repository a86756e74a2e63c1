"""
Align, cut and describe every recording of a study, and keep what was made beside it.

``STUDY/derivatives/mmme/store`` holds the feature tables, each under the hash of what it was made from, and
``sub-S01.json`` what else one recording gave: clocks, trials, findings, and the keys of its tables. A table is made anew
only when its recording, its own keys of the run file or the code changed; what was finished before an interruption stays.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

import mmme
from mmme.checks import check_study, check_trust
from mmme.config import RunConfig
from mmme.datasets.manifest import MANIFEST
from mmme.datasets.study import Study, open_study
from mmme.errors import ConfigError, DataError, unknown_name
from mmme.evaluate import environment
from mmme.features.body.network_inputs import BODY_INPUTS, describe_input
from mmme.features.body.signals import (
    Around,
    Body,
    BodySettings,
    describe_baselines,
    describe_moments,
    describe_quality,
    describe_spans,
    read_body,
)
from mmme.features.brain.cleaning import EegSettings
from mmme.features.face.clips import ClipSettings
from mmme.features.face.descriptors import FACE_DESCRIPTORS, describe_faces
from mmme.features.face.flow_images import pooled
from mmme.features.face.motion import motion_features
from mmme.features.tables import stack
from mmme.interval import Interval
from mmme.io.feature_store import FeatureStore, StoredTable, content_key
from mmme.models.catalogue import takes
from mmme.study.pulse import PulseAgreement, pulse_agreement, pulse_pairs
from mmme.study.recordings import aligned, cut_into_trials, design, findings_of
from mmme.trials import expression_samples, grid_samples, left_out, trial_samples
from mmme.types import ClockMap, Expression, FeatureTable, Finding, Sample, Stream, Timeline, Trial
from mmme.workers import Outcome, Workers

__all__ = [
    "Described",
    "RecordingJob",
    "body_settings",
    "classified",
    "code_hash",
    "derivatives",
    "describe_recording",
    "describe_study",
    "face_settings",
    "gather",
    "inputs_of",
    "prune",
    "stored_face_moments",
    "stored_tables",
    "trial_from_json",
]


#: Tables besides those of the face's descriptors.
TABLES = ("body", "body-quality", "body-moments", "body-trials", "body-baselines", "quality", "face-moments")


@dataclass(frozen=True, slots=True)
class RecordingJob:
    """One recording to describe: the study's folder, its name there, the run file."""

    study: Path
    recording: str
    config: RunConfig


#: Which inputs of networks a descriptor of the face is.
TENSORS = {"flow-images": "flow-image", "clips": "clip", "region-motion": "region-motion"}


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """
    All recordings of a study, described.

    Parameters
    ----------
    study
        Where it came from.
    tables
        Stacked over subjects: ``face`` (the descriptor that is classified), ``body`` (its columns, or the tensor that its
        network takes) and ``body-quality`` have one row per expression, ``body-trials``, ``body-baselines`` and ``quality``
        one per trial, ``face-moments`` and ``body-moments`` one per moment of a trial; ``au-evidence`` where the run file
        asks for it.
    trials
        Of all subjects.
    clocks
        By recording and device.
    findings
        Of all recordings.
    left_out
        Expressions whose emotion has no class in the class map, by emotion.
    pulse
        How the pulse of the face agrees with the ECG; None unless the run file asks for it.
    """

    study: Study
    tables: Mapping[str, FeatureTable]
    trials: tuple[Trial, ...]
    clocks: Mapping[str, Mapping[str, ClockMap]]
    findings: tuple[Finding, ...]
    left_out: Mapping[str, int]
    pulse: PulseAgreement | None = None


def derivatives(study: Path) -> Path:
    """Return the folder in which what is made from a study is kept."""
    return study / "derivatives" / "mmme"


def _store(study: Path) -> FeatureStore:
    return FeatureStore(derivatives(study) / "store")


def _description(study: Path, recording: str) -> Path:
    return derivatives(study) / f"sub-{recording}.json"


@lru_cache(maxsize=8)
def code_hash(*rooms: str) -> str:
    """Hash of the code that makes features, and of the libraries it stands on."""
    digest = hashlib.sha256(json.dumps(environment(), sort_keys=True).encode())
    package = Path(mmme.__file__).parent
    for room in rooms:
        for path in sorted((package / room).rglob("*.py")):
            digest.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def inputs_of(study: Study, recording: str) -> str:
    """Hash of a recording's files: what a person may correct as it is now, the large ones as the manifest has them."""
    files = study.files(recording)
    digest = hashlib.sha256()
    for path in sorted(files.folder.rglob(f"{files.stem}_*.tsv")):
        digest.update(path.name.encode() + path.read_bytes())
    manifest = study.path / MANIFEST
    lines = manifest.read_text(encoding="utf-8").splitlines() if manifest.exists() else [study.revision]
    own = [line for line in lines if line.rpartition("/")[2].startswith(f"{files.stem}_")]
    digest.update("\n".join(own or [study.revision]).encode())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Tables:
    """Makes the tables of one recording that the store does not hold, and remembers the keys of all."""

    store: FeatureStore
    made_from: Mapping[str, Any]
    origin: Mapping[str, str]
    keys: dict[str, str]

    def key(self, name: str, samples: Sequence[Sample], parameters: Mapping[str, Any]) -> dict[str, Any]:
        rows = content_key({"rows": [asdict(sample) for sample in samples]})
        return {**self.made_from, "table": name, "rows": rows, "parameters": parameters}

    def one(
        self, name: str, samples: Sequence[Sample], parameters: Mapping[str, Any], make: Callable[[], FeatureTable]
    ) -> None:
        made_from = self.key(name, samples, parameters)
        self.keys[name] = content_key(made_from)
        if self.keys[name] not in self.store:
            self._keep(make(), made_from)

    def faces(self, video: Stream, samples: Sequence[Sample], names: Sequence[str], settings: ClipSettings) -> None:
        made_from = {name: self.key(f"face {name}", samples, asdict(settings)) for name in names}
        self.keys.update({f"face {name}": content_key(parts) for name, parts in made_from.items()})
        missing = [name for name in names if self.keys[f"face {name}"] not in self.store]
        if missing:
            for name, table in describe_faces(video, samples, missing, settings=settings).items():
                self._keep(table, made_from[name])

    def _keep(self, table: FeatureTable, made_from: Mapping[str, Any]) -> None:
        self.store.publish(replace(table, origin={**table.origin, **self.origin}), made_from)


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
    study, config = open_study(job.study), job.config
    target, store = _description(job.study, job.recording), _store(job.study)
    inputs = inputs_of(study, job.recording)
    relevant = config.model_dump(
        include={"alignment", "rows", "face", "body", "eeg", "spotting", "recognition"}, mode="json"
    )
    code = code_hash("types", "io", "datasets", "align", "trials", "features", "checks", "study")
    coding = hashlib.sha256((study.path / "coding.tsv").read_bytes()).hexdigest()
    key = content_key({"inputs": inputs, "coding": coding, "config": relevant, "code": code})
    if target.exists():
        known = json.loads(target.read_text(encoding="utf-8"))
        if known["key"] == key and all(table in store for table in known["tables"].values()):
            return job.recording
    recording = study.recording(job.recording)
    timeline = aligned(recording, config)
    cut = cut_into_trials(study, job.recording, timeline)
    made_from = {
        "recording": job.recording,
        "inputs": inputs,
        "alignment": config.alignment.model_dump(mode="json"),
        "code": code_hash("types", "io", "align", "features"),
    }
    origin = {"simulated": "yes" if study.simulated else "no", "study": study.name}
    tables = _Tables(store, made_from, origin, {})
    _make_tables(tables, study, timeline, cut.trials, config)
    kind = None if config.rows.kind == "any" else config.rows.kind
    description = {
        "key": key,
        "tables": tables.keys,
        "versions": environment(),
        "left_out": left_out(cut.trials, kind=kind, class_of=study.info.class_map(config.rows.classes)),
        "clocks": {device: asdict(clock) for device, clock in timeline.clocks.items()},
        "trials": [_trial_as_json(trial) for trial in cut.trials],
        "findings": [asdict(f) for f in findings_of(study, job.recording, recording, timeline, cut)],
        "pulse": _pulse(timeline, cut.trials) if config.face.pulse else None,
    }
    partial = target.with_name(f".{target.name}.partial")
    partial.parent.mkdir(parents=True, exist_ok=True)  # a recording without any table made no store
    partial.write_text(json.dumps(description, indent=1), encoding="utf-8")
    os.replace(partial, target)  # noqa: PTH105 - a description is there whole or not at all
    return job.recording


def _make_tables(tables: _Tables, study: Study, timeline: Timeline, trials: Sequence[Trial], config: RunConfig) -> None:
    """Describe the expressions and the moments of a recording, face and body."""
    kind = None if config.rows.kind == "any" else config.rows.kind
    rows = expression_samples(
        trials, kind=kind, class_of=study.info.class_map(config.rows.classes), min_iou=config.rows.duplicate_iou
    )
    moments = grid_samples(trials, step_s=config.spotting.step_s)
    video = timeline.stream("video")
    if rows:  # a subject without an expression of the kind has nothing to recognise, and all the more to be searched
        tables.faces(video, rows, _descriptors(config), face_settings(config))
    tables.one("face-moments", moments, {}, lambda: motion_features(video, moments))
    _make_body_tables(tables, timeline, rows, moments, trial_samples(trials), config)


def _make_body_tables(
    tables: _Tables,
    timeline: Timeline,
    rows: Sequence[Sample],
    moments: Sequence[Sample],
    trials: Sequence[Sample],
    config: RunConfig,
) -> None:
    """Describe expressions, moments, trials and the pauses before them; signals are read once, when first needed."""
    settings, baseline_s = body_settings(config), config.body.trial_baseline_s
    parameters, pauses = asdict(settings), {**asdict(settings), "baseline_s": baseline_s}
    read: list[Body] = []

    def body() -> Body:
        if not read:
            read.append(read_body(timeline, settings))
        return read[0]

    if rows:
        tables.one("body", rows, parameters, lambda: describe_moments(body(), rows))
        tables.one("body-quality", rows, parameters, lambda: describe_quality(body(), rows))
        kind = takes(config.recognition.body_model)
        if kind in BODY_INPUTS:
            tables.one(f"body {kind}", rows, parameters, lambda: describe_input(body(), rows, kind))
    tables.one("body-moments", moments, parameters, lambda: describe_moments(body(), moments))
    tables.one("body-trials", trials, pauses, lambda: describe_spans(body(), trials, baseline_s=baseline_s))
    tables.one("body-baselines", trials, pauses, lambda: describe_baselines(body(), trials, baseline_s=baseline_s))
    tables.one("quality", trials, parameters, lambda: describe_quality(body(), trials, whole=True))


def body_settings(config: RunConfig) -> BodySettings:
    """Return what the run file asks of the body."""
    one = Around(config.body.before_s, config.body.after_s, config.body.baseline_s)
    return BodySettings(
        signals=config.body.signals,
        around=one if config.body.windows == "one" else None,
        min_quality=config.body.min_quality,
        eda_method=config.body.eda,
        eeg=EegSettings(
            low_hz=config.eeg.low_hz,
            high_hz=config.eeg.high_hz,
            line_hz=config.eeg.line_hz,
            reference=config.eeg.reference,
            bad=config.eeg.bad_channels,
            ica=config.eeg.ica,
            seed=config.seed,
        ),
        eeg_features=config.eeg.features,
        eeg_by=config.eeg.by,
        coupling=config.eeg.coupling,
    )


def _pulse(timeline: Timeline, trials: Sequence[Trial]) -> dict[str, list[Any]]:
    """Rates of face and ECG in windows inside the trials; nothing where there is no ECG."""
    if "ecg" not in timeline.streams:
        return {"face_bpm": [], "ecg_bpm": [], "why": []}
    video, ecg = timeline.stream("video"), timeline.stream("ecg")
    face_bpm, ecg_bpm, why = pulse_pairs(video, ecg, [trial.span for trial in trials])
    rates = {"face_bpm": face_bpm, "ecg_bpm": ecg_bpm}
    return {**{k: [float(x) if np.isfinite(x) else None for x in v] for k, v in rates.items()}, "why": why}


def face_settings(config: RunConfig) -> ClipSettings:
    """Return how the run file wants faces registered and described."""
    return ClipSettings(
        flow=config.face.flow,
        image_px=config.face.size_px,
        regions=config.face.regions,
        n_blocks=config.face.n_blocks,
        n_frames=config.face.n_frames,
        registration=config.face.registration,
    )


def _descriptors(config: RunConfig) -> tuple[str, ...]:
    """All that are asked for, with the one that is classified."""
    return tuple(dict.fromkeys((*config.face.descriptors, config.recognition.face)))


def _trial_as_json(trial: Trial) -> dict[str, Any]:
    return asdict(trial)


def trial_from_json(data: Mapping[str, Any]) -> Trial:
    """Make a trial of what `dataclasses.asdict` made of it."""
    expressions = tuple(
        Expression(**{**e, "aus": tuple(e["aus"]), "assumed": tuple(e["assumed"])}) for e in data["expressions"]
    )
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

    Raises
    ------
    ConfigError
        If a descriptor is not known, or the body's model takes what only a face has.
    """
    for name in _descriptors(config):
        if name not in FACE_DESCRIPTORS:
            raise unknown_name("descriptor of the face", name, FACE_DESCRIPTORS)
    kind = takes(config.recognition.body_model)
    if kind != "columns" and kind not in BODY_INPUTS:
        raise ConfigError(
            f"recognition.body_model: expected a model of columns, or a network of {', '.join(BODY_INPUTS)}, got "
            f"'{config.recognition.body_model}', which takes {kind}"
        )
    jobs = [RecordingJob(study, name, config) for name in open_study(study).recordings]
    outcomes: list[Outcome[RecordingJob, str]] = []
    for outcome in workers.as_completed(describe_recording, jobs):
        outcomes.append(outcome)
        if step:
            step("align, cut, describe", len(outcomes), len(jobs))
    return sorted(outcomes, key=lambda o: o.index)


def gather(study: Path, recordings: Sequence[str], config: RunConfig) -> Described:
    """
    Read the descriptions of the given recordings and stack their tables.

    Parameters
    ----------
    study
        Folder of the study.
    recordings
        Names whose description is finished.
    config
        The run file they were described with; it names the descriptor that is classified.

    Raises
    ------
    DataError
        If there is no recording, or a description is missing.
    ConfigError
        If the descriptor to be classified is an input of networks without columns.
    """
    if not recordings:
        raise DataError(f"{study}: expected at least one described recording, got none; see what `mmme features` reported")
    descriptions = {name: _read_description(study, name) for name in recordings}
    tables = {name: _stacked(study, descriptions, name) for name in TABLES}
    if all("face au-evidence" in d["tables"] for d in descriptions.values() if "body" in d["tables"]):
        tables["au-evidence"] = _stacked(study, descriptions, "face au-evidence")
    tables["face"] = classified(_stacked(study, descriptions, f"face {config.recognition.face}"), config)
    kind = takes(config.recognition.body_model)
    if kind in BODY_INPUTS:
        tables["body"] = _stacked(study, descriptions, f"body {kind}")
    trials = tuple(trial_from_json(t) for s in recordings for t in descriptions[s]["trials"])
    findings = tuple(Finding(**{**f, "rows": tuple(f["rows"])}) for s in recordings for f in descriptions[s]["findings"])
    opened = open_study(study)
    whole = tuple(f for f in opened.findings() if f.where.split()[0] not in opened.recordings)
    across = () if opened.info.clips else check_study(trials, design=design(opened))
    return Described(
        study=opened,
        tables=tables,
        trials=trials,
        clocks={s: {d: ClockMap(**c) for d, c in descriptions[s]["clocks"].items()} for s in recordings},
        findings=(*whole, *findings, *across, *check_trust(tables["quality"])),
        left_out=dict(sum((Counter(descriptions[s]["left_out"]) for s in recordings), Counter())),
        pulse=_agreement([d["pulse"] for d in descriptions.values()]) if config.face.pulse else None,
    )


def _agreement(pulses: Sequence[Mapping[str, list[Any]]]) -> PulseAgreement:
    """Compare face and ECG over the windows of all recordings."""
    face, ecg = (np.array([x for p in pulses for x in p[k]], dtype=np.float64) for k in ("face_bpm", "ecg_bpm"))
    return pulse_agreement(face, ecg, [why for p in pulses for why in p["why"]])


def _read_description(study: Path, recording: str) -> Any:
    path = _description(study, recording)
    if not path.exists():
        raise DataError(f"{path}: expected a description of {recording}, got none; run `mmme features {study}` first")
    return json.loads(path.read_text(encoding="utf-8"))


def _stacked(study: Path, descriptions: Mapping[str, Any], name: str) -> FeatureTable:
    """Rows of all recordings that have such a table."""
    store = _store(study)
    keys = [d["tables"][name] for d in descriptions.values() if name in d["tables"]]
    if not keys:
        raise DataError(f"{study}: expected expressions to describe, got none; does rows.kind of the run file fit?")
    return stack([store.read(key) for key in keys])


def stored_face_moments(study: Path, recording: str) -> FeatureTable | None:
    """
    Read how the face of one recording moves, as its description has it; None where it was not described.

    Parameters
    ----------
    study
        Folder of the study.
    recording
        Its name.
    """
    if not _description(study, recording).exists():
        return None
    key = _read_description(study, recording)["tables"].get("face-moments")
    return _store(study).read(key) if key else None


def classified(table: FeatureTable, config: RunConfig) -> FeatureTable:
    """Columns of the face that a classifier takes."""
    name = config.recognition.face
    wanted = takes(config.recognition.model)
    if table.X.ndim == 2 and wanted == "columns":
        return table
    if table.X.ndim > 2 and wanted == TENSORS.get(name):
        return table
    if name == "flow-images" and table.X.ndim == 4 and wanted == "columns":
        return pooled(table, block=config.face.pool)
    fitting = [n for n, kind in TENSORS.items() if kind == wanted] or ["a descriptor with columns, or flow-images"]
    raise ConfigError(
        f"recognition.face: expected {', '.join(fitting)}, got {name} of shape {table.X.shape[1:]}; model "
        f"'{config.recognition.model}' takes {wanted}"
    )


def stored_tables(study: Path) -> list[StoredTable]:
    """List the tables that the descriptions of a study refer to; their values are not read."""
    needed = _referred(study)
    return [entry for entry in _store(study).entries() if entry.key in needed]


def prune(study: Path) -> tuple[int, int]:
    """
    Delete tables that no description of a study refers to any more.

    Returns
    -------
    n_tables, n_bytes
        What was deleted.
    """
    return _store(study).prune(_referred(study))


def _referred(study: Path) -> set[str]:
    paths = derivatives(study).glob("sub-*.json")
    return {key for path in paths for key in json.loads(path.read_text(encoding="utf-8"))["tables"].values()}
