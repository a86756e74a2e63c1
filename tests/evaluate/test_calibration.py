"""Probabilities in a recognition result: scored where every row has them, and never made up."""

import numpy as np
import pytest

from mmme.evaluate import calibration_of, scores_from_predictions
from mmme.metrics.calibration import brier

CLASSES = ["negative", "positive"]


def predictions(probability):
    """Forty rows of four subjects, of which the first of each five is wrong."""
    truth = np.tile(["positive", "negative"], 20)
    right = np.arange(40) % 5 != 0
    pred = np.where(right, truth, np.where(truth == "positive", "negative", "positive"))
    p = np.where((pred == "negative")[:, None], [probability, 1 - probability], [1 - probability, probability])
    columns = {f"probability:{name}": p[:, k].tolist() for k, name in enumerate(CLASSES)}
    return {
        "truth": truth.tolist(),
        "pred": pred.tolist(),
        "subject": np.repeat(["S1", "S2", "S3", "S4"], 10).tolist(),
        **columns,
    }


@pytest.mark.parametrize(("said", "error"), [(0.8, 0.0), (0.95, 0.15), (0.6, 0.2)])
def test_calibration_error_is_the_distance_of_what_was_said_from_what_was_right(said, error):
    """Four of five are right: 0.8 is honest, 0.95 too sure by 0.15, 0.6 too shy by 0.2."""
    found = predictions(said)
    scores, _ = scores_from_predictions(found, CLASSES, n_bootstrap=100, n_permutations=10)
    by_name = {s.name: s for s in scores}
    assert by_name["calibration error"].value == pytest.approx(error, abs=1e-9)
    p = np.array([found["probability:negative"], found["probability:positive"]]).T
    assert by_name["Brier score"].value == pytest.approx(brier(p, [CLASSES.index(t) for t in found["truth"]]))
    assert by_name["Brier score"].low == pytest.approx(by_name["Brier score"].high)  # all subjects are alike
    assert by_name["Brier score"].n == 40


@pytest.mark.parametrize("spoil", ["without a class", "not a number", "no sum of 1"])
def test_no_calibration_without_probabilities(spoil):
    """A model that gives no probability for some row or class has no calibration; nothing is filled in."""
    found = predictions(0.8)
    if spoil == "without a class":
        del found["probability:positive"]
    else:
        found["probability:positive"][3] = float("nan") if spoil == "not a number" else 0.9
    assert calibration_of(found, CLASSES) is None
    scores, _ = scores_from_predictions(found, CLASSES, n_bootstrap=10, n_permutations=10)
    assert "Brier score" not in {s.name for s in scores}
