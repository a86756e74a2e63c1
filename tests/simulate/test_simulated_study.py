"""A whole simulated study: readable by other libraries, deterministic, resumable, and true to its truth."""

import hashlib
import json
import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import cv2
import mne
import numpy as np
import openpyxl
import pytest
from scipy.io import loadmat

from mmme.errors import ConfigError, DataError
from mmme.simulate import (
    BIPOLAR,
    EEG_NAMES,
    DeviceClock,
    StudyPlan,
    choose_stimuli,
    draw_frame_log,
    draw_schedule,
    simulate_study,
    true_frame_times,
)
from mmme.workers import Outcome, Workers

PLAN = StudyPlan(
    subjects=4, trials=3, seed=5, video_fps=60.0, frame_px=48, trial_s=4.0, rest_s=2.0, eeg_hz=250, biopac_hz=500
)
FRAME = re.compile(r"^(\d{4}-\d\d-\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d{3})-(\d{3,4})-(\d{3})\.tif$")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    out = simulate_study(tmp_path_factory.mktemp("study") / "raw", PLAN)
    return out, json.loads((out / "truth.json").read_text(encoding="utf-8"))


class _FreshProcesses(Workers):
    """Workers that have imported nothing before, without a scheduler; Workers' own tests cover the Dask cluster."""

    def as_completed(self, function, items):
        items = list(enumerate(items))[::-1]
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            for (index, item), value in zip(items, pool.map(function, [item for _, item in items]), strict=True):
                yield Outcome(index, item, value)


def _folder(out: Path, session: dict) -> Path:
    return out / f"{session['name']}{session['date']}"


def _frames(out: Path, session: dict) -> list[tuple[float, int, int]]:
    """Host time [s since midnight], code and marker of every frame in the order of names."""
    found = []
    for path in sorted((_folder(out, session) / "Camera").iterdir()):
        _, h, m, s, ms, code, marker = FRAME.match(path.name).groups()
        found.append((int(h) * 3600 + int(m) * 60 + int(s) + int(ms) / 1000, int(code), int(marker)))
    return found


def _digest(folder: Path) -> dict[str, str]:
    """Content of all files; the MAT header carries the time of writing (first 116 bytes) and is left out."""
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()[116 if p.suffix in (".set", ".mat") else 0 :]).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.suffix != ".xlsx"
    }


def _eeg(out: Path, session: dict) -> mne.io.BaseRaw:
    stem = f"{session['name']}_{session['date']}"
    return mne.io.read_raw_eeglab(_folder(out, session) / "EEG" / f"{stem}.set", preload=True, verbose="error")


def test_eeg_is_read_by_mne_with_markers_at_their_true_times(study):
    """68 channels in the released order; every marker lies within one sample after the true change."""
    out, truth = study
    for session in truth["sessions"]:
        raw = _eeg(out, session)
        clock = DeviceClock("eeg", **session["clocks"]["eeg"])
        seen = {a["description"]: a["onset"] for a in reversed(list(raw.annotations))}
        assert raw.ch_names == [*EEG_NAMES, *BIPOLAR]
        assert raw.info["sfreq"] == 250.0
        assert 1e-6 < raw.get_data("CZ").std() < 1e-4
        for trial in session["trials"]:
            if trial["marker"] != session["faults"]["lost_marker"]:
                late = clock.to_true(seen[str(trial["marker"])]) - trial["start_s"]
                assert -1e-6 <= late <= 1.001 / 250


def test_biopac_lines_decode_to_the_true_levels(study):
    """17 columns, line k is bit k; levels idle at 100 and change within two samples of the truth."""
    out, truth = study
    for session in truth["sessions"]:
        mat = loadmat(_folder(out, session) / "BIOPAC" / "Untitled1 (001).mat")
        data = mat["data"]
        value = ((data[:, 8:16] > 2.5) * (1 << np.arange(8))).sum(1)
        clock = DeviceClock("biopac", **session["clocks"]["biopac"])
        t = clock.to_true(np.arange(len(data)) / 500)

        assert data.shape[1] == len(mat["labels"]) == len(mat["units"]) == 17
        assert mat["labels"][5].strip() == "ECG, X, RSPEC-R"
        assert mat["isi"].item() == 2.0
        assert mat["isi_units"].item() == "ms"
        assert value[0] == value[-1] == 100
        assert set(np.unique(data[:, 8:16])) == {0.0, 5.0}
        for trial in session["trials"]:
            held = t[value == trial["marker"]]
            held = held[(held > trial["start_s"] - 0.1) & (held < trial["stop_s"] + 0.1)]
            assert held[0] - trial["start_s"] == pytest.approx(0.0, abs=2.1 / 500)
            assert held[-1] - trial["stop_s"] == pytest.approx(0.0, abs=2.1 / 500)


def test_peripheral_signals_have_plausible_values(study):
    """Skin 25-37 °C, conductance 0.3-20 µS, R peaks of 0.7-1.6 mV at the true beats."""
    out, truth = study
    session = truth["sessions"][0]
    data = loadmat(_folder(out, session) / "BIOPAC" / "Untitled1 (001).mat")["data"]
    clock = DeviceClock("biopac", **session["clocks"]["biopac"])
    beats = clock.to_device([b for b in session["beats_s"] if b > clock.intercept_s + 1 and b < session["stop_s"] - 1])
    peaks = data[np.rint(beats * 500).astype(int), 5]

    assert 25 < data[:, 3].min() <= data[:, 3].max() < 37
    assert 0.3 <= data[:, 4].min() <= data[:, 4].max() < 20
    assert 0.7 < peaks.min() <= peaks.max() < 1.6
    assert np.ptp(data[:, 16]) > 0


def test_frame_times_are_never_early_and_their_lower_envelope_is_true(study):
    """Host stamps lie 0..90 ms after the exposure, half of them within 4 ms; codes rise by one and wrap at 1000."""
    out, truth = study
    for session in truth["sessions"]:
        frames = _frames(out, session)
        host, code, marker = (np.array(column) for column in zip(*frames, strict=True))
        t = true_frame_times(session)
        late = DeviceClock("camera", **session["clocks"]["camera"]).to_true(host) - t

        assert len(t) == len(frames)
        assert late.min() > -1e-6
        assert late.max() < 0.09
        assert np.median(late) < 0.004
        assert set(np.diff(code) % 1000) == {1}
        assert code.min() >= 1
        assert code.max() <= 1000
        for trial in session["trials"]:
            inside = (t > trial["start_s"]) & (t < trial["stop_s"] - 0.1)
            assert set(marker[inside]) == {trial["marker"]}


def test_codes_wrap_from_1000_to_001_with_four_digits_once():
    """The code 1000 is followed by 001, whatever the trial; all values occur in a long session."""
    rng = np.random.default_rng(0)
    plan = StudyPlan(trials=2, trial_s=5.0)
    schedule = draw_schedule(rng, plan, choose_stimuli(2))
    codes = draw_frame_log(rng, plan, schedule, DeviceClock("camera", 1.0, -36000.0)).codes
    wrap = int(np.flatnonzero(codes == 1000)[0])

    assert codes[wrap + 1] == 1
    assert set(codes) == set(range(1, 1001))


def test_frames_are_grey_bytes_of_the_planned_size(study):
    """One TIFF, read by OpenCV unchanged, is 48 x 48 uint8, uncompressed."""
    out, truth = study
    path = next((_folder(out, truth["sessions"][0]) / "Camera").iterdir())
    frame = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)

    assert frame.shape == (48, 48)
    assert frame.dtype == np.uint8
    assert path.stat().st_size < 48 * 48 + 400


def test_faults_are_in_the_truth_and_in_the_files(study):
    """One session lacks a trial, one a trial's EEG markers, one has a marker twice; each is named."""
    out, truth = study
    faults = [session["faults"] for session in truth["sessions"]]
    texts = [[a["description"] for a in _eeg(out, session).annotations] for session in truth["sessions"]]
    lost, doubled, skipped = (faults[1]["lost_marker"], faults[2]["doubled_marker"], faults[3]["skipped_trial"])

    assert [s["trials"][-1]["marker"] for s in truth["sessions"]] == [108, 108, 108, 103]
    assert (lost, doubled, skipped) == (103, 101, 108)
    assert str(lost) not in texts[1]
    assert texts[2].count(str(doubled)) == 2
    assert all(marker not in {m for _, _, m in _frames(out, truth["sessions"][3])} for marker in (skipped,))
    assert texts[0][:3] == ["77", "88", "100"]
    assert any(session["camera"]["dropped"] for session in truth["sessions"])


def test_switched_off_faults_leave_a_clean_study(tmp_path):
    """With all faults off, no frame is lost and every trial has its markers."""
    plan = replace(
        PLAN, subjects=1, trials=2, lost_marker=False, doubled_marker=False, skipped_trial=False, frame_drops=False,
        camera_stalls=False, combined_sheet=True,
    )  # fmt: skip
    out = simulate_study(tmp_path / "raw", plan)
    session = json.loads((out / "truth.json").read_text(encoding="utf-8"))["sessions"][0]

    assert session["camera"]["dropped"] == []
    assert set(session["faults"].values()) == {None}
    assert [a["description"] for a in _eeg(out, session).annotations] == ["77", "88", "100", "103", "100", "108", "100"]
    sheet = openpyxl.load_workbook(out / "coding_file_combined.xlsx")["Sheet1"]
    assert [cell.value for cell in sheet[1]][-3:] == ["Macro/Micro", "Date", "dif"]


def test_coding_sheet_has_the_released_columns_and_quirks(study):
    """13 columns, A block then B block, two forms of frame strings, and dif after the last field modulo 1000."""
    out, truth = study
    sheet = openpyxl.load_workbook(out / "coding_file.xlsx")["Sheet1"]
    heading, *rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    links = {link["sheet_row"]: link for session in truth["sessions"] for link in session["coded"]}

    assert heading == [
        "Subject", "Filename", "Marker", "OnsetTime", "ApexTime", "OffsetTime", "OnsetFrame", "ApexFrame", "OffsetFrame",
        "Action Units", "Estimated Emotion", "Date", "dif",
    ]  # fmt: skip
    assert all(value is None for row in rows[-3:] for value in row)
    rows = rows[:-3]
    assert sorted(links) == list(range(2, 2 + len(rows)))
    coders = [links[i]["coder"] for i in sorted(links)]
    assert coders == sorted(coders)
    assert set(coders) == {"A", "B"}
    assert {link["ms_only"] for link in links.values() if link["coder"] == "B"} == {True, False}
    for number, row in enumerate(rows, start=2):
        cells = dict(zip(heading, row, strict=True))
        parts = 4 if links[number]["ms_only"] else 5
        onset, apex, offset = (cells[name].split("-") for name in heading[6:9])
        assert len(onset) == len(apex) == len(offset) == parts
        assert cells["dif"] == (int(apex[-1]) - int(onset[-1])) % 1000 + 1
        assert cells["OnsetTime"] <= cells["ApexTime"] <= cells["OffsetTime"]
        match = re.match(r"^([a-z]+)_\d_(\d{3})_([a-z]+)_\d{8}\.avi$", cells["Filename"])
        assert match.groups() == (cells["Estimated Emotion"], str(cells["Marker"]), cells["Subject"])
        assert re.match(r"^\d{4}年\d\d月\d\d日-\d\d时\d\d分$", cells["Date"])


def test_coded_times_are_close_to_the_true_expression(study):
    """A coded onset is within 15 frames of the true onset it is linked to, by the camera's clock; stamps name frames."""
    out, truth = study
    sheet = openpyxl.load_workbook(out / "coding_file.xlsx")["Sheet1"]
    for session in truth["sessions"]:
        clock = DeviceClock("camera", **session["clocks"]["camera"])
        stamps = {round(host * 1000) for host, _, _ in _frames(out, session)}
        for link in session["coded"]:
            h, m, s, ms = (int(part) for part in sheet.cell(link["sheet_row"], 7).value.split("-")[:4])
            host_s = h * 3600 + m * 60 + s + ms / 1000
            assert round(host_s * 1000) in stamps
            if link["expression"] is not None:
                onset = session["expressions"][link["expression"]]["onset_s"]
                assert abs(clock.to_true(host_s) - onset) < 15 / 60 + 0.09


def test_study_is_the_same_in_other_processes_and_another_order(study, tmp_path):
    """Sessions written by fresh processes, last first, are the same bytes (apart from dates in workbook and MAT headers)."""
    out, _ = study
    simulate_study(tmp_path / "raw", PLAN, workers=_FreshProcesses())

    assert _digest(out) == _digest(tmp_path / "raw")


def test_finished_sessions_are_kept_and_lost_ones_are_made_again(tmp_path):
    """A run over a broken study rewrites only what is missing, to the same content, and reports progress."""
    plan = replace(PLAN, subjects=2, trials=1)
    out = simulate_study(tmp_path / "raw", plan)
    before = _digest(out)
    kept, gone = sorted(p for p in out.iterdir() if p.is_dir())
    stamp = (kept / "truth.json").stat().st_mtime_ns
    gone.rename(gone.with_name(gone.name + ".partial"))
    heard = []
    simulate_study(out, plan, progress=lambda *args: heard.append(args))

    assert _digest(out) == before
    assert (kept / "truth.json").stat().st_mtime_ns == stamp
    assert [done for _, done, _ in heard] == [1, 2]
    simulate_study(out, plan, progress=lambda *args: heard.append(args))
    assert len(heard) == 2


def test_another_plan_or_foreign_files_are_refused(tmp_path):
    """A folder with something else is never written to."""
    plan = replace(PLAN, subjects=1, trials=1)
    out = simulate_study(tmp_path / "raw", plan)
    with pytest.raises(ConfigError, match=r"got a study with seed 5 \(wanted 6\); choose another folder"):
        simulate_study(out, replace(plan, seed=6))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    with pytest.raises(ConfigError, match="files that are not a simulated study"):
        simulate_study(tmp_path / "mine", plan)
    with pytest.raises(ConfigError, match="expected a folder, got a file"):
        simulate_study(tmp_path / "mine" / "notes.txt", plan)


def test_a_failed_session_does_not_cost_the_others(tmp_path, monkeypatch):
    """The error names the session; the other sessions are finished, and the study is marked as simulated."""
    from mmme.simulate import study as room

    plan = replace(PLAN, subjects=2, trials=1)
    real = room.simulate_session

    def failing(job):
        if job.subject == 0:
            raise DataError("no space")
        return real(job)

    monkeypatch.setattr(room, "simulate_session", failing)
    with pytest.raises(DataError, match=r"session simalfa\d{8}: no space"):
        simulate_study(tmp_path / "raw", plan)

    assert [p.name[:8] for p in (tmp_path / "raw").iterdir() if p.is_dir()] == ["simbravo"]
    assert json.loads((tmp_path / "raw" / "truth.json").read_text())["simulated"] is True
