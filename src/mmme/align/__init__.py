"""
Markers of several devices -> one clock map per device -> one session time.

The trigger value is all that the devices share, so everything rests on it, in three steps:

1. *Which marker is which.* Codes that each device saw exactly once cannot be confused; a robust line through them
   (or, where codes repeat, the line that most pairs of equal code agree on) predicts where every other code must be.
   Then each code is paired, one to one, with the nearest equal code on the other device. A repeated rest code, a
   doubled marker or a foreign code has no say in the line.
2. *The line.* On centred times: Theil-Sen, then markers further off than four median absolute deviations are set
   aside, then least squares through the rest.
3. *Refusal.* A map that cannot be trusted is an `AlignmentError`; nothing is guessed. Some refusals can be overruled
   (``force``), which the map then says of itself; a clock can also be stated (``assumed``).

Times of events are mapped; signals are never resampled.
"""

from mmme.align.report import MarkerCounts, MarkerRow, marker_counts, marker_report
from mmme.align.timeline import align, event_bound_s, event_uncertainty_s

__all__ = ["MarkerCounts", "MarkerRow", "align", "event_bound_s", "event_uncertainty_s", "marker_counts", "marker_report"]
