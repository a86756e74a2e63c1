"""
A clip from one flow image, so that networks of clips can be set beside those of images.

Motion from onset to apex is taken to grow evenly: frame k shows the share k / n of it. A network gains nothing from such a
clip that the image does not hold; its figure says how the architecture does, not what a clip is worth.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmme.models.deep.training import Build

__all__ = ["Ramp", "on_ramp"]

FRAMES = 4


class Ramp(nn.Module):
    """
    Show one image as frames of growing motion.

    Examples
    --------
    >>> Ramp(nn.Identity())(torch.ones(1, 3, 2, 2))[0, 0, :, 0, 0].tolist()
    [0.25, 0.5, 0.75, 1.0]
    """

    def __init__(self, network: nn.Module, frames: int = FRAMES) -> None:
        super().__init__()
        self.network = network
        self.share: Tensor
        self.register_buffer("share", (torch.arange(frames) + 1) / frames, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of ``(batch, channels, height, width)``."""
        return torch.as_tensor(self.network(x[:, :, None] * self.share.view(1, 1, -1, 1, 1)))


def on_ramp(build: Build) -> Build:
    """Return how to build a network of clips for images."""

    def built(shape: tuple[int, ...], n_classes: int) -> nn.Module:
        channels, height, width = shape
        return Ramp(build((channels, FRAMES, height, width), n_classes))

    return built
