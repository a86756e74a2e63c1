"""
Skin conductance of a whole recording.

Only its cleaners and peak finders are used, once per recording. Its ``*_process`` functions and ``hrv()`` are not: they
spend most of their time on delineation, quality and entropies that no short window supports, and some of their defaults
are relative to the recording (thresholds) or to its length (normalised HRV power).

References
----------
Makowski et al. (2021), NeuroKit2, doi:10.3758/s13428-020-01516-y.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from mmme.features.sampling import Regular

__all__ = ["EDA_HZ", "eda_levels", "eda_responses"]

# Lower rates are faster, and conductance needs no finer time.
EDA_HZ = 50.0

Index = NDArray[np.int64]


def eda_levels(coarse: Regular) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """
    Split skin conductance into cleaned, tonic and phasic, each ``(n,)`` [µS].

    Cleaned: below 3 Hz. Tonic and phasic: below and above 0.05 Hz, zero-phase Butterworth filters.

    Parameters
    ----------
    coarse
        EDA in µS at about 50 Hz, artefacts bridged.
    """
    import neurokit2 as nk

    clean = coarse.x
    if coarse.fs_hz >= 7.0:  # the cleaner needs 3 Hz well below half the rate; slower recordings hold nothing above it
        clean = np.asarray(nk.eda_clean(coarse.x, sampling_rate=coarse.fs_hz))
    parts = nk.eda_phasic(clean, sampling_rate=coarse.fs_hz, method="highpass")
    return clean, parts["EDA_Tonic"].to_numpy(), parts["EDA_Phasic"].to_numpy()


def eda_responses(
    clean: NDArray[np.float64], fs_hz: float, *, threshold_us: float, rise_max_s: float = 5.0
) -> tuple[Index, Index, NDArray[np.float64]]:
    """
    Find skin conductance responses by an absolute threshold, trough to peak.

    A threshold relative to the largest response of the recording (the default elsewhere) lets one artefact hide all
    responses. Here a peak counts when conductance rises to it and falls from it by at least ``threshold_us``.

    Parameters
    ----------
    clean : (n,)
        Low-passed conductance [µS].
    fs_hz
        Its rate [Hz].
    threshold_us
        Smallest response [µS].
    rise_max_s
        The trough is the minimum within this time before the peak, after the previous peak.

    Returns
    -------
    onsets, peaks : (m,) int64
        Sample numbers; the onset is the last sample below a tenth of the rise.
    amplitudes : (m,) float64
        Peak minus trough [µS].

    References
    ----------
    Boucsein (2012), Electrodermal Activity, doi:10.1007/978-1-4614-1126-0.

    Examples
    --------
    >>> t = np.arange(0, 20, 0.02)
    >>> rise = np.where(t > 5, 0.3 * (np.exp(-(t - 5) / 4) - np.exp(-(t - 5) / 0.7)), 0.0)
    >>> onsets, peaks, amplitudes = eda_responses(3.0 + rise, 50.0, threshold_us=0.02)
    >>> round(float(t[onsets[0]]), 1), amplitudes.size
    (5.0, 1)
    """
    peaks, _ = find_peaks(clean, prominence=threshold_us)
    onsets, amplitudes = np.empty(peaks.size, dtype=np.int64), np.empty(peaks.size)
    previous, reach = 0, round(rise_max_s * fs_hz)
    for i, peak in enumerate(peaks):
        begin = max(previous, int(peak) - reach)
        rise = clean[begin : peak + 1]
        low = float(rise.min())
        amplitudes[i] = clean[peak] - low
        onsets[i] = begin + int(np.flatnonzero(rise <= low + 0.1 * amplitudes[i])[-1])
        previous = int(peak)
    return onsets, np.asarray(peaks, dtype=np.int64), amplitudes
