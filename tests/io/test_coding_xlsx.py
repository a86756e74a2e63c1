"""The coding sheet: every row or every fault."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from mmme.errors import DataError
from mmme.io.coding_xlsx import COLUMNS, KIND, FrameStamp, frames_spanned, parse_frame_stamp, read_coding_xlsx

COMBINED = (*COLUMNS[:11], KIND, *COLUMNS[11:])


def row(name: str = "zhou", marker: int = 101, **changes: object) -> dict[str, object]:
    return {
        "Subject": name,
        "Filename": f"sad_1_{marker}_{name}_20230721.avi",
        "Marker": marker,
        "OnsetTime": 1.0,
        "ApexTime": 1.2,
        "OffsetTime": 1.5,
        "OnsetFrame": "16-45-38-257-410",
        "ApexFrame": "16-45-38-457-440",
        "OffsetFrame": "16-45-38-757-485",
        "Action Units": "AU4, AU7",
        "Estimated Emotion": "sad",
        KIND: "Micro",
        "Date": "2024年06月30日-14时31分",
        "dif": "never read",
        **changes,
    }


def sheet(path: Path, rows: list[dict[str, object]], header: tuple[str, ...] = COLUMNS, blank: int = 0) -> Path:
    book = openpyxl.Workbook()
    page = book.active
    page.append(header)
    for each in rows:
        page.append([each.get(name) for name in header])
    for _ in range(blank):
        page.append(["", None] + [""] * (len(header) - 2))
    book.save(path)
    return path


def test_both_sheets_are_read_and_blank_rows_at_the_end_allowed(tmp_path: Path):
    """13 columns leave the kind open, 14 say it; ``dif`` is not looked at."""
    (one,) = read_coding_xlsx(sheet(tmp_path / "a.xlsx", [row()], blank=3))
    assert (one.row, one.coder, one.name, one.marker, one.video, one.emotion) == (2, "A", "zhou", 101, 1, "sad")
    assert (one.kind, one.aus, one.estimated, str(one.date)) == (None, ("AU4", "AU7"), "sad", "2023-07-21")
    assert one.onset == FrameStamp(((16 * 60 + 45) * 60 + 38) * 1000 + 257, 410)
    assert one.times_s == (1.0, 1.2, 1.5)
    rows = read_coding_xlsx(sheet(tmp_path / "b.xlsx", [row(), row(**{KIND: "Macro"})], COMBINED, blank=3))
    assert [r.kind for r in rows] == ["micro", "macro"]


def test_apex_may_equal_offset_and_codes_may_be_missing(tmp_path: Path):
    """433 rows of the release have apex equal to offset, 269 have no code."""
    bare = {f"{w}Frame": f"16-45-38-{ms}" for w, ms in (("Onset", 257), ("Apex", 457), ("Offset", 457))}
    (one,) = read_coding_xlsx(sheet(tmp_path / "a.xlsx", [row(**bare, OffsetTime=1.2)]))
    assert one.apex == one.offset
    assert one.onset.code is None


def test_frames_are_counted_over_the_wrap_of_the_code():
    """Examples of the release: codes 980 to 059 are 80 frames, 869 to 034 are 166; without codes nothing is said."""
    frame = parse_frame_stamp
    assert frames_spanned(frame("10-00-00-000-980"), frame("10-00-00-500-059")) == 80
    assert frames_spanned(frame("10-00-00-688-869"), frame("10-00-01-788-034")) == 166
    assert frames_spanned(frame("10-00-00-688-1000"), frame("10-00-01-788-001")) == 2
    assert frames_spanned(frame("10-00-00-688"), frame("10-00-01-788-001")) is None


@pytest.mark.parametrize(
    ("names", "coders"),
    [
        pytest.param("aab", "AAA", id="one-block"),
        pytest.param("aabbaab", "AAAABBB", id="again-from-the-first"),
        pytest.param("abcbc", "AAABB", id="the-second-lacks-the-first"),
        pytest.param("aaa", "AAA", id="one-participant"),
    ],
)
def test_the_second_coder_begins_where_participants_come_up_again(names: str, coders: str, tmp_path: Path):
    """The release appends one coder's sheet to the other's without a column that says so."""
    rows = read_coding_xlsx(sheet(tmp_path / "a.xlsx", [row(name) for name in names]))
    assert "".join(r.coder for r in rows) == coders


def test_with_one_participant_the_second_coder_begins_where_trials_start_again(tmp_path: Path):
    """One participant only: markers go up in each block."""
    rows = read_coding_xlsx(sheet(tmp_path / "a.xlsx", [row(marker=m) for m in (101, 103, 103, 101, 104)]))
    assert "".join(r.coder for r in rows) == "AAABB"


def test_blocks_can_be_stated(tmp_path: Path):
    """Where the rule fails it says so; stated row numbers decide."""
    path = sheet(tmp_path / "a.xlsx", [row(name) for name in "ababa"])
    with pytest.raises(DataError, match="participants coming up again at rows 4, 6; state where blocks begin"):
        read_coding_xlsx(path)
    assert "".join(r.coder for r in read_coding_xlsx(path, blocks=[2, 5])) == "AAABB"
    assert "".join(r.coder for r in read_coding_xlsx(path, blocks=[2, 4, 6])) == "AABBC"
    for wrong in ([3], [2, 9], [2, 5, 5], []):
        with pytest.raises(DataError, match=r"expected blocks as increasing row numbers from 2 to 6, got \["):
            read_coding_xlsx(path, blocks=wrong)


FAULTS = [
    ({"Marker": 102}, "C2: expected the marker of Filename, 101, got 102"),
    ({"Subject": "li"}, "A2: expected the participant of Filename, got another one"),
    ({"Filename": "zhou.avi"}, "B2: expected <emotion>_<video>_<marker>_<name>_<YYYYMMDD>.avi, got another form"),
    ({"Filename": "sad_1_101_zhou_20231321.avi"}, "B2: expected a date at its end, got 20231321"),
    ({"OnsetTime": "x"}, "D2: expected OnsetTime in seconds, got 'x'"),
    ({"OnsetTime": 1.3}, "D2: need onset <= apex <= offset, got 1.3, 1.2, 1.5 s"),
    ({"OnsetFrame": "16-45-38"}, "G2: expected a frame hh-mm-ss-mmm-code or hh-mm-ss-mmm, got '16-45-38'"),
    ({"ApexFrame": "16-61-38-257-410"}, "H2: expected a frame with a time of day, got '16-61-38-257-410'"),
    ({"OffsetFrame": "16-45-38-257-1001"}, "I2: expected a frame with a code 1..1000, got '16-45-38-257-1001'"),
    ({"Action Units": "AU4; AU7"}, "J2: expected action units such as 'AU4, AU7', got 'AU4; AU7'"),
    ({"Action Units": None}, "J2: expected Action Units, got an empty cell"),
    ({"Estimated Emotion": " "}, "K2: expected Estimated Emotion, got an empty cell"),
    ({KIND: "Mikro"}, "L2: expected Macro or Micro, got 'Mikro'"),
    ({KIND: None}, "L2: expected Macro/Micro, got an empty cell"),
]


@pytest.mark.parametrize(("change", "message"), FAULTS, ids=[m.split(":")[0] + str(k) for k, (_, m) in enumerate(FAULTS)])
def test_each_fault_names_its_cell_and_no_participant(change: dict[str, object], message: str, tmp_path: Path):
    """The message is one sentence with the cell, what was expected and what was there."""
    with pytest.raises(DataError) as caught:
        read_coding_xlsx(sheet(tmp_path / "a.xlsx", [row(**change)], COMBINED))
    assert str(caught.value) == f"a.xlsx: {message}"
    assert "zhou" not in str(caught.value)


def test_all_faults_are_told_at_once(tmp_path: Path):
    """A sheet is mended in one go, not fault by fault."""
    rows = [row(**change) for change, _ in FAULTS[:5]]
    with pytest.raises(DataError, match="a.xlsx: 5 faults\n  - C2: .*\n  - A3: .*\n  - B4: .*\n  - B5: .*\n  - D6: "):
        read_coding_xlsx(sheet(tmp_path / "a.xlsx", rows))


def test_other_files_are_refused(tmp_path: Path):
    """Missing, foreign and empty sheets have their sentence."""
    with pytest.raises(DataError, match="a.xlsx: expected a coding sheet, got no file"):
        read_coding_xlsx(tmp_path / "a.xlsx")
    (tmp_path / "a.xlsx").write_text("no sheet", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"a.xlsx: expected an Excel sheet, got one that cannot be read \(BadZipFile\); is it cut short"
    ):
        read_coding_xlsx(tmp_path / "a.xlsx")
    with pytest.raises(DataError, match="expected at least one row, got a header only"):
        read_coding_xlsx(sheet(tmp_path / "b.xlsx", []))
    with pytest.raises(DataError, match="expected the columns Subject, Filename, .*, got Subject, Filename$"):
        read_coding_xlsx(sheet(tmp_path / "c.xlsx", [row()], COLUMNS[:2]))
