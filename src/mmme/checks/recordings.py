"""Findings on aligned recordings, their coding, and all subjects of a data set together."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from mmme.align import marker_report
from mmme.checks.quality import check_quality
from mmme.checks.signals import check_frames, check_signals
from mmme.trials import Trials, placements, rule_kind, unique_expressions
from mmme.types import Finding, Recording, Timeline, Trial, listed

__all__ = ["check_order", "check_study", "check_timeline"]

HIGH_RESIDUAL_MS = 2.0  # 1 ms of sampling on both devices; a camera may miss by a frame
HIGH_DRIFT_PPM = 200.0
MANY_REPAIRED = 0.05


def check_timeline(
    recording: Recording,
    timeline: Timeline,
    trials: Trials,
    *,
    expected: Sequence[str] = (),
    kind_rule: tuple[float, float] = (0.5, 0.25),
) -> tuple[Finding, ...]:
    """
    Check one aligned recording: clocks and markers, coding, frames and signals.

    Parameters
    ----------
    recording
        As given to `mmme.align.align`.
    timeline
        As returned by it.
    trials
        As returned by `mmme.trials.build_trials`.
    expected
        Names of the streams that should be there.
    kind_rule
        Longest micro-expression, and longest rise of one whose end was not visible [s].

    Returns
    -------
    tuple of Finding
        Codes A001 to A003, A005, A006, D002 to D007, D009, D010 and D013 to D016, as far as there is something to say.

    Examples
    --------
    >>> from mmme.align import align
    >>> from mmme.trials import build_trials
    >>> from mmme.types import Markers, Stream
    >>> skt = Stream("skt", "biopac", np.arange(0, 99, 0.1), 31 + np.arange(990) / 1e4, "°C")
    >>> markers = {"biopac": Markers("biopac", np.array([10.0, 50.0]), np.array([101, 100]))}
    >>> recording = Recording("S01", "01", {"skt": skt}, markers)
    >>> timeline = align(recording)
    >>> [str(f) for f in check_timeline(recording, timeline, build_trials(timeline, []))]
    ['D005 note S01/01: 1 of 1 trials have no coded expression: S01-101']
    """
    return (
        *_clock_findings(recording, timeline),
        *_marker_findings(recording, timeline, trials),
        *_placement_findings(recording, timeline, trials),
        *_coding_findings(trials, f"{timeline.subject}/{timeline.session}", kind_rule),
        *check_frames(timeline, trials.trials),
        *check_signals(timeline, trials.trials, expected=expected),
        *check_quality(timeline, trials.trials),
    )


def check_order(
    onset: ArrayLike, apex: ArrayLike, offset: ArrayLike, *, sources: Sequence[str], where: str
) -> tuple[Finding, ...]:
    """
    Check columns of an annotation table as they are in the file, before they become events.

    Parameters
    ----------
    onset, apex, offset : (n,)
        In one unit, seconds or frames.
    sources
        File and row of each.
    where
        The table.

    Returns
    -------
    tuple of Finding
        D001 with the rows that violate ``onset <= apex <= offset`` (undefined times do); D002 with the count of rows
        whose apex is their offset.

    Examples
    --------
    >>> for finding in check_order([1, 2], [1.2, 1.9], [1.2, 3], sources=["row 2", "row 3"], where="coding.xlsx"):
    ...     print(finding)
    D001 error coding.xlsx: 1 of 2 rows violate onset <= apex <= offset: row 3
    D002 note coding.xlsx: 1 of 2 rows have their apex at their offset
    """
    on, top, off = (np.asarray(a, dtype=np.float64) for a in (onset, apex, offset))
    wrong = ~((on <= top) & (top <= off))
    findings = []
    if wrong.any():
        rows = listed(s for s, bad in zip(sources, wrong, strict=True) if bad)
        text = f"{int(wrong.sum())} of {len(on)} rows violate onset <= apex <= offset: {rows}"
        findings.append(Finding("D001", "error", where, text))
    if open_ended := int(np.sum(~wrong & (top == off))):
        findings.append(Finding("D002", "note", where, f"{open_ended} of {len(on)} rows have their apex at their offset"))
    return tuple(findings)


def check_study(trials: Iterable[Trial], *, where: str = "study", design: Sequence[str] = ()) -> tuple[Finding, ...]:
    """
    Check the trials of all subjects against each other, and against the design.

    Parameters
    ----------
    trials
        Of all subjects.
    where
        Name of the data set.
    design
        Stimuli that every subject should have seen; where it is empty, those that at least half of the others have.

    Returns
    -------
    tuple of Finding
        A004 for each subject that lacks stimuli; D008 when two or more subjects saw several stimuli in one and the same
        order.

    Examples
    --------
    >>> from mmme.interval import Interval
    >>> def trial(subject, k):
    ...     return Trial(f"{subject}-{k}", subject, f"v{k}", Interval(k, k + 1), "sad")
    >>> for finding in check_study([trial("S01", 1), trial("S01", 2), trial("S02", 1), trial("S02", 2), trial("S03", 1)]):
    ...     print(finding)
    A004 warning study S03: 1 trials are missing that most others have: v2
    D008 warning study: all 3 subjects saw the stimuli in the same order, so label and time on task cannot be told apart
    """
    orders: dict[str, list[str]] = {}
    for trial in sorted(trials, key=lambda t: (t.subject, t.span)):
        orders.setdefault(trial.subject, []).append(trial.stimulus)
    stimuli = list(dict.fromkeys(s for order in orders.values() for s in order))
    findings = []
    for subject, order in orders.items():
        others = [set(o) for s, o in orders.items() if s != subject]
        common = [s for s in stimuli if 2 * sum(s in o for o in others) >= max(len(others), 1)]
        whose = f"of the {len(design)} of the design" if design else "that most others have"
        missing = [s for s in design or common if s not in order]
        if missing:
            text = f"{len(missing)} trials are missing {whose}: {listed(missing)}"
            findings.append(Finding("A004", "warning", f"{where} {subject}", text, tuple(missing)))
    if len(orders) > 1 and all(len(o) > 0 for o in orders.values()) and _one_order(list(orders.values())):
        text = (
            f"all {len(orders)} subjects saw the stimuli in the same order, so label and time on task cannot be told apart"
        )
        findings.append(Finding("D008", "warning", where, text))
    return tuple(findings)


def _one_order(orders: Sequence[Sequence[str]]) -> bool:
    """Tell whether no two subjects saw any two stimuli in opposite orders, and some saw the same two."""
    before: set[tuple[str, str]] = set()
    compared = False
    for order in orders:
        once = list(dict.fromkeys(order))
        pairs = {(a, b) for k, a in enumerate(once) for b in once[k + 1 :]}
        if any((b, a) in before for a, b in pairs):
            return False
        compared = compared or bool(pairs & before)
        before |= pairs
    return compared


def _clock_findings(recording: Recording, timeline: Timeline) -> list[Finding]:
    """Residuals and drifts of the devices."""
    findings = []
    reference = next(iter(timeline.clocks))
    video = recording.streams.get("video")
    for device, clock in timeline.clocks.items():
        place = f"{timeline.subject}/{timeline.session} {device}"
        limit_ms = HIGH_RESIDUAL_MS
        if video is not None and video.device in (device, reference):
            limit_ms = max(limit_ms, 1e3 * float(np.median(np.diff(video.t))))
        if clock.residual_ms > limit_ms:
            text = f"worst of {clock.n_used} markers is {clock.residual_ms:.1f} ms off, expected up to {limit_ms:.1f} ms"
            findings.append(Finding("A001", "warning", place, text))
        if clock.forced:
            findings.append(Finding("A005", "warning", place, f"its clock map was accepted on demand: {clock.forced}"))
        if clock.assumed:
            findings.append(Finding("A005", "note", place, "its clock was stated, not fitted to markers"))
        if abs(clock.drift_ppm) > HIGH_DRIFT_PPM:
            text = f"drifts {clock.drift_ppm:.0f} ppm against {reference}, expected within {HIGH_DRIFT_PPM:.0f} ppm"
            findings.append(Finding("A003", "warning", place, text))
    return findings


def _marker_findings(recording: Recording, timeline: Timeline, trials: Trials) -> list[Finding]:
    """Markers that a device lost, doubled or had at a wrong time, and trials without an end."""
    rows = marker_report(recording, timeline)
    where = f"{timeline.subject}/{timeline.session}"
    findings = []
    for device, clock in timeline.clocks.items():
        lost = [f"{r.code} at {r.t_s:.1f} s" for r in rows if device in r.lost_by]
        doubled = [f"{r.code} at {r.t_s:.1f} s" for r in rows if device in r.doubled_by]
        parts = [f"lost {len(lost)} markers, taken from the others ({listed(lost, 5)})"] if lost else []
        parts += [f"doubled {len(doubled)} ({listed(doubled, 5)})"] if doubled else []
        parts += [f"has {clock.n_rejected} at times that the clock map set aside"] if clock.n_rejected else []
        if parts:
            few = len(lost) + clock.n_rejected <= MANY_REPAIRED * len(rows)
            findings.append(Finding("A002", "note" if few else "warning", f"{where} {device}", "; ".join(parts)))
    if trials.open_ended:
        text = f"{len(trials.open_ended)} trials were not ended by the idle code: {listed(trials.open_ended)}"
        findings.append(Finding("A002", "warning", where, text))
    return findings


def _coding_findings(trials: Trials, where: str, kind_rule: tuple[float, float]) -> list[Finding]:
    """Open ends, kinds against the rule, copies, overlaps, empty trials, rows without a trial."""
    expressions = [e for t in trials.trials for e in t.expressions]
    total_s, apex_s = kind_rule
    findings = []
    if open_ended := [e.source for e in expressions if e.apex == e.offset]:
        text = (
            f"{len(open_ended)} of {len(expressions)} expressions have their apex at their offset: the end was not visible"
        )
        findings.append(Finding("D002", "note", where, text, tuple(open_ended)))
    if against := [
        f"{e.source or t.id} ({e.kind}, {1e3 * e.duration_s:.0f} ms)"
        for t in trials.trials
        for e in t.expressions
        if e.kind != rule_kind(e.onset, e.apex, e.offset, micro_total_s=total_s, micro_apex_s=apex_s)
    ]:
        text = f"{len(against)} of {len(expressions)} kinds disagree with the rule on durations: {listed(against)}"
        findings.append(Finding("D003", "warning", where, text, tuple(against)))
    if copies := len(expressions) - sum(len(unique_expressions(t)) for t in trials.trials):
        text = f"{copies} of {len(expressions)} expressions are another coder's copies of one event"
        findings.append(Finding("D004", "note", where, text))
    if overlapping := [pair for t in trials.trials for pair in _own_overlaps(t)]:
        text = f"{len(overlapping)} pairs of events of one coder overlap: {listed(overlapping)}"
        findings.append(Finding("D013", "warning", where, text, tuple(overlapping)))
    if empty := [t.id for t in trials.trials if not t.expressions]:
        text = f"{len(empty)} of {len(trials.trials)} trials have no coded expression: {listed(empty)}"
        findings.append(Finding("D005", "note", where, text, tuple(empty)))
    findings += [Finding("D009", "warning", f"{where} {m.event.source}", m.reason) for m in trials.misplaced]
    return findings


def _placement_findings(recording: Recording, timeline: Timeline, trials: Trials) -> list[Finding]:
    """Events whose place by the line and by the edge of their own trial do not agree."""
    apart = [p for p in placements(recording, timeline, trials.trials) if not p.agrees]
    if not apart:
        return []
    worst = max(apart, key=lambda p: abs(p.difference_s))
    text = (
        f"{len(apart)} events lie elsewhere by the edge of their own trial than by the clock map of the session, "
        f"{worst.source} by {1e3 * worst.difference_s:.1f} ms; did a clock jump, or one device see an edge late?"
    )
    place = f"{timeline.subject}/{timeline.session}"
    few = len(apart) <= MANY_REPAIRED * sum(len(trial.expressions) for trial in trials.trials)
    return [Finding("A006", "note" if few else "warning", place, text, tuple(p.source for p in apart))]


def _own_overlaps(trial: Trial) -> list[str]:
    """Pairs of events of one coder that share time; events that touch do not."""
    found = []
    for coder in dict.fromkeys(e.coder for e in trial.expressions):
        own = sorted((e for e in trial.expressions if e.coder == coder), key=lambda e: (e.onset, e.offset))
        found += [f"{a.source} and {b.source}" for a, b in itertools.pairwise(own) if b.onset < a.offset]
    return found
