"""A fitted network as named arrays and plain words, for safetensors and JSON; nothing is pickled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmme.errors import DataError
from mmme.models.deep.classifier import NetworkClassifier
from mmme.models.deep.inputs import Scale
from mmme.models.deep.networks import spec_of
from mmme.models.deep.training import seeded_module

__all__ = ["from_arrays", "to_arrays"]

WORDS = ("parameters", "classes", "row_shape")


def to_arrays(fitted: NetworkClassifier) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """
    Take a fitted network apart.

    Parameters
    ----------
    fitted
        After `fit`.

    Returns
    -------
    arrays
        ``module.*`` (weights and running statistics), ``scale.mean`` and ``scale.deviation``.
    words
        ``parameters`` of the estimator, ``classes`` by column, and ``row_shape``, channels first; JSON keeps them.

    Raises
    ------
    DataError
        If it was not fitted.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(8, 8, 8, 3)), np.repeat(["neg", "pos"], 4)
    >>> model = NetworkClassifier("ststnet", epochs=1).fit(X, y)
    >>> again = from_arrays(*to_arrays(model))
    >>> bool(np.array_equal(again.predict_proba(X), model.predict_proba(X)))
    True
    """
    if not hasattr(fitted, "module_"):
        raise DataError(f"network '{fitted.network}': expected a fitted one to save, got one before fit; call fit first")
    arrays = {f"module.{k}": v.detach().cpu().numpy().copy() for k, v in fitted.module_.state_dict().items()}
    arrays |= {"scale.mean": fitted.scale_.mean, "scale.deviation": fitted.scale_.deviation}
    parameters = {k: list(v) if isinstance(v, tuple) else v for k, v in fitted.get_params().items()}
    return arrays, {
        "parameters": parameters,
        "classes": fitted.classes_.tolist(),
        "row_shape": [int(n) for n in fitted.shape_],
    }


def from_arrays(arrays: Mapping[str, NDArray[Any]], words: Mapping[str, Any]) -> NetworkClassifier:
    """
    Put a fitted network together again.

    Parameters
    ----------
    arrays, words
        From `to_arrays`.

    Raises
    ------
    ConfigError
        If the network's name is not known.
    DataError
        If something is missing, or arrays have shapes of another network.
    """
    missing = [k for k in WORDS if k not in words] + [k for k in ("scale.mean", "scale.deviation") if k not in arrays]
    if missing:
        raise DataError(f"saved network: expected {', '.join(missing)} too, got none; was it saved by to_arrays?")
    parameters = dict(words["parameters"])
    unknown = sorted(set(parameters) - set(NetworkClassifier().get_params()))
    if unknown:
        raise DataError(
            f"saved network: expected parameters of a network, got {', '.join(unknown)}; was it saved by to_arrays?"
        )
    if parameters.get("shape") is not None:
        parameters["shape"] = tuple(parameters["shape"])
    model = NetworkClassifier().set_params(**parameters)
    model.classes_ = np.asarray(words["classes"])
    model.shape_ = tuple(words["row_shape"])
    model.scale_ = Scale(np.asarray(arrays["scale.mean"]), np.asarray(arrays["scale.deviation"]))
    module = seeded_module(spec_of(model.network).build, model.shape_, len(model.classes_), 0)
    state = {k.removeprefix("module."): torch.from_numpy(np.array(v)) for k, v in arrays.items() if k.startswith("module.")}
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise DataError(
            f"saved network '{model.network}': expected the arrays of that network, got others: {error}"
        ) from error
    model.module_ = module.eval()
    return model
