"""Regions: apart from the eyes, each moved most by its own action units; the head is told from the face."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mmme.features.face.landmarks import FaceMesh
from mmme.features.face.regions import REGIONS, region_masks, skin_mask
from mmme.features.face.registration import head_motion, register, similarity, transformed
from mmme.simulate import au_field, simulate_clip

EYES = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 388, 386, 385, 362, 380, 374, 373),
)
MOVED = {
    "AU1": "brow-inner",
    "AU2": "brow-",
    "AU4": "brow-inner",
    "AU6": "cheek-",
    "AU9": "nose-",
    "AU10": "nose-",
    "AU12": "mouth-",
    "AU15": "mouth-",
    "AU17": "chin",
    "AU24": "lip-",
    "AU25": "lip-lower",
    "AU26": "chin",
}


@pytest.fixture(scope="module")
def simulated():
    """Two identities: face, landmarks, transform."""
    faces = []
    with FaceMesh() as finder:
        for seed in range(2):
            _, frames, truth = simulate_clip(seed, duration_s=0.01)
            points = finder.find(frames[0])
            faces.append((truth.face, points, similarity(points)))
    return faces


def planted(face, matrix, au):
    """Field of an action unit [px of the registered face]."""
    scale = np.hypot(*matrix[0, :2])
    field = au_field(face, au)
    return np.dstack([register(field[..., c], matrix) for c in range(2)]) * scale


def test_no_region_touches_an_eye(simulated):
    """Between the lids there is no pixel of any region, nor of the skin that tells the head's motion."""
    for _, points, matrix in simulated:
        inside = np.zeros((128, 128), dtype=np.uint8)
        for eye in EYES:
            outline = cv2.convexHull(np.rint(transformed(points[list(eye)], matrix)).astype(np.int32))
            cv2.fillConvexPoly(inside, outline, 1)
        assert inside.sum() > 50
        assert not (region_masks(points, matrix, 128) & (inside > 0)).any()
        assert not (skin_mask(points, matrix, 128) & (inside > 0)).any()


def test_every_region_has_pixels_and_lies_on_the_face(simulated):
    """No region is empty, and at least nine tenths of each are skin."""
    for _, points, matrix in simulated:
        masks, skin = region_masks(points, matrix, 128), skin_mask(points, matrix, 128)
        assert masks.shape == (len(REGIONS), 128, 128)
        assert (masks.sum(axis=(1, 2)) >= 20).all()
        assert ((masks & skin).sum(axis=(1, 2)) >= 0.9 * masks.sum(axis=(1, 2))).all()


@pytest.mark.parametrize("au", MOVED)
def test_an_action_unit_moves_its_own_region_most(simulated, au):
    """Averaged over regions, the planted field is largest in the region that is named for the action unit."""
    for face, points, matrix in simulated:
        field = planted(face, matrix, au)
        moved = [np.hypot(*field[mask].mean(axis=0)) for mask in region_masks(points, matrix, 128)]
        assert list(REGIONS)[int(np.argmax(moved))].startswith(MOVED[au])


@pytest.mark.parametrize("au", MOVED)
def test_an_expression_is_not_taken_for_the_head(simulated, au):
    """Of an action unit of 1 px, less than a tenth appears as motion of the head, at any place of the face."""
    for face, points, matrix in simulated:
        skin = skin_mask(points, matrix, 128)
        head = head_motion(planted(face, matrix, au), skin)
        assert np.linalg.norm(head, axis=2)[skin].max() < 0.1
