"""Check whatever lies at a path: a study, a result, a table."""

from __future__ import annotations

from pathlib import Path

from mmme.checks import check_result, check_study, check_table, check_trust
from mmme.config import RunConfig
from mmme.datasets.manifest import verify_manifest
from mmme.datasets.study import Study, open_study
from mmme.errors import AlignmentError, DataError, MmmeError
from mmme.evaluate import load_result
from mmme.features.body.signals import describe_quality, read_body
from mmme.study.evaluation import read_any_table
from mmme.study.recordings import aligned, cut_into_trials, design, findings_of
from mmme.study.sharing import validate_bids
from mmme.trials import trial_samples
from mmme.types import Finding, Trial, listed

__all__ = ["check_manifest", "check_path"]


def check_path(path: Path, *, manifest: bool = False, bids: bool = False) -> list[Finding]:
    """
    Return the findings on a study folder, a result (``.json``) or a table (``.npz``).

    Parameters
    ----------
    path
        What to check.
    manifest
        Check the files of a study against its manifest, and nothing else.
    bids
        Have the BIDS validator look at a study as well.

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
    if manifest:
        return check_manifest(path)
    study = open_study(path)
    findings = [f for f in study.findings() if f.where.split()[0] not in study.recordings]
    trials: list[Trial] = []
    for name in study.recordings:
        cut, found = _check_recording(study, name)
        findings += found
        trials += cut
    if not study.info.clips:
        findings += check_study(trials, design=design(study))
    if bids:
        findings += validate_bids(path)
    return findings


def _check_recording(study: Study, name: str) -> tuple[list[Trial], list[Finding]]:
    """Trials and findings of one recording; one that cannot be aligned or opened is a finding."""
    try:
        recording = study.recording(name)
        timeline = aligned(recording, RunConfig())
        cut = cut_into_trials(study, name, timeline)
        found = list(findings_of(study, name, recording, timeline, cut))
        if cut.trials and not study.info.clips:
            found += check_trust(describe_quality(read_body(timeline), trial_samples(cut.trials), whole=True))
        return list(cut.trials), found
    except MmmeError as error:
        code = "A001" if isinstance(error, AlignmentError) else "D010"
        met = [f for f in study.findings() if f.where.split()[0] == name]
        return [], [*met, Finding(code, "error", name, " ".join(str(error).split()))]


def check_manifest(path: Path) -> list[Finding]:
    """Compare the files of a study with its manifest: D023 for those missing, changed or new."""
    report = verify_manifest(path)
    found = []
    for what, files in (("missing", report.missing), ("changed", report.changed), ("not in the manifest", report.extra)):
        if files:
            text = f"{len(files)} of {report.n} files {what}: {listed(files)}"
            found.append(Finding("D023", "warning" if what.startswith("not") else "error", path.name, text, tuple(files)))
    return found
