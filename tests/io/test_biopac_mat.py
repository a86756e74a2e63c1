"""BIOPAC exports to MATLAB: columns as written, digital lines apart, versions 5 and 7.3."""

from __future__ import annotations

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from mmme.datasets.signals import recognise
from mmme.errors import DataError
from mmme.io.biopac_mat import read_biopac_mat
from mmme.io.triggers import from_lines


def export(path: Path, columns: dict[str, tuple[float, str]] | None = None, n: int = 20, **changes: object) -> Path:
    """An export of constant columns (value, unit by label) and the idle value 100 on the lines."""
    content = content_of(columns, n) | changes
    scipy.io.savemat(path, {k: v for k, v in content.items() if v is not None}, appendmat=False)
    return path


def content_of(columns: dict[str, tuple[float, str]] | None, n: int) -> dict[str, object]:
    columns = {"ECG, X, RSPEC-R": (2.0, "mV")} if columns is None else columns
    digital = {f"Digital (STP Input {k})": (5.0 * ((100 >> k) & 1), "Volts") for k in range(8)}
    every = {**columns, **digital}
    return {
        "data": np.tile([value for value, _ in every.values()], (n, 1)).astype(float),
        "labels": np.array(list(every)),
        "units": np.array([unit for _, unit in every.values()]),
        "isi": 1.0,
        "isi_units": "ms",
        "start_sample": 0.0,
    }


def export_73(path: Path, columns: dict[str, tuple[float, str]], n: int = 20) -> Path:
    """The same in the form of MATLAB 7.3: transposed arrays, character matrices as 16-bit codes."""
    content = content_of(columns, n)
    with h5py.File(path, "w", userblock_size=512) as file:
        file["data"] = np.asarray(content["data"]).T + np.arange(n)[None, :]
        for name in ("labels", "units"):
            texts = [str(text) for text in content[name]]
            width = max(map(len, texts))
            codes = np.array([[ord(c) for c in text.ljust(width)] for text in texts], dtype=np.uint16).T
            file[name] = codes
            file[name].attrs["MATLAB_class"] = np.bytes_("char")
        file["isi"] = np.array([[1.0]])
        file["isi_units"] = np.array([[ord("m")], [ord("s")]], dtype=np.uint16)
        file["isi_units"].attrs["MATLAB_class"] = np.bytes_("char")
        file["start_sample"] = np.array([[1000.0]])
    return path


def test_every_column_comes_under_its_label_and_unit(tmp_path: Path):
    """Signals and calculated columns are streams as written; the digital lines are one stream that means 100."""
    columns = {"ECG, X, RSPEC-R": (2.0, "mV"), "ECG rate (.5 - 35 Hz)": (70.0, "BPM")}
    reading = read_biopac_mat(export(tmp_path / "a.mat", columns))
    assert [(s.name, s.unit, s.fs) for s in reading.streams] == [
        ("ECG, X, RSPEC-R", "mV", 1000.0),
        ("ECG rate (.5 - 35 Hz)", "BPM", 1000.0),
        ("lines", "V", 1000.0),
    ]
    assert reading.streams[0].x[3] == 2.0
    assert from_lines(reading.streams[-1]).initial == 100


def test_plain_files_stay_on_disk_and_packed_ones_are_there_once(tmp_path: Path):
    """Columns of a plain file are read in pieces, from any process; those of a packed one are views; both hold the same."""
    rng = np.random.default_rng(0)
    content = content_of(None, 500) | {"data": np.asfortranarray(rng.normal(size=(500, 9)))}
    for name, packed in (("plain", False), ("packed", True)):
        scipy.io.savemat(tmp_path / f"{name}.mat", content, do_compression=packed)
    plain, packed = (read_biopac_mat(tmp_path / f"{name}.mat") for name in ("plain", "packed"))
    for a, b in zip(plain.streams, packed.streams, strict=True):
        assert (a.name, a.unit, a.x.shape) == (b.name, b.unit, b.x.shape)
        x = pickle.loads(pickle.dumps(a.x))
        for rows in (slice(None), slice(3, 400, 7), slice(400, 3, -7), slice(9, 9), 17, -1, np.array([4, 2, 4])):
            np.testing.assert_array_equal(x[rows], b.x[rows])
    whole = [s.x.base if s.x.base is not None else s.x for s in packed.streams]
    assert all(np.shares_memory(whole[0], x) for x in whole)
    assert not any(isinstance(s.x, np.ndarray) for s in plain.streams)


def test_time_comes_from_the_sample_interval_and_the_first_sample(tmp_path: Path):
    """A cut recording starts later on its own clock."""
    reading = read_biopac_mat(export(tmp_path / "a.mat", isi=0.5, start_sample=1000.0))
    stream = reading.streams[0]
    assert (stream.fs, stream.t[0], len(stream)) == (2000.0, 0.5, 20)
    assert stream.t[1] == pytest.approx(0.5005)


def test_version_73_is_read_from_disk_when_asked_for(tmp_path: Path):
    """The same columns and lines as in version 5; samples stay in the file and travel to other processes."""
    path = export_73(tmp_path / "a.mat", {"ECG, X, RSPEC-R": (2.0, "mV"), "SKT A, X": (90.0, "deg F")})
    reading = read_biopac_mat(path)
    assert [(s.name, s.unit) for s in reading.streams] == [("ECG, X, RSPEC-R", "mV"), ("SKT A, X", "deg F"), ("lines", "V")]
    assert reading.streams[0].t[0] == 1.0
    again = pickle.loads(pickle.dumps(reading.streams[0].x))
    np.testing.assert_array_equal(again[5:8], [7.0, 8.0, 9.0])
    assert reading.streams[-1].x[0:1].tolist() == [[0.0, 0.0, 5.0, 0.0, 0.0, 5.0, 5.0, 0.0]]
    streams, _ = recognise(reading, device="biopac")
    assert {s.name: s.unit for s in streams} == {"ecg": "V", "skt": "°C", "lines": "V"}


@pytest.mark.parametrize(
    ("columns", "changes", "message"),
    [
        ({"ECG, X": (1.0, "mV"), "Digital input 3": (1.0, "V")}, {}, "digital line 3: expected 0 to 7, each once"),
        ({"ECG, X": (1.0, "mV"), "Digital 9": (1.0, "V")}, {}, "digital line 9: expected 0 to 7, each once"),
        (None, {"isi": 0.0}, "expected a sample interval above 0 in ms, s, sec, us, µs, got 0.0 ms"),
        (None, {"units": None, "isi": None}, r"\*.mat: expected an AcqKnowledge export, got one without units, isi"),
        (
            None,
            {"data": np.zeros((20, 3))},
            r"expected one label and one unit per column .* data \(20, 3\), 9 labels, 9 units",
        ),
    ],
)
def test_faulty_exports_are_refused(columns, changes, message: str, tmp_path: Path):
    """Each fault names its column, value and unit."""
    with pytest.raises(DataError, match=message):
        read_biopac_mat(export(tmp_path / "a.mat", columns, **changes))


def test_what_is_odd_is_told(tmp_path: Path):
    """Lines that were not exported are 0; labels may repeat; values that are not finite are counted."""
    data = np.array([[1.0, 5.0, 2.0], [np.nan, 0.0, 3.0], [np.inf, 0.0, 4.0]])
    labels = np.array(["ECG, X", "Digital (STP Input 3)", "ECG, X"])
    reading = read_biopac_mat(export(tmp_path / "a.mat", data=data, labels=labels, units=np.array(["mV", "V", "mV"])))
    assert [s.name for s in reading.streams] == ["ECG, X", "ECG, X", "lines"]
    assert reading.streams[-1].x[:].tolist() == [[0, 0, 0, 5, 0, 0, 0, 0], [0] * 8, [0] * 8]
    assert reading.findings == (
        "digital lines 0, 1, 2, 4, 5, 6, 7 were not exported and count as 0",
        "label 'ECG, X' is there 2 times",
        "ECG, X: 2 of 3 samples are not finite",
    )
    streams, _ = recognise(reading, device="biopac")
    assert [s.name for s in streams] == ["ecg", "ecg_b", "lines"]


def test_lines_of_version_73_may_be_few_and_in_any_order(tmp_path: Path):
    """Rows, columns and both can be asked for; lines that were not exported are 0."""
    path = export_73(tmp_path / "a.mat", {"ECG": (1.0, "mV")}, n=4)
    with h5py.File(path, "r+") as file:
        texts = ["ECG", *(f"Digital input {k}" for k in (6, 5, 4)), *(f"other {k}" for k in range(5))]
        codes = np.array([[ord(c) for c in text.ljust(24)] for text in texts], dtype=np.uint16).T
        del file["labels"]
        file["labels"] = codes
        file["data"][1:4] = [[5, 5, 0, 0], [0, 5, 5, 0], [0, 0, 5, 5]]
    lines = read_biopac_mat(path).streams[-1].x
    assert (lines.shape, len(lines)) == ((4, 8), 4)
    whole = [[0, 0, 0, 0, 0, 0, 5, 0], [0, 0, 0, 0, 0, 5, 5, 0], [0, 0, 0, 0, 5, 5, 0, 0], [0, 0, 0, 0, 5, 0, 0, 0]]
    assert lines[:].tolist() == whole
    assert lines[1:3, 5].tolist() == [5, 5]
    assert lines[2].tolist() == whole[2]
    assert lines[:, 4:6].tolist() == [row[4:6] for row in whole]


def test_other_files_are_refused(tmp_path: Path):
    """Missing, cut and foreign files have their sentence."""
    with pytest.raises(DataError, match=".mat: expected a MATLAB file, got no file"):
        read_biopac_mat(tmp_path / "b.mat")
    whole = export(tmp_path / "c.mat").read_bytes()
    (tmp_path / "c.mat").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="expected a MATLAB file, got one that cannot be read .*; cut short"):
        read_biopac_mat(tmp_path / "c.mat")
    with h5py.File(tmp_path / "d.mat", "w") as file:
        file["data"] = np.zeros((2, 5))
    with pytest.raises(DataError, match="got one without labels, units, isi, isi_units"):
        read_biopac_mat(tmp_path / "d.mat")
