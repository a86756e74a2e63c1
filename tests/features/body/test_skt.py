"""Skin temperature around a moment, against planted slopes and sensors that are off."""

import pickle

import numpy as np
import pytest

from mmme.errors import DataError
from mmme.features.body.skt import COLUMNS, read_skt, skt_columns, skt_features
from mmme.features.windows import Occasions, Windows
from mmme.interval import Interval
from mmme.types import Sample, Stream


def moments(*apexes):
    return [Sample(f"S01-{i}", "S01", "sad-1", "sad", a, a, a, Interval(0.0, 1e4)) for i, a in enumerate(apexes)]


def skt(x, fs=100.0, unit="°C"):
    return Stream("skt", "biopac", np.arange(len(x)) / fs, np.asarray(x, dtype=float), unit, fs)


def warming(n=12000, per_min=-0.3):
    t = np.arange(n) / 100
    return 33.0 + per_min * t / 60 + np.random.default_rng(0).normal(0, 0.005, n)


def column(table, name):
    return table.X[:, table.columns.index(name)]


def why(table, name):
    return [table.reasons[i] for i in table.reason[:, table.columns.index(name)]]


def test_mean_change_and_slope():
    """A fall of 0.3 °C/min: slope within 0.01 °C/min, change over the 20 s between the centres within 0.005 °C."""
    table = skt_features(skt(warming()), moments(50.0))

    assert column(table, "skt_slope_c_per_min")[0] == pytest.approx(-0.3, abs=0.01)
    assert column(table, "skt_c")[0] == pytest.approx(33.0 - 0.3 * 65 / 60, abs=0.005)
    assert column(table, "skt_change_c")[0] == pytest.approx(-0.1, abs=0.005)


def test_sensors_that_are_off_have_no_value():
    """Below 20 °C, above 42 °C, or one reading repeated within three steps of the converter."""
    off, hot, stuck = warming(), warming(), warming()
    off[3000:] = np.random.default_rng(0).normal(0, 0.01, 9000)
    stuck[3000:] = 32.0 + 0.0006 * (np.arange(9000) % 3)
    hot[3000:] += 60.0

    assert why(skt_features(skt(off), moments(50.0)), "skt_c") == ["below 20 °C in the window; sensor off?"]
    assert why(skt_features(skt(stuck), moments(50.0)), "skt_c") == ["temperature flat in the window; sensor off?"]
    assert why(skt_features(skt(hot), moments(50.0)), "skt_c") == ["above 42 °C in the window; other unit?"]


def test_a_sensor_put_on_late_costs_only_the_windows_before():
    """Off for 40 s: the first window has no value, the later one has."""
    x = np.concatenate([np.full(4000, 18.0), warming(8000)])
    table = skt_features(skt(x), moments(5.0, 60.0))

    assert why(table, "skt_c") == ["below 20 °C in the window; sensor off?", ""]


def test_a_slope_needs_ten_seconds():
    """Noise of the sensor is all that a shorter window holds; its mean is still a mean."""
    table = skt_features(skt(warming()), moments(50.0), after_s=5.0)

    assert why(table, "skt_slope_c_per_min") == ["window 5 s, needs 10 s"]
    assert why(table, "skt_c") == [""]


def test_places_without_support_have_reasons():
    """Outside, baseline outside, missing samples."""
    x = warming()
    x[6000] = np.nan
    table = skt_features(skt(x), moments(5.0, 50.0, 100.0))

    assert why(table, "skt_c") == ["", "window touches missing samples", "window leaves the recording"]
    assert why(table, "skt_change_c")[0] == "baseline leaves the recording"


def test_flat_short_and_wrong_unit():
    """Flat and short recordings give reasons, Fahrenheit an error."""
    assert skt_features(skt(np.full(6000, 33.0)), moments(20.0)).reasons == ("", "channel is flat")
    assert skt_features(skt(warming(300)), moments(1.0)).reasons == ("", "recording shorter than 5 s")
    with pytest.raises(DataError, match="stream 'skt': expected unit °C, got °F; convert it where the file is read"):
        skt_features(skt(warming(), unit="°F"), moments(20.0))


def why_refused(x, unit="°C"):
    return read_skt(skt(x, unit=unit)).refused


def test_numbers_that_are_not_celsius_say_what_they_may_be():
    """Declared as °C, recorded in another unit, or never worn."""
    assert why_refused(warming() * 9 / 5 + 32) == "readings of about 90.9 are no skin temperature in °C; are they °F?"
    assert why_refused(warming() + 273.15) == "readings of about 306 are no skin temperature in °C; are they K?"
    volts = "readings of about 3.27 are no skin temperature in °C; was the sensor worn, or are they volts?"
    assert why_refused(warming() / 10) == volts
    assert (
        why_refused(warming() * 1000)
        == "readings of about 3.27e+04 are no skin temperature in °C; are they in another unit?"
    )
    assert skt_features(skt(warming() / 10), moments(50.0)).reasons == ("", volts)


def test_a_sensor_that_slips_costs_the_windows_it_touches():
    """A fall of 1 °C in half a second is no skin."""
    x = warming()
    x[6000:] -= 1.0
    table = skt_features(skt(x), moments(20.0, 50.0, 65.0))

    assert why(table, "skt_c") == ["", "artefact in the window: faster than 0.2 °C/s", ""]
    assert read_skt(skt(x)).verdict.index(Windows(np.array([57.0]), 6.0))[1].tolist() == ["faster than 0.2 °C/s"]


def test_range_is_that_of_seconds_not_of_noise():
    """A fall of 0.3 °C/min for 30 s, over 29 s between the first and last whole second's centres: 0.15 within 0.01 °C."""
    assert column(skt_features(skt(warming()), moments(50.0)), "skt_range_c")[0] == pytest.approx(0.15, abs=0.01)


def test_a_baseline_itself_has_a_level_but_no_change():
    """Without a baseline the change says so; the verdict of a clean recording is good throughout."""
    read = read_skt(skt(warming()))
    columns = skt_columns(read, Occasions(Windows(np.array([30.0]), 20.0), None, np.array([np.nan])))

    assert tuple(columns) == COLUMNS
    assert columns["skt_change_c"][1].tolist() == ["no baseline to compare with"]
    assert columns["skt_c"][1].tolist() == [""]
    assert read.verdict.over_all() == (1.0, "")
    assert len(pickle.dumps(read)) * 4500 / 120 < 15e6


def test_what_speaks_against_a_recording():
    """Off, flat and hot: each second by its name."""
    x = warming()
    x[2000:4000] = 18.0
    x[6000:9500] = 33.0
    x[10000:11000] = 50.0
    causes = read_skt(skt(x)).verdict.index(Windows(np.array([5.0, 24.0, 64.0, 104.0]), 10.0))[1].tolist()

    assert causes == ["", "below 20 °C; sensor off?", "temperature flat; sensor off?", "above 42 °C; other unit?"]
