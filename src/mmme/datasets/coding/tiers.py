"""Tiers of an ELAN file -> rows in our words: one per annotation of an event tier."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmme.datasets.coding.rows import clip_stem, kind_of, matched
from mmme.datasets.coding.spec import CodingSpec
from mmme.errors import DataError, raise_faults
from mmme.io.action_units import read_action_units
from mmme.io.coding_table import plain_name
from mmme.io.elan import ElanAnnotation, ElanFile, ElanTier, read_elan
from mmme.types import ActionUnit, CodingRow, Finding, Moment, listed

__all__ = ["tier_rows"]


def tier_rows(path: Path, spec: CodingSpec) -> tuple[list[CodingRow], list[Finding]]:
    """
    Read the events of an ELAN file.

    What belongs to an event is what refers to it, directly or through others; else, on a tier of the same participant and
    annotator, what lies within its times.

    Parameters
    ----------
    path
        ``.eaf``.
    spec
        Tier names by role in ``tiers``; what follows an ``@`` in a tier's name is no part of it.

    Returns
    -------
    rows : list of CodingRow
        In order of onset.
    findings : list of Finding
        Annotations without an event, without times, or outside their controlled vocabulary; tiers that were not read.

    Raises
    ------
    DataError
        If the file cannot be read, has no event tier, or action units cannot be read.
    """
    file = read_elan(path)
    roles = {plain_name(name): role for role, names in spec.tiers.items() for name in names}
    by_role: dict[str, list[ElanTier]] = {}
    for tier in file.tiers:
        by_role.setdefault(roles.get(plain_name(_bare(tier.name)), ""), []).append(tier)
    where = f"*{path.suffix}"
    if "event" not in by_role:
        names = ", ".join(dict.fromkeys(_bare(tier.name) for tier in file.tiers)) or "none"
        wanted = " or ".join(spec.tiers.get("event", ("one named in the layout's [coding.tiers]",)))
        raise DataError(f"{where}: expected a tier {wanted}, got {names}; name the tiers in a layout file")
    used: set[str] = set()
    faults: list[str] = []
    rows = [
        _row(path, file, tier, annotation, by_role, spec, used, faults)
        for tier in by_role["event"]
        for annotation in tier.annotations
    ]
    raise_faults(where, faults)
    rows.sort(key=lambda row: row.onset.t_s if row.onset and row.onset.t_s is not None else float("inf"))
    return rows, _findings(where, file, by_role, used, rows)


def _bare(name: str) -> str:
    return name.split("@")[0].strip()


def _row(
    path: Path,
    file: ElanFile,
    tier: ElanTier,
    annotation: ElanAnnotation,
    by_role: dict[str, list[ElanTier]],
    spec: CodingSpec,
    used: set[str],
    faults: list[str],
) -> CodingRow:
    """One event with all that belongs to it."""
    own = {
        role: [a for other in tiers for a in _belonging(annotation, tier, other, file)]
        for role, tiers in by_role.items()
        if role not in ("", "event")
    }
    used |= {a.id for annotations in own.values() for a in annotations}
    texts = {role: [a.value for a in annotations if a.value] for role, annotations in own.items()}
    kinds = [*texts.get("kind", []), annotation.value, _bare(tier.name)]
    kind = next((found for text in kinds if (found := kind_of(text, spec))), None) or spec.kind or None
    if annotation.value and kind_of(annotation.value, spec) is None:
        texts.setdefault(spec.tier_text if spec.tier_text != "kind" else "notes", []).append(annotation.value)
    units: list[ActionUnit] = []
    notes = texts.get("notes", [])
    for text in texts.get("aus", []):
        coded = read_action_units(text)
        if coded.unread and not spec.au_free_text:
            faults.append(f"annotation {annotation.id}: expected action units such as 'AU4+AU7', got '{text}'")
        units += coded.units
        notes = [*notes, *coded.notes, *(f"action units: {part}" for part in coded.unread if spec.au_free_text)]
    apexes = [a.start_ms for a in own.get("apex", []) if a.start_ms is not None]
    if len(apexes) > 1:
        notes = [*notes, f"{len(apexes)} apexes; the first is taken"]
    said = matched(spec.file_name, path.name)
    media = clip_stem(file.media[0]) if len(file.media) == 1 else path.stem
    return CodingRow(
        source=f"{path.name}:{annotation.id}",
        subject=tier.participant or said.get("subject", ""),
        clip=said.get("clip", media),
        coder=tier.annotator or said.get("coder", ""),
        kind=kind,
        onset=_moment(annotation.start_ms),
        apex=_moment(min(apexes)) if apexes else None,
        offset=_moment(annotation.stop_ms),
        aus=tuple(dict.fromkeys(units)),
        emotion=" ".join(texts.get("emotion", [])),
        self_report=" ".join(texts.get("self_report", [])),
        session=said.get("session", ""),
        fps=spec.rate_hz,
        notes=tuple(notes),
    )


def _moment(ms: int | None) -> Moment | None:
    """Moment by time; ELAN knows no frame numbers."""
    return None if ms is None else Moment(t_s=ms / 1000)


def _belonging(event: ElanAnnotation, tier: ElanTier, other: ElanTier, file: ElanFile) -> list[ElanAnnotation]:
    """Annotations of another tier that belong to an event."""
    refers = {a.id: a.refers_to for each in file.tiers for a in each.annotations}
    found = []
    for a in other.annotations:
        if a.refers_to:
            key, steps = a.refers_to, 0
            while key and key != event.id and steps <= len(refers):
                key, steps = refers.get(key, ""), steps + 1
            if key == event.id:
                found.append(a)
        elif _same(tier, other) and _within(a, event):
            found.append(a)
    return found


def _same(tier: ElanTier, other: ElanTier) -> bool:
    """Whether two tiers are about one participant by one annotator, as far as they say so."""
    if other.parent:
        return other.parent == tier.name
    pairs = ((tier.participant, other.participant), (tier.annotator, other.annotator))
    return all(not a or not b or a == b for a, b in pairs)


def _within(a: ElanAnnotation, event: ElanAnnotation) -> bool:
    if a.start_ms is None or event.start_ms is None or event.stop_ms is None:
        return False
    stop = a.start_ms if a.stop_ms is None else a.stop_ms
    return event.start_ms <= a.start_ms < event.stop_ms and stop <= event.stop_ms + 1  # an apex lasts 1 ms


def _findings(
    where: str, file: ElanFile, by_role: dict[str, list[ElanTier]], used: set[str], rows: Sequence[CodingRow]
) -> list[Finding]:
    """Tell what was not taken over, and what is odd."""
    findings = []
    belonging = [t for role, tiers in by_role.items() if role not in ("", "event") for t in tiers]
    stray = [a.id for tier in belonging for a in tier.annotations if a.id not in used]
    if stray:
        findings.append(Finding("D011", "warning", where, f"{len(stray)} annotations belong to no event: {listed(stray)}"))
    foreign = [a.id for tier in file.tiers for a in tier.outside_vocabulary]
    if foreign:
        text = f"{len(foreign)} annotations are not of their controlled vocabulary: {listed(foreign)}"
        findings.append(Finding("D011", "warning", where, text))
    if others := [tier for tier in by_role.get("", []) if tier.annotations]:
        text = f"tiers not read: {listed(dict.fromkeys(_bare(tier.name) for tier in others))}"
        findings.append(Finding("D018", "note", where, text))
    if unknown := [row.source.rsplit(":", 1)[1] for row in rows if row.kind is None]:
        findings.append(
            Finding("D011", "note", where, f"{len(unknown)} events say neither micro nor macro: {listed(unknown)}")
        )
    for start in file.media_starts_ms.values():
        text = f"a video is shifted: time 0 of the annotations is at {start / 1000:.3f} s of it"
        findings.append(Finding("D019", "warning", where, text))
    return findings
