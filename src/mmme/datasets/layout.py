"""Where the files of a study are, and what it says about each recording."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmme.errors import DataError, raise_faults
from mmme.io.bids_tsv import read_json, read_tsv, write_json
from mmme.types import CodedEvent, Kind

__all__ = [
    "CODED_COLUMNS",
    "FORMAT",
    "TASK",
    "Contents",
    "RecordingFiles",
    "read_coding",
    "recording_id",
    "recording_parts",
    "recordings_of",
]

FORMAT = "2"
"""Changes when the files of a recording are written differently, so that old ones are imported anew."""
TASK = "me"

_ID = re.compile(r"(?P<subject>[A-Za-z0-9]+)(?:_(?P<label>ses-[A-Za-z0-9]+|run-\d+))?")
CODED_COLUMNS: Mapping[str, str] = {
    "subject": "Subject code",
    "session": "Sitting or clip, where a subject has several",
    "coder": "Coder code",
    "kind": "micro, macro, or n/a where the annotation table does not say",
    "marker": "Trigger code of the trial; n/a where there are no triggers",
    "stimulus": "Stimulus",
    "target": "Emotion that the stimulus was chosen for",
    "onset_frame": "First frame of the expression in the video, from 0",
    "apex_frame": "Frame of the largest expression; equal to the offset where the end was not visible",
    "offset_frame": "Last frame of the expression",
    "aus": "FACS action units, with intensity (A to E), side (L, R) and doubt (?)",
    "emotion": "Emotion in the coder's word",
    "self_report": "What the participant said",
    "assumed": "apex or offset where the table does not give it: then the middle frame, or the apex",
    "source": "Annotation table and row",
}


def recording_id(subject: str, label: str) -> str:
    """
    Name a recording: the subject's code, and the sitting or clip where there are several.

    Examples
    --------
    >>> recording_id("S01", ""), recording_id("S01", "ses-02")
    ('S01', 'S01_ses-02')
    """
    return f"{subject}_{label}" if label else subject


def recording_parts(recording: str) -> tuple[str, str]:
    """Return subject and label of a recording's name; `DataError` if it is none."""
    match = _ID.fullmatch(recording)
    if match is None:
        raise DataError(f"recording '{recording}': expected a name such as S01, S01_ses-02 or S01_run-003")
    return match["subject"], match["label"] or ""


@dataclass(frozen=True, slots=True)
class RecordingFiles:
    """Paths of one recording's files below a study (or below the folder in which it is being written)."""

    study: Path
    recording: str

    @property
    def subject(self) -> str:
        """Subject code."""
        return recording_parts(self.recording)[0]

    @property
    def label(self) -> str:
        """Sitting (``ses-02``) or clip (``run-003``); empty where there is one only."""
        return recording_parts(self.recording)[1]

    @property
    def folder(self) -> Path:
        """Folder of the subject, or of the sitting where there are several."""
        own = self.study / f"sub-{self.subject}"
        return own / self.label if self.label.startswith("ses-") else own

    @property
    def stem(self) -> str:
        """What the names of all its files begin with."""
        parts = [f"sub-{self.subject}"]
        if self.label.startswith("ses-"):
            parts.append(self.label)
        parts.append(f"task-{TASK}")
        if self.label.startswith("run-"):
            parts.append(self.label)
        return "_".join(parts)

    def path(self, place: str, ending: str) -> Path:
        """Path in the folder ``eeg`` or ``beh`` with that end of name."""
        return self.folder / place / f"{self.stem}_{ending}"

    @property
    def eeg(self) -> Path:
        """BrainVision header."""
        return self.path("eeg", "eeg.vhdr")

    @property
    def channels(self) -> Path:
        """Table of EEG channels."""
        return self.path("eeg", "channels.tsv")

    @property
    def video(self) -> Path:
        """Face video."""
        return self.path("beh", "recording-face_video.mkv")

    @property
    def frames(self) -> Path:
        """Table of frames."""
        return self.path("beh", "recording-face_frames.tsv")

    @property
    def markers(self) -> Path:
        """Table of trigger changes."""
        return self.path("beh", "markers.tsv")

    @property
    def contents(self) -> Path:
        """What the recording consists of and what it was made from; written last."""
        return self.path("beh", "import.json")

    def physio(self, name: str, *, beside_eeg: bool) -> Path:
        """Peripheral signals of one device and rate."""
        return self.path("eeg" if beside_eeg else "beh", f"recording-{name}_physio.tsv.gz")

    def samples(self, name: str) -> Path:
        """Signals that were sampled at irregular times, with a column of times."""
        return self.path("beh", f"recording-{name}_samples.tsv.gz")

    def events(self, *, beside_eeg: bool) -> Path:
        """Trials and coded expressions in BIDS' words."""
        return self.path("eeg" if beside_eeg else "beh", "events.tsv")


@dataclass(frozen=True, slots=True)
class Contents:
    """
    What a recording consists of.

    Parameters
    ----------
    source_sha256
        Hash of the raw session.
    devices
        By device: ``clock``, the device whose clock its times are on, and ``t0_s`` of its first sample.
    eeg
        Device whose samples are in the BrainVision file; empty without EEG.
    physio
        By file (relative to the recording's folder): the device whose clock it is on. Regularly sampled signals.
    lengths
        By file: number of samples.
    samples
        By file: the device, for signals at irregular times.
    video
        Device of the video; empty without one.
    video_rate_hz
        Nominal or measured rate of the video.
    findings
        What was odd: code, level, place, sentence.
    """

    source_sha256: str
    devices: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    eeg: str = ""
    physio: Mapping[str, str] = field(default_factory=dict)
    lengths: Mapping[str, int] = field(default_factory=dict)
    samples: Mapping[str, str] = field(default_factory=dict)
    video: str = ""
    video_rate_hz: float | None = None
    findings: Sequence[Sequence[str]] = ()

    def write(self, path: Path) -> None:
        """Write it; the recording is complete when this file is there."""
        own = {name: getattr(self, name) for name in self.__dataclass_fields__}
        write_json(path, {"format": FORMAT, **own})

    @classmethod
    def read(cls, path: Path) -> Contents:
        """Read it; `DataError` if it is missing or of another version."""
        content = read_json(path)
        if content.pop("format", None) != FORMAT:
            raise DataError(f"{path.name}: expected format {FORMAT}, got another; import the raw session again")
        return cls(**content)


def recordings_of(study: Path) -> tuple[str, ...]:
    """Names of all complete recordings in a study, sorted."""
    found = []
    for path in study.glob(f"sub-*/**/*_task-{TASK}*_import.json"):
        parts = path.name.removesuffix("_import.json").split("_")
        label = next((p for p in parts[1:] if p.startswith(("ses-", "run-"))), "")
        if not any(part.endswith(".partial") for part in path.relative_to(study).parts):
            found.append(recording_id(parts[0].removeprefix("sub-"), label))
    return tuple(sorted(found))


def cell(value: object) -> str:
    """Text of one value in coding.tsv."""
    if value is None:
        return ""
    return ",".join(value) if isinstance(value, tuple) else str(value)


def read_coding(study: Path) -> tuple[CodedEvent, ...]:
    """
    Read the coded events of all recordings.

    Parameters
    ----------
    study
        Folder of the study.

    Returns
    -------
    tuple of CodedEvent
        In the order of the annotation table.

    Raises
    ------
    DataError
        If the table is missing or a row is not an event; all faults at once.
    """
    table = read_tsv(study / "coding.tsv", tuple(CODED_COLUMNS))
    events, faults = [], []
    for k in range(len(table["subject"])):
        row = {name: table[name][k] for name in CODED_COLUMNS}
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
        marker=int(row["marker"]) if row["marker"] else None,
        stimulus=row["stimulus"],
        target=row["target"],
        onset_frame=int(row["onset_frame"]),
        apex_frame=int(row["apex_frame"]),
        offset_frame=int(row["offset_frame"]),
        aus=tuple(row["aus"].split(",")) if row["aus"] else (),
        emotion=row["emotion"],
        source=row["source"],
        session=row["session"],
        self_report=row["self_report"],
        assumed=tuple(row["assumed"].split(",")) if row["assumed"] else (),
    )
