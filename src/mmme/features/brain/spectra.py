"""Spectra of many short windows at once, over the whole of each window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.fft import next_fast_len, rfft
from scipy.interpolate import CubicSpline
from scipy.signal.windows import dpss, hann

from mmme.errors import unknown_name

__all__ = ["BANDS_HZ", "CYCLES", "Method", "Reduce", "band_averages", "frequencies", "log_band_power", "over_spectra"]

#: ``low <= f < high`` [Hz].
BANDS_HZ: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"delta": (1.0, 4.0), "theta": (4.0, 8.0), "alpha": (8.0, 13.0), "beta": (13.0, 30.0), "gamma": (30.0, 45.0)}
)
#: A band needs this many cycles of its lowest frequency in the window.
CYCLES = 3.0
#: Values in one block of the spectral estimate: 0.8 MB stay in cache, which saves a third of the time.
BLOCK = 200_000
#: Multitaper: half a bandwidth of 2 / T, of which 3 tapers are well concentrated.
TIME_BANDWIDTH, N_TAPERS = 2.0, 3
#: Tapers of windows of more than four times as many samples are interpolated between so many.
SMOOTH = 2048
#: Welch: Hann segments of this length [s] (or of the window, where that is shorter), half overlapping.
SEGMENT_S = 4.0
#: Windows of at least so many samples get zeros appended: 15,013, a prime, would take eight times as long. Bands of
#: shorter ones have too few frequencies: read at others, their means would differ by more than 1 %.
LONG = 12_000

Method = Literal["multitaper", "welch"]
#: From densities ``(n_channels, b, n_frequencies)`` [µV²/Hz] of ``b`` windows to ``(n_channels, b, m)`` numbers.
Reduce = Callable[[NDArray[np.float32]], NDArray[Any]]


@lru_cache(maxsize=64)  # trials of slightly different lengths, 0.2 MB each
def _tapers(n: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Slepian tapers of a window and their weights, which add up to 1; a window of few samples has a flat one."""
    if n < 8:
        return np.full((1, n), n**-0.5, dtype=np.float32), np.ones(1, dtype=np.float32)
    if n <= 4 * SMOOTH:
        tapers, concentration = dpss(n, TIME_BANDWIDTH, N_TAPERS, sym=False, return_ratios=True)
    else:
        curves, concentration = _taper_curves()
        tapers = curves((np.arange(n) + 0.5) / (n + 1)) / np.sqrt(n + 1)
    return tapers.astype(np.float32), (concentration / concentration.sum()).astype(np.float32)


@lru_cache(maxsize=1)
def _taper_curves() -> tuple[CubicSpline, NDArray[np.float64]]:
    """Tapers as functions on 0 to 1: for long windows in a third of the time, equal to 4e-7 of the largest value."""
    tapers, concentration = dpss(SMOOTH, TIME_BANDWIDTH, N_TAPERS, return_ratios=True)
    return CubicSpline((np.arange(SMOOTH) + 0.5) / SMOOTH, tapers * np.sqrt(SMOOTH), axis=1), concentration


def _segment(n: int, fs_hz: float, method: Method) -> int:
    """Count the samples that are transformed at once."""
    if method not in ("multitaper", "welch"):
        raise unknown_name("spectral estimate", method, ["multitaper", "welch"])
    return n if method == "multitaper" else min(n, round(SEGMENT_S * fs_hz))


def _size(m: int) -> int:
    """Length of the transform of ``m`` samples."""
    return m if m < LONG else int(next_fast_len(m, real=True))


def frequencies(n: int, fs_hz: float, *, method: Method = "multitaper") -> NDArray[np.float64]:
    """
    Frequencies at which the spectrum of ``n`` samples is read [Hz], from 0 up to the end of the last band.

    They are ``fs / n`` apart; in windows of 12,000 samples or more a few per cent less, where zeros are appended to reach a
    length that transforms fast.

    Examples
    --------
    >>> frequencies(250, 250.0)[[0, 1, -1]].tolist()
    [0.0, 1.0, 44.0]
    """
    f = np.fft.rfftfreq(_size(_segment(n, fs_hz, method)), 1.0 / fs_hz)
    return f[f < max(high for _, high in BANDS_HZ.values())]


def over_spectra(
    x: NDArray[Any],
    first: NDArray[np.int64],
    n: int,
    fs_hz: float,
    reduce: Reduce,
    *,
    method: Method = "multitaper",
) -> NDArray[np.float64]:
    """
    Estimate the density of every window and channel, and keep what ``reduce`` makes of it.

    Multitaper: 3 Slepian tapers of time-bandwidth 2, weighted by their concentration, over the whole window: what
    `mne.time_frequency.psd_array_multitaper` computes with ``bandwidth=4 / T`` and ``normalization="full"``. Welch: Hann
    segments of 4 s, half overlapping, mean of their periodograms, as `scipy.signal.welch`; the ends of the window, and all
    but the middle of a window of one segment, count less. Both subtract the mean (of the window, of the segment).

    Parameters
    ----------
    x : (n_channels, n_times)
        Signal [µV].
    first : (k,) int64
        First sample of each window.
    n
        Samples of a window.
    fs_hz
        Rate [Hz].
    reduce
        Called with densities ``(n_channels, b, n_frequencies)`` [µV²/Hz] at `frequencies`, block by block.
    method
        ``"multitaper"`` or ``"welch"``.

    Returns
    -------
    (k, n_channels, m) float64
        What ``reduce`` returned.

    Raises
    ------
    ConfigError
        If the method is unknown.

    References
    ----------
    Thomson (1982), Spectrum estimation and harmonic analysis, doi:10.1109/PROC.1982.12433.
    Welch (1967), The use of fast Fourier transform for the estimation of power spectra, doi:10.1109/TAU.1967.1161901.

    Examples
    --------
    >>> x = np.sin(2 * np.pi * 10 * np.arange(1000) / 250)[None]
    >>> peak = over_spectra(x, np.array([0]), 1000, 250.0, lambda d: d.argmax(axis=2)[..., None])
    >>> float(frequencies(1000, 250.0)[int(peak[0, 0, 0])])
    10.0
    """
    last = frequencies(n, fs_hz, method=method).size
    estimate = _multitaper if method == "multitaper" else _welch
    views = sliding_window_view(np.asarray(x, dtype=np.float32), n, axis=1)
    together = max(1, min(x.shape[0], BLOCK // n))
    step = max(1, BLOCK // (together * n))
    parts = []
    for c in range(0, x.shape[0], together):
        some = views[c : c + together]
        blocks = [reduce(estimate(some[:, first[a : a + step]], fs_hz, last)) for a in range(0, first.size, step)]
        parts.append(np.concatenate(blocks, axis=1))
    return np.moveaxis(np.concatenate(parts), 0, 1).astype(np.float64)


def _multitaper(rows: NDArray[np.float32], fs_hz: float, last: int) -> NDArray[np.float32]:
    """Density of windows ``(n_channels, b, n)``."""
    tapers, weights = _tapers(rows.shape[2])
    size = _size(rows.shape[2])
    rows = rows - rows.mean(axis=2, keepdims=True)
    density = np.zeros((*rows.shape[:2], last), dtype=np.float32)
    for taper, weight in zip(tapers, weights, strict=True):
        spectrum = rfft(rows * (taper * np.float32(np.sqrt(2.0 * weight / fs_hz))), size, axis=2)[..., :last]
        density += spectrum.real**2 + spectrum.imag**2
    return density


def _welch(rows: NDArray[np.float32], fs_hz: float, last: int) -> NDArray[np.float32]:
    """Density of windows ``(n_channels, b, n)``, mean over segments."""
    m = _segment(rows.shape[2], fs_hz, "welch")
    taper = hann(m, sym=False)
    taper = (taper * np.sqrt(2.0 / (fs_hz * np.sum(taper**2)))).astype(np.float32)
    size = _size(m)
    segments = sliding_window_view(rows, m, axis=2)[:, :, :: m - m // 2]
    density = np.zeros((*rows.shape[:2], last), dtype=np.float32)
    for j in range(segments.shape[2]):
        segment = segments[:, :, j]
        spectrum = rfft((segment - segment.mean(axis=2, keepdims=True)) * taper, size, axis=2)[..., :last]
        density += spectrum.real**2 + spectrum.imag**2
    density /= segments.shape[2]
    return density


def band_averages(
    n: int,
    fs_hz: float,
    bands: Mapping[str, tuple[float, float]] = BANDS_HZ,
    *,
    method: Method = "multitaper",
) -> NDArray[np.float32]:
    """
    Weights that turn densities at `frequencies` into the mean density of bands, ``(n_frequencies, n_bands)``.

    The mean is that over the multiples of ``fs / n`` with ``low <= f < high``. Where the spectrum is read at other
    frequencies because zeros were appended, each counts by the part of its cell that those multiples' cells cover.
    A band without a frequency, or beyond the rate, has NaN instead of weights.

    Examples
    --------
    >>> theta = band_averages(250, 250.0, {"theta": (4.0, 8.0)})[:, 0]
    >>> theta[[3, 4, 7, 8]].tolist()
    [0.0, 0.25, 0.25, 0.0]
    """
    m = _segment(n, fs_hz, method)
    f = frequencies(n, fs_hz, method=method)
    own = np.arange(m // 2 + 1) * (fs_hz / m)
    step, own_step = fs_hz / _size(m), fs_hz / m
    weights = np.full((f.size, len(bands)), np.nan, dtype=np.float32)
    for j, (low, high) in enumerate(bands.values()):
        inside = own[(own >= low) & (own < high)]
        if inside.size and high <= fs_hz / 2:
            begin, end = inside[0] - own_step / 2, inside[-1] + own_step / 2
            cover = np.minimum(f + step / 2, end) - np.maximum(f - step / 2, begin)
            weights[:, j] = np.where(cover > 1e-6 * step, cover, 0.0) / np.maximum(cover, 0.0).sum()
    return weights


def log_band_power(
    x: NDArray[Any], first: NDArray[np.int64], n: int, fs_hz: float, *, method: Method = "multitaper"
) -> NDArray[np.float64]:
    """
    Estimate the natural logarithm of the mean density in each band of `BANDS_HZ`, for windows of ``n`` samples.

    Parameters
    ----------
    x : (n_channels, n_times)
        Signal [µV].
    first : (k,) int64
        First sample of each window.
    n
        Samples of a window.
    fs_hz
        Rate [Hz].
    method
        ``"multitaper"`` or ``"welch"``.

    Returns
    -------
    log_power : (k, n_channels, n_bands) float64
        ln of µV²/Hz; NaN for bands between whose edges the window has no frequency or which the rate does not reach, and
        for channels without any power.

    Examples
    --------
    >>> t = np.arange(1000) / 250
    >>> p = log_band_power(np.sin(2 * np.pi * 10 * t)[None], np.array([0]), 1000, 250.0)
    >>> list(BANDS_HZ)[int(np.argmax(p[0, 0]))]
    'alpha'
    """
    weights = band_averages(n, fs_hz, method=method)
    power = over_spectra(x, first, n, fs_hz, lambda density: density @ weights, method=method)
    return np.log(power, out=np.full(power.shape, np.nan), where=power > 0)
