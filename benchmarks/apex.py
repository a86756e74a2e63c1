"""
Error of the ways to estimate an apex, on simulated micro-expressions.

Prints the tables of docs/apex.md. Expressions last 0.2 to 0.48 s and move 0.5 to 1.3 px of 128-px frames; apexes lie at
0.5 +- 0.16 of their length, as annotated in CASME II (0.52 +- 0.16) and SAMM (0.47 +- 0.16), so that the middle frame is
as good a guess as it is there. Clips are cut at onset and offset with errors of 20 ms, as coders make them; camera noise
is 1.8 grey levels. Takes some minutes on one core.
"""

from __future__ import annotations

import sys
import time

import cv2
import numpy as np

from mmme.features.face.apex import APEX_METHODS, estimate_apex
from mmme.features.face.landmarks import FaceMesh
from mmme.features.face.regions import REGIONS, Regions, region_masks, skin_mask
from mmme.features.face.registration import register, similarity
from mmme.simulate import TrueExpression, simulate_clip
from mmme.simulate.expressions import AU_SETS

RATES = (30.0, 100.0, 150.0, 200.0)
CONDITIONS = {"still head": (0.0, False), "sway": (1.5, False), "sway and blink": (1.5, True)}
LEAD_S = 0.1


def clips(fps: float, sway_px: float, n: int, finder: FaceMesh, *, with_blink: bool):
    """Registered clip, times, regions, skin, truth."""
    for seed in range(n):
        rng = np.random.default_rng([seed, 5])  # the same expressions at every rate
        length = rng.uniform(0.2, 0.48)
        apex = LEAD_S + length * float(np.clip(rng.normal(0.5, 0.16), 0.15, 0.85))
        sets = AU_SETS[str(rng.choice(sorted(AU_SETS)))]
        aus = sets[int(rng.integers(len(sets)))]
        planted = TrueExpression("micro", "-", aus, LEAD_S, apex, LEAD_S + length, rng.uniform(0.5, 1.3))
        blink = (LEAD_S + rng.uniform(-0.1, length), 0.2)
        cut = np.array([LEAD_S, LEAD_S + length]) + rng.normal(0, 0.02, 2)
        t, frames, _ = simulate_clip(
            seed, fps=fps, duration_s=length + 2.5 * LEAD_S, events=[planted], head_motion_px=sway_px,
            blinks=[blink] if with_blink else False,
        )  # fmt: skip
        kept = (t >= cut[0]) & (t <= cut[1])
        t, frames = t[kept], frames[kept]
        points = finder.find(frames[0])
        if points is None:
            sys.exit(f"no face in clip {seed}")
        matrix = similarity(points)
        clip = np.stack([register(frame, matrix) for frame in frames])
        regions = Regions(tuple(REGIONS), region_masks(points, matrix, 128))
        yield clip, t, regions, skin_mask(points, matrix, 128), planted


def main(n: int) -> None:
    ways = {method: {"method": method} for method in APEX_METHODS}
    ways["lbp, divided"] = {"method": "lbp", "search": "divided"}
    print("| method | condition | " + " | ".join(f"{r:g} Hz" for r in RATES) + " | within 1/3 | time per clip at 200 Hz |")
    print("|---|---|" + "---|" * len(RATES) + "---|---|")
    errors: dict[tuple[str, str, float], list[float]] = {}
    shares: dict[tuple[str, str], list[bool]] = {}
    took: dict[tuple[str, str, float], list[float]] = {}
    with FaceMesh() as finder:
        for condition, (sway_px, with_blink) in CONDITIONS.items():
            for fps in RATES:
                for clip, t, regions, skin, planted in clips(fps, sway_px, n, finder, with_blink=with_blink):
                    for name, way in ways.items():
                        started = time.process_time()
                        found = estimate_apex(clip, t, regions=regions, skin=skin, **way)
                        took.setdefault((name, condition, fps), []).append(time.process_time() - started)
                        error = abs(found.time_s - planted.apex_s)
                        errors.setdefault((name, condition, fps), []).append(error)
                        shares.setdefault((name, condition), []).append(error <= planted.span.duration_s / 3)
    for name in ways:
        for condition in CONDITIONS:
            mean = [f"{1e3 * np.mean(errors[name, condition, fps]):.0f} ms" for fps in RATES]
            share = 100 * np.mean(shares[name, condition])
            ms = 1e3 * np.median(took[name, condition, RATES[-1]])
            print(f"| {name} | {condition} | " + " | ".join(mean) + f" | {share:.0f} % | {ms:.0f} ms |")


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
