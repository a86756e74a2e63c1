"""
Feature tables kept under the hash of what they were made from, shared by all workers.

An entry is a folder ``<first two digits>/<key>/``: ``X.npy`` and ``reason.npy`` (read by memory map), ``rows.parquet`` (one
line per row: its name, subject, stimulus, label and strata) and ``table.json`` (columns, reasons, what it was made from).
The key is the SHA-256 of inputs, parameters and code, so that an entry never changes: it is there, whole, or it is not.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmme.errors import DataError
from mmme.types import FeatureTable

__all__ = ["FeatureStore", "StoredTable", "content_key"]

_ROWS = ("trial_id", "subject", "stimulus", "label")
_STRATUM = "stratum "


def content_key(made_from: Mapping[str, Any]) -> str:
    """
    Hash what a table is made from.

    Parameters
    ----------
    made_from
        Anything that JSON can hold: hashes of inputs, parameters, versions. The order of keys does not matter.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> content_key({"a": 1, "b": [2.5]}) == content_key({"b": [2.5], "a": 1})
    True
    >>> content_key({"a": 1})[:8]
    '015abd7f'
    """
    text = json.dumps(made_from, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class StoredTable:
    """
    What is known of an entry without reading its values.

    Parameters
    ----------
    key
        Under which it is kept.
    shape
        Of ``X``.
    n_bytes
        On disk.
    made_from
        As given when it was published.
    """

    key: str
    shape: tuple[int, ...]
    n_bytes: int
    made_from: Mapping[str, Any]


class FeatureStore:
    """
    A folder of tables, each under the hash of what it was made from.

    Any number of processes may read and publish at once: what two publish under one key is the same, and the first wins.

    Parameters
    ----------
    folder
        Made when the first table is published.

    Examples
    --------
    >>> import tempfile
    >>> table = FeatureTable.build([[60.0]], ["hr_bpm"], ["S01-101"], ["S01"], ["sad-1"], ["sad"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = FeatureStore(Path(folder))
    ...     key = store.publish(table, {"signal": "ecg"})
    ...     store.read(key).X.tolist()
    [[60.0]]
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self, key: str) -> Path:
        """Return where an entry is, or would be."""
        return self.folder / key[:2] / key

    def __contains__(self, key: object) -> bool:
        """Tell whether a table is kept under that key."""
        return isinstance(key, str) and (self.place(key) / "table.json").exists()

    def publish(self, table: FeatureTable, made_from: Mapping[str, Any]) -> str:
        """
        Keep a table; it appears whole, or not at all.

        Parameters
        ----------
        table
            Two-dimensional or tensor.
        made_from
            What it was made from; its hash is the key.

        Returns
        -------
        str
            The key. Where it is kept already, nothing is written.
        """
        key = content_key(made_from)
        if key in self:
            return key
        target = self.place(key)
        partial = self.folder / f".{key[:16]}-{uuid.uuid4().hex}.partial"
        partial.mkdir(parents=True)
        try:
            np.save(partial / "X.npy", np.ascontiguousarray(table.X))
            np.save(partial / "reason.npy", np.ascontiguousarray(table.reason))
            _rows(table).to_parquet(partial / "rows.parquet", engine="pyarrow", index=False)
            content = {
                "made_from": made_from,
                "shape": table.X.shape,
                "columns": table.columns,
                "reasons": table.reasons,
                "origin": dict(table.origin),
            }
            (partial / "table.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
            target.parent.mkdir(exist_ok=True)
            partial.rename(target)
        except OSError:
            if key not in self:
                raise
        finally:  # another worker was first, or something failed
            shutil.rmtree(partial, ignore_errors=True)
        return key

    def read(self, key: str) -> FeatureTable:
        """
        Open a table; its values stay on disk until they are used.

        Parameters
        ----------
        key
            From `publish`.

        Raises
        ------
        DataError
            If there is no such entry, or a file of it is missing or damaged.
        """
        place = self.place(key)
        if key not in self:
            raise DataError(f"feature store: expected a table under {key[:16]}, got none; describe the study again")
        try:
            content = json.loads((place / "table.json").read_text(encoding="utf-8"))
            rows = pd.read_parquet(place / "rows.parquet", engine="pyarrow")
            return FeatureTable.build(
                np.load(place / "X.npy", mmap_mode="r"),
                content["columns"],
                *(rows[name].tolist() for name in _ROWS),
                reason=np.load(place / "reason.npy", mmap_mode="r"),
                reasons=content["reasons"],
                strata={c.removeprefix(_STRATUM): rows[c].tolist() for c in rows.columns if c.startswith(_STRATUM)},
                origin=content["origin"],
            )
        except (OSError, ValueError, KeyError) as error:
            raise DataError(
                f"feature store: expected a whole table under {key[:16]}, got one that cannot be read "
                f"({type(error).__name__}); delete that folder and describe the study again"
            ) from error

    def entries(self) -> Iterator[StoredTable]:
        """List what is kept, in the order of the keys."""
        for path in sorted(self.folder.glob("??/*/table.json")):
            content = json.loads(path.read_text(encoding="utf-8"))
            n_bytes = sum(os.path.getsize(p) for p in path.parent.iterdir())  # noqa: PTH202 - one call per file
            yield StoredTable(path.parent.name, tuple(content["shape"]), n_bytes, content["made_from"])

    def prune(self, keep: Collection[str]) -> tuple[int, int]:
        """
        Delete all entries but some, and what interrupted workers left half-written.

        Parameters
        ----------
        keep
            Keys that are still needed.

        Returns
        -------
        n_entries, n_bytes
            What was deleted.
        """
        gone = [entry for entry in self.entries() if entry.key not in keep]
        for entry in gone:
            shutil.rmtree(self.place(entry.key))
        for partial in self.folder.glob(".*.partial"):
            shutil.rmtree(partial, ignore_errors=True)
        return len(gone), sum(entry.n_bytes for entry in gone)


def _rows(table: FeatureTable) -> pd.DataFrame:
    """One line per row."""
    columns: dict[str, Any] = {
        "trial_id": list(table.trial_ids),
        "subject": table.subjects.tolist(),
        "stimulus": table.stimuli.tolist(),
        "label": table.labels.tolist(),
    }
    columns |= {f"{_STRATUM}{name}": values.tolist() for name, values in table.strata.items()}
    return pd.DataFrame(columns, dtype="object")
