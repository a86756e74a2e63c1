"""
Values of windows for regions and channels: which channels count in which window, means over a region, reasons for gaps.

Every measure of a window goes the same way: a number per window and channel, the mean over the channels of a region that
count in that window, and the same for the difference from the baseline (of channels that count in both).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmme.errors import unknown_name
from mmme.features.brain.clean import CleanEeg
from mmme.features.brain.regions import REGIONS
from mmme.features.quality import CELL_S
from mmme.features.tables import Column
from mmme.features.windows import SAME_S, Occasions, Windows, either, first_reason

__all__ = [
    "By",
    "Found",
    "Measure",
    "column_of",
    "compared",
    "counting",
    "each_once",
    "length_reasons",
    "mean_of",
    "nothing",
    "place_names",
    "places",
    "reasons_of",
    "steps_with_channels",
    "trusted",
    "why_lacking",
    "window_columns",
    "window_names",
]

By = Literal["region", "channel", "both"]
#: Causes of a verdict that take a channel out of every window they touch: there is no signal, so there is no number.
#: Other causes (large, noisy) are for the quality index to tell.
NO_SIGNAL = ("flat", "missing")


@dataclass(frozen=True, slots=True)
class Measure:
    """
    One number per window and channel.

    Parameters
    ----------
    name
        Columns are called ``eeg_<name>_<place>``.
    what
        What the reason of a refusal calls it.
    needs_s
        Windows that are shorter do not support it [s].
    reaches_hz
        It needs a rate of at least twice this [Hz].
    """

    name: str
    what: str
    needs_s: float = 0.0
    reaches_hz: float = 0.0


def place_names(names: Sequence[str] = (), *, by: By = "region") -> tuple[str, ...]:
    """
    Regions, channels, or both, in the order of columns; ``names`` are the channels, not needed for regions.

    Raises
    ------
    ConfigError
        If the grouping is unknown.

    Examples
    --------
    >>> place_names(("Fz",), by="both")
    ('frontal', 'central', 'temporal', 'parietal', 'occipital', 'Fz')
    """
    if by not in ("region", "channel", "both"):
        raise unknown_name("grouping of channels", by, ["region", "channel", "both"], where="eeg")
    return (*(REGIONS if by != "channel" else ()), *(names if by != "region" else ()))


def places(names: Sequence[str], *, by: By) -> dict[str, list[int]]:
    """
    Rows of the channels of each place, in the order of columns.

    Examples
    --------
    >>> places(("F3", "O1", "F4"), by="region")["frontal"]
    [0, 2]
    """
    at = {name: i for i, name in enumerate(names)}
    return {
        place: [at[c] for c in REGIONS[place] if c in at] if place in REGIONS else [at[place]]
        for place in place_names(names, by=by)
    }


def trusted(clean: CleanEeg) -> NDArray[np.bool_]:
    """Tell which channels count at all, ``(n_channels,)``: not flat, and not bad unless interpolated."""
    bad = clean.flat | np.array([name in clean.bad_channels for name in clean.channels], dtype=bool)
    return np.asarray(~bad | np.array([name in clean.interpolated for name in clean.channels], dtype=bool))


def counting(clean: CleanEeg, windows: Windows) -> NDArray[np.bool_]:
    """
    Tell which channels count in which windows, ``(k, n_channels)``: trusted, and with a signal all through the window.

    A channel without a signal in a cell of the verdict (flat, missing) does not count in any window that touches the cell,
    unless it was interpolated.
    """
    k = windows.start_s.size
    counts = np.broadcast_to(trusted(clean), (k, len(clean.channels)))
    verdict = clean.verdict
    silent = [code for code, cause in enumerate(verdict.causes, start=1) if any(word in cause for word in NO_SIGNAL)]
    marked = np.isin(verdict.codes, silent)
    if marked.shape[0] != len(clean.channels) or not marked.any():
        return np.asarray(counts)
    n_cells = marked.shape[1]
    total = np.zeros((marked.shape[0], n_cells + 1), dtype=np.int32)
    np.cumsum(marked, axis=1, out=total[:, 1:])
    start = np.nan_to_num((windows.start_s - verdict.start_s) / CELL_S)
    first = np.clip(np.floor(start + SAME_S), 0, n_cells).astype(np.int64)
    last = np.clip(np.ceil(start + windows.duration_s / CELL_S - SAME_S), 0, n_cells).astype(np.int64)
    heard = (total[:, np.maximum(first, last)] == total[:, first]).T
    return np.asarray(counts & (heard | np.isin(clean.channels, clean.interpolated)))


def reasons_of(clean: CleanEeg, windows: Windows, *, what: str = "window") -> NDArray[np.str_]:
    """Say why no channel can be described in a window, ``(k,)``: its place in the recording, or missing samples."""
    grid = clean.grid
    return first_reason(
        windows.start_s.size,
        (windows.outside(grid), f"{what} leaves the recording"),
        (windows.touches_bad(grid), f"{what} touches missing samples"),
    )


def why_lacking(clean: CleanEeg, place: str, members: Sequence[int]) -> str:
    """Say why a place has no value in a window that is fine otherwise."""
    if not members:
        return f"no channel of region {place}"
    if all(clean.flat[i] or trusted(clean)[i] for i in members):
        return f"flat: {place}"
    if len(members) == 1:
        return f"bad channel {place}: {clean.bad_channels.get(place, 'flat')}"
    return f"no channel of region {place} that is neither bad nor flat"


def mean_of(x: NDArray[np.float64], counts: NDArray[np.bool_]) -> NDArray[np.float64]:
    """
    Mean over the channels that count and have a value, ``(k,)``; NaN where there is none.

    Parameters
    ----------
    x, counts : (k, n_members)
        Values, and whose count.
    """
    ok = counts & np.isfinite(x)
    if x.shape[1] == 1:
        return np.where(ok[:, 0], x[:, 0], np.nan)
    mean = np.full(x.shape[0], np.nan)
    n = ok.sum(axis=1)
    np.divide(np.where(ok, x, 0.0).sum(axis=1), n, out=mean, where=n > 0)
    return mean


def column_of(values: NDArray[np.float64], reason: NDArray[np.str_], lacking: str) -> Column:
    """Join values and reasons; what is NaN without a reason lacks its channels."""
    # Reasons are shared between columns where they can be: thousands of windows times hundreds of columns are gigabytes.
    undefined = np.isnan(values)
    if not undefined.any():
        return values, reason
    undefined &= reason == ""
    return values, (either(reason, first_reason(values.size, (undefined, lacking))) if undefined.any() else reason)


def nothing(names: Sequence[str], k: int, reason: str) -> dict[str, Column]:
    """Columns in which every value is missing for the same reason."""
    column = np.full(k, np.nan), np.full(k, reason)
    return dict.fromkeys(names, column)


def window_names(measures: Sequence[Measure], names: Sequence[str] = (), *, by: By = "region") -> tuple[str, ...]:
    """Column names of `window_columns`, in order."""
    return tuple(
        f"eeg_{m.name}_{place}{change}"
        for place in place_names(names, by=by)
        for m in measures
        for change in ("", "_change")
    )


def length_reasons(
    windows: Windows, measures: Sequence[Measure], fs_hz: float, *, what: str = "window"
) -> list[NDArray[np.str_]]:
    """Say per measure why windows of this length, at this rate, do not support it, each ``(k,)``."""
    # Rounded, because a table holds at most 255 different reasons and trials differ in length by milliseconds.
    length_s = windows.duration_s
    length = f"{length_s:.3g}" if length_s < 10 else f"{length_s:.0f}"
    reasons = []
    for m in measures:
        short = f"{what} {length} s, {m.what} needs {m.needs_s:.3g} s" if length_s < m.needs_s - SAME_S else ""
        slow = f"rate {fs_hz:.3g} Hz, {m.what} needs {2 * m.reaches_hz:g} Hz" if fs_hz < 2 * m.reaches_hz else ""
        reasons.append(np.full(windows.start_s.size, short or slow))
    return reasons


def each_once(clean: CleanEeg, windows: Windows) -> tuple[Windows, NDArray[np.int64]]:
    """Distinct windows by their first sample, and which of them each window is; ``first_sample`` of both agree."""
    first = windows.first_sample(clean.grid)
    some, inverse = np.unique(first, return_inverse=True)
    return Windows(clean.t[some], windows.duration_s), np.asarray(inverse)


def window_columns(
    clean: CleanEeg,
    occasions: Occasions,
    measures: Sequence[Measure],
    values_of: Callable[[CleanEeg, Windows], NDArray[np.float64]],
    *,
    by: By,
) -> dict[str, Column]:
    """
    Give each measure per place, and its change from the baseline.

    Parameters
    ----------
    clean, occasions
        What is described.
    measures
        In the order of the last axis of what ``values_of`` returns.
    values_of
        Called with the distinct windows; returns ``(k, n_channels, n_measures)``, NaN where there is no number.
    by
        Places: regions, channels, or both.

    Returns
    -------
    dict
        `window_names`, in order.
    """
    if clean.refused:
        return nothing(window_names(measures, clean.channels, by=by), len(occasions), clean.refused)
    now, change = compared(clean, occasions, measures, values_of)
    columns: dict[str, Column] = {}
    for place, members in places(clean.channels, by=by).items():
        lacking = why_lacking(clean, place, members)
        for j, measure in enumerate(measures):
            for found, suffix in ((now, ""), (change, "_change")):
                mean = mean_of(found.values[:, members, j], found.counts[:, members])
                columns[f"eeg_{measure.name}_{place}{suffix}"] = column_of(mean, found.reasons[j], lacking)
    return columns


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """
    Measures of windows, before they are gathered into places.

    Parameters
    ----------
    values : (k, n_channels, n_measures)
        Numbers; NaN where there is none.
    counts : (k, n_channels)
        Which channels count in which windows.
    reasons
        Per measure ``(k,)``, why no channel has it.
    """

    values: NDArray[np.float64]
    counts: NDArray[np.bool_]
    reasons: list[NDArray[np.str_]]


def compared(
    clean: CleanEeg,
    occasions: Occasions,
    measures: Sequence[Measure],
    values_of: Callable[[CleanEeg, Windows], NDArray[np.float64]],
) -> tuple[Found, Found]:
    """Measures of the windows, and their differences from the baseline; arguments as in `window_columns`."""
    now = _found(clean, occasions.windows, measures, values_of, "window")
    if occasions.baseline is None:
        return now, Found(np.full_like(now.values, np.nan), now.counts, [occasions.uncompared()] * len(measures))
    before = _found(clean, occasions.baseline, measures, values_of, "baseline")
    reasons = [either(a, b) for a, b in zip(now.reasons, before.reasons, strict=True)]
    return now, Found(now.values - before.values, now.counts & before.counts, reasons)


def _found(
    clean: CleanEeg,
    windows: Windows,
    measures: Sequence[Measure],
    values_of: Callable[[CleanEeg, Windows], NDArray[np.float64]],
    what: str,
) -> Found:
    """Measures of windows."""
    k = windows.start_s.size
    short = length_reasons(windows, measures, clean.fs_hz, what=what)
    if k and not all(why[0] for why in short):
        distinct, inverse = each_once(clean, windows)
        values = values_of(clean, distinct)[inverse]
    else:
        values = np.full((k, len(clean.channels), len(measures)), np.nan)
    # A measure that a length does not support is refused for that, wherever the window lies.
    where = reasons_of(clean, windows, what=what)
    return Found(values, counting(clean, windows), [either(why, where) if k and why[0] else where for why in short])


def steps_with_channels(clean: CleanEeg) -> Mapping[str, str]:
    """Say for `FeatureTable.origin` what was done to the recording, and which channels do not count."""
    flat = " ".join(n for n, is_flat in zip(clean.channels, clean.flat, strict=True) if is_flat)
    out = "; ".join(f"{n} ({why})" for n, why in clean.bad_channels.items() if n not in clean.interpolated)
    return {**clean.steps, "eeg_flat": flat or "none", "eeg_bad": out or "none"}
