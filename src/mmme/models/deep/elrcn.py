"""
ELRCN: a convolutional network sees each frame, a recurrent one reads what it saw.

Source: Khor et al. 2018, doi:10.1109/FG.2018.00105.

The paper's frames go through VGG-16, pre-trained on faces. Nothing is downloaded here, so the frames go through three
convolutions that learn from the clips themselves.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmme.models.deep.layers import Dropout

__all__ = ["ELRCN"]

MAPS = (8, 16, 32)
UNITS = 32
SIDE = 3
MOST_PX = 32


class ELRCN(nn.Module):
    """
    Convolutions per frame, a long short-term memory over frames.

    Parameters
    ----------
    shape
        ``(channels, frames, height, width)``; sides above 32 px are averaged down by whole blocks first.
    n_classes
        Number of logits.

    Examples
    --------
    >>> ELRCN((1, 8, 64, 64), 3).eval()(torch.zeros(2, 1, 8, 64, 64)).shape
    torch.Size([2, 3])
    """

    def __init__(self, shape: tuple[int, ...], n_classes: int) -> None:
        super().__init__()
        block = max(1, shape[-1] // MOST_PX)
        layers: list[nn.Module] = [nn.AvgPool2d(block)] if block > 1 else []
        inputs = shape[0]
        for maps in MAPS:
            layers += [nn.Conv2d(inputs, maps, 3, padding=1), nn.BatchNorm2d(maps), nn.ReLU(), nn.MaxPool2d(2)]
            inputs = maps
        self.frames = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(SIDE), nn.Flatten())
        self.memory = nn.LSTM(inputs * SIDE * SIDE, UNITS, batch_first=True)
        self.head = nn.Sequential(Dropout(0.5), nn.Linear(UNITS, n_classes))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of ``(batch, channels, frames, height, width)``."""
        n, channels, frames, height, width = x.shape
        seen = self.frames(x.transpose(1, 2).reshape(n * frames, channels, height, width))
        states, _ = self.memory(seen.view(n, frames, -1))
        return torch.as_tensor(self.head(states[:, -1]))
