"""MDMD: what comes and goes again, by hand on blocks and planted in clips."""

from __future__ import annotations

import numpy as np
import pytest

from mmme.errors import ConfigError, DataError
from mmme.features.face.mdmd import mdmd, mdmd_curve, mdmd_intervals
from mmme.features.face.regions import blocks
from mmme.interval import Interval
from mmme.simulate import TrueExpression, simulate_clip

SIX = blocks(1, 1, (1, 6))


def row(*u):
    field = np.zeros((1, len(u), 2), dtype=np.float32)
    field[0, :, 0] = u
    return field


def test_by_hand():
    """Of six pixels four go right; the differences of length are 3, 2, 1, 0; the largest third of four is one: 3 px."""
    found = mdmd(row(3, 3, 3, 3, -9, -9), row(0, 1, 2, 3, 0, 0), SIX)
    assert found.columns == ("mdmd_r0c0", "mdmd_all")
    np.testing.assert_allclose(found.values, [3, 3])
    np.testing.assert_allclose(mdmd(row(3, 3, 3, 3, -9, -9), row(0, 1, 2, 3, 0, 0), SIX, share=1.0).values, 1.5)


def test_what_stays_does_not_count():
    """A motion that is still there afterwards, whichever way, leaves no difference."""
    np.testing.assert_allclose(mdmd(row(*[2] * 6), row(*[-2] * 6), SIX).values, 0)


def test_the_strongest_third_of_the_blocks():
    """Blocks with 6, 3 and 0 px: all is the strongest one."""
    field = np.zeros((3, 9, 2), dtype=np.float32)
    field[:, :3, 0], field[:, 3:6, 0] = 6, 3
    np.testing.assert_allclose(mdmd(field, 0 * field, blocks(1, 3, (3, 9))).values, [6, 3, 0, 6])


@pytest.mark.parametrize("fps", [30.0, 60.0])
def test_a_planted_micro_expression_is_spotted_at_any_rate(fps):
    """A brow of 2 px that comes and goes within 0.45 s: one interval, which holds the apex; reaches in seconds."""
    planted = TrueExpression("micro", "surprise", ("AU1", "AU2"), 1.0, 1.2, 1.45, 2.0)
    t, frames, _ = simulate_clip(2, fps=fps, duration_s=2.4, events=[planted])
    curve = mdmd_curve(frames.astype(np.float32), t, blocks(6, 6, (128, 128)))
    assert np.isnan(curve[t < 0.39]).all()
    assert np.isfinite(curve[(t > 0.41) & (t < 1.9)]).all()
    (found,) = mdmd_intervals(curve, t, p=0.2)
    assert found.start < 1.2 < found.stop


def test_lengths_are_bounds_on_runs():
    """A pulse of 0.3 s between rests: found within its bounds, dropped when the longest allowed is shorter."""
    t = np.arange(300) / 100
    curve = np.where((t >= 1.5) & (t < 1.8), 1.0, 0.0)
    (found,) = mdmd_intervals(curve, t, p=0.1)
    assert (found.start, found.stop) == (pytest.approx(1.5), pytest.approx(1.8))
    assert isinstance(found, Interval)
    assert mdmd_intervals(curve, t, p=0.1, longest_s=0.25) == ()


def test_a_flat_curve_has_no_movement():
    """Nothing exceeds its own mean."""
    t = np.arange(60) / 30
    assert mdmd_intervals(np.ones(60), t) == ()
    assert mdmd_intervals(np.full(60, np.nan), t) == ()


def test_unfit_input_is_refused():
    """Too short a clip says how long it must be; parameters say their range."""
    clip, t = np.zeros((10, 8, 8), dtype=np.float32), np.arange(10) / 30
    with pytest.raises(DataError, match=r"a clip of at least 0.8 s, got 0.300 s; shorten interval_s"):
        mdmd_curve(clip, t, blocks(1, 1, (8, 8)))
    with pytest.raises(DataError, match="a time for each frame"):
        mdmd_curve(clip, t[:5], blocks(1, 1, (8, 8)))
    with pytest.raises(DataError, match="a value for each time"):
        mdmd_intervals(np.zeros(4), t)
    with pytest.raises(ConfigError, match=r"a threshold p in 0..1, got 2"):
        mdmd_intervals(np.zeros(10), t, p=2)
    with pytest.raises(ConfigError, match=r"a share in \(0, 1\], got 4 and 0"):
        mdmd(row(1), row(1), blocks(1, 1, (1, 1)), share=0)
