"""BrainVision and BIDS physio: round trips, other readers, and what is refused."""

from __future__ import annotations

import gzip
import json
import pickle
from pathlib import Path

import mne
import numpy as np
import pytest

from mmme.errors import DataError
from mmme.io.brainvision import read_brainvision, write_brainvision
from mmme.io.physio_tsv import read_physio, write_physio


@pytest.fixture
def volts() -> np.ndarray:
    """EEG-like samples (300, 3) that 32-bit microvolts hold exactly."""
    uv = np.random.default_rng(0).normal(0, 30, (300, 3)).astype("<f4")
    return uv.astype(np.float64) * 1e-6


def test_brainvision_comes_back_here_and_in_mne(volts: np.ndarray, tmp_path: Path):
    """Samples, names and markers are equal in our reader and in MNE's; blocks may be of any length."""
    blocks = (volts[:7], volts[7:250], volts[250:])
    marks = np.array([0.0, 1.0, 2.5]), np.array([77, 101, 100])
    n = write_brainvision(
        tmp_path / "a.vhdr", blocks, 100.0, ("FP1", "A,B", "EKG"), marker_t_s=marks[0], marker_codes=marks[1]
    )
    assert n == 300
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.eeg", "a.vhdr", "a.vmrk"]
    eeg = read_brainvision(tmp_path / "a.vhdr")
    assert (eeg.fs, eeg.channels, eeg.x.shape, len(eeg.x)) == (100.0, ("FP1", "A,B", "EKG"), (300, 3), 300)
    np.testing.assert_allclose(eeg.x[:], volts, rtol=1e-15)
    np.testing.assert_allclose(np.asarray(eeg.x), volts, rtol=1e-15)
    for index in (5, slice(3, 9, 2), (slice(2, 6), 1), (slice(None), [0, 2]), -1):
        np.testing.assert_allclose(eeg.x[index], volts[index], rtol=1e-15)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(eeg.x))[4], volts[4])
    raw = mne.io.read_raw_brainvision(tmp_path / "a.vhdr", verbose="ERROR")
    np.testing.assert_allclose(raw.get_data().T, volts, rtol=1e-12)
    assert [int(text.rsplit("S", 1)[1]) for text in raw.annotations.description] == [77, 101, 100]
    np.testing.assert_allclose(raw.annotations.onset, marks[0])
    assert raw.info["meas_date"] is None


def test_brainvision_of_16_bit_is_scaled(tmp_path: Path, volts: np.ndarray):
    """Resolution and unit of the header apply per channel."""
    write_brainvision(tmp_path / "a.vhdr", [volts], 100.0, ("a", "b", "c"))
    text = (tmp_path / "a.vhdr").read_text(encoding="utf-8")
    text = (
        text.replace("IEEE_FLOAT_32", "INT_16")
        .replace("Ch1=a,,1,µV", "Ch1=a,,0.1,µV")
        .replace("Ch2=b,,1,µV", "Ch2=b,,1,mV")
    )
    (tmp_path / "a.vhdr").write_text(text, encoding="utf-8")
    np.tile(np.array([10, -2, 3], dtype="<i2"), (4, 1)).tofile(tmp_path / "a.eeg")
    eeg = read_brainvision(tmp_path / "a.vhdr")
    np.testing.assert_allclose(eeg.x[:], np.tile([1e-6, -2e-3, 3e-6], (4, 1)))


def test_brainvision_that_does_not_fit_is_refused_and_leaves_nothing(volts: np.ndarray, tmp_path: Path):
    """Blocks of another width, NaN, nothing at all, and markers outside."""
    path, names = tmp_path / "a.vhdr", ("a", "b", "c")
    with pytest.raises(DataError, match=r"a.vhdr: expected blocks \(m, 2\), got \(300, 3\)"):
        write_brainvision(path, [volts], 100.0, names[:2])
    with pytest.raises(DataError, match="expected finite samples, got NaN or infinity after sample 300"):
        write_brainvision(path, [volts, volts * np.nan], 100.0, names)
    with pytest.raises(DataError, match="expected at least 2 samples, got 0"):
        write_brainvision(path, [], 100.0, names)
    with pytest.raises(DataError, match="marker 101 at 3.000 s cannot be written"):
        write_brainvision(path, [volts], 100.0, names, marker_t_s=np.array([3.0]), marker_codes=np.array([101]))
    assert list(tmp_path.iterdir()) == []


def test_damaged_brainvision_is_refused(volts: np.ndarray, tmp_path: Path):
    """Missing files, other layouts and cut data have their sentence."""
    path = tmp_path / "a.vhdr"
    with pytest.raises(DataError, match="a.vhdr: expected a BrainVision header, got no file"):
        read_brainvision(path)
    write_brainvision(path, [volts], 100.0, ("a", "b", "c"))
    text = path.read_text(encoding="utf-8")
    for old, new, message in (
        ("MULTIPLEXED\nNumber", "VECTORIZED\nNumber", "expected multiplexed binary float32 or int16, got"),
        ("Ch2=b,,1,µV", "Ch2=b,,1,°C", "a.vhdr: channel b: expected a unit of volts, got '°C'"),
        ("Ch3=", "Ch9=", "expected a BrainVision header, got one without 'Ch3'"),
        ("DataFile=a.eeg", "DataFile=b.eeg", "expected its data file b.eeg beside it, got none"),
        ("[Common Infos]", "Common Infos", "expected a BrainVision header, got one without"),
    ):
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(DataError, match=message):
            read_brainvision(path)
    path.write_text(text, encoding="utf-8")
    data = (tmp_path / "a.eeg").read_bytes()
    (tmp_path / "a.eeg").write_bytes(data[:-1])
    with pytest.raises(DataError, match="a.eeg: expected whole samples of 3 channels, got 3599 bytes; cut short"):
        read_brainvision(path)


def physio(path: Path, **changes: object) -> Path:
    rng = np.random.default_rng(1)
    arguments = {
        "signals": {"ecg": rng.normal(0, 1e-3, 5000), "skt": 33 + rng.normal(0, 0.01, 5000)},
        "units": {"ecg": "V", "skt": "°C"},
        "fs": 1000.0,
        "t0_s": -2.5,
        "descriptions": {"ecg": "Electrocardiogram"},
        **changes,
    }
    write_physio(path, **arguments)
    return path


def test_physio_comes_back(tmp_path: Path):
    """Seven significant digits, names, units, rate and start; the sidecar describes every column."""
    path = physio(tmp_path / "a_physio.tsv.gz", more={"Manufacturer": "BIOPAC"})
    rng = np.random.default_rng(1)
    back = read_physio(path)
    np.testing.assert_allclose(back.signals["ecg"], rng.normal(0, 1e-3, 5000), rtol=5.1e-7)
    assert (back.fs, back.t0_s, back.units) == (1000.0, -2.5, {"ecg": "V", "skt": "°C"})
    sidecar = json.loads((tmp_path / "a_physio.json").read_text(encoding="utf-8"))
    assert sidecar["Columns"] == ["ecg", "skt"]
    assert sidecar["ecg"] == {"Description": "Electrocardiogram", "Units": "V"}
    assert sidecar["Manufacturer"] == "BIOPAC"
    assert len(list(tmp_path.iterdir())) == 2


def test_the_gzip_header_tells_neither_name_nor_time(tmp_path: Path):
    """Flags and time are zero, so equal signals give equal bytes under any name."""
    a, b = physio(tmp_path / "a_physio.tsv.gz").read_bytes(), physio(tmp_path / "b_physio.tsv.gz").read_bytes()
    assert a == b
    assert (a[3], a[4:8]) == (0, bytes(4))
    assert gzip.decompress(a).count(b"\n") == 5000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": {"ecg": "V"}}, "column skt: expected a unit, got none"),
        ({"signals": {"ecg": np.array([1.0, np.inf])}}, "column ecg: expected values up to 1e38, got inf"),
        ({"signals": {"ecg": np.zeros(3), "skt": np.zeros(4)}}, r"expected signals of one length, got {'ecg': \(3,\)"),
        ({"signals": {}}, "expected signals of one length, got none"),
    ],
)
def test_physio_that_does_not_fit_is_refused(changes, message: str, tmp_path: Path):
    """Nothing is written for faulty signals."""
    with pytest.raises(DataError, match=message):
        physio(tmp_path / "a_physio.tsv.gz", **changes)
    assert list(tmp_path.iterdir()) == []


def test_damaged_physio_is_refused(tmp_path: Path):
    """Missing and cut files, missing keys and other columns have their sentence."""
    path = tmp_path / "a_physio.tsv.gz"
    with pytest.raises(DataError, match="a_physio.tsv.gz: expected a file, got none"):
        read_physio(path)
    whole = physio(path).read_bytes()
    path.write_bytes(whole[:1000])
    with pytest.raises(DataError, match="expected packed columns of numbers, got .*; was the copy cut short"):
        read_physio(path)
    path.write_bytes(whole)
    sidecar = json.loads((tmp_path / "a_physio.json").read_text(encoding="utf-8"))
    for content, message in (
        ({**sidecar, "Columns": ["ecg"]}, "a_physio.tsv.gz: expected 1 columns as in its sidecar, got 2"),
        ({"Columns": ["ecg"]}, "a_physio.json: 2 faults\n  - expected the key SamplingFrequency, got none"),
    ):
        (tmp_path / "a_physio.json").write_text(json.dumps(content), encoding="utf-8")
        with pytest.raises(DataError, match=message):
            read_physio(path)
    (tmp_path / "a_physio.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="a_physio.json: expected JSON, got"):
        read_physio(path)
    (tmp_path / "a_physio.json").unlink()
    with pytest.raises(DataError, match="a_physio.json: expected a file, got none"):
        read_physio(path)
