"""Recognition scores against published logs, scikit-learn and hand counts."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.metrics import confusion_matrix, f1_score, recall_score

from mmme.metrics.recognition import (
    accuracy,
    confusion,
    confusion_by_subject,
    f1_per_class,
    recall_per_class,
    uar,
    uf1,
)

STSTNET_MATLAB = [[219, 22, 9], [40, 62, 7], [21, 3, 59]]
STSTNET_PYTORCH = [[195, 39, 16], [36, 68, 5], [12, 7, 64]]
CAPSULENET = [[192, 30, 24], [33, 65, 11], [25, 9, 46]]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        pytest.param(STSTNET_MATLAB, (0.7353, 0.7186, 0.7692), id="ststnet-matlab-log"),
        pytest.param(STSTNET_PYTORCH, (0.7209, 0.7250, 0.7398), id="ststnet-pytorch-log"),
        pytest.param(CAPSULENET, (0.6520, 0.6506, 0.6966), id="capsulenet-log"),
    ],
)
def test_published_logs(counts, expected):
    """Scores from the confusion matrices of published per-clip logs are the known ones, to four decimals."""
    assert (round(float(uf1(counts)), 4), round(float(uar(counts)), 4), round(float(accuracy(counts)), 4)) == expected


def test_exchanged_truth_is_mean_precision():
    """With truth and prediction exchanged UF1 stays and UAR becomes mean precision, the UAR that STSTNet printed."""
    swapped = np.transpose(STSTNET_MATLAB)

    assert round(float(uf1(swapped)), 4) == 0.7353
    assert round(float(uar(swapped)), 4) == 0.7605


def test_absent_class_counts_as_zero():
    """A class that neither occurs nor is predicted has F1 and recall 0 and still divides the mean."""
    counts = confusion(["a", "b"], ["a", "b"], ["a", "b", "c"])

    assert f1_per_class(counts).tolist() == [1.0, 1.0, 0.0]
    assert recall_per_class(counts).tolist() == [1.0, 1.0, 0.0]
    assert float(uf1(counts)) == pytest.approx(2 / 3)
    assert float(uar(counts)) == pytest.approx(2 / 3)


def test_no_samples():
    """Without samples every count and every score is 0."""
    counts = confusion([], [], ["a", "b"])

    assert counts.tolist() == [[0, 0], [0, 0]]
    assert float(uf1(counts)) == float(uar(counts)) == float(accuracy(counts)) == 0.0


def test_pooled_is_not_the_mean_of_folds():
    """Counts are pooled before scoring: on two subjects with one class each the mean of fold scores differs."""
    _, counts = confusion_by_subject(list("aabb"), list("aaba"), ["S1", "S1", "S2", "S2"], ["a", "b"])

    assert float(uf1(counts.sum(axis=0))) == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert float(np.mean(uf1(counts))) == pytest.approx((1 / 2 + (0 + 2 / 3) / 2) / 2)


def test_leading_axes():
    """A stack of matrices is scored matrix by matrix."""
    stack = np.array([STSTNET_MATLAB, STSTNET_PYTORCH])

    assert uf1(stack).tolist() == [float(uf1(c)) for c in stack]
    assert accuracy(stack).shape == (2,)


labels = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd"), st.sampled_from("xyz")), min_size=1, max_size=40
)


@given(labels)
@settings(max_examples=60, deadline=None)
def test_equal_to_scikit_learn(rows):
    """Confusion, F1 per class, UF1 and recall equal scikit-learn's with all classes given and 0 for 0/0."""
    truth, pred, who = (list(column) for column in zip(*rows, strict=True))
    classes = list("abcd")
    counts = confusion(truth, pred, classes)

    assert counts.tolist() == confusion_matrix(truth, pred, labels=classes).tolist()
    expected = f1_score(truth, pred, labels=classes, average=None, zero_division=0)
    np.testing.assert_allclose(f1_per_class(counts), expected, atol=1e-12)
    assert float(uar(counts)) == pytest.approx(recall_score(truth, pred, labels=classes, average="macro", zero_division=0))
    assert confusion_by_subject(truth, pred, who, classes)[1].sum(axis=0).tolist() == counts.tolist()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda: confusion(["a", "z"], ["a", "a"], ["a"]), "truth: expected one of a, got z", id="truth"),
        pytest.param(lambda: confusion(["a"], ["q"], ["a"]), "pred: expected one of a, got q", id="prediction"),
        pytest.param(lambda: confusion(["a"], ["a"], ["a", "a"]), "expected different names", id="classes-repeat"),
        pytest.param(lambda: confusion(["a", "a"], ["a"], ["a"]), "got 2, 1, 2", id="lengths"),
        pytest.param(lambda: uf1([1, 2]), r"expected shape \(..., n_classes, n_classes\), got \(2,\)", id="shape"),
    ],
)
def test_refusals(call, message):
    """Labels outside the classes, unequal lengths and wrong shapes raise."""
    with pytest.raises(ValueError, match=message):
        call()
