"""Breathing around a moment, from the respiration belt: rate and depth, where the window holds at least two cycles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmme.features.body.beats import Beats, beat_reasons, beats_from, log_ratio, mean_per_window, rate
from mmme.features.body.detection import breaths
from mmme.features.sampling import Regular, expect_unit, regular, unreadable
from mmme.features.tables import feature_table, missing_table
from mmme.features.windows import Windows, either, first_reason, windows_around
from mmme.types import FeatureTable, Sample, Stream

__all__ = ["COLUMNS", "rsp_features"]

COLUMNS = ("rsp_rate_per_min", "rsp_rate_change_per_min", "rsp_amplitude_v", "rsp_amplitude_change")

#: 1 µV: below the noise of any amplifier.
FLAT_V = 1e-6
# 5 to 40 breaths a minute.
SHORTEST_S, LONGEST_S = 1.5, 12.0
LEAST_CYCLES = 2.0


def rsp_features(
    stream: Stream, samples: Sequence[Sample], *, before_s: float = 5.0, after_s: float = 15.0, baseline_s: float = 20.0
) -> FeatureTable:
    """
    Breathing rate and amplitude in a window around each apex, and their change against the seconds before.

    A breath lasts 3 to 6 s, so the default window is 20 s, mostly after the apex, and the baseline as long: about five
    breaths each. Shorter windows are allowed; those with fewer than two whole cycles have no value.

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

    Returns
    -------
    FeatureTable
        ``rsp_rate_per_min``; ``rsp_amplitude_v`` mean peak minus preceding trough; ``rsp_rate_change_per_min`` difference
        to the baseline; ``rsp_amplitude_change`` natural logarithm of the ratio to the baseline (volts depend on the belt's
        tension). NaN with its reason elsewhere.

    Raises
    ------
    DataError
        If the unit is not V.
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
    expect_unit(stream, "V")
    windows = windows_around(samples, before_s=before_s, after_s=after_s)
    baseline = windows.before(baseline_s)
    signal = regular(stream)
    if refused := unreadable(signal, flat=FLAT_V):
        return missing_table(samples, COLUMNS, refused)
    peaks, troughs, clean, coarse = breaths(signal)
    at = coarse.t[peaks]
    cycles = beats_from(at, coarse, shortest_s=SHORTEST_S, longest_s=LONGEST_S, even=False)
    why = _reasons(cycles, coarse, windows, "window")
    why_change = either(why, _reasons(cycles, coarse, baseline, "baseline"))
    amplitude = clean[peaks] - clean[troughs]
    per_minute, per_minute_0 = rate(cycles, windows)[0], rate(cycles, baseline)[0]
    depth, depth_0 = mean_per_window(at, amplitude, windows), mean_per_window(at, amplitude, baseline)
    values = (per_minute, per_minute - per_minute_0, depth, log_ratio(depth, depth_0))
    whys = (why, why_change, why, why_change)
    return feature_table(samples, dict(zip(COLUMNS, zip(values, whys, strict=True), strict=True)))


def _reasons(cycles: Beats, signal: Regular, of: Windows, what: str) -> NDArray[np.str_]:
    """Say why windows cannot be used: as for every rate, and fewer than two whole cycles."""
    few = first_reason(
        of.start_s.size, (rate(cycles, of)[1] < LEAST_CYCLES, f"fewer than {LEAST_CYCLES:g} breathing cycles in the {what}")
    )
    return either(beat_reasons(cycles, signal, of, flat=FLAT_V, what=what, least=1, word="breaths"), few)
