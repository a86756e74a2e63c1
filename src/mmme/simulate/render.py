"""Frames of a simulated face: action units, blinks, head sway, light and camera noise; and writing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError
from mmme.simulate.expressions import TrueExpression, expression_amplitude
from mmme.simulate.faces import Face, au_field

__all__ = ["Sway", "Turn", "draw_sway", "eyelid_closure", "head_inverse", "render_frames", "write_frames"]

_NOISE_TILES = 8


@dataclass(frozen=True, slots=True)
class Turn:
    """
    A quick movement of the head, there and back.

    Parameters
    ----------
    start_s, length_s
        When, and how long both take [s].
    x_px, y_px, rotation_rad
        How far it goes.
    """

    start_s: float
    length_s: float
    x_px: float
    y_px: float
    rotation_rad: float

    def at(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return x [px], y [px], rotation [rad] and light (none) at times ``t``, shape (n, 4)."""
        phase = np.clip((t - self.start_s) / self.length_s, 0, 1)
        share = 0.5 - 0.5 * np.cos(2 * np.pi * phase)
        return np.asarray(share[:, None] * np.array([self.x_px, self.y_px, self.rotation_rad, 0.0]))


@dataclass(frozen=True, slots=True, eq=False)
class Sway:
    """
    Slow movement of the head and drift of the light, each a sum of sines of true time; and quick turns, if any.

    Parameters
    ----------
    hz : (n_sines,) float64
        Frequencies [Hz].
    phase : (4, n_sines) float64
        Phases [rad] for x, y, rotation and light.
    size : (4, n_sines) float64
        Amplitudes: x and y [px], rotation [rad], light [relative].
    turns
        Quick movements.
    """

    hz: NDArray[np.float64]
    phase: NDArray[np.float64]
    size: NDArray[np.float64]
    turns: tuple[Turn, ...] = ()

    def at(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return x [px], y [px], rotation [rad] and relative light at times ``t``, shape (n, 4)."""
        angle = 2 * np.pi * self.hz[None, None, :] * t[:, None, None] + self.phase[None]
        slow = (np.sin(angle) * self.size[None]).sum(axis=2)
        for turn in self.turns:
            if turn.start_s < t[-1] and turn.start_s + turn.length_s > t[0]:
                slow = slow + turn.at(t)
        return np.asarray(slow)


def draw_sway(rng: np.random.Generator, head_motion_px: float) -> Sway:
    """
    Draw how a head sways.

    Parameters
    ----------
    rng
        Source of chance.
    head_motion_px
        Typical largest shift of the head [px]; rotation and light follow in proportion.

    Returns
    -------
    Sway
        A smooth function of time.

    Examples
    --------
    >>> draw_sway(np.random.default_rng(0), 1.5).at(np.arange(3.0)).shape
    (3, 4)
    """
    hz = np.array([0.04, 0.11, 0.23, 0.41]) * rng.uniform(0.8, 1.25, 4)
    share = np.array([0.9, 0.6, 0.25, 0.1]) * rng.uniform(0.7, 1.3, (4, 4))
    unit = np.array([head_motion_px, 0.7 * head_motion_px, 0.004 * head_motion_px, 0.006 * bool(head_motion_px)])
    return Sway(hz, rng.uniform(0, 2 * np.pi, (4, 4)), share * unit[:, None])


def eyelid_closure(t: NDArray[np.float64], blinks: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """
    Share of the eye that the upper lid covers.

    Parameters
    ----------
    t : (n,) float64
        Times [s], increasing.
    blinks
        Start and length [s] of each blink; closing takes 40 % of it, opening 60 %.

    Returns
    -------
    (n,) float64
        0 open, 1 closed.

    Examples
    --------
    >>> eyelid_closure(np.array([0.9, 1.08, 1.3]), [(1.0, 0.2)]).round(2).tolist()
    [0.0, 1.0, 0.0]
    """
    closure = np.zeros_like(t)
    for start, length in blinks:
        first, last = np.searchsorted(t, [start, start + length])
        part = t[first:last]
        closure[first:last] = np.maximum(
            closure[first:last], expression_amplitude(part, start, start + 0.4 * length, start + length)
        )
    return closure


def head_inverse(face: Face, sway: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Find where what is seen lies when the head is at rest.

    Parameters
    ----------
    face
        Identity.
    sway : (n, 3) or (n, 4) float64
        Shift x, y [px] and rotation about the frame's centre [rad], as `Sway.at` has it.

    Returns
    -------
    (n, 2, 3) float64
        Maps from a position in the frame to that of the same point of the head at rest.

    Examples
    --------
    >>> from mmme.simulate.faces import make_face
    >>> head_inverse(make_face(np.random.default_rng(0), 64), np.array([[3.0, 0.0, 0.0]]))[0, :, 2].tolist()
    [-3.0, 0.0]
    """
    c, s = np.cos(sway[:, 2]), np.sin(sway[:, 2])
    half = (face.frame_px - 1) / 2
    inverse = np.empty((len(sway), 2, 3))
    inverse[:, 0, 0], inverse[:, 0, 1] = c, s
    inverse[:, 1, 0], inverse[:, 1, 1] = -s, c
    dx, dy = half + sway[:, 0], half + sway[:, 1]
    inverse[:, 0, 2] = half - c * dx - s * dy
    inverse[:, 1, 2] = half + s * dx - c * dy
    return inverse


def render_frames(
    face: Face,
    t: NDArray[np.float64],
    events: Sequence[TrueExpression],
    *,
    blinks: Sequence[tuple[float, float]],
    sway: Sway,
    noise: float,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """
    Render the face at given times.

    Parameters
    ----------
    face
        Identity.
    t : (n,) float64
        Exposure times [s], increasing.
    events
        Expressions; what is at a landmark moves by ``amplitude_px`` times `expression_amplitude` times `au_field`.
    blinks
        Start and length [s].
    sway
        Movement of the head.
    noise
        Standard deviation of the camera noise [grey levels].
    rng
        Source of the noise.

    Returns
    -------
    (n, frame_px, frame_px) uint8
        Grey levels.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> from mmme.simulate.faces import make_face
    >>> still = draw_sway(rng, 0.0)
    >>> render_frames(make_face(rng, 64), np.arange(2.0), [], blinks=[], sway=still, noise=0.0, rng=rng).shape
    (2, 64, 64)
    """
    n, side, scale = len(t), face.frame_px, face.oversampling
    frames = np.empty((n, side, side), np.uint8)
    fields = {au: au_field(face, au) for event in events for au in event.aus}
    strength = [
        event.amplitude_px * expression_amplitude(t, event.onset_s, event.apex_s, event.offset_s) for event in events
    ]
    together = [np.sum([fields[au] for au in event.aus], axis=0, dtype=np.float32) for event in events]
    motion = sway.at(t)
    inverse = head_inverse(face, motion)
    light = 1.0 + motion[:, 3]
    levels = np.rint(eyelid_closure(t, blinks) * (len(face.canvases) - 1)).astype(int)
    tiles = np.clip(np.rint(rng.normal(0, noise, (_NOISE_TILES, side + 32, side + 32))), -127, 127).astype(np.int8)
    picks, shifts = rng.integers(_NOISE_TILES, size=n), rng.integers(32, size=(n, 2))
    grid_x, grid_y = np.meshgrid(np.arange(side, dtype=np.float32), np.arange(side, dtype=np.float32))
    size = (side, side)
    bilinear = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for i in range(n):
        canvas = face.canvases[levels[i]]
        (a, b, p), (c, d, q) = inverse[i]
        to_canvas = scale * (inverse[i] + [[0, 0, face.margin_px], [0, 0, face.margin_px]])
        active = [(strength[k][i], together[k]) for k in range(len(events)) if strength[k][i] > 0]
        if active:
            moved = sum(np.float32(s) * field for s, field in active)
            # The field is fixed to the head, so it travels with the head before it is looked up.
            moved = cv2.warpAffine(moved, inverse[i], size, flags=bilinear)
            map_x = (
                np.float32(a) * grid_x + np.float32(b) * grid_y + np.float32(p + face.margin_px) - moved[..., 0]
            ) * scale
            map_y = (
                np.float32(c) * grid_x + np.float32(d) * grid_y + np.float32(q + face.margin_px) - moved[..., 1]
            ) * scale
            seen = cv2.remap(canvas, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        else:
            seen = cv2.warpAffine(canvas, to_canvas, size, flags=bilinear, borderMode=cv2.BORDER_REPLICATE)
        seen = cv2.convertScaleAbs(seen, alpha=light[i])
        if noise > 0:
            dy, dx = shifts[i]
            seen = cv2.add(seen, tiles[picks[i], dy : dy + side, dx : dx + side], dtype=cv2.CV_8U)
        frames[i] = seen
    return frames


def write_frames(folder: Path, names: Sequence[str], frames: NDArray[np.uint8]) -> None:
    """
    Write frames as uncompressed 8-bit grey TIFF files.

    Parameters
    ----------
    folder
        Existing folder.
    names
        One file name per frame.
    frames : (n, h, w) uint8
        Grey levels.

    Raises
    ------
    DataError
        If a file cannot be written or the numbers differ.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_frames(Path(folder), ["a.tif"], np.zeros((1, 4, 4), np.uint8))
    ...     [p.name for p in Path(folder).iterdir()]
    ['a.tif']
    """
    if len(names) != len(frames):
        raise DataError(f"{folder}: expected one name per frame, got {len(names)} names and {len(frames)} frames")
    plain = [cv2.IMWRITE_TIFF_COMPRESSION, 1]
    for name, frame in zip(names, frames, strict=True):
        if not cv2.imwrite(str(folder / name), frame, plain):
            raise DataError(
                f"{folder / name}: expected to write a frame, got a refusal; is the disk full or the folder gone?"
            )
