"""
From a feature table and an estimator to a `Result` that can be believed, recomputed and repeated.

`run` for recognition, `run_spotting` for spotting; both receive scikit-learn estimators, fit clones of them on training
subjects only, and compute scores from the stored predictions alone.
"""

from mmme.evaluate.environment import environment
from mmme.evaluate.leaks import Audit, audit, check_table
from mmme.evaluate.presence import run_presence
from mmme.evaluate.proposing import courses_of, run_proposals
from mmme.evaluate.protocols import PROTOCOLS, Protocol, Split, check_estimator, check_split, splits
from mmme.evaluate.ratings import run_ratings
from mmme.evaluate.recognition import (
    RECOGNITION_SCORES,
    calibration_of,
    chance_by_refitting,
    confusion_of,
    run,
    scores_from_predictions,
)
from mmme.evaluate.repeats import SeedScore, compare, over_seeds
from mmme.evaluate.results import load_result, rescore, save_result
from mmme.evaluate.spotting import Curves, Decode, run_spotting
from mmme.evaluate.spotting_scores import spotting_scores

__all__ = [
    "PROTOCOLS",
    "RECOGNITION_SCORES",
    "Audit",
    "Curves",
    "Decode",
    "Protocol",
    "SeedScore",
    "Split",
    "audit",
    "calibration_of",
    "chance_by_refitting",
    "check_estimator",
    "check_split",
    "check_table",
    "compare",
    "confusion_of",
    "courses_of",
    "environment",
    "load_result",
    "over_seeds",
    "rescore",
    "run",
    "run_presence",
    "run_proposals",
    "run_ratings",
    "run_spotting",
    "save_result",
    "scores_from_predictions",
    "splits",
    "spotting_scores",
]
