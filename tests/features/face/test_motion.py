"""Motion of facial regions: planted micro-expressions at their time and place, whatever the frame rate."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mmme.errors import DataError
from mmme.features.face.landmarks import FaceMesh
from mmme.features.face.motion import MotionCurve, motion_curve, motion_features
from mmme.features.face.regions import REGIONS
from mmme.interval import Interval
from mmme.models.spotting import spot
from mmme.simulate import TrueExpression, simulate_clip
from mmme.types import Sample, Stream

BROWS = {107: (0.0, -1.5), 336: (0.0, -1.5)}


@pytest.fixture(scope="module")
def finder():
    """One detector for all tests; frames are independent of each other."""
    with FaceMesh() as mesh:
        yield mesh


def test_a_planted_micro_expression_is_found(film, known_face):
    """Raised inner brows of 1.5 px in 0.35 s: one micro-expression, apex within 50 ms, ends within 120 ms."""
    video = film(seconds=2.4, moves=BROWS)
    (found,) = spot(motion_curve(video, finder=known_face))
    assert found.kind == "micro"
    assert found.apex == pytest.approx(1.35, abs=0.05)
    assert found.onset == pytest.approx(1.2, abs=0.12)
    assert found.offset == pytest.approx(1.55, abs=0.12)
    assert found.regions[0] == "brow-inner"


def test_a_still_face_moves_nothing(film, known_face):
    """Camera noise of one grey level stays below 0.1 px and is no expression."""
    curve = motion_curve(film(seconds=2.0), finder=known_face)
    assert float(np.nanmax(curve.total)) < 0.1
    assert spot(curve) == ()


def test_displacement_has_sign_and_size(film, known_face):
    """Brows raised by 1.5 px move upwards (negative) by a good part of it, averaged over their region."""
    curve = motion_curve(film(moves=BROWS, seconds=2.4), finder=known_face)
    brow = curve.displacement[:, curve.names.index("brow-inner")]
    apex = brow[np.argmin(np.abs(curve.t - 1.35))]
    assert -1.6 < apex[1] < -0.5
    assert abs(apex[0]) < 0.3


def test_regions_do_not_include_the_eyes():
    """No region is named for the lids: a blink has nowhere to show."""
    assert not any("eye" in name or "lid" in name for name in REGIONS)


def test_frames_without_a_face_are_nan(film, known_face):
    """Where the face leaves, the curve is NaN, before and after it is not."""
    video = film(seconds=4.0, fps=20.0)
    frames = np.array(video.x)
    frames[30:60] = 0
    curve = motion_curve(Stream("video", "camera", video.t, frames, "grey level", 20.0), finder=known_face)
    away = (curve.t > 1.55) & (curve.t < 2.9)
    assert np.isnan(curve.displacement[away]).all()
    assert np.isfinite(curve.displacement[curve.t < 0.9]).all()
    assert np.isfinite(curve.displacement[curve.t > 3.6]).all()


def test_bump_by_hand():
    """Displacement 0, 1, 0 at steps of the reach: the middle stands 1 px out; a steady drift stands out by 0."""
    displacement = np.zeros((3, 2, 2))
    displacement[:, 0, 0] = [0, 1, 0]
    displacement[:, 1, 1] = [0, 5, 10]
    curve = MotionCurve(np.array([0.0, 0.2, 0.4]), displacement, ("a", "b"))
    np.testing.assert_allclose(curve.bump(0.2, np.array([0.2])), [[1.0, 0.0]], atol=1e-12)


def test_a_video_without_frames_or_face_is_refused(film, known_face):
    """A span outside the video names the span; a dark video names the frames looked at."""
    video = film(seconds=0.5)
    with pytest.raises(DataError, match=r"expected frames in \[5\.000 s, 6\.000 s\), got 0"):
        motion_curve(video, Interval(5.0, 6.0), finder=known_face)
    dark = Stream("video", "camera", video.t, np.zeros_like(video.x), "grey level", 50.0)
    with pytest.raises(DataError, match="expected a face, got none"):
        motion_curve(dark, finder=known_face)


def test_features_peak_at_the_apex_and_name_what_is_missing(film, known_face):
    """Among moments of a trial the strongest bump is the one at the apex; a trial without frames is NaN with a reason."""
    video = film(moves=BROWS)
    trial, elsewhere = Interval(0.0, 3.0), Interval(50.0, 53.0)
    times = np.arange(0.5, 2.6, 0.05)
    samples = [Sample(f"t#{k}", "S1", "v", "neutral", t, t, t, trial) for k, t in enumerate(times)]
    samples.append(Sample("gone", "S1", "v", "neutral", 51.0, 51.0, 51.0, elsewhere))
    table = motion_features(video, samples, finder=known_face)
    column = table.X[:-1, table.columns.index("motion_brow-inner_0.2s")]
    assert times[np.argmax(column)] == pytest.approx(1.35, abs=0.051)
    assert table.valid[:-1].all()
    assert not table.valid[-1].any()
    assert table.reasons[table.reason[-1, 0]] == "no face, or no frame, in the window"


def test_no_moments_is_an_error(film):
    """Nothing to describe is a mistake of the caller."""
    with pytest.raises(DataError, match="at least one moment, got none"):
        motion_features(film(seconds=0.2), [])


def simulated(seed, fps, seconds, events=(), *, blinks=True, sway_px=1.5):
    """A simulated face as a stream."""
    t, frames, _ = simulate_clip(
        seed, fps=fps, duration_s=seconds, events=events, frame_px=96, head_motion_px=sway_px, blinks=blinks
    )
    return Stream("video", "camera", t, frames, "grey level", fps)


SMILE = TrueExpression("micro", "happy", ("AU12",), 1.0, 1.18, 1.4, 1.5)


@pytest.mark.parametrize("fps", [30.0, 100.0, 150.0, 200.0])
def test_the_same_settings_find_the_same_times_at_any_rate(fps, finder):
    """A smile of 1.5 px on a swaying, blinking head: apex within 60 ms, ends within 60 ms, at the mouth, at every rate."""
    (found,) = spot(motion_curve(simulated(3, fps, 2.2, [SMILE], blinks=[(0.3, 0.2), (1.7, 0.2)]), finder=finder))
    assert found.kind == "micro"
    assert (found.onset, found.apex, found.offset) == pytest.approx((1.0, 1.18, 1.4), abs=0.06)
    assert found.regions[0].startswith("mouth")


def test_a_wrinkled_nose_is_not_taken_for_the_head(finder):
    """An AU9 of 2 px in the frame, which drags the bridge of the nose along, is found at the nose within 60 ms."""
    disgust = TrueExpression("micro", "disgust", ("AU9",), 1.0, 1.18, 1.4, 2.0)
    (found,) = spot(motion_curve(simulated(4, 60.0, 2.2, [disgust], blinks=False), finder=finder))
    assert found.apex == pytest.approx(1.18, abs=0.06)
    assert any(name.startswith("nose") for name in found.regions)


def test_blinks_and_sway_alone_are_no_expression(finder):
    """Eight seconds with four blinks and a swaying head give nothing."""
    blinks = [(1.0, 0.2), (2.6, 0.3), (4.5, 0.15), (6.2, 0.25)]
    assert spot(motion_curve(simulated(5, 30.0, 8.0, blinks=blinks), finder=finder)) == ()


def test_a_still_photograph_gives_nothing(portrait, finder):
    """The same frame again and again has no expression, and no displacement above a hundredth of a pixel."""
    t = np.arange(60) / 30
    still = Stream("video", "camera", t, np.repeat(portrait[None], 60, axis=0), "grey level", 30.0)
    curve = motion_curve(still, finder=finder)
    assert float(np.abs(curve.displacement).max()) < 0.01
    assert spot(curve) == ()


def test_at_the_frame_rate_each_frame_is_read_once_and_threads_change_nothing(film, known_face):
    """At 150 moments per second: as many as frames; frames are read at the looks and once more; any threads, same bits."""
    video = film(fps=150.0, seconds=1.0, moves=BROWS, times=(0.35, 0.5, 0.7), sway_px=1.0)
    reads = []

    class Counted:
        shape = video.x.shape

        def __getitem__(self, index):
            reads.append(index)
            return video.x[index]

    counted = Stream("video", "camera", video.t, Counted(), "grey level", 150.0)
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        curve = motion_curve(counted, rate_hz=150.0, finder=known_face)
        cv2.setNumThreads(2)
        again = motion_curve(video, rate_hz=150.0, finder=known_face)
    finally:
        cv2.setNumThreads(threads)
    assert len(curve.t) == len(video.t) - 1  # a span is half-open: the last frame ends it
    assert len(reads) == len(video.t) + len(curve.track.t)
    np.testing.assert_array_equal(curve.displacement, again.displacement)
    (found,) = spot(curve)
    assert found.apex == pytest.approx(0.5, abs=0.05)


def test_references_are_joined_without_a_step(film, known_face):
    """A face that rests between references taken every 0.3 s stays where it is to within 0.1 px, also at 150 Hz."""
    curve = motion_curve(film(fps=150.0, seconds=0.8), rate_hz=150.0, reference_s=0.3, finder=known_face)
    assert float(np.abs(curve.displacement).max()) < 0.1
    assert np.isfinite(curve.displacement).all()


def test_a_moment_whose_average_meets_a_loss_is_not_seen(film, known_face):
    """The face is gone from 1.00 s to 1.70 s; moments nearer than the averaging window are NaN, others are not."""
    video = film(fps=100.0, seconds=2.0)
    frames = np.array(video.x)
    frames[100:170] = 0
    curve = motion_curve(
        Stream("video", "camera", video.t, frames, "grey level", 100.0), rate_hz=100.0, average_s=0.025, finder=known_face
    )
    seen = np.isfinite(curve.displacement[:, 0, 0])
    np.testing.assert_array_equal(seen, (curve.t < 0.97) | (curve.t > 1.72))


def test_progress_ends_with_all_moments(film, known_face):
    """What was done grows and ends at all."""
    told = []
    curve = motion_curve(
        film(seconds=1.0), reference_s=0.3, finder=known_face, progress=lambda done, n: told.append((done, n))
    )
    assert told == sorted(told)
    assert told[-1] == (len(curve.t), len(curve.t))
    assert len(told) >= 3
