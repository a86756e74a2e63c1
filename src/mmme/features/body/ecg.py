"""
Heart rate and its variability around a moment, from the ECG.

R peaks are found once per recording (`mmme.features.body.heart_detection.ecg_beats`); everything else is counting.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmme.features.body.beats import (
    Beats,
    beat_reasons,
    beats_from,
    rate,
    rate_course,
    rate_slope,
    rmssd_sdnn,
    spectral_power,
)
from mmme.features.body.heart_detection import ecg_beats
from mmme.features.sampling import Regular, expect_unit, regular, unreadable
from mmme.features.tables import Column, feature_table, missing_table
from mmme.features.windows import Windows, either, first_reason, windows_around
from mmme.types import FeatureTable, Sample, Stream

__all__ = ["COLUMNS", "ecg_features"]

COLUMNS = (
    "hr_bpm",
    "hr_change_bpm",
    "hr_slope_bpm_per_s",
    "hr_deceleration_bpm",
    "hr_acceleration_bpm",
    "hrv_rmssd_ms",
    "hrv_sdnn_ms",
    "hrv_hf_ms2",
    "hrv_lf_ms2",
    "hrv_lfhf",
)

#: 1 µV: below the noise of any amplifier.
FLAT_V = 1e-6
# 30 to 180 beats a minute.
SHORTEST_RR_S, LONGEST_RR_S = 0.33, 2.0
HF_HZ, LF_HZ = (0.15, 0.40), (0.04, 0.15)
#: Shortest window of each measure [s]. Against 180 s, RMSSD was off by 15 % at 30 s and 35 % at 4 s, SDNN by 25 % at 60 s
#: (medians of 32 segments of 3 people, so only a guide);
#: HF needs 60 s and LF 120 s (Task Force 1996, doi:10.1161/01.CIR.93.5.1043; Shaffer & Ginsberg 2017,
#: doi:10.3389/fpubh.2017.00258).
NEEDS_S = {"hrv_rmssd_ms": 30.0, "hrv_sdnn_ms": 60.0, "hrv_hf_ms2": 60.0, "hrv_lf_ms2": 120.0, "hrv_lfhf": 120.0}
#: Variability is refused where more intervals than this share were set aside: in a minute of real ECG, two false
#: beats more than doubled RMSSD.
SET_ASIDE_SHARE = 0.05


def ecg_features(
    stream: Stream,
    samples: Sequence[Sample],
    *,
    before_s: float = 2.0,
    after_s: float = 5.0,
    baseline_s: float = 5.0,
    slope_s: float = 2.0,
) -> FeatureTable:
    """
    Heart rate in a window around each apex, its change against the seconds before, and variability where supported.

    The default window, 2 s before to 5 s after the apex, holds the vagal deceleration and the return (1 to 5 s after an
    emotional event); an expression itself is too short for two heart beats.

    Parameters
    ----------
    stream
        ECG [V], one channel, session time.
    samples
        Moments to describe.
    before_s, after_s
        Window ``[apex - before_s, apex + after_s)``.
    baseline_s
        Length of the baseline, which ends where the window begins [s].
    slope_s
        ``hr_slope_bpm_per_s`` is fitted from this long before to this long after the apex [s].

    Returns
    -------
    FeatureTable
        ``hr_bpm`` mean rate; ``hr_change_bpm`` minus the baseline's; ``hr_slope_bpm_per_s`` around the apex;
        ``hr_deceleration_bpm`` and ``hr_acceleration_bpm``: baseline's rate minus the lowest, and the highest minus the
        baseline's rate in the window (both positive when the rate swings that way); ``hrv_*`` RMSSD, SDNN [ms], HF and LF
        power [ms²] and their ratio, only in windows long enough. NaN with its reason elsewhere.

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
    >>> x = nk.ecg_simulate(duration=30, sampling_rate=250, heart_rate=70, heart_rate_std=0, random_state=1) * 1e-3
    >>> stream = Stream("ecg", "biopac", np.arange(x.size) / 250, x, "V", 250.0)
    >>> table = ecg_features(stream, [Sample("a", "S01", "sad-1", "sad", 14.9, 15.0, 15.2, Interval(0.0, 30.0))])
    >>> bool(abs(table.X[0, table.columns.index("hr_bpm")] - 70) < 1)
    True
    """
    expect_unit(stream, "V")
    windows = windows_around(samples, before_s=before_s, after_s=after_s)
    around = windows_around(samples, before_s=slope_s, after_s=slope_s)
    baseline = windows.before(baseline_s)
    signal = regular(stream)
    if refused := unreadable(signal, flat=FLAT_V):
        return missing_table(samples, COLUMNS, refused)
    times, inverted = ecg_beats(signal)
    beats = beats_from(times, signal, shortest_s=SHORTEST_RR_S, longest_s=LONGEST_RR_S, even=True)
    columns = _rate_columns(beats, signal, windows, baseline, around) | _variability_columns(beats, signal, windows)
    return feature_table(samples, columns, origin={"ecg_polarity": "inverted" if inverted else "upright"})


def _rate_columns(beats: Beats, signal: Regular, windows: Windows, baseline: Windows, around: Windows) -> dict[str, Column]:
    """Mean, change, slope and swings of the heart rate."""
    why = beat_reasons(beats, signal, windows, flat=FLAT_V)
    why_change = either(why, beat_reasons(beats, signal, baseline, flat=FLAT_V, what="baseline"))
    why_slope = beat_reasons(beats, signal, around, flat=FLAT_V, what="window")
    level, usual = rate(beats, windows)[0], rate(beats, baseline)[0]
    course = rate_course(beats, windows)
    return {
        "hr_bpm": (level, why),
        "hr_change_bpm": (level - usual, why_change),
        "hr_slope_bpm_per_s": (rate_slope(beats, around), why_slope),
        "hr_deceleration_bpm": (usual - course.min(axis=1), why_change),
        "hr_acceleration_bpm": (course.max(axis=1) - usual, why_change),
    }


def _variability_columns(beats: Beats, signal: Regular, windows: Windows) -> dict[str, Column]:
    """RMSSD, SDNN, HF, LF and LF/HF where the window is long enough; power only then computed."""
    why = beat_reasons(beats, signal, windows, flat=FLAT_V)
    rmssd, sdnn, aside = rmssd_sdnn(beats, windows)
    why = either(
        why, first_reason(why.size, (aside > SET_ASIDE_SHARE, f"more than {SET_ASIDE_SHARE:.0%} of beats set aside"))
    )
    power = np.full((why.size, 2), np.nan)
    if windows.duration_s >= min(NEEDS_S["hrv_hf_ms2"], NEEDS_S["hrv_lf_ms2"]):
        power = spectral_power(beats, windows, (HF_HZ, LF_HZ))
    hf, lf = power[:, 0], power[:, 1]
    ratio = np.full(why.size, np.nan)
    np.divide(lf, hf, out=ratio, where=hf > 0)
    values = {"hrv_rmssd_ms": rmssd, "hrv_sdnn_ms": sdnn, "hrv_hf_ms2": hf, "hrv_lf_ms2": lf, "hrv_lfhf": ratio}
    return {
        name: (x, either(first_reason(why.size, (windows.duration_s < NEEDS_S[name], _too_short(windows, name))), why))
        for name, x in values.items()
    }


def _too_short(windows: Windows, name: str) -> str:
    """Say how long the window is and must be."""
    return f"window {windows.duration_s:g} s, needs {NEEDS_S[name]:g} s"
