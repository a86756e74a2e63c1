"""Tables, WFDB, XDF and BIDS physiology: streams as written, on the clock of the file."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import wfdb

from mmme.errors import ConfigError, DataError
from mmme.io.columns import read_columns
from mmme.io.physio_tsv import read_physio_reading, write_physio
from mmme.io.wfdb_record import read_wfdb
from mmme.io.xdf import read_xdf


def table(tmp_path: Path, text: str, name: str = "a.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_keeps_its_times(tmp_path: Path):
    """Uneven times stay as they are and give no rate; even ones give one; commas may be decimal where semicolons divide."""
    uneven = read_columns(table(tmp_path, "t,hr\n0,61\n0.7,62\n1.9,60\n3.4,61\n"))
    assert (uneven.streams[0].fs, uneven.streams[0].t.tolist()) == (None, [0.0, 0.7, 1.9, 3.4])
    even = read_columns(table(tmp_path, "time_ms;EDA (uS);Trigger\n0;1,5;0\n10;2,5;7\n20;2,5;7\n"))
    assert [(s.name, s.unit, s.fs) for s in even.streams] == [("EDA", "uS", 100.0), ("trigger", "", 100.0)]
    assert even.streams[0].x.tolist() == [1.5, 2.5, 2.5]
    stated = read_columns(table(tmp_path, "ecg\tlight\n1\t5\n2\t5\n", "a.tsv"), fs=250.0, trigger="light")
    assert [(s.name, s.fs, s.t[1]) for s in stated.streams] == [("ecg", 250.0, 0.004), ("trigger", 250.0, 0.004)]


@pytest.mark.parametrize(
    ("text", "options", "error", "message"),
    [
        ("a,b\n1,2\n", {}, ConfigError, "expected a column of times such as time_s or a stated rate, got a, b"),
        ("t,b\n0,1\n1,2\n", {"time": "tme"}, ConfigError, "no column 'tme'; did you mean|no column 'tme' \\(known"),
        ("t,b\n0,1\n1,2\n", {"trigger": "trg"}, ConfigError, "no column 'trg'"),
        ("t,b\n0,1\n1,x\n2,y\n", {}, DataError, "2 faults\n.*line 3: expected a number in b, got 'x'"),
        ("t,b\n0,1\n0,2\n", {}, DataError, "expected increasing times, got 0 s then 0 s in line 3"),
        ("t,b\n0,1\n,2\n", {}, DataError, "expected a time in every row, got none in line 3"),
        ("t,t\n0,1\n", {}, DataError, "expected a header with a different name for each column"),
        ("t\n0\n1\n", {}, DataError, "expected at least one column beside the times, got none"),
    ],
)
def test_a_table_that_cannot_be_read_says_why(text, options, error, message: str, tmp_path: Path):
    """Where, expected, got."""
    with pytest.raises(error, match=message):
        read_columns(table(tmp_path, text), **options)


def test_an_empty_column_is_told(tmp_path: Path):
    """A column without a number is left out with a finding; missing cells are counted."""
    reading = read_columns(table(tmp_path, "t_s,a,b\n0,1,\n1,,\n2,3,\n"))
    assert [s.name for s in reading.streams] == ["a"]
    assert reading.findings == ("a: 1 of 3 samples are empty", "b: expected numbers, got an empty column; left out")


def test_wfdb_signals_keep_their_rates_and_annotations(tmp_path: Path):
    """Two signals of a record come in mV and at the record's rate, annotations at their times."""
    t = np.arange(500) / 250
    x = np.stack([np.sin(7 * t), 5 + np.cos(3 * t)], axis=1)
    wfdb.wrsamp(
        "rec", fs=250, units=["mV", "uS"], sig_name=["MLII", "GSR"], p_signal=x, fmt=["16", "16"], write_dir=str(tmp_path)
    )
    wfdb.wrann("rec", "atr", np.array([125, 250]), symbol=["N", '"'], aux_note=["", "101"], write_dir=str(tmp_path))
    reading = read_wfdb(tmp_path / "rec.hea")
    assert [(s.name, s.unit, s.fs) for s in reading.streams] == [("MLII", "mV", 250.0), ("GSR", "uS", 250.0)]
    np.testing.assert_allclose(reading.streams[0].x, x[:, 0], atol=1e-3)
    assert (reading.text_t_s.tolist(), reading.texts) == ([0.5, 1.0], ("N", "101"))
    (tmp_path / "rec.dat").unlink()
    with pytest.raises(DataError, match="got one that wfdb cannot read .*are its signal files there"):
        read_wfdb(tmp_path / "rec.hea")


def chunk(tag: int, content: bytes) -> bytes:
    body = struct.pack("<H", tag) + content
    return b"\x04" + struct.pack("<I", len(body)) + body


def stream(number: int, name: str, kind: str, rate: float, form: str, t: np.ndarray, values: list, labels=()) -> bytes:
    """Header, one clock offset at each end, samples and footer of one XDF stream."""
    channels = "".join(f"<channel><label>{a}</label><unit>{b}</unit></channel>" for a, b in labels)
    n = len(values[0]) if form != "string" else 1
    header = (
        f"<?xml version='1.0'?><info><name>{name}</name><type>{kind}</type><channel_count>{n}</channel_count>"
        f"<nominal_srate>{rate}</nominal_srate><channel_format>{form}</channel_format><source_id>s{number}</source_id>"
        f"<desc><channels>{channels}</channels></desc></info>"
    )
    which = struct.pack("<I", number)
    samples = which + b"\x04" + struct.pack("<I", len(t))
    for time, value in zip(t, values, strict=True):
        samples += b"\x08" + struct.pack("<d", time)
        if form == "string":
            samples += b"\x04" + struct.pack("<I", len(value)) + value.encode()
        else:
            samples += np.asarray(value, {"float32": "<f4", "int32": "<i4", "double64": "<f8"}[form]).tobytes()
    footer = f"<?xml version='1.0'?><info><sample_count>{len(t)}</sample_count></info>".encode()
    offsets = b"".join(chunk(4, which + struct.pack("<dd", time, 10.0)) for time in (t[0], t[-1]))
    return chunk(2, which + header.encode()) + offsets + chunk(3, samples) + chunk(6, which + footer)


def recording(path: Path, *streams: bytes) -> Path:
    path.write_bytes(b"XDF:" + chunk(1, b"<?xml version='1.0'?><info><version>1.0</version></info>") + b"".join(streams))
    return path


def test_frames_of_an_xdf_keep_their_times_where_some_were_lost(tmp_path: Path):
    """With 3 % of frames lost every frame keeps its time to 0.1 ms; the amplifier's jitter is removed; clocks are joined."""
    rng = np.random.default_rng(0)
    counter = np.flatnonzero(rng.random(900) > 0.03)
    taken = 100 + counter / 150
    t = 100 + np.arange(3000) / 500
    eeg = np.stack([np.sin(t), np.cos(t)], axis=1)
    path = recording(
        tmp_path / "a.xdf",
        stream(
            1, "Face", "VideoFrames", 150, "int32", taken, np.stack([np.arange(len(counter)), counter], axis=1).tolist()
        ),
        stream(
            2,
            "Amp",
            "EEG",
            500,
            "float32",
            t + rng.normal(0, 2e-4, len(t)),
            eeg.tolist(),
            [("Fz", "microvolts"), ("Cz", "uV")],
        ),
        stream(3, "Tasks", "Markers", 0, "string", np.array([101.0, 103.0]), ["101", "100"]),
        stream(4, "Belt", "Resp", 0, "double64", np.array([100.0, 100.3, 101.1]), [[1.0], [2.0], [3.0]], [("RSP", "V")]),
    )
    reading = read_xdf(path)
    streams = {s.name: s for s in reading.streams}
    np.testing.assert_allclose(streams["frames"].t, taken + 10, atol=1e-4)
    np.testing.assert_array_equal(streams["frames"].x[:, 1], counter)
    assert (streams["eeg"].unit, streams["eeg"].channels) == ("V", ("Fz", "Cz"))
    np.testing.assert_allclose(streams["eeg"].t, t + 10, atol=1e-4)
    np.testing.assert_allclose(streams["eeg"].x, eeg * 1e-6, rtol=1e-5, atol=1e-12)
    assert (reading.texts, reading.text_t_s.tolist()) == (("101", "100"), [111.0, 113.0])
    np.testing.assert_allclose(streams["RSP"].t, [110.0, 110.3, 111.1])
    assert streams["RSP"].fs is None
    assert reading.findings == ()


def test_a_recording_that_was_cut_says_so(tmp_path: Path):
    """Without its footer a stream is read and told; a foreign file is refused."""
    whole = recording(
        tmp_path / "a.xdf", stream(1, "Belt", "Resp", 0, "double64", np.array([1.0, 1.3]), [[1.0], [2.0]], [("RSP", "V")])
    )
    content = whole.read_bytes()
    whole.write_bytes(content[: content.rindex(b"\x04", 0, content.rindex(b"<?xml"))])
    assert any("expected a footer, got none; was the recording cut short" in text for text in read_xdf(whole).findings)
    (tmp_path / "b.xdf").write_bytes(b"something else")
    with pytest.raises(DataError, match="got a file that does not begin like one"):
        read_xdf(tmp_path / "b.xdf")


def test_bids_physiology_is_read_as_a_recorder(tmp_path: Path):
    """Columns come under their names, in their units, from their start time."""
    path = tmp_path / "sub-1_task-x_physio.tsv.gz"
    write_physio(path, {"cardiac": np.array([0.5, 0.25, 0.125])}, {"cardiac": "mV"}, fs=50.0, t0_s=-1.0)
    reading = read_physio_reading(path)
    assert [(s.name, s.unit, s.fs, s.t[0]) for s in reading.streams] == [("cardiac", "mV", 50.0, -1.0)]
