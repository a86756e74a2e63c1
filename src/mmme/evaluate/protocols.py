"""
Which rows are trained on and which are tested, and what would make that dishonest.

A protocol is a name and the thing it keeps apart. All but ``random-kfold`` keep something apart; that one exists to show
what ignoring subjects is worth.

Rows that describe one event (both coders' copies, the same clip twice) carry one name in the stratum ``event``; they lie on
one side under every protocol.
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

__all__ = ["PROTOCOLS", "Protocol", "Split", "check_estimator", "check_split", "named_protocol", "splits"]


Apart = Literal["subject", "stimulus", "subject and stimulus", "dataset", "split", "nothing"]

#: What `check_split` looks for on both sides.
KEPT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "subject": ("subject",),
        "stimulus": ("stimulus",),
        "subject and stimulus": ("subject", "stimulus"),
        "dataset": ("dataset", "subject"),
        "split": ("subject",),
        "nothing": (),
    }
)


@dataclass(frozen=True, slots=True)
class Protocol:
    """
    How rows are divided.

    Parameters
    ----------
    name
        Name in results, for example ``loso``.
    apart
        What never lies on both sides of a split: ``subject``, ``stimulus``, ``subject and stimulus``, ``dataset`` (and with
        it the subjects), ``split`` (rows are trained on or tested as the stratum ``split`` says), or ``nothing``.
    n_folds
        Number of folds, or None for one fold per subject, stimulus, pair of both, or data set.
    needs
        Strata that a table must have.

    Examples
    --------
    >>> Protocol("subject-kfold", "subject", 5).n_folds
    5
    """

    name: str
    apart: Apart
    n_folds: int | None = None
    needs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse one fold, and rows left out one by one."""
        if self.n_folds is not None and self.n_folds < 2:
            raise ConfigError(f"protocol '{self.name}': expected at least 2 folds, got {self.n_folds}")
        if self.n_folds is None and self.apart == "nothing":
            raise ConfigError(f"protocol '{self.name}': expected a number of folds where nothing is kept apart, got none")
        if self.n_folds is not None and self.apart in ("subject and stimulus", "split"):
            raise ConfigError(
                f"protocol '{self.name}': expected no number of folds, which follows from the rows, got {self.n_folds}"
            )

    @property
    def description(self) -> str:
        """One sentence for reports."""
        if self.apart == "nothing":
            return f"Rows dealt at random to {self.n_folds} folds: subjects are on both sides, which flatters every score."
        if self.apart == "split":
            return (
                "One fixed split: rows are trained on or tested as the data set's owners say; no subject is on both sides."
            )
        if self.n_folds:
            return f"{self.apart.capitalize()} groups dealt to {self.n_folds} folds; no {self.apart} is on both sides."
        if self.apart == "subject and stimulus":
            return (
                "Leave one subject and one video out: each subject's answer to a video is tested by a model that saw "
                "neither, so that it can lean on no face and no film."
            )
        if self.apart == "dataset":
            return (
                "Leave one data set out: each is tested by a model that was fitted on all others, unseen faces and cameras."
            )
        if "dataset" in self.needs:
            return (
                "Leave one subject out of the composite of all data sets; scores over all, and for each data set from the "
                "same folds."
            )
        note = "" if self.apart == "subject" else " Subjects are on both sides, which flatters every score."
        return f"Leave one {self.apart} out: each is tested by a model that was fitted on all others.{note}"


PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        "loso": Protocol("loso", "subject"),
        "lovo": Protocol("lovo", "stimulus"),
        "losovo": Protocol("losovo", "subject and stimulus"),
        "composite": Protocol("composite", "subject", needs=("dataset",)),
        "cross-dataset": Protocol("cross-dataset", "dataset", needs=("dataset",)),
        "fixed-split": Protocol("fixed-split", "split", needs=("split",)),
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
    Divide the rows of a table into folds; every row is tested exactly once, but for a fixed split.

    Parameters
    ----------
    table
        Whose subjects, stimuli and strata decide.
    protocol
        ``loso`` (leave one subject out), ``lovo`` (leave one video, that is stimulus, out), ``losovo`` (test one subject's
        rows of one video with a model that saw neither), ``composite`` (LOSO over several data sets, as MEGC2019),
        ``cross-dataset`` (leave one data set out), ``fixed-split`` (stratum ``split``: ``train``, ``test`` or blank for
        neither), ``subject-kfold`` (ten groups of subjects), ``random-kfold`` (ten groups of rows: subjects on both sides,
        shows the leak), or an own `Protocol`.
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
        If there are fewer subjects, stimuli, data sets or rows than folds, or fewer than 2; if the table lacks a stratum
        that the protocol needs; or if a split would have something on both sides that the protocol keeps apart.

    Examples
    --------
    >>> table = FeatureTable.build(np.ones((3, 1)), ["hr"], "abc", ["S1", "S1", "S2"], ["v", "w", "v"], ["pos"] * 3)
    >>> [(s.name, s.train.tolist(), s.test.tolist()) for s in splits(table)]
    [('S1', [2], [0, 1]), ('S2', [0, 1], [2])]
    >>> [(s.name, s.train.tolist(), s.test.tolist()) for s in splits(table.rows([1, 2]), "losovo")]
    [('S1 w', [1], [0]), ('S2 v', [0], [1])]
    """
    protocol = named_protocol(protocol)
    if lacking := [name for name in protocol.needs if name not in table.strata]:
        have = ", ".join(sorted(table.strata)) or "none"
        raise ProtocolError(
            f"protocol '{protocol.name}': expected the stratum {', '.join(lacking)} in the table, got {have}"
        )
    if protocol.apart == "split":
        made = [_fixed(table, protocol.name)]
    elif protocol.apart == "subject and stimulus":
        made = _pairs(table, protocol.name)
    else:
        made = _folds(table, protocol, seed)
    for split in made:
        check_split(split, table, protocol)
    return made


def _values(table: FeatureTable, what: str) -> NDArray[Any]:
    """Return the name of each row's subject, stimulus, or whatever a stratum says."""
    return (
        {"subject": table.subjects, "stimulus": table.stimuli}[what]
        if what in ("subject", "stimulus")
        else table.strata[what]
    )


def _events(table: FeatureTable) -> NDArray[np.str_]:
    """Return the event of each row; a row whose event is blank is its own."""
    event = table.strata["event"]
    return np.where(event == "", np.asarray([f"row {name}" for name in table.trial_ids]), event)


def _folds(table: FeatureTable, protocol: Protocol, seed: int) -> list[Split]:
    """One fold per name of what is kept apart, or per group of names."""
    if protocol.apart == "nothing":
        values = _events(table) if "event" in table.strata else np.arange(len(table))
    else:
        values = _values(table, protocol.apart)
    names, group = np.unique(values, return_inverse=True)
    what = {"subject": "subjects", "stimulus": "stimuli", "dataset": "data sets", "nothing": "rows"}[protocol.apart]
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
    return [Split(label, np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k, label in enumerate(labels)]


def _pairs(table: FeatureTable, name: str) -> list[Split]:
    """One fold per subject and stimulus that occur together; all rows of either are left out of training."""
    n_subjects, n_stimuli = (len(np.unique(v)) for v in (table.subjects, table.stimuli))
    if n_subjects < 2 or n_stimuli < 2:
        raise ProtocolError(f"{name.upper()} needs at least 2 subjects and 2 stimuli, got {n_subjects} and {n_stimuli}")
    pairs = sorted(set(zip(table.subjects.tolist(), table.stimuli.tolist(), strict=True)))
    made = []
    for subject, stimulus in pairs:
        own, seen = table.subjects == subject, table.stimuli == stimulus
        made.append(Split(f"{subject} {stimulus}", np.flatnonzero(~own & ~seen), np.flatnonzero(own & seen)))
    return made


def _fixed(table: FeatureTable, name: str) -> Split:
    """Rows as the stratum ``split`` says."""
    word = table.strata["split"]
    if strange := sorted(set(word.tolist()) - {"train", "test", ""}):
        raise ProtocolError(
            f"protocol '{name}': expected train, test or a blank in the stratum split, got {', '.join(strange)}"
        )
    return Split("test", np.flatnonzero(word == "train"), np.flatnonzero(word == "test"))


def check_split(split: Split, table: FeatureTable, protocol: str | Protocol = "loso") -> None:
    """
    Refuse a split with a row, an event, or the thing its protocol keeps apart, on both sides.

    Raises
    ------
    ProtocolError
        Naming the subject, stimulus, data set, event or row.

    Examples
    --------
    >>> table = FeatureTable.build(np.ones((2, 1)), ["hr"], "ab", ["S1", "S1"], ["v", "w"], ["pos"] * 2)
    >>> check_split(Split("x", np.array([0]), np.array([1])), table)
    Traceback (most recent call last):
        ...
    mmme.errors.ProtocolError: split 'x': expected subject S1 on one side, got it in training and test; ...
    """
    protocol = named_protocol(protocol)
    kept = [(what, _values(table, what)) for what in KEPT[protocol.apart]]
    if "event" in table.strata:
        kept.append(("event", _events(table)))
    for what, values in [*kept, ("row", np.asarray(table.trial_ids, dtype=np.str_))]:
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
