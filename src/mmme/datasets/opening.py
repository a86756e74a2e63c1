"""The files of a raw session, opened: streams under their names, trigger values decoded, frames with their times."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.datasets.catalogue import Device
from mmme.datasets.raw import RawSession, session_hash
from mmme.datasets.signals import CARRIERS, recognise
from mmme.errors import DataError, MmmeError, raise_faults
from mmme.io.eeg import EEG_SUFFIXES
from mmme.io.frames import FrameClock, FrameIndex, frame_clock, frame_markers, index_frames
from mmme.io.image import read_grey
from mmme.io.triggers import Triggers, from_column, from_lines, from_texts
from mmme.types import Finding, Level, Markers, Reading, Recording, Samples, Source, Stream

__all__ = ["FrameImages", "OpenDevice", "OpenSession", "OpenVideo", "open_session", "read_session", "reader_of"]

VIDEO_SUFFIXES = (".avi", ".mp4", ".mkv", ".mov", ".webm", ".m4v", ".wmv")
TABLE_SUFFIXES = (".csv", ".tsv", ".txt")


@dataclass(frozen=True, slots=True, eq=False)
class OpenVideo:
    """
    Frames and their times.

    Parameters
    ----------
    images : (n, height, width) uint8
        Read when asked for.
    t_s, uncertainty_s : (n,) float64
        Time taken and its standard uncertainty [s]; NaN where it is unknown.
    rate_hz
        Rate measured (or nominal).
    host_s : (n,) float64 or None
        Stamps as saved.
    code, marker : (n,) int64 or None
        Running codes and trigger values.
    number : (n,) int64 or None
        Numbers by which annotation tables count frames, from 0; None where that is the place in the video.
    """

    images: Samples
    t_s: NDArray[np.float64]
    uncertainty_s: NDArray[np.float64]
    rate_hz: float
    host_s: NDArray[np.float64] | None = None
    code: NDArray[np.int64] | None = None
    marker: NDArray[np.int64] | None = None
    number: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class OpenDevice:
    """
    Streams, trigger changes and video of one device, and what was odd.

    ``clock`` is the device whose clock the times are on, its own as a rule; ``initial`` the trigger value at the start.
    """

    name: str
    clock: str
    streams: tuple[Stream, ...]
    markers: Markers | None
    video: OpenVideo | None
    findings: tuple[Finding, ...]
    initial: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class OpenSession:
    """All devices of a session, by name."""

    devices: Mapping[str, OpenDevice]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was odd, over all devices."""
        return tuple(finding for device in self.devices.values() for finding in device.findings)


class FrameImages:
    """Frames (n, height, width) of a folder of images, read when asked for."""

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(self, frames: FrameIndex) -> None:
        self._frames = frames
        self._size = read_grey(frames.folder / frames.names[0]).shape

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, height, width)."""
        return (len(self._frames), *self._size)

    def __len__(self) -> int:
        """Count frames."""
        return len(self._frames)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Frame after frame."""
        folder = str(self._frames.folder)
        return (read_grey(f"{folder}/{name}") for name in self._frames.names)

    def __getitem__(self, index: Any) -> NDArray[np.uint8]:
        """Return one frame, or several as (m, height, width)."""
        folder, names = self._frames.folder, self._frames.names
        if isinstance(index, (int, np.integer)):
            return read_grey(folder / names[int(index)])
        wanted = np.arange(len(names))[index]
        return (
            np.stack([read_grey(folder / names[i]) for i in wanted])
            if wanted.size
            else np.empty((0, *self._size), np.uint8)
        )


def reader_of(path: Path, device: Device) -> Callable[[Path], Reading] | None:
    """Return the reader for a file's ending; None for videos and folders of frames, `DataError` for unknown endings."""
    ending = ".tsv.gz" if path.name.endswith(".tsv.gz") else path.suffix.lower()
    if path.is_dir() or ending in VIDEO_SUFFIXES:
        return None
    if ending in EEG_SUFFIXES:
        from mmme.io.eeg import read_eeg

        return read_eeg
    if ending == ".acq":
        from mmme.io.acq import read_acq

        return read_acq
    if ending == ".mat":
        from mmme.io.biopac_mat import read_biopac_mat

        return read_biopac_mat
    if ending == ".tsv.gz":
        from mmme.io.physio_tsv import read_physio_reading

        return read_physio_reading
    if ending in TABLE_SUFFIXES:
        from mmme.io.columns import read_columns

        return lambda p: read_columns(p, time=device.time or None, fs=device.rate_hz, trigger=device.trigger or None)
    if ending == ".hea":
        from mmme.io.wfdb_record import read_wfdb

        return read_wfdb
    if ending == ".xdf":
        from mmme.io.xdf import read_xdf

        return read_xdf
    known = (*EEG_SUFFIXES, ".acq", ".mat", ".tsv.gz", *TABLE_SUFFIXES, ".hea", ".xdf", *VIDEO_SUFFIXES)
    raise DataError(f"*{ending}: expected one of {', '.join(known)} or a folder of frames, got another kind of file")


def open_session(session: RawSession) -> OpenSession:
    """
    Open the files of a session, decode trigger values and reconstruct the times of frames.

    Parameters
    ----------
    session
        From `mmme.datasets.raw.find_sessions`.

    Returns
    -------
    OpenSession
        Signals lazy where the format allows it; what was odd as findings.

    Raises
    ------
    DataError
        If a file is missing or is not what its format promises; all at once, without the participant's name.
    """
    raise_faults(session.place, session.faults)
    faults: list[str] = []
    readings: dict[str, Reading] = {}
    opened: dict[str, OpenDevice] = {}
    videos = [name for name, path in session.files.items() if path.is_dir() or path.suffix.lower() in VIDEO_SUFFIXES]
    for name, path in session.files.items():
        if name in videos:
            continue
        try:
            reader = reader_of(path, session.info.devices[name])
            assert reader is not None
            readings[name] = reader(path)
            opened[name] = _signals(name, readings[name], session)
        except MmmeError as error:
            faults.append(session.masked(f"{name}: {error}"))
    for name in videos:
        try:
            opened[name] = _video(name, session, readings)
        except MmmeError as error:
            faults.append(session.masked(f"{name}: {error}"))
    if len(videos) > 1:
        faults.append(f"expected one video, got {', '.join(videos)}; mmme follows one face")
    raise_faults(session.place, faults)
    return OpenSession({name: _on_its_clock(opened[name], session.info.devices[name]) for name in session.files})


def _on_its_clock(opened: OpenDevice, device: Device) -> OpenDevice:
    """Put a device on the clock that the layout says it shares."""
    if not device.clock:
        return opened
    shift_s = device.shift_s
    streams = tuple(replace(s, device=device.clock, t=s.t + shift_s) for s in opened.streams)
    video = None if opened.video is None else replace(opened.video, t_s=opened.video.t_s + shift_s)
    text = f"its clock is taken to be that of {device.clock}, {shift_s:g} s later, as the layout says; nothing confirms it"
    said = _finding("A005", "note", opened.name, text)
    return replace(
        opened, clock=device.clock, streams=streams, video=video, markers=None, findings=(*opened.findings, said)
    )


def _signals(name: str, reading: Reading, session: RawSession) -> OpenDevice:
    """Streams and trigger changes of one reading."""
    device = session.info.devices[name]
    streams, findings = recognise(reading, device=name, mapping=device.signals or None)
    odd = [_finding("D019", "note", name, session.masked(text)) for text in reading.findings]
    odd += [_finding("D018", "note", name, session.masked(text)) for text in findings]
    carriers = {s.name: s for s in streams if s.name in CARRIERS}
    triggers, said = _triggers(device, reading, carriers)
    odd += [_finding("D019", "note" if triggers else "warning", name, text) for text in said]
    if triggers is not None and triggers.n_unsettled:
        odd.append(_finding("D019", "note", name, f"{triggers.n_unsettled} trigger values were not held and are left out"))
    kept = tuple(replace(s, device=name) for s in streams if s.name not in CARRIERS)
    for stream in kept:
        if device.rate_hz and stream.fs and abs(stream.fs / device.rate_hz - 1) > 0.01 and stream.name in ("eeg", "ecg"):
            odd.append(_finding("D019", "warning", name, f"expected {device.rate_hz:g} Hz, got {stream.fs:g} Hz"))
    markers = None if triggers is None else triggers.markers(name)
    return OpenDevice(name, name, kept, markers, None, tuple(odd), None if triggers is None else triggers.initial)


def _triggers(device: Device, reading: Reading, carriers: Mapping[str, Stream]) -> tuple[Triggers | None, list[str]]:
    """Decode what the layout says carried trigger values; annotations that hold none give way to a trigger column."""
    held = not device.pulses
    said: list[str] = []
    if device.markers == "none":
        return None, []
    if device.markers == "annotations":
        triggers = from_texts(reading.text_t_s, reading.texts, pattern=device.marker_text or None)
        said += [f"annotation '{text}' is no trigger value" for text in triggers.others]
        if len(triggers.codes) or "trigger" not in carriers:
            return triggers, [*said, *triggers.findings]
        said.append("no annotation holds a trigger value; the trigger column was decoded instead")
    if device.markers == "lines":
        if "lines" not in carriers:
            raise DataError("expected digital lines, got none; were the digital channels exported?")
        triggers = from_lines(carriers["lines"], held=held)
    else:
        if "trigger" not in carriers:
            raise DataError("expected a trigger column, got none; state its name as 'trigger' of the device")
        triggers = from_column(carriers["trigger"], low_byte=device.low_byte, held=held)
    return triggers, [*said, *triggers.findings]


def _video(name: str, session: RawSession, readings: Mapping[str, Reading]) -> OpenDevice:
    """Frames of a folder or a video file, with their times."""
    device, path = session.info.devices[name], session.files[name]
    if path.is_dir():
        return _frame_folder(name, device, path, session)
    from mmme.io.video import open_video

    frames = open_video(path)
    odd: list[Finding] = []
    marker = code = None
    if device.times in readings:
        t_s, code = _stream_times(readings[device.times], len(frames), device.times)
    elif device.times:
        t_s, marker = _table_times(device, path.parent, session, len(frames))
    else:
        t_s = frames.t_s
        odd.append(
            _finding("D019", "note", name, "frame times are those of the video file; how exact they are is not known")
        )
    video = OpenVideo(frames, t_s, np.full(len(t_s), np.nan), 1.0 / float(np.median(np.diff(t_s))), None, code, marker)
    return OpenDevice(name, name, (), _frame_codes(name, device, video, session), video, tuple(odd))


def _stream_times(reading: Reading, n: int, whose: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Read times of frames that another recorder noted: rows of picture number and camera counter."""
    stream = next((s for s in reading.streams if s.name == "frames"), None)
    if stream is None:
        raise DataError(f"expected a stream of frame numbers in {whose}, got none")
    rows = np.asarray(stream.x[:], dtype=np.int64).reshape(len(stream), -1)
    number = rows[:, 0] - rows[0, 0]
    if len(number) != n or not np.array_equal(number, np.arange(n)):
        raise DataError(f"expected a time for each of {n} pictures, got {len(number)} rows up to picture {number.max()}")
    return stream.t, rows[:, -1]


def _table_times(
    device: Device, folder: Path, session: RawSession, n: int
) -> tuple[NDArray[np.float64], NDArray[np.int64] | None]:
    """Read times (and trigger values) of frames from a table beside the video."""
    from mmme.io.columns import read_columns

    there = sorted(folder.glob(device.times.replace("{name}", session.name).replace("{date}", session.date)))
    if len(there) != 1:
        raise DataError(f"expected one table of frame times {device.times}, got {len(there) or 'none'}")
    reading = read_columns(there[0], time=device.time or None, trigger=device.trigger or None)
    t_s = reading.streams[0].t
    if len(t_s) != n:
        raise DataError(f"expected a time for each of {n} pictures in {device.times}, got {len(t_s)}")
    trigger = next((s for s in reading.streams if s.name == "trigger"), None)
    return t_s, None if trigger is None else np.asarray(trigger.x[:], dtype=np.int64)


def _frame_folder(name: str, device: Device, path: Path, session: RawSession) -> OpenDevice:
    """Frames of a folder: times by their stamps and running codes."""
    frames = index_frames(path, pattern=device.frame_name or None)
    odd: list[Finding] = []
    if frames.host_s is None:
        if device.rate_hz is None:
            raise DataError("expected times in the names of frames, or rate_hz of the device, got neither")
        assert frames.number is not None
        t_s = frames.number / device.rate_hz
        odd.append(_finding("D019", "note", name, f"frame times are nominal: number / {device.rate_hz:g} Hz"))
        number = frames.number - device.first_frame
        unknown = np.full(len(frames), np.nan)
        video = OpenVideo(FrameImages(frames), t_s, unknown, device.rate_hz, number=number)
        return OpenDevice(name, name, (), None, video, tuple(odd))
    clock = _clock(frames.host_s, frames.code, device.rate_hz)
    if clock.dropped_before.any():
        lost, stretches = int(clock.dropped_before.sum()), int(np.count_nonzero(clock.dropped_before))
        share = 100 * lost / (lost + len(frames))
        odd.append(_finding("D006", "note", name, f"{lost} frames lost in {stretches} places ({share:.2f} %)"))
    if clock.n_stalls:
        worst_ms = 1e3 * float(clock.late_s.max())
        text = f"{clock.n_stalls} stalls of saving, the longest {worst_ms:.0f} ms; frame times are those before the stall"
        odd.append(_finding("D006", "note", name, text))
    outages = np.diff(clock.segment) > 0
    if frames.marker is not None:
        value, idle = frames.marker, session.info.markers.idle
        outages &= (value[1:] == value[:-1]) & (value[1:] != idle)
    if outages.any():
        longest_s = np.diff(clock.t_s)[outages].max()
        odd.append(
            _finding("D006", "warning", name, f"{int(outages.sum())} gaps inside trials, the longest {longest_s:.2f} s")
        )
    if clock.missing_before.any():
        text = f"{int(clock.missing_before.sum())} saved frames have left the folder"
        odd.append(_finding("D006", "warning", name, text))
    rate_hz = 1.0 / clock.period_s
    if device.rate_hz and abs(rate_hz / device.rate_hz - 1) > 0.02:
        odd.append(
            _finding(
                "D019", "warning", name, f"expected {device.rate_hz:g} frames per second, got a period of {rate_hz:.2f} Hz"
            )
        )
    video = OpenVideo(
        FrameImages(frames), clock.t_s, clock.uncertainty_s, rate_hz, frames.host_s, frames.code, frames.marker
    )
    return OpenDevice(name, name, (), _frame_codes(name, device, video, session), video, tuple(odd))


def _clock(host_s: NDArray[np.float64], code: NDArray[np.int64], rate_hz: float | None) -> FrameClock:
    """Reconstruct frame times; the nominal rate decides only where losses make the period look like several."""
    clock = frame_clock(host_s, code)
    periods = clock.period_s * (rate_hz or 0.0)
    if round(periods) > 1 and abs(periods / round(periods) - 1) < 0.05:
        return frame_clock(host_s, code, nominal_hz=rate_hz)
    return clock


def _frame_codes(name: str, device: Device, video: OpenVideo, session: RawSession) -> Markers | None:
    """Trigger changes as the camera saw them."""
    if device.markers != "frames" or video.marker is None:
        if device.markers == "frames":
            raise DataError(
                "expected a trigger value for every frame, got none; is the column 'trigger' of 'times' stated?"
            )
        return None
    return Markers(name, *frame_markers(video.t_s, video.marker, idle=session.info.markers.idle))


def _finding(code: str, level: Level, device: str, text: str) -> Finding:
    return Finding(code, level, device, re.sub(r"\s+", " ", text))


def read_session(session: RawSession, code: str) -> Recording:
    """
    Read a raw session without importing it; large files stay on disk.

    Parameters
    ----------
    session
        From `mmme.datasets.raw.find_sessions`.
    code
        Code to use instead of the name.

    Returns
    -------
    Recording
        All streams on the clocks of their devices.
    """
    opened = open_session(session)
    streams = [s for device in opened.devices.values() for s in device.streams]
    for name, device in opened.devices.items():
        if device.video is not None:
            streams.append(Stream("video", name, device.video.t_s, device.video.images, "grey level", device.video.rate_hz))
    markers = {name: device.markers for name, device in opened.devices.items() if device.markers is not None}
    source = (Source(session.place, session_hash(session)),)
    return Recording(code, session.label or "01", {s.name: s for s in streams}, markers, source)
