"""
Heart rate and its variability around a moment, from the ECG.

R peaks are found once per recording (`mmme.features.body.heart_detection.find_beats`); everything else is counting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mmme.features.body.beat_correction import KINDS, corrected
from mmme.features.body.beat_likeness import beat_doubts, believed, likeness, set_aside, thinned
from mmme.features.body.beats import Beats, beat_reasons, beats_from, rate, rate_course, rate_slope, rmssd_sdnn
from mmme.features.body.doubts import at_limit, still
from mmme.features.body.heart_detection import find_beats
from mmme.features.body.hrv import HRV_COLUMNS, hrv_columns
from mmme.features.quality import Verdict, verdict_from
from mmme.features.sampling import Regular, expect_unit, regular, unreadable
from mmme.features.tables import Column, feature_table
from mmme.features.windows import Occasions, Windows, either, first_reason, occasions_around
from mmme.types import FeatureTable, Sample, Stream

__all__ = ["COLUMNS", "Heart", "ecg_columns", "ecg_features", "read_ecg"]

COLUMNS = (
    "hr_bpm",
    "hr_change_bpm",
    "hr_slope_bpm_per_s",
    "hr_deceleration_bpm",
    "hr_acceleration_bpm",
    *HRV_COLUMNS,
    "hr_deceleration_s",
    "hr_phase_cos",
    "hr_phase_sin",
    "hr_corrected_share",
)

#: 1 µV: below the noise of any amplifier.
FLAT_V = 1e-6
# 30 to 180 beats a minute.
SHORTEST_RR_S, LONGEST_RR_S = 0.33, 2.0
#: A beat that resembles the median beat less than this is none (Orphanidou et al. 2015, doi:10.1109/JBHI.2014.2338351).
LEAST_R = 0.66
#: Before and after the R peak, that is compared: from P to T.
COMPARED_S = (0.2, 0.3)
#: A rate of which more beats than this share are corrected is not the heart's.
CORRECTED_SHARE = 0.30
#: Samples of this rate suffice to say where a recording is flat, torn or over [Hz].
KEPT_HZ = 50.0
SLOPE_S = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Heart:
    """
    An ECG, analysed.

    Parameters
    ----------
    refused
        Why nothing can be computed; the empty string where something can.
    verdict
        What speaks against it, second by second.
    signal
        At about 50 Hz, for placing windows [V].
    beats
        As found; intervals are set aside that are odd, span missing samples or end at beats unlike the others.
    corrected
        After missed, extra, ectopic and misplaced beats were corrected: for rates.
    normal
        Its intervals from one beat as found to the next, none of which needed correction: for variability.
    corrected_s
        Moments of the corrections [s].
    origin
        How it was read.
    """

    refused: str
    verdict: Verdict
    signal: Regular
    beats: Beats
    corrected: Beats
    normal: Beats
    corrected_s: NDArray[np.float64]
    origin: Mapping[str, str] = field(default_factory=dict)


def read_ecg(stream: Stream) -> Heart:
    """
    Find and judge the beats of a recording.

    Rates come from corrected beats, variability from the intervals that needed no correction: each is nearest to the truth
    so, by measurement (`mmme.features.body.beat_correction`).

    Parameters
    ----------
    stream
        ECG [V], one channel, session time.

    Raises
    ------
    DataError
        If the unit is not V.

    References
    ----------
    Lipponen & Tarvainen (2019), Correction of beats, doi:10.1080/03091902.2019.1640306.
    Orphanidou et al. (2015), Signal quality of ECG and PPG, doi:10.1109/JBHI.2014.2338351.

    Examples
    --------
    >>> import neurokit2 as nk
    >>> x = nk.ecg_simulate(duration=30, sampling_rate=250, heart_rate=70, heart_rate_std=0, random_state=1) * 1e-3
    >>> heart = read_ecg(Stream("ecg", "biopac", np.arange(x.size) / 250, x, "V", 250.0))
    >>> heart.beats.t_s.size, heart.verdict.over_all()
    (34, (1.0, ''))
    """
    expect_unit(stream, "V")
    signal = regular(stream)
    if refused := unreadable(signal, flat=FLAT_V):
        kept, nothing = thinned(signal, KEPT_HZ), np.empty(0)
        none = Beats(nothing, np.empty(0, dtype=bool))
        verdict = verdict_from(kept, {refused: np.ones(kept.t.size, dtype=bool)})
        return Heart(refused, verdict, kept, none, none, none, nothing)
    found = find_beats(signal)
    kept = thinned(found.coarse, KEPT_HZ)
    before, after = (round(s * found.coarse.fs_hz) for s in COMPARED_S)
    like = believed(likeness(found.clean, found.places, before, after), LEAST_R)
    mended = corrected(found.t_s)
    limits = {"shortest_s": SHORTEST_RR_S, "longest_s": LONGEST_RR_S}
    torn = ~beats_from(found.t_s, kept, shortest_s=0.0, longest_s=np.inf, even=False).accepted
    doubted = torn | ~(like[1:] & like[:-1])
    beats, right = (
        set_aside(beats_from(t_s, kept, **limits, even=True), found.t_s, doubted) for t_s in (found.t_s, mended.t_s)
    )
    normal = Beats(right.t_s, right.accepted & mended.observed[1:] & mended.observed[:-1])
    doubts = {
        "signal is flat": still(kept, flat=FLAT_V, least_s=1.0),
        "signal is clipped": at_limit(signal, kept, least_s=0.01),
        **beat_doubts(kept, found.t_s, like, shortest_s=SHORTEST_RR_S, word="beats"),
    }
    origin = {
        "polarity": "inverted" if found.inverted else "upright",
        "intervals_set_aside": str(int((~beats.accepted).sum())),
        **{f"beats_{name}": str(int((mended.kind == k).sum())) for k, name in enumerate(KINDS)},
    }
    return Heart("", verdict_from(kept, doubts), kept, beats, right, normal, mended.at_s, origin)


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
        baseline's rate in the window (both positive when the rate swings that way); ``hr_deceleration_s``: when after the
        event the rate is lowest; ``hr_phase_cos`` and ``_sin``: where in the interval between two beats the event fell;
        ``hrv_*`` as in `mmme.features.body.hrv.hrv_columns`, only in windows long enough; ``hr_corrected_share`` of the
        window's beats that were missed, extra, ectopic or misplaced. NaN with its reason elsewhere.

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
    occasions = occasions_around(samples, before_s=before_s, after_s=after_s, baseline_s=baseline_s)
    heart = read_ecg(stream)
    origin = {f"ecg_{key}": text for key, text in heart.origin.items()}
    return feature_table(samples, ecg_columns(heart, occasions, slope_s=slope_s), origin=origin)


def ecg_columns(heart: Heart, occasions: Occasions, *, slope_s: float = SLOPE_S) -> dict[str, Column]:
    """
    Describe occasions by the heart.

    Parameters
    ----------
    heart
        From `read_ecg`.
    occasions
        ``k`` windows, their baselines and events.
    slope_s
        The slope of the heart rate is fitted from this long before to this long after the event [s].

    Returns
    -------
    dict of str to Column
        `COLUMNS`, in order.
    """
    k = len(occasions)
    if heart.refused:
        nothing, why = np.full(k, np.nan), np.full(k, heart.refused)
        return dict.fromkeys(COLUMNS, (nothing, why))
    windows = occasions.windows
    share = _corrected_share(heart, windows)
    why = _reasons(heart, windows, "window")
    made = _rate_columns(heart, occasions, why, slope_s)
    aside = np.maximum(rmssd_sdnn(heart.corrected, windows)[2], share)
    made |= hrv_columns(heart.normal, windows, why, aside)
    unseen = first_reason(k, (windows.outside(heart.signal), "window leaves the recording"))
    beatless = first_reason(k, (np.isnan(share), "no beats in the window"))
    made["hr_corrected_share"] = (share, either(unseen, beatless))
    return {name: made[name] for name in COLUMNS}


def _corrected_share(heart: Heart, windows: Windows) -> NDArray[np.float64]:
    """Share of each window's beats that were corrected, ``(k,)``; NaN where there are none."""
    first, last = np.searchsorted(heart.corrected_s, [windows.start_s, windows.stop_s], side="left")
    n = heart.corrected.count(windows)
    return np.divide(last - first, n, out=np.full(n.size, np.nan), where=n > 0)


def _reasons(heart: Heart, windows: Windows, what: str) -> NDArray[np.str_]:
    """Say why windows have no heart rate."""
    general = beat_reasons(heart.corrected, heart.signal, windows, flat=FLAT_V, what=what)
    many = _corrected_share(heart, windows) > CORRECTED_SHARE
    text = f"more than {CORRECTED_SHARE:.0%} of beats corrected in the {what}"
    return either(general, first_reason(windows.start_s.size, (many, text)))


def _rate_columns(heart: Heart, occasions: Occasions, why: NDArray[np.str_], slope_s: float) -> dict[str, Column]:
    """Mean, change, slope and swings of the heart rate, and where in its cycle the event fell."""
    beats, windows, k = heart.corrected, occasions.windows, len(occasions)
    usual, why_change = np.full(k, np.nan), either(why, occasions.uncompared())
    if occasions.baseline is not None:
        usual = rate(beats, occasions.baseline)[0]
        why_change = either(why, _reasons(heart, occasions.baseline, "baseline"))
    around = occasions.around(slope_s, slope_s)
    eventless = occasions.eventless()
    why_slope = either(eventless, _reasons(heart, around, "window"))
    level, course = rate(beats, windows)[0], rate_course(beats, windows)
    lowest = np.argmin(course, axis=1) if course.size else np.zeros(k, dtype=int)
    after_s = windows.start_s + (lowest + 0.5) * windows.duration_s / course.shape[1] - occasions.at_s
    phase, why_phase = _phase(heart.normal, occasions.at_s)
    why_phase = either(eventless, either(why, why_phase))
    return {
        "hr_bpm": (level, why),
        "hr_change_bpm": (level - usual, why_change),
        "hr_slope_bpm_per_s": (np.where(eventless == "", rate_slope(beats, around), np.nan), why_slope),
        "hr_deceleration_bpm": (usual - course.min(axis=1), why_change),
        "hr_acceleration_bpm": (course.max(axis=1) - usual, why_change),
        "hr_deceleration_s": (after_s, either(eventless, why)),
        "hr_phase_cos": (np.cos(phase), why_phase),
        "hr_phase_sin": (np.sin(phase), why_phase),
    }


def _phase(beats: Beats, at_s: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Where in the interval from beat to beat each moment falls [rad], and why that is not known."""
    after = np.clip(np.searchsorted(beats.t_s, at_s, side="right"), 1, max(beats.t_s.size - 1, 1))
    unknown = np.ones(at_s.size, dtype=bool)
    phase = np.full(at_s.size, np.nan)
    if beats.t_s.size >= 2:
        before = beats.t_s[after - 1]
        share = (at_s - before) / (beats.t_s[after] - before)
        unknown = ~((share >= 0) & (share < 1) & beats.accepted[after - 1])
        phase = 2 * np.pi * share
    return phase, first_reason(at_s.size, (unknown, "the event lies between no two accepted beats"))
