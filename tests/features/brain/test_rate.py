"""A recording at a lower rate, with its holes known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmme.errors import DataError
from mmme.features.brain.rate import lowered
from mmme.features.sampling import decimated, regular
from mmme.types import Stream


def recording(n: int = 20_000, fs: float = 1000.0) -> Stream:
    """Four channels of random walks [V] on offsets."""
    rng = np.random.default_rng(0)
    x = 1e-6 * rng.normal(size=(n, 4)).cumsum(axis=0) + 1e-3 * rng.normal(size=4)
    return Stream("eeg", "eeg", np.arange(n) / fs, x, "V", fs, ("F3", "F4", "O1", "O2"))


def per_channel(stream: Stream, k: int) -> tuple[np.ndarray, np.ndarray]:
    """One channel by the way of all other signals."""
    own = decimated(regular(replace(stream, x=np.asarray(stream.x[:, k]), channels=())), 250.0)
    return 1e6 * own.x, own.bad


@pytest.mark.parametrize("holes", ["none", "one channel", "pause", "both"])
def test_holes_are_those_of_every_other_signal(holes: str):
    """NaN in a channel, a pause of the recorder, both: values, marks and times as of one channel by itself."""
    stream = recording()
    if holes in ("one channel", "both"):
        stream.x[5000:5400, 2] = np.nan
        stream.x[0, 3] = np.nan
    if holes in ("pause", "both"):
        keep = np.r_[0:9000, 9700:12_001, 12_003:20_000]
        stream = replace(stream, t=stream.t[keep], x=stream.x[keep])
    grid, x, missing = lowered(stream, [0, 1, 2, 3], 250.0)

    assert grid.fs_hz == 250.0
    assert (missing is None) == (holes == "none")
    for k in range(4):
        expected, bad = per_channel(stream, k)
        difference = x[k] - expected
        assert np.ptp(difference) < 1e-4 * np.ptp(expected)  # a constant is free
        np.testing.assert_array_equal(bad, grid.bad if missing is None else missing[k])
    np.testing.assert_allclose(grid.t, decimated(regular(replace(stream, x=stream.x[:, 0], channels=())), 250.0).t)
    assert grid.bad.any() == (holes in ("pause", "both"))


def test_the_next_rate_above_is_taken():
    """500 Hz to 250, 512 to 256, 2048 to 256, 300 and 128 as they are."""
    rates = {fs: lowered(recording(4000, fs), [0], 250.0)[0].fs_hz for fs in (500.0, 512.0, 2048.0, 300.0, 128.0)}

    assert rates == {500.0: 250.0, 512.0: 256.0, 2048.0: 256.0, 300.0: 300.0, 128.0: 128.0}


def test_one_channel_without_a_second_dimension():
    """Samples of shape (n,) are one channel."""
    stream = recording()
    alone = replace(stream, x=stream.x[:, 1], channels=("F4",))

    np.testing.assert_allclose(lowered(alone, [0], 250.0)[1][0], lowered(stream, [1], 250.0)[1][0], atol=1e-4)


def test_times_that_contradict_the_rate_are_an_error():
    """Stated 500 Hz, steps of 1 ms."""
    with pytest.raises(DataError, match=r"expected times at 500 Hz, got steps of 1.000 ms"):
        lowered(replace(recording(), fs=500.0), [0], 250.0)
