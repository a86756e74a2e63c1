"""Registration: known similarities are undone to a fraction of a pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmme.features.flow import flow
from mmme.features.registration import RIGID, canonical_rigid_points, register, similarity, transformed


@given(angle=st.floats(-0.8, 0.8), scale=st.floats(0.2, 5.0), x=st.floats(-300, 300), y=st.floats(-300, 300))
def test_any_similarity_of_the_canonical_face_is_undone(angle, scale, x, y):
    """Points turned, scaled and shifted come back to their canonical place within a thousandth of a pixel."""
    goal = canonical_rigid_points(128)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = np.zeros((468, 2))
    points[list(RIGID)] = goal @ turn.T + [x, y]
    back = transformed(points[list(RIGID)], similarity(points, 128))
    np.testing.assert_allclose(back, goal, atol=1e-3)


@pytest.mark.parametrize(("degrees", "scale"), [(0.0, 1.0), (7.0, 1.1), (-12.0, 0.95)])
def test_a_warped_face_registers_to_the_same_pixels(portrait, landmarks, degrees, scale):
    """A known warp of the frame leaves less than 0.1 px between the two registered faces."""
    warp = cv2.getRotationMatrix2D((128.0, 128.0), degrees, scale)
    warp[:, 2] += [3.3, -2.7]
    turned = cv2.warpAffine(portrait, warp, (256, 256), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    moved = landmarks @ warp[:, :2].T + warp[:, 2]
    first = register(portrait, similarity(landmarks))
    second = register(turned, similarity(moved))
    rest = flow(first, second)[24:110, 24:104]
    assert np.abs(np.median(rest, axis=(0, 1))).max() < 0.05
    assert np.median(np.linalg.norm(rest, axis=2)) < 0.1


def test_size_scales_the_canonical_face():
    """Twice the side is twice the distance between the eyes."""
    np.testing.assert_allclose(canonical_rigid_points(256), 2 * canonical_rigid_points(128))


def test_registered_frames_are_float_grey_levels(portrait, landmarks):
    """Nothing is rounded to bytes on the way, and the range of grey levels is kept."""
    face = register(portrait, similarity(landmarks, 96), 96)
    assert face.shape == (96, 96)
    assert face.dtype == np.float32
    assert abs(float(face.mean()) - 150) < 60
