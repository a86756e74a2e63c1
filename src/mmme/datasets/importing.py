"""Raw sessions -> a study: one folder per subject, whole or not at all, without names."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmme.datasets.catalogue import dataset_info
from mmme.datasets.layout import FORMAT, SubjectFiles, write_study_files
from mmme.datasets.placing import TrialFrames, place_row
from mmme.datasets.pseudonyms import assign_codes
from mmme.datasets.raw import (
    OpenSession,
    RawSession,
    find_sessions,
    is_simulated,
    open_session,
    other_folders,
    session_hash,
)
from mmme.errors import DataError
from mmme.io.bids_tsv import read_json, read_numbers, write_json, write_tsv
from mmme.io.brainvision import write_brainvision
from mmme.io.coding_xlsx import CodingRow, read_coding_xlsx
from mmme.io.image import read_grey
from mmme.io.physio_tsv import write_physio
from mmme.io.video import write_ffv1
from mmme.types import CodedEvent

__all__ = ["ImportFinding", "ImportPlan", "ImportSummary", "finish_import", "import_session", "plan_import"]

_BLOCK = 50_000  # samples of EEG held at a time
_DESCRIPTIONS = {
    "ppg": "Photoplethysmogram",
    "rsp": "Respiration belt",
    "eda": "Skin conductance",
    "ecg": "Electrocardiogram",
    "emg": "Electromyogram, first sensor",
    "emg_b": "Electromyogram, second sensor",
    "skt": "Skin temperature, first sensor",
    "skt_b": "Skin temperature, second sensor",
}


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """
    What an import will do; holds names, so it must not be stored.

    Parameters
    ----------
    raw
        Raw folder.
    sessions
        Sessions found, complete or not.
    codes
        Subject code by name.
    layout
        Data set.
    simulated
        Whether the raw folder was simulated.
    """

    raw: Path
    sessions: tuple[RawSession, ...]
    codes: Mapping[str, str]
    layout: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class ImportFinding:
    """Something odd met during import: subject code (empty for the whole study), place, and one sentence."""

    subject: str
    source: str
    text: str


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """
    What an import made.

    Parameters
    ----------
    subjects
        Codes of all subjects that are complete.
    n_rows, n_placed
        Rows of the coding sheet that belong to them, and how many found their frames.
    findings
        Everything odd, rows that were not placed among it.
    totals
        Found and published number by name, for example ``{"micro": (299, 634)}``; found is None where the sheet does not
        say.
    """

    subjects: tuple[str, ...]
    n_rows: int
    n_placed: int
    findings: tuple[ImportFinding, ...]
    totals: Mapping[str, tuple[int | None, int]]


def plan_import(
    raw: str | os.PathLike[str], out: str | os.PathLike[str], key_file: str | os.PathLike[str], *, layout: str = "mmme"
) -> ImportPlan:
    """
    Find sessions and give their participants codes.

    Parameters
    ----------
    raw
        Raw folder.
    out
        Folder of the study, made by the import.
    key_file
        CSV that links names and codes; outside ``out``.
    layout
        Data set whose layout the raw folder has.

    Returns
    -------
    ImportPlan
        Ready for ``workers.map(partial(import_session, out=out, codes=plan.codes), plan.sessions)``.

    Raises
    ------
    DataError
        If there is no session.
    ConfigError
        If the key file lies inside the study.
    """
    sessions = find_sessions(raw, layout=layout)
    simulated = is_simulated(raw)
    codes = assign_codes(key_file, [s.name for s in sessions], study=out, shuffle=not simulated)
    return ImportPlan(Path(raw), sessions, codes, layout, simulated)


def import_session(session: RawSession, out: str | os.PathLike[str], codes: Mapping[str, str]) -> str:
    """
    Import one session as ``sub-<code>``; a finished one whose raw files are unchanged is kept.

    The folder has another name until it is complete, so an interrupted import leaves no half-written subject.

    Parameters
    ----------
    session
        From `find_sessions`.
    out
        Folder of the study.
    codes
        Subject code by name.

    Returns
    -------
    str
        Subject code.

    Raises
    ------
    DataError
        If the session is incomplete or a file is not what its format promises.
    """
    code = codes[session.name]
    folder = Path(out) / f"sub-{code}"
    partial = folder.with_name(folder.name + ".partial")
    source = session_hash(session)
    if folder.is_dir() and SubjectFiles(folder, code).source_sha256() == source:
        return code
    opened = open_session(session)
    shutil.rmtree(partial, ignore_errors=True)
    try:
        files = SubjectFiles(partial, code)
        for place in ("eeg", "beh"):
            (partial / place).mkdir(parents=True)
        try:
            _write_eeg(files, opened)
            _write_biopac(files, opened)
            _write_camera(files, opened)
            _write_markers(files, opened, dataset_info(session.layout).idle)
        except DataError as error:
            raise DataError(f"{session.label}: {error}") from None
        findings = [text.replace(session.name, "*") for text in opened.findings]
        _write_video_sidecar(files, opened, source, findings)
        old = folder.with_name(folder.name + ".old.partial")
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.replace(old)
        partial.replace(folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return code


def _write_eeg(files: SubjectFiles, opened: OpenSession) -> None:
    """Write the EEG files; annotations outside the data stay in the table of markers only."""
    eeg = opened.eeg
    n = len(eeg.x)
    inside = (eeg.t >= 0) & (np.rint(eeg.t * eeg.fs) < n) & (eeg.codes > 0)
    blocks = (eeg.x[start : start + _BLOCK] for start in range(0, n, _BLOCK))
    write_brainvision(files.eeg, blocks, eeg.fs, eeg.channels, marker_t_s=eeg.t[inside], marker_codes=eeg.codes[inside])
    units = ["µV"] * len(eeg.channels)
    write_tsv(files.channels, {"name": eeg.channels, "type": eeg.types, "units": units})
    content = {
        "TaskName": "me",
        "SamplingFrequency": eeg.fs,
        "EEGReference": "n/a",
        "PowerLineFrequency": "n/a",
        "SoftwareFilters": "n/a",
        "EEGChannelCount": sum(kind in ("EEG", "REF") for kind in eeg.types),
        "RecordingDuration": n / eeg.fs,
        "RecordingType": "continuous",
    }
    write_json(files.eeg.with_suffix(".json"), content)


def _write_biopac(files: SubjectFiles, opened: OpenSession) -> None:
    """Write the peripheral signals on their own clock."""
    biopac = opened.biopac
    more = {
        "Manufacturer": "BIOPAC",
        "Clock": "StartTime and rate are of the device's own clock; markers.tsv links the clocks of the devices.",
        "InitialTriggerValue": opened.lines.initial,
    }
    write_physio(
        files.physio,
        biopac.signals,
        biopac.units,
        fs=biopac.fs,
        t0_s=biopac.t0_s,
        descriptions=_DESCRIPTIONS,
        more=more,
    )


def _write_camera(files: SubjectFiles, opened: OpenSession) -> None:
    """Write the video and one row per frame."""
    frames, clock = opened.frames, opened.clock
    folder = str(frames.folder)
    images = (read_grey(f"{folder}/{name}") for name in frames.names)
    write_ffv1(files.video, images, clock.t_s)
    write_tsv(
        files.frames,
        {
            "frame": range(len(frames)),
            "code": frames.code.tolist(),
            "marker": frames.marker.tolist(),
            "host_s": [f"{value:.3f}" for value in frames.host_s.tolist()],
            "t_s": [f"{value:.6f}" for value in clock.t_s.tolist()],
            "uncertainty_s": [f"{value:.6f}" for value in clock.uncertainty_s.tolist()],
        },
    )


def _write_markers(files: SubjectFiles, opened: OpenSession, idle: int) -> None:
    """Write all trigger changes, each on the clock of its device."""
    rows = [
        (device, f"{t:.6f}", int(code))
        for device, markers in opened.markers(idle).items()
        for t, code in zip(markers.t.tolist(), markers.codes.tolist(), strict=True)
    ]
    write_tsv(files.markers, {name: [row[k] for row in rows] for k, name in enumerate(("device", "t_s", "code"))})


def _write_video_sidecar(files: SubjectFiles, opened: OpenSession, source: str, findings: list[str]) -> None:
    """Write what is known of the video, and what the subject was made from."""
    content = {
        "TaskName": "me",
        "VideoCodec": "ffv1",
        "VideoFrameRate": round(1 / opened.clock.period_s, 6),
        "VideoFrameCount": len(opened.frames),
        "Description": "One frame per camera frame; exact times are in frames.tsv.",
        "mmme": {"format": FORMAT, "source_sha256": source, "findings": findings},
    }
    write_json(files.video_json, content)


def finish_import(plan: ImportPlan, out: str | os.PathLike[str]) -> ImportSummary:
    """
    Place the coded rows of all finished subjects on their frames and write the files of the whole study.

    Parameters
    ----------
    plan
        From `plan_import`.
    out
        Folder of the study, with the subjects that `import_session` finished.

    Returns
    -------
    ImportSummary
        Counts and findings; the findings are also in ``import_findings.tsv``.

    Raises
    ------
    DataError
        If no subject is finished, the study holds a subject that this raw folder does not have, or the coding sheet is
        missing or faulty.
    """
    out, info = Path(out), dataset_info(plan.layout)
    finished = {p.name.removeprefix("sub-") for p in out.glob("sub-*") if p.is_dir() and not p.name.endswith(".partial")}
    here = {plan.codes[session.name] for session in plan.sessions}
    if not finished:
        raise DataError(f"{out.name}: expected at least one imported subject, got none; did every session fail?")
    if finished - here:
        raise DataError(
            f"{out.name}: expected only subjects of {plan.raw.name}, got also {', '.join(sorted(finished - here))}; "
            "import another raw folder into another study"
        )
    subjects = tuple(sorted(finished))
    findings = [f for subject in subjects for f in _session_findings(out, subject)]
    sheet = next((plan.raw / name for name in info.coding if (plan.raw / name).is_file()), None)
    if sheet is None:
        raise DataError(f"{plan.raw.name}: expected a coding sheet {' or '.join(info.coding)}, got none")
    rows = read_coding_xlsx(sheet)
    events, row_findings, n_rows = _place(plan, out, subjects, sheet.name, rows)
    findings += row_findings
    if skipped := other_folders(plan.raw, layout=plan.layout):
        text = f"{skipped} folders are not named <name><YYYYMMDD> in lower case and were not imported"
        findings.append(ImportFinding("", "raw folder", text))
    write_study_files(out, info, subjects, events, [(f.subject, f.source, f.text) for f in findings], plan.simulated)
    kinds = [event.kind for event in events]
    unknown = any(kind is None for kind in kinds)
    found = {
        "participants": len(subjects),
        "micro": None if unknown else kinds.count("micro"),
        "macro": None if unknown else kinds.count("macro"),
    }
    totals = {name: (found[name], number) for name, number in info.expected.items() if name in found}
    return ImportSummary(subjects, n_rows, len(events), tuple(findings), totals)


def _session_findings(out: Path, subject: str) -> Iterator[ImportFinding]:
    """Yield what was odd in the files of a subject."""
    sidecar = read_json(SubjectFiles(out / f"sub-{subject}", subject).video_json)
    for text in sidecar.get("mmme", {}).get("findings", []):
        device, _, sentence = text.partition(": ")
        yield ImportFinding(subject, device, sentence)


def _place(
    plan: ImportPlan, out: Path, subjects: tuple[str, ...], sheet: str, rows: tuple[CodingRow, ...]
) -> tuple[list[CodedEvent], list[ImportFinding], int]:
    """Place the rows of finished subjects; every row left over has a finding."""
    info = dataset_info(plan.layout)
    dates = {plan.codes[session.name]: session.date for session in plan.sessions}
    frames = {subject: _trial_frames(out, subject) for subject in subjects}
    events, findings = [], []
    others: dict[str, int] = {}
    for row in rows:
        subject, source = plan.codes.get(row.name, ""), f"{sheet}:{row.row}"
        if subject not in frames:
            others[subject] = others.get(subject, 0) + 1
            continue
        if f"{row.date:%Y%m%d}" != dates[subject]:
            findings.append(
                ImportFinding(subject, source, "not placed: expected the day of the imported session, got another")
            )
            continue
        placed = place_row(row, frames[subject], subject=subject, source=source, info=info)
        if isinstance(placed, str):
            findings.append(ImportFinding(subject, source, f"not placed: {placed}"))
        else:
            events.append(placed)
    for subject, n in sorted(others.items()):
        whose = "a subject whose import is not finished" if subject else "participants without a session"
        findings.append(ImportFinding(subject, sheet, f"not placed: {n} rows of {whose}"))
    return events, findings, len(rows) - sum(others.values())


def _trial_frames(out: Path, subject: str) -> dict[int, TrialFrames]:
    """Frames of a finished subject by trigger value."""
    table = read_numbers(SubjectFiles(out / f"sub-{subject}", subject).frames, ("host_s", "code", "marker"))
    code, marker = (_whole(table[name]) for name in ("code", "marker"))
    return TrialFrames.by_marker(table["host_s"], code, marker)


def _whole(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return values.astype(np.int64)
