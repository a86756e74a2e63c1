"""
Optical strain pooled over regions and time: how much each part of the face deforms.

After Shreve et al. (doi:10.1109/FG.2011.5771451), who summed strain over facial regions to spot expressions, and Liong et
al. (doi:10.1109/ISPACS.2014.7024448), who pooled strain maps of a clip to recognise them.
"""

from __future__ import annotations

import numpy as np

from mmme.errors import ConfigError
from mmme.features.face.flow import optical_strain
from mmme.features.face.pooling import Floats, expect_fields, means
from mmme.features.face.regions import Regions
from mmme.features.tables import Described

__all__ = ["strain_pooled"]

_OVER_TIME = ("mean", "sum", "max")


def strain_pooled(fields: Floats, regions: Regions, *, over_time: str = "mean", normalised: bool = False) -> Described:
    """
    Average the strain over each region.

    Parameters
    ----------
    fields : (height, width, 2) or (k, height, width, 2)
        Onset to apex for one map, or the motion to each frame of a clip [px].
    regions
        Blocks or facial regions.
    over_time
        How the maps of several fields become one: ``mean`` (the same at any frame rate), ``sum`` (as published; grows with
        the frame rate) or ``max``.
    normalised
        Divide the map by its largest value, as published; loses how strong the expression was.

    Returns
    -------
    Described
        ``strain_<region>`` [px per px].

    Raises
    ------
    ConfigError
        If the way to pool is not known.
    DataError
        If fields and regions do not fit, or motion is not finite.

    Examples
    --------
    >>> from mmme.features.face.regions import blocks
    >>> y, x = np.mgrid[0:4, 0:8].astype(np.float32)
    >>> strain_pooled(np.dstack([0.25 * x, 0 * y]), blocks(1, 2, (4, 8))).values.tolist()
    [0.25, 0.25]
    """
    if over_time not in _OVER_TIME:
        raise ConfigError(f"strain: expected over_time to be one of {', '.join(_OVER_TIME)}, got {over_time!r}")
    stacked = expect_fields("strain", fields, regions)
    whole = np.zeros(stacked.shape[1:3])
    for field in stacked:
        strain = optical_strain(field)
        whole = np.maximum(whole, strain) if over_time == "max" else whole + strain
    if over_time == "mean":
        whole /= len(stacked)
    largest = float(whole.max())
    if normalised and largest > 0:
        whole = whole / largest
    return Described(tuple(f"strain_{name}" for name in regions.names), means(whole, regions).astype(np.float32))
