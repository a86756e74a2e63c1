"""
What networks are fed: flow images, the frames of onset and apex, clips of one length, and the motion of regions in time.

Each is a tensor of one shape for all expressions. Time runs from the onset to the offset in equal steps of seconds, so that
a dropped frame or another frame rate does not bend it; grey levels stay grey levels and flow stays in pixels.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mmme.features.face.clips import FACE_PX, FaceClip
from mmme.features.face.flow import optical_strain

__all__ = ["clip_of_fixed_length", "flow_image", "onset_and_apex", "region_motion"]


def flow_image(clip: FaceClip) -> NDArray[np.float32]:
    """
    Motion from onset to apex, right and down, and strain, ``(image_px, image_px, 3)`` [px of a 128-px face, and 1].

    The input of STSTNet (doi:10.1109/FG.2019.8756567) and its kin, at 28 px; reduced by averaging over area.
    """
    image = np.dstack([clip.motion, optical_strain(clip.motion)])
    side = clip.settings.image_px
    way = cv2.INTER_AREA if side <= FACE_PX else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (side, side), interpolation=way), dtype=np.float32)


def onset_and_apex(clip: FaceClip) -> NDArray[np.float32]:
    """Return the registered mean frames of onset and apex, ``(2, 128, 128)`` grey levels."""
    return np.stack([clip.onset_face, clip.apex_face])


def clip_of_fixed_length(clip: FaceClip) -> NDArray[np.float32]:
    """Return the registered face at ``n_frames`` times from onset to offset, ``(n_frames, 128, 128)``, linear between."""
    return _in_equal_steps(clip, clip.frames)


def region_motion(clip: FaceClip) -> NDArray[np.float32]:
    """
    Mean displacement of each region of action units against the onset, ``(n_frames, n_regions, 2)`` [px], linear between.

    The order of regions is that of `mmme.features.face.regions.REGIONS`.
    """
    masks = clip.face_regions.masks.reshape(len(clip.face_regions), -1).astype(np.float32)
    fields = clip.motion_in_time.reshape(len(clip.t), -1, 2)
    displacement = np.einsum("rp,kpc->krc", masks / masks.sum(axis=1, keepdims=True), fields, optimize=True)
    return _in_equal_steps(clip, displacement)


def _in_equal_steps(clip: FaceClip, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values at ``n_frames`` equally spaced times, linear between the frames that were taken."""
    n = clip.settings.n_frames
    place = np.interp(np.linspace(clip.t[0], clip.t[-1], n), clip.t, np.arange(len(clip.t)))
    left = np.minimum(place.astype(np.intp), len(values) - 2)
    share = (place - left).astype(np.float32).reshape(n, *(1,) * (values.ndim - 1))
    return np.asarray(values[left] * (1 - share) + values[left + 1] * share, dtype=np.float32)
