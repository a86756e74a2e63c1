"""An imported study, opened for work."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmme.datasets.catalogue import DatasetInfo, parse_info
from mmme.datasets.describing import FINDING_COLUMNS
from mmme.datasets.layout import Contents, RecordingFiles, read_coding, recordings_of
from mmme.errors import DataError, unknown_name
from mmme.io.bids_tsv import read_json, read_numbers, read_tsv
from mmme.io.brainvision import read_brainvision
from mmme.io.physio_tsv import open_physio
from mmme.io.samples_tsv import read_samples
from mmme.io.video import open_video
from mmme.types import CodedEvent, Finding, Markers, Recording, Source, Stream

__all__ = ["Study", "open_study"]


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
        Key of its data set.
    simulated
        Whether the data were simulated.
    revision
        SHA-256 of what the study was made from.
    recordings
        Names of recordings: the subject's code, followed by the sitting or clip where a subject has several
        (``S01``, ``S01_ses-02``, ``S01_run-003``).
    """

    path: Path
    name: str
    layout: str
    simulated: bool
    revision: str
    recordings: tuple[str, ...]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Subject codes, each once."""
        return tuple(dict.fromkeys(name.split("_")[0] for name in self.recordings))

    @property
    def info(self) -> DatasetInfo:
        """What is known of its data set: the layout it was imported with."""
        path = self.path / "code" / "layout.toml"
        if not path.is_file():
            raise DataError(f"{self.path.name}: expected code/layout.toml, got none; import the raw folder again")
        return parse_info(self.layout, path.read_text(encoding="utf-8"))

    def recording(self, name: str) -> Recording:
        """
        Open a recording; EEG and video stay on disk.

        Parameters
        ----------
        name
            One of ``recordings``.

        Returns
        -------
        Recording
            Streams ``eeg`` (n, channels) [V], ``video`` (n, height, width), and one per peripheral signal (a second
            sensor of a kind is ``emg_b`` or ``skt_b``), each on its device's clock.

        Raises
        ------
        ConfigError
            If there is no such recording.
        DataError
            If a file is missing or damaged.
        """
        files = self._files(name)
        contents = Contents.read(files.contents)
        streams = [self._eeg(files, contents)] if contents.eeg else []
        for place, device in contents.physio.items():
            physio = open_physio(files.folder / place, contents.lengths[place])
            t = physio.t0_s + np.arange(contents.lengths[place]) / physio.fs
            streams += [Stream(s, device, t, x, physio.units[s], physio.fs) for s, x in physio.signals.items()]
        for place, device in contents.samples.items():
            t, signals, units = read_samples(files.folder / place)
            streams += [Stream(s, device, t, x, units[s]) for s, x in signals.items()]
        if contents.video:
            frames = read_numbers(files.frames, ("t_s",))["t_s"]
            clock = str(contents.devices[contents.video]["clock"])
            video = open_video(files.video)
            streams.append(Stream("video", clock, frames, video, "grey level", contents.video_rate_hz))
        source = (Source(f"sub-{name}", contents.source_sha256),)
        markers = self._markers(files)
        return Recording(files.subject, files.label or "01", {s.name: s for s in streams}, markers, source)

    @staticmethod
    def _eeg(files: RecordingFiles, contents: Contents) -> Stream:
        eeg = read_brainvision(files.eeg)
        channels = read_tsv(files.channels, ("name", "type"))
        if tuple(channels["name"]) != eeg.channels:
            raise DataError(f"{files.channels.name}: expected the channels of the EEG file in its order, got others")
        device = contents.devices[contents.eeg]
        t = float(device["t0_s"]) + np.arange(len(eeg.x)) / eeg.fs
        return Stream("eeg", str(device["clock"]), t, eeg.x, "V", eeg.fs, eeg.channels, tuple(channels["type"]))

    def coded(self, name: str) -> tuple[CodedEvent, ...]:
        """Return the coded events of a recording, all coders, in the order of the table."""
        files = self._files(name)
        return tuple(e for e in read_coding(self.path) if (e.subject, e.session) == (files.subject, files.label))

    def frame_uncertainty_s(self, name: str) -> NDArray[np.float64]:
        """Return the standard uncertainty (n_frames,) of the frames' times [s]; empty without a video."""
        files = self._files(name)
        if not files.frames.exists():
            return np.empty(0)
        return read_numbers(files.frames, ("uncertainty_s",))["uncertainty_s"]

    def findings(self) -> tuple[Finding, ...]:
        """Return what was odd at import."""
        table = read_tsv(self.path / "import_findings.tsv", FINDING_COLUMNS)
        rows = zip(*(table[name] for name in FINDING_COLUMNS), strict=True)
        return tuple(Finding(*row) for row in rows)

    def files(self, name: str) -> RecordingFiles:
        """Return where the files of a recording are."""
        return self._files(name)

    def _files(self, name: str) -> RecordingFiles:
        if name not in self.recordings:
            raise unknown_name("recording", name, self.recordings, where=self.path.name)
        return RecordingFiles(self.path, name)

    def _markers(self, files: RecordingFiles) -> dict[str, Markers]:
        """Trigger changes by device."""
        table = read_tsv(files.markers, ("device", "t_s", "code"))
        device = np.array(table["device"])
        try:
            t, codes = np.array(table["t_s"], dtype=np.float64), np.array(table["code"], dtype=np.int64)
        except ValueError as error:
            raise DataError(f"{files.markers.name}: expected times and codes, got {error}") from None
        return {str(n): Markers(str(n), t[device == n], codes[device == n]) for n in dict.fromkeys(table["device"])}


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
        With its recordings; their files are opened when asked for.

    Raises
    ------
    DataError
        If the folder is no study, or its import was never finished.
    """
    path = Path(path)
    description = path / "dataset_description.json"
    if not description.is_file():
        begun = any(path.glob("sub-*")) or any(path.glob(".*.partial"))
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
    recordings = tuple(name for name in recordings_of(path) if f"sub-{name.split('_')[0]}" in codes)
    without = [code for code in codes if code not in {f"sub-{name.split('_')[0]}" for name in recordings}]
    if without:
        raise DataError(
            f"{path.name}: expected complete recordings of all participants, got none of {', '.join(without)}; "
            "import the raw folder again (it may have been imported by another version)"
        )
    return Study(path, str(content["Name"]), made["layout"], bool(made["simulated"]), made["source_sha256"], recordings)
