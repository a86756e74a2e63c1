"""Where the files of a study are, and those that describe it as a whole."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmme.datasets.catalogue import DatasetInfo
from mmme.errors import DataError, raise_faults
from mmme.io.bids_tsv import read_json, read_tsv, write_json, write_tsv
from mmme.types import CodedEvent, Kind

__all__ = ["FORMAT", "SubjectFiles", "read_coding", "write_study_files"]

FORMAT = "1"
"""Changes when the files of a subject are written differently, so that old ones are imported anew."""

_IGNORED = ("coding.tsv", "coding.json", "import_findings.tsv", "*_video.*", "*_frames.tsv", "*_markers.tsv", "*.partial")
_COLUMNS = {
    "subject": "Subject code",
    "coder": "Coder code",
    "kind": "micro, macro, or n/a where the coding sheet does not say",
    "marker": "Trigger code of the trial",
    "stimulus": "Stimulus",
    "target": "Emotion that the stimulus was chosen for",
    "onset_frame": "First frame of the expression in the video, from 0",
    "apex_frame": "Frame of the largest expression; equal to the offset where the end was not visible",
    "offset_frame": "Last frame of the expression",
    "aus": "FACS action units",
    "emotion": "Emotion in the coder's word",
    "source": "Coding sheet and row",
}


@dataclass(frozen=True, slots=True)
class SubjectFiles:
    """Paths of one subject's files."""

    folder: Path
    code: str

    def _path(self, place: str, ending: str) -> Path:
        return self.folder / place / f"sub-{self.code}_task-me_{ending}"

    @property
    def eeg(self) -> Path:
        """BrainVision header."""
        return self._path("eeg", "eeg.vhdr")

    @property
    def channels(self) -> Path:
        """Table of EEG channels."""
        return self._path("eeg", "channels.tsv")

    @property
    def physio(self) -> Path:
        """Peripheral signals."""
        return self._path("eeg", "recording-biopac_physio.tsv.gz")

    @property
    def video(self) -> Path:
        """Face video."""
        return self._path("beh", "recording-face_video.mkv")

    @property
    def video_json(self) -> Path:
        """Sidecar of the video, which also says what the subject was made from."""
        return self._path("beh", "recording-face_video.json")

    @property
    def frames(self) -> Path:
        """Table of frames."""
        return self._path("beh", "recording-face_frames.tsv")

    @property
    def markers(self) -> Path:
        """Table of trigger changes."""
        return self._path("beh", "markers.tsv")

    def source_sha256(self) -> str:
        """Return the hash of the raw session, or nothing where the folder was written in another format."""
        try:
            made = read_json(self.video_json).get("mmme", {})
        except DataError:
            return ""
        return str(made.get("source_sha256", "")) if made.get("format") == FORMAT else ""


def write_study_files(
    out: Path,
    info: DatasetInfo,
    subjects: Sequence[str],
    events: Sequence[CodedEvent],
    findings: Sequence[tuple[str, str, str]],
    simulated: bool,  # noqa: FBT001 (a fact, not a switch)
) -> None:
    """
    Write what describes the study as a whole; its description last, so that a study with one is complete.

    Parameters
    ----------
    out
        Folder of the study.
    info
        Data set.
    subjects
        Codes of finished subjects.
    events
        Their coded events.
    findings
        Subject code, place and sentence each.
    simulated
        Whether the data were simulated.
    """
    columns = {name: [_cell(getattr(event, name)) for event in events] for name in _COLUMNS}
    write_tsv(out / "coding.tsv", columns)
    write_json(out / "coding.json", {name: {"Description": text} for name, text in _COLUMNS.items()})
    write_tsv(out / "participants.tsv", {"participant_id": [f"sub-{code}" for code in subjects]})
    table = {name: [finding[k] for finding in findings] for k, name in enumerate(("subject", "source", "finding"))}
    write_tsv(out / "import_findings.tsv", table)
    (out / ".bidsignore").write_text("\n".join(_IGNORED) + "\n", encoding="utf-8")
    digest = hashlib.sha256((out / "coding.tsv").read_bytes())
    for code in subjects:
        digest.update(f"{code}:{SubjectFiles(out / f'sub-{code}', code).source_sha256()}\n".encode())
    name = f"{info.name} (simulated)" if simulated else info.name
    (out / "README").write_text(f"{name}\n\n{info.title}\n{info.citation}\n\nLicence: {info.licence}\n", encoding="utf-8")
    content = {
        "Name": name,
        "BIDSVersion": "1.11.1",
        "DatasetType": "raw",
        "License": "none: simulated data" if simulated else info.licence,
        "HowToAcknowledge": info.citation,
        "ReferencesAndLinks": [info.url],
        "GeneratedBy": [{"Name": "mmme"}],
        "mmme": {"simulated": simulated, "layout": info.key, "source_sha256": digest.hexdigest()},
    }
    write_json(out / "dataset_description.json", content)


def _cell(value: object) -> str:
    """Text of one value in coding.tsv."""
    if value is None:
        return ""
    return ",".join(value) if isinstance(value, tuple) else str(value)


def read_coding(out: Path) -> tuple[CodedEvent, ...]:
    """
    Read the coded events of all subjects.

    Parameters
    ----------
    out
        Folder of the study.

    Returns
    -------
    tuple of CodedEvent
        In the order of the sheet.

    Raises
    ------
    DataError
        If the table is missing or a row is not an event; all faults at once.
    """
    table = read_tsv(out / "coding.tsv", tuple(_COLUMNS))
    events, faults = [], []
    for k in range(len(table["subject"])):
        row = {name: table[name][k] for name in _COLUMNS}
        try:
            events.append(_event(row))
        except (ValueError, DataError) as error:
            faults.append(f"line {k + 2}: expected a coded event, got {error}")
    raise_faults("coding.tsv", faults)
    return tuple(events)


def _event(row: dict[str, str]) -> CodedEvent:
    """One row of coding.tsv as an event."""
    kinds: dict[str, Kind | None] = {"": None, "micro": "micro", "macro": "macro"}
    if row["kind"] not in kinds:
        raise ValueError(f"kind '{row['kind']}'")
    return CodedEvent(
        subject=row["subject"],
        coder=row["coder"],
        kind=kinds[row["kind"]],
        marker=int(row["marker"]),
        stimulus=row["stimulus"],
        target=row["target"],
        onset_frame=int(row["onset_frame"]),
        apex_frame=int(row["apex_frame"]),
        offset_frame=int(row["offset_frame"]),
        aus=tuple(row["aus"].split(",")) if row["aus"] else (),
        emotion=row["emotion"],
        source=row["source"],
    )
