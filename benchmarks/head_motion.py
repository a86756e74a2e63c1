"""
What is left of the head's motion after it is fitted and taken off in different ways, on simulated expressions.

Prints the table of docs/flow.md: error of the mean motion of each facial region [px of the registered face], onset to apex
of 45 micro-expressions in 128-px frames at 100 frames per second, with a head that sways by 1.5 px and camera noise of 1.8
grey levels. A region moves where the planted motion exceeds a tenth of the expression's amplitude, else it rests.
"""

from __future__ import annotations

import cv2
import numpy as np

from mmme.features.face.flow import flow
from mmme.features.face.landmarks import FaceMesh
from mmme.features.face.mdmo import affine_aligned
from mmme.features.face.pooling import means
from mmme.features.face.regions import REGIONS, Regions, region_masks, skin_mask
from mmme.features.face.registration import head_motion, register, similarity, transformed
from mmme.interval import Interval
from mmme.simulate import simulate_clip
from mmme.simulate.expressions import draw_expressions

BONE = (168, 6, 197, 33, 133, 362, 263, 127, 356)  # bridge of the nose, eye corners, temples
EMOTIONS = ("happy", "surprise", "disgust", "sad", "fear", "angry", "tense")


def bone_mask(placed: np.ndarray, size: int) -> np.ndarray:
    mask = np.zeros((size, size), dtype=np.uint8)
    for point in BONE:
        cv2.circle(mask, [round(float(c)) for c in placed[point]], 4, 1, -1)
    return mask > 0


def main(n: int = 45) -> None:
    moving: dict[str, list[float]] = {}
    resting: dict[str, list[float]] = {}
    done = seed = 0
    with FaceMesh() as finder:
        while done < n:
            seed += 1
            drawn = draw_expressions(np.random.default_rng([seed, 3]), EMOTIONS[seed % len(EMOTIONS)], Interval(0.0, 4.0))
            micro = [e for e in drawn if e.kind == "micro"]
            if not micro:
                continue
            (event,) = micro
            t, frames, truth = simulate_clip(
                seed, fps=100.0, duration_s=event.apex_s + 0.05, events=drawn, head_motion_px=1.5
            )  # fmt: skip
            near = [np.abs(t - moment) < 0.012 for moment in (event.onset_s, event.apex_s)]
            points = finder.find(frames[near[0]][0])
            if points is None:
                continue
            done += 1
            matrix = similarity(points)
            first, second = (register(frames[k].mean(axis=0), matrix) for k in near)
            planted = truth.displacement(event.apex_s).astype(np.float32)
            there = np.dstack([register(planted[..., c], matrix) for c in (0, 1)]) @ matrix[:, :2].T
            regions = Regions(tuple(REGIONS), region_masks(points, matrix, 128))
            skin, placed = skin_mask(points, matrix, 128), transformed(points, matrix)
            field = flow(first, second)
            left = {
                "nothing": field,
                "bone only (bridge of the nose, eye corners, temples)": field - head_motion(field, bone_mask(placed, 128)),
                "jaw and tip of the nose, affine (MDMO's)": affine_aligned(field, placed),
                "all skin, what departs loses its weight (`head_motion`)": field - head_motion(field, skin),
            }
            true = means(there, regions)
            moves = np.linalg.norm(true, axis=1) > 0.1 * event.amplitude_px
            for name, rest in left.items():
                error = np.linalg.norm(means(rest, regions) - true, axis=1)
                moving.setdefault(name, []).extend(error[moves])
                resting.setdefault(name, []).extend(error[~moves])
    print("| fitted to | regions that move | regions at rest |\n|---|---|---|")
    for name in moving:
        print(f"| {name} | {np.mean(moving[name]):.2f} | {np.mean(resting[name]):.2f} |")


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
