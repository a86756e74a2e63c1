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

__all__ = ["RIGID", "canonical_rigid_points", "register", "similarity", "transformed"]

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
        Grey levels; cubic between pixels, the border repeated outside the frame.
    """
    image = frame.astype(np.float32, copy=False)
    warped = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, dtype=np.float32)
