"""
Windows around moments, and why some of them cannot be used.

A window is half-open, ``[at - before_s, at + after_s)``, and has the same number of samples wherever it lies. Statistics
over thousands of overlapping windows are computed at once, from slices of one cleaned recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, minimum_filter1d

from mmme.errors import ConfigError
from mmme.features.sampling import Regular
from mmme.types import Sample

__all__ = [
    "Occasions",
    "Windows",
    "cut",
    "either",
    "first_reason",
    "occasions_around",
    "slope",
    "spread",
    "too_short",
    "unusable",
    "windows_around",
]

#: Times closer than this are equal; far below any sampling step, far above rounding of session seconds.
SAME_S = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """
    Half-open windows of one length.

    Parameters
    ----------
    start_s : (k,) float64
        Starts [s].
    duration_s
        Common length [s].

    Examples
    --------
    >>> w = Windows(np.array([1.0, 2.0]), 0.5)
    >>> w.stop_s.tolist()
    [1.5, 2.5]
    """

    start_s: NDArray[np.float64]
    duration_s: float

    @property
    def stop_s(self) -> NDArray[np.float64]:
        """Ends [s], not included."""
        return self.start_s + self.duration_s

    def before(self, baseline_s: float) -> Windows:
        """Windows of ``baseline_s`` seconds that end where these begin."""
        if not baseline_s > 0:
            raise ConfigError(f"baseline_s: expected above 0 s, got {baseline_s} s")
        return Windows(self.start_s - baseline_s, baseline_s)

    def outside(self, signal: Regular) -> NDArray[np.bool_]:
        """Tell which windows leave the recording, or start nowhere (NaN); ``(k,)``."""
        inside = (self.start_s >= signal.start_s - SAME_S) & (self.stop_s <= signal.stop_s + SAME_S)
        return np.asarray(~inside)

    def first_sample(self, signal: Regular) -> NDArray[np.int64]:
        """Index of each window's first sample, moved inside the recording for windows that leave it; ``(k,)``."""
        first = np.searchsorted(signal.t, self.start_s - SAME_S, side="left")
        last_possible = max(0, signal.t.size - self.n_samples(signal))
        return np.asarray(np.minimum(first, last_possible), dtype=np.int64)

    def n_samples(self, signal: Regular) -> int:
        """Count the samples in a window."""
        return max(1, round(self.duration_s * signal.fs_hz))

    def touches_bad(self, signal: Regular) -> NDArray[np.bool_]:
        """Tell which windows hold a sample that was missing; ``(k,)``."""
        if not signal.bad.any():
            return np.zeros(self.start_s.shape, dtype=bool)
        count = np.concatenate([[0], np.cumsum(signal.bad)])
        first = self.first_sample(signal)
        return np.asarray(count[np.minimum(first + self.n_samples(signal), signal.t.size)] > count[first])


def windows_around(samples: Sequence[Sample], *, before_s: float, after_s: float) -> Windows:
    """
    Place windows ``[apex - before_s, apex + after_s)``, one per sample.

    Parameters
    ----------
    samples
        Moments to describe.
    before_s, after_s
        Seconds before and after the apex, each at least 0, not both 0.

    Raises
    ------
    ConfigError
        If a length is negative or both are 0.

    Examples
    --------
    >>> from mmme.interval import Interval
    >>> s = Sample("S01-101", "S01", "sad-1", "sad", 9.9, 10.0, 10.2, Interval(0.0, 60.0))
    >>> windows_around([s], before_s=0.5, after_s=1.5).start_s.tolist()
    [9.5]
    """
    if before_s < 0 or after_s < 0 or not before_s + after_s > 0:
        raise ConfigError(
            f"window: expected before_s and after_s of at least 0 s, not both 0, got {before_s} s and {after_s} s"
        )
    return Windows(np.array([s.apex for s in samples], dtype=np.float64) - before_s, before_s + after_s)


@dataclass(frozen=True, slots=True, eq=False)
class Occasions:
    """
    What is described: windows of one length, what they are compared with, and the moments they are about.

    Parameters
    ----------
    windows
        ``k`` windows.
    baseline
        As many, against which changes are computed; None where there is nothing to compare with (a baseline itself).
    at_s : (k,) float64
        The event: an apex, or the start of a stimulus [s]; NaN where nothing happened (a baseline).

    Examples
    --------
    >>> o = Occasions(Windows(np.array([9.0]), 5.0), Windows(np.array([4.0]), 5.0), np.array([10.0]))
    >>> o.around(2.0, 2.0).start_s.tolist()
    [8.0]
    """

    windows: Windows
    baseline: Windows | None
    at_s: NDArray[np.float64]

    def __len__(self) -> int:
        """Count occasions."""
        return int(self.windows.start_s.size)

    def around(self, before_s: float, after_s: float) -> Windows:
        """Windows from ``before_s`` before to ``after_s`` after each event; those without an event start at NaN."""
        return Windows(self.at_s - before_s, before_s + after_s)

    def eventless(self) -> NDArray[np.str_]:
        """Say which occasions have no event, ``(k,)``; the empty string where there is one."""
        return first_reason(len(self), (np.isnan(self.at_s), "no event in the window"))

    def uncompared(self) -> NDArray[np.str_]:
        """Say that there is no baseline, ``(k,)``; the empty string where there is one."""
        return first_reason(len(self), (self.baseline is None, "no baseline to compare with"))


def occasions_around(samples: Sequence[Sample], *, before_s: float, after_s: float, baseline_s: float) -> Occasions:
    """
    Place windows around each apex, with a baseline of ``baseline_s`` seconds that ends where the window begins.

    Parameters
    ----------
    samples
        Moments to describe.
    before_s, after_s
        Window ``[apex - before_s, apex + after_s)``.
    baseline_s
        Length of the baseline [s].

    Raises
    ------
    ConfigError
        If a window has no length.

    Examples
    --------
    >>> from mmme.interval import Interval
    >>> s = Sample("S01-101", "S01", "sad-1", "sad", 9.9, 10.0, 10.2, Interval(0.0, 60.0))
    >>> o = occasions_around([s], before_s=1.0, after_s=4.0, baseline_s=2.0)
    >>> o.windows.start_s.tolist(), o.baseline.start_s.tolist(), o.at_s.tolist()
    ([9.0], [7.0], [10.0])
    """
    windows = windows_around(samples, before_s=before_s, after_s=after_s)
    return Occasions(windows, windows.before(baseline_s), np.array([s.apex for s in samples], dtype=np.float64))


def too_short(windows: Windows, needs_s: float, *, what: str = "window") -> NDArray[np.str_]:
    """
    Say that windows do not support a measure, ``(k,)``; the empty string where they do.

    Examples
    --------
    >>> too_short(Windows(np.array([0.0]), 12.0), 60.0).tolist()
    ['window 12 s, needs 60 s']
    """
    length_s = windows.duration_s
    # Rounded, because a table holds at most 255 different reasons and trials differ in length by milliseconds.
    text = (
        f"{what} {length_s:.3g} s, needs {needs_s:g} s"
        if length_s < 10
        else f"{what} {length_s:.0f} s, needs {needs_s:g} s"
    )
    return first_reason(windows.start_s.size, (length_s < needs_s - SAME_S, text))


def cut(signal: Regular, windows: Windows) -> NDArray[np.float64]:
    """
    Take the samples of each window, ``(k, n_samples)``, of a one-channel signal; others for windows that are outside.

    Examples
    --------
    >>> r = Regular(np.arange(5) / 10, np.arange(5.0), np.zeros(5, dtype=bool), 10.0)
    >>> cut(r, Windows(np.array([0.1, 0.3]), 0.2)).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    n = min(windows.n_samples(signal), signal.x.shape[0])
    return np.asarray(sliding_window_view(signal.x, n)[windows.first_sample(signal)])


def spread(signal: Regular, windows: Windows) -> NDArray[np.float64]:
    """
    Find the range (largest minus smallest sample) of each window, ``(k,)``, without copying windows.

    Examples
    --------
    >>> r = Regular(np.arange(5) / 10, np.array([0.0, 3.0, 1.0, 1.0, 9.0]), np.zeros(5, dtype=bool), 10.0)
    >>> spread(r, Windows(np.array([0.0, 0.2, 0.3]), 0.2)).tolist()
    [3.0, 0.0, 8.0]
    """
    n = min(windows.n_samples(signal), signal.x.size)
    if n * windows.start_s.size < signal.x.size:  # few windows: filters over the whole recording would cost more
        return np.asarray(np.ptp(cut(signal, windows), axis=1))
    middle = windows.first_sample(signal) + n // 2  # the filters' result at i covers the n samples from i - n // 2 on
    return np.asarray(maximum_filter1d(signal.x, n)[middle] - minimum_filter1d(signal.x, n)[middle])


def unusable(signal: Regular, windows: Windows, *, flat: float, what: str = "window") -> NDArray[np.str_]:
    """
    Say for each window why no number can come from it; the empty string where one can.

    Parameters
    ----------
    signal
        One channel.
    windows
        ``k`` windows.
    flat
        Range at or below which the channel is flat, in its unit.
    what
        What the windows are called in the reason, ``"window"`` or ``"baseline"``.

    Examples
    --------
    >>> r = Regular(np.arange(5) / 10, np.arange(5.0), np.array([False, False, False, False, True]), 10.0)
    >>> unusable(r, Windows(np.array([0.1, 0.3, 0.4]), 0.2), flat=0.0).tolist()
    ['', 'window touches missing samples', 'window leaves the recording']
    """
    return first_reason(
        windows.start_s.size,
        (windows.outside(signal), f"{what} leaves the recording"),
        (windows.touches_bad(signal), f"{what} touches missing samples"),
        (spread(signal, windows) <= flat, f"signal is flat in the {what}"),
    )


def slope(x: NDArray[np.float64], step_s: float) -> NDArray[np.float64]:
    """
    Fit a straight line to each row and return its slope per second.

    Parameters
    ----------
    x : (k, n)
        Rows of equally spaced values.
    step_s
        Their spacing [s].

    Examples
    --------
    >>> slope(np.array([[0.0, 1.0, 2.0], [5.0, 5.0, 5.0]]), 0.5).tolist()
    [2.0, 0.0]
    """
    tau = (np.arange(x.shape[1]) - (x.shape[1] - 1) / 2.0) * step_s
    total = float(tau @ tau)
    if total == 0.0:
        return np.full(x.shape[0], np.nan)
    return np.asarray(x @ tau / total)


def first_reason(n: int, *checks: tuple[NDArray[np.bool_] | bool, str]) -> NDArray[np.str_]:
    """
    For each of ``n`` rows the text of the first check that holds, or the empty string.

    Examples
    --------
    >>> first_reason(3, (np.array([True, False, False]), "outside"), (np.array([True, True, False]), "flat")).tolist()
    ['outside', 'flat', '']
    """
    if not checks:
        return np.full(n, "")
    masks = [np.broadcast_to(np.asarray(mask, dtype=bool), (n,)) for mask, _ in checks]
    return np.asarray(np.select(masks, [np.full(n, text) for _, text in checks], default=""))


def either(first: NDArray[np.str_], second: NDArray[np.str_]) -> NDArray[np.str_]:
    """
    Take the first reason where there is one, else the second.

    Examples
    --------
    >>> either(np.array(["outside", ""]), np.array(["flat", "flat"])).tolist()
    ['outside', 'flat']
    """
    return np.where(first != "", first, second)
