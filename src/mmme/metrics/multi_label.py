"""
Scores of several yes-or-no labels at once, such as which action units were seen.

Conventions
-----------
- Counts per label are ``(..., n_labels, 4)``: hits, false alarms, misses, correct rejections, added up over all folds.
- F1 of a label that occurs nowhere and is predicted nowhere is not defined and NaN, never 0 or 1; `macro_f1` is the mean
  over labels that occur, so name those that do not.
- The area under the ROC curve compares samples of one subject only. Over folds that leave a subject out it would be biased:
  who shows a label often lacks in the training rows, whose models then hold it for rare. In 200 simulated studies of 12
  subjects without any relation its mean was 0.46 over all pairs and 0.50 within subjects; the 95 % interval from resampling
  subjects held 0.5 in 80 % of them, as folds hang together.

References
----------
Zhang & Zhou (2014), A review on multi-label learning algorithms, doi:10.1109/TKDE.2013.39.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "MULTI_LABEL_SCORES",
    "area_within",
    "counts_by_subject",
    "f1_per_label",
    "macro_f1",
    "ordered_pairs",
    "permuted_macro_f1",
]

Floats = NDArray[np.float64]
HITS, FALSE_ALARMS, MISSES, REJECTIONS = range(4)
CHUNK = 4_000_000


def _presence(values: ArrayLike, name: str) -> NDArray[np.bool_]:
    array = np.asarray(values)
    if array.ndim != 2 or array.dtype != np.bool_:
        raise ValueError(f"{name}: expected yes or no (bool) as (n_samples, n_labels), got {array.dtype} {array.shape}")
    return array


def counts_by_subject(truth: ArrayLike, pred: ArrayLike, subjects: ArrayLike) -> tuple[tuple[str, ...], Floats]:
    """
    Count hits, false alarms, misses and correct rejections of each label per subject, and rows that are right as a whole.

    Parameters
    ----------
    truth, pred : (n_samples, n_labels) bool
        Whether each label is, and was said to be, present.
    subjects : (n_samples,)
        Whose sample it is.

    Returns
    -------
    names : (n_subjects,)
        In sorted order.
    counts : (n_subjects, n_labels + 1, 4)
        The last row counts samples: right in all labels, 0, 0, wrong in any.

    Raises
    ------
    ValueError
        If shapes differ or values are not bool.

    Examples
    --------
    >>> names, counts = counts_by_subject([[True, False], [True, True]], [[True, True], [False, True]], ["S1", "S1"])
    >>> counts[0].tolist()
    [[1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 2.0]]
    """
    t, p, who = _presence(truth, "truth"), _presence(pred, "pred"), np.asarray(subjects)
    if t.shape != p.shape or len(who) != len(t):
        raise ValueError(f"expected predictions and subjects for truth {t.shape}, got {p.shape} and {len(who)}")
    cells = np.stack([t & p, ~t & p, t & ~p, ~t & ~p], axis=2).astype(np.float64)
    right = (t == p).all(axis=1)
    whole = np.zeros((len(t), 1, 4))
    whole[:, 0, HITS], whole[:, 0, REJECTIONS] = right, ~right
    names, place = np.unique(who, return_inverse=True)
    counts = np.zeros((len(names), t.shape[1] + 1, 4))
    np.add.at(counts, place, np.concatenate([cells, whole], axis=1))
    return tuple(str(n) for n in names), counts


def f1_per_label(counts: ArrayLike) -> Floats:
    """
    F1 of each label, ``(..., n_labels)``; NaN where it neither occurs nor is predicted.

    Examples
    --------
    >>> f1_per_label([[1, 1, 0, 5], [0, 0, 0, 7]]).round(3).tolist()
    [0.667, nan]
    """
    c = np.asarray(counts, dtype=np.float64)
    below = 2 * c[..., HITS] + c[..., FALSE_ALARMS] + c[..., MISSES]
    return np.divide(2 * c[..., HITS], below, out=np.full(below.shape, np.nan), where=below > 0)


def macro_f1(counts: ArrayLike) -> Floats:
    """
    Mean F1 over the labels that occur or are predicted; NaN where none does.

    Examples
    --------
    >>> float(macro_f1([[1, 0, 0, 5], [0, 1, 1, 4]]))
    0.5
    """
    f1 = f1_per_label(counts)
    known = np.isfinite(f1)
    n = known.sum(axis=-1)
    total = np.where(known, f1, 0.0).sum(axis=-1)
    return np.asarray(np.divide(total, n, out=np.full(np.shape(n), np.nan), where=n > 0))


def _micro_f1(counts: Floats) -> Floats:
    return f1_per_label(counts.sum(axis=-2))


def _exact(counts: Floats) -> Floats:
    return counts[..., -1, HITS] / counts[..., -1, :].sum(axis=-1)


def _hamming(counts: Floats) -> Floats:
    labels = counts[..., :-1, :]
    return labels[..., (FALSE_ALARMS, MISSES)].sum(axis=(-1, -2)) / labels.sum(axis=(-1, -2))


#: From counts of `counts_by_subject`, added up over subjects or draws of them, ``(..., n_labels + 1, 4)``.
MULTI_LABEL_SCORES: Mapping[str, Callable[[Floats], Floats]] = MappingProxyType(
    {
        "macro F1": lambda c: macro_f1(c[..., :-1, :]),
        "micro F1": lambda c: _micro_f1(c[..., :-1, :]),
        "exact match": _exact,
        "Hamming loss": _hamming,
    }
)


def ordered_pairs(truth: ArrayLike, values: ArrayLike, subjects: ArrayLike) -> Floats:
    """
    Count, in each subject, how often a sample with the label has a higher value than one without; ties count half.

    The first column over the second, both added up over subjects, is the area under the ROC curve within subjects.

    Parameters
    ----------
    truth : (n_samples,) bool
        Whether the label is present.
    values : (n_samples,)
        Higher where it is held for likely.
    subjects : (n_samples,)
        Whose sample it is.

    Returns
    -------
    (n_subjects, 2)
        Pairs in the right order, and pairs; subjects in sorted order.

    Examples
    --------
    >>> ordered_pairs([True, False, True, False], [0.9, 0.5, 0.5, 0.1], ["S1"] * 4).tolist()
    [[3.5, 4.0]]
    """
    y, v, who = np.asarray(truth, dtype=bool), np.asarray(values, dtype=np.float64), np.asarray(subjects)
    out = []
    for name in np.unique(who):
        with_, without = v[(who == name) & y], v[(who == name) & ~y]
        apart = np.sign(with_[:, None] - without[None])
        out.append((float((apart + 1).sum() / 2), float(apart.size)))
    return np.array(out).reshape(-1, 2)


def area_within(pairs: ArrayLike) -> Floats:
    """
    Area under the ROC curve within subjects from `ordered_pairs`, added up, ``(..., 2)``; NaN where there is no pair.

    Examples
    --------
    >>> float(area_within([3.5, 4.0]))
    0.875
    """
    counts = np.asarray(pairs, dtype=np.float64)
    return np.divide(counts[..., 0], counts[..., 1], out=np.full(counts.shape[:-1], np.nan), where=counts[..., 1] > 0)


def permuted_macro_f1(truth: ArrayLike, pred: ArrayLike, n_draws: int, *, seed: int = 0) -> Floats:
    """
    Macro F1 of predictions against exchanged truths; labels of a sample stay together.

    Parameters
    ----------
    truth, pred : (n_samples, n_labels) bool
        As in `counts_by_subject`.
    n_draws, seed
        Permutations.

    Returns
    -------
    (n_draws,)

    Examples
    --------
    >>> draws = permuted_macro_f1([[True], [False]] * 4, [[True], [False]] * 4, 200)
    >>> 0.3 < float(draws.mean()) < 0.7
    True
    """
    t, p = _presence(truth, "truth"), _presence(pred, "pred")
    rng = np.random.default_rng(seed)
    said, there = p.sum(axis=0).astype(np.float64), t.sum(axis=0).astype(np.float64)
    size = max(1, CHUNK // max(1, t.size))
    out = np.empty(n_draws)
    for start in range(0, n_draws, size):
        many = min(size, n_draws - start)
        order = np.argsort(rng.random((many, len(t))), axis=1)
        hits = np.einsum("dnl,nl->dl", t[order].astype(np.float64), p.astype(np.float64))
        counts = np.stack([hits, said - hits, there - hits, np.zeros_like(hits)], axis=2)
        out[start : start + many] = macro_f1(counts)
    return out
