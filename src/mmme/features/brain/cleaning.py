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
from mmme.features.brain.clean import MUSCLE_CELL_S, CleanEeg
from mmme.features.brain.decimation import decimated_channels
from mmme.features.brain.filters import apply_fir, band_pass, filtered_rows, notched
from mmme.features.brain.ica import Rejected, without_artefacts
from mmme.features.brain.interpolation import interpolated
from mmme.features.brain.muscle import cell_rms, muscle_kernel
from mmme.features.brain.regions import scalp_channels
from mmme.features.quality import CELL_S, Verdict
from mmme.features.sampling import GAP_STEPS, Regular, decimated, expect_unit, regular, unreadable
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
#: Times that are looked at together: their differences stay in the cache.
PIECE = 65_536
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
    aside, n = _aside(stream, names, settings), len(names)
    grid, x, missing = _lowered(stream, [*keep.tolist(), *aside.values()], settings.rate_hz)
    if missing is None:
        holed = np.zeros(n, dtype=bool)
    else:
        holed = missing[:n].mean(axis=1) > MOST_MISSING
        grid = replace(grid, bad=missing[:n][~holed].any(axis=0) if not holed.all() else missing[:n].all(axis=0))
    cells = _cells(grid)
    low, high = np.minimum.reduceat(x[:n], cells, axis=1), np.maximum.reduceat(x[:n], cells, axis=1)
    flat = high.max(axis=1) - low.min(axis=1) <= STILL_UV
    why = unreadable(grid, flat=-1.0) or ("all scalp channels are flat" if flat.all() else "")
    if why:
        return _refused(names, settings, why)
    steps = {"eeg_rate": f"{_shown(stream)} to {grid.fs_hz:g} Hz", "eeg_line": _line(x[:n], grid.fs_hz, names, flat)}
    if settings.line_hz:
        x = notched(x, grid.fs_hz, settings.line_hz)
        steps["eeg_notch"] = f"{settings.line_hz} Hz and harmonics"
    kernel, steps["eeg_filter"] = band_pass(grid.fs_hz, settings.low_hz, settings.high_hz, n_times=grid.t.size)
    muscle = _filtered(x, n, grid.fs_hz, kernel)
    bad = _bad(x[:n], grid, flat, holed, muscle)
    named = {names[i]: text for i, text in bad.items()}
    trusted = ~flat & ~np.isin(np.arange(n), list(bad))
    asides = {name: x[n + k] for k, name in enumerate(aside)}
    reference, text = _reference(settings.reference, x[:n], names, trusted, asides)
    if text.startswith("refused"):
        return _refused(names, settings, text)
    steps["eeg_reference"] = text
    x = x[:n]
    x -= reference
    mended: tuple[str, ...] = ()
    if settings.bad == "interpolate":
        x, mended, steps["eeg_interpolated"] = interpolated(x, names, trusted)
    if settings.ica == "picard":
        usable = trusted | np.isin(names, mended)
        x, rejected, text = without_artefacts(
            x, grid.fs_hz, names, usable, aside={k: v for k, v in asides.items() if k not in MASTOIDS}, seed=settings.seed
        )
        steps["eeg_ica"] = f"{text}; {_told(rejected)}"
    still = high - low <= STILL_UV
    holes = np.zeros(still.shape, dtype=bool) if missing is None else np.logical_or.reduceat(missing[:n], cells, axis=1)
    spoiled = ~trusted & ~flat & ~np.isin(names, mended)
    verdict = Verdict(grid.start_s, _codes(x, cells, holes, still, spoiled, muscle), CAUSES, names)
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


def _lowered(
    stream: Stream, columns: list[int], rate_hz: float
) -> tuple[Regular, NDArray[np.float32], NDArray[np.bool_] | None]:
    """Channels at the lower rate: the grid they share, samples [µV] and marks of missing ones, ``(n_channels, n)`` each."""
    fs_hz = _even_rate(stream)
    if fs_hz is not None:
        q = max(1, int(fs_hz // rate_hz))
        x, scale = stream.x, np.full(stream.x.shape[1], 1e6)
        stored = stream.x.stored() if isinstance(stream.x, StoredSamples) else None
        if stored is not None:
            x, scale = stored[0], stored[1] * 1e6
        y = decimated_channels(x, q, scale=scale, columns=columns)
        if all(np.isfinite(channel).all() for channel in y):
            t = np.ascontiguousarray(stream.t[::q])
            return Regular(t, t, np.zeros(t.size, dtype=bool), fs_hz / q), y, None
    made, marks = [], []
    for column in columns:  # each by itself, so that a hole in one is no hole in the others
        one = regular(replace(stream, x=np.asarray(stream.x[:, column]), channels=(), types=()))
        lower = decimated(one, rate_hz)
        made.append((lower.x * 1e6).astype(np.float32))
        marks.append(lower.bad)
    return Regular(lower.t, lower.t, lower.bad, lower.fs_hz), np.stack(made), np.stack(marks)


def _even_rate(stream: Stream) -> float | None:
    """Rate of a stream without gaps; None where there are gaps, or the times contradict the nominal rate."""
    n = len(stream)
    if n < 2:
        return None
    measured = (n - 1) / float(stream.t[-1] - stream.t[0])
    if stream.fs is not None and abs(measured / stream.fs - 1.0) > 0.01:
        return None
    for a in range(0, n, PIECE):
        if np.any(np.diff(stream.t[a : a + PIECE + 1]) > GAP_STEPS / measured):
            return None
    return stream.fs or measured


def _line(x: NDArray[np.float32], fs_hz: float, names: tuple[str, ...], flat: NDArray[np.bool_]) -> str:
    """Say how much of the power between 1 Hz and the band's end the power line holds, and where most."""
    length = min(x.shape[1], round(10 * fs_hz))
    starts = np.unique(np.linspace(0, x.shape[1] - length, min(12, x.shape[1] // length)).astype(int))
    welched = [
        welch(x[:, a : a + length], fs_hz, nperseg=min(length, round(2 * fs_hz)), axis=1, detrend="linear") for a in starts
    ]
    f, power = welched[0][0], np.mean([p for _, p in welched], axis=0)
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


def _cells(grid: Regular) -> NDArray[np.intp]:
    """First sample of each second."""
    cell = np.floor((grid.t - grid.start_s + 1e-6) / CELL_S).astype(np.int64)
    return np.flatnonzero(np.diff(cell, prepend=-1))


def _filtered(x: NDArray[np.float32], n: int, fs_hz: float, kernel: NDArray[np.float64]) -> NDArray[np.float32]:
    """Band-pass in place, and return the muscle activity of the first ``n`` rows."""
    fast = muscle_kernel(fs_hz)
    if fast is None:
        apply_fir(x, kernel, out=x)
        return np.zeros((n, 0), dtype=np.float32)
    muscle = []
    for i, (slow, quick) in enumerate(filtered_rows(x, [kernel, fast])):
        if i < n:
            muscle.append(cell_rms(quick, fs_hz))
        x[i] = slow
    return np.stack(muscle)


def _codes(
    x: NDArray[np.float32],
    cells: NDArray[np.intp],
    holes: NDArray[np.bool_],
    still: NDArray[np.bool_],
    spoiled: NDArray[np.bool_],
    muscle: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """Say what speaks against each channel in each second, the gravest cause first."""
    codes = np.zeros(still.shape, dtype=np.uint8)
    if muscle.size:
        per = round(CELL_S / MUSCLE_CELL_S)
        whole = min(muscle.shape[1] // per, still.shape[1])
        level = muscle[:, : whole * per].reshape(len(muscle), whole, per)
        codes[:, :whole][np.einsum("ijk,ijk->ij", level, level) / per > MUSCLE_UV**2] = 5
    swing = np.maximum.reduceat(x, cells, axis=1) - np.minimum.reduceat(x, cells, axis=1)
    codes[swing > LARGEST_UV] = 4
    codes[spoiled] = 3
    codes[still] = 2
    codes[holes] = 1
    return codes


def _refused(names: tuple[str, ...], settings: EegSettings, why: str) -> CleanEeg:
    """Nothing but the reason."""
    n = len(names)
    nothing = np.zeros((n, 0), dtype=np.float32)
    unjudged = Verdict(0.0, np.zeros((n, 0), dtype=np.uint8), CAUSES, names)
    none = np.zeros(0)
    return CleanEeg(
        none, nothing, none > 0, settings.rate_hz, names, np.zeros(n, dtype=bool), {}, (), nothing, unjudged, {}, why
    )
