"""
SLSTT: a transformer over patches of flow, near ones first (Zhang et al. 2022, doi:10.1109/TAFFC.2022.3213509).

Short- and long-range relations: early layers attend to neighbouring patches, later ones to the whole face. The paper reads
the flow of many frames and joins them by an LSTM; one flow image from onset to apex has nothing to join.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmme.errors import DataError
from mmme.models.deep.layers import Dropout

__all__ = ["SLSTT"]

PATCH = 4


class _Layer(nn.Module):
    """Multi-head attention, within a distance if one is given, and a dense part."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.out_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.dense = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), Dropout(dropout), nn.Linear(2 * width, width), Dropout(dropout)
        )

    def forward(self, x: Tensor, far: Tensor | None) -> Tensor:
        """``(batch, tokens, width)``; ``far`` marks pairs that do not see each other."""
        n, tokens, width = x.shape
        parts = self.query_key_value(self.norm(x)).view(n, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = parts[0], parts[1], parts[2]
        score = query @ key.transpose(-1, -2) * (width // self.heads) ** -0.5
        if far is not None:
            score = score.masked_fill(far, float("-inf"))
        seen = (torch.softmax(score, dim=-1) @ value).transpose(1, 2).reshape(n, tokens, width)
        x = x + self.out(seen)
        return torch.as_tensor(x + self.dense(self.out_norm(x)))


class SLSTT(nn.Module):
    """
    Short- and long-range transformer on one flow image.

    Parameters
    ----------
    shape
        ``(3, height, width)``, sides multiples of 4.
    n_classes
        Number of logits.
    width, heads
        Of a token, and of each layer.
    near, whole
        Layers that see neighbouring patches only, and layers that see all.

    Examples
    --------
    >>> SLSTT((3, 28, 28), 3).eval()(torch.zeros(2, 3, 28, 28)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        n_classes: int,
        width: int = 48,
        heads: int = 4,
        near: int = 1,
        whole: int = 2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if shape[1] % PATCH or shape[2] % PATCH:
            raise DataError(f"SLSTT: expected sides that are multiples of {PATCH} px, got {shape[1]} x {shape[2]}")
        rows, columns = shape[1] // PATCH, shape[2] // PATCH
        self.patches = nn.Conv2d(shape[0], width, PATCH, stride=PATCH)
        self.place = nn.Parameter(0.02 * torch.randn(1, rows * columns, width))
        self.near = nn.ModuleList([_Layer(width, heads, dropout) for _ in range(near)])
        self.whole = nn.ModuleList([_Layer(width, heads, dropout) for _ in range(whole)])
        self.head = nn.Sequential(nn.LayerNorm(width), Dropout(dropout), nn.Linear(width, n_classes))
        row, column = torch.arange(rows).repeat_interleave(columns), torch.arange(columns).repeat(rows)
        distance = torch.maximum((row[:, None] - row).abs(), (column[:, None] - column).abs())
        self.register_buffer("far", distance > 1, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of ``(batch, 3, height, width)``."""
        x = self.patches(x).flatten(2).transpose(1, 2) + self.place
        for layer in self.near:
            x = layer(x, self.far)
        for layer in self.whole:
            x = layer(x, None)
        return torch.as_tensor(self.head(x.mean(dim=1)))
