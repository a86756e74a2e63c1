"""The pages on body and brain name everything that is computed."""

import re
from pathlib import Path

import pytest

from mmme.config import RunConfig, as_toml
from mmme.features.body.signals import AROUND, SIGNALS, BodySettings, body_columns
from mmme.features.brain.connectivity import MEASURES
from mmme.features.brain.families import EEG_FAMILIES

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("signal", [s for s in SIGNALS if s != "eeg"])
def test_every_column_of_a_signal_is_in_the_docs(signal):
    """docs/physiology.md has each column by its name, and none that does not exist."""
    page = (DOCS / "physiology.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z0-9_]+)`", page))
    assert set(body_columns(BodySettings(signals=(signal,)))) <= named


def test_windows_in_the_docs_are_those_of_the_code():
    """Before, after and baseline of each signal."""
    page = (DOCS / "physiology.md").read_text(encoding="utf-8")
    for signal, own in AROUND.items():
        row = next(line for line in page.splitlines() if line.startswith("| `") and f"`{signal}`" in line.split("|")[1])
        assert [float(x) for x in re.findall(r"\| (\d+\.?\d*) s", row)] == [own.before_s, own.after_s, own.baseline_s]


def test_every_family_of_the_eeg_is_in_the_docs():
    """docs/eeg.md has a row for each, in order; docs/connectivity.md knows each measure."""
    page = (DOCS / "eeg.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE) == list(EEG_FAMILIES)
    about = (DOCS / "connectivity.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in about for name in MEASURES)


def test_the_run_file_names_what_exists():
    """Defaults of the run file are names of signals and families."""
    config = RunConfig()
    assert set(config.body.signals) <= set(SIGNALS)
    assert set(config.eeg.features) <= set(EEG_FAMILIES)
    assert "[eeg]" in as_toml(config)
