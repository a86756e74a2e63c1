"""Spectra of windows against MNE and SciPy; every part of a window counts."""

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import periodogram, welch

from mmme.errors import ConfigError
from mmme.features.brain.band_power import log_densities
from mmme.features.brain.spectra import BANDS_HZ, band_averages, frequencies, log_band_power, over_spectra
from mmme.features.windows import Windows

EEG = Path(__file__).parents[4] / "shared" / "data" / "eeg"


def pink(n, rows=3, seed=0):
    f = np.fft.rfftfreq(n)
    f[0] = f[1]
    noise = np.random.default_rng(seed).normal(size=(rows, n))
    x = np.fft.irfft(np.fft.rfft(noise) / np.sqrt(f), n)
    return 10 * x / x.std()


def whole(x, n, fs, method, first=(0,)):
    return over_spectra(x, np.array(first), n, fs, lambda density: density, method=method)


@pytest.mark.parametrize(("n", "fs"), [(500, 250.0), (501, 250.0), (15000, 250.0), (256, 128.0)])
def test_multitaper_equals_mne(n, fs):
    """Density of every bin above 0 Hz within 1e-4 of MNE's multitaper estimate with the same bandwidth."""
    from mne.time_frequency import psd_array_multitaper

    x = pink(n)
    ours = whole(x, n, fs, "multitaper")[0]
    theirs, f = psd_array_multitaper(x, fs, fmax=45.0, bandwidth=4 * fs / n, normalization="full", verbose="error")
    f = f[f < 45]
    np.testing.assert_allclose(frequencies(n, fs), f, atol=1e-9)
    np.testing.assert_allclose(ours[:, 1:], theirs[:, 1 : f.size], rtol=1e-4)


@pytest.mark.parametrize("n", [1013, 7001, 12007, 15013, 20011])
def test_lengths_that_transform_slowly_have_the_same_power(n):
    """
    Prime numbers of samples: 99 % of the bands of 40 noises within 1 % of MNE's, all within 2 %, their means within 0.2 %.
    Long windows get zeros appended, so the same estimate is read at nearer frequencies and averaged over the same stretch.
    """
    from mne.time_frequency import psd_array_multitaper

    x = pink(n, rows=40)
    ours = np.exp(log_band_power(x, np.array([0]), n, 250.0)[0])
    density, f = psd_array_multitaper(x, 250.0, bandwidth=1000 / n, normalization="full", verbose="error")
    theirs = np.stack([density[:, (f >= low) & (f < high)].mean(axis=1) for low, high in BANDS_HZ.values()], axis=1)

    assert np.quantile(np.abs(ours / theirs - 1), 0.99) < 0.01
    np.testing.assert_allclose(ours, theirs, rtol=0.02)
    np.testing.assert_allclose(ours.mean(axis=0), theirs.mean(axis=0), rtol=0.002)


@pytest.mark.parametrize(("n", "fs"), [(500, 250.0), (15000, 250.0), (15013, 250.0), (1280, 128.0)])
def test_welch_equals_mne_and_scipy(n, fs):
    """Density of every bin above 0 Hz within 1e-3 of MNE's Welch estimate (segments of 4 s) and of SciPy's."""
    from mne.time_frequency import psd_array_welch

    x = pink(n)
    m = min(n, round(4 * fs))
    ours = whole(x, n, fs, "welch")[0]
    theirs, _ = psd_array_welch(
        x, fs, fmax=45.0, n_fft=m, n_per_seg=m, n_overlap=m // 2, window="hann", verbose="error"
    )  # fmt: skip
    scipys = welch(x, fs, nperseg=m)[1]
    np.testing.assert_allclose(ours[:, 1:], theirs[:, 1 : ours.shape[1]], rtol=1e-3)
    np.testing.assert_allclose(ours[:, 1:], scipys[:, 1 : ours.shape[1]], rtol=1e-3)


@pytest.mark.skipif(not EEG.exists(), reason="real recordings are not next to the project")
@pytest.mark.parametrize("method", ["multitaper", "welch"])
def test_real_recordings_equal_mne(method, cleaned):
    """Band powers of 20-s windows of 30 real channels within 1 % of averages over the bins of MNE's estimate."""
    import mne

    raw = mne.io.read_raw_eeglab(EEG / "eeglab_data.set", preload=True, verbose="error").filter(0.5, 45.0, verbose="error")
    x, fs, n = raw.get_data() * 1e6, 128.0, 2560
    clean = cleaned(x, tuple(raw.ch_names), fs)
    ours = log_densities(clean, Windows(np.array([0.0, 60.0, 217.5]), 20.0), method=method)
    for row, first in zip(ours, (0, 7680, 27840), strict=True):
        part = x[:, first : first + n]
        if method == "multitaper":
            density, f = mne.time_frequency.psd_array_multitaper(
                part, fs, bandwidth=4 / 20, normalization="full", verbose="error"
            )
        else:
            density, f = mne.time_frequency.psd_array_welch(
                part, fs, n_fft=512, n_overlap=256, window="hann", verbose="error"
            )
        theirs = [density[:, (f >= low) & (f < high)].mean(axis=1) for low, high in BANDS_HZ.values()]
        np.testing.assert_allclose(np.exp(row), np.stack(theirs, axis=1), rtol=0.01)


def test_a_band_is_the_mean_of_its_own_bins():
    """Every band average equals the mean of exactly the densities with low <= f < high, bin by bin."""
    f = frequencies(1000, 250.0)
    weights = band_averages(1000, 250.0)
    density = np.random.default_rng(0).exponential(size=f.size)
    for j, (low, high) in enumerate(BANDS_HZ.values()):
        own = [d for g, d in zip(f, density, strict=True) if low <= g < high]
        assert np.count_nonzero(weights[:, j]) == len(own) == round((high - low) * 4)
        assert density @ weights[:, j] == pytest.approx(np.mean(own), rel=1e-6)


def test_a_band_that_has_no_frequency_has_no_number():
    """Too short for theta (125 Hz, 16 samples: 7.8 Hz steps), too slow for gamma (80 Hz): NaN, the others finite."""
    x = pink(1000, rows=1)
    short = log_band_power(x, np.array([0]), 16, 125.0)[0, 0]
    slow = log_band_power(x, np.array([0]), 400, 80.0)[0, 0]

    assert np.isnan(short).tolist() == [True, False, True, False, False]
    assert np.isnan(slow).tolist() == [False, False, False, False, True]


def test_the_end_of_a_window_counts_as_much_as_its_start():
    """
    A second of alpha at the start, at the end: the same power within 1 %, and two thirds or more of that in the middle.

    A window of 4 s of which `scipy.signal.periodogram` is given ``nfft=512`` is cut to its first 512 samples without a
    word: the alpha at its end is not there at all.
    """
    fs, n = 250.0, 1000
    t = np.arange(n) / fs
    x = np.stack([np.sin(2 * np.pi * 10 * t) * ((t >= a) & (t < a + 1)) for a in (0.0, 1.5, 3.0)])
    start, middle, end = np.exp(log_band_power(x, np.array([0]), n, fs)[0, :, list(BANDS_HZ).index("alpha")])

    assert end == pytest.approx(start, rel=0.01)
    assert 0.67 < start / middle < 1.5

    f, cut = periodogram(x, fs, nfft=512)
    in_alpha = (f >= 8) & (f < 13)
    assert cut[2, in_alpha].sum() < 1e-20 < 1e-3 < cut[0, in_alpha].sum()
    np.testing.assert_array_equal(cut, periodogram(x[:, :512], fs)[1])


def test_blocks_do_not_change_a_number():
    """400 windows in many blocks: the same as each window by itself."""
    x = pink(20000)
    first = np.arange(400) * 40
    together = log_band_power(x, first, 500, 250.0)
    for i in (0, 123, 399):
        np.testing.assert_allclose(together[i], log_band_power(x, first[[i]], 500, 250.0)[0], rtol=1e-5)


def test_tapers_of_long_windows_are_those_of_scipy():
    """Interpolated or not: within 1e-6 of the largest value of the sequences, weights within 1e-6."""
    from scipy.signal.windows import dpss

    from mmme.features.brain.spectra import _tapers

    for n in (500, 8192, 8193, 15013):
        theirs, ratio = dpss(n, 2.0, 3, sym=False, return_ratios=True)
        ours, weights = _tapers(n)
        np.testing.assert_allclose(ours, theirs, atol=1e-6 * np.abs(theirs).max())
        np.testing.assert_allclose(weights, ratio / ratio.sum(), atol=1e-6)


def test_unknown_estimates_are_refused():
    """A mistyped method names the two that exist."""
    with pytest.raises(ConfigError, match="no spectral estimate 'welsh'; did you mean 'welch'"):
        log_band_power(pink(500), np.array([0]), 500, 250.0, method="welsh")
