"""Which columns of a matrix belong to which modality, which rows have it, and what is said of those that do not."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from mmme.errors import ConfigError, ProtocolError, raise_faults

__all__ = [
    "Columns",
    "by_leaving_out",
    "checked",
    "columns_of",
    "fitted",
    "learnable",
    "note",
    "presence",
    "reduced",
    "seeded",
    "trust",
    "trusted_only",
    "without_one",
]

#: By modality: positions of its columns.
Columns = Mapping[str, Sequence[int] | NDArray[np.intp]]


def columns_of(columns: Columns, name: str) -> NDArray[np.intp]:
    """Positions of a modality's columns as an array."""
    return np.asarray(columns[name], dtype=np.intp)


def checked(
    where: str,
    X: ArrayLike,
    columns: Columns,
    *,
    names: Sequence[str] | None = None,
    weights: Mapping[str, float] | None = None,
    quality: Mapping[str, Sequence[int]] | None = None,
) -> NDArray[Any]:
    """
    Return the matrix when columns, weights and quality fit it and each other.

    Raises
    ------
    ConfigError
        With all faults at once.
    """
    X = np.asarray(X)
    names = list(columns) if names is None else list(names)
    faults = []
    if not names:
        faults.append("expected at least one modality, got none")
    if sorted(names) != sorted(columns):
        faults.append(f"expected columns for {', '.join(sorted(names))}, got them for {', '.join(sorted(columns))}")
    if X.ndim != 2:
        faults.append(f"expected X of shape (n_samples, n_features), got {X.shape}")
    else:
        for name in columns:
            positions = columns_of(columns, name)
            if not positions.size or positions.min() < 0 or positions.max() >= X.shape[1]:
                faults.append(f"columns of {name}: expected positions from 0 to {X.shape[1] - 1}, got {positions.tolist()}")
    if weights is not None and (sorted(weights) != sorted(names) or min(weights.values(), default=1.0) <= 0):
        faults.append(f"weights: expected one above 0 for each of {', '.join(sorted(names))}, got {dict(weights)}")
    for name, told in (quality or {}).items():
        if name not in names or not len(told) or X.ndim != 2 or not 0 <= min(told) <= max(told) < X.shape[1]:
            faults.append(f"quality: expected a modality and positions of its columns, got {name}: {list(told)}")
    raise_faults(where, faults, error=ConfigError)
    return X


def presence(X: NDArray[Any], columns: Columns, names: Sequence[str]) -> NDArray[np.bool_]:
    """Tell which rows have any value of each modality, ``(n_samples, n_modalities)``."""
    return np.stack([~np.isnan(X[:, columns_of(columns, name)]).all(axis=1) for name in names], axis=1)


def trust(X: NDArray[Any], names: Sequence[str], quality: Mapping[str, Sequence[int]] | None) -> NDArray[np.float64]:
    """Mean quality of each modality in each row, ``(n_samples, n_modalities)``; 1 where no quality is given."""
    share = np.ones((len(X), len(names)))
    for m, name in enumerate(names):
        if quality and name in quality:
            told = X[:, list(quality[name])].astype(np.float64)
            known = np.isfinite(told)
            total = np.where(known, np.clip(told, 0.0, 1.0), 0.0).sum(axis=1)
            share[:, m] = total / np.maximum(known.sum(axis=1), 1)
    return share


def trusted_only(
    X: NDArray[Any], columns: Columns, quality: Mapping[str, Sequence[int]] | None
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the matrix and which modalities each row has; one of quality 0 is not there."""
    names = list(columns)
    return X, presence(X, columns, names) & (trust(X, names, quality) > 0)


def by_leaving_out(
    proba: Callable[[NDArray[np.bool_]], NDArray[np.float64]], there: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """
    Weigh modalities by how far the probabilities move when each is taken away; rows sum to 1, or 0 without any.

    Parameters
    ----------
    proba
        From which modalities are there ``(n_samples, n_modalities)`` to probabilities.
    there : (n_samples, n_modalities)
        As it is.

    Examples
    --------
    >>> there = np.array([[True, True], [True, False]])
    >>> by_leaving_out(lambda left: np.stack([left[:, 0], 1.0 - left[:, 0]], axis=1), there).tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    whole, moved = proba(there), np.zeros(there.shape)
    for m in range(there.shape[1]):
        left = there.copy()
        left[:, m] = False
        moved[:, m] = np.abs(whole - proba(left)).sum(axis=1) * there[:, m]
    total = moved.sum(axis=1, keepdims=True)
    moved = np.where(total > 0, moved, there)
    return np.asarray(moved / np.maximum(moved.sum(axis=1, keepdims=True), np.finfo(float).tiny))


def seeded(estimator: Any, random_state: int | None) -> Any:
    """Clone an estimator and give the seed, when there is one, to every ``random_state`` in it."""
    model = clone(estimator)
    if random_state is not None:
        names = [k for k in model.get_params() if k == "random_state" or k.endswith("__random_state")]
        model.set_params(**dict.fromkeys(names, random_state))
    return model


def fitted(model: Any, X: NDArray[Any], y: NDArray[Any], groups: NDArray[Any] | None) -> Any:
    """Fit in place; subjects go along where fit asks for them."""
    if groups is not None and "groups" in inspect.signature(model.fit).parameters:
        return model.fit(X, y, groups=groups)
    return model.fit(X, y)


def learnable(where: str, y: NDArray[Any], there: NDArray[np.bool_], names: Sequence[str]) -> None:
    """Raise `ProtocolError` when a modality is missing in all training rows of all but one class."""
    for m, name in enumerate(names):
        n_classes = len(np.unique(y[there[:, m]]))
        if n_classes < 2:
            raise ProtocolError(
                f"{where}: expected {name} in training rows of at least 2 classes, got it in {int(there[:, m].sum())} of "
                f"{len(y)} rows of {n_classes} classes; leave the modality out"
            )


def reduced(by_modality: Mapping[str, Any] | None, modality: str) -> dict[str, Any] | None:
    """Return what is left of a mapping by modality without one of them."""
    return None if by_modality is None else {k: v for k, v in by_modality.items() if k != modality}


def without_one(where: str, columns: Columns, modality: str) -> None:
    """Raise `ConfigError` when a modality cannot be left out, because it is not there or nothing would remain."""
    if modality not in columns or len(columns) < 2:
        raise ConfigError(
            f"{where}: expected one of several modalities to leave out ({', '.join(columns)}), got '{modality}'"
        )


def note(there: NDArray[np.bool_], names: Sequence[str], done: str) -> str:
    """
    Say in one sentence which modalities are missing where, and what was done.

    Parameters
    ----------
    there : (n_samples, n_modalities)
        Of `presence`.
    names
        Of the modalities.
    done
        What is done with a row in which some are missing.

    Returns
    -------
    str
        Empty when nothing is missing.

    Examples
    --------
    >>> note(np.array([[True, False], [True, True], [False, False]]), ["face", "body"], "decided by the others")
    '3 rows: face missing in 1, body in 2: decided by the others; 1 without any: shares of the training classes'
    """
    if there.all():
        return ""
    lost = [(name, int((~there[:, m]).sum())) for m, name in enumerate(names) if not there[:, m].all()]
    parts = [f"{name} missing in {n}" if k == 0 else f"{name} in {n}" for k, (name, n) in enumerate(lost)]
    silent = int((~there.any(axis=1)).sum())
    last = f"; {silent} without any: shares of the training classes" if silent else ""
    return f"{len(there)} rows: {', '.join(parts)}: {done}{last}"
