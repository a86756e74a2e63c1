"""Breathing around a moment, against planted breaths."""

from pathlib import Path

import neurokit2 as nk
import numpy as np
import pandas as pd
import pytest

from mmme.errors import DataError
from mmme.features.body.rsp import COLUMNS, rsp_features
from mmme.interval import Interval
from mmme.types import Sample, Stream

PHYSIO = Path(__file__).parents[4] / "shared" / "data" / "physio"


def moments(*apexes):
    return [Sample(f"S01-{i}", "S01", "sad-1", "sad", a, a, a, Interval(0.0, 1e4)) for i, a in enumerate(apexes)]


def rsp(fs=100.0):
    """12 breaths a minute and 1 V of depth for 60 s, then 20 a minute and 0.5 V; belt at 3 V."""
    t = np.arange(int(120 * fs)) / fs
    rate_hz = np.where(t < 60, 12, 20) / 60
    depth = np.where(t < 60, 0.5, 0.25)
    x = 3.0 + depth * np.sin(2 * np.pi * np.cumsum(rate_hz) / fs)
    return Stream("rsp", "biopac", t, x + np.random.default_rng(0).normal(0, 0.005, t.size), "V", fs)


def column(table, name):
    return table.X[:, table.columns.index(name)]


def why(table, name):
    return [table.reasons[i] for i in table.reason[:, table.columns.index(name)]]


def test_rate_and_depth_change_where_they_were_planted():
    """12 to 20 breaths a minute within 0.7; depth halves, ln 0.5 within 0.12."""
    table = rsp_features(rsp(), moments(30.0, 65.0, 95.0))

    np.testing.assert_allclose(column(table, "rsp_rate_per_min"), [12, 20, 20], atol=0.7)
    np.testing.assert_allclose(column(table, "rsp_rate_change_per_min")[1:], [8, 0], atol=0.9)
    np.testing.assert_allclose(column(table, "rsp_amplitude_v"), [1.0, 0.5, 0.5], rtol=0.1)
    np.testing.assert_allclose(column(table, "rsp_amplitude_change")[1:], [np.log(0.5), 0], atol=0.12)


def test_fewer_than_two_cycles_have_no_rate_but_a_phase():
    """A window of 6 s at 12 breaths a minute holds 1.2 cycles; the event still has its place in one."""
    table = rsp_features(rsp(), moments(30.0), before_s=1.0, after_s=5.0)

    assert why(table, "rsp_rate_per_min") == ["fewer than 2 breathing cycles in the window"]
    assert [c for c in table.columns if np.isfinite(column(table, c)[0])] == ["rsp_phase_cos", "rsp_phase_sin"]


def test_places_without_support_have_reasons():
    """Outside and missing samples."""
    stream = rsp()
    stream.x[3000] = np.nan
    table = rsp_features(stream, moments(2.0, 30.0, 100.0))

    assert why(table, "rsp_rate_per_min") == ["window leaves the recording", "window touches missing samples", ""]
    assert why(table, "rsp_rate_change_per_min")[2] == ""


def test_flat_short_and_wrong_unit():
    """Flat and short recordings give reasons, other units an error."""
    t = np.arange(3000) / 100
    assert rsp_features(Stream("rsp", "b", t, np.ones(3000), "V", 100.0), moments(9.0)).reasons == ("", "channel is flat")
    short = Stream("rsp", "b", t[:300], t[:300], "V", 100.0)
    assert rsp_features(short, moments(1.0)).reasons == ("", "recording shorter than 5 s")
    with pytest.raises(DataError, match="stream 'rsp': expected unit V, got L"):
        rsp_features(Stream("rsp", "b", t, t, "L", 100.0), moments(9.0))


@pytest.mark.parametrize("seconds", [5.5, 8.0, 60.0])
def test_signals_without_breaths_do_not_crash(seconds):
    """A ramp and short noise hold no breaths."""
    n = int(seconds * 25)
    for x in (np.linspace(0, 1, n), np.random.default_rng(0).normal(size=n), np.r_[np.zeros(n // 2), np.ones(n - n // 2)]):
        assert rsp_features(Stream("rsp", "b", np.arange(n) / 25, x, "V", 25.0), moments(3.0)).X.shape == (1, len(COLUMNS))


@pytest.mark.skipif(not PHYSIO.exists(), reason="real recordings are not next to the project")
def test_real_breathing_has_the_mean_rate_of_neurokit():
    """Five minutes of rest: median rate of sliding windows within 1.5 breaths a minute of NeuroKit2's."""
    x = pd.read_csv(PHYSIO / "bio_resting_5min_100hz.csv")["RSP"].to_numpy()
    clean = nk.rsp_clean(x, sampling_rate=100)
    theirs = nk.rsp_rate(clean, nk.rsp_peaks(clean, sampling_rate=100)[1], sampling_rate=100)
    at = np.arange(30, 280, 1.0)
    table = rsp_features(Stream("rsp", "b", np.arange(x.size) / 100, x, "V", 100.0), moments(*at))
    ours = column(table, "rsp_rate_per_min")

    assert np.isfinite(ours).mean() > 0.9
    assert np.nanmedian(ours) == pytest.approx(np.median(theirs), abs=1.5)
