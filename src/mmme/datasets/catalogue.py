"""
What is known of each data set, read from one TOML file per data set; a laboratory's own layout is such a file as well.

::

    name, title, citation, url, licence
    streams = [...]            signals that every recording should have
    [sessions]                 how session folders (or files) are named
    [devices.NAME]             which file of a session belongs to a device, and how it carries trigger values
    [clips]                    for data sets of short videos: where the video of a coded row lies
    [markers] [stimuli]        trigger values: the idle level, and which stimulus each code stands for
    [coding]                   the annotation table and its columns; coding_counts_from = "trial" where frames and times
                               of the table count from the start of the trial instead of the video
    [words] [classes.NAME]     spellings, and class maps from the data set's words
    [kind] [expected]          the rule that tells micro from macro; published totals
"""

from __future__ import annotations

import functools
import os
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import Field, field_validator, model_validator

from mmme.config import Section, validated
from mmme.datasets.coding.spec import CodingSpec
from mmme.errors import ConfigError, unknown_name

__all__ = ["Clips", "DatasetInfo", "Device", "Sessions", "dataset_info", "dataset_names", "parse_info"]


class Sessions(Section):
    """How sessions are found below the raw folder: by folder, or by file where all sessions lie in one folder."""

    folder: str = Field(default="", description="Pattern of a session's path below RAW, with the group 'name'.")
    file: str = Field(default="", description="Instead: pattern of one file per session, with the group 'name'.")
    names_are_codes: bool = Field(default=False, description="Names are codes already and need no key.")

    @property
    def pattern(self) -> re.Pattern[str]:
        """The pattern, compiled."""
        return re.compile(self.folder or self.file)

    @model_validator(mode="after")
    def _one_pattern(self) -> Sessions:
        if bool(self.folder) == bool(self.file):
            raise ValueError("expected either 'folder' or 'file', got both or neither")
        try:
            groups = self.pattern.groupindex
        except re.error as error:
            raise ValueError(f"expected a regular expression, got {error}") from None
        if "name" not in groups:
            raise ValueError("expected a pattern with the group (?P<name>...), got one without")
        return self


class Device(Section):
    """One device of a session: its file, its clock, and how it carries trigger values."""

    files: tuple[str, ...] = Field(
        strict=False, min_length=1, description="Patterns below the session folder, the preferred first; {name}, {date}."
    )
    markers: Literal["none", "annotations", "trigger", "lines", "frames"] = Field(
        default="none", description="What carries the trigger values."
    )
    optional: bool = Field(default=False, description="Whether a session is complete without it.")
    rate_hz: float | None = Field(default=None, gt=0, description="Nominal rate [Hz].")
    clock: str = Field(default="", description="Another device whose clock it shares; else it has its own.")
    shift_s: float = Field(default=0.0, description="With a shared clock: add this to its times [s].")
    pulses: bool = Field(default=False, description="Codes are pulses that return to a rest level, not held levels.")
    marker_text: str = Field(default="", description="Pattern of annotations, with the group 'code'.")
    low_byte: bool = Field(default=False, description="The trigger column is in V; its low byte in µV is the code.")
    time: str = Field(default="", description="Tables: column of times.")
    trigger: str = Field(default="", description="Tables: column of trigger values.")
    frame_name: str = Field(default="", description="Folders of frames: pattern of file names.")
    first_frame: int = Field(default=0, ge=0, description="Folders of frames: number of the frame that tables call 0.")
    times: str = Field(default="", description="Videos: table with the time (and trigger value) of every frame.")
    signals: dict[str, tuple[str, str]] = Field(
        default={}, strict=False, description="Label in the file -> stream and unit, where the label says too little."
    )

    @field_validator("signals", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        return {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()} if isinstance(value, dict) else value


class Clips(Section):
    """Where the video of a coded row lies, in data sets of short videos without other devices."""

    files: tuple[str, ...] = Field(
        strict=False, min_length=1, description="Patterns below RAW with {subject} and {clip}, the preferred first."
    )
    rate_hz: float | None = Field(default=None, gt=0, description="Nominal rate [Hz]; None where rows state it.")
    first_frame: int = Field(default=1, ge=0, description="Number of a clip's first frame in the annotation table.")
    frame_name: str = Field(default="", description="Pattern of image names, with the group 'frame'.")


class MarkerCodes(Section):
    """Trigger values that are no stimuli."""

    idle: int = Field(default=100, ge=0, le=255, description="Level between stimuli, or the code that ends them.")
    not_trials: tuple[int, ...] = Field(default=(), strict=False, description="Codes without a stimulus.")


class KindRule(Section):
    """When an expression is micro: by onset to offset, or with apex = offset by onset to apex."""

    micro_total_s: float = Field(default=0.5, gt=0, description="Longest micro-expression [s].")
    micro_apex_s: float = Field(default=0.25, gt=0, description="Longest rise where the end was not visible [s].")


class DatasetInfo(Section):
    """
    What is known of a data set; see the module for its sections.

    Examples
    --------
    >>> info = dataset_info("mmme")
    >>> info.stimulus_of[103], info.kind.micro_total_s
    (('happy-2', 'happy'), 0.5)
    """

    key: str
    name: str
    licence: str
    title: str = ""
    citation: str = ""
    url: str = ""
    streams: tuple[str, ...] = Field(default=(), strict=False)
    sessions: Sessions | None = None
    devices: dict[str, Device] = Field(default={})
    clips: Clips | None = None
    markers: MarkerCodes = MarkerCodes()
    stimuli: dict[str, tuple[int, ...]] = Field(default={}, strict=False)
    coding: CodingSpec | None = None
    coding_counts_from: Literal["video", "trial"] = "video"
    words: dict[str, str] = Field(default={})
    classes: dict[str, dict[str, str]] = Field(default={})
    kind: KindRule = KindRule()
    expected: dict[str, int] = Field(default={})

    @field_validator("stimuli", mode="before")
    @classmethod
    def _codes(cls, value: object) -> object:
        return {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _consistent(self) -> DatasetInfo:
        faults = [*self._device_faults(), *self._stimulus_faults(), *self._word_faults()]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _device_faults(self) -> list[str]:
        faults = []
        if self.devices and self.sessions is None:
            faults.append("expected [sessions] to say where the devices' files are, got none")
        for name, device in self.devices.items():
            if not re.fullmatch("[a-z][a-z0-9]*", name):
                faults.append(f"device '{name}': expected a name of small letters and digits")
            if device.clock and device.clock not in self.devices:
                faults.append(
                    f"device '{name}': expected the clock of one of {', '.join(self.devices)}, got '{device.clock}'"
                )
        return faults

    def _stimulus_faults(self) -> list[str]:
        named: dict[int, str] = {}
        faults = []
        for emotion, codes in self.stimuli.items():
            for video, code in enumerate(codes, start=1):
                if code in named:
                    faults.append(f"code {code}: expected one stimulus, got {named[code]} and {emotion}-{video}")
                named[code] = f"{emotion}-{video}"
        return faults

    def _word_faults(self) -> list[str]:
        """Every word needs a class in every map, and every spelling a word."""
        words = set(self.stimuli) or {word for table in self.classes.values() for word in table}
        faults = [
            f"class map '{name}': expected exactly the words {', '.join(sorted(words))}, got {', '.join(sorted(table))}"
            for name, table in self.classes.items()
            if set(table) != words
        ]
        return faults + [
            f"word '{other}': expected one of {', '.join(sorted(words))}, got '{word}'"
            for other, word in self.words.items()
            if words and word not in words
        ]

    @property
    def stimulus_of(self) -> Mapping[int, tuple[str, str]]:
        """By trigger code, in order of code: stimulus such as ``happy-2``, and the emotion it was chosen for."""
        named = {
            code: (f"{emotion}-{video}", emotion)
            for emotion, codes in self.stimuli.items()
            for video, code in enumerate(codes, start=1)
        }
        return MappingProxyType(dict(sorted(named.items())))

    def word(self, text: str) -> str:
        """Return the data set's own word for a spelling; an unknown word stays as it is, in small letters."""
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
        chosen: dict[str, str | None] = {word: label or None for word, label in self.classes[name].items()}
        return MappingProxyType({**chosen, **{other: chosen[word] for other, word in self.words.items()}})


def dataset_names() -> tuple[str, ...]:
    """Return the short names of all data sets that are described."""
    files = resources.files(__package__).iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


def dataset_info(layout: str | os.PathLike[str]) -> DatasetInfo:
    """
    Return what is known of a data set, or of a laboratory's own layout.

    Parameters
    ----------
    layout
        Short name, for example ``mmme``; or the path of a TOML file.

    Returns
    -------
    DatasetInfo
        Frozen.

    Raises
    ------
    ConfigError
        If no data set has that name, the file is missing, or it is faulty.

    Examples
    --------
    >>> dataset_info("mmme").name
    'MMME'
    """
    return parse_info(*layout_text(layout))


def layout_text(layout: str | os.PathLike[str]) -> tuple[str, str]:
    """Return the key of a layout and the text of its TOML file; errors as in `dataset_info`."""
    path = Path(layout)
    if path.suffix == ".toml":
        if not path.is_file():
            raise ConfigError(f"{path.name}: expected a layout file, got none; `mmme inspect` proposes one")
        return path.stem, path.read_text(encoding="utf-8")
    if str(layout) not in dataset_names():
        raise unknown_name("data set", str(layout), dataset_names())
    return str(layout), resources.files(__package__).joinpath(f"{layout}.toml").read_text(encoding="utf-8")


@functools.cache
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
        map leaves out a word; all at once.
    """
    where = f"{key}.toml"
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: expected TOML, got {error}") from None
    return validated(DatasetInfo, {"key": key, **content}, where)
