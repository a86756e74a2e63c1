"""
Scores of recognition, from counts.

Conventions
-----------
- Counts are confusion matrices ``(n_classes, n_classes)`` with rows for the truth and columns for the prediction.
- Counts are added up over all folds (over all subjects) first; a score is computed once, from the sum. A mean of fold
  scores is another quantity (lower by about 0.04 UF1 on the MEGC2019 composite) and does not exist here.
- Every class counts, also one that never occurs: 0/0 is 0, for F1 and for recall.
- All scores accept leading axes, so that thousands of resampled matrices are scored in one call.

How published numbers differ
----------------------------
- The MEGC2019 evaluation code skips a class that is absent from a subset (it falls out by an exception), and
  ``sklearn.metrics.balanced_accuracy_score`` does the same for recall; both come out higher than here in that case.
- Several published UARs are mean *precision*, from truth and prediction exchanged (STSTNet: .7605 printed, .7186 true).
  UF1 is the same both ways; UAR is not. Hence rows are the truth, and arguments are called ``truth`` and ``pred``.

References
----------
See et al. (2019), MEGC 2019 - the second facial micro-expressions grand challenge, doi:10.1109/FG.2019.8756611.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["accuracy", "confusion", "confusion_by_subject", "f1_per_class", "recall_per_class", "uar", "uf1"]


def _codes(values: ArrayLike, classes: Sequence[str], name: str) -> NDArray[np.int64]:
    position = {c: i for i, c in enumerate(classes)}
    if len(position) != len(classes):
        raise ValueError(f"classes: expected different names, got {list(classes)}")
    found = np.asarray(values).tolist()
    strange = sorted({str(v) for v in found if v not in position})
    if strange:
        raise ValueError(f"{name}: expected one of {', '.join(map(str, classes))}, got {', '.join(strange)}")
    return np.array([position[v] for v in found], dtype=np.int64)


def confusion_by_subject(
    truth: ArrayLike, pred: ArrayLike, subjects: ArrayLike, classes: Sequence[str]
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """
    Count per subject how often each class was taken for which.

    Parameters
    ----------
    truth, pred : (n_samples,)
        Class names.
    subjects : (n_samples,)
        Whose sample it is.
    classes
        All classes, in the order of rows and columns; also those that do not occur.

    Returns
    -------
    names : (n_subjects,)
        Subjects in sorted order.
    counts : (n_subjects, n_classes, n_classes)
        One matrix per subject; ``counts.sum(axis=0)`` is the pooled matrix.

    Raises
    ------
    ValueError
        If lengths differ or a label is not among the classes.

    Examples
    --------
    >>> names, counts = confusion_by_subject(["a", "b", "a"], ["a", "a", "b"], ["S1", "S1", "S2"], ["a", "b"])
    >>> names, counts.tolist()
    (('S1', 'S2'), [[[1, 0], [1, 0]], [[0, 1], [0, 0]]])
    """
    t, p = _codes(truth, classes, "truth"), _codes(pred, classes, "pred")
    who = np.asarray(subjects)
    if not len(t) == len(p) == len(who):
        raise ValueError(f"expected as many predictions and subjects as truths, got {len(t)}, {len(p)}, {len(who)}")
    names, s = np.unique(who, return_inverse=True)
    shape = (len(names), len(classes), len(classes))
    flat = np.ravel_multi_index((s, t, p), shape) if len(t) else np.zeros(0, dtype=np.int64)
    counts = np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape)
    return tuple(str(n) for n in names), counts.astype(np.int64)


def confusion(truth: ArrayLike, pred: ArrayLike, classes: Sequence[str]) -> NDArray[np.int64]:
    """
    Count how often each class was taken for which: rows are the truth, columns the prediction.

    Parameters
    ----------
    truth, pred : (n_samples,)
        Class names.
    classes
        All classes, in the order of rows and columns.

    Returns
    -------
    (n_classes, n_classes) int64

    Raises
    ------
    ValueError
        If lengths differ or a label is not among the classes.

    Examples
    --------
    >>> confusion(["a", "b", "a"], ["a", "a", "b"], ["a", "b"]).tolist()
    [[1, 1], [1, 0]]
    """
    n = len(np.asarray(truth))
    if n == 0:
        return np.zeros((len(classes), len(classes)), dtype=np.int64)
    return confusion_by_subject(truth, pred, np.zeros(n), classes)[1][0]


def _ratio(numerator: Any, denominator: Any) -> NDArray[np.float64]:
    return np.divide(numerator, denominator, out=np.zeros(np.shape(numerator), dtype=np.float64), where=denominator > 0)


def _square(counts: ArrayLike) -> NDArray[np.float64]:
    counts = np.asarray(counts, dtype=np.float64)
    if counts.ndim < 2 or counts.shape[-1] != counts.shape[-2]:
        raise ValueError(f"counts: expected shape (..., n_classes, n_classes), got {counts.shape}")
    return counts


def f1_per_class(counts: ArrayLike) -> NDArray[np.float64]:
    """
    F1 of each class, ``2 TP / (2 TP + FP + FN)``; 0 for a class that neither occurs nor is predicted.

    Parameters
    ----------
    counts : (..., n_classes, n_classes)
        Pooled confusion counts.

    Returns
    -------
    (..., n_classes)

    Examples
    --------
    >>> f1_per_class([[3, 1], [1, 0]]).tolist()
    [0.75, 0.0]
    """
    counts = _square(counts)
    hit = np.diagonal(counts, axis1=-2, axis2=-1)
    return _ratio(2 * hit, counts.sum(axis=-1) + counts.sum(axis=-2))


def recall_per_class(counts: ArrayLike) -> NDArray[np.float64]:
    """
    Share of each class that was recognised; 0 for a class that does not occur.

    Parameters
    ----------
    counts : (..., n_classes, n_classes)
        Pooled confusion counts.

    Returns
    -------
    (..., n_classes)

    Examples
    --------
    >>> recall_per_class([[3, 1], [1, 0]]).tolist()
    [0.75, 0.0]
    """
    counts = _square(counts)
    return _ratio(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1))


def uf1(counts: ArrayLike) -> NDArray[np.float64]:
    """
    Unweighted F1: F1 per class from pooled counts, then the plain mean over all classes.

    Parameters
    ----------
    counts : (..., n_classes, n_classes)
        Pooled confusion counts.

    Returns
    -------
    (...)
        A single number for a single matrix.

    Examples
    --------
    >>> float(uf1([[219, 22, 9], [40, 62, 7], [21, 3, 59]]).round(4))  # the log of STSTNet's authors
    0.7353
    """
    return f1_per_class(counts).mean(axis=-1)


def uar(counts: ArrayLike) -> NDArray[np.float64]:
    """
    Unweighted average recall over all classes, from pooled counts.

    Parameters
    ----------
    counts : (..., n_classes, n_classes)
        Pooled confusion counts, rows for the truth (with rows and columns exchanged this is mean precision).

    Returns
    -------
    (...)

    Examples
    --------
    >>> float(uar([[219, 22, 9], [40, 62, 7], [21, 3, 59]]).round(4))
    0.7186
    """
    return recall_per_class(counts).mean(axis=-1)


def accuracy(counts: ArrayLike) -> NDArray[np.float64]:
    """
    Share of samples recognised; 0 when there are none.

    Parameters
    ----------
    counts : (..., n_classes, n_classes)
        Pooled confusion counts.

    Returns
    -------
    (...)

    Examples
    --------
    >>> float(accuracy([[219, 22, 9], [40, 62, 7], [21, 3, 59]]).round(4))
    0.7692
    """
    counts = _square(counts)
    return _ratio(np.trace(counts, axis1=-2, axis2=-1), counts.sum(axis=(-2, -1)))
