"""
Power of the rhythms of the EEG in windows: absolute, as a share of the whole, and as differential entropy.

All three are made of the same mean densities of the bands, over the full window. Differential entropy is absolute power in
another unit, half of its logarithm plus a constant per band, so the two together add nothing to a linear model.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmme.features.brain.clean import CleanEeg
from mmme.features.brain.places import By, Measure, window_columns, window_names
from mmme.features.brain.spectra import BANDS_HZ, CYCLES, Method, log_band_power
from mmme.features.tables import Column
from mmme.features.windows import Occasions, Windows

__all__ = [
    "band_power_columns",
    "band_power_names",
    "differential_entropy_columns",
    "differential_entropy_names",
    "log_densities",
    "relative_power_columns",
    "relative_power_names",
]

WIDTHS_HZ = np.array([high - low for low, high in BANDS_HZ.values()])
_NEEDS_S = {band: CYCLES / low for band, (low, _) in BANDS_HZ.items()}
_LOWEST = next(iter(BANDS_HZ))
_ABSOLUTE = [Measure(band, band, _NEEDS_S[band], high) for band, (_, high) in BANDS_HZ.items()]
_ENTROPY = [Measure(f"de_{band}", band, _NEEDS_S[band], high) for band, (_, high) in BANDS_HZ.items()]
#: A share of 1 to 45 Hz needs 3 cycles of 1 Hz, whatever its band, and a rate that reaches 45 Hz.
_RELATIVE = [
    Measure(f"relative_{band}", f"a share of {next(iter(BANDS_HZ.values()))[0]:g}-45 Hz", _NEEDS_S[_LOWEST], 45.0)
    for band in BANDS_HZ
]


def log_densities(clean: CleanEeg, windows: Windows, *, method: Method = "multitaper") -> NDArray[np.float64]:
    """Natural logarithm of the mean density of each band [ln µV²/Hz], ``(k, n_channels, n_bands)``."""
    grid = clean.grid
    n = min(windows.n_samples(grid), grid.t.size)
    return log_band_power(clean.x, windows.first_sample(grid), n, clean.fs_hz, method=method)


def band_power_names(names: Sequence[str] = (), *, by: By = "region") -> tuple[str, ...]:
    """
    Columns of `band_power_columns`, in order.

    Examples
    --------
    >>> band_power_names()[:2], len(band_power_names())
    (('eeg_delta_frontal', 'eeg_delta_frontal_change'), 50)
    """
    return window_names(_ABSOLUTE, names, by=by)


def band_power_columns(
    clean: CleanEeg, occasions: Occasions, *, by: By = "region", method: Method = "multitaper"
) -> dict[str, Column]:
    """
    Log band power of each window, and its change from the baseline.

    Parameters
    ----------
    clean, occasions
        A recording, and the windows to describe.
    by
        Per region (mean of the logarithms of its channels), per channel, or both.
    method
        ``"multitaper"`` or ``"welch"``, see `mmme.features.brain.spectra.over_spectra`.

    Returns
    -------
    dict
        ``eeg_<band>_<place>`` [ln µV²/Hz] and the same with ``_change``, in the order of `band_power_names`. A band whose
        lowest frequency has fewer than 3 cycles in the window is refused.

    Examples
    --------
    >>> from mmme.features.quality import Verdict
    >>> t = np.arange(2500) / 250
    >>> x = (10 * np.sin(2 * np.pi * 10 * t)[None] + np.zeros((2, 1))).astype(np.float32)
    >>> fine = Verdict(0.0, np.zeros((2, 10), dtype=np.uint8), ())
    >>> flat = np.zeros(2, dtype=bool)
    >>> muscle = np.zeros((2, 0), dtype=np.float32)
    >>> clean = CleanEeg(t, x, t < 0, 250.0, ("O1", "O2"), flat, {}, (), muscle, fine, {})
    >>> o = Occasions(Windows(np.array([4.0]), 2.0), None, np.array([4.0]))
    >>> columns = band_power_columns(clean, o)
    >>> columns["eeg_delta_occipital"][1].tolist(), round(float(columns["eeg_alpha_occipital"][0][0]), 1)
    (['window 2 s, delta needs 3 s'], 2.3)
    """
    return window_columns(clean, occasions, _ABSOLUTE, lambda c, w: log_densities(c, w, method=method), by=by)


def relative_power_names(names: Sequence[str] = (), *, by: By = "region") -> tuple[str, ...]:
    """Columns of `relative_power_columns`, in order."""
    return window_names(_RELATIVE, names, by=by)


def relative_power_columns(
    clean: CleanEeg, occasions: Occasions, *, by: By = "region", method: Method = "multitaper"
) -> dict[str, Column]:
    """
    Share of each band in the power from 1 to 45 Hz, 0 to 1, and its change from the baseline.

    The shares of one channel add up to 1. The whole contains 1 Hz, so every share needs a window of 3 s.

    Parameters
    ----------
    clean, occasions, by, method
        As in `band_power_columns`.

    Returns
    -------
    dict
        ``eeg_relative_<band>_<place>`` and the same with ``_change``, in the order of `relative_power_names`.
    """

    def shares(clean: CleanEeg, windows: Windows) -> NDArray[np.float64]:
        power = np.exp(log_densities(clean, windows, method=method)) * WIDTHS_HZ
        return np.asarray(power / power.sum(axis=2, keepdims=True))

    return window_columns(clean, occasions, _RELATIVE, shares, by=by)


def differential_entropy_names(names: Sequence[str] = (), *, by: By = "region") -> tuple[str, ...]:
    """Columns of `differential_entropy_columns`, in order."""
    return window_names(_ENTROPY, names, by=by)


def differential_entropy_columns(
    clean: CleanEeg, occasions: Occasions, *, by: By = "region", method: Method = "multitaper"
) -> dict[str, Column]:
    """
    Differential entropy of each band, ``0.5 ln(2 pi e v)`` of its variance ``v`` [µV²], and its change from the baseline.

    It is that of a Gaussian signal; the variance is the mean density of the band times its width.

    Parameters
    ----------
    clean, occasions, by, method
        As in `band_power_columns`.

    Returns
    -------
    dict
        ``eeg_de_<band>_<place>`` [nat] and the same with ``_change``, in the order of `differential_entropy_names`.

    References
    ----------
    Duan, Zhu, Lu (2013), Differential entropy feature for EEG-based emotion classification, doi:10.1109/NER.2013.6695876.
    """
    return window_columns(clean, occasions, _ENTROPY, lambda c, w: entropies(c, w, method=method), by=by)


def entropies(clean: CleanEeg, windows: Windows, *, method: Method = "multitaper") -> NDArray[np.float64]:
    """Differential entropy of each band [nat], ``(k, n_channels, n_bands)``."""
    return np.asarray(0.5 * (np.log(2 * np.pi * np.e * WIDTHS_HZ) + log_densities(clean, windows, method=method)))
