"""Camera frames: what their file names say (`names`), and when they were taken (`clock`)."""

from mmme.io.frames.clock import FrameClock, frame_clock, frame_markers
from mmme.io.frames.names import FrameIndex, FrameName, index_frames, parse_frame_name

__all__ = ["FrameClock", "FrameIndex", "FrameName", "frame_clock", "frame_markers", "index_frames", "parse_frame_name"]
