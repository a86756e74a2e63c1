"""
FeatRef: features refined per expression (Zhou et al. 2022, doi:10.1016/j.patcog.2021.108275).

Two inception streams read horizontal and vertical flow; one branch per class weighs what they found for its own class; the
refined features are classified together. The paper also trains each branch to detect its class; here a branch's detection
adds to the logit of its class, so that one loss trains both.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmme.models.deep.layers import Dropout

__all__ = ["FeatRef"]

MAPS = (6, 16)
UNITS = 64


class _Inception(nn.Module):
    """Four views of one place: alone, its neighbours at two distances, and their strongest."""

    def __init__(self, inputs: int, maps: int) -> None:
        super().__init__()
        self.views = nn.ModuleList(
            [
                nn.Conv2d(inputs, maps, 1),
                nn.Conv2d(inputs, maps, 3, padding=1),
                nn.Conv2d(inputs, maps, 5, padding=2),
                nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), nn.Conv2d(inputs, maps, 1)),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, 4 * maps, height, width)``."""
        return torch.relu(torch.cat([view(x) for view in self.views], dim=1))


def _stream() -> nn.Sequential:
    first, second = MAPS
    return nn.Sequential(_Inception(1, first), nn.MaxPool2d(2), _Inception(4 * first, second), nn.MaxPool2d(2))


class FeatRef(nn.Module):
    """
    Two inception streams and one refining branch per class.

    Parameters
    ----------
    shape
        ``(3, height, width)``; strain is not read.
    n_classes
        Number of logits.

    Examples
    --------
    >>> FeatRef((3, 28, 28), 3).eval()(torch.zeros(2, 3, 28, 28)).shape
    torch.Size([2, 3])
    """

    def __init__(self, shape: tuple[int, ...], n_classes: int) -> None:
        super().__init__()
        _, height, width = shape
        self.horizontal, self.vertical = _stream(), _stream()
        values = 2 * 4 * MAPS[1] * (height // 4) * (width // 4)
        self.shared = nn.Sequential(nn.Linear(values, n_classes * UNITS), nn.ReLU(), Dropout(0.5))
        self.attention = nn.Linear(n_classes * UNITS, n_classes * UNITS)
        self.detect = nn.Parameter(torch.randn(n_classes, UNITS) / UNITS**0.5)
        self.head = nn.Linear(n_classes * UNITS, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of ``(batch, 3, height, width)``."""
        both = torch.cat([self.horizontal(x[:, :1]).flatten(1), self.vertical(x[:, 1:2]).flatten(1)], dim=1)
        shared = self.shared(both)
        refined = shared * torch.sigmoid(self.attention(shared))
        detected = (refined.view(len(x), -1, UNITS) * self.detect).sum(dim=2)
        return torch.as_tensor(self.head(refined) + detected)
