"""Spotters that propose intervals: nothing of a tested subject is seen before it is spotted in."""

from typing import ClassVar

import numpy as np
import pytest

from mmme.errors import DataError, ProtocolError
from mmme.evaluate.proposing import courses_of, run_proposals
from mmme.interval import Interval
from mmme.types import FeatureTable, Proposal

SUBJECTS = ("S1", "S2", "S3", "S4")
#: Likelier of the two proposals at each subject's coded moment; the other is false.
HEIGHT = {"S1": 0.9, "S2": 0.8, "S3": 0.7, "S4": 0.6}


class Bright:
    """Proposes a fixed length around every bright moment and remembers whom it learned from."""

    seen: ClassVar[list] = []

    def fit(self, courses, coded):
        """Remember how many videos and expressions."""
        type(self).seen.append((len(courses), sorted(float(c.X.max()) for c in courses)))
        return self

    def propose(self, courses):
        """Around every moment above zero."""
        return [
            [
                Proposal("micro", Interval(a - 0.2, a + 0.2), float(a), float(x))
                for a, x in zip(c.t, c.X[:, 0], strict=True)
                if x > 0
            ]
            for c in courses
        ]


def table():
    """Per subject 20 moments of 0.1 s: a true one at 0.5 s as high as HEIGHT, a false one at 1.5 s of 0.5."""
    t = np.tile(np.arange(20) / 10, len(SUBJECTS))
    who = np.repeat(SUBJECTS, 20)
    X = np.zeros((len(t), 1), dtype=np.float32)
    X[np.isclose(t, 0.5), 0] = [HEIGHT[s] for s in SUBJECTS]
    X[np.isclose(t, 1.5), 0] = 0.5
    rows = [f"{w}#{k}" for k, w in enumerate(who)]
    made = FeatureTable.build(X, ["px"], rows, who, ["v"] * len(t), ["x"] * len(t))
    truth = {s: [("micro", Interval(0.3, 0.7))] for s in SUBJECTS}
    return made, {"times_s": t, "videos": who, "spans": {s: Interval(0, 2) for s in SUBJECTS}, "truth": truth}


def run(spotter=None, **changed):
    """Evaluate with few draws."""
    made, more = table()
    made = changed.pop("table", made)
    return run_proposals(made, **{**more, "n_bootstrap": 50, "n_chance": 10, **changed}, spotter=spotter or Bright())


def test_thresholds_come_from_training_subjects():
    """Each fold's threshold is the lowest true score among the others: the fold of the faintest subject misses it."""
    result = run(n_inner=2)
    chosen = {fold: values["micro"] for fold, values in result.protocol["thresholds"].items()}
    spotted = set(zip(result.predictions["video"], result.predictions["score"], strict=True))
    assert max(chosen.values()) <= 0.7 + 1e-6
    assert all(value > 0.5 for value in chosen.values())
    assert result.score("precision micro").value == 1.0
    # the threshold of S4's fold was chosen where 0.7 was the faintest
    fold_of_s4 = next(value for fold, value in chosen.items() if "S4" in fold)
    assert fold_of_s4 > 0.6
    assert not any(video == "S4" for video, _ in spotted)


def test_a_tested_subject_is_never_learned_from():
    """Every fit of a fold, inner ones included, sees at most the three others, and never the tested one."""
    Bright.seen = []
    run(n_inner=3)
    outer = [values for n, values in Bright.seen if n == 3]
    assert len(Bright.seen) == 4 * (3 + 1)
    assert len(outer) == 4
    assert sorted(round(sum(v), 3) for v in outer) == sorted(round(3.0 - h, 3) for h in HEIGHT.values())


def test_kinds_without_a_label_have_no_threshold():
    """None is stored, nothing of that kind is spotted."""
    result = run()
    assert all(values["macro"] is None for values in result.protocol["thresholds"].values())
    assert set(result.predictions["kind"]) <= {"micro"}


def test_subjects_must_be_kept_apart_and_enough():
    """A protocol that mixes subjects, and two subjects, are refused."""
    with pytest.raises(ProtocolError, match="keeps subjects apart"):
        run(protocol="random-kfold")
    made, more = table()
    few = np.isin(more["videos"], ("S1", "S2"))
    with pytest.raises(ProtocolError, match="at least 3 subjects"):
        run(
            table=made.rows(np.flatnonzero(few)),
            times_s=more["times_s"][few],
            videos=more["videos"][few],
            spans={s: Interval(0, 2) for s in ("S1", "S2")},
            truth={},
        )


def test_courses_keep_order_and_gaps():
    """One course per video, unknown values stay unknown."""
    made, more = table()
    courses = courses_of(made, more["times_s"], more["videos"])
    assert sorted(courses) == list(SUBJECTS)
    assert courses["S2"].step_s == pytest.approx(0.1)
    assert courses["S2"].X[5, 0] == pytest.approx(HEIGHT["S2"])


def test_a_spotter_that_cannot_read_is_named():
    """What it says is what is raised, with the fold."""

    class Deaf(Bright):
        def fit(self, courses, coded):
            raise DataError("spotter: expected four columns, got 1")

    with pytest.raises(ProtocolError, match="expected four columns"):
        run(Deaf())
