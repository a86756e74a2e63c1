"""Times of full-length sessions: what is planted is there, and the way to session time finds it again."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

from mmme.align import align, marker_counts, marker_report
from mmme.errors import ConfigError
from mmme.io.frames import frame_clock, frame_markers
from mmme.simulate.timing import TimingPlan, simulate_timing
from mmme.trials import build_trials, placements
from mmme.types import CodedEvent, Markers, Recording, Stream

SHORT = {"length_s": 600.0, "trials": 6}


def placed(session, **options):
    """Align a session and place its planted events: recording, timeline, trials, seconds of the alignment."""
    clock = frame_clock(session.frames.host_s, session.frames.code)
    t, codes = frame_markers(clock.t_s, session.frames.marker)
    ends = np.array([-5.0, session.shown[-1][1].stop + 20])
    streams = {
        "video": Stream("video", "camera", clock.t_s, np.zeros((len(clock.t_s), 1, 1), np.uint8), "grey level"),
        "eeg": Stream("eeg", "eeg", session.clocks["eeg"].to_device(ends), np.zeros(2), "V"),
        "skt": Stream("skt", "biopac", session.clocks["biopac"].to_device(ends), np.zeros(2), "°C"),
    }
    recording = Recording("S01", "01", streams, {**session.markers, "camera": Markers("camera", t, codes)})
    started = time.process_time()
    timeline = align(recording, **options)
    took_s = time.process_time() - started
    rows = [
        CodedEvent("S01", "A", None, int(code), f"v{code}", "sad", *map(int, frames), (), "sad", str(k))
        for k, (frames, code) in enumerate(zip(session.events, session.event_codes, strict=True))
    ]
    stimuli = {code: (f"v{code}", "sad") for code, _ in session.shown}
    return (
        recording,
        timeline,
        build_trials(timeline, rows, frame_uncertainty_s=clock.uncertainty_s, stimuli=stimuli),
        took_s,
    )


def errors_and_bounds(session, cut):
    """Errors of onsets, apices and offsets [s], and the bound of each."""
    errors, bounds = [], []
    for e in (e for trial in cut.trials for e in trial.expressions):
        true_s = session.clocks["eeg"].to_device(session.frames.taken_s[session.events[int(e.source)]])
        errors += (np.array([e.onset, e.apex, e.offset]) - true_s).tolist()
        bounds += [e.max_error_s] * 3
    return np.array(errors), np.array(bounds)


@pytest.mark.parametrize(("seed", "around"), [(11, True), (12, False)])
def test_events_of_a_full_length_session_are_placed_within_what_they_state(seed, around):
    """
    75 min, 48 trials, all faults: median below 4 ms, 99 % below 10 ms, none beyond its bound; aligned in under 1 s.
    """
    session = simulate_timing(seed, TimingPlan(around=around))
    recording, timeline, cut, took_s = placed(session)
    error, bound = errors_and_bounds(session, cut)

    assert len(error) > 0.95 * session.events.size
    assert np.median(np.abs(error)) < 0.004
    assert np.quantile(np.abs(error), 0.99) < 0.010
    assert np.all(np.abs(error) <= bound)
    assert np.median(bound) < 0.010
    assert took_s < 1.0
    agreeing = [p.agrees for p in placements(recording, timeline, cut.trials)]
    assert np.mean(agreeing) > 0.95


@pytest.mark.parametrize(("value_at", "moved_s"), [("exposure", 0.0), ("arrival", 0.005)])
def test_a_lag_of_all_frames_moves_every_event_or_none_and_cannot_be_seen(value_at, moved_s):
    """
    Frames arrive 5 ms later: no error where the trigger value is that of the exposure, 5 ms where it is read on arrival.

    The worst residual is within a frame in all cases, so the recording does not tell which it is.
    """
    error = {}
    for lag_s in (0.0, 0.005):
        session = simulate_timing(13, TimingPlan(**SHORT, lag_s=lag_s, value_at=value_at))
        _, timeline, cut, _ = placed(session)
        error[lag_s], _ = errors_and_bounds(session, cut)
        assert timeline.clocks["camera"].residual_ms < 1000 / 150

    assert np.median(error[0.005]) - np.median(error[0.0]) == pytest.approx(moved_s, abs=0.001)


def test_equal_seeds_give_equal_sessions():
    """
    Another seed gives another one.
    """
    a, b, c = (simulate_timing(seed, TimingPlan(**SHORT)) for seed in (1, 1, 2))

    np.testing.assert_array_equal(a.frames.host_s, b.frames.host_s)
    np.testing.assert_array_equal(a.markers["eeg"].t, b.markers["eeg"].t)
    assert a.clocks == b.clocks != c.clocks


@pytest.fixture(scope="module")
def full():
    """Three full-length sessions without pixels."""
    return [simulate_timing(seed) for seed in range(3)]


def test_a_session_lasts_75_min_and_has_48_trials(full):
    """
    Trial codes 101 to 148 in order, each span before the next.
    """
    for session in full:
        assert [code for code, _ in session.shown] == list(range(101, 149))
        spans = [span for _, span in session.shown]
        assert all(a.stop < b.start for a, b in itertools.pairwise(spans))
        assert 4400 < spans[-1].stop < 4500


def test_clocks_drift_by_20_to_150_ppm_with_either_sign(full):
    """
    Drift of all nine clocks, both signs among them.
    """
    ppm = np.array([(clock.rate - 1) * 1e6 for session in full for clock in session.clocks.values()])

    assert np.all((np.abs(ppm) >= 20) & (np.abs(ppm) <= 150))
    assert (ppm > 0).any()
    assert (ppm < 0).any()


def test_frames_are_lost_late_and_numbered_as_planned(full):
    """
    About 1 % lost, never early, up to about 60 ms and a burst late, codes 1..1000 that wrap, stamps of whole ms.
    """
    for session in full:
        frames = session.frames
        period = np.median(np.diff(frames.taken_s))
        lost = np.rint(np.diff(frames.taken_s) / period) - 1
        share = lost[lost < 30].sum() / len(lost)
        late_s = session.clocks["camera"].to_true(frames.host_s) - frames.taken_s
        assert 0.005 < share < 0.015
        assert late_s.min() > -1e-9
        assert 0.05 < late_s.max() < 0.09
        assert np.quantile(late_s, 0.5) < 0.003
        assert set(np.diff(frames.code)) == {1, -999}
        assert (frames.code.min(), frames.code.max()) == (1, 1000)
        np.testing.assert_allclose(frames.host_s * 1000, np.rint(frames.host_s * 1000), atol=1e-4)


def test_every_device_has_faults_of_its_own(full):
    """
    About 2 % of 96 changes lost and 2 % doubled per device, foreign and wrong codes on top; the report finds them.
    """
    lost, extra, doubled = [], [], []
    for session in full:
        recording, timeline, _, _ = placed(session)
        counts = marker_counts(marker_report(recording, timeline), timeline.clocks)
        lost += [c.lost for c in counts.values()]
        extra += [c.extra for c in counts.values()]
        doubled += [c.doubled for c in counts.values()]

    assert 1 <= np.mean(lost) <= 6
    assert 2 <= np.mean(extra) <= 6
    assert 1 <= np.mean(doubled) <= 4


def test_planted_events_lie_in_their_trials(full):
    """
    Onset, apex and offset in order, inside the span of the code.
    """
    for session in full:
        spans = dict(session.shown)
        taken_s = session.frames.taken_s[session.events]
        assert np.all(np.diff(session.events, axis=1) >= 0)
        assert all(
            spans[code].start <= t[0] and t[2] < spans[code].stop
            for code, t in zip(session.event_codes.tolist(), taken_s.tolist(), strict=True)
        )


def test_frames_run_through_the_pauses_where_that_is_asked_for():
    """
    Around trials there are pauses of seconds between frames; without, none of more than 100 ms.
    """
    gaps = {
        around: np.diff(simulate_timing(3, TimingPlan(**SHORT, around=around)).frames.taken_s) for around in (True, False)
    }

    assert gaps[True].max() > 10
    assert gaps[False].max() < 0.1


def test_a_plan_out_of_range_is_refused_with_all_its_faults():
    """
    Both values are named, with the range.
    """
    with pytest.raises(
        ConfigError,
        match=r"timing plan: 2 faults\n  - trials: expected 1 to 99, got 100\n  - fps: expected 20 to 500 Hz, got 5 Hz",
    ):
        TimingPlan(trials=100, fps=5)
