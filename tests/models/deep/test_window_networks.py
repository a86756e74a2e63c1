"""Networks on windows of peripheral signals."""

import pytest

torch = pytest.importorskip("torch")

from mmme.errors import DataError  # noqa: E402
from mmme.models.deep.windows import LSTM, WindowCNN  # noqa: E402


def test_weights_as_counted_by_hand():
    """Filters, normalisations, gates and heads of the formulas, nothing else."""
    cnn = 4 * 16 * 7 + 2 * 16 + 16 * 32 * 5 + 2 * 32 + 32 * 3 + 3
    assert sum(p.numel() for p in WindowCNN((4, 64), 3).parameters()) == cnn
    lstm = 4 * (4 * 32 + 32 * 32 + 2 * 32) + 32 * 3 + 3
    assert sum(p.numel() for p in LSTM((4, 64), 3).parameters()) == lstm


def test_lstm_reads_to_the_end():
    """The last time of a window matters."""
    net, x = LSTM((2, 20), 2).eval(), torch.zeros(1, 2, 20)
    changed = x.clone()
    changed[:, :, -1] = 3.0
    assert not torch.allclose(net(x), net(changed))


def test_short_windows_are_refused():
    """What is too short to convolve is said."""
    with pytest.raises(DataError, match="at least 16 times, got 8"):
        WindowCNN((2, 8), 2)
