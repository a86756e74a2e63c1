"""What the head, the detector or the camera does is not what the face does."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mmme.errors import ConfigError, DataError
from mmme.features.face.descriptors import describe_faces
from mmme.features.face.motion import motion_curve
from mmme.features.face.regions import rigid_mask, skin_mask
from mmme.features.face.registration import head_motion, register, similarity
from mmme.interval import Interval
from mmme.models.spotting import spot
from mmme.types import Sample, Stream

BROWS = {107: (0.0, -1.5), 336: (0.0, -1.5)}


def gap_in(video):
    keep = (video.t < 1.0) | (video.t >= 2.0)
    return Stream("video", "camera", video.t[keep], np.asarray(video.x)[keep], "grey level", video.fs)


@pytest.mark.parametrize(("turn", "scale"), [(0.02, 0.0), (0.0, 0.02), (-0.01, 0.01)])
def test_a_turn_and_an_approach_of_the_head_are_taken_off_everywhere(turn, scale):
    """Shift, turn and scale seen in some parts are continued over the face to a thousandth of a pixel."""
    y, x = np.mgrid[:64, :64].astype(np.float32)
    field = np.dstack([0.4 + scale * x - turn * y, -0.3 + turn * x + scale * y]).astype(np.float32)
    rigid = np.zeros((64, 64), dtype=bool)
    rigid[20:24, [8, 9, 31, 32, 54, 55]] = True
    np.testing.assert_allclose(head_motion(field, rigid), field, atol=1e-3)


def test_a_disturbed_part_does_not_decide():
    """Where one of six parts moves by itself, the head's shift is still found within a tenth of that motion."""
    field = np.full((64, 64, 2), 0.5, dtype=np.float32)
    rigid = np.zeros((64, 64), dtype=bool)
    rigid[20:24, [8, 9, 20, 21, 31, 32, 42, 43, 50, 51, 58, 59]] = True
    field[:, 8:10] += 2.0
    assert np.abs(head_motion(field, rigid)[20:50, 20:60] - 0.5).max() < 0.2


def test_a_shift_alone_leaves_the_turn_and_bone_takes_an_expression_for_the_head(landmarks):
    """At the chin a fitted shift is off by the turn's arm; bone that moves along with a wrinkled nose is taken for the head."""
    matrix = similarity(landmarks)
    skin, rigid = skin_mask(landmarks, matrix, 128), rigid_mask(landmarks, matrix, 128)
    assert 100 < rigid.sum() < 0.1 * skin.sum()
    y, x = np.mgrid[:128, :128].astype(np.float32)
    turn = np.dstack([-0.02 * (y - 50), 0.02 * (x - 64)]).astype(np.float32)
    assert np.abs(head_motion(turn, skin) - turn).max() < 1e-3
    assert np.abs(head_motion(turn, rigid, model="shift") - turn)[110, 64].max() > 0.9
    wrinkled = np.zeros((128, 128, 2), dtype=np.float32)
    wrinkled[..., 1] = -np.exp(-((x - 64) ** 2 + (y - 55) ** 2) / (2 * 10.0**2))
    assert np.abs(head_motion(wrinkled, skin)).max() < 0.1
    assert np.abs(head_motion(wrinkled, rigid, model="shift")).max() > 0.5


def test_head_motion_needs_a_known_model_and_pixels():
    """A wrong name is corrected, and no pixels are refused."""
    field, nowhere = np.zeros((8, 8, 2), dtype=np.float32), np.zeros((8, 8), dtype=bool)
    with pytest.raises(ConfigError, match="did you mean 'shift'"):
        head_motion(field, ~nowhere, model="shif")
    with pytest.raises(DataError, match="expected pixels that follow the head, got none"):
        head_motion(field, nowhere)


def test_a_swaying_head_is_no_expression(film):
    """Four pixels and two degrees of sway, with a real detector's jitter: nothing is spotted."""
    assert spot(motion_curve(film(sway_px=4.0, sway_deg=2.0, seconds=3.0))) == ()


def test_a_micro_expression_is_found_on_a_swaying_head(film):
    """The same sway with a brow raised by 1.5 px: that one micro-expression, apex within 50 ms."""
    (found,) = spot(motion_curve(film(sway_px=4.0, sway_deg=2.0, moves=BROWS)))
    assert found.kind == "micro"
    assert found.apex == pytest.approx(1.35, abs=0.05)


def test_a_still_face_with_camera_noise_gives_nothing(film):
    """Three grey levels of noise shake the detector, not the face."""
    assert spot(motion_curve(film(seconds=3.0, noise=3.0))) == ()


def test_where_no_frame_was_recorded_the_curve_is_nan(film, known_face):
    """A second without frames is NaN, not the last frame held."""
    curve = motion_curve(gap_in(film()), finder=known_face)
    inside = (curve.t > 1.1) & (curve.t < 1.9)
    assert np.isnan(curve.displacement[inside]).all()
    assert np.isfinite(curve.displacement[curve.t < 0.95]).all()


def test_flow_needs_a_frame_and_a_face_at_the_apex_too(film, known_face):
    """An apex inside a gap, or with the face out of view, is NaN with its reason."""

    def one(video):
        samples = [Sample(name, "S1", "v", "x", 0.8, at, at, Interval(0, 3)) for name, at in (("a", 1.5), ("b", 0.9))]
        table = describe_faces(video, samples, ["flow-images"], finder=known_face)["flow-images"]
        assert table.valid[1]
        return table.valid[0], table.reasons[table.reason[0]]

    video = film()
    frames = np.array(video.x)
    frames[60:] = 0
    assert one(gap_in(video)) == (False, "no frame at the onset or the apex")
    assert one(Stream("video", "camera", video.t, frames, "grey level", 50.0)) == (False, "no face at the apex")
    assert one(video) == (True, "")


def test_a_large_face_is_averaged_not_sampled(portrait, landmarks):
    """Of a face four times too large, 16 camera pixels make one: independent noise of 6 grey levels falls below 2."""
    large = cv2.resize(portrait, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    noisy = large + np.random.default_rng(0).normal(0, 6, large.shape)
    matrix = similarity(landmarks * 4)
    assert float(np.std(register(noisy, matrix) - register(large, matrix))) < 2.0
