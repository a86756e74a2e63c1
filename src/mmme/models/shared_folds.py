"""
Classical pipelines over many folds and settings, computing once what these share.

A linear or radial support vector machine and ridge regression see their rows through inner products only. Here the inner
products of a fold's standardised rows are computed once, and serve every setting (a grid of ``C``, ``gamma`` or ``alpha``);
scikit-learn computes them anew for every setting, inside the solver. Imputation and standardisation stay what they are:
fitted on the fold's training rows alone. Columns that no row lacks need no imputation.

Where rows are many and columns few, inner products cost more than they save; `shares_gain` says where, from measured times
(``benchmarks/shared_folds.py``). There, and for other pipelines, every fold and setting is fitted plainly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mmme.models.shared_kernels import gram, radial, ridge_predictions, support_vectors
from mmme.types import FoldPrediction
from mmme.types.folds import Rows

__all__ = ["FoldPipeline", "fold_prediction", "over_settings", "shares_gain"]

#: Up to this many training rows per column inner products pay, for one setting; measured, see `shares_gain`.
ROWS_PER_COLUMN = {"linear": 3.0, "rbf": 6.0, "ridge": 0.8}
#: Inner products of more rows than this need more memory than folds are worth (8 bytes each, squared).
MOST_ROWS = 6000


class FoldPipeline(Pipeline):
    """
    Pipeline of scikit-learn that can also predict many folds at once, each as from a clone fitted on its training rows.

    Examples
    --------
    >>> from mmme.models.classical import make_model
    >>> X, y = np.array([[0.0, 0.1], [1.0, 0.9], [0.1, 0.0], [0.9, 1.0]]), np.array(["neg", "pos"] * 2)
    >>> folds = [(np.array([0, 1]), np.array([2, 3])), (np.array([2, 3]), np.array([0, 1]))]
    >>> [fold.pred.tolist() for fold in make_model("svm-linear").predict_over_folds(X, y, folds)]
    [['neg', 'pos'], ['neg', 'pos']]
    """

    def predict_over_folds(
        self, X: NDArray[Any], y: NDArray[Any], folds: Sequence[Rows], *, groups: NDArray[Any] | None = None
    ) -> list[FoldPrediction]:
        """
        Predict the test rows of every fold.

        Parameters
        ----------
        X : (n_samples, n_features)
            All rows; NaN where a value is missing.
        y : (n_samples,)
            Classes; those of test rows are not looked at.
        folds
            Positions of training and test rows.
        groups
            Subjects; not needed here.

        Returns
        -------
        list of FoldPrediction
            In the order of the folds.

        Raises
        ------
        ValueError
            As scikit-learn's fit, for example where a fold has rows of a single class.
        """
        del groups
        return over_settings(self, [{}], X, y, folds)[0]


def fold_prediction(model: Any, X: NDArray[Any]) -> FoldPrediction:
    """
    Predict rows with a fitted classifier.

    Probabilities where it has them, else decision values, one column per class.

    Parameters
    ----------
    model
        Fitted, with ``predict``.
    X : (n_samples, n_features)
        Rows.

    Returns
    -------
    FoldPrediction

    Examples
    --------
    >>> from sklearn.linear_model import RidgeClassifier
    >>> fold_prediction(RidgeClassifier().fit([[0.0], [1.0]], ["a", "b"]), [[0.9]]).pred.tolist()
    ['b']
    """
    pred = np.asarray(model.predict(X), dtype=np.str_)
    known = np.asarray(model.classes_, dtype=np.str_)
    if hasattr(model, "predict_proba"):
        return FoldPrediction(pred, "probability", np.asarray(model.predict_proba(X), dtype=np.float64), known)
    if not hasattr(model, "decision_function"):
        return FoldPrediction(pred, "", np.zeros((len(pred), 0)), known)
    values = np.asarray(model.decision_function(X), dtype=np.float64)
    return FoldPrediction(pred, "score", np.stack([-values, values], axis=1) if values.ndim == 1 else values, known)


def over_settings(
    pipeline: Pipeline,
    settings: Sequence[Mapping[str, Any]],
    X: NDArray[Any],
    y: NDArray[Any],
    folds: Sequence[Rows],
) -> list[list[FoldPrediction]]:
    """
    Predict the test rows of every fold with every setting.

    Parameters
    ----------
    pipeline
        Unfitted; a plain fit per fold and setting is done for those that nothing can be shared in.
    settings
        Parameters to set, as for ``set_params``; of the classifier only where folds are to share.
    X : (n_samples, n_features)
        All rows.
    y : (n_samples,)
        Classes; those of test rows are not looked at.
    folds
        Positions of training and test rows.

    Returns
    -------
    list of list of FoldPrediction
        By setting, then by fold.

    Examples
    --------
    >>> from mmme.models.classical import make_model
    >>> X, y = np.array([[0.0, 0.1], [1.0, 0.9], [0.1, 0.0], [0.9, 1.0]]), np.array(["neg", "pos"] * 2)
    >>> made = over_settings(make_model("ridge"), [{"ridge__alpha": 1.0}, {"ridge__alpha": 9.0}], X, y, [([0, 1], [2, 3])])
    >>> [fold.pred.tolist() for folds in made for fold in folds]
    [['neg', 'pos'], ['neg', 'pos']]
    """
    X, y = np.asarray(X), np.asarray(y)
    models = [clone(pipeline).set_params(**setting) for setting in settings]
    rows = [(np.asarray(train), np.asarray(test)) for train, test in folds]
    by_fold = [
        _shared_fold(models, X, y, train, test)
        if _can_share(models, X) and shares_gain(models[0], len(train), X.shape[1], len(settings))
        else [fold_prediction(clone(m).fit(X[train], y[train]), X[test]) for m in models]
        for train, test in rows
    ]
    return [[fold[k] for fold in by_fold] for k in range(len(models))]


def shares_gain(pipeline: Pipeline, n_train: int, n_features: int, n_settings: int = 1) -> bool:
    """
    Tell whether inner products of all rows cost less than plain fits.

    They cost ``n_train**2 * n_features``, once; a plain fit computes those that its solver asks for, with every setting.
    So the more settings, the more rows per column they are worth: up to 3 for a linear machine, 6 for a radial one, and 0.8
    for ridge regression, which by itself takes the shorter side of the table, each times the number of settings up to four.

    Examples
    --------
    >>> from mmme.models.classical import make_model
    >>> shares_gain(make_model("ridge"), 434, 2352), shares_gain(make_model("ridge"), 3000, 500)
    (True, False)
    """
    classifier = pipeline.steps[-1][1]
    kind = classifier.kernel if isinstance(classifier, SVC) else "ridge"
    return n_train <= MOST_ROWS and n_train <= ROWS_PER_COLUMN[kind] * min(n_settings, 4) * n_features


def _can_share(models: Sequence[Pipeline], X: NDArray[Any]) -> bool:
    """Whether all are median or mean, standardise, then a machine that sees inner products only."""
    return X.ndim == 2 and X.dtype.kind == "f" and not np.isinf(X).any() and all(map(_sees_products, models))


def _sees_products(model: Pipeline) -> bool:
    steps = [step for _, step in model.steps]
    if len(steps) != 3 or not isinstance(steps[0], SimpleImputer) or type(steps[1]) is not StandardScaler:
        return False
    impute, scale, last = steps
    plain = impute.keep_empty_features and not impute.add_indicator and np.isnan(impute.missing_values)
    plain = plain and scale.with_mean and scale.with_std
    if type(last) is SVC:
        return bool(plain and last.kernel in ("linear", "rbf") and last.probability is not True)
    if type(last) is RidgeClassifier:
        # without regularisation, or for a solver that stops early, the way counts
        return bool(plain and last.fit_intercept and last.solver == "auto" and not last.positive and last.alpha > 0)
    return False


def _shared_fold(
    models: Sequence[Pipeline], X: NDArray[Any], y: NDArray[Any], train: NDArray[Any], test: NDArray[Any]
) -> list[FoldPrediction]:
    """Predictions of one fold with all models, which differ in their last step only or else are standardised apart."""
    made: list[FoldPrediction] = []
    before: Any = None
    products: Any = None
    for model in models:
        impute, scale, last = (step for _, step in model.steps)
        if products is None or repr((impute, scale)) != before:
            A, B = _standardised(impute, scale, X, train, test)
            products, before = gram(A, B), repr((impute, scale))
            distances = None
        with config_context(assume_finite=True):  # finite rows have finite products
            if isinstance(last, RidgeClassifier):
                made.append(ridge_predictions(last, products, y[train]))
            elif last.kernel == "linear":
                made.append(support_vectors(last, products.within, products.across, y[train]))
            else:
                distances = products.distances() if distances is None else distances
                made.append(support_vectors(last, *radial(last, distances, A), y[train]))
    return made


def _standardised(
    impute: Any, scale: Any, X: NDArray[Any], train: NDArray[Any], test: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Training and test rows as the first two steps leave them; only columns with holes are imputed."""
    A, B = (np.asarray(X[rows], dtype=np.float64) for rows in (train, test))
    holes = np.isnan(A).any(axis=0) | np.isnan(B).any(axis=0)
    if holes.any():
        filler = clone(impute).fit(A[:, holes])
        A[:, holes], B[:, holes] = filler.transform(A[:, holes]), filler.transform(B[:, holes])
    scaler = cast("Any", clone(scale)).fit(A)
    return scaler.transform(A), scaler.transform(B)
