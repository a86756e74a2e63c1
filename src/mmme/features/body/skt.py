"""
Skin temperature around a moment: level, slope and range, and whether the sensor was on the skin.

Vessels and tissue delay the temperature of the skin by more than 10 s: it answers nothing within an expression's length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from mmme.features.body.doubts import at_limit, joined, marked_share, still, widened
from mmme.features.body.levels import levels, means
from mmme.features.quality import Verdict, verdict_from
from mmme.features.sampling import Regular, expect_unit, regular, unreadable
from mmme.features.tables import Column, feature_table
from mmme.features.windows import Occasions, Windows, either, first_reason, occasions_around, spread, too_short
from mmme.types import FeatureTable, Sample, Stream

__all__ = ["COLUMNS", "SkinTemperature", "read_skt", "skt_columns", "skt_features"]

COLUMNS = ("skt_c", "skt_change_c", "skt_slope_c_per_min", "skt_range_c")

SKT_HZ = 10.0
#: A receiver without its sensor repeats one reading, give or take three steps of its converter (0.0006 °C).
FLAT_C = 0.002
#: For so long [s]: skin in a calm room may stay within that range for 10 s.
FLAT_FOR_S = 30.0
#: Fingers in a heated room are warmer, skin is never hotter.
COLDEST_C, HOTTEST_C = 20.0, 42.0
#: Skin changes more slowly than this, over one second; faster is a sensor that slips, is put on or taken off.
FASTEST_C_PER_S = 0.2
#: Around such a change this much is distrusted too, and all between two of them less than 5 s apart [s].
ARTEFACT_MARGIN_S, ARTEFACT_GAP_S = 1.0, 5.0
#: Skin warms and cools over tens of seconds; shorter windows hold noise only.
SLOPE_NEEDS_S = 10.0
#: Temperature that is cut off stays at one reading for this long [s].
CLIPPED_S = 5.0
#: More than this share of readings that no skin has means another unit, or a sensor that was never worn.
ELSEWHERE_SHARE = 0.95
# What 20 to 42 °C are in Fahrenheit and in Kelvin.
_FAHRENHEIT, _KELVIN = (68.0, 107.6), (293.15, 315.15)

_FAST = f"faster than {FASTEST_C_PER_S:g} °C/s"


@dataclass(frozen=True, slots=True, eq=False)
class SkinTemperature:
    """
    A recording of skin temperature, analysed once.

    Parameters
    ----------
    refused
        Why nothing can be computed; empty when usable.
    verdict
        What speaks against it, second by second.
    signal
        At about 10 Hz [°C].
    smooth
        Mean of the second around each sample [°C].
    artefact : (n,) bool
        Samples near changes that skin cannot make.
    """

    refused: str
    verdict: Verdict
    signal: Regular
    smooth: Regular
    artefact: NDArray[np.bool_]


def read_skt(stream: Stream) -> SkinTemperature:
    """
    Judge a recording of skin temperature.

    Parameters
    ----------
    stream
        Skin temperature [°C], one channel, session time.

    Raises
    ------
    DataError
        If the unit is not °C. Numbers that are not °C although the stream says so are refused with what they may be.

    Examples
    --------
    >>> t = np.arange(0, 80, 0.1)
    >>> read_skt(Stream("skt", "biopac", t, 33.0 + 0.2 * t / 60, "°C", 10.0)).refused
    ''
    >>> read_skt(Stream("skt", "biopac", t, 91.4 + 0.3 * t / 60, "°C", 10.0)).refused
    'readings of about 91.6 are no skin temperature in °C; are they °F?'
    """
    expect_unit(stream, "°C")
    full = regular(stream)
    signal = _tenths(full)
    second = max(1, round(signal.fs_hz))
    smooth = Regular(signal.t, uniform_filter1d(signal.x, second, mode="nearest"), signal.bad, signal.fs_hz)
    artefact = _artefacts(signal, second)
    doubts = {
        f"below {COLDEST_C:g} °C; sensor off?": signal.x < COLDEST_C,
        f"above {HOTTEST_C:g} °C; other unit?": signal.x > HOTTEST_C,
        "temperature flat; sensor off?": still(signal, flat=FLAT_C, least_s=FLAT_FOR_S),
        "signal is clipped": at_limit(full, signal, least_s=CLIPPED_S),
        _FAST: artefact,
    }
    refused = unreadable(signal, flat=0.0) or _elsewhere(signal.x[~signal.bad])
    return SkinTemperature(refused, verdict_from(signal, doubts), signal, smooth, artefact)


def _tenths(signal: Regular) -> Regular:
    """Average about a tenth of a second each: temperature has nothing faster to be filtered out first."""
    q = max(1, int(signal.fs_hz // SKT_HZ))
    first = np.arange(0, signal.t.size, q)
    x = np.add.reduceat(signal.x, first) / np.diff(np.append(first, signal.t.size))
    return Regular(signal.t[first], x, np.logical_or.reduceat(signal.bad, first), signal.fs_hz / q)


def _artefacts(signal: Regular, second: int) -> NDArray[np.bool_]:
    """Mark samples near changes of more than 0.2 °C within a second, and between two of them close together."""
    marks = np.zeros(signal.x.size, dtype=bool)
    fast = np.abs(signal.x[second:] - signal.x[:-second]) > FASTEST_C_PER_S * second / signal.fs_hz
    marks[second // 2 : second // 2 + fast.size] = fast
    if not fast.any():
        return marks
    marks = joined(marks, round(ARTEFACT_GAP_S * signal.fs_hz))
    return widened(marks, round(ARTEFACT_MARGIN_S * signal.fs_hz))


def _elsewhere(x: NDArray[np.float64]) -> str:
    """Say what readings may be that are no skin temperature in °C."""
    if ((x < COLDEST_C) | (x > HOTTEST_C)).mean() < ELSEWHERE_SHARE:
        return ""
    middle = float(np.median(x))
    guess = "was the sensor worn, or are they volts?" if middle < COLDEST_C else "are they in another unit?"
    for unit, (low, high) in (("°F", _FAHRENHEIT), ("K", _KELVIN)):
        if low <= middle <= high:
            guess = f"are they {unit}?"
    return f"readings of about {middle:.3g} are no skin temperature in °C; {guess}"


def skt_columns(temperature: SkinTemperature, occasions: Occasions) -> dict[str, Column]:
    """
    Describe occasions by their skin temperature.

    Parameters
    ----------
    temperature
        The recording, analysed.
    occasions
        ``k`` windows and their baselines; events do not matter.

    Returns
    -------
    dict of str to Column
        ``skt_c`` mean [°C]; ``skt_change_c`` minus the baseline's; ``skt_slope_c_per_min`` of the least-squares line
        [°C/min] and ``skt_range_c`` (largest minus smallest mean of one second), in windows of at least 10 s.

    Examples
    --------
    >>> t = np.arange(0, 80, 0.1)
    >>> temperature = read_skt(Stream("skt", "biopac", t, 33.0 + 0.3 * t / 60, "°C", 10.0))
    >>> columns = skt_columns(temperature, Occasions(Windows(np.array([20.0]), 20.0), None, np.array([20.0])))
    >>> round(float(columns["skt_slope_c_per_min"][0][0]), 3), columns["skt_change_c"][1].tolist()
    (0.3, ['no baseline to compare with'])
    """
    k = len(occasions)
    if temperature.refused:
        return {name: (np.full(k, np.nan), np.full(k, temperature.refused)) for name in COLUMNS}
    windows = occasions.windows
    why = _reasons(temperature, windows, "window")
    here = levels(temperature.signal, windows)
    if occasions.baseline is None:
        why_change, there = occasions.uncompared(), np.full(k, np.nan)
    else:
        why_change = either(why, _reasons(temperature, occasions.baseline, "baseline"))
        there = means(temperature.signal, occasions.baseline)
    why_slow = either(why, too_short(windows, SLOPE_NEEDS_S))
    return {
        "skt_c": (here.mean, why),
        "skt_change_c": (here.mean - there, why_change),
        "skt_slope_c_per_min": (60.0 * here.slope_per_s, why_slow),
        "skt_range_c": (spread(temperature.smooth, windows), why_slow),
    }


def _flat(signal: Regular, of: Windows) -> NDArray[np.bool_]:
    """Tell in which windows the sensor did not move; short ones are judged by the time around them."""
    if of.duration_s >= FLAT_FOR_S:
        return np.asarray(spread(signal, of) <= FLAT_C)
    return marked_share(still(signal, flat=FLAT_C, least_s=FLAT_FOR_S), signal, of) > 0.5


def _reasons(temperature: SkinTemperature, of: Windows, what: str) -> NDArray[np.str_]:
    """Say why windows cannot be used: as for every signal, then a sensor that is not on the skin."""
    signal = temperature.signal
    return first_reason(
        of.start_s.size,
        (of.outside(signal), f"{what} leaves the recording"),
        (of.touches_bad(signal), f"{what} touches missing samples"),
        (marked_share(signal.x < COLDEST_C, signal, of) > 0.5, f"below {COLDEST_C:g} °C in the {what}; sensor off?"),
        (marked_share(signal.x > HOTTEST_C, signal, of) > 0.5, f"above {HOTTEST_C:g} °C in the {what}; other unit?"),
        (_flat(signal, of), f"temperature flat in the {what}; sensor off?"),
        (marked_share(temperature.artefact, signal, of) > 0, f"artefact in the {what}: {_FAST}"),
    )


def skt_features(
    stream: Stream, samples: Sequence[Sample], *, before_s: float = 0.0, after_s: float = 30.0, baseline_s: float = 10.0
) -> FeatureTable:
    """
    Mean, change, slope and range of skin temperature after each apex.

    Vessels and tissue delay the temperature of the skin by more than 10 s, so the default window is the 30 s after the
    apex, against the 10 s before it.

    Parameters
    ----------
    stream
        Skin temperature [°C], one channel, session time.
    samples
        Moments to describe.
    before_s, after_s
        Window ``[apex - before_s, apex + after_s)``.
    baseline_s
        Length of the baseline, which ends where the window begins [s].

    Returns
    -------
    FeatureTable
        `COLUMNS`, see `skt_columns`; NaN with its reason where there is no value.

    Raises
    ------
    DataError
        If the unit is not °C.
    ConfigError
        If a window has no length.

    Examples
    --------
    >>> from mmme.interval import Interval
    >>> t = np.arange(0, 80, 0.1)
    >>> stream = Stream("skt", "biopac", t, 33.0 + 0.2 * t / 60, "°C", 10.0)
    >>> table = skt_features(stream, [Sample("a", "S01", "sad-1", "sad", 29.9, 30.0, 30.2, Interval(0.0, 60.0))])
    >>> round(float(table.X[0, 2]), 3)
    0.2
    """
    occasions = occasions_around(samples, before_s=before_s, after_s=after_s, baseline_s=baseline_s)
    return feature_table(samples, skt_columns(read_skt(stream), occasions))
