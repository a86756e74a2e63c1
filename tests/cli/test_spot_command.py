"""`mmme spot`: from a video file to a table and a figure."""

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from mmme.cli import cli
from mmme.io.bids_tsv import read_tsv
from mmme.io.elan import read_elan
from mmme.io.ffv1 import write_ffv1
from mmme.io.physio_tsv import write_physio
from mmme.io.video import open_video
from mmme.simulate import TrueExpression, simulate_clip


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A face with one brow raise of 2 px and 0.4 s at 1.5 s; simulated."""
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
    written = ["face.eaf", "face.expressions.csv", "face.expressions.html", "face.expressions.png", "face.faces.png"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [*written, "face_events.tsv"]
    page = (tmp_path / "face.expressions.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 2
    assert "brow-inner" in page
    assert (tmp_path / "face.faces.png").read_bytes().startswith(b"\x89PNG")


def test_other_programs_can_read_what_was_found(video, tmp_path):
    """
    The same intervals as BIDS events, for ELAN, and for scoring.
    """
    CliRunner().invoke(cli, ["spot", str(video), "--out", str(tmp_path), "--quiet"], catch_exceptions=False)
    rows = list(csv.DictReader((tmp_path / "face.expressions.csv").read_text(encoding="utf-8").splitlines()))
    events = read_tsv(tmp_path / "face_events.tsv")
    elan = read_elan(tmp_path / "face.eaf")
    tiers = {tier.name: tier.annotations for tier in elan.tiers}

    assert events["trial_type"] == [f"{r['kind']}-expression" for r in rows]
    assert float(events["duration"][0]) == pytest.approx(float(rows[0]["offset_s"]) - float(rows[0]["onset_s"]), abs=1e-3)
    assert elan.media == ("face.mkv",)
    assert len(tiers["micro"]) + len(tiers["macro"]) == len(tiers["apex"]) == len(rows)
    assert tiers["micro"][0].start_ms == pytest.approx(1000 * float(rows[0]["onset_s"]), abs=1)
    table = str(tmp_path / "face.expressions.csv")
    scored = CliRunner().invoke(cli, ["score", "spotting", table, table, "--json"], catch_exceptions=False)
    assert json.loads(scored.stdout)["scores"][0]["value"] == 1.0


def test_a_folder_of_frames_gives_the_same(video, tmp_path):
    """
    Numbered images with their rate; without it, one sentence.
    """
    folder = tmp_path / "frames"
    folder.mkdir()
    for k, frame in enumerate(open_video(video)):
        Image.fromarray(frame).save(folder / f"img{k:04d}.png")
    refused = CliRunner().invoke(cli, ["spot", str(folder), "--quiet"])
    assert refused.exit_code == 3
    assert "expected the rate of this folder of 175 images (--fps)" in refused.stderr
    done = CliRunner().invoke(
        cli,
        ["spot", str(folder), "--fps", "50", "--out", str(tmp_path / "out"), "--quiet", "--json"],
        catch_exceptions=False,
    )
    alone = CliRunner().invoke(cli, ["spot", str(video), "--out", str(tmp_path / "two"), "--quiet", "--json"])
    one, two = (json.loads(d.stdout)["expressions"] for d in (done, alone))
    assert [r["apex_frame"] for r in one] == [r["apex_frame"] for r in two]
    told = CliRunner().invoke(cli, ["spot", str(video), "--fps", "50", "--quiet"])
    assert "is a file that tells its times itself" in told.stderr


def test_the_body_beside_a_video(video, tmp_path):
    """
    Physiology adds columns and curves; a gate leaves out what it does not support, and says so.
    """
    t = np.arange(0, 40, 0.004)
    beats = np.cumsum(np.full(60, 0.8)) - 20
    ecg = sum((np.exp(-0.5 * ((t - 20 - b) / 0.012) ** 2) for b in beats), start=np.zeros(len(t)))
    write_physio(tmp_path / "a_physio.tsv.gz", {"ecg": ecg}, {"ecg": "mV"}, fs=250.0)
    body = ["--physio", str(tmp_path / "a_physio.tsv.gz"), "--lag", "20"]
    done = CliRunner().invoke(
        cli, ["spot", str(video), "--out", str(tmp_path / "o"), "--quiet", "--json", *body], catch_exceptions=False
    )
    (row, *_) = json.loads(done.stdout)["expressions"]
    assert row["hr_bpm"] == pytest.approx(75.0, abs=1.0)
    assert "hr_slope_bpm_per_s" in (tmp_path / "o" / "face.expressions.html").read_text(encoding="utf-8")
    shut = CliRunner().invoke(
        cli, ["spot", str(video), "--out", str(tmp_path / "o"), "--quiet", "--json", *body, "--gate", "1000"]
    )
    found = json.loads(shut.stdout)
    assert found["expressions"] == []
    assert any("left out by the gate" in note for note in found["notes"])
    assert not (tmp_path / "o" / "face.faces.png").exists()  # nothing of an earlier run is left
    alone = CliRunner().invoke(cli, ["spot", str(video), "--gate", "2", "--quiet"])
    assert "--lag and --gate: expected --physio" in alone.stderr


def test_a_still_picture_has_no_expression(tmp_path):
    """
    A photograph as a video of two seconds gives nothing, with and without camera noise.
    """
    _, frames, _ = simulate_clip(4, fps=30.0, duration_s=0.1, noise=0.0)
    rng = np.random.default_rng(0)
    for name, sd in (("still", 0.0), ("noisy", 1.5)):
        pictures = (np.clip(frames[0] + rng.normal(0, sd, frames[0].shape), 0, 255).astype(np.uint8) for _ in range(60))
        write_ffv1(tmp_path / f"{name}.mkv", pictures, np.arange(60) / 30)
        done = CliRunner().invoke(cli, ["spot", str(tmp_path / f"{name}.mkv"), "--quiet", "--json"], catch_exceptions=False)
        assert json.loads(done.stdout)["expressions"] == []


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


def test_published_methods_by_name(video, tmp_path):
    """
    The planted expression is found by another method as well, with the regions that moved; an unknown name lists the known.
    """
    event = TrueExpression("micro", "surprise", ("AU1", "AU2"), 3.5, 3.7, 3.9, 2.0)
    t, frames, _ = simulate_clip(2, fps=30.0, duration_s=8.0, events=[event], frame_px=128)
    write_ffv1(tmp_path / "long.mkv", iter(frames), t)
    done = CliRunner().invoke(
        cli, ["spot", str(tmp_path / "long.mkv"), "--method", "strain", "--quiet", "--json"], catch_exceptions=False
    )
    (row,) = json.loads(done.stdout)["expressions"]
    assert row["kind"] == "micro"
    assert row["apex_s"] == pytest.approx(3.7, abs=0.1)
    assert "brow-inner" in row["regions"]
    refused = CliRunner().invoke(cli, ["spot", str(video), "--method", "mdm", "--quiet"])
    assert refused.exit_code == 3
    assert "mdmd" in refused.stderr
