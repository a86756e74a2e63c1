"""Which groups of columns carried a decision: what the winner loses when they are set to the training median."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmme.models.classical import probabilities

__all__ = ["occlusion"]


def occlusion(
    model: Any, X: ArrayLike, groups: Mapping[str, Sequence[int]], median: ArrayLike, *, odds: bool = False
) -> dict[str, NDArray[np.float64]]:
    """
    Drop of the winning class's log-probability when a group of columns is replaced by the training median.

    Parameters
    ----------
    model
        Fitted or stored classifier.
    X : (n_samples, n_features)
        Rows to explain.
    groups
        Positions of the columns of each named group.
    median : (n_features,)
        Medians of the training rows.
    odds
        Drop of the log-odds, ``log(p / (1 - p))``, instead: what a group says is then seen as well where another group
        has made the winner all but sure, of which the logarithm of a probability near 1 shows nothing.

    Returns
    -------
    dict of str to (n_samples,)
        Drop [nat] per group; positive where the group spoke for the winner, negative where it spoke against.

    Examples
    --------
    >>> from mmme.models.classical import make_model
    >>> model = make_model("ridge").fit([[0.0, 5.0], [1.0, 5.0]], ["a", "b"])
    >>> drop = occlusion(model, [[1.0, 5.0]], {"first": [0], "second": [1]}, [0.5, 5.0])
    >>> bool(drop["first"][0] > 0), float(drop["second"][0])
    (True, 0.0)
    """
    rows, middle = np.asarray(X, dtype=np.float64), np.asarray(median, dtype=np.float64)
    tiny = np.finfo(np.float64).tiny  # a forest can give a class no tree at all
    before = probabilities(model, rows)
    winner = before.argmax(axis=1)[:, None]
    drops = {}
    for name, columns in groups.items():
        hidden, at = rows.copy(), list(columns)
        hidden[:, at] = middle[at]
        after = probabilities(model, hidden)
        ratio = np.log(np.maximum(before, tiny)) - np.log(np.maximum(after, tiny))
        if odds:
            ratio += np.log(np.maximum(_others(after), tiny)) - np.log(np.maximum(_others(before), tiny))
        drops[name] = np.take_along_axis(ratio, winner, axis=1)[:, 0]
    return drops


def _others(proba: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum the probabilities of all other classes, without the rounding of 1 - p; ``(n_samples, n_classes)``."""
    apart = 1 - np.eye(proba.shape[1])
    return np.asarray(proba @ apart)
