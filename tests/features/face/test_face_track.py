"""One face followed through a video: planted people who come, go and pass by."""

from __future__ import annotations

import numpy as np
import pytest

from mmme.features.face.faces_found import N_POINTS, Face, faces_in
from mmme.features.face.landmarks import NoFaceError, track_landmarks

FPS = 100.0
SHAPE = np.random.default_rng(0).uniform(-0.5, 0.5, (N_POINTS, 2))
SHAPE[:2] = [[-0.5, -0.5], [0.5, 0.5]]


def face(x, y, width, confidence=0.9):
    return Face((np.array([x, y]) + width * SHAPE).astype(np.float32), confidence)


class Planted:
    """Knows who is in the frame of each number; the number is in the frame's first two pixels."""

    def __init__(self, people):
        self.people, self.looks = people, []

    def faces(self, frame, *_):
        i = int(frame[0, 0]) * 256 + int(frame[0, 1])
        self.looks.append(i)
        found = [face(*place) for where in self.people if (place := where(i / FPS)) is not None]
        return tuple(sorted(found, key=lambda f: -f.width_px))

    def find(self, frame):
        found = self.faces(frame)
        return found[0].points if found else None


class OnlyPoints:
    """A finder that knows of one face and no confidence."""

    def __init__(self, planted):
        self.planted = planted

    def find(self, frame):
        return self.planted.find(frame)


def numbered(seconds):
    n = round(seconds * FPS)
    frames = np.zeros((n, 2, 2), dtype=np.uint8)
    frames[:, 0, 0], frames[:, 0, 1] = np.divmod(np.arange(n), 256)
    return frames, np.arange(n) / FPS


def followed(seconds, *people, **options):
    video, t = numbered(seconds)
    finder = Planted(people)
    return track_landmarks(video, t, finder=finder, **{"rate_hz": 2.0, **options}), finder


def sitting(t):
    return 200 + 10 * np.sin(t), 150.0, 100.0


def test_a_passer_by_who_is_larger_for_a_moment_is_reported_not_followed():
    """Twice as wide for 2 of 10 s, beside the one who sits: followed is who sits, the other is told with time and size."""
    track, _ = followed(10, sitting, lambda t: (500 - 100 * t, 150.0, 200.0) if 3 <= t < 5 else None)
    assert track.found.all()
    np.testing.assert_allclose(np.ptp(track.points[..., 0], axis=1), 100, atol=1e-3)
    (other,) = track.others
    assert (other.t.min(), other.t.max()) == pytest.approx((3.25, 4.75), abs=0.26)
    assert other.width_px == pytest.approx(200)
    assert other.boxes.shape == (len(other.t), 4)
    assert other.confidence.tolist() == [0.9] * len(other.t)


def test_somebody_in_front_of_the_face_is_not_taken_for_it():
    """Where one twice as large hides the face, there is no face: its place is right, its size is not."""
    track, _ = followed(
        6,
        lambda t: None if 2 <= t < 3 else sitting(t),
        lambda t: (200.0, 150.0, 200.0) if 2 <= t < 3 else None,
    )
    assert np.isnan(track.at(np.array([2.01, 2.5, 2.98]))).all()
    assert np.isfinite(track.at(np.array([1.99, 3.01]))).all()
    assert len(track.others) == 1


@pytest.mark.parametrize(("gone", "back"), [(1.23, 3.77), (0.61, 5.99), (2.0, 2.51)])
def test_a_loss_is_narrowed_to_the_frame(gone, back):
    """Whatever the looks' places, frames with the face have points and frames without have none, each one of them."""
    track, finder = followed(6, lambda t: None if gone <= t < back else sitting(t), rate_hz=2.0)
    _, t = numbered(6)
    there = np.isfinite(track.at(t)).all(axis=(1, 2))
    np.testing.assert_array_equal(there, ~((t >= gone - 1e-9) & (t < back - 1e-9)))
    assert (track.confidence[~track.found] == 0).all()
    assert (track.confidence[track.found] == 0.9).all()
    assert len(finder.looks) <= 13 + 2 * 6  # halving 50 frames takes 6 looks


def test_who_returns_near_is_the_same_who_returns_elsewhere_is_not():
    """After two seconds, two widths further is the same face; five widths further is another person."""
    near, _ = followed(10, lambda t: None if 4 <= t < 6 else (200.0 if t < 4 else 400.0, 150.0, 100.0))
    assert near.found[near.t > 7].all()
    assert near.others == ()
    far, _ = followed(10, lambda t: None if 4.5 <= t < 6 else (200.0 if t < 4.5 else 700.0, 150.0, 100.0))
    assert not far.found[far.t > 6].any()
    assert len(far.others) == 1


def test_two_who_sit_side_by_side_keep_apart():
    """Two of nearly one size, a width and a half apart and both swaying: the larger is followed all the time."""
    track, _ = followed(
        20,
        lambda t: (200 + 20 * np.sin(2 * t), 150.0, 100.0),
        lambda t: (350 + 20 * np.sin(3 * t), 150.0, 96.0),
    )
    assert np.abs(track.points.mean(axis=(1, 2)) - 175).max() < 15
    assert len(track.others) == 1
    assert len(track.others[0].t) == 41


def test_a_finder_without_confidence_says_so():
    """Confidence is NaN where nobody told it, and 0 where the face is not there; a smaller face there is somebody else."""
    video, t = numbered(4)
    finder = OnlyPoints(Planted([lambda t: None if t >= 2 else sitting(t), lambda _: (600.0, 100.0, 50.0)]))
    assert len(faces_in(video[0], finder)) == 1
    track = track_landmarks(video, t, finder=finder)
    np.testing.assert_array_equal(np.isnan(track.confidence), track.found)
    assert len(track.others) == 1


def test_nobody_at_all_is_an_error():
    """The message counts the frames that were looked at."""
    with pytest.raises(NoFaceError, match=r"empty\.mkv: expected a face, got none in the 5 frames looked at"):
        followed(2, lambda _: None, where="empty.mkv")


def test_what_a_face_tells_of_itself():
    """Box, width and middle are those of the points."""
    box = face(30, 40, 20).box
    assert box == pytest.approx((20, 30, 40, 50))
    assert face(30, 40, 20).width_px == pytest.approx(20)
    assert face(30, 40, 20).centre == pytest.approx((30, 40))
