"""
Breathing around a moment, from the respiration belt: rate, depth, timing, variability, phase, and its mark on the heart.

A breath lasts 3 to 6 s: within an expression's own length there is no rate, only a phase, where in the cycle it fell.

References
----------
Birn et al. (2006), doi:10.1016/j.neuroimage.2006.02.048 (respiration volume per time).
Grossman, van Beek and Wientjes (1990), doi:10.1111/j.1469-8986.1990.tb03198.x (sinus arrhythmia from peak to trough).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from mmme.features.body.beats import COVERED_SHARE, Beats, beats_from, log_ratio, mean_per_window, rate, rmssd_sdnn
from mmme.features.body.breath_detection import RSP_HZ, Breaths, find_breaths
from mmme.features.body.doubts import at_limit, marked_share, still, widened
from mmme.features.quality import Verdict, verdict_from
from mmme.features.sampling import Regular, decimated, expect_unit, regular, unreadable
from mmme.features.tables import Column, feature_table
from mmme.features.windows import Occasions, Windows, either, first_reason, occasions_around, too_short
from mmme.types import FeatureTable, Sample, Stream

__all__ = ["COLUMNS", "Breathing", "read_rsp", "rsp_columns", "rsp_features"]

COLUMNS = (
    "rsp_rate_per_min",
    "rsp_rate_change_per_min",
    "rsp_amplitude_v",
    "rsp_amplitude_change",
    "rsp_inspiration_s",
    "rsp_expiration_s",
    "rsp_duty_cycle",
    "rsp_rvt_v_per_s",
    "rsp_rvt_change",
    "rsp_cycle_sd_s",
    "rsp_cycle_rmssd_s",
    "rsp_phase_cos",
    "rsp_phase_sin",
    "rsp_rsa_ms",
)

#: 1 µV: below the noise of any amplifier.
FLAT_V = 1e-6
#: A belt that is worn does not rest for this long [s].
STILL_S = 5.0
# 5 to 40 breaths a minute.
SHORTEST_S, LONGEST_S = 1.5, 12.0
LEAST_CYCLES = 2.0
#: Variability and respiratory sinus arrhythmia need this much time and this many whole cycles.
VARIABILITY_NEEDS_S, VARIABILITY_CYCLES = 30.0, 3
#: The heart follows a phase of breathing into the next; Grossman et al. (1990).
HEART_LAG_S = 0.75
#: Rate of what is kept to judge windows by [Hz].
KEPT_HZ = 25.0
#: A breath that is cut off at its top stays there this long [s].
CLIPPED_S = 0.1
# Faster and slower than breathing, as lengths of moving means [s], and the time over which both are compared.
_FAST_S, _SLOW_S, _COMPARED_S = 0.5, 20.0, 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Breathing:
    """
    A respiration recording, analysed once.

    Parameters
    ----------
    refused
        Why nothing can be computed; empty when usable.
    verdict
        What speaks against it, second by second.
    signal
        The belt at about 25 Hz, as recorded.
    unit
        V, or a.u. where the recorder states none: then amplitudes in V do not exist, their ratios do.
    trough_s, peak_s : (b,) float64
        Start and end of each inspiration [s].
    amplitude : (b,) float64
        Peak minus preceding trough, in ``unit``.
    next_trough_s : (b,) float64
        End of the expiration after each peak [s]; NaN after the last.
    whole : (b,) bool
        Cycles, trough to trough, of 1.5 to 12 s without missing samples.
    still : (n,) bool
        Marks on ``signal`` where the belt rests.
    cycles
        Ends of inspiration, and which of the intervals between them are cycles.
    """

    refused: str
    verdict: Verdict
    signal: Regular
    unit: str
    trough_s: NDArray[np.float64]
    peak_s: NDArray[np.float64]
    amplitude: NDArray[np.float64]
    next_trough_s: NDArray[np.float64]
    whole: NDArray[np.bool_]
    still: NDArray[np.bool_]
    cycles: Beats


def read_rsp(stream: Stream) -> Breathing:
    """
    Find and judge the breaths of a recording.

    Parameters
    ----------
    stream
        Respiration belt, one channel, session time, rising with inspiration, in V (or a.u. where the recorder states no
        unit).

    Raises
    ------
    DataError
        If the unit is another.

    Examples
    --------
    >>> t = np.arange(0, 60, 0.04)
    >>> breathing = read_rsp(Stream("rsp", "biopac", t, np.sin(2 * np.pi * t / 4), "V", 25.0))
    >>> breathing.refused, breathing.peak_s.size, breathing.verdict.over_all()
    ('', 13, (1.0, ''))
    """
    if stream.unit != "a.u.":
        expect_unit(stream, "V")
    flat = FLAT_V if stream.unit == "V" else 0.0
    full = regular(stream)
    signal = decimated(full, RSP_HZ)
    step = max(1, int(signal.fs_hz // KEPT_HZ))
    kept = Regular(signal.t[::step].copy(), signal.x[::step].copy(), widened(signal.bad, step)[::step], signal.fs_hz / step)
    refused = unreadable(signal, flat=flat)
    nothing = np.empty(0)
    found = Breaths(nothing, nothing, nothing) if refused else find_breaths(signal)
    ends = np.append(found.trough_s[1:], np.nan)[: found.trough_s.size]
    cycles = beats_from(found.peak_s, kept, shortest_s=SHORTEST_S, longest_s=LONGEST_S, even=False)
    between = beats_from(found.trough_s, kept, shortest_s=SHORTEST_S, longest_s=LONGEST_S, even=False)
    whole = np.append(between.accepted, False)[: found.trough_s.size]
    resting = still(kept, flat=flat, least_s=STILL_S)
    doubts = {
        "belt is still": resting,
        "signal is clipped": at_limit(full, kept, least_s=CLIPPED_S),
        "noise exceeds breathing": _noisy(kept),
        f"no breathing cycle of {SHORTEST_S:g} to {LONGEST_S:g} s": _breathless(kept, found.trough_s, ends, whole),
    }
    verdict = verdict_from(kept, doubts)
    return Breathing(
        refused, verdict, kept, stream.unit, found.trough_s, found.peak_s, found.amplitude, ends, whole, resting, cycles
    )


def _noisy(signal: Regular) -> NDArray[np.bool_]:
    """Mark where, over 10 s, what is faster than breathing has more power than what is as slow."""

    def mean(x: NDArray[np.float64], seconds: float) -> NDArray[np.float64]:
        return np.asarray(uniform_filter1d(x, max(1, round(seconds * signal.fs_hz)), mode="nearest"))

    slow = mean(signal.x, _FAST_S)
    breath, noise = slow - mean(signal.x, _SLOW_S), signal.x - slow
    return np.asarray(mean(noise**2, _COMPARED_S) > mean(breath**2, _COMPARED_S))


def _breathless(
    signal: Regular, start_s: NDArray[np.float64], stop_s: NDArray[np.float64], whole: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Mark what lies in no whole cycle; before the first and after the last, only what is longer than a cycle may be."""
    marks = np.ones(signal.t.size, dtype=bool)
    if not whole.any():
        return marks
    change = np.zeros(signal.t.size + 1, dtype=np.int64)
    first, last = np.searchsorted(signal.t, [start_s[whole], stop_s[whole]])
    np.add.at(change, first, 1)
    np.add.at(change, last, -1)
    marks = np.cumsum(change[:-1]) == 0
    if start_s[whole][0] - signal.start_s <= LONGEST_S:
        marks[: first[0]] = False
    if signal.stop_s - stop_s[whole][-1] <= LONGEST_S:
        marks[last[-1] :] = False
    return marks


def rsp_columns(breathing: Breathing, occasions: Occasions, beats: Beats | None = None) -> dict[str, Column]:
    """
    Describe occasions by their breathing.

    Parameters
    ----------
    breathing
        The recording, analysed.
    occasions
        ``k`` windows, their baselines and events.
    beats
        R peaks of the same body, for ``rsp_rsa_ms``.

    Returns
    -------
    dict of str to Column
        ``rsp_rate_per_min`` accepted cycles (peak to peak) over their time; ``rsp_amplitude_v`` mean peak minus preceding
        trough; ``rsp_inspiration_s``, ``rsp_expiration_s`` and ``rsp_duty_cycle`` (inspiration over the cycle) mean of the
        whole cycles whose peak lies in the window; ``rsp_rvt_v_per_s`` mean of amplitude over the time since the
        previous peak (Birn 2006); ``rsp_cycle_sd_s`` and ``rsp_cycle_rmssd_s`` of the cycles in the window;
        ``rsp_phase_cos`` and ``rsp_phase_sin`` of the phase at the event, 0 where inspiration starts, pi where it ends,
        linear in between: the cosine falls from 1 to -1 while breathing in, the sine is positive then; ``rsp_rsa_ms`` mean
        over the cycles in the window of the longest interval between beats in expiration minus the shortest in
        inspiration, 0 where that is negative. ``_change``: difference of rates, natural logarithm of the ratio of
        amplitudes and of RVT. Amplitude and RVT depend on the belt's tension; compare persons by changes.

    Examples
    --------
    >>> t = np.arange(0, 90, 0.04)
    >>> breathing = read_rsp(Stream("rsp", "biopac", t, np.sin(2 * np.pi * t / 4), "V", 25.0))
    >>> occasions = Occasions(Windows(np.array([30.0]), 40.0), None, np.array([30.5]))
    >>> columns = rsp_columns(breathing, occasions)
    >>> round(float(columns["rsp_duty_cycle"][0][0]), 2), columns["rsp_rsa_ms"][1].tolist()
    (0.5, ["no stream 'ecg'"])
    """
    if breathing.refused:
        why = np.full(len(occasions), breathing.refused)
        return {name: (np.full(len(occasions), np.nan), why) for name in COLUMNS}
    windows = occasions.windows
    here = _breathed(breathing, windows)
    why = _reasons(breathing, windows, "window")
    if occasions.baseline is None:
        there, why_change = {name: np.full(len(occasions), np.nan) for name in here}, occasions.uncompared()
    else:
        there = _breathed(breathing, occasions.baseline)
        why_change = either(why, _reasons(breathing, occasions.baseline, "baseline"))
    none_whole = either(why, first_reason(len(occasions), (np.isnan(here["inspiration"]), "no whole breath in the window")))
    in_volts = first_reason(len(occasions), (breathing.unit != "V", f"unit {breathing.unit}, needs V"))
    cycle_rmssd_ms, cycle_sd_ms, set_aside = rmssd_sdnn(breathing.cycles, windows)
    why_cycles = _few_cycles(breathing, windows, why, set_aside)
    columns: dict[str, Column] = {
        "rsp_rate_per_min": (here["rate"], why),
        "rsp_rate_change_per_min": (here["rate"] - there["rate"], why_change),
        "rsp_amplitude_v": (here["amplitude"], either(why, in_volts)),
        "rsp_amplitude_change": (log_ratio(here["amplitude"], there["amplitude"]), why_change),
        "rsp_inspiration_s": (here["inspiration"], none_whole),
        "rsp_expiration_s": (here["expiration"], none_whole),
        "rsp_duty_cycle": (here["duty"], none_whole),
        "rsp_rvt_v_per_s": (here["rvt"], either(why, in_volts)),
        "rsp_rvt_change": (log_ratio(here["rvt"], there["rvt"]), why_change),
        "rsp_cycle_sd_s": (cycle_sd_ms / 1e3, why_cycles),
        "rsp_cycle_rmssd_s": (cycle_rmssd_ms / 1e3, why_cycles),
    }
    columns |= _phase(breathing, occasions)
    columns["rsp_rsa_ms"] = _sinus_arrhythmia(breathing, windows, beats, why)
    return columns


def _breathed(breathing: Breathing, windows: Windows) -> dict[str, NDArray[np.float64]]:
    """Means over the breaths of each window, ``(k,)`` each."""
    whole = breathing.whole
    breath_in = np.where(whole, breathing.peak_s - breathing.trough_s, np.nan)
    cycle = np.where(whole, breathing.next_trough_s - breathing.trough_s, np.nan)
    since = np.append(np.nan, np.where(breathing.cycles.accepted, breathing.cycles.interval_s, np.nan))[: whole.size]
    per_breath = {
        "amplitude": breathing.amplitude,
        "inspiration": breath_in,
        "expiration": cycle - breath_in,
        "duty": breath_in / cycle,
        "rvt": breathing.amplitude / since,
    }
    means = {name: mean_per_window(breathing.peak_s, values, windows) for name, values in per_breath.items()}
    return {"rate": rate(breathing.cycles, windows)[0], **means}


def _reasons(breathing: Breathing, of: Windows, what: str) -> NDArray[np.str_]:
    """Say why windows have no rate."""
    signal, cycles = breathing.signal, breathing.cycles
    _, n_cycles, covered = rate(cycles, of)
    return first_reason(
        of.start_s.size,
        (of.outside(signal), f"{what} leaves the recording"),
        (of.touches_bad(signal), f"{what} touches missing samples"),
        (marked_share(breathing.still, signal, of) > 0.5, f"belt is still in the {what}"),
        (cycles.count(of) < 1, f"fewer than 1 breaths in the {what}"),
        (covered < COVERED_SHARE, f"accepted breaths cover less than {COVERED_SHARE:.0%} of the {what}"),
        (n_cycles < LEAST_CYCLES, f"fewer than {LEAST_CYCLES:g} breathing cycles in the {what}"),
    )


def _few_cycles(
    breathing: Breathing, windows: Windows, why: NDArray[np.str_], set_aside: NDArray[np.float64]
) -> NDArray[np.str_]:
    """Say why windows have no variability of cycles: three of them, none set aside."""
    n = np.maximum(breathing.cycles.count(windows) - 1, 0)
    own = first_reason(
        why.size,
        (n < VARIABILITY_CYCLES, f"fewer than {VARIABILITY_CYCLES} whole breathing cycles in the window"),
        (set_aside > 0, f"a breathing cycle outside {SHORTEST_S:g} to {LONGEST_S:g} s in the window"),
    )
    return either(either(why, too_short(windows, VARIABILITY_NEEDS_S)), own)


def _phase(breathing: Breathing, occasions: Occasions) -> dict[str, Column]:
    """Where in its breathing cycle each event fell, as a point of the unit circle."""
    at, n = occasions.at_s, breathing.trough_s.size
    turn, inside = np.full(at.size, np.nan), np.zeros(at.size, dtype=bool)
    if n:
        cycle = np.clip(np.searchsorted(breathing.trough_s, at, side="right") - 1, 0, n - 1)
        start, top, stop = breathing.trough_s[cycle], breathing.peak_s[cycle], breathing.next_trough_s[cycle]
        inside = breathing.whole[cycle] & (at >= start) & (at < stop)
        turn = np.where(at < top, (at - start) / (top - start), 1.0 + (at - top) / (stop - top)) * np.pi
    why = either(occasions.eventless(), first_reason(at.size, (~inside, "no whole breath around the event")))
    return {"rsp_phase_cos": (np.cos(turn), why), "rsp_phase_sin": (np.sin(turn), why)}


def _sinus_arrhythmia(breathing: Breathing, windows: Windows, beats: Beats | None, why: NDArray[np.str_]) -> Column:
    """Mean of the peak-to-trough differences of the whole breaths in each window [ms]."""
    if beats is None:
        return np.full(why.size, np.nan), np.full(why.size, "no stream 'ecg'")
    whole = breathing.whole
    start, top, stop = breathing.trough_s[whole], breathing.peak_s[whole], breathing.next_trough_s[whole]
    shortest = _extreme(beats, start, top + HEART_LAG_S, np.minimum)
    longest = _extreme(beats, top, stop + HEART_LAG_S, np.maximum)
    per_breath = 1e3 * np.maximum(longest - shortest, 0.0)
    first = np.searchsorted(start, windows.start_s, side="left")
    last = np.maximum(np.searchsorted(stop, windows.stop_s, side="right"), first)
    ok = np.isfinite(per_breath)
    total = np.concatenate([[0.0], np.cumsum(np.where(ok, per_breath, 0.0))])
    count = np.concatenate([[0], np.cumsum(ok)])
    n = count[last] - count[first]
    few = first_reason(why.size, (n < VARIABILITY_CYCLES, f"fewer than {VARIABILITY_CYCLES} breaths with accepted beats"))
    mean = np.divide(total[last] - total[first], n, out=np.full(why.size, np.nan), where=n > 0)
    return mean, either(either(why, too_short(windows, VARIABILITY_NEEDS_S)), few)


def _extreme(beats: Beats, start_s: NDArray[np.float64], stop_s: NDArray[np.float64], of: np.ufunc) -> NDArray[np.float64]:
    """Extreme interval between the beats of each stretch [s]; NaN without one, or where one of them is not accepted."""
    first, last = np.searchsorted(beats.t_s, [start_s, stop_s], side="left")
    last = last - 1  # intervals first..last-1 lie between beats of the stretch
    extreme = np.full(start_s.size, np.nan)
    some = last > first
    if some.any():
        edges: NDArray[Any] = np.stack([first[some], last[some]], axis=1).ravel()
        lengths = np.append(np.where(beats.accepted, beats.interval_s, np.nan), 0.0)
        extreme[some] = of.reduceat(lengths, edges)[::2]
    return extreme


def rsp_features(
    stream: Stream,
    samples: Sequence[Sample],
    *,
    before_s: float = 5.0,
    after_s: float = 15.0,
    baseline_s: float = 20.0,
    beats: Beats | None = None,
) -> FeatureTable:
    """
    Describe breathing in a window around each apex, and its change against the seconds before.

    A breath lasts 3 to 6 s, so the default window is 20 s, mostly after the apex, and the baseline as long: about five
    breaths each. Shorter windows are allowed; those with fewer than two whole cycles have no rate. Variability and
    respiratory sinus arrhythmia need 30 s and three cycles.

    Parameters
    ----------
    stream
        Respiration belt [V], one channel, session time.
    samples
        Moments to describe.
    before_s, after_s
        Window ``[apex - before_s, apex + after_s)``.
    baseline_s
        Length of the baseline, which ends where the window begins [s].
    beats
        R peaks of the same body, for ``rsp_rsa_ms``.

    Returns
    -------
    FeatureTable
        `COLUMNS`, see `rsp_columns`; NaN with its reason where there is no value.

    Raises
    ------
    DataError
        If the unit is not V (or a.u.).
    ConfigError
        If a window has no length.

    Examples
    --------
    >>> from mmme.interval import Interval
    >>> t = np.arange(0, 60, 0.04)
    >>> stream = Stream("rsp", "biopac", t, np.sin(2 * np.pi * t / 4), "V", 25.0)
    >>> table = rsp_features(stream, [Sample("a", "S01", "sad-1", "sad", 29.9, 30.0, 30.2, Interval(0.0, 60.0))])
    >>> round(float(table.X[0, 0]), 1), round(float(table.X[0, 2]), 1)
    (15.0, 2.0)
    """
    occasions = occasions_around(samples, before_s=before_s, after_s=after_s, baseline_s=baseline_s)
    return feature_table(samples, rsp_columns(read_rsp(stream), occasions, beats))
