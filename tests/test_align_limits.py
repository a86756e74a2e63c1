"""What a clock map says of itself: bounds, refusals, what may be forced, what may be assumed, and who is outvoted."""

from __future__ import annotations

import time

import numpy as np
import pytest

from mmme.align import align, event_bound_s, event_uncertainty_s, marker_counts, marker_report
from mmme.errors import AlignmentError, ConfigError
from mmme.types import ClockMap, Markers, Recording, Stream

FRAME_S = 1 / 150


def design(n_trials=20, seed=0):
    """Times and codes of trials of 21 to 60 s, each with the code 100 after it for 43 to 59 s."""
    rng = np.random.default_rng(seed)
    lengths = np.column_stack([rng.uniform(21, 60, n_trials), rng.uniform(43, 59, n_trials)]).ravel()
    codes = np.column_stack([np.arange(101, 101 + n_trials), np.full(n_trials, 100)]).ravel()
    return np.cumsum(lengths), codes


def recording(markers, video_t=None):
    """Recording with a slow stream per device; the camera's are its frames where given."""
    t = np.arange(-1e3, 1e4, 100.0)
    names = {"eeg": "eeg", "biopac": "skt", "camera": "emg", "watch": "ppg"}
    streams = {names[d]: Stream(names[d], d, t, np.zeros(len(t)), "V") for d in markers if d != "camera" or video_t is None}
    if video_t is not None:
        streams["video"] = Stream("video", "camera", video_t, np.zeros(len(video_t), np.uint8), "grey level")
    return Recording(
        "S01", "01", streams, {d: Markers(d, np.asarray(x, float), np.asarray(c, int)) for d, (x, c) in markers.items()}
    )


def refusal(markers, **options):
    with pytest.raises(AlignmentError) as caught:
        align(recording(markers), **options)
    return str(caught.value)


# how far a map can be trusted


def test_residuals_are_summed_up_and_the_bound_is_that_of_a_marker_without_a_say():
    """
    Median, 95th percentile and worst of the misfits of a line by numpy.polyfit; the bound by leaving out each in turn.
    """
    t, codes = design(8)
    there = t * 1.0001 + 24.8 + np.random.default_rng(1).normal(0, 4e-4, len(t))

    clock = align(recording({"eeg": (t, codes), "biopac": (there, codes)})).clocks["biopac"]

    x, y = there - there.mean(), t - there
    off_ms = 1e3 * np.abs(y - np.polyval(np.polyfit(x, y, 1), x))
    left_out = []
    for k in range(len(t)):
        others = np.arange(len(t)) != k
        left_out.append(1e3 * abs(y[k] - np.polyval(np.polyfit(x[others], y[others], 1), x[k])))
    assert clock.n_used == 16
    assert clock.residual_ms == pytest.approx(off_ms.max(), rel=1e-6)
    assert clock.residual_p50_ms == pytest.approx(np.quantile(off_ms, 0.5), rel=1e-6)
    assert clock.residual_p95_ms == pytest.approx(np.quantile(off_ms, 0.95), rel=1e-6)
    assert clock.max_error_ms == pytest.approx(max(left_out), rel=1e-5)


def test_a_camera_is_known_to_half_a_frame_at_best():
    """
    Markers that happen to fit exactly still bound the camera's clock only to half of a 20-ms frame.
    """
    frames = np.arange(0.0, 1000.0, 0.02)
    at = np.array([500, 5000, 12000, 20000, 40000])
    codes = np.array([101, 102, 103, 104, 105])
    source = recording({"eeg": (frames[at] - 0.01, codes), "camera": (frames[at], codes)}, video_t=frames)

    timeline = align(source)

    assert timeline.clocks["camera"].residual_ms < 1e-6
    assert event_bound_s(timeline, "camera") == pytest.approx(0.010)
    assert event_uncertainty_s(timeline, "camera") == pytest.approx(0.010 / 3**0.5)
    assert event_bound_s(timeline, "eeg") == 0.0
    assert [row.between_ms["camera"] for row in marker_report(source, timeline)] == pytest.approx([10.0] * 5)


def test_three_markers_have_a_far_wider_bound_than_residual():
    """
    At 0, 10, 20 s the middle one is 1.2 ms off: 0.8 ms from the line, but the first is 2.4 ms from that of the other two.
    """
    t, codes = np.array([0.0, 10.0, 20.0]), np.array([101, 102, 103])

    clock = align(recording({"eeg": (t, codes), "biopac": (t + np.array([0, 0.0012, 0]), codes)})).clocks["biopac"]

    assert clock.residual_ms == pytest.approx(0.8, abs=1e-3)
    assert clock.max_error_ms == pytest.approx(2.4, abs=1e-3)


def test_markers_without_a_partner_are_counted():
    """
    The EEG has two that BIOPAC lacks, BIOPAC has three of its own: five.
    """
    t, codes = design(6)
    there, there_codes = np.append(t[2:], [2000.0, 2100.0, 2200.0]), np.append(codes[2:], [7, 8, 9])

    assert align(recording({"eeg": (t, codes), "biopac": (there, there_codes)})).clocks["biopac"].n_unmatched == 5


def test_a_map_written_by_position_has_no_bound_but_its_residual():
    """
    Older maps state only their worst misfit.
    """
    t, codes = design(3)
    timeline = align(recording({"eeg": (t, codes)}))
    clocks = {"camera": ClockMap("camera", 1.0, 0.0, 3.0, 90, 2)}

    assert event_bound_s(type(timeline)("S01", "01", {}, timeline.markers, clocks, {}), "camera") == 0.003


# clocks that are not one line


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("equal", [False, True], ids=["own codes", "equal codes"])
def test_a_device_that_restarts_is_refused_with_the_place_and_the_jump(share, equal):
    """
    30 s are missing in the middle of a sitting: the jump and the markers before or after it are named, even on demand.
    """
    t, codes = design(20)
    codes = np.ones_like(codes) if equal else codes
    at = int(share * len(t))
    there = t - np.where(np.arange(len(t)) >= at, 30.0, 0.0)

    for force in (False, True):
        message = refusal({"eeg": (t, codes), "biopac": (there, codes)}, force=force)
        assert "biopac: expected one clock from start to end, got " in message
        # the smaller part is the one that does not fit
        first, last, jump = (at, len(t) - 1, -30) if share >= 0.5 else (0, at - 1, 30)
        if share != 0.5:
            assert f"from marker {codes[first]} (device time {there[first]:.3f} s)" in message
            assert f"to marker {codes[last]} (device time {there[last]:.3f} s)" in message
            assert f"only with a jump of {jump}.0" in message
        assert message.endswith("did a device pause or restart, or is it another sitting?")


def test_a_late_jump_of_300_ms_is_refused_with_its_place():
    """
    A fifth of the markers, all 300 ms off and in a row, are no single wrong markers.
    """
    t, codes = design(20)
    there = t + np.where(np.arange(40) >= 32, 0.3, 0.0)

    message = refusal({"eeg": (t, codes), "biopac": (there, codes)})

    assert "expected wrong markers to be single, got 8 in a row that are all 300 ms off, from marker 117 (device time" in (
        message
    )
    assert message.endswith("did its clock jump there?")


def test_a_jump_of_30_ms_in_the_middle_is_named_in_the_refusal():
    """
    The line goes through both halves, so that the worst marker is no culprit; two lines show the step of 30 ms.
    """
    t, codes = design(20)
    there = t + np.where(np.arange(40) >= 20, 0.030, 0.0)

    message = refusal({"eeg": (t, codes), "biopac": (there, codes)})

    assert "did its clock jump by 30 ms at" in message
    assert there[19] < float(message.split(" ms at ")[1].split(" s?")[0]) < there[20]


# what may be forced


@pytest.mark.parametrize(
    ("there", "codes_there", "reason"),
    [
        pytest.param(lambda t: t + 0.02 * (-1.0) ** np.arange(12), slice(None), "worst of 12 markers is", id="residual"),
        pytest.param(lambda t: t * 1.0008, slice(None), "expected a drift within 500 ppm of eeg, got -799 ppm", id="drift"),
        pytest.param(lambda t: t[:5], slice(5), "expected at least half of the 12 markers of eeg, got 5", id="half"),
        pytest.param(
            lambda t: t + np.array([0, 0, 0.2, 0, -0.3, 0, 0.5, 0, 0, -0.6, 0, 0]),
            slice(None),
            "share on one line, got 4 off it",
            id="misfits",
        ),
    ],
)
def test_what_is_refused_can_be_accepted_on_demand_and_says_so(there, codes_there, reason):
    """
    Residual, drift, too few and too many wrong: refused; forced, the map says why, and no matched marker is beyond its bound.
    """
    t, codes = design(6)
    markers = {"eeg": (t, codes), "biopac": (there(t), codes[codes_there])}

    assert reason in refusal(markers)
    clock = align(recording(markers), force=True).clocks["biopac"]

    assert reason in clock.forced
    off_s = clock.to_session(there(t)) - t[codes_there]
    assert np.abs(off_s).max() <= clock.max_error_ms / 1e3 + 1e-9


def test_a_map_within_limits_is_not_marked_as_forced():
    """
    Asking for force changes nothing where nothing is refused.
    """
    t, codes = design(6)
    markers = {"eeg": (t, codes), "biopac": (t + 5, codes)}

    assert align(recording(markers), force=True).clocks == align(recording(markers)).clocks
    assert align(recording(markers), force=True).clocks["biopac"].forced == ""


def test_two_markers_and_ambiguous_codes_are_refused_even_on_demand():
    """
    Without a line there is nothing to accept.
    """
    t, codes = design(6)
    beats, ones = np.arange(0.0, 300.0, 5.0), np.ones(60, dtype=int)

    assert "expected at least 3 markers" in refusal({"eeg": (t, codes), "biopac": (t[:2], codes[:2])}, force=True)
    assert "in one way, got" in refusal({"eeg": (beats, ones), "biopac": (beats[1:], ones[1:])}, force=True)


# what may be assumed


def test_a_clock_can_be_assumed_to_follow_another_with_a_shift():
    """
    A watch started 2.5 s after BIOPAC: watch time 10 s is BIOPAC time 12.5 s; nothing is claimed of its errors.
    """
    t, codes = design(6)
    source = recording({"eeg": (t, codes), "biopac": (t * 1.0001 + 24.8, codes), "watch": ([], [])})

    timeline = align(source, assumed={"watch": ("biopac", 2.5)})

    watch = timeline.clocks["watch"]
    assert watch.assumed
    assert not timeline.clocks["biopac"].assumed
    np.testing.assert_allclose(watch.to_session(np.array([10.0])), timeline.clocks["biopac"].to_session(np.array([12.5])))
    assert np.isnan(
        [watch.residual_ms, watch.max_error_ms, watch.residual_p50_ms, event_uncertainty_s(timeline, "watch")]
    ).all()
    assert timeline.streams["ppg"].t[0] == pytest.approx((-1000 + 2.5 - 24.8) / 1.0001)
    assert {d for row in marker_report(source, timeline) for d in row.seen_by} == {"eeg", "biopac"}


def test_markers_of_an_assumed_clock_are_compared_and_do_not_vote():
    """
    A watch that saw two markers 40 ms late: told in the report, not in the times.
    """
    t, codes = design(6)
    source = recording({"eeg": (t, codes), "biopac": (t, codes), "watch": (t[:2] + 0.04, codes[:2])})

    timeline = align(source, assumed={"watch": ("eeg", 0.0)})

    np.testing.assert_allclose(timeline.markers.t, t, atol=1e-9)
    assert marker_report(source, timeline)[0].deviation_ms["watch"] == pytest.approx(40.0)


@pytest.mark.parametrize(
    ("assumed", "message"),
    [
        ({"wach": ("eeg", 0.0)}, "recording S01/01, assumed clock: no device 'wach'; did you mean 'watch'"),
        ({"watch": ("egg", 0.0)}, "no device 'egg'; did you mean 'eeg'"),
        ({"eeg": ("biopac", 0.0)}, "expected a device that follows the reference, got eeg itself; choose another"),
        ({"watch": ("biopac", 0.0), "biopac": ("eeg", 0.0)}, "expected watch to follow a device with markers, got biopac"),
        ({"watch": ("watch", 1.0)}, "expected watch to follow a device with markers, got watch"),
        ({"watch": ("eeg", float("nan"))}, "expected a shift of watch in seconds, got nan"),
    ],
)
def test_assumptions_that_make_no_sense_are_refused(assumed, message):
    """
    Unknown devices, the reference, circles and undefined shifts each have their sentence.
    """
    t, codes = design(3)
    source = recording({"eeg": (t, codes), "biopac": (t, codes), "watch": ([], [])})

    with pytest.raises(ConfigError, match=message):
        align(source, assumed=assumed)


# codes that are hard to match


def test_pulses_that_return_to_zero_are_aligned():
    """
    Every code is followed by 0 after 10 ms; zeros are many and close, a fifth of the pulses is lost on one device.
    """
    t, codes = design(20)
    pulses = np.column_stack([t, t + 0.01]).ravel(), np.column_stack([codes, np.zeros(40, int)]).ravel()
    kept = np.repeat(np.random.default_rng(2).random(40) > 0.2, 2)

    clock = align(recording({"eeg": pulses, "biopac": (pulses[0][kept] * 0.9999 + 7, pulses[1][kept])})).clocks["biopac"]

    assert clock.n_used == kept.sum()
    assert clock.residual_ms < 1e-6


def test_a_code_that_repeats_twice_a_second_is_matched_by_the_fitted_line():
    """
    1200 beats of code 7, 0.4 to 0.6 s apart, beside ten trial codes: each finds its own partner, 2 % lost on both sides.
    """
    rng = np.random.default_rng(3)
    beats = np.cumsum(rng.uniform(0.4, 0.6, 1200))
    trials = np.sort(rng.uniform(5, beats[-1], 10))
    t = np.concatenate([beats, trials])
    codes = np.concatenate([np.full(1200, 7), np.arange(101, 111)])
    order = np.argsort(t)
    t, codes = t[order], codes[order]
    here, there = rng.random(len(t)) > 0.02, rng.random(len(t)) > 0.02

    clock = align(recording({"eeg": (t[here], codes[here]), "biopac": (t[there] * (1 + 150e-6) - 3, codes[there])})).clocks[
        "biopac"
    ]

    assert clock.drift_ppm == pytest.approx(-150, abs=0.1)
    assert clock.n_used == np.sum(here & there)


def test_500_equal_codes_at_uneven_intervals_are_aligned_within_a_second():
    """
    75 min of one code at random intervals, 150 ppm, 10 markers lost on each side: matched by their intervals alone.
    """
    rng = np.random.default_rng(4)
    t = np.cumsum(rng.uniform(4, 14, 500))
    here, there = np.delete(t, rng.permutation(500)[:10]), np.delete(t, rng.permutation(500)[:10])
    started = time.process_time()

    clock = align(
        recording({"eeg": (here, np.ones(490, int)), "biopac": (there * (1 - 150e-6) + 24.8, np.ones(490, int))})
    ).clocks["biopac"]

    assert time.process_time() - started < 1.0
    assert clock.drift_ppm == pytest.approx(150, abs=0.1)
    assert clock.residual_ms < 1e-3
    assert clock.n_used >= 480


# who is outvoted


def test_a_wrong_code_of_one_device_is_outvoted_and_the_right_one_repaired():
    """
    The EEG reads 103 as 107: 103 is in the timeline, repaired for the EEG, and 107 is told but left out.
    """
    t, codes = design(6)
    wrong = codes.copy()
    wrong[4] = 7
    source = recording({"eeg": (t, wrong), "biopac": (t + 5, codes), "camera": (t - 2, codes)})

    timeline = align(source)
    rows = marker_report(source, timeline)

    assert timeline.markers.codes.tolist() == codes.tolist()
    assert [(r.code, r.seen_by, r.lost_by) for r in rows if r.outvoted] == [(7, ("eeg",), ())]
    assert [r.lost_by for r in rows if r.code == 103] == [("eeg",)]
    counts = marker_counts(rows, timeline.clocks)
    assert (counts["eeg"].seen, counts["eeg"].lost, counts["eeg"].extra, counts["eeg"].repaired) == (11, 1, 1, True)
    assert (counts["camera"].lost, counts["camera"].extra, counts["camera"].repaired) == (0, 0, False)


def test_a_foreign_code_of_one_of_three_does_not_cut_a_trial():
    """
    37 in the middle of trial 101 on BIOPAC alone, and a bounce to 100 on the camera, are left out of the timeline.
    """
    t, codes = design(6)
    middle = 0.5 * (t[0] + t[1])
    biopac = np.insert(t, 1, middle), np.insert(codes, 1, 37)
    camera = np.insert(t, 1, [t[0] + 0.1, t[0] + 0.14]), np.insert(codes, 1, [100, 101])
    source = recording({"eeg": (t, codes), "biopac": biopac, "camera": camera})

    timeline = align(source)
    rows = marker_report(source, timeline)

    assert timeline.markers.codes.tolist() == codes.tolist()
    assert sorted((r.code, r.seen_by) for r in rows if r.outvoted) == [(37, ("biopac",)), (100, ("camera",))]
    assert marker_counts(rows, timeline.clocks)["camera"].doubled == 1


def test_a_code_that_two_of_three_lost_is_kept_where_the_line_needs_it():
    """
    100 cannot follow 100, so 103, which only the camera has, was lost by the others.
    """
    t, codes = design(6)
    lost = np.delete(t, 4), np.delete(codes, 4)
    source = recording({"eeg": lost, "biopac": lost, "camera": (t, codes)})

    timeline = align(source)

    np.testing.assert_allclose(timeline.markers.t, t, atol=1e-9)
    assert [r.lost_by for r in marker_report(source, timeline) if r.code == 103] == [("eeg", "biopac")]


def test_with_two_devices_nobody_is_outvoted():
    """
    One word against another: both codes stay in the timeline.
    """
    t, codes = design(6)
    wrong = codes.copy()
    wrong[4] = 7

    timeline = align(recording({"eeg": (t, wrong), "biopac": (t, codes)}))

    assert {7, 103} <= set(timeline.markers.codes.tolist())
