"""What the section ``[coding]`` of a data set's TOML may say: where its annotation table is, and what its columns mean."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from mmme.config import Section
from mmme.errors import unknown_name

__all__ = ["EVENT_ROLES", "MISSING", "ROLES", "TIER_ROLES", "CodingSpec", "Joined", "Naming"]

EVENT_ROLES = ("onset", "apex", "offset")
ROLES = (
    "subject",
    "clip",
    "session",
    "coder",
    "marker",
    *EVENT_ROLES,
    "onset_time",
    "apex_time",
    "offset_time",
    "duration",
    "kind",
    "aus",
    "emotion",
    "target",
    "self_report",
    "objective_class",
    "fps",
    "first",
    "last",
    "length",
    "notes",
)
TIER_ROLES = ("event", "apex", "kind", "aus", "emotion", "self_report", "notes")
MISSING = ("", "/", "\\", "-", "–", "?", "x", "n/a", "na", "nan", "none", "null", "#n/a", "missing")
_GROUPS = ("subject", "clip", "session", "coder", "marker", "target", "emotion")


class Naming(Section):
    """A sheet that says what a number or a short name stands for; columns count from 1."""

    sheet: int = Field(ge=1, description="Which sheet of the workbook, from 1.")
    written: int = Field(ge=1, description="Column of what the table writes.")
    meant: int = Field(ge=1, description="Column of what that stands for.")


class Joined(Section):
    """A second table in the same folder that adds columns to the rows of the first, by subject and clip."""

    files: tuple[str, ...] = Field(strict=False, min_length=1, description="Patterns of file names, the preferred first.")
    columns: dict[str, tuple[str, ...]] = Field(strict=False, description="Column names by role; subject and clip too.")

    @field_validator("columns", mode="before")
    @classmethod
    def _tuples(cls, value: object) -> object:
        return _as_tuples(value)


class CodingSpec(Section):
    """
    Where an annotation table is, how it is read, and what its columns mean.

    Column names match in any spelling of case, blanks, underscores and punctuation. Groups of ``clip_name`` and
    ``file_name`` may be subject, clip, session, coder, marker, target, emotion; a column of the same role goes first.

    Examples
    --------
    >>> spec = CodingSpec(columns={"onset": ("Onset",), "subject": ("ID",)}, rate_hz=200.0)
    >>> spec.first_frame, spec.unit
    (1, 'frames')
    """

    files: tuple[str, ...] = Field(default=(), strict=False, description="Patterns below RAW, the preferred first.")
    reader: Literal["table", "mmme", "elan", "boris"] = Field(default="table", description="What kind of file it is.")
    sheets: tuple[str, ...] = Field(default=(), strict=False, description="Wanted sheets; the first that is there is read.")
    columns: dict[str, tuple[str, ...]] = Field(default={}, strict=False, description="Column names by role.")
    positions: tuple[str, ...] = Field(
        default=(), strict=False, description="Roles of the columns from the left, for tables without a header."
    )
    more: tuple[dict[str, tuple[str, ...]], ...] = Field(
        default=(), strict=False, description="Further events in the same row: names of their onset, apex, offset."
    )
    required: tuple[str, ...] = Field(default=("subject", "onset"), strict=False, description="Roles that must be there.")
    ignored: tuple[str, ...] = Field(default=(), strict=False, description="Columns that are left out on purpose.")
    fill_down: tuple[str, ...] = Field(
        default=(), strict=False, description="Roles whose empty cells mean the value above (merged cells)."
    )
    unit: Literal["frames", "s", "ms", "stamps"] = Field(default="frames", description="Unit of onset, apex, offset.")
    time_unit: Literal["s", "ms"] = Field(default="s", description="Unit of onset_time, apex_time, offset_time, duration.")
    first_frame: int = Field(default=1, ge=0, description="Number by which the table calls the first frame of a video.")
    numbering: str = Field(default="", description="What frame numbers count from, where that is not the clip's start.")
    rate_hz: float | None = Field(default=None, gt=0, strict=False, description="Frame rate of all rows [Hz].")
    rates_hz: dict[str, float] = Field(
        default={}, strict=False, description="Frame rate by a word in the sheet's or the file's name [Hz]."
    )
    kind: Literal["", "micro", "macro"] = Field(default="", description="Kind of all rows, where no column says it.")
    kinds: dict[str, Literal["micro", "macro"]] = Field(
        default={}, description="Further words of the kind column; those that begin with micro or macro are known."
    )
    other_kinds: Literal["fault", "skip"] = Field(
        default="fault", description="Rows of another kind: refused, or left out and counted."
    )
    missing: tuple[str, ...] = Field(default=MISSING, strict=False, description="Texts that stand for nothing.")
    clip_name: tuple[str, ...] = Field(default=(), strict=False, description="Patterns of the clip cell, with groups.")
    clip_codes: dict[str, str] = Field(default={}, description="Emotion codes in clip names -> word, to be compared.")
    file_name: tuple[str, ...] = Field(default=(), strict=False, description="Patterns of the file name, with groups.")
    au_free_text: bool = Field(default=False, description="Cells of action units hold free text besides; kept as notes.")
    names_are_codes: bool = Field(default=True, description="Subjects are codes already, not people's names.")
    recognise: tuple[dict[str, str], ...] = Field(
        default=(), strict=False, description="Patterns of a role's values, of 'header' or 'file'; one set must hold."
    )
    coder_blocks: tuple[int, ...] = Field(
        default=(), strict=False, description="MMME: row numbers at which each coder's rows begin."
    )
    naming: dict[str, Naming] = Field(default={}, description="Sheets that spell out subject or clip.")
    joined: Joined | None = Field(default=None, description="A second table with further columns.")
    objective_classes: dict[str, dict[str, str]] = Field(
        default={}, description="Class maps from objective classes; the empty string leaves one out."
    )
    tiers: dict[str, tuple[str, ...]] = Field(default={}, strict=False, description="ELAN: tier names by role.")
    tier_text: Literal["kind", "emotion", "aus", "notes"] = Field(
        default="kind", description="ELAN: what the text of an event says, where it is no kind."
    )
    apex_behaviors: tuple[str, ...] = Field(
        default=("apex",), strict=False, description="BORIS: point events that mark an apex."
    )

    @field_validator("columns", "tiers", mode="before")
    @classmethod
    def _tuples(cls, value: object) -> object:
        return _as_tuples(value)

    @field_validator("more", mode="before")
    @classmethod
    def _tuples_of_each(cls, value: object) -> object:
        return tuple(_as_tuples(each) for each in value) if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _consistent(self) -> CodingSpec:
        faults = []
        named = [*self.columns, *self.required, *self.fill_down, *self.naming]
        named += [role for each in self.recognise for role in each if role not in ("file", "header")]
        named += [role for role in self.positions if role]
        named += list(self.joined.columns) if self.joined else []
        faults += [str(unknown_name("column role", role, ROLES)) for role in dict.fromkeys(named) if role not in ROLES]
        faults += [str(unknown_name("tier role", role, TIER_ROLES)) for role in self.tiers if role not in TIER_ROLES]
        for each in self.more:
            faults += [str(unknown_name("role", role, EVENT_ROLES)) for role in each if role not in EVENT_ROLES]
            faults += [] if "onset" in each else ["more: expected an onset in each, got none"]
        if self.reader == "table":
            known = {*self.columns, *self.positions}
            faults += [f"expected columns for {role}, got none" for role in self.required if role not in known]
        faults += [fault for name in ("clip_name", "file_name") for fault in _pattern_faults(name, getattr(self, name))]
        faults += [fault for each in self.recognise for fault in _pattern_faults("recognise", tuple(each.values()))]
        if self.rate_hz and self.rates_hz:
            faults.append("expected either rate_hz or rates_hz, got both")
        if faults:
            raise ValueError("; ".join(faults))
        return self


def _as_tuples(value: object) -> object:
    """Turn lists of a TOML table into tuples; one text is a list of one."""
    if not isinstance(value, dict):
        return value
    return {k: (v,) if isinstance(v, str) else tuple(v) if isinstance(v, list) else v for k, v in value.items()}


def _pattern_faults(name: str, patterns: tuple[str, ...]) -> list[str]:
    faults = []
    for pattern in patterns:
        try:
            groups = re.compile(pattern).groupindex
        except re.error as error:
            faults.append(f"{name}: expected a regular expression, got '{pattern}' ({error})")
            continue
        faults += [f"{name}: {unknown_name('group', group, _GROUPS)}" for group in groups if group not in _GROUPS]
    return faults
