"""Score intervals that any method spotted, as files: the strict rule with intervals, and every published rule beside it."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmme.errors import ConfigError, DataError, raise_faults
from mmme.evaluate.spotting_scores import spotting_scores
from mmme.io.interval_csv import IntervalRow, SearchedVideo, read_intervals, read_videos
from mmme.metrics.spotting import Counts, frames_interval, matched_pairs, strs
from mmme.metrics.spotting_rules import RULES, count
from mmme.metrics.uncertainty import bootstrap_interval
from mmme.types import KINDS, Kind, Score

__all__ = ["OPEN_LABELS", "ScoredSpotting", "closed_labels", "score_spotting", "write_pairings"]

#: What can be done with a label without onset or offset.
OPEN_LABELS: Mapping[str, str] = {
    "refuse": "say which they are and stop",
    "leave-out": "as if it were not coded; what finds it is a false alarm",
    "miss": "counts as coded and cannot be found",
    "apex": "ends (or begins) at its apex",
    "mirror": "ends as long after the apex as it began before it",
    "apex+N": "ends N frames after the apex (begins N frames before it)",
}
_PLUS = re.compile(r"apex\+(\d+)")


@dataclass(frozen=True, slots=True)
class Label:
    """One coded interval with both ends, or one that nothing can find."""

    row: IntervalRow
    frames: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Pairing:
    """One line of the list of what hit what: a hit, a miss or a false alarm."""

    outcome: str
    video: str
    kind: Kind
    truth: IntervalRow | None
    pred: IntervalRow | None
    iou: float


@dataclass(frozen=True, slots=True)
class ScoredSpotting:
    """
    How well intervals were spotted.

    Parameters
    ----------
    n_videos, n_subjects
        Searched; subjects are 0 where no file names them.
    n_truth, n_pred
        By kind.
    scores
        Under the strict rule, with intervals from resampling subjects (videos where no subject is named).
    chance
        Level of as many and as long intervals at random places; empty where the length of a video is not known.
    rules
        Rule and kind (or ``overall``), with counts.
    pairings
        Every label and prediction once, under the strict rule.
    notes
        What was decided or could not be said, one sentence each.
    """

    n_videos: int
    n_subjects: int
    n_truth: Mapping[str, int]
    n_pred: Mapping[str, int]
    scores: tuple[Score, ...]
    chance: Mapping[str, Mapping[str, float]]
    rules: Mapping[tuple[str, str], Counts]
    pairings: tuple[Pairing, ...]
    notes: tuple[str, ...]


def closed_labels(rows: Sequence[IntervalRow], policy: str, *, where: str = "labels") -> tuple[list[Label], str]:
    """
    Give every label both ends.

    Parameters
    ----------
    rows
        As read.
    policy
        Of `OPEN_LABELS`; ``apex+N`` with a number.
    where
        Name of the file, for messages.

    Returns
    -------
    labels
        Those that remain.
    note
        What was done, empty where no label was open.

    Raises
    ------
    ConfigError
        If the policy is not known.
    DataError
        If a label is open and it is to be refused, or the apex it needs is missing too.

    Examples
    --------
    >>> row = IntervalRow("a", "macro", 30, 36, None, None, "", "", 2)
    >>> labels, note = closed_labels([row], "mirror")
    >>> labels[0].frames, note
    ((30, 42), '1 label without onset or offset: ends as long after the apex as it began before it')
    """
    plus = _PLUS.fullmatch(policy)
    if (policy not in OPEN_LABELS and not plus) or policy == "apex+N":
        raise ConfigError(f"open labels: expected {', '.join(OPEN_LABELS)} (N a number of frames), got '{policy}'")
    open_rows = [row for row in rows if row.onset is None or row.offset is None]
    if not open_rows:
        return [Label(row, (int(row.onset or 0), int(row.offset or 0))) for row in rows], ""
    if policy == "refuse":
        lines = ", ".join(str(row.line) for row in open_rows[:8]) + (", ..." if len(open_rows) > 8 else "")
        raise DataError(
            f"{where}: {len(open_rows)} of {len(rows)} labels have no onset or no offset (line {lines}); say what is to be "
            f"done with them: --open-labels {', '.join(name for name in OPEN_LABELS if name != 'refuse')}"
        )
    labels, faults = [], []
    for row in rows:
        if row.onset is not None and row.offset is not None:
            labels.append(Label(row, (row.onset, row.offset)))
        elif policy == "miss":
            labels.append(Label(row, None))
        elif policy != "leave-out":
            if row.apex is None:
                faults.append(f"line {row.line}: expected an apex to end or begin the label by, got none")
                continue
            reach = int(plus.group(1)) if plus else 0
            if policy == "mirror":
                known = row.onset if row.onset is not None else row.offset
                reach = 0 if known is None else abs(row.apex - known)
            start = row.onset if row.onset is not None else row.apex - reach
            stop = row.offset if row.offset is not None else row.apex + reach
            if stop < start:
                faults.append(f"line {row.line}: expected an apex inside the label, got {row.apex}")
                continue
            labels.append(Label(row, (start, stop)))
    raise_faults(where, faults)
    one = len(open_rows) == 1
    said = OPEN_LABELS["apex+N"].replace("N", plus.group(1)) if plus else OPEN_LABELS[policy]
    return labels, f"{len(open_rows)} label{'' if one else 's'} without onset or offset: {said}"


def _videos(
    listed: Sequence[SearchedVideo] | None, labels: Sequence[IntervalRow], pred: Sequence[IntervalRow], where: str
) -> tuple[list[SearchedVideo], list[str]]:
    """All videos that were searched, with what is known of each, and what that leaves open."""
    faults: list[str] = []
    notes: list[str] = []
    subject_of: dict[str, str] = {v.video: v.subject for v in listed or () if v.subject}
    faults += [
        f"video '{row.video}': expected one subject, got another on line {row.line} of the labels"
        for row in labels
        if row.subject and subject_of.setdefault(row.video, row.subject) != row.subject
    ]
    named = list(dict.fromkeys([*(row.video for row in labels), *(row.video for row in pred)]))
    if listed is None:
        notes.append(
            "which videos were searched is not known: those without a label or prediction are not counted, and neither "
            "false alarms per minute nor the level of chance can be told; name them with --videos"
        )
        found = [SearchedVideo(v, subject_of.get(v, ""), None) for v in named]
    else:
        found = [SearchedVideo(v.video, subject_of.get(v.video, ""), v.n_frames) for v in listed]
        known = {v.video for v in listed}
        faults += [f"video '{v}' of the labels or predictions is not in the list" for v in named if v not in known]
    n_named = sum(bool(v.subject) for v in found)
    if 0 < n_named < len(found):
        faults.append(f"expected a subject for every video or for none, got {n_named} of {len(found)}")
    raise_faults(where, faults)
    if not n_named and found:
        notes.append("no subject is named: intervals come from resampling videos and are too narrow")
    unknown = sum(v.n_frames is None for v in found)
    if listed is not None and unknown:
        notes.append(
            f"the length of {unknown} of {len(found)} videos is not known: no false alarms per minute, no chance level"
        )
    return found, notes


def _pairings(labels: Sequence[Label], pred: Sequence[IntervalRow], kinds: Sequence[Kind], min_iou: float) -> list[Pairing]:
    made = []
    videos = dict.fromkeys([*(label.row.video for label in labels), *(row.video for row in pred)])
    for video in videos:
        for kind in kinds:
            own = [label for label in labels if (label.row.video, label.row.kind) == (video, kind)]
            spotted = [row for row in pred if (row.video, row.kind) == (video, kind)]
            reachable = [k for k, label in enumerate(own) if label.frames]
            truth = [frames_interval(*(own[k].frames or (0, 0))) for k in reachable]
            found = [frames_interval(*_both(row)) for row in spotted]
            pairs = {reachable[i]: j for i, j in matched_pairs(truth, found, min_iou=min_iou)}
            for k, label in enumerate(own):
                j = pairs.get(k)
                if j is None:
                    made.append(Pairing("miss", video, kind, label.row, None, float("nan")))
                else:
                    iou = truth[reachable.index(k)].iou(found[j])
                    made.append(Pairing("hit", video, kind, label.row, spotted[j], iou))
            left = [j for j in range(len(spotted)) if j not in pairs.values()]
            made += [Pairing("false alarm", video, kind, None, spotted[j], float("nan")) for j in left]
    return made


def _both(row: IntervalRow) -> tuple[int, int]:
    return int(row.onset or 0), int(row.offset or 0)


def _apex_scores(
    pairings: Sequence[Pairing], videos: Sequence[SearchedVideo], kinds: Sequence[Kind], fps: float
) -> list[Score]:
    """Mean distance of the spotted from the coded apex of hits [ms]."""
    units = list(dict.fromkeys(v.subject or v.video for v in videos))
    unit_of = {v.video: units.index(v.subject or v.video) for v in videos}
    made = []
    for kind in kinds:
        sums = np.zeros((len(units), 2))
        for pair in pairings:
            if pair.kind == kind and pair.truth and pair.pred and pair.truth.apex and pair.pred.apex:
                sums[unit_of[pair.video]] += abs(pair.truth.apex - pair.pred.apex) * 1000 / fps, 1
        n = int(sums[:, 1].sum())
        if n:
            low, high = bootstrap_interval(sums, lambda c: c[..., 0] / np.maximum(c[..., 1], 1))
            made.append(Score(f"apex error {kind} [ms]", float(sums[:, 0].sum() / n), low, high, "all", n))
    return made


def _strs(pairings: Sequence[Pairing], kinds: Sequence[Kind]) -> tuple[list[Score], list[str]]:
    """Spot-then-recognise over hits, where both files name emotions."""
    of = [p for p in pairings if p.kind in kinds]
    hits = [p for p in of if p.outcome == "hit" and p.truth and p.pred and p.truth.emotion and p.pred.emotion]
    classes = sorted({p.truth.emotion for p in of if p.truth and p.truth.emotion})
    if not hits or not classes:
        return [], []
    strange = sorted({p.pred.emotion for p in hits if p.pred} - set(classes))
    names = [*classes, *strange]
    confusion = np.zeros((len(names), len(names)))
    for p in hits:
        if p.truth and p.pred:
            confusion[names.index(p.truth.emotion), names.index(p.pred.emotion)] += 1
    counts = Counts(*(sum(p.outcome == o for p in of) for o in ("hit", "false alarm", "miss")))
    value = strs(counts, confusion)
    note = f"STRS is over {len(hits)} hits with an emotion in both files and {len(names)} classes; it has no interval"
    return [Score("STRS overall", value, float("nan"), float("nan"), "all", len(hits))], [note]


def score_spotting(
    truth: str | os.PathLike[str],
    pred: str | os.PathLike[str],
    *,
    videos: str | os.PathLike[str] | None = None,
    fps: float | None = None,
    open_labels: str = "refuse",
    min_score: float | None = None,
    min_iou: float = 0.5,
    n_bootstrap: int = 10_000,
    n_chance: int = 200,
    seed: int = 0,
) -> ScoredSpotting:
    """
    Score a file of spotted intervals against a file of coded ones.

    Parameters
    ----------
    truth, pred
        As `mmme.io.interval_csv.read_intervals` reads them. Frames of both count from the same number, both ends included.
    videos
        As `mmme.io.interval_csv.read_videos`: all videos that were searched.
    fps
        Frames per second; without it nothing is told in minutes or ms.
    open_labels
        Of `OPEN_LABELS`: what is done with labels without onset or offset.
    min_score
        Predictions below are left out (not for AP, which needs them all). It must not be chosen on these videos.
    min_iou
        Least intersection over union of a hit.
    n_bootstrap, n_chance, seed
        As in `mmme.evaluate.run_spotting`.

    Raises
    ------
    DataError
        If a file cannot be read, a prediction has no onset or offset, or the files do not speak of the same videos.
    ConfigError
        If a setting is out of range.
    """
    if (fps is not None and not fps > 0) or not 0 < min_iou <= 1:
        raise ConfigError(f"scoring: expected a positive rate and an IoU above 0 up to 1, got {fps} and {min_iou}")
    rows, spotted = read_intervals(truth), read_intervals(pred)
    where = Path(pred).name
    raise_faults(
        where,
        [
            f"line {r.line}: expected an onset and an offset, got one missing"
            for r in spotted
            if r.onset is None or not r.offset
        ],
    )
    labels, note = closed_labels(rows, open_labels, where=Path(truth).name)
    known, notes = _videos(read_videos(videos) if videos else None, rows, spotted, where)
    if not known:
        raise DataError(f"{Path(truth).name}: expected at least one label or prediction, got none")
    notes = [note, *notes] if note else notes
    n_scored = sum(row.score is not None for row in spotted)
    if 0 < n_scored < len(spotted):
        raise DataError(f"{where}: expected a score in every row or in none, got {n_scored} of {len(spotted)}")
    if min_score is not None and n_scored < len(spotted):
        raise ConfigError(f"{where}: a least score was asked for, but there is no column 'score'")
    kept = [row for row in spotted if min_score is None or float(row.score or 0) >= min_score]
    beyond = {v.video: v.n_frames for v in known if v.n_frames}
    late = sum(_both(row)[1] > beyond.get(row.video, _both(row)[1]) for row in spotted)
    if late:
        notes.append(f"{late} predictions end after the last frame of their video; they are counted as they are")
    if not n_scored:
        notes.append("no scores: no average precision")
    if fps is None:
        notes.append("the frame rate is not known (--fps): no false alarms per minute, no apex error")
    pairings = _pairings(labels, kept, KINDS, min_iou)
    timed = all(v.n_frames is not None for v in known)
    scores, chance = _strict(labels, kept, known, fps, min_iou, n_bootstrap, n_chance if timed else 0, seed)
    # a ranking needs what a threshold leaves out as well
    ranked = scores if kept == list(spotted) else _strict(labels, spotted, known, fps, min_iou, n_bootstrap, 0, seed)[0]
    scores = [s for s in scores if not s.name.startswith("AP ") and ((fps and timed) or not s.name.startswith("false"))]
    scores += [s for s in ranked if n_scored and s.name.startswith("AP ")]
    if fps is not None:
        scores += _apex_scores(pairings, known, KINDS, fps)
    joint, said = _strs(pairings, KINDS)
    return ScoredSpotting(
        len(known),
        len({v.subject for v in known if v.subject}),
        {k: sum(label.row.kind == k for label in labels) for k in KINDS},
        {k: sum(row.kind == k for row in kept) for k in KINDS},
        (*scores, *joint),
        chance,
        _by_rule(labels, kept, [v.video for v in known], min_iou),
        tuple(pairings),
        (*notes, *said),
    )


def _strict(
    labels: Sequence[Label],
    pred: Sequence[IntervalRow],
    videos: Sequence[SearchedVideo],
    fps: float | None,
    min_iou: float,
    n_bootstrap: int,
    n_chance: int,
    seed: int,
) -> tuple[list[Score], dict[str, dict[str, float]]]:
    """Score as every result of the project is scored."""
    rate = fps or 1.0
    # a label that cannot be found lies where no prediction can
    nowhere = 10 + max([*(_both(row)[1] for row in pred), *(label.frames[1] for label in labels if label.frames), 0])
    spans = [label.frames or (nowhere + 2 * k, nowhere + 2 * k) for k, label in enumerate(labels)]
    coded: dict[str, list[Any]] = {
        "video": [label.row.video for label in labels],
        "kind": [label.row.kind for label in labels],
        "onset_s": [a / rate for a, _ in spans],
        "offset_s": [(b + 1) / rate for _, b in spans],
    }
    found: dict[str, list[Any]] = {
        "video": [row.video for row in pred],
        "kind": [row.kind for row in pred],
        "onset_s": [_both(row)[0] / rate for row in pred],
        "offset_s": [(_both(row)[1] + 1) / rate for row in pred],
        "score": [float(row.score or 0.0) for row in pred],
    }
    protocol = {
        "videos": [
            {
                "video": v.video,
                "subject": v.subject or v.video,
                "start_s": 0.0,
                "stop_s": (v.n_frames or 1) / rate,
            }
            for v in videos
        ],
        "kinds": list(KINDS),
        "min_iou": min_iou,
        "n_bootstrap": n_bootstrap,
        "n_chance": n_chance,
    }
    scores, chance = spotting_scores(found, coded, protocol, seed=seed)
    return list(scores), chance


def _by_rule(
    labels: Sequence[Label], pred: Sequence[IntervalRow], videos: Sequence[str], min_iou: float
) -> dict[tuple[str, str], Counts]:
    """Count the same predictions under every published rule."""
    made: dict[tuple[str, str], Counts] = {}
    for name, rule in RULES.items():
        total = Counts(0, 0, 0)
        for kind in KINDS:
            coded: dict[str, list[tuple[int, int]]] = {}
            found: dict[str, list[tuple[int, int]]] = {}
            unreachable = 0
            for label in labels:
                if label.row.kind == kind and label.frames:
                    coded.setdefault(label.row.video, []).append(label.frames)
                unreachable += label.row.kind == kind and not label.frames
            for row in pred:
                if row.kind == kind:
                    found.setdefault(row.video, []).append(_both(row))
            made[name, kind] = count(coded, found, videos, rule, min_iou=min_iou) + Counts(0, 0, unreachable)
            total += made[name, kind]
        made[name, "overall"] = total
    return made


def write_pairings(path: Path, pairings: Sequence[Pairing]) -> None:
    """Write what hit what as CSV, whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                "video",
                "kind",
                "outcome",
                "iou",
                "coded_onset_frame",
                "coded_offset_frame",
                "onset_frame",
                "offset_frame",
                "score",
            ]
        )
        for p in pairings:
            coded = (p.truth.onset, p.truth.offset) if p.truth else (None, None)
            found = (p.pred.onset, p.pred.offset, p.pred.score) if p.pred else (None, None, None)
            writer.writerow([p.video, p.kind, p.outcome, "" if np.isnan(p.iou) else round(p.iou, 4), *coded, *found])
    os.replace(partial, path)  # noqa: PTH105 - atomic on every platform
