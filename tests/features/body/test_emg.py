"""Muscle activity around a moment, against planted bursts."""

import pickle

import neurokit2 as nk
import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from mmme.errors import DataError
from mmme.features.body.emg import COLUMNS, emg_columns, emg_features, read_emg
from mmme.features.windows import Occasions, Windows
from mmme.interval import Interval
from mmme.simulate.body import emg_mv
from mmme.simulate.expressions import TrueExpression
from mmme.types import Sample, Stream


def moments(*apexes):
    return [Sample(f"S01-{i}", "S01", "sad-1", "sad", a, a, a, Interval(0.0, 1e4)) for i, a in enumerate(apexes)]


def noise(seconds, fs=1000.0, uv=4.0, seed=0):
    return uv * 1e-6 * np.random.default_rng(seed).standard_normal(int(seconds * fs))


def emg(x, fs=1000.0, unit="V", name="emg"):
    return Stream(name, "biopac", np.arange(len(x)) / fs, x, unit, fs)


def burst(x, start, stop, times, fs=1000.0):
    x = x.copy()
    x[int(start * fs) : int(stop * fs)] *= times
    return x


def column(table, name):
    return table.X[:, table.columns.index(name)]


def why(table, name):
    return [table.reasons[i] for i in table.reason[:, table.columns.index(name)]]


def test_a_burst_has_its_strength_and_change():
    """Noise of 4 µV, tenfold from 29 to 31 s: RMS, peak and change; the band keeps 430 of 500 Hz of white noise."""
    x = burst(noise(60), 29.0, 31.0, 10.0)
    table = emg_features(emg(x), moments(30.0, 50.0))
    kept = np.sqrt(430 / 500)

    np.testing.assert_allclose(column(table, "emg_a_rms_uv"), np.array([40, 4]) * kept, rtol=0.03)
    np.testing.assert_allclose(column(table, "emg_a_change"), [np.log(10), 0], atol=0.05)
    np.testing.assert_allclose(column(table, "emg_a_log_rms"), np.log(np.array([40, 4]) * kept), atol=0.05)
    assert 40 * kept < column(table, "emg_a_peak_uv")[0] < 1.6 * 40 * kept
    assert set(why(table, "emg_b_rms_uv")) == {"no second EMG channel"}


def test_onsets_are_found_where_they_were_planted():
    """120 bursts of 0.3 s, five times rest, at random moments: 98 % found, median error below 10 ms, 95 % within 25 ms."""
    rng = np.random.default_rng(2)
    onsets = 10.0 + np.cumsum(rng.uniform(5.0, 8.0, 120))
    x = noise(onsets[-1] + 10)
    for onset in onsets:
        x = burst(x, onset, onset + 0.3, 5.0)
    apexes = onsets + rng.uniform(0.1, 0.5, 120)
    error = column(emg_features(emg(x), moments(*apexes)), "emg_a_onset_s") + apexes - onsets
    found = np.isfinite(error)

    assert found.mean() >= 0.98
    error = np.abs(error[found])
    assert np.median(error) < 0.010
    assert np.percentile(error, 95) < 0.025


def test_rest_has_no_onset():
    """200 windows of 2 s without a burst: at most one in ten crosses 3 SD for 50 ms; the reason says there is none."""
    x = noise(900, seed=7)
    table = emg_features(emg(x), moments(*np.arange(10.0, 810.0, 4.0)))

    assert np.isfinite(column(table, "emg_a_onset_s")).mean() < 0.10
    assert set(why(table, "emg_a_onset_s")) <= {"no activity 3 SD above the baseline", ""}


def test_simulated_expressions_move_the_muscle():
    """An expression from 20 to 20.5 s: activity rises after its onset and before its apex."""
    smile = TrueExpression("micro", "happy", ("AU12",), 20.0, 20.25, 20.5, 1.0)
    t = np.arange(40_000) / 1000
    table = emg_features(emg(1e-3 * emg_mv(np.random.default_rng(0), t, [smile])), moments(20.25))

    assert -0.25 < column(table, "emg_a_onset_s")[0] < 0.0
    assert column(table, "emg_a_change")[0] > 0.3


def test_the_median_frequency_is_that_of_the_band():
    """Noise between 60 and 140 Hz: half of its power lies below 100 Hz, within 3 Hz."""
    sos = butter(6, (60, 140), "bandpass", fs=1000, output="sos")
    table = emg_features(emg(sosfiltfilt(sos, noise(60, uv=40))), moments(30.0))

    assert column(table, "emg_a_median_hz")[0] == pytest.approx(100, abs=3)


def test_envelopes_are_those_of_neurokit():
    """Bursts of nk.emg_simulate, rectified by NeuroKit2: means of windows rise and fall together, r above 0.95."""
    x = nk.emg_simulate(duration=60, sampling_rate=1000, burst_number=12, burst_duration=1.0, noise=0.02, random_state=0)
    theirs = nk.emg_amplitude(nk.signal_filter(x, 1000, lowcut=20, highcut=450))
    starts = np.arange(5.0, 53.0, 1.0)
    ours = emg_columns(read_emg(emg(x * 1e-5)), Occasions(Windows(starts, 1.0), None, starts))["emg_a_rms_uv"][0]
    means = np.array([theirs[int(s * 1000) : int(s * 1000) + 1000].mean() for s in starts])

    assert np.corrcoef(ours, means)[0, 1] > 0.95


def test_two_channels_and_two_streams_are_two_muscles():
    """A and B as columns of one stream, or as streams of their own."""
    a, b = burst(noise(60), 29.0, 31.0, 10.0), burst(noise(60, seed=1), 29.0, 31.0, 3.0)
    together = emg_features(emg(np.column_stack([a, b])), moments(30.0))
    apart = emg_features(emg(a), moments(30.0), second=emg(b, name="emg_b"))

    np.testing.assert_allclose(together.X, apart.X, rtol=1e-5)
    assert column(together, "emg_b_change")[0] == pytest.approx(np.log(3), abs=0.06)
    assert read_emg(emg(np.column_stack([a, b]))).verdict.parts == ("emg_a", "emg_b")
    with pytest.raises(DataError, match="stream 'emg_b': expected one channel of a second muscle, got 2"):
        read_emg(emg(a), emg(np.column_stack([a, b]), name="emg_b"))


def test_what_speaks_against_a_channel():
    """Flat, cut off, a moved cable, hum: each second by its name, and windows that touch them have no value."""
    x = noise(60, uv=20.0)
    x[10_000:14_000] = 0.0
    x[30_000:33_000] = 8e-3 * np.sign(np.sin(2 * np.pi * 60 * np.arange(3000) / 1000 + 0.1))
    x[20_000:24_000] += 1e-4 * np.sin(2 * np.pi * 50 * np.arange(4000) / 1000)
    read = read_emg(emg(x))
    causes = read.verdict.index(Windows(np.array([5.0, 11.0, 21.0, 31.0]), 2.0))[1].tolist()

    assert causes == ["", "signal is flat", "mains hum exceeds muscle", "signal is clipped"]
    at = np.array([12.0, 31.5])
    columns = emg_columns(read, Occasions(Windows(at - 1, 2.0), Windows(at - 3, 2.0), at))
    assert columns["emg_a_rms_uv"][1].tolist() == ["signal is flat in the window", "signal is clipped in the window"]
    loose = noise(60, uv=20.0)
    loose[30_000:33_000] *= 1000.0
    assert why(emg_features(emg(loose), moments(31.0)), "emg_a_rms_uv") == ["above 5 mV in the window"]


def test_places_without_support_have_reasons():
    """Outside, missing samples, short baselines and windows, no event, no baseline."""
    x = noise(60)
    x[30_000] = np.nan
    table = emg_features(emg(x), moments(0.5, 30.0, 40.0), baseline_s=0.5)

    assert why(table, "emg_a_rms_uv") == ["window leaves the recording", "window touches missing samples", ""]
    assert why(table, "emg_a_onset_s")[2] == "baseline 0.5 s, needs 1 s"
    short = emg_features(emg(noise(60)), moments(30.0), before_s=0.2, after_s=0.2)
    assert why(short, "emg_a_median_hz") == ["window 0.4 s, needs 1 s"]
    rest = emg_columns(read_emg(emg(noise(60))), Occasions(Windows(np.array([20.0]), 10.0), None, np.array([np.nan])))
    assert tuple(rest) == COLUMNS
    assert rest["emg_a_change"][1].tolist() == ["no baseline to compare with"]
    assert rest["emg_a_rms_uv"][1].tolist() == [""]


def test_slow_flat_short_and_wrong_unit():
    """A rate below 200 Hz, a dead channel, and a few seconds give reasons; millivolts an error."""
    assert set(why(emg_features(emg(noise(60, 100.0), 100.0), moments(30.0)), "emg_a_change")) == {
        "EMG at 100 Hz, needs 200 Hz"
    }
    assert why(emg_features(emg(np.zeros(60_000)), moments(30.0)), "emg_a_change") == ["channel is flat"]
    assert why(emg_features(emg(noise(3)), moments(1.0)), "emg_a_change") == ["recording shorter than 5 s"]
    with pytest.raises(DataError, match="stream 'emg': expected unit V, got mV"):
        read_emg(emg(noise(60), unit="mV"))


def test_a_channel_that_is_off_costs_only_itself():
    """B is dead, A is described."""
    table = emg_features(emg(np.column_stack([noise(60), np.zeros(60_000)])), moments(30.0))

    assert why(table, "emg_a_rms_uv") == [""]
    assert why(table, "emg_b_rms_uv") == ["channel is flat"]


@pytest.mark.parametrize("fs", [512.0, 1000.0, 2048.0])
def test_the_rate_does_not_matter(fs):
    """The same band-limited burst at other rates: RMS within 6 %, median frequency within 4 Hz."""
    sos = butter(4, (40, 180), "bandpass", fs=fs, output="sos")
    x = sosfiltfilt(sos, noise(60, fs, uv=40.0, seed=4) * np.sqrt(fs / 1000))
    table = emg_features(emg(x, fs), moments(30.0), before_s=20.0, after_s=20.0)

    assert column(table, "emg_a_rms_uv")[0] == pytest.approx(40 * np.sqrt(140 / 500), rel=0.06)
    assert column(table, "emg_a_median_hz")[0] == pytest.approx(108, abs=4)


def test_what_is_kept_is_small_and_travels():
    """75 minutes of two channels keep less than 15 MB; workers get it by pickle."""
    kept = pickle.dumps(read_emg(emg(np.column_stack([noise(60), noise(60, seed=1)]))))

    assert len(kept) * 75 < 15e6
    assert len(pickle.loads(kept).channels) == 2
