"""
Pulse rate and pulse wave around a moment, from the photoplethysmogram.

What varies between pulses is pulse rate variability, not heart rate variability: movement and vessels add to it, so none
is offered here; use the ECG.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mmme.features.body.beats import Beats, beat_reasons, beats_from, log_ratio, mean_per_window, rate
from mmme.features.body.detection import ppg_pulses
from mmme.features.body.doubts import still
from mmme.features.body.ecg import Heart
from mmme.features.quality import Verdict, verdict_from
from mmme.features.sampling import Regular, expect_unit, regular, unreadable
from mmme.features.tables import Column, feature_table
from mmme.features.windows import Occasions, Windows, either, first_reason, occasions_around, unusable
from mmme.types import FeatureTable, Sample, Stream

__all__ = ["COLUMNS", "PulseWave", "ppg_columns", "ppg_features", "read_ppg"]

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
    occasions = occasions_around(samples, before_s=before_s, after_s=after_s, baseline_s=baseline_s)
    return feature_table(samples, ppg_columns(read_ppg(stream), occasions))


@dataclass(frozen=True, slots=True, eq=False)
class PulseWave:
    """A PPG, analysed."""

    refused: str
    verdict: Verdict
    signal: Regular
    beats: Beats
    at_s: NDArray[np.float64]
    amplitude: NDArray[np.float64]
    rise_s: NDArray[np.float64]
    foot_s: NDArray[np.float64]
    artefact: Regular
    origin: Mapping[str, str] = field(default_factory=dict)


def read_ppg(stream: Stream) -> PulseWave:
    """Find and judge the pulses of a recording."""
    expect_unit(stream, "V")
    signal = regular(stream)
    if refused := unreadable(signal, flat=FLAT_V):
        none, nothing = Beats(np.empty(0), np.empty(0, dtype=bool)), np.empty(0)
        return PulseWave(
            refused,
            verdict_from(signal, {refused: np.ones(signal.t.size, dtype=bool)}),
            signal,
            none,
            nothing,
            nothing,
            nothing,
            nothing,
            signal,
        )
    peaks, feet, clean, limited, coarse = ppg_pulses(signal)
    at = coarse.t[peaks]
    beats = beats_from(at, coarse, shortest_s=SHORTEST_S, longest_s=LONGEST_S, even=True)
    verdict = verdict_from(coarse, {"flat": still(coarse, flat=FLAT_V, least_s=1.0), "artefact": limited})
    artefact = Regular(t=coarse.t, x=coarse.x, bad=limited, fs_hz=coarse.fs_hz)
    return PulseWave(
        "", verdict, coarse, beats, at, clean[peaks] - clean[feet], (peaks - feet) / coarse.fs_hz, coarse.t[feet], artefact
    )


def ppg_columns(pulse: PulseWave, occasions: Occasions, heart: Heart | None = None) -> dict[str, Column]:
    """Describe occasions by the pulse wave."""
    k = len(occasions)
    if pulse.refused:
        return dict.fromkeys(COLUMNS, (np.full(k, np.nan), np.full(k, pulse.refused)))
    windows, baseline = occasions.windows, occasions.baseline

    def reasons(of: Windows, what: str) -> NDArray[np.str_]:
        wild = first_reason(of.start_s.size, (of.touches_bad(pulse.artefact), f"artefact in the {what}"))
        uncounted = beat_reasons(pulse.beats, pulse.signal, of, flat=FLAT_V, what=what, word="pulses")
        return either(unusable(pulse.signal, of, flat=FLAT_V, what=what), either(wild, uncounted))

    why = reasons(windows, "window")
    why_change = either(why, occasions.uncompared() if baseline is None else reasons(baseline, "baseline"))
    other = windows if baseline is None else baseline
    per_minute, per_minute_0 = rate(pulse.beats, windows)[0], rate(pulse.beats, other)[0]
    size, size_0 = (
        mean_per_window(pulse.at_s, pulse.amplitude, windows),
        mean_per_window(pulse.at_s, pulse.amplitude, other),
    )
    time, time_0 = mean_per_window(pulse.at_s, pulse.rise_s, windows), mean_per_window(pulse.at_s, pulse.rise_s, other)
    values = (per_minute, per_minute - per_minute_0, size, log_ratio(size, size_0), time, time - time_0)
    whys = (why, why_change, why, why_change, why, why_change)
    return dict(zip(COLUMNS, zip(values, whys, strict=True), strict=True))
