"""Lab Streaming Layer recordings: one clock, frames at their own times, and what is odd about a file."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import pyxdf

from mmme.errors import DataError
from mmme.io.xdf import read_xdf

FORMATS = {"float32": "<f4", "double64": "<f8", "int32": "<i4", "int16": "<i2"}


def chunk(tag: int, content: bytes) -> bytes:
    """[length][tag][content] of the XDF 1.0 specification, with a length of four bytes."""
    return b"\x04" + struct.pack("<IH", len(content) + 2, tag) + content


class Writer:
    """As much of an XDF writer as the tests need; `t` is the sender's clock, `offset_s` what takes it to the recorder's."""

    def __init__(self, started: str = "2024-03-11T10:00:00+0100") -> None:
        self.parts = [b"XDF:", chunk(1, f"<info><version>1.0</version><datetime>{started}</datetime></info>".encode())]
        self.n = 0

    def add(
        self, name, kind, t, x, *, fs=0.0, fmt="float32", desc="", offset_s=(), footer=True, count=None, every=50
    ) -> Writer:
        self.n += 1
        sid, width = struct.pack("<I", self.n), np.shape(x)[1] if np.ndim(x) == 2 else 1
        head = f"<info><name>{name}</name><type>{kind}</type><channel_count>{width}</channel_count>"
        head += f"<nominal_srate>{fs}</nominal_srate><channel_format>{fmt}</channel_format><desc>{desc}</desc></info>"
        self.parts.append(chunk(2, sid + head.encode()))
        for time, value in offset_s:
            self.parts.append(chunk(4, sid + struct.pack("<dd", time, value)))
        for start in range(0, len(t), every):
            body = b""
            for time, row in zip(t[start : start + every], x[start : start + every], strict=True):
                body += b"\x08" + struct.pack("<d", time)
                if fmt == "string":
                    body += b"".join(b"\x01" + bytes([len(v.encode())]) + v.encode() for v in np.atleast_1d(row).tolist())
                else:
                    body += np.atleast_1d(row).astype(FORMATS[fmt]).tobytes()
            self.parts.append(chunk(3, sid + b"\x04" + struct.pack("<I", len(t[start : start + every])) + body))
        if footer:
            n = len(t) if count is None else count
            self.parts.append(chunk(6, sid + f"<info><sample_count>{n}</sample_count></info>".encode()))
        return self

    def save(self, path: Path) -> Path:
        path.write_bytes(b"".join(self.parts))
        return path


def channels(*rows: tuple[str, str, str]) -> str:
    inner = "".join(f"<channel><label>{a}</label><unit>{b}</unit><type>{c}</type></channel>" for a, b, c in rows)
    return f"<channels>{inner}</channels>"


OFFSET = [(float(s), 100.0 + 20e-6 * s) for s in range(0, 65, 5)]  # sender 100 s behind, drifting by 20 ppm


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory):
    """EEG with jitter, a camera of 150 fps that lost 1 % of its frames, an ECG of another computer, and triggers."""
    rng = np.random.default_rng(0)
    t_eeg = 10 + np.arange(60 * 250) / 250.0
    x = rng.normal(0, 20, (t_eeg.size, 3)).astype(np.float32)
    x[:, 2] = 7
    k = np.flatnonzero(rng.random(60 * 150) >= 0.01)
    t_frames = 10 + k / 150.0
    t_ecg = -90 + np.arange(60 * 100) / 100.0  # sender's clock
    file = Writer()
    labels = channels(("Cz", "microvolts", "EEG"), ("VEO", "microvolts", "EOG"), ("TRIG", "", "stim"))
    jitter = np.maximum.accumulate(t_eeg + rng.exponential(0.002, t_eeg.size))
    file.add("amp", "EEG", jitter, x, fs=250.0, desc=labels, offset_s=[(0.0, 0.0), (70.0, 0.0)])
    numbers = np.stack([np.arange(k.size), k + 17], axis=1)
    file.add("cam", "VideoFrames", t_frames, numbers, fs=150.0, fmt="int32", offset_s=[(0.0, 0.0), (70.0, 0.0)])
    file.add("box", "ECG", t_ecg, np.sin(t_ecg)[:, None], fs=100.0, offset_s=[(t - 100, v) for t, v in OFFSET])
    file.add("say", "Markers", [20.0, 15.0], np.array([["S101"], ["rest"]]), fmt="string", offset_s=[(0.0, 0.0)])
    file.add("num", "Markers", [17.0], np.array([[1234567]]), fmt="int32", offset_s=[(0.0, 0.0)])
    return file.save(tmp_path_factory.mktemp("xdf") / "a.xdf"), t_eeg, t_frames, k, x


def test_frames_keep_their_times_where_frames_were_lost(recording):
    """To 0.1 ms, though 1 % are lost and the rate is said to be 150 Hz; pyxdf's own default is off by frames."""
    path, _, t_frames, k, _ = recording
    frames = next(s for s in read_xdf(path).streams if s.name == "frames")
    assert np.abs(frames.t - t_frames).max() < 1e-4
    assert frames.x[:, 0].tolist() == list(range(k.size))
    assert frames.x[:, 1].tolist() == (k + 17).tolist()
    assert frames.fs is None
    default = next(s for s in pyxdf.load_xdf(path)[0] if s["info"]["type"][0] == "VideoFrames")
    assert np.abs(default["time_stamps"] - t_frames).max() > 0.01


def test_eeg_is_on_a_line_as_pyxdf_draws_it(recording):
    """Jitter of 2 ms is removed to 0.1 ms of the mean delay; µV become V; the trigger channel is no EEG."""
    path, t_eeg, _, _, x = recording
    streams = {s.name: s for s in read_xdf(path).streams}
    eeg = streams["eeg"]
    assert (eeg.channels, eeg.types, eeg.unit) == (("Cz", "VEO"), ("EEG", "EOG"), "V")
    np.testing.assert_allclose(eeg.x, x[:, :2] * 1e-6, rtol=1e-6)
    delay = eeg.t - t_eeg
    assert np.ptp(delay) < 3e-4
    assert eeg.fs == pytest.approx(250, rel=1e-5)
    theirs = next(s for s in pyxdf.load_xdf(path)[0] if s["info"]["type"][0] == "EEG")
    np.testing.assert_allclose(eeg.t, theirs["time_stamps"], atol=1e-7)
    assert set(streams["trigger"].x.tolist()) == {7.0}


def test_clocks_of_other_computers_are_brought_onto_the_recorders(recording):
    """The ECG's sender is 100 s behind and drifts by 20 ppm: its times are right to 0.1 ms."""
    ecg = next(s for s in read_xdf(recording[0]).streams if s.name == "ECG")
    sent = -90 + np.arange(6000) / 100.0
    assert np.abs(ecg.t - (sent + 100 + 20e-6 * (sent + 100))).max() < 1e-4
    assert ecg.fs == pytest.approx(100 / (1 + 20e-6), rel=1e-7)


def test_markers_are_texts_in_order_of_time(recording):
    """Text as it is, whole numbers without decimals; the recorder's own start is told."""
    reading = read_xdf(recording[0])
    assert reading.texts == ("rest", "1234567", "S101")
    np.testing.assert_allclose(reading.text_t_s, [15, 17, 20], atol=1e-4)
    assert reading.started.isoformat() == "2024-03-11T10:00:00+01:00"
    assert reading.findings == ()
    assert {s.device for s in reading.streams} == {"lsl"}


def test_lost_samples_of_a_regular_stream_are_told(tmp_path: Path):
    """After 0.3 s without samples a straight line is off by more than 5 ms; a sender that says it drops keeps its times."""
    t = np.arange(2000) / 100.0
    t[1000:] += 0.3
    path = Writer().add("a", "GSR", t, t[:, None], fs=100.0).save(tmp_path / "a.xdf")
    told = [text for text in read_xdf(path).findings if "straight line" in text]
    assert len(told) == 1
    # least squares over 20 s through a step of 0.3 s: slope 1.5 * 0.3 s / 20 s, so 0.15 s - 0.0225 * 0.5 s beside the step
    assert "lie up to 139 ms off it; samples were lost" in told[0]
    drops = "<synchronization><can_drop_samples>true</can_drop_samples></synchronization>"
    stream = read_xdf(Writer().add("a", "GSR", t, t[:, None], fs=100.0, desc=drops).save(tmp_path / "b.xdf")).streams[0]
    np.testing.assert_allclose(stream.t, t, atol=1e-9)
    assert stream.fs is None


def test_breaks_divide_a_stream(tmp_path: Path):
    """Over a pause of 20 s the line starts anew, so both parts are right; the rate is that of the longer part."""
    t = np.arange(3000) / 100.0
    t[2000:] += 20
    reading = read_xdf(Writer().add("a", "GSR", t, t[:, None], fs=100.0).save(tmp_path / "a.xdf"))
    assert np.abs(reading.streams[0].t - t).max() < 1e-6
    assert reading.streams[0].fs == pytest.approx(100, rel=1e-9)


def test_what_is_odd_is_told(tmp_path: Path):
    """Empty streams, other counts, no footer, no clock offsets, no unit, second cameras, times that step back."""
    file, two = Writer(), np.array([1.0, 2.0])
    file.add("a", "EEG", two, np.ones((2, 2)), offset_s=[(0.0, 0.0)], count=5)
    file.add("b", "GSR", [], np.empty((0, 1)))
    file.add("c", "Accelerometer", two, np.ones((2, 2)), footer=False, offset_s=[(0.0, 0.0)])
    file.add("d", "Video", two, np.array([[3], [4]]), fmt="int32")
    file.add("e", "Video", two, np.array([[3], [4]]), fmt="int32", offset_s=[(0.0, 0.0)])
    file.add("f", "PPG", two[::-1], np.ones((2, 1)), offset_s=[(0.0, 0.0)])
    file.add("g", "PPG", [1.0], np.ones((1, 1)), offset_s=[(0.0, 0.0)])
    file.add("h", "Video", two, np.array([[3.5], [4.0]]), offset_s=[(0.0, 0.0)])
    file.add("i", "Video", two[::-1], np.array([[3.0], [4.0]]), offset_s=[(0.0, 0.0)])
    file.add("j", "Markers", [1.0], np.array([["a", "b"]]), fmt="string", offset_s=[(0.0, 0.0)])
    reading = read_xdf(file.save(tmp_path / "a.xdf"))
    assert [s.name for s in reading.streams] == ["eeg", "Accelerometer 1", "Accelerometer 2", "frames"]
    assert reading.streams[-1].x.tolist() == [[3, 3], [4, 4]]
    assert reading.texts == ("a",)
    assert reading.findings == (
        "stream 1 (EEG): expected 5 samples as its footer says, got 2",
        "stream 1 (EEG): 2 channels without a unit of volts are taken to be in µV",
        "stream 2 (GSR): expected samples, got none",
        "stream 3 (Accelerometer): expected a footer, got none; was the recording cut short?",
        "stream 4 (Video): no clock offsets were recorded; its clock is taken to be that of the recording computer",
        "stream 6 (PPG): 1 times do not increase; left out",
        "stream 7 (PPG): expected more than one sample, got one; left out",
        "stream 8 (Video): expected whole numbers of frames, got others; left out",
        "stream 9 (Video): 1 times of frames do not increase; left out",
        "stream 10 (Markers): 2 channels of markers; the first is read",
        "2 streams of frames; the first is used",
    )


def test_a_recording_cut_short_is_read_as_far_as_it_goes(recording, tmp_path: Path):
    """Whole chunks before the cut are read; the missing footers are told."""
    whole = recording[0].read_bytes()
    (tmp_path / "cut.xdf").write_bytes(whole[:200_000])
    reading = read_xdf(tmp_path / "cut.xdf")
    assert len(reading.streams[0]) > 5000
    assert any("was the recording cut short" in text for text in reading.findings)


def test_packed_recordings_are_read(recording, tmp_path: Path):
    """.xdfz is the same, packed."""
    (tmp_path / "a.xdfz").write_bytes(gzip.compress(recording[0].read_bytes()))
    assert len(read_xdf(tmp_path / "a.xdfz").streams) == 4


def test_what_is_no_recording_is_refused(tmp_path: Path):
    """Missing, foreign, broken and empty recordings have their sentence; no name of a stream is in it."""
    with pytest.raises(DataError, match=r"\*.xdf: expected a recording of Lab Streaming Layer, got no file"):
        read_xdf(tmp_path / "none.xdf")
    (tmp_path / "a.xdf").write_bytes(b"no recording")
    with pytest.raises(DataError, match="got a file that does not begin like one"):
        read_xdf(tmp_path / "a.xdf")
    with pytest.raises(DataError, match="expected streams with samples, got none; did the recorder find the devices"):
        read_xdf(Writer().save(tmp_path / "b.xdf"))
    broken = Writer().add("someone", "EEG", [], np.empty((0, 1)), fmt="int99")
    with pytest.raises(DataError, match=r"got one that pyxdf cannot read \(\w+\)$"):
        read_xdf(broken.save(tmp_path / "c.xdf"))
