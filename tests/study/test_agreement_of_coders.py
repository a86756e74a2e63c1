"""Coders compared over a study, against counts by hand; the consensus as a table."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

import mmme.study.agreement as module
from mmme.cli import cli
from mmme.errors import ConfigError, DataError
from mmme.interval import Interval
from mmme.io.bids_tsv import read_json, read_tsv
from mmme.study.agreement import agree_study, write_consensus
from mmme.study.coder_pairs import CodedTrial, compare_coders
from mmme.types import Expression, Trial

FRAMES_S = 100.0 + np.arange(6000) / 100


def seen(subject, coder, onset, apex, offset, kind="micro", aus=("AU4",)):
    """Expression with times in frames of 10 ms."""
    times = (100 + t / 100 for t in (onset, apex, offset))
    return Expression(subject, coder, kind, *times, tuple(aus), "fear", f"c.xlsx:{coder}{onset}")


def trial(subject, marker, *rows):
    start = 100 + (marker - 101) * 10
    return CodedTrial(
        subject,
        Trial(f"{subject}-{marker}", subject, f"fear-{marker}", Interval(start, start + 10), "fear", rows),
        FRAMES_S,
    )


TRIALS = [
    trial(
        "S01", 101,
        seen("S01", "A", 100, 120, 140), seen("S01", "B", 104, 120, 138, aus=("AU4B", "AU7")),
        seen("S01", "A", 500, 520, 520),
    ),
    trial("S01", 102, seen("S01", "B", 1200, 1220, 1260, "macro")),
    trial("S02", 101, seen("S02", "A", 100, 110, 150, "macro"), seen("S02", "B", 98, 110, 150, "macro")),
    trial("S02", 102, seen("S02", "A", 1100, 1110, 1150), seen("S02", "B", 1100, 1110, 1110, "macro", aus=("AU12",))),
    trial("S03", 101, seen("S03", "A", 100, 110, 150)),
]  # fmt: skip


def scores(pair):
    return {(s.name, s.unit): s for s in pair.scores}


def test_by_hand():
    """Counts, F1, kappa, ratios and differences of a small study are those of a count by hand."""
    pair = compare_coders(TRIALS, "A", "B")
    got = scores(pair)
    assert pair.subjects == ("S01", "S02")  # nobody but A coded S03
    assert (pair.n_events, pair.n_trials, pair.n_pairs) == ((4, 4), (3, 0, 1), 2)
    # paired at 0.5: S01 35 of 41 frames, S02 51 of 53; S02-102 has 11 of 51 frames
    assert got["F1 at IoU 0.5", ""].value == pytest.approx(2 * 2 / 8)
    assert got["F1 at IoU 0.3", ""].value == pytest.approx(2 * 2 / 8)
    assert got["F1 at IoU 0.5, trials of both", ""].value == pytest.approx(2 * 2 / 7)
    assert got["F1 within 5 frames", ""].value == pytest.approx(2 * 2 / 8)
    assert (got["kind: same", ""].value, got["kind: kappa", ""].value) == (1.0, 1.0)
    assert got["kind: kappa", ""].note == "micro: 50% and 50%"
    # units of S01: {4} and {4, 7}; of S02: {4} and {4}
    assert got["action units: mean ratio", ""].value == pytest.approx((2 / 3 + 1) / 2)
    assert got["action units: pooled ratio", ""].value == pytest.approx(4 / 5)
    assert got["onset: difference", "frames"].value == pytest.approx((4 - 2) / 2)
    assert got["onset: absolute difference", "frames"].value == pytest.approx((4 + 2) / 2)
    assert got["onset: absolute difference", "ms"].value == pytest.approx(30.0)
    assert got["offset: difference", "frames"].value == pytest.approx((-2 + 0) / 2)
    assert got["duration: difference", "ms"].value == pytest.approx((-60 + 20) / 2)


def test_looser_overlap():
    """With a lower overlap the third pair counts: kinds disagree, and the end that one did not see is left out."""
    pair = compare_coders(TRIALS, "A", "B", min_iou=0.2, tolerance_frames=1)
    got = scores(pair)
    assert pair.n_pairs == 3
    assert got["F1 at IoU 0.2", ""].value == pytest.approx(2 * 3 / 8)
    assert got["F1 within 1 frames", ""].value == 0.0
    assert got["kind: same", ""].value == pytest.approx(2 / 3)
    assert (got["apex: difference", "frames"].n, got["offset: difference", "frames"].n) == (3, 2)


def test_no_units_are_said_to_be_undefined():
    """Events in which nobody coded a unit have no ratio, and the note says how many."""
    rows = (seen("S01", "A", 100, 120, 140, aus=()), seen("S01", "B", 100, 120, 140, aus=()))
    got = scores(compare_coders([trial("S01", 101, *rows)], "A", "B"))
    assert math.isnan(got["action units: mean ratio", ""].value)
    assert got["action units: mean ratio", ""].note == "undefined for 1 events without any unit"
    assert math.isnan(got["kind: kappa", ""].value)
    assert math.isnan(got["F1 at IoU 0.5", ""].low)  # one subject has no interval


def test_coders_without_a_subject_in_common():
    """Such coders cannot be compared."""
    pair = compare_coders([TRIALS[4], trial("S04", 101, seen("S04", "B", 100, 120, 140))], "A", "B")
    assert (pair.subjects, pair.scores) == ((), ())


def test_planted_agreement_is_recovered():
    """A second coder who misses 30 % and is 3 frames late with a spread of 2 frames is found to be so."""
    rng = np.random.default_rng(0)
    made = []
    for s in range(20):
        rows = []
        for k in range(12):
            onset = 50 + 400 * k + int(rng.integers(0, 50))
            length = int(rng.integers(30, 100))
            rows.append(seen(f"S{s:02d}", "A", onset, onset + length // 2, onset + length))
            if rng.random() < 0.7:
                late = 3 + int(np.rint(rng.normal(0, 2)))
                rows.append(seen(f"S{s:02d}", "B", onset + late, onset + late + length // 2, onset + late + length))
        one = trial(f"S{s:02d}", 101, *rows)
        made.append(replace(one, trial=replace(one.trial, span=Interval(100.0, 160.0))))
    got = scores(compare_coders(made, "A", "B"))
    f1, late = got["F1 at IoU 0.5", ""], got["onset: difference", "frames"]
    assert f1.low <= 2 * 0.7 / 1.7 <= f1.high
    assert late.low <= 3.0 <= late.high
    assert late.value == pytest.approx(3.0, abs=0.5)
    assert got["onset: ICC(2,1)", ""].value > 0.999
    assert got["duration: ICC(2,1)", ""].value == pytest.approx(1.0)


@pytest.fixture
def simulated(monkeypatch):
    """A study of the trials above, without files."""
    by_name = {}
    for t in TRIALS:
        by_name.setdefault(t.recording, []).append(t.trial)
    study = SimpleNamespace(recordings=tuple(by_name), recording=lambda name: name)
    line = SimpleNamespace(stream=lambda _: SimpleNamespace(t=FRAMES_S))
    monkeypatch.setattr(module, "open_study", lambda _: study)
    monkeypatch.setattr(module, "aligned", lambda *_: line)
    monkeypatch.setattr(module, "cut_into_trials", lambda _study, name, _line: SimpleNamespace(trials=tuple(by_name[name])))
    return by_name


def test_consensus_table(simulated, tmp_path):
    """One row per event with its sources; times from the start of the trial and frames; nothing half-written remains."""
    found = agree_study(tmp_path)
    n = write_consensus(tmp_path / "consensus.tsv", found)
    table = read_tsv(tmp_path / "consensus.tsv")
    # nine rows of coders: two pairs are one event each, S02-102 is too far apart
    assert n == len(table["trial"]) == 7
    assert table["status"].count("one coder only") == 5
    assert (table["sources"][0], table["aus_agreed"][0], table["aus_of_one"][0]) == (
        "A c.xlsx:A100; B c.xlsx:B104",
        "AU4",
        "AU7 (B)",
    )
    assert (table["onset_s"][0], table["onset_frame"][0], table["offset_frame"][0]) == ("1.020000", "102", "139")
    assert set(table) == set(read_json(tmp_path / "consensus.json"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["consensus.json", "consensus.tsv"]
    with pytest.raises(ConfigError, match="got that of the coders' own table, which is never overwritten"):
        write_consensus(tmp_path / "coding.tsv", found)
    with pytest.raises(ConfigError, match=r"expected a file ending in \.tsv, got '\.xlsx'"):
        write_consensus(tmp_path / "a.xlsx", found)


def test_verb(simulated, tmp_path):
    """The verb prints a table for each pair, writes the consensus, and gives JSON."""
    done = CliRunner().invoke(cli, ["agree", str(tmp_path), "--quiet", "--out", str(tmp_path / "c.tsv")])
    assert done.exit_code == 0, done.output
    assert "A and B: 2 subjects, 4 and 4 events, 2 of both; trials of both 3, of A only 0, of B only 1" in done.output
    assert "kind: kappa" in done.output
    assert "consensus: 7 events, 2 agreed, 5 one coder only; 7 rows in" in done.output
    assert (tmp_path / "c.tsv").is_file()
    as_json = CliRunner().invoke(cli, ["agree", str(tmp_path), "--quiet", "--json"])
    assert '"n_pairs": 2' in as_json.output
    assert "NaN" not in as_json.output


def test_failures(simulated, monkeypatch, tmp_path):
    """A recording that cannot be aligned costs no other and is told; a study of one coder has nothing to compare."""

    def some(name, _config):
        if name == "S02":
            raise DataError("S02: no markers")
        return SimpleNamespace(stream=lambda _: SimpleNamespace(t=FRAMES_S))

    monkeypatch.setattr(module, "aligned", some)
    assert agree_study(tmp_path).failures == ("S02: S02: no markers",)
    done = CliRunner().invoke(cli, ["agree", str(tmp_path), "--quiet"])
    assert done.exit_code == 1
    del simulated["S01"][:], simulated["S02"][:]
    with pytest.raises(DataError, match="expected rows of two coders at least, got A; nothing to compare"):
        agree_study(tmp_path)
    simulated["S03"].clear()
    with pytest.raises(DataError, match="expected at least one recording with trials, got none; S02: S02: no markers"):
        agree_study(tmp_path)
    with pytest.raises(ConfigError, match="min_iou: expected a value above 0 and up to 1, got 2"):
        agree_study(tmp_path, min_iou=2)
