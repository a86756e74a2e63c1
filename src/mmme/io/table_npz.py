"""Feature tables on disk: one ``.npz`` per table, written whole or not at all."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import numpy as np

from mmme.errors import DataError, raise_faults
from mmme.types import FeatureTable

__all__ = ["read_table", "write_table"]

_KEYS = ("X", "columns", "trial_ids", "subjects", "stimuli", "labels", "reason", "reasons", "strata", "origin")


def write_table(table: FeatureTable, path: Path) -> None:
    """
    Write a feature table.

    Parameters
    ----------
    table
        Any table, two-dimensional or tensor.
    path
        Ends in ``.npz``; an existing file is replaced only once the new one is complete.

    Examples
    --------
    >>> import tempfile
    >>> t = FeatureTable.build(np.ones((1, 1)), ["hr"], ["a"], ["S1"], ["v"], ["pos"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_table(t, Path(folder) / "t.npz")
    ...     read_table(Path(folder) / "t.npz").columns
    ('hr',)
    """
    temporary = path.with_name(f".{path.name}.partial")
    with temporary.open("wb") as file:
        np.savez(
            file,
            X=table.X,
            columns=np.array(table.columns, dtype=np.str_),
            trial_ids=np.array(table.trial_ids, dtype=np.str_),
            subjects=table.subjects,
            stimuli=table.stimuli,
            labels=table.labels,
            reason=table.reason,
            reasons=np.array(table.reasons, dtype=np.str_),
            strata=json.dumps({k: v.tolist() for k, v in table.strata.items()}),
            origin=json.dumps(dict(table.origin)),
        )
    os.replace(temporary, path)  # noqa: PTH105 - atomic on every platform


def read_table(path: Path) -> FeatureTable:
    """
    Read a feature table that `write_table` wrote.

    Parameters
    ----------
    path
        The ``.npz`` file.

    Raises
    ------
    DataError
        If the file is missing, is no ``.npz``, or lacks a key.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            missing = [key for key in _KEYS if key not in archive.files]
            raise_faults(str(path), [f"expected a key '{key}', got {', '.join(archive.files)}" for key in missing])
            return FeatureTable.build(
                archive["X"],
                archive["columns"].tolist(),
                archive["trial_ids"].tolist(),
                archive["subjects"].tolist(),
                archive["stimuli"].tolist(),
                archive["labels"].tolist(),
                reason=archive["reason"],
                reasons=archive["reasons"].tolist(),
                strata=json.loads(str(archive["strata"])),
                origin=json.loads(str(archive["origin"])),
            )
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected a feature table, got no file") from error
    except (zipfile.BadZipFile, ValueError, OSError, EOFError) as error:
        raise DataError(f"{path}: expected a feature table (.npz), got {error}; was it written completely?") from error
