"""Which moments of one video are to be recognised: spotted, or around given apexes, or given from onset to offset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError, DataError
from mmme.features.face.clips import ClipSettings, FaceClip, NoClipError, open_clip
from mmme.features.face.landmarks import FaceFinder, faces_in, nearest
from mmme.features.face.motion import motion_curve
from mmme.interval import Interval
from mmme.models.spotting import MICRO_MAX_S, Spotted, beyond_s, spot, spot_at
from mmme.types import Kind, Sample, Stream

__all__ = ["FACTOR", "Found", "around_apex", "beyond", "given_interval", "opened", "spotted"]

#: Frame rates, sizes of faces and lengths beyond the range of the training by more than this are refused.
FACTOR = 2.0
#: Video looked at on both sides of a given apex [s].
AROUND_S = 3.0
FEWEST_FRAMES = 3
#: A face may be turned by this in the picture [degrees].
MOST_ROLL = 45.0
_EYE_RIGHT, _EYE_LEFT = 33, 263


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """
    One expression to be recognised.

    Parameters
    ----------
    sample
        Its onset, apex and offset [s].
    kind
        By its length: ``micro`` up to 0.5 s.
    how
        ``spotted``, ``apex given`` or ``interval given``.
    assumed
        What nobody said and was estimated, in words.
    clip
        Its face; None where there is none.
    reason
        Why its face cannot be described; empty where it can.
    """

    sample: Sample
    kind: Kind
    how: str
    assumed: str
    clip: FaceClip | None = None
    reason: str = ""


def _found(video: Stream, times: tuple[float, float, float], how: str, assumed: str, *, coded: bool = True) -> Found:
    onset, apex, offset = times
    kind: Kind = "micro" if offset - onset <= MICRO_MAX_S else "macro"
    sample = Sample("", "new", video.device, "", onset, apex, offset, video.span, coded)
    return Found(sample, kind, how, assumed)


def _spotted(video: Stream, found: Spotted, how: str, assumed: str) -> Found:
    made = _found(video, (found.onset, found.apex, found.offset), how, assumed)
    frame_s = float(np.median(np.diff(video.t)))
    if found.onset <= video.t[0] + frame_s:
        return replace(made, reason="the motion reaches the first frame: its onset was not recorded")
    return made


def spotted(video: Stream, kind: str, finder: FaceFinder, step: object = None) -> tuple[list[Found], list[str]]:
    """
    Propose the expressions of a kind, as `mmme spot` finds them.

    Returns
    -------
    found, notes
        In order of time; what was not searched, who else was seen, and how many of the other kind were left.

    Raises
    ------
    DataError
        If the video shows no face.
    """
    progress = (lambda done, n: step("motion of the face", done, n)) if callable(step) else None
    curve = motion_curve(video, finder=finder, progress=progress)
    every = spot(curve)
    wanted = [s for s in every if kind in ("any", s.kind)]
    notes = []
    if blind := beyond_s(curve):
        notes.append(f"not searched: {blind:.1f} s without a face, or with one that turned away or was covered")
    if curve.track is not None and curve.track.others:
        notes.append(f"somebody else is in the picture ({len(curve.track.others)}), and was not looked at")
    if len(wanted) < len(every):
        notes.append(f"{len(every) - len(wanted)} expressions of another kind than {kind} were spotted and left out")
    assumed = "onset, apex and offset as spotted in a curve of 30 moments per second"
    return [_spotted(video, s, "spotted", assumed) for s in wanted], notes


def around_apex(video: Stream, apex_s: float, kind: str, finder: FaceFinder) -> Found:
    """
    Take an expression around a given apex: onset and offset where the motion of the face begins and ends.

    Raises
    ------
    DataError
        If the apex lies outside the video or the video shows no face there.
    """
    if not video.t[0] <= apex_s <= video.t[-1]:
        span = f"{video.t[0]:.3f} to {video.t[-1]:.3f} s"
        raise DataError(f"{video.device}: expected --at in the video, {span}, got {apex_s:g} s")
    span_s = Interval(max(float(video.t[0]), apex_s - AROUND_S), min(float(video.t[-1]), apex_s + AROUND_S))
    only: Kind | None = "micro" if kind == "micro" else "macro" if kind == "macro" else None
    found = spot_at(motion_curve(video, span_s, finder=finder), apex_s, kind=only)
    return _spotted(
        video, found, "apex given", "onset and offset where the motion of the regions that move most begins and ends"
    )


def given_interval(video: Stream, interval: Sequence[float]) -> Found:
    """
    Take an expression from its onset to its offset; an apex that is not given is estimated from the motion of the face.

    Parameters
    ----------
    video
        Its frames.
    interval
        Onset and offset, or onset, apex and offset [s].

    Raises
    ------
    ConfigError
        If the times are not in that order.
    DataError
        If they leave the video.
    """
    onset, offset = interval[0], interval[-1]
    apex = interval[1] if len(interval) == 3 else 0.5 * (onset + offset)
    if not onset < apex <= offset:
        said = ":".join(f"{time:g}" for time in interval)
        raise ConfigError(f"--interval: expected onset before apex before offset, got {said}")
    slack_s = float(np.median(np.diff(video.t)))
    if onset < video.t[0] - slack_s or offset > video.t[-1] + slack_s:
        span = f"{video.t[0]:.3f} to {video.t[-1]:.3f} s"
        raise DataError(f"{video.device}: expected an interval in the video, {span}, got {onset:g} to {offset:g} s")
    coded = len(interval) == 3
    assumed = "" if coded else "apex where the face moves most (docs/apex.md)"
    return _found(video, (onset, apex, offset), "interval given", assumed, coded=coded)


def opened(video: Stream, found: Found, finder: FaceFinder, settings: ClipSettings, name: str) -> Found:
    """Look for the face of an expression and, where nobody said it, for its apex."""
    sample = replace(found.sample, id=name)
    n = int(np.sum((video.t >= sample.onset - 1e-6) & (video.t <= sample.offset + 1e-6)))
    if found.reason or n < FEWEST_FRAMES:
        reason = found.reason or f"expected {FEWEST_FRAMES} frames from onset to offset, got {n}"
        return replace(found, sample=sample, reason=reason)
    try:
        clip = open_clip(video, sample, finder, settings)
    except NoClipError as why:
        return replace(found, sample=sample, reason=str(why))
    frame = video.x[int(nearest(video.t, np.array([sample.onset]))[0])]
    return replace(found, sample=replace(clip.sample, apex_coded=True), clip=clip, reason=_not_upright(frame, clip, finder))


def _not_upright(frame: NDArray[np.uint8], clip: FaceClip, finder: FaceFinder) -> str:
    """Say in words that a face is turned in the picture: the mesh then lies on it as on an upright one, or is not exact."""
    across = clip.points[_EYE_LEFT] - clip.points[_EYE_RIGHT]
    roll = float(np.degrees(np.arctan2(across[1], across[0])))
    if abs(roll) > MOST_ROLL:
        return f"the face is turned by {roll:.0f} degrees in the picture; turn the video upright"
    sure, surer = (faces_in(np.ascontiguousarray(image), finder) for image in (frame, frame[::-1, ::-1]))
    if sure and surer and surer[0].confidence > sure[0].confidence:
        return "the face is upside down: the detector is surer of the picture when it is turned"
    return ""


def beyond(value: float, known: Sequence[float], *, upwards: bool = True) -> bool:
    """
    Tell whether a value lies beyond a range of the training by more than the factor; never where no range is known.

    Examples
    --------
    >>> beyond(130.0, [60.0, 62.0]), beyond(31.0, [60.0, 62.0]), beyond(5.0, [])
    (True, False, False)
    """
    if not known:
        return False
    return value < known[0] / FACTOR or (upwards and value > known[1] * FACTOR)
