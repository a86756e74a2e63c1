"""Scores of ratings follow from sums per subject and equal their definitions."""

import numpy as np
import pytest
from scipy.stats import pearsonr

from mmme.metrics.continuous import CONTINUOUS_SCORES, concordance, correlation, permuted_concordance, sums_by_subject


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(0)
    truth = rng.normal(5, 1.5, 80)
    return truth, 0.5 * truth + rng.normal(3, 1, 80), np.repeat([f"S{k}" for k in range(8)], 10), np.full(80, 4.8)


def test_scores_equal_their_definitions(made):
    """CCC by Lin's formula, Pearson's r by SciPy, errors by NumPy, R2 against the given baseline."""
    truth, pred, who, base = made
    _, sums = sums_by_subject(truth, pred, who, base)
    got = {name: float(score(sums.sum(axis=0))) for name, score in CONTINUOUS_SCORES.items()}

    covariance = np.cov(truth, pred, ddof=0)
    lin = 2 * covariance[0, 1] / (covariance[0, 0] + covariance[1, 1] + (truth.mean() - pred.mean()) ** 2)
    assert got["CCC"] == pytest.approx(lin, abs=1e-10)
    assert got["correlation"] == pytest.approx(pearsonr(truth, pred).statistic, abs=1e-10)
    assert got["MAE"] == pytest.approx(np.abs(truth - pred).mean())
    assert got["RMSE"] == pytest.approx(np.sqrt(((truth - pred) ** 2).mean()))
    assert got["R2"] == pytest.approx(1 - ((truth - pred) ** 2).sum() / ((truth - base) ** 2).sum())


def test_a_shift_lowers_concordance_and_not_correlation(made):
    """What is two points too high in all rows is as well related and worse in agreement."""
    truth, _, who, base = made
    _, same = sums_by_subject(truth, truth, who, base)
    _, high = sums_by_subject(truth, truth + 2, who, base)

    assert float(concordance(same.sum(axis=0))) == pytest.approx(1)
    assert float(correlation(high.sum(axis=0))) == pytest.approx(1)
    assert float(concordance(high.sum(axis=0))) < 0.6


def test_predictions_that_do_not_vary_are_undefined_not_zero(made):
    """The correlation with a constant is NaN; its concordance is 0, for it agrees with nothing."""
    truth, _, who, base = made
    _, sums = sums_by_subject(truth, base, who, base)

    assert np.isnan(correlation(sums.sum(axis=0)))
    assert float(concordance(sums.sum(axis=0))) == pytest.approx(0)
    assert float(CONTINUOUS_SCORES["R2"](sums.sum(axis=0))) == pytest.approx(0)


def test_exchanged_truths_scatter_about_zero(made):
    """The permutation level of CCC is around 0 and never near the score of a real relation."""
    truth, pred, who, base = made
    draws = permuted_concordance(truth, pred, 1_000)

    assert abs(draws.mean()) < 0.02
    assert draws.max() < float(concordance(sums_by_subject(truth, pred, who, base)[1].sum(axis=0)))


def test_what_is_no_number_is_refused():
    """NaN among ratings, and other lengths, are refused."""
    with pytest.raises(ValueError, match="expected finite values"):
        sums_by_subject([1.0, np.nan], [1.0, 1.0], ["a", "b"], [1.0, 1.0])
    with pytest.raises(ValueError, match="expected as many predictions"):
        sums_by_subject([1.0], [1.0, 1.0], ["a", "b"], [1.0, 1.0])
