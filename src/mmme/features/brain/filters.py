"""Zero-phase FIR filters of many channels, designed by MNE, applied in single precision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

__all__ = ["apply_fir", "band_pass", "filtered_rows", "notched"]

#: Blocks that are transformed together.
AT_ONCE = 8


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
    to = f"to {high_hz:g} Hz" if upper else "Hz up"
    return h, f"{low_hz:g} {to}, zero-phase FIR of {h.size} taps ({h.size / fs_hz:.1f} s){reach} at {fs_hz:g} Hz"


def apply_fir(
    x: NDArray[np.float32], h: NDArray[np.float64], *, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """
    Filter every row with a symmetric kernel, without delay.

    Beyond its ends a row goes on as its own reflection about them (odd), zero where it is too short for that, as in MNE.
    Blocks that stay in the cache, one after the other in memory that is used again, take a third of the time of
    `scipy.signal.oaconvolve` on whole rows.

    Parameters
    ----------
    x : (n_channels, n)
        Signals.
    h : (n_taps,)
        Odd number of taps.
    out : (n_channels, n)
        Where the result goes; ``x`` itself is allowed.

    Returns
    -------
    (n_channels, n) float32

    Examples
    --------
    >>> x = np.ones((1, 500), dtype=np.float32)
    >>> bool(np.allclose(apply_fir(x, np.full(5, 0.2)), 1.0))
    True
    """
    y = np.empty(x.shape, dtype=np.float32) if out is None else out
    for _ in filtered_rows(x, [h], out=y):
        pass
    return y


def filtered_rows(
    x: NDArray[np.float32], kernels: Sequence[NDArray[np.float64]], *, out: NDArray[np.float32] | None = None
) -> Iterator[list[NDArray[np.float32]]]:
    """
    Filter row by row with several symmetric kernels, for one transform of the row; else as `apply_fir`.

    Parameters
    ----------
    x : (n_channels, n)
        Signals; a row may be overwritten once it was yielded.
    kernels : (n_taps,) each
        Odd numbers of taps.
    out : (n_channels, n)
        Where the results of the first kernel go; ``x`` itself is allowed.

    Yields
    ------
    list of (n,) float32
        Per kernel; overwritten by the next row, but for what is in ``out``.
    """
    n = x.shape[1]
    taps = max(h.size for h in kernels)
    half = taps // 2
    size = next_fast_len(max(16384 if n > 16384 else 2 * n, 4 * taps), real=True)
    step = size - taps + 1
    blocks = -(-n // step)
    centred = [np.pad(h, half - h.size // 2).astype(np.float32) for h in kernels]
    responses, sums = [rfft(h, size) for h in centred], [np.float32(h.sum()) for h in kernels]
    row = np.zeros((blocks - 1) * step + size, dtype=np.float32)
    made = [np.empty(n if k or out is None else 0, dtype=np.float32) for k in range(len(kernels))]
    windows = sliding_window_view(row, size)[::step]
    reach = min(half, n - 1)
    for i, channel in enumerate(x):
        middle = channel.mean()  # small numbers keep their precision
        np.subtract(channel, middle, out=row[half : half + n])
        own = row[half : half + n]
        row[half - reach : half] = 2 * own[0] - own[reach:0:-1]
        row[half + n : half + n + reach] = 2 * own[-1] - own[-2 : -2 - reach : -1]
        if out is not None:
            made[0] = out[i]
        for a in range(0, blocks, AT_ONCE):
            spectra = rfft(windows[a : a + AT_ONCE], axis=1)
            for response, total, target in zip(responses, sums, made, strict=True):
                found = irfft(spectra * response, size, axis=1, overwrite_x=True)[:, taps - 1 :]
                _put(target[a * step : (a + AT_ONCE) * step], found, middle * total)
        yield made


def _put(target: NDArray[np.float32], found: NDArray[np.float32], level: np.float32) -> None:
    """Write rows one after the other, raised by a level; the last ones may reach beyond the end."""
    step = found.shape[1]
    whole = target.size // step
    np.add(found[:whole], level, out=target[: whole * step].reshape(whole, step))
    if whole < len(found):
        np.add(found[whole, : target.size - whole * step], level, out=target[whole * step :])


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
