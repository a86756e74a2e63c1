"""The verb for eyes: small motion made large."""

from __future__ import annotations

from pathlib import Path

import click

from mmme.cli.console import json_option, print_json, progress

__all__ = ["magnify"]


@click.command()
@click.argument("video", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--alpha", type=float, default=10.0, show_default=True, help="Motion becomes 1 + alpha times as large.")
@click.option(
    "--method",
    type=click.Choice(["phase", "linear"]),
    default="phase",
    show_default=True,
    help="phase moves what moves; linear is ten times faster, for less than a quarter of a pixel.",
)
@click.option("--low-hz", type=float, default=0.5, show_default=True, help="Slower motion stays as it is [Hz].")
@click.option(
    "--high-hz",
    type=float,
    help="Faster motion stays as it is [Hz].  [default: 10, or 0.4 of the frame rate where that is less]",
)
@click.option("--face", is_flag=True, help="Only the face, cut out and held still.")
@click.option("--start", "start_s", type=float, help="From here [s].")
@click.option("--stop", "stop_s", type=float, help="To here [s].")
@click.option("--side-by-side", is_flag=True, help="The source to the left.")
@json_option
@click.option("--quiet", is_flag=True, help="No progress bars.")
def magnify(
    video: Path,
    out: Path,
    *,
    alpha: float,
    method: str,
    low_hz: float,
    high_hz: float | None,
    face: bool,
    start_s: float | None,
    stop_s: float | None,
    side_by_side: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """
    Write VIDEO with its small motion made large to OUT (.mp4), for viewing and never for measuring.

    The default band holds micro-expressions, which rise in 0.05 to 0.25 s. A head that moves fast is magnified as well:
    choose a part of the video in which it is still. Around a magnified motion there is a fainter one the other way.
    """
    from mmme.study.magnify import magnify_video

    with progress(quiet=quiet) as step:
        made = magnify_video(
            video,
            out,
            alpha=alpha,
            method=method,
            low_hz=low_hz,
            high_hz=high_hz,
            face=face,
            start_s=start_s,
            stop_s=stop_s,
            side_by_side=side_by_side,
            step=step,
        )
    if as_json:
        print_json(
            {
                "out": str(made.out),
                "frames": made.frames,
                "height_px": made.size[0],
                "width_px": made.size[1],
                "first_s": made.first_s,
                "rate_hz": made.rate_hz,
                "unsteady_share": made.unsteady,
                "method": method,
                "alpha": alpha,
                "low_hz": made.low_hz,
                "high_hz": made.high_hz,
                "clipped_share": made.clipped,
                "findings": made.findings,
            }
        )
        return
    click.echo(
        f"{made.out}: {made.frames} frames, motion of {made.low_hz:g} to {made.high_hz:g} Hz {1 + alpha:g} times as large; "
        f"{made.clipped:.1%} of pixels clipped"
    )
    if made.unsteady > 0:
        click.echo(
            f"{made.unsteady:.1%} of the steps between frames are not of {made.rate_hz:g} Hz: the band is not exact there"
        )
    for finding in made.findings:
        click.echo(f"{video}: {finding}")
