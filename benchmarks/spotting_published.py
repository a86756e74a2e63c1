"""
Published spotting figures again from published predictions, and what each rule makes of them.

Usage: ``python benchmarks/spotting_published.py FOLDER`` with ``casme_squared_mdmd.json``,
``casme_squared_lgsnet_detections.csv.gz`` and ``casme_squared_lgsnet_truth.csv`` in it. Ends with 1 when a published count,
average precision or F1 does not come out.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mmme.interval import Interval
from mmme.metrics.spotting import Counts, average_precision, frames_interval, match
from mmme.metrics.spotting_rules import RULES, count
from mmme.study.scoring import score_spotting

#: MEGC2020 baseline on CAS(ME)^2: TP, FP, FN as its log states them.
PUBLISHED = {"macro": (109, 1414, 191), "micro": (21, 5014, 36), "overall": (130, 6428, 227)}
STRICT_MACRO_TP = 104
#: LGSNet: average precision at its best epoch and its last, equal scores taken in the order of the file; hits and
#: predictions behind the F1 of .4637 (recall .366947, precision .629808) in its README.
LGSNET_AP = {23: 0.3231, 29: 0.3041}
LGSNET_EPOCH, LGSNET_HITS, LGSNET_PREDICTIONS = 23, 131, 208
#: Its program keeps at most so many predictions of a video.
LGSNET_MOST = 14
Frames = tuple[int, int]


def mdmd(folder: Path) -> bool:
    """Score the baseline's intervals through the same files that anybody would write."""
    videos = json.loads((folder / "casme_squared_mdmd.json").read_text())["videos"]
    with tempfile.TemporaryDirectory() as made:
        truth, pred, listed = (Path(made) / name for name in ("truth.csv", "pred.csv", "videos.csv"))
        header = ["video", "subject", "kind", "onset_frame", "apex_frame", "offset_frame"]
        _write(truth, [header, *([v, v.split("/")[0], *row] for v, one in videos.items() for row in one["truth"])])
        header = ["video", "kind", "onset_frame", "offset_frame"]
        _write(pred, [header, *([v, *row] for v, one in videos.items() for row in one["pred"])])
        _write(listed, [["video", "subject"], *([v, v.split("/")[0]] for v in videos)])
        found = score_spotting(truth, pred, videos=listed, fps=30, open_labels="apex")
    print(f"MEGC2020 baseline on CAS(ME)^2, {found.n_videos} videos of {found.n_subjects} subjects\n")
    for note in found.notes:
        print(f"- {note}")
    print("\n| rule | MaE TP, FP, FN, F1 | ME | overall |\n|---|---|---|---|")
    for rule in RULES:
        cells = [found.rules[rule, kind] for kind in ("macro", "micro", "overall")]
        print(f"| {rule} | " + " | ".join(f"{c.tp}, {c.fp}, {c.fn}, {c.f1:.4f}" for c in cells) + " |")
    official = all(_same(found.rules["megc2020", kind], counts) for kind, counts in PUBLISHED.items())
    strict = found.rules["strict", "macro"].tp == STRICT_MACRO_TP
    print(f"\nofficial counts come out: {official}; one-to-one macro TP {STRICT_MACRO_TP}: {strict}")
    return official and strict


def _same(counts: Counts, published: tuple[int, int, int]) -> bool:
    return (counts.tp, counts.fp, counts.fn) == published


def _write(path: Path, rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def lgsnet(folder: Path) -> bool:
    """Average precision, and what is left of the published F1 when nothing is chosen on the tested subject."""
    truth: dict[str, list[Frames]] = {}
    subject: dict[str, str] = {}
    with (folder / "casme_squared_lgsnet_truth.csv").open() as file:
        for row in csv.DictReader(file):
            video = Path(row["video"]).name
            subject[video] = row["subject"]
            truth.setdefault(video, []).append((int(row["startFrame"]), int(row["endFrame"])))
    spotted: dict[int, dict[str, list[tuple[Frames, float]]]] = {}
    with gzip.open(folder / "casme_squared_lgsnet_detections.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            frames = int(float(row["start"])), int(float(row["end"]))
            spotted.setdefault(int(row["epoch"]), {}).setdefault(row["video"], []).append((frames, float(row["score"])))
    good = True
    print(f"\nLGSNet on CAS(ME)^2, {len(truth)} videos, both kinds as one\n")
    for epoch, published in LGSNET_AP.items():
        value, together = _ap(truth, spotted[epoch], ordered=True), _ap(truth, spotted[epoch], ordered=False)
        good &= abs(value - published) < 5e-5
        print(
            f"- AP at IoU 0.5, epoch {epoch}: {value:.4f} equal scores in the order of the file (expected {published}), "
            f"{together:.4f} equal scores together"
        )
    grid = np.arange(300, 500) / 1000  # what the published program looks at
    counts = {e: _counted(truth, subject, spotted[e], grid) for e in spotted}
    totals = counts[LGSNET_EPOCH]["megc2020"].sum(axis=0)
    there = (totals[:, 0] == LGSNET_HITS) & (totals[:, :2].sum(axis=1) == LGSNET_PREDICTIONS)
    good &= bool(there.any())
    best = max(_f1(c["megc2020"].sum(axis=0)).max() for c in counts.values())
    last = counts[max(counts)]
    honest = {rule: _nested(last[rule]) for rule in ("megc2020", "strict")}
    good &= honest["megc2020"] < best - 0.04
    print(
        f"- {LGSNET_HITS} hits in {LGSNET_PREDICTIONS} predictions, the published F1 of .4637, at epoch {LGSNET_EPOCH}: "
        f"{'comes out' if there.any() else 'DOES NOT come out'}"
    )
    print(f"- best epoch and threshold on the tested videos: {best:.4f}")
    print(
        f"- last epoch, each subject's threshold from the others: {honest['megc2020']:.4f}; strictly one to one "
        f"{honest['strict']:.4f}"
    )
    return bool(good)


def _ap(
    truth: Mapping[str, Sequence[Frames]], spotted: Mapping[str, Sequence[tuple[Frames, float]]], *, ordered: bool
) -> float:
    videos = list(dict.fromkeys([*truth, *spotted]))
    later = iter(range(10**9))
    found = [
        [(frames_interval(*f), s - 1e-10 * next(later) * ordered) for f, s in spotted.get(v, ()) if f[1] >= f[0]]
        for v in videos
    ]
    return average_precision([[frames_interval(*f) for f in truth.get(v, ())] for v in videos], found)


def _counted(
    truth: Mapping[str, Sequence[Frames]],
    subject: Mapping[str, str],
    spotted: Mapping[str, Sequence[tuple[Frames, float]]],
    grid: np.ndarray,
) -> dict[str, np.ndarray]:
    """TP, FP, FN by subject and threshold under two rules."""
    subjects = sorted(set(subject.values()))
    made = {rule: np.zeros((len(subjects), len(grid), 3)) for rule in ("megc2020", "strict")}
    for video, own in truth.items():
        who = subjects.index(subject[video])
        found = sorted(spotted.get(video, ()), key=lambda item: -item[1])
        scores = np.array([s for _, s in found])
        known: dict[int, dict[str, Counts]] = {}
        for k, at in enumerate(grid):
            n = min(int((scores > at - 5e-5).sum()), LGSNET_MOST)  # stored with four decimals
            if n not in known:
                frames = [f for f, _ in found[:n] if f[1] >= f[0]]
                stretches = [Interval(a, b + 1) for a, b in frames]
                known[n] = {
                    "megc2020": count({video: own}, {video: frames}, [video], RULES["megc2020"]),
                    "strict": match([Interval(a, b + 1) for a, b in own], stretches),
                }
            for rule, c in known[n].items():
                made[rule][who, k] += c.tp, c.fp, c.fn
    return made


def _f1(counts: np.ndarray) -> np.ndarray:
    return 2 * counts[..., 0] / np.maximum(2 * counts[..., 0] + counts[..., 1] + counts[..., 2], 1)


def _nested(counts: np.ndarray) -> float:
    """F1 of pooled counts when each subject's threshold is the best one of all others."""
    total = counts.sum(axis=0)
    chosen = [int(np.argmax(_f1(total - own))) for own in counts]
    return float(_f1(sum(own[k] for own, k in zip(counts, chosen, strict=True))))


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    return int(not (mdmd(folder) & lgsnet(folder)))


if __name__ == "__main__":
    sys.exit(main())
