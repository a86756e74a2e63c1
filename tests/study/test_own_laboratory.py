"""A laboratory's own files, described by the layout file of the docs: inspected, imported, aligned, checked."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mmme.align import align
from mmme.cli import cli
from mmme.datasets.study import open_study
from mmme.io.brainvision import write_brainvision
from mmme.io.ffv1 import write_ffv1
from mmme.study.checking import check_path
from mmme.study.recordings import cut_into_trials

ROOT = Path(__file__).resolve().parents[2]
TRIALS = ((11, 4.0, 9.0), (21, 12.0, 17.0), (12, 20.0, 25.0))  # code, start, stop on the EEG's clock
LAG_S = {"box": 31.4, "camera": 7.25}  # device time - EEG time at 0
RATE = {"box": 1 + 60e-6, "camera": 1 - 40e-6}
FPS = 50.0


def layout_of_docs() -> str:
    text = (ROOT / "docs" / "layouts.md").read_text(encoding="utf-8")
    return re.search(r"<!-- layout -->\n```toml\n(.*?)```", text, re.S)[1]


def level(t: np.ndarray) -> np.ndarray:
    """Trigger value at times of the EEG's clock."""
    code = np.zeros(len(t), dtype=int)
    for value, start, stop in TRIALS:
        code[(t >= start) & (t < stop)] = value
    return code


def write_session(folder: Path, seed: int) -> None:
    """EEG, physiology and face of 28 s; every device on a clock of its own."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    edges = sorted([(start, code) for code, start, _ in TRIALS] + [(stop, 9) for _, _, stop in TRIALS])
    write_brainvision(
        folder / "eeg.vhdr",
        [rng.normal(0, 2e-5, (28 * 250, 3))],
        250.0,
        ["Fz", "Cz", "VEOG"],
        marker_t_s=np.array([t for t, _ in edges]),
        marker_codes=np.array([code for _, code in edges]),
    )
    marks = folder / "eeg.vmrk"
    marks.write_text(marks.read_text(encoding="utf-8").replace("S  9", "S  0"), encoding="utf-8")
    t = np.arange(0, 28, 1 / 200)
    with (folder / "physio.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["time_s", "ekg", "gsr", "trigger"])
        ecg = np.sin(2 * np.pi * 1.2 * t) ** 31
        for k in range(len(t)):
            out.writerow(
                [f"{t[k] * RATE['box'] + LAG_S['box']:.6f}", f"{ecg[k]:.5f}", f"{5 + 0.1 * np.sin(t[k]):.4f}", level(t)[k]]
            )
    taken = np.arange(0, 28, 1 / FPS) + rng.uniform(0, 0.002, int(28 * FPS))
    seen = taken * RATE["camera"] + LAG_S["camera"]
    write_ffv1(folder / "face.mkv", (rng.integers(0, 255, (16, 16)).astype(np.uint8) for _ in taken), seen)
    with (folder / "face_frames.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["time_s", "trigger"])
        out.writerows([f"{s:.6f}", c] for s, c in zip(seen, level(taken), strict=True))


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two participants, one with two sittings, and a coding table in seconds of the video."""
    folder = tmp_path_factory.mktemp("laboratory")
    raw = folder / "raw"
    for k, name in enumerate(("anna_20240311", "anna_20240318", "boris_20240312")):
        write_session(raw / name, k)
    rows = [
        ["participant", "film", "onset", "apex", "offset", "AU", "emotion", "type", "date"],
        ["anna", "11", "5.10", "5.24", "5.40", "12, L14", "happy", "micro", "20240311"],
        ["anna", "21", "13.00", "13.40", "14.20", "9+4?", "disgust", "macro", "20240318"],
        ["boris", "12", "21.00", "21.10", "21.30", "12", "happy", "micro", "20240312"],
        ["boris", "11", "40.00", "40.10", "40.30", "12", "happy", "micro", "20240312"],
    ]
    with (raw / "coding.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    text = layout_of_docs().replace('kind = "type"', 'kind = "type"\nsession = "date"')
    (folder / "lab.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def study(laboratory: Path) -> Path:
    """The imported study."""
    before = tree_hash(laboratory / "raw")
    layout, key = str(laboratory / "lab.toml"), str(laboratory / "key.csv")
    done = CliRunner().invoke(
        cli, ["import", str(laboratory / "raw"), str(laboratory / "study"), "--layout", layout, "--key", key, "--quiet"]
    )
    assert done.exit_code == 0, done.output
    assert "3 recordings imported, 0 failed; 3 of 4 coded rows placed" in done.output
    assert "anna" not in done.output
    assert tree_hash(laboratory / "raw") == before
    return laboratory / "study"


def tree_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(path.as_posix().encode() + (path.read_bytes() if path.is_file() else b""))
    return digest.hexdigest()


def test_what_a_laboratory_has_is_told_before_anything_is_imported(laboratory: Path):
    """`inspect` lists sessions, devices and rows by the layout, without names; without one it proposes its beginning."""
    raw = str(laboratory / "raw")
    done = CliRunner().invoke(cli, ["inspect", raw, "--layout", str(laboratory / "lab.toml")])
    assert done.exit_code == 0, done.output
    assert "3 sessions of 2 participants" in done.output
    assert "annotation table 1: 4 rows" in done.output
    done = CliRunner().invoke(cli, ["inspect", raw])
    assert done.exit_code == 1
    assert "no known layout" in done.output
    assert "[devices.eeg]" in done.output
    assert "anna" not in done.output


def test_every_device_of_the_laboratory_is_in_the_study_on_one_clock(study: Path):
    """Streams have their names and stored units, clocks are found, trials and rows lie where they were planted."""
    opened = open_study(study)
    assert len(opened.recordings) == 3
    assert sorted(name.partition("_")[2] for name in opened.recordings) == ["", "ses-01", "ses-02"]
    n_expressions = 0
    for name in opened.recordings:
        recording = opened.recording(name)
        units = {s: stream.unit for s, stream in recording.streams.items()}
        assert units == {"eeg": "V", "ecg": "V", "eda": "µS", "video": "grey level"}
        assert recording.streams["eeg"].types == ("EEG", "EEG", "VEOG")
        assert np.ptp(recording.streams["ecg"].x[:]) == pytest.approx(2e-3, rel=0.01)
        timeline = align(recording)
        for device, lag_s in LAG_S.items():
            found_s = timeline.clocks[device].to_session(np.array([RATE[device] * 15 + lag_s]))[0]
            assert found_s == pytest.approx(15.0, abs=0.012), device
        cut = cut_into_trials(opened, name, timeline)
        assert [t.stimulus for t in cut.trials] == ["happy-1", "disgust-1", "happy-2"]
        np.testing.assert_allclose([t.span.start for t in cut.trials], [4.0, 12.0, 20.0], atol=0.01)
        assert not cut.misplaced
        n_expressions += sum(len(t.expressions) for t in cut.trials)
    assert n_expressions == 3
    events = [e for name in opened.recordings for e in opened.coded(name)]
    assert sorted(e.aus for e in events) == [("AU12",), ("AU12", "AU14L"), ("AU9", "AU4?")]


def test_what_was_odd_is_a_coded_finding(study: Path):
    """A row beyond the video is not placed and said; nothing is an error."""
    findings = check_path(study)
    assert not [f for f in findings if f.level == "error"], [str(f) for f in findings]
    row = [f for f in findings if f.code == "D009"]
    assert len(row) == 1
    assert "coding.csv:5" in row[0].where
    assert "expected a time within the" in row[0].text


def test_the_study_can_be_shared(study: Path, laboratory: Path):
    """Events lie beside the EEG, days are shifted, the manifest holds, and a changed file is named."""
    opened = open_study(study)
    files = opened.files(opened.recordings[0])
    assert files.events(beside_eeg=True).exists()
    scans = "".join(p.read_text(encoding="utf-8") for p in study.rglob("*_scans.tsv"))
    assert "2024-03" not in scans
    assert scans.count("T00:00:00") == 3
    assert check_path(study, manifest=True) == []
    layout = study / "code" / "layout.toml"
    text = layout.read_text(encoding="utf-8")
    layout.write_text(text + "# changed\n", encoding="utf-8")
    try:
        changed = check_path(study, manifest=True)
    finally:
        layout.write_text(text, encoding="utf-8")
    assert [(f.code, f.level, f.rows) for f in changed] == [("D023", "error", ("code/layout.toml",))]


def test_a_correction_is_applied_once_and_to_the_right_row(laboratory: Path, tmp_path: Path):
    """A corrected row is placed with its new value and a finding; one that claims another old value is refused."""
    fix = tmp_path / "fix.csv"
    fix.write_text("source,field,old,new,reason\ncoding.csv:5,onset,40.0s,22.00s,slip\n", encoding="utf-8")
    command = ["import", str(laboratory / "raw"), str(tmp_path / "study"), "--quiet", "--json"][:4]
    command += ["--layout", str(laboratory / "lab.toml"), "--key", str(tmp_path / "key.csv"), "--corrections", str(fix)]
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 0, done.output
    assert "D021" in done.output
    fix.write_text("source,field,old,new,reason\ncoding.csv:5,kind,macro,micro,slip\n", encoding="utf-8")
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 3
    assert "expected kind 'macro', got 'micro'; was it corrected in the table?" in done.output


def test_findings_name_every_row_for_machines(study: Path):
    """`check --json` lists all rows concerned, not only the first."""
    done = CliRunner().invoke(cli, ["check", str(study), "--json"])
    found = json.loads(done.output)
    empty = [f for f in found if f["code"] == "D005"]
    assert sum(len(f["rows"]) for f in empty) == 9 - 3
