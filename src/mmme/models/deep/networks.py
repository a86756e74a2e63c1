"""
Every network by name: how it is built, what it takes, where it was published, and how it is trained by default.

Default trainings were set by the loss of training rows alone: long enough for it to level, at a step size that does not
make it jump. They are the same for every fold, data set and number of classes; no test row had a say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mmme.errors import unknown_name
from mmme.models.deep.ststnet import STSTNet
from mmme.models.deep.training import Build, Training

__all__ = ["NETWORKS", "NetworkSpec", "spec_of"]


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """
    One architecture.

    Parameters
    ----------
    build
        From the shape of a row, channels first, and the number of classes to a network.
    takes
        ``flow-image``, ``clip``, ``region-motion``, ``eeg``, ``band-power`` or ``window``.
    paper
        DOI or arXiv number.
    training
        Default.
    """

    build: Build
    takes: str
    paper: str
    training: Training


_FLOW = Training(epochs=60, learning_rate=2e-3, batch_size=64, optimiser="adamw", weight_decay=1e-2, schedule="cosine")

NETWORKS: Mapping[str, NetworkSpec] = MappingProxyType(
    {
        "ststnet": NetworkSpec(STSTNet, "flow-image", "doi:10.1109/FG.2019.8756567", _FLOW),
    }
)


def spec_of(name: str) -> NetworkSpec:
    """
    Return an architecture by name.

    Raises
    ------
    ConfigError
        With the nearest name.

    Examples
    --------
    >>> spec_of("ststnet").takes
    'flow-image'
    """
    if name not in NETWORKS:
        raise unknown_name("network", name, NETWORKS)
    return NETWORKS[name]
