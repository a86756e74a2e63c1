"""Hjorth, entropies and the exponent of the spectrum, against other libraries, hand computation and planted truth."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import entropy, theilslopes

from mmme.features.brain.aperiodic import ALPHA_HZ, FIT_HZ, aperiodic_columns, exponent
from mmme.features.brain.complexity import (
    covered,
    entropy_columns,
    hjorth,
    hjorth_columns,
    permutation_entropy,
    spectral_entropy,
)

FS = 250.0
NAMES = ("F3", "F4", "O1")


def coloured(power, seconds=240.0, rows=3, seed=0):
    """Noise whose density falls as 1 / f ** power from 0.5 Hz on, as after the filter, standard deviation 10 µV."""
    n = int(seconds * FS)
    f = np.fft.rfftfreq(n, 1 / FS)
    gain = (f >= 0.5) * np.maximum(f, 0.5) ** (-power / 2)
    x = np.fft.irfft(np.fft.rfft(np.random.default_rng(seed).normal(size=(rows, n))) * gain, n)
    return (10 * x / x.std()).astype(np.float32)


def test_covered_samples_hold_every_window():
    """Whatever the windows, overlapping, touching or apart: each is found again, in one piece, and nothing twice."""
    rng = np.random.default_rng(0)
    for n in (1, 7, 50):
        first = np.unique(rng.integers(0, 1000, 30))
        samples, start = covered(first, n)
        assert np.all(np.diff(samples) > 0)
        for f, s in zip(first, start, strict=True):
            np.testing.assert_array_equal(samples[s : s + n], np.arange(f, f + n))
        assert samples.size == np.unique(np.add.outer(first, np.arange(n))).size


def test_hjorth_equals_its_definition():
    """Variance, root of the ratio of variances of the differences, and its ratio, computed window by window: 1e-6."""
    x = coloured(1.0, 20.0)
    first, n = np.array([0, 100, 333, 3000, 4500]), 500
    ours = hjorth(x, first, n, FS)
    for row, f in zip(ours, first, strict=True):
        part = x[:, f : f + n].astype(np.float64)
        v, dv, ddv = (np.diff(part, j).var(axis=1) for j in range(3))
        theirs = np.stack([np.log(v), np.sqrt(dv / v) * FS / (2 * np.pi), np.sqrt(ddv / dv) / np.sqrt(dv / v)], axis=1)
        np.testing.assert_allclose(row, theirs, rtol=1e-6)


def test_hjorth_of_a_sine():
    """Amplitude 10 µV, 12 Hz: variance 50 µV², mobility 12 Hz within 1 %, complexity 1 within 1 %."""
    x = 10 * np.sin(2 * np.pi * 12 * np.arange(2500) / FS)[None].astype(np.float32)
    activity, mobility, complexity = hjorth(x, np.array([0]), 2500, FS)[0, 0]

    assert np.exp(activity) == pytest.approx(50, rel=0.001)
    assert mobility == pytest.approx(12, rel=0.01)
    assert complexity == pytest.approx(1, rel=0.01)


def test_what_does_not_move_has_no_hjorth():
    """A constant stretch: NaN in all three, in its windows only."""
    x = coloured(1.0, 20.0)
    x[1, 1000:2000] = 3.0
    ours = hjorth(x, np.array([0, 1200, 3000]), 500, FS)

    assert np.isnan(ours[1, 1]).all()
    assert np.isfinite(ours[[0, 2]]).all()
    assert np.isfinite(ours[1, [0, 2]]).all()


@pytest.mark.parametrize("lag", [1, 3])
def test_permutation_entropy_equals_neurokit(lag):
    """Order 3, of noise, pink noise and a sine in noise, in overlapping windows: NeuroKit2's within 1e-9."""
    import neurokit2 as nk

    x = np.concatenate([coloured(0.0, 20.0, 1), coloured(1.0, 20.0, 1), coloured(2.0, 20.0, 1)])
    first, n = np.array([0, 100, 333, 3000, 4000]), 1000
    ours = permutation_entropy(x, first, n, lag=lag)
    for i, f in enumerate(first):
        for c in range(3):
            theirs, _ = nk.entropy_permutation(x[c, f : f + n].astype(float), delay=lag, dimension=3, corrected=True)
            assert ours[i, c] == pytest.approx(theirs, abs=1e-9)


def test_permutation_entropy_of_known_orders():
    """A rising line has one order, entropy 0; a saw of period 3 has three equally often, ln 3 / ln 6."""
    x = np.stack([np.arange(302.0), np.tile([0.0, 1.0, 2.0], 101)[:302]]).astype(np.float32)

    np.testing.assert_allclose(permutation_entropy(x, np.array([0]), 302, lag=1)[0], [0, np.log(3) / np.log(6)], atol=1e-9)


def test_permutation_entropy_is_hardly_biased_where_it_is_given():
    """White noise in the shortest windows allowed (300 patterns): mean within 1 % of 1."""
    x = coloured(0.0)
    assert permutation_entropy(x, np.arange(150) * 306, 306, lag=3).mean() == pytest.approx(1.0, abs=0.01)


def test_spectral_entropy_equals_that_of_mne_spectra():
    """43 cells of 1 Hz of MNE's multitaper density, scipy.stats.entropy over ln 43: within 1e-5."""
    from mne.time_frequency import psd_array_multitaper

    x = coloured(1.0, 20.0)
    ours = spectral_entropy(x, np.array([0, 2000]), 1000, FS)
    for row, f0 in zip(ours, (0, 2000), strict=True):
        part = x[:, f0 : f0 + 1000].astype(np.float64)
        density, f = psd_array_multitaper(part, FS, bandwidth=1.0, normalization="full", verbose="error")
        cells = np.stack([density[:, (f >= k) & (f < k + 1)].mean(axis=1) for k in range(2, 45)], axis=1)
        np.testing.assert_allclose(row, entropy(cells, axis=1) / np.log(43), rtol=1e-5)


def test_spectral_entropy_of_a_sine_and_of_noise():
    """A sine uses few cells (below 0.4), white noise nearly all (above 0.95 in 4 s, more in 60 s)."""
    sine = np.sin(2 * np.pi * 10.5 * np.arange(15000) / FS)[None].astype(np.float32)
    white = coloured(0.0, 60.0, 1)

    assert spectral_entropy(sine, np.array([0]), 1000, FS)[0, 0] < 0.4
    four, sixty = (spectral_entropy(white, np.array([0]), n, FS)[0, 0] for n in (1000, 15000))
    assert 0.95 < four < sixty < 1


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 1.5, 2.0, 2.5])
def test_planted_exponents_are_found(power):
    """Mean over windows within 0.05 of the truth in 2 s, in 10 s and in 60 s, with alpha and beta peaks on top or without."""
    x = coloured(power)
    t = np.arange(x.shape[1]) / FS
    rhythms = (10 * np.sin(2 * np.pi * 10 * t) + 3 * np.sin(2 * np.pi * 20 * t)).astype(np.float32)
    for y in (x, x + rhythms):
        for n in (500, 2500, 15000):
            found = exponent(y, np.arange(0, x.shape[1] - n + 1, n), n, FS)
            allowed = 0.05 + 2 * found.std() / np.sqrt(found.size)
            assert found.mean() == pytest.approx(power, abs=allowed)


def test_the_line_is_that_of_theil_and_sen():
    """The exponent equals SciPy's theilslopes through the same points of MNE's spectrum within 1e-4."""
    from mne.time_frequency import psd_array_multitaper

    x = coloured(1.5, 20.0)
    density, f = psd_array_multitaper(x[:, :2500].astype(float), FS, bandwidth=0.4, normalization="full", verbose="error")
    edges = FIT_HZ[0] * 2 ** (np.arange(19) / 4)
    points = [(f >= a - 1e-9) & (f < b - 1e-9) & (f < FIT_HZ[1]) & ~((f >= ALPHA_HZ[0]) & (f < ALPHA_HZ[1]))
              for a, b in pairwise(edges)]  # fmt: skip
    points = [p for p in points if p.any()]
    for row, ours in zip(density, exponent(x, np.array([0]), 2500, FS)[0], strict=True):
        line = [np.log(row[p]).mean() for p in points]
        assert ours == pytest.approx(-theilslopes(line, [np.log(f[p]).mean() for p in points])[0], abs=1e-4)


def test_short_windows_are_refused(cleaned, occasions):
    """Each measure says what it needs."""
    clean = cleaned(coloured(1.0, 20.0), NAMES)
    short = occasions(10.0, duration=0.9, baseline=2.0)
    longer = occasions(10.0, duration=1.3, baseline=2.0)

    assert hjorth_columns(clean, short)["eeg_hjorth_activity_frontal"][1][0] == "window 0.9 s, Hjorth needs 1 s"
    assert entropy_columns(clean, short)["eeg_permutation_entropy_frontal"][1][0] == (
        "window 0.9 s, permutation entropy needs 1.22 s"
    )
    assert entropy_columns(clean, longer)["eeg_permutation_entropy_frontal"][1][0] == ""
    assert entropy_columns(clean, longer)["eeg_spectral_entropy_frontal"][1][0] == (
        "window 1.3 s, spectral entropy needs 1.5 s"
    )
    assert aperiodic_columns(clean, longer)["eeg_exponent_frontal"][1][0] == "window 1.3 s, the exponent needs 2 s"
