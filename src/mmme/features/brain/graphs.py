"""
Measures of networks, of many networks at once.

Every function takes symmetric matrices of weights that are not negative, ``(n_graphs, n, n)``, with 0 on the diagonal and 0
where there is no connection. A binary network is one whose weights are 1.

References
----------
Rubinov, Sporns (2010), Complex network measures of brain connectivity, doi:10.1016/j.neuroimage.2009.10.003.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import minimum_spanning_tree

from mmme.errors import ConfigError, DataError
from mmme.features.brain.rewiring import rewired

__all__ = [
    "SmallWorld",
    "clustering",
    "distances",
    "local_efficiency",
    "nodal_efficiency",
    "path_length",
    "small_world",
    "strength",
    "thresholded",
    "transitivity",
]

#: Values of one array in a block of networks: what is computed at once stays in the cache.
BLOCK = 65_536
#: Random copies that are made and measured at once.
COPIES = 800
#: Exchanges tried per connection on the way to a lattice, which is slower than that to a random network.
LATTICE_ATTEMPTS = 50.0

Graphs = NDArray[np.float64]


def _expect_graphs(weights: NDArray[Any]) -> Graphs:
    """Refuse what is not a stack of undirected networks."""
    w = np.asarray(weights, dtype=np.float64)
    if w.ndim != 3 or w.shape[1] != w.shape[2]:
        raise DataError(f"networks: expected matrices (n_graphs, n, n), got shape {w.shape}")
    if not np.isfinite(w).all() or (w < 0).any():
        raise DataError("networks: expected finite weights of at least 0, got others; leave out channels without a value")
    if not np.array_equal(w, w.swapaxes(1, 2)) or np.diagonal(w, axis1=1, axis2=2).any():
        raise DataError("networks: expected symmetric matrices with 0 on the diagonal; directed networks are not measured")
    return w


def thresholded(weights: NDArray[Any], density: float, *, connected: bool = False) -> Graphs:
    """
    Keep the strongest connections, the same number in every network.

    Parameters
    ----------
    weights : (n_graphs, n, n)
        Networks.
    density
        Share of all possible connections that is kept, above 0, up to 1; rounded to whole connections. Of equal weights,
        those of the first nodes are kept.
    connected
        Keep the strongest connections that join all nodes first (the maximum spanning tree), so that the network does not
        fall into pieces where some nodes have weak connections only.

    Returns
    -------
    (n_graphs, n, n) float64
        Weights, 0 where a connection was left out.

    Raises
    ------
    ConfigError
        If the density is out of range, or too low to join all nodes.
    DataError
        If the matrices are not networks.

    References
    ----------
    Alexander-Bloch et al. (2010), Disrupted modularity and local connectivity of brain functional networks in
    childhood-onset schizophrenia, doi:10.3389/fnsys.2010.00147 (spanning tree first).

    Examples
    --------
    >>> w = np.array([[[0, 3, 1], [3, 0, 2], [1, 2, 0.0]]])
    >>> thresholded(w, 0.67)[0].tolist()
    [[0.0, 3.0, 0.0], [3.0, 0.0, 2.0], [0.0, 2.0, 0.0]]
    """
    w = _expect_graphs(weights)
    n = w.shape[1]
    i, j = np.triu_indices(n, 1)
    kept = round(density * i.size)
    least = n - 1 if connected else 1
    if not 0 < density <= 1 or kept < least:
        raise ConfigError(
            f"density: expected a share above 0, up to 1, that keeps at least {least} of {i.size} connections, "
            f"got {density:g}"
        )
    order = w[:, i, j].copy()
    if connected:
        for row, matrix in zip(order, w, strict=True):
            row[_spanning(matrix)[i, j]] += matrix.max() + 1.0
    first = np.argsort(-order, axis=1, kind="stable")[:, :kept]
    graph = np.arange(w.shape[0])[:, None]
    result = np.zeros_like(w)
    result[graph, i[first], j[first]] = result[graph, j[first], i[first]] = w[graph, i[first], j[first]]
    return result


def _spanning(w: Graphs) -> NDArray[np.bool_]:
    """Mark the connections of the maximum spanning tree of one network, in both directions."""
    # A length of 0 is no connection to SciPy.
    tree = minimum_spanning_tree(np.where(w > 0, 1.0 + w.max() - w, 0.0)).toarray() > 0
    return np.asarray(tree | tree.T)


def strength(weights: NDArray[Any]) -> Graphs:
    """
    Add up the weights of each node, ``(n_graphs, n)``; of a binary network, its degree.

    Examples
    --------
    >>> strength(np.array([[[0, 3, 1], [3, 0, 2], [1, 2, 0.0]]])).tolist()
    [[4.0, 5.0, 3.0]]
    """
    return np.asarray(_expect_graphs(weights).sum(axis=2))


def clustering(weights: NDArray[Any]) -> Graphs:
    """
    Share of the pairs of a node's neighbours that are connected, ``(n_graphs, n)``, each triangle by its intensity.

    The intensity of a triangle is the cube root of the product of its weights, each divided by the largest weight of the
    network; in a binary network all are 1. Nodes with fewer than two neighbours have 0, as in networkx.

    References
    ----------
    Onnela et al. (2005), Intensity and coherence of motifs in weighted complex networks, doi:10.1103/PhysRevE.71.065103.

    Examples
    --------
    >>> clustering(np.array([[[0, 1, 1, 1], [1, 0, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0.0]]])).round(3).tolist()
    [[0.333, 1.0, 1.0, 0.0]]
    """
    w = _expect_graphs(weights)
    largest = w.max(axis=(1, 2), keepdims=True, initial=0.0)
    root = np.cbrt(np.divide(w, largest, out=np.zeros_like(w), where=largest > 0))
    degree = (w > 0).sum(axis=2)
    triangles = np.matmul(root, root)
    triangles *= root
    possible = degree * (degree - 1.0)
    return np.divide(triangles.sum(axis=2), possible, out=np.zeros(possible.shape), where=possible > 0)


def transitivity(weights: NDArray[Any]) -> Graphs:
    """
    Share of all pairs of neighbours that are connected, ``(n_graphs,)``, of the network as a whole, without weights.

    Examples
    --------
    >>> transitivity(np.array([[[0, 1, 1, 1], [1, 0, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0.0]]])).tolist()
    [0.6]
    """
    return _transitivity(_expect_graphs(weights) > 0)


def _transitivity(adjacency: NDArray[np.bool_]) -> Graphs:
    """Transitivity of binary networks."""
    a = adjacency.astype(np.float32)
    degree = a.sum(axis=2, dtype=np.float64)
    possible = (degree * (degree - 1.0)).sum(axis=1)
    closed = np.matmul(a, a)
    closed *= a
    return np.divide(closed.sum(axis=(1, 2), dtype=np.float64), possible, out=np.zeros(possible.shape), where=possible > 0)


def distances(weights: NDArray[Any]) -> Graphs:
    """
    Lengths of the shortest paths between all nodes, ``(n_graphs, n, n)``; infinite where there is none.

    A connection has the length 1 / weight: what is strongly connected is near. In a binary network, paths are counted in
    steps.

    Examples
    --------
    >>> distances(np.array([[[0, 2, 0], [2, 0, 0.5], [0, 0.5, 0]]]))[0].tolist()
    [[0.0, 0.5, 2.5], [0.5, 0.0, 2.0], [2.5, 2.0, 0.0]]
    """
    return _paths(_expect_graphs(weights))


def _lengths(w: Graphs) -> Graphs:
    """Shortest paths by way of one more node at a time (Floyd, Warshall)."""
    n = w.shape[1]
    d = np.divide(1.0, w, out=np.full(w.shape, np.inf), where=w > 0)
    d[:, np.arange(n), np.arange(n)] = 0.0
    by_way = np.empty_like(d)
    for k in range(n):
        np.add(d[:, :, k, None], d[:, k, None, :], out=by_way)
        np.minimum(d, by_way, out=d)
    return d


def _steps(adjacency: NDArray[np.bool_]) -> Graphs:
    """Count the steps between all nodes: one for every number of steps that does not reach."""
    n_graphs, n = adjacency.shape[:2]
    near = np.zeros((n_graphs, n, -(-n // 64) * 64), dtype=bool)
    near[:, :, :n] = adjacency | np.eye(n, dtype=bool)
    # The nodes that a node reaches are bits, 64 in a word: what its neighbours reach is a bitwise or of their words.
    reached = np.packbits(near, axis=2, bitorder="little").view(np.uint64)
    masks = np.where(near[:, :, :n], ~np.uint64(0), np.uint64(0))
    d = np.zeros(near.shape, dtype=np.uint16)
    theirs = np.empty_like(masks)
    before, everything = 0, n_graphs * n * n
    while True:
        known = np.unpackbits(reached.view(np.uint8), axis=2, bitorder="little").view(np.bool_)
        count = int(np.count_nonzero(known))
        if count in (before, everything):
            break
        d += ~known
        before = count
        further = np.empty_like(reached)
        for word in range(reached.shape[2]):
            np.bitwise_and(masks, reached[:, :, word, None], out=theirs)
            np.bitwise_or.reduce(theirs, axis=1, out=further[:, :, word])
        reached = further
    steps = d[:, :, :n].astype(np.float64)
    steps += 1.0
    if count < everything:
        steps[~known[:, :, :n]] = np.inf
    steps[:, np.arange(n), np.arange(n)] = 0.0
    return steps


def _paths(w: Graphs) -> Graphs:
    """Measure distances block by block, in steps where all weights are 1."""
    blocks = max(1, BLOCK // max(1, w.shape[1] ** 2))
    binary = bool(np.all((w == 0) | (w == 1)))
    found = np.empty_like(w)
    for a in range(0, w.shape[0], blocks):
        part = w[a : a + blocks]
        found[a : a + blocks] = _steps(part > 0) if binary else _lengths(part)
    return found


def nodal_efficiency(lengths: Graphs) -> Graphs:
    """
    Mean of 1 / distance from each node to all others, ``(n_graphs, n)``; its mean over the nodes is the global efficiency.

    Parameters
    ----------
    lengths : (n_graphs, n, n)
        From `distances`. What cannot be reached counts as 0.

    References
    ----------
    Latora, Marchiori (2001), Efficient behavior of small-world networks, doi:10.1103/PhysRevLett.87.198701.

    Examples
    --------
    >>> nodal_efficiency(distances(np.array([[[0, 1, 0], [1, 0, 1], [0, 1, 0.0]]]))).tolist()
    [[0.75, 1.0, 0.75]]
    """
    n = lengths.shape[1]
    return np.asarray(_nearness(lengths).sum(axis=2) / max(1, n - 1))


def _nearness(lengths: Graphs) -> Graphs:
    """Take 1 / distance, 0 of a node to itself."""
    own = np.arange(lengths.shape[1])
    with np.errstate(divide="ignore"):
        near = 1.0 / lengths
    near[:, own, own] = 0.0
    return np.asarray(near)


def path_length(lengths: Graphs) -> Graphs:
    """
    Mean distance over all pairs of nodes, ``(n_graphs,)``; NaN for a network in pieces.

    Examples
    --------
    >>> path_length(distances(np.array([[[0, 1, 0], [1, 0, 1], [0, 1, 0.0]], np.zeros((3, 3))]))).round(3).tolist()
    [1.333, nan]
    """
    n = lengths.shape[1]
    total = lengths.sum(axis=(1, 2))
    return np.where(np.isfinite(total), total, np.nan) / max(1, n * (n - 1))


def local_efficiency(weights: NDArray[Any]) -> Graphs:
    """
    Global efficiency of the network among the neighbours of each node, ``(n_graphs, n)``; 0 with fewer than two.

    Of a binary network the mean over the nodes is `networkx.local_efficiency`. With weights, the paths among the neighbours
    go by 1 / weight; the weights towards the node itself take no part.

    Examples
    --------
    >>> local_efficiency(np.array([[[0, 1, 1, 1], [1, 0, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0.0]]])).round(3).tolist()
    [[0.333, 1.0, 1.0, 0.0]]
    """
    w = _expect_graphs(weights)
    found = np.zeros(w.shape[:2])
    for efficiency, matrix in zip(found, w, strict=True):
        # Neighbourhoods are filled up to the size of the largest with nodes that are connected to nothing.
        degree = np.count_nonzero(matrix, axis=1)
        members = np.argsort(matrix == 0, axis=1, kind="stable")[:, : int(degree.max(initial=0))]
        inside = np.arange(members.shape[1]) < degree[:, None]
        part = matrix[members[:, :, None], members[:, None, :]] * (inside[:, :, None] & inside[:, None, :])
        total = _nearness(_paths(part)).sum(axis=(1, 2))
        np.divide(total, degree * (degree - 1.0), out=efficiency, where=degree > 1)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class SmallWorld:
    """
    How networks compare with random ones of the same degrees.

    Parameters
    ----------
    sigma : (n_graphs,)
        ``(C / C_random) / (L / L_random)``, of the transitivity C and the path length L; above 1 in a small world.
    omega : (n_graphs,)
        ``L_random / L - C / C_lattice``, C the mean clustering; near 0 in a small world, towards 1 in a random network,
        towards -1 in a lattice. NaN where no lattices were asked for.
    n_random : (n_graphs,)
        Random networks in the means: those that are not in pieces.
    """

    sigma: Graphs
    omega: Graphs
    n_random: NDArray[np.int64]


def small_world(weights: NDArray[Any], *, n_rewired: int = 100, seed: int = 0, lattices: int = 0) -> SmallWorld:
    """
    Compare networks, without their weights, with random networks in which every node keeps its degree.

    Parameters
    ----------
    weights : (n_graphs, n, n)
        Networks; what matters is which connections exist.
    n_rewired
        Random networks for each. Those in pieces have no path length and are left out.
    seed
        Of the random networks.
    lattices
        Lattices for each, for `SmallWorld.omega`; 0 for none.

    Returns
    -------
    SmallWorld
        NaN for a network in pieces, and where all random networks are.

    References
    ----------
    Humphries, Gurney (2008), Network 'small-world-ness', doi:10.1371/journal.pone.0002051. Telesford et al. (2011), The
    ubiquity of small-world networks, doi:10.1089/brain.2011.0038 (omega).

    Examples
    --------
    >>> ring = sum(np.roll(np.eye(40), k, axis=1) + np.roll(np.eye(40), -k, axis=1) for k in (1, 2, 3))
    >>> bool(small_world(ring[None]).sigma[0] > 1.5)
    True
    """
    adjacency = _expect_graphs(weights) > 0
    rng = np.random.default_rng(seed)
    n_graphs = adjacency.shape[0]
    reference = np.full((3, n_graphs), np.nan)
    counts = np.zeros(n_graphs, dtype=np.int64)
    step = max(1, COPIES // max(1, n_rewired))
    for a in range(0, n_graphs, step):
        some = slice(a, min(a + step, n_graphs))
        copies = rewired(adjacency[some], n_rewired, rng=rng)
        flat = copies.reshape(-1, *copies.shape[2:])
        c, length = (v.reshape(-1, n_rewired) for v in (_transitivity(flat), path_length(distances(flat))))
        whole = np.isfinite(length)
        counts[some] = whole.sum(axis=1)
        for row, values in zip(reference, (c, length), strict=False):
            np.divide(np.where(whole, values, 0.0).sum(axis=1), counts[some], out=row[some], where=counts[some] > 0)
        if lattices:
            copies = rewired(adjacency[some], lattices, rng=rng, attempts=LATTICE_ATTEMPTS, lattice=True)
            ordered = clustering(copies.reshape(-1, *copies.shape[2:])).reshape(-1, lattices, copies.shape[2])
            reference[2, some] = ordered.mean(axis=(1, 2))
    length = path_length(distances(adjacency))
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma = (_transitivity(adjacency) / reference[0]) / (length / reference[1])
        omega = reference[1] / length - clustering(adjacency).mean(axis=1) / reference[2]
    return SmallWorld(np.where(np.isfinite(sigma), sigma, np.nan), omega, counts)
