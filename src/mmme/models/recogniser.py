"""
A recogniser: fitted classifiers of one or several modalities, how they decide together, and where their rows lay.

It is fitted on all subjects, written to one folder (`mmme.models.recogniser_files`), and applied to rows of others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from mmme.errors import ConfigError, ProtocolError, raise_faults
from mmme.models import stored
from mmme.models.catalogue import takes
from mmme.models.fusion import LateFusion
from mmme.models.fusion.opinions import LEAST
from mmme.models.outside import Reference, condensed, reference
from mmme.types import FeatureTable

__all__ = ["Input", "Recogniser", "fit_recogniser"]


Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Input:
    """
    What a recogniser takes of one table.

    Parameters
    ----------
    columns
        Names in order; empty for tensors.
    shape
        Of one row.
    model
        Name of the classifier; empty for a table that only says how far another can be trusted.
    """

    columns: tuple[str, ...]
    shape: tuple[int, ...]
    model: str = ""

    @property
    def size(self) -> int:
        """Values of one row."""
        return int(np.prod(self.shape))


@dataclass(frozen=True, eq=False)
class Recogniser:
    """
    Fitted classifiers with what is needed to apply them to others' rows.

    Parameters
    ----------
    fusion
        Fitted; a single modality is fused with nothing, which calibrates it.
    inputs
        By table, in the order in which their values stand side by side.
    references
        By modality, where its training rows lay.
    medians
        By modality, median of each value over the training rows.
    about
        What else is known: classes' origin, run configuration, sampling of the training videos.
    """

    fusion: LateFusion
    inputs: Mapping[str, Input]
    references: Mapping[str, Reference]
    medians: Mapping[str, Floats]
    about: Mapping[str, Any]

    @property
    def parts(self) -> tuple[str, ...]:
        """Modalities that decide."""
        return tuple(self.fusion.estimators_)

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes in the order of columns of probabilities."""
        return tuple(str(c) for c in self.fusion.classes_)

    def places(self, name: str) -> slice:
        """Where the values of a table stand."""
        start = 0
        for other, taken in self.inputs.items():
            if other == name:
                return slice(start, start + taken.size)
            start += taken.size
        raise ConfigError(f"recogniser: expected one of {', '.join(self.inputs)}, got '{name}'")

    def rows(self, tables: Mapping[str, FeatureTable]) -> NDArray[np.float32]:
        """
        Put the values of tables side by side, ``(n, n_values)``.

        Raises
        ------
        DataError
            If a table is missing, or has other columns or rows of another shape than in training.
        """
        faults = []
        for name, taken in self.inputs.items():
            table = tables.get(name)
            if table is None:
                faults.append(f"expected the table '{name}', got none")
            elif table.columns != taken.columns or tuple(table.X.shape[1:]) != taken.shape:
                known = set(taken.columns)
                other = [c for c in table.columns if c not in known][:3]
                faults.append(
                    f"{name}: expected rows of shape {taken.shape} with the columns of the training, got "
                    f"{tuple(table.X.shape[1:])}{' with ' + ', '.join(other) if other else ''}; same version of mmme?"
                )
        raise_faults("recogniser", faults)
        return np.concatenate([tables[n].X.reshape(len(tables[n]), -1) for n in self.inputs], axis=1).astype(np.float32)

    def there(self, X: NDArray[Any], part: str) -> NDArray[np.bool_]:
        """Which rows have any value of a modality."""
        return ~np.isnan(X[:, self.places(part)]).all(axis=1)

    def distances(self, X: NDArray[Any]) -> dict[str, Floats]:
        """Distance of each row from the training rows, by modality; NaN where the modality is missing."""
        found = {}
        for part in self.parts:
            has, taken = self.there(X, part), self.inputs[part]
            found[part] = np.full(len(X), np.nan)
            if has.any():
                rows = condensed(X[has][:, self.places(part)], taken.shape)
                found[part][has] = self.references[part].distance(rows)
        return found

    def supported(self, proba: NDArray[np.float64]) -> Floats:
        """
        Draw probabilities to chance by as much as n training rows leave open, ``(n p + 1) / (n + n_classes)``.

        Calibration on few rows that were all right would else claim certainty. The order of classes stays.
        """
        n = int(self.about.get("rows", {}).get("n", 0))
        return np.asarray((n * proba + 1) / (n + proba.shape[-1]))

    @property
    def median(self) -> Floats:
        """Median of each value over the training rows, side by side; NaN for tables that only tell trust."""
        return np.concatenate([self.medians.get(n, np.full(taken.size, np.nan)) for n, taken in self.inputs.items()])

    @property
    def holds_training_rows(self) -> bool:
        """Whether the arrays hold rows of training subjects, as a support vector machine's do."""
        return any(_kind(model) == "svc" for model in self.fusion.estimators_.values())


def _kind(model: Any) -> str:
    if isinstance(model, stored.StoredClassifier):
        return model.kind
    return "network" if hasattr(model, "module_") else str(stored.to_arrays(model)[1]["kind"])


def fit_recogniser(
    tables: Mapping[str, FeatureTable],
    models: Mapping[str, Any],
    names: Mapping[str, str],
    *,
    rule: str = "product",
    seed: int = 0,
    about: Mapping[str, Any] | None = None,
) -> Recogniser:
    """
    Fit classifiers on all rows, calibrate them on held-out training subjects, and learn where rows lie.

    Parameters
    ----------
    tables
        By modality, with the same rows; beside ``body`` its ``body-quality`` may stand, by which the fusion weighs it.
    models
        Unfitted, by modality.
    names
        Of the models, by modality.
    rule
        Of `mmme.models.fusion.LateFusion`.
    seed
        Of everything random.
    about
        Kept beside it.

    Raises
    ------
    ProtocolError
        With fewer than 3 subjects, or where a modality cannot be learned or calibrated.

    Examples
    --------
    >>> from mmme.models.classical import make_model
    >>> rng, y = np.random.default_rng(0), ["neg", "pos"] * 9
    >>> X = rng.normal(size=(18, 2)) + 3 * (np.array(y) == "pos")[:, None]
    >>> face = FeatureTable.build(X, ["a", "b"], [f"r{k}" for k in range(18)], ["S1", "S2", "S3"] * 6, ["v"] * 18, y)
    >>> fitted = fit_recogniser({"face": face}, {"face": make_model("ridge")}, {"face": "ridge"})
    >>> fitted.fusion.predict([[3.0, 3.0]]).tolist(), fitted.holds_training_rows
    (['pos'], False)
    """
    first = next(iter(tables.values()))
    if len(np.unique(first.subjects)) < 3:
        n = len(np.unique(first.subjects))
        raise ProtocolError(f"training: expected at least 3 subjects to hold out by turns, got {n}; record more")
    inputs = {n: Input(t.columns, tuple(t.X.shape[1:]), names.get(n, "")) for n, t in tables.items()}
    empty = Recogniser(LateFusion({}, {}), inputs, {}, {}, {})
    X = empty.rows(tables)
    columns = {n: np.arange(empty.places(n).start, empty.places(n).stop) for n in models}
    quality = {
        n: [empty.places(f"{n}-quality").start + k for k, c in enumerate(tables[f"{n}-quality"].columns) if "_quality" in c]
        for n in models
        if f"{n}-quality" in tables
    }
    parts = {}
    for name, model in models.items():
        parts[name] = clone(model)
        if takes(names[name]) != "columns":
            parts[name].set_params(shape=inputs[name].shape)
    fusion = LateFusion(parts, columns, quality=quality or None, calibrate=True, rule=rule, random_state=seed)
    fusion.fit(X, first.labels, groups=first.subjects)
    if rule in ("product", "mean"):  # the others have learned from opinions at their own temperatures
        _not_colder_than_rows_allow(fusion, X)
    references, medians = {}, {}
    for name in models:
        has = empty.there(X, name)
        own = X[has][:, empty.places(name)].astype(np.float64)
        references[name] = reference(condensed(own, inputs[name].shape), first.subjects[has])
        missing = np.isnan(own).all(axis=0)
        medians[name] = np.nanmedian(np.where(missing, 0.0, own), axis=0)
    return Recogniser(fusion, MappingProxyType(inputs), references, medians, dict(about or {}))


def _not_colder_than_rows_allow(fusion: LateFusion, X: NDArray[np.float32]) -> None:
    """
    Raise temperatures at which the usual training row would be surer than its modality's number of rows can show.

    Where held-out rows were all right, the likelihood asks for ever lower temperatures: every probability is then 1, and
    nothing that is hidden changes it. The bound is where the median row has the odds of n + 1 rows to one.
    """
    heat = np.array(list(fusion.temperatures_.values()))
    fusion.restored(fusion.estimators_, fusion.classes_, fusion.prior_, np.ones_like(heat), fusion.rule_)
    for m, said in enumerate(fusion.alone(X).values()):
        known = np.log(np.clip(said[~np.isnan(said).any(axis=1)], LEAST, 1))
        if len(known):
            top = np.sort(known, axis=1)
            margin = float(np.median(top[:, -1] - top[:, -2]))
            heat[m] = max(heat[m], margin / np.log((len(known) + 1) / (known.shape[1] - 1)))
    fusion.restored(fusion.estimators_, fusion.classes_, fusion.prior_, heat, fusion.rule_)
