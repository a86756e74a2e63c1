"""
One recogniser from all subjects of a study or of a table, with what must be known to apply it to somebody else.

Beside the classifiers stands what they were trained on: the whole run file, the classes, how fast the videos were and how
large the faces, how long the expressions. No row, no subject's code and no path is kept, but for the rows that a support
vector machine is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

import mmme
from mmme.config import RunConfig
from mmme.datasets.study import Study
from mmme.errors import ConfigError, DataError, ProtocolError
from mmme.evaluate import environment, load_result
from mmme.features.face.landmarks import FaceMesh
from mmme.io.bids_tsv import read_numbers
from mmme.models.catalogue import ENSEMBLES
from mmme.models.fusion.saved import STORABLE
from mmme.models.recogniser import Recogniser, fit_recogniser
from mmme.study.assembly import model_of
from mmme.study.describe import Described, code_hash
from mmme.study.evaluation import MODALITIES, read_any_table, sha256_of
from mmme.study.modalities import by_signal
from mmme.trials import unique_expressions
from mmme.types import FeatureTable

__all__ = ["FROM", "rule_of", "train_study", "train_table"]

From = Literal["face", "body", "both"]
FROM: tuple[From, ...] = ("face", "body", "both")
#: Frames looked at for the size of faces: that many recordings, evenly chosen, at that many places of each.
LOOKED_AT, PLACES = 20, (0.25, 0.5, 0.75)

Step = Callable[[str, int, int], None]


def rule_of(config: RunConfig) -> str:
    """
    Choose how face and body decide together: the product where the run file names it, else its first late rule.

    Raises
    ------
    ConfigError
        If the run file names no late rule.

    Examples
    --------
    >>> rule_of(RunConfig())
    'product'
    """
    named = [name for name in config.recognition.fusion if name in STORABLE]
    if not named:
        raise ConfigError(
            f"recognition.fusion: expected a late rule to train face and body together ({', '.join(STORABLE)}), got "
            f"{', '.join(config.recognition.fusion) or 'none'}; name one, or train from one of them"
        )
    return "product" if "product" in named else STORABLE[named[0]]


def train_study(
    described: Described,
    config: RunConfig,
    *,
    source: From | None = None,
    result: Path | None = None,
    step: Step | None = None,
) -> Recogniser:
    """
    Fit the models of a run file on all subjects of a described study.

    Parameters
    ----------
    described
        The study.
    config
        The run file it was described with.
    source
        ``face``, ``body`` or ``both``; None takes both where the body has any value, else the face.
    result
        A stored result of the same study and run file, whose scores are kept with the model.
    step
        Told of progress.

    Returns
    -------
    Recogniser
        To be written by `mmme.models.recogniser_files.save_recogniser`.

    Raises
    ------
    ProtocolError
        With fewer than 3 subjects, or a modality that cannot be learned.
    ConfigError
        If the run file names no late rule for both, or the result is of something else.
    """
    has_body = bool(described.tables["body"].valid.any())
    source = source or ("both" if has_body else "face")
    if source != "face" and not has_body:
        raise ProtocolError(f"training from {source}: expected physiology in the study, got none; use --from face")
    parts = MODALITIES if source == "both" else (source,)
    tables = {name: described.tables[name] for name in parts}
    if "body" in tables and tables["body"].X.ndim > 2:
        raise ConfigError(
            f"recognition.body_model: expected a model of columns to train, got '{config.recognition.body_model}'; "
            "networks of the body can be evaluated, not yet applied to a new recording"
        )
    if source == "both" and config.recognition.weigh_by_quality:
        tables["body-quality"] = described.tables["body-quality"]
    chosen = {"face": config.recognition.model, "body": config.recognition.body_model}
    info = described.study.info.class_map(config.rows.classes)
    about = {
        "dataset": {"name": described.study.name, "revision": described.study.revision},
        "simulated": described.study.simulated,
        "class_map": {word: name for word, name in info.items() if name},
        "from": source,
        "prepared": "",
        "signals": _signals(tables["body"]) if "body" in tables else [],
        "sampling": {**_of_videos(described.study, step), "duration_s": _durations(described, config)},
        **_about(tables, config, _scores(result, described.study.revision, config) if result else {}),
    }
    return _fitted(tables, {name: chosen[name] for name in parts}, rule_of(config) if len(parts) > 1 else "", config, about)


def train_table(path: Path, config: RunConfig, *, result: Path | None = None) -> Recogniser:
    """
    Fit the run file's model on all rows of one table (``.npz``): flow images of any corpus, or features of a face.

    Parameters
    ----------
    path
        In the layout of `mmme.io.flow_npz` or `mmme.io.table_npz`.
    config
        The run file; a table cannot tell whether its images were made as the file says.
    result
        A stored result of the same table and run file, whose scores are kept with the model.

    Raises
    ------
    DataError
        If the file is no such table, or holds features of a body.
    ProtocolError
        With fewer than 3 subjects.
    """
    table = read_any_table(path, config)
    if (
        table.columns
        and not table.columns[0].startswith(("u_", "v_", "strain_"))
        and config.recognition.face not in str(table.origin)
    ):
        raise DataError(
            f"{path.name}: expected features of a face described by '{config.recognition.face}', got "
            f"{', '.join(table.columns[:3])}, ...; name its descriptor in recognition.face, or train on the study"
        )
    own = "trial_ids" in _arrays_of(path)
    digest = sha256_of(path)
    about = {
        "dataset": {"name": path.stem, "revision": digest},
        "simulated": {"yes": True, "no": False}.get(table.origin.get("simulated", "")),
        "class_map": {},
        "from": "face",
        "prepared": "" if own else "standardised",
        "signals": [],
        "sampling": {},
        **_about({"face": table}, config, _scores(result, digest, config) if result else {}),
    }
    return _fitted({"face": table}, {"face": config.recognition.model}, "", config, about)


def _arrays_of(path: Path) -> set[str]:
    with np.load(path, allow_pickle=False) as archive:
        return set(archive.files)


def _fitted(
    tables: Mapping[str, FeatureTable], names: Mapping[str, str], rule: str, config: RunConfig, about: Mapping[str, Any]
) -> Recogniser:
    """Fit; one modality alone is calibrated as it would be in a product."""
    for name in names:
        if not tables[name].valid.any():
            raise ProtocolError(f"training: expected at least one value of the {name}, got none; leave it out")
    if config.rows.target != "emotion":
        raise ConfigError(f"rows.target: expected emotion to train a model on, got {config.rows.target}; evaluate that one")
    for model in names.values():
        if model in ENSEMBLES:
            raise ConfigError(f"model '{model}': expected one that can be stored, got an ensemble; train another")
    models = {name: model_of(model, config) for name, model in names.items()}
    return fit_recogniser(tables, models, names, rule=rule or "product", seed=config.seed, about=about)


def _about(tables: Mapping[str, FeatureTable], config: RunConfig, scores: Mapping[str, Any]) -> dict[str, Any]:
    """Return what every model tells of itself."""
    first = next(iter(tables.values()))
    return {
        "kind": config.rows.kind,
        "rows": {
            "n": len(first),
            "n_subjects": len(np.unique(first.subjects)),
            "by_class": {str(c): int((first.labels == c).sum()) for c in np.unique(first.labels)},
            "described": {n: int((t.reason == 0).reshape(len(t), -1).any(axis=1).sum()) for n, t in tables.items()},
        },
        "cross_validated": dict(scores),
        "config": config.model_dump(mode="json"),
        "mmme": mmme.__version__,
        "versions": environment(),
        "code": code_hash("types", "io", "align", "features"),
    }


def _signals(body: FeatureTable) -> list[str]:
    """Signals of which training rows have any value."""
    return [name for name, own in by_signal(body).items() if own.valid.any()]


def _durations(described: Described, config: RunConfig) -> list[float]:
    """Shortest and longest expression among the rows [s]; empty where none has an end."""
    rows = set(described.tables["face"].trial_ids)
    lengths = [
        e.duration_s
        for trial in described.trials
        for k, e in enumerate(unique_expressions(trial, min_iou=config.rows.duplicate_iou), start=1)
        if f"{trial.id}#{k}" in rows and e.duration_s > 0 and "offset" not in e.assumed
    ]
    return [round(min(lengths), 4), round(max(lengths), 4)] if lengths else []


def _of_videos(study: Study, step: Step | None) -> dict[str, Any]:
    """Return frame rates [Hz] of all videos, and widths of faces [px] in some of them."""
    rates, with_video = [], []
    for name in study.recordings:
        frames = study.files(name).frames
        if frames.exists():
            t = read_numbers(frames, ("t_s",))["t_s"]
            with_video.append(name)
            if len(t) > 1:
                rates.append(1.0 / float(np.median(np.diff(t))))
    widths = _widths(study, with_video, step)
    return {
        "frame_rate_hz": [round(min(rates), 3), round(max(rates), 3)] if rates else [],
        "face_width_px": [round(min(widths), 1), round(max(widths), 1)] if widths else [],
        "videos": len(with_video),
        "faces_measured": len(widths),
    }


def _widths(study: Study, names: Sequence[str], step: Step | None) -> list[float]:
    chosen = sorted({names[int(k)] for k in np.linspace(0, len(names) - 1, LOOKED_AT)}) if names else []
    found = []
    with FaceMesh() as finder:
        for done, name in enumerate(chosen, start=1):
            video = study.recording(name).streams["video"]
            looks = [finder.find(video.x[int(share * (len(video) - 1))]) for share in PLACES]
            seen = [float(np.ptp(points[:, 0])) for points in looks if points is not None]
            if seen:
                found.append(float(np.median(seen)))
            if step:
                step("size of faces", done, len(chosen))
    return found


def _scores(path: Path, revision: str, config: RunConfig) -> dict[str, Any]:
    """Scores of a stored result, when it is of the same data and run file."""
    stored = load_result(path)
    data = {stored.dataset.get("revision"), *dict(stored.dataset.get("files", {})).values()}
    faults = []
    if stored.task != "recognition":
        faults.append(f"expected recognition, got {stored.task}")
    if stored.config.get("run") != config.model_dump(mode="json"):
        faults.append("expected the run file of this training, got another")
    if revision not in data:
        faults.append("expected a result of the same data, got one of others")
    if faults:
        raise ConfigError(f"{path.name}: {'; '.join(faults)}; evaluate again, or leave --result away")
    return {
        "title": stored.title,
        "protocol": stored.protocol["name"],
        "scores": {s.name: [s.value, s.low, s.high] for s in stored.scores if s.group == "all"},
    }
