"""
Skin conductance around a moment: its level, and whether a response followed.

A response (SCR) belongs to a moment when its onset lies 1 to 4 s after it; which of several moments within that time it
belongs to cannot be known. The threshold is absolute: a threshold relative to the largest deflection of the recording
lets one artefact hide every response.

References
----------
Boucsein et al. (2012), Publication recommendations for electrodermal measurements, doi:10.1111/j.1469-8986.2012.01384.x.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from mmme.errors import ConfigError
from mmme.features.body.detection import EDA_HZ, eda_levels, eda_responses
from mmme.features.sampling import Regular, decimated, expect_unit, regular, unreadable
from mmme.features.tables import Column, feature_table, missing_table
from mmme.features.windows import Windows, cut, either, first_reason, slope, unusable, windows_around
from mmme.types import FeatureTable, Sample, Stream

__all__ = ["COLUMNS", "eda_features"]

COLUMNS = (
    "scr_present",
    "scr_amplitude_us",
    "scr_latency_s",
    "scl_us",
    "scl_change_us",
    "scl_slope_us_per_s",
    "eda_phasic_change_us",
)

#: A few steps of a 24-bit converter over 50 µS.
FLAT_US = 1e-5
#: Skin conducts more than this; less means an electrode is off.
ELECTRODE_OFF_US = 0.05
#: Skin conductance changes more slowly than this; faster is movement or a loose electrode.
FASTEST_US_PER_S = 10.0
#: Around a step of an artefact this much is distrusted too [s].
ARTEFACT_MARGIN_S = 0.5
#: A response that begins at the end of the latency window needs this long to peak [s].
RISE_S = 4.0


def eda_features(
    stream: Stream,
    samples: Sequence[Sample],
    *,
    before_s: float = 0.0,
    after_s: float = 5.0,
    baseline_s: float = 2.0,
    threshold_us: float = 0.02,
    latency_s: tuple[float, float] = (1.0, 4.0),
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
    threshold_us
        Smallest response [µS], absolute.
    latency_s
        A response belongs to the apex when its onset lies this long after it [s]; the earliest such one counts.

    Returns
    -------
    FeatureTable
        ``scr_present`` 0 or 1; ``scr_amplitude_us`` trough to peak, 0 without a response (so its mean is the magnitude);
        ``scr_latency_s`` NaN without one; ``scl_us`` and ``scl_slope_us_per_s`` of the tonic part; ``scl_change_us`` and
        ``eda_phasic_change_us`` window minus baseline of tonic and phasic part. ``scr_*`` need the recording, free of
        artefacts, until 4 s after the last possible onset. NaN with its reason elsewhere.

    Raises
    ------
    DataError
        If the unit is not µS.
    ConfigError
        If a window has no length, or threshold and latencies are not in order.

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
    expect_unit(stream, "µS")
    if not threshold_us > 0 or not 0 <= latency_s[0] < latency_s[1]:
        got = f"{threshold_us} µS and {latency_s[0]} to {latency_s[1]} s"
        raise ConfigError(f"eda: expected a threshold above 0 µS and latencies in order, got {got}")
    windows = windows_around(samples, before_s=before_s, after_s=after_s)
    baseline = windows.before(baseline_s)
    response = windows_around(samples, before_s=0.0, after_s=latency_s[1] + RISE_S)
    signal = decimated(regular(stream), EDA_HZ)
    if refused := unreadable(signal, flat=FLAT_US):
        return missing_table(samples, COLUMNS, refused)
    artefact = artefacts(signal)
    clean, tonic, phasic = eda_levels(_without(signal, artefact))
    onsets, _, amplitudes = eda_responses(clean, signal.fs_hz, threshold_us=threshold_us)

    def reasons(of: Windows, what: str) -> NDArray[np.str_]:
        return _reasons(signal, artefact, of, what)

    apex = response.start_s
    columns = _response_columns(signal.t[onsets], amplitudes, apex, latency_s, reasons(response, "response window"))
    why = reasons(windows, "window")
    why_change = either(why, reasons(baseline, "baseline"))
    level, slow = Regular(signal.t, tonic, signal.bad, signal.fs_hz), Regular(signal.t, phasic, signal.bad, signal.fs_hz)
    here, there = cut(level, windows), cut(level, baseline)
    columns |= {
        "scl_us": (here.mean(axis=1), why),
        "scl_change_us": (here.mean(axis=1) - there.mean(axis=1), why_change),
        "scl_slope_us_per_s": (slope(here, 1.0 / signal.fs_hz), why),
        "eda_phasic_change_us": (cut(slow, windows).mean(axis=1) - cut(slow, baseline).mean(axis=1), why_change),
    }
    origin = {"eda_threshold_us": f"{threshold_us:g}", "eda_latency_s": f"{latency_s[0]:g} to {latency_s[1]:g}"}
    return feature_table(samples, columns, origin=origin)


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
        return fast
    at = np.flatnonzero(fast)
    for a, b in pairwise(at):
        if b - a < 2.0 * signal.fs_hz:
            fast[a:b] = True
    return np.asarray(maximum_filter1d(fast.astype(np.uint8), 2 * round(ARTEFACT_MARGIN_S * signal.fs_hz) + 1).astype(bool))


def _without(signal: Regular, artefact: NDArray[np.bool_]) -> Regular:
    """Bridge artefacts by straight lines, so that filters do not spread them; the windows they touch have no value."""
    if not artefact.any() or artefact.all():
        return signal
    x = signal.x.copy()
    x[artefact] = np.interp(signal.t[artefact], signal.t[~artefact], x[~artefact])
    return Regular(signal.t, x, signal.bad, signal.fs_hz)


def _reasons(signal: Regular, artefact: NDArray[np.bool_], of: Windows, what: str) -> NDArray[np.str_]:
    """Say why windows cannot be used: as for every signal, then artefacts and electrodes that are off."""
    marked = Regular(signal.t, signal.x, artefact, signal.fs_hz)
    own = first_reason(
        of.start_s.size,
        (of.touches_bad(marked), f"artefact in the {what}: faster than {FASTEST_US_PER_S:g} µS/s"),
        (
            np.median(cut(signal, of), axis=1) < ELECTRODE_OFF_US,
            f"below {ELECTRODE_OFF_US:g} µS in the {what}; electrode off?",
        ),
    )
    return either(unusable(signal, of, flat=FLAT_US, what=what), own)


def _response_columns(
    onset_s: NDArray[np.float64],
    amplitudes: NDArray[np.float64],
    apex: NDArray[np.float64],
    latency_s: tuple[float, float],
    why: NDArray[np.str_],
) -> dict[str, Column]:
    """Presence, amplitude and latency of the first response whose onset lies in the latency window of each apex."""
    first, last = np.searchsorted(onset_s, [apex + latency_s[0], apex + latency_s[1]], side="left")
    present = last > first
    amplitude, latency = np.zeros(apex.size), np.full(apex.size, np.nan)
    amplitude[present] = amplitudes[first[present]]
    latency[present] = onset_s[first[present]] - apex[present]
    none = first_reason(apex.size, (~present, "no response in the latency window"))
    return {
        "scr_present": (present.astype(np.float64), why),
        "scr_amplitude_us": (amplitude, why),
        "scr_latency_s": (latency, either(why, none)),
    }
