"""
STSTNet: three shallow streams over one flow image (Liong et al. 2019, doi:10.1109/FG.2019.8756567).

Each stream is one 3 x 3 convolution with 3, 5 or 8 maps over the same three channels (horizontal flow, vertical flow,
strain), and their maps are put side by side: that is one convolution with 16 maps, and is written as one here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from mmme.errors import DataError
from mmme.models.deep.fused_stage import StageImages, pooled_maps
from mmme.models.deep.layers import Dropout

__all__ = ["STSTNet", "ststnet_from_streams"]

STREAM_MAPS = (3, 5, 8)
MAPS = sum(STREAM_MAPS)
POOLED = 5


class STSTNet(nn.Module):
    """
    Shallow three-stream network.

    Parameters
    ----------
    shape
        ``(3, height, width)``; 28 x 28 in the paper. Other sizes give another number of pooled values.
    n_classes
        Number of logits.

    Examples
    --------
    >>> net = STSTNet((3, 28, 28), 3).eval()
    >>> net(torch.zeros(2, 3, 28, 28)).shape
    torch.Size([2, 3])
    """

    def __init__(self, shape: tuple[int, ...], n_classes: int) -> None:
        super().__init__()
        channels, height, width = shape
        self.convolution = nn.Conv2d(channels, MAPS, 3, padding=2)
        self.norm = nn.BatchNorm2d(MAPS)
        self.pool = nn.MaxPool2d(3, stride=3, padding=1)
        self.dropout = Dropout(0.5)
        self.mean = nn.AvgPool2d(2, stride=2)
        sides = [((side + 2 + 2 - 3) // 3 + 1) // 2 for side in (height, width)]
        self.head = nn.Linear(MAPS * sides[0] * sides[1], n_classes)

    def prepared(self, X: Tensor) -> StageImages:
        """Lay training images out for steps in which the maps never leave the cache; see `forward`."""
        return StageImages(X)

    def forward(self, x: Tensor | StageImages) -> Tensor:
        """Logits of ``(batch, 3, height, width)``, or of prepared images in training; both are equal to rounding."""
        if isinstance(x, StageImages):
            return self._head_of_windows(self.dropout(pooled_maps(x, self.convolution, self.norm)))
        maps = self.norm(torch.relu(self.convolution(x)))
        maps = self.mean(self.dropout(self.pool(maps)))
        return torch.as_tensor(self.head(maps.flatten(1)))

    def _head_of_windows(self, x: Tensor) -> Tensor:
        """Mean of 2 x 2 windows and head in one product."""
        rows, columns = x.shape[2] // 2, x.shape[3] // 2
        weight = self.head.weight.view(-1, MAPS, rows, 1, columns, 1) / 4
        weight = weight.expand(-1, -1, -1, 2, -1, 2).reshape(len(weight), -1)
        return functional.linear(x[:, :, : 2 * rows, : 2 * columns].flatten(1), weight, self.head.bias)


def ststnet_from_streams(state: Mapping[str, NDArray[np.float32]]) -> STSTNet:
    """
    Return a network from the state dict of the authors' PyTorch module, whose three streams are separate.

    Parameters
    ----------
    state
        ``conv1.weight`` ... ``bn3.running_var``, ``fc.weight``, ``fc.bias`` for images of 28 x 28 pixels. Their loader read
        channels as strain, vertical flow, horizontal flow, 0 to 255; so must whoever uses the network.

    Raises
    ------
    DataError
        If an array is missing or of another shape.

    Examples
    --------
    >>> ststnet_from_streams({"fc.bias": np.zeros(3, dtype=np.float32)})
    Traceback (most recent call last):
        ...
    mmme.errors.DataError: STSTNet of three streams: expected arrays conv1.weight, ...
    """
    streams = range(1, len(STREAM_MAPS) + 1)
    needed = [f"conv{k}.{part}" for k in streams for part in ("weight", "bias")]
    needed += [f"bn{k}.{part}" for k in streams for part in ("weight", "bias", "running_mean", "running_var")]
    needed += ["fc.weight", "fc.bias"]
    missing = [name for name in needed if name not in state]
    if missing:
        raise DataError(f"STSTNet of three streams: expected arrays {', '.join(needed)}, got none for {', '.join(missing)}")
    arrays = {name: torch.from_numpy(np.array(state[name], dtype=np.float32)) for name in needed}
    net = STSTNet((3, 28, 28), len(arrays["fc.bias"]))

    def joined(pattern: str) -> Tensor:
        return torch.cat([arrays[pattern.format(k)] for k in streams])

    mapped = {
        "convolution.weight": joined("conv{}.weight"),
        "convolution.bias": joined("conv{}.bias"),
        **{f"norm.{part}": joined(f"bn{{}}.{part}") for part in ("weight", "bias", "running_mean", "running_var")},
        "head.weight": arrays["fc.weight"],
        "head.bias": arrays["fc.bias"],
    }
    own = net.state_dict()
    if wrong := [f"{name} {tuple(array.shape)}" for name, array in mapped.items() if own[name].shape != array.shape]:
        raise DataError(
            f"STSTNet of three streams: expected arrays for 28 x 28 pixels, got other shapes: {', '.join(wrong)}"
        )
    net.load_state_dict(mapped, strict=False)
    return net.eval()
