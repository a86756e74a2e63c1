"""
Time of the permutation tests of an analysis, against MNE, a loop over networkx, and a loop over turned copies.

Prints the table of docs/analysis.md and exits with 1 where cluster tests are less than 4 times as fast as MNE's, the
network-based statistic or surrogates less than 10 times as fast as a loop, or numbers differ. Median CPU time by turns,
one BLAS thread; everything is simulated.
"""

from __future__ import annotations

import os

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import sys
import time
from collections.abc import Callable
from typing import Any

import mne
import networkx as nx
import numpy as np
from scipy import stats

from mmme.neuro.clusters import cluster_test, neighbours
from mmme.neuro.coupling import lagged_relation
from mmme.neuro.families import sign_flips
from mmme.neuro.network_statistic import network_based_statistic
from mmme.simulate.brain import EEG_NAMES

ROUNDS = 3
N_FLIPS = 1000
CHANNELS = [name for name in EEG_NAMES if name not in ("M1", "M2", "CB1", "CB2")]


def timed(way: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    found = way()
    return time.process_time() - started, found


def maps(n_subjects: int) -> np.ndarray:
    """Differences with an effect at some channels, smooth in time."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n_subjects, len(CHANNELS), 110))
    x[:, 4:9, 40:60] += 1.0
    return x


def clusters() -> tuple[float, float, float]:
    """CPU time of both, and the largest difference of sizes and p where both make every flip there is."""
    near = neighbours(CHANNELS)

    def theirs(x: np.ndarray, n: int) -> tuple[np.ndarray, list[float]]:
        threshold = stats.t.isf(0.005, x.shape[0] - 1)
        t, found, p, _ = mne.stats.permutation_cluster_1samp_test(
            x.swapaxes(1, 2), threshold=threshold, n_permutations=n, adjacency=near.tocsr(), seed=0, out_type="mask",
            verbose="error",
        )  # fmt: skip
        sizes = np.array([abs(t[mask].sum()) for mask in found])
        order = np.argsort(-sizes)
        return sizes[order], p[order]

    few = maps(8)
    sizes, p = theirs(few, 2**8)
    own = cluster_test(few, np.arange(110) / 50, CHANNELS, near=near, n_permutations=2**8)
    apart = np.abs([abs(own.t[mask].sum()) for mask in own.masks] - sizes).max()
    apart = max(apart, np.abs([c.p for c in own.clusters] - p).max())
    many, took = maps(20), []
    for k in range(ROUNDS):
        slow, _ = timed(lambda: theirs(many, N_FLIPS))
        fast, _ = timed(
            lambda k=k: cluster_test(many, np.arange(110) / 50, CHANNELS, near=near, n_permutations=N_FLIPS, seed=k)
        )
        took.append((slow, fast))
    slow, fast = np.median(took, axis=0)
    return slow, fast, apart


def networks() -> tuple[float, float, float]:
    """The same with a loop: t of all links, a graph, its components, the largest excess."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 62, 62))
    x[:, 0, 1:9] += 1.2
    x = np.triu(x, 1) + np.triu(x, 1).swapaxes(1, 2)
    i, j = np.triu_indices(62, 1)
    links = x[:, i, j]
    forming = stats.t.isf(0.005, 19)

    def largest(flip: np.ndarray) -> float:
        y = links * flip[:, None]
        t = y.mean(axis=0) / (y.std(axis=0, ddof=1) / np.sqrt(20))
        best = 0.0
        for sign in (1, -1):
            graph = nx.Graph()
            for k in np.flatnonzero(sign * t > forming):
                graph.add_edge(i[k], j[k], excess=sign * t[k] - forming)
            for nodes in nx.connected_components(graph):
                best = max(best, sum(d["excess"] for _, _, d in graph.subgraph(nodes).edges(data=True)))
        return best

    took, apart = [], 0.0
    for seed in range(ROUNDS):
        flips = sign_flips(20, N_FLIPS, seed=seed)
        slow, expected = timed(lambda flips=flips: [largest(f) for f in flips])
        fast, found = timed(lambda seed=seed: network_based_statistic(x, n_permutations=N_FLIPS, seed=seed))
        took.append((slow, fast))
        apart = max(apart, float(np.abs(found.null - expected).max()))
    slow, fast = np.median(took, axis=0)
    return slow, fast, apart


def surrogates() -> tuple[float, float, float]:
    """The same with a loop over turned copies, each correlated by Fourier transform."""
    rng = np.random.default_rng(0)
    pieces = [tuple(rng.normal(size=(2, 600))) for _ in range(12)]
    offsets, n = np.arange(-50, 51), 600

    def loop(seed: int) -> np.ndarray:
        null = np.zeros((N_FLIPS, offsets.size))
        draw = np.random.default_rng(seed)
        t = np.arange(n) - (n - 1) / 2
        for first, second in pieces:
            a, b = (y - y.mean() - t * (t @ (y - y.mean())) / (t @ t) for y in (first, second))
            scale = np.sqrt((a**2).sum() * (b**2).sum())
            for k, turn in enumerate(draw.integers(101, n - 100, size=N_FLIPS)):
                turned = np.roll(b, -turn)
                circle = np.fft.irfft(np.conj(np.fft.rfft(a)) * np.fft.rfft(turned), n)
                null[k] += circle[offsets % n] / scale
        return null / len(pieces)

    took, apart = [], 0.0
    for seed in range(ROUNDS):
        slow, expected = timed(lambda seed=seed: loop(seed))
        fast, found = timed(lambda seed=seed: lagged_relation(pieces, 0.1, n_draws=N_FLIPS, seed=seed))
        took.append((slow, fast))
        apart = max(apart, float(np.abs(found.null - expected).max()))
    slow, fast = np.median(took, axis=0)
    return slow, fast, apart


def main() -> int:
    rows = [
        ("clusters over 60 channels x 110 times, 20 subjects", "MNE", clusters, 4.0, 1e-9),
        ("network-based statistic, 62 nodes, 20 subjects", "a loop over networkx", networks, 10.0, 1e-9),
        ("lags of 12 pieces of a minute, to 5 s", "a loop over turned copies", surrogates, 10.0, 1e-6),
    ]
    missed = False
    print(f"| {N_FLIPS} permutations of | against | there | mmme | ratio | largest difference |\n|---|---|---|---|---|---|")
    for name, against, way, bound, most in rows:
        slow, fast, apart = way()
        print(f"| {name} | {against} | {slow:.2f} s | {fast:.3f} s | {slow / fast:.1f} | {apart:.0e} |", flush=True)
        missed |= bool(slow / fast < bound or apart > most)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
