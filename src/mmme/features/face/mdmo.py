"""Main directional mean optical flow (MDMO, doi:10.1109/TAFFC.2015.2485205) and its 36 regions of interest."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError, DataError
from mmme.features.face.flow import orientation
from mmme.features.face.landmarks import N_POINTS
from mmme.features.face.pooling import Floats, direction_bins, expect_fields, histograms
from mmme.features.face.regions import Regions
from mmme.features.tables import Described

__all__ = ["MESH_OF_68", "affine_aligned", "main_motion", "mdmo", "mdmo_regions"]

#: Mesh index of each of the 68 points (iBUG numbering from 0) that the regions are described by: jaw from the face's
#: right ear to the left, right and left brow, bridge and base of the nose, right and left eye, outer lips. The 66 points
#: of the paper's detector are the same without inner mouth corners, which no region uses; nor are inner lips listed.
MESH_OF_68 = (
    *(127, 234, 93, 132, 58, 172, 150, 176, 152, 400, 379, 397, 288, 361, 323, 454, 356),
    *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),
    *(168, 197, 5, 4, 98, 97, 2, 326, 327),
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
    *(61, 39, 37, 0, 267, 269, 291, 321, 314, 17, 84, 91),
)
#: Points by which the paper aligns frames: the jaw without the chin's middle, and the tip of the nose.
_ALIGNED_BY = (0, 1, 2, 3, 4, 5, 11, 12, 13, 14, 15, 16, 30)
#: How far the forehead's regions reach above the brows, in distances between the outer eye corners.
_FOREHEAD = 0.15

Corner = int | str | tuple["Corner", "Corner"]
# A number is one of the 68 points, a pair the middle of two, "19^" the point above brow point 19.
_MIDDLE_FOREHEAD: Corner = ("21^", "22^")
_CORNERS: tuple[tuple[Corner, Corner, Corner, Corner], ...] = (
    # forehead, from the face's right to its left
    (17, "17^", "19^", 19),
    (19, "19^", "21^", 21),
    (21, "21^", _MIDDLE_FOREHEAD, 27),
    (27, _MIDDLE_FOREHEAD, "22^", 22),
    (22, "22^", "24^", 24),
    (24, "24^", "26^", 26),
    # brows to eyes: temple, brow outside, brow inside, root of the nose; and back
    (1, 0, 17, 36),
    (36, 17, 19, 38),
    (38, 19, 21, 39),
    (39, 21, 27, 28),
    (28, 27, 22, 42),
    (42, 22, 24, 43),
    (43, 24, 26, 45),
    (45, 26, 16, 15),
    # below the eyes: cheekbone, under the eye, side of the nose; and back
    (3, 2, (2, 41), (3, 29)),
    ((3, 29), (2, 41), 41, 39),
    ((3, 29), 39, 28, 29),
    (29, 28, 42, (13, 29)),
    ((13, 29), 42, 46, (14, 46)),
    ((13, 29), (14, 46), 14, 13),
    # wings of the nose, then upper lip with the corner of the mouth
    ((4, 33), (3, 29), 29, 33),
    (33, 29, (13, 29), (12, 33)),
    ((5, 59), (4, 33), 33, 59),
    (55, 33, (12, 33), (11, 55)),
    # under the lower lip
    ((6, 58), (5, 59), 59, 58),
    ((8, 57), (6, 58), 58, 57),
    ((10, 56), (8, 57), 57, 56),
    ((11, 55), (10, 56), 56, 55),
    # cheeks beside the nose, then beside the mouth, right and left
    (4, 3, (3, 29), (4, 33)),
    ((12, 33), (13, 29), 13, 12),
    (5, 4, (4, 33), (5, 59)),
    ((11, 55), (12, 33), 12, 11),
    # jaw and chin
    (6, 5, (5, 59), (6, 58)),
    (8, 6, (6, 58), (8, 57)),
    (10, 8, (8, 57), (10, 56)),
    (11, 10, (10, 56), (11, 55)),
)


def mdmo_regions(points: Floats, size: int) -> Regions:
    """
    Mark the 36 regions of interest on a registered face.

    Parameters
    ----------
    points : (468, 2)
        Landmarks of the registered face [px].
    size
        Side of the registered image [px].

    Returns
    -------
    Regions
        ``roi01`` to ``roi36``: forehead 1-6, brows to eyes 7-14, below the eyes 15-20, nose 21-22, upper lip 23-24, under
        the lower lip 25-28, cheeks 29-32, jaw and chin 33-36; neighbours share their border. No mapping of the paper's
        66 points to the 468 of the mesh is official; the one used is a table in docs/descriptors-motion.md.

    Raises
    ------
    DataError
        If these are not the mesh's points, or a region lies outside the image.
    """
    if points.shape != (N_POINTS, 2) or not np.isfinite(points).all():
        raise DataError(f"MDMO regions: expected finite landmarks ({N_POINTS}, 2), got {points.shape} or NaN")
    known = points[list(MESH_OF_68)].astype(np.float64)
    above = np.array([0.0, -_FOREHEAD * float(np.linalg.norm(known[36] - known[45]))])

    def place(corner: Corner) -> NDArray[np.float64]:
        if isinstance(corner, int):
            return known[corner]
        if isinstance(corner, str):
            return known[int(corner[:-1])] + above
        return 0.5 * (place(corner[0]) + place(corner[1]))

    masks = np.zeros((len(_CORNERS), size, size), dtype=np.uint8)
    for mask, corners in zip(masks, _CORNERS, strict=True):
        cv2.fillPoly(mask, [np.rint([place(c) for c in corners]).astype(np.int32)], 1)
    return Regions(tuple(f"roi{k:02d}" for k in range(1, len(_CORNERS) + 1)), masks > 0)


def affine_aligned(field: Floats, points: Floats) -> NDArray[np.float32]:
    """
    Take the affine motion of the head off, as published: fitted to the jaw and the tip of the nose.

    The least-squares affine map that brings those 13 points of the later frame back to the first is applied to where
    every pixel went. `mmme.features.face.registration.head_motion` asks all of the skin instead, which leaves less of the
    head's motion (docs/flow.md); this one is for comparison with published work.

    Parameters
    ----------
    field : (height, width, 2)
        Motion from the first frame to a later one [px].
    points : (468, 2)
        Landmarks of the registered face in the first frame [px].

    Returns
    -------
    (height, width, 2) float32
        What is left [px].

    Examples
    --------
    >>> y, x = np.mgrid[0:64, 0:64].astype(np.float32)
    >>> whole_head = np.dstack([2 + 0.01 * x, 0.02 * x - 0.01 * y])
    >>> points = np.random.default_rng(0).uniform(5, 58, (468, 2))
    >>> float(np.abs(affine_aligned(whole_head, points)).max()) < 1e-3
    True
    """
    height, width = field.shape[:2]
    chosen = points[[MESH_OF_68[k] for k in _ALIGNED_BY]].astype(np.float64)
    column = np.clip(np.rint(chosen[:, 0]), 0, width - 1).astype(np.intp)
    row = np.clip(np.rint(chosen[:, 1]), 0, height - 1).astype(np.intp)
    home = np.stack([column, row], axis=1).astype(np.float64)
    went = home + field[row, column]
    back, *_ = np.linalg.lstsq(np.column_stack([went, np.ones(len(went))]), home, rcond=None)
    y, x = np.mgrid[0:height, 0:width]
    place = np.dstack([x + field[..., 0], y + field[..., 1]])
    return np.asarray(place @ back[:2] + back[2] - np.dstack([x, y]), dtype=np.float32)


def main_motion(field: Floats, regions: Regions, *, bins: int = 8, centred: bool = True) -> NDArray[np.float64]:
    """
    Average, in each region, the motion of those pixels whose direction falls into the fullest bin.

    Parameters
    ----------
    field : (height, width, 2)
        Motion [px].
    regions
        On the same pixels.
    bins, centred
        As in `mmme.features.face.hoof.hoof`; pixels are counted, not weighted.

    Returns
    -------
    (n_regions, 2) float64
        To the right and downwards [px].
    """
    index = direction_bins(orientation(field), bins, centred=centred)
    count = histograms(index, None, regions, bins)
    main = count.argmax(axis=1)
    row = np.arange(len(regions))
    sums = [histograms(index, np.ascontiguousarray(field[..., c]), regions, bins)[row, main] for c in (0, 1)]
    return np.asarray(np.stack(sums, axis=1) / count[row, main][:, None])


def mdmo(fields: Floats, regions: Regions, *, bins: int = 8, centred: bool = True, normalised: bool = True) -> Described:
    """
    Describe a clip by its main directional mean optical flow (MDMO, doi:10.1109/TAFFC.2015.2485205).

    In each field and region the motion in the fullest of the direction bins is averaged; these vectors are averaged over
    the fields, brought to length and angle, and lengths are divided by the largest of the face.

    Parameters
    ----------
    fields : (height, width, 2) or (k, height, width, 2)
        Motion from the first frame of a clip to each later one [px], head motion taken off.
    regions
        The paper's: `mdmo_regions`.
    bins
        Over the full circle.
    centred
        Bins centred on right, up, left and down.
    normalised
        Divide lengths by the largest, as published; False keeps pixels.

    Returns
    -------
    Described
        ``mdmo_<region>_rho`` (0..1, or px) and ``mdmo_<region>_theta`` [rad, in [0, 2 pi), counter-clockwise on the
        screen] by turns: 72 values for 36 regions.

    Raises
    ------
    ConfigError
        If there are fewer than 2 bins.
    DataError
        If fields and regions do not fit, or motion is not finite.

    Examples
    --------
    >>> from mmme.features.face.regions import blocks
    >>> field = np.zeros((4, 8, 2), dtype=np.float32)
    >>> field[:, :4, 0], field[:, 4:, 1] = 1.0, -2.0  # right by 1 px, up by 2 px
    >>> [f"{value:.2f}" for value in mdmo(field, blocks(1, 2, (4, 8))).values]
    ['0.50', '0.00', '1.00', '1.57']
    """
    if bins < 2:
        raise ConfigError(f"MDMO: expected at least 2 bins, got {bins}")
    stacked = expect_fields("MDMO", fields, regions)
    mean = np.mean([main_motion(field, regions, bins=bins, centred=centred) for field in stacked], axis=0)
    rho, theta = np.hypot(mean[:, 0], mean[:, 1]), orientation(mean)
    largest = float(rho.max())
    if normalised and largest > 0:
        rho = rho / largest
    names = tuple(f"mdmo_{name}_{part}" for name in regions.names for part in ("rho", "theta"))
    return Described(names, np.stack([rho, theta], axis=1).ravel().astype(np.float32))
