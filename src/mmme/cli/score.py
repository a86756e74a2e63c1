"""The verb that scores what any method found."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmme.cli.console import json_option, print_json, show_table

if TYPE_CHECKING:
    from mmme.study.scoring import ScoredSpotting

__all__ = ["score"]


@click.group()
def score() -> None:
    """Score the predictions of any method, given as files."""


@score.command()
@click.argument("truth", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("pred", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--videos",
    type=click.Path(path_type=Path, dir_okay=False),
    help="All videos that were searched (.csv): video, and where known n_frames and subject.",
)
@click.option("--fps", type=float, help="Frames per second, for false alarms per minute and the apex error.")
@click.option(
    "--open-labels",
    default="refuse",
    show_default=True,
    help="Labels without onset or offset: leave-out, miss, apex, mirror, or apex+N with N frames.",
)
@click.option("--min-score", type=float, help="Leave predictions below out (not chosen on these videos).")
@click.option("--min-iou", type=float, default=0.5, show_default=True, help="Overlap from which a prediction is a hit.")
@click.option(
    "--matches", type=click.Path(path_type=Path, dir_okay=False), help="Write which prediction hit which label (.csv)."
)
@json_option
def spotting(
    truth: Path,
    pred: Path,
    *,
    videos: Path | None,
    fps: float | None,
    open_labels: str,
    min_score: float | None,
    min_iou: float,
    matches: Path | None,
    as_json: bool,
) -> None:
    """Score spotted intervals PRED against coded ones TRUTH, both .csv with video, kind, onset_frame, offset_frame.

    A column score in PRED gives average precision; apex_frame in both the apex error, emotion in both STRS; subject in
    TRUTH or --videos intervals from resampling subjects. Each label and each prediction counts once, over all videos, both
    end frames included; below, the same predictions are counted as published codes count.
    """
    from mmme.study.scoring import score_spotting, write_pairings

    found = score_spotting(
        truth, pred, videos=videos, fps=fps, open_labels=open_labels, min_score=min_score, min_iou=min_iou
    )
    if matches:
        write_pairings(matches, found.pairings)
    if as_json:
        print_json(_as_json(found))
        return
    _show(found)


def _as_json(found: ScoredSpotting) -> dict[str, object]:
    return {
        "videos": found.n_videos,
        "subjects": found.n_subjects,
        "labels": dict(found.n_truth),
        "predictions": dict(found.n_pred),
        "scores": [asdict(s) for s in found.scores],
        "chance": {name: dict(level) for name, level in found.chance.items()},
        "rules": [
            {"rule": rule, "kind": kind, "tp": c.tp, "fp": c.fp, "fn": c.fn, "f1": c.f1}
            for (rule, kind), c in found.rules.items()
        ],
        "notes": list(found.notes),
    }


def _show(found: ScoredSpotting) -> None:
    from mmme.metrics.spotting_rules import RULES

    whose = f" of {found.n_subjects} subjects" if found.n_subjects else ""
    labels = ", ".join(f"{n} {kind}" for kind, n in found.n_truth.items())
    spotted = ", ".join(f"{n} {kind}" for kind, n in found.n_pred.items())
    click.echo(f"{found.n_videos} videos{whose}; coded: {labels}; spotted: {spotted}")
    rows = []
    for s in found.scores:
        level = found.chance.get(s.name)
        between = "" if s.low != s.low else f"[{s.low:.4f}, {s.high:.4f}]"
        rows.append((s.name, f"{s.value:.4f}", between, f"{level['mean']:.4f}" if level else "", str(s.n)))
    show_table("strict", ("score", "value", "95 % interval", "by chance", "n"), rows)
    table = [
        (rule, kind, str(c.tp), str(c.fp), str(c.fn), f"{c.f1:.4f}", RULES[rule].sentence if kind == "overall" else "")
        for (rule, kind), c in found.rules.items()
    ]
    show_table("the same predictions under published rules", ("rule", "", "TP", "FP", "FN", "F1", ""), table)
    for note in found.notes:
        click.echo(f"note: {note}")
