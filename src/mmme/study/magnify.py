"""One video, its small motion made large, for eyes only."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from mmme.errors import ConfigError, DataError
from mmme.features.face.landmarks import FaceFinder, FaceMesh, track_landmarks
from mmme.features.face.magnification import clipped, frame_rate, magnified
from mmme.features.face.registration import register, similarity
from mmme.io.mp4 import write_mp4
from mmme.io.video import VideoFrames, open_video

__all__ = ["HIGH_HZ", "LABEL", "LOW_HZ", "MagnifiedVideo", "magnify_video"]

LABEL = "MAGNIFIED MOTION: for viewing only, not data"
#: A micro-expression rises in 0.05 to 0.25 s and is over within 0.5 s; heads sway more slowly (docs/magnification.md).
LOW_HZ, HIGH_HZ = 0.5, 10.0
#: Where the frame rate does not reach so far, this share of it is the upper limit.
_HIGH_SHARE = 0.4
#: A face is held still against the motion of the head that is slower than about the lower limit.
_HELD_S = 0.5
_FACE_PX = (64, 512)

Step = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class MagnifiedVideo:
    """
    What was magnified, and how.

    Parameters
    ----------
    out
        The video.
    frames
        How many.
    size
        Height and width of the magnified picture [px].
    first_s
        Time of the first frame in the source [s]; in ``out`` it is 0.
    rate_hz
        Steady rate of the frames.
    unsteady
        Share of steps between frames that depart from it, 0..1.
    low_hz, high_hz
        The band.
    clipped
        Share of pixels that got too dark or too bright to be kept, 0..1.
    findings
        What is odd about the source's times.
    """

    out: Path
    frames: int
    size: tuple[int, int]
    first_s: float
    rate_hz: float
    unsteady: float
    low_hz: float
    high_hz: float
    clipped: float
    findings: tuple[str, ...]


def magnify_video(
    video: Path,
    out: Path,
    *,
    alpha: float = 10.0,
    method: str = "phase",
    low_hz: float = LOW_HZ,
    high_hz: float | None = None,
    face: bool = False,
    start_s: float | None = None,
    stop_s: float | None = None,
    side_by_side: bool = False,
    finder: FaceFinder | None = None,
    step: Step | None = None,
) -> MagnifiedVideo:
    """
    Write a video in which motion within a band is ``1 + alpha`` times as large; light is changed, colours are kept.

    The file says in its title and comment that it is magnified. It is lossy and of 8 bits, whatever the source is.

    Parameters
    ----------
    video
        Any container.
    out
        ``.mp4`` to be written; appears when it is complete.
    alpha, method, low_hz
        As in `mmme.features.face.magnification.magnified`.
    high_hz
        Upper limit [Hz]; by default 10, or 0.4 of the frame rate where that is less.
    face
        Only the face, cut out and held still against slow motion of the head.
    start_s, stop_s
        Part of the video ``[start, stop)`` [s]; all of it by default.
    side_by_side
        The source to the left of it.
    finder
        Detector for ``face``; the face mesh by default.
    step
        Called with the task's name, frames done, and all.

    Returns
    -------
    MagnifiedVideo

    Raises
    ------
    ConfigError
        If a parameter is out of range, the band is not below half of the frame rate, or ``out`` is ``video``.
    DataError
        If the video cannot be read, is too short, or shows no face in a frame where one is asked for.
    """
    if out.suffix.lower() != ".mp4":
        raise ConfigError(f"{out.name}: expected a name that ends in .mp4 for the magnified video, got '{out.suffix}'")
    if out.resolve() == video.resolve() or (out.exists() and video.exists() and os.path.samefile(out, video)):  # noqa: PTH121
        raise ConfigError(f"{out.name}: expected another file than the source, got the same; it would be lost")
    with closing(open_video(video)) as making, closing(open_video(video)) as looking:
        part = _part(making, start_s, stop_s)
        t_s = making.t_s[part.start : part.stop]
        rate_hz, unsteady = frame_rate(t_s)
        upper = min(HIGH_HZ, _HIGH_SHARE * rate_hz) if high_hz is None else high_hz
        seen: _Seen = _Whole(making, part)
        ahead: _Seen = _Whole(looking, part)
        if face:
            matrices, side = _held_face(looking, part, t_s, finder)
            seen, ahead = (_Face(one, part, matrices, side) for one in (making, looking))
        light = _Luma(seen, ahead)
        blocks = magnified(light, rate_hz, alpha=alpha, low_hz=low_hz, high_hz=upper, method=method)
        counted = _Counted()
        out.parent.mkdir(parents=True, exist_ok=True)
        n = write_mp4(
            out,
            _pictures(light, blocks, counted, side_by_side=side_by_side, step=step),
            t_s,
            title=LABEL,
            comment=f"{LABEL}. Motion of {low_hz:g} to {upper:g} Hz is shown {1 + alpha:g} times as large ({method}), "
            f"by 'mmme magnify'; the first frame is at {t_s[0]:.6f} s of the source.",
        )
        return MagnifiedVideo(
            out,
            n,
            seen.size,
            float(t_s[0]),
            rate_hz,
            unsteady,
            low_hz,
            upper,
            counted.n / (n * seen.size[0] * seen.size[1]),
            making.findings,
        )


class _Seen(Protocol):
    """Frames as they are to be shown, before they are magnified."""

    n: int
    size: tuple[int, int]

    def luma(self, index: int) -> NDArray[np.float32]: ...

    def picture(self, index: int) -> NDArray[np.uint8]: ...


@dataclass(slots=True)
class _Counted:
    """Pixels that were clipped so far."""

    n: int = 0


class _Whole:
    """Frames of a part of a video."""

    def __init__(self, video: VideoFrames, part: range) -> None:
        self.video, self.part, self.n = video, part, len(part)
        self.size = (video.shape[1], video.shape[2])

    def luma(self, index: int) -> NDArray[np.float32]:
        return self.video[self.part[index]].astype(np.float32)

    def picture(self, index: int) -> NDArray[np.uint8]:
        frame = self.part[index]
        return self.video.colour(frame) if self.video.has_colour else self.video[frame]


class _Face:
    """The face of each frame of a part of a video, at one place and size."""

    def __init__(self, video: VideoFrames, part: range, matrices: NDArray[np.float64], side: int) -> None:
        self.whole, self.matrices, self.side = _Whole(video, part), matrices, side
        self.n, self.size = self.whole.n, (side, side)

    def luma(self, index: int) -> NDArray[np.float32]:
        return register(self.whole.luma(index), self.matrices[index], self.side)

    def picture(self, index: int) -> NDArray[np.uint8]:
        picture = self.whole.picture(index)
        planes = [picture] if picture.ndim == 2 else [picture[..., k] for k in range(3)]
        held = [clipped(register(plane, self.matrices[index], self.side))[0] for plane in planes]
        return held[0] if picture.ndim == 2 else np.dstack(held)


class _Luma:
    """
    Light of the frames for the magnifier, which looks ahead of where it shows.

    Each of the two readers has a decoder of its own, so that neither sends the other back. What is to be shown is kept
    with its light until it has been.
    """

    def __init__(self, seen: _Seen, ahead: _Seen) -> None:
        self.seen, self.ahead, self.looked = seen, ahead, 0
        self.shape = (seen.n, *seen.size)
        self.kept: dict[int, tuple[NDArray[np.float32], NDArray[np.uint8]]] = {}

    def __getitem__(self, piece: slice) -> NDArray[np.float32]:
        first, stop, _ = piece.indices(self.shape[0])
        if first >= self.looked:
            self.looked = stop
            return np.stack([self.ahead.luma(k) for k in range(first, stop)])
        for k in range(first, stop):
            self.kept[k] = (self.seen.luma(k), self.seen.picture(k))
        return np.stack([self.kept[k][0] for k in range(first, stop)])


def _pictures(
    light: _Luma,
    blocks: Iterator[NDArray[np.float32]],
    counted: _Counted,
    *,
    side_by_side: bool,
    step: Step | None,
) -> Iterator[NDArray[np.uint8]]:
    """Give the magnified light to the pictures, one at a time; the differences of colour stay as they are."""
    done = 0
    for block in blocks:
        for magnified_light in block:
            luma, picture = light.kept.pop(done)
            change = magnified_light - luma
            moved = picture + (change if picture.ndim == 2 else change[..., None])
            beyond = (np.rint(moved) < 0) | (np.rint(moved) > 255)
            counted.n += int(np.count_nonzero(beyond if picture.ndim == 2 else beyond.any(axis=2)))
            shown = clipped(moved)[0]
            done += 1
            yield np.hstack([picture, shown]) if side_by_side else shown
            if step:
                step("magnified", done, light.shape[0])


def _part(video: VideoFrames, start_s: float | None, stop_s: float | None) -> range:
    """Frames in ``[start, stop)``."""
    t_s = video.t_s
    low = 0 if start_s is None else int(np.searchsorted(t_s, start_s))
    high = len(t_s) if stop_s is None else int(np.searchsorted(t_s, stop_s))
    if high - low < 2:
        wanted = f"{t_s[0] if start_s is None else start_s:g} s and {t_s[-1] if stop_s is None else stop_s:g} s"
        raise DataError(
            f"{video.path.name}: expected at least two frames between {wanted}, got {max(0, high - low)}; "
            f"the video runs from {t_s[0]:.3f} to {t_s[-1]:.3f} s"
        )
    return range(low, high)


def _held_face(
    video: VideoFrames, part: range, t_s: NDArray[np.float64], finder: FaceFinder | None
) -> tuple[NDArray[np.float64], int]:
    """
    Find the transform of each frame that holds the face still, and the side of the picture [px].

    Landmarks are restless by tenths of a pixel, which magnified would be a trembling face: only what is slower than
    about the lower limit of the band is taken from them.
    """
    with nullcontext(finder) if finder is not None else FaceMesh() as looking:
        track = track_landmarks(_Frames(video, part), t_s, finder=looking, where=video.path.name)
    points = track.at(t_s)
    lost = ~np.isfinite(points[:, 0, 0])
    if lost.any():
        where = np.flatnonzero(lost)
        raise DataError(
            f"{video.path.name}: expected a face in every frame, got none in {len(where)}, the first at "
            f"{t_s[where[0]]:.3f} s and the last at {t_s[where[-1]]:.3f} s; choose a part with --start and --stop"
        )
    unit = np.array([similarity(p, 1) for p in points])
    side = int(np.clip(round(1 / float(np.median(np.sqrt(np.linalg.det(unit[:, :, :2]))))), *_FACE_PX)) // 2 * 2
    sigma = _HELD_S * frame_rate(t_s)[0]
    return np.asarray(gaussian_filter1d(unit * side, sigma, axis=0, mode="nearest")), side


class _Frames:
    """Grey frames of a part of a video."""

    def __init__(self, video: VideoFrames, part: range) -> None:
        self.video, self.part = video, part
        self.shape = (len(part), *video.shape[1:])

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        return self.video[self.part[index]]
