"""The verb of brain and body."""

from __future__ import annotations

from pathlib import Path

import click

from mmme.cli.console import json_option, print_json, progress, show_table, work_options
from mmme.cli.results import run_option

__all__ = ["analyse"]


@click.command()
@click.argument("study", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("analysis"), show_default=True, help="Folder."
)
@run_option
@json_option
@work_options
def analyse(
    study: Path, *, out: Path, run_file: Path | None, as_json: bool, jobs: int, scheduler: str | None, quiet: bool
) -> None:
    """Ask what brain and body do around the expressions of STUDY, and whether its annotation can be trusted.

    Each expression is compared with a neutral moment of its trial: potentials, band power and networks of the EEG, heart,
    skin, breath and temperature, and how the face's motion and the body go together (after `mmme features`). Questions
    are stated beforehand in families and corrected over all. Figures, tables and analysis.html go to the folder;
    recordings that are done are kept in the study.
    """
    from mmme.config import load_config
    from mmme.report.analysis_page import AnalysisMaterial, write_analysis_page
    from mmme.study.analysis import analyse_study, methods_text, write_tables
    from mmme.workers import Workers

    with Workers(jobs, scheduler) as workers, progress(quiet=quiet) as step:
        found, _ = analyse_study(study, load_config(run_file), workers=workers, step=step)
        write_tables(found, out)
        material = AnalysisMaterial(
            found.name, found.simulated, found.group, found.validation.tables, methods_text(found),
            [*found.group.notes, *found.validation.notes], found.failures,
        )  # fmt: skip
        page = write_analysis_page(material, out, step=step)
    for failure in found.failures:
        click.echo(f"failed: {failure}", err=True)
    claims = found.group.claims
    if as_json:
        print_json(
            {"page": str(page), "questions": len(found.group.questions), "claims": claims, "failed": list(found.failures)}
        )
    else:
        rows = [(c["family"], c["question"], f"{c['p']:.4f}", f"{c['p_family']:.4f}", f"{c['p_all']:.4f}") for c in claims]
        show_table(f"{found.name}: claimed", ("family", "question", "p alone", "in its family", "over all"), rows)
        click.echo(f"{len(claims)} of {len(found.group.questions)} questions; {page}")
    if found.failures:
        click.get_current_context().exit(1)
