"""
How far two coders' measurements of the same events agree: differences, intraclass correlation, intervals over subjects.

Conventions
-----------
- Everything is a function of six sums per subject (`pair_sums`), so that resampling subjects is a matter of adding them.
- Differences are second coder minus first; the sign tells who is later.
- ICC(2,1): coders are a sample of all coders, and a constant difference between them counts as disagreement.
- The ICC compares differences with the spread between events. Onsets spread over a minute of film have an ICC near 1
  whatever the coders do; that of durations, and the differences themselves, tell more.

References
----------
Shrout & Fleiss (1979), Intraclass correlations, doi:10.1037/0033-2909.86.2.420.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmme.metrics.uncertainty import bootstrap_totals, percentile_interval

__all__ = [
    "icc_agreement",
    "icc_of_sums",
    "interval_over_subjects",
    "mean_difference_of_sums",
    "pair_sums",
    "ratio_of_counts",
]

_MOST_UNDEFINED = 0.05  # share of draws in which a score may be undefined before its interval is


def icc_agreement(ratings: ArrayLike) -> float:
    """
    Intraclass correlation ICC(2,1): absolute agreement of single ratings, raters random.

    Parameters
    ----------
    ratings : (n_events, n_coders)
        One number per event and coder, none missing.

    Returns
    -------
    float
        Up to 1, below 0 where events differ less than coders do; NaN with fewer than two events, or nothing to divide by.

    Raises
    ------
    ValueError
        If the shape is wrong, there is one coder, or a rating is not finite.

    References
    ----------
    Shrout & Fleiss (1979), doi:10.1037/0033-2909.86.2.420.

    Examples
    --------
    The four judges of Shrout & Fleiss, who print .29:

    >>> table = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    >>> round(icc_agreement(table), 3)
    0.29
    """
    x = np.asarray(ratings, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] < 2:
        raise ValueError(f"ratings: expected (n_events, n_coders) with two coders at least, got {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError(f"ratings: expected finite numbers, got {int((~np.isfinite(x)).sum())} that are not")
    n, k = x.shape
    if n < 2:
        return float("nan")
    grand = x.mean()
    between = k * np.sum((x.mean(axis=1) - grand) ** 2) / (n - 1)
    coders = n * np.sum((x.mean(axis=0) - grand) ** 2) / (k - 1)
    rest = x - x.mean(axis=1, keepdims=True) - x.mean(axis=0, keepdims=True) + grand
    error = np.sum(rest**2) / ((n - 1) * (k - 1))
    denominator = between + (k - 1) * error + k * (coders - error) / n
    return float((between - error) / denominator) if denominator > 0 else float("nan")


def pair_sums(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """
    Add up two coders' measurements of the same events, enough for `icc_of_sums` and `mean_difference_of_sums`.

    Parameters
    ----------
    first, second : (n_events,)
        Measurements, best from a near zero (the start of the trial), so that squares keep their digits.

    Returns
    -------
    (7,)
        ``n``, sums of first, second, first squared, second squared, product, absolute differences.

    Raises
    ------
    ValueError
        If the lengths differ.

    Examples
    --------
    >>> pair_sums([1.0, 2.0], [1.5, 2.0]).tolist()
    [2.0, 3.0, 3.5, 5.0, 6.25, 5.5, 0.5]
    """
    a, b = (np.asarray(x, dtype=np.float64).ravel() for x in (first, second))
    if a.shape != b.shape:
        raise ValueError(f"expected the same events from both coders, got {len(a)} and {len(b)} measurements")
    return np.array([len(a), a.sum(), b.sum(), a @ a, b @ b, a @ b, np.abs(b - a).sum()])


def icc_of_sums(sums: ArrayLike) -> NDArray[np.float64]:
    """
    ICC(2,1) of two coders from pooled `pair_sums`.

    Parameters
    ----------
    sums : (..., 7)
        Of subjects, added up.

    Returns
    -------
    (...)
        As `icc_agreement`.

    Examples
    --------
    >>> a, b = [1.0, 2.0, 3.0], [1.1, 2.3, 2.9]
    >>> bool(abs(icc_of_sums(pair_sums(a, b)) - icc_agreement(np.transpose([a, b]))) < 1e-9)
    True
    """
    n, x, y, xx, yy, xy, _ = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        grand = (x + y) / (2 * n)
        rows = 2 * ((xx + 2 * xy + yy) / 4 - n * grand**2)
        coders = n * ((x / n - grand) ** 2 + (y / n - grand) ** 2)
        error = np.maximum(xx + yy - 2 * n * grand**2 - rows - coders, 0.0) / (n - 1)
        between = np.maximum(rows, 0.0) / (n - 1)
        denominator = between + error + 2 * (coders - error) / n
        return np.asarray(np.where((n > 1) & (denominator > 1e-12), (between - error) / denominator, np.nan))


def mean_difference_of_sums(sums: ArrayLike, *, absolute: bool) -> NDArray[np.float64]:
    """
    Mean difference, second coder minus first, or mean absolute difference, from pooled `pair_sums`.

    Parameters
    ----------
    sums : (..., 7)
        Of subjects, added up.
    absolute
        Of absolute differences.

    Returns
    -------
    (...)
        In the unit of the measurements; NaN without events.

    Examples
    --------
    >>> sums = pair_sums([1.0, 2.0], [1.5, 1.5])
    >>> float(mean_difference_of_sums(sums, absolute=False)), float(mean_difference_of_sums(sums, absolute=True))
    (0.0, 0.5)
    """
    s = np.asarray(sums, dtype=np.float64)
    return ratio_of_counts(np.stack([s[..., 6] if absolute else s[..., 2] - s[..., 1], s[..., 0]], axis=-1))


def ratio_of_counts(counts: ArrayLike) -> NDArray[np.float64]:
    """
    Divide one sum by another; 0/0 is NaN.

    Parameters
    ----------
    counts : (..., 2)
        Numerator and denominator.

    Examples
    --------
    >>> ratio_of_counts([[1, 2], [0, 0]]).tolist()
    [0.5, nan]
    """
    c = np.asarray(counts, dtype=np.float64)
    return np.divide(c[..., 0], c[..., 1], out=np.full(c.shape[:-1], np.nan), where=c[..., 1] > 0)


def interval_over_subjects(
    counts: ArrayLike,
    score: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    n_draws: int = 2_000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """
    Interval of a score from resampling subjects, where the score is undefined in a few draws.

    Parameters
    ----------
    counts : (n_subjects, ...)
        Counts or sums of each subject.
    score
        From pooled counts ``(n_draws, ...)`` to ``(n_draws,)``.
    n_draws, level, seed
        As in `mmme.metrics.uncertainty.bootstrap_interval`.

    Returns
    -------
    low, high
        Of the draws in which the score is defined; NaN with a single subject, or where it is undefined in over 5 %.

    Examples
    --------
    >>> low, high = interval_over_subjects([[1, 2], [3, 4], [0, 0]], ratio_of_counts)
    >>> low, high
    (0.5, 0.75)
    """
    counts = np.asarray(counts, dtype=np.float64)
    if len(counts) < 2:
        return float("nan"), float("nan")
    draws = np.asarray(score(bootstrap_totals(counts, n_draws, seed=seed)))
    defined = draws[np.isfinite(draws)]
    if len(defined) < (1 - _MOST_UNDEFINED) * n_draws:
        return float("nan"), float("nan")
    return percentile_interval(defined, level=level)
