"""Trials from markers and coded frames, copies of several coders, and samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmme.align import align
from mmme.errors import ConfigError, DataError
from mmme.interval import Interval
from mmme.trials import (
    build_trials,
    expression_samples,
    grid_samples,
    left_out,
    placements,
    rule_kind,
    trial_samples,
    unique_expressions,
)
from mmme.types import ClockMap, CodedEvent, Expression, Markers, Recording, Stream, Timeline, Trial

STIMULI = {101: ("sad-1", "sad"), 102: ("disgust-2", "disgust"), 103: ("happy-2", "happy")}


def timeline(times, codes, *, video=True, residual_ms=0.0, stop_s=100.0):
    t = np.arange(0.0, stop_s + 1e-9, 0.01)
    streams = {"video": Stream("video", "camera", t, np.zeros(len(t), np.uint8), "grey level")} if video else {}
    coverage = {"video": Interval(0.0, stop_s)}
    clocks = {"eeg": ClockMap("eeg", 1.0, 0.0, 0.0, 4, 0), "camera": ClockMap("camera", 1.0, 0.0, residual_ms, 4, 0)}
    markers = Markers("session", np.array(times, float), np.array(codes, dtype=np.int64))
    return Timeline("S01", "01", streams, markers, clocks, coverage)


def row(
    onset, apex, offset, *, marker=101, coder="A", kind=None, stimulus="sad-1", target="sad", emotion="sad", subject="S01"
):
    """Frames at 100 per second."""
    source = f"coding.xlsx:{onset}"
    return CodedEvent(subject, coder, kind, marker, stimulus, target, onset, apex, offset, ("AU4",), emotion, source)


def expression(onset, offset, *, coder="A", kind="micro", emotion="sad", apex=None):
    middle = 0.5 * (onset + offset) if apex is None else apex
    return Expression("S01", coder, kind, onset, middle, offset, ("AU4",), emotion, f"coding.xlsx:{onset}")


def trial(*expressions, start=0.0, stop=20.0, name="S01-101"):
    return Trial(name, "S01", "sad-1", Interval(start, stop), "sad", tuple(expressions))


@pytest.mark.parametrize(
    ("times", "kind"),
    [
        pytest.param((1.0, 1.3, 1.5), "micro", id="total-of-exactly-500-ms"),
        pytest.param((1.0, 1.1, 1.501), "macro", id="total-above-500-ms-however-early-the-apex"),
        pytest.param((24.33, 24.58, 24.58), "micro", id="end-not-seen-apex-at-exactly-250-ms"),
        pytest.param((24.33, 24.59, 24.59), "macro", id="end-not-seen-apex-after-250-ms"),
    ],
)
def test_rule_kind(times, kind):
    """
    Up to 500 ms in all, or up to 250 ms to the apex where the end was not seen; the limits belong to micro.
    """
    assert rule_kind(*times) == kind


def test_trial_lasts_from_its_code_to_the_next_change_of_code():
    """
    Golden session: foreign code, trial, rest, trial; a repeated equal code is no change.
    """
    built = build_trials(timeline([1, 10, 10.3, 30, 50, 70], [77, 101, 101, 100, 102, 100]), [], stimuli=STIMULI)

    assert [(t.id, t.span.start, t.span.stop, t.stimulus, t.label) for t in built.trials] == [
        ("S01-101", 10.0, 30.0, "sad-1", "sad"),
        ("S01-102", 50.0, 70.0, "disgust-2", "disgust"),
    ]
    assert (built.misplaced, built.open_ended) == ((), ())


def test_trial_whose_end_is_not_the_idle_code_is_named():
    """
    A lost 100 ends a trial at the next code, the end of the recording ends the last; a code at the very end has no trial.
    """
    lost = build_trials(timeline([10, 50, 70], [101, 102, 100]), [], stimuli=STIMULI)
    cut = build_trials(timeline([10, 30, 90], [101, 100, 102]), [], stimuli=STIMULI)
    last = build_trials(timeline([10, 30, 100], [101, 100, 102]), [], stimuli=STIMULI)

    assert (lost.open_ended, lost.trials[0].span.stop) == (("S01-101",), 50.0)
    assert (cut.open_ended, cut.trials[1].span.stop) == (("S01-102",), 100.0)
    assert (last.open_ended, len(last.trials)) == (("S01-102",), 1)


def test_code_presented_twice_gives_two_trials():
    """
    Rows go to the presentation they lie in.
    """
    built = build_trials(
        timeline([10, 20, 50, 60], [101, 100, 101, 100]), [row(5500, 5510, 5530), row(1500, 1510, 1530)], stimuli=STIMULI
    )

    assert [(t.id, [e.onset for e in t.expressions]) for t in built.trials] == [("S01-101", [15.0]), ("S01-101-2", [55.0])]


def test_idle_and_trial_codes_can_be_others():
    """
    The mapping says which codes are trials: 1 and 2 here, with 0 between them.
    """
    built = build_trials(timeline([10, 20, 30, 40], [1, 0, 103, 0]), [], idle=0, stimuli={1: ("a", "x"), 2: ("b", "y")})

    assert [t.id for t in built.trials] == ["S01-1"]


def test_names_come_from_the_rows_where_no_mapping_is_given():
    """
    A trial without rows keeps its code as its stimulus and has no label.
    """
    built = build_trials(timeline([10, 20, 30, 40], [101, 100, 148, 100]), [row(1500, 1510, 1530)])

    assert [(t.stimulus, t.label) for t in built.trials] == [("sad-1", "sad"), ("148", "")]


def test_rows_that_contradict_each_other_about_a_stimulus_are_refused():
    """
    Without a mapping nobody can decide.
    """
    rows = [row(1500, 1510, 1530), row(1600, 1610, 1630, stimulus="sad-2")]

    with pytest.raises(
        DataError,
        match=r"trials of S01/01: coding.xlsx:1600: expected stimulus 'sad-1' \(sad\) for code 101 as in earlier rows, "
        r"got 'sad-2' \(sad\); give the stimuli by code to decide",
    ):
        build_trials(timeline([10, 20], [101, 100]), rows)


def test_expression_has_the_times_of_its_frames_and_the_kind_of_the_table_or_the_rule():
    """
    Frames 1500, 1520, 1540 at 100 per second: 15.0, 15.2, 15.4 s, micro; the table's word goes first.
    """
    rows = [row(1500, 1520, 1540), row(1600, 1610, 1630, kind="macro", coder="B")]

    first, second = build_trials(timeline([10, 20], [101, 100]), rows).trials[0].expressions

    assert (first.onset, first.apex, first.offset) == pytest.approx((15.0, 15.2, 15.4))
    assert (first.kind, second.kind) == ("micro", "macro")
    assert (first.coder, first.aus, first.emotion, first.source) == ("A", ("AU4",), "sad", "coding.xlsx:1500")
    assert np.isnan(first.uncertainty_s)


def test_uncertainty_adds_worst_frame_and_clock_in_squares():
    """
    3 ms of the apex frame and 4 ms of the clock (residual 4 sqrt 3) are 5 ms.
    """
    line = timeline([10, 20], [101, 100], residual_ms=4 * 3**0.5)
    uncertainty = np.full(len(line.streams["video"]), 1e-3)
    uncertainty[1520] = 3e-3

    found = build_trials(line, [row(1500, 1520, 1540)], frame_uncertainty_s=uncertainty).trials[0].expressions[0]

    assert found.uncertainty_s == pytest.approx(5e-3)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        pytest.param(
            row(1500, 1510, 99999), "expected frames below 10001, got 99999; is it of another recording?", id="frame"
        ),
        pytest.param(
            row(1500, 1510, 1530, marker=103, stimulus="happy-2"),
            "expected a trial with code 103, got none; was its trigger lost on all devices?",
            id="no-trial",
        ),
        pytest.param(
            row(1500, 1510, 1530, stimulus="sad-9"), "expected stimulus 'sad-1' for code 101, got 'sad-9'", id="stimulus"
        ),
        pytest.param(
            row(1990, 2000, 2006),
            "expected 19.900 to 20.060 s within trial S01-101, which lasts from 10.000 to 20.000 s, got 0.060 s outside; "
            "is the code or the frame number wrong?",
            id="60-ms-outside",
        ),
        pytest.param(row(1500, 1510, 1530, subject="S02"), "expected a row of S01, got one of S02", id="subject"),
    ],
)
def test_row_without_a_trial_comes_back_with_its_reason_and_costs_no_other(event, reason):
    """
    The good row is in the trial, the bad one is returned.
    """
    built = build_trials(timeline([10, 20], [101, 100]), [row(1200, 1210, 1230), event], stimuli=STIMULI)

    assert len(built.trials[0].expressions) == 1
    assert [(m.event, m.reason) for m in built.misplaced] == [(event, reason)]


def test_up_to_50_ms_outside_the_trial_is_inside():
    """
    An onset 40 ms before the trigger is within what coders and triggers are good for.
    """
    built = build_trials(timeline([10, 20], [101, 100]), [row(996, 1010, 1030)])

    assert not built.misplaced
    assert built.trials[0].expressions[0].onset == pytest.approx(9.96)


def test_rows_without_a_video_and_uncertainties_of_another_video_are_refused():
    """
    Frames without frame times mean nothing.
    """
    with pytest.raises(DataError, match="timeline S01/01: expected a stream 'video', got none"):
        build_trials(timeline([10, 20], [101, 100], video=False), [row(1500, 1510, 1530)])
    with pytest.raises(
        DataError, match=r"expected an uncertainty for each of 10001 frames, got \(5,\); are they of another"
    ):
        build_trials(timeline([10, 20], [101, 100]), [], frame_uncertainty_s=np.zeros(5))
    assert len(build_trials(timeline([10, 20], [101, 100], video=False), []).trials) == 1


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        pytest.param([("B", 1.1, 1.4), ("A", 1.0, 1.4)], [("A", 1.0)], id="first-coder-keeps-its-times"),
        pytest.param([("A", 0, 2), ("B", 0, 4)], [("A", 0)], id="iou-of-exactly-half-is-a-copy"),
        pytest.param([("A", 0, 2), ("B", 0, 4.1)], [("A", 0), ("B", 0)], id="less-is-another-event"),
        pytest.param([("A", 0, 2), ("A", 0, 2)], [("A", 0), ("A", 0)], id="one-coder-means-what-he-wrote"),
        pytest.param([("A", 0, 4), ("B", 0, 2), ("B", 2, 4)], [("A", 0), ("B", 2)], id="one-to-one"),
        pytest.param([("C", 1, 2), ("B", 1, 2), ("A", 1, 2)], [("A", 1)], id="three-coders-one-event"),
        pytest.param([("A", 1, 1), ("B", 1, 1)], [("A", 1)], id="same-moment-is-a-copy"),
        pytest.param([("A", 1, 1), ("B", 0.5, 1.5)], [("B", 0.5), ("A", 1)], id="moment-in-interval-is-not"),
        pytest.param([], [], id="nothing-coded"),
    ],
)
def test_unique_expressions(rows, kept):
    """
    Copies of one event by several coders count once.
    """
    found = unique_expressions(trial(*(expression(on, off, coder=c) for c, on, off in rows)))

    assert [(e.coder, e.onset) for e in found] == [(c, float(on)) for c, on in kept]


coded_rows = st.lists(
    st.tuples(st.sampled_from("ABC"), st.integers(0, 50), st.integers(0, 10)).map(
        lambda r: expression(r[1] / 10, (r[1] + r[2]) / 10, coder=r[0])
    ),
    max_size=12,
)


@given(coded_rows, st.randoms(use_true_random=False))
def test_unique_expressions_are_a_subset_and_taking_them_twice_changes_nothing(rows, random):
    """
    Laws: nothing is made up, all rows of the first coder stay, and the order of rows does not matter.
    """
    once = unique_expressions(trial(*rows))
    first = min((e.coder for e in rows), default="A")
    shuffled = random.sample(rows, len(rows))

    assert set(map(repr, once)) <= set(map(repr, rows))
    assert sorted(e.onset for e in once if e.coder == first) == sorted(e.onset for e in rows if e.coder == first)
    assert len(once) >= max((sum(e.coder == c for e in rows) for c in "ABC"), default=0)
    assert [e.onset for e in once] == sorted(e.onset for e in once)
    assert list(map(repr, unique_expressions(trial(*shuffled)))) == list(map(repr, once))


def test_expression_samples_are_named_and_labelled():
    """
    Copies once, numbers count all kinds, the class is the mapped emotion, times are the expression's.
    """
    one = trial(
        expression(1, 2, kind="macro"), expression(1, 2, coder="B"), expression(5, 5.4, emotion="happy"), expression(8, 8.2)
    )

    samples = expression_samples([one], kind="micro", class_of={"sad": "negative", "happy": "positive"})

    assert [(s.id, s.label, s.onset, s.offset) for s in samples] == [
        ("S01-101#2", "positive", 5, 5.4),
        ("S01-101#3", "negative", 8, 8.2),
    ]
    assert samples[0].trial == one.span
    assert (samples[0].subject, samples[0].stimulus, samples[0].apex) == ("S01", "sad-1", 5.2)
    assert len(expression_samples([one], kind=None, class_of={"sad": "n", "happy": "p"}, unique=False)) == 4


def test_overlap_that_makes_a_copy_can_be_chosen():
    """
    Rows of two coders with an IoU of 0.5 are one expression at 0.5 and two at 0.6.
    """
    one = trial(expression(0, 2), expression(0, 4, coder="B"))

    assert [len(expression_samples([one], kind=None, class_of={"sad": "n"}, min_iou=m)) for m in (0.5, 0.6)] == [1, 2]


def test_emotion_left_out_on_purpose_is_counted_and_an_unknown_one_is_refused():
    """
    None is a decision, a missing word is a mistake.
    """
    one = trial(expression(1, 2, emotion="others"), expression(5, 5.4), expression(7, 8, emotion="others"))

    assert len(expression_samples([one], kind=None, class_of={"sad": "negative", "others": None})) == 1
    assert left_out([one], kind=None, class_of={"sad": "negative", "others": None}) == {"others": 2}
    with pytest.raises(
        ConfigError, match=r"coding.xlsx:1: no class for emotion 'others'; did you mean 'other'\? \(known: other, sad\)"
    ):
        expression_samples([one], kind=None, class_of={"sad": "negative", "other": None})


def test_trial_samples_span_the_trial():
    """
    Label is the target emotion, mapped where a mapping is given; None leaves it out.
    """
    trials = [trial(start=10, stop=30), Trial("S01-106", "S01", "calm-1", Interval(40, 50), "calm")]

    assert [(s.id, s.label, s.onset, s.apex, s.offset) for s in trial_samples(trials)] == [
        ("S01-101", "sad", 10, 20, 30),
        ("S01-106", "calm", 40, 45, 50),
    ]
    assert [s.label for s in trial_samples(trials, class_of={"sad": "negative", "calm": None})] == ["negative"]
    with pytest.raises(ConfigError, match=r"S01-101: no class for emotion 'sad' \(known: calm\)"):
        trial_samples(trials, class_of={"calm": None})


def test_grid_samples_label_the_centre_of_each_window():
    """
    Trial of 4 s, window 1 s, step 0.5 s: seven moments; micro goes before macro, ends are included.
    """
    one = trial(expression(1.0, 2.5, kind="macro"), expression(1.5, 2.0), stop=4.0)

    samples = grid_samples([one], step_s=0.5, window_s=1.0)

    assert [(s.apex, s.label) for s in samples] == [
        (0.5, "neutral"),
        (1.0, "macro"),
        (1.5, "micro"),
        (2.0, "micro"),
        (2.5, "macro"),
        (3.0, "neutral"),
        (3.5, "neutral"),
    ]
    assert (samples[0].id, samples[0].onset, samples[0].offset) == ("S01-101#1", 0.0, 1.0)


def test_grid_windows_tile_the_trial_by_default():
    """
    Without a window length, one window ends where the next begins.
    """
    samples = grid_samples([trial(stop=2.0)], step_s=0.5)

    assert [(s.onset, s.offset) for s in samples] == [(0.0, 0.5), (0.5, 1.0), (1.0, 1.5), (1.5, 2.0)]


@given(start=st.floats(0, 5000), duration=st.floats(0.5, 60), step_s=st.floats(0.05, 3), window_s=st.floats(0.05, 5))
def test_grid_windows_lie_in_the_trial_and_none_is_missing(start, duration, step_s, window_s):
    """
    Law: the first window begins with the trial, the last ends less than one step before its end.
    """
    one = trial(start=start, stop=start + duration)
    if window_s > one.span.duration_s:
        return

    samples = grid_samples([one], step_s=step_s, window_s=window_s)

    assert samples[0].onset == pytest.approx(start, abs=1e-6)
    assert samples[-1].offset <= one.span.stop + 1e-5
    assert samples[-1].offset + step_s > one.span.stop - 1e-5


def test_grid_lengths_must_be_positive_and_fit_a_trial():
    """
    No step, no window, or a window longer than all trials: refused; shorter trials among longer ones have no moments.
    """
    with pytest.raises(ConfigError, match="step_s: expected more than 0 s, got 0"):
        grid_samples([trial()], step_s=0, window_s=1)
    with pytest.raises(ConfigError, match="window_s: expected more than 0 s, got -1"):
        grid_samples([trial()], step_s=1, window_s=-1)
    with pytest.raises(ConfigError, match="window_s: expected at most the longest trial, 20.000 s, got 30 s"):
        grid_samples([trial()], step_s=1, window_s=30)
    assert {s.id.split("#")[0] for s in grid_samples([trial(stop=1.0), trial(name="b")], step_s=1, window_s=2)} == {"b"}
    assert grid_samples([], step_s=1, window_s=1) == ()


def test_bound_adds_worst_frame_and_clock():
    """
    A frame of 3 ms standard uncertainty lies within 3 sqrt 3 ms, the clock within 4 ms: 9.196 ms in all.
    """
    line = timeline([10, 20], [101, 100], residual_ms=4.0)
    uncertainty = np.full(len(line.streams["video"]), 1e-3)
    uncertainty[1520] = 3e-3

    known = build_trials(line, [row(1500, 1520, 1540)], frame_uncertainty_s=uncertainty).trials[0].expressions[0]
    unknown = build_trials(line, [row(1500, 1520, 1540)]).trials[0].expressions[0]

    assert known.max_error_s == pytest.approx(9.196e-3, abs=1e-6)
    assert np.isnan(unknown.max_error_s)


def test_limits_of_the_kind_rule_can_be_those_of_the_data_set():
    """
    200 ms are macro where a micro-expression lasts at most 150 ms, 300 ms to an unseen end micro where 350 ms are allowed.
    """
    assert rule_kind(1.0, 1.1, 1.2, micro_total_s=0.15) == "macro"
    assert rule_kind(1.0, 1.3, 1.3, micro_apex_s=0.35) == "micro"
    cut = build_trials(
        timeline([10, 20], [101, 100]), [row(1500, 1510, 1520), row(1600, 1630, 1630)], kind_rule=(0.15, 0.35)
    )
    assert [e.kind for e in cut.trials[0].expressions] == ["macro", "micro"]


def test_a_misread_code_at_once_with_a_trial_code_does_not_cut_the_trial():
    """
    One device read 7 where another read 101, 3 ms apart: trial 101 lasts to its idle code; 77 a second later does end it.
    """
    misread = build_trials(timeline([10, 10.003, 20], [101, 7, 100]), [], stimuli=STIMULI)
    foreign = build_trials(timeline([10, 11, 20], [101, 77, 100]), [], stimuli=STIMULI)

    assert [(t.span.start, t.span.stop) for t in misread.trials] == [(10.0, 20.0)]
    assert misread.open_ended == ()
    assert [(t.span.start, t.span.stop) for t in foreign.trials] == [(10.0, 11.0)]


def camera_recording(late_s=0.0, missing=()):
    """Two trials of 10 s, frames every 10 ms, the camera's code changes ``late_s`` late in the second trial."""
    t, codes = np.arange(10.0, 100.0, 10.0), np.array([101, 100, 102, 100, 103, 100, 104, 100, 105])
    frames = np.arange(0.0, 120.0, 0.01)
    seen = t + 0.005 + np.where(t == 30.0, late_s, 0.0)
    kept = ~np.isin(np.arange(len(t)), missing)
    marked = frames[np.searchsorted(frames, seen[kept] - 1e-9)]
    streams = {
        "video": Stream("video", "camera", frames, np.zeros(len(frames), np.uint8), "grey level"),
        "eeg": Stream("eeg", "eeg", np.arange(120.0), np.zeros(120), "V"),
    }
    return Recording(
        "S01", "01", streams, {"eeg": Markers("eeg", t, codes), "camera": Markers("camera", marked, codes[kept])}
    )


def two_ways(recording):
    line = align(recording)
    rows = [row(1200, 1210, 1230), row(3200, 3210, 3230, marker=102, stimulus="disgust-2", target="disgust")]
    uncertainty = np.full(len(line.streams["video"]), 1e-3)
    cut = build_trials(line, rows, frame_uncertainty_s=uncertainty, stimuli=STIMULI)
    return placements(recording, line, cut.trials)


def test_an_event_is_placed_a_second_time_by_the_edge_of_its_trial():
    """
    The camera saw the second trial start 200 ms late: by that edge its event is 200 ms earlier than by the line.
    """
    straight, late = two_ways(camera_recording(late_s=0.2))

    assert straight.agrees
    assert straight.difference_s == pytest.approx(0.0, abs=0.006)
    assert not late.agrees
    assert late.difference_s == pytest.approx(-0.2, abs=0.006)
    assert (late.trial, late.source) == ("S01-102", "coding.xlsx:3200")
    assert late.by_edge_s == pytest.approx(late.onset_s - 0.2, abs=0.006)


def test_the_end_of_a_trial_stands_in_for_a_start_that_the_camera_lost():
    """
    Without the start the end is compared; without both, and without a video, there is nothing to compare.
    """
    assert [p.trial for p in two_ways(camera_recording(missing=(2,)))] == ["S01-101", "S01-102"]
    assert [p.trial for p in two_ways(camera_recording(missing=(2, 3)))] == ["S01-101"]
    source = camera_recording()
    eeg = Recording("S01", "01", {"eeg": source.streams["eeg"]}, {"eeg": source.markers["eeg"]})
    assert placements(eeg, align(eeg), []) == ()
