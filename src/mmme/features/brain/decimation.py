"""
Many channels at a lower rate, read from disk block by block.

The result is that of `scipy.signal.resample_poly`, whose kernel is used; as a product of matrices it takes a tenth of the
time, because samples lie on disk as they are needed here: all channels of a moment side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from mmap import mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray
from scipy.signal import firwin

__all__ = ["HALF_WIDTH", "decimated_channels"]

#: `resample_poly` looks this many output samples to each side.
HALF_WIDTH = 10
#: Output samples that one product makes: more waste multiplications by zero, fewer waste calls.
OUTPUTS = 8
#: Output samples of one block: its input stays in the cache.
BLOCK = 512


def decimated_channels(
    x: Any, q: int, *, scale: NDArray[np.float64], columns: Sequence[int] | None = None
) -> NDArray[np.float32]:
    """
    Lower the rate of many channels by a whole factor.

    Each channel's first sample is taken from all its samples and not given back: an offset of millivolts would cost
    precision, and whoever filters slow drifts away does not miss it.

    Parameters
    ----------
    x : (n, n_channels)
        Samples in any unit: an array, a memory map, or anything with slices of rows. A memory map is read from its file
        block by block, so that the file does not fill the memory of this process.
    q
        Factor, at least 1.
    scale : (n_channels,)
        Multiplies the result.
    columns
        Channels that are wanted, in this order; all by default.

    Returns
    -------
    y : (n_columns, ceil(n / q)) float32
        ``scale * decimated(x - x[0])``, with ``x[0]`` rounded to single precision. Beyond its ends the recording goes on
        along the straight line through them. What is not finite spreads over `HALF_WIDTH` samples.

    Examples
    --------
    >>> from scipy.signal import resample_poly
    >>> x = np.random.default_rng(0).normal(size=(999, 3)).astype(np.float32)
    >>> y = decimated_channels(x, 4, scale=np.ones(3))
    >>> bool(np.allclose(y.T, resample_poly(x - x[0], 1, 4, padtype="line"), atol=1e-6))
    True
    """
    n, n_channels = x.shape
    wanted = np.arange(n_channels) if columns is None else np.asarray(columns, dtype=np.intp)
    half = HALF_WIDTH * q if q > 1 else 0
    kernel = _toeplitz(firwin(2 * half + 1, 1.0 / q, window=("kaiser", 5.0)) if q > 1 else np.ones(1), q)
    first, last = (np.asarray(x[i], dtype=np.float64) for i in (0, n - 1))
    line = ((last - first) / max(n - 1, 1)).astype(np.float32)
    level, factor = first.astype(np.float32), scale.astype(np.float32)
    n_out = -(-n // q)
    y = np.empty((wanted.size, n_out), dtype=np.float32)
    buffer = np.empty((BLOCK * q + 2 * half + 1, n_channels), dtype=np.float32)
    step = OUTPUTS * q * buffer.strides[0]
    with _rows_of(x) as rows:
        for a in range(0, n_out, BLOCK):
            count = min(BLOCK, n_out - a)
            groups = -(-count // OUTPUTS)
            _fill(buffer, rows, n, a * q - half, groups * OUTPUTS * q + 2 * half, level, line)
            view = as_strided(buffer, (groups, kernel.shape[1], n_channels), (step, *buffer.strides), writeable=False)
            made = np.matmul(kernel, view).reshape(groups * OUTPUTS, n_channels)[:count]
            made *= factor
            y[:, a : a + count] = made.T[wanted]
    return y


def _toeplitz(h: NDArray[np.float64], q: int) -> NDArray[np.float32]:
    """Rows of the kernel, each ``q`` samples further on."""
    rows = np.zeros((OUTPUTS, (OUTPUTS - 1) * q + h.size), dtype=np.float32)
    for i in range(OUTPUTS):
        rows[i, i * q : i * q + h.size] = h
    return rows


@contextmanager
def _rows_of(x: Any) -> Iterator[Callable[[int, int], Any]]:
    """Return what reads rows ``low`` to ``high``."""
    if not isinstance(x, np.memmap) or not isinstance(x.base, mmap) or not x.flags.c_contiguous:
        yield lambda low, high: x[low:high]
        return
    held = np.empty((0, x.shape[1]), dtype=x.dtype)
    width = x.strides[0]

    def read(low: int, high: int) -> Any:
        nonlocal held
        if len(held) < high - low:
            held = np.empty((high - low, x.shape[1]), dtype=x.dtype)
        file.seek(x.offset + low * width)
        file.readinto(memoryview(held[: high - low]).cast("B"))
        return held[: high - low]

    with Path(str(x.filename)).open("rb", buffering=0) as file:
        yield read


def _fill(
    buffer: NDArray[np.float32],
    rows: Callable[[int, int], Any],
    n: int,
    start: int,
    count: int,
    level: NDArray[np.float32],
    line: NDArray[np.float32],
) -> None:
    """Put ``count`` samples from ``start`` on, less the level, into the buffer; those outside lie on the line."""
    low, high = max(start, 0), min(start + count, n)
    if low < high:
        np.subtract(rows(low, high), level, out=buffer[low - start : high - start], casting="same_kind")
    before, after = np.arange(start, min(0, start + count)), np.arange(max(n, start), start + count)
    if before.size:
        buffer[: before.size] = before[:, None] * line
    if after.size:
        buffer[count - after.size : count] = after[:, None] * line
