"""Gradients in space and time: known directions fall into their bins, and sums are those of a loop over pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmme.errors import ConfigError, DataError
from mmme.features.face.gradients_3d import ICOSAHEDRON, GradientSettings, hog_on_icosahedron, hog_on_planes
from mmme.features.face.regions import Regions, blocks

PLANES = ("xy", "xt", "yt")


def noise(shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).uniform(0, 255, shape).astype(dtype)


def gradient_at(clip, t, y, x):
    """(gx, gy, gt) of one voxel, by its six neighbours."""
    value = lambda *place: float(clip[place])  # noqa: E731
    return (
        (value(t, y, x + 1) - value(t, y, x - 1)) / 2,
        (value(t, y + 1, x) - value(t, y - 1, x)) / 2,
        (value(t + 1, y, x) - value(t - 1, y, x)) / 2,
    )


def by_loop(clip, regions, settings):
    """3DHOG voxel by voxel."""
    k, height, width = clip.shape
    values = []
    for mask in regions.masks:
        for segment in range(settings.segments):
            histograms = [np.zeros(n) for n in settings.bins]
            for t in range(1, k - 1):
                if (t - 1) * settings.segments // (k - 2) != segment:
                    continue
                for y in range(1, height - 1):
                    for x in range(1, width - 1):
                        if not mask[y, x]:
                            continue
                        gx, gy, gt = gradient_at(clip, t, y, x)
                        for histogram, (a, b) in zip(histograms, ((gx, gy), (gx, gt), (gy, gt)), strict=True):
                            n = len(histogram)
                            turn = math.atan2(b, a) / (2 * math.pi) * n
                            if settings.soft:
                                lower = math.floor(turn)
                                histogram[lower % n] += math.hypot(a, b) * (1 - turn + lower)
                                histogram[(lower + 1) % n] += math.hypot(a, b) * (turn - lower)
                            else:
                                histogram[round(turn) % n] += math.hypot(a, b)
            values += [h / h.sum() for h in histograms]
    return np.concatenate(values)


def overlapping():
    masks = np.zeros((3, 9, 11), bool)
    masks[0, :6, :7] = masks[1, 3:, 4:] = masks[2, 4:6, 5] = True
    return Regions(("brow", "cheek", "mole"), masks)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("settings", [GradientSettings(), GradientSettings((9, 5, 16), soft=False, segments=2)])
def test_planes_are_those_of_a_loop_over_pixels(settings, dtype):
    """Overlapping regions, segments in time, shared and whole bins; no byte overflows."""
    clip, regions = noise((7, 9, 11), dtype), overlapping()
    row = hog_on_planes(clip, regions, settings)
    np.testing.assert_allclose(row.values, by_loop(clip, regions, settings), atol=1e-6)
    assert row.values.dtype == np.float32
    per_region = settings.segments * sum(settings.bins)
    assert len(set(row.columns)) == len(row.columns) == 3 * per_region
    assert row.columns[per_region] == ("3dhog_cheek_xy_0" if settings.segments == 1 else "3dhog_cheek_s0_xy_0")


@pytest.mark.parametrize(("vx", "vy"), [(0.5, 0.0), (-1.0, 0.0), (0.0, 2.0), (1.0, -0.5), (0.0, 0.0)])
def test_a_moving_pattern_has_the_direction_of_its_speed(vx, vy):
    """Grey levels that rise to the right and downwards and move by v: gt is minus v times the slope, in every plane."""
    t, y, x = np.mgrid[:6, :10, :10].astype(float)
    clip = 100 + 2.0 * (x - vx * t) + 3.0 * (y - vy * t)
    n = 24
    row = hog_on_planes(clip, blocks(2, 2, (10, 10)), GradientSettings((n, n, n)))
    gt = -2.0 * vx - 3.0 * vy
    for region in range(4):
        for j, (a, b) in enumerate(((2.0, 3.0), (2.0, gt), (3.0, gt))):
            turn = math.atan2(b, a) / (2 * math.pi) * n
            expected = np.zeros(n)
            expected[math.floor(turn) % n] += 1 - turn % 1
            expected[(math.floor(turn) + 1) % n] += turn % 1
            histogram = row.values[(3 * region + j) * n : (3 * region + j + 1) * n]
            np.testing.assert_allclose(histogram, expected, atol=1e-6)


def test_a_face_at_rest_has_no_gradient_in_time():
    """In XT and YT everything lies in the two bins along x and y, whole: those of 0 and 180 degrees."""
    clip = np.repeat(noise((1, 12, 12)), 5, axis=0)
    row = hog_on_planes(clip, blocks(1, 1, (12, 12)), GradientSettings((8, 12, 12), soft=True))
    for start in (8, 20):
        histogram = row.values[start : start + 12]
        assert histogram[0] + histogram[6] == pytest.approx(1, abs=1e-6)
        assert min(histogram[0], histogram[6]) > 0.2


def test_contrast_does_not_matter_and_its_sign_turns_by_half():
    """Twice the contrast: the same; the negative: every bin half a turn on."""
    clip, regions = noise((6, 12, 12)), blocks(2, 2, (12, 12))
    row = hog_on_planes(clip, regions).values
    np.testing.assert_allclose(hog_on_planes(2 * clip + 5, regions).values, row, atol=1e-6)
    turned = hog_on_planes(300 - clip, regions).values
    start = 0
    for n in (8, 12, 12) * 4:
        np.testing.assert_allclose(turned[start : start + n], np.roll(row[start : start + n], n // 2), atol=1e-6)
        start += n
    solid, opposite = (hog_on_icosahedron(c, regions).values.reshape(4, 20) for c in (clip, 300 - clip))
    np.testing.assert_allclose(opposite, np.roll(solid, 10, axis=1), atol=1e-6)


def test_the_icosahedron_is_one():
    """Twenty middles of faces, of length 1; each has three next neighbours, at the cosine of the square root of 5 over 3."""
    faces = np.concatenate([ICOSAHEDRON, -ICOSAHEDRON])
    cosines = np.sort((faces @ faces.T).round(9), axis=1)
    np.testing.assert_allclose(cosines[:, -1], 1)
    np.testing.assert_allclose(cosines[:, -4:-1], math.sqrt(5) / 3, atol=1e-9)
    assert (cosines[:, -5] < 0.5).all()


@pytest.mark.parametrize("face", range(20))
def test_a_gradient_along_a_face_lies_in_it_alone(face):
    """A ramp in space and time along the middle of a face: everything in one bin."""
    gx, gy, gt = np.concatenate([ICOSAHEDRON, -ICOSAHEDRON])[face] * 7
    t, y, x = np.mgrid[:4, :5, :6].astype(float)
    row = hog_on_icosahedron(100 + gx * x + gy * y + gt * t, blocks(1, 1, (5, 6)))
    np.testing.assert_allclose(row.values, np.eye(20)[face], atol=1e-6)


def test_shares_on_the_icosahedron_are_those_of_a_loop():
    """Per voxel: projections beyond the next face's middle, scaled to the length of the gradient (first norm)."""
    clip, regions = noise((5, 9, 11), "uint8"), overlapping()
    row = hog_on_icosahedron(clip, regions, segments=3)
    faces = np.concatenate([ICOSAHEDRON, -ICOSAHEDRON])
    expected = []
    for mask in regions.masks:
        for t in (1, 2, 3):
            histogram = np.zeros(20)
            for y, x in np.argwhere(mask[1:-1, 1:-1]) + 1:
                g = np.array(gradient_at(clip, t, y, x))
                share = np.array([max(0.0, f @ g - math.sqrt(5) / 3 * np.linalg.norm(g)) for f in faces])
                if share.sum():
                    histogram += share / share.sum() * np.linalg.norm(g)
            expected.append(histogram / histogram.sum())
    np.testing.assert_allclose(row.values, np.concatenate(expected), atol=1e-6)
    assert row.columns[20] == "hog3d_brow_s1_xyt_0"


def test_a_flat_region_has_empty_histograms():
    """One grey level has no direction: zeros, not NaN, and not an even spread."""
    flat = np.full((4, 8, 8), 93, np.uint8)
    assert not hog_on_planes(flat, blocks(2, 2, (8, 8))).values.any()
    assert not hog_on_icosahedron(flat, blocks(2, 2, (8, 8))).values.any()


def test_what_cannot_be_described_is_refused():
    """Two frames have no middle; settings out of range; values that are not finite."""
    grid = blocks(2, 2, (8, 8))
    for described, name in ((hog_on_planes, "3dhog"), (hog_on_icosahedron, "hog3d")):
        with pytest.raises(DataError, match=f"{name}: expected at least 3 frames, got 2; .*TIM"):
            described(noise((2, 8, 8)), grid)
        with pytest.raises(DataError, match=f"{name}: expected regions of"):
            described(noise((4, 8, 9)), grid)
        with pytest.raises(DataError, match="expected finite grey levels, got 1 that are not"):
            described(np.where(np.arange(256).reshape(4, 8, 8) == 70, np.nan, 1.0), grid)
    with pytest.raises(ConfigError, match="1 bins are not 2 to 360"):
        GradientSettings((8, 1, 8))
    with pytest.raises(ConfigError, match="0 segments are not at least 1"):
        hog_on_icosahedron(noise((4, 8, 8)), grid, segments=0)
