"""
Random networks with the degrees of given ones: what clustering and paths are compared with.

Two connections are drawn and exchange their ends, unless that makes a loop or a connection that exists (Maslov, Sneppen).
One exchange is tried in every copy at once, so that a thousand copies cost little more than one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ATTEMPTS", "rewired"]

#: Exchanges tried per connection: at the densities used here each connection is moved about six times.
ATTEMPTS = 5.0
#: Draws of random numbers made at once, for all copies.
DRAWS = 256


def rewired(
    adjacency: NDArray[np.bool_],
    copies: int,
    *,
    rng: np.random.Generator,
    attempts: float = ATTEMPTS,
    lattice: bool = False,
) -> NDArray[np.bool_]:
    """
    Make random copies of networks, in which every node keeps its number of connections.

    Parameters
    ----------
    adjacency : (n_graphs, n, n) bool
        Undirected networks without loops.
    copies
        Of each network.
    rng
        Source of randomness.
    attempts
        Exchanges tried per connection.
    lattice
        Accept only exchanges that do not move connections away from the diagonal (of a ring in the order of the nodes): the
        copies become lattices instead of random networks, which takes more attempts, 50 or so.

    Returns
    -------
    (n_graphs, copies, n, n) bool
        After enough attempts, every network with these degrees is equally likely (unless ``lattice``).

    References
    ----------
    Maslov, Sneppen (2002), Specificity and stability in topology of protein networks, doi:10.1126/science.1065103.

    Examples
    --------
    >>> ring = np.roll(np.eye(8, dtype=bool), 1, axis=1)
    >>> copies = rewired((ring | ring.T)[None], 3, rng=np.random.default_rng(0))
    >>> copies.shape, np.unique(copies.sum(axis=3)).tolist()
    ((1, 3, 8, 8), [2])
    """
    n_graphs, n, _ = adjacency.shape
    # A connection is one number, both ends in bits of their own; the same number is its place in the padded matrix.
    bits = max(1, (n - 1).bit_length())
    width = 1 << bits
    edges, n_edges = _edges(adjacency, bits)
    total = n_graphs * copies
    edges, n_edges = np.repeat(edges, copies, axis=0), np.repeat(n_edges, copies)
    exists = np.zeros((total, width, width), dtype=bool)
    exists[:, :n, :n] = np.repeat(adjacency, copies, axis=0)
    exists[:, np.arange(n), np.arange(n)] = True  # a loop counts as a connection that exists
    apart = _ring_distances(n, width) if lattice else None
    if edges.shape[1] > 1:
        _exchange(exists, edges, n_edges, bits, round(attempts * int(n_edges.max())), rng, apart)
    exists[:, np.arange(n), np.arange(n)] = False
    return exists[:, :n, :n].reshape(n_graphs, copies, n, n)


def _edges(adjacency: NDArray[np.bool_], bits: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """List connections ``(n_graphs, most)`` as numbers, and how many each network has; the rest is filled with 0."""
    upper = np.triu(adjacency, 1)
    n_edges = upper.sum(axis=(1, 2))
    edges = np.zeros((adjacency.shape[0], int(n_edges.max(initial=0))), dtype=np.int64)
    for row, network in zip(edges, upper, strict=True):
        i, j = np.nonzero(network)
        row[: i.size] = (i << bits) | j
    return edges, n_edges


def _ring_distances(n: int, width: int) -> NDArray[np.int64]:
    """Distance of both ends of every connection on a ring of ``n`` nodes, by its number."""
    apart = np.abs(np.subtract.outer(np.arange(width), np.arange(width)))
    return np.asarray(np.minimum(apart, n - apart).ravel())


def _exchange(
    exists: NDArray[np.bool_],
    edges: NDArray[np.int64],
    n_edges: NDArray[np.int64],
    bits: int,
    attempts: int,
    rng: np.random.Generator,
    apart: NDArray[np.int64] | None,
) -> None:
    """Try exchanges in all networks, in place."""
    total, most = edges.shape
    mask = (1 << bits) - 1
    flat, matrix = edges.ravel(), exists.ravel()
    row, base = np.arange(total) * most, np.arange(total) << (2 * bits)
    for start in range(0, attempts, DRAWS):
        draws = rng.integers(0, 1 << 32, size=(min(DRAWS, attempts - start), 2, total), dtype=np.uint32)
        places = ((draws.astype(np.uint64) * n_edges.astype(np.uint64)) >> np.uint64(32)).astype(np.int64) + row
        # The lowest bit hardly takes part in the choice of the connection; it turns the second one round.
        turns = -(draws[:, 1] & 1).astype(np.int64)
        for (p, q), turn in zip(places, turns, strict=True):
            one, two = flat[p], flat[q]
            c, d = two >> bits, two & mask
            swap = (c ^ d) & turn
            c ^= swap
            d ^= swap
            first, second = (one & ~mask) | d, (c << bits) | (one & mask)  # a - b, c - d become a - d, c - b
            fine = ~(matrix[base + first] | matrix[base + second])
            if apart is not None:
                fine &= apart[first] + apart[second] <= apart[one] + apart[two]
            ok = np.flatnonzero(fine)
            place = base[ok]
            for ends, value in ((one, False), (two, False), (first, True), (second, True)):
                moved = ends[ok]
                matrix[place + moved] = value
                matrix[place + (((moved & mask) << bits) | (moved >> bits))] = value
            flat[p[ok]], flat[q[ok]] = first[ok], second[ok]
