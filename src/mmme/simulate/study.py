"""
A simulated study: sessions of many subjects, the coding sheet, and the planted truth.

``truth.json`` marks the study as simulated from the first moment. **True time 0 is the start of the stimulus program of
that session**, in seconds; every time in it is true time unless its name says otherwise.

::

    simulated    true
    plan         the fields of StudyPlan
    sessions     once all are written, one per subject:
      name, date        of the session folder
      clocks            device -> rate, intercept_s;  true = rate * device + intercept_s. Device time of eeg and biopac is
                        sample / nominal rate; of camera, seconds since midnight as in the file names
      trials            marker, emotion, video, start_s, stop_s of each stimulus, as shown
      expressions       trial (index), kind, emotion, aus, onset_s, apex_s, offset_s, amplitude_px
      responses         planted reactions, one per expression (see Response);  gain: of this subject
      beats_s, blinks_s R peaks; start and length of each blink
      camera            phase_s, period_s: exposure k is at phase_s + k * period_s;  exposures: first and last k around each
                        trial;  dropped: every lost k (true_frame_times gives the times of the saved frames)
      landmarks_px      of the neutral face with the head at rest
      faults            skipped_trial, lost_marker, doubled_marker: the trigger code concerned, or null
      coded             one per row of the sheet: sheet_row (from 1; the heading is row 1), coder, kind, trial,
                        expression (index, null where the coder invented it), ms_only
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmme.errors import ConfigError, DataError, raise_faults
from mmme.simulate.coding import CodedRow, sheet_order, write_coding_sheet
from mmme.simulate.plan import StudyPlan
from mmme.simulate.session import SessionJob, read_session, session_name, simulate_session
from mmme.workers import Workers

__all__ = ["simulate_study"]


def _write_truth(out: Path, truth: dict[str, Any]) -> None:
    """Replace ``truth.json`` in one step."""
    partial = out / "truth.json.partial"
    partial.write_text(json.dumps(truth, ensure_ascii=False, indent=1), encoding="utf-8")
    partial.replace(out / "truth.json")


def _claim(out: Path, plan: StudyPlan) -> bool:
    """Make ``out`` ours, or find that it is; True when the study in it is complete. Raise where it is something else."""
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out}: expected a folder, got a file; choose another place for the simulated study")
    out.mkdir(parents=True, exist_ok=True)
    path = out / "truth.json"
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        wanted = asdict(plan)
        if found.get("plan") != wanted:
            old = found.get("plan", {})
            other = ", ".join(f"{k} {old.get(k)} (wanted {v})" for k, v in wanted.items() if old.get(k) != v)
            raise ConfigError(
                f"{out}: expected an empty folder or the same plan, got a study with {other}; choose another folder"
            )
        folders = ["".join(session_name(plan, subject)) for subject in range(plan.subjects)]
        return bool(found.get("sessions")) and all((out / folder).is_dir() for folder in folders)
    if any(out.iterdir()):
        raise ConfigError(
            f"{out}: expected an empty folder, got files that are not a simulated study; choose another folder"
        )
    _write_truth(out, {"simulated": True, "plan": asdict(plan), "sessions": []})
    return False


def simulate_study(
    out: Path,
    plan: StudyPlan,
    *,
    workers: Workers | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Path:
    """
    Write a whole raw study in the files of the MMME release, with planted truth.

    Finished sessions in ``out`` are kept when they come from the same plan, so an interrupted run can be repeated.

    Parameters
    ----------
    out
        Folder for the study: empty, new, or with a study of the same plan.
    plan
        What it contains; equal plans give equal files whichever way they are run.
    workers
        Where sessions are written; inline when None.
    progress
        Called with the session's folder name, the number of finished sessions and the number of all.

    Returns
    -------
    Path
        ``out``.

    Raises
    ------
    ConfigError
        If ``out`` holds anything else, or a study of another plan.
    DataError
        Once for all sessions that could not be written; the others are kept.

    Examples
    --------
    >>> import tempfile
    >>> plan = StudyPlan(subjects=1, trials=1, video_fps=20.0, frame_px=48, trial_s=3.0, eeg_hz=250, biopac_hz=250)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     out = simulate_study(Path(folder) / "raw", plan)
    ...     sorted(p.suffix for p in out.iterdir() if p.is_file())
    ['.json', '.xlsx']
    """
    out = Path(out)
    if _claim(out, plan):
        return out
    jobs = [SessionJob(out, plan, subject) for subject in range(plan.subjects)]
    faults = []
    for done, outcome in enumerate((workers or Workers()).as_completed(simulate_session, jobs), start=1):
        name = "".join(session_name(plan, outcome.item.subject))
        if outcome.error:
            faults.append(f"session {name}: {outcome.error}")
        if progress is not None:
            progress(name, done, len(jobs))
    raise_faults(str(out), faults, error=DataError)

    truths: list[dict[str, Any]] = []
    rows: list[CodedRow] = []
    for job in jobs:
        truth, coded = read_session(out / "".join(session_name(plan, job.subject)))
        truths.append(truth | {"coded": []})
        rows += coded
    rows = sheet_order(rows)
    ms_only = set(write_coding_sheet(out, rows, combined=plan.combined_sheet)["ms_only"])
    by_name = {(truth["name"], truth["date"]): truth for truth in truths}
    for sheet_row, row in enumerate(rows, start=2):
        link = {"sheet_row": sheet_row, "coder": row.coder, "kind": row.kind, "trial": row.trial}
        link |= {"expression": row.expression, "ms_only": sheet_row in ms_only}
        by_name[row.name, row.date]["coded"].append(link)
    _write_truth(out, {"simulated": True, "plan": asdict(plan), "sessions": truths})
    return out
