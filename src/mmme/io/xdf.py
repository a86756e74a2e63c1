"""
Lab Streaming Layer recordings (``.xdf``) through pyxdf.

Clocks of the sending computers are synchronised by pyxdf. Its removal of jitter draws one straight line through all samples
of a stream: right for an amplifier, but wrong by up to 0.2 s for a camera that loses frames. So it is used for regular
signals only, and never for streams that count frames.
"""

from __future__ import annotations

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

_BEGINS = (b"XDF:", b"\x1f\x8b\x08\x00", b"\x1f\x8b\x08\x08")  # plain, or packed
_FRAMES = re.compile(r"video|frame|camera", re.IGNORECASE)
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
        All on one clock, that of the recording computer [s]. Streams of the type EEG become ``eeg`` in V (in µV where the
        header says nothing of a unit, which is told); streams that count frames ``frames`` (n, 2): stored picture and
        counter of the camera, the counter being the picture where only one is sent; others one stream per channel, named by
        channel and type. Streams of text, and of whole numbers at irregular times with the type Markers, are annotations.

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
        if file.read(4) not in _BEGINS and path.suffix != ".xdfz":
            raise DataError("*.xdf: expected a recording of Lab Streaming Layer, got a file that does not begin like one")
    even, _ = _load(path, dejitter=True)
    given, _ = _load(path, dejitter=False)
    streams: list[Stream] = []
    texts: list[tuple[float, str]] = []
    findings: list[str] = []
    by_id = {stream["info"]["stream_id"]: stream for stream in even}
    for number, raw in enumerate(given, start=1):
        name, kind, nominal_hz = _said(raw)
        place = f"stream {number} ({kind or 'no type'})"
        if len(raw["time_stamps"]) == 0:
            findings.append(f"{place}: expected samples, got none")
            continue
        findings += _oddities(place, raw)
        if isinstance(raw["time_series"], list) or kind.lower() in ("markers", "marker", "events"):
            texts += [(float(t), _text(x)) for t, x in zip(raw["time_stamps"], raw["time_series"], strict=True)]
        elif len(raw["time_stamps"]) < 2:
            findings.append(f"{place}: expected more than one sample, got one; left out")
        elif _FRAMES.search(kind) or (_FRAMES.search(name) and not nominal_hz):
            streams.append(_frames(raw))
        else:
            regular = by_id[raw["info"]["stream_id"]] if nominal_hz else raw
            streams += _signals(regular, kind, nominal_hz, place, findings)
    if not streams and not texts:
        raise DataError("*.xdf: expected streams with samples, got none; did the recorder find the devices?")
    texts.sort(key=lambda pair: pair[0])
    t_s = np.array([t for t, _ in texts], dtype=np.float64)
    return Reading(tuple(streams), t_s, tuple(text for _, text in texts), tuple(findings))


def _load(path: Path, *, dejitter: bool) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Load all streams with synchronised clocks."""
    logger = logging.getLogger("pyxdf")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # it prints names of streams and files
    try:
        loaded: tuple[list[dict[str, Any]], dict[str, Any]] = pyxdf.load_xdf(
            path, synchronize_clocks=True, dejitter_timestamps=dejitter, verbose=None
        )
    except Exception as error:
        raise DataError(
            f"*.xdf: expected a recording of Lab Streaming Layer, got one that pyxdf cannot read ({type(error).__name__})"
        ) from None
    finally:
        logger.setLevel(level)
    return loaded


def _said(raw: dict[str, Any]) -> tuple[str, str, float]:
    """Name, type and nominal rate [Hz] of a stream; 0 for irregular ones."""
    info = raw["info"]
    return str(info["name"][0]), str(info["type"][0] or ""), float(info["nominal_srate"][0])


def _oddities(place: str, raw: dict[str, Any]) -> list[str]:
    """List what the footer and the clock offsets say."""
    found = []
    footer = (raw.get("footer") or {}).get("info") or {}
    count = footer.get("sample_count")
    if count and int(count[0]) != len(raw["time_stamps"]):
        found.append(f"{place}: expected {count[0]} samples as its footer says, got {len(raw['time_stamps'])}")
    if not footer:
        found.append(f"{place}: expected a footer, got none; was the recording cut short?")
    if not raw.get("clock_times"):
        found.append(f"{place}: no clock offsets were recorded; its clock is taken to be that of the recording computer")
    return found


def _text(value: Any) -> str:
    """Text of one marker; a whole number without its decimals."""
    first = value[0] if np.ndim(value) or isinstance(value, list) else value
    return str(first) if isinstance(first, str) else f"{float(first):g}"


def _frames(raw: dict[str, Any]) -> Stream:
    """Stream of frame numbers, at the times as given."""
    x = np.asarray(raw["time_series"], dtype=np.float64).reshape(len(raw["time_stamps"]), -1)
    numbers = x[:, :2] if x.shape[1] > 1 else np.repeat(x, 2, axis=1)
    t = np.asarray(raw["time_stamps"], dtype=np.float64)
    return Stream("frames", "lsl", t, np.rint(numbers).astype(np.int64), "", None)


def _signals(raw: dict[str, Any], kind: str, nominal_hz: float, place: str, findings: list[str]) -> list[Stream]:
    """Streams of one signal stream."""
    t = np.asarray(raw["time_stamps"], dtype=np.float64)
    x = np.asarray(raw["time_series"]).reshape(len(t), -1)
    labels, units = _channels(raw, x.shape[1], kind)
    if not np.all(np.diff(t) > 0):
        findings.append(f"{place}: times do not increase throughout; left out")
        return []
    fs = None
    if nominal_hz:
        fs = (len(t) - 1) / float(t[-1] - t[0])
        fs = nominal_hz if abs(fs / nominal_hz - 1) < 1e-9 else fs
    if kind.lower() == "eeg":
        factors = np.array([_VOLTS.get(unit.lower(), np.nan) for unit in units])
        if np.isnan(factors).any():
            findings.append(
                f"{place}: {int(np.isnan(factors).sum())} channels without a unit of volts are taken to be in µV"
            )
        scaled = x.astype(np.float64) * np.where(np.isnan(factors), 1e-6, factors)
        return [Stream("eeg", "lsl", t, scaled, "V", fs, tuple(labels))]
    return [_one(label, unit, t, x[:, k], fs) for k, (label, unit) in enumerate(zip(labels, units, strict=True))]


def _one(label: str, unit: str, t: NDArray[np.float64], x: NDArray[Any], fs: float | None) -> Stream:
    name = "trigger" if re.fullmatch(r"trig\w*|stim\w*|status", label, re.IGNORECASE) else label
    return Stream(name, "lsl", t, np.asarray(x, dtype=np.float64), unit, fs)


def _channels(raw: dict[str, Any], n: int, kind: str) -> tuple[list[str], list[str]]:
    """Labels and units of the channels; where there is no label, the stream's type."""
    description = (raw["info"].get("desc") or [None])[0] or {}
    channels = ((description.get("channels") or [None])[0] or {}).get("channel") or []
    labels = [str((channel.get("label") or [""])[0] or "") for channel in channels]
    units = [str((channel.get("unit") or [""])[0] or "") for channel in channels]
    if len(labels) != n:
        labels, units = [""] * n, [""] * n
    return [label or (kind if n == 1 else f"{kind} {k + 1}") for k, label in enumerate(labels)], units
