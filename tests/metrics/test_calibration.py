"""Calibration: by hand, against scikit-learn, and with intervals that hold what was planted."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from mmme.metrics.calibration import brier, calibration, calibration_error


def drawn(n=4000, sharpen=1.0, seed=0):
    """Truth drawn from probabilities; what is said is sharpened."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([1, 1, 1], size=n)
    y = (p.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    said = p**sharpen
    return said / said.sum(axis=1, keepdims=True), y, np.repeat([f"S{k}" for k in range(40)], n // 40)


def test_brier_is_scikit_learns():
    """For two classes the sum over classes is twice scikit-learn's score; by hand for three."""
    rng = np.random.default_rng(1)
    p, y = rng.random(50), rng.integers(0, 2, 50)
    assert brier(np.stack([1 - p, p], axis=1), y) == pytest.approx(2 * brier_score_loss(y, p))
    assert brier([[0.2, 0.3, 0.5]], [2]) == pytest.approx(0.04 + 0.09 + 0.25)


def test_probabilities_at_their_word():
    """Truth drawn from what is said: no error beyond chance; said too surely: a plain error, and a worse Brier score."""
    honest = calibration(*drawn(), n_draws=500)
    sure = calibration(*drawn(sharpen=3.0), n_draws=500)

    assert honest.error < 0.03
    assert sure.error_low > 0.1
    assert sure.brier_low > honest.brier_high
    assert honest.brier_low < honest.brier < honest.brier_high
    assert sum(honest.n) == 4000
    assert list(honest.said) == sorted(honest.said)
    assert all(said > right for said, right in zip(sure.said, sure.right, strict=True))


def test_error_by_hand():
    """Two bins of equally many samples: |0.6 - 0.5| and |0.9 - 1| weigh the same."""
    p = [[0.6, 0.4]] * 4 + [[0.9, 0.1]] * 4
    y = [0, 0, 1, 1, 0, 0, 0, 0]

    assert calibration_error(p, y, n_bins=2) == pytest.approx(0.1)
    assert calibration_error([[0.7, 0.3]] * 5, [0] * 5, n_bins=3) == pytest.approx(0.3)  # equal confidences are not parted


def test_one_subject_has_no_interval():
    """Nothing can be resampled from one face."""
    found = calibration([[0.6, 0.4]] * 4, [0, 0, 1, 0], ["S1"] * 4, n_draws=10)
    assert np.isnan([found.brier_low, found.brier_high, found.error_low, found.error_high]).all()


@pytest.mark.parametrize(
    ("p", "y", "message"),
    [
        ([[0.5, 0.4]], [0], "rows that are not negative and sum to 1"),
        ([[0.5, 0.5]], [2], "expected codes from 0 to 1, got 2 to 2"),
        ([[0.5, 0.5]], [0, 1], r"got \(1, 2\) and \(2,\)"),
    ],
)
def test_what_does_not_fit(p, y, message):
    """Sums, codes and lengths are checked."""
    with pytest.raises(ValueError, match=message):
        brier(p, y)
    with pytest.raises(ValueError, match="n_bins: expected at least 1, got 0"):
        calibration_error([[0.5, 0.5]], [0], n_bins=0)
    with pytest.raises(ValueError, match="subjects: expected one per sample, 1, got 2"):
        calibration([[0.5, 0.5]], [0], ["a", "b"])
