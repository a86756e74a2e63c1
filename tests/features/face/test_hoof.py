"""Histograms of directions: bins counted by hand on fields of known motion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmme.errors import ConfigError, DataError
from mmme.features.face.flow import optical_strain
from mmme.features.face.hoof import bi_woof, hoof, rhoof
from mmme.features.face.pooling import direction_bins, histograms, means
from mmme.features.face.regions import Regions, blocks

Y, X = np.mgrid[:12, :12].astype(np.float32)
WHOLE = blocks(1, 1, (12, 12))
QUARTERS = blocks(2, 2, (12, 12))


def uniform(u, v, shape=(12, 12)):
    return np.broadcast_to(np.array([u, v], dtype=np.float32), (*shape, 2)).copy()


@pytest.mark.parametrize("turn", range(8))
def test_a_uniform_shift_fills_one_bin(turn):
    """Motion at 22.5 degrees into sector k, counter-clockwise from the right, fills bin k and no other, in every block."""
    angle = np.pi / 4 * turn + np.pi / 8
    found = hoof(uniform(np.cos(angle), -np.sin(angle)), QUARTERS)
    np.testing.assert_allclose(found.values.reshape(4, 8), np.tile(np.eye(8)[turn], (4, 1)), atol=1e-6)


@pytest.mark.parametrize(("u", "v", "b"), [(1, 0, 0), (0, -1, 2), (-1, 0, 4), (0, 1, 6)])
def test_bins_are_named_by_their_place(u, v, b):
    """Right, up, left and down begin bins 0, 2, 4 and 6 of 8, and are the middle of the same bins when centred."""
    for centred in (False, True):
        found = hoof(uniform(u, v), WHOLE, centred=centred)
        assert found.columns[int(found.values.argmax())] == f"hoof_r0c0_b{b}"
        assert found.values.max() == 1.0


def test_two_directions_share_by_length():
    """A quarter of the pixels 3 px up, the rest 1 px to the right: equal shares, since length counts, not number."""
    field = uniform(1, 0)
    field[:6, :6] = (0, -3)
    np.testing.assert_allclose(hoof(field, WHOLE, bins=4).values, [0.5, 0.5, 0, 0], atol=1e-6)


def test_rotation_and_expansion_fill_the_circle_evenly():
    """About the centre all directions occur alike, whatever turns or grows: eight shares within 1 % of an eighth."""
    y, x = np.mgrid[-64:64, -64:64].astype(np.float32) + 0.5
    disc = Regions(("disc",), (np.hypot(x, y) < 60)[None])
    for field in (np.dstack([x, y]), np.dstack([-y, x]), np.dstack([-x, -y])):
        np.testing.assert_allclose(hoof(0.02 * field, disc).values, 1 / 8, atol=0.01)


def test_expansion_points_outwards_in_each_quarter():
    """Of a growing field the upper right quarter moves up and right: bin 0 of 4; the others follow counter-clockwise."""
    field = 0.1 * np.dstack([X - 5.5, Y - 5.5])
    found = hoof(field, QUARTERS, bins=4).values.reshape(2, 2, 4).argmax(axis=2)
    assert found.tolist() == [[1, 0], [2, 3]]


def test_the_original_counts_left_as_right():
    """Mirrored bins run from straight down to straight up; a field and its mirror image are the same."""
    rng = np.random.default_rng(0)
    field = rng.normal(size=(12, 12, 2)).astype(np.float32)
    mirror = field * np.array([-1, 1], dtype=np.float32)
    np.testing.assert_allclose(
        hoof(field, QUARTERS, bins=30, mirrored=True).values, hoof(mirror, QUARTERS, bins=30, mirrored=True).values
    )
    down, right, up = (
        hoof(uniform(u, v), WHOLE, bins=3, mirrored=True).values.argmax() for u, v in ((0, 1), (1, 0), (0, -1))
    )
    assert (down, right, up) == (0, 1, 2)


def test_nothing_moves_nothing_is_counted():
    """Still regions are 0 in every descriptor, never NaN."""
    for describe in (hoof, bi_woof, rhoof):
        assert not describe(uniform(0, 0), QUARTERS).values.any()


def test_fields_of_a_clip_are_summed():
    """Two fields of equal length in two directions share one histogram."""
    fields = np.stack([uniform(1, -0.5), uniform(-1, 0.5)])
    np.testing.assert_allclose(hoof(fields, WHOLE).values, [0.5, 0, 0, 0, 0.5, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(rhoof(fields, WHOLE).values.sum(), np.hypot(1, 0.5), rtol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 12), st.integers(0, 10_000))
def test_shares_sum_to_one_and_scale_does_not_count(bins, seed):
    """Per region the bins sum to 1, and a field twice as strong is the same; RHOOF doubles."""
    field = np.random.default_rng(seed).normal(size=(12, 12, 2)).astype(np.float32)
    once, twice = hoof(field, QUARTERS, bins=bins), hoof(2 * field, QUARTERS, bins=bins)
    np.testing.assert_allclose(once.values.reshape(4, bins).sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(once.values, twice.values, atol=1e-6)
    np.testing.assert_allclose(
        2 * rhoof(field, QUARTERS, bins=bins).values, rhoof(2 * field, QUARTERS, bins=bins).values, rtol=1e-5
    )


def test_bi_woof_by_hand():
    """HOOF of each block times its mean strain, the whole brought to length 1."""
    field = np.random.default_rng(3).normal(size=(12, 12, 2)).astype(np.float32)
    local = hoof(field, QUARTERS).values.reshape(4, 8).astype(np.float64)
    strain = optical_strain(field)
    weight = np.array([strain[r : r + 6, c : c + 6].mean() for r in (0, 6) for c in (0, 6)])
    expected = local * weight[:, None]
    np.testing.assert_allclose(bi_woof(field, QUARTERS, unit=False).values, expected.ravel(), rtol=1e-4)
    np.testing.assert_allclose(bi_woof(field, QUARTERS).values, expected.ravel() / np.linalg.norm(expected), rtol=1e-4)


def test_bi_woof_is_blind_to_what_is_carried_along():
    """A block that moves as one, far from any border of motion, weighs nothing however fast it goes."""
    field = np.zeros((12, 12, 2), dtype=np.float32)
    field[:, :, 0] = np.where(X < 6, 5.0, 5.0 + 0.1 * (X - 6))
    found = bi_woof(field, blocks(1, 3, (12, 12)), unit=False).values.reshape(3, 8)
    assert found[0].sum() == 0.0
    assert found[2].sum() == pytest.approx(0.1, rel=1e-4)


def test_kernels_agree_with_loops():
    """Means and histograms over overlapping regions are those of each mask by itself."""
    rng = np.random.default_rng(1)
    masks = rng.random((5, 12, 12)) < 0.4
    regions = Regions(tuple("abcde"), masks)
    index, weights, field = rng.integers(0, 7, (12, 12)), rng.random((12, 12)), rng.normal(size=(12, 12, 2))
    np.testing.assert_allclose(means(field, regions), [field[m].mean(axis=0) for m in masks])
    np.testing.assert_allclose(means(weights, regions), [weights[m].mean() for m in masks])
    np.testing.assert_allclose(
        histograms(index, weights, regions, 7), [np.bincount(index[m], weights[m], minlength=7) for m in masks]
    )


def test_the_last_bin_holds_what_rounds_to_the_full_turn():
    """An angle that rounds to the full turn goes on with bin 0 instead of beyond the last."""
    assert direction_bins(np.array([np.float32(2 * np.pi)]), 8).tolist() == [0]


def test_unfit_fields_are_refused():
    """Shape, size and finiteness are said with both sides."""
    with pytest.raises(ConfigError, match="HOOF: expected at least 2 bins, got 1"):
        hoof(uniform(1, 0), WHOLE, bins=1)
    with pytest.raises(DataError, match=r"HOOF: expected motion of shape .* got \(12, 12\)"):
        hoof(X, WHOLE)
    with pytest.raises(DataError, match="Bi-WOOF: expected regions of 6x6 px, as the motion, got 12x12 px"):
        bi_woof(uniform(1, 0, (6, 6)), WHOLE)
    with pytest.raises(DataError, match="HOOF: expected finite motion, got NaN or infinity"):
        rhoof(uniform(np.nan, 0), WHOLE)
