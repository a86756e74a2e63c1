"""
The 48 stimuli of the MMME layout, and which of them a shorter simulated study shows.

The map from marker to target emotion and video number is that of the released notebooks and coding file of MMME
(arXiv:2506.09834). Markers run 101..148 and stimuli are always shown in ascending order of marker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from types import MappingProxyType
from typing import Literal

from mmme.errors import ConfigError

__all__ = ["IDLE", "STIMULI", "Affect", "Stimulus", "affect_of", "choose_stimuli"]

IDLE = 100
"""Trigger level while no stimulus runs."""

Affect = Literal["positive", "surprise", "negative", "neutral"]

# Marker of video 1, 2, .. 6 of each label; the video numbers of "calm" are not published and are given in order of marker.
_MARKERS: Mapping[str, tuple[int, ...]] = {
    "sad": (101, 148, 109, 118, 127, 136),
    "disgust": (112, 102, 110, 119, 128, 137),
    "happy": (123, 103, 111, 120, 129, 138),
    "fear": (134, 104, 113, 121, 130, 139),
    "tense": (144, 105, 114, 122, 131, 140),
    "calm": (106, 115, 124, 132, 141, 145),
    "angry": (146, 107, 116, 125, 133, 142),
    "surprise": (147, 108, 117, 126, 135, 143),
}
_NEGATIVE = ("sad", "disgust", "angry", "fear", "tense")


@dataclass(frozen=True, slots=True)
class Stimulus:
    """One video of the study: trigger code while it runs, target emotion, and its number among that emotion's six."""

    marker: int
    emotion: str
    video: int


STIMULI: Mapping[int, Stimulus] = MappingProxyType(
    {
        marker: Stimulus(marker, emotion, video)
        for marker, emotion, video in sorted(
            (marker, emotion, video)
            for emotion, markers in _MARKERS.items()
            for video, marker in enumerate(markers, start=1)
        )
    }
)
"""All 48 stimuli by marker, ascending."""


def affect_of(emotion: str) -> Affect:
    """
    Composite class of a target emotion: positive (happy), surprise, negative, or neutral (calm).

    Parameters
    ----------
    emotion
        One of the eight words of the coding file.

    Returns
    -------
    str
        ``positive``, ``surprise``, ``negative`` or ``neutral``.

    Examples
    --------
    >>> affect_of("tense")
    'negative'
    """
    if emotion in _NEGATIVE:
        return "negative"
    return {"happy": "positive", "surprise": "surprise"}.get(emotion, "neutral")  # type: ignore[return-value]


def choose_stimuli(count: int) -> tuple[Stimulus, ...]:
    """
    Choose stimuli so that positive, surprise and negative stay balanced for as long as there are videos left.

    Parameters
    ----------
    count
        How many, 1..48; up to 18 the three classes differ by at most one, 42 leaves out only ``calm``.

    Returns
    -------
    tuple of Stimulus
        In ascending order of marker, the order of presentation.

    Raises
    ------
    ConfigError
        If ``count`` is out of range.

    Examples
    --------
    >>> [s.marker for s in choose_stimuli(9)]
    [101, 102, 103, 107, 108, 111, 117, 120, 126]
    """
    if not 1 <= count <= len(STIMULI):
        raise ConfigError(f"trials: expected 1 to {len(STIMULI)}, got {count}; the layout has {len(STIMULI)} stimuli")
    happy, surprise = sorted(_MARKERS["happy"]), sorted(_MARKERS["surprise"])
    negative = [marker for round_ in zip(*(sorted(_MARKERS[e]) for e in _NEGATIVE), strict=True) for marker in round_]
    turns = [marker for turn in zip_longest(happy, surprise, negative) for marker in turn if marker is not None]
    chosen = [*turns, *_MARKERS["calm"]][:count]
    return tuple(STIMULI[marker] for marker in sorted(chosen))
