"""Verbs of data: simulate, import, align, check."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from mmme.cli.console import json_option, print_json, progress, show_table, work_options

__all__ = ["align", "check", "import_", "simulate"]


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


@click.command("import")
@click.argument("raw", type=click.Path(path_type=Path))
@click.argument("study", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--key", type=click.Path(path_type=Path, dir_okay=False), required=True, help="CSV of names and codes, outside STUDY."
)
@work_options
def import_(raw: Path, study: Path, *, key: Path, jobs: int, scheduler: str | None, quiet: bool) -> None:
    """Import raw sessions from RAW into one pseudonymous data set in STUDY.

    Subjects become codes; the key file keeps which is whose and is made when missing. A recording that fails is
    reported and the others are imported; the same command again imports only what is missing.
    """
    from mmme.study import import_study
    from mmme.workers import Workers

    with Workers(jobs, scheduler) as workers, progress(quiet=quiet) as step:
        summary, failures = import_study(raw, study, key=key, workers=workers, step=step)
    for _, why in failures:
        click.echo(f"not imported: {why}", err=True)
    for finding in summary.findings:
        click.echo(f"finding: {finding.subject} {finding.source}: {finding.text}", err=True)
    for name, (found, published) in summary.totals.items():
        click.echo(f"{name}: found {'not stated' if found is None else found}, published {published}")
    click.echo(
        f"{study}: {len(summary.subjects)} recordings imported, {len(failures)} failed; "
        f"{summary.n_placed} of {summary.n_rows} coded rows placed"
    )
    if failures:
        click.get_current_context().exit(1)


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--reference", default="eeg", show_default=True, help="Device whose clock is session time.")
@click.option(
    "--limit-ms",
    type=float,
    default=10.0,
    show_default=True,
    help="Refuse above this worst marker misfit [ms]; 1.5 frames at least for a camera.",
)
@json_option
def align(study: Path, *, reference: str, limit_ms: float, as_json: bool) -> None:
    """Put every device of every recording on one session clock, and say how well."""
    from mmme.align import align as align_recording
    from mmme.datasets.study import open_study
    from mmme.errors import MmmeError

    opened = open_study(study)
    rows, failures = [], []
    for subject in opened.subjects:
        try:
            timeline = align_recording(opened.recording(subject), reference=reference, limit_ms=limit_ms)
        except MmmeError as error:
            failures.append((subject, str(error)))
            continue
        rows += [{"subject": subject, **asdict(clock), "drift_ppm": clock.drift_ppm} for clock in timeline.clocks.values()]
    if as_json:
        print_json({"clocks": rows, "failures": [{"subject": s, "error": e} for s, e in failures]})
    else:
        show_table(
            f"{study}: session clock is that of {reference}",
            ("subject", "device", "drift [ppm]", "intercept [s]", "worst misfit [ms]", "markers", "set aside"),
            [
                (
                    r["subject"],
                    r["device"],
                    f"{r['drift_ppm']:.1f}",
                    f"{r['intercept_s']:.4f}",
                    f"{r['residual_ms']:.2f}",
                    str(r["n_used"]),
                    str(r["n_rejected"]),
                )
                for r in rows
            ],
        )
        for subject, why in failures:
            click.echo(f"not aligned: {subject}: {why}", err=True)
    if failures:
        click.get_current_context().exit(1)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@json_option
def check(path: Path, *, as_json: bool) -> None:
    """Check a study folder, a result (.json) or a table (.npz); exit 1 on findings of level error.

    Each finding has a stable code, explained in docs/checks.md.
    """
    from mmme.study import check_path

    findings = check_path(path)
    if as_json:
        print_json([asdict(f) for f in findings])
    elif findings:
        show_table(
            f"{path}: {len(findings)} findings",
            ("code", "level", "where", "what"),
            [(f.code, f.level, f.where, f.text) for f in findings],
        )
    else:
        click.echo(f"{path}: nothing found")
    if any(f.level == "error" for f in findings):
        click.get_current_context().exit(1)
