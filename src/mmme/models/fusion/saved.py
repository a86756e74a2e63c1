"""What a late fusion has learned beyond its classifiers, as arrays and plain words; nothing is pickled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError
from mmme.models.fusion.late import LateFusion
from mmme.models.fusion.rules import Average, Choquet, Product, Stack

__all__ = ["STORABLE", "from_arrays", "to_arrays"]

_RULES: Mapping[str, type[Any]] = MappingProxyType(
    {"mean": Average, "weighted": Average, "product": Product, "stacked": Stack, "fuzzy": Choquet}
)
#: Names of fusions (`mmme.models.fusion.build.FUSIONS`) that can be stored, with their rule.
STORABLE: Mapping[str, str] = MappingProxyType(
    {"product": "product", "late": "mean", "weighted": "weighted", "stacked": "stacked", "fuzzy": "fuzzy"}
)


def to_arrays(fusion: LateFusion) -> tuple[dict[str, NDArray[np.float64]], dict[str, Any]]:
    """
    Take a fitted late fusion apart, its classifiers left out.

    Returns
    -------
    arrays
        ``prior``, ``temperatures`` (where it calibrates), and what its rule learned, ``rule.<name>``.
    words
        Rule, classes, and the positions of columns by modality, ready for JSON.

    Examples
    --------
    >>> from mmme.models.classical import make_model
    >>> X, y = np.array([[0.0, 5.0], [1.0, 6.0], [0.1, 5.1]]), ["neg", "pos", "neg"]
    >>> parts = {"face": make_model("ridge"), "body": make_model("lda")}
    >>> fused = LateFusion(parts, {"face": [0], "body": [1]}).fit(X, y)
    >>> again = from_arrays(*to_arrays(fused), fused.estimators_)
    >>> bool(np.array_equal(again.predict_proba(X), fused.predict_proba(X)))
    True
    """
    arrays = {"prior": np.asarray(fusion.prior_, dtype=np.float64)}
    if fusion.temperatures_:
        arrays["temperatures"] = np.array(list(fusion.temperatures_.values()))
    for field in fields(fusion.rule_):  # type: ignore[arg-type]  # every rule is a dataclass of arrays
        arrays[f"rule.{field.name}"] = np.ascontiguousarray(getattr(fusion.rule_, field.name), dtype=np.float64)
    words = {
        "rule": fusion.rule,
        "classes": [str(c) for c in fusion.classes_],
        "columns": {name: [int(k) for k in fusion.columns[name]] for name in fusion.estimators},
        "quality": {name: [int(k) for k in told] for name, told in (fusion.quality or {}).items()},
    }
    return arrays, words


def from_arrays(
    arrays: Mapping[str, NDArray[Any]], words: Mapping[str, Any], estimators: Mapping[str, Any], *, where: str = "fusion"
) -> LateFusion:
    """
    Put a late fusion together again.

    Parameters
    ----------
    arrays, words
        From `to_arrays`.
    estimators
        Fitted, by modality.
    where
        The file, for messages.

    Raises
    ------
    DataError
        If the rule is not known or an array is missing.
    """
    rule = _RULES.get(str(words.get("rule")))
    if rule is None:
        raise DataError(f"{where}: expected a rule of {', '.join(_RULES)}, got '{words.get('rule')}'; train it again")
    needed = ["prior", *(f"rule.{field.name}" for field in fields(rule))]
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise DataError(f"{where}: expected arrays of the fusion, got none named {', '.join(missing)}; train it again")
    heat = arrays.get("temperatures")
    fusion = LateFusion(
        estimators, words["columns"], quality=words["quality"] or None, calibrate=heat is not None, rule=str(words["rule"])
    )
    learned = rule(**{field.name: np.asarray(arrays[f"rule.{field.name}"]) for field in fields(rule)})
    return fusion.restored(estimators, np.array(words["classes"]), np.asarray(arrays["prior"]), heat, learned)
