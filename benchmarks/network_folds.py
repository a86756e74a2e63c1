"""
Folds of a network one by one, stacked, on two workers, and as chosen by the clock: the same results, and what they take.

Usage: ``python benchmarks/network_folds.py [--epochs 20]``. Simulated rows; 48 folds of equal size. All ways take turns in
one run on one thread (workers: one thread each). Ends with 1 when a probability differs by more than 1e-3 (rounding adds
up over epochs) or a prediction differs, or when the chosen way, the choice itself included, takes more than 10 % longer
than the quicker of the two.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before anything loads it

import numpy as np
import torch
from numpy.typing import NDArray

from mmme import evaluate
from mmme.models.deep.classifier import NetworkClassifier
from mmme.types import FeatureTable
from mmme.workers import Workers

MOST_APART, MOST_LONGER, ROUNDS = 1e-3, 1.10, 2
CASES = {
    "ststnet": ((28, 28, 3), 192),
    "region-graph-flow": ((28, 28, 3), 192),
    "cnn-1d": ((4, 32), 96),
    "dgcnn": ((19, 5), 96),
}
SUBJECTS = 48


def rows_of(shape: tuple[int, ...], n: int) -> tuple[NDArray[np.float32], NDArray[np.str_], NDArray[np.str_]]:
    """Rows of which one class has more of everything."""
    rng = np.random.default_rng(0)
    y = np.array(["neg", "pos", "sur"])[np.arange(n) % 3]
    X = rng.normal(size=(n, *shape)).astype(np.float32)
    X[y == "pos"] += 0.3
    return X, y, np.array([f"S{k // (n // SUBJECTS):02d}" for k in range(n)])


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=20)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    failed = False
    with Workers(2) as workers:
        for name, (shape, n) in CASES.items():
            X, y, who = rows_of(shape, n)
            folds = [(np.flatnonzero(who != s), np.flatnonzero(who == s)) for s in np.unique(who)]
            models = {w: NetworkClassifier(name, epochs=asked.epochs, way=w) for w in ("one-by-one", "stacked", "auto")}
            taken: dict[str, list[float]] = {w: [] for w in models}
            said = {}
            for _ in range(ROUNDS):
                for way, model in models.items():
                    started = time.process_time()
                    made = model.predict_over_folds(X, y, folds)
                    taken[way].append(time.process_time() - started)
                    said[way] = np.concatenate([one.values for one in made])
            table = FeatureTable.build(X, [], [str(k) for k in range(n)], who.tolist(), ["v"] * n, y.tolist())
            started = time.perf_counter()
            result = evaluate.run(table, models["one-by-one"], "loso", n_bootstrap=100, n_permutations=100, workers=workers)
            on_workers = time.perf_counter() - started
            by_row = dict(zip(result.predictions["trial"], result.predictions["pred"], strict=True))
            worked = np.array([by_row[str(k)] for k in range(n)])
            seconds = {w: float(np.median(t)) for w, t in taken.items()}
            first = said["one-by-one"]
            apart = max(float(np.abs(first - values).max()) for values in said.values())
            tested = np.concatenate([test for _, test in folds])
            names = np.array(sorted(set(y)))
            differing = sum(int((values.argmax(1) != first.argmax(1)).sum()) for values in said.values())
            differing += int((names[first.argmax(1)] != worked[tested]).sum())
            longer = seconds["auto"] / min(seconds["one-by-one"], seconds["stacked"])
            print(
                f"{name:18s} one by one {seconds['one-by-one']:.2f} s, stacked {seconds['stacked']:.2f} s, auto "
                f"{seconds['auto']:.2f} s ({models['auto'].way_}, {longer:.2f} of the quicker); two workers "
                f"{on_workers:.2f} s of wall clock; {apart:.0e} apart, {differing} predictions differ",
                flush=True,
            )
            failed |= apart > MOST_APART or differing > 0 or longer > MOST_LONGER
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
