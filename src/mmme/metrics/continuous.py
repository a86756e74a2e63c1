"""
Scores of predicted ratings, such as valence and arousal.

All follow from sums over samples, kept per subject, so that thousands of resampled sums are scored in one call. The
concordance correlation punishes a wrong mean and a wrong spread as well as a weak relation; the correlation does not.

References
----------
Lin (1989), A concordance correlation coefficient to evaluate reproducibility, Biometrics 45, 255-268, doi:10.2307/2532051.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["CONTINUOUS_SCORES", "concordance", "correlation", "permuted_concordance", "sums_by_subject"]

Floats = NDArray[np.float64]
#: Share of a mean square that rounding may leave of a variance.
ROUNDING = 1e-12
N, T, P, TT, PP, TP, ABS, SQUARE, BASE = range(9)


def sums_by_subject(
    truth: ArrayLike, pred: ArrayLike, subjects: ArrayLike, baseline: ArrayLike
) -> tuple[tuple[str, ...], Floats]:
    """
    Add up per subject what all scores follow from.

    Parameters
    ----------
    truth, pred : (n_samples,)
        Ratings, finite.
    subjects : (n_samples,)
        Whose sample it is.
    baseline : (n_samples,)
        Mean rating of the training samples of each sample's fold: what a model without any input would say.

    Returns
    -------
    names : (n_subjects,)
        In sorted order.
    sums : (n_subjects, 9)
        Number; sums of truth, prediction, their squares and product, absolute and squared error, squared error of the
        baseline. Ratings are taken about their pooled mean first, for the sake of rounding.

    Raises
    ------
    ValueError
        If lengths differ or a value is not finite.

    Examples
    --------
    >>> names, sums = sums_by_subject([1, 3], [1, 2], ["S1", "S2"], [2, 2])
    >>> names, sums[:, 6].tolist()
    (('S1', 'S2'), [0.0, 1.0])
    """
    t, p, base = (np.asarray(x, dtype=np.float64) for x in (truth, pred, baseline))
    who = np.asarray(subjects)
    if not len(t) == len(p) == len(who) == len(base):
        raise ValueError(
            f"expected as many predictions, subjects and baselines as truths, got {len(t)}, {len(p)}, {len(who)}"
        )
    if not (np.isfinite(t).all() and np.isfinite(p).all() and np.isfinite(base).all()):
        raise ValueError("ratings: expected finite values, got some that are not")
    names, place = np.unique(who, return_inverse=True)
    middle = t.mean() if len(t) else 0.0
    a, b = t - middle, p - middle
    each = np.stack([np.ones(len(t)), a, b, a * a, b * b, a * b, np.abs(t - p), (t - p) ** 2, (t - base) ** 2], axis=1)
    sums = np.zeros((len(names), each.shape[1]))
    np.add.at(sums, place, each)
    return tuple(str(n) for n in names), sums


def _moments(sums: ArrayLike) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Means, variances and covariance, all divided by the number of samples."""
    s = np.asarray(sums, dtype=np.float64)
    n = np.maximum(s[..., N], 1)
    t, p = s[..., T] / n, s[..., P] / n
    return t, p, _variance(s[..., TT] / n, t), _variance(s[..., PP] / n, p), s[..., TP] / n - t * p


def _variance(square: Floats, mean: Floats) -> Floats:
    """Mean square less squared mean; what is left by rounding alone is none."""
    left = square - mean**2
    return np.where(left > ROUNDING * square, left, 0.0)


def _ratio(above: Floats, below: Floats) -> Floats:
    small = np.finfo(np.float64).eps * 64
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.abs(below) > small)


def concordance(sums: ArrayLike) -> Floats:
    """
    Concordance correlation coefficient (CCC), -1 to 1; NaN where neither truth nor prediction vary or differ.

    Examples
    --------
    >>> _, sums = sums_by_subject([1, 2, 3], [2, 3, 4], ["S1"] * 3, [2, 2, 2])
    >>> round(float(concordance(sums.sum(axis=0))), 4)  # 2 * 2/3 / (2/3 + 2/3 + 1)
    0.5714
    """
    t, p, tt, pp, tp = _moments(sums)
    return _ratio(2 * tp, tt + pp + (t - p) ** 2)


def correlation(sums: ArrayLike) -> Floats:
    """
    Pearson's correlation, -1 to 1; NaN where truth or prediction do not vary.

    Examples
    --------
    >>> _, sums = sums_by_subject([1, 2, 3], [2, 4, 6], ["S1"] * 3, [2, 2, 2])
    >>> round(float(correlation(sums.sum(axis=0))), 6)
    1.0
    """
    _, _, tt, pp, tp = _moments(sums)
    return _ratio(tp, np.sqrt(np.maximum(tt * pp, 0)))


def _mean_of(column: int, sums: Floats) -> Floats:
    return _ratio(sums[..., column], sums[..., N])


#: From sums of `sums_by_subject`, added up over subjects or draws of them. ``R2`` is against the mean of the training rows.
CONTINUOUS_SCORES: Mapping[str, Callable[[Floats], Floats]] = MappingProxyType(
    {
        "CCC": concordance,
        "correlation": correlation,
        "MAE": lambda s: _mean_of(ABS, s),
        "RMSE": lambda s: np.sqrt(_mean_of(SQUARE, s)),
        "R2": lambda s: 1 - _ratio(s[..., SQUARE], s[..., BASE]),
    }
)


def permuted_concordance(truth: ArrayLike, pred: ArrayLike, n_draws: int, *, seed: int = 0) -> Floats:
    """
    CCC of predictions with exchanged truths, ``(n_draws,)``.

    Examples
    --------
    >>> draws = permuted_concordance([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0], 500)
    >>> abs(float(draws.mean())) < 0.2
    True
    """
    t, p = np.asarray(truth, dtype=np.float64), np.asarray(pred, dtype=np.float64)
    rng = np.random.default_rng(seed)
    products = np.array([rng.permutation(t) @ p for _ in range(n_draws)]) / max(1, len(t))
    covariance = products - t.mean() * p.mean()
    return _ratio(2 * covariance, np.full(n_draws, t.var() + p.var() + (t.mean() - p.mean()) ** 2))
