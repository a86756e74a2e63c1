"""Scores of several labels equal scikit-learn's, from counts that can be resampled; what is undefined stays undefined."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, hamming_loss, roc_auc_score

from mmme.metrics.multi_label import (
    MULTI_LABEL_SCORES,
    area_within,
    counts_by_subject,
    f1_per_label,
    macro_f1,
    ordered_pairs,
    permuted_macro_f1,
)


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(0)
    truth = rng.random((90, 4)) < [0.5, 0.2, 0.1, 0.7]
    pred = truth ^ (rng.random((90, 4)) < 0.2)
    return truth, pred, np.repeat([f"S{k}" for k in range(9)], 10)


def test_scores_equal_scikit_learn(made):
    """Counts of subjects, added up, give scikit-learn's F1, exact match and Hamming loss of all rows."""
    truth, pred, who = made
    names, counts = counts_by_subject(truth, pred, who)
    pooled = counts.sum(axis=0)

    assert names == tuple(sorted(set(who)))
    np.testing.assert_allclose(f1_per_label(pooled[:-1]), f1_score(truth, pred, average=None))
    expected = {
        "macro F1": f1_score(truth, pred, average="macro"),
        "micro F1": f1_score(truth, pred, average="micro"),
        "exact match": accuracy_score(truth, pred),
        "Hamming loss": hamming_loss(truth, pred),
    }
    assert {name: pytest.approx(float(score(pooled))) for name, score in MULTI_LABEL_SCORES.items()} == expected


def test_a_label_that_never_occurs_is_undefined_not_zero():
    """F1 is NaN where a label neither occurs nor is predicted, and the mean leaves it out; predicted in vain it is 0."""
    truth, pred = np.array([[True, False, False]]), np.array([[True, False, True]])
    _, counts = counts_by_subject(truth, pred, ["S1"])

    np.testing.assert_array_equal(f1_per_label(counts[0, :-1]), [1.0, np.nan, 0.0])
    assert float(macro_f1(counts[0, :-1])) == 0.5
    assert np.isnan(macro_f1(counts[0, 1:2]))


def test_area_equals_scikit_learn_within_subjects(made):
    """With one subject the area is scikit-learn's, ties counting half; with many, pairs of a subject are added up."""
    truth, _, who = made
    values = np.round(np.random.default_rng(1).random(len(truth)) + 0.3 * truth[:, 1], 1)  # many ties
    alone = ordered_pairs(truth[:, 1], values, ["S"] * len(truth)).sum(axis=0)
    pairs = ordered_pairs(truth[:, 0], values, who)

    assert float(area_within(alone)) == pytest.approx(roc_auc_score(truth[:, 1], values))
    for name, (right, n) in zip(sorted(set(who)), pairs, strict=True):
        own = who == name
        assert right / n == pytest.approx(roc_auc_score(truth[own, 0], values[own]))
    assert np.isnan(area_within(ordered_pairs(np.ones(3, dtype=bool), np.arange(3), ["S"] * 3).sum(axis=0)))


def test_exchanged_truths_keep_samples_whole(made):
    """Permuted macro F1 equals a plain loop over permutations of whole rows, in its mean and spread."""
    truth, pred, _ = made
    rng = np.random.default_rng(5)
    plain = [f1_score(truth[rng.permutation(len(truth))], pred, average="macro") for _ in range(400)]
    drawn = permuted_macro_f1(truth, pred, 4_000)

    assert drawn.mean() == pytest.approx(np.mean(plain), abs=0.01)
    assert drawn.std() == pytest.approx(np.std(plain), rel=0.2)


def test_other_inputs_are_refused():
    """Numbers in place of yes or no, and other lengths, are refused."""
    with pytest.raises(ValueError, match="truth: expected yes or no"):
        counts_by_subject([[1, 0]], [[True, False]], ["S1"])
    with pytest.raises(ValueError, match="expected predictions and subjects for truth"):
        counts_by_subject([[True]], [[True]], ["S1", "S2"])
