"""The verb for anybody with one video."""

from __future__ import annotations

from pathlib import Path

import click

from mmme.cli.console import json_option, print_json, progress, show_table
from mmme.errors import ConfigError

__all__ = ["spot"]


@click.command()
@click.argument("video", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of what is written. [default: beside the video]",
)
@click.option(
    "--method",
    default="motion",
    show_default=True,
    help="Or a published one: lbp-chi2, strain, mdmd, region-flow, collaborative, apex-frequency.",
)
@click.option("--fps", type=float, help="Frames per second, where VIDEO is a folder of numbered images.")
@click.option(
    "--physio",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Physiology beside the video: BIDS physio, BrainVision, EDF, AcqKnowledge, ...; several files may be given.",
)
@click.option(
    "--lag",
    "lags",
    multiple=True,
    type=float,
    help="By how many seconds the physiology's clock is ahead: 2 where its file says 12 s when the video is at 10 s.",
)
@click.option(
    "--gate",
    type=float,
    help="Keep only expressions at whose apex the slope of the heart rate is at least so many times its mean size.",
)
@json_option
@click.option("--quiet", is_flag=True, help="No progress bars.")
def spot(
    video: Path,
    *,
    out: Path | None,
    method: str,
    fps: float | None,
    physio: tuple[Path, ...],
    lags: tuple[float, ...],
    gate: float | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Find the expressions in VIDEO, a file or a folder of frames.

    Written are a table (CSV, BIDS events, ELAN), a figure of the motion curve, a sheet of the faces at onset, apex and
    offset, and a page (HTML) with all of it. Training-free: motion of facial regions against the head, peaks above the
    video's own level. At most 0.5 s is a micro-expression, more a macro-expression; a speaking mouth is none.
    """
    from mmme.study.video import spot_video

    if (lags or gate is not None) and not physio:
        raise ConfigError("--lag and --gate: expected --physio with them, got none")
    with progress(quiet=quiet) as step:
        found = spot_video(
            video, out or video.parent, method=method, fps=fps, physio=physio, lags_s=lags, gate=gate, step=step
        )
    if as_json:
        print_json(
            {
                "expressions": found.rows,
                "not_searched_s": found.beyond_s,
                "speaking_s": found.speaking_s,
                "others": found.others,
                "notes": found.notes,
                **{name: str(path) for name, path in found.files.items()},
            }
        )
        return
    header = ("kind", "onset [s]", "apex [s]", "offset [s]", "score", "regions")
    rows = [
        (r["kind"], f"{r['onset_s']:.3f}", f"{r['apex_s']:.3f}", f"{r['offset_s']:.3f}", f"{r['score']:.2f}", r["regions"])
        for r in found.rows
    ]
    show_table(f"{video}: {len(rows)} expression{'' if len(rows) == 1 else 's'}", header, rows)
    if found.beyond_s > 0:
        click.echo(f"not searched: {found.beyond_s:.1f} s without a face, or with one that turned away or was covered")
    if found.speaking_s > 0:
        click.echo(f"speaking: {found.speaking_s:.1f} s, in which only the brows were searched")
    for person in found.others:
        click.echo(
            f"somebody else, not searched: {person['width_px']:.0f} px wide, seen at {person['looks']} looks "
            f"from {person['first_s']:.1f} s to {person['last_s']:.1f} s"
        )
    for note in found.notes:
        click.echo(f"note: {note}")
    for name, path in found.files.items():
        click.echo(f"{name}: {path}")
