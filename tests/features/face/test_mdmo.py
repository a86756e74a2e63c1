"""MDMO and its 36 regions: main directions by hand, regions on a real portrait."""

from __future__ import annotations

import numpy as np
import pytest

from mmme.errors import ConfigError, DataError
from mmme.features.face.landmarks import N_POINTS
from mmme.features.face.mdmo import MESH_OF_68, affine_aligned, main_motion, mdmo, mdmo_regions
from mmme.features.face.regions import blocks
from mmme.features.face.registration import similarity, transformed


@pytest.fixture(scope="module")
def placed(landmarks):
    return transformed(landmarks, similarity(landmarks))


@pytest.fixture(scope="module")
def rois(placed):
    return mdmo_regions(placed, 128)


def middle(mask):
    y, x = np.nonzero(mask)
    return np.array([x.mean(), y.mean()])


def test_the_points_are_distinct_points_of_the_mesh():
    """60 of the 68 points (inner lips are not used), each its own vertex."""
    assert len(set(MESH_OF_68)) == len(MESH_OF_68) == 60
    assert max(MESH_OF_68) < N_POINTS


def test_regions_cover_the_face_once(rois, placed):
    """36 regions that share nothing but borders, inside the face with its forehead, and none smaller than 100 px."""
    assert rois.names == tuple(f"roi{k:02d}" for k in range(1, 37))
    assert rois.sizes.min() >= 100
    times = rois.masks.sum(axis=0)
    assert (times > 1).sum() / (times > 0).sum() < 0.15
    assert (times > 0).mean() > 0.35


def test_regions_lie_where_their_number_says(rois, placed):
    """Forehead above the brows, 10 and 11 at the root of the nose, 23 and 24 beside the mouth, 34 and 35 on the chin."""
    centre = {name: middle(mask) for name, mask in zip(rois.names, rois.masks, strict=True)}
    brow_y, nose, mouth_y, chin_y = placed[105, 1], placed[4], placed[13, 1], placed[152, 1]
    assert all(centre[f"roi{k:02d}"][1] < brow_y + 10 for k in range(1, 7))
    assert centre["roi10"][0] < nose[0] < centre["roi11"][0]
    assert centre["roi10"][1] < nose[1]
    for k in (23, 24):
        assert abs(centre[f"roi{k}"][1] - mouth_y) < 10
    for k in (34, 35):
        assert mouth_y + 10 < centre[f"roi{k}"][1] < chin_y


PAIRS = [(1, 6), (2, 5), (3, 4), (7, 14), (8, 13), (9, 12), (10, 11), (15, 20), (16, 19), (17, 18), (21, 22), (23, 24)]
PAIRS += [(25, 28), (26, 27), (29, 30), (31, 32), (33, 36), (34, 35)]


def test_right_and_left_mirror_each_other(rois):
    """Each region has its counterpart at the same height and distance from the middle, within 5 px of a real face."""
    assert sorted(k for pair in PAIRS for k in pair) == list(range(1, 37))
    for right, left in PAIRS:
        a, b = middle(rois.masks[right - 1]), middle(rois.masks[left - 1])
        assert a[0] < b[0]
        np.testing.assert_allclose([a[0] + b[0], a[1]], [127.5, b[1]], atol=7)


def test_main_motion_leaves_the_minority_out():
    """Three pixels right by 1, 2 and 3 px, two far to the left: 2 px to the right, whatever the two do."""
    field = np.zeros((1, 5, 2), dtype=np.float32)
    field[0, :, 0] = [1, 2, 3, -40, -50]
    np.testing.assert_allclose(main_motion(field, blocks(1, 1, (1, 5))), [[2, 0]])


def test_fields_are_averaged_as_vectors():
    """1 px right in one field, 1 px up in the next: sqrt(1/2) px at 45 degrees; lengths relative to the largest region."""
    fields = np.zeros((2, 4, 8, 2), dtype=np.float32)
    fields[0, :, :4, 0], fields[1, :, :4, 1] = 1.0, -1.0
    fields[:, :, 4:, 0] = 2.0
    halves = blocks(1, 2, (4, 8))
    found = mdmo(fields, halves, normalised=False)
    assert found.columns == ("mdmo_r0c0_rho", "mdmo_r0c0_theta", "mdmo_r0c1_rho", "mdmo_r0c1_theta")
    np.testing.assert_allclose(found.values, [np.sqrt(0.5), np.pi / 4, 2, 0], atol=1e-6)
    np.testing.assert_allclose(mdmo(fields, halves).values[::2], [np.sqrt(0.5) / 2, 1], atol=1e-6)


def test_a_clip_is_72_values(rois):
    """36 regions, a length and an angle each; a still clip is 0 throughout."""
    still = mdmo(np.zeros((3, 128, 128, 2), dtype=np.float32), rois)
    assert still.values.shape == (72,)
    assert not still.values.any()


def test_the_head_is_taken_off_and_the_mouth_stays(placed, rois):
    """After alignment a sheared, scaled, shifted head is at rest, and a mouth corner that moved on its own still moves."""
    y, x = np.mgrid[:128, :128].astype(np.float32)
    head = np.dstack([1.5 + 0.01 * x - 0.008 * y, -1 + 0.004 * x + 0.01 * y])
    corner = 1.5 * np.exp(-((x - placed[61, 0]) ** 2 + (y - placed[61, 1]) ** 2) / (2 * 6**2))
    left = affine_aligned(head + np.dstack([0 * x, -corner]), placed)
    assert float(np.abs(left[:40]).max()) < 0.05
    assert float(left[..., 1].min()) == pytest.approx(-1.5, abs=0.1)


def test_unfit_input_is_refused(placed):
    """Landmarks of another model, and too few bins."""
    with pytest.raises(DataError, match=r"expected finite landmarks \(468, 2\), got \(68, 2\)"):
        mdmo_regions(placed[:68], 128)
    with pytest.raises(ConfigError, match="MDMO: expected at least 2 bins, got 0"):
        mdmo(np.zeros((4, 4, 2)), blocks(1, 1, (4, 4)), bins=0)
