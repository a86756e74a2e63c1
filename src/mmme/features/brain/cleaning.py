"""
From a recorded EEG to one that can be measured: rate, filter, bad channels, reference, components of eyes and muscles.

Nothing is taken out without being named: every step, its figures and its channels are in `CleanEeg.steps`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.signal import welch

from mmme.errors import ConfigError, DataError
from mmme.features.brain.bad_channels import MOST_BAD, bad_channels
from mmme.features.brain.clean import CleanEeg
from mmme.features.brain.decimation import decimated_channels
from mmme.features.brain.filters import apply_fir, band_pass, notched
from mmme.features.brain.ica import Rejected, without_artefacts
from mmme.features.brain.interpolation import interpolated
from mmme.features.brain.muscle import muscle_activity
from mmme.features.brain.regions import scalp_channels
from mmme.features.quality import CELL_S, Verdict
from mmme.features.sampling import Regular, decimated, expect_unit, regular, unreadable
from mmme.types import StoredSamples, Stream, listed

__all__ = ["EegSettings", "read_eeg"]

#: A channel that never steps by more than this [µV] is disconnected.
STILL_UV = 1e-4
#: A second in which a channel swings by more than this is no EEG [µV].
LARGEST_UV = 200.0
#: A second whose root mean square between 65 and 95 Hz is above this is muscle [µV].
MUSCLE_UV = 5.0
#: Share of its samples beyond which a channel with holes is bad, instead of its holes spoiling every channel.
MOST_MISSING = 0.1
MASTOIDS = ("M1", "M2", "A1", "A2", "TP9", "TP10")
CAUSES = (
    "samples are missing",
    "channel is flat",
    "channel is bad throughout",
    f"swings by more than {LARGEST_UV:g} µV in a second",
    f"muscle above {MUSCLE_UV:g} µV",
)


@dataclass(frozen=True, slots=True)
class EegSettings:
    """
    How an EEG is cleaned.

    Parameters
    ----------
    rate_hz
        The recording is brought to this rate, or the next one above it that divides its own [Hz].
    low_hz, high_hz
        Band that passes [Hz].
    line_hz
        Power line to be notched with its harmonics, 50 or 60; 0 for none. Needed only where the band reaches it.
    reference
        ``average`` over the scalp channels that are neither flat nor bad; ``mastoids``; ``none`` (as recorded); or names of
        channels with a space between.
    bad
        ``list``: bad channels stay as they are, named, and count in no region and no reference; ``interpolate``: they are
        replaced from their neighbours (spherical splines).
    ica
        ``picard``: components of eyes, heart and muscles are taken out (`mmme.features.brain.ica`); ``none``.
    seed
        Of the decomposition.

    Examples
    --------
    >>> EegSettings(reference="M1 M2").reference
    'M1 M2'
    """

    rate_hz: float = 250.0
    low_hz: float = 0.5
    high_hz: float = 45.0
    line_hz: int = 0
    reference: str = "average"
    bad: Literal["list", "interpolate"] = "list"
    ica: Literal["none", "picard"] = "none"
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the band against the rate."""
        if not 0 < self.low_hz < self.high_hz < 0.45 * self.rate_hz:
            raise ConfigError(
                f"eeg: expected a band within 0 to {0.45 * self.rate_hz:g} Hz at {self.rate_hz:g} Hz, got "
                f"{self.low_hz:g} to {self.high_hz:g} Hz"
            )
        if not self.reference.strip():
            raise ConfigError("eeg reference: expected average, mastoids, none or names of channels, got nothing")


def read_eeg(stream: Stream, settings: EegSettings | None = None) -> CleanEeg:
    """
    Clean a recording.

    In this order: rate (as `scipy.signal.resample_poly`), muscle activity and power line measured, notch, zero-phase FIR
    band-pass (as MNE designs it), bad channels, reference, interpolation and components where asked for.

    Parameters
    ----------
    stream
        EEG [V], ``(n, n_channels)`` with channel names, session time; types of channels are used where the stream has them.
    settings
        How.

    Returns
    -------
    CleanEeg
        ``refused`` says why, where nothing can be computed: no scalp channel, shorter than 5 s, mostly missing, more bad
        channels than an average reference bears.

    Raises
    ------
    DataError
        If the unit is not V, channel names are missing or repeat, or the reference names a channel that is not there.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(10000, 5)).cumsum(axis=0) * 1e-6
    >>> clean = read_eeg(Stream("eeg", "eeg", np.arange(10000) / 1000, x, "V", 1000.0, ("FZ", "CZ", "PZ", "OZ", "M1")))
    >>> clean.fs_hz, clean.channels, clean.steps["eeg_reference"]
    (250.0, ('Fz', 'Cz', 'Pz', 'Oz'), 'average of Fz Cz Pz Oz')
    """
    settings = settings or EegSettings()
    expect_unit(stream, "V")
    names, keep = _scalp(stream)
    if not names:
        return _refused(names, settings, "no channel on the scalp")
    aside = _aside(stream, names, settings)
    grid, raw, missing = _lowered(stream, [*keep.tolist(), *aside.values()], settings.rate_hz)
    scalp, n = raw[: len(names)], len(names)
    flat = np.ptp(scalp, axis=1) <= STILL_UV
    holed = missing[:n].mean(axis=1) > MOST_MISSING
    grid = replace(grid, bad=missing[:n][~holed].any(axis=0) if (~holed).any() else missing[:n].all(axis=0))
    why = unreadable(grid, flat=-1.0) or ("all scalp channels are flat" if flat.all() else "")
    if why:
        return _refused(names, settings, why)
    steps = {"eeg_rate": f"{_shown(stream)} to {grid.fs_hz:g} Hz", "eeg_line": _line(scalp, grid.fs_hz, names, flat)}
    muscle = muscle_activity(scalp, grid.fs_hz)
    if settings.line_hz:
        raw = notched(raw, grid.fs_hz, settings.line_hz)
        steps["eeg_notch"] = f"{settings.line_hz} Hz and harmonics"
    kernel, steps["eeg_filter"] = band_pass(grid.fs_hz, settings.low_hz, settings.high_hz, n_times=grid.t.size)
    x = apply_fir(raw, kernel)
    bad = _bad(x[:n], grid, flat, holed, muscle)
    named = {names[i]: text for i, text in bad.items()}
    trusted = ~flat & ~np.isin(np.arange(n), list(bad))
    asides = {name: x[n + k] for k, name in enumerate(aside)}
    reference, text = _reference(settings.reference, x[:n], names, trusted, asides)
    if text.startswith("refused"):
        return _refused(names, settings, text)
    steps["eeg_reference"] = text
    x = x[:n] - reference
    mended: tuple[str, ...] = ()
    if settings.bad == "interpolate":
        x, mended, steps["eeg_interpolated"] = interpolated(x, names, trusted)
    if settings.ica == "picard":
        usable = trusted | np.isin(names, mended)
        x, rejected, text = without_artefacts(
            x, grid.fs_hz, names, usable, aside={k: v for k, v in asides.items() if k not in MASTOIDS}, seed=settings.seed
        )
        steps["eeg_ica"] = f"{text}; {_told(rejected)}"
    verdict = _verdict(scalp, x, grid, missing[:n], flat, list(bad) if settings.bad == "list" else [], muscle, names)
    return CleanEeg(grid.t, x, grid.bad, grid.fs_hz, names, flat, named, mended, muscle, verdict, steps)


def _told(rejected: tuple[Rejected, ...]) -> str:
    return ", ".join(f"component {r.component} out: {r.why} ({r.figure:.2f})" for r in rejected) or "no component out"


def _shown(stream: Stream) -> str:
    return f"{stream.fs:g}" if stream.fs else "measured rate"


def _scalp(stream: Stream) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Scalp channels: by type where the file says, and never what its name says is elsewhere."""
    names, keep = scalp_channels(stream)
    if "EEG" not in stream.types:
        return names, keep
    typed = [(name, i) for name, i in zip(names, keep.tolist(), strict=True) if stream.types[i] == "EEG"]
    return tuple(name for name, _ in typed), np.array([i for _, i in typed], dtype=np.int64)


def _aside(stream: Stream, names: tuple[str, ...], settings: EegSettings) -> dict[str, int]:
    """Channels beside the scalp that the settings need: those of the reference; eyes, heart and muscles for ICA."""
    upper = [c.strip().upper() for c in stream.channels]
    wanted: list[str] = []
    if settings.reference == "mastoids":
        wanted = [m for m in MASTOIDS if m in upper and m.title() not in names and m not in names]
    elif settings.reference not in ("average", "none"):
        scalp = {name.upper() for name in names}
        wanted = [r.upper() for r in settings.reference.split() if r.upper() not in scalp]
        lacking = [r for r in wanted if r not in upper]
        if lacking:
            raise DataError(
                f"stream '{stream.name}': expected the channels of the reference, got none called {listed(lacking)}; "
                f"there are {listed(stream.channels)}"
            )
    if settings.ica == "picard":
        prefixes = ("HEO", "VEO", "EOG", "EKG", "ECG", "EMG")
        wanted += [name for name in upper if name.startswith(prefixes)]
    return {name: upper.index(name) for name in dict.fromkeys(wanted)}


def _lowered(stream: Stream, columns: list[int], rate_hz: float) -> tuple[Regular, NDArray[np.float32], NDArray[np.bool_]]:
    """Channels at the lower rate: the grid they share, samples [µV] and marks of missing ones, each ``(n_channels, n)``."""
    times = regular(replace(stream, x=stream.t, channels=(), types=()))
    q = max(1, int(times.fs_hz // rate_hz))
    if not times.bad.any():
        x, scale = stream.x, np.full(stream.x.shape[1], 1e6)
        stored = stream.x.stored() if isinstance(stream.x, StoredSamples) else None
        if stored is not None:
            x, scale = stored[0], stored[1] * 1e6
        y = decimated_channels(x, q, scale=scale)[columns]
        if np.isfinite(y).all():
            grid = Regular(times.t[::q], times.t[::q], times.bad[::q], times.fs_hz / q)
            return grid, y, np.zeros(y.shape, dtype=bool)
    made, marks = [], []
    for column in columns:  # each by itself, so that a hole in one is no hole in the others
        one = regular(replace(stream, x=np.asarray(stream.x[:, column]), channels=(), types=()))
        lower = decimated(one, rate_hz)
        made.append((lower.x * 1e6).astype(np.float32))
        marks.append(lower.bad)
    grid = Regular(lower.t, lower.t, lower.bad, lower.fs_hz)
    return grid, np.stack(made), np.stack(marks)


def _line(x: NDArray[np.float32], fs_hz: float, names: tuple[str, ...], flat: NDArray[np.bool_]) -> str:
    """Say how much of the power between 1 Hz and the band's end the power line holds, and where most."""
    piece = x[:, : round(600 * fs_hz)]
    f, power = welch(piece, fs_hz, nperseg=min(piece.shape[1], round(2 * fs_hz)), axis=1, detrend="linear")
    band = (f >= 1) & (f <= min(100.0, 0.45 * fs_hz))
    total = power[:, band].sum(axis=1)
    said = []
    for line in (50.0, 60.0):
        near = band & (np.abs(f - line) <= 1)
        if near.any():
            share = np.where(flat | (total <= 0), 0.0, power[:, near].sum(axis=1) / np.where(total > 0, total, 1.0))
            worst = int(np.argmax(share))
            most = f"at most {100 * share[worst]:.0f} % ({names[worst]})"
            said.append(f"{line:g} Hz holds {100 * np.median(share):.0f} % of 1 to 100 Hz, {most}")
    return "; ".join(said) or "not within the band"


def _bad(
    x: NDArray[np.float32],
    grid: Regular,
    flat: NDArray[np.bool_],
    holed: NDArray[np.bool_],
    muscle: NDArray[np.float32],
) -> dict[int, str]:
    """Channels with holes, and those that stand out among the others; flat ones are told elsewhere."""
    found = {
        int(i): f"more than {100 * MOST_MISSING:.0f} % of its samples are missing" for i in np.flatnonzero(holed & ~flat)
    }
    rest = np.flatnonzero(~flat & ~holed)
    fast = np.median(muscle[rest], axis=1).astype(np.float64) if muscle.size else None
    found |= {int(rest[i]): text for i, text in bad_channels(x[rest], grid.fs_hz, fast_uv=fast).items()}
    return dict(sorted(found.items()))


def _reference(
    wanted: str,
    x: NDArray[np.float32],
    names: tuple[str, ...],
    trusted: NDArray[np.bool_],
    aside: Mapping[str, NDArray[np.float32]],
) -> tuple[NDArray[np.float32], str]:
    """Signal to be subtracted, and what it is; a text that begins with ``refused`` where there cannot be one."""
    if wanted == "none":
        return np.zeros(x.shape[1], dtype=np.float32), "as recorded"
    if wanted == "average":
        n_bad = int((~trusted).sum())
        if trusted.sum() < 2:
            return x[0], "refused: an average reference needs 2 scalp channels that are neither flat nor bad"
        if n_bad > MOST_BAD * trusted.size and trusted.size >= 10:
            return x[0], (
                f"refused: {n_bad} of {trusted.size} channels are flat or bad, an average reference bears "
                f"{100 * MOST_BAD:.0f} %; choose another reference"
            )
        kept = [name for name, ok in zip(names, trusted, strict=True) if ok]
        return x[trusted].mean(axis=0), "average of " + " ".join(kept)
    upper = {name.upper(): x[i] for i, name in enumerate(names)} | dict(aside)
    chosen = [m for m in MASTOIDS if m in upper] if wanted == "mastoids" else [r.upper() for r in wanted.split()]
    if not chosen:
        return x[0], "refused: no mastoid or ear channel was recorded"
    return np.mean([upper[name] for name in chosen], axis=0), "mean of " + " ".join(chosen)


def _verdict(
    raw: NDArray[np.float32],
    x: NDArray[np.float32],
    grid: Regular,
    missing: NDArray[np.bool_],
    flat: NDArray[np.bool_],
    bad: list[int],
    muscle: NDArray[np.float32],
    names: tuple[str, ...],
) -> Verdict:
    """Say what speaks against each channel in each second, the gravest cause first."""
    cell = np.floor((grid.t - grid.start_s + 1e-6) / CELL_S).astype(np.int64)
    starts = np.flatnonzero(np.diff(cell, prepend=-1))
    n_cells = starts.size
    codes = np.zeros((len(names), n_cells), dtype=np.uint8)
    for i in range(len(names)):
        if muscle.size:
            per = round(CELL_S / 0.1)
            level = muscle[i, : muscle.shape[1] // per * per].reshape(-1, per)
            loud = np.sqrt((level.astype(np.float64) ** 2).mean(axis=1)) > MUSCLE_UV
            codes[i, : loud.size][loud[:n_cells]] = 5
        swing = np.maximum.reduceat(x[i], starts) - np.minimum.reduceat(x[i], starts)
        codes[i, swing > LARGEST_UV] = 4
        if i in bad:
            codes[i] = 3
        still = np.maximum.reduceat(raw[i], starts) - np.minimum.reduceat(raw[i], starts) <= STILL_UV
        codes[i, still | flat[i]] = 2
        codes[i, np.logical_or.reduceat(missing[i], starts)] = 1
    return Verdict(grid.start_s, codes, CAUSES, names)


def _refused(names: tuple[str, ...], settings: EegSettings, why: str) -> CleanEeg:
    """Nothing but the reason."""
    n = len(names)
    nothing = np.zeros((n, 0), dtype=np.float32)
    unjudged = Verdict(0.0, np.zeros((n, 0), dtype=np.uint8), CAUSES, names)
    none = np.zeros(0)
    return CleanEeg(
        none, nothing, none > 0, settings.rate_hz, names, np.zeros(n, dtype=bool), {}, (), nothing, unjudged, {}, why
    )
