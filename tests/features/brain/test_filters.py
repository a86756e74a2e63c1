"""Zero-phase FIR filters against MNE."""

from __future__ import annotations

import mne
import numpy as np
import pytest

from mmme.features.brain.filters import apply_fir, band_pass, filtered_rows, notched


def noise(n: int, channels: int = 3) -> np.ndarray:
    """White noise on a drift and an offset [µV]."""
    rng = np.random.default_rng(n)
    return (10 * rng.normal(size=(channels, n)) + np.linspace(0, 200, n) - 500).astype(np.float32)


@pytest.mark.parametrize("n", [2500, 16_384, 40_001])
def test_the_band_pass_is_mne_s(n: int):
    """0.5 to 45 Hz at 250 Hz: as `raw.filter` in double precision, to 1e-5 of the size, ends included."""
    x = noise(n)
    h, text = band_pass(250.0, 0.5, 45.0, n_times=n)
    raw = mne.io.RawArray(x.astype(np.float64), mne.create_info(3, 250.0, "eeg"), verbose="ERROR")
    expected = raw.filter(0.5, 45.0, verbose="ERROR").get_data()

    assert "1651 taps (6.6 s)" in text
    got = apply_fir(x, h)
    assert np.sqrt(np.mean((got - expected) ** 2)) < 1e-5 * expected.std()
    assert np.abs(got - expected).max() < 1e-4 * np.abs(expected).max()


def test_a_recording_shorter_than_the_filter_is_filtered_and_said():
    """5 s with 6.6 s of taps: as MNE does, which pads; the text says that the filter is longer."""
    x = noise(1250)
    h, text = band_pass(250.0, 0.5, 45.0, n_times=1250)
    raw = mne.io.RawArray(x.astype(np.float64), mne.create_info(3, 250.0, "eeg"), verbose="ERROR")
    expected = raw.filter(0.5, 45.0, verbose="ERROR").get_data()

    assert "longer than the recording of 5.0 s" in text
    np.testing.assert_allclose(apply_fir(x, h), expected, atol=1e-3)


def test_several_filters_of_one_pass_are_each_their_own():
    """A row through two kernels of different lengths at once: as each alone."""
    x = noise(30_000)
    kernels = [band_pass(250.0, 0.5, 45.0, n_times=30_000)[0], band_pass(250.0, 8.0, 13.0, n_times=30_000)[0]]
    together = [[made.copy() for made in row] for row in filtered_rows(x, kernels)]

    for k, kernel in enumerate(kernels):
        np.testing.assert_allclose([row[k] for row in together], apply_fir(x, kernel), atol=2e-3)


def test_in_place_is_the_same():
    """The result may go where the signal was."""
    x = noise(20_000)
    h = band_pass(250.0, 1.0, 40.0, n_times=20_000)[0]
    expected = apply_fir(x, h)

    assert apply_fir(x, h, out=x) is x
    np.testing.assert_array_equal(x, expected)


def test_a_rate_that_does_not_reach_the_upper_edge_has_none():
    """At 90 Hz, 45 Hz is half the rate: only slow drifts are taken out."""
    assert band_pass(90.0, 0.5, 45.0, n_times=9000)[1].startswith("0.5 Hz up, ")


def test_the_notch_takes_the_line_and_leaves_the_rest():
    """50 Hz down by 40 dB at least, 10 Hz unchanged, harmonics included; nothing to do where the rate is too low."""
    t = np.arange(20_000) / 250
    x = (10 * np.sin(2 * np.pi * 10 * t) + 10 * np.sin(2 * np.pi * 50 * t))[None].astype(np.float32)
    power = np.abs(np.fft.rfft(notched(x, 250.0, 50.0)[0])) / 20_000 * 2

    assert power[50 * 80] < 0.1
    assert power[10 * 80] == pytest.approx(10.0, rel=0.01)
    np.testing.assert_array_equal(notched(x, 90.0, 50.0), x)
