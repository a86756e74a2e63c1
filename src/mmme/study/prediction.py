"""
A stored recogniser applied to one new video, with or without physiology beside it.

Each expression is described with the run configuration that the model was trained with. A row outside of what the model
was trained on is refused: its class is withheld, and the sentence that says why stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmme.config import RunConfig, load_config
from mmme.errors import ConfigError, DataError
from mmme.features.body.signals import Body, describe_moments, describe_quality, read_body
from mmme.features.face.descriptors import describe_faces
from mmme.features.face.flow_images import standardised_images
from mmme.features.face.landmarks import FaceFinder, FaceMesh
from mmme.features.tables import missing_table
from mmme.io.video import open_video
from mmme.models.recogniser import Recogniser
from mmme.models.recogniser_files import load_recogniser
from mmme.study.decisions import predicted_rows
from mmme.study.describe import body_settings, classified, code_hash, face_settings
from mmme.study.moments_to_predict import FACTOR, Found, around_apex, beyond, given_interval, opened, spotted
from mmme.study.physiology_file import read_physiology
from mmme.study.prediction_files import write_prediction
from mmme.types import FeatureTable, Stream

__all__ = ["Predicted", "WhatToPredict", "predict_video"]

Step = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class WhatToPredict:
    """
    A video, what was recorded beside it, and which of its moments are asked for.

    Parameters
    ----------
    video
        Any container with a face in it.
    at
        Times of apexes [s].
    intervals
        Onset and offset, or onset, apex and offset, of each expression [s]. Without
        these and ``at`` the expressions are spotted.
    physio
        Files of physiology.
    lags_s
        By how much the clock of each file is ahead of the video's [s]; see `mmme.study.physiology_file.read_physiology`.
    accept_frame_rate
        Whether a frame rate beyond the training is accepted, and told.
    """

    video: Path
    at: tuple[float, ...] = ()
    intervals: tuple[tuple[float, ...], ...] = ()
    physio: tuple[Path, ...] = ()
    lags_s: tuple[float, ...] = ()
    accept_frame_rate: bool = False


@dataclass(frozen=True, slots=True)
class Predicted:
    """
    What was recognised in a video, and where it was written.

    Parameters
    ----------
    rows
        One mapping per expression, as in the JSON file.
    notes
        What was assumed, left out, or is to be known of the model, one sentence each.
    table, data
        The CSV and the JSON file.
    figure
        The PNG file; None without an expression.
    """

    rows: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    table: Path
    data: Path
    figure: Path | None


@dataclass(slots=True)
class _Notes:
    """Sentences, each once."""

    texts: list[str] = field(default_factory=list)

    def add(self, *texts: str) -> None:
        self.texts += [text for text in texts if text and text not in self.texts]


def predict_video(model: Path, asked: WhatToPredict, out: Path, *, step: Step | None = None) -> Predicted:
    """
    Recognise the expressions of a video and write ``<name>.predictions.csv``, ``.json`` and ``.png``.

    Parameters
    ----------
    model
        Folder that `mmme train` made.
    asked
        The video, and what of it.
    out
        Folder of the files; made when missing.
    step
        Told of progress.

    Returns
    -------
    Predicted
        An empty table where there is no expression.

    Raises
    ------
    DataError
        If the model is incomplete or changed, the video shows no face or has another frame rate, or a unit does not fit.
    ConfigError
        If a body is asked for without physiology, or physiology is given to a model of the face.
    """
    recogniser = load_recogniser(model)
    about = recogniser.about
    frames = open_video(asked.video)
    video = Stream("video", asked.video.name, frames.t_s, frames, "grey level")
    notes = _Notes()
    if about["simulated"]:
        notes.add("the model was trained on simulated data: its classes mean nothing for real faces")
    _check(recogniser, asked, video, notes)
    notes.add(*(f"{video.device}: {text}" for text in frames.findings))
    config = load_config(about["config"], where=f"{model}: run configuration")
    with FaceMesh() as finder:
        found = _moments(video, asked, about["kind"], finder, notes, step)
        ready = [
            opened(video, one, finder, face_settings(config), f"{asked.video.stem}#{k}")
            for k, one in enumerate(found, start=1)
        ]
        if ready and all(one.reason.startswith("no face") for one in ready):
            raise DataError(f"{video.device}: expected a face at the times given, got none")
        tables = _tables(recogniser, ready, video, asked, config, finder, notes)
    rows = predicted_rows(recogniser, tables, ready, video) if ready else []
    inputs = {
        "video": asked.video.name,
        "physiology": [path.name for path in asked.physio],
        "lag_s": list(asked.lags_s),
        "model": model.name,
    }
    table, data, figure = write_prediction(recogniser, out, asked.video.stem, inputs, rows, ready, notes.texts)
    return Predicted(tuple(rows), tuple(notes.texts), table, data, figure)


def _check(recogniser: Recogniser, asked: WhatToPredict, video: Stream, notes: _Notes) -> None:
    """Refuse what the model cannot take at all."""
    about = recogniser.about
    if "body" in recogniser.parts and recogniser.parts == ("body",) and not asked.physio:
        raise ConfigError("model of the body alone: expected --physio FILE, got none; give the physiology of this video")
    if "body" not in recogniser.parts and asked.physio:
        raise ConfigError("model of the face alone: expected no --physio, got some; leave it away, or train from both")
    if about["prepared"]:
        notes.add(
            "the model was trained on a table of images of another pipeline: this video's are made as the run file says, "
            "and whether the training's were cannot be known"
        )
    if about["code"] != code_hash("types", "io", "align", "features"):
        notes.add("the code or a library that describes faces and bodies is not that of the training: values may differ")
    known = about["sampling"].get("frame_rate_hz", [])
    rate_hz = 1.0 / float(np.median(np.diff(video.t)))
    if not known:
        notes.add("the frame rates of the training are not known: this video's was not compared")
    elif beyond(rate_hz, known):
        said = f"{rate_hz:.4g} frames per second, trained on {known[0]:.4g} to {known[1]:.4g}"
        if not asked.accept_frame_rate:
            raise DataError(
                f"{video.device}: expected a frame rate within a factor of {FACTOR:g} of the training's, got {said}; "
                "--accept-frame-rate goes on nevertheless"
            )
        notes.add(f"accepted on demand: {said}")


def _moments(
    video: Stream, asked: WhatToPredict, kind: str, finder: FaceFinder, notes: _Notes, step: Step | None
) -> list[Found]:
    """Expressions in order of time."""
    if not asked.at and not asked.intervals:
        found, said = spotted(video, kind, finder, step)
        notes.add(*said)
        if not found:
            notes.add(f"no {'expression' if kind == 'any' else kind + '-expression'} was found")
        return found
    given = [around_apex(video, apex_s, kind, finder) for apex_s in asked.at]
    given += [given_interval(video, interval) for interval in asked.intervals]
    return sorted(given, key=lambda one: one.sample.onset)


def _tables(
    recogniser: Recogniser,
    ready: Sequence[Found],
    video: Stream,
    asked: WhatToPredict,
    config: RunConfig,
    finder: FaceFinder,
    notes: _Notes,
) -> dict[str, FeatureTable]:
    """Describe the expressions as the training did."""
    samples = [one.sample for one in ready]
    tables: dict[str, FeatureTable] = {}
    if not samples:
        return tables
    if "face" in recogniser.inputs:
        tables["face"] = _faces(recogniser, ready, video, config, finder)
    if "body" not in recogniser.inputs:
        return tables
    settings = body_settings(config)
    if not asked.physio:
        notes.add("no physiology was given: decided by the face alone, calibrated as in training")
        for name in ("body", "body-quality"):
            if name in recogniser.inputs:
                tables[name] = missing_table(samples, recogniser.inputs[name].columns, "no physiology was given")
        return tables
    physiology = read_physiology(asked.physio, asked.lags_s, subject="new")
    notes.add(*physiology.notes)
    lacking = [name for name in recogniser.about["signals"] if name not in physiology.timeline.streams]
    if lacking:
        notes.add(
            f"the model knows {', '.join(lacking)}, which no file holds: their values are the medians of the training"
        )
    extra = sorted(n for n in physiology.timeline.streams if n.split("_")[0] not in recogniser.about["signals"])
    if extra:
        notes.add(f"recorded but unknown to the model, and not used: {', '.join(extra)}")
    body: Body = read_body(physiology.timeline, settings)
    tables["body"] = describe_moments(body, samples)
    if "body-quality" in recogniser.inputs:
        tables["body-quality"] = describe_quality(body, samples)
    return tables


def _faces(
    recogniser: Recogniser, ready: Sequence[Found], video: Stream, config: RunConfig, finder: FaceFinder
) -> FeatureTable:
    """Describe faces; rows without one are NaN with their reason."""
    taken, samples = recogniser.inputs["face"], [one.sample for one in ready]
    seen = [one.sample for one in ready if one.clip is not None]
    X = np.full((len(samples), *taken.shape), np.nan, dtype=np.float32)
    why = [one.reason for one in ready]
    if seen:
        with nullcontext(finder) as looking:
            name = config.recognition.face
            table = describe_faces(video, seen, [name], settings=face_settings(config), finder=looking)[name]
        if table.X.shape[1:] != (0,):
            if recogniser.about["prepared"] == "standardised" and table.X.ndim == 4:
                table = standardised_images(table)
            table = classified(table, config)
            if table.columns != taken.columns or tuple(table.X.shape[1:]) != taken.shape:
                raise DataError(
                    f"face: expected rows of shape {taken.shape} as in training, got {tuple(table.X.shape[1:])}; was the "
                    "model trained on a table of another size than face.size_px?"
                )
            place = {row: k for k, row in enumerate(table.trial_ids)}
            for k, one in enumerate(samples):
                if one.id in place:
                    X[k] = table.X[place[one.id]]
                    code = int(np.max(table.reason[place[one.id]]))
                    why[k] = table.reasons[code]
        else:
            why = [text or "the face cannot be described" for text in why]
    reasons = ["", *dict.fromkeys(text for text in why if text)]
    code_of = np.array([reasons.index(text) for text in why], dtype=np.uint16)
    gone = ~np.isfinite(X.reshape(len(X), -1)).all(axis=1)
    code_of = np.where(gone, code_of, 0).astype(np.uint16)
    return FeatureTable.build(
        X,
        taken.columns,
        [s.id for s in samples],
        [s.subject for s in samples],
        [s.stimulus for s in samples],
        [s.label for s in samples],
        reason=np.repeat(code_of[:, None], len(taken.columns), axis=1) if taken.columns else code_of,
        reasons=reasons,
    )
