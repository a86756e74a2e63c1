"""Classical models: complete, balanced, seeded, and chosen on training subjects only."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.svm import SVC

from mmme.errors import ConfigError, ProtocolError
from mmme.evaluate import run
from mmme.models.classical import MODELS, BalancedDiscriminant, NestedChoice, make_model, probabilities
from mmme.types import FeatureTable

CLASSES = ["neg", "pos", "sur"]


def planted(n_each=20, seed=0, effect=2.0):
    rng = np.random.default_rng(seed)
    y = np.repeat(CLASSES, n_each)
    X = rng.normal(size=(len(y), 5))
    for i, name in enumerate(CLASSES):
        X[y == name, i] += effect
    who = np.array([f"S{i % 5}" for i in range(len(y))])
    return X, y, who


def fitted(name, X, y, who):
    model = make_model(name, random_state=0)
    return model.fit(X, y, groups=who) if name.endswith("nested") else model.fit(X, y)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_learns_with_missing_values(name):
    """Each model learns a planted effect from rows with holes and an empty column, and says so in probabilities."""
    X, y, who = planted()
    X[::7, 4] = np.nan
    X = np.column_stack([X, np.full(len(X), np.nan)])
    model = fitted(name, X, y, who)
    test_X, test_y, _ = planted(seed=1)
    test_X = np.column_stack([test_X, np.full(len(test_X), np.nan)])
    p = probabilities(model, test_X)

    assert np.mean(model.predict(test_X) == test_y) > 0.7
    assert p.shape == (60, 3)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert np.mean(np.array(CLASSES)[p.argmax(axis=1)] == test_y) > 0.7


@pytest.mark.parametrize("name", MODELS)
def test_clones_are_equal(name):
    """A clone with the same seed predicts the same: parameters are stored as given."""
    X, y, who = planted()
    model = make_model(name, random_state=3)
    copies = [clone(model), clone(model)]
    values = [probabilities(c.fit(X, y, groups=who) if name.endswith("nested") else c.fit(X, y), X) for c in copies]

    np.testing.assert_array_equal(*values)


@pytest.mark.parametrize("name", [n for n in MODELS if n not in {"svm-rbf", "forest"}])
def test_classes_weigh_equally(name):
    """With 90 negative and 10 positive rows of the same spread, the border lies in the middle between the classes."""
    rng = np.random.default_rng(2)
    X = np.concatenate([rng.normal(-1, 0.7, size=(900, 1)), rng.normal(1, 0.7, size=(100, 1))])
    y, who = np.repeat(["neg", "pos"], [900, 100]), np.array([f"S{i % 5}" for i in range(1000)])
    grid = np.linspace(-1, 1, 201)[:, None]
    border = float(grid[np.argmax(fitted(name, X, y, who).predict(grid) == "pos"), 0])

    assert border == pytest.approx(0.0, abs=0.25)


def test_parameters_by_short_and_long_name():
    """A parameter of the classifier goes by its own name, one of another step by step and name."""
    model = make_model("svm-linear", {"C": 0.5, "impute__strategy": "mean"})

    assert model.get_params()["svc__C"] == 0.5
    assert model.get_params()["impute__strategy"] == "mean"
    assert make_model("svm-linear-nested", {"n_folds": 3}).n_folds == 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda: make_model("svm_linear"), "no model 'svm_linear'; did you mean 'svm-linear'", id="model"),
        pytest.param(
            lambda: make_model("svm-rbf", {"gama": 1}),
            "parameter of model 'svm-rbf' 'gama'; did you mean 'gamma'",
            id="parameter",
        ),
        pytest.param(lambda: make_model("svm-linear-nested", {"CC": 1}), "'svm-linear-nested' 'CC'", id="nested"),
        pytest.param(
            lambda: probabilities(BaseEstimator(), [[0]]), "expected predict_proba or decision_function", id="neither"
        ),
    ],
)
def test_unknown_names(call, message):
    """Unknown models and parameters are refused with the nearest name."""
    with pytest.raises(ConfigError, match=message):
        call()


def test_softmax_of_decision_values():
    """Without probabilities decision values become a softmax: for two classes the logistic function of the value."""
    X, y, _ = planted()
    keep = y != "sur"
    model = SVC(kernel="linear").fit(X[keep], y[keep])

    np.testing.assert_allclose(probabilities(model, X)[:, 1], 1 / (1 + np.exp(-model.decision_function(X))))


def test_discriminant_equals_scikit_learn():
    """The balanced discriminant is scikit-learn's with shrinkage and equal priors."""
    X, y, _ = planted()
    y = np.where(np.arange(len(y)) % 4 == 0, "neg", y)
    ours = BalancedDiscriminant().fit(X, y)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=[1 / 3] * 3).fit(X, y)

    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X))
    assert (ours.predict(X) == theirs.predict(X)).all()


def test_nested_choice_takes_the_best_value():
    """The value with the highest UF1 over inner subjects is taken; of equals the first."""
    X, y, who = planted(effect=4.0)
    model = NestedChoice(make_model("svm-rbf"), "svc__gamma", (1000.0, 0.1, 0.1000001)).fit(X, y, groups=who)

    assert model.uf1_by_value_[0.1] > model.uf1_by_value_[1000.0]
    assert model.uf1_by_value_[0.1] == model.uf1_by_value_[0.1000001]
    assert model.best_value_ == 0.1
    assert model.decision_function(X).shape == (60, 3)


def test_nested_choice_gets_training_subjects_from_run():
    """An evaluation hands the training subjects on, so that the choice never sees the tested one."""
    X, y, who = planted()
    table = FeatureTable.build(X, list("abcde"), [str(i) for i in range(60)], who, ["v"] * 60, y)
    result = run(table, make_model("svm-linear-nested"), n_bootstrap=100, n_permutations=100)

    assert result.score("UF1").value > 0.6


@pytest.mark.parametrize("groups", [None, ["S1"] * 60])
def test_nested_choice_needs_subjects(groups):
    """Without at least two training subjects there is nothing honest to choose on."""
    X, y, _ = planted()
    with pytest.raises(ProtocolError, match="expected groups of at least 2 subjects to choose on, got (none|1)"):
        make_model("svm-linear-nested").fit(X, y, groups=groups)


def test_a_class_with_one_row_adds_no_spread():
    """A discriminant accepts a class that occurs once, as inner folds of small studies have, without a warning."""
    X, y = np.array([[0.0, 0.1], [0.2, 0.0], [0.1, 0.2], [3.0, 3.1]]), np.array(["neg", "neg", "neg", "pos"])
    model = make_model("lda").fit(X, y)

    assert model.predict([[2.9, 3.0], [0.0, 0.0]]).tolist() == ["pos", "neg"]
