"""
Warps of one face into the shape of another: piecewise affine, and the local weighted mean that CASME II used.

Both are fitted from the model's shape to the frame, since that is what an image is looked up with; points go the other
way by solving for their place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import cKDTree
from skimage.transform import AffineTransform

from mmme.errors import DataError

__all__ = ["CONTROL", "WARPS", "Warp", "local_weighted_mean", "piecewise_affine"]

Points = NDArray[np.float64]

#: Landmarks that pin a shape down: outline, brows, eyes, nose and outer lips. The inner lips, which touch in a closed
#: mouth, are left out.
CONTROL = (
    *(127, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 356),
    *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
    *(168, 6, 195, 4, 98, 2, 327),
    *(61, 39, 0, 269, 291, 405, 17, 181),
)
#: Points that a polynomial of the local weighted mean is fitted to; six would be met exactly, with every jitter.
_NEIGHBOURS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Warp:
    """
    A bent map between the model's shape and a frame.

    Parameters
    ----------
    affine : (2, 3) float64
        What is left when nothing is bent, from frame to registered pixels.
    back
        From registered points ``(..., 2)`` to their places in the frame.
    """

    affine: NDArray[np.float64]
    back: Callable[[Points], Points]

    def forward(self, points: NDArray[Any], first: Points, matrix: NDArray[np.float64]) -> Points:
        """Solve for the registered places of points of the frame; exact to 0.001 px where the warp does not fold."""
        placed = first
        for _ in range(60):
            step = (points - self.back(placed)) @ matrix[:, :2].T
            placed = placed + 0.8 * step
            if np.abs(step).max() < 1e-4:
                break
        return placed


def _controls(points: NDArray[Any], model: Points, size: int) -> tuple[Points, Points, NDArray[np.float64]]:
    """
    Return controls of the model and of the frame, and the affine map between them.

    Round the face, on a square beyond the image, are points that follow the affine map, so that every pixel has its place.
    """
    goal, source = model[list(CONTROL)].astype(np.float64), points[list(CONTROL)].astype(np.float64)
    if not (np.isfinite(goal).all() and np.isfinite(source).all()):
        raise DataError("registration: expected a place for every landmark of face and model, got NaN")
    whole = AffineTransform.from_estimate(source, goal)
    if not whole:
        raise DataError("registration: expected landmarks of a face seen from the front, got points on one spot or line")
    low, high = min(0.0, float(goal.min())) - 0.25 * size, max(float(size), float(goal.max())) + 0.25 * size
    edge = np.linspace(low, high, 5)
    ring = np.array([(x, y) for x in edge for y in edge if x in edge[[0, -1]] or y in edge[[0, -1]]])
    return np.vstack([goal, ring]), np.vstack([source, whole.inverse(ring)]), np.asarray(whole.params[:2])


def piecewise_affine(points: NDArray[Any], model: Points, size: int = 128) -> Warp:
    """
    Fit an affine map to each triangle between landmarks (Delaunay's, in the model's shape).

    Landmarks meet those of the model exactly; across the edges of triangles the map is continuous, its slope is not.

    Parameters
    ----------
    points : (468, 2)
        Landmarks [px of the frame].
    model : (468, 2)
        Landmarks of the model [px of the registered image].
    size
        Side of the registered image [px].

    Raises
    ------
    DataError
        If a landmark has no place, or they lie on one line.

    Examples
    --------
    >>> model = np.random.default_rng(0).uniform(10, 118, (468, 2))
    >>> warp = piecewise_affine(2 * model + 7, model)
    >>> warp.back(np.array([[50.0, 60.0]])).round(6).tolist()
    [[107.0, 127.0]]
    """
    goal, source, whole = _controls(points, model, size)
    inside = LinearNDInterpolator(goal, source)
    outside = AffineTransform(np.vstack([whole, [0, 0, 1]])).inverse

    def back(placed: Points) -> Points:
        found = inside(placed.reshape(-1, 2))
        beyond = np.isnan(found[:, 0])  # outside the square round the image: only points far from the face
        found[beyond] = outside(placed.reshape(-1, 2)[beyond])
        return np.asarray(found.reshape(placed.shape))

    return Warp(whole, back)


def local_weighted_mean(points: NDArray[Any], model: Points, size: int = 128) -> Warp:
    """
    Fit a polynomial of second order round each landmark and blend them by distance.

    Goshtasby's local weighted mean (Image and Vision Computing 6, 255-261, 1988). Each landmark's polynomial is the
    least-squares fit to its 12 nearest; its weight falls from 1 to 0 at the farthest of them as ``1 - 3 r^2 + 2 r^3``. The
    map is smooth; landmarks meet those of the model about, not exactly. Where no polynomial reaches, outside the face, the
    affine map of all landmarks holds.

    Parameters
    ----------
    points : (468, 2)
        Landmarks [px of the frame].
    model : (468, 2)
        Landmarks of the model [px of the registered image].
    size
        Side of the registered image [px].

    Raises
    ------
    DataError
        If a landmark has no place, or they lie on one line.

    Examples
    --------
    >>> model = np.random.default_rng(0).uniform(10, 118, (468, 2))
    >>> warp = local_weighted_mean(2 * model + 7, model)
    >>> warp.back(np.array([[50.0, 60.0]])).round(6).tolist()
    [[107.0, 127.0]]
    """
    goal, source, whole = _controls(points, model, size)
    distance, near = cKDTree(goal).query(goal, k=_NEIGHBOURS)
    reach = distance[:, -1]
    local = (goal[near] - goal[:, None]) / reach[:, None, None]
    fits = np.stack([np.linalg.lstsq(_terms(x), y, rcond=None)[0] for x, y in zip(local, source[near], strict=True)])
    outside = AffineTransform(np.vstack([whole, [0, 0, 1]])).inverse

    def back(placed: Points) -> Points:
        flat = placed.reshape(-1, 2)
        total, summed = np.zeros(len(flat)), np.zeros((len(flat), 2))
        for centre, radius, fit in zip(goal, reach, fits, strict=True):
            arm = (flat - centre) / radius
            r = np.hypot(arm[:, 0], arm[:, 1])
            reached = np.flatnonzero(r < 1)
            weight = 1 + r[reached] ** 2 * (2 * r[reached] - 3)
            total[reached] += weight
            summed[reached] += weight[:, None] * (_terms(arm[reached]) @ fit)
        held = total > 1e-9
        place = np.asarray(outside(flat))
        place[held] = summed[held] / total[held, None]
        return place.reshape(placed.shape)

    return Warp(whole, back)


def _terms(arm: Points) -> Points:
    """1, x, y, xx, xy, yy of points ``(n, 2)``."""
    x, y = arm[:, 0], arm[:, 1]
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)


WARPS: Mapping[str, Callable[[NDArray[Any], Points, int], Warp]] = MappingProxyType(
    {"piecewise-affine": piecewise_affine, "local-weighted-mean": local_weighted_mean}
)
