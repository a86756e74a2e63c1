"""EEG and window networks: as many weights as counted by hand, and EEGNet's fast order equal to the published one."""

import copy

import pytest

torch = pytest.importorskip("torch")

from mmme.errors import DataError  # noqa: E402
from mmme.models.deep.dgcnn import DGCNN  # noqa: E402
from mmme.models.deep.eegnet import EEGNet, lag_moments  # noqa: E402
from mmme.models.deep.tcn import TCN  # noqa: E402


def n_weights(module):
    return sum(p.numel() for p in module.parameters())


def test_weights_as_counted_by_hand():
    """Filters, normalisations and heads of the formulas, nothing else."""
    eegnet = 8 * 64 + 2 * 8 + 16 * 62 + 2 * 16 + 16 * 16 + 16 * 16 + 2 * 16 + 16 * 4 * 3 + 3
    assert n_weights(EEGNet((62, 128), 3)) == eegnet
    tcn = (30 * 32 * 3 + 32) + (30 * 32 + 32) + 5 * (32 * 32 * 3 + 32) + 32 * 3 + 3
    assert n_weights(TCN((6, 5, 10), 3)) == tcn
    assert n_weights(DGCNN((6, 5), 3)) == 36 + (10 * 32 + 32) + 6 * 32 * 3 + 3


def test_lag_moments_are_those_of_all_lagged_copies():
    """Means and mean products of the input at every pair of lags, by plain unfolding in double."""
    padded = torch.nn.functional.pad(torch.randn(3, 4, 40, dtype=torch.float64) + 1, (3, 4))
    copies = padded.unfold(2, 40, 1).transpose(2, 3).reshape(-1, 8)
    first, second = lag_moments(padded, 8)
    torch.testing.assert_close(first, copies.mean(dim=0))
    torch.testing.assert_close(second, copies.T @ copies / len(copies))


@pytest.mark.parametrize("taps", [16, 33])
def test_space_first_is_time_first(taps):
    """Logits, gradients and running statistics of both orders are equal, in training and after it."""
    fast = EEGNet((7, 64), 3, taps=taps, dropout=0.0).double()
    slow = copy.deepcopy(fast)
    slow.plain = True
    x = torch.randn(5, 7, 64, dtype=torch.float64) + 0.3
    for net in (fast, slow):
        net(x).square().sum().backward()
    for (name, a), b in zip(fast.named_parameters(), slow.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-6, atol=1e-9, msg=name)
    for a, b in zip(fast.buffers(), slow.buffers(), strict=True):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(fast.eval()(x), slow.eval()(x))


def test_tcn_looks_back_only():
    """A block's features of a window do not change with later windows."""
    block = TCN((2, 3, 12), 2).eval().blocks
    x = torch.randn(1, 6, 12)
    later = x.clone()
    later[:, :, 8:] += 1
    torch.testing.assert_close(block(x)[:, :, :8], block(later)[:, :, :8])


def test_rows_too_short_are_refused():
    """What cannot be pooled or has no time is said."""
    with pytest.raises(DataError, match="at least 32 times, got 20"):
        EEGNet((4, 20), 3)
    with pytest.raises(DataError, match="windows in time"):
        TCN((4, 5), 3)
