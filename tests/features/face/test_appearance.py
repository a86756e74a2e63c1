"""Descriptors of appearance on a simulated face: a planted expression changes them where it moves the face."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from mmme.features.face.gradients_3d import hog_on_icosahedron, hog_on_planes
from mmme.features.face.interpolation import interpolated
from mmme.features.face.lbp import LbpSettings, lbp_fip, lbp_sip, lbp_top
from mmme.features.face.regions import blocks
from mmme.simulate import TrueExpression, simulate_clip

DESCRIPTORS = {
    "lbp-top": lbp_top,
    "lbp-sip": lbp_sip,
    "lbp-fip": lambda clip, regions: lbp_fip(clip, regions, LbpSettings()),
    "3dhog": hog_on_planes,
    "hog3d": hog_on_icosahedron,
}
N = 5


@lru_cache
def pair(au):
    """The same face with and without an expression of 2 px, and how far each block moves at most [px]."""
    event = TrueExpression("micro", "happy", (au,), 0.05, 0.12, 0.24, 2.0)
    _, still, _ = simulate_clip(3, duration_s=0.3, noise=0.5)
    _, moving, truth = simulate_clip(3, duration_s=0.3, noise=0.5, events=[event])
    moved = np.linalg.norm(truth.displacement(0.12), axis=2)
    return still, moving, np.array([moved[mask].max() for mask in blocks(N, N, moved.shape).masks])


@pytest.mark.parametrize("name", DESCRIPTORS)
@pytest.mark.parametrize("au", ["AU1", "AU4", "AU12"])
def test_a_planted_expression_shows_where_it_moves_the_face(name, au):
    """The block that changes most is one that moves by at least 0.6 px; blocks at rest change less than a third of that."""
    still, moving, moved = pair(au)
    regions = blocks(N, N, still.shape[1:])
    rows = [DESCRIPTORS[name](clip, regions).values.reshape(N * N, -1) for clip in (still, moving)]
    change = np.abs(rows[1] - rows[0]).sum(axis=1)
    assert moved[np.argmax(change)] > 0.6
    assert np.median(change[moved < 0.05]) < change.max() / 3


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_columns_depend_on_parameters_alone(name):
    """Clips of another length, kind and content, or brought to one length by TIM: the same columns, sums of one."""
    still, moving, _ = pair("AU12")
    regions = blocks(2, 3, still.shape[1:])
    rows = [DESCRIPTORS[name](clip, regions) for clip in (still, moving[4:20].astype(np.float32), interpolated(moving, 16))]
    assert rows[0].columns == rows[1].columns == rows[2].columns
    for row in rows:
        assert row.values.shape == (len(row.columns),)
        assert row.values.dtype == np.float32
        planes = {"_".join(c.split("_")[:3]) for c in row.columns}
        assert row.values.sum() == pytest.approx(len(planes), rel=1e-5)
        assert (row.values >= 0).all()
