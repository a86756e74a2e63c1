"""
Optical flow between two registered faces, and the strain in it.

Flow stays in float pixels: no scaling to bytes, no stretching per image, so that amplitude survives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError, unknown_name

__all__ = [
    "FLOW_METHODS",
    "flow",
    "flow_to_first",
    "flow_to_next",
    "magnitude",
    "optical_strain",
    "orientation",
    "strain_tensor",
]

FloatImage = NDArray[np.float32]


@lru_cache(maxsize=1)
def _dis() -> Any:
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    # At 128 px a micro-expression moves a few pixels: go down to full resolution, where the preset stops at half.
    # Two rounds of refinement are as accurate there as the preset's five, and 1.7 times faster.
    engine.setFinestScale(0)
    engine.setPatchStride(4)
    engine.setVariationalRefinementIterations(2)
    # Handing motion on from patch to patch serves large motions; here it spreads noise over what is at rest.
    engine.setUseSpatialPropagation(False)
    return engine


@lru_cache(maxsize=1)
def _dis_fast() -> Any:
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    engine.setFinestScale(1)
    engine.setVariationalRefinementIterations(0)
    return engine


@lru_cache(maxsize=1)
def _tvl1() -> Any:
    # OpenCV's theta of 0.3 lets flow and its smoothed copy drift apart; tied closer they agree sooner: a fifth of the time
    # and three quarters of the error on motions as small as those of micro-expressions (docs/flow.md).
    return cv2.optflow.DualTVL1OpticalFlow.create(lambda_=0.1, theta=0.07)


def _in_bytes(engine: Any, first: FloatImage, second: FloatImage) -> FloatImage:
    a, b = (np.clip(np.rint(image), 0, 255).astype(np.uint8) for image in (first, second))
    return np.asarray(engine.calc(a, b, None), dtype=np.float32)


def _by_dis(first: FloatImage, second: FloatImage) -> FloatImage:
    return _in_bytes(_dis(), first, second)


def _by_dis_twice(first: FloatImage, second: FloatImage) -> FloatImage:
    # Regularisation holds a small, narrow motion back by a quarter; what is left after undoing it is found the same way.
    found = _by_dis(first, second)
    y, x = np.indices(first.shape, dtype=np.float32)
    undone = cv2.remap(second, x + found[..., 0], y + found[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return found + _by_dis(first, undone)


def _by_dis_fast(first: FloatImage, second: FloatImage) -> FloatImage:
    return _in_bytes(_dis_fast(), first, second)


def _by_tvl1(first: FloatImage, second: FloatImage) -> FloatImage:
    return np.asarray(_tvl1().calc(first / 255, second / 255, None), dtype=np.float32)


def _by_farneback(first: FloatImage, second: FloatImage) -> FloatImage:
    return np.asarray(cv2.calcOpticalFlowFarneback(first, second, None, 0.5, 3, 15, 3, 7, 1.5, 0), dtype=np.float32)


FLOW_METHODS: Mapping[str, Callable[[FloatImage, FloatImage], FloatImage]] = MappingProxyType(
    {"dis": _by_dis, "dis-twice": _by_dis_twice, "dis-fast": _by_dis_fast, "tvl1": _by_tvl1, "farneback": _by_farneback}
)


def flow(first: FloatImage, second: FloatImage, *, method: str = "dis") -> FloatImage:
    """
    Estimate where each pixel of the first image went in the second.

    Parameters
    ----------
    first, second : (height, width) float32
        Grey levels, 0..255.
    method
        ``dis`` (doi:10.1007/978-3-319-46493-0_29), ``dis-twice`` (again on what the first pass left, where amplitude
        counts), ``dis-fast`` (at half resolution), ``tvl1`` (doi:10.1007/978-3-540-74936-3_22) or ``farneback``
        (doi:10.1007/3-540-45103-X_50); accuracy and speed of each in docs/flow.md.

    Returns
    -------
    (height, width, 2) float32
        Motion to the right and downwards [px].

    Raises
    ------
    ConfigError
        If the method is not known.
    DataError
        If the images differ in shape.

    Examples
    --------
    >>> x = np.indices((64, 64))[1]
    >>> first = (128 + 60 * np.sin(x / 4) * np.cos(x.T / 5)).astype(np.float32)
    >>> moved = flow(first, np.roll(first, 1, axis=1))
    >>> bool(abs(np.median(moved[8:-8, 8:-8, 0]) - 1) < 0.1)
    True
    """
    if method not in FLOW_METHODS:
        raise unknown_name("flow method", method, FLOW_METHODS)
    if first.shape != second.shape or first.ndim != 2:
        raise DataError(f"flow: expected two grey images of one size, got {first.shape} and {second.shape}")
    return FLOW_METHODS[method](first, second)


def _expect_clip(clip: FloatImage, method: str) -> None:
    if method not in FLOW_METHODS:
        raise unknown_name("flow method", method, FLOW_METHODS)
    if clip.ndim != 3 or len(clip) < 2:
        raise DataError(f"flow: expected a clip of at least two grey frames (k, height, width), got {clip.shape}")


def flow_to_first(clip: FloatImage, *, method: str = "dis") -> Iterator[FloatImage]:
    """
    Follow each pixel of the first frame through a clip, one field at a time.

    Most descriptors want the motion since the onset; it keeps growing to the apex, while motion between neighbouring
    frames is below the noise at high frame rates. Fields come one by one so that a long clip needs no more memory than a
    short one; ``np.stack(list(...))`` gives ``(k - 1, height, width, 2)``.

    Parameters
    ----------
    clip : (k, height, width) float32
        Registered frames, grey levels 0..255.
    method
        As in `flow`.

    Yields
    ------
    (height, width, 2) float32
        Motion from the first frame to the second, then to the third, and so on [px].

    Raises
    ------
    ConfigError
        If the method is not known.
    DataError
        If the clip has fewer than two frames.

    Examples
    --------
    >>> x = np.indices((64, 64))[1]
    >>> first = (128 + 60 * np.sin(x / 4) * np.cos(x.T / 5)).astype(np.float32)
    >>> clip = np.stack([np.roll(first, k, axis=1) for k in range(3)])
    >>> [bool(abs(np.median(f[8:-8, 8:-8, 0]) - k) < 0.1) for k, f in enumerate(flow_to_first(clip), start=1)]
    [True, True]
    """
    _expect_clip(clip, method)
    return (flow(clip[0], frame, method=method) for frame in clip[1:])


def flow_to_next(clip: FloatImage, *, method: str = "dis") -> Iterator[FloatImage]:
    """
    Estimate the motion from each frame of a clip to the next, one field at a time.

    Parameters
    ----------
    clip : (k, height, width) float32
        Registered frames, grey levels 0..255.
    method
        As in `flow`.

    Yields
    ------
    (height, width, 2) float32
        ``k - 1`` fields [px per frame].

    Raises
    ------
    ConfigError
        If the method is not known.
    DataError
        If the clip has fewer than two frames.
    """
    _expect_clip(clip, method)
    return (flow(clip[k], clip[k + 1], method=method) for k in range(len(clip) - 1))


def magnitude(field: FloatImage) -> FloatImage:
    """
    Return how far each pixel moved, ``(height, width)`` [px].

    Examples
    --------
    >>> float(magnitude(np.array([[[3.0, -4.0]]], dtype=np.float32))[0, 0])
    5.0
    """
    u, v = field[..., 0], field[..., 1]
    return np.asarray(np.sqrt(u * u + v * v))  # a third of the time of hypot; flow is far from overflow


def orientation(field: FloatImage) -> FloatImage:
    """
    Return in which direction each pixel moved, ``(height, width)`` [rad, in [0, 2 pi)].

    0 is to the right and angles grow counter-clockwise as seen on the screen: a raised brow points to pi/2. Fields count
    y downwards, hence the sign; papers that take the arctangent of v over u without it get the mirrored angle, and the
    same histograms with their bins in reverse order. What does not move has direction 0.

    Examples
    --------
    >>> upwards = np.array([[[0.0, -1.0]]], dtype=np.float32)
    >>> round(float(orientation(upwards)[0, 0]), 3)
    1.571
    """
    angle = np.arctan2(0 - field[..., 1], field[..., 0])  # not -v, whose negative zero would turn left into -pi
    full = angle.dtype.type(2 * np.pi)
    angle += full * (angle < 0)
    angle[angle >= full] = 0  # a tiny negative angle rounds to the full turn
    return np.asarray(angle)


def strain_tensor(field: FloatImage) -> tuple[FloatImage, FloatImage, FloatImage]:
    """
    Differentiate a flow field.

    Parameters
    ----------
    field : (height, width, 2)
        Motion to the right ``u`` and downwards ``v`` [px].

    Returns
    -------
    e_xx, e_yy, e_xy : (height, width) each
        ``du/dx``, ``dv/dy`` and ``(du/dy + dv/dx) / 2``; x runs along the second axis, y along the first.
    """
    u_y, u_x = np.gradient(np.ascontiguousarray(field[:, :, 0]))
    v_y, v_x = np.gradient(np.ascontiguousarray(field[:, :, 1]))
    return u_x, v_y, 0.5 * (u_y + v_x)


def optical_strain(field: FloatImage) -> FloatImage:
    """
    Return the magnitude of the strain, ``sqrt(e_xx^2 + e_yy^2 + 2 e_xy^2)``, ``(height, width)``.

    Zero for any shift and, to first order, for any rotation: what is left is deformation (doi:10.1109/TPAMI.2010.155).

    Examples
    --------
    >>> y, x = np.mgrid[0:5, 0:5].astype(np.float32)
    >>> stretched = np.dstack([0.1 * x, 0 * y])
    >>> round(float(optical_strain(stretched)[2, 2]), 3)
    0.1
    """
    e_xx, e_yy, e_xy = strain_tensor(field)
    return np.asarray(np.sqrt(e_xx**2 + e_yy**2 + 2 * e_xy**2), dtype=np.float32)
