"""One video, no study: where the expressions are."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from mmme.errors import unknown_name
from mmme.features.face.averaging import MeanFrames
from mmme.features.face.difference_curves import DIFFERENCE_METHODS, difference_curves
from mmme.features.face.motion import STRONGEST, MotionCurve, motion_curve, registered_faces
from mmme.features.face.registration import register, similarity
from mmme.interval import Interval
from mmme.io.bids_tsv import write_tsv
from mmme.io.elan import write_elan
from mmme.models.difference_spotting import REACH_S, SHARES, spot_differences
from mmme.models.spotting import Spotted, beyond_s, speaking, speaking_s, spot
from mmme.report.contact_sheet import SpottedFaces, contact_sheet_png
from mmme.report.figures import motion_png
from mmme.report.spotted_page import write_spotted_page
from mmme.study.body_beside import BodyBeside, read_beside
from mmme.study.face_source import open_face_source
from mmme.types import Stream

__all__ = ["SpottedVideo", "spot_video"]

COLUMNS = (
    "video",
    "kind",
    "onset_s",
    "apex_s",
    "offset_s",
    "onset_frame",
    "apex_frame",
    "offset_frame",
    "score",
    "regions",
)
#: The method of the project, without training; the others are published ones.
MOTION = "motion"
#: Side of a face on the contact sheet [px], frames averaged so far around each moment [s], blur of a difference [px].
SHEET_PX, SHEET_S, SHEET_BLUR_PX = 160, 0.02, 1.0


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
    speaking_s
        Seconds in which the mouth speaks; only the brows were searched there.
    files
        What was written: ``table`` (CSV), ``figure`` and ``sheet`` (PNG), ``page`` (HTML), ``events`` (BIDS), ``elan``.
    others
        People beside the one who was followed, whoever was seen most first: ``first_s, last_s``, the number of ``looks``
        that showed them, and the median ``width_px`` of their face.
    notes
        What is odd about times, or was assumed of physiology.
    """

    rows: tuple[dict[str, Any], ...]
    beyond_s: float
    speaking_s: float
    files: dict[str, Path]
    others: tuple[dict[str, Any], ...] = ()
    notes: tuple[str, ...] = ()


def spot_video(
    video: Path,
    out: Path,
    *,
    method: str = MOTION,
    fps: float | None = None,
    physio: Sequence[Path] = (),
    lags_s: Sequence[float] = (),
    gate: float | None = None,
    step: Callable[[str, int, int], None] | None = None,
) -> SpottedVideo:
    """
    Spot the expressions of a video and write a table, a figure, a contact sheet and a page, ``<name>.expressions.*``.

    The table is written as CSV, as BIDS events (``<name>_events.tsv``) and for ELAN (``.eaf``).

    Parameters
    ----------
    video
        Any container with a face in it, or a folder of frames.
    out
        Folder of what is written; made when missing.
    method
        ``motion``, or one of `mmme.features.face.difference_curves.DIFFERENCE_METHODS`. Regions, speech and the curve of
        the figure are those of ``motion`` whatever the method; speech is kept apart by ``motion`` only.
    fps
        Rate of a folder of numbered frames [Hz].
    physio, lags_s, gate
        As in `mmme.study.body_beside.read_beside`; columns of the table and curves of the page come from it.
    step
        Called with the task's name, frames done, and all.

    Returns
    -------
    SpottedVideo
        Times are presentation times of the frames [s]; frames count from 0.

    Raises
    ------
    DataError
        If the video is missing or cannot be read, no face is found, or physiology cannot be read.
    ConfigError
        If the method or a folder's rate is not known, or a gate has no heart rate.
    """
    if method != MOTION and method not in DIFFERENCE_METHODS:
        raise unknown_name("spotting method", method, (MOTION, *DIFFERENCE_METHODS))
    stream, notes = open_face_source(video, fps=fps)
    curve = motion_curve(stream, progress=(lambda done, n: step("motion of the face", done, n)) if step else None)
    found = spot(curve) if method == MOTION else _by_difference(stream, curve, method)
    beside: BodyBeside | None = None
    if physio:
        beside = read_beside(physio, lags_s, found, Interval(float(curve.t[0]), float(curve.t[-1])), gate=gate)
        notes = (*notes, *beside.notes)
    name = video.stem if video.is_file() else video.name
    rows = _rows(name, found, stream.t, beside)
    kept = [s for k, s in enumerate(found) if beside is None or beside.kept[k]]
    if len(kept) < len(found):
        notes = (*notes, f"{len(found) - len(kept)} of {len(found)} expressions were left out by the gate (--gate)")
    out.mkdir(parents=True, exist_ok=True)
    files = {"table": out / f"{name}.expressions.csv", "figure": out / f"{name}.expressions.png"}
    columns = [*COLUMNS, *(beside.columns if beside else ())]
    _write_csv(files["table"], columns, rows)
    title = f"{video.name}: {len(rows)} expression{'' if len(rows) == 1 else 's'}"
    motion_png(
        title,
        curve.t,
        curve.total,
        {region: curve.regions[:, k] for k, region in enumerate(curve.names)},
        [(s.kind, Interval(s.onset, s.offset), s.apex) for s in kept],
        files["figure"],
        speech=_stretches(curve.t, speaking(curve)),
        body=beside.drawn if beside else None,
    )
    sheet = out / f"{name}.faces.png"
    sheet.unlink(missing_ok=True)  # that of an earlier run would show what is no longer in the table
    if rows:
        files["sheet"] = sheet
        contact_sheet_png(rows, [_faces(stream, curve, s) for s in kept], sheet)
    made = SpottedVideo(rows, beyond_s(curve), speaking_s(curve), files, _others(curve), notes)
    files["events"] = out / f"{name}_events.tsv"
    _write_events(files["events"], rows)
    files["elan"] = out / f"{name}.eaf"
    media = Path(os.path.relpath(video.resolve(), out.resolve())).as_posix()
    write_elan(files["elan"], _tiers(rows), media=media, annotator="mmme spot")
    files["page"] = write_spotted_page(
        out / f"{name}.expressions.html",
        title=title,
        lead=f"{sum(r['kind'] == 'micro' for r in rows)} micro-expressions and {sum(r['kind'] == 'macro' for r in rows)} "
        "macro-expressions.",
        facts=_facts(stream, made),
        rows=rows,
        body=list(beside.columns) if beside else [],
        curve=files["figure"],
        sheet=files.get("sheet"),
        signals=list(beside.drawn) if beside else [],
    )
    return made


def _by_difference(stream: Stream, curve: MotionCurve, method: str) -> tuple[Spotted, ...]:
    """Spot by one of the published methods; the regions told are those that moved most at the apex."""
    t, _, faces = registered_faces(stream, track=curve.track)
    step = float(t[1] - t[0])
    reach = {kind: max(1, round(seconds / step)) for kind, seconds in REACH_S.items()}
    curves = difference_curves(faces, len(t), [method], sorted(set(reach.values())))
    by_kind = {kind: curves[method, k] for kind, k in reach.items()}
    made = []
    for s in spot_differences(t, by_kind, share=SHARES[method]):
        bumps = curve.bump(REACH_S[s.kind], np.array([s.apex]))[0]
        strongest = tuple(curve.names[k] for k in np.argsort(-np.nan_to_num(bumps))[:STRONGEST])
        made.append(Spotted(s.kind, s.onset, s.apex, s.offset, s.score, strongest))
    return tuple(made)


def _rows(
    name: str, found: Sequence[Spotted], times: NDArray[np.float64], beside: BodyBeside | None
) -> tuple[dict[str, Any], ...]:
    made = []
    for k, s in enumerate(found):
        if beside is not None and not beside.kept[k]:
            continue
        row = {
            "video": name,
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
        told = {c: values[k] for c, values in beside.columns.items()} if beside else {}
        made.append(row | {c: None if v is None else round(v, 4) for c, v in told.items()})
    return tuple(made)


def _write_csv(table: Path, columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    partial = table.with_name(f".{table.name}.partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    os.replace(partial, table)  # noqa: PTH105 - atomic on every platform


def _write_events(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """BIDS events: onset and duration [s], what it is, and the rest of the row."""
    columns: dict[str, list[Any]] = {
        "onset": [r["onset_s"] for r in rows],
        "duration": [round(r["offset_s"] - r["onset_s"], 4) for r in rows],
        "trial_type": [f"{r['kind']}-expression" for r in rows],
    }
    for key in ("apex_s", "onset_frame", "apex_frame", "offset_frame", "score", "regions"):
        columns[key] = [r[key] for r in rows]
    write_tsv(path, columns)


def _tiers(rows: Sequence[dict[str, Any]]) -> dict[str, list[tuple[float, float, str]]]:
    """One tier per kind, and the apexes, one ms each."""
    tiers: dict[str, list[tuple[float, float, str]]] = {"micro": [], "macro": [], "apex": []}
    for r in rows:
        tiers[r["kind"]].append((r["onset_s"], r["offset_s"], r["regions"]))
        tiers["apex"].append((r["apex_s"], r["apex_s"] + 0.001, r["kind"]))
    return {name: sorted(own) for name, own in tiers.items()}


def _faces(stream: Stream, curve: MotionCurve, s: Spotted) -> SpottedFaces | None:
    """Register the face at onset, apex and offset, and see what moved; None where one was not seen."""
    at = np.array([s.onset, s.apex, s.offset])
    if curve.track is None or not curve.track.sees(at).all():
        return None
    frames = MeanFrames(stream, SHEET_S)
    points = curve.track.at(at)
    onset, apex, offset = (
        register(frames.at(float(t)), similarity(p, SHEET_PX), SHEET_PX) for t, p in zip(at, points, strict=True)
    )
    moved = gaussian_filter(apex - 0.5 * (onset + offset), SHEET_BLUR_PX)
    return SpottedFaces(onset, apex, offset, np.asarray(moved, dtype=np.float32))


def _stretches(t: NDArray[np.float64], marked: NDArray[np.bool_]) -> list[Interval]:
    """Stretches of marked moments."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], marked.astype(np.int8), [0]])))
    return [Interval(float(t[a]), float(t[b - 1])) for a, b in edges.reshape(-1, 2) if b - 1 > a]


def _others(curve: MotionCurve) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "first_s": round(float(person.t[0]), 4),
            "last_s": round(float(person.t[-1]), 4),
            "looks": len(person.t),
            "width_px": round(person.width_px, 1),
        }
        for person in (curve.track.others if curve.track else ())
    )


def _facts(stream: Stream, made: SpottedVideo) -> list[tuple[str, str]]:
    length = float(stream.t[-1] - stream.t[0])
    rate = (len(stream.t) - 1) / length if length > 0 else float("nan")
    facts = [
        (
            "video",
            f"{length:.1f} s, {len(stream.t)} frames, {rate:.1f} per second, {stream.x.shape[2]} x {stream.x.shape[1]} px",
        ),
        ("not searched", f"{made.beyond_s:.1f} s without a face, or with one that turned away or was covered"),
        ("speaking", f"{made.speaking_s:.1f} s, in which only the brows were searched"),
    ]
    facts += [
        ("somebody else", f"{p['width_px']:.0f} px wide, seen from {p['first_s']:.1f} to {p['last_s']:.1f} s; not searched")
        for p in made.others
    ]
    return facts + [("note", text) for text in made.notes]
