"""Frames averaged around moments, each read once however much the moments overlap, and work done a little ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mmme.features.face.faces_found import nearest
from mmme.types import Stream

__all__ = ["MeanFrames", "Stretch", "ahead"]

T = TypeVar("T")


class Stretch:
    """Frames of a stretch of a stream, read when asked for."""

    def __init__(self, video: Stream, part: slice) -> None:
        self.video, self.part = video, part
        self.shape = (part.stop - part.start, *video.x.shape[1:])

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Return one frame, counted from the start of the stretch."""
        return np.asarray(self.video.x[self.part.start + index])


class MeanFrames:
    """
    The mean of the frames around each of many moments, asked for in order of time.

    Frames are kept as long as they are needed and summed as whole numbers, so that a mean is the same to the last bit as
    that of the frames by themselves. Any moment may be asked for; going back means reading again.

    Parameters
    ----------
    video
        Grey frames.
    within_s
        Frames this far around a moment are averaged [s], the nearest at least.

    Examples
    --------
    >>> video = Stream("video", "camera", np.arange(5.0), np.arange(5, dtype=np.uint8)[:, None, None], "grey level")
    >>> frames = MeanFrames(video, 1.5)
    >>> [float(frames.at(t)[0, 0]) for t in (1.0, 2.0, 4.0)]
    [1.0, 2.0, 3.5]
    """

    def __init__(self, video: Stream, within_s: float) -> None:
        self.video, self.within_s = video, within_s
        self._frames: deque[tuple[int, NDArray[Any]]] = deque()
        self._sum: NDArray[Any] | None = None

    def at(self, time_s: float) -> NDArray[np.float32]:
        """Return the mean frame ``(height, width)`` at a time [s]."""
        first, last = np.searchsorted(self.video.t, [time_s - self.within_s, time_s + self.within_s])
        middle = int(nearest(self.video.t, np.array([time_s]))[0])
        start, stop = min(int(first), middle), max(int(last), middle + 1)
        self._keep(start, stop)
        if stop - start == 1:
            return np.asarray(self._frames[0][1], dtype=np.float32)
        if self._sum is None:
            if not _exact(self._frames[0][1]):
                return np.asarray(np.mean([frame for _, frame in self._frames], axis=0, dtype=np.float32))
            self._sum = np.sum([frame for _, frame in self._frames], axis=0, dtype=np.int32)
        return np.asarray(self._sum.astype(np.float32) / np.float32(stop - start))

    def _keep(self, start: int, stop: int) -> None:
        """Let go of frames outside ``start`` to ``stop`` and read those that are missing, the sum going along."""
        if self._frames and not self._frames[0][0] <= start <= self._frames[-1][0] + 1:
            self._frames.clear()
            self._sum = None
        if stop - start == 1:
            self._sum = None
        while self._frames and self._frames[0][0] < start:
            _, gone = self._frames.popleft()
            if self._sum is not None:
                self._sum -= gone
        while self._frames and self._frames[-1][0] >= stop:
            _, gone = self._frames.pop()
            if self._sum is not None:
                self._sum -= gone
        for index in range(self._frames[-1][0] + 1 if self._frames else start, stop):
            frame = np.asarray(self.video.x[index])
            self._frames.append((index, frame))
            if self._sum is not None:
                self._sum += frame


def _exact(frame: NDArray[Any]) -> bool:
    """Tell whether sums of such frames are whole numbers that fit."""
    return frame.dtype.kind in "bu" and frame.dtype.itemsize <= 2


def ahead(items: Iterator[T], n: int = 4) -> Iterator[T]:
    """
    Run an iterator in a thread of its own, some items ahead of who uses them; order and items stay the same.

    Worth it where both sides wait for something that lets other threads run: decoding, warping, optical flow.

    Parameters
    ----------
    items
        Not to be used elsewhere meanwhile.
    n
        How many items may wait.

    Examples
    --------
    >>> list(ahead(iter(range(5))))
    [0, 1, 2, 3, 4]
    """
    end: Any = object()
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="frames") as reader:
        waiting.extend(reader.submit(next, items, end) for _ in range(n))
        try:
            while (item := waiting.popleft().result()) is not end:
                waiting.append(reader.submit(next, items, end))
                yield item
        finally:
            for one in waiting:
                one.cancel()
