"""What every verb shares: progress, tables, exit codes, and options that say how a run is carried out."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mmme.errors import MmmeError

__all__ = ["EXIT_BAD_INPUT", "Verbs", "json_option", "out_console", "print_json", "progress", "show_table", "work_options"]

EXIT_BAD_INPUT = 3
EXIT_INTERRUPTED = 130

F = TypeVar("F", bound=Callable[..., Any])


class Verbs(click.Group):
    """A group whose verbs end with one sentence and exit code 3 on bad input, and 130 when interrupted."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except MmmeError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(EXIT_BAD_INPUT)
        except KeyboardInterrupt:
            click.echo("Interrupted: what was finished is kept; the same command goes on from there.", err=True)
            ctx.exit(EXIT_INTERRUPTED)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click passes it
        """Keep the order of the work instead of the alphabet's."""
        return list(self.commands)


def out_console() -> Console:
    """Return a console on standard output that does not wrap when piped."""
    return Console(width=None if sys.stdout.isatty() else 160, highlight=False)


@contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """
    Show one bar per task on standard error.

    Yields
    ------
    callable
        ``step(task, done, total)``; a new task gets a new bar.
    """
    columns = (
        TextColumn("{task.description}", justify="left"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    bars = Progress(*columns, console=Console(stderr=True), disable=quiet)
    known: dict[str, Any] = {}

    def step(task: str, done: int, total: int) -> None:
        if task not in known:
            bars.start()  # not before there is something to show: an error alone stays one line
            known[task] = bars.add_task(task, total=total)
        bars.update(known[task], completed=done, total=total)

    try:
        yield step
    finally:
        if known:
            bars.stop()


def show_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], *, texts: bool = False) -> None:
    """Print a table on standard output; all but the first column stand to the right, unless they are texts."""
    table = Table(
        title=escape(title), title_justify="left", title_style="bold", header_style="dim", box=None, pad_edge=False
    )
    for k, name in enumerate(header):
        table.add_column(escape(name), justify="left" if k == 0 or texts else "right", no_wrap=k == 0)
    for row in rows:
        table.add_row(*map(escape, row))
    out_console().print(table)


def print_json(value: Any) -> None:
    """Print JSON on standard output, what is not finite as null."""
    click.echo(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def work_options(function: F) -> F:
    """Add ``--jobs``, ``--scheduler`` and ``--quiet``."""
    for option in (
        click.option("--quiet", is_flag=True, help="No progress bars."),
        click.option("--scheduler", metavar="ADDRESS", help="Work on a running Dask scheduler instead."),
        click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes to work with."),
    ):
        function = option(function)
    return function


def json_option(function: F) -> F:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")(function)
