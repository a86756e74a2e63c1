"""
What networks read of a body: EEG epochs, band power through time, windows of the peripheral signals.

Each row lies around an apex. A row that any channel cannot fill is missing as a whole and says why: a network has no way
to leave one channel of one row out, and nothing is put in its place here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mmme.errors import unknown_name
from mmme.features.body.beats import course_at
from mmme.features.body.signals import Body, columns_of_signal
from mmme.features.brain.clean import CleanEeg
from mmme.features.brain.epochs import epochs, event_reasons, event_samples, lags
from mmme.features.brain.places import steps_with_channels
from mmme.features.brain.spectra import BANDS_HZ, CYCLES, log_band_power
from mmme.features.sampling import Regular
from mmme.features.tables import feature_table, undescribed
from mmme.features.windows import Occasions, Windows, either, first_reason, occasions_around, unusable
from mmme.types import FeatureTable, Sample

__all__ = ["BODY_INPUTS", "describe_input"]

#: EEG epochs: seconds before and after the apex, as for its columns; every how many Hz a sample is kept.
EPOCH_S = (0.5, 1.5)
EPOCH_HZ = 125.0
#: Band power: windows of this length [s], which hold three cycles of theta, their starts from the apex, and the distance.
POWER_S, POWER_FROM_S, POWER_TO_S, POWER_STEP_S = 1.0, -1.0, 1.0, 0.25
#: Bands that such a window supports.
POWER_BANDS: tuple[str, ...] = tuple(name for name, (low, _) in BANDS_HZ.items() if CYCLES / low <= POWER_S)
#: Windows of peripheral signals: seconds before and after the apex, and their rate [Hz].
WINDOW_S = (2.0, 5.0)
WINDOW_HZ = 16.0
#: Channel of each signal in a window, in units of the signal; the mean of the seconds before the apex is taken off.
WINDOW_CHANNELS: Mapping[str, str] = MappingProxyType(
    {"ecg": "hr_bpm", "ppg": "ppg_v", "eda": "eda_us", "rsp": "rsp_level", "skt": "skt_c"}
)
#: Column whose reasons say whether a window of the signal can be used; others are judged by their samples.
JUDGED_BY: Mapping[str, str] = MappingProxyType({"ecg": "hr_bpm", "eda": "scl_us", "skt": "skt_c"})

#: Rows ``(n, channels, ...)``, names of the channels, and why rows are missing.
Made = tuple[NDArray[np.float32], tuple[str, ...], NDArray[np.str_]]


def describe_input(body: Body, samples: Sequence[Sample], kind: str) -> FeatureTable:
    """
    Make one kind of input for networks, a row around each apex.

    Parameters
    ----------
    body
        From `mmme.features.body.signals.read_body`; its settings say how signals were cleaned, which are used, and below
        which quality a window is refused.
    samples
        Of the same subject.
    kind
        ``eeg``: epochs ``(n, channels, times)`` of the scalp channels from 0.5 s before to 1.5 s after the apex [µV], every
        sample or every second one so that the rate comes nearest to 125 Hz.
        ``band-power``: ``(n, channels, 4 bands, 9 windows)``, logarithm of the density of theta to gamma [ln µV²/Hz] in
        windows of 1 s whose starts lie from 1 s before to 1 s after the apex.
        ``window``: ``(n, signals, 112)``, heart rate, pulse wave, skin conductance, breath and skin temperature at 16 Hz
        from 2 s before to 5 s after the apex, each less its mean over the seconds before.

    Returns
    -------
    FeatureTable
        ``columns`` names the channels. A row is missing, with the reason, where the window leaves the recording, touches
        missing samples, or one of its channels is flat, bad or of too low a quality. A recording without the signal has
        rows without values.

    Raises
    ------
    ConfigError
        If the kind is not known.
    """
    if kind not in BODY_INPUTS:
        raise unknown_name("input of body networks", kind, BODY_INPUTS)
    X, channels, why = BODY_INPUTS[kind](body, samples)
    if not len(channels):
        return undescribed(samples, why.tolist())
    rows = feature_table(samples, {"row": (np.zeros(len(samples)), why)})
    missing = rows.reason[:, 0] > 0
    X[missing] = np.nan
    origin = dict(steps_with_channels(body.signals["eeg"])) if kind != "window" else {}
    return replace(rows, X=X, columns=channels, reason=rows.reason[:, 0], origin=MappingProxyType(origin))


def _eeg_reasons(body: Body, clean: CleanEeg, windows: Windows) -> NDArray[np.str_]:
    """Say why no row of the recording can be used, or those whose quality is too low."""
    n = windows.start_s.size
    unfit = [name for name, flat in zip(clean.channels, clean.flat, strict=True) if flat]
    unfit += [name for name in clean.bad_channels if name not in clean.interpolated and name not in unfit]
    text = f"{len(unfit)} channels are flat or bad ({', '.join(unfit[:3])}); eeg.bad_channels can interpolate them"
    checks = [(bool(clean.refused), clean.refused), (bool(unfit), text)]
    return either(first_reason(n, *checks), _low(body, "eeg", windows))


def _low(body: Body, signal: str, windows: Windows) -> NDArray[np.str_]:
    """Say in which windows a signal's quality is below what the settings ask for."""
    least, verdict = body.settings.min_quality, body.verdict(signal)
    if least <= 0 or verdict is None:
        return np.full(windows.start_s.size, "")
    index, cause = verdict.index(windows)
    return np.where(index < least, np.char.add(f"quality below {least:g}: ", cause), "")


def _no_stream(signal: str, n: int) -> Made:
    return np.empty((n, 0), dtype=np.float32), (), np.full(n, f"no stream '{signal}'")


def _eeg_epochs(body: Body, samples: Sequence[Sample]) -> Made:
    if "eeg" not in body.signals:
        return _no_stream("eeg", len(samples))
    clean: CleanEeg = body.signals["eeg"]
    every = max(1, round(clean.fs_hz / EPOCH_HZ))
    around = lags(clean.fs_hz, -EPOCH_S[0], EPOCH_S[1])
    first, last = int(around[0]), int(around[-1])
    occasions = occasions_around(samples, before_s=EPOCH_S[0], after_s=EPOCH_S[1], baseline_s=EPOCH_S[0])
    X = np.zeros((len(samples), len(clean.channels), len(around[::every])), dtype=np.float32)
    if clean.t.size >= len(around):
        for which, x in epochs(clean, event_samples(clean, occasions.at_s), first, last):
            X[which] = x[..., ::every].transpose(1, 0, 2)
    why = either(event_reasons(clean, occasions, first, last, what="epoch"), _eeg_reasons(body, clean, occasions.windows))
    return X, clean.channels, why


def _band_power(body: Body, samples: Sequence[Sample]) -> Made:
    if "eeg" not in body.signals:
        return _no_stream("eeg", len(samples))
    clean: CleanEeg = body.signals["eeg"]
    grid, n = clean.grid, len(samples)
    apex = np.array([s.apex for s in samples], dtype=np.float64)
    starts = np.arange(POWER_FROM_S, POWER_TO_S + POWER_STEP_S / 2, POWER_STEP_S)
    whole = Windows(apex + POWER_FROM_S, POWER_TO_S + POWER_S - POWER_FROM_S)
    outside = first_reason(
        n,
        (whole.outside(grid), "windows of band power leave the recording"),
        (whole.touches_bad(grid), "windows of band power touch missing samples"),
    )
    each = Windows((apex[:, None] + starts).ravel(), POWER_S)
    bands = {name: BANDS_HZ[name] for name in POWER_BANDS}
    length = min(each.n_samples(grid), grid.t.size)
    power = log_band_power(clean.x, each.first_sample(grid), length, clean.fs_hz)
    kept = [list(BANDS_HZ).index(name) for name in bands]
    X = power[:, :, kept].reshape(n, len(starts), len(clean.channels), len(bands)).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(X, dtype=np.float32), clean.channels, either(outside, _eeg_reasons(body, clean, whole))


def _windows(body: Body, samples: Sequence[Sample]) -> Made:
    names = [name for name in body.settings.signals if name in WINDOW_CHANNELS]
    n, channels = len(samples), tuple(WINDOW_CHANNELS[name] for name in names)
    absent = [name for name in names if name not in body.signals]
    if absent or not names:
        return _no_stream(absent[0] if absent else "ecg", n)
    occasions = occasions_around(samples, before_s=WINDOW_S[0], after_s=WINDOW_S[1], baseline_s=WINDOW_S[0])
    n_before = round(WINDOW_S[0] * WINDOW_HZ)
    at = occasions.at_s[:, None] + np.arange(-n_before, round(WINDOW_S[1] * WINDOW_HZ)) / WINDOW_HZ
    X = np.zeros((n, len(names), at.shape[1]), dtype=np.float32)
    why = np.full(n, "")
    for k, name in enumerate(names):
        values = _course(body, name, at)
        X[:, k] = values - values[:, :n_before].mean(axis=1, keepdims=True)
        own = either(_window_reasons(body, name, occasions), _low(body, name, occasions.windows))
        why = either(why, np.where(own != "", np.char.add(f"{name}: ", own), ""))
    return X, channels, why


def _level(body: Body, name: str) -> Regular:
    """One signal as it is sampled, cleaned."""
    read = body.signals[name]
    if name != "eda":
        signal: Regular = read.signal
        return signal
    return replace(read.tonic, x=read.tonic.x + read.phasic.x)


def _course(body: Body, name: str, at_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """One signal at given times; the heart by its rate."""
    if name == "ecg":
        return course_at(body.signals["ecg"].corrected, at_s)
    signal = _level(body, name)
    return np.asarray(np.interp(at_s, signal.t, signal.x))


def _window_reasons(body: Body, name: str, occasions: Occasions) -> NDArray[np.str_]:
    """Say in which windows a signal cannot be used."""
    read = body.signals[name]
    if read.refused:
        return np.full(len(occasions), read.refused)
    if name in JUDGED_BY:
        return columns_of_signal(body, name, occasions)[JUDGED_BY[name]][1]
    return unusable(read.signal, occasions.windows, flat=0.0)


#: By kind, as `mmme.models.catalogue.takes` names it.
BODY_INPUTS: Mapping[str, Callable[[Body, Sequence[Sample]], Made]] = MappingProxyType(
    {"eeg": _eeg_epochs, "band-power": _band_power, "window": _windows}
)
