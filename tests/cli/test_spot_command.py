"""`mmme spot`: from a video file to a table and a figure."""

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner

from mmme.cli import cli
from mmme.io.ffv1 import write_ffv1
from mmme.simulate import simulate_clip


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A face with one brow raise of 2 px and 0.4 s at 1.5 s; simulated."""
    from mmme.simulate import TrueExpression

    path = tmp_path_factory.mktemp("video") / "face.mkv"
    event = TrueExpression("micro", "surprise", ("AU1", "AU2"), 1.5, 1.7, 1.9, 2.0)
    t, frames, _ = simulate_clip(2, fps=50.0, duration_s=3.5, events=[event], frame_px=128)
    write_ffv1(path, iter(frames), t)
    return path


def test_a_video_gives_a_table_and_a_figure(video, tmp_path):
    """
    The planted expression is in the table, with times and frames; a figure lies beside it.
    """
    done = CliRunner().invoke(cli, ["spot", str(video), "--out", str(tmp_path), "--quiet"], catch_exceptions=False)
    rows = list(csv.DictReader((tmp_path / "face.expressions.csv").read_text(encoding="utf-8").splitlines()))

    assert done.exit_code == 0
    assert "onset [s]" in done.stdout
    assert any(abs(float(r["apex_s"]) - 1.7) < 0.15 and r["kind"] == "micro" for r in rows)
    for row in rows:
        assert int(row["onset_frame"]) == pytest.approx(float(row["onset_s"]) * 50, abs=1.5)
    assert (tmp_path / "face.expressions.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["face.expressions.csv", "face.expressions.png"]


def test_a_video_without_a_face_is_one_sentence(tmp_path):
    """
    Noise is no face: exit code 3, one sentence, nothing written.
    """
    frames = np.random.default_rng(0).integers(0, 255, (40, 64, 64)).astype(np.uint8)
    write_ffv1(tmp_path / "noise.mkv", iter(frames), np.arange(40) / 20)
    done = CliRunner().invoke(cli, ["spot", str(tmp_path / "noise.mkv"), "--quiet"])

    assert done.exit_code == 3
    assert "noise.mkv: expected a face, got none in the" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["noise.mkv"]


def test_what_is_no_video_is_one_sentence(tmp_path):
    """
    A text file is not a video.
    """
    (tmp_path / "notes.mp4").write_text("no frames here", encoding="utf-8")
    done = CliRunner().invoke(cli, ["spot", str(tmp_path / "notes.mp4"), "--quiet"])

    assert done.exit_code == 3
    assert done.stderr.startswith("Error: ")
    assert "notes.mp4" in done.stderr


def test_somebody_else_in_the_picture_is_told(tmp_path):
    """
    Beside the wider face that is followed, the other one is reported with its size and times, in words and as JSON.
    """
    t, wide, _ = simulate_clip(2, fps=20.0, duration_s=1.5, frame_px=160)
    _, narrow, _ = simulate_clip(3, fps=20.0, duration_s=1.5, frame_px=120)
    frames = np.full((len(t), 160, 320), 90, dtype=np.uint8)
    frames[:, :, :160], frames[:, 20:140, 190:310] = wide, narrow
    write_ffv1(tmp_path / "two.mkv", iter(frames), t)
    command = ["spot", str(tmp_path / "two.mkv"), "--quiet"]
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    told = json.loads(CliRunner().invoke(cli, [*command, "--json"], catch_exceptions=False).stdout)

    assert "somebody else, not searched:" in done.stdout
    assert "from 0.0 s to 1.4 s" in done.stdout
    (other,) = told["others"]
    assert (other["first_s"], other["last_s"]) == pytest.approx((0.0, 1.4), abs=0.06)
    assert 50 < other["width_px"] < 90
