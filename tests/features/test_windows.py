"""Windows are half-open, of equal length, and know why they cannot be used."""

import numpy as np
import pytest

from mmme.errors import ConfigError
from mmme.features.sampling import Regular
from mmme.features.windows import Windows, cut, first_reason, slope, spread, unusable, windows_around
from mmme.interval import Interval
from mmme.types import Sample


def grid(n=100, fs=10.0, start=0.0, bad=()):
    mask = np.zeros(n, dtype=bool)
    mask[list(bad)] = True
    return Regular(start + np.arange(n) / fs, np.arange(float(n)), mask, fs)


def test_windows_are_half_open_for_any_start_of_the_clock():
    """``[start, stop)``: the first sample at start counts, the one at stop does not, whatever rounding does to times."""
    for start in (0.0, 0.1, 1234.3, 86400.7):
        w = Windows(start + np.arange(50) * 0.1, 0.3)
        rows = cut(grid(start=start), w)
        np.testing.assert_array_equal(rows[:, 0], np.arange(50.0))
        assert rows.shape == (50, 3)


def test_the_last_sample_has_its_step():
    """A window that ends one step after the last sample is inside, one that ends later is not."""
    w = Windows(np.array([-0.01, 0.0, 9.0, 9.02]), 1.0)

    assert w.outside(grid()).tolist() == [True, False, False, True]


def test_only_windows_that_hold_a_missing_sample_touch_it():
    """Sample 50 (5.0 s) is in [4.5, 5.5) and in [5.0, 6.0), not in [4.0, 5.0) nor [5.1, 6.1)."""
    w = Windows(np.array([4.0, 4.5, 5.0, 5.1]), 1.0)

    assert w.touches_bad(grid(bad=[50])).tolist() == [False, True, True, False]


def test_reasons_keep_their_order():
    """Outside comes before missing, missing before flat."""
    g = grid(bad=[0])
    flat = Regular(g.t, np.zeros(100), g.bad, 10.0)

    assert unusable(flat, Windows(np.array([-1.0, 0.0, 5.0]), 1.0), flat=0.0, what="baseline").tolist() == [
        "baseline leaves the recording",
        "baseline touches missing samples",
        "signal is flat in the baseline",
    ]


def test_windows_longer_than_the_recording_are_outside_and_do_not_crash():
    """A 20 s window in a 10 s recording is outside."""
    assert unusable(grid(), Windows(np.array([0.0]), 20.0), flat=0.0).tolist() == ["window leaves the recording"]


@pytest.mark.parametrize("length", [0.1, 0.2, 0.7, 3.0, 10.0, 25.0])
def test_the_range_of_windows_is_that_of_their_samples(length):
    """The running range equals `numpy.ptp` of each window that was cut out, for odd, even and too long windows."""
    g = grid()
    wild = Regular(g.t, np.random.default_rng(0).normal(size=100), g.bad, 10.0)
    w = Windows(np.linspace(-1.0, 10.0, 45), length)

    np.testing.assert_array_equal(spread(wild, w), np.ptp(cut(wild, w), axis=1))


def test_slope_is_that_of_numpy():
    """Equal to `numpy.polyfit` of first degree."""
    x = np.random.default_rng(0).normal(size=(3, 40))
    expected = [np.polyfit(np.arange(40) * 0.25, row, 1)[0] for row in x]

    np.testing.assert_allclose(slope(x, 0.25), expected, rtol=1e-9)


def test_no_check_no_reason():
    """Without checks every row is fine."""
    assert first_reason(2).tolist() == ["", ""]


@pytest.mark.parametrize(("before", "after"), [(-1.0, 2.0), (0.0, 0.0), (1.0, -0.5)])
def test_a_window_without_length_is_refused(before, after):
    """Both lengths are at least 0 and not both 0."""
    s = Sample("a", "S01", "v", "l", 1.0, 1.0, 1.0, Interval(0.0, 2.0))
    with pytest.raises(ConfigError, match="window: expected before_s and after_s of at least 0 s, not both 0"):
        windows_around([s], before_s=before, after_s=after)


def test_a_baseline_has_a_length():
    """A baseline of 0 s would be a division by nothing."""
    with pytest.raises(ConfigError, match="baseline_s: expected above 0 s, got 0"):
        Windows(np.array([1.0]), 1.0).before(0.0)
