"""
Motion magnification: small motion within a band of frequencies made larger, for eyes and for descriptors.

``phase`` (doi:10.1145/2461912.2461966) turns the phases of waves, which moves them; ``linear``
(doi:10.1145/2185520.2185561) adds the change of grey levels, which looks like motion while the motion is small against
the structures that move. Filters are Butterworth's in hertz, run to and fro so that nothing comes late: the same settings
hold at 30 and at 200 frames per second. Measured gains, noise, and when neither must be used: docs/magnification.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError, DataError, unknown_name
from mmme.features.face.moving_parts import Levels, ToAndFro, Waves
from mmme.features.face.steerable import steerable_pyramid
from mmme.types import Samples

__all__ = ["MAGNIFICATIONS", "clipped", "frame_rate", "magnified", "magnify"]

MAGNIFICATIONS = ("phase", "linear")
#: Motion is looked at so many times per period of the upper limit, on averages of neighbouring frames.
_LOOKS_PER_PERIOD = 6
#: Half an octave and 8 directions follow twice the shift that an octave and 4 do, at not quite twice the time.
_OCTAVES, _DIRECTIONS = 0.5, 8
_LEAST_PX = 16
#: Pixels that are worked on at once while frames are made.
_PIECE_PX = 2_000_000


def frame_rate(t_s: NDArray[np.float64]) -> tuple[float, float]:
    """
    Tell the steady rate of frames, and how many of the steps between them depart from it.

    Parameters
    ----------
    t_s : (n,)
        Times [s], increasing, at least two.

    Returns
    -------
    rate_hz
        One over the mean of the steps that are within half of the median step.
    unsteady
        Share of the others, 0..1: gaps and bursts, at which a filter in frames is not the filter in hertz it says it is.

    Raises
    ------
    DataError
        If there are fewer than two times.

    Examples
    --------
    >>> frame_rate(np.array([0.0, 0.04, 0.08, 0.12, 0.2]))
    (25.0, 0.25)
    """
    if len(t_s) < 2:
        raise DataError(f"frame rate: expected at least two frames, got {len(t_s)}")
    steps = np.diff(t_s)
    steady = np.abs(steps - np.median(steps)) <= 0.5 * np.median(steps)
    return round(float(1 / steps[steady].mean()), 6), float(1 - steady.mean())


def clipped(frames: NDArray[np.float32]) -> tuple[NDArray[np.uint8], int]:
    """
    Round grey levels to bytes.

    Parameters
    ----------
    frames
        Grey levels of any shape; beyond 0..255 they cannot be kept.

    Returns
    -------
    bytes
        Of the same shape.
    n
        How many had to be cut off.

    Examples
    --------
    >>> clipped(np.array([-3.0, 7.6, 255.4], dtype=np.float32))
    (array([  0,   8, 255], dtype=uint8), 1)
    """
    levels = np.rint(frames)
    n = int(np.count_nonzero((levels < 0) | (levels > 255)))
    return np.clip(levels, 0, 255).astype(np.uint8), n


def magnify(
    clip: NDArray[np.floating[Any]] | NDArray[np.uint8],
    rate_hz: float,
    *,
    alpha: float = 10.0,
    low_hz: float = 0.0,
    high_hz: float = 10.0,
    method: str = "phase",
    wavelength_px: float = 16.0,
) -> NDArray[np.float32]:
    """
    Magnify the motion in a clip, as input of flow or of LBP-TOP.

    Parameters
    ----------
    clip : (k, height, width)
        Registered frames, grey levels 0..255, at least two of at least 16 px.
    rate_hz
        Frames per second.
    alpha
        How much of the motion is added, 0 or more: what moves by 0.2 px moves by ``(1 + alpha) * 0.2`` px afterwards.
    low_hz, high_hz
        Motion in between is magnified [Hz], half of it at the ends. 0 to 10 Hz magnifies all motion since the first
        frame: a clip of one micro-expression is shorter than a period of any useful lower limit.
    method
        ``phase`` or ``linear``.
    wavelength_px
        ``linear`` only: shortest wave that is magnified by all of ``alpha`` [px]; 0 magnifies all. As published, a level
        of waves of lambda px gets ``lambda / (8 d) - 1`` with ``d = wavelength_px / (8 (1 + alpha))``, between 0 and
        ``alpha``.

    Returns
    -------
    (k, height, width) float32
        Grey levels, not cut off at 0 and 255 (`clipped` does, and counts).

    Raises
    ------
    ConfigError
        If a parameter is out of range, or the band does not lie below half of the frame rate.
    DataError
        If the clip is too short, too small, or has values that are not finite.

    Examples
    --------
    >>> x = np.indices((64, 64))[1]
    >>> shift = 0.1 * np.sin(2 * np.pi * 2 * np.arange(60) / 30)
    >>> clip = np.array([128 + 50 * np.sin(2 * np.pi * (x - s) / 8) for s in shift], dtype=np.float32)
    >>> wanted = 128 + 50 * np.sin(2 * np.pi * (x - 6 * shift[33]) / 8)
    >>> found = magnify(clip, 30.0, alpha=5.0)[33]
    >>> bool(np.abs(found - wanted)[24:-24, 24:-24].max() < 2)
    True
    """
    clip = np.asarray(clip, dtype=np.float32)
    blocks = magnified(
        clip,
        rate_hz,
        alpha=alpha,
        low_hz=low_hz,
        high_hz=high_hz,
        method=method,
        wavelength_px=wavelength_px,
        every=1,
        block=len(clip),
    )
    return np.concatenate(list(blocks))


def magnified(
    frames: Samples,
    rate_hz: float,
    *,
    alpha: float = 10.0,
    low_hz: float = 0.5,
    high_hz: float = 10.0,
    method: str = "phase",
    wavelength_px: float = 16.0,
    every: int | None = None,
    block: int | None = None,
) -> Iterator[NDArray[np.float32]]:
    """
    Magnify the motion in a video, stretch by stretch: memory does not grow with its length.

    Motion is found in averages of ``every`` frames, filtered forward through the whole video and backward from
    1.5 periods of ``low_hz`` ahead of each stretch, and given to each frame by linear interpolation.

    Parameters
    ----------
    frames : (n, height, width)
        Grey levels 0..255, read when needed, each twice.
    rate_hz, alpha, low_hz, high_hz, method, wavelength_px
        As in `magnify`.
    every
        Frames that are averaged to find the motion; by default as many as leave six looks per period of ``high_hz``.
    block
        Looks per stretch; by default half as many as are needed ahead. More takes more memory and less time.

    Yields
    ------
    (k, height, width) float32
        The next few frames, not cut off at 0 and 255.

    Raises
    ------
    ConfigError, DataError
        As in `magnify`.

    Examples
    --------
    >>> clip = np.random.default_rng(0).uniform(0, 255, (30, 16, 16)).astype(np.float32)
    >>> whole = np.concatenate(list(magnified(clip, 10.0, low_hz=1, high_hz=3, block=30)))
    >>> parts = np.concatenate(list(magnified(clip, 10.0, low_hz=1, high_hz=3, block=7)))
    >>> bool(np.abs(parts - whole).mean() < 1)
    True
    """
    _expect(frames, rate_hz, alpha, low_hz, high_hz, method, wavelength_px)
    if every is None:
        every = max(1, int(rate_hz / (_LOOKS_PER_PERIOD * high_hz)))
    if every < 1 or (block is not None and block < 1):
        raise ConfigError(f"magnification: expected stretches and averages of one frame or more, got {block} and {every}")
    return _blocks(frames, rate_hz / every, (low_hz, high_hz), alpha, method, wavelength_px, every, block)


def _expect(
    frames: Samples, rate_hz: float, alpha: float, low_hz: float, high_hz: float, method: str, wavelength_px: float
) -> None:
    """Refuse what cannot be magnified, before anything is read."""
    shape = tuple(frames.shape)
    if method not in MAGNIFICATIONS:
        raise unknown_name("magnification", method, MAGNIFICATIONS)
    if len(shape) != 3 or shape[0] < 2 or min(shape[1:]) < _LEAST_PX:
        raise DataError(
            f"magnification: expected (k, height, width), at least 2 frames of at least {_LEAST_PX} px, got {shape}"
        )
    if not (0 <= alpha < np.inf and 0 <= wavelength_px < np.inf):
        raise ConfigError(
            f"magnification: expected alpha and the wavelength to be 0 or more, got {alpha:g} and {wavelength_px:g} px"
        )
    if not 0 <= low_hz < high_hz < 0.5 * rate_hz:
        raise ConfigError(
            f"magnification: expected a band between 0 Hz and less than half of {rate_hz:g} frames per second, "
            f"got {low_hz:g} to {high_hz:g} Hz; faster motion is not in the video, so lower the upper limit"
        )


def _blocks(
    frames: Samples,
    rate_hz: float,
    band_hz: tuple[float, float],
    alpha: float,
    method: str,
    wavelength_px: float,
    every: int,
    block: int | None,
) -> Iterator[NDArray[np.float32]]:
    """Go through a video stretch by stretch; ``rate_hz`` is that of the looks."""
    n_frames, height, width = frames.shape
    n_looks = -(-n_frames // every)
    passed = ToAndFro.of(rate_hz, *band_hz)
    motion: Waves | Levels
    if method == "phase":
        motion = Waves(steerable_pyramid((height, width), octaves=_OCTAVES, directions=_DIRECTIONS), alpha, passed)
    else:
        motion = Levels(alpha, wavelength_px, passed)
    block = block or max(8, passed.ahead // 2)
    ring: NDArray[Any] | None = None
    per_piece = max(1, _PIECE_PX // (height * width))
    for start in range(0, n_looks, block):
        n = min(block, n_looks - start)
        begun = start if ring is None else start + len(ring)
        stop = min(start + block + passed.ahead, n_looks)
        fresh = [motion.prepared(_look(frames, k, every)) for k in range(begun, stop)]
        ring = np.concatenate(([] if ring is None else [ring]) + fresh)
        motion.find(ring, n, ended=stop == n_looks)
        ring = ring[n:].copy()
        last = min((start + n) * every, n_frames)
        for first in range(start * every, last, per_piece):
            index = np.arange(first, min(first + per_piece, last))
            place = (index - 0.5 * (every - 1)) / every - start
            yield motion.moved(_read(frames, int(index[0]), int(index[-1]) + 1), place)


def _read(frames: Samples, first: int, stop: int) -> NDArray[np.float32]:
    images = np.asarray(frames[first:stop], dtype=np.float32)
    if not np.isfinite(images).all():
        raise DataError("magnification: expected grey levels, got values that are not finite; is the face missing?")
    return images


def _look(frames: Samples, k: int, every: int) -> NDArray[np.float32]:
    return _read(frames, k * every, min((k + 1) * every, frames.shape[0])).mean(axis=0, keepdims=True)
