"""One imported study, from its folder to Results: the order of the steps, what is kept on disk, and nothing else."""

from mmme.study.describe import Described, describe_study, gather
from mmme.study.evaluation import evaluate_study, evaluate_table, rerun

__all__ = ["Described", "describe_study", "evaluate_study", "evaluate_table", "gather", "rerun"]
