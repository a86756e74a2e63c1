"""
RCN: one convolution, then one convolution applied again and again to its own output (Xia et al. 2020).

Source: Revealing the invisible with model and data shrinking, doi:10.1109/TIP.2020.3018222. Small inputs and few weights,
so that a composite of small data sets can train it. Two of its variants: RCN-A weighs places by how much they speak for the
classes, without a weight of its own; RCN-S adds every earlier state to each pass.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmme.models.deep.layers import Dropout

__all__ = ["RCNA", "RCNS"]

MAPS = 32
SIDE = 5


def _convolution(inputs: int, outputs: int, kernel: int, padding: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, padding=padding), nn.BatchNorm2d(outputs), nn.ReLU())


class _Stem(nn.Sequential):
    """One convolution over the image."""

    def __init__(self, channels: int) -> None:
        super().__init__(_convolution(channels, MAPS, 5, 0), nn.MaxPool2d(2), Dropout(0.5))


class RCNA(nn.Module):
    """
    Recurrent convolution with attention from the classes' own weights.

    Parameters
    ----------
    shape
        ``(3, height, width)``; 60 x 60 in the paper.
    n_classes
        Number of logits.

    Examples
    --------
    >>> RCNA((3, 28, 28), 3).eval()(torch.zeros(2, 3, 28, 28)).shape
    torch.Size([2, 3])
    """

    def __init__(self, shape: tuple[int, ...], n_classes: int) -> None:
        super().__init__()
        self.stem = _Stem(shape[0])
        self.first = _convolution(MAPS, MAPS, 1, 0)
        self.again = _convolution(MAPS, MAPS, 3, 1)
        self.end = nn.Sequential(nn.MaxPool2d(2), Dropout(0.5), nn.AdaptiveAvgPool2d(SIDE))
        self.head = nn.Linear(MAPS * SIDE * SIDE, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of ``(batch, 3, height, width)``."""
        x = self.stem(x)
        attention = self._attention(functional.adaptive_avg_pool2d(x, SIDE))
        y = self.first(x)
        for _ in range(2):
            y = self.again(x + y)
        return torch.as_tensor(self.head((self.end(y) * attention).flatten(1)))

    def _attention(self, x: Tensor) -> Tensor:
        """Class activation of each place, 0 to 1 in each image and class, averaged over classes, ``(batch, 1, 5, 5)``."""
        weight = self.head.weight.view(-1, MAPS, SIDE, SIDE)
        active = torch.einsum("bcij,kcij->bkij", x, weight) / MAPS
        low, high = active.amin(dim=(2, 3), keepdim=True), active.amax(dim=(2, 3), keepdim=True)
        return ((active - low) / (high - low).clamp_min(1e-6)).mean(dim=1, keepdim=True)


class RCNS(nn.Module):
    """
    Recurrent convolution with shortcuts from every earlier state.

    Parameters
    ----------
    shape
        ``(3, height, width)``; 60 x 60 in the paper.
    n_classes
        Number of logits.

    Examples
    --------
    >>> RCNS((3, 28, 28), 3).eval()(torch.zeros(2, 3, 28, 28)).shape
    torch.Size([2, 3])
    """

    def __init__(self, shape: tuple[int, ...], n_classes: int) -> None:
        super().__init__()
        self.stem = _Stem(shape[0])
        self.first = _convolution(MAPS, MAPS, 1, 0)
        self.again = _convolution(MAPS, MAPS, 3, 1)
        self.end = nn.Sequential(nn.MaxPool2d(2), Dropout(0.5), nn.AdaptiveAvgPool2d(SIDE))
        self.head = nn.Linear(MAPS * SIDE * SIDE, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of ``(batch, 3, height, width)``."""
        total = x = self.stem(x)
        for layer in (self.first, self.again, self.again):
            total = total + layer(total)
        return torch.as_tensor(self.head(self.end(self.again(total)).flatten(1)))
