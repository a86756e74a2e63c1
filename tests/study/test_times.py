"""From raw files to session time: planted times are recovered."""

import numpy as np
import pytest

from mmme.align import align
from mmme.datasets.study import open_study
from mmme.simulate.session import true_frame_times


@pytest.fixture(scope="module")
def aligned(study, truth):
    """Timeline, truth and the map from session time to true time, by subject."""
    opened = open_study(study)
    found = {}
    for subject, session in zip(opened.subjects, truth["sessions"], strict=True):
        timeline = align(opened.recording(subject), limit_ms=20.0)
        eeg = session["clocks"]["eeg"]
        found[subject] = (timeline, session, lambda t, c=eeg: c["rate"] * np.asarray(t) + c["intercept_s"])
    return found


def test_every_device_clock_is_recovered_within_10_ms(aligned):
    """
    Over the whole session, device times arrive within 10 ms of where they were planted (at 60 frames per second).
    """
    for timeline, session, to_true in aligned.values():
        for device, clock in timeline.clocks.items():
            planted = session["clocks"][device]
            start = (0.0 - planted["intercept_s"]) / planted["rate"]
            device_s = np.array([start, start + 0.9 * session["stop_s"]])
            error_s = to_true(clock.to_session(device_s)) - (planted["rate"] * device_s + planted["intercept_s"])

            assert np.abs(error_s).max() < 0.010, device


def test_planted_moments_of_expressions_are_recovered_within_10_ms(aligned, described, truth):
    """
    Onset, apex and offset frames of every coded expression lie within 10 ms of when those frames were exposed.
    """
    checked = 0
    for subject, (timeline, session, to_true) in aligned.items():
        exposed = true_frame_times(session)
        t = timeline.streams["video"].t
        assert len(exposed) == len(t)
        for event in open_study(described.study.path).coded(subject):
            frames = [event.onset_frame, event.apex_frame, event.offset_frame]
            assert np.abs(to_true(t[frames]) - exposed[frames]).max() < 0.010
            checked += 3
    assert checked > 20


def test_trials_span_what_was_shown(aligned, described):
    """
    Each trial's span matches the planted stimulus within 10 ms.
    """
    for subject, (_, session, to_true) in aligned.items():
        shown = {f"{subject}-{trial['marker']}": trial for trial in session["trials"]}
        trials = [t for t in described.trials if t.subject == subject]
        assert {t.id for t in trials} == set(shown)
        for trial in trials:
            ends = to_true([trial.span.start, trial.span.stop])
            assert ends == pytest.approx([shown[trial.id]["start_s"], shown[trial.id]["stop_s"]], abs=0.010)


def test_both_coders_copies_of_an_event_are_kept_and_known(described, truth):
    """
    All placed rows become expressions with their coder; nothing is merged silently.
    """
    rows = sum(len(session["coded"]) for session in truth["sessions"])
    placed = sum(len(trial.expressions) for trial in described.trials)

    assert placed == rows
    assert {e.coder for t in described.trials for e in t.expressions} == {"A", "B"}
