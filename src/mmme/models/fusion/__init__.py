"""Face and body together: joined columns, averaged or stacked probabilities, and networks that let one look at another."""

from mmme.models.fusion.build import FUSIONS, RECOMMENDED, make_fusion
from mmme.models.fusion.early import EarlyFusion
from mmme.models.fusion.hierarchical import HierarchicalFusion, usual_tree
from mmme.models.fusion.late import LateFusion
from mmme.models.fusion.network import NetworkFusion

__all__ = [
    "FUSIONS",
    "RECOMMENDED",
    "EarlyFusion",
    "HierarchicalFusion",
    "LateFusion",
    "NetworkFusion",
    "make_fusion",
    "usual_tree",
]
