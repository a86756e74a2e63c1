"""
Lab Streaming Layer recordings (``.xdf``) through pyxdf.

Clocks of the sending computers are synchronised by pyxdf. Removing jitter means one straight line through all samples of a
stream: right for an amplifier, but wrong by up to 0.2 s for a camera that loses frames. So it is done for regular signals
only, and never for streams that count frames.
"""

from __future__ import annotations

import datetime as dt
import itertools
import logging
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyxdf
from numpy.typing import NDArray

from mmme.errors import DataError
from mmme.types import Reading, Stream

__all__ = ["read_xdf"]

_BEGINS = (b"XDF:", b"\x1f\x8b")  # plain, packed
_FRAMES = re.compile(r"video|frame|camera", re.IGNORECASE)
_MARKERS = ("markers", "marker", "events", "event", "stringmarker", "trigger", "triggers", "stim")
_TRIGGER = re.compile(r"trig\w*|stim?\w*|status|events?|markers?", re.IGNORECASE)
_VOLTS = {
    "microvolts": 1e-6,
    "microvolt": 1e-6,
    "uv": 1e-6,
    "µv": 1e-6,
    "millivolts": 1e-3,
    "mv": 1e-3,
    "volts": 1.0,
    "v": 1.0,
}
_TYPES = ("EEG", "EOG", "HEOG", "VEOG", "ECG", "EMG", "REF")
_BREAK_S, _BREAK_SAMPLES = 1.0, 500  # longer gaps divide a stream (pyxdf's own thresholds)
_BENT_S = 0.005  # by this much may a second of samples lie off the line


def read_xdf(path: str | os.PathLike[str]) -> Reading:
    """
    Read a recording of several streams.

    Parameters
    ----------
    path
        ``.xdf`` or ``.xdfz`` file.

    Returns
    -------
    Reading
        All on one clock, that of the recording computer [s].

        - Streams of the type EEG become ``eeg`` in V with the types of their channels, and their trigger channel
          ``trigger``; channels without a unit of volts are taken to be in µV, which is told.
        - Streams that count frames (type or, at irregular times, name with video, frame or camera) become ``frames``
          (n, 2): stored picture and counter of the camera, both the same where one is sent.
        - Streams of text, and of numbers at irregular times with the type Markers or Trigger, are annotations.
        - Others are one stream per channel, named by channel or else by type.

        Empty streams, missing clock offsets and footers, other numbers of samples than a footer says, and samples that do
        not lie on a line are told.

    Raises
    ------
    DataError
        If pyxdf cannot read the file, or nothing in it holds samples.

    References
    ----------
    XDF specification: https://github.com/sccn/xdf/wiki/Specifications.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError("*.xdf: expected a recording of Lab Streaming Layer, got no file")
    with path.open("rb") as file:
        if not file.read(4).startswith(_BEGINS):
            raise DataError("*.xdf: expected a recording of Lab Streaming Layer, got a file that does not begin like one")
    loaded, header = _load(path)
    streams: list[Stream] = []
    texts: list[tuple[float, str]] = []
    findings: list[str] = []
    for number, raw in enumerate(loaded, start=1):
        name, kind, nominal_hz = _said(raw)
        place = f"stream {number} ({kind or 'no type'})"
        n = len(raw["time_stamps"])
        if n == 0:
            findings.append(f"{place}: expected samples, got none")
            continue
        findings += _oddities(place, raw)
        if isinstance(raw["time_series"], list) or (kind.lower() in _MARKERS and not nominal_hz):
            texts += _texts(place, raw, findings)
        elif n < 2:
            findings.append(f"{place}: expected more than one sample, got one; left out")
        elif _FRAMES.search(kind) or (_FRAMES.search(name) and not nominal_hz):
            streams += _frames(place, raw, findings)
        else:
            streams += _signals(place, raw, kind, nominal_hz, findings)
    if not streams and not texts:
        raise DataError("*.xdf: expected streams with samples, got none; did the recorder find the devices?")
    for name in ("eeg", "frames", "trigger"):
        if (several := sum(stream.name == name for stream in streams)) > 1:
            findings.append(f"{several} streams of {name}; the first is used")
            first = next(stream for stream in streams if stream.name == name)
            streams = [stream for stream in streams if stream.name != name or stream is first]
    texts.sort(key=lambda pair: pair[0])
    t_s = np.array([t for t, _ in texts], dtype=np.float64)
    return Reading(tuple(streams), t_s, tuple(text for _, text in texts), tuple(findings), _started(header))


def _load(path: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Load all streams with synchronised clocks and times as noted."""
    logger = logging.getLogger("pyxdf")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)  # it prints names of streams and files
    try:
        streams, header = pyxdf.load_xdf(path, synchronize_clocks=True, dejitter_timestamps=False, verbose=None)
    except Exception as error:
        raise DataError(
            f"*.xdf: expected a recording of Lab Streaming Layer, got one that pyxdf cannot read ({type(error).__name__})"
        ) from None
    finally:
        logger.setLevel(level)
    return streams, header or {}


def _started(header: dict[str, Any]) -> dt.datetime | None:
    """Wall-clock start, where the recorder noted it."""
    text = ((header.get("info") or {}).get("datetime") or [""])[0] or ""
    try:
        return dt.datetime.fromisoformat(re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", text.strip()))
    except ValueError:
        return None


def _said(raw: dict[str, Any]) -> tuple[str, str, float]:
    """Name, type and nominal rate [Hz] of a stream; 0 for irregular ones."""
    info = raw["info"]
    name, kind = ((info.get(key) or [""])[0] or "" for key in ("name", "type"))
    return str(name), str(kind).strip(), float(info["nominal_srate"][0])


def _oddities(place: str, raw: dict[str, Any]) -> list[str]:
    """Compare with the footer and the clock offsets."""
    found = []
    footer = (raw.get("footer") or {}).get("info") or {}
    count = footer.get("sample_count")
    if count and int(float(count[0])) != len(raw["time_stamps"]):
        found.append(f"{place}: expected {count[0]} samples as its footer says, got {len(raw['time_stamps'])}")
    if not footer:
        found.append(f"{place}: expected a footer, got none; was the recording cut short?")
    if not raw.get("clock_times"):
        found.append(f"{place}: no clock offsets were recorded; its clock is taken to be that of the recording computer")
    return found


def _texts(place: str, raw: dict[str, Any], findings: list[str]) -> list[tuple[float, str]]:
    """List times and texts of markers: the first channel; numbers without decimals where they have none."""
    if len(raw["time_series"][0]) > 1:
        findings.append(f"{place}: {len(raw['time_series'][0])} channels of markers; the first is read")
    first = [row[0] for row in raw["time_series"]]
    found = []
    for t, value in zip(raw["time_stamps"].tolist(), first, strict=True):
        if not isinstance(value, str):
            value = str(int(value)) if float(value).is_integer() else str(float(value))
        found.append((float(t), value))
    return found


def _frames(place: str, raw: dict[str, Any], findings: list[str]) -> list[Stream]:
    """Stream of frame numbers, at the times as noted."""
    t = np.asarray(raw["time_stamps"], dtype=np.float64)
    x = np.asarray(raw["time_series"], dtype=np.float64).reshape(len(t), -1)
    if not np.all(np.diff(t) > 0):
        findings.append(f"{place}: {int(np.sum(np.diff(t) <= 0))} times of frames do not increase; left out")
        return []
    if not np.isfinite(x).all() or not np.array_equal(x[:, :2], np.rint(x[:, :2])):
        findings.append(f"{place}: expected whole numbers of frames, got others; left out")
        return []
    numbers = x[:, :2] if x.shape[1] > 1 else np.repeat(x, 2, axis=1)
    return [Stream("frames", "lsl", t, numbers.astype(np.int64), "", None)]


def _signals(place: str, raw: dict[str, Any], kind: str, nominal_hz: float, findings: list[str]) -> list[Stream]:
    """Streams of one signal stream."""
    t = np.asarray(raw["time_stamps"], dtype=np.float64)
    x = np.asarray(raw["time_series"]).reshape(len(t), -1)
    labels, units, types = _channels(raw, x.shape[1], kind)
    fs = None
    if nominal_hz and not _can_drop(raw):
        t, fs, off_s = _on_lines(t, nominal_hz)
        if off_s > _BENT_S:
            findings.append(
                f"{place}: times of samples were put on a straight line, but seconds of them lie up to {1e3 * off_s:.0f} "
                "ms off it; samples were lost, or its rate is not constant"
            )
    if not np.all(np.diff(t) > 0):
        findings.append(f"{place}: {int(np.sum(np.diff(t) <= 0))} times do not increase; left out")
        return []
    is_trigger = np.array([bool(_TRIGGER.fullmatch(label)) for label in labels])
    streams = [
        Stream("trigger" if is_trigger[k] else labels[k], "lsl", t, np.asarray(x[:, k], dtype=np.float64), units[k], fs)
        for k in range(x.shape[1])
        if is_trigger[k] or kind.lower() != "eeg"
    ]
    if kind.lower() != "eeg" or is_trigger.all():
        return streams
    kept = np.flatnonzero(~is_trigger)
    factors = np.array([_VOLTS.get(units[k].lower().replace("μ", "µ"), np.nan) for k in kept])
    if unknown := int(np.isnan(factors).sum()):
        findings.append(f"{place}: {unknown} channels without a unit of volts are taken to be in µV")
    scaled = x[:, kept] * np.where(np.isnan(factors), 1e-6, factors)
    kinds = tuple(types[k] for k in kept)
    names = tuple(labels[k] for k in kept)
    return [Stream("eeg", "lsl", t, scaled, "V", fs, names, kinds if any(kinds) else ()), *streams]


def _can_drop(raw: dict[str, Any]) -> bool:
    """Tell whether the sender says that it drops samples."""
    description = (raw["info"].get("desc") or [None])[0] or {}
    synchronization = (description.get("synchronization") or [None])[0] or {}
    return str((synchronization.get("can_drop_samples") or [""])[0]).lower() == "true"


def _on_lines(t: NDArray[np.float64], nominal_hz: float) -> tuple[NDArray[np.float64], float, float]:
    """Put times [s] on a straight line between breaks; also the rate [Hz], and how far off a second of them lies [s]."""
    breaks = np.flatnonzero(np.diff(t) > max(_BREAK_S, _BREAK_SAMPLES / nominal_hz)) + 1
    edges = [0, *breaks.tolist(), len(t)]
    on_line, off_s, longest, period_s = t.copy(), 0.0, 1, 1.0 / nominal_hz
    for start, stop in itertools.pairwise(edges):
        if stop - start < 2:
            continue
        part, k = t[start:stop], np.arange(stop - start) - (stop - start - 1) / 2
        slope = float(k @ (part - part.mean())) / float(k @ k)
        on_line[start:stop] = part.mean() + slope * k
        if stop - start > longest:
            longest, period_s = stop - start, slope
        each = max(round(nominal_hz), 1)
        off = (part - on_line[start:stop])[: len(part) // each * each].reshape(-1, each)
        if len(off):
            off_s = max(off_s, float(np.abs(np.median(off, axis=1)).max()))
    rate_hz = 1.0 / period_s if period_s > 0 else nominal_hz
    return on_line, nominal_hz if abs(rate_hz / nominal_hz - 1) < 1e-9 else rate_hz, off_s


def _channels(raw: dict[str, Any], n: int, kind: str) -> tuple[list[str], list[str], list[str]]:
    """Labels (where there is none, the stream's type), units, and types in BIDS' words (empty where none is said)."""
    description = (raw["info"].get("desc") or [None])[0] or {}
    channels = ((description.get("channels") or [None])[0] or {}).get("channel") or []
    if len(channels) != n:
        channels = [{}] * n

    def texts(key: str) -> list[str]:
        return [str(((channel or {}).get(key) or [""])[0] or "").strip() for channel in channels]

    base = kind or "signal"
    labels = [label or (base if n == 1 else f"{base} {k + 1}") for k, label in enumerate(texts("label"))]
    types = [said.upper() if said.upper() in _TYPES else "MISC" if said else "" for said in texts("type")]
    if any(types):
        types = [said or "MISC" for said in types]
    return labels, texts("unit"), types
