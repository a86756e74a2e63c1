"""The demonstration: a simulated study, from raw files to the report."""

from __future__ import annotations

import time
from pathlib import Path

import click

from mmme.cli.console import progress, show_table, work_options

__all__ = ["demo"]


@click.command()
@click.argument("out", type=click.Path(path_type=Path, file_okay=False), default=Path("demo"))
@click.option("--subjects", type=int, default=8, show_default=True, help="Simulated sessions.")
@click.option("--trials", type=int, default=9, show_default=True, help="Trials per session, up to 48.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the simulation and of the evaluation.")
@work_options
def demo(out: Path, *, subjects: int, trials: int, seed: int, jobs: int, scheduler: str | None, quiet: bool) -> None:
    """Simulate a small study, take it all the way, and write OUT/report.html.

    Raw files in the real formats are simulated, imported, aligned, checked and described; expressions are recognised
    and spotted from the face, from the body and from both, leaving one subject out at a time. Interrupted, it goes on
    where it was.
    """
    from mmme.config import load_config
    from mmme.report import write_report
    from mmme.simulate import StudyPlan, simulate_study
    from mmme.study.describe import describe_study, gather
    from mmme.study.evaluation import Run, evaluate_study
    from mmme.study.importing import import_study
    from mmme.study.reporting import report_of_study
    from mmme.workers import Workers

    started = time.monotonic()
    raw, study = out / "raw", out / "study"
    out.mkdir(parents=True, exist_ok=True)
    config = load_config({"seed": seed})
    plan = StudyPlan(subjects=subjects, trials=trials, seed=seed, video_fps=100.0)
    with Workers(jobs, scheduler) as workers, progress(quiet=quiet) as step:
        simulate_study(raw, plan, workers=workers, progress=step)
        imported = import_study(raw, study, key=out / "key.csv", workers=workers, step=step)
        outcomes = describe_study(study, config, workers=workers, step=step)
        failures = [("import", why) for why in imported.failures]
        failures += [(o.item.recording, o.error) for o in outcomes if o.error]
        described = gather(study, [o.value for o in outcomes if o.value], config)
        results = out / "results"
        results.mkdir(exist_ok=True)
        made = evaluate_study(described, results, Run(config, workers, step))
        page = write_report(report_of_study(described, made, config, failures), out / "report.html")
    rows = []
    for result in made.results:
        names = ("UF1", "UAR") if result.task == "recognition" else ("F1 micro", "F1 macro")
        shown = [result.score(n) for n in names]
        rows.append((result.task, result.title, *(f"{s.name} {s.value:.3f} [{s.low:.3f}, {s.high:.3f}]" for s in shown)))
    show_table("Simulated study, leave one subject out", ("task", "from", "", ""), rows)
    click.echo(f"{time.monotonic() - started:.0f} s; report: {page.resolve()}")
