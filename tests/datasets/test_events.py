"""Trials and expressions become rows of a BIDS table, in the time of the file beside it."""

import json

import pytest

from mmme.datasets.events import EVENT_COLUMNS, trial_events
from mmme.errors import DataError
from mmme.interval import Interval
from mmme.io.bids_tsv import read_tsv, write_tsv
from mmme.trials import rule_kind
from mmme.types import Expression, Trial

A = Expression("S01", "A", "micro", 7.0, 7.2, 7.4, ("AU4", "AU12L"), "happy", "coding.xlsx:2", 0.004)
B = Expression("S01", "B", "macro", 7.1, 7.2, 7.2, (), "", "coding.xlsx:9")
TRIALS = (
    Trial("S01-104", "S01", "fear-1", Interval(20.0, 30.0), "fear"),
    Trial("S01-103-2", "S01", "happy-2", Interval(5.0, 15.5), "happy", (A, B)),
)


def test_rows_by_hand():
    """One row per trial and per expression of each coder, in order of time, relative to the first sample."""
    columns, _ = trial_events(TRIALS, zero_s=6.0, rule=rule_kind)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    assert [row["onset"] for row in rows] == ["-1.000000", "1.000000", "1.100000", "14.000000"]
    assert [row["duration"] for row in rows] == ["10.500000", "0.400000", "0.100000", "10.000000"]
    assert [row["trial_type"] for row in rows] == ["trial", "micro", "macro", "trial"]
    assert [row["marker"] for row in rows] == ["103", "103", "103", "104"]
    assert [row["kind_rule"] for row in rows] == [None, "micro", "micro", None]
    assert rows[1] | {"onset": "", "duration": "", "trial_type": "", "marker": "", "kind_rule": ""} == {
        "onset": "", "duration": "", "trial_type": "", "marker": "", "kind_rule": "",
        "coder": "A", "kind": "micro", "apex": "1.200000", "offset": "1.400000", "aus": "AU4,AU12L", "emotion": "happy",
        "target": "happy", "stimulus": "happy-2", "uncertainty": "0.004000", "max_error": None, "source": "coding.xlsx:2",
    }  # fmt: skip
    assert (rows[2]["aus"], rows[2]["emotion"], rows[2]["uncertainty"]) == (None, None, None)
    assert (rows[3]["coder"], rows[3]["apex"], rows[3]["target"]) == (None, None, "fear")


def test_table_and_sidecar(tmp_path):
    """Onset and duration come first, every column is explained, times have a unit, and what is unknown is n/a."""
    columns, sidecar = trial_events(TRIALS, zero_s=0.0, task={"TaskName": "me"})
    assert list(columns)[:2] == ["onset", "duration"]
    assert set(columns) <= set(sidecar)
    assert all(sidecar[name]["Units"] == "s" for name in ("onset", "duration", "apex", "offset", "uncertainty"))
    assert set(sidecar["trial_type"]["Levels"]) == set(columns["trial_type"])
    assert sidecar["TaskName"] == "me"
    assert json.loads(json.dumps(sidecar)) == sidecar
    write_tsv(tmp_path / "e.tsv", columns)
    assert "\tn/a\t" in (tmp_path / "e.tsv").read_text(encoding="utf-8")
    assert read_tsv(tmp_path / "e.tsv")["coder"] == ["", "A", "B", ""]


def test_markers():
    """Trigger values come from the trial's name, also with a sitting in it, or as given; a trial without one has none."""
    names = {"S01-103": "103", "S01_ses-02-103-2": "103", "S01_run-003": None, "S01": None}
    for name, marker in names.items():
        trial = Trial(name, "S01", "x", Interval(0, 1), "")
        assert trial_events([trial], zero_s=0.0)[0]["marker"] == [marker]
    assert trial_events([trial], zero_s=0.0, markers={"S01": 7})[0]["marker"] == ["7"]
    assert trial_events([trial], zero_s=0.0, markers={})[0]["marker"] == [None]


def test_nothing_to_tell():
    """A recording without trials has a table with a header."""
    columns, _ = trial_events([], zero_s=0.0)
    assert columns == {name: [] for name in EVENT_COLUMNS}


def test_faults():
    """A time base that is none, and an expression of another trial, are refused."""
    with pytest.raises(DataError, match="expected a finite time of the first sample, got nan s"):
        trial_events(TRIALS, zero_s=float("nan"))
    wrong = Trial("S01-103", "S01", "x", Interval(20.0, 30.0), "", (A,))
    with pytest.raises(
        DataError, match="expected expressions of trial S01-103 within 20.000 to 30.000 s, got one at 7.000 s"
    ):
        trial_events([wrong], zero_s=0.0)
