"""
Skin conductance around a moment: its level, and whether a response followed.

A response (SCR) belongs to a moment when its onset lies 1 to 4 s after it; which of several moments within that time it
belongs to cannot be known, so ``scr_overlap`` counts them. The threshold is absolute: a threshold relative to the largest
deflection of the recording lets one artefact hide every response.

References
----------
Boucsein et al. (2012), Publication recommendations for electrodermal measurements, doi:10.1111/j.1469-8986.2012.01384.x.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError
from mmme.features.body.beats import mean_per_window
from mmme.features.body.doubts import at_limit, joined, marked_share, still, widened
from mmme.features.body.levels import levels, means
from mmme.features.body.skin_detection import CVXEDA_HZ, EDA_HZ, Responses, cleaned, find_responses, split
from mmme.features.quality import Verdict, verdict_from
from mmme.features.sampling import Regular, decimated, expect_unit, regular, unreadable
from mmme.features.tables import Column, feature_table
from mmme.features.windows import Occasions, Windows, either, first_reason, occasions_around, too_short
from mmme.types import FeatureTable, Sample, Stream

__all__ = ["COLUMNS", "SkinConductance", "artefacts", "eda_columns", "eda_features", "read_eda"]

COLUMNS = (
    "scr_present",
    "scr_amplitude_us",
    "scr_latency_s",
    "scl_us",
    "scl_change_us",
    "scl_slope_us_per_s",
    "eda_phasic_change_us",
    "scr_magnitude_us",
    "scr_rise_s",
    "scr_half_recovery_s",
    "scr_overlap",
    "scr_per_min",
    "scr_mean_amplitude_us",
    "scl_sd_us",
)

#: A few steps of a 24-bit converter over 50 µS.
FLAT_US = 1e-5
#: Coarse converters repeat a value for seconds; skin that answers does not for this long [s].
STILL_S = 10.0
#: Skin conducts more than this; less means an electrode is off. It never conducts more than the other.
ELECTRODE_OFF_US, HIGHEST_US = 0.05, 60.0
#: Skin conductance changes more slowly than this; faster is movement or a loose electrode.
FASTEST_US_PER_S = 10.0
#: Around a step of an artefact this much is distrusted too, and all between two steps less than 2 s apart [s].
ARTEFACT_MARGIN_S, ARTEFACT_GAP_S = 0.5, 2.0
#: A response that begins at the end of the latency window needs this long to peak [s].
RISE_S = 4.0
#: Sweat glands answer 1 to 4 s after an event.
LATENCY_S = (1.0, 4.0)
#: Another event within this time makes it doubtful which of them a response answers [s].
OVERLAP_S = 4.0
#: Responses come a few a minute; shorter windows hold too few to be counted per minute.
COUNT_NEEDS_S = 30.0
#: Conductance that is cut off stays at one value for this long [s].
CLIPPED_S = 0.5

_ARTEFACT = f"faster than {FASTEST_US_PER_S:g} µS/s"


@dataclass(frozen=True, slots=True, eq=False)
class SkinConductance:
    """
    An EDA recording, analysed once.

    Parameters
    ----------
    refused
        Why nothing can be computed; empty when usable.
    verdict
        What speaks against it, second by second.
    tonic, phasic
        Level and its quick part [µS], at about 50 Hz.
    responses
        All of them, at least ``threshold_us`` high.
    doubts
        Marks on the samples of ``tonic``: by cause, ``(n,)`` bool.
    threshold_us
        Smallest response [µS].
    method
        How level and phasic part were split, with the rate where it matters: ``"highpass"`` or ``"cvxeda at 25 Hz"``.
    """

    refused: str
    verdict: Verdict
    tonic: Regular
    phasic: Regular
    responses: Responses
    doubts: dict[str, NDArray[np.bool_]]
    threshold_us: float
    method: str


def read_eda(stream: Stream, *, threshold_us: float = 0.02, method: str = "highpass") -> SkinConductance:
    """
    Split, judge and search a recording.

    Parameters
    ----------
    stream
        EDA [µS], one channel, session time.
    threshold_us
        Smallest response [µS], absolute.
    method
        ``"highpass"`` (0.05 Hz) or ``"cvxeda"`` (slower by far; needs cvxopt). Responses are found before the split and do
        not depend on it.

    Raises
    ------
    DataError
        If the unit is not µS.
    ConfigError
        If the threshold is not above 0, the method is unknown, or its package is not installed.

    Examples
    --------
    >>> t = np.arange(0, 60, 0.02)
    >>> after = np.maximum(t - 22.0, 0.0)
    >>> x = 5.0 + 0.8 * (np.exp(-after / 4) - np.exp(-after / 0.7))
    >>> skin = read_eda(Stream("eda", "biopac", t, x, "µS", 50.0))
    >>> skin.refused, skin.responses.onset_s.round(1).tolist(), skin.responses.amplitude_us.round(1).tolist()
    ('', [22.0], [0.5])
    """
    expect_unit(stream, "µS")
    if not threshold_us > 0:
        raise ConfigError(f"eda: expected a threshold above 0 µS, got {threshold_us} µS")
    full = regular(stream)
    signal = decimated(full, EDA_HZ)
    doubts = {
        "electrode off": signal.x < ELECTRODE_OFF_US,
        "too high": signal.x > HIGHEST_US,
        "still": still(signal, flat=FLAT_US, least_s=STILL_S),
        "clipped": at_limit(full, signal, least_s=CLIPPED_S),
        "artefact": artefacts(signal),
    }
    refused = unreadable(signal, flat=FLAT_US)
    clean = signal if refused else cleaned(_without(signal, doubts["artefact"]))
    tonic, phasic = (signal.x, np.zeros(signal.x.size)) if refused else split(clean, method=method)
    nothing = np.empty(0)
    responses = Responses(nothing, nothing, nothing, nothing)
    if not refused:
        untrusted = doubts["artefact"] | doubts["electrode off"] | doubts["too high"]
        responses = find_responses(clean, untrusted, threshold_us=threshold_us)
    t, bad, fs_hz = signal.t.copy(), signal.bad.copy(), signal.fs_hz  # no views that keep the full rate alive
    return SkinConductance(
        refused=refused,
        verdict=verdict_from(signal, _named(doubts)),
        tonic=Regular(t, np.asarray(tonic), bad, fs_hz),
        phasic=Regular(t, np.asarray(phasic), bad, fs_hz),
        responses=responses,
        doubts=doubts,
        threshold_us=threshold_us,
        method=f"cvxeda at {CVXEDA_HZ:g} Hz" if method == "cvxeda" else method,
    )


def _named(doubts: dict[str, NDArray[np.bool_]]) -> dict[str, NDArray[np.bool_]]:
    """Give doubts the texts of a verdict."""
    texts = {
        "electrode off": f"below {ELECTRODE_OFF_US:g} µS; electrode off?",
        "too high": f"above {HIGHEST_US:g} µS; other unit?",
        "still": "signal is flat",
        "clipped": "signal is clipped",
        "artefact": _ARTEFACT,
    }
    return {texts[name]: marks for name, marks in doubts.items()}


def artefacts(signal: Regular) -> NDArray[np.bool_]:
    """
    Mark samples near changes faster than 10 µS/s, and all between two such changes less than 2 s apart; ``(n,)``.

    Examples
    --------
    >>> x = np.full(500, 5.0)
    >>> x[200:220] = 35.0
    >>> mask = artefacts(Regular(np.arange(500) / 50, x, np.zeros(500, dtype=bool), 50.0))
    >>> int(mask[:170].sum()), bool(mask[195:225].all()), int(mask[250:].sum())
    (0, True, 0)
    """
    fast = np.abs(np.diff(signal.x, prepend=signal.x[:1])) * signal.fs_hz > FASTEST_US_PER_S
    if not fast.any():
        return np.asarray(fast)
    return widened(joined(fast, round(ARTEFACT_GAP_S * signal.fs_hz)), round(ARTEFACT_MARGIN_S * signal.fs_hz))


def _without(signal: Regular, artefact: NDArray[np.bool_]) -> Regular:
    """Bridge artefacts by straight lines, so that filters do not spread them; the windows they touch have no value."""
    if not artefact.any() or artefact.all():
        return signal
    x = signal.x.copy()
    x[artefact] = np.interp(signal.t[artefact], signal.t[~artefact], x[~artefact])
    return Regular(signal.t, x, signal.bad, signal.fs_hz)


def eda_columns(
    skin: SkinConductance, occasions: Occasions, *, latency_s: tuple[float, float] = LATENCY_S
) -> dict[str, Column]:
    """
    Describe occasions by their skin conductance.

    Parameters
    ----------
    skin
        The recording, analysed.
    occasions
        ``k`` windows, their baselines and events.
    latency_s
        A response belongs to an event when its onset lies this long after it [s]; the earliest such one counts.

    Returns
    -------
    dict of str to Column
        Of the event: ``scr_present`` 0 or 1; ``scr_magnitude_us`` trough to peak, 0 without a response; of responses only:
        ``scr_amplitude_us``, ``scr_latency_s`` (onset minus event), ``scr_rise_s`` (to the peak), ``scr_half_recovery_s``.
        They need the recording, free of artefacts, until 4 s after the last possible onset. ``scr_overlap``: how many
        other events of ``occasions`` lie at most 4 s before or after, at the same moment included; above 0 it cannot be
        known which event a response answers.
        Of the window: ``scl_us``, ``scl_sd_us`` (n - 1) and ``scl_slope_us_per_s`` of the tonic part; ``scr_per_min``
        responses whose onset lies in it and ``scr_mean_amplitude_us`` of them, in windows of at least 30 s.
        ``scl_change_us`` and ``eda_phasic_change_us``: mean minus baseline of tonic and phasic part.

    Raises
    ------
    ConfigError
        If the latencies are not in order.

    Examples
    --------
    >>> t = np.arange(0, 60, 0.02)
    >>> after = np.maximum(t - 22.0, 0.0)
    >>> x = 5.0 + 0.8 * (np.exp(-after / 4) - np.exp(-after / 0.7))
    >>> skin = read_eda(Stream("eda", "biopac", t, x, "µS", 50.0))
    >>> moment = Occasions(Windows(np.array([20.0]), 30.0), None, np.array([20.0]))
    >>> columns = eda_columns(skin, moment)
    >>> [round(float(columns[name][0][0]), 1) for name in ("scr_latency_s", "scr_rise_s", "scr_overlap", "scr_per_min")]
    [2.0, 1.4, 0.0, 2.0]
    """
    if not 0 <= latency_s[0] < latency_s[1]:
        raise ConfigError(f"eda: expected latencies in order, got {latency_s[0]} to {latency_s[1]} s")
    k = len(occasions)
    if skin.refused:
        return {name: (np.full(k, np.nan), np.full(k, skin.refused)) for name in COLUMNS}
    windows = occasions.windows
    why = _reasons(skin, windows, "window")
    tonic, phasic = levels(skin.tonic, windows), means(skin.phasic, windows)
    if occasions.baseline is None:
        why_change, tonic_0, phasic_0 = occasions.uncompared(), np.full(k, np.nan), np.full(k, np.nan)
    else:
        why_change = either(why, _reasons(skin, occasions.baseline, "baseline"))
        tonic_0, phasic_0 = means(skin.tonic, occasions.baseline), means(skin.phasic, occasions.baseline)
    columns = _answers(skin, occasions, latency_s) | _counts(skin.responses, windows, why)
    columns |= {
        "scl_us": (tonic.mean, why),
        "scl_change_us": (tonic.mean - tonic_0, why_change),
        "scl_slope_us_per_s": (tonic.slope_per_s, why),
        "scl_sd_us": (tonic.sd, why),
        "eda_phasic_change_us": (phasic - phasic_0, why_change),
    }
    return {name: columns[name] for name in COLUMNS}


def _reasons(skin: SkinConductance, of: Windows, what: str) -> NDArray[np.str_]:
    """Say why windows cannot be used."""
    signal = skin.tonic
    share = {name: marked_share(marks, signal, of) for name, marks in skin.doubts.items()}
    return first_reason(
        of.start_s.size,
        (of.outside(signal), f"{what} leaves the recording"),
        (of.touches_bad(signal), f"{what} touches missing samples"),
        (share["still"] > 0.5, f"signal is flat in the {what}"),
        (share["artefact"] > 0, f"artefact in the {what}: {_ARTEFACT}"),
        (share["electrode off"] > 0.5, f"below {ELECTRODE_OFF_US:g} µS in the {what}; electrode off?"),
        (share["too high"] > 0.5, f"above {HIGHEST_US:g} µS in the {what}; other unit?"),
        (share["clipped"] > 0, f"signal is clipped in the {what}"),
    )


def _answers(skin: SkinConductance, occasions: Occasions, latency_s: tuple[float, float]) -> dict[str, Column]:
    """Take the first response whose onset lies in the latency window of each event."""
    at, found = occasions.at_s, skin.responses
    why = either(occasions.eventless(), _reasons(skin, occasions.around(0.0, latency_s[1] + RISE_S), "response window"))
    first, last = np.searchsorted(found.onset_s, [at + latency_s[0], at + latency_s[1]], side="left")
    present = last > first

    def of_first(values: NDArray[np.float64], otherwise: float) -> NDArray[np.float64]:
        taken = np.full(at.size, otherwise)
        taken[present] = values[first[present]]
        return taken

    none = either(why, first_reason(at.size, (~present, "no response in the latency window")))
    half = of_first(found.half_recovery_s, np.nan)
    unrecovered = either(none, first_reason(at.size, (np.isnan(half), "half recovery not seen before the next response")))
    return {
        "scr_present": (present.astype(np.float64), why),
        "scr_magnitude_us": (of_first(found.amplitude_us, 0.0), why),
        "scr_amplitude_us": (of_first(found.amplitude_us, np.nan), none),
        "scr_latency_s": (of_first(found.onset_s, np.nan) - at, none),
        "scr_rise_s": (of_first(found.peak_s - found.onset_s, np.nan), none),
        "scr_half_recovery_s": (half, unrecovered),
        "scr_overlap": (_others_near(at), occasions.eventless()),
    }


def _others_near(at_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Count the other events at most 4 s from each, ``(k,)``; those at the same moment count."""
    known = np.sort(at_s[np.isfinite(at_s)])
    first = np.searchsorted(known, at_s - OVERLAP_S - 1e-6, side="left")
    last = np.searchsorted(known, at_s + OVERLAP_S + 1e-6, side="right")
    return np.asarray(last - first - 1, dtype=np.float64)


def _counts(found: Responses, windows: Windows, why: NDArray[np.str_]) -> dict[str, Column]:
    """Count the responses of each window, and average their amplitudes."""
    why = either(why, too_short(windows, COUNT_NEEDS_S))
    first, last = np.searchsorted(found.onset_s, [windows.start_s, windows.stop_s], side="left")
    none = either(why, first_reason(why.size, (last == first, "no response in the window")))
    return {
        "scr_per_min": ((last - first) * 60.0 / windows.duration_s, why),
        "scr_mean_amplitude_us": (mean_per_window(found.onset_s, found.amplitude_us, windows), none),
    }


def eda_features(
    stream: Stream,
    samples: Sequence[Sample],
    *,
    before_s: float = 0.0,
    after_s: float = 5.0,
    baseline_s: float = 2.0,
    threshold_us: float = 0.02,
    latency_s: tuple[float, float] = LATENCY_S,
    method: str = "highpass",
) -> FeatureTable:
    """
    Skin conductance response after each apex, and level, slope and phasic change of its window.

    The default window is 5 s from the apex: sweat glands answer 1 to 4 s after an event, so nothing before the apex and
    nothing within an expression's own length can be an answer to it. The baseline is the 2 s before.

    Parameters
    ----------
    stream
        EDA [µS], one channel, session time.
    samples
        Moments to describe.
    before_s, after_s
        Window ``[apex - before_s, apex + after_s)`` of level, slope and phasic change.
    baseline_s
        Length of the baseline, which ends where the window begins [s].
    threshold_us, method
        As for `read_eda`.
    latency_s
        As for `eda_columns`.

    Returns
    -------
    FeatureTable
        `COLUMNS`, see `eda_columns`; NaN with its reason where there is no value.

    Raises
    ------
    DataError
        If the unit is not µS.
    ConfigError
        If a window has no length, threshold and latencies are not in order, or the method is unknown or not installed.

    Examples
    --------
    >>> from mmme.interval import Interval
    >>> t = np.arange(0, 40, 0.02)
    >>> after = np.maximum(t - 22.0, 0.0)
    >>> x = 5.0 + 0.8 * (np.exp(-after / 4) - np.exp(-after / 0.7))
    >>> stream = Stream("eda", "biopac", t, x, "µS", 50.0)
    >>> table = eda_features(stream, [Sample("a", "S01", "sad-1", "sad", 19.9, 20.0, 20.2, Interval(0.0, 40.0))])
    >>> float(table.X[0, 0]), round(float(table.X[0, 2]), 1)
    (1.0, 2.0)
    """
    occasions = occasions_around(samples, before_s=before_s, after_s=after_s, baseline_s=baseline_s)
    skin = read_eda(stream, threshold_us=threshold_us, method=method)
    origin = {
        "eda_threshold_us": f"{threshold_us:g}",
        "eda_latency_s": f"{latency_s[0]:g} to {latency_s[1]:g}",
        "eda_method": skin.method,
    }
    return feature_table(samples, eda_columns(skin, occasions, latency_s=latency_s), origin=origin)
