"""Measures of networks equal networkx on the same matrices; random networks are random, and keep every degree."""

import itertools

import networkx as nx
import numpy as np
import pytest
from scipy.stats import chisquare

from mmme.errors import ConfigError, DataError
from mmme.features.brain.graphs import (
    clustering,
    distances,
    local_efficiency,
    nodal_efficiency,
    path_length,
    small_world,
    strength,
    thresholded,
    transitivity,
)
from mmme.features.brain.rewiring import rewired

RNG = np.random.default_rng


def weighted(n_graphs=4, n=20, seed=0):
    """Full symmetric matrices of random weights."""
    w = np.triu(RNG(seed).uniform(0.05, 1.0, size=(n_graphs, n, n)), 1)
    return w + w.swapaxes(1, 2)


def networks(density=0.25, *, binary, connected=True, n=20):
    """Thresholded networks, and the same in networkx with lengths on the connections."""
    w = thresholded(weighted(n=n), density, connected=connected)
    if binary:
        w = (w > 0).astype(float)
    theirs = [nx.from_numpy_array(m) for m in w]
    for g in theirs:
        for _, _, data in g.edges(data=True):
            data["length"] = 1.0 / data["weight"]
    return w, theirs


def far(g):
    """Distances by networkx, infinite where there is no path."""
    d = np.full((len(g), len(g)), np.inf)
    for i, row in nx.all_pairs_dijkstra_path_length(g, weight="length"):
        for j, length in row.items():
            d[i, j] = length
    return d


def efficiency(g):
    """Global efficiency with weights, from networkx's distances."""
    d = far(g)
    n = len(g)
    return sum(1 / d[i, j] for i in range(n) for j in range(n) if i != j) / (n * (n - 1)) if n > 1 else 0.0


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("connected", [True, False])
def test_measures_equal_networkx(binary, connected):
    """Strength, clustering, transitivity, distances, path length, global and local efficiency: 1e-9, in pieces or not."""
    w, theirs = networks(0.25 if connected else 0.08, binary=binary, connected=connected)
    d = distances(w)
    for k, g in enumerate(theirs):
        np.testing.assert_allclose(strength(w)[k], [v for _, v in g.degree(weight="weight")], rtol=1e-9)
        np.testing.assert_allclose(
            clustering(w)[k], list(nx.clustering(g, weight="weight").values()), rtol=1e-9, atol=1e-12
        )
        assert transitivity(w)[k] == pytest.approx(nx.transitivity(g), rel=1e-9)
        np.testing.assert_allclose(d[k], far(g), rtol=1e-9)
        assert nodal_efficiency(d)[k].mean() == pytest.approx(efficiency(g), rel=1e-9)
        among = [efficiency(nx.convert_node_labels_to_integers(g.subgraph(g[i]))) for i in g]
        np.testing.assert_allclose(local_efficiency(w)[k], among, rtol=1e-9, atol=1e-12)
        if nx.is_connected(g):
            expected = nx.average_shortest_path_length(g, weight="length")
            assert path_length(d)[k] == pytest.approx(expected, rel=1e-9)
        else:
            assert np.isnan(path_length(d)[k])
        if binary:
            assert nodal_efficiency(d)[k].mean() == pytest.approx(nx.global_efficiency(g), rel=1e-9)
            assert local_efficiency(w)[k].mean() == pytest.approx(nx.local_efficiency(g), rel=1e-9)
    if not connected:
        assert any(not nx.is_connected(g) for g in theirs)


def test_full_and_empty_networks():
    """A full one has every measure 1; an empty one 0, and no path length."""
    full, empty = 1.0 - np.eye(6), np.zeros((6, 6))
    w = np.stack([full, empty])
    d = distances(w)
    np.testing.assert_allclose(clustering(w).mean(axis=1), [1, 0])
    np.testing.assert_allclose(transitivity(w), [1, 0])
    np.testing.assert_allclose(nodal_efficiency(d).mean(axis=1), [1, 0])
    np.testing.assert_allclose(local_efficiency(w).mean(axis=1), [1, 0])
    np.testing.assert_array_equal(path_length(d), [1, np.nan])


def test_many_networks_are_measured_in_blocks():
    """200 networks at once give what each gives alone."""
    w = thresholded(weighted(200, 30), 0.2)
    some = [0, 57, 199]
    np.testing.assert_allclose(distances(w)[some], np.concatenate([distances(w[[k]]) for k in some]))
    np.testing.assert_allclose(clustering(w)[some], np.concatenate([clustering(w[[k]]) for k in some]))


@pytest.mark.parametrize("density", [0.1, 0.2, 0.3])
def test_a_threshold_keeps_the_strongest(density):
    """As many as the density says, none weaker than one left out; with the tree first, all of networkx's tree."""
    w = weighted()
    kept = thresholded(w, density)
    tree = thresholded(w, density, connected=True)
    upper = np.triu_indices(20, 1)
    for k in range(4):
        weights, stays = w[k][upper], kept[k][upper] > 0
        assert stays.sum() == round(density * 190) == (tree[k][upper] > 0).sum()
        assert weights[stays].min() > weights[~stays].max()
        np.testing.assert_array_equal(kept[k][upper][stays], weights[stays])
        theirs = nx.maximum_spanning_tree(nx.from_numpy_array(w[k]))
        assert all(tree[k][i, j] > 0 for i, j in theirs.edges)
        assert nx.is_connected(nx.from_numpy_array(tree[k]))


def test_random_copies_keep_degrees_and_are_simple():
    """Same degree of every node, symmetric, no loops; also for networks of different numbers of connections."""
    w = np.stack([m for d in (0.1, 0.2, 0.3) for m in thresholded(weighted(1, 25), d)]) > 0
    for lattice in (False, True):
        copies = rewired(w, 40, rng=RNG(1), lattice=lattice)
        assert copies.shape == (3, 40, 25, 25)
        np.testing.assert_array_equal(copies.sum(axis=3), np.broadcast_to(w.sum(axis=2)[:, None], (3, 40, 25)))
        np.testing.assert_array_equal(copies, copies.swapaxes(2, 3))
        assert not np.diagonal(copies, axis1=2, axis2=3).any()
        assert len({c.tobytes() for c in copies.reshape(120, 625)}) > 100
    np.testing.assert_array_equal(rewired(w, 5, rng=RNG(2)), rewired(w, 5, rng=RNG(2)))


def test_random_copies_are_equally_likely():
    """Of six nodes with degrees 3 2 2 2 2 1 all networks are counted; 20,000 copies hit each equally often (chi squared)."""
    degrees = (3, 2, 2, 2, 2, 1)
    pairs = list(itertools.combinations(range(6), 2))
    every = []
    for chosen in itertools.combinations(range(15), 6):
        a = np.zeros((6, 6), dtype=bool)
        for e in chosen:
            a[pairs[e]] = a[pairs[e][::-1]] = True
        if tuple(a.sum(axis=1)) == degrees:
            every.append(a.tobytes())
    start = np.frombuffer(every[0], dtype=bool).reshape(1, 6, 6)
    copies = rewired(start, 20_000, rng=RNG(0), attempts=20.0)[0]
    found = dict.fromkeys(every, 0)
    for c in copies:
        found[c.tobytes()] += 1
    assert chisquare(list(found.values())).pvalue > 0.001


def test_enough_exchanges_are_tried():
    """Transitivity of the copies of clustered networks: that of 10 times as many attempts within 1 % of the way."""
    place = RNG(0).normal(size=(4, 62, 3))
    near = 1 / (0.1 + np.linalg.norm(place[:, :, None] - place[:, None], axis=3))
    near[:, np.arange(62), np.arange(62)] = 0
    w = thresholded((near + near.swapaxes(1, 2)) / 2, 0.2) > 0
    usual, long = (transitivity(rewired(w, 60, rng=RNG(3), attempts=k).reshape(-1, 62, 62)).mean() for k in (5.0, 50.0))
    assert abs(usual - long) < 0.01 * (transitivity(w).mean() - long)


def test_small_worldness_equals_networkx_on_the_same_copies():
    """Sigma and omega from networkx's measures of our copies and lattices: 1e-9."""
    w, theirs = networks(0.3, binary=True)
    ours = small_world(w, n_rewired=20, seed=5, lattices=10)
    rng = RNG(5)
    random = rewired(w > 0, 20, rng=rng)
    lattice = rewired(w > 0, 10, rng=rng, attempts=50.0, lattice=True)
    for k, g in enumerate(theirs):
        copies = [nx.from_numpy_array(c.astype(int)) for c in random[k]]
        copies = [c for c in copies if nx.is_connected(c)]
        c = np.mean([nx.transitivity(x) for x in copies])
        length = np.mean([nx.average_shortest_path_length(x) for x in copies])
        ordered = np.mean([nx.average_clustering(nx.from_numpy_array(x.astype(int))) for x in lattice[k]])
        path = nx.average_shortest_path_length(g)
        assert ours.n_random[k] == len(copies)
        assert ours.sigma[k] == pytest.approx((nx.transitivity(g) / c) / (path / length), rel=1e-9)
        assert ours.omega[k] == pytest.approx(length / path - nx.average_clustering(g) / ordered, rel=1e-9)


def test_known_worlds():
    """Watts and Strogatz: ring sigma > 2, omega < -0.3; few shortcuts sigma > 2, omega near 0; random sigma 1, omega > 0.5."""
    w = np.stack([nx.to_numpy_array(nx.connected_watts_strogatz_graph(60, 8, p, seed=1)) for p in (0.0, 0.1, 1.0)])
    found = small_world(w, n_rewired=50, lattices=10)
    assert found.sigma[0] > 2
    assert found.omega[0] < -0.3
    assert found.sigma[1] > 2
    assert abs(found.omega[1]) < 0.3
    assert found.sigma[2] == pytest.approx(1, abs=0.15)
    assert found.omega[2] > 0.5


def test_a_network_in_pieces_has_no_small_worldness():
    """Two rings: NaN, not a number over what can be reached."""
    ring = np.roll(np.eye(10), 1, axis=1) + np.roll(np.eye(10), -1, axis=1)
    two = np.kron(np.eye(2), ring)
    assert np.isnan(small_world(two[None], n_rewired=20).sigma[0])


def test_what_is_no_network_is_refused():
    """Shapes, directions, loops, negative and missing weights, densities."""
    w = weighted(1, 5)
    with pytest.raises(DataError, match=r"expected matrices \(n_graphs, n, n\), got shape \(5, 5\)"):
        strength(w[0])
    for bad in (np.nan, -1.0):
        broken = w.copy()
        broken[0, 1, 2] = broken[0, 2, 1] = bad
        with pytest.raises(DataError, match="expected finite weights of at least 0"):
            clustering(broken)
    directed = w.copy()
    directed[0, 1, 2] += 0.1
    with pytest.raises(DataError, match="expected symmetric matrices with 0 on the diagonal"):
        distances(directed)
    with pytest.raises(DataError, match="expected symmetric matrices with 0 on the diagonal"):
        transitivity(w + np.eye(5))
    for density in (0.0, 1.5):
        with pytest.raises(ConfigError, match="density: expected a share above 0, up to 1, that keeps at least 1 of 10"):
            thresholded(w, density)
    with pytest.raises(ConfigError, match="that keeps at least 4 of 10 connections, got 0.2"):
        thresholded(w, 0.2, connected=True)
