"""Timeline + coded events -> trials."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmme.align import event_bound_s, event_uncertainty_s
from mmme.errors import DataError, raise_faults
from mmme.interval import Interval
from mmme.types import CodedEvent, Expression, Kind, Timeline, Trial

__all__ = ["ROUNDING_S", "Misplaced", "Trials", "build_trials", "rule_kind"]

MMME_TRIALS = range(101, 149)
MAX_OUTSIDE_S = 0.05  # a coder's edge may be off by a few frames, and so may the trigger's
MICRO_TOTAL_S, MICRO_APEX_S = 0.500, 0.250
AT_ONCE_S = 0.05  # two codes this close are two devices' readings of one change, not two changes
ROUNDING_S = 1e-6  # differences of session times in binary fractions


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A coded event that no trial could take, and why."""

    event: CodedEvent
    reason: str


@dataclass(frozen=True, slots=True)
class Trials:
    """
    What `build_trials` made of a timeline.

    Parameters
    ----------
    trials
        In order of time.
    misplaced
        Coded events that are in none of them.
    open_ended
        Ids of trials that were not followed by the idle code: their end is the next code, or the end of the recording
        (a code at the very end has no trial and is only named here).
    """

    trials: tuple[Trial, ...]
    misplaced: tuple[Misplaced, ...] = ()
    open_ended: tuple[str, ...] = ()


def rule_kind(
    onset: float,
    apex: float,
    offset: float,
    *,
    micro_total_s: float = MICRO_TOTAL_S,
    micro_apex_s: float = MICRO_APEX_S,
) -> Kind:
    """
    Tell micro from macro by duration.

    Micro when onset to offset lasts at most 500 ms; where the end was not visible (apex equal to offset), when onset to
    apex lasts at most 250 ms. Of the readings of the published rule ("or" of both) this one agrees best with the
    labels of the MMME coding file (892 of 944 rows).

    Parameters
    ----------
    onset, apex, offset
        Times [s].
    micro_total_s, micro_apex_s
        Longest micro-expression, and longest rise of one whose end was not visible [s]; a data set may state others.

    Returns
    -------
    str
        ``micro`` or ``macro``.

    References
    ----------
    Yan WJ et al. (2013), How fast are the leaked facial expressions, doi:10.1007/s10919-013-0159-8.

    Examples
    --------
    >>> rule_kind(1.0, 1.2, 1.5), rule_kind(1.0, 1.3, 1.3), rule_kind(1.0, 1.25, 1.25)
    ('micro', 'macro', 'micro')
    """
    if apex == offset:
        return "micro" if apex - onset <= micro_apex_s + ROUNDING_S else "macro"
    return "micro" if offset - onset <= micro_total_s + ROUNDING_S else "macro"


def build_trials(
    timeline: Timeline,
    coded: Sequence[CodedEvent],
    *,
    frame_uncertainty_s: NDArray[np.float64] | None = None,
    idle: int = 100,
    stimuli: Mapping[int, tuple[str, str]] | None = None,
    kind_rule: tuple[float, float] = (MICRO_TOTAL_S, MICRO_APEX_S),
) -> Trials:
    """
    Cut a timeline into trials and put the coded events where they belong.

    Parameters
    ----------
    timeline
        From `mmme.align.align`.
    coded
        Rows of the annotation table of this subject, in video frames.
    frame_uncertainty_s : (n_frames,)
        Standard uncertainty of each frame's time [s]; without it that of the expressions is unknown (NaN).
    idle
        Code between stimuli.
    stimuli
        By trial code: stimulus and target emotion. It also says which codes are trials. Without it these are 101 to
        148 (MMME), and names come from the coded rows; a trial without rows is then named by its code, label blank.
    kind_rule
        Limits of `rule_kind`: longest micro-expression, longest rise of one whose end was not visible [s].

    Returns
    -------
    Trials
        Trial ids are ``<subject>-<code>`` (``<subject>_<session>-<code>`` where a subject has several sittings), with
        ``-2``, ``-3``, ... where a code was presented again. Where no device has a marker and no stimuli are stated, the
        whole video is one trial, named as the recording is. Times of an
        expression are those of its frames; its kind follows `rule_kind` where the table is silent; its uncertainty is
        that of its worst frame and of the camera's clock, added in squares; its bound is the sum of both bounds, a
        frame's being the root of 3 times its standard uncertainty (all of an interval is equally likely). A code that is
        neither a trial's nor idle is overlooked within 50 ms of one that is: a device misread the change. Returned as
        misplaced are rows of other subjects, with frames beyond the video, of a trial that does not exist, of another
        stimulus than the code's, and rows that reach more than 50 ms out of their trial.

    Raises
    ------
    DataError
        If there are coded rows but no video, if ``frame_uncertainty_s`` does not fit the video, or if rows contradict
        each other about the stimulus of one code and ``stimuli`` does not decide.

    Examples
    --------
    >>> from mmme.types import ClockMap, Markers, Stream
    >>> video = Stream("video", "camera", np.arange(0, 20, 0.01), np.zeros((2000, 2, 2), np.uint8), "grey level")
    >>> line = Timeline("S01", "01", {"video": video}, Markers("session", np.array([5.0, 15.0]), np.array([103, 100])),
    ...                 {"camera": ClockMap("camera", 1.0, 0.0, 0.0, 2, 0)}, {"video": video.span})
    >>> row = CodedEvent("S01", "A", None, 103, "happy-2", "happy", 700, 720, 740, ("AU12",), "happy", "coding.xlsx:2")
    >>> trial = build_trials(line, [row]).trials[0]
    >>> trial.id, trial.span.duration_s, trial.expressions[0].kind, round(trial.expressions[0].onset, 2)
    ('S01-103', 10.0, 'micro', 7.0)
    """
    where = f"trials of {timeline.subject}/{timeline.session}"
    names = dict(stimuli) if stimuli is not None else _names_from_rows(coded, where)
    codes = set(names) if stimuli is not None else set(MMME_TRIALS)
    frames_s = _frame_times(timeline, coded, frame_uncertainty_s, where)
    own = timeline.subject if timeline.session in ("", "01") else f"{timeline.subject}_{timeline.session}"
    trials, open_ended = _whole_video(timeline, coded, own, stimuli), []
    seen: Counter[int] = Counter()
    for code, span, closed in _spans(timeline, codes, idle):
        seen[code] += 1
        name = f"{own}-{code}" + (f"-{seen[code]}" if seen[code] > 1 else "")
        stimulus, label = names.get(code, (str(code), ""))
        if span is not None:
            trials.append((code, Trial(name, timeline.subject, stimulus, span, label)))
        if not closed:
            open_ended.append(name)
    inside: dict[str, list[Expression]] = {trial.id: [] for _, trial in trials}
    misplaced = []
    for event in coded:
        candidates = [trial for code, trial in trials if code == event.marker or event.marker is None]
        found = _place(event, timeline.subject, frames_s, candidates, names)
        if isinstance(found, str):
            misplaced.append(Misplaced(event, found))
        else:
            inside[found.id].append(_expression(event, timeline, frame_uncertainty_s, kind_rule))
    done = [
        replace(t, expressions=tuple(sorted(inside[t.id], key=lambda e: (e.onset, e.offset, e.coder)))) for _, t in trials
    ]
    return Trials(tuple(done), tuple(misplaced), tuple(open_ended))


def _whole_video(
    timeline: Timeline, coded: Sequence[CodedEvent], name: str, stimuli: Mapping[int, tuple[str, str]] | None
) -> list[tuple[int, Trial]]:
    """Make the video one trial where nothing was ever marked: a clip."""
    if len(timeline.markers) or stimuli is not None or "video" not in timeline.streams:
        return []
    t = timeline.streams["video"].t
    span = Interval(float(t[0]), float(t[-1] + np.median(np.diff(t))))
    stimulus, label = (coded[0].stimulus, coded[0].target) if coded else (name, "")
    return [(-1, Trial(name, timeline.subject, stimulus, span, label))]


def _names_from_rows(coded: Sequence[CodedEvent], where: str) -> dict[int, tuple[str, str]]:
    """Stimulus and target by code, as far as there are rows."""
    names: dict[int, tuple[str, str]] = {}
    faults = []
    for event in coded:
        if event.marker is None:
            continue
        first = names.setdefault(event.marker, (event.stimulus, event.target))
        if first != (event.stimulus, event.target):
            faults.append(
                f"{event.source}: expected stimulus '{first[0]}' ({first[1]}) for code {event.marker} as in earlier rows, "
                f"got '{event.stimulus}' ({event.target}); give the stimuli by code to decide"
            )
    raise_faults(where, faults)
    return names


def _frame_times(
    timeline: Timeline, coded: Sequence[CodedEvent], uncertainty_s: NDArray[np.float64] | None, where: str
) -> NDArray[np.float64]:
    """Session times of all frames; empty where there is neither a video nor a row."""
    if not coded and "video" not in timeline.streams:
        return np.empty(0)
    frames_s = timeline.stream("video").t
    if uncertainty_s is not None and uncertainty_s.shape != frames_s.shape:
        raise DataError(
            f"{where}: expected an uncertainty for each of {len(frames_s)} frames, got {uncertainty_s.shape}; "
            "are they of another recording?"
        )
    return frames_s


def _spans(timeline: Timeline, codes: set[int], idle: int) -> Iterator[tuple[int, Interval | None, bool]]:
    """Code and span of each trial, and whether the idle code ended it; a repeated code is not a change."""
    t, code = _without_misread(timeline.markers.t, timeline.markers.codes, [*codes, idle])
    change = np.flatnonzero(np.concatenate([[True], code[1:] != code[:-1]])) if len(code) else np.empty(0, dtype=np.int64)
    end_s = max((span.stop for span in timeline.coverage.values()), default=float("-inf"))
    for k, at in enumerate(change):
        if int(code[at]) in codes:
            last = k + 1 == len(change)
            stop_s = end_s if last else float(t[change[k + 1]])
            span = Interval(float(t[at]), stop_s) if stop_s > t[at] else None
            yield int(code[at]), span, not last and int(code[change[k + 1]]) == idle


def _without_misread(
    t: NDArray[np.float64], code: NDArray[np.int64], known: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Leave out foreign codes that are there at once with a known one."""
    is_known = np.isin(code, known)
    known_s = t[is_known]
    if not known_s.size:
        return t, code
    next_one = np.searchsorted(known_s, t).clip(max=len(known_s) - 1)
    away_s = np.minimum(np.abs(known_s[next_one] - t), np.abs(known_s[np.maximum(next_one - 1, 0)] - t))
    kept = is_known | (away_s > AT_ONCE_S)
    return t[kept], code[kept]


def _place(
    event: CodedEvent,
    subject: str,
    frames_s: NDArray[np.float64],
    candidates: Sequence[Trial],
    names: Mapping[int, tuple[str, str]],
) -> Trial | str:
    """Find the trial of a row, or say why it has none."""
    if event.subject != subject:
        return f"expected a row of {subject}, got one of {event.subject}"
    if event.offset_frame >= len(frames_s):
        return f"expected frames below {len(frames_s)}, got {event.offset_frame}; is it of another recording?"
    if not candidates:
        return f"expected a trial with code {event.marker}, got none; was its trigger lost on all devices?"
    stimulus = event.stimulus if event.marker is None else names[event.marker][0]
    if event.stimulus != stimulus:
        return f"expected stimulus '{stimulus}' for code {event.marker}, got '{event.stimulus}'"
    onset_s, offset_s = float(frames_s[event.onset_frame]), float(frames_s[event.offset_frame])
    outside = [max(t.span.start - onset_s, offset_s - t.span.stop) for t in candidates]
    nearest = int(np.argmin(outside))
    if outside[nearest] > MAX_OUTSIDE_S:
        return (
            f"expected {onset_s:.3f} to {offset_s:.3f} s within trial {candidates[nearest].id}, which lasts from "
            f"{candidates[nearest].span.start:.3f} to {candidates[nearest].span.stop:.3f} s, got {outside[nearest]:.3f} s "
            "outside; is the code or the frame number wrong?"
        )
    return candidates[nearest]


def _expression(
    event: CodedEvent,
    timeline: Timeline,
    frame_uncertainty_s: NDArray[np.float64] | None,
    kind_rule: tuple[float, float],
) -> Expression:
    """Give a row session times, a kind, an uncertainty and a bound."""
    video = timeline.streams["video"]
    frames = [event.onset_frame, event.apex_frame, event.offset_frame]
    onset, apex, offset = (float(video.t[frame]) for frame in frames)
    frame_s = float("nan") if frame_uncertainty_s is None else float(np.max(frame_uncertainty_s[frames]))
    total_s, apex_s = kind_rule
    return Expression(
        subject=event.subject,
        coder=event.coder,
        kind=event.kind or rule_kind(onset, apex, offset, micro_total_s=total_s, micro_apex_s=apex_s),
        onset=onset,
        apex=apex,
        offset=offset,
        aus=event.aus,
        emotion=event.emotion,
        source=event.source,
        uncertainty_s=float(np.hypot(frame_s, event_uncertainty_s(timeline, video.device))),
        max_error_s=float(np.sqrt(3.0)) * frame_s + event_bound_s(timeline, video.device),
        assumed=event.assumed,
    )
