"""Where and when a difference lies: cluster permutation tests over channels and times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

from mmme.errors import DataError
from mmme.features.brain.interpolation import electrode_places

__all__ = ["Cluster", "ClusterTest", "cluster_test", "neighbours"]

#: Fewer subjects have too few sign patterns for a p below .05.
LEAST_SUBJECTS = 6


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
    Test a map of paired differences by `mne.stats.permutation_cluster_1samp_test`.

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
        Sign flips, the observed one among them.
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
    from mne.stats import permutation_cluster_1samp_test

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
    t, found, p_values, null = permutation_cluster_1samp_test(
        x.swapaxes(1, 2), threshold=forming_t, n_permutations=n_permutations, tail=0, seed=seed, out_type="mask",
        adjacency=sparse.coo_array(near), verbose="error",
    )  # fmt: skip
    t = np.asarray(t).T
    masks = np.array([np.asarray(mask).T for mask in found], dtype=bool).reshape(-1, *t.shape)
    order = sorted(range(len(masks)), key=lambda k: (float(p_values[k]), -float(np.abs(t[masks[k]]).sum())))
    clusters = tuple(_described(x, t, masks[k], float(p_values[k]), t_s, channels) for k in order)
    observed = max((c.mass for c in clusters), default=0.0)
    return ClusterTest(
        t, clusters, masks[order], observed, np.abs(np.asarray(null, dtype=np.float64))[1:], forming_t, x.shape[0]
    )


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
