"""
Power of an EMG channel every 10 ms and its spectrum every second: all that is kept of millions of samples.

NeuroKit2's cleaner is not used: its high-pass at 100 Hz removes most of what facial muscles make.

References
----------
van Boxtel (2001), optimal bandwidth for facial EMG, doi:10.1111/1469-8986.3810022.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from mmme.features.sampling import Regular
from mmme.features.windows import Windows

__all__ = ["PACE_HZ", "SPECTRA_HZ", "MusclePower", "muscle_power"]

PACE_HZ = 100.0
SPECTRA_HZ = 1.0
#: Band of muscles [Hz]; the upper end is lower where the rate demands it, as a share of it.
LOWEST_HZ, HIGHEST_HZ, HIGHEST_SHARE = 20.0, 450.0, 0.45
#: Width of the spectra's bands [Hz].
WIDTH_HZ = 4.0
MAINS_HZ = (50.0, 60.0)
#: The filter forgets within this [s]; blocks of the recording overlap by as much.
MARGIN_S, BLOCK_S = 0.5, 60.0
#: That many samples in a row at the largest or smallest value of the recording are cut off.
CLIPPED_SAMPLES = 4
#: A channel is flat where it rests for this long [s].
FLAT_S = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class MusclePower:
    """
    What is kept of a channel.

    Parameters
    ----------
    t : (n,) float64
        Times of the first sample of each 10 ms [s].
    mean_square : (n,) float32
        Mean square of each [µV²], in the band of muscles.
    bad, flat, clipped : (n,) bool
        Marks on them.
    spectra : (n_seconds, n_bands) float32
        Power of each second in bands of 4 Hz from 20 Hz on, in no unit.
    hum_share : (n_seconds,) float64
        Share of each second's power within 1 Hz of 50 or 60 Hz and their multiples, the larger of both.
    """

    t: NDArray[np.float64]
    mean_square: NDArray[np.float32]
    bad: NDArray[np.bool_]
    flat: NDArray[np.bool_]
    clipped: NDArray[np.bool_]
    spectra: NDArray[np.float32]
    hum_share: NDArray[np.float64]

    @property
    def squares(self) -> Regular:
        """Mean squares as a signal, at 100 Hz [µV²]."""
        return Regular(self.t, self.mean_square.astype(np.float64), self.bad, PACE_HZ)

    def median_hz(self, windows: Windows) -> NDArray[np.float64]:
        """
        Frequency below which half of the power of each window lies, ``(k,)``; seconds count by the part inside [Hz].

        NaN where the recording holds no power.
        """
        edges = float(self.t[0]) + np.arange(self.spectra.shape[0] + 1) / SPECTRA_HZ
        total = np.concatenate([np.zeros((1, self.spectra.shape[1])), np.cumsum(self.spectra, axis=0, dtype=np.float64)])
        power = _between(total, edges, windows.stop_s) - _between(total, edges, windows.start_s)
        share = np.cumsum(power, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = share / share[:, -1:]
        band = np.argmax(share >= 0.5, axis=1)
        rows = np.arange(band.size)
        below = np.where(band > 0, share[rows, np.maximum(band - 1, 0)], 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            part = (0.5 - below) / (share[rows, band] - below)
        return np.asarray(LOWEST_HZ + WIDTH_HZ * (band + part))


def _between(total: NDArray[np.float64], edges: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Straight lines between rows of a cumulative sum, ``(k, n_bands)``."""
    place = np.clip((at - edges[0]) * SPECTRA_HZ, 0.0, edges.size - 1.0)
    row = np.minimum(place.astype(np.int64), edges.size - 2)
    part = (place - row)[:, None]
    return np.asarray((1.0 - part) * total[row] + part * total[row + 1])


def muscle_power(signal: Regular, *, flat_v: float, silent: bool = False) -> MusclePower:
    """
    Filter a channel to the band of muscles, in blocks, and keep its power.

    Parameters
    ----------
    signal
        One channel [V], at least 200 Hz.
    flat_v
        Range at or below which it is flat [V].
    silent
        Keep no power, only what cells there are: for channels that are refused.

    Examples
    --------
    >>> t = np.arange(20_000) / 1000
    >>> power = muscle_power(Regular(t, 1e-5 * np.sin(2 * np.pi * 102 * t), np.zeros(t.size, dtype=bool), 1000.0), flat_v=0)
    >>> power.squares.x[500:1000].mean().round(1), power.median_hz(Windows(np.array([5.0]), 2.0)).round().tolist()
    (50.0, [102.0])
    """
    fs_hz = signal.fs_hz
    n_cells = int(signal.duration_s * PACE_HZ + 1e-6)
    edges = np.minimum(np.rint(np.arange(n_cells + 1) * fs_hz / PACE_HZ).astype(np.int64), signal.x.size)
    n_seconds = max(1, int(signal.duration_s * SPECTRA_HZ))
    spectra = np.zeros((n_seconds, max(1, int((_upper(fs_hz) - LOWEST_HZ) // WIDTH_HZ))), dtype=np.float32)
    hum, squares = np.zeros(n_seconds), np.zeros(n_cells)
    flat, bad = np.zeros(n_cells, dtype=bool), np.zeros(n_cells, dtype=bool)
    clipped = _clipped(signal.x, edges)
    if not silent:
        band = butter(4, (LOWEST_HZ, _upper(fs_hz)), "bandpass", fs=fs_hz, output="sos")
        reach, per_block = round(MARGIN_S * fs_hz), round(BLOCK_S * PACE_HZ)
        for start in range(0, n_cells, per_block):
            own = edges[start : start + per_block + 1]
            low, high = max(0, int(own[0]) - reach), min(signal.x.size, int(own[-1]) + reach)
            x = 1e6 * sosfiltfilt(band, signal.x[low:high] - signal.x[low:high].mean())[own[0] - low : own[-1] - low]
            widths = np.diff(own)
            squares[start : start + widths.size] = np.add.reduceat(x * x, own[:-1] - own[0]) / widths
            _add_spectra(x, fs_hz, round(start / PACE_HZ), spectra, hum)
    reach = round(FLAT_S * PACE_HZ)
    if edges.size > 1:
        largest = np.maximum.reduceat(signal.x, edges[:-1])
        smallest = np.minimum.reduceat(signal.x, edges[:-1])
        flat = _resting(largest, smallest, reach, flat_v)
        bad = np.logical_or.reduceat(signal.bad, edges[:-1])
    return MusclePower(signal.t[edges[:-1]], squares.astype(np.float32), bad, flat, clipped, spectra, hum)


def _upper(fs_hz: float) -> float:
    """Upper end of the band at a rate [Hz]."""
    return min(HIGHEST_HZ, HIGHEST_SHARE * fs_hz)


def _add_spectra(
    x: NDArray[np.float64], fs_hz: float, first: int, spectra: NDArray[np.float32], hum: NDArray[np.float64]
) -> None:
    """Fill in the seconds of a block: power in bands of 4 Hz, and the share of mains frequencies."""
    n = round(fs_hz / SPECTRA_HZ)
    rows = x[: x.size // n * n].reshape(-1, n)[: spectra.shape[0] - first]
    if not rows.size:
        return
    power = np.abs(np.fft.rfft(rows * np.hanning(n), axis=1)) ** 2
    f = np.fft.rfftfreq(n, 1.0 / fs_hz)
    starts = np.searchsorted(f, LOWEST_HZ + WIDTH_HZ * np.arange(spectra.shape[1] + 1) - 1e-9)
    here = slice(first, first + rows.shape[0])
    spectra[here] = np.add.reduceat(power[:, : starts[-1]], starts[:-1], axis=1)
    inside = (f >= LOWEST_HZ) & (f <= _upper(fs_hz))
    total = np.maximum(power[:, inside].sum(axis=1), 1e-30)
    for mains in MAINS_HZ:
        near = inside & (np.abs(f - mains * np.maximum(1.0, np.rint(f / mains))) <= 1.0)
        hum[here] = np.maximum(hum[here], power[:, near].sum(axis=1) / total)


def _clipped(x: NDArray[np.float64], edges: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the cells with several samples in a row at the largest or smallest value of the recording."""
    marks = np.zeros(edges.size - 1, dtype=bool)
    for limit in (float(x.max()), float(x.min())):
        at = np.flatnonzero(x == limit)
        if at.size < CLIPPED_SAMPLES:
            continue
        row = at[CLIPPED_SAMPLES - 1 :] - at[: 1 - CLIPPED_SAMPLES] == CLIPPED_SAMPLES - 1
        cells = np.searchsorted(edges, at[CLIPPED_SAMPLES - 1 :][row], side="right") - 1
        marks[cells[cells < marks.size]] = True
    return marks


def _resting(largest: NDArray[np.float64], smallest: NDArray[np.float64], n: int, flat_v: float) -> NDArray[np.bool_]:
    """Mark cells in rows of ``n`` over which a channel does not move."""
    marks = np.zeros(largest.size, dtype=bool)
    if largest.size < n:
        return marks
    windows = np.lib.stride_tricks.sliding_window_view
    quiet = windows(largest, n).max(axis=1) - windows(smallest, n).min(axis=1) <= flat_v
    change = np.zeros(largest.size + 1, dtype=np.int64)
    at = np.flatnonzero(quiet)
    np.add.at(change, at, 1)
    np.add.at(change, at + n, -1)
    return np.asarray(np.cumsum(change[:-1]) > 0)
