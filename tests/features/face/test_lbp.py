"""Local binary patterns: every code is what a loop over pixels and exact arithmetic say, and what scikit-image says."""

from __future__ import annotations

import math
import warnings
from fractions import Fraction

import cv2
import numpy as np
import pytest
from skimage.feature import local_binary_pattern

from mmme.errors import ConfigError, DataError
from mmme.features.face.interpolation import interpolated
from mmme.features.face.lbp import FIP_RELEASED, ME_BASELINE, LbpSettings, lbp_fip, lbp_sip, lbp_top, lbp_top_codes
from mmme.features.face.lbp_codes import uniform_bins
from mmme.features.face.regions import Regions, blocks

DTYPES = ("uint8", "uint16", "float32", "float64")


def noise(shape, dtype="float32", seed=0):
    """Grey levels without two alike, as far as the kind of number allows."""
    return np.random.default_rng(seed).uniform(0, 255, shape).astype(dtype)


def grey(shape, dtype="uint8", levels=5, seed=0):
    """Few grey levels, so that ties abound."""
    return np.random.default_rng(seed).integers(0, levels, shape).astype(dtype)


def places(plane, radii, n):
    """Neighbours (dt, dy, dx) as exact fractions, placed to 1e-5 px."""
    rx, ry, rt = radii
    for p in range(n):
        a = 2 * math.pi * p / n
        c, s = math.cos(a), math.sin(a)
        place = {"xy": (0, -ry * s, rx * c), "xt": (rt * s, 0, rx * c), "yt": (rt * c, -ry * s, 0)}[plane]
        yield tuple(Fraction(round(1e5 * q), 100_000) for q in place)


def value_at(clip, t, y, x):
    """Grey level between voxels, linear along each axis, in exact arithmetic."""
    value = Fraction(0)
    for dt in (0, 1):
        for dy in (0, 1):
            for dx in (0, 1):
                weight = Fraction(1)
                corner = []
                for q, d in ((t, dt), (y, dy), (x, dx)):
                    whole = math.floor(q)
                    weight *= (q - whole) if d else (1 - q + whole)
                    corner.append(whole + d)
                if weight:
                    value += weight * Fraction(float(clip[tuple(corner)]))
    return value


def code_of(clip, centre, neighbours):
    """Code of one voxel, the first neighbour in the lowest bit."""
    here = Fraction(float(clip[centre]))
    return sum(
        1 << p for p, d in enumerate(neighbours) if value_at(clip, *(c + q for c, q in zip(centre, d, strict=True))) >= here
    )


def inner(shape, radii):
    """All voxels that have a full neighbourhood."""
    rx, ry, rt = radii
    return [(t, y, x) for t in range(rt, shape[0] - rt) for y in range(ry, shape[1] - ry) for x in range(rx, shape[2] - rx)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("radii", "neighbours"),
    [((1, 1, 1), (8, 8, 8)), ((1, 1, 4), (8, 8, 8)), ((3, 2, 2), (4, 12, 16)), ((2, 1, 3), (5, 8, 6))],
)
def test_codes_are_those_of_a_loop_over_pixels(radii, neighbours, dtype):
    """In exact arithmetic, voxel by voxel: for bytes full of ties, for 16 bits, and for fractions."""
    shape = (2 * radii[2] + 2, 2 * radii[1] + 4, 2 * radii[0] + 5)
    levels = {"uint8": 5, "uint16": 65_536}
    clip = grey(shape, dtype, levels[dtype]) if dtype in levels else noise(shape, dtype)
    codes = lbp_top_codes(clip, LbpSettings(radii=radii, neighbours=neighbours))
    for plane, n in zip(("xy", "xt", "yt"), neighbours, strict=True):
        expected = [code_of(clip, voxel, list(places(plane, radii, n))) for voxel in inner(shape, radii)]
        assert codes[plane].dtype == (np.uint8 if n <= 8 else np.uint16)
        assert codes[plane].shape == (shape[0] - 2 * radii[2], shape[1] - 2 * radii[1], shape[2] - 2 * radii[0])
        assert codes[plane].ravel().tolist() == expected


def by_scikit_image(clip, radius, n, method="default"):
    """Codes of scikit-image, plane by plane, without the border it fills in."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of floating-point images
        xy = np.stack([local_binary_pattern(frame, n, radius, method) for frame in clip])
        xt = np.stack([local_binary_pattern(clip[::-1, y], n, radius, method) for y in range(clip.shape[1])], axis=1)[::-1]
        yt = np.stack([local_binary_pattern(clip[:, :, x].T, n, radius, method) for x in range(clip.shape[2])], axis=2)
    cut = np.s_[radius:-radius]
    return {p: v[cut, cut, cut].astype(int) for p, v in {"xy": xy, "xt": xt, "yt": yt.swapaxes(0, 1)}.items()}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("radius", "n"), [(1, 8), (2, 8), (3, 8), (1, 4), (2, 6), (3, 16)])
def test_codes_are_those_of_scikit_image(radius, n, dtype):
    """All integers equal, on each plane, interpolated neighbours included (one radius: scikit-image knows no ellipse)."""
    clip = noise((12, 20, 24), dtype)
    ours = lbp_top_codes(clip, LbpSettings(radii=(radius,) * 3, neighbours=(n,) * 3))
    for plane, theirs in by_scikit_image(clip, radius, n).items():
        np.testing.assert_array_equal(ours[plane], theirs)


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_where_scikit_image_differs_the_neighbour_is_exactly_as_bright(radius):
    """On bytes with many ties, differing bits are ties which rounding decides there; here a tie sets the bit."""
    clip = grey((12, 30, 30))
    ours = lbp_top_codes(clip, LbpSettings(radii=(radius,) * 3))
    n_tied = 0
    for plane, theirs in by_scikit_image(clip, radius, 8).items():
        different = np.argwhere(ours[plane] != theirs)
        for where in different:
            centre = tuple(int(v) + radius for v in where)
            code, other = int(ours[plane][tuple(where)]), int(theirs[tuple(where)])
            for p, d in enumerate(places(plane, (radius,) * 3, 8)):
                if (code ^ other) >> p & 1:
                    assert value_at(clip, *(c + q for c, q in zip(centre, d, strict=True))) == int(clip[centre])
                    assert code >> p & 1
                    n_tied += 1
        assert len(different) < 0.01 * theirs.size
    assert n_tied > 0  # otherwise this test shows nothing


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("radii", [(1, 1, 1), (1, 1, 4), (3, 2, 7)])
def test_a_flat_area_sets_every_bit(radii, dtype):
    """As bright as the centre counts as bright, also between pixels, for grey levels no float holds exactly."""
    for level in (0.0, 0.1, 77.7, 254.9):
        clip = np.full((2 * radii[2] + 1, 2 * radii[1] + 2, 2 * radii[0] + 2), level).astype(dtype)
        assert all((code == 255).all() for code in lbp_top_codes(clip, LbpSettings(radii=radii)).values())


def test_uniform_bins_are_scikit_images_classes():
    """58 uniform codes and one for the rest; the classes are those of nri_uniform, only numbered in ascending order."""
    clip = noise((9, 40, 44), "float64")
    plain, classes = by_scikit_image(clip, 1, 8)["xy"], by_scikit_image(clip, 1, 8, "nri_uniform")["xy"]
    bins, n_bins = uniform_bins(8)
    assert n_bins == 59
    pairs = set(zip(bins[plain.ravel()].tolist(), classes.ravel().tolist(), strict=True))
    assert len(pairs) == 59 == len({b for b, _ in pairs}) == len({c for _, c in pairs})
    assert (58, 58) in pairs
    assert [uniform_bins(n)[1] for n in (2, 3, 4, 16)] == [4, 8, 15, 243]


def test_histograms_count_the_codes_of_each_region_and_segment():
    """Overlapping regions, segments in time, and planes: the share of each bin among the pixels that have all neighbours."""
    clip = noise((14, 20, 22))
    settings = LbpSettings(radii=(2, 1, 3), neighbours=(8, 4, 16), segments=3)
    masks = np.zeros((3, 20, 22), bool)
    masks[0, :9, :12] = masks[1, 5:, 8:] = masks[2, 7, 7] = True
    row = lbp_top(clip, Regions(("brow", "cheek", "mole"), masks), settings)
    got = dict(zip(row.columns, row.values.tolist(), strict=True))
    codes = lbp_top_codes(clip, settings)
    n_bins = {"xy": 59, "xt": 15, "yt": 243}
    assert len(got) == len(row.columns) == 3 * 3 * sum(n_bins.values())
    assert row.values.dtype == np.float32
    for region, mask in zip(("brow", "cheek", "mole"), masks, strict=True):
        for s, part in enumerate((slice(0, 3), slice(3, 6), slice(6, 8))):
            for plane, n in n_bins.items():
                bins = uniform_bins({59: 8, 15: 4, 243: 16}[n])[0][codes[plane][part][:, mask[1:-1, 2:-2]]]
                expected = np.bincount(bins.ravel(), minlength=n) / bins.size
                actual = [got[f"lbptop_{region}_s{s}_{plane}_{b}"] for b in range(n)]
                np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_eroded_blocks_are_blocks_cut_out_first():
    """Published code codes each block by itself; regions without a border of the radii give the same histograms."""
    clip = grey((9, 20, 30), levels=200)
    grid = blocks(2, 3, (20, 30))
    kernel = np.ones((3, 3), np.uint8)
    eroded = [
        cv2.erode(mask.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0 for mask in grid.masks
    ]
    whole = lbp_top(clip, Regions(grid.names, np.array(eroded)), ME_BASELINE)
    apart = [
        lbp_top(clip[:, 10 * i : 10 * i + 10, 10 * j : 10 * j + 10], blocks(1, 1, (10, 10))).values
        for i in range(2)
        for j in range(3)
    ]
    np.testing.assert_array_equal(whole.values, np.concatenate(apart))


def test_bins_without_uniform_are_codes():
    """256 bins of 8 neighbours, 16 of 4, in the order of the codes."""
    clip = noise((3, 9, 9))
    settings = LbpSettings(radii=(1, 1, 1), neighbours=(8, 4, 8), uniform=False)
    row = lbp_top(clip, blocks(1, 1, (9, 9)), settings)
    codes = lbp_top_codes(clip, settings)
    expected = [np.bincount(codes[p].ravel(), minlength=n) / 49 for p, n in (("xy", 256), ("xt", 16), ("yt", 256))]
    np.testing.assert_allclose(row.values, np.concatenate(expected), rtol=1e-6)


def test_grey_levels_are_not_rounded_and_their_scale_does_not_matter():
    """Steps of a thousandth of a grey level are seen; brightening and doubling change nothing (by powers of two: exactly)."""
    clip = noise((9, 16, 16), "float64")
    grid = blocks(2, 2, (16, 16))
    row = lbp_top(clip, grid)
    np.testing.assert_array_equal(lbp_top(clip / 1024, grid).values, row.values)
    np.testing.assert_array_equal(lbp_top((clip / 1024).astype(np.float32), grid).columns, row.columns)
    assert not np.array_equal(lbp_top(np.rint(clip / 1024), grid).values, row.values)


def test_a_moving_edge_shows_in_time_and_not_in_space():
    """A face that brightens evenly: XY is flat (code 255), XT and YT have the later neighbours only, and those beside."""
    clip = np.arange(9.0)[:, None, None] + np.zeros((9, 8, 8))
    codes = lbp_top_codes(clip, ME_BASELINE)
    later_xt = sum(1 << p for p in (0, 1, 2, 3, 4))  # sin >= 0
    later_yt = sum(1 << p for p in (6, 7, 0, 1, 2))  # cos >= 0
    assert (codes["xy"] == 255).all()
    assert (codes["xt"] == later_xt).all()
    assert (codes["yt"] == later_yt).all()


def test_six_intersection_points_are_those_of_a_loop():
    """LBP-SIP: right, up, left, down in one code, after and before in the other, 20 bins a region."""
    clip, radii = grey((11, 12, 14)), (2, 1, 3)
    grid = blocks(1, 2, (12, 14))
    row = lbp_sip(clip, grid, radii=radii)
    assert len(row.columns) == 40
    space = [(0, 0, 2), (0, -1, 0), (0, 0, -2), (0, 1, 0)]
    expected = []
    for mask in grid.masks:
        voxels = [v for v in inner(clip.shape, radii) if mask[v[1:]]]
        for neighbours, n in ((space, 16), ([(3, 0, 0), (-3, 0, 0)], 4)):
            found = [code_of(clip, v, [tuple(map(Fraction, d)) for d in neighbours]) for v in voxels]
            expected.append(np.bincount(found, minlength=n) / len(found))
    np.testing.assert_allclose(row.values, np.concatenate(expected), rtol=1e-6)
    assert row.columns[15:18] == ("lbpsip_r0c0_space_15", "lbpsip_r0c0_time_0", "lbpsip_r0c0_time_1")


def test_five_intersecting_planes_are_lbp_top_and_the_vertices_of_a_box():
    """LBP-FIP: with vertices no further than the radii, three histograms are LBP-TOP's; the fourth is that of a loop."""
    clip = grey((9, 10, 12), levels=9)
    settings, grid = LbpSettings(radii=(2, 2, 3)), blocks(1, 1, (10, 12))
    row = lbp_fip(clip, grid, settings, vertex=(2, 1, 3))
    np.testing.assert_array_equal(row.values[: 3 * 59], lbp_top(clip, grid, settings).values)
    corners = [(3, 1, -2), (3, 1, 2), (-3, -1, 2), (-3, -1, -2), (3, -1, -2), (3, -1, 2), (-3, 1, 2), (-3, 1, -2)]
    neighbours = [tuple(map(Fraction, d)) for d in corners]
    assert len(set(corners)) == 8
    bins = uniform_bins(8)[0][[code_of(clip, v, neighbours) for v in inner(clip.shape, (2, 2, 3))]]
    np.testing.assert_allclose(row.values[3 * 59 :], np.bincount(bins, minlength=59) / len(bins), rtol=1e-6)
    assert FIP_RELEASED.radii == (1, 1, 7)


def test_vertices_beyond_the_radii_widen_the_border():
    """Pixels without all eight vertices are not counted in any of the four histograms."""
    clip, grid = noise((11, 14, 14)), blocks(1, 1, (14, 14))
    row = lbp_fip(clip, grid, LbpSettings(radii=(1, 1, 2)), vertex=(3, 2, 4))
    codes = lbp_top_codes(clip, LbpSettings(radii=(1, 1, 2)))["xy"][2:-2, 1:-1, 2:-2]
    expected = np.bincount(uniform_bins(8)[0][codes.ravel()], minlength=59) / codes.size
    np.testing.assert_allclose(row.values[:59], expected, rtol=1e-6)


def test_short_clips_name_the_way_out_and_it_works():
    """Eight frames are too few for Rt = 4; interpolated to nine they can be described."""
    clip, grid = noise((8, 20, 20)), blocks(5, 5, (20, 20))
    for described, name in ((lbp_top, "lbp-top"), (lbp_sip, "lbp-sip")):
        with pytest.raises(DataError, match=rf"{name}: expected at least 9 frames, got 8; lengthen .*interpolated"):
            described(clip, grid)
    with pytest.raises(DataError, match="lbp-fip: expected at least 15 frames, got 8; .*TIM"):
        lbp_fip(clip, grid)
    with pytest.raises(DataError, match="expected at least 11 frames, got 9"):
        lbp_top(noise((9, 20, 20)), grid, LbpSettings(segments=3))
    assert len(lbp_top(interpolated(clip, 9), grid).values) == 4425


def test_what_cannot_be_described_is_refused():
    """Wrong shapes, kinds, values, sizes and settings are named with what was expected."""
    grid = blocks(2, 2, (20, 20))
    with pytest.raises(DataError, match=r"expected grey frames \(frames, height, width\), got .* \(9, 20, 20, 3\)"):
        lbp_top(np.zeros((9, 20, 20, 3), np.uint8), grid)
    with pytest.raises(DataError, match="expected grey levels as uint8, uint16, float32, float64, got int64"):
        lbp_top(np.zeros((9, 20, 20), np.int64), grid)
    holed = noise((9, 20, 20))
    holed[3, 4, 5:7] = np.nan
    with pytest.raises(DataError, match="expected finite grey levels, got 2 that are not"):
        lbp_top(holed, grid)
    with pytest.raises(DataError, match=r"expected regions of \(20, 24\) px like the frames, got \(20, 20\) px"):
        lbp_top(noise((9, 20, 24)), grid)
    edge = np.zeros((1, 20, 20), bool)
    edge[0, 0] = True
    with pytest.raises(DataError, match="expected pixels beyond the 1 rows and 1 columns at the edge: brow has none"):
        lbp_top(noise((9, 20, 20)), Regions(("brow",), edge))
    with pytest.raises(DataError, match="expected frames of more than 2 x 2 px, got 2 x 9"):
        lbp_top_codes(noise((9, 2, 9)))
    with pytest.raises(ConfigError, match="radius 0 is not a whole number of at least 1"):
        LbpSettings(radii=(1, 0, 4))
    with pytest.raises(ConfigError, match="17 neighbours are not 2 to 16"):
        LbpSettings(neighbours=(8, 8, 17))
    with pytest.raises(ConfigError, match="12 neighbours are not 2 to 8"):
        LbpSettings(neighbours=(8, 8, 12), uniform=False)
    with pytest.raises(ConfigError, match="0 segments are not at least 1"):
        LbpSettings(segments=0)
