"""Frames averaged around moments: the same numbers as one by one, each frame read once."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from mmme.features.face.averaging import MeanFrames, ahead
from mmme.features.face.clips import mean_frame
from mmme.types import Stream


class Counted:
    """Frames that count how often each is read."""

    def __init__(self, frames):
        self.frames, self.reads = frames, np.zeros(len(frames), dtype=int)

    @property
    def shape(self):
        return self.frames.shape

    def __getitem__(self, index):
        self.reads[index] += 1
        return self.frames[index]


def recorded(dtype=np.uint8, fps=150.0, seconds=2.0):
    rng = np.random.default_rng(3)
    n = round(fps * seconds)
    t = np.sort(np.arange(n) / fps + rng.uniform(-0.2, 0.2, n) / fps)
    frames = rng.integers(0, 256, (n, 7, 9)).astype(dtype)
    return Stream("video", "camera", t, Counted(frames), "grey level", fps)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("rate_hz", [150.0, 90.0, 30.0])
def test_means_are_those_of_the_frames_alone_and_each_frame_is_read_once(rate_hz, dtype):
    """At the frame rate windows overlap threefold: the means agree to the last bit, and no frame is read twice."""
    video = recorded(dtype)
    frames = MeanFrames(video, 0.012)
    times = np.arange(video.t[0], video.t[-1], 1 / rate_hz)
    means = [frames.at(t) for t in times]
    assert video.x.reads.max() == 1
    for t, mean in zip(times, means, strict=True):
        np.testing.assert_array_equal(mean, mean_frame(video, t, 0.012))


def test_any_order_of_moments_gives_the_same():
    """Moments asked for again, backwards, far apart, or where one frame only is near."""
    video = recorded()
    frames = MeanFrames(video, 0.012)
    for t in (0.5, 0.5, 1.9, 0.2, 0.21, 0.2, -3.0, 9.0, 1.0):
        np.testing.assert_array_equal(frames.at(t), mean_frame(video, t, 0.012))
    alone = MeanFrames(video, 0.0)
    for t in (0.5, 0.501, 0.52):
        np.testing.assert_array_equal(alone.at(t), mean_frame(video, t, 0.0))


def test_ahead_keeps_order_and_works_in_one_other_thread():
    """Items come in order, all from one thread that is not this one."""

    def items():
        for k in range(20):
            yield k, threading.get_ident()

    came = list(ahead(items(), 3))
    assert [k for k, _ in came] == list(range(20))
    assert len({thread for _, thread in came}) == 1
    assert came[0][1] != threading.get_ident()


def test_ahead_is_at_most_so_far_ahead_and_hands_errors_on():
    """With two waiting, three are begun when one is used; an error comes at its place; leaving early ends the thread."""
    begun = []

    def items():
        for k in range(10):
            begun.append(k)
            if k == 4:
                raise ValueError("the fifth")
            yield k

    running = ahead(items(), 2)
    for k in range(4):
        assert next(running) == k
        assert len(begun) <= k + 3
    with pytest.raises(ValueError, match="the fifth"):
        next(running)
    before = threading.active_count()
    early = ahead(iter(range(10)), 2)
    assert next(early) == 0
    early.close()
    assert threading.active_count() == before
