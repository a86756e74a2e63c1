"""
Texts that a file carries beside its samples or pictures: tags, comments, properties, headers.

Nobody sees them when looking at a picture or a table, and all of them may tell who made a file of whom, where and when.
Read are tags of TIFF, EXIF and XMP, text chunks of PNG, comments of JPEG, tags of MP4, MKV and AVI, cells and
properties of Office files, headers of EDF and BDF, and the name and time in a gzip header.
"""

from __future__ import annotations

import datetime as dt
import html
import mmap
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["HIDING", "gzip_header", "hidden_texts"]

_ENOUGH = 1 << 20  # bytes of one tag that are looked at
_SERIAL = re.compile(r'<c r="([A-Z]+\d+)"[^>]*\ss="[1-9]\d*"[^>]*><v>(\d{5})(?:\.\d+)?</v>')
_SERIAL_ZERO = dt.date(1899, 12, 30)


def hidden_texts(path: Path) -> Iterator[tuple[str, str]]:
    r"""
    Yield what a file says beside its samples.

    Parameters
    ----------
    path
        File; its ending decides how it is read.

    Yields
    ------
    place, text
        Where in the file, and what it says. A damaged file yields what could be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.png"
    ...     chunk = b"tEXtAuthor\0somebody"
    ...     _ = path.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(chunk) - 4) + chunk + b"\0" * 4)
    ...     list(hidden_texts(path))
    [('text chunk', 'Author\nsomebody')]
    """
    reader = HIDING.get(path.suffix.lower())
    if reader is None:
        return
    try:
        yield from reader(path)
    except (struct.error, zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError):
        return  # damaged: the bytes themselves are searched as well


def gzip_header(path: Path) -> tuple[str, int]:
    """
    Name and time [s since 1970; 0 is none] that the header of a gzip file carries.

    Examples
    --------
    >>> import gzip, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with gzip.GzipFile(f"{folder}/a.tsv.gz", "wb", mtime=7) as file:
    ...         _ = file.write(b"1")
    ...     gzip_header(Path(folder) / "a.tsv.gz")
    ('a.tsv', 7)
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if len(head) < 10 or head[:2] != b"\x1f\x8b":
        return "", 0
    flags, at = head[3], 10
    if flags & 4:
        at += 2 + int.from_bytes(head[at : at + 2], "little")
    parts = []
    for bit in (8, 16):  # name, comment
        if flags & bit:
            end = head.find(b"\0", at)
            end = len(head) if end < 0 else end
            parts.append(head[at:end].decode("latin-1"))
            at = end + 1
    return "\n".join(parts), int.from_bytes(head[4:8], "little")


def _plain(data: bytes) -> str:
    """Text of bytes whose coding is not known; UTF-16 without its zeros is close enough to be searched."""
    data = data[:_ENOUGH]
    zeros = data.count(0)
    if zeros * 3 > len(data):
        data = data.replace(b"\0", b"")
    return data.replace(b"\0", b"\n").decode("utf-8", errors="replace")


def _png(path: Path) -> Iterator[tuple[str, str]]:
    with path.open("rb") as file:
        if file.read(8) != b"\x89PNG\r\n\x1a\n":
            return
        while len(head := file.read(8)) == 8:
            n, kind = struct.unpack(">I4s", head)
            if kind not in (b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME"):
                file.seek(n + 4, 1)
                continue
            data = file.read(n)
            file.seek(4, 1)
            if kind == b"tIME" and n == 7:
                year, month, day = struct.unpack(">HBB", data[:4])
                yield "time chunk", f"{year:04d}-{month:02d}-{day:02d}"
            elif kind == b"eXIf":
                yield from _tags(data)
            else:
                yield "text chunk", _png_text(kind, data)


def _png_text(kind: bytes, data: bytes) -> str:
    """Text of a PNG chunk, unpacked where it is packed."""
    key, _, rest = data.partition(b"\0")
    if kind == b"zTXt":
        rest = zlib.decompressobj().decompress(rest[1:], _ENOUGH)
    elif kind == b"iTXt" and rest[:1] == b"\x01":
        rest = zlib.decompressobj().decompress(rest[2:].split(b"\0", 2)[-1], _ENOUGH)
    elif kind == b"iTXt":
        rest = rest[2:]
    return _plain(key) + "\n" + _plain(rest)


def _jpeg(path: Path) -> Iterator[tuple[str, str]]:
    with path.open("rb") as file:
        if file.read(2) != b"\xff\xd8":
            return
        while len(head := file.read(4)) == 4 and head[0] == 0xFF and head[1] != 0xDA:
            data = file.read(struct.unpack(">H", head[2:])[0] - 2)
            if head[1] == 0xE1 and data.startswith(b"Exif\0\0"):
                yield from _tags(data[6:])
            elif 0xE1 <= head[1] <= 0xEF:
                yield "application segment", _plain(data)
            elif head[1] == 0xFE:
                yield "comment", _plain(data)


def _tiff(path: Path) -> Iterator[tuple[str, str]]:
    # A frame is a few MB; tags may lie behind the picture, so the whole file is mapped, not read.
    with path.open("rb") as file:
        if path.stat().st_size < 16:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield from _tags(data)


def _tags(data: bytes | mmap.mmap) -> Iterator[tuple[str, str]]:
    """Texts among the tags of a TIFF or of EXIF, those of its sub-directories included."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None or struct.unpack(order + "H", data[2:4])[0] != 42:
        return
    waiting, seen = [struct.unpack(order + "I", data[4:8])[0]], set()
    while waiting:
        at = waiting.pop()
        if at in seen or not 8 <= at < len(data):
            continue
        seen.add(at)
        n = struct.unpack(order + "H", data[at : at + 2])[0]
        for k in range(n):
            entry = data[at + 2 + 12 * k : at + 14 + 12 * k]
            tag, kind, count = struct.unpack(order + "HHI", entry[:8])
            place = struct.unpack(order + "I", entry[8:])[0]
            if tag in (0x8769, 0x8825, 0xA005):
                waiting.append(place)
            elif kind in (1, 2, 7):
                yield (
                    f"tag {tag}",
                    _plain(bytes(entry[8 : 8 + count] if count <= 4 else data[place : place + min(count, _ENOUGH)])),
                )
        end = at + 2 + 12 * n
        waiting.append(struct.unpack(order + "I", data[end : end + 4])[0])


def _film(path: Path) -> Iterator[tuple[str, str]]:
    import av

    try:
        with av.open(str(path), metadata_errors="replace") as film:
            tags = [("container", dict(film.metadata))]
            tags += [(f"stream {stream.index}", dict(stream.metadata)) for stream in film.streams]
    except (av.FFmpegError, OSError):
        return
    for place, found in tags:
        for name, text in found.items():
            yield f"{place} tag {name.lower()}", str(text)


def _office(path: Path) -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(path) as packed:
        for member in packed.infolist():
            if not member.filename.endswith((".xml", ".rels", ".vml")):
                continue
            text = packed.read(member).decode("utf-8", errors="replace")
            days = [(cell, _SERIAL_ZERO + dt.timedelta(days=int(day))) for cell, day in _SERIAL.findall(text)]
            if days:
                yield f"{member.filename}, dates", "\n".join(f"{cell} {day.isoformat()}" for cell, day in days)
            told = "\n".join(re.findall(r'="([^"]*)"', text))
            # Word cuts a word into runs wherever its history did, so only ends of paragraphs divide.
            joined = re.sub(r"<w:[^>]*>|</w:(?!p>)[^>]*>", "", text) if "<w:p" in text else text
            yield member.filename, html.unescape(re.sub(r"<[^>]*>", "\n", joined) + "\n" + told)


def _edf(path: Path) -> Iterator[tuple[str, str]]:
    with path.open("rb") as file:
        head = file.read(256)
        if len(head) < 256 or not head[252:256].strip().isdigit():
            return
        signals = file.read(256 * int(head[252:256]))
    yield "header", (head[:8] + b"\n" + head[8:88] + b"\n" + head[88:168] + b"\n" + signals).decode("latin-1")
    day, month, year = (int(part) for part in head[168:176].decode("latin-1").split("."))
    yield "header, start date", f"{year + (1900 if year >= 85 else 2000):04d}-{month:02d}-{day:02d}"


HIDING: dict[str, Callable[[Path], Iterator[tuple[str, str]]]] = {
    **dict.fromkeys((".png",), _png),
    **dict.fromkeys((".jpg", ".jpeg"), _jpeg),
    **dict.fromkeys((".tif", ".tiff"), _tiff),
    **dict.fromkeys((".mkv", ".mp4", ".avi", ".mov", ".m4v", ".webm"), _film),
    **dict.fromkeys((".xlsx", ".xlsm", ".docx", ".pptx", ".odt", ".ods"), _office),
    **dict.fromkeys((".edf", ".bdf"), _edf),
}
"""Reader by ending."""
