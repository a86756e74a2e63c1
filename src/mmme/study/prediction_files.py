"""What was recognised in a video, as a table, as JSON, and as a figure; each file whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmme.features.face.zones import outlines, zone_map
from mmme.models.recogniser import Recogniser
from mmme.report.prediction_figure import prediction_png
from mmme.study.moments_to_predict import Found

__all__ = ["COLUMNS", "write_prediction"]

#: Columns that every table has; those of classes, modalities, zones and signals follow.
COLUMNS = (
    *("kind", "onset_s", "apex_s", "offset_s", "onset_frame", "apex_frame", "offset_frame"),
    *("how", "class", "refused", "reason"),
)


def write_prediction(
    recogniser: Recogniser,
    out: Path,
    stem: str,
    inputs: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    found: Sequence[Found],
    notes: Sequence[str],
) -> tuple[Path, Path, Path | None]:
    """
    Write table, data and figure.

    Parameters
    ----------
    recogniser
        What recognised.
    out
        Folder; made when missing.
    stem
        Name of the files.
    inputs
        Names of video, physiology and model.
    rows
        One per expression.
    found
        The expressions, for the faces in the figure.
    notes
        Sentences.

    Returns
    -------
    table, data, figure
        Without an expression no figure, and that of an earlier run is gone.
    """
    out.mkdir(parents=True, exist_ok=True)
    about = recogniser.about
    model = {
        "name": inputs["model"],
        "from": about["from"],
        "classes": list(recogniser.classes),
        "dataset": about["dataset"],
        "simulated": about["simulated"],
        "rows": about["rows"],
        "temperatures": recogniser.fusion.temperatures_,
        "cross_validated": about["cross_validated"],
    }
    data = {**inputs, "model": model, "notes": list(notes), "expressions": list(rows)}
    paths = [out / f"{stem}.predictions.{end}" for end in ("csv", "json")]
    texts = [_table(recogniser, rows), json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"]
    for path, text in zip(paths, texts, strict=True):
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)  # noqa: PTH105 - atomic on every platform
    figure = out / f"{stem}.predictions.png"
    if not rows:
        figure.unlink(missing_ok=True)  # of an earlier run, which would tell of expressions that are none
        return paths[0], paths[1], None
    faces = [None if one.clip is None else (zone_map(one.clip.landmarks), outlines(one.clip.landmarks)) for one in found]
    mark = ", model trained on simulated data" if about["simulated"] else ""
    n = f"{len(rows)} expression{'s' if len(rows) > 1 else ''}"
    prediction_png(f"{inputs['video']}: {n}{mark}", recogniser.classes, rows, faces, figure)
    return paths[0], paths[1], figure


def _table(recogniser: Recogniser, rows: Sequence[Mapping[str, Any]]) -> str:
    """Write one line per expression; what was refused has neither class nor probabilities."""
    names: dict[str, list[str]] = {part: [] for part in recogniser.parts}
    for row in rows:
        for part, own in row["drops"].items():
            names[part] += [name for name in own if name not in names[part]]
    header = [*COLUMNS, *(f"probability:{c}" for c in recogniser.classes)]
    header += [f"{what}:{part}" for part in recogniser.parts for what in ("distance", "threshold", "weight")]
    header += [f"drop:{part}:{name}" for part, own in names.items() for name in own]
    header += ["missing", "simulated"]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    simulated = {True: "yes", False: "no"}.get(recogniser.about["simulated"], "unknown")
    for row in rows:
        line = [row[c] if c != "refused" else ("yes" if row[c] else "no") for c in COLUMNS]
        line += [row["probabilities"].get(c, "") for c in recogniser.classes]
        line += [row[what][p] for p in recogniser.parts for what in ("distance", "threshold", "weight")]
        line += [row["drops"].get(part, {}).get(name, "") for part, own in names.items() for name in own]
        line += ["; ".join(f"{s}: {why}" for s, why in row["missing"].items()), simulated]
        writer.writerow(["" if value is None else value for value in line])
    return buffer.getvalue()
