"""Tables of samples: how they are written, what their times are, and what is in their cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmme.errors import ConfigError, DataError
from mmme.io.columns import read_columns

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "physio" / "bio_eventrelated_100hz.csv"


def table(tmp_path: Path, text: str, encoding: str = "utf-8", name: str = "a.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.skipif(not REAL.is_file(), reason="the real table is not on this machine")
def test_a_real_table_without_times():
    """Four signals of 150 s at 100 Hz; the stated rate is their clock."""
    reading = read_columns(REAL, fs=100.0)
    assert [s.name for s in reading.streams] == ["ECG", "EDA", "Photosensor", "RSP"]
    assert {(len(s), s.fs, s.t[-1]) for s in reading.streams} == {(15_000, 100.0, 149.99)}
    assert reading.findings == ()


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("time_s,EDA [µS]\n0,1.5\n0.1,2.5\n", "utf-8"),
        ("time_s;EDA [µS]\r\n0;1.5\r\n0.1;2.5\r\n", "utf-8-sig"),
        ("time_s\tEDA [µS]\n0\t1.5\n0.1\t2.5", "utf-16"),
        ("time_s;EDA [µS]\n0;1,5\n0,1;2,5\n\n\n", "latin-1"),
        ("# made by a recorder\n% of 2024\ntime_s, EDA [µS]\n0, 1.5\n0.1, 2.5\n", "utf-8"),
        ("time_s,EDA [µS],\n0,1.5,\n0.1,2.5,\n", "utf-8"),
        ("time_s,EDA\ns,µS\n0,1.5\n0.1,2.5\n", "utf-8"),
        ('"time_s","EDA (µS)"\n"0","1.5"\n"0.1","2.5"\n', "utf-8"),
    ],
    ids=[
        "comma",
        "semicolon-mark",
        "utf16-tab",
        "decimal-comma-latin1",
        "comments",
        "delimiter-at-end",
        "unit-line",
        "quoted",
    ],
)
def test_any_way_of_writing_gives_the_same(text: str, encoding: str, tmp_path: Path):
    """Encodings, delimiters, decimal commas, comments, units in the header or below it."""
    reading = read_columns(table(tmp_path, text, encoding))
    assert [(s.name, s.unit, s.fs, s.t.tolist(), s.x.tolist()) for s in reading.streams] == [
        ("EDA", "µS", 10.0, [0.0, 0.1], [1.5, 2.5])
    ]


@pytest.mark.parametrize(
    ("name", "step_s"),
    [
        ("time_s", 2.0), ("Time (ms)", 2e-3), ("timestamp_ms", 2e-3), ("Time Stamp [us]", 2e-6), ("ms", 2e-3),
        ("seconds", 2.0), ("Elapsed Time (s)", 2.0), ("t", 2.0), ("timestamp (ns)", 2e-9), ("time_sec", 2.0),
    ],
)  # fmt: skip
def test_the_name_of_a_column_of_times_tells_its_unit(name: str, step_s: float, tmp_path: Path):
    """Rows 2 units apart; `t` alone is in seconds, which is told."""
    reading = read_columns(table(tmp_path, f"a,{name}\n5,4\n6,6\n7,8\n"))
    assert [s.name for s in reading.streams] == ["a"]
    np.testing.assert_allclose(np.diff(reading.streams[0].t), step_s)
    told = ("nothing tells the unit of 't'; it is taken to be in s, one row every 2 s",) if name == "t" else ()
    assert reading.findings == told


def test_a_unit_that_nothing_tells_is_stated_or_follows_from_the_rate(tmp_path: Path):
    """`timestamp` alone is refused with the way to state it; both ways of stating it work."""
    path = table(tmp_path, "Timestamp,a\n1700000000000,5\n1700000000004,6\n1700000000008,7\n")
    sentence = (
        r"\*.csv: expected the unit of the times in 'Timestamp', got none \(its name does not tell\); state it like time"
    )
    with pytest.raises(ConfigError, match=sentence + r' = "Timestamp \[ms\]"'):
        read_columns(path)
    with pytest.raises(ConfigError, match="the stated rate fits none"):
        read_columns(path, fs=60.0)
    for options in ({"time": "Timestamp [ms]"}, {"units": {"Timestamp": "ms"}}, {"fs": 250.0}):
        stream = read_columns(path, **options).streams[0]
        np.testing.assert_allclose(stream.t - stream.t[0], [0, 0.004, 0.008], atol=1e-6)
    assert read_columns(path, fs=250.0).findings == ("nothing tells the unit of 'Timestamp'; in ms it has the stated rate",)


def test_dates_and_times_of_day_are_times(tmp_path: Path):
    """Times count from the first row; a date says when that was."""
    reading = read_columns(table(tmp_path, "Timestamp,a\n2024/03/11 10:00:00.100,5\n2024/03/11 10:00:00.350,6\n"))
    np.testing.assert_allclose(reading.streams[0].t, [0, 0.25])
    assert reading.started.isoformat() == "2024-03-11T10:00:00.100000"
    reading = read_columns(table(tmp_path, "time,a\n10:00:00.100,5\n10:00:01.350,6\n"))
    np.testing.assert_allclose(reading.streams[0].t, [0, 1.25])
    assert reading.started is None
    with pytest.raises(DataError, match="expected numbers, dates .* or times of day in time, got 'early'"):
        read_columns(table(tmp_path, "time,a\nearly,5\nlate,6\n"))


def test_a_trigger_column_of_text_becomes_annotations(tmp_path: Path):
    """One annotation wherever the text changes to another; other columns of text are left out and told."""
    rows = ["0,1,,x", "1,2,S101,x", "2,3,S101,x", "3,4,,y", "4,5,S101,x"]
    reading = read_columns(table(tmp_path, "\n".join(["time_s,ecg,Marker,note", *rows])))
    assert (reading.text_t_s.tolist(), reading.texts) == ([1.0, 4.0], ("S101", "S101"))
    assert [s.name for s in reading.streams] == ["ecg"]
    assert reading.findings == ("note: expected numbers, got text; left out",)


def test_stated_units_win(tmp_path: Path):
    """What the caller knows is taken in place of what the file says."""
    path = table(tmp_path, "time_s,ecg (V),b\n0,1,2\n1,2,3\n")
    assert [s.unit for s in read_columns(path, units={"ecg (V)": "mV"}).streams] == ["mV", ""]
    with pytest.raises(ConfigError, match="no column 'ecg'; did you mean|no column 'ecg' "):
        read_columns(path, units={"ecg": "mV"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"\*.csv: expected a table with a header and rows below it, got nothing"),
        ("time_s,a\n", "rows below it, got a header"),
        ("0,1\n1,2\n", "expected a header with names of columns, got numbers: 0, 1"),
        ("time_s,a\n0,1\n1,2,3\n", "expected a table of 2 columns as in its header, got"),
        ("time_s,a\n0,1\n", "expected at least 2 rows, got 1"),
        ("# a\ntime_s,a\n0,1\n1,2\n3,\n2,5\n", "expected increasing times, got 3 s then 2 s in line 6"),
        ("time_s,a\n0,1\n\n2,5\n", "expected a time in every row, got none in line 3"),
        (
            "time_s,a,b\ns,V,V\n0,1,bad\n1,worse,2\n",
            "2 faults\n  - line 4: .* in a, got 'worse'\n  - line 3: .* in b, got 'bad'",
        ),
        ("time_s,a\n0,1\nx,2\n", "line 3: expected a time in time_s, got 'x'"),
    ],
)
def test_lines_are_counted_as_an_editor_does(text: str, message: str, tmp_path: Path):
    """Faults name the line of the file, header, units, comments and blank lines counted."""
    with pytest.raises(DataError, match=message):
        read_columns(table(tmp_path, text))
    with pytest.raises(DataError, match="expected a table of samples, got no file"):
        read_columns(tmp_path / "none.csv")
