"""The page of one video: its curve, what was spotted, and faces to look at, in one file."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

__all__ = ["write_spotted_page"]

END = (
    "Found without training: a peak of motion is an expression of at most 0.5 s (micro) or longer (macro). Look at each "
    "before you believe it. The page shows a face; share it as you would share the video."
)


def write_spotted_page(
    path: Path,
    *,
    title: str,
    lead: str,
    facts: Sequence[tuple[str, str]],
    rows: Sequence[Mapping[str, Any]],
    body: Sequence[str],
    curve: Path,
    sheet: Path | None,
    signals: Sequence[str] = (),
) -> Path:
    """
    Write the page; it appears when it is complete.

    Parameters
    ----------
    path
        The ``.html`` file.
    title, lead
        Heading and the line below it.
    facts
        Name and value.
    rows
        One per expression.
    body
        Columns of the rows that tell of the body.
    curve, sheet
        Pictures that are put inside; no sheet where nothing was found.
    signals
        Names of the signals drawn below the curve.
    """
    source = resources.files("mmme.report").joinpath("spotted.html.jinja").read_text(encoding="utf-8")
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(source)
    text = page.render(
        title=title,
        lead=lead,
        facts=facts,
        rows=rows,
        body=body,
        curve=_inside(curve),
        sheet=_inside(sheet) if sheet else "",
        signals=signals,
        end=END,
    )
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)  # noqa: PTH105 - atomic on every platform
    return path


def _inside(picture: Path) -> str:
    return base64.b64encode(picture.read_bytes()).decode("ascii")
