"""
Time of measures of networks of 64 nodes, against networkx.

Prints the table of docs/connectivity.md and exits with 1 where efficiency or clustering with weights is less than 30 times
as fast, without weights less than 12 times, or numbers differ. Median CPU time per network, by turns, one BLAS thread; mmme
measures 48 networks at once.
"""

from __future__ import annotations

import os

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import sys
import time

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from mmme.features.brain.graphs import (
    clustering,
    distances,
    local_efficiency,
    nodal_efficiency,
    small_world,
    thresholded,
)
from mmme.features.brain.rewiring import rewired

N_GRAPHS, N, DENSITY = 48, 64, 0.2
BOUND = 30.0
#: networkx counts steps well; what it does with weights, and with triangles, is slower.
BOUND_STEPS = 12.0


def matrices() -> NDArray[np.float64]:
    """Networks with clusters, as connectivity has them."""
    place = np.random.default_rng(0).normal(size=(N_GRAPHS, N, 3))
    near = 1 / (0.3 + np.linalg.norm(place[:, :, None] - place[:, None], axis=3))
    near[:, np.arange(N), np.arange(N)] = 0
    return (near + near.swapaxes(1, 2)) / 2


def weighted_efficiency(g: nx.Graph) -> float:
    total = 0.0
    for node, row in nx.all_pairs_dijkstra_path_length(g, weight="length"):
        total += sum(1 / d for other, d in row.items() if other != node)
    return total / (N * (N - 1))


def timed(way, *arguments) -> tuple[float, object]:
    started = time.process_time()
    values = way(*arguments)
    return time.process_time() - started, values


def efficiency(w: NDArray[np.float64]) -> NDArray[np.float64]:
    return nodal_efficiency(distances(w)).mean(axis=1)


def main(rounds: int = 5) -> int:
    full = matrices()
    kept = thresholded(full, DENSITY, connected=True)
    binary = (kept > 0).astype(float)
    # name, ours, theirs, networks, bound
    rows = [
        ("global efficiency, binary", efficiency, nx.global_efficiency, binary, BOUND_STEPS),
        ("global efficiency, weights, all pairs", efficiency, weighted_efficiency, full, BOUND),
        ("clustering, binary", lambda w: clustering(w).mean(axis=1), nx.average_clustering, binary, BOUND_STEPS),
        ("clustering, weights, all pairs", lambda w: clustering(w).mean(axis=1),
         lambda g: nx.average_clustering(g, weight="weight"), full, BOUND),
        ("local efficiency, binary", lambda w: local_efficiency(w).mean(axis=1), nx.local_efficiency, binary, BOUND_STEPS),
    ]  # fmt: skip
    missed = False
    print("| measure | networkx | mmme | ratio | largest difference |\n|---|---|---|---|---|")
    for name, ours, theirs, w, bound in rows:
        graphs = [nx.from_numpy_array(m) for m in w[:rounds]]
        for g in graphs:
            for _, _, data in g.edges(data=True):
                data["length"] = 1 / data["weight"]
        took, worst = [], 0.0
        ours(w)
        for k, g in enumerate(graphs):
            t0, expected = timed(theirs, g)
            t1, found = timed(ours, w)
            took.append((t0, t1 / N_GRAPHS))
            worst = max(worst, abs(found[k] - expected))
        t0, t1 = np.median(took, axis=0)
        print(f"| {name} | {1e3 * t0:.1f} ms | {1e3 * t1:.2f} ms | {t0 / t1:.0f} | {worst:.0e} |", flush=True)
        missed |= bool(t0 / t1 < bound or worst > 1e-9)

    took = []
    for k in range(3):
        g = nx.from_numpy_array(binary[k])
        t0, _ = timed(lambda g=g, k=k: nx.random_reference(g, niter=5, connectivity=False, seed=k))
        t1, _ = timed(lambda k=k: rewired(binary[:8] > 0, 100, rng=np.random.default_rng(k)))
        took.append((t0, t1 / 800))
    t0, t1 = np.median(took, axis=0)
    print(f"| one random network of the same degrees | {1e3 * t0:.1f} ms | {1e3 * t1:.2f} ms | {t0 / t1:.0f} | random |")
    t1, _ = timed(lambda: small_world(binary[:8], n_rewired=100))
    print(f"| small-worldness, 100 random networks | not run | {1e3 * t1 / 8:.0f} ms | | |")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
