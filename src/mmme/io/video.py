"""
Video of any container, read frame by frame.

A frame is addressed by its place in presentation order, looked up in the table of presentation times that the container
holds; frame rates are never multiplied.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import av.video.reformatter
import cv2
import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError

__all__ = ["VideoFrames", "frame_times", "kept_as", "open_video"]

_SMALL = 400_000  # pixels up to which starting threads costs more than it saves
# packed formats of cameras, and the planar one of the same samples, which FFV1 holds
_PLANAR = {"nv12": "yuv420p", "nv21": "yuv420p", "nv16": "yuv422p", "nv24": "yuv444p", "nv42": "yuv444p"}
_PLANAR |= dict.fromkeys(("yuyv422", "uyvy422", "yvyu422"), "yuv422p")
_SKIP = 48  # frames that are decoded and passed over rather than sought
_SKIP_WHOLE = 2  # the same where every frame stands for itself, so that a seek decodes nothing in vain


def kept_as(pixels: str) -> str:
    """
    Name what frames of a pixel format are kept as: ``grey``, the planes of a YUV format, or ``RGB``.

    Parameters
    ----------
    pixels
        FFmpeg's name of the format.

    Examples
    --------
    >>> kept_as("gray"), kept_as("yuvj420p"), kept_as("yuv422p10le"), kept_as("nv12"), kept_as("bgr24")
    ('grey', 'yuv420p', 'yuv422p10le', 'yuv420p', 'RGB')
    >>> kept_as("p010le")
    'RGB, converted from p010le'
    """
    layout = av.VideoFormat(pixels)
    if len(layout.components) < 3 and not layout.has_palette:
        return "grey"
    name = _PLANAR.get(pixels, pixels.replace("yuvj", "yuv"))  # yuvj: the old name of full range
    if name.startswith("yuv4") and name in _held_by_ffv1():
        return name
    whole = layout.has_palette or (layout.is_rgb and max(c.bits for c in layout.components) <= 8)
    return "RGB" if whole else f"RGB, converted from {pixels}"


@lru_cache(maxsize=1)
def _held_by_ffv1() -> frozenset[str]:
    """Return the pixel formats that FFV1 holds."""
    return frozenset(f.name for f in av.Codec("ffv1", "w").video_formats or ())


def _upright_planes(frame: Any) -> Any:
    """Return a YUV picture upright, turned plane by plane, so that nothing is sampled anew."""
    quarter, name = round(float(frame.rotation) / 90) % 4, kept_as(frame.format.name)
    planar = frame.reformat(format=name) if frame.format.name in _PLANAR else frame
    if quarter == 0 and name == frame.format.name:
        return frame
    width, height = (frame.height, frame.width) if quarter % 2 else (frame.width, frame.height)
    if quarter % 2:  # chroma that is halved across is then halved along
        swap = {"yuv422p": "yuv440p", "yuv440p": "yuv422p"}
        name = next((new + name[7:] for old, new in swap.items() if name.startswith(old)), name)
    wide = np.dtype("<u2" if planar.format.components[0].bits > 8 else np.uint8)
    made = av.VideoFrame(width, height, name)
    for old, new in zip(planar.planes, made.planes, strict=True):
        values = np.frombuffer(old, wide).reshape(-1, old.line_size // wide.itemsize)[: old.height, : old.width]
        padded = np.zeros((new.buffer_size // new.line_size, new.line_size // wide.itemsize), wide)
        padded[: new.height, : new.width] = np.rot90(values, quarter)
        new.update(padded)
    full = frame.format.name.startswith("yuvj")
    made.color_range = av.video.reformatter.ColorRange.JPEG if full else frame.color_range
    made.colorspace, made.color_primaries, made.color_trc = frame.colorspace, frame.color_primaries, frame.color_trc
    return made


def open_video(path: str | os.PathLike[str]) -> VideoFrames:
    """
    Open a video of any container and codec for reading frame by frame.

    Parameters
    ----------
    path
        mkv, mp4, avi, webm, mov and whatever else FFmpeg reads.

    Returns
    -------
    VideoFrames
        Lazy frames (n, height, width), grey and upright, and in colour by ``colour(i)``; only the first is decoded yet.
        What is odd about the times, such as a container that knows none, is in its ``findings``.

    Raises
    ------
    DataError
        If the file is missing, empty, or holds no video that can be read.
    """
    path = Path(path)
    table = _table(path)
    try:
        with av.open(str(path)) as container:
            first = next(container.decode(video=0))
            height, width = _turned(np.empty((first.height, first.width)), first).shape
            pixels = first.format.name
    except (av.error.FFmpegError, StopIteration) as error:
        reason = getattr(error, "strerror", None) or "no frame can be decoded"
        raise DataError(f"{path.name}: expected a video file, got one that cannot be read ({reason})") from None
    return VideoFrames(path, table.ticks, table.keys, table.time_base, (height, width), pixels, table.findings)


def frame_times(path: str | os.PathLike[str]) -> NDArray[np.float64]:
    """
    List when frames are to be shown, as the container has it, without decoding any (AVI with frames out of order apart).

    Parameters
    ----------
    path
        Any video that FFmpeg reads.

    Returns
    -------
    (n,) float64
        Times [s] in order of presentation; errors as in `open_video`, which also tells what is odd about them.

    Examples
    --------
    >>> import tempfile
    >>> from mmme.io.ffv1 import write_ffv1
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     n = write_ffv1(f"{folder}/a.mkv", (np.zeros((8, 8), np.uint8) for _ in range(3)), np.array([7.0, 7.2, 7.3]))
    ...     frame_times(f"{folder}/a.mkv").tolist()
    [0.0, 0.2, 0.3]
    """
    table = _table(Path(path))
    return table.ticks * float(table.time_base)


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """
    Presentation times [ticks] of all frames in order, and those at which decoding can start.

    Without presentation times (AVI with frames stored out of order, bare streams) there are no such places: None.
    """

    ticks: NDArray[np.int64]
    keys: NDArray[np.int64] | None
    time_base: Fraction
    findings: tuple[str, ...]


def _table(path: Path) -> _Table:
    """Read the table of times of a video."""
    if not path.is_file():
        raise DataError(f"{path.name}: expected a video file, got {'a folder' if path.is_dir() else 'no file'}")
    if path.stat().st_size == 0:
        raise DataError(f"{path.name}: expected a video file, got 0 bytes; was the copy cut short?")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise DataError(f"{path.name}: expected a video stream, got none; is it a sound file?")
            table = _of_packets(container, container.streams.video[0])
        if table.keys is None:  # no presentation times: only decoding tells how many pictures there are
            table = replace(table, ticks=_counted(path, table.ticks))
    except av.error.FFmpegError as error:
        raise DataError(f"{path.name}: expected a video file, got one that cannot be read ({error.strerror})") from None
    if table.ticks.size == 0:
        raise DataError(f"{path.name}: expected at least one frame, got none; was the recording cut short?")
    return table


def _of_packets(container: Any, stream: Any) -> _Table:
    """Read times from the packets of a stream; no decoding."""
    stamps, keys = [], []
    avi = container.format.name == "avi"
    complete = not (avi and stream.codec_context.has_b_frames)
    n = unstamped = 0
    for packet in container.demux(stream):
        if packet.size == 0 or packet.is_discard:
            continue
        n += 1
        complete &= packet.pts is not None
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is None:
            unstamped += 1
            continue
        stamps.append(stamp)
        if packet.is_keyframe:
            keys.append(stamp)
    rate = stream.average_rate or stream.guessed_rate
    ticks, time_base, findings = np.unique(np.array(stamps, dtype=np.int64)), Fraction(stream.time_base), []
    if n and not stamps and rate:
        ticks, time_base = np.arange(n, dtype=np.int64), 1 / Fraction(rate)
        findings.append(f"the file holds no times; they are number / {float(rate):g} Hz")
    elif avi:
        findings.append(f"AVI knows the number of a frame, not its time; times are number / {1 / float(time_base):g} Hz")
    if stamps and unstamped:
        findings.append(f"{unstamped} of {n} frames have no time")
    if len(stamps) > ticks.size > 0:
        findings.append(f"{len(stamps) - ticks.size} frames have the time of another one and cannot be told from it")
    return _Table(ticks, np.unique(np.array(keys, dtype=np.int64)) if complete else None, time_base, tuple(findings))


def _counted(path: Path, stamps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the times [ticks] of as many frames as really decode, taken from the decoding times in order."""
    with av.open(str(path)) as container:
        n = sum(1 for _ in container.decode(video=0))
    if n > stamps.size:
        raise DataError(
            f"{path.name}: expected a time for each of {n} frames, got {stamps.size}; convert it to Matroska or MP4"
        )
    return stamps[:n]


def _turned(image: NDArray[Any], frame: Any) -> NDArray[Any]:
    """Turn a picture the way its display matrix asks for (telephones)."""
    quarter = round(float(frame.rotation) / 90) % 4
    return np.rot90(image, quarter) if quarter else image


class VideoFrames:
    """
    Frames of a video file, read when asked for: ``[i]``, ``[a:b]``, ``[a:b:step]``, or iteration.

    One decoder stays open and runs forward, so reading in order costs one decode per frame; a jump seeks to the nearest
    frame at which decoding can start. Grey levels are 8 bit: the luma of the container, and of red, green and blue that of
    BT.601 (0.299, 0.587, 0.114). Copies sent to another process open the file anew.

    Parameters
    ----------
    path
        The file.
    ticks : (n,) int64
        Presentation times in units of ``time_base``, increasing.
    keys : (m,) int64 or None
        Those at which decoding can start; None where the container has no presentation times, so that frames are
        counted from the first.
    time_base
        Seconds per tick.
    size
        (height, width).
    pixels
        FFmpeg's name of the pixel format.
    findings
        What is odd about the times, one sentence each.
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(
        self,
        path: Path,
        ticks: NDArray[np.int64],
        keys: NDArray[np.int64] | None,
        time_base: Fraction,
        size: tuple[int, int],
        pixels: str = "gray",
        findings: tuple[str, ...] = (),
    ) -> None:
        self.path, self.pixels, self.findings = path, pixels, findings
        self._ticks, self._keys, self._time_base, self._size = ticks, keys, time_base, size
        self._container: Any = None
        self._decoded: Iterator[Any] = iter(())
        self._last: Any = None
        self._greyer: Any = None
        self._at = -1  # index of self._last

    @property
    def shape(self) -> tuple[int, int, int]:
        """(n, height, width)."""
        return (self._ticks.size, *self._size)

    @property
    def has_colour(self) -> bool:
        """Whether the pixel format has colour; the picture may still be grey."""
        layout = av.VideoFormat(self.pixels)
        return len(layout.components) >= 3 or layout.has_palette

    @property
    def kept_as(self) -> str:
        """What the frames are kept as without loss: ``grey``, the planes of a YUV format, or ``RGB``."""
        return kept_as(self.pixels)

    @property
    def t_s(self) -> NDArray[np.float64]:
        """Presentation times (n,) as the container has them [s]."""
        return self._ticks * float(self._time_base)

    def __len__(self) -> int:
        """Count frames."""
        return int(self._ticks.size)

    def __repr__(self) -> str:
        """Name, number and size of frames."""
        return f"VideoFrames({self.path.name!r}, shape={self.shape})"

    def __getitem__(self, index: int | slice | NDArray[Any]) -> NDArray[np.uint8]:
        """Return one frame (height, width), or several (n, height, width), in the order asked for."""
        if isinstance(index, (int, np.integer)):
            return self._grey(self._frame(self._inside(int(index))))
        wanted = np.arange(len(self))[index]
        images = np.empty((wanted.size, *self._size), dtype=np.uint8)
        for place in np.argsort(wanted, kind="stable"):  # forward through the file, whatever the order asked for
            images[place] = self._grey(self._frame(int(wanted[place])))
        return images

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Frames in order, one at a time."""
        for index in range(len(self)):
            yield self[index]

    def colour(self, index: int) -> NDArray[np.uint8]:
        """One frame as (height, width, 3) red, green, blue; three times the same where there is no colour."""
        frame = self._frame(self._inside(index))
        return np.ascontiguousarray(_turned(frame.to_ndarray(format="rgb24"), frame))

    def pictures(self) -> Iterator[NDArray[np.uint8] | av.VideoFrame]:
        """
        Frames in order, upright, as they are to be kept without loss: grey arrays, or planes as they were decoded.

        What FFV1 cannot hold plane by plane (packed formats) comes as arrays (height, width, 3) of red, green, blue.
        """
        for index in range(len(self)):
            if not self.has_colour:
                yield self[index]
                continue
            frame = self._frame(index)
            yield self.colour(index) if self.kept_as.startswith("RGB") else _upright_planes(frame)

    def close(self) -> None:
        """Let go of the file; the next access opens it again."""
        if self._container is not None:
            self._container.close()
        self._container, self._decoded, self._last, self._at = None, iter(()), None, -1

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open decoder behind when sent to another process."""
        return {**self.__dict__, "_container": None, "_decoded": None, "_last": None, "_at": -1, "_greyer": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Start without a decoder."""
        self.__dict__.update(state)
        self._decoded = iter(())

    def _inside(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.path.name}: expected a frame 0..{len(self) - 1}, got {index}")
        return index % len(self)

    def _grey(self, frame: Any) -> NDArray[np.uint8]:
        if frame.format.is_rgb or frame.format.has_palette:  # FFmpeg would go through limited range, 4 levels off
            rgb = frame.to_ndarray(format="rgb24")
            return np.ascontiguousarray(_turned(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), frame))
        if frame.format.name != "gray":
            if self._greyer is None:  # one for all frames: it keeps its tables
                self._greyer = av.video.reformatter.VideoReformatter()
            rotated = frame
            frame = self._greyer.reformat(frame, format="gray")
            return np.ascontiguousarray(_turned(frame.to_ndarray(), rotated))
        return np.ascontiguousarray(_turned(frame.to_ndarray(), frame))

    def _frame(self, index: int) -> Any:
        """Decode the frame of that index, going on from where the decoder is when that is near."""
        if index == self._at:
            return self._last
        try:
            if self._container is None or index < self._at or self._key_between(index):
                self._seek(index)
            frame = self._forward(index)
            if frame is None:  # some containers seek too far: the way from the first frame is exact
                self.close()
                self._open()
                frame = self._forward(index)
        except av.error.FFmpegError as error:
            self.close()
            raise DataError(
                f"{self.path.name}: expected frame {index} to decode, got '{error.strerror}'; is the file damaged?"
            ) from None
        if frame is None:
            self.close()
            raise DataError(f"{self.path.name}: expected frame {index} at its time, got none; is the file damaged?")
        self._last, self._at = frame, index
        return frame

    def _forward(self, index: int) -> Any:
        """Decode up to the frame of that index; None when it does not come."""
        if self._keys is None:
            return next(itertools.islice(self._decoded, index - self._at - 1, None), None)
        for frame in self._decoded:
            stamp = frame.pts if frame.pts is not None else frame.dts
            if stamp == self._ticks[index]:
                return frame
            if stamp is not None and stamp > self._ticks[index]:
                return None
        return None

    def _key_between(self, index: int) -> bool:
        """Tell whether a seek saves more than it costs."""
        skip = _SKIP_WHOLE if self._keys is not None and len(self._keys) == len(self._ticks) else _SKIP
        if self._keys is None or index - self._at <= skip:
            return False
        key = np.searchsorted(self._keys, self._ticks[index], side="right") - 1
        return bool(key >= 0 and (self._at < 0 or self._keys[key] > self._ticks[self._at]))

    def _open(self) -> None:
        """Start a decoder at the first frame."""
        self._container = av.open(str(self.path))
        stream = self._container.streams.video[0]
        if self._size[0] * self._size[1] <= _SMALL:
            stream.codec_context.thread_count = 1
        else:
            stream.thread_type = "AUTO"
        self._decoded, self._at, self._last = self._container.decode(stream), -1, None

    def _seek(self, index: int) -> None:
        """Place the decoder at the last frame at or before ``index`` at which decoding can start."""
        key = 0 if self._keys is None else int(np.searchsorted(self._keys, self._ticks[index], side="right")) - 1
        if self._container is None or self._keys is None or key <= 0:
            self.close()
            self._open()
        if self._keys is not None and key > 0:
            stream = self._container.streams.video[0]
            self._container.seek(int(self._keys[key]), stream=stream, backward=True)
            self._decoded, self._at, self._last = self._container.decode(stream), -1, None
