"""What is given to an evaluation: one table and one estimator, from tables by modality and models by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mmme import evaluate
from mmme.config import RunConfig
from mmme.errors import ProtocolError
from mmme.models.catalogue import NETWORKS_TAKE, make_model
from mmme.models.fusion import LateFusion, make_fusion
from mmme.study.modalities import by_signal, only_columns, signal_of
from mmme.types import FeatureTable

__all__ = ["Assembled", "assembled", "flat", "joined", "model_facts", "model_of", "way_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Assembled:
    """
    One table and one estimator.

    Parameters
    ----------
    table
        All modalities side by side.
    estimator
        Unfitted.
    classifiers
        Name of the model of each part.
    empty
        Signals without any value, which a hierarchical fusion leaves out.
    """

    table: FeatureTable
    estimator: Any
    classifiers: Mapping[str, str]
    empty: tuple[str, ...] = ()


def _filled(tables: Mapping[str, FeatureTable]) -> Mapping[str, FeatureTable]:
    """Refuse a modality without a single value, which imputation would make up."""
    for name, table in tables.items():
        if not table.valid.any():
            reasons = ", ".join(sorted(r for r in table.reasons if r)) or "no rows"
            raise ProtocolError(f"{name}: expected at least one value, got none ({reasons}); leave the modality out")
    return tables


def joined(tables: Mapping[str, FeatureTable]) -> FeatureTable:
    """Put all columns side by side."""
    tables = _filled(tables)
    first, *others = tables.values()
    for table in others:
        first = first.joined(table)
    return first


def model_of(name: str, config: RunConfig) -> Any:
    """Build a model by name, networks with what the run file asks of their training."""
    if name not in NETWORKS_TAKE:
        return make_model(name, random_state=config.seed)
    asked: dict[str, Any] = {
        "epochs": config.network.epochs,
        "learning_rate": config.network.learning_rate,
        "batch_size": config.network.batch_size,
        "class_weights": config.network.class_weights,
        "focal_gamma": config.network.focal_gamma,
        "balanced_sampling": config.network.balanced_sampling,
        "label_smoothing": config.network.label_smoothing,
        "mirror": config.network.mirror,
    }
    return make_model(name, {k: v for k, v in asked.items() if v}, random_state=config.seed)


def flat(table: FeatureTable, name: str) -> FeatureTable:
    """Return a table whose rows are vectors; a tensor's values are named by its own name and their number."""
    if table.X.ndim == 2:
        return table
    X = table.X.reshape(len(table), -1)
    reason = np.repeat(table.reason[:, None], X.shape[1], axis=1)
    return replace(table, X=X, columns=tuple(f"{name} value {k}" for k in range(X.shape[1])), reason=reason)


def _without(tables: Mapping[str, FeatureTable], signal: str) -> dict[str, FeatureTable]:
    """Leave one signal's columns out of the body's table."""
    if not signal:
        return dict(tables)
    body = tables["body"]
    return {**tables, "body": only_columns(body, [k for k, c in enumerate(body.columns) if signal_of(c) != signal])}


def _lacks_rows(table: FeatureTable) -> bool:
    return bool(np.any(table.reason))


def _fusion(
    tables: Mapping[str, FeatureTable], together: FeatureTable, parts: Mapping[str, Any], fusion: str, seed: int
) -> Any:
    """Fuse one model per modality; a single network is fused with nothing, and rows without input get class shares."""
    ends = np.cumsum([int(np.prod(t.X.shape[1:])) for t in tables.values()]).tolist()
    sizes = (int(np.prod(t.X.shape[1:])) for t in tables.values())
    places = {n: list(range(end - size, end)) for n, end, size in zip(tables, ends, sizes, strict=True)}
    quality = {
        name: [i for i in places[f"{name}-quality"] if together.columns[i].endswith("_quality")]
        for name in parts
        if f"{name}-quality" in places
    }
    columns = {name: places[name] for name in parts}
    if not fusion:
        return LateFusion(parts, columns, random_state=seed)
    return make_fusion(fusion, parts, columns, seed, quality=quality or None)


def assembled(
    tables: Mapping[str, FeatureTable],
    classifiers: Mapping[str, str],
    config: RunConfig,
    *,
    title: str,
    fusion: str = "",
    without: str = "",
) -> Assembled:
    """
    Put together what an evaluation is given.

    Parameters
    ----------
    tables
        By modality, with the same rows; beside ``body`` its ``body-quality`` may stand.
    classifiers
        Of the one table, or one per modality.
    config
        Seed, and what is asked of networks.
    title
        For messages.
    fusion
        Name of a fusion where there are several modalities.
    without
        Signal of the body that is left out.

    Raises
    ------
    ProtocolError
        If a modality has no value at all, or a tensor shall be joined with columns.
    """
    seed = config.seed
    used = _without(tables, without)
    empty: list[str] = []
    if fusion == "hierarchical" and "body" in used:
        every = by_signal(used["body"])
        signals = {name: table for name, table in every.items() if table.valid.any()}
        empty = [name for name in every if name not in signals]
        classifiers = {k: v for k, v in classifiers.items() if k != "body"} | dict.fromkeys(signals, classifiers["body"])
        used = {k: v for k, v in used.items() if not k.startswith("body")} | signals
    parts = {name: model_of(model, config) for name, model in classifiers.items()}
    tensors = {name: table.X.shape[1:] for name, table in used.items() if table.X.ndim > 2}
    if not fusion and not (tensors and _lacks_rows(next(iter(used.values())))):
        table, estimator = next(iter(_filled(used).values())), next(iter(parts.values()))
    else:
        if fusion == "early" and tensors:
            raise ProtocolError(f"{title}: expected columns to join, got a tensor of {', '.join(tensors)}; fuse it late")
        for name, shape in tensors.items():
            parts[name if fusion else next(iter(parts))].set_params(shape=shape)
        table = joined({name: flat(table, name) for name, table in used.items()})
        if not fusion:
            parts = dict(zip(used, parts.values(), strict=True))
        estimator = _fusion(used, table, parts, fusion, seed)
    return Assembled(table, estimator, classifiers, tuple(empty))


def model_facts(tables: Mapping[str, FeatureTable], made: Assembled) -> dict[str, Any]:
    """Say in a Result what was assembled."""
    return {
        "name": " + ".join(made.classifiers.values()),
        "classifiers": dict(made.classifiers),
        "modalities": list(tables),
        "valid_share": {n: round(float(t.valid.mean()), 4) for n, t in tables.items()},
        "without_values": list(made.empty),
    }


def way_of(estimator: Any, table: FeatureTable, config: RunConfig) -> str:
    """Time how the folds of a network are trained sooner; nothing for others."""
    if not hasattr(estimator, "way_for"):
        return ""
    folds = evaluate.splits(table, config.recognition.protocol, seed=config.seed)
    return str(estimator.way_for(table.X, table.labels, [(fold.train, fold.test) for fold in folds]))
