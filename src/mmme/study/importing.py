"""From raw sessions to a study on disk."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mmme.datasets.importing import ImportSummary, finish_import, import_session, plan_import
from mmme.datasets.raw import RawSession
from mmme.errors import DataError, MmmeError
from mmme.workers import Workers

__all__ = ["import_study"]


@dataclass(frozen=True, slots=True)
class ImportJob:
    """One session to import: where it lies, the study's folder, and its subject's code; no other subject's."""

    session: RawSession
    study: Path
    code: str


def import_one(job: ImportJob) -> str:
    """
    Import one session; whatever goes wrong is told without the participant's name.

    Raises
    ------
    DataError
        With the sentence that says why.
    """
    name = job.session.name
    try:
        return import_session(job.session, job.study, {name: job.code})
    except Exception as error:
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        text = re.sub(re.escape(name), job.code, text, flags=re.IGNORECASE)
        known = isinstance(error, MmmeError)
        raise DataError(text if known else f"{job.session.label}: {type(error).__name__}: {text}") from None


def import_study(
    raw: Path,
    study: Path,
    *,
    key: Path,
    workers: Workers,
    step: Callable[[str, int, int], None] | None = None,
) -> tuple[ImportSummary, list[tuple[str, str]]]:
    """
    Import all raw sessions; one that fails is reported and costs no other.

    Parameters
    ----------
    raw
        Folder of raw sessions and their annotation sheet.
    study
        Folder of the data set; made when missing, completed when there.
    key
        CSV of names and codes, outside the study.
    workers
        Where sessions are imported.
    step
        Called with the task's name, sessions done, and all.

    Returns
    -------
    summary : ImportSummary
        Subjects, rows placed, findings, totals found against published ones.
    failures
        Session and the sentence that says why it failed.

    Raises
    ------
    DataError
        If there is no session, or none could be imported.
    """
    plan = plan_import(raw, study, key)
    study.mkdir(parents=True, exist_ok=True)
    failures: list[tuple[str, str]] = []
    jobs = [ImportJob(session, study, plan.codes[session.name]) for session in plan.sessions]
    for done, outcome in enumerate(workers.as_completed(import_one, jobs), start=1):
        if outcome.error:
            failures.append((outcome.item.session.label, outcome.error))
        if step:
            step("import", done, len(plan.sessions))
    if len(failures) == len(plan.sessions):
        reasons = "\n".join(f"  - {why}" for _, why in failures)
        raise DataError(f"{raw}: expected at least one session that can be imported, got none\n{reasons}")
    return finish_import(plan, study), failures
