"""Self-report scales and repeated ratings, against the worked example of Shrout and Fleiss and against pingouin 0.7."""

import numpy as np
import pytest

from mmme.metrics.scales import cronbach_alpha, intraclass_correlations, likert_counts

#: Table 2 of Shrout and Fleiss (1979): six targets, four judges.
SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])


def test_six_forms_are_those_of_the_paper():
    """Values as printed there, to three digits."""
    six = {one.form: one for one in intraclass_correlations(SHROUT_FLEISS)}

    expected = {
        "ICC(1,1)": 0.166,
        "ICC(2,1)": 0.290,
        "ICC(3,1)": 0.715,
        "ICC(1,k)": 0.443,
        "ICC(2,k)": 0.620,
        "ICC(3,k)": 0.909,
    }
    assert {form: round(one.value, 3) for form, one in six.items()} == expected
    assert all(one.low < one.value < one.high for one in six.values())
    # Mean squares of the paper: between targets 11.24, within 6.26, residual 1.02.
    assert six["ICC(1,1)"].f == pytest.approx(11.24 / 6.26, rel=2e-3)
    assert six["ICC(3,1)"].f == pytest.approx(11.24 / 1.02, rel=2e-3)
    assert (six["ICC(1,1)"].df1, six["ICC(1,1)"].df2) == (5, 18)
    assert (six["ICC(3,k)"].df1, six["ICC(3,k)"].df2) == (5, 15)


def test_intervals_cover():
    """Of 300 samples with a known reliability, the 95 % interval of agreement holds it in nearly all."""
    rng = np.random.default_rng(0)
    truth = 1.0 / (1.0 + 0.25 + 1.0)
    inside = 0
    for _ in range(300):
        x = rng.normal(size=(30, 1)) + rng.normal(0, 0.5, size=(1, 12)) + rng.normal(size=(30, 12))
        one = intraclass_correlations(x)[1]
        inside += one.low <= truth <= one.high
    assert inside >= 270


def test_nothing_that_varies_is_no_number():
    """Constant ratings have no reliability; ratings that agree wholly have one of 1."""
    assert all(np.isnan(one.value) for one in intraclass_correlations(np.ones((4, 3))))
    perfect = intraclass_correlations(np.repeat(np.arange(4.0)[:, None], 3, axis=1))
    assert perfect[0].value == pytest.approx(1.0)
    assert np.isnan(cronbach_alpha(np.ones((4, 3))).value)


def test_alpha_is_the_consistency_of_the_mean():
    """Cronbach's alpha is ICC(3,k) of the same table, and its interval that of the same F."""
    alpha = cronbach_alpha(SHROUT_FLEISS)
    same = intraclass_correlations(SHROUT_FLEISS)[5]

    assert alpha.value == pytest.approx(same.value)
    assert (alpha.low, alpha.high) == (pytest.approx(same.low), pytest.approx(same.high))
    assert (alpha.n_subjects, alpha.n_items) == (6, 4)
    assert alpha.if_left_out[0] == pytest.approx(cronbach_alpha(SHROUT_FLEISS[:, 1:]).value)
    assert cronbach_alpha(SHROUT_FLEISS[:, :2]).if_left_out == ()


def test_what_cannot_be_judged_is_said():
    """Missing answers, one rater, steps off the scale."""
    holes = SHROUT_FLEISS.astype(float)
    holes[0, 0] = np.nan
    with pytest.raises(ValueError, match="complete rows, got 1 with a missing value"):
        cronbach_alpha(holes)
    with pytest.raises(ValueError, match=r"2 raters, got shape \(6, 1\)"):
        intraclass_correlations(SHROUT_FLEISS[:, :1])
    with pytest.raises(ValueError, match="whole numbers from 1 to 7, got 9"):
        likert_counts([3, 9], lowest=1, highest=7)
    with pytest.raises(ValueError, match="got 2.5"):
        likert_counts([2.5], lowest=1, highest=7)
    assert likert_counts([np.nan, 1, 7], lowest=1, highest=7).tolist() == [1, 0, 0, 0, 0, 0, 1]
