"""
ELAN annotation files (``.eaf``, EAF 2.x and 3.0): tiers, controlled vocabularies, times, referring annotations.

Times are milliseconds from the start of the media. An annotation that refers to another has that one's times; a time slot
without a value stays unknown. Format: https://www.mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf
"""

from __future__ import annotations

import mimetypes
import os
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from xml.etree import ElementTree as ET

from mmme.errors import DataError, raise_faults

__all__ = ["ElanAnnotation", "ElanFile", "ElanTier", "read_elan", "write_elan"]


@dataclass(frozen=True, slots=True)
class ElanAnnotation:
    """
    One annotation.

    Parameters
    ----------
    id
        Unique in the file, for example ``a12``.
    tier
        Name of its tier.
    start_ms, stop_ms
        Times from the start of the media [ms]; None where a time slot has no value.
    value
        Text; of a controlled vocabulary where the file gives only the entry.
    refers_to
        Annotation that it depends on, or empty.
    """

    id: str
    tier: str
    start_ms: int | None
    stop_ms: int | None
    value: str
    refers_to: str = ""


@dataclass(frozen=True, slots=True)
class ElanTier:
    """
    One tier.

    Parameters
    ----------
    name
        As in the file.
    participant, annotator
        Whom it is about and who wrote it; empty where the file does not say.
    parent
        Tier that it depends on, or empty.
    vocabulary
        Texts that its controlled vocabulary allows; empty where it has none.
    annotations
        In the order of the file.
    """

    name: str
    participant: str
    annotator: str
    parent: str
    vocabulary: tuple[str, ...]
    annotations: tuple[ElanAnnotation, ...]

    @property
    def outside_vocabulary(self) -> tuple[ElanAnnotation, ...]:
        """Annotations whose text the controlled vocabulary does not allow."""
        if not self.vocabulary:
            return ()
        return tuple(a for a in self.annotations if a.value and a.value not in self.vocabulary)


@dataclass(frozen=True, slots=True)
class ElanFile:
    """
    What an ELAN file holds.

    Parameters
    ----------
    media
        Names of its media files, without folders.
    media_starts_ms
        By media name: where in the media the annotation's zero is [ms], where it is not its start.
    tiers
        In the order of the file.
    """

    media: tuple[str, ...]
    media_starts_ms: Mapping[str, int]
    tiers: tuple[ElanTier, ...]


def read_elan(path: str | os.PathLike[str]) -> ElanFile:
    """
    Read an ELAN file.

    Parameters
    ----------
    path
        ``.eaf``.

    Returns
    -------
    ElanFile
        Tiers with their annotations.

    Raises
    ------
    DataError
        If the file is missing, is no EAF, counts time in another unit, or an annotation refers to nothing; the file is
        named by its ending only, as its name may be a person's.
    """
    path = Path(path)
    where = f"*{path.suffix}"
    if not path.is_file():
        raise DataError(f"{where}: expected an ELAN file, got no file")
    try:
        root = ET.fromstring(path.read_bytes())  # noqa: S314 (expat limits entity expansion)
    except ET.ParseError as error:
        raise DataError(f"{where}: expected an ELAN file, got XML with a fault ({error}); is it cut short?") from None
    if root.tag != "ANNOTATION_DOCUMENT":
        raise DataError(f"{where}: expected an ELAN file with ANNOTATION_DOCUMENT, got {root.tag}")
    unit = root.find("HEADER").get("TIME_UNITS", "milliseconds") if root.find("HEADER") is not None else "milliseconds"  # type: ignore[union-attr]
    if unit != "milliseconds":
        raise DataError(f"{where}: expected times in milliseconds, got {unit}; change the time unit in ELAN")
    faults: list[str] = []
    slots = {slot.get("TIME_SLOT_ID", ""): _ms(slot.get("TIME_VALUE"), faults) for slot in root.iter("TIME_SLOT")}
    entries = {entry: text for texts in _vocabularies(root).values() for entry, text in texts.items()}
    aligned = {a.get("ANNOTATION_ID", ""): _span(a, slots, faults) for a in root.iter("ALIGNABLE_ANNOTATION")}
    referring = {a.get("ANNOTATION_ID", ""): a.get("ANNOTATION_REF", "") for a in root.iter("REF_ANNOTATION")}
    tiers = tuple(_tier(node, root, aligned, referring, entries, faults) for node in root.iter("TIER"))
    raise_faults(where, faults)
    media = [(_file_name(m.get("MEDIA_URL", "")), m.get("TIME_ORIGIN")) for m in root.iter("MEDIA_DESCRIPTOR")]
    starts = {name: int(origin) for name, origin in media if origin and origin.lstrip("-").isdigit() and int(origin)}
    return ElanFile(tuple(name for name, _ in media), MappingProxyType(starts), tiers)


def _tier(
    node: ET.Element,
    root: ET.Element,
    aligned: Mapping[str, tuple[int | None, int | None]],
    referring: Mapping[str, str],
    entries: Mapping[str, str],
    faults: list[str],
) -> ElanTier:
    name = node.get("TIER_ID", "")
    annotations = []
    for holder in node.iter("ANNOTATION"):
        for each in holder:
            key = each.get("ANNOTATION_ID", "")
            span = _times(key, aligned, referring)
            if span is None:
                faults.append(f"annotation {key}: expected the annotation {referring.get(key, '')} it refers to, got none")
                continue
            value = (each.findtext("ANNOTATION_VALUE") or "").strip() or entries.get(each.get("CVE_REF", ""), "")
            annotations.append(ElanAnnotation(key, name, *span, value, referring.get(key, "")))
    kind = node.get("LINGUISTIC_TYPE_REF", "")
    vocabulary: tuple[str, ...] = ()
    for each in root.iter("LINGUISTIC_TYPE"):
        if each.get("LINGUISTIC_TYPE_ID") == kind:
            texts = _vocabularies(root).get(each.get("CONTROLLED_VOCABULARY_REF", ""), {})
            vocabulary = tuple(texts.values())
    participant, annotator, parent = (node.get(key, "") for key in ("PARTICIPANT", "ANNOTATOR", "PARENT_REF"))
    return ElanTier(name, participant, annotator, parent, vocabulary, tuple(annotations))


def _times(
    key: str, aligned: Mapping[str, tuple[int | None, int | None]], referring: Mapping[str, str]
) -> tuple[int | None, int | None] | None:
    """Return the times of an annotation, by what it refers to; None where that is not there or goes in a circle."""
    for _ in range(len(referring) + 1):
        if key in aligned:
            return aligned[key]
        key = referring.get(key, "")
    return None


def _span(node: ET.Element, slots: Mapping[str, int | None], faults: list[str]) -> tuple[int | None, int | None]:
    ends = [node.get(name, "") for name in ("TIME_SLOT_REF1", "TIME_SLOT_REF2")]
    key = node.get("ANNOTATION_ID", "")
    faults += [f"annotation {key}: expected a time slot, got '{end}'" for end in ends if end not in slots]
    return slots.get(ends[0]), slots.get(ends[1])


def _ms(text: str | None, faults: list[str]) -> int | None:
    if text is None:
        return None
    if not re.fullmatch(r"-?\d+", text):
        faults.append(f"expected a time in whole milliseconds, got '{text}'")
        return None
    return int(text)


def _vocabularies(root: ET.Element) -> dict[str, dict[str, str]]:
    """Texts by entry of each controlled vocabulary, in the old form (2.7) and the new."""
    found: dict[str, dict[str, str]] = {}
    for vocabulary in root.iter("CONTROLLED_VOCABULARY"):
        texts = {}
        for k, entry in enumerate(vocabulary.iter("CV_ENTRY")):
            texts[f"{k}"] = (entry.text or "").strip()
        for entry in vocabulary.iter("CV_ENTRY_ML"):
            texts[entry.get("CVE_ID", "")] = (entry.findtext("CVE_VALUE") or "").strip()
        found[vocabulary.get("CV_ID", "")] = texts
    return found


def _file_name(url: str) -> str:
    return PurePosixPath(urllib.parse.unquote(url).replace("\\", "/")).name


def write_elan(
    path: str | os.PathLike[str], tiers: Mapping[str, Sequence[tuple[float, float, str]]], *, media: str, annotator: str
) -> None:
    """
    Write tiers of annotations beside a video; the file appears when it is complete.

    Parameters
    ----------
    path
        Target, ``.eaf``.
    tiers
        By name, ``(start, stop, text)`` of each annotation [s]; ELAN keeps whole ms, at least one each.
    media
        Name of the video, relative to the file.
    annotator
        Who or what wrote it.

    Raises
    ------
    DataError
        If annotations of a tier overlap or are out of order, which ELAN does not allow.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_elan(f"{folder}/a.eaf", {"micro": [(1.0, 1.4, "AU4")]}, media="a.mp4", annotator="mmme")
    ...     [(a.start_ms, a.stop_ms, a.value) for a in read_elan(f"{folder}/a.eaf").tiers[0].annotations]
    [(1000, 1400, 'AU4')]
    """
    path = Path(path)
    root = ET.Element(
        "ANNOTATION_DOCUMENT", AUTHOR=annotator, FORMAT="3.0", VERSION="3.0", DATE="1970-01-01T00:00:00+00:00"
    )
    header = ET.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    kind = mimetypes.guess_type(media)[0] or "video/mp4"
    url = f"./{urllib.parse.quote(media)}"
    ET.SubElement(header, "MEDIA_DESCRIPTOR", MEDIA_URL=url, RELATIVE_MEDIA_URL=url, MIME_TYPE=kind)
    order = ET.SubElement(root, "TIME_ORDER")
    n_slots = n_annotations = 0
    faults = []
    for name, own in tiers.items():
        tier = ET.SubElement(root, "TIER", TIER_ID=name, ANNOTATOR=annotator, LINGUISTIC_TYPE_REF="default")
        last = 0
        for start, stop, text in own:
            at = round(1000 * start), max(round(1000 * stop), round(1000 * start) + 1)
            if at[0] < last:
                faults.append(
                    f"tier {name}: expected annotations in order and apart, got one at {at[0]} ms before {last} ms"
                )
            last = at[1]
            slots = []
            for value in at:
                n_slots += 1
                slots.append(f"ts{n_slots}")
                ET.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=slots[-1], TIME_VALUE=str(value))
            n_annotations += 1
            made = ET.SubElement(
                ET.SubElement(tier, "ANNOTATION"),
                "ALIGNABLE_ANNOTATION",
                ANNOTATION_ID=f"a{n_annotations}",
                TIME_SLOT_REF1=slots[0],
                TIME_SLOT_REF2=slots[1],
            )
            ET.SubElement(made, "ANNOTATION_VALUE").text = text
    raise_faults(path.name, faults)
    ET.SubElement(root, "LINGUISTIC_TYPE", LINGUISTIC_TYPE_ID="default", TIME_ALIGNABLE="true", GRAPHIC_REFERENCES="false")
    ET.indent(root)
    partial = path.with_name(f".{path.name}.partial")
    ET.ElementTree(root).write(partial, encoding="UTF-8", xml_declaration=True)
    os.replace(partial, path)  # noqa: PTH105 - atomic on every platform
