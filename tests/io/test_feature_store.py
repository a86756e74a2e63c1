"""Tables under the hash of what they were made from: whole or absent, shared, never silently changed."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from mmme.errors import DataError
from mmme.io.feature_store import FeatureStore, content_key
from mmme.types import FeatureTable


def flat(value=1.0):
    return FeatureTable.build(
        [[value, np.nan], [3.0, 4.0]],
        ["hr_bpm", "lf_hf"],
        ["a", "b"],
        ["S1", "S2"],
        ["v", "w"],
        ["pos", "neg"],
        reason=np.array([[0, 1], [0, 0]], np.uint8),
        reasons=("", "window 12 s, needs 60 s"),
        strata={"dataset": ["x", "y"]},
        origin={"study": "demo"},
    )


def test_a_table_comes_back_as_it_was(tmp_path):
    """Values, names, reasons, strata and origin survive; values are mapped, not read."""
    store = FeatureStore(tmp_path)
    key = store.publish(flat(), {"signal": "ecg"})
    read = store.read(key)
    np.testing.assert_array_equal(read.X, flat().X)
    np.testing.assert_array_equal(read.reason, flat().reason)
    assert (read.columns, read.trial_ids, read.reasons) == (flat().columns, flat().trial_ids, flat().reasons)
    assert read.labels.tolist() == ["pos", "neg"]
    assert read.strata["dataset"].tolist() == ["x", "y"]
    assert dict(read.origin) == {"study": "demo"}
    assert isinstance(read.X.base, np.memmap)
    assert not read.X.flags.writeable


def test_a_tensor_comes_back_as_it_was(tmp_path):
    """Network inputs have rows of any shape and no columns."""
    X = np.random.default_rng(0).normal(size=(3, 4, 5, 2)).astype(np.float32)
    table = FeatureTable.build(X, [], list("abc"), ["S1"] * 3, ["v"] * 3, ["p"] * 3)
    store = FeatureStore(tmp_path)
    read = store.read(store.publish(table, {"input": "clip"}))
    np.testing.assert_array_equal(read.X, X)
    assert read.columns == ()


def test_the_index_of_rows_is_plain_parquet(tmp_path):
    """Anybody can read which row is whose without our code."""
    store = FeatureStore(tmp_path)
    key = store.publish(flat(), {"signal": "ecg"})
    rows = pd.read_parquet(store.place(key) / "rows.parquet")
    assert rows["subject"].tolist() == ["S1", "S2"]
    assert rows["stratum dataset"].tolist() == ["x", "y"]


def test_the_key_tells_any_change_of_what_it_was_made_from():
    """Another parameter, another input, another code: another key; the order in which they are named is nothing."""
    made_from = {"inputs": ["abc"], "parameters": {"size": 28, "rate": 0.1}, "code": "v1"}
    changed = [
        {**made_from, "inputs": ["abd"]},
        {**made_from, "parameters": {"size": 28, "rate": 0.2}},
        {**made_from, "code": "v2"},
    ]
    assert len({content_key(m) for m in (made_from, *changed)}) == 4
    assert content_key(dict(reversed(made_from.items()))) == content_key(made_from)
    with pytest.raises(ValueError, match="not JSON compliant"):
        content_key({"rate": float("nan")})


def test_many_workers_publish_one_entry(tmp_path):
    """Two that make the same table at once leave one whole entry and nothing half-written."""
    store = FeatureStore(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: store.publish(flat(), {"signal": "ecg"}), range(24)))
    assert len(keys) == 1
    assert [entry.shape for entry in store.entries()] == [(2, 2)]
    assert not list(tmp_path.glob(".*"))


def test_an_interrupted_writer_leaves_no_entry(tmp_path, monkeypatch):
    """What is written only in part is no entry, and its remains are gone."""
    store = FeatureStore(tmp_path)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pd.DataFrame, "to_parquet", interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.publish(flat(), {"signal": "ecg"})
    assert list(store.entries()) == []
    assert not list(tmp_path.glob(".*"))
    assert store.publish(flat(), {"signal": "ecg"}) in store


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    """An error of the disk is the caller's to see."""
    store = FeatureStore(tmp_path)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="No space left"):
        store.publish(flat(), {"signal": "ecg"})
    assert not list(tmp_path.glob(".*"))


def test_what_is_missing_or_damaged_is_said(tmp_path):
    """An unknown key and a cut file each give one sentence with the way out."""
    store = FeatureStore(tmp_path)
    with pytest.raises(DataError, match="expected a table under 0000000000000000, got none; describe the study again"):
        store.read("0" * 64)
    key = store.publish(flat(), {"signal": "ecg"})
    os.truncate(store.place(key) / "X.npy", 100)
    with pytest.raises(DataError, match="expected a whole table under .*delete that folder and describe"):
        store.read(key)


def test_pruning_keeps_what_is_needed(tmp_path):
    """Only what nothing refers to goes, with what was left half-written; the freed bytes are counted."""
    store = FeatureStore(tmp_path)
    old, new = (store.publish(flat(v), {"version": v}) for v in (1.0, 2.0))
    (tmp_path / ".0123-dead.partial").mkdir()
    n, n_bytes = store.prune({new})
    assert (n, n_bytes > 500) == (1, True)
    assert old not in store
    assert new in store
    assert not list(tmp_path.glob(".*"))
