"""What can go wrong, as one small tree.

::

    MmmeError
    ├── DataError        a file or value is not what its format promises
    ├── AlignmentError   device clocks cannot be brought onto one session clock
    ├── ConfigError      a run file, an option or a name is unknown or out of range
    └── ProtocolError    an evaluation would not measure what it claims to measure

Every message is one sentence in the form *where: expected, got (value and unit); the likely reason or the way out*.
The command line prints it and ends with exit code 3.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

__all__ = ["AlignmentError", "ConfigError", "DataError", "MmmeError", "ProtocolError", "raise_faults", "unknown_name"]


class MmmeError(Exception):
    """Root of all errors that a user can cause and mend."""


class DataError(MmmeError):
    """A file or a value is not what its format promises."""


class AlignmentError(MmmeError):
    """Device clocks cannot be brought onto one session clock."""


class ConfigError(MmmeError):
    """A run file, an option or a name is unknown or out of range."""


class ProtocolError(MmmeError):
    """An evaluation would not measure what it claims to measure."""


def unknown_name(kind: str, name: str, known: Iterable[str], *, where: str = "") -> ConfigError:
    """
    Build the error for a name that is not known, with the nearest match and the full list.

    Parameters
    ----------
    kind
        What was looked up, for example ``"feature set"``.
    name
        The name as given.
    known
        All names that would have been accepted.
    where
        File or place of the name, put in front.

    Returns
    -------
    ConfigError
        Ready to be raised.

    Examples
    --------
    >>> print(unknown_name("feature set", "eda_", ["eda", "rsp"]))
    no feature set 'eda_'; did you mean 'eda'? (known: eda, rsp)
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    place = f"{where}: " if where else ""
    return ConfigError(f"{place}no {kind} '{name}'{hint} (known: {', '.join(names)})")


def raise_faults(where: str, faults: Sequence[str], *, error: type[MmmeError] = DataError, limit: int = 12) -> None:
    """
    Raise once for all faults of a file; do nothing when there are none.

    Parameters
    ----------
    where
        The file or object at fault.
    faults
        One clause per fault, each naming its own row or field.
    error
        Class to raise.
    limit
        How many faults are spelled out; the rest is counted.

    Raises
    ------
    MmmeError
        Of the given class, when ``faults`` is not empty.

    Examples
    --------
    >>> raise_faults("coding.xlsx", [])
    >>> raise_faults("coding.xlsx", ["row 3: onset 'x' is not a number"])
    Traceback (most recent call last):
        ...
    mmme.errors.DataError: coding.xlsx: row 3: onset 'x' is not a number
    """
    if not faults:
        return
    if len(faults) == 1:
        raise error(f"{where}: {faults[0]}")
    shown = "\n".join(f"  - {fault}" for fault in faults[:limit])
    more = f"\n  - ... and {len(faults) - limit} more" if len(faults) > limit else ""
    raise error(f"{where}: {len(faults)} faults\n{shown}{more}")
