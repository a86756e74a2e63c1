"""The same settings at every frame rate: what is spotted in a video does not depend on how many frames it has."""

import pytest

from mmme.features.face.motion import motion_curve
from mmme.models.spotting import spot
from mmme.simulate import TrueExpression, simulate_clip
from mmme.types import Stream

PLANTED = (
    TrueExpression("micro", "surprise", ("AU1", "AU2"), 1.0, 1.17, 1.4, 1.5),
    TrueExpression("macro", "happy", ("AU6", "AU12"), 2.4, 2.9, 3.6, 2.0),
)


@pytest.mark.parametrize("fps", [30.0, 100.0, 150.0, 200.0])
def test_the_same_face_at_four_rates(fps):
    """One micro- and one macro-expression, apex within 70 and 150 ms, half of each and more overlapping."""
    t, frames, _ = simulate_clip(6, fps=fps, duration_s=4.4, events=PLANTED, head_motion_px=1.0)
    found = spot(motion_curve(Stream("video", "simulated", t, frames, "grey level")))
    assert [s.kind for s in found] == ["micro", "macro"]
    for spotted, true, within in zip(found, PLANTED, (0.07, 0.15), strict=True):
        assert spotted.apex == pytest.approx(true.apex_s, abs=within)
        shared = min(spotted.offset, true.offset_s) - max(spotted.onset, true.onset_s)
        assert shared / (max(spotted.offset, true.offset_s) - min(spotted.onset, true.onset_s)) >= 0.5
