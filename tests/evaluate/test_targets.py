"""Action units and ratings are evaluated by the rules of recognition: whole subjects out, planted truth found, no leak."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mmme.errors import DataError, ProtocolError
from mmme.evaluate import load_result, rescore, run_presence, run_ratings, save_result
from mmme.models.regression import REGRESSORS, make_regressor
from mmme.types import FeatureTable

FEW = {"n_bootstrap": 300, "n_permutations": 300}


@pytest.fixture(scope="module")
def table():
    """Twelve subjects of ten rows; the first column tells AU4, the second a rating, nothing tells AU12."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 6))
    who = np.repeat([f"S{k:02d}" for k in range(12)], 10)
    return FeatureTable.build(X, [f"c{k}" for k in range(6)], [f"r{k}" for k in range(120)], who, ["v"] * 120, ["x"] * 120)


def present_in(table):
    """AU4 from the first column, AU12 from nothing, AU9 in one subject only."""
    rng = np.random.default_rng(3)
    rare = np.zeros(len(table), dtype=bool)
    rare[:3] = True
    return np.stack([table.X[:, 0] > 0.3, rng.random(len(table)) < 0.4, rare], axis=1)


def test_a_planted_unit_is_found_and_another_is_not(table):
    """AU4 is found far above chance, AU12 is not, AU9 (one subject) is named as left out and never scored."""
    result = run_presence(table, present_in(table), ["AU4", "AU12", "AU9"], LogisticRegression(), **FEW)

    assert result.score("F1 AU4").value > 0.8
    assert result.score("AUC AU4").low > 0.9
    assert abs(result.score("AUC AU12").value - 0.5) < 0.2 < result.score("AUC AU4").value - 0.5
    assert result.protocol["left_out"] == ["AU9"]
    assert not [s for s in result.scores if "AU9" in s.name]
    assert result.score("F1 AU4").n == int(present_in(table)[:, 0].sum())
    assert result.chance["macro F1"]["p"] < 0.05


def test_each_unit_is_predicted_as_by_a_model_of_its_own(table):
    """Predictions of a unit are those of a clone fitted without the subject, whatever other units there are."""
    present = present_in(table)
    result = run_presence(table, present, ["AU4", "AU12", "AU9"], LogisticRegression(), **FEW)
    inside = table.subjects != "S03"
    alone = LogisticRegression().fit(table.X[inside], present[inside, 0]).predict(table.X[~inside])

    got = np.asarray(result.predictions["pred:AU4"])[np.asarray(result.predictions["subject"]) == "S03"]
    np.testing.assert_array_equal(got, alone)


def test_ratings_are_found_where_they_are(table):
    """A rating that follows from a column is predicted, with R2 against the training mean; noise is not."""
    rating = 5 + 2 * table.X[:, 1].astype(float)
    result = run_ratings(table, rating, make_regressor("svr-linear"), name="valence", **FEW)
    noise = run_ratings(table, np.random.default_rng(2).normal(size=120), make_regressor("svr-linear"), **FEW)

    assert result.score("correlation").low > 0.9
    assert result.score("R2").value > 0
    assert result.chance["CCC"]["p"] < 0.01 < noise.chance["CCC"]["p"]
    held_out = np.asarray(result.predictions["subject"]) == "S05"
    mean = rating[table.subjects != "S05"].mean()
    np.testing.assert_allclose(np.asarray(result.predictions["baseline"])[held_out], mean)


def test_every_regressor_has_a_name_and_takes_missing_values(table):
    """All regressors by name fit with missing values, imputed from their training rows."""
    X = table.X.astype(float).copy()
    X[::7, 2] = np.nan
    for name in sorted(REGRESSORS):
        model = make_regressor(name, random_state=0).fit(X, X[:, 1])
        assert np.isfinite(model.predict(X[:5])).all(), name


@pytest.mark.parametrize("task", ["action-units", "ratings"])
def test_results_are_stored_and_scored_again(table, tmp_path, task):
    """A stored result is read back, and its scores follow from its predictions alone."""
    if task == "ratings":
        made = run_ratings(table, table.X[:, 1].astype(float), make_regressor("ridge"), name="arousal", **FEW)
    else:
        made = run_presence(table, present_in(table), ["AU4", "AU12", "AU9"], LogisticRegression(), **FEW)
    again = rescore(load_result(save_result(made, tmp_path / "made.result.json")))

    assert again.task == task
    assert [(s.name, s.value, s.low, s.high) for s in again.scores] == [
        (s.name, pytest.approx(s.value), pytest.approx(s.low), pytest.approx(s.high)) for s in made.scores
    ]


def test_what_cannot_be_evaluated_is_said(table):
    """No unit in enough subjects, other shapes, ratings that do not vary or are no numbers."""
    rare = present_in(table)[:, 2:]
    with pytest.raises(ProtocolError, match="presence of AU9: expected one that at least 3 subjects show"):
        run_presence(table, rare, ["AU9"], LogisticRegression(), **FEW)
    with pytest.raises(DataError, match="expected yes or no"):
        run_presence(table, rare.astype(int), ["AU9"], LogisticRegression(), **FEW)
    with pytest.raises(DataError, match="valence: expected ratings that vary, got 3 in all 120 rows"):
        run_ratings(table, np.full(120, 3.0), make_regressor("ridge"), name="valence", **FEW)
    with pytest.raises(DataError, match="got 120 that are not; leave rows out"):
        run_ratings(table, np.full(120, np.nan), make_regressor("ridge"), **FEW)
