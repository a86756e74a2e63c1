"""
Local binary patterns of a clip: on three orthogonal planes, on six intersection points, on five intersecting planes.

How pixels and neighbours are compared is in `mmme.features.face.lbp_codes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError, DataError, raise_faults
from mmme.features.face.lbp_codes import GRID, Codes, Pattern, pattern_codes, uniform_bins
from mmme.features.face.regions import Regions
from mmme.features.face.volumes import cells_of, checked_clip, described_histograms
from mmme.features.tables import Described

__all__ = ["FIP_RELEASED", "ME_BASELINE", "LbpSettings", "lbp_fip", "lbp_sip", "lbp_top", "lbp_top_codes"]


@dataclass(frozen=True, slots=True)
class LbpSettings:
    """
    Neighbourhood and histograms of LBP-TOP.

    Parameters
    ----------
    radii
        Rx, Ry [px] and Rt [frames].
    neighbours
        Points on the ellipse in the planes XY, XT and YT, 2 to 16 each, at most 8 where codes are not uniform.
    uniform
        One bin per code with at most two changes between neighbouring bits, and one for all others (u2: 59 bins for 8
        neighbours); otherwise one bin per code.
    segments
        Equal parts of the clip in time with histograms of their own.

    Raises
    ------
    ConfigError
        If a number is out of range.
    """

    radii: tuple[int, int, int] = (1, 1, 4)
    neighbours: tuple[int, int, int] = (8, 8, 8)
    uniform: bool = True
    segments: int = 1

    def __post_init__(self) -> None:
        """Check ranges."""
        most = 16 if self.uniform else 8
        faults = [f"radius {r} is not a whole number of at least 1" for r in self.radii if r < 1 or r != int(r)]
        faults += [f"{p} neighbours are not 2 to {most}" for p in self.neighbours if not 2 <= p <= most]
        faults += [f"{self.segments} segments are not at least 1"] * (self.segments < 1)
        raise_faults("local binary patterns", faults, error=ConfigError)


#: The usual setting for micro-expressions: radii as reported of the baseline of CASME II
#: (doi:10.1371/journal.pone.0086041), 8 neighbours, u2; with ``blocks(5, 5, shape)``.
ME_BASELINE = LbpSettings()
#: As in the code released with LBP-FIP (doi:10.1007/s11042-022-12360-x), run on CASME II in 5 x 5 blocks.
FIP_RELEASED = LbpSettings(radii=(1, 1, 7))


def _ring(n: int, first: int, second: int) -> list[tuple[int, int]]:
    """Return n places on an ellipse as (cosine of the first radius, sine of the second), in steps of 1 / GRID."""
    angle = 2 * np.pi * np.arange(n) / n
    return [(round(GRID * first * c), round(GRID * second * s)) for c, s in zip(np.cos(angle), np.sin(angle), strict=True)]


def _planes(settings: LbpSettings) -> list[Pattern]:
    rx, ry, rt = settings.radii
    n_xy, n_xt, n_yt = settings.neighbours
    return [
        Pattern("xy", tuple((0, -y, x) for x, y in _ring(n_xy, rx, ry)), settings.uniform),
        Pattern("xt", tuple((t, 0, x) for x, t in _ring(n_xt, rx, rt)), settings.uniform),
        Pattern("yt", tuple((t, -y, 0) for t, y in _ring(n_yt, rt, ry)), settings.uniform),
    ]


def _histograms(
    descriptor: str,
    clip: NDArray[np.generic],
    regions: Regions,
    patterns: Sequence[Pattern],
    radii: tuple[int, int, int],
    segments: int,
) -> Described:
    """Count codes per region, segment and pattern."""
    rx, ry, rt = radii
    checked_clip(descriptor, clip, at_least=2 * rt + segments)
    cells = cells_of(descriptor, regions, (clip.shape[1], clip.shape[2]), (ry, rx))
    n_centres = len(clip) - 2 * rt
    early = [p.uniform and len(p.places) > 8 for p in patterns]  # 2^16 codes are too many to be counted first
    n_counted = [uniform_bins(len(p.places))[1] if e else 2 ** len(p.places) for p, e in zip(patterns, early, strict=True)]
    found = [np.zeros((len(regions), segments, n)) for n in n_counted]
    for i, images in enumerate(pattern_codes(clip, patterns, radii)):
        for j, image in enumerate(images):
            bins = uniform_bins(len(patterns[j].places))[0][image] if early[j] else image
            found[j][:, i * segments // n_centres] += cells.counts(bins, n_counted[j])
    for j, pattern in enumerate(patterns):
        if pattern.uniform and not early[j]:
            bin_of, n_bins = uniform_bins(len(pattern.places))
            found[j] = found[j] @ (bin_of[:, None] == np.arange(n_bins))
    return described_histograms(
        descriptor.replace("-", ""), regions.names, {p.plane: f for p, f in zip(patterns, found, strict=True)}
    )


def lbp_top_codes(clip: NDArray[np.generic], settings: LbpSettings = ME_BASELINE) -> dict[str, Codes]:
    """
    Code every pixel of a clip that has a full neighbourhood.

    Parameters
    ----------
    clip : (k, height, width) uint8, uint16, float32 or float64
        Grey levels.
    settings
        Radii and neighbours; ``uniform`` and ``segments`` have no effect on codes.

    Returns
    -------
    dict
        By plane, ``xy``, ``xt``, ``yt``: codes ``(k - 2 Rt, height - 2 Ry, width - 2 Rx)``, uint8 or, for more than eight
        neighbours, uint16.

    Raises
    ------
    DataError
        As in `lbp_top`.

    Examples
    --------
    >>> clip = np.zeros((3, 3, 3), np.uint8)
    >>> clip[1, 1, 1] = 9
    >>> clip[1, 1, 2] = 9  # the neighbour to the right, which is the first of XY and of XT
    >>> {plane: int(code[0, 0, 0]) for plane, code in lbp_top_codes(clip, LbpSettings(radii=(1, 1, 1))).items()}
    {'xy': 1, 'xt': 1, 'yt': 0}
    """
    rx, ry, rt = settings.radii
    checked_clip("lbp-top", clip, at_least=2 * rt + 1)
    if clip.shape[1] <= 2 * ry or clip.shape[2] <= 2 * rx:
        raise DataError(
            f"lbp-top: expected frames of more than {2 * ry} x {2 * rx} px, got {clip.shape[1]} x {clip.shape[2]}"
        )
    planes = _planes(settings)
    images = list(zip(*pattern_codes(clip, planes, settings.radii), strict=True))
    height, width = clip.shape[1] - 2 * ry, clip.shape[2]
    framed = [np.pad(np.stack(image), ((0, 0), (0, 2 * rx))) for image in images]
    return {
        plane.plane: image.reshape(-1, height, width)[:, :, : width - 2 * rx]
        for plane, image in zip(planes, framed, strict=True)
    }


def lbp_top(clip: NDArray[np.generic], regions: Regions, settings: LbpSettings = ME_BASELINE) -> Described:
    """
    Describe a clip by local binary patterns on three orthogonal planes (LBP-TOP, doi:10.1109/TPAMI.2007.1110).

    Neighbour p of a pixel (x, y, t) lies, with a = 2 pi p / P, in XY at (x + Rx cos a, y - Ry sin a), in XT at
    (x + Rx cos a, t + Rt sin a) and in YT at (y - Ry sin a, t + Rt cos a).

    Parameters
    ----------
    clip : (k, height, width) uint8, uint16, float32 or float64
        Registered face [grey levels], described as it is: neither rounded nor rescaled.
    regions
        Parts of the image, which may overlap. Codes are made on the whole image, so that only pixels within Ry rows or Rx
        columns of its edge, and Rt frames of its ends, are not counted. Masks eroded by as much give what published code
        computes, which cuts blocks out first.
    settings
        Radii, neighbours, bins, segments in time.

    Returns
    -------
    Described
        ``lbptop_<region>_<plane>_<bin>``: for each region and plane a histogram with the sum 1; with segments
        ``lbptop_<region>_s<segment>_<plane>_<bin>``.

    Raises
    ------
    DataError
        If the clip has fewer than 2 Rt + 1 frames (2 Rt + segments), has values that are not finite, or does not fit the
        regions.

    Examples
    --------
    >>> from mmme.features.face.regions import blocks
    >>> flat = lbp_top(np.full((9, 20, 20), 80.0, np.float32), blocks(5, 5, (20, 20)))
    >>> len(flat.columns), flat.columns[57], float(flat.values[57])  # every neighbour is at least as bright: code 255
    (4425, 'lbptop_r0c0_xy_57', 1.0)
    """
    return _histograms("lbp-top", clip, regions, _planes(settings), settings.radii, settings.segments)


def lbp_sip(
    clip: NDArray[np.generic], regions: Regions, *, radii: tuple[int, int, int] = ME_BASELINE.radii, segments: int = 1
) -> Described:
    """
    Describe a clip by local binary patterns with six intersection points (LBP-SIP, doi:10.1007/978-3-319-16865-4_34).

    The points where the three planes of LBP-TOP meet, each once: four in the frame (right, up, left, down; 16 codes) and
    two in time (after, before; 4 codes), as two histograms. That these are the six points is in the paper's abstract; its
    text was not at hand, and the split into 16 + 4 bins is that of a public implementation which cites it.

    Parameters
    ----------
    clip, regions
        As in `lbp_top`.
    radii
        Rx, Ry [px] and Rt [frames].
    segments
        Equal parts of the clip in time with histograms of their own.

    Returns
    -------
    Described
        ``lbpsip_<region>_<space or time>_<bin>``, 20 per region.

    Raises
    ------
    DataError, ConfigError
        As in `lbp_top`.

    Examples
    --------
    >>> from mmme.features.face.regions import blocks
    >>> brighter = np.arange(5.0)[:, None, None] + np.zeros((5, 4, 4))
    >>> row = lbp_sip(brighter, blocks(1, 1, (4, 4)), radii=(1, 1, 1))
    >>> dict(zip(row.columns, row.values.tolist(), strict=True))["lbpsip_r0c0_time_1"]  # only the frame after is as bright
    1.0
    """
    LbpSettings(radii=radii, segments=segments)
    rx, ry, rt = (GRID * r for r in radii)
    space = Pattern("space", ((0, 0, rx), (0, -ry, 0), (0, 0, -rx), (0, ry, 0)))
    return _histograms("lbp-sip", clip, regions, [space, Pattern("time", ((rt, 0, 0), (-rt, 0, 0)))], radii, segments)


def lbp_fip(
    clip: NDArray[np.generic],
    regions: Regions,
    settings: LbpSettings = FIP_RELEASED,
    *,
    vertex: tuple[int, int, int] | None = None,
) -> Described:
    """
    Describe a clip by local binary patterns from five intersecting planes (LBP-FIP, doi:10.1007/s11042-022-12360-x).

    The three histograms of LBP-TOP and a fourth, of the eight vertices of the box around the pixel (EVLBP). Four of them
    lie in the plane in which what is lower is later, four in the one in which it is earlier; both hold the x axis.
    Neighbours, their order and the parameters are those of the code the authors released with the paper.

    Parameters
    ----------
    clip, regions
        As in `lbp_top`.
    settings
        Radii, neighbours, bins, segments in time.
    vertex
        Distance of the vertices in x, y [px] and t [frames]; that of the radii by default.

    Returns
    -------
    Described
        ``lbpfip_<region>_<plane>_<bin>`` with the planes ``xy``, ``xt``, ``yt`` and ``ev``, the vertices.

    Raises
    ------
    DataError, ConfigError
        As in `lbp_top`.

    Examples
    --------
    >>> from mmme.features.face.regions import blocks
    >>> row = lbp_fip(np.full((15, 20, 20), 80, np.uint8), blocks(5, 5, (20, 20)))
    >>> len(row.columns), row.columns[-1]
    (5900, 'lbpfip_r4c4_ev_58')
    """
    reach = LbpSettings(radii=vertex or settings.radii).radii
    x, y, t = (GRID * r for r in reach)
    rising = ((t, y, -x), (t, y, x), (-t, -y, x), (-t, -y, -x))
    falling = ((t, -y, -x), (t, -y, x), (-t, y, x), (-t, y, -x))
    patterns = [*_planes(settings), Pattern("ev", (*rising, *falling), settings.uniform)]
    rx, ry, rt = (max(pair) for pair in zip(settings.radii, reach, strict=True))
    return _histograms("lbp-fip", clip, regions, patterns, (rx, ry, rt), settings.segments)
