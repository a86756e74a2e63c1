"""
Left against right, and front against back: asymmetries of the rhythms.

Names are in the order of the subtraction: ``faa_F4F3`` is F4 minus F3, ``dasm_alpha_F3F4`` is F3 minus F4. The two signs
are those of the literature of each measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mmme.features.brain.band_power import WIDTHS_HZ, log_densities
from mmme.features.brain.clean import CleanEeg
from mmme.features.brain.places import By, Found, Measure, column_of, compared, mean_of, nothing, place_names, trusted
from mmme.features.brain.regions import ASYMMETRIES, FRONT_BACK, REGIONS, homologous
from mmme.features.brain.spectra import BANDS_HZ, CYCLES
from mmme.features.tables import Column
from mmme.features.windows import Occasions, Windows

__all__ = ["asymmetry_columns", "asymmetry_names", "frontal_asymmetry_columns", "frontal_asymmetry_names"]

_BANDS = [Measure(band, band, CYCLES / low, high) for band, (low, high) in BANDS_HZ.items()]
_ALPHA = list(BANDS_HZ).index("alpha")
Pairs = list[tuple[str, str]]


def frontal_asymmetry_names() -> tuple[str, ...]:
    """
    Columns of `frontal_asymmetry_columns`, in order.

    Examples
    --------
    >>> frontal_asymmetry_names()
    ('eeg_faa_F4F3', 'eeg_faa_F4F3_change', 'eeg_faa_F8F7', 'eeg_faa_F8F7_change')
    """
    return tuple(f"eeg_faa_{pair}{change}" for pair in ASYMMETRIES for change in ("", "_change"))


def frontal_asymmetry_columns(clean: CleanEeg, occasions: Occasions) -> dict[str, Column]:
    """
    Frontal alpha asymmetry, ln of the right minus ln of the left alpha power, and its change from the baseline.

    References
    ----------
    Smith et al. (2017), Assessing and conceptualizing frontal EEG asymmetry, doi:10.1016/j.ijpsycho.2016.11.005.
    """
    if clean.refused:
        return nothing(frontal_asymmetry_names(), len(occasions), clean.refused)
    ends = [i for i, name in enumerate(clean.channels) if any(name in pair for pair in ASYMMETRIES.values())]

    def alpha_of_ends(clean: CleanEeg, windows: Windows) -> NDArray[np.float64]:
        values = np.full((windows.start_s.size, len(clean.channels), 1), np.nan)
        if ends:
            values[:, ends] = log_densities(replace(clean, x=clean.x[ends]), windows)[..., [_ALPHA]]
        return values

    columns: dict[str, Column] = {}
    for found, suffix in zip(compared(clean, occasions, [_BANDS[_ALPHA]], alpha_of_ends), ("", "_change"), strict=True):
        for name, pair in ASYMMETRIES.items():
            absent = " and ".join(c for c in pair if c not in clean.channels)
            difference, counts = _differences(found, clean, [] if absent else [pair])
            values = mean_of(difference[..., 0], counts)
            columns[f"eeg_faa_{name}{suffix}"] = column_of(values, found.reasons[0], _why_no_pair(clean, [pair], absent))
    return {name: columns[name] for name in frontal_asymmetry_names()}


def asymmetry_names(names: Sequence[str] = (), *, by: By = "region") -> tuple[str, ...]:
    """
    Columns of `asymmetry_columns`, in order.

    Examples
    --------
    >>> asymmetry_names()[4:6]
    ('eeg_dasm_delta_frontal', 'eeg_dasm_delta_frontal_change')
    >>> asymmetry_names(("O1", "O2"), by="channel")[-12:-10]
    ('eeg_rasm_gamma_O1O2', 'eeg_rasm_gamma_O1O2_change')
    """
    kinds = [f"{kind}_{band}_{place}" for kind in ("dasm", "rasm") for place in _pairs(names, by) for band in BANDS_HZ]
    own = [f"eeg_{name}{change}" for name in [*kinds, *(f"dcau_{band}" for band in BANDS_HZ)] for change in ("", "_change")]
    return (*frontal_asymmetry_names(), *own)


def asymmetry_columns(clean: CleanEeg, occasions: Occasions, *, by: By = "region") -> dict[str, Column]:
    """
    Give frontal alpha asymmetry, and asymmetries of every pair of channels across the midline and along it.

    Parameters
    ----------
    clean, occasions
        A recording, and the windows to describe.
    by
        Mean over the pairs of a region, one value per pair, or both.

    Returns
    -------
    dict
        `asymmetry_names`, in order, each also as ``_change`` from the baseline:
        ``eeg_faa_*``, see `frontal_asymmetry_columns`;
        ``eeg_dasm_<band>_<place>``, differential entropy of the left minus that of the right channel [nat];
        ``eeg_rasm_<band>_<place>``, their ratio, left over right. It depends on the unit (µV²) because entropy is a
        logarithm; pairs of which one is not above 0 have none;
        ``eeg_dcau_<band>``, caudality: mean difference of frontal minus posterior channels of `FRONT_BACK` [nat].

    References
    ----------
    Zheng, Lu (2015), Investigating critical frequency bands and channels for EEG-based emotion recognition with deep neural
    networks, doi:10.1109/TAMD.2015.2431497.
    """
    names = asymmetry_names(clean.channels, by=by)
    if clean.refused:
        return nothing(names, len(occasions), clean.refused)
    now, change = compared(clean, occasions, _BANDS, log_densities)
    columns = frontal_asymmetry_columns(clean, occasions)
    for place, pairs in (_pairs(clean.channels, by) | {"": _present(clean, FRONT_BACK)}).items():
        kind, what = ("dasm", f"_{place}") if place else ("dcau", "")
        for found, suffix in ((now, ""), (change, "_change")):
            difference, counts = _differences(found, clean, pairs)
            lacking = _why_no_pair(clean, pairs, "" if pairs else f"pair of {place or 'FRONT_BACK'}")
            for j, band in enumerate(BANDS_HZ):
                mean = mean_of(0.5 * difference[..., j], counts)
                columns[f"eeg_{kind}_{band}{what}{suffix}"] = column_of(mean, found.reasons[j], lacking)
    columns |= _ratio_columns(clean, now, change, by)
    return {name: columns[name] for name in names}


def _ratio_columns(clean: CleanEeg, now: Found, change: Found, by: By) -> dict[str, Column]:
    """Ratios of differential entropies, left over right."""
    columns: dict[str, Column] = {}
    before = now.values - change.values
    for place, pairs in _pairs(clean.channels, by).items():
        lacking = _why_no_pair(clean, pairs, "" if pairs else f"pair of {place}")
        if any(_both_trusted(clean, pair) for pair in pairs):
            lacking = f"differential entropy of a side not above 0: {place}"
        ratio, ratio_0 = _ratios(now.values, clean, pairs), _ratios(before, clean, pairs)
        for values, found, suffix in ((ratio, now, ""), (ratio - ratio_0, change, "_change")):
            counts = _differences(found, clean, pairs)[1]
            for j, band in enumerate(BANDS_HZ):
                mean = mean_of(values[..., j], counts)
                columns[f"eeg_rasm_{band}_{place}{suffix}"] = column_of(mean, found.reasons[j], lacking)
    return columns


def _pairs(names: Sequence[str], by: By) -> dict[str, Pairs]:
    """Pairs ``(left, right)`` of each region, and each pair by itself."""
    pairs = homologous(names)
    found: dict[str, Pairs] = {}
    for place in place_names(by=by):
        found[place] = [pair for pair in pairs if pair[0] in REGIONS[place]]
    if by != "region":
        found |= {left + right: [(left, right)] for left, right in pairs}
    return found


def _present(clean: CleanEeg, pairs: Sequence[tuple[str, str]]) -> Pairs:
    """Pairs of which the recording has both channels."""
    return [pair for pair in pairs if all(c in clean.channels for c in pair)]


def _rows(clean: CleanEeg, pairs: Sequence[tuple[str, str]]) -> tuple[list[int], list[int]]:
    """Rows of the first and of the second channels."""
    return [clean.channels.index(a) for a, _ in pairs], [clean.channels.index(b) for _, b in pairs]


def _differences(
    found: Found, clean: CleanEeg, pairs: Sequence[tuple[str, str]]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """First minus second channel ``(k, n_pairs, n_measures)``, and which pairs count ``(k, n_pairs)``."""
    a, b = _rows(clean, pairs)
    return found.values[:, a] - found.values[:, b], found.counts[:, a] & found.counts[:, b]


def _ratios(log_density: NDArray[np.float64], clean: CleanEeg, pairs: Pairs) -> NDArray[np.float64]:
    """Left over right differential entropy ``(k, n_pairs, n_bands)``; NaN where one is not above 0."""
    entropy = 0.5 * (np.log(2 * np.pi * np.e * WIDTHS_HZ) + log_density)
    a, b = _rows(clean, pairs)
    left, right = entropy[:, a], entropy[:, b]
    return np.divide(left, right, out=np.full(left.shape, np.nan), where=(left > 0) & (right > 0))


def _both_trusted(clean: CleanEeg, pair: tuple[str, str]) -> bool:
    """Tell whether both channels count at all."""
    return bool(all(trusted(clean)[clean.channels.index(c)] for c in pair))


def _why_no_pair(clean: CleanEeg, pairs: Sequence[tuple[str, str]], absent: str) -> str:
    """Say why windows that are fine otherwise have no asymmetry."""
    if absent:
        return f"no {absent}" if absent.startswith("pair") else f"no channel {absent}"
    ends = [c for pair in pairs for c in pair]
    bad = [c for c in ends if c in clean.bad_channels and c not in clean.interpolated]
    if len(pairs) > 1:
        return f"no pair without a flat or bad channel: {pairs[0][0]} {pairs[0][1]} ..."
    return f"bad: {' and '.join(bad)}" if bad else f"flat: {' or '.join(ends)}"
