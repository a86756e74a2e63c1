"""Streams on a regular grid: what is missing stays marked, edges make no transients."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmme.errors import DataError
from mmme.features.sampling import decimated, expect_unit, regular, unreadable
from mmme.types import Stream


def stream(x, fs=100.0, t=None, unit="V"):
    x = np.asarray(x, dtype=float)
    return Stream("rsp", "biopac", np.arange(x.shape[0]) / fs if t is None else t, x, unit, fs)


@given(level=st.floats(-50, 50), trend=st.floats(-1, 1), q=st.integers(2, 20))
@settings(max_examples=25, deadline=None)
def test_a_level_with_a_trend_survives_decimation_up_to_its_edges(level, trend, q):
    """Decimating a straight line gives the line, also at both ends (zero padding would be off by the whole level)."""
    t = np.arange(4000) / 100
    d = decimated(regular(stream(level + trend * t)), 100 / q)

    np.testing.assert_allclose(d.x, level + trend * d.t, atol=1e-9 + 1e-3 * abs(trend))


def test_decimation_keeps_the_times_of_the_stream():
    """Times after decimation are every q-th time of the stream, drift included."""
    t = 5.0 + np.arange(1000) / 1000 * 1.0001
    d = decimated(regular(stream(np.sin(t), fs=1000.0, t=t)), 100.0)

    np.testing.assert_array_equal(d.t, t[::10])


def test_nan_is_bridged_and_stays_marked():
    """A missing sample is bridged by a straight line and marked; the mark spreads by the reach of the filter."""
    x = np.arange(2000.0)
    x[1000] = np.nan
    r = regular(stream(x))

    assert np.flatnonzero(r.bad).tolist() == [1000]
    assert r.x[1000] == pytest.approx(1000.0)
    d = decimated(r, 10.0)
    assert np.flatnonzero(d.bad).tolist() == list(range(90, 111))


def test_nan_in_one_channel_leaves_the_others_as_they_are():
    """Channels are bridged one by one, and the sample counts as missing for all."""
    x = np.column_stack([np.arange(10.0), np.arange(10.0) ** 2])
    x[4, 0] = np.inf
    r = regular(Stream("eeg", "eeg", np.arange(10) / 10, x, "V", 10.0, ("F3", "F4")))

    assert r.x[4].tolist() == [4.0, 16.0]
    assert np.flatnonzero(r.bad).tolist() == [4]
    assert np.isinf(x[4, 0])  # the stream itself is never written to


def test_a_hole_in_the_times_becomes_missing_samples():
    """A pause of the device is filled to the regular grid, all of it marked."""
    t = np.concatenate([np.arange(100), np.arange(200, 300)]) / 100
    r = regular(stream(np.ones(200), t=t))

    assert r.t.size == 300
    assert np.flatnonzero(r.bad).tolist() == list(range(100, 200))


def test_a_wrong_nominal_rate_is_refused():
    """Filters designed for another rate than the times show would be silently wrong."""
    with pytest.raises(DataError, match=r"stream 'rsp': expected times at 100 Hz, got steps of 1\.000 ms \(1000\.00 Hz\)"):
        regular(stream(np.ones(100), t=np.arange(100) / 1000))


@given(
    share=st.sampled_from([0.985, 0.9899, 0.9901, 0.995, 1.0, 1.005, 1.0099, 1.0101, 1.015]),
    n=st.integers(3, 40),
    longer=st.integers(0, 40),
    seed=st.integers(0, 100),
)
@settings(max_examples=200, deadline=None)
def test_the_rate_is_confirmed_by_the_median_step(share, n, longer, seed):
    """Without sorting the steps, the verdict on the nominal rate is that of their median, however many are lost or jitter."""
    rng = np.random.default_rng(seed)
    steps = share * (1 + rng.uniform(-1e-4, 1e-4, n))
    steps[: min(longer, n)] *= 3.0
    t = np.concatenate([[0.0], np.cumsum(steps)]) / 100.0
    wrong = abs(1.0 / np.median(np.diff(t)) / 100.0 - 1.0) > 0.01

    if wrong:
        with pytest.raises(DataError, match="expected times at 100 Hz"):
            regular(stream(np.ones(t.size), t=t))
    else:
        assert regular(stream(np.ones(t.size), t=t)).fs_hz == 100.0


def test_video_is_refused():
    """Body signals have one or two dimensions."""
    with pytest.raises(DataError, match=r"expected samples of shape \(n,\) or \(n, n_channels\), got \(3, 2, 2\)"):
        regular(Stream("video", "camera", np.arange(3.0), np.zeros((3, 2, 2)), "grey level"))


def test_both_spellings_of_micro_are_one_unit():
    """U+00B5 and U+03BC look the same and mean the same."""
    expect_unit(stream([1, 2], unit="\u03bcS"), "\u00b5S")
    with pytest.raises(DataError, match=r"stream 'rsp': expected unit µS, got V; convert it where the file is read"):
        expect_unit(stream([1, 2]), "µS")


@pytest.mark.parametrize(
    ("x", "reason"),
    [
        (np.arange(300.0), "recording shorter than 5 s"),
        (np.ones(1000), "channel is flat"),
        (np.where(np.arange(1000) < 600, np.nan, 1.0), "more than half of the recording is missing"),
        (np.full(1000, np.nan), "more than half of the recording is missing"),
        (np.arange(1000.0), ""),
    ],
)
def test_unreadable_recordings_say_why(x, reason):
    """Too short, flat or mostly missing recordings have one reason; others none."""
    assert unreadable(regular(stream(x)), flat=1e-6) == reason
