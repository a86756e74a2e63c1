"""`mmme magnify`: from a video to one for viewing."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from mmme.cli import cli
from mmme.features.face.flow import flow
from mmme.io.ffv1 import write_ffv1
from mmme.io.mp4 import labels
from mmme.io.video import open_video
from mmme.simulate import TrueExpression, simulate_clip


def run(*arguments):
    return CliRunner().invoke(cli, ["magnify", *map(str, arguments), "--quiet"], catch_exceptions=False)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A smile of 0.5 px with its apex at 0.7 s, at 30 frames per second with one lost frame; grey, simulated."""
    path = tmp_path_factory.mktemp("video") / "face.mkv"
    event = TrueExpression("micro", "happy", ("AU12",), 0.55, 0.7, 0.95, 0.5)
    t, frames, truth = simulate_clip(2, fps=30.0, duration_s=1.5, events=[event], frame_px=128)
    kept = np.arange(len(t)) != 40
    write_ffv1(path, iter(frames[kept]), t[kept])
    return path, frames[kept], t[kept], truth


def test_a_smile_is_seen(clip, tmp_path):
    """
    Flow from rest to the apex is at least four times as large where the smile moves most; times, size and number of
    frames are the source's, and the file says that it is magnified.
    """
    path, frames, t, truth = clip
    done = run(path, tmp_path / "large.mp4", "--json")
    told = json.loads(done.stdout)
    video = open_video(tmp_path / "large.mp4")
    true = truth.displacement(0.7)
    most = np.hypot(*true.transpose(2, 0, 1)) > 0.35
    along = [
        float((flow(c[14].astype(np.float32), c[21].astype(np.float32))[most] * true[most]).sum())
        for c in (frames, video[:])
    ]

    assert done.exit_code == 0
    assert along[1] > 4 * along[0] > 0
    assert video.shape == frames.shape
    np.testing.assert_allclose(video.t_s, np.round(t, 3), atol=6e-6)
    assert (told["frames"], told["low_hz"], told["high_hz"], told["first_s"]) == (44, 0.5, 10.0, 0.0)
    assert told["unsteady_share"] == pytest.approx(1 / 43)
    assert told["clipped_share"] < 0.02
    assert labels(tmp_path / "large.mp4")["title"] == "MAGNIFIED MOTION: for viewing only, not data"
    assert "0.5 to 10 Hz is shown 11 times as large (phase)" in labels(tmp_path / "large.mp4")["comment"]
    assert "face" not in labels(tmp_path / "large.mp4")["comment"]  # names of files can name people
    assert [p.name for p in tmp_path.iterdir()] == ["large.mp4"]


def test_a_part_beside_its_source(clip, tmp_path):
    """
    Twice as wide: the left half is the source from 0.5 s on, the first frame is told; colours of a colour video stay.
    """
    _, frames, t, _ = clip
    colour = tmp_path / "colour.mkv"
    write_ffv1(colour, (np.dstack([f, f // 2, f // 3]) for f in frames), t)
    out = tmp_path / "both.mp4"
    done = run(colour, out, "--method", "linear", "--start", 0.5, "--stop", 1.0, "--side-by-side")
    video = open_video(out)
    first = int(np.searchsorted(np.round(t, 3), 0.5))

    assert done.exit_code == 0
    assert "both.mp4: 15 frames, motion of 0.5 to 10 Hz 11 times as large; " in done.stdout
    assert video.shape == (15, 128, 256)
    left, source = video.colour(3)[:, :128].astype(float), open_video(colour).colour(first + 3).astype(float)
    assert np.abs(left - source).mean() < 4  # H.264 halves the resolution of colour
    assert np.abs((left[..., 0] - left[..., 2]).mean() - (source[..., 0] - source[..., 2]).mean()) < 3
    assert "the first frame is at 0.5" in labels(out)["comment"]


def test_the_face_alone_is_cut_out(clip, tmp_path):
    """
    A square about twice the width of the eyes' distance, of a face in the middle of the frame.
    """
    done = run(clip[0], tmp_path / "face.mp4", "--face", "--method", "linear", "--json")
    told = json.loads(done.stdout)

    assert done.exit_code == 0
    assert told["height_px"] == told["width_px"] == open_video(tmp_path / "face.mp4").shape[1]
    assert 64 <= told["width_px"] < 128


def test_what_cannot_be_done_is_one_sentence(clip, tmp_path):
    """
    Each with exit code 3, and nothing is written or lost.
    """
    path = clip[0]
    same = tmp_path / "same.mp4"
    same.write_bytes(path.read_bytes())
    cases = [
        ((path, tmp_path / "a.mp4", "--high-hz", 15), "less than half of 30 frames per second, got 0.5 to 15 Hz"),
        ((same, same), "same.mp4: expected another file than the source, got the same; it would be lost"),
        ((path, tmp_path / "a.avi"), "a.avi: expected a name that ends in .mp4 for the magnified video, got '.avi'"),
        (
            (path, tmp_path / "a.mp4", "--start", 9),
            "expected at least two frames between 9 s and 1.467 s, got 0; the video",
        ),
        ((path, tmp_path / "a.mp4", "--alpha", -1), "expected alpha and the wavelength to be 0 or more, got -1 and 16 px"),
        ((tmp_path / "none.mp4", tmp_path / "a.mp4"), "none.mp4: expected a video file, got no file"),
    ]
    for arguments, sentence in cases:
        done = run(*arguments)
        assert done.exit_code == 3
        assert sentence in done.stderr
        assert done.stderr.count("\n") == 1
    assert same.read_bytes() == path.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["same.mp4"]


def test_a_video_without_a_face_has_no_face_to_cut_out(tmp_path):
    """
    Noise is no face: one sentence, nothing written.
    """
    frames = np.random.default_rng(0).integers(0, 255, (20, 64, 64)).astype(np.uint8)
    write_ffv1(tmp_path / "noise.mkv", iter(frames), np.arange(20) / 30)
    done = run(tmp_path / "noise.mkv", tmp_path / "a.mp4", "--face")

    assert done.exit_code == 3
    assert "noise.mkv: expected a face, got none in the" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["noise.mkv"]
