"""
What a label in a file means: from the labels and units of recorders to ``ecg, ppg, rsp, eda, skt, emg`` in stored units.

`SIGNALS` is the one table of labels; ``docs/signals.md`` shows it. A label is compared in small letters, with blanks for
underscores, without the maker's name in front, and up to the first comma (BIOPAC writes ``PPG, X, PPGED-R``). Channels that
the recorder calculated from others, and signals that mmme does not use, are left out and told. What is in neither list is
left out and told with the way to state it; nothing is guessed from values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.errors import ConfigError, DataError, raise_faults, unknown_name
from mmme.types import Reading, Samples, Stream, listed

__all__ = ["CARRIERS", "LEFT_OUT", "SIGNALS", "STORED", "ScaledSamples", "recognise", "signal_of"]

CARRIERS: tuple[str, ...] = ("trigger", "lines", "frames")
STORED: Mapping[str, str] = MappingProxyType({"ecg": "V", "ppg": "V", "rsp": "V", "eda": "µS", "skt": "°C", "emg": "V"})

_REST = r"(?:\s?bit\w*)?(?:[^a-z].*)?"  # ECG100C, ECG - ERS100C, ECGBIT0, EMG A, GSR (right hand)
# stream -> patterns of whole labels
SIGNALS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ecg": (
            r"(?:e[ck]g|electrocardiogra\w+|mcl)" + _REST,
            r"(?:ecg )?(?:lead )?(?:m?l?i{1,3}|av[rlf]|v[1-6])",
        ),
        "ppg": (r"(?:ppg|photopleth\w*|pleth?|plethysmogra\w*|pulse|finger pulse|bvp|blood volume pulse)" + _REST,),
        "rsp": (r"(?:rsp|resp|respiration|respiratory|breath|breathing|pneumo\w*|rip|pzt|belt)" + _REST,),
        "eda": (
            r"(?:(?:foot|hand|finger|left|right) )?(?:eda|gsr|sc|scr|scl|skin cond\w*|electrodermal\w*|galvanic\w*)"
            + _REST,
        ),
        "skt": (r"(?:skt|(?:skin |finger |hand )?temp(?:erature)?|skintemp|ntc|thermistor)" + _REST,),
        "emg": (r"(?:s?emg|electromyogra\w+|corrugator|zygomatic\w*|orbicularis|trapezius)" + _REST,),
    }
)
# patterns found anywhere in a label -> why it is left out
LEFT_OUT: Mapping[str, str] = MappingProxyType(
    {
        r"\b(?:rate|bpm|hr|ibi|rr|r-r|rri|r-?waves?|intervals?|peaks?|cycles?)\b": "calculated",
        r"\b(?:calc\w*|filter\w*|differentiat\w*|derivative|integrat\w*|smooth\w*|rectified)\b": "calculated",
        r"\b(?:rms|mean|averag\w*|phasic|tonic|amplitude|envelope|event)\b": "calculated",
        r"^(?:abp|art|nibp|bp|cvp|pap|icp|blood pressure)\b": "pressure",
        r"\b(?:spo2|sao2|oxygen)\b": "oxygen saturation",
        r"\bresistance\b": "resistance, not conductance",
        r"\b(?:bmp\d+|ambient|room|board)\b": "temperature or pressure of the device, not of the skin",
        r"^(?:acc\w*|gyr\w*|mag\w*|xyz|lux|light|battery|pressure|time|timestamp)\b": "no signal that is used",
    }
)
_MAKERS = re.compile(
    r"(?:shimmer(?: [0-9a-f]{4})?|polar(?: h\d+| verity sense| oh1)?|empatica(?: e4)?|e4|opensignals|plux|bitalino|biopac)"
    r"[\s:/.-]*"
)
# unit in small letters, with u for micro -> dimension, factor, constant: stored value = factor * x + constant
_UNITS: Mapping[str, tuple[str, float, float]] = MappingProxyType(
    {
        **dict.fromkeys(("v", "volt", "volts"), ("V", 1.0, 0.0)),
        **dict.fromkeys(("mv", "millivolt", "millivolts"), ("V", 1e-3, 0.0)),
        **dict.fromkeys(("uv", "microvolt", "microvolts"), ("V", 1e-6, 0.0)),
        **dict.fromkeys(("nv", "nanovolt", "nanovolts"), ("V", 1e-9, 0.0)),
        **dict.fromkeys(
            ("us", "umho", "umhos", "micromho", "micromhos", "microsiemens", "delta microsiemens"), ("µS", 1.0, 0.0)
        ),
        **dict.fromkeys(("ns", "nanosiemens"), ("µS", 1e-3, 0.0)),
        **dict.fromkeys(("ms", "millisiemens", "mmho"), ("µS", 1e3, 0.0)),
        **dict.fromkeys(("s", "siemens", "mho"), ("µS", 1e6, 0.0)),
        **dict.fromkeys(
            ("c", "degc", "deg c", "deg. c", "°c", "celsius", "degrees c", "degree celsius", "degrees celsius"),
            ("°C", 1.0, 0.0),
        ),
        **dict.fromkeys(("f", "degf", "deg f", "deg. f", "°f", "fahrenheit", "degrees f"), ("°C", 5 / 9, -160 / 9)),
        **dict.fromkeys(("k", "kelvin"), ("°C", 1.0, -273.15)),
    }
)
_ARBITRARY = ("", "a.u.", "au", "n/a", "nu", "none", "arbitrary", "adu", "adc", "raw", "counts", "bits", "%", "nw", "-")


class ScaledSamples:
    """Samples (n,) in stored units, ``factor * x + constant``, converted when they are sliced: they never exist twice."""

    dtype = np.dtype(np.float64)
    ndim = 1

    def __init__(self, x: Samples, factor: float = 1.0, constant: float = 0.0, *, column: int | None = None) -> None:
        self._x, self._factor, self._constant, self._column = x, factor, constant, column

    @property
    def shape(self) -> tuple[int, ...]:
        """(n,)."""
        return (int(self._x.shape[0]),)

    def __len__(self) -> int:
        """Count samples."""
        return int(self._x.shape[0])

    def __getitem__(self, index: Any) -> Any:
        """Return converted samples of an index, a slice or an array."""
        values = self._x[index] if self._column is None else self._x[index, self._column]
        return np.asarray(values, dtype=np.float64) * self._factor + self._constant

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        """All samples, converted."""
        return np.asarray(self[:], dtype=dtype)


@dataclass(frozen=True, slots=True)
class _Column:
    """One signal of a reading: its stream, its place in it, and what it is called."""

    stream: Stream
    place: int | None
    label: str
    unit: str


def signal_of(label: str) -> tuple[str, str]:
    """
    Tell what a label means.

    Parameters
    ----------
    label
        As in the file.

    Returns
    -------
    name
        Stream, with ``_b``, ``_c``, ... where the label itself has that letter; empty where it is none.
    reason
        Why a known label is left out; empty for signals and for unknown labels.

    Examples
    --------
    >>> signal_of("PPG, X, PPGED-R"), signal_of("EMG B, X, EMG2-R"), signal_of("EKG - ERS100C"), signal_of("MLII")
    (('ppg', ''), ('emg_b', ''), ('ecg', ''), ('ecg', ''))
    >>> signal_of("ECG rate (.5 - 35 Hz)"), signal_of("Loudness")
    (('', 'calculated'), ('', ''))
    """
    text = _MAKERS.sub("", " ".join(label.replace("_", " ").lower().split()), count=1).strip()
    for pattern, reason in LEFT_OUT.items():
        if re.search(pattern, text):
            return "", reason
    text = text.split(",")[0].strip()
    for name, patterns in SIGNALS.items():
        if any(re.fullmatch(pattern, text) for pattern in patterns):
            letter = re.fullmatch(r"[a-z]+(?: ?- ?| )([b-d])", text)
            if letter and (name, letter[1]) == ("skt", "c"):  # 'Temp C' tells the unit
                letter = None
            return (f"{name}_{letter[1]}" if letter else name), ""
    return "", ""


def recognise(
    reading: Reading, *, device: str, mapping: Mapping[str, tuple[str, str]] | None = None
) -> tuple[tuple[Stream, ...], tuple[str, ...]]:
    """
    Give the signals of a file their names and stored units.

    Parameters
    ----------
    reading
        As the file has it. EEG and carriers of trigger values pass through untouched.
    device
        Whose clock the streams are on.
    mapping
        What a laboratory knows better than labels tell, and what wins over the table: label, or regular expression for
        whole labels in any case -> stream and unit. The unit is empty where the file's is right; the stream is empty to
        leave a channel out, or ``trigger`` for a column of trigger values.

    Returns
    -------
    streams
        In the order of the file; a second sensor of a kind is ``ecg_b``, a third ``ecg_c``. Samples are converted when they
        are sliced.
    findings
        What was left out and why, which of several sensors is which, and units that stay arbitrary.

    Raises
    ------
    ConfigError
        If the mapping names an unknown stream, or is no regular expression.
    DataError
        If a unit is unknown or of another dimension, or two channels are mapped to one stream; all at once.

    Examples
    --------
    >>> t = np.arange(3) / 10
    >>> file = (Stream("ECG, X, RSPEC-R", "", t, np.ones(3), "mV"), Stream("ECG rate", "", t, np.ones(3), "BPM"))
    >>> streams, findings = recognise(Reading(file, np.empty(0), ()), device="biopac")
    >>> streams[0].name, streams[0].unit, float(streams[0].x[0]), findings
    ('ecg', 'V', 0.001, ("'ECG rate' is left out: calculated",))
    """
    rules = _rules(mapping or {})
    used: set[str] = set()
    findings: list[str] = []
    unknown: list[str] = []
    kept: list[Stream | tuple[str, _Column]] = []
    for stream in reading.streams:
        if stream.name == "eeg" or stream.name in CARRIERS:
            kept.append(replace(stream, device=device))
            continue
        for column in _columns(stream):
            rule = next((key for key, wanted in rules.items() if wanted.fullmatch(column.label.strip())), None)
            if rule is not None:
                used.add(rule)
                name, unit = (mapping or {})[rule]
                column, reason = replace(column, unit=unit or column.unit), "as stated" if not name else ""
            else:
                name, reason = signal_of(column.label)
            if name:
                kept.append((name if rule is None else f"={name}", column))
            elif reason:
                findings.append(f"'{column.label}' is left out: {reason}")
            else:
                unknown.append(f"'{column.label}'")
    if unknown:
        findings.append(
            f"left out, as the labels are not known: {listed(unknown, 30)}; to use one, state it under "
            f'[devices.{device}.signals] like "label" = ["ecg", "mV"]'
        )
    findings += [f"no label fits '{key}' of the stated signals" for key in rules if key not in used]
    streams, more = _named(kept, device)
    return streams, (*findings, *more)


def _rules(mapping: Mapping[str, tuple[str, str]]) -> dict[str, re.Pattern[str]]:
    """Patterns of a mapping; a label that happens to be a regular expression for something else also fits itself."""
    rules = {}
    for key, (name, _) in mapping.items():
        if name and name != "trigger" and name.split("_")[0] not in STORED:
            raise unknown_name("signal", name, (*STORED, "trigger"), where=f"signals '{key}'")
        try:
            rules[key] = re.compile(f"(?:{key})|{re.escape(key)}", re.IGNORECASE)
        except re.error:
            if not set(key) & set("()[]{}*+?|^$\\"):
                raise ConfigError(f"signals '{key}': expected a label or a regular expression") from None
            rules[key] = re.compile(re.escape(key), re.IGNORECASE)
    return rules


def _columns(stream: Stream) -> list[_Column]:
    """Take a stream of several channels apart."""
    if len(stream.x.shape) == 1:
        return [_Column(stream, None, stream.name, stream.unit)]
    n = int(stream.x.shape[1])
    if n == 1:
        return [_Column(stream, 0, stream.name, stream.unit)]
    labels = stream.channels or tuple(f"{stream.name} {k + 1}" for k in range(n))
    return [_Column(stream, k, label, stream.unit) for k, label in enumerate(labels)]


def _named(kept: list[Stream | tuple[str, _Column]], device: str) -> tuple[tuple[Stream, ...], list[str]]:
    """Streams under names that occur once, in stored units, with findings; stated names and letters come first."""
    faults: list[str] = []
    findings: list[str] = []
    names: dict[int, str] = {}
    signals = [(at, item) for at, item in enumerate(kept) if not isinstance(item, Stream)]
    for at, (name, column) in signals:
        if name.startswith("="):
            if name[1:] in names.values():
                faults.append(f"'{column.label}': expected one channel stated to be {name[1:]}, got a second")
            names[at] = name[1:]
    for lettered in (True, False):
        for at, (name, _) in signals:
            if at not in names and ("_" in name) is lettered:
                names[at] = _free(name, set(names.values()))
    streams: list[Stream] = []
    for at, item in enumerate(kept):
        if isinstance(item, Stream):
            streams.append(item)
            continue
        name, column = names[at], item[1]
        found = _stored(column, name, device)
        if isinstance(found, str):
            faults.append(found)
            continue
        streams.append(found)
        if found.unit == "a.u.":
            findings.append(f"'{column.label}' has no unit that means V; {name} is kept in arbitrary units")
    for base in STORED:
        several = [f"'{item[1].label}' is {names[at]}" for at, item in signals if names[at].split("_")[0] == base]
        if len(several) > 1:
            findings.append(f"{len(several)} channels of one kind: {', '.join(several)}")
    raise_faults(device, faults, error=DataError)
    return tuple(streams), findings


def _free(name: str, taken: set[str]) -> str:
    """Name with the next letter that is free."""
    base = name.split("_")[0]
    return next(
        n for n in (name, base, *(f"{base}_{chr(98 + k)}" for k in range(25)), f"{base}_z{len(taken)}") if n not in taken
    )


def _stored(column: _Column, name: str, device: str) -> Stream | str:
    """Stream in its stored unit; a sentence where its unit does not allow it."""
    stream, base = column.stream, name.split("_")[0]
    if name == "trigger":
        x = stream.x if column.place is None else ScaledSamples(stream.x, column=column.place)
        return Stream(name, device, stream.t, x, column.unit, stream.fs)
    unit = column.unit.strip().replace("µ", "u").replace("μ", "u").lower()
    stored = STORED[base]
    if unit in _ARBITRARY and base in ("ppg", "rsp"):
        stored, factor, constant = "a.u.", 1.0, 0.0
    else:
        dimension, factor, constant = _UNITS.get(unit, ("", 0.0, 0.0))
        if dimension != stored:
            got = f"'{column.unit}'" if column.unit else "none"
            return (
                f"'{column.label}': expected a unit that means {stored}, got {got}; state it under "
                f'[devices.{device}.signals] like "{column.label}" = ["{name}", "{stored}"]'
            )
    x = stream.x
    if column.place is not None or (factor, constant) != (1.0, 0.0):
        x = ScaledSamples(stream.x, factor, constant, column=column.place)
    return Stream(name, device, stream.t, x, stored, stream.fs)
