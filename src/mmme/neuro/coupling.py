"""How the face and the body move together: lagged relations, shared information, and what chance gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata
from scipy.stats import t as student

from mmme.errors import DataError

__all__ = [
    "GroupLag",
    "LaggedRelation",
    "canonical_correlation",
    "gaussian_information",
    "group_lag",
    "lagged_relation",
]

LEAST_SUBJECTS = 6


@dataclass(frozen=True, slots=True, eq=False)
class LaggedRelation:
    """
    Correlation of two courses of one subject by lag, and of shifted copies.

    Parameters
    ----------
    lag_s : (n_lags,)
        Positive where the second follows the first [s].
    r : (n_lags,)
        Mean over the pieces.
    null : (n_draws, n_lags) float32
        The same with the second course of each piece turned round by a random time.
    n_pieces
        Used.
    """

    lag_s: NDArray[np.float64]
    r: NDArray[np.float64]
    null: NDArray[np.float32]
    n_pieces: int


def lagged_relation(
    pieces: Sequence[tuple[NDArray[Any], NDArray[Any]]],
    step_s: float,
    *,
    max_lag_s: float = 5.0,
    n_draws: int = 1000,
    seed: int = 0,
) -> LaggedRelation:
    """
    Correlate two courses at every lag, piece by piece.

    Each piece (a trial, or a stretch around an expression) is freed of its mean and slope and correlated around the circle;
    a surrogate turns the second course by a random time beyond the lags that are asked for, which keeps each course's own
    rhythm and breaks what ties them. All turns of a piece are positions of one correlation, so surrogates cost a look-up.

    Parameters
    ----------
    pieces
        First and second course of each, of equal length and without missing values; pieces that do not vary are left out.
    step_s
        Between samples [s].
    max_lag_s
        Longest lag to both sides [s].
    n_draws, seed
        Of the surrogates.

    Raises
    ------
    DataError
        If no piece is longer than six times the longest lag and varies.

    References
    ----------
    Theiler et al. (1992), doi:10.1016/0167-2789(92)90102-S (surrogates). Lancaster et al. (2018),
    doi:10.1016/j.physrep.2018.06.001 (turned copies).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> face = rng.normal(size=(5, 600))
    >>> skin = np.roll(face, 12, axis=1) + rng.normal(size=(5, 600))
    >>> found = lagged_relation(list(zip(face, skin)), 0.1)
    >>> float(found.lag_s[found.r.argmax()].round(1))
    1.2
    """
    n_lags = round(max_lag_s / step_s)
    total, null = np.zeros(2 * n_lags + 1), np.zeros((n_draws, 2 * n_lags + 1))
    rng, used = np.random.default_rng(seed), 0
    offsets = np.arange(-n_lags, n_lags + 1)
    for first, second in pieces:
        n = len(first)
        if n <= 6 * n_lags:
            continue
        a, b = _level(np.asarray(first, dtype=np.float64)), _level(np.asarray(second, dtype=np.float64))
        scale = np.sqrt((a**2).sum() * (b**2).sum())
        if not np.isfinite(scale) or scale <= 1e-12 * n:
            continue
        circle = np.fft.irfft(np.conj(np.fft.rfft(a)) * np.fft.rfft(b), n) / scale
        total += circle[offsets % n]
        turns = rng.integers(2 * n_lags + 1, n - 2 * n_lags, size=n_draws)
        null += circle[(offsets[None, :] + turns[:, None]) % n]
        used += 1
    if not used:
        raise DataError(
            f"lagged relation: expected a piece longer than {6 * n_lags * step_s:g} s in which both courses vary, "
            f"got 0 of {len(pieces)}"
        )
    return LaggedRelation(offsets * step_s, total / used, (null / used).astype(np.float32), used)


def _level(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take mean and slope out."""
    t = np.arange(x.size) - (x.size - 1) / 2.0
    x = x - x.mean()
    return np.asarray(x - t * (t @ x) / (t @ t))


@dataclass(frozen=True, slots=True, eq=False)
class GroupLag:
    """
    Lagged relation over subjects.

    Parameters
    ----------
    lag_s : (n_lags,)
        [s].
    r, low, high : (n_lags,)
        Mean over subjects and its 95 % interval at each lag (Student).
    peak_lag_s, peak_low_s, peak_high_s
        Where |r| is largest, with the 95 % interval from resampling subjects; positive: the body follows the face.
    peak_r
        There.
    observed
        Largest |t| over lags.
    null : (n_draws,)
        The same of surrogates.
    n_subjects
        Behind it.
    """

    lag_s: NDArray[np.float64]
    r: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    peak_lag_s: float
    peak_low_s: float
    peak_high_s: float
    peak_r: float
    observed: float
    null: NDArray[np.float64]
    n_subjects: int


def group_lag(
    subjects: Sequence[LaggedRelation], *, n_draws: int | None = None, n_bootstrap: int = 2000, seed: int = 0
) -> GroupLag:
    """
    Put the lagged relations of subjects together.

    Correlations become Fisher's z; the statistic is the largest |t| of their mean over all lags, compared with that of
    surrogates, in which one surrogate of every subject makes a draw. No lag is chosen beforehand.

    Parameters
    ----------
    subjects
        With equal lags and draws.
    n_draws
        Draws over subjects; more than each subject has surrogates are made by drawing one of each subject anew. None takes
        each surrogate once.
    n_bootstrap, seed
        Of the interval of the peak.

    Raises
    ------
    DataError
        With fewer than six subjects.
    """
    if len(subjects) < LEAST_SUBJECTS:
        raise DataError(f"lagged relation: expected at least {LEAST_SUBJECTS} subjects, got {len(subjects)}")
    lag_s = subjects[0].lag_s
    z = np.arctanh(np.clip([one.r for one in subjects], -0.999999, 0.999999))
    drawn = np.arctanh(np.clip(np.array([one.null for one in subjects], dtype=np.float64), -0.999999, 0.999999))
    mean, sd = z.mean(axis=0), z.std(axis=0, ddof=1)
    half = float(student.isf(0.025, len(z) - 1)) * sd / np.sqrt(len(z))
    # The surrogates' spread stands for that of subjects without a relation, so that one tight lag does not win by itself.
    error = np.sqrt(drawn.var(axis=1, ddof=1).mean()) / np.sqrt(len(z))
    observed = float(np.abs(mean).max() / error)
    rng = np.random.default_rng(seed)
    if n_draws is None:
        together = drawn.mean(axis=0)
    else:
        together = np.zeros((n_draws, lag_s.size))
        for own in drawn:
            together += own[rng.integers(0, len(own), size=n_draws)]
        together /= len(drawn)
    null = np.abs(together).max(axis=1) / error
    peak = int(np.abs(mean).argmax())
    boots = z[rng.integers(0, len(z), size=(n_bootstrap, len(z)))].mean(axis=1) * np.sign(mean[peak])
    low, high = np.percentile(lag_s[boots.argmax(axis=1)], [2.5, 97.5])
    return GroupLag(
        lag_s, np.tanh(mean), np.tanh(mean - half), np.tanh(mean + half), float(lag_s[peak]), float(low), float(high),
        float(np.tanh(mean[peak])), observed, null, len(z),
    )  # fmt: skip


def gaussian_information(x: NDArray[Any], y: NDArray[Any]) -> float:
    """
    Mutual information of two columns by a Gaussian copula [bit]; a lower bound that sees monotone relations.

    Parameters
    ----------
    x, y : (n,)
        Values; at least ten.

    References
    ----------
    Ince et al. (2017), doi:10.1002/hbm.23471.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=500)
    >>> gaussian_information(x, np.exp(x)) > 3, gaussian_information(x, x[::-1]) < 0.05
    (True, True)
    """
    if len(x) != len(y) or len(x) < 10:
        raise DataError(f"information: expected two columns of one length, at least 10, got {len(x)} and {len(y)}")
    a, b = (norm.ppf(rankdata(v) / (len(v) + 1)) for v in (x, y))
    r = float(np.corrcoef(a, b)[0, 1])
    return float(-0.5 * np.log2(max(1.0 - r**2, 1e-12)))


def canonical_correlation(x: NDArray[Any], y: NDArray[Any], *, share: float = 0.95) -> float:
    """
    First canonical correlation of two sets of columns, each reduced to its largest principal components.

    Parameters
    ----------
    x : (n, p)
        First set.
    y : (n, q)
        Second set.
    share
        Of the variance that the components kept have.

    Raises
    ------
    DataError
        If there are no more rows than components.

    References
    ----------
    Hotelling (1936), doi:10.1093/biomet/28.3-4.321.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> common = rng.normal(size=(300, 1))
    >>> x, y = common + 0.5 * rng.normal(size=(300, 3)), common + 0.5 * rng.normal(size=(300, 2))
    >>> 0.8 < canonical_correlation(x, y) < 1.0
    True
    """
    first, second = _components(x, share), _components(y, share)
    if first.shape[0] <= first.shape[1] + second.shape[1]:
        raise DataError(
            f"canonical correlation: expected more rows than components, got {first.shape[0]} rows, "
            f"{first.shape[1]} and {second.shape[1]} components"
        )
    return float(min(1.0, np.linalg.svd(first.T @ second, compute_uv=False)[0]))


def _components(x: NDArray[Any], share: float) -> NDArray[np.float64]:
    """Orthonormal scores of the largest components, ``(n, k)``."""
    x = np.asarray(x, dtype=np.float64)
    x = x - x.mean(axis=0)
    sd = x.std(axis=0)
    u, s, _ = np.linalg.svd(x[:, sd > 0] / sd[sd > 0], full_matrices=False)
    if not s.size:
        return np.zeros((x.shape[0], 0))
    kept = int(np.searchsorted(np.cumsum(s**2) / (s**2).sum(), share) + 1)
    return np.asarray(u[:, :kept])
