"""Measurements of two coders: ICC against the published table, sums against the plain formula, intervals over subjects."""

import math

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given

from mmme.metrics.reliability import (
    icc_agreement,
    icc_of_sums,
    interval_over_subjects,
    mean_difference_of_sums,
    pair_sums,
    ratio_of_counts,
)

SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


def test_icc_of_shrout_and_fleiss():
    """The table of Shrout & Fleiss (1979) has an ICC(2,1) of .290."""
    assert icc_agreement(SHROUT_FLEISS) == pytest.approx(0.2898, abs=5e-5)


def test_icc_by_hand():
    """Two coders, one of them always 1 later: ratings 1..3 and 2..4 give (2 - 0) / (2 + 0 + 2 * 1.5 / 3) = 2/3."""
    assert icc_agreement([[1, 2], [2, 3], [3, 4]]) == pytest.approx(2 / 3)
    assert icc_agreement([[1, 1], [2, 2], [3, 3]]) == pytest.approx(1.0)


@given(hnp.arrays(np.float64, st.tuples(st.integers(2, 20), st.just(2)), elements=st.floats(-50, 50, width=32)))
def test_sums_are_enough(ratings):
    """The ICC and the mean differences from sums are those of the ratings."""
    assume(ratings.std(axis=0).min() > 0.01)
    assume(icc_agreement(ratings) > -5)  # below, and where it is NaN, events differ less than coders: nothing to divide by
    sums = pair_sums(ratings[:, 0], ratings[:, 1])
    assert float(icc_of_sums(sums)) == pytest.approx(icc_agreement(ratings), abs=1e-6)
    difference = ratings[:, 1] - ratings[:, 0]
    assert float(mean_difference_of_sums(sums, absolute=False)) == pytest.approx(difference.mean(), abs=1e-9)
    assert float(mean_difference_of_sums(sums, absolute=True)) == pytest.approx(np.abs(difference).mean(), abs=1e-9)


def test_undefined():
    """One event, equal ratings and no events have no ICC; 0/0 is no number."""
    assert math.isnan(icc_agreement([[1, 2]]))
    assert math.isnan(icc_agreement([[1, 1], [1, 1]]))
    assert math.isnan(icc_agreement([[1, 0], [0, 1]]))
    assert math.isnan(float(icc_of_sums(pair_sums([1, 0], [0, 1]))))
    assert math.isnan(float(icc_of_sums(pair_sums([1.0], [2.0]))))
    assert math.isnan(float(icc_of_sums(pair_sums([], []))))
    assert math.isnan(float(mean_difference_of_sums(pair_sums([], []), absolute=True)))
    assert math.isnan(float(ratio_of_counts([0, 0])))


def test_interval_covers_the_planted_value():
    """Of 100 simulated studies with a true share of 0.7, the interval holds it in about 95."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(100):
        n = rng.integers(10, 30, 25)
        low, high = interval_over_subjects(np.stack([rng.binomial(n, 0.7), n], axis=1), ratio_of_counts, n_draws=500)
        held += low <= 0.7 <= high
    assert 87 <= held <= 100


def test_interval_where_draws_are_undefined():
    """A score that most draws leave undefined has no interval; one that few do is of the others."""
    assert all(math.isnan(x) for x in interval_over_subjects([[1, 1], [0, 0], [0, 0]], ratio_of_counts))
    assert all(math.isnan(x) for x in interval_over_subjects([[1, 2]], ratio_of_counts))
    assert interval_over_subjects([[1, 2], [1, 2], [1, 2], [0, 0]], ratio_of_counts) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: icc_agreement([1, 2]), r"expected \(n_events, n_coders\) with two coders at least, got \(2,\)"),
        (lambda: icc_agreement([[1], [2]]), r"two coders at least, got \(2, 1\)"),
        (lambda: icc_agreement([[1, np.nan], [2, 3]]), "expected finite numbers, got 1 that are not"),
        (lambda: pair_sums([1], [1, 2]), "got 1 and 2 measurements"),
    ],
)
def test_refusals(call, message):
    """Wrong shapes and missing numbers raise."""
    with pytest.raises(ValueError, match=message):
        call()
