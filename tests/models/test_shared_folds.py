"""What folds share is computed once, and every fold comes out as from a clone fitted on its training rows alone."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import LeaveOneGroupOut

from mmme.models.classical import NestedChoice, make_model
from mmme.models.shared_folds import FoldPipeline, over_settings, shares_gain


def rows(n_subjects=8, n_each=6, d=120, n_classes=3, seed=0, holes=False):
    rng = np.random.default_rng(seed)
    n = n_subjects * n_each
    y = np.array(["neg", "pos", "sur"])[np.arange(n) % n_classes]
    X = rng.normal(size=(n, d)) * rng.uniform(0.1, 30, d) + rng.normal(size=d)
    X[y == "pos", :10] += 3
    who = np.repeat([f"S{k}" for k in range(n_subjects)], n_each)
    if holes:
        X[rng.random(X.shape) < 0.02] = np.nan
        X[:, 5] = np.nan  # a column that is missing throughout
    X[:, 7] = 2.5  # and one that never varies
    return X.astype(np.float32), y, who


def folds_of(X, y, who):
    return list(LeaveOneGroupOut().split(X, y, who))


@pytest.mark.parametrize("name", ["svm-linear", "svm-rbf", "ridge", "lda", "logistic"])
@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_folds_at_once_are_folds_alone(name, holes, n_classes):
    """Predictions are those of plain fits, values equal to 1e-9, with missing values and constant columns, two classes or three."""
    X, y, who = rows(holes=holes, n_classes=n_classes)
    folds = folds_of(X, y, who)
    model = make_model(name)
    made = model.predict_over_folds(X, y, folds, groups=who)

    assert isinstance(model, FoldPipeline)
    for (train, test), one in zip(folds, made, strict=True):
        plain = clone(model).fit(X[train], y[train])
        assert one.pred.tolist() == plain.predict(X[test]).tolist()
        assert one.classes.tolist() == plain.classes_.tolist()
        if one.word == "probability":
            expected = plain.predict_proba(X[test])
        else:
            expected = plain.decision_function(X[test])
            expected = np.stack([-expected, expected], axis=1) if expected.ndim == 1 else expected
        assert np.allclose(one.values, expected, rtol=1e-9, atol=1e-9)


def test_a_grid_is_each_setting_alone():
    """Every setting of a grid gives what it gives by itself, also gamma, and settings of earlier steps."""
    X, y, who = rows()
    folds = folds_of(X, y, who)
    for name, settings in (
        ("svm-linear", [{"svc__C": c} for c in (1e-4, 1e-2, 1.0)]),
        ("svm-rbf", [{"svc__gamma": g} for g in ("scale", "auto", 0.01)]),
        ("ridge", [{"ridge__alpha": a} for a in (1.0, 100.0)]),
        ("svm-linear", [{"impute__strategy": s} for s in ("median", "mean")]),
    ):
        model = make_model(name)
        for setting, made in zip(settings, over_settings(model, settings, X, y, folds), strict=True):
            alone = clone(model).set_params(**setting)
            for (train, test), one in zip(folds, made, strict=True):
                assert one.pred.tolist() == clone(alone).fit(X[train], y[train]).predict(X[test]).tolist()


def test_many_rows_and_few_columns_are_fitted_plainly(monkeypatch):
    """Where inner products cost more than they save nothing is shared, and where they save everything is."""
    assert not shares_gain(make_model("ridge"), 3000, 500)
    assert shares_gain(make_model("svm-linear"), 434, 2352)
    assert shares_gain(make_model("svm-rbf"), 434, 2352)
    calls = []
    monkeypatch.setattr("mmme.models.shared_folds.gram", lambda *a: calls.append(a))
    X, y, who = rows(d=8, n_each=12)
    make_model("ridge").predict_over_folds(X, y, folds_of(X, y, who))
    assert not calls
    wide, labels, subjects = rows()
    with pytest.raises(AttributeError):  # the Gram matrix was asked for
        make_model("svm-linear").predict_over_folds(wide, labels, folds_of(wide, labels, subjects))
    assert calls


def test_nested_choice_is_the_plain_loop():
    """The value chosen and UF1 of each value are those of plain fits on the same inner folds."""
    X, y, who = rows()
    for name in ("svm-linear-nested", "svm-rbf-nested", "ridge-nested", "logistic-nested"):
        shared = make_model(name).fit(X, y, groups=who)
        plain_estimator = shared.estimator
        plain = NestedChoice(_Plain(plain_estimator, shared.parameter), "value", shared.values).fit(X, y, groups=who)
        assert list(shared.uf1_by_value_.values()) == pytest.approx(list(plain.uf1_by_value_.values()), abs=1e-12)
        assert shared.best_value_ == plain.best_value_


class _Plain:
    """A pipeline behind a wall, so that nothing can be shared."""

    def __init__(self, pipeline, parameter, value=None):
        self.pipeline, self.parameter, self.value = pipeline, parameter, value

    def get_params(self, deep=True):
        return {"pipeline": self.pipeline, "parameter": self.parameter, "value": self.value}

    def set_params(self, **params):
        for key, value in params.items():
            setattr(self, key, value)
        return self

    def __sklearn_clone__(self):
        return _Plain(self.pipeline, self.parameter, self.value)

    def fit(self, X, y):
        self.model_ = clone(self.pipeline).set_params(**{self.parameter: self.value}).fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(X)
