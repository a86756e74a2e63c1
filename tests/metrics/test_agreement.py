"""Agreement of coders against hand counts and scikit-learn."""

import math

import hypothesis.strategies as st
import pytest
from hypothesis import given
from sklearn.metrics import cohen_kappa_score

from mmme.metrics.agreement import au_agreement, cohens_kappa, event_agreement
from mmme.metrics.spotting import Counts


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=30))
def test_kappa_equals_scikit_learn(rows):
    """Kappa equals scikit-learn's; where both coders used one label throughout it is NaN."""
    first, second = ([row[i] for row in rows] for i in (0, 1))
    got = cohens_kappa(first, second)

    if len({*first, *second}) == 1:
        assert math.isnan(got)
    else:
        assert got == pytest.approx(cohen_kappa_score(first, second))


def test_no_events_have_no_kappa():
    """Nothing coded is neither agreement nor disagreement."""
    assert math.isnan(cohens_kappa([], []))
    assert math.isnan(au_agreement([], []))
    assert math.isnan(event_agreement([], []).f1)
    assert all(math.isnan(d) for d in event_agreement([], []).mean_abs_differences_s)


def test_action_units_by_hand():
    """Twice the shared units over all units, added up over events: 2 * 2 / (3 + 2)."""
    assert au_agreement([{"AU1", "AU4"}, {"AU12"}], [["AU4", "AU4"], ["AU12"]]) == pytest.approx(2 * 2 / 5)


def test_events():
    """Events pair by IoU; differences are second minus first; unpaired events count for their coder."""
    first = [[1.0, 1.2, 1.5], [4.0, 4.1, 4.4], [8.0, 8.1, 8.2]]
    second = [[1.1, 1.3, 1.5], [3.9, 4.1, 4.4]]
    found = event_agreement(first, second)

    assert found.counts == Counts(2, 0, 1)
    assert found.f1 == pytest.approx(0.8)
    assert found.pairs.tolist() == [[0, 0], [1, 1]]
    assert found.differences_s[0] == pytest.approx([0.1, 0.1, 0.0])
    assert found.mean_abs_differences_s == pytest.approx((0.1, 0.05, 0.0))


def test_single_frames_need_their_duration():
    """An event of one frame has a duration only with the length of the frame."""
    one = [[2.0, 2.0, 2.0]]
    with pytest.raises(ValueError, match=r"first: expected a duration above 0 s, got 0.0 s in event 0; give frame_s"):
        event_agreement(one, one)

    assert event_agreement(one, one, frame_s=1 / 150).counts == Counts(1, 0, 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda: cohens_kappa(["a"], []), "got 1 and 0 labels", id="labels"),
        pytest.param(lambda: au_agreement([{"AU1"}], []), "got 1 and 0", id="units"),
        pytest.param(lambda: event_agreement([[1.0, 2.0]], []), r"shape \(n, 3\), got \(1, 2\)", id="shape"),
    ],
)
def test_refusals(call, message):
    """Lists of different events and wrong shapes raise."""
    with pytest.raises(ValueError, match=message):
        call()
