"""
How much faster a training step of EEGNet is with spatial filters before temporal ones, and whether it is the same.

Usage: ``python benchmarks/eegnet.py``. Both orders take turns in one run on one thread; ends with 1 when the fast order is
less than 5 times as fast at batch 64 and 62 channels, or losses differ by more than 1e-6.
"""

from __future__ import annotations

import copy
import sys
import time

import numpy as np
import torch
from torch.nn import functional

from mmme.models.deep.eegnet import EEGNet

LEAST, MOST_APART, ROUNDS = 5.0, 1e-6, 5


def step(net: EEGNet, optimiser: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """CPU seconds and loss of one step."""
    started = time.process_time()
    optimiser.zero_grad(set_to_none=True)
    loss = functional.cross_entropy(net(x), y)
    loss.backward()
    optimiser.step()
    return time.process_time() - started, float(loss.detach())


def main() -> int:
    """Measure and judge."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    failed = False
    for batch in (16, 64):
        x, y = torch.randn(batch, 62, 128), torch.randint(0, 3, (batch,))
        fast = EEGNet((62, 128), 3, dropout=0.0)
        slow = copy.deepcopy(fast)
        slow.plain = True
        nets = [(net, torch.optim.Adam(net.parameters(), lr=1e-3)) for net in (fast, slow)]
        taken = np.array([[step(net, optimiser, x, y) for net, optimiser in nets] for _ in range(ROUNDS + 1)])
        seconds = np.median(taken[1:, :, 0], axis=0)
        apart = float(np.abs(np.diff(taken[:, :, 1], axis=1)).max())
        ratio = seconds[1] / seconds[0]
        print(f"batch {batch}: {1e3 * seconds[0]:.1f} ms, published {1e3 * seconds[1]:.1f} ms: {ratio:.1f}x, {apart:.1e}")
        failed |= apart > MOST_APART or (batch == 64 and ratio < LEAST)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
