"""Rules of late fusion: each against hand computation, another library, or a planted truth."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from mmme.models.fusion.opinions import balanced, calibrated, evidence, temperature
from mmme.models.fusion.rules import (
    RULES,
    Average,
    Choquet,
    Product,
    lambda_of,
    learn_average,
    learn_choquet,
    learn_stack,
)


def said(seed=0, n=300, sharp=(2.0, 0.0), n_classes=3):
    """Opinions of two modalities on balanced classes; ``sharp`` is what each knows, 0 for nothing."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    opinion = np.stack([softmax(s * np.eye(n_classes)[y] + rng.normal(size=(n, n_classes)), axis=1) for s in sharp], axis=1)
    return opinion, np.ones((n, 2)), y


def test_mean_by_hand():
    """Weights 3 and 1 and trust 0.5 of the second give (3 a + 0.5 b) / 3.5; one that is missing has no part."""
    opinion = np.array([[[0.9, 0.1], [0.2, 0.8]], [[0.9, 0.1], [np.nan, np.nan]]])
    proba, weight = Average(np.array([3.0, 1.0])).combine(opinion, np.array([[1.0, 0.5], [1.0, 0.0]]))

    np.testing.assert_allclose(proba[0], (3 * opinion[0, 0] + 0.5 * opinion[0, 1]) / 3.5)
    np.testing.assert_allclose(proba[1], opinion[1, 0])
    np.testing.assert_allclose(weight, [[6 / 7, 1 / 7], [1, 0]])


def test_product_by_hand():
    """0.8 to 0.2 and 0.6 to 0.4 make 0.48 to 0.08; one without an opinion leaves the other as it is."""
    opinion = np.array([[[0.8, 0.2], [0.6, 0.4]], [[0.8, 0.2], [0.5, 0.5]]])
    proba, weight = Product().combine(opinion, np.ones((2, 2)))

    np.testing.assert_allclose(proba, [[0.48 / 0.56, 0.08 / 0.56], [0.8, 0.2]])
    np.testing.assert_allclose(weight, [[np.log(4) / np.log(6), np.log(1.5) / np.log(6)], [1, 0]])


@pytest.mark.parametrize(
    ("densities", "expected"), [([0.5, 0.25], 2.0), ([0.3, 0.7], 0.0), ([0.8, 0.5], -0.75), ([0.01, 0.01], 9800.0)]
)
def test_measure_of_two(densities, expected):
    """Of two, lambda is (1 - g1 - g2) / (g1 g2)."""
    assert lambda_of(np.array(densities)) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_measure_of_several(seed):
    """With lambda, the whole is worth 1: prod(1 + l g) = 1 + l, and l is above -1."""
    g = np.random.default_rng(seed).uniform(0.02, 0.9, size=2 + seed)
    value = lambda_of(g)

    assert value > -1
    assert np.prod(1 + value * g) == pytest.approx(1 + value, rel=1e-6, abs=1e-9)


def test_measure_of_many_that_are_worth_all():
    """Twelve that are worth nearly everything each: lambda stays above -1, and the measure below 1."""
    assert -1 < lambda_of(np.full(12, 0.99)) < -0.999


def test_choquet_by_hand():
    """Worth 0.5 and 0.25, saying 0.8 and 0.4: 0.4 * 1 + (0.8 - 0.4) * 0.5 = 0.6, and by turns 0.4 + 0.4 * 0.25 = 0.5."""
    opinion = np.array([[[0.8, 0.4], [0.4, 0.8]]])
    proba, weight = Choquet(np.array([[0.5, 0.5], [0.25, 0.25]])).combine(opinion, np.ones((1, 2)))

    np.testing.assert_allclose(proba, [[0.6 / 1.1, 0.5 / 1.1]])
    np.testing.assert_allclose(weight, [[0.5, 0.5]])


def test_choquet_that_adds_up_is_a_mean():
    """With densities that sum to 1 nothing is worth more or less together, and the integral is their weighted mean."""
    opinion, trust, _ = said()
    proba, weight = Choquet(np.array([[0.7] * 3, [0.3] * 3])).combine(opinion, trust)

    np.testing.assert_allclose(proba, 0.7 * opinion[:, 0] + 0.3 * opinion[:, 1], atol=1e-9)
    np.testing.assert_allclose(weight, [[0.7, 0.3]] * len(opinion), atol=1e-9)


def test_choquet_of_one_that_is_there():
    """Where the others are missing, the one that is there decides as it is, whatever it is worth."""
    opinion = np.array([[[0.7, 0.2, 0.1], [np.nan] * 3]])
    proba, weight = Choquet(np.full((2, 3), 0.1)).combine(opinion, np.array([[1.0, 0.0]]))

    np.testing.assert_allclose(proba, opinion[:, 0])
    np.testing.assert_allclose(weight, [[1, 0]])


def test_weights_find_who_knows():
    """Learned weights: all for the one that knows, half for equals, and being missing does not count against one."""
    assert learn_average(*said(n=3000)).weights[0] > 0.99
    opinion, trust, y = said(n=3000, sharp=(1.5, 1.5))
    equal = learn_average(opinion, trust, y).weights
    opinion[::2, 1], trust[::2, 1] = np.nan, 0.0

    np.testing.assert_allclose(equal, 0.5, atol=0.1)
    np.testing.assert_allclose(learn_average(opinion, trust, y).weights, 0.5, atol=0.1)


def test_weights_of_a_planted_mixture():
    """Where classes are drawn from 0.8 a + 0.2 b, the weights are found within 0.05."""
    rng = np.random.default_rng(0)
    opinion = rng.dirichlet(np.full(3, 0.5), size=(20_000, 2))
    mixed = 0.8 * opinion[:, 0] + 0.2 * opinion[:, 1]
    y = (mixed.cumsum(axis=1) < rng.random((len(mixed), 1))).sum(axis=1)

    np.testing.assert_allclose(learn_average(opinion, np.ones((len(y), 2)), y).weights, [0.8, 0.2], atol=0.05)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_stack_is_a_logistic_regression(n_classes):
    """Stacking gives the probabilities of scikit-learn's logistic regression on the same inputs."""
    opinion, trust, y = said(sharp=(1.0, 0.5), n_classes=n_classes)
    opinion[:40, 1], trust[:40, 1] = np.nan, 0.0
    inputs = np.nan_to_num(opinion - 1 / n_classes).reshape(len(y), -1)
    inputs = np.hstack([inputs, trust == 0])
    theirs = LogisticRegression(C=1.0, class_weight="balanced", max_iter=2000).fit(inputs, y).predict_proba(inputs)
    ours, weight = learn_stack(opinion, trust, y).combine(opinion, trust)

    np.testing.assert_allclose(ours, theirs, atol=1e-9)
    np.testing.assert_allclose(weight.sum(axis=1), 1)
    assert weight[40:, 0].mean() > weight[40:, 1].mean()
    assert (weight[:40, 1] == 0).all()


def test_stack_learns_what_missing_means():
    """Where the body is missing mostly in one class, its own input tells that class."""
    opinion, trust, y = said(n=3000, sharp=(0.0, 0.0))
    lost = (y == 2) & (np.arange(len(y)) % 10 != 0)
    opinion[lost, 1], trust[lost, 1] = np.nan, 0.0
    proba, _ = learn_stack(opinion, trust, y).combine(opinion, trust)

    assert (proba[lost].argmax(axis=1) == 2).all()


def test_stack_without_rows_of_a_class():
    """A class all of whose rows say nothing cannot be learned and gets no probability."""
    opinion, trust, y = said()
    opinion[y == 2], trust[y == 2] = np.nan, 0.0
    proba, _ = learn_stack(opinion, trust, y).combine(opinion, trust)

    assert (proba[:, 2] == 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1)


def test_densities_of_who_knows():
    """Telling a class from the others by chance is worth 0.01, always right 0.99."""
    opinion, trust, y = said(n=3000, sharp=(50.0, 0.0))
    densities = learn_choquet(opinion, trust, y).densities

    assert (densities[0] == 0.99).all()
    assert (densities[1] < 0.1).all()


def test_temperature_is_found():
    """Opinions made three times too sure have temperature 3 (within 10 %), too timid by half 0.5; rare classes weigh alike."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 3)) * 1.5
    y = (softmax(logits, axis=1).cumsum(axis=1) < rng.random((len(logits), 1))).sum(axis=1)
    kept = np.concatenate([np.flatnonzero(y != 2), np.flatnonzero(y == 2)])

    assert temperature(softmax(3 * logits, axis=1)[kept], y[kept]) == pytest.approx(3, rel=0.1)
    assert temperature(softmax(0.5 * logits, axis=1), y) == pytest.approx(0.5, rel=0.1)


def test_temperature_silences_noise():
    """Sure opinions that are right no more often than chance get a temperature at which nothing is left of them."""
    opinion, _, y = said(n=3000, sharp=(0.0, 0.0))
    sure = softmax(20 * evidence(opinion[:, 0]), axis=1)

    assert np.ptp(calibrated(sure, temperature(sure, y))) < 0.1


def test_an_unknown_class_gets_the_share_of_no_evidence():
    """Evidence of a class that the model never saw is 0, the mean of the others; missing rows stay missing."""
    opinion = np.array([[0.8, 0.2, np.nan], [np.nan] * 3])
    proba = calibrated(opinion, 1.0)

    np.testing.assert_allclose(evidence(opinion)[0], [np.log(2), -np.log(2), 0])
    np.testing.assert_allclose(proba[0], np.array([2, 0.5, 1]) / 3.5)
    assert np.isnan(proba[1]).all()


def test_balanced_weights():
    """Three of one class and one of another weigh 2/3 each and 2; an absent class takes nothing."""
    np.testing.assert_allclose(balanced(np.array([0, 0, 0, 2]), 4), [2 / 3, 2 / 3, 2 / 3, 2])


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_gives_shares(rule):
    """Probabilities and weights of a learned rule lie in [0, 1] and sum to 1, with opinions missing here and there."""
    opinion, trust, y = said()
    opinion[:50, 0], trust[:50, 0] = np.nan, 0.0
    opinion[30:80, 1], trust[30:80, 1] = np.nan, 0.0
    trust[100:, 1] *= 0.5
    proba, weight = RULES[rule](opinion, trust, y).combine(opinion, trust)

    assert min(proba.min(), weight.min()) >= 0
    asked = np.delete(np.arange(300), np.s_[30:50])
    np.testing.assert_allclose(proba[asked].sum(axis=1), 1)
    np.testing.assert_allclose(weight[asked].sum(axis=1), 1)
    assert (weight[30:50] == 0).all()
    assert (weight[:50, 0] == 0).all()
