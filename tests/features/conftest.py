"""Short clips of a public-domain portrait with planted motion, and a finder that knows its landmarks."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from mmme.features.face.landmarks import FaceMesh
from mmme.types import Stream


class KnownFace:
    """Finds the same landmarks in every frame that is not of one grey: fast, and free of a detector's jitter."""

    def __init__(self, points: NDArray[np.float32]) -> None:
        self.points = points

    def find(self, frame: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        return self.points if np.std(frame) > 8 else None


@pytest.fixture(scope="session")
def portrait() -> NDArray[np.uint8]:
    """Grey head and shoulders, 256 px, the face about 95 px wide (NASA portrait shipped with scikit-image)."""
    return np.ascontiguousarray(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)[:256, 96:352])


@pytest.fixture(scope="session")
def landmarks(portrait: NDArray[np.uint8]) -> NDArray[np.float32]:
    with FaceMesh() as finder:
        points = finder.find(portrait)
    assert points is not None
    return points


@pytest.fixture(scope="session")
def known_face(landmarks: NDArray[np.float32]) -> KnownFace:
    return KnownFace(landmarks)


def raised(t: float, onset: float, apex: float, offset: float) -> float:
    """Height of an expression between 0 and 1 with smooth rise and fall."""
    if onset < t <= apex:
        return float(0.5 - 0.5 * np.cos(np.pi * (t - onset) / (apex - onset)))
    return float(0.5 + 0.5 * np.cos(np.pi * (t - apex) / (offset - apex))) if apex < t < offset else 0.0


@pytest.fixture(scope="session")
def film(portrait: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> Callable[..., Stream]:
    """Builder: ``film(fps=, seconds=, times=(onset, apex, offset), moves={landmark: (dx, dy)}, sway_px=, sway_deg=, noise=)``."""

    def build(
        fps: float = 50.0,
        seconds: float = 3.0,
        times: tuple[float, float, float] = (1.2, 1.35, 1.55),
        moves: dict[int, tuple[float, float]] | None = None,
        sway_px: float = 0.0,
        sway_deg: float = 0.0,
        noise: float = 1.0,
    ) -> Stream:
        rng = np.random.default_rng(0)
        t = np.arange(round(seconds * fps)) / fps
        y, x = np.mgrid[:256, :256].astype(np.float32)
        full = np.zeros((256, 256, 2), dtype=np.float32)
        for point, move in (moves or {}).items():
            px, py = landmarks[point]
            full += np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 7.0**2))[..., None] * np.asarray(move, dtype=np.float32)
        frames = np.empty((len(t), 256, 256), dtype=np.uint8)
        for k, now in enumerate(t):
            field = raised(now, *times) * full
            face = cv2.remap(portrait.astype(np.float32), x - field[..., 0], y - field[..., 1], cv2.INTER_CUBIC)
            turn = cv2.getRotationMatrix2D((128, 128), sway_deg * np.sin(1.4 * now + 1), 1.0)
            turn[:, 2] += sway_px * np.array([np.sin(1.9 * now), 0.6 * np.sin(1.3 * now + 2)])
            head = cv2.warpAffine(face, turn, (256, 256), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            frames[k] = np.clip(np.rint(head + rng.normal(0, noise, head.shape)), 0, 255)
        return Stream("video", "camera", t, frames, "grey level", fps)

    return build
