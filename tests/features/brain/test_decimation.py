"""Many channels at a lower rate, from memory and from disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import resample_poly

from mmme.features.brain.decimation import decimated_channels


def walk(n: int, channels: int = 5, seed: int = 0) -> np.ndarray:
    """Random walks of some µV that start at an offset of some mV."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, channels)).cumsum(axis=0) + 3000 * rng.normal(size=channels)


@pytest.mark.parametrize("q", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("n", [90, 4097, 20_000])
def test_it_is_resample_poly(q: int, n: int):
    """Any factor and length, ends on the straight line through them: as SciPy in double precision, to 1e-5 of the size."""
    x = walk(n)
    expected = resample_poly(x - x[0].astype(np.float32), 1, q, axis=0, padtype="line").T
    got = decimated_channels(x, q, scale=np.ones(5))

    assert got.shape == expected.shape
    assert got.dtype == np.float32
    assert np.sqrt(np.mean((got - expected) ** 2)) < 3e-6 * expected.std()
    assert np.abs(got - expected).max() < 1e-5 * np.abs(expected).max()


def test_offsets_of_millivolts_cost_nothing():
    """Channels of 10 µV on an offset of 300 mV, far beyond single precision of both: the level is taken out first."""
    x = np.random.default_rng(1).normal(size=(8000, 3)) * 10
    far = x + np.float64(np.float32(3e5))
    got, own = decimated_channels(far, 4, scale=np.ones(3)), decimated_channels(x, 4, scale=np.ones(3))

    ours = got - got.mean(axis=1, keepdims=True) - (own - own.mean(axis=1, keepdims=True))
    assert np.abs(ours).max() < 0.03  # the level is known to 1 part in 2**24 of 300 mV, and is one constant
    assert np.std(ours) < 1e-4


@pytest.mark.parametrize("kind", ["<f4", "<i2", ">f4"])
def test_files_are_read_as_arrays_are(tmp_path: Path, kind: str):
    """A memory map of floats or integers, of either byte order: the same numbers as its copy in memory, in any order."""
    x = walk(9000, 4).astype(kind)
    x.tofile(tmp_path / "x.dat")
    stored = np.memmap(tmp_path / "x.dat", dtype=kind, mode="r", shape=x.shape)
    scale = np.array([1.0, 2.0, 0.5, 1.0])
    expected = decimated_channels(np.asarray(x, dtype=np.float32), 4, scale=scale)

    np.testing.assert_array_equal(decimated_channels(stored, 4, scale=scale), expected)
    np.testing.assert_array_equal(decimated_channels(stored, 4, scale=scale, columns=[3, 1]), expected[[3, 1]])


def test_what_is_not_finite_stays_in_its_channel():
    """NaN in one channel spreads over the reach of the filter there, and nowhere else."""
    x = walk(8000)
    x[4000, 2] = np.nan
    got = decimated_channels(x, 4, scale=np.ones(5))

    assert np.isfinite(np.delete(got, 2, axis=0)).all()
    lost = np.flatnonzero(~np.isfinite(got[2]))
    assert lost.min() >= 1000 - 20
    assert lost.max() <= 1000 + 20


def test_a_factor_of_one_only_takes_the_level():
    """At the wanted rate already."""
    x = walk(1000)
    np.testing.assert_allclose(decimated_channels(x, 1, scale=np.ones(5)), (x - x[0]).T, atol=1e-3)
