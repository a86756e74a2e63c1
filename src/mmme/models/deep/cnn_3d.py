"""A 3-D convolutional network on clips, after MicroExpSTCNN (Reddy et al. 2019, arXiv:1904.01390)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmme.models.deep.layers import Dropout

__all__ = ["CNN3D"]

MAPS = (8, 16)
MOST_PX = 32


class CNN3D(nn.Module):
    """
    Two spatio-temporal convolutions.

    The paper has one layer of 32 maps and a dense layer of 128 units over a whole face of 64 px: most of its weights lie
    there. Here a second convolution and averages take its place.

    Parameters
    ----------
    shape
        ``(channels, frames, height, width)``; sides above 32 px are averaged down by whole blocks first.
    n_classes
        Number of logits.

    Examples
    --------
    >>> CNN3D((1, 8, 64, 64), 3).eval()(torch.zeros(2, 1, 8, 64, 64)).shape
    torch.Size([2, 3])
    """

    def __init__(self, shape: tuple[int, ...], n_classes: int) -> None:
        super().__init__()
        block = max(1, shape[-1] // MOST_PX)
        first, second = MAPS
        self.features = nn.Sequential(
            nn.AvgPool3d((1, block, block)),
            nn.Conv3d(shape[0], first, 3, padding=1),
            nn.BatchNorm3d(first),
            nn.ReLU(),
            nn.MaxPool3d((1, 2, 2)),
            nn.Conv3d(first, second, 3, padding=1),
            nn.BatchNorm3d(second),
            nn.ReLU(),
            nn.AdaptiveAvgPool3d((2, 3, 3)),
        )
        self.head = nn.Sequential(nn.Flatten(), Dropout(0.5), nn.Linear(18 * second, n_classes))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of ``(batch, channels, frames, height, width)``."""
        return torch.as_tensor(self.head(self.features(x)))
