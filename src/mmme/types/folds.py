"""What an estimator may offer to be evaluated on many folds at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["FoldPrediction", "FoldwiseEstimator", "Rows"]

#: Positions of training and of test rows.
Rows = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True, slots=True, eq=False)
class FoldPrediction:
    """
    What the model of one fold says of its test rows.

    Parameters
    ----------
    pred : (n_test,)
        Class of each.
    word
        What ``values`` are: ``probability``, ``score`` (decision values), or empty when there are none.
    values : (n_test, n_known)
        One column per class that the model was fitted on.
    classes : (n_known,)
        Names of the columns.
    weights : (n_test, n_parts) or None
        Of a fusion: how far each part decided each row; rows sum to 1, or are 0 where nothing was there to decide by.
    parts
        Names of the columns of ``weights``.
    """

    pred: NDArray[np.str_]
    word: Literal["probability", "score", ""]
    values: NDArray[np.float64]
    classes: NDArray[np.str_]
    weights: NDArray[np.float64] | None = None
    parts: tuple[str, ...] = ()


@runtime_checkable
class FoldwiseEstimator(Protocol):
    """
    An estimator that computes once what folds share.

    It is handed all rows, so it could cheat where `fit` cannot; the promise is that every fold comes out as from a clone
    fitted on its training rows alone, and an evaluation holds it to that on one fold at least.
    """

    def predict_over_folds(
        self, X: NDArray[Any], y: NDArray[Any], folds: Sequence[Rows], *, groups: NDArray[Any] | None = None
    ) -> list[FoldPrediction]:
        """Predict the test rows of every fold; labels and values of test rows never reach its model."""
        ...
