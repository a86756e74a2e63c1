"""
Landmarks of faces, offline, from the models inside mediapipe's wheel; nothing is downloaded.

Where there is no face there are no points: nothing is invented. The 468 points are those of the face mesh
(doi:10.48550/arXiv.1907.06724), the detectors BlazeFace's (doi:10.48550/arXiv.1907.05047). How small a face is found, how
exact points are between two looks, and what became of public clips: docs/faces.md.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError
from mmme.features.face.face_track import LandmarkTrack, OtherPerson, track_landmarks
from mmme.features.face.faces_found import N_POINTS, AllFacesFinder, Box, Face, FaceFinder, NoFaceError, faces_in, nearest

__all__ = [
    "N_POINTS",
    "AllFacesFinder",
    "Face",
    "FaceFinder",
    "FaceMesh",
    "LandmarkTrack",
    "NoFaceError",
    "OtherPerson",
    "faces_in",
    "nearest",
    "track_landmarks",
]

_MOST_FACES = 8
#: The detector for small faces sees those of a tenth of the width of a picture dependably; measured in docs/faces.md.
_PICTURE_PER_FACE = 10
#: What the mesh is shown of a frame, in widths of the box in which a face is supposed.
_CROP_PER_BOX = 2.0
_GRAPH = "mediapipe/modules/face_landmark/face_landmark_front_cpu.binarypb"
_DETECTOR = "facedetectionshortrangecpu__facedetectionshortrange__facedetection__TensorsToDetectionsCalculator"


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """
    Keep the graph's start-up messages, which it writes past Python to the error stream, from the user's screen.

    Python's own errors are raised, not printed, and so are not hidden.
    """
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class FaceMesh:
    """
    The face mesh of mediapipe as an `AllFacesFinder`; frames are independent of each other.

    The mesh with its own detector sees the whole frame. It overlooks faces below an eighth of the width of a frame, so a
    second detector for small faces sees the frame as well, and each face that only it sees is cut out and shown to the
    mesh. Where still nobody is seen, overlapping tiles of the frame are searched in the same way. A face always has been
    confirmed by the detector and the presence score of the mesh; a box alone, which could not be registered, is none.

    Use it as a context manager: the graphs hold memory until they are closed.

    Parameters
    ----------
    min_confidence
        Detections below are no face, 0..1.
    smallest_px
        Where nobody is seen, tiles are halved until a face of this width is found dependably [px]; half of it makes a
        frame without a face take four times as long.

    Raises
    ------
    ConfigError
        On entering, if mediapipe cannot be imported, or a parameter is out of range.

    Examples
    --------
    >>> with FaceMesh() as finder:
    ...     finder.find(np.zeros((96, 96), dtype=np.uint8)) is None
    True
    """

    def __init__(self, min_confidence: float = 0.5, *, smallest_px: float = 50.0) -> None:
        if not (0 < min_confidence < 1 and smallest_px > 0):
            raise ConfigError(
                f"face mesh: expected a confidence between 0 and 1 and a smallest face above 0 px, "
                f"got {min_confidence} and {smallest_px} px"
            )
        self.min_confidence, self.smallest_px = min_confidence, smallest_px
        self._mesh: Any = None
        self._far: Any = None
        self._silent = False

    def __enter__(self) -> FaceMesh:
        """Start the graphs."""
        with _without_chatter():
            try:  # here: 1 s of import that only faces need
                from mediapipe.python.solution_base import SolutionBase
                from mediapipe.python.solutions import face_mesh  # noqa: F401 - registers what the graph is made of
                from mediapipe.python.solutions.face_detection import FaceDetection
            except ImportError as error:
                raise ConfigError(
                    f"face mesh: expected mediapipe 0.10.21, which carries its models, got none ({error}); "
                    "install it with 'pip install mediapipe==0.10.21' or pass a finder of your own"
                ) from None
            self._mesh = SolutionBase(
                binary_graph_path=_GRAPH,
                side_inputs={"num_faces": _MOST_FACES, "with_attention": False, "use_prev_landmarks": False},
                calculator_params={
                    f"{_DETECTOR}.min_score_thresh": self.min_confidence,
                    "facelandmarkcpu__ThresholdingCalculator.threshold": 0.5,
                },
                outputs=["multi_face_landmarks", "face_detections"],
            )
            self._far = FaceDetection(self.min_confidence, model_selection=1)
            self.find(np.zeros((64, 64), dtype=np.uint8))
        return self

    def __exit__(self, *exc: object) -> None:
        """Free the graphs."""
        self._mesh.close()
        self._far.close()
        self._mesh = self._far = None

    def find(self, frame: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """
        Find the points of the largest face.

        Parameters
        ----------
        frame : (height, width) uint8
            Grey levels.

        Returns
        -------
        (468, 2) float32 or None
            x and y [px].
        """
        found = self.faces(frame)
        return found[0].points if found else None

    def faces(self, frame: NDArray[np.uint8], near: Sequence[Box] = ()) -> tuple[Face, ...]:
        """
        Find all faces.

        Parameters
        ----------
        frame : (height, width) uint8
            Grey levels.
        near
            Boxes in which a face was seen a moment ago [px]: the mesh looks closely there as well.

        Returns
        -------
        tuple of Face
            The widest first, at most 8 from each picture that the mesh is shown. Confidence is the score that the mesh's
            detector gives the face in that picture: near 1 for a face that looks like those of its training, never below
            ``min_confidence``. It is no probability of being right, and tells nothing of how exact the points are.
        """
        frame = np.ascontiguousarray(frame)
        with contextlib.nullcontext() if self._silent else _without_chatter():
            found = self._meshed(frame, (0, 0))
            self._confirm(frame, near, found)
            self._confirm(frame, self._supposed(frame, (0, 0)), found)
            side = max(frame.shape)
            while not found and side > _PICTURE_PER_FACE * self.smallest_px:
                side = min(side // 2, *frame.shape)
                for corner in _tiles(frame.shape, side):
                    tile = frame[corner[1] : corner[1] + side, corner[0] : corner[0] + side]
                    self._confirm(frame, self._supposed(tile, corner), found)
        self._silent |= bool(found)  # the last start-up message comes with the first face
        return tuple(sorted(found, key=lambda face: -face.width_px))

    def _meshed(self, picture: NDArray[np.uint8], corner: tuple[int, int]) -> list[Face]:
        """Faces of a picture that was cut from a frame at a corner, in pixels of that frame."""
        said = self._mesh.process({"image": cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)})
        size = np.array(picture.shape[::-1], dtype=np.float32)
        scored = [(_middle(d.location_data.relative_bounding_box) * size, d.score[0]) for d in said.face_detections or ()]
        found = []
        for mesh in said.multi_face_landmarks or ():
            points = np.array([(p.x, p.y) for p in mesh.landmark[:N_POINTS]], dtype=np.float32) * size
            middle = points.mean(axis=0)
            # A detection may have no mesh, so that their order does not say which belong together; their place does.
            score = min(scored, key=lambda one: float(np.hypot(*(one[0] - middle))))[1]
            found.append(Face(points + np.array(corner, dtype=np.float32), float(score)))
        return found

    def _supposed(self, picture: NDArray[np.uint8], corner: tuple[int, int]) -> list[Box]:
        """Boxes [px of the frame] in which the detector for small faces sees one."""
        height, width = picture.shape
        boxes = []
        for detection in self._far.process(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)).detections or ():
            box = detection.location_data.relative_bounding_box
            left, top = box.xmin * width + corner[0], box.ymin * height + corner[1]
            boxes.append((left, top, left + box.width * width, top + box.height * height))
        return boxes

    def _confirm(self, frame: NDArray[np.uint8], boxes: Sequence[Box], found: list[Face]) -> None:
        """Show the mesh each box in which no face has been found yet, and add what it finds."""
        for box in boxes:
            if any(_same(box, face.box) for face in found):
                continue
            half = 0.5 * _CROP_PER_BOX * max(box[2] - box[0], box[3] - box[1])
            x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
            left, top = max(0, round(x - half)), max(0, round(y - half))
            crop = np.ascontiguousarray(frame[top : max(0, round(y + half)), left : max(0, round(x + half))])
            if crop.size == 0:
                continue
            found += [f for f in self._meshed(crop, (left, top)) if not any(_same(f.box, face.box) for face in found)]


def _middle(box: Any) -> NDArray[np.float32]:
    return np.array([box.xmin + box.width / 2, box.ymin + box.height / 2], dtype=np.float32)


def _same(one: Box, other: Box) -> bool:
    """Tell whether two boxes are of one face: the middle of either lies in the other."""

    def inside(a: Box, b: Box) -> bool:
        return b[0] <= (a[0] + a[2]) / 2 <= b[2] and b[1] <= (a[1] + a[3]) / 2 <= b[3]

    return inside(one, other) or inside(other, one)


def _tiles(shape: tuple[int, ...], side: int) -> Iterator[tuple[int, int]]:
    """Left upper corners of square tiles that cover a frame and overlap by at least half."""
    rows, columns = (np.linspace(0, n - side, 1 + int(np.ceil(2 * (n - side) / side))).astype(int) for n in shape)
    return ((int(x), int(y)) for y in rows for x in columns)
