"""Registration: known warps of a portrait are undone to a twentieth of a pixel; what each way does to an expression."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.registration import phase_cross_correlation

from mmme.errors import ConfigError, DataError
from mmme.features.face.flow import flow
from mmme.features.face.registration import (
    EYES_AND_NOSE,
    REGISTRATIONS,
    RIGID,
    affine,
    canonical_points,
    canonical_rigid_points,
    register,
    registration_of,
    similarity,
    steadied,
    transformed,
)
from mmme.features.face.warps import CONTROL

WARPS = ("piecewise-affine", "local-weighted-mean")
KNOWN = {
    "shift": np.array([[1, 0, 3.37], [0, 1, -2.81]]),
    "rotation": cv2.getRotationMatrix2D((128, 128), 7.0, 1.0),
    "scale": cv2.getRotationMatrix2D((120, 130), 0.0, 1.13),
    "affine": np.array([[1.06, 0.05, -9.0], [-0.03, 0.95, 7.5]]),
}


@pytest.fixture(scope="module")
def model(landmarks):
    """Another face: wider, its mouth lower, its brows uneven [px of the frame]."""
    bent = landmarks.astype(np.float64)
    bent[:, 0] += 3 * np.sin((bent[:, 1] - 60) / 40)
    bent[:, 1] += 4 * np.sin((bent[:, 0] - 90) / 35) + 0.03 * (bent[:, 1] - 100)
    return bent


def warped(image, matrix):
    return cv2.warpAffine(
        image.astype(np.float32), matrix, (256, 256), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


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


@pytest.mark.parametrize("method", REGISTRATIONS)
@pytest.mark.parametrize("known", KNOWN)
def test_after_registration_a_warped_portrait_is_where_it_was(portrait, landmarks, model, known, method):
    """Brows, nose and mouth of both registered faces lie within 0.05 px of each other, by phase correlation."""
    if (known, method) == ("affine", "similarity"):
        pytest.skip("a similarity cannot undo a shear")
    moved = transformed(landmarks, KNOWN[known])
    first, second = (
        registration_of(points, method=method, model=model).apply(image)
        for points, image in ((landmarks, portrait), (moved, warped(portrait, KNOWN[known])))
    )
    window = np.outer(np.hanning(48), np.hanning(48))
    for row, column in ((20, 16), (20, 64), (44, 40), (74, 40)):
        a, b = (face[row : row + 48, column : column + 48] for face in (first, second))
        shift, _, _ = phase_cross_correlation(
            (a - a.mean()) * window, (b - b.mean()) * window, upsample_factor=200, normalization=None
        )
        assert np.hypot(*shift) < 0.05


@pytest.mark.parametrize("method", REGISTRATIONS)
@pytest.mark.parametrize("known", KNOWN)
def test_points_follow_the_frame(landmarks, model, known, method):
    """All landmarks of a warped frame come to the registered places of those of the frame itself, within 0.05 px."""
    if (known, method) == ("affine", "similarity"):
        pytest.skip("a similarity cannot undo a shear")
    first = registration_of(landmarks, method=method, model=model).points(landmarks)
    moved = transformed(landmarks, KNOWN[known])
    again = registration_of(moved, method=method, model=model).points(moved)
    inside = ((first > 0) & (first < 127)).all(axis=1)
    assert inside.sum() > 400
    assert np.abs(again - first)[inside].max() < 0.05


@given(a=st.floats(0.5, 2), d=st.floats(0.5, 2), shear=st.floats(-0.3, 0.3), x=st.floats(-300, 300))
def test_any_affine_map_of_eyes_and_nose_is_undone(a, d, shear, x):
    """Eyes and nose that were stretched and sheared come back to their canonical places within a thousandth of a pixel."""
    points = np.zeros((468, 2))
    points[list(EYES_AND_NOSE)] = canonical_points(128) @ np.array([[a, shear], [-shear, d]]) + [x, -x]
    back = transformed(points[list(EYES_AND_NOSE)], affine(points))
    np.testing.assert_allclose(back, canonical_points(128), atol=1e-3)


def test_a_warp_gives_a_face_the_shape_of_the_model(landmarks, model):
    """Landmarks meet the model's: exactly by triangles, within 1 px by the local weighted mean, over 2 px apart by a similarity."""
    goal = transformed(model, similarity(model))[list(CONTROL)]
    apart = {
        method: np.linalg.norm(
            registration_of(landmarks, method=method, model=model).points(landmarks)[list(CONTROL)] - goal, axis=1
        )
        for method in ("similarity", *WARPS)
    }
    assert apart["similarity"].max() > 2
    assert apart["piecewise-affine"].max() < 0.01
    assert apart["local-weighted-mean"].max() < 1


@pytest.mark.parametrize("method", WARPS)
def test_image_and_points_of_a_warp_agree(landmarks, model, method):
    """A bright spot of the frame is seen where `points` says, within 0.1 px; also when the face is made four times smaller."""
    for size, zoom in ((128, 1.0), (96, 4.0)):
        points = landmarks.astype(np.float64) * zoom
        found = registration_of(points, method=method, size=size, model=model)
        y, x = np.mgrid[: round(256 * zoom), : round(256 * zoom)]
        for landmark in (50, 107, 425, 0, 199):
            spot = np.exp(-((x - points[landmark, 0]) ** 2 + (y - points[landmark, 1]) ** 2) / (2 * (3 * zoom) ** 2))
            seen = np.maximum(found.apply(spot), 0).astype(np.float64)
            grid = np.mgrid[:size, :size]
            middle = [(seen * g).sum() / seen.sum() for g in (grid[1], grid[0])]
            np.testing.assert_allclose(found.points(points[landmark]), middle, atol=0.15)


def moved_mouth(portrait, landmarks):
    """Frame and landmarks with both mouth corners drawn out and up by 2 px of the frame."""
    y, x = np.mgrid[:256, :256].astype(np.float32)
    field = np.zeros((256, 256, 2), dtype=np.float32)
    points = landmarks.astype(np.float64)
    for corner, sign in ((61, -1.0), (291, 1.0)):
        away = np.exp(-((x - landmarks[corner, 0]) ** 2 + (y - landmarks[corner, 1]) ** 2) / (2 * 11.0**2))
        field += away[..., None] * np.array([2.0 * sign, -0.5], dtype=np.float32)
        near = np.exp(-((landmarks - landmarks[corner]) ** 2).sum(axis=1) / (2 * 11.0**2))
        points += near[:, None] * np.array([2.0 * sign, -0.5])
    frame = cv2.remap(portrait.astype(np.float32), x - field[..., 0], y - field[..., 1], cv2.INTER_CUBIC)
    return frame, points


@pytest.mark.parametrize("method", REGISTRATIONS)
def test_a_warp_of_every_frame_takes_the_expression_away(portrait, landmarks, model, method):
    """Of a smile, with landmarks that follow it, a similarity of every frame leaves nearly all and a warp less than a third."""
    smile, points = moved_mouth(portrait, landmarks)
    neutral = registration_of(landmarks, method=method, model=model)
    each = registration_of(points, method=method, model=model)
    corner = np.rint(neutral.points(landmarks[291])).astype(int)
    part = np.s_[corner[1] - 3 : corner[1] + 4, corner[0] - 3 : corner[0] + 4, 0]
    still = neutral.apply(portrait)
    kept, left = (float(flow(still, r.apply(smile))[part].mean()) for r in (neutral, each))
    assert kept > 1.0
    if method in WARPS:
        assert left < kept / 3
    else:
        assert left > 0.85 * kept


def test_jitter_is_taken_out_and_motion_is_kept():
    """Of 0.3 px of jitter less than half stays at any frame rate; a sway of 2 px at 0.5 Hz stays within 0.1 px."""
    rng = np.random.default_rng(0)
    for fps in (50.0, 100.0, 200.0):
        t = np.arange(round(4 * fps)) / fps
        sway = np.stack([2 * np.sin(np.pi * t), np.cos(np.pi * t)], axis=1)[:, None] + np.ones((1, 7, 1)) * 60
        still = steadied(sway, t, over_s=0.3)
        assert np.abs(still - sway).max() < 0.1
        noisy = steadied(sway + rng.normal(0, 0.3, sway.shape), t, over_s=0.3)
        assert np.std((noisy - still)[10:-10]) < 0.15


def test_a_gap_is_not_bridged():
    """Frames without a face stay NaN, and a jump across missing frames does not bleed into either side."""
    t = np.arange(60) / 30
    path = np.zeros((60, 3, 2))
    path[30:] = 50.0
    path[12:15] = np.nan
    keep = np.r_[0:25, 35:60]
    steady = steadied(path[keep], t[keep])
    assert np.isnan(steady[12:15]).all()
    np.testing.assert_allclose(
        np.delete(steady, [12, 13, 14], axis=0), np.delete(path[keep], [12, 13, 14], axis=0), atol=1e-9
    )


def test_what_cannot_be_registered_says_why(landmarks, model):
    """Unknown ways, warps without a model, missing and coinciding landmarks, times out of order."""
    with pytest.raises(ConfigError, match="affin"):
        registration_of(landmarks, method="afine")
    with pytest.raises(ConfigError, match="expected the landmarks of a model's neutral face, got none"):
        registration_of(landmarks, method="piecewise-affine")
    lost = landmarks.copy()
    lost[33] = np.nan
    for method in REGISTRATIONS:
        with pytest.raises(DataError, match="expected a place for every .*landmark.*, got NaN"):
            registration_of(lost, method=method, model=model)
    with pytest.raises(DataError, match="points on one spot or line"):
        similarity(np.zeros((468, 2)))
    with pytest.raises(DataError, match="points on one spot or line"):
        affine(np.outer(np.arange(468.0), [1.0, 2.0]))
    with pytest.raises(ConfigError, match="window above 0 s"):
        steadied(landmarks[None], np.zeros(1), over_s=0.0)
    with pytest.raises(DataError, match="one increasing time for each of 2 frames"):
        steadied(np.stack([landmarks] * 2), np.zeros(2))
