"""AcqKnowledge recordings (``.acq``) through bioread."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import bioread
import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError, raise_faults
from mmme.types import Reading, Samples, Stream

__all__ = ["ChannelSamples", "DigitalLines", "read_acq"]

_LINE = re.compile(r"digital\s*(?:\(STP input\s*(\d)\)|input\s*(\d)|(\d))", re.IGNORECASE)
_SEGMENT = "apnd"  # style of the marker that AcqKnowledge sets where recording began or went on


class ChannelSamples:
    """Samples (n,) of one channel as stored (16-bit integers mostly), scaled when they are sliced."""

    dtype = np.dtype(np.float64)
    ndim = 1

    def __init__(self, stored: NDArray[Any], factor: float, constant: float) -> None:
        self._stored, self._factor, self._constant = stored, factor, constant

    @property
    def shape(self) -> tuple[int, ...]:
        """(n,)."""
        return self._stored.shape

    def __len__(self) -> int:
        """Count samples."""
        return len(self._stored)

    def __getitem__(self, index: Any) -> Any:
        """Return scaled samples."""
        return self._stored[index] * self._factor + self._constant

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        """All samples, scaled."""
        return np.asarray(self[:], dtype=dtype)


class DigitalLines:
    """Digital lines (n, 8) side by side, put together when they are sliced; a line that was not recorded is 0."""

    dtype = np.dtype(np.float64)
    ndim = 2

    def __init__(self, lines: dict[int, ChannelSamples]) -> None:
        self._lines = lines
        self._n = min(len(line) for line in lines.values())

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, 8)."""
        return (self._n, 8)

    def __len__(self) -> int:
        """Count samples."""
        return self._n

    def __getitem__(self, index: Any) -> Any:
        """Return samples of an index, a slice or an array of rows, or of rows and columns."""
        rows, columns = index if isinstance(index, tuple) else (index, slice(None))
        places = np.arange(self._n)[rows]
        out = np.zeros((*np.shape(places), 8))
        for number, line in self._lines.items():
            out[..., number] = line[: self._n][rows] if isinstance(rows, slice) else line[places]
        return out[..., columns]

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        """All samples."""
        return np.asarray(self[:], dtype=dtype)


def read_acq(path: str | os.PathLike[str]) -> Reading:
    """
    Read an AcqKnowledge recording.

    Parameters
    ----------
    path
        ``.acq`` file, of any version that bioread knows, compressed or not.

    Returns
    -------
    Reading
        One stream per channel under its label, with its own rate and unit, calculated channels too; digital inputs as
        ``lines`` (n, 8), those that were not recorded being 0, which is told; event markers as annotations. ``started`` is
        when the earliest marker was made.

    Raises
    ------
    DataError
        If bioread cannot read the file, or there is no channel with samples.

    Notes
    -----
    A channel's times are sample / rate. Event markers are stored as sample numbers of the file's highest rate, but not
    always counted from the first sample: where the marker of the first segment has a number below 0, that marker is the
    first sample, and all are counted from it. AcqKnowledge leaves no gap in the samples where recording was stopped and
    went on (a further segment); times after it are then too early, which is told.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError("*.acq: expected an AcqKnowledge recording, got no file")
    try:
        with path.open("rb") as file:
            content = bioread.read(file)
    except Exception as error:
        raise DataError(
            f"*.acq: expected an AcqKnowledge recording, got one that bioread cannot read ({type(error).__name__}); "
            "export it to MATLAB in AcqKnowledge"
        ) from None
    streams: list[Stream] = []
    lines: dict[int, ChannelSamples] = {}
    findings: list[str] = []
    rate_hz = 0.0
    faults = []
    for channel in content.channels:
        name, fs = str(channel.name).strip(), float(channel.samples_per_second)
        x = ChannelSamples(channel.raw_data, channel.raw_scale_factor, channel.raw_offset)
        match = _LINE.fullmatch(name)
        if len(x) < 2:
            findings.append(f"channel '{name}': expected samples, got {len(x) or 'none'}; left out")
        elif match is None:
            streams.append(Stream(name, "biopac", np.arange(len(x)) / fs, x, str(channel.units or "").strip(), fs))
        else:
            number = int(next(group for group in match.groups() if group))
            if number > 7 or number in lines:
                faults.append(f"channel '{name}': expected digital inputs 0 to 7, each once")
            lines[number], rate_hz = x, fs
    raise_faults("*.acq", faults)
    if lines:
        levels: Samples = DigitalLines(lines)
        streams.append(Stream("lines", "biopac", np.arange(levels.shape[0]) / rate_hz, levels, "V", rate_hz))
        if missing := sorted(set(range(8)) - set(lines)):
            findings.append(f"digital inputs {', '.join(map(str, missing))} were not recorded and count as 0")
    if not streams:
        raise DataError("*.acq: expected at least one channel with samples, got none")
    names = [stream.name for stream in streams]
    findings += [
        f"label '{name}' is there {names.count(name)} times" for name in dict.fromkeys(names) if names.count(name) > 1
    ]
    t_s, texts, odd = _events(content)
    return Reading(tuple(streams), t_s, texts, (*findings, *odd), content.earliest_marker_created_at)


def _events(content: Any) -> tuple[NDArray[np.float64], tuple[str, ...], list[str]]:
    """List times [s] and texts of event markers in order, and what is odd about them."""
    markers = sorted(content.event_markers or [], key=lambda marker: int(marker.sample_index))
    rate_hz = float(content.samples_per_second)
    t_s = np.array([float(marker.sample_index) for marker in markers], dtype=np.float64) / rate_hz
    segments = t_s[[k for k, marker in enumerate(markers) if marker.type_code == _SEGMENT]]
    odd = []
    if segments.size and segments[0] < 0:
        odd.append(
            f"event markers are counted from {-segments[0]:.4f} s after the first sample; "
            "the marker of the first segment was put on the first sample, and the others with it"
        )
        t_s, segments = t_s - segments[0], segments - segments[0]
    if (t_s < 0).any():
        odd.append(f"{int((t_s < 0).sum())} event markers lie before the first sample")
    if segments.size > 1:
        places = ", ".join(f"{t:.3f} s" for t in segments[1:])
        odd.append(f"recording was stopped and went on at {places}; how long it rested is not in the times of the samples")
    return t_s, tuple(str(marker.text).strip() for marker in markers), odd
