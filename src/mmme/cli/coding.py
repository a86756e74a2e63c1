"""Verb of annotation tables: coding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from mmme.cli.console import json_option, print_json, show_table

__all__ = ["coding"]

_MOST = 12  # classes and action units shown


@click.command()
@click.argument("table", type=click.Path(path_type=Path))
@click.option(
    "--dataset", metavar="NAME", help="Data set or format, where the table does not tell; e.g. casme2, samm, elan."
)
@click.option(
    "--layout", type=click.Path(path_type=Path, dir_okay=False), help="Own TOML file with a section [coding], instead."
)
@click.option("--sheet", metavar="NAME", help="Sheet to read instead of the first that fits.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the rows in one form, as .tsv.")
@json_option
def coding(
    table: Path, *, dataset: str | None, layout: Path | None, sheet: str | None, out: Path | None, as_json: bool
) -> None:
    """Read an annotation TABLE of any known data set, and say what is in it and what is odd about it.

    Excel sheets, CSV, TSV, ELAN (.eaf), BORIS (.boris and exports), BIDS events. Prints counts of rows, participants,
    videos, kinds, emotions and action units; names of participants are never shown.
    """
    from mmme.datasets.coding.recognition import coding_spec_of
    from mmme.datasets.coding.summary import coding_summary, read_any_coding, write_coding_tsv

    info, read = read_any_coding(table, dataset=dataset, layout=layout, sheet=sheet)
    summary = coding_summary(info, read)
    names_are_codes = coding_spec_of(info).names_are_codes
    if out is not None:
        write_coding_tsv(out, read.rows, names_are_codes=names_are_codes)
    if as_json:
        print_json({**summary, "findings": [asdict(finding) for finding in read.findings]})
        return
    title = "*.eaf" if table.suffix.lower() == ".eaf" else table.name  # named after a person now and then
    click.echo(f"{title}: annotation table of {summary['name']}")
    show_table("totals", ("what", "found", "published"), _totals(summary))
    for line in _lists(summary):
        click.echo(line)
    for finding in read.findings:
        click.echo(str(finding))
    if out is not None:
        hidden = "" if names_are_codes else "; participants are numbered, their names left out"
        click.echo(f"{out}: {summary['rows']} rows{hidden}")


def _totals(summary: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Lay totals out as lines of a table."""
    published = summary["published"]
    lines = [
        ("rows", str(summary["rows"]), ""),
        ("participants", str(summary["participants"]), str(published.get("participants", ""))),
        ("videos", str(summary["clips"]), str(published.get("clips", ""))),
        ("coders", str(summary["coders"]), ""),
    ]
    lines += [(kind, str(n), str(published.get(kind, ""))) for kind, n in summary["kinds"].items()]
    return lines + [(f"{name} not coded", str(n), "") for name, n in summary["missing"].items() if n]


def _lists(summary: Mapping[str, Any]) -> list[str]:
    """Spell out classes, action units and rates with their counts."""
    lines = []
    for title in ("emotions", "targets", "self reports", "objective classes", "action units"):
        counts: dict[str, int] = summary[title.replace(" ", "_")]
        if counts:
            shown = ", ".join(f"{name} {n}" for name, n in Counter(counts).most_common(_MOST))
            more = f" and {len(counts) - _MOST} more" if len(counts) > _MOST else ""
            lines.append(f"{title}: {shown}{more}")
    rates = ", ".join(f"{rate:g} Hz {n}" for rate, n in summary["rates_hz"].items())
    return [*lines, f"frame rates: {rates or 'none stated'}"]
