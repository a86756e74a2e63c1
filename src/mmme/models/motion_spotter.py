"""The training-free spotter as one that proposes scored intervals: its threshold can be chosen on training subjects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from mmme.errors import DataError
from mmme.features.face.motion import MotionCurve
from mmme.interval import Interval
from mmme.models.spotting import spot
from mmme.types import Course, Proposal

__all__ = ["MotionSpotter"]

#: A bump of so many px has the score 0.5; only the order matters.
HALF_PX = 0.5


class MotionSpotter(BaseEstimator):
    """
    `mmme.models.spotting.spot` on courses of displacement, with thresholds so low that a better one can be chosen.

    Parameters
    ----------
    names
        Of the regions, in the order of the columns: x and y of the first, x and y of the second, ...
    noise, floor_px
        As in `spot`; what stays below is not proposed.

    Examples
    --------
    >>> t = np.arange(0, 6, 1 / 30)
    >>> X = np.zeros((len(t), 6))
    >>> X[:, 1::2] = np.interp(t, [2.0, 2.2, 2.4], [0, 1, 0])[:, None]
    >>> course = Course(t, X.astype(np.float32))
    >>> (found,) = MotionSpotter(("brow-left", "brow-right", "chin")).fit([], []).propose([course])[0]
    >>> found.kind, round(found.apex, 1), 0.5 < found.score < 1
    ('micro', 2.2, True)
    """

    def __init__(self, names: Sequence[str], noise: float = 2.0, floor_px: float = 0.1) -> None:
        self.names = names
        self.noise = noise
        self.floor_px = floor_px

    def fit(self, courses: Sequence[Course], coded: Sequence[Sequence[tuple[str, Interval]]]) -> MotionSpotter:
        """Learn nothing."""
        del courses, coded
        return self

    def propose(self, courses: Sequence[Course]) -> list[list[Proposal]]:
        """
        Return every bump above the low threshold.

        Raises
        ------
        DataError
            If there are not two columns per region.
        """
        return [self._of(course) for course in courses]

    def _of(self, course: Course) -> list[Proposal]:
        n = len(self.names)
        if course.X.shape[1] != 2 * n:
            raise DataError(f"motion spotter: expected x and y of {n} regions, got {course.X.shape[1]} columns")
        moved: Any = course.X.reshape(len(course.t), n, 2).astype(np.float64)
        curve = MotionCurve(course.t, moved, tuple(self.names))
        found = spot(curve, noise=self.noise, floor_px=self.floor_px)
        return [
            Proposal(s.kind, Interval(s.onset, s.offset), s.apex, s.score / (s.score + HALF_PX))
            for s in found
            if s.onset < s.offset
        ]
