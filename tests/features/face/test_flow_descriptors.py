"""Flow images get back a zero and a scale; families of values from them obey their formulas."""

import numpy as np
import pytest

from mmme.errors import ConfigError, DataError
from mmme.features.face.flow import optical_strain
from mmme.features.face.flow_descriptors import (
    FLOW_DESCRIPTORS,
    block_means,
    gradient_maps,
    oriented_motion,
    rectified_motion,
    rectified_motion_and_gradients,
    rescaled,
    scale_angle,
    signed_motion,
)


def moving(n=6, side=28, seed=0):
    """Smooth local motion on a face at rest, with its strain; ``(n, side, side, 3)``."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    flow = np.zeros((n, side, side, 2))
    for i in range(n):
        for _ in range(3):
            cy, cx = rng.uniform(0.2, 0.8, size=2)
            bump = np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 0.01)
            flow[i] += bump[..., None] * rng.normal(size=2)
    strain = np.stack([optical_strain(f) for f in flow])
    return np.concatenate([flow, strain[..., None]], axis=-1)


def stretched(images, *, u=1.0, v=1.0, by=(40.0, 90.0)):
    """Channels with another zero and scale, as min-max scaling leaves them."""
    return images * [u, v, 3.0] + [*by, 0.0]


@pytest.mark.parametrize("name", FLOW_DESCRIPTORS)
def test_every_family_is_one_row_per_image(name):
    """Rows are images, each computed alone, values finite; a face at rest gives zeros."""
    X = moving()
    whole = FLOW_DESCRIPTORS[name](X, block=4)
    alone = np.concatenate([FLOW_DESCRIPTORS[name](X[i : i + 1], block=4) for i in range(len(X))])

    assert whole.shape[0] == 6
    assert np.isfinite(whole).all()
    np.testing.assert_array_equal(whole, alone)
    assert not FLOW_DESCRIPTORS[name](np.zeros((1, 28, 28, 3)), block=4).any()


@pytest.mark.parametrize("name", [n for n in FLOW_DESCRIPTORS if n != "as-stored"])
def test_stretching_of_a_channel_changes_nothing(name):
    """Another zero and scale of u, v and strain, as min-max scaling makes them, leave every family as it is."""
    X = moving()
    np.testing.assert_allclose(
        FLOW_DESCRIPTORS[name](X, block=4), FLOW_DESCRIPTORS[name](stretched(X, u=5, v=0.3), block=4), atol=1e-9
    )


@pytest.mark.parametrize("ratio", [0.25, 0.5, 1.0, 2.0, 4.0])
def test_ratio_of_scales_comes_back_from_strain(ratio):
    """u stretched ``ratio`` times as much as v: the tangent of the angle is that ratio, to the grid's step."""
    angle = scale_angle(stretched(moving(), u=ratio))
    step = (np.pi / 2 - 0.1) / 30

    assert np.abs(angle - np.arctan(ratio)).max() <= step
    np.testing.assert_allclose(scale_angle(np.zeros((1, 5, 5, 3))), np.pi / 4)


def test_strain_scale_restores_directions():
    """With ``scale='strain'`` directions of motion are those before stretching, with ``channel`` they are not."""
    X = moving()
    far = np.hypot(X[..., 0], X[..., 1]) > 0.3

    def error(scale):
        f = rescaled(stretched(X, u=4.0), scale=scale)
        turn = np.angle((f[..., 0] + 1j * f[..., 1]) * (X[..., 0] - 1j * X[..., 1]))
        return np.median(np.abs(turn[far]))

    assert error("strain") < 0.06
    assert error("channel") > 2 * error("strain")


def test_rest_is_zero_and_size_one():
    """Motion has median 0 and root mean square 1 per channel, or sqrt(1/2) per component on average in common units."""
    X = stretched(moving(), u=3)
    by_channel, by_strain = rescaled(X), rescaled(X, scale="strain")

    np.testing.assert_allclose(np.median(by_channel[..., :2], axis=(1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose((by_channel**2).mean(axis=(1, 2)), 1)
    np.testing.assert_allclose((by_strain[..., :2] ** 2).mean(axis=(1, 2)).sum(axis=-1), 1)


def test_gradients_of_linear_fields_by_hand():
    """Expansion, stretch, shear and rotation each appear in their own map only."""
    y, x = np.mgrid[:6, :6].astype(float)
    fields = np.stack([np.stack(f, axis=-1) for f in ((x, y), (x, -y), (y, x), (-y, x))])

    np.testing.assert_allclose(gradient_maps(fields)[:, 2, 2], 2 * np.eye(4))


def test_rectified_parts_make_the_signed_whole():
    """Positive minus negative part is signed motion; in a block with both, neither is lost."""
    X = moving()
    signed = signed_motion(X, block=4).reshape(6, 49, 3)
    parts = rectified_motion(X, block=4).reshape(6, 49, 5)
    more = rectified_motion_and_gradients(X, block=4).reshape(6, 49, 13)

    np.testing.assert_allclose(parts[..., :2] - parts[..., 2:4], signed[..., :2], atol=1e-12)
    np.testing.assert_array_equal(parts[..., 4], signed[..., 2])
    np.testing.assert_array_equal(more[..., :5], parts)
    assert (parts >= 0).all()
    assert (more >= 0).all()


def test_a_direction_lies_in_its_bin():
    """Upwards is bin 2 of 8, and a direction midway between two bins is shared by both equally."""
    X = np.zeros((2, 8, 8, 3))
    X[0, 2, 2, 1] = -1.0
    X[1, 2, 2, :2] = np.cos(np.pi / 8), -np.sin(np.pi / 8)
    X[1, 2, 2, :2] /= np.abs(X[1, 2, 2, :2])  # rescaling per channel would make it 45 degrees
    maps = oriented_motion(X, block=4).reshape(2, 4, 8)

    assert np.flatnonzero(maps[0, 0]).tolist() == [2]
    assert np.flatnonzero(maps[1, 0]).tolist() == [1]
    both = oriented_motion(X[:1], block=4, bins=6).reshape(4, 6)[0]
    np.testing.assert_allclose(both[1], both[2])
    np.testing.assert_allclose(both.sum(), maps[0, 0].sum())


def test_blocks_are_means():
    """Each value is the mean of its block, channels innermost."""
    M = np.random.default_rng(0).normal(size=(2, 6, 9, 2))
    values = block_means(M, 3).reshape(2, 2, 3, 2)
    np.testing.assert_allclose(values[1, 1, 2, 0], M[1, 3:, 6:, 0].mean())


def test_what_cannot_be_computed_is_refused():
    """Shapes, blocks, scales, bins and missing values are named."""
    X = moving(1)
    with pytest.raises(DataError, match=r"expected u, v and strain as .* got \(28, 28, 3\)"):
        rescaled(X[0])
    with pytest.raises(DataError, match="expected finite values, got NaN"):
        rescaled(np.full((1, 4, 4, 3), np.nan))
    with pytest.raises(DataError, match="multiples of 3 px"):
        signed_motion(X, block=3)
    with pytest.raises(ConfigError, match="expected scale 'channel' or 'strain', got 'pixel'"):
        rescaled(X, scale="pixel")
    with pytest.raises(ConfigError, match="at least 2 bins, got 1"):
        oriented_motion(X, bins=1)
