"""Verb of coders: agree."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from mmme.cli.console import json_option, print_json, progress, show_table

__all__ = ["agree"]


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the consensus of all coders (.tsv).")
@click.option("--min-iou", type=float, default=0.5, show_default=True, help="Overlap from which two rows are one event.")
@click.option("--frames", type=click.IntRange(min=0), default=5, show_default=True, help="Tolerance of the F1 in frames.")
@click.option("--quiet", is_flag=True, help="No progress bars.")
@json_option
def agree(study: Path, *, out: Path | None, min_iou: float, frames: int, quiet: bool, as_json: bool) -> None:
    """Compare each two coders of STUDY over all subjects, and write what they saw together.

    Events found by both, kind, action units, and times, each with a 95 % interval from resampling subjects. The consensus
    names the rows it was made from and says what is agreed, disputed, or seen by one coder only; coding.tsv stays as it is.
    """
    from mmme.study.agreement import agree_study, write_consensus

    with progress(quiet=quiet) as step:
        found = agree_study(study, min_iou=min_iou, tolerance_frames=frames, step=step)
    n = write_consensus(out, found) if out else 0
    status = Counter(event.status for _, event in found.events)
    if as_json:
        print_json(
            {"pairs": [asdict(pair) for pair in found.pairs], "consensus": dict(status), "failures": list(found.failures)}
        )
    else:
        for pair in found.pairs:
            one, two, (shared, *alone) = pair.first, pair.second, pair.n_trials
            click.echo(
                f"{one} and {two}: {len(pair.subjects)} subjects, {pair.n_events[0]} and {pair.n_events[1]} events, "
                f"{pair.n_pairs} of both; trials of both {shared}, of {one} only {alone[0]}, of {two} only {alone[1]}"
            )
            rows = [
                (s.name, _number(s.value, s.unit), _interval(s.low, s.high, s.unit), str(s.n), s.note) for s in pair.scores
            ]
            show_table("", ("score", "value", "95 % interval", "n", ""), rows)
        told = ", ".join(f"{count} {name}" for name, count in sorted(status.items()))
        click.echo(f"consensus: {len(found.events)} events, {told}" + (f"; {n} rows in {out}" if out else ""))
    for why in found.failures:
        click.echo(f"not compared: {why}", err=True)
    if found.failures:
        click.get_current_context().exit(1)


def _number(value: float, unit: str) -> str:
    if value != value:
        return "undefined"
    return f"{value:.1f} {unit}" if unit else f"{value:.3f}"


def _interval(low: float, high: float, unit: str) -> str:
    if low != low:
        return "-"
    return f"{low:.1f} to {high:.1f}" if unit else f"{low:.3f} to {high:.3f}"
