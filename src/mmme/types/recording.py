"""What devices recorded: on their own clocks (`Recording`), then on one (`Timeline`)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError, raise_faults
from mmme.interval import Interval

__all__ = ["ClockMap", "Markers", "Reading", "Recording", "Samples", "Source", "StoredSamples", "Stream", "Timeline"]


class Samples(Protocol):
    """What a stream needs of its samples: a shape, and slices along the first axis; may read lazily from disk."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of samples first."""
        ...

    def __getitem__(self, index: Any, /) -> Any:
        """Return samples as an array."""
        ...


@runtime_checkable
class StoredSamples(Protocol):
    """Samples that lie on disk as plain numbers, so that all channels of a moment can be read without converting them."""

    def stored(self) -> tuple[NDArray[Any], NDArray[np.float64]] | None:
        """
        Return the numbers as a memory map, ``(n, n_columns)``, and the factor of each column; None where they do not.

        The stream's channels are the first columns, in order; the file may hold more.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """
    One signal of one device.

    Parameters
    ----------
    name
        ``video, eeg, ecg, ppg, eda, rsp, skt, emg``.
    device
        Whose clock ``t`` is read from, for example ``"camera"``; streams of one device share one clock.
    t : (n,) float64
        Sample times [s], strictly increasing.
    x : (n, ...)
        Samples: ``(n,)`` for one channel, ``(n, n_channels)`` for many, ``(n, height, width)`` for video.
    unit
        Unit of ``x``: ``V``, ``µS``, ``°C``, ``grey level``.
    fs
        Nominal sampling rate [Hz], or None where there is none; never used as a clock.
    channels
        Channel names; one for a single signal.
    types
        One BIDS type per channel (``EEG, HEOG, VEOG, ECG, EMG, REF, MISC``); empty where the file does not say.

    Raises
    ------
    DataError
        If lengths differ, ``t`` does not increase, or the channel names do not fit.

    Examples
    --------
    >>> s = Stream("skt", "biopac", np.arange(3) / 10, np.array([31.0, 31.1, 31.1]), "°C", 10.0)
    >>> s.span.stop, len(s)
    (0.2, 3)
    """

    name: str
    device: str
    t: NDArray[np.float64]
    x: Samples
    unit: str
    fs: float | None = None
    channels: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check lengths, times and channel names."""
        faults = []
        if self.t.ndim != 1 or self.t.shape[0] != self.x.shape[0]:
            faults.append(f"expected one time per sample, got t {self.t.shape} and x {self.x.shape}")
        elif self.t.shape[0] < 2:
            faults.append(f"expected at least 2 samples, got {self.t.shape[0]}")
        elif not np.all(np.diff(self.t) > 0):
            at = int(np.argmin(np.diff(self.t) > 0))
            faults.append(f"expected increasing times, got {self.t[at]:.4f} s then {self.t[at + 1]:.4f} s at sample {at}")
        if self.channels and self.x.shape[1:] and len(self.x.shape) == 2 and len(self.channels) != self.x.shape[1]:
            faults.append(f"expected {self.x.shape[1]} channel names, got {len(self.channels)}")
        if self.types and len(self.types) != len(self.channels):
            faults.append(f"expected a type for each of {len(self.channels)} channels, got {len(self.types)}")
        if self.fs is not None and not self.fs > 0:
            faults.append(f"expected a sampling rate above 0 Hz, got {self.fs}")
        raise_faults(f"stream '{self.name}'", faults)

    def __len__(self) -> int:
        """Count samples."""
        return int(self.t.shape[0])

    @property
    def span(self) -> Interval:
        """From the first to the last sample time."""
        return Interval(float(self.t[0]), float(self.t[-1]))

    def between(self, span: Interval) -> slice:
        """Return the indices of the samples with ``span.start <= t < span.stop``."""
        first, last = np.searchsorted(self.t, [span.start, span.stop], side="left")
        return slice(int(first), int(last))


@dataclass(frozen=True, slots=True, eq=False)
class Markers:
    """
    Changes of the trigger value as one device saw them.

    Parameters
    ----------
    device
        Whose clock ``t`` is on.
    t : (n,) float64
        Times of change [s], increasing.
    codes : (n,) int64
        The value from that time on (a held level: 100 is rest in the MMME layout), 0..255.

    Examples
    --------
    >>> Markers("eeg", np.array([1.0, 2.5]), np.array([101, 100])).codes.tolist()
    [101, 100]
    """

    device: str
    t: NDArray[np.float64]
    codes: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Check that each change has one time and one code, in order."""
        faults = []
        if self.t.ndim != 1 or self.t.shape != self.codes.shape:
            faults.append(f"expected one code per time, got {self.t.shape} times and {self.codes.shape} codes")
        elif self.t.size and not np.all(np.diff(self.t) >= 0):
            faults.append("expected markers in order of time; sort them before they become Markers")
        raise_faults(f"markers of '{self.device}'", faults)

    def __len__(self) -> int:
        """Count changes."""
        return int(self.t.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """
    What one file holds, as written: nothing renamed, converted or decoded yet.

    Parameters
    ----------
    streams
        In the order of the file. A stream has the file's own label as its name and the file's own unit, apart from EEG
        (``eeg``, in V, one stream with typed channels) and from carriers of trigger values, whose names are fixed:
        ``trigger`` (n,), an analogue or digital column; ``lines`` (n, 8), digital lines with line 0 first; ``frames``
        (n, 2), number of the stored picture and counter of the camera.
    text_t_s : (m,) float64
        Times of annotations [s] on the clock of the device.
    texts
        The annotations, one per time.
    findings
        What was odd or is left out, one sentence each, without names of people.
    started
        Wall-clock start where the file tells it; it must not outlive the import.
    """

    streams: tuple[Stream, ...]
    text_t_s: NDArray[np.float64]
    texts: tuple[str, ...]
    findings: tuple[str, ...] = ()
    started: dt.datetime | None = None

    def __post_init__(self) -> None:
        """Check that each annotation has a time."""
        if self.text_t_s.shape != (len(self.texts),):
            raise DataError(f"reading: expected a time per annotation, got {self.text_t_s.shape} and {len(self.texts)}")


@dataclass(frozen=True, slots=True)
class Source:
    """A file something was read from: path relative to the data set, and SHA-256 of its bytes (or of its index)."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """
    One subject, one sitting, all devices; every stream still on the clock of its own device.

    Parameters
    ----------
    subject
        A code such as ``S01``, never a name.
    session
        Which sitting or clip, for example ``ses-02`` or ``run-003``; empty (or ``01``) where there is one.
    streams
        By name.
    markers
        By device.
    source
        The files behind it.
    """

    subject: str
    session: str
    streams: Mapping[str, Stream]
    markers: Mapping[str, Markers]
    source: tuple[Source, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an empty recording and streams filed under a wrong name."""
        faults = [f"stream '{s.name}' is filed as '{k}'" for k, s in self.streams.items() if s.name != k]
        if not self.streams:
            faults.append("expected at least one stream, got none")
        raise_faults(f"recording {self.subject}/{self.session}", faults)


@dataclass(frozen=True, slots=True)
class ClockMap:
    """
    Straight-line map from one device clock to session time, and how well it fits.

    Parameters
    ----------
    device
        Whose clock.
    rate
        Session seconds per device second; 1.0 means no drift.
    intercept_s
        Session time at device time 0 [s].
    residual_ms
        Worst misfit of the markers kept by the fit [ms]; NaN where the map was assumed.
    n_used, n_rejected
        Markers kept, and matched markers that the fit set aside.
    residual_p50_ms, residual_p95_ms
        Median and 95th percentile of the misfits of the markers kept [ms].
    n_unmatched
        Markers without a partner: of the reference that the device lacks, and of the device that the reference lacks.
    max_error_ms
        No mapped time should be further off than this [ms]: the worst misfit of a kept marker to the line through all
        others, and half a frame at least where a camera is involved. A delay that all markers share is not in it.
    forced
        What would have been refused and was accepted on demand; empty where all is within limits.
    assumed
        Stated by the user, not fitted to markers.

    Examples
    --------
    >>> round(ClockMap("camera", 1.0001, -2.0, 1.5, 10, 0).to_session(np.array([100.0]))[0], 4)
    98.01
    """

    device: str
    rate: float
    intercept_s: float
    residual_ms: float
    n_used: int
    n_rejected: int
    residual_p50_ms: float = float("nan")
    residual_p95_ms: float = float("nan")
    n_unmatched: int = 0
    max_error_ms: float = float("nan")
    forced: str = ""
    assumed: bool = False

    @property
    def drift_ppm(self) -> float:
        """Drift against the session clock in parts per million; positive when the device clock runs slow."""
        return (self.rate - 1.0) * 1e6

    def to_session(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        """Session times of device times ``t`` [s]."""
        return self.rate * np.asarray(t, dtype=np.float64) + self.intercept_s


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """
    A recording on one session clock.

    Parameters
    ----------
    subject, session
        As in the `Recording`.
    streams
        By name; ``t`` is session time [s].
    markers
        One list of trigger changes in session time, merged over devices.
    clocks
        By device.
    coverage
        By stream: from its first to its last sample.
    source
        The files behind it.
    """

    subject: str
    session: str
    streams: Mapping[str, Stream]
    markers: Markers
    clocks: Mapping[str, ClockMap]
    coverage: Mapping[str, Interval]
    source: tuple[Source, ...] = ()

    def stream(self, name: str) -> Stream:
        """Return the stream of that name; `DataError` lists what there is when it is missing."""
        if name not in self.streams:
            have = ", ".join(sorted(self.streams)) or "none"
            raise DataError(f"timeline {self.subject}/{self.session}: expected a stream '{name}', got {have}")
        return self.streams[name]
