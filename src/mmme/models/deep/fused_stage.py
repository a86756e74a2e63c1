"""
Convolution, rectification, batch normalisation and largest-of-window in one pass, for shallow networks on images.

In a network of one convolution nearly all time goes into carrying its maps to memory and back, once per layer. Here an
image's maps stay in the cache from the convolution to the sums. Two facts make that possible: the largest of a window
commutes with a normalisation, so only one value of nine is normalised; and the gradient through a batch normalisation is,
at every position, a constant plus a multiple of the value itself. The numbers are those of the plain layers to rounding
(tests/models/deep/test_fused_stage.py); what it is worth is measured by benchmarks/ststnet_loso.py.
"""

from __future__ import annotations

from copy import copy
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mmme.errors import DataError

__all__ = ["StageImages", "pooled_maps"]

Singles = NDArray[np.float32]

CHANNELS = 3
SIDE = 3
PADDING = 2
#: Sums may be formed in any order, and inputs are numbers: the trainer has looked.
FAST = {"contract", "reassoc", "nsz", "nnan"}
NOWHERE = -1e30


class StageImages:
    """
    Images of a training, laid out for `pooled_maps` once.

    A map is kept as rows of the windows of ``MaxPool2d(3, stride=3, padding=1)``: its first row and column are the padding.

    Parameters
    ----------
    images : (n, 3, height, width) float32
        Scaled.

    Attributes
    ----------
    windows
        Rows and columns of windows.
    n_positions
        Positions of a map.

    Raises
    ------
    DataError
        If images have not three channels or are not single precision.

    Examples
    --------
    >>> images = StageImages(torch.zeros(4, 3, 28, 28))
    >>> len(images[torch.tensor([2, 0])]), images.windows
    (2, (10, 10))
    """

    def __init__(self, images: Tensor) -> None:
        if images.ndim != 4 or images.shape[1] != CHANNELS or images.dtype != torch.float32:
            raise DataError(
                f"images of a shallow network: expected float32 of shape (n, {CHANNELS}, height, width), got "
                f"{images.dtype} of shape {tuple(images.shape)}"
            )
        rows, columns = (side + 2 * PADDING - SIDE + 1 for side in images.shape[2:])
        self.windows = ((rows - 1) // SIDE + 1, (columns - 1) // SIDE + 1)
        self.n_positions = rows * columns
        self.shape = (max(self.windows[0] * SIDE, rows + 1), max(self.windows[1] * SIDE, columns + 1))
        self.images = np.zeros((len(images), CHANNELS, self.shape[0] + 2, self.shape[1] + 2), dtype=np.float32)
        self.images[:, :, 1 + PADDING : 1 + PADDING + images.shape[2], 1 + PADDING : 1 + PADDING + images.shape[3]] = images
        inside = np.zeros(self.shape, dtype=np.float32)
        inside[1 : rows + 1, 1 : columns + 1] = 1
        self.inside = inside.ravel()
        self.rows = np.arange(len(images))
        self._room: dict[int, Tensor] = {}

    def __len__(self) -> int:
        """How many images."""
        return len(self.rows)

    def __getitem__(self, rows: Tensor) -> StageImages:
        """Take some of the images; nothing is copied."""
        some = copy(self)
        some.rows = self.rows[rows.numpy()]
        return some

    def room(self, n_maps: int) -> Tensor:
        """Memory for the maps of these images, ``(n, n_maps, n_places)``, the same in every step."""
        if n_maps not in self._room or len(self._room[n_maps]) < len(self):
            self._room[n_maps] = torch.empty(len(self), n_maps, len(self.inside))
        return self._room[n_maps][: len(self)]


@numba.njit(fastmath=FAST, cache=True)  # type: ignore[untyped-decorator]
def _cut(image: Singles, height: int, width: int, patches: Singles) -> None:
    """Patches of one image, one row per tap; the last row, which says what lies inside, stays."""
    for channel in range(CHANNELS):
        for down in range(SIDE):
            for right in range(SIDE):
                taps = patches[(channel * SIDE + down) * SIDE + right]
                for i in range(height):
                    line = image[channel, i + down]
                    for j in range(width):
                        taps[i * width + j] = line[j + right]


@numba.njit(fastmath=FAST, cache=True)  # type: ignore[untyped-decorator]
def _largest(
    values: Singles, width: int, best: Singles, at: NDArray[np.int32], largest: Singles, place: NDArray[np.int32]
) -> None:
    """Largest of each 3 x 3 window of one map, and its place."""
    n_rows, n_columns = largest.shape
    for i in range(n_rows):
        start = SIDE * i * width
        for j in range(width):
            first, second, third = start + j, start + width + j, start + 2 * width + j
            a, b, c = values[first], values[second], values[third]
            where = second if b > a else first
            top = max(a, b)
            at[j] = third if c > top else where
            best[j] = max(top, c)
        for j in range(n_columns):
            a, b, c = best[SIDE * j], best[SIDE * j + 1], best[SIDE * j + 2]
            where = at[SIDE * j + 1] if b > a else at[SIDE * j]
            top = max(a, b)
            place[i, j] = at[SIDE * j + 2] if c > top else where
            largest[i, j] = max(top, c)


@numba.njit(fastmath=FAST, cache=True)  # type: ignore[untyped-decorator]
def _forward(
    images: Singles,
    rows: NDArray[np.intp],
    taps: Singles,
    falling: NDArray[np.bool_],
    inside: Singles,
    shape: tuple[int, int],
    maps: Singles,
    largest: Singles,
    place: NDArray[np.int32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rectified maps, largest values (smallest in falling maps) and their places; sums and sums of squares of each map."""
    n_maps, n_places = maps.shape[1:]
    total, square = np.zeros(n_maps), np.zeros(n_maps)
    patches, turned = np.empty((taps.shape[1], n_places), np.float32), np.empty(n_places, np.float32)
    patches[-1] = inside
    best, at = np.empty(shape[1], np.float32), np.empty(shape[1], np.int32)
    for n in range(len(rows)):
        _cut(images[rows[n]], shape[0], shape[1], patches)
        np.dot(taps, patches, maps[n])
        for k in range(n_maps):
            values = maps[n, k]
            sum_, sum_of_squares = np.float32(0), np.float32(0)
            for q in range(n_places):
                value = max(values[q], np.float32(0))
                values[q] = value
                sum_ += value
                sum_of_squares += value * value
            total[k] += sum_
            square[k] += sum_of_squares
            if falling[k]:
                for q in range(n_places):
                    turned[q] = -values[q] if inside[q] > 0 else np.float32(NOWHERE)
                _largest(turned, shape[1], best, at, largest[n, k], place[n, k])
                for i in range(largest.shape[2]):
                    for j in range(largest.shape[3]):
                        largest[n, k, i, j] = -largest[n, k, i, j]
            else:
                _largest(values, shape[1], best, at, largest[n, k], place[n, k])
    return total, square


@numba.njit(fastmath=FAST, cache=True)  # type: ignore[untyped-decorator]
def _backward(
    images: Singles,
    rows: NDArray[np.intp],
    inside: Singles,
    shape: tuple[int, int],
    maps: Singles,
    place: NDArray[np.int32],
    gradient: Singles,
    factor: Singles,
    slope: Singles,
    constant: Singles,
) -> NDArray[np.float64]:
    """Gradient by the taps of the convolution, the last of which is its bias."""
    n_maps, n_places = maps.shape[1:]
    n_taps = CHANNELS * SIDE * SIDE + 1
    by_taps, own = np.zeros((n_maps, n_taps)), np.empty((n_maps, n_taps), np.float32)
    patches, change = np.empty((n_taps, n_places), np.float32), np.empty((n_maps, n_places), np.float32)
    patches[-1] = inside
    for n in range(len(rows)):
        _cut(images[rows[n]], shape[0], shape[1], patches)
        for k in range(n_maps):
            values, d, a, b, f = maps[n, k], change[k], constant[k], slope[k], factor[k]
            for q in range(n_places):
                d[q] = a + b * values[q] if values[q] > 0 else np.float32(0)
            winners, own_gradient = place[n, k], gradient[n, k]
            for w in range(len(winners)):
                q = winners[w]
                d[q] += f * own_gradient[w] if values[q] > 0 else np.float32(0)
        np.dot(change, patches.T, own)
        for k in range(n_maps):
            for t in range(n_taps):
                by_taps[k, t] += own[k, t]
    return by_taps


class _PooledMaps(torch.autograd.Function):
    """Normalised largest values of windows, ``(n, n_maps, n_windows)``, and the mean and variance of the maps."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> tuple[Tensor, Tensor, Tensor]:
        images, taps, scale, shift, eps = inputs
        n, n_maps = len(images), len(scale)
        maps, largest = images.room(n_maps), torch.empty(n, n_maps, *images.windows)
        place = torch.empty(n, n_maps, *images.windows, dtype=torch.int32)
        total, square = _forward(
            images.images,
            images.rows,
            taps.numpy(),
            (scale < 0).numpy(),  # a falling normalisation makes the smallest value the largest
            images.inside,
            images.shape,
            maps.numpy(),
            largest.numpy(),
            place.numpy(),
        )
        count = n * images.n_positions
        mean = torch.from_numpy((total / count).astype(np.float32))
        variance = torch.from_numpy(np.maximum(square / count - (total / count) ** 2, 0).astype(np.float32))
        spread = torch.rsqrt(variance + eps)
        torch.autograd.graph.increment_version(maps)  # so that a gradient taken too late is refused
        ctx.save_for_backward(maps, place.flatten(2), largest.flatten(2), mean, spread, scale)
        ctx.images = images
        ctx.mark_non_differentiable(mean, variance)
        slope = scale * spread
        values = torch.addcmul((shift - mean * slope)[:, None], largest.flatten(2), slope[:, None])
        return values, mean, variance

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        maps, place, largest, mean, spread, scale = ctx.saved_tensors
        images, gradient = ctx.images, gradients[0].contiguous()
        count = len(images) * images.n_positions
        by_shift = gradient.sum(dim=(0, 2))
        by_scale = spread * ((gradient * largest).sum(dim=(0, 2)) - mean * by_shift)
        factor = scale * spread
        slope = -factor * spread * by_scale / count
        constant = -factor * by_shift / count - slope * mean
        by_taps = _backward(
            images.images,
            images.rows,
            images.inside,
            images.shape,
            maps.numpy(),
            place.numpy(),
            gradient.numpy(),
            factor.numpy(),
            slope.numpy(),
            constant.numpy(),
        )
        return None, torch.from_numpy(by_taps.astype(np.float32)), by_scale, by_shift, None


def pooled_maps(images: StageImages, convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    """
    Do what ``MaxPool2d(3, stride=3, padding=1)(norm(relu(convolution(images))))`` does in training.

    The maps of a step lie in memory that the next step uses again: take the gradient of one step before the next begins.

    Parameters
    ----------
    images
        Of the step.
    convolution
        3 x 3 over three channels with a bias, padding 2.
    norm
        Its running mean and variance move on as in a plain step.

    Returns
    -------
    Tensor
        ``(n, n_maps, rows, columns)``.
    """
    if convolution.bias is None or norm.momentum is None:
        raise DataError("a shallow network: expected a convolution with a bias and a norm with a momentum, got none")
    taps = torch.cat([convolution.weight.flatten(1), convolution.bias[:, None]], dim=1)
    values, mean, variance = _PooledMaps.apply(images, taps, norm.weight, norm.bias, norm.eps)  # type: ignore[no-untyped-call]
    if norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None:
        with torch.no_grad():
            count = len(images) * images.n_positions
            norm.num_batches_tracked.add_(1)
            norm.running_mean.lerp_(mean, norm.momentum)
            norm.running_var.lerp_(variance * (count / (count - 1)), norm.momentum)
    return torch.as_tensor(values.unflatten(2, images.windows))
