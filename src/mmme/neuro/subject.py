"""Everything that is measured of one recording before subjects are put together."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError, MmmeError
from mmme.features.body.signals import Body, BodySettings, read_body
from mmme.features.brain.clean import CleanEeg
from mmme.features.brain.cleaning import EegSettings, read_eeg
from mmme.features.brain.rate import lowered
from mmme.features.brain.reference import artefact_channels
from mmme.features.brain.time_frequency import morlet_power, n_cycles
from mmme.features.quality import Verdict
from mmme.interval import Interval
from mmme.neuro.coupling import LaggedRelation, canonical_correlation, gaussian_information, lagged_relation
from mmme.neuro.evoked import BANDS_HZ, EvokedSettings, LockedMeans, locked_means
from mmme.neuro.moments import Pair, matched_moments
from mmme.neuro.networks import condition_networks
from mmme.neuro.responses import COURSES, SIGNALS, course, response_columns, response_courses
from mmme.types import KINDS, Sample, Stream, Timeline, Trial

__all__ = [
    "LOCKS",
    "VARIANTS",
    "FaceMotion",
    "SubjectAnalysis",
    "SubjectSettings",
    "analyse_subject",
    "load_subject",
    "save_subject",
]

LOCKS = ("onset", "apex")
#: EEG with eye, heart and muscle components in it, and with them taken out.
VARIANTS = ("as recorded", "without components")
COUPLED = ("heart rate", "pulse amplitude", "phasic conductance", "breathing rate", "skin temperature")
#: Rows of the scalp whose band power is coupled with the face.
RHYTHMS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "frontal theta": ("theta", ("Fz", "FCz", "F1", "F2")),
    "posterior alpha": ("alpha", ("Pz", "POz", "Oz", "O1", "O2")),
}
STEP_S = 0.1
#: A piece that lacks more of the face is left out.
MOST_MISSING = 0.1
#: Surrogates of coupling by emotion and action unit, of which there are many; subjects' draws are combined anew.
GROUP_DRAWS = 200
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SubjectSettings:
    """
    What is measured of each recording.

    Parameters
    ----------
    eeg
        How the EEG is cleaned; bad channels are interpolated, so that maps of subjects can be put together, and components
        are taken out in one of two variants, whatever it says of both.
    components
        Whether the variant without components is made (most of the time of an analysis).
    evoked
        Windows of event-locked means.
    measure
        Of connectivity.
    still_before_s, still_after_s
        How long the face is still around a neutral moment [s].
    min_iou
        Of two coders' rows of one expression.
    max_lag_s
        Between face and body [s].
    n_draws
        Surrogates of coupling.
    seed
        Of everything random.
    """

    eeg: EegSettings = field(default_factory=EegSettings)
    components: bool = True
    evoked: EvokedSettings = field(default_factory=EvokedSettings)
    measure: str = "wpli"
    still_before_s: float = 1.0
    still_after_s: float = 4.0
    min_iou: float = 0.5
    max_lag_s: float = 5.0
    n_draws: int = 1000
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class FaceMotion:
    """
    How much a face moves.

    Parameters
    ----------
    t_s : (n,)
        Session times [s], increasing within trials.
    x : (n,)
        Intensity [px]; NaN where no face was found.
    regions : (n, n_regions)
        The same by region.
    """

    t_s: NDArray[np.float64]
    x: NDArray[np.float64]
    regions: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SubjectAnalysis:
    """
    What `analyse_subject` measured.

    Parameters
    ----------
    subject, recording
        Whose.
    pairs
        Expressions with their neutral moments.
    without
        Expressions without one.
    evoked
        By variant and lock.
    eyes
        By lock and condition: mean modulus of the eye channels [µV] against the baseline, ``(n_times,)``.
    networks
        By band and condition, ``(n_channels, n_channels)``.
    network_channels
        Of their rows.
    network_counts
        Pairs behind them, by kind.
    responses
        By column, then ``shown`` and ``neutral``, ``(n_pairs,)``.
    courses_t_s : (n_times,)
        Of the courses [s].
    courses
        By name, then ``shown`` and ``neutral``, ``(n_pairs, n_times)``.
    lags
        By scope (``continuous``, ``around expressions``) and signal.
    lags_by_group
        The same around the expressions of one emotion (``emotion happy``) or with one action unit (``unit AU4``), of fewer
        surrogates.
    quality
        One row per signal: share of its time that can be trusted, and what speaks against the rest.
    information
        By signal: bits shared with the face, then those of turned copies, ``(1 + n,)``; ``canonical`` is the first
        canonical correlation of all regions with all signals.
    notes
        Sentences about what could not be measured.
    """

    subject: str
    recording: str
    pairs: tuple[Pair, ...]
    without: tuple[str, ...]
    evoked: Mapping[tuple[str, str], LockedMeans]
    eyes: Mapping[tuple[str, str], NDArray[np.float64]]
    networks: Mapping[tuple[str, str], NDArray[np.float64]]
    network_channels: tuple[str, ...]
    network_counts: Mapping[str, int]
    responses: Mapping[tuple[str, str], NDArray[np.float64]]
    courses_t_s: NDArray[np.float64]
    courses: Mapping[tuple[str, str], NDArray[np.float64]]
    lags: Mapping[tuple[str, str], LaggedRelation]
    lags_by_group: Mapping[tuple[str, str], LaggedRelation]
    information: Mapping[str, NDArray[np.float64]]
    quality: tuple[Row, ...]
    notes: tuple[str, ...]


def analyse_subject(
    timeline: Timeline,
    trials: Sequence[Trial],
    *,
    recording: str = "",
    face: FaceMotion | None = None,
    settings: SubjectSettings | None = None,
) -> SubjectAnalysis:
    """
    Measure brain, body and coupling of one recording around its expressions.

    A part that cannot be measured becomes a sentence in ``notes`` and costs no other part.

    Parameters
    ----------
    timeline
        All signals in session time.
    trials
        Of this recording, with expressions.
    recording
        Its name in the study.
    face
        How much the face moves, for coupling; without it there is none.
    settings
        What is measured.

    Returns
    -------
    SubjectAnalysis
    """
    settings = settings or SubjectSettings()
    notes: list[str] = []
    pairs, without = matched_moments(
        trials,
        before_s=settings.still_before_s,
        after_s=settings.still_after_s,
        min_iou=settings.min_iou,
        seed=settings.seed,
    )
    if not pairs:
        notes.append("no expression with a neutral moment in its trial; brain and responses are not measured")
    events = {
        lock: {
            condition: (
                [p.shown.onset if lock == "onset" else p.shown.apex for p in own],
                [p.shown.onset for p in own],
            )
            if condition == kind
            else ([p.neutral.onset if lock == "onset" else p.neutral.apex for p in own], [p.neutral.onset for p in own])
            for kind in KINDS
            for own in [[p for p in pairs if p.kind == kind]]
            for condition in (kind, f"neutral-{kind}")
        }
        for lock in LOCKS
    }
    evoked: dict[tuple[str, str], LockedMeans] = {}
    eyes: dict[tuple[str, str], NDArray[np.float64]] = {}
    networks: dict[tuple[str, str], NDArray[np.float64]] = {}
    channels: tuple[str, ...] = ()
    counts: Mapping[str, int] = {}
    rhythms: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    quality: list[Row] = []
    if "eeg" not in timeline.streams:
        notes.append("no stream 'eeg'; nothing of the brain is measured")
    else:
        stream = timeline.streams["eeg"]
        for variant in VARIANTS[: 1 + settings.components]:
            clean = _cleaned(stream, settings.eeg, variant, notes)
            if clean is None:
                continue
            quality.append(_quality_of_eeg(clean, variant))
            if pairs:
                for lock in LOCKS:
                    evoked[variant, lock] = locked_means(clean, events[lock], settings=settings.evoked)
                found, counts, channels = condition_networks(clean, _onsets(pairs), measure=settings.measure)
                networks = {(b, c): matrix for b, by in found.items() for c, matrix in by.items()}
            rhythms = _rhythms(clean)
        if pairs and evoked:
            eyes = _eyes(stream, events, settings.evoked, next(iter(evoked.values())).t_s, settings.eeg.rate_hz)
            if not eyes:
                notes.append("no channel of the eyes; eye movements are not shown beside the brain")
    body = _body(timeline, notes)
    quality += [_quality_of_signal(name, read.verdict, read.refused) for name, read in body.signals.items()]
    responses, courses, courses_t = _responses(body, pairs)
    lags, by_group, information = _coupled(face, body, rhythms, trials, pairs, settings, notes)
    return SubjectAnalysis(
        timeline.subject, recording or timeline.subject, pairs, without, evoked, eyes, networks, channels, counts,
        responses, courses_t, courses, lags, by_group, information, tuple(quality), tuple(dict.fromkeys(notes)),
    )  # fmt: skip


def _onsets(pairs: Sequence[Pair]) -> dict[str, tuple[list[float], list[float]]]:
    return {
        kind: ([p.shown.onset for p in pairs if p.kind == kind], [p.neutral.onset for p in pairs if p.kind == kind])
        for kind in KINDS
    }


def _cleaned(stream: Stream, settings: EegSettings, variant: str, notes: list[str]) -> CleanEeg | None:
    try:
        clean = read_eeg(stream, replace(settings, bad="interpolate", ica="picard" if variant == VARIANTS[1] else "none"))
    except MmmeError as error:
        notes.append(f"EEG {variant}: {error}")
        return None
    if clean.refused:
        notes.append(f"EEG {variant}: {clean.refused}")
        return None
    return clean


def _quality_of_signal(name: str, verdict: Verdict, refused: str) -> Row:
    share, cause = verdict.over_all()
    return {"signal": name, "usable_share": 0.0 if refused else share, "mostly": refused or cause, "bad_channels": ""}


def _quality_of_eeg(clean: CleanEeg, variant: str) -> Row:
    told = "; ".join(f"{channel} ({reason})" for channel, reason in clean.bad_channels.items())
    steps = clean.steps.get("eeg_ica", "") if variant == VARIANTS[1] else ""
    row = _quality_of_signal(f"eeg {variant}", clean.verdict, clean.refused)
    return row | {"bad_channels": told, "components": steps}


def _rhythms(clean: CleanEeg) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return times and log power of each rhythm, ten times a second."""
    step = max(1, round(STEP_S * clean.fs_hz))
    n = clean.t.size // step
    t = clean.t[: n * step].reshape(n, step).mean(axis=1)
    found = {}
    for name, (band, wanted) in RHYTHMS.items():
        rows = [i for i in (clean.index(c) for c in wanted) if i is not None and not clean.flat[i]]
        if not rows:
            continue
        total = np.zeros(n)
        for row in rows:
            power = morlet_power(clean.x[row], clean.fs_hz, BANDS_HZ[band], [n_cycles(hz) for hz in BANDS_HZ[band]])
            total += power.mean(axis=0)[: n * step].reshape(n, step).mean(axis=1)
        spoiled = clean.bad[: n * step].reshape(n, step).any(axis=1)
        found[name] = (t, np.where(spoiled, np.nan, np.log(total / len(rows) + 1e-12)))
    return found


def _eyes(
    stream: Stream,
    events: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]],
    settings: EvokedSettings,
    t_s: NDArray[np.float64],
    rate_hz: float,
) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Mean modulus of the eye channels around events, 0.5 to 15 Hz; empty where there are none."""
    import mne

    found, _ = artefact_channels(stream)
    if not found:
        return {}
    grid, x, missing = lowered(stream, list(found.values()), rate_hz)
    size = np.abs(mne.filter.filter_data(x.astype(np.float64), grid.fs_hz, 0.5, 15.0, verbose="error")).mean(axis=0)
    spoiled = np.zeros(size.size, dtype=bool) if missing is None else missing.any(axis=0)
    eyes = {}
    step = float(t_s[1] - t_s[0])
    for lock, conditions in events.items():
        for condition, (at_s, onset_s) in conditions.items():
            rows = []
            for at, onset in zip(at_s, onset_s, strict=True):
                base = (grid.t >= onset + settings.baseline_s[0]) & (grid.t < onset + settings.baseline_s[1])
                first, last = np.searchsorted(grid.t, [at + t_s[0] - step / 2, at + t_s[-1] + step / 2])
                if not base.any() or last >= grid.t.size or spoiled[first:last].any() or spoiled[base].any():
                    continue
                course = np.interp(at + t_s, grid.t[first:last], size[first:last])
                rows.append(course - size[base].mean())
            eyes[lock, condition] = np.mean(rows, axis=0) if rows else np.full(t_s.shape, np.nan)
    return eyes


def _body(timeline: Timeline, notes: list[str]) -> Body:
    there = tuple(name for name in SIGNALS if name in timeline.streams)
    absent = [name for name in SIGNALS if name not in timeline.streams]
    if absent:
        notes.append(f"not recorded: {', '.join(absent)}")
    if not there:
        return Body(timeline.subject, {}, BodySettings(signals=("ecg",)))
    body = read_body(timeline, BodySettings(signals=there))
    notes.extend(f"{name}: {read.refused}" for name, read in body.signals.items() if read.refused)
    return body


def _responses(
    body: Body, pairs: Sequence[Pair]
) -> tuple[dict[tuple[str, str], NDArray[np.float64]], dict[tuple[str, str], NDArray[np.float64]], NDArray[np.float64]]:
    responses: dict[tuple[str, str], NDArray[np.float64]] = {}
    courses: dict[tuple[str, str], NDArray[np.float64]] = {}
    t_s = np.empty(0)
    for side in ("shown", "neutral"):
        samples = [getattr(pair, side) for pair in pairs]
        responses.update({(name, side): values for name, values in response_columns(body, samples).items()})
        t_s, found = response_courses(body, [s.onset for s in samples])
        courses.update({(name, side): values for name, values in found.items()})
    return responses, courses, t_s


def _coupled(
    face: FaceMotion | None,
    body: Body,
    rhythms: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
    trials: Sequence[Trial],
    pairs: Sequence[Pair],
    settings: SubjectSettings,
    notes: list[str],
) -> tuple[dict[tuple[str, str], LaggedRelation], dict[tuple[str, str], LaggedRelation], dict[str, NDArray[np.float64]]]:
    if face is None:
        notes.append("no motion of the face; coupling is not measured (make it with `mmme features`)")
        return {}, {}, {}
    # Long enough for turns beyond the lags.
    length_s = 6.5 * settings.max_lag_s
    spans = {
        "continuous": [trial.span for trial in trials],
        "around expressions": _around(pairs, length_s),
    }
    lags: dict[tuple[str, str], LaggedRelation] = {}
    rows: dict[str, list[NDArray[np.float64]]] = {}
    for scope, wanted in spans.items():
        pieces, faces = _pieces(face, body, rhythms, wanted)
        for signal, found in pieces.items():
            try:
                lags[scope, signal] = lagged_relation(
                    found, STEP_S, max_lag_s=settings.max_lag_s, n_draws=settings.n_draws, seed=settings.seed
                )
            except DataError as error:
                notes.append(f"coupling of face and {signal}, {scope}: {error}")
        if scope == "continuous":
            rows = faces
    by_group: dict[tuple[str, str], LaggedRelation] = {}
    for group, own in _groups(pairs).items():
        for signal, found in _pieces(face, body, rhythms, _around(own, length_s))[0].items():
            # That an emotion has no stretch long enough in one subject is common, and no fault to be told.
            with suppress(DataError):
                by_group[group, signal] = lagged_relation(
                    found,
                    STEP_S,
                    max_lag_s=settings.max_lag_s,
                    n_draws=min(GROUP_DRAWS, settings.n_draws),
                    seed=settings.seed,
                )
    return lags, by_group, _information(rows, settings)


def _groups(pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    """Expressions of one emotion, and with one action unit."""
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        for name in [f"emotion {pair.shown.label}"] * bool(pair.shown.label) + [f"unit {unit}" for unit in pair.aus]:
            groups.setdefault(name, []).append(pair)
    return groups


def _around(pairs: Sequence[Pair], length_s: float) -> list[Interval]:
    """
    Stretches of that length with an onset in the middle, moved into the trial where the trial is long enough.

    Stretches that share a moment become one: a moment counted twice would make the mean over stretches vary more than that
    of surrogates, which turn each stretch by itself, and chance would look like coupling.
    """
    stretches: list[Interval] = []
    for pair in sorted(pairs, key=lambda p: p.shown.onset):
        span = pair.shown.trial
        start = max(span.start, min(pair.shown.onset - length_s / 2, span.stop - length_s))
        own = Interval(start, min(span.stop, start + length_s))
        if stretches and own.start < stretches[-1].stop:
            own = Interval(stretches.pop().start, own.stop)
        stretches.append(own)
    return stretches


def _pieces(
    face: FaceMotion,
    body: Body,
    rhythms: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
    spans: Sequence[Interval],
) -> tuple[dict[str, list[tuple[NDArray[np.float64], NDArray[np.float64]]]], dict[str, list[NDArray[np.float64]]]]:
    """Courses of face and signals in each span, ten times a second, where both are there; and whole rows for all."""
    pieces: dict[str, list[tuple[NDArray[np.float64], NDArray[np.float64]]]] = {}
    rows: dict[str, list[NDArray[np.float64]]] = {}
    for span in spans:
        inside = (face.t_s >= span.start) & (face.t_s < span.stop)
        known = inside & np.isfinite(face.x)
        if inside.sum() < 2 or known.sum() < (1 - MOST_MISSING) * inside.sum():
            continue
        t = np.arange(span.start, span.stop - 1e-9, STEP_S)
        moved = np.interp(t, face.t_s[known], face.x[known])
        signals = {name: values for name, values in _signals(body, rhythms, t).items() if np.isfinite(values).all()}
        for name, values in signals.items():
            pieces.setdefault(name, []).append((moved, values))
            rows.setdefault(name, []).append(values - values.mean())
        rows.setdefault("face", []).append(
            np.column_stack([np.interp(t, face.t_s[known], r) for r in face.regions[known].T])
        )
        rows.setdefault("moved", []).append(moved - moved.mean())
    return pieces, rows


def _signals(
    body: Body, rhythms: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]], t: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    found = {}
    for name in COUPLED:
        values = course(body, COURSES[name][0], t)
        if values is not None:
            found[name] = values
    for name, (times, power) in rhythms.items():
        found[name] = np.interp(t, times, power, left=np.nan, right=np.nan)
    return found


def _information(
    rows: Mapping[str, list[NDArray[np.float64]]], settings: SubjectSettings
) -> dict[str, NDArray[np.float64]]:
    """Shared information, first observed and then of turned copies; one value a second, which is nearly independent."""
    if len(rows.get("moved", [])) < 2:
        return {}
    every = round(1.0 / STEP_S)
    n_turns = min(200, settings.n_draws)
    moved, lengths = np.concatenate(rows["moved"])[::every], len(rows["moved"])
    names = [n for n in rows if n not in ("face", "moved") and len(rows[n]) == lengths]
    rng = np.random.default_rng(settings.seed)
    signals = {name: np.concatenate(rows[name])[::every] for name in names}
    n = moved.size
    if n < 60 or not names:
        return {}
    turns = rng.integers(n // 10, n - n // 10, size=n_turns)
    found = {
        name: np.array([gaussian_information(moved, np.roll(values, s)) for s in (0, *turns)])
        for name, values in signals.items()
    }
    face, together = np.concatenate(rows["face"])[::every], np.column_stack(list(signals.values()))
    found["canonical"] = np.array([canonical_correlation(face, np.roll(together, s, axis=0)) for s in (0, *turns)])
    return found


def save_subject(found: SubjectAnalysis, path: Path, *, key: str = "") -> None:
    """
    Write everything to one ``.npz`` without pickled objects, whole or not at all.

    Parameters
    ----------
    found
        From `analyse_subject`.
    path
        The file.
    key
        What it was made from, to be compared by `load_subject`.
    """
    arrays: dict[str, NDArray[Any]] = {"courses_t_s": found.courses_t_s}
    for name in ("eyes", "networks", "responses", "courses"):
        arrays.update({f"{name}|{'|'.join(k)}": v for k, v in getattr(found, name).items()})
    arrays.update({f"information|{k}": v for k, v in found.information.items()})
    for (variant, lock), means in found.evoked.items():
        arrays[f"evoked_t|{variant}|{lock}"] = means.t_s
        arrays.update({f"evoked|{variant}|{lock}|{c}": v.astype(np.float32) for c, v in means.values.items()})
    for prefix, lags in (("lag", found.lags), ("group", found.lags_by_group)):
        for (scope, signal), one in lags.items():
            arrays.update({f"{prefix}_{part}|{scope}|{signal}": getattr(one, part) for part in ("lag_s", "r", "null")})
    facts = {
        "key": key,
        "subject": found.subject,
        "recording": found.recording,
        "pairs": [asdict(pair) for pair in found.pairs],
        "without": found.without,
        "network_channels": found.network_channels,
        "network_counts": dict(found.network_counts),
        "evoked": {
            "|".join(k): {"channels": m.channels, "counts": dict(m.counts), "left_out": dict(m.left_out)}
            for k, m in found.evoked.items()
        },
        "lag_pieces": {"|".join(k): one.n_pieces for k, one in found.lags.items()},
        "group_pieces": {"|".join(k): one.n_pieces for k, one in found.lags_by_group.items()},
        "quality": found.quality,
        "notes": found.notes,
    }
    arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.partial.npz")
    np.savez_compressed(partial, allow_pickle=False, **arrays)
    os.replace(partial, path)  # noqa: PTH105 - atomic on every platform


def load_subject(path: Path, *, key: str | None = None) -> SubjectAnalysis | None:
    """
    Read what `save_subject` wrote.

    Parameters
    ----------
    path
        The file.
    key
        Expected; None takes any.

    Returns
    -------
    SubjectAnalysis or None
        None where there is no file, or one of another key.

    Raises
    ------
    DataError
        If the file is damaged.
    """
    if not path.exists():
        return None
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
            facts = json.loads(stored["facts"].tobytes().decode())
            if key is not None and facts["key"] != key:
                return None
            arrays = {name: stored[name] for name in stored.files if name != "facts"}
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise DataError(f"{path}: expected an analysis of a recording, got {error}; delete it and analyse again") from error

    def part(name: str) -> dict[tuple[str, str], NDArray[Any]]:
        own = (k.split("|") for k in arrays if k.startswith(f"{name}|"))
        return {(k[1], k[2]): arrays["|".join(k)] for k in own}

    evoked = {}
    for joined, text in facts["evoked"].items():
        variant, lock = joined.split("|")
        values = {k.split("|")[3]: v.astype(np.float64) for k, v in arrays.items() if k.startswith(f"evoked|{joined}|")}
        evoked[variant, lock] = LockedMeans(
            arrays[f"evoked_t|{joined}"], tuple(text["channels"]), values, text["counts"], text["left_out"]
        )

    def relations(prefix: str) -> dict[tuple[str, str], LaggedRelation]:
        r, null, lag_s = (part(f"{prefix}_{name}") for name in ("r", "null", "lag_s"))
        return {k: LaggedRelation(lag_s[k], r[k], null[k], facts[f"{prefix}_pieces"]["|".join(k)]) for k in r}

    return SubjectAnalysis(
        facts["subject"], facts["recording"], tuple(_pair(p) for p in facts["pairs"]), tuple(facts["without"]), evoked,
        part("eyes"), part("networks"), tuple(facts["network_channels"]), facts["network_counts"], part("responses"),
        arrays["courses_t_s"], part("courses"), relations("lag"), relations("group"),
        {k.split("|")[1]: v for k, v in arrays.items() if k.startswith("information|")}, tuple(facts["quality"]),
        tuple(facts["notes"]),
    )  # fmt: skip


def _pair(stored: Mapping[str, Any]) -> Pair:
    def sample(data: Mapping[str, Any]) -> Sample:
        return Sample(**{**data, "trial": Interval(**data["trial"])})

    return Pair(stored["kind"], sample(stored["shown"]), sample(stored["neutral"]), tuple(stored["aus"]), stored["alone"])
