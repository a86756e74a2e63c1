"""Spotting counts against hand counts and the published output of the MEGC2020 baseline."""

import itertools
import json
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from mmme.interval import Interval
from mmme.metrics.spotting import (
    Counts,
    average_precision,
    average_precision_of_ranking,
    false_alarms_per_minute,
    frames_interval,
    hits_in_order,
    iou_matrix,
    labels_found,
    match,
    matched_pairs,
    pooled,
    strs,
)

ROOT = Path(__file__).parents[2]
MDMD = ROOT.parent / "shared" / "data" / "spotting" / "casme_squared_mdmd.json"


@pytest.mark.parametrize(
    ("truth", "pred", "expected"),
    [
        pytest.param([], [], Counts(0, 0, 0), id="nothing-at-all"),
        pytest.param([], [(0, 1)], Counts(0, 1, 0), id="video-without-events-counts"),
        pytest.param([(0, 1)], [], Counts(0, 0, 1), id="nothing-spotted"),
        pytest.param([(0, 2), (2, 4)], [(0, 3)], Counts(1, 0, 1), id="one-prediction-cannot-hit-two"),
        pytest.param([(0, 2)], [(0, 2), (0, 2)], Counts(1, 1, 0), id="a-copy-is-a-false-alarm"),
        pytest.param([(0, 2)], [(0, 4)], Counts(1, 0, 0), id="iou-exactly-half-is-a-hit"),
        pytest.param([(0.1, 0.3)], [(0.1, 0.5)], Counts(1, 0, 0), id="half-in-binary-fractions-is-a-hit"),
        pytest.param([(0, 2)], [(0, 4.1)], Counts(0, 1, 1), id="just-below-half-is-none"),
        pytest.param([(0, 10), (4, 12)], [(2, 11), (0, 6)], Counts(2, 0, 0), id="greedy-by-iou-would-find-one"),
    ],
)
def test_match(truth, pred, expected):
    """Matching is one to one and maximal, and the threshold itself counts as a hit."""
    assert match([Interval(*t) for t in truth], [Interval(*p) for p in pred]) == expected


def test_pairs_prefer_the_better_overlap():
    """Among assignments with equally many hits the one with the highest summed IoU is taken."""
    truth, pred = [Interval(0, 10)], [Interval(0, 12), Interval(0, 10), Interval(1, 10)]

    assert matched_pairs(truth, pred) == [(0, 1)]


spans = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 12)), max_size=4).map(
    lambda items: [Interval(a, a + n) for a, n in items]
)


@given(spans, spans)
@settings(max_examples=80, deadline=None)
def test_no_assignment_has_more_hits(truth, pred):
    """The number of hits equals the best over all one-to-one assignments, found by trying each."""
    short, long = sorted((truth, pred), key=len)
    best = max(
        sum(a.iou(long[j]) >= 0.5 for a, j in zip(short, order, strict=True))
        for order in itertools.permutations(range(len(long)), len(short))
    )

    assert match(truth, pred).tp == best
    assert match(truth, pred).tp == match(pred, truth).tp
    np.testing.assert_allclose(
        iou_matrix(truth, pred), np.array([[t.iou(p) for p in pred] for t in truth]).reshape(len(truth), len(pred))
    )


def test_frames_are_inclusive():
    """Frames 3 to 5 last three frames, and a single frame lasts one."""
    assert frames_interval(3, 5).duration_s == 3
    assert frames_interval(7, 7).duration_s == 1


def test_inclusive_frames_decide_short_expressions():
    """Truth 10..19 and prediction 10..14: 5 of 10 frames are a hit, 4 of 9 by plain differences would not be."""
    assert match([frames_interval(10, 19)], [frames_interval(10, 14)]).tp == 1
    assert match([Interval(10, 19)], [Interval(10, 14)]).tp == 0


def test_counts_scores():
    """Precision, recall and F1 come from pooled counts; 0/0 is 0."""
    counts = pooled([Counts(1, 1, 0), Counts(0, 0, 2)])

    assert (counts.precision, counts.recall, counts.f1) == (0.5, pytest.approx(1 / 3), 0.4)
    assert (Counts(0, 0, 0).precision, Counts(0, 0, 0).recall, Counts(0, 0, 0).f1) == (0, 0, 0)


def test_labels_found_credits_twice():
    """The MEGC2020 rule counts both coded intervals that one prediction reaches; the strict rule counts one."""
    truth, pred = [Interval(0, 4), Interval(2, 6)], [Interval(1, 5)]

    assert labels_found(truth, pred).tp == 2
    assert match(truth, pred).tp == 1
    assert labels_found([], pred) == Counts(0, 1, 0)


def test_average_precision_by_hand():
    """Ranks hit, miss, hit of three coded intervals: precision 1, 2/3, 2/3 over recall steps of 1/3."""
    truth = [[Interval(0, 2), Interval(10, 12)], [Interval(0, 2)]]
    pred = [[(Interval(0, 2), 0.9), (Interval(5, 6), 0.8), (Interval(10, 12), 0.7)], []]

    assert average_precision(truth, pred) == pytest.approx((1 + 2 / 3) / 3)
    assert average_precision([], []) == 0.0
    assert average_precision([[Interval(0, 1)]], [[]]) == 0.0


def test_equal_scores_enter_together():
    """A constant score ranks nothing: AP is precision times recall, whatever the order of the list."""
    assert float(average_precision_of_ranking([True, False], [0.5, 0.5], 1)) == 0.5
    assert float(average_precision_of_ranking([False, True], [0.5, 0.5], 1)) == 0.5


def test_weighted_ranking_equals_repeated_predictions():
    """Weights of a bootstrap draw give the AP of the list in which predictions occur so often."""
    hits, scores = np.array([True, False, True]), np.array([0.9, 0.5, 0.3])
    weights = np.array([[2.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    drawn = average_precision_of_ranking(hits, scores, np.array([3.0, 2.0]), weights=weights)

    assert drawn[0] == pytest.approx(float(average_precision_of_ranking(hits[[0, 0, 1]], scores[[0, 0, 1]], 3)))
    assert drawn[1] == pytest.approx(float(average_precision_of_ranking(hits, scores, 2)))


def test_the_surest_prediction_chooses_first():
    """A coded interval belongs to the prediction of highest score, and a copy is a false alarm."""
    assert hits_in_order([Interval(0, 2)], [Interval(0, 2), Interval(0, 2)], [0.2, 0.8]).tolist() == [False, True]
    assert hits_in_order([], [Interval(0, 2)], [1.0]).tolist() == [False]


def test_false_alarms_per_minute():
    """Three false alarms in 90 s are two a minute; no video, no alarms."""
    assert false_alarms_per_minute([3, 0], [90.0, 0.0]).tolist() == [2.0, 0.0]


def test_spot_then_recognise():
    """STRS is F1 of spotting times the harmonic mean of macro precision and macro recall of the hits."""
    recognised = [[3, 1], [0, 2]]  # precision (1 + 2/3) / 2, recall (3/4 + 1) / 2
    precision, recall = (1 + 2 / 3) / 2, (0.75 + 1) / 2

    assert strs(Counts(6, 6, 0), recognised) == pytest.approx(2 / 3 * 2 * precision * recall / (precision + recall))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda: match([], [], min_iou=0.0), "above 0 and up to 1, got 0.0", id="threshold"),
        pytest.param(lambda: frames_interval(5, 4), "need onset <= offset, got 5 and 4", id="frames"),
        pytest.param(lambda: average_precision([[]], []), "predictions for 1 videos, got 0", id="videos"),
    ],
)
def test_refusals(call, message):
    """Impossible thresholds, reversed frames and unequal numbers of videos raise."""
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.skipif(not MDMD.exists(), reason="the published output of the MEGC2020 baseline is not on this machine")
def test_megc2020_baseline_counts():
    """The baseline's CAS(ME)^2 output gives its published counts by its rule, and 104 macro hits one to one."""
    videos = json.loads(MDMD.read_text())["videos"].values()
    strict, published = {}, {}
    for kind in ("macro", "micro"):
        pairs = [
            (
                [frames_interval(on, off) for k, on, _, off in v["truth"] if k == kind],
                [frames_interval(on, off) for k, on, off in v["pred"] if k == kind],
            )
            for v in videos
        ]
        strict[kind] = pooled(match(t, p) for t, p in pairs)
        published[kind] = pooled(labels_found(t, p) for t, p in pairs)

    assert published == {"macro": Counts(109, 1414, 191), "micro": Counts(21, 5014, 36)}
    assert pooled(published.values()) == Counts(130, 6428, 227)
    assert [round(c.f1, 4) for c in (*published.values(), pooled(published.values()))] == [0.1196, 0.0082, 0.0376]
    assert strict == {"macro": Counts(104, 1419, 196), "micro": Counts(21, 5014, 36)}
    assert round(strict["macro"].f1, 4) == 0.1141
