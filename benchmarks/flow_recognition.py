"""
What helps on the public composite of flow images (442 clips, 68 subjects, 3 classes), and what does not.

Usage: ``python benchmarks/flow_recognition.py flow442.npz [--quick]``. Leave one subject out; every row of the table is
compared with ``svm-linear`` on the same subjects, p with Holm's correction over the table. Ends with 1 when the ensemble of
all members is significantly worse than the linear machine.

The data are in everybody's hands and many settings have been looked at on them: a row of this table is no independent
result but for the nested one, whose choice is made on training subjects alone.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

from mmme import evaluate
from mmme.features.face.flow_images import pooled, standardised_images
from mmme.io.flow_npz import read_flow_npz
from mmme.metrics.uncertainty import holm
from mmme.models.catalogue import make_model
from mmme.models.ensemble import FAMILIES, Family, FlowEnsemble, Member
from mmme.types import FeatureTable, Result


class Mirrored(ClassifierMixin, BaseEstimator):
    """A model that is shown every training row once more as in a mirror; horizontal flow changes its sign."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, X: NDArray[Any], y: NDArray[Any], groups: NDArray[Any] | None = None) -> Mirrored:
        """Fit on both."""
        mirrored = X[:, :, ::-1] * np.array([-1, 1, 1], dtype=X.dtype)
        who = None if groups is None else np.concatenate([groups, groups])
        self.model_ = self.model.fit(np.concatenate([X, mirrored]), np.concatenate([y, y]), groups=who)
        self.classes_ = self.model_.classes_
        return self

    def decision_function(self, X: NDArray[Any]) -> NDArray[Any]:
        """As the model's."""
        return np.asarray(self.model_.decision_function(X))

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:
        """As the model's."""
        return np.asarray(self.model_.predict(X))


def by_subject(table: FeatureTable) -> FeatureTable:
    """Take the subject's mean image off, which needs all clips of the tested subject at once, though not their labels."""
    X = table.X.copy()
    for name in np.unique(table.subjects):
        rows = table.subjects == name
        if rows.sum() > 1:
            X[rows] -= X[rows].mean(axis=0)
    return replace(table, X=X)


def single(family: Family, kernel: str) -> FlowEnsemble:
    """One machine, at the middle of what the ensemble offers."""
    return FlowEnsemble([Member(family, "linear", 0.3) if kernel == "linear" else Member(family, "rbf", 2.0, 1.0)])


def named(family: Family) -> str:
    """Short name of a family."""
    return " ".join([family.descriptor, f"{family.block} px", *(f"{k} {v}" for k, v in family.options)])


def variants(*, quick: bool) -> list[tuple[str, str, Any]]:
    """Name, table, model."""
    families = FAMILIES[:2] if quick else FAMILIES
    made = [(f"{named(f)}, {kernel}", "images", single(f, kernel)) for f in families for kernel in ("linear", "rbf")]
    best = FlowEnsemble()
    made += [("all 66 members averaged (`flow-ensemble`)", "images", best)]
    if not quick:
        made += [(f"the {k} best on training subjects", "images", FlowEnsemble(sizes=(k,))) for k in (1, 3, 10, 30)]
        made += [
            ("the number chosen too (`flow-ensemble-nested`)", "images", FlowEnsemble(sizes=(1, 3, 10, 30, 0))),
            ("all members, training rows mirrored as well", "images", Mirrored(FlowEnsemble())),
        ]
    return [*made, ("all members, **less each subject's mean image**", "by subject", best)]


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("table", type=Path)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    images = standardised_images(read_flow_npz(asked.table))
    tables = {"images": images, "by subject": by_subject(images)}
    columns = pooled(images, block=2)
    plain = evaluate.run(columns, make_model("svm-linear", random_state=0), title="svm-linear")
    results: list[tuple[str, Result]] = []
    failed = False
    for name, which, model in variants(quick=asked.quick):
        result = evaluate.run(tables[which], model, title=name, n_permutations=1000)
        results.append((name, result))
        print(f"{name}: {result.score('UF1').value:.3f}", file=sys.stderr, flush=True)
        if name.endswith("(`flow-ensemble`)"):
            failed |= evaluate.compare([result], [plain]).high < 0
    compared = [evaluate.compare([result], [plain]) for _, result in results]
    corrected = holm([one.p for one in compared])
    print("| what is shown to the machine | UF1 | UAR | UF1 less svm-linear's | p | p by Holm |")
    print("|---|---|---|---|---|---|")
    uf1 = plain.score("UF1")
    print(f"| `svm-linear` | {uf1.value:.3f} [{uf1.low:.3f}, {uf1.high:.3f}] | {plain.score('UAR').value:.3f} | | | |")
    for (name, result), one, p in zip(results, compared, corrected, strict=True):
        uf1, uar = result.score("UF1"), result.score("UAR")
        print(
            f"| {name} | {uf1.value:.3f} [{uf1.low:.3f}, {uf1.high:.3f}] | {uar.value:.3f} | {one.value:+.3f} "
            f"[{one.low:+.3f}, {one.high:+.3f}] | {one.p:.3f} | {p:.2f} |"
        )
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
