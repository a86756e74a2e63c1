"""Sessions by folder and by file, sittings, shared clocks, and data sets of short videos."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import openpyxl
import pytest

from mmme.align import align
from mmme.datasets.catalogue import dataset_info, parse_info
from mmme.datasets.importing import finish_import, import_session, plan_import
from mmme.datasets.opening import open_session
from mmme.datasets.raw import find_sessions
from mmme.datasets.study import open_study
from mmme.errors import ConfigError, DataError
from mmme.io.ffv1 import write_ffv1
from mmme.trials import build_trials

BOX = """
name = "Lab"
licence = "internal"

[sessions]
{sessions}

[devices.box]
files = ["{box}"]
time = "time_s"
trigger = "trigger"
markers = "trigger"

[devices.camera]
files = ["{camera}"]
clock = "box"
shift_s = 0.25
optional = true
"""


def layout(**parts: str):
    return parse_info("lab", BOX.format(**parts))


def write_box(path: Path) -> None:
    rows = [f"{k / 100:.2f},{np.sin(k):.4f},{11 if 50 <= k < 90 else 0}" for k in range(120)]
    path.write_text("time_s,ECG (mV),trigger\n" + "\n".join(rows) + "\n", encoding="utf-8")


def write_video(path: Path, n: int = 20) -> None:
    rng = np.random.default_rng(0)
    write_ffv1(path, (rng.integers(0, 255, (8, 8)).astype(np.uint8) for _ in range(n)), np.arange(n) / 20)


def test_sessions_that_share_a_folder_are_told_apart_by_file(tmp_path: Path):
    """With a pattern of files every device's file is found by the groups of that pattern."""
    for name in ("ann", "bob"):
        write_box(tmp_path / f"{name}_1_box.csv")
    write_video(tmp_path / "bob_1_face.mkv")
    info = layout(
        sessions="file = '(?P<name>[a-z]+)_(?P<session>\\d)_box\\.csv'",
        box="{name}_{session}_box.csv",
        camera="{name}_*.mkv",
    )
    sessions = find_sessions(tmp_path, info)
    assert [(s.name, sorted(s.files), s.faults) for s in sessions] == [("ann", ["box"], ()), ("bob", ["box", "camera"], ())]


def test_a_device_on_anothers_clock_is_shifted_and_said(tmp_path: Path):
    """A camera that shares the box's clock gets its times plus the stated shift, no markers, and finding A005."""
    (tmp_path / "ann").mkdir()
    write_box(tmp_path / "ann" / "box.csv")
    write_video(tmp_path / "ann" / "face.mkv")
    info = layout(sessions="folder = '(?P<name>[a-z]+)'", box="box.csv", camera="face.mkv")
    opened = open_session(find_sessions(tmp_path, info)[0]).devices["camera"]
    assert (opened.clock, opened.markers) == ("box", None)
    np.testing.assert_allclose(opened.video.t_s, 0.25 + np.arange(20) / 20)
    said = [f for f in opened.findings if f.code == "A005"]
    assert [f.text for f in said] == [
        "its clock is taken to be that of box, 0.25 s later, as the layout says; nothing confirms it"
    ]


def test_sittings_deeper_in_the_tree_are_numbered_by_day(tmp_path: Path):
    """A pattern with a slash goes a folder deeper; sittings of one participant are in the order of their days."""
    for place in ("ann/2024-03-02", "ann/2024-01-05", "bob/2024-02-01"):
        (tmp_path / place).mkdir(parents=True)
        write_box(tmp_path / place / "box.csv")
    info = layout(sessions="folder = '(?P<name>[a-z]+)/(?P<date>\\d{4}-\\d\\d-\\d\\d)'", box="box.csv", camera="face.mkv")
    labels = {(s.name, s.date): s.label for s in find_sessions(tmp_path, info)}
    assert labels == {("ann", "20240105"): "ses-01", ("ann", "20240302"): "ses-02", ("bob", "20240201"): ""}


def test_two_files_where_one_is_expected_are_a_fault(tmp_path: Path):
    """Nothing is chosen at random."""
    (tmp_path / "ann").mkdir()
    for name in ("box1.csv", "box2.csv"):
        write_box(tmp_path / "ann" / name)
    info = layout(sessions="folder = '(?P<name>[a-z]+)'", box="box*.csv", camera="face.mkv")
    session = find_sessions(tmp_path, info)[0]
    assert session.faults == ("box: expected one box*.csv, got 2",)
    with pytest.raises(DataError, match=r"session 1: box: expected one box\*.csv, got 2"):
        open_session(session)


def write_casme2(raw: Path) -> None:
    """Two clips of two subjects in the folders and the table of CASME II; images are simulated."""
    rng = np.random.default_rng(1)
    for subject, clip, n in (("01", "EP02_01f", 90), ("02", "EP01_11f", 60)):
        folder = raw / "CASME2-RAW" / f"sub{subject}" / clip
        folder.mkdir(parents=True)
        for k in range(1, n + 1):
            cv2.imwrite(str(folder / f"img{k}.jpg"), rng.integers(0, 255, (12, 12)).astype(np.uint8))
    book = openpyxl.Workbook()
    rows = [
        ("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion"),
        ("01", "EP02_01f", 46, 59, 86, "4+L10", "disgust"),
        ("02", "EP01_11f", 21, "/", 51, 12, "happiness"),
        ("02", "EP99_01", 21, 30, 51, 12, "happiness"),
    ]
    for row in rows:
        book.active.append(row)
    book.save(raw / "CASME2-coding-20140508.xlsx")


def test_a_data_set_of_short_videos_is_imported_clip_by_clip(tmp_path: Path):
    """Every clip is a recording with nominal times; codes need no key; rows lie on the frames that the table counts."""
    raw = tmp_path / "raw"
    write_casme2(raw)
    plan = plan_import(raw, tmp_path / "study", None, layout="casme2")
    errors = []
    for session in plan.sessions:
        try:
            import_session(session, tmp_path / "study", plan.code(session))
        except DataError as error:
            errors.append(str(error))
    assert len(errors) == 1
    assert "expected a video of clip EP99_01, got none" in errors[0]
    summary = finish_import(plan, tmp_path / "study")
    study = open_study(tmp_path / "study")
    assert study.recordings == ("01_run-001", "02_run-001")
    assert study.subjects == ("01", "02")
    video = study.recording("01_run-001").streams["video"]
    np.testing.assert_allclose(np.diff(video.t), 1 / 200)
    first, second = study.coded("01_run-001")[0], study.coded("02_run-001")[0]
    assert (first.onset_frame, first.apex_frame, first.offset_frame, first.aus) == (45, 58, 85, ("AU4", "AU10L"))
    assert (second.onset_frame, second.apex_frame, second.offset_frame, second.assumed) == (20, 35, 50, ("apex",))
    assert (summary.n_rows, summary.n_placed) == (2, 2)
    assert any("frame times are nominal: number / 200 Hz" in f.text for f in summary.findings)
    timeline = align(study.recording("01_run-001"))
    (trial,) = build_trials(timeline, study.coded("01_run-001")).trials
    assert (trial.id, trial.stimulus, len(trial.expressions)) == ("01_run-001", "EP02_01f", 1)
    assert trial.span.duration_s == pytest.approx(90 / 200)
    assert trial.expressions[0].duration_s == pytest.approx(40 / 200)


def test_names_need_a_key(tmp_path: Path):
    """Only data sets whose names are codes are imported without a key file."""
    (tmp_path / "raw" / "ann").mkdir(parents=True)
    write_box(tmp_path / "raw" / "ann" / "box.csv")
    text = BOX.format(sessions="folder = '(?P<name>[a-z]+)'", box="box.csv", camera="face.mkv")
    (tmp_path / "lab.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="expected a key file for the names of participants, got none; give --key FILE"):
        plan_import(tmp_path / "raw", tmp_path / "study", None, layout=str(tmp_path / "lab.toml"))
    with pytest.raises(ConfigError, match="study: expected a study outside the raw folder"):
        plan_import(tmp_path / "raw", tmp_path / "raw" / "study", tmp_path / "key.csv", layout=str(tmp_path / "lab.toml"))
    assert dataset_info(str(tmp_path / "lab.toml")).name == "Lab"
