"""Tell what a folder or a file of a laboratory is, what can be read of it, and what is lacking for an import."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmme.datasets.catalogue import DatasetInfo, Device, dataset_info, dataset_names
from mmme.datasets.clips import find_clips
from mmme.datasets.coding.reading import read_coding_rows
from mmme.datasets.coding.recognition import coding_spec_of, recognise_table
from mmme.datasets.opening import TABLE_SUFFIXES, reader_of
from mmme.datasets.raw import RawSession, find_sessions, other_folders
from mmme.datasets.signals import recognise
from mmme.datasets.videos import VIDEO_SUFFIXES
from mmme.errors import DataError, MmmeError
from mmme.io.eeg import EEG_SUFFIXES
from mmme.io.frames import index_frames
from mmme.types import Reading

__all__ = ["Inspection", "inspect_path"]

IMAGES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp")
MOST_FILES = 200_000  # beyond, a folder is surveyed in part, and that is said
KINDS: Mapping[str, tuple[str, ...]] = {
    "EEG": EEG_SUFFIXES,
    "BIOPAC": (".acq", ".mat"),
    "video": VIDEO_SUFFIXES,
    "frames": IMAGES,
    "XDF": (".xdf",),
    "WFDB": (".hea",),
    "physiology (BIDS)": (".tsv.gz",),
    "table": (".xlsx", *TABLE_SUFFIXES),
    "annotation": (".eaf", ".boris"),
}


@dataclass(frozen=True, slots=True)
class Inspection:
    """
    What was found.

    Parameters
    ----------
    path
        What was looked at.
    what
        One sentence.
    header, rows
        A table for people: sessions and their devices, or streams of a file.
    lacks
        What an import would miss, one sentence each.
    notes
        What else is worth knowing.
    proposal
        Beginning of a layout file, where no known layout fits.
    """

    path: Path
    what: str
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    lacks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    proposal: str = field(default="", repr=False)


def inspect_path(path: Path, *, layout: str | None = None) -> Inspection:
    """
    Look at a raw folder, a device's file, a folder of frames, or an annotation table.

    Nothing is written, and names of participants are not told.

    Parameters
    ----------
    path
        What to look at.
    layout
        Data set or layout file that a folder is to be compared with; without it, all known ones are tried.

    Returns
    -------
    Inspection
        What was recognised, and what is lacking.

    Raises
    ------
    DataError
        If nothing is there, or a file cannot be read.
    """
    if not path.exists():
        raise DataError(f"{path.name}: expected a folder or a file, got nothing")
    if path.is_file():
        return _file(path)
    if layout is not None:
        return _sessions(path, dataset_info(layout), layout)
    fits = []
    for name in dataset_names():
        try:
            found = _sessions(path, dataset_info(name), name)
        except MmmeError:
            continue
        if found.rows:
            fits.append((_has_its_table(path, name), -len(found.lacks), name, found))
    if fits:
        return max(fits, key=lambda fit: fit[:3])[3]
    try:
        frames = index_frames(path)
    except MmmeError:
        return _survey(path)
    timed = "with times in their names" if frames.host_s is not None else "numbered, without times"
    return Inspection(path, f"{len(frames)} frames, {timed}")


def _sessions(path: Path, info: DatasetInfo, layout: str) -> Inspection:
    """Sessions (or clips) of a folder by a layout."""
    tables, notes, lacks = _tables(path, info)
    if info.clips is not None:
        rows = [row for table in tables for row in read_coding_rows(table, coding_spec_of(info)).rows]
        sessions = find_clips(path, info, rows) if rows else ()
        there = sum(not s.faults for s in sessions)
        lacks += [f"{len(sessions) - there} of {len(sessions)} clips have no video"] if there < len(sessions) else []
        subjects = str(len({s.name for s in sessions}))
        counts = ((info.name, subjects, str(len(sessions)), str(there)),) if sessions else ()
        what = f"{info.name}: {there} clips of {subjects} subjects"
        return Inspection(path, what, ("data set", "subjects", "clips", "with video"), counts, tuple(lacks), tuple(notes))
    sessions = find_sessions(path, info)
    header = ("session", *info.devices, "complete")
    shown = tuple(_session_row(s, info.devices) for s in sessions)
    for session in sessions:
        lacks += [f"{session.place}: {session.masked(fault)}" for fault in session.faults]
    if skipped := other_folders(path, info):
        lacks.append(f"{skipped} folders are not named as sessions are")
    people = len({s.name for s in sessions})
    what = f"layout {Path(layout).name}: {len(sessions)} sessions of {people} participants"
    return Inspection(path, what, header, shown, tuple(lacks), tuple(notes))


def _has_its_table(path: Path, name: str) -> bool:
    """Tell whether an annotation table in the folder is of that data set by its header and names."""
    spec = dataset_info(name).coding
    tables = [table for pattern in spec.files for table in path.glob(pattern)] if spec else []
    return any(_known_table(table) == name for table in tables)


def _tables(path: Path, info: DatasetInfo) -> tuple[list[Path], list[str], list[str]]:
    """Annotation tables that the layout names, with a note on each, or what is lacking."""
    if info.coding is None:
        return [], ["the layout names no annotation table"], []
    for pattern in info.coding.files:
        tables = sorted(p for p in path.glob(pattern) if not p.name.startswith(("~", ".")))
        notes, lacks = [], []
        for number, table in enumerate(tables, start=1):
            try:
                read = read_coding_rows(table, info.coding)
                notes.append(f"annotation table {number}: {len(read.rows)} rows, {len(read.findings)} findings")
            except MmmeError as error:
                lacks.append(f"annotation table {number}: {error}")
        if tables:
            return tables, notes, lacks
    return [], [], [f"expected an annotation table {' or '.join(info.coding.files)}, got none"]


def _session_row(session: RawSession, devices: Mapping[str, Device]) -> tuple[str, ...]:
    """One line of the table: what each device's file is."""
    cells = []
    for name, device in devices.items():
        path = session.files.get(name)
        missing = "-" if device.optional else "missing"
        cells.append(missing if path is None else "frames" if path.is_dir() else path.suffix)
    return (session.place, *cells, "no" if session.faults else "yes")


def _file(path: Path) -> Inspection:
    """One device's file, or an annotation table."""
    if (known := recognise_table(path)) is not None:
        read = read_coding_rows(path, coding_spec_of(dataset_info(known)))
        people = len({row.subject for row in read.rows})
        notes = tuple(f.text for f in read.findings)
        return Inspection(
            path, f"annotation table of {dataset_info(known).name}: {len(read.rows)} rows, {people} subjects", notes=notes
        )
    if path.suffix.lower() in VIDEO_SUFFIXES:
        from mmme.io.video import open_video

        frames = open_video(path)
        gaps_s = np.diff(frames.t_s)
        text = (
            f"video: {len(frames)} frames of {frames.shape[2]} x {frames.shape[1]} px in "
            f"{frames.t_s[-1] - frames.t_s[0]:.2f} s; from frame to frame {1e3 * gaps_s.min():.2f} to "
            f"{1e3 * gaps_s.max():.2f} ms"
        )
        return Inspection(path, text)
    reader = reader_of(path, Device(files=(path.name,)))
    assert reader is not None
    reading = reader(path)
    streams, findings = recognise(reading, device="device")
    taken = {stream.name for stream in streams}
    rows = tuple(_stream_rows(reading))
    codes = Counter(reading.texts)
    said = [f"{sum(codes.values())} annotations, {len(codes)} different"] if codes else []
    said += [*reading.findings, *findings, f"recognised: {', '.join(sorted(taken)) or 'nothing'}"]
    header = ("label", "samples", "rate [Hz]", "seconds", "unit")
    return Inspection(path, f"{len(reading.streams)} streams", header, rows, (), tuple(said))


def _stream_rows(reading: Reading) -> Iterator[tuple[str, ...]]:
    for stream in reading.streams:
        label = f"{stream.name} ({len(stream.channels)} channels)" if len(stream.channels) > 1 else stream.name
        rate = "irregular" if stream.fs is None else f"{stream.fs:g}"
        yield label, str(len(stream)), rate, f"{stream.t[-1] - stream.t[0]:.1f}", stream.unit


def _survey(path: Path) -> Inspection:
    """Count files by kind where no layout fits, and propose the beginning of one."""
    counts: Counter[str] = Counter()
    folders: dict[str, set[str]] = {}
    examples: dict[str, str] = {}
    n = 0
    for file in _walk(path):
        n += 1
        if n > MOST_FILES:
            break
        ending = ".tsv.gz" if file.name.endswith(".tsv.gz") else file.suffix.lower()
        kind = next((kind for kind, endings in KINDS.items() if ending in endings), "other")
        counts[kind] += 1
        inside = file.relative_to(path)
        place = inside.parent if kind == "frames" else inside
        below = place.as_posix().split("/", 1)[-1].removesuffix(ending)
        pattern = re.sub(r"[0-9]+", "*", below) + ("" if kind == "frames" else ending)
        pattern = pattern if len(inside.parts) > 1 else f"*{ending}"
        folders.setdefault(kind, set()).add(inside.parent.as_posix())
        examples.setdefault(kind, pattern)
    if not counts:
        raise DataError(f"{path.name}: expected recordings, got an empty folder")
    rows = tuple((kind, str(counts[kind]), str(len(folders[kind])), examples[kind]) for kind in counts if kind != "other")
    lacks = ["no known layout fits; write a layout file beginning with the proposal, then `mmme inspect DIR --layout FILE`"]
    notes = [f"{counts['other']} files of other kinds"] if counts["other"] else []
    notes += [f"looked at the first {MOST_FILES} files only"] if n > MOST_FILES else []
    tables = (
        [p for p in _walk(path) if p.suffix.lower() in (".xlsx", ".csv", ".tsv", ".eaf", ".boris")]
        if n < MOST_FILES
        else []
    )
    for number, table in enumerate(tables[:20], start=1):
        known = _known_table(table)
        notes += (
            [f"table {number} ({table.suffix}) looks like the annotation table of {dataset_info(known).name}"]
            if known
            else []
        )
    return Inspection(
        path,
        f"{n} files, no known layout",
        ("kind", "files", "folders", "for example"),
        rows,
        tuple(lacks),
        tuple(notes),
        _proposal([kind for kind in counts if kind != "other"], examples, [p.name for p in path.iterdir() if p.is_dir()]),
    )


def _known_table(path: Path) -> str | None:
    try:
        return recognise_table(path)
    except MmmeError:
        return None


def _walk(path: Path) -> Iterator[Path]:
    """Yield files, hidden ones apart."""
    for file in sorted(path.rglob("*")):
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts):
            yield file


def _folder_pattern(folders: Sequence[str]) -> str:
    """Pattern of session folders by the form of their names: with a day at the end, with a day in parts, or without."""
    for day in (r"\d{8}", r"\d{4}-\d\d-\d\d"):
        pattern = rf"(?P<name>[A-Za-z0-9]+?)[_-]?(?P<date>{day})"
        if folders and all(re.fullmatch(pattern, folder) for folder in folders):
            return pattern
    return "(?P<name>[A-Za-z0-9_-]+)"


def _proposal(kinds: Sequence[str], examples: Mapping[str, str], folders: Sequence[str]) -> str:
    """Beginning of a layout file from the kinds of files that are there."""
    lines = [
        'name = "Our study"',
        'licence = "internal"',
        "",
        "[sessions]",
        "# path of a session below RAW; (?P<name>...) is the participant, (?P<date>...) and (?P<session>...) are optional",
        f"folder = '{_folder_pattern(folders)}'",
    ]
    devices = {
        "EEG": ("eeg", 'markers = "annotations"'),
        "BIOPAC": ("biopac", 'markers = "lines"'),
        "XDF": ("lsl", 'markers = "annotations"'),
        "WFDB": ("monitor", 'markers = "annotations"'),
        "physiology (BIDS)": ("physio", 'markers = "trigger"'),
        "table": ("box", 'markers = "trigger"   # time, trigger: names of those columns'),
        "frames": ("camera", 'markers = "frames"'),
        "video": ("camera", 'times = "*_frames.csv"   # time and trigger value of every frame\nmarkers = "frames"'),
    }
    for kind in kinds:
        if kind in devices:
            name, more = devices[kind]
            lines += ["", f"[devices.{name}]", f'files = ["{examples[kind]}"]', more]
    lines += [
        "",
        "[markers]",
        "idle = 0   # code between stimuli",
        "",
        "[stimuli]",
        "# emotion = [code of film 1, film 2, ...]",
    ]
    lines += ["", "[coding]", '# files = ["annotation.xlsx"]; see docs/layouts.md']
    return "\n".join(lines) + "\n"
