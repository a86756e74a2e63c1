"""Graph convolution whose graph of channels is learned (Song et al. 2018, doi:10.1109/TAFFC.2018.2817622)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmme.models.deep.layers import Dropout

__all__ = ["DGCNN"]


class DGCNN(nn.Module):
    """
    Chebyshev filters over a learned graph of channels.

    Parameters
    ----------
    shape
        ``(channels, bands)`` or ``(channels, bands, windows)``; windows count as further bands.
    n_classes
        Number of logits.
    width
        Features of a channel.
    order
        Number of Chebyshev polynomials, at least 2.
    dropout
        Share.

    Examples
    --------
    >>> DGCNN((6, 5), 3).eval()(torch.zeros(2, 6, 5)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self, shape: tuple[int, ...], n_classes: int, *, width: int = 32, order: int = 2, dropout: float = 0.5
    ) -> None:
        super().__init__()
        channels, features = shape[0], int(torch.tensor(shape[1:]).prod())
        self.order = order
        self.edges = nn.Parameter(0.1 * torch.rand(channels, channels))
        self.filters = nn.Linear(order * features, width)
        self.drop = Dropout(dropout)
        self.head = nn.Linear(channels * width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of ``(batch, channels, bands)`` or ``(batch, channels, bands, windows)``."""
        x = x.flatten(2)
        weights = torch.relu(self.edges)
        scale = torch.rsqrt(weights.sum(dim=1) + 1e-6)
        # the Laplacian less the identity, which lies within -1 and 1 as Chebyshev polynomials ask
        shifted = -scale[:, None] * weights * scale[None, :]
        terms = [x, shifted @ x]
        while len(terms) < self.order:
            terms.append(2 * shifted @ terms[-1] - terms[-2])
        made = torch.relu(self.filters(torch.cat(terms, dim=2)))
        return torch.as_tensor(self.head(self.drop(made.flatten(1))))
