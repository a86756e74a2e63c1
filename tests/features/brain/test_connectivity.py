"""Connectivity of arrays: equal to mne-connectivity, planted coupling found, volume conduction ignored, chance level kept."""

import mne
import numpy as np
import pytest

from mmme.errors import ConfigError, DataError
from mmme.features.brain.connectivity import (
    MEASURES,
    connectivity_over_epochs,
    connectivity_over_time,
    frequency_means,
)

FS = 250.0
OVER_TIME = tuple(m for m in MEASURES if m not in ("ppc", "pli2_unbiased", "wpli2_debiased"))
LAGGED = ("imcoh", "ciplv", "pli", "wpli")
HZ = np.arange(4.0, 45.0, 4.0)


def mixed(n_channels=6, seconds=24.0, seed=0):
    """Noise of common sources, at different lags: every pair is connected somehow."""
    rng = np.random.default_rng(seed)
    n = int(seconds * FS)
    sources = rng.normal(size=(n_channels, n + 20))
    weights = rng.normal(size=(n_channels, n_channels))
    lagged = np.stack([np.roll(s, 3 * k) for k, s in enumerate(sources)])[:, :n]
    return (weights @ sources[:, :n] + weights.T @ lagged) * 10


def coupled(n_looks=30, lag=np.pi / 3, hz=10.0, size=1.5, seed=0, channels=5, gap=False):
    """Epochs of 2 s of independent noise; channels 1 and 3 share a rhythm whose phase is new in every epoch, at a lag."""
    rng = np.random.default_rng(seed)
    t = np.arange(500) / FS
    x = rng.normal(size=(n_looks, channels, 500))
    start = rng.uniform(0, 2 * np.pi, n_looks)[:, None]
    x[:, 1] += size * np.sin(2 * np.pi * hz * t + start)
    x[:, 3] += size * np.sin(2 * np.pi * hz * t + start - lag)
    return x


def square(connectivity, n):
    """Their numbers ``(n_frequencies, n, n)``, of pairs whose row is larger than their column."""
    return connectivity.get_data().reshape(n, n, -1).transpose(2, 0, 1)


@pytest.mark.parametrize(("dtype", "within"), [(np.float64, 1e-12), (np.float32, 1e-5)])
@pytest.mark.parametrize(("mode", "bandwidth"), [("fourier", None), ("multitaper", 4.0)])
def test_over_epochs_equals_mne(mode, bandwidth, dtype, within):
    """All nine measures, all pairs, every frequency: 1e-12 in double, 1e-5 in single precision (PLI: equal counts)."""
    from mne_connectivity import spectral_connectivity_epochs

    x = mixed().reshape(6, 12, 500).swapaxes(0, 1)
    with mne.use_log_level("ERROR"):
        theirs = spectral_connectivity_epochs(
            x, method=list(MEASURES), sfreq=FS, mode=mode, mt_bandwidth=bandwidth, fmin=3.0, fmax=44.9
        )
    f, ours = connectivity_over_epochs(x.astype(dtype), FS, MEASURES, low_hz=3.0, high_hz=45.0, bandwidth_hz=bandwidth)
    np.testing.assert_allclose(f, theirs[0].freqs)
    below = np.tril_indices(6, -1)
    for name, their in zip(MEASURES, theirs, strict=True):
        np.testing.assert_allclose(ours[name][:, *below], square(their, 6)[:, *below], rtol=0, atol=within, err_msg=name)
        flipped = -ours[name] if name == "imcoh" else ours[name]
        np.testing.assert_array_equal(flipped.swapaxes(1, 2), ours[name], err_msg=name)


@pytest.mark.parametrize(("dtype", "within"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_over_time_equals_mne(dtype, within):
    """Six measures, all pairs, every wavelet: 1e-12 in double, 1e-5 in single precision (PLI within two samples)."""
    from mne_connectivity import spectral_connectivity_time

    x = mixed(seconds=10.0)
    with mne.use_log_level("ERROR"):
        theirs = spectral_connectivity_time(x[None], freqs=HZ, method=list(OVER_TIME), sfreq=FS, average=True)
    ours = connectivity_over_time(x.astype(dtype), FS, OVER_TIME, HZ)
    below = np.tril_indices(6, -1)
    for name, their in zip(OVER_TIME, theirs, strict=True):
        allowed = 4.0 / x.shape[1] if name == "pli" and dtype == np.float32 else within
        np.testing.assert_allclose(ours[name][:, *below], square(their, 6)[:, *below], rtol=0, atol=allowed, err_msg=name)


def test_means_over_bands_are_not_those_of_mne():
    """
    A trap: `spectral_connectivity_time(faverage=True)` averages from the right first to a wrong last frequency.

    Its band of 8 to 13 Hz is the mean of 8 to 22 Hz (the index of the end is doubled); ours is that of 8, 10 and 12 Hz.
    """
    from mne_connectivity import spectral_connectivity_time

    hz = np.arange(4.0, 45.0, 2.0)
    x = coupled(5, size=3.0).swapaxes(0, 1).reshape(5, -1)
    with mne.use_log_level("ERROR"):
        theirs = spectral_connectivity_time(
            x[None], freqs=hz, method="plv", sfreq=FS, average=True, fmin=8.0, fmax=13.0, faverage=True
        )
    each = connectivity_over_time(x, FS, ["plv"], hz)["plv"]
    ours = frequency_means(each, hz, {"alpha": (8.0, 13.0)})["alpha"]

    np.testing.assert_allclose(ours, each[2:5].mean(axis=0), rtol=1e-12)
    wrong = square(theirs, 5)[0, 3, 1]
    if not np.isclose(wrong, each[2:5, 3, 1].mean(), atol=1e-3):  # as long as the bug is there
        assert wrong < each[2:5, 3, 1].mean() - 0.1
    np.testing.assert_allclose(each[hz == 10.0].max(), each.max())


def test_the_mean_over_a_band_leaves_its_end_out():
    """13 Hz belongs to beta, 8 Hz to alpha; a band without a frequency is refused."""
    f = np.array([7.5, 8.0, 12.5, 13.0])
    means = frequency_means(np.array([100.0, 1.0, 3.0, 1000.0]), f, {"alpha": (8.0, 13.0)})
    assert means["alpha"] == 2.0
    with pytest.raises(ConfigError, match="band gamma: expected a frequency from 30 to 45 Hz, got none of 4"):
        frequency_means(f, f, {"gamma": (30.0, 45.0)})


@pytest.mark.parametrize("bandwidth", [None, 4.0])
def test_a_planted_coupling_is_the_strongest_pair_over_epochs(bandwidth):
    """At 10 Hz by every measure; at 20 Hz it is within what the pairs of noise show."""
    f, found = connectivity_over_epochs(coupled(), FS, MEASURES, low_hz=4.0, high_hz=45.0, bandwidth_hz=bandwidth)
    others = np.triu(np.ones((5, 5), dtype=bool), 1)
    others[1, 3] = False
    for name, values in found.items():
        values = np.abs(values)
        assert values[f == 10.0, 1, 3] > 1.5 * values[f == 10.0][:, others].max(), name
        assert values[f == 20.0, 1, 3] < values[np.abs(f - 20.0) < 4.0][:, others].max(), name


def test_a_planted_coupling_is_the_strongest_pair_over_time():
    """At 10 Hz by every measure over one stretch of 60 s in which both keep their lag; at 20 Hz as noise."""
    x = np.random.default_rng(1).normal(size=(5, 15000))
    rhythm = np.random.default_rng(2).normal(size=15000)
    rhythm = 20 * mne.filter.filter_data(rhythm, FS, 9.0, 11.0, verbose="error")
    x[1] += rhythm
    x[3] += np.roll(rhythm, 5)  # 20 ms, 72 degrees at 10 Hz
    found = connectivity_over_time(x, FS, OVER_TIME, [10.0, 20.0])
    others = np.triu(np.ones((5, 5), dtype=bool), 1)
    others[1, 3] = False
    for name, values in found.items():
        values = np.abs(values)
        assert values[0, 1, 3] > 2 * values[0][others].max(), name
        assert values[1, 1, 3] < 0.2, name


def test_the_leading_channel_has_positive_imaginary_coherence():
    """Channel 3 follows channel 1 by a sixth of a cycle: imcoh is positive in the row of 1, negative in the row of 3."""
    f, found = connectivity_over_epochs(coupled(size=5.0), FS, ["imcoh"], low_hz=8.0, high_hz=13.0)
    at = np.flatnonzero(f == 10.0)[0]
    assert found["imcoh"][at, 1, 3] == pytest.approx(np.sin(np.pi / 3), abs=0.05)
    np.testing.assert_array_equal(found["imcoh"], -found["imcoh"].swapaxes(1, 2))


def test_volume_conduction_is_seen_by_coherence_and_not_by_lags():
    """One source in two channels without a lag: PLV and coherence above 0.7; imcoh, ciPLV, PLI, wPLI as in noise."""
    x = coupled(60, lag=0.0, size=2.0)
    _, found = connectivity_over_epochs(x, FS, MEASURES, low_hz=10.0, high_hz=10.5)
    assert found["coh"][0, 1, 3] > 0.7
    assert found["plv"][0, 1, 3] > 0.7
    for name in ("imcoh", "pli", "ciplv"):
        assert np.abs(found[name][0, 1, 3]) < 0.3, name
    for name in ("pli2_unbiased", "wpli2_debiased"):
        assert found[name][0, 1, 3] < 0.1, name
    y = x.swapaxes(0, 1).reshape(5, -1)
    over_time = connectivity_over_time(y, FS, OVER_TIME, [10.0])
    assert over_time["plv"][0, 1, 3] > 0.7
    for name in LAGGED:
        assert np.abs(over_time[name][0, 1, 3]) < 0.25, name


@pytest.mark.parametrize("n_looks", [10, 30])
def test_uncoupled_channels_stay_at_the_level_of_chance(n_looks):
    """Means over 190 pairs of noise, as docs/connectivity.md says, within 10 %; unbiased measures 0 within 0.02."""
    x = np.random.default_rng(0).normal(size=(n_looks, 20, 500))
    _, found = connectivity_over_epochs(x, FS, MEASURES, low_hz=4.0, high_hz=45.0)
    pair = np.triu_indices(20, 1)
    mean = {name: values[:, *pair].mean() for name, values in found.items()}
    assert mean["plv"] == pytest.approx(np.sqrt(np.pi / (4 * n_looks)), rel=0.1)
    assert mean["coh"] == pytest.approx(np.sqrt(np.pi / (4 * n_looks)), rel=0.1)
    assert mean["pli"] == pytest.approx(np.sqrt(2 / (np.pi * n_looks)), rel=0.1)
    assert mean["wpli"] == pytest.approx({10: 0.36, 30: 0.21}[n_looks], rel=0.1)
    assert mean["ciplv"] == pytest.approx({10: 0.19, 30: 0.11}[n_looks], rel=0.1)
    for name in ("ppc", "pli2_unbiased", "wpli2_debiased", "imcoh"):
        assert mean[name] == pytest.approx(0.0, abs=0.02), name


@pytest.mark.parametrize(("cycles", "plv", "wpli"), [(6, 0.55, 0.65), (30, 0.24, 0.33), (120, 0.13, 0.18)])
def test_chance_over_time_falls_with_the_cycles(cycles, plv, wpli):
    """Means over pairs of noise after wavelets at 10 Hz, as docs/connectivity.md says, within 10 %."""
    rng = np.random.default_rng(0)
    pair = np.triu_indices(30, 1)
    found = [connectivity_over_time(rng.normal(size=(30, cycles * 25)), FS, ["plv", "wpli"], [10.0]) for _ in range(4)]
    for name, level in (("plv", plv), ("wpli", wpli)):
        assert np.mean([f[name][0][pair] for f in found]) == pytest.approx(level, rel=0.1)


def test_more_looks_than_a_byte_counts():
    """600 epochs and their PLI by definition: exact."""
    x = np.random.default_rng(0).normal(size=(600, 3, 500))
    _, found = connectivity_over_epochs(x, FS, ["pli"], low_hz=10.0, high_hz=10.5)
    w = np.fft.rfft((x - x.mean(axis=2, keepdims=True)) * np.hanning(500))[..., 20]
    expected = np.abs(np.sign((w[:, 0] * w[:, 1].conj()).imag).mean())
    assert found["pli"][0, 0, 1] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_copies_and_silence_have_no_lag(dtype):
    """A channel and its copy: coherent, PLI 0, wPLI undefined; a silent channel: nothing defined; others untouched."""
    x = coupled(20)
    alone = connectivity_over_epochs(x[:, [0, 1, 3]].astype(dtype), FS, MEASURES, low_hz=8.0, high_hz=13.0)[1]
    x[:, 2], x[:, 4] = x[:, 1], 7.0
    _, found = connectivity_over_epochs(x.astype(dtype), FS, MEASURES, low_hz=8.0, high_hz=13.0)
    np.testing.assert_allclose(found["coh"][:, 1, 2], 1.0, rtol=1e-5)
    np.testing.assert_array_equal(found["pli"][:, 1, 2], 0.0)
    assert np.isnan(found["wpli"][:, 1, 2]).all()
    assert np.isnan(found["wpli2_debiased"][:, 1, 2]).all()
    for name, values in found.items():
        assert np.isnan(values[:, 4, :4]).all(), name
        assert np.isnan(values[:, :4, 4]).all(), name
        np.testing.assert_allclose(values[:, [0, 1, 3]][..., [0, 1, 3]], alone[name], atol=1e-5, err_msg=name)


def test_what_cannot_be_answered_is_refused():
    """One epoch, too few cycles, unknown measures, unbiased measures over time, frequencies out of range."""
    x = coupled(4)
    with pytest.raises(
        DataError, match=r"expected at least 2 epochs .* got shape \(1, 5, 500\); of one epoch the phase lag"
    ):
        connectivity_over_epochs(x[:1], FS, ["pli"], low_hz=8.0, high_hz=13.0)
    with pytest.raises(ConfigError, match="over epochs: expected 6 cycles of 1 Hz, got 2 in 2 s; take longer pieces"):
        connectivity_over_epochs(x, FS, ["pli"], low_hz=1.0, high_hz=4.0)
    with pytest.raises(ConfigError, match="over time: expected 6 cycles of 4 Hz, got 4 in 1 s"):
        connectivity_over_time(x[0, :, :250], FS, ["plv"], [4.0, 10.0])
    with pytest.raises(ConfigError, match="no measure of connectivity 'wplv'; did you mean"):
        connectivity_over_epochs(x, FS, ["wplv"], low_hz=8.0, high_hz=13.0)
    with pytest.raises(ConfigError, match="wpli2_debiased takes looks for independent, which samples are not"):
        connectivity_over_time(x[0], FS, ["wpli2_debiased"], [10.0])
    with pytest.raises(ConfigError, match="frequencies above 0, up to 125 Hz, got shape .* and 10, 200 Hz"):
        connectivity_over_time(x[0], FS, ["plv"], [10.0, 200.0])
    with pytest.raises(ConfigError, match="expected a frequency from 10.1 to 10.2 Hz, got steps of 0.5 Hz"):
        connectivity_over_epochs(x, FS, ["pli"], low_hz=10.1, high_hz=10.2)
