"""BORIS: projects and the three layouts of exported events."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from mmme.errors import DataError
from mmme.io.boris import boris_events, is_boris_header, read_boris

ETHOGRAM = {
    "0": {"type": "State event", "code": "micro", "category": "face"},
    "1": {"type": "Point event", "code": "apex", "category": ""},
}


def project(events: list[list[object]], **changes: object) -> dict[str, object]:
    observation = {
        "file": {"1": ["D:\\lab\\clip01.mp4"], "2": []},
        "media_info": {"fps": {"D:\\lab\\clip01.mp4": 25.0}},
        "events": events,
    }
    return {"behaviors_conf": ETHOGRAM, "observations": {"one": observation}, **changes}


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_states_are_paired_by_subject_behavior_and_modifiers(tmp_path: Path):
    """Two states of two subjects may overlap; entries need not be in order."""
    events = [
        [2.0, "s2", "micro", "", ""],
        [1.5, "s1", "micro", "AU4|None", "left"],
        [1.7, "s1", "apex", "", ""],
        [2.4, "s2", "micro", "", ""],
        [1.9, "s1", "micro", "AU4|None", "sure"],
    ]
    first, apex, second = read_boris(write(tmp_path / "a.boris", project(events)))
    assert (first.subject, first.start_s, first.stop_s, first.is_state) == ("s1", 1.5, 1.9, True)
    assert (first.modifiers, first.category, first.comment, first.place) == (("AU4",), "face", "left sure", "one event 2")
    assert (first.media, first.fps) == (("clip01.mp4",), 25.0)
    assert (apex.is_state, apex.start_s, apex.stop_s) == (False, 1.7, None)
    assert (second.subject, second.start_s, second.stop_s) == ("s2", 2.0, 2.4)


def test_a_state_without_stop_stays_open_and_compressed_projects_are_read(tmp_path: Path):
    """Nothing is closed at the end of the video."""
    path = tmp_path / "a.boris.gz"
    path.write_bytes(gzip.compress(json.dumps(project([[1.5, "", "micro", "", ""]])).encode()))
    (event,) = read_boris(path)
    assert (event.stop_s, event.subject) == (None, "")


def test_a_live_observation_has_no_media(tmp_path: Path):
    """BORIS writes an empty list for its files then."""
    content = project([[1.0, "s1", "micro", "", ""], [2.0, "s1", "micro", "", ""]])
    content["observations"]["one"] |= {"file": [], "media_info": None}  # type: ignore[index]
    (event,) = read_boris(write(tmp_path / "a.boris", content))
    assert (event.media, event.fps, event.stop_s) == ((), None, 2.0)


NEW = [
    "Observation id",
    "FPS",
    "Subject",
    "Behavior",
    "Behavioral category",
    "Modifier #1",
    "Behavior type",
    "Time",
    "Media file name",
    "Comment",
]
OLD = ["Time", "Media file path", "Total length", "FPS", "Subject", "Behavior", "Behavioral category", "Comment", "Status"]
SUM = ["Observation id", "Subject", "Behavior", "Modifiers", "Behavior type", "Start (s)", "Stop (s)", "Media file"]


def test_one_line_per_start_and_stop(tmp_path: Path):
    """Versions 8 and 9 tell them by Behavior type."""
    cells = ["one", "25.0", "s1", "micro", "face", "AU4"]
    lines = [
        (1, NEW),
        (2, [*cells, "START", "1.500", "clip01.mp4", ""]),
        (3, [*cells, "STOP", "1.900", "clip01.mp4", "sure"]),
    ]
    (event,) = boris_events("a.csv", lines)
    assert (event.observation, event.start_s, event.stop_s, event.fps, event.modifiers) == ("one", 1.5, 1.9, 25.0, ("AU4",))
    assert (event.media, event.comment, event.place) == (("clip01.mp4",), "sure", "line 2")


def test_the_older_layout_has_text_above_its_header():
    """Up to version 7 the observation's name stands above, and Status tells start and stop."""
    lines = [
        (1, ["Observation id", "one"]),
        (3, OLD),
        (4, ["3.300", "a.mp4", "359", "25.0", "s1", "micro", "", "", "START"]),
        (5, ["00:00:04.100", "a.mp4", "359", "25.0", "s1", "micro", "", "", "STOP"]),
        (6, ["5.0", "a.mp4", "359", "25.0", "No focal subject", "apex", "", "", "POINT"]),
    ]
    state, point = boris_events("a.tsv", lines)
    assert (state.observation, state.start_s, state.stop_s) == ("one", 3.3, 4.1)
    assert (point.subject, point.is_state) == ("", False)


def test_aggregated_events_have_start_and_stop_in_one_line():
    """And points without a stop."""
    lines = [
        (1, SUM),
        (2, ["one", "s1", "micro", "AU4|AU7", "STATE", "1.8", "2.1", "a.mp4"]),
        (3, ["one", "s1", "apex", "", "POINT", "1.9", "1.9", "a.mp4"]),
    ]
    state, point = boris_events("a.tsv", lines)
    assert (state.start_s, state.stop_s, state.modifiers) == (1.8, 2.1, ("AU4", "AU7"))
    assert (point.start_s, point.stop_s) == (1.9, None)
    assert is_boris_header(SUM)
    assert is_boris_header(NEW)
    assert not is_boris_header(["onset", "duration", "trial_type"])


def test_a_stop_without_start_is_kept():
    """It stays a state without an end, to be told."""
    (event,) = boris_events("a.tsv", [(1, OLD), (2, ["4.1", "a.mp4", "359", "25", "s1", "micro", "", "", "STOP"])])
    assert (event.is_state, event.start_s, event.stop_s) == (True, 4.1, None)


def test_faults_are_told_at_once(tmp_path: Path):
    """Each with its line or entry."""
    with pytest.raises(DataError, match="^a.boris: expected a BORIS project, got no file$"):
        read_boris(tmp_path / "a.boris")
    with pytest.raises(DataError, match="expected a BORIS project with observations, got another file"):
        read_boris(write(tmp_path / "a.boris", {"observations": {}}))
    wrong = project([["x", "", "micro"], [1.0, "", "smile"]])
    with pytest.raises(
        DataError,
        match="2 faults\n  - one event 1: expected a time in s, got 'x'\n  - one event 2: expected a behavior of the ethogram, got 'smile'",
    ):
        read_boris(write(tmp_path / "a.boris", wrong))
    with pytest.raises(DataError, match="^a.tsv: expected columns of a BORIS export"):
        boris_events("a.tsv", [(1, ["a", "b"])])
    line = ["", "a.mp4", "", "", "s1", "micro", "", "", "START"]
    with pytest.raises(
        DataError,
        match="2 faults\n  - line 2: expected a time in s, got ''\n  - line 3: expected START, STOP or POINT, got 'begin'",
    ):
        boris_events("a.tsv", [(1, OLD), (2, line), (3, ["1", *line[1:8], "BEGIN"])])
