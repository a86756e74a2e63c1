"""
A simulated face in colour with a planted pulse, and what disturbs it: movement, light, noise.

Colour of a pixel = skin tone x texture of the face x light x (1 + pulse where there is skin), then camera noise, then
8 bits. The pulse moves red, green and blue in the ratio 0.33 : 0.77 : 0.53 (de Haan & van Leest 2014,
doi:10.1088/0967-3334/35/9/1913).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError, unknown_name
from mmme.simulate.expressions import TrueExpression
from mmme.simulate.faces import Face, make_face
from mmme.simulate.render import Sway, draw_sway, head_inverse, render_frames
from mmme.simulate.session import draw_blinks

__all__ = ["SKIN_TONES", "PulseTruth", "simulate_pulse_clip"]

#: Red, green, blue of a fully lit cheek [0..255], low enough that hardly a highlight is cut off, and size of the pulse in
#: green: less light comes back from darker skin, and less of it has seen blood.
SKIN_TONES: Mapping[str, tuple[tuple[float, float, float], float]] = MappingProxyType(
    {
        "light": ((186.0, 152.0, 138.0), 0.0060),
        "medium": ((158.0, 117.0, 93.0), 0.0045),
        "dark": ((122.0, 84.0, 66.0), 0.0025),
    }
)
_RATIO = np.array([0.33, 0.77, 0.53]) / 0.77
_CHEEK = 150.0  # grey level of the grey simulation at which skin has the colour of its tone
_BLOCK = 64  # frames rendered at a time


@dataclass(frozen=True, slots=True, eq=False)
class PulseTruth:
    """
    What is planted in a clip.

    Parameters
    ----------
    bpm : (n,) float64
        Heart rate at the time of every frame [beats/min].
    wave : (n,) float64
        Relative change of green by the pulse.
    head : (n, 4) float64
        Shift of the head x, y [px], rotation [rad], and light [relative].
    face
        The identity.
    """

    bpm: NDArray[np.float64]
    wave: NDArray[np.float64]
    head: NDArray[np.float64]
    face: Face


def simulate_pulse_clip(
    seed: int,
    *,
    bpm: float = 72.0,
    fps: float = 30.0,
    duration_s: float = 12.0,
    tone: str = "medium",
    pulse: float | None = None,
    breathing_bpm: float = 2.0,
    events: Sequence[TrueExpression] = (),
    blinks: bool = False,
    frame_px: int = 128,
    head_motion_px: float = 0.0,
    nod_hz: float = 0.0,
    nod_px: float = 0.0,
    light_hz: float = 0.0,
    light: float = 0.0,
    light_rgb: tuple[float, float, float] = (1.0, 1.0, 1.0),
    noise: float = 1.8,
) -> tuple[NDArray[np.float64], NDArray[np.uint8], PulseTruth]:
    """
    Render a clip of a face in colour whose skin pulses.

    Parameters
    ----------
    seed
        Of identity, pulse, head sway, blinks and noise.
    bpm
        Mean heart rate [beats/min].
    fps
        Frame rate [Hz].
    duration_s
        Length [s].
    tone
        One of `SKIN_TONES`.
    pulse
        Relative amplitude of the pulse in green; by default that of the tone, 0 for none.
    breathing_bpm
        Amplitude by which breathing (0.25 Hz) changes the rate [beats/min].
    events
        Expressions, times from the start of the clip.
    blinks
        Whether the eyes blink.
    frame_px
        Side of the frames [px].
    head_motion_px
        Typical largest shift of the head [px]; light drifts by 0.6 % with it.
    nod_hz, nod_px
        Rate and amplitude of an additional up and down [Hz, px].
    light_hz, light, light_rgb
        Rate and relative amplitude of an additional swing of the light, and its share per colour.
    noise
        Standard deviation of the camera noise [levels], independent in each colour.

    Returns
    -------
    t : (n,) float64
        Times of the frames [s].
    frames : (n, frame_px, frame_px, 3) uint8
        Red, green, blue.
    truth : PulseTruth
        What is planted.

    Raises
    ------
    ConfigError
        If the tone is unknown, or rate, length or size is not positive.

    Examples
    --------
    >>> t, frames, truth = simulate_pulse_clip(0, bpm=90.0, duration_s=1.0, frame_px=64)
    >>> frames.shape, round(float(truth.bpm.mean()))
    ((30, 64, 64, 3), 89)
    """
    if tone not in SKIN_TONES:
        raise unknown_name("skin tone", tone, SKIN_TONES)
    if not (fps > 0 and duration_s * fps >= 1 and frame_px >= 16 and bpm > 0):
        got = f"{fps} Hz, {duration_s} s, {frame_px} px, {bpm} bpm"
        raise ConfigError(f"clip: expected positive rates, at least one frame and at least 16 px, got {got}")
    rng = np.random.default_rng([seed, 23])
    face = make_face(rng, frame_px)
    t = np.arange(round(duration_s * fps)) / fps
    colour, usual = SKIN_TONES[tone]
    rate, wave = _pulse(rng, t, bpm, breathing_bpm, usual if pulse is None else pulse)
    sway = _nodding(draw_sway(rng, head_motion_px), nod_hz, nod_px)
    blinking = draw_blinks(rng, 0.0, duration_s) if blinks else ()
    moved = sway.at(t)
    swing = light * np.sin(2 * np.pi * light_hz * t + rng.uniform(0, 2 * np.pi))
    lamp = (1 + swing[:, None] * np.asarray(light_rgb)) * (1 + moved[:, 3:])
    skin = _skin(face)
    frames = np.empty((len(t), frame_px, frame_px, 3), np.uint8)
    unlit = replace(sway, size=np.concatenate([sway.size[:3], np.zeros_like(sway.size[3:])]))
    tint = (np.asarray(colour) / _CHEEK).astype(np.float32)
    for start in range(0, len(t), _BLOCK):
        block = slice(start, start + _BLOCK)
        grey = render_frames(face, t[block], events, blinks=blinking, sway=unlit, noise=0.0, rng=rng)
        inverse = head_inverse(face, moved[block])
        for k, image in enumerate(grey):
            here = cv2.warpAffine(skin, inverse[k], (frame_px, frame_px), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
            beat = 1 + here[..., None] * (wave[start + k] * _RATIO).astype(np.float32)
            seen = image[..., None] * beat * (tint * lamp[start + k].astype(np.float32))
            seen = seen + np.float32(noise) * rng.standard_normal(seen.shape, dtype=np.float32)
            frames[start + k] = np.clip(np.rint(seen), 0, 255)
    return t, frames, PulseTruth(rate, wave, moved, face)


def _pulse(
    rng: np.random.Generator, t: NDArray[np.float64], bpm: float, breathing_bpm: float, size: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Heart rate and pulse wave: a sine and its double, which gives the steep rise and the slow fall."""
    phase = rng.uniform(0, 2 * np.pi)
    swing = 2 * np.pi * 0.25
    rate = bpm + breathing_bpm * np.sin(swing * t + phase)
    turns = bpm * t / 60 - breathing_bpm / 60 * (np.cos(swing * t + phase) - np.cos(phase)) / swing + rng.uniform()
    return rate, size * (np.sin(2 * np.pi * turns) + 0.35 * np.sin(4 * np.pi * turns + 0.8)) / 1.1


def _nodding(sway: Sway, hz: float, px: float) -> Sway:
    """Sway of a head that also nods."""
    size = np.zeros((4, 1))
    size[1] = px
    return Sway(np.append(sway.hz, hz), np.hstack([sway.phase, np.zeros((4, 1))]), np.hstack([sway.size, size]))


def _skin(face: Face) -> NDArray[np.float32]:
    """Where blood shows in the frame with the head at rest, 0..1: a soft ellipse from the forehead to the chin."""
    chin, left, right = (np.array(face.landmarks[name]) for name in ("chin", "eye_outer_left", "eye_outer_right"))
    brow = 0.5 * (np.array(face.landmarks["brow_inner_left"]) + np.array(face.landmarks["brow_inner_right"]))
    top = brow - 0.35 * (chin - brow)
    middle, half = 0.5 * (top + chin), 0.5 * np.array([1.25 * abs(right[0] - left[0]), chin[1] - top[1]])
    y, x = np.mgrid[: face.frame_px, : face.frame_px]
    distance = np.hypot((x - middle[0]) / half[0], (y - middle[1]) / half[1])
    return np.clip((1.15 - distance) / 0.3, 0, 1).astype(np.float32)
