"""Skin conductance around a moment, against planted responses."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mmme.errors import ConfigError, DataError
from mmme.features.body.eda import COLUMNS, eda_features
from mmme.interval import Interval
from mmme.types import Sample, Stream

PHYSIO = Path(__file__).parents[4] / "shared" / "data" / "physio"


def moments(*apexes):
    return [Sample(f"S01-{i}", "S01", "sad-1", "sad", a, a, a, Interval(0.0, 1e4)) for i, a in enumerate(apexes)]


def eda(responses, duration_s=120.0, fs=100.0, *, drift_us_per_s=-0.002, noise_us=0.001):
    """A level of 5 µS that drifts, and responses (onset [s], height [µS]) that rise in 1.5 s and fall with 4 s."""
    t = np.arange(int(duration_s * fs)) / fs
    x = 5.0 + drift_us_per_s * t + np.random.default_rng(0).normal(0, noise_us, t.size)
    shape_peak = np.exp(-1.481 / 4) - np.exp(-1.481 / 0.7)  # the maximum of the two exponentials lies at 1.481 s
    for onset, height in responses:
        after = np.maximum(t - onset, 0.0)
        x += height / shape_peak * (np.exp(-after / 4) - np.exp(-after / 0.7))
    return Stream("eda", "biopac", t, x, "µS", fs)


def column(table, name):
    return table.X[:, table.columns.index(name)]


def why(table, name):
    return [table.reasons[i] for i in table.reason[:, table.columns.index(name)]]


PLANTED = [(22.0, 0.5), (52.5, 0.05), (80.0, 0.3)]


def test_responses_are_found_at_their_latency_with_their_amplitude():
    """Onsets 2.0 and 2.5 s after the moment: latency within 0.15 s, amplitude within 8 %; none where none was planted."""
    table = eda_features(eda(PLANTED), moments(20.0, 50.0, 100.0))

    assert column(table, "scr_present").tolist() == [1, 1, 0]
    np.testing.assert_allclose(column(table, "scr_latency_s")[:2], [2.0, 2.5], atol=0.15)
    np.testing.assert_allclose(column(table, "scr_magnitude_us"), [0.5, 0.05, 0.0], rtol=0.08)
    np.testing.assert_allclose(column(table, "scr_amplitude_us"), [0.5, 0.05, np.nan], rtol=0.08)
    assert why(table, "scr_latency_s")[2] == "no response in the latency window"


def test_only_onsets_1_to_4_s_after_the_moment_count():
    """A response 0.5 s after the moment is too early to be its answer, one 4.5 s after it too late."""
    table = eda_features(eda([(20.5, 0.5), (64.5, 0.5)]), moments(20.0, 60.0))

    assert column(table, "scr_present").tolist() == [0, 0]


def test_one_artefact_hides_no_response():
    """A 30 µS artefact of 0.4 s: with a threshold relative to the largest peak all responses would vanish."""
    clean, dirty = eda(PLANTED), eda(PLANTED)
    dirty.x[3500:3540] += 30.0
    a, b = eda_features(clean, moments(20.0, 50.0, 78.0)), eda_features(dirty, moments(20.0, 50.0, 78.0))

    assert column(b, "scr_present").tolist() == [1, 1, 1]
    np.testing.assert_allclose(column(b, "scr_amplitude_us"), column(a, "scr_amplitude_us"), rtol=0.05)
    touched = eda_features(dirty, moments(33.0))
    assert why(touched, "scr_present") == ["artefact in the response window: faster than 10 µS/s"]
    assert why(touched, "scl_us") == ["artefact in the window: faster than 10 µS/s"]


def test_the_threshold_is_absolute():
    """A response of 0.015 µS is none at 0.02 µS and one at 0.01 µS."""
    stream = eda([(22.0, 0.015), (60.0, 2.0)], noise_us=0.0001)

    assert column(eda_features(stream, moments(20.0)), "scr_present")[0] == 0
    assert column(eda_features(stream, moments(20.0), threshold_us=0.01), "scr_present")[0] == 1


def test_level_and_slope():
    """Level within 0.02 µS and a drift of 0.01 µS/s within 0.002, change over 3.5 s between centres."""
    table = eda_features(eda([], drift_us_per_s=0.01), moments(60.0))

    assert column(table, "scl_us")[0] == pytest.approx(5.0 + 0.01 * 62.5, abs=0.02)
    assert column(table, "scl_slope_us_per_s")[0] == pytest.approx(0.01, abs=0.002)
    assert column(table, "scl_change_us")[0] == pytest.approx(0.035, abs=0.01)
    assert column(table, "scr_present")[0] == 0


def test_a_response_moves_the_phasic_mean():
    """The phasic part rises in the window of a response and not without one."""
    change = column(eda_features(eda(PLANTED), moments(20.0, 100.0)), "eda_phasic_change_us")

    assert change[0] > 0.1
    assert abs(change[1]) < 0.02


def test_a_response_needs_the_recording_until_it_can_have_peaked():
    """Without 8 s after the moment the absence of a response means nothing."""
    table = eda_features(eda(PLANTED), moments(114.0))

    assert why(table, "scr_present") == ["response window leaves the recording"]
    assert why(table, "scl_us") == [""]


def test_missing_samples_and_electrodes_off():
    """NaN and a conductance near 0 have their reasons."""
    stream = eda(PLANTED)
    stream.x[2300] = np.nan
    stream.x[6000:9000] = 0.003 + 0.001 * np.sin(np.arange(3000) / 10)
    table = eda_features(stream, moments(20.0, 70.0))

    assert why(table, "scl_us") == ["window touches missing samples", "below 0.05 µS in the window; electrode off?"]


def test_the_edge_of_a_decimated_recording_is_no_response():
    """A level of 12 µS at 1000 Hz: nothing begins at the edges (zero padding would make a transient)."""
    stream = eda([], duration_s=30.0, fs=1000.0)
    table = eda_features(Stream("eda", "b", stream.t, stream.x + 7.0, "µS", 1000.0), moments(2.0, 10.0, 21.9))

    assert column(table, "scr_present").tolist() == [0, 0, 0]


def test_four_samples_a_second_are_enough_for_a_level():
    """Wrist devices record 4 Hz: no filter is designed above half of it, responses are still found."""
    table = eda_features(eda(PLANTED, fs=4.0), moments(20.0))

    assert column(table, "scr_present")[0] == 1
    assert column(table, "scl_us")[0] == pytest.approx(5.0, abs=0.3)


def test_volts_are_refused():
    """EDA in V has not been converted to conductance."""
    stream = eda([])
    with pytest.raises(DataError, match="stream 'eda': expected unit µS, got V; convert it where the file is read"):
        eda_features(Stream("eda", "b", stream.t, stream.x, "V", 100.0), moments(20.0))


def test_thresholds_and_latencies_in_order():
    """A threshold of 0 or reversed latencies are refused."""
    with pytest.raises(ConfigError, match="eda: expected a threshold above 0 µS, got 0 µS"):
        eda_features(eda([]), moments(20.0), threshold_us=0)
    with pytest.raises(ConfigError, match="eda: expected latencies in order, got 4.0 to 1.0 s"):
        eda_features(eda([]), moments(20.0), latency_s=(4.0, 1.0))


def test_flat_and_short():
    """Every value NaN for one reason."""
    t = np.arange(3000) / 100
    assert eda_features(Stream("eda", "b", t, np.full(3000, 4.0), "µS", 100.0), moments(9.0)).reasons == (
        "",
        "channel is flat",
    )
    short = Stream("eda", "b", t[:300], t[:300], "µS", 100.0)
    assert eda_features(short, moments(1.0)).reasons == ("", "recording shorter than 5 s")


@pytest.mark.skipif(not PHYSIO.exists(), reason="real recordings are not next to the project")
def test_real_event_related_recording():
    """150 s of real EDA: levels inside the recording's range, at least one response, amplitudes below 5 µS."""
    x = pd.read_csv(PHYSIO / "bio_eventrelated_100hz.csv")["EDA"].to_numpy()
    table = eda_features(Stream("eda", "b", np.arange(x.size) / 100, x, "µS", 100.0), moments(*np.arange(5, 140, 0.25)))

    assert table.columns == COLUMNS
    assert np.nanmin(column(table, "scl_us")) > x.min() - 0.1
    assert np.nanmax(column(table, "scl_us")) < x.max() + 0.1
    assert 0 < np.nanmean(column(table, "scr_present")) < 1
    assert np.nanmax(column(table, "scr_amplitude_us")) < 5
