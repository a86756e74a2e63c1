"""Interpolation in time: old frames stay what they were, and TIM is the model of its paper."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmme.errors import ConfigError, DataError
from mmme.features.face.interpolation import INTERPOLATIONS, interpolated, linear_weights, tim_weights


def clip_of(k, shape=(6, 7), seed=0, dtype="float32"):
    return np.random.default_rng(seed).uniform(0, 255, (k, *shape)).astype(dtype)


def by_decomposition(clip, n):
    """TIM as its paper has it: singular vectors, a numerical eigenproblem of the path graph, regression, sine curve."""
    k = len(clip)
    X = clip.reshape(k, -1).T.astype(float)
    mean = X.mean(axis=1, keepdims=True)
    U, s, Vt = np.linalg.svd(X - mean, full_matrices=False)
    U, Q = U[:, : k - 1], (s[:, None] * Vt)[: k - 1]
    laplacian = np.diag(np.r_[1, np.full(k - 2, 2), 1]) - np.eye(k, k=1) - np.eye(k, k=-1)
    Y = np.linalg.eigh(laplacian)[1][:, 1:]
    W = np.linalg.solve(Q @ Q.T, Q @ Y)
    j = np.arange(1, k)
    sine = lambda at: np.sin(np.pi * j * at + np.pi * (k - j) / (2 * k))  # noqa: E731
    m = Q[:, 0] @ W / sine(1 / k)
    made = [U @ np.linalg.solve(W.T, m * sine(at)) for at in np.linspace(1 / k, 1, n)]
    return (np.array(made) + mean.T).reshape(n, *clip.shape[1:])


@pytest.mark.parametrize(("k", "n"), [(2, 5), (5, 9), (9, 64), (12, 7), (30, 10), (4, 4)])
def test_tim_is_the_model_of_its_paper(k, n):
    """The closed form gives what singular value decomposition and a numerical eigenproblem give (to 1e-3 grey levels)."""
    clip = clip_of(k)
    np.testing.assert_allclose(interpolated(clip, n), by_decomposition(clip, n), atol=1e-3)


@pytest.mark.parametrize("method", INTERPOLATIONS)
@pytest.mark.parametrize("k", [2, 3, 8, 61])
def test_frames_at_their_own_positions_are_untouched(method, k):
    """Three new frames between every two old ones: every fourth is the old one, bit for bit."""
    clip = clip_of(k)
    np.testing.assert_array_equal(interpolated(clip, 4 * (k - 1) + 1, method=method)[::4], clip)
    np.testing.assert_array_equal(interpolated(clip, k, method=method), clip)


@given(k=st.integers(2, 40), n=st.integers(2, 50), method=st.sampled_from(INTERPOLATIONS))
@settings(max_examples=60, deadline=None)
def test_weights_add_up_to_one_and_know_no_direction_of_time(k, n, method):
    """A still face stays still; a clip played backwards gives the frames backwards."""
    positions = np.linspace(0, k - 1, n)
    weights = (tim_weights if method == "tim" else linear_weights)(k, positions)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(weights[::-1, ::-1], weights, atol=1e-9)


@given(k=st.integers(2, 30), n=st.integers(2, 40), method=st.sampled_from(INTERPOLATIONS))
@settings(max_examples=40, deadline=None)
def test_first_and_last_frame_are_kept(k, n, method):
    """Whatever the length, a clip begins and ends as it did."""
    clip = clip_of(k, (2, 3))
    made = interpolated(clip, n, method=method)
    assert made.shape == (n, 2, 3)
    assert made.dtype == np.float32
    np.testing.assert_array_equal(made[[0, -1]], clip[[0, -1]])


def test_linear_is_numpys_interpolation():
    """Each pixel by itself, between the two frames beside."""
    clip = clip_of(7, (3, 3), dtype="float64")
    at = np.linspace(0, 6, 17)
    expected = [np.interp(at, np.arange(7), clip[:, i, j]) for i in range(3) for j in range(3)]
    np.testing.assert_allclose(interpolated(clip, 17, method="linear").reshape(17, 9).T, expected, rtol=1e-5)


def test_linear_motion_stays_linear():
    """Brightness that rises evenly: linear keeps it to rounding; TIM to a tenth of a step away from the two ends."""
    ramp = np.arange(20.0)[:, None, None] + np.zeros((20, 1, 1))
    expected = np.linspace(0, 19, 77)
    np.testing.assert_allclose(interpolated(ramp, 77, method="linear")[:, 0, 0], expected, atol=1e-5)
    error = np.abs(interpolated(ramp, 77)[:, 0, 0] - expected)
    assert error[12:-12].max() < 0.02
    assert error.max() < 0.1


def test_tim_is_exact_for_slow_waves_that_are_level_at_both_ends():
    """A cosine that is an eigenvector of the path graph is followed between the frames, where linear cuts corners."""
    wave = lambda at: 100 + 20 * np.cos(3 * np.pi * (at + 0.5) / 12)  # noqa: E731
    clip = wave(np.arange(12.0))[:, None, None] + np.zeros((12, 1, 1))
    at = np.linspace(0, 11, 45)
    np.testing.assert_allclose(interpolated(clip, 45)[:, 0, 0], wave(at), atol=1e-4)
    assert np.abs(interpolated(clip, 45, method="linear")[:, 0, 0] - wave(at)).max() > 1


def test_frames_that_depend_on_each_other_are_no_obstacle():
    """A face at rest, bytes: every new frame is the old one (the decomposition of the paper does not exist here)."""
    clip = np.full((6, 3, 3), 77, np.uint8)
    assert np.abs(interpolated(clip, 16) - 77).max() < 1e-4


def test_nothing_is_clipped():
    """TIM swings beyond the range of an abrupt change, and says so by its values."""
    clip = np.array([0, 0, 0, 255, 255, 255], np.uint8)[:, None, None]
    made = interpolated(clip, 26)
    assert made.min() < -10
    assert made.max() > 265


def test_what_cannot_be_interpolated_is_refused():
    """Unknown methods, no length, one frame, and values that are no grey levels."""
    with pytest.raises(ConfigError, match="no interpolation 'tlm'; did you mean 'tim'"):
        interpolated(clip_of(3), 5, method="tlm")
    with pytest.raises(ConfigError, match="expected to make at least 2 frames, got 1"):
        interpolated(clip_of(3), 1)
    with pytest.raises(DataError, match="expected at least 2 frames to make 5 of, got 1"):
        interpolated(clip_of(1), 5)
    with pytest.raises(DataError, match=r"expected grey frames \(frames, height, width\)"):
        interpolated(np.zeros((3, 4)), 5)
    holed = clip_of(3)
    holed[0, 0, 0] = np.inf
    with pytest.raises(DataError, match="expected finite grey levels, got 1 that are not"):
        interpolated(holed, 5)
    np.testing.assert_array_equal(interpolated(clip_of(1), 1), clip_of(1))
