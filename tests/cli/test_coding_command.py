"""The verb ``coding``: what it prints, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import openpyxl
import pytest
from click.testing import CliRunner, Result

from mmme.cli import cli
from mmme.io.bids_tsv import read_tsv

HEADER = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["coding", *(str(a) for a in arguments)], catch_exceptions=False)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    book = openpyxl.Workbook()
    for line in (
        HEADER,
        ["01", "EP02_01f", 46, 59, 86, 12, "happiness"],
        ["02", "EP02_04f", 50, "/", 40, "4+L10?", "disgust"],
    ):
        book.active.append(line)
    book.save(tmp_path / "CASME2-coding.xlsx")
    return tmp_path / "CASME2-coding.xlsx"


def test_counts_and_oddities_are_printed(table: Path):
    """The data set is recognised; published totals stand beside what was found."""
    done = run(table)
    assert done.exit_code == 0
    assert "annotation table of CASME II" in done.stdout
    lines = {line.split("  ")[0].strip(): line.split()[1:] for line in done.stdout.splitlines() if "  " in line}
    assert lines["rows"] == ["2"]
    assert lines["participants"] == ["2", "26"]
    assert lines["micro"] == ["2", "255"]
    assert "AU12 1, AU4 1, AU10 1" in done.stdout
    assert "D001 error CASME2-coding.xlsx: 1 rows violate onset <= apex <= offset: 3" in done.stdout


def test_rows_are_written_in_one_form(table: Path, tmp_path: Path):
    """Frames from 0, seconds, action units as stored; n/a for what is not there."""
    done = run(table, "--out", tmp_path / "rows.tsv")
    assert f"{tmp_path / 'rows.tsv'}: 2 rows\n" in done.stdout.replace("\n\n", "\n")
    rows = read_tsv(tmp_path / "rows.tsv")
    assert rows["subject"] == ["01", "02"]
    assert (rows["onset_frame"], rows["onset_s"], rows["apex_frame"]) == (["45", "49"], ["0.225", "0.245"], ["58", ""])
    assert rows["aus"] == ["AU12", "AU4,AU10L?"]
    assert rows["notes"][1] == "apex not coded, written as '/'; onset <= apex <= offset does not hold"


def test_json_for_machines(table: Path):
    """The same counts, and the findings with their rows."""
    told = json.loads(run(table, "--json").stdout)
    assert (told["dataset"], told["rows"], told["kinds"], told["emotions"]) == (
        "casme2",
        2,
        {"micro": 2},
        {"happiness": 1, "disgust": 1},
    )
    assert told["missing"] == {"onset": 0, "apex": 1, "offset": 0}
    assert told["findings"][0]["rows"] == ["CASME2-coding.xlsx:3"]
    assert told["columns"]["aus"] == "Action Units"


def test_people_are_only_counted(tmp_path: Path):
    """Where subjects are names, neither the screen nor the written rows show one."""
    layout = tmp_path / "own.toml"
    layout.write_text(
        'name = "Own"\nlicence = "none"\n[coding]\nnames_are_codes = false\ncolumns = { subject = "Name", clip = "Clip", onset = "On" }\n'
    )
    path = tmp_path / "rows.csv"
    path.write_text("Name,Clip,On\nzhou,zhou_1.avi,5\nli,li_1.avi,6\nzhou,zhou_2.avi,7\n")
    done = run(path, "--layout", layout, "--out", tmp_path / "out.tsv")
    written = (tmp_path / "out.tsv").read_text()
    for name in ("zhou", "li_1"):
        assert name not in done.stdout + done.stderr
        assert name not in written
    rows = read_tsv(tmp_path / "out.tsv")
    assert (rows["subject"], rows["source"], rows["clip"]) == (["P001", "P002", "P001"], ["2", "3", "4"], ["", "", ""])
    assert "participants are numbered, their names left out" in done.stdout


def test_bad_input_is_one_sentence(table: Path, tmp_path: Path):
    """Exit code 3, and the way out."""
    for arguments, message in (
        ((tmp_path / "none.xlsx",), "none.xlsx: expected an annotation table, got no file"),
        ((table, "--dataset", "casme22"), "no data set 'casme22'; did you mean 'casme2'?"),
        ((table, "--dataset", "samm", "--layout", "a.toml"), "expected either --dataset or --layout, got both"),
        ((table, "--sheet", "HS"), "expected a sheet 'HS', got one without a name"),
        (
            (table, "--dataset", "samm_long"),
            "expected columns for kind (Type or Micro/Macro), got a header Subject, Filename",
        ),
    ):
        done = run(*arguments)
        assert done.exit_code == 3
        assert message in done.stderr
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    assert "name it with --dataset, or describe its columns in a layout file" in run(tmp_path / "x.csv").stderr
    book = openpyxl.Workbook()
    book.active.append(["Subject", "Filename", "Objective Class"])
    book.save(tmp_path / "CASME2-ObjectiveClasses.xlsx")
    assert "got columns that belong to that of CASME II; read that" in run(tmp_path / "CASME2-ObjectiveClasses.xlsx").stderr
