"""Verb of sharing: share."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from mmme.cli.console import json_option, print_json
from mmme.cli.data import show_findings

__all__ = ["share"]


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path, dir_okay=False), help="CSV of names and codes, outside STUDY.")
@click.option(
    "--date", "dates", multiple=True, metavar="YYYYMMDD", help="Day of recording to search for; as often as needed."
)
@click.option("--text", "texts", multiple=True, help="Further text that must not occur; as often as needed.")
@click.option("--no-bids", is_flag=True, help="Do without the BIDS validator.")
@click.option("--write-manifest", "write", is_flag=True, help="Write the manifest anew when nothing is found.")
@json_option
def share(
    study: Path,
    *,
    key: Path | None,
    dates: tuple[str, ...],
    texts: tuple[str, ...],
    no_bids: bool,
    write: bool,
    as_json: bool,
) -> None:
    """Tell whether STUDY may leave the laboratory: names, days and paths in it, its manifest, its form. Exit 1 if not.

    Searched are names of files, texts, packed tables, documents, tags of pictures and videos, headers, and samples.
    A find is told by its file and kind, never by the name itself. What the scan cannot see is in docs/sharing.md.
    """
    from mmme.datasets.manifest import MANIFEST, write_manifest
    from mmme.study.checking import check_manifest
    from mmme.study.sharing import scan_study, validate_bids

    findings = [*scan_study(study, key_file=key, dates=dates, texts=texts)]
    if not no_bids:
        findings += validate_bids(study)
    bad = any(finding.level == "error" for finding in findings)
    if write and not bad:
        n = write_manifest(study)
        click.echo(f"{study / MANIFEST}: {n} files", err=True)
    else:
        findings += check_manifest(study)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        show_findings(f"{study}: {len(findings)} findings", findings)
        click.echo(f"{study}: {'not fit to be shared' if bad else 'nothing found that must not be shared'}")
    if bad or any(finding.level == "error" for finding in findings):
        click.get_current_context().exit(1)
