"""
A stream on a regular grid, ready for filters: gaps and NaN marked, decimated without edge transients.

Filters cannot work across missing samples, so these are bridged by straight lines, and every bridged sample is marked in
``bad``: no window that touches one may yield a number.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from scipy.signal import resample_poly

from mmme.errors import DataError
from mmme.types import Stream

__all__ = ["Regular", "decimated", "expect_unit", "regular", "unreadable"]

#: Steps between samples longer than this many nominal steps are gaps, not jitter.
GAP_STEPS = 1.5
#: `scipy.signal.resample_poly` looks this many output samples to each side; a bad sample spoils that much.
REACH = 10
#: The median step may differ from the nominal by this share.
RATE_WITHIN = 0.01
#: Samples that are worked on at a time, so that no copies of all times are made.
BLOCK = 1 << 16
#: Shorter recordings hold too little for any filter used here.
SHORTEST_S = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Regular:
    """
    Samples at (nearly) constant steps.

    Parameters
    ----------
    t : (n,) float64
        Session times [s]; steps are constant up to the jitter of the stream.
    x : (n,) or (n, n_channels) float64
        Samples, finite everywhere; bridged where ``bad``.
    bad : (n,) bool
        True where a sample was missing, not finite, or within reach of one in the decimation filter.
    fs_hz
        Rate for filter design [Hz].
    """

    t: NDArray[np.float64]
    x: NDArray[np.float64]
    bad: NDArray[np.bool_]
    fs_hz: float

    @property
    def start_s(self) -> float:
        """Time of the first sample [s]."""
        return float(self.t[0])

    @property
    def stop_s(self) -> float:
        """End of the last sample's step [s]; windows must not reach beyond."""
        return float(self.t[-1]) + 1.0 / self.fs_hz

    @property
    def duration_s(self) -> float:
        """Length [s]."""
        return self.stop_s - self.start_s


def expect_unit(stream: Stream, unit: str) -> None:
    """
    Refuse a stream in another unit than the stored one.

    Raises
    ------
    DataError
        If the unit differs (the two Unicode spellings of micro are one unit).

    Examples
    --------
    >>> expect_unit(Stream("skt", "biopac", np.arange(2.0), np.ones(2), "°F"), "°C")
    Traceback (most recent call last):
        ...
    mmme.errors.DataError: stream 'skt': expected unit °C, got °F; convert it where the file is read
    """
    if unicodedata.normalize("NFKC", stream.unit) != unicodedata.normalize("NFKC", unit):
        raise DataError(
            f"stream '{stream.name}': expected unit {unit}, got {stream.unit}; convert it where the file is read"
        )


def _rate(stream: Stream, t: NDArray[np.float64]) -> float:
    """Nominal rate where the times confirm it, else the rate of the times."""
    if stream.fs is not None and _confirmed(t, stream.fs):
        return stream.fs
    measured = 1.0 / float(np.median(np.diff(t)))
    if stream.fs is None:
        return measured
    if abs(measured / stream.fs - 1.0) > RATE_WITHIN:
        raise DataError(
            f"stream '{stream.name}': expected times at {stream.fs:g} Hz, got steps of {1e3 / measured:.3f} ms "
            f"({measured:.2f} Hz); is the nominal rate wrong?"
        )
    return stream.fs


def _confirmed(t: NDArray[np.float64], fs_hz: float) -> bool:
    """Tell whether the median step certainly is within 1 % of the nominal: less than half of the steps are outside."""
    shortest, longest = (1 + 1e-9) / (1 + RATE_WITHIN) / fs_hz, (1 - 1e-9) / (1 - RATE_WITHIN) / fs_hz
    shorter = longer = 0
    for first in range(0, t.size - 1, BLOCK):
        steps = np.diff(t[first : first + BLOCK + 1])
        shorter += int(np.count_nonzero(steps < shortest))
        longer += int(np.count_nonzero(steps > longest))
    return 2 * max(shorter, longer) < t.size - 2


def _torn(t: NDArray[np.float64], fs_hz: float) -> bool:
    """Tell whether any step is a gap."""
    blocks = (np.diff(t[first : first + BLOCK + 1]) for first in range(0, t.size - 1, BLOCK))
    return any(float(steps.max()) * fs_hz > GAP_STEPS for steps in blocks)


def _bridged(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Straight lines over what is not finite, per channel, and where that was (in any channel)."""
    finite = np.isfinite(x)
    if finite.all():
        return x, np.zeros(x.shape[0], dtype=bool)
    bad = ~(finite if x.ndim == 1 else finite.all(axis=1))
    x = x.copy()
    for column, ok in zip(np.atleast_2d(x.T), np.atleast_2d(finite.T), strict=True):  # views: rows of x.T are columns of x
        column[~ok] = np.interp(np.flatnonzero(~ok), np.flatnonzero(ok), column[ok]) if ok.any() else 0.0
    return x, bad


def regular(stream: Stream) -> Regular:
    """
    Put a stream on a regular grid: holes in its times become bad samples, jitter of the times is kept.

    Parameters
    ----------
    stream
        One or many channels; times in session seconds.

    Returns
    -------
    Regular
        At the rate of the stream.

    Raises
    ------
    DataError
        If samples are not one- or two-dimensional, or the times contradict the nominal rate.

    Examples
    --------
    >>> t = np.array([0.0, 0.1, 0.2, 0.5, 0.6])
    >>> r = regular(Stream("skt", "biopac", t, np.arange(5.0), "°C", 10.0))
    >>> r.bad.tolist(), r.x.round(2).tolist()
    ([False, False, False, True, True, False, False], [0.0, 1.0, 2.0, 2.33, 2.67, 3.0, 4.0])
    """
    x: NDArray[Any] = np.asarray(stream.x[:], dtype=np.float64)
    if x.ndim > 2:
        raise DataError(f"stream '{stream.name}': expected samples of shape (n,) or (n, n_channels), got {x.shape}")
    if x.ndim == 2 and x.shape[1] == 1:
        x = x[:, 0]
    t = np.asarray(stream.t, dtype=np.float64)
    fs_hz = _rate(stream, t)
    if _torn(t, fs_hz):
        steps = np.diff(t) * fs_hz
        place = np.concatenate([[0], np.cumsum(np.maximum(1, np.rint(steps).astype(np.int64)))])
        holed = np.full((int(place[-1]) + 1, *x.shape[1:]), np.nan)
        holed[place] = x
        x, t = holed, np.interp(np.arange(holed.shape[0]), place, t)
    x, bad = _bridged(x)
    return Regular(t=t, x=x, bad=bad, fs_hz=fs_hz)


def decimated(signal: Regular, target_hz: float) -> Regular:
    """
    Lower the rate by a whole factor, to ``target_hz`` or the next rate above it.

    The anti-alias filter sees the recording continued by a straight line through its ends: with zeros instead, a constant
    level (EDA, temperature, DC-coupled EEG) would make a transient of its own size at both ends.

    Parameters
    ----------
    signal
        Any rate; returned as it is when already below twice the target.
    target_hz
        Wanted rate [Hz].

    Returns
    -------
    Regular
        Every ``q``-th time, filtered samples; ``bad`` spread by the reach of the filter.

    Examples
    --------
    >>> r = regular(Stream("eda", "biopac", np.arange(4000) / 1000, np.full(4000, 7.0), "µS", 1000.0))
    >>> d = decimated(r, 50.0)
    >>> d.fs_hz, bool(np.allclose(d.x, 7.0))
    (50.0, True)
    """
    q = int(signal.fs_hz // target_hz)
    if q <= 1:
        return signal
    x = resample_poly(signal.x, 1, q, axis=0, padtype="line")
    bad = signal.bad
    if bad.any():
        bad = maximum_filter1d(bad.astype(np.uint8), 2 * REACH * q + 1).astype(bool)
    return Regular(t=signal.t[::q], x=x, bad=bad[::q], fs_hz=signal.fs_hz / q)


def unreadable(signal: Regular, *, flat: float) -> str:
    """
    Say why nothing can be computed from a recording; the empty string where something can.

    Parameters
    ----------
    signal
        One channel.
    flat
        Range at or below which the channel is flat, in its unit.

    Examples
    --------
    >>> unreadable(Regular(np.arange(3.0), np.zeros(3), np.zeros(3, dtype=bool), 1.0), flat=1e-6)
    'recording shorter than 5 s'
    """
    if signal.duration_s < SHORTEST_S:
        return f"recording shorter than {SHORTEST_S:g} s"
    if signal.bad.mean() > 0.5:
        return "more than half of the recording is missing"
    if np.ptp(signal.x) <= flat:
        return "channel is flat"
    return ""
