"""
What the body knows of an expression, for spotting: proposals of a face are scored again, or let through, by the body.

Both wrap any spotter, learn on proposals that training videos got from spotters that had not seen them, and leave a
proposal as it is where the body says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mmme.errors import DataError
from mmme.interval import Interval
from mmme.types import Course, Proposal

__all__ = ["GatedSpotter", "RescoredSpotter"]

Coded = Sequence[tuple[str, Interval]]
#: A score is moved away from 0 and 1 by this much before its logit is taken.
EDGE = 1e-3
#: A column of the body is used where it is known at so many proposals of the training videos.
LEAST_KNOWN = 0.9
#: Proposals below are hardly ever kept and only slow learning down.
LEAST_SCORE = 0.03


class _BodySpotter(BaseEstimator):
    """What both have in common: columns of face and body, and proposals of videos that were not learned from."""

    spotter: Any
    n_face: int
    n_inner: int

    def _face(self, courses: Sequence[Course]) -> list[Course]:
        if any(course.X.shape[1] <= self.n_face for course in courses):
            raise DataError(
                f"spotting with the body: expected columns of the body after {self.n_face} of the face, got none"
            )
        return [Course(course.t, course.X[:, : self.n_face]) for course in courses]

    def _held_out(self, courses: Sequence[Course], coded: Sequence[Coded]) -> list[list[Proposal]]:
        """Propose in each training video with a spotter that learned from others; videos go to parts in turn."""
        face = self._face(courses)
        proposed: list[list[Proposal]] = [[] for _ in face]
        n_parts = min(self.n_inner, len(face))
        for part in range(n_parts):
            rest = [k for k in range(len(face)) if k % n_parts != part]
            held = [k for k in range(len(face)) if k % n_parts == part]
            if rest and any(len(coded[k]) for k in rest):
                fitted = deepcopy(self.spotter).fit([face[k] for k in rest], [coded[k] for k in rest])
                for k, found in zip(held, fitted.propose([face[k] for k in held]), strict=True):
                    proposed[k] = found
        return proposed

    def _body(self, course: Course, at: Sequence[float]) -> NDArray[np.float64]:
        """Values of the body's columns at moments."""
        nearest = np.clip(np.searchsorted(course.t, at), 0, len(course.t) - 1)
        return np.asarray(course.X[nearest, self.n_face :], dtype=np.float64)


def _hits(proposed: Sequence[Proposal], coded: Coded, min_iou: float) -> NDArray[np.bool_]:
    return np.array(
        [any(k == p.kind and p.interval.iou(i) >= min_iou for k, i in coded) for p in proposed],
        dtype=bool,
    )


class RescoredSpotter(_BodySpotter):
    """
    Late fusion: a proposal's score becomes the probability of a hit given the face's score and the body at its apex.

    Columns of the body that are unknown at more than a tenth of the training proposals are not used.

    Parameters
    ----------
    spotter
        Unfitted; reads the first columns.
    n_face
        How many columns those are; the others are the body's.
    n_inner
        Parts of the training videos on which the probability is learned.
    min_iou
        From which a proposal is a hit.
    C
        Of the logistic regression.

    Examples
    --------
    >>> class Any:
    ...     def fit(self, courses, coded):
    ...         return self
    ...     def propose(self, courses):
    ...         return [[Proposal("micro", Interval(a, a + 0.4), a + 0.2, 0.5) for a in (1.0, 3.0)] for _ in courses]
    >>> t = np.arange(0, 5, 0.1)
    >>> body = np.where(np.abs(t - 1.2) < 0.3, 1.0, 0.0) + np.random.default_rng(0).normal(0, 0.01, len(t))
    >>> course = Course(t, np.stack([np.zeros(len(t)), body], axis=1).astype(np.float32))
    >>> model = RescoredSpotter(Any(), n_face=1).fit([course] * 6, [[("micro", Interval(1.0, 1.4))]] * 6)
    >>> first, second = model.propose([course])[0]
    >>> first.score > 0.7 > 0.3 > second.score
    True
    """

    def __init__(self, spotter: Any, n_face: int, n_inner: int = 3, min_iou: float = 0.5, C: float = 0.3) -> None:
        self.spotter = spotter
        self.n_face = n_face
        self.n_inner = n_inner
        self.min_iou = min_iou
        self.C = C

    def fit(self, courses: Sequence[Course], coded: Sequence[Coded]) -> RescoredSpotter:
        """
        Learn from the face, then what the body adds.

        Raises
        ------
        DataError
            If there are no columns of the body.
        """
        proposed = self._held_out(courses, coded)
        self.rescore_: dict[str, Any] = {}
        self.used_: dict[str, NDArray[np.intp]] = {}
        for kind in sorted({p.kind for found in proposed for p in found}):
            X, y = [], []
            for course, found, own in zip(courses, proposed, coded, strict=True):
                here = [p for p in found if p.kind == kind and p.score >= LEAST_SCORE]
                if here:
                    X.append(self._inputs(course, here))
                    y.append(_hits(here, own, self.min_iou))
            if not X:
                continue
            values, hit = np.concatenate(X), np.concatenate(y)
            self.used_[kind] = np.flatnonzero(np.isfinite(values).mean(axis=0) >= LEAST_KNOWN)
            values = values[:, self.used_[kind]]
            known = np.isfinite(values).all(axis=1)
            if min(hit[known].sum(), (~hit[known]).sum()) >= 5:
                model = make_pipeline(StandardScaler(), LogisticRegression(C=self.C, max_iter=1000))
                self.rescore_[kind] = model.fit(values[known], hit[known])
        self.spotter_ = deepcopy(self.spotter).fit(self._face(courses), coded)
        return self

    def _inputs(self, course: Course, proposed: Sequence[Proposal]) -> NDArray[np.float64]:
        scores = logit(np.clip([p.score for p in proposed], EDGE, 1 - EDGE))
        return np.column_stack([scores, self._body(course, [p.apex for p in proposed])])

    def propose(self, courses: Sequence[Course]) -> list[list[Proposal]]:
        """Return the face's proposals with their new scores; those without values of the body keep the face's."""
        made = []
        for course, found in zip(courses, self.spotter_.propose(self._face(courses)), strict=True):
            own = []
            for p in found:
                model = self.rescore_.get(p.kind)
                x = self._inputs(course, [p])[:, self.used_.get(p.kind, [0])]
                if model is not None and p.score >= LEAST_SCORE and np.isfinite(x).all():
                    score = float(expit(model.decision_function(x)[0]))
                    p = Proposal(p.kind, p.interval, p.apex, score)
                own.append(p)
            made.append(own)
        return made


class GatedSpotter(_BodySpotter):
    """
    The body as a gate: a proposal counts where a column of the body at its apex stands out in its video.

    A proposal is kept where the size of the column (for example the slope of the heart rate) is at least a multiple of its
    mean size in the video. The multiple is chosen on training videos, zero, which lets everything through, among them.

    Parameters
    ----------
    spotter, n_face, n_inner, min_iou
        As in `RescoredSpotter`.
    column
        Of the body, from 0.
    multiples
        To choose from.

    References
    ----------
    The rule with a fixed multiple of 2 is the correlation filter of CMCL-Net.

    Examples
    --------
    >>> GatedSpotter(None, n_face=2).multiples
    (0.0, 0.5, 1.0, 1.5, 2.0)
    """

    def __init__(
        self,
        spotter: Any,
        n_face: int,
        n_inner: int = 3,
        min_iou: float = 0.5,
        column: int = 0,
        multiples: tuple[float, ...] = (0.0, 0.5, 1.0, 1.5, 2.0),
    ) -> None:
        self.spotter = spotter
        self.n_face = n_face
        self.n_inner = n_inner
        self.min_iou = min_iou
        self.column = column
        self.multiples = multiples

    def fit(self, courses: Sequence[Course], coded: Sequence[Coded]) -> GatedSpotter:
        """
        Learn from the face, then how much the gate asks for.

        Raises
        ------
        DataError
            If there are no columns of the body.
        """
        proposed = self._held_out(courses, coded)
        self.multiple_: dict[str, float] = {}
        for kind in sorted({p.kind for found in proposed for p in found}):
            scores, stands, hit = [np.zeros(0)], [np.zeros(0)], [np.zeros(0, dtype=bool)]
            for course, found, own in zip(courses, proposed, coded, strict=True):
                here = [p for p in found if p.kind == kind and p.score >= LEAST_SCORE]
                scores.append(np.array([p.score for p in here]))
                stands.append(self._stands_out(course, here))
                hit.append(_hits(here, own, self.min_iou))
            n_coded = sum(name == kind for own in coded for name, _ in own)
            s, out, good = np.concatenate(scores), np.concatenate(stands), np.concatenate(hit)
            reached = {m: _best_f1(s, good & ~(out < m), ~(out < m), n_coded) for m in self.multiples}
            # the mildest of equals: a gate has to earn what it shuts out
            self.multiple_[kind] = max(self.multiples, key=lambda m: (round(reached[m], 9), -m))
        self.spotter_ = deepcopy(self.spotter).fit(self._face(courses), coded)
        return self

    def _stands_out(self, course: Course, proposed: Sequence[Proposal]) -> NDArray[np.float64]:
        """Size of the column at each apex in units of its mean size; NaN, which no gate shuts out, where it is unknown."""
        size = np.abs(np.asarray(course.X[:, self.n_face + self.column], dtype=np.float64))
        known = size[np.isfinite(size)]
        mean = float(known.mean()) if len(known) else 0.0
        if not proposed or not mean > 0:
            return np.full(len(proposed), np.nan)
        return np.abs(self._body(course, [p.apex for p in proposed])[:, self.column]) / mean

    def propose(self, courses: Sequence[Course]) -> list[list[Proposal]]:
        """Return the proposals that the gate lets through."""
        made = []
        for course, found in zip(courses, self.spotter_.propose(self._face(courses)), strict=True):
            stands = self._stands_out(course, found)
            made.append([p for p, s in zip(found, stands, strict=True) if not s < self.multiple_.get(p.kind, 0.0)])
        return made


def _best_f1(scores: NDArray[np.float64], hit: NDArray[np.bool_], kept: NDArray[np.bool_], n_coded: int) -> float:
    """Highest F1 that any threshold on the kept ones gives."""
    order = np.argsort(-scores[kept], kind="stable")
    tp = np.cumsum(hit[kept][order])
    if not len(tp) or not n_coded:
        return 0.0
    return float(np.max(2 * np.minimum(tp, n_coded) / (np.arange(1, len(tp) + 1) + n_coded)))
