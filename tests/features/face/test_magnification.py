"""Motion magnification: known shifts come out (1 + alpha) times as large, in the band and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from mmme.errors import ConfigError, DataError
from mmme.features.face.magnification import clipped, frame_rate, magnified, magnify

X = np.indices((48, 64))[1]


def grating(shift_px, wavelength_px):
    """Upright stripes shifted to the right by so much in each frame."""
    return np.array([128 + 40 * np.sin(2 * np.pi * (X - s) / wavelength_px) for s in shift_px], dtype=np.float32)


def shifts(clip, wavelength_px):
    """Where the stripes of the middle of each frame are [px]; by the phase of their own wave, not by a pyramid."""
    middle = clip[:, 12:36, 16:48] - clip[:, 12:36, 16:48].mean(axis=(1, 2), keepdims=True)
    wave = np.exp(-2j * np.pi * X[12:36, 16:48] / wavelength_px) * np.hanning(32)
    return -np.unwrap(np.angle((middle * wave).sum(axis=(1, 2)))) * wavelength_px / (2 * np.pi)


def gain(clip, made, wavelength_px, rate_hz):
    """How many times as large the motion is, away from the ends."""
    inner = slice(int(rate_hz), -int(rate_hz))
    return np.ptp(shifts(made, wavelength_px)[inner]) / np.ptp(shifts(clip, wavelength_px)[inner])


def shaken(amplitude_px, hz, rate_hz, duration_s=3.0):
    return amplitude_px * np.sin(2 * np.pi * hz * np.arange(round(duration_s * rate_hz)) / rate_hz)


@pytest.mark.parametrize("amplitude_px", [0.1, 0.3])
@pytest.mark.parametrize("wavelength_px", [8, 16])
@pytest.mark.parametrize("alpha", [5.0, 10.0])
def test_phase_based_motion_is_one_plus_alpha_times_as_large(amplitude_px, wavelength_px, alpha):
    """A grating shaken by 0.1 and 0.3 px at 2.5 Hz, in the middle of the band: the gain is 1 + alpha within 5 %."""
    clip = grating(shaken(amplitude_px, 2.5, 30), wavelength_px)
    made = magnify(clip, 30.0, alpha=alpha, low_hz=0.5, high_hz=10)
    assert gain(clip, made, wavelength_px, 30) == pytest.approx(1 + alpha, rel=0.05)


@pytest.mark.parametrize(("alpha", "amplitude_px", "wavelength_px"), [(5.0, 0.1, 16), (10.0, 0.05, 16), (5.0, 0.2, 32)])
def test_linear_motion_is_one_plus_alpha_times_as_large_within_first_order(alpha, amplitude_px, wavelength_px):
    """While (1 + alpha) times the shift stays below a twentieth of the wave, the gain is 1 + alpha within 5 %."""
    clip = grating(shaken(amplitude_px, 2.5, 30), wavelength_px)
    made = magnify(clip, 30.0, alpha=alpha, low_hz=0.5, high_hz=10, method="linear", wavelength_px=0)
    assert gain(clip, made, wavelength_px, 30) == pytest.approx(1 + alpha, rel=0.05)


def test_linear_magnifies_short_waves_less():
    """Published bound: with a shortest wave of 16 px at alpha 10 the level of 4 px has gain 4 / (8 d) - 1 = 1.75."""
    clip = grating(shaken(0.02, 2.5, 30), 4)
    made = magnify(clip, 30.0, alpha=10, low_hz=0.5, high_hz=10, method="linear", wavelength_px=16)
    assert gain(clip, made, 4, 30) == pytest.approx(2.75, rel=0.15)  # some of it is in the next level


@pytest.mark.parametrize("method", ["phase", "linear"])
@pytest.mark.parametrize("hz", [0.1, 12.5])
def test_motion_outside_the_band_is_left_alone(method, hz):
    """Far below and far above a band of 1 to 4 Hz, 0.2 px are 0.2 px within 10 % at alpha 5."""
    rate, duration = (10, 10.0) if hz < 1 else (50, 2.5)
    clip = grating(shaken(0.2, hz, rate, duration), 16)
    made = magnify(clip, rate, alpha=5, low_hz=1, high_hz=4, method=method)
    assert gain(clip, made, 16, rate) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("method", ["phase", "linear"])
def test_the_frame_rate_changes_nothing(method):
    """The same motion filmed at 30 and at 60 frames per second is magnified alike, to 0.05 px of about 0.6."""
    made = [
        shifts(magnify(grating(shaken(0.1, 2, rate, 2), 16), rate, alpha=5, low_hz=0.5, high_hz=8, method=method), 16)
        for rate in (30, 60)
    ]
    np.testing.assert_allclose(made[1][::2][4:-4], made[0][4:-4], atol=0.05)


@pytest.mark.parametrize("method", ["phase", "linear"])
def test_a_still_clip_stays_as_it_is(method):
    """Without motion nothing changes; neither does anything with alpha 0."""
    still = np.repeat(np.random.default_rng(0).uniform(0, 255, (1, 32, 40)).astype(np.float32), 12, axis=0)
    np.testing.assert_allclose(magnify(still, 30.0, method=method), still, atol=0.01)
    moving = np.random.default_rng(1).uniform(0, 255, (12, 32, 40)).astype(np.float32)
    np.testing.assert_allclose(magnify(moving, 30.0, alpha=0, method=method), moving, atol=0.01)


def test_a_step_since_the_first_frame_is_magnified_to_the_end():
    """Without a lower limit what moved and stays is magnified in the last frame as in any: 0.3 px become 1.8."""
    clip = grating(np.r_[np.zeros(15), np.full(15, 0.3)], 16)
    found = shifts(magnify(clip, 30.0, alpha=5), 16)
    np.testing.assert_allclose(found[[20, 25, 29]] - found[0], 1.8, rtol=0.05)


@pytest.mark.parametrize("method", ["phase", "linear"])
@pytest.mark.parametrize(("rate_hz", "every"), [(20.0, 1), (60.0, 3)])
def test_stretches_make_the_same_as_the_whole(method, rate_hz, every):
    """Cut into stretches of 9 looks the video is the same to half a grey level, and to 0.06 on average."""
    rng = np.random.default_rng(0)
    shift = np.cumsum(rng.normal(0, 0.1, 100))
    clip = grating(shift, 16) + rng.normal(0, 2, (100, 48, 64)).astype(np.float32)
    whole, parts = (
        np.concatenate(list(magnified(clip, rate_hz, low_hz=1, high_hz=3, method=method, every=every, block=block)))
        for block in (100, 9)
    )
    assert len(whole) == len(parts) == 100
    assert np.abs(whole - clip).max() > 10
    assert np.abs(whole - parts).max() < 0.5
    assert np.abs(whole - parts).mean() < 0.06


def test_averages_of_frames_find_the_same_motion():
    """Six looks per period: a shake of 2 Hz at 60 frames per second has its gain within 10 %, each frame its own place."""
    clip = grating(shaken(0.1, 2, 60, 3), 16)
    made = np.concatenate(list(magnified(clip, 60.0, alpha=5, low_hz=0.5, high_hz=5)))
    assert gain(clip, made, 16, 60) == pytest.approx(6, rel=0.1)


def test_what_is_beyond_bytes_is_counted():
    """Levels are rounded first: 255.4 can be kept, 255.6 and -0.6 cannot."""
    made, n = clipped(np.array([[255.4, 255.6], [-0.6, -0.4]], dtype=np.float32))
    assert (made.tolist(), n) == ([[255, 255], [0, 0]], 2)


def test_the_rate_is_that_of_the_steady_steps():
    """Milliseconds of a container round the steps, a gap does not count: 150 Hz, and one step in 299 unsteady."""
    t = np.round(np.arange(300) / 150, 3)
    t[150:] += 0.5
    rate, unsteady = frame_rate(t)
    assert rate == pytest.approx(150, rel=1e-3)
    assert unsteady == pytest.approx(1 / 299)
    with pytest.raises(DataError, match="expected at least two frames, got 1"):
        frame_rate(np.zeros(1))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"high_hz": 15.0}, ConfigError, "less than half of 30 frames per second, got 0 to 15 Hz; faster motion is not in"),
        ({"low_hz": 5.0, "high_hz": 5.0}, ConfigError, "expected a band between 0 Hz and less than half of 30"),
        ({"low_hz": -1.0}, ConfigError, "got -1 to 10 Hz"),
        ({"alpha": -1.0}, ConfigError, "expected alpha and the wavelength to be 0 or more, got -1 and 16 px"),
        ({"method": "fase"}, ConfigError, "no magnification 'fase'; did you mean 'phase'?"),
    ],
)
def test_what_cannot_be_magnified_is_said_before_anything_is_read(change, error, message):
    """One sentence, at the call and not at the first frame."""
    with pytest.raises(error, match=message):
        magnified(np.zeros((8, 32, 32), np.float32), 30.0, **{"low_hz": 0.0, **change})


def test_clips_without_light_levels_are_refused():
    """Too short, too small, not finite."""
    with pytest.raises(DataError, match=r"at least 2 frames of at least 16 px, got \(1, 32, 32\)"):
        magnify(np.zeros((1, 32, 32)), 30.0)
    with pytest.raises(DataError, match=r"got \(4, 12, 32\)"):
        magnify(np.zeros((4, 12, 32)), 30.0)
    with pytest.raises(DataError, match=r"expected grey levels, got values that are not finite; is the face missing\?"):
        magnify(np.full((4, 32, 32), np.nan), 30.0)
    with pytest.raises(ConfigError, match="expected stretches and averages of one frame or more, got 0 and 1"):
        magnified(np.zeros((8, 32, 32), np.float32), 30.0, block=0)


def test_flicker_is_no_motion_to_phases():
    """Light that changes by 1 % at 3 Hz moves nothing: phases leave it alone, levels make it ten times as strong."""
    still = np.random.default_rng(0).uniform(50, 200, (1, 48, 48)).astype(np.float32)
    lit = still * (1 + 0.01 * np.sin(2 * np.pi * 3 * np.arange(60) / 30)[:, None, None]).astype(np.float32)
    added = [
        np.abs(magnify(lit, 30.0, method=method, wavelength_px=0) - lit)[10:-10].max() for method in ("phase", "linear")
    ]
    assert added[0] < 0.05
    assert added[1] > 10
