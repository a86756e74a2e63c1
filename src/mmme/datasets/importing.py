"""Raw sessions -> a study: one folder per recording, whole or not at all, without names."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mmme.datasets.catalogue import DatasetInfo, dataset_info
from mmme.datasets.clips import find_clips
from mmme.datasets.coding.reading import CodingTable, read_coding_rows
from mmme.datasets.corrections import apply_corrections, read_corrections
from mmme.datasets.describing import write_study_files
from mmme.datasets.layout import Contents, RecordingFiles, recordings_of
from mmme.datasets.opening import open_session
from mmme.datasets.placing import FrameTable, place_row, session_of
from mmme.datasets.pseudonyms import Key, assign_codes, codes_from_names
from mmme.datasets.raw import RawSession, find_sessions, is_simulated, other_folders, session_hash
from mmme.datasets.writing import write_recording
from mmme.errors import ConfigError, DataError
from mmme.io.bids_tsv import read_numbers, read_tsv
from mmme.types import CodedEvent, CodingRow, Finding, listed

APART_S = 0.05  # video times of a coder are rounded to 10 ms, and a frame at 150 Hz is 7 ms

__all__ = ["ImportPlan", "ImportSummary", "finish_import", "import_session", "plan_import"]


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """
    What an import will do; holds names, so it must not be stored.

    Parameters
    ----------
    raw
        Raw folder.
    layout
        Data set, or path of a layout file.
    info
        What is known of it.
    sessions
        Sessions found, complete or not.
    key
        Subject code by name, and the secret for dates.
    coding
        Rows of the annotation tables, corrected; and what was odd about them.
    simulated
        Whether the raw folder was simulated.
    """

    raw: Path
    layout: str
    info: DatasetInfo
    sessions: tuple[RawSession, ...]
    key: Key = field(repr=False)
    coding: CodingTable = field(repr=False)
    simulated: bool

    def code(self, session: RawSession) -> str:
        """Code of a session's participant."""
        return self.key.codes[session.name]

    def recording(self, session: RawSession) -> str:
        """Name of a session's recording in the study."""
        return session.recording(self.code(session))


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """
    What an import made.

    Parameters
    ----------
    recordings
        All recordings that are complete.
    n_rows, n_placed
        Rows of the annotation tables that belong to them, and how many found their frames.
    findings
        Everything odd, rows that were not placed among it.
    totals
        Found and published number by name, for example ``{"micro": (299, 634)}``; found is None where the table does not
        say.
    """

    recordings: tuple[str, ...]
    n_rows: int
    n_placed: int
    findings: tuple[Finding, ...]
    totals: Mapping[str, tuple[int | None, int]]


def plan_import(
    raw: str | os.PathLike[str],
    out: str | os.PathLike[str],
    key_file: str | os.PathLike[str] | None,
    *,
    layout: str = "mmme",
    corrections: str | os.PathLike[str] | None = None,
) -> ImportPlan:
    """
    Find sessions, read annotation tables, and give participants codes.

    Parameters
    ----------
    raw
        Raw folder; nothing is ever written to it.
    out
        Folder of the study, made by the import.
    key_file
        CSV that links names and codes; outside ``out``. None only where names are codes already.
    layout
        Data set whose layout the raw folder has, or the path of a layout file.
    corrections
        File of corrections to the annotation tables.

    Returns
    -------
    ImportPlan
        Ready for ``import_session`` on each of ``plan.sessions``.

    Raises
    ------
    DataError
        If there is no session, or an annotation table or a correction is faulty.
    ConfigError
        If the key file lies inside the study or is missing, or the layout is faulty.
    """
    raw, out, info = Path(raw), Path(out), dataset_info(layout)
    if out.resolve() == raw.resolve() or raw.resolve() in out.resolve().parents:
        raise ConfigError(f"{out.name}: expected a study outside the raw folder, which is never written to; got one inside")
    if not raw.is_dir():
        raise DataError(f"{raw.name}: expected a folder of raw sessions, got none")
    coding = _read_tables(raw, info)
    if corrections is not None:
        rows, applied = apply_corrections(coding.rows, read_corrections(corrections))
        coding = replace(coding, rows=rows, findings=(*coding.findings, *applied))
    sessions = find_clips(raw, info, coding.rows) if info.clips else find_sessions(raw, info)
    simulated = is_simulated(raw)
    names = [s.name for s in sessions]
    own_codes = info.clips is not None or (info.sessions is not None and info.sessions.names_are_codes)
    if key_file is None and not own_codes:
        raise ConfigError(f"{raw.name}: expected a key file for the names of participants, got none; give --key FILE")
    key = codes_from_names(names) if key_file is None else assign_codes(key_file, names, study=out, shuffle=not simulated)
    return ImportPlan(raw, str(layout), info, sessions, key, coding, simulated)


def _read_tables(raw: Path, info: DatasetInfo) -> CodingTable:
    """Read the annotation tables of a raw folder: all that match the first pattern that matches any."""
    if info.coding is None:
        return CodingTable((), (Finding("D005", "note", info.key, "the layout names no annotation table"),))
    for pattern in info.coding.files:
        tables = sorted(p for p in raw.glob(pattern) if not p.name.startswith(("~", ".")))
        if tables:
            read = [read_coding_rows(table, info.coding) for table in tables]
            rows = tuple(row for table in read for row in table.rows)
            return CodingTable(rows, tuple(finding for table in read for finding in table.findings))
    raise DataError(f"{raw.name}: expected an annotation table {' or '.join(info.coding.files)}, got none")


def import_session(session: RawSession, out: str | os.PathLike[str], code: str) -> str:
    """
    Import one session; a finished one whose raw files are unchanged is kept.

    Files have another place until all are complete, so an interrupted import leaves no half-written recording.

    Parameters
    ----------
    session
        From a plan.
    out
        Folder of the study.
    code
        Code of the participant.

    Returns
    -------
    str
        Name of the recording.

    Raises
    ------
    DataError
        If the session is incomplete or a file is not what its format promises.
    """
    recording = session.recording(code)
    files = RecordingFiles(Path(out), recording)
    _refuse_mixed(files)
    source = session_hash(session)
    if files.contents.exists():
        try:
            if Contents.read(files.contents).source_sha256 == source:
                return recording
        except (DataError, TypeError):
            pass  # of an older version: written anew
    opened = open_session(session)
    partial = RecordingFiles(Path(out) / f".{recording}.partial", recording)
    shutil.rmtree(partial.study, ignore_errors=True)
    try:
        write_recording(partial, opened, source_sha256=source, findings=opened.findings)
        _publish(partial, files)
    finally:
        shutil.rmtree(partial.study, ignore_errors=True)
    return recording


def _refuse_mixed(files: RecordingFiles) -> None:
    """Keep sittings and plain recordings of a subject apart."""
    own = files.study / f"sub-{files.subject}"
    in_sittings, plain = any(own.glob("ses-*")), any(own.glob("beh/*_import.json"))
    if (files.label.startswith("ses-") and plain) or (not files.label.startswith("ses-") and in_sittings):
        raise DataError(
            f"sub-{files.subject}: expected its sittings to be numbered as at the import before, got another number of "
            "sittings; import the raw folder into a new study"
        )


def _publish(partial: RecordingFiles, files: RecordingFiles) -> None:
    """Move files to their place: the folder at once; among other clips' files, the one that completes it last."""
    if not files.label.startswith("run-"):
        old = files.folder.with_name(f".{files.folder.name}.old.partial")
        shutil.rmtree(old, ignore_errors=True)
        files.folder.parent.mkdir(parents=True, exist_ok=True)
        if files.folder.exists():
            files.folder.replace(old)
        partial.folder.replace(files.folder)
        shutil.rmtree(old, ignore_errors=True)
        return
    files.contents.unlink(missing_ok=True)
    for path in sorted(partial.folder.rglob("*"), key=lambda p: p.name == partial.contents.name):
        if path.is_file():
            place = files.folder / path.relative_to(partial.folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            path.replace(place)


def finish_import(plan: ImportPlan, out: str | os.PathLike[str], *, failed: Sequence[Finding] = ()) -> ImportSummary:
    """
    Place the coded rows of all finished recordings on their frames and write the files of the whole study.

    Parameters
    ----------
    plan
        From `plan_import`.
    out
        Folder of the study, with the recordings that `import_session` finished.
    failed
        Findings on sessions that failed.

    Returns
    -------
    ImportSummary
        Counts and findings; the findings are also in ``import_findings.tsv``.

    Raises
    ------
    DataError
        If no recording is finished, or the study holds one that this raw folder does not have.
    """
    out = Path(out)
    recordings = recordings_of(out)
    here = {plan.recording(session): session for session in plan.sessions}
    if not recordings:
        raise DataError(f"{out.name}: expected at least one imported recording, got none; did every session fail?")
    if others := [name for name in recordings if name not in here]:
        raise DataError(
            f"{out.name}: expected only recordings of {plan.raw.name}, got also {', '.join(others)}; "
            "import another raw folder into another study"
        )
    findings = [*plan.coding.findings, *failed]
    for name in recordings:
        contents = Contents.read(RecordingFiles(out, name).contents)
        findings += [Finding(f[0], f[1], f"{name} {f[2]}", f[3]) for f in contents.findings]  # type: ignore[arg-type]
    events, row_findings, n_rows = _place(plan, out, {name: here[name] for name in recordings})
    findings += row_findings
    if skipped := other_folders(plan.raw, plan.info):
        text = f"{skipped} folders are not named as sessions are, and were not imported"
        findings.append(Finding("D020", "warning", "raw folder", text))
    totals = _totals(plan.info, recordings, events)
    for name, (found, published) in totals.items():
        if found is not None and found != published:
            findings.append(Finding("D017", "note", "study", f"{name}: found {found}, published {published}"))
    dates = {name: here[name].date for name in recordings}
    write_study_files(
        out, plan.layout, plan.info, recordings, events, findings, dates, plan.key.secret, simulated=plan.simulated
    )
    return ImportSummary(recordings, n_rows, len(events), tuple(findings), totals)


def _totals(
    info: DatasetInfo, recordings: Sequence[str], events: Sequence[CodedEvent]
) -> dict[str, tuple[int | None, int]]:
    """Found and published totals."""
    kinds = [event.kind for event in events]
    unknown = any(kind is None for kind in kinds)
    found = {
        "participants": len({name.split("_")[0] for name in recordings}),
        "clips": len(recordings),
        "micro": None if unknown else kinds.count("micro"),
        "macro": None if unknown else kinds.count("macro"),
    }
    return {name: (found[name], number) for name, number in info.expected.items() if name in found}


def _place(plan: ImportPlan, out: Path, finished: Mapping[str, RawSession]) -> tuple[list[CodedEvent], list[Finding], int]:
    """Place the rows of finished recordings; every row left over has a finding."""
    by_name: dict[str, list[RawSession]] = {}
    for session in plan.sessions:
        by_name.setdefault(session.name, []).append(session)
    tables: dict[str, FrameTable | None] = {}
    events: list[CodedEvent] = []
    findings: list[Finding] = []
    apart: list[str] = []
    elsewhere: Counter[tuple[str, str]] = Counter()
    for row in plan.coding.rows:
        sheet = row.source.rsplit(":", 1)[0]
        own = by_name.get(row.subject, [])
        if not own:
            elsewhere[sheet, "participants without a session"] += 1
            continue
        code = plan.key.codes[row.subject]
        sitting = session_of(row, own)
        if isinstance(sitting, str):
            findings.append(Finding("D009", "warning", f"{code} {row.source}", f"not placed: {sitting}"))
            continue
        name = sitting.recording(code)
        if name not in finished:
            elsewhere[sheet, "recordings whose import is not finished"] += 1
            continue
        placed = _place_one(plan, out, row, name, sitting, tables)
        if isinstance(placed, str):
            findings.append(Finding("D009", "warning", f"{name} {row.source}", f"not placed: {placed}"))
        else:
            events.append(placed)
            table = tables[name]
            assert table is not None
            if abs(_longer_by_s(row, placed, table)) > APART_S:
                apart.append(row.source)
    if apart:
        text = (
            f"{len(apart)} of {len(events)} events last over {1e3 * APART_S:.0f} ms more or less by the clock of the "
            f"frames than by the times of the table, which are not used: {listed(apart)}"
        )
        findings.append(Finding("D012", "note", "coding", text, tuple(apart)))
    for (sheet, whose), n in sorted(elsewhere.items()):
        findings.append(Finding("D009", "note", sheet, f"not placed: {n} rows of {whose}"))
    return events, findings, len(plan.coding.rows) - sum(elsewhere.values())


def _longer_by_s(row: CodingRow, placed: CodedEvent, table: FrameTable) -> float:
    """Return how much longer an event lasts by the clock of its frames than by the times beside them in the table [s]."""
    first, last = row.onset, row.offset
    if first is None or last is None or first.stamp is None or first.t_s is None or last.t_s is None:
        return 0.0
    by_clock_s = float(table.t_s[placed.offset_frame] - table.t_s[placed.onset_frame])
    return by_clock_s - (last.t_s - first.t_s)


def _place_one(
    plan: ImportPlan, out: Path, row: CodingRow, name: str, session: RawSession, tables: dict[str, FrameTable | None]
) -> CodedEvent | str:
    """Place one row in a finished recording."""
    if name not in tables:
        tables[name] = _frame_table(RecordingFiles(out, name))
    table = tables[name]
    if table is None:
        return "expected a recording with a video, got one without"
    return place_row(row, table, subject=plan.key.codes[row.subject], label=session.label, info=plan.info)


def _frame_table(files: RecordingFiles) -> FrameTable | None:
    """Frames of a finished recording."""
    if not files.frames.exists():
        return None
    there = read_tsv(files.frames).keys()
    wanted = [name for name in ("t_s", "number", "host_s", "code", "marker") if name in there]
    table = read_numbers(files.frames, wanted)
    whole = {name: table[name].astype(np.int64) for name in ("number", "code", "marker") if name in table}
    number = whole.get("number", np.arange(len(table["t_s"])))
    return FrameTable(table["t_s"], number, table.get("host_s"), whole.get("code"), whole.get("marker"))
