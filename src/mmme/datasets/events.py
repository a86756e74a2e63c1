"""
Trials and coded expressions as rows of a BIDS ``_events.tsv``, in the time of the file that it lies beside.

One row per trial, and one per expression of every coder: nothing is merged, so two coders who saw the same make two rows.

References
----------
BIDS specification, "Task (including resting state) imaging data: events",
https://bids-specification.readthedocs.io/en/stable/modality-specific-files/task-events.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmme.errors import DataError
from mmme.types import Expression, Kind, Trial

__all__ = ["EVENT_COLUMNS", "trial_events"]

EVENT_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "onset": {
        "Description": "Start of the trial or of the expression, from the first sample of the recording",
        "Units": "s",
    },
    "duration": {
        "Description": "From start to end; of an expression that was coded by one moment only: 0",
        "Units": "s",
    },
    "trial_type": {
        "Description": "What the row is about",
        "Levels": {
            "trial": "A stimulus was presented",
            "micro": "A coder saw a micro-expression",
            "macro": "A coder saw a macro-expression",
        },
    },
    "coder": {"Description": "Code of who saw the expression; n/a for trials"},
    "kind": {
        "Description": "Kind of the expression as coded; by the rule on durations where the coder gave none",
        "Levels": {"micro": "Micro-expression", "macro": "Macro-expression"},
    },
    "kind_rule": {
        "Description": "Kind by the rule on durations alone; differs from kind where the coder judged otherwise",
        "Levels": {"micro": "Micro-expression", "macro": "Macro-expression"},
    },
    "apex": {"Description": "Moment of the largest expression, in the time of onset", "Units": "s"},
    "offset": {
        "Description": "End of the expression, in the time of onset; equal to apex where the end was not visible",
        "Units": "s",
    },
    "aus": {"Description": "FACS action units, separated by commas, with intensity (A to E), side (L, R) and doubt (?)"},
    "emotion": {"Description": "Emotion of the expression in the coder's word"},
    "target": {"Description": "Emotion that the stimulus was chosen for; not what a coder saw"},
    "stimulus": {"Description": "Which stimulus"},
    "marker": {"Description": "Trigger value of the trial"},
    "uncertainty": {"Description": "Standard uncertainty of onset, apex and offset of an expression", "Units": "s"},
    "max_error": {"Description": "Bound on the error of onset, apex and offset: none should be further off", "Units": "s"},
    "source": {"Description": "Annotation table and row that the expression was read from"},
}
"""What each column means: the sidecar, apart from what is said of the task."""

_MARKER = re.compile(r"(?:_ses-[A-Za-z0-9]+)?-(\d{1,3})(?:-\d+)?")


def trial_events(
    trials: Sequence[Trial],
    *,
    zero_s: float,
    rule: Callable[[float, float, float], Kind] | None = None,
    markers: Mapping[str, int] | None = None,
    task: Mapping[str, Any] | None = None,
) -> tuple[dict[str, list[str | None]], dict[str, Any]]:
    """
    Rows for trials and coded expressions, and the sidecar that explains them.

    Parameters
    ----------
    trials
        Of one recording.
    zero_s
        Session time of the first sample of the file that the table lies beside [s]. Trials that began before it have a
        negative onset, as BIDS has it.
    rule
        Kind by onset, apex and offset, for example `mmme.trials.rule_kind`; without it ``kind_rule`` is unknown.
    markers
        Trigger value by trial id; by default read from ids such as ``S01-103``.
    task
        Further keys of the sidecar, for example ``{"TaskName": "me"}``; BIDS recommends them beside ``beh`` files, where no
        other sidecar tells them.

    Returns
    -------
    columns
        Texts by column name, in the order of time; None where a value is unknown. Times have microseconds.
    sidecar
        Content of the JSON file: description, units and levels of every column.

    Raises
    ------
    DataError
        If ``zero_s`` is not finite, or an expression is outside the trial that it is filed under by more than its span.

    Examples
    --------
    >>> from mmme.interval import Interval
    >>> seen = Expression("S01", "A", "micro", 7.0, 7.2, 7.4, ("AU12",), "happy", "coding.xlsx:2", 0.004)
    >>> trial = Trial("S01-103", "S01", "happy-2", Interval(5.0, 15.0), "happy", (seen,))
    >>> columns, sidecar = trial_events([trial], zero_s=4.0)
    >>> columns["onset"], columns["trial_type"], columns["apex"], columns["marker"]
    (['1.000000', '3.000000'], ['trial', 'micro'], [None, '3.200000'], ['103', '103'])
    """
    if not math.isfinite(zero_s):
        raise DataError(f"events: expected a finite time of the first sample, got {zero_s} s")
    rows = []
    for trial in trials:
        marker = _marker(trial, markers)
        rows.append((trial.span.start, 0, _trial_row(trial, marker, zero_s)))
        for seen in trial.expressions:
            if seen.offset < trial.span.start or seen.onset > trial.span.stop:
                raise DataError(
                    f"events: expected expressions of trial {trial.id} within {trial.span.start:.3f} to "
                    f"{trial.span.stop:.3f} s, got one at {seen.onset:.3f} s ({seen.source or 'no source'})"
                )
            rows.append((seen.onset, 1, _expression_row(seen, trial, marker, zero_s, rule)))
    rows.sort(key=lambda row: row[:2])
    columns = {name: [row[name] for _, _, row in rows] for name in EVENT_COLUMNS}
    sidecar = {**{name: dict(told) for name, told in EVENT_COLUMNS.items()}, "StimulusPresentation": {}, **(task or {})}
    return columns, sidecar


def _marker(trial: Trial, markers: Mapping[str, int] | None) -> str | None:
    if markers is not None:
        return str(markers[trial.id]) if trial.id in markers else None
    found = _MARKER.fullmatch(trial.id.removeprefix(trial.subject))
    return found[1] if found else None


def _trial_row(trial: Trial, marker: str | None, zero_s: float) -> dict[str, str | None]:
    row = dict.fromkeys(EVENT_COLUMNS)
    return row | {
        "onset": _seconds(trial.span.start - zero_s),
        "duration": _seconds(trial.span.duration_s),
        "trial_type": "trial",
        "target": trial.label or None,
        "stimulus": trial.stimulus or None,
        "marker": marker,
    }


def _expression_row(
    seen: Expression,
    trial: Trial,
    marker: str | None,
    zero_s: float,
    rule: Callable[[float, float, float], Kind] | None,
) -> dict[str, str | None]:
    return {
        "onset": _seconds(seen.onset - zero_s),
        "duration": _seconds(seen.duration_s),
        "trial_type": seen.kind,
        "coder": seen.coder or None,
        "kind": seen.kind,
        "kind_rule": None if rule is None else rule(seen.onset, seen.apex, seen.offset),
        "apex": _seconds(seen.apex - zero_s),
        "offset": _seconds(seen.offset - zero_s),
        "aus": ",".join(seen.aus) or None,
        "emotion": seen.emotion or None,
        "target": trial.label or None,
        "stimulus": trial.stimulus or None,
        "marker": marker,
        "uncertainty": _seconds(seen.uncertainty_s),
        "max_error": _seconds(seen.max_error_s),
        "source": seen.source or None,
    }


def _seconds(value_s: float) -> str | None:
    """Microseconds are finer than any clock here; -0 is 0."""
    return f"{round(value_s, 6) + 0.0:.6f}" if math.isfinite(value_s) else None
