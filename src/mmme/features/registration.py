"""
Every face to one place and size, by a similarity: nothing inside the face is bent.

One transform serves a whole pair or clip, so that no jitter of landmarks becomes motion of the face. Rigid points are
the inner and outer eye corners and the bridge of the nose, which no action unit moves by more than a fraction of a pixel.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.transform import SimilarityTransform

__all__ = ["RIGID", "canonical_rigid_points", "head_motion", "register", "similarity", "transformed"]

#: Outer and inner corner of the right eye, inner and outer of the left, and down the bridge of the nose.
RIGID = (33, 133, 362, 263, 168, 6, 197)

#: The same points of an upright face, in units of the side of the image: eyes at 36 % of the height, 34 % apart.
#: Measured on a public-domain portrait (scikit-image's astronaut) and made symmetric.
_CANONICAL = ((0.253, 0.353), (0.407, 0.367), (0.593, 0.367), (0.747, 0.353), (0.5, 0.340), (0.5, 0.384), (0.5, 0.424))


def canonical_rigid_points(size: int) -> NDArray[np.float64]:
    """Return where the rigid points lie in a registered image, ``(7, 2)`` as x, y [px]."""
    return np.array(_CANONICAL, dtype=np.float64) * size


def similarity(points: NDArray[np.float32], size: int = 128) -> NDArray[np.float64]:
    """
    Fit the transform that brings a face to its canonical place.

    Parameters
    ----------
    points : (468, 2)
        Landmarks [px].
    size
        Side of the registered image [px].

    Returns
    -------
    (2, 3) float64
        Rotation, scale and shift from frame to registered pixels.

    Examples
    --------
    >>> points = np.zeros((468, 2), dtype=np.float32)
    >>> points[list(RIGID)] = canonical_rigid_points(128) * 2 + 5
    >>> similarity(points).round(3).tolist()
    [[0.5, -0.0, -2.5], [0.0, 0.5, -2.5]]
    """
    fitted = SimilarityTransform.from_estimate(points[list(RIGID)].astype(np.float64), canonical_rigid_points(size))
    return np.asarray(fitted.params[:2], dtype=np.float64)


def transformed(points: NDArray[np.float32], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
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
        From `similarity`.
    size
        Side of the result [px].

    Returns
    -------
    (size, size) float32
        Grey levels; cubic between pixels, the border repeated outside the frame. A larger face is averaged over area:
        picking single pixels out of it would keep all the camera's noise.
    """
    image = frame.astype(np.float32, copy=False)
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    finer = int(np.clip(np.ceil(0.99 / scale), 1, 8))
    fine = matrix * finer
    fine[:, 2] += (finer - 1) / 2  # pixel centres keep their place, not pixel corners
    side = (size * finer, size * finer)
    warped = cv2.warpAffine(image, fine, side, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    if finer > 1:
        warped = cv2.resize(warped, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(warped, dtype=np.float32)


def head_motion(field: NDArray[np.float32], skin: NDArray[np.bool_]) -> NDArray[np.float32]:
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
        Pixels of which most only follow the head.

    Returns
    -------
    (height, width, 2) float32
        What the head alone would move [px]; to be subtracted.

    Examples
    --------
    >>> y, x = np.mgrid[0:9, 0:9].astype(np.float32)
    >>> turn = np.dstack([1 - 0.01 * y, 0.01 * x])
    >>> float(np.abs(head_motion(turn, np.ones((9, 9), bool)) - turn).max()) < 1e-5
    True
    """
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
        turn = complex((weight * np.conj(arm)) @ (seen - mean) / max(float(weight @ np.abs(arm) ** 2), 1e-9))
        shift = complex(mean - turn * middle)
    whole = shift + turn * (np.arange(field.shape[1]) + 1j * np.arange(field.shape[0])[:, None])
    return np.dstack([whole.real, whole.imag]).astype(np.float32)
