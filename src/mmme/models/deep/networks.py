"""
Every network by name: how it is built, what it takes, where it was published, and how it is trained by default.

Networks have two default trainings, fixed beforehand and tuned for none of them: 20 epochs where an epoch is cheap, and 10
epochs of larger steps where it is not, so that ten seeds under leave-one-subject-out remain affordable. After it they are
right in 74 to 93 % of their training rows (MEGC2019 composite). It is the same for every fold, data set and number of
classes; no test row had a say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from mmme.errors import unknown_name
from mmme.models.deep.cnn_3d import CNN3D
from mmme.models.deep.csarnet import CSARNet
from mmme.models.deep.dgcnn import DGCNN
from mmme.models.deep.eegnet import EEGNet
from mmme.models.deep.elrcn import ELRCN
from mmme.models.deep.emr import EMR
from mmme.models.deep.featref import FeatRef
from mmme.models.deep.htnet import HTNet
from mmme.models.deep.off_apexnet import OffApexNet
from mmme.models.deep.ramp import on_ramp
from mmme.models.deep.rcn import RCNA, RCNS
from mmme.models.deep.region_graph import RegionGraph, RegionGraphOfFlow
from mmme.models.deep.slstt import SLSTT
from mmme.models.deep.ststnet import STSTNet
from mmme.models.deep.tcn import TCN
from mmme.models.deep.training import Build, Training
from mmme.models.deep.windows import LSTM, WindowCNN

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


_SMALL = Training(epochs=20, learning_rate=2e-3, batch_size=32, optimiser="adamw", weight_decay=1e-2, schedule="cosine")
_COSTLY = replace(_SMALL, epochs=10, batch_size=64)

NETWORKS: Mapping[str, NetworkSpec] = MappingProxyType(
    {
        "ststnet": NetworkSpec(STSTNet, "flow-image", "doi:10.1109/FG.2019.8756567", _SMALL),
        "off-apexnet": NetworkSpec(OffApexNet, "flow-image", "doi:10.1016/j.image.2019.02.005", _COSTLY),
        "rcn-a": NetworkSpec(RCNA, "flow-image", "doi:10.1109/TIP.2020.3018222", _COSTLY),
        "rcn-s": NetworkSpec(RCNS, "flow-image", "doi:10.1109/TIP.2020.3018222", _COSTLY),
        "featref": NetworkSpec(FeatRef, "flow-image", "doi:10.1016/j.patcog.2021.108275", _COSTLY),
        "emr": NetworkSpec(EMR, "flow-image", "doi:10.1109/FG.2019.8756583", _COSTLY),
        "htnet": NetworkSpec(HTNet, "flow-image", "arXiv:2307.14637", _COSTLY),
        "slstt": NetworkSpec(SLSTT, "flow-image", "doi:10.1109/TAFFC.2022.3213509", _COSTLY),
        "csarnet": NetworkSpec(CSARNet, "flow-image", "doi:10.1109/CVPR.2018.00745", _COSTLY),
        "region-graph-flow": NetworkSpec(RegionGraphOfFlow, "flow-image", "doi:10.1145/3394171.3414012", _SMALL),
        "elrcn-flow": NetworkSpec(on_ramp(ELRCN), "flow-image", "doi:10.1109/FG.2018.00105", _COSTLY),
        "cnn-3d-flow": NetworkSpec(on_ramp(CNN3D), "flow-image", "arXiv:1904.01390", _COSTLY),
        "region-graph": NetworkSpec(RegionGraph, "region-motion", "doi:10.1145/3394171.3414012", _SMALL),
        "elrcn": NetworkSpec(ELRCN, "clip", "doi:10.1109/FG.2018.00105", _COSTLY),
        "cnn-3d": NetworkSpec(CNN3D, "clip", "arXiv:1904.01390", _COSTLY),
        "eegnet": NetworkSpec(EEGNet, "eeg", "doi:10.1088/1741-2552/aace8c", _SMALL),
        "dgcnn": NetworkSpec(DGCNN, "band-power", "doi:10.1109/TAFFC.2018.2817622", _SMALL),
        "tcn": NetworkSpec(TCN, "band-power", "arXiv:1803.01271", _SMALL),
        "cnn-1d": NetworkSpec(WindowCNN, "window", "arXiv:1611.06455", _SMALL),
        "lstm": NetworkSpec(LSTM, "window", "doi:10.1162/neco.1997.9.8.1735", _SMALL),
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
