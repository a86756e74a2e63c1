"""A recogniser as one folder: arrays as safetensors, words as JSON, every file under its hash; nothing is pickled."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError, DataError
from mmme.models import stored
from mmme.models.fusion import saved
from mmme.models.outside import Reference
from mmme.models.recogniser import Input, Recogniser

__all__ = ["load_recogniser", "save_recogniser"]

FORMAT = "mmme-recogniser"
VERSION = 1
HEAD = "model.json"
_REFERENCE = ("fill", "mean", "scale", "axes", "variance")


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
