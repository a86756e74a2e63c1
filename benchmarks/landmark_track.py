"""
How small a face is found, and how far landmarks between two looks are from those of the frame itself.

    python benchmarks/landmark_track.py [clip.mp4 ...]

Prints the tables of docs/faces.md; clips of your own are added to the second. Errors are those of registration: the mean
distance of the rigid points [px of a 128-px face] between two ways of registering one frame. Fails when a face of 40 px in
1920x1080 is missed, when something else is taken for a face, or when the default rate is worse than looking at every frame.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import cv2
import numpy as np
from mediapipe.python.solutions import face_mesh
from scipy.interpolate import PchipInterpolator
from skimage import data

from mmme.features.face.face_track import LOOKS_HZ
from mmme.features.face.landmarks import N_POINTS, FaceMesh, LandmarkTrack, nearest
from mmme.features.face.registration import RIGID, similarity, transformed
from mmme.io.video import open_video
from mmme.simulate import simulate_clip

RATES_HZ = (0.5, 1.0, 2.0, 4.0, 8.0)
WIDTHS = (320, 280, 240, 200, 160, 125, 90, 60, 50, 45, 40, 35, 30, 25)
PLACES = ((0.5, 0.5), (0.26, 0.37), (0.78, 0.65), (0.2, 0.7), (0.85, 0.3), (0.5, 0.3))


def room(size: tuple[int, int]) -> np.ndarray:
    """Blurred surroundings with no face."""
    noise = cv2.GaussianBlur(np.random.default_rng(1).normal(0, 1, size).astype(np.float32), (0, 0), 25)
    return np.clip(110 + 25 * noise / noise.std(), 0, 255).astype(np.uint8)


def placed(width: float, place: tuple[float, float], size: tuple[int, int]) -> np.ndarray:
    """A frame with the portrait, its face of that width at that place, under camera noise of 2 grey levels."""
    grey = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)
    scale = width / 92.9  # measured once by the mesh on the portrait at its own size
    shrunk = cv2.GaussianBlur(grey, (0, 0), max(0.01, 0.4 / scale)) if scale < 1 else grey
    shift = np.array([place[0] * size[1] - 224 * scale, place[1] * size[0] - 128 * scale])
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    frame = room(size)
    cv2.warpAffine(shrunk, matrix, size[::-1], dst=frame, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT)
    noise = np.random.default_rng(2).normal(0, 2, size).round().astype(np.int8)
    return cv2.add(frame, noise, dtype=cv2.CV_8U)


def by_mesh_alone(mesh: face_mesh.FaceMesh, frame: np.ndarray) -> bool:
    """Whether the mesh's own detector finds a face when it sees the whole frame only."""
    return bool(mesh.process(cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB)).multi_face_landmarks)


def least(found: dict[int, bool]) -> float:
    """The width down to which every one was found, from the largest on."""
    missed = max((width for width, hit in found.items() if not hit), default=0)
    return min((width for width in found if width > missed), default=np.inf)


def smallest(finder: FaceMesh) -> bool:
    """Print the smallest face found at all places; errors are of the points of a face of 45 px."""
    print("| frame | the mesh alone | found now | error of its points at 45 px | nothing there |\n|---|---|---|---|---|")
    good = True
    points = finder.faces(placed(93, (0.5, 0.5), (480, 640)))[0].points - [320, 240]
    with face_mesh.FaceMesh(static_image_mode=True) as mesh:
        for size in ((480, 640), (720, 1280), (1080, 1920)):
            before, now, errors = {}, {}, []
            for width in [w for w in WIDTHS if w < 0.6 * size[0]]:
                alone, hits = [], []
                for place in PLACES:
                    frame, middle = placed(width, place, size), np.array(place) * size[::-1]
                    faces = finder.faces(frame)
                    hits += [any(np.hypot(*(f.centre - middle)) < 0.6 * width for f in faces)]
                    alone += [by_mesh_alone(mesh, frame)]
                    good &= len(faces) <= 1
                    if width == 45 and faces:
                        errors.append(np.linalg.norm(faces[0].points - points * 45 / 93 - middle, axis=1).mean())
                before[width], now[width] = all(alone), all(hits)
            began = time.perf_counter()
            good &= finder.faces(room(size)) == () and least(now) <= 40
            text = f"{size[1]}x{size[0]} | {least(before):g} px | {least(now):g} px | {np.mean(errors):.2f} px"
            print(f"| {text} | {1e3 * (time.perf_counter() - began):.0f} ms |")
    return good


def registered(points: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Where the registration of each frame brings fixed places of it, (n, 7, 2) [px of a 128-px face]."""
    return np.array([transformed(places, similarity(own)) for own, places in zip(points, at, strict=True)])


def between(name: str, video: np.ndarray, t: np.ndarray, finder: FaceMesh, truth: np.ndarray | None) -> dict[str, float]:
    """Print one row per rate: error against the points of every frame, and against the truth where it is known."""
    every = [finder.find(frame) for frame in video]
    seen = np.array([points is not None for points in every])
    points = np.array([np.full((N_POINTS, 2), np.nan) if p is None else p for p in every], dtype=np.float32)
    goal = points if truth is None else truth
    scores = {}
    for rate in (*RATES_HZ, np.inf):
        n = len(t) if np.isinf(rate) else max(2, int(np.ceil((t[-1] - t[0]) * rate)) + 1)
        looks = np.unique(nearest(t, np.linspace(t[0], t[-1], n)))
        looks = looks[seen[looks]]
        whole = seen & (t >= t[looks[0]]) & (t <= t[looks[-1]])
        at = goal[whole][:, list(RIGID)]
        where = registered(goal[whole], at)
        curves = [LandmarkTrack(t[looks], points[looks]).at(t[whole])]
        curves += [PchipInterpolator(t[looks], points[looks])(t[whole])]
        errors = [np.linalg.norm(registered(curve, at) - where, axis=2).mean(axis=1) for curve in curves]
        scores[f"{rate:g}"] = float(np.sqrt(np.mean(errors[0] ** 2)))
        cells = [f"{np.sqrt(np.mean(e**2)):.2f}" for e in errors]
        rate_text = "every frame" if np.isinf(rate) else f"{rate:g} Hz"
        print(f"| {name} | {rate_text} | {cells[0]} | {np.quantile(errors[0], 0.99):.2f} | {cells[1]} |")
    return scores


def simulated(head_px: float, finder: FaceMesh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A swaying, blinking head of 20 s, and where its points truly are: those of the face at rest, moved along."""
    t, frames, truth = simulate_clip(4, fps=30.0, duration_s=20.0, frame_px=240, head_motion_px=head_px, blinks=True)
    x, y, turn = truth.head.T
    half = (240 - 1) / 2
    rotation = np.moveaxis(np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]), 2, 0)
    shift = np.stack([x, y], axis=1)[:, None]
    found = np.array([finder.find(frame) for frame in frames]) - half
    rest = np.mean((found - shift) @ rotation, axis=0)  # the detector's own idea of this face, its jitter averaged out
    return t, frames, (rest @ np.swapaxes(rotation, 1, 2) + shift + half).astype(np.float32)


def main() -> int:
    with FaceMesh() as finder:
        good = smallest(finder)
        print("\n| clip | looks | linear, rms | 99 % within | cubic, rms |\n|---|---|---|---|---|")
        for name, head_px in (("sway 6 px", 6.0), ("sway 18 px", 18.0), ("still head", 0.0)):
            t, frames, truth = simulated(head_px, finder)
            scores = between(f"simulated, {name}", frames, t, finder, truth)
            good &= scores[f"{LOOKS_HZ:g}"] <= scores["inf"]
        for clip in sys.argv[1:]:
            frames = open_video(clip)
            between(Path(clip).name, frames, frames.t_s, finder, None)
    if not good:
        print("FAILED: expected faces of 40 px, no others, and no more error than from looking at every frame")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
