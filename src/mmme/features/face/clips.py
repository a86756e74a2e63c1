"""
One expression's face, registered: what every descriptor of a face starts from.

Landmarks are looked for at the onset, and one transform serves the whole clip, so that no jitter between detections
becomes motion. What is read and computed (frames, flow) is read and computed once, when a descriptor first asks for it:
the descriptors of motion need two moments, not the frames between.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError
from mmme.features.face.apex import estimate_apex
from mmme.features.face.flow import flow
from mmme.features.face.interpolation import interpolated
from mmme.features.face.landmarks import FaceFinder, nearest
from mmme.features.face.regions import REGIONS, Regions, blocks, region_masks, skin_mask
from mmme.features.face.registration import Registration, head_motion, registration_of
from mmme.types import Sample, Stream

__all__ = ["FACE_PX", "ClipSettings", "FaceClip", "NoClipError", "grid", "mean_frame", "open_clip"]

FACE_PX = 128


class NoClipError(DataError):
    """An expression whose face cannot be described; the sentence is the reason in the table."""


@dataclass(frozen=True, slots=True)
class ClipSettings:
    """
    How clips are registered and described; everything here can change a value.

    Parameters
    ----------
    flow
        Method, as in `mmme.features.face.flow.flow`.
    average_s
        Frames this far around a moment are averaged [s].
    image_px
        Side of flow images [px].
    regions
        ``blocks`` or ``action-units``: over what descriptors with regions are computed.
    n_blocks
        Rows and columns of blocks.
    n_frames
        Length of clips and sequences that are brought to one length.
    registration
        ``similarity`` or ``affine``, fitted at the onset.
    """

    flow: str = "dis"
    average_s: float = 0.012
    image_px: int = 28
    regions: str = "blocks"
    n_blocks: int = 5
    n_frames: int = 16
    registration: str = "similarity"


@lru_cache(maxsize=8)
def grid(n: int) -> Regions:
    """Return n x n blocks of the registered face; the same object each time, whose pixels descriptors list only once."""
    return blocks(n, n, (FACE_PX, FACE_PX))


def mean_frame(video: Stream, at_s: float, within_s: float) -> NDArray[np.float32]:
    """Average the frames within ``within_s`` of a time, the nearest at least: camera noise falls, motion hardly blurs."""
    first, last = np.searchsorted(video.t, [at_s - within_s, at_s + within_s])
    middle = int(nearest(video.t, np.array([at_s]))[0])
    frames = video.x[min(int(first), middle) : max(int(last), middle + 1)]
    return np.asarray(np.mean(frames, axis=0, dtype=np.float32))


@dataclass(frozen=True, eq=False)
class FaceClip:
    """
    The face of one expression.

    Parameters
    ----------
    video
        Grey frames on the clock of the sample.
    sample
        Whose onset, apex and offset.
    points : (468, 2) float32
        Landmarks at the onset [px of the frame].
    settings
        How.
    """

    video: Stream
    sample: Sample
    points: NDArray[np.float32]
    settings: ClipSettings

    @cached_property
    def registration(self) -> Registration:
        """How the frame becomes the registered face: one transform for the whole clip."""
        return registration_of(self.points, method=self.settings.registration, size=FACE_PX)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Transform from the frame to the registered face, ``(2, 3)``."""
        return self.registration.matrix

    @cached_property
    def landmarks(self) -> NDArray[np.float64]:
        """Landmarks at the onset, ``(468, 2)`` [px of the registered face]."""
        return self.registration.points(self.points)

    @cached_property
    def skin(self) -> NDArray[np.bool_]:
        """Face without the eyes, ``(128, 128)``."""
        return skin_mask(self.points, self.matrix, FACE_PX)

    @cached_property
    def face_regions(self) -> Regions:
        """Regions in which action units show."""
        return Regions(tuple(REGIONS), region_masks(self.points, self.matrix, FACE_PX))

    @cached_property
    def regions(self) -> Regions:
        """Blocks or regions of action units, as set."""
        return self.face_regions if self.settings.regions == "action-units" else grid(self.settings.n_blocks)

    @cached_property
    def onset_frame(self) -> NDArray[np.float32]:
        """Mean frame at the onset, as the camera saw it, ``(height, width)`` grey levels."""
        return mean_frame(self.video, self.sample.onset, self.settings.average_s)

    @cached_property
    def apex_frame(self) -> NDArray[np.float32]:
        """Mean frame at the apex, as the camera saw it, ``(height, width)`` grey levels."""
        return mean_frame(self.video, self.sample.apex, self.settings.average_s)

    @cached_property
    def onset_face(self) -> NDArray[np.float32]:
        """Registered mean frame at the onset, ``(128, 128)`` grey levels."""
        return self.registration.apply(self.onset_frame)

    @cached_property
    def apex_face(self) -> NDArray[np.float32]:
        """Registered mean frame at the apex, ``(128, 128)`` grey levels."""
        return self.registration.apply(self.apex_frame)

    @cached_property
    def motion(self) -> NDArray[np.float32]:
        """Flow from onset to apex without the motion of the head, ``(128, 128, 2)`` [px of the registered face]."""
        return self._against_onset(self.apex_face)

    @cached_property
    def t(self) -> NDArray[np.float64]:
        """Times of the frames from onset to offset, ``(k,)`` [s]."""
        return self.video.t[self._span]

    @cached_property
    def frames(self) -> NDArray[np.float32]:
        """Registered frames from onset to offset, ``(k, 128, 128)`` grey levels."""
        raw = self.video.x[self._span]
        return np.stack([self.registration.apply(frame) for frame in raw])

    @cached_property
    def frames_of_one_length(self) -> NDArray[np.float32]:
        """Registered face brought to ``n_frames`` by TIM, ``(n_frames, 128, 128)``: for patterns in time."""
        return interpolated(self.frames, self.settings.n_frames)

    @cached_property
    def motion_in_time(self) -> NDArray[np.float32]:
        """Flow from the onset to each frame without the motion of the head, ``(k, 128, 128, 2)`` [px]."""
        return np.stack([self._against_onset(frame) for frame in self.frames])

    @cached_property
    def apex_index(self) -> int:
        """Place of the apex among ``frames``."""
        return int(nearest(self.t, np.array([self.sample.apex]))[0])

    @property
    def _span(self) -> slice:
        first, last = nearest(self.video.t, np.array([self.sample.onset, self.sample.offset]))
        return slice(int(first), int(last) + 1)

    def _against_onset(self, face: NDArray[np.float32]) -> NDArray[np.float32]:
        field = flow(self.onset_face, face, method=self.settings.flow)
        return field - head_motion(field, self.skin)


def open_clip(video: Stream, sample: Sample, finder: FaceFinder, settings: ClipSettings) -> FaceClip:
    """
    Find the face of an expression.

    Parameters
    ----------
    video
        Grey frames on the clock of the sample.
    sample
        Onset, apex and offset are used.
    finder
        Detector.
    settings
        How the clip is registered and described.

    Returns
    -------
    FaceClip
        With the apex estimated from the motion of the face where nobody coded it (docs/apex.md).

    Raises
    ------
    NoClipError
        If no frame was taken at the onset or the apex, the apex is the onset, either shows no face, or the apex is to be
        estimated from fewer than three frames.
    """
    slack_s = 2 * float(np.median(np.diff(video.t[:1000])))
    moments = np.array([sample.onset, sample.apex])
    onset, apex = nearest(video.t, moments)
    if np.abs(video.t[[onset, apex]] - moments).max() > slack_s:
        raise NoClipError("no frame at the onset or the apex")
    if onset == apex:
        raise NoClipError("apex is the onset")
    points = finder.find(video.x[int(onset)])
    if points is None:
        raise NoClipError("no face at the onset")
    if finder.find(video.x[int(apex)]) is None:
        raise NoClipError("no face at the apex")
    clip = FaceClip(video, sample, points, settings)
    if sample.apex_coded:
        return clip
    if len(clip.t) < 3:
        raise NoClipError("apex not coded, and fewer than three frames to estimate it from")
    found = estimate_apex(clip.frames, clip.t, regions=clip.face_regions, skin=clip.skin, flow_method=settings.flow)
    if found.index == 0:
        raise NoClipError("apex not coded, and nothing moves after the onset")
    return FaceClip(video, replace(sample, apex=found.time_s), points, settings)
