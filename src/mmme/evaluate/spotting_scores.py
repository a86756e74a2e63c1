"""Spotting scores from spotted and coded intervals, with intervals from resampling subjects and a chance level."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.errors import raise_faults
from mmme.interval import Interval
from mmme.metrics import spotting, uncertainty
from mmme.types import Score

__all__ = ["spotting_scores"]

# A bootstrap of AP ranks all predictions again in every draw; its interval needs no more draws than this.
MOST_AP_DRAWS = 2_000
AP_CHUNK = 2_000_000
TP, FP, FN, DURATION_S = range(4)

COUNTED: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "F1": lambda c: spotting.f1_of_counts(c[..., TP], c[..., FP], c[..., FN]),
    "precision": lambda c: spotting.precision_of_counts(c[..., TP], c[..., FP]),
    "recall": lambda c: spotting.recall_of_counts(c[..., TP], c[..., FN]),
    "false alarms per minute": lambda c: spotting.false_alarms_per_minute(c[..., FP], c[..., DURATION_S]),
}

Found = dict[tuple[str, str], list[tuple[Interval, float]]]


def _by_video(columns: Mapping[str, Sequence[Any]]) -> Found:
    found: Found = {}
    scores = columns.get("score", [0.0] * len(columns["video"]))
    rows = zip(columns["video"], columns["kind"], columns["onset_s"], columns["offset_s"], scores, strict=True)
    for video, kind, start, stop, score in rows:
        found.setdefault((video, kind), []).append((Interval(start, stop), score))
    return found


def _check(
    predictions: Mapping[str, Sequence[Any]], truth: Mapping[str, Sequence[Any]], protocol: Mapping[str, Any]
) -> None:
    faults = []
    known = {v["video"] for v in protocol["videos"]}
    for name, columns, needed in (
        ("predictions", predictions, ("video", "kind", "onset_s", "offset_s", "score")),
        ("truth", truth, ("video", "kind", "onset_s", "offset_s")),
    ):
        missing = [c for c in needed if c not in columns]
        faults += [f"{name}: expected a column '{c}', got none" for c in missing]
        if missing:
            continue
        strange = sorted(set(columns["video"]) - known)
        faults += [f"{name}: video '{v}' is not among the {len(known)} videos of the protocol" for v in strange]
        strange = sorted(set(columns["kind"]) - set(protocol["kinds"]))
        faults += [f"{name}: expected kind {' or '.join(protocol['kinds'])}, got '{k}'" for k in strange]
        empty = sum(not a < b for a, b in zip(columns["onset_s"], columns["offset_s"], strict=True))
        faults += [f"{name}: expected onset_s < offset_s, got {empty} rows where it is not"] if empty else []
    raise_faults("spotting result", faults)


def _ap_draws(
    hits: NDArray[np.bool_],
    scores: NDArray[np.float64],
    subject: NDArray[np.intp],
    n_truth: NDArray[np.float64],
    n_draws: int,
    seed: int,
) -> NDArray[np.float64]:
    weights = uncertainty.bootstrap_weights(len(n_truth), n_draws, seed=seed)
    if not len(hits):
        return np.zeros(n_draws)
    size = max(1, AP_CHUNK // len(hits))
    parts = [weights[start : start + size] for start in range(0, n_draws, size)]
    return np.concatenate(
        [spotting.average_precision_of_ranking(hits, scores, w @ n_truth, weights=w[:, subject]) for w in parts]
    )


def _place(found: Found, spans: Mapping[str, Interval], rng: np.random.Generator) -> Found:
    """Move every interval to a random place in its video, keeping its length; longer than the video starts with it."""
    placed: Found = {}
    for (video, kind), items in found.items():
        span = spans[video]
        room = [max(0.0, span.duration_s - i.duration_s) for i, _ in items]
        starts = span.start + rng.random(len(items)) * np.array(room)
        placed[video, kind] = [
            (Interval(float(a), float(a) + i.duration_s), s) for a, (i, s) in zip(starts, items, strict=True)
        ]
    return placed


def _hits(coded: Found, spotted: Found, min_iou: float) -> dict[tuple[str, str], int]:
    """Count matched pairs per video and kind, where there is anything to match."""
    return {
        key: spotting.match([i for i, _ in coded[key]], [i for i, _ in items], min_iou=min_iou).tp
        for key, items in spotted.items()
        if key in coded
    }


def _counts(
    videos: Sequence[Mapping[str, Any]], kinds: Sequence[str], coded: Found, spotted: Found, min_iou: float
) -> tuple[dict[str, int], NDArray[np.float64]]:
    """Position of each subject, and TP, FP, FN, searched seconds by subject and kind."""
    subjects = {s: i for i, s in enumerate(sorted({v["subject"] for v in videos}))}
    counts = np.zeros((len(subjects), len(kinds), 4))
    hits = _hits(coded, spotted, min_iou)
    for v in videos:
        for k, kind in enumerate(kinds):
            key = (v["video"], kind)
            tp = hits.get(key, 0)
            n_pred, n_truth = len(spotted.get(key, ())), len(coded.get(key, ()))
            counts[subjects[v["subject"]], k] += (tp, n_pred - tp, n_truth - tp, v["stop_s"] - v["start_s"])
    return subjects, counts


def spotting_scores(
    predictions: Mapping[str, Sequence[Any]],
    truth: Mapping[str, Sequence[Any]],
    protocol: Mapping[str, Any],
    *,
    seed: int = 0,
) -> tuple[tuple[Score, ...], dict[str, dict[str, float]]]:
    """
    Compute all spotting scores from spotted and coded intervals.

    Parameters
    ----------
    predictions, truth
        Columns video, kind, onset_s, offset_s, and score for predictions.
    protocol
        As stored in a spotting Result: ``videos`` (video, subject, start_s, stop_s; all that were searched), ``kinds``,
        ``min_iou``, ``n_bootstrap``, ``n_chance``.
    seed
        Of the draws.

    Returns
    -------
    scores
        ``F1``, ``precision``, ``recall``, ``false alarms per minute`` for each kind and ``overall`` (counts of all kinds
        added up; minutes counted once), and ``AP`` for each kind, for example ``F1 micro``. AP ranks what was spotted,
        so its recall ends where the chosen threshold ended. ``n`` counts coded intervals.
    chance
        For ``F1 <kind>`` and ``F1 overall``: mean, p95 and p of as many and as long intervals at random places; empty
        without draws.

    Raises
    ------
    DataError
        If columns are missing or speak of unknown videos or kinds.

    Examples
    --------
    >>> videos = [{"video": v, "subject": v, "start_s": 0.0, "stop_s": 60.0} for v in ("S1", "S2")]
    >>> protocol = {"videos": videos, "kinds": ["micro"], "min_iou": 0.5, "n_bootstrap": 100, "n_chance": 100}
    >>> truth = {"video": ["S1", "S2"], "kind": ["micro"] * 2, "onset_s": [1.0, 3.0], "offset_s": [1.4, 3.4]}
    >>> pred = {"video": ["S1"], "kind": ["micro"], "onset_s": [1.1], "offset_s": [1.4], "score": [0.9]}
    >>> scores, chance = spotting_scores(pred, truth, protocol)
    >>> [(s.name, round(s.value, 3)) for s in scores][:3]
    [('F1 micro', 0.667), ('precision micro', 1.0), ('recall micro', 0.5)]
    """
    _check(predictions, truth, protocol)
    videos, kinds, min_iou = protocol["videos"], list(protocol["kinds"]), protocol["min_iou"]
    n_draws, n_chance = protocol["n_bootstrap"], protocol["n_chance"]
    coded, spotted = _by_video(truth), _by_video(predictions)
    subjects, counts = _counts(videos, kinds, coded, spotted, min_iou)
    by_group = {kind: counts[:, k] for k, kind in enumerate(kinds)}
    by_group["overall"] = counts.sum(axis=1)
    by_group["overall"][:, DURATION_S] /= max(1, len(kinds))
    scores = []
    for group, c in by_group.items():
        for name, score in COUNTED.items():
            low, high = uncertainty.bootstrap_interval(c, score, n_draws=n_draws, seed=seed)
            n = int(c[:, [TP, FN]].sum())
            scores.append(Score(f"{name} {group}", float(score(c.sum(axis=0))), low, high, "all", n))
        if group != "overall":
            scores.append(_average_precision(group, coded, spotted, videos, subjects, min_iou, n_draws, seed))
    return tuple(scores), _chance(by_group, coded, spotted, videos, min_iou, n_chance, seed)


def _average_precision(
    kind: str,
    coded: Found,
    spotted: Found,
    videos: Sequence[Mapping[str, Any]],
    subjects: Mapping[str, int],
    min_iou: float,
    n_draws: int,
    seed: int,
) -> Score:
    hits: list[NDArray[np.bool_]] = [np.zeros(0, dtype=bool)]
    values: list[float] = []
    whose: list[int] = []
    n_truth = np.zeros(len(subjects))
    for v in videos:
        key, who = (v["video"], kind), subjects[v["subject"]]
        items = spotted.get(key, [])
        ranked = [s for _, s in items]
        hits.append(
            spotting.hits_in_order([i for i, _ in coded.get(key, ())], [i for i, _ in items], ranked, min_iou=min_iou)
        )
        values += ranked
        whose += [who] * len(items)
        n_truth[who] += len(coded.get(key, ()))
    hit, score, who_of = np.concatenate(hits), np.array(values, dtype=np.float64), np.array(whose, dtype=np.intp)
    value = float(spotting.average_precision_of_ranking(hit, score, n_truth.sum()))
    low = high = float("nan")
    if len(subjects) > 1:
        n_draws = min(n_draws, MOST_AP_DRAWS)
        low, high = uncertainty.percentile_interval(_ap_draws(hit, score, who_of, n_truth, n_draws, seed))
    return Score(f"AP {kind}", value, low, high, "all", int(n_truth.sum()))


def _chance(
    by_group: Mapping[str, NDArray[np.float64]],
    coded: Found,
    spotted: Found,
    videos: Sequence[Mapping[str, Any]],
    min_iou: float,
    n_draws: int,
    seed: int,
) -> dict[str, dict[str, float]]:
    if not n_draws:
        return {}
    spans = {v["video"]: Interval(v["start_s"], v["stop_s"]) for v in videos}
    rng = np.random.default_rng(seed)
    tp = {group: np.zeros(n_draws) for group in by_group}
    for draw in range(n_draws):
        hits = _hits(coded, _place(spotted, spans, rng), min_iou)
        for (_, kind), n in hits.items():
            tp[kind][draw] += n
            tp["overall"][draw] += n
    chance = {}
    for group, c in by_group.items():
        total = c.sum(axis=0)
        n_pred, n_truth = total[TP] + total[FP], total[TP] + total[FN]
        f1 = spotting.f1_of_counts(tp[group], n_pred - tp[group], n_truth - tp[group])
        observed = float(COUNTED["F1"](total))
        reached = int(np.sum(f1 >= observed - 1e-12))
        chance[f"F1 {group}"] = {
            "mean": float(f1.mean()),
            "p95": float(np.quantile(f1, 0.95)),
            "p": (1 + reached) / (1 + n_draws),
        }
    return chance
