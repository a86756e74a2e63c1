"""
How the rhythms change after an event, moment by moment: power by Morlet wavelets, in dB of a baseline before the event.

The event is that of the occasion (`Occasions.at_s`): an apex, an onset, or the start of a stimulus. A wavelet smears power
over its length to both sides, at 4.5 Hz by 0.11 s (standard deviation): what seems to precede an event may follow it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft, ifft, next_fast_len

from mmme.features.brain.clean import CleanEeg
from mmme.features.brain.epochs import epochs, event_reasons, event_samples, lags
from mmme.features.brain.places import By, column_of, counting, mean_of, nothing, place_names, places, why_lacking
from mmme.features.brain.spectra import BANDS_HZ
from mmme.features.tables import Column
from mmme.features.windows import Occasions, either

__all__ = ["BASELINE_S", "FREQUENCIES_HZ", "INTERVALS_S", "morlet_power", "time_frequency_columns", "time_frequency_names"]

#: Wavelets of each band, spaced by about half of their bandwidth. Delta has none: its wavelets are longer than an interval.
FREQUENCIES_HZ: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {"theta": (4.5, 6.0, 7.5), "alpha": (8.5, 10.0, 12.0), "beta": (14.0, 18.0, 22.0, 26.0), "gamma": (31.0, 36.0, 41.0)}
)
#: ``[from, to)`` after the event [s].
INTERVALS_S: tuple[tuple[float, float], ...] = ((0.0, 0.2), (0.2, 0.5), (0.5, 1.0))
#: ``[from, to)``, before the event by twice the standard deviation in time of the longest wavelet [s].
BASELINE_S = (-0.7, -0.2)
#: Wavelets are cut off at this many standard deviations to each side, as in MNE.
REACH_SD = 5.0


def n_cycles(hz: float) -> float:
    """
    Cycles of a wavelet: 3 up to 6 Hz, then half of the frequency, so that none is shorter than 0.08 s (standard deviation).

    Examples
    --------
    >>> n_cycles(4.5), n_cycles(20.0)
    (3.0, 10.0)
    """
    return max(3.0, hz / 2.0)


@lru_cache(maxsize=64)
def _wavelet(hz: float, cycles: float, fs_hz: float) -> NDArray[np.complex128]:
    """Complex Morlet wavelet without a mean, of norm sqrt(2), an odd number of samples."""
    sd_s = cycles / (2.0 * np.pi * hz)
    half = np.arange(0.0, REACH_SD * sd_s, 1.0 / fs_hz)
    t = np.concatenate([-half[:0:-1], half])
    wave = (np.exp(2j * np.pi * hz * t) - np.exp(-0.5 * cycles**2)) * np.exp(-0.5 * (t / sd_s) ** 2)
    return np.asarray(wave * np.sqrt(2.0) / np.linalg.norm(wave))


def morlet_power(x: NDArray[Any], fs_hz: float, hz: Sequence[float], cycles: Sequence[float]) -> NDArray[np.float32]:
    """
    Power of Morlet wavelets at every sample, as `mne.time_frequency.tfr_array_morlet` computes it.

    Parameters
    ----------
    x : (..., n)
        Signal.
    fs_hz
        Rate [Hz].
    hz, cycles
        Centre [Hz] and number of cycles of each wavelet; its standard deviation in time is ``cycles / (2 pi hz)``.

    Returns
    -------
    (..., n_wavelets, n) float32
        Squared modulus [unit of x, squared]; within a wavelet's half length of the ends, zeros were taken for what lies
        beyond.

    References
    ----------
    Tallon-Baudry et al. (1997), Oscillatory gamma-band activity induced by a visual search task in humans,
    doi:10.1523/JNEUROSCI.17-02-00722.1997.

    Examples
    --------
    >>> x = np.sin(2 * np.pi * 10 * np.arange(500) / 250)
    >>> power = morlet_power(x, 250.0, [5.0, 10.0], [3.0, 5.0])
    >>> power.shape, bool(power[1, 250] > 100 * power[0, 250])
    ((2, 500), True)
    """
    wavelets = [_wavelet(float(f), float(c), fs_hz) for f, c in zip(hz, cycles, strict=True)]
    n = x.shape[-1]
    size = next_fast_len(n + max(w.size for w in wavelets) - 1)
    return _power(np.asarray(x, dtype=np.float32), wavelets, size, 0, n)


def _power(
    x: NDArray[np.float32], wavelets: Sequence[NDArray[np.complex128]], size: int, first: int, n: int
) -> NDArray[np.float32]:
    """Power of wavelets centred on samples ``first`` to ``first + n``, by transforms of ``size`` samples."""
    spectrum = fft(x, size)
    power = np.empty((*x.shape[:-1], len(wavelets), n), dtype=np.float32)
    for j, wavelet in enumerate(wavelets):
        begin = first + wavelet.size // 2
        y = ifft(spectrum * fft(wavelet, size).astype(np.complex64), overwrite_x=True)[..., begin : begin + n]
        power[..., j, :] = y.real**2 + y.imag**2
    return power


def _interval(span_s: tuple[float, float]) -> str:
    """Name of an interval, in milliseconds."""
    return "-".join(f"{1000 * s:.0f}" for s in span_s)


def time_frequency_names(names: Sequence[str] = (), *, by: By = "region") -> tuple[str, ...]:
    """
    Columns of `time_frequency_columns`, in order.

    Examples
    --------
    >>> time_frequency_names()[:2], len(time_frequency_names())
    (('eeg_ersp_theta_0-200_db_frontal', 'eeg_ersp_theta_200-500_db_frontal'), 60)
    """
    return tuple(
        f"eeg_ersp_{band}_{_interval(span)}_db_{place}"
        for place in place_names(names, by=by)
        for band in FREQUENCIES_HZ
        for span in INTERVALS_S
    )


def time_frequency_columns(clean: CleanEeg, occasions: Occasions, *, by: By = "region") -> dict[str, Column]:
    """
    Event-related spectral perturbation: power of each band in intervals after the event, in dB of the baseline before it.

    Power is averaged over the samples of the interval and of the baseline (-0.7 to -0.2 s) and divided, wavelet by wavelet;
    the decibels are averaged over the wavelets of a band and over the channels of a place.

    In white noise, where nothing changes, one value of one channel scatters by 2 to 4 dB, and its mean is -0.7, -0.4 and
    0.0 dB in the three intervals, because the logarithm of a short mean is lower on average than that of a long one:
    compare kinds of events with each other, not with 0.

    Parameters
    ----------
    clean, occasions
        A recording, and the events in it. Only `Occasions.at_s` is used, not the windows.
    by
        Per region, per channel, or both.

    Returns
    -------
    dict
        ``eeg_ersp_<band>_<from>-<to>_db_<place>``, from and to in ms, in the order of `time_frequency_names`. Refused where
        any wavelet of the band, with the whole of its length, reaches beyond the recording or onto missing samples.

    References
    ----------
    Makeig (1993), Auditory event-related dynamics of the EEG spectrum and effects of exposure to tones,
    doi:10.1016/0013-4694(93)90110-H.
    """
    names = time_frequency_names(clean.channels, by=by)
    if clean.refused or not len(occasions):
        return nothing(names, len(occasions), clean.refused)
    columns: dict[str, Column] = {}
    for band, hz in FREQUENCIES_HZ.items():
        decibels, counts, reason = _band(clean, occasions, band, hz)
        for place, members in places(clean.channels, by=by).items():
            lacking = why_lacking(clean, place, members)
            for j, span in enumerate(INTERVALS_S):
                mean = mean_of(decibels[:, members, j], counts[:, members])
                columns[f"eeg_ersp_{band}_{_interval(span)}_db_{place}"] = column_of(mean, reason, lacking)
    return {name: columns[name] for name in names}


def _band(
    clean: CleanEeg, occasions: Occasions, band: str, hz: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.str_]]:
    """Decibels ``(k, n_channels, n_intervals)``, the channels that count, and reasons ``(k,)`` of one band."""
    fs_hz, k = clean.fs_hz, len(occasions)
    decibels = np.full((k, len(clean.channels), len(INTERVALS_S)), np.nan)
    counts = np.zeros(decibels.shape[:2], dtype=bool)
    if BANDS_HZ[band][1] > fs_hz / 2:
        return decibels, counts, np.full(k, f"rate {fs_hz:.3g} Hz, {band} needs {2 * BANDS_HZ[band][1]:g} Hz")
    wavelets = [_wavelet(f, n_cycles(f), fs_hz) for f in hz]
    reach = max(w.size for w in wavelets) // 2
    spans = [lags(fs_hz, *span) for span in (*INTERVALS_S, BASELINE_S)]
    first, last = min(int(s[0]) for s in spans), max(int(s[-1]) for s in spans)
    what = f"reach of {band} wavelets"
    n = last - first + 1
    if n + 2 * reach > clean.t.size:
        return decibels, counts, either(occasions.eventless(), np.full(k, f"{what} leaves the recording"))
    counts = counting(clean, occasions.around((reach - first) / fs_hz, (last + reach) / fs_hz))
    average = np.zeros((n, len(spans)), dtype=np.float32)
    for j, span in enumerate(spans):
        average[span - first, j] = 1.0 / span.size
    # The transform is as short as the epoch: what wraps around reaches the outer samples only, which nobody looks at.
    size = next_fast_len(n + 2 * reach)
    for which, x in epochs(clean, event_samples(clean, occasions.at_s), first - reach, last + reach):
        power = (_power(x, wavelets, size, reach, n) @ average).astype(np.float64)
        baseline = power[..., -1:]
        ratio = np.divide(power[..., :-1], baseline, out=np.full_like(power[..., :-1], np.nan), where=baseline > 0)
        log = np.log10(ratio, out=np.full_like(ratio, np.nan), where=ratio > 0)
        decibels[which] = 10.0 * log.mean(axis=2).swapaxes(0, 1)
    return decibels, counts, event_reasons(clean, occasions, first - reach, last + reach, what=what)
