"""What a spotter is shown and what it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mmme.interval import Interval
from mmme.types.annotation import Kind

__all__ = ["Course", "Proposal", "Spotter"]


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """
    Values of one video through time.

    Parameters
    ----------
    t : (n,) float64
        Times [s], at a steady rate.
    X : (n, n_columns) float32
        Values; NaN where there are none.
    """

    t: NDArray[np.float64]
    X: NDArray[np.float32]

    @property
    def step_s(self) -> float:
        """Distance of the moments [s]."""
        return float(self.t[-1] - self.t[0]) / max(1, len(self.t) - 1)


@dataclass(frozen=True, slots=True)
class Proposal:
    """
    One interval that may be an expression.

    Parameters
    ----------
    kind
        ``micro`` or ``macro``.
    interval
        Onset to offset [s].
    apex
        Moment of the highest score [s].
    score
        0 to 1, higher where it is likelier; comparable between videos.
    """

    kind: Kind
    interval: Interval
    apex: float
    score: float


@runtime_checkable
class Spotter(Protocol):
    """Learns from courses with coded expressions and proposes scored intervals; says nothing of a threshold."""

    def fit(self, courses: Sequence[Course], coded: Sequence[Sequence[tuple[str, Interval]]]) -> Any:
        """Learn from videos and the expressions in each."""

    def propose(self, courses: Sequence[Course]) -> list[list[Proposal]]:
        """Return proposals of each video, none of one kind overlapping much; low scores included."""
