"""
The hash of every file of a study, so that whoever receives a copy can see that it is whole and unchanged.

``manifest-sha256.txt`` has the lines of a BagIt payload manifest, ``<sha256>  <path>``, sorted by path; ``sha256sum -c``
reads it as well. It leaves out what does not belong to the study proper: itself, ``derivatives/``, ``sourcedata/``, and
what is hidden or half-written. ``.bidsignore`` is part of the study and is in it.

References
----------
Kunze et al. (2018), The BagIt File Packaging Format, RFC 8493, doi:10.17487/RFC8493.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mmme.errors import DataError, raise_faults

__all__ = ["MANIFEST", "ManifestReport", "study_files", "verify_manifest", "write_manifest"]

MANIFEST = "manifest-sha256.txt"
_LEFT_OUT = ("derivatives", "sourcedata")
_KEPT_HIDDEN = (".bidsignore",)
_LINE = re.compile(r"(?P<digest>[0-9a-f]{64}) [ *](?P<path>\S.*)")
# BagIt writes these three as percent codes, so that one line is one file.
_CODED = {"%": "%25", "\n": "%0A", "\r": "%0D"}


@dataclass(frozen=True, slots=True)
class ManifestReport:
    """
    How a study differs from its manifest.

    Parameters
    ----------
    missing
        In the manifest, not in the study.
    changed
        In both, with another hash.
    extra
        In the study, not in the manifest.
    n
        Files in the manifest.
    """

    missing: tuple[str, ...]
    changed: tuple[str, ...]
    extra: tuple[str, ...]
    n: int

    @property
    def whole(self) -> bool:
        """Whether nothing is missing or changed; files that were added do no harm to the others."""
        return not (self.missing or self.changed)


def study_files(folder: str | os.PathLike[str]) -> Iterator[str]:
    """
    Paths of the files that belong to a study, sorted, relative to its folder, with ``/``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "README").write_text("A study")
    ...     _ = (Path(folder) / ".lock").write_text("")
    ...     list(study_files(folder))
    ['README']
    """
    folder = Path(folder)
    found = []
    for place, folders, files in os.walk(folder):
        here = Path(place).relative_to(folder)
        top = here == Path()
        folders[:] = [
            name
            for name in folders
            if not (name.startswith(".") or name.endswith(".partial") or (top and name in _LEFT_OUT))
        ]
        for name in files:
            hidden = name.startswith(".") and name not in _KEPT_HIDDEN
            if not (hidden or name.endswith(".partial") or (top and name == MANIFEST)):
                found.append((here / name).as_posix())
    return iter(sorted(found))


def write_manifest(folder: str | os.PathLike[str]) -> int:
    """
    Write the manifest of a study; it appears when it is complete, an old one is replaced.

    Parameters
    ----------
    folder
        Folder of the study.

    Returns
    -------
    int
        Files in it.

    Raises
    ------
    DataError
        If the folder is missing or holds no file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "README").write_text("A study")
    ...     write_manifest(folder), verify_manifest(folder).whole
    (1, True)
    """
    folder = Path(folder)
    paths = list(study_files(folder)) if folder.is_dir() else []
    if not paths:
        raise DataError(f"{folder.name}: expected a study with files to write a manifest of, got none")
    lines = [f"{_digest(folder / path)}  {_coded(path)}\n" for path in paths]
    partial = folder / f"{MANIFEST}.partial"
    try:
        with partial.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(folder / MANIFEST)
    finally:
        partial.unlink(missing_ok=True)
    return len(paths)


def verify_manifest(folder: str | os.PathLike[str]) -> ManifestReport:
    """
    Compare a study with its manifest; every file is read once.

    Parameters
    ----------
    folder
        Folder of the study.

    Returns
    -------
    ManifestReport

    Raises
    ------
    DataError
        If there is no manifest, or lines of it are damaged; all of them at once.
    """
    folder = Path(folder)
    written = _read(folder)
    here = set(study_files(folder))
    missing = [path for path in written if not (folder / path).is_file()]
    changed = [path for path, digest in written.items() if path not in set(missing) and _digest(folder / path) != digest]
    return ManifestReport(tuple(missing), tuple(changed), tuple(sorted(here - set(written))), len(written))


def _read(folder: Path) -> dict[str, str]:
    """Hash by path."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise DataError(f"{folder.name}: expected {MANIFEST}, got none; was the import finished?")
    written: dict[str, str] = {}
    faults = []
    try:
        lines = manifest.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise DataError(f"{MANIFEST}: expected text in UTF-8, got something else; was the copy damaged?") from None
    for number, line in enumerate(lines, start=1):
        match = _LINE.fullmatch(line)
        path = _decoded(match["path"]) if match else ""
        if match is None:
            faults.append(f"line {number}: expected a SHA-256 (64 digits), two spaces and a path, got another line")
        elif path.startswith("/") or ".." in PurePosixPath(path).parts:
            faults.append(f"line {number}: expected a path inside the study, got one that leads out of it")
        elif path in written:
            faults.append(f"line {number}: expected each path once, got one again")
        else:
            written[path] = match["digest"]
    if not lines:
        faults.append("expected a line per file, got an empty file; was the copy cut short?")
    raise_faults(MANIFEST, faults)
    return written


def _digest(path: Path) -> str:
    """SHA-256 of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _coded(path: str) -> str:
    for sign, code in _CODED.items():
        path = path.replace(sign, code)
    return path


def _decoded(path: str) -> str:
    for sign, code in reversed(_CODED.items()):
        path = path.replace(code, sign)
    return path
