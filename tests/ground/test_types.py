import math

import numpy as np
import pytest

from mmme import (
    ClockMap,
    CodedEvent,
    DataError,
    Expression,
    FeatureTable,
    Interval,
    Markers,
    Recording,
    Result,
    Score,
    Stream,
    Timeline,
)


def table(n: int = 3, **changes: object) -> FeatureTable:
    parts: dict[str, object] = {
        "X": np.arange(n * 2, dtype=float).reshape(n, 2),
        "columns": ["hr", "scr"],
        "trial_ids": [f"t{i}" for i in range(n)],
        "subjects": [f"S{i % 2}" for i in range(n)],
        "stimuli": ["v"] * n,
        "labels": ["a"] * n,
    }
    parts.update(changes)
    return FeatureTable.build(**parts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("t", "x", "message"),
    [
        pytest.param(
            [0.0, 1.0], np.zeros(3), r"stream 'ecg': expected one time per sample, got t \(2,\) and x \(3,\)", id="lengths"
        ),
        pytest.param(
            [0.0, 1.0, 1.0], np.zeros(3), "expected increasing times, got 1.0000 s then 1.0000 s at sample 1", id="order"
        ),
        pytest.param([0.0], np.zeros(1), "expected at least 2 samples, got 1", id="empty"),
    ],
)
def test_a_stream_without_proper_times_is_refused(t: list[float], x: np.ndarray, message: str) -> None:
    """
    Every sample has one time, and times increase.
    """
    with pytest.raises(DataError, match=message):
        Stream("ecg", "biopac", np.array(t), x, "V", 1000.0)


def test_a_stream_collects_its_faults() -> None:
    """
    Two faults are reported at once.
    """
    with pytest.raises(
        DataError, match="2 faults\n  - expected 2 channel names, got 1\n  - expected a sampling rate above 0"
    ):
        Stream("eeg", "eeg", np.arange(2.0), np.zeros((2, 2)), "V", 0.0, ("Fz",))


def test_between_is_half_open() -> None:
    """
    The sample at the stop does not belong to the window.
    """
    stream = Stream("ecg", "biopac", np.arange(5.0), np.arange(5.0), "V")

    assert stream.x[stream.between(Interval(1.0, 3.0))].tolist() == [1.0, 2.0]  # type: ignore[attr-defined]
    assert stream.span == Interval(0.0, 4.0)


def test_markers_come_in_order() -> None:
    """
    Markers are sorted by whoever makes them, not silently here.
    """
    with pytest.raises(DataError, match="markers of 'eeg': expected markers in order of time"):
        Markers("eeg", np.array([2.0, 1.0]), np.array([101, 100]))
    with pytest.raises(DataError, match="expected one code per time"):
        Markers("eeg", np.array([2.0, 3.0]), np.array([101]))


def test_a_recording_has_streams_under_their_own_names() -> None:
    """
    An empty recording, or a stream filed under another name, is refused.
    """
    stream = Stream("ecg", "biopac", np.arange(5.0), np.arange(5.0), "V")
    with pytest.raises(DataError, match="recording S01/01: expected at least one stream, got none"):
        Recording("S01", "01", {}, {})
    with pytest.raises(DataError, match="stream 'ecg' is filed as 'eda'"):
        Recording("S01", "01", {"eda": stream}, {})


def test_a_missing_stream_is_named_with_what_there_is() -> None:
    """
    Asking a timeline for what it lacks lists what it has.
    """
    stream = Stream("ecg", "biopac", np.arange(5.0), np.arange(5.0), "V")
    markers = Markers("session", np.array([]), np.array([], dtype=np.int64))
    timeline = Timeline("S01", "01", {"ecg": stream}, markers, {}, {"ecg": stream.span})

    assert timeline.stream("ecg") is stream
    with pytest.raises(DataError, match="timeline S01/01: expected a stream 'eda', got ecg"):
        timeline.stream("eda")


def test_drift_is_told_in_parts_per_million() -> None:
    """
    A rate of 1.0001 is a drift of 100 ppm.
    """
    clock = ClockMap("camera", 1.0001, 5.0, 1.0, 10, 0)

    assert clock.drift_ppm == pytest.approx(100.0)
    assert clock.to_session(np.array([10.0])).tolist() == pytest.approx([15.001])


@pytest.mark.parametrize(
    ("times", "kind", "message"),
    [
        pytest.param((2.0, 1.0, 3.0), "micro", "sheet:4: need onset <= apex <= offset, got 2.0, 1.0, 3.0 s", id="order"),
        pytest.param((1.0, math.nan, 3.0), "micro", "need onset <= apex <= offset", id="nan"),
        pytest.param((1.0, 2.0, 3.0), "tiny", "expected kind 'micro' or 'macro', got 'tiny'", id="kind"),
    ],
)
def test_an_impossible_expression_is_refused(times: tuple[float, float, float], kind: str, message: str) -> None:
    """
    Onset, apex and offset are in order, and the kind is one of two.
    """
    with pytest.raises(DataError, match=message):
        Expression("S01", "A", kind, *times, source="sheet:4")  # type: ignore[arg-type]


def test_an_expression_may_end_at_its_apex() -> None:
    """
    Apex equal to offset is legal: the end was not visible.
    """
    expression = Expression("S01", "A", "macro", 1.0, 2.0, 2.0)

    assert expression.duration_s == 1.0
    assert expression.interval == Interval(1.0, 2.0)


def test_coded_frames_are_in_order() -> None:
    """
    A coded event cannot have its apex before its onset.
    """
    with pytest.raises(DataError, match="x:1: need onset <= apex <= offset in frames, got 5, 4, 9"):
        CodedEvent("S01", "A", None, 101, "sad-1", "sad", 5, 4, 9, ("AU4",), "sad", "x:1")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"subjects": ["S1", "", "S1"]}, "expected a subject in every row", id="blank-subject"),
        pytest.param({"labels": ["a"]}, "expected 3 labels, one per row, got 1", id="short-labels"),
        pytest.param({"trial_ids": ["t", "t", "u"]}, "row names repeat: 1 more than once", id="repeated-row"),
        pytest.param({"columns": ["hr"]}, "expected 2 column names, got 1", id="missing-column"),
        pytest.param({"columns": ["hr", "hr"]}, "column names repeat", id="repeated-column"),
        pytest.param(
            {"X": np.full((3, 2), np.nan)}, "6 values are NaN or infinite without a reason", id="nan-without-reason"
        ),
        pytest.param({"reason": np.ones((3, 2), np.uint8)}, "reason 1 has no text, there are 1", id="reason-without-text"),
        pytest.param(
            {"reason": np.zeros(3, np.uint8)}, r"expected a reason of shape \(3, 2\), got \(3,\)", id="reason-shape"
        ),
    ],
)
def test_a_table_without_names_or_reasons_is_refused(changes: dict[str, object], message: str) -> None:
    """
    Every row has its names and every missing value its reason.
    """
    with pytest.raises(DataError, match=message):
        table(**changes)


def test_rows_keep_everything_that_belongs_to_them() -> None:
    """
    Selecting rows selects names, labels, reasons and strata alike.
    """
    whole = table(strata={"dataset": ["a", "b", "c"]})

    part = whole.rows(np.array([False, True, True]))

    assert part.trial_ids == ("t1", "t2")
    assert part.strata["dataset"].tolist() == ["b", "c"]
    assert part.X.tolist() == [[2.0, 3.0], [4.0, 5.0]]


def test_joining_keeps_the_reasons_of_both_sides() -> None:
    """
    A value missing on one side is missing in the joined table for the same reason.
    """
    left = table(X=[[1, np.nan]] * 3, reason=np.array([[0, 1]] * 3, np.uint8), reasons=["", "too short"])
    right = table(columns=["a", "b"], X=[[np.nan, 2]] * 3, reason=np.array([[1, 0]] * 3, np.uint8), reasons=["", "flat"])

    joined = left.joined(right)

    assert joined.columns == ("hr", "scr", "a", "b")
    assert [joined.reasons[i] for i in joined.reason[0]] == ["", "too short", "flat", ""]
    assert joined.valid[0].tolist() == [True, False, False, True]


def test_joining_other_rows_is_refused() -> None:
    """
    Tables of different samples do not join.
    """
    with pytest.raises(DataError, match="expected the same 3 rows in both tables to join, got 2 others"):
        table(3).joined(table(2))


def test_tensor_tables_have_one_reason_per_row() -> None:
    """
    A tensor row is valid or not as a whole.
    """
    tensor = table(X=np.zeros((3, 4, 4, 1)), columns=[], reason=np.array([0, 1, 0], np.uint8), reasons=["", "no face"])

    assert tensor.valid.tolist() == [True, False, True]


def test_a_missing_score_is_named_with_what_there_is() -> None:
    """
    Asking a result for a score it lacks lists what it has.
    """
    score = Score("UF1", 0.7, 0.6, 0.8)
    result = Result("recognition", "face", {}, {}, {}, {}, 0, {}, {}, (score,), {}, {})

    assert result.score("UF1") is score
    with pytest.raises(DataError, match=r"result 'face': expected a score UAR \(all\), got UF1 \(all\)"):
        result.score("UAR")
