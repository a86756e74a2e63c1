"""Strain maps, principal directions and time courses: by hand, and the same at any frame rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmme.errors import ConfigError, DataError
from mmme.features.face.facial_dynamics import displacements, facial_dynamics_map, principal_motion, smoothed, time_course
from mmme.features.face.regions import blocks
from mmme.features.face.strain_maps import strain_pooled
from mmme.simulate import expression_amplitude

Y, X = np.mgrid[:8, :8].astype(np.float64)
HALVES = blocks(1, 2, (8, 8))


def test_strain_is_pooled_where_it_is():
    """The left half stretches by 0.2, the right is carried along: 0.2 against the seam only."""
    u = np.where(X < 4, 0.2 * X, 0.8)
    found = strain_pooled(np.dstack([u, 0 * u]), HALVES)
    assert found.columns == ("strain_r0c0", "strain_r0c1")
    np.testing.assert_allclose(found.values, [0.2, 0.1 / 4], atol=1e-7)


@pytest.mark.parametrize(("over_time", "expected"), [("mean", 0.2), ("sum", 0.6), ("max", 0.3)])
def test_strain_over_time(over_time, expected):
    """Stretches of 0.1, 0.2, 0.3 in turn."""
    fields = np.stack([np.dstack([s * X, 0 * X]) for s in (0.1, 0.2, 0.3)])
    np.testing.assert_allclose(strain_pooled(fields, HALVES, over_time=over_time).values, expected, atol=1e-6)
    np.testing.assert_allclose(strain_pooled(fields, HALVES, over_time=over_time, normalised=True).values, 1, atol=1e-6)


def test_strain_knows_its_ways():
    """Unknown pooling is refused; rest is 0 even when normalised."""
    with pytest.raises(ConfigError, match="one of mean, sum, max, got 'median'"):
        strain_pooled(np.zeros((8, 8, 2)), HALVES, over_time="median")
    assert not strain_pooled(np.zeros((8, 8, 2)), HALVES, normalised=True).values.any()


def brute_principal(vectors):
    """Largest sum of vectors in any half plane, over very many directions."""
    angle = np.linspace(0, 2 * np.pi, 7200, endpoint=False)
    along = vectors @ np.stack([np.cos(angle), np.sin(angle)])
    best = along.clip(0).sum(axis=0).argmax()
    return vectors[along[:, best] > 0].sum(axis=0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_the_principal_motion_is_the_largest_sum_of_a_half_plane(seed):
    """As by trying 7200 directions, to 0.5 %."""
    field = np.random.default_rng(seed).normal([0.3, -0.2], 1, size=(3, 8, 8, 2))
    found = principal_motion(field, blocks(1, 1, (8, 8)))[0] * field.size / 2
    assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(brute_principal(field.reshape(-1, 2))), rel=5e-3)


@pytest.mark.parametrize("degrees", [0, 45, 90, 180, 217, 359])
def test_a_common_direction_is_found_as_it_is(degrees):
    """All pixels one way: that way and length, in every region and piece of time."""
    motion = np.array([np.cos(np.radians(degrees)), -np.sin(np.radians(degrees))])
    fields = np.broadcast_to(motion, (6, 8, 8, 2))
    found = facial_dynamics_map(fields, HALVES, pieces=3)
    np.testing.assert_allclose(found.values.reshape(-1, 2), np.tile(motion, (6, 1)), atol=1e-6)
    assert found.columns[:3] == ("fdm_r0c0_t0_x", "fdm_r0c0_t0_y", "fdm_r0c0_t1_x")


def test_directions_alone_have_length_one_or_nothing():
    """With unit vectors amplitude is lost, and rest stays 0."""
    fields = np.zeros((2, 8, 8, 2))
    fields[:, :, :4, 0] = 0.3
    np.testing.assert_allclose(facial_dynamics_map(fields, HALVES, pieces=1, unit=True).values, [1, 0, 0, 0], atol=1e-6)


def test_maps_need_a_field_for_each_piece():
    """Two fields do not make three pieces."""
    with pytest.raises(DataError, match="at least 3 fields, one per piece of time, got 2"):
        facial_dynamics_map(np.zeros((2, 8, 8, 2)), HALVES, pieces=3)
    with pytest.raises(ConfigError, match="at least one piece of time, got 0"):
        facial_dynamics_map(np.zeros((2, 8, 8, 2)), HALVES, pieces=0)


def test_displacements_begin_at_rest():
    """One row more than fields, the first 0."""
    fields = [np.dstack([k + 0 * X, -k + 0 * X]) for k in (1, 2)]
    np.testing.assert_allclose(displacements(fields, HALVES)[:, 1], [[0, 0], [1, -1], [2, -2]])


@pytest.mark.parametrize("fps", [30, 100, 200])
def test_a_time_course_is_the_same_at_any_rate(fps):
    """A rise to 1.2 px in 0.2 s and back in 0.3 s: planted peak, rise, speed and area within 10 % at 30 to 200 Hz."""
    t = np.arange(0, 0.7, 1 / fps)
    height = 1.2 * expression_amplitude(t, 0.1, 0.3, 0.6)
    brow = np.stack([0.6 * height, -0.8 * height], axis=1)[:, None]
    found = time_course(brow, t, ("brow-inner",))
    assert found.columns == tuple(f"dyn_brow-inner_{part}" for part in ("peak", "rise", "speed", "area"))
    peak, rise, speed, area = found.values
    assert peak == pytest.approx(1.2, rel=0.08)
    assert rise == pytest.approx(0.3, abs=0.02)
    assert speed == pytest.approx(1.2 * np.pi / 2 / 0.2, rel=0.1)
    assert area == pytest.approx(1.2 * 0.25, rel=0.03)


def test_smoothing_leaves_lines_and_tames_noise():
    """A line on uneven times is unchanged; white noise at 200 Hz falls to less than half under 20 ms."""
    rng = np.random.default_rng(0)
    t = np.sort(rng.uniform(0, 1, 50))
    np.testing.assert_allclose(smoothed(2 - 3 * t, t, 0.02), 2 - 3 * t, atol=1e-6)
    steady = np.arange(400) / 200
    assert smoothed(rng.normal(size=400), steady, 0.02).std() < 0.5


def test_time_courses_refuse_gaps():
    """NaN, shapes and order are said."""
    t = np.arange(4) / 10
    with pytest.raises(DataError, match="leave out frames without a face"):
        time_course(np.full((4, 1, 2), np.nan), t, ("a",))
    with pytest.raises(DataError, match=r"expected displacement \(4, 2, 2\) at 3 times or more, got \(4, 1, 2\)"):
        time_course(np.zeros((4, 1, 2)), t, ("a", "b"))
