"""
A graph over regions of the face, joined where action units go together (AU-GACN family).

Sources of the idea: Xie et al. 2020, AU-assisted graph attention convolutional network, doi:10.1145/3394171.3414012; Lei et
al. 2021, AU-GCN, doi:10.1109/CVPRW53098.2021.00173. Nodes are the twelve regions of `mmme.features.face.regions`; two are
joined when an action unit moves both, or two units that often come together move them (6 with 12, 4 with 9, 15 with 17);
the network may strengthen or weaken each pair.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmme.features.face.regions import REGIONS
from mmme.models.deep.layers import Dropout

__all__ = ["JOINED", "PLACES", "RegionGraph", "RegionGraphOfFlow", "region_prior"]

NAMES = tuple(REGIONS)
#: Regions that action units move together; the other side of the face is joined likewise.
JOINED = (
    ("brow-inner", "brow-right"),  # AU1, AU4
    ("brow-inner", "brow-left"),
    ("brow-right", "brow-left"),
    ("brow-inner", "nose-right"),  # AU4 with AU9
    ("brow-inner", "nose-left"),
    ("cheek-right", "cheek-left"),
    ("cheek-right", "mouth-right"),  # AU6 with AU12
    ("cheek-left", "mouth-left"),
    ("nose-right", "nose-left"),
    ("nose-right", "lip-upper"),  # AU9, AU10
    ("nose-left", "lip-upper"),
    ("mouth-right", "mouth-left"),
    ("mouth-right", "lip-lower"),
    ("mouth-left", "lip-lower"),
    ("mouth-right", "chin"),  # AU15 with AU17
    ("mouth-left", "chin"),
    ("lip-upper", "lip-lower"),  # AU25
    ("lip-lower", "chin"),
)
#: Middle of each region on an aligned face from the hairline to the chin, as shares of width and height.
PLACES = {
    "brow-inner": (0.50, 0.28),
    "brow-right": (0.30, 0.26),
    "brow-left": (0.70, 0.26),
    "cheek-right": (0.27, 0.55),
    "cheek-left": (0.73, 0.55),
    "nose-right": (0.40, 0.55),
    "nose-left": (0.60, 0.55),
    "mouth-right": (0.36, 0.76),
    "mouth-left": (0.64, 0.76),
    "lip-upper": (0.50, 0.70),
    "lip-lower": (0.50, 0.80),
    "chin": (0.50, 0.90),
}
BOX = 0.25  # side of a region, as a share of the face
CELLS = 2  # each region of an image is averaged over so many cells in each direction


def region_prior() -> Tensor:
    """Join regions that action units move together, and each with itself, ``(n_regions, n_regions)``."""
    joined = torch.eye(len(NAMES))
    for one, other in JOINED:
        a, b = NAMES.index(one), NAMES.index(other)
        joined[a, b] = joined[b, a] = 1.0
    return joined


class _Graph(nn.Module):
    """Two graph convolutions over regions and a readout of all of them."""

    def __init__(self, inputs: int, n_classes: int, width: int) -> None:
        super().__init__()
        self.prior: Tensor
        self.register_buffer("prior", region_prior(), persistent=False)
        self.change = nn.Parameter(torch.zeros(len(NAMES), len(NAMES)))
        self.layers = nn.ModuleList([nn.Linear(inputs, width), nn.Linear(width, width)])
        self.own = nn.ModuleList([nn.Linear(inputs, width), nn.Linear(width, width)])
        self.dropout = Dropout(0.5)
        self.head = nn.Linear(len(NAMES) * width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of ``(batch, regions, values)``."""
        change = (self.change + self.change.T) / 2
        weight = torch.relu(self.prior + change)
        degree = weight.sum(dim=1).clamp_min(1e-6).rsqrt()
        weight = degree[:, None] * weight * degree
        for layer, own in zip(self.layers, self.own, strict=True):
            x = torch.relu(weight @ layer(x) + own(x))
        return torch.as_tensor(self.head(self.dropout(x.flatten(1))))


class RegionGraph(nn.Module):
    """
    Graph over regions whose nodes are their motion in time.

    Parameters
    ----------
    shape
        ``(2, frames, 12)``: horizontal and vertical motion of each region.
    n_classes
        Number of logits.
    width
        Values per node.

    Examples
    --------
    >>> RegionGraph((2, 16, 12), 3).eval()(torch.zeros(4, 2, 16, 12)).shape
    torch.Size([4, 3])
    """

    def __init__(self, shape: tuple[int, ...], n_classes: int, width: int = 32) -> None:
        super().__init__()
        self.graph = _Graph(shape[0] * shape[1], n_classes, width)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of ``(batch, 2, frames, 12)``."""
        return torch.as_tensor(self.graph(x.permute(0, 3, 1, 2).flatten(2)))


class RegionGraphOfFlow(nn.Module):
    """
    Graph over regions whose nodes are means of one flow image in 2 x 2 cells.

    Parameters
    ----------
    shape
        ``(3, height, width)``, the whole face, aligned.
    n_classes
        Number of logits.
    width
        Values per node.

    Examples
    --------
    >>> RegionGraphOfFlow((3, 28, 28), 3).eval()(torch.zeros(4, 3, 28, 28)).shape
    torch.Size([4, 3])
    """

    def __init__(self, shape: tuple[int, ...], n_classes: int, width: int = 32) -> None:
        super().__init__()
        channels, height, wide = shape
        cells = torch.zeros(len(NAMES), CELLS * CELLS, height, wide)
        for k, name in enumerate(NAMES):
            x, y = PLACES[name]
            half_y, half_x = max(CELLS // 2, round(BOX * height / 2)), max(CELLS // 2, round(BOX * wide / 2))
            row = min(max(round(y * height), half_y), height - half_y)
            column = min(max(round(x * wide), half_x), wide - half_x)
            cells[k, 0, row - half_y : row, column - half_x : column] = 1
            cells[k, 1, row - half_y : row, column : column + half_x] = 1
            cells[k, 2, row : row + half_y, column - half_x : column] = 1
            cells[k, 3, row : row + half_y, column : column + half_x] = 1
        self.cells: Tensor
        self.register_buffer("cells", cells / cells.sum(dim=(2, 3), keepdim=True), persistent=False)
        self.graph = _Graph(channels * CELLS * CELLS, n_classes, width)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of ``(batch, 3, height, width)``."""
        means = torch.einsum("nchw,rkhw->nrck", x, self.cells)
        return torch.as_tensor(self.graph(means.flatten(2)))
