"""Skin temperature around a moment: level and slope, and whether the sensor was on the skin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmme.features.sampling import Regular, decimated, expect_unit, regular, unreadable
from mmme.features.tables import feature_table, missing_table
from mmme.features.windows import Windows, cut, either, first_reason, slope, spread, unusable, windows_around
from mmme.types import FeatureTable, Sample, Stream

__all__ = ["COLUMNS", "skt_features"]

COLUMNS = ("skt_c", "skt_change_c", "skt_slope_c_per_min")

SKT_HZ = 10.0
#: A receiver without its sensor repeats one reading, give or take three steps of its converter (0.0006 °C).
FLAT_C = 0.002
#: Fingers in a heated room are warmer, skin is never hotter.
COLDEST_C, HOTTEST_C = 20.0, 42.0
#: Skin warms and cools over tens of seconds; shorter windows hold noise only.
SLOPE_NEEDS_S = 10.0


def skt_features(
    stream: Stream, samples: Sequence[Sample], *, before_s: float = 0.0, after_s: float = 30.0, baseline_s: float = 10.0
) -> FeatureTable:
    """
    Mean, change and slope of skin temperature after each apex.

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
        ``skt_c`` mean [°C]; ``skt_change_c`` minus the baseline's; ``skt_slope_c_per_min`` of the least-squares line
        [°C/min], in windows of at least 10 s. NaN with its reason elsewhere: outside 20 to 42 °C, or flat, the sensor was
        not on the skin.

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
    expect_unit(stream, "°C")
    windows = windows_around(samples, before_s=before_s, after_s=after_s)
    baseline = windows.before(baseline_s)
    signal = decimated(regular(stream), SKT_HZ)
    if refused := unreadable(signal, flat=0.0):
        return missing_table(samples, COLUMNS, refused)
    why = _reasons(signal, windows, "window")
    why_change = either(why, _reasons(signal, baseline, "baseline"))
    short = windows.duration_s < SLOPE_NEEDS_S
    why_slope = either(why, first_reason(why.size, (short, f"window {windows.duration_s:g} s, needs {SLOPE_NEEDS_S:g} s")))
    here = cut(signal, windows)
    level = here.mean(axis=1)
    values = (level, level - cut(signal, baseline).mean(axis=1), 60.0 * slope(here, 1.0 / signal.fs_hz))
    whys = (why, why_change, why_slope)
    return feature_table(samples, dict(zip(COLUMNS, zip(values, whys, strict=True), strict=True)))


def _reasons(signal: Regular, of: Windows, what: str) -> NDArray[np.str_]:
    """Say why windows cannot be used: as for every signal, then a sensor that is not on the skin."""
    rows = cut(signal, of)
    middle = np.median(rows, axis=1)
    own = first_reason(
        of.start_s.size,
        (middle < COLDEST_C, f"below {COLDEST_C:g} °C in the {what}; sensor off?"),
        (middle > HOTTEST_C, f"above {HOTTEST_C:g} °C in the {what}; other unit?"),
        (spread(signal, of) <= FLAT_C, f"temperature flat in the {what}; sensor off?"),
    )
    return either(unusable(signal, of, flat=-1.0, what=what), own)
