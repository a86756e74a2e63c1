"""Means and histograms over the regions of a registered face: the kernels that descriptors of motion share."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError
from mmme.features.face.regions import Regions

__all__ = ["Floats", "direction_bins", "expect_fields", "expect_shape", "histograms", "means"]


Floats = NDArray[np.floating[Any]]


@lru_cache(maxsize=16)
def _pixels(regions: Regions) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Region and pixel of every place that belongs to a region, and pixels of each; once for a whole data set."""
    region, pixel = np.nonzero(regions.masks.reshape(len(regions), -1))
    return region, pixel, np.bincount(region)


def expect_shape(where: str, shape: tuple[int, ...], regions: Regions) -> None:
    """Raise `DataError` unless the regions are marked on images of this height and width."""
    if shape != regions.masks.shape[1:]:
        got = "x".join(str(n) for n in regions.masks.shape[1:])
        raise DataError(f"{where}: expected regions of {'x'.join(map(str, shape))} px, as the motion, got {got} px")


def expect_fields(where: str, fields: Floats, regions: Regions) -> Floats:
    """
    Return fields as ``(k, height, width, 2)``; a single field becomes the only one.

    Raises
    ------
    DataError
        If they are not fields of motion on the pixels of the regions, or hold values that are not finite.
    """
    stacked = fields[None] if fields.ndim == 3 else fields
    if stacked.ndim != 4 or stacked.shape[3] != 2 or not len(stacked):
        raise DataError(
            f"{where}: expected motion of shape (height, width, 2) or (k, height, width, 2), got {fields.shape}"
        )
    expect_shape(where, stacked.shape[1:3], regions)
    if not np.isfinite(stacked).all():
        raise DataError(f"{where}: expected finite motion, got NaN or infinity; leave out frames without a face")
    return stacked


def means(values: Floats, regions: Regions) -> NDArray[np.float64]:
    """
    Average an image, or each component of a field, over each region.

    Parameters
    ----------
    values : (height, width) or (height, width, c)
        What to average.
    regions
        On the same pixels.

    Returns
    -------
    (n_regions,) or (n_regions, c) float64

    Examples
    --------
    >>> from mmme.features.face.regions import blocks
    >>> means(np.arange(8.0).reshape(2, 4), blocks(1, 2, (2, 4))).tolist()
    [2.5, 4.5]
    """
    region, pixel, sizes = _pixels(regions)
    flat = np.ascontiguousarray(values.reshape(regions.masks[0].size, -1).T)
    sums = [np.bincount(region, component[pixel], minlength=len(regions)) for component in flat]
    averaged = np.stack(sums, axis=1) / sizes[:, None]
    return np.asarray(averaged[:, 0] if values.ndim == 2 else averaged)


def direction_bins(angle: Floats, bins: int, *, centred: bool = False) -> NDArray[np.intp]:
    """
    Sort directions into equal sectors of the circle.

    Parameters
    ----------
    angle
        Directions [rad], 0 to the right, counter-clockwise on the screen, in [0, 2 pi).
    bins
        How many sectors.
    centred
        False: bin 0 begins at 0 (it holds what moves right and a little up). True: bin 0 is centred on 0, so that motion
        straight to the right, up, left and down lies in the middle of a bin and not on an edge.

    Examples
    --------
    >>> direction_bins(np.radians([0.0, 44.0, 46.0, 350.0]), 8).tolist()
    [0, 0, 1, 7]
    >>> direction_bins(np.radians([0.0, 44.0, 46.0, 350.0]), 8, centred=True).tolist()
    [0, 1, 1, 0]
    """
    turn = angle * (bins / (2 * np.pi))
    if centred:
        turn += 0.5
    index = turn.astype(np.intp)
    index[index >= bins] -= bins  # half a bin further on; and a float32 angle just below the full turn rounds up to it
    return np.asarray(index)


def histograms(index: NDArray[np.intp], weights: Floats | None, regions: Regions, bins: int) -> NDArray[np.float64]:
    """
    Count, or sum weights, per region and bin.

    Parameters
    ----------
    index : (height, width)
        Bin of each pixel, 0 to ``bins - 1``.
    weights : (height, width) or None
        What each pixel adds; 1 by default.
    regions
        On the same pixels.
    bins
        How many.

    Returns
    -------
    (n_regions, bins) float64

    Examples
    --------
    >>> from mmme.features.face.regions import blocks
    >>> histograms(np.array([[0, 1, 1, 1]]), None, blocks(1, 2, (1, 4)), 2).tolist()
    [[1.0, 1.0], [0.0, 2.0]]
    """
    region, pixel, _ = _pixels(regions)
    joint = region * bins + index.ravel()[pixel]
    counted = np.bincount(joint, None if weights is None else weights.ravel()[pixel], minlength=len(regions) * bins)
    return np.asarray(counted, dtype=np.float64).reshape(len(regions), bins)
