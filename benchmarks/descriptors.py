"""
What each descriptor of the face is worth to one and the same classifier on a simulated study, leave one subject out.

Prints the table of docs/descriptors.md. Without an argument a study of 8 subjects and 9 trials is simulated and imported;
with one, that imported study is taken. Fails when flow images are not above the chance level of permuted labels. Simulated
faces are one portrait, warped: the table shows that every descriptor runs and carries information, not which is best.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from mmme.config import load_config
from mmme.datasets.study import open_study
from mmme.features.face.descriptors import FACE_DESCRIPTORS
from mmme.simulate import StudyPlan, simulate_study
from mmme.study.describe import describe_study, gather
from mmme.study.evaluation import Run, recognise
from mmme.study.importing import import_study
from mmme.workers import Workers

INPUTS_OF_NETWORKS = ("onset-apex-frames", "clips", "region-motion")
CLASSIFIER = "svm-linear"


def simulated(folder: Path, workers: Workers) -> Path:
    plan = StudyPlan(subjects=8, trials=9, seed=0, video_fps=100.0)
    simulate_study(folder / "raw", plan, workers=workers, progress=None)
    import_study(folder / "raw", folder / "study", key=folder / "key.csv", workers=workers)
    return folder / "study"


def main() -> int:
    names = [name for name in FACE_DESCRIPTORS if name not in INPUTS_OF_NETWORKS]
    with tempfile.TemporaryDirectory() as folder, Workers(2) as workers:
        study = Path(sys.argv[1]) if len(sys.argv) > 1 else simulated(Path(folder), workers)
        base = {"face": {"descriptors": names}, "scores": {"n_bootstrap": 2000, "n_permutations": 1000}}
        outcomes = describe_study(study, load_config(base), workers=workers)
        recordings = [str(outcome.value) for outcome in outcomes if outcome.value]
        mark = " (simulated)" if open_study(study).simulated else ""
        print(f"| descriptor{mark} | columns | UF1 | 95 % interval | chance (95th percentile) |\n|---|---|---|---|---|")
        above = {}
        for name in names:
            config = load_config({**base, "recognition": {"face": name}})
            table = gather(study, recordings, config).tables["face"]
            classes = sorted(set(table.labels.tolist()))
            result = recognise(
                {"face": table}, {"face": CLASSIFIER}, title=name, dataset={}, classes=classes, run=Run(config, workers)
            )
            score, chance = result.score("UF1"), result.chance["UF1"]
            above[name] = score.value > chance["p95"]
            interval, level = f"[{score.low:.3f}, {score.high:.3f}]", f"{chance['mean']:.3f} ({chance['p95']:.3f})"
            print(f"| {name} | {table.X.shape[1]} | {score.value:.3f} | {interval} | {level} |", flush=True)
    return 0 if above["flow-images"] else 1


if __name__ == "__main__":
    sys.exit(main())
