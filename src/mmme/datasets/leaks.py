"""
Search a finished study for what must not leave the laboratory: names of participants, days of recording, addresses, paths.

Searched are the names of files and folders, every text (packed ones too), tables and documents, tags of pictures and
videos, headers; and, for names of six letters and more, the samples themselves. ``sourcedata/`` holds what the devices
wrote and is never searched (`not_scanned`): it is full of all of it, and must not be shared.

A find never repeats what was found. A scan cannot show a face in a video, a voice, a name that it was not given, or one of
fewer than six letters among samples.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from mmme.datasets.leak_patterns import ByteFilter, Search, normalized
from mmme.errors import DataError
from mmme.io.hidden_text import HIDING, gzip_header, hidden_texts

__all__ = ["Leak", "find_leaks", "not_scanned"]

_SOURCE = "sourcedata"
_BLOCK = 1 << 18  # what fits the cache of a core is searched twice as fast
_ENOUGH = 100  # finds in one file, after which it is clear
_AROUND = 200  # bytes to either side of an anchor in which the exact pattern is tried
_TEXT = re.compile(
    r"\.(bib|bval|bvec|cff|cfg|csv|eaf|html?|ini|jsonl?|js|log|m|md|py|r|rst|sh|svg|tex|toml|tsv|txt|vhdr|vmrk|xml|ya?ml)"
)
_SAMPLES = re.compile(r"\.(bdf|cdt|dat|edf|eeg|fdt|fif|gdf|mat|npy|set|xdf)")
_RECORDED = re.compile(rb"^Mk\d+=New Segment,[^,\r\n]*,\d+,\d+,\d+,(\d{4})\d{4,}", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Leak:
    """
    One thing that must not be in a study; it does not repeat the name, the day or the path that was found.

    Parameters
    ----------
    path
        File, relative to the study; what must not be told is masked as ``*`` in it.
    place
        ``name`` (of the file or a folder), ``line 3``, ``byte 4096``, or a tag; with how often, where it is not once.
    what
        ``name of S03``, ``day of recording``, ``e-mail address``, ``path of a computer``, ``text that must not occur``.

    Examples
    --------
    >>> print(Leak("sub-S03/eeg/*_eeg.vhdr", "line 3", "name of S03"))
    sub-S03/eeg/*_eeg.vhdr, line 3: name of S03
    """

    path: str
    place: str
    what: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.path}, {self.place}: {self.what}"


def find_leaks(
    folder: str | os.PathLike[str],
    *,
    names: Mapping[str, str] | Iterable[str],
    dates: Iterable[str | dt.date],
    texts: Iterable[str] = (),
    public: Iterable[str] = (),
) -> tuple[Leak, ...]:
    r"""
    Search a study.

    Parameters
    ----------
    folder
        The study.
    names
        Names of participants, best as a mapping to their codes. Case, accents and the sign between first and last name do
        not matter, nor their order; parts of a name of four letters and more count by themselves. A name of up to three
        letters counts only as a whole token that is no word of a sentence.
    dates
        Days of recording: dates, ``YYYYMMDD`` or ``YYYY-MM-DD``; searched in all usual forms.
    texts
        Further texts that must not occur.
    public
        Texts that may hold a name, because it is that of an author and not of a participant: the citation, for example.

    Returns
    -------
    tuple of Leak
        By path; one for each file, kind and way in which it was found, with the first place and how many there are.

    Raises
    ------
    DataError
        If the folder is missing, or a date is none.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "README").write_text("Recorded\nwith Anna Schmidt on 30.06.2024", encoding="utf-8")
    ...     for leak in find_leaks(folder, names={"schmidt_anna": "S03"}, dates=["20240630"]):
    ...         print(leak)
    README, line 2: day of recording
    README, line 2: name of S03
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder.name}: expected the folder of a study, got none")
    scan = _Scan(Search.build(names, dates, texts), tuple(public))
    leaks = []
    for path in _files(folder):
        relative = path.relative_to(folder).as_posix()
        found: dict[tuple[str, str], list[str]] = {}
        for where, place, what in scan.file(path, relative):
            found.setdefault((where, what), []).append(place)
        for (_, what), places in sorted(found.items()):
            n = len(places) - 1
            more = f" and {n} more" + (" at least" if n >= _ENOUGH - 1 else "") if n else ""
            leaks.append(Leak(scan.search.masked(relative), places[0] + more, what))
    return tuple(leaks)


def not_scanned(folder: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the parts of a study that `find_leaks` leaves out, as they are there: ``sourcedata`` holds the raw files."""
    return (_SOURCE,) if (Path(folder) / _SOURCE).exists() else ()


def _files(folder: Path) -> Iterator[Path]:
    """All files, hidden ones too; links are named but not followed."""
    for place, folders, files in os.walk(folder):
        here = Path(place)
        folders[:] = sorted(name for name in folders if not (here == folder and name == _SOURCE))
        yield from (here / name for name in sorted(files))


Find = tuple[str, str, str]
"""Way in which something was found, place, kind."""


class _Scan:
    """Patterns, made ready once for all files."""

    def __init__(self, search: Search, public: tuple[str, ...]) -> None:
        self.search = search
        self.public = [text for text in public if text]
        self.public_bytes = {
            form.encode() for text in self.public for form in (text, json.dumps(text, ensure_ascii=False)[1:-1])
        }
        table = search.by_anchor()
        self.at = {bytes(b | 0x20 for b in anchor): found for anchor, found in table.items()}
        self.lengths = sorted({len(anchor) for anchor in table})
        self.signs = [anchor[0] for anchor in table if len(anchor) == 1]
        dated = [anchor for anchor in table if anchor[:4].isdigit() or anchor[1:5].isdigit()]
        self.texts = ByteFilter([a for a in table if len(a) > 1 and a not in dated], dated)
        self.samples = ByteFilter([raw for raw, told in search.samples.items() if told[1] == "utf-8"])
        self.wide = ByteFilter([raw for raw, told in search.samples.items() if told[1] != "utf-8"])
        self.called = {bytes(b | 0x20 for b in raw): told for raw, told in search.samples.items()}

    def file(self, path: Path, relative: str) -> Iterator[Find]:
        """Yield way, place and kind of everything found in one file."""
        for _, _, what in self.search.finds(relative):
            yield "name", "name", what
        if path.is_symlink():
            target = str(path.readlink())
            yield from (("link", "target of the link", what) for _, _, what in self.search.finds(target))
            return
        ending = path.suffix.lower()
        for place, text in hidden_texts(path):
            yield from (("hidden", place, what) for what in self._kinds(text))
        if ending == ".gz":
            yield from self._packed(path)
        elif ending in (".npz", ".zip", ".whl"):
            yield from self._archive(path)
        elif _TEXT.fullmatch(ending) or (not _SAMPLES.fullmatch(ending) and ending not in HIDING and _is_text(path)):
            with path.open("rb") as file:
                yield from self._text(iter(lambda: file.read(_BLOCK), b""))
            if ending == ".vmrk":
                yield from self._segments(path)
        else:
            wide = ending in (".npy", ".mat") or not (_SAMPLES.fullmatch(ending) or ending in HIDING)
            with path.open("rb") as file:
                yield from self._bytes(iter(lambda: file.read(_BLOCK), b""), wide=wide)

    def _kinds(self, text: str) -> list[str]:
        """Return what is in a short text."""
        for public in self.public:
            text = text.replace(public, " ")
        return [what for _, _, what in self.search.finds(text)]

    def _packed(self, path: Path) -> Iterator[Find]:
        """Search a gzip file: its header, and what it holds."""
        named, time_s = gzip_header(path)
        yield from (("header", "header", what) for what in self._kinds(named))
        if time_s:
            near = [dt.datetime.fromtimestamp(time_s + 86400 * k, dt.UTC).date().isoformat() for k in (-1, 0, 1)]
            if "day of recording" in self._kinds("\n".join(near)):
                yield "header", "time in the header", "day of recording"
        inner = Path(path.stem).suffix.lower()
        scan = self._bytes if _SAMPLES.fullmatch(inner) or inner in HIDING else self._text
        yield from scan(_unpacked(path))

    def _archive(self, path: Path) -> Iterator[Find]:
        """Search the members of an archive."""
        try:
            with zipfile.ZipFile(path) as packed:
                for member in packed.infolist():
                    yield from (("archive", "name of a member", what) for what in self._kinds(member.filename))
                    with packed.open(member) as file:
                        blocks = iter(lambda file=file: file.read(_BLOCK), b"")  # type: ignore[misc]
                        text = _TEXT.fullmatch(Path(member.filename).suffix.lower())
                        yield from self._text(blocks) if text else self._bytes(blocks, wide=True)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
            with path.open("rb") as file:
                yield from self._bytes(iter(lambda: file.read(_BLOCK), b""))

    def _segments(self, path: Path) -> Iterator[Find]:
        """Find days in a BrainVision marker file, whichever; one before 1925 is a shifted one."""
        for match in _RECORDED.finditer(path.read_bytes()):
            if int(match[1]) > 1925:
                yield "segment", "time of a segment", "day of recording"

    def _text(self, blocks: Iterator[bytes]) -> Iterator[Find]:
        """Search a text of any length: exact patterns around the anchors that a filter found."""
        line, counted, found = 1, 0, 0
        told: dict[str, int] = {}
        for data, first, limit, start in _overlapping(blocks):
            flat = np.frombuffer(data, dtype=np.uint8)
            hits = np.concatenate([self.texts.starts(data), *(np.flatnonzero(flat == sign) for sign in self.signs)])
            for at in np.unique(hits[(hits >= first) & (hits < limit)]).tolist():
                line, counted = line + data.count(b"\n", counted - start, at), start + at
                for what in self._around(data, at):
                    if told.get(what) != line:
                        told[what] = line
                        found += 1
                        yield "text", f"line {line}", what
                if found >= _ENOUGH:
                    return
            line, counted = line + data.count(b"\n", counted - start, limit), start + limit

    def _around(self, data: bytes, at: int) -> set[str]:
        """Return the kinds of what holds the anchor at a place."""
        here = bytes(b | 0x20 for b in data[at : at + max(self.lengths)])
        sought = [one for n in self.lengths for one in self.at.get(here[:n], ())]
        before = normalized(data[max(0, at - _AROUND) : at])
        text = before + normalized(data[at : at + _AROUND])
        found = {one.what for one in sought for begin, end in one.spans(text) if begin <= len(before) < end}
        return set() if found and self._is_public(data, at) else found

    def _is_public(self, data: bytes, at: int) -> bool:
        """Tell whether a place lies in a text that is public anyway."""
        spans = ((data.find(p, max(0, at - len(p)), at + len(p)), len(p)) for p in self.public_bytes)
        return any(0 <= begin <= at < begin + n for begin, n in spans)

    def _bytes(self, blocks: Iterator[bytes], *, wide: bool = False) -> Iterator[Find]:
        """Search samples for long names; ``wide`` where texts may have two or four bytes a letter."""
        if not self.called:
            return
        lengths = sorted({len(written) for written in self.called})
        found = 0
        for data, first, limit, start in _overlapping(blocks):
            hits = self.samples.starts(data)
            if wide:
                hits = np.unique(np.concatenate([hits, self.wide.starts(data)]))
            for at in hits[(hits >= first) & (hits < limit)].tolist():
                for n in lengths:
                    one = self.called.get(bytes(b | 0x20 for b in data[at : at + n]))
                    if one and _is_written(data, at, *one[:2]):
                        found += 1
                        yield "samples", f"byte {start + at}", one[2]
                        break
                if found >= _ENOUGH:
                    return


def _overlapping(blocks: Iterator[bytes]) -> Iterator[tuple[bytes, int, int, int]]:
    """
    Yield blocks with what lies around them, so that nothing is cut in two.

    Yields
    ------
    data, first, limit, start
        Bytes; places in them to be searched now, ``first <= place < limit``; place of ``data`` in the whole.
    """
    carry, first, start = b"", 0, 0
    for block in chain(blocks, [None]):
        data = carry if block is None else carry + block
        limit = len(data) if block is None else max(first, len(data) - _AROUND)
        yield data, first, limit, start
        cut = max(0, limit - _AROUND)
        carry, first, start = data[cut:], limit - cut, start + cut


def _is_written(data: bytes, at: int, written: str, coding: str) -> bool:
    """
    Tell a name among samples from a chance: one way of writing it throughout, and no letters next to it.

    Six random bytes are a given name, in any case, once in 4e12; the two rules make that once in 1e15.
    """
    width = {"utf-16-le": 2, "utf-32-le": 4}.get(coding, 1)
    n = len(written.encode(coding))
    raw = data[at : at + n].decode(coding, errors="replace")
    if raw.lower() != written or not (raw.islower() or raw.isupper() or raw.istitle() or not raw.isascii()):
        return False
    if not raw.isascii():
        return True
    beside = (data[max(0, at - width) : at], data[at + n : at + n + width])
    return all(not unit or (max(unit) < 0x80 and not unit[:1].isalpha()) for unit in beside)


def _is_text(path: Path) -> bool:
    """Tell whether a file of unknown ending begins like a text."""
    with path.open("rb") as file:
        head = file.read(4096)
    return b"\0" not in head


def _unpacked(path: Path) -> Iterator[bytes]:
    """Yield the content of a gzip file in blocks; one that is cut short yields what there is."""
    unpack = zlib.decompressobj(wbits=31)
    with path.open("rb") as file:
        waiting = file.read(1 << 18)
        try:
            while waiting:
                yield unpack.decompress(waiting, _BLOCK)
                waiting = unpack.unconsumed_tail
                if unpack.eof:
                    waiting, unpack = unpack.unused_data, zlib.decompressobj(wbits=31)
                waiting = waiting or file.read(1 << 18)
        except zlib.error:
            return
