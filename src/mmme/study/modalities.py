"""Which signal a column of the body comes from, what a fusion is without it, and how far each decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mmme.errors import ConfigError
from mmme.evaluate import compare
from mmme.metrics.uncertainty import Difference
from mmme.types import FeatureTable, Result

__all__ = ["LeftOut", "by_signal", "left_out_table", "mean_weights", "only_columns", "signal_of"]

#: First word of a column's name, by signal; the EEG's columns begin with the names of its features.
SIGNAL_OF = {
    "hr": "ecg",
    "hrv": "ecg",
    "ppg": "ppg",
    "prv": "ppg",
    "pulse": "ppg",
    "scr": "eda",
    "scl": "eda",
    "eda": "eda",
    "rsp": "rsp",
    "skt": "skt",
    "emg": "emg",
}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """
    What a fusion loses without one signal.

    Parameters
    ----------
    signal
        Left out.
    uf1
        UF1 without it.
    loss
        UF1 of the whole fusion minus this one, on the same subjects.
    """

    signal: str
    uf1: float
    loss: Difference


def signal_of(column: str) -> str:
    """
    Return the signal that a column of the body comes from.

    Examples
    --------
    >>> signal_of("hrv_rmssd_ms"), signal_of("scr_present"), signal_of("frontal_alpha_db")
    ('ecg', 'eda', 'eeg')
    """
    return SIGNAL_OF.get(column.split("_")[0], "eeg")


def only_columns(table: FeatureTable, columns: Sequence[int]) -> FeatureTable:
    """Table of the columns (of a tensor, the channels) at these positions; `ConfigError` when none is left."""
    if not len(columns):
        raise ConfigError("feature table: expected at least one column to be left, got none; leave fewer signals out")
    places = np.asarray(columns, dtype=np.intp)
    names = tuple(table.columns[k] for k in places)
    reason = table.reason[:, places] if table.reason.ndim == 2 else table.reason
    return replace(table, X=table.X[:, places], columns=names, reason=reason)


def by_signal(table: FeatureTable) -> dict[str, FeatureTable]:
    """
    Divide a table of the body into one per signal.

    Examples
    --------
    >>> body = FeatureTable.build([[60.0, 31.5]], ["hr_bpm", "skt_c"], ["a"], ["S1"], ["v"], ["pos"])
    >>> {name: part.columns for name, part in by_signal(body).items()}
    {'ecg': ('hr_bpm',), 'skt': ('skt_c',)}
    """
    places: dict[str, list[int]] = {}
    for k, column in enumerate(table.columns):
        places.setdefault(signal_of(column), []).append(k)
    return {name: only_columns(table, own) for name, own in places.items()}


def mean_weights(result: Result) -> dict[str, float]:
    """
    Average how far each part of a fusion decided the rows; empty where the result says nothing of it.

    Examples
    --------
    >>> said = {"weight:face": [1.0, 0.5], "weight:body": [0.0, 0.5]}
    >>> mean_weights(Result("recognition", "x", {}, {}, {}, {}, 0, said, {}, (), {}, {}))
    {'face': 0.75, 'body': 0.25}
    """
    named = {k.removeprefix("weight:"): v for k, v in result.predictions.items() if k.startswith("weight:")}
    return {name: float(np.mean(np.asarray(values, dtype=np.float64))) for name, values in named.items()}


def left_out_table(results: Sequence[Result]) -> dict[str, list[LeftOut]]:
    """
    Compare each fusion with itself without one signal.

    Parameters
    ----------
    results
        Of a study; those without a signal name it in ``model["without"]``.

    Returns
    -------
    dict
        By title of the whole fusion: what it loses, the greatest loss first.
    """
    whole: Mapping[str, Result] = {r.title: r for r in results if r.task == "recognition" and not r.model.get("without")}
    made: dict[str, list[LeftOut]] = {}
    for result in results:
        signal = str(result.model.get("without") or "")
        title = result.title.removesuffix(f", without {signal}")
        if signal and title in whole:
            loss = compare([whole[title]], [result])
            made.setdefault(title, []).append(LeftOut(signal, result.score("UF1").value, loss))
    return {title: sorted(rows, key=lambda row: -row.loss.value) for title, rows in made.items()}
