"""
One face followed through a long video: looked at now and then, on a line in between, and exact where it comes and goes.

People are told apart by place and size over time, never by who they look like. The one of whom most is to be seen, width
times time, is followed; all others are reported. Nothing is invented: where the followed face is not found there are NaN
and a confidence of 0, and a loss between two looks is narrowed down to the frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from mmme.features.face.faces_found import N_POINTS, Box, Face, FaceFinder, NoFaceError, faces_in, nearest
from mmme.types import Samples

__all__ = ["LOOKS_HZ", "LandmarkTrack", "OtherPerson", "track_landmarks"]

#: How often to look; the error in between is in docs/faces.md.
LOOKS_HZ = 4.0
#: A face may have moved half its width, and one width more per second since it was seen, at most three.
_STEP_WIDTHS, _SPEED_WIDTHS_S, _FAR_WIDTHS = 0.5, 1.0, 3.0
#: No face grows or shrinks by more between two sightings.
_GROWTH = 1.5
#: Somebody not seen for longer is no longer looked for closely where they were.
_NEAR_S = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class OtherPerson:
    """
    Somebody who was seen beside the face that is followed.

    Parameters
    ----------
    t : (k,) float64
        Times of the looks that showed this person [s].
    boxes : (k, 4) float64
        Left, top, right, bottom of the face [px].
    confidence : (k,) float64
        Of the detector, 0..1.
    """

    t: NDArray[np.float64]
    boxes: NDArray[np.float64]
    confidence: NDArray[np.float64]

    @property
    def width_px(self) -> float:
        """Median width of the face [px]."""
        return float(np.median(self.boxes[:, 2] - self.boxes[:, 0]))


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkTrack:
    """
    Landmarks at some times of a video.

    Parameters
    ----------
    t : (k,) float64
        Times of the frames looked at [s].
    points : (k, 468, 2) float32
        x and y [px]; NaN where no face was found.
    confidence : (k,) float64 or None
        Of the detector, 0..1; 0 where no face was found, NaN where the detector tells none. None if nobody asked it.
    others
        Who else was seen, whoever was seen most first.
    """

    t: NDArray[np.float64]
    points: NDArray[np.float32]
    confidence: NDArray[np.float64] | None = None
    others: tuple[OtherPerson, ...] = ()

    @property
    def found(self) -> NDArray[np.bool_]:
        """``(k,)``: where there was a face."""
        return np.isfinite(self.points[:, 0, 0])

    def at(self, times_s: NDArray[np.float64]) -> NDArray[np.float32]:
        """
        Landmarks in between, linear between two neighbouring frames that both show a face, else NaN.

        Parameters
        ----------
        times_s : (n,)
            Times [s]; before the first and after the last look, these hold.

        Returns
        -------
        (n, 468, 2) float32
        """
        if len(self.t) == 1:
            return np.repeat(self.points, len(times_s), axis=0)
        right = np.clip(np.searchsorted(self.t, times_s), 1, len(self.t) - 1)
        share = np.clip((times_s - self.t[right - 1]) / (self.t[right] - self.t[right - 1]), 0, 1)[:, None, None]
        left_part = np.where(share < 1, self.points[right - 1] * (1 - share), 0)
        return np.asarray(left_part + np.where(share > 0, self.points[right] * share, 0), dtype=np.float32)

    def sees(self, times_s: NDArray[np.float64]) -> NDArray[np.bool_]:
        """``(n,)``: whether `at` gives points at these times."""
        left = np.clip(np.searchsorted(self.t, times_s, side="right") - 1, 0, len(self.t) - 1)
        right = np.clip(np.searchsorted(self.t, times_s), 0, len(self.t) - 1)
        return np.asarray(self.found[left] & self.found[right])


@dataclass(slots=True)
class _Person:
    """Sightings of one person: the frame's number to the face."""

    seen: dict[int, Face] = field(default_factory=dict)

    @property
    def latest(self) -> tuple[int, Face]:
        index = next(reversed(self.seen))
        return index, self.seen[index]

    @property
    def amount(self) -> float:
        return sum(face.width_px for face in self.seen.values())


def track_landmarks(
    video: Samples, t: NDArray[np.float64], *, finder: FaceFinder, rate_hz: float = LOOKS_HZ, where: str = "video"
) -> LandmarkTrack:
    """
    Follow the face of which most is to be seen, looking at a low rate and more closely where it comes or goes.

    Parameters
    ----------
    video : (n, height, width)
        Frames, read lazily.
    t : (n,)
        Their times [s].
    finder
        Detector; only an `AllFacesFinder` tells of several people.
    rate_hz
        How often to look [Hz]; the first and the last frame are always among those. Where the face is seen at one look and
        not at the next, the frames in between are halved until the last with it and the first without are neighbours. A
        loss that begins and ends between two looks is not noticed.
    where
        Name of the video in messages.

    Returns
    -------
    LandmarkTrack
        Of the person whose width, added up over all looks, is largest: a passer-by who is larger for a moment is not it.

    Raises
    ------
    NoFaceError
        If not one frame that was looked at shows a face.
    """
    n_looks = max(2, int(np.ceil((t[-1] - t[0]) * rate_hz)) + 1)
    looks = [int(i) for i in np.unique(nearest(t, np.linspace(t[0], t[-1], n_looks)))]
    people: list[_Person] = []
    for i in looks:
        near = [face.box for last, face in (p.latest for p in people) if t[i] - t[last] <= _NEAR_S]
        _assign(people, i, faces_in(video[i], finder, near), t)
    if not people:
        raise NoFaceError(
            f"{where}: expected a face, got none in the {len(looks)} frames looked at; is it in view and upright?"
        )
    people.sort(key=lambda person: -person.amount)
    others = tuple(_other(person, t) for person in people[1:])
    seen = _narrowed(video, t, finder, looks, people[0].seen)
    index = np.array(sorted(seen))
    nobody = np.full((N_POINTS, 2), np.nan, dtype=np.float32)
    faces = [seen[int(i)] for i in index]
    return LandmarkTrack(
        t[index],
        np.array([nobody if face is None else face.points for face in faces], dtype=np.float32),
        np.array([0.0 if face is None else face.confidence for face in faces]),
        others,
    )


def _other(person: _Person, t: NDArray[np.float64]) -> OtherPerson:
    faces = list(person.seen.values())
    return OtherPerson(t[list(person.seen)], np.array([f.box for f in faces]), np.array([f.confidence for f in faces]))


def _apart(face: Face, last: Face, gap_s: float) -> float:
    """Tell how far a face is from where it was last seen [its widths], infinite where it cannot be the same person."""
    width = 0.5 * (face.width_px + last.width_px)
    apart = float(np.hypot(*np.subtract(face.centre, last.centre))) / width
    if max(face.width_px, last.width_px) > _GROWTH * min(face.width_px, last.width_px):
        return np.inf
    return apart if apart <= min(_STEP_WIDTHS + _SPEED_WIDTHS_S * gap_s, _FAR_WIDTHS) else np.inf


def _assign(people: list[_Person], i: int, found: Sequence[Face], t: NDArray[np.float64]) -> None:
    """Give each face to the person it is nearest to, all together as near as can be; what is left is somebody new."""
    far = 1e3  # beyond any real distance, so that as many as possible find their person
    cost = np.full((len(people), len(found)), far)
    for row, person in enumerate(people):
        last, known = person.latest
        for column, face in enumerate(found):
            cost[row, column] = min(far, _apart(face, known, float(t[i] - t[last])))
    taken = set()
    for row, column in zip(*linear_sum_assignment(cost), strict=True):
        if cost[row, column] < far:
            people[row].seen[i] = found[column]
            taken.add(int(column))
    people += [_Person({i: face}) for column, face in enumerate(found) if column not in taken]


def _narrowed(
    video: Samples, t: NDArray[np.float64], finder: FaceFinder, looks: Sequence[int], seen: dict[int, Face]
) -> dict[int, Face | None]:
    """Look between neighbouring looks of which only one shows the person, until they are neighbouring frames."""
    known: dict[int, Face | None] = {i: seen.get(i) for i in looks}
    for before, after in pairwise(looks):
        a, b = before, after
        while (known[a] is None) != (known[b] is None) and b - a > 1:
            middle = (a + b) // 2
            at, face = (a, known[a]) if known[a] is not None else (b, known[b])
            known[middle] = _again(video[middle], finder, face, abs(float(t[middle] - t[at])))
            if (known[middle] is None) == (known[a] is None):
                a = middle
            else:
                b = middle
    return known


def _again(frame: NDArray[np.uint8], finder: FaceFinder, face: Face | None, gap_s: float) -> Face | None:
    """Find the same person in another frame."""
    if face is None:
        return None
    near: list[Box] = [face.box]
    found = [(_apart(other, face, gap_s), other) for other in faces_in(frame, finder, near)]
    found = [one for one in found if np.isfinite(one[0])]
    return min(found, key=lambda one: one[0])[1] if found else None
