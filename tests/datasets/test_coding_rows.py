"""Annotation tables of every data set, simulated in their layouts, become one kind of row."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import openpyxl
import pytest

from mmme.datasets.catalogue import dataset_info
from mmme.datasets.coding.reading import CodingTable, read_coding_rows
from mmme.datasets.coding.recognition import coding_spec_of, recognise_table
from mmme.datasets.coding.spec import CodingSpec
from mmme.errors import DataError
from mmme.types import CodingRow, Finding

Lines = list[list[object]]


def excel(path: Path, lines: Lines, **more: Lines) -> Path:
    book = openpyxl.Workbook()
    for name, content in {"Sheet1": lines, **more}.items():
        page = book.active if name == "Sheet1" else book.create_sheet(name)
        for line in content:
            page.append(line)
    book.save(path)
    return path


def text(path: Path, lines: Lines, delimiter: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows(lines)
    return path


def read(path: Path, key: str) -> CodingTable:
    assert recognise_table(path) == key
    return read_coding_rows(path, coding_spec_of(dataset_info(key)))


def frames(row: CodingRow) -> tuple[int | None, ...]:
    return tuple(None if m is None else m.frame for m in (row.onset, row.apex, row.offset))


def times(row: CodingRow) -> tuple[float | None, ...]:
    return tuple(None if m is None or m.t_s is None else round(m.t_s, 4) for m in (row.onset, row.apex, row.offset))


def aus(row: CodingRow) -> str:
    return "+".join(str(unit) for unit in row.aus)


def coded(findings: tuple[Finding, ...], code: str) -> list[str]:
    return [finding.text for finding in findings if finding.code == code]


CASME2 = ["Subject", "Filename", None, "OnsetFrame", "ApexFrame", "OffsetFrame", None, "Action Units", "Estimated Emotion"]


def test_casme_ii(tmp_path: Path):
    """200 frames/s from 1; '/' is an apex that was not coded; subjects keep their zeros, numbers become text."""
    path = excel(
        tmp_path / "CASME2-coding.xlsx",
        [
            CASME2,
            ["01", "EP02_01f", None, 46, 59, 86, None, 12, "happiness"],
            [2, "EP12_01f", None, 41.0, "/", "91", None, "4+L10", " disgust "],
        ],
    )
    table = read(path, "casme2")
    one, two = table.rows
    assert (one.source, one.subject, one.clip, one.kind, one.fps) == (
        "CASME2-coding.xlsx:2",
        "01",
        "EP02_01f",
        "micro",
        200,
    )
    assert (frames(one), times(one), aus(one), one.emotion) == ((45, 58, 85), (0.225, 0.29, 0.425), "AU12", "happiness")
    assert (two.subject, frames(two), two.emotion, aus(two)) == ("2", (40, None, 90), "disgust", "AU4+AU10L")
    assert two.notes == ("apex not coded, written as '/'",)
    assert table.findings == ()
    assert table.columns["onset"] == "OnsetFrame"


def test_casme_ii_with_its_objective_classes(tmp_path: Path):
    """The second table in the folder adds a column by subject and clip; lines without partner are told."""
    path = excel(
        tmp_path / "CASME2-coding.xlsx",
        [CASME2, ["01", "EP02_01f", "", 46, 59, 86, "", 12, "happiness"], ["01", "EP03_02", "", 1, 2, 3, "", 4, "others"]],
    )
    beside = [["Subject", "Filename", "Objective Class"], ["01", "EP02_01f", 1], ["03", "EP01_01", 7]]
    excel(tmp_path / "CASME2-ObjectiveClasses.xlsx", beside)
    table = read(path, "casme2")
    assert [row.objective_class for row in table.rows] == ["1", ""]
    assert coded(table.findings, "D011") == [
        "1 rows have no line in CASME2-ObjectiveClasses.xlsx: 3",
        "1 lines have no row in CASME2-coding.xlsx",
    ]


def test_casme(tmp_path: Path):
    """60 frames/s; a second apex is a note."""
    header = ["Subject", "Filename", None, "OnsetF", "ApexF1", "ApexF2", "OffsetF", None, "AUs", "Emotion"]
    path = excel(tmp_path / "CASME.xlsx", [header, [1, "EP01_5", None, 61, 67, 70, 73, None, "4+17?", "tense"]])
    (row,) = read(path, "casme").rows
    assert (row.subject, frames(row), times(row)) == ("1", (60, 66, 72), (1.0, 1.1, 1.2))
    assert (aus(row), row.emotion, row.notes) == ("AU4+AU17?", "tense", ("ApexF2 70",))


SQUARED: Lines = [
    [1, "anger1_1", 557, 572, 608, "4+10+14", "negative", "macro-expression", "anger"],
    [1, "anger1_2", 2155, 2163, 0, 4, "negative", "macro-expression", "disgust"],
    [16, "disgust2_1", 100, 103, 109, "L12", "others", "micro-expression", "happiness"],
]


def test_cas_me_2_without_header(tmp_path: Path):
    """Columns by position; offset 0 is none; stimulus, coder's class and self-report stay apart."""
    table = read(excel(tmp_path / "CAS(ME)^2code_final.xlsx", SQUARED), "casme_squared")
    one, two, three = table.rows
    assert (one.subject, one.clip, one.kind, one.target) == ("1", "anger1", "macro", "anger")
    assert (one.emotion, one.self_report, aus(one), frames(one)) == ("negative", "anger", "AU4+AU10+AU14", (556, 571, 607))
    assert one.notes == ("written as anger1_1",)
    assert frames(two) == (2154, 2162, None)
    assert two.notes == ("written as anger1_2", "offset not coded, written as '0'")
    assert (three.subject, three.clip, three.kind, three.fps) == ("16", "disgust2", "micro", 30.0)


def test_cas_me_2_with_the_sheets_that_spell_out_names(tmp_path: Path):
    """Participants and videos get the names of the folders; what is not spelt out is told."""
    rule1 = [[1, "s15", 1], [2, "s16", 16]]
    rule2 = [["0401", "anger1"], ["0101", "disgust1"]]
    path = excel(tmp_path / "code_final.xlsx", SQUARED, naming_rule1=rule1, naming_rule2=rule2)
    table = read(path, "casme_squared")
    assert [(row.subject, row.clip) for row in table.rows] == [("s15", "0401"), ("s15", "0401"), ("s16", "disgust2")]
    assert table.rows[0].notes == ("written as anger1_1", "subject written as 1", "clip written as anger1")
    assert coded(table.findings, "D011") == ["sheet 3 does not say what clip disgust2 stands for; kept as written"]


def test_cas_me_2_as_benchmarks_have_it(tmp_path: Path):
    """A table with paths, and lists of intervals."""
    header = ["subject", "video", "type", "type_idx", "startFrame", "endFrame", "frame_num", "length"]
    video = "./CAS(ME)2_longVideoFaceCropped/s15/15_0101disgustingteeth"
    table = read(
        text(tmp_path / "a.csv", [header, [1, video, "micro-expression", 2, 1195, 1206, 2052, 11]]), "casme_squared"
    )
    (row,) = table.rows
    assert (row.subject, row.clip, row.kind, frames(row)) == ("1", "15_0101disgustingteeth", "micro", (1194, None, 1205))
    assert row.notes == ()
    assert table.findings == ()
    content = {"videos": {"s23/0502": {"truth": [["macro", 1381, 1413, 1460], ["micro", 30, 20, 40]]}}}
    (tmp_path / "b.json").write_text(json.dumps(content))
    table = read(tmp_path / "b.json", "casme_squared")
    assert [(row.subject, row.clip, row.kind, frames(row)) for row in table.rows] == [
        ("s23", "0502", "macro", (1380, 1412, 1459)),
        ("s23", "0502", "micro", (29, 19, 39)),
    ]
    assert table.rows[1].notes == ("onset <= apex <= offset does not hold",)
    (finding,) = table.findings
    assert (finding.code, finding.level, finding.rows) == ("D001", "error", ("b.json:3",))


CASME3 = ["Subject", "Filename", "Onset", "Apex", "Offset", "AU", "Objective class", "emotion"]


def test_cas_me_3(tmp_path: Path):
    """Numbers as text; classes in Roman numerals as written; an onset of 0 is none and is told."""
    lines = [
        CASME3,
        ["spNO.1", "a", "355", "359", "360", "R12", "II", "others"],
        ["spNO.40", "e", "0", "0", "9", "T18", "VII", "sad"],
    ]
    table = read(excel(tmp_path / "labels.xlsx", lines), "casme3")
    one, two = table.rows
    assert (one.subject, one.clip, frames(one), times(one)) == ("spNO.1", "a", (354, 358, 359), (11.8, 11.9333, 11.9667))
    assert (aus(one), one.objective_class, one.kind, one.fps) == ("AU12R", "II", "micro", 30.0)
    assert (frames(two), two.notes[0]) == ((None, None, 8), "T18: top")
    assert "onset not coded, written as '0'" in two.notes
    assert coded(table.findings, "D011") == ["1 rows have no onset, so they cannot be placed: 3"]


def test_cas_me_3_part_c(tmp_path: Path):
    """Another header, no apex, commas between action units."""
    lines = [
        ["sub", "count", "onset", "offset", "au", "emotion"],
        [1, 1, 373, 385, "R4,5", "negative"],
        [1, 2, 500, 512, "4，11", "others"],
    ]
    rows = read(excel(tmp_path / "CAS(ME)3_part_C_ME.xlsx", lines), "casme3").rows
    assert [(row.subject, row.clip, frames(row), aus(row)) for row in rows] == [
        ("1", "", (372, None, 384), "AU4R+AU5"),
        ("1", "", (499, None, 511), "AU4+AU11"),
    ]


SAMM = [
    "Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration", "Micro",
    "Action Units", "Estimated Emotion", "Objective Classes", "Notes",
]  # fmt: skip
SAMM_ROW: list[object] = ["006", "006_1_2", 1, 5562, 5588, 5632, 71, "Micro - 1/2", "4+7", "Anger", 3, "While blinking"]


@pytest.mark.parametrize("n_lines", [0, 13])
def test_samm_with_and_without_text_above(n_lines: int, tmp_path: Path):
    """Frames count in the long recording and stay so; the stimulus and remarks are notes; free text among action units too."""
    above: Lines = [[f"SAMM, see the paper, line {k}"] for k in range(n_lines)]
    strange = [*SAMM_ROW[:8], "(R6 or R12)+R15+soft focus", "Happiness", 7, None]
    path = excel(tmp_path / "SAMM_Micro_FACS_Codes_v2.xlsx", [*above, SAMM, SAMM_ROW, strange])
    table = read(path, "samm")
    one, two = table.rows
    assert (one.source, one.subject, one.clip) == (f"{path.name}:{n_lines + 2}", "006", "006_1_2")
    assert (frames(one), times(one)) == ((5561, 5587, 5631), (27.805, 27.935, 28.155))
    assert (one.kind, one.emotion, one.objective_class) == ("micro", "Anger", "3")
    assert one.notes == ("Inducement Code 1", "While blinking")
    assert aus(two) == "AU6R?+AU12R?+AU15R"
    assert two.notes[0] == "action units: soft focus"


def test_samm_long_videos(tmp_path: Path):
    """The video is the expression's name without its number; -1 and 0 are no frames."""
    header = [
        "Subject",
        "Filename",
        "Inducement Code",
        "Onset",
        "Apex",
        "Offset",
        "Duration",
        "Type",
        "Action Units",
        "Notes",
    ]
    lines: Lines = [
        *[[f"text {k}"] for k in range(9)],
        header,
        ["006", "006_1_1", 1, 566, 648, 743, 178, "Macro", "4(B/C)+7B", None],
        ["006", "006_1_2", 1, 3562, 3588, 3632, 71, "Micro - 1/2", "4+7", "blink"],
        ["007", "007_3_1", 3, 0, -1, 0, 0, "Macro", None, None],
    ]
    table = read(excel(tmp_path / "SAMM_LongVideos_V2_Release.xlsx", lines), "samm_long")
    one, two, three = table.rows
    assert [(r.clip, r.kind, frames(r)) for r in (one, two)] == [
        ("006_1", "macro", (565, 647, 742)),
        ("006_1", "micro", (3561, 3587, 3631)),
    ]
    assert one.notes == ("written as 006_1_1", "4(B/C): intensity B or C", "Inducement Code 1")
    assert (frames(three), three.notes[-2]) == ((None, None, None), "apex not coded, written as '-1'")
    assert coded(table.findings, "D011") == ["1 rows have no onset, so they cannot be placed: 13"]


SMIC = [
    "Subject",
    "Filename",
    None,
    "OnsetF",
    "OffsetF",
    "Onset2F",
    "Offset2F",
    "Onset3F",
    "Offset3F",
    None,
    "FirstF",
    "LastF",
    "TotalMF1",
    "TotalVL",
    "Emotion",
]
SMIC_LINES: Lines = [
    SMIC,
    [20, "s20_ne_01", None, 1039, 1055, None, None, None, None, None, 887, 1094, 17, 208, "negative"],
    [20, "s20_ne_06", None, 8815, 8835, 8855, 8883, 49887, 8743, None, 8743, 8982, 21, 240, "negative"],
    [3, "s3_sur_03", None, 130, 140, 150, 160, 170, 180, None, 100, 200, 11, 101, "negative"],
    [],
    ["16 participants in all"],
]


def test_smic(tmp_path: Path):
    """One row per onset; times from the first frame; a third onset outside the video is left out and told."""
    vis = [SMIC, [20, "s20_ne_01", None, 775, 779, None, None, None, None, None, 771, 790, 5, 20, "negative"]]
    path = excel(tmp_path / "SMIC-HS-E_annotation.xlsx", [], HS=SMIC_LINES, VIS=vis)
    table = read(path, "smic")
    assert [(row.subject, frames(row)) for row in table.rows] == [
        ("20", (1039, None, 1055)),
        ("20", (8815, None, 8835)),
        ("20", (8855, None, 8883)),
        ("3", (130, None, 140)),
        ("3", (150, None, 160)),
        ("3", (170, None, 180)),
    ]
    assert (table.rows[0].source, table.rows[0].fps, times(table.rows[0])) == (
        "SMIC-HS-E_annotation.xlsx!HS:2",
        100.0,
        (1.52, None, 1.68),
    )
    assert table.rows[2].notes == ("event 2 of its line",)
    assert coded(table.findings, "D011") == [
        "1 rows are blank: 5",
        "1 rows are text without an event: 6",
        "event 3, 49887 to 8743, is not in its video: left out",
        "the clip's name says surprise, the emotion negative",
    ]
    assert coded(table.findings, "D018") == ["sheets not read: VIS"]
    other = read_coding_rows(path, coding_spec_of(dataset_info("smic")), sheet="vis")
    assert (other.rows[0].fps, times(other.rows[0])) == (25.0, (0.16, None, 0.32))


def test_smic_rates_by_file_name(tmp_path: Path):
    """Where one sheet has no telling name, the file's name says the camera; where nothing does, there is no rate."""
    table = read(excel(tmp_path / "SMIC-NIR-E_annotation.xlsx", SMIC_LINES[:2]), "smic")
    assert table.rows[0].fps == 25.0
    table = read(excel(tmp_path / "labels.xlsx", SMIC_LINES[:2]), "smic")
    assert (table.rows[0].fps, times(table.rows[0])) == (None, (None, None, None))
    assert coded(table.findings, "D011") == [
        "neither sheet nor file name says HS or VIS or NIR, so frames have no rate and no times"
    ]


def test_mmew(tmp_path: Path):
    """90 frames/s; told from CASME II, whose header it shares, by the form of clip names."""
    lines = [[*[c for c in CASME2 if c], "remarks"], ["1", "S01-01-001", 1, 10, 19, "6+12", "happiness", "head"]]
    (row,) = read(excel(tmp_path / "MMEW_Micro_Exp.xlsx", lines), "mmew").rows
    assert (row.subject, row.clip, frames(row), times(row)) == ("1", "S01-01-001", (0, 9, 18), (0.0, 0.1, 0.2))
    assert (row.fps, row.notes) == (90.0, ("head",))


@pytest.mark.parametrize("header", [["sub_ID", "fold_name"], ["sub_ID'", "video_number'"]])
def test_4dme(header: list[str], tmp_path: Path):
    """Both headers of the labels; stimulus and self-report stay apart; (k) is a note; numbers stay as they are."""
    columns = [*header, "video emo'", "self-report emo'", "Onset", "Apex", "Offset", "AUs", "Emotion", "Length"]
    path = excel(
        tmp_path / "4DME_Labelling_Micro_release v1.xlsx",
        [columns, ["S13", "001_01", "fear", "disgust", 60, 66, 72, "AU4+AU12(k)", "Negative", 13]],
    )
    table = read(path, "4dme")
    (row,) = table.rows
    assert (row.subject, row.clip, row.target, row.self_report, row.emotion) == (
        "S13",
        "001_01",
        "fear",
        "disgust",
        "Negative",
    )
    assert (frames(row), times(row), aus(row), row.notes) == (
        (60, 66, 72),
        (1.0, 1.1, 1.2),
        "AU4+AU12",
        ("AU12(k): marked (k)",),
    )
    assert table.findings == ()


def test_dfme(tmp_path: Path):
    """Each row has its own rate; frames count from 0, so 0 is a frame."""
    header = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Emotion", "EmotionId", "Fps", "AU"]
    lines: Lines = [
        header,
        ["sub0008", "sub0008_01", 0, 95, 195, "happiness", 4, 500, 12],
        ["sub0009", "sub0009_02", 20, 50, 80, "fear", 3, 200, "AD38+L12"],
    ]
    one, two = read(excel(tmp_path / "training_full_with_AU.xlsx", lines), "dfme").rows
    assert (frames(one), times(one), one.fps) == ((0, 95, 195), (0.0, 0.19, 0.39), 500.0)
    assert (times(two), two.fps, aus(two)) == ((0.1, 0.25, 0.4), 200.0, "AU38+AU12L")


def test_bids_events(tmp_path: Path):
    """Seconds and durations; participant and session from the file's name; other trial types are counted."""
    header = ["onset", "duration", "trial_type", "emotion", "aus", "response_time", "pupil"]
    lines: Lines = [
        header,
        ["1.2", "0.36", "micro-expression", "disgust", "AU4+AU9", "n/a", "3"],
        ["4.0", "n/a", "macro", "n/a", "n/a", "n/a", "3"],
        ["9", "60", "stimulus", "n/a", "n/a", "n/a", "3"],
    ]
    table = read(text(tmp_path / "sub-01_ses-02_task-watch_events.tsv", lines, "\t"), "bids")
    one, two = table.rows
    assert (one.subject, one.session, one.kind, times(one), aus(one)) == ("01", "02", "micro", (1.2, None, 1.56), "AU4+AU9")
    assert (times(two), two.emotion, two.kind) == ((4.0, None, None), "", "macro")
    assert coded(table.findings, "D018") == [
        "1 rows are of another kind than micro or macro and were left out: 4",
        "columns not read: pupil",
    ]


@pytest.mark.parametrize(
    "header",
    [
        ["SUBJECT", "FILENAME", "ONSET FRAME", "APEX_FRAME", "offset-frame", "action_units", "ESTIMATED EMOTION"],
        ["subject ", "file name", "onset", "apex", "offset", "AU", "emotion"],
        ["Subject", "Video", "OnsetF", "ApexF", "OffsetF", "AUs", "Emotion"],
    ],
)
def test_headers_may_vary(header: list[str], tmp_path: Path):
    """The same row whatever the spelling, with the data set named."""
    path = text(tmp_path / "a.csv", [header, ["01", "EP02_01f", 46, 59, 86, "4, 7", "others"]])
    (row,) = read_coding_rows(path, coding_spec_of(dataset_info("casme2"))).rows
    assert (row.subject, row.clip, frames(row), aus(row), row.emotion) == (
        "01",
        "EP02_01f",
        (45, 58, 85),
        "AU4+AU7",
        "others",
    )


def test_two_columns_for_one_role_are_an_error(tmp_path: Path):
    """Onset and OnsetFrame beside each other: which is meant is not guessed."""
    path = text(
        tmp_path / "a.csv", [["Subject", "Filename", "Onset", "OnsetFrame", "Offset"], ["01", "EP02_01f", 46, 46, 86]]
    )
    with pytest.raises(DataError, match="got columns 'Onset' and 'OnsetFrame' would both be onset; rename one"):
        read_coding_rows(path, coding_spec_of(dataset_info("casme2")))


BAD = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion"]


def test_all_faults_are_told_at_once_with_their_cells(tmp_path: Path):
    """Words for frames, halves of frames, dates, unreadable action units, subjects in merged cells."""
    path = excel(
        tmp_path / "a.xlsx",
        [
            BAD,
            ["01", "EP02_01f", "5a", 59.5, 86, "smile", "others"],
            [None, "EP02_02f", 1, 2, 3, 4, "others"],
            ["02", "EP02_03f", 1, 2, True, 4, "others"],
        ],
    )
    spec = coding_spec_of(dataset_info("casme2"))
    with pytest.raises(DataError) as caught:
        read_coding_rows(path, spec)
    assert str(caught.value).splitlines() == [
        "a.xlsx: 5 faults",
        "  - F2: expected action units such as '4+7', 'L12' or 'AU4, AU7', got 'smile'",
        "  - C2: expected onset as a frame number, got '5a'",
        "  - D2: expected apex as a frame number, got 59.5",
        "  - A3: expected a subject, got an empty cell; are cells merged?",
        "  - E4: expected offset as a frame number, got a bool; did a spreadsheet convert it?",
    ]
    plain = text(tmp_path / "a.csv", [BAD, ["01", "EP02_01f", "x1", 5, 6, 4, "others"]])
    with pytest.raises(DataError, match="^a.csv: line 2 OnsetFrame: expected onset as a frame number, got 'x1'$"):
        read_coding_rows(plain, spec)
    (tmp_path / "b.csv").write_text(",".join(BAD) + "\n01,EP02_01f,1,5,6,AU4, AU7,others\n")
    with pytest.raises(DataError, match="line 2: expected 7 cells, got 8; is a text with ',' not in quotes"):
        read_coding_rows(tmp_path / "b.csv", spec)
    header_only = text(tmp_path / "c.csv", [BAD])
    with pytest.raises(DataError, match="^c.csv: expected at least one coded event, got none$"):
        read_coding_rows(header_only, spec)
    with pytest.raises(DataError, match="expected a sheet 'HS', got one without a name"):
        read_coding_rows(plain, spec, sheet="HS")


def test_rows_are_kept_whatever_their_order_and_repetitions_told(tmp_path: Path):
    """Nothing is dropped, sorted or mended."""
    lines = [
        BAD,
        ["01", "EP1_1", 50, 40, 60, 4, "others"],
        ["01", "EP1_2", 5, 6, 7, 4, "fear"],
        ["01", "EP1_2", 5, 6, 7, 4, "fear"],
        BAD,
    ]
    table = read_coding_rows(text(tmp_path / "a.csv", lines), coding_spec_of(dataset_info("casme2")))
    assert [frames(row) for row in table.rows] == [(49, 39, 59), (4, 5, 6), (4, 5, 6)]
    assert [(f.code, f.text) for f in table.findings] == [
        ("D011", "1 rows are text without an event: 5"),
        ("D019", "1 rows repeat an earlier row: 4"),
        ("D001", "1 rows violate onset <= apex <= offset: 2"),
    ]


def test_an_own_layout(tmp_path: Path):
    """A laboratory states its columns, units, merged cells and decimal commas in a file."""
    layout = tmp_path / "own.toml"
    layout.write_text(
        """
name = "Own"
licence = "none"
[coding]
unit = "ms"
fill_down = ["subject"]
required = ["subject", "onset"]
kinds = { short = "micro", long = "macro" }
file_name = ['(?P<coder>[a-z]+)_.*']
[coding.columns]
subject = "Person"
onset = "Beginn (ms)"
offset = ["Ende (ms)"]
kind = "Art"
fps = "Bilder/s"
notes = ["Bemerkung", "Raum"]
"""
    )
    path = tmp_path / "anna_1.csv"
    path.write_text(
        "Person;Beginn (ms);Ende (ms);Art;Bilder/s;Bemerkung;Raum\nP7;1200,5;1560;short;150;hand;2\n;2000;;long;150;;\n"
    )
    table = read_coding_rows(path, coding_spec_of(dataset_info(layout)))
    one, two = table.rows
    assert (one.subject, one.coder, one.kind, times(one), one.fps) == ("P7", "anna", "micro", (1.2005, None, 1.56), 150.0)
    assert one.notes == ("Bemerkung hand", "Raum 2")
    assert (two.subject, two.kind, times(two), two.notes) == ("P7", "macro", (2.0, None, None), ("offset not coded",))


def test_a_table_of_no_known_form_is_not_guessed(tmp_path: Path):
    """No data set is named where names have no known form, or the file is no table."""
    assert recognise_table(text(tmp_path / "a.csv", [BAD, ["01", "clip 1", 1, 2, 3, 4, "fear"]])) is None
    assert recognise_table(text(tmp_path / "b.csv", [["a", "b"], [1, 2]])) is None
    (tmp_path / "c.png").write_bytes(b"x")
    assert recognise_table(tmp_path / "c.png") is None
    (tmp_path / "d.xlsx").write_bytes(b"x")
    assert recognise_table(tmp_path / "d.xlsx") is None


def test_a_kind_that_is_neither_is_a_fault(tmp_path: Path):
    """Where a table says the kind, another word is not read as anything."""
    path = excel(tmp_path / "a.xlsx", [SAMM, [*SAMM_ROW[:7], "Mikro", *SAMM_ROW[8:]]])
    with pytest.raises(DataError, match="^a.xlsx: H2: expected micro or macro, got 'Mikro'$"):
        read_coding_rows(path, coding_spec_of(dataset_info("samm")))


def test_stamps_and_times_beside_each_other(tmp_path: Path):
    """A table may name frames by time of day and give seconds too."""
    spec = CodingSpec(
        columns={"subject": ("S",), "onset": ("OnF",), "offset": ("OffF",), "onset_time": ("OnT",)}, unit="stamps"
    )
    path = text(tmp_path / "a.csv", [["S", "OnF", "OffF", "OnT"], ["a", "16-45-38-257-410", "16-45-38-500", 1.5]])
    (row,) = read_coding_rows(path, spec).rows
    assert row.onset is not None
    assert row.offset is not None
    assert (row.onset.t_s, row.onset.stamp.code, row.offset.stamp.time_of_day_ms) == (1.5, 410, 60338500)  # type: ignore[union-attr]
    bad = text(tmp_path / "b.csv", [["S", "OnF", "OffF", "OnT"], ["a", "16-45", "", 1.5]])
    with pytest.raises(DataError, match="line 2 OnF: expected a frame hh-mm-ss-mmm-code or hh-mm-ss-mmm, got '16-45'"):
        read_coding_rows(bad, spec)
