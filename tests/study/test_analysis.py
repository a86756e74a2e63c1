"""A study analysed: kept per recording, tables and a page, and a sentence where there is too little."""

import csv
import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from tests.study.conftest import run_file

from mmme.cli.analyse import analyse
from mmme.config import load_config
from mmme.datasets.study import open_study
from mmme.errors import DataError
from mmme.study.analysis import analyse_study, methods_text, write_tables
from mmme.study.recordings import aligned, cut_into_trials
from mmme.study.validation import RATINGS, published_corpora, validate_trials
from mmme.workers import Workers

ANALYSIS = {"alignment": {"limit_ms": 20.0}, "analysis": {"components": False, "n_permutations": 100}}


@pytest.fixture(scope="module")
def own(study, described, tmp_path_factory):
    folder = tmp_path_factory.mktemp("analysed") / "study"
    shutil.copytree(study, folder)
    return folder


@pytest.fixture(scope="module")
def found(own):
    return analyse_study(own, load_config(ANALYSIS), workers=Workers())


@pytest.fixture(scope="module")
def trials(own, config):
    opened = open_study(own)
    return [
        trial
        for name in opened.recordings
        for trial in cut_into_trials(opened, name, aligned(opened.recording(name), config)).trials
    ]


def test_every_recording_is_measured_and_what_is_too_little_is_said(found):
    analysis, outcomes = found

    assert [o.error for o in outcomes] == ["", "", ""]
    assert analysis.failures == ()
    assert analysis.simulated
    for one in analysis.subjects:
        rows = [*one.pairs, *one.without]
        assert rows, "every expression is either paired or named"
        assert all(pair.neutral.start >= 0 for pair in one.pairs)
    # Three subjects are fewer than a sign flip needs: the questions stay open, with the number that was there.
    assert not analysis.group.claims
    assert any("subjects" in note for note in analysis.group.notes)


def test_the_methods_say_what_was_done(found):
    text = methods_text(found[0])

    assert text.startswith("All data are simulated.")
    assert "100 sign flips" in text
    assert "No components were taken out" in text


def test_tables_hold_what_was_found(found, tmp_path):
    written = write_tables(found[0], tmp_path)

    content = json.loads((tmp_path / "analysis.json").read_text(encoding="utf-8"))
    assert content["simulated"] is True
    assert content["run"]["analysis"]["n_permutations"] == 100
    assert content["claims"] == []
    names = {path.stem for path in written}
    assert {"events", "validation_durations", "validation_corpora", "analysis"} <= names
    with (tmp_path / "tables" / "validation_durations.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {"micro", "macro"} == {row["kind"] for row in rows}
    assert not list(tmp_path.rglob("*.partial"))


def test_recordings_that_are_done_stay_done(own, found):
    """A second run reads; a changed setting measures again."""
    kept = sorted((own / "derivatives").rglob("analysis/*.npz"))
    assert len(kept) == 3
    before = [path.stat().st_mtime_ns for path in kept]

    analyse_study(own, load_config(ANALYSIS), workers=Workers())
    assert [path.stat().st_mtime_ns for path in kept] == before

    changed = load_config(ANALYSIS | {"analysis": ANALYSIS["analysis"] | {"max_lag_s": 2.0}})
    analyse_study(own, changed, workers=Workers())
    assert all(path.stat().st_mtime_ns > old for path, old in zip(kept, before, strict=True))


def test_a_damaged_analysis_is_named_and_costs_no_other(own, found):
    kept = sorted((own / "derivatives").rglob("analysis/*.npz"))[0]
    kept.write_bytes(kept.read_bytes()[:200])

    again, outcomes = analyse_study(own, load_config(ANALYSIS), workers=Workers())

    assert [bool(o.error) for o in outcomes] == [True, False, False]
    assert "delete it and analyse again" in again.failures[0]
    assert len(again.subjects) == 2

    kept.unlink()
    again, _ = analyse_study(own, load_config(ANALYSIS), workers=Workers())
    assert len(again.subjects) == 3


def test_the_command_writes_a_page(own, found, tmp_path):
    run = run_file(tmp_path)
    run.write_text(
        run.read_text(encoding="utf-8") + "\n[analysis]\ncomponents = false\nn_permutations = 100\n", encoding="utf-8"
    )

    result = CliRunner().invoke(analyse, [str(own), "--out", str(tmp_path / "out"), "--run", str(run), "--quiet"])

    assert result.exit_code == 0, result.output
    page = (tmp_path / "out" / "analysis.html").read_text(encoding="utf-8")
    assert "simulated" in page.lower()
    assert "0 of" in result.output
    assert 'src="http' not in page, "the page needs nothing from outside"


def test_validation_counts_what_is_there(own, trials):
    found = validate_trials(open_study(own), trials)

    kinds = [e.kind for trial in trials for e in trial.expressions]
    assert sum(row["n"] for row in found.tables["targets"]) <= len(kinds)
    everything = {row["kind"]: row for row in found.tables["durations"] if row["emotion"] == "all"}
    assert everything["micro"]["mean_ms"] < everything["macro"]["mean_ms"]
    assert all(0 <= row["share_of_trials_with_any"] <= 1 for row in found.tables["stimuli"])
    assert found.tables["corpora"][0]["subjects"] == 3
    assert "(simulated) (this study)" in found.tables["corpora"][0]["corpus"]
    assert len(found.tables["corpora"]) == 1 + len(published_corpora())
    assert any(RATINGS in note for note in found.notes)


def test_ratings_are_judged(own, trials, tmp_path):
    """Items of one scale agree, subjects agree on stimuli, and a missing answer is named."""
    folder = tmp_path / "study"
    shutil.copytree(own, folder)
    rng = np.random.default_rng(0)
    lines = ["subject\tstimulus\titem\trating"]
    for subject in range(4):
        for stimulus in range(6):
            for item in ("joy", "glee", "delight"):
                value = int(np.clip(round(1 + stimulus + rng.normal(0, 0.3)), 1, 7))
                missing = (subject, stimulus, item) == (0, 0, "joy")
                lines.append(f"S{subject}\tfilm{stimulus}\t{item}\t{'n/a' if missing else value}")
    (folder / RATINGS).write_text("\n".join(lines) + "\n", encoding="utf-8")

    found = validate_trials(open_study(folder), trials)

    (scale,) = found.tables["scales"]
    assert scale["n"] == 23
    assert scale["alpha"] > 0.9
    assert list(scale["alpha_without"]) == ["delight", "glee", "joy"]
    assert any("1 of 24 answers to a stimulus lack an item" in note for note in found.notes)
    six = {(row["item"], row["form"]): row for row in found.tables["intraclass"]}
    assert six["joy", "ICC(2,1)"]["n_raters"] == 3, "the subject who left one out is left out"
    assert six["glee", "ICC(2,1)"]["n_raters"] == 4
    assert six["glee", "ICC(2,1)"]["value"] > 0.8
    assert sum(row["n"] for row in found.tables["answers"] if row["item"] == "joy") == 23

    (folder / RATINGS).write_text("subject\tstimulus\titem\trating\nS0\tfilm\tjoy\tmuch\n", encoding="utf-8")
    with pytest.raises(DataError, match="expected numbers in the column rating"):
        validate_trials(open_study(folder), trials)
