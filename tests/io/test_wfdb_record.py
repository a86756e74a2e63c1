"""WFDB records: several rates, segments, gaps, and what a header leaves out."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import wfdb

from mmme.errors import DataError
from mmme.io.wfdb_record import read_wfdb

T = np.arange(500) / 100
X = np.column_stack([np.sin(T), np.cos(T)])
RESOLUTION = 2.0 / 2**15  # 16 bits over -1..1


def write(folder: Path, name: str, x: np.ndarray, names: list[str]) -> None:
    """A record at 100 Hz in mV."""
    n = len(names)
    wfdb.wrsamp(name, fs=100, units=["mV"] * n, sig_name=names, p_signal=x, fmt=["16"] * n, write_dir=str(folder))


def test_each_signal_keeps_its_rate(tmp_path: Path):
    """Four samples of ECG per frame, one of respiration; date and time of day are the start."""
    ecg, rsp = np.sin(np.arange(1000) / 10), np.cos(np.arange(250) / 5)
    wfdb.wrsamp(
        "a", fs=100, units=["mV", "NU"], sig_name=["ECG", "RESP"], e_p_signal=[ecg, rsp], samps_per_frame=[4, 1],
        fmt=["16", "16"], base_date=dt.date(2020, 1, 2), base_time=dt.time(10, 11, 12), write_dir=str(tmp_path),
    )  # fmt: skip
    reading = read_wfdb(tmp_path / "a.hea")
    assert [(s.name, s.unit, s.fs, len(s)) for s in reading.streams] == [
        ("ECG", "mV", 400.0, 1000),
        ("RESP", "NU", 100.0, 250),
    ]
    np.testing.assert_allclose(reading.streams[0].x, ecg, atol=RESOLUTION)
    np.testing.assert_allclose(reading.streams[1].x, rsp, atol=RESOLUTION)
    assert reading.streams[0].t[-1] == pytest.approx(999 / 400)
    assert reading.started == dt.datetime(2020, 1, 2, 10, 11, 12)  # noqa: DTZ001
    assert reading.findings == ()


def test_segments_are_joined_and_gaps_are_undefined(tmp_path: Path):
    """Signal II is not in the first segment; between the segments nothing was recorded for 1 s."""
    write(tmp_path, "v_0001", X[:, :1], ["I"])
    write(tmp_path, "v_0002", X, ["I", "II"])
    layout = "v_layout 2 100 0\n~ 0 200(0)/mV 16 0 0 0 0 I\n~ 0 200(0)/mV 16 0 0 0 0 II\n"
    (tmp_path / "v_layout.hea").write_text(layout, encoding="utf-8")
    (tmp_path / "v.hea").write_text("v/4 2 100 1100\nv_layout 0\nv_0001 500\n~ 100\nv_0002 500\n", encoding="utf-8")
    reading = read_wfdb(tmp_path / "v.hea")
    first, second = (s.x for s in reading.streams)
    np.testing.assert_allclose(first[600:], X[:, 0], atol=RESOLUTION)
    np.testing.assert_allclose(second[600:], X[:, 1], atol=RESOLUTION)
    assert np.isnan(first[500:600]).all()
    assert reading.findings == ("I: 100 of 1100 samples are undefined", "II: 600 of 1100 samples are undefined")


def test_fixed_segments_and_a_time_of_day_without_a_date(tmp_path: Path):
    """Two segments follow each other; without a date there is no start."""
    write(tmp_path, "s_0001", X, ["I", "II"])
    write(tmp_path, "s_0002", 2 * X, ["I", "II"])
    (tmp_path / "s.hea").write_text("s/2 2 100 1000 10:00:00\ns_0001 500\ns_0002 500\n", encoding="utf-8")
    reading = read_wfdb(tmp_path / "s.hea")
    np.testing.assert_allclose(reading.streams[1].x, np.concatenate([X[:, 1], 2 * X[:, 1]]), atol=2 * RESOLUTION)
    assert reading.started is None


def test_what_is_odd_is_told(tmp_path: Path):
    """Names that repeat or are not there, signals that are undefined throughout, a time of day alone."""
    stored = np.column_stack([np.arange(500), np.arange(500), np.full(500, -32768)])  # -32768 is undefined in 16 bits
    wfdb.wrsamp(
        "a", fs=100, units=["mV"] * 3, sig_name=["ECG", "ECX", "gone"], d_signal=stored, fmt=["16"] * 3,
        adc_gain=[200.0] * 3, baseline=[0] * 3, write_dir=str(tmp_path),
    )  # fmt: skip
    head = tmp_path / "a.hea"
    head.write_text(head.read_text().replace("ECX", "ECG").replace("a 3 100 500", "a 3 100 500 09:30:00"), encoding="utf-8")
    reading = read_wfdb(head)
    assert [s.name for s in reading.streams] == ["ECG", "ECG"]
    assert reading.findings == (
        "gone: expected samples, got none that is defined; left out",
        "label 'ECG' is there 2 times",
        "the header tells a time of day without a date; it is not used",
    )
    head.write_text(head.read_text().replace(" ECG", "").replace(" gone", ""), encoding="utf-8")
    assert [s.name for s in read_wfdb(head).streams] == ["signal 1", "signal 2"]


def test_what_cannot_be_read_is_refused(tmp_path: Path):
    """Missing records, broken annotations, headers without signals."""
    with pytest.raises(DataError, match=r"\*.hea: expected a WFDB header, got no file"):
        read_wfdb(tmp_path / "none.hea")
    write(tmp_path, "a", X, ["I", "II"])
    (tmp_path / "a.atr").write_bytes(b"\x01")
    with pytest.raises(DataError, match=r"\*.atr: expected WFDB annotations, got some that wfdb cannot read"):
        read_wfdb(tmp_path / "a.hea")
    (tmp_path / "b.hea").write_text("b 0 100 0\n", encoding="utf-8")
    with pytest.raises(DataError, match="got one that wfdb cannot read|expected a record with signals, got one without"):
        read_wfdb(tmp_path / "b.hea")
