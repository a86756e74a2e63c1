"""Agreement of coders against hand counts and scikit-learn."""

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from sklearn.metrics import cohen_kappa_score

from mmme.metrics.agreement import (
    au_agreement,
    au_kappas,
    au_overlap,
    cohens_kappa,
    event_agreement,
    kappa_of_counts,
    label_agreement,
    matched_within,
)
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


def test_label_agreement_by_hand():
    """Four of six events alike: kappa (4/6 - 1/2) / (1 - 1/2) = 1/3, with shares of 3/6 and 3/6."""
    first = ["micro", "micro", "micro", "macro", "macro", "macro"]
    second = ["micro", "micro", "macro", "macro", "macro", "micro"]
    found = label_agreement(first, second)

    assert found.labels == ("macro", "micro")
    assert found.counts.tolist() == [[2, 1], [1, 2]]
    assert (found.n, found.observed, found.kappa) == (6, pytest.approx(4 / 6), pytest.approx(1 / 3))
    assert found.prevalence("micro") == (0.5, 0.5)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=30))
def test_kappa_of_a_table(rows):
    """Kappa of the table is that of the labels, pooled tables included."""
    first, second = ([row[i] for row in rows] for i in (0, 1))
    counts = label_agreement(first, second, labels=("a", "b", "c")).counts
    expected = cohens_kappa(first, second)
    np.testing.assert_allclose(kappa_of_counts(np.stack([counts, 2 * counts])), [expected, expected], atol=1e-9)


def test_kappa_falls_with_rarity():
    """Where 95 of 100 events agree, kappa is 0.90 for a common label and 0.42 for a rare one."""
    assert float(kappa_of_counts([[47, 2], [3, 48]])) == pytest.approx(0.9)
    assert float(kappa_of_counts([[93, 2], [3, 2]])) == pytest.approx((0.95 - 0.9140) / (1 - 0.9140), abs=1e-4)


def test_each_action_unit_by_hand():
    """AU4: both 1, first only 1, neither 2: (3/4 - 1/2) / (1 - 1/2) = 1/2 with shares 2/4 and 1/4; the common unit first."""
    found = au_kappas([{"AU4"}, {"AU4"}, {"AU12"}, set()], [{"AU4"}, set(), set(), set()])

    assert list(found) == ["AU4", "AU12"]
    assert found["AU4"].counts.tolist() == [[2, 0], [1, 1]]
    assert found["AU4"].kappa == pytest.approx(0.5)
    assert found["AU4"].prevalence("present") == (0.5, 0.25)
    assert found["AU12"].kappa == pytest.approx(0.0)


def test_ratio_of_action_units_in_both_forms():
    """Mean of 2/3 and 1 and 0; pooled 2 * 2 / 6; the event in which nobody coded a unit is in neither, and counted."""
    found = au_overlap([{"AU4", "AU7"}, {"AU12"}, {"AU1"}, set()], [{"AU4"}, {"AU12"}, set(), set()])

    assert found.mean == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert found.pooled == pytest.approx(2 * 2 / 6)
    assert (found.n, found.n_undefined) == (3, 1)
    assert math.isnan(au_overlap([set()], [set()]).mean)


def test_no_labels():
    """Without events there is no agreement, no kappa and no prevalence."""
    found = label_agreement([], [], labels=("micro", "macro"))
    assert math.isnan(found.observed)
    assert math.isnan(found.kappa)
    assert all(math.isnan(share) for share in found.prevalence("micro"))


def test_within_frames():
    """Both ends must be within the tolerance, which is enough itself; the apex does not matter; as many pairs as possible."""
    first = [[10, 15, 20], [30, 31, 40], [12, 13, 22]]
    second = [[12, 19, 22], [33, 35, 40], [10, 11, 20]]
    assert sorted(matched_within(first, second, tolerance=2)) == [(0, 2), (2, 0)]
    assert sorted(matched_within(first, second, tolerance=3)) == [(0, 2), (1, 1), (2, 0)]
    assert matched_within(first, second, tolerance=0) == [(0, 2), (2, 0)]
    assert matched_within([], second, tolerance=2) == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda: cohens_kappa(["a"], []), "got 1 and 0 labels", id="labels"),
        pytest.param(lambda: au_agreement([{"AU1"}], []), "got 1 and 0", id="units"),
        pytest.param(lambda: label_agreement(["a"], []), "got 1 and 0 labels", id="table"),
        pytest.param(
            lambda: label_agreement(["a"], ["b"], labels=("a",)), "expected labels a, got also b", id="unknown label"
        ),
        pytest.param(lambda: au_kappas([{"AU1"}], []), "got 1 and 0", id="each unit"),
        pytest.param(lambda: matched_within([], [], tolerance=-1), "expected 0 or more, got -1", id="tolerance"),
        pytest.param(lambda: event_agreement([[1.0, 2.0]], []), r"shape \(n, 3\), got \(1, 2\)", id="shape"),
    ],
)
def test_refusals(call, message):
    """Lists of different events and wrong shapes raise."""
    with pytest.raises(ValueError, match=message):
        call()
