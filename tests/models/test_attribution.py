"""Attribution: the group of columns that carries the class is named first, by the drop computed by hand."""

from __future__ import annotations

import numpy as np

from mmme.models.attribution import occlusion
from mmme.models.classical import make_model, probabilities


def test_the_group_that_carries_the_class_is_named_first() -> None:
    """Of three groups one is planted; its drop equals the hand computation and exceeds the others in the mean."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(90, 9)), np.arange(90) % 2
    X[:, 3:6] += 2.0 * y[:, None]
    model, median = make_model("logistic").fit(X, y), np.median(X, axis=0)
    drop = occlusion(model, X, {"brow": [0, 1, 2], "mouth": [3, 4, 5], "cheek": [6, 7, 8]}, median)
    assert max(drop, key=lambda name: drop[name].mean()) == "mouth"
    hidden = X.copy()
    hidden[:, 3:6] = median[3:6]
    before, after = probabilities(model, X), probabilities(model, hidden)
    won = before.argmax(axis=1)
    by_hand = np.log(before[np.arange(90), won] / after[np.arange(90), won])
    np.testing.assert_allclose(drop["mouth"], by_hand, atol=1e-12)
