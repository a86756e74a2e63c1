"""
Endpoint error and time of the optical flow methods on known local motions of a real portrait.

Prints the table of docs/flow.md. The portrait is scikit-image's public-domain astronaut, registered to 128 or 256 px; five
smooth local motions per amplitude (the size of action units), camera noise of 2 grey levels on both images. "At rest" is
the mean error where nothing moves, over all amplitudes. ``--settings`` prints the settings that were compared instead.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import cv2
import numpy as np
from skimage import data

from mmme.features.face.flow import FLOW_METHODS

AMPLITUDES_PX = (0.2, 0.5, 1.0, 2.0)
Way = Callable[[np.ndarray, np.ndarray], np.ndarray]


def pairs(size: int, amplitude: float) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """First image, second image, true motion."""
    rng = np.random.default_rng(0)
    grey = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)[10:250, 100:340]
    first = cv2.resize(grey, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    made = []
    for _ in range(5):
        centre, angle = rng.uniform(0.35, 0.65, 2) * size, rng.uniform(0, 2 * np.pi)
        bell = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * (0.08 * size) ** 2))
        motion = np.dstack([np.cos(angle) * bell, np.sin(angle) * bell]) * amplitude
        back = motion.copy()
        for _ in range(10):  # invert the motion: where does each pixel of the second image come from
            back = cv2.remap(motion, x - back[..., 0], y - back[..., 1], cv2.INTER_LINEAR)
        second = cv2.remap(first, x - back[..., 0], y - back[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        made.append(
            tuple(
                np.float32(i)
                for i in (first + rng.normal(0, 2, first.shape), second + rng.normal(0, 2, first.shape), motion)
            )
        )
    return made


def measured(way: Way, size: int) -> str:
    """One row of the table, without its name."""
    errors, rests, took = [], [], []
    for amplitude in AMPLITUDES_PX:
        error = []
        for first, second, motion in pairs(size, amplitude):
            started = time.process_time()
            found = way(first, second)
            took.append(time.process_time() - started)
            length, off = np.linalg.norm(motion, axis=2), np.linalg.norm(found - motion, axis=2)
            error.append(off[length > 0.2 * amplitude].mean())
            rests.append(off[length < 0.02 * amplitude].mean())
        errors.append(np.mean(error))
    return f"{size} px | {np.median(took) * 1e3:.1f} ms | " + " | ".join(f"{e:.3f}" for e in (*errors, np.mean(rests)))


def dis(*, propagation: bool, refinements: int = 2) -> Way:
    engine = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    engine.setFinestScale(0)
    engine.setPatchStride(4)
    engine.setVariationalRefinementIterations(refinements)
    engine.setUseSpatialPropagation(propagation)
    return lambda a, b: engine.calc(*(np.clip(np.rint(i), 0, 255).astype(np.uint8) for i in (a, b)), None)


def tvl1(lambda_: float, theta: float) -> Way:
    engine = cv2.optflow.DualTVL1OpticalFlow.create(lambda_=lambda_, theta=theta)
    return lambda a, b: engine.calc(a / 255, b / 255, None)


def farneback(window: int, poly_n: int, poly_sigma: float, flags: int = 0) -> Way:
    return lambda a, b: cv2.calcOpticalFlowFarneback(a, b, None, 0.5, 3, window, 3, poly_n, poly_sigma, flags)


def settings() -> dict[str, Way]:
    return {
        "dis, patches hand motion on (preset)": dis(propagation=True),
        "dis": dis(propagation=False),
        "dis, 5 refinements (preset)": dis(propagation=False, refinements=5),
        "tvl1, lambda 0.15, theta 0.3 (OpenCV)": tvl1(0.15, 0.3),
        "tvl1, 0.05, 0.3": tvl1(0.05, 0.3),
        "tvl1, 0.1, 0.1": tvl1(0.1, 0.1),
        "tvl1, 0.1, 0.07": tvl1(0.1, 0.07),
        "tvl1, 0.1, 0.05": tvl1(0.1, 0.05),
        "tvl1, 0.1, 0.03": tvl1(0.1, 0.03),
        "farneback, window 15, polynomial 5, 1.2": farneback(15, 5, 1.2),
        "farneback, 15, 7, 1.5": farneback(15, 7, 1.5),
        "farneback, 11, 7, 1.5": farneback(11, 7, 1.5),
        "farneback, 25 Gaussian, 7, 1.5": farneback(25, 7, 1.5, cv2.OPTFLOW_FARNEBACK_GAUSSIAN),
    }


def main() -> None:
    sizes, ways = ((128,), settings()) if "--settings" in sys.argv else ((128, 256), FLOW_METHODS)
    print("| method | size | time per pair | " + " | ".join(f"{a:g} px" for a in AMPLITUDES_PX) + " | at rest |")
    print("|---|---|---|" + "---|" * (len(AMPLITUDES_PX) + 1))
    for size in sizes:
        for name, way in ways.items():
            print(f"| {name} | {measured(way, size)} |")


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
