"""Raw sessions of the MMME layout: found on disk, and read as they are."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.datasets.catalogue import DatasetInfo, dataset_info
from mmme.errors import DataError, raise_faults
from mmme.io.biopac_mat import Biopac, LineCodes, decode_lines, read_biopac_mat
from mmme.io.eeglab import Eeglab, read_eeglab
from mmme.io.frames import FrameClock, FrameIndex, frame_clock, frame_markers, index_frames
from mmme.io.image import read_grey
from mmme.types import Markers, Recording, Source, Stream

__all__ = [
    "FrameImages",
    "OpenSession",
    "RawSession",
    "find_sessions",
    "is_simulated",
    "open_session",
    "other_folders",
    "read_session",
]


@dataclass(frozen=True, slots=True)
class RawSession:
    """
    One sitting of one participant as it lies on disk; it knows the name, so it must not outlive the import.

    Parameters
    ----------
    number
        Position among the session folders, from 1; messages use it instead of the name.
    name
        The participant's name.
    date
        Day of recording, ``YYYYMMDD``.
    folder
        Session folder.
    eeg, biopac, camera
        Where the devices' files are; None where missing.
    faults
        What is missing or ambiguous.
    layout
        Data set whose layout this is.
    """

    number: int
    name: str
    date: str
    folder: Path
    eeg: Path | None
    biopac: Path | None
    camera: Path | None
    faults: tuple[str, ...] = ()
    layout: str = "mmme"

    @property
    def label(self) -> str:
        """How messages call it: without the name."""
        return f"session {self.number} (folder *{self.date})"


@dataclass(frozen=True, slots=True, eq=False)
class OpenSession:
    """The files of a session, opened: signals lazy where the format allows it, clocks and trigger values decoded."""

    eeg: Eeglab
    biopac: Biopac
    lines: LineCodes
    frames: FrameIndex
    clock: FrameClock
    findings: tuple[str, ...]

    def markers(self, idle: int) -> dict[str, Markers]:
        """Trigger changes by device, each on its own clock."""
        order = np.argsort(self.eeg.t, kind="stable")
        return {
            "eeg": Markers("eeg", self.eeg.t[order], self.eeg.codes[order]),
            "biopac": Markers("biopac", self.biopac.t[self.lines.first], self.lines.codes),
            "camera": Markers("camera", *frame_markers(self.clock.t_s, self.frames.marker, idle=idle)),
        }


class FrameImages:
    """Frames (n, height, width) of a folder of images, read when asked for."""

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(self, frames: FrameIndex) -> None:
        self._frames = frames
        self._size = read_grey(frames.folder / frames.names[0]).shape

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, height, width)."""
        return (len(self._frames), *self._size)

    def __len__(self) -> int:
        """Count frames."""
        return len(self._frames)

    def __getitem__(self, index: Any) -> NDArray[np.uint8]:
        """Return one frame, or several as (m, height, width)."""
        folder, names = self._frames.folder, self._frames.names
        if isinstance(index, (int, np.integer)):
            return read_grey(folder / names[int(index)])
        wanted = np.arange(len(names))[index]
        return (
            np.stack([read_grey(folder / names[i]) for i in wanted])
            if wanted.size
            else np.empty((0, *self._size), np.uint8)
        )


def is_simulated(raw: str | os.PathLike[str]) -> bool:
    """Tell whether a raw folder was simulated: then the planted truth lies beside the sessions."""
    return (Path(raw) / "truth.json").is_file()


def find_sessions(raw: str | os.PathLike[str], *, layout: str = "mmme") -> tuple[RawSession, ...]:
    """
    List the sessions of a raw folder, without opening files.

    Parameters
    ----------
    raw
        Folder with one folder ``<name><YYYYMMDD>`` per session.
    layout
        Data set whose layout it has.

    Returns
    -------
    tuple of RawSession
        In the order of folder names; an incomplete one carries its ``faults``.

    Raises
    ------
    DataError
        If there is no session at all, or a participant has two.
    """
    raw, info = Path(raw), dataset_info(layout)
    if not raw.is_dir():
        raise DataError(f"{raw.name}: expected a folder of raw sessions, got none")
    pattern = re.compile(info.session)
    folders = sorted(
        (entry.name, match) for entry in raw.iterdir() if entry.is_dir() and (match := pattern.match(entry.name))
    )
    if not folders:
        raise DataError(
            f"{raw.name}: expected session folders <name><YYYYMMDD>, got none; is it the folder above or below?"
        )
    sessions = [_session(raw / name, k, match, info) for k, (name, match) in enumerate(folders, start=1)]
    names = [session.name for session in sessions]
    twice = [s.label for s in sessions if names.count(s.name) > 1]
    if twice:
        raise DataError(f"{raw.name}: expected one session per participant, got {', '.join(twice)} of the same")
    return tuple(sessions)


def other_folders(raw: str | os.PathLike[str], *, layout: str = "mmme") -> int:
    """Count the folders of a raw folder that are no sessions by their name; they may be sessions with a slip in it."""
    pattern = re.compile(dataset_info(layout).session)
    return sum(entry.is_dir() and not pattern.match(entry.name) for entry in Path(raw).iterdir())


def _session(folder: Path, number: int, match: re.Match[str], info: DatasetInfo) -> RawSession:
    """Look for the files of one session."""
    faults = []
    found: dict[str, Path | None] = {}
    for device, pattern in (("eeg", info.eeg), ("biopac", info.biopac)):
        files = sorted(folder.glob(pattern))
        found[device] = files[0] if len(files) == 1 else None
        if len(files) != 1:
            faults.append(f"expected one {pattern}, got {len(files) or 'none'}")
    camera = folder / info.camera
    if not camera.is_dir():
        faults.append(f"expected the folder {info.camera}, got none")
    place = found["eeg"], found["biopac"], camera if camera.is_dir() else None
    return RawSession(number, match["name"], match["date"], folder, *place, tuple(faults), info.key)


def open_session(session: RawSession) -> OpenSession:
    """
    Open the files of a session, reconstruct the frame clock and decode trigger values.

    Parameters
    ----------
    session
        From `find_sessions`.

    Returns
    -------
    OpenSession
        With what was odd as ``findings``.

    Raises
    ------
    DataError
        If a file is missing or is not what its format promises; all at once.
    """
    raise_faults(session.label, session.faults)
    if session.eeg is None or session.biopac is None or session.camera is None:
        raise DataError(f"{session.label}: expected files of all devices, got some missing")
    faults: list[str] = []
    opened: list[Any] = []
    for read, path in ((read_eeglab, session.eeg), (read_biopac_mat, session.biopac), (index_frames, session.camera)):
        try:
            opened.append(read(path))
        except DataError as error:
            faults.append(str(error).replace(session.name, "*"))
    raise_faults(session.label, faults)
    eeg, biopac, frames = opened
    lines = decode_lines(biopac.lines, biopac.fs)
    clock = frame_clock(frames.host_s, frames.code)
    findings = [f"eeg: {text}" for text in eeg.findings]
    if lines.n_unsettled:
        findings.append(f"biopac: {lines.n_unsettled} trigger values were not held and are left out")
    if clock.dropped_before.any():
        lost, stretches = int(clock.dropped_before.sum()), int(np.count_nonzero(clock.dropped_before))
        findings.append(f"camera: {lost} frames lost in {stretches} places ({100 * lost / (lost + len(frames)):.2f} %)")
    value = frames.marker
    outages = (np.diff(clock.segment) > 0) & (value[1:] == value[:-1]) & (value[1:] != dataset_info(session.layout).idle)
    if outages.any():
        findings.append(
            f"camera: {int(outages.sum())} gaps inside trials, the longest {np.diff(clock.t_s)[outages].max():.2f} s"
        )
    if clock.missing_before.any():
        findings.append(f"camera: {int(clock.missing_before.sum())} saved frames have left the folder")
    return OpenSession(eeg, biopac, lines, frames, clock, tuple(findings))


def read_session(session: RawSession, subject: str) -> Recording:
    """
    Read a raw session without importing it; EEG and video stay on disk.

    Parameters
    ----------
    session
        From `find_sessions`.
    subject
        Code to use instead of the name.

    Returns
    -------
    Recording
        All streams on the clocks of their devices.
    """
    info = dataset_info(session.layout)
    opened = open_session(session)
    eeg, biopac = opened.eeg, opened.biopac
    streams = [Stream("eeg", "eeg", np.arange(len(eeg.x)) / eeg.fs, eeg.x, "V", eeg.fs, eeg.channels)]
    streams += [Stream(name, "biopac", biopac.t, x, biopac.units[name], biopac.fs) for name, x in biopac.signals.items()]
    video = FrameImages(opened.frames)
    streams.append(Stream("video", "camera", opened.clock.t_s, video, "grey level", 1 / opened.clock.period_s))
    source = (Source(session.label, session_hash(session)),)
    return Recording(subject, "01", {s.name: s for s in streams}, opened.markers(info.idle), source)


def session_hash(session: RawSession) -> str:
    """SHA-256 of a session: bytes of the EEG and BIOPAC files, names and sizes of the frames."""
    digest = hashlib.sha256()
    if session.eeg is not None:
        for path in (session.eeg, session.eeg.with_suffix(".fdt")):
            if path.is_file():
                digest.update(_file_hash(path))
    if session.biopac is not None:
        digest.update(_file_hash(session.biopac))
    if session.camera is not None:
        with os.scandir(session.camera) as entries:
            listing = sorted(f"{entry.name}:{entry.stat().st_size}" for entry in entries)
        digest.update("\n".join(listing).encode())
    return digest.hexdigest()


def _file_hash(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
