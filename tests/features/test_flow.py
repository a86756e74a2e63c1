"""Optical flow and strain: planted motions in pixels, strain by hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmme.errors import ConfigError, DataError
from mmme.features.flow import flow, optical_strain, strain_tensor
from mmme.features.registration import register, similarity


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
