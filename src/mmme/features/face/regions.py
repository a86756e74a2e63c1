"""Where on a registered face the action units show, and where its skin is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError, raise_faults
from mmme.features.face.registration import transformed

__all__ = ["REGIONS", "Regions", "blocks", "hull_mask", "region_masks", "rigid_mask", "skin_mask"]


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """
    Named parts of a registered face over which a descriptor is computed.

    Parameters
    ----------
    names : (n_regions,)
        They become parts of column names.
    masks : (n_regions, height, width) bool
        Which pixels belong to each; regions may overlap, and none is empty.

    Raises
    ------
    DataError
        If names and masks differ in number, names repeat, or a region holds no pixel.
    """

    names: tuple[str, ...]
    masks: NDArray[np.bool_]

    def __post_init__(self) -> None:
        """Check that each name has its pixels."""
        if self.masks.ndim != 3 or len(self.names) != self.masks.shape[0]:
            raise DataError(f"regions: expected a mask for each of {len(self.names)} names, got {self.masks.shape}")
        faults = [f"{n} holds no pixel" for n, mask in zip(self.names, self.masks, strict=True) if not mask.any()]
        if len(set(self.names)) != len(self.names):
            faults.append("names repeat")
        raise_faults("regions", faults)

    def __len__(self) -> int:
        """Count regions."""
        return len(self.names)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Pixels of each, ``(n_regions,)``."""
        return np.asarray(self.masks.sum(axis=(1, 2)), dtype=np.int64)


def blocks(rows: int, columns: int, shape: tuple[int, int]) -> Regions:
    """
    Cut an image into a grid of blocks that cover it without overlap.

    Parameters
    ----------
    rows, columns
        How many.
    shape
        (height, width) [px]; where it is not a multiple, blocks differ by one pixel.

    Raises
    ------
    DataError
        If there are more blocks than pixels.

    Examples
    --------
    >>> grid = blocks(2, 3, (4, 7))
    >>> grid.names, grid.sizes.tolist()
    (('r0c0', 'r0c1', 'r0c2', 'r1c0', 'r1c1', 'r1c2'), [6, 4, 4, 6, 4, 4])
    """
    if not (1 <= rows <= shape[0] and 1 <= columns <= shape[1]):
        raise DataError(f"blocks: expected 1 to {shape[0]} rows and 1 to {shape[1]} columns, got {rows} x {columns}")
    row = np.arange(shape[0]) * rows // shape[0]
    column = np.arange(shape[1]) * columns // shape[1]
    index = row[:, None] * columns + column[None, :]
    names = tuple(f"r{i}c{j}" for i in range(rows) for j in range(columns))
    return Regions(names, index[None] == np.arange(rows * columns)[:, None, None])


#: Landmarks whose hull is a region; right and left are the face's own. In brackets what moves it.
REGIONS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "brow-inner": (107, 55, 9, 8, 285, 336),  # AU1, AU4
        "brow-right": (70, 63, 105, 66, 65, 52, 53, 46),  # AU1, AU2, AU4
        "brow-left": (300, 293, 334, 296, 295, 282, 283, 276),
        "cheek-right": (117, 118, 101, 36, 205, 50),  # AU6
        "cheek-left": (346, 347, 330, 266, 425, 280),
        "nose-right": (129, 49, 48, 98, 203),  # AU9, AU10
        "nose-left": (358, 279, 278, 327, 423),
        "mouth-right": (61, 57, 186, 92, 146, 43),  # AU12, AU14, AU15, AU20
        "mouth-left": (291, 287, 410, 322, 375, 273),
        "lip-upper": (0, 37, 39, 164, 269, 267),  # AU10, AU25
        "lip-lower": (17, 84, 181, 18, 405, 314),  # AU16, AU25, AU26
        "chin": (199, 200, 201, 208, 428, 421),  # AU17
    }
)
#: The outline of the face, from the middle of the forehead round by the left.
_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
_EYES = ((33, 160, 158, 133, 153, 144), (263, 387, 385, 362, 380, 373))


def hull_mask(points: NDArray[Any], size: int, grow_px: float) -> NDArray[np.bool_]:
    """Mark the hull of points ``(n, 2)`` and what lies within a few pixels of it, ``(size, size)``."""
    mask = np.zeros((size, size), dtype=np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(points).astype(np.int32)), 1)
    width = 2 * max(1, round(grow_px)) + 1
    return np.asarray(cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))) > 0


def region_masks(points: NDArray[np.float32], matrix: NDArray[np.float64], size: int) -> NDArray[np.bool_]:
    """
    Mark the regions of one registered face; the eyes with their lids belong to none, so that a blink is not a brow.

    Parameters
    ----------
    points : (468, 2)
        Landmarks in the frame [px].
    matrix : (2, 3)
        Transform to registered pixels.
    size
        Side of the registered image [px].

    Returns
    -------
    (n_regions, size, size) bool
        In the order of `REGIONS`.
    """
    placed = transformed(points, matrix)
    eyes = _eyes(placed, size)
    return np.array([hull_mask(placed[list(group)], size, 0.02 * size) & ~eyes for group in REGIONS.values()])


def skin_mask(points: NDArray[np.float32], matrix: NDArray[np.float64], size: int) -> NDArray[np.bool_]:
    """Mark the face inside its outline without the eyes, ``(size, size)``: most of it follows the head."""
    placed = transformed(points, matrix)
    inside = cv2.erode(hull_mask(placed[list(_OVAL)], size, 0.0).astype(np.uint8), np.ones((7, 7), dtype=np.uint8)) > 0
    return np.asarray(inside & ~_eyes(placed, size))


#: Root and bridge of the nose, and beside the inner eye corners: what is fixed to bone, though skin lies over it.
_BRIDGE = ((168, 6, 197, 122, 351), (133, 243, 244, 190, 112), (362, 463, 464, 414, 341))


def rigid_mask(points: NDArray[np.float32], matrix: NDArray[np.float64], size: int) -> NDArray[np.bool_]:
    """
    Mark the bridge of the nose and the inner eye corners, ``(size, size)``: what the field takes for the head.

    `mmme.features.face.registration.head_motion` takes it in place of the skin; docs/flow.md says why the skin is the
    default.
    """
    placed = transformed(points, matrix)
    return np.asarray(np.any([hull_mask(placed[list(part)], size, 0.01 * size) for part in _BRIDGE], axis=0))


def _eyes(placed: NDArray[np.float64], size: int) -> NDArray[np.bool_]:
    return np.asarray(np.any([hull_mask(placed[list(eye)], size, 0.035 * size) for eye in _EYES], axis=0))
