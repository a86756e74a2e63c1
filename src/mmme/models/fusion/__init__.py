"""Face and body together: joined columns, averaged or stacked probabilities, and networks that let one look at another."""

from mmme.models.fusion.late import LateFusion

__all__ = ["LateFusion"]
