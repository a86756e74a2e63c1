"""
A recogniser: fitted classifiers of one or several modalities, how they decide together, and where their rows lay.

It is fitted on all subjects, written to one folder (safetensors and JSON, nothing pickled), and applied to rows of others.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from mmme.errors import ConfigError, DataError, ProtocolError, raise_faults
from mmme.models import stored
from mmme.models.catalogue import takes
from mmme.models.fusion import LateFusion, saved
from mmme.models.outside import Reference, condensed, reference
from mmme.types import FeatureTable

__all__ = ["Input", "Recogniser", "fit_recogniser", "load_recogniser", "save_recogniser"]

FORMAT = "mmme-recogniser"
VERSION = 1
HEAD = "model.json"
_REFERENCE = ("fill", "mean", "scale", "axes", "variance")

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
    references, medians = {}, {}
    for name in models:
        has = empty.there(X, name)
        own = X[has][:, empty.places(name)].astype(np.float64)
        references[name] = reference(condensed(own, inputs[name].shape), first.subjects[has])
        missing = np.isnan(own).all(axis=0)
        medians[name] = np.nanmedian(np.where(missing, 0.0, own), axis=0)
    return Recogniser(fusion, MappingProxyType(inputs), references, medians, dict(about or {}))


def _part_arrays(model: Any, name: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Arrays and words of one classifier."""
    if isinstance(model, stored.StoredClassifier):
        raise ConfigError(f"{name}: expected a recogniser as fitted to write, got one that was read; copy its folder")
    if not hasattr(model, "module_"):
        arrays, words = stored.to_arrays(model)
        return arrays, {"what": "classical", **words}
    from mmme.models.deep.saved import to_arrays

    arrays, words = to_arrays(model)
    return arrays, {"what": "network", **words}


def save_recogniser(folder: str | Path, recogniser: Recogniser, *, overwrite: bool = False) -> Path:
    """
    Write a recogniser as one folder, whole or not at all.

    Parameters
    ----------
    folder
        To be made.
    recogniser
        From `fit_recogniser`.
    overwrite
        Whether a stored model that lies there is replaced.

    Raises
    ------
    ConfigError
        If the folder exists, or a classifier cannot be stored.
    """
    from safetensors.numpy import save

    folder = Path(folder)
    if folder.exists() and not overwrite:
        raise ConfigError(f"{folder}: expected a folder that does not exist, got one; name another or use --overwrite")
    if folder.exists() and not (folder / HEAD).is_file():
        raise ConfigError(f"{folder}: expected a stored model to replace, got something else; name another folder")
    contents: dict[str, bytes] = {}
    parts: dict[str, Any] = {}
    for name, model in recogniser.fusion.estimators_.items():
        arrays, words = _part_arrays(model, name)
        known = recogniser.references[name]
        whole = {f"model.{k}": v for k, v in arrays.items()}
        whole |= {f"reference.{k}": np.asarray(getattr(known, k), dtype=np.float64) for k in _REFERENCE}
        whole |= {"median": np.asarray(recogniser.medians[name], dtype=np.float64)}
        contents[f"{name}.safetensors"] = save({k: np.ascontiguousarray(v) for k, v in whole.items()})
        parts[name] = {**words, "reference": {"rest": known.rest, "threshold": known.threshold}}
    arrays, fusion = saved.to_arrays(recogniser.fusion)
    contents["fusion.safetensors"] = save(arrays)
    head = {
        "format": FORMAT,
        "version": VERSION,
        "classes": list(recogniser.classes),
        "holds_training_rows": recogniser.holds_training_rows,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
        "inputs": {
            n: {"columns": list(i.columns), "shape": list(i.shape), "model": i.model} for n, i in recogniser.inputs.items()
        },
        "parts": parts,
        "fusion": fusion,
        "about": dict(recogniser.about),
    }
    contents[HEAD] = (json.dumps(head, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    _publish(folder, contents)
    return folder


def _publish(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files to a temporary folder and rename it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, content in contents.items():
            (new / name).write_bytes(content)
        new.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        new.rename(folder)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def load_recogniser(folder: str | Path) -> Recogniser:
    """
    Read a recogniser; every file is compared with its hash first.

    Raises
    ------
    DataError
        If the folder or a file is missing, damaged, foreign, or of another version of the format; with its name.
    """
    folder = Path(folder)
    head = _head(folder)
    try:
        arrays = {name: _arrays(folder, name, digest) for name, digest in head["files"].items()}
        parts, references, medians = {}, {}, {}
        for name, words in head["parts"].items():
            own = arrays[f"{name}.safetensors"]
            inner = {k.removeprefix("model."): v for k, v in own.items() if k.startswith("model.")}
            parts[name] = _model(inner, words, f"{folder / name}.safetensors")
            limits = words["reference"]
            references[name] = Reference(
                **{k: own[f"reference.{k}"] for k in _REFERENCE}, rest=limits["rest"], threshold=limits["threshold"]
            )
            medians[name] = own["median"]
        fusion = saved.from_arrays(arrays["fusion.safetensors"], head["fusion"], parts, where=str(folder))
        inputs = {n: Input(tuple(i["columns"]), tuple(i["shape"]), i["model"]) for n, i in head["inputs"].items()}
        return Recogniser(fusion, inputs, references, medians, head["about"])
    except (KeyError, TypeError) as error:
        raise DataError(f"{folder / HEAD}: expected a complete model, got none of {error}; train it again") from error


def _head(folder: Path) -> dict[str, Any]:
    """Read the words of a model."""
    path = folder / HEAD
    try:
        head = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise DataError(f"{folder}: expected a model folder with {HEAD}, got none; `mmme train` makes one") from None
    except ValueError as error:
        raise DataError(f"{path}: expected JSON, got {error}; train it again") from None
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise DataError(f"{path}: expected format '{FORMAT}', got another; the file is foreign")
    if head.get("version") != VERSION:
        raise DataError(f"{path}: expected version {VERSION}, got {head.get('version')}; update mmme or train again")
    return head


def _arrays(folder: Path, name: str, digest: str) -> dict[str, NDArray[Any]]:
    """Read the arrays of one file whose bytes are those that were written."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path = folder / Path(name).name
    try:
        content = path.read_bytes()
    except OSError:
        raise DataError(f"{path}: expected a file of the model, got none; was the folder copied completely?") from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise DataError(f"{path}: expected the bytes that were written (SHA-256), got others; was it cut short or changed?")
    try:
        return dict(load(content))
    except SafetensorError as error:
        raise DataError(f"{path}: expected safetensors, got {error}; train it again") from None


def _model(arrays: Mapping[str, NDArray[Any]], words: Mapping[str, Any], where: str) -> Any:
    """Build one classifier from its arrays."""
    if words["what"] == "classical":
        return stored.from_arrays(arrays, words, where=where)
    try:
        from mmme.models.deep.saved import from_arrays
    except ImportError:
        raise ConfigError(
            f"{where}: expected PyTorch for a network, got none; install mmme with the extra 'deep'"
        ) from None
    return from_arrays(arrays, words)
