"""
What would let a model know its test subjects, and how it is found out.

Three ways in, three checks. A *table* may carry the leak (columns standardised over all rows, an event twice under two
subjects): `check_table`, `copied_rows`, `near_copies`. A *split* may put something on both sides: `check_split`. A
*procedure* may look where it must not (features selected on all labels, the best epoch on the test subject, a threshold, a
seed): `audit` changes what an honest procedure cannot see, and looks whether its predictions move.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmme.errors import ProtocolError
from mmme.evaluate.protocols import Protocol, Split, splits
from mmme.types import FeatureTable, listed

__all__ = ["Audit", "Procedure", "audit", "check_table", "copied_rows", "is_standardised", "near_copies", "row_groups"]

#: Predicts the test rows of one split of a table, doing everything that it does before, too: scaling, selecting, choosing.
Procedure = Callable[[FeatureTable, Split], ArrayLike]

STANDARDISED = 1e-3  # of means and deviations; columns do not come like this from nature
STANDARDISED_SHARE = 0.9
MIN_ROWS = 10  # fewer may have such means by chance
MIN_VALUES = 3  # rows of fewer values are equal by chance
NEAR = 0.25  # of the usual distance to the nearest row
MOST_ROWS = 6000  # beyond, all pairs of rows take too long for a check


def is_standardised(table: FeatureTable) -> bool:
    """
    Tell whether at least nine of ten columns that vary are standardised over all rows, and not within subjects.

    Standardising each subject by itself also gives mean 0 and deviation 1, and uses nobody else's rows; that passes.

    Examples
    --------
    >>> is_standardised(FeatureTable.build([[1.0], [3.0]], ["hr"], "ab", ["S1", "S2"], ["v", "v"], ["pos", "neg"]))
    False
    """
    if table.X.ndim != 2 or len(table) < MIN_ROWS:
        return False
    X = np.asarray(table.X, dtype=np.float64)
    if _standardised_share(X) < STANDARDISED_SHARE:
        return False
    own = [table.subjects == s for s in np.unique(table.subjects)]
    return not (len(own) > 1 and all(_standardised_share(X[rows]) >= STANDARDISED_SHARE for rows in own))


def _standardised_share(X: NDArray[np.float64]) -> float:
    known = np.isfinite(X)
    n = known.sum(axis=0)
    X, known, n = X[:, n > 1], known[:, n > 1], n[n > 1]
    mean = np.where(known, X, 0.0).sum(axis=0) / n
    squares = (np.where(known, X - mean, 0.0) ** 2).sum(axis=0)
    varies = squares > 0
    if not varies.any():
        return 0.0
    off = np.minimum(np.abs(np.sqrt(squares / n) - 1), np.abs(np.sqrt(squares / (n - 1)) - 1))
    return float(np.mean(((np.abs(mean) < STANDARDISED) & (off < STANDARDISED))[varies]))


def row_groups(table: FeatureTable) -> NDArray[np.intp]:
    """
    Give rows with the same values the same number, and -1 to rows of too few values to tell.

    Examples
    --------
    >>> table = FeatureTable.build([[1, 2, 3], [1, 2, 3], [1, 2, 4]], "abc", "xyz", ["S1"] * 3, ["v"] * 3, ["pos"] * 3)
    >>> row_groups(table).tolist()
    [0, 0, 2]
    """
    first: dict[bytes, int] = {}
    group = np.full(len(table), -1)
    for k in range(len(table)):
        row = np.asarray(table.X[k], dtype=np.float32).ravel()
        known = row[np.isfinite(row)]
        if known.size >= MIN_VALUES and np.ptp(known) > 0:
            group[k] = first.setdefault(np.where(np.isfinite(row), row + np.float32(0), np.float32(np.nan)).tobytes(), k)
    return group


def copied_rows(table: FeatureTable) -> list[tuple[int, int]]:
    """
    Find neighbouring pairs of identical rows that belong to different subjects.

    Examples
    --------
    >>> table = FeatureTable.build([[1, 2, 3], [1, 2, 3]], "abc", "xy", ["S1", "S2"], ["v"] * 2, ["pos"] * 2)
    >>> copied_rows(table)
    [(0, 1)]
    """
    group = row_groups(table)
    order = np.argsort(group, kind="stable")
    return [
        (a, b)
        for a, b in pairwise(order.tolist())
        if group[a] >= 0 and group[a] == group[b] and table.subjects[a] != table.subjects[b]
    ]


def near_copies(table: FeatureTable) -> list[tuple[int, int]]:
    """
    Find rows of different subjects that are far closer than rows usually are to their nearest: one event coded twice.

    A second coder's onset differs by a frame or two, and the features of the event by a little. Columns are standardised,
    missing values count as average; a pair is near when its distance is below a quarter of the median distance of a row to
    the nearest row of another subject. Tables of more than 6000 rows or fewer than 10 are not searched.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(20, 30))
    >>> X[19] = X[0] + 0.01
    >>> who = [f"S{k}" for k in range(20)]
    >>> near_copies(FeatureTable.build(X, [f"f{k}" for k in range(30)], range(20), who, ["v"] * 20, ["pos"] * 20))
    [(0, 19)]
    """
    n = len(table)
    if not MIN_ROWS <= n <= MOST_ROWS:
        return []
    X = np.asarray(table.X, dtype=np.float64).reshape(n, -1)
    known = np.isfinite(X)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, X, 0.0).sum(axis=0) / count
    X = np.where(known, X - mean, 0.0)
    deviation = np.sqrt((X**2).sum(axis=0) / count)
    X = X[:, deviation > 0] / deviation[deviation > 0]
    if X.shape[1] < MIN_VALUES:
        return []
    squares = (X**2).sum(axis=1)
    distance = np.sqrt(np.maximum(squares[:, None] + squares - 2 * X @ X.T, 0.0))
    distance[table.subjects[:, None] == table.subjects] = np.inf
    nearest = distance.min(axis=1)
    finite = nearest[np.isfinite(nearest)]
    if not finite.size:
        return []
    a, b = np.nonzero(np.triu(distance < NEAR * np.median(finite), 1))
    return list(zip(a.tolist(), b.tolist(), strict=True))


def check_table(table: FeatureTable) -> None:
    """
    Refuse a table that carries the test rows into training: standardised over all rows, or one row under several subjects.

    Parameters
    ----------
    table
        Of the evaluation.

    Raises
    ------
    ProtocolError
        With the way out.

    Examples
    --------
    >>> check_table(FeatureTable.build([[1.0], [3.0]], ["hr"], "ab", ["S1", "S2"], ["v", "v"], ["pos", "neg"]))
    """
    if is_standardised(table):
        raise ProtocolError(
            "feature table: expected features as measured, got columns of mean 0 and deviation 1 over all rows, test rows "
            "included; standardise inside the estimator, where it is fitted on training rows only"
        )
    if pairs := copied_rows(table):
        named = listed(
            [
                f"{table.trial_ids[a]} ({table.subjects[a]}) and {table.trial_ids[b]} ({table.subjects[b]})"
                for a, b in pairs
            ],
            3,
        )
        raise ProtocolError(
            f"feature table: expected each event once, or under one subject, got {len(pairs)} pairs of identical rows of "
            f"different subjects: {named}; leave the copies out, or give both the subject whose face it is"
        )


@dataclass(frozen=True, slots=True)
class Audit:
    """
    What an audit of a procedure found.

    Parameters
    ----------
    n_folds
        Folds on which it was tried.
    labels
        Folds in which predictions moved when the labels of test rows were changed: the procedure saw the answers.
    others
        Folds in which predictions moved when the values of other test rows were changed: the procedure saw the test
        subject as a whole, by scaling, by subtracting means. Not the answers, but more than a new face gives.
    copies
        Pairs of rows of different subjects that seem to be one event.
    """

    n_folds: int
    labels: tuple[str, ...]
    others: tuple[str, ...]
    copies: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Nothing was found."""
        return not (self.labels or self.others or self.copies)

    def __str__(self) -> str:
        """One sentence."""
        if self.clean:
            return f"no leak found in {self.n_folds} folds: predictions depend on training rows and the row itself only"
        said = []
        if self.labels:
            said.append(f"predictions follow the labels of test rows (folds {listed(self.labels, 3)})")
        if self.others:
            said.append(f"predictions follow other test rows (folds {listed(self.others, 3)})")
        if self.copies:
            said.append(f"rows of different subjects seem to be one event ({listed(self.copies, 3)})")
        return "leak: " + "; ".join(said)


def audit(
    procedure: Procedure,
    table: FeatureTable,
    protocol: str | Protocol = "loso",
    *,
    n_folds: int = 3,
    n_draws: int = 4,
    seed: int = 0,
) -> Audit:
    """
    Look whether a procedure knows what it is tested on.

    In each fold tried, the labels of the test rows are exchanged for other classes: an honest prediction cannot move. Then
    the values of half of the test rows are exchanged for those of training rows: the predictions of the other half cannot
    move. What moves has been seen. The folds with most test rows are tried, which have most to show. The procedure must be
    deterministic under its seed; one that is not is refused.

    Parameters
    ----------
    procedure
        From a table and a split to one class per test row, with everything it does beforehand: whoever scales, selects or
        chooses outside of it is not audited.
    table
        As measured.
    protocol
        Whose folds are tried.
    n_folds
        How many.
    n_draws
        Exchanges of each kind per fold; more find weaker leaks.
    seed
        Of the exchanges.

    Returns
    -------
    Audit

    Raises
    ------
    ProtocolError
        If the procedure gives other predictions for the same input, or not one per test row.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> X = np.random.default_rng(0).normal(size=(40, 3))
    >>> who, y = np.repeat([f"S{k}" for k in range(5)], 8), ["neg", "pos"] * 20
    >>> table = FeatureTable.build(X, list("abc"), range(40), who, ["v"] * 40, y)
    >>> def honest(table, split):
    ...     return GaussianNB().fit(table.X[split.train], table.labels[split.train]).predict(table.X[split.test])
    >>> def scaled_with_test_rows(table, split):
    ...     X = table.X - table.X.mean(axis=0)
    ...     return np.where(X[split.test, 0] > 0, "neg", "pos")
    >>> audit(honest, table).clean, audit(scaled_with_test_rows, table).clean
    (True, False)
    """
    rng = np.random.default_rng(seed)
    classes = np.unique(table.labels)
    folds = sorted(splits(table, protocol), key=lambda s: (-len(s.test), s.name))[:n_folds]
    spread = np.nan_to_num(np.nanstd(table.X, axis=0)) + 1e-3
    by_labels, by_others = [], []
    for split in folds:
        before = _predicted(procedure, table, split)
        if not np.array_equal(before, _predicted(procedure, table, split)):
            raise ProtocolError(
                f"audit, fold {split.name}: expected the same predictions twice, got others; fix its random_state"
            )
        for _ in range(n_draws):
            labels = table.labels.copy()
            shift = rng.integers(1, max(2, len(classes)), size=len(split.test))
            labels[split.test] = classes[(np.searchsorted(classes, labels[split.test]) + shift) % len(classes)]
            if not np.array_equal(before, _predicted(procedure, replace(table, labels=labels), split)):
                by_labels.append(split.name)
                break
        for _ in range(n_draws if len(split.test) > 1 else 0):
            moved = rng.permutation(len(split.test))[: len(split.test) // 2]
            X, reason = table.X.copy(), table.reason.copy()
            source = rng.choice(split.train, size=len(moved))
            # exchanged rows lie far from the others on purpose: a mean or a scale over all test rows has to move
            X[split.test[moved]] = table.X[source] + 30 * spread
            reason[split.test[moved]] = table.reason[source]
            after = _predicted(procedure, replace(table, X=X, reason=reason), split)
            kept = np.setdiff1d(np.arange(len(split.test)), moved)
            if not np.array_equal(before[kept], after[kept]):
                by_others.append(split.name)
                break
    pairs = dict.fromkeys([*copied_rows(table), *near_copies(table)])
    copies = tuple(f"{table.trial_ids[a]} and {table.trial_ids[b]}" for a, b in pairs)
    return Audit(len(folds), tuple(by_labels), tuple(by_others), copies)


def _predicted(procedure: Procedure, table: FeatureTable, split: Split) -> NDArray[Any]:
    pred = np.asarray(procedure(table, split))
    if pred.shape != split.test.shape:
        raise ProtocolError(f"audit, fold {split.name}: expected {len(split.test)} predictions, got {pred.shape}")
    return pred
