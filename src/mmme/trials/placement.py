"""The second way to place an event in time, and whether it agrees with the first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isnan

from mmme.align import marker_report
from mmme.types import Recording, Timeline, Trial

__all__ = ["Placement", "placements"]


@dataclass(frozen=True, slots=True)
class Placement:
    """
    One expression, placed by the line through all markers and by one edge of its own trial.

    Parameters
    ----------
    trial
        Id of the trial.
    source
        File and row of the expression.
    onset_s
        By the line [s]; the one that `mmme.trials.build_trials` uses.
    by_edge_s
        By the edge [s]: session time of the trial's start, and from there on by the camera's clock, which started where
        the camera saw the code change. By the trial's end where the camera has no start.
    allowed_s
        How far the two may be apart [s]: the bound of the expression, and how far the camera's edge is known.

    Examples
    --------
    >>> Placement("S01-101", "coding.xlsx:2", 12.0, 12.2, 0.01).agrees
    False
    """

    trial: str
    source: str
    onset_s: float
    by_edge_s: float
    allowed_s: float

    @property
    def difference_s(self) -> float:
        """By the edge minus by the line [s]."""
        return self.by_edge_s - self.onset_s

    @property
    def agrees(self) -> bool:
        """Tell whether the two are as close as they should be; never where no bound is known."""
        return abs(self.difference_s) <= self.allowed_s


def placements(recording: Recording, timeline: Timeline, trials: Iterable[Trial]) -> tuple[Placement, ...]:
    """
    Place every expression a second time, by the trigger edge of its own trial.

    Parameters
    ----------
    recording
        As given to `mmme.align.align`.
    timeline
        As returned by it.
    trials
        As returned by `mmme.trials.build_trials`.

    Returns
    -------
    tuple of Placement
        One per expression in a trial of which the camera saw an edge, and whose bound is known.

    Notes
    -----
    The line rests on all edges of the session and is the better estimate: an edge lies anywhere between two frames.
    A single edge knows nothing of other trials, so it tells where the line is wrong: a clock that jumped or bends, or an
    edge that one device saw late. docs/time.md has the errors of both.

    Examples
    --------
    >>> import numpy as np
    >>> from mmme.align import align
    >>> from mmme.interval import Interval
    >>> from mmme.types import Expression, Markers, Stream
    >>> t, codes = np.array([10.0, 20.0, 30.0, 40.0]), np.array([101, 100, 102, 100])
    >>> frames = np.arange(0.0, 50.0, 0.02)
    >>> video = Stream("video", "camera", frames, np.zeros((len(frames), 2, 2), np.uint8), "grey level")
    >>> eeg = Stream("eeg", "eeg", np.arange(50.0), np.zeros(50), "V")
    >>> markers = {"eeg": Markers("eeg", t, codes), "camera": Markers("camera", t + 0.02, codes)}
    >>> recording = Recording("S01", "01", {"eeg": eeg, "video": video}, markers)
    >>> seen = Expression("S01", "A", "micro", 12.0, 12.1, 12.3, source="coding.xlsx:2", max_error_s=0.01)
    >>> trial = Trial("S01-101", "S01", "sad-1", Interval(10.0, 20.0), "sad", (seen,))
    >>> [(p.source, p.agrees) for p in placements(recording, align(recording), [trial])]
    [('coding.xlsx:2', True)]
    """
    if "video" not in timeline.streams:
        return ()
    camera = timeline.streams["video"].device
    edges = {
        row.t_s: (row.deviation_ms[camera] / 1e3, row.between_ms[camera] / 1e3)
        for row in marker_report(recording, timeline)
        if camera in row.seen_by and not row.outvoted
    }
    placed: list[Placement] = []
    for trial in trials:
        edge = edges.get(trial.span.start) or edges.get(trial.span.stop)
        if edge is None:
            continue
        late_s, between_s = edge
        placed += [
            Placement(trial.id, e.source, e.onset, e.onset - late_s, e.max_error_s + between_s)
            for e in trial.expressions
            if not isnan(e.max_error_s)
        ]
    return tuple(placed)
