"""MMME's stamped sheet, ELAN and BORIS become rows; real tables give their published counts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import openpyxl
import pytest

from mmme.config import validated
from mmme.datasets.catalogue import dataset_info, dataset_names
from mmme.datasets.coding.reading import CodingTable, read_coding_rows
from mmme.datasets.coding.recognition import coding_spec_of, recognise_table
from mmme.datasets.coding.spec import CodingSpec
from mmme.errors import ConfigError, DataError
from mmme.types import CodingRow, FrameStamp

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data"
MMME = CodingSpec(reader="mmme", names_are_codes=False)
COLUMNS = (
    "Subject", "Filename", "Marker", "OnsetTime", "ApexTime", "OffsetTime", "OnsetFrame", "ApexFrame", "OffsetFrame",
    "Action Units", "Estimated Emotion", "Macro/Micro", "Date", "dif",
)  # fmt: skip


def times(row: CodingRow) -> tuple[float | None, ...]:
    return tuple(None if m is None or m.t_s is None else round(m.t_s, 4) for m in (row.onset, row.apex, row.offset))


def stamped(name: str = "zhou", marker: int = 101, code: str = "-410", offset_s: float = 1.5) -> list[object]:
    return [
        name, f"sad_1_{marker}_{name}_20230721.avi", marker, 1.0, 1.2, offset_s, f"16-45-38-257{code}", f"16-45-38-457{code}",
        f"16-45-38-757{code}", "AU4, LAU7", "sad", "Micro", "2024年06月30日-14时31分", "never read",
    ]  # fmt: skip


def sheet(path: Path, lines: list[list[object]], columns: tuple[str, ...] = COLUMNS) -> Path:
    book = openpyxl.Workbook()
    page = book.active
    page.append(columns)
    for line in lines:
        page.append([line[COLUMNS.index(name)] for name in COLUMNS if name in columns] if line else [None, ""])
    book.save(path)
    return path


@pytest.mark.parametrize("n_columns", [13, 14])
def test_mmme(n_columns: int, tmp_path: Path):
    """Two coders, stamps with and without code, blank rows; ``dif`` is not looked at."""
    columns = COLUMNS if n_columns == 14 else tuple(name for name in COLUMNS if name != "Macro/Micro")
    lines = [stamped(), stamped("li"), stamped(code="", offset_s=2.5), stamped("li"), [], []]
    path = sheet(tmp_path / "coding_file.xlsx", lines, columns)
    assert recognise_table(path) == "mmme"
    table = read_coding_rows(path, MMME)
    assert [row.coder for row in table.rows] == ["A", "A", "B", "B"]
    one, _, three, _ = table.rows
    assert (one.source, one.subject, one.clip) == ("coding_file.xlsx:2", "zhou", "sad_1_101_zhou_20230721")
    assert (one.kind, one.target, one.emotion, one.session, one.marker) == (
        "micro" if n_columns == 14 else None,
        "sad",
        "sad",
        "20230721",
        101,
    )
    assert [str(unit) for unit in one.aus] == ["AU4", "AU7L"]
    assert one.onset is not None
    assert (one.onset.stamp, one.onset.frame, times(one)) == (FrameStamp(60338257, 410), None, (1.0, 1.2, 1.5))
    assert three.onset is not None
    assert three.onset.stamp == FrameStamp(60338257, None)
    assert [(f.code, f.text, f.rows) for f in table.findings] == [
        ("D011", "2 rows are blank: 6, 7", ("coding_file.xlsx:6", "coding_file.xlsx:7")),
        ("D012", "1 rows name frames without a running code, by time of day alone", ("coding_file.xlsx:4",)),
        ("D012", "1 rows last over 50 ms more or less by their stamps than by their video times", ("coding_file.xlsx:4",)),
    ]
    assert not any("zhou" in f"{f.where} {f.text}" for f in table.findings)


def test_mmme_in_another_spelling_and_as_text(tmp_path: Path):
    """Headers may vary and stand below text; the table may be a CSV; coders' blocks may be stated."""
    header = [name.upper().replace("FRAME", " frame") for name in COLUMNS]
    lines = [header, *(stamped(marker=m) for m in (101, 103, 102, 104))]
    path = tmp_path / "coding.csv"
    path.write_text("Coded in 2024\n" + "\n".join(";".join(str(cell) for cell in line) for line in lines), encoding="utf-8")
    assert recognise_table(path) == "mmme"
    assert [(row.marker, row.coder) for row in read_coding_rows(path, MMME).rows] == [
        (101, "A"),
        (103, "A"),
        (102, "B"),
        (104, "B"),
    ]
    stated = MMME.model_copy(update={"coder_blocks": (3, 4)})
    assert [row.coder for row in read_coding_rows(path, stated).rows] == ["A", "B", "B", "B"]


EAF = """<ANNOTATION_DOCUMENT><HEADER TIME_UNITS="milliseconds"><MEDIA_DESCRIPTOR MEDIA_URL="file:///lab/clip01.mp4"/></HEADER>
<TIME_ORDER>{slots}</TIME_ORDER>{tiers}<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="x"/></ANNOTATION_DOCUMENT>"""


def eaf(path: Path, tiers: dict[str, list[tuple[object, object, str]]], parent: dict[str, str] | None = None) -> Path:
    """Times in ms, or the id of what an annotation refers to; ids are a1, a2, ... in order."""
    slots, texts, n = [], [], 0
    for name, entries in tiers.items():
        inner = ""
        for start, stop, value in entries:
            n += 1
            if isinstance(start, str):
                node = f'<REF_ANNOTATION ANNOTATION_ID="a{n}" ANNOTATION_REF="{start}"><ANNOTATION_VALUE>{value}</ANNOTATION_VALUE></REF_ANNOTATION>'
            else:
                slots += [f'<TIME_SLOT TIME_SLOT_ID="t{n}{k}" TIME_VALUE="{ms}"/>' for k, ms in (("a", start), ("b", stop))]
                node = (
                    f'<ALIGNABLE_ANNOTATION ANNOTATION_ID="a{n}" TIME_SLOT_REF1="t{n}a" TIME_SLOT_REF2="t{n}b">'
                    f"<ANNOTATION_VALUE>{value}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION>"
                )
            inner += f"<ANNOTATION>{node}</ANNOTATION>"
        up = f' PARENT_REF="{parent[name]}"' if parent and name in parent else ""
        texts.append(f'<TIER TIER_ID="{name}" LINGUISTIC_TYPE_REF="x" PARTICIPANT="P1" ANNOTATOR="anna"{up}>{inner}</TIER>')
    path.write_text(EAF.format(slots="".join(slots), tiers="".join(texts)), encoding="utf-8")
    return path


def elan(path: Path, spec: CodingSpec | None = None) -> CodingTable:
    assert recognise_table(path) == "elan"
    return read_coding_rows(path, spec or coding_spec_of(dataset_info("elan")))


def test_elan_with_referring_tiers(tmp_path: Path):
    """Kind by the event's text; action units and emotion refer to it, a remark to its emotion; an apex lies within."""
    tiers: dict[str, list[tuple[object, object, str]]] = {
        "expression@zhou": [(5000, 5900, "macro"), (1200, 1560, "micro")],
        "AU": [("a2", "", "AU4+L7")],
        "emotion": [("a2", "", "disgust")],
        "notes": [("a4", "", "sure")],
        "apex": [(1380, 1381, ""), (9000, 9001, "")],
        "speech": [(0, 10, "hm")],
    }
    table = elan(
        eaf(tmp_path / "zhou.eaf", tiers, {"AU": "expression@zhou", "emotion": "expression@zhou", "notes": "emotion"})
    )
    one, two = table.rows
    assert (one.subject, one.coder, one.clip, one.kind, times(one)) == ("P1", "anna", "clip01", "micro", (1.2, 1.38, 1.56))
    assert ([str(u) for u in one.aus], one.emotion, one.notes) == (["AU4", "AU7L"], "disgust", ("sure",))
    assert (two.kind, times(two), two.aus) == ("macro", (5.0, None, 5.9), ())
    assert [(f.code, f.text) for f in table.findings] == [
        ("D011", "1 annotations belong to no event: a7"),
        ("D018", "tiers not read: speech"),
    ]
    assert not any("zhou" in f"{f.where} {f.text}" for f in table.findings)


def test_elan_with_a_tier_per_kind_and_independent_tiers(tmp_path: Path):
    """Kind by the tier's name, its text the emotion; action units on a tier of their own belong by time."""
    tiers: dict[str, list[tuple[object, object, str]]] = {
        "Micro": [(1000, 1300, "fear")],
        "MaE": [(2000, 3000, "happiness")],
        "AUs": [(1000, 1300, "1"), (1100, 1200, "4"), (2000, 3000, "12")],
    }
    one, two = elan(eaf(tmp_path / "a.eaf", tiers)).rows
    assert (one.kind, one.emotion, [str(u) for u in one.aus]) == ("micro", "fear", ["AU1", "AU4"])
    assert (two.kind, two.emotion, [str(u) for u in two.aus]) == ("macro", "happiness", ["AU12"])


def test_elan_faults(tmp_path: Path):
    """Tiers under other names, and action units that are none."""
    with pytest.raises(
        DataError, match=r"^\*.eaf: expected a tier expression or .*, got Mimik; name the tiers in a layout file$"
    ):
        elan(eaf(tmp_path / "zhou.eaf", {"Mimik@zhou": [(0, 1, "x")]}))
    with pytest.raises(DataError, match=r"^\*.eaf: annotation a1: expected action units such as 'AU4\+AU7', got 'smile'$"):
        elan(eaf(tmp_path / "zhou.eaf", {"event": [(0, 100, "micro")], "AU": [("a1", "", "smile")]}))
    with pytest.raises(DataError, match=r"^\*.eaf: expected at least one coded event, got none$"):
        elan(eaf(tmp_path / "zhou.eaf", {"event": []}))


def test_boris_project(tmp_path: Path):
    """State events with modifiers; a point event marks the apex in one."""
    ethogram = {
        "0": {"type": "State event", "code": "micro", "category": ""},
        "1": {"type": "Point event", "code": "apex", "category": ""},
        "2": {"type": "Point event", "code": "blink", "category": ""},
    }
    events = [
        [1.2, "s1", "micro", "AU4|disgust", ""],
        [1.4, "s1", "apex", "", ""],
        [1.6, "s1", "micro", "AU4|disgust", ""],
        [2, "s1", "blink", "", ""],
        [3, "s1", "micro", "", "late"],
    ]
    observation = {"file": {"1": ["/lab/clip01.mp4"]}, "media_info": {"fps": {"/lab/clip01.mp4": 150}}, "events": events}
    path = tmp_path / "lab.boris"
    path.write_text(json.dumps({"behaviors_conf": ethogram, "observations": {"one": observation}}))
    assert recognise_table(path) == "boris"
    table = read_coding_rows(path, coding_spec_of(dataset_info("boris")))
    one, blink, late = table.rows
    assert (one.subject, one.clip, one.kind, one.fps, times(one)) == ("s1", "clip01", "micro", 150.0, (1.2, 1.4, 1.6))
    assert ([str(u) for u in one.aus], one.notes, one.emotion) == (["AU4"], ("disgust",), "")
    assert (blink.kind, blink.emotion, blink.notes, times(blink)) == (None, "blink", ("point event",), (2.0, None, None))
    assert (late.kind, times(late), late.notes) == ("micro", (3.0, None, None), ("late",))
    assert [f.text for f in table.findings] == [
        "1 state events have no start or no stop: one event 5",
        "1 point events have no duration: one event 4",
    ]


def test_boris_export(tmp_path: Path):
    """A table of starts and stops, where behaviors are action units."""
    lines = [
        "Observation id,FPS,Subject,Behavior,Behavioral category,Behavior type,Time,Media file name,Comment",
        "one,25,s1,AU12,macro,START,1.5,clip01.mp4,",
        "one,25,s1,AU12,macro,STOP,2.5,clip01.mp4,",
    ]
    path = tmp_path / "events.csv"
    path.write_text("\n".join(lines))
    assert recognise_table(path) == "boris"
    (row,) = read_coding_rows(path, coding_spec_of(dataset_info("boris"))).rows
    assert (row.kind, [str(u) for u in row.aus], row.emotion, times(row)) == ("macro", ["AU12"], "", (1.5, None, 2.5))


def test_a_spec_with_faults_tells_all(tmp_path: Path):
    """Unknown keys and roles get the nearest name; patterns must be patterns."""
    with pytest.raises(ConfigError, match="x: unknown key 'rate_h'; did you mean 'rate_hz'"):
        validated(CodingSpec, {"columns": {"subject": "S", "onset": "O"}, "rate_h": 3}, "x")
    with pytest.raises(ConfigError) as caught:
        validated(
            CodingSpec,
            {
                "columns": {"subject": ["S"], "onsett": ["O"]},
                "clip_name": ["("],
                "file_name": ["(?P<person>.)"],
                "rate_hz": 1,
                "rates_hz": {"a": 2},
            },
            "x",
        )
    told = str(caught.value)
    for part in (
        "no column role 'onsett'; did you mean 'onset'?",
        "expected columns for onset, got none",
        "clip_name: expected a regular expression, got '('",
        "file_name: no group 'person'",
        "expected either rate_hz or rates_hz, got both",
    ):
        assert part in told


@pytest.mark.parametrize("key", [k for k in dataset_names() if k != "mmme"])
def test_every_description_is_whole(key: str):
    """Name, source and licence are stated; frame numbering of table and clips agree; class maps cover the same words."""
    info = dataset_info(key)
    spec = coding_spec_of(info)
    assert info.name
    assert info.citation
    assert info.url.startswith("http")
    assert info.licence
    assert spec.files
    if info.clips is not None:
        assert info.clips.first_frame == spec.first_frame
        assert info.clips.rate_hz == spec.rate_hz
    for name in info.classes:
        assert set(info.class_map(name).values()) - {None}


def real(*parts: str) -> Path:
    path = REAL.joinpath(*parts)
    if not path.is_file():
        pytest.skip(f"{parts[-1]} is not here; it is under the licence of its owners")
    return path


def known(path: Path, key: str) -> CodingTable:
    assert recognise_table(path) == key
    return read_coding_rows(path, coding_spec_of(dataset_info(key)))


def test_real_casme_ii():
    """255 videos of 26 participants; 7 emotions as published, classes I to VII as in Davison et al. 2018."""
    table = known(real("coding", "CASME2-coding-20140508.xlsx"), "casme2")
    assert (len(table.rows), len({row.subject for row in table.rows})) == (255, 26)
    emotions = Counter(row.emotion for row in table.rows)
    assert emotions == {
        "others": 99,
        "disgust": 63,
        "happiness": 32,
        "repression": 27,
        "surprise": 25,
        "sadness": 7,
        "fear": 2,
    }
    assert sum(bool(row.aus) for row in table.rows) == 250  # five cells are '?'
    assert Counter(row.objective_class for row in table.rows) == {
        "1": 25,
        "2": 15,
        "3": 99,
        "4": 26,
        "5": 20,
        "6": 1,
        "7": 69,
    }
    assert table.findings == ()


def test_real_samm():
    """159 expressions of 29 participants, 133 of 28 in the three classes of MEGC2019."""
    table = known(real("coding", "SAMM.xlsx"), "samm")
    assert (len(table.rows), len({row.subject for row in table.rows})) == (159, 29)
    three = dataset_info("samm").class_map("emotion3")
    kept = [row for row in table.rows if three[row.emotion.lower()]]
    assert (len(kept), len({row.subject for row in kept})) == (133, 28)
    assert Counter(three[row.emotion.lower()] for row in kept) == {"negative": 92, "positive": 26, "surprise": 15}
    assert [row.objective_class for row in table.rows].count("7") == 84
    assert [note for row in table.rows for note in row.notes if note.startswith("action units:")] == [
        "action units: soft focus"
    ]
    assert table.findings == ()


def test_real_smic():
    """157 long videos of 16 participants (the published 164 count expressions); five third onsets are junk."""
    table = known(real("coding", "SMIC-HS-E_annotation.xlsx"), "smic")
    assert len({row.clip for row in table.rows}) == 157
    assert len({row.subject for row in table.rows}) == 16
    emotions = Counter(row.emotion for row in table.rows)
    assert (emotions["positive"], emotions["surprise"]) == (51, 43)
    left_out = [f for f in table.findings if "is not in its video: left out" in f.text]
    assert [f.rows[0].rsplit(":", 1)[1] for f in left_out] == ["7", "10", "20", "34", "38"]
    assert all(row.fps == 100.0 for row in table.rows)


def test_real_cas_me_2():
    """300 macro- and 57 micro-expressions of 22 participants, in two layouts that agree."""
    lists = known(real("spotting", "casme_squared_mdmd.json"), "casme_squared")
    table = known(real("spotting", "casme_squared_lgsnet_truth.csv"), "casme_squared")
    for each in (lists, table):
        assert Counter(row.kind for row in each.rows) == {"macro": 300, "micro": 57}
        assert len({row.subject for row in each.rows}) == 22
    onsets = [Counter((row.kind, row.onset.frame) for row in each.rows if row.onset) for each in (lists, table)]
    assert onsets[0] == onsets[1]
    (finding,) = lists.findings
    assert (finding.code, len(finding.rows)) == ("D001", 3)
