"""
Low-rank multimodal fusion: the product of all modalities' features, without ever building it.

Liu et al. (2018), arXiv:1806.00064.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmme.models.deep.layers import Dropout

__all__ = ["LowRankFusion"]


class LowRankFusion(nn.Module):
    """
    Logits from the outer product of the modalities' features, each with a 1 appended, times a weight tensor of low rank.

    The 1 keeps every modality's own features and every smaller product among the inputs; of a missing modality only the 1
    is left, so that the others' products stay.

    Parameters
    ----------
    sizes
        Columns of each modality.
    n_classes
        Logits.
    width
        Features of each modality.
    dropout
        Of the features.
    rank
        Of the weight tensor.
    """

    def __init__(self, sizes: Sequence[int], n_classes: int, *, width: int, dropout: float, rank: int = 4) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(nn.Sequential(nn.Linear(size, width), nn.ReLU(), Dropout(dropout)) for size in sizes)
        self.factors = nn.ParameterList(nn.Parameter(torch.empty(rank, width + 1, n_classes)) for _ in sizes)
        self.share = nn.Parameter(torch.full((rank,), 1 / rank))
        self.bias = nn.Parameter(torch.zeros(n_classes))
        for factor in self.factors:
            nn.init.xavier_normal_(factor)
            with torch.no_grad():
                factor[:, -1] = 1.0  # at first each modality counts by itself

    def forward(self, parts: Sequence[Tensor], there: Tensor) -> Tensor:
        """Logits ``(n, n_classes)`` from ``(n, columns)`` of each modality and which are there ``(n, n_modalities)``."""
        product: Tensor | None = None
        for m, (part, encoder, factor) in enumerate(zip(parts, self.encoders, self.factors, strict=True)):
            features = torch.cat([encoder(part) * there[:, m, None], torch.ones_like(part[:, :1])], dim=1)
            factored = torch.einsum("nw,rwc->nrc", features, factor)
            product = factored if product is None else product * factored
        assert product is not None
        return torch.einsum("nrc,r->nc", product, self.share) + self.bias
