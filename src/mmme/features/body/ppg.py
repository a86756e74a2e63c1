"""
Pulse rate and pulse wave around a moment, from the photoplethysmogram.

What varies between pulses is pulse rate variability, not heart rate variability: movement and vessels add to it, so none
is offered here; use the ECG.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmme.features.body.beats import beat_reasons, beats_from, log_ratio, mean_per_window, rate
from mmme.features.body.heart_detection import ppg_pulses
from mmme.features.sampling import Regular, expect_unit, regular, unreadable
from mmme.features.tables import feature_table, missing_table
from mmme.features.windows import Windows, either, first_reason, unusable, windows_around
from mmme.types import FeatureTable, Sample, Stream

__all__ = ["COLUMNS", "ppg_features"]

COLUMNS = (
    "ppg_rate_bpm",
    "ppg_rate_change_bpm",
    "ppg_amplitude_v",
    "ppg_amplitude_change",
    "ppg_rise_time_s",
    "ppg_rise_time_change_s",
)

#: 1 µV: below the noise of any amplifier.
FLAT_V = 1e-6
# 30 to 180 pulses a minute.
SHORTEST_S, LONGEST_S = 0.33, 2.0


def ppg_features(
    stream: Stream, samples: Sequence[Sample], *, before_s: float = 2.0, after_s: float = 5.0, baseline_s: float = 5.0
) -> FeatureTable:
    """
    Pulse rate, pulse amplitude and rise time in a window around each apex, and their change against the seconds before.

    The default window is the ECG's, 2 s before to 5 s after the apex: the pulse follows the heart by a quarter second, and
    peripheral vessels narrow within 2 to 5 s.

    Parameters
    ----------
    stream
        PPG [V], one channel, session time.
    samples
        Moments to describe.
    before_s, after_s
        Window ``[apex - before_s, apex + after_s)``.
    baseline_s
        Length of the baseline, which ends where the window begins [s].

    Returns
    -------
    FeatureTable
        ``ppg_rate_bpm``; ``ppg_amplitude_v`` mean peak minus foot of the band-passed pulse; ``ppg_rise_time_s`` mean time
        from foot to peak; ``..._change``: difference to the baseline, for the amplitude the natural logarithm of the ratio
        (its volts depend on finger and sensor). NaN with its reason elsewhere.

    Raises
    ------
    DataError
        If the unit is not V.
    ConfigError
        If a window has no length.

    Examples
    --------
    >>> import neurokit2 as nk
    >>> from mmme.interval import Interval
    >>> x = nk.ppg_simulate(duration=30, sampling_rate=100, heart_rate=70, frequency_modulation=0, random_state=1)
    >>> stream = Stream("ppg", "biopac", np.arange(x.size) / 100, x, "V", 100.0)
    >>> table = ppg_features(stream, [Sample("a", "S01", "sad-1", "sad", 14.9, 15.0, 15.2, Interval(0.0, 30.0))])
    >>> bool(abs(table.X[0, 0] - 70) < 3), bool(table.valid.all())
    (True, True)
    """
    expect_unit(stream, "V")
    windows = windows_around(samples, before_s=before_s, after_s=after_s)
    baseline = windows.before(baseline_s)
    signal = regular(stream)
    if refused := unreadable(signal, flat=FLAT_V):
        return missing_table(samples, COLUMNS, refused)
    peaks, feet, clean, limited, coarse = ppg_pulses(signal)
    at = coarse.t[peaks]
    beats = beats_from(at, coarse, shortest_s=SHORTEST_S, longest_s=LONGEST_S, even=True)
    artefact = Regular(t=coarse.t, x=coarse.x, bad=limited, fs_hz=coarse.fs_hz)

    def reasons(of: Windows, what: str) -> NDArray[np.str_]:
        wild = first_reason(of.start_s.size, (of.touches_bad(artefact), f"artefact in the {what}"))
        uncounted = beat_reasons(beats, coarse, of, flat=FLAT_V, what=what, word="pulses")
        return either(unusable(coarse, of, flat=FLAT_V, what=what), either(wild, uncounted))

    why = reasons(windows, "window")
    why_change = either(why, reasons(baseline, "baseline"))
    amplitude = clean[peaks] - clean[feet]
    rise = (peaks - feet) / coarse.fs_hz
    per_minute, per_minute_0 = rate(beats, windows)[0], rate(beats, baseline)[0]
    size, size_0 = mean_per_window(at, amplitude, windows), mean_per_window(at, amplitude, baseline)
    time, time_0 = mean_per_window(at, rise, windows), mean_per_window(at, rise, baseline)
    values = (per_minute, per_minute - per_minute_0, size, log_ratio(size, size_0), time, time - time_0)
    whys = (why, why_change, why, why_change, why, why_change)
    return feature_table(samples, dict(zip(COLUMNS, zip(values, whys, strict=True), strict=True)))
