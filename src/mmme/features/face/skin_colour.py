"""
Mean colour of the skin of a face, frame by frame: what a pulse is read from.

Skin is the forehead above the brows and both cheeks, as polygons of landmarks that move with the face; eyes, brows, mouth
and beard are left out. Pixels are averaged where they are: no frame is warped.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError
from mmme.features.face.averaging import Stretch
from mmme.features.face.landmarks import FaceFinder, FaceMesh, LandmarkTrack, track_landmarks
from mmme.interval import Interval
from mmme.types import Stream

__all__ = ["SkinTrace", "has_colour", "skin_polygons", "skin_trace"]

# From the hair line and from the brows, right to left: the forehead lies between, clear of both.
_HAIR = (103, 67, 109, 10, 338, 297, 332)
_BROWS = (105, 66, 107, 9, 336, 296, 334)
_CHEEKS = ((116, 117, 118, 119, 100, 142, 36, 205, 187, 123), (345, 346, 347, 348, 329, 371, 266, 425, 411, 352))
_LOWER, _UPPER = 0.15, 0.65  # the forehead's share of the way from the brows to the hair line
_USED = (*_HAIR, *_BROWS, *_CHEEKS[0], *_CHEEKS[1])
#: Channels of a picture without colour differ by less than this part of its brightness.
_NO_COLOUR = 0.01
_FULL = 255
_FINE = 4  # bits of a pixel to which polygons are drawn


@dataclass(frozen=True, slots=True, eq=False)
class SkinTrace:
    """
    Mean colour of the skin through time.

    Parameters
    ----------
    t : (n,) float64
        Times of the frames [s], increasing.
    rgb : (n, 3) float64
        Red, green, blue, 0..255; NaN where no face was found.
    overexposed : (n,) float64 or None
        Share of the skin of which a channel stands at 255, 0..1; NaN where no face was found, None where it is not known.
    """

    t: NDArray[np.float64]
    rgb: NDArray[np.float64]
    overexposed: NDArray[np.float64] | None = None

    @property
    def is_grey(self) -> bool:
        """Whether red, green and blue are the same throughout: a grey picture in a colour format."""
        seen = self.rgb[np.isfinite(self.rgb[:, 0])]
        return bool(len(seen) == 0 or np.all(np.ptp(seen, axis=1) <= _NO_COLOUR * seen.mean(axis=1)))


def has_colour(video: Stream) -> bool:
    """Tell whether the frames of a stream can be read in colour (``x.colour(i)``)."""
    return bool(getattr(video.x, "has_colour", False))


def skin_polygons(points: NDArray[np.float32]) -> tuple[NDArray[np.float64], ...]:
    """
    Outline the skin of one face: the forehead, the right cheek and the left one.

    Parameters
    ----------
    points : (468, 2)
        Landmarks [px].

    Returns
    -------
    three (m, 2) float64
        Corners x, y [px].

    Examples
    --------
    >>> [len(p) for p in skin_polygons(np.zeros((468, 2), np.float32))]
    [14, 10, 10]
    """
    return _outlined(np.asarray(points, dtype=np.float64)[list(_USED)])


def _outlined(used: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Outline the skin from the landmarks of `_USED`."""
    n = len(_HAIR)
    hair, brows, cheeks = used[:n], used[n : 2 * n], used[2 * n :]
    upper, lower = brows + _UPPER * (hair - brows), brows + _LOWER * (hair - brows)
    half = len(cheeks) // 2
    return np.concatenate([upper, lower[::-1]]), cheeks[:half], cheeks[half:]


def _mean_colour(frame: NDArray[np.uint8], polygons: tuple[NDArray[np.float64], ...]) -> NDArray[np.float64]:
    """
    Mean of the pixels inside, and the share of them that is overexposed, ``(4,)``; NaN where polygons leave the frame.

    Pixels on an edge count by the part inside.
    """
    corners = np.concatenate(polygons)
    low = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 1, 0)
    high = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 2, frame.shape[1::-1])
    if np.any(high <= low):
        return np.full(4, np.nan)
    weight = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
    for polygon in polygons:  # drawn with soft edges: a polygon that creeps must not gain and lose whole pixels
        placed = np.rint((polygon - low) * 2**_FINE).astype(np.int32)
        cv2.fillPoly(weight, [placed], 255, lineType=cv2.LINE_AA, shift=_FINE)
    part = frame[low[1] : high[1], low[0] : high[0]].reshape(-1, 3)
    flat = weight.reshape(-1).astype(np.float32)
    total = float(flat.sum(dtype=np.float64))
    if total == 0:
        return np.full(4, np.nan)
    over = float(flat[(part == _FULL).any(axis=1)].sum(dtype=np.float64))
    return np.append(np.asarray(flat @ part.astype(np.float32), dtype=np.float64), over) / total


def skin_trace(
    video: Stream,
    span: Interval | None = None,
    *,
    finder: FaceFinder | None = None,
    look_hz: float = 2.0,
    progress: Callable[[int, int], None] | None = None,
) -> SkinTrace:
    """
    Follow the mean colour of the skin of a face.

    Parameters
    ----------
    video
        Frames with ``x.colour(i)``, as films and frame folders are opened.
    span
        Part of the video; all of it by default.
    finder
        Detector; the face mesh by default.
    look_hz
        How often to look for the face [Hz]; the polygons move along straight lines in between.
    progress
        Called with frames done, and all.

    Returns
    -------
    SkinTrace
        Every frame of the span, at its own time.

    Raises
    ------
    DataError
        If the video is grey, does not cover two frames of the span, or shows no face.
    """
    if not has_colour(video):
        raise DataError(f"{video.device}: expected a video in colour, got grey; a pulse is in the colour of the skin")
    span = span or Interval(float(video.t[0]), float(video.t[-1]) + 1e-9)
    part = video.between(span)
    n = part.stop - part.start
    if n < 2:
        raise DataError(f"{video.device}: expected frames in [{span.start:.3f} s, {span.stop:.3f} s), got {n}")
    t = video.t[part]
    with nullcontext(finder) if finder is not None else FaceMesh() as looking:
        track = track_landmarks(Stretch(video, part), t, finder=looking, rate_hz=look_hz, where=video.device)
    used = LandmarkTrack(track.t, track.points[:, list(_USED)])
    found = np.full((n, 4), np.nan)
    for start in range(0, n, _BLOCK):
        corners = used.at(t[start : start + _BLOCK]).astype(np.float64)
        for k, points in enumerate(corners, start=start):
            if np.isfinite(points[0, 0]):
                found[k] = _mean_colour(video.x.colour(part.start + k), _outlined(points))  # type: ignore[attr-defined]
        if progress:
            progress(min(start + _BLOCK, n), n)
    return SkinTrace(t, found[:, :3], found[:, 3])


_BLOCK = 256  # frames between two reports of progress
