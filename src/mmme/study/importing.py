"""From raw sessions to a study on disk that can be shared."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mmme.config import RunConfig
from mmme.datasets.events import trial_events
from mmme.datasets.importing import ImportPlan, ImportSummary, finish_import, import_session, plan_import
from mmme.datasets.layout import TASK
from mmme.datasets.leaks import find_leaks
from mmme.datasets.manifest import write_manifest
from mmme.datasets.raw import RawSession
from mmme.datasets.study import Study, open_study
from mmme.errors import DataError, MmmeError
from mmme.io.bids_tsv import write_json, write_tsv
from mmme.study.recordings import aligned, cut_into_trials
from mmme.study.sharing import public_texts
from mmme.trials import rule_kind
from mmme.types import Finding
from mmme.workers import Workers

__all__ = ["Imported", "import_study"]


@dataclass(frozen=True, slots=True)
class ImportJob:
    """One session to import: where it lies, the study's folder, and its subject's code; no other subject's."""

    session: RawSession
    study: Path
    code: str


@dataclass(frozen=True, slots=True)
class Imported:
    """
    What an import made.

    Parameters
    ----------
    summary
        Recordings, rows placed, findings, totals found against published ones.
    failures
        The sentence that says why, for each session that failed.
    n_files
        Files in the manifest.
    """

    summary: ImportSummary
    failures: tuple[str, ...]
    n_files: int


def import_one(job: ImportJob) -> str:
    """
    Import one session; whatever goes wrong is told without the participant's name.

    Raises
    ------
    DataError
        With the sentence that says why.
    """
    try:
        return import_session(job.session, job.study, job.code)
    except Exception as error:
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        text = re.sub(re.escape(job.session.name), job.code, text, flags=re.IGNORECASE)
        known = isinstance(error, MmmeError)
        raise DataError(text if known else f"{job.session.place}: {type(error).__name__}: {text}") from None


def import_study(
    raw: Path,
    study: Path,
    *,
    key: Path | None,
    workers: Workers,
    layout: str = "mmme",
    corrections: Path | None = None,
    step: Callable[[str, int, int], None] | None = None,
) -> Imported:
    """
    Import all raw sessions; one that fails is reported and costs no other.

    The raw folder is never written to. What is finished is scanned for names, dates and paths; then a manifest with the
    hash of every file is written.

    Parameters
    ----------
    raw
        Folder of raw sessions and their annotation table.
    study
        Folder of the data set; made when missing, completed when there.
    key
        CSV of names and codes, outside the study; None only where names are codes already.
    workers
        Where sessions are imported.
    layout
        Data set, or path of a layout file.
    corrections
        Corrections of the annotation table.
    step
        Called with the task's name, sessions done, and all.

    Returns
    -------
    Imported
        What was made, and what failed.

    Raises
    ------
    DataError
        If there is no session, none could be imported, or the finished study holds a name, a date or a path; it is then
        without a manifest, and nothing is deleted.
    """
    plan = plan_import(raw, study, key, layout=layout, corrections=corrections)
    study.mkdir(parents=True, exist_ok=True)
    failures: list[str] = []
    jobs = [ImportJob(session, study, plan.code(session)) for session in plan.sessions]
    for done, outcome in enumerate(workers.as_completed(import_one, jobs), start=1):
        if outcome.error:
            failures.append(outcome.error)
        if step:
            step("import", done, len(plan.sessions))
    if len(failures) == len(plan.sessions):
        reasons = "\n".join(f"  - {why}" for why in failures)
        raise DataError(f"{raw}: expected at least one session that can be imported, got none\n{reasons}")
    (study / "manifest-sha256.txt").unlink(missing_ok=True)
    failed = [Finding("D020", "error", "import", _without_days(why, plan)) for why in failures]
    summary = finish_import(plan, study, failed=failed)
    summary = replace(summary, findings=(*summary.findings, *write_events(open_study(study))))
    refuse_leaks(study, plan)
    return Imported(summary, tuple(failures), write_manifest(study))


def _without_days(text: str, plan: ImportPlan) -> str:
    """Take days of recording, by which messages tell folders apart, out of what is kept in the study."""
    for date in {session.date for session in plan.sessions if session.date}:
        text = text.replace(f" (folder *{date})", "").replace(date, "*")
    return " ".join(text.split())


def write_events(study: Study) -> tuple[Finding, ...]:
    """
    Write ``_events.tsv`` beside the EEG (or the video) of every recording: trials and coded expressions in its time.

    Returns
    -------
    tuple of Finding
        A001 for each recording whose devices cannot be aligned; it gets no events.
    """
    findings = []
    limits = study.info.kind
    rule = partial(rule_kind, micro_total_s=limits.micro_total_s, micro_apex_s=limits.micro_apex_s)
    for name in study.recordings:
        files = study.files(name)
        beside_eeg = files.eeg.exists()
        path = files.events(beside_eeg=beside_eeg)
        sidecar = path.with_suffix(".json")
        path.unlink(missing_ok=True)
        sidecar.unlink(missing_ok=True)
        try:
            timeline = aligned(study.recording(name), RunConfig())
            zero_s = timeline.stream("eeg" if beside_eeg else "video").span.start
            trials = cut_into_trials(study, name, timeline).trials
            task = None if beside_eeg else {"TaskName": TASK}
            columns, told = trial_events(trials, zero_s=zero_s, rule=rule, task=task)
        except MmmeError as error:
            findings.append(Finding("A001", "error", name, f"no events: {' '.join(str(error).split())}"))
            continue
        write_tsv(path, columns)
        write_json(sidecar, told)
    return tuple(findings)


def refuse_leaks(study: Path, plan: ImportPlan) -> None:
    """Scan the finished study for what must not leave the laboratory; `DataError` with all places."""
    own_codes = not plan.key.secret
    names = {} if own_codes else plan.key.codes
    dates = sorted({s.date for s in plan.sessions if s.date})
    public = (*public_texts(study), plan.info.citation, plan.info.title)
    leaks = find_leaks(study, names=names, dates=dates, public=[text for text in public if text])
    if leaks:
        lines = "\n".join(f"  - {leak}" for leak in leaks[:20])
        more = f"\n  - ... and {len(leaks) - 20} more" if len(leaks) > 20 else ""
        raise DataError(
            f"{study.name}: expected no name, date or path of the laboratory in the study, got {len(leaks)}; nothing was "
            "deleted, and no manifest was written; mend the raw file that it comes from (a channel's label, a cell of the "
            f"annotation table) in a copy, and import that\n{lines}{more}"
        )
