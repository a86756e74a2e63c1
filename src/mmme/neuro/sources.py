"""Where in a head a potential comes from: sLORETA on a spherical template, with the spread of its peak over subjects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError
from mmme.features.brain.interpolation import electrode_places

__all__ = ["SourceMap", "localised"]

LEAST_CHANNELS, LEAST_SUBJECTS = 20, 6
#: Places that far below the lowest tenth of the electrodes are left out [mm].
BELOW_MM = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class SourceMap:
    """
    Sources of one potential.

    Parameters
    ----------
    places_mm : (n_places, 3)
        Grid in the coordinates of the template's electrodes, nearly those of the MNI brain: right, front, up [mm].
    strength : (n_places,)
        Standardised current of the mean over subjects, 0 to 1 of its largest.
    peak_mm
        Where it is largest [mm].
    reach_mm
        95 % of the peaks of resampled subjects lie within this distance [mm].
    n_subjects
        Behind it.
    """

    places_mm: NDArray[np.float64]
    strength: NDArray[np.float64]
    peak_mm: tuple[float, float, float]
    reach_mm: float
    n_subjects: int


def localised(
    potentials: NDArray[Any],
    channels: Sequence[str],
    *,
    grid_mm: float = 10.0,
    snr: float = 3.0,
    n_bootstrap: int = 500,
    seed: int = 0,
) -> SourceMap:
    """
    Estimate where a potential comes from by sLORETA.

    The head is MNE's template of electrode places, with spheres for brain, skull and scalp fitted to it. A peak therefore
    tells a region of about three centimetres and no gyrus, and how far peaks of resampled subjects lie apart is part of the
    answer.

    Parameters
    ----------
    potentials : (n_subjects, n_channels)
        One map per subject, for example the mean of a difference over a cluster's times [µV].
    channels
        Names in 10-10 spelling, all with a known place.
    grid_mm
        Between places [mm].
    snr
        Supposed of the mean; sets how smooth the answer is.
    n_bootstrap, seed
        Of the reach.

    Raises
    ------
    DataError
        With fewer than 20 channels or six subjects, channels without a known place, or values that are not finite.

    References
    ----------
    Pascual-Marqui (2002), Standardized low-resolution brain electromagnetic tomography (sLORETA): technical details,
    Methods Find Exp Clin Pharmacol 24D, 5-12.

    Examples
    --------
    >>> names = "Fp1 Fp2 F7 F3 Fz F4 F8 T7 C3 Cz C4 T8 P7 P3 Pz P4 P8 O1 O2 FC1 FC2 CP1 CP2".split()
    >>> rng = np.random.default_rng(0)
    >>> frontal = np.array([5.0 if name in ("Fz", "FC1", "FC2") else 0.0 for name in names])
    >>> found = localised(frontal + rng.normal(size=(8, 23)), names, n_bootstrap=50)
    >>> found.peak_mm[1] > 0  # in the front
    True
    """
    x = np.asarray(potentials, dtype=np.float64)
    known = electrode_places(channels)
    missing = [name for name in channels if name not in known]
    if missing:
        raise DataError(f"sources: expected channels with known places, got {', '.join(missing)}; leave them out")
    if x.ndim != 2 or x.shape[0] < LEAST_SUBJECTS or x.shape[1] != len(channels) or x.shape[1] < LEAST_CHANNELS:
        raise DataError(
            f"sources: expected maps of at least {LEAST_SUBJECTS} subjects and {LEAST_CHANNELS} channels, got shape "
            f"{x.shape} and {len(channels)} names"
        )
    if not np.isfinite(x).all():
        raise DataError("sources: expected finite maps; leave out channels and subjects without a value")
    operator, places = _operator(channels, grid_mm, snr)

    def strength(maps: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.linalg.norm(operator @ maps.T, axis=1).T)

    mean = strength(x.mean(axis=0, keepdims=True))[0]
    peak = places[mean.argmax()]
    rng = np.random.default_rng(seed)
    drawn = x[rng.integers(0, len(x), size=(n_bootstrap, len(x)))].mean(axis=1)
    distance = np.linalg.norm(places[strength(drawn).argmax(axis=1)] - peak, axis=1)
    at = (float(peak[0]), float(peak[1]), float(peak[2]))
    return SourceMap(places, mean / mean.max(), at, float(np.quantile(distance, 0.95)), len(x))


def _operator(channels: Sequence[str], grid_mm: float, snr: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Linear operator, ``(n_places, 3, n_channels)``, and the places [mm]: what it makes of each channel alone."""
    import mne

    with mne.use_log_level("error"):
        info = mne.create_info(list(channels), 250.0, "eeg")
        info.set_montage(mne.channels.make_dig_montage(electrode_places(channels), coord_frame="head"))
        sphere = mne.make_sphere_model("auto", "auto", info)
        grid = mne.setup_volume_source_space(pos=grid_mm, sphere=sphere, mindist=5.0)
        each = mne.EvokedArray(np.eye(len(channels)), info, nave=1)
        each.set_eeg_reference("average", projection=True)
        forward = mne.make_forward_solution(each.info, None, grid, sphere, meg=False, eeg=True)
        noise = mne.make_ad_hoc_cov(each.info)
        inverse = mne.minimum_norm.make_inverse_operator(each.info, forward, noise, loose=1.0, depth=None)
        found = mne.minimum_norm.apply_inverse(each, inverse, 1.0 / snr**2, "sLORETA", pick_ori="vector")
        places = forward["source_rr"] * 1e3
        lowest = np.quantile([place[2] for place in electrode_places(channels).values()], 0.1) * 1e3
    # Far below the cap the standardisation divides by almost nothing, and noise wins there.
    covered = places[:, 2] >= lowest - BELOW_MM
    return np.asarray(found.data)[covered], np.asarray(places)[covered]
