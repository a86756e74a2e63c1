"""
Many channels at a lower rate, read from disk block by block.

The result is that of `scipy.signal.resample_poly`, whose kernel is used; as a product of matrices it takes a tenth of the
time, because samples lie on disk as they are needed here: all channels of a moment side by side.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray
from scipy.signal import firwin

__all__ = ["HALF_WIDTH", "decimated_channels"]

#: `resample_poly` looks this many output samples to each side.
HALF_WIDTH = 10
#: Output samples that one product makes: more waste multiplications by zero, fewer waste calls.
OUTPUTS = 16
#: Output samples of one block that is read.
BLOCK = 8192


def decimated_channels(
    x: Any, q: int, *, scale: NDArray[np.float64], level: NDArray[np.float64] | None = None
) -> NDArray[np.float32]:
    """
    Lower the rate of all channels by a whole factor.

    Parameters
    ----------
    x : (n, n_channels)
        Samples in any unit, an array or a memory map; rows are read in order, each about once.
    q
        Factor, at least 1.
    scale : (n_channels,)
        Multiplies the result.
    level : (n_channels,)
        Taken from each sample first, in the unit of ``x``, and not given back: an offset of millivolts would cost
        precision. The first sample by default.

    Returns
    -------
    y : (n_channels, ceil(n / q)) float32
        ``scale * (decimated - level)``. Beyond its ends the recording goes on along the straight line through them. What is
        not finite spreads over `HALF_WIDTH` samples.

    Examples
    --------
    >>> from scipy.signal import resample_poly
    >>> x = np.random.default_rng(0).normal(size=(999, 3)).astype(np.float32)
    >>> y = decimated_channels(x, 4, scale=np.ones(3), level=np.zeros(3))
    >>> bool(np.allclose(y.T, resample_poly(x, 1, 4, padtype="line"), atol=1e-6))
    True
    """
    n, n_channels = x.shape
    first, last = (np.asarray(x[i], dtype=np.float64) for i in (0, n - 1))
    level = first if level is None else level
    if q == 1:
        return _copied(x, level, scale)
    half = HALF_WIDTH * q
    kernel = _toeplitz(firwin(2 * half + 1, 1.0 / q, window=("kaiser", 5.0)), q)
    slope = (last - first) / max(n - 1, 1)
    n_out = -(-n // q)
    y = np.empty((n_channels, n_out), dtype=np.float32)
    rows = (BLOCK - 1) * q + 2 * half + 1 + OUTPUTS * q
    buffer = np.empty((rows, n_channels), dtype=np.float32)
    level_32 = level.astype(np.float32)
    factor = scale.astype(np.float32)[:, None]
    for a in range(0, n_out, BLOCK):
        count = min(BLOCK, n_out - a)
        groups = -(-count // OUTPUTS)
        _fill(
            buffer, x, a * q - half, groups * OUTPUTS * q + 2 * half + 1 - q, level_32, (first - level, last - level, slope)
        )
        step = OUTPUTS * q * buffer.strides[0]
        view = as_strided(buffer, (groups, kernel.shape[1], n_channels), (step, *buffer.strides), writeable=False)
        made = np.matmul(kernel, view).reshape(groups * OUTPUTS, n_channels)[:count]
        np.multiply(made.T, factor, out=y[:, a : a + count])
    return y


def _toeplitz(h: NDArray[np.float64], q: int) -> NDArray[np.float32]:
    """Rows of the kernel, each ``q`` samples further on."""
    rows = np.zeros((OUTPUTS, (OUTPUTS - 1) * q + h.size), dtype=np.float32)
    for i in range(OUTPUTS):
        rows[i, i * q : i * q + h.size] = h
    return rows


def _fill(
    buffer: NDArray[np.float32],
    x: Any,
    start: int,
    count: int,
    level: NDArray[np.float32],
    line: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
) -> None:
    """Put samples ``start`` to ``start + count`` into the buffer, those outside on the line through the ends."""
    n = x.shape[0]
    first, last, slope = line
    low, high = max(start, 0), min(start + count, n)
    if low < high:
        np.subtract(x[low:high], level, out=buffer[low - start : high - start], casting="same_kind")
    before, after = np.arange(start, min(0, start + count)), np.arange(max(n, start), start + count)
    if before.size:
        buffer[: before.size] = first + before[:, None] * slope
    if after.size:
        buffer[count - after.size : count] = last + (after - (n - 1))[:, None] * slope


def _copied(x: Any, level: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float32]:
    """All samples at their own rate."""
    n, n_channels = x.shape
    y = np.empty((n_channels, n), dtype=np.float32)
    for a in range(0, n, BLOCK):
        y[:, a : a + BLOCK] = ((np.asarray(x[a : a + BLOCK], dtype=np.float64) - level) * scale).T
    return y
