"""Physiology recorded beside one video, from the files of any recorder, brought to the clock of the video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mmme.datasets.catalogue import Device
from mmme.datasets.opening import reader_of
from mmme.datasets.signals import CARRIERS, recognise
from mmme.errors import ConfigError, DataError
from mmme.types import Markers, Stream, Timeline

__all__ = ["Physiology", "read_physiology"]


@dataclass(frozen=True, slots=True, eq=False)
class Physiology:
    """
    Signals on the clock of a video.

    Parameters
    ----------
    timeline
        One stream per signal, in stored units.
    notes
        What was assumed or left out, one sentence each.
    """

    timeline: Timeline
    notes: tuple[str, ...]


def read_physiology(paths: Sequence[Path], lags_s: Sequence[float], *, subject: str) -> Physiology:
    """
    Read the signals that were recorded beside a video.

    Parameters
    ----------
    paths
        BIDS ``_physio.tsv.gz`` with its ``.json``, BrainVision ``.vhdr``, EDF, AcqKnowledge ``.acq`` and whatever else
        `mmme import` reads.
    lags_s
        By how much the clock of each file is ahead of the video's [s]: where the file says 12 s when the video is at 10 s,
        the lag is 2. One for all files, one for each, or none for 0.
    subject
        Code of whoever it is.

    Raises
    ------
    DataError
        If a file is missing, cannot be read, holds no signal, or a unit does not fit; or two files hold the same signal.
    ConfigError
        If there are neither one lag nor as many as files.

    Examples
    --------
    >>> import tempfile
    >>> from mmme.io.physio_tsv import write_physio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a_physio.tsv.gz"
    ...     write_physio(path, {"ecg": np.zeros(50)}, {"ecg": "mV"}, fs=10.0)
    ...     read = read_physiology([path], [2.0], subject="new")
    >>> read.timeline.streams["ecg"].unit, float(read.timeline.streams["ecg"].t[0])
    ('V', -2.0)
    """
    if len(lags_s) not in (0, 1, len(paths)):
        raise ConfigError(f"--lag: expected one, or one for each of {len(paths)} files, got {len(lags_s)}")
    notes = [] if lags_s else ["no --lag was given: the clocks of video and physiology are taken to start together (0 s)"]
    lags = list(lags_s) * (1 if len(lags_s) == len(paths) else len(paths)) if lags_s else [0.0] * len(paths)
    streams: dict[str, Stream] = {}
    for path, lag_s in zip(paths, lags, strict=True):
        found, said = _signals(path)
        twice = sorted(set(found) & set(streams))
        if twice:
            raise DataError(f"{path.name}: expected signals that no other file holds, got {', '.join(twice)} again")
        streams |= {name: replace(stream, t=stream.t - lag_s) for name, stream in found.items()}
        notes += [f"{path.name}: {text}" for text in said]
    nothing = Markers("video", np.empty(0), np.empty(0, dtype=np.int64))
    coverage = {name: stream.span for name, stream in streams.items()}
    return Physiology(Timeline(subject, "01", streams, nothing, {}, coverage), tuple(notes))


def _signals(path: Path) -> tuple[dict[str, Stream], list[str]]:
    """Streams of one file by name, and what was odd."""
    if not path.exists():
        raise DataError(f"{path.name}: expected a file of physiology, got none")
    device = Device(files=(path.name,))
    reader = reader_of(path, device)
    if reader is None:
        raise DataError(f"{path.name}: expected a file of physiology, got a video or a folder")
    reading = reader(path)
    streams, findings = recognise(reading, device=path.stem.split(".")[0])
    kept = {stream.name: stream for stream in streams if stream.name not in CARRIERS}
    if not kept:
        raise DataError(
            f"{path.name}: expected at least one signal of a body, got none ({'; '.join(findings) or 'the file is empty'})"
        )
    return kept, [*reading.findings, *findings]
