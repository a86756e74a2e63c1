"""
Sums over looks at pairs of channels, from which every measure of connectivity is made.

A look is one estimate of the cross-spectrum ``s = w_i conj(w_j)`` of two channels: of one epoch, or of one sample in time.
Sums of ``s`` are products of matrices, at the speed of BLAS. Sums of ``|Im s|`` and ``sign(Im s)`` are not: every look at
every pair has to be made. All pairs of one look are a product of two thin matrices, which BLAS forms faster than NumPy
multiplies rows; both triangles are made, since counting what is above 0 in both tells what is below 0 in one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft, ifft, next_fast_len, rfft
from scipy.signal.windows import dpss

from mmme.features.brain.time_frequency import REACH_SD

__all__ = ["Sums", "epoch_spectra", "sums_over_looks", "tapers_of", "wavelet_spectra"]

#: Bytes of the cross-spectra that are looked at together: they stay in the cache.
BLOCK_BYTES = 500_000
#: As many marks add up in one byte.
MOST_MARKS = 255
#: Tapers with less of their energy than this inside the bandwidth are left out, as MNE leaves them out.
CONCENTRATED = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """
    Sums over looks at one frequency, per ordered pair of channels, each ``(n_channels, n_channels)``.

    Parameters
    ----------
    n_looks
        How many looks were added.
    real, imaginary
        Sum of ``s``; the power of a channel on the diagonal of ``real``.
    phase_real, phase_imaginary
        Sum of ``s / |s|``; None where nobody asked for it, as the following.
    size
        Sum of ``|Im s|``.
    sign
        Sum of the sign of ``Im s``.
    square
        Sum of ``(Im s) ** 2``.
    """

    n_looks: int
    real: NDArray[Any]
    imaginary: NDArray[Any]
    phase_real: NDArray[Any] | None = None
    phase_imaginary: NDArray[Any] | None = None
    size: NDArray[Any] | None = None
    sign: NDArray[Any] | None = None
    square: NDArray[Any] | None = None


def sums_over_looks(parts: NDArray[Any], wanted: Collection[str]) -> Sums:
    """
    Add up looks at one frequency.

    Parameters
    ----------
    parts : (n_looks, n_tapers, 2, n_channels)
        Real and imaginary parts; the cross-spectrum of a look is the sum over its tapers.
    wanted
        Which of the sums besides those of ``s``: ``"phase"``, ``"size"``, ``"sign"``, ``"square"``.
    """
    n_looks, n_tapers = parts.shape[:2]
    sums = dict(zip(("real", "imaginary"), _gram(parts), strict=True))
    if "phase" in wanted and n_tapers == 1:
        sums |= zip(("phase_real", "phase_imaginary"), _gram(_unit(parts)), strict=True)
    if wanted and (n_tapers > 1 or set(wanted) != {"phase"}):
        sums |= _pairwise(parts, wanted)
    return Sums(n_looks, **sums)


def _gram(parts: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """
    Add up ``s`` over all looks and tapers: real and imaginary parts, ``(n_channels, n_channels)``.

    One real product of a matrix with its own transpose, of which BLAS computes one triangle: half of a complex product.
    """
    n = parts.shape[3]
    rows = parts.reshape(-1, 2 * n)
    product = rows.T @ rows
    return product[:n, :n] + product[n:, n:], product[n:, :n] - product[:n, n:]


def _unit(parts: NDArray[Any]) -> NDArray[Any]:
    """Divide by the modulus; NaN where there is none."""
    return np.asarray(parts * (1.0 / np.sqrt(parts[:, :, :1] ** 2 + parts[:, :, 1:] ** 2)))


def _pairwise(parts: NDArray[Any], wanted: Collection[str]) -> dict[str, NDArray[np.float64]]:
    """
    Add up functions of ``s`` over looks, each ``(n_channels, n_channels)``.

    What is above 0 in one triangle is below 0 in the other. For a channel and its copy, rounding makes ``Im s`` differ from
    0, but equally on both sides, so that the difference of the counts is 0.
    """
    n_looks, n_tapers, _, n = parts.shape
    few = max(1, min(MOST_MARKS, BLOCK_BYTES // (n * n * parts.itemsize)))
    right = parts.reshape(n_looks, 2 * n_tapers, n)
    left = (parts[:, :, ::-1] * np.array([1, -1], dtype=parts.dtype)[:, None]).reshape(right.shape).swapaxes(1, 2)
    names = [name for name in ("size", "sign", "square") if name in wanted]
    phases = ["phase_real", "phase_imaginary"] if "phase" in wanted and n_tapers > 1 else []
    totals = {name: np.zeros(n * n) for name in [*names, *phases]}
    buffer, other = np.empty((2, few, n, n), dtype=parts.dtype)
    marks = np.empty(buffer.shape, dtype=bool)
    for start in range(0, n_looks, few):
        some = slice(start, min(start + few, n_looks))
        count = some.stop - start
        ones = np.ones(count, dtype=parts.dtype)
        y = np.matmul(left[some], right[some], out=buffer[:count])
        flat = y.reshape(count, n * n)
        if phases:
            real = np.matmul(right[some].swapaxes(1, 2), right[some], out=other[:count]).reshape(flat.shape)
            scale = 1.0 / np.sqrt(real * real + flat * flat)
            totals["phase_real"] += (real * scale).sum(axis=0)
            totals["phase_imaginary"] += (flat * scale).sum(axis=0)
        if "sign" in totals:
            above = np.greater(y, 0, out=marks[:count]).view(np.uint8).reshape(flat.shape)
            totals["sign"] += np.add.reduce(above, axis=0, dtype=np.uint8)
        if "square" in totals:
            totals["square"] += np.einsum("lp,lp->p", flat, flat)
        if "size" in totals:
            totals["size"] += ones @ np.abs(flat, out=flat)
    for name, total in totals.items():
        square = total.reshape(n, n)
        if name in ("sign", "phase_imaginary"):
            square -= square.T.copy()
        else:  # both triangles were added up, with roundings of their own
            square += square.T.copy()
        if name != "sign":
            square /= 2.0
    return {name: total.reshape(n, n) for name, total in totals.items()}


@lru_cache(maxsize=128)
def _wavelet(hz: float, cycles: float, fs_hz: float) -> NDArray[np.complex128]:
    """Complex Morlet wavelet, its mean left in, an odd number of samples; its scale is of no consequence."""
    sd_s = cycles / (2.0 * np.pi * hz)
    half = np.arange(0.0, REACH_SD * sd_s, 1.0 / fs_hz)
    t = np.concatenate([-half[:0:-1], half])
    return np.asarray(np.exp(2j * np.pi * hz * t - 0.5 * (t / sd_s) ** 2))


def wavelet_spectra(x: NDArray[Any], fs_hz: float, hz: NDArray[np.float64], cycles: float) -> Iterator[NDArray[Any]]:
    """
    Transform one stretch of signal by Morlet wavelets; every sample becomes a look.

    Parameters
    ----------
    x : (n_channels, n)
        Signal; float32 is computed in single precision, anything else in double.
    fs_hz
        Rate [Hz].
    hz
        Centres of the wavelets [Hz].
    cycles
        Cycles of each wavelet; its standard deviation in time is ``cycles / (2 pi hz)``.

    Yields
    ------
    (n, 1, 2, n_channels)
        Per wavelet, real and imaginary parts.
    """
    n_channels, n = x.shape
    real = np.float32 if x.dtype == np.float32 else np.float64
    wavelets = [_wavelet(float(f), cycles, fs_hz) for f in hz]
    length = next_fast_len(n + max(w.size for w in wavelets) - 1)
    spectrum = fft(np.asarray(x, dtype=real), length)
    for wavelet in wavelets:
        w = ifft(spectrum * fft(wavelet, length).astype(spectrum.dtype), overwrite_x=True)
        begin = wavelet.size // 2
        parts = np.empty((n, 1, 2, n_channels), dtype=real)
        parts[:, 0, 0], parts[:, 0, 1] = w.real[:, begin : begin + n].T, w.imag[:, begin : begin + n].T
        yield parts


@lru_cache(maxsize=64)
def tapers_of(n: int, fs_hz: float, bandwidth_hz: float | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Tapers of an epoch ``(n_tapers, n)`` and their weights ``(n_tapers,)``.

    Parameters
    ----------
    n
        Samples of an epoch.
    fs_hz
        Rate [Hz].
    bandwidth_hz
        Full bandwidth of Slepian tapers [Hz]; None for one Hann window.
    """
    if bandwidth_hz is None:
        return np.hanning(n)[None], np.ones(1)
    half = bandwidth_hz * n / (2.0 * fs_hz)
    tapers, concentration = dpss(n, half, max(1, int(2 * half)), sym=False, return_ratios=True)
    keep = concentration > CONCENTRATED
    keep[np.argmax(concentration)] = True
    return tapers[keep], np.sqrt(concentration[keep])


def epoch_spectra(
    x: NDArray[Any], tapers: NDArray[np.float64], weights: NDArray[np.float64], first: int, last: int
) -> NDArray[Any]:
    """
    Transform epochs, each less its mean; every epoch becomes a look.

    Parameters
    ----------
    x : (n_epochs, n_channels, n)
        Signal; float32 is computed in single precision, anything else in double.
    tapers : (n_tapers, n)
        What each epoch is multiplied with.
    weights : (n_tapers,)
        Of each transform.
    first, last
        Frequencies that are kept, as indices ``[first, last)``.

    Returns
    -------
    (n_frequencies, n_epochs, n_tapers, 2, n_channels)
        Real and imaginary parts.
    """
    real = np.float32 if x.dtype == np.float32 else np.float64
    tapers = (tapers * weights[:, None]).astype(real)
    parts = np.empty((last - first, x.shape[0], weights.size, 2, x.shape[1]), dtype=real)
    for epoch, samples in enumerate(x):  # one at a time stays in the cache
        centred = samples.astype(real)
        centred -= centred.mean(axis=1, keepdims=True)
        for k, taper in enumerate(tapers):
            w = rfft(centred * taper)[:, first:last].T
            parts[:, epoch, k, 0], parts[:, epoch, k, 1] = w.real, w.imag
    return parts
