"""AcqKnowledge recordings: channels at their own rates, event markers where they were made."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.signal import find_peaks

from mmme.errors import DataError
from mmme.io import acq
from mmme.io.acq import read_acq

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "physio" / "physio-5.0.1-c.acq"


def channel(name: str, stored: object, fs: float, units: str = "mV", factor: float = 1.0, constant: float = 0.0):
    return SimpleNamespace(
        name=name,
        raw_data=np.asarray(stored),
        samples_per_second=fs,
        units=units,
        raw_scale_factor=factor,
        raw_offset=constant,
    )


def marker(sample: int, text: str, style: str = "flag"):
    return SimpleNamespace(sample_index=sample, text=text, type_code=style)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """What bioread would return for a file."""

    def read(channels: list, markers: list = (), rate: float = 1000.0):
        content = SimpleNamespace(
            channels=channels, event_markers=list(markers), samples_per_second=rate, earliest_marker_created_at=None
        )
        monkeypatch.setattr(acq.bioread, "read", lambda _: content)
        (tmp_path / "a.acq").write_bytes(b"-")
        return read_acq(tmp_path / "a.acq")

    return read


@pytest.mark.skipif(not REAL.is_file(), reason="the real AcqKnowledge file is not on this machine")
def test_a_real_compressed_recording_of_four_rates():
    """Rates, units and lengths are those that bioread's own documentation of the file tells; `started` is its first marker."""
    reading = read_acq(REAL)
    assert [(s.name, s.fs, s.unit, len(s)) for s in reading.streams] == [
        ("EDA filtered, differentiated", 2000.0, "microsiemens", 123_787),
        ("EKG - ERS100C", 1000.0, "mV", 61_893),
        ("RESP - RSP100C", 3.90625, "Volts", 241),
        ("EDA - GSR100C", 2000.0, "microsiemens", 123_787),
    ]
    assert reading.started == dt.datetime(2016, 2, 2, 16, 30, 56, 276_000, tzinfo=dt.UTC)
    ekg = reading.streams[1].x
    assert np.ptp(ekg[:]) == pytest.approx(np.ptp(np.asarray(ekg)))
    assert 0.5 < np.ptp(ekg[:]) < 10  # millivolts of a heart


@pytest.mark.skipif(not REAL.is_file(), reason="the real AcqKnowledge file is not on this machine")
def test_real_markers_lie_where_the_breaths_are():
    """The three largest maxima of respiration are the markers 'Deep Breath'; the file counts them from 17.152 s."""
    reading = read_acq(REAL)
    breath = next(s for s in reading.streams if s.name.startswith("RESP"))
    peaks, _ = find_peaks(breath.x[:], height=0.43)
    marked = [t for t, text in zip(reading.text_t_s, reading.texts, strict=True) if text.startswith("Deep Breath")]
    near = [np.abs(breath.t[peaks] - t).min() for t in marked]
    assert len(marked) == 3
    assert max(near) < 0.6
    assert reading.text_t_s[reading.texts.index("Segment 1")] == 0
    assert reading.findings[0].startswith("event markers are counted from 17.1520 s after the first sample")


def test_stored_integers_are_scaled_when_sliced(given):
    """x = factor * stored + constant, and stored integers stay as they are in memory."""
    reading = given([channel("EDA", np.array([0, 100, -100], np.int16), 10.0, "microsiemens", 0.01, 0.5)])
    x = reading.streams[0].x
    np.testing.assert_allclose(x[:], [0.5, 1.5, -0.5])
    np.testing.assert_allclose(x[1:], [1.5, -0.5])
    np.testing.assert_allclose(np.asarray(x, dtype=float), [0.5, 1.5, -0.5])
    assert x[1] == 1.5
    np.testing.assert_allclose(reading.streams[0].t, [0, 0.1, 0.2])


def test_digital_lines_become_one_stream(given):
    """Line k is column k in whatever order the file has them; missing lines are 0 and told."""
    n = 6
    code = np.array([100, 100, 101, 101, 100, 100])
    names = [f"Digital (STP Input {k})" for k in range(8)]
    channels = [channel(names[k], 5.0 * ((code >> k) & 1), 1000.0, "Volts") for k in (3, 0, 1, 2, 7, 6, 5, 4)]
    lines = given(channels).streams[-1]
    assert (lines.name, lines.unit, lines.x.shape, len(lines.x)) == ("lines", "V", (n, 8), n)
    powers = 2 ** np.arange(8)
    assert (lines.x[:] / 5 @ powers).tolist() == code.tolist()
    assert (lines.x[2:4, 0]).tolist() == [5.0, 5.0]
    assert lines.x[2].tolist() == [5, 0, 5, 0, 0, 5, 5, 0]
    assert (np.asarray(lines.x)[:, :2]).tolist() == (lines.x[np.arange(n), :2]).tolist()
    reading = given([channel(f"Digital input {k}", np.full(n, 5.0), 500.0) for k in (0, 2)])
    assert reading.streams[0].x[0].tolist() == [5, 0, 5, 0, 0, 0, 0, 0]
    assert reading.findings == ("digital inputs 1, 3, 4, 5, 6, 7 were not recorded and count as 0",)


def test_markers_of_later_segments_tell_that_time_is_missing(given):
    """Markers come in order of time; a second segment is told; markers before a first segment at 0 are told."""
    x = [channel("ECG", np.zeros(5000), 500.0)]
    reading = given(x, [marker(2000, "S101"), marker(0, "Segment 1", "apnd"), marker(4000, "Segment 2", "apnd")])
    assert reading.texts == ("Segment 1", "S101", "Segment 2")
    np.testing.assert_allclose(reading.text_t_s, [0, 2.0, 4.0])
    assert reading.findings == (
        "recording was stopped and went on at 4.000 s; how long it rested is not in the times of the samples",
    )
    reading = given(x, [marker(-100, "early"), marker(0, "Segment 1", "apnd")])
    assert reading.findings == ("1 event markers lie before the first sample",)


def test_odd_channels_are_told(given):
    """Labels that repeat stay, channels without samples are left out."""
    reading = given(
        [channel("ECG", np.zeros(5), 10.0), channel("ECG", np.ones(5), 10.0), channel("RSP", np.zeros(0), 10.0)]
    )
    assert [s.name for s in reading.streams] == ["ECG", "ECG"]
    assert reading.findings == ("channel 'RSP': expected samples, got none; left out", "label 'ECG' is there 2 times")


def test_what_is_no_recording_is_refused(given, tmp_path: Path):
    """Missing, foreign and empty files, and a digital input that is there twice."""
    with pytest.raises(DataError, match=r"\*.acq: expected an AcqKnowledge recording, got no file"):
        read_acq(tmp_path / "none.acq")
    (tmp_path / "b.acq").write_bytes(b"no recording at all" * 50)
    with pytest.raises(DataError, match=r"got one that bioread cannot read \(\w+\); export it to MATLAB"):
        read_acq(tmp_path / "b.acq")
    with pytest.raises(DataError, match="expected at least one channel with samples, got none"):
        given([])
    with pytest.raises(DataError, match="channel 'Digital input 1': expected digital inputs 0 to 7, each once"):
        given([channel("Digital 1", np.zeros(3), 1.0), channel("Digital input 1", np.zeros(3), 1.0)])
