"""Heart rate around a moment, against planted beats and plain NeuroKit2."""

from pathlib import Path

import neurokit2 as nk
import numpy as np
import pandas as pd
import pytest

from mmme.errors import DataError
from mmme.features.body.ecg import COLUMNS, ecg_features
from mmme.features.body.heart_detection import ecg_beats
from mmme.features.sampling import regular
from mmme.interval import Interval
from mmme.types import Sample, Stream

PHYSIO = Path(__file__).parents[4] / "shared" / "data" / "physio"


def moments(*apexes):
    return [Sample(f"S01-{i}", "S01", "sad-1", "sad", a, a, a, Interval(0.0, 1e4)) for i, a in enumerate(apexes)]


def ecg(beats, duration_s, fs=500.0, *, sign=1.0, noise_v=1e-5):
    """Waves of a heart beat as Gaussians: small P, sharp R, T a quarter second later, on wandering baseline."""
    t = np.arange(int(duration_s * fs)) / fs
    x = 2e-4 * np.sin(2 * np.pi * 0.2 * t) + np.random.default_rng(0).normal(0, noise_v, t.size)
    for lag, width, height in ((-0.16, 0.025, 1e-4), (0.0, 0.010, 1e-3), (0.25, 0.04, 2.5e-4)):
        for b in beats:
            near = np.abs(t - b - lag) < 6 * width
            x[near] += sign * height * np.exp(-0.5 * ((t[near] - b - lag) / width) ** 2)
    return Stream("ecg", "biopac", t, x, "V", fs)


def column(table, name):
    return table.X[:, table.columns.index(name)]


def why(table, name):
    return [table.reasons[i] for i in table.reason[:, table.columns.index(name)]]


STEP = np.concatenate([np.arange(0.5, 40.0, 1.0), 40.5 + np.arange(0, 39, 0.8)])  # 60, then 75 beats a minute from 40.5 s


def test_a_step_from_60_to_75_is_found_where_it_is():
    """Window and baseline before, on both sides of and after the step: levels and changes within 0.8 bpm."""
    table = ecg_features(ecg(STEP, 80.0), moments(20.0, 42.5, 60.0))

    np.testing.assert_allclose(column(table, "hr_bpm"), [60, 75, 75], atol=0.8)
    np.testing.assert_allclose(column(table, "hr_change_bpm"), [0, 15, 0], atol=0.8)
    np.testing.assert_allclose(column(table, "hr_acceleration_bpm"), [0, 15, 0], atol=0.8)
    slope = column(table, "hr_slope_bpm_per_s")
    assert np.all(np.abs(slope[[0, 2]]) < 0.1)
    rising = ecg_features(ecg(STEP, 80.0), moments(40.5))
    assert column(rising, "hr_slope_bpm_per_s")[0] > 3


def test_windows_may_overlap_and_come_in_any_order():
    """A row depends on its own moment only."""
    stream = ecg(STEP, 80.0)
    together = ecg_features(stream, moments(50.0, 20.0, 20.1, 20.2))
    for i, apex in enumerate((50.0, 20.0, 20.1, 20.2)):
        np.testing.assert_allclose(together.X[i], ecg_features(stream, moments(apex)).X[0], rtol=1e-6, atol=1e-9)


def test_an_inverted_ecg_gives_the_same_beats_and_says_so():
    """Exchanged electrodes turn the signal; its beats stay, and the origin of the table tells."""
    up, down = ecg_features(ecg(STEP, 80.0), moments(20.0)), ecg_features(ecg(STEP, 80.0, sign=-1.0), moments(20.0))

    assert (up.origin["ecg_polarity"], down.origin["ecg_polarity"]) == ("upright", "inverted")
    steady = [
        i for i, name in enumerate(up.columns) if name != "hr_deceleration_s"
    ]  # of a steady rate, any moment is lowest
    np.testing.assert_allclose(up.X[:, steady], down.X[:, steady], atol=0.3)


def test_variability_is_refused_in_short_windows():
    """A 7 s window supports a rate only; each measure says what it needs."""
    table = ecg_features(ecg(STEP, 80.0), moments(20.0))

    assert why(table, "hrv_rmssd_ms") == ["window 7 s, needs 30 s"]
    assert why(table, "hrv_hf_ms2") == ["window 7 s, needs 60 s"]
    assert why(table, "hrv_lfhf") == ["window 7 s, needs 120 s"]
    assert np.isnan(column(table, "hrv_sdnn_ms")[0])


def test_variability_of_long_windows_is_that_of_the_planted_beats():
    """RMSSD of alternating 0.95 and 1.05 s intervals is 100 ms (within 2); LF still refused below 120 s."""
    beats = 0.5 + np.cumsum(np.tile([0.95, 1.05], 60))
    table = ecg_features(ecg(beats, 120.0, 1000.0), moments(40.0), before_s=30.0, after_s=40.0)

    assert column(table, "hrv_rmssd_ms")[0] == pytest.approx(100.0, abs=2.0)
    assert column(table, "hrv_sdnn_ms")[0] == pytest.approx(50.0, abs=1.5)
    assert table.valid[0, table.columns.index("hrv_hf_ms2")]
    assert why(table, "hrv_lf_ms2") == ["window 70 s, needs 120 s"]


def test_windows_that_leave_the_recording_have_no_value():
    """Window before the start or after the end; a baseline before the start costs only the change."""
    table = ecg_features(ecg(STEP, 80.0), moments(1.0, 3.0, 76.0))

    assert why(table, "hr_bpm") == ["window leaves the recording", "", "window leaves the recording"]
    assert why(table, "hr_change_bpm")[1] == "baseline leaves the recording"


def test_missing_samples_invalidate_the_windows_they_touch_only():
    """NaN at 30.0 to 30.5 s: windows [28, 35) and the baseline of [33, 40) touch it, [31, 38) does not."""
    stream = ecg(STEP, 80.0)
    stream.x[15000:15250] = np.nan
    table = ecg_features(stream, moments(30.0, 35.5, 60.0))

    assert why(table, "hr_bpm") == ["window touches missing samples", "", ""]
    assert why(table, "hr_change_bpm") == ["window touches missing samples", "baseline touches missing samples", ""]


def test_beats_of_other_times_do_not_suffer_from_an_artefact():
    """A 20 mV artefact of 0.3 s at 60 s leaves the rate at 20 s and 40 s as it was."""
    clean, dirty = ecg(STEP, 80.0), ecg(STEP, 80.0)
    dirty.x[30000:30150] += 20e-3
    a, b = ecg_features(clean, moments(20.0, 47.0)), ecg_features(dirty, moments(20.0, 47.0))

    np.testing.assert_allclose(column(a, "hr_bpm"), column(b, "hr_bpm"), atol=0.2)


@pytest.mark.parametrize(
    ("x", "reason"),
    [
        (np.zeros(10000), "channel is flat"),
        (np.random.default_rng(0).normal(size=400), "recording shorter than 5 s"),
        (np.full(10000, np.nan), "more than half of the recording is missing"),
    ],
)
def test_unusable_recordings_give_reasons_not_crashes(x, reason):
    """Every value is NaN for one reason."""
    stream = Stream("ecg", "biopac", np.arange(x.size) / 100, x, "V", 100.0)
    table = ecg_features(stream, moments(2.0))

    assert table.reasons == ("", reason)
    assert np.isnan(table.X).all()
    assert table.columns == COLUMNS


@pytest.mark.parametrize("kind", ["ramp", "noise", "step"])
def test_signals_without_a_heart_do_not_crash(kind):
    """No beats: no rate, with a reason; noise may by chance look like beats, but never crashes."""
    n = 6000
    x = {
        "ramp": np.linspace(0, 1, n),
        "noise": np.random.default_rng(1).normal(size=n),
        "step": np.r_[np.zeros(n // 2), np.ones(n // 2)],
    }
    table = ecg_features(Stream("ecg", "biopac", np.arange(n) / 250, x[kind], "V", 250.0), moments(12.0))

    assert table.X.shape == (1, len(COLUMNS))


def test_millivolts_are_refused():
    """Units are converted where a file is read, not guessed here."""
    stream = ecg(STEP, 80.0)
    with pytest.raises(DataError, match=r"stream 'ecg': expected unit V, got mV; convert it where the file is read"):
        ecg_features(Stream("ecg", "biopac", stream.t, stream.x, "mV", 500.0), moments(20.0))


def test_no_samples_give_an_empty_table():
    """A trial without moments is no error."""
    assert ecg_features(ecg(STEP, 80.0), []).X.shape == (0, len(COLUMNS))


@pytest.mark.skipif(not PHYSIO.exists(), reason="real recordings are not next to the project")
def test_r_peaks_of_a_real_ecg_are_those_of_plain_neurokit():
    """Detection at 250 Hz and refinement agree with NeuroKit2 at 1000 Hz: as many beats, each within 2 ms."""
    x = pd.read_csv(PHYSIO / "ecg_1000hz.csv")["ECG"].to_numpy()
    plain = nk.ecg_peaks(nk.ecg_clean(x, sampling_rate=1000), sampling_rate=1000)[1]["ECG_R_Peaks"]
    ours, inverted = ecg_beats(regular(Stream("ecg", "biopac", np.arange(x.size) / 1000, x, "V", 1000.0)))

    assert not inverted
    assert ours.size == len(plain)
    np.testing.assert_allclose(ours, np.asarray(plain) / 1000, atol=0.002 + 1e-9)


@pytest.mark.skipif(not PHYSIO.exists(), reason="real recordings are not next to the project")
@pytest.mark.parametrize("name", ["bio_eventrelated_100hz.csv", "bio_resting_5min_100hz.csv"])
def test_real_recordings_give_plausible_rates(name):
    """Rates of 45 to 120 bpm in more than 90 % of sliding windows of real ECG at 100 Hz."""
    x = pd.read_csv(PHYSIO / name)["ECG"].to_numpy()
    at = np.arange(10, x.size / 100 - 10, 0.5)
    table = ecg_features(Stream("ecg", "biopac", np.arange(x.size) / 100, x, "V", 100.0), moments(*at))
    hr = column(table, "hr_bpm")

    assert np.isfinite(hr).mean() > 0.9
    assert np.nanmin(hr) > 45
    assert np.nanmax(hr) < 120
