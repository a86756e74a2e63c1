"""The verb for the pulse of one video."""

from __future__ import annotations

from pathlib import Path

import click

from mmme.cli.console import json_option, print_json, progress, show_table

__all__ = ["pulse"]


@click.command()
@click.argument("video", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the CSV and the JSON file. [default: beside the video]",
)
@click.option(
    "--window", "window_s", type=float, default=10.0, show_default=True, help="Length of a window [s], at least 4."
)
@click.option("--step", "step_s", type=float, default=1.0, show_default=True, help="From one window to the next [s].")
@json_option
@click.option("--quiet", is_flag=True, help="No progress bars.")
def pulse(video: Path, *, out: Path | None, window_s: float, step_s: float, as_json: bool, quiet: bool) -> None:
    """Read the pulse rate from the colour of the face in VIDEO: windows with their quality (CSV), and a summary (JSON).

    Needs colour, a face that is lit steadily, and at least 10 frames per second. Where the quality is too low there is no
    rate but the reason.
    """
    from mmme.study.pulse import pulse_video

    with progress(quiet=quiet) as step:
        found = pulse_video(video, out or video.parent, window_s=window_s, step_s=step_s, step=step)
    if as_json:
        print_json({**found.summary, "rows": found.rows, "table": str(found.table), "file": str(found.file)})
        return
    header = ("from (s)", "to (s)", "pulse (bpm)", "quality (dB)", "why not")
    rows = [
        (f"{r['start_s']:.1f}", f"{r['stop_s']:.1f}", _shown(r["hr_bpm"]), _shown(r["snr_db"]), r["why_not"])
        for r in found.rows
    ]
    n, good = found.summary["windows"], found.summary["windows_with_rate"]
    show_table(video.name, header, rows)
    median = f", median {found.summary['median_hr_bpm']:.1f} bpm" if good else ""
    click.echo(f"a pulse in {good} of {n} windows{median}")
    click.echo(f"table: {found.table}\nsummary: {found.file}")


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
