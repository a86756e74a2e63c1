"""
R peaks and pulses of a whole recording.

Only NeuroKit2's cleaners and peak finders are used, once per recording and at a lower rate; what they find is then moved
to where it is in the samples as recorded. Its ``*_process`` functions and ``hrv()`` are not used: they spend most of their
time on delineation, quality and entropies that no short window supports, and some of their defaults are relative to the
recording (thresholds) or to its length (normalised HRV power).

References
----------
Makowski et al. (2021), NeuroKit2, doi:10.3758/s13428-020-01516-y.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mmme.features.sampling import Regular, decimated

__all__ = ["ECG_HZ", "PPG_HZ", "FoundBeats", "ecg_beats", "find_beats", "ppg_pulses"]

# Lower rates are faster; peaks are moved back onto the samples as recorded.
ECG_HZ = 250.0
PPG_HZ = 100.0

#: What the peak finders raise when a signal holds no peaks at all (white noise, a ramp).
NO_PEAKS = (IndexError, ValueError, ZeroDivisionError)

#: A peak of the lower rate is this near to that of the recording [s].
NEAR_S = 0.012
#: Mains hum is taken out by two moving means of one of its cycles [Hz], as in the cleaner.
MAINS_HZ = 50.0

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

    Detected at about 250 Hz, then moved, by at most 12 ms, to the maximum (minimum where the ECG is upside down) of the
    recording at its own rate, smoothed as the cleaner does. The largest sample itself is the R peak only where there is no
    noise: with noise of 3 % of the R wave it is 1.2 ms off (standard deviation), the smoothed one 0.3 ms.

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
        found: dict[str, Any] = nk.ecg_findpeaks(clean, sampling_rate=coarse.fs_hz)
    except NO_PEAKS:
        return FoundBeats(np.empty(0), nothing, clean, coarse, inverted)
    peaks: Index = np.asarray(found["ECG_R_Peaks"], dtype=np.int64)
    fine = _sharpened(sign, signal, peaks * round(signal.fs_hz / coarse.fs_hz))
    _, kept = np.unique(fine, return_index=True)
    return FoundBeats(signal.t[fine[kept]], peaks[kept], clean, coarse, inverted)


def _sharpened(sign: float, signal: Regular, near: Index) -> Index:
    """Move each place to the largest sample of the smoothed recording within 12 ms."""
    reach = max(1, round(NEAR_S * signal.fs_hz))
    mean = np.ones(max(1, int(signal.fs_hz / MAINS_HZ)))
    kernel = np.convolve(mean, mean) / mean.size**2  # of odd length: it moves nothing
    side = kernel.size // 2
    last = signal.x.size - 1
    rows = signal.x[np.clip(near[:, None] + np.arange(-reach - side, reach + side + 1), 0, last)]
    smooth = sliding_window_view(rows, kernel.size, axis=1) @ kernel
    return np.asarray(np.clip(near + np.argmax(sign * smooth, axis=1) - reach, 0, last), dtype=np.int64)


def ecg_beats(signal: Regular) -> tuple[Times, bool]:
    """
    Find R peaks; the times [s] of `find_beats`, and whether the ECG is upside down.

    Examples
    --------
    >>> import neurokit2 as nk
    >>> x = nk.ecg_simulate(duration=20, sampling_rate=250, heart_rate=60, random_state=1)
    >>> t = np.arange(x.size) / 250
    >>> ecg_beats(Regular(t, x * 1e-3, np.zeros(x.size, dtype=bool), 250.0))[1]
    False
    """
    found = find_beats(signal)
    return found.t_s, found.inverted


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
        found = nk.ppg_findpeaks(np.clip(clean, -limit, limit), sampling_rate=coarse.fs_hz)
    except NO_PEAKS:
        nothing = np.empty(0, dtype=np.int64)
        return nothing, nothing, clean, limited, coarse
    peaks: Index = np.asarray(found["PPG_Peaks"], dtype=np.int64)
    reach = round(coarse.fs_hz)
    since = np.maximum(np.concatenate([[0], peaks[:-1]]), peaks - reach)[: peaks.size]
    feet = np.array([a + int(np.argmin(clean[a : b + 1])) for a, b in zip(since, peaks, strict=True)], dtype=np.int64)
    return peaks, feet, clean, limited, coarse
