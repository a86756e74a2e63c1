"""The network classifier: scikit-learn's contract, folds that know nothing of each other, and saving."""

import json
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sklearn.base import clone  # noqa: E402

from mmme.errors import DataError  # noqa: E402
from mmme.models.deep.classifier import NetworkClassifier  # noqa: E402
from mmme.models.deep.saved import from_arrays, to_arrays  # noqa: E402


@pytest.fixture(scope="module")
def rows():
    """Flow images of two classes that differ in the lower half, and four folds, of which two are of one size."""
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(30, 8, 8, 3)), np.array(["neg", "pos", "sur"] * 10)
    for k, name in enumerate(("neg", "pos", "sur")):
        X[y == name, 4:, :, k] += 1.5
    tests = np.split(np.arange(30), [5, 10, 18])
    return X, y, [(np.setdiff1d(np.arange(30), test), test) for test in tests]


def small(**more):
    return NetworkClassifier("ststnet", epochs=6, batch_size=8, learning_rate=5e-3, random_state=4, **more)


def test_every_way_is_a_clone_fitted_on_training_rows(rows):
    """Bitwise one by one; stacked to 1e-5 with the same predictions; whichever folds go along."""
    X, y, folds = rows
    alone = [clone(small()).fit(X[a], y[a]).predict_proba(X[b]) for a, b in folds]
    for one, made in zip(alone, small(way="one-by-one").predict_over_folds(X, y, folds), strict=True):
        np.testing.assert_array_equal(made.values, one)
    for chosen in (folds, folds[:2], folds[1:]):
        made = small(way="stacked").predict_over_folds(X, y, chosen)
        for one, other in zip(alone[len(folds) - len(chosen) :] if chosen == folds[1:] else alone, made, strict=False):
            np.testing.assert_allclose(other.values, one, atol=1e-5)
            assert (other.values.argmax(1) == one.argmax(1)).all()


def test_auto_takes_one_of_the_ways_and_says_which(rows):
    """Values are those of the way it names."""
    X, y, folds = rows
    model = small(way="auto")
    made = model.predict_over_folds(X, y, folds)
    assert model.way_ in ("one-by-one", "stacked")
    again = small(way=model.way_).predict_over_folds(X, y, folds)
    for a, b in zip(made, again, strict=True):
        np.testing.assert_array_equal(a.values, b.values)


def test_test_rows_have_no_say(rows):
    """Other test labels and values leave what is said of a fold's remaining test row as it was."""
    X, y, folds = rows
    a, b = folds[0]
    X2, y2 = X.copy(), y.copy()
    X2[b[1:]], y2[b] = 1e3, "neg"
    one, other = (small().predict_over_folds(x, z, [(a, b)])[0].values[0] for x, z in ((X, y), (X2, y2)))
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_pickled_and_saved_ones_predict_the_same(rows):
    """Unfitted and fitted through pickle; fitted through arrays and JSON."""
    X, y, _ = rows
    model = pickle.loads(pickle.dumps(small())).fit(X, y)
    wanted = model.predict_proba(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), wanted)
    arrays, words = to_arrays(model)
    again = from_arrays(arrays, json.loads(json.dumps(words)))
    np.testing.assert_array_equal(again.predict_proba(X), wanted)
    assert again.predict(X).tolist() == model.predict(X).tolist()
    assert again.get_params() == model.get_params()


def test_what_cannot_be_saved_or_loaded_is_said(rows):
    """Unfitted, incomplete, and arrays of another network."""
    X, y, _ = rows
    with pytest.raises(DataError, match="got one before fit"):
        to_arrays(small())
    arrays, words = to_arrays(small(shape=(8, 8, 3)).fit(X, y))
    assert from_arrays(arrays, json.loads(json.dumps(words))).shape == (8, 8, 3)
    with pytest.raises(DataError, match="expected classes too"):
        from_arrays(arrays, {k: v for k, v in words.items() if k != "classes"})
    with pytest.raises(DataError, match="arrays of that network, got others"):
        from_arrays(arrays, {**words, "row_shape": [3, 20, 20]})


def test_missing_rows_are_refused_with_their_number(rows):
    """Rows with NaN are counted, never filled."""
    X, y, _ = rows
    X = X.copy()
    X[[2, 7], 0, 0, 0] = np.nan
    with pytest.raises(DataError, match="got 2 of 30"):
        small(scale="none").fit(X, y)
