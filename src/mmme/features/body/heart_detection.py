"""
R peaks and pulses of a whole recording.

Only NeuroKit2's cleaners and peak finders are used, once per recording and at a lower rate; what they find is then moved
to where it is in the samples as recorded. Its ``*_process`` functions and ``hrv()`` are not used: they spend most of their time on
delineation, quality and entropies that no short window supports, and some of their defaults are relative to the recording
(thresholds) or to its length (normalised HRV power).

References
----------
Makowski et al. (2021), NeuroKit2, doi:10.3758/s13428-020-01516-y.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.features.sampling import Regular, decimated

__all__ = ["ECG_HZ", "PPG_HZ", "ecg_beats", "ppg_pulses"]

# Lower rates are faster; peaks are moved back onto the samples as recorded.
ECG_HZ = 250.0
PPG_HZ = 100.0

#: What the peak finders raise when a signal holds no peaks at all (white noise, a ramp).
NO_PEAKS = (IndexError, ValueError, ZeroDivisionError)

Times = NDArray[np.float64]
Index = NDArray[np.int64]


def ecg_beats(signal: Regular) -> tuple[Times, bool]:
    """
    Find R peaks.

    Detected at about 250 Hz, then moved to the maximum (minimum where the ECG is upside down) of the samples as recorded,
    within 12 ms; on real ECG this agrees within 2 ms with detection at 1000 Hz.

    Parameters
    ----------
    signal
        ECG in V at its own rate.

    Returns
    -------
    t_s : (n_beats,) float64
        Times of the R peaks [s].
    inverted
        True where the largest deflections point down.

    Examples
    --------
    >>> import neurokit2 as nk
    >>> x = nk.ecg_simulate(duration=20, sampling_rate=250, heart_rate=60, random_state=1)
    >>> t = np.arange(x.size) / 250
    >>> beats, inverted = ecg_beats(Regular(t, x * 1e-3, np.zeros(x.size, dtype=bool), 250.0))
    >>> 19 <= beats.size <= 21, inverted
    (True, False)
    """
    import neurokit2 as nk

    coarse = decimated(signal, ECG_HZ)
    clean: NDArray[np.float64] = np.asarray(nk.ecg_clean(coarse.x, sampling_rate=coarse.fs_hz))
    inverted = _points_down(clean, int(2 * coarse.fs_hz))
    sign = -1.0 if inverted else 1.0
    try:
        found: dict[str, Any] = nk.ecg_peaks(sign * clean, sampling_rate=coarse.fs_hz)[1]
    except NO_PEAKS:
        return np.empty(0), inverted
    peaks: Index = np.asarray(found["ECG_R_Peaks"], dtype=np.int64)
    q = round(signal.fs_hz / coarse.fs_hz)
    reach = max(1, round(0.012 * signal.fs_hz))
    near = peaks[:, None] * q + np.arange(-reach, reach + 1)
    near = np.clip(near, 0, signal.x.size - 1)
    fine = np.take_along_axis(near, np.argmax(sign * signal.x[near], axis=1)[:, None], axis=1)[:, 0]
    return signal.t[np.unique(fine)], inverted


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
