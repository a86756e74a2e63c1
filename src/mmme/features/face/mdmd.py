"""
Main directional maximal difference (MDMD, doi:10.1016/j.neucom.2016.12.034): what comes and goes again.

A facial movement is there now and was neither a little before nor is a little after: the motion from before to now is
long, the motion from before to after short. MDMD takes the difference of the two lengths over the main direction of each
block, and was the baseline of the spotting challenge MEGC 2020 (doi:10.48550/arXiv.1912.11985).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from mmme.errors import ConfigError, DataError
from mmme.features.face.flow import flow, magnitude, orientation
from mmme.features.face.landmarks import nearest
from mmme.features.face.pooling import Floats, direction_bins, expect_fields, histograms
from mmme.features.face.regions import Regions
from mmme.features.tables import Described
from mmme.interval import Interval

__all__ = ["mdmd", "mdmd_curve", "mdmd_intervals"]


def _top_mean(values: Floats, share: float) -> float:
    """Mean of the largest share of the values, of one at least."""
    count = max(1, round(share * len(values)))
    return float(np.partition(values, len(values) - count)[-count:].mean())


def mdmd(
    to_now: Floats,
    to_after: Floats,
    regions: Regions,
    *,
    directions: int = 4,
    share: float = 1 / 3,
) -> Described:
    """
    Compare the motion from before to now with that from before to after, block by block.

    In each block the pixels of the fullest direction of ``to_now`` are kept; of the differences of the two lengths the
    largest third is averaged; of the blocks' values the largest third again.

    Parameters
    ----------
    to_now : (height, width, 2)
        Motion from one interval before to the moment [px]; of a clip with known moments, onset to apex.
    to_after : (height, width, 2)
        Motion from one interval before to one interval after [px]; onset to offset.
    regions
        Blocks; 6 x 6 as published.
    directions
        Sectors of the circle, the first beginning at the right; 4 as published.
    share
        Of pixels and of blocks that are averaged, 0 (excluded) to 1.

    Returns
    -------
    Described
        ``mdmd_<region>`` and ``mdmd_all`` [px]; positive where a motion went back.

    Raises
    ------
    ConfigError
        If the directions are fewer than 2 or the share is out of range.
    DataError
        If fields and regions do not fit, or motion is not finite.

    Examples
    --------
    >>> from mmme.features.face.regions import blocks
    >>> to_now, to_after = np.zeros((2, 6, 6, 2), dtype=np.float32)
    >>> to_now[:, :3, 0] = 1.5  # the left half has come and gone
    >>> mdmd(to_now, to_after, blocks(1, 2, (6, 6)), share=0.5).values.tolist()
    [1.5, 0.0, 1.5]
    """
    if directions < 2 or not 0 < share <= 1:
        raise ConfigError(f"MDMD: expected 2 directions or more and a share in (0, 1], got {directions} and {share}")
    now, after = (expect_fields("MDMD", field[None] if field.ndim == 3 else field, regions) for field in (to_now, to_after))
    index = direction_bins(orientation(now[0]), directions)
    main = histograms(index, None, regions, directions).argmax(axis=1)
    difference = magnitude(now[0]) - magnitude(after[0])
    values = np.array(
        [_top_mean(difference[mask & (index == way)], share) for mask, way in zip(regions.masks, main, strict=True)]
    )
    names = (*(f"mdmd_{name}" for name in regions.names), "mdmd_all")
    return Described(names, np.append(values, _top_mean(values, share)).astype(np.float32))


def mdmd_curve(
    clip: NDArray[np.float32],
    t: NDArray[np.float64],
    regions: Regions,
    *,
    interval_s: float = 0.4,
    directions: int = 4,
    share: float = 1 / 3,
    method: str = "dis",
) -> NDArray[np.float64]:
    """
    Follow MDMD through a registered clip.

    Parameters
    ----------
    clip : (k, height, width)
        Registered frames, grey levels.
    t : (k,)
        Their times [s].
    regions
        Blocks; 6 x 6 as published.
    interval_s
        How long before and after [s]: 0.4 for micro-, 1.3 for macro-expressions are the 12 and 39 frames at 30, the 80
        and 260 at 200 frames per second of MEGC 2020.
    directions, share
        As in `mdmd`.
    method
        Optical flow; two fields per frame.

    Returns
    -------
    (k,) float64
        ``mdmd_all`` [px] of each frame; NaN where the clip does not reach the interval before and after.

    Raises
    ------
    DataError
        If times and frames do not fit, or the clip is shorter than two intervals.
    """
    if clip.ndim != 3 or len(clip) != len(t):
        raise DataError(f"MDMD: expected a clip (k, height, width) and a time for each frame, got {clip.shape}, {t.shape}")
    inside = np.flatnonzero((t - interval_s >= t[0] - 1e-9) & (t + interval_s <= t[-1] + 1e-9))
    if not len(inside):
        raise DataError(
            f"MDMD: expected a clip of at least {2 * interval_s:g} s, got {t[-1] - t[0]:.3f} s; shorten interval_s"
        )
    before, after = nearest(t, t[inside] - interval_s), nearest(t, t[inside] + interval_s)
    curve = np.full(len(t), np.nan)
    for k, b, a in zip(inside, before, after, strict=True):
        to_now, to_after = flow(clip[b], clip[k], method=method), flow(clip[b], clip[a], method=method)
        curve[k] = mdmd(to_now, to_after, regions, directions=directions, share=share).values[-1]
    return curve


def mdmd_intervals(
    curve: NDArray[np.float64],
    t: NDArray[np.float64],
    *,
    interval_s: float = 0.4,
    p: float = 0.01,
    shortest_s: float = 7 / 30,
    longest_s: float = 16 / 30,
) -> tuple[Interval, ...]:
    """
    Spot movements in a curve, as MEGC 2020 did.

    From each value the mean of the values one interval before and after is taken off; what exceeds
    ``mean + p (max - mean)`` is movement; runs of a permitted length remain.

    Parameters
    ----------
    curve : (k,)
        From `mdmd_curve`.
    t : (k,)
        Times [s].
    interval_s
        As for the curve.
    p
        Height of the threshold, 0..1; 0.01 as published.
    shortest_s, longest_s
        Length of a movement [s]; the defaults are MEGC 2020's for micro-expressions in CAS(ME)^2, 7 to 16 frames.

    Returns
    -------
    tuple of Interval
        In order. The outermost two intervals of a clip are never movement.

    Raises
    ------
    ConfigError
        If p is not in 0..1.
    DataError
        If curve and times differ in length.

    Examples
    --------
    >>> t = np.arange(40) / 10
    >>> curve = np.exp(-((t - 2.0) ** 2) / (2 * 0.1**2))
    >>> [f"{i.start:.1f} to {i.stop:.1f} s" for i in mdmd_intervals(curve, t, p=0.1)]
    ['1.9 to 2.2 s']
    """
    if not 0 <= p <= 1:
        raise ConfigError(f"MDMD: expected a threshold p in 0..1, got {p}")
    if curve.shape != t.shape:
        raise DataError(f"MDMD: expected a value for each time, got {curve.shape} and {t.shape}")
    step_s = float(np.median(np.diff(t)))
    inside = np.flatnonzero((t - interval_s >= t[0] - 1e-9) & (t + interval_s <= t[-1] + 1e-9))
    around = curve[nearest(t, t[inside] - interval_s)] + curve[nearest(t, t[inside] + interval_s)]
    contrast = np.full(len(t), np.nan)
    contrast[inside] = curve[inside] - 0.5 * around
    known = contrast[np.isfinite(contrast)]
    if not len(known):
        return ()
    threshold = known.mean() + p * (known.max() - known.mean())
    runs, count = label(np.nan_to_num(contrast, nan=-np.inf) > threshold)
    found = []
    for run in range(1, count + 1):
        frames = np.flatnonzero(runs == run)
        span = Interval(float(t[frames[0]]), float(t[frames[-1]]) + step_s)
        if shortest_s - 1e-9 <= span.duration_s <= longest_s + 1e-9:
            found.append(span)
    return tuple(found)
