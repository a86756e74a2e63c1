"""The files that describe a study as a whole."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmme.datasets.catalogue import DatasetInfo, layout_text
from mmme.datasets.dates import shifted
from mmme.datasets.layout import CODED_COLUMNS, Contents, RecordingFiles, cell
from mmme.io.bids_tsv import write_json, write_tsv
from mmme.types import CodedEvent, Finding

__all__ = ["FINDING_COLUMNS", "write_study_files"]

FINDING_COLUMNS = ("code", "level", "where", "text")
_IGNORED = (
    "coding.tsv",
    "coding.json",
    "consensus.tsv",
    "import_findings.tsv",
    "manifest-sha256.txt",
    "*_video.*",
    "*_frames.tsv",
    "*_markers.tsv",
    "*_import.json",
    "*_samples.*",
    "*.partial",
)


def write_study_files(
    out: Path,
    layout: str,
    info: DatasetInfo,
    recordings: Sequence[str],
    events: Sequence[CodedEvent],
    findings: Sequence[Finding],
    dates: Mapping[str, str],
    secret: str,
    *,
    simulated: bool,
) -> None:
    """
    Write what describes the study as a whole; its description last, so that a study with one is complete.

    Parameters
    ----------
    out
        Folder of the study.
    layout
        Data set, or path of the layout file; its text is kept in ``code/layout.toml``.
    info
        Data set.
    recordings
        Finished recordings.
    events
        Their coded events.
    findings
        What was odd.
    dates
        Day of recording (``YYYYMMDD``, or empty) by recording; stored only after it was shifted.
    secret
        From the key file; the shift of dates is derived from it.
    simulated
        Whether the data were simulated.
    """
    columns = {name: [cell(getattr(event, name)) for event in events] for name in CODED_COLUMNS}
    write_tsv(out / "coding.tsv", columns)
    write_json(out / "coding.json", {name: {"Description": text} for name, text in CODED_COLUMNS.items()})
    rows = [(f.code, f.level, f.where, " ".join(f.text.split())) for f in findings]
    write_tsv(out / "import_findings.tsv", {name: [row[k] for row in rows] for k, name in enumerate(FINDING_COLUMNS)})
    _write_participants(out, recordings)
    _write_scans(out, recordings, dates, secret)
    (out / ".bidsignore").write_text("\n".join(_IGNORED) + "\n", encoding="utf-8")
    (out / "code").mkdir(exist_ok=True)
    (out / "code" / "layout.toml").write_text(layout_text(layout)[1], encoding="utf-8")
    digest = hashlib.sha256((out / "coding.tsv").read_bytes())
    for name in recordings:
        digest.update(f"{name}:{Contents.read(RecordingFiles(out, name).contents).source_sha256}\n".encode())
    _write_description(out, info, digest.hexdigest(), simulated=simulated)


def _write_participants(out: Path, recordings: Sequence[str]) -> None:
    """One row per participant, with the number of its recordings."""
    subjects = [RecordingFiles(out, name).subject for name in recordings]
    counts = {subject: subjects.count(subject) for subject in dict.fromkeys(subjects)}
    write_tsv(
        out / "participants.tsv",
        {"participant_id": [f"sub-{code}" for code in counts], "n_recordings": list(counts.values())},
    )
    told = {
        "participant_id": {"Description": "Code of the participant; the key that links it to a person is not in the study"},
        "n_recordings": {"Description": "Sittings or clips of the participant", "Units": "1"},
    }
    write_json(out / "participants.json", told)


def _write_scans(out: Path, recordings: Sequence[str], dates: Mapping[str, str], secret: str) -> None:
    """One row per EEG file, with its shifted day where the day is known."""
    by_folder: dict[tuple[Path, str], list[tuple[str, str]]] = {}
    for name in recordings:
        files = RecordingFiles(out, name)
        if not files.eeg.exists():
            continue
        entities = f"sub-{files.subject}" + (f"_{files.label}" if files.label.startswith("ses-") else "")
        rows = by_folder.setdefault((files.folder, entities), [])
        rows.append((files.eeg.relative_to(files.folder).as_posix(), _shifted(dates[name], secret, files.subject)))
    for (folder, entities), rows in by_folder.items():
        columns = {"filename": [row[0] for row in rows], "acq_time": [row[1] for row in rows]}
        write_tsv(folder / f"{entities}_scans.tsv", columns)


def _shifted(day: str, secret: str, subject: str) -> str:
    """Day of recording, moved by the subject's shift; unknown without a day or a secret."""
    if len(day) != 8 or not secret:
        return ""
    moment = dt.datetime(int(day[:4]), int(day[4:6]), int(day[6:]))  # noqa: DTZ001 - a calendar day has no zone
    return shifted(moment, secret, subject).isoformat()


def _write_description(out: Path, info: DatasetInfo, sha256: str, *, simulated: bool) -> None:
    """Write README and dataset_description.json."""
    name = f"{info.name} (simulated)" if simulated else info.name
    authors = [] if simulated else [author.strip() for author in info.citation.split("(")[0].split(",") if author.strip()]
    licence = "none: simulated data" if simulated else info.licence
    lines = [
        name,
        "",
        info.title,
        info.citation,
        "",
        f"Licence: {licence}",
        "",
        "Every device keeps its own clock: *_markers.tsv holds the trigger values that each of them saw, *_frames.tsv the",
        "time of every video frame with its uncertainty. *_events.tsv gives trials and coded expressions in the time of",
        "the file it lies beside. coding.tsv holds the rows of all coders as they were placed, import_findings.tsv what",
        "was odd. Days in *_scans.tsv are shifted by a secret number, the same for all recordings of a participant.",
    ]
    (out / "README").write_text("\n".join(lines) + "\n", encoding="utf-8")
    content = {
        "Name": name,
        "BIDSVersion": "1.11.1",
        "DatasetType": "raw",
        "License": licence,
        **({"HowToAcknowledge": info.citation} if info.citation else {}),
        **({"ReferencesAndLinks": [info.url], "SourceDatasets": [{"URL": info.url}]} if info.url else {}),
        **({"Authors": authors} if len(authors) > 1 else {}),
        "GeneratedBy": [{"Name": "mmme"}],
        "mmme": {"simulated": simulated, "layout": info.key, "source_sha256": sha256},
    }
    write_json(out / "dataset_description.json", content)
