"""Bootstrap, permutation and paired comparison against loops and exact enumeration."""

import itertools
import math
import time

import numpy as np
import pytest
from sklearn.metrics import f1_score

from mmme.metrics.recognition import accuracy, confusion, confusion_by_subject, uf1
from mmme.metrics.uncertainty import (
    Level,
    bootstrap_interval,
    bootstrap_totals,
    bootstrap_weights,
    paired_difference,
    percentile_interval,
    permutation_level,
    permuted_counts,
)

CLASSES = ["a", "b", "c"]


def sample(n_subjects=6, n_each=5, skill=0.5, seed=0):
    rng = np.random.default_rng(seed)
    who = np.repeat([f"S{i}" for i in range(n_subjects)], n_each)
    truth = rng.choice(CLASSES, len(who))
    pred = np.where(rng.random(len(who)) < skill, truth, rng.choice(CLASSES, len(who)))
    return truth, pred, who


def test_bootstrap_equals_a_loop_over_scikit_learn():
    """Every draw has exactly the score of the resampled list of samples under scikit-learn."""
    truth, pred, who = sample()
    names, counts = confusion_by_subject(truth, pred, who, CLASSES)
    weights = bootstrap_weights(len(names), 50, seed=3)
    loop = []
    for w in weights:
        rows = np.concatenate([np.tile(np.flatnonzero(who == n), int(k)) for n, k in zip(names, w, strict=True)])
        loop.append(f1_score(truth[rows], pred[rows], labels=CLASSES, average="macro", zero_division=0))
    drawn = uf1(bootstrap_totals(counts, 50, seed=3))

    np.testing.assert_allclose(drawn, loop, rtol=0, atol=1e-15)
    low, high = bootstrap_interval(counts, uf1, n_draws=50, seed=3)
    assert (low, high) == pytest.approx(tuple(np.percentile(loop, [2.5, 97.5])))


def test_interval_covers_the_planted_accuracy():
    """Over 200 simulated studies of 40 subjects the 95 % interval holds the planted accuracy in 88 % to 99 % of them."""
    rng = np.random.default_rng(1)
    inside = 0
    for study in range(200):
        right = rng.binomial(10, 0.7, size=40)
        counts = np.stack([[[r, 10 - r], [0, 0]] for r in right])
        low, high = bootstrap_interval(counts, accuracy, n_draws=400, seed=study)
        inside += low <= 0.7 <= high

    assert 0.88 <= inside / 200 <= 0.99


def test_one_subject_has_no_interval():
    """From a single subject nothing can be resampled: the ends are NaN."""
    assert all(math.isnan(end) for end in bootstrap_interval([[[1, 0], [0, 1]]], accuracy))
    assert math.isnan(paired_difference([[[1, 0], [0, 1]]], [[[1, 0], [1, 0]]], accuracy).low)


def test_permuted_counts_keep_margins():
    """A permutation changes neither how often a class occurs nor how often it is predicted."""
    counts = confusion_by_subject(*sample(), CLASSES)[1]
    for blocks in (counts, counts.sum(axis=0, keepdims=True)):
        drawn = permuted_counts(blocks, 100)
        assert (drawn.sum(axis=2) == blocks.sum(axis=(0, 2))).all()
        assert (drawn.sum(axis=1) == blocks.sum(axis=(0, 1))).all()
        assert (drawn >= 0).all()


def test_permutation_level_equals_all_permutations():
    """Mean and p agree with the enumeration of all 720 permutations of six labels, within four standard errors."""
    truth, pred = list("aabbcc"), list("aabbca")
    scores = np.array([float(uf1(confusion(list(p), pred, CLASSES))) for p in itertools.permutations(truth)])
    observed = float(uf1(confusion(truth, pred, CLASSES)))
    exact_p = np.mean(scores >= observed - 1e-12)
    n = 20_000
    level = permutation_level(confusion(truth, pred, CLASSES)[None], uf1, n_draws=n)

    assert level.mean == pytest.approx(scores.mean(), abs=4 * scores.std() / np.sqrt(n))
    assert level.p == pytest.approx(exact_p, abs=4 * np.sqrt(exact_p / n) + 1 / n)


def test_permutation_within_subjects_keeps_what_is_known_of_subjects():
    """Predictions that only know each subject's usual class beat the global level, and not the one within subjects."""
    truth, who = np.repeat(["a", "b"], 20), np.repeat(["S1", "S2"], 20)
    counts = confusion_by_subject(truth, truth, who, ["a", "b"])[1]

    assert permutation_level(counts, accuracy, n_draws=999).p == 0.001
    assert permutation_level(counts, accuracy, within_subject=True, n_draws=999) == Level(1.0, 1.0, 1.0)


def test_p_is_uniform_for_guesses():
    """Guessed predictions reach p <= 0.05 in about 5 % of 200 simulated studies (at most 11 %)."""
    low = 0
    for study in range(200):
        counts = confusion_by_subject(*sample(skill=0.0, seed=study), CLASSES)[1]
        low += permutation_level(counts, uf1, n_draws=199, seed=study).p <= 0.05

    assert low / 200 <= 0.11


def test_paired_difference_equals_all_exchanges():
    """p agrees with the enumeration of all 64 exchanges of six subjects; the value is the plain difference."""
    truth, good, who = sample(skill=0.9)
    poor = sample(skill=0.1)[1]
    one, two = (confusion_by_subject(truth, pred, who, CLASSES)[1] for pred in (good, poor))
    observed = float(uf1(one.sum(0)) - uf1(two.sum(0)))
    reached = []
    for signs in itertools.product([False, True], repeat=6):
        s = np.array(signs)[:, None, None]
        difference = uf1(np.where(s, two, one).sum(0)) - uf1(np.where(s, one, two).sum(0))
        reached.append(abs(difference) >= abs(observed) - 1e-12)
    found = paired_difference(one, two, uf1)

    assert found.value == observed
    assert found.p == pytest.approx(np.mean(reached), abs=0.01)
    assert found.low < found.value < found.high
    opposite = paired_difference(two, one, uf1)
    assert (opposite.value, opposite.p) == (-found.value, found.p)


def test_same_seed_same_numbers():
    """The seed decides all draws."""
    counts = confusion_by_subject(*sample(), CLASSES)[1]

    assert bootstrap_interval(counts, uf1, seed=5) == bootstrap_interval(counts, uf1, seed=5)
    assert bootstrap_interval(counts, uf1, seed=5) != bootstrap_interval(counts, uf1, seed=6)
    assert permutation_level(counts, uf1, seed=5) == permutation_level(counts, uf1, seed=5)


def test_ten_thousand_draws_are_quick():
    """Ten thousand draws over 68 subjects and three classes stay under a second each, on any machine."""
    counts = confusion_by_subject(*sample(68, 6), CLASSES)[1]
    for compute in (
        lambda: bootstrap_interval(counts, uf1),
        lambda: permutation_level(counts, uf1),
        lambda: paired_difference(counts, counts, uf1),
    ):
        start = time.perf_counter()
        compute()
        assert time.perf_counter() - start < 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda: bootstrap_totals([1, 2], 3), "expected one array of counts per subject", id="shape"),
        pytest.param(lambda: bootstrap_totals(np.zeros((0, 2, 2)), 3), r"got \(0, 2, 2\)", id="nobody"),
        pytest.param(lambda: percentile_interval([1.0], level=95), "share between 0 and 1, got 95", id="percent"),
        pytest.param(
            lambda: paired_difference(np.ones((2, 2, 2)), np.ones((3, 2, 2)), uf1), "the same subjects", id="subjects"
        ),
    ],
)
def test_refusals(call, message):
    """Counts without subjects, percent instead of shares and different subjects raise."""
    with pytest.raises(ValueError, match=message):
        call()
