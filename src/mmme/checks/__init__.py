"""
Coded findings on recordings, data sets, feature tables and results.

A finding never changes anything. Wrong data raise errors elsewhere; what is merely doubtful is said here, under a code
that stays the same (`CODES`, docs/checks.md): ``D`` data, ``A`` alignment, ``P`` protocol, ``R`` result.
"""

from mmme.checks.evaluation import check_result, check_table
from mmme.checks.quality import check_quality, check_trust
from mmme.checks.recordings import check_order, check_study, check_timeline
from mmme.checks.signals import check_frames, check_signals
from mmme.types import CODES, Finding

__all__ = [
    "CODES",
    "Finding",
    "check_frames",
    "check_order",
    "check_quality",
    "check_result",
    "check_signals",
    "check_study",
    "check_table",
    "check_timeline",
    "check_trust",
]
