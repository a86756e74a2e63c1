"""
Band power of the EEG around a moment, per region of the scalp and per channel, and its left-right asymmetry.

Facial muscles contract during an expression, and their activity reaches frontal and temporal electrodes above about 20 Hz:
a difference in ``beta`` and ``gamma`` there may be muscle, not brain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from mmme.features.brain.asymmetry import frontal_asymmetry_columns, frontal_asymmetry_names
from mmme.features.brain.band_power import band_power_columns, band_power_names
from mmme.features.brain.clean import CleanEeg
from mmme.features.brain.places import By, steps_with_channels
from mmme.features.brain.regions import ASYMMETRIES, REGIONS, scalp_channels
from mmme.features.brain.spectra import BANDS_HZ
from mmme.features.quality import CELL_S, Verdict
from mmme.features.sampling import Regular, decimated, expect_unit, regular, unreadable
from mmme.features.tables import feature_table
from mmme.features.windows import occasions_around
from mmme.types import FeatureTable, Sample, Stream

__all__ = ["ASYMMETRIES", "BANDS_HZ", "COLUMNS", "REGIONS", "eeg_columns", "eeg_features", "scalp_channels"]

#: Half of it, 62.5 Hz, leaves room for the anti-alias filter above 45 Hz; spectra cost half as much as at 250 Hz.
EEG_HZ = 125.0
PASS_HZ = (0.5, 45.0)
#: A channel that never steps by more than this [µV] is disconnected.
STILL_UV = 1e-4
CHANNELS_AT_ONCE = 16


def eeg_features(
    stream: Stream,
    samples: Sequence[Sample],
    *,
    before_s: float = 0.5,
    after_s: float = 1.5,
    baseline_s: float = 2.0,
    by: By = "region",
) -> FeatureTable:
    """
    Log band power in a window around each apex, its change against a baseline before, and alpha asymmetry.

    The default window, 0.5 s before to 1.5 s after the apex, covers a micro-expression (0.5 s at most) with what follows
    it; the baseline is the 2 s before, as long as the window so that both spectra have one resolution.

    Once per recording: decimation to about 125 Hz, average reference over the scalp channels that are not flat, Butterworth
    band-pass of order 4, 0.5 to 45 Hz, forwards and backwards (zero phase). Per window: multitaper spectrum (3 Slepian
    tapers, time-bandwidth 2), which weighs the whole window nearly evenly; natural logarithm of the mean density of a band
    in µV²/Hz; mean of these logarithms over the channels of a region.

    Parameters
    ----------
    stream
        EEG [V], ``(n, n_channels)`` with channel names, session time. Names may be in any case (``FP1``); channels that are
        not on the scalp (M1, M2, HEO, VEO, EKG, EMG ...) are left out by name.
    samples
        Moments to describe.
    before_s, after_s
        Window ``[apex - before_s, apex + after_s)``.
    baseline_s
        Length of the baseline, which ends where the window begins [s].
    by
        Band power per region, per channel, or both.

    Returns
    -------
    FeatureTable
        ``eeg_<band>_<region or channel>`` and the same with ``_change`` (window minus baseline, ln units);
        ``eeg_faa_F4F3``, ``eeg_faa_F8F7`` (ln right alpha minus ln left alpha) and their ``_change``. A band whose lowest
        frequency has fewer than 3 cycles in the window is NaN, so is a region without channels, each with its reason.
        ``origin`` names the channels of the reference and those that were flat.

    Raises
    ------
    DataError
        If the unit is not V or channel names are missing.
    ConfigError
        If a window has no length.

    References
    ----------
    Thomson (1982), Spectrum estimation and harmonic analysis, doi:10.1109/PROC.1982.12433.
    Smith et al. (2017), Assessing and conceptualizing frontal EEG asymmetry, doi:10.1016/j.ijpsycho.2016.11.005.

    Examples
    --------
    >>> from mmme.interval import Interval
    >>> x = np.random.default_rng(0).normal(size=(5000, 4)) * 1e-5
    >>> stream = Stream("eeg", "eeg", np.arange(5000) / 250, x, "V", 250.0, ("F3", "F4", "O1", "O2"))
    >>> table = eeg_features(stream, [Sample("a", "S01", "sad-1", "sad", 9.9, 10.0, 10.2, Interval(0.0, 20.0))])
    >>> [bool(table.valid[0, table.columns.index(f"eeg_alpha_{region}")]) for region in ("occipital", "central")]
    [True, False]
    """
    names, _ = scalp_channels(stream)
    wanted = eeg_columns(names, by=by)
    clean = _cleaned(stream)
    occasions = occasions_around(samples, before_s=before_s, after_s=after_s, baseline_s=baseline_s)
    columns = band_power_columns(clean, occasions, by=by) | frontal_asymmetry_columns(clean, occasions)
    return feature_table(samples, {name: columns[name] for name in wanted}, origin=steps_with_channels(clean))


def eeg_columns(names: Sequence[str] = (), *, by: By = "region") -> tuple[str, ...]:
    """
    Column names of `eeg_features`, in order; ``names`` are the scalp channels, needed unless ``by`` is ``"region"``.

    Examples
    --------
    >>> eeg_columns()[:2], len(eeg_columns())
    (('eeg_delta_frontal', 'eeg_delta_frontal_change'), 54)
    """
    return (*band_power_names(names, by=by), *frontal_asymmetry_names())


COLUMNS = eeg_columns()


def _cleaned(stream: Stream) -> CleanEeg:
    """Scalp channels at about 125 Hz, average reference over those that are not flat, band-passed."""
    expect_unit(stream, "V")
    names, keep = scalp_channels(stream)
    nothing = np.zeros((len(names), 0), dtype=np.float32)
    unjudged = Verdict(0.0, np.zeros((len(names), 0), dtype=np.uint8), ())
    if names:
        grid, raw = _scalp_signals(stream, keep)
        still = np.ptp(raw, axis=1) <= STILL_UV
        refused = unreadable(grid, flat=-1.0)
    else:
        refused, still = "no channel on the scalp", np.zeros(0, dtype=bool)
    if not refused and np.sum(~still) < 2:
        refused = "average reference needs 2 scalp channels that are not flat"
    if refused:
        none = np.zeros(0)
        return CleanEeg(none, nothing, none > 0, EEG_HZ, names, still, {}, (), nothing, unjudged, {}, refused)
    steps = {"eeg_reference": "average of " + " ".join(n for n, s in zip(names, still, strict=True) if not s)}
    x = _filtered(raw, raw[~still].mean(axis=0), grid.fs_hz)
    return CleanEeg(grid.t, x, grid.bad, grid.fs_hz, names, still, {}, (), nothing, _verdict(raw, grid), steps)


def _scalp_signals(stream: Stream, keep: NDArray[np.int64]) -> tuple[Regular, NDArray[np.float32]]:
    """
    Scalp channels at about 125 Hz: the grid they share, and samples [µV] as ``(n_channels, n)``.

    A few channels at a time: an hour of 64 channels at 1000 Hz is 2 GB in float64.
    """
    samples = np.asarray(stream.x[:])
    samples = samples.reshape(samples.shape[0], -1)
    blocks, bad = [], np.zeros(0, dtype=bool)
    for a in range(0, keep.size, CHANNELS_AT_ONCE):
        part = replace(stream, x=samples[:, keep[a : a + CHANNELS_AT_ONCE]], channels=(), types=())
        grid = decimated(regular(part), EEG_HZ)
        blocks.append((grid.x.reshape(grid.t.size, -1).T * 1e6).astype(np.float32))
        bad = grid.bad if a == 0 else bad | grid.bad
    return Regular(grid.t, grid.t, bad, grid.fs_hz), np.concatenate(blocks)


def _filtered(raw: NDArray[np.float32], reference: NDArray[np.float32], fs_hz: float) -> NDArray[np.float32]:
    """Subtract the reference and band-pass, channel by channel (the filter works in float64)."""
    sos = butter(4, [PASS_HZ[0], min(PASS_HZ[1], 0.45 * fs_hz)], btype="bandpass", fs=fs_hz, output="sos")
    clean = np.empty_like(raw)
    for i, channel in enumerate(raw):
        clean[i] = sosfiltfilt(sos, channel.astype(np.float64) - reference)
    return clean


def _verdict(raw: NDArray[np.float32], grid: Regular) -> Verdict:
    """Cells in which a channel does not move at all."""
    cell = np.floor((grid.t - grid.start_s + 1e-6) / CELL_S).astype(np.int64)
    codes = np.ones((raw.shape[0], int(cell[-1]) + 1), dtype=np.uint8)
    for row, channel in zip(codes, raw, strict=True):
        row[cell[1:][np.abs(np.diff(channel)) > STILL_UV]] = 0
    return Verdict(grid.start_s, codes, ("channel is flat",))
