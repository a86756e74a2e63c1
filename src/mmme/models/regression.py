"""Regressors by name for ratings, each a pipeline that imputes and standardises on its training rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from mmme.errors import unknown_name
from mmme.models.classical import DoubleImputer

__all__ = ["REGRESSORS", "make_regressor"]

#: Of ridge; the one with the least error of training rows left out one at a time is taken.
ALPHAS = (1.0, 10.0, 100.0, 1e3, 1e4, 1e5)
#: Fixed beforehand and tuned for none, like the classifiers.
REGRESSORS: Mapping[str, Callable[[], Any]] = MappingProxyType(
    {
        "ridge": lambda: RidgeCV(alphas=ALPHAS),
        "svr-linear": lambda: SVR(kernel="linear", C=0.01),
        "svr-rbf": lambda: SVR(kernel="rbf", C=1.0),
        "forest": lambda: RandomForestRegressor(n_estimators=300, min_samples_leaf=2),
    }
)


def make_regressor(name: str, *, random_state: int | None = None) -> Pipeline:
    """
    Build an unfitted regressor.

    Parameters
    ----------
    name
        ``ridge`` (alpha chosen on training rows), ``svr-linear`` (C 0.01), ``svr-rbf`` (C 1) or ``forest`` (300 trees).
    random_state
        Seed of what is random in it.

    Raises
    ------
    ConfigError
        If there is none of that name.

    Examples
    --------
    >>> model = make_regressor("ridge").fit([[0.0], [1.0], [2.0]], [1.0, 2.0, 3.0])
    >>> model.predict([[1.0]]).round(3).tolist()
    [2.0]
    """
    if name not in REGRESSORS:
        raise unknown_name("regressor", name, REGRESSORS)
    model = REGRESSORS[name]()
    if "random_state" in model.get_params():
        model.set_params(random_state=random_state)
    return make_pipeline(DoubleImputer(), StandardScaler(), model)
