"""`mmme train` and `mmme predict`: what they print, what they refuse, and with which exit code."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from mmme.cli import cli
from mmme.io.ffv1 import write_ffv1
from mmme.simulate import TrueExpression, simulate_clip


def mmme(*arguments):
    """Run a verb, return exit code, standard output and standard error."""
    done = CliRunner().invoke(cli, [str(a) for a in arguments], catch_exceptions=False)
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture(scope="module")
def flow_file(tmp_path_factory):
    """Images in the public layout, three classes that differ, 6 subjects; simulated."""
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 2], 12)
    X = rng.integers(0, 40, (36, 28, 28, 3)).astype(np.uint8)
    for k, label in enumerate(y):
        X[k, 7 * label : 7 * label + 7] += 180
    path = tmp_path_factory.mktemp("table") / "flow.npz"
    subject = np.repeat([f"s{i}" for i in range(6)], 6)
    np.savez(path, X=X, y=y, subject=subject, dataset=np.repeat(["a", "b"], 18), clip=[f"c{i}" for i in range(36)])
    return path


@pytest.fixture(scope="module")
def model(flow_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "m"
    assert mmme("train", flow_file, "--out", folder, "--quiet")[0] == 0
    return folder


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "face.mkv"
    event = TrueExpression("micro", "surprise", ("AU1", "AU2"), 0.5, 0.7, 0.9, 2.0)
    t, frames, _ = simulate_clip(2, fps=50.0, duration_s=1.4, events=[event], frame_px=128)
    write_ffv1(path, iter(frames), t)
    return path


def test_a_table_is_trained_on_and_told(flow_file, tmp_path):
    """
    The folder, classes with their rows, temperatures, and that support vectors are rows; as JSON the same.
    """
    code, text, _ = mmme("train", flow_file, "--out", tmp_path / "m", "--quiet")
    assert code == 0
    assert "from face; 36 rows of 6 subjects" in text
    assert "classes: negative (12 rows), positive (12 rows), surprise (12 rows)" in text
    assert "temperatures on held-out subjects: face" in text
    assert "holds rows of training subjects (support vectors)" in text
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == ["face.safetensors", "fusion.safetensors", "model.json"]
    code, text, _ = mmme("train", flow_file, "--out", tmp_path / "m", "--overwrite", "--json", "--quiet")
    told = json.loads(text)
    assert (code, told["from"], told["classes"]) == (0, "face", ["negative", "positive", "surprise"])
    assert told["holds_training_rows"] is True


def test_a_video_is_recognised_with_times_given(model, video, tmp_path):
    """
    A table, the notes and the places of the files; a row outside of the training has no class and says why.
    """
    code, text, _ = mmme("predict", model, video, "--interval", "0.5:0.7:0.9", "--out", tmp_path, "--quiet")
    assert code == 0
    for part in ("onset [s]", "carried by", "note: ", "table: ", "data: ", "figure: "):
        assert part in text
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"face.predictions.{end}" for end in ("csv", "json", "png")]
    code, text, _ = mmme("predict", model, video, "--interval", "0.5:0.9", "--out", tmp_path, "--json", "--quiet")
    (row,) = json.loads(text)["expressions"]
    assert code == 0
    assert row["how"] == "interval given"
    assert row["refused"] == (row["class"] == "")
    assert (
        "refused: expression 1" in mmme("predict", model, video, "--at", "0.7", "--out", tmp_path, "--quiet")[1]
    ) == row["refused"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ("train", "none.npz", "--out", "m"), "none.npz: expected a table (.npz) or an imported study", id="none"
        ),
        pytest.param(("train", "FLOW", "--out", "MODEL"), "expected a folder that does not exist, got one", id="exists"),
        pytest.param(("train", "FLOW", "--out", "m", "--from", "both"), "a table is of a face", id="from"),
        pytest.param(
            ("predict", "none", "VIDEO"), "none: expected a model folder with model.json, got none", id="no-model"
        ),
        pytest.param(("predict", "MODEL", "none.mkv"), "none.mkv: expected a video file, got no file", id="no-video"),
        pytest.param(("predict", "MODEL", "VIDEO", "--at", "9"), "expected --at in the video", id="at"),
        pytest.param(("predict", "MODEL", "VIDEO", "--lag", "1"), "--lag: expected --physio with it", id="lag"),
        pytest.param(("predict", "MODEL", "VIDEO", "--physio", "a.acq"), "model of the face alone", id="physio"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_3(flow_file, model, video, tmp_path, monkeypatch, arguments, message):
    """
    One clear sentence on standard error, exit code 3, and nothing is written.
    """
    monkeypatch.chdir(tmp_path)
    place = {"FLOW": flow_file, "MODEL": model, "VIDEO": video}
    code, _, said = mmme(*(place.get(a, a) for a in arguments), "--quiet")
    assert code == 3
    assert message in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_interval_that_is_none_is_told(model, video):
    """
    What is not ONSET:OFFSET is refused by the option.
    """
    code, _, said = mmme("predict", model, video, "--interval", "0.5-0.9")
    assert code == 2
    assert "expected ONSET:OFFSET or ONSET:APEX:OFFSET in seconds, got '0.5-0.9'" in said
