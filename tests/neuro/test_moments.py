"""Neutral moments: matched in trial and length, apart from everything, drawn once and for all."""

import itertools

import numpy as np
import pytest

from mmme.errors import ConfigError
from mmme.interval import Interval
from mmme.neuro.moments import matched_moments, onsets_as_events
from mmme.neuro.subject import _around
from mmme.simulate import mechanism_session
from mmme.types import Expression, Trial


def trial(name: str, *times: tuple[str, float, float], span=(0.0, 60.0)) -> Trial:
    """Build a trial with expressions of coder A: kind, onset, offset."""
    shown = tuple(Expression("S01", "A", k, a, (a + b) / 2, b, ("AU4",), "sad") for k, a, b in times)
    return Trial(name, "S01", "film", Interval(*span), "sad", shown)


TRIALS = [trial(f"S01-{k}", ("micro", 20.0 + k / 10, 20.4 + k / 10), ("macro", 35.0, 36.5)) for k in range(100)]


def test_a_neutral_moment_is_matched_and_apart():
    """As long as its expression, in its trial, still around it, and clear of every expression and other moment."""
    pairs, without = matched_moments(TRIALS, before_s=1.0, after_s=4.0)

    assert len(pairs) == 200
    assert not without
    for trial_ in TRIALS:
        own = [p for p in pairs if p.shown.id.startswith(f"{trial_.id}#")]
        for p in own:
            assert p.neutral.offset - p.neutral.onset == pytest.approx(p.shown.offset - p.shown.onset)
            assert p.neutral.apex - p.neutral.onset == pytest.approx(p.shown.apex - p.shown.onset)
            assert p.neutral.label == "neutral"
            first, last = p.neutral.onset - 1.0, p.neutral.offset + 4.0
            assert trial_.span.start <= first
            assert last <= trial_.span.stop
            for e in trial_.expressions:
                assert last <= e.onset or p.neutral.onset >= e.offset + 5.0  # a reaction outlasts its expression
        one, two = sorted((p.neutral.onset, p.neutral.offset) for p in own)
        assert one[1] + 4.0 <= two[0] - 1.0 or two[0] >= one[1]


def test_moments_are_spread_over_what_is_free():
    """Early and late moments are drawn alike, so that neither time in the trial nor order favours one."""
    pairs, _ = matched_moments(TRIALS)
    before = np.mean([p.neutral.onset < p.shown.onset for p in pairs if p.kind == "macro"])

    assert 0.2 < before < 0.9


def test_a_draw_depends_on_its_own_trial_only():
    """A subject that is added changes no other; another seed draws others."""
    one, _ = matched_moments(TRIALS[:5])
    more, _ = matched_moments([*TRIALS[10:20], *TRIALS[:5]])
    other, _ = matched_moments(TRIALS[:5], seed=1)

    assert one == tuple(p for p in more if p.shown.id in {q.shown.id for q in one})
    assert [p.neutral.onset for p in one] != [p.neutral.onset for p in other]


def test_what_has_no_room_is_named():
    """An expression whose trial is too short or too full is in no pair, and is not forgotten."""
    pairs, without = matched_moments([trial("S01-1", ("micro", 2.0, 2.4), span=(0.0, 7.0))])

    assert not pairs
    assert without == ("S01-1#0",)


def test_expressions_close_together_are_marked():
    """Alone means that no other expression is near; a second coder's row is no other expression."""
    near = trial("S01-1", ("micro", 20.0, 20.4), ("macro", 22.0, 23.0), ("micro", 40.0, 40.4))
    copy = Expression("S01", "B", "micro", 40.05, 40.2, 40.4)
    pairs, _ = matched_moments([Trial("S01-1", "S01", "film", near.span, "sad", (*near.expressions, copy))])

    assert [p.alone for p in pairs] == [False, False, True]
    assert onsets_as_events([pairs[0].shown])[0].apex == pairs[0].shown.onset


def test_lengths_below_zero_are_refused():
    """A negative length is no length."""
    with pytest.raises(ConfigError, match="expected lengths of at least 0 s, got -1 s and 4 s"):
        matched_moments(TRIALS, before_s=-1.0)


def test_no_moment_counts_twice_around_expressions():
    """Stretches around expressions close together are one stretch, or chance would look like coupling."""
    made = mechanism_session(0, trials=2, trial_s=60.0, channels=5)
    pairs, _ = matched_moments(made.trials)
    stretches = _around(pairs, 32.5)

    assert len(pairs) == 6
    assert all(a.stop <= b.start for a, b in itertools.pairwise(stretches))
    assert all(any(s.start <= p.shown.onset < s.stop for s in stretches) for p in pairs)
    assert all(any(t.span.start <= s.start and s.stop <= t.span.stop for t in made.trials) for s in stretches)
