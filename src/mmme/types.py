"""
The things that travel through mmme, in the order in which they are made.

``raw files -> Recording -> align -> Timeline -> trials -> Trial[] -> features -> FeatureTable -> evaluate -> Result``

All are frozen: a step returns a new object. Arrays inside them are shared, never written to.
Times are seconds. A `Stream` of a `Recording` is on the clock of its own device; a `Stream` of a `Timeline` is on the
one session clock. Shapes are given in parentheses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError, raise_faults
from mmme.interval import Interval

__all__ = [
    "ClockMap",
    "CodedEvent",
    "Expression",
    "FeatureTable",
    "Kind",
    "Markers",
    "Recording",
    "Result",
    "Sample",
    "Samples",
    "Score",
    "Source",
    "Stream",
    "Timeline",
    "Trial",
]

Kind = Literal["micro", "macro"]
KINDS: tuple[Kind, ...] = ("micro", "macro")


class Samples(Protocol):
    """What a stream needs of its samples: a shape, and slices along the first axis; may read lazily from disk."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of samples first."""
        ...

    def __getitem__(self, index: Any, /) -> Any:
        """Return samples as an array."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """
    One signal of one device.

    Parameters
    ----------
    name
        ``video, eeg, ecg, ppg, eda, rsp, skt, emg``.
    device
        Whose clock ``t`` is read from, for example ``"camera"``; streams of one device share one clock.
    t : (n,) float64
        Sample times [s], strictly increasing.
    x : (n, ...)
        Samples: ``(n,)`` for one channel, ``(n, n_channels)`` for many, ``(n, height, width)`` for video.
    unit
        Unit of ``x``: ``V``, ``µS``, ``°C``, ``grey level``.
    fs
        Nominal sampling rate [Hz], or None where there is none; never used as a clock.
    channels
        Channel names; one for a single signal.

    Raises
    ------
    DataError
        If lengths differ, ``t`` does not increase, or the channel names do not fit.

    Examples
    --------
    >>> s = Stream("skt", "biopac", np.arange(3) / 10, np.array([31.0, 31.1, 31.1]), "°C", 10.0)
    >>> s.span.stop, len(s)
    (0.2, 3)
    """

    name: str
    device: str
    t: NDArray[np.float64]
    x: Samples
    unit: str
    fs: float | None = None
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check lengths, times and channel names."""
        faults = []
        if self.t.ndim != 1 or self.t.shape[0] != self.x.shape[0]:
            faults.append(f"expected one time per sample, got t {self.t.shape} and x {self.x.shape}")
        elif self.t.shape[0] < 2:
            faults.append(f"expected at least 2 samples, got {self.t.shape[0]}")
        elif not np.all(np.diff(self.t) > 0):
            at = int(np.argmin(np.diff(self.t) > 0))
            faults.append(f"expected increasing times, got {self.t[at]:.4f} s then {self.t[at + 1]:.4f} s at sample {at}")
        if self.channels and self.x.shape[1:] and len(self.x.shape) == 2 and len(self.channels) != self.x.shape[1]:
            faults.append(f"expected {self.x.shape[1]} channel names, got {len(self.channels)}")
        if self.fs is not None and not self.fs > 0:
            faults.append(f"expected a sampling rate above 0 Hz, got {self.fs}")
        raise_faults(f"stream '{self.name}'", faults)

    def __len__(self) -> int:
        """Count samples."""
        return int(self.t.shape[0])

    @property
    def span(self) -> Interval:
        """From the first to the last sample time."""
        return Interval(float(self.t[0]), float(self.t[-1]))

    def between(self, span: Interval) -> slice:
        """Return the indices of the samples with ``span.start <= t < span.stop``."""
        first, last = np.searchsorted(self.t, [span.start, span.stop], side="left")
        return slice(int(first), int(last))


@dataclass(frozen=True, slots=True, eq=False)
class Markers:
    """
    Changes of the trigger value as one device saw them.

    Parameters
    ----------
    device
        Whose clock ``t`` is on.
    t : (n,) float64
        Times of change [s], increasing.
    codes : (n,) int64
        The value from that time on (a held level: 100 is rest in the MMME layout), 0..255.

    Examples
    --------
    >>> Markers("eeg", np.array([1.0, 2.5]), np.array([101, 100])).codes.tolist()
    [101, 100]
    """

    device: str
    t: NDArray[np.float64]
    codes: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Check that each change has one time and one code, in order."""
        faults = []
        if self.t.ndim != 1 or self.t.shape != self.codes.shape:
            faults.append(f"expected one code per time, got {self.t.shape} times and {self.codes.shape} codes")
        elif self.t.size and not np.all(np.diff(self.t) >= 0):
            faults.append("expected markers in order of time; sort them before they become Markers")
        raise_faults(f"markers of '{self.device}'", faults)

    def __len__(self) -> int:
        """Count changes."""
        return int(self.t.shape[0])


@dataclass(frozen=True, slots=True)
class Source:
    """A file something was read from: path relative to the data set, and SHA-256 of its bytes (or of its index)."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """
    One subject, one sitting, all devices; every stream still on the clock of its own device.

    Parameters
    ----------
    subject
        A code such as ``S01``, never a name.
    session
        Which sitting, for example ``01``.
    streams
        By name.
    markers
        By device.
    source
        The files behind it.
    """

    subject: str
    session: str
    streams: Mapping[str, Stream]
    markers: Mapping[str, Markers]
    source: tuple[Source, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an empty recording and streams filed under a wrong name."""
        faults = [f"stream '{s.name}' is filed as '{k}'" for k, s in self.streams.items() if s.name != k]
        if not self.streams:
            faults.append("expected at least one stream, got none")
        raise_faults(f"recording {self.subject}/{self.session}", faults)


@dataclass(frozen=True, slots=True)
class ClockMap:
    """
    Straight-line map from one device clock to session time.

    Parameters
    ----------
    device
        Whose clock.
    rate
        Session seconds per device second; 1.0 means no drift.
    intercept_s
        Session time at device time 0 [s].
    residual_ms
        Worst misfit of the markers kept by the fit [ms].
    n_used, n_rejected
        Markers kept, and matched markers that the fit set aside.

    Examples
    --------
    >>> round(ClockMap("camera", 1.0001, -2.0, 1.5, 10, 0).to_session(np.array([100.0]))[0], 4)
    98.01
    """

    device: str
    rate: float
    intercept_s: float
    residual_ms: float
    n_used: int
    n_rejected: int

    @property
    def drift_ppm(self) -> float:
        """Drift against the session clock in parts per million; positive when the device clock runs slow."""
        return (self.rate - 1.0) * 1e6

    def to_session(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        """Session times of device times ``t`` [s]."""
        return self.rate * np.asarray(t, dtype=np.float64) + self.intercept_s


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """
    A recording on one session clock.

    Parameters
    ----------
    subject, session
        As in the `Recording`.
    streams
        By name; ``t`` is session time [s].
    markers
        One list of trigger changes in session time, merged over devices.
    clocks
        By device.
    coverage
        By stream: from its first to its last sample.
    source
        The files behind it.
    """

    subject: str
    session: str
    streams: Mapping[str, Stream]
    markers: Markers
    clocks: Mapping[str, ClockMap]
    coverage: Mapping[str, Interval]
    source: tuple[Source, ...] = ()

    def stream(self, name: str) -> Stream:
        """Return the stream of that name; `DataError` lists what there is when it is missing."""
        if name not in self.streams:
            have = ", ".join(sorted(self.streams)) or "none"
            raise DataError(f"timeline {self.subject}/{self.session}: expected a stream '{name}', got {have}")
        return self.streams[name]


@dataclass(frozen=True, slots=True)
class CodedEvent:
    """
    One row of an annotation table, in frames of the recorded video; an `Expression` once frames have session times.

    Parameters
    ----------
    subject, coder
        Codes.
    kind
        ``micro``, ``macro``, or None where the table does not say.
    marker
        Trigger code of the trial it was coded in.
    stimulus
        Which stimulus, for example ``happy-2``.
    target
        Emotion that the stimulus was chosen for, in the data set's word.
    onset_frame, apex_frame, offset_frame
        Indices into the video stream of the recording, from 0, ``onset <= apex <= offset``.
    aus
        FACS action units as in `Expression`.
    emotion
        The coder's word, as written.
    source
        File and row, for example ``coding_file.xlsx:17``.
    """

    subject: str
    coder: str
    kind: Kind | None
    marker: int
    stimulus: str
    target: str
    onset_frame: int
    apex_frame: int
    offset_frame: int
    aus: tuple[str, ...]
    emotion: str
    source: str

    def __post_init__(self) -> None:
        """Check the order of frames."""
        if not 0 <= self.onset_frame <= self.apex_frame <= self.offset_frame:
            got = f"{self.onset_frame}, {self.apex_frame}, {self.offset_frame}"
            raise DataError(f"{self.source}: need onset <= apex <= offset in frames, got {got}")


@dataclass(frozen=True, slots=True)
class Expression:
    """
    One facial expression as one coder saw it, in session time.

    Parameters
    ----------
    subject
        Subject code.
    coder
        Coder code, for example ``A``.
    kind
        ``micro`` or ``macro``.
    onset, apex, offset
        Times [s], ``onset <= apex <= offset``; apex equal to offset means that the end was not visible.
    aus
        FACS action units such as ``AU4``; sides and doubts kept as written (``AU12L``, ``AU17?``).
    emotion
        The data set's own word.
    source
        File and row it was read from.
    uncertainty_s
        Standard uncertainty of the three times [s]; NaN where unknown.

    Raises
    ------
    DataError
        If the order of times does not hold or the kind is unknown.

    Examples
    --------
    >>> Expression("S01", "A", "micro", 1.0, 1.2, 1.4, ("AU4",), "disgust").duration_s < 0.5
    True
    """

    subject: str
    coder: str
    kind: Kind
    onset: float
    apex: float
    offset: float
    aus: tuple[str, ...] = ()
    emotion: str = ""
    source: str = ""
    uncertainty_s: float = float("nan")

    def __post_init__(self) -> None:
        """Check the order of times and the kind."""
        where = self.source or f"expression of {self.subject}"
        if not self.onset <= self.apex <= self.offset:
            got = f"{self.onset}, {self.apex}, {self.offset} s"
            raise DataError(f"{where}: need onset <= apex <= offset, got {got}; are columns exchanged?")
        if self.kind not in KINDS:
            raise DataError(f"{where}: expected kind 'micro' or 'macro', got '{self.kind}'")

    @property
    def duration_s(self) -> float:
        """Offset minus onset [s]; 0 is possible where only one moment was coded."""
        return self.offset - self.onset

    @property
    def interval(self) -> Interval:
        """Onset to offset; raises ValueError where they coincide."""
        return Interval(self.onset, self.offset)


@dataclass(frozen=True, slots=True)
class Trial:
    """
    One stimulus presentation to one subject.

    Parameters
    ----------
    id
        Unique in the data set, for example ``S01-103``.
    subject
        Subject code.
    stimulus
        Which stimulus, for example ``happy-2``.
    span
        Session time from stimulus onset to its end.
    label
        Target emotion of the stimulus, in the data set's word; not what a coder saw.
    expressions
        Coded expressions inside the span, all coders; empty means annotated and nothing found.
    """

    id: str
    subject: str
    stimulus: str
    span: Interval
    label: str
    expressions: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """
    One row of a feature table to be: a moment to describe, and what is known of it.

    Parameters
    ----------
    id
        Row name: a trial's id, or ``<trial id>#<k>`` for the k-th expression or window in it.
    subject, stimulus
        Subject code and stimulus.
    label
        The class to predict.
    onset, apex, offset
        Session times [s] of the moment described, ``onset <= apex <= offset``.
    trial : Interval
        Span of the trial it lies in.
    """

    id: str
    subject: str
    stimulus: str
    label: str
    onset: float
    apex: float
    offset: float
    trial: Interval


@dataclass(frozen=True, slots=True, eq=False)
class FeatureTable:
    """
    Features of samples, with whose they are and which of them can be believed.

    Parameters
    ----------
    X : (n_trials, n_features) or (n_trials, ...) float32
        Feature values, NaN where a feature could not be computed; network inputs are tensors of the same kind.
    columns
        One name per feature; empty for tensors.
    trial_ids
        One unique row name each: a trial, or ``<trial>#<k>`` for the k-th expression in it.
    subjects, stimuli, labels
        One each per row. Subjects are mandatory: without them no honest split exists.
    reason : (n_trials, n_features) or (n_trials,) uint8
        Index into ``reasons``; 0 is valid.
    reasons
        Why a value is missing; ``reasons[0]`` is the empty string.
    strata
        More labels per row to report scores by, for example ``{"dataset": [...]}``.
    origin
        What the table was made from: data set, revision, parameters.

    Raises
    ------
    DataError
        If lengths differ, row names repeat, a subject is blank, or a value marked valid is not finite.

    Examples
    --------
    >>> t = FeatureTable.build(np.ones((2, 1)), ["hr"], ["a", "b"], ["S1", "S2"], ["v", "v"], ["pos", "neg"])
    >>> t.X.shape, bool(t.valid.all())
    ((2, 1), True)
    """

    X: NDArray[np.float32]
    columns: tuple[str, ...]
    trial_ids: tuple[str, ...]
    subjects: NDArray[np.str_]
    stimuli: NDArray[np.str_]
    labels: NDArray[np.str_]
    reason: NDArray[np.uint8]
    reasons: tuple[str, ...] = ("",)
    strata: Mapping[str, NDArray[np.str_]] = field(default_factory=lambda: MappingProxyType({}))
    origin: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def build(
        cls,
        X: Any,
        columns: Sequence[str],
        trial_ids: Sequence[str],
        subjects: Sequence[str],
        stimuli: Sequence[str],
        labels: Sequence[str],
        *,
        reason: NDArray[np.uint8] | None = None,
        reasons: Sequence[str] = ("",),
        strata: Mapping[str, Sequence[str]] | None = None,
        origin: Mapping[str, str] | None = None,
    ) -> FeatureTable:
        """Convert plain sequences; without ``reason`` every value must be finite."""
        X = np.asarray(X, dtype=np.float32)
        if reason is None:
            reason = np.zeros(X.shape if X.ndim == 2 else X.shape[:1], dtype=np.uint8)
        return cls(
            X=X,
            columns=tuple(columns),
            trial_ids=tuple(trial_ids),
            subjects=np.asarray(subjects, dtype=np.str_),
            stimuli=np.asarray(stimuli, dtype=np.str_),
            labels=np.asarray(labels, dtype=np.str_),
            reason=np.asarray(reason, dtype=np.uint8),
            reasons=tuple(reasons),
            strata=MappingProxyType({k: np.asarray(v, dtype=np.str_) for k, v in (strata or {}).items()}),
            origin=MappingProxyType(dict(origin or {})),
        )

    def __post_init__(self) -> None:
        """Check that every row has its names and every missing value its reason."""
        n = self.X.shape[0]
        lengths = {
            "trial_ids": len(self.trial_ids),
            "subjects": len(self.subjects),
            "stimuli": len(self.stimuli),
            "labels": len(self.labels),
            "reason": self.reason.shape[0],
            **{f"strata '{k}'": len(v) for k, v in self.strata.items()},
        }
        faults = [f"expected {n} {k}, one per row, got {m}" for k, m in lengths.items() if m != n]
        if len(set(self.trial_ids)) != len(self.trial_ids):
            faults.append(f"row names repeat: {len(self.trial_ids) - len(set(self.trial_ids))} more than once")
        if any(not s for s in self.subjects):
            faults.append("expected a subject in every row, got blanks; without subjects no honest split exists")
        if self.X.ndim == 2 and len(self.columns) != self.X.shape[1]:
            faults.append(f"expected {self.X.shape[1]} column names, got {len(self.columns)}")
        if len(set(self.columns)) != len(self.columns):
            faults.append("column names repeat")
        expected = self.X.shape if self.X.ndim == 2 else self.X.shape[:1]
        if self.reason.shape != expected:
            faults.append(f"expected a reason of shape {expected}, got {self.reason.shape}")
        elif self.reason.size and int(self.reason.max()) >= len(self.reasons):
            faults.append(f"reason {int(self.reason.max())} has no text, there are {len(self.reasons)}")
        elif not faults:
            finite = np.isfinite(self.X if self.X.ndim == 2 else self.X.reshape(n, -1).sum(axis=1))
            if np.any(self.valid & ~finite):
                faults.append(f"{int(np.sum(self.valid & ~finite))} values are NaN or infinite without a reason")
        raise_faults("feature table", faults)

    def __len__(self) -> int:
        """Count rows."""
        return int(self.X.shape[0])

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Mask of ``reason``'s shape: True where the value can be believed."""
        return np.asarray(self.reason == 0)

    def rows(self, index: NDArray[Any]) -> FeatureTable:
        """Table of the rows that ``index`` (positions or a boolean mask) selects."""
        index = np.arange(len(self))[index]
        return replace(
            self,
            X=self.X[index],
            trial_ids=tuple(self.trial_ids[i] for i in index),
            subjects=self.subjects[index],
            stimuli=self.stimuli[index],
            labels=self.labels[index],
            reason=self.reason[index],
            strata=MappingProxyType({k: v[index] for k, v in self.strata.items()}),
        )

    def joined(self, other: FeatureTable) -> FeatureTable:
        """Table with the columns of both; `DataError` unless the rows are the same in the same order."""
        if self.trial_ids != other.trial_ids:
            raise DataError(
                f"feature table: expected the same {len(self)} rows in both tables to join, got {len(other)} others; "
                "were they made from the same samples?"
            )
        table_of = {text: i for i, text in enumerate(self.reasons)}
        reasons = [*self.reasons, *(r for r in other.reasons if r not in table_of)]
        position = np.array([reasons.index(r) for r in other.reasons], dtype=np.uint8)
        return replace(
            self,
            X=np.concatenate([self.X, other.X], axis=1),
            columns=(*self.columns, *other.columns),
            reason=np.concatenate([self.reason, position[other.reason]], axis=1),
            reasons=tuple(reasons),
            strata=MappingProxyType({**other.strata, **self.strata}),
            origin=MappingProxyType({**other.origin, **self.origin}),
        )


@dataclass(frozen=True, slots=True)
class Score:
    """
    One number with its 95 % interval.

    Parameters
    ----------
    name
        For example ``UF1``.
    value
        Between 0 and 1 unless the name says otherwise.
    low, high
        Ends of the interval from resampling subjects.
    group
        ``all``, or one value of a stratum such as ``casme2``.
    n
        Samples (or intervals) behind it.
    """

    name: str
    value: float
    low: float
    high: float
    group: str = "all"
    n: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """
    Everything needed to believe, recompute and repeat an evaluation.

    Parameters
    ----------
    task
        ``recognition`` or ``spotting``.
    title
        One line for tables and reports, for example ``face``.
    dataset
        Name, path and SHA-256 of what was evaluated, and ``simulated`` where it was.
    protocol
        Name of the split, for example ``loso``, with what it left out.
    model
        Name and parameters.
    config
        The resolved run configuration.
    seed
        Of everything random.
    predictions
        Columns of equal length, one row per sample (recognition) or spotted interval (spotting).
    truth
        Columns of equal length for spotting: the coded intervals; empty for recognition, whose truth is a column.
    scores
        With intervals, recomputed from the predictions.
    chance
        Chance level by score name: mean, 95th percentile and p of the permutation.
    versions
        Of Python and the packages that can change a number.
    """

    task: Literal["recognition", "spotting"]
    title: str
    dataset: Mapping[str, Any]
    protocol: Mapping[str, Any]
    model: Mapping[str, Any]
    config: Mapping[str, Any]
    seed: int
    predictions: Mapping[str, Sequence[Any]]
    truth: Mapping[str, Sequence[Any]]
    scores: tuple[Score, ...]
    chance: Mapping[str, Mapping[str, float]]
    versions: Mapping[str, str]

    def score(self, name: str, group: str = "all") -> Score:
        """Return the score of that name and group; `DataError` lists what there is when it is missing."""
        for score in self.scores:
            if score.name == name and score.group == group:
                return score
        have = ", ".join(f"{s.name} ({s.group})" for s in self.scores)
        raise DataError(f"result '{self.title}': expected a score {name} ({group}), got {have}")
