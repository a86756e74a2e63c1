"""
Histograms of the directions of motion: HOOF, its weighted form Bi-WOOF, and HOOF of facial regions.

Directions are those of `mmme.features.face.flow.orientation`: 0 to the right, counter-clockwise on the screen.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError
from mmme.features.face.flow import magnitude, optical_strain, orientation
from mmme.features.face.pooling import Floats, direction_bins, expect_fields, histograms, means
from mmme.features.face.regions import Regions
from mmme.features.tables import Described

__all__ = ["bi_woof", "hoof", "rhoof"]


def _expect_bins(where: str, bins: int) -> None:
    if bins < 2:
        raise ConfigError(f"{where}: expected at least 2 bins, got {bins}")


def _shares(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row divided by its sum; a row without any motion stays 0."""
    total = sums.sum(axis=1, keepdims=True)
    return np.divide(sums, total, out=np.zeros_like(sums), where=total > 0)


@lru_cache(maxsize=32)
def _columns(descriptor: str, names: tuple[str, ...], bins: int) -> tuple[str, ...]:
    """Name the bins; kept, since hundreds of names would take as long as the histogram."""
    return tuple(f"{descriptor}_{name}_b{b}" for name in names for b in range(bins))


def _mirrored_bins(field: Floats, bins: int) -> NDArray[np.intp]:
    """Elevation above the horizontal, -pi/2 to pi/2, in equal bins: what moves left counts as what moves right."""
    elevation = np.arctan2(-field[..., 1], np.abs(field[..., 0]))
    return np.clip(((elevation / np.pi + 0.5) * bins).astype(np.intp), 0, bins - 1)


def hoof(
    fields: Floats,
    regions: Regions,
    *,
    bins: int = 8,
    mirrored: bool = False,
    centred: bool = False,
    normalised: bool = True,
) -> Described:
    """
    Histogram of oriented optical flow per region (HOOF, doi:10.1109/CVPR.2009.5206821).

    Each pixel adds the length of its motion to the bin of its direction, so that the noise of pixels at rest hardly
    counts; each histogram is divided by its sum, so that neither scale nor the size of the region counts.

    Parameters
    ----------
    fields : (height, width, 2) or (k, height, width, 2)
        Motion to the right and downwards [px]; several fields are summed in one histogram.
    regions
        Blocks or facial regions on the same pixels.
    bins
        Of the histogram. Work on micro-expressions takes 8 over the full circle; the original has 30, mirrored.
    mirrored
        True: as in the original, bins over the elevation from straight down (first) to straight up (last), left and
        right counted alike. False: full circle, as in work on micro-expressions.
    centred
        Full circle only: bins centred on right, up, left and down instead of beginning there
        (`mmme.features.face.pooling.direction_bins`).
    normalised
        False keeps summed lengths [px], divided by pixels and fields.

    Returns
    -------
    Described
        ``hoof_<region>_b<bin>``; a region without any motion is all 0.

    Raises
    ------
    ConfigError
        If there are fewer than 2 bins.
    DataError
        If fields and regions do not fit, or motion is not finite.

    Examples
    --------
    >>> from mmme.features.face.regions import blocks
    >>> upwards = np.zeros((4, 4, 2), dtype=np.float32)
    >>> upwards[..., 1] = -1.0
    >>> hoof(upwards, blocks(1, 1, (4, 4)), bins=4).values.tolist()
    [0.0, 1.0, 0.0, 0.0]
    """
    _expect_bins("HOOF", bins)
    stacked = expect_fields("HOOF", fields, regions)
    sums = np.zeros((len(regions), bins))
    for field in stacked:
        index = _mirrored_bins(field, bins) if mirrored else direction_bins(orientation(field), bins, centred=centred)
        sums += histograms(index, magnitude(field), regions, bins)
    values = _shares(sums) if normalised else sums / (regions.sizes[:, None] * len(stacked))
    return Described(_columns("hoof", regions.names, bins), values.ravel().astype(np.float32))


def bi_woof(field: Floats, regions: Regions, *, bins: int = 8, centred: bool = False, unit: bool = True) -> Described:
    """
    Bi-weighted oriented optical flow of onset to apex (Bi-WOOF, doi:10.1016/j.image.2017.11.006).

    A HOOF per block - the local weight is the length of each motion - times the mean strain of the block, the global
    weight: blocks that deform count more than blocks that are carried along.

    Parameters
    ----------
    field : (height, width, 2)
        Motion from onset to apex [px].
    regions
        Blocks; 5 x 5 (the authors' release) to 8 x 8.
    bins
        Over the full circle.
    centred
        As in `hoof`; False as published.
    unit
        Scale the whole vector to length 1, as in the authors' release; False keeps how strongly the face deformed.

    Returns
    -------
    Described
        ``biwoof_<region>_b<bin>``; all 0 where nothing deforms.

    Raises
    ------
    ConfigError
        If there are fewer than 2 bins.
    DataError
        If field and regions do not fit, or motion is not finite.

    Examples
    --------
    >>> from mmme.features.face.regions import blocks
    >>> stretch = np.zeros((4, 8, 2), dtype=np.float32)
    >>> stretch[:, :4, 0] = 0.1 * np.arange(4)  # the left half stretches to the right, the right half rests
    >>> bi_woof(stretch, blocks(1, 2, (4, 8)), bins=4, centred=True).values.round(2).tolist()
    [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    _expect_bins("Bi-WOOF", bins)
    (only,) = expect_fields("Bi-WOOF", field[None] if field.ndim == 3 else field, regions)
    index = direction_bins(orientation(only), bins, centred=centred)
    local = _shares(histograms(index, magnitude(only), regions, bins))
    weighted = local * means(optical_strain(only), regions)[:, None]
    length = float(np.linalg.norm(weighted))
    if unit and length > 0:
        weighted = weighted / length
    return Described(_columns("biwoof", regions.names, bins), weighted.ravel().astype(np.float32))


def rhoof(fields: Floats, regions: Regions, *, bins: int = 8, centred: bool = True) -> Described:
    """
    Histogram of oriented optical flow of facial regions, amplitude kept (RHOOF).

    After Ma, An, Wu and Yang, "A region histogram of oriented optical flow (RHOOF) feature for apex frame spotting in
    micro-expression" (ISPACS 2017), whose text was not at hand: implemented is what the title says, not a check of their
    numbers (docs/descriptors-motion.md). It is `hoof` with lengths kept, divided by the region's size, so that values of
    small and large regions compare and the sum over a region's bins is the mean length of its motion.

    Parameters
    ----------
    fields : (height, width, 2) or (k, height, width, 2)
        Motion [px].
    regions
        Facial regions.
    bins
        Over the full circle.
    centred
        As in `hoof`.

    Returns
    -------
    Described
        ``rhoof_<region>_b<bin>`` [px].

    Raises
    ------
    ConfigError
        If there are fewer than 2 bins.
    DataError
        If fields and regions do not fit, or motion is not finite.

    Examples
    --------
    >>> from mmme.features.face.regions import blocks
    >>> upwards = np.zeros((4, 4, 2), dtype=np.float32)
    >>> upwards[..., 1] = -1.5
    >>> rhoof(upwards, blocks(1, 1, (4, 4)), bins=4).values.tolist()
    [0.0, 1.5, 0.0, 0.0]
    """
    kept = hoof(fields, regions, bins=bins, centred=centred, normalised=False)
    return Described(_columns("rhoof", regions.names, bins), kept.values)
