"""
Targets beside classes of emotions: which action units a row shows, and ratings such as valence and arousal.

Action units of a study come from its coding. A table brings its own: stratum ``aus`` with the numbers a row shows, for
example ``4 7``, ``none`` where it was coded and shows none, and nothing where nobody coded it; strata ``valence`` and
``arousal`` with numbers. Rows without the target are left out, and the Result says how many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme import evaluate
from mmme.config import RunConfig
from mmme.errors import DataError, ProtocolError
from mmme.models.regression import make_regressor
from mmme.study.assembly import Assembled, assembled, flat, joined, model_facts
from mmme.types import FeatureTable, Result
from mmme.workers import Workers

__all__ = ["coded_in", "rated_in", "recognise_action_units", "recognise_ratings"]

Progress = Callable[[int, int], None] | None


def coded_in(table: FeatureTable) -> dict[str, tuple[int, ...]]:
    """
    Read the action units of the rows of a table, by row; rows that nobody coded are not there.

    Raises
    ------
    ProtocolError
        If the table has no stratum ``aus``.
    DataError
        If a row holds something else than numbers.
    """
    if "aus" not in table.strata:
        raise ProtocolError(
            "action units: expected a stratum 'aus' in the table, got none; a study brings its coding itself"
        )
    shown = {}
    for row, text in zip(table.trial_ids, table.strata["aus"].tolist(), strict=True):
        words = [] if text == "none" else text.split()
        if not all(word.isdecimal() for word in words):
            raise DataError(f"action units of row {row}: expected numbers with spaces between, or none, got '{text}'")
        if text:
            shown[row] = tuple(sorted({int(word) for word in words}))
    return shown


def rated_in(table: FeatureTable, name: str) -> NDArray[np.float64]:
    """
    Read the ratings of the rows of a table, NaN where there is none.

    Raises
    ------
    ProtocolError
        If the table has no such stratum.
    DataError
        If a row holds something else than a number.
    """
    if name not in table.strata:
        raise ProtocolError(f"{name}: expected a stratum '{name}' in the table, got none; imported studies keep no ratings")
    values = np.full(len(table), np.nan)
    for k, text in enumerate(table.strata[name].tolist()):
        try:
            values[k] = float(text) if text else np.nan
        except ValueError as error:
            raise DataError(f"{name} of row {table.trial_ids[k]}: expected a number, got '{text}'") from error
    return values


def recognise_action_units(
    tables: Mapping[str, FeatureTable],
    classifiers: Mapping[str, str],
    shown: Mapping[str, tuple[int, ...]],
    *,
    title: str,
    dataset: Mapping[str, Any],
    config: RunConfig,
    fusion: str = "",
    without: str = "",
    workers: Workers | None = None,
    progress: Progress = None,
) -> Result:
    """
    Evaluate the presence of action units.

    Parameters
    ----------
    tables, classifiers, title, dataset, fusion, without
        As in `mmme.study.evaluation.recognise`.
    shown
        Numbers of action units by row; a row that is absent was not coded.
    config
        The run file.
    workers, progress
        As in `mmme.evaluate.run_presence`.

    Returns
    -------
    Result
        Of task ``action-units``; ``model["rows_without_target"]`` counts the rows left out.
    """
    made = assembled(tables, classifiers, config, title=title, fusion=fusion, without=without)
    coded = np.array([row in shown for row in made.table.trial_ids])
    if not coded.any():
        raise ProtocolError(f"{title}: expected rows with coded action units, got none of {len(coded)}")
    table = made.table.rows(np.flatnonzero(coded))
    numbers = sorted({number for row in table.trial_ids for number in shown[row]})
    present = np.array([[number in shown[row] for number in numbers] for row in table.trial_ids], dtype=bool)
    return evaluate.run_presence(
        table,
        present.reshape(len(table), len(numbers)),
        [f"AU{number}" for number in numbers],
        made.estimator,
        config.recognition.protocol,
        least_subjects=config.rows.least_subjects,
        title=title,
        model={
            **model_facts(tables, made),
            "fusion": fusion,
            "without": without,
            "rows_without_target": int((~coded).sum()),
        },
        dataset=dataset,
        config={"run": config.model_dump(mode="json")},
        seed=config.seed,
        n_bootstrap=config.scores.n_bootstrap,
        n_permutations=config.scores.n_permutations,
        workers=workers,
        progress=progress,
    )


def recognise_ratings(
    tables: Mapping[str, FeatureTable],
    values: NDArray[np.float64],
    *,
    title: str,
    dataset: Mapping[str, Any],
    config: RunConfig,
    workers: Workers | None = None,
    progress: Progress = None,
) -> Result:
    """
    Evaluate a regressor of ratings on the columns of all tables, side by side.

    Parameters
    ----------
    tables, title, dataset
        As in `mmme.study.evaluation.recognise`.
    values : (n_rows,)
        Ratings; NaN where there is none.
    config
        The run file: ``rows.target`` names the rating, ``recognition.regressor`` the model.
    workers, progress
        As in `mmme.evaluate.run_ratings`.

    Returns
    -------
    Result
        Of task ``ratings``; ``model["rows_without_target"]`` counts the rows left out.
    """
    rated = np.isfinite(values)
    if not rated.any():
        raise ProtocolError(f"{title}: expected rows with {config.rows.target}, got none of {len(rated)}")
    together = joined({name: flat(table, name) for name, table in tables.items()})
    name = config.recognition.regressor
    made = Assembled(together, make_regressor(name, random_state=config.seed), dict.fromkeys(tables, name))
    return evaluate.run_ratings(
        together.rows(np.flatnonzero(rated)),
        values[rated],
        made.estimator,
        config.recognition.protocol,
        name=config.rows.target,
        title=title,
        model={**model_facts(tables, made), "rows_without_target": int((~rated).sum())},
        dataset=dataset,
        config={"run": config.model_dump(mode="json")},
        seed=config.seed,
        n_bootstrap=config.scores.n_bootstrap,
        n_permutations=config.scores.n_permutations,
        workers=workers,
        progress=progress,
    )
