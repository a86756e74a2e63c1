"""Codes instead of names. The key that links them lies outside the study, readable by its owner only."""

from __future__ import annotations

import csv
import os
import random
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from mmme.errors import ConfigError, DataError, raise_faults

__all__ = ["assign_codes"]

_HEADER = ["name", "code"]
_CODE = re.compile(r"S\d{2,}")


def assign_codes(
    key_file: str | os.PathLike[str], names: Iterable[str], *, study: str | os.PathLike[str], shuffle: bool = True
) -> Mapping[str, str]:
    """
    Give every name a code, the same in every run, and write new ones to the key file.

    Parameters
    ----------
    key_file
        CSV of ``name,code``; made, with mode 0600, when it is not there.
    names
        Names of participants; new ones get the next free codes S01, S02, ...
    study
        Folder of the study, in which the key must not lie.
    shuffle
        Give out new codes in random order. Codes in the order of the alphabet would tell anybody with a list of names who
        is who; only where names mean nothing (simulation) may they be in order.

    Returns
    -------
    Mapping
        Code by name, for all names in the key file.

    Raises
    ------
    ConfigError
        If the key file lies inside the study.
    DataError
        If the key file is damaged, or a name or code is in it twice.
    """
    key_file, study = Path(key_file).resolve(), Path(study).resolve()
    if key_file == study or study in key_file.parents:
        raise ConfigError(
            f"{key_file.name}: expected a key file outside the study, got one inside; "
            "whoever gets the study must not get the key"
        )
    codes = _read(key_file) if key_file.exists() else {}
    new = sorted(set(names) - set(codes))
    if shuffle:
        random.SystemRandom().shuffle(new)
    taken = {int(code[1:]) for code in codes.values()}
    free = (number for number in range(1, len(taken) + len(new) + 1) if number not in taken)
    codes.update({name: f"S{number:02d}" for name, number in zip(new, free, strict=False)})
    if new:
        _write(key_file, codes)
    return MappingProxyType(codes)


def _read(key_file: Path) -> dict[str, str]:
    """Read the key file; faults are told by line, never by name."""
    with key_file.open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    if not lines or lines[0] != _HEADER:
        raise DataError(f"{key_file.name}: expected a key file with the header 'name,code', got another file")
    faults = []
    codes: dict[str, str] = {}
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != 2 or not line[0] or not _CODE.fullmatch(line[1]):
            faults.append(f"line {number}: expected a name and a code such as S01")
        elif line[0] in codes or line[1] in codes.values():
            faults.append(f"line {number}: expected each name and code once, got one again")
        else:
            codes[line[0]] = line[1]
    raise_faults(key_file.name, faults)
    return codes


def _write(key_file: Path, codes: Mapping[str, str]) -> None:
    """Write the key file, never readable by others, not even for a moment."""
    partial = key_file.with_name(key_file.name + ".partial")
    partial.unlink(missing_ok=True)
    key_file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([_HEADER, *([name, code] for name, code in codes.items())])
        file.flush()
        os.fsync(file.fileno())
    partial.replace(key_file)
