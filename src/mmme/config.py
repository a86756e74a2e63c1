"""
The run file: everything that can change a result, typed, documented, and nothing else.

How a run is carried out (``--jobs``, ``--scheduler``, ``--out``, ``--quiet``, ``--json``) is a flag, never a key here.
An unknown key is an error with a suggestion. The resolved configuration is stored in every Result.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mmme.errors import ConfigError, raise_faults

__all__ = ["RunConfig", "Section", "as_toml", "load_config", "validated"]

M = TypeVar("M", bound=BaseModel)


class Section(BaseModel):
    """A part of a TOML file: frozen, typed, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Alignment(Section):
    """How device clocks become one."""

    reference: str = Field(
        default="auto",
        description="Device whose clock is session time; auto: the EEG's, or without EEG the one with most markers.",
    )
    limit_ms: float = Field(
        default=10.0,
        gt=0,
        description="Refuse when the worst kept marker misfits by more [ms]; 1.5 frames at least for a camera.",
    )


class Rows(Section):
    """What is described and classified."""

    kind: Literal["micro", "macro", "any"] = Field(default="micro", description="Which expressions become rows.")
    target: Literal["emotion", "action-units", "valence", "arousal"] = Field(
        default="emotion",
        description="What is recognised: the class of the emotion, which action units are shown, or a rating.",
    )
    least_subjects: int = Field(
        default=3, ge=2, description="An action unit is evaluated when so many subjects show it, and so many lack it."
    )
    classes: str = Field(default="emotion3", description="Class map of the data set, for example emotion3 or emotion7.")
    duplicate_iou: float = Field(
        default=0.5, gt=0, le=1, description="Two coders' intervals at or above this IoU are one expression."
    )


class Face(Section):
    """How the face is described."""

    flow: Literal["dis", "dis-fast", "dis-twice", "tvl1", "farneback"] = Field(
        default="dis", description="Optical flow method."
    )
    registration: Literal["similarity", "affine"] = Field(
        default="similarity", description="How a face is brought to its place, at the onset and for the whole clip."
    )
    size_px: int = Field(default=28, ge=8, le=256, description="Side of the flow image [px].")
    pool: int = Field(default=2, ge=1, le=16, description="Side of the blocks that are averaged before a classifier [px].")
    descriptors: tuple[str, ...] = Field(
        default=("flow-images", "au-evidence"),
        description="What is computed of every expression; docs/descriptors.md has all names.",
        strict=False,
    )
    regions: Literal["blocks", "action-units"] = Field(
        default="blocks", description="Over what descriptors with regions are computed."
    )
    n_blocks: int = Field(default=5, ge=1, le=16, description="Rows, and columns, of blocks.")
    pulse: bool = Field(
        default=False,
        description="Report how the pulse in the colour of the face agrees with the ECG; reads every frame of the trials.",
    )
    n_frames: int = Field(default=16, ge=2, le=512, description="Length of clips and sequences brought to one length.")


class Body(Section):
    """How the body is described."""

    signals: tuple[str, ...] = Field(
        default=("eeg", "ecg", "ppg", "eda", "rsp", "skt"),
        description="Signals used, in this order; emg can be added.",
        strict=False,
    )
    windows: Literal["by-signal", "one"] = Field(
        default="by-signal",
        description="Around an apex: each signal's own window (docs/physiology.md), or one for all, from the next keys.",
    )
    before_s: float = Field(default=1.0, ge=0, le=60, description="With one window: its length before the apex [s].")
    after_s: float = Field(default=4.0, gt=0, le=60, description="With one window: its length from the apex on [s].")
    baseline_s: float = Field(
        default=5.0, gt=0, le=60, description="With one window: length of the baseline before it [s]."
    )
    trial_baseline_s: float = Field(
        default=10.0, ge=2, le=120, description="Trials are compared with at most this much of the pause before them [s]."
    )
    min_quality: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Windows with a lower quality index have no values of that signal; 0: all have.",
    )
    eda: Literal["highpass", "cvxeda"] = Field(
        default="highpass", description="How tonic and phasic conductance are told apart; cvxeda needs cvxopt."
    )


class Eeg(Section):
    """How the EEG is cleaned and described."""

    features: tuple[str, ...] = Field(
        default=("band-power", "frontal-asymmetry"),
        description="Families of features; docs/eeg.md has all names.",
        strict=False,
    )
    by: Literal["region", "channel", "both"] = Field(default="region", description="What a feature is computed for.")
    coupling: str = Field(
        default="wpli",
        description="Measure of connectivity and networks, for example wpli or plv; docs/connectivity.md.",
    )
    low_hz: float = Field(default=0.5, gt=0, le=10, description="Lower edge of the band-pass [Hz].")
    high_hz: float = Field(default=45.0, ge=20, le=100, description="Upper edge of the band-pass [Hz].")
    line_hz: Literal[0, 50, 60] = Field(
        default=0, description="Power line to be notched [Hz]; 0: none, it lies above the band."
    )
    reference: str = Field(
        default="average", description="average, mastoids, none, or names of channels with a space between."
    )
    bad_channels: Literal["list", "interpolate"] = Field(
        default="list", description="Bad channels are named and left out of regions, or replaced from their neighbours."
    )
    ica: Literal["none", "picard"] = Field(
        default="none", description="Take out components of eyes, heart and muscles; every rejection is recorded."
    )


class Recognition(Section):
    """How expressions are classified."""

    model: str = Field(
        default="svm-linear",
        description="Classifier of the face, and of face and body joined; `mmme evaluate --help` lists them.",
    )
    face: str = Field(default="flow-images", description="Descriptor of the face that is classified.")
    body_model: str = Field(default="lda", description="Classifier of the body alone, also within late fusion.")
    regressor: str = Field(default="ridge", description="Model of ratings: ridge, svr-linear, svr-rbf or forest.")
    protocol: str = Field(
        default="loso",
        description="loso, lovo, losovo (neither subject nor video seen), composite, cross-dataset, fixed-split, "
        "subject-kfold, or random-kfold (leaks, to show how much).",
    )
    fusion: tuple[str, ...] = Field(
        default=("early", "late", "product"),
        description="Face and body: early, late, weighted, product (recommended), stacked, fuzzy, hierarchical, tensor, "
        "cross-attention, contrastive; docs/fusion.md.",
        strict=False,
    )
    weigh_by_quality: bool = Field(
        default=False, description="Late fusion: the body's probabilities count as much as its signals' mean quality index."
    )
    leave_one_out: bool = Field(
        default=False, description="Fusion once more without each signal of the body, to see what each is worth."
    )


class Network(Section):
    """How networks are trained; 0 and false leave a network's own training as it is."""

    epochs: int = Field(default=0, ge=0, description="Passes over the training rows; the state after the last is used.")
    learning_rate: float = Field(default=0.0, ge=0, description="Step size.")
    batch_size: int = Field(default=0, ge=0, description="Rows of a step.")
    class_weights: bool = Field(default=False, description="Weigh rows so that classes count equally in the loss.")
    focal_gamma: float = Field(default=0.0, ge=0, le=10, description="Focal loss: rows that are right already count less.")
    balanced_sampling: bool = Field(default=False, description="Draw as many rows of each class in an epoch.")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="Share of certainty given to all classes.")
    mirror: bool = Field(
        default=False, description="Mirror half of the rows; horizontal motion changes its sign with its side."
    )


class Spotting(Section):
    """How expressions are found in long video."""

    step_s: float = Field(default=0.05, gt=0, le=1, description="Distance of the moments that are scored [s].")
    min_iou: float = Field(default=0.5, gt=0, le=1, description="A spotted interval hits at this IoU or above.")
    model: str = Field(
        default="logistic",
        description="Classifier of a moment (neutral, micro, macro), or a network that proposes intervals: "
        "temporal-convolution, region-graph-spotter, recurrent, window-transformer, three-stream.",
    )
    epochs: int = Field(default=24, ge=1, description="Passes of such a network over the training videos.")
    body: Literal["early", "rescored", "gate"] = Field(
        default="early",
        description="How the body joins the face there: as columns, by scoring proposals again, or as a gate by the slope "
        "of the heart rate.",
    )
    n_inner: int = Field(default=3, ge=2, description="Folds of training subjects on which thresholds are chosen.")


class Scores(Section):
    """How certain a score is."""

    n_bootstrap: int = Field(default=10_000, ge=100, description="Draws of subjects behind each 95 % interval.")
    n_permutations: int = Field(
        default=10_000, ge=100, description="Label permutations behind each chance level of recognition."
    )
    n_placements: int = Field(default=200, ge=20, description="Random placements behind each chance level of spotting.")


class Analysis(Section):
    """What brain and body do around expressions (`mmme analyse`)."""

    still_before_s: float = Field(default=1.0, ge=0, le=30, description="Still face before a neutral moment [s].")
    still_after_s: float = Field(default=4.0, ge=0, le=60, description="Still face after it [s].")
    components: bool = Field(
        default=True,
        description="EEG once more with the components of eyes, heart and muscles taken out; tests are then of that one.",
    )
    max_lag_s: float = Field(default=5.0, gt=0, le=30, description="Longest lag between face and body [s].")
    forming_p: float = Field(
        default=0.01, gt=0, le=0.1, description="Two-sided p of a point or link that may belong to a cluster."
    )
    n_permutations: int = Field(default=1000, ge=100, description="Permutations and surrogates behind each p.")
    sources: bool = Field(
        default=False, description="Places in a template head for potentials that differ (sLORETA on spheres)."
    )


class RunConfig(Section):
    """
    A whole run file, every key with its default.

    Examples
    --------
    >>> RunConfig().rows.kind
    'micro'
    """

    seed: int = Field(default=0, ge=0, description="Seed of everything random.")
    alignment: Alignment = Alignment()
    rows: Rows = Rows()
    face: Face = Face()
    body: Body = Body()
    eeg: Eeg = Eeg()
    recognition: Recognition = Recognition()
    network: Network = Network()
    spotting: Spotting = Spotting()
    scores: Scores = Scores()
    analysis: Analysis = Analysis()


def load_config(source: Path | Mapping[str, Any] | None, *, where: str = "run file") -> RunConfig:
    """
    Read a run file.

    Parameters
    ----------
    source
        A TOML file, a mapping (as stored in a Result), or None for all defaults.
    where
        Name used in messages when ``source`` is a mapping.

    Returns
    -------
    RunConfig
        Frozen and complete.

    Raises
    ------
    ConfigError
        If the file is missing or not TOML, a key is unknown (the nearest known key is named), or a value does not fit.

    Examples
    --------
    >>> load_config({"rows": {"kind": "macro"}}).rows.kind
    'macro'
    >>> load_config({"alignment": {"limit": 5.0}})
    Traceback (most recent call last):
        ...
    mmme.errors.ConfigError: run file: unknown key 'alignment.limit'; did you mean 'limit_ms'? (known: limit_ms, reference)
    """
    if source is None:
        return RunConfig()
    if isinstance(source, Path):
        where = str(source)
        try:
            data: Mapping[str, Any] = tomllib.loads(source.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ConfigError(f"{where}: expected a run file, got none; `mmme config` prints one with every key") from error
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{where}: expected TOML, got {error}") from error
    else:
        data = source
    return validated(RunConfig, data, where)


def validated(model: type[M], data: Mapping[str, Any], where: str) -> M:
    """
    Check data against a typed model, and tell every fault in our words.

    Parameters
    ----------
    model
        What the data should be.
    data
        As TOML gives it.
    where
        The file, for messages.

    Returns
    -------
    BaseModel
        The model, filled.

    Raises
    ------
    ConfigError
        Once for all unknown keys (each with the nearest known one) and values that do not fit.

    Examples
    --------
    >>> validated(Rows, {"kind": "macro"}, "run file").kind
    'macro'
    """
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        raise_faults(where, [_fault(model, dict(item)) for item in error.errors()], error=ConfigError)
        raise


def _fault(model: type[BaseModel], item: dict[str, Any]) -> str:
    """Turn one of pydantic's findings into our clause."""
    path = [str(part) for part in item["loc"]]
    name = ".".join(path)
    if item["type"] == "missing":
        return f"expected the key '{name}', got none"
    if item["type"] == "value_error":
        return f"{name}: {item['ctx']['error']}" if name else str(item["ctx"]["error"])
    if item["type"] != "extra_forbidden":
        return f"'{name}': {item['msg'][0].lower()}{item['msg'][1:]}, got {item['input']!r}"
    known = sorted(_section_at(model, path[:-1]).model_fields)
    near = difflib.get_close_matches(path[-1], known, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"unknown key '{name}'{hint} (known: {', '.join(known)})"


def _section_at(model: type[BaseModel], path: list[str]) -> type[BaseModel]:
    """Follow a path of keys to the model of the innermost section; keys of tables of sections are passed over."""
    section = model
    for part in path:
        if part not in section.model_fields:
            continue
        annotation = section.model_fields[part].annotation
        inner = [a for a in (annotation, *get_args(annotation)) if isinstance(a, type) and issubclass(a, BaseModel)]
        section = inner[0] if inner else section
    return section


def as_toml(config: RunConfig) -> str:
    """
    Write a run file with every key, its value and what it means.

    Examples
    --------
    >>> print(as_toml(RunConfig()).splitlines()[0])
    # Seed of everything random.
    """
    lines: list[str] = []
    for name, info in RunConfig.model_fields.items():
        value = getattr(config, name)
        if isinstance(value, BaseModel):
            lines += ["", f"# {(type(value).__doc__ or '').strip()}", f"[{name}]"]
            for key, field in type(value).model_fields.items():
                lines += [f"# {field.description}", f"{key} = {_toml_value(getattr(value, key))}"]
        else:
            lines += [f"# {info.description}", f"{name} = {_toml_value(value)}"]
    return "\n".join(lines) + "\n"


def _toml_value(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml_value(v) for v in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)
