"""How far the coders of a study agree, pair by pair, and what they saw together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from mmme.config import RunConfig
from mmme.datasets.study import Study, open_study
from mmme.errors import ConfigError, DataError, MmmeError
from mmme.io.bids_tsv import write_json, write_tsv
from mmme.study.coder_pairs import CodedTrial, PairAgreement, compare_coders
from mmme.study.recordings import aligned, cut_into_trials
from mmme.trials.consensus import ConsensusEvent, consensus

__all__ = ["CONSENSUS_COLUMNS", "StudyAgreement", "agree_study", "write_consensus"]

_MOMENTS = ("onset", "apex", "offset")
CONSENSUS_COLUMNS: Mapping[str, str] = {
    "recording": "Recording of the study",
    "trial": "Trial",
    "stimulus": "Stimulus",
    "target": "Emotion that the stimulus was chosen for",
    "status": "agreed, one coder only, or disputed",
    "disputes": "What the coders disagree on: kind, emotion, aus",
    "kind": "micro or macro",
    "kind_by": "majority of the coders, rule on durations where they are divided, or one coder",
    "onset_s": "Median of the coders' onsets, from the start of the trial [s]",
    "apex_s": "Median of their apexes, from the start of the trial [s]",
    "offset_s": "Median of the ends that were seen, from the start of the trial [s]; equal to apex_s where nobody saw it",
    "onset_frame": "Frame of the video nearest to the onset, from 0",
    "apex_frame": "Frame nearest to the apex",
    "offset_frame": "Frame nearest to the offset",
    "aus_agreed": "Action units that two coders or more saw",
    "aus_of_one": "Action units that one coder saw, with the coder",
    "emotion": "Emotion by majority of those who named one",
    "coders": "Who saw it",
    "sources": "Rows of the annotation table, by coder",
}


@dataclass(frozen=True, slots=True, eq=False)
class StudyAgreement:
    """
    What `agree_study` found.

    Parameters
    ----------
    coders
        All coders.
    pairs
        Each two of them that coded a subject in common.
    events
        Consensus of all coders, with the trial of each.
    failures
        The sentence that says why, for each recording that could not be read or aligned.
    """

    coders: tuple[str, ...]
    pairs: tuple[PairAgreement, ...]
    events: tuple[tuple[CodedTrial, ConsensusEvent], ...]
    failures: tuple[str, ...]


def agree_study(
    path: Path, *, min_iou: float = 0.5, tolerance_frames: int = 5, step: Callable[[str, int, int], None] | None = None
) -> StudyAgreement:
    """
    Compare the coders of a study, and bring together what they saw.

    Parameters
    ----------
    path
        Folder of an imported study.
    min_iou
        Least intersection over union of two rows of one event.
    tolerance_frames
        Largest difference of onset and of offset for the F1 within frames.
    step
        Called with the task's name, recordings done, and all.

    Returns
    -------
    StudyAgreement

    Raises
    ------
    DataError
        If no recording can be read, or fewer than two coders coded anything.
    """
    if not 0 < min_iou <= 1:
        raise ConfigError(f"min_iou: expected a value above 0 and up to 1, got {min_iou}")
    study = open_study(path)
    trials: list[CodedTrial] = []
    failures = []
    for done, name in enumerate(study.recordings, start=1):
        try:
            trials += _trials(study, name)
        except MmmeError as error:
            failures.append(f"{name}: {' '.join(str(error).split())}")
        if step:
            step("align and cut", done, len(study.recordings))
    if not trials:
        raise DataError(
            f"{path.name}: expected at least one recording with trials, got none" + "".join(f"; {f}" for f in failures)
        )
    coders = tuple(sorted({row.coder for t in trials for row in t.trial.expressions}))
    if len(coders) < 2:
        raise DataError(
            f"{path.name}: expected rows of two coders at least, got {', '.join(coders) or 'none'}; nothing to compare"
        )
    pairs = [
        compare_coders(trials, one, two, min_iou=min_iou, tolerance_frames=tolerance_frames)
        for one, two in combinations(coders, 2)
    ]
    events = tuple((t, event) for t in trials for event in consensus(t.trial, min_iou=min_iou))
    return StudyAgreement(coders, tuple(p for p in pairs if p.subjects), events, tuple(failures))


def _trials(study: Study, name: str) -> list[CodedTrial]:
    timeline = aligned(study.recording(name), RunConfig())
    frames_s = timeline.stream("video").t
    return [CodedTrial(name, trial, frames_s) for trial in cut_into_trials(study, name, timeline).trials]


def write_consensus(path: Path, found: StudyAgreement) -> int:
    """
    Write the consensus of all coders, and a JSON file that explains its columns; no coder's table is touched.

    Parameters
    ----------
    path
        Target, ``.tsv``.
    found
        From `agree_study`.

    Returns
    -------
    int
        Rows.

    Raises
    ------
    ConfigError
        If the path does not end in ``.tsv``, or is that of the coders' own table.
    """
    if path.suffix != ".tsv":
        raise ConfigError(f"{path.name}: expected a file ending in .tsv, got '{path.suffix}'")
    if path.name == "coding.tsv":
        raise ConfigError(
            "coding.tsv: expected another name, got that of the coders' own table, which is never overwritten"
        )
    rows = [_consensus_row(t, event) for t, event in found.events]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tsv(path, {name: [row[name] for row in rows] for name in CONSENSUS_COLUMNS})
    write_json(path.with_suffix(".json"), {name: {"Description": text} for name, text in CONSENSUS_COLUMNS.items()})
    return len(rows)


def _consensus_row(t: CodedTrial, event: ConsensusEvent) -> dict[str, str]:
    times = (event.onset, event.apex, event.offset)
    return {
        "recording": t.recording,
        "trial": event.trial,
        "stimulus": t.trial.stimulus,
        "target": t.trial.label,
        "status": event.status,
        "disputes": ",".join(event.disputes),
        "kind": event.kind,
        "kind_by": event.kind_by,
        **{f"{name}_s": f"{time - t.trial.span.start:.6f}" for name, time in zip(_MOMENTS, times, strict=False)},
        **{f"{name}_frame": str(t.frame(time)) for name, time in zip(_MOMENTS, times, strict=False)},
        "aus_agreed": ",".join(seen.unit for seen in event.aus if len(seen.coders) > 1),
        "aus_of_one": ",".join(f"{seen.unit} ({seen.coders[0]})" for seen in event.aus if len(seen.coders) == 1),
        "emotion": event.emotion,
        "coders": ",".join(event.coders),
        "sources": "; ".join(f"{coder} {source}" for coder, source in zip(event.coders, event.sources, strict=True)),
    }
