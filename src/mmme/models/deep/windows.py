"""Small networks on windows of peripheral signals: convolution in time, and an LSTM (doi:10.1162/neco.1997.9.8.1735)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmme.errors import DataError
from mmme.models.deep.layers import Dropout

__all__ = ["LSTM", "WindowCNN"]


class WindowCNN(nn.Module):
    """
    Two convolutions in time, averaged over time.

    Parameters
    ----------
    shape
        ``(signals, times)``, at least 16 times.
    n_classes
        Number of logits.
    width
        Maps of the first convolution; the second has twice as many.
    dropout
        Share.

    Raises
    ------
    DataError
        If there are fewer than 16 times.

    Examples
    --------
    >>> WindowCNN((4, 64), 3).eval()(torch.zeros(2, 4, 64)).shape
    torch.Size([2, 3])
    """

    def __init__(self, shape: tuple[int, ...], n_classes: int, *, width: int = 16, dropout: float = 0.3) -> None:
        super().__init__()
        signals, times = shape
        if times < 16:
            raise DataError(f"cnn-1d: expected windows of at least 16 times, got {times}; take longer windows")
        # a bias before normalisation has no gradient but rounding, which Adam would make steps of
        self.first = nn.Conv1d(signals, width, 7, padding=3, bias=False)
        self.norm = nn.BatchNorm1d(width)
        self.second = nn.Conv1d(width, 2 * width, 5, padding=2, bias=False)
        self.norm_second = nn.BatchNorm1d(2 * width)
        self.pool = nn.MaxPool1d(4)
        self.drop = Dropout(dropout)
        self.head = nn.Linear(2 * width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of ``(batch, signals, times)``."""
        x = self.pool(torch.relu(self.norm(self.first(x))))
        x = torch.relu(self.norm_second(self.second(x)))
        return torch.as_tensor(self.head(self.drop(x.mean(dim=2))))


class LSTM(nn.Module):
    """
    One LSTM over the times of a window; its last state is classified.

    Parameters
    ----------
    shape
        ``(signals, times)``.
    n_classes
        Number of logits.
    width
        Size of the state.
    dropout
        Share.

    Examples
    --------
    >>> LSTM((4, 64), 3).eval()(torch.zeros(2, 4, 64)).shape
    torch.Size([2, 3])
    """

    def __init__(self, shape: tuple[int, ...], n_classes: int, *, width: int = 32, dropout: float = 0.3) -> None:
        super().__init__()
        self.memory = nn.LSTM(shape[0], width, batch_first=True)
        self.drop = Dropout(dropout)
        self.head = nn.Linear(width, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of ``(batch, signals, times)``."""
        _, (state, _) = self.memory(x.transpose(1, 2))
        return torch.as_tensor(self.head(self.drop(state[0])))
