"""Check whatever lies at a path: a study, a result, a table."""

from __future__ import annotations

from pathlib import Path

from mmme.align import align
from mmme.checks import Finding, check_result, check_table, check_timeline
from mmme.config import RunConfig
from mmme.datasets.catalogue import dataset_info
from mmme.datasets.study import open_study
from mmme.errors import DataError, MmmeError
from mmme.evaluate import load_result
from mmme.study.evaluation import read_any_table
from mmme.trials import build_trials

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
    info = dataset_info(study.layout)
    findings: list[Finding] = list(study.import_findings)
    for subject in study.subjects:
        try:
            recording = study.recording(subject)
            timeline = align(recording)
            uncertainty_s = study.frame_uncertainty_s(subject)
            cut = build_trials(timeline, study.coded(subject), frame_uncertainty_s=uncertainty_s, stimuli=info.stimuli)
            findings += check_timeline(recording, timeline, cut)
        except MmmeError as error:
            findings.append(Finding("A000", "error", subject, str(error)))
    return findings
