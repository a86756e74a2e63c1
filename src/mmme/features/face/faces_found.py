"""
What a detector says of one frame, and the one boundary behind which detectors live.

Another detector than the face mesh can be passed wherever a `FaceFinder` is asked for; one that knows of several people
and of how sure it is also has `faces`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError

__all__ = ["N_POINTS", "AllFacesFinder", "Box", "Face", "FaceFinder", "NoFaceError", "faces_in", "nearest"]

N_POINTS = 468

#: Left, top, right, bottom [px].
Box = tuple[float, float, float, float]


class NoFaceError(DataError):
    """Nobody is to be seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """
    One face in one frame.

    Parameters
    ----------
    points : (468, 2) float32
        x and y [px of the frame].
    confidence
        Score of the detector, 0..1; NaN where the detector tells none.

    Examples
    --------
    >>> face = Face(np.array([[10, 20], [50, 70]], dtype=np.float32), 0.9)
    >>> face.box, face.width_px
    ((10.0, 20.0, 50.0, 70.0), 40.0)
    """

    points: NDArray[np.float32]
    confidence: float

    @property
    def box(self) -> Box:
        """Left, top, right and bottom of the points [px]."""
        (left, top), (right, bottom) = self.points.min(axis=0).tolist(), self.points.max(axis=0).tolist()
        return left, top, right, bottom

    @property
    def width_px(self) -> float:
        """Width of the points [px]."""
        return float(np.ptp(self.points[:, 0]))

    @property
    def centre(self) -> tuple[float, float]:
        """Middle of the box, x and y [px]."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2


class FaceFinder(Protocol):
    """Anything that finds the points of the largest face in a grey frame."""

    def find(self, frame: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Return points ``(468, 2)`` as x, y [px], or None where there is no face."""
        ...


@runtime_checkable
class AllFacesFinder(Protocol):
    """A `FaceFinder` that tells all people in a frame and how sure it is of each."""

    def find(self, frame: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Return points ``(468, 2)`` as x, y [px] of the largest face, or None where there is no face."""
        ...

    def faces(self, frame: NDArray[np.uint8], near: Sequence[Box] = ()) -> tuple[Face, ...]:
        """Return all faces, the largest first; also look closely at the places ``near`` which one was seen before."""
        ...


def faces_in(frame: NDArray[np.uint8], finder: FaceFinder, near: Sequence[Box] = ()) -> tuple[Face, ...]:
    """
    Find all faces, with any kind of finder.

    Parameters
    ----------
    frame : (height, width) uint8
        Grey levels.
    finder
        One that knows of one face only gives at most that one, of unknown (NaN) confidence.
    near
        Boxes in which a face was seen a moment ago [px].

    Returns
    -------
    tuple of Face
        The largest first.
    """
    if isinstance(finder, AllFacesFinder):
        return finder.faces(frame, near)
    points = finder.find(frame)
    return () if points is None else (Face(points, float("nan")),)


def nearest(t: NDArray[np.float64], times_s: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the index of the sample nearest to each time; ``t`` increases."""
    right = np.clip(np.searchsorted(t, times_s), 1, len(t) - 1)
    return np.where(times_s - t[right - 1] <= t[right] - times_s, right - 1, right)
