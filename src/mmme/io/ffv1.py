"""Lossless grey video (FFV1 in Matroska), written frame by frame."""

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
    frames: Iterable[NDArray[np.uint8]],
    t_s: NDArray[np.float64],
) -> int:
    """
    Write grey frames without loss (FFV1 in Matroska); the file appears when it is complete.

    The container keeps times to the millisecond from the first frame on; keep ``t_s`` beside it where more is needed.
    Nothing but pictures and times is written: no title, date or host.

    Parameters
    ----------
    path
        Target, ``.mkv``.
    frames
        (height, width) uint8 each, all of one shape; read once, one at a time.
    t_s : (n,) float64
        Time of every frame [s], increasing.

    Returns
    -------
    int
        Number of frames written.

    Raises
    ------
    DataError
        If shapes differ, values are not 8-bit grey, or there are more or fewer frames than times.

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
    shape: tuple[int, ...] | None = None
    try:
        with av.open(str(partial), "w", format="matroska", options={"fflags": "+bitexact"}) as container:
            stream = None
            for image in frames:
                if shape is None:
                    shape = image.shape
                    stream = _ffv1_stream(container, shape, path.name)
                if image.shape != shape or image.dtype != np.uint8:
                    raise DataError(
                        f"{path.name}: expected frame {written} as uint8 of {shape}, got {image.dtype} {image.shape}"
                    )
                if written >= ticks.size:
                    raise DataError(f"{path.name}: expected {ticks.size} frames, one per time, got more")
                picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="gray")
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


def _ffv1_stream(container: Any, shape: tuple[int, ...], name: str) -> Any:
    """Add a grey FFV1 stream for frames of that shape."""
    if len(shape) != 2:
        raise DataError(f"{name}: expected grey frames (height, width), got shape {shape}")
    stream = container.add_stream("ffv1", rate=1000)
    stream.height, stream.width = shape
    stream.pix_fmt = "gray"
    stream.time_base = stream.codec_context.time_base = _TICK
    stream.codec_context.flags |= av.codec.context.Flags.bitexact.value
    if shape[0] * shape[1] <= _SMALL:
        stream.codec_context.thread_count = 1
    return stream
