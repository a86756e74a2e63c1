"""`mmme pulse` and the comparison of the face's pulse with the ECG's: planted rates come back, grey is said."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import neurokit2 as nk
import numpy as np
import pytest
from click.testing import CliRunner

from mmme.cli import cli
from mmme.errors import ConfigError
from mmme.interval import Interval
from mmme.io.ffv1 import write_ffv1
from mmme.io.video import open_video
from mmme.simulate import simulate_pulse_clip
from mmme.study.pulse import compare_pulse, pulse_agreement
from mmme.types import Stream

BPM = 84.0


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds of a face in colour, 84 beats a minute."""
    path = tmp_path_factory.mktemp("film") / "face.mkv"
    t, frames, _ = simulate_pulse_clip(2, bpm=BPM, duration_s=12.2, frame_px=96, breathing_bpm=0.0)
    write_ffv1(path, iter(frames), t)
    return path


def test_a_film_gives_a_table_and_a_summary(film: Path, tmp_path: Path):
    """Rates within 3 bpm in every window, at the times of the frames; the summary counts them."""
    done = CliRunner().invoke(cli, ["pulse", str(film), "--out", str(tmp_path), "--quiet"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "a pulse in 3 of 3 windows" in done.output
    rows = list(csv.DictReader((tmp_path / "face.pulse.csv").read_text(encoding="utf-8").splitlines()))
    assert [(row["start_s"], row["stop_s"]) for row in rows] == [("0.0", "10.0"), ("1.0", "11.0"), ("2.0", "12.0")]
    assert all(abs(float(row["hr_bpm"]) - BPM) < 3 and row["why_not"] == "" for row in rows)
    summary = json.loads((tmp_path / "face.pulse.json").read_text(encoding="utf-8"))
    assert (summary["windows"], summary["windows_with_rate"], summary["why_not"]) == (3, 3, {})
    assert summary["median_hr_bpm"] == pytest.approx(BPM, abs=3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["face.pulse.csv", "face.pulse.json"]


def test_what_has_no_pulse_is_one_sentence(film: Path, tmp_path: Path):
    """Grey films, films without a face and films shorter than a window: exit code 3, nothing written."""
    colour = np.stack([open_video(film).colour(i) for i in range(12)])
    noise = np.random.default_rng(0).integers(0, 255, colour.shape).astype(np.uint8)
    cases = {
        "grey": (colour[..., 1], "grey.mkv: expected a video in colour, got grey; a pulse is in the colour of the skin"),
        "noise": (noise, "noise.mkv: expected a face, got none in the"),
        "short": (colour, "short.mkv: expected at least a window of 10 s, got 0.37 s"),
    }
    for name, (frames, message) in cases.items():
        write_ffv1(tmp_path / f"{name}.mkv", iter(frames), np.arange(12) / 30)
        done = CliRunner().invoke(cli, ["pulse", str(tmp_path / f"{name}.mkv"), "--quiet"])
        assert (done.exit_code, message in done.stderr) == (3, True), done.stderr
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".mkv"] * 3
    done = CliRunner().invoke(cli, ["pulse", str(film), "--window", "2", "--json"])
    assert "window: expected at least 4 s for a pulse rate, got 2 s" in done.stderr


def test_machines_read_the_same(film: Path, tmp_path: Path):
    """With --json rows and summary are on standard output."""
    options = ["--out", str(tmp_path), "--window", "6", "--step", "6", "--json", "--quiet"]
    done = CliRunner().invoke(cli, ["pulse", str(film), *options])
    said = json.loads(done.stdout)
    assert (said["windows"], said["window_s"], len(said["rows"])) == (2, 6.0, 2)
    assert said["rows"][0]["snr_db"] is not None


def test_face_and_ecg_agree(film: Path):
    """The rates of both differ by less than 3 bpm over the same windows; a window off the video is counted, with its reason."""
    x = 1e-3 * nk.ecg_simulate(duration=60, sampling_rate=250, heart_rate=BPM, heart_rate_std=0, random_state=1)
    ecg = Stream("ecg", "biopac", np.arange(x.size) / 250, x, "V", 250.0)
    opened = open_video(film)
    video = Stream("video", "camera", 20.0 + opened.t_s, opened, "grey level")
    found = compare_pulse(video, ecg, [Interval(20.5, 31.0), Interval(40.0, 55.0)])
    assert (found.windows, found.with_face, found.with_ecg, found.with_both, found.face_share) == (2, 1, 2, 1, 0.5)
    assert abs(found.bias_bpm) < 3
    assert found.within_3_bpm == 1.0
    assert np.isnan(found.low_bpm)
    assert found.why_not == {"window leaves the recording": 1}
    with pytest.raises(ConfigError, match="window: expected at least 4 s"):
        compare_pulse(video, ecg, [Interval(20.5, 31.0)], window_s=2.0)


def test_a_grey_video_says_so():
    """No rate, and the reason for every window."""
    x = 1e-3 * nk.ecg_simulate(duration=30, sampling_rate=250, heart_rate=60, random_state=1)
    ecg = Stream("ecg", "biopac", np.arange(x.size) / 250, x, "V", 250.0)
    grey = Stream("video", "camera", np.arange(0, 30, 0.05), np.zeros((600, 8, 8), np.uint8), "grey level")
    found = compare_pulse(grey, ecg, [Interval(0.0, 25.0)])
    assert (found.windows, found.with_face, found.with_ecg) == (2, 0, 2)
    assert np.isnan(found.bias_bpm)
    assert found.why_not == {"the video is grey: no pulse from the face": 2}
    nothing = compare_pulse(grey, ecg, [])
    assert (nothing.windows, np.isnan(nothing.face_share)) == (0, True)


def test_limits_of_agreement_by_hand():
    """Differences 1, 2, 3: bias 2, standard deviation 1, limits 0.04 and 3.96."""
    found = pulse_agreement(np.array([61.0, 62.0, 63.0]), np.array([60.0, 60.0, 60.0]))
    assert (found.bias_bpm, found.mean_abs_bpm, found.with_both) == (2.0, 2.0, 3)
    assert (found.low_bpm, found.high_bpm) == (pytest.approx(0.04), pytest.approx(3.96))
