"""Cells of tables: sheets, delimiters, encodings, headers below free text."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import openpyxl
import pytest

from mmme.errors import DataError
from mmme.io.coding_table import Sheet, choose_sheet, find_header, plain_name, read_sheets

ROLES = {"subject": ["Subject"], "onset": ["OnsetFrame", "Onset"], "aus": ["Action Units", "AU"]}


def workbook(path: Path, **sheets: list[list[object]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, lines in sheets.items():
        page = book.create_sheet(name)
        for line in lines:
            page.append(line)
    book.save(path)
    return path


def test_a_workbook_gives_its_filled_sheets_with_their_names(tmp_path: Path):
    """Empty sheets are left out; one sheet alone needs no name."""
    (one,) = read_sheets(workbook(tmp_path / "a.xlsx", S=[["Subject"], ["01"]], Sheet2=[]))
    assert (one.name, one.source(2), one.cell(2, 0)) == ("", "a.xlsx:2", "A2")
    hs, vis = read_sheets(workbook(tmp_path / "b.xlsx", HS=[["x"]], VIS=[["y"]]))
    assert (hs.source(17), vis.cell(3, 27)) == ("b.xlsx!HS:17", "AB3")
    assert choose_sheet([hs, vis], ["NIR", "vis"]) is vis
    assert choose_sheet([hs, vis], ["NIR"]) is None


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_the_delimiter_is_found(delimiter: str, tmp_path: Path):
    """Comma, tab or semicolon, also where texts hold another of them."""
    lines = [["Subject", "Onset", "Action Units"], ["01", "46", "4+7"], ["02", "12", '"AU4, AU7"'], ["03", "9", "1"]]
    path = tmp_path / "a.txt"
    path.write_text("\n".join(delimiter.join(line) for line in lines), encoding="utf-8")
    (sheet,) = read_sheets(path)
    assert sheet.delimiter == delimiter
    assert sheet.lines[2] == (3, ("02", "12", "AU4, AU7"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_chinese_text_is_read_in_its_usual_encodings(encoding: str, tmp_path: Path):
    """UTF-8 with and without mark, GB 18030 and UTF-16 give the same cells."""
    path = tmp_path / "a.csv"
    path.write_bytes("Subject,备注\n01,嘴角上扬\n".encode(encoding))
    assert read_sheets(path)[0].lines[1] == (2, ("01", "嘴角上扬"))


def test_latin_letters_are_not_taken_for_chinese(tmp_path: Path):
    """Single high bytes are Latin-1."""
    path = tmp_path / "a.csv"
    path.write_bytes("Subject,Notes\nPérez,señal ñoña\n".encode("latin-1"))
    assert read_sheets(path)[0].lines[1] == (2, ("Pérez", "señal ñoña"))


def test_a_record_over_several_lines_keeps_the_number_it_begins_on(tmp_path: Path):
    """Quoted line breaks do not shift row numbers."""
    path = tmp_path / "a.csv"
    path.write_text('Subject,Notes\n01,"two\nlines"\n02,\n', encoding="utf-8")
    assert [number for number, _ in read_sheets(path)[0].lines] == [1, 2, 4]


def test_interval_lists_become_rows(tmp_path: Path):
    """The JSON of spotting benchmarks has one list of intervals per video."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"videos": {"s1/0101": {"truth": [["micro", 3, 5, 9]]}, "s1/0102": {"truth": []}}}))
    assert read_sheets(path)[0].lines == (
        (1, ("video", "type", "onset", "apex", "offset")),
        (2, ("s1/0101", "micro", 3, 5, 9)),
    )
    path.write_text("[1, 2]")
    with pytest.raises(DataError, match=r'a.json: expected \{"videos": .*, got other JSON'):
        read_sheets(path)


def test_files_of_another_kind_are_refused_in_one_sentence(tmp_path: Path):
    """Missing, old Excel, damaged, binary, empty, foreign."""
    with pytest.raises(DataError, match="^a.xlsx: expected an annotation table, got no file$"):
        read_sheets(tmp_path / "a.xlsx")
    old = tmp_path / "a.xls"
    old.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100))
    with pytest.raises(DataError, match=r"got a workbook of Excel 97 to 2003; save it as .xlsx or .csv first$"):
        read_sheets(old)
    (tmp_path / "b.xlsx").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(DataError, match=r"got one that cannot be read \(BadZipFile\); is it cut short\?$"):
        read_sheets(tmp_path / "b.xlsx")
    (tmp_path / "c.csv").write_bytes(b"a,b\n\x00\x01,2\n")
    with pytest.raises(DataError, match="got zero bytes; is it another kind of file"):
        read_sheets(tmp_path / "c.csv")
    (tmp_path / "d.csv").write_text("\n , \n")
    with pytest.raises(DataError, match="^d.csv: expected a table, got a file without any cell filled$"):
        read_sheets(tmp_path / "d.csv")
    (tmp_path / "e.png").write_bytes(b"x")
    with pytest.raises(DataError, match="expected a table .xlsx, .xlsm, .*, got '.png'"):
        read_sheets(tmp_path / "e.png")


def test_a_new_workbook_with_the_old_ending_is_read(tmp_path: Path):
    """The ending lies now and then; the content decides."""
    path = workbook(tmp_path / "a.xlsx", S=[["Subject"], ["01"]]).rename(tmp_path / "a.xls")
    assert read_sheets(path)[0].lines[1] == (2, ("01",))


def test_formatted_blank_rows_without_end_are_cut(tmp_path: Path):
    """Twenty blank rows at the end are kept to be told, the rest is no part of the table."""
    path = workbook(tmp_path / "a.xlsx", S=[["Subject"], ["01"], *[[" "]] * 200])
    assert len(read_sheets(path)[0].lines) == 22


def test_a_wrong_size_in_the_file_hides_no_cell(tmp_path: Path):
    """Some programs state that a sheet is one cell large; blank rows in between keep their numbers."""
    path = workbook(tmp_path / "a.xlsx", S=[["Subject", "Onset"], ["01", 4], [None], ["02", 5]])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    page = parts["xl/worksheets/sheet1.xml"]
    parts["xl/worksheets/sheet1.xml"] = page.replace(b'ref="A1:B4"', b'ref="A1"')
    assert parts["xl/worksheets/sheet1.xml"] != page
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    lines = dict(read_sheets(path)[0].lines)
    assert (lines[2], lines[3], lines[4]) == (("01", 4), (), ("02", 5))


@pytest.mark.parametrize("spelling", ["Onset Frame", "ONSETFRAME", "onset_frame", "Onset-Frame ", "onset"])
def test_headers_match_in_any_spelling(spelling: str):
    """Case, blanks, underscores and punctuation do not matter; other names need an alias."""
    sheet = Sheet("a.csv", "", ((1, ("SUBJECT", spelling, "Extra")), (2, ("01", "4", ""))))
    layout = find_header(sheet, ROLES, ["subject", "onset"])
    assert (dict(layout.columns), layout.others) == ({"subject": 0, "onset": 1}, (2,))
    assert plain_name(spelling) in ("onsetframe", "onset")


def test_the_header_is_found_below_free_text():
    """The second version of SAMM's table has 13 lines above it."""
    text = [(k, (f"Please cite, and read line {k}.", None)) for k in range(1, 14)]
    sheet = Sheet("a.xlsx", "", (*text, (14, ("Subject", "Onset Frame")), (15, ("006", 5562))))
    assert find_header(sheet, ROLES, ["subject", "onset"]).header == 14


def test_two_columns_for_one_role_are_refused():
    """Which of the two is meant must be stated, not guessed."""
    sheet = Sheet("a.csv", "", ((1, ("Subject", "Onset", "OnsetFrame")),))
    with pytest.raises(
        DataError, match="row 1: expected one column per role, got columns 'Onset' and 'OnsetFrame' would both be onset"
    ):
        find_header(sheet, ROLES, ["onset"])
    sheet = Sheet("a.csv", "", ((1, ("Onset",)),))
    with pytest.raises(DataError, match="column 'Onset' would be onset and apex"):
        find_header(sheet, {**ROLES, "apex": ["onset"]}, ["onset"])


def test_a_missing_column_is_named_with_what_is_there():
    """The nearest line is taken for the header and told."""
    sheet = Sheet("a.csv", "S", ((1, ("note",)), (2, ("Subject", "AU"))))
    with pytest.raises(
        DataError,
        match=r"a.csv sheet S: expected columns for onset \(OnsetFrame or Onset\), got a header Subject, AU; is it another",
    ):
        find_header(sheet, ROLES, ["subject", "onset"])
    with pytest.raises(DataError, match="got no line with any of them"):
        find_header(Sheet("a.csv", "", ((1, ("x",)),)), ROLES, ["subject", "onset"])
