"""Is a study fit to be shared: who or what it gives away, and what the BIDS validator says of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmme.datasets.leaks import find_leaks, not_scanned
from mmme.datasets.pseudonyms import assign_codes
from mmme.errors import ConfigError, DataError
from mmme.io.bids_tsv import read_json
from mmme.types import Finding, Level, listed

__all__ = ["VALIDATOR", "public_texts", "scan_study", "validate_bids"]

VALIDATOR = "bids-validator-deno"
_CODE = "D024"
_LEVELS: Mapping[str, Level] = {"error": "error", "warning": "warning", "ignore": "note"}
_TIMEOUT_S = 3600.0


def scan_study(
    folder: str | os.PathLike[str],
    *,
    key_file: str | os.PathLike[str] | None = None,
    dates: Iterable[str] = (),
    texts: Iterable[str] = (),
) -> tuple[Finding, ...]:
    """
    Search a study for names of participants, days of recording, addresses and paths.

    Parameters
    ----------
    folder
        The study.
    key_file
        Names and codes, outside the study; without it no names are searched, and a note says so.
    dates
        Days of recording, ``YYYYMMDD`` or ``YYYY-MM-DD``; the study itself has them shifted.
    texts
        Further texts that must not occur.

    Returns
    -------
    tuple of Finding
        D022: an error for each find, a note for each thing that was not searched (for).

    Raises
    ------
    DataError
        If the folder or the key file is missing or damaged.
    ConfigError
        If the key file lies inside the study.
    """
    folder = Path(folder)
    if key_file is not None and not Path(key_file).is_file():
        raise DataError(f"{Path(key_file).name}: expected a key file of names and codes, got none")
    codes = assign_codes(key_file, (), study=folder).codes if key_file is not None else {}
    days = tuple(dates)
    leaks = find_leaks(folder, names=codes, dates=days, texts=texts, public=public_texts(folder))
    findings = [Finding("D022", "error", folder.name, str(leak)) for leak in leaks]
    for missing, text in ((not codes, "names of participants: no key file"), (not days, "days of recording: none given")):
        if missing:
            findings.append(Finding("D022", "note", folder.name, f"not searched for {text}"))
    findings += [
        Finding(
            "D022", "note", folder.name, f"{part}/ was not scanned: it is full of names and days, and must not be shared"
        )
        for part in not_scanned(folder)
    ]
    return tuple(findings)


def public_texts(folder: str | os.PathLike[str]) -> tuple[str, ...]:
    """
    Return the texts of a study's description in which names are those of authors: citation and authors.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "dataset_description.json").write_text('{"HowToAcknowledge": "Doe J (2020)"}')
    ...     public_texts(folder)
    ('Doe J (2020)',)
    """
    path = Path(folder) / "dataset_description.json"
    told = read_json(path) if path.is_file() else {}
    texts = [told.get("HowToAcknowledge"), *(told.get("Authors") or ())]
    return tuple(text for text in texts if isinstance(text, str) and text)


def validate_bids(folder: str | os.PathLike[str], *, executable: str | None = None) -> tuple[Finding, ...]:
    """
    Have the BIDS validator look at a study; nothing is sent anywhere.

    Parameters
    ----------
    folder
        The study.
    executable
        The validator; by default ``bids-validator-deno`` beside this Python or on the path.

    Returns
    -------
    tuple of Finding
        D024, one for each kind of remark: errors first, then warnings. The sentence has the validator's own code and names
        files; ``rows`` has all of them.

    Raises
    ------
    ConfigError
        If the validator is not installed.
    DataError
        If the folder is missing, or the validator did not answer in its format.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder.name}: expected the folder of a study, got none")
    report = _run(folder, executable or _found())
    issues = report["issues"]["issues"]
    told = report["issues"].get("codeMessages", {})
    files: dict[tuple[str, str, str], list[str]] = {}
    details: dict[tuple[str, str, str], str] = {}
    for issue in issues:
        key = (str(issue.get("severity", "error")), str(issue["code"]), str(issue.get("subCode") or ""))
        files.setdefault(key, []).append(str(issue.get("location") or "/").lstrip("/") or folder.name)
        details.setdefault(key, str(issue.get("issueMessage") or ""))
    rank = {"error": 0, "warning": 1}
    findings = []
    for key in sorted(files, key=lambda k: (rank.get(k[0], 2), *k)):
        severity, code, part = key
        text = " ".join((details[key] if not part else "").split()) or " ".join(str(told.get(code, "")).split())
        where = listed(files[key], limit=3)
        sentence = f"{code}{f' {part}' if part else ''}: {where}" + (f" ({_short(text)})" if text else "")
        findings.append(Finding(_CODE, _LEVELS.get(severity, "error"), folder.name, sentence, tuple(files[key])))
    return tuple(findings)


def _found() -> str:
    """Path of the validator."""
    beside = Path(sys.executable).parent / VALIDATOR
    found = shutil.which(str(beside)) or shutil.which(VALIDATOR)
    if found is None:
        raise ConfigError(
            f"BIDS validator: expected {VALIDATOR} to be installed, got none; `pip install {VALIDATOR}` brings it"
        )
    return found


def _run(folder: Path, executable: str) -> dict[str, Any]:
    """Answer of the validator."""
    command = [executable, str(folder.resolve()), "--format", "json", "--max-rows", "-1"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)  # noqa: S603
    except FileNotFoundError:
        raise ConfigError(f"BIDS validator: expected an executable, got no file {Path(executable).name}") from None
    except subprocess.TimeoutExpired:
        raise DataError(f"BIDS validator: expected an answer within {_TIMEOUT_S:.0f} s, got none") from None
    try:
        report = json.loads(done.stdout)
        _ = report["issues"]["issues"]
    except (ValueError, KeyError, TypeError):
        why = " ".join((done.stderr or done.stdout).split())[:160].replace(str(folder.resolve()), folder.name)
        raise DataError(
            f"BIDS validator: expected a report in JSON, got exit code {done.returncode}: {why or 'nothing'}"
        ) from None
    return dict(report)


def _short(text: str, limit: int = 160) -> str:
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
