"""
Networks that read a course of values and say at every moment what it is: the middle, the inside or an end of an expression.

All are short, keep the number of moments, and differ only in how they look around. None looks beyond a few seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn

from mmme.models.deep.layers import Dropout
from mmme.models.deep.region_graph import region_prior

__all__ = ["BACKBONES", "ConvolutionalSpotter", "GraphSpotter", "RecurrentSpotter", "ThreeStreamSpotter", "WindowSpotter"]

WIDTH = 48
#: Distances of the taps [moments]: at 30 Hz the last layer looks half a second, all of them together a second each way.
DILATIONS = (1, 2, 4, 8, 16)


class _Block(nn.Module):
    """A dilated convolution in time beside its input."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(width, width, 1)
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Keep ``(batch, width, moments)``."""
        return x + self.drop(self.mix(torch.relu(self.conv(x))))


class ConvolutionalSpotter(nn.Module):
    """
    Dilated convolutions in time over all columns (ABPN and MESNet family; doi:10.1145/3503161.3551599).

    Parameters
    ----------
    n_columns, n_outputs
        Of a moment.
    dropout
        Share.

    Examples
    --------
    >>> ConvolutionalSpotter(24, 8).eval()(torch.zeros(2, 24, 100)).shape
    torch.Size([2, 8, 100])
    """

    def __init__(self, n_columns: int, n_outputs: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.first = nn.Conv1d(n_columns, WIDTH, 3, padding=1)
        self.blocks = nn.Sequential(*(_Block(WIDTH, d, dropout) for d in DILATIONS))
        self.head = nn.Conv1d(WIDTH, n_outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(batch, n_outputs, moments)`` of ``(batch, n_columns, moments)``."""
        return torch.as_tensor(self.head(self.blocks(torch.relu(self.first(x)))))


class GraphSpotter(nn.Module):
    """
    A graph over the regions of the face before the convolutions, joined where action units go together.

    After Yin et al. 2023 (AUW-GCN), arXiv:2303.09114. It reads what `mmme.models.deep.spotter.course_inputs` makes: values
    region by region, their steps region by region, and one row of what is known. Values that do not divide by the number
    of regions are read as one region, without a graph.

    Parameters
    ----------
    n_columns, n_outputs
        Of a moment.
    dropout
        Share.

    Examples
    --------
    >>> GraphSpotter(49, 8).eval()(torch.zeros(2, 49, 100)).shape
    torch.Size([2, 8, 100])
    """

    def __init__(self, n_columns: int, n_outputs: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        prior = region_prior()
        self.values = (n_columns - 1) // 2
        self.regions = len(prior) if self.values and self.values % len(prior) == 0 else 1
        each = 2 * self.values // self.regions
        self.joined = nn.Parameter(prior / prior.sum(dim=1, keepdim=True) if self.regions > 1 else torch.ones(1, 1))
        self.own, self.near = nn.Linear(each, 8), nn.Linear(each, 8)
        self.rest = ConvolutionalSpotter(16 * self.regions + n_columns - 2 * self.values, n_outputs, dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Logits as of `ConvolutionalSpotter`."""
        batch, _, moments = x.shape
        values, steps, known = x[:, : self.values], x[:, self.values : 2 * self.values], x[:, 2 * self.values :]
        of_regions = [part.reshape(batch, self.regions, -1, moments) for part in (values, steps)]
        nodes = torch.cat(of_regions, dim=2).permute(0, 3, 1, 2)
        near = self.near(torch.einsum("rs,bmsc->bmrc", self.joined, nodes))
        seen = torch.relu(torch.cat([self.own(nodes), near], dim=3)).flatten(2).transpose(1, 2)
        return torch.as_tensor(self.rest(torch.cat([seen, known], dim=1)))


class RecurrentSpotter(nn.Module):
    """
    A recurrent network in both directions (after Verburg & Menkovski 2019, arXiv:1903.10765, there on histograms of flow).

    Parameters
    ----------
    n_columns, n_outputs
        Of a moment.
    dropout
        Share.

    Examples
    --------
    >>> RecurrentSpotter(24, 8).eval()(torch.zeros(2, 24, 100)).shape
    torch.Size([2, 8, 100])
    """

    def __init__(self, n_columns: int, n_outputs: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.first = nn.Conv1d(n_columns, WIDTH, 3, padding=1)
        self.both = nn.GRU(WIDTH, WIDTH // 2, batch_first=True, bidirectional=True)
        self.drop = Dropout(dropout)
        self.head = nn.Conv1d(WIDTH, n_outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits as of `ConvolutionalSpotter`."""
        seen, _ = self.both(torch.relu(self.first(x)).transpose(1, 2))
        return torch.as_tensor(self.head(self.drop(seen).transpose(1, 2)))


class WindowSpotter(nn.Module):
    """
    Attention within windows of 32 moments, shifted by half in every second layer (idea of SL-Swin).

    Source: doi:10.3390/electronics12122656.

    Parameters
    ----------
    n_columns, n_outputs
        Of a moment.
    dropout
        Share.

    Examples
    --------
    >>> WindowSpotter(24, 8).eval()(torch.zeros(2, 24, 100)).shape
    torch.Size([2, 8, 100])
    """

    WINDOW = 32

    def __init__(self, n_columns: int, n_outputs: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.first = nn.Conv1d(n_columns, WIDTH, 5, padding=2)
        self.place = nn.Parameter(torch.zeros(self.WINDOW, WIDTH))
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(8))
        self.looks = nn.ModuleList(nn.MultiheadAttention(WIDTH, 4, batch_first=True) for _ in range(4))
        self.mixes = nn.ModuleList(nn.Sequential(nn.Linear(WIDTH, 96), nn.GELU(), nn.Linear(96, WIDTH)) for _ in range(4))
        self.drop = Dropout(dropout)
        self.head = nn.Conv1d(WIDTH, n_outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits as of `ConvolutionalSpotter`."""
        seen = torch.relu(self.first(x)).transpose(1, 2)
        batch, moments, width = seen.shape
        for k, (look, mix) in enumerate(zip(self.looks, self.mixes, strict=True)):
            before = self.WINDOW // 2 if k % 2 else 0
            after = -(moments + before) % self.WINDOW
            windows = nn.functional.pad(self.norms[2 * k](seen), (0, 0, before, after)).reshape(-1, self.WINDOW, width)
            windows = windows + self.place
            near, _ = look(windows, windows, windows, need_weights=False)
            seen = seen + self.drop(near.reshape(batch, -1, width)[:, before : before + moments])
            seen = seen + self.drop(mix(self.norms[2 * k + 1](seen)))
        return torch.as_tensor(self.head(seen.transpose(1, 2)))


class ThreeStreamSpotter(nn.Module):
    """
    Three shallow streams with 3, 5 and 8 maps over the same course (idea of SOFTNet, arXiv:2106.06489, there on images).

    Parameters
    ----------
    n_columns, n_outputs
        Of a moment.
    dropout
        Share.

    Examples
    --------
    >>> ThreeStreamSpotter(24, 8).eval()(torch.zeros(2, 24, 100)).shape
    torch.Size([2, 8, 100])
    """

    def __init__(self, n_columns: int, n_outputs: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.streams = nn.ModuleList(nn.Conv1d(n_columns, maps, 31, padding=15) for maps in (3, 5, 8))
        self.drop = Dropout(dropout)
        self.dense, self.head = nn.Conv1d(16, 64, 1), nn.Conv1d(64, n_outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits as of `ConvolutionalSpotter`."""
        seen = torch.relu(torch.cat([stream(x) for stream in self.streams], dim=1))
        return torch.as_tensor(self.head(self.drop(torch.relu(self.dense(seen)))))


#: By the name of the spotter.
BACKBONES: Mapping[str, Callable[[int, int], nn.Module]] = MappingProxyType(
    {
        "temporal-convolution": ConvolutionalSpotter,
        "region-graph-spotter": GraphSpotter,
        "recurrent": RecurrentSpotter,
        "window-transformer": WindowSpotter,
        "three-stream": ThreeStreamSpotter,
    }
)
