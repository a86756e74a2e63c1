"""Temporal convolution on band power over windows (Bai et al. 2018, arXiv:1803.01271)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmme.errors import DataError
from mmme.models.deep.layers import Dropout

__all__ = ["TCN"]

TAPS = 3


class TCN(nn.Module):
    """
    Residual blocks of causal convolutions at doubling distances; the last window's features are classified.

    Parameters
    ----------
    shape
        ``(channels, bands, windows)``.
    n_classes
        Number of logits.
    width
        Features.
    n_blocks
        The last block looks ``2 ** n_blocks`` windows apart.
    dropout
        Share.

    Raises
    ------
    DataError
        If rows have no windows in time.

    Examples
    --------
    >>> TCN((6, 5, 10), 3).eval()(torch.zeros(2, 6, 5, 10)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self, shape: tuple[int, ...], n_classes: int, *, width: int = 32, n_blocks: int = 3, dropout: float = 0.3
    ) -> None:
        super().__init__()
        if len(shape) != 3:
            raise DataError(
                f"TCN: expected rows of channels, bands and windows in time, got {shape}; use dgcnn for one window"
            )
        sizes = [shape[0] * shape[1], *[width] * n_blocks]
        self.blocks = nn.Sequential(*(_Block(sizes[k], width, 2**k, dropout) for k in range(n_blocks)))
        self.head = nn.Linear(width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of ``(batch, channels, bands, windows)``."""
        return torch.as_tensor(self.head(self.blocks(x.flatten(1, 2))[:, :, -1]))


class _Block(nn.Module):
    """Two causal convolutions and a way past them."""

    def __init__(self, size: int, width: int, apart: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Conv1d(size, width, TAPS, dilation=apart)
        self.second = nn.Conv1d(width, width, TAPS, dilation=apart)
        self.past = nn.Conv1d(size, width, 1) if size != width else nn.Identity()
        self.before = (TAPS - 1) * apart
        self.drop, self.drop_second = Dropout(dropout), Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        made = self.drop(torch.relu(self.first(functional.pad(x, (self.before, 0)))))
        made = self.drop_second(torch.relu(self.second(functional.pad(made, (self.before, 0)))))
        return torch.relu(made + self.past(x))
