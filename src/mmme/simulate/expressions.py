"""True facial expressions: which, when, how strong, and how their strength runs over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmme.errors import ConfigError
from mmme.interval import Interval
from mmme.simulate.stimuli import affect_of
from mmme.types import Kind

__all__ = ["AU_SETS", "TrueExpression", "draw_expressions", "expression_amplitude"]

# Typical action units by emotion, after the examples and counts of the MMME release and FACS (Ekman & Friesen 1978).
AU_SETS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "happy": (("AU6", "AU12"), ("AU12",), ("AU6", "AU12", "AU25")),
    "surprise": (("AU1", "AU2", "AU5"), ("AU1", "AU2"), ("AU1", "AU2", "AU5", "AU25")),
    "disgust": (("AU4", "AU9"), ("AU4", "AU10"), ("AU9", "AU10"), ("AU4", "AU7", "AU10")),
    "sad": (("AU1", "AU4", "AU15"), ("AU15", "AU17"), ("AU4", "AU15")),
    "fear": (("AU1", "AU4", "AU20"), ("AU5", "AU20"), ("AU4", "AU20")),
    "angry": (("AU4", "AU5", "AU7"), ("AU4", "AU7"), ("AU4",)),
    "tense": (("AU14",), ("AU17",), ("AU14", "AU17"), ("AU24",)),
}
_KINDS: tuple[Kind, ...] = ("micro", "macro")
_ATYPICAL = 0.22  # share of expressions that show another emotion's action units even at full effect
_EDGE_S = 0.4
_GAP_S = 0.5
_LONGEST_MICRO_S = 0.48
_MICRO_SHARE, _MACRO_SHARE = 0.85, 0.45


@dataclass(frozen=True, slots=True)
class TrueExpression:
    """
    One planted expression, in true time.

    Parameters
    ----------
    kind
        ``micro`` (at most 0.5 s) or ``macro``.
    emotion
        Target emotion of the stimulus.
    aus
        Action units that move.
    onset_s, apex_s, offset_s
        Times [s], ``onset < apex < offset``.
    amplitude_px
        Displacement of each action unit at its strongest point at apex [frame px].

    Raises
    ------
    ConfigError
        If times are out of order or the amplitude is negative.

    Examples
    --------
    >>> TrueExpression("micro", "happy", ("AU12",), 1.0, 1.1, 1.3, 1.5).span.duration_s < 0.5
    True
    """

    kind: Kind
    emotion: str
    aus: tuple[str, ...]
    onset_s: float
    apex_s: float
    offset_s: float
    amplitude_px: float

    def __post_init__(self) -> None:
        """Check order and sign."""
        if not self.onset_s < self.apex_s < self.offset_s:
            got = f"{self.onset_s}, {self.apex_s}, {self.offset_s} s"
            raise ConfigError(f"true expression: expected onset < apex < offset, got {got}")
        if not self.amplitude_px >= 0:
            raise ConfigError(f"true expression: expected an amplitude of 0 px or more, got {self.amplitude_px} px")

    @property
    def span(self) -> Interval:
        """From onset to offset."""
        return Interval(self.onset_s, self.offset_s)


def expression_amplitude(t: ArrayLike, onset: float, apex: float, offset: float) -> NDArray[np.float64]:
    """
    Relative strength of an expression over time: two halves of a raised cosine.

    Parameters
    ----------
    t : (n,)
        Times [s].
    onset, apex, offset
        Times of the expression [s], ``onset < apex < offset``.

    Returns
    -------
    (n,) float64
        0 outside, 1 at the apex.

    Examples
    --------
    >>> expression_amplitude([0.9, 1.0, 1.1, 1.2, 1.6, 2.0], 1.0, 1.2, 2.0).round(2).tolist()
    [0.0, 0.0, 0.5, 1.0, 0.5, 0.0]
    """
    phase = np.interp(np.asarray(t, dtype=np.float64), [onset, apex, offset], [0.0, 1.0, 2.0])
    return 0.5 - 0.5 * np.cos(np.pi * phase)


def _draw_aus(rng: np.random.Generator, emotion: str, face_effect: float) -> tuple[str, ...]:
    """Draw action units typical of the emotion, or of any emotion where the face is to be uninformative."""
    shown = emotion
    if rng.random() > (1.0 - _ATYPICAL) * face_effect:
        # By composite class first, so that an uninformative face shows all three classes equally often.
        affect = rng.choice(["positive", "surprise", "negative"])
        shown = str(rng.choice([e for e in AU_SETS if affect_of(e) == affect]))
    sets = AU_SETS[shown]
    return sets[int(rng.integers(len(sets)))]


def _place(rng: np.random.Generator, lengths: Sequence[float], span: Interval) -> list[float]:
    """Start times of non-overlapping pieces of these lengths in random order inside the span."""
    order = rng.permutation(len(lengths))
    room = span.duration_s - 2 * _EDGE_S - sum(lengths) - _GAP_S * (len(lengths) - 1)
    slack = np.sort(rng.random(len(lengths))) * room
    starts = [0.0] * len(lengths)
    used = span.start + _EDGE_S
    for place, piece in enumerate(order):
        starts[piece] = used + float(slack[place])
        used += lengths[piece] + _GAP_S
    return starts


def draw_expressions(
    rng: np.random.Generator, emotion: str, span: Interval, *, face_effect: float = 1.0, scale: float = 1.0
) -> tuple[TrueExpression, ...]:
    """
    Draw the expressions of one trial: a micro-expression in 85 %, a macro-expression in 45 % of the trials.

    Parameters
    ----------
    rng
        Source of chance.
    emotion
        Target emotion of the stimulus; ``calm`` draws none.
    span
        The stimulus [s], at least 2.7 s long; expressions keep 0.4 s from its ends and 0.5 s from each other.
    face_effect
        As in `StudyPlan`.
    scale
        Expressiveness of the subject, times the amplitude.

    Returns
    -------
    tuple of TrueExpression
        In order of onset: micro 0.2-0.48 s and 0.5-1.3 px, macro 0.7-2.5 s and 1.2-2.5 px (before ``scale``).

    Examples
    --------
    >>> drawn = draw_expressions(np.random.default_rng(1), "happy", Interval(0.0, 6.0))
    >>> all(e.onset_s >= 0.4 and e.offset_s <= 5.6 for e in drawn)
    True
    """
    kinds: list[Kind] = []
    # Both draws are made in any case: a change of emotion must not shift the stream of random numbers.
    has_micro, has_macro = rng.random(2) < (_MICRO_SHARE, _MACRO_SHARE)
    if emotion in AU_SETS:
        kinds = [kind for kind, present in zip(_KINDS, (has_micro, has_macro), strict=True) if present]
    longest = min(2.5, span.duration_s - 2 * _EDGE_S - _GAP_S - _LONGEST_MICRO_S)  # leaves room for both
    lengths = [rng.uniform(0.2, _LONGEST_MICRO_S) if kind == "micro" else rng.uniform(0.7, longest) for kind in kinds]
    drawn = []
    for kind, length, start in zip(kinds, lengths, _place(rng, lengths, span), strict=True):
        apex = start + length * rng.uniform(0.38, 0.58)
        size = rng.uniform(0.5, 1.3) if kind == "micro" else rng.uniform(1.2, 2.5)
        aus = _draw_aus(rng, emotion, face_effect)
        amplitude = float(np.clip(size * scale, 0.5, 2.5))
        drawn.append(TrueExpression(kind, emotion, aus, float(start), float(apex), float(start + length), amplitude))
    return tuple(sorted(drawn, key=lambda expression: expression.onset_s))
