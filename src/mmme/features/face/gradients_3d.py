"""
Histograms of the gradients of a clip in space and time: on three planes (3DHOG), or on the faces of an icosahedron (HOG3D).

Gradients are central differences over one pixel or frame to either side, in grey levels per px and per frame; pixels at
the edge of the image and frames at the ends, which lack a neighbour, are not counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError, raise_faults
from mmme.features.face.regions import Regions
from mmme.features.face.volumes import cells_of, checked_clip, described_histograms
from mmme.features.tables import Described

__all__ = ["ICOSAHEDRON", "GradientSettings", "hog_on_icosahedron", "hog_on_planes"]

Line = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GradientSettings:
    """
    Histograms of gradients on planes.

    Parameters
    ----------
    bins
        Number in the planes XY, XT and YT, 2 to 360 each, over the whole circle; bin b has its middle at 360 b / n degrees,
        so that a gradient without a part in time lies in the middle of a bin.
    soft
        Whether a gradient is shared between the two bins beside it, by distance; otherwise it goes to the nearer one.
    segments
        Equal parts of the clip in time with histograms of their own.

    Raises
    ------
    ConfigError
        If a number is out of range.
    """

    bins: tuple[int, int, int] = (8, 12, 12)
    soft: bool = True
    segments: int = 1

    def __post_init__(self) -> None:
        """Check ranges."""
        faults = [f"{n} bins are not 2 to 360" for n in self.bins if not 2 <= n <= 360]
        faults += [f"{self.segments} segments are not at least 1"] * (self.segments < 1)
        raise_faults("gradients", faults, error=ConfigError)


_GOLDEN = (1 + 5**0.5) / 2
#: Ten middles of faces of an icosahedron, (x, y, t) of length 1; the other ten are opposite.
ICOSAHEDRON: NDArray[np.float64] = np.array(
    [(sx, sy, 1) for sy in (1, -1) for sx in (1, -1)]
    + [(0, s / _GOLDEN, _GOLDEN) for s in (1, -1)]
    + [(1 / _GOLDEN, s * _GOLDEN, 0) for s in (1, -1)]
    + [(s * _GOLDEN, 0, 1 / _GOLDEN) for s in (1, -1)]
) / np.sqrt(3)
#: Cosine between the middles of two faces that share an edge: a gradient along one has no share in the next.
_TO_NEXT_FACE = 5**0.5 / 3


def _gradients(clip: NDArray[np.generic]) -> Iterator[tuple[Line, Line, Line]]:
    """Yield gx, gy, gt of each frame between two others, flat, from the first inner pixel to the last."""
    width = clip.shape[2]
    flat = clip.reshape(len(clip), -1)
    start, stop = width + 1, flat.shape[1] - width - 1
    before, now = flat[0].astype(np.float64), flat[1].astype(np.float64)
    for after_raw in flat[2:]:
        after = after_raw.astype(np.float64)
        gx = (now[start + 1 : stop + 1] - now[start - 1 : stop - 1]) / 2
        gy = (now[start + width : stop + width] - now[start - width : stop - width]) / 2
        gt = (after[start:stop] - before[start:stop]) / 2
        yield gx, gy, gt
        before, now = now, after


def hog_on_planes(
    clip: NDArray[np.generic],
    regions: Regions,
    settings: GradientSettings = GradientSettings(),
) -> Described:
    """
    Describe a clip by orientations of its gradients in three planes (3DHOG, doi:10.1049/ic.2009.0244).

    The gradient of each pixel is projected onto XY, XT and YT; its direction there, ``atan2(gy, gx)``, ``atan2(gt, gx)``
    and ``atan2(gt, gy)``, is counted with its length there. The papers that use it on micro-expressions (the above, and the
    baseline of SAMM, doi:10.1109/TAFFC.2016.2573832) were at hand as abstracts only: planes and weights are what they are
    reported to use, as are 8 and 12 bins; where bins begin and how they are shared is stated in `GradientSettings`.

    Parameters
    ----------
    clip : (k, height, width) uint8, uint16, float32 or float64
        Registered face [grey levels].
    regions
        Parts of the image, which may overlap.
    settings
        Bins and segments in time.

    Returns
    -------
    Described
        ``3dhog_<region>_<plane>_<bin>``: each histogram with the sum 1, or 0 where a region is of one grey level.

    Raises
    ------
    DataError
        If the clip has fewer than 3 frames (2 + segments), has values that are not finite, or does not fit the regions.

    Examples
    --------
    >>> from mmme.features.face.regions import blocks
    >>> t, y, x = np.mgrid[:5, :8, :8]
    >>> moving = 3.0 * x - 3.0 * t  # one pixel per frame to the right
    >>> row = hog_on_planes(moving, blocks(1, 1, (8, 8)), GradientSettings(bins=(8, 8, 8)))
    >>> [column for column, value in zip(*row, strict=True) if value > 0]
    ['3dhog_r0c0_xy_0', '3dhog_r0c0_xt_7', '3dhog_r0c0_yt_6']
    """
    checked_clip("3dhog", clip, at_least=2 + settings.segments)
    cells = cells_of("3dhog", regions, (clip.shape[1], clip.shape[2]), (1, 1))
    found = [np.zeros((len(regions), settings.segments, n)) for n in settings.bins]
    for i, (gx, gy, gt) in enumerate(_gradients(clip)):
        segment = i * settings.segments // (len(clip) - 2)
        for j, (along, across) in enumerate(((gx, gy), (gx, gt), (gy, gt))):
            n = settings.bins[j]
            turn = np.arctan2(across, along) * (n / (2 * np.pi))
            length = np.sqrt(along * along + across * across)
            if settings.soft:
                lower = np.floor(turn)
                share = (turn - lower) * length
                bins = lower.astype(np.int64) % n
                found[j][:, segment] += cells.counts(bins, n, length - share) + cells.counts((bins + 1) % n, n, share)
            else:
                found[j][:, segment] += cells.counts(np.rint(turn).astype(np.int64) % n, n, length)
    return described_histograms("3dhog", regions.names, dict(zip(("xy", "xt", "yt"), found, strict=True)))


def hog_on_icosahedron(clip: NDArray[np.generic], regions: Regions, *, segments: int = 1) -> Described:
    """
    Describe a clip by orientations of its gradients in space and time (HOG3D, doi:10.5244/C.22.99).

    A gradient is shared among the faces of an icosahedron whose middles are nearer to it than the middle of a face is to
    the next one's, in proportion to how far its projection exceeds that of the next middle; the shares add up to its
    length. Published code averages gradients over blocks of space and time first and normalises over a grid of cells; here
    each pixel's gradient counts, and each region's histogram has the sum 1.

    Parameters
    ----------
    clip, regions
        As in `hog_on_planes`.
    segments
        Equal parts of the clip in time with histograms of their own.

    Returns
    -------
    Described
        ``hog3d_<region>_xyt_<face>``: faces 0 to 9 as in `ICOSAHEDRON`, 10 to 19 opposite to them.

    Raises
    ------
    DataError, ConfigError
        As in `hog_on_planes`.

    Examples
    --------
    >>> from mmme.features.face.regions import blocks
    >>> t, y, x = np.mgrid[:5, :8, :8].astype(float)
    >>> row = hog_on_icosahedron(x + y + t, blocks(1, 1, (8, 8)))
    >>> row.columns[0], row.values.round(6).tolist()[:3]
    ('hog3d_r0c0_xyt_0', [1.0, 0.0, 0.0])
    """
    GradientSettings(segments=segments)
    checked_clip("hog3d", clip, at_least=2 + segments)
    cells = cells_of("hog3d", regions, (clip.shape[1], clip.shape[2]), (1, 1))
    found = np.zeros((len(regions), segments, 20))
    for i, (gx, gy, gt) in enumerate(_gradients(clip)):
        projected = ICOSAHEDRON @ np.stack([gx, gy, gt])
        length = np.sqrt(gx * gx + gy * gy + gt * gt)
        over = np.maximum(np.concatenate([projected, -projected]) - _TO_NEXT_FACE * length, 0)
        total = over.sum(axis=0)
        over *= length / np.where(total > 0, total, 1)
        found[:, i * segments // (len(clip) - 2)] += cells.sums(over)
    return described_histograms("hog3d", regions.names, {"xyt": found})
