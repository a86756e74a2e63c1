"""Layers whose random draws do not depend on how a run is carried out."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

#: One draw of 64 bits decides for four units: shares are kept to 1 in 65,536.
DRAWS = 4
FIRST = -(2**63)

__all__ = ["Dropout", "Prepares", "at_step"]


@runtime_checkable
class Prepares(Protocol):
    """A network that lays training rows out once, for steps that cost less."""

    def prepared(self, X: Tensor) -> Any:
        """From rows ``(n, *shape)`` to what gives, indexed by the rows of a step, an input of the network."""


class Dropout(nn.Module):
    """
    Dropout whose mask follows from seed, step and layer alone.

    `at_step` sets the key before each step. Whether folds are fitted one by one, stacked or on workers, the same step of
    the same seed drops the same units.

    Parameters
    ----------
    share
        Of units that are dropped, 0 to below 1.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.key = 0

    def forward(self, x: Tensor) -> Tensor:
        """Drop and rescale in training; pass through otherwise."""
        if not self.training or self.share == 0:
            return x
        generator = torch.Generator(device="cpu").manual_seed(self.key)
        draws = torch.empty(-(-x.numel() // DRAWS), dtype=torch.int64).random_(FIRST, None, generator=generator)
        draws = draws.view(torch.int16)[: x.numel()].view(x.shape)
        kept = draws >= round(self.share * 2**16) - 2**15
        return x * (kept.to(x.device, x.dtype) * (1 / (1 - self.share)))


def at_step(module: nn.Module, seed: int, step: int) -> None:
    """Key every `Dropout` of a network by seed, step and its own place in the network."""
    layers = (part for part in module.modules() if isinstance(part, Dropout))
    for place, layer in enumerate(layers):
        layer.key = ((seed * 1_000_003 + step) * 1_009 + place) % (2**63)
