"""From raw files to a study and back."""

from __future__ import annotations

import gzip
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mmme.datasets.catalogue import dataset_info
from mmme.datasets.importing import finish_import, import_session, plan_import
from mmme.datasets.opening import read_session
from mmme.datasets.raw import find_sessions, other_folders
from mmme.datasets.study import open_study
from mmme.errors import DataError, MmmeError
from mmme.workers import Workers

Raw = tuple[Path, list]  # raw folder, and what its sessions hold


def imported(raw: Path, out: Path, key: Path):
    plan = plan_import(raw, out, key)
    with Workers() as workers:
        outcomes = workers.map(lambda session: import_session(session, out, plan.code(session)), plan.sessions)
    return plan, outcomes, finish_import(plan, out)


def test_a_study_gives_back_what_the_raw_files_held(raw: Raw, tmp_path: Path):
    """Every sample, frame, marker and coded row of the raw files is in the study, in stored units."""
    folder, truths = raw
    plan, outcomes, summary = imported(folder, tmp_path / "study", tmp_path / "key.csv")
    assert [o.error for o in outcomes] == ["", ""]
    study = open_study(tmp_path / "study")
    assert set(study.subjects) == {"S01", "S02"}
    assert (study.layout, study.simulated, study.name) == ("mmme", False, "MMME")
    for truth in truths:
        code = plan.key.codes[truth.name]
        recording = study.recording(code)
        assert set(recording.streams) == {"eeg", "ppg", "rsp", "emg", "skt", "eda", "ecg", "video"}
        eeg = recording.streams["eeg"]
        np.testing.assert_array_equal(np.asarray(eeg.x[:]), truth.eeg_uv.astype(float) * 1e-6)
        assert eeg.channels == ("FP1", "CZ", "M1", "HEO", "VEO", "EKG", "EMG")
        np.testing.assert_allclose(recording.streams["ecg"].x[:], truth.ecg_mv / 1000, rtol=1e-6)
        np.testing.assert_allclose(recording.streams["skt"].x[:], (truth.skt_f - 32) * 5 / 9, rtol=1e-6)
        assert (recording.streams["skt"].unit, recording.streams["eda"].unit) == ("°C", "µS")
        np.testing.assert_array_equal(recording.streams["video"].x[:], np.stack(truth.images))
        t = recording.streams["video"].t
        assert np.abs(t - np.array(truth.taken_s)).max() < 0.002
        assert study.frame_uncertainty_s(code).shape == t.shape
        assert recording.markers["eeg"].codes.tolist() == [77, 101, 100, 103, 100]
        np.testing.assert_allclose(recording.markers["eeg"].t, [0.1, 1.0, 2.0, 5.0, 6.0], atol=1e-6)
        assert recording.markers["biopac"].codes.tolist() == [101, 100, 103, 100]
        np.testing.assert_allclose(recording.markers["biopac"].t, [1.5, 2.5, 5.5, 6.5], atol=1e-6)
        assert recording.markers["camera"].codes.tolist() == [101, 100, 103, 100]
        events = study.coded(code)
        of_101, of_103 = truth.frames_of(101), truth.frames_of(103)
        assert [(e.onset_frame, e.apex_frame, e.offset_frame) for e in events] == [
            (of_101[10], of_101[20], of_101[30]),
            (of_103[5], of_103[50], of_103[50]),
        ]
        assert [(e.coder, e.stimulus, e.target, e.kind) for e in events] == [
            ("A", "sad-1", "sad", None),
            ("B", "happy-2", "happy", None),
        ]
        assert events[0].aus == ("AU4", "AU7")
    assert (summary.n_rows, summary.n_placed) == (4, 4)
    assert summary.totals["participants"] == (2, 110)
    assert summary.totals["micro"] == (None, 634)
    assert "annotation 'boundary' is no trigger value" in {f.text for f in study.findings()}


def test_a_study_travels_to_workers(raw: Raw, tmp_path: Path):
    """A study, a session and a recording can be sent to another process."""
    folder, _ = raw
    plan, _, _ = imported(folder, tmp_path / "study", tmp_path / "key.csv")
    study = pickle.loads(pickle.dumps(open_study(tmp_path / "study")))
    assert pickle.loads(pickle.dumps(plan.sessions)) == plan.sessions
    recording = study.recording("S01")
    for name in ("video", "eeg"):
        again = pickle.loads(pickle.dumps(recording.streams[name].x))
        np.testing.assert_array_equal(again[3], recording.streams[name].x[3])


def test_no_name_is_anywhere_in_a_study(raw: Raw, tmp_path: Path):
    """Neither names, dates of sessions nor paths are in any byte or file name of the study, packed or not."""
    folder, truths = raw
    imported(folder, tmp_path / "study", tmp_path / "key.csv")
    words = [t.name for t in truths] + ["2023-07-2", "2023072", str(tmp_path)]
    files = [p for p in (tmp_path / "study").rglob("*") if p.is_file()]
    assert len(files) > 15
    for path in files:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content += gzip.decompress(content)
            assert content[4:8] == b"\0\0\0\0"  # no time
        assert not zipfile.is_zipfile(path)
        for word in words:
            assert word.encode() not in content, f"{word} in {path.name}"
            assert word not in path.name


def test_the_key_links_names_and_codes_and_lies_outside(raw: Raw, tmp_path: Path):
    """The key file holds every name, only its owner reads it, and a second run gives the same codes."""
    folder, _ = raw
    plan = plan_import(folder, tmp_path / "study", tmp_path / "key.csv")
    assert (tmp_path / "key.csv").stat().st_mode & 0o777 == 0o600
    assert plan_import(folder, tmp_path / "study", tmp_path / "key.csv").key == plan.key
    with pytest.raises(MmmeError, match="expected a key file outside the study"):
        plan_import(folder, tmp_path / "study", tmp_path / "study" / "key.csv")


def test_a_failing_session_does_not_cost_the_others(raw: Raw, tmp_path: Path):
    """A session without its EEG is reported without its name; the other one is imported and its rows placed."""
    folder, _ = raw
    (folder / "lina20230722" / "EEG" / "lina_20230722.set").unlink()
    (folder / "lina20230722" / "Camera").rename(folder / "lina20230722" / "frames")
    plan, outcomes, summary = imported(folder, tmp_path / "study", tmp_path / "key.csv")
    errors = [o.error for o in outcomes if o.error]
    assert len(errors) == 1
    assert "session 1 (folder *20230722): 2 faults" in errors[0]
    assert "eeg: expected one EEG/*.cdt or EEG/*.set, got none" in errors[0]
    assert "camera: expected one Camera, got none" in errors[0]
    assert "lina" not in errors[0]
    assert summary.recordings == (plan.key.codes["wanglei"],)
    assert (summary.n_rows, summary.n_placed) == (2, 2)
    assert [f.text for f in summary.findings if f.code == "D009"] == [
        "not placed: 2 rows of recordings whose import is not finished"
    ]


def test_a_finished_subject_is_kept_until_its_files_change(raw: Raw, tmp_path: Path):
    """A second import touches nothing; after a change of the raw files the subject is written anew."""
    folder, _ = raw
    plan, _, _ = imported(folder, tmp_path / "study", tmp_path / "key.csv")
    video = (
        tmp_path
        / "study"
        / f"sub-{plan.key.codes['lina']}"
        / "beh"
        / f"sub-{plan.key.codes['lina']}_task-me_recording-face_video.mkv"
    )
    before, revision = video.stat().st_ino, open_study(tmp_path / "study").revision
    imported(folder, tmp_path / "study", tmp_path / "key.csv")
    assert (video.stat().st_ino, open_study(tmp_path / "study").revision) == (before, revision)
    next((folder / "lina20230722" / "Camera").iterdir()).unlink()
    imported(folder, tmp_path / "study", tmp_path / "key.csv")
    assert video.stat().st_ino != before
    assert open_study(tmp_path / "study").revision != revision
    assert not list((tmp_path / "study").glob("*.partial"))


def test_equal_raw_files_give_equal_studies(raw: Raw, tmp_path: Path):
    """Two imports of the same files with the same key are equal in every byte."""
    folder, _ = raw
    for name in ("a", "b"):
        imported(folder, tmp_path / name, tmp_path / "key.csv")
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(tmp_path / "b") for p in (tmp_path / "b").rglob("*") if p.is_file())
    different = [p for p in files if (tmp_path / "a" / p).read_bytes() != (tmp_path / "b" / p).read_bytes()]
    assert different == []


def test_a_kill_in_the_middle_leaves_no_half_subject(raw: Raw, tmp_path: Path):
    """A process that dies while writing video leaves only a .partial folder, and the next run completes the import."""
    folder, _ = raw
    script = f"""
import os
from mmme.datasets import videos
from mmme.datasets.importing import import_session, plan_import
plan = plan_import({str(folder)!r}, {str(tmp_path / "study")!r}, {str(tmp_path / "key.csv")!r})
read = videos.read_grey
def die(path, count=[0]):
    count[0] += 1
    if count[0] == 100:
        os._exit(9)
    return read(path)
videos.read_grey = die
import_session(plan.sessions[0], {str(tmp_path / "study")!r}, 'S01')
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    assert [p.name[-8:] for p in (tmp_path / "study").iterdir()] == [".partial"]
    with pytest.raises(DataError, match="got an import that is not finished; run it again"):
        open_study(tmp_path / "study")
    _, _, summary = imported(folder, tmp_path / "study", tmp_path / "key.csv")
    assert len(summary.recordings) == 2
    assert not list((tmp_path / "study").glob("*.partial"))


def test_rows_that_cannot_be_placed_are_listed(raw: Raw, writers, tmp_path: Path):
    """A row whose frames do not exist, lie in another trial, or contradict the stimulus is a finding with its sheet row."""
    folder, (one, _) = raw
    good, shifted, elsewhere, stimulus, reverse, day = (one.row(101, (10, 20, 30)) for _ in range(6))
    shifted["ApexFrame"] = str(shifted["ApexFrame"])[:-3] + "500"
    elsewhere["OffsetFrame"] = one.stamps[-1]
    stimulus["Filename"] = str(stimulus["Filename"]).replace("sad_1", "fear_1")
    reverse["OnsetFrame"], reverse["OffsetFrame"] = reverse["OffsetFrame"], reverse["OnsetFrame"]
    day["Filename"] = str(day["Filename"]).replace("20230721", "20230723")
    far = one.row(101, (10, 20, 30), code=False)
    far["OnsetFrame"] = "16-44-59-000"
    writers.sheet(folder / "coding_file.xlsx", [good, shifted, elsewhere, stimulus, reverse, day, far])
    _, _, summary = imported(folder, tmp_path / "study", tmp_path / "key.csv")
    texts = {f.where.split()[-1]: f.text for f in summary.findings if "coding_file.xlsx:" in f.where}
    assert (summary.n_rows, summary.n_placed) == (7, 1)
    assert texts["coding_file.xlsx:3"] == "not placed: apex: expected a frame of that time and code in its trial, got none"
    assert texts["coding_file.xlsx:4"].startswith("not placed: offset: expected a frame of that time and code in its trial")
    assert texts["coding_file.xlsx:5"] == "not placed: expected stimulus sad-1 for marker 101, got fear-1"
    assert texts["coding_file.xlsx:6"].startswith("not placed: need onset <= apex <= offset in frames, got")
    assert texts["coding_file.xlsx:7"] == "not placed: expected the day of the imported session, got another"
    assert "onset: expected a frame of its trial within 5 ms, got the nearest 120" in texts["coding_file.xlsx:8"]
    assert {f.text for f in open_study(tmp_path / "study").findings()} >= set(texts.values())


def test_the_combined_sheet_says_the_kind(raw: Raw, writers, tmp_path: Path):
    """With the sheet of 14 columns kinds are taken over and totals counted."""
    folder, truths = raw
    rows = [truths[0].row(101, (10, 20, 30), kind="Micro"), truths[0].row(103, (10, 20, 90), kind="Macro")]
    header = (*writers.HEADER[:11], "Macro/Micro", *writers.HEADER[11:])
    writers.sheet(folder / "coding_file_combined.xlsx", rows, header=header)
    plan, _, summary = imported(folder, tmp_path / "study", tmp_path / "key.csv")
    assert summary.totals == {"participants": (2, 110), "micro": (1, 634), "macro": (1, 2841)}
    told = [f.text for f in summary.findings if f.code == "D017"]
    assert told == [
        "participants: found 2, published 110",
        "micro: found 1, published 634",
        "macro: found 1, published 2841",
    ]
    study = open_study(tmp_path / "study")
    assert [e.kind for e in study.coded(plan.key.codes["wanglei"])] == ["micro", "macro"]
    assert study.coded(plan.key.codes["lina"]) == ()


def test_a_raw_session_can_be_read_without_import(raw: Raw):
    """The recording of a raw session has the same streams, with frames read from their images."""
    folder, truths = raw
    session = next(s for s in find_sessions(folder, dataset_info("mmme")) if s.name == "wanglei")
    recording = read_session(session, "S07")
    assert recording.subject == "S07"
    video = recording.streams["video"].x
    assert video.shape == (280, 12, 16)
    np.testing.assert_array_equal(video[5:20:7], np.stack(truths[0].images[5:20:7]))
    assert "wanglei" not in repr(recording.source)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda _: None, "raw: expected a folder of raw sessions, got none", id="no-folder"),
        pytest.param(
            lambda p: (p / "raw" / "x").mkdir(parents=True),
            r"raw: expected sessions named .*, got none; is it the folder above or below\? `mmme inspect` tells",
            id="none",
        ),
    ],
)
def test_a_raw_folder_without_sessions_is_refused(make, message: str, tmp_path: Path):
    """What is missing is said, with the way out."""
    make(tmp_path)
    with pytest.raises(DataError, match=message):
        find_sessions(tmp_path / "raw", dataset_info("mmme"))


def test_a_study_must_be_one(raw: Raw, writers, tmp_path: Path):
    """Other folders, unknown subjects and subjects of another raw folder are refused."""
    folder, _ = raw
    with pytest.raises(DataError, match="expected an imported study with dataset_description.json, got none"):
        open_study(tmp_path)
    with pytest.raises(DataError, match="expected at least one imported recording, got none; did every session fail"):
        finish_import(plan_import(folder, tmp_path / "s", tmp_path / "key.csv"), tmp_path / "s")
    imported(folder, tmp_path / "study", tmp_path / "key.csv")
    with pytest.raises(MmmeError, match="study: no recording 'S1'; did you mean 'S01'"):
        open_study(tmp_path / "study").recording("S1")
    contents = open_study(tmp_path / "study").files("S01").contents
    kept = contents.read_bytes()
    contents.unlink()
    with pytest.raises(DataError, match="expected complete recordings of all participants, got none of sub-S01; import"):
        open_study(tmp_path / "study")
    contents.write_bytes(kept)
    other = tmp_path / "other"
    zhou = writers.session(other, "zhou", seed=5)
    writers.sheet(other / "coding_file.xlsx", [zhou.row(101, (10, 20, 30))])
    with pytest.raises(DataError, match="expected only recordings of other, got also S01, S02"):
        finish_import(plan_import(other, tmp_path / "study", tmp_path / "key.csv"), tmp_path / "study")
    (folder / "coding_file.xlsx").unlink()
    with pytest.raises(
        DataError, match="raw: expected an annotation table coding_file_combined.xlsx or coding_file.xlsx, got none"
    ):
        plan_import(folder, tmp_path / "study", tmp_path / "key.csv")


def test_a_folder_with_a_slip_in_its_name_is_counted(tmp_path):
    """
    A raw folder that is no session by its name is counted, without its name.
    """
    for name in ("simalfa20230101", "Simbravo20230102", "simcharlie2023010"):
        (tmp_path / name).mkdir()

    assert other_folders(tmp_path, dataset_info("mmme")) == 2
