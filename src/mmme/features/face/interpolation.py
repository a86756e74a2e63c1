"""
A clip at another number of frames: by the temporal interpolation model (TIM), or linearly.

TIM lays the frames along a path graph, takes the eigenvectors of its Laplacian as a curve, and maps the curve back to
images through the singular vectors of the frames without their mean (doi:10.1109/CVPR.2011.5995434). The eigenvectors are
cosines in closed form, and as the k - 1 of them that vary span all that k frames without their mean can do, the map back
undoes the singular value decomposition: what is left is one matrix of weights, the same for every clip of k frames.
Interpolating is then one matrix product, defined also for frames that are linearly dependent, which the decomposition is
not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError, DataError, unknown_name
from mmme.features.face.volumes import checked_clip

__all__ = ["INTERPOLATIONS", "interpolated", "linear_weights", "tim_weights"]

#: From one method to the other.
INTERPOLATIONS = ("tim", "linear")


def tim_weights(k: int, positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Weigh k frames so that their sum lies at given positions of TIM's curve.

    Parameters
    ----------
    k
        Number of frames, at least 1.
    positions : (n,)
        In frames, 0 to k - 1.

    Returns
    -------
    (n, k) float64
        Each row adds up to 1; at a whole position it takes that frame alone. Weights may be negative and exceed 1.

    Examples
    --------
    >>> tim_weights(3, np.array([0.0, 0.5, 2.0])).round(3).tolist()
    [[1.0, 0.0, 0.0], [0.455, 0.667, -0.122], [0.0, 0.0, 1.0]]
    """
    order = np.arange(1, k)

    def curve(at: NDArray[np.float64]) -> NDArray[np.float64]:
        # sin(pi j s + pi (k - j) / (2 k)) of the paper, at s = (1 + position) / k
        return np.cos(np.pi / k * order * (at[:, None] + 0.5))

    weights = 1 / k + 2 / k * curve(positions) @ curve(np.arange(float(k))).T
    whole = np.isclose(positions, np.rint(positions), rtol=0, atol=1e-9)
    weights[whole] = np.eye(k)[np.rint(positions[whole]).astype(int)]
    return np.asarray(weights)


def linear_weights(k: int, positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Weigh k frames so that their sum lies on the straight line between the two frames beside each position.

    Parameters and result are those of `tim_weights`; no weight is negative.

    Examples
    --------
    >>> linear_weights(3, np.array([0.0, 0.5, 2.0])).tolist()
    [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]
    """
    return np.asarray(np.maximum(0, 1 - np.abs(positions[:, None] - np.arange(k))))


def interpolated(clip: NDArray[np.generic], n_frames: int, *, method: str = "tim") -> NDArray[np.float32]:
    """
    Bring a clip to a number of frames, evenly spaced from its first frame to its last.

    Parameters
    ----------
    clip : (k, height, width) uint8, uint16, float32 or float64
        Grey levels, frames evenly spaced in time.
    n_frames
        Frames of the result, at least 2 (1 if k is 1).
    method
        ``tim`` (doi:10.1109/CVPR.2011.5995434) or ``linear``.

    Returns
    -------
    (n_frames, height, width) float32
        Grey levels. Where a new frame falls on an old one it is that frame. TIM swings beyond the range of the frames where
        they change abruptly; nothing is clipped. Neither method smoothes before it leaves frames out.

    Raises
    ------
    ConfigError
        If the method is not known or the number of frames is below 2.
    DataError
        If the clip is not one of finite grey levels, or one frame is to become several.

    Examples
    --------
    >>> clip = np.arange(3.0)[:, None, None] + np.zeros((3, 2, 2))
    >>> interpolated(clip, 5, method="linear")[:, 0, 0].tolist()
    [0.0, 0.5, 1.0, 1.5, 2.0]
    >>> [round(float(v), 2) for v in interpolated(clip, 5)[:, 0, 0]]
    [0.0, 0.42, 1.0, 1.58, 2.0]
    """
    if method not in INTERPOLATIONS:
        raise unknown_name("interpolation", method, INTERPOLATIONS)
    checked_clip("interpolation", clip, at_least=1)
    k = len(clip)
    if n_frames < 1 or (n_frames == 1 and k > 1):
        raise ConfigError(f"interpolation: expected to make at least 2 frames, got {n_frames}")
    if k == 1 and n_frames > 1:
        raise DataError(f"interpolation: expected at least 2 frames to make {n_frames} of, got 1; there is no motion in it")
    positions = np.linspace(0, k - 1, n_frames)
    weights = tim_weights(k, positions) if method == "tim" else linear_weights(k, positions)
    flat = clip.reshape(k, -1).astype(np.float32, copy=False)
    return np.asarray(weights.astype(np.float32) @ flat).reshape(n_frames, *clip.shape[1:])
