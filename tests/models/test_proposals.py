"""From curves to proposals: peaks, ends, overlaps."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from mmme.errors import ConfigError
from mmme.interval import Interval
from mmme.models.proposals import proposals_at_peaks, refined, soft_suppressed
from mmme.types import Proposal

T = np.arange(0, 10, 0.1)


def bumps(*at, height=0.8):
    """A curve with a narrow bump at each moment."""
    return sum((height * np.exp(-0.5 * ((T - a) / 0.15) ** 2) for a in at), start=np.zeros(len(T)))


def test_every_peak_is_proposed_the_highest_first():
    """
    Peaks at both ends count; unknown moments and what is below the floor have none; `most` keeps the highest.
    """
    curve = bumps(2.0) + bumps(5.0, height=0.5) + bumps(9.9, height=0.3)
    curve[70:75] = np.nan
    half = np.full(len(T), 0.2)
    found = proposals_at_peaks(T, curve, half, half, "macro", floor=0.05)
    assert [round(p.apex, 1) for p in found] == [2.0, 5.0, 9.9]
    assert found[2].interval.stop == pytest.approx(T[-1])
    assert len(proposals_at_peaks(T, curve, half, half, "macro", most=1)) == 1
    assert len(proposals_at_peaks(T, curve, half, half, "macro", floor=0.4)) == 2
    assert proposals_at_peaks(T, np.full(len(T), np.nan), half, half, "micro") == []


def test_ends_move_to_a_boundary_nearby_and_no_farther():
    """
    A likely boundary within a quarter of the length moves the end; one farther away does not; the apex stays inside.
    """
    found = Proposal("macro", Interval(3.0, 5.0), 4.0, 0.9)
    near, far = bumps(3.3), bumps(4.6)
    moved = refined(found, T, near, np.zeros(len(T))).interval
    assert (moved.start, moved.stop) == (pytest.approx(3.3), 5.0)
    assert refined(found, T, np.where(np.abs(T - 4.6) < 0.05, far, 0), np.zeros(len(T))).interval == found.interval
    beyond = Proposal("macro", Interval(3.0, 5.0), 3.05, 0.9)
    assert refined(beyond, T, np.where(np.abs(T - 3.3) < 0.05, near, 0), np.zeros(len(T))) == beyond


def test_overlapping_proposals_of_one_kind_make_way():
    """
    A copy goes; a neighbour that touches is lowered; another kind stays as it is.
    """
    best = Proposal("micro", Interval(1.0, 1.4), 1.2, 0.9)
    copy = Proposal("micro", Interval(1.05, 1.45), 1.2, 0.8)
    touching = Proposal("micro", Interval(1.35, 1.75), 1.5, 0.7)
    other = Proposal("macro", Interval(1.0, 1.4), 1.2, 0.6)
    found = soft_suppressed([copy, other, touching, best])
    assert {(p.kind, p.interval.start) for p in found} == {("micro", 1.0), ("micro", 1.35), ("macro", 1.0)}
    assert next(p.score for p in found if p.interval.start == 1.35) < 0.7
    assert next(p.score for p in found if p.kind == "macro") == 0.6


@given(
    st.lists(
        st.tuples(st.floats(0, 20), st.floats(0.2, 3), st.floats(0.01, 1), st.sampled_from(["micro", "macro"])), max_size=12
    )
)
def test_what_is_kept_hardly_overlaps_and_never_scores_higher(drawn):
    """
    Of one kind no two overlap beyond the limit, and no score rises.
    """
    proposals = [Proposal(kind, Interval(a, a + d), a + d / 2, s) for a, d, s, kind in drawn]
    kept = soft_suppressed(proposals, apart=0.2)
    before = {(p.kind, p.interval): p.score for p in sorted(proposals, key=lambda p: p.score)}
    for k, p in enumerate(kept):
        assert p.score <= before[p.kind, p.interval] + 1e-12
        assert all(p.kind != q.kind or p.interval.iou(q.interval) <= 0.2 + 1e-9 for q in kept[k + 1 :])


@pytest.mark.parametrize(("sigma", "apart"), [(0.0, 0.2), (0.3, 1.2)])
def test_settings_out_of_range(sigma, apart):
    """
    Said in one sentence.
    """
    with pytest.raises(ConfigError, match="expected sigma above 0"):
        soft_suppressed([], sigma=sigma, apart=apart)
