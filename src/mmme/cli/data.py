"""Verbs of data: simulate, import, align, check."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mmme.cli.console import json_option, print_json, progress, show_table, work_options

if TYPE_CHECKING:
    from mmme.types import Finding

__all__ = ["align", "check", "import_", "inspect", "simulate"]


@click.command()
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--subjects", type=int, default=8, show_default=True, help="Sessions.")
@click.option("--trials", type=int, default=9, show_default=True, help="Stimuli per session, up to 48.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of everything random.")
@click.option("--fps", type=float, default=150.0, show_default=True, help="Nominal camera rate [Hz].")
@click.option("--frame-px", type=int, default=128, show_default=True, help="Height and width of a frame [px].")
@click.option("--trial-s", type=float, default=6.0, show_default=True, help="Mean length of a stimulus [s].")
@click.option("--rest-s", type=float, default=4.0, show_default=True, help="Mean pause after a stimulus [s].")
@click.option("--face-effect", type=float, default=1.0, show_default=True, help="Emotion in the face; 0 is none.")
@click.option("--body-effect", type=float, default=1.0, show_default=True, help="Emotion in the physiology; 0 is none.")
@click.option("--combined", is_flag=True, help="Write the annotation sheet with the Macro/Micro column.")
@work_options
def simulate(
    out: Path,
    *,
    subjects: int,
    trials: int,
    seed: int,
    fps: float,
    frame_px: int,
    trial_s: float,
    rest_s: float,
    face_effect: float,
    body_effect: float,
    combined: bool,
    jobs: int,
    scheduler: str | None,
    quiet: bool,
) -> None:
    """Write a simulated study in the real raw formats to OUT, with the planted truth in truth.json.

    Camera frames named by time, code and marker; BIOPAC .mat; EEGLAB .set; two coders' sheet; clocks that drift;
    markers that are lost, doubled or never sent.
    """
    from mmme.simulate import StudyPlan, simulate_study
    from mmme.workers import Workers

    plan = StudyPlan(
        subjects=subjects,
        trials=trials,
        seed=seed,
        video_fps=fps,
        frame_px=frame_px,
        trial_s=trial_s,
        rest_s=rest_s,
        face_effect=face_effect,
        physiology_effect=body_effect,
        combined_sheet=combined,
    )
    with Workers(jobs, scheduler) as workers, progress(quiet=quiet) as step:
        simulate_study(out, plan, workers=workers, progress=step)
    click.echo(f"{out}: simulated study of {subjects} subjects, {trials} trials each")


CLOCKS = (
    "recording",
    "device",
    "drift [ppm]",
    "p50 / p95 / worst [ms]",
    "kept, set aside",
    "lost, doubled, extra",
    "bound [ms]",
    "",
)
layout_option = click.option(
    "--layout", metavar="NAME|FILE", help="Data set whose layout RAW has, or a layout file (docs/layouts.md)."
)


@click.command("import")
@click.argument("raw", type=click.Path(path_type=Path))
@click.argument("study", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV of names and codes, outside STUDY; only data sets whose names are codes do without.",
)
@layout_option
@click.option(
    "--corrections", type=click.Path(path_type=Path, dir_okay=False), help="CSV of corrections of the annotation table."
)
@work_options
def import_(
    raw: Path,
    study: Path,
    *,
    key: Path | None,
    layout: str | None,
    corrections: Path | None,
    jobs: int,
    scheduler: str | None,
    quiet: bool,
) -> None:
    """Import raw sessions from RAW into one pseudonymous BIDS data set in STUDY.

    Participants become codes; the key file keeps which is whose and is made when missing. A recording that fails is
    reported and the others are imported; the same command again imports only what is missing. The finished study is
    scanned for names, dates and paths, and gets a manifest with the hash of every file. RAW is never written to.
    """
    from mmme.study.importing import import_study
    from mmme.workers import Workers

    with Workers(jobs, scheduler) as workers, progress(quiet=quiet) as step:
        made = import_study(
            raw, study, key=key, workers=workers, layout=layout or "mmme", corrections=corrections, step=step
        )
    for why in made.failures:
        click.echo(f"not imported: {why}", err=True)
    summary = made.summary
    show_findings(f"{study}: findings of the import", summary.findings)
    for name, (found, published) in summary.totals.items():
        click.echo(f"{name}: found {'not stated' if found is None else found}, published {published}")
    click.echo(
        f"{study}: {len(summary.recordings)} recordings imported, {len(made.failures)} failed; "
        f"{summary.n_placed} of {summary.n_rows} coded rows placed; {made.n_files} files in the manifest"
    )
    if made.failures:
        click.get_current_context().exit(1)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@layout_option
@json_option
def inspect(path: Path, *, layout: str | None, as_json: bool) -> None:
    """Tell what PATH is: a raw folder, a device's file, a folder of frames, or an annotation table.

    A raw folder is compared with the layouts of all known data sets (or the given one): which sessions there are, which
    devices, what an import would miss. Where none fits, the beginning of a layout file is proposed. Nothing is written,
    and no name is told. Exit 1 when something is lacking.
    """
    from mmme.study.inspecting import inspect_path

    found = inspect_path(path, layout=layout)
    if as_json:
        print_json({**asdict(found), "path": str(path)})
    else:
        click.echo(f"{path}: {found.what}")
        if found.rows:
            show_table("", found.header, found.rows)
        for text in found.notes:
            click.echo(f"note: {text}")
        for text in found.lacks:
            click.echo(f"lacking: {text}")
        if found.proposal:
            click.echo(f"\n{found.proposal}")
    if found.lacks:
        click.get_current_context().exit(1)


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option(
    "--reference",
    default="auto",
    show_default=True,
    help="Device whose clock is session time; auto: the EEG's, or without EEG the one with most markers.",
)
@click.option(
    "--limit-ms",
    type=float,
    default=10.0,
    show_default=True,
    help="Refuse above this worst marker misfit [ms]; 1.5 frames at least for a camera.",
)
@click.option("--force", is_flag=True, help="Accept what would be refused for misfits or drift; it is said in the table.")
@json_option
def align(study: Path, *, reference: str, limit_ms: float, force: bool, as_json: bool) -> None:
    """Put every device of every recording on one session clock, and say how well.

    One line per device: drift against the session clock, misfits of the markers (median, 95th percentile, worst), how
    many were kept and set aside, how many the device lost, doubled or made up (repaired from the others), and how far
    a mapped time may be off. Exit 1 when a recording cannot be aligned.
    """
    from mmme.study.clocks import clocks_of_study

    found = clocks_of_study(study, reference=reference, limit_ms=limit_ms, force=force)
    if as_json:
        print_json({"clocks": found.rows, "failures": [{"recording": r, "error": e} for r, e in found.failures]})
    else:
        show_table(f"{study}: devices on one session clock", CLOCKS, [_clock_row(row) for row in found.rows])
        for name, why in found.failures:
            click.echo(f"not aligned: {name}: {why}", err=True)
    if found.failures:
        click.get_current_context().exit(1)


def _clock_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Show one device's clock; nothing where a number is unknown."""
    misfits = [row["residual_p50_ms"], row["residual_p95_ms"], row["residual_ms"]]
    said = "assumed" if row["assumed"] else f"forced: {row['forced']}" if row["forced"] else ""
    return (
        row["recording"],
        row["device"],
        f"{row['drift_ppm']:.1f}",
        "" if any(math.isnan(m) for m in misfits) else " / ".join(f"{m:.2f}" for m in misfits),
        f"{row['n_used']}, {row['n_rejected']}",
        f"{row['lost']}, {row['doubled']}, {row['extra']}",
        "" if math.isnan(row["max_error_ms"]) else f"{row['max_error_ms']:.1f}",
        said,
    )


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--manifest", is_flag=True, help="Compare the files of a study with its manifest, and do nothing else.")
@click.option("--bids", is_flag=True, help="Have the BIDS validator look at a study as well.")
@json_option
def check(path: Path, *, manifest: bool, bids: bool, as_json: bool) -> None:
    """Check a study folder, a result (.json) or a table (.npz); exit 1 on findings of level error.

    Each finding has a stable code, explained in docs/checks.md. --json lists every row, trial or channel concerned.
    """
    from mmme.study.checking import check_path

    findings = check_path(path, manifest=manifest, bids=bids)
    if as_json:
        print_json([asdict(f) for f in findings])
    elif findings:
        show_findings(f"{path}: {len(findings)} findings", findings)
    else:
        click.echo(f"{path}: nothing found")
    if any(f.level == "error" for f in findings):
        click.get_current_context().exit(1)


def show_findings(title: str, findings: Sequence[Finding]) -> None:
    """Print findings as a table, the worst first."""
    level = {"error": 0, "warning": 1, "note": 2}
    rows = [(f.code, f.level, f.where, f.text) for f in sorted(findings, key=lambda f: (level[f.level], f.code, f.where))]
    if rows:
        show_table(title, ("code", "level", "where", "what"), rows, texts=True)
