"""
Cross-attention both ways: each modality asks the others what belongs to what it shows.

Queries from one modality, keys and values from the others, as in Tsai et al. (2019), arXiv:1906.00295, with few tokens
instead of long sequences.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmme.models.deep.layers import Dropout

__all__ = ["CrossAttention"]


class CrossAttention(nn.Module):
    """
    A few tokens per modality, each looking at the tokens of all others, then averaged per modality and classified.

    Parameters
    ----------
    sizes
        Columns of each modality.
    n_classes
        Logits.
    width
        Features of a token.
    dropout
        Of tokens and of what is classified.
    n_tokens
        Tokens of each modality.
    """

    def __init__(self, sizes: Sequence[int], n_classes: int, *, width: int, dropout: float, n_tokens: int = 4) -> None:
        super().__init__()
        self.n_tokens, self.width = n_tokens, width
        self.encoders = nn.ModuleList(
            nn.Sequential(nn.Linear(size, n_tokens * width), nn.ReLU(), Dropout(dropout)) for size in sizes
        )
        self.queries = nn.ModuleList(nn.Linear(width, width) for _ in sizes)
        self.keys = nn.ModuleList(nn.Linear(width, width) for _ in sizes)
        self.values = nn.ModuleList(nn.Linear(width, width) for _ in sizes)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in sizes)
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(len(sizes) * width, n_classes)

    def forward(self, parts: Sequence[Tensor], there: Tensor) -> Tensor:
        """Logits ``(n, n_classes)`` from ``(n, columns)`` of each modality and which are there ``(n, n_modalities)``."""
        shape = (len(there), self.n_tokens, self.width)
        tokens = [encoder(part).reshape(shape) for encoder, part in zip(self.encoders, parts, strict=True)]
        keys = torch.stack([key(t) for key, t in zip(self.keys, tokens, strict=True)], dim=1)
        values = torch.stack([value(t) for value, t in zip(self.values, tokens, strict=True)], dim=1)
        pooled = []
        for m, own in enumerate(tokens):
            others = there.clone()
            others[:, m] = 0.0
            score = torch.einsum("ntw,nmsw->ntms", self.queries[m](own), keys) / self.width**0.5
            score = score.masked_fill(others[:, None, :, None] == 0, -1e9).flatten(2)
            seen = torch.einsum("nts,nsw->ntw", score.softmax(dim=2), values.flatten(1, 2))
            seen = seen * (others.sum(dim=1) > 0)[:, None, None]  # nobody to ask: a token stays as it is
            pooled.append(self.norms[m](own + seen).mean(dim=1) * there[:, m, None])
        return self.head(self.dropout(torch.cat(pooled, dim=1)))
