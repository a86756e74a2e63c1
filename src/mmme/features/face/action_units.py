"""
How far each action unit's own skin moved its own way: evidence in pixels, left and right, with the noise of resting skin.

An action unit (AU) of the Facial Action Coding System (FACS; Ekman & Friesen 1978) moves known parts of the face in known
directions. The evidence for it is the mean motion of those parts along that direction, and no more: other units may move
the same skin in a similar way, and what may not be concluded is listed in docs/action-units.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError
from mmme.features.face.regions import Regions, hull_mask
from mmme.features.tables import Described

__all__ = ["ACTION_UNITS", "AU_REGIONS", "ActionUnit", "action_unit_evidence", "au_regions"]

#: Landmarks of the mesh whose hull is a region: on the face's right side (left in the image), and on its left.
AU_REGIONS: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = MappingProxyType(
    {
        "brow-inner": ((107, 66, 65, 55), (336, 296, 295, 285)),
        "brow-outer": ((70, 63, 105, 52, 53, 46), (300, 293, 334, 282, 283, 276)),
        "lid-upper": ((160, 159, 158, 56, 28, 27, 29, 30), (387, 386, 385, 286, 258, 257, 259, 260)),
        "lid-lower": ((163, 144, 145, 153, 22, 23, 24, 110), (390, 373, 374, 380, 252, 253, 254, 339)),
        "cheek": ((117, 118, 119, 101, 50), (346, 347, 348, 330, 280)),
        "nose-side": ((114, 47, 126, 209, 131, 134, 174), (343, 277, 355, 429, 360, 363, 399)),
        "lip-raiser": ((98, 203, 206, 165), (327, 423, 426, 391)),
        "mouth-corner": ((61, 57, 186, 92, 146, 43), (291, 287, 410, 322, 375, 273)),
        "lip-upper": ((0, 37, 39, 167, 164), (0, 267, 269, 393, 164)),
        "lip-lower": ((17, 84, 181, 182, 83, 18), (17, 314, 405, 406, 313, 18)),
        "chin": ((200, 201, 194, 32, 208, 199), (200, 421, 418, 262, 428, 199)),
    }
)
_SIDES = ("right", "left")
#: Side of the patches of skin whose motion is noise where nothing moves, in units of the face: about as large as a region.
_PATCH = 0.09


@dataclass(frozen=True, slots=True)
class ActionUnit:
    """
    Where and how an action unit moves the skin.

    Parameters
    ----------
    name
        FACS's.
    face
        ``upper``, ``middle`` or ``lower``.
    moves
        Regions of `AU_REGIONS`, each with its motion: away from the midline, and downwards. The evidence is the sum over
        regions of the motion along these vectors; they have length 1, so that one region moving by 1 px gives 1 px.
    """

    name: str
    face: str
    moves: Mapping[str, tuple[float, float]]


def _au(name: str, face: str, **moves: tuple[float, float]) -> ActionUnit:
    return ActionUnit(name, face, MappingProxyType({k.replace("_", "-"): v for k, v in moves.items()}))


_DIAGONAL = 0.5**0.5
#: Units whose motion in the image plane is distinct; AU16, AU18 and AU23 read as AU25, AU14 and AU24.
ACTION_UNITS: Mapping[str, ActionUnit] = MappingProxyType(
    {
        "AU1": _au("inner brow raiser", "upper", brow_inner=(0.0, -1.0)),
        "AU2": _au("outer brow raiser", "upper", brow_outer=(0.0, -1.0)),
        "AU4": _au("brow lowerer", "upper", brow_inner=(-0.45, 0.893)),
        "AU5": _au("upper lid raiser", "upper", lid_upper=(0.0, -1.0)),
        "AU6": _au("cheek raiser", "middle", cheek=(0.0, -1.0)),
        "AU7": _au("lid tightener", "upper", lid_lower=(0.0, -1.0)),
        "AU9": _au("nose wrinkler", "middle", nose_side=(0.0, -1.0)),
        "AU10": _au("upper lip raiser", "middle", lip_raiser=(0.0, -1.0)),
        "AU12": _au("lip corner puller", "lower", mouth_corner=(_DIAGONAL, -_DIAGONAL)),
        "AU14": _au("dimpler", "lower", mouth_corner=(-1.0, 0.0)),
        "AU15": _au("lip corner depressor", "lower", mouth_corner=(0.0, 1.0)),
        "AU17": _au("chin raiser", "lower", chin=(0.0, -1.0)),
        "AU20": _au("lip stretcher", "lower", mouth_corner=(1.0, 0.0)),
        "AU24": _au("lip presser", "lower", lip_upper=(0.0, 1.0), lip_lower=(0.0, -1.0)),
        "AU25": _au("lips part", "lower", lip_upper=(0.0, -1.0), lip_lower=(0.0, 1.0)),
        "AU26": _au("jaw drop", "lower", chin=(0.0, 1.0)),
        "AU45": _au("blink", "upper", lid_upper=(0.0, 1.0)),
    }
)


def au_regions(landmarks: NDArray[Any], size: int) -> Regions:
    """
    Mark where action units show, each side by itself; the lids belong to the lid regions alone.

    Parameters
    ----------
    landmarks : (468, 2)
        Registered landmarks [px of the registered face].
    size
        Side of the registered face [px].

    Returns
    -------
    Regions
        ``<region>-right`` and ``<region>-left`` for each of `AU_REGIONS`, right being the face's own.

    Raises
    ------
    DataError
        If the face lies outside the image.

    Examples
    --------
    >>> landmarks = np.random.default_rng(0).uniform(20, 108, (468, 2))
    >>> au_regions(landmarks, 128).names[:3]
    ('brow-inner-right', 'brow-inner-left', 'brow-outer-right')
    """
    names, masks = [], []
    for region, sides in AU_REGIONS.items():
        for side, group in zip(_SIDES, sides, strict=True):
            names.append(f"{region}-{side}")
            masks.append(hull_mask(landmarks[list(group)], size, (0.008 if region.startswith("lid") else 0.016) * size))
    lids = np.any([mask for name, mask in zip(names, masks, strict=True) if name.startswith("lid")], axis=0)
    apart = [mask if name.startswith("lid") else mask & ~lids for name, mask in zip(names, masks, strict=True)]
    return Regions(tuple(names), np.array(apart))


def action_unit_evidence(field: NDArray[np.float32], regions: Regions, skin: NDArray[np.bool_]) -> Described:
    """
    Measure how far the regions of each action unit moved in its direction.

    Parameters
    ----------
    field : (height, width, 2) float32
        Motion between two registered faces, that of the head taken off [px].
    regions
        From `au_regions`, of the first of the two faces.
    skin : (height, width) bool
        The face without the eyes: most of it rests in any expression.

    Returns
    -------
    Described
        ``rest_px``, the noise: the spread of the mean motion of patches of skin, each about as large as a region, scaled
        as a standard deviation (1.4826 times the median). Then for each unit of `ACTION_UNITS` ``au12_evidence_px``, the
        mean of ``au12_right_px`` and ``au12_left_px``; and ``au12_per_rest``, the evidence over the noise. Negative
        evidence is motion the other way; an expression of one side has half the evidence of both.

    Raises
    ------
    DataError
        If shapes differ, a region is missing, or no patch of skin is large enough.

    Examples
    --------
    >>> landmarks = np.random.default_rng(0).uniform(20, 108, (468, 2))
    >>> still = np.zeros((128, 128, 2), dtype=np.float32)
    >>> found = action_unit_evidence(still, au_regions(landmarks, 128), np.ones((128, 128), dtype=bool))
    >>> found.columns[:5]
    ('rest_px', 'au1_evidence_px', 'au1_right_px', 'au1_left_px', 'au1_per_rest')
    """
    wanted = [f"{region}-{side}" for region in AU_REGIONS for side in _SIDES]
    if regions.names != tuple(wanted):
        raise DataError(f"action units: expected the regions of au_regions, got {', '.join(regions.names[:3])} and so on")
    if not field.shape == (*skin.shape, 2) == (*regions.masks.shape[1:], 2):
        got = f"{field.shape}, {regions.masks.shape[1:]} and {skin.shape}"
        raise DataError(f"action units: expected motion, regions and skin of one size, got {got}")
    flat = regions.masks.reshape(len(regions), -1).astype(np.float32)
    mean = flat @ field.reshape(-1, 2) / flat.sum(axis=1, keepdims=True)
    motion = dict(zip(regions.names, mean.astype(np.float64), strict=True))
    rest = _rest(field, skin)
    columns, values = ["rest_px"], [rest]
    for au, unit in ACTION_UNITS.items():
        right, left = (
            sum(
                out * outwards * motion[f"{region}-{side}"][0] + down * motion[f"{region}-{side}"][1]
                for region, (out, down) in unit.moves.items()
            )
            for side, outwards in zip(_SIDES, (-1, 1), strict=True)
        )
        both = (right + left) / 2
        columns += [f"{au.lower()}_{what}" for what in ("evidence_px", "right_px", "left_px", "per_rest")]
        values += [both, right, left, both / max(rest, 1e-3)]
    return Described(tuple(columns), np.array(values, dtype=np.float32))


def _rest(field: NDArray[np.float32], skin: NDArray[np.bool_]) -> float:
    """Spread of the mean motion of patches of skin [px], by median: what moves counts as little as there is of it."""
    side = max(3, round(_PATCH * skin.shape[0]) | 1)
    grid = np.s_[side // 2 :: side // 2, side // 2 :: side // 2]
    share = cv2.blur(skin.astype(np.float32), (side, side))[grid]
    mean = cv2.blur(np.where(skin[..., None], field, 0).astype(np.float32), (side, side))[grid]
    full = share > 0.9
    if not full.any():
        raise DataError(f"action units: expected skin of at least {side} x {side} px in one piece, got none; is it a face?")
    return float(1.4826 * np.median(np.abs(mean[full] / share[full][:, None])))
