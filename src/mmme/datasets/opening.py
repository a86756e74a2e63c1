"""The files of a raw session, opened: streams under their names, trigger values decoded, frames with their times."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mmme.datasets.catalogue import Device
from mmme.datasets.raw import RawSession, session_hash
from mmme.datasets.signals import CARRIERS, recognise
from mmme.datasets.videos import VIDEO_SUFFIXES, OpenVideo, frame_changes, open_face_video
from mmme.errors import DataError, MmmeError, raise_faults
from mmme.io.eeg import EEG_SUFFIXES
from mmme.io.triggers import Triggers, from_column, from_lines, from_texts
from mmme.types import Finding, Level, Markers, Reading, Recording, Source, Stream

__all__ = ["OpenDevice", "OpenSession", "open_session", "read_session", "reader_of"]

TABLE_SUFFIXES = (".csv", ".tsv", ".txt")


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
    """Frames of a folder or a video file, with their times and what the camera saw of the trigger."""
    device = session.info.devices[name]
    groups = {"name": session.name, "date": session.date}
    idle = session.info.markers.idle
    video, odd = open_face_video(session.files[name], device, readings=readings, groups=groups, idle=idle)
    findings = tuple(_finding(code, level, name, session.masked(text)) for code, level, text in odd)
    return OpenDevice(name, name, (), frame_changes(name, device, video, idle=idle), video, findings)


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
