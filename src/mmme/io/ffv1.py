"""Lossless video, grey or in colour (FFV1 in Matroska), written frame by frame."""

from __future__ import annotations

import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError

__all__ = ["write_ffv1"]

_TICK = Fraction(1, 1000)  # Matroska's customary resolution
_SMALL = 400_000  # pixels up to which starting threads costs more than it saves


def write_ffv1(
    path: str | os.PathLike[str],
    frames: Iterable[NDArray[np.uint8] | av.VideoFrame],
    t_s: NDArray[np.float64],
) -> int:
    """
    Write frames without loss (FFV1 in Matroska); the file appears when it is complete.

    The container keeps times to the millisecond from the first frame on; keep ``t_s`` beside it where more is needed.
    Nothing but pictures and times is written: no title, date or host.

    Parameters
    ----------
    path
        Target, ``.mkv``.
    frames
        (height, width) uint8 for grey, (height, width, 3) uint8 for red, green, blue, or pictures of PyAV in a pixel
        format that FFV1 holds (kept as it is, with its range and matrix); all alike; read once, one at a time.
    t_s : (n,) float64
        Time of every frame [s], increasing.

    Returns
    -------
    int
        Number of frames written.

    Raises
    ------
    DataError
        If shapes or formats differ, values are not 8-bit, or there are more or fewer frames than times.

    Examples
    --------
    >>> import tempfile
    >>> from mmme.io.video import open_video
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     n = write_ffv1(f"{folder}/a.mkv", (np.full((16, 16), k, np.uint8) for k in range(3)), np.arange(3) / 150)
    ...     int(open_video(f"{folder}/a.mkv")[2][0, 0])
    2
    """
    path = Path(path)
    ticks = np.rint((np.asarray(t_s, dtype=np.float64) - (t_s[0] if len(t_s) else 0.0)) * 1000).astype(np.int64)
    place = np.arange(ticks.size)
    ticks = np.maximum.accumulate(ticks - place) + place  # two frames cannot share a millisecond in the container
    partial = path.with_name(path.name + ".partial")
    written = 0
    kind: tuple[str, tuple[int, ...]] | None = None
    try:
        with av.open(str(partial), "w", format="matroska", options={"fflags": "+bitexact"}) as container:
            stream = None
            for image in frames:
                if kind is None:
                    kind = _kind(image)
                    stream = _ffv1_stream(container, image, path.name)
                if _kind(image) != kind or not (kind[0] == "uint8" or isinstance(image, av.VideoFrame)):
                    expected = kind[0] if isinstance(image, av.VideoFrame) else "uint8"
                    got = " ".join(str(part) for part in _kind(image))
                    raise DataError(f"{path.name}: expected frame {written} as {expected} of {kind[1]}, got {got}")
                if written >= ticks.size:
                    raise DataError(f"{path.name}: expected {ticks.size} frames, one per time, got more")
                picture = _picture(image)
                picture.pts, picture.time_base = int(ticks[written]), _TICK
                container.mux(stream.encode(picture))  # type: ignore[union-attr]
                written += 1
            if stream is None or written != ticks.size:
                raise DataError(f"{path.name}: expected {ticks.size} frames, one per time, got {written}")
            container.mux(stream.encode(None))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return written


def _kind(image: NDArray[Any] | av.VideoFrame) -> tuple[str, tuple[int, ...]]:
    """Name the type or pixel format and the shape, which must be the same for all frames."""
    if isinstance(image, av.VideoFrame):
        return image.format.name, (image.height, image.width)
    return str(image.dtype), image.shape


def _picture(image: NDArray[np.uint8] | av.VideoFrame) -> av.VideoFrame:
    """Return the picture to be encoded; red, green and blue move to where FFV1 wants them."""
    if isinstance(image, av.VideoFrame):
        return image
    if image.ndim == 2:
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="gray")
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24").reformat(format="bgr0")


def _ffv1_stream(container: Any, image: NDArray[np.uint8] | av.VideoFrame, name: str) -> Any:
    """Add an FFV1 stream for frames like that one."""
    shape = _kind(image)[1]
    if not isinstance(image, av.VideoFrame) and len(shape) != 2 and (len(shape) != 3 or shape[2] != 3):
        raise DataError(f"{name}: expected frames (height, width) or (height, width, 3), got shape {shape}")
    stream = container.add_stream("ffv1", rate=1000)
    stream.height, stream.width = shape[:2]
    stream.time_base = stream.codec_context.time_base = _TICK
    stream.codec_context.flags |= av.codec.context.Flags.bitexact.value
    stream.codec_context.gop_size = 1  # each frame for itself: an expression is read without the frames before it
    if isinstance(image, av.VideoFrame):
        stream.pix_fmt, context = image.format.name, stream.codec_context
        context.color_range, context.colorspace = image.color_range, image.colorspace
        context.color_primaries, context.color_trc = image.color_primaries, image.color_trc
    else:
        stream.pix_fmt = "gray" if image.ndim == 2 else "bgr0"
    if shape[0] * shape[1] <= _SMALL:
        stream.codec_context.thread_count = 1
    return stream
