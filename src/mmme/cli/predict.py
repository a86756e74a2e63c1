"""Verbs that apply a model: train it on all subjects, recognise the expressions of a new video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from mmme.cli.console import json_option, print_json, progress, show_table, work_options
from mmme.cli.results import run_option
from mmme.errors import ConfigError, DataError

if TYPE_CHECKING:
    from mmme.models.recogniser import Recogniser
    from mmme.study.prediction import Predicted
    from mmme.study.training import From

__all__ = ["predict", "train"]


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder of the model.")
@run_option
@click.option(
    "--from",
    "source",
    type=click.Choice(["face", "body", "both"]),
    help="What it learns from. [default: both where DATA has physiology, else face]",
)
@click.option(
    "--result",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Stored result of the same DATA and run file, whose scores are kept with the model.",
)
@click.option("--overwrite", is_flag=True, help="Replace a model that lies there.")
@json_option
@work_options
def train(
    data: Path,
    *,
    out: Path,
    run_file: Path | None,
    source: str | None,
    result: Path | None,
    overwrite: bool,
    as_json: bool,
    jobs: int,
    scheduler: str | None,
    quiet: bool,
) -> None:
    """Fit the run file's model on all subjects of DATA, an imported study or a table (.npz), for `mmme predict`.

    recognition.model classifies the face, recognition.body_model the body; both are calibrated on held-out subjects and
    decide together by the product of their probabilities, or the first late rule of recognition.fusion. How good the
    model is, `mmme evaluate` tells: nothing is scored here.
    """
    from mmme.config import load_config
    from mmme.models.recogniser_files import save_recogniser
    from mmme.study.describe import describe_study, gather
    from mmme.study.training import train_study, train_table
    from mmme.workers import Workers

    if not data.exists():
        raise DataError(f"{data}: expected a table (.npz) or an imported study, got nothing there")
    if out.exists() and not overwrite:
        raise ConfigError(f"{out}: expected a folder that does not exist, got one; name another or use --overwrite")
    config, failed = load_config(run_file), []
    with Workers(jobs, scheduler) as workers, progress(quiet=quiet) as step:
        if data.is_file():
            if source not in (None, "face"):
                raise ConfigError(f"--from {source}: expected a study, got the table {data.name}; a table is of a face")
            fitted = train_table(data, config, result=result)
        else:
            outcomes = describe_study(data, config, workers=workers, step=step)
            failed = [(o.item.recording, o.error) for o in outcomes if o.error]
            described = gather(data, [o.value for o in outcomes if o.value], config)
            fitted = train_study(described, config, source=cast("From | None", source), result=result, step=step)
    save_recogniser(out, fitted, overwrite=overwrite)
    for name, why in failed:
        click.echo(f"not trained on: {name}: {why}", err=True)
    if as_json:
        print_json({"model": str(out), "classes": list(fitted.classes), **_known(fitted)})
    else:
        _tell(out, fitted)
    if failed:
        click.get_current_context().exit(1)


def _known(fitted: Recogniser) -> dict[str, Any]:
    about = fitted.about
    return {
        "from": about["from"],
        "simulated": about["simulated"],
        "rows": about["rows"],
        "signals": about["signals"],
        "sampling": about["sampling"],
        "temperatures": fitted.fusion.temperatures_,
        "holds_training_rows": fitted.holds_training_rows,
    }


def _tell(out: Path, fitted: Recogniser) -> None:
    """Say what the model was trained on."""
    about, rows = fitted.about, fitted.about["rows"]
    mark = ", trained on simulated data" if about["simulated"] else ""
    click.echo(f"{out}: from {about['from']}{mark}; {rows['n']} rows of {rows['n_subjects']} subjects")
    click.echo("classes: " + ", ".join(f"{name} ({n} rows)" for name, n in rows["by_class"].items()))
    heat = ", ".join(f"{name} {value:.2f}" for name, value in fitted.fusion.temperatures_.items())
    click.echo(f"temperatures on held-out subjects: {heat}")
    if fitted.holds_training_rows:
        click.echo("the model holds rows of training subjects (support vectors): share it as you may share those")


def _spans(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[float, ...], ...]:
    """Read onset, apex where it is given, and offset."""
    spans = []
    for value in values:
        try:
            times = tuple(float(part) for part in value.split(":"))
        except ValueError:
            times = ()
        if len(times) not in (2, 3):
            raise click.BadParameter(f"expected ONSET:OFFSET or ONSET:APEX:OFFSET in seconds, got '{value}'", ctx, param)
        spans.append(times)
    return tuple(spans)


@click.command()
@click.argument("model", type=click.Path(path_type=Path, file_okay=False))
@click.argument("video", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--at", type=float, multiple=True, metavar="S", help="Time of an apex [s]; may be given several times.")
@click.option(
    "--interval",
    "intervals",
    metavar="ONSET[:APEX]:OFFSET",
    callback=_spans,
    multiple=True,
    help="Onset and offset of an expression [s], with its apex or without; may be given several times.",
)
@click.option(
    "--physio",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Physiology beside the video: BIDS physio, BrainVision, EDF, AcqKnowledge, ...; several files may be given.",
)
@click.option(
    "--lag",
    "lags",
    type=float,
    multiple=True,
    metavar="S",
    help="By how many seconds the physiology's clock is ahead: 2 where its file says 12 s when the video is at 10 s. "
    "One for all files or one each. [default: 0, and told]",
)
@click.option("--accept-frame-rate", is_flag=True, help="Go on at a frame rate unlike the training's; it is told.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of table, JSON and figure. [default: beside the video]",
)
@json_option
@click.option("--quiet", is_flag=True, help="No progress bars.")
def predict(
    model: Path,
    video: Path,
    *,
    at: tuple[float, ...],
    intervals: tuple[tuple[float, ...], ...],
    physio: tuple[Path, ...],
    lags: tuple[float, ...],
    accept_frame_rate: bool,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Recognise the expressions of VIDEO with a MODEL of `mmme train`: probabilities, what carried them, and refusals.

    Expressions are spotted, or taken at given apexes (--at) or intervals (--interval), and described as in training. Each
    gets class probabilities, what the class would lose without each region of the face and each signal of the body, and
    its distance from the training. What lies outside of it is refused: no class, and the reason (docs/predict.md).
    """
    from mmme.study.prediction import WhatToPredict, predict_video

    if lags and not physio:
        raise ConfigError("--lag: expected --physio with it, got none; without physiology there is no clock to shift")
    asked = WhatToPredict(video, at, intervals, physio, lags, accept_frame_rate)
    with progress(quiet=quiet) as step:
        made = predict_video(model, asked, out or video.parent, step=step)
    if as_json:
        print_json({"expressions": made.rows, "notes": made.notes, "table": str(made.table), "data": str(made.data)})
        return
    header = ("kind", "onset [s]", "apex [s]", "offset [s]", "class", "p", "carried by")
    if made.rows:
        show_table(f"{video}: {len(made.rows)} expressions", header, [_line(row) for row in made.rows])
    for k, row in enumerate(made.rows, start=1):
        if row["refused"]:
            click.echo(f"refused: expression {k}: {row['reason']}")
    for text in _missing(made.rows):
        click.echo(text)
    for text in made.notes:
        click.echo(f"note: {text}")
    _files(made)


def _line(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Show one expression."""
    drops = [(value, name) for own in row["drops"].values() for name, value in own.items() if value is not None]
    carried = ", ".join(f"{name} {value:+.2f}" for value, name in sorted(drops, reverse=True)[:3] if value > 0)
    p = f"{max(row['probabilities'].values()):.2f}" if row["probabilities"] else ""
    times = (f"{row[f'{name}_s']:.3f}" for name in ("onset", "apex", "offset"))
    return row["kind"], *times, "refused" if row["refused"] else row["class"], p, carried


def _missing(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say which signals which expressions lack, those of one reason together."""
    whose: dict[tuple[str, str], list[int]] = {}
    for k, row in enumerate(rows, start=1):
        for signal, why in row["missing"].items():
            whose.setdefault((signal, why), []).append(k)
    together: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for (signal, why), numbers in whose.items():
        together.setdefault((why, tuple(numbers)), []).append(signal)
    lines = []
    for (why, which), signals in together.items():
        place = "every expression" if len(which) == len(rows) else "expression " + ", ".join(map(str, which))
        lines.append(f"missing: {place}: {', '.join(signals)}: {why}")
    return lines


def _files(made: Predicted) -> None:
    """Say where everything lies."""
    click.echo(f"table: {made.table}\ndata: {made.data}" + (f"\nfigure: {made.figure}" if made.figure else ""))
