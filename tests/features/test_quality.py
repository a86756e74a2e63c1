"""A verdict rates a window alike whether it is asked for alone or with others."""

import numpy as np

from mmme.features.quality import Verdict
from mmme.features.sampling import Regular
from mmme.features.windows import Windows, spread


def test_a_window_is_rated_alike_alone_and_among_others():
    """Index and cause of each of 200 windows, also such that leave the recording at either end or lie outside it."""
    rng = np.random.default_rng(0)
    verdict = Verdict(2.5, rng.integers(0, 3, (3, 500)).astype(np.uint8), ("flat", "clipped"))
    starts = rng.uniform(-60.0, 560.0, 200)
    index, cause = verdict.index(Windows(starts, 37.3))

    for k, start in enumerate(starts):
        alone, why = verdict.index(Windows(starts[k : k + 1], 37.3))
        np.testing.assert_allclose(alone[0], index[k], atol=1e-12)
        assert why[0] == cause[k]
        cells = verdict.start_s + np.arange(501)
        inside = np.clip(np.minimum(cells[1:], start + 37.3) - np.maximum(cells[:-1], start), 0.0, None)
        good = float(np.sum((verdict.codes == 0).mean(axis=0) * inside)) / 37.3
        np.testing.assert_allclose(alone[0], good, atol=1e-9)


def test_a_verdict_without_cells_rates_nothing_as_good():
    """A recording too short to be judged."""
    index, cause = Verdict(0.0, np.zeros((1, 0), dtype=np.uint8), ("flat",)).index(Windows(np.array([0.0, 5.0]), 2.0))
    assert index.tolist() == [0.0, 0.0]
    assert set(cause.tolist()) == {"window leaves the recording"}


def test_the_range_of_a_window_is_the_same_alone_and_among_many():
    """Few windows are cut out, many are filtered for: one result, that of the largest and smallest sample."""
    rng = np.random.default_rng(1)
    signal = Regular(np.arange(3000) / 50, rng.normal(size=3000), np.zeros(3000, dtype=bool), 50.0)
    starts = rng.uniform(0.0, 55.0, 100)
    for duration_s in (0.02, 0.04, 4.98, 5.0):
        many = spread(signal, Windows(starts, duration_s))
        alone = [spread(signal, Windows(starts[k : k + 1], duration_s))[0] for k in range(starts.size)]
        np.testing.assert_array_equal(many, alone)
