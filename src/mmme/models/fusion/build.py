"""Fusions by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from mmme.errors import ConfigError, unknown_name
from mmme.models.fusion.early import EarlyFusion
from mmme.models.fusion.hierarchical import HierarchicalFusion
from mmme.models.fusion.late import LateFusion
from mmme.models.fusion.modalities import Columns
from mmme.models.fusion.network import NetworkFusion

__all__ = ["FUSIONS", "RECOMMENDED", "make_fusion"]

Parts = Mapping[str, Any]

#: No worse than the face alone where the body is noise, and near the best where it is not (docs/fusion.md).
RECOMMENDED = "product"


def _early(parts: Parts, columns: Columns) -> Any:
    return EarlyFusion(parts[next(iter(columns))], columns)


def _late(rule: str) -> Callable[[Parts, Columns], Any]:
    return lambda parts, columns: LateFusion(parts, columns, calibrate=True, rule=rule)


def _network(head: str) -> Callable[[Parts, Columns], Any]:
    return lambda parts, columns: NetworkFusion(head, columns)  # noqa: ARG005  a network needs no classifiers


#: How each is built from classifiers and columns by modality.
FUSIONS: Mapping[str, Callable[[Parts, Columns], Any]] = MappingProxyType(
    {
        "early": _early,
        "late": _late("mean"),
        "weighted": _late("weighted"),
        "product": _late("product"),
        "stacked": _late("stacked"),
        "fuzzy": _late("fuzzy"),
        "hierarchical": HierarchicalFusion,
        "tensor": _network("tensor"),
        "cross-attention": _network("cross-attention"),
        "contrastive": _network("contrastive"),
    }
)


def make_fusion(
    name: str,
    parts: Parts,
    columns: Columns,
    random_state: int | None = None,
    *,
    quality: Mapping[str, Sequence[int]] | None = None,
    params: Mapping[str, Any] | None = None,
) -> Any:
    """
    Build an unfitted fusion of modalities by name.

    Parameters
    ----------
    name
        ``early`` (columns joined, classifier of the first modality), ``late`` (mean of calibrated probabilities),
        ``weighted`` (weights learned on training subjects), ``product`` (of calibrated probabilities; recommended),
        ``stacked`` (logistic regression on them), ``fuzzy`` (Choquet integral), ``hierarchical`` (signals, body, body and
        face), and the networks ``tensor``, ``cross-attention`` and ``contrastive``.
    parts
        Unfitted classifier by modality, for example from `make_model`. Networks have none of them.
    columns
        By modality: positions of its columns in the matrix.
    random_state
        Seed of what is random in it.
    quality
        By modality: positions of columns that say how far a row's modality can be trusted, 0 to 1. Late, weighted, product,
        stacked and fuzzy weigh by it; the others take a modality of quality 0 for missing.
    params
        Parameters of the fusion that shall differ, for example ``{"n_inner": 3}``.

    Returns
    -------
    estimator
        By scikit-learn's contract, with ``decided_by``, ``missing_note`` and ``without``. All but ``early`` and the
        networks need ``groups`` to fit; contrastive pre-training makes use of them.

    Raises
    ------
    ConfigError
        If the fusion or a parameter is not known, or parts and columns are not of the same modalities.

    Examples
    --------
    >>> from mmme.models.classical import make_model
    >>> parts = {"face": make_model("svm-linear"), "body": make_model("lda")}
    >>> make_fusion("product", parts, {"face": [0, 1], "body": [2]}, 0, params={"n_inner": 3}).n_inner
    3
    """
    if name not in FUSIONS:
        raise unknown_name("fusion", name, FUSIONS)
    if not columns or sorted(parts) != sorted(columns):
        raise ConfigError(
            f"{name} fusion: expected a classifier and columns for each modality, got classifiers for "
            f"{', '.join(sorted(parts)) or 'none'} and columns for {', '.join(sorted(columns)) or 'none'}"
        )
    fusion = FUSIONS[name](parts, columns)
    known = fusion.get_params(deep=False)
    for key in params or {}:
        if key not in known or key in {"estimators", "estimator", "columns"}:
            settings = [k for k in known if k not in {"estimators", "estimator", "columns", "quality", "random_state"}]
            raise unknown_name(f"parameter of fusion '{name}'", key, settings)
    return fusion.set_params(**{"quality": quality, "random_state": random_state, **(params or {})})
