"""
Activity of muscles over the scalp: how much of a window it overlaps.

A micro-expression is a contraction of facial muscles, whose electric activity reaches from about 20 to several hundred Hz
and spreads over frontal and temporal electrodes. Between 65 and 95 Hz there is hardly any EEG and no power line, so that
what is there is muscle.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmme.features.brain.clean import MUSCLE_CELL_S, CleanEeg
from mmme.features.windows import Windows

__all__ = ["MUSCLE_HZ", "cell_rms", "muscle_kernel", "muscle_overlap"]

MUSCLE_HZ = (65.0, 95.0)
#: A channel is taken by muscle where its activity is above this [µV] ...
LEAST_UV = 1.0
#: ... and this many times its own median over the recording: amplifiers differ in noise.
TIMES = 3.0
#: A cell overlaps where at least this share of the channels is taken.
CHANNELS = 0.1


def muscle_kernel(fs_hz: float) -> NDArray[np.float64] | None:
    """
    Design the band-pass from 65 to 95 Hz; None below 220 Hz, where the rate does not carry that band.

    Examples
    --------
    >>> muscle_kernel(250.0).size, muscle_kernel(128.0)
    (105, None)
    """
    if fs_hz < 220.0:
        return None
    from mne.filter import create_filter

    made: NDArray[np.float64] = create_filter(
        None, fs_hz, *MUSCLE_HZ, l_trans_bandwidth=8.0, h_trans_bandwidth=8.0, fir_design="firwin", verbose="ERROR"
    )
    return made


def cell_rms(fast: NDArray[np.float32], fs_hz: float) -> NDArray[np.float32]:
    """
    Root mean square in cells of 0.1 s, ``(n_cells,)``.

    Parameters
    ----------
    fast : (n,)
        One channel between 65 and 95 Hz [µV].
    fs_hz
        Rate [Hz].

    Examples
    --------
    >>> cell_rms(np.tile(np.array([3.0, -3.0], dtype=np.float32), 50), 250.0).tolist()
    [3.0, 3.0, 3.0, 3.0]
    """
    size = round(MUSCLE_CELL_S * fs_hz)
    cells = fast[: fast.size // size * size].reshape(-1, size)
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", cells, cells) / size))


def muscle_overlap(clean: CleanEeg, windows: Windows) -> NDArray[np.float64]:
    """
    Share of each window in which muscles are active over the scalp, ``(k,)``.

    A cell of 0.1 s counts where in at least a tenth of the channels that are neither flat nor bad the activity is above
    1 µV and above three times the channel's median over the recording. The filter carries a burst up to one cell further.

    Parameters
    ----------
    clean
        From `mmme.features.brain.cleaning.read_eeg`.
    windows
        ``k`` of them.

    Returns
    -------
    (k,) float64
        0 to 1; NaN where the activity was not measured, samples are missing, or the window leaves the recording.

    Examples
    --------
    >>> from mmme.features.brain.cleaning import read_eeg
    >>> from mmme.types import Stream
    >>> x = np.random.default_rng(0).normal(size=(20000, 4)).cumsum(axis=0)
    >>> x[8000:8500] += 50 * np.sin(2 * np.pi * 0.08 * np.arange(500))[:, None]
    >>> clean = read_eeg(Stream("eeg", "eeg", np.arange(20000) / 1000, x * 1e-6, "V", 1000.0, ("F3", "F4", "O1", "O2")))
    >>> muscle_overlap(clean, Windows(np.array([5.0, 8.0]), 1.0)).round(2).tolist()
    [0.0, 0.6]
    """
    share = np.full(windows.start_s.size, np.nan)
    if clean.refused or not clean.muscle_uv.size:
        return share
    level = clean.muscle_uv[~clean.flat & ~np.isin(clean.channels, list(clean.bad_channels))]
    if not level.size:
        return share
    usual = np.median(level, axis=1, keepdims=True)
    active = (level > np.maximum(LEAST_UV, TIMES * usual)).mean(axis=0) >= CHANNELS
    edges = clean.t[0] + MUSCLE_CELL_S * np.arange(active.size + 1)
    time = np.concatenate([[0.0], np.cumsum(active * MUSCLE_CELL_S)])
    inside = (windows.start_s >= edges[0] - 1e-6) & (windows.stop_s <= edges[-1] + MUSCLE_CELL_S)
    inside &= ~windows.touches_bad(clean.grid)
    covered = np.interp(windows.stop_s, edges, time) - np.interp(windows.start_s, edges, time)
    share[inside] = covered[inside] / windows.duration_s
    return np.clip(share, 0.0, 1.0)
