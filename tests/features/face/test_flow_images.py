"""Flow images: motion between onset and apex in pixels of the registered face, or the reason why not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmme.errors import DataError
from mmme.features.face.descriptors import describe_faces
from mmme.features.face.flow_images import pooled
from mmme.features.face.registration import similarity, transformed
from mmme.interval import Interval
from mmme.types import FeatureTable, Sample, Stream


def sample(onset, apex, name="a"):
    return Sample(name, "S1", "happy-1", "positive", onset, apex, max(apex, onset), Interval(0.0, 9.0))


def test_planted_motion_has_its_place_direction_and_size(film, landmarks, known_face):
    """A mouth corner moved 2 px outwards and upwards shows there, to within 35 % of its size, and nowhere else."""
    video = film(moves={291: (1.4, -1.4)}, noise=0.5)
    table = describe_faces(video, [sample(1.1, 1.35)], ["flow-images"], finder=known_face)["flow-images"]
    assert table.X.shape == (1, 28, 28, 3)
    u, v, strain = np.moveaxis(table.X[0], -1, 0)
    matrix = similarity(landmarks)
    x, y = transformed(landmarks[291], matrix) * 28 / 128
    at = np.s_[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2]
    planted = 1.4 * np.hypot(*matrix[0, :2])
    assert 0.65 * planted < u[at].max() < 1.35 * planted
    assert 0.65 * planted < -v[at].min() < 1.35 * planted
    assert np.hypot(u, v)[3:12, 3:25].max() < 0.3
    assert strain.max() > 5 * np.median(strain)


def test_a_shift_of_the_head_is_taken_off(film, known_face):
    """Head and frame moving together by pixels leave less than a quarter of a pixel on the face's middle."""
    video = film(sway_px=2.0, noise=0.5)
    table = describe_faces(video, [sample(0.2, 0.8)], ["flow-images"], finder=known_face)["flow-images"]
    assert np.abs(table.X[0, 8:24, 8:20, :2]).mean() < 0.25


def test_rows_that_cannot_be_computed_say_why(film, known_face):
    """No face, an apex on the onset, and times outside the video are NaN with their reason; order and names stay."""
    video = film()
    frames = np.array(video.x)
    frames[100:] = 0
    video = Stream("video", "camera", video.t, frames, "grey level", 50.0)
    samples = [sample(0.2, 0.4, "a"), sample(0.5, 0.5, "b"), sample(2.4, 2.6, "c"), sample(7.0, 7.2, "d")]
    table = describe_faces(video, samples, ["flow-images"], finder=known_face)["flow-images"]
    assert table.trial_ids == ("a", "b", "c", "d")
    assert table.valid.tolist() == [True, False, False, False]
    assert [table.reasons[r] for r in table.reason][1:3] == ["apex is the onset", "no face at the onset"]
    assert table.reasons[table.reason[3]]
    assert np.isnan(table.X[1:]).all()


def test_no_samples_is_an_error(film):
    """Nothing to describe is a mistake of the caller."""
    with pytest.raises(DataError, match="expected at least one sample, got none"):
        describe_faces(film(seconds=0.2), [], ["flow-images"])


def test_pooling_is_the_mean_of_blocks_with_names_by_place():
    """Each value is the mean of its block; its column tells channel, row and column."""
    X = np.random.default_rng(0).integers(0, 255, (3, 28, 28, 3)).astype(np.float32)
    table = FeatureTable.build(X, [], list("abc"), ["S1", "S1", "S2"], ["v"] * 3, ["n", "p", "n"])
    flat = pooled(table, block=4)
    assert flat.X.shape == (3, 147)
    for channel, name in enumerate(("u", "v", "strain")):
        got = flat.X[1, flat.columns.index(f"{name}_r02_c05")]
        assert got == pytest.approx(X[1, 8:12, 20:24, channel].mean())


def test_pooling_keeps_reasons_and_refuses_what_it_cannot_divide():
    """An invalid image becomes an invalid row; a block of 3 px does not divide 28."""
    X = np.full((1, 28, 28, 3), np.nan, dtype=np.float32)
    table = FeatureTable.build(
        X, [], ["a"], ["S1"], ["v"], ["n"], reason=np.array([1], np.uint8), reasons=("", "no face at the onset")
    )
    assert not pooled(table).valid.any()
    with pytest.raises(DataError, match="multiples of 3 px"):
        pooled(table, block=3)
    with pytest.raises(DataError, match="expected images"):
        pooled(replace(pooled(table)))
