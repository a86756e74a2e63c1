"""
mmme: from raw recordings of a face and a body to micro-expression results that can be trusted.

The package is read along one direction: ``datasets`` read raw files into a `Recording`, ``align`` puts it on one session
clock, ``trials`` cuts it, ``features`` describes it, ``evaluate`` scores models on it, ``report`` shows the `Result`.
"""

from mmme.errors import AlignmentError, ConfigError, DataError, MmmeError, ProtocolError
from mmme.interval import Interval
from mmme.types import (
    ClockMap,
    CodedEvent,
    Expression,
    FeatureTable,
    Markers,
    Recording,
    Result,
    Sample,
    Score,
    Source,
    Stream,
    Timeline,
    Trial,
)

__version__ = "0.1.0"

__all__ = [
    "AlignmentError",
    "ClockMap",
    "CodedEvent",
    "ConfigError",
    "DataError",
    "Expression",
    "FeatureTable",
    "Interval",
    "Markers",
    "MmmeError",
    "ProtocolError",
    "Recording",
    "Result",
    "Sample",
    "Score",
    "Source",
    "Stream",
    "Timeline",
    "Trial",
    "__version__",
]
