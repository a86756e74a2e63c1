"""The verb for anybody with one video."""

from __future__ import annotations

from pathlib import Path

import click

from mmme.cli.console import json_option, print_json, progress, show_table

__all__ = ["spot"]


@click.command()
@click.argument("video", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the table and the figure. [default: beside the video]",
)
@json_option
@click.option("--quiet", is_flag=True, help="No progress bars.")
def spot(video: Path, *, out: Path | None, as_json: bool, quiet: bool) -> None:
    """Find the expressions in VIDEO: a table (CSV) of intervals and a figure (PNG) of the motion curve.

    Training-free: motion of facial regions against the head, peaks above the video's own level. At most 0.5 s is a
    micro-expression, more a macro-expression; speech can be mistaken for either.
    """
    from mmme.study.video import spot_video

    with progress(quiet=quiet) as step:
        found = spot_video(video, out or video.parent, step=step)
    if as_json:
        print_json(
            {
                "expressions": found.rows,
                "not_searched_s": found.beyond_s,
                "others": found.others,
                "table": str(found.table),
                "figure": str(found.figure),
            }
        )
        return
    header = ("kind", "onset [s]", "apex [s]", "offset [s]", "score", "regions")
    rows = [
        (r["kind"], f"{r['onset_s']:.3f}", f"{r['apex_s']:.3f}", f"{r['offset_s']:.3f}", f"{r['score']:.2f}", r["regions"])
        for r in found.rows
    ]
    show_table(f"{video}: {len(rows)} expressions", header, rows)
    if found.beyond_s > 0:
        click.echo(f"not searched: {found.beyond_s:.1f} s without a face, or with one that turned away or was covered")
    for person in found.others:
        click.echo(
            f"somebody else, not searched: {person['width_px']:.0f} px wide, seen at {person['looks']} looks "
            f"from {person['first_s']:.1f} s to {person['last_s']:.1f} s"
        )
    click.echo(f"table: {found.table}\nfigure: {found.figure}")
