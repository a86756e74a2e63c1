"""Trials -> the samples that features describe."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mmme.errors import ConfigError, unknown_name
from mmme.metrics.spotting import matched_pairs
from mmme.trials.build import ROUNDING_S
from mmme.types import Expression, Kind, Sample, Trial

__all__ = ["action_units_by_row", "expression_samples", "grid_samples", "left_out", "trial_samples", "unique_expressions"]


def unique_expressions(trial: Trial, *, min_iou: float = 0.5) -> tuple[Expression, ...]:
    """
    List each expression of a trial once, however many coders marked it.

    Two rows are copies when different coders wrote them and they overlap enough; coders are compared one to one, so
    neighbours are never merged. The first coder in sorted order keeps the times, kind and emotion. Rows of one coder
    are never merged. Where only one moment was coded (onset equal to offset), copies are rows of the same moment.

    Parameters
    ----------
    trial
        With the expressions of all coders.
    min_iou
        Least intersection over union of copies, in (0, 1]; the value itself is enough.

    Returns
    -------
    tuple of Expression
        In order of onset.

    Examples
    --------
    >>> from mmme.interval import Interval
    >>> a = Expression("S01", "A", "micro", 1.0, 1.2, 1.4)
    >>> b = Expression("S01", "B", "macro", 1.1, 1.2, 1.4)
    >>> trial = Trial("S01-103", "S01", "happy-2", Interval(0, 10), "happy", (a, b))
    >>> [(e.coder, e.onset) for e in unique_expressions(trial)]
    [('A', 1.0)]
    """
    kept: list[Expression] = []
    for coder in sorted({e.coder for e in trial.expressions}):
        rows = sorted((e for e in trial.expressions if e.coder == coder), key=lambda e: (e.onset, e.offset, e.apex))
        copies: set[int] = set()
        wide_kept, wide_rows = _wide(kept), _wide(rows)
        for _, j in matched_pairs(
            [kept[k].interval for k in wide_kept], [rows[k].interval for k in wide_rows], min_iou=min_iou
        ):
            copies.add(wide_rows[j])
        free = [e.onset for e in kept if e.duration_s == 0]
        for k, row in enumerate(rows):
            if row.duration_s == 0 and row.onset in free:
                free.remove(row.onset)
                copies.add(k)
        kept += [row for k, row in enumerate(rows) if k not in copies]
    return tuple(sorted(kept, key=lambda e: (e.onset, e.offset, e.coder)))


def expression_samples(
    trials: Sequence[Trial],
    *,
    kind: Kind | None,
    class_of: Mapping[str, str | None],
    unique: bool = True,
    min_iou: float = 0.5,
) -> tuple[Sample, ...]:
    """
    One sample per expression, labelled with its class.

    Parameters
    ----------
    trials
        Of any number of subjects.
    kind
        ``micro``, ``macro``, or None for both.
    class_of
        Class of each emotion word; None leaves the emotion out on purpose (`left_out` counts).
    unique
        Take copies by several coders once (`unique_expressions`); otherwise all rows, copies included.
    min_iou
        Least intersection over union of copies.

    Returns
    -------
    tuple of Sample
        Ids are ``<trial>#<k>``, ``k`` counting all (unique) expressions of the trial from 1 in order of onset, so the
        name of an expression does not depend on ``kind`` or on the classes.

    Raises
    ------
    ConfigError
        If an emotion has no class.

    Examples
    --------
    >>> from mmme.interval import Interval
    >>> e = Expression("S01", "A", "micro", 1.0, 1.2, 1.4, emotion="happy")
    >>> trial = Trial("S01-103", "S01", "happy-2", Interval(0, 10), "happy", (e,))
    >>> [(s.id, s.label) for s in expression_samples([trial], kind="micro", class_of={"happy": "positive"})]
    [('S01-103#1', 'positive')]
    """
    samples = []
    for trial, k, expression in _numbered(trials, kind=kind, unique=unique, min_iou=min_iou):
        label = _class(expression.emotion, class_of, expression.source or trial.id)
        if label is not None:
            times = expression.onset, expression.apex, expression.offset
            coded = "apex" not in expression.assumed
            samples.append(Sample(f"{trial.id}#{k}", trial.subject, trial.stimulus, label, *times, trial.span, coded))
    return tuple(samples)


def left_out(
    trials: Sequence[Trial],
    *,
    kind: Kind | None,
    class_of: Mapping[str, str | None],
    unique: bool = True,
    min_iou: float = 0.5,
) -> dict[str, int]:
    """
    Count the expressions that `expression_samples` leaves out because their emotion has no class on purpose.

    Parameters
    ----------
    trials, kind, class_of, unique, min_iou
        As for `expression_samples`.

    Returns
    -------
    dict
        Number of expressions by emotion word.

    Examples
    --------
    >>> from mmme.interval import Interval
    >>> e = Expression("S01", "A", "micro", 1.0, 1.2, 1.4, emotion="others")
    >>> trial = Trial("S01-103", "S01", "happy-2", Interval(0, 10), "happy", (e,))
    >>> left_out([trial], kind=None, class_of={"others": None})
    {'others': 1}
    """
    words = [
        e.emotion
        for trial, _, e in _numbered(trials, kind=kind, unique=unique, min_iou=min_iou)
        if _class(e.emotion, class_of, trial.id) is None
    ]
    return dict(sorted(Counter(words).items()))


def action_units_by_row(
    trials: Sequence[Trial], *, unique: bool = True, min_iou: float = 0.5
) -> dict[str, tuple[int, ...]]:
    """
    Name the action units of expressions, by the names that `expression_samples` gives them.

    Parameters
    ----------
    trials, unique, min_iou
        As for `expression_samples`.

    Returns
    -------
    dict
        Numbers in order, sides and intensities put aside; a unit that was doubted is not counted. Expressions for which no
        unit at all was coded are absent: whether nobody looked or nothing was seen is not told by the table.

    Examples
    --------
    >>> from mmme.interval import Interval
    >>> e = Expression("S01", "A", "micro", 1.0, 1.2, 1.4, aus=("AU12L", "AU6", "AU17?"))
    >>> action_units_by_row([Trial("S01-103", "S01", "happy-2", Interval(0, 10), "happy", (e,))])
    {'S01-103#1': (6, 12)}
    """
    rows = _numbered(trials, kind=None, unique=unique, min_iou=min_iou)
    return {f"{trial.id}#{k}": _numbers(expression.aus) for trial, k, expression in rows if expression.aus}


def _numbers(aus: Sequence[str]) -> tuple[int, ...]:
    """Return the numbers of units as they are stored, ``AU<number><intensity><side><?>``; doubted ones not."""
    certain = (re.match(r"AU(\d+)", unit) for unit in aus if not unit.endswith("?"))
    return tuple(sorted({int(found.group(1)) for found in certain if found}))


def trial_samples(trials: Sequence[Trial], *, class_of: Mapping[str, str | None] | None = None) -> tuple[Sample, ...]:
    """
    One sample per trial, labelled with the target emotion of its stimulus.

    Parameters
    ----------
    trials
        Of any number of subjects.
    class_of
        Class of each target emotion; None as a class leaves it out on purpose. Without it the labels stay.

    Returns
    -------
    tuple of Sample
        Onset and offset are the ends of the trial, the apex its middle.

    Raises
    ------
    ConfigError
        If a label has no class.

    Examples
    --------
    >>> from mmme.interval import Interval
    >>> trial = Trial("S01-103", "S01", "happy-2", Interval(0, 10), "happy")
    >>> [(s.id, s.label, s.apex) for s in trial_samples([trial])]
    [('S01-103', 'happy', 5.0)]
    """
    samples = []
    for trial in trials:
        label = trial.label if class_of is None else _class(trial.label, class_of, trial.id)
        if label is not None:
            times = trial.span.start, trial.span.centre_s, trial.span.stop
            samples.append(Sample(trial.id, trial.subject, trial.stimulus, label, *times, trial.span))
    return tuple(samples)


def grid_samples(
    trials: Sequence[Trial], *, step_s: float, window_s: float | None = None, min_iou: float = 0.5
) -> tuple[Sample, ...]:
    """
    Moments on a regular grid in each trial, labelled with the state of the face: ``neutral``, ``micro`` or ``macro``.

    Parameters
    ----------
    trials
        Of any number of subjects.
    step_s
        Between centres [s].
    window_s
        Length of the window ``[centre - window_s / 2, centre + window_s / 2)`` [s]; it lies within the trial entirely.
        One step by default, so that the windows tile the trial.
    min_iou
        Least intersection over union of several coders' copies.

    Returns
    -------
    tuple of Sample
        Onset, apex and offset are the start, centre and stop of the window. A moment is ``micro`` or ``macro`` when its
        centre lies in onset to offset of a unique expression, both ends included; where both do, ``micro`` (the rarer).
        Ids are ``<trial>#<k>``, from 1. A trial shorter than the window has no moments.

    Raises
    ------
    ConfigError
        If a length is not positive, or no trial is as long as the window.

    Examples
    --------
    >>> from mmme.interval import Interval
    >>> e = Expression("S01", "A", "micro", 2.0, 2.2, 2.4)
    >>> trial = Trial("S01-103", "S01", "happy-2", Interval(0, 4), "happy", (e,))
    >>> [(s.apex, s.label) for s in grid_samples([trial], step_s=1.0, window_s=2.0)]
    [(1.0, 'neutral'), (2.0, 'micro'), (3.0, 'neutral')]
    """
    window_s = step_s if window_s is None else window_s
    for name, value in (("step_s", step_s), ("window_s", window_s)):
        if not value > 0:
            raise ConfigError(f"{name}: expected more than 0 s, got {value}")
    samples: list[Sample] = []
    for trial in trials:
        n = int(np.floor((trial.span.duration_s - window_s) / step_s + ROUNDING_S)) + 1
        expressions = unique_expressions(trial, min_iou=min_iou)
        for k in range(max(n, 0)):
            centre = trial.span.start + 0.5 * window_s + k * step_s
            kinds = {e.kind for e in expressions if e.onset <= centre <= e.offset}
            label = "micro" if "micro" in kinds else "macro" if kinds else "neutral"
            times = centre - 0.5 * window_s, centre, centre + 0.5 * window_s
            samples.append(Sample(f"{trial.id}#{k + 1}", trial.subject, trial.stimulus, label, *times, trial.span))
    if trials and not samples:
        longest = max(trial.span.duration_s for trial in trials)
        raise ConfigError(f"window_s: expected at most the longest trial, {longest:.3f} s, got {window_s} s")
    return tuple(samples)


def _wide(expressions: Sequence[Expression]) -> list[int]:
    """Positions of the expressions that last longer than a moment."""
    return [k for k, e in enumerate(expressions) if e.duration_s > 0]


def _numbered(
    trials: Sequence[Trial], *, kind: Kind | None, unique: bool, min_iou: float
) -> Iterator[tuple[Trial, int, Expression]]:
    """Expressions of a kind with their trial and their number in it."""
    for trial in trials:
        expressions = unique_expressions(trial, min_iou=min_iou) if unique else trial.expressions
        for k, expression in enumerate(expressions, start=1):
            if kind is None or expression.kind == kind:
                yield trial, k, expression


def _class(word: str, class_of: Mapping[str, str | None], where: str) -> str | None:
    """Class of an emotion word."""
    if word not in class_of:
        raise unknown_name("class for emotion", word, class_of, where=where)
    return class_of[word]
