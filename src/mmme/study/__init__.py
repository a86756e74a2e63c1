"""One imported study, from its folder to Results: the order of the steps, what is kept on disk, and nothing else."""

from mmme.study.checking import check_path
from mmme.study.describe import Described, derivatives, describe_study, gather
from mmme.study.evaluation import Run, StudyResults, evaluate_study, evaluate_table, read_any_table, result_name
from mmme.study.importing import Imported, import_study
from mmme.study.inspecting import Inspection, inspect_path
from mmme.study.repetition import differences, rerun
from mmme.study.reporting import report_of_results, report_of_study, report_of_table
from mmme.study.video import SpottedVideo, spot_video

__all__ = [
    "Described",
    "Imported",
    "Inspection",
    "Run",
    "SpottedVideo",
    "StudyResults",
    "check_path",
    "derivatives",
    "describe_study",
    "differences",
    "evaluate_study",
    "evaluate_table",
    "gather",
    "import_study",
    "inspect_path",
    "read_any_table",
    "report_of_results",
    "report_of_study",
    "report_of_table",
    "rerun",
    "result_name",
    "spot_video",
]
