"""The body in spotting: it helps where it knows something, and does nothing where it does not."""

import numpy as np
import pytest

from mmme.errors import DataError
from mmme.interval import Interval
from mmme.models.motion_spotter import MotionSpotter
from mmme.models.spotting_fusion import GatedSpotter, RescoredSpotter
from mmme.types import Course, Proposal


class Fixed:
    """A face that proposes every full second, all with scores that tell nothing."""

    def fit(self, courses, coded):
        """Learn nothing."""
        return self

    def propose(self, courses):
        """At every second."""
        return [[Proposal("micro", Interval(a - 0.2, a + 0.2), float(a), 0.5) for a in range(1, 20)] for _ in courses]


def videos(n, *, knows, seed=0):
    """True expressions at a third of the seconds; the body's first column is large there where it knows."""
    rng = np.random.default_rng(seed)
    t = np.arange(0, 20, 0.1)
    courses, coded = [], []
    for _ in range(n):
        at = np.sort(rng.choice(np.arange(1, 20), 6, replace=False))
        body = rng.normal(0, 0.3, (len(t), 2))
        if knows:
            body[:, 0] += sum((3 * np.exp(-0.5 * ((t - a) / 0.2) ** 2) for a in at), start=np.zeros(len(t)))
        courses.append(Course(t, np.column_stack([np.zeros(len(t)), body]).astype(np.float32)))
        coded.append([("micro", Interval(a - 0.2, a + 0.2)) for a in at.tolist()])
    return courses, coded


def separation(model, knows):
    """Mean score of true less that of false proposals on new videos."""
    courses, coded = videos(6, knows=knows)
    model.fit(courses, coded)
    courses, coded = videos(4, knows=knows, seed=9)
    true, false = [], []
    for found, own in zip(model.propose(courses), coded, strict=True):
        for p in found:
            (true if any(i.iou(p.interval) > 0.9 for _, i in own) else false).append(p.score)
    return np.mean(true) - np.mean(false), len(true), len(false)


def test_scored_again_by_a_body_that_knows():
    """True proposals end above the false ones on videos that were not learned from; noise moves nothing."""
    apart, n_true, n_false = separation(RescoredSpotter(Fixed(), n_face=1), knows=True)
    assert apart > 0.7
    assert (n_true, n_false) == (24, 52)
    nothing, _, _ = separation(RescoredSpotter(Fixed(), n_face=1), knows=False)
    assert abs(nothing) < 0.1


def test_a_gate_is_shut_only_where_it_earns_it():
    """A column that knows shuts false ones out and keeps the true ones; noise leaves the gate open."""
    courses, coded = videos(6, knows=True)
    model = GatedSpotter(Fixed(), n_face=1).fit(courses, coded)
    assert model.multiple_["micro"] > 0
    new, truth = videos(4, knows=True, seed=9)
    kept = model.propose(new)
    n_true = sum(
        any(i.iou(p.interval) > 0.9 for _, i in own) for found, own in zip(kept, truth, strict=True) for p in found
    )
    assert n_true == 24
    assert sum(map(len, kept)) < 40
    courses, coded = videos(6, knows=False)
    blind = GatedSpotter(Fixed(), n_face=1, multiples=(0.0, 5.0)).fit(courses, coded)
    assert blind.multiple_["micro"] == 0.0
    assert sum(map(len, blind.propose(new))) == 4 * 19


def test_where_the_body_is_not_known_the_face_decides():
    """Proposals at moments without values keep their score and pass the gate."""
    courses, coded = videos(6, knows=True)
    model = RescoredSpotter(Fixed(), n_face=1).fit(courses, coded)
    gate = GatedSpotter(Fixed(), n_face=1).fit(courses, coded)
    X = courses[0].X.copy()
    X[:, 1:] = np.nan
    (found,) = model.propose([Course(courses[0].t, X)])
    assert {p.score for p in found} == {0.5}
    assert len(gate.propose([Course(courses[0].t, X)])[0]) == 19


def test_columns_that_are_not_there():
    """A body without columns, and a face with too few, are said."""
    courses, coded = videos(3, knows=True)
    with pytest.raises(DataError, match="expected columns of the body after 3 of the face"):
        RescoredSpotter(Fixed(), n_face=3).fit(courses, coded)
    with pytest.raises(DataError, match="expected x and y of 2 regions, got 3 columns"):
        MotionSpotter(("brow-left", "chin")).propose(courses)
