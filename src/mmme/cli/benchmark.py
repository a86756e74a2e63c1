"""The verb that sets models beside each other."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mmme.cli.console import json_option, print_json, progress, show_table, work_options
from mmme.cli.results import run_option
from mmme.errors import DataError

if TYPE_CHECKING:
    from mmme.study.benchmark import BenchmarkRow

__all__ = ["benchmark"]


@click.group()
def benchmark() -> None:
    """Set many models beside each other under one protocol, with seeds, intervals and paired tests."""


@benchmark.command()
@click.argument("table", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("benchmark"),
    show_default=True,
    help="Folder of the results; what is in it is kept.",
)
@click.option("--models", help="Names with commas between. [default: all that can read the table]")
@click.option("--seeds", type=click.IntRange(min=1), default=10, show_default=True, help="Of models with randomness.")
@click.option("--ready", is_flag=True, help="Run nothing; make the table of what is in the folder already.")
@run_option
@json_option
@work_options
def recognition(
    table: Path,
    *,
    out: Path,
    models: str | None,
    seeds: int,
    ready: bool,
    run_file: Path | None,
    as_json: bool,
    jobs: int,
    scheduler: str | None,
    quiet: bool,
) -> None:
    """Recognise TABLE (.npz of flow images or features) with many models, leaving one subject out at a time.

    Every model and seed is a result of its own in the folder, which can be rerun and reported; recognition.json there is
    the table. Scores are means over seeds with their deviation; intervals come from resampling subjects. Epochs are fixed
    beforehand, nothing is chosen on test subjects, and each model's folds are audited. Interrupted, it goes on.
    """
    from mmme.config import load_config
    from mmme.study.benchmark import benchmark_recognition
    from mmme.workers import Workers

    if not table.is_file():
        raise DataError(f"{table}: expected a table (.npz), got no file")
    config = load_config(run_file)
    chosen = tuple(name.strip() for name in (models or "").split(",") if name.strip())
    with Workers(jobs, scheduler) as workers, progress(quiet=quiet) as step:
        rows = benchmark_recognition(
            table, out, config, models=chosen, seeds=seeds, ready=ready, workers=workers, step=step
        )
    if as_json:
        print_json({"rows": [asdict(row) for row in rows], "table": str(out / "recognition.json")})
        return
    header = ("model", "seeds", "UF1 (sd)", "95 % interval", "UAR", "against svm-linear", "p (Holm)", "CPU", "published")
    show_table(f"{table.name}: {config.recognition.protocol}", header, [_line(row) for row in rows])
    for row in rows:
        if row.published:
            click.echo(f"{row.model}, as published: {row.published['how']} ({row.published['source']})")
        if row.audit.startswith("leak"):
            click.echo(f"{row.model}: {row.audit}", err=True)
    click.echo(f"table: {out / 'recognition.json'}")
    if any(row.audit.startswith("leak") for row in rows):
        click.get_current_context().exit(1)


def _line(row: BenchmarkRow) -> tuple[str, ...]:
    uf1, uar = row.score("UF1"), row.score("UAR")
    sd = f" ({uf1.sd:.3f})" if row.seeds > 1 else ""
    against = f"{row.against['value']:+.3f} [{row.against['low']:+.3f}, {row.against['high']:+.3f}]" if row.against else ""
    p = f"{row.against['p_holm']:.3f}" if row.against else ""
    printed = "/".join(f"{row.published[k]:.3f}" for k in ("uf1", "uar") if k in row.published)
    span = f"[{uf1.low:.3f}, {uf1.high:.3f}]"
    return (
        row.model,
        str(row.seeds),
        f"{uf1.mean:.3f}{sd}",
        span,
        f"{uar.mean:.3f}",
        against,
        p,
        f"{row.cpu_s:.1f} s",
        printed,
    )
