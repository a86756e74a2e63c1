"""
Pulse rate and pulse wave around a moment, from the photoplethysmogram.

What varies between pulses is pulse rate variability, not heart rate variability: movement and vessels add to it, so that
its columns begin with ``prv``; where there is an ECG, use that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmme.features.body.beat_likeness import beat_doubts, believed, between_samples, likeness, set_aside, thinned
from mmme.features.body.beats import Beats, beat_reasons, beats_from, log_ratio, mean_per_window, rate, rmssd_sdnn
from mmme.features.body.doubts import at_limit, still
from mmme.features.body.ecg import Heart
from mmme.features.body.heart_detection import ppg_pulses
from mmme.features.body.hrv import NEEDS_S, SET_ASIDE_SHARE
from mmme.features.quality import Verdict, verdict_from
from mmme.features.sampling import Regular, expect_unit, regular, unreadable
from mmme.features.tables import Column, feature_table
from mmme.features.windows import Occasions, Windows, either, first_reason, occasions_around, too_short, unusable
from mmme.types import FeatureTable, Sample, Stream

__all__ = ["COLUMNS", "PulseWave", "ppg_columns", "ppg_features", "read_ppg"]

COLUMNS = (
    "ppg_rate_bpm",
    "ppg_rate_change_bpm",
    "ppg_amplitude_v",
    "ppg_amplitude_change",
    "ppg_rise_time_s",
    "ppg_rise_time_change_s",
    "prv_rmssd_ms",
    "prv_sdnn_ms",
    "pulse_transit_s",
    "pulse_transit_change_s",
)

#: 1 µV: below the noise of any amplifier.
FLAT_V = 1e-6
# 30 to 180 pulses a minute.
SHORTEST_S, LONGEST_S = 0.33, 2.0
#: A pulse that resembles the median pulse less than this is none (Orphanidou et al. 2015).
LEAST_R = 0.86
#: Before and after the systolic peak, that is compared.
COMPARED_S = (0.3, 0.4)
#: From the R peak to the foot of its pulse at the finger [s]; what takes another time belongs to another beat.
TRANSIT_S = (0.05, 0.6)
#: Samples of this rate suffice to say where a recording is flat, torn or over [Hz].
KEPT_HZ = 25.0


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
        (its volts depend on finger and sensor); ``prv_rmssd_ms``, ``prv_sdnn_ms`` of the pulse intervals, in windows long
        enough; ``pulse_transit_s`` and its change need an ECG (`ppg_columns`). NaN with its reason elsewhere.

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
    >>> bool(abs(table.X[0, 0] - 70) < 3), bool(table.valid[0, :6].all())
    (True, True)
    """
    occasions = occasions_around(samples, before_s=before_s, after_s=after_s, baseline_s=baseline_s)
    return feature_table(samples, ppg_columns(read_ppg(stream), occasions))


@dataclass(frozen=True, slots=True, eq=False)
class PulseWave:
    """
    A PPG, analysed.

    Parameters
    ----------
    refused
        Why nothing can be computed; the empty string where something can.
    verdict
        What speaks against it, second by second.
    signal
        At about 25 Hz, for placing windows [V].
    beats
        Systolic peaks, their times between samples; odd intervals are set aside.
    amplitude : (n_pulses,) float64
        Peak minus foot of the band-passed pulse [V]; NaN, as are the next two, of pulses that resemble no pulse.
    rise_s, foot_s : (n_pulses,) float64
        From foot to peak, and when the foot was [s].
    artefact
        ``signal`` with the marks of artefacts as bad samples.
    """

    refused: str
    verdict: Verdict
    signal: Regular
    beats: Beats
    amplitude: NDArray[np.float64]
    rise_s: NDArray[np.float64]
    foot_s: NDArray[np.float64]
    artefact: Regular


def read_ppg(stream: Stream) -> PulseWave:
    """
    Find and judge the pulses of a recording.

    Parameters
    ----------
    stream
        PPG [V], one channel, session time.

    Raises
    ------
    DataError
        If the unit is not V.

    References
    ----------
    Orphanidou et al. (2015), Signal quality of ECG and PPG, doi:10.1109/JBHI.2014.2338351.

    Examples
    --------
    >>> import neurokit2 as nk
    >>> x = nk.ppg_simulate(duration=30, sampling_rate=100, heart_rate=70, frequency_modulation=0, random_state=1)
    >>> read_ppg(Stream("ppg", "biopac", np.arange(x.size) / 100, x, "V", 100.0)).verdict.over_all()
    (1.0, '')
    """
    expect_unit(stream, "V")
    signal = regular(stream)
    if refused := unreadable(signal, flat=FLAT_V):
        kept, nothing = thinned(signal, KEPT_HZ), np.empty(0)
        none = Beats(nothing, np.empty(0, dtype=bool))
        judged = verdict_from(kept, {refused: np.ones(kept.t.size, dtype=bool)})
        return PulseWave(refused, judged, kept, none, nothing, nothing, nothing, kept)
    peaks, feet, clean, limited, coarse = ppg_pulses(signal)
    at, foot = between_samples(coarse, clean, peaks), between_samples(coarse, clean, feet)
    kept = thinned(coarse, KEPT_HZ)
    before, after = (round(s * coarse.fs_hz) for s in COMPARED_S)
    like = believed(likeness(clean, peaks, before, after), LEAST_R)
    made = beats_from(at, kept, shortest_s=SHORTEST_S, longest_s=LONGEST_S, even=True)
    beats = set_aside(made, at, ~(like[1:] & like[:-1]))
    marked = thinned(Regular(coarse.t, coarse.x, limited, coarse.fs_hz), KEPT_HZ)
    doubts = {
        "signal is flat": still(kept, flat=FLAT_V, least_s=1.0),
        "signal is clipped": at_limit(signal, kept, least_s=0.05),
        "larger than a pulse": marked.bad,
        **beat_doubts(kept, at, like, shortest_s=SHORTEST_S, word="pulses"),
    }
    amplitude = np.where(like, clean[peaks] - clean[feet], np.nan)
    rise, foot = np.where(like, at - foot, np.nan), np.where(like, foot, np.nan)
    return PulseWave("", verdict_from(kept, doubts), kept, beats, amplitude, rise, foot, marked)


def ppg_columns(pulse: PulseWave, occasions: Occasions, heart: Heart | None = None) -> dict[str, Column]:
    """
    Describe occasions by the pulse wave.

    Parameters
    ----------
    pulse
        From `read_ppg`.
    occasions
        ``k`` windows and their baselines; events do not matter.
    heart
        Of the same recording, for the time a pulse takes from the heart; None where there is no ECG.

    Returns
    -------
    dict of str to Column
        `COLUMNS`, in order.
    """
    k = len(occasions)
    if pulse.refused:
        return dict.fromkeys(COLUMNS, (np.full(k, np.nan), np.full(k, pulse.refused)))
    windows, baseline = occasions.windows, occasions.baseline
    why = _reasons(pulse, windows, "window")
    why_change = either(why, occasions.uncompared() if baseline is None else _reasons(pulse, baseline, "baseline"))
    other = windows if baseline is None else baseline
    rates = [rate(pulse.beats, of)[0] for of in (windows, other)]
    sizes = [mean_per_window(pulse.beats.t_s, pulse.amplitude, of) for of in (windows, other)]
    rises = [mean_per_window(pulse.beats.t_s, pulse.rise_s, of) for of in (windows, other)]
    rmssd, sdnn, aside = rmssd_sdnn(pulse.beats, windows)
    many = either(why, first_reason(k, (aside > SET_ASIDE_SHARE, f"more than {SET_ASIDE_SHARE:.0%} of pulses set aside")))
    transit, why_transit = _transit(pulse, heart, (windows, other))
    values = {
        "ppg_rate_bpm": (rates[0], why),
        "ppg_rate_change_bpm": (rates[0] - rates[1], why_change),
        "ppg_amplitude_v": (sizes[0], why),
        "ppg_amplitude_change": (log_ratio(sizes[0], sizes[1]), why_change),
        "ppg_rise_time_s": (rises[0], why),
        "ppg_rise_time_change_s": (rises[0] - rises[1], why_change),
        "prv_rmssd_ms": (rmssd, either(too_short(windows, NEEDS_S["hrv_rmssd_ms"]), many)),
        "prv_sdnn_ms": (sdnn, either(too_short(windows, NEEDS_S["hrv_sdnn_ms"]), many)),
        "pulse_transit_s": (transit[0], either(why, why_transit)),
        "pulse_transit_change_s": (transit[0] - transit[1], either(why_change, why_transit)),
    }
    return {name: values[name] for name in COLUMNS}


def _transit(
    pulse: PulseWave, heart: Heart | None, of: tuple[Windows, Windows]
) -> tuple[list[NDArray[np.float64]], NDArray[np.str_]]:
    """Mean time from R peak to the foot of its pulse in two sets of windows, and why there is none."""
    k = of[0].start_s.size
    nothing = np.full(k, np.nan)
    if heart is None or heart.refused:
        why = "no stream 'ecg'" if heart is None else f"ecg: {heart.refused}"
        return [nothing, nothing], np.full(k, why)
    # only beats that were found, next to an interval that is believed
    right = np.concatenate([heart.beats.accepted, [False]]) | np.concatenate([[False], heart.beats.accepted])
    r_s, foot_s = heart.beats.t_s[right[: heart.beats.t_s.size]], pulse.foot_s
    took = np.full(foot_s.size, np.nan)
    if r_s.size:
        before = np.searchsorted(r_s, foot_s, side="right") - 1
        took = np.where(before >= 0, foot_s - r_s[np.maximum(before, 0)], np.nan)
    took[~((took >= TRANSIT_S[0]) & (took <= TRANSIT_S[1]))] = np.nan
    means = [mean_per_window(pulse.beats.t_s, took, w) for w in of]
    none = first_reason(k, (np.isnan(means[0]), "no pulse within 0.05 to 0.6 s of a beat"))
    return means, none


def _reasons(pulse: PulseWave, of: Windows, what: str) -> NDArray[np.str_]:
    """Say why windows cannot be used: as for every rate, and artefacts."""
    wild = first_reason(of.start_s.size, (of.touches_bad(pulse.artefact), f"artefact in the {what}"))
    uncounted = beat_reasons(pulse.beats, pulse.signal, of, flat=FLAT_V, what=what, word="pulses")
    return either(unusable(pulse.signal, of, flat=FLAT_V, what=what), either(wild, uncounted))
