"""Channels replaced from their neighbours by spherical splines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["electrode_places", "interpolated"]


def electrode_places(names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """
    Places of electrodes on MNE's template head [m], of those that it knows.

    Examples
    --------
    >>> sorted(electrode_places(("Fz", "CB1")))
    ['Fz']
    """
    import mne

    name = "standard_1020" if "standard_1020" in mne.channels.get_builtin_montages() else "colin27_1020"
    known = mne.channels.make_standard_montage(name).get_positions()["ch_pos"]
    places = {key.upper(): place for key, place in known.items()}
    return {name: places[name.upper()] for name in names if name.upper() in places}


def interpolated(
    x: NDArray[np.float32], names: Sequence[str], trusted: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], tuple[str, ...], str]:
    """
    Replace channels that are not trusted by spherical splines through the others.

    Parameters
    ----------
    x : (n_channels, n)
        Signals.
    names
        Of the channels.
    trusted : (n_channels,) bool
        False for those to be replaced.

    Returns
    -------
    x : (n_channels, n) float32
        With replaced channels where that was possible.
    replaced
        Their names.
    text
        What was done, and what could not be.

    References
    ----------
    Perrin et al. (1989), Spherical splines for scalp potential, doi:10.1016/0013-4694(89)90180-6.
    """
    places = electrode_places(names)
    wanted = [i for i, name in enumerate(names) if not trusted[i] and name in places]
    sources = [i for i, name in enumerate(names) if trusted[i] and name in places]
    placeless = [name for i, name in enumerate(names) if not trusted[i] and name not in places]
    about = f"; without a place on the template head: {' '.join(placeless)}" if placeless else ""
    if not wanted or len(sources) < 4:
        why = "none" if not wanted else "none: fewer than 4 channels to interpolate from"
        return x, (), why + about
    weights = _weights([names[i] for i in sources], [names[i] for i in wanted], places)
    x = x.copy()
    x[wanted] = weights.astype(np.float32) @ x[sources]
    replaced = tuple(names[i] for i in wanted)
    return x, replaced, " ".join(replaced) + about


def _weights(sources: Sequence[str], wanted: Sequence[str], places: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the matrix of MNE's interpolation, ``(n_wanted, n_sources)``: being linear, what it makes of unit vectors."""
    import mne

    order = [*sources, *wanted]
    info = mne.create_info(order, 100.0, "eeg")
    unit = np.zeros((len(order), len(sources)))
    unit[: len(sources)] = np.eye(len(sources))
    evoked: Any = mne.EvokedArray(unit, info, verbose="ERROR")
    evoked.set_montage(mne.channels.make_dig_montage({n: places[n] for n in order}, coord_frame="head"), verbose="ERROR")
    evoked.info["bads"] = list(wanted)
    evoked.interpolate_bads(reset_bads=True, verbose="ERROR")
    return np.asarray(evoked.data[len(sources) :])
