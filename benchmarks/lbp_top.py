"""
LBP-TOP of a clip against a loop over pixels and against scikit-image plane by plane: ratios of CPU time, codes identical.

    python benchmarks/lbp_top.py [--rounds 7]

The whole descriptor is timed: codes on three planes with 8 neighbours, uniform bins, histograms of 5 x 5 blocks, of a
simulated face, 60 frames of 128 x 128 px. The loop runs on a crop and is scaled by the number of pixels described. It has
the radii of the micro-expression baseline (1, 1, 4); scikit-image knows no ellipse, so there all radii are 1. Fails if a
code differs, or where the descriptor is less than 100 times as fast as the loop or 3 times as fast as scikit-image.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.feature import local_binary_pattern
from threadpoolctl import threadpool_limits

from mmme.features.face.gradients_3d import hog_on_icosahedron, hog_on_planes
from mmme.features.face.interpolation import interpolated
from mmme.features.face.lbp import ME_BASELINE, LbpSettings, lbp_fip, lbp_sip, lbp_top, lbp_top_codes
from mmme.features.face.lbp_codes import uniform_bins
from mmme.features.face.regions import Regions, blocks
from mmme.simulate import simulate_clip

BOUND_LOOP, BOUND_SKIMAGE = 100, 3
CIRCLE = LbpSettings(radii=(1, 1, 1))
CROP = np.s_[:13, 40:66, 40:66]
PLANES = ("xy", "xt", "yt")


def corners(offset: float) -> list[tuple[int, float]]:
    """Return the grid points beside an offset and their weights."""
    low = math.floor(offset)
    return [(low, 1 - offset + low), (low + 1, offset - low)] if offset != low else [(low, 1.0)]


def neighbours(radii: tuple[int, int, int]) -> list[list[list[tuple[int, int, int, float]]]]:
    """Return grid points and weights of each neighbour in each plane, worked out once before the loop."""
    rx, ry, rt = radii
    planes = []
    for plane in PLANES:
        points = []
        for p in range(8):
            c, s = math.cos(math.pi * p / 4), math.sin(math.pi * p / 4)
            place = {"xy": (0.0, -ry * s, rx * c), "xt": (rt * s, 0.0, rx * c), "yt": (rt * c, -ry * s, 0.0)}[plane]
            t, y, x = (corners(round(q, 5)) for q in place)
            points.append([(dt, dy, dx, wt * wy * wx) for dt, wt in t for dy, wy in y for dx, wx in x])
        planes.append(points)
    return planes


def by_loop(
    clip: NDArray[np.float32], regions: Regions, radii: tuple[int, int, int]
) -> tuple[list[list[int]], NDArray[np.float64]]:
    """Return codes in order and histograms, pixel by pixel."""
    rx, ry, rt = radii
    k, height, width = clip.shape
    planes, bin_of = neighbours(radii), uniform_bins(8)[0].tolist()
    region_of = regions.masks.argmax(axis=0).tolist()
    codes: list[list[int]] = [[], [], []]
    counts = np.zeros((len(regions), 3, 59))
    for t in range(rt, k - rt):
        for y in range(ry, height - ry):
            for x in range(rx, width - rx):
                centre = float(clip[t, y, x])
                for j, points in enumerate(planes):
                    code = 0
                    for p, point in enumerate(points):
                        value = 0.0
                        for dt, dy, dx, w in point:
                            value += w * float(clip[t + dt, y + dy, x + dx])
                        if value >= centre:
                            code |= 1 << p
                    codes[j].append(code)
                    counts[region_of[y][x], j, bin_of[code]] += 1
    return codes, counts


def by_scikit_image(clip: NDArray[np.float32]) -> dict[str, NDArray[np.int64]]:
    """Return codes of every plane of the clip, radius 1, without the border."""
    k, height, width = clip.shape
    planes = {plane: np.empty(clip.shape) for plane in PLANES}
    for t in range(1, k - 1):
        planes["xy"][t] = local_binary_pattern(clip[t], 8, 1)
    for y in range(1, height - 1):
        planes["xt"][::-1, y] = local_binary_pattern(clip[::-1, y], 8, 1)
    for x in range(1, width - 1):
        planes["yt"][:, :, x] = local_binary_pattern(clip[:, :, x].T, 8, 1).T
    inner = np.s_[1:-1, 1:-1, 1:-1]
    return {plane: code[inner].astype(np.int64) for plane, code in planes.items()}


def histograms_of(codes: dict[str, NDArray[np.int64]], regions: Regions) -> NDArray[np.float32]:
    """Return the same row from codes of radius 1, by one count over the clip per plane."""
    region_of = regions.masks.argmax(axis=0)[1:-1, 1:-1] * 59
    n_all = 59 * len(regions)
    found = [
        np.bincount((region_of + uniform_bins(8)[0][c]).ravel(), minlength=n_all).reshape(-1, 59) for c in codes.values()
    ]
    return np.concatenate([f / f.sum(axis=1, keepdims=True) for f in found], axis=1).ravel().astype(np.float32)


def identical(clip: NDArray[np.float32], regions: Regions) -> bool:
    """Compare all codes with scikit-image's, those of a crop with the loop's, and the rows made of them."""
    ours, theirs = lbp_top_codes(clip, CIRCLE), by_scikit_image(clip)
    same = [bool(np.array_equal(ours[p], theirs[p])) for p in PLANES]
    same.append(bool(np.allclose(lbp_top(clip, regions, CIRCLE).values, histograms_of(theirs, regions), rtol=1e-6)))
    crop = np.ascontiguousarray(clip[CROP])
    for settings in (ME_BASELINE, CIRCLE):
        ours, (loop, _) = lbp_top_codes(crop, settings), by_loop(crop, blocks(5, 5, crop.shape[1:]), settings.radii)
        same += [ours[p].ravel().tolist() == codes for p, codes in zip(PLANES, loop, strict=True)]
    return all(same)


def seconds(jobs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median CPU time of each job, all of them run in turn."""
    spent: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            start = time.process_time()
            job()
            spent[name].append(time.process_time() - start)
    return {name: float(np.median(times)) for name, times in spent.items()}


def memory_mb(job: Callable[[], object]) -> float:
    """Return the most a job held at a time beyond what was there."""
    tracemalloc.start()
    job()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def main() -> None:
    """Time, compare, print, and fail where a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    raw = simulate_clip(0, duration_s=0.6)[1]
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, raw.shape)
    clip = (raw + noise).astype(np.float32)  # fractions of a grey level, as in means of frames: no ties
    regions = blocks(5, 5, clip.shape[1:])
    crop = np.ascontiguousarray(clip[CROP])
    crop_regions = blocks(5, 5, crop.shape[1:])
    if not identical(clip, regions):
        sys.exit("codes or histograms differ")
    print(f"{clip.shape} {clip.dtype}: all codes and histograms identical\n")

    rx, ry, rt = ME_BASELINE.radii
    n_whole, n_crop = (math.prod(s - 2 * r for s, r in zip(c.shape, (rt, ry, rx), strict=True)) for c in (clip, crop))
    time_of = seconds(
        {
            "baseline": lambda: lbp_top(clip, regions),
            "circle": lambda: lbp_top(clip, regions, CIRCLE),
            "bytes": lambda: lbp_top(raw, regions),
            "scikit-image": lambda: histograms_of(by_scikit_image(clip), regions),
            "loop": lambda: by_loop(crop, crop_regions, ME_BASELINE.radii),
            "lbp_sip": lambda: lbp_sip(clip, regions),
            "lbp_fip": lambda: lbp_fip(clip, regions),
            "hog_on_planes": lambda: hog_on_planes(clip, regions),
            "hog_on_icosahedron": lambda: hog_on_icosahedron(clip, regions),
            "interpolated to 16": lambda: interpolated(clip, 16),
        },
        args.rounds,
    )
    loop = time_of["loop"] * n_whole / n_crop
    ratios = {
        f"loop over pixels (crop of {n_crop} pixels, scaled to {n_whole})": (loop / time_of["baseline"], BOUND_LOOP),
        "scikit-image, all radii 1": (time_of["scikit-image"] / time_of["circle"], BOUND_SKIMAGE),
        "scikit-image with radii 1, against radii (1, 1, 4)": (
            time_of["scikit-image"] / time_of["baseline"],
            BOUND_SKIMAGE,
        ),
    }
    for name, (ratio, bound) in ratios.items():
        print(f"{ratio:8.1f} times as fast as {name} (bound {bound})")
    print(f"\nmemory beyond the clip: {memory_mb(lambda: lbp_top(clip, regions)):.0f} MB")
    for name, spent in time_of.items():
        print(f"{1e3 * (loop if name == 'loop' else spent):10.1f} ms  {name}{' (scaled)' * (name == 'loop')}")
    if any(ratio < bound for ratio, bound in ratios.values()):
        sys.exit("slower than the bound")


if __name__ == "__main__":
    warnings.filterwarnings("ignore", message="Applying `local_binary_pattern` to floating-point images")
    cv2.setNumThreads(1)
    with threadpool_limits(1):
        main()
