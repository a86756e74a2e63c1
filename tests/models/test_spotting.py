"""Spotting: curves with known bumps become known intervals."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from mmme.errors import ConfigError
from mmme.features.face.motion import MotionCurve
from mmme.models.spotting import beyond_s, intervals_from_likelihood, spot


def curve(*events, seconds=10.0, noise_px=0.02):
    """Six regions at 30 Hz; each event (onset, apex, offset, px) moves the first three upwards along half cosines."""
    t = np.arange(0, seconds, 1 / 30)
    moved = np.random.default_rng(0).normal(0, noise_px, (len(t), 6, 2))
    for onset, apex, offset, px in events:
        knots = np.interp(t, [onset, apex, offset], [0, np.pi, 2 * np.pi])
        moved[:, :3, 1] -= (px * (0.5 - 0.5 * np.cos(knots)))[:, None]
    return MotionCurve(t, moved, ("a", "b", "c", "d", "e", "f"))


def test_short_is_micro_and_long_is_macro():
    """0.4 s is a micro-, 1.6 s a macro-expression; apexes within one step of the curve's rate, ends within 60 and 160 ms."""
    micro, macro = spot(curve((2.0, 2.2, 2.4, 1.0), (5.0, 5.8, 6.6, 2.0)))
    assert (micro.kind, macro.kind) == ("micro", "macro")
    assert micro.apex == pytest.approx(2.2, abs=0.04)
    assert macro.apex == pytest.approx(5.8, abs=0.1)
    assert micro.onset == pytest.approx(2.0, abs=0.06)
    assert micro.offset == pytest.approx(2.4, abs=0.06)
    assert macro.onset == pytest.approx(5.0, abs=0.16)
    assert macro.offset == pytest.approx(6.6, abs=0.16)
    assert set(micro.regions) == {"a", "b", "c"}


def test_noise_below_the_floor_is_nothing():
    """However the relative threshold lies, a curve that stays below the floor has no expression."""
    assert spot(curve(), noise=0.0) == ()
    assert spot(curve((2.0, 2.2, 2.4, 0.1)), noise=0.0) == ()


def test_a_face_that_is_nowhere_is_nothing():
    """A curve of NaN gives no expression."""
    c = curve()
    assert spot(MotionCurve(c.t, np.full_like(c.displacement, np.nan), c.names)) == ()


def test_steady_motion_is_no_expression():
    """A drift of 1 px per second does not come back, so nothing is spotted away from the ends of the video."""
    c = curve()
    drift = c.displacement + c.t[:, None, None]
    inside = [s for s in spot(MotionCurve(c.t, drift, c.names)) if 2.0 < s.apex < 8.0]
    assert inside == []


def test_spotted_intervals_do_not_overlap_and_are_in_order():
    """Of overlapping candidates one is kept; time runs forward; the apex lies inside."""
    found = spot(curve((1.0, 1.2, 1.4, 1.0), (2.0, 2.2, 2.4, 1.0), (4.0, 4.8, 5.6, 1.5)))
    assert len(found) >= 3
    assert all(s.onset <= s.apex <= s.offset for s in found)
    assert all(a.offset <= b.onset for a, b in pairwise(found))


def test_a_strong_expression_does_not_hide_a_weak_one():
    """Beside a macro-expression of 4 px, a micro-expression of 0.5 px still counts."""
    kinds = [s.kind for s in spot(curve((2.0, 2.2, 2.4, 0.5), (5.0, 5.8, 6.6, 4.0)))]
    assert kinds == ["micro", "macro"]


def test_restless_faces_need_larger_peaks():
    """In a curve that moves by 0.2 px all the time, a bump of 0.5 px is nothing; in a quiet one it is found."""
    assert spot(curve((2.0, 2.2, 2.4, 0.5), noise_px=0.2)) == ()
    assert len(spot(curve((2.0, 2.2, 2.4, 0.5)))) == 1


@pytest.mark.parametrize(("shape", "late_s"), [("line", 0.0), ("cosine", 0.1)])
def test_ends_are_where_the_motion_begins_not_where_it_is_noticed(shape, late_s):
    """Of straight rises of 0.6 s the ends are found, of half cosines all but a sixth, to within a step of the curve."""
    t = np.arange(0, 8, 1 / 30)
    share = np.interp(t, [3.0, 3.6, 4.2], [0, 1, 0])
    height = share if shape == "line" else 0.5 - 0.5 * np.cos(np.pi * share)
    moved = np.repeat(np.dstack([height, 0 * height]).reshape(-1, 1, 2), 3, axis=1)
    (found,) = spot(MotionCurve(t, moved, ("a", "b", "c")))
    assert (found.onset, found.apex, found.offset) == pytest.approx((3.0 + late_s, 3.6, 4.2 - late_s), abs=0.034)


@pytest.mark.parametrize(
    ("wrong", "got"),
    [
        ({"noise": -1.0}, "noise -1"),
        ({"floor_px": 0.0}, "0.0 and 10.0 px"),
        ({"min_s": 2.0, "max_s": 1.0}, "2.0 and 1.0 s"),
    ],
)
def test_parameters_out_of_range_are_refused(wrong, got):
    """All ranges in one sentence, with the values given."""
    with pytest.raises(ConfigError, match=rf"expected noise of 0 or more, 0 < floor_px < max_px.*got .*{got}"):
        spot(curve(), **wrong)


def test_likelihood_peaks_become_intervals_highest_first():
    """Peaks of 0.9 and 0.7 above 0.5 count, 0.4 does not; each gets its half-width."""
    t = np.arange(0, 6, 0.1)
    likelihood = np.zeros(60)
    likelihood[[10, 30, 50]] = [0.7, 0.9, 0.4]
    found = intervals_from_likelihood(t, likelihood, threshold=0.5, half_width_s=0.25, smooth=0.0)
    assert [round(score, 6) for _, score in found] == [0.9, 0.7]
    assert [(round(i.start, 6), round(i.stop, 6)) for i, _ in found] == [(2.75, 3.25), (0.75, 1.25)]


def test_of_two_near_peaks_the_higher_stays():
    """Intervals never overlap: the lower of two peaks 0.2 s apart is dropped."""
    t = np.arange(0, 4, 0.1)
    likelihood = np.zeros(40)
    likelihood[[20, 22]] = [0.8, 0.9]
    (found,) = intervals_from_likelihood(t, likelihood, threshold=0.5, half_width_s=0.3, smooth=0.0)
    assert found[0].centre_s == pytest.approx(2.2)


def test_too_short_a_curve_has_no_peak():
    """Two values have no peak between them."""
    assert list(intervals_from_likelihood(np.arange(2.0), np.ones(2), threshold=0.5, half_width_s=0.1)) == []


def test_a_long_kind_ends_where_its_curve_does() -> None:
    """A plateau of 1.2 s is found with its own ends, within a step; a short kind keeps its half-width."""
    t = np.arange(0, 5, 0.05)
    likelihood = np.where((t > 1.98) & (t < 3.18), 0.8, 0.05)

    ((long, _),) = intervals_from_likelihood(t, likelihood, threshold=0.5, half_width_s=0.5, smooth=0.0)
    ((short, _),) = intervals_from_likelihood(t, likelihood, threshold=0.5, half_width_s=0.2, smooth=0.0)

    assert (long.start, long.stop) == pytest.approx((1.98, 3.18), abs=0.05)
    assert short.duration_s == pytest.approx(0.4)


def test_a_head_that_turns_away_is_no_expression() -> None:
    """Regions that move by 20 px of a 128-px face are not spotted, and their time is told."""
    t = np.arange(0, 4, 1 / 30)
    moved = np.zeros((len(t), 3, 2))
    moved[:, :, 0] = np.interp(t, [1.8, 2.0, 2.2], [0, 20, 0])[:, None]
    curve = MotionCurve(t, moved, ("a", "b", "c"))

    assert spot(curve) == ()
    assert 0.05 < beyond_s(curve) < 1.5
