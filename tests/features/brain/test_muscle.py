"""Muscle over the scalp: planted bursts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmme.features.brain.clean import CleanEeg
from mmme.features.brain.cleaning import EegSettings, read_eeg
from mmme.features.brain.muscle import cell_rms, muscle_overlap
from mmme.features.windows import Windows
from mmme.types import Stream

NAMES = ("FP1", "FP2", "F7", "F8", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2")
FS = 1000.0
BURSTS_S = ((10.0, 10.5), (20.0, 22.0))


def recording(fs: float = FS, front: int = 4) -> Stream:
    """40 s of falling noise; muscle, 20 to 200 Hz and 15 µV, over the first ``front`` channels at known times."""
    rng = np.random.default_rng(3)
    n = round(40 * fs)
    t = np.arange(n) / fs
    common = rng.normal(size=(n, 3)).cumsum(axis=0) @ rng.normal(size=(3, len(NAMES)))
    x = 0.3 * (rng.normal(size=(n, len(NAMES))).cumsum(axis=0) + common)
    emg = np.fft.rfft(rng.normal(size=n))
    f = np.fft.rfftfreq(n, 1 / fs)
    emg = np.fft.irfft(np.where((f > 20) & (f < 200), emg, 0), n)
    on = np.any([(t >= a) & (t < b) for a, b in BURSTS_S], axis=0)
    x[:, :front] += (15 / emg.std() * emg * on)[:, None]
    return Stream("eeg", "eeg", t, 1e-6 * x, "V", fs, NAMES)


@pytest.fixture(scope="module")
def clean() -> CleanEeg:
    """The recording, cleaned."""
    return read_eeg(recording())


def test_a_burst_is_measured_where_it_is(clean: CleanEeg):
    """Share of a window's time, to one cell of 0.1 s: none, half, all; of an expression, of a trial."""
    short = muscle_overlap(clean, Windows(np.array([5.0, 10.0, 10.25, 20.5, 30.0]), 0.5))
    trial = muscle_overlap(clean, Windows(np.array([5.0]), 20.0))

    np.testing.assert_allclose(short, [0.0, 1.0, 0.5, 1.0, 0.0], atol=0.21)
    assert short[0] == short[4] == 0.0
    np.testing.assert_allclose(trial, [2.5 / 20], atol=0.02)


def test_one_channel_is_no_muscle_over_the_scalp():
    """A burst in one of 12 channels, below a tenth: an electrode, not a muscle."""
    assert muscle_overlap(read_eeg(recording(front=1)), Windows(np.array([20.0]), 2.0)).tolist() == [0.0]


def test_noise_of_the_amplifier_is_no_muscle(clean: CleanEeg):
    """A recording with ten times as much fast noise throughout: compared with its own median, nothing stands out."""
    rng = np.random.default_rng(5)
    stream = recording(front=0)
    stream.x[:] += 5e-6 * rng.normal(size=stream.x.shape)
    noisy = read_eeg(stream)

    assert noisy.muscle_uv.mean() > 1.0
    assert muscle_overlap(noisy, Windows(np.array([5.0, 20.0]), 2.0)).tolist() == [0.0, 0.0]
    assert clean.muscle_uv.shape == noisy.muscle_uv.shape == (12, 400)


def test_where_it_cannot_be_known_it_is_nan(clean: CleanEeg):
    """Outside the recording, over missing samples, at a rate that does not carry 95 Hz, in a refused recording."""
    windows = Windows(np.array([-1.0, 5.0, 39.5]), 1.0)
    assert np.isnan(muscle_overlap(clean, windows)).tolist() == [True, False, True]
    torn = recording()
    torn.x[5200] = np.nan
    assert np.isnan(muscle_overlap(read_eeg(torn), windows)[1])
    slow = read_eeg(recording(200.0))
    assert slow.muscle_uv.shape == (12, 0)
    assert np.isnan(muscle_overlap(slow, windows)).all()
    assert np.isnan(muscle_overlap(replace(clean, refused="something"), windows)).all()


def test_it_is_measured_before_the_low_pass():
    """A low-pass at 30 Hz changes nothing about muscle."""
    low = read_eeg(recording(), EegSettings(high_hz=30.0))
    np.testing.assert_allclose(low.muscle_uv, read_eeg(recording()).muscle_uv, rtol=1e-3, atol=1e-3)


def test_a_sine_in_the_band_has_its_root_mean_square(clean: CleanEeg):
    """80 Hz of 10 µV in amplitude: 7.07 µV in every cell; 20 Hz: nothing."""
    t = np.arange(10_000) / 250
    x = 10 * np.sin(2 * np.pi * 80 * t)[:, None] * np.ones(4) + np.random.default_rng(0).normal(size=(10_000, 4)) * 0.1
    stream = Stream("eeg", "eeg", t, 1e-6 * x, "V", 250.0, NAMES[:4])
    inner = read_eeg(stream).muscle_uv[:, 5:-5]

    np.testing.assert_allclose(inner, 10 / np.sqrt(2), rtol=0.05)
    np.testing.assert_allclose(cell_rms(np.full(50, 2, dtype=np.float32), 250.0), [2.0, 2.0])


def test_the_verdict_names_muscle(clean: CleanEeg):
    """Seconds of the second burst, in the channels it reaches, and in no other channel."""
    code = clean.verdict.causes.index("muscle above 5 µV") + 1
    marked = clean.verdict.codes == code

    assert marked[:4, 20:22].all()
    assert not marked[4:].any()
    assert not marked[:, :10].any()
