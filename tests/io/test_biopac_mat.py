"""BIOPAC exports: signals in stored units, trigger values on digital lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st

from mmme.errors import DataError
from mmme.io.biopac_mat import decode_lines, read_biopac_mat


def lines_of(codes: np.ndarray, high: float = 5.0) -> np.ndarray:
    return np.stack([high * ((codes >> k) & 1) for k in range(8)], axis=1)


def export(path: Path, columns: dict[str, tuple[float, str]] | None = None, n: int = 20, **changes: object) -> Path:
    """An export of constant columns (value, unit by label) and the idle value 100 on the lines."""
    columns = {"ECG, X, RSPEC-R": (2.0, "mV")} if columns is None else columns
    digital = {f"Digital (STP Input {k})": (5.0 * ((100 >> k) & 1), "Volts") for k in range(8)}
    every = {**columns, **digital}
    content = {
        "data": np.tile([value for value, _ in every.values()], (n, 1)).astype(float),
        "labels": np.array(list(every)),
        "units": np.array([unit for _, unit in every.values()]),
        "isi": 1.0,
        "isi_units": "ms",
        "start_sample": 0.0,
    }
    content.update(changes)
    scipy.io.savemat(path, {k: v for k, v in content.items() if v is not None}, appendmat=False)
    return path


def test_the_lines_of_the_release_mean_100():
    """Line k is bit k: 0 0 5 0 0 5 5 0 V in columns 8 to 15 of the released example is 4 + 32 + 64."""
    held = decode_lines(np.tile([0, 0, 5, 0, 0, 5, 5, 0], (50, 1)), 1000.0)
    assert (held.initial, held.first.tolist(), held.codes.tolist(), held.n_unsettled) == (100, [], [], 0)


def test_bits_that_switch_apart_are_one_change():
    """From 100 to 127 by bits that move one and two samples apart: one change, dated from the first movement."""
    codes = np.full(100, 100)
    codes[40:] = 127
    codes[40] = 101
    codes[41] = 103
    held = decode_lines(lines_of(codes), 1000.0)
    assert (held.first.tolist(), held.codes.tolist(), held.n_unsettled) == ([40], [127], 0)


def test_spikes_are_counted_not_taken():
    """A value held for 3 ms is no value; a recording that ends in movement says so; 10 ms hold at 500 Hz suffice."""
    codes = np.full(100, 100)
    codes[30:33] = 255
    codes[98:] = 7
    held = decode_lines(lines_of(codes), 1000.0)
    assert (held.initial, held.codes.tolist(), held.n_unsettled) == (100, [], 2)
    codes = np.repeat([100, 101, 100], [50, 5, 50])
    assert decode_lines(lines_of(codes), 500.0).codes.tolist() == [101, 100]
    assert decode_lines(lines_of(codes), 500.0, settle_s=0.02).codes.tolist() == []


def test_a_line_that_never_changes_is_judged_at_half_of_5_v():
    """Constant lines have no levels of their own; noise on a line does not make levels."""
    rng = np.random.default_rng(0)
    lines = lines_of(np.full(60, 100)) + rng.normal(0, 0.05, (60, 8))
    assert decode_lines(lines, 1000.0).initial == 100
    assert decode_lines(lines_of(np.repeat([100, 101], 30), high=3.3), 1000.0).codes.tolist() == [101]


def test_lines_that_never_rest_are_refused():
    """Without any held value there is nothing to decode."""
    with pytest.raises(DataError, match="digital lines: expected a value held for 5 ms, got none in 20 samples"):
        decode_lines(lines_of(np.arange(20) % 2), 1000.0)


@given(st.lists(st.integers(0, 255), min_size=1, max_size=12), st.integers(0, 2))
def test_any_sequence_of_held_values_comes_back(values: list[int], skew: int):
    """Values held for 20 samples are decoded to their sample, whatever single bits do within two samples."""
    codes = np.repeat(values, 20)
    lines = lines_of(codes)
    lines[:, 3] = np.roll(lines[:, 3], skew)
    lines[:skew, 3] = lines_of(codes)[0, 3]
    held = decode_lines(lines, 1000.0)
    changes = [k for k in range(1, len(values)) if values[k] != values[k - 1]]
    assert [held.initial, *held.codes.tolist()] == [values[0], *(values[k] for k in changes)]
    late = skew if skew else 0
    assert all(0 <= a - 20 * k <= late for a, k in zip(held.first, changes, strict=True))


@pytest.mark.parametrize(
    ("label", "unit", "value", "name", "stored", "expected"),
    [
        ("ECG, X, RSPEC-R", "mV", 2.0, "ecg", "V", 0.002),
        ("PPG, X, PPGED-R", "Volts", 2.0, "ppg", "V", 2.0),
        ("EMG A, X, EMG2-R", "uV", 2.0, "emg", "V", 2e-6),
        ("EMG B, X, EMG2-R", "mV", 2.0, "emg_b", "V", 0.002),
        ("SKT A, X, SKT2-R", "deg F", 212.0, "skt", "°C", 100.0),
        ("SKT A, X, SKT2-R", "Deg F", 32.0, "skt", "°C", 0.0),
        ("SKT B, X, SKT2-R", "deg C", 33.5, "skt_b", "°C", 33.5),
        ("EDA, X, PPGED-R", "microsiemens", 4.0, "eda", "µS", 4.0),
        ("EDA, X, PPGED-R", "µmho", 4.0, "eda", "µS", 4.0),
        ("EDA, X, PPGED-R", "microMho", 4.0, "eda", "µS", 4.0),
    ],
)
def test_units_are_read_from_the_file(label, unit, value, name, stored, expected, tmp_path: Path):
    """Each unit of AcqKnowledge becomes the stored unit: mV to V, °F to °C, µmho to µS."""
    file = read_biopac_mat(export(tmp_path / "a.mat", {label: (value, unit)}))
    assert file.units == {name: stored}
    np.testing.assert_allclose(file.signals[name], expected, atol=1e-12)


def test_time_comes_from_the_sample_interval_and_the_first_sample(tmp_path: Path):
    """A cut recording starts later; columns that the recorder calculated are named, not read."""
    columns = {"ECG, X, RSPEC-R": (1.0, "mV"), "ECG rate (.5 - 35 Hz)": (70.0, "BPM")}
    file = read_biopac_mat(export(tmp_path / "a.mat", columns, isi=0.5, start_sample=1000.0))
    assert (file.fs, file.t0_s, file.n) == (2000.0, 0.5, 20)
    assert file.t[1] == pytest.approx(0.5005)
    assert file.left_out == ("ECG rate (.5 - 35 Hz)",)
    assert decode_lines(file.lines, file.fs).initial == 100


@pytest.mark.parametrize(
    ("columns", "changes", "message"),
    [
        ({"ECG, X, R": (1.0, "deg F")}, {}, "column 1 'ECG, X, R': expected a unit that means V, got 'deg F'"),
        ({"EDA, X, R": (1.0, "foo")}, {}, "column 1 'EDA, X, R': expected a unit that means µS, got 'foo'"),
        ({"ECG, X": (1.0, "mV"), "ECG, Y": (1.0, "mV")}, {}, "column 2 'ECG, Y': expected one ecg column, got a second"),
        ({"Foo": (1.0, "mV")}, {}, "expected signals such as 'ECG, X, RSPEC-R', got Foo, Digital"),
        (None, {"isi": 0.0}, "expected a sample interval above 0 in ms, s, sec, us, µs, got 0.0 ms"),
        (None, {"units": None, "isi": None}, "a.mat: expected an AcqKnowledge export, got one without units, isi"),
        (
            None,
            {"data": np.zeros((20, 3))},
            r"expected one label and one unit per column .* data \(20, 3\), 9 labels, 9 units",
        ),
        (None, {"data": np.full((20, 9), np.nan)}, "expected finite samples, got NaN or infinity in 'ECG, X, RSPEC-R'"),
    ],
)
def test_faulty_exports_are_refused(columns, changes, message: str, tmp_path: Path):
    """Each fault names its column, value and unit."""
    with pytest.raises(DataError, match=message):
        read_biopac_mat(export(tmp_path / "a.mat", columns, **changes))


def test_missing_lines_and_other_files_are_refused(tmp_path: Path):
    """Seven lines are not eight; missing, cut and version 7.3 files have their sentence."""
    data = np.zeros((9, 2))
    labels = np.array(["ECG, X", "Digital (STP Input 3)"])
    export(tmp_path / "a.mat", data=data, labels=labels, units=np.array(["mV", "V"]))
    with pytest.raises(DataError, match=r"expected columns 'Digital \(STP Input 0\)' to 7, got inputs \[3\]"):
        read_biopac_mat(tmp_path / "a.mat")
    with pytest.raises(DataError, match="b.mat: expected a MATLAB file, got no file"):
        read_biopac_mat(tmp_path / "b.mat")
    whole = export(tmp_path / "c.mat").read_bytes()
    (tmp_path / "c.mat").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="c.mat: expected a MATLAB file, got one that cannot be read .*; is it cut short"):
        read_biopac_mat(tmp_path / "c.mat")
    header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    (tmp_path / "d.mat").write_bytes(header + bytes(512))
    with pytest.raises(DataError, match="d.mat: expected a MATLAB file of version 5, got version 7.3; save it again"):
        read_biopac_mat(tmp_path / "d.mat")


def test_lines_that_switch_one_sample_apart_make_no_code_of_their_own_at_a_low_rate():
    """
    At 250 Hz one sample is 4 ms; a value held for one sample only is still the burst, not a code.
    """
    codes = [100] * 20 + [110] + [111] * 20
    lines = np.array([[5.0 * (c >> k & 1) for k in range(8)] for c in codes])

    decoded = decode_lines(lines, 250.0)

    assert decoded.codes.tolist() == [111]
    assert decoded.first.tolist() == [20]
