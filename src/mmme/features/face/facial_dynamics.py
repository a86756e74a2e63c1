"""How facial regions move through a clip: principal directions of cuboids, and the time course of each region."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import trapezoid

from mmme.errors import ConfigError, DataError
from mmme.features.face.flow import orientation
from mmme.features.face.pooling import Floats, direction_bins, expect_fields, histograms, means
from mmme.features.face.regions import Regions
from mmme.features.tables import Described

__all__ = ["displacements", "facial_dynamics_map", "principal_motion", "smoothed", "time_course"]

_SECTORS = 360


def principal_motion(fields: Floats, regions: Regions) -> NDArray[np.float64]:
    """
    Find the direction that most of the motion in each region agrees with, and how far it goes.

    Of all directions the one is taken along which the motions that point its way (within a right angle) add up to most;
    motions against it are left out instead of cancelling it. The maximum is searched among sums over half circles whose
    borders lie on whole degrees.

    Parameters
    ----------
    fields : (k, height, width, 2)
        Motion [px].
    regions
        On the same pixels; with the ``k`` fields they are cuboids of space and time.

    Returns
    -------
    (n_regions, 2) float64
        Sum of the agreeing motions divided by all pixels and fields, to the right and downwards [px].

    Examples
    --------
    >>> from mmme.features.face.regions import blocks
    >>> field = np.zeros((1, 1, 4, 2), dtype=np.float32)
    >>> field[0, 0, :, 0] = [2.0, 2.0, -1.0, -1.0]  # two pixels right by 2 px, two left by 1 px
    >>> principal_motion(field, blocks(1, 1, (1, 4))).tolist()
    [[1.0, 0.0]]
    """
    sums = np.zeros((len(regions), _SECTORS, 2))
    for field in fields:
        index = direction_bins(orientation(field), _SECTORS)
        for c in (0, 1):
            sums[..., c] += histograms(index, np.ascontiguousarray(field[..., c]), regions, _SECTORS)
    half = _SECTORS // 2
    running = np.cumsum(np.concatenate([np.zeros_like(sums[:, :1]), sums, sums[:, :half]], axis=1), axis=1)
    halves = running[:, half : half + _SECTORS] - running[:, :_SECTORS]
    best = np.hypot(halves[..., 0], halves[..., 1]).argmax(axis=1)
    return np.asarray(halves[np.arange(len(regions)), best] / (regions.sizes[:, None] * len(fields)))


def facial_dynamics_map(fields: Floats, regions: Regions, *, pieces: int = 2, unit: bool = False) -> Described:
    """
    Facial dynamics map: the principal motion of each cuboid of a clip (doi:10.1109/TAFFC.2016.2518162).

    Parameters
    ----------
    fields : (k, height, width, 2)
        Motion within the clip, head motion taken off [px].
    regions
        Blocks; the paper varies their number.
    pieces
        Equal stretches of time a clip is cut into, so that the same columns result at any frame rate.
    unit
        True keeps only directions, each vector of length 1 (0 where nothing moves).

    Returns
    -------
    Described
        ``fdm_<region>_t<piece>_x`` and ``_y`` [px], to the right and downwards.

    Raises
    ------
    ConfigError
        If there are no pieces.
    DataError
        If fields and regions do not fit, motion is not finite, or there are fewer fields than pieces.

    Examples
    --------
    >>> from mmme.features.face.regions import blocks
    >>> fields = np.zeros((4, 2, 2, 2), dtype=np.float32)
    >>> fields[:2, ..., 1], fields[2:, ..., 0] = -1.0, 0.5  # first up by 1 px, then right by half a pixel
    >>> facial_dynamics_map(fields, blocks(1, 1, (2, 2))).values.tolist()
    [0.0, -1.0, 0.5, 0.0]
    """
    if pieces < 1:
        raise ConfigError(f"facial dynamics map: expected at least one piece of time, got {pieces}")
    stacked = expect_fields("facial dynamics map", fields, regions)
    if len(stacked) < pieces:
        raise DataError(
            f"facial dynamics map: expected at least {pieces} fields, one per piece of time, got {len(stacked)}"
        )
    moved = np.stack([principal_motion(part, regions) for part in np.array_split(stacked, pieces)], axis=1)
    if unit:
        length = np.linalg.norm(moved, axis=2, keepdims=True)
        moved = np.divide(moved, length, out=np.zeros_like(moved), where=length > 0)
    names = tuple(f"fdm_{n}_t{k}_{c}" for n in regions.names for k in range(pieces) for c in ("x", "y"))
    return Described(names, moved.ravel().astype(np.float32))


def displacements(fields: Iterable[Floats], regions: Regions) -> NDArray[np.float64]:
    """
    Average each field over each region.

    Parameters
    ----------
    fields
        Motion from the first frame to each later one, such as `mmme.features.face.flow.flow_to_first` yields [px].
    regions
        On the same pixels.

    Returns
    -------
    (k, n_regions, 2) float64
        To the right and downwards [px]; the first row is the first frame itself, 0.
    """
    rows = [means(expect_fields("displacement", field, regions)[0], regions) for field in fields]
    return np.stack([np.zeros((len(regions), 2)), *rows])


def smoothed(
    values: NDArray[np.float64], t: NDArray[np.float64], sigma_s: float, *, at: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """
    Fit a straight line under a Gaussian window around each time: the same smoothing at any frame rate.

    Parameters
    ----------
    values : (k, ...)
        One row per time.
    t : (k,)
        Times [s], at least two different; they need not be evenly spaced.
    sigma_s
        Of the window [s].
    at : (n,)
        Times of the result [s]; ``t`` by default.

    Returns
    -------
    (n, ...) float64
        Lines stay as they are up to the ends.

    Examples
    --------
    >>> t = np.array([0.0, 0.1, 0.2, 0.4])
    >>> smoothed(3 * t, t, 0.1).round(6).tolist()
    [0.0, 0.3, 0.6, 1.2]
    """
    apart = t[None, :] - (t if at is None else at)[:, None]
    # frames further apart than the window leave every point to itself: the tiny floor keeps the weights from vanishing
    weight = np.exp(-0.5 * (apart / sigma_s) ** 2) + 1e-12
    s0, s1, s2 = weight.sum(axis=1), (weight * apart).sum(axis=1), (weight * apart**2).sum(axis=1)
    kernel = weight * (s2[:, None] - s1[:, None] * apart) / (s0 * s2 - s1**2)[:, None]
    return np.asarray(np.tensordot(kernel, values, axes=1))


def time_course(
    displacement: NDArray[np.float64], t: NDArray[np.float64], names: tuple[str, ...], *, sigma_s: float = 0.02
) -> Described:
    """
    Describe how each region's displacement runs: how far, how soon, how fast, how much in all.

    Parameters
    ----------
    displacement : (k, n_regions, 2)
        Against the first time [px], from `displacements` or a `mmme.features.face.motion.MotionCurve`.
    t : (k,)
        Times [s].
    names
        Of the regions.
    sigma_s
        Smoothing before anything is read off [s]; in seconds, so that speed does not grow with the frame rate's noise.

    Returns
    -------
    Described
        Per region ``dyn_<region>_peak`` [px], ``_rise`` (time from the start to the peak) [s], ``_speed`` (largest) [px/s]
        and ``_area`` (integral of the distance over time) [px s].

    Raises
    ------
    DataError
        If shapes differ, there are fewer than three times, they do not increase, or displacement is not finite.

    Examples
    --------
    >>> t = np.linspace(0, 0.4, 41)
    >>> brow = np.zeros((41, 1, 2))
    >>> brow[:, 0, 1] = -np.minimum(t, 0.4 - t) / 0.2  # up by 1 px in 0.2 s and back
    >>> [f"{value:.2f}" for value in time_course(brow, t, ("brow",), sigma_s=0.005).values]  # peak, rise, speed, area
    ['0.99', '0.20', '5.00', '0.20']
    """
    if displacement.shape != (len(t), len(names), 2) or len(t) < 3:
        raise DataError(
            f"time course: expected displacement ({len(t)}, {len(names)}, 2) at 3 times or more, got {displacement.shape}"
        )
    if not (np.isfinite(displacement).all() and (np.diff(t) > 0).all()):
        raise DataError("time course: expected finite displacement at increasing times; leave out frames without a face")
    smooth = smoothed(displacement, t, sigma_s)
    smooth = smooth - smooth[:1]
    distance = np.linalg.norm(smooth, axis=2)
    peak = distance.argmax(axis=0)
    speed = np.linalg.norm(np.gradient(smooth, t, axis=0), axis=2).max(axis=0)
    area = trapezoid(distance, t, axis=0)
    values = np.stack([distance[peak, np.arange(len(names))], t[peak] - t[0], speed, area], axis=1)
    columns = tuple(f"dyn_{name}_{part}" for name in names for part in ("peak", "rise", "speed", "area"))
    return Described(columns, values.ravel().astype(np.float32))
