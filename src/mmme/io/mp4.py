"""Video for viewing: H.264 in MP4, with a label that tells what it is. It is lossy, and never data."""

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

__all__ = ["TICK_S", "labels", "write_mp4"]

#: Times are kept in this unit: exact at 24 to 240 frames per second, at NTSC's rates and in milliseconds.
TICK_S = Fraction(1, 90_000)
_QUALITY = "16"  # of x264, at which a practised eye sees no difference


def write_mp4(
    path: str | os.PathLike[str],
    frames: Iterable[NDArray[np.uint8]],
    t_s: NDArray[np.float64],
    *,
    title: str = "",
    comment: str = "",
) -> int:
    """
    Write frames for viewing; the file appears when it is complete.

    Times are kept from the first frame on, to 1/90000 s. An odd last row or column, which H.264 cannot hold, is shown
    twice.

    Parameters
    ----------
    path
        Target, ``.mp4``.
    frames
        (height, width) for grey or (height, width, 3) for red, green, blue, all alike; read once, one at a time.
    t_s : (n,) float64
        Time of every frame [s], increasing.
    title, comment
        What the file says about itself.

    Returns
    -------
    int
        Number of frames written.

    Raises
    ------
    DataError
        If frames are not alike, not 8-bit, or not as many as times; if there is none.

    Examples
    --------
    >>> import tempfile
    >>> from mmme.io.video import frame_times
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     n = write_mp4(f"{folder}/a.mp4", (np.full((32, 32), k, np.uint8) for k in range(3)), np.array([5.0, 5.1, 5.3]))
    ...     frame_times(f"{folder}/a.mp4").round(6).tolist()
    [0.0, 0.1, 0.3]
    """
    path = Path(path)
    t_s = np.asarray(t_s, dtype=np.float64)
    ticks = np.rint((t_s - (t_s[0] if len(t_s) else 0.0)) / float(TICK_S)).astype(np.int64)
    partial = path.with_name(path.name + ".partial")
    written = 0
    shape: tuple[int, ...] = ()
    try:
        with av.open(str(partial), "w", format="mp4", options={"fflags": "+bitexact"}) as container:
            container.metadata.update({key: text for key, text in (("title", title), ("comment", comment)) if text})
            stream: Any = None
            for image in frames:
                shape = shape or image.shape
                if image.dtype != np.uint8 or image.shape != shape or shape[2:] not in ((), (3,)):
                    raise DataError(
                        f"{path.name}: expected frame {written} as uint8 of {shape}, grey or with three colours, "
                        f"got {image.dtype} of {image.shape}"
                    )
                if written >= len(ticks):
                    raise DataError(f"{path.name}: expected {len(ticks)} frames, one per time, got more")
                if stream is None:
                    stream = _stream(container, shape, ticks)
                picture = _picture(image)
                picture.pts, picture.time_base = int(ticks[written]), TICK_S
                container.mux(stream.encode(picture))
                written += 1
            if stream is None or written != len(ticks):
                raise DataError(f"{path.name}: expected {len(ticks)} frames, one per time and at least one, got {written}")
            container.mux(stream.encode(None))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return written


def labels(path: str | os.PathLike[str]) -> dict[str, str]:
    """
    Return what a video file says about itself, such as its title and comment.

    Raises
    ------
    DataError
        If the file cannot be read as video.
    """
    try:
        with av.open(str(path)) as container:
            return {str(key): str(text) for key, text in container.metadata.items()}
    except (av.error.FFmpegError, OSError) as error:
        raise DataError(
            f"{Path(path).name}: expected a video file, got one that cannot be read ({getattr(error, 'strerror', error)})"
        ) from None


def _stream(container: Any, shape: tuple[int, ...], ticks: NDArray[np.int64]) -> Any:
    """Add a stream for frames of that shape; a second of them at most lies between places to jump to."""
    step = float(np.median(np.diff(ticks))) * float(TICK_S) if len(ticks) > 1 else 1.0
    rate = max(1, round(1 / max(step, 1e-3)))
    options = {"crf": _QUALITY, "preset": "veryfast", "g": str(rate), "bf": "0"}
    stream = container.add_stream("libx264", rate=rate, options=options)
    stream.height, stream.width = shape[0] + shape[0] % 2, shape[1] + shape[1] % 2
    stream.time_base = stream.codec_context.time_base = TICK_S
    stream.pix_fmt = "yuv420p"
    stream.codec_context.flags |= av.codec.context.Flags.bitexact.value
    return stream


def _picture(image: NDArray[np.uint8]) -> Any:
    height, width = image.shape[:2]
    if height % 2 or width % 2:
        image = np.pad(image, ((0, height % 2), (0, width % 2), *[(0, 0)] * (image.ndim - 2)), mode="edge")
    colours = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(colours), format="rgb24").reformat(format="yuv420p")
