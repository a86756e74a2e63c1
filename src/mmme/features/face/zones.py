"""Parts of a face in everyday words, and which value of a descriptor belongs to which: to tell what carried a decision."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from mmme.features.face.regions import REGIONS

__all__ = ["ZONES", "outlines", "zone_groups", "zone_map"]

#: What lies nearest to these landmarks belongs to the zone; the forehead thus to the brows, the jaw to mouth and chin.
_SEEDS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "brows": (*REGIONS["brow-inner"], *REGIONS["brow-right"], *REGIONS["brow-left"], 10, 109, 338, 67, 297),
        "eyes": (33, 160, 159, 158, 133, 153, 145, 144, 263, 387, 386, 385, 362, 380, 374, 373),
        "nose": (*REGIONS["nose-right"], *REGIONS["nose-left"], 168, 6, 197, 195, 5, 4, 1),
        "cheeks": (*REGIONS["cheek-right"], *REGIONS["cheek-left"], 234, 93, 132, 454, 323, 361, 187, 411, 147, 376),
        "mouth": (
            *(*REGIONS["mouth-right"], *REGIONS["mouth-left"], *REGIONS["lip-upper"], *REGIONS["lip-lower"]),
            *(13, 14, 78, 308),
        ),
        "chin": (*REGIONS["chin"], 152, 148, 377, 176, 400),
    }
)
_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
#: Lines of a schematic face; closed where the first is named again.
_LINES: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "oval": (*_OVAL, _OVAL[0]),
        "brow-right": (46, 53, 52, 65, 55, 107, 66, 105, 63, 70, 46),
        "brow-left": (276, 283, 282, 295, 285, 336, 296, 334, 293, 300, 276),
        "eye-right": (33, 160, 159, 158, 133, 153, 145, 144, 33),
        "eye-left": (263, 387, 386, 385, 362, 380, 374, 373, 263),
        "nose": (168, 6, 197, 195, 5, 4, 1),
        "nostrils": (129, 98, 2, 327, 358),
        "lips": (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91, 61),
        "lips-inner": (78, 82, 13, 312, 308, 317, 14, 87, 78),
    }
)
OUTSIDE = "outside the face"
ZONES = (*_SEEDS, OUTSIDE)
WHOLE = "whole face"


def zone_map(landmarks: NDArray[np.floating]) -> NDArray[np.intp]:  # type: ignore[type-arg]
    """
    Divide a registered face into zones.

    Parameters
    ----------
    landmarks : (468, 2)
        In the registered face of 128 px.

    Returns
    -------
    (128, 128) intp
        Position in `ZONES` of each pixel: the zone of the nearest landmark that stands for one, or outside the face's
        outline.
    """
    size = 128
    seeds = np.concatenate([landmarks[list(points)] for points in _SEEDS.values()]).astype(np.float64)
    owner = np.repeat(np.arange(len(_SEEDS)), [len(points) for points in _SEEDS.values()])
    row, column = np.mgrid[:size, :size]
    apart = (column.ravel()[:, None] - seeds[:, 0]) ** 2 + (row.ravel()[:, None] - seeds[:, 1]) ** 2
    zones = owner[apart.argmin(axis=1)].reshape(size, size)
    inside = np.zeros((size, size), dtype=np.uint8)
    cv2.fillPoly(inside, [np.rint(landmarks[list(_OVAL)]).astype(np.int32)], 1)
    return np.where(inside > 0, zones, len(_SEEDS)).astype(np.intp)


def outlines(landmarks: NDArray[np.floating]) -> dict[str, NDArray[np.float64]]:  # type: ignore[type-arg]
    """Lines of a schematic face, points ``(k, 2)`` each [px of the registered face]."""
    return {name: np.asarray(landmarks[list(points)], dtype=np.float64) for name, points in _LINES.items()}


def zone_groups(columns: tuple[str, ...], shape: tuple[int, ...], zones: NDArray[np.intp]) -> dict[str, list[int]]:
    """
    Sort the values of a description of a face by zone.

    Parameters
    ----------
    columns
        Names, as descriptors give them; empty for a tensor.
    shape
        Of one row; of a tensor an image ``(height, width, channels)``, a clip ``(frames, height, width)``, or motion of
        regions ``(frames, regions, 2)``.
    zones : (128, 128)
        From `zone_map`.

    Returns
    -------
    dict
        Positions of values by zone, in the order of `ZONES`, empty ones left out; ``whole face`` holds those that no name
        gives a place.

    Examples
    --------
    >>> halves = np.repeat([0, 4], 64)[:, None] * np.ones(128, dtype=np.intp)  # brows above, mouth below
    >>> zone_groups(("u_r00_c00", "u_r01_c00", "mean"), (3,), halves)
    {'brows': [0], 'mouth': [1], 'whole face': [2]}
    >>> sorted(zone_groups((), (2, 12, 2), halves))
    ['brows', 'cheeks', 'chin', 'mouth', 'nose']
    """
    found = _of_columns(columns, zones) if columns else _of_tensor(shape, zones)
    groups: dict[str, list[int]] = {}
    for name in (*ZONES, WHOLE):
        own = [k for k, zone in enumerate(found) if zone == name]
        if own:
            groups[name] = own
    return groups


def _grid(rows: int, columns: int, zones: NDArray[np.intp]) -> list[list[str]]:
    """Zone of each block of a grid over the face: the one with most of its pixels."""
    row, column = np.arange(128) * rows // 128, np.arange(128) * columns // 128
    block = (row[:, None] * columns + column).ravel()
    counts = np.zeros((rows * columns, len(ZONES)), dtype=np.intp)
    np.add.at(counts, (block, zones.ravel()), 1)
    names = [ZONES[k] for k in counts.argmax(axis=1)]
    return [names[i * columns : (i + 1) * columns] for i in range(rows)]


def _of_region(name: str) -> str:
    """Zone of a region of action units."""
    first = name.split("-")[0]
    return {"brow": "brows", "cheek": "cheeks", "nose": "nose", "mouth": "mouth", "lip": "mouth", "chin": "chin"}[first]


def _of_columns(columns: tuple[str, ...], zones: NDArray[np.intp]) -> list[str]:
    """Zone of each column, from the region or the block in its name."""
    blocks = [re.search(r"(?:^|_)r(\d+)_?c(\d+)(?:_|$)", name) for name in columns]
    places = [(int(b[1]), int(b[2])) for b in blocks if b]
    grid = _grid(1 + max(r for r, _ in places), 1 + max(c for _, c in places), zones) if places else []
    found = []
    for name, block in zip(columns, blocks, strict=True):
        region = next((r for r in REGIONS if r in name), "")
        found.append(grid[int(block[1])][int(block[2])] if block else _of_region(region) if region else WHOLE)
    return found


def _of_tensor(shape: tuple[int, ...], zones: NDArray[np.intp]) -> list[str]:
    """Zone of each value of a tensor, in the order of its flattened values."""
    if len(shape) != 3:
        return [WHOLE] * int(np.prod(shape))
    if shape[1] == len(REGIONS) and shape[2] == 2:
        one_frame = [_of_region(name) for name in REGIONS for _ in range(2)]
        return one_frame * shape[0]
    if shape[2] <= 4:
        grid = _grid(shape[0], shape[1], zones)
        return [grid[i][j] for i in range(shape[0]) for j in range(shape[1]) for _ in range(shape[2])]
    one = [name for line in _grid(shape[1], shape[2], zones) for name in line]
    return one * shape[0]
