"""
EMR: a network whose features are pooled over parts of the face (Liu et al. 2019, doi:10.1109/FG.2019.8756583).

The recogniser that won MEGC2019 pools the upper and the lower face by themselves and adapts from macro-expressions in two
ways: by an adversary that shall not tell the kinds apart, and by magnifying micro- and reducing macro-expressions. Tables
of micro-expressions alone hold no macro-expressions to adapt from. What remains of the second way is here: in training each
row is shown a second time with its motion magnified, and must get the same class.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmme.models.deep.layers import Dropout

__all__ = ["EMR"]

MAPS = (16, 32)
MAGNIFIED = 2.0


class EMR(nn.Module):
    """
    Convolutions pooled over the upper and the lower half of the face.

    Parameters
    ----------
    shape
        ``(3, height, width)``, the whole face from above the eyebrows to the chin.
    n_classes
        Number of logits.
    magnify
        Show motion magnified by 2 as well in training: logits are then the mean of both views.

    Examples
    --------
    >>> EMR((3, 28, 28), 3).eval()(torch.zeros(2, 3, 28, 28)).shape
    torch.Size([2, 3])
    """

    def __init__(self, shape: tuple[int, ...], n_classes: int, *, magnify: bool = True) -> None:
        super().__init__()
        first, second = MAPS
        self.magnify = magnify
        self.features = nn.Sequential(
            nn.Conv2d(shape[0], first, 3, padding=1),
            nn.BatchNorm2d(first),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(first, second, 3, padding=1),
            nn.BatchNorm2d(second),
            nn.ReLU(),
        )
        self.parts = nn.AdaptiveAvgPool2d((2, 2))  # rows: upper and lower face; columns keep its sides apart
        self.head = nn.Sequential(Dropout(0.5), nn.Linear(4 * second, n_classes))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of ``(batch, channels, height, width)``."""
        plain = self._logits(x)
        return (plain + self._logits(MAGNIFIED * x)) / 2 if self.training and self.magnify else plain

    def _logits(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.head(self.parts(self.features(x)).flatten(1)))
