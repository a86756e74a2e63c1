"""Findings on video frames and on signals, within trials."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmme.types import Finding, Level, Stream, Timeline, Trial, listed

__all__ = ["check_frames", "check_signals"]

GAP_PERIODS = 1.5  # a frame is lost when the next one is nearer to two periods than to one
STALL_S = 0.1  # a quarter of a micro-expression unseen
MANY_LOST = 0.05
PIECE_S = 10.0
SLOW_PIECE_S = {"skt": 60.0}  # skin temperature may stand still for longer than ten seconds
MIN_RUN = 3  # samples in a row at the extreme
MIN_CLIPPED_PIECES = 3  # a slow signal reaches its own highest value once; a clipped one keeps coming back to it


def check_frames(timeline: Timeline, trials: Sequence[Trial]) -> tuple[Finding, ...]:
    """
    Look for lost frames (D006) between the frames of each trial, and before its first and after its last.

    Parameters
    ----------
    timeline
        With or without a video.
    trials
        Of that timeline.

    Returns
    -------
    tuple of Finding
        At most one: a warning when a gap lasts 100 ms or longer or more than 5 % of frames are lost, else a note.
        Trials without any frame are D010 (`check_signals`).

    Examples
    --------
    >>> from mmme.interval import Interval
    >>> from mmme.types import Markers
    >>> t = np.delete(np.arange(0, 4, 0.01), np.arange(200, 212))
    >>> video = Stream("video", "camera", t, np.zeros((len(t), 2, 2), np.uint8), "grey level")
    >>> line = Timeline("S01", "01", {"video": video}, Markers("session", np.empty(0), np.empty(0, int)), {}, {})
    >>> print(check_frames(line, [Trial("S01-101", "S01", "sad-1", Interval(1, 3), "sad")])[0].text)
    12 of 200 frames (6.0 %) are missing in 1 of 1 trials; the longest gap is 130 ms in S01-101, the period 10.00 ms
    """
    video = timeline.streams.get("video")
    gaps_s: dict[str, NDArray[np.float64]] = {}
    inner = []
    for trial in trials:
        if video is not None and len(t := video.t[video.between(trial.span)]):
            gaps_s[trial.id] = np.diff(np.concatenate([[trial.span.start], t, [trial.span.stop]]))
            inner.append(np.diff(t))
    if not inner or not sum(map(len, inner)):
        return ()
    period_s = float(np.median(np.concatenate(inner)))
    lost = {k: int(np.sum(np.round(g[g > GAP_PERIODS * period_s] / period_s) - 1)) for k, g in gaps_s.items()}
    n_lost = sum(lost.values())
    if not n_lost:
        return ()
    n_all = n_lost + sum(len(g) - 1 for g in gaps_s.values())
    worst = max(gaps_s, key=lambda k: float(gaps_s[k].max()))
    longest_s = float(gaps_s[worst].max())
    text = (
        f"{n_lost} of {n_all} frames ({100 * n_lost / n_all:.1f} %) are missing in {sum(n > 0 for n in lost.values())} of "
        f"{len(trials)} trials; the longest gap is {1e3 * longest_s:.0f} ms in {worst}, the period {1e3 * period_s:.2f} ms"
    )
    level: Level = "warning" if longest_s >= STALL_S or n_lost > MANY_LOST * n_all else "note"
    return (Finding("D006", level, f"{timeline.subject}/{timeline.session} video", text),)


def check_signals(timeline: Timeline, trials: Sequence[Trial], *, expected: Sequence[str] = ()) -> tuple[Finding, ...]:
    """
    Look for flat and clipped (D007) and for missing and undefined (D010) signals within trials.

    Parameters
    ----------
    timeline
        Signals in session time; they are read in pieces of ten seconds (60 s for ``skt``), the video not at all.
    trials
        Of that timeline.
    expected
        Names of the streams that should be there.

    Returns
    -------
    tuple of Finding
        A piece is flat where all its samples are equal. A channel is clipped when it stays at its highest (or lowest)
        value for 3 samples in a row in 3 pieces or more.

    Examples
    --------
    >>> from mmme.types import Markers
    >>> line = Timeline("S01", "01", {}, Markers("session", np.empty(0), np.empty(0, int)), {}, {})
    >>> print(check_signals(line, [], expected=["eda"])[0])
    D010 error S01/01 eda: expected this signal, got no such stream
    """
    where = f"{timeline.subject}/{timeline.session}"
    findings = [
        Finding("D010", "error", f"{where} {name}", "expected this signal, got no such stream")
        for name in expected
        if name not in timeline.streams
    ]
    for name, stream in timeline.streams.items():
        place = f"{where} {name}"
        tolerance_s = GAP_PERIODS * float(np.median(np.diff(stream.t)))
        uncovered = [
            t.id
            for t in trials
            if stream.t[0] > t.span.start + tolerance_s
            or stream.t[-1] < t.span.stop - tolerance_s
            or not len(range(*stream.between(t.span).indices(len(stream))))
        ]
        if uncovered:
            text = f"{len(uncovered)} of {len(trials)} trials are not covered: {listed(uncovered)}"
            findings.append(Finding("D010", "error" if len(uncovered) == len(trials) else "warning", place, text))
        if name != "video":
            findings += _quality(stream, trials, place)
    return tuple(findings)


def _pieces(stream: Stream, trials: Sequence[Trial]) -> list[slice]:
    """Cut the samples of each trial into equal pieces of about the stream's piece length, at least one."""
    piece_s = SLOW_PIECE_S.get(stream.name, PIECE_S)
    pieces = []
    for trial in trials:
        inside = stream.between(trial.span)
        n = max(1, round(trial.span.duration_s / piece_s))
        edges = np.linspace(inside.start, inside.stop, n + 1).round().astype(int)
        pieces += [slice(a, b) for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True) if b - a >= MIN_RUN]
    return pieces


def _quality(stream: Stream, trials: Sequence[Trial], place: str) -> list[Finding]:
    """Read a signal piece by piece; flat, clipped and undefined channels."""
    rows = [_piece(stream, piece) for piece in _pieces(stream, trials)]
    if not rows:
        return []
    undefined, flat, low, high, at_low, at_high = (np.array(column) for column in zip(*rows, strict=True))
    names = np.array(stream.channels or [stream.name] * flat.shape[1], dtype=np.str_)
    findings = []
    if undefined.sum():
        text = f"{int(undefined.sum())} samples within trials are not finite in {listed(names[undefined.any(axis=0)])}"
        findings.append(Finding("D010", "warning", place, text))
    if flat.any():
        share = flat.mean(axis=0)
        worst = int(np.argmax(share))
        text = (
            f"{listed(names[share > 0])} constant for whole pieces of trials; {names[worst]} in {flat[:, worst].sum()} of "
            f"{len(flat)} pieces"
        )
        findings.append(Finding("D007", "error" if share.min() == 1 else "warning", place, text))
    clipped = [
        np.sum(held & ~flat & (extreme == best(extreme, axis=0)), axis=0)
        for extreme, held, best in ((low, at_low, np.min), (high, at_high, np.max))
    ]
    n_clipped = np.maximum(*clipped)
    if (n_clipped >= MIN_CLIPPED_PIECES).any():
        worst = int(np.argmax(n_clipped))
        text = (
            f"{listed(names[n_clipped >= MIN_CLIPPED_PIECES])} clipped at the highest or lowest value; {names[worst]} in "
            f"{n_clipped[worst]} of {len(flat)} pieces of trials"
        )
        findings.append(Finding("D007", "warning", place, text))
    return findings


def _piece(stream: Stream, piece: slice) -> tuple[NDArray[np.generic], ...]:
    """By channel: undefined samples, flat or not, lowest and highest value, whether it stays at each."""
    x = np.asarray(stream.x[piece], dtype=np.float64).reshape(piece.stop - piece.start, -1)
    finite = np.isfinite(x)
    low, high = np.where(finite, x, np.inf).min(axis=0), np.where(finite, x, -np.inf).max(axis=0)
    held = []
    for at in (x == low, x == high):
        run = at[:-2] & at[1:-1] & at[2:]  # MIN_RUN samples
        held.append(run.any(axis=0))
    return np.sum(~finite, axis=0), (low == high) & finite.all(axis=0), low, high, held[0], held[1]
