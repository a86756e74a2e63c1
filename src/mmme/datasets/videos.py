"""The face of a raw session: frames of a folder or of a video file, and when each was taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.datasets.catalogue import Device
from mmme.errors import DataError
from mmme.io.columns import read_columns
from mmme.io.frames import FrameClock, FrameIndex, frame_clock, frame_markers, index_frames
from mmme.io.image import luma, read_colour, read_grey, read_image
from mmme.io.video import VideoFrames, open_video
from mmme.types import Level, Markers, Reading

__all__ = ["VIDEO_SUFFIXES", "FrameImages", "OpenVideo", "frame_changes", "open_face_video"]

VIDEO_SUFFIXES = (".avi", ".mp4", ".mkv", ".mov", ".webm", ".m4v", ".wmv")
Odd = list[tuple[str, Level, str]]  # code, level and sentence of a finding


@dataclass(frozen=True, slots=True, eq=False)
class OpenVideo:
    """
    Frames and their times.

    Parameters
    ----------
    images : (n, height, width) uint8
        Read when asked for; grey by index, in colour by ``colour(i)``.
    t_s, uncertainty_s : (n,) float64
        Time taken and its standard uncertainty [s]; NaN where it is unknown.
    rate_hz
        Rate measured (or nominal).
    host_s : (n,) float64 or None
        Stamps as saved.
    code, marker : (n,) int64 or None
        Running codes and trigger values.
    number : (n,) int64 or None
        Numbers by which annotation tables count frames, from 0; None where that is the place in the video.
    """

    images: FrameImages | VideoFrames
    t_s: NDArray[np.float64]
    uncertainty_s: NDArray[np.float64]
    rate_hz: float
    host_s: NDArray[np.float64] | None = None
    code: NDArray[np.int64] | None = None
    marker: NDArray[np.int64] | None = None
    number: NDArray[np.int64] | None = None


class FrameImages:
    """
    Frames (n, height, width) of a folder of images, read when asked for.

    Grey by index and by iteration: images in colour by their luma (BT.601). All images are grey or all in colour, as the
    first.

    Parameters
    ----------
    frames
        The folder's frames.

    Raises
    ------
    DataError
        Also when read: if an image is none, has more than 8 bits, or is grey among colour or colour among grey.
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(self, frames: FrameIndex) -> None:
        self._frames = frames
        first = read_image(frames.folder / frames.names[0])
        self._size = first.shape[:2]
        self.has_colour = first.ndim == 3

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, height, width)."""
        return (len(self._frames), *self._size)

    @property
    def kept_as(self) -> str:
        """What the frames are kept as without loss: ``grey`` or ``RGB``."""
        return "RGB" if self.has_colour else "grey"

    def __len__(self) -> int:
        """Count frames."""
        return len(self._frames)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Frame after frame."""
        folder = str(self._frames.folder)
        return (self._grey(f"{folder}/{name}") for name in self._frames.names)

    def __getitem__(self, index: Any) -> NDArray[np.uint8]:
        """Return one frame, or several as (m, height, width)."""
        folder, names = self._frames.folder, self._frames.names
        if isinstance(index, (int, np.integer)):
            return self._grey(folder / names[int(index)])
        wanted = np.arange(len(names))[index]
        return (
            np.stack([self._grey(folder / names[i]) for i in wanted])
            if wanted.size
            else np.empty((0, *self._size), np.uint8)
        )

    def colour(self, index: int) -> NDArray[np.uint8]:
        """One frame as (height, width, 3) red, green, blue; three times the same where there is no colour."""
        path = self._frames.folder / self._frames.names[index]
        return read_colour(path) if self.has_colour else np.repeat(read_grey(path)[..., None], 3, axis=2)

    def pictures(self) -> Iterator[NDArray[np.uint8]]:
        """Frames in order as they are to be kept without loss: (height, width), or (height, width, 3) in colour."""
        folder, read = str(self._frames.folder), read_colour if self.has_colour else read_grey
        return (read(f"{folder}/{name}") for name in self._frames.names)

    def _grey(self, path: str | Path) -> NDArray[np.uint8]:
        return luma(read_colour(path)) if self.has_colour else read_grey(path)


def open_face_video(
    path: Path, device: Device, *, readings: Mapping[str, Reading], groups: Mapping[str, str], idle: int
) -> tuple[OpenVideo, Odd]:
    """
    Open the frames of a device and find out when each was taken.

    Parameters
    ----------
    path
        Folder of frames, or a video file.
    device
        What the layout says of it.
    readings
        What other devices recorded, by name; one of them may have noted the frames.
    groups
        What ``{name}`` and ``{date}`` stand for in the pattern of a table of frame times.
    idle
        Trigger value between stimuli.

    Returns
    -------
    video : OpenVideo
        Frames are read when asked for.
    odd
        Findings: code, level, sentence.

    Raises
    ------
    DataError
        If frames and times do not fit, or nothing tells times.
    """
    if path.is_dir():
        frames = index_frames(path, pattern=device.frame_name or None)
        return _numbered(frames, device) if frames.host_s is None else _stamped(frames, device, idle)
    opened = open_video(path)
    odd: Odd = [("D019", "note", text) for text in opened.findings]
    marker = code = None
    if device.times in readings:
        t_s, code = _stream_times(readings[device.times], len(opened), device.times)
    elif device.times:
        t_s, marker = _table_times(device, path.parent, groups, len(opened))
    else:
        t_s = opened.t_s
        odd.append(("D019", "note", "frame times are those of the video file; how exact they are is not known"))
    rate_hz = 1.0 / float(np.median(np.diff(t_s)))
    return OpenVideo(opened, t_s, np.full(len(t_s), np.nan), rate_hz, None, code, marker), odd


def _stream_times(reading: Reading, n: int, whose: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Read times of frames that another recorder noted: rows of picture number and camera counter."""
    stream = next((s for s in reading.streams if s.name == "frames"), None)
    if stream is None:
        raise DataError(f"expected a stream of frame numbers in {whose}, got none")
    rows = np.asarray(stream.x[:], dtype=np.int64).reshape(len(stream), -1)
    number = rows[:, 0] - rows[0, 0]
    if len(number) != n or not np.array_equal(number, np.arange(n)):
        raise DataError(f"expected a time for each of {n} pictures, got {len(number)} rows up to picture {number.max()}")
    return stream.t, rows[:, -1]


def _table_times(
    device: Device, folder: Path, groups: Mapping[str, str], n: int
) -> tuple[NDArray[np.float64], NDArray[np.int64] | None]:
    """Read times (and trigger values) of frames from a table beside the video."""
    pattern = device.times
    for name, text in groups.items():
        pattern = pattern.replace("{" + name + "}", text)
    there = sorted(folder.glob(pattern))
    if len(there) != 1:
        raise DataError(f"expected one table of frame times {device.times}, got {len(there) or 'none'}")
    reading = read_columns(there[0], time=device.time or None, trigger=device.trigger or None)
    t_s = reading.streams[0].t
    if len(t_s) != n:
        raise DataError(f"expected a time for each of {n} pictures in {device.times}, got {len(t_s)}")
    trigger = next((s for s in reading.streams if s.name == "trigger"), None)
    return t_s, None if trigger is None else np.asarray(trigger.x[:], dtype=np.int64)


def _numbered(frames: FrameIndex, device: Device) -> tuple[OpenVideo, Odd]:
    """Frames whose names tell a number only: their times are nominal."""
    if device.rate_hz is None or frames.number is None:
        raise DataError("expected times in the names of frames, or rate_hz of the device, got neither")
    text = f"frame times are nominal: number / {device.rate_hz:g} Hz"
    unknown = np.full(len(frames), np.nan)
    number = frames.number - device.first_frame
    video = OpenVideo(FrameImages(frames), frames.number / device.rate_hz, unknown, device.rate_hz, number=number)
    return video, [("D019", "note", text)]


def _stamped(frames: FrameIndex, device: Device, idle: int) -> tuple[OpenVideo, Odd]:
    """Frames whose names tell when they were saved: when they were taken is reconstructed."""
    assert frames.host_s is not None
    clock = _clock(frames.host_s, frames.code, device.rate_hz)
    odd = _clock_oddities(frames, clock, idle)
    rate_hz = 1.0 / clock.period_s
    if device.rate_hz and abs(rate_hz / device.rate_hz - 1) > 0.02:
        odd.append(("D019", "warning", f"expected {device.rate_hz:g} frames per second, got a period of {rate_hz:.2f} Hz"))
    images, times = FrameImages(frames), (clock.t_s, clock.uncertainty_s)
    return OpenVideo(images, *times, rate_hz, frames.host_s, frames.code, frames.marker), odd


def _clock_oddities(frames: FrameIndex, clock: FrameClock, idle: int) -> Odd:
    """Lost frames, stalls, gaps inside trials, frames that have left the folder."""
    odd: Odd = []
    if clock.dropped_before.any():
        lost, places = int(clock.dropped_before.sum()), int(np.count_nonzero(clock.dropped_before))
        share = 100 * lost / (lost + len(frames))
        odd.append(("D006", "note", f"{lost} frames lost in {places} places ({share:.2f} %)"))
    if clock.n_stalls:
        worst_ms = 1e3 * float(clock.late_s.max())
        text = f"{clock.n_stalls} stalls of saving, the longest {worst_ms:.0f} ms; frame times are those before the stall"
        odd.append(("D006", "note", text))
    outages = np.diff(clock.segment) > 0
    if frames.marker is not None:
        outages &= (frames.marker[1:] == frames.marker[:-1]) & (frames.marker[1:] != idle)
    if outages.any():
        longest_s = np.diff(clock.t_s)[outages].max()
        odd.append(("D006", "warning", f"{int(outages.sum())} gaps inside trials, the longest {longest_s:.2f} s"))
    if clock.missing_before.any():
        odd.append(("D006", "warning", f"{int(clock.missing_before.sum())} saved frames have left the folder"))
    return odd


def _clock(host_s: NDArray[np.float64], code: NDArray[np.int64], rate_hz: float | None) -> FrameClock:
    """Reconstruct frame times; the nominal rate decides only where losses make the period look like several."""
    clock = frame_clock(host_s, code)
    periods = clock.period_s * (rate_hz or 0.0)
    if round(periods) > 1 and abs(periods / round(periods) - 1) < 0.05:
        return frame_clock(host_s, code, nominal_hz=rate_hz)
    return clock


def frame_changes(name: str, device: Device, video: OpenVideo, *, idle: int) -> Markers | None:
    """Trigger changes as the camera saw them; of pulses, those that do not return to rest."""
    if device.markers != "frames":
        return None
    if video.marker is None:
        raise DataError("expected a trigger value for every frame, got none; is the column 'trigger' of 'times' stated?")
    rest = int(np.bincount(video.marker).argmax()) if device.pulses else -1
    t_s, codes = frame_markers(video.t_s, video.marker, idle=rest if device.pulses else idle)
    return Markers(name, t_s[codes != rest], codes[codes != rest])
