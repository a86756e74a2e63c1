"""Features of samples, with whose they are and which of them can be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError, raise_faults

__all__ = ["FeatureTable"]


@dataclass(frozen=True, slots=True, eq=False)
class FeatureTable:
    """
    Features of samples, with whose they are and which of them can be believed.

    Parameters
    ----------
    X : (n_trials, n_features) or (n_trials, ...) float32
        Feature values, NaN where a feature could not be computed; network inputs are tensors of the same kind.
    columns
        One name per feature; of tensors one per channel (the first axis of a row), or none.
    trial_ids
        One unique row name each: a trial, or ``<trial>#<k>`` for the k-th expression in it.
    subjects, stimuli, labels
        One each per row. Subjects are mandatory: without them no honest split exists.
    reason : (n_trials, n_features) or (n_trials,) uint16
        Index into ``reasons``; 0 is valid.
    reasons
        Why a value is missing; ``reasons[0]`` is the empty string.
    strata
        More labels per row to report scores by, for example ``{"dataset": [...]}``.
    origin
        What the table was made from: data set, revision, parameters.

    Raises
    ------
    DataError
        If lengths differ, row names repeat, a subject is blank, or a value marked valid is not finite.

    Examples
    --------
    >>> t = FeatureTable.build(np.ones((2, 1)), ["hr"], ["a", "b"], ["S1", "S2"], ["v", "v"], ["pos", "neg"])
    >>> t.X.shape, bool(t.valid.all())
    ((2, 1), True)
    """

    X: NDArray[np.float32]
    columns: tuple[str, ...]
    trial_ids: tuple[str, ...]
    subjects: NDArray[np.str_]
    stimuli: NDArray[np.str_]
    labels: NDArray[np.str_]
    reason: NDArray[np.uint16]
    reasons: tuple[str, ...] = ("",)
    strata: Mapping[str, NDArray[np.str_]] = field(default_factory=lambda: MappingProxyType({}))
    origin: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def build(
        cls,
        X: Any,
        columns: Sequence[str],
        trial_ids: Sequence[str],
        subjects: Sequence[str],
        stimuli: Sequence[str],
        labels: Sequence[str],
        *,
        reason: NDArray[np.uint16] | None = None,
        reasons: Sequence[str] = ("",),
        strata: Mapping[str, Sequence[str]] | None = None,
        origin: Mapping[str, str] | None = None,
    ) -> FeatureTable:
        """Convert plain sequences; without ``reason`` every value must be finite."""
        X = np.asarray(X, dtype=np.float32)
        if reason is None:
            reason = np.zeros(X.shape if X.ndim == 2 else X.shape[:1], dtype=np.uint16)
        return cls(
            X=X,
            columns=tuple(columns),
            trial_ids=tuple(trial_ids),
            subjects=np.asarray(subjects, dtype=np.str_),
            stimuli=np.asarray(stimuli, dtype=np.str_),
            labels=np.asarray(labels, dtype=np.str_),
            reason=np.asarray(reason, dtype=np.uint16),
            reasons=tuple(reasons),
            strata=MappingProxyType({k: np.asarray(v, dtype=np.str_) for k, v in (strata or {}).items()}),
            origin=MappingProxyType(dict(origin or {})),
        )

    def __post_init__(self) -> None:
        """Check that every row has its names and every missing value its reason."""
        n = self.X.shape[0]
        lengths = {
            "trial_ids": len(self.trial_ids),
            "subjects": len(self.subjects),
            "stimuli": len(self.stimuli),
            "labels": len(self.labels),
            "reason": self.reason.shape[0],
            **{f"strata '{k}'": len(v) for k, v in self.strata.items()},
        }
        faults = [f"expected {n} {k}, one per row, got {m}" for k, m in lengths.items() if m != n]
        if len(set(self.trial_ids)) != len(self.trial_ids):
            faults.append(f"row names repeat: {len(self.trial_ids) - len(set(self.trial_ids))} more than once")
        if any(not s for s in self.subjects):
            faults.append("expected a subject in every row, got blanks; without subjects no honest split exists")
        if self.X.ndim == 2 and len(self.columns) != self.X.shape[1]:
            faults.append(f"expected {self.X.shape[1]} column names, got {len(self.columns)}")
        if self.X.ndim > 2 and self.columns and len(self.columns) != self.X.shape[1]:
            faults.append(f"expected {self.X.shape[1]} names of channels, got {len(self.columns)}")
        if len(set(self.columns)) != len(self.columns):
            faults.append("column names repeat")
        expected = self.X.shape if self.X.ndim == 2 else self.X.shape[:1]
        if self.reason.shape != expected:
            faults.append(f"expected a reason of shape {expected}, got {self.reason.shape}")
        elif self.reason.size and int(self.reason.max()) >= len(self.reasons):
            faults.append(f"reason {int(self.reason.max())} has no text, there are {len(self.reasons)}")
        elif not faults:
            finite = np.isfinite(self.X if self.X.ndim == 2 else self.X.reshape(n, -1).sum(axis=1))
            if np.any(self.valid & ~finite):
                faults.append(f"{int(np.sum(self.valid & ~finite))} values are NaN or infinite without a reason")
        raise_faults("feature table", faults)

    def __len__(self) -> int:
        """Count rows."""
        return int(self.X.shape[0])

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Mask of ``reason``'s shape: True where the value can be believed."""
        return np.asarray(self.reason == 0)

    def rows(self, index: NDArray[Any]) -> FeatureTable:
        """Table of the rows that ``index`` (positions or a boolean mask) selects."""
        index = np.arange(len(self))[index]
        return replace(
            self,
            X=self.X[index],
            trial_ids=tuple(self.trial_ids[i] for i in index),
            subjects=self.subjects[index],
            stimuli=self.stimuli[index],
            labels=self.labels[index],
            reason=self.reason[index],
            strata=MappingProxyType({k: v[index] for k, v in self.strata.items()}),
        )

    def joined(self, other: FeatureTable) -> FeatureTable:
        """Table with the columns of both; `DataError` unless the rows are the same in the same order."""
        if self.trial_ids != other.trial_ids:
            raise DataError(
                f"feature table: expected the same {len(self)} rows in both tables to join, got {len(other)} others; "
                "were they made from the same samples?"
            )
        table_of = {text: i for i, text in enumerate(self.reasons)}
        reasons = [*self.reasons, *(r for r in other.reasons if r not in table_of)]
        position = np.array([reasons.index(r) for r in other.reasons], dtype=np.uint16)
        return replace(
            self,
            X=np.concatenate([self.X, other.X], axis=1),
            columns=(*self.columns, *other.columns),
            reason=np.concatenate([self.reason, position[other.reason]], axis=1),
            reasons=tuple(reasons),
            strata=MappingProxyType({**other.strata, **self.strata}),
            origin=MappingProxyType({**other.origin, **self.origin}),
        )
