from pathlib import Path

import numpy as np
import pytest

from mmme import DataError, FeatureTable
from mmme.io.table_npz import read_table, write_table


def test_a_table_reads_back_as_it_was(tmp_path: Path) -> None:
    """
    Values, names, reasons, strata and origin survive the disk.
    """
    table = FeatureTable.build(
        [[1.0, np.nan]],
        ["a", "b"],
        ["t"],
        ["S01"],
        ["v"],
        ["positive"],
        reason=np.array([[0, 1]], np.uint8),
        reasons=["", "window 7 s, needs 60 s"],
        strata={"dataset": ["x"]},
        origin={"data": "simulated"},
    )
    write_table(table, tmp_path / "t.npz")

    back = read_table(tmp_path / "t.npz")

    np.testing.assert_array_equal(back.X, table.X)
    assert (back.columns, back.reasons, dict(back.origin)) == (table.columns, table.reasons, {"data": "simulated"})
    assert back.strata["dataset"].tolist() == ["x"]
    assert [p.name for p in tmp_path.iterdir()] == ["t.npz"]


def test_what_is_no_table_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """
    A missing, broken or foreign file is named as such.
    """
    with pytest.raises(DataError, match="none.npz: expected a feature table, got no file"):
        read_table(tmp_path / "none.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK nothing")
    with pytest.raises(DataError, match="was it written completely"):
        read_table(tmp_path / "broken.npz")
    np.savez(tmp_path / "foreign.npz", X=np.zeros(3))
    with pytest.raises(DataError, match="expected a key 'columns', got X"):
        read_table(tmp_path / "foreign.npz")
