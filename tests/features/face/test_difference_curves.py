"""Curves of difference: every method sees what comes and goes, none sees a still face, and missing faces stay missing."""

import numpy as np
import pytest

from mmme.errors import ConfigError
from mmme.features.face.difference_curves import DIFFERENCE_METHODS, difference_curves
from mmme.models.difference_spotting import SHARES, spot_differences
from mmme.simulate import TrueExpression, simulate_clip

FPS = 30


def faces(*events, seconds=4.0, noise=1.0):
    """A simulated face of 128 px, which nothing moves but expressions."""
    t, frames, _ = simulate_clip(1, fps=FPS, duration_s=seconds, events=events, noise=noise)
    return t, [(k, frame.astype(np.float32)) for k, frame in enumerate(frames)]


@pytest.mark.parametrize("method", sorted(DIFFERENCE_METHODS))
def test_a_raised_brow_is_where_it_was_planted(method):
    """The curve is highest within 0.1 s of the apex, and the decoder finds one movement there and nothing else."""
    t, shown = faces(TrueExpression("micro", "surprise", ("AU1", "AU2"), 1.8, 2.0, 2.2, 2.5), seconds=6.0)
    curve = difference_curves(shown, len(t), [method], [8])[method, 8]
    assert t[np.nanargmax(curve)] == pytest.approx(2.0, abs=0.15)
    found = spot_differences(t, {"micro": curve}, share=SHARES[method])
    assert len(found) <= 2
    assert any(abs(s.apex - 2.0) < 0.15 and s.kind == "micro" for s in found)


@pytest.mark.parametrize("method", sorted(DIFFERENCE_METHODS))
def test_a_still_face_gives_nothing(method):
    """Camera noise alone never stands out of itself."""
    t, shown = faces(seconds=3.0)
    curve = difference_curves(shown, len(t), [method], [8])[method, 8]
    assert spot_differences(t, {"micro": curve}, share=SHARES[method]) == ()


def test_missing_faces_and_ends_are_not_known():
    """A gap makes unknown what needs a face in it, on both sides."""
    t, shown = faces(seconds=2.0)
    left = [face for face in shown if face[0] not in (30, 31)]
    curve = difference_curves(left, len(t), ["lbp-chi2"], [4])["lbp-chi2", 4]
    unknown = np.flatnonzero(np.isnan(curve)).tolist()
    assert unknown == [*range(4), *range(26, 36), *range(len(t) - 4, len(t))]


def test_every_method_has_a_threshold():
    """And unknown names and reaches are refused."""
    assert set(SHARES) == set(DIFFERENCE_METHODS)
    with pytest.raises(ConfigError, match="spotting method"):
        difference_curves([], 5, ["lbp"], [2])
    with pytest.raises(ConfigError, match="reaches of 1 moment or more"):
        difference_curves([], 5, ["strain"], [0])
    with pytest.raises(ConfigError, match="share from 0 to 1"):
        spot_differences(np.arange(5.0), {}, share=2.0)
