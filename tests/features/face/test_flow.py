"""Optical flow and strain: planted motions in pixels, strain by hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmme.errors import ConfigError, DataError
from mmme.features.face.flow import (
    flow,
    flow_to_first,
    flow_to_next,
    magnitude,
    optical_strain,
    orientation,
    strain_tensor,
)
from mmme.features.face.registration import register, similarity


@pytest.fixture(scope="module")
def face(portrait, landmarks):
    return register(portrait, similarity(landmarks))


def planted(face, amplitude_px):
    """The face after a soft bump of motion to the right at the mouth's corner, and the bump."""
    y, x = np.mgrid[:128, :128].astype(np.float32)
    bump = amplitude_px * np.exp(-((x - 48) ** 2 + (y - 80) ** 2) / (2 * 10.0**2))
    back = bump.copy()
    for _ in range(10):
        back = cv2.remap(bump, x - back, y, cv2.INTER_LINEAR)
    return np.clip(np.rint(cv2.remap(face, x - back, y, cv2.INTER_CUBIC)), 0, 255).astype(np.float32), bump


@pytest.mark.parametrize("amplitude_px", [0.5, 1.0, 2.0])
@pytest.mark.parametrize(("method", "share"), [("dis", 0.25), ("dis-fast", 0.35), ("tvl1", 0.35), ("farneback", 0.35)])
def test_known_motion_is_found(face, method, share, amplitude_px):
    """On average the error stays below the given share of the planted motion, wherever that exceeds half its peak."""
    second, bump = planted(face, amplitude_px)
    found = flow(np.rint(face), second, method=method)
    error = np.hypot(found[..., 0] - bump, found[..., 1])[bump > 0.5 * amplitude_px]
    assert float(error.mean()) < share * amplitude_px


def test_amplitude_survives(face):
    """Twice the motion is twice the flow, within 20 %: nothing is stretched per image."""
    ones, twos = (float(flow(np.rint(face), planted(face, a)[0])[76:84, 44:52, 0].mean()) for a in (1.0, 2.0))
    assert 1.6 < twos / ones < 2.4


def test_no_motion_is_zero(face):
    """The same picture twice moves by nothing."""
    assert float(np.abs(flow(face, face)).max()) < 1e-3


def test_unknown_methods_and_unequal_pictures_are_refused(face):
    """The nearest method is named; both shapes are given."""
    with pytest.raises(ConfigError, match=r"no flow method 'tvl'; did you mean 'tvl1'"):
        flow(face, face, method="tvl")
    with pytest.raises(DataError, match=r"two grey images of one size, got \(128, 128\) and \(64, 64\)"):
        flow(face, face[::2, ::2])


@settings(max_examples=30)
@given(st.lists(st.floats(-0.5, 0.5), min_size=4, max_size=4))
def test_strain_of_a_linear_field_is_its_symmetric_part(values):
    """For u = a x + b y, v = c x + d y: e_xx = a, e_yy = d, e_xy = (b + c) / 2, everywhere."""
    a, b, c, d = values
    y, x = np.mgrid[:6, :9].astype(np.float64)
    field = np.dstack([a * x + b * y, c * x + d * y])
    e_xx, e_yy, e_xy = strain_tensor(field)
    for got, truth in ((e_xx, a), (e_yy, d), (e_xy, (b + c) / 2)):
        np.testing.assert_allclose(got, truth, atol=1e-12)
    np.testing.assert_allclose(optical_strain(field), np.sqrt(a * a + d * d + (b + c) ** 2 / 2), atol=1e-6)


def test_axes_are_not_exchanged():
    """A stretch along x of a field that varies along columns only is e_xx, not shear."""
    _, x = np.mgrid[:6, :9].astype(np.float64)
    e_xx, e_yy, e_xy = strain_tensor(np.dstack([0.25 * x, 0 * x]))
    assert (e_xx[0, 0], e_yy[0, 0], e_xy[0, 0]) == (0.25, 0.0, 0.0)


def test_shifts_and_small_turns_do_not_strain():
    """Shift and turn of the whole picture leave no strain."""
    y, x = np.mgrid[:6, :9].astype(np.float64)
    assert float(optical_strain(np.dstack([3 - 0.02 * y, 0.02 * x - 1])).max()) < 1e-6


def test_strain_of_a_quadratic_field_grows_with_place():
    """For u = a x^2, v = b x y: e_xx = 2 a x, e_yy = b x, e_xy = b y / 2, exactly wherever differences are central."""
    y, x = np.mgrid[:8, :9].astype(np.float64)
    a, b = 0.02, 0.03
    e_xx, e_yy, e_xy = strain_tensor(np.dstack([a * x**2, b * x * y]))
    inside = np.s_[1:-1, 1:-1]
    np.testing.assert_allclose(e_xx[inside], (2 * a * x)[inside], atol=1e-12)
    np.testing.assert_allclose(e_yy[inside], (b * x)[inside], atol=1e-12)
    np.testing.assert_allclose(e_xy[inside], (b * y / 2)[inside], atol=1e-12)


def test_pure_shear_by_hand():
    """u = 0.2 y: half of the shear is rotation, so e_xy = 0.1 and the magnitude is sqrt(2) times 0.1."""
    y, _ = np.mgrid[:6, :9].astype(np.float64)
    np.testing.assert_allclose(optical_strain(np.dstack([0.2 * y, 0 * y])), np.sqrt(2) * 0.1, atol=1e-7)


@pytest.mark.parametrize(
    ("u", "v", "degrees"),
    [(1, 0, 0), (1, -1, 45), (0, -1, 90), (-1, -1, 135), (-1, 0, 180), (-1, 1, 225), (0, 1, 270), (1, 1, 315)],
)
def test_directions_turn_counter_clockwise_on_the_screen(u, v, degrees):
    """Right is 0, up (negative y) a quarter turn, left a half; length by Pythagoras."""
    field = np.array([[[u, v]]], dtype=np.float32)
    assert float(np.degrees(orientation(field)[0, 0])) == pytest.approx(degrees, abs=1e-4)
    assert float(magnitude(field)[0, 0]) == pytest.approx(np.hypot(u, v))


@given(st.floats(-1e3, 1e3, width=32), st.floats(-1e3, 1e3, width=32))
def test_directions_stay_below_the_full_turn(u, v):
    """In [0, 2 pi) for every motion, in both precisions."""
    for kind in (np.float32, np.float64):
        angle = orientation(np.array([[[u, v]]], dtype=kind))[0, 0]
        assert 0 <= angle < 2 * np.pi


@pytest.mark.parametrize("method", ["dis", "tvl1", "farneback"])
@pytest.mark.parametrize("shift_px", [0.25, 0.5, 0.75])
def test_sub_pixel_shifts_of_the_whole_face(face, method, shift_px):
    """A shift of a fraction of a pixel is found to a tenth of a pixel."""
    y, x = np.mgrid[:128, :128].astype(np.float32)
    second = cv2.remap(face, x - shift_px, y + shift_px, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    found = np.median(flow(face, second, method=method)[24:-24, 24:-24], axis=(0, 1))
    np.testing.assert_allclose(found, [shift_px, -shift_px], atol=0.1)


def test_clips_are_followed_from_the_first_frame_or_frame_by_frame(face):
    """A smooth motion of 0, 1, 2 px: 1 and 2 px against the first, 1 and 1 from frame to frame, to 0.4 px."""
    clip = np.stack([planted(face, a)[0] for a in (0.0, 1.0, 2.0)])
    at = np.s_[78:83, 46:51, 0]
    first, following = (np.stack(list(way(clip))) for way in (flow_to_first, flow_to_next))
    assert first.shape == following.shape == (2, 128, 128, 2)
    assert [float(f[at].mean()) for f in first] == pytest.approx([1, 2], abs=0.4)
    assert [float(f[at].mean()) for f in following] == pytest.approx([1, 1], abs=0.4)


@pytest.mark.parametrize("way", [flow_to_first, flow_to_next])
def test_faults_of_clips_show_before_the_first_field(face, way):
    """Method and length are checked when the clip is handed over, not when fields are taken."""
    with pytest.raises(ConfigError, match="no flow method 'horn'"):
        way(np.stack([face, face]), method="horn")
    with pytest.raises(DataError, match=r"at least two grey frames \(k, height, width\), got \(1, 128, 128\)"):
        way(face[None])
