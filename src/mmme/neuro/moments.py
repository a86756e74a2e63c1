"""Which moments are compared: expressions, and for each a neutral moment of the same trial."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmme.errors import ConfigError
from mmme.trials import unique_expressions
from mmme.types import Kind, Sample, Trial

__all__ = ["Pair", "matched_moments", "onsets_as_events"]

#: Candidates for a neutral moment lie this far apart [s].
GRID_S = 0.05


@dataclass(frozen=True, slots=True)
class Pair:
    """
    An expression and the neutral moment it is compared with.

    Parameters
    ----------
    kind
        ``micro`` or ``macro``.
    shown
        The expression; its label is the emotion as coded.
    neutral
        As long, in the same trial, with a still face around it.
    aus
        Action units of the expression, as written.
    alone
        No other expression lies within ``after_s`` before its onset or after its offset.
    """

    kind: Kind
    shown: Sample
    neutral: Sample
    aus: tuple[str, ...]
    alone: bool


def matched_moments(
    trials: Sequence[Trial], *, before_s: float = 1.0, after_s: float = 4.0, min_iou: float = 0.5, seed: int = 0
) -> tuple[tuple[Pair, ...], tuple[str, ...]]:
    """
    Pair each expression with a neutral moment of its trial, drawn at random.

    A neutral moment is as long as its expression. From ``before_s`` before its onset to ``after_s`` after its offset it
    lies within the trial, at least so far from every expression, and overlaps no other neutral moment so widened. It is
    therefore matched in subject, stimulus, trial and length, and differs in what the face does. The draw depends on the
    seed and the trial's name alone, so a subject that is added changes no other.

    Parameters
    ----------
    trials
        With expressions; several coders' rows of one expression count once.
    before_s, after_s
        How long the face is still around a neutral moment [s]; at least 0.
    min_iou
        Of two coders' rows of one expression.
    seed
        Of the draw.

    Returns
    -------
    pairs
        In order of trials and onsets.
    without
        Names of expressions whose trial has no room left for a neutral moment; they are in no pair.

    Raises
    ------
    ConfigError
        If a length is negative.

    Examples
    --------
    >>> from mmme.interval import Interval
    >>> from mmme.types import Expression
    >>> e = Expression("S01", "A", "micro", 10.0, 10.2, 10.4, ("AU4",), "disgust")
    >>> pairs, without = matched_moments([Trial("S01-103", "S01", "film", Interval(0, 60), "sad", (e,))])
    >>> one = pairs[0]
    >>> one.shown.id, one.neutral.id, round(one.neutral.offset - one.neutral.onset, 3), without
    ('S01-103#0', 'S01-103#0-neutral', 0.4, ())
    """
    if before_s < 0 or after_s < 0:
        raise ConfigError(f"neutral moments: expected lengths of at least 0 s, got {before_s:g} s and {after_s:g} s")
    pairs: list[Pair] = []
    without: list[str] = []
    for trial in trials:
        rng = np.random.default_rng([seed, zlib.crc32(trial.id.encode())])
        shown = unique_expressions(trial, min_iou=min_iou)
        taken = [(e.onset, e.offset) for e in trial.expressions]  # where no neutral moment, widened, may lie
        for k in rng.permutation(len(shown)):
            expression = shown[k]
            name = f"{trial.id}#{k}"
            onset = _free_moment(trial, expression.duration_s, taken, before_s, after_s, rng)
            if onset is None:
                without.append(name)
                continue
            stop = onset + expression.duration_s
            taken.append((onset - before_s, stop + after_s))
            sample = Sample(
                name, trial.subject, trial.stimulus, expression.emotion, expression.onset, expression.apex,
                expression.offset, trial.span, "apex" not in expression.assumed,
            )  # fmt: skip
            moved = onset - expression.onset
            neutral = replace(
                sample, id=f"{name}-neutral", label="neutral", onset=onset, apex=expression.apex + moved, offset=stop
            )
            others = (e for j, e in enumerate(shown) if j != k)
            alone = all(e.offset < expression.onset - after_s or e.onset > expression.offset + after_s for e in others)
            pairs.append(Pair(expression.kind, sample, neutral, expression.aus, alone))
    order = {trial.id: i for i, trial in enumerate(trials)}
    return (
        tuple(sorted(pairs, key=lambda p: (order[p.shown.id.rpartition("#")[0]], p.shown.onset))),
        tuple(sorted(without)),
    )


def _free_moment(
    trial: Trial,
    duration_s: float,
    taken: Sequence[tuple[float, float]],
    before_s: float,
    after_s: float,
    rng: np.random.Generator,
) -> float | None:
    """Draw an onset such that the moment, widened, touches nothing taken; None where there is no room."""
    first, last = trial.span.start + before_s, trial.span.stop - after_s - duration_s
    if last < first:
        return None
    onsets = np.arange(first, last + 1e-9, GRID_S)
    free = np.ones(onsets.size, dtype=bool)
    for start, stop in taken:
        free &= (onsets + duration_s + after_s <= start) | (onsets - before_s >= stop)
    # A reaction to an expression outlasts it: what follows it closely is not neutral for the body.
    for expression in trial.expressions:
        free &= (onsets - before_s >= expression.offset + after_s) | (onsets + duration_s <= expression.onset)
    left = onsets[free]
    return float(rng.choice(left)) if left.size else None


def onsets_as_events(samples: Sequence[Sample]) -> list[Sample]:
    """
    Return the samples with their onset as the event, where functions look at the apex.

    Examples
    --------
    >>> from mmme.interval import Interval
    >>> onsets_as_events([Sample("S01-103#0", "S01", "film", "sad", 1.0, 1.2, 1.4, Interval(0, 60))])[0].apex
    1.0
    """
    return [replace(sample, apex=sample.onset) for sample in samples]
