"""Self-report scales and repeated ratings: internal consistency and all six forms of the intraclass correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import f as f_distribution

__all__ = ["Alpha", "IntraclassCorrelation", "cronbach_alpha", "intraclass_correlations", "likert_counts"]


@dataclass(frozen=True, slots=True)
class Alpha:
    """
    Internal consistency of a scale.

    Parameters
    ----------
    value
        At most 1; NaN where the total does not vary.
    low, high
        95 % interval (Feldt).
    if_left_out
        Alpha without each item, in the order of the items; empty with two items.
    n_subjects, n_items
        Complete rows, and items.
    """

    value: float
    low: float
    high: float
    if_left_out: tuple[float, ...]
    n_subjects: int
    n_items: int


@dataclass(frozen=True, slots=True)
class IntraclassCorrelation:
    """
    One form of the intraclass correlation.

    Parameters
    ----------
    form
        ``ICC(1,1), ICC(2,1), ICC(3,1), ICC(1,k), ICC(2,k), ICC(3,k)`` in the words of Shrout and Fleiss.
    description
        What it generalises to.
    value, low, high
        With the 95 % interval; NaN where nothing varies.
    f, df1, df2, p
        Test against 0.
    """

    form: str
    description: str
    value: float
    low: float
    high: float
    f: float
    df1: int
    df2: int
    p: float


def _complete(ratings: ArrayLike, what: str, columns: str) -> NDArray[np.float64]:
    x = np.asarray(ratings, dtype=np.float64)
    if x.ndim != 2 or x.shape[0] < 2 or x.shape[1] < 2:
        raise ValueError(f"{what}: expected at least 2 rows and 2 {columns}, got shape {x.shape}")
    if not np.isfinite(x).all():
        rows = int((~np.isfinite(x).all(axis=1)).sum())
        raise ValueError(f"{what}: expected complete rows, got {rows} with a missing value; leave them out and say so")
    return x


def _alpha(x: NDArray[np.float64]) -> float:
    k, total = x.shape[1], x.sum(axis=1).var(ddof=1)
    return float(k / (k - 1) * (1.0 - x.var(axis=0, ddof=1).sum() / total)) if total > 0 else float("nan")


def cronbach_alpha(answers: ArrayLike, *, level: float = 0.95) -> Alpha:
    """
    Cronbach's alpha with Feldt's interval.

    Parameters
    ----------
    answers : (n_subjects, n_items)
        Complete rows; items that are worded the other way round must be turned before.
    level
        Of the interval.

    Raises
    ------
    ValueError
        With fewer than two subjects or items, or missing answers.

    References
    ----------
    Cronbach (1951), doi:10.1007/BF02310555. Feldt (1965), doi:10.1007/BF02289499.

    Examples
    --------
    >>> found = cronbach_alpha([[1, 2, 1], [2, 2, 3], [4, 3, 4], [5, 5, 4]])
    >>> round(found.value, 3), round(found.low, 3)
    (0.931, 0.545)
    """
    x = _complete(answers, "alpha", "items")
    n, k = x.shape
    value, tail = _alpha(x), (1.0 - level) / 2.0
    df1, df2 = n - 1, (n - 1) * (k - 1)
    low = 1.0 - (1.0 - value) * float(f_distribution.ppf(1.0 - tail, df1, df2))
    high = 1.0 - (1.0 - value) * float(f_distribution.ppf(tail, df1, df2))
    without = tuple(_alpha(np.delete(x, j, axis=1)) for j in range(k)) if k > 2 else ()
    return Alpha(value, low, high, without, n, k)


def intraclass_correlations(ratings: ArrayLike, *, level: float = 0.95) -> tuple[IntraclassCorrelation, ...]:
    """
    All six forms of Shrout and Fleiss, each with its interval and test.

    Parameters
    ----------
    ratings : (n_targets, n_raters)
        Complete rows.
    level
        Of the intervals.

    Returns
    -------
    tuple of IntraclassCorrelation
        Single ratings first, then means of all raters.

    Raises
    ------
    ValueError
        With fewer than two targets or raters, or missing ratings.

    References
    ----------
    Shrout, Fleiss (1979), Intraclass correlations: uses in assessing rater reliability, doi:10.1037/0033-2909.86.2.420.

    Examples
    --------
    The worked example of the paper.

    >>> six = intraclass_correlations([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])
    >>> [(one.form, round(one.value, 2)) for one in six[:3]]
    [('ICC(1,1)', 0.17), ('ICC(2,1)', 0.29), ('ICC(3,1)', 0.71)]
    """
    x = _complete(ratings, "intraclass correlation", "raters")
    n, k = x.shape
    grand, rows, raters = x.mean(), x.mean(axis=1), x.mean(axis=0)
    between = k * float(((rows - grand) ** 2).sum())
    judges = n * float(((raters - grand) ** 2).sum())
    whole = float(((x - grand) ** 2).sum())
    bms, jms = between / (n - 1), judges / (k - 1)
    wms = (whole - between) / (n * (k - 1))
    ems = max(0.0, whole - between - judges) / ((n - 1) * (k - 1))
    df_between, df_within, df_error = n - 1, n * (k - 1), (n - 1) * (k - 1)
    q = 1.0 - (1.0 - level) / 2.0

    def ratio(above: float, below: float) -> float:
        return above / below if below > 0 else float("nan")

    def one(form: str, text: str, value: float, low: float, high: float, error: float, df: int) -> IntraclassCorrelation:
        f = bms / error if error > 0 else (np.inf if bms > 0 else float("nan"))
        p = float(f_distribution.sf(f, df_between, df))
        return IntraclassCorrelation(form, text, value, low, high, float(f), df_between, df, p)

    f1, f3 = ratio(bms, wms), ratio(bms, ems)
    low1, high1 = f1 / f_distribution.ppf(q, df_between, df_within), f1 * f_distribution.ppf(q, df_within, df_between)
    low3, high3 = f3 / f_distribution.ppf(q, df_between, df_error), f3 * f_distribution.ppf(q, df_error, df_between)
    single2 = ratio(bms - ems, bms + (k - 1) * ems + k * (jms - ems) / n)
    low2, high2 = _form2_interval(n, k, single2, bms, jms, ems, q)

    def mean_of(single: float) -> float:
        return ratio(k * single, 1.0 + (k - 1) * single)

    return (
        one("ICC(1,1)", "one of many raters, each target rated by others; agreement", ratio(bms - wms, bms + (k - 1) * wms),
            (low1 - 1) / (low1 + k - 1), (high1 - 1) / (high1 + k - 1), wms, df_within),
        one("ICC(2,1)", "one of many raters, all rate all; agreement", single2, low2, high2, ems, df_error),
        one("ICC(3,1)", "one of these raters, all rate all; consistency", ratio(bms - ems, bms + (k - 1) * ems),
            (low3 - 1) / (low3 + k - 1), (high3 - 1) / (high3 + k - 1), ems, df_error),
        one("ICC(1,k)", "mean of many raters, each target rated by others; agreement", ratio(bms - wms, bms),
            1 - 1 / low1, 1 - 1 / high1, wms, df_within),
        one("ICC(2,k)", "mean of many raters, all rate all; agreement", ratio(bms - ems, bms + (jms - ems) / n),
            mean_of(low2), mean_of(high2), ems, df_error),
        one("ICC(3,k)", "mean of these raters, all rate all; consistency", ratio(bms - ems, bms),
            1 - 1 / low3, 1 - 1 / high3, ems, df_error),
    )  # fmt: skip


def _form2_interval(n: int, k: int, single: float, bms: float, jms: float, ems: float, q: float) -> tuple[float, float]:
    """Interval of ICC(2,1) with Satterthwaite's degrees of freedom (Shrout and Fleiss, p. 425)."""
    if not ems > 0 or not np.isfinite(single):
        return float("nan"), float("nan")
    fj = jms / ems
    spread = k * single * fj + n * (1 + (k - 1) * single) - k * single
    below = (n - 1) * k**2 * single**2 * fj**2 + (n * (1 + (k - 1) * single) - k * single) ** 2
    v = (k - 1) * (n - 1) * spread**2 / below
    upper, lower = f_distribution.ppf(q, n - 1, v), f_distribution.ppf(q, v, n - 1)
    rest = k * jms + (k * n - k - n) * ems
    return (
        float(n * (bms - upper * ems) / (upper * rest + n * bms)),
        float(n * (lower * bms - ems) / (rest + n * lower * bms)),
    )


def likert_counts(answers: ArrayLike, *, lowest: int, highest: int) -> NDArray[np.int64]:
    """
    Count the answers on each step of a scale.

    Parameters
    ----------
    answers : (n,)
        Whole numbers from ``lowest`` to ``highest``; NaN where nothing was answered, which is counted nowhere.
    lowest, highest
        Ends of the scale.

    Raises
    ------
    ValueError
        If an answer is not on the scale.

    Examples
    --------
    >>> likert_counts([1, 5, 5, float("nan")], lowest=1, highest=5).tolist()
    [1, 0, 0, 0, 2]
    """
    x = np.asarray(answers, dtype=np.float64)
    x = x[np.isfinite(x)]
    off = x[(x < lowest) | (x > highest) | (x != np.round(x))]
    if off.size:
        raise ValueError(f"scale: expected whole numbers from {lowest} to {highest}, got {off[0]:g}")
    return np.bincount(x.astype(np.int64) - lowest, minlength=highest - lowest + 1)
