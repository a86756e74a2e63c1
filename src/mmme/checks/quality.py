"""Findings on the quality of signals: power line, electrodes that are off, EEG channels that stand out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from mmme.interval import Interval
from mmme.types import FeatureTable, Finding, Level, Stream, Timeline, Trial, listed

__all__ = ["check_quality", "check_trust"]

PIECE_S = 10.0
MOST_PIECES = 12  # spread over the session; enough to tell a bad channel from a bad moment
LINES_HZ = (50.0, 60.0)
LINE_SHARE = 0.5  # of the power between 1 Hz and the lower of 100 Hz and the band's end
DEAD_V = 0.5e-6  # below the noise of any amplifier with an electrode on skin
NOISY_Z = 5.0  # robust standard deviations of the logarithm of the spread
LONELY = 0.4  # 98th percentile of a channel's correlations with all others (as in the PREP pipeline)
DRY_US = 0.05  # skin conductance of an electrode that is off
SKIN_C = (15.0, 45.0)
TRUSTED = 0.5  # share of a trial


def check_quality(timeline: Timeline, trials: Sequence[Trial]) -> tuple[Finding, ...]:
    """
    Look at pieces of ten seconds within trials (a shorter trial is one piece), at most twelve spread over the session.

    Parameters
    ----------
    timeline
        From `mmme.align.align`.
    trials
        Its trials.

    Returns
    -------
    tuple of Finding
        D014 where 50 or 60 Hz hold more than half of a channel's power; D015 where skin conductance stays below 0.05 µS,
        skin temperature outside 15 to 45 °C, or an EEG channel below 0.5 µV; D016 for EEG channels whose spread is more
        than five robust standard deviations above the others', or which correlate with no other (98th percentile of
        correlations below 0.4 in most pieces). Nothing is interpolated or left out.

    References
    ----------
    Bigdely-Shamlo N et al. (2015), The PREP pipeline, doi:10.3389/fninf.2015.00016 (correlation criterion).

    Examples
    --------
    >>> from mmme.types import Markers
    >>> skt = Stream("skt", "biopac", np.arange(0, 30, 0.1), np.zeros(300) + 0.01 * np.arange(300) % 0.02, "°C", 10.0)
    >>> line = Timeline("S01", "01", {"skt": skt}, Markers("session", np.empty(0), np.empty(0, int)), {}, {})
    >>> print(check_quality(line, [Trial("t", "S01", "v", Interval(0.0, 30.0), "sad")])[0])
    D015 warning S01/01 skt: median 0.0 °C in 3 of 3 pieces, expected 15 to 45 °C on skin; was the sensor attached?
    """
    where = f"{timeline.subject}/{timeline.session}"
    findings: list[Finding] = []
    for name, stream in timeline.streams.items():
        if name == "video" or stream.fs is None:
            continue
        pieces = _pieces(stream, trials)
        if pieces:
            findings += _of_stream(stream, pieces, f"{where} {name}")
    return tuple(findings)


def check_trust(table: FeatureTable) -> tuple[Finding, ...]:
    """
    Look for trials of which less than half can be trusted.

    Parameters
    ----------
    table
        One row per trial, from `mmme.features.body.signals.describe_quality`.

    Returns
    -------
    tuple of Finding
        D025 per subject and signal: a warning, a note where it is fewer than a tenth of the trials.

    Examples
    --------
    >>> strata = {"ecg cause": ["signal is flat", ""]}
    >>> both = FeatureTable.build(
    ...     [[0.2], [1.0]], ["ecg_quality"], ["S01-101", "S01-102"], ["S01"] * 2, ["v", "w"], ["sad"] * 2, strata=strata
    ... )
    >>> print(check_trust(both)[0])
    D025 warning S01 ecg: less than half of 1 of 2 trials can be trusted, mostly because: signal is flat (1); S01-101
    """
    findings = []
    for subject in dict.fromkeys(table.subjects.tolist()):
        own = np.flatnonzero(table.subjects == subject)
        for k, column in enumerate(table.columns):
            if not column.endswith("_quality"):
                continue
            signal = column.removesuffix("_quality")
            low = own[table.X[own, k] < TRUSTED]
            if not low.size:
                continue
            why = Counter(table.strata[f"{signal} cause"][low].tolist()).most_common(2)
            names = [table.trial_ids[i] for i in low]
            text = (
                f"less than half of {low.size} of {own.size} trials can be trusted, mostly because: "
                f"{', '.join(f'{cause} ({n})' for cause, n in why)}; {listed(names)}"
            )
            level: Level = "warning" if 10 * low.size >= own.size else "note"
            findings.append(Finding("D025", level, f"{subject} {signal}", text, tuple(names)))
    return tuple(findings)


def _pieces(stream: Stream, trials: Sequence[Trial]) -> list[slice]:
    """Places of pieces within trials, spread over the session."""
    found = []
    for trial in trials:
        length_s = min(PIECE_S, trial.span.duration_s)
        for k in range(int(trial.span.duration_s / length_s)):
            start = trial.span.start + k * length_s
            piece = stream.between(Interval(start, start + length_s))
            if piece.stop - piece.start > 8:
                found.append(piece)
    keep = np.unique(np.linspace(0, len(found) - 1, min(len(found), MOST_PIECES)).astype(int)) if found else []
    return [found[k] for k in keep]


def _of_stream(stream: Stream, pieces: list[slice], where: str) -> list[Finding]:
    """Check one stream."""
    data = [np.asarray(stream.x[piece], dtype=np.float64).reshape(piece.stop - piece.start, -1) for piece in pieces]
    data = [x for x in data if np.isfinite(x).all()]  # undefined samples are another check's matter
    if not data:
        return []
    names = np.array(stream.channels or (stream.name,))
    findings = _line_findings(data, names, float(stream.fs or 0.0), where)
    medians = np.array([float(np.median(x)) for x in data])
    if stream.name.startswith("eda") and (low := int(np.sum(medians < DRY_US))) > len(medians) / 2:
        text = f"median below {DRY_US} µS in {low} of {len(medians)} pieces; were the electrodes on the skin?"
        findings.append(Finding("D015", "warning", where, text))
    if stream.name.startswith("skt"):
        off = (medians < SKIN_C[0]) | (medians > SKIN_C[1])
        if off.sum() > len(off) / 2:
            text = (
                f"median {np.median(medians[off]):.1f} °C in {off.sum()} of {len(off)} pieces, expected {SKIN_C[0]:g} to "
                f"{SKIN_C[1]:g} °C on skin; was the sensor attached?"
            )
            findings.append(Finding("D015", "warning", where, text))
    if stream.name == "eeg":
        scalp = np.array([kind in ("EEG", "REF") for kind in stream.types]) if stream.types else np.ones(len(names), bool)
        if scalp.any():
            findings += _channel_findings([x[:, scalp] for x in data], names[scalp], where)
    return findings


def _line_findings(data: list[NDArray[np.float64]], names: NDArray[np.str_], fs: float, where: str) -> list[Finding]:
    """D014: channels in which the power line holds most of the power."""
    top_hz = min(100.0, 0.45 * fs)
    lines = [line for line in LINES_HZ if line + 1 < top_hz]
    if not lines:
        return []
    shares = []
    for x in data:
        frequency, power = scipy.signal.welch(x, fs, nperseg=min(len(x), int(2 * fs)), axis=0, detrend="linear")
        band = (frequency >= 1) & (frequency <= top_hz)
        total = power[band].sum(axis=0)
        near = [power[np.abs(frequency - line) <= 1].sum(axis=0) for line in lines]
        shares.append(np.divide(near, total, out=np.zeros((len(lines), x.shape[1])), where=total > 0))
    share = np.median(shares, axis=0)
    line = int(np.argmax(share.max(axis=1)))
    bad = share[line] > LINE_SHARE
    if not bad.any():
        return []
    worst = int(np.argmax(share[line]))
    text = (
        f"{lines[line]:g} Hz holds most of the power in {listed(names[bad])}; {100 * share[line][worst]:.0f} % in "
        f"{names[worst]}"
    )
    return [Finding("D014", "warning", where, text, tuple(map(str, names[bad])))]


def _channel_findings(data: list[NDArray[np.float64]], names: NDArray[np.str_], where: str) -> list[Finding]:
    """D015 and D016: dead, noisy and lonely EEG channels."""
    spread = np.median([0.7413 * (np.quantile(x, 0.75, axis=0) - np.quantile(x, 0.25, axis=0)) for x in data], axis=0)
    dead = spread < DEAD_V
    findings = []
    if dead.any():
        text = f"{listed(names[dead])} below {1e6 * DEAD_V:g} µV; is the electrode connected?"
        findings.append(Finding("D015", "warning", where, text, tuple(map(str, names[dead]))))
    alive = ~dead
    if alive.sum() < 4:
        return findings
    level = np.log(spread[alive])
    scale = max(1.4826 * float(np.median(np.abs(level - np.median(level)))), 0.1)
    noisy = np.zeros(len(names), dtype=bool)
    noisy[alive] = (level - np.median(level)) / scale > NOISY_Z
    lonely = np.zeros(len(names), dtype=bool)
    few = np.array([_highest_correlation(x[:, alive]) < LONELY for x in data])
    lonely[alive] = few.mean(axis=0) > 0.5
    if lonely.sum() > alive.sum() / 2:  # then channels have nothing in common at all, and none stands out
        lonely[:] = False
    for which, what in ((noisy, "vary far more than the others"), (lonely & ~noisy, "go with no other channel")):
        if which.any():
            text = f"{listed(names[which])} {what}; look at them before a common reference is made"
            findings.append(Finding("D016", "warning", where, text, tuple(map(str, names[which]))))
    return findings


def _highest_correlation(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """98th percentile of each channel's absolute correlations with the others."""
    matrix = np.abs(np.corrcoef(x, rowvar=False))
    np.fill_diagonal(matrix, np.nan)
    return np.asarray(np.nanquantile(matrix, 0.98, axis=0))
