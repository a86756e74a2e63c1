"""Rates and variability by counting, against hand computation and NeuroKit2."""

import neurokit2 as nk
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmme.features.body.beats import Beats, beats_from, rate, rate_slope, rmssd_sdnn, spectral_power
from mmme.features.sampling import Regular
from mmme.features.windows import Windows


def at(times):
    times = np.asarray(times, dtype=float)
    return Beats(times, np.ones(max(times.size - 1, 0), dtype=bool))


def quiet(duration_s=400.0, fs=100.0):
    n = int(duration_s * fs)
    return Regular(np.arange(n) / fs, np.zeros(n), np.zeros(n, dtype=bool), fs)


@given(bpm=st.floats(40, 150), start=st.floats(1, 50), length=st.floats(3, 40))
@settings(max_examples=40, deadline=None)
def test_a_constant_rate_is_found_in_any_window(bpm, start, length):
    """The rate does not depend on where the window cuts the intervals."""
    per_minute, n, covered = rate(at(np.arange(0, 100, 60 / bpm)), Windows(np.array([start]), length))

    assert per_minute[0] == pytest.approx(bpm, rel=1e-9)
    assert n[0] == pytest.approx(length * bpm / 60, rel=1e-9)
    assert covered[0] == pytest.approx(1.0)


def test_a_missed_beat_takes_its_time_out_of_the_window():
    """One interval of 2 s in a window of 8 s at 60 bpm: rate still 60, three quarters covered."""
    t = np.delete(np.arange(0.0, 60.0), 30)
    beats = beats_from(t, quiet(), shortest_s=0.33, longest_s=2.5, even=True)
    per_minute, _, covered = rate(beats, Windows(np.array([26.0]), 8.0))

    assert np.flatnonzero(~beats.accepted).tolist() == [29]
    assert (per_minute[0], covered[0]) == pytest.approx((60.0, 0.75))


def test_intervals_over_missing_samples_are_set_aside():
    """No interval is believed across a gap in the signal."""
    s = quiet(60.0)
    s.bad[1550:1560] = True
    beats = beats_from(np.arange(0.0, 60.0), s, shortest_s=0.33, longest_s=2.0, even=True)

    assert np.flatnonzero(~beats.accepted).tolist() == [15]


def test_no_beats_no_rate_no_crash():
    """Zero or one beat has no interval."""
    for times in ([], [1.0]):
        beats = beats_from(np.array(times), quiet(10.0), shortest_s=0.33, longest_s=2.0, even=True)
        w = Windows(np.array([0.0]), 5.0)
        assert np.isnan(rate(beats, w)[0][0])
        assert np.isnan(rmssd_sdnn(beats, w)[0][0])
        assert np.isnan(rate_slope(beats, w)[0])
        assert np.isnan(spectral_power(beats, w, ((0.15, 0.4),))[0, 0])


def test_rmssd_and_sdnn_are_those_of_neurokit():
    """All beats of a recording in one window: NeuroKit2's values to 1e-6 ms."""
    peaks_ms = np.cumsum(np.random.default_rng(3).normal(800, 40, 200)).astype(int)
    expected = nk.hrv_time(peaks_ms, sampling_rate=1000)
    rmssd, sdnn, aside = rmssd_sdnn(at(peaks_ms / 1e3), Windows(np.array([0.0]), 400.0))

    assert rmssd[0] == pytest.approx(float(expected["HRV_RMSSD"].iloc[0]), abs=1e-6)
    assert sdnn[0] == pytest.approx(float(expected["HRV_SDNN"].iloc[0]), abs=1e-6)
    assert aside[0] == 0


def test_variability_counts_whole_intervals_of_the_window_only():
    """Per-window sums equal a plain loop over the intervals inside, with some set aside."""
    rng = np.random.default_rng(5)
    t = np.cumsum(rng.uniform(0.6, 1.1, 300))
    beats = Beats(t, rng.random(299) > 0.1)
    starts = rng.uniform(0, 150, 20)
    rmssd, sdnn, aside = rmssd_sdnn(beats, Windows(starts, 40.0))
    for i, start in enumerate(starts):
        inside = [j for j in range(299) if start <= t[j] and t[j + 1] < start + 40]
        kept = [1e3 * (t[j + 1] - t[j]) for j in inside if beats.accepted[j]]
        pairs = [j for j in inside[:-1] if beats.accepted[j] and beats.accepted[j + 1]]
        steps = [1e3 * ((t[j + 2] - t[j + 1]) - (t[j + 1] - t[j])) for j in pairs]
        assert rmssd[i] == pytest.approx(np.sqrt(np.mean(np.square(steps))))
        assert sdnn[i] == pytest.approx(np.std(kept, ddof=1))
        assert aside[i] == pytest.approx(1 - len(kept) / len(inside))


@pytest.mark.parametrize("length", [60.0, 120.0, 300.0])
def test_high_frequency_power_does_not_depend_on_the_length_of_the_window(length):
    """A 50 ms sine at 0.25 Hz in the intervals has 1250 ms² of power, whatever the window (within 6 %)."""
    t = [0.0]
    while t[-1] < 400:
        t.append(t[-1] + 0.8 + 0.05 * np.sin(2 * np.pi * 0.25 * t[-1]))
    power = spectral_power(at(t), Windows(np.array([20.0, 50.3]), length), ((0.15, 0.40), (0.04, 0.15)))

    np.testing.assert_allclose(power[:, 0], 1250, rtol=0.06)
    assert np.all(power[:, 1] < 15)


def test_power_is_that_of_neurokit_without_normalisation():
    """Welch of NeuroKit2 on the same beats, ``normalize=False``: within 15 % for HF of 5 minutes."""
    t = [0.0]
    rng = np.random.default_rng(2)
    while t[-1] < 300:
        fast, slow = np.sin(2 * np.pi * 0.25 * t[-1]), np.sin(2 * np.pi * 0.1 * t[-1])
        t.append(t[-1] + 0.85 + 0.04 * fast + 0.03 * slow + rng.normal(0, 0.005))
    theirs = nk.hrv_frequency((np.array(t) * 1000).astype(int), sampling_rate=1000, normalize=False)
    ours = spectral_power(at(t), Windows(np.array([2.0]), 296.0), ((0.15, 0.40), (0.04, 0.15)))

    assert ours[0, 0] == pytest.approx(float(theirs["HRV_HF"].iloc[0]), rel=0.15)
    assert ours[0, 1] == pytest.approx(float(theirs["HRV_LF"].iloc[0]), rel=0.15)


def test_slope_of_a_rate_that_rises_linearly():
    """Beats of a rate of 60 + 1 bpm per second: slope 1 bpm/s within 0.05."""
    t = [0.0]
    while t[-1] < 30:
        t.append(t[-1] + 60 / (60 + t[-1]))
    np.testing.assert_allclose(rate_slope(at(t), Windows(np.array([8.0, 15.0]), 4.0)), 1.0, atol=0.05)
