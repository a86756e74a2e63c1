"""Landmarks: found offline, NaN where there is no face."""

from __future__ import annotations

import socket

import cv2
import numpy as np
import pytest

from mmme.errors import DataError
from mmme.features.landmarks import N_POINTS, FaceMesh, LandmarkTrack, nearest, track_landmarks


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


def test_no_network_and_no_chatter(portrait, monkeypatch, capfd):
    """Finding a face opens no connection and writes nothing to the screen."""

    def refuse(*args, **kwargs):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with FaceMesh() as finder:
        assert finder.find(portrait) is not None
    assert capfd.readouterr() == ("", "")


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
