"""From curves of difference to intervals: contrast, the threshold of Moilanen, and how far a movement reaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from mmme.errors import ConfigError
from mmme.interval import Interval
from mmme.models.spotting import foot
from mmme.types import Kind

__all__ = ["REACH_S", "SHARES", "SpottedDifference", "spot_differences"]

#: Reach of each kind [s]: half a long micro-expression, half a usual macro-expression.
REACH_S: Mapping[Kind, float] = MappingProxyType({"micro": 0.25, "macro": 0.8})
#: Height of the threshold between the mean of a video and its maximum, by method, chosen on simulated recordings.
SHARES: Mapping[str, float] = MappingProxyType(
    {
        "lbp-chi2": 0.3,
        "strain": 0.3,
        "mdmd": 0.3,
        "region-flow": 0.3,
        "collaborative": 0.3,
        "apex-frequency": 0.3,
    }
)
#: Curves are smoothed by a Gaussian whose deviation is this share of the reach.
SMOOTH = 0.17
MICRO_MAX_S, SHORTEST_S, LONGEST_S = 0.5, 0.1, 4.0


@dataclass(frozen=True, slots=True)
class SpottedDifference:
    """
    One movement.

    Parameters
    ----------
    kind
        By its length.
    onset, apex, offset
        Times [s].
    score
        Contrast in units of the threshold.
    """

    kind: Kind
    onset: float
    apex: float
    offset: float
    score: float


def spot_differences(
    t: NDArray[np.float64],
    curves: Mapping[Kind, NDArray[np.float64]],
    *,
    share: float = 0.3,
    noise: float = 4.0,
) -> tuple[SpottedDifference, ...]:
    """
    Spot movements in the curves of one method.

    From each value the mean of the values one reach before and after is taken off; a peak above
    ``mean + share (max - mean)`` is a movement. That rule alone finds something in every video, also in a still one;
    a peak must stand out of the video's own noise as well.

    Parameters
    ----------
    t : (k,)
        Times [s].
    curves
        By kind, made with the reach of `REACH_S`; NaN where there is no face.
    share
        Height of the threshold, 0 to 1.
    noise
        In units of the contrast's usual deviation (median absolute, 1.48 times).

    Returns
    -------
    tuple of SpottedDifference
        In order, without overlap; of two that overlap the one that stands out more.

    Raises
    ------
    ConfigError
        If a setting is out of range.

    Examples
    --------
    >>> t = np.arange(0, 10, 1 / 30)
    >>> curve = np.interp(t, [4.8, 5.0, 5.2], [0, 1, 0]) + np.random.default_rng(0).normal(0, 0.01, len(t))
    >>> (found,) = spot_differences(t, {"micro": curve})
    >>> found.kind, round(found.apex, 1)
    ('micro', 5.0)
    """
    if not (0 <= share <= 1 and noise >= 0):
        raise ConfigError(f"spotting: expected a share from 0 to 1 and noise of 0 or more, got {share} and {noise}")
    found = []
    for kind, curve in curves.items():
        step = float(t[-1] - t[0]) / max(1, len(t) - 1)
        k = max(1, round(REACH_S[kind] / step))
        curve = _smoothed(curve, k * SMOOTH)
        contrast = np.full(len(t), np.nan)
        contrast[k:-k] = curve[k:-k] - 0.5 * (curve[: -2 * k] + curve[2 * k :])
        seen = np.isfinite(contrast)
        if not seen.any():
            continue
        values = contrast[seen]
        usual = 1.4826 * float(np.median(np.abs(values - np.median(values))))
        positive = np.maximum(values, 0.0)
        threshold = max(float(positive.mean() + share * (positive.max() - positive.mean())), noise * usual)
        level = np.where(seen, np.maximum(contrast, 0.0), 0.0)
        if not threshold > 0:
            continue
        for peak in find_peaks(level, height=threshold, distance=k)[0]:
            start = max(float(t[0]), float(t[peak]) - step * foot(level[peak::-1][: 2 * k + 1]))
            stop = min(float(t[-1]), float(t[peak]) + step * foot(level[peak:][: 2 * k + 1]))
            length = stop - start
            if SHORTEST_S <= length <= LONGEST_S and (length <= MICRO_MAX_S) == (kind == "micro"):
                found.append(SpottedDifference(kind, start, float(t[peak]), stop, float(level[peak] / threshold)))
    kept: list[SpottedDifference] = []
    for one in sorted(found, key=lambda s: -s.score):
        own = Interval(one.onset, one.offset)
        if all(own.overlap_s(Interval(other.onset, other.offset)) == 0 for other in kept):
            kept.append(one)
    return tuple(sorted(kept, key=lambda s: s.onset))


def _smoothed(curve: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Smooth what is known; what is not stays unknown."""
    known = np.isfinite(curve)
    share = gaussian_filter1d(known.astype(np.float64), sigma, mode="nearest")
    filled = gaussian_filter1d(np.where(known, curve, 0.0), sigma, mode="nearest")
    return np.where(known, filled / np.maximum(share, 1e-9), np.nan)
