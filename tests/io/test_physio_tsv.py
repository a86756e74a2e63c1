"""BIDS physiology: samples that are read once, missing ones, and how exact values stay."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmme.errors import DataError
from mmme.io.physio_tsv import open_physio, read_physio, read_physio_reading, write_physio

RESOLUTION = 2**-23  # half a step of 32-bit numbers, and as much for the shortest decimal that means one


class Lazy:
    """Samples that count how often they are asked for."""

    def __init__(self, x: np.ndarray) -> None:
        self._x, self.asked = x, 0

    shape = property(lambda self: self._x.shape)

    def __getitem__(self, index):
        part = self._x[index]
        self.asked += len(part)
        assert len(part) <= 50_000
        return part


def test_lazy_samples_are_read_once_and_in_blocks(tmp_path: Path):
    """90 000 samples are asked for once each; the file is the same as that of the array."""
    x = np.random.default_rng(0).normal(0, 1e-4, 90_000)
    lazy = Lazy(x)
    write_physio(tmp_path / "a_physio.tsv.gz", {"ecg": lazy}, {"ecg": "V"}, fs=1000.0)
    write_physio(tmp_path / "b_physio.tsv.gz", {"ecg": x}, {"ecg": "V"}, fs=1000.0)
    assert lazy.asked == 90_000
    assert (tmp_path / "a_physio.tsv.gz").read_bytes() == (tmp_path / "b_physio.tsv.gz").read_bytes()
    np.testing.assert_allclose(read_physio(tmp_path / "a_physio.tsv.gz").signals["ecg"], x, rtol=RESOLUTION)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1e30, 1e30, allow_subnormal=False), min_size=2, max_size=40))
def test_values_keep_seven_digits_at_any_size(tmp_path_factory: pytest.TempPathFactory, values: list[float]):
    """What is written and parsed back differs by less than 1.2e-7 of itself (or 1e-37)."""
    path = tmp_path_factory.mktemp("physio") / "a_physio.tsv.gz"
    write_physio(path, {"x": np.array(values)}, {"x": "V"}, fs=1.0)
    np.testing.assert_allclose(read_physio(path).signals["x"], values, rtol=RESOLUTION, atol=1e-37)


def test_missing_samples_are_not_available(tmp_path: Path):
    """NaN is written as n/a, as BIDS has it, and comes back as NaN with a finding."""
    path = tmp_path / "a_physio.tsv.gz"
    write_physio(path, {"ecg": np.array([0.5, np.nan, 2.0]), "skt": np.full(3, np.nan)}, {"ecg": "V", "skt": "°C"}, fs=10.0)
    assert gzip.decompress(path.read_bytes()) == b"0.5\tn/a\nn/a\tn/a\n2.0\tn/a\n"
    np.testing.assert_array_equal(read_physio(path).signals["ecg"], [0.5, np.nan, 2.0])
    reading = read_physio_reading(path)
    assert reading.findings == ("ecg: 1 of 3 samples are n/a", "skt: 3 of 3 samples are n/a")
    np.testing.assert_array_equal(open_physio(path, 3).signals["ecg"][1:], [np.nan, 2.0])


def test_values_that_32_bits_do_not_hold_are_refused(tmp_path: Path):
    """Also in a later block and beside NaN; every column at fault is named once, and nothing is left behind."""
    x = np.zeros(50_000)
    x[40_000:] = [np.nan] * 9_999 + [-1e39]
    with pytest.raises(DataError, match=r"2 faults\n  - column b: .* up to 1e38, got inf\n  - column a: .* got 1e\+39"):
        write_physio(tmp_path / "a_physio.tsv.gz", {"a": x, "b": np.full(50_000, np.inf)}, {"a": "V", "b": "V"}, fs=1.0)
    assert list(tmp_path.iterdir()) == []
