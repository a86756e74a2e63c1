"""Scores, and everything needed to believe, recompute and repeat them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mmme.errors import DataError

__all__ = ["Result", "Score"]


@dataclass(frozen=True, slots=True)
class Score:
    """
    One number with its 95 % interval.

    Parameters
    ----------
    name
        For example ``UF1``.
    value
        Between 0 and 1 unless the name says otherwise.
    low, high
        Ends of the interval from resampling subjects.
    group
        ``all``, or one value of a stratum such as ``casme2``.
    n
        Samples (or intervals) behind it.
    """

    name: str
    value: float
    low: float
    high: float
    group: str = "all"
    n: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """
    Everything needed to believe, recompute and repeat an evaluation.

    Parameters
    ----------
    task
        ``recognition`` of classes, ``spotting``, presence of ``action-units``, or ``ratings``.
    title
        One line for tables and reports, for example ``face``.
    dataset
        Name, path and SHA-256 of what was evaluated, and ``simulated`` where it was.
    protocol
        Name of the split, for example ``loso``, with what it left out.
    model
        Name and parameters.
    config
        The resolved run configuration.
    seed
        Of everything random.
    predictions
        Columns of equal length, one row per spotted interval (spotting) or per sample (all others).
    truth
        Columns of equal length for spotting: the coded intervals; empty for all others, whose truth is among the columns.
    scores
        With intervals, recomputed from the predictions.
    chance
        Chance level by score name: mean, 95th percentile and p of the permutation.
    versions
        Of Python and the packages that can change a number.
    """

    task: Literal["recognition", "spotting", "action-units", "ratings"]
    title: str
    dataset: Mapping[str, Any]
    protocol: Mapping[str, Any]
    model: Mapping[str, Any]
    config: Mapping[str, Any]
    seed: int
    predictions: Mapping[str, Sequence[Any]]
    truth: Mapping[str, Sequence[Any]]
    scores: tuple[Score, ...]
    chance: Mapping[str, Mapping[str, float]]
    versions: Mapping[str, str]

    def score(self, name: str, group: str = "all") -> Score:
        """Return the score of that name and group; `DataError` lists what there is when it is missing."""
        for score in self.scores:
            if score.name == name and score.group == group:
                return score
        have = ", ".join(f"{s.name} ({s.group})" for s in self.scores)
        raise DataError(f"result '{self.title}': expected a score {name} ({group}), got {have}")
