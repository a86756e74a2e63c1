"""What the body did around expressions that were spotted in a video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError
from mmme.features.body.signals import BodySettings, describe_moments, read_body
from mmme.interval import Interval
from mmme.models.spotting import Spotted
from mmme.study.physiology_file import read_physiology
from mmme.types import FeatureTable, Sample

__all__ = ["BodyBeside", "read_beside"]

#: Of everything that is known of a moment, what a table of expressions shows.
TOLD = ("hr_bpm", "hr_slope_bpm_per_s", "scr_amplitude_us", "scr_latency_s")
#: What is drawn below the curve, and moments per second there.
DRAWN: Mapping[str, str] = {"hr_bpm": "heart rate\n[1/min]", "scl_us": "skin level\n[µS]"}
DRAWN_HZ = 2.0
SLOPE = "hr_slope_bpm_per_s"


@dataclass(frozen=True, slots=True)
class BodyBeside:
    """
    Physiology of a video.

    Parameters
    ----------
    columns
        By name, one value per expression; None where it is not known.
    drawn
        By name with its unit, times [s] and values.
    kept : (n,) bool
        Expressions that the gate lets through; all without one.
    notes
        What was assumed, one sentence each.
    """

    columns: Mapping[str, tuple[float | None, ...]]
    drawn: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
    kept: NDArray[np.bool_]
    notes: tuple[str, ...]


def read_beside(
    paths: Sequence[Path], lags_s: Sequence[float], spotted: Sequence[Spotted], span: Interval, *, gate: float | None = None
) -> BodyBeside:
    """
    Read physiology that was recorded beside a video, and describe every expression.

    Parameters
    ----------
    paths, lags_s
        As in `mmme.study.physiology_file.read_physiology`.
    spotted
        Expressions.
    span
        Of the video [s].
    gate
        Keep expressions at whose apex the slope of the heart rate is at least this multiple of its mean size in the video;
        None for all. What is not known is kept.

    Raises
    ------
    DataError
        If a file cannot be read.
    ConfigError
        If a gate is asked for and there is no heart rate.
    """
    physiology = read_physiology(paths, lags_s, subject="new")
    body = read_body(physiology.timeline, BodySettings())
    grid = np.arange(span.start, span.stop, 1 / DRAWN_HZ)
    moments = describe_moments(body, [_sample(f"t{k}", at, at, at, span) for k, at in enumerate(grid.tolist())])
    drawn = {label: (grid, _column(moments, name)) for name, label in DRAWN.items() if name in moments.columns}
    drawn = {label: both for label, both in drawn.items() if np.isfinite(both[1]).any()}
    table = None
    if spotted:
        table = describe_moments(body, [_sample(f"e{k}", s.onset, s.apex, s.offset, span) for k, s in enumerate(spotted)])
    columns = {
        name: tuple(None if np.isnan(v) else float(v) for v in (_column(table, name) if table else ()))
        for name in TOLD
        if name in moments.columns
    }
    kept = np.ones(len(spotted), dtype=bool)
    if gate is not None:
        size = np.abs(_column(moments, SLOPE)) if SLOPE in moments.columns else np.full(1, np.nan)
        if not np.isfinite(size).any():
            raise ConfigError("--gate: expected physiology with a heart rate, got none that can be read")
        at = np.abs([np.nan if v is None else v for v in columns[SLOPE]]) if spotted else np.zeros(0)
        kept = ~(at < gate * float(np.nanmean(size)))
    return BodyBeside(columns, drawn, kept, physiology.notes)


def _sample(name: str, onset: float, apex: float, offset: float, span: Interval) -> Sample:
    return Sample(name, "new", "video", "", onset, apex, max(offset, apex), span)


def _column(table: FeatureTable, name: str) -> NDArray[np.float64]:
    return np.asarray(table.X[:, table.columns.index(name)], dtype=np.float64)
