"""
Every classifier by name, and what it takes: columns of features, or a tensor that a network reads.

The names are those of run files and of the benchmark. PyTorch is imported only when a network is made.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from mmme.errors import ConfigError, unknown_name
from mmme.models import classical
from mmme.models.ensemble import FlowEnsemble
from mmme.types import Spotter

__all__ = ["ENSEMBLES", "IS_RANDOM", "NETWORKS_TAKE", "SPOTTERS", "make_model", "make_spotter", "model_names", "takes"]

#: Machines on several families of values from flow images, with the numbers of best members they choose from (0: all). No
#: networks, so that PyTorch is not needed.
ENSEMBLES: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"flow-ensemble": (0,), "flow-ensemble-nested": (1, 3, 10, 30, 0)}
)

#: What each network takes; the same as `mmme.models.deep.networks.NETWORKS` says, without importing PyTorch.
NETWORKS_TAKE: Mapping[str, str] = MappingProxyType(
    {
        "ststnet": "flow-image",
        "off-apexnet": "flow-image",
        "rcn-a": "flow-image",
        "rcn-s": "flow-image",
        "featref": "flow-image",
        "emr": "flow-image",
        "htnet": "flow-image",
        "slstt": "flow-image",
        "csarnet": "flow-image",
        "region-graph-flow": "flow-image",
        "elrcn-flow": "flow-image",
        "cnn-3d-flow": "flow-image",
        "region-graph": "region-motion",
        "elrcn": "clip",
        "cnn-3d": "clip",
        "eegnet": "eeg",
        "dgcnn": "band-power",
        "tcn": "band-power",
        "cnn-1d": "window",
        "lstm": "window",
    }
)
#: Classical models whose predictions depend on a seed; those of all networks do.
IS_RANDOM = frozenset({"forest"})


def model_names() -> tuple[str, ...]:
    """List all names, classical ones first."""
    return (*classical.MODELS, *ENSEMBLES, *NETWORKS_TAKE)


def takes(name: str) -> str:
    """
    Say what a model takes: ``columns``, or the kind of tensor.

    Raises
    ------
    ConfigError
        If the model is not known.

    Examples
    --------
    >>> takes("svm-linear"), takes("ststnet"), takes("elrcn")
    ('columns', 'flow-image', 'clip')
    """
    if name in ENSEMBLES:
        return "flow-image"
    if name in NETWORKS_TAKE:
        return NETWORKS_TAKE[name]
    if name not in classical.MODELS:
        raise unknown_name("model", name, model_names())
    return "columns"


def make_model(name: str, params: Mapping[str, Any] | None = None, *, random_state: int | None = None) -> Any:
    """
    Build an unfitted classifier by name.

    Parameters
    ----------
    name
        Of `model_names`.
    params
        Parameters that shall differ from the model's own; None leaves a parameter as it is.
    random_state
        Seed of what is random in it.

    Returns
    -------
    estimator
        By scikit-learn's contract.

    Raises
    ------
    ConfigError
        If the model or a parameter is not known, or a network is asked for without PyTorch.

    Examples
    --------
    >>> make_model("svm-linear", {"C": 0.01}).get_params()["svc__C"]
    0.01
    """
    if takes(name) == "columns":
        return classical.make_model(name, params, random_state=random_state)
    if name in ENSEMBLES:
        return _with(FlowEnsemble(sizes=ENSEMBLES[name]), name, params)
    if importlib.util.find_spec("torch") is None:
        raise ConfigError(f"model '{name}': expected PyTorch, got none; install mmme with the extra 'deep' (README)")
    from mmme.models.deep.classifier import NetworkClassifier

    return _with(NetworkClassifier(network=name, random_state=0 if random_state is None else random_state), name, params)


def _with(model: Any, name: str, params: Mapping[str, Any] | None) -> Any:
    """Set those parameters that are given."""
    known = model.get_params()
    for key in params or {}:
        if key not in known:
            raise unknown_name(f"parameter of model '{name}'", key, sorted(known))
    return model.set_params(**{k: v for k, v in (params or {}).items() if v is not None})


#: Networks that propose intervals; the same as `mmme.models.deep.spotting_backbones.BACKBONES`, without importing PyTorch.
SPOTTERS = ("recurrent", "region-graph-spotter", "temporal-convolution", "three-stream", "window-transformer")


def make_spotter(name: str, *, epochs: int = 24, random_state: int = 0) -> Spotter:
    """
    Make a network that proposes intervals, unfitted.

    Parameters
    ----------
    name
        Of `SPOTTERS`.
    epochs
        Passes over the training videos.
    random_state
        Seed.

    Raises
    ------
    ConfigError
        If the name is not known, or PyTorch is not there.

    Examples
    --------
    >>> make_spotter("three-stream", epochs=2).epochs
    2
    """
    if name not in SPOTTERS:
        raise unknown_name("spotter", name, SPOTTERS)
    if importlib.util.find_spec("torch") is None:
        raise ConfigError(f"spotter '{name}': expected PyTorch, got none; install mmme with the extra 'deep' (README)")
    from mmme.models.deep.spotter import NetworkSpotter

    return NetworkSpotter(name, epochs=epochs, random_state=random_state)
