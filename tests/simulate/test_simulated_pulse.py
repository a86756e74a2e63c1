"""Simulated faces in colour: what is planted in the skin is there, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from mmme.errors import ConfigError
from mmme.simulate import SKIN_TONES, simulate_pulse_clip
from mmme.simulate.render import draw_sway, head_inverse


def test_the_planted_wave_is_in_the_skin_and_only_there():
    """Mean colour of a cheek follows the planted wave in its three shares within 10 %; a corner of the frame does not."""
    t, frames, truth = simulate_pulse_clip(1, bpm=72.0, pulse=0.02, noise=0.5, duration_s=5.0, frame_px=96)
    x, y = np.rint(np.mean([truth.face.landmarks[f"nose_side_{side}"] for side in ("left", "right")], axis=0)).astype(int)
    cheek = frames[:, y - 4 : y + 5, x - 8 : x + 9].reshape(len(t), -1, 3).mean(axis=1)
    relative = cheek / cheek.mean(axis=0) - 1
    slopes = (relative * truth.wave[:, None]).sum(axis=0) / (truth.wave**2).sum()
    np.testing.assert_allclose(slopes, np.array([0.33, 0.77, 0.53]) / 0.77, rtol=0.1)
    corner = frames[:, :6, :6].reshape(len(t), -1, 3).mean(axis=1)
    assert np.abs(corner / corner.mean(axis=0) - 1).max() < 0.01
    f = np.fft.rfftfreq(8 * len(t), 1 / 30)
    assert 60 * f[np.abs(np.fft.rfft(truth.wave, 8 * len(t))).argmax()] == pytest.approx(72.0, abs=3.0)


def test_rates_are_those_asked_for_at_any_frame_rate():
    """The wave turns as often as the rate says, whatever the frames per second."""
    for fps in (15.0, 200.0):
        t, frames, truth = simulate_pulse_clip(3, bpm=120.0, fps=fps, duration_s=2.0, frame_px=32, breathing_bpm=0.0)
        assert (len(t), frames.dtype, frames.shape[1:]) == (round(2 * fps), np.uint8, (32, 32, 3))
        np.testing.assert_allclose(truth.bpm, 120.0)
        spectrum = np.abs(np.fft.rfft(truth.wave))
        assert np.fft.rfftfreq(len(t), 1 / fps)[spectrum.argmax()] == pytest.approx(2.0)


def test_without_pulse_noise_and_movement_every_frame_is_the_same():
    """A photograph."""
    _, frames, truth = simulate_pulse_clip(1, pulse=0.0, noise=0.0, duration_s=0.5, frame_px=48)
    assert not truth.wave.any()
    assert (frames == frames[0]).all()


def test_darker_skin_is_darker_and_pulses_less():
    """Tones are ordered in brightness and in the size of the pulse; equal seeds give equal frames."""
    made = {tone: simulate_pulse_clip(1, tone=tone, duration_s=0.4, frame_px=48) for tone in SKIN_TONES}
    assert made["light"][1].mean() > made["medium"][1].mean() > made["dark"][1].mean()
    assert made["light"][2].wave.std() > made["medium"][2].wave.std() > made["dark"][2].wave.std()
    again = simulate_pulse_clip(1, tone="dark", duration_s=0.4, frame_px=48)
    np.testing.assert_array_equal(again[1], made["dark"][1])


def test_the_head_is_found_where_it_was_moved_to():
    """The map of a shifted and turned head takes a position in the frame back to the head at rest."""
    _, _, truth = simulate_pulse_clip(1, duration_s=0.2, frame_px=32)
    turn, shift, centre = 0.1, np.array([3.0, -2.0]), np.full(2, 15.5)
    rest = np.array([20.0, 12.0])
    c, s = np.cos(turn), np.sin(turn)
    seen = centre + shift + np.array([[c, -s], [s, c]]) @ (rest - centre)
    inverse = head_inverse(truth.face, np.array([[*shift, turn]]))[0]
    np.testing.assert_allclose(inverse @ [*seen, 1.0], rest, atol=1e-9)
    assert draw_sway(np.random.default_rng(0), 0.0).at(np.zeros(1)).tolist() == [[0.0] * 4]


def test_what_cannot_be_simulated_is_refused():
    """Unknown tones get the list; lengths and rates must be positive."""
    with pytest.raises(ConfigError, match="no skin tone 'lihgt'; did you mean 'light'"):
        simulate_pulse_clip(1, tone="lihgt")
    with pytest.raises(ConfigError, match="clip: expected positive rates, at least one frame and at least 16 px, got"):
        simulate_pulse_clip(1, bpm=0.0)
