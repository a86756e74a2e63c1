"""Verbs of results: features, evaluate, rerun, report, config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmme.cli.console import json_option, print_json, progress, show_table, work_options
from mmme.errors import ConfigError, DataError

if TYPE_CHECKING:
    from mmme.study.describe import RecordingJob
    from mmme.types import Result
    from mmme.workers import Outcome

__all__ = ["config", "evaluate", "features", "report", "rerun", "show_result"]

run_option = click.option(
    "--run", "run_file", type=click.Path(path_type=Path, dir_okay=False), help="Run file (TOML); `mmme config` prints one."
)


def show_result(result: Result) -> None:
    """Print a result's scores with intervals and chance, and the confusion matrix of a recognition."""
    rows = []
    for s in result.scores:
        chance = result.chance.get(s.name if s.group == "all" else f"{s.name} ({s.group})")
        level = f"{chance['mean']:.3f} ({chance['p95']:.3f})" if chance else ""
        p = f"{chance['p']:.4f}" if chance else ""
        rows.append((s.name, s.group, str(s.n), f"{s.value:.4f}", f"[{s.low:.4f}, {s.high:.4f}]", level, p))
    mark = " (simulated)" if result.dataset.get("simulated") else ""
    header = ("score", "group", "n", "value", "95 % interval", "chance (95th percentile)", "p")
    show_table(f"{result.task} from {result.title}{mark}: {result.protocol.get('description', '')}", header, rows)
    if result.task == "recognition":
        from mmme.evaluate import confusion_of

        classes = result.protocol["classes"]
        counts = confusion_of(result)
        show_table(
            "confusion (rows true, columns predicted)",
            ("", *classes),
            [(name, *(str(int(n)) for n in row)) for name, row in zip(classes, counts, strict=True)],
        )


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@run_option
@click.option("--prune", "pruned", is_flag=True, help="Then delete tables of earlier run files that nothing refers to.")
@json_option
@work_options
def features(
    study: Path, *, run_file: Path | None, pruned: bool, as_json: bool, jobs: int, scheduler: str | None, quiet: bool
) -> None:
    """Align, cut and describe every recording of STUDY; finished tables are kept, failed recordings reported.

    What is computed of the face is in the run file, key face.descriptors; docs/descriptors.md has all names. Tables are
    kept in STUDY/derivatives/mmme/store under the hash of what they were made from.
    """
    from mmme.config import load_config
    from mmme.study.describe import derivatives, describe_study, prune
    from mmme.workers import Workers

    with Workers(jobs, scheduler) as workers, progress(quiet=quiet) as step:
        outcomes = describe_study(study, load_config(run_file), workers=workers, step=step)
    failed = _report_failures(outcomes)
    tables = _made(study)
    if pruned:
        n_gone, n_bytes = prune(study)
    if as_json:
        print_json(
            {"described": len(outcomes) - failed, "failed": failed, "folder": str(derivatives(study)), "tables": tables}
        )
    else:
        header = ("table", "recordings", "rows", "each row", "MB")
        rows = [(t["table"], t["recordings"], t["rows"], t["row_shape"], f"{t['n_bytes'] / 1e6:.1f}") for t in tables]
        show_table("feature tables", header, [tuple(map(str, row)) for row in rows])
        click.echo(f"{derivatives(study)}: {len(outcomes) - failed} recordings described, {failed} failed")
        if pruned:
            click.echo(f"deleted: {n_gone} tables that nothing refers to, {n_bytes / 1e6:.1f} MB")
    if failed:
        click.get_current_context().exit(1)


def _made(study: Path) -> list[dict[str, Any]]:
    """Sum the stored tables of all recordings, by name."""
    from mmme.study.describe import stored_tables

    made: dict[str, dict[str, Any]] = {}
    for entry in stored_tables(study):
        name = str(entry.made_from["table"])
        known = made.setdefault(name, {"table": name, "recordings": 0, "rows": 0, "row_shape": "", "n_bytes": 0})
        known["recordings"] += 1
        known["rows"] += entry.shape[0]
        known["n_bytes"] += entry.n_bytes
        if entry.shape[1:] != (0,):
            known["row_shape"] = " x ".join(map(str, entry.shape[1:]))
    return [made[name] for name in sorted(made)]


def _report_failures(outcomes: Sequence[Outcome[RecordingJob, str]]) -> int:
    failed = [o for o in outcomes if o.error]
    for outcome in failed:
        click.echo(f"failed: {outcome.item.recording}: {outcome.error}", err=True)
    return len(failed)


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("results"), show_default=True, help="Folder."
)
@run_option
@json_option
@work_options
def evaluate(
    data: Path, *, out: Path, run_file: Path | None, as_json: bool, jobs: int, scheduler: str | None, quiet: bool
) -> None:
    r"""Evaluate DATA: a table of flow images or features (.npz), or an imported study.

    Leave-one-subject-out; UF1, UAR and accuracy from pooled counts, each with a 95 % interval from resampling subjects
    and a chance level. A study gives recognition and spotting from the face, from the body, and from both. Results and
    a report go to the folder.

    \b
    Models (key recognition.model of the run file):
    svm-linear, svm-linear-nested, svm-rbf, logistic, lda, ridge, forest.
    """
    from mmme.config import load_config
    from mmme.report import write_report
    from mmme.study.describe import describe_study, gather
    from mmme.study.evaluation import Run, evaluate_study, evaluate_table
    from mmme.study.reporting import report_of_study, report_of_table
    from mmme.workers import Workers

    if not data.exists():
        raise DataError(f"{data}: expected a table (.npz) or an imported study, got nothing there")
    config = load_config(run_file)
    out.mkdir(parents=True, exist_ok=True)
    with Workers(jobs, scheduler) as workers, progress(quiet=quiet) as step:
        if data.is_file():
            result = evaluate_table(data, out, Run(config, workers, step))
            results: tuple[Result, ...] = (result,)
            material, failures = report_of_table(result, data), 0
        else:
            outcomes = describe_study(data, config, workers=workers, step=step)
            failures = _report_failures(outcomes)
            described = gather(data, [o.value for o in outcomes if o.value], config)
            made = evaluate_study(described, out, Run(config, workers, step))
            results = made.results
            failures += len(made.failures)
            for place, why in made.failures:
                click.echo(f"failed: {place}: {why}", err=True)
            material = report_of_study(described, made, config, [(o.item.recording, o.error) for o in outcomes if o.error])
        page = write_report(material, out / "report.html")
    if as_json:
        print_json({"results": [_scores(r) for r in results], "report": str(page)})
    else:
        for result in results:
            show_result(result)
        click.echo(f"results and report: {page}")
    if failures:
        click.get_current_context().exit(1)


def _scores(result: Result) -> dict[str, object]:
    return {
        "task": result.task,
        "title": result.title,
        "simulated": result.dataset.get("simulated"),
        "scores": [asdict(s) for s in result.scores],
        "chance": result.chance,
    }


@click.command()
@click.argument("result", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Folder of the tables, if they moved.")
@work_options
def rerun(result: Path, *, data: Path | None, jobs: int, scheduler: str | None, quiet: bool) -> None:
    """Fit and predict a stored RESULT again, from what it holds, and compare; exit 1 if a prediction differs."""
    from mmme.evaluate import environment, load_result
    from mmme.study.repetition import differences
    from mmme.study.repetition import rerun as run_again
    from mmme.workers import Workers

    stored = load_result(result)
    with Workers(jobs, scheduler) as workers, progress(quiet=quiet) as step:
        folder = data or result.parent / str(stored.dataset["folder"])
        again = run_again(stored, folder, workers=workers, step=step)
    different = differences(stored, again)
    now = environment()
    changed = [f"{k} {v} -> {now.get(k, 'none')}" for k, v in stored.versions.items() if now.get(k) != v]
    if changed:
        click.echo(f"versions differ: {', '.join(changed)}")
    if different:
        click.echo(f"{result}: does not repeat: {different}")
        click.get_current_context().exit(1)
    click.echo(f"{result}: repeats, all {len(next(iter(stored.predictions.values()), []))} predictions are the same")


@click.command()
@click.argument("results", type=click.Path(path_type=Path, dir_okay=False), nargs=-1, required=True)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("report.html"), show_default=True, help="Page."
)
@click.option("--title", default="Micro-expression results", show_default=True, help="Heading.")
def report(results: tuple[Path, ...], *, out: Path, title: str) -> None:
    """Write one self-contained page from stored RESULTS (.json), their scores recomputed from their predictions."""
    from mmme.report import write_report
    from mmme.study.reporting import report_of_results

    click.echo(write_report(report_of_results(results, title), out))


@click.command()
@click.option("--run", "run_file", type=click.Path(path_type=Path, dir_okay=False), help="Complete this run file.")
def config(run_file: Path | None) -> None:
    """Print a run file with every key, its default and what it means."""
    from mmme.config import as_toml, load_config

    if run_file is not None and run_file.suffix != ".toml":
        raise ConfigError(f"{run_file}: expected a .toml file, got '{run_file.suffix or 'no ending'}'")
    click.echo(as_toml(load_config(run_file)), nl=False)
