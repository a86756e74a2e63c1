"""One small simulated study, imported once per test session."""

import json
from pathlib import Path

import pytest

from mmme.config import load_config
from mmme.simulate import StudyPlan, simulate_study
from mmme.study.describe import describe_study, gather
from mmme.study.importing import import_study
from mmme.workers import Workers

PLAN = StudyPlan(
    subjects=3, trials=4, seed=3, video_fps=60.0, frame_px=96, trial_s=4.0, rest_s=2.0, eeg_hz=250, biopac_hz=250
)
CONFIG = {
    "scores": {"n_bootstrap": 200, "n_permutations": 200},
    "spotting": {"step_s": 0.1},
    "alignment": {"limit_ms": 20.0},
}


@pytest.fixture(scope="session")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw") / "raw"
    simulate_study(folder, PLAN, workers=Workers(), progress=None)
    return folder


@pytest.fixture(scope="session")
def truth(raw):
    return json.loads((raw / "truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def study(raw, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    import_study(raw, folder / "study", key=folder / "key.csv", workers=Workers())
    return folder / "study"


@pytest.fixture(scope="session")
def config():
    return load_config(CONFIG)


@pytest.fixture(scope="session")
def described(study, config):
    outcomes = describe_study(study, config, workers=Workers())
    assert [o.error for o in outcomes] == ["", "", ""]
    return gather(study, [str(o.value) for o in outcomes], config)


def run_file(folder: Path) -> Path:
    lines = [
        "[scores]",
        "n_bootstrap = 200",
        "n_permutations = 200",
        "[spotting]",
        "step_s = 0.1",
        "[alignment]",
        "limit_ms = 20.0",
    ]
    path = folder / "run.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
