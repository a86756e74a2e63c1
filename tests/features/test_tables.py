"""Tables from columns, and tables of several subjects under each other."""

import numpy as np
import pytest

from mmme.errors import DataError
from mmme.features.tables import feature_table, missing_table, stack
from mmme.interval import Interval
from mmme.types import FeatureTable, Sample


def moments(n, subject="S01"):
    return [Sample(f"{subject}-{i}", subject, "sad-1", "sad", 1.0, 1.0, 1.0, Interval(0.0, 2.0)) for i in range(n)]


def test_a_value_with_a_reason_becomes_nan_and_nan_without_one_gets_one():
    """No number that a check refused, and no NaN without a text."""
    table = feature_table(moments(3), {"hr_bpm": (np.array([60.0, 61.0, np.nan]), np.array(["", "outside", ""]))})

    np.testing.assert_array_equal(table.X[:, 0], np.float32([60, np.nan, np.nan]))
    assert [table.reasons[i] for i in table.reason[:, 0]] == ["", "outside", "no finite value in the window"]


def test_columns_of_another_length_are_named():
    """A column must have one value per sample."""
    with pytest.raises(DataError, match="feature table: column hr_bpm: expected 2 values, got 1"):
        feature_table(moments(2), {"hr_bpm": (np.ones(1), np.array([""]))})


def test_more_reasons_than_a_code_can_number_are_refused(monkeypatch):
    """Reasons with unrounded numbers in them multiply; that is a fault of their maker. Hundreds are no fault."""
    many = np.array([f"window {i} s" for i in range(300)])
    table = feature_table(moments(300), {"hr_bpm": (np.ones(300), many)})
    assert table.reasons[table.reason[299, 0]] == "window 299 s"
    assert stack([table]).reasons[table.reason[299, 0]] == "window 299 s"

    monkeypatch.setattr("mmme.features.tables.MOST_REASONS", 255)
    why = np.array([f"window {i} s" for i in range(300)])
    with pytest.raises(DataError, match="expected at most 255 different reasons, got 301; round numbers in them"):
        feature_table(moments(300), {"hr_bpm": (np.ones(300), why)})


def test_stack_renumbers_reasons():
    """The text behind every missing value is the same before and after."""
    a = missing_table(moments(1), ["x", "y"], "outside")
    b = feature_table(
        moments(2, "S02"), {"x": (np.ones(2), np.array(["flat", ""])), "y": (np.ones(2), np.array(["outside", "flat"]))}
    )
    both = stack([a, b])

    assert [[both.reasons[c] for c in row] for row in both.reason] == [
        ["outside", "outside"],
        ["flat", "outside"],
        ["", "flat"],
    ]
    assert both.subjects.tolist() == ["S01", "S02", "S02"]
    assert both.trial_ids == ("S01-0", "S02-0", "S02-1")


def test_stack_names_the_difference_of_columns():
    """Every table with other columns is listed with what it lacks and adds."""
    a, b = missing_table(moments(1), ["x", "y"], "r"), missing_table(moments(1, "S02"), ["x", "z"], "r")
    with pytest.raises(DataError, match="expected the same columns in every feature table: table 2 lacks y; adds z"):
        stack([a, b])
    with pytest.raises(DataError, match="table 2 has the columns of table 1 in another order"):
        stack([a, missing_table(moments(1, "S02"), ["y", "x"], "r")])


def test_stack_needs_a_table_and_different_rows():
    """Nothing cannot be stacked, and a row may not come twice."""
    with pytest.raises(DataError, match="stack: expected at least one feature table, got none"):
        stack([])
    a = missing_table(moments(1), ["x"], "r")
    with pytest.raises(DataError, match="row names repeat"):
        stack([a, a])


def test_stack_refuses_tensors_of_different_shape_and_other_strata():
    """Network inputs need one shape; strata must exist for all rows."""

    def tensor(width, subject, strata=None):
        return FeatureTable.build(np.zeros((1, width, 2)), [], [subject], [subject], ["v"], ["l"], strata=strata)

    assert stack([tensor(3, "S01"), tensor(3, "S02")]).X.shape == (2, 3, 2)
    with pytest.raises(DataError, match=r"table 2 has rows of shape \(4, 2\), table 1 of \(3, 2\)"):
        stack([tensor(3, "S01"), tensor(4, "S02")])
    with pytest.raises(DataError, match=r"table 2 has strata \['dataset'\], table 1 \[\]"):
        stack([tensor(3, "S01"), tensor(3, "S02", {"dataset": ["smic"]})])


def test_origin_that_differs_carries_its_subject():
    """What holds for one subject only says so."""
    a = missing_table(moments(1), ["x"], "r", origin={"eeg_flat": "F3", "rate": "125"})
    b = missing_table(moments(1, "S02"), ["x"], "r", origin={"eeg_flat": "none", "rate": "125"})

    assert dict(stack([a, b]).origin) == {"eeg_flat[S01]": "F3", "eeg_flat[S02]": "none", "rate": "125"}
