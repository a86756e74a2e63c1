"""One video, no study: where the expressions are."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmme.features.face.motion import motion_curve
from mmme.interval import Interval
from mmme.io.video import open_video
from mmme.models.spotting import beyond_s, spot
from mmme.report.figures import motion_png
from mmme.types import Stream

__all__ = ["SpottedVideo", "spot_video"]

COLUMNS = ("kind", "onset_s", "apex_s", "offset_s", "onset_frame", "apex_frame", "offset_frame", "score", "regions")


@dataclass(frozen=True, slots=True)
class SpottedVideo:
    """
    What was found in a video, and where it was written.

    Parameters
    ----------
    rows
        One mapping per expression with the columns of the table.
    beyond_s
        Seconds without a face, or in which it moved more than a face can (turned away, covered): not searched.
    table, figure
        The CSV and the PNG file.
    others
        People beside the one who was followed, whoever was seen most first: ``first_s, last_s``, the number of ``looks``
        that showed them, and the median ``width_px`` of their face.
    """

    rows: tuple[dict[str, Any], ...]
    beyond_s: float
    table: Path
    figure: Path
    others: tuple[dict[str, Any], ...] = ()


def spot_video(video: Path, out: Path, *, step: Callable[[str, int, int], None] | None = None) -> SpottedVideo:
    """
    Spot the expressions of a video and write ``<name>.expressions.csv`` and ``<name>.expressions.png``.

    Parameters
    ----------
    video
        Any container with a face in it.
    out
        Folder of table and figure; made when missing.
    step
        Called with the task's name, frames done, and all.

    Returns
    -------
    SpottedVideo
        Times are presentation times of the frames [s]; frames count from 0.

    Raises
    ------
    DataError
        If the file is missing, is no video, or no face is found.
    """
    frames = open_video(video)
    stream = Stream("video", video.name, frames.t_s, frames, "grey level")
    curve = motion_curve(stream, progress=(lambda done, n: step("motion of the face", done, n)) if step else None)
    found = spot(curve)
    times = stream.t
    rows = tuple(
        {
            "kind": s.kind,
            "onset_s": round(s.onset, 4),
            "apex_s": round(s.apex, 4),
            "offset_s": round(s.offset, 4),
            "onset_frame": int(times.searchsorted(s.onset)),
            "apex_frame": int(times.searchsorted(s.apex)),
            "offset_frame": min(int(times.searchsorted(s.offset)), len(times) - 1),
            "score": round(s.score, 4),
            "regions": " ".join(s.regions),
        }
        for s in found
    )
    out.mkdir(parents=True, exist_ok=True)
    table = out / f"{video.stem}.expressions.csv"
    partial = table.with_name(f".{table.name}.partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    os.replace(partial, table)  # noqa: PTH105 - atomic on every platform
    figure = motion_png(
        f"{video.name}: {len(rows)} expressions",
        curve.t,
        curve.total,
        {name: curve.regions[:, k] for k, name in enumerate(curve.names)},
        [(s.kind, Interval(s.onset, s.offset), s.apex) for s in found],
        out / f"{video.stem}.expressions.png",
    )
    others = tuple(
        {
            "first_s": round(float(person.t[0]), 4),
            "last_s": round(float(person.t[-1]), 4),
            "looks": len(person.t),
            "width_px": round(person.width_px, 1),
        }
        for person in (curve.track.others if curve.track else ())
    )
    return SpottedVideo(rows, beyond_s(curve), table, figure, others)
