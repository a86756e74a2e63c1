"""An imported study, opened for work."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmme.datasets.importing import (
    ImportFinding,
    ImportPlan,
    ImportSummary,
    finish_import,
    import_session,
    plan_import,
)
from mmme.datasets.layout import SubjectFiles, read_coding
from mmme.errors import DataError, unknown_name
from mmme.io.bids_tsv import read_json, read_numbers, read_tsv
from mmme.io.brainvision import read_brainvision
from mmme.io.physio_tsv import read_physio
from mmme.io.video import open_video
from mmme.types import CodedEvent, Markers, Recording, Source, Stream

__all__ = [
    "ImportFinding",
    "ImportPlan",
    "ImportSummary",
    "Study",
    "finish_import",
    "import_session",
    "open_study",
    "plan_import",
]


@dataclass(frozen=True, slots=True)
class Study:
    """
    A study on disk; nothing but its description is read until asked for.

    Parameters
    ----------
    path
        Folder.
    name
        Name for tables and reports.
    layout
        Data set, as `mmme.datasets.catalogue.dataset_info` knows it.
    simulated
        Whether the data were simulated.
    revision
        SHA-256 of what the study was made from.
    subjects
        Codes.
    """

    path: Path
    name: str
    layout: str
    simulated: bool
    revision: str
    subjects: tuple[str, ...]

    def recording(self, subject: str) -> Recording:
        """
        Open the recording of a subject; EEG and video stay on disk.

        Parameters
        ----------
        subject
            Code.

        Returns
        -------
        Recording
            Streams ``eeg`` (n, channels) [V], ``video`` (n, height, width), and one per peripheral signal (a second
            sensor of a kind is ``emg_b`` or ``skt_b``), each on its device's clock: ``eeg``, ``biopac`` or ``camera``.

        Raises
        ------
        ConfigError
            If there is no such subject.
        DataError
            If a file is missing or damaged.
        """
        files = self._files(subject)
        eeg = read_brainvision(files.eeg)
        streams = [Stream("eeg", "eeg", np.arange(len(eeg.x)) / eeg.fs, eeg.x, "V", eeg.fs, eeg.channels)]
        physio = read_physio(files.physio)
        n = next(iter(physio.signals.values())).shape[0]
        t = physio.t0_s + np.arange(n) / physio.fs
        streams += [Stream(name, "biopac", t, x, physio.units[name], physio.fs) for name, x in physio.signals.items()]
        frames = read_numbers(files.frames, ("t_s",))["t_s"]
        sidecar = read_json(files.video_json)
        streams.append(
            Stream("video", "camera", frames, open_video(files.video), "grey level", float(sidecar["VideoFrameRate"]))
        )
        source = (Source(f"sub-{subject}", files.source_sha256()),)
        return Recording(subject, "01", {s.name: s for s in streams}, self._markers(files), source)

    def coded(self, subject: str) -> tuple[CodedEvent, ...]:
        """Return the coded events of a subject, all coders, in the order of the sheet."""
        self._files(subject)
        return tuple(event for event in read_coding(self.path) if event.subject == subject)

    def frame_uncertainty_s(self, subject: str) -> NDArray[np.float64]:
        """Return the standard uncertainty (n_frames,) of the frames' times [s]."""
        return read_numbers(self._files(subject).frames, ("uncertainty_s",))["uncertainty_s"]

    def findings(self) -> tuple[ImportFinding, ...]:
        """Return what was odd at import."""
        table = read_tsv(self.path / "import_findings.tsv", ("subject", "source", "finding"))
        rows = zip(table["subject"], table["source"], table["finding"], strict=True)
        return tuple(ImportFinding(*row) for row in rows)

    def _files(self, subject: str) -> SubjectFiles:
        if subject not in self.subjects:
            raise unknown_name("subject", subject, self.subjects, where=self.path.name)
        return SubjectFiles(self.path / f"sub-{subject}", subject)

    def _markers(self, files: SubjectFiles) -> dict[str, Markers]:
        """Trigger changes by device."""
        table = read_tsv(files.markers, ("device", "t_s", "code"))
        device = np.array(table["device"])
        try:
            t, codes = np.array(table["t_s"], dtype=np.float64), np.array(table["code"], dtype=np.int64)
        except ValueError as error:
            raise DataError(f"{files.markers.name}: expected times and codes, got {error}") from None
        return {name: Markers(name, t[device == name], codes[device == name]) for name in ("eeg", "biopac", "camera")}


def open_study(path: str | os.PathLike[str]) -> Study:
    """
    Open an imported study.

    Parameters
    ----------
    path
        Its folder.

    Returns
    -------
    Study
        With its subjects; their files are opened when asked for.

    Raises
    ------
    DataError
        If the folder is no study, or its import was never finished.
    """
    path = Path(path)
    description = path / "dataset_description.json"
    if not description.is_file():
        begun = any(path.glob("sub-*"))
        why = "an import that is not finished; run it again, it goes on where it stopped" if begun else "none"
        raise DataError(f"{path.name}: expected an imported study with dataset_description.json, got {why}")
    content = read_json(description)
    made = content.get("mmme")
    if not isinstance(made, dict) or not {"simulated", "layout", "source_sha256"} <= set(made):
        raise DataError(f"{description.name}: expected a study that mmme imported, got another BIDS data set")
    codes = read_tsv(path / "participants.tsv", ("participant_id",))["participant_id"]
    missing = [code for code in codes if not (path / code).is_dir()]
    if missing:
        raise DataError(f"{path.name}: expected the folders of all participants, got none of {', '.join(missing)}")
    subjects = tuple(code.removeprefix("sub-") for code in codes)
    return Study(path, str(content["Name"]), made["layout"], bool(made["simulated"]), made["source_sha256"], subjects)
