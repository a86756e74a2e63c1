"""Targets of the run file: from a table's strata, with rows counted that have none, repeated by rerun."""

import numpy as np
import pytest

from mmme.config import load_config
from mmme.errors import DataError, ProtocolError
from mmme.evaluate import load_result
from mmme.io.table_npz import write_table
from mmme.report import write_report
from mmme.study.evaluation import Run, evaluate_table
from mmme.study.repetition import differences, rerun
from mmme.study.reporting import report_of_table
from mmme.types import FeatureTable
from mmme.workers import Workers


def written(path, strata):
    """A table of 60 rows of 6 subjects whose first column tells AU4 and valence."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3)).astype(np.float32)
    who = np.repeat([f"S{k}" for k in range(6)], 10)
    table = FeatureTable.build(
        X, ["a", "b", "c"], [f"r{k}" for k in range(60)], who, ["v"] * 60, ["x"] * 60, strata=strata(X)
    )
    write_table(table, path)
    return path


def config_of(target):
    scores = {"n_bootstrap": 100, "n_permutations": 100}
    return load_config({"rows": {"target": target}, "scores": scores, "recognition": {"model": "logistic"}})


def units(X):
    shown = np.where(X[:, 0] > 0, "4 7", "12").astype(object)
    shown[:5], shown[5] = "", "none"
    return {"aus": shown.tolist()}


def test_action_units_of_a_table(tmp_path):
    """Rows that nobody coded are left out and counted, rows without a unit count as lacking all; rerun finds the same."""
    path = written(tmp_path / "face.npz", units)
    made = evaluate_table(path, tmp_path / "out", Run(config_of("action-units"), Workers()))

    assert made.task == "action-units"
    assert made.protocol["labels"] == ["AU4", "AU7", "AU12"]
    assert made.model["rows_without_target"] == 5
    assert made.predictions["truth:AU4"][0] is False  # the row coded as none
    assert made.score("F1 AU4").value > 0.7
    stored = load_result(next((tmp_path / "out").glob("*.result.json")))
    assert not differences(stored, rerun(stored, tmp_path, workers=Workers()))


def test_ratings_of_a_table(tmp_path):
    """Ratings come from the stratum of their name; rows without one are left out and counted; rerun finds the same."""
    path = written(tmp_path / "body.npz", lambda X: {"valence": ["", *(f"{5 + 2 * v:.3f}" for v in X[1:, 0])]})
    made = evaluate_table(path, tmp_path / "out", Run(config_of("valence"), Workers()))

    assert made.task == "ratings"
    assert made.model["name"] == "ridge"
    assert made.model["rows_without_target"] == 1
    assert made.score("correlation").value > 0.9
    stored = load_result(next((tmp_path / "out").glob("*.result.json")))
    assert not differences(stored, rerun(stored, tmp_path, workers=Workers()))


def test_tables_without_the_target_are_refused(tmp_path):
    """No stratum, or something else in it: one sentence."""
    path = written(tmp_path / "face.npz", lambda X: {"aus": ["AU4"] * len(X), "valence": ["high"] * len(X)})
    for target, error, message in (
        ("arousal", ProtocolError, "arousal: expected a stratum 'arousal' in the table, got none"),
        ("valence", DataError, "valence of row r0: expected a number, got 'high'"),
        ("action-units", DataError, "action units of row r0: expected numbers with spaces between, or none, got 'AU4'"),
    ):
        with pytest.raises(error, match=message):
            evaluate_table(path, tmp_path / "out", Run(config_of(target), Workers()))


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("action-units", ("Which action units: presence", "<th>AU7</th>", "macro F1")),
        ("valence", ("How it felt: ratings", "CCC")),
        ("emotion", ("Which expression: recognition", "taken at their word", "Brier score")),
    ],
)
def test_report_of_any_target(tmp_path, target, shown):
    """The page of a table shows the scores of whatever was predicted, and the calibration of probabilities."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 3)).astype(np.float32)
    labels = np.where(X[:, 0] > 0, "negative", "positive").tolist()
    strata = {"aus": np.where(X[:, 0] > 0, "4 7", "12").tolist(), "valence": [f"{v:.3f}" for v in X[:, 0]]}
    who = np.repeat([f"S{k}" for k in range(6)], 10)
    path = tmp_path / "face.npz"
    rows = [f"r{k}" for k in range(60)]
    write_table(FeatureTable.build(X, ["a", "b", "c"], rows, who, ["v"] * 60, labels, strata=strata), path)
    made = evaluate_table(path, tmp_path / "out", Run(config_of(target), Workers()))
    page = write_report(report_of_table(made, path), tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(words in page for words in shown)
