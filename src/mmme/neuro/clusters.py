"""Where and when a difference lies: cluster permutation tests over channels and times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats
from scipy.sparse.csgraph import connected_components

from mmme.errors import DataError
from mmme.features.brain.interpolation import electrode_places
from mmme.neuro.families import TIE, flipped_t, sign_flips

__all__ = ["Cluster", "ClusterTest", "cluster_test", "neighbours"]

#: Fewer subjects have too few sign patterns for a p below .05.
LEAST_SUBJECTS = 6
#: Values of a block of permutations (points, or edges between them).
BLOCK = 4_000_000


@dataclass(frozen=True, slots=True)
class Cluster:
    """
    A connected region of channels and times in which subjects differ in one direction.

    Parameters
    ----------
    sign
        1 where the first condition is larger, else -1.
    p
        Against the largest cluster of each permutation, over both directions.
    mass
        Sum of |t|.
    channels
        In it, those with most of its mass first.
    start_s, stop_s
        First and last time [s].
    peak_channel, peak_s, peak_t
        Where |t| is largest [s].
    difference
        Mean over the subjects of each one's mean over the cluster, in the unit of the measure.
    dz
        That mean over its standard deviation between subjects (Cohen's d of paired differences). A cluster is chosen for
        its size, so this is not an unbiased estimate.
    """

    sign: int
    p: float
    mass: float
    channels: tuple[str, ...]
    start_s: float
    stop_s: float
    peak_channel: str
    peak_s: float
    peak_t: float
    difference: float
    dz: float


@dataclass(frozen=True, slots=True, eq=False)
class ClusterTest:
    """
    A whole map tested at once.

    Parameters
    ----------
    t : (n_channels, n_times)
        Of the mean difference against 0.
    clusters
        Smallest p first.
    masks : (n_clusters, n_channels, n_times) bool
        Where each cluster lies.
    observed
        Mass of the largest cluster; 0 where none was formed.
    null : (n_permutations,)
        Mass of the largest cluster under each permutation.
    forming_t
        |t| that a channel and time must exceed to belong to a cluster.
    n_subjects
        Tested.
    """

    t: NDArray[np.float64]
    clusters: tuple[Cluster, ...]
    masks: NDArray[np.bool_]
    observed: float
    null: NDArray[np.float64]
    forming_t: float
    n_subjects: int


def neighbours(channels: Sequence[str]) -> sparse.csr_array:
    """
    Tell which electrodes lie next to each other, by triangulating the scalp as MNE does.

    Parameters
    ----------
    channels
        Names in 10-10 spelling.

    Returns
    -------
    (n_channels, n_channels) sparse
        1 for neighbours and for the channel itself.

    Raises
    ------
    DataError
        If the place of an electrode is not known, or there are fewer than four.

    Examples
    --------
    >>> names = ["Fz", "F3", "F4", "Cz", "C3", "C4", "Pz", "Oz"]
    >>> near = neighbours(names)
    >>> bool(near[0, 1]), bool(near[0, 7])
    (True, False)
    """
    import mne

    known = electrode_places(channels)
    missing = [name for name in channels if name not in known]
    if missing or len(channels) < 4:
        raise DataError(
            f"neighbouring electrodes: expected at least 4 channels with known places, got {len(channels)}, of which "
            f"{', '.join(missing) or 'none'} unknown"
        )
    with mne.use_log_level("error"):
        info = mne.create_info(list(channels), 250.0, "eeg")
        info.set_montage(mne.channels.make_dig_montage(known, coord_frame="head"))
        adjacency, names = mne.channels.find_ch_adjacency(info, "eeg")
    order = [names.index(name) for name in channels]
    return sparse.csr_array(adjacency)[order][:, order]


def cluster_test(
    differences: NDArray[Any],
    t_s: NDArray[np.float64],
    channels: Sequence[str],
    *,
    near: sparse.csr_array | None = None,
    forming_p: float = 0.01,
    n_permutations: int = 1000,
    seed: int = 0,
) -> ClusterTest:
    """
    Test a map of paired differences as `mne.stats.permutation_cluster_1samp_test` does, many permutations at a time.

    Points that touch and exceed the threshold in one direction form a cluster, its size is the sum of its |t|, and each is
    compared with the largest of every permutation. The same clusters and p as MNE's; components of many permutations are
    found in one graph.

    Parameters
    ----------
    differences : (n_subjects, n_channels, n_times)
        One condition minus the other, a mean per subject.
    t_s : (n_times,)
        Times [s].
    channels
        Names in 10-10 spelling.
    near
        Neighbours; made from the names by default.
    forming_p
        Two-sided p of a channel and time that may belong to a cluster. It sets what kind of effect is found best (lower:
        strong and local), not how often one is found by chance.
    n_permutations
        Sign flips; all there are where that is fewer.
    seed
        Of the flips.

    Raises
    ------
    DataError
        With fewer than `LEAST_SUBJECTS` subjects, or values that are not finite.

    References
    ----------
    Maris, Oostenveld (2007), Nonparametric statistical testing of EEG- and MEG-data,
    doi:10.1016/j.jneumeth.2007.03.024. What a cluster's extent does not tell: Sassenhagen, Draschkow (2019),
    doi:10.1111/psyp.13335.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(12, 8, 20))
    >>> x[:, 0, 5:12] += 3.0
    >>> test = cluster_test(x, np.arange(20) / 10, ["Fz", "F3", "F4", "Cz", "C3", "C4", "Pz", "Oz"], n_permutations=200)
    >>> test.clusters[0].peak_channel, test.clusters[0].p < 0.05
    ('Fz', True)
    """
    x = np.asarray(differences, dtype=np.float64)
    if x.ndim != 3 or x.shape[0] < LEAST_SUBJECTS:
        raise DataError(
            f"cluster test: expected differences of at least {LEAST_SUBJECTS} subjects (n_subjects, n_channels, n_times), "
            f"got shape {x.shape}; fewer have too few sign patterns"
        )
    if not np.isfinite(x).all():
        bad = [name for name, lost in zip(channels, ~np.isfinite(x).all(axis=(0, 2)), strict=True) if lost]
        raise DataError(f"cluster test: expected finite differences, got others in {', '.join(bad)}; leave them out")
    near = neighbours(channels) if near is None else near
    forming_t = float(stats.t.isf(forming_p / 2, x.shape[0] - 1))
    shape = x.shape[1:]
    points = x.reshape(x.shape[0], -1)
    edges = _edges(near, *shape)
    t = flipped_t(points, np.ones((1, x.shape[0])))
    masks, masses = _clusters(t[0], edges, forming_t)
    flips = sign_flips(x.shape[0], n_permutations, seed=seed)
    block = max(1, BLOCK // max(points.shape[1], edges.shape[1]))
    null = np.concatenate(
        [
            _largest(flipped_t(points, flips[first : first + block]), edges, forming_t)
            for first in range(0, len(flips), block)
        ]
    )
    order = np.argsort(-masses, kind="stable")
    t = t[0].reshape(shape)
    masks = masks.reshape(-1, *shape)[order]
    clusters = []
    for mask, mass in zip(masks, masses[order], strict=True):
        p = float((1 + np.count_nonzero(null >= mass * (1 - TIE))) / (1 + null.size))
        clusters.append(_described(x, t, mask, p, t_s, channels))
    return ClusterTest(t, tuple(clusters), masks, float(masses.max(initial=0.0)), null, forming_t, x.shape[0])


def _edges(near: sparse.csr_array, n_channels: int, n_times: int) -> NDArray[np.int64]:
    """Pairs of points that touch: neighbours at one time, and one channel at times in succession; ``(2, n_edges)``."""
    i, j = sparse.triu(near, k=1).nonzero()
    times = np.arange(n_times)
    across = [(k[:, None] * n_times + times).ravel() for k in (i.astype(np.int64), j.astype(np.int64))]
    along = (np.arange(n_channels)[:, None] * n_times + times[:-1]).ravel()
    return np.array([np.concatenate([across[0], along]), np.concatenate([across[1], along + 1])])


def _labels(
    over: NDArray[np.bool_], edges: NDArray[np.int64]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int32]]:
    """Find rows and places of the points that are over, and the component of each, all rows in one graph of copies."""
    row, place = np.nonzero(over)
    number = np.full(over.shape, -1, dtype=np.int64)
    number[row, place] = np.arange(row.size)
    of, edge = np.nonzero(over[:, edges[0]] & over[:, edges[1]])
    ends = number[of, edges[0, edge]], number[of, edges[1, edge]]
    graph = sparse.coo_array((np.ones(of.size, dtype=np.int8), ends), shape=(row.size, row.size))
    return row, place, connected_components(graph, directed=False)[1]


def _largest(t: NDArray[np.float64], edges: NDArray[np.int64], forming_t: float) -> NDArray[np.float64]:
    """Mass of the largest cluster of each row, over both directions."""
    largest = np.zeros(t.shape[0])
    for signed in (t, -t):
        row, place, label = _labels(signed > forming_t, edges)
        if row.size:
            np.maximum.at(largest, row, np.bincount(label, weights=signed[row, place])[label])
    return largest


def _clusters(
    t: NDArray[np.float64], edges: NDArray[np.int64], forming_t: float
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Where each cluster lies, ``(n_clusters, n_points)``, and its mass."""
    masks, masses = [], []
    for signed in (t, -t):
        _, place, label = _labels((signed > forming_t)[None], edges)
        for one in range(int(label.max(initial=-1)) + 1):
            mask = np.zeros(t.size, dtype=bool)
            mask[place[label == one]] = True
            masks.append(mask)
            masses.append(float(signed[mask].sum()))
    return np.array(masks, dtype=bool).reshape(-1, t.size), np.array(masses)


def _described(
    x: NDArray[np.float64],
    t: NDArray[np.float64],
    mask: NDArray[np.bool_],
    p: float,
    t_s: NDArray[np.float64],
    channels: Sequence[str],
) -> Cluster:
    inside = np.where(mask, np.abs(t), 0.0)
    by_channel = inside.sum(axis=1)
    channel, time = np.unravel_index(int(inside.argmax()), t.shape)
    times = np.flatnonzero(mask.any(axis=0))
    own = x[:, mask].mean(axis=1)
    sd = own.std(ddof=1)
    return Cluster(
        sign=int(np.sign(t[channel, time])),
        p=p,
        mass=float(inside.sum()),
        channels=tuple(channels[i] for i in np.argsort(-by_channel, kind="stable") if by_channel[i] > 0),
        start_s=float(t_s[times[0]]),
        stop_s=float(t_s[times[-1]]),
        peak_channel=channels[int(channel)],
        peak_s=float(t_s[time]),
        peak_t=float(t[channel, time]),
        difference=float(own.mean()),
        dz=float(own.mean() / sd) if sd > 0 else float("nan"),
    )
