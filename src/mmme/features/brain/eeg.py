"""
Band power of the EEG around a moment, per region of the scalp and per channel, and its left-right asymmetry.

Facial muscles contract during an expression, and their activity reaches frontal and temporal electrodes above about 20 Hz:
a difference in ``beta`` and ``gamma`` there may be muscle, not brain.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from mmme.errors import DataError, unknown_name
from mmme.features.brain.spectra import BANDS_HZ, log_band_power
from mmme.features.sampling import Regular, decimated, expect_unit, regular, unreadable
from mmme.features.tables import Column, feature_table, missing_table
from mmme.features.windows import Windows, either, first_reason, windows_around
from mmme.types import FeatureTable, Sample, Stream

__all__ = [
    "ASYMMETRIES",
    "BANDS_HZ",
    "COLUMNS",
    "REGIONS",
    "eeg_columns",
    "eeg_features",
    "scalp_channels",
]


def _names(text: str) -> tuple[str, ...]:
    """Split a line of channel names, which reads better than a column of them."""
    return tuple(text.split())


#: Channels of each region, 10-10 names. A region is the mean over those of its channels that the recording has.
REGIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "frontal": _names("Fp1 Fpz Fp2 AF7 AF3 AFz AF4 AF8 F7 F5 F3 F1 Fz F2 F4 F6 F8"),
        "central": _names("FC5 FC3 FC1 FCz FC2 FC4 FC6 C5 C3 C1 Cz C2 C4 C6 CP5 CP3 CP1 CPz CP2 CP4 CP6"),
        "temporal": _names("FT9 FT7 FT8 FT10 T7 T8 TP9 TP7 TP8 TP10"),
        "parietal": _names("P7 P5 P3 P1 Pz P2 P4 P6 P8"),
        "occipital": _names("PO7 PO5 PO3 POz PO4 PO6 PO8 O1 Oz O2"),
    }
)
#: Alpha asymmetry, ln right minus ln left: positive means more alpha, less activity, on the right.
ASYMMETRIES: Mapping[str, tuple[str, str]] = MappingProxyType({"F4F3": ("F4", "F3"), "F8F7": ("F8", "F7")})

#: Older names of the same places.
SYNONYMS: Mapping[str, str] = MappingProxyType({"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"})
#: What an EEG amplifier records besides the scalp: mastoids, ear lobes, eyes, heart, muscle, triggers.
NOT_SCALP = re.compile(
    r"^(M[12]|A[12]|[HV]EO.*|EOG.*|E[CK]G.*|EMG.*|TRIG.*|STI.*|STATUS|MARKER.*|GSR|EDA|RESP.*|PPG)$", re.IGNORECASE
)

#: Half of it, 62.5 Hz, leaves room for the anti-alias filter above 45 Hz; spectra cost half as much as at 250 Hz.
EEG_HZ = 125.0
PASS_HZ = (0.5, 45.0)
#: A band needs this many cycles of its lowest frequency in the window.
CYCLES = 3.0
#: A channel that never steps by more than this [µV] is disconnected.
STILL_UV = 1e-4
CHANNELS_AT_ONCE = 16
By = Literal["region", "channel", "both"]
#: Reasons of a value and of its change, one each per window.
Whys = tuple[NDArray[np.str_], NDArray[np.str_]]


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
    expect_unit(stream, "V")
    if by not in ("region", "channel", "both"):
        raise unknown_name("grouping of channels", by, ["region", "channel", "both"], where="eeg_features")
    names, keep = scalp_channels(stream)
    wanted = eeg_columns(names, by=by)
    windows = windows_around(samples, before_s=before_s, after_s=after_s)
    baseline = windows.before(baseline_s)
    if names:
        grid, raw = _scalp_signals(stream, keep)
        still = np.ptp(raw, axis=1) <= STILL_UV
        refused = unreadable(grid, flat=-1.0)
    else:
        refused = "no channel on the scalp"
    if not refused and np.sum(~still) < 2:
        refused = "average reference needs 2 scalp channels that are not flat"
    if refused:
        return missing_table(samples, wanted, refused)
    silent, silent_0 = _silent(raw, grid, windows), _silent(raw, grid, baseline)
    clean = _filtered(raw, raw[~still].mean(axis=0), grid.fs_hz)
    power, power_0 = _power(clean, grid, windows), _power(clean, grid, baseline)
    power[silent], power_0[silent_0] = np.nan, np.nan
    reasons = _reasons(grid, windows, baseline)
    columns = _band_columns(power, power - power_0, names, reasons, by)
    columns |= _asymmetry_columns(power, power - power_0, names, reasons["alpha"])
    origin = {
        "eeg_reference": "average of " + " ".join(n for n, s in zip(names, still, strict=True) if not s),
        "eeg_flat": " ".join(n for n, s in zip(names, still, strict=True) if s) or "none",
    }
    return feature_table(samples, {name: columns[name] for name in wanted}, origin=origin)


def scalp_channels(stream: Stream) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """
    Names (in 10-10 spelling) and positions of the channels that lie on the scalp.

    Raises
    ------
    DataError
        If channel names are missing, do not fit, or repeat.

    Examples
    --------
    >>> x = np.zeros((2, 4))
    >>> names, keep = scalp_channels(Stream("eeg", "eeg", np.arange(2.0), x, "V", None, ("FPZ", "M1", "CZ", "HEO")))
    >>> names, keep.tolist()
    (('Fpz', 'Cz'), [0, 2])
    """
    width = 1 if len(stream.x.shape) == 1 else stream.x.shape[1]
    if len(stream.channels) != width:
        raise DataError(
            f"stream '{stream.name}': expected {width} channel names, got {len(stream.channels)}; regions need them"
        )
    usual = {n.upper(): n for region in REGIONS.values() for n in region}
    spelled = [SYNONYMS.get(c.strip().upper(), c.strip()) for c in stream.channels]
    pairs = [(usual.get(c.upper(), c), i) for i, c in enumerate(spelled) if not NOT_SCALP.match(c)]
    names = tuple(name for name, _ in pairs)
    if len(set(names)) != len(names):
        twice = sorted({n for n in names if names.count(n) > 1})
        raise DataError(f"stream '{stream.name}': expected every channel once, got {', '.join(twice)} more than once")
    return names, np.array([i for _, i in pairs], dtype=np.int64)


def eeg_columns(names: Sequence[str] = (), *, by: By = "region") -> tuple[str, ...]:
    """
    Column names of `eeg_features`, in order; ``names`` are the scalp channels, needed unless ``by`` is ``"region"``.

    Examples
    --------
    >>> eeg_columns()[:2], len(eeg_columns())
    (('eeg_delta_frontal', 'eeg_delta_frontal_change'), 54)
    """
    places = (list(REGIONS) if by != "channel" else []) + (list(names) if by != "region" else [])
    power = [f"eeg_{band}_{place}" for place in places for band in BANDS_HZ]
    return tuple(name + change for name in [*power, *(f"eeg_faa_{a}" for a in ASYMMETRIES)] for change in ("", "_change"))


COLUMNS = eeg_columns()


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


def _power(clean: NDArray[np.float32], grid: Regular, windows: Windows) -> NDArray[np.float64]:
    """Log band power of windows, ``(k, n_channels, n_bands)``; each distinct window once."""
    first, inverse = np.unique(windows.first_sample(grid), return_inverse=True)
    return log_band_power(clean, first, min(windows.n_samples(grid), grid.t.size), grid.fs_hz)[inverse]


def _silent(raw: NDArray[np.float32], grid: Regular, windows: Windows) -> NDArray[np.bool_]:
    """Tell which channels do not move at all in which windows, ``(k, n_channels)``."""
    moves = np.zeros(raw.shape, dtype=np.int32)
    np.cumsum(np.abs(np.diff(raw, axis=1)) > STILL_UV, axis=1, out=moves[:, 1:])
    first = windows.first_sample(grid)
    last = np.minimum(first + windows.n_samples(grid), grid.t.size) - 1
    return np.asarray((moves[:, last] == moves[:, first]).T)


def _reasons(grid: Regular, windows: Windows, baseline: Windows) -> dict[str, Whys]:
    """Why a band has no power, and no change, in each window: its place and its length."""
    whys = []
    for of, what in ((windows, "window"), (baseline, "baseline")):
        outside, gap = f"{what} leaves the recording", f"{what} touches missing samples"
        whys.append(first_reason(of.start_s.size, (of.outside(grid), outside), (of.touches_bad(grid), gap)))
    why, why_change = whys[0], either(whys[0], whys[1])
    reasons = {}
    for band, (low, _) in BANDS_HZ.items():
        needs = CYCLES / low
        short, short_0 = (
            f"{what} {of.duration_s:g} s, {band} needs {needs:.3g} s" if of.duration_s < needs - 1e-9 else ""
            for of, what in ((windows, "window"), (baseline, "baseline"))
        )
        k = why.size
        reasons[band] = (either(np.full(k, short), why), either(np.full(k, short or short_0), why_change))
    return reasons


def _band_columns(
    power: NDArray[np.float64], change: NDArray[np.float64], names: tuple[str, ...], reasons: Mapping[str, Whys], by: By
) -> dict[str, Column]:
    """Power and change per region and channel."""
    places: dict[str, list[int]] = {}
    if by != "channel":
        places |= {region: [names.index(c) for c in members if c in names] for region, members in REGIONS.items()}
    if by != "region":
        places |= {name: [i] for i, name in enumerate(names)}
    columns: dict[str, Column] = {}
    for j, band in enumerate(BANDS_HZ):
        for place, index in places.items():
            lacking = f"flat: {place}" if index else f"no channel of region {place}"
            for x, reason, suffix in zip((power, change), reasons[band], ("", "_change"), strict=True):
                columns[f"eeg_{band}_{place}{suffix}"] = _column(_mean_of_live(x[:, index, j]), reason, lacking)
    return columns


def _asymmetry_columns(
    power: NDArray[np.float64], change: NDArray[np.float64], names: tuple[str, ...], reasons: Whys
) -> dict[str, Column]:
    """Right minus left log alpha."""
    alpha = list(BANDS_HZ).index("alpha")
    columns: dict[str, Column] = {}
    for pair, ends in ASYMMETRIES.items():
        absent = " and ".join(c for c in ends if c not in names)
        lacking = f"no channel {absent}" if absent else f"flat: {' or '.join(ends)}"
        for x, reason, suffix in zip((power, change), reasons, ("", "_change"), strict=True):
            values = np.full(x.shape[0], np.nan)
            if not absent:
                right, left = (names.index(c) for c in ends)
                values = x[:, right, alpha] - x[:, left, alpha]
            columns[f"eeg_faa_{pair}{suffix}"] = _column(values, reason, lacking)
    return columns


def _column(values: NDArray[np.float64], reason: NDArray[np.str_], lacking: str) -> Column:
    """Values with their reasons; what is NaN without one lacks its channels."""
    return values, either(reason, first_reason(values.size, (np.isnan(values), lacking)))


def _mean_of_live(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over channels, ``(k,)``, of those with a value; NaN where none has one."""
    ok = np.isfinite(x)
    mean = np.full(x.shape[0], np.nan)
    n = ok.sum(axis=1)
    np.divide(np.where(ok, x, 0.0).sum(axis=1), n, out=mean, where=n > 0)
    return mean
