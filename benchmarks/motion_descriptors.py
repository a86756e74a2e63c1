"""
Time of each descriptor of motion for one 128-px field, against the flow it is computed from.

Prints the table of docs/descriptors-motion.md. Medians of process time; methods by turns, so that a busy machine slows all.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np
from skimage import data

from mmme.features.face.facial_dynamics import displacements, facial_dynamics_map
from mmme.features.face.flow import flow
from mmme.features.face.hoof import bi_woof, hoof, rhoof
from mmme.features.face.landmarks import FaceMesh
from mmme.features.face.mdmd import mdmd
from mmme.features.face.mdmo import affine_aligned, mdmo, mdmo_regions
from mmme.features.face.regions import blocks
from mmme.features.face.registration import register, similarity, transformed
from mmme.features.face.strain_maps import strain_pooled


def main(rounds: int = 100) -> None:
    portrait = np.ascontiguousarray(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)[:256, 96:352])
    with FaceMesh() as finder:
        points = finder.find(portrait)
    matrix = similarity(points)
    face = register(portrait, matrix)
    placed = transformed(points, matrix)
    rois, coarse, fine, six = mdmo_regions(placed, 128), *(blocks(n, n, (128, 128)) for n in (5, 8, 6))
    rng = np.random.default_rng(0)
    noisy = [face + rng.normal(0, 2, face.shape).astype(np.float32) for _ in range(2)]
    field = flow(noisy[0], np.roll(noisy[1], 1, axis=1))
    fields = np.stack([field])
    ways: dict[str, Callable[[], object]] = {
        "DIS flow, for comparison": lambda: flow(noisy[0], noisy[1]),
        "HOOF, 5 x 5 blocks, 8 bins": lambda: hoof(field, coarse),
        "HOOF, 8 x 8 blocks, 30 bins, mirrored": lambda: hoof(field, fine, bins=30, mirrored=True),
        "Bi-WOOF, 5 x 5 blocks": lambda: bi_woof(field, coarse),
        "Bi-WOOF, 8 x 8 blocks": lambda: bi_woof(field, fine),
        "RHOOF, 36 regions": lambda: rhoof(field, rois),
        "MDMO, 36 regions": lambda: mdmo(fields, rois),
        "affine alignment (MDMO)": lambda: affine_aligned(field, placed),
        "MDMD, 6 x 6 blocks": lambda: mdmd(field, field, six),
        "strain, 5 x 5 blocks": lambda: strain_pooled(field, coarse),
        "facial dynamics map, 6 x 6 blocks": lambda: facial_dynamics_map(fields, six, pieces=1),
        "region displacement, 36 regions": lambda: displacements([field], rois),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.process_time()
            way()
            took[name].append(time.process_time() - started)
    print("| descriptor | time per field |\n|---|---|")
    for name, times in took.items():
        print(f"| {name} | {1e3 * float(np.median(times)):.2f} ms |")


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
