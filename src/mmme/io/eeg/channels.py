"""What a channel of an EEG amplifier is, and which electrode it means, by its name."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import mne

from mmme.types import listed

__all__ = ["channel_types", "known_type", "montage_name"]

# a label without blanks, dots, hyphens and underscores, in capitals -> type of channel
_TYPES: Mapping[str, str] = MappingProxyType(
    {
        r"HEO[GLR]?[LR12]?|HEOG\w*|EOGH\w*": "HEOG",
        r"VEO[GLRUO]?[LRUO12]?|VEOG\w*|EOGV\w*": "VEOG",
        r"EOG\w*|LOC|ROC|[ILS]O[12]": "EOG",
        r"(?:EKG|ECG)\w*": "ECG",
        r"(?:EMG|CHIN|CORR|ZYG)\w*": "EMG",
        r"[AM][12]|TP9|TP10|[LR]M|[LR]MAST\w*|REF\w*": "REF",
        r"(?:GSR|EDA|SCR|SCL|RESP|RSP|BREATH|TEMP|SKT|PPG|PLETH?|PULSE|BVP|SPO2|SAO2|ACC|AUX|EXG|ERG|GYR|PHOTO)\w*": "MISC",
        r"CB[12]|E\d{1,3}|EEG\d{1,3}": "EEG",
    }
)
_REFERENCED = re.compile(
    r"(?:EEG[\s_-]*)?(?P<name>[A-Z]{1,4}(?:\d{1,2}H?)?)\.*(?:\s*[-_:/]\s*(?:REF\d?|AVG?|AVE|AR|CAR|LE|[AM][12](?:\+?[AM][12])?))?"
)


def channel_types(names: Sequence[str], kinds: Mapping[str, str] | None = None) -> tuple[dict[str, str], list[str]]:
    """
    Tell what each channel of an EEG amplifier is by its name.

    Parameters
    ----------
    names
        As written; case, blanks, hyphens and a named reference do not matter.
    kinds
        Types that the file states in MNE's words, for names that say nothing; ``eeg`` says nothing.

    Returns
    -------
    typed
        ``EEG, HEOG, VEOG, EOG, ECG, EMG, REF`` (mastoids and ears) or ``MISC`` by name.
    findings
        Names that are not known (they are MISC), EEG channels without a place in the 10-5 system, the names of BioSemi.

    Examples
    --------
    >>> typed, findings = channel_types(["FPZ", "CB1", "M1", "HEO", "EKG", "Loudness"])
    >>> list(typed.values())
    ['EEG', 'EEG', 'REF', 'HEOG', 'ECG', 'MISC']
    >>> findings
    ['channels of unknown kind, kept as MISC: Loudness', 'EEG channels without a place in the 10-5 system: CB1']
    """
    stated = {"eog": "EOG", "ecg": "ECG", "emg": "EMG", "ref_meg": "MISC"}
    biosemi = (
        {n for n in names if re.fullmatch(r"[A-H](?:[1-9]|[12]\d|3[0-2])", n)} if {"A3", "A4"} <= set(names) else set()
    )
    typed, unknown, placeless = {}, [], []
    for name in names:
        kind = (kinds or {}).get(name, "eeg")
        found = "EEG" if name in biosemi else known_type(name) or stated.get(kind, "")
        if found == "EEG" and name not in biosemi and montage_name(name) is None:
            placeless.append(name)
        if not found and kind == "eeg":
            unknown.append(name)
        typed[name] = found or "MISC"
    findings = [f"channels of unknown kind, kept as MISC: {listed(unknown, 20)}"] if unknown else []
    if placeless:
        findings.append(f"EEG channels without a place in the 10-5 system: {listed(placeless, 20)}")
    if biosemi:
        findings.append(
            f"{len(biosemi)} channels are named A1, A2, ... in the manner of BioSemi; "
            "C3 or F4 among them are not the electrodes of that name in the 10-5 system"
        )
    return typed, findings


def known_type(name: str) -> str:
    """Return the type of a channel by its name; empty where that says nothing."""
    plain = re.sub(r"[\s_.:/-]", "", name).upper()
    for pattern, kind in _TYPES.items():
        if re.fullmatch(pattern, plain):
            return kind
    parts = re.sub(r"^EEG[\s_-]*", "", name, flags=re.IGNORECASE).split("-")
    bipolar = len(parts) == 2 and all(montage_name(part) for part in parts)
    return "EEG" if bipolar or montage_name(name) else ""


@functools.cache
def _places() -> dict[str, str]:
    """Names of the 10-5 system by their capitals."""
    return {name.upper(): name for name in mne.channels.make_standard_montage("standard_1005").ch_names}


def montage_name(name: str) -> str | None:
    """
    Return the electrode of MNE's ``standard_1005`` that a channel name means; None where there is none.

    Examples
    --------
    >>> montage_name("FPZ"), montage_name("EEG Fp1-REF"), montage_name("Fc5."), montage_name("CB1")
    ('Fpz', 'Fp1', 'FC5', None)
    """
    match = _REFERENCED.fullmatch(name.strip().upper())
    return None if match is None else _places().get(match["name"])
