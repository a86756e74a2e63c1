"""
Values for classifiers from flow images whose zero and scale were lost.

Published flow images of micro-expressions are stretched to their own minimum and maximum, channel by channel: a face that
rests is then grey of an unknown level, and a millimetre sideways is not a millimetre downwards. Both come back in part:

- **Zero**: most of a face does not move, so the median of a channel is taken for rest.
- **Scale**: each channel to a root mean square of 1 (``scale="channel"``); or both components in one unit
  (``scale="strain"``): strain was computed before stretching, so the ratio of the two scales is the one under which the
  strain of the stretched flow looks most like the strain in the image (`scale_angle`).

Every function works image by image; nothing is learned from other rows, so nothing can leak. Results do not change when
u or v is shifted or stretched, or strain stretched. Flow in pixels may be given too, and loses its amplitude.
Measured worth: docs/flow-recognition.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmme.errors import ConfigError, DataError

__all__ = [
    "FLOW_DESCRIPTORS",
    "block_means",
    "gradient_maps",
    "motion_and_gradients",
    "oriented_motion",
    "rectified_motion",
    "rectified_motion_and_gradients",
    "rescaled",
    "scale_angle",
    "signed_motion",
]

Images = NDArray[np.float64]
Scale = Literal["channel", "strain"]
#: Angles tried for the ratio of the scales of u and v; the outermost are 20 to 1 and 1 to 20.
ANGLES = np.linspace(0.05, np.pi / 2 - 0.05, 31)


def _images(images: ArrayLike) -> Images:
    X = np.asarray(images, dtype=np.float64)
    if X.ndim != 4 or X.shape[3] != 3 or min(X.shape[1:3]) < 2:
        raise DataError(
            f"flow images: expected u, v and strain as (n, height, width, 3) with sides of 2 px or more, got {X.shape}"
        )
    if not np.isfinite(X).all():
        raise DataError("flow images: expected finite values, got NaN or infinity; leave such rows out before")
    return X


def _over_rms(X: Images, axes: tuple[int, ...]) -> Images:
    """Root mean square 1 over the axes; what is 0 throughout stays 0."""
    size = np.sqrt((X**2).mean(axis=axes, keepdims=True))
    return np.divide(X, size, out=np.zeros_like(X), where=size > 0)


def gradient_maps(flow: ArrayLike) -> NDArray[np.float64]:
    """
    Divergence, stretch, shear and curl of flow: the four parts of its Jacobian.

    Skin that is pulled together or apart shows in the first three whatever the head does; a shift of the head is in none.

    Parameters
    ----------
    flow : (n, height, width, 2)
        Motion to the right and downwards.

    Returns
    -------
    (n, height, width, 4)
        ``du/dx + dv/dy``, ``du/dx - dv/dy``, ``du/dy + dv/dx``, ``dv/dx - du/dy`` per pixel, central differences.

    Examples
    --------
    >>> y, x = np.mgrid[:3, :3].astype(float)
    >>> gradient_maps(np.stack([-y, x], axis=-1)[None])[0, 1, 1].tolist()
    [0.0, 0.0, 0.0, 2.0]
    """
    flow = np.asarray(flow, dtype=np.float64)
    u_y, u_x = np.gradient(flow[..., 0], axis=(1, 2))
    v_y, v_x = np.gradient(flow[..., 1], axis=(1, 2))
    return np.stack([u_x + v_y, u_x - v_y, u_y + v_x, v_x - u_y], axis=-1)


def scale_angle(images: ArrayLike) -> NDArray[np.float64]:
    """
    Find in which ratio u and v were stretched, from the strain beside them.

    With ``u = U / cos(angle)`` and ``v = V / sin(angle)`` up to a common factor, the strain of ``(U, V)`` (as in
    `mmme.features.face.flow.optical_strain`) is compared with the strain in the image; the angle with the highest
    correlation is taken.

    Parameters
    ----------
    images : (n, height, width, 3)
        u, v, strain.

    Returns
    -------
    (n,)
        Angle [rad] on a grid of 31 from 0.05 to pi/2 - 0.05; pi/4 where u and v were stretched alike.

    Raises
    ------
    DataError
        If these are not images of three finite channels.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> flow = rng.normal(size=(1, 9, 9, 2))
    >>> d = gradient_maps(flow)
    >>> strain = np.sqrt((d[..., 0] ** 2 + d[..., 1] ** 2 + d[..., 2] ** 2) / 2)
    >>> stretched = np.concatenate([flow * [1.0, 2.0], strain[..., None]], axis=-1)  # cos : sin = 2 : 1
    >>> bool(abs(np.tan(scale_angle(stretched)[0]) - 0.5) < 0.05)
    True
    """
    X = _images(images)
    d = gradient_maps(X[..., :2])
    both, apart = d[..., 0], d[..., 1]
    u_x, v_y = (both + apart) / 2, (both - apart) / 2
    u_y, v_x = (d[..., 2] - d[..., 3]) / 2, (d[..., 2] + d[..., 3]) / 2
    of_u, of_v, of_both = u_x**2 + u_y**2 / 2, v_y**2 + v_x**2 / 2, u_y * v_x
    target = X[..., 2] - X[..., 2].mean(axis=(1, 2), keepdims=True)
    best = np.full(len(X), -np.inf)
    angle = np.full(len(X), np.pi / 4)
    for a in ANGLES:
        square = np.cos(a) ** 2 * of_u + np.sin(a) ** 2 * of_v + np.cos(a) * np.sin(a) * of_both
        made = np.sqrt(np.maximum(square, 0))
        made -= made.mean(axis=(1, 2), keepdims=True)
        size = np.sqrt((made**2).sum(axis=(1, 2)) * (target**2).sum(axis=(1, 2)))
        match = np.divide((made * target).sum(axis=(1, 2)), size, out=np.full(len(X), -np.inf), where=size > 0)
        angle = np.where(match > best, a, angle)
        best = np.maximum(match, best)
    return angle


def rescaled(images: ArrayLike, *, scale: Scale = "channel") -> NDArray[np.float64]:
    """
    Give flow images a zero and a common scale again.

    Parameters
    ----------
    images : (n, height, width, 3)
        u, v, strain, stretched or not.
    scale
        ``channel``: u and v each of root mean square 1; ``strain``: of the ratio that their strain tells, the length of
        motion of root mean square 1.

    Returns
    -------
    (n, height, width, 3)
        u and v with median 0, strain with root mean square 1; a channel without variation is 0.

    Raises
    ------
    DataError
        If these are not images of three finite channels.
    ConfigError
        If the scale is not known.

    Examples
    --------
    >>> X = np.random.default_rng(0).uniform(size=(1, 4, 4, 3))
    >>> np.allclose(rescaled(X), rescaled(X * [3, 5, 7] + [40, 9, 0]))
    True
    """
    if scale not in ("channel", "strain"):
        raise ConfigError(f"flow images: expected scale 'channel' or 'strain', got '{scale}'")
    X = _images(images)
    flow = X[..., :2] - np.median(X[..., :2], axis=(1, 2), keepdims=True)
    if scale == "channel":
        flow = _over_rms(flow, (1, 2))
    else:
        angle = scale_angle(X)
        flow = flow * np.stack([np.cos(angle), np.sin(angle)], axis=-1)[:, None, None]
        flow = _over_rms(flow, (1, 2, 3)) / np.sqrt(2)
    return np.concatenate([flow, _over_rms(X[..., 2:], (1, 2))], axis=-1)


def block_means(maps: ArrayLike, block: int) -> NDArray[np.float64]:
    """
    Average maps over square blocks and lay the values out in rows.

    Parameters
    ----------
    maps : (n, height, width, channels)
        Any maps.
    block
        Side [px]; it divides height and width.

    Returns
    -------
    (n, height / block * width / block * channels)

    Raises
    ------
    DataError
        If the block does not divide the sides.

    Examples
    --------
    >>> block_means(np.arange(16.0).reshape(1, 4, 4, 1), 2).tolist()
    [[2.5, 4.5, 10.5, 12.5]]
    """
    M = np.asarray(maps, dtype=np.float64)
    if M.ndim != 4 or block < 1 or M.shape[1] % block or M.shape[2] % block:
        raise DataError(f"block means: expected maps whose sides are multiples of {block} px, got shape {M.shape}")
    n, height, width, channels = M.shape
    M = M.reshape(n, height // block, block, width // block, block, channels)
    return np.asarray(M.mean(axis=(2, 4)).reshape(n, -1))


def _rectified(maps: Images) -> Images:
    """Positive and negative parts side by side: opposite motions in one block no longer cancel."""
    return np.concatenate([np.maximum(maps, 0), np.maximum(-maps, 0)], axis=-1)


def signed_motion(
    images: ArrayLike, *, block: int = 2, scale: Scale = "channel", power: float = 1.0
) -> NDArray[np.float64]:
    """
    u, v and strain of rescaled images, averaged over blocks.

    Parameters
    ----------
    images : (n, height, width, 3)
        u, v, strain.
    block
        Side of a block [px].
    scale
        As in `rescaled`.
    power
        Values are raised to it, their sign kept; below 1 it lifts weak motion (Perronnin et al. 2010,
        doi:10.1007/978-3-642-15561-1_11).

    Returns
    -------
    (n, blocks * 3)

    Examples
    --------
    >>> signed_motion(np.random.default_rng(0).uniform(size=(2, 28, 28, 3)), block=4).shape
    (2, 147)
    """
    maps = rescaled(images, scale=scale)
    return block_means(maps if power == 1 else np.sign(maps) * np.abs(maps) ** power, block)


def rectified_motion(images: ArrayLike, *, block: int = 2, scale: Scale = "channel") -> NDArray[np.float64]:
    """
    Motion to the right, downwards, to the left and upwards, each for itself, and strain, averaged over blocks.

    Half-wave rectified motion channels (Efros et al. 2003, doi:10.1109/ICCV.2003.1238420).

    Parameters
    ----------
    images : (n, height, width, 3)
        u, v, strain.
    block
        Side of a block [px].
    scale
        As in `rescaled`.

    Returns
    -------
    (n, blocks * 5)

    Examples
    --------
    >>> rectified_motion(np.random.default_rng(0).uniform(size=(2, 28, 28, 3)), block=4).shape
    (2, 245)
    """
    maps = rescaled(images, scale=scale)
    return block_means(np.concatenate([_rectified(maps[..., :2]), maps[..., 2:]], axis=-1), block)


def motion_and_gradients(images: ArrayLike, *, block: int = 4, scale: Scale = "channel") -> NDArray[np.float64]:
    """
    u, v, strain, divergence, stretch, shear and curl, averaged over blocks.

    Parameters
    ----------
    images : (n, height, width, 3)
        u, v, strain.
    block
        Side of a block [px].
    scale
        As in `rescaled`.

    Returns
    -------
    (n, blocks * 7)

    Examples
    --------
    >>> motion_and_gradients(np.random.default_rng(0).uniform(size=(2, 28, 28, 3))).shape
    (2, 343)
    """
    maps = rescaled(images, scale=scale)
    return block_means(np.concatenate([maps, gradient_maps(maps[..., :2])], axis=-1), block)


def rectified_motion_and_gradients(images: ArrayLike, *, block: int = 4, scale: Scale = "channel") -> NDArray[np.float64]:
    """
    Positive and negative parts of motion and of its gradients, and strain, averaged over blocks.

    Parameters
    ----------
    images : (n, height, width, 3)
        u, v, strain.
    block
        Side of a block [px].
    scale
        As in `rescaled`.

    Returns
    -------
    (n, blocks * 13)

    Examples
    --------
    >>> rectified_motion_and_gradients(np.random.default_rng(0).uniform(size=(2, 28, 28, 3))).shape
    (2, 637)
    """
    maps = rescaled(images, scale=scale)
    parts = [_rectified(maps[..., :2]), maps[..., 2:], _rectified(gradient_maps(maps[..., :2]))]
    return block_means(np.concatenate(parts, axis=-1), block)


def oriented_motion(images: ArrayLike, *, block: int = 4, bins: int = 8, scale: Scale = "channel") -> NDArray[np.float64]:
    """
    Histograms of the directions of motion per block, weighted by its length, of rescaled images.

    HOOF (doi:10.1109/CVPR.2009.5206821) on blocks, with each vector shared between the two nearest directions and without
    dividing each block by its own sum, so that blocks at rest stay small.

    Parameters
    ----------
    images : (n, height, width, 3)
        u, v, strain.
    block
        Side of a block [px].
    bins
        Directions, the first to the right, counter-clockwise on the screen.
    scale
        As in `rescaled`.

    Returns
    -------
    (n, blocks * bins)

    Raises
    ------
    ConfigError
        With fewer than 2 bins.

    Examples
    --------
    >>> oriented_motion(np.random.default_rng(0).uniform(size=(2, 28, 28, 3))).shape
    (2, 392)
    """
    if bins < 2:
        raise ConfigError(f"oriented motion: expected at least 2 bins, got {bins}")
    flow = rescaled(images, scale=scale)[..., :2]
    length = np.sqrt((flow**2).sum(axis=-1))
    place = np.arctan2(-flow[..., 1], flow[..., 0]) / (2 * np.pi) * bins % bins
    lower = np.floor(place)
    share = place - lower
    maps = np.zeros((*length.shape, bins))
    for b in range(bins):
        maps[..., b] = length * ((lower % bins == b) * (1 - share) + ((lower + 1) % bins == b) * share)
    return block_means(maps, block)


def _values(images: ArrayLike, *, block: int = 2) -> NDArray[np.float64]:
    """Values as they are, averaged over blocks."""
    return block_means(_images(images), block)


#: Families by name, with the block sizes that were tried; each ``(n, height, width, 3) -> (n, d)``.
FLOW_DESCRIPTORS: Mapping[str, Callable[..., NDArray[Any]]] = MappingProxyType(
    {
        "as-stored": _values,
        "signed": signed_motion,
        "rectified": rectified_motion,
        "gradients": motion_and_gradients,
        "rectified-gradients": rectified_motion_and_gradients,
        "oriented": oriented_motion,
    }
)
