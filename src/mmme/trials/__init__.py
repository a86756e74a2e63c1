"""
Timeline + coded events -> trials, and trials -> the samples that features describe.

A trial is one stimulus presentation: from the change to its code until the next change of code. Coded events have
frame numbers; the timeline says when those frames were. Nothing is dropped: a row that does not lie in its trial comes
back as `Misplaced`, with the reason.
"""

from mmme.trials.build import Misplaced, Trials, build_trials, rule_kind
from mmme.trials.placement import Placement, placements
from mmme.trials.samples import (
    action_units_by_row,
    expression_samples,
    grid_samples,
    left_out,
    trial_samples,
    unique_expressions,
)

__all__ = [
    "Misplaced",
    "Placement",
    "Trials",
    "action_units_by_row",
    "build_trials",
    "expression_samples",
    "grid_samples",
    "left_out",
    "placements",
    "rule_kind",
    "trial_samples",
    "unique_expressions",
]
