"""
Every face to one place and size. By default a similarity, one for a whole pair or clip: nothing inside the face is bent.

One transform for a clip keeps jitter of landmarks from becoming motion of the face. Rigid points are the inner and outer
eye corners and the bridge of the nose, which no action unit moves by more than a fraction of a pixel. What else there is,
and what each way does to an expression, is measured in docs/registration.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.signal import savgol_filter
from skimage.transform import AffineTransform, SimilarityTransform

from mmme.errors import ConfigError, DataError, unknown_name
from mmme.features.face.warps import WARPS, Warp

__all__ = [
    "EYES_AND_NOSE",
    "REGISTRATIONS",
    "RIGID",
    "Registration",
    "affine",
    "canonical_points",
    "canonical_rigid_points",
    "head_motion",
    "register",
    "registration_of",
    "similarity",
    "steadied",
    "transformed",
]

#: Outer and inner corner of the right eye, inner and outer of the left, and down the bridge of the nose.
RIGID = (33, 133, 362, 263, 168, 6, 197)
#: Also below the nose and at the foot of its wings: without them an affine transform would not know the height of a face.
EYES_AND_NOSE = (*RIGID, 2, 98, 327)
_HEAD_MODELS = ("similarity", "shift")
#: Ways of registering a face, in the order of what they bend.
REGISTRATIONS = ("similarity", "affine", *WARPS)

#: The same points of an upright face, in units of the side of the image: eyes at 36 % of the height, 34 % apart.
#: Measured on a public-domain portrait (scikit-image's astronaut) and made symmetric.
_CANONICAL = ((0.253, 0.353), (0.407, 0.367), (0.593, 0.367), (0.747, 0.353), (0.5, 0.340), (0.5, 0.384), (0.5, 0.424))
_CANONICAL_NOSE = ((0.5, 0.605), (0.394, 0.577), (0.606, 0.577))


def canonical_rigid_points(size: int) -> NDArray[np.float64]:
    """Return where the rigid points lie in a registered image, ``(7, 2)`` as x, y [px]."""
    return np.array(_CANONICAL, dtype=np.float64) * size


def canonical_points(size: int) -> NDArray[np.float64]:
    """Return where `EYES_AND_NOSE` lie in a registered image, ``(10, 2)`` as x, y [px]."""
    return np.array(_CANONICAL + _CANONICAL_NOSE, dtype=np.float64) * size


def _fitted(
    kind: type[SimilarityTransform] | type[AffineTransform],
    points: NDArray[Any],
    which: tuple[int, ...],
    goal: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Fit a transform of the chosen landmarks to their goals, ``(2, 3)``."""
    chosen = points[list(which)].astype(np.float64)
    if not np.isfinite(chosen).all():
        raise DataError("registration: expected a place for every rigid landmark, got NaN; is there a face in the frame?")
    fitted = kind.from_estimate(chosen, goal)
    if not fitted:
        raise DataError("registration: expected landmarks of a face seen from the front, got points on one spot or line")
    return np.asarray(fitted.params[:2], dtype=np.float64)


def similarity(points: NDArray[Any], size: int = 128) -> NDArray[np.float64]:
    """
    Fit the rotation, scale and shift that bring a face to its canonical place.

    Parameters
    ----------
    points : (468, 2)
        Landmarks [px].
    size
        Side of the registered image [px].

    Returns
    -------
    (2, 3) float64
        From frame to registered pixels.

    Raises
    ------
    DataError
        If a rigid landmark has no place, or all lie on one spot.

    Examples
    --------
    >>> points = np.zeros((468, 2), dtype=np.float32)
    >>> points[list(RIGID)] = canonical_rigid_points(128) * 2 + 5
    >>> similarity(points).round(3).tolist()
    [[0.5, -0.0, -2.5], [0.0, 0.5, -2.5]]
    """
    return _fitted(SimilarityTransform, points, RIGID, canonical_rigid_points(size))


def affine(points: NDArray[Any], size: int = 128) -> NDArray[np.float64]:
    """
    Fit the affine transform that brings eyes and nose to their canonical places: height and width scale apart, with shear.

    Faces of other proportions, or turned a little to the side, come to lie more alike; a motion keeps its place but its
    two components are scaled apart. Fit it once per clip: the foot of the nose, which it needs, moves with AU9 and AU10.

    Parameters
    ----------
    points : (468, 2)
        Landmarks [px].
    size
        Side of the registered image [px].

    Returns
    -------
    (2, 3) float64
        From frame to registered pixels.

    Raises
    ------
    DataError
        If a landmark of eyes or nose has no place, or all lie on one line.

    Examples
    --------
    >>> points = np.zeros((468, 2))
    >>> points[list(EYES_AND_NOSE)] = canonical_points(128)
    >>> points[:, 1] *= 1.25  # a long face
    >>> (affine(points).round(3) + 0.0).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.8, 0.0]]
    """
    return _fitted(AffineTransform, points, EYES_AND_NOSE, canonical_points(size))


def transformed(points: NDArray[Any], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points ``(..., 2)`` in registered pixels."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


def register(frame: NDArray[np.generic], matrix: NDArray[np.float64], size: int = 128) -> NDArray[np.float32]:
    """
    Warp one frame to the canonical place.

    Parameters
    ----------
    frame : (height, width)
        Grey levels.
    matrix : (2, 3)
        From `similarity` or `affine`.
    size
        Side of the result [px].

    Returns
    -------
    (size, size) float32
        Grey levels; cubic between pixels, the border repeated outside the frame. A larger face is averaged over area:
        picking single pixels out of it would keep all the camera's noise.
    """
    image = frame.astype(np.float32, copy=False)
    finer = _finer(matrix)
    fine = matrix * finer
    fine[:, 2] += (finer - 1) / 2  # pixel centres keep their place, not pixel corners
    side = (size * finer, size * finer)
    warped = cv2.warpAffine(image, fine, side, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    if finer > 1:
        warped = cv2.resize(warped, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(warped, dtype=np.float32)


def _finer(matrix: NDArray[np.float64]) -> int:
    """Pixels of the frame along one registered pixel."""
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    return int(np.clip(np.ceil(0.99 / scale), 1, 8))


@dataclass(frozen=True, eq=False)
class Registration:
    """
    Where a face goes: applied to its frames and to its points.

    Parameters
    ----------
    method
        Of `REGISTRATIONS`.
    matrix : (2, 3) float64
        From frame to registered pixels; of a warp, its affine part.
    size
        Side of registered images [px].
    warp
        What a warp bends besides; None where the matrix is all.
    """

    method: str
    matrix: NDArray[np.float64]
    size: int
    warp: Warp | None = None

    def apply(self, frame: NDArray[np.generic]) -> NDArray[np.float32]:
        """Bring a frame ``(height, width)`` to its place, ``(size, size)`` grey levels; as `register` does."""
        if self.warp is None:
            return register(frame, self.matrix, self.size)
        image = frame.astype(np.float32, copy=False)
        x, y = self._lookup
        seen = cv2.remap(image, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        if len(seen) > self.size:
            seen = cv2.resize(seen, (self.size, self.size), interpolation=cv2.INTER_AREA)
        return np.asarray(seen, dtype=np.float32)

    def points(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """Bring points ``(..., 2)`` of a frame to their registered places."""
        placed = transformed(points, self.matrix)
        return placed if self.warp is None else self.warp.forward(points, placed, self.matrix)

    @cached_property
    def _lookup(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """For each registered pixel, several where a large face is made smaller, its place in the frame."""
        assert self.warp is not None
        finer = _finer(self.matrix)
        steps = (np.arange(self.size * finer) + 0.5) / finer - 0.5
        place = self.warp.back(np.dstack(np.meshgrid(steps, steps))).astype(np.float32)
        return np.ascontiguousarray(place[..., 0]), np.ascontiguousarray(place[..., 1])


def registration_of(
    points: NDArray[Any],
    *,
    method: str = "similarity",
    size: int = 128,
    model: NDArray[Any] | None = None,
) -> Registration:
    """
    Find how a face is brought to its place, from its landmarks in one frame.

    Fit it at the first frame of a clip and apply it to all: then every motion in the clip stays, and no jitter comes in.
    A similarity or an affine transform fitted to every frame (see `steadied`) takes the head's motion out before the flow.
    A warp fitted to every frame brings the mouth corners of a smile back to where they were: it takes the expression away
    with the head. Fitted once per clip, as CASME II did (doi:10.1371/journal.pone.0086041), it makes the faces of different
    people alike and keeps the expression, stretched as the face is.

    Parameters
    ----------
    points : (468, 2)
        Landmarks [px].
    method
        ``similarity``, ``affine``, or to the shape of a model ``piecewise-affine`` or ``local-weighted-mean``.
    size
        Side of the registered image [px].
    model : (468, 2)
        Landmarks of a model's neutral face [px of any frame], for the two warps.

    Raises
    ------
    ConfigError
        If the method is not known, or a warp has no model.
    DataError
        If the landmarks are not those of a face.

    Examples
    --------
    >>> points = np.zeros((468, 2))
    >>> points[list(RIGID)] = canonical_rigid_points(128) + 3
    >>> registration_of(points).points(np.array([[10.0, 10.0]])).round(6).tolist()
    [[7.0, 7.0]]
    """
    if method not in REGISTRATIONS:
        raise unknown_name("registration", method, REGISTRATIONS)
    if method == "similarity":
        return Registration(method, similarity(points, size), size)
    if method == "affine":
        return Registration(method, affine(points, size), size)
    if model is None:
        raise ConfigError(f"registration {method}: expected the landmarks of a model's neutral face, got none")
    warp = WARPS[method](points, transformed(model, similarity(model, size)), size)
    return Registration(method, warp.affine, size, warp)


def steadied(points: NDArray[Any], t: NDArray[np.float64], *, over_s: float = 0.3, order: int = 2) -> NDArray[np.float64]:
    """
    Take the jitter out of landmarks that were found frame by frame: a polynomial through the frames around each.

    Savitzky-Golay's filter (doi:10.1021/ac60214a047) with a window in seconds, for the landmarks that a registration of
    every frame is fitted to. It does not reach over a gap; within half a window of a gap or an end, the polynomial of the
    nearest whole window is continued.

    Parameters
    ----------
    points : (n, ..., 2)
        Landmarks over time [px]; NaN where there was no face.
    t : (n,)
        Times of the frames [s], increasing. Single frames may be missing.
    over_s
        Length of the window [s]; a stretch that is shorter is its own window.
    order
        Of the polynomial.

    Returns
    -------
    (n, ..., 2) float64
        [px]; NaN where there was no face.

    Raises
    ------
    ConfigError
        If the window is not positive or the order negative.
    DataError
        If times do not increase or are not as many as frames.

    Examples
    --------
    >>> t = np.arange(20) / 50
    >>> path = np.stack([100 + 30 * t**2, 80 - 5 * t], axis=1)[:, None]
    >>> bool(np.allclose(steadied(path, t), path))
    True
    """
    if not (over_s > 0 and order >= 0):
        raise ConfigError(f"steadied: expected a window above 0 s and an order of at least 0, got {over_s} s and {order}")
    if t.shape != (len(points),) or (len(t) > 1 and not (np.diff(t) > 0).all()):
        raise DataError(f"steadied: expected one increasing time for each of {len(points)} frames, got {t.shape}")
    steady = np.full(points.shape, np.nan)
    seen = np.flatnonzero(np.isfinite(points).reshape(len(points), -1).all(axis=1))
    if len(seen) < 2:
        steady[seen] = points[seen]
        return steady
    step_s = float(np.median(np.diff(t)))
    apart = (np.diff(seen) > 1) | (np.diff(t[seen]) > 1.5 * step_s)
    for stretch in np.split(seen, np.flatnonzero(apart) + 1):
        longest = len(stretch) - 1 + len(stretch) % 2
        window = min(2 * round(over_s / step_s / 2) + 1, longest)
        steady[stretch] = savgol_filter(points[stretch].astype(np.float64), window, min(order, window - 1), axis=0)
    return steady


def head_motion(field: NDArray[np.float32], skin: NDArray[np.bool_], *, model: str = "similarity") -> NDArray[np.float32]:
    """
    Fit the shift, turn and scale that most of the skin follows, and continue them over the image.

    A shift alone leaves the turn of the head in the mouth and chin, far from the nose. What moves its own way loses its
    weight (Geman and McClure's); bone alone will not do, since brows and wrinkles drag the skin over the bridge of the
    nose along, so that an AU9 seen from there would not move at all.

    Parameters
    ----------
    field : (height, width, 2) float32
        Flow between two registered faces [px].
    skin : (height, width) bool
        Pixels of which most only follow the head: `mmme.features.face.regions.skin_mask`, or for comparison with work that
        took the nose for the head, `mmme.features.face.regions.rigid_mask`.
    model
        ``similarity``, or ``shift`` alone. A few pixels of bone tell a shift well and a turn badly.

    Returns
    -------
    (height, width, 2) float32
        What the head alone would move [px]; to be subtracted.

    Raises
    ------
    ConfigError
        If the model is not known.
    DataError
        If no pixel is given.

    Examples
    --------
    >>> y, x = np.mgrid[0:9, 0:9].astype(np.float32)
    >>> turn = np.dstack([1 - 0.01 * y, 0.01 * x])
    >>> float(np.abs(head_motion(turn, np.ones((9, 9), bool)) - turn).max()) < 1e-5
    True
    """
    if model not in _HEAD_MODELS:
        raise unknown_name("model of head motion", model, _HEAD_MODELS)
    if not skin.any():
        raise DataError("head motion: expected pixels that follow the head, got none; is the face in view?")
    step = 1 + int(skin.sum()) // 1000  # neighbours say nearly the same
    row, column = (index[::step] for index in np.nonzero(skin))
    place = column + 1j * row
    seen = field[row, column].astype(np.float64) @ np.array([1, 1j])
    turn, shift = 0j, complex(np.median(seen.real), np.median(seen.imag))
    for _ in range(10):
        misfit = np.abs(seen - shift - turn * place)
        weight = (1 + (misfit / max(1.5 * float(np.median(misfit)), 0.15)) ** 2) ** -2.0
        weight /= weight.sum()
        middle, mean = weight @ place, weight @ seen
        arm = place - middle
        if model == "similarity":
            turn = complex((weight * np.conj(arm)) @ (seen - mean) / max(float(weight @ np.abs(arm) ** 2), 1e-9))
        shift = complex(mean - turn * middle)
    whole = shift + turn * (np.arange(field.shape[1]) + 1j * np.arange(field.shape[0])[:, None])
    return np.dstack([whole.real, whole.imag]).astype(np.float32)
