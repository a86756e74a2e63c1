"""Late fusion averages what the modalities say, and goes on without one that is missing."""

import numpy as np
import pytest
from sklearn.base import clone

from mmme.errors import ConfigError, ProtocolError
from mmme.evaluate import run
from mmme.models.classical import make_model, probabilities
from mmme.models.fusion import LateFusion
from mmme.types import FeatureTable

COLUMNS = {"face": [0, 1, 2], "body": np.array([3, 4])}


def planted(seed=0, n=90):
    """Face knows three classes a little, body tells the third from the others."""
    rng = np.random.default_rng(seed)
    y = np.array(["neg", "pos", "sur"])[np.arange(n) % 3]
    X = rng.normal(size=(n, 5))
    X[y == "neg", 0] += 1.2
    X[y == "pos", 1] += 1.2
    X[y == "sur", 3] += 1.5
    return X, y


def fusion(**changes):
    parts = {"face": make_model("svm-linear", {"C": 0.1}), "body": make_model("logistic")}
    return LateFusion(**{"estimators": parts, "columns": COLUMNS, **changes})


def test_mean_of_probabilities():
    """Fused probabilities are the weighted mean of those of models fitted alone."""
    X, y = planted()
    fused = fusion(weights={"face": 3.0, "body": 1.0}).fit(X, y)
    face = probabilities(make_model("svm-linear", {"C": 0.1}).fit(X[:, :3], y), X[:, :3])
    body = probabilities(make_model("logistic").fit(X[:, 3:], y), X[:, 3:])

    np.testing.assert_allclose(fused.predict_proba(X), 0.75 * face + 0.25 * body)
    assert (fused.predict(X) == np.array(["neg", "pos", "sur"])[(0.75 * face + 0.25 * body).argmax(axis=1)]).all()


def test_both_know_more_than_one():
    """Face and body together beat the better of the two, where each knows what the other does not."""
    X, y = planted(n=300)
    test_X, test_y = planted(seed=1, n=600)
    alone = [np.mean(make_model("logistic").fit(X[:, c], y).predict(test_X[:, c]) == test_y) for c in COLUMNS.values()]
    parts = {name: make_model("logistic") for name in COLUMNS}
    fused = LateFusion(parts, COLUMNS).fit(X, y)

    assert np.mean(fused.predict(test_X) == test_y) > max(alone) + 0.02


def test_a_missing_modality_leaves_the_decision_to_the_others():
    """A row without body gets the face's probabilities, one without both gets the shares of the classes."""
    X, y = planted()
    X[:30, 3:] = np.nan
    fused = fusion().fit(X, y)
    face = probabilities(make_model("svm-linear", {"C": 0.1}).fit(X[:, :3], y), X[:30, :3])
    body_alone = make_model("logistic").fit(X[30:, 3:], y[30:])
    nothing, no_face = np.full((1, 5), np.nan), X[40:41].copy()
    no_face[:, :3] = np.nan

    np.testing.assert_allclose(fused.predict_proba(X[:30]), face)
    np.testing.assert_allclose(fused.predict_proba(no_face), body_alone.predict_proba(no_face[:, 3:]))
    np.testing.assert_allclose(fused.predict_proba(nothing), [[1 / 3] * 3])


def test_a_modality_that_never_saw_a_class():
    """Where body is missing in all rows of a class, it gives that class no probability, and the face may."""
    X, y = planted()
    X[y == "sur", 3:] = np.nan
    fused = fusion().fit(X, y)

    assert fused.estimators_["body"].classes_.tolist() == ["neg", "pos"]
    assert fused.predict_proba(X).shape == (90, 3)
    np.testing.assert_allclose(fused.predict_proba(X).sum(axis=1), 1)


def test_scikit_learn_contract():
    """Arguments are stored unchanged, clones are equal and unfitted, and the seed reaches the parts."""
    parts = {"face": make_model("forest", {"n_estimators": 5}), "body": make_model("logistic")}
    model = LateFusion(parts, COLUMNS, random_state=7)
    copy = clone(model)
    X, y = planted()

    assert model.get_params()["estimators"] is parts
    assert model.get_params()["columns"] is COLUMNS
    assert not hasattr(copy, "estimators_")
    assert copy.fit(X, y).estimators_["face"].get_params()["forest__random_state"] == 7
    assert parts["face"].get_params()["forest__random_state"] is None
    np.testing.assert_array_equal(copy.predict_proba(X), model.fit(X, y).predict_proba(X))


def test_fusion_in_an_evaluation():
    """An evaluation of a fusion with a nested part gives that part the training subjects."""
    X, y = planted()
    X[5, 3:] = np.nan
    who = [f"S{i % 6}" for i in range(90)]
    reason = np.isnan(X).astype(np.uint8)
    table = FeatureTable.build(
        X, list("abcde"), [str(i) for i in range(90)], who, ["v"] * 90, y, reason=reason, reasons=["", "sensor off"]
    )
    parts = {"face": make_model("svm-linear-nested"), "body": make_model("logistic")}
    result = run(table, LateFusion(parts, COLUMNS), n_bootstrap=100, n_permutations=100)

    assert result.score("UF1").value > 0.45
    assert "probability:neg" in result.predictions


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"estimators": {}, "columns": {}}, "expected at least one modality, got none", id="none"),
        pytest.param({"columns": {"face": [0]}}, "expected columns for body, face, got them for face", id="columns"),
        pytest.param({"columns": {"face": [0], "body": [5]}}, r"columns of body: .* from 0 to 4, got \[5\]", id="outside"),
        pytest.param({"columns": {"face": [0], "body": []}}, r"columns of body: .*, got \[\]", id="empty"),
        pytest.param({"weights": {"face": 1.0}}, "weights: expected one above 0 for each of body, face", id="weights"),
        pytest.param({"weights": {"face": 1.0, "body": 0.0}}, "weights: expected one above 0", id="zero"),
    ],
)
def test_arguments_that_do_not_fit(changes, message):
    """Columns and weights that do not fit the modalities are refused."""
    X, y = planted()
    with pytest.raises(ConfigError, match=message):
        fusion(**changes).fit(X, y)


def test_refuses_tensors_and_empty_modalities():
    """Tensors have no columns to divide; a modality that is never there cannot learn."""
    X, y = planted()
    with pytest.raises(ConfigError, match=r"expected X of shape \(n_samples, n_features\), got \(2, 2, 2\)"):
        fusion().fit(np.zeros((2, 2, 2)), ["a", "b"])
    X[:, 3:] = np.nan
    with pytest.raises(ProtocolError, match="expected body in training rows of at least 2 classes, got it in 0 of 90"):
        fusion().fit(X, y)


def test_quality_weighs_a_modality_row_by_row():
    """With qualities 1, 0.5 and 0 the body counts fully, half and not at all; a mean of several columns counts."""
    X, y = planted()
    told = np.zeros((len(X), 2))
    told[:, 0] = np.array([1.0, 0.5, 0.0])[np.arange(len(X)) // 3 % 3]
    told[:, 1] = np.where(np.arange(len(X)) // 9 % 2, np.nan, told[:, 0])
    fused = fusion(quality={"body": [5, 6]}).fit(np.hstack([X, told]), y)
    face = probabilities(make_model("svm-linear", {"C": 0.1}).fit(X[:, :3], y), X[:, :3])
    body = probabilities(make_model("logistic").fit(X[:, 3:], y), X[:, 3:])
    weight = told[:, :1]

    np.testing.assert_allclose(fused.predict_proba(np.hstack([X, told])), (face + weight * body) / (1 + weight))


def test_quality_of_an_unknown_modality_is_refused():
    """A column that is not there, or a modality without a classifier, is a mistake of the caller."""
    X, y = planted()
    with pytest.raises(ConfigError, match=r"quality: expected a modality and positions of its columns, got body: \[9\]"):
        fusion(quality={"body": [9]}).fit(X, y)
    with pytest.raises(ConfigError, match="got voice"):
        fusion(quality={"voice": [4]}).fit(X, y)
