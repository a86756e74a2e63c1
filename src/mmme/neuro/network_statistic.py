"""The network-based statistic: which connected set of links differs, all permutations at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats
from scipy.sparse.csgraph import connected_components

from mmme.errors import DataError
from mmme.neuro.families import TIE, flipped_t, sign_flips

__all__ = ["LinkedNodes", "NetworkTest", "network_based_statistic"]

#: Permutations whose links make one graph.
BLOCK = 200
LEAST_SUBJECTS = 6


@dataclass(frozen=True, slots=True)
class LinkedNodes:
    """
    A connected set of links that differ in one direction.

    Parameters
    ----------
    sign
        1 where the first condition is larger, else -1.
    p
        Against the largest set of each permutation, over both directions.
    links
        Pairs of node positions.
    excess
        Sum of |t| beyond the threshold.
    """

    sign: int
    p: float
    links: tuple[tuple[int, int], ...]
    excess: float


@dataclass(frozen=True, slots=True, eq=False)
class NetworkTest:
    """
    All links of a network tested at once.

    Parameters
    ----------
    t : (n_nodes, n_nodes)
        Of the mean difference against 0; 0 on the diagonal.
    components
        Largest first.
    observed
        Excess of the largest; 0 where no link exceeds the threshold.
    null : (n_permutations,)
        Excess of the largest under each permutation.
    forming_t
        |t| that a link must exceed.
    """

    t: NDArray[np.float64]
    components: tuple[LinkedNodes, ...]
    observed: float
    null: NDArray[np.float64]
    forming_t: float


def network_based_statistic(
    differences: NDArray[Any], *, forming_p: float = 0.01, n_permutations: int = 1000, seed: int = 0
) -> NetworkTest:
    """
    Find connected sets of links that differ between paired conditions.

    Permutations are vectorised: the t of all links under all sign flips is one matrix product, since squares do not change
    their sum, and components of many permutations are found in one graph of unconnected copies.

    Parameters
    ----------
    differences : (n_subjects, n_nodes, n_nodes)
        Symmetric; one condition minus the other.
    forming_p
        Two-sided p of a link that may belong to a set.
    n_permutations
        Sign flips of subjects.
    seed
        Of the flips.

    Raises
    ------
    DataError
        With fewer than six subjects, matrices that are not symmetric, or values that are not finite.

    References
    ----------
    Zalesky, Fornito, Bullmore (2010), Network-based statistic: identifying differences in brain networks,
    doi:10.1016/j.neuroimage.2010.06.041 (with the excess, there called intensity, as a set's size).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(14, 10, 10))
    >>> x[:, 0, 1:4] += 2.0
    >>> x = np.triu(x, 1) + np.triu(x, 1).swapaxes(1, 2)
    >>> found = network_based_statistic(x, n_permutations=500)
    >>> found.components[0].p < 0.05, {0, 1, 2, 3} <= set(sum(found.components[0].links, ()))
    (True, True)
    """
    x = np.asarray(differences, dtype=np.float64)
    if x.ndim != 3 or x.shape[1] != x.shape[2] or x.shape[0] < LEAST_SUBJECTS:
        raise DataError(
            f"network-based statistic: expected at least {LEAST_SUBJECTS} subjects (n_subjects, n, n), got shape {x.shape}"
        )
    if not np.isfinite(x).all() or not np.allclose(x, x.swapaxes(1, 2)):
        raise DataError(
            "network-based statistic: expected finite, symmetric differences; leave out channels without a value"
        )
    n_subjects, n_nodes = x.shape[0], x.shape[1]
    i, j = np.triu_indices(n_nodes, 1)
    links = x[:, i, j]
    forming_t = float(stats.t.isf(forming_p / 2, n_subjects - 1))
    t = flipped_t(links, np.ones((1, n_subjects)))
    sizes, members = _components(t, i, j, n_nodes, forming_t)
    flips = sign_flips(n_subjects, n_permutations, seed=seed)
    null = np.empty(len(flips))
    for first in range(0, len(flips), BLOCK):
        part = flipped_t(links, flips[first : first + BLOCK])
        null[first : first + part.shape[0]] = _largest(part, i, j, n_nodes, forming_t)
    components = []
    for (sign, label), excess in sorted(sizes.items(), key=lambda item: -item[1]):
        own = members[sign] == label
        p = float((1 + np.count_nonzero(null >= excess * (1 - TIE))) / (1 + null.size))
        components.append(LinkedNodes(sign, p, tuple(zip(i[own].tolist(), j[own].tolist(), strict=True)), excess))
    matrix = np.zeros((n_nodes, n_nodes))
    matrix[i, j] = matrix[j, i] = t[0]
    return NetworkTest(matrix, tuple(components), max(sizes.values(), default=0.0), null, forming_t)


def _graph(
    over: NDArray[np.bool_], i: NDArray[np.intp], j: NDArray[np.intp], n_nodes: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int32]]:
    """Links beyond the threshold of all rows as one graph: their rows, their positions, and the component of each."""
    row, link = np.nonzero(over)
    n = over.shape[0] * n_nodes
    ends = row * n_nodes + i[link], row * n_nodes + j[link]
    graph = sparse.coo_array((np.ones(row.size, dtype=np.int8), ends), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    return row, link, label[ends[0]]


def _largest(
    t: NDArray[np.float64], i: NDArray[np.intp], j: NDArray[np.intp], n_nodes: int, forming_t: float
) -> NDArray[np.float64]:
    """Excess of the largest component of each row, over both directions."""
    largest = np.zeros(t.shape[0])
    for signed in (t, -t):
        row, link, label = _graph(signed > forming_t, i, j, n_nodes)
        if not row.size:
            continue
        excess = np.bincount(label, weights=signed[row, link] - forming_t)
        np.maximum.at(largest, row, excess[label])
    return largest


def _components(
    t: NDArray[np.float64], i: NDArray[np.intp], j: NDArray[np.intp], n_nodes: int, forming_t: float
) -> tuple[dict[tuple[int, int], float], dict[int, NDArray[np.int64]]]:
    """Excess of each component by direction and label, and the label of each link (-1: below the threshold)."""
    sizes: dict[tuple[int, int], float] = {}
    members: dict[int, NDArray[np.int64]] = {}
    for sign in (1, -1):
        signed = sign * t
        row, link, label = _graph(signed > forming_t, i, j, n_nodes)
        members[sign] = np.full(t.shape[1], -1, dtype=np.int64)
        members[sign][link] = label
        for one in np.unique(label):
            sizes[sign, int(one)] = float((signed[row, link] - forming_t)[label == one].sum())
    return sizes, members
