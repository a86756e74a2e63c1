"""Apex estimation: planted apexes in simulated clips, and the search by halves by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mmme.errors import ConfigError, DataError
from mmme.features.face.apex import APEX_METHODS, divided, estimate_apex
from mmme.features.face.landmarks import FaceMesh
from mmme.features.face.regions import REGIONS, Regions, blocks, region_masks, skin_mask
from mmme.features.face.registration import register, similarity
from mmme.simulate import TrueExpression, simulate_clip

ONSET_S, APEX_S, OFFSET_S = 0.1, 0.22, 0.5


@pytest.fixture(scope="module")
def finder():
    with FaceMesh() as mesh:
        yield mesh


@pytest.fixture(scope="module")
def build(finder):
    """Builder of a registered clip from onset to offset, its times, regions and skin."""

    def clip(fps, **how):
        smile = TrueExpression("micro", "happy", ("AU12",), ONSET_S, APEX_S, OFFSET_S, 1.2)
        t, frames, _ = simulate_clip(4, fps=fps, duration_s=0.6, events=[smile], **how)
        kept = (t >= ONSET_S - 1e-9) & (t <= OFFSET_S + 1e-9)
        points = finder.find(frames[kept][0])
        matrix = similarity(points)
        face = np.stack([register(frame, matrix) for frame in frames[kept]])
        return face, t[kept], Regions(tuple(REGIONS), region_masks(points, matrix, 128)), skin_mask(points, matrix, 128)

    return clip


@pytest.mark.parametrize("fps", [30.0, 100.0, 200.0])
def test_a_planted_apex_is_found_at_any_rate(build, fps):
    """Within 35 ms, a frame at 30 Hz, where the middle frame errs by 80 ms; the curve peaks there, near the planted size."""
    clip, t, regions, skin = build(fps)
    found = estimate_apex(clip, t, regions=regions, skin=skin)
    assert found.time_s == pytest.approx(APEX_S, abs=0.035)
    assert found.time_s == t[found.index]
    assert found.curve.argmax() == found.index
    assert found.curve.shape == t.shape
    assert 0.2 < found.curve.max() < 2.0  # a mean over regions of 1.2 px, times the scale of registration
    assert found.curve[0] < 0.3 * found.curve.max()


def test_neither_sway_nor_blink_moves_it(build):
    """A head that sways by 1.5 px and a blink in the falling half change the estimate by less than 40 ms."""
    clip, t, regions, skin = build(100.0, head_motion_px=1.5, blinks=[(0.3, 0.2)])
    assert estimate_apex(clip, t, regions=regions, skin=skin).time_s == pytest.approx(APEX_S, abs=0.04)


@pytest.mark.parametrize("method", APEX_METHODS)
def test_every_method_answers_with_a_frame(build, method):
    """Index, time and name belong together; on a still head every method is within 170 ms, the middle exactly 80 ms off."""
    clip, t, regions, skin = build(100.0)
    found = estimate_apex(clip, t, regions=regions, skin=skin, method=method)
    assert found.method == method
    assert found.time_s == t[found.index]
    assert abs(found.time_s - APEX_S) < 0.17
    if method == "middle":
        assert found.time_s == pytest.approx(0.3)
        assert np.isnan(found.curve).all()


def test_uneven_times_are_taken_as_they_are(build):
    """With every third frame lost the apex stays where it was in time, not in frames."""
    clip, t, regions, skin = build(200.0)
    kept = np.arange(len(t)) % 3 != 1
    found = estimate_apex(clip[kept], t[kept], regions=regions, skin=skin)
    assert found.time_s == pytest.approx(APEX_S, abs=0.035)


def test_lbp_follows_texture_that_changes():
    """Frames whose pattern departs from the first and returns: the peak of one minus the correlation."""
    rng = np.random.default_rng(0)
    first, other = rng.uniform(0, 255, (2, 32, 32))
    share = np.sin(np.pi * np.arange(21) / 20)
    clip = np.stack([(1 - 0.9 * s) * first + 0.9 * s * np.sort(other, axis=1) for s in share])
    t = np.arange(21) / 50
    found = estimate_apex(clip, t, regions=blocks(2, 2, (32, 32)), method="lbp")
    assert found.index == pytest.approx(10, abs=2)
    assert found.curve[0] == pytest.approx(0, abs=0.1)


def test_the_window_of_frequencies_is_in_seconds():
    """What flickers for 0.1 s has its window there, at 40 and at 120 Hz; ends without a window are NaN."""
    rng = np.random.default_rng(0)
    still = rng.uniform(80, 160, (36, 36))
    for fps in (40.0, 120.0):
        t = np.arange(round(0.6 * fps)) / fps
        on = np.abs(t - 0.36) < 0.05
        clip = still + 30 * on[:, None, None] * rng.normal(size=(len(t), 36, 36))
        found = estimate_apex(clip, t, method="frequency")
        assert found.time_s == pytest.approx(0.36, abs=0.03)
        assert np.isnan(found.curve[0])


def test_the_search_by_halves():
    """The half with the larger sum of peaks is kept, not the one with the larger peak; without peaks the largest value."""
    curve = np.zeros(16)
    curve[[2, 5]], curve[12] = 3.0, 5.0
    assert divided(curve) == 5
    assert divided(np.arange(5.0)) == 4
    single = np.array([0, 1, 4, 1, 0.0])
    assert divided(single) == 2


def test_unfit_input_is_refused():
    """Names are suggested; shapes and times are said."""
    clip, t = np.zeros((5, 12, 12), dtype=np.float32), np.arange(5) / 30
    with pytest.raises(ConfigError, match="no apex method 'flwo'; did you mean 'flow'"):
        estimate_apex(clip, t, method="flwo")
    with pytest.raises(ConfigError, match="no apex search 'binary'"):
        estimate_apex(clip, t, search="binary")
    with pytest.raises(ConfigError, match="smoothing by more than 0 s, got 0 s"):
        estimate_apex(clip, t, sigma_s=0)
    with pytest.raises(DataError, match=r"at least three grey frames .* got \(2, 12, 12\)"):
        estimate_apex(clip[:2], t[:2])
    with pytest.raises(DataError, match="expected increasing times"):
        estimate_apex(clip, t[::-1].copy())
    with pytest.raises(DataError, match="apex: expected regions of 12x12 px"):
        estimate_apex(clip, t, regions=blocks(1, 1, (6, 6)))
    with pytest.raises(DataError, match=r"a clip longer than the window of 0.1 s, got 0.020 s"):
        estimate_apex(clip[:3], np.arange(3) / 100, method="frequency")
