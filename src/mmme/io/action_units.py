"""
Action units in every form in which tables write them.

``4+7``, ``AU4, AU7``, ``L2``, ``R12``, ``17?``, ``15A``, ``4+L10``, ``(R6 or R12)+R15``, ``AU12 (left)``, ``AD38``,
``ref(7B)+43``, ``10A/B``, ``12/14``, ``AU4+AU12(k)``, and numbers as a spreadsheet stores them (4, 4.0). Side, intensity
and doubt are kept; what an `ActionUnit` has no place for is kept as a note; the rest is named as unread, never guessed.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import unicodedata
from dataclasses import dataclass, field, replace
from typing import Literal

from mmme.errors import DataError
from mmme.types import ActionUnit

__all__ = ["CodedUnits", "parse_action_units", "read_action_units"]

_UNKNOWN = frozenset({"?", "0", "0.0", "au0", "unknown", "unclear"})  # AU0 is a face at rest
_NONE = frozenset({"", "/", "\\", "-", "–", "none", "nan", "n/a", "na", "null", "no au", "neutral"})
_PREFIX = r"(?:(?P<prefix>left|right|[LRATBU](?:/[LRATBU])?)[\s_-]*)?"
_SUFFIX = r"(?:left|right|[LRk]|[A-E](?:\s*/\s*[A-E])?)"
_UNIT = re.compile(
    r"(?P<doubt>\(?\?\)?)?\s*"
    + _PREFIX
    + r"(?:(?:AU|AD|M)[\s_.:#-]*)?(?P<inner>[LR])?(?P<number>\d{1,2})(?:\.0+)?"
    + rf"(?P<suffix>(?:[\s_-]*(?:\(\s*{_SUFFIX}\s*\)|{_SUFFIX}(?!\s*\d)))*)"
    + r"\s*(?P<doubt2>(?:\(?\?+\)?\s*)*)",
    re.IGNORECASE,
)
_PART = re.compile(_SUFFIX, re.IGNORECASE)
_SIDES: dict[str, Literal["L", "R"]] = {"L": "L", "R": "R"}
_INTENSITIES: dict[str, Literal["A", "B", "C", "D", "E"]] = {"A": "A", "B": "B", "C": "C", "D": "D", "E": "E"}
_MEANING = {"A": "asymmetric", "T": "top", "B": "bottom", "U": "one-sided"}
_BRACKET = re.compile(r"(?P<word>ref\w*)?\.?\s*\((?P<inner>[^()]*(?:\([^()]*\)[^()]*)*)\)\s*(?P<doubt>\?*)", re.IGNORECASE)
_SUM = re.compile(r"[+,;&\n、]|\band\b", re.IGNORECASE)
_OR = re.compile(r"\bor\b|[/|]|或", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CodedUnits:
    """
    What a cell of action units says.

    Parameters
    ----------
    units
        Action units in the order written.
    notes
        What was written beside them and has no place in an `ActionUnit`, one clause each.
    unread
        Parts that are no action units, as written.
    """

    units: tuple[ActionUnit, ...] = ()
    notes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


@dataclass(slots=True)
class _Found:
    units: list[ActionUnit] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def read_action_units(value: object) -> CodedUnits:
    """
    Read a cell of action units; what cannot be read is handed back, not dropped.

    Parameters
    ----------
    value
        Text, or a number as a spreadsheet stores it; None where the cell is empty.

    Returns
    -------
    CodedUnits
        Action units, notes, and what could not be read.

    Examples
    --------
    >>> [str(au) for au in read_action_units("(R6 or R12)+R15").units]
    ['AU6R?', 'AU12R?', 'AU15R']
    >>> read_action_units("14+17+soft focus").unread
    ('soft focus',)
    >>> read_action_units("A1B+ref(7)").notes
    ('A1B: asymmetric', 'ref(7): of the reference face')
    """
    found = _Found()
    if isinstance(value, dt.date | dt.datetime):
        found.unread.append(f"the date {value:%Y-%m-%d}")
        return CodedUnits(unread=tuple(found.unread))
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return CodedUnits()
    text = unicodedata.normalize("NFKC", str(value)).strip().strip("'\"").strip()
    if text.lower() in _NONE:
        return CodedUnits()
    if text.lower() in _UNKNOWN:
        return CodedUnits(notes=(f"action units written as '{text}'",))
    _read_sum(text, found, doubtful=False)
    return CodedUnits(tuple(found.units), tuple(found.notes), tuple(found.unread))


def parse_action_units(value: object) -> tuple[ActionUnit, ...]:
    """
    Read a cell of action units that must be nothing else.

    Parameters
    ----------
    value
        As for `read_action_units`.

    Returns
    -------
    tuple of ActionUnit
        In the order written.

    Raises
    ------
    DataError
        If a part is no action unit.

    Examples
    --------
    >>> [str(au) for au in parse_action_units("4+L10, 17?")]
    ['AU4', 'AU10L', 'AU17?']
    >>> parse_action_units("smile")
    Traceback (most recent call last):
        ...
    mmme.errors.DataError: expected action units such as '4+7', 'L12' or 'AU4, AU7', got 'smile'
    """
    coded = read_action_units(value)
    if coded.unread:
        got = "', '".join(coded.unread)
        raise DataError(f"expected action units such as '4+7', 'L12' or 'AU4, AU7', got '{got}'")
    return coded.units


def _read_sum(text: str, found: _Found, *, doubtful: bool) -> None:
    """Read parts that all moved."""
    for part in _split(text, _SUM):
        if part:
            _read_alternatives(part, found, doubtful=doubtful)
        else:
            found.notes.append(f"'{text}': a sign without an action unit")


def _read_alternatives(text: str, found: _Found, *, doubtful: bool) -> None:
    """Read one of which it was; with more than one, each is doubtful."""
    if _unit(text, found, doubtful=doubtful):
        return
    parts = [part for part in _split(text, _OR) if part]
    if len(parts) > 1:
        for part in parts:
            _read_alternatives(part, found, doubtful=True)
        return
    _read_bracket(text, found, doubtful=doubtful)


def _read_bracket(text: str, found: _Found, *, doubtful: bool) -> None:
    """Read what is in brackets, or several action units with nothing but blanks between them."""
    if inside := _BRACKET.fullmatch(text):
        inner = _Found()
        _read_sum(inside["inner"], inner, doubtful=doubtful or bool(inside["doubt"]))
        if inner.units and not inner.unread:
            found.units += inner.units
            found.notes += inner.notes
            if inside["word"]:
                found.notes.append(f"{text}: of the reference face")
            return
    words = re.split(r"\s+(?=[LRATBU]?(?:AU|AD|M)?\d)", text, flags=re.IGNORECASE)
    tried = _Found()
    if len(words) > 1 and all(_unit(word, tried, doubtful=doubtful) for word in words):
        found.units += tried.units
        found.notes += tried.notes
        return
    found.unread.append(text)


def _unit(text: str, found: _Found, *, doubtful: bool) -> bool:
    """Read one action unit; False where the text is something else."""
    match = _UNIT.fullmatch(text.strip())
    if match is None or int(match["number"]) == 0:
        return False
    words = [part.group().upper().replace(" ", "") for part in _PART.finditer(match["suffix"])]
    before = [word.upper() for word in (match["prefix"], match["inner"]) if word]
    sides = [word[0] for word in (*before, *words) if word in ("L", "R", "LEFT", "RIGHT")]
    strengths = [word for word in words if word[0] in "ABCDE"]
    if len(sides) > 1 or len(strengths) > 1 or words.count("K") > 1:
        return False
    unit = ActionUnit(int(match["number"]), doubtful=doubtful or bool(match["doubt"] or match["doubt2"]))
    if sides:
        unit = replace(unit, side=_SIDES[sides[0]])
    if strengths and len(strengths[0]) == 1:
        unit = replace(unit, intensity=_INTENSITIES[strengths[0]])
    found.units.append(unit)
    said = [_MEANING[word] for word in before if word in _MEANING]
    said += [f"side {word.replace('/', ' or ')}" for word in before if "/" in word]
    said += [f"intensity {word.replace('/', ' or ')}" for word in strengths if len(word) > 1]
    said += ["marked (k)" for word in words if word == "K"]
    if said:
        found.notes.append(f"{text.strip()}: {', '.join(said)}")
    return True


def _split(text: str, sign: re.Pattern[str]) -> list[str]:
    """Split at a sign outside brackets."""
    parts, start, depth, at = [], 0, 0, 0
    while at < len(text):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        match = sign.match(text, at) if depth == 0 else None
        if match:
            parts.append(text[start:at].strip())
            at = start = match.end()
        else:
            at += 1
    return [*parts, text[start:].strip()]
