"""OFF-ApexNet: one convolutional stream per direction of flow (Gan et al. 2019, doi:10.1016/j.image.2019.02.005)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmme.models.deep.layers import Dropout

__all__ = ["OffApexNet"]

MAPS = (6, 16)
KERNEL = 5


def _stream() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, MAPS[0], KERNEL, padding=KERNEL // 2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(MAPS[0], MAPS[1], KERNEL, padding=KERNEL // 2),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )


class OffApexNet(nn.Module):
    """
    Two streams of two convolutions over horizontal and vertical flow, joined by two dense layers.

    Parameters
    ----------
    shape
        ``(3, height, width)``; strain, the third channel, is not read, as in the paper.
    n_classes
        Number of logits.
    width
        Units of each dense layer; 1024 in the paper.

    Examples
    --------
    >>> OffApexNet((3, 28, 28), 3).eval()(torch.zeros(2, 3, 28, 28)).shape
    torch.Size([2, 3])
    """

    def __init__(self, shape: tuple[int, ...], n_classes: int, width: int = 1024) -> None:
        super().__init__()
        _, height, wide = shape
        self.horizontal, self.vertical = _stream(), _stream()
        values = 2 * MAPS[1] * (height // 4) * (wide // 4)
        self.dense = nn.Sequential(
            nn.Linear(values, width), nn.ReLU(), Dropout(0.5), nn.Linear(width, width), nn.ReLU(), Dropout(0.5)
        )
        self.head = nn.Linear(width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of ``(batch, 3, height, width)``."""
        both = torch.cat([self.horizontal(x[:, :1]).flatten(1), self.vertical(x[:, 1:2]).flatten(1)], dim=1)
        return torch.as_tensor(self.head(self.dense(both)))
