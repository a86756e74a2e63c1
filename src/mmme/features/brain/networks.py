"""Networks in windows of a recording, as columns: channels are nodes, the strongest couplings are connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError
from mmme.features.brain.clean import CleanEeg
from mmme.features.brain.couplings import COUPLED_HZ, Coupling, over_windows
from mmme.features.brain.graphs import (
    clustering,
    distances,
    nodal_efficiency,
    path_length,
    small_world,
    strength,
    thresholded,
)
from mmme.features.brain.places import column_of, nothing, places
from mmme.features.brain.regions import REGIONS
from mmme.features.tables import Column
from mmme.features.windows import Occasions, either, first_reason

__all__ = ["MIN_NODES", "network_columns", "network_names"]

#: Fewer nodes make no network worth the name; a cap of 19 electrodes has enough.
MIN_NODES = 16
#: Below 0 by chance alone in half of the pairs: these are no weights of connections.
SIGNED = ("ppc", "pli2_unbiased", "wpli2_debiased")
_FEW, _NO_LAG, _SPARSE = 1, 2, 3
#: Why a window that is fine otherwise has no network.
_WHY = {
    _FEW: f"fewer than {MIN_NODES} channels for a network",
    _NO_LAG: "two channels have no lag to each other (bridged electrodes?)",
    _SPARSE: "density too low to join all channels",
}
_WHOLE = ("efficiency", "clustering", "path_length", "small_worldness")


def network_names(
    _names: Sequence[str] = (),
    *,
    measure: str = "wpli",
    bands: Mapping[str, tuple[float, float]] = COUPLED_HZ,
) -> tuple[str, ...]:
    """
    Columns of `network_columns`, in order; they do not depend on the channels.

    Examples
    --------
    >>> network_names(bands={"alpha": (8.0, 13.0)})[3:6]
    ('eeg_wpli_alpha_small_worldness', 'eeg_wpli_alpha_strength_frontal', 'eeg_wpli_alpha_strength_central')
    """
    per_region = [f"{what}_{place}" for what in ("strength", "efficiency") for place in REGIONS]
    return tuple(f"eeg_{measure}_{band}_{what}" for band in bands for what in (*_WHOLE, *per_region))


def network_columns(
    clean: CleanEeg,
    occasions: Occasions,
    *,
    measure: str = "wpli",
    bands: Mapping[str, tuple[float, float]] = COUPLED_HZ,
    form: Literal["epochs", "time"] = "epochs",
    epoch_s: float = 2.0,
    density: float = 0.2,
    n_rewired: int = 100,
    seed: int = 0,
) -> dict[str, Column]:
    """
    Give measures of the network of all channels that count, per window and band.

    The network is binary: the maximum spanning tree first, so that it is in one piece, then the strongest couplings up to
    the density. Its measures depend on the number of nodes: compare recordings with the same channels (interpolated if need
    be), and report more than one density.

    Parameters
    ----------
    clean, occasions
        A recording, and the windows to describe; baselines and events are not used.
    measure, bands, form, epoch_s
        As in `mmme.features.brain.couplings.Coupling`.
    density
        Share of all possible connections, usually 0.1 to 0.3.
    n_rewired
        Random networks of the same degrees for small-worldness.
    seed
        Of the random networks.

    Returns
    -------
    dict
        `network_names`, in order. Per band ``eeg_<measure>_<band>_`` with
        ``efficiency``, global efficiency, 0 to 1;
        ``clustering``, mean over the nodes, 0 to 1;
        ``path_length``, characteristic path length [steps];
        ``small_worldness``, sigma, see `mmme.features.brain.graphs.SmallWorld`;
        ``strength_<region>``, mean coupling of the region's channels with all others, without a threshold;
        ``efficiency_<region>``, mean nodal efficiency of the region's channels.
        Refused as in `mmme.features.brain.couplings.connectivity_columns`, and with fewer than 16 channels.

    Raises
    ------
    ConfigError
        If a name is unknown, the measure can be below 0, or the density is out of range.
    """
    if measure in SIGNED:
        raise ConfigError(
            f"network: expected a measure that is at least 0, got {measure}; use {measure.split('2')[0]} or wpli"
        )
    if not 0 < density <= 1 or n_rewired < 1:
        raise ConfigError(
            f"network: expected a density above 0, up to 1, and at least 1 random network, got {density:g} and {n_rewired}"
        )
    coupling = Coupling(measure, bands, form, epoch_s)
    wanted = network_names(measure=measure, bands=bands)
    if clean.refused:
        return nothing(wanted, len(occasions), clean.refused)
    inside = np.zeros((len(REGIONS), len(clean.channels)), dtype=bool)
    for row, members in zip(inside, places(clean.channels, by="region").values(), strict=True):
        row[members] = True
    width = len(wanted) // len(bands)

    def measured(matrices: NDArray[np.float64], member: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Measures of one window, and behind them which of `_WHY` holds."""
        values = np.full((matrices.shape[0], width + 1), np.nan)
        weights = matrices[:, member][:, :, member]
        n, whole = int(member.sum()), np.isfinite(weights).all(axis=(1, 2))
        values[:, -1] = np.where(whole, _SPARSE if round(density * n * (n - 1) / 2) < n - 1 else 0, _NO_LAG)
        if n < MIN_NODES:
            values[:, -1] = _FEW
        fine = values[:, -1] == 0
        if fine.any():
            values[fine, :-1] = _described(weights[fine], inside[:, member], density, n_rewired, seed)
        return values

    values, reasons = over_windows(clean, occasions.windows, coupling, measured, width + 1)
    lacking = ["", "", "", "every random network is in pieces", *2 * [f"no channel of region {place}" for place in REGIONS]]
    columns: list[Column] = []
    for j, why in enumerate(reasons):
        here = first_reason(why.size, *((values[:, j, -1] == code, text) for code, text in _WHY.items()))
        columns += [column_of(values[:, j, p], either(why, here), lacking[p]) for p in range(width)]
    return dict(zip(wanted, columns, strict=True))


def _described(
    weights: NDArray[np.float64], inside: NDArray[np.bool_], density: float, n_rewired: int, seed: int
) -> NDArray[np.float64]:
    """Measures of networks ``(n_bands, n, n)`` in the order of `network_names`; ``inside`` is ``(n_regions, n)``."""
    n = weights.shape[1]
    graphs = (thresholded(weights, density, connected=True) > 0).astype(np.float64)
    lengths = distances(graphs)
    efficiency = nodal_efficiency(lengths)
    sigma = small_world(graphs, n_rewired=n_rewired, seed=seed).sigma
    whole = [efficiency.mean(axis=1), clustering(graphs).mean(axis=1), path_length(lengths), sigma]
    counts = inside.sum(axis=1)
    regional = [
        np.divide(node @ inside.T, counts, out=np.full((node.shape[0], counts.size), np.nan), where=counts > 0)
        for node in (strength(weights) / (n - 1), efficiency)
    ]
    return np.concatenate([np.stack(whole, axis=1), *regional], axis=1)
