import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmme import Interval

times = st.floats(min_value=-1e4, max_value=1e4, allow_nan=False)


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    start = draw(times)
    return Interval(start, start + draw(st.floats(min_value=1e-3, max_value=1e4)))


@given(intervals(), intervals())
def test_iou_is_symmetric_and_between_0_and_1(a: Interval, b: Interval) -> None:
    """
    Overlap does not depend on who is asked.
    """
    assert a.iou(b) == pytest.approx(b.iou(a))
    assert 0.0 <= a.iou(b) <= 1.0


@given(intervals())
def test_an_interval_covers_itself(a: Interval) -> None:
    """
    IoU with itself is 1, and its start lies inside while its stop does not.
    """
    assert a.iou(a) == pytest.approx(1.0)
    assert a.contains(a.start)
    assert not a.contains(a.stop)


@given(intervals(), intervals(), st.floats(min_value=-100, max_value=100))
def test_iou_survives_a_shift_of_both(a: Interval, b: Interval, shift_s: float) -> None:
    """
    Moving both intervals leaves their IoU as it was.
    """
    assert a.shifted(shift_s).iou(b.shifted(shift_s)) == pytest.approx(a.iou(b), abs=1e-6)


@pytest.mark.parametrize(
    ("start", "stop"),
    [
        pytest.param(1.0, 1.0, id="empty"),
        pytest.param(2.0, 1.0, id="reversed"),
        pytest.param(math.nan, 1.0, id="undefined"),
    ],
)
def test_a_stretch_without_time_is_refused(start: float, stop: float) -> None:
    """
    There is no interval without duration.
    """
    with pytest.raises(ValueError, match="interval must have start < stop, got"):
        Interval(start, stop)


def test_touching_intervals_share_nothing() -> None:
    """
    Half-open intervals that touch have IoU 0.
    """
    assert Interval(0, 1).iou(Interval(1, 2)) == 0.0
    assert Interval(0, 1).overlap_s(Interval(1, 2)) == 0.0
    assert Interval(0, 4).centre_s == 2.0
