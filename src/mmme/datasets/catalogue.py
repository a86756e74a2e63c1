"""What is known of each data set, read from one TOML file per data set."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any

from mmme.errors import ConfigError, raise_faults, unknown_name

__all__ = ["DatasetInfo", "dataset_info", "dataset_names"]


@dataclass(frozen=True, slots=True, eq=False)
class DatasetInfo:
    """
    What is known of a data set.

    Parameters
    ----------
    key
        Short name, as in ``layout`` of a study.
    name, title, citation, url, licence
        As the owners have them.
    session, eeg, biopac, camera
        Pattern of session folders, and of the files inside.
    coding
        Names of the coding sheet, the preferred first.
    rates_hz
        Nominal rates by device.
    units
        Stored unit by stream.
    idle
        Trigger level between stimuli.
    not_trials
        Trigger codes without a stimulus.
    stimuli
        By trigger code: stimulus such as ``happy-2``, and the emotion it was chosen for.
    words
        Other spelling -> word.
    classes
        Class maps by name.
    micro_total_s, micro_apex_s
        Limits of the rule that tells micro from macro.
    expected
        Published totals.
    """

    key: str
    name: str
    title: str
    citation: str
    url: str
    licence: str
    session: str
    eeg: str
    biopac: str
    camera: str
    coding: tuple[str, ...]
    rates_hz: Mapping[str, float]
    units: Mapping[str, str]
    idle: int
    not_trials: tuple[int, ...]
    stimuli: Mapping[int, tuple[str, str]]
    words: Mapping[str, str]
    classes: Mapping[str, Mapping[str, str | None]]
    micro_total_s: float
    micro_apex_s: float
    expected: Mapping[str, int]

    def word(self, text: str) -> str:
        """Return the data set's own word for a spelling; an unknown word stays as it is."""
        return self.words.get(text.lower(), text.lower())

    def class_map(self, name: str) -> Mapping[str, str | None]:
        """
        Return the class of every emotion word, in every spelling; None for words left out on purpose.

        Raises
        ------
        ConfigError
            If there is no such map.

        Examples
        --------
        >>> three = dataset_info("mmme").class_map("emotion3")
        >>> three["tension"], three["happy"], three["calm"]
        ('negative', 'positive', None)
        """
        if name not in self.classes:
            raise unknown_name("class map", name, self.classes, where=self.name)
        chosen = self.classes[name]
        return MappingProxyType({**chosen, **{other: chosen[word] for other, word in self.words.items()}})


def dataset_names() -> tuple[str, ...]:
    """Return the short names of all data sets that are described."""
    files = resources.files(__package__).iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


@functools.cache
def dataset_info(key: str) -> DatasetInfo:
    """
    Return what is known of a data set.

    Parameters
    ----------
    key
        Short name, for example ``mmme``.

    Returns
    -------
    DatasetInfo
        Frozen.

    Raises
    ------
    ConfigError
        If no data set has that name.

    Examples
    --------
    >>> dataset_info("mmme").stimuli[103]
    ('happy-2', 'happy')
    """
    if key not in dataset_names():
        raise unknown_name("data set", key, dataset_names())
    return parse_info(key, resources.files(__package__).joinpath(f"{key}.toml").read_text(encoding="utf-8"))


# sections and their keys; None: any key
_SHAPE: Mapping[str, tuple[str, ...] | None] = MappingProxyType(
    {
        "files": ("session", "eeg", "biopac", "camera", "coding"),
        "rates_hz": None,
        "units": None,
        "markers": ("idle", "not_trials"),
        "stimuli": None,
        "words": None,
        "classes": None,
        "kind": ("micro_total_s", "micro_apex_s"),
        "expected": None,
    }
)
_TEXTS = ("name", "title", "citation", "url", "licence")


def parse_info(key: str, text: str) -> DatasetInfo:
    """
    Read the description of a data set.

    Parameters
    ----------
    key
        Short name.
    text
        TOML.

    Returns
    -------
    DatasetInfo
        Frozen.

    Raises
    ------
    ConfigError
        If the text is no TOML, a key is unknown (with a suggestion) or missing, a code stands for two stimuli, or a class
        map leaves out an emotion.
    """
    where = f"{key}.toml"
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: expected TOML, got {error}") from None
    known = {**dict.fromkeys(_TEXTS), **_SHAPE}
    for name in content:
        if name not in known:
            raise unknown_name("key", name, known, where=where)
    missing = [f"expected the key '{name}', got none" for name in known if name not in content]
    raise_faults(where, missing, error=ConfigError)
    for section, keys in _SHAPE.items():
        for name in content[section] if keys else ():
            if keys and name not in keys:
                raise unknown_name(f"key in [{section}]", name, keys, where=where)
        missing += [f"expected the key '{section}.{name}', got none" for name in keys or () if name not in content[section]]
    raise_faults(where, missing, error=ConfigError)
    stimuli = _stimuli(where, content["stimuli"])
    _check_words(where, content)
    return DatasetInfo(
        key=key,
        **{name: content[name] for name in _TEXTS},
        **{name: content["files"][name] for name in ("session", "eeg", "biopac", "camera")},
        coding=tuple(content["files"]["coding"]),
        rates_hz=MappingProxyType(content["rates_hz"]),
        units=MappingProxyType(content["units"]),
        idle=content["markers"]["idle"],
        not_trials=tuple(content["markers"]["not_trials"]),
        stimuli=stimuli,
        words=MappingProxyType(content["words"]),
        classes=MappingProxyType(
            {name: MappingProxyType({w: c or None for w, c in table.items()}) for name, table in content["classes"].items()}
        ),
        **content["kind"],
        expected=MappingProxyType(content["expected"]),
    )


def _stimuli(where: str, table: Mapping[str, Any]) -> Mapping[int, tuple[str, str]]:
    """Stimulus and target by code, in order of code."""
    named: dict[int, tuple[str, str]] = {}
    faults = []
    for emotion, codes in table.items():
        for video, code in enumerate(codes, start=1):
            if code in named:
                faults.append(f"code {code}: expected one stimulus, got {named[code][0]} and {emotion}-{video}")
            named[code] = (f"{emotion}-{video}", emotion)
    raise_faults(where, faults, error=ConfigError)
    return MappingProxyType(dict(sorted(named.items())))


def _check_words(where: str, content: Mapping[str, Any]) -> None:
    """Every emotion needs a class in every map, and every spelling an emotion."""
    emotions = set(content["stimuli"])
    faults = [
        f"class map '{name}': expected exactly the emotions {', '.join(sorted(emotions))}, got {', '.join(sorted(table))}"
        for name, table in content["classes"].items()
        if set(table) != emotions
    ]
    faults += [f"word '{o}': expected an emotion, got '{w}'" for o, w in content["words"].items() if w not in emotions]
    raise_faults(where, faults, error=ConfigError)
