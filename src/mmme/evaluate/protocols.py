"""
Which rows are trained on and which are tested, and what would make that dishonest.

A protocol is a name and the thing it keeps apart. All but ``random-kfold`` keep something apart; that one exists to show
what ignoring subjects is worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError, ProtocolError, unknown_name
from mmme.types import FeatureTable

__all__ = ["PROTOCOLS", "Protocol", "Split", "check_estimator", "check_split", "check_table", "splits"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """
    How rows are divided.

    Parameters
    ----------
    name
        Name in results, for example ``loso``.
    apart
        What never lies on both sides of a split: ``subject``, ``stimulus``, or ``nothing``.
    n_folds
        Number of folds, or None for one fold per subject or stimulus.

    Examples
    --------
    >>> Protocol("subject-kfold", "subject", 5).n_folds
    5
    """

    name: str
    apart: Literal["subject", "stimulus", "nothing"]
    n_folds: int | None = None

    def __post_init__(self) -> None:
        """Refuse one fold, and rows left out one by one."""
        if self.n_folds is not None and self.n_folds < 2:
            raise ConfigError(f"protocol '{self.name}': expected at least 2 folds, got {self.n_folds}")
        if self.n_folds is None and self.apart == "nothing":
            raise ConfigError(f"protocol '{self.name}': expected a number of folds where nothing is kept apart, got none")

    @property
    def description(self) -> str:
        """One sentence for reports."""
        if self.apart == "nothing":
            return f"Rows dealt at random to {self.n_folds} folds: subjects are on both sides, which flatters every score."
        if self.n_folds:
            return f"{self.apart.capitalize()} groups dealt to {self.n_folds} folds; no {self.apart} is on both sides."
        note = "" if self.apart == "subject" else " Subjects are on both sides, which flatters every score."
        return f"Leave one {self.apart} out: each is tested by a model that was fitted on all others.{note}"


PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        "loso": Protocol("loso", "subject"),
        "lovo": Protocol("lovo", "stimulus"),
        "subject-kfold": Protocol("subject-kfold", "subject", 10),
        "random-kfold": Protocol("random-kfold", "nothing", 10),
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """
    One fold.

    Parameters
    ----------
    name
        Who or what is left out, for example ``S03``.
    train, test : (n,)
        Row positions.
    """

    name: str
    train: NDArray[np.intp]
    test: NDArray[np.intp]


def named_protocol(protocol: str | Protocol) -> Protocol:
    """Return the protocol of that name; `ConfigError` with the nearest name otherwise."""
    if isinstance(protocol, Protocol):
        return protocol
    if protocol not in PROTOCOLS:
        raise unknown_name("protocol", protocol, PROTOCOLS)
    return PROTOCOLS[protocol]


def splits(table: FeatureTable, protocol: str | Protocol = "loso", *, seed: int = 0) -> list[Split]:
    """
    Divide the rows of a table into folds; every row is tested exactly once.

    Parameters
    ----------
    table
        Whose subjects and stimuli decide.
    protocol
        ``loso`` (leave one subject out), ``lovo`` (leave one video, that is stimulus, out), ``subject-kfold`` (ten
        groups of subjects), ``random-kfold`` (ten groups of rows: subjects on both sides, shows the leak), or an
        own `Protocol`.
    seed
        Deals subjects or rows to folds where there are fewer folds than subjects.

    Returns
    -------
    list of Split
        In sorted order of what is left out.

    Raises
    ------
    ConfigError
        If the protocol is not known.
    ProtocolError
        If there are fewer subjects, stimuli or rows than folds, or fewer than 2.

    Examples
    --------
    >>> table = FeatureTable.build(np.ones((3, 1)), ["hr"], "abc", ["S1", "S1", "S2"], ["v", "w", "v"], ["pos"] * 3)
    >>> [(s.name, s.train.tolist(), s.test.tolist()) for s in splits(table)]
    [('S1', [2], [0, 1]), ('S2', [0, 1], [2])]
    """
    protocol = named_protocol(protocol)
    values = {"subject": table.subjects, "stimulus": table.stimuli, "nothing": np.arange(len(table))}[protocol.apart]
    names, group = np.unique(values, return_inverse=True)
    what = {"subject": "subjects", "stimulus": "stimuli", "nothing": "rows"}[protocol.apart]
    needed = protocol.n_folds or 2
    if len(names) < needed:
        got = f"{len(names)}: {', '.join(map(str, names))}" if len(names) else "0"
        raise ProtocolError(f"{protocol.name.upper()} needs at least {needed} {what}, got {got}")
    if protocol.n_folds is None:
        fold, labels = group, [str(name) for name in names]
    else:
        dealt = np.empty(len(names), dtype=np.intp)
        dealt[np.random.default_rng(seed).permutation(len(names))] = np.arange(len(names)) % protocol.n_folds
        fold, labels = dealt[group], [f"fold-{k + 1:02d}" for k in range(protocol.n_folds)]
    made = [Split(label, np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k, label in enumerate(labels)]
    for split in made:
        check_split(split, table, protocol)
    return made


def check_split(split: Split, table: FeatureTable, protocol: str | Protocol = "loso") -> None:
    """
    Refuse a split with a row, or the thing its protocol keeps apart, on both sides.

    Raises
    ------
    ProtocolError
        Naming the subject, stimulus or row.

    Examples
    --------
    >>> table = FeatureTable.build(np.ones((2, 1)), ["hr"], "ab", ["S1", "S1"], ["v", "w"], ["pos"] * 2)
    >>> check_split(Split("x", np.array([0]), np.array([1])), table)
    Traceback (most recent call last):
        ...
    mmme.errors.ProtocolError: split 'x': expected subject S1 on one side, got it in training and test; ...
    """
    protocol = named_protocol(protocol)
    rows = np.asarray(table.trial_ids, dtype=np.str_)
    kept = [("row", rows)]
    if protocol.apart != "nothing":
        kept.append((protocol.apart, table.subjects if protocol.apart == "subject" else table.stimuli))
    for what, values in reversed(kept):
        both = np.intersect1d(values[split.train], values[split.test])
        if both.size:
            more = f" and {both.size - 1} more" if both.size > 1 else ""
            raise ProtocolError(
                f"split '{split.name}': expected {what} {both[0]}{more} on one side, got it in training and test; "
                f"divide the rows by {what}"
            )
    if not split.train.size or not split.test.size:
        raise ProtocolError(
            f"split '{split.name}': expected rows on both sides, got {split.train.size} for training and "
            f"{split.test.size} for test"
        )


def check_table(table: FeatureTable) -> None:
    """
    Refuse features that were standardised over all rows, test rows included.

    Columns of mean 0 and standard deviation 1 to five digits do not come from nature. Standardising each subject by
    itself also gives them and uses nobody else's rows; that passes.

    Raises
    ------
    ProtocolError
        If all columns that vary are standardised over the whole table but not within subjects.

    Examples
    --------
    >>> table = FeatureTable.build([[1.0], [3.0]], ["hr"], "ab", ["S1", "S2"], ["v", "v"], ["pos", "neg"])
    >>> check_table(table)
    """
    if table.X.ndim != 2 or len(table) < 10:
        return

    def standardised(X: NDArray[Any]) -> bool:
        X = np.asarray(X, dtype=np.float64)
        X = X[:, np.isfinite(X).all(axis=0)]
        X = X[:, np.ptp(X, axis=0) > 0] if len(X) else X
        if not X.size:
            return False
        return bool(np.all(np.abs(X.mean(axis=0)) < 1e-5) and np.all(np.abs(X.std(axis=0) - 1) < 1e-5))

    if standardised(table.X) and not all(standardised(table.X[table.subjects == s]) for s in np.unique(table.subjects)):
        raise ProtocolError(
            "feature table: expected features as measured, got columns of mean 0 and deviation 1 over all rows, test rows "
            "included; standardise inside the estimator, where it is fitted on training rows only"
        )


def check_estimator(estimator: Any, table: FeatureTable) -> None:
    """
    Refuse an estimator that has seen the test rows: fitted parts that survive cloning, or the table as a parameter.

    Parameters
    ----------
    estimator
        A clone, as it is about to be fitted.
    table
        Of the evaluation.

    Raises
    ------
    ProtocolError
        Naming the part.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> table = FeatureTable.build(np.ones((2, 1)), ["hr"], "ab", ["S1", "S2"], ["v", "v"], ["pos", "neg"])
    >>> check_estimator(LogisticRegression(), table)
    """
    parameters = estimator.get_params(deep=True) if hasattr(estimator, "get_params") else {}
    parts = {"": estimator, **{k: v for k, v in parameters.items() if hasattr(v, "fit")}}
    for name, part in parts.items():
        fitted = [k for k in getattr(part, "__dict__", {}) if k.endswith("_") and not k.startswith("_")]
        if fitted:
            raise ProtocolError(
                f"estimator {name or type(estimator).__name__}: expected an unfitted one, got {', '.join(sorted(fitted))} "
                "after cloning; was it fitted on rows that are now tested?"
            )
    for name, value in parameters.items():
        held = isinstance(value, np.ndarray) and any(
            value.shape == own.shape and np.array_equal(value, own) for own in (table.X, table.labels)
        )
        if held:
            raise ProtocolError(
                f"estimator parameter {name}: expected settings, got the whole table's values, test rows included; "
                "an estimator learns in fit, from training rows only"
            )
