"""
From a recorded EEG to one that can be measured: rate, filter, bad channels, reference, components of eyes and muscles.

Nothing is taken out without being named: every step, its figures and its channels are in `CleanEeg.steps`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.signal import welch

from mmme.errors import ConfigError, unknown_name
from mmme.features.brain.bad_channels import bad_channels
from mmme.features.brain.clean import MUSCLE_CELL_S, CleanEeg
from mmme.features.brain.filters import apply_fir, band_pass, filtered_rows, notched
from mmme.features.brain.ica import Rejected, excerpt, without_artefacts
from mmme.features.brain.interpolation import interpolated
from mmme.features.brain.muscle import cell_rms, muscle_kernel
from mmme.features.brain.rate import lowered
from mmme.features.brain.reference import artefact_channels, reference_channels, reference_signal
from mmme.features.brain.regions import scalp_channels
from mmme.features.quality import CELL_S, Verdict
from mmme.features.sampling import Regular, expect_unit, unreadable
from mmme.types import Stream

__all__ = ["EegSettings", "read_eeg"]

Bad = Literal["list", "interpolate"]
Ica = Literal["none", "picard"]

#: A channel that never moves by more than this [µV] is disconnected; a second, where most steps are below that.
STILL_UV = 1e-4
STILL_SHARE = 0.9
#: Relative precision of a constant after the rate was lowered.
ROUNDING = 1e-6
#: A second in which a channel swings by more than this is no EEG [µV].
LARGEST_UV = 200.0
#: A second whose root mean square between 65 and 95 Hz is above this is muscle [µV].
MUSCLE_UV = 5.0
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
    bad: Bad = "list"
    ica: Ica = "none"
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the band against the rate, and words against those that are known."""
        if not 0 < self.low_hz < self.high_hz < 0.45 * self.rate_hz:
            raise ConfigError(
                f"eeg: expected a band within 0 to {0.45 * self.rate_hz:g} Hz at {self.rate_hz:g} Hz, got "
                f"{self.low_hz:g} to {self.high_hz:g} Hz"
            )
        if not self.reference.strip():
            raise ConfigError("eeg reference: expected average, mastoids, none or names of channels, got nothing")
        if self.line_hz not in (0, 50, 60):
            raise ConfigError(f"eeg line_hz: expected 0 (none), 50 or 60 Hz, got {self.line_hz} Hz")
        if self.bad not in get_args(Bad):
            raise unknown_name("treatment of bad channels", self.bad, get_args(Bad), where="eeg bad")
        if self.ica not in get_args(Ica):
            raise unknown_name("decomposition", self.ica, get_args(Ica), where="eeg ica")


def read_eeg(stream: Stream, settings: EegSettings | None = None) -> CleanEeg:
    """
    Clean a recording.

    In this order: rate (as `scipy.signal.resample_poly`), power line measured, notch, muscle activity measured, zero-phase
    FIR band-pass (as MNE designs it), bad channels, reference, components taken out and bad channels interpolated where
    asked for.

    Holes that a single channel has in more of the recording than the channel is worth (one over the number of channels)
    make the channel bad; all others spoil their samples for every channel.

    Parameters
    ----------
    stream
        EEG [V], ``(n, n_channels)`` with channel names, session time; types of channels are used where the stream has them.
    settings
        How.

    Returns
    -------
    CleanEeg
        ``refused`` says why, where nothing can be computed: no scalp channel, shorter than 5 s, mostly missing, all flat,
        more bad channels than an average reference bears, a reference channel that is flat or bad.

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
    n, beside = len(names), reference_channels(stream, names, settings.reference)
    eyes, heart = artefact_channels(stream) if settings.ica == "picard" else ({}, {})
    aside = beside | eyes | heart
    grid, x, missing = lowered(stream, [*keep.tolist(), *aside.values()], settings.rate_hz)
    holed = np.zeros(n, dtype=bool) if missing is None else _holed(missing[:n], grid.bad)
    if missing is not None:
        counting = np.concatenate([~holed, np.isin(list(aside), list(beside))])
        grid = replace(grid, bad=missing[counting].any(axis=0))
    cells = _cells(grid)
    still, level = _still(x, cells)
    flat = level[:n]
    why = unreadable(grid, flat=-1.0) or ("all scalp channels are flat" if flat.all() else "")
    if why:
        return _refused(names, settings, why)
    steps = {"eeg_rate": f"{_shown(stream)} to {grid.fs_hz:g} Hz", "eeg_line": _line(x[:n], grid.fs_hz, names, flat)}
    x, wide, muscle = _filtered(x, n, grid, settings, steps)
    named = {names[i]: text for i, text in _bad(x[:n], grid, flat, holed, muscle).items()}
    asides = {name: x[n + k] for k, name in enumerate(aside)}
    doubted = dict.fromkeys([*_of(names, flat), *_of(aside, level[n:])], "flat") | dict.fromkeys(named, "bad")
    reference, text, itself = reference_signal(settings.reference, x[:n], names, doubted, asides)
    if reference is None:
        return _refused(names, settings, text)
    steps["eeg_reference"] = text
    x = x[:n]
    x -= reference
    trusted = ~flat & ~np.isin(names, list(named))
    if itself is not None:  # nothing is left of it, which says nothing about the brain below
        flat[itself], still[itself] = True, True
    if settings.ica == "picard":
        x, rejected, text = without_artefacts(
            x, grid.fs_hz, names, trusted & ~flat, eyes={k: asides[k] for k in eyes}, heart={k: asides[k] for k in heart},
            wide=wide, average=settings.reference == "average", bad=grid.bad, seed=settings.seed,
        )  # fmt: skip
        steps["eeg_ica"] = f"{text}; {_told(rejected)}"
    mended: tuple[str, ...] = ()
    if settings.bad == "interpolate":
        x, mended, steps["eeg_interpolated"] = interpolated(x, names, trusted)
    own = ~np.isin(names, mended)[:, None]  # what was wrong with a channel is not wrong with what stands in its place
    holes = np.zeros((n, cells.size), dtype=bool) if missing is None else np.logical_or.reduceat(missing[:n], cells, axis=1)
    spoiled = np.broadcast_to((~trusted & ~flat)[:, None], holes.shape)
    codes = _codes(x, cells, holes & own, still[:n] & own, spoiled & own, muscle * own)
    verdict = Verdict(grid.start_s, codes, CAUSES, names)
    return CleanEeg(grid.t, x, grid.bad, grid.fs_hz, names, flat, named, mended, muscle, verdict, steps)


def _of(names: Iterable[str], which: NDArray[np.bool_]) -> list[str]:
    return [name for name, yes in zip(names, which, strict=True) if yes]


def _holed(missing: NDArray[np.bool_], paused: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """
    Tell which channels have so many holes of their own that it costs less to do without the channel.

    Holes of most channels at once are the recording's, not a channel's.
    """
    shared = paused | (missing.mean(axis=0) > 0.5)
    return np.asarray((missing & ~shared).mean(axis=1) > 1.0 / len(missing))


def _still(x: NDArray[np.float32], cells: NDArray[np.intp]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Channels that do not move, in most of each second ``(n_channels, n_cells)`` and throughout ``(n_channels,)``."""
    length = np.diff(cells, append=x.shape[1])
    seconds, throughout = [], []
    for channel in x:
        throughout.append(np.ptp(channel) <= STILL_UV)
        least = STILL_UV + ROUNDING * np.abs(channel[cells])  # far from zero, a constant is one only to single precision
        steps = np.abs(np.diff(channel, append=channel[-1:])) <= np.repeat(least, length)
        seconds.append(np.add.reduceat(steps, cells, dtype=np.int64) >= STILL_SHARE * length)
    return np.array(seconds), np.array(throughout)


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


def _line(x: NDArray[np.float32], fs_hz: float, names: tuple[str, ...], flat: NDArray[np.bool_]) -> str:
    """Say how much of the power between 1 Hz and the band's end the power line holds, and where most."""
    length = min(x.shape[1], round(10 * fs_hz))
    starts = np.unique(np.linspace(0, x.shape[1] - length, min(12, x.shape[1] // length)).astype(int))
    welched = [
        welch(x[:, a : a + length], fs_hz, nperseg=min(length, round(2 * fs_hz)), axis=1, detrend="linear") for a in starts
    ]
    f, power = welched[0][0], np.mean([p for _, p in welched], axis=0)
    upper = min(100.0, 0.45 * fs_hz)
    band = (f >= 1) & (f <= upper)
    total = power[:, band].sum(axis=1)
    said = []
    for line in (50.0, 60.0):
        near = band & (np.abs(f - line) <= 1)
        if near.any():
            share = np.where(flat | (total <= 0), 0.0, power[:, near].sum(axis=1) / np.where(total > 0, total, 1.0))
            worst = int(np.argmax(share))
            most = f"at most {100 * share[worst]:.0f} % ({names[worst]})"
            said.append(f"{line:g} Hz holds {100 * np.median(share):.0f} % of 1 to {upper:.0f} Hz, {most}")
    return "; ".join(said) or "not within the band"


def _bad(
    x: NDArray[np.float32],
    grid: Regular,
    flat: NDArray[np.bool_],
    holed: NDArray[np.bool_],
    muscle: NDArray[np.float32],
) -> dict[int, str]:
    """Channels with holes, and those that stand out among the others; flat ones are told elsewhere."""
    found = {int(i): "samples are missing in this channel alone" for i in np.flatnonzero(holed & ~flat)}
    rest = np.flatnonzero(~flat & ~holed)
    fast = np.median(muscle[rest], axis=1).astype(np.float64) if muscle.size else None
    found |= {int(rest[i]): text for i, text in bad_channels(x[rest], grid.fs_hz, fast_uv=fast).items()}
    return dict(sorted(found.items()))


def _cells(grid: Regular) -> NDArray[np.intp]:
    """First sample of each second."""
    cell = np.floor((grid.t - grid.start_s + 1e-6) / CELL_S).astype(np.int64)
    return np.flatnonzero(np.diff(cell, prepend=-1))


def _filtered(
    x: NDArray[np.float32], n: int, grid: Regular, settings: EegSettings, steps: dict[str, str]
) -> tuple[NDArray[np.float32], tuple[NDArray[np.float32], ...], NDArray[np.float32]]:
    """Notch and band-pass, told in ``steps``; also pieces from before the band-pass, and muscle activity, of ``n`` rows."""
    if settings.line_hz:
        x = notched(x, grid.fs_hz, settings.line_hz)
        steps["eeg_notch"] = f"{settings.line_hz} Hz and harmonics"
    wide = excerpt(x[:n], grid.fs_hz) if settings.ica == "picard" else ()
    kernel, steps["eeg_filter"] = band_pass(grid.fs_hz, settings.low_hz, settings.high_hz, n_times=grid.t.size)
    fast = muscle_kernel(grid.fs_hz)
    if fast is None:
        return apply_fir(x, kernel, out=x), wide, np.zeros((n, 0), dtype=np.float32)
    muscle = []
    for i, (_, quick) in enumerate(filtered_rows(x, [kernel, fast], out=x)):
        if i < n:
            muscle.append(cell_rms(quick, grid.fs_hz))
    return x, wide, np.stack(muscle)


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
