"""
Contrastive pre-training: features under which the two halves of one row are more alike than halves of different rows.

InfoNCE, van den Oord et al. (2018), arXiv:1807.03748, in both directions as in Radford et al. (2021), arXiv:2103.00020.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmme.models.deep.layers import Dropout

__all__ = ["ContrastiveFusion", "pair_loss"]


class ContrastiveFusion(nn.Module):
    """
    One encoder per modality and a linear head on their features; those of a missing modality are 0.

    Parameters
    ----------
    sizes
        Columns of each modality, of at least 2.
    n_classes
        Logits.
    width
        Features of each modality.
    dropout
        Inside the encoders.
    sharpness
        Inverse of InfoNCE's temperature.
    """

    def __init__(self, sizes: Sequence[int], n_classes: int, *, width: int, dropout: float, sharpness: float = 5.0) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(
            nn.Sequential(nn.Linear(size, 2 * width), nn.ReLU(), Dropout(dropout), nn.Linear(2 * width, width))
            for size in sizes
        )
        self.head = nn.Linear(len(sizes) * width, n_classes)
        self.width, self.sharpness = width, sharpness

    def features(self, parts: Sequence[Tensor], there: Tensor) -> Tensor:
        """Features of length 1 of each modality, ``(n, n_modalities, width)``; 0 where it is missing."""
        coded = [functional.normalize(encoder(part), dim=1) for encoder, part in zip(self.encoders, parts, strict=True)]
        return torch.stack(coded, dim=1) * there[:, :, None]

    def forward(self, parts: Sequence[Tensor], there: Tensor) -> Tensor:
        """Logits ``(n, n_classes)`` from ``(n, columns)`` of each modality and which are there ``(n, n_modalities)``."""
        # components of vectors of length 1 are small; the head learns at the scale of ordinary columns
        return self.head(self.features(parts, there).flatten(1) * self.width**0.5)

    def pretraining_loss(self, parts: Sequence[Tensor], there: Tensor, block: Tensor) -> Tensor:
        """InfoNCE over all pairs of modalities; rows of other blocks (subjects) are no negatives."""
        coded = self.features(parts, there)
        total = coded.sum() * 0.0
        for a, b in combinations(range(coded.shape[1]), 2):
            both = (there[:, a] * there[:, b]) > 0
            if int(both.sum()) > 1:
                total = total + pair_loss(coded[both, a], coded[both, b], block[both], self.sharpness)
        return total


def pair_loss(first: Tensor, second: Tensor, block: Tensor, sharpness: float) -> Tensor:
    """
    Symmetric InfoNCE of rows ``(n, width)`` of length 1 within blocks ``(n,)``.

    Whose row it is would be the easiest thing to match, and says nothing of the expression; so a row is compared with
    rows of its own subject only.
    """
    alike = sharpness * first @ second.T
    alike = alike.masked_fill(block[:, None] != block[None, :], -torch.inf)
    own = torch.arange(len(first), device=first.device)
    return (functional.cross_entropy(alike, own) + functional.cross_entropy(alike.T, own)) / 2
