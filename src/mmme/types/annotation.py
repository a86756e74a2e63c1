"""What coders saw, and what is shown to whom: rows, coded events, expressions, trials, and the moments to describe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mmme.errors import DataError
from mmme.interval import Interval

__all__ = [
    "KINDS",
    "ActionUnit",
    "CodedEvent",
    "CodingRow",
    "Expression",
    "FrameStamp",
    "Kind",
    "Moment",
    "Sample",
    "Trial",
]

Kind = Literal["micro", "macro"]
KINDS: tuple[Kind, ...] = ("micro", "macro")


@dataclass(frozen=True, slots=True)
class ActionUnit:
    """
    One FACS action unit as coders write it, with side, intensity and doubt kept.

    Parameters
    ----------
    number
        FACS number, 1 to 99.
    side
        ``L`` or ``R`` where only one side moved, else empty.
    intensity
        ``A`` (trace) to ``E`` (maximum), else empty.
    doubtful
        Written with a question mark, or as one of several that it may have been.

    Examples
    --------
    >>> str(ActionUnit(12, side="L")), str(ActionUnit(17, doubtful=True)), str(ActionUnit(15, intensity="A"))
    ('AU12L', 'AU17?', 'AU15A')
    """

    number: int
    side: Literal["", "L", "R"] = ""
    intensity: Literal["", "A", "B", "C", "D", "E"] = ""
    doubtful: bool = False

    def __str__(self) -> str:
        """Return ``AU<number><intensity><side><?>``, the form in which action units are stored."""
        return f"AU{self.number}{self.intensity}{self.side}{'?' if self.doubtful else ''}"


@dataclass(frozen=True, slots=True)
class FrameStamp:
    """A camera frame named by its time: milliseconds since midnight, and the running code where it is given."""

    time_of_day_ms: int
    code: int | None


@dataclass(frozen=True, slots=True)
class Moment:
    """
    A moment as an annotation table gives it: by frame, by time, or by the stamp of a frame.

    Parameters
    ----------
    frame
        Place of the frame in its video, from 0; None where the table gives none.
    t_s
        Seconds from the start of the video; None where neither the table nor a frame rate tells it. Times made from a
        frame number are nominal: frame divided by the rate that the data set states.
    stamp
        Where frames are named by time of day.
    """

    frame: int | None = None
    t_s: float | None = None
    stamp: FrameStamp | None = None


@dataclass(frozen=True, slots=True)
class CodingRow:
    """
    One row of an annotation table in our words; it still names the participant, so it must not outlive the import.

    Parameters
    ----------
    source
        File and row, for example ``coding.xlsx:17``; with several sheets ``coding.xlsx!HS:17``.
    subject
        Participant as written.
    clip
        Video or clip as written, without folder and ending; empty where the table is about one recording.
    coder
        Coder as written, or ``A``, ``B`` by order; empty where the table does not tell coders apart.
    kind
        ``micro``, ``macro``, or None where the table does not say.
    onset, apex, offset
        None where the table does not say (an apex that was not coded, an end that was not seen).
    aus
        Action units.
    emotion
        What the coder saw, as written; empty where the table has none.
    target
        What the stimulus was chosen for, as written; empty where the table has none.
    self_report
        What the participant said, as written; empty where the table has none.
    objective_class
        Class from action units alone (CASME II, SAMM: ``1`` to ``7``), as written; empty where the table has none.
    session
        Sitting as written, or the day of recording (``YYYYMMDD``) where the table gives that; empty where neither.
    marker
        Trigger value of the trial; None where the table does not say.
    fps
        Frame rate that the table or the data set states for this row [Hz]; None where neither does.
    notes
        What else was written, and what was odd about the row.
    """

    source: str
    subject: str
    clip: str
    coder: str
    kind: Kind | None
    onset: Moment | None
    apex: Moment | None
    offset: Moment | None
    aus: tuple[ActionUnit, ...] = ()
    emotion: str = ""
    target: str = ""
    self_report: str = ""
    objective_class: str = ""
    session: str = ""
    marker: int | None = None
    fps: float | None = None
    notes: tuple[str, ...] = ()


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
        Trigger code of the trial it was coded in; None where a recording is one trial without triggers.
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
    session
        Sitting or clip of the recording it is in; empty where the subject has one.
    self_report
        What the participant said; empty where unknown.
    assumed
        ``apex`` or ``offset`` where the table does not give it: the apex is then the middle frame, the offset the apex.
    """

    subject: str
    coder: str
    kind: Kind | None
    marker: int | None
    stimulus: str
    target: str
    onset_frame: int
    apex_frame: int
    offset_frame: int
    aus: tuple[str, ...]
    emotion: str
    source: str
    session: str = ""
    self_report: str = ""
    assumed: tuple[str, ...] = ()

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
        Standard uncertainty of the three times [s]; NaN where unknown. About one time in three is further off.
    max_error_s
        Bound on the error of the three times [s]; NaN where unknown. None should be further off, apart from a delay that
        all frames share; docs/time.md says how it is made up and how often it held.
    assumed
        Which of ``apex`` and ``offset`` nobody coded: then the middle, or the apex.

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
    max_error_s: float = float("nan")
    assumed: tuple[str, ...] = ()

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
    apex_coded
        False where nobody coded the apex and the middle stands in for it.
    """

    id: str
    subject: str
    stimulus: str
    label: str
    onset: float
    apex: float
    offset: float
    trial: Interval
    apex_coded: bool = True
