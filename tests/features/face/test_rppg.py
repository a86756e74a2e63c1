"""The pulse from the colour of a face: planted rates come back, and where there is none no rate is given."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from mmme.errors import ConfigError, DataError
from mmme.features.face.landmarks import FaceMesh
from mmme.features.face.pulse_wave import chrom, pos, pulse_wave
from mmme.features.face.rppg import pulse_around, pulse_curve, pulse_features, pulse_rates
from mmme.features.face.skin_colour import SkinTrace, skin_polygons, skin_trace
from mmme.features.windows import Windows
from mmme.interval import Interval
from mmme.simulate import simulate_clip, simulate_pulse_clip
from mmme.types import Sample, Stream

SKIN = np.array([180.0, 130.0, 105.0])
BEAT = np.array([0.33, 0.77, 0.53])


class Colour:
    """Frames held in memory, read as the film readers do."""

    has_colour = True

    def __init__(self, frames: np.ndarray) -> None:
        self.frames, self.shape = frames, frames.shape[:3]
        self.read: list[int] = []

    def __getitem__(self, index: int) -> np.ndarray:
        return cv2.cvtColor(self.frames[index], cv2.COLOR_RGB2GRAY)

    def colour(self, index: int) -> np.ndarray:
        self.read.append(index)
        return self.frames[index]


class Found:
    """The points of the first frame, for heads that hardly move: quicker than to look at every frame."""

    def __init__(self, mesh: FaceMesh, frames: np.ndarray) -> None:
        self.points = mesh.find(cv2.cvtColor(frames[0], cv2.COLOR_RGB2GRAY))

    def find(self, frame: np.ndarray) -> np.ndarray:
        return self.points


def stream(t: np.ndarray, frames: np.ndarray) -> Stream:
    return Stream("video", "camera", t, Colour(frames), "grey level")


@pytest.fixture(scope="module")
def finder():
    with FaceMesh() as mesh:
        yield mesh


def skin(t: np.ndarray, bpm: float = 72.0, size: float = 0.004, noise: float = 0.02, seed: int = 0) -> np.ndarray:
    """Colour of skin with a pulse, its double, and noise."""
    turns = 2 * np.pi * bpm / 60 * t
    wave = size * (np.sin(turns) + 0.35 * np.sin(2 * turns + 0.8))
    return SKIN * (1 + wave[:, None] * BEAT) + np.random.default_rng(seed).normal(0, noise, (len(t), 3))


def test_pos_is_algorithm_1_of_its_paper():
    """Overlap-added window by window as Wang 2017 writes it, divided by the number of windows over each sample."""
    t = np.arange(120) / 30
    rgb = skin(t, noise=0.3) * (1 + 0.02 * np.sin(3 * t))[:, None]
    length, total, count = 48, np.zeros(120), np.zeros(120)
    for start in range(120 - length + 1):
        part = rgb[start : start + length]
        normal = (part / part.mean(axis=0)).T
        s = np.array([[0, 1, -1], [-2, 1, 1]]) @ normal
        h = s[0] + s[0].std() / s[1].std() * s[1]
        total[start : start + length] += h - h.mean()
        count[start : start + length] += 1
    np.testing.assert_allclose(pos(rgb, 30.0), total / count, atol=1e-12)


def test_chrom_is_chrominance_in_a_window():
    """In the middle of one window nothing else adds: X less alpha Y of the normalised, band-passed colour."""
    from scipy.signal import butter, sosfiltfilt

    t = np.arange(48) / 30
    rgb = skin(t, noise=0.3)
    r, g, b = (rgb / rgb.mean(axis=0)).T
    band = butter(3, (0.7, 4.0), "bandpass", fs=30.0, output="sos")
    x, y = sosfiltfilt(band, 3 * r - 2 * g), sosfiltfilt(band, 1.5 * r + g - 1.5 * b)
    np.testing.assert_allclose(chrom(rgb, 30.0), x - x.std() / y.std() * y, atol=1e-12)


@pytest.mark.parametrize("method", [pos, chrom])
def test_brightness_cancels(method):
    """Light or movement that changes all colours alike leaves less than a hundredth of a pulse of that size."""
    t = np.arange(600) / 30
    beat = method(skin(t, 72.0, size=0.02, noise=0.0), 30.0)
    light = method(SKIN * (1 + 0.02 * np.sin(2 * np.pi * 1.2 * t))[:, None], 30.0)
    assert light.std() < 0.01 * beat.std()


@pytest.mark.parametrize("method", [pos, chrom])
def test_too_short_is_nan(method):
    """Less than one window of 1.6 s has no pulse."""
    assert np.isnan(method(skin(np.arange(40) / 30), 30.0)).all()


@pytest.mark.parametrize("fps", [24.0, 30.0, 59.94, 150.0, 200.0])
def test_rate_does_not_depend_on_the_frame_rate(fps: float):
    """Planted rates come back within 0.5 bpm at any frame rate, and quality within 3 dB of each other."""
    found = []
    for bpm in (48.0, 90.0, 150.0):
        t = 100.0 + np.arange(0, 14, 1 / fps)
        wave = pulse_wave(SkinTrace(t, skin(t, bpm, noise=0.02 * np.sqrt(fps / 30))))
        rates = pulse_rates(wave, Windows(np.array([101.0, 103.0]), 10.0))
        np.testing.assert_allclose(rates.bpm, bpm, atol=0.5)
        assert (rates.why == "").all()
        found.append(rates.snr_db.min())
    assert min(found) > 14.0


def test_times_are_the_frames_own():
    """Lost and late frames change nothing: the times of the frames count, not their number."""
    rng = np.random.default_rng(2)
    t = np.sort(rng.choice(np.arange(0, 14, 1 / 60), 560, replace=False)) + rng.uniform(0, 0.003, 560)
    rates = pulse_rates(pulse_wave(SkinTrace(t, skin(t, 100.0))), Windows(np.array([2.0]), 10.0))
    assert rates.bpm[0] == pytest.approx(100.0, abs=0.5)


def test_averages_over_a_thirtieth_are_exact():
    """Colour that changes along a straight line has, in every thirtieth of a second, its value in the middle."""
    t = np.cumsum(np.random.default_rng(0).uniform(0.005, 0.03, 400))
    line = SkinTrace(t, np.outer(100 + 3 * t, [1.0, 1.0, 1.0]))
    from mmme.features.face.pulse_wave import _evenly

    grid, rgb = _evenly(line)
    np.testing.assert_allclose(rgb[:, 1], 100 + 3 * grid, rtol=1e-12)


def test_windows_over_gaps_have_no_rate():
    """No face, or no frame for more than 0.25 s, refuses the windows that touch it and no others."""
    t = np.arange(0, 40, 1 / 30)
    rgb = skin(t)
    rgb[(t > 12) & (t < 12.5)] = np.nan
    kept = (t < 26) | (t > 26.4)
    rates = pulse_rates(pulse_wave(SkinTrace(t[kept], rgb[kept])), Windows(np.array([1.0, 11.0, 13.0, 20.0, 27.0]), 10.0))
    assert rates.why.tolist() == ["", "no face is seen", "", "no face is seen", ""]
    np.testing.assert_array_equal(np.isnan(rates.bpm), rates.why != "")


def test_noise_has_no_pulse():
    """Of 300 windows of noise alone, at most 1 % get a rate; a still picture gets none, with its own reason."""
    t = np.arange(0, 3002, 1 / 30)
    noise = SKIN + np.random.default_rng(0).normal(0, 0.1, (len(t), 3))
    rates = pulse_rates(pulse_wave(SkinTrace(t, noise)), Windows(10.0 * np.arange(300), 10.0))
    assert (rates.why == "").sum() <= 3
    t = np.arange(0, 12, 1 / 30)
    still = pulse_rates(pulse_wave(SkinTrace(t, np.tile(SKIN, (len(t), 1)))), Windows(np.array([0.5]), 10.0))
    assert (still.why[0], np.isnan(still.bpm[0])) == ("colour does not change", True)


def test_two_methods_must_agree():
    """A rate on which POS and CHROM differ is not given."""
    t = np.arange(0, 12, 1 / 30)
    wave = pulse_wave(SkinTrace(t, skin(t, 72.0)))
    other = pulse_wave(SkinTrace(t, skin(t, 80.0)))
    mixed = type(wave)(wave.t, wave.pos, other.chrom, wave.brightness, wave.bad, wave.overexposed)
    rates = pulse_rates(mixed, Windows(np.array([0.5]), 10.0))
    assert rates.why.tolist() == ["POS and CHROM are more than 3 bpm apart"]
    assert rates.disagreement_bpm[0] == pytest.approx(8.0, abs=0.5)


def test_brightness_at_the_rate_of_the_pulse_refuses_it():
    """What leaks from light that swings twenty times as much is not taken for a pulse."""
    t = np.arange(0, 12, 1 / 30)
    rgb = skin(t, 72.0) * (1 + 0.08 * np.sin(2 * np.pi * 1.2 * t))[:, None]
    rates = pulse_rates(pulse_wave(SkinTrace(t, rgb)), Windows(np.array([0.5]), 10.0))
    assert rates.why.tolist() == ["brightness swings at the same rate: light or movement"]


def test_overexposed_skin_gives_no_rate():
    """Beyond 5 % of skin cut off at 255 light that swings looks like a pulse: no rate is given, whatever the quality."""
    t = np.arange(0, 14, 1 / 30)
    for share, why in ((0.04, ""), (0.06, "more than 5% of the skin is overexposed")):
        trace = SkinTrace(t, skin(t, 72.0), np.full(len(t), share))
        found = pulse_rates(pulse_wave(trace), Windows(np.array([2.0]), 10.0))
        assert found.why.tolist() == [why]
        assert np.isfinite(found.bpm[0]) == (why == "")


def test_the_share_of_overexposed_skin_is_counted(finder):
    """Half of a face at 255 in red alone is half of its skin overexposed, to within what its outline leaves open."""
    picture = np.minimum(data.astronaut()[:256, 96:352], 250)
    middle = int(finder.find(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))[168, 0])
    picture[:, :middle, 0] = 255
    frames = np.repeat(picture[None], 40, axis=0)
    trace = skin_trace(stream(np.arange(40) / 30, frames), finder=Found(finder, frames))
    assert trace.overexposed is not None
    assert 0.4 < trace.overexposed.mean() < 0.6


@pytest.mark.parametrize(("tone", "bpm"), [("medium", 56.0)])
def test_a_face_gives_its_planted_rate(tone: str, bpm: float, finder):
    """Within 3 bpm, with head sway, blinks and camera noise, in every window."""
    t, frames, truth = simulate_pulse_clip(
        1, bpm=bpm, tone=tone, duration_s=12.5, frame_px=96, head_motion_px=2.0, blinks=True
    )
    curve = pulse_curve(stream(t, frames), finder=finder)
    assert len(curve.t) == 3
    assert curve.valid_share == 1.0
    planted = [truth.bpm[np.abs(t - at) < 5].mean() for at in curve.t]
    np.testing.assert_allclose(curve.bpm, planted, atol=3.0)


def test_a_face_without_a_pulse_gives_none(finder):
    """Noise and a head that nods at the rate of a pulse: no window gets a rate."""
    t, frames, _ = simulate_pulse_clip(1, pulse=0.0, duration_s=12.5, frame_px=96, nod_hz=1.3, nod_px=2.0)
    curve = pulse_curve(stream(t, frames), finder=Found(finder, frames))
    assert np.isnan(curve.bpm).all()
    assert (curve.why != "").all()


def test_colour_is_needed(finder):
    """A grey video, a grey picture in a colour format, and a picture without a face each say so."""
    t, grey, _ = simulate_clip(1, fps=30.0, duration_s=4.0, frame_px=96)
    with pytest.raises(
        DataError, match="camera: expected a video in colour, got grey; a pulse is in the colour of the skin"
    ):
        pulse_curve(Stream("video", "camera", t, grey, "grey level"))
    colourless = np.repeat(grey[..., None], 3, axis=3)
    with pytest.raises(DataError, match="camera: expected a video in colour, got a grey picture"):
        pulse_curve(stream(t, colourless), finder=Found(finder, colourless))
    noise = np.random.default_rng(0).integers(0, 255, (len(t), 64, 64, 3)).astype(np.uint8)
    with pytest.raises(DataError, match="camera: expected a face, got none"):
        pulse_curve(stream(t, noise), finder=finder)


def test_what_cannot_be_computed_is_refused():
    """Windows too short, no steps, and slow cameras are one sentence each."""
    t = np.arange(0, 20, 0.125)
    video = stream(t, np.zeros((len(t), 8, 8, 3), np.uint8))
    with pytest.raises(ConfigError, match="window: expected at least 4 s for a pulse rate, got 3 s"):
        pulse_curve(video, window_s=3.0)
    with pytest.raises(ConfigError, match="step: expected above 0 s, got 0 s"):
        pulse_curve(video, step_s=0.0)
    with pytest.raises(DataError, match="expected at least 10 frames per second for a pulse, got 8.00"):
        pulse_wave(SkinTrace(t, skin(t)))
    with pytest.raises(ConfigError, match="window: expected at least 4 s for a pulse rate, got 1 s"):
        pulse_features(video, [], before_s=0.5, after_s=0.5)
    with pytest.raises(DataError, match=r"camera: expected frames in \[30.000 s, 31.000 s\), got 0"):
        skin_trace(video, Interval(30.0, 31.0))


def sample(name: str, apex: float) -> Sample:
    return Sample(name, "S01", "sad-1", "sad", apex - 0.1, apex, apex + 0.1, Interval(0.0, 60.0))


def test_features_of_moments(finder):
    """One row per moment; windows that leave the video say so; frames far from any window are not read."""
    t, frames, truth = simulate_pulse_clip(3, bpm=75.0, duration_s=12.2, frame_px=96)
    long_t = np.concatenate([t, 40 + t])
    video = stream(long_t, np.concatenate([frames, frames]))
    moments = [sample("a", 6.0), sample("b", 2.0), sample("c", 53.0), sample("d", 30.0)]
    table = pulse_features(video, moments, finder=Found(finder, frames))
    assert table.columns == ("rppg_hr_bpm", "rppg_snr_db", "rppg_disagreement_bpm", "rppg_brightness_ratio")
    assert table.X[0, 0] == pytest.approx(truth.bpm[np.abs(t - 6) < 5].mean(), abs=3.0)
    assert np.isfinite(table.X[0]).all()
    why = [[table.reasons[c] for c in row] for row in table.reason]
    assert why[0] == [""] * 4
    assert why[1] == ["window leaves the recording"] * 4
    assert why[2] == ["window leaves the recording"] * 4
    assert why[3] == ["no frames in the window"] * 4
    assert not {i for i in video.x.read if long_t[i] > 41}


def test_features_of_a_grey_video_are_missing_with_the_reason():
    """No frame is looked at."""
    t, grey, _ = simulate_clip(1, fps=30.0, duration_s=2.0)
    video = Stream("video", "camera", t, grey, "grey level")
    table = pulse_features(video, [sample("a", 1.0)])
    assert np.isnan(table.X).all()
    assert table.reasons == ("", "the video is grey: no pulse from the face")
    around = pulse_around(video, Windows(np.array([0.0]), 10.0))
    assert around.why.tolist() == ["the video is grey: no pulse from the face"]


def test_skin_is_clear_of_eyes_brows_and_mouth(finder):
    """On a real portrait no corner of eye, brow or lip lies inside the polygons; and the mean colour is skin's."""
    portrait = np.ascontiguousarray(data.astronaut()[:256, 96:352, :3])
    points = finder.find(cv2.cvtColor(portrait, cv2.COLOR_RGB2GRAY))
    inside = np.zeros(portrait.shape[:2], np.uint8)
    for polygon in skin_polygons(points):
        cv2.fillPoly(inside, [np.rint(polygon).astype(np.int32)], 1)
    for k in (33, 133, 159, 145, 362, 263, 386, 374, 70, 105, 55, 300, 334, 285, 61, 291, 0, 17):
        x, y = np.rint(points[k]).astype(int)
        assert not inside[y, x], k
    red, green, blue = portrait[inside > 0].mean(axis=0)
    assert red > 1.1 * green > 1.2 * blue
    trace = skin_trace(stream(np.array([0.0, 0.1]), np.stack([portrait, portrait])), finder=finder)
    np.testing.assert_allclose(trace.rgb[0], [red, green, blue], rtol=0.02)
