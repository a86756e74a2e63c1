"""
Connectivity in windows of a recording, as columns: between regions of the scalp, or of every pair of channels.

It needs long windows, trials rather than expressions: in a short one, even channels that have nothing to do with each other
seem connected. How much, depends on the length alone, so compare windows of one length only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError, unknown_name
from mmme.features.brain.clean import CleanEeg
from mmme.features.brain.connectivity import (
    CYCLES,
    connectivity_over_epochs,
    connectivity_over_time,
    expect_measures,
    frequency_means,
)
from mmme.features.brain.places import Measure, column_of, counting, each_once, length_reasons, nothing, reasons_of, trusted
from mmme.features.brain.regions import REGIONS
from mmme.features.brain.spectra import BANDS_HZ
from mmme.features.tables import Column
from mmme.features.windows import Occasions, Windows, either

__all__ = [
    "COUPLED_HZ",
    "CYCLES_OVER_TIME",
    "N_EPOCHS",
    "Coupling",
    "connectivity_columns",
    "connectivity_names",
    "over_windows",
]

#: Bands by default: `BANDS_HZ` without delta, which has too few cycles in an epoch of 2 s.
COUPLED_HZ: Mapping[str, tuple[float, float]] = MappingProxyType({b: hz for b, hz in BANDS_HZ.items() if b != "delta"})
#: Over epochs, a window must hold so many of them: PLV is then 0.28 by chance alone.
N_EPOCHS = 10
#: Over time, a window must hold so many cycles of the lowest frequency, which are about as good as 10 independent looks.
CYCLES_OVER_TIME = 25.0
#: Centres of neighbouring wavelets are at most this ratio apart: half of their bandwidth.
SPACING = 1.12


@dataclass(frozen=True, slots=True)
class Coupling:
    """
    How connectivity is measured in a window.

    Parameters
    ----------
    measure
        One of `mmme.features.brain.connectivity.MEASURES`; ``imcoh`` is taken without its sign.
    bands
        ``low <= f < high`` [Hz] by name.
    form
        ``"epochs"``: the window is cut into epochs, each transformed under a Hann window. ``"time"``: the whole window is
        transformed by Morlet wavelets of 7 cycles, at equal ratios within each band.
    epoch_s
        Length of an epoch [s]; what is left of the window behind the last whole one is not used.

    Raises
    ------
    ConfigError
        If the form or the measure is unknown, or the measure not for this form, or no band is named.
    """

    measure: str
    bands: Mapping[str, tuple[float, float]]
    form: Literal["epochs", "time"]
    epoch_s: float

    def __post_init__(self) -> None:
        """Check names and lengths."""
        if self.form not in ("epochs", "time"):
            raise unknown_name("form of connectivity", self.form, ["epochs", "time"])
        expect_measures([self.measure], over_time=self.form == "time")
        wrong = [name for name, (low, high) in self.bands.items() if not 0 < low < high]
        if not self.bands or wrong or not self.epoch_s > 0:
            raise ConfigError(
                f"connectivity: expected bands (low, high) with 0 < low < high and epochs longer than 0 s, got "
                f"{wrong or 'no band' if wrong or not self.bands else f'{self.epoch_s:g} s'}"
            )

    def needs(self, band: str) -> Measure:
        """Tell what a window needs for a band."""
        low, high = self.bands[band]
        needs_s = N_EPOCHS * self.epoch_s if self.form == "epochs" else CYCLES_OVER_TIME / low
        return Measure(band, f"connectivity in {band}", needs_s, high)

    def refused(self, band: str) -> str:
        """Say why no window supports a band; the empty string where one can."""
        needs_s = CYCLES / self.bands[band][0]
        if self.form == "epochs" and self.epoch_s < needs_s - 1e-6:
            return f"epoch {self.epoch_s:g} s, {band} needs {needs_s:.3g} s"
        return ""

    def matrices(self, x: NDArray[np.float32], fs_hz: float, bands: Sequence[str]) -> NDArray[np.float64]:
        """Measure one window ``(n_channels, n)``, ``(n_bands, n_channels, n_channels)``."""
        spans = {band: self.bands[band] for band in bands}
        if self.form == "time":
            centres = {band: _centres(*span) for band, span in spans.items()}
            hz = np.unique(np.concatenate(list(centres.values())))
            values = connectivity_over_time(x, fs_hz, [self.measure], hz)[self.measure]
            means = [values[np.isin(hz, centres[band])].mean(axis=0) for band in bands]
        else:
            n = round(self.epoch_s * fs_hz)
            epochs = x[:, : x.shape[1] // n * n].reshape(x.shape[0], -1, n).swapaxes(0, 1)
            low, high = min(low for low, _ in spans.values()), max(high for _, high in spans.values())
            f, found = connectivity_over_epochs(epochs, fs_hz, [self.measure], low_hz=low, high_hz=high)
            means = list(frequency_means(found[self.measure], f, spans).values())
        return np.abs(np.stack(means)) if self.measure == "imcoh" else np.stack(means)


def _centres(low_hz: float, high_hz: float) -> NDArray[np.float64]:
    """Centres of the wavelets of a band: the middles of parts of equal ratio."""
    parts = int(np.ceil(np.log(high_hz / low_hz) / np.log(SPACING) - 1e-9))
    return np.asarray(low_hz * (high_hz / low_hz) ** ((np.arange(parts) + 0.5) / parts))


def over_windows(
    clean: CleanEeg,
    windows: Windows,
    coupling: Coupling,
    reduce: Callable[[NDArray[np.float64], NDArray[np.bool_]], NDArray[np.float64]],
    width: int,
) -> tuple[NDArray[np.float64], list[NDArray[np.str_]]]:
    """
    Measure connectivity in each window, and keep what ``reduce`` makes of it.

    Parameters
    ----------
    clean, windows, coupling
        What is described, and how.
    reduce
        Called per window with matrices ``(n_bands, n_channels, n_channels)`` of the bands that the windows support, NaN for
        channels that do not count, and which channels count, ``(n_channels,)``; returns ``(n_bands, width)``.
    width
        Numbers per band.

    Returns
    -------
    values : (k, n_bands, width)
        NaN where there is none.
    reasons
        Per band ``(k,)``, why there is none.
    """
    bands = list(coupling.bands)
    k = windows.start_s.size
    values = np.full((k, len(bands), width), np.nan)
    short = length_reasons(windows, [coupling.needs(band) for band in bands], clean.fs_hz)
    short = [
        why if why.size and why[0] else np.full(k, coupling.refused(band)) for why, band in zip(short, bands, strict=True)
    ]
    where = reasons_of(clean, windows)
    reasons = [either(why, where) for why in short]
    supported = [j for j, why in enumerate(short) if k and not why[0]]
    if supported:
        n = min(windows.n_samples(clean.grid), clean.t.size)
        counts = counting(clean, windows)
        distinct, inverse = each_once(clean, windows)
        first = distinct.first_sample(clean.grid)
        for d in range(first.size):
            same = np.flatnonzero((inverse == d) & (where == ""))
            if not same.size:
                continue
            member = counts[same[0]]
            full = np.full((len(supported), member.size, member.size), np.nan)
            if member.sum() > 1:
                x = clean.x[member, first[d] : first[d] + n]
                found = coupling.matrices(x, clean.fs_hz, [bands[j] for j in supported])
                rows = np.flatnonzero(member)
                full[:, rows[:, None], rows] = found
            values[same[:, None], supported] = reduce(full, member)
    return values, reasons


def _pairs(names: Sequence[str], by: str) -> list[tuple[str, str]]:
    """Pairs of regions, each with itself as well, or of channels."""
    if by not in ("region", "pair"):
        raise unknown_name("grouping of pairs", by, ["region", "pair"], where="connectivity")
    places = list(REGIONS) if by == "region" else list(names)
    own = 0 if by == "region" else 1
    return [(a, b) for i, a in enumerate(places) for b in places[i + own :]]


def connectivity_names(
    names: Sequence[str] = (),
    *,
    measure: str = "wpli",
    bands: Mapping[str, tuple[float, float]] = COUPLED_HZ,
    by: Literal["region", "pair"] = "region",
) -> tuple[str, ...]:
    """
    Columns of `connectivity_columns`, in order; ``names`` are the channels, needed for pairs.

    Examples
    --------
    >>> connectivity_names()[:2], len(connectivity_names())
    (('eeg_wpli_theta_frontal', 'eeg_wpli_theta_frontal_central'), 60)
    >>> connectivity_names(("F3", "O1"), bands={"alpha": (8.0, 13.0)}, by="pair")
    ('eeg_wpli_alpha_F3_O1',)
    """
    return tuple(f"eeg_{measure}_{band}_{a}" + (f"_{b}" if b != a else "") for band in bands for a, b in _pairs(names, by))


def connectivity_columns(
    clean: CleanEeg,
    occasions: Occasions,
    *,
    measure: str = "wpli",
    bands: Mapping[str, tuple[float, float]] = COUPLED_HZ,
    form: Literal["epochs", "time"] = "epochs",
    epoch_s: float = 2.0,
    by: Literal["region", "pair"] = "region",
) -> dict[str, Column]:
    """
    Give the connectivity of each window, per band, within and between regions or per pair of channels.

    Computed in single precision, as the signal is kept. There is no ``_change``: the level of chance depends on the length
    of a window, and baselines are shorter. Describe other windows of the same length instead, and subtract.

    Parameters
    ----------
    clean, occasions
        A recording, and the windows to describe; baselines and events are not used.
    measure, bands, form, epoch_s
        As in `Coupling`.
    by
        Mean over the pairs within a region and between two regions, or one column per pair of channels.

    Returns
    -------
    dict
        ``eeg_<measure>_<band>_<region>`` and ``eeg_<measure>_<band>_<region>_<region>``, or
        ``eeg_<measure>_<band>_<channel>_<channel>``, in the order of `connectivity_names`. Pairs count of which both
        channels count in the window. Windows with fewer than 10 epochs, or over time with fewer than 25 cycles of a band's
        lowest frequency, are refused; so are bands with fewer than 6 cycles in an epoch.

    Raises
    ------
    ConfigError
        If a name is unknown.

    Examples
    --------
    >>> from mmme.features.quality import Verdict
    >>> x = np.random.default_rng(0).normal(size=(2, 15000)).astype(np.float32)
    >>> t, none = np.arange(15000) / 250, np.zeros(15000, dtype=bool)
    >>> quality = Verdict(0.0, np.zeros((2, 60), dtype=np.uint8), ())
    >>> clean = CleanEeg(t, x, none, 250.0, ("F3", "O1"), none[:2], {}, (), x[:, :0], quality, {})
    >>> trial = Occasions(Windows(np.array([0.0]), 60.0), None, np.array([np.nan]))
    >>> columns = connectivity_columns(clean, trial)
    >>> float(columns["eeg_wpli_alpha_frontal_occipital"][0][0].round(1))
    0.2
    >>> str(columns["eeg_wpli_alpha_frontal"][1][0])
    'fewer than 2 channels of region frontal'
    """
    coupling = Coupling(measure, bands, form, epoch_s)
    wanted = connectivity_names(clean.channels, measure=measure, bands=bands, by=by)
    if clean.refused:
        return nothing(wanted, len(occasions), clean.refused)
    pairs = _pairs(clean.channels, by)
    reduce = _region_means(clean) if by == "region" else _pair_values
    values, reasons = over_windows(clean, occasions.windows, coupling, reduce, len(pairs))
    lacking = [_why_no_pair(clean, a, b, by) for a, b in pairs]
    columns = [column_of(values[:, j, p], reasons[j], lacking[p]) for j in range(len(bands)) for p in range(len(pairs))]
    return dict(zip(wanted, columns, strict=True))


def _pair_values(matrices: NDArray[np.float64], _member: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Values of all pairs of channels, ``(n_bands, n_pairs)``."""
    i, j = np.triu_indices(matrices.shape[1], 1)
    return matrices[:, i, j]


def _region_means(clean: CleanEeg) -> Callable[[NDArray[np.float64], NDArray[np.bool_]], NDArray[np.float64]]:
    """Prepare means over the pairs within and between regions, ``(n_bands, n_pairs_of_regions)``."""
    inside = np.array([[name in members for name in clean.channels] for members in REGIONS.values()], dtype=np.float64)
    a, b = np.triu_indices(len(REGIONS))

    def means(matrices: NDArray[np.float64], _member: NDArray[np.bool_]) -> NDArray[np.float64]:
        known = np.isfinite(matrices)
        known[:, np.arange(known.shape[1]), np.arange(known.shape[1])] = False
        total = (inside @ np.where(known, matrices, 0.0) @ inside.T)[:, a, b]
        count = (inside @ known @ inside.T)[:, a, b]
        return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)

    return means


def _why_no_pair(clean: CleanEeg, a: str, b: str, by: str) -> str:
    """Say why a pair has no value in a window that is fine otherwise."""
    ok = trusted(clean)
    if by == "pair":
        out = [name for name in (a, b) if not ok[clean.channels.index(name)]]
        return f"flat or bad: {' and '.join(out)}" if out else "a channel is flat in the window, or both have no lag"
    members = {place: sum(ok[i] for i, name in enumerate(clean.channels) if name in REGIONS[place]) for place in (a, b)}
    if a == b and members[a] < 2:
        return f"fewer than 2 channels of region {a}"
    few = [place for place, count in members.items() if not count]
    return f"no channel of region {few[0]}" if few else f"flat in the window: {a}" + (f" or {b}" if a != b else "")
