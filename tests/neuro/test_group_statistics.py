"""Permutations of subjects: clusters as MNE finds them, sets of links as networkx does, families that keep their promise."""

import networkx as nx
import numpy as np
import pytest
from mne.stats import permutation_cluster_1samp_test
from scipy import sparse, stats
from scipy.ndimage import gaussian_filter1d

from mmme.errors import DataError
from mmme.neuro.clusters import cluster_test, neighbours
from mmme.neuro.families import Question, answered, flipped_t, sign_flips, within_family
from mmme.neuro.network_statistic import network_based_statistic

CHANNELS = ("Fp1", "Fp2", "F3", "Fz", "F4", "C3", "Cz", "C4", "P3", "Pz", "P4", "O1", "O2")


@pytest.mark.parametrize("n_subjects", [7, 15])
def test_clusters_are_those_of_mne(n_subjects):
    """Same t, same clusters, same masses; with few subjects every sign pattern is used and all p are equal."""
    rng = np.random.default_rng(3)
    x = gaussian_filter1d(rng.normal(size=(n_subjects, len(CHANNELS), 60)), 2, axis=2)
    x[:, 3, 20:30] += 0.6
    near = neighbours(CHANNELS)
    own = cluster_test(x, np.arange(60) / 50, CHANNELS, near=near, n_permutations=500)
    t, masks, p, null = permutation_cluster_1samp_test(
        x.swapaxes(1, 2), threshold=own.forming_t, n_permutations=500, tail=0, seed=0, out_type="mask",
        adjacency=sparse.coo_array(near), verbose="error",
    )  # fmt: skip

    assert own.t == pytest.approx(t.T)
    assert {m.tobytes() for m in own.masks} == {np.ascontiguousarray(m.T).tobytes() for m in masks}
    assert sorted(c.mass for c in own.clusters) == pytest.approx(sorted(np.abs(t[m]).sum() for m in masks))
    if n_subjects == 7:
        assert sorted(own.null) == pytest.approx(sorted(np.abs(null)[1:]))
        assert sorted(c.p for c in own.clusters) == pytest.approx(sorted(p))
    else:
        assert np.percentile(own.null, 90) == pytest.approx(np.percentile(np.abs(null), 90), rel=0.2)


def test_a_cluster_says_where_when_and_how_much():
    """Sign, peak, extent and size of a planted difference."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(16, len(CHANNELS), 50))
    x[:, 9, 10:20] -= 3.0
    best = cluster_test(x, np.arange(50) / 50 - 0.2, CHANNELS, n_permutations=300).clusters[0]

    assert (best.sign, best.peak_channel) == (-1, "Pz")
    assert best.start_s == pytest.approx(0.0, abs=0.021)
    assert best.stop_s == pytest.approx(0.18, abs=0.021)
    assert best.difference == pytest.approx(-3.0, abs=0.5)
    assert best.p == pytest.approx(1 / 301)


def test_maps_that_cannot_be_tested():
    """Too few subjects, values that are not finite, and electrodes nobody knows are refused in words."""
    x = np.zeros((5, 4, 3))
    with pytest.raises(DataError, match="at least 6 subjects"):
        cluster_test(x, np.arange(3.0), CHANNELS[:4])
    x = np.zeros((8, 4, 3))
    x[0, 2] = np.nan
    with pytest.raises(DataError, match="got others in F3; leave them out"):
        cluster_test(x, np.arange(3.0), CHANNELS[:4])
    with pytest.raises(DataError, match="got 4, of which CB1 unknown"):
        neighbours(("Fz", "Cz", "Pz", "CB1"))


def loop_over_networkx(x, forming_t, flips):
    """Compute the largest excess of each flip, one graph at a time."""
    i, j = np.triu_indices(x.shape[1], 1)
    largest = []
    for signs in flips:
        t = stats.ttest_1samp(signs[:, None] * x[:, i, j], 0.0).statistic
        found = [0.0]
        for signed in (t, -t):
            graph = nx.Graph()
            graph.add_weighted_edges_from(
                (a, b, v - forming_t) for a, b, v in zip(i, j, signed, strict=True) if v > forming_t
            )
            parts = (graph.subgraph(nodes) for nodes in nx.connected_components(graph))
            found += [part.size(weight="weight") for part in parts]
        largest.append(max(found))
    return np.array(largest)


def test_sets_of_links_are_those_of_networkx():
    """The same sets, and the same null distribution flip by flip."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(9, 14, 14))
    x[:, 2, 5:9] += 1.5
    x = np.triu(x, 1) + np.triu(x, 1).swapaxes(1, 2)
    found = network_based_statistic(x, forming_p=0.02, n_permutations=100, seed=4)

    flips = sign_flips(9, 100, seed=4)
    assert found.null == pytest.approx(loop_over_networkx(x, found.forming_t, flips))
    assert found.observed == pytest.approx(loop_over_networkx(x, found.forming_t, np.ones((1, 9)))[0])
    assert {(2, 5), (2, 6), (2, 7), (2, 8)} <= set(found.components[0].links)
    assert found.components[0].p < 0.05


def test_networks_that_cannot_be_tested():
    """Matrices that are not symmetric or not finite are refused."""
    with pytest.raises(DataError, match="at least 6 subjects"):
        network_based_statistic(np.zeros((3, 4, 4)))
    with pytest.raises(DataError, match="finite, symmetric differences"):
        network_based_statistic(np.random.default_rng(0).normal(size=(8, 4, 4)))


def test_flips_are_all_there_are_or_a_draw():
    """Few subjects: each pattern once, without the observed one; t under a flip is t of the flipped rows."""
    few = sign_flips(6, 1000)
    x = np.random.default_rng(0).normal(size=(6, 3))

    assert few.shape == (31, 6)
    assert len({tuple(row) for row in few} | {tuple(-row) for row in few}) == 62
    assert not np.any(np.all(few == few[:, :1], axis=1))
    assert sign_flips(30, 1000).shape == (1000, 30)
    expected = [stats.ttest_1samp(row[:, None] * x, 0.0).statistic for row in few]
    assert flipped_t(x, few) == pytest.approx(np.array(expected))


def test_a_family_keeps_its_promise():
    """With nothing there, the smallest corrected p of a family of unlike statistics is below .05 in 5 % of draws."""
    rng = np.random.default_rng(0)
    smallest = []
    for _ in range(400):
        unlike = [rng.normal(size=200), rng.exponential(size=200) ** 2, np.abs(rng.standard_cauchy(size=200))]
        smallest.append(within_family([d[0] for d in unlike], [d[1:] for d in unlike]).min())

    assert np.mean(np.array(smallest) < 0.05) < 0.075
    assert np.mean(np.array(smallest) < 0.05) > 0.025


def test_questions_are_corrected_within_and_over_families():
    """What stands out in one family is raised by the number of families; ties and statistics that never vary claim nothing."""
    rng = np.random.default_rng(0)
    null = rng.normal(size=(3, 999))
    rows = answered(
        [
            Question("brain", "theta", 9.0, null[0]),
            Question("brain", "alpha", 0.0, null[1]),
            Question("body", "rate", 0.5, null[2]),
            Question("body", "share", 1.0, np.full(999, 1.0 - 1e-13)),
        ]
    )

    assert [row["p"] for row in rows] == pytest.approx([0.001, 0.5, 0.3, 1.0], abs=0.1)
    assert rows[0]["p_family"] == pytest.approx(0.001)
    assert rows[0]["p_all"] == pytest.approx(0.002)
    assert rows[0]["q_family"] == pytest.approx(0.002)
    assert rows[3]["p_family"] == rows[3]["p_all"] == 1.0
    with pytest.raises(DataError, match="expected draws for each of 1 questions"):
        within_family([1.0], np.zeros((2, 10)))
