"""Flow images in one file become a tensor table, or one error says all that is wrong."""

from pathlib import Path

import numpy as np
import pytest

from mmme.errors import DataError
from mmme.io.flow_npz import read_flow_npz

ROOT = Path(__file__).parents[2]
FLOW = ROOT.parent / "shared" / "data" / "megc2019_flow" / "flow442.npz"


def arrays(**changes):
    plain = {
        "X": np.arange(4 * 2 * 2 * 3, dtype=np.uint8).reshape(4, 2, 2, 3),
        "y": np.array([0, 1, 2, 0]),
        "subject": np.array(["s1", "s1", "s2", "006"]),
        "dataset": np.array(["smic", "smic", "smic", "samm"]),
        "clip": np.array(["a", "b", "a", "c"]),
    }
    return {k: v for k, v in {**plain, **changes}.items() if v is not None}


def written(tmp_path, **changes):
    path = tmp_path / "flow.npz"
    np.savez(path, **arrays(**changes))
    return path


def test_rows(tmp_path):
    """Rows keep order and values; names are data set, subject and clip; labels are words."""
    table = read_flow_npz(written(tmp_path))

    assert table.trial_ids == ("smic/s1/a", "smic/s1/b", "smic/s2/a", "samm/006/c")
    assert table.subjects.tolist() == ["s1", "s1", "s2", "006"]
    assert table.stimuli.tolist() == ["a", "b", "a", "c"]
    assert table.labels.tolist() == ["negative", "positive", "surprise", "negative"]
    assert table.strata["dataset"].tolist() == ["smic", "smic", "smic", "samm"]
    assert np.array_equal(table.X, arrays()["X"].astype(np.float32))
    assert len(table.origin["sha256"]) == 64


def test_subjects_of_the_same_name(tmp_path):
    """Where two data sets have a subject of the same name, subjects are named with their data set."""
    table = read_flow_npz(written(tmp_path, subject=np.array(["s1", "s1", "s2", "s1"])))

    assert table.subjects.tolist() == ["smic/s1", "smic/s1", "smic/s2", "samm/s1"]


def test_own_classes(tmp_path):
    """Other class numbers get other names."""
    table = read_flow_npz(written(tmp_path), classes=["happy", "sad", "other"])

    assert table.labels.tolist() == ["happy", "sad", "other", "happy"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"y": None, "clip": None}, r"2 faults[\s\S]*'y', got none[\s\S]*'clip', got none", id="missing-arrays"
        ),
        pytest.param(
            {"X": np.zeros((4, 12))}, r"X: expected shape \(n, height, width, channels\), got \(4, 12\)", id="flat"
        ),
        pytest.param({"X": np.full((4, 2, 2, 1), np.nan)}, "X: expected finite values, got NaN", id="nan"),
        pytest.param({"X": np.full((4, 2, 2, 1), "x")}, "X: expected numbers, got <U1", id="words"),
        pytest.param({"y": np.array([0, 1])}, r"y: expected shape \(4,\), one per image, got \(2,\)", id="length"),
        pytest.param({"y": np.array([0, 1, 2, 7])}, r"y: expected a class \(0 negative, .*\), got 7", id="class"),
        pytest.param({"y": np.array([0.5, 1, 2, 0])}, "y: expected class numbers, got float64", id="fraction"),
        pytest.param(
            {"clip": np.array(["a", "b", "", "c"])}, "clip: expected a name in every row, got 1 blanks", id="blank"
        ),
        pytest.param({"clip": np.array(["a", "a", "a", "c"])}, "clip smic/s1/a: expected once, got 2 times", id="twice"),
        pytest.param({"clip": np.array([{}, {}, {}, {}])}, "expected an .npz file of plain arrays", id="objects"),
    ],
)
def test_faults(tmp_path, changes, message):
    """Everything wrong with the arrays is said, in one error."""
    with pytest.raises(DataError, match=message):
        read_flow_npz(written(tmp_path, **changes))


def test_no_file_and_no_npz(tmp_path):
    """A missing file, and one that is something else, are told apart."""
    with pytest.raises(DataError, match="none.npz: expected an .npz file of flow images, got none"):
        read_flow_npz(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(DataError, match="text.npz: expected an .npz file of plain arrays"):
        read_flow_npz(tmp_path / "text.npz")
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(DataError, match="one.npy: expected an .npz file of plain arrays"):
        read_flow_npz(tmp_path / "one.npy")


@pytest.mark.skipif(not FLOW.exists(), reason="the MEGC2019 flow images are not on this machine")
def test_megc2019_composite():
    """The composite has 442 clips of 68 subjects: 250 negative, 109 positive, 83 surprise; 145, 164 and 133 by data set."""
    table = read_flow_npz(FLOW)
    names, counts = np.unique(table.labels, return_counts=True)
    sets, sizes = np.unique(table.strata["dataset"], return_counts=True)

    assert table.X.shape == (442, 28, 28, 3)
    assert len(set(table.subjects)) == 68
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {"negative": 250, "positive": 109, "surprise": 83}
    assert dict(zip(sets.tolist(), sizes.tolist(), strict=True)) == {"casme2": 145, "samm": 133, "smic": 164}
