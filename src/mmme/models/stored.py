"""
A fitted classical classifier as arrays and plain words, written with safetensors and JSON; nothing is pickled.

What is read back is not a scikit-learn object but the arithmetic of its prediction, from the stored numbers alone.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.pipeline import Pipeline

from mmme.errors import ConfigError, DataError
from mmme.models.classical import NestedChoice

__all__ = ["StoredClassifier", "from_arrays", "load_model", "save_model", "to_arrays"]

FORMAT = "mmme-model"
VERSION = 1

_LINEAR = ("logistic", "lda", "ridge")
_NEEDED = {
    "linear": ("coef", "intercept"),
    "svc": ("dual_coef", "intercept", "n_support", "support_vectors"),
    "forest": ("feature", "left", "right", "roots", "threshold", "value"),
}
_ALWAYS = ("fill", "mean", "scale")


@dataclass(frozen=True)
class StoredClassifier:
    """
    A classifier read from arrays; it predicts what the fitted one predicted.

    Attributes
    ----------
    classes_
        Classes in the order of the columns of probabilities.
    kind
        ``linear``, ``svc`` or ``forest``.
    arrays
        The numbers it predicts from.
    gamma
        Width of the kernel of ``svc``; None where it is linear.
    """

    classes_: NDArray[np.str_]
    kind: str
    arrays: Mapping[str, NDArray[Any]]
    gamma: float | None = None

    def _rows(self, X: ArrayLike) -> NDArray[np.float64]:
        rows, fill = np.asarray(X, dtype=np.float64), self.arrays["fill"]
        if rows.ndim != 2 or rows.shape[1] != len(fill):
            raise DataError(
                f"rows for a stored model: expected {len(fill)} columns, got shape {rows.shape}; "
                "describe them with the run configuration stored in the model"
            )
        return np.asarray((np.where(np.isnan(rows), fill, rows) - self.arrays["mean"]) / self.arrays["scale"])

    def _scores(self, X: ArrayLike) -> NDArray[np.float64]:
        """Decision values, one column per class."""
        rows, a = self._rows(X), self.arrays
        if self.kind == "linear":
            value = rows @ a["coef"].T + a["intercept"]
        else:
            value = _one_against_one(rows, a, self.gamma, len(self.classes_))
        return np.hstack([np.zeros_like(value), value]) if value.shape[1] == 1 else np.asarray(value)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Class probabilities as `mmme.models.classical.probabilities` gives; ``(n_samples, n_classes)``."""
        if self.kind == "forest":
            return _forest(self._rows(X), self.arrays)
        value = self._scores(X)
        value = np.exp(value - value.max(axis=1, keepdims=True))
        return np.asarray(value / value.sum(axis=1, keepdims=True))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Classes as the fitted model's ``predict`` gives; ``(n_samples,)``."""
        value = self.predict_proba(X) if self.kind == "forest" else self._scores(X)
        if self.kind == "svc" and len(self.classes_) > 2:
            value = np.round(value)  # SVC.predict takes the first of the classes with most votes, whatever the confidence
        return np.asarray(self.classes_[value.argmax(axis=1)])


def _one_against_one(
    rows: NDArray[np.float64], a: Mapping[str, NDArray[Any]], gamma: float | None, n_classes: int
) -> NDArray[np.float64]:
    """Votes of the pairs of classes, ties broken by summed confidence below half a vote, as scikit-learn's SVC has it."""
    vectors, dual = a["support_vectors"], a["dual_coef"]
    kernel = rows @ vectors.T
    if gamma is not None:
        square = (rows**2).sum(axis=1)[:, None] + (vectors**2).sum(axis=1)[None] - 2 * kernel
        kernel = np.exp(-gamma * np.maximum(square, 0))
    if n_classes == 2:
        return np.asarray(kernel @ dual.T + a["intercept"])
    stop = np.cumsum(a["n_support"])
    of = [slice(int(e - n), int(e)) for e, n in zip(stop, a["n_support"], strict=True)]
    votes, confidence = np.zeros((len(rows), n_classes)), np.zeros((len(rows), n_classes))
    pairs = [(i, j) for i in range(n_classes) for j in range(i + 1, n_classes)]
    for k, (i, j) in enumerate(pairs):
        value = kernel[:, of[i]] @ dual[j - 1, of[i]] + kernel[:, of[j]] @ dual[i, of[j]] + a["intercept"][k]
        confidence[:, i] += value
        confidence[:, j] -= value
        votes[:, i] += value >= 0
        votes[:, j] += value < 0
    return np.asarray(votes + confidence / (3 * (np.abs(confidence) + 1)))


def _forest(rows: NDArray[np.float64], a: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Mean over trees of the shares of classes in the leaf; trees compare in single precision."""
    single, total = rows.astype(np.float32), np.zeros((len(rows), a["value"].shape[1]))
    for root in a["roots"]:
        node = np.full(len(rows), root)
        while (inner := np.flatnonzero(a["left"][node] >= 0)).size:
            at = node[inner]
            goes_left = single[inner, a["feature"][at]] <= a["threshold"][at]
            node[inner] = np.where(goes_left, a["left"][at], a["right"][at])
        total += a["value"][node]
    return np.asarray(total / len(a["roots"]))


def to_arrays(model: Any) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """
    Take from a fitted classifier what its predictions need.

    Parameters
    ----------
    model
        Fitted, as `mmme.models.classical.make_model` builds it.

    Returns
    -------
    arrays, words
        Named numbers; kind, classes and kernel width, ready for JSON.

    Raises
    ------
    ConfigError
        If the model cannot be stored.

    Examples
    --------
    >>> from mmme.models.classical import make_model
    >>> fitted = make_model("ridge").fit([[0.0], [1.0]], ["a", "b"])
    >>> from_arrays(*to_arrays(fitted)).predict([[0.9]]).tolist()
    ['b']
    """
    fitted = model.estimator_ if isinstance(model, NestedChoice) else model
    steps = fitted.steps if isinstance(fitted, Pipeline) else []
    names = [name for name, _ in steps]
    if len(names) != 3 or names[:2] != ["impute", "scale"] or names[2] not in (*_LINEAR, "svc", "forest"):
        raise ConfigError(
            f"model {type(model).__name__}: expected a classical model that can be stored, got steps {names}; "
            "choose one of mmme.models.classical"
        )
    impute, scale, last = (step for _, step in steps)
    if impute.add_indicator or not np.isnan(impute.missing_values):
        raise ConfigError("model: expected imputation of NaN without indicator columns, got another; it cannot be stored")
    n = len(impute.statistics_)
    arrays: dict[str, NDArray[Any]] = {
        "fill": np.asarray(impute.statistics_, dtype=np.float64),
        "mean": np.zeros(n) if not scale.with_mean else np.asarray(scale.mean_),
        "scale": np.ones(n) if not scale.with_std else np.asarray(scale.scale_),
    }
    words: dict[str, Any] = {"kind": "linear", "classes": [str(c) for c in last.classes_], "gamma": None}
    if names[2] == "svc":
        if last.kernel not in ("linear", "rbf") or last.decision_function_shape != "ovr":
            raise ConfigError(f"model svc: expected kernel 'linear' or 'rbf', got '{last.kernel}'; it cannot be stored")
        words["kind"] = "svc"
        if last.kernel == "rbf":
            words["gamma"] = float(last._gamma)  # noqa: SLF001 - 'scale' is turned into a number nowhere else
        for name in _NEEDED["svc"]:
            arrays[name] = np.asarray(getattr(last, f"{name}_"))
    elif names[2] == "forest":
        words["kind"] = "forest"
        arrays |= _trees(last)
    else:
        inner = last.model_ if names[2] == "lda" else last
        arrays["coef"] = np.atleast_2d(inner.coef_)
        arrays["intercept"] = np.atleast_1d(inner.intercept_)
    return {name: np.ascontiguousarray(value) for name, value in arrays.items()}, words


def _trees(forest: Any) -> dict[str, NDArray[Any]]:
    """All trees end to end, children counted from the first node of the first tree, leaves with child -1."""
    trees = [each.tree_ for each in forest.estimators_]
    roots = np.cumsum([0, *(tree.node_count for tree in trees[:-1])])
    moved = {
        side: np.concatenate(
            [
                np.where(child >= 0, child + root, -1)
                for root, child in zip(roots, (getattr(tree, f"children_{side}") for tree in trees), strict=True)
            ]
        )
        for side in ("left", "right")
    }
    value = np.concatenate([tree.value[:, 0] for tree in trees])
    return {
        **moved,
        "roots": roots,
        "feature": np.concatenate([tree.feature for tree in trees]),
        "threshold": np.concatenate([tree.threshold for tree in trees]),
        "value": value / value.sum(axis=1, keepdims=True),
    }


def from_arrays(arrays: Mapping[str, NDArray[Any]], words: Mapping[str, Any], *, where: str = "model") -> StoredClassifier:
    """
    Build a predictor from what `to_arrays` took.

    Raises
    ------
    DataError
        If the kind is not known or an array is missing.
    """
    kind = words.get("kind")
    if kind not in _NEEDED or not words.get("classes"):
        raise DataError(f"{where}: expected a kind of {', '.join(_NEEDED)} with classes, got '{kind}'; the file is foreign")
    missing = sorted({*_ALWAYS, *_NEEDED[kind]} - set(arrays))
    if missing:
        raise DataError(f"{where}: expected the arrays of '{kind}', got none named {', '.join(missing)}; train it again")
    return StoredClassifier(np.array(words["classes"]), kind, dict(arrays), words.get("gamma"))


def save_model(folder: str | Path, model: Any, about: Mapping[str, Any] | None = None, *, overwrite: bool = False) -> Path:
    """
    Write a fitted classifier as ``model.safetensors`` and ``model.json``, whole or not at all.

    Parameters
    ----------
    folder
        To be made.
    model
        Fitted.
    about
        What else shall stand in ``model.json`` under ``about``; never subjects' codes.
    overwrite
        Whether a folder that exists is replaced.

    Raises
    ------
    ConfigError
        If the folder exists, or the model cannot be stored.
    """
    from safetensors.numpy import save

    folder = Path(folder)
    if folder.exists() and not overwrite:
        raise ConfigError(f"{folder}: expected a folder that does not exist, got one; name another or allow overwriting")
    if folder.exists() and not (folder / "model.json").is_file():
        raise ConfigError(f"{folder}: expected a stored model to replace, got something else; name another folder")
    arrays, words = to_arrays(model)
    head = {"format": FORMAT, "version": VERSION, "model": words, "about": dict(about or {})}
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        (new / "model.safetensors").write_bytes(save(arrays))
        (new / "model.json").write_text(json.dumps(head, indent=2) + "\n", encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        new.rename(folder)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    return folder


def load_model(folder: str | Path) -> tuple[StoredClassifier, dict[str, Any]]:
    """
    Read a stored model and what is told about it.

    Raises
    ------
    DataError
        If a file is absent, damaged, foreign, or of a newer version.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    words_file, arrays_file = Path(folder) / "model.json", Path(folder) / "model.safetensors"
    try:
        head = json.loads(words_file.read_text(encoding="utf-8"))
        arrays = load(arrays_file.read_bytes())
    except (OSError, ValueError, SafetensorError) as error:
        raise DataError(
            f"{folder}: expected model.json and model.safetensors, got {type(error).__name__} ({error}); train it again"
        ) from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise DataError(f"{words_file}: expected format '{FORMAT}', got another; the file is foreign")
    if head.get("version") != VERSION:
        raise DataError(f"{words_file}: expected version {VERSION}, got {head.get('version')}; update mmme or train again")
    return from_arrays(arrays, head.get("model", {}), where=str(folder)), head.get("about", {})
