"""Pulse rate and pulse wave around a moment, against planted pulses."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mmme.errors import DataError
from mmme.features.body.ecg import ecg_features
from mmme.features.body.ppg import COLUMNS, ppg_features
from mmme.interval import Interval
from mmme.types import Sample, Stream

PHYSIO = Path(__file__).parents[4] / "shared" / "data" / "physio"


def moments(*apexes):
    return [Sample(f"S01-{i}", "S01", "sad-1", "sad", a, a, a, Interval(0.0, 1e4)) for i, a in enumerate(apexes)]


def ppg(peaks, heights, duration_s=80.0, fs=200.0):
    """Pulses that rise in about 0.2 s and fall in about 0.4 s, with a level of 2 V as sensors have it."""
    t = np.arange(int(duration_s * fs)) / fs
    x = 2.0 + np.random.default_rng(0).normal(0, 1e-3, t.size)
    for p, h in zip(peaks, heights, strict=True):
        x += h * np.where(t < p, np.exp(-0.5 * ((t - p) / 0.07) ** 2), np.exp(-0.5 * ((t - p) / 0.14) ** 2))
    return Stream("ppg", "biopac", t, x, "V", fs)


def column(table, name):
    return table.X[:, table.columns.index(name)]


def why(table, name):
    return [table.reasons[i] for i in table.reason[:, table.columns.index(name)]]


PEAKS = np.concatenate([np.arange(0.5, 40.0, 1.0), 40.5 + np.arange(0, 39, 0.8)])
HALVED = np.where(PEAKS < 58, 1.0, 0.5)


def test_rate_and_amplitude_change_where_they_were_planted():
    """Rate 60 to 75 at 40.5 s (within 1 bpm), amplitude halved at 58 s (ln 0.5 within 0.1)."""
    table = ppg_features(ppg(PEAKS, HALVED), moments(20.0, 42.5, 60.0))

    np.testing.assert_allclose(column(table, "ppg_rate_bpm"), [60, 75, 75], atol=1.0)
    np.testing.assert_allclose(column(table, "ppg_rate_change_bpm"), [0, 15, 0], atol=1.5)
    np.testing.assert_allclose(column(table, "ppg_amplitude_change")[[0, 2]], [0, np.log(0.5)], atol=0.1)


def test_rise_time_is_from_foot_to_peak():
    """Pulses that rise as a Gaussian of 70 ms have feet 0.15 to 0.45 s before their peaks."""
    table = ppg_features(ppg(PEAKS, np.ones(PEAKS.size)), moments(20.0))

    assert 0.15 < column(table, "ppg_rise_time_s")[0] < 0.45
    assert abs(column(table, "ppg_rise_time_change_s")[0]) < 0.03


def test_one_artefact_hides_no_pulses():
    """A 200 V artefact of half a second costs its own windows only: the detector's threshold is relative to the recording."""
    clean, dirty = ppg(PEAKS, HALVED), ppg(PEAKS, HALVED)
    dirty.x[14000:14100] += 200.0
    a, b = ppg_features(clean, moments(20.0, 50.0, 70.0)), ppg_features(dirty, moments(20.0, 50.0, 70.0))

    np.testing.assert_allclose(column(b, "ppg_rate_bpm")[:2], column(a, "ppg_rate_bpm")[:2], atol=0.5)
    assert why(b, "ppg_rate_bpm")[2] == "artefact in the window"


def test_windows_without_support_have_reasons():
    """Outside, missing samples, fewer than two pulses."""
    stream = ppg(PEAKS, HALVED)
    stream.x[6000:6100] = np.nan
    table = ppg_features(stream, moments(1.0, 30.0, 60.0))
    assert why(table, "ppg_rate_bpm") == ["window leaves the recording", "window touches missing samples", ""]

    short = ppg_features(ppg(PEAKS, HALVED), moments(20.1), before_s=0.0, after_s=0.3)
    assert why(short, "ppg_rate_bpm") == ["fewer than 2 pulses in the window"]


def test_flat_short_and_wrong_unit():
    """Flat and short recordings give reasons, other units an error."""
    t = np.arange(2000) / 100
    assert ppg_features(Stream("ppg", "b", t, np.ones(2000), "V", 100.0), moments(9.0)).reasons == ("", "channel is flat")
    short = Stream("ppg", "b", t[:300], t[:300], "V", 100.0)
    assert ppg_features(short, moments(1.0)).reasons == ("", "recording shorter than 5 s")
    with pytest.raises(DataError, match="stream 'ppg': expected unit V, got µS"):
        ppg_features(Stream("ppg", "b", t, t, "µS", 100.0), moments(9.0))


@pytest.mark.parametrize("kind", ["ramp", "noise"])
def test_signals_without_pulses_do_not_crash(kind):
    """No pulses: no crash."""
    x = {"ramp": np.linspace(0, 1, 6000), "noise": np.random.default_rng(1).normal(size=6000)}[kind]

    assert ppg_features(Stream("ppg", "b", np.arange(6000) / 100, x, "V", 100.0), moments(30.0)).X.shape == (
        1,
        len(COLUMNS),
    )


@pytest.mark.skipif(not PHYSIO.exists(), reason="real recordings are not next to the project")
def test_pulse_and_heart_rate_agree_in_a_real_recording():
    """Five minutes of rest, some with noise on the ECG: where both have a rate, 98 % of 7 s windows are within 3 bpm."""
    data = pd.read_csv(PHYSIO / "bio_resting_5min_100hz.csv")
    t, at = np.arange(len(data)) / 100, np.arange(10, 280, 1.0)
    pulse = column(ppg_features(Stream("ppg", "b", t, data["PPG"].to_numpy(), "V", 100.0), moments(*at)), "ppg_rate_bpm")
    heart = column(ecg_features(Stream("ecg", "b", t, data["ECG"].to_numpy(), "V", 100.0), moments(*at)), "hr_bpm")

    both = np.isfinite(pulse) & np.isfinite(heart)
    assert both.mean() > 0.85
    assert np.mean(np.abs(pulse - heart)[both] < 3) > 0.98
