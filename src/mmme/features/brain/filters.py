"""Zero-phase FIR filters of many channels, designed by MNE, applied in single precision."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import oaconvolve

__all__ = ["apply_fir", "band_pass", "notched"]


def band_pass(fs_hz: float, low_hz: float, high_hz: float, *, n_times: int) -> tuple[NDArray[np.float64], str]:
    """
    Design a band-pass as MNE does by default (window method, Hamming).

    Parameters
    ----------
    fs_hz
        Rate [Hz].
    low_hz, high_hz
        Edges of the band that passes [Hz]; the upper one is left out where the rate does not reach it.
    n_times
        Length of the recording; shorter ones get a warning from MNE, which is passed on in the text.

    Returns
    -------
    h : (n_taps,) float64
        Symmetric.
    text
        What it does, for people.

    Examples
    --------
    >>> h, text = band_pass(250.0, 0.5, 45.0, n_times=10000)
    >>> h.size, text
    (1651, '0.5 to 45 Hz, zero-phase FIR of 1651 taps (6.6 s) at 250 Hz')
    """
    from mne.filter import create_filter

    upper = high_hz if high_hz < 0.45 * fs_hz else None
    h = create_filter(None, fs_hz, low_hz, upper, method="fir", phase="zero", fir_design="firwin", verbose="ERROR")
    reach = f" longer than the recording of {n_times / fs_hz:.1f} s," if h.size > n_times else ""
    to = f"to {high_hz:g} Hz" if upper else "up"
    return h, f"{low_hz:g} {to}, zero-phase FIR of {h.size} taps ({h.size / fs_hz:.1f} s){reach} at {fs_hz:g} Hz".replace(
        "Hz up", "up"
    )


def apply_fir(x: NDArray[np.float32], h: NDArray[np.float64]) -> NDArray[np.float32]:
    """
    Filter every row with a symmetric kernel, without delay.

    Beyond its ends a row goes on as its own reflection about them (odd), zero where it is too short for that, as in MNE.

    Parameters
    ----------
    x : (n_channels, n)
        Signals.
    h : (n_taps,)
        Odd number of taps.

    Returns
    -------
    (n_channels, n) float32

    Examples
    --------
    >>> x = np.ones((1, 500), dtype=np.float32)
    >>> bool(np.allclose(apply_fir(x, np.full(5, 0.2)), 1.0))
    True
    """
    half = h.size // 2
    kernel = h.astype(np.float32)
    y = np.empty(x.shape, dtype=np.float32)
    n = x.shape[1]
    reach = min(half, n - 1)
    row = np.zeros(n + 2 * half, dtype=np.float32)
    for i, channel in enumerate(x):
        middle = channel.mean()  # small numbers keep their precision
        row[half : half + n] = channel - middle
        own = row[half : half + n]
        row[half - reach : half] = 2 * own[0] - own[reach:0:-1]
        row[half + n : half + n + reach] = 2 * own[-1] - own[-2 : -2 - reach : -1]
        y[i] = oaconvolve(row, kernel, mode="valid")
        y[i] += middle * np.float32(h.sum())
    return y


def notched(x: NDArray[np.float32], fs_hz: float, line_hz: float) -> NDArray[np.float32]:
    """
    Take out the power line and its harmonics below half the rate with MNE's notch (zero-phase FIR).

    Parameters
    ----------
    x : (n_channels, n)
        Signals.
    fs_hz, line_hz
        Rate and line [Hz].
    """
    from mne.filter import notch_filter

    lines = np.arange(line_hz, 0.48 * fs_hz, line_hz)
    if not lines.size:
        return x
    y = np.empty_like(x)
    for i, channel in enumerate(x):
        made: Any = notch_filter(channel.astype(np.float64), fs_hz, lines, verbose="ERROR")
        y[i] = made
    return y
