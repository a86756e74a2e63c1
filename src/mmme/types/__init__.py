"""
The things that travel through mmme, in the order in which they are made.

``raw files -> Recording -> align -> Timeline -> trials -> Trial[] -> features -> FeatureTable -> evaluate -> Result``

All are frozen: a step returns a new object. Arrays inside them are shared, never written to.
Times are seconds. A `Stream` of a `Recording` is on the clock of its own device; a `Stream` of a `Timeline` is on the
one session clock. Shapes are given in parentheses.
"""

from mmme.types.annotation import (
    KINDS,
    ActionUnit,
    CodedEvent,
    CodingRow,
    Expression,
    FrameStamp,
    Kind,
    Moment,
    Sample,
    Trial,
)
from mmme.types.finding import CODES, Finding, Level, listed
from mmme.types.folds import FoldPrediction, FoldwiseEstimator, Rows
from mmme.types.recording import ClockMap, Markers, Reading, Recording, Samples, Source, StoredSamples, Stream, Timeline
from mmme.types.result import Result, Score
from mmme.types.spotting import Course, Proposal, Spotter
from mmme.types.table import FeatureTable

__all__ = [
    "CODES",
    "KINDS",
    "ActionUnit",
    "ClockMap",
    "CodedEvent",
    "CodingRow",
    "Course",
    "Expression",
    "FeatureTable",
    "Finding",
    "FoldPrediction",
    "FoldwiseEstimator",
    "FrameStamp",
    "Kind",
    "Level",
    "Markers",
    "Moment",
    "Proposal",
    "Reading",
    "Recording",
    "Result",
    "Rows",
    "Sample",
    "Samples",
    "Score",
    "Source",
    "Spotter",
    "StoredSamples",
    "Stream",
    "Timeline",
    "Trial",
    "listed",
]
