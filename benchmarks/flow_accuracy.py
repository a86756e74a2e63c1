"""
Endpoint error and time of the optical flow methods on known local motions of a real portrait.

Prints the table of docs/flow.md. The portrait is scikit-image's public-domain astronaut, registered to 128 or 256 px; five
smooth local motions per amplitude (the size of action units), camera noise of 2 grey levels on both images.
"""

from __future__ import annotations

import time

import cv2
import numpy as np
from skimage import data

from mmme.features.flow import FLOW_METHODS, flow

AMPLITUDES_PX = (0.2, 0.5, 1.0, 2.0)


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


def main() -> None:
    print("| method | size | time per pair | " + " | ".join(f"{a:g} px" for a in AMPLITUDES_PX) + " |")
    print("|---|---|---|" + "---|" * len(AMPLITUDES_PX))
    for size in (128, 256):
        for method in FLOW_METHODS:
            errors, took = [], []
            for amplitude in AMPLITUDES_PX:
                error = []
                for first, second, motion in pairs(size, amplitude):
                    started = time.process_time()
                    found = flow(first, second, method=method)
                    took.append(time.process_time() - started)
                    moving = np.linalg.norm(motion, axis=2) > 0.2 * amplitude
                    error.append(np.linalg.norm(found - motion, axis=2)[moving].mean())
                errors.append(np.mean(error))
            print(
                f"| {method} | {size} px | {np.median(took) * 1e3:.1f} ms | "
                + " | ".join(f"{e:.3f}" for e in errors)
                + " |"
            )


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
