"""
How the regions of a face move through a video, without training and whatever the frame rate.

Each moment is compared with a reference frame by one flow field; the mean over a region, less the motion of the head
that most of the skin follows, is the displacement of that region. An expression leaves and comes back: its *bump* at a
reach ``h`` is the distance of the displacement now from the middle between ``h`` before and ``h`` after, large at an
apex and zero for steady motion. Reaches are in seconds, so the same settings hold at 30 and at 200 frames per second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError
from mmme.features.face.averaging import MeanFrames, Stretch, ahead
from mmme.features.face.clips import FACE_PX
from mmme.features.face.flow import flow
from mmme.features.face.landmarks import FaceFinder, FaceMesh, LandmarkTrack, NoFaceError, nearest, track_landmarks
from mmme.features.face.regions import REGIONS, region_masks, skin_mask
from mmme.features.face.registration import head_motion, register, similarity
from mmme.interval import Interval
from mmme.types import FeatureTable, Sample, Stream

__all__ = ["REACHES_S", "MotionCurve", "motion_curve", "motion_features", "registered_faces"]

#: From the rise of a short micro-expression to that of a long macro-expression.
REACHES_S = (0.1, 0.2, 0.4, 0.8)
#: Shifts at which the strongest motion around a moment is looked at as well.
SHIFTS_S = (-0.3, -0.15, 0.15, 0.3)
STRONGEST = 3


@dataclass(frozen=True, slots=True, eq=False)
class MotionCurve:
    """
    Displacement of facial regions through time.

    Parameters
    ----------
    t : (k,) float64
        Times [s], at a steady rate.
    displacement : (k, n_regions, 2) float64
        To the right and downwards, against the start, head motion taken off [px of a 128-px face]; NaN without a face.
    names : (n_regions,)
        Regions.
    track
        Where the face was, how sure the detector is of it, and who else was seen.
    """

    t: NDArray[np.float64]
    displacement: NDArray[np.float64]
    names: tuple[str, ...]
    track: LandmarkTrack | None = None

    def at(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Displacement in between, ``(n, n_regions, 2)``; held before the first and after the last moment."""
        flat = self.displacement.reshape(len(self.t), -1)
        right = np.clip(np.searchsorted(self.t, times_s), 1, len(self.t) - 1)
        share = np.clip((times_s - self.t[right - 1]) / (self.t[right] - self.t[right - 1]), 0, 1)[:, None]
        between = np.where(share < 1, flat[right - 1], 0) * (1 - share) + np.where(share > 0, flat[right], 0) * share
        return np.asarray(between.reshape(len(times_s), *self.displacement.shape[1:]))

    def bump(self, reach_s: float, times_s: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Bump of each region ``(n, n_regions)`` [px] at the given times, by default at all."""
        times = self.t if times_s is None else times_s
        apart = self.at(times) - 0.5 * (self.at(times - reach_s) + self.at(times + reach_s))
        return np.asarray(np.linalg.norm(apart, axis=2))

    @property
    def regions(self) -> NDArray[np.float64]:
        """Largest bump of each region over short and medium reaches, ``(k, n_regions)`` [px]."""
        return np.maximum(self.bump(REACHES_S[1]), self.bump(REACHES_S[2]))

    @property
    def total(self) -> NDArray[np.float64]:
        """Mean of the strongest regions, ``(k,)`` [px]."""
        return strongest(self.regions)


def strongest(regions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the few regions that move most: an expression moves some, never all."""
    return np.asarray(np.sort(regions, axis=1)[:, -STRONGEST:].mean(axis=1))


def motion_curve(
    video: Stream,
    span: Interval | None = None,
    *,
    rate_hz: float = 30.0,
    reference_s: float = 8.0,
    average_s: float = 0.012,
    method: str = "dis",
    finder: FaceFinder | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> MotionCurve:
    """
    Follow the regions of a face.

    Parameters
    ----------
    video
        Grey frames.
    span
        Part of the video; all of it by default.
    rate_hz
        Moments per second; the frames nearest in true time are used.
    reference_s
        A new reference frame is taken this often [s], its own displacement carried on.
    average_s
        Frames this far around each moment are averaged [s].
    method
        Optical flow.
    finder
        Detector; the face mesh by default.
    progress
        Called with moments done, and all.

    Returns
    -------
    MotionCurve

    Raises
    ------
    DataError
        If the video does not cover two moments of the span, or shows no face.
    """
    times, seen, track = _followed(video, span or video.span, rate_hz, average_s, finder)
    displacement = np.full((len(times), len(REGIONS), 2), np.nan)
    carried = np.zeros((len(REGIONS), 2))
    last: _Moment | None = None
    for moment in ahead(_moments(MeanFrames(video, average_s), track, times, seen, max(2, round(reference_s * rate_hz)))):
        if last is None or moment.block != last.block:  # after a stretch without a face it goes on from where it was seen
            carried = carried if last is None else displacement[last.index].copy()
            skin = skin_mask(moment.points, moment.matrix, FACE_PX)
            masks = region_masks(moment.points, moment.matrix, FACE_PX).reshape(len(REGIONS), -1)
            weights = masks / masks.sum(axis=1, keepdims=True)
            reference = moment.face
            if progress and moment.block:
                progress(moment.block, len(times))
        field = flow(reference, moment.face, method=method)
        displacement[moment.index] = carried + weights @ (field - head_motion(field, skin)).reshape(-1, 2)
        last = moment
    if progress:
        progress(len(times), len(times))
    return MotionCurve(times, displacement, tuple(REGIONS), track)


def _followed(
    video: Stream,
    span: Interval,
    rate_hz: float,
    average_s: float,
    finder: FaceFinder | None,
    track: LandmarkTrack | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.bool_], LandmarkTrack]:
    """Moments of a steady rate, whether each shows a face, and where."""
    part = video.between(span)
    if part.stop - part.start < 2:
        raise DataError(
            f"{video.device}: expected frames in [{span.start:.3f} s, {span.stop:.3f} s), got {part.stop - part.start}"
        )
    t = video.t[part]
    times = np.arange(t[0], t[-1] + 1e-9, 1 / rate_hz)
    if track is None:
        with nullcontext(finder) if finder is not None else FaceMesh() as looking:
            track = track_landmarks(Stretch(video, part), t, finder=looking, where=video.device)
    recorded = np.abs(t[nearest(t, times)] - times) <= max(0.5 / rate_hz, 2 * float(np.median(np.diff(t))))
    seen = recorded & np.all([track.sees(times + shift) for shift in (-average_s, 0.0, average_s)], axis=0)
    return times, seen, track


def registered_faces(
    video: Stream,
    *,
    rate_hz: float = 30.0,
    average_s: float = 0.012,
    finder: FaceFinder | None = None,
    track: LandmarkTrack | None = None,
) -> tuple[NDArray[np.float64], LandmarkTrack, Iterator[tuple[int, NDArray[np.float32]]]]:
    """
    Register the face of every moment, one after the other; nothing is held.

    Parameters
    ----------
    video, rate_hz, average_s, finder
        As in `motion_curve`.
    track
        Of the whole video, where it is known already.

    Returns
    -------
    t : (k,) float64
        Moments [s].
    track
        Where the face was.
    faces
        Number of the moment and its face ``(128, 128)`` [grey levels]; those without a face are left out.

    Raises
    ------
    DataError
        If the video has no two frames, or shows no face.
    """
    times, seen, track = _followed(video, video.span, rate_hz, average_s, finder, track)
    # each moment once: blocks share their ends, one that holds all moments shares none
    moments = ahead(_moments(MeanFrames(video, average_s), track, times, seen, len(times) + 1))
    return times, track, ((moment.index, moment.face) for moment in moments)


@dataclass(frozen=True, slots=True, eq=False)
class _Moment:
    """A registered face: which moment, from which on the reference holds, its landmarks [px of the frame]."""

    index: int
    block: int
    points: NDArray[np.float32]
    matrix: NDArray[np.float64]
    face: NDArray[np.float32]


def _moments(
    frames: MeanFrames, track: LandmarkTrack, times: NDArray[np.float64], seen: NDArray[np.bool_], per_reference: int
) -> Iterator[_Moment]:
    """Register the face of each moment that shows one; a block's last moment is the next one's first, too."""
    for start in range(0, max(1, len(times) - 1), per_reference - 1):
        block = slice(start, min(start + per_reference, len(times)))
        points = track.at(times[block])
        for k in np.flatnonzero(seen[block]):
            matrix = similarity(points[k], FACE_PX)
            face = register(frames.at(times[start + k]), matrix, FACE_PX)
            yield _Moment(start + int(k), start, points[k], matrix, face)


def motion_features(
    video: Stream,
    samples: Sequence[Sample],
    *,
    rate_hz: float = 20.0,
    finder: FaceFinder | None = None,
) -> FeatureTable:
    """
    Describe moments by the bumps of all regions at several reaches, and by the strongest ones just before and after.

    Parameters
    ----------
    video
        Grey frames on the clock of the samples.
    samples
        Moments; the apex is the moment, the trial is followed once for all its moments.
    rate_hz
        Of the curve behind the values.
    finder
        Detector; the face mesh by default.

    Returns
    -------
    FeatureTable
        Columns ``motion_<region>_<reach>`` and ``motion_strongest_<reach>[_<shift>]`` [px]; stratum ``time_s``. Moments
        without a face, or of a trial that no frame covers, are NaN and say so.

    Raises
    ------
    DataError
        If there are no samples.
    """
    if not samples:
        raise DataError("motion features: expected at least one moment, got none")
    columns = [f"motion_{name}_{reach:g}s" for reach in REACHES_S for name in REGIONS]
    columns += [f"motion_strongest_{reach:g}s" for reach in REACHES_S]
    columns += [f"motion_strongest_{reach:g}s_{shift:+g}s" for reach in REACHES_S for shift in SHIFTS_S]
    X = np.full((len(samples), len(columns)), np.nan)
    reason = np.ones(len(samples), dtype=np.uint16)
    trials: dict[tuple[str, Interval], list[int]] = {}
    for k, sample in enumerate(samples):
        trials.setdefault((sample.subject, sample.trial), []).append(k)
    with nullcontext(finder) if finder is not None else FaceMesh() as looking:
        for (_, span), rows in trials.items():
            covered = video.between(span)
            if covered.stop - covered.start < 2:
                continue  # the rows keep their reason
            try:
                curve = motion_curve(video, span, rate_hz=rate_hz, finder=looking)
            except NoFaceError:
                continue
            X[rows] = _described(curve, np.array([samples[k].apex for k in rows]))
    reason[np.isfinite(X).all(axis=1)] = 0
    X[reason > 0] = np.nan
    return FeatureTable.build(
        X,
        columns,
        [s.id for s in samples],
        [s.subject for s in samples],
        [s.stimulus for s in samples],
        [s.label for s in samples],
        reason=np.repeat(reason[:, None], len(columns), axis=1),
        reasons=("", "no face, or no frame, in the window"),
        strata={"time_s": [repr(s.apex) for s in samples]},
        origin={"motion": f"region displacement at {rate_hz:g} Hz, bumps at {', '.join(f'{r:g}' for r in REACHES_S)} s"},
    )


def _described(curve: MotionCurve, times: NDArray[np.float64]) -> NDArray[np.float64]:
    bumps = [curve.bump(reach, times) for reach in REACHES_S]
    here = [strongest(bump)[:, None] for bump in bumps]
    around = [strongest(curve.bump(reach, times + shift))[:, None] for reach in REACHES_S for shift in SHIFTS_S]
    return np.concatenate([*bumps, *here, *around], axis=1)
