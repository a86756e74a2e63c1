"""How well the devices of a study go on one clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmme.align import align, marker_counts, marker_report
from mmme.datasets.study import open_study
from mmme.errors import MmmeError
from mmme.study.recordings import reference_of

__all__ = ["Clocks", "clocks_of_study"]


@dataclass(frozen=True, slots=True)
class Clocks:
    """
    Clocks of a study.

    Parameters
    ----------
    rows
        One per recording and device: the fields of `mmme.types.ClockMap` and of `mmme.align.MarkerCounts`, ``recording``
        and ``drift_ppm``.
    failures
        Recording, and the sentence that says why it cannot be aligned.
    """

    rows: tuple[Mapping[str, Any], ...]
    failures: tuple[tuple[str, str], ...]


def clocks_of_study(study: Path, *, reference: str = "auto", limit_ms: float = 10.0, force: bool = False) -> Clocks:
    """
    Align every recording and tell how well; one that fails costs no other.

    Parameters
    ----------
    study
        Folder of the study.
    reference
        Device whose clock is session time; ``auto``: the EEG's, or without EEG the one with most markers.
    limit_ms, force
        As of `mmme.align.align`.
    """
    opened = open_study(study)
    rows: list[Mapping[str, Any]] = []
    failures: list[tuple[str, str]] = []
    for name in opened.recordings:
        try:
            recording = opened.recording(name)
            chosen = reference_of(recording) if reference == "auto" else reference
            timeline = align(recording, reference=chosen, limit_ms=limit_ms, force=force)
            counts = marker_counts(marker_report(recording, timeline), timeline.clocks)
        except MmmeError as error:
            failures.append((name, str(error)))
            continue
        rows += [
            {"recording": name, **asdict(clock), "drift_ppm": clock.drift_ppm, **asdict(counts[device])}
            for device, clock in timeline.clocks.items()
        ]
    return Clocks(tuple(rows), tuple(failures))
