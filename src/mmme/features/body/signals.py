"""
All signals of a body on the session clock: read once per recording, described as often as needed.

Reading (cleaning, peaks, quality) takes all the time; describing windows is counting. What is described are moments (a
window around each apex), whole spans (trials) and the pauses before them (baselines).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError, DataError, unknown_name
from mmme.features.body import ecg, eda, emg, ppg, rsp, skt
from mmme.features.brain.cleaning import EegSettings, read_eeg
from mmme.features.brain.connectivity import expect_measures
from mmme.features.brain.families import EEG_FAMILIES
from mmme.features.brain.muscle import muscle_overlap
from mmme.features.brain.places import steps_with_channels
from mmme.features.brain.regions import REGIONS
from mmme.features.quality import Verdict
from mmme.features.tables import Column, feature_table
from mmme.features.windows import Occasions, Windows, either, first_reason, occasions_around
from mmme.types import FeatureTable, Sample, Stream, Timeline

__all__ = [
    "AROUND",
    "SIGNALS",
    "Around",
    "Body",
    "BodySettings",
    "body_columns",
    "body_features",
    "columns_of_signal",
    "describe_baselines",
    "describe_moments",
    "describe_quality",
    "describe_spans",
    "read_body",
]


@dataclass(frozen=True, slots=True)
class Around:
    """Window ``[apex - before_s, apex + after_s)`` and the baseline of ``baseline_s`` that ends where it begins [s]."""

    before_s: float
    after_s: float
    baseline_s: float


#: Default windows: each signal answers in its own time, so a window that holds one signal's answer misses another's.
AROUND: Mapping[str, Around] = MappingProxyType(
    {
        "eeg": Around(0.5, 1.5, 2.0),
        "ecg": Around(2.0, 5.0, 5.0),
        "ppg": Around(2.0, 5.0, 5.0),
        "eda": Around(0.0, 5.0, 2.0),
        "rsp": Around(5.0, 15.0, 20.0),
        "skt": Around(0.0, 30.0, 10.0),
        "emg": Around(1.0, 1.0, 2.0),
    }
)
SIGNALS: tuple[str, ...] = tuple(AROUND)
#: What is computed unless something else is asked for; facial EMG is recorded by few, and by those for its own sake.
USUAL_SIGNALS = ("eeg", "ecg", "ppg", "eda", "rsp", "skt")
USUAL_EEG = ("band-power", "frontal-asymmetry")
#: A pause before a trial that is shorter than this is no baseline [s].
SHORTEST_BASELINE_S = 2.0

_COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"ecg": ecg.COLUMNS, "ppg": ppg.COLUMNS, "eda": eda.COLUMNS, "rsp": rsp.COLUMNS, "skt": skt.COLUMNS, "emg": emg.COLUMNS}
)
#: Rows of a table and what is described in them, one group per length of window.
Groups = Sequence[tuple[NDArray[np.intp], Occasions]]


@dataclass(frozen=True, slots=True)
class BodySettings:
    """
    What is computed of a body.

    Parameters
    ----------
    signals
        From `SIGNALS`, in the order of the columns.
    around
        The window of every signal around an apex; None for each signal's own (`AROUND`).
    min_quality
        Windows whose quality index is lower have no values of that signal; 0 refuses none.
    eda_method
        How tonic and phasic conductance are told apart, ``"highpass"`` or ``"cvxeda"``.
    eeg
        How the EEG is cleaned.
    eeg_features
        Families from `mmme.features.brain.families.EEG_FAMILIES`.
    eeg_by
        ``"region"``, ``"channel"`` or ``"both"``; connectivity and networks are per region.
    coupling
        Measure of connectivity, from `mmme.features.brain.connectivity.MEASURES`.

    Examples
    --------
    >>> BodySettings(signals=("ecg", "eda")).around_of("ecg")
    Around(before_s=2.0, after_s=5.0, baseline_s=5.0)
    """

    signals: tuple[str, ...] = USUAL_SIGNALS
    around: Around | None = None
    min_quality: float = 0.0
    eda_method: str = "highpass"
    eeg: EegSettings = field(default_factory=EegSettings)
    eeg_features: tuple[str, ...] = USUAL_EEG
    eeg_by: str = "region"
    coupling: str = "wpli"

    def __post_init__(self) -> None:
        """Check names and limits."""
        for name in self.signals:
            if name not in AROUND:
                raise unknown_name("signal of the body", name, AROUND)
        if not self.signals or len(set(self.signals)) != len(self.signals):
            got = ", ".join(self.signals) or "none"
            raise ConfigError(f"signals: expected each signal once and at least one, got {got}")
        for name in self.eeg_features:
            if name not in EEG_FAMILIES:
                raise unknown_name("EEG feature", name, EEG_FAMILIES)
        if {"connectivity", "networks"} & set(self.eeg_features):
            expect_measures([self.coupling], over_time=False)
        if not 0.0 <= self.min_quality <= 1.0:
            raise ConfigError(f"min_quality: expected 0 to 1, got {self.min_quality}")

    def around_of(self, signal: str) -> Around:
        """Window of one signal around an apex."""
        return self.around or AROUND[signal]


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """
    All signals of one recording, read.

    Parameters
    ----------
    subject
        Whose.
    signals
        By name, what reading it gave; signals that were not recorded are absent.
    settings
        How they were read.
    """

    subject: str
    signals: Mapping[str, Any]
    settings: BodySettings

    def verdict(self, name: str) -> Verdict | None:
        """Quality of one signal; None where it was not recorded."""
        return self.signals[name].verdict if name in self.signals else None


def read_body(timeline: Timeline, settings: BodySettings | None = None) -> Body:
    """
    Read every signal that was recorded.

    Parameters
    ----------
    timeline
        Streams of one subject in session time.
    settings
        Which signals, and how.

    Raises
    ------
    DataError
        If a stream is not in its stored unit.
    """
    settings = settings or BodySettings()
    readers: Mapping[str, Callable[[Stream], Any]] = {
        "eeg": lambda stream: read_eeg(stream, settings.eeg),
        "ecg": ecg.read_ecg,
        "ppg": ppg.read_ppg,
        "eda": lambda stream: eda.read_eda(stream, method=settings.eda_method),
        "rsp": rsp.read_rsp,
        "skt": skt.read_skt,
        "emg": lambda stream: emg.read_emg(stream, timeline.streams.get("emg_b")),
    }
    there = [name for name in settings.signals if name in timeline.streams]
    if "ecg" in timeline.streams and "ecg" not in there and {"ppg", "rsp"} & set(there):
        there.append("ecg")  # transit times and respiratory sinus arrhythmia need the beats
    return Body(timeline.subject, {name: readers[name](timeline.streams[name]) for name in there}, settings)


def body_columns(settings: BodySettings) -> tuple[str, ...]:
    """
    Name the columns of all signals, known without a recording.

    Examples
    --------
    >>> body_columns(BodySettings(signals=("skt",)))[0]
    'skt_c'
    """
    return tuple(name for signal in settings.signals for name in _columns_of(signal, settings))


def body_features(timeline: Timeline, samples: Sequence[Sample], *, signals: Sequence[str] | None = None) -> FeatureTable:
    """
    Describe a window around each apex with several signals, each with its default window.

    Tables of different subjects have the same columns and can be stacked (`mmme.features.tables.stack`): the columns of a
    signal that this subject lacks are NaN with the reason ``no stream 'eda'``.

    Parameters
    ----------
    timeline
        Streams of one subject in session time.
    samples
        Moments of the same subject.
    signals
        Names from `SIGNALS`, in the order of the columns; all but ``emg`` by default.

    Returns
    -------
    FeatureTable
        One row per sample, in order.

    Raises
    ------
    ConfigError
        If a signal is unknown, named twice, or none is named.
    DataError
        If a sample is of another subject, or a stream is not in its stored unit.

    Examples
    --------
    >>> import numpy as np
    >>> from mmme.interval import Interval
    >>> from mmme.types import Markers, Stream
    >>> t = np.arange(0, 80, 0.1)
    >>> skt = Stream("skt", "biopac", t, 33.0 + 0.2 * t / 60, "°C", 10.0)
    >>> none = Markers("eeg", np.empty(0), np.empty(0, dtype=np.int64))
    >>> timeline = Timeline("S01", "01", {"skt": skt}, none, {}, {"skt": skt.span})
    >>> sample = Sample("S01-101", "S01", "sad-1", "sad", 29.9, 30.0, 30.2, Interval(0.0, 60.0))
    >>> table = body_features(timeline, [sample], signals=["skt", "eda"])
    >>> table.reasons[table.reason[0, table.columns.index("scl_us")]]
    "no stream 'eda'"
    """
    settings = BodySettings(signals=USUAL_SIGNALS if signals is None else tuple(signals))
    _expect_own(timeline.subject, samples)
    return describe_moments(read_body(timeline, settings), samples)


def describe_moments(body: Body, samples: Sequence[Sample]) -> FeatureTable:
    """
    Describe a window around each apex; changes are against the seconds before the window.

    Parameters
    ----------
    body
        From `read_body`.
    samples
        Of the same subject.

    Returns
    -------
    FeatureTable
        One row per sample, the columns of `body_columns`.
    """
    whole = np.arange(len(samples))

    def groups(signal: str) -> Groups:
        own = body.settings.around_of(signal)
        placed = occasions_around(samples, before_s=own.before_s, after_s=own.after_s, baseline_s=own.baseline_s)
        return [(whole, placed)]

    return _described(body, samples, groups)


def describe_spans(body: Body, samples: Sequence[Sample], *, baseline_s: float = 10.0) -> FeatureTable:
    """
    Describe each sample from its onset to its offset, as trials are; the event is the onset.

    Changes are against the pause before: the last ``baseline_s`` seconds before the onset, less where the offset of an
    earlier sample is nearer, none where it is nearer than 2 s.

    Parameters
    ----------
    body
        From `read_body`.
    samples
        Trials (`mmme.trials.trial_samples`) of the same subject.
    baseline_s
        Longest baseline [s].

    Returns
    -------
    FeatureTable
        One row per sample, the columns of `body_columns`.
    """
    start = np.array([s.onset for s in samples], dtype=np.float64)
    length = np.array([s.offset for s in samples], dtype=np.float64) - start
    pause = _pauses(samples, baseline_s)
    pairs = np.round(np.stack([length, pause], axis=1), 6)
    groups = []
    for length_s, pause_s in np.unique(pairs, axis=0):
        rows = np.flatnonzero((pairs == (length_s, pause_s)).all(axis=1))
        windows = Windows(start[rows], float(length_s))
        baseline = windows.before(float(pause_s)) if pause_s else None
        groups.append((rows, Occasions(windows, baseline, start[rows])))
    return _described(body, samples, lambda _: groups)


def describe_baselines(body: Body, samples: Sequence[Sample], *, baseline_s: float = 10.0) -> FeatureTable:
    """
    Describe the pauses that `describe_spans` compares with, in themselves; there is no event in them and no change.

    Parameters
    ----------
    body, samples, baseline_s
        As for `describe_spans`.

    Returns
    -------
    FeatureTable
        One row per sample, the columns of `body_columns`; without a pause of 2 s all values are missing.
    """
    start = np.array([s.onset for s in samples], dtype=np.float64)
    pause = np.round(_pauses(samples, baseline_s), 6)
    groups = []
    for pause_s in np.unique(pause[pause > 0]):
        rows = np.flatnonzero(pause == pause_s)
        windows = Windows(start[rows] - pause_s, float(pause_s))
        groups.append((rows, Occasions(windows, None, np.full(rows.size, np.nan))))
    return _described(body, samples, lambda _: groups)


def describe_quality(body: Body, samples: Sequence[Sample], *, whole: bool = False) -> FeatureTable:
    """
    Rate the windows of every signal: the share of time that no rule objects to.

    Parameters
    ----------
    body
        From `read_body`.
    samples
        Of the same subject.
    whole
        Rate from onset to offset, as for trials, instead of each signal's window around the apex.

    Returns
    -------
    FeatureTable
        ``<signal>_quality``, 0 to 1, NaN where the signal was not recorded; stratum ``<signal> cause`` says what most of
        the rest suffers from. Beside the EEG's, ``eeg_muscle_share``: in how much of the window muscles are active over
        the scalp (`mmme.features.brain.muscle.muscle_overlap`), which no rule objects to, since faces move here.
    """
    columns: dict[str, Column] = {}
    causes: dict[str, list[str]] = {}
    n = len(samples)
    for signal in body.settings.signals:
        own, verdict = body.settings.around_of(signal), body.verdict(signal)
        index, cause = np.full(n, np.nan), np.full(n, "", dtype=object)
        for k, s in enumerate(samples):
            start, stop = (s.onset, s.offset) if whole else (s.apex - own.before_s, s.apex + own.after_s)
            if verdict is not None:
                share, why = verdict.index(Windows(np.array([start]), stop - start))
                index[k], cause[k] = share[0], why[0]
        absent = first_reason(n, (verdict is None, f"no stream '{signal}'"))
        columns[f"{signal}_quality"] = (index, absent)
        causes[f"{signal} cause"] = [str(c) for c in cause]
        if signal == "eeg":
            columns["eeg_muscle_share"] = _muscle_share(body, samples, whole=whole)
    return feature_table(samples, columns, strata=causes)


def _muscle_share(body: Body, samples: Sequence[Sample], *, whole: bool) -> Column:
    """Share of each window in which muscles are active over the scalp."""
    own, n = body.settings.around_of("eeg"), len(samples)
    if "eeg" not in body.signals:
        return np.full(n, np.nan), np.full(n, "no stream 'eeg'")
    spans = [(s.onset, s.offset) if whole else (s.apex - own.before_s, s.apex + own.after_s) for s in samples]
    share = [muscle_overlap(body.signals["eeg"], Windows(np.array([a]), b - a))[0] for a, b in spans]
    values = np.array(share, dtype=np.float64)
    return values, first_reason(n, (np.isnan(values), "not measured: a rate below 220 Hz, or outside the recording"))


def _pauses(samples: Sequence[Sample], baseline_s: float) -> NDArray[np.float64]:
    """Length of the baseline before each sample; 0 where the pause is too short."""
    if not baseline_s >= SHORTEST_BASELINE_S:
        raise ConfigError(f"baseline of trials: expected at least {SHORTEST_BASELINE_S:g} s, got {baseline_s} s")
    ends = np.sort([s.offset for s in samples])
    start = np.array([s.onset for s in samples], dtype=np.float64)
    earlier = np.searchsorted(ends, start + 1e-6, side="right")
    last_end = np.where(earlier > 0, ends[np.maximum(earlier - 1, 0)], -np.inf) if len(samples) else start
    pause = np.minimum(start - last_end, baseline_s)
    return np.asarray(np.where(pause >= SHORTEST_BASELINE_S, pause, 0.0))


def _expect_own(subject: str, samples: Sequence[Sample]) -> None:
    foreign = sorted({s.subject for s in samples} - {subject})
    if foreign:
        raise DataError(f"timeline {subject}: expected samples of {subject}, got some of {', '.join(foreign)}")


def _columns_of(signal: str, settings: BodySettings) -> tuple[str, ...]:
    if signal != "eeg":
        return _COLUMNS[signal]
    montage = tuple(channel for region in REGIONS.values() for channel in region)
    families = [EEG_FAMILIES[name] for name in settings.eeg_features]
    names = [f.names(measure=settings.coupling) if f.coupled else f.names(montage, by=settings.eeg_by) for f in families]
    return tuple(dict.fromkeys(column for of_family in names for column in of_family))


def _described(body: Body, samples: Sequence[Sample], groups_of: Callable[[str], Groups]) -> FeatureTable:
    """Table of all signals, group by group."""
    _expect_own(body.subject, samples)
    columns: dict[str, Column] = {}
    origin: dict[str, str] = {}
    for signal in body.settings.signals:
        groups = groups_of(signal)
        parts = [(rows, columns_of_signal(body, signal, occasions)) for rows, occasions in groups]
        columns |= _assembled(_columns_of(signal, body.settings), parts, len(samples))
        if signal in body.signals:
            origin |= _origin(signal, body.signals[signal])
    return feature_table(samples, columns, origin=origin)


def _origin(signal: str, read: Any) -> dict[str, str]:
    """Say how a signal was read."""
    if signal == "eeg":
        return dict(steps_with_channels(read))
    if signal == "eda":
        return {"eda_method": read.method, "eda_threshold_us": f"{read.threshold_us:g}"}
    return {f"{signal}_{key}": text for key, text in getattr(read, "origin", {}).items()}


def _assembled(
    names: Sequence[str], parts: Sequence[tuple[NDArray[np.intp], Mapping[str, Column]]], n: int
) -> dict[str, Column]:
    """Columns of all rows from those of groups of rows."""
    if len(parts) == 1 and parts[0][0].size == n:  # as they are: columns that share their reasons are stored quickly
        return {name: parts[0][1][name] for name in names}
    columns: dict[str, Column] = {}
    for name in names:
        values, why = (
            np.full(n, np.nan),
            np.full(n, f"no pause of {SHORTEST_BASELINE_S:g} s before the trial", dtype=object),
        )
        for rows, part in parts:
            values[rows], why[rows] = part[name][0], part[name][1]
        columns[name] = (values, why.astype(np.str_))
    return columns


def columns_of_signal(body: Body, signal: str, occasions: Occasions) -> dict[str, Column]:
    """Columns of one signal in the given windows, in order; those of a signal that was not recorded say so."""
    names = _columns_of(signal, body.settings)
    n = len(occasions)
    if signal not in body.signals:
        nothing, why = np.full(n, np.nan), np.full(n, f"no stream '{signal}'")
        return dict.fromkeys(names, (nothing, why))
    read = body.signals[signal]
    heart = body.signals.get("ecg")
    if signal == "eeg":
        made = _of_eeg(read, occasions, body.settings)
    else:
        describers: Mapping[str, Callable[[], dict[str, Column]]] = {
            "ecg": lambda: ecg.ecg_columns(read, occasions),
            "ppg": lambda: ppg.ppg_columns(read, occasions, heart),
            "eda": lambda: eda.eda_columns(read, occasions),
            "rsp": lambda: rsp.rsp_columns(read, occasions, heart.beats if heart is not None else None),
            "skt": lambda: skt.skt_columns(read, occasions),
            "emg": lambda: emg.emg_columns(read, occasions),
        }
        made = describers[signal]()
    made = {name: made[name] for name in names}
    return _good_enough(made, read.verdict, occasions.windows, body.settings.min_quality)


def _of_eeg(clean: Any, occasions: Occasions, settings: BodySettings) -> dict[str, Column]:
    """Columns of the EEG families; channels of the montage that the recording lacks are named."""
    made: dict[str, Column] = {}
    for family in (EEG_FAMILIES[name] for name in settings.eeg_features):
        if family.coupled:
            made |= family.columns(clean, occasions, measure=settings.coupling)
        else:
            made |= family.columns(clean, occasions, by=settings.eeg_by)
    n = len(occasions)
    for name in _columns_of("eeg", settings):
        if name not in made:
            made[name] = (np.full(n, np.nan), np.full(n, "the recording has no such channel"))
    return made


def _good_enough(columns: dict[str, Column], verdict: Verdict, windows: Windows, least: float) -> dict[str, Column]:
    """Refuse values of windows whose quality is below the least wanted."""
    if least <= 0:
        return columns
    index, cause = verdict.index(windows)
    low = np.where(index < least, np.char.add(f"quality below {least:g}: ", cause), "")
    known: dict[int, NDArray[np.str_]] = {}  # columns share arrays of reasons
    for _, why in columns.values():
        if id(why) not in known:
            known[id(why)] = either(why, low)
    return {name: (values, known[id(why)]) for name, (values, why) in columns.items()}
