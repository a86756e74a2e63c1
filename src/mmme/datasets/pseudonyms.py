"""Codes instead of names. The key that links them lies outside the study, readable by its owner only."""

from __future__ import annotations

import csv
import os
import random
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from mmme.errors import ConfigError, DataError, raise_faults

__all__ = ["Key", "assign_codes", "codes_from_names"]

_HEADER = ["name", "code"]
_SECRET = "#secret"  # noqa: S105 - the name of a line, not a password
_CODE = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Key:
    """
    What links a study to people; it must not outlive the import.

    Parameters
    ----------
    codes
        Code by name.
    secret
        Random text from which the shift of dates is derived; empty where names are codes already.
    """

    codes: Mapping[str, str]
    secret: str = ""


def assign_codes(
    key_file: str | os.PathLike[str], names: Iterable[str], *, study: str | os.PathLike[str], shuffle: bool = True
) -> Key:
    """
    Give every name a code, the same in every run, and write new ones to the key file.

    Parameters
    ----------
    key_file
        CSV of ``name,code``; made, with mode 0600, when it is not there. A laboratory may write it itself, with its own
        codes (letters and digits). Its last line, ``#secret``, shifts dates.
    names
        Names of participants; new ones get the next free codes S01, S02, ...
    study
        Folder of the study, in which the key must not lie.
    shuffle
        Give out new codes in random order. Codes in the order of the alphabet would tell anybody with a list of names who
        is who; only where names mean nothing (simulation) may they be in order.

    Returns
    -------
    Key
        Code by name, for all names in the key file, and the secret.

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
    old = _read(key_file) if key_file.exists() else Key({})
    codes = dict(old.codes)
    new = sorted(set(names) - set(codes))
    if shuffle:
        random.SystemRandom().shuffle(new)
    taken = {int(code[1:]) for code in codes.values() if re.fullmatch(r"S\d+", code)}
    free = (number for number in range(1, len(taken) + len(new) + 1) if number not in taken)
    codes.update({name: f"S{number:02d}" for name, number in zip(new, free, strict=False)})
    key = Key(MappingProxyType(codes), old.secret or secrets.token_hex(16))
    if new or not old.secret:
        _write(key_file, key)
    return key


def codes_from_names(names: Iterable[str]) -> Key:
    """
    Use names that are codes already; what a code cannot hold is left out of it.

    Raises
    ------
    DataError
        If two names give the same code, or one gives none.

    Examples
    --------
    >>> dict(codes_from_names(["sub_01", "06"]).codes)
    {'06': '06', 'sub_01': 'sub01'}
    """
    codes = {name: re.sub("[^A-Za-z0-9]", "", name) for name in sorted(set(names))}
    if "" in codes.values() or len(set(codes.values())) < len(codes):
        raise DataError(
            "participants: expected names that stay apart when only letters and digits are kept; use a key file"
        )
    return Key(MappingProxyType(codes))


def _read(key_file: Path) -> Key:
    """Read the key file; faults are told by line, never by name."""
    with key_file.open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    if not lines or lines[0] != _HEADER:
        raise DataError(f"{key_file.name}: expected a key file with the header 'name,code', got another file")
    faults = []
    codes: dict[str, str] = {}
    secret = ""
    for number, line in enumerate(lines[1:], start=2):
        if line[:1] == [_SECRET] and len(line) == 2:
            secret = line[1]
        elif len(line) != 2 or not line[0] or not _CODE.fullmatch(line[1]):
            faults.append(f"line {number}: expected a name and a code such as S01")
        elif line[0] in codes or line[1] in codes.values():
            faults.append(f"line {number}: expected each name and code once, got one again")
        else:
            codes[line[0]] = line[1]
    raise_faults(key_file.name, faults)
    return Key(codes, secret)


def _write(key_file: Path, key: Key) -> None:
    """Write the key file, never readable by others, not even for a moment."""
    partial = key_file.with_name(key_file.name + ".partial")
    partial.unlink(missing_ok=True)
    key_file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([_HEADER, *(list(pair) for pair in key.codes.items()), [_SECRET, key.secret]])
        file.flush()
        os.fsync(file.fileno())
    partial.replace(key_file)
