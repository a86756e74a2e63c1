"""
EEGNet (Lawhern et al. 2018, doi:10.1088/1741-2552/aace8c), its spatial filters before its temporal ones.

Both convolutions are linear and commute, and channels are many more than spatial filters: mixing channels first leaves
little to convolve in time. Batch statistics of the stage that is skipped follow from products of the input with itself at
all pairs of lags.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mmme.errors import DataError
from mmme.models.deep.layers import Dropout

__all__ = ["EEGNet", "lag_moments"]

MOMENTUM, EPSILON = 0.1, 1e-5
POOL = (4, 8)
LATE_TAPS = 16


class EEGNet(nn.Module):
    """
    Compact convolutional network for EEG.

    Parameters
    ----------
    shape
        ``(channels, times)``, at least 32 times.
    n_classes
        Number of logits.
    taps
        Length of the temporal filters in samples; half a second in the paper.
    n_temporal, n_spatial
        Temporal filters, and spatial filters of each.
    dropout
        Share.
    plain
        Convolve in time first, as published; slower, the same to rounding.

    Raises
    ------
    DataError
        If there are fewer than 32 times.

    Examples
    --------
    >>> EEGNet((6, 128), 3).eval()(torch.zeros(2, 6, 128)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        n_classes: int,
        *,
        taps: int = 64,
        n_temporal: int = 8,
        n_spatial: int = 2,
        dropout: float = 0.5,
        plain: bool = False,
    ) -> None:
        super().__init__()
        channels, times = shape
        if times < POOL[0] * POOL[1]:
            raise DataError(
                f"EEGNet: expected rows of at least {POOL[0] * POOL[1]} times, got {times}; take longer windows"
            )
        maps = n_temporal * n_spatial
        self.plain, self.taps, self.n_spatial = plain, taps, n_spatial
        self.temporal = nn.Conv2d(1, n_temporal, (1, taps), bias=False)
        self.norm = nn.BatchNorm2d(n_temporal, eps=EPSILON, momentum=MOMENTUM, track_running_stats=True)
        self.spatial = nn.Conv2d(n_temporal, maps, (channels, 1), groups=n_temporal, bias=False)
        self.norm_spatial = nn.BatchNorm1d(maps)
        self.late = nn.Conv1d(maps, maps, LATE_TAPS, groups=maps, bias=False)
        self.mix = nn.Conv1d(maps, maps, 1, bias=False)
        self.norm_late = nn.BatchNorm1d(maps)
        self.drop, self.drop_late = Dropout(dropout), Dropout(dropout)
        self.head = nn.Linear(maps * (times // POOL[0] // POOL[1]), n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of ``(batch, channels, times)``."""
        padded = functional.pad(x, ((self.taps - 1) // 2, self.taps // 2))
        x = self._time_first(padded) if self.plain else self._space_first(padded, x)
        x = functional.avg_pool1d(functional.elu(self.norm_spatial(x)), POOL[0])
        x = functional.pad(self.drop(x), ((LATE_TAPS - 1) // 2, LATE_TAPS // 2))
        x = functional.elu(self.norm_late(self.mix(self.late(x))))
        return torch.as_tensor(self.head(self.drop_late(functional.avg_pool1d(x, POOL[1])).flatten(1)))

    def _time_first(self, padded: Tensor) -> Tensor:
        return torch.as_tensor(self.spatial(self.norm(self.temporal(padded[:, None])))[:, :, 0])

    def _space_first(self, padded: Tensor, x: Tensor) -> Tensor:
        """Mix channels, convolve in time, and apply what batch normalisation in between would have done."""
        taps, mixing = self.temporal.weight[:, 0, 0], self.spatial.weight[:, 0, :, 0]
        mean, variance = self._statistics(padded, taps, x.shape[0] * x.shape[1] * x.shape[2])
        gain = self.norm.weight / torch.sqrt(variance + EPSILON)
        offset = self.norm.bias - gain * mean
        filters = (gain[:, None] * taps).repeat_interleave(self.n_spatial, dim=0)
        mixed = functional.conv1d(padded, mixing[:, :, None])
        mixed = _in_time(mixed, filters)
        return mixed + (offset.repeat_interleave(self.n_spatial) * mixing.sum(dim=1))[:, None]

    def _statistics(self, padded: Tensor, taps: Tensor, n: int) -> tuple[Tensor, Tensor]:
        """Mean and variance of each temporal filter's output; running ones out of training."""
        running_mean, running_var = self.norm.running_mean, self.norm.running_var
        if running_mean is None or running_var is None or not self.training:
            return torch.as_tensor(running_mean), torch.as_tensor(running_var)
        with torch.no_grad():
            first, second = lag_moments(padded, self.taps)
        mean = taps @ first
        variance = ((taps @ second) * taps).sum(dim=1) - mean**2
        with torch.no_grad():
            running_mean.mul_(1 - MOMENTUM).add_(MOMENTUM * mean)
            running_var.mul_(1 - MOMENTUM).add_(MOMENTUM * variance * (n / (n - 1)))
            if self.norm.num_batches_tracked is not None:
                self.norm.num_batches_tracked.add_(1)
        return mean, variance


def _in_time(x: Tensor, filters: Tensor) -> Tensor:
    """Convolve each map with its own filter, as a product with the filter's shifted copies: one map is too little work."""
    times = x.shape[2] - filters.shape[1] + 1
    shifted = functional.pad(filters, (0, times)).repeat(1, times)[:, : times * x.shape[2]]
    copies = shifted.reshape(len(filters), times, x.shape[2])
    return torch.bmm(x.transpose(0, 1), copies.transpose(1, 2)).transpose(0, 1)


def lag_moments(padded: Tensor, taps: int) -> tuple[Tensor, Tensor]:
    """
    Means of a padded input at each lag, and of its products at each pair of lags.

    Parameters
    ----------
    padded : (batch, channels, times + taps - 1)
        Input with zeros around it.
    taps
        Number of lags.

    Returns
    -------
    first : (taps,)
        Mean over rows, channels and times of the input at each lag.
    second : (taps, taps)
        Mean of products.

    Examples
    --------
    >>> first, second = lag_moments(torch.ones(1, 1, 4), 2)
    >>> first.tolist(), [[round(v, 4) for v in row] for row in second.tolist()]
    ([1.0, 1.0], [[1.0, 1.0], [1.0, 1.0]])
    """
    rows = padded.flatten(0, 1)
    times = rows.shape[1] - taps + 1
    n = rows.shape[0] * times
    sums = functional.pad(rows.sum(dim=0).cumsum(dim=0), (1, 0))
    first = (sums[times:] - sums[:-times]) / n
    # products at lags 0 and d by the correlation theorem; each next pair of lags differs by its two ends only
    size = 1 << (rows.shape[1] - 1).bit_length()  # no lag wraps around, and powers of two are quick
    product = torch.fft.rfft(rows[:, :times], size).conj() * torch.fft.rfft(rows, size)
    start = torch.fft.irfft(product.sum(dim=0), size)[:taps]
    head, tail = rows[:, :taps], rows[:, times - 1 :]
    ends = tail[:, 1:].T @ tail[:, 1:] - head[:, :-1].T @ head[:, :-1]
    ends = functional.pad(ends, (0, 1, 0, 1))
    lag = torch.arange(taps)
    far = lag[:, None] + lag[None, :]
    along = ends[lag[:, None], far.clamp(max=taps - 1)] * (far < taps)
    upto = start + functional.pad(along.cumsum(dim=0), (0, 0, 1, 0))[:taps]
    second = upto[torch.minimum(lag[:, None], lag[None, :]), (lag[:, None] - lag[None, :]).abs()]
    return first, second / n
