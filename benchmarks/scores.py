"""
Intervals, paired comparisons and chance levels from counts, against loops over scikit-learn on the same draws.

442 predictions of 68 subjects in 3 classes, 10,000 draws. The loop is timed on its first ``LOOPED`` draws and taken to be
linear in them; on these draws every score must be exactly equal. Exits with 1 where a way is less than 200 times cheaper or
any score differs.
"""

from __future__ import annotations

import os

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import sys
import time
from collections.abc import Callable

import numpy as np
from sklearn.metrics import f1_score

from mmme.metrics.recognition import confusion_by_subject, uf1
from mmme.metrics.uncertainty import bootstrap_totals, bootstrap_weights, paired_difference, permuted_counts

DRAWS, LOOPED, LEAST, ROUNDS = 10_000, 200, 200.0, 3
CLASSES = ["negative", "positive", "surprise"]


def data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    who = np.sort(np.concatenate([np.arange(68), rng.integers(0, 68, 374)]))
    truth = rng.choice(CLASSES, 442, p=[0.57, 0.25, 0.18])
    first, second = (np.where(rng.random(442) < right, truth, rng.choice(CLASSES, 442)) for right in (0.7, 0.65))
    return who, truth, first, second


def loop(truth: np.ndarray, pred: np.ndarray) -> float:
    return float(f1_score(truth, pred, labels=CLASSES, average="macro", zero_division=0))


def seconds(work: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    started = time.process_time()
    made = work()
    return time.process_time() - started, made


def main() -> int:
    who, truth, first, second = data()
    counts, other = (confusion_by_subject(truth, p, who, CLASSES)[1].astype(float) for p in (first, second))
    rows = [np.flatnonzero(who == s) for s in range(68)]
    weights = bootstrap_weights(68, DRAWS)[:LOOPED].astype(int)
    exchanged = np.random.default_rng(0).integers(0, 2, size=(DRAWS, 68))[:LOOPED].astype(bool)[:, who]
    rng = np.random.default_rng(1)
    orders = [rng.permutation(442) for _ in range(LOOPED)]

    def looped_bootstrap() -> np.ndarray:
        drawn = [np.concatenate([np.tile(rows[s], n) for s, n in enumerate(w)]) for w in weights]
        return np.array([loop(truth[d], first[d]) for d in drawn])

    def looped_pairs() -> np.ndarray:
        swapped = [(np.where(e, second, first), np.where(e, first, second)) for e in exchanged]
        return np.array([loop(truth, a) - loop(truth, b) for a, b in swapped])

    def pairs() -> np.ndarray:
        moved = exchanged_counts(counts, other, DRAWS)
        return uf1(counts.sum(axis=0) + moved) - uf1(other.sum(axis=0) - moved)

    def looped_permutations() -> np.ndarray:
        return np.array([loop(truth[o], first) for o in orders])

    def permuted() -> np.ndarray:
        return uf1(permuted_counts(counts.sum(axis=0)[None], DRAWS))

    def counted_permutations() -> np.ndarray:
        each = [confusion_by_subject(truth[o], first, np.zeros(442), CLASSES)[1][0] for o in orders]
        return uf1(np.array(each, dtype=float))

    failed = False
    for name, fast, plain, check in (
        ("bootstrap over subjects", lambda: uf1(bootstrap_totals(counts, DRAWS)), looped_bootstrap, None),
        ("paired comparison", pairs, looped_pairs, None),
        (
            "permuted labels",
            lambda: uf1(permuted_counts(counts.sum(axis=0)[None], DRAWS)),
            looped_permutations,
            counted_permutations,
        ),
    ):
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(ROUNDS):
            spent, made = seconds(fast)
            times[0].append(spent)
            spent, expected = seconds(plain)
            times[1].append(spent * DRAWS / LOOPED)
        # permutations are drawn as tables, not as orders: equality is of the score of the same orders, and of the mean
        got = made[:LOOPED] if check is None else check()
        apart = float(np.max(np.abs(got - expected)))
        if check is not None:
            apart = max(
                apart, max(0.0, abs(float(made.mean() - expected.mean())) - 4 * float(expected.std()) / LOOPED**0.5)
            )
        ratio = float(np.median(times[1]) / np.median(times[0]))
        print(
            f"{name}: {1e3 * np.median(times[0]):.0f} ms, loop {np.median(times[1]):.1f} s: {ratio:.0f}x, apart {apart:.1e}"
        )
        failed |= ratio < LEAST or apart > 1e-12
    draws = paired_difference(counts, other, uf1, n_draws=DRAWS)
    failed |= not np.isfinite([draws.low, draws.high, draws.p]).all()
    return int(failed)


def exchanged_counts(one: np.ndarray, two: np.ndarray, n_draws: int) -> np.ndarray:
    """What exchanging the predictions of the drawn subjects adds to the first model's counts, as in `paired_difference`."""
    drawn = np.random.default_rng(0).integers(0, 2, size=(n_draws, len(one))).astype(np.float64)
    return (drawn @ (two - one).reshape(len(one), -1)).reshape(n_draws, *one.shape[1:])


if __name__ == "__main__":
    sys.exit(main())
