"""From raw sessions to a study on disk."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from mmme.datasets.importing import ImportSummary, finish_import, import_session, plan_import
from mmme.errors import DataError
from mmme.workers import Workers

__all__ = ["import_study"]


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
    outcomes = workers.as_completed(partial(import_session, out=study, codes=plan.codes), plan.sessions)
    for done, outcome in enumerate(outcomes, start=1):
        if outcome.error:
            failures.append((outcome.item.label, outcome.error))
        if step:
            step("import", done, len(plan.sessions))
    if len(failures) == len(plan.sessions):
        reasons = "\n".join(f"  - {why}" for _, why in failures)
        raise DataError(f"{raw}: expected at least one session that can be imported, got none\n{reasons}")
    return finish_import(plan, study), failures
