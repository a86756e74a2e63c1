"""
Residual convolutions with channel attention, after CSARNet and its kin.

Channel attention is squeeze and excitation (Hu et al. 2018, doi:10.1109/CVPR.2018.00745): what is active over the whole
face decides how far each map counts. The published networks of this family differ in depth and in further spatial
attention; this one is small enough for hundreds of clips.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmme.models.deep.layers import Dropout

__all__ = ["CSARNet"]

MAPS = (16, 32)
REDUCTION = 4


class _Attended(nn.Module):
    """Two convolutions whose maps are weighed by the face as a whole, beside a shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1),
            nn.BatchNorm2d(outputs),
        )
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(outputs, outputs // REDUCTION, 1),
            nn.ReLU(),
            nn.Conv2d(outputs // REDUCTION, outputs, 1),
            nn.Sigmoid(),
        )
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, outputs, height, width)``."""
        y = self.convolutions(x)
        return torch.relu(y * self.weigh(y) + self.shortcut(x))


class CSARNet(nn.Module):
    """
    Two attended residual blocks.

    Parameters
    ----------
    shape
        ``(3, height, width)``.
    n_classes
        Number of logits.

    Examples
    --------
    >>> CSARNet((3, 28, 28), 3).eval()(torch.zeros(2, 3, 28, 28)).shape
    torch.Size([2, 3])
    """

    def __init__(self, shape: tuple[int, ...], n_classes: int) -> None:
        super().__init__()
        first, second = MAPS
        self.blocks = nn.Sequential(
            nn.AvgPool2d(2), _Attended(shape[0], first), nn.MaxPool2d(2), _Attended(first, second), nn.AdaptiveAvgPool2d(3)
        )
        self.head = nn.Sequential(nn.Flatten(), Dropout(0.5), nn.Linear(9 * second, n_classes))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of ``(batch, 3, height, width)``."""
        return torch.as_tensor(self.head(self.blocks(x)))
