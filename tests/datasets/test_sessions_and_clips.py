"""Sessions by folder and by file, sittings, shared clocks, and data sets of short videos."""

from __future__ import annotations

from pathlib import Path

import av
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
from mmme.datasets.videos import FrameImages
from mmme.errors import ConfigError, DataError
from mmme.io.bids_tsv import read_json
from mmme.io.ffv1 import write_ffv1
from mmme.io.frames import index_frames
from mmme.io.video import open_video
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


def test_colour_of_frames_and_of_films_reaches_the_study(tmp_path: Path):
    """
    Colour images are kept as RGB, a film in its own planes: colour is there, grey levels are those of the source, and the
    sidecar says so; grey images stay grey.
    """
    raw, rng = tmp_path / "raw", np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 10, 14, 3)).astype(np.uint8)
    for name, seen in (("ann", images), ("bob", images[..., 0]), ("cat", None)):
        (raw / name).mkdir(parents=True)
        write_box(raw / name / "box.csv")
        if seen is None:
            with av.open(str(raw / name / "face.mp4"), "w") as container:
                stream = container.add_stream("libx264", rate=20)
                stream.width, stream.height, stream.pix_fmt = 14, 10, "yuv420p"
                for k, image in enumerate(images):
                    frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                    frame.pts = k
                    container.mux(stream.encode(frame))
                container.mux(stream.encode(None))
            continue
        (raw / name / "face").mkdir()
        for k, image in enumerate(seen):
            cv2.imwrite(str(raw / name / "face" / f"img{k}.png"), image[..., ::-1] if image.ndim == 3 else image)
    text = BOX.format(sessions="folder = '(?P<name>[a-z]+)'", box="box.csv", camera="face*")
    (tmp_path / "lab.toml").write_text(text + "rate_hz = 20.0\n", encoding="utf-8")
    plan = plan_import(raw, tmp_path / "study", tmp_path / "key.csv", layout=str(tmp_path / "lab.toml"))
    told, kept = {}, {}
    for session in plan.sessions:
        import_session(session, tmp_path / "study", plan.code(session))
    finish_import(plan, tmp_path / "study")
    study = open_study(tmp_path / "study")
    for name in study.recordings:
        path = study.files(name).video
        told[name] = read_json(path.with_suffix(".json"))["Description"]
        kept[name] = study.recording(name).streams["video"].x
    ann, bob, cat = (plan.code(s) for s in sorted(plan.sessions, key=lambda s: s.name))
    assert told[ann] == "One frame per camera frame, colour (RGB); exact times are in frames.tsv."
    assert told[bob] == "One frame per camera frame, grey; exact times are in frames.tsv."
    seen = "One frame per camera frame, colour (yuv420p as decoded, nothing resampled); exact times are in frames.tsv."
    assert told[cat] == seen
    np.testing.assert_array_equal(np.stack([kept[ann].colour(k) for k in range(12)]), images)
    np.testing.assert_array_equal(kept[ann][:], FrameImages(index_frames(raw / "ann" / "face"))[:])
    np.testing.assert_array_equal(kept[bob][:], images[..., 0])
    film = open_video(raw / "cat" / "face.mp4")
    np.testing.assert_array_equal(kept[cat][:], film[:])
    np.testing.assert_array_equal(kept[cat].colour(5), film.colour(5))
    assert [kept[name].has_colour for name in (ann, bob, cat)] == [True, False, True]


def test_grey_among_colour_is_refused(tmp_path: Path):
    """All images of a folder are as the first: grey levels of one camera and of another are not mixed silently."""
    grey, colour = np.zeros((4, 5), np.uint8), np.zeros((4, 5, 3), np.uint8)
    for folder, first, second in (("a", colour, grey), ("b", grey, colour)):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "img1.png"), first)
        cv2.imwrite(str(tmp_path / folder / "img2.png"), second)
    mixed = FrameImages(index_frames(tmp_path / "a"))
    assert (mixed.shape, mixed.has_colour, mixed[0].shape, mixed.colour(0).shape) == ((2, 4, 5), True, (4, 5), (4, 5, 3))
    with pytest.raises(DataError, match="img2.png: expected 8-bit colour, got grey of shape"):
        mixed[1]
    other = FrameImages(index_frames(tmp_path / "b"))
    np.testing.assert_array_equal(other.colour(0), np.zeros((4, 5, 3)))
    with pytest.raises(DataError, match=r"img2.png: expected 8-bit grey, got uint8 of shape \(4, 5, 3\)"):
        other[1]
