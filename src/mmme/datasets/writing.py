"""An opened raw session -> the files of one recording of a study."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.datasets.layout import TASK, Contents, RecordingFiles
from mmme.datasets.opening import OpenDevice, OpenSession
from mmme.datasets.videos import OpenVideo
from mmme.io.bids_tsv import write_json, write_tsv
from mmme.io.brainvision import write_brainvision
from mmme.io.ffv1 import write_ffv1
from mmme.io.physio_tsv import write_physio
from mmme.io.samples_tsv import write_samples
from mmme.types import Finding, Stream

__all__ = ["write_recording"]

_BLOCK = 50_000  # samples of EEG held at a time
_LOOK = 1 << 18
_SEEN = {"grey": "grey", "RGB": "colour (RGB)"}
_UNEVEN = 0.25  # sample times may be off a line by this part of a sample
_DESCRIPTIONS = {
    "ppg": "Photoplethysmogram",
    "rsp": "Respiration",
    "eda": "Skin conductance",
    "ecg": "Electrocardiogram",
    "emg": "Electromyogram",
    "skt": "Skin temperature",
}
# counted by the exact type, as BIDS has it: HEOG and VEOG are no EOG, REF is no EEG
_COUNTED = {"EEG": "EEGChannelCount", "EOG": "EOGChannelCount", "ECG": "ECGChannelCount", "EMG": "EMGChannelCount"}
_COUNTED |= {"MISC": "MISCChannelCount", "TRIG": "TriggerChannelCount"}
_NOT_KNOWN = (
    "EEGReference",
    "PowerLineFrequency",
    "SoftwareFilters",
    "HardwareFilters",
    "EEGGround",
    "EEGPlacementScheme",
    "Manufacturer",
    "ManufacturersModelName",
    "SoftwareVersions",
    "DeviceSerialNumber",
    "CapManufacturer",
    "CapManufacturersModelName",
    "Instructions",
    "CogAtlasID",
    "CogPOID",
    "InstitutionName",
    "InstitutionAddress",
    "InstitutionalDepartmentName",
    "SubjectArtefactDescription",
)


def write_recording(
    files: RecordingFiles, opened: OpenSession, *, source_sha256: str, findings: Sequence[Finding]
) -> Contents:
    """
    Write all files of a recording; the one that says what it consists of comes last.

    Parameters
    ----------
    files
        Where to.
    opened
        The raw session.
    source_sha256
        Its hash.
    findings
        What was odd, without names.

    Returns
    -------
    Contents
        What was written.
    """
    eeg_device = next((name for name, device in opened.devices.items() if _eeg(device)), "")
    video_device = next((name for name, device in opened.devices.items() if device.video is not None), "")
    (files.folder / "beh").mkdir(parents=True, exist_ok=True)
    if eeg_device:
        (files.folder / "eeg").mkdir(exist_ok=True)
        _write_eeg(files, opened.devices[eeg_device])
    devices = {name: {"t0_s": _first(device), "clock": device.clock} for name, device in opened.devices.items()}
    physio: dict[str, str] = {}
    samples: dict[str, str] = {}
    lengths: dict[str, int] = {}
    for name, device in opened.devices.items():
        _write_peripheral(files, name, device, beside_eeg=bool(eeg_device), physio=physio, lengths=lengths, samples=samples)
    rate_hz = None
    if video_device:
        video = opened.devices[video_device].video
        assert video is not None
        rate_hz = video.rate_hz
        _write_video(files, video)
    _write_markers(files, opened)
    contents = Contents(
        source_sha256,
        devices,
        eeg_device,
        physio,
        lengths,
        samples,
        video_device,
        rate_hz,
        [[f.code, f.level, f.where, f.text] for f in findings],
    )
    contents.write(files.contents)
    return contents


def _eeg(device: OpenDevice) -> Stream | None:
    return next((stream for stream in device.streams if stream.name == "eeg"), None)


def _first(device: OpenDevice) -> float:
    """Time of the first sample or frame on the device's clock [s]."""
    if device.video is not None:
        return float(device.video.t_s[0])
    return min((float(stream.t[0]) for stream in device.streams), default=0.0)


def _write_eeg(files: RecordingFiles, device: OpenDevice) -> None:
    """Write the EEG files; trigger changes outside the data stay in the table of markers only."""
    stream = _eeg(device)
    assert stream is not None
    n, fs = len(stream), _rate(stream)
    t_s, codes = np.empty(0), np.empty(0, dtype=np.int64)
    if device.markers is not None:
        t_s, codes = device.markers.t - stream.t[0], device.markers.codes
        inside = (t_s >= 0) & (np.rint(t_s * fs) < n) & (codes > 0)
        t_s, codes = t_s[inside], codes[inside]
    write_brainvision(files.eeg, _blocks(stream), fs, stream.channels, marker_t_s=t_s, marker_codes=codes)
    types = stream.types or ("EEG",) * len(stream.channels)
    write_tsv(files.channels, {"name": stream.channels, "type": types, "units": ["µV"] * len(types)})
    counts = {key: sum(kind == name for kind in types) for name, key in _COUNTED.items()}
    content = {
        "TaskName": TASK,
        "TaskDescription": "Watching emotional films with a neutral face",
        "SamplingFrequency": fs,
        **counts,
        "RecordingDuration": n / fs,
        "RecordingType": "continuous",
        **dict.fromkeys(_NOT_KNOWN, "n/a"),
    }
    write_json(files.eeg.with_suffix(".json"), content)


def _blocks(stream: Stream) -> Iterator[NDArray[np.float64]]:
    return (stream.x[start : start + _BLOCK] for start in range(0, len(stream), _BLOCK))


def _rate(stream: Stream) -> float:
    """Rate at which the samples came, by their first and last time [Hz]."""
    measured = (len(stream) - 1) / float(stream.t[-1] - stream.t[0])
    if stream.fs is not None and abs(measured / stream.fs - 1) < 1e-9:
        return stream.fs
    return measured


def _is_even(stream: Stream) -> bool:
    """Tell whether samples came at a constant rate."""
    step_s = float(stream.t[-1] - stream.t[0]) / (len(stream) - 1)
    pieces = range(0, len(stream), _LOOK)  # a session has millions of times; another array of them would be felt
    return all(
        np.abs(stream.t[k : k + _LOOK] - stream.t[0] - step_s * np.arange(k, min(k + _LOOK, len(stream)))).max()
        <= _UNEVEN * step_s
        for k in pieces
    )


def _write_peripheral(
    files: RecordingFiles,
    name: str,
    device: OpenDevice,
    *,
    beside_eeg: bool,
    physio: dict[str, str],
    lengths: dict[str, int],
    samples: dict[str, str],
) -> None:
    """Write the signals of one device, one file for each rate."""
    groups: dict[tuple[float, float, int], list[Stream]] = {}
    for stream in device.streams:
        if stream.name == "eeg":
            continue
        key = (round(_rate(stream), 9), float(stream.t[0]), len(stream)) if _is_even(stream) else (0.0, 0.0, id(stream))
        groups.setdefault(key, []).append(stream)
    for number, (key, streams) in enumerate(groups.items(), start=1):
        part = name if number == 1 else f"{name}{number}"
        units = {s.name: s.unit for s in streams}
        signals = {s.name: s.x for s in streams}
        told = {s.name: _description(s.name) for s in streams}
        if key[0]:
            path = files.physio(part, beside_eeg=beside_eeg)
            clock = "StartTime and rate are of the device's own clock; markers.tsv links the clocks of the devices."
            more: dict[str, Any] = {"PhysioType": "generic", "TaskName": TASK, "Clock": clock}
            more |= {"Manufacturer": "BIOPAC"} if name == "biopac" else {}
            more |= {} if device.initial is None else {"InitialTriggerValue": device.initial}
            fs = next((s.fs for s in streams if s.fs and abs(key[0] / s.fs - 1) < 1e-9), key[0])
            write_physio(path, signals, units, fs=fs, t0_s=key[1], descriptions=told, more=more)
            physio[path.relative_to(files.folder).as_posix()] = device.clock
            lengths[path.relative_to(files.folder).as_posix()] = key[2]
        else:
            path = files.samples(part)
            write_samples(path, streams[0].t, signals, units, descriptions=told)
            samples[path.relative_to(files.folder).as_posix()] = device.clock


def _description(stream: str) -> str:
    """Describe a signal; a second sensor of a kind has a letter."""
    kind, _, letter = stream.partition("_")
    return _DESCRIPTIONS.get(kind, kind) + (f", sensor {letter.upper()}" if letter else "")


def _write_video(files: RecordingFiles, video: OpenVideo) -> None:
    """Write the video and one row per frame."""
    write_ffv1(files.video, video.images.pictures(), video.t_s)
    kept = video.images.kept_as
    n = len(video.t_s)
    columns: dict[str, Sequence[Any]] = {"frame": range(n)}
    if video.number is not None:
        columns["number"] = video.number.tolist()
    if video.code is not None:
        columns["code"] = video.code.tolist()
    if video.marker is not None:
        columns["marker"] = video.marker.tolist()
    if video.host_s is not None:
        columns["host_s"] = [f"{value:.3f}" for value in video.host_s.tolist()]
    columns["t_s"] = [f"{value:.6f}" for value in video.t_s.tolist()]
    columns["uncertainty_s"] = ["" if np.isnan(value) else f"{value:.6f}" for value in video.uncertainty_s.tolist()]
    write_tsv(files.frames, columns)
    content = {
        "TaskName": TASK,
        "VideoCodec": "ffv1",
        "VideoFrameRate": round(video.rate_hz, 6),
        "VideoFrameCount": n,
        "Description": f"One frame per camera frame, {_SEEN.get(kept, f'colour ({kept} as decoded, nothing resampled)')}; "
        "exact times are in frames.tsv.",
    }
    write_json(files.video.with_suffix(".json"), content)


def _write_markers(files: RecordingFiles, opened: OpenSession) -> None:
    """Write all trigger changes, each on the clock of its device."""
    rows = [
        (name, f"{t:.6f}", int(code))
        for name, device in opened.devices.items()
        if device.markers is not None
        for t, code in zip(device.markers.t.tolist(), device.markers.codes.tolist(), strict=True)
    ]
    write_tsv(files.markers, {name: [row[k] for row in rows] for k, name in enumerate(("device", "t_s", "code"))})
