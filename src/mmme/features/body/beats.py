"""
Rates from moments that recur (R peaks, pulses, breaths), and their variability.

The rate of a window is the number of intervals in it, counted in fractions, over their time: intervals that only partly
lie in the window weigh by the part that does. Intervals that cannot be physiological, or that span missing samples, are
set aside: neither their time nor their count enters, and a window of which they leave too little has no rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import median_filter
from scipy.signal import periodogram

from mmme.features.sampling import Regular
from mmme.features.windows import Windows, either, first_reason, slope, unusable

__all__ = [
    "Beats",
    "beat_reasons",
    "beats_from",
    "course_at",
    "interval_spectra",
    "log_ratio",
    "mean_per_window",
    "near",
    "rate",
    "rate_course",
    "rate_slope",
    "rmssd_sdnn",
    "spectral_power",
]

#: Intervals that differ by more than this share from the median of the 11 around them are missed or extra beats.
ODD_SHARE = 0.30
NEIGHBOURS = 11
#: A window needs accepted intervals over at least this share of its time.
COVERED_SHARE = 0.70
#: Rate at which courses of rates are sampled [Hz]; Task Force of the ESC and NASPE (1996), doi:10.1161/01.CIR.93.5.1043.
COURSE_HZ = 4.0
#: Beats to both sides of a window that its spline is laid through.
KNOTS = 30


@dataclass(frozen=True, slots=True, eq=False)
class Beats:
    """
    Moments that recur and which intervals between them are accepted.

    Parameters
    ----------
    t_s : (b,) float64
        Times [s], increasing.
    accepted : (b - 1,) bool
        One per interval from a moment to the next.
    """

    t_s: NDArray[np.float64]
    accepted: NDArray[np.bool_]

    @property
    def interval_s(self) -> NDArray[np.float64]:
        """Lengths of the intervals [s]; ``(b - 1,)``."""
        return np.diff(self.t_s)

    def count(self, windows: Windows) -> NDArray[np.int64]:
        """Count the moments in each window; ``(k,)``."""
        first, last = np.searchsorted(self.t_s, [windows.start_s, windows.stop_s], side="left")
        return np.asarray(last - first, dtype=np.int64)


def beats_from(t_s: NDArray[np.float64], signal: Regular, *, shortest_s: float, longest_s: float, even: bool) -> Beats:
    """
    Accept or set aside each interval.

    Parameters
    ----------
    t_s
        Times of the moments [s].
    signal
        What they were found in; intervals over its bad samples are set aside.
    shortest_s, longest_s
        Physiological limits of an interval [s].
    even
        Also set aside intervals that stand out from their neighbours by more than 30 % (heart beats; breaths may).

    Examples
    --------
    >>> s = Regular(np.arange(100) / 10, np.zeros(100), np.zeros(100, dtype=bool), 10.0)
    >>> beats_from(np.array([0.0, 1.0, 2.0, 4.5, 5.5]), s, shortest_s=0.3, longest_s=2.0, even=True).accepted.tolist()
    [True, True, False, True]
    """
    interval = np.diff(t_s)
    accepted = (interval >= shortest_s) & (interval <= longest_s)
    if even and interval.size:
        usual = median_filter(interval, size=NEIGHBOURS, mode="nearest")
        accepted &= np.abs(interval - usual) <= ODD_SHARE * usual
    if signal.bad.any():
        count = np.concatenate([[0], np.cumsum(signal.bad)])
        at = np.searchsorted(signal.t, t_s)
        accepted &= count[at[1:]] == count[at[:-1]] if t_s.size else accepted
    return Beats(t_s=t_s, accepted=accepted)


def rate(beats: Beats, windows: Windows) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """
    Mean rate of each window.

    Returns
    -------
    per_minute : (k,) float64
        60 times accepted intervals over accepted seconds; NaN where there are none.
    n_intervals : (k,) float64
        Accepted intervals, in fractions.
    covered : (k,) float64
        Share of the window's time that accepted intervals cover.

    Examples
    --------
    >>> b = Beats(np.arange(0.0, 10.0, 0.8), np.ones(12, dtype=bool))
    >>> r, n, share = rate(b, Windows(np.array([2.0]), 4.0))
    >>> round(float(r[0]), 3), round(float(n[0]), 3), round(float(share[0]), 3)
    (75.0, 5.0, 1.0)
    """
    k = windows.start_s.size
    if beats.t_s.size < 2:
        return np.full(k, np.nan), np.zeros(k), np.zeros(k)
    elapsed = np.concatenate([[0.0], np.cumsum(beats.interval_s * beats.accepted)])
    number = np.concatenate([[0.0], np.cumsum(beats.accepted, dtype=np.float64)])
    seconds = np.interp(windows.stop_s, beats.t_s, elapsed) - np.interp(windows.start_s, beats.t_s, elapsed)
    n_intervals = np.interp(windows.stop_s, beats.t_s, number) - np.interp(windows.start_s, beats.t_s, number)
    per_minute = np.full(k, np.nan)
    np.divide(60.0 * n_intervals, seconds, out=per_minute, where=seconds > 0)
    return per_minute, n_intervals, seconds / windows.duration_s


def beat_reasons(
    beats: Beats,
    signal: Regular,
    windows: Windows,
    *,
    flat: float,
    what: str = "window",
    least: int = 2,
    word: str = "beats",
) -> NDArray[np.str_]:
    """
    Say for each window why it has no rate; the empty string where it has one.

    Parameters
    ----------
    beats, signal, windows
        What recurs, what it was found in, and ``k`` windows.
    flat
        Range at or below which the signal is flat, in its unit.
    what, word
        What the windows and the moments are called in the reason.
    least
        Moments a window needs.
    """
    counted = first_reason(
        windows.start_s.size,
        (beats.count(windows) < least, f"fewer than {least} {word} in the {what}"),
        (rate(beats, windows)[2] < COVERED_SHARE, f"accepted {word} cover less than {COVERED_SHARE:.0%} of the {what}"),
    )
    return either(unusable(signal, windows, flat=flat, what=what), counted)


def rate_course(beats: Beats, windows: Windows) -> NDArray[np.float64]:
    """
    Rate [1/min] at 4 Hz through each window, ``(k, n)``: straight lines between the middles of accepted intervals.

    Rows are NaN where fewer than two intervals were accepted in the recording.
    """
    n = max(2, round(windows.duration_s * COURSE_HZ))
    return course_at(beats, windows.start_s[:, None] + (np.arange(n) + 0.5) * (windows.duration_s / n))


def course_at(beats: Beats, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Rate [1/min] at given times [s], of any shape: straight lines between the middles of accepted intervals.

    All are NaN where fewer than two intervals were accepted in the recording.

    Examples
    --------
    >>> beats = Beats(np.array([0.0, 1.0, 2.0, 2.5]), np.array([True, True, True]))
    >>> course_at(beats, np.array([0.5, 1.5, 2.25])).tolist()
    [60.0, 60.0, 120.0]
    """
    if beats.accepted.sum() < 2:
        return np.full(at.shape, np.nan)
    middle = (beats.t_s[:-1] + 0.5 * beats.interval_s)[beats.accepted]
    return np.asarray(np.interp(at, middle, 60.0 / beats.interval_s[beats.accepted]))


def rate_slope(beats: Beats, windows: Windows) -> NDArray[np.float64]:
    """Slope of the rate course of each window [1/min per s], ``(k,)``."""
    course = rate_course(beats, windows)
    return slope(course, windows.duration_s / course.shape[1])


def mean_per_window(t_s: NDArray[np.float64], values: NDArray[np.float64], windows: Windows) -> NDArray[np.float64]:
    """
    Mean of the finite values whose moments lie in each window, ``(k,)``; NaN where there are none.

    Examples
    --------
    >>> at, values = np.array([1.0, 2.0, 3.0]), np.array([5.0, np.nan, 7.0])
    >>> mean_per_window(at, values, Windows(np.array([0.0, 1.5]), 2.5)).tolist()
    [5.0, 7.0]
    """
    ok = np.isfinite(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(ok, values, 0.0))])
    count = np.concatenate([[0], np.cumsum(ok)])
    first, last = np.searchsorted(t_s, [windows.start_s, windows.stop_s], side="left")
    n = count[last] - count[first]
    mean = np.full(n.shape, np.nan)
    np.divide(total[last] - total[first], n, out=mean, where=n > 0)
    return mean


def log_ratio(x: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Natural logarithm of ``x / reference``; NaN unless both are above 0.

    Examples
    --------
    >>> log_ratio(np.array([2.0, 1.0]), np.array([1.0, 0.0])).round(3).tolist()
    [0.693, nan]
    """
    ok = (x > 0) & (reference > 0)
    return np.log(np.divide(x, reference, out=np.full(x.shape, np.nan), where=ok))


def rmssd_sdnn(beats: Beats, windows: Windows) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """
    Variability of the accepted intervals that lie wholly in each window.

    Returns
    -------
    rmssd_ms : (k,) float64
        Root mean square of differences of successive accepted intervals [ms].
    sdnn_ms : (k,) float64
        Standard deviation (n - 1) of accepted intervals [ms].
    set_aside : (k,) float64
        Share of the window's intervals that were not accepted; 1 where there are none.

    Examples
    --------
    >>> b = Beats(np.cumsum([0.0, 0.8, 0.9, 0.8, 0.9]), np.ones(4, dtype=bool))
    >>> r, s, aside = rmssd_sdnn(b, Windows(np.array([-1.0]), 10.0))
    >>> round(float(r[0]), 3), round(float(s[0]), 3), float(aside[0])
    (100.0, 57.735, 0.0)
    """
    k = windows.start_s.size
    if beats.t_s.size < 2:
        return np.full(k, np.nan), np.full(k, np.nan), np.ones(k)
    interval_ms, ok = beats.interval_s * 1e3, beats.accepted
    first, last = np.searchsorted(beats.t_s, [windows.start_s, windows.stop_s], side="left")
    last = np.maximum(last - 1, first)  # intervals first..last-1 lie wholly inside
    centred = np.where(ok, interval_ms - interval_ms.mean(), 0.0)  # keeps the sums of squares small
    n = _sums(ok.astype(np.float64), first, last)
    sum_1, sum_2 = _sums(centred, first, last), _sums(centred**2, first, last)
    both = ok[1:] & ok[:-1]
    step = np.where(both, np.diff(interval_ms), 0.0)
    last_step = np.maximum(last - 1, first)
    squares, n_steps = _sums(step**2, first, last_step), _sums(both.astype(np.float64), first, last_step)
    rmssd, sdnn, aside = np.full(k, np.nan), np.full(k, np.nan), np.ones(k)
    np.divide(squares, n_steps, out=rmssd, where=n_steps > 0)
    np.divide(np.maximum(sum_2 - sum_1**2 / np.maximum(n, 1), 0.0), n - 1, out=sdnn, where=n > 1)
    np.divide((last - first) - n, last - first, out=aside, where=last > first)
    return np.sqrt(np.maximum(rmssd, 0.0)), np.sqrt(sdnn), aside


def _sums(values: NDArray[Any], first: NDArray[Any], last: NDArray[Any]) -> NDArray[np.float64]:
    """Sum ``values[first:last]`` for many pairs; indices beyond the end count as the end."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(total[np.minimum(last, values.size)] - total[np.minimum(first, values.size)])


def spectral_power(beats: Beats, windows: Windows, bands_hz: tuple[tuple[float, float], ...]) -> NDArray[np.float64]:
    """
    Absolute power of the interval lengths in each band, never normalised [ms²].

    Accepted intervals are joined by a cubic spline, sampled at 4 Hz, and each window's straight line is removed; Hann
    periodogram. Power relative to the total would depend on the length of the window.

    Returns
    -------
    power_ms2 : (k, n_bands) float64
        NaN where the recording holds fewer than 4 accepted intervals or the window leaves their time.

    References
    ----------
    Task Force of the ESC and NASPE (1996), doi:10.1161/01.CIR.93.5.1043.
    """
    power = np.full((windows.start_s.size, len(bands_hz)), np.nan)
    usable, f, density = interval_spectra(beats, windows)
    for j, (low, high) in enumerate(bands_hz):
        inside = (f >= low) & (f < high)
        if usable.any():
            power[usable, j] = density[:, inside].sum(axis=1) * (f[1] - f[0])
    return power


def interval_spectra(beats: Beats, windows: Windows) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """
    Density of the interval lengths of windows; see `spectral_power`.

    Returns
    -------
    usable : (k,) bool
        Windows that have one.
    f : (n_frequencies,)
        [Hz].
    density : (n_usable, n_frequencies)
        [ms²/Hz].
    """
    none = np.zeros(windows.start_s.size, dtype=bool), np.zeros(0), np.zeros((0, 0))
    some = near(beats, windows)
    if some.accepted.sum() < 4:
        return none
    at_s, length_ms = some.t_s[1:][some.accepted], some.interval_s[some.accepted] * 1e3
    # at whole quarters of session time: a window's power does not depend on which others are asked for
    t = np.arange(np.ceil(at_s[0] * COURSE_HZ), np.ceil(at_s[-1] * COURSE_HZ)) / COURSE_HZ
    if not t.size:
        return none
    n = round(windows.duration_s * COURSE_HZ)
    # The first interval ends one beat into the recording: half an interval may be missing at either end.
    first = np.rint((np.nan_to_num(windows.start_s, nan=-1e6) - t[0]) * COURSE_HZ).astype(np.int64)
    slack = round(1.5 * COURSE_HZ)
    usable = (first >= -slack) & (first + n <= t.size + slack) & (t.size >= n)
    if not usable.any():
        return none
    course = CubicSpline(at_s, length_ms)(t)
    rows = sliding_window_view(course, n)[np.clip(first[usable], 0, t.size - n)]
    f, density = periodogram(rows, COURSE_HZ, window="hann", detrend="linear", axis=1)
    return usable, f, density


def near(beats: Beats, windows: Windows) -> Beats:
    """
    Leave out beats that no window can feel: a spline forgets what is 30 knots away, to one part in 10^16.

    Examples
    --------
    >>> b = Beats(np.arange(1000.0), np.ones(999, dtype=bool))
    >>> some = near(b, Windows(np.array([500.0]), 60.0))
    >>> some.t_s[0], some.t_s[-1], some.accepted.size
    (470.0, 589.0, 119)
    """
    known = windows.start_s[np.isfinite(windows.start_s)]
    if not known.size:
        return Beats(beats.t_s[:0], beats.accepted[:0])
    first, last = np.searchsorted(beats.t_s, [known.min(), known.max() + windows.duration_s])
    first = max(0, int(first) - KNOTS)
    last = min(beats.t_s.size, int(last) + KNOTS)
    return Beats(beats.t_s[first:last], beats.accepted[first : max(last - 1, first)])
