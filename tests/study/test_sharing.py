"""Whether a study may leave the laboratory."""

import json
import os
import stat

import pytest
from click.testing import CliRunner

from mmme.cli import cli
from mmme.datasets.manifest import MANIFEST, write_manifest
from mmme.errors import ConfigError, DataError
from mmme.study import sharing
from mmme.study.sharing import scan_study, validate_bids

CITATION = "Schmidt A (2020), Faces"


@pytest.fixture
def study(tmp_path):
    folder = tmp_path / "study"
    (folder / "sub-S01" / "beh").mkdir(parents=True)
    (folder / "README").write_text(
        f"A study of faces. {CITATION}. " + "It was simulated and is of no use. " * 6, encoding="utf-8"
    )
    description = {
        "Name": "Faces", "BIDSVersion": "1.11.1", "DatasetType": "raw", "License": "CC0", "HowToAcknowledge": CITATION,
        "Authors": ["A Schmidt", "B Doe"],
    }  # fmt: skip
    (folder / "dataset_description.json").write_text(json.dumps(description), encoding="utf-8")
    (folder / "participants.tsv").write_text("participant_id\nsub-S01\n", encoding="utf-8")
    (folder / "sub-S01" / "beh" / "sub-S01_task-me_events.tsv").write_text("onset\tduration\n1\t2\n", encoding="utf-8")
    (folder / "sub-S01" / "beh" / "sub-S01_task-me_events.json").write_text("{}\n", encoding="utf-8")
    return folder


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key.csv"
    path.write_text("name,code\nschmidt_anna,S01\n#secret,0123456789abcdef0123456789abcdef\n", encoding="utf-8")
    return path


def validator(tmp_path, answer, code=0):
    """Make an executable that prints an answer."""
    path = tmp_path / "validator"
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\nexit {code}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_scan(study, key):
    """Authors of the citation are public; the same name elsewhere is a find, told by its code."""
    assert scan_study(study, key_file=key, dates=["20240630"]) == ()
    (study / "sub-S01" / "beh" / "notes.txt").write_text("Anna came late on 30.06.2024", encoding="utf-8")
    (study / "sourcedata").mkdir()
    found = scan_study(study, key_file=key, dates=["20240630"])
    assert [(f.code, f.level) for f in found] == [("D022", "error")] * 2 + [("D022", "note")]
    assert [f.text for f in found] == [
        "sub-S01/beh/notes.txt, line 1: day of recording",
        "sub-S01/beh/notes.txt, line 1: name of S01",
        "sourcedata/ was not scanned: it is full of names and days, and must not be shared",
    ]


def test_what_was_not_searched_for_is_told(study):
    """Without a key or days the scan says what it could not look for."""
    assert [f.text for f in scan_study(study)] == [
        "not searched for names of participants: no key file",
        "not searched for days of recording: none given",
    ]


def test_key(study, key, tmp_path):
    """A key that is missing or inside the study is refused."""
    with pytest.raises(DataError, match=r"no\.csv: expected a key file of names and codes, got none"):
        scan_study(study, key_file=tmp_path / "no.csv")
    inside = study / "key.csv"
    inside.write_bytes(key.read_bytes())
    with pytest.raises(ConfigError, match="outside the study, got one inside"):
        scan_study(study, key_file=inside)


def test_validator_of_bids(study):
    """The validator finds the small study without errors, and a file of a wrong name an error."""
    pytest.importorskip("bids_validator_deno")
    assert not [f for f in validate_bids(study) if f.level == "error"]
    (study / "sub-S01" / "beh" / "sub-S01_task-me_film.mkv").write_bytes(b"1")
    (error,) = [f for f in validate_bids(study) if f.level == "error"]
    assert (error.code, error.rows) == ("D024", ("sub-S01/beh/sub-S01_task-me_film.mkv",))
    assert error.text.startswith("NOT_INCLUDED: sub-S01/beh/sub-S01_task-me_film.mkv (")


def test_answer_of_the_validator(study, tmp_path):
    """Remarks of one kind are one finding with all files; errors come first."""
    issues = [
        {"severity": "warning", "code": "KEY", "subCode": "Manufacturer", "location": f"/sub-S0{k}/a.json"}
        for k in range(5)
    ] + [{"severity": "error", "code": "EMPTY", "location": "/b.tsv", "issueMessage": "is  empty"}]
    report = {"issues": {"issues": issues, "codeMessages": {"KEY": "A key is\nmissing."}}, "summary": {}}
    found = validate_bids(study, executable=validator(tmp_path, json.dumps(report), 16))
    assert [f.text for f in found] == [
        "EMPTY: b.tsv (is empty)",
        "KEY Manufacturer: sub-S00/a.json, sub-S01/a.json, sub-S02/a.json and 2 more (A key is missing.)",
    ]
    assert [(f.level, len(f.rows)) for f in found] == [("error", 1), ("warning", 5)]


def test_no_validator(study, tmp_path, monkeypatch):
    """Without the validator, or with an answer that is none, one sentence says what to do."""
    monkeypatch.setattr(sharing, "VALIDATOR", "no-such-validator")
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(ConfigError, match="expected no-such-validator to be installed, got none; `pip install"):
        validate_bids(study)
    with pytest.raises(ConfigError, match="expected an executable, got no file gone"):
        validate_bids(study, executable=str(tmp_path / "gone"))
    monkeypatch.undo()
    with pytest.raises(DataError, match="expected a report in JSON, got exit code 2: hello"):
        validate_bids(study, executable=validator(tmp_path, "hello", 2))
    with pytest.raises(DataError, match="expected the folder of a study, got none"):
        validate_bids(tmp_path / "x")


def test_verb(study, key):
    """The verb ends with 0 and writes the manifest when nothing is found, and with 1 and no manifest when something is."""
    asked = [str(study), "--key", str(key), "--date", "20240630", "--no-bids"]
    done = CliRunner().invoke(cli, ["share", *asked, "--write-manifest"])
    assert done.exit_code == 0, done.output
    assert "nothing found that must not be shared" in done.output
    (study / MANIFEST).unlink()
    (study / "notes.txt").write_text("Anna", encoding="utf-8")
    write_manifest(study)
    before = (study / MANIFEST).read_bytes()
    done = CliRunner().invoke(cli, ["share", *asked, "--write-manifest"])
    assert done.exit_code == 1
    assert "notes.txt, line 1: name of S01" in done.output
    assert "not fit to be shared" in done.output
    assert "Anna" not in done.output
    assert (study / MANIFEST).read_bytes() == before
    assert json.loads(CliRunner().invoke(cli, ["share", *asked, "--json"]).output)[0]["code"] == "D022"
