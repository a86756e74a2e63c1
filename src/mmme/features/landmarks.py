"""
Landmarks of a face, offline, from the model inside mediapipe's wheel; nothing is downloaded.

Where there is no face, there are NaN: nothing is invented. Another detector can be passed as any object that is a
`FaceFinder`. The 468 points are those of the face mesh (doi:10.48550/arXiv.1907.06724).
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError
from mmme.types import Samples

__all__ = ["N_POINTS", "FaceFinder", "FaceMesh", "LandmarkTrack", "NoFaceError", "track_landmarks"]

N_POINTS = 468


class NoFaceError(DataError):
    """Nobody is to be seen."""


class FaceFinder(Protocol):
    """Anything that finds the points of the largest face in a grey frame."""

    def find(self, frame: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Return points ``(468, 2)`` as x, y [px], or None where there is no face."""
        ...


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """
    Keep the graph's start-up messages, which it writes past Python to the error stream, from the user's screen.

    Python's own errors are raised, not printed, and so are not hidden.
    """
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class FaceMesh:
    """
    The face mesh of mediapipe as a `FaceFinder`; frames are independent of each other.

    Use it as a context manager: the graph holds memory until it is closed.

    Parameters
    ----------
    min_confidence
        Detections below are no face, 0..1.

    Examples
    --------
    >>> with FaceMesh() as finder:
    ...     finder.find(np.zeros((96, 96), dtype=np.uint8)) is None
    True
    """

    def __init__(self, min_confidence: float = 0.5) -> None:
        self.min_confidence = min_confidence
        self._mesh: Any = None
        self._silent = False

    def __enter__(self) -> FaceMesh:
        """Start the graph."""
        with _without_chatter():
            from mediapipe.python.solutions import face_mesh  # here: 1 s of import that only faces need

            self._mesh = face_mesh.FaceMesh(
                static_image_mode=True, max_num_faces=1, min_detection_confidence=self.min_confidence
            )
            self.find(np.zeros((64, 64), dtype=np.uint8))
        return self

    def __exit__(self, *exc: object) -> None:
        """Free the graph."""
        self._mesh.close()
        self._mesh = None

    def find(self, frame: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """
        Find the points of the most prominent face.

        Parameters
        ----------
        frame : (height, width) uint8
            Grey levels.

        Returns
        -------
        (468, 2) float32 or None
            x and y [px].
        """
        image = np.repeat(np.ascontiguousarray(frame)[:, :, None], 3, axis=2)
        with contextlib.nullcontext() if self._silent else _without_chatter():
            found = self._mesh.process(image).multi_face_landmarks
        if not found:
            return None
        self._silent = True  # the last start-up message comes with the first face
        points = np.array([(p.x, p.y) for p in found[0].landmark[:N_POINTS]], dtype=np.float32)
        return points * np.array([frame.shape[1], frame.shape[0]], dtype=np.float32)


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
    """

    t: NDArray[np.float64]
    points: NDArray[np.float32]

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


def track_landmarks(
    video: Samples, t: NDArray[np.float64], *, finder: FaceFinder, rate_hz: float = 2.0, where: str = "video"
) -> LandmarkTrack:
    """
    Look for the face at a low rate.

    Parameters
    ----------
    video : (n, height, width)
        Frames, read lazily.
    t : (n,)
        Their times [s].
    finder
        Detector.
    rate_hz
        How often to look [Hz]; the first and the last frame are always among those.
    where
        Name of the video in messages.

    Raises
    ------
    DataError
        If not one frame that was looked at shows a face.
    """
    n_looks = max(2, int(np.ceil((t[-1] - t[0]) * rate_hz)) + 1)
    wanted = np.linspace(t[0], t[-1], n_looks)
    index = np.unique(nearest(t, wanted))
    points = np.full((len(index), N_POINTS, 2), np.nan, dtype=np.float32)
    for k, i in enumerate(index):
        found = finder.find(video[int(i)])
        if found is not None:
            points[k] = found
    track = LandmarkTrack(t[index], points)
    if not track.found.any():
        raise NoFaceError(
            f"{where}: expected a face, got none in the {len(index)} frames looked at; is it in view and upright?"
        )
    return track


def nearest(t: NDArray[np.float64], times_s: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the index of the sample nearest to each time; ``t`` increases."""
    right = np.clip(np.searchsorted(t, times_s), 1, len(t) - 1)
    return np.where(times_s - t[right - 1] <= t[right] - times_s, right - 1, right)
