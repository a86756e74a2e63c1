"""A speaking mouth is told from expressions; what else the face shows meanwhile is still found."""

import numpy as np
import pytest

from mmme.features.face.motion import MotionCurve
from mmme.models.spotting import speaking, speaking_s, spot

NAMES = ("brow-inner", "brow-left", "brow-right", "chin", "lip-lower", "lip-upper", "mouth-left", "mouth-right")


def talking(fps=30.0, *, said=(4.0, 7.0), brow_s=None, smile_s=None):
    """Ten seconds of a face: syllables at 4 Hz of 1 px in ``said``, a raised brow and a twitch of the mouth where asked."""
    t = np.arange(0, 12, 1 / fps)
    moved = np.random.default_rng(1).normal(0, 0.02, (len(t), len(NAMES), 2))
    within = (t > said[0]) & (t < said[1])
    moved[:, 3:, 1] += np.where(within, 0.5 - 0.5 * np.cos(2 * np.pi * 4 * (t - said[0])), 0)[:, None]
    for at, columns in ((brow_s, slice(0, 3)), (smile_s, slice(3, 8))):
        if at is not None:
            knots = np.interp(t, [at - 0.2, at, at + 0.2], [0, np.pi, 2 * np.pi])
            moved[:, columns, 1] -= (0.5 - 0.5 * np.cos(knots))[:, None]
    return MotionCurve(t, moved, NAMES)


@pytest.mark.parametrize("fps", [30.0, 100.0, 150.0, 200.0])
def test_speech_is_marked_at_every_rate(fps):
    """
    Its seconds are known to a third at any frame rate, and it alone gives nothing.
    """
    curve = talking(fps)
    assert speaking_s(curve) == pytest.approx(3.0, abs=0.8)
    marked = speaking(curve)
    assert marked[(curve.t > 4.2) & (curve.t < 6.8)].all()
    assert not marked[(curve.t < 3.4) | (curve.t > 7.6)].any()
    assert spot(curve) == ()


@pytest.mark.parametrize("fps", [30.0, 150.0])
def test_a_brow_that_moves_during_speech_is_found(fps):
    """
    Only what the mouth does is taken for speech.
    """
    (found,) = spot(talking(fps, brow_s=5.5))
    assert found.kind == "micro"
    assert found.apex == pytest.approx(5.5, abs=0.05)
    assert {"brow-inner", "brow-left", "brow-right"} <= set(found.regions)


def test_a_mouth_that_moves_once_is_an_expression():
    """
    One movement away from speech is found, the speech is not.
    """
    (found,) = spot(talking(smile_s=1.5))
    assert found.apex == pytest.approx(1.5, abs=0.05)


def test_without_a_mouth_or_a_face_nobody_speaks():
    """
    Other regions, and a video without a face, have no speech.
    """
    curve = talking()
    brows = MotionCurve(curve.t, curve.displacement, tuple(f"brow-{k}" for k in range(len(NAMES))))
    assert speaking_s(brows) == 0.0
    assert speaking_s(MotionCurve(curve.t, np.full_like(curve.displacement, np.nan), NAMES)) == 0.0
