"""Functional networks of expressions and neutral moments, band by band, and what graphs they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.features.brain.clean import CleanEeg
from mmme.features.brain.connectivity import connectivity_over_epochs, frequency_means
from mmme.features.brain.epochs import event_samples
from mmme.features.brain.graphs import clustering, distances, nodal_efficiency, small_world, strength, thresholded

__all__ = ["GRAPH_MEASURES", "LEAST_EVENTS", "NETWORK_BANDS_HZ", "condition_networks", "graph_measures"]

#: ``[low, high)`` [Hz]; a piece of 1.5 s has six cycles of the lowest.
NETWORK_BANDS_HZ: Mapping[str, tuple[float, float]] = {
    "theta": (4.0, 8.0),
    "alpha": (8.0, 13.0),
    "beta": (13.0, 30.0),
    "gamma": (30.0, 45.0),
}
GRAPH_MEASURES = ("strength", "global efficiency", "clustering", "small-world sigma")
#: From fewer epochs, phases say nothing.
LEAST_EVENTS = 5
#: Six cycles of the lowest frequency.
LENGTH_S = 1.5


def condition_networks(
    clean: CleanEeg, pairs: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, measure: str = "wpli"
) -> tuple[dict[str, dict[str, NDArray[np.float64]]], dict[str, int], tuple[str, ...]]:
    """
    Measure connectivity in the 1.5 s after onsets and after the onsets of their neutral moments.

    Measures of phase depend on how many epochs they are taken from, so both sides of a kind have the same number: a pair
    counts only where both of its epochs are whole.

    Parameters
    ----------
    clean
        A cleaned recording.
    pairs
        By kind: onsets of the expressions and of their neutral moments [s], in the same order.
    measure
        From `mmme.features.brain.connectivity.MEASURES`; of signed ones (``imcoh``) the modulus is taken.

    Returns
    -------
    networks
        By band, then by condition (``micro``, ``neutral-micro`` and so on): ``(n_channels, n_channels)``. A kind with fewer
        than `LEAST_EVENTS` pairs is absent.
    counts
        Pairs used, by kind.
    channels
        Rows: those that are not flat.
    """
    n = round(LENGTH_S * clean.fs_hz)
    rows = np.flatnonzero(~clean.flat)
    networks: dict[str, dict[str, NDArray[np.float64]]] = {band: {} for band in NETWORK_BANDS_HZ}
    counts = {}
    low = min(edges[0] for edges in NETWORK_BANDS_HZ.values())
    high = max(edges[1] for edges in NETWORK_BANDS_HZ.values())
    for kind, (shown_s, neutral_s) in pairs.items():
        both = [event_samples(clean, np.asarray(times, dtype=np.float64)) for times in (shown_s, neutral_s)]
        whole = np.ones(len(shown_s), dtype=bool)
        for at in both:
            inside = (at >= 0) & (at + n <= clean.t.size)
            spoiled = [bool(clean.bad[a : a + n].any()) for a in np.maximum(at, 0)]
            whole &= inside & ~np.array(spoiled, dtype=bool)
        counts[kind] = int(whole.sum())
        if counts[kind] < LEAST_EVENTS:
            continue
        for condition, at in zip((kind, f"neutral-{kind}"), both, strict=True):
            x = np.stack([clean.x[rows, a : a + n] for a in at[whole]])
            f, values = connectivity_over_epochs(x, clean.fs_hz, [measure], low_hz=low, high_hz=high)
            for band, mean in frequency_means(np.abs(values[measure]), f, NETWORK_BANDS_HZ).items():
                networks[band][condition] = mean
    return networks, counts, tuple(clean.channels[i] for i in rows)


def graph_measures(
    networks: NDArray[Any], *, density: float = 0.2, n_rewired: int = 20, seed: int = 0
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float64]]:
    """
    Describe networks as graphs.

    Parameters
    ----------
    networks : (n_graphs, n, n)
        Connectivity, at least 0.
    density
        Share of links kept, the strongest, joined by the maximum spanning tree. Strength is taken before.
    n_rewired, seed
        Random networks behind each small-world sigma.

    Returns
    -------
    measures
        By name of `GRAPH_MEASURES`, ``(n_graphs,)``. Efficiency and clustering are of the links' weights over their mean,
        so that they tell how links lie, and strength tells how strong they are.
    nodal : (n_graphs, n)
        Nodal efficiency.

    References
    ----------
    Rubinov, Sporns (2010), doi:10.1016/j.neuroimage.2009.10.003. Humphries, Gurney (2008),
    doi:10.1371/journal.pone.0002051 (sigma).

    Examples
    --------
    >>> x = np.abs(np.random.default_rng(0).normal(size=(2, 12, 12)))
    >>> x = np.triu(x, 1) + np.triu(x, 1).swapaxes(1, 2)
    >>> measures, nodal = graph_measures(x, density=0.4)
    >>> sorted(measures), nodal.shape
    (['clustering', 'global efficiency', 'small-world sigma', 'strength'], (2, 12))
    """
    kept = thresholded(networks, density, connected=True)
    links = (kept > 0).sum(axis=(1, 2), keepdims=True)
    even = kept / (kept.sum(axis=(1, 2), keepdims=True) / np.maximum(links, 1))
    nodal = nodal_efficiency(distances(even))
    world = small_world((kept > 0).astype(np.float64), n_rewired=n_rewired, seed=seed)
    return {
        "strength": strength(networks).mean(axis=1) / max(1, networks.shape[1] - 1),
        "global efficiency": nodal.mean(axis=1),
        "clustering": clustering(even).mean(axis=1),
        "small-world sigma": world.sigma,
    }, nodal
