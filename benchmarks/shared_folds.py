"""
Leave-one-subject-out of machines that see rows through inner products, against scikit-learn refitted per fold and setting.

442 rows x 2352 columns, 68 subjects, 10 values of C or alpha. Predictions must be the same. The plain way is timed on every
``STEP``-th fold, interleaved with the shared way on the same folds; ``--whole`` does all 68. Exits with 1 where the linear
machine takes more than a twentieth of the plain CPU time or ridge more than a fifth, where any prediction differs, or where
a table with many rows and few columns gets slower. A path to flow images (.npz) as argument replaces the simulated rows.
"""

from __future__ import annotations

import os

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import sys
import time
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from mmme.models.classical import make_model
from mmme.models.shared_folds import over_settings

STEP = 11
GRID = {
    "svm-linear": ("svc__C", np.geomspace(1e-4, 1.0, 10)),
    "ridge": ("ridge__alpha", np.geomspace(1e1, 1e5, 10)),
    "svm-rbf": ("svc__C", np.geomspace(0.1, 30.0, 10)),
}
LEAST = {"svm-linear": 20.0, "svm-rbf": 10.0, "ridge": 5.0}


def simulated(n_subjects: int, n: int, d: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    who = np.sort(rng.integers(0, n_subjects, n))
    who[:n_subjects] = np.arange(n_subjects)
    y = rng.choice(["negative", "positive", "surprise"], n, p=[0.57, 0.25, 0.18])
    X = rng.normal(size=(n, d)).astype(np.float32)
    for k, name in enumerate(np.unique(y)):
        X[y == name, 20 * k : 20 * k + 20] += 0.5
    return X, y, who


def measured(
    name: str, X: np.ndarray, y: np.ndarray, who: np.ndarray, step: int, grid: int = 10
) -> tuple[float, float, int]:
    """CPU seconds of the shared and the plain way over the chosen folds, and predictions that differ."""
    parameter, values = GRID[name]
    settings = [{parameter: float(v)} for v in values[:: len(values) // grid]]
    folds = [(np.flatnonzero(who != s), np.flatnonzero(who == s)) for s in np.unique(who)][::step]
    model: Pipeline = make_model(name)
    shared = plain = 0.0
    differ = 0
    for fold in folds:  # interleaved, so that what else the machine does meets both
        started = time.process_time()
        made = over_settings(model, settings, X, y, [fold])
        shared += time.process_time() - started
        started = time.process_time()
        for setting, (one,) in zip(settings, made, strict=True):
            pred = clone(model).set_params(**setting).fit(X[fold[0]], y[fold[0]]).predict(X[fold[1]])
            differ += int(np.sum(pred != one.pred))
        plain += time.process_time() - started
    return shared, plain, differ


def main(arguments: list[str]) -> int:
    paths = [Path(a) for a in arguments if not a.startswith("-")]
    step = 1 if "--whole" in arguments else STEP
    if paths:
        from mmme.features.face.flow_images import pooled, standardised_images
        from mmme.io.flow_npz import read_flow_npz

        table = pooled(standardised_images(read_flow_npz(paths[0])), block=1)
        X, y, who = table.X, table.labels, table.subjects
    else:
        X, y, who = simulated(68, 442, 2352)
    failed = False
    for name in GRID:
        shared, plain, differ = measured(name, X, y, who, step)
        ratio = plain / shared
        print(
            f"{name}: {X.shape}, 10 values, every {step}. fold: {shared:.2f} s, plain {plain:.2f} s, {ratio:.1f}x, "
            f"{differ} differ"
        )
        failed |= differ > 0 or ratio < LEAST.get(name, 1.0)
    for n, d in ((1500, 500), (3000, 200)):
        many = simulated(60, n, d)
        for name in GRID:
            shared, plain, differ = measured(name, *many, 30, grid=1)
            print(
                f"{name}: ({n}, {d}), 1 value: {shared:.2f} s, plain {plain:.2f} s, {plain / shared:.1f}x, {differ} differ"
            )
            failed |= differ > 0 or ratio < 0.8
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
