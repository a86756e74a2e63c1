"""From described expressions to decisions: probabilities, what carried them, and what is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.features.face.zones import zone_groups, zone_map
from mmme.models.attribution import occlusion
from mmme.models.recogniser import Recogniser
from mmme.study.modalities import signal_of
from mmme.study.moments_to_predict import Found, beyond
from mmme.types import FeatureTable, Stream

__all__ = ["predicted_rows"]


def predicted_rows(
    recogniser: Recogniser, tables: Mapping[str, FeatureTable], found: Sequence[Found], video: Stream
) -> list[dict[str, Any]]:
    """
    Classify described expressions, say what carried each decision, and refuse what lies outside of the training.

    Parameters
    ----------
    recogniser
        Fitted or read.
    tables
        As `Recogniser.rows` takes them.
    found
        The expressions, in the order of the rows.
    video
        Whose frames are counted.

    Returns
    -------
    list of dict
        One per expression; docs/predict.md says what stands in it.
    """
    X = recogniser.rows(tables)
    proba, weight = recogniser.supported(recogniser.fusion.predict_proba(X)), recogniser.fusion.decided_by(X)
    alone, distances = recogniser.fusion.alone(X), recogniser.distances(X)
    rows = []
    for k, one in enumerate(found):
        own = {part: float(distances[part][k]) for part in recogniser.parts}
        reason = _outside(recogniser, one, own)
        shares = dict(zip(recogniser.classes, proba[k].round(6).tolist(), strict=True))
        sample, missing = one.sample, _missing(recogniser, tables, k)
        row: dict[str, Any] = {
            "kind": one.kind,
            "onset_s": round(sample.onset, 4),
            "apex_s": round(sample.apex, 4),
            "offset_s": round(sample.offset, 4),
            **{f"{n}_frame": _frame(video, getattr(sample, n)) for n in ("onset", "apex", "offset")},
            "how": one.how,
            "assumed": one.assumed,
            "class": "" if reason else recogniser.classes[int(proba[k].argmax())],
            "refused": bool(reason),
            "reason": reason,
            "probabilities": {} if reason else shares,
            "distance": {p: _or_none(d) for p, d in own.items()},
            "threshold": {p: round(recogniser.references[p].threshold, 4) for p in recogniser.parts},
            "alone": {p: _shares(recogniser.classes, recogniser.supported(said[k])) for p, said in alone.items()},
            "weight": dict(zip(recogniser.parts, weight[k].round(4).tolist(), strict=True)),
            "drops": {} if reason else _drops(recogniser, X[k : k + 1], one, missing),
            "missing": missing,
            "filled": int(np.isnan(X[k, recogniser.places("body")]).sum()) if "body" in recogniser.inputs else 0,
        }
        if reason:
            row["withheld"] = shares
        rows.append(row)
    return rows


def _frame(video: Stream, at_s: float) -> int:
    """Frame nearest to a time, counted from 0."""
    return int(np.abs(video.t - at_s).argmin())


def _or_none(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None


def _shares(classes: Sequence[str], said: NDArray[np.float64]) -> dict[str, float] | None:
    return None if np.isnan(said).all() else dict(zip(classes, said.round(6).tolist(), strict=True))


def _outside(recogniser: Recogniser, one: Found, distance: Mapping[str, float]) -> str:
    """Say in a sentence why a row is refused; empty where it is not."""
    sampling = recogniser.about["sampling"]
    if "face" in recogniser.parts:
        if one.reason:
            return one.reason
        widths = sampling.get("face_width_px", [])
        width = float(np.ptp(one.clip.points[:, 0])) if one.clip is not None else float("nan")
        if beyond(width, widths, upwards=False):
            return f"the face is {width:.0f} px wide, trained on {widths[0]:.0f} to {widths[1]:.0f} px"
    lengths = sampling.get("duration_s", [])
    length = one.sample.offset - one.sample.onset
    if beyond(length, lengths):
        return f"it lasts {length:.2f} s, trained on {lengths[0]:.2f} to {lengths[1]:.2f} s"
    if all(np.isnan(d) for d in distance.values()):
        return "nothing of it could be described"
    if "face" in distance and np.isnan(distance["face"]):
        return "its face could not be described"
    for part, d in distance.items():
        threshold = recogniser.references[part].threshold
        if d > threshold:
            return (
                f"its {part} is unlike the training's: distance {d:.3g}, 99 % of held-out rows lie within {threshold:.3g}"
            )
    return ""


def _missing(recogniser: Recogniser, tables: Mapping[str, FeatureTable], k: int) -> dict[str, str]:
    """Signals that the model knows and this row lacks entirely, with the reason."""
    if "body" not in recogniser.inputs:
        return {}
    table = tables["body"]
    by: dict[str, list[int]] = {}
    for j, column in enumerate(table.columns):
        by.setdefault(signal_of(column), []).append(j)
    gone = {}
    for signal in recogniser.about["signals"]:
        codes = table.reason[k, by.get(signal, [])]
        if codes.size and (codes > 0).all():
            gone[signal] = table.reasons[Counter(codes.tolist()).most_common(1)[0][0]]
    return gone


def _drops(
    recogniser: Recogniser, X: NDArray[Any], one: Found, missing: Mapping[str, str]
) -> dict[str, dict[str, float | None]]:
    """Return the log-odds that the winner loses without each zone of the face and each signal of the body [nat]."""
    drops: dict[str, dict[str, float | None]] = {}
    groups: dict[str, dict[str, list[int]]] = {}
    if "face" in recogniser.parts and one.clip is not None:
        taken, start = recogniser.inputs["face"], recogniser.places("face").start
        zones = zone_groups(taken.columns, taken.shape, zone_map(one.clip.landmarks))
        groups["face"] = {name: [start + k for k in own] for name, own in zones.items()}
    if "body" in recogniser.parts:
        start = recogniser.places("body").start
        groups["body"] = {name: [] for name in recogniser.about["signals"]}
        for k, column in enumerate(recogniser.inputs["body"].columns):
            if signal_of(column) in groups["body"]:
                groups["body"][signal_of(column)].append(start + k)
    for part, own in groups.items():
        there = {name: places for name, places in own.items() if name not in missing}
        lost = occlusion(recogniser.fusion, X, there, recogniser.median, odds=True) if there else {}
        drops[part] = {name: round(float(lost[name][0]), 5) if name in lost else None for name in own}
    return drops
