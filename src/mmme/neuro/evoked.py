"""What the scalp does around expressions and neutral moments: potentials, band power, and the muscles' part in both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError, DataError
from mmme.features.brain.clean import MUSCLE_CELL_S, CleanEeg
from mmme.features.brain.epochs import event_samples, lags
from mmme.features.brain.time_frequency import REACH_SD, morlet_power, n_cycles

__all__ = ["BANDS_HZ", "MEASURES", "EvokedSettings", "LockedMeans", "differences_of", "locked_means"]

#: Centres of the wavelets of each band [Hz].
BANDS_HZ: Mapping[str, tuple[float, ...]] = {
    "theta": (4.5, 6.0, 7.5),
    "alpha": (8.5, 10.0, 12.0),
    "beta": (14.0, 18.0, 22.0, 26.0),
    "gamma": (31.0, 36.0, 41.0),
}
#: ``erp`` [µV]; band power [dB against the baseline]; ``muscle``, 65 to 95 Hz [dB against the baseline].
MEASURES = ("erp", *BANDS_HZ, "muscle")
#: Values of one block of wavelet power (32 MB).
BLOCK = 8_000_000


@dataclass(frozen=True, slots=True)
class EvokedSettings:
    """
    Windows of event-locked means.

    Parameters
    ----------
    before_s, after_s
        Around the event [s].
    baseline_s
        ``[from, to)`` against the **onset**, also where the event is the apex: between onset and apex the face moves [s].
    step_s
        Times of the means; samples between are averaged [s].
    swing_uv
        An epoch in which more than a fifth of the channels swing by more than this is left out and counted [µV].

    Examples
    --------
    >>> EvokedSettings().baseline_s
    (-0.7, -0.2)
    """

    before_s: float = 0.7
    after_s: float = 1.5
    baseline_s: tuple[float, float] = (-0.7, -0.2)
    step_s: float = 0.02
    swing_uv: float = 200.0

    def __post_init__(self) -> None:
        """Check the order of times."""
        low, high = self.baseline_s
        if not (self.before_s >= 0 and self.after_s > 0 and self.step_s > 0 and low < high <= 0):
            raise ConfigError(
                f"event-locked means: expected lengths above 0 s and a baseline before the onset, got {self.before_s:g} s "
                f"before, {self.after_s:g} s after, baseline {low:g} to {high:g} s"
            )


@dataclass(frozen=True, slots=True, eq=False)
class LockedMeans:
    """
    Means over the events of one subject, by condition.

    Parameters
    ----------
    t_s : (n_times,)
        Middles of the steps, from the event [s].
    channels
        Names.
    values
        By condition, ``(n_measures, n_channels, n_times)`` in the order of `MEASURES`; NaN for a measure that the rate does
        not allow and for channels without a signal.
    counts
        Events in each mean.
    left_out
        Events in none, by reason.
    """

    t_s: NDArray[np.float64]
    channels: tuple[str, ...]
    values: Mapping[str, NDArray[np.float64]]
    counts: Mapping[str, int]
    left_out: Mapping[str, int]


def locked_means(
    clean: CleanEeg,
    events: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    settings: EvokedSettings | None = None,
) -> LockedMeans:
    """
    Average potentials and band power around events.

    Power is taken by Morlet wavelets at every sample, averaged over the wavelets of a band, brought to decibels against the
    mean of its own baseline epoch by epoch (so that one loud epoch does not outweigh the others), and averaged over events.
    Edges are taken from the recording, so no epoch is padded.

    Parameters
    ----------
    clean
        A cleaned recording.
    events
        By condition: times of the events, and of the onsets to which the baseline belongs [s].
    settings
        Windows.

    Raises
    ------
    DataError
        If nothing can be computed from the recording.

    Examples
    --------
    >>> from mmme.features.brain.cleaning import read_eeg
    >>> from mmme.types import Stream
    >>> x = np.random.default_rng(0).normal(size=(20000, 5)).cumsum(axis=0) * 1e-6
    >>> clean = read_eeg(Stream("eeg", "eeg", np.arange(20000) / 1000, x, "V", 1000.0, ("FZ", "CZ", "PZ", "OZ", "M1")))
    >>> means = locked_means(clean, {"micro": ([8.0, 12.0], [8.0, 12.0])})
    >>> means.values["micro"].shape, means.counts["micro"], round(float(means.t_s[0]), 2)
    ((6, 4, 110), 2, -0.69)
    """
    settings = settings or EvokedSettings()
    if clean.refused:
        raise DataError(f"event-locked means: {clean.refused}")
    fs = clean.fs_hz
    step = max(1, round(settings.step_s * fs))
    n_steps = round((settings.before_s + settings.after_s) / settings.step_s)
    within = int(lags(fs, -settings.before_s, 0.0)[0]) + np.arange(n_steps * step)
    t_s = (within.reshape(n_steps, step).mean(axis=1)) / fs + 0.5 / fs
    edge = int(
        np.ceil(REACH_SD * max(n_cycles(hz) / (2 * np.pi * hz) for centres in BANDS_HZ.values() for hz in centres) * fs)
    )
    base = lags(fs, *settings.baseline_s)
    left_out: dict[str, int] = {}
    values, counts = {}, {}
    for condition, (at_s, onset_s) in events.items():
        at = event_samples(clean, np.asarray(at_s, dtype=np.float64))
        onset = event_samples(clean, np.asarray(onset_s, dtype=np.float64))
        usable = _usable(clean, at, onset, within, base, edge, settings.swing_uv, left_out)
        total = np.zeros((len(MEASURES), len(clean.channels), n_steps))
        for a, o in zip(at[usable], onset[usable], strict=True):
            total += _one(clean, int(a), int(o), within, base, edge, step)
        counts[condition] = int(usable.sum())
        values[condition] = total / counts[condition] if counts[condition] else np.full(total.shape, np.nan)
        values[condition][:, clean.flat] = np.nan
    return LockedMeans(t_s, clean.channels, values, counts, left_out)


def _usable(
    clean: CleanEeg,
    at: NDArray[np.int64],
    onset: NDArray[np.int64],
    within: NDArray[np.int64],
    base: NDArray[np.int64],
    edge: int,
    swing_uv: float,
    left_out: dict[str, int],
) -> NDArray[np.bool_]:
    """Tell which epochs count; the others are counted by reason."""
    usable = np.zeros(at.size, dtype=bool)
    for k, (a, o) in enumerate(zip(at, onset, strict=True)):
        first, last = min(a + within[0], o + base[0]) - edge, max(a + within[-1], o + base[-1]) + edge
        reason = ""
        if a < 0 or o < 0 or first < 0 or last >= clean.t.size:
            reason = "leaves the recording"
        elif clean.bad[first : last + 1].any():
            reason = "touches missing samples"
        else:
            piece = clean.x[~clean.flat, first + edge : last - edge + 1]
            if np.mean(np.ptp(piece, axis=1) > swing_uv) > 0.2:
                reason = f"more than a fifth of the channels swing by more than {swing_uv:g} µV"
        usable[k] = not reason
        if reason:
            left_out[reason] = left_out.get(reason, 0) + 1
    return usable


def _one(
    clean: CleanEeg, at: int, onset: int, within: NDArray[np.int64], base: NDArray[np.int64], edge: int, step: int
) -> NDArray[np.float64]:
    """All measures of one epoch, ``(n_measures, n_channels, n_steps)``."""
    first = min(at + int(within[0]), onset + int(base[0])) - edge
    last = max(at + int(within[-1]), onset + int(base[-1])) + edge
    x = clean.x[:, first : last + 1]
    epoch, before = at + within - first, onset + base - first
    n_steps = within.size // step

    def steps(y: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(y[:, epoch].reshape(y.shape[0], n_steps, step).mean(axis=2), dtype=np.float64)

    found = np.empty((len(MEASURES), x.shape[0], n_steps))
    found[0] = steps(x) - x[:, before].mean(axis=1, keepdims=True)
    for k, centres in enumerate(BANDS_HZ.values(), start=1):
        power = morlet_power(x, clean.fs_hz, centres, [n_cycles(hz) for hz in centres])
        power /= power[..., before].mean(axis=2, keepdims=True) + 1e-30  # each frequency counts alike
        found[k] = 10.0 * np.log10(steps(power.mean(axis=1)) + 1e-30)
    found[-1] = _muscle(clean, at, onset, within, base, step)
    return found


def _muscle(
    clean: CleanEeg, at: int, onset: int, within: NDArray[np.int64], base: NDArray[np.int64], step: int
) -> NDArray[np.float64]:
    """Power of 65 to 95 Hz before components were taken out [dB]; NaN where the rate does not reach so far."""
    n_steps = within.size // step
    if not clean.muscle_uv.size:
        return np.full((len(clean.channels), n_steps), np.nan)
    cell = MUSCLE_CELL_S * clean.fs_hz
    last = clean.muscle_uv.shape[1] - 1
    middles = (at + within.reshape(n_steps, step).mean(axis=1)) / cell
    own = clean.muscle_uv[:, np.clip(middles.astype(np.int64), 0, last)].astype(np.float64) ** 2
    cells = np.unique(np.clip(((onset + base) / cell).astype(np.int64), 0, last))
    before = (clean.muscle_uv[:, cells].astype(np.float64) ** 2).mean(axis=1, keepdims=True)
    return np.asarray(10.0 * np.log10((own + 1e-30) / (before + 1e-30)))


def differences_of(subjects: Sequence[LockedMeans], channels: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """
    Give each subject's difference from its own neutral moments.

    Parameters
    ----------
    subjects
        Means with the conditions ``micro``, ``neutral-micro``, ``macro``, ``neutral-macro``; a pair that a subject lacks is
        NaN.
    channels
        Wanted, in order.

    Returns
    -------
    dict
        ``micro`` and ``macro`` (each against its neutral moments) and ``micro-macro`` (the difference of both):
        ``(n_subjects, n_measures, n_channels, n_times)``.
    """
    found: dict[str, list[NDArray[np.float64]]] = {"micro": [], "macro": [], "micro-macro": []}
    for one in subjects:
        rows = [one.channels.index(name) for name in channels]
        micro, macro = ((one.values[kind] - one.values[f"neutral-{kind}"])[:, rows] for kind in ("micro", "macro"))
        for name, value in zip(found, (micro, macro, micro - macro), strict=True):
            found[name].append(value)
    return {name: np.array(values) for name, values in found.items()}
