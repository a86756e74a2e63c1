"""Check whatever lies at a path: a study, a result, a table."""

from __future__ import annotations

from pathlib import Path

from mmme.align import align
from mmme.checks import Finding, check_result, check_study, check_table
from mmme.config import RunConfig
from mmme.datasets.study import open_study
from mmme.errors import AlignmentError, DataError, MmmeError
from mmme.evaluate import load_result
from mmme.study.describe import cut_into_trials, findings_of
from mmme.study.evaluation import read_any_table
from mmme.types import Trial

__all__ = ["check_path"]


def check_path(path: Path) -> list[Finding]:
    """
    Return the findings on a study folder, a result (``.json``) or a table (``.npz``).

    Raises
    ------
    DataError
        If nothing that can be checked is there.
    """
    if path.suffix == ".json":
        return list(check_result(load_result(path)))
    if path.suffix == ".npz":
        return list(check_table(read_any_table(path, RunConfig())))
    if not path.is_dir():
        raise DataError(f"{path}: expected a study folder, a result (.json) or a table (.npz), got nothing of these")
    study = open_study(path)
    findings: list[Finding] = []
    trials: list[Trial] = []
    for subject in study.subjects:
        try:
            recording = study.recording(subject)
            timeline = align(recording)
            cut = cut_into_trials(study, subject, timeline)
            findings += findings_of(study, subject, recording, timeline, cut)
            trials += cut.trials
        except AlignmentError as error:
            findings.append(Finding("A001", "error", subject, str(error)))
        except MmmeError as error:
            findings.append(Finding("D010", "error", subject, str(error)))
    return [*findings, *check_study(trials)]
