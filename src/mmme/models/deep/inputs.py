"""
What goes into a network: axes as it reads them, scales learned on training rows, and how a row is mirrored.

Tables keep flow images as ``(height, width, channels)``; networks read channels first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmme.errors import DataError
from mmme.features.face.regions import REGIONS

__all__ = ["AXES", "Scale", "channels_first", "mirror_of"]

#: Number of axes of one row in a table, by what a network takes.
AXES = {"flow-image": 3, "clip": 3, "region-motion": 3, "eeg": 2, "band-power": 2, "window": 2}


def channels_first(X: NDArray[Any], kind: str, where: str) -> NDArray[np.float32]:
    """
    Turn the rows of a table to ``(n, channels, ...)``.

    Parameters
    ----------
    X
        Flow images ``(n, height, width, 3)``; clips ``(n, frames, height, width)``; region motion
        ``(n, frames, regions, 2)``; EEG ``(n, channels, times)``; band power ``(n, channels, bands)``; windows
        ``(n, signals, times)``.
    kind
        Which of these.
    where
        Who asks, for the message.

    Raises
    ------
    DataError
        If the number of axes, or of channels of a flow image or of region motion, is another.

    Examples
    --------
    >>> channels_first(np.zeros((2, 28, 28, 3)), "flow-image", "ststnet").shape
    (2, 3, 28, 28)
    """
    X = np.asarray(X, dtype=np.float32)
    last = {"flow-image": 3, "region-motion": 2}.get(kind)
    if X.ndim != AXES[kind] + 1 or (last is not None and X.shape[-1] != last):
        wanted = {
            "flow-image": "(n, height, width, 3)",
            "clip": "(n, frames, height, width)",
            "region-motion": "(n, frames, regions, 2)",
            "eeg": "(n, channels, times)",
            "band-power": "(n, channels, bands)",
            "window": "(n, signals, times)",
        }[kind]
        raise DataError(f"{where}: expected rows of kind {kind}, {wanted}, got {X.shape}")
    if last is not None:
        return np.ascontiguousarray(np.moveaxis(X, -1, 1))
    return X[:, None] if kind == "clip" else X


class Scale:
    """
    Mean and deviation of each channel over training rows, positions and times.

    Parameters
    ----------
    mean, deviation : (channels,)
        As learned; a channel that does not vary keeps its deviation at 1.
    """

    def __init__(self, mean: NDArray[np.float32], deviation: NDArray[np.float32]) -> None:
        self.mean = mean
        self.deviation = deviation

    @classmethod
    def learned(cls, X: NDArray[np.float32]) -> Scale:
        """Learn from rows ``(n, channels, ...)``, each of which counts the same."""
        axes = (0, *range(2, X.ndim))
        deviation = X.std(axis=axes, dtype=np.float64)
        mean = X.mean(axis=axes, dtype=np.float64)
        return cls(mean.astype(np.float32), np.where(deviation > 0, deviation, 1.0).astype(np.float32))

    @classmethod
    def none(cls, X: NDArray[np.float32]) -> Scale:
        """Leave rows as they are."""
        return cls(np.zeros(X.shape[1], dtype=np.float32), np.ones(X.shape[1], dtype=np.float32))

    def __call__(self, X: NDArray[np.float32]) -> Tensor:
        """Scale rows and make a tensor of them."""
        shape = (1, -1, *(1,) * (X.ndim - 2))
        return torch.from_numpy((X - self.mean.reshape(shape)) / self.deviation.reshape(shape))


def _mirror_flow(X: Tensor) -> Tensor:
    """Left becomes right in a flow image: motion to the right becomes motion to the left."""
    turned = X.flip(-1).clone()
    turned[:, 0] = -turned[:, 0]
    return turned


#: Where each region of the face lies after mirroring.
_OTHER_SIDE = [
    list(REGIONS).index(name.replace("right", "?").replace("left", "right").replace("?", "left")) for name in REGIONS
]


def _mirror_regions(X: Tensor) -> Tensor:
    """Regions of one side become those of the other, and their motion to the right motion to the left."""
    turned = X[..., _OTHER_SIDE].clone()
    turned[:, 0] = -turned[:, 0]
    return turned


def _mirror_clip(X: Tensor) -> Tensor:
    return X.flip(-1)


def mirror_of(kind: str, scale: Scale) -> Callable[[Tensor], Tensor] | None:
    """
    Return how scaled rows of a kind are mirrored, or None where they have no left and right.

    Horizontal flow changes its sign about zero motion, which lies at ``-mean / deviation`` after scaling.

    Examples
    --------
    >>> scale = Scale(np.array([1.0, 0.0, 0.0], dtype=np.float32), np.ones(3, dtype=np.float32))
    >>> turn = mirror_of("flow-image", scale)
    >>> moved = scale(np.array([2.0, 5.0, 1.0], dtype=np.float32).reshape(1, 3, 1, 1))  # 2 px to the right
    >>> (turn(moved)[0, :, 0, 0] + torch.from_numpy(scale.mean)).tolist()
    [-2.0, 5.0, 1.0]
    """
    if kind == "clip":
        return _mirror_clip
    if kind not in ("flow-image", "region-motion"):
        return None
    exchanged = _mirror_flow if kind == "flow-image" else _mirror_regions
    zero = float(-scale.mean[0] / scale.deviation[0])

    def turn(X: Tensor) -> Tensor:
        turned = exchanged(X)
        turned[:, 0] += 2 * zero
        return turned

    return turn
