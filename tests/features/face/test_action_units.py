"""Action units: each has the most evidence where it was planted, in pixels of what was planted, side by side."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mmme.errors import DataError
from mmme.features.face.action_units import ACTION_UNITS, AU_REGIONS, action_unit_evidence, au_regions
from mmme.features.face.flow import flow
from mmme.features.face.landmarks import FaceMesh
from mmme.features.face.regions import blocks, skin_mask
from mmme.features.face.registration import head_motion, register, similarity, transformed
from mmme.simulate import ACTION_UNITS as SIMULATED
from mmme.simulate import TrueExpression, au_field, simulate_clip

READ_AS = {"AU16": "AU25", "AU18": "AU14", "AU23": "AU24"}
SIZE = 256
PLANTED = [(au, px) for au in ("AU2", "AU5", "AU9", "AU12", "AU17", "AU25") for px in (0.5, 2.0)]


def place(landmarks, size=128):
    """Regions and skin of a face of which landmarks were found."""
    matrix = similarity(landmarks, size)
    return au_regions(transformed(landmarks, matrix), size), skin_mask(landmarks, matrix, size), matrix


def evidence(field, regions, skin):
    found = action_unit_evidence(field, regions, skin)
    return dict(zip(found.columns, found.values.tolist(), strict=True))


def strongest(found):
    return max(ACTION_UNITS, key=lambda au: found[f"{au.lower()}_evidence_px"])


@pytest.fixture(scope="module")
def film():
    """One identity, 256 px, swaying by 3 px: every planted unit in turn; moments of onset and apex, landmarks at onsets."""
    with FaceMesh() as finder:
        _, first, _ = simulate_clip(2, duration_s=0.01, frame_px=256)
        scale = float(np.hypot(*similarity(finder.find(first[0]))[0, :2]))
        starts = [0.05 + 0.25 * k for k in range(len(PLANTED))]
        events = [
            TrueExpression("micro", "x", (au,), start, start + 0.1, start + 0.2, px / scale)
            for start, (au, px) in zip(starts, PLANTED, strict=True)
        ]
        _, frames, truth = simulate_clip(2, duration_s=starts[-1] + 0.3, frame_px=256, events=events, head_motion_px=3.0)
        onsets = [round(100 * start) for start in starts]
        return frames, truth, {case: (k, finder.find(frames[k])) for case, k in zip(PLANTED, onsets, strict=True)}


@pytest.mark.parametrize(("au", "px"), PLANTED)
def test_planted_amplitude_is_measured_in_pixels(film, au, px):
    """From frames on: the planted unit has the most evidence, within 15 % of the planted (25 % for one case of 0.5 px)."""
    frames, truth, onsets = film
    onset, points = onsets[au, px]
    regions, skin, matrix = place(points, SIZE)
    before, after = (
        register(frames[k - 1 : k + 2].mean(axis=0, dtype=np.float32), matrix, SIZE) for k in (onset, onset + 10)
    )
    field = flow(before, after, method="dis-twice")
    found = evidence((field - head_motion(field, skin)) / 2, regions, skin)
    assert strongest(found) == au
    planted = truth.displacement((onset + 10) / 100).astype(np.float32)
    planted = cv2.warpAffine(planted, np.column_stack([np.eye(2), truth.head[onset, :2]]), (256, 256))
    y, x = np.mgrid[:256, :256].astype(np.float32)
    ahead = planted
    for _ in range(5):  # seen from where the skin was, not where it went
        ahead = cv2.remap(planted, x + ahead[..., 0], y + ahead[..., 1], cv2.INTER_LINEAR)
    placed = np.dstack([register(ahead[..., c], matrix, SIZE) for c in range(2)]) @ matrix[:, :2].T
    name = f"{au.lower()}_evidence_px"
    share = found[name] / evidence((placed / 2).astype(np.float32), regions, skin)[name]
    assert share == pytest.approx(1, abs=0.15 if px > 0.5 else 0.25)


@pytest.mark.parametrize("au", SIMULATED)
def test_a_planted_field_reads_as_its_unit(film, au):
    """Without a camera between: the unit has the most evidence of all, on both sides; AU16, 18 and 23 read as their kin."""
    _, truth, onsets = film
    regions, skin, matrix = place(onsets[PLANTED[0]][1])
    field = np.dstack([register(au_field(truth.face, au)[..., c], matrix) for c in range(2)])
    found = evidence(field.astype(np.float32), regions, skin)
    unit = READ_AS.get(au, au)
    assert strongest(found) == unit
    right, left = (found[f"{unit.lower()}_{side}_px"] for side in ("right", "left"))
    assert 0.5 < right / left < 2


@pytest.mark.parametrize("au", ACTION_UNITS)
def test_one_pixel_along_the_direction_is_one_pixel(landmarks, au):
    """A region of one side that moves by 1 px its own way gives 1 px there, half of it in the mean, and 0 elsewhere."""
    regions, skin, _ = place(landmarks)
    for side, outwards in (("right", -1), ("left", 1)):
        field = np.zeros((128, 128, 2), dtype=np.float32)
        region, (out, down) = next(iter(ACTION_UNITS[au].moves.items()))
        own = regions.masks[regions.names.index(f"{region}-{side}")]
        field[own] = (out * outwards, down)
        found = evidence(field, regions, skin)
        name = au.lower()
        other = {"right": "left", "left": "right"}[side]
        assert found[f"{name}_{side}_px"] == pytest.approx(1, abs=0.01)
        shared = (own & regions.masks[regions.names.index(f"{region}-{other}")]).sum() / own.sum()
        assert found[f"{name}_{other}_px"] == pytest.approx(0, abs=0.01 + 1.5 * shared)
        assert found[f"{name}_evidence_px"] == pytest.approx(0.5, abs=0.01 + shared)


def test_mirrored_faces_have_mirrored_evidence(landmarks):
    """Regions pair landmarks that mirror each other: same numbers on both sides, each on its side of the nose."""
    regions, _, matrix = place(landmarks)
    placed = transformed(landmarks, matrix)
    for region, (right, left) in AU_REGIONS.items():
        assert len(right) == len(left)
        both = placed[list(right)].mean(axis=0) + placed[list(left)].mean(axis=0)
        assert both[0] == pytest.approx(128, abs=6)
        assert placed[list(right), 0].mean() < 64 < placed[list(left), 0].mean(), region
        sizes = [regions.sizes[regions.names.index(f"{region}-{side}")] for side in ("right", "left")]
        assert max(sizes) < 1.3 * min(sizes)
        assert min(sizes) >= 40


def test_the_noise_of_resting_skin_is_its_standard_deviation(landmarks):
    """Smooth random motion of known spread: the noise is the spread of patch means within a quarter; a moving mouth adds less than a third."""
    regions, skin, _ = place(landmarks)
    rng = np.random.default_rng(1)
    field = cv2.GaussianBlur(rng.normal(0, 1, (128, 128, 2)).astype(np.float32), (0, 0), 2.0)
    patches = cv2.blur(field, (13, 13))[skin]
    still = evidence(field, regions, skin)["rest_px"]
    assert still == pytest.approx(float(np.std(patches)), rel=0.25)
    field[regions.masks[regions.names.index("mouth-corner-left")]] += 2.0
    assert evidence(field, regions, skin)["rest_px"] < 1.33 * still


def test_evidence_needs_its_regions_and_skin(landmarks):
    """Other regions, other sizes, and no skin are refused."""
    regions, skin, _ = place(landmarks)
    still = np.zeros((128, 128, 2), dtype=np.float32)
    with pytest.raises(DataError, match="expected the regions of au_regions, got r0c0"):
        action_unit_evidence(still, blocks(2, 2, (128, 128)), skin)
    with pytest.raises(DataError, match="expected motion, regions and skin of one size"):
        action_unit_evidence(still[:64], regions, skin)
    with pytest.raises(DataError, match="expected skin of at least 13 x 13 px in one piece, got none"):
        action_unit_evidence(still, regions, np.zeros_like(skin))
