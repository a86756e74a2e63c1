"""Which channels are bad, by planted faults."""

from __future__ import annotations

import numpy as np

from mmme.features.brain.bad_channels import bad_channels, highest_correlation

FS = 250.0


def scalp(n_channels: int = 20, seconds: float = 60.0, seed: int = 0) -> np.ndarray:
    """A few common sources, mixed differently, and noise of each channel; about 15 µV."""
    rng = np.random.default_rng(seed)
    n = round(seconds * FS)
    mixing = rng.normal(size=(n_channels, 4))
    return (mixing @ (6 * rng.normal(size=(4, n))) + 4 * rng.normal(size=(n_channels, n))).astype(np.float32)


def test_a_fine_recording_has_none():
    """No false alarm in any of 20 recordings."""
    assert [bad_channels(scalp(seed=s, seconds=20.0), FS) for s in range(20)] == [{}] * 20


def test_each_fault_has_its_reason():
    """Dead, far too large, alone, full of fast activity: each found, nothing else."""
    x = scalp()
    rng = np.random.default_rng(9)
    x[2] = 0.1 * rng.normal(size=x.shape[1])
    x[5] *= 20
    x[11] = 15 * rng.normal(size=x.shape[1])
    fast = np.full(20, 0.5)
    fast[17] = 10.0

    spread = x.std(axis=1)
    assert bad_channels(x, FS, fast_uv=fast) == {
        2: "below 0.5 µV",
        5: f"varies {spread[5] / np.median(np.delete(spread, 2)):.0f} times as much as the others",
        11: "goes with no other channel",
        17: "has 20 times as much fast activity as the others",
    }


def test_a_channel_that_is_alone_for_a_moment_is_not_bad():
    """One fifth of the recording without anything in common: an artefact, not a bad channel."""
    x = scalp(seconds=100.0)
    x[3, :5000] = 15 * np.random.default_rng(1).normal(size=5000)

    assert bad_channels(x, FS) == {}


def test_where_nothing_is_common_nobody_stands_out():
    """All channels independent (a montage without a common reference): correlation says nothing."""
    x = 10 * np.random.default_rng(2).normal(size=(12, 10_000)).astype(np.float32)

    assert bad_channels(x, FS) == {}


def test_a_blink_or_a_level_does_not_make_the_front_bad():
    """Blinks of 200 µV in two of 20 channels, one tenth of the time: the spread is robust."""
    x = scalp()
    blink = np.zeros(x.shape[1], dtype=np.float32)
    for a in range(500, x.shape[1] - 200, 2500):
        blink[a : a + 100] = 200 * np.hanning(100)
    x[:2] += blink

    assert bad_channels(x, FS) == {}


def test_fewer_than_four_channels_are_only_asked_whether_they_live():
    """Nobody can stand out among three."""
    x = scalp(3)
    x[1] *= 50
    x[2] *= 1e-3

    assert bad_channels(x, FS) == {2: "below 0.5 µV"}


def test_the_highest_correlation_is_numpy_s():
    """98th percentile of the absolute correlations with the others; 0 for a channel that does not move."""
    x = scalp(8, 4.0)
    x[6] = 3.0
    with np.errstate(all="ignore"):
        r = np.abs(np.corrcoef(x.astype(np.float64)))
    r[6, :] = r[:, 6] = 0.0
    expected = [np.quantile(np.delete(r[i], i), 0.98) for i in range(8)]

    np.testing.assert_allclose(highest_correlation(x), expected, atol=1e-5)
