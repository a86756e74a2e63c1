"""
Classical classifiers by name, each complete from missing values to class.

Missing values are filled with the median of the training rows, columns are standardised with their mean and deviation,
both inside the pipeline and thus anew in every fold. Classes weigh equally, whatever their sizes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mmme.errors import ConfigError, ProtocolError, unknown_name
from mmme.metrics.recognition import confusion, uf1
from mmme.models.shared_folds import FoldPipeline, fold_prediction, over_settings
from mmme.types import FoldPrediction
from mmme.types.folds import Rows

__all__ = ["MODELS", "NestedChoice", "make_model", "probabilities"]


class DoubleImputer(SimpleImputer):
    """
    Imputation in double precision, so that all that follows is, whatever the table is stored in.

    Examples
    --------
    >>> DoubleImputer().fit_transform(np.ones((1, 1), dtype=np.float32)).dtype
    dtype('float64')
    """

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> DoubleImputer:
        """Learn what to fill in; `y` is not looked at."""
        super().fit(np.asarray(X, dtype=np.float64), y)
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Fill in; ``(n_samples, n_features)``."""
        return np.asarray(super().transform(np.asarray(X, dtype=np.float64)))


def _pipeline(name: str, classifier: Any) -> FoldPipeline:
    """Fill, standardise, classify; a column that is missing throughout stays, as zeros, so that positions keep."""
    return FoldPipeline(
        [
            ("impute", DoubleImputer(strategy="median", keep_empty_features=True)),
            ("scale", StandardScaler()),
            (name, classifier),
        ]
    )


def _svm_linear(random_state: int | None) -> Pipeline:
    return _pipeline("svc", SVC(kernel="linear", C=0.001, class_weight="balanced", random_state=random_state))


def _svm_rbf(random_state: int | None) -> Pipeline:
    return _pipeline("svc", SVC(kernel="rbf", C=3.0, class_weight="balanced", random_state=random_state))


def _logistic(random_state: int | None) -> Pipeline:
    classifier = LogisticRegression(C=0.01, class_weight="balanced", max_iter=2000, random_state=random_state)
    return _pipeline("logistic", classifier)


def _lda(random_state: int | None) -> Pipeline:
    del random_state  # nothing in it is random
    return _pipeline("lda", BalancedDiscriminant())


def _ridge(random_state: int | None) -> Pipeline:
    return _pipeline("ridge", RidgeClassifier(alpha=1000.0, class_weight="balanced", random_state=random_state))


def _forest(random_state: int | None) -> Pipeline:
    classifier = RandomForestClassifier(
        n_estimators=300, min_samples_leaf=2, class_weight="balanced_subsample", random_state=random_state
    )
    return _pipeline("forest", classifier)


def _svm_linear_nested(random_state: int | None) -> NestedChoice:
    return NestedChoice(_svm_linear(random_state), "svc__C", (0.0001, 0.001, 0.01, 0.1))


def _svm_rbf_nested(random_state: int | None) -> NestedChoice:
    return NestedChoice(_svm_rbf(random_state), "svc__C", (0.3, 1.0, 3.0, 10.0))


def _ridge_nested(random_state: int | None) -> NestedChoice:
    return NestedChoice(_ridge(random_state), "ridge__alpha", (10000.0, 3000.0, 1000.0, 300.0, 100.0))


def _logistic_nested(random_state: int | None) -> NestedChoice:
    return NestedChoice(_logistic(random_state), "logistic__C", (0.001, 0.01, 0.1))


class BalancedDiscriminant(ClassifierMixin, BaseEstimator):
    """
    Linear discriminant with Ledoit-Wolf shrinkage (doi:10.1016/S0047-259X(03)00096-4) and equal priors.

    Parameters
    ----------
    shrinkage
        ``auto`` or a share between 0 and 1.

    Examples
    --------
    >>> BalancedDiscriminant().fit([[0.0], [0.1], [0.2], [1.0], [1.1]], ["a", "a", "a", "b", "b"]).predict([[0.9]]).tolist()
    ['b']
    """

    def __init__(self, shrinkage: str | float = "auto") -> None:
        self.shrinkage = shrinkage

    def fit(self, X: ArrayLike, y: ArrayLike) -> BalancedDiscriminant:
        """Fit with equal priors for the classes there are."""
        self.classes_ = np.unique(np.asarray(y))
        n = len(self.classes_)
        self.model_ = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=self.shrinkage, priors=np.full(n, 1 / n))
        with warnings.catch_warnings():
            # a class with one row, as in an inner fold of a small study, has no spread of its own and adds none
            warnings.filterwarnings("ignore", message="Only one sample available")
            self.model_.fit(X, y)
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Classes of rows ``(n_samples, n_features)``."""
        return np.asarray(self.model_.predict(X))

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Class probabilities, columns as ``classes_``."""
        return np.asarray(self.model_.predict_proba(X))


class NestedChoice(ClassifierMixin, BaseEstimator):
    """
    Choose one parameter on folds of the training subjects, then fit on all of them.

    Parameters
    ----------
    estimator
        A classifier.
    parameter
        Its parameter, as in ``set_params``, for example ``svc__C``.
    values
        What to try; of equally good values the first is taken, so the simplest should come first.
    n_folds
        Folds of training subjects; fewer where there are fewer subjects.

    Attributes
    ----------
    best_value_
        The value chosen.
    uf1_by_value_
        UF1 of each value, counts pooled over the inner folds.
    estimator_
        Fitted on all training rows.

    Examples
    --------
    >>> X, y, who = np.array([[0.0], [1.0]] * 6), np.array(["neg", "pos"] * 6), np.repeat(["S1", "S2", "S3"], 4)
    >>> model = make_model("svm-linear-nested").fit(X, y, groups=who)
    >>> model.predict([[0.9]]).tolist(), list(model.uf1_by_value_) == [0.0001, 0.001, 0.01, 0.1]
    (['pos'], True)
    """

    def __init__(self, estimator: Any, parameter: str, values: Sequence[float], n_folds: int = 5) -> None:
        self.estimator = estimator
        self.parameter = parameter
        self.values = values
        self.n_folds = n_folds

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> NestedChoice:
        """
        Choose and fit.

        Parameters
        ----------
        X : (n_samples, n_features)
            Training rows.
        y : (n_samples,)
            Their classes.
        groups : (n_samples,)
            Their subjects.

        Raises
        ------
        ProtocolError
            Without subjects, or with fewer than 2: a choice on the rows of known faces would favour memory.
        """
        X, y = np.asarray(X), np.asarray(y)
        if groups is None or len(np.unique(np.asarray(groups))) < 2:
            got = "none" if groups is None else str(len(np.unique(np.asarray(groups))))
            raise ProtocolError(
                f"nested choice of {self.parameter}: expected groups of at least 2 subjects to choose on, got {got}; "
                "mmme.evaluate gives the training subjects to fit"
            )
        who = np.asarray(groups)
        folds = list(GroupKFold(min(self.n_folds, len(np.unique(who)))).split(X, y, who))
        self.classes_ = np.unique(y)
        self.uf1_by_value_: dict[float, float] = {}
        for value, made in zip(self.values, self._over_inner(X, y, folds), strict=True):
            pred = np.empty(len(y), dtype=object)
            for (_, test), one in zip(folds, made, strict=True):
                pred[test] = one.pred
            names = [str(c) for c in self.classes_]
            self.uf1_by_value_[value] = float(uf1(confusion([str(c) for c in y], pred, names)))
        self.best_value_ = max(self.uf1_by_value_, key=self.uf1_by_value_.__getitem__)
        self.estimator_ = clone(self.estimator).set_params(**{self.parameter: self.best_value_}).fit(X, y)
        return self

    def _over_inner(self, X: NDArray[Any], y: NDArray[Any], folds: Sequence[Rows]) -> list[list[FoldPrediction]]:
        """Predictions of the inner folds with every value; pipelines compute once what values share."""
        settings = [{self.parameter: value} for value in self.values]
        if isinstance(self.estimator, FoldPipeline):
            return over_settings(self.estimator, settings, X, y, folds)
        models = [clone(self.estimator).set_params(**setting) for setting in settings]
        return [[fold_prediction(clone(m).fit(X[a], y[a]), X[b]) for a, b in folds] for m in models]

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Classes of rows ``(n_samples, n_features)``."""
        return np.asarray(self.estimator_.predict(X))

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Decision values of the fitted estimator."""
        return np.asarray(self.estimator_.decision_function(X))


MODELS: Mapping[str, Callable[[int | None], Any]] = MappingProxyType(
    {
        "svm-linear": _svm_linear,
        "svm-linear-nested": _svm_linear_nested,
        "svm-rbf": _svm_rbf,
        "svm-rbf-nested": _svm_rbf_nested,
        "logistic": _logistic,
        "lda": _lda,
        "logistic-nested": _logistic_nested,
        "ridge": _ridge,
        "ridge-nested": _ridge_nested,
        "forest": _forest,
    }
)


def make_model(name: str, params: Mapping[str, Any] | None = None, *, random_state: int | None = None) -> Any:
    """
    Build an unfitted classifier by name.

    Parameters
    ----------
    name
        ``svm-linear`` (C 0.001), ``svm-rbf`` (C 3), ``logistic`` (C 0.01), ``ridge`` (alpha 1000), each also with
        ``-nested`` (chosen on training subjects), ``lda`` (shrinkage), ``forest`` (300 trees).
    params
        Parameters of the classifier (``C``) or of any step (``impute__strategy``) that shall differ.
    random_state
        Seed of what is random in it.

    Returns
    -------
    estimator
        By scikit-learn's contract.

    Raises
    ------
    ConfigError
        If the model or a parameter is not known.

    Examples
    --------
    >>> make_model("svm-linear", {"C": 0.01}).get_params()["svc__C"]
    0.01
    """
    if name not in MODELS:
        raise unknown_name("model", name, MODELS)
    model = MODELS[name](random_state)
    known = model.get_params(deep=True)
    last = f"{model.steps[-1][0]}__" if isinstance(model, Pipeline) else ""
    full = {key if key in known else last + key: value for key, value in (params or {}).items()}
    for key in full:
        if key not in known:
            short = key.removeprefix(last)
            choices = sorted({k.removeprefix(last) for k in known if k.startswith(last)} if last else known)
            raise unknown_name(f"parameter of model '{name}'", short, choices)
    try:
        return model.set_params(**full)
    except ValueError as error:  # pragma: no cover - every known key was checked above
        raise ConfigError(f"model '{name}': {error}") from error


def probabilities(model: Any, X: ArrayLike) -> NDArray[np.float64]:
    """
    Class probabilities of a fitted classifier; softmax of its decision values where it has no probabilities.

    A softmax of decision values keeps their order but is not calibrated: it says which class, not how often that is
    true. ``SVC(probability=True)`` is avoided: it refits five times, on folds that do not respect subjects.

    Parameters
    ----------
    model
        Fitted, with ``predict_proba`` or ``decision_function``.
    X : (n_samples, n_features)
        Rows.

    Returns
    -------
    (n_samples, n_classes)
        Rows sum to 1, columns as ``model.classes_``.

    Raises
    ------
    ConfigError
        If the model offers neither.

    Examples
    --------
    >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), ["a", "a", "b", "b"]
    >>> probabilities(make_model("svm-linear").fit(X, y), [[1.5]]).round(2).tolist()
    [[0.5, 0.5]]
    """
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(X), dtype=np.float64)
    if not hasattr(model, "decision_function"):
        raise ConfigError(
            f"model {type(model).__name__}: expected predict_proba or decision_function, got neither; choose another model"
        )
    value = np.asarray(model.decision_function(X), dtype=np.float64)
    if value.ndim == 1:
        value = np.stack([np.zeros_like(value), value], axis=1)
    value = np.exp(value - value.max(axis=1, keepdims=True))
    return np.asarray(value / value.sum(axis=1, keepdims=True))
