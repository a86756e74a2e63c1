"""Video for viewing: exact times, what is shown, and the label."""

from __future__ import annotations

import numpy as np
import pytest

from mmme.errors import DataError
from mmme.io.mp4 import labels, write_mp4
from mmme.io.video import frame_times, open_video


def shades(n, shape=(32, 48)):
    return [np.full(shape, 40 + 10 * k, np.uint8) for k in range(n)]


@pytest.mark.parametrize("rate", [24, 25, 30, 30000 / 1001, 50, 60, 100, 120, 150, 200, 240])
def test_times_are_those_of_the_frames(rate, tmp_path):
    """At every customary rate times come back to less than 6 microseconds, and do not add up errors."""
    t = 3.0 + np.arange(40) / rate
    write_mp4(tmp_path / "a.mp4", iter(shades(20) + shades(20)), t)
    np.testing.assert_allclose(frame_times(tmp_path / "a.mp4"), t - t[0], atol=6e-6)


def test_unsteady_times_stay_unsteady(tmp_path):
    """A gap in the times is a gap in the file."""
    t = np.array([0.0, 0.033, 0.067, 0.5, 0.533])
    write_mp4(tmp_path / "a.mp4", iter(shades(5)), t)
    np.testing.assert_allclose(frame_times(tmp_path / "a.mp4"), t, atol=6e-6)


def test_grey_colour_and_odd_sizes_are_shown(tmp_path):
    """Levels are kept within 3; odd sides get one row or column more; colours stay what they are."""
    write_mp4(tmp_path / "grey.mp4", iter(shades(4, (31, 47))), np.arange(4) / 30)
    video = open_video(tmp_path / "grey.mp4")
    assert video.shape == (4, 32, 48)
    np.testing.assert_allclose(video[3], 70, atol=3)
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 200
    write_mp4(tmp_path / "red.mp4", iter([red, red]), np.arange(2) / 30)
    np.testing.assert_allclose(open_video(tmp_path / "red.mp4").colour(1)[8:24, 8:24], red[8:24, 8:24], atol=6)


def test_the_label_is_in_the_file_and_nothing_else_is_told(tmp_path):
    """Title and comment are read back; no date, host or person."""
    write_mp4(tmp_path / "a.mp4", iter(shades(2)), np.arange(2) / 30, title="magnified", comment="not data")
    told = labels(tmp_path / "a.mp4")
    assert (told.pop("title"), told.pop("comment")) == ("magnified", "not data")
    assert set(told) <= {"major_brand", "minor_version", "compatible_brands"}


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path):
    """Too few, too many, none, or of another kind: one sentence, and no file."""
    t = np.arange(3) / 30
    with pytest.raises(DataError, match="expected 3 frames, one per time and at least one, got 2"):
        write_mp4(tmp_path / "a.mp4", iter(shades(2)), t)
    with pytest.raises(DataError, match="expected 3 frames, one per time, got more"):
        write_mp4(tmp_path / "a.mp4", iter(shades(4)), t)
    with pytest.raises(DataError, match="expected 0 frames, one per time and at least one, got 0"):
        write_mp4(tmp_path / "a.mp4", iter([]), t[:0])
    with pytest.raises(DataError, match=r"expected frame 1 as uint8 of \(32, 48\), grey or with three colours, got uint8"):
        write_mp4(tmp_path / "a.mp4", iter([*shades(1), np.zeros((8, 8), np.uint8)]), t)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "notes.mp4").write_text("no video")
    with pytest.raises(DataError, match=r"notes.mp4: expected a video file"):
        labels(tmp_path / "notes.mp4")
