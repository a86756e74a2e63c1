"""Feature tables from columns, for one subject and for many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError, raise_faults
from mmme.types import FeatureTable, Sample

__all__ = ["Column", "Described", "feature_table", "missing_table", "stack", "undescribed"]

#: Values ``(k,)`` and, per row, why there is none: the empty string where the value holds.
Column = tuple[NDArray[np.float64], NDArray[np.str_]]


class Described(NamedTuple):
    """
    One sample, described: what becomes one row of a table.

    Parameters
    ----------
    columns : (n,)
        Names, the same for every sample.
    values : (n,) float32
        Finite.
    """

    columns: tuple[str, ...]
    values: NDArray[np.float32]


#: Stratum of rows that could not be described.
_WHY = "why undescribed"
#: Codes of reasons have two bytes.
MOST_REASONS = 65_535
#: For a value that came out infinite or undefined although no check refused its window.
UNDEFINED = "no finite value in the window"


def feature_table(
    samples: Sequence[Sample],
    columns: Mapping[str, Column],
    *,
    strata: Mapping[str, Sequence[str]] | None = None,
    origin: Mapping[str, str] | None = None,
) -> FeatureTable:
    """
    Build the table of one signal: values with a reason become NaN, NaN without one get a reason.

    Parameters
    ----------
    samples
        The rows, in order.
    columns
        By name: values and reasons, one each per sample.
    strata
        More labels per row.
    origin
        What the values were made from and how.

    Raises
    ------
    DataError
        If the reasons are more than 65,535, or a column has another length.

    Examples
    --------
    >>> from mmme.interval import Interval
    >>> s = Sample("S01-101", "S01", "sad-1", "sad", 1.0, 1.1, 1.2, Interval(0.0, 60.0))
    >>> table = feature_table([s], {"hr_bpm": (np.array([60.0]), np.array(["window leaves the recording"]))})
    >>> table.X.tolist(), table.reasons
    ([[nan]], ('', 'window leaves the recording'))
    """
    n = len(samples)
    raise_faults(
        "feature table",
        [
            f"column {name}: expected {n} values, got {v.size}"
            for name, (v, w) in columns.items()
            if not v.size == w.size == n
        ],
    )
    X = np.full((n, len(columns)), np.nan, dtype=np.float32)
    code_of: dict[str, int] = {"": 0}
    codes = np.zeros((n, len(columns)), dtype=np.int64)
    known: dict[int, NDArray[np.int64]] = {}  # many columns share one array of reasons
    for j, (values, why) in enumerate(columns.values()):
        if id(why) not in known:
            texts, inverse = np.unique(why, return_inverse=True)
            known[id(why)] = np.array([code_of.setdefault(str(t), len(code_of)) for t in texts], dtype=np.int64)[inverse]
        column = known[id(why)]
        undefined = (column == 0) & ~np.isfinite(values)
        if undefined.any():
            column = np.where(undefined, code_of.setdefault(UNDEFINED, len(code_of)), column)
        codes[:, j] = column
        X[:, j] = np.where(column == 0, values, np.nan)
    _limit_reasons(code_of)
    return FeatureTable.build(
        X,
        list(columns),
        [s.id for s in samples],
        [s.subject for s in samples],
        [s.stimulus for s in samples],
        [s.label for s in samples],
        reason=codes.astype(np.uint16),
        reasons=list(code_of),
        strata=strata,
        origin=origin,
    )


def missing_table(
    samples: Sequence[Sample], columns: Sequence[str], reason: str, *, origin: Mapping[str, str] | None = None
) -> FeatureTable:
    """
    Build a table in which every value is missing for the same reason.

    Examples
    --------
    >>> from mmme.interval import Interval
    >>> s = Sample("S01-101", "S01", "sad-1", "sad", 1.0, 1.1, 1.2, Interval(0.0, 60.0))
    >>> missing_table([s], ["skt_c"], "no stream 'skt'").reasons
    ('', "no stream 'skt'")
    """
    nothing = np.full(len(samples), np.nan)
    why = np.full(len(samples), reason)
    return feature_table(samples, dict.fromkeys(columns, (nothing, why)), origin=origin)


def undescribed(
    samples: Sequence[Sample],
    why: Sequence[str],
    *,
    strata: Mapping[str, Sequence[str]] | None = None,
    origin: Mapping[str, str] | None = None,
) -> FeatureTable:
    """
    Keep the rows of which not one could be described, so that nobody knows what columns there would be.

    `stack` gives such a table the columns of the others.

    Parameters
    ----------
    samples
        The rows, in order.
    why
        Per row, the reason.
    strata, origin
        As in a table that could be described: more labels per row, what was described and how.

    Examples
    --------
    >>> from mmme.interval import Interval
    >>> s = [Sample(f"S0{k}-101", f"S0{k}", "sad-1", "sad", 1.0, 1.1, 1.2, Interval(0.0, 60.0)) for k in (1, 2)]
    >>> known = feature_table(s[:1], {"hr_bpm": (np.array([60.0]), np.array([""]))})
    >>> whole = stack([known, undescribed(s[1:], ["no face at the onset"])])
    >>> whole.X.tolist(), whole.reasons
    ([[60.0], [nan]], ('', 'no face at the onset'))
    """
    return FeatureTable.build(
        np.empty((len(samples), 0)),
        [],
        [s.id for s in samples],
        [s.subject for s in samples],
        [s.stimulus for s in samples],
        [s.label for s in samples],
        strata={**(strata or {}), _WHY: list(why)},
        origin=origin,
    )


def _widened(table: FeatureTable, like: FeatureTable) -> FeatureTable:
    """Give rows that could not be described the columns of others."""
    reasons = ["", *dict.fromkeys(table.strata[_WHY].tolist())]
    code = np.array([reasons.index(why) for why in table.strata[_WHY].tolist()], dtype=np.uint16)
    return replace(
        table,
        X=np.full((len(table), *like.X.shape[1:]), np.nan, dtype=np.float32),
        columns=like.columns,
        reason=np.repeat(code[:, None], len(like.columns), axis=1) if like.X.ndim == 2 else code,
        reasons=tuple(reasons),
        strata=MappingProxyType({k: v for k, v in table.strata.items() if k != _WHY}),
    )


def _limit_reasons(reasons: Mapping[str, int] | Sequence[str]) -> None:
    """Refuse more reasons than a code can number."""
    if len(reasons) > MOST_REASONS:
        raise DataError(
            f"feature table: expected at most {MOST_REASONS} different reasons, got {len(reasons)}; round numbers in them"
        )


def _joined_origin(tables: Sequence[FeatureTable]) -> dict[str, str]:
    """Entries that agree once, others per subject."""
    origin: dict[str, str] = {}
    for key in dict.fromkeys(k for t in tables for k in t.origin):
        values = {t.origin.get(key) for t in tables}
        if len(values) == 1:
            origin[key] = tables[0].origin[key]
            continue
        for table in tables:
            if key in table.origin:
                whose = ",".join(dict.fromkeys(table.subjects.tolist()))
                origin[f"{key}[{whose}]"] = table.origin[key]
    return origin


def stack(tables: Sequence[FeatureTable]) -> FeatureTable:
    """
    Rows of several tables under each other, for example one table per subject.

    Parameters
    ----------
    tables
        At least one; the same columns in the same order, the same strata. Network inputs (no columns) need one shape.

    Returns
    -------
    FeatureTable
        All rows; reasons merged; entries of ``origin`` that differ carry their subject, ``key[S01]``.

    Raises
    ------
    DataError
        If there is no table, columns or strata differ (with the difference), or row names repeat.

    Examples
    --------
    >>> a = FeatureTable.build([[60.0]], ["hr_bpm"], ["S01-101"], ["S01"], ["sad-1"], ["sad"])
    >>> b = FeatureTable.build([[72.0]], ["hr_bpm"], ["S02-101"], ["S02"], ["sad-1"], ["sad"])
    >>> stack([a, b]).subjects.tolist()
    ['S01', 'S02']
    """
    if not tables:
        raise DataError("stack: expected at least one feature table, got none")
    first = next((t for t in tables if _WHY not in t.strata), tables[0])
    if _WHY not in first.strata:
        tables = [_widened(t, first) if _WHY in t.strata else t for t in tables]
    faults = []
    one = f"table {1 + next(k for k, t in enumerate(tables) if t is first)}"
    for i, other in enumerate(tables, start=1):
        missing = [c for c in first.columns if c not in other.columns]
        surplus = [c for c in other.columns if c not in first.columns]
        if missing or surplus:
            difference = "; ".join(
                f"{word} {_shown(names)}" for word, names in (("lacks", missing), ("adds", surplus)) if names
            )
            faults.append(f"table {i} {difference}")
        elif other.columns != first.columns:
            faults.append(f"table {i} has the columns of {one} in another order")
        elif other.X.shape[1:] != first.X.shape[1:]:
            faults.append(f"table {i} has rows of shape {other.X.shape[1:]}, {one} of {first.X.shape[1:]}")
        if set(other.strata) != set(first.strata):
            faults.append(f"table {i} has strata {sorted(other.strata)}, {one} {sorted(first.strata)}")
    raise_faults("stack: expected the same columns in every feature table", faults)
    code_of: dict[str, int] = {"": 0}
    reasons = []
    for table in tables:
        place = np.array([code_of.setdefault(text, len(code_of)) for text in table.reasons], dtype=np.int64)
        reasons.append(place[table.reason])
    _limit_reasons(code_of)
    return replace(
        first,
        X=np.concatenate([t.X for t in tables]),
        trial_ids=tuple(i for t in tables for i in t.trial_ids),
        subjects=np.concatenate([t.subjects for t in tables]),
        stimuli=np.concatenate([t.stimuli for t in tables]),
        labels=np.concatenate([t.labels for t in tables]),
        reason=np.concatenate(reasons).astype(np.uint16),
        reasons=tuple(code_of),
        strata=MappingProxyType({k: np.concatenate([t.strata[k] for t in tables]) for k in first.strata}),
        origin=MappingProxyType(_joined_origin(tables)),
    )


def _shown(names: Sequence[str], limit: int = 6) -> str:
    """First few names and how many more."""
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
