"""
How far probabilities can be taken at their word.

Conventions
-----------
- Probabilities ``(n_samples, n_classes)``, rows summing to 1; truth as codes of the columns.
- The Brier score is the sum over classes (0 to 2), as Brier wrote it; half of it is common for two classes.
- Calibration error compares the probability of the predicted class with how often it was right, in bins of equally many
  samples, which leaves no bin empty.
- Intervals come from resampling subjects; the bins stay where all samples put them.

References
----------
Brier (1950), doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2. Guo et al. (2017), On calibration of modern neural
networks, arXiv:1706.04599. Nixon et al. (2019), Measuring calibration in deep learning, arXiv:1904.01685.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmme.metrics.uncertainty import bootstrap_totals, percentile_interval

__all__ = ["Calibration", "brier", "calibration", "calibration_error"]

TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Calibration:
    """
    How far probabilities can be taken at their word, with 95 % intervals from resampling subjects.

    Parameters
    ----------
    brier, brier_low, brier_high
        Brier score, 0 (sure and right) to 2 (sure and wrong).
    error, error_low, error_high
        Expected calibration error, 0 to 1.
    said, right, n
        By bin of rising confidence: mean probability of the predicted class, share that was right, samples.
    """

    brier: float
    brier_low: float
    brier_high: float
    error: float
    error_low: float
    error_high: float
    said: tuple[float, ...]
    right: tuple[float, ...]
    n: tuple[int, ...]


def _checked(probability: ArrayLike, truth: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    p, y = np.asarray(probability, dtype=np.float64), np.asarray(truth, dtype=np.int64)
    if p.ndim != 2 or y.shape != p.shape[:1] or not len(p):
        raise ValueError(f"expected probabilities (n_samples, n_classes) and a class for each, got {p.shape} and {y.shape}")
    if y.min() < 0 or y.max() >= p.shape[1]:
        raise ValueError(f"truth: expected codes from 0 to {p.shape[1] - 1}, got {y.min()} to {y.max()}")
    if p.min() < -TOLERANCE or np.abs(p.sum(axis=1) - 1).max() > TOLERANCE:
        raise ValueError("probability: expected rows that are not negative and sum to 1, got others")
    return p, y


def brier(probability: ArrayLike, truth: ArrayLike) -> float:
    """
    Mean squared distance of probabilities from what was true, summed over classes.

    Parameters
    ----------
    probability : (n_samples, n_classes)
        Rows sum to 1.
    truth : (n_samples,)
        Column of the true class.

    Raises
    ------
    ValueError
        If shapes, codes or sums do not fit.

    Examples
    --------
    >>> brier([[1.0, 0.0], [0.5, 0.5]], [0, 0])
    0.25
    """
    p, y = _checked(probability, truth)
    return float(_squares(p, y).mean())


def _squares(p: NDArray[np.float64], y: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1))


def _bins(p: NDArray[np.float64], n_bins: int) -> NDArray[np.int64]:
    """Bin of each sample, by rank of the confidence; equal confidences share the bin of the first."""
    said = p.max(axis=1)
    order = np.argsort(said, kind="stable")
    bins = np.empty(len(p), dtype=np.int64)
    bins[order] = np.arange(len(p)) * n_bins // len(p)
    first = np.searchsorted(said[order], said, side="left")
    return np.asarray(bins[order][first])


def calibration_error(probability: ArrayLike, truth: ArrayLike, *, n_bins: int = 10) -> float:
    """
    Average the distance of confidence from share of right predictions, over bins of equally many samples.

    Parameters
    ----------
    probability, truth
        As for `brier`.
    n_bins
        Bins; fewer where there are fewer samples, or equal confidences.

    Examples
    --------
    >>> round(calibration_error([[0.9, 0.1]] * 10, [0] * 8 + [1] * 2), 6)
    0.1
    """
    p, y = _checked(probability, truth)
    return float(_error(_sums(p, y, n_bins).sum(axis=0)))


def _sums(p: NDArray[np.float64], y: NDArray[np.int64], n_bins: int) -> NDArray[np.float64]:
    """Per sample and bin: whether it is there, its confidence, whether it was right, ``(n_samples, n_bins, 3)``."""
    if n_bins < 1:
        raise ValueError(f"n_bins: expected at least 1, got {n_bins}")
    out = np.zeros((len(p), n_bins, 3))
    right = (p.argmax(axis=1) == y).astype(np.float64)
    out[np.arange(len(p)), _bins(p, n_bins)] = np.stack([np.ones(len(p)), p.max(axis=1), right], axis=1)
    return out


def _error(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Calibration error from sums per bin ``(..., n_bins, 3)``."""
    return np.asarray(np.abs(sums[..., 1] - sums[..., 2]).sum(axis=-1) / np.maximum(sums[..., 0].sum(axis=-1), 1))


def calibration(
    probability: ArrayLike, truth: ArrayLike, subjects: ArrayLike, *, n_bins: int = 10, n_draws: int = 10_000, seed: int = 0
) -> Calibration:
    """
    Brier score and calibration error with intervals, and the reliability table behind them.

    Parameters
    ----------
    probability, truth
        As for `brier`.
    subjects : (n_samples,)
        Whose sample it is.
    n_bins
        Of the calibration error.
    n_draws, seed
        Of the bootstrap over subjects.

    Returns
    -------
    Calibration
        Intervals NaN with a single subject.

    Raises
    ------
    ValueError
        If shapes, codes or sums do not fit.

    Examples
    --------
    >>> found = calibration([[0.8, 0.2]] * 10, [0] * 8 + [1] * 2, ["S1", "S2"] * 5, n_bins=1)
    >>> round(found.error, 6), found.said, found.right, found.n
    (0.0, (0.8,), (0.8,), (10,))
    """
    p, y = _checked(probability, truth)
    names, who = np.unique(np.asarray(subjects), return_inverse=True)
    if len(who) != len(y):
        raise ValueError(f"subjects: expected one per sample, {len(y)}, got {len(who)}")
    sums = np.zeros((len(names), n_bins, 3))
    np.add.at(sums, who, _sums(p, y, n_bins))
    squares = np.zeros((len(names), 2))
    np.add.at(squares, who, np.stack([_squares(p, y), np.ones(len(y))], axis=1))
    total = sums.sum(axis=0)
    used = total[:, 0] > 0
    nothing = (float("nan"), float("nan"))
    several = len(names) > 1
    drawn = bootstrap_totals(squares, n_draws, seed=seed) if several else None
    b_low, b_high = nothing if drawn is None else percentile_interval(drawn[:, 0] / drawn[:, 1])
    e_low, e_high = percentile_interval(_error(bootstrap_totals(sums, n_draws, seed=seed))) if several else nothing
    n = total[used, 0]
    return Calibration(
        float(_squares(p, y).mean()),
        b_low,
        b_high,
        float(_error(total)),
        e_low,
        e_high,
        tuple((total[used, 1] / n).tolist()),
        tuple((total[used, 2] / n).tolist()),
        tuple(n.astype(int).tolist()),
    )
