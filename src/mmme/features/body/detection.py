"""
Beats and skin conductance of a whole recording.

Only its cleaners and peak finders are used, once per recording. Its ``*_process`` functions and ``hrv()`` are not: they
spend most of their time on delineation, quality and entropies that no short window supports, and some of their defaults
are relative to the recording (thresholds) or to its length (normalised HRV power).

References
----------
Makowski et al. (2021), NeuroKit2, doi:10.3758/s13428-020-01516-y.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from mmme.features.sampling import Regular, decimated

__all__ = [
    "ECG_HZ",
    "EDA_HZ",
    "PPG_HZ",
    "FoundBeats",
    "corrected_beats",
    "eda_levels",
    "eda_responses",
    "find_beats",
    "ppg_pulses",
]

# Lower rates are faster; ECG peaks are moved back onto the samples as recorded, the others need no finer time.
ECG_HZ = 250.0
PPG_HZ = 100.0
EDA_HZ = 50.0

#: What the peak finders raise when a signal holds no peaks at all (white noise, a ramp).
NO_PEAKS = (IndexError, ValueError, ZeroDivisionError)

#: Fewer cannot be compared with their neighbours.
LEAST_BEATS = 20

Times = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class FoundBeats:
    """
    R peaks, and the cleaned recording they were found in.

    Parameters
    ----------
    t_s : (n_beats,) float64
        Times of the R peaks [s], to a sample as recorded.
    places : (n_beats,) int64
        Where they are in ``clean``.
    clean : (n,) float64
        At about 250 Hz, upright.
    coarse
        The recording at that rate, as it was.
    inverted
        True where the largest deflections point down.
    """

    t_s: Times
    places: Index
    clean: NDArray[np.float64]
    coarse: Regular
    inverted: bool


def find_beats(signal: Regular) -> FoundBeats:
    """
    Find R peaks.

    Detected at about 250 Hz, then moved to the maximum (minimum where the ECG is upside down) of the samples as recorded,
    within 12 ms; on real ECG this agrees within 2 ms with detection at 1000 Hz.

    Parameters
    ----------
    signal
        ECG in V at its own rate.

    Examples
    --------
    >>> import neurokit2 as nk
    >>> x = nk.ecg_simulate(duration=20, sampling_rate=250, heart_rate=60, random_state=1)
    >>> t = np.arange(x.size) / 250
    >>> found = find_beats(Regular(t, x * 1e-3, np.zeros(x.size, dtype=bool), 250.0))
    >>> 19 <= found.t_s.size <= 21, found.inverted
    (True, False)
    """
    import neurokit2 as nk

    coarse = decimated(signal, ECG_HZ)
    clean: NDArray[np.float64] = np.asarray(nk.ecg_clean(coarse.x, sampling_rate=coarse.fs_hz))
    inverted = _points_down(clean, int(2 * coarse.fs_hz))
    sign = -1.0 if inverted else 1.0
    clean = sign * clean
    nothing = np.empty(0, dtype=np.int64)
    try:
        found: dict[str, Any] = nk.ecg_peaks(clean, sampling_rate=coarse.fs_hz)[1]
    except NO_PEAKS:
        return FoundBeats(np.empty(0), nothing, clean, coarse, inverted)
    peaks: Index = np.asarray(found["ECG_R_Peaks"], dtype=np.int64)
    q = round(signal.fs_hz / coarse.fs_hz)
    reach = max(1, round(0.012 * signal.fs_hz))
    near = peaks[:, None] * q + np.arange(-reach, reach + 1)
    near = np.clip(near, 0, signal.x.size - 1)
    fine = np.take_along_axis(near, np.argmax(sign * signal.x[near], axis=1)[:, None], axis=1)[:, 0]
    _, kept = np.unique(fine, return_index=True)
    return FoundBeats(signal.t[fine[kept]], peaks[kept], clean, coarse, inverted)


def corrected_beats(t_s: Times) -> Times:
    """
    Correct beats that were missed, invented or misplaced, by the rules of Kubios.

    Parameters
    ----------
    t_s : (n,)
        Times of beats [s].

    Returns
    -------
    (m,) float64
        Times [s]; as given where there are too few to compare.

    References
    ----------
    Lipponen & Tarvainen (2019), doi:10.1080/03091902.2019.1640306.

    Examples
    --------
    >>> t = np.delete(np.arange(40.0) * 0.8, 20)
    >>> corrected_beats(t).size
    40
    """
    import neurokit2 as nk

    if t_s.size < LEAST_BEATS:
        return t_s
    at_ms = np.unique(np.rint((t_s - t_s[0]) * 1e3).astype(np.int64))
    try:
        made = nk.signal_fixpeaks(at_ms, sampling_rate=1000, iterative=True, method="Kubios")[1]
    except NO_PEAKS:
        return t_s
    times = np.unique(np.asarray(made, dtype=np.float64)) * 1e-3 + t_s[0]
    # beats that were left alone keep their own time, to the sample
    nearest = np.clip(np.searchsorted(t_s, times), 1, t_s.size - 1)
    nearest -= times - t_s[nearest - 1] < t_s[nearest] - times
    same = np.abs(t_s[nearest] - times) < 1e-3
    times[same] = t_s[nearest[same]]
    return np.unique(times)


def _points_down(clean: NDArray[np.float64], block: int) -> bool:
    """Tell whether the largest deflection of most blocks (each long enough for a beat) is negative."""
    rows = clean[: clean.size // block * block].reshape(-1, block)
    largest = np.take_along_axis(rows, np.argmax(np.abs(rows), axis=1)[:, None], axis=1)
    return bool(np.median(largest) < 0)


def ppg_pulses(signal: Regular) -> tuple[Index, Index, NDArray[np.float64], NDArray[np.bool_], Regular]:
    """
    Find systolic peaks and the foot before each.

    The detector's threshold is a share of the mean power of the recording, so one artefact could hide all pulses: the
    samples it sees are limited to 3 times the 90th percentile of the cleaned magnitude; where that was needed is returned.

    Parameters
    ----------
    signal
        PPG at its own rate.

    Returns
    -------
    peaks, feet : (n_pulses,) int64
        Sample numbers at the lower rate; each foot is the minimum since the previous peak, at most 1 s before its peak.
    clean : (n,) float64
        Band-passed signal (0.5 to 8 Hz).
    limited : (n,) bool
        Samples that were limited for detection.
    coarse
        The signal at the lower rate.
    """
    import neurokit2 as nk

    coarse = decimated(signal, PPG_HZ)
    clean: NDArray[np.float64] = np.asarray(nk.ppg_clean(coarse.x, sampling_rate=coarse.fs_hz))
    limit = 3.0 * float(np.percentile(np.abs(clean), 90))
    limited = np.abs(clean) > limit
    try:
        found = nk.ppg_peaks(np.clip(clean, -limit, limit), sampling_rate=coarse.fs_hz)[1]
    except NO_PEAKS:
        nothing = np.empty(0, dtype=np.int64)
        return nothing, nothing, clean, limited, coarse
    peaks: Index = np.asarray(found["PPG_Peaks"], dtype=np.int64)
    reach = round(coarse.fs_hz)
    since = np.maximum(np.concatenate([[0], peaks[:-1]]), peaks - reach)[: peaks.size]
    feet = np.array([a + int(np.argmin(clean[a : b + 1])) for a, b in zip(since, peaks, strict=True)], dtype=np.int64)
    return peaks, feet, clean, limited, coarse


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
