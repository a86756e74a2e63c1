"""Rendered faces move where, when and as far as planted."""

import cv2
import numpy as np
import pytest

from mmme.errors import ConfigError, DataError
from mmme.simulate import ACTION_UNITS, TrueExpression, au_field, make_face, simulate_clip, write_frames


def _event(*aus: str, size: float = 2.0) -> TrueExpression:
    return TrueExpression("micro", "happy", aus, 0.2, 0.4, 0.6, size)


@pytest.mark.parametrize(("au", "landmark"), [("AU4", "brow_inner_left"), ("AU12", "mouth_right"), ("AU17", "chin")])
def test_action_unit_moves_its_region_by_the_planted_pixels(au, landmark):
    """Shifting the apex frame back by the planted field gives the neutral frame (under 2 grey levels on average)."""
    t, frames, truth = simulate_clip(3, fps=50.0, duration_s=1.0, events=[_event(au)], noise=0.0)
    apex = int(np.argmin(np.abs(t - 0.4)))
    field = truth.displacement(0.4).astype(np.float32)
    y, x = np.mgrid[:128, :128].astype(np.float32)
    expected = cv2.remap(frames[0], x - field[..., 0], y - field[..., 1], cv2.INTER_CUBIC)
    cx, cy = (round(c) for c in truth.landmarks[landmark])
    near = np.s_[cy - 8 : cy + 9, cx - 8 : cx + 9]

    left_over = np.abs(frames[apex].astype(float) - expected)[near].mean()
    moved = np.abs(frames[apex].astype(float) - frames[0])[near].mean()

    assert left_over < 2.0
    assert left_over < 0.4 * moved
    assert np.abs(frames[apex][:6].astype(int) - frames[0][:6]).max() <= 1


def test_optical_flow_recovers_the_direction_and_size_of_a_smile():
    """Farneback flow from onset to apex at the corners of the mouth is within 0.5 px of the planted movement."""
    t, frames, truth = simulate_clip(1, fps=50.0, duration_s=1.0, events=[_event("AU12")], noise=0.0)
    flow = cv2.calcOpticalFlowFarneback(frames[0], frames[20], None, 0.5, 3, 15, 5, 7, 1.5, 0)

    assert t[20] == pytest.approx(0.4)
    for side in ("left", "right"):
        cx, cy = (round(c) for c in truth.landmarks[f"mouth_{side}"])
        near = np.s_[cy - 2 : cy + 3, cx - 2 : cx + 3]
        measured, planted = flow[near].mean((0, 1)), truth.displacement(0.4)[near].mean((0, 1))

        assert measured == pytest.approx(planted, abs=0.5)


@pytest.mark.parametrize("au", sorted(ACTION_UNITS))
def test_every_field_peaks_at_one_pixel_inside_the_frame(au):
    """A field has a largest length of 1 px, near its landmarks, and dies out at the border."""
    field = au_field(make_face(np.random.default_rng(5), 96), au)
    size = np.hypot(field[..., 0], field[..., 1])

    assert size.max() == pytest.approx(1.0, abs=1e-6)
    assert max(size[0].max(), size[:, 0].max(), size[:, -1].max()) < 0.05


def test_nothing_moves_outside_the_expression():
    """Without noise and sway, frames before onset and after offset are the neutral frame."""
    t, frames, _ = simulate_clip(0, fps=50.0, duration_s=1.0, events=[_event("AU1", "AU2")], noise=0.0, frame_px=64)
    outside = (t <= 0.2) | (t >= 0.6)

    assert all(np.array_equal(frame, frames[0]) for frame in frames[outside])
    assert not np.array_equal(frames[20], frames[0])


def test_blink_darkens_nothing_but_the_eyes():
    """A blink changes the eye region and leaves the mouth as it is."""
    t, frames, truth = simulate_clip(0, fps=100.0, duration_s=0.5, blinks=[(0.1, 0.2)], noise=0.0)
    closed = int(np.argmin(np.abs(t - 0.18)))
    change = np.abs(frames[closed].astype(int) - frames[0].astype(int))
    eye = [round(c) for c in truth.landmarks["eye_top_left"]]
    mouth = [round(c) for c in truth.landmarks["lip_top"]]

    assert change[eye[1] : eye[1] + 5, eye[0] - 2 : eye[0] + 3].max() > 25
    assert change[mouth[1] - 8 :, :].max() <= 1


def test_head_moves_as_the_truth_says():
    """Phase correlation of two frames gives the planted shift of the head within 0.3 px."""
    _, frames, truth = simulate_clip(2, fps=2.0, duration_s=10.0, head_motion_px=2.0, noise=0.0)
    far = int(np.argmax(np.hypot(*(truth.head[:, :2] - truth.head[0, :2]).T)))
    window = cv2.createHanningWindow((128, 128), cv2.CV_64F)
    shift, _ = cv2.phaseCorrelate(frames[0].astype(float), frames[far].astype(float), window)

    assert shift == pytest.approx(truth.head[far, :2] - truth.head[0, :2], abs=0.3)


def test_clip_is_decided_by_its_seed():
    """Equal seeds give equal pixels, others another face."""
    one, two, other = (simulate_clip(seed, fps=20.0, frame_px=48, head_motion_px=1.0, blinks=True)[1] for seed in (4, 4, 5))

    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_camera_noise_has_the_planted_size():
    """The spread of a still pixel over time is the planted 2 grey levels within 5 %, plus rounding."""
    _, frames, _ = simulate_clip(0, fps=100.0, duration_s=3.0, frame_px=64, noise=2.0)
    middle = (frames.mean(0) > 20) & (frames.mean(0) < 235)

    assert np.median(frames.std(0)[middle]) == pytest.approx(np.hypot(2.0, 1 / np.sqrt(12)), rel=0.05)


def test_face_errors_say_what_was_expected(tmp_path):
    """Unknown action unit, empty clip, unequal names and an absent folder each get a sentence."""
    face = make_face(np.random.default_rng(0), 48)
    with pytest.raises(ConfigError, match="no action unit 'AU99'"):
        au_field(face, "AU99")
    with pytest.raises(ConfigError, match="clip: expected a positive rate, at least one frame"):
        simulate_clip(0, duration_s=0.0)
    with pytest.raises(DataError, match="one name per frame, got 0 names and 1 frames"):
        write_frames(tmp_path, [], np.zeros((1, 4, 4), np.uint8))
    with pytest.raises(DataError, match="is the disk full or the folder gone"):
        write_frames(tmp_path / "absent", ["a.tif"], np.zeros((1, 4, 4), np.uint8))
