"""Expressions, stimuli and plans of the simulation."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmme.errors import ConfigError
from mmme.interval import Interval
from mmme.simulate import STIMULI, StudyPlan, TrueExpression, choose_stimuli, draw_expressions, expression_amplitude
from mmme.simulate.stimuli import affect_of

# Section "marker order" of the released notebooks, labels 1..8 for markers 101..148.
_RELEASED_ORDER = "123456781232456781234536781234567481234567856781"
_LABELS = ["sad", "disgust", "happy", "fear", "tense", "calm", "angry", "surprise"]


def test_every_marker_has_the_released_label():
    """The map from marker to emotion is that of the release, in marker order."""
    expected = [_LABELS[int(label) - 1] for label in _RELEASED_ORDER]

    assert expected == [STIMULI[marker].emotion for marker in range(101, 149)]


def test_every_label_has_videos_one_to_six():
    """Each of the eight labels has six videos, numbered 1..6."""
    for label in _LABELS:
        assert sorted(s.video for s in STIMULI.values() if s.emotion == label) == [1, 2, 3, 4, 5, 6]


@given(st.integers(1, 48))
def test_chosen_stimuli_are_balanced_and_in_order(count):
    """Any number of trials ascends in marker; up to 18 the three classes differ by at most one."""
    chosen = choose_stimuli(count)
    markers = [s.marker for s in chosen]

    assert len(chosen) == count
    assert markers == sorted(set(markers))
    if count <= 18:
        sizes = [sum(affect_of(s.emotion) == a for s in chosen) for a in ("positive", "surprise", "negative")]
        assert max(sizes) - min(sizes) <= 1


def test_forty_two_trials_leave_out_calm_only():
    """The 42 trials of the sibling studies are all but calm."""
    assert {s.emotion for s in choose_stimuli(42)} == set(_LABELS) - {"calm"}


@given(seed=st.integers(0, 10_000), emotion=st.sampled_from(_LABELS), length=st.floats(2.7, 20))
def test_drawn_expressions_respect_kind_edges_and_gaps(seed, emotion, length):
    """Micro lasts at most 0.5 s, macro at least 0.7 s; all keep 0.4 s from the ends and 0.5 s from each other."""
    drawn = draw_expressions(np.random.default_rng(seed), emotion, Interval(10.0, 10.0 + length))

    assert len(drawn) <= (0 if emotion == "calm" else 2)
    for e in drawn:
        assert e.offset_s - e.onset_s <= 0.5 if e.kind == "micro" else e.offset_s - e.onset_s >= 0.7
        assert 0.5 <= e.amplitude_px <= 2.5
        assert e.onset_s >= 10.4 - 1e-9
        assert e.offset_s <= 10.0 + length - 0.4 + 1e-9
    for first, second in pairwise(drawn):
        assert second.onset_s - first.offset_s >= 0.5 - 1e-9


def test_amplitude_is_half_at_the_middle_of_rise_and_decay():
    """A raised cosine is 0.5 half way, and stays within 0..1."""
    t = np.linspace(0, 3, 1001)
    amplitude = expression_amplitude(t, 1.0, 1.5, 2.5)

    assert np.interp([1.25, 2.0], t, amplitude) == pytest.approx([0.5, 0.5], abs=5e-3)
    assert amplitude.min() == 0.0
    assert amplitude.max() == pytest.approx(1.0)


def test_uninformative_face_shows_the_same_units_for_all_emotions():
    """At face effect 0 the share of trials with AU12 does not depend on the emotion (difference under 0.1)."""
    span = Interval(0.0, 6.0)

    def share(emotion: str, effect: float) -> float:
        rng = np.random.default_rng(0)
        drawn = [e for _ in range(800) for e in draw_expressions(rng, emotion, span, face_effect=effect)]
        return float(np.mean(["AU12" in e.aus for e in drawn]))

    assert abs(share("happy", 0.0) - share("sad", 0.0)) < 0.1
    assert share("happy", 1.0) - share("sad", 1.0) > 0.5


def test_wrong_plan_names_all_faults_at_once():
    """One error lists every value out of range."""
    with pytest.raises(ConfigError, match=r"simulation plan: 3 faults\n(.|\n)*subjects: .*got 0\n(.|\n)*trials: .*got 49"):
        StudyPlan(subjects=0, trials=49, video_fps=float("nan"))
    with pytest.raises(ConfigError, match=r"frame_px: expected a whole number, got 100\.5"):
        StudyPlan(frame_px=100.5)


def test_wrong_expression_and_count_are_refused():
    """Times out of order, a negative amplitude and too many trials each get a sentence."""
    with pytest.raises(ConfigError, match="expected onset < apex < offset, got 1.0, 1.0, 2.0 s"):
        TrueExpression("micro", "happy", ("AU12",), 1.0, 1.0, 2.0, 1.0)
    with pytest.raises(ConfigError, match="amplitude of 0 px or more, got -1.0 px"):
        TrueExpression("micro", "happy", ("AU12",), 1.0, 1.1, 2.0, -1.0)
    with pytest.raises(ConfigError, match="trials: expected 1 to 48, got 49"):
        choose_stimuli(49)
