"""The families of columns that describe EEG windows and events, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from mmme.features.brain.aperiodic import aperiodic_columns, aperiodic_names
from mmme.features.brain.asymmetry import (
    asymmetry_columns,
    asymmetry_names,
    frontal_asymmetry_columns,
    frontal_asymmetry_names,
)
from mmme.features.brain.band_power import (
    band_power_columns,
    band_power_names,
    differential_entropy_columns,
    differential_entropy_names,
    relative_power_columns,
    relative_power_names,
)
from mmme.features.brain.clean import CleanEeg
from mmme.features.brain.complexity import entropy_columns, entropy_names, hjorth_columns, hjorth_names
from mmme.features.brain.couplings import connectivity_columns, connectivity_names
from mmme.features.brain.evoked import evoked_columns, evoked_names
from mmme.features.brain.networks import network_columns, network_names
from mmme.features.brain.places import By, place_names
from mmme.features.brain.time_frequency import time_frequency_columns, time_frequency_names
from mmme.features.tables import Column
from mmme.features.windows import Occasions

__all__ = ["EEG_FAMILIES", "Family"]


@dataclass(frozen=True, slots=True)
class Family:
    """
    Columns that belong together.

    Parameters
    ----------
    columns
        Called with a `CleanEeg`, `Occasions` and ``by``; returns ``dict[str, Column]``.
    names
        Called with the names of the channels (needed unless ``by`` is ``"region"``) and ``by``; returns the names of those
        columns, in order, without a recording.
    coupled
        Both take the ``measure`` of connectivity in place of ``by``.
    """

    columns: Callable[..., dict[str, Column]]
    names: Callable[..., tuple[str, ...]]
    coupled: bool = False


def _frontal_columns(clean: CleanEeg, occasions: Occasions, *, by: By = "region") -> dict[str, Column]:
    """Four columns, whatever the others are grouped by."""
    place_names(by=by)
    return frontal_asymmetry_columns(clean, occasions)


def _frontal_names(names: Sequence[str] = (), *, by: By = "region") -> tuple[str, ...]:
    """Name those four."""
    place_names(names, by=by)
    return frontal_asymmetry_names()


EEG_FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "band-power": Family(band_power_columns, band_power_names),
        "relative-power": Family(relative_power_columns, relative_power_names),
        "differential-entropy": Family(differential_entropy_columns, differential_entropy_names),
        "frontal-asymmetry": Family(_frontal_columns, _frontal_names),
        "asymmetry": Family(asymmetry_columns, asymmetry_names),
        "evoked": Family(evoked_columns, evoked_names),
        "time-frequency": Family(time_frequency_columns, time_frequency_names),
        "hjorth": Family(hjorth_columns, hjorth_names),
        "entropy": Family(entropy_columns, entropy_names),
        "aperiodic": Family(aperiodic_columns, aperiodic_names),
        "connectivity": Family(connectivity_columns, connectivity_names, coupled=True),
        "networks": Family(network_columns, network_names, coupled=True),
    }
)
