"""What all descriptors of a clip share: its checks, its regions without their border, histograms and their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError, raise_faults
from mmme.features.face.regions import Regions
from mmme.features.tables import Described

__all__ = ["Cells", "cells_of", "checked_clip", "described_histograms"]

#: Kinds of grey levels that are described as they are: never rounded, never rescaled.
GREY_DTYPES = ("uint8", "uint16", "float32", "float64")


def checked_clip(where: str, clip: NDArray[np.generic], at_least: int = 1) -> None:
    """
    Refuse what is not a clip of finite grey levels, or is too short.

    Parameters
    ----------
    where
        Descriptor, for the message.
    clip : (frames, height, width)
        Grey levels, uint8, uint16, float32 or float64.
    at_least
        Frames needed.

    Raises
    ------
    DataError
        If shape, kind, length or a value is not as expected.
    """
    if clip.ndim != 3:
        raise DataError(f"{where}: expected grey frames (frames, height, width), got an array of shape {clip.shape}")
    if clip.dtype.name not in GREY_DTYPES:
        raise DataError(f"{where}: expected grey levels as {', '.join(GREY_DTYPES)}, got {clip.dtype.name}")
    if clip.shape[0] < at_least:
        raise DataError(
            f"{where}: expected at least {at_least} frames, got {clip.shape[0]}; lengthen the clip by temporal "
            "interpolation (TIM, mmme.features.face.interpolation.interpolated) or take a smaller radius in time"
        )
    n_lost = sum(int(np.count_nonzero(~np.isfinite(frame))) for frame in clip) if clip.dtype.kind == "f" else 0
    if n_lost:
        raise DataError(f"{where}: expected finite grey levels, got {n_lost} that are not")


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """
    Regions of a flattened image without its border, as layers in which no two regions overlap.

    Parameters
    ----------
    n_regions
        How many.
    layers : (n_layers, n) int64
        Per pixel, from the first inner one to the last, the number of its region, or ``n_regions`` where there is none.
    """

    n_regions: int
    layers: tuple[NDArray[np.int64], ...]

    def counts(
        self, bins: NDArray[np.integer[Any]], n_bins: int, weights: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Count the bins ``(n,)`` of all pixels per region, ``(n_regions, n_bins)``, each by its weight or by one."""
        n_all = (self.n_regions + 1) * n_bins
        found = np.zeros(n_all)
        for layer in self.layers:
            found += np.bincount(layer * n_bins + bins, weights=weights, minlength=n_all)
        return found.reshape(-1, n_bins)[:-1]

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up values ``(n_values, n)`` of all pixels per region, ``(n_regions, n_values)``."""
        found = np.zeros((self.n_regions + 1, len(values)))
        for layer in self.layers:
            for j, line in enumerate(values):
                found[:, j] += np.bincount(layer, weights=line, minlength=self.n_regions + 1)
        return found[:-1]


def cells_of(where: str, regions: Regions, shape: tuple[int, int], border: tuple[int, int]) -> Cells:
    """
    List the pixels of each region that are far enough from the edge of the image.

    Parameters
    ----------
    where
        Descriptor, for the message.
    regions
        Parts of the image.
    shape
        (height, width) of the image [px].
    border
        Rows above and below, columns left and right, that have no full neighbourhood [px].

    Raises
    ------
    DataError
        If the regions are those of an image of another size, or one has no pixel left.
    """
    if regions.masks.shape[1:] != shape:
        raise DataError(f"{where}: expected regions of {shape} px like the frames, got {regions.masks.shape[1:]} px")
    rows, columns = border
    inner = np.zeros_like(regions.masks)
    window = np.s_[:, rows : shape[0] - rows, columns : shape[1] - columns]
    inner[window] = regions.masks[window]
    first = rows * shape[1] + columns
    flat = inner.reshape(len(regions), -1)[:, first : shape[0] * shape[1] - first]
    lost = [f"{name} has none" for name, mask in zip(regions.names, flat, strict=True) if not mask.any()]
    raise_faults(f"{where}: expected pixels beyond the {rows} rows and {columns} columns at the edge", lost)
    layers: list[NDArray[np.int64]] = []
    for i, mask in enumerate(flat):
        free = next((layer for layer in layers if (layer[mask] == len(regions)).all()), None)
        if free is None:
            free = np.full(flat.shape[1], len(regions), dtype=np.int64)
            layers.append(free)
        free[mask] = i
    return Cells(len(regions), tuple(layers))


def described_histograms(
    descriptor: str, names: tuple[str, ...], histograms: Mapping[str, NDArray[np.float64]]
) -> Described:
    """
    Bring each histogram to the sum of one and all of them into one row.

    Parameters
    ----------
    descriptor
        First part of the column names.
    names : (n_regions,)
        Second part.
    histograms
        By plane, ``(n_regions, n_segments, n_bins)`` counts, not negative; number of bins may differ between planes.

    Returns
    -------
    Described
        ``<descriptor>_<region>_<plane>_<bin>``, or ``<descriptor>_<region>_s<segment>_<plane>_<bin>`` where there is more
        than one segment. A histogram in which nothing was counted stays zero.

    Examples
    --------
    >>> counts = np.array([[[3.0, 1.0]]])
    >>> row = described_histograms("lbptop", ("r0c0",), {"xy": counts})
    >>> row.columns, row.values.tolist()
    (('lbptop_r0c0_xy_0', 'lbptop_r0c0_xy_1'), [0.75, 0.25])
    """
    parts = []
    for counts in histograms.values():
        total = counts.sum(axis=2, keepdims=True)
        parts.append(counts / np.where(total > 0, total, 1.0))
    columns = _columns(descriptor, names, parts[0].shape[1], tuple((p, c.shape[2]) for p, c in histograms.items()))
    return Described(columns, np.concatenate(parts, axis=2).ravel().astype(np.float32))


@lru_cache(maxsize=16)
def _columns(
    descriptor: str, names: tuple[str, ...], n_segments: int, planes: tuple[tuple[str, int], ...]
) -> tuple[str, ...]:
    """Name all bins; once for all samples, which then share thousands of names."""
    return tuple(
        f"{descriptor}_{name}_{f's{s}_' if n_segments > 1 else ''}{plane}_{b}"
        for name in names
        for s in range(n_segments)
        for plane, n_bins in planes
        for b in range(n_bins)
    )
