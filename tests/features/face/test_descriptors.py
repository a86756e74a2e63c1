"""Faces described by name in one pass: the same rows everywhere, the reason where there is no value, time in seconds."""

from __future__ import annotations

import numpy as np
import pytest

from mmme.errors import ConfigError, DataError
from mmme.features.face.clips import ClipSettings, NoClipError, open_clip
from mmme.features.face.descriptors import FACE_DESCRIPTORS, describe_faces
from mmme.features.face.regions import REGIONS
from mmme.features.tables import stack
from mmme.interval import Interval
from mmme.types import FeatureTable, Sample, Stream


def sample(onset, apex, offset=None, name="a"):
    return Sample(name, "S1", "happy-1", "positive", onset, apex, offset or apex, Interval(0.0, 9.0))


@pytest.fixture(scope="module")
def smile(film):
    return film(moves={291: (1.4, -1.4)}, noise=0.5)


@pytest.fixture(scope="module")
def described(smile, known_face):
    samples = [sample(1.2, 1.35, 1.55), sample(0.3, 0.3, name="b"), sample(7.0, 7.2, name="c")]
    return describe_faces(smile, samples, list(FACE_DESCRIPTORS), finder=known_face)


@pytest.mark.parametrize("name", list(FACE_DESCRIPTORS))
def test_each_descriptor_has_the_same_rows_and_says_why_one_is_missing(described, name):
    """Rows that cannot be described stay in place as NaN with their reason; the others are finite."""
    table = described[name]
    assert table.trial_ids == ("a", "b", "c")
    rows = table.reason if table.X.ndim != 2 else table.reason[:, 0]
    assert [table.reasons[r] for r in rows] == ["", "apex is the onset", "no frame at the onset or the apex"]
    assert np.isfinite(table.X[0]).all()
    assert np.isnan(table.X[1:]).all()
    assert (table.X.ndim == 2) == bool(table.columns)


def test_network_inputs_have_their_stated_shapes(described):
    """Flow images, two frames, a clip, and the motion of regions, as tensors of one shape for all rows."""
    assert described["flow-images"].X.shape == (3, 28, 28, 3)
    assert described["onset-apex-frames"].X.shape == (3, 2, 128, 128)
    assert described["clips"].X.shape == (3, 16, 128, 128)
    assert described["region-motion"].X.shape == (3, 16, len(REGIONS), 2)


def test_a_clip_of_fixed_length_starts_and_ends_with_the_frames_taken(smile, known_face):
    """Onset and offset are kept exactly; between two frames lies the line."""
    clip = open_clip(smile, sample(1.2, 1.35, 1.55), known_face, ClipSettings())
    fixed = FACE_DESCRIPTORS["clips"](clip)
    np.testing.assert_array_equal(fixed[0], clip.frames[0])
    np.testing.assert_array_equal(fixed[-1], clip.frames[-1])
    between = clip.t[0] + (clip.t[-1] - clip.t[0]) / 15  # one of 15 steps falls between two of the frames 20 ms apart
    share = (between - clip.t[0]) / (clip.t[1] - clip.t[0])
    left, share = int(share), share - int(share)
    expected = clip.frames[left] * (1 - share) + clip.frames[left + 1] * share
    np.testing.assert_allclose(fixed[1], expected, atol=1e-3)


def test_the_motion_of_regions_rises_to_the_apex_and_returns(smile, known_face):
    """The moved corner of the mouth leads; its course over 16 steps peaks where the apex was coded and goes back."""
    clip = open_clip(smile, sample(1.2, 1.35, 1.55), known_face, ClipSettings())
    length = np.linalg.norm(FACE_DESCRIPTORS["region-motion"](clip), axis=2)
    names = list(REGIONS)
    assert names[int(length.max(axis=0).argmax())] == "mouth-left"
    course = length[:, names.index("mouth-left")]
    assert abs(int(course.argmax()) - 15 * 0.15 / 0.35) <= 1.5
    assert course[[0, -1]].max() < 0.2 * course.max()


def test_inputs_do_not_depend_on_the_frame_rate(film, known_face):
    """At 50 and at 150 frames per second the motion of regions is the same to within a tenth of its peak."""
    made = []
    for fps in (50.0, 150.0):
        video = film(fps=fps, moves={291: (1.4, -1.4)}, noise=0.5)
        clip = open_clip(video, sample(1.2, 1.35, 1.55), known_face, ClipSettings(n_frames=8))
        made.append(FACE_DESCRIPTORS["region-motion"](clip))
    assert np.abs(made[0] - made[1]).max() < 0.1 * np.abs(made[1]).max()


def test_a_dropped_frame_does_not_bend_time(smile, known_face):
    """Without every third frame the clip is still laid out in equal steps of seconds."""
    keep = np.arange(len(smile)) % 3 != 1
    keep[[60, 77]] = True
    thin = Stream("video", "camera", smile.t[keep], np.asarray(smile.x)[keep], "grey level", 50.0)
    whole, thinned = (
        FACE_DESCRIPTORS["region-motion"](open_clip(video, sample(1.2, 1.35, 1.55), known_face, ClipSettings()))
        for video in (smile, thin)
    )
    assert np.abs(whole - thinned).max() < 0.15 * np.abs(whole).max()


def test_frames_are_read_once_for_all_descriptors(smile, known_face):
    """The whole clip is decoded once however many descriptors want it."""

    class Counting:
        shape = smile.x.shape

        def __init__(self):
            self.slices = 0

        def __getitem__(self, index):
            self.slices += isinstance(index, slice) and index.stop - index.start > 5
            return smile.x[index]

    frames = Counting()
    video = Stream("video", "camera", smile.t, frames, "grey level", 50.0)
    describe_faces(video, [sample(1.2, 1.35, 1.55)], ["clips", "region-motion", "flow-images"], finder=known_face)
    assert frames.slices == 1


def test_an_apex_that_nobody_coded_is_found_on_the_face(smile, known_face):
    """The middle stands in for it in the table; the face knows better, to within three frames."""
    unknown = Sample("a", "S1", "v", "x", 1.2, 1.47, 1.8, Interval(0, 3), apex_coded=False)
    clip = open_clip(smile, unknown, known_face, ClipSettings())
    assert abs(clip.sample.apex - 1.35) <= 3 * 0.02
    coded = open_clip(smile, Sample("a", "S1", "v", "x", 1.2, 1.47, 1.8, Interval(0, 3)), known_face, ClipSettings())
    assert coded.sample.apex == 1.47
    with pytest.raises(NoClipError, match="apex not coded, and fewer than three frames"):
        open_clip(
            smile,
            Sample("a", "S1", "v", "x", 1.2, 1.22, 1.22, Interval(0, 3), apex_coded=False),
            known_face,
            ClipSettings(),
        )


def test_blocks_and_regions_are_chosen_by_the_settings(smile, known_face):
    """The same descriptor over 3 x 3 blocks or over the regions of action units; columns say which."""
    over = {
        regions: describe_faces(
            smile,
            [sample(1.2, 1.35, 1.55)],
            ["strain", "hoof"],
            settings=ClipSettings(regions=regions, n_blocks=3),
            finder=known_face,
        )
        for regions in ("blocks", "action-units")
    }
    assert over["blocks"]["strain"].columns[:2] == ("strain_r0c0", "strain_r0c1")
    assert len(over["blocks"]["hoof"].columns) == 9 * 8
    regions = over["action-units"]["strain"]
    assert regions.columns == tuple(f"strain_{name}" for name in REGIONS)
    assert regions.columns[int(regions.X[0].argmax())] == "strain_mouth-left"


def test_evidence_of_an_action_unit_has_the_size_of_its_motion(smile, known_face):
    """A left mouth corner moved up and outwards by 2 px is AU12 on the left, in pixels of the registered face, and not on the right."""
    row = describe_faces(smile, [sample(1.2, 1.35, 1.55)], ["au-evidence"], finder=known_face)["au-evidence"]
    value = dict(zip(row.columns, row.X[0].tolist(), strict=True))
    scale = np.hypot(*open_clip(smile, sample(1.2, 1.35, 1.55), known_face, ClipSettings()).matrix[0, :2])
    assert (
        0.4 * 2 * scale < value["au12_left_px"] < 1.1 * 2 * scale
    )  # the mean of a region, of which the planted blob is a part
    assert abs(value["au12_right_px"]) < 0.15
    assert value["au12_evidence_px"] == pytest.approx((value["au12_left_px"] + value["au12_right_px"]) / 2, abs=1e-5)
    assert value["au12_per_rest"] > 5


def test_a_clip_too_short_for_one_descriptor_costs_no_other(smile, known_face):
    """Three frames are enough for flow; patterns over nine frames are not made of six, and say so."""
    settings = ClipSettings(n_frames=6)
    rows = [sample(1.2, 1.35, 1.55)]
    made = describe_faces(smile, rows, ["hoof", "lbp-top"], settings=settings, finder=known_face)
    assert made["hoof"].valid.all()
    whole = stack(
        [made["lbp-top"], describe_faces(smile, [sample(1.2, 1.35, 1.55, "z")], ["lbp-top"], finder=known_face)["lbp-top"]]
    )
    assert not whole.valid[0].any()
    assert "9 frames" in whole.reasons[whole.reason[0, 0]]


def test_a_recording_in_which_nobody_is_seen_costs_no_other(smile, known_face):
    """Its rows take the columns of the other recordings and keep their reason."""
    dark = Stream("video", "camera", smile.t, np.zeros_like(np.asarray(smile.x)), "grey level", 50.0)
    nobody = describe_faces(dark, [sample(1.2, 1.35, name="d")], ["flow-images"], finder=known_face)["flow-images"]
    somebody = describe_faces(smile, [sample(1.2, 1.35)], ["flow-images"], finder=known_face)["flow-images"]
    both = stack([nobody, somebody])
    assert both.trial_ids == ("d", "a")
    assert both.X.shape == (2, 28, 28, 3)
    assert [both.reasons[r] for r in both.reason] == ["no face at the onset", ""]
    assert isinstance(stack([nobody]), FeatureTable)


def test_what_is_asked_wrongly_is_said(smile, known_face):
    """An unknown descriptor is named with the nearest one, before anything is read; no samples are a mistake."""
    with pytest.raises(ConfigError, match="flow-image.*flow-images"):
        describe_faces(smile, [sample(1.2, 1.35)], ["flow-image"], finder=known_face)
    with pytest.raises(DataError, match="expected at least one sample, got none"):
        describe_faces(smile, [], ["clips"], finder=known_face)
    with pytest.raises(NoClipError, match="apex is the onset"):
        open_clip(smile, sample(1.2, 1.2), known_face, ClipSettings())
