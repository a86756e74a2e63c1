"""Landmarks: found offline, NaN where there is no face."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmme.errors import ConfigError, DataError
from mmme.features.face.landmarks import N_POINTS, FaceMesh, LandmarkTrack, nearest, track_landmarks


def test_landmarks_of_a_shifted_frame_shift_along(portrait, landmarks):
    """A frame moved by whole pixels moves its landmarks by as much, to within the detector's jitter of 1.5 px."""
    with FaceMesh() as finder:
        moved = finder.find(np.roll(portrait, (3, 5), axis=(0, 1)))
    assert moved is not None
    np.testing.assert_allclose((moved - landmarks).mean(axis=0), [5, 3], atol=1.0)
    assert np.abs(moved - landmarks - [5, 3]).mean() < 1.5


def test_left_and_right_are_the_faces_own(landmarks):
    """Landmark 33, the face's right eye, lies left of landmark 263 in the image; the chin lies below the brows."""
    assert landmarks.shape == (N_POINTS, 2)
    assert landmarks[33, 0] < landmarks[263, 0]
    assert landmarks[152, 1] > landmarks[105, 1]


def test_a_small_frame_is_enough(portrait, landmarks):
    """A frame of 128 px gives the landmarks of the full frame at half scale, to within 1.5 px."""
    with FaceMesh() as finder:
        small = finder.find(cv2.resize(portrait, (128, 128), interpolation=cv2.INTER_AREA))
    assert small is not None
    assert np.abs(2 * small - landmarks).mean() < 1.5


def test_the_order_of_frames_changes_nothing(portrait, landmarks):
    """Frames are looked at independently: what came before leaves no trace."""
    with FaceMesh() as finder:
        finder.find(np.roll(portrait, 20, axis=1))
        np.testing.assert_array_equal(finder.find(portrait), landmarks)


def open_sockets():
    """Sockets of this process, those that were not opened by Python included."""
    links = [str(file.readlink()) for file in Path("/proc/self/fd").iterdir() if file.is_symlink()]
    return {link for link in links if link.startswith("socket:")}


def test_no_network_and_no_chatter(portrait, monkeypatch, capfd):
    """Finding faces, small ones too, opens no socket, from Python or from below, and writes nothing to the screen."""

    def refuse(*args, **kwargs):
        raise AssertionError("a socket was opened")

    on_linux = Path("/proc/self/fd").is_dir()
    before = open_sockets() if on_linux else set()
    monkeypatch.setattr(socket, "socket", refuse)
    with FaceMesh() as finder:
        assert finder.find(portrait) is not None
        assert finder.faces(room(portrait, 60)) != ()
        assert not on_linux or open_sockets() <= before
    assert capfd.readouterr() == ("", "")


def room(portrait, *widths, size=(720, 1280)):
    """A large frame with blurred surroundings and the portrait some times, the face as wide as asked for [px]."""
    noise = np.random.default_rng(1).normal(0, 1, size).astype(np.float32)
    frame = np.clip(110 + 1500 * cv2.GaussianBlur(noise, (0, 0), 25), 0, 255).astype(np.uint8)
    for k, width in enumerate(widths):
        one = cv2.resize(portrait, None, fx=width / 93, fy=width / 93, interpolation=cv2.INTER_AREA)
        x = 10 + k * size[1] // len(widths)
        frame[100 : 100 + len(one), x : x + one.shape[1]] = one
    return frame


@pytest.fixture(scope="module")
def finder():
    """One detector for all; frames are independent of each other."""
    with FaceMesh() as mesh:
        yield mesh


@pytest.mark.parametrize("width", [45, 60, 90, 130, 200])
def test_a_small_face_in_a_large_frame_is_found(portrait, landmarks, finder, width):
    """From 45 px in 1280 x 720 on; its points are those of the portrait to within 3 % of its width."""
    (face,) = finder.faces(room(portrait, width))
    assert 0.5 <= face.confidence <= 1
    error = np.abs(face.points - (landmarks * width / 93 + [10, 100])).mean()
    assert error < 0.03 * width


def test_all_people_are_found_the_largest_first(portrait, finder):
    """Three faces of 150, 130 and 110 px: three times points, in order of width; `find` gives the largest."""
    frame = room(portrait, 130, 150, 110)
    faces = finder.faces(frame)
    assert [face.width_px for face in faces] == pytest.approx([150, 130, 110], rel=0.08)
    assert all(0.5 <= face.confidence <= 1 for face in faces)
    np.testing.assert_array_equal(finder.find(frame), faces[0].points)


def test_a_place_where_a_face_was_is_looked_at_closely(portrait):
    """A finder that does not search tiles finds a small face once it is told where it was, and only there."""
    frame = room(portrait, 60)
    with FaceMesh(smallest_px=1e6) as coarse:
        assert coarse.faces(frame) == ()
        assert len(coarse.faces(frame, near=[(70, 120, 160, 220)])) == 1
        assert coarse.faces(frame, near=[(900, 500, 960, 560), (-90, -90, -20, -20)]) == ()


def test_parameters_out_of_range_are_refused():
    """One sentence with both values."""
    with pytest.raises(ConfigError, match=r"between 0 and 1 and a smallest face above 0 px, got 1\.5 and 50\.0 px"):
        FaceMesh(1.5)


def test_without_mediapipe_the_way_out_is_told(monkeypatch):
    """A missing package is named with its version, and what else could be done."""
    monkeypatch.setitem(sys.modules, "mediapipe.python.solution_base", None)
    with pytest.raises(ConfigError, match=r"expected mediapipe 0\.10\.21.*or pass a finder of your own"), FaceMesh():
        pass


def test_a_video_without_a_face_says_so():
    """Noise is no face: one sentence names the video and how many frames were looked at."""
    noise = np.random.default_rng(0).integers(0, 255, (20, 128, 128)).astype(np.uint8)
    with FaceMesh() as finder, pytest.raises(DataError, match=r"noise\.mkv: expected a face, got none in the 3 frames"):
        track_landmarks(noise, np.arange(20) / 20, finder=finder, rate_hz=2.0, where="noise.mkv")


def test_frames_without_a_face_are_marked_not_invented(portrait, known_face):
    """A look without a face is NaN, and so is everything between it and its neighbours."""
    video = np.stack([portrait, portrait, np.zeros_like(portrait), portrait, portrait])
    track = track_landmarks(video, np.arange(5.0), finder=known_face, rate_hz=1.0)
    assert track.found.tolist() == [True, True, False, True, True]
    seen = np.isfinite(track.at(np.array([0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]))).all(axis=(1, 2))
    assert seen.tolist() == [True, True, False, False, False, True, True]


def test_between_two_looks_landmarks_follow_a_line():
    """A quarter of the way in time is a quarter of the way in space."""
    points = np.stack([np.zeros((N_POINTS, 2)), np.full((N_POINTS, 2), 8.0)]).astype(np.float32)
    np.testing.assert_allclose(LandmarkTrack(np.array([1.0, 3.0]), points).at(np.array([1.5])), 2.0)


def test_nearest_takes_the_closer_sample_and_the_ends():
    """The nearest sample by time; beyond the ends, the end."""
    assert nearest(np.array([0.0, 1.0, 3.0]), np.array([-5.0, 0.4, 0.6, 1.9, 2.1, 9.0])).tolist() == [0, 0, 1, 1, 2, 2]
