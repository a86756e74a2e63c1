"""One short clip of a moving face with known truth, for tests and demonstrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError
from mmme.simulate.expressions import TrueExpression, expression_amplitude
from mmme.simulate.faces import Face, au_field, make_face
from mmme.simulate.render import draw_sway, render_frames
from mmme.simulate.session import draw_blinks

__all__ = ["ClipTruth", "simulate_clip"]


@dataclass(frozen=True, slots=True, eq=False)
class ClipTruth:
    """
    What is planted in a clip.

    Parameters
    ----------
    events
        Expressions.
    blinks
        Start and length [s] of each blink.
    head : (n, 3) float64
        Shift of the head x, y [px] and rotation [rad, clockwise on the screen] about the centre of the frame.
    landmarks
        Name to (x, y) [px] of the neutral face with the head at rest.
    face
        The identity.
    """

    events: tuple[TrueExpression, ...]
    blinks: tuple[tuple[float, float], ...]
    head: NDArray[np.float64]
    landmarks: Mapping[str, tuple[float, float]]
    face: Face

    def displacement(self, time_s: float) -> NDArray[np.float64]:
        """Movement by expressions at a time, fixed to the head: (h, w, 2) [px], x right, y down."""
        total = np.zeros((self.face.frame_px, self.face.frame_px, 2))
        for e in self.events:
            strength = e.amplitude_px * expression_amplitude([time_s], e.onset_s, e.apex_s, e.offset_s)[0]
            for au in e.aus:
                total += strength * au_field(self.face, au)
        return total


def simulate_clip(
    seed: int,
    *,
    fps: float = 100.0,
    duration_s: float = 2.0,
    events: Sequence[TrueExpression] = (),
    frame_px: int = 128,
    head_motion_px: float = 0.0,
    blinks: bool | Sequence[tuple[float, float]] = False,
    noise: float = 1.8,
) -> tuple[NDArray[np.float64], NDArray[np.uint8], ClipTruth]:
    """
    Render a clip of a simulated face.

    Parameters
    ----------
    seed
        Of identity, head sway, blinks and noise.
    fps
        Frame rate [Hz].
    duration_s
        Length [s].
    events
        Expressions, times from the start of the clip.
    frame_px
        Side of the frames [px].
    head_motion_px
        Typical largest shift of the head [px]; 0 keeps head and light still.
    blinks
        True draws some, a sequence gives start and length [s] of each.
    noise
        Standard deviation of the camera noise [grey levels].

    Returns
    -------
    t : (n,) float64
        Times of the frames [s].
    frames : (n, frame_px, frame_px) uint8
        Grey levels.
    truth : ClipTruth
        What is planted.

    Raises
    ------
    ConfigError
        If rate, length or size is not positive.

    Examples
    --------
    >>> smile = TrueExpression("micro", "happy", ("AU12",), 0.5, 0.6, 0.8, 1.5)
    >>> t, frames, truth = simulate_clip(0, fps=50.0, duration_s=1.0, events=[smile], frame_px=64)
    >>> frames.shape, round(float(np.hypot(*truth.displacement(0.6).reshape(-1, 2).T).max()), 2)
    ((50, 64, 64), 1.5)
    """
    if not (fps > 0 and duration_s * fps >= 1 and frame_px >= 16):
        got = f"{fps} Hz, {duration_s} s, {frame_px} px"
        raise ConfigError(f"clip: expected a positive rate, at least one frame and at least 16 px, got {got}")
    rng = np.random.default_rng([seed, 11])
    face = make_face(rng, frame_px)
    sway = draw_sway(rng, head_motion_px)
    drawn = draw_blinks(rng, 0.0, duration_s)
    shown = drawn if blinks is True else tuple(blinks or ())
    t = np.arange(round(duration_s * fps)) / fps
    frames = render_frames(face, t, events, blinks=shown, sway=sway, noise=noise, rng=rng)
    return t, frames, ClipTruth(tuple(events), shown, sway.at(t)[:, :3], face.landmarks, face)
