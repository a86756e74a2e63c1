"""Results on disk, and scores recomputed from what is stored."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmme.errors import DataError, raise_faults
from mmme.evaluate.presence import presence_scores
from mmme.evaluate.ratings import rating_scores
from mmme.evaluate.recognition import scores_from_predictions
from mmme.evaluate.spotting_scores import spotting_scores
from mmme.types import Result, Score

__all__ = ["load_result", "rescore", "save_result"]

FORMAT, VERSION = "mmme result", 1
MAPPINGS = ("dataset", "protocol", "model", "config", "predictions", "truth", "chance", "versions")
NEEDED = {
    "recognition": (("classes", "n_bootstrap", "n_permutations"), ("trial", "subject", "truth", "pred", "fold")),
    "spotting": (
        ("kinds", "videos", "min_iou", "n_bootstrap", "n_chance"),
        ("video", "subject", "kind", "onset_s", "offset_s", "score"),
    ),
    "action-units": (("labels", "n_bootstrap", "n_permutations"), ("trial", "subject", "fold")),
    "ratings": (("rating", "n_bootstrap", "n_permutations"), ("trial", "subject", "fold", "truth", "pred", "baseline")),
}


def _plain(value: Any) -> Any:
    """JSON has neither NaN nor NumPy: numbers become plain, what is not finite becomes null."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Sequence | set | frozenset):
        return [_plain(v) for v in value]
    return str(value)


def save_result(result: Result, path: Path) -> Path:
    """
    Write a result as JSON.

    Parameters
    ----------
    result
        Any result; values that are not finite are stored as null.
    path
        The ``.json`` file; replaced only once the new one is complete.

    Returns
    -------
    Path
        The file written.

    Examples
    --------
    >>> import tempfile
    >>> r = Result("recognition", "face", {}, {"classes": ["a", "b"], "n_bootstrap": 100, "n_permutations": 100}, {}, {}, 0,
    ...            {"trial": ["1"], "subject": ["S1"], "truth": ["a"], "pred": ["a"], "fold": ["S1"]}, {}, (), {}, {})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load_result(save_result(r, Path(folder) / "face.json")).title
    'face'
    """
    content: dict[str, Any] = {"format": FORMAT, "version": VERSION}
    for entry in fields(Result):
        value = getattr(result, entry.name)
        if entry.name == "scores":
            value = [{f.name: getattr(score, f.name) for f in fields(Score)} for score in value]
        content[entry.name] = _plain(value)
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_text(text + "\n", encoding="utf-8")
    os.replace(temporary, path)  # noqa: PTH105 - atomic on every platform
    return path


def _score_faults(content: Mapping[str, Any]) -> list[str]:
    faults = []
    names = [f.name for f in fields(Score)]
    scores = content.get("scores", [])
    if not isinstance(scores, list):
        return [f"expected a list of scores, got {type(scores).__name__}"]
    for i, score in enumerate(scores):
        if not isinstance(score, dict) or sorted(score) != sorted(names):
            faults.append(f"score {i}: expected the keys {', '.join(names)}")
        elif not all(score[k] is None or isinstance(score[k], int | float) for k in ("value", "low", "high", "n")):
            faults.append(f"score {i}: expected numbers in value, low, high and n")
    return faults


def _faults(content: Any) -> list[str]:
    """All that is wrong with the content of a result file."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        return [f"expected a file of format '{FORMAT}', got another; was it written by mmme evaluate?"]
    if content.get("version") != VERSION:
        return [f"expected version {VERSION} of the format, got {content.get('version')}; is mmme older than the file?"]
    faults = [f"expected a key '{f.name}', got none" for f in fields(Result) if f.name not in content]
    faults += [
        f"{key}: expected a table, got {type(content[key]).__name__}"
        for key in MAPPINGS
        if key in content and not isinstance(content[key], dict)
    ]
    if not isinstance(content.get("seed", 0), int):
        faults.append(f"seed: expected a whole number, got {content['seed']!r}")
    faults += _score_faults(content)
    task = content.get("task")
    if "task" in content and task not in NEEDED:
        faults.append(f"task: expected {', '.join(NEEDED)}, got {task!r}")
    for key in ("predictions", "truth"):
        columns = content.get(key)
        if not isinstance(columns, dict):
            continue
        lengths = {name: len(column) if isinstance(column, list) else -1 for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{name} {n}" for name, n in lengths.items())
            faults.append(f"{key}: expected columns of equal length, got {shown}")
    for key, needed in zip(("protocol", "predictions"), NEEDED.get(str(task), ((), ())), strict=True):
        have = content.get(key)
        if isinstance(have, dict):
            faults += [f"{key}: expected '{name}' for {task}, got none" for name in needed if name not in have]
    return faults


def load_result(path: Path) -> Result:
    """
    Read a result that `save_result` wrote, and check its form.

    Parameters
    ----------
    path
        The ``.json`` file.

    Returns
    -------
    Result
        Ends of intervals that were not finite are NaN again.

    Raises
    ------
    DataError
        If the file is missing, is not JSON, or lacks something; all faults at once.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected a result file, got none") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected JSON, got {error}; is the file complete?") from error
    raise_faults(str(path), _faults(content))

    def number(value: float | None) -> float:
        return float("nan") if value is None else float(value)

    scores = tuple(
        Score(s["name"], number(s["value"]), number(s["low"]), number(s["high"]), s["group"], int(s["n"] or 0))
        for s in content["scores"]
    )
    return Result(**{f.name: content[f.name] for f in fields(Result)} | {"scores": scores})


def rescore(result: Result) -> Result:
    """
    Compute all scores of a result again from its stored predictions, with its own draws and seed.

    Parameters
    ----------
    result
        As evaluated or loaded.

    Returns
    -------
    Result
        Equal to the one given unless predictions, truth or scores were changed since, or the formulas were.

    Raises
    ------
    DataError
        If the stored predictions do not fit the stored protocol.

    Examples
    --------
    >>> r = Result("recognition", "face", {}, {"classes": ["a", "b"], "n_bootstrap": 100, "n_permutations": 100}, {}, {}, 0,
    ...            {"truth": ["a", "b"], "pred": ["a", "b"], "subject": ["S1", "S2"]}, {}, (), {}, {})
    >>> rescore(r).score("UF1").value
    1.0
    """
    protocol = result.protocol
    if result.task == "spotting":
        scores, chance = spotting_scores(result.predictions, result.truth, protocol, seed=result.seed)
    elif result.task == "action-units":
        scores, chance = presence_scores(result.predictions, protocol, seed=result.seed)
    elif result.task == "ratings":
        scores, chance = rating_scores(result.predictions, protocol, seed=result.seed)
    else:
        scores, chance = scores_from_predictions(
            result.predictions,
            protocol["classes"],
            seed=result.seed,
            n_bootstrap=protocol["n_bootstrap"],
            n_permutations=protocol["n_permutations"],
        )
    return replace(result, scores=scores, chance=chance)
