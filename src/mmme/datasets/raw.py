"""Raw sessions found on disk, by the layout of their data set; nothing is opened here."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mmme.datasets.catalogue import DatasetInfo, Device
from mmme.datasets.layout import recording_id
from mmme.errors import DataError

__all__ = ["RawSession", "device_files", "find_sessions", "is_simulated", "other_folders", "session_hash"]


@dataclass(frozen=True, slots=True)
class RawSession:
    """
    One sitting of one participant as it lies on disk; it knows the name, so it must not outlive the import.

    Parameters
    ----------
    number
        Position among the sessions, from 1; messages use it instead of the name.
    name
        The participant's name.
    date
        Day of recording as its folder tells it, ``YYYYMMDD``; empty where it does not.
    label
        How the sitting is called in the study: empty where the participant has one, else ``ses-01`` or ``run-001``.
    folder
        Session folder.
    files
        File (or folder of frames) by device, as far as there is one.
    info
        Data set whose layout this is.
    faults
        What is missing or ambiguous.
    written
        Parts of the path that tell the session apart, as written: what an annotation table may call it.
    """

    number: int
    name: str
    date: str
    label: str
    folder: Path
    files: Mapping[str, Path]
    info: DatasetInfo = field(repr=False)
    faults: tuple[str, ...] = ()
    written: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """How messages call it: without the name."""
        end = f" (folder *{self.date})" if self.date else ""
        return f"session {self.number}{end}"

    def recording(self, code: str) -> str:
        """Name of its recording in the study, with the participant's code."""
        return recording_id(code, self.label)

    def masked(self, text: str) -> str:
        """Take the participant's name out of a text."""
        return re.sub(re.escape(self.name), "*", text, flags=re.IGNORECASE)


def is_simulated(raw: str | os.PathLike[str]) -> bool:
    """Tell whether a raw folder was simulated: then the planted truth lies beside the sessions."""
    return (Path(raw) / "truth.json").is_file()


def find_sessions(raw: str | os.PathLike[str], info: DatasetInfo) -> tuple[RawSession, ...]:
    """
    List the sessions of a raw folder, without opening files.

    Parameters
    ----------
    raw
        Folder whose sessions lie as ``[sessions]`` of the layout says.
    info
        Data set whose layout it has.

    Returns
    -------
    tuple of RawSession
        In the order of their paths; an incomplete one carries its ``faults``. Participants with several sittings get
        labels ``ses-01``, ``ses-02``, ... in the order of the pattern's group ``session``, else of ``date``, else of paths.

    Raises
    ------
    DataError
        If there is no session at all.
    """
    raw = Path(raw)
    if not raw.is_dir():
        raise DataError(f"{raw.name}: expected a folder of raw sessions, got none")
    if info.sessions is None:
        raise DataError(f"{info.key}.toml: expected [sessions] to say where sessions lie, got none")
    wanted = info.sessions.folder or info.sessions.file
    found = [
        _session(raw, path, number, match, info)
        for number, (path, match) in enumerate(sorted(_matches(raw, info)), start=1)
    ]
    if not found:
        raise DataError(
            f"{raw.name}: expected sessions named {wanted}, got none; is it the folder above or below? "
            "`mmme inspect` tells what is there"
        )
    return _labelled(found)


def _matches(raw: Path, info: DatasetInfo) -> Iterator[tuple[str, re.Match[str]]]:
    """Yield paths below RAW that the pattern of sessions matches, as deep as it has folders."""
    assert info.sessions is not None
    pattern = info.sessions.pattern
    depth = pattern.pattern.count("/")
    for path in _at_depth(raw, depth):
        if path.is_dir() == bool(info.sessions.folder) and (match := pattern.fullmatch(path.relative_to(raw).as_posix())):
            yield path.relative_to(raw).as_posix(), match


def _at_depth(folder: Path, depth: int) -> Iterator[Path]:
    """Yield what lies that many folders below, hidden files apart."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if depth == 0:
            yield path
        elif path.is_dir():
            yield from _at_depth(path, depth - 1)


def other_folders(raw: str | os.PathLike[str], info: DatasetInfo) -> int:
    """Count the folders of a raw folder that are no sessions by their name; they may be sessions with a slip in it."""
    if info.sessions is None or not info.sessions.folder or "/" in info.sessions.folder:
        return 0
    pattern = info.sessions.pattern
    return sum(
        entry.is_dir() and not entry.name.startswith(".") and not pattern.fullmatch(entry.name)
        for entry in Path(raw).iterdir()
    )


def _session(raw: Path, path: str, number: int, match: re.Match[str], info: DatasetInfo) -> RawSession:
    """Look for the files of one session."""
    assert info.sessions is not None
    groups = {name: text or "" for name, text in match.groupdict().items()}
    folder = raw / path if info.sessions.folder else (raw / path).parent
    faults = []
    files: dict[str, Path] = {}
    for name, device in info.devices.items():
        there = device_files(folder, device, groups)
        if len(there) == 1:
            files[name] = there[0]
        elif there or not device.optional:
            faults.append(f"{name}: expected one {' or '.join(device.files)}, got {len(there) or 'none'}")
    written = tuple(text for name, text in groups.items() if text and name != "name")
    date = re.sub(r"\D", "", groups.get("date", ""))
    return RawSession(number, groups["name"], date, groups.get("session", ""), folder, files, info, tuple(faults), written)


def device_files(folder: Path, device: Device, groups: Mapping[str, str]) -> list[Path]:
    """Files of a device in a session folder: those of the first pattern that matches any."""
    for pattern in device.files:
        wanted = pattern
        for name, text in groups.items():
            wanted = wanted.replace("{" + name + "}", text)
        there = sorted(p for p in folder.glob(wanted) if not p.name.startswith("."))
        if there:
            return there
    return []


def _labelled(sessions: Sequence[RawSession]) -> tuple[RawSession, ...]:
    """Label the sittings of every participant who has several."""
    labels: dict[int, str] = {}
    for name in {s.name for s in sessions}:
        own = sorted((s for s in sessions if s.name == name), key=lambda s: (s.label, s.date, s.number))
        for k, session in enumerate(own, start=1):
            labels[session.number] = f"ses-{k:02d}" if len(own) > 1 else ""
    return tuple(replace(s, label=labels[s.number]) for s in sessions)


def session_hash(session: RawSession) -> str:
    """SHA-256 of a session: bytes of all files (with those that belong to them), names and sizes of frames."""
    digest = hashlib.sha256()
    for name, path in sorted(session.files.items()):
        digest.update(name.encode())
        if path.is_dir():
            with os.scandir(path) as entries:
                listing = sorted(f"{entry.name}:{entry.stat().st_size}" for entry in entries)
            digest.update("\n".join(listing).encode())
            continue
        parts = [
            p for p in sorted(path.parent.iterdir()) if p.is_file() and p.name.split(".")[0] == path.name.split(".")[0]
        ]
        for part in parts:
            with part.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
