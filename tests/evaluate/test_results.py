"""Results survive the way to disk and back, and a file that is not one says why."""

import json
import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mmme.errors import DataError
from mmme.evaluate import environment, load_result, rescore, run, save_result
from mmme.types import FeatureTable, Score


@pytest.fixture(scope="module")
def result():
    """A small recognition result."""
    rng = np.random.default_rng(0)
    who = np.repeat(["S1", "S2", "S3"], 6)
    labels = np.tile(["neg", "pos"], 9)
    X = rng.normal(size=(18, 2)) + (labels == "pos")[:, None]
    table = FeatureTable.build(X, ["a", "b"], [str(i) for i in range(18)], who, ["v"] * 18, labels)
    return run(
        table,
        LogisticRegression(),
        title="face",
        model={"name": "logistic", "C": np.float64(0.5), "steps": (1, 2), "nothing": None},
        dataset={
            "simulated": True,
            "sizes": np.array([1, 2]),
            "note": float("nan"),
            "kind": {"x"},
            "class": LogisticRegression,
        },
        config={"run": {"seed": 0}},
        n_bootstrap=200,
        n_permutations=200,
    )


def test_round_trip(result, tmp_path):
    """What was saved is loaded: predictions, scores, chance and words; NumPy becomes plain, what is not finite null."""
    loaded = load_result(save_result(result, tmp_path / "face.json"))

    assert loaded.predictions == result.predictions
    assert loaded.scores == result.scores
    assert loaded.chance == result.chance
    assert loaded.protocol == result.protocol
    assert loaded.model == {"name": "logistic", "C": 0.5, "steps": [1, 2], "nothing": None}
    assert loaded.dataset["sizes"] == [1, 2]
    assert loaded.dataset["note"] is None
    assert loaded.versions == environment()
    assert [p.name for p in tmp_path.iterdir()] == ["face.json"]


def test_missing_interval_is_nan_again(result, tmp_path):
    """Ends of an interval that could not be computed are null on disk and NaN in memory."""
    from dataclasses import replace

    one = replace(result, scores=(Score("UF1", 0.5, math.nan, math.nan, "all", 18),))
    loaded = load_result(save_result(one, tmp_path / "one.json"))

    assert math.isnan(loaded.scores[0].low)
    assert "NaN" not in (tmp_path / "one.json").read_text()


def test_rescoring_gives_the_same(result, tmp_path):
    """Scores computed again from a loaded file are the stored ones, and follow changed predictions."""
    loaded = load_result(save_result(result, tmp_path / "face.json"))
    again = rescore(loaded)

    assert again.scores == result.scores
    assert again.chance == result.chance
    loaded.predictions["pred"][:] = loaded.predictions["truth"]
    assert rescore(loaded).score("UF1").value == 1.0


def broken(content, **changes):
    return {**content, **changes}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda _: [], "expected a file of format 'mmme result'", id="list"),
        pytest.param(lambda c: broken(c, format="x"), "expected a file of format 'mmme result'", id="format"),
        pytest.param(lambda c: broken(c, version=2), "expected version 1 of the format, got 2", id="version"),
        pytest.param(lambda c: {k: v for k, v in c.items() if k != "seed"}, "expected a key 'seed', got none", id="key"),
        pytest.param(lambda c: broken(c, seed="x"), "seed: expected a whole number, got 'x'", id="seed"),
        pytest.param(
            lambda c: broken(c, task="sleep"),
            "expected recognition, spotting, action-units, ratings, got 'sleep'",
            id="task",
        ),
        pytest.param(lambda c: broken(c, chance=[]), "chance: expected a table, got list", id="table"),
        pytest.param(lambda c: broken(c, predictions=[]), "predictions: expected a table, got list", id="predictions"),
        pytest.param(lambda c: broken(c, scores={}), "expected a list of scores, got dict", id="scores"),
        pytest.param(lambda c: broken(c, scores=[{"name": "UF1"}]), "score 0: expected the keys name, value", id="score"),
        pytest.param(
            lambda c: broken(c, scores=[{**c["scores"][0], "value": "high"}]),
            "score 0: expected numbers in value",
            id="number",
        ),
        pytest.param(
            lambda c: broken(c, predictions={**c["predictions"], "pred": ["neg"]}),
            "equal length, got .*pred 1",
            id="length",
        ),
        pytest.param(
            lambda c: broken(c, protocol={}), "3 faults[\\s\\S]*'classes' for recognition, got none", id="protocol"
        ),
        pytest.param(lambda c: broken(c, task="spotting"), "'videos' for spotting, got none", id="other-task"),
    ],
)
def test_faults(result, tmp_path, change, message):
    """Every part of a result file that is missing or of the wrong kind is named."""
    path = save_result(result, tmp_path / "face.json")
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(DataError, match=message):
        load_result(path)


def test_all_faults_at_once(result, tmp_path):
    """A file with several faults names them in one error."""
    path = save_result(result, tmp_path / "face.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "seed": "x", "chance": [], "scores": 1}))
    with pytest.raises(DataError, match=r"face.json: 3 faults"):
        load_result(path)


def test_no_file_and_no_json(tmp_path):
    """A missing file and half a file are told apart."""
    with pytest.raises(DataError, match="expected a result file, got none"):
        load_result(tmp_path / "none.json")
    (tmp_path / "half.json").write_text('{"format": "mm')
    with pytest.raises(DataError, match="expected JSON, got .*; is the file complete"):
        load_result(tmp_path / "half.json")


def test_environment_names_what_computes():
    """Versions of Python, the machine and the installed packages are there, and no package that is not."""
    found = environment()

    assert found["numpy"] == np.__version__
    assert {"python", "machine", "scikit-learn"} <= set(found)
    assert all(found.values())
