"""Machines that see rows through inner products only: support vectors and ridge regression, on products computed before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.svm import SVC
from sklearn.utils.class_weight import compute_sample_weight

from mmme.types import FoldPrediction

__all__ = ["Products", "gram", "radial", "ridge_predictions", "support_vectors"]

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Products:
    """
    Inner products of a fold's rows.

    Parameters
    ----------
    within : (n_train, n_train)
        Of training rows.
    across : (n_test, n_train)
        Of test rows with training rows.
    squares : (n_test,)
        Of test rows with themselves.
    """

    within: Matrix
    across: Matrix
    squares: Matrix

    def distances(self) -> tuple[Matrix, Matrix]:
        """Squared distances, of training rows and of test rows from training rows."""
        own = np.diag(self.within).copy()
        return own[:, None] + own - 2 * self.within, self.squares[:, None] + own - 2 * self.across


def gram(train: Matrix, test: Matrix) -> Products:
    """
    Inner products of training rows, and of test rows with them.

    Parameters
    ----------
    train, test : (n_rows, n_features)
        Standardised rows.

    Examples
    --------
    >>> gram(np.array([[1.0, 2.0]]), np.array([[3.0, 0.0]])).across.tolist()
    [[3.0]]
    """
    return Products(train @ train.T, test @ train.T, np.einsum("ij,ij->i", test, test))


def radial(machine: SVC, distances: tuple[Matrix, Matrix], train: Matrix) -> tuple[Matrix, Matrix]:
    """
    Radial kernel from squared distances, with the machine's ``gamma``; ``scale`` and ``auto`` follow the training rows.

    Examples
    --------
    >>> radial(SVC(gamma=0.5), (np.array([[0.0]]), np.array([[2.0]])), np.ones((1, 1)))[1].round(3).tolist()
    [[0.368]]
    """
    gamma = machine.gamma
    if gamma == "scale":
        spread = float(train.var())
        gamma = 1.0 / (train.shape[1] * spread) if spread > 0 else 1.0
    elif gamma == "auto":
        gamma = 1.0 / train.shape[1]
    return np.exp(-gamma * distances[0]), np.exp(-gamma * distances[1])


def support_vectors(machine: SVC, within: Matrix, across: Matrix, y: NDArray[Any]) -> FoldPrediction:
    """
    Fit a support vector machine on a kernel matrix with scikit-learn, and predict the test rows.

    Parameters
    ----------
    machine
        Whose parameters are taken, but for the kernel.
    within : (n_train, n_train)
        Kernel of training rows.
    across : (n_test, n_train)
        Kernel of test rows with training rows.
    y : (n_train,)
        Classes.

    Examples
    --------
    >>> support_vectors(SVC(kernel="linear"), np.diag([1.0, 1.0]), np.array([[0.9, 0.1]]), np.array(["a", "b"])).pred
    array(['a'], dtype='<U1')
    """
    model: Any = clone(machine).set_params(kernel="precomputed").fit(within, y)
    values = np.asarray(model.decision_function(across), dtype=np.float64)
    known = np.asarray(model.classes_)
    if values.ndim == 1:
        pred, values = known[(values > 0).astype(np.intp)], np.stack([-values, values], axis=1)
    elif machine.break_ties:
        pred = known[values.argmax(axis=1)]
    else:
        pred = np.asarray(model.predict(across))  # votes of pairs of classes, which may differ from the largest value
    return FoldPrediction(pred.astype(np.str_), "score", values, known.astype(np.str_))


def ridge_predictions(machine: RidgeClassifier, products: Products, y: NDArray[Any]) -> FoldPrediction:
    """
    Ridge regression on -1 and 1 per class, solved for one weight per training row.

    Weighted rows are centred on their weighted mean, so that the intercept is not shrunk; the products of centred rows
    follow from those of the rows.

    Parameters
    ----------
    machine
        Its ``alpha`` and ``class_weight``.
    products
        Of standardised rows.
    y : (n_train,)
        Classes.

    Examples
    --------
    >>> rows = gram(np.array([[-1.0], [1.0]]), np.array([[0.5]]))
    >>> ridge_predictions(RidgeClassifier(), rows, np.array(["a", "b"])).values.round(3).tolist()
    [[-0.333, 0.333]]
    """
    binary = LabelBinarizer(pos_label=1, neg_label=-1)
    target = np.asarray(binary.fit_transform(y), dtype=np.float64)
    weight = np.asarray(compute_sample_weight(machine.class_weight, y), dtype=np.float64)
    share = weight / weight.sum()
    root = np.sqrt(weight)
    towards_mean = products.within @ share
    about = float(share @ towards_mean)
    centred = products.within - towards_mean - towards_mean[:, None] + about
    system = root[:, None] * centred * root
    system[np.diag_indices_from(system)] += machine.alpha
    mean = share @ target
    dual = root[:, None] * solve(system, root[:, None] * (target - mean), assume_a="pos", overwrite_a=True)
    values = (products.across - towards_mean - (products.across @ share)[:, None] + about) @ dual + mean
    known = np.asarray(binary.classes_)
    if values.shape[1] == 1:
        values = np.concatenate([-values, values], axis=1)
        pred = known[(values[:, 1] > 0).astype(np.intp)]
    else:
        pred = known[values.argmax(axis=1)]
    return FoldPrediction(pred.astype(np.str_), "score", values, known.astype(np.str_))
