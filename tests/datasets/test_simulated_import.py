"""A simulated study, imported: what was planted is found."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mmme.datasets.importing import finish_import, import_session, plan_import
from mmme.datasets.study import Study, open_study
from mmme.simulate import StudyPlan, simulate_study, true_frame_times
from mmme.workers import Workers

Imported = tuple[Study, dict[str, dict], int]  # study, planted truth by subject code, number of coded rows


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Imported:
    """Two subjects, two short trials, small pictures."""
    folder = tmp_path_factory.mktemp("simulated")
    raw, out = folder / "raw", folder / "study"
    plan = StudyPlan(
        subjects=2, trials=2, trial_s=3.0, rest_s=1.5, frame_px=48, eeg_hz=250, biopac_hz=250, combined_sheet=True
    )
    simulate_study(raw, plan)
    todo = plan_import(raw, out, folder / "key.csv")
    with Workers() as workers:
        outcomes = workers.map(lambda session: import_session(session, out, todo.code(session)), todo.sessions)
    assert [outcome.error for outcome in outcomes] == ["", ""]
    summary = finish_import(todo, out)
    truth = json.loads((raw / "truth.json").read_text(encoding="utf-8"))["sessions"]
    assert summary.n_placed == summary.n_rows == sum(len(session["coded"]) for session in truth)
    return open_study(out), {todo.key.codes[session["name"]]: session for session in truth}, summary.n_rows


def test_frames_are_where_the_camera_exposed_them(simulated: Imported):
    """On the planted camera clock half of the frames are within 1 ms and 99 % within 3 ms of their exposure."""
    study, truth, _ = simulated
    assert study.simulated
    assert study.name == "MMME (simulated)"
    for code, session in truth.items():
        video = study.recording(code).streams["video"]
        clock = session["clocks"]["camera"]
        error = np.abs(clock["rate"] * video.t + clock["intercept_s"] - true_frame_times(session))
        assert np.quantile(error, 0.5) < 0.001
        assert np.quantile(error, 0.99) < 0.003
        assert video.x.shape[0] == error.size


@pytest.mark.parametrize("device", ["eeg", "biopac"])
def test_trigger_changes_are_where_they_were_planted(simulated: Imported, device: str):
    """Every stimulus start that the device was not made to miss is decoded within two samples."""
    study, truth, _ = simulated
    for code, session in truth.items():
        markers = study.recording(code).markers[device]
        clock = session["clocks"][device]
        t = clock["rate"] * markers.t + clock["intercept_s"]
        faults = set(session["faults"].values())
        for trial in session["trials"]:
            seen = t[markers.codes == trial["marker"]]
            if trial["marker"] not in faults:
                assert np.abs(seen - trial["start_s"]).min() < 0.009


def test_every_row_has_its_coder_kind_and_trial(simulated: Imported):
    """Coders are told apart without a column, and rows lie in the trial they were coded in."""
    study, truth, n_rows = simulated
    events = {event.source: event for code in study.subjects for event in study.coded(code)}
    assert len(events) == n_rows
    for code, session in truth.items():
        t = study.recording(code).streams["video"].t
        clock = session["clocks"]["camera"]
        for row in session["coded"]:
            event = events[f"coding_file_combined.xlsx:{row['sheet_row']}"]
            trial = session["trials"][row["trial"]]
            assert (event.subject, event.coder, event.kind, event.marker) == (
                code,
                row["coder"],
                row["kind"],
                trial["marker"],
            )
            onset = clock["rate"] * t[event.onset_frame] + clock["intercept_s"]
            assert trial["start_s"] - 0.07 < onset < trial["stop_s"]


def test_no_planted_name_is_in_the_study(simulated: Imported):
    """Neither a name nor a day is in any file of the study."""
    study, truth, _ = simulated
    for path in study.path.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for session in truth.values():
            assert session["name"].encode() not in content
            assert session["date"].encode() not in content
