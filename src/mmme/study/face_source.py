"""A video to look for expressions in: a file of any container, or a folder of frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmme.datasets.videos import FrameImages
from mmme.errors import ConfigError, DataError
from mmme.io.frames.clock import frame_clock
from mmme.io.frames.names import index_frames
from mmme.io.video import open_video
from mmme.types import Stream

__all__ = ["open_face_source"]


def open_face_source(path: Path, *, fps: float | None = None) -> tuple[Stream, tuple[str, ...]]:
    """
    Open a video; frames are read when asked for.

    Parameters
    ----------
    path
        A video file, or a folder of images whose names tell when they were saved or end in a number.
    fps
        Rate of a folder of numbered images [Hz]; of a file, whose container knows it, none.

    Returns
    -------
    stream
        Grey frames; the first is at 0 s in a folder, and where the container says in a file.
    notes
        What is odd about the times, one sentence each.

    Raises
    ------
    DataError
        If there is no such video.
    ConfigError
        If a folder's rate is not known, or a file's is given.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for k in range(3):
    ...         Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save(Path(folder) / f"img{k}.png")
    ...     stream, notes = open_face_source(Path(folder), fps=50.0)
    >>> stream.t.tolist(), stream.x.shape
    ([0.0, 0.02, 0.04], (3, 8, 8))
    """
    if fps is not None and not fps > 0:
        raise ConfigError(f"--fps: expected frames per second, got {fps}")
    if not path.is_dir():
        frames = open_video(path)
        if fps is not None:
            raise ConfigError(f"--fps: {path.name} is a file that tells its times itself; leave it out")
        return Stream("video", path.name, frames.t_s, frames, "grey level"), tuple(frames.findings)
    index = index_frames(path)
    images = FrameImages(index)
    if index.host_s is not None:
        clock = frame_clock(index.host_s, index.code, nominal_hz=fps)
        lost = int(clock.dropped_before.sum())
        notes = (f"{lost} frames were lost while recording",) if lost else ()
        return Stream("video", path.name, clock.t_s - clock.t_s[0], images, "grey level"), notes
    if fps is None:
        raise ConfigError(f"{path.name}: expected the rate of this folder of {len(index)} images (--fps), got none")
    if index.number is None:
        raise DataError(f"{path.name}: expected names that end in a number, got {index.names[0]}")
    apart = np.diff(index.number)
    missing = int((apart - 1).sum()) if apart.size and (apart > 0).all() else 0
    notes = (f"{missing} numbers are missing between the first and the last image",) if missing else ()
    return Stream("video", path.name, (index.number - index.number[0]) / fps, images, "grey level"), notes
