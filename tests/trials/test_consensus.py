"""A consensus of coders: what each saw stays, and what they saw together is told."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mmme.interval import Interval
from mmme.trials.consensus import SeenUnit, consensus, same_events
from mmme.types import Expression, Trial


def row(coder, onset, apex, offset, kind="micro", aus=("AU4",), emotion="fear", source=""):
    return Expression("S01", coder, kind, onset, apex, offset, tuple(aus), emotion, source or f"c.xlsx:{coder}{onset}")


def agreed(*rows, **more):
    return consensus(Trial("S01-103", "S01", "fear-2", Interval(0, 60), "fear", rows), **more)


def test_two_agree_by_hand():
    """Times are means of two, units are united with who saw them, and both rows are named."""
    (event,) = agreed(row("B", 1.0, 1.3, 1.5, aus=("AU4", "AU7")), row("A", 1.1, 1.2, 1.6, aus=("AU4",)))
    assert (event.onset, event.apex, event.offset) == pytest.approx((1.05, 1.25, 1.55))
    assert event.aus == (SeenUnit("AU4", ("A", "B")), SeenUnit("AU7", ("B",)))
    assert (event.coders, event.sources) == (("A", "B"), ("c.xlsx:A1.1", "c.xlsx:B1.0"))
    assert (event.status, event.disputes, event.kind, event.kind_by) == ("agreed", (), "micro", "majority")
    assert (event.emotion, event.trial, event.subject) == ("fear", "S01-103", "S01")


def test_three_medians_and_majority():
    """Of three the median counts, and two of three decide; the overruled one is still told."""
    (event,) = agreed(
        row("A", 1.0, 1.2, 1.5),
        row("B", 1.0, 1.25, 1.6, kind="macro", emotion="anger"),
        row("C", 1.1, 1.3, 1.9, emotion=""),
    )
    assert (event.onset, event.apex, event.offset) == pytest.approx((1.0, 1.25, 1.6))
    assert (event.kind, event.kind_by, event.status, event.disputes) == (
        "micro",
        "majority",
        "disputed",
        ("kind", "emotion"),
    )
    assert event.emotion == ""


def test_divided_coders_leave_the_kind_to_the_rule():
    """One against one is no majority: the rule on durations decides, and the dispute is told."""
    (event,) = agreed(row("A", 1.0, 1.2, 1.4), row("B", 1.0, 1.2, 1.7, kind="macro"))
    assert (event.kind, event.kind_by, event.status, event.disputes) == ("macro", "rule", "disputed", ("kind",))
    (event,) = agreed(row("A", 1.0, 1.2, 1.4), row("B", 1.0, 1.2, 1.7, kind="macro"), rule=lambda *_: "micro")
    assert event.kind == "micro"


def test_an_end_that_was_seen_counts_more():
    """Apex equal to offset means that the end was not visible; another coder's end is then the end."""
    (event,) = agreed(row("A", 1.0, 1.4, 1.4), row("B", 1.0, 1.3, 1.6))
    assert (event.apex, event.offset) == pytest.approx((1.35, 1.6))
    (event,) = agreed(row("A", 1.0, 1.5, 1.5), row("B", 1.0, 1.4, 1.4))
    assert event.apex == event.offset == pytest.approx(1.45)


def test_times_stay_in_order():
    """Where the end of one lies before the apex of the others, all times are of those who saw the end."""
    (event,) = agreed(row("A", 1.0, 1.1, 1.2), row("B", 1.0, 1.35, 1.35))
    assert (event.onset, event.apex, event.offset) == pytest.approx((1.0, 1.1, 1.2))


def test_one_coder_only():
    """What one coder saw stays, with that coder's kind and times."""
    first, second = agreed(row("A", 1.0, 1.2, 1.4, kind="macro"), row("B", 5.0, 5.2, 5.4))
    assert (first.status, first.kind, first.kind_by, first.coders) == ("one coder only", "macro", "one coder", ("A",))
    assert second.onset == 5.0


def test_action_units_without_any_in_common_are_disputed():
    """Coders who share no unit disagree; one who coded none does not; sides are kept where all wrote them."""
    (event,) = agreed(row("A", 1.0, 1.2, 1.4, aus=("AU4",)), row("B", 1.0, 1.2, 1.4, aus=("AU12",)))
    assert (event.status, event.disputes) == ("disputed", ("aus",))
    (event,) = agreed(row("A", 1.0, 1.2, 1.4, aus=()), row("B", 1.0, 1.2, 1.4, aus=("AU12",)))
    assert event.status == "agreed"
    (event,) = agreed(
        row("A", 1.0, 1.2, 1.4, aus=("AU12L", "AU4B")), row("B", 1.0, 1.2, 1.4, aus=("AU12L", "AU4?")), row("C", 8, 9, 10)
    )[:1]
    assert event.aus == (SeenUnit("AU4", ("A", "B")), SeenUnit("AU12L", ("A", "B")))


def test_chain_of_overlaps():
    """A overlaps B and B overlaps C, but A hardly C: one event of three. A second row of A is an event of its own."""
    a, b, c = row("A", 1.0, 1.3, 2.0), row("B", 1.3, 1.5, 2.3), row("C", 1.6, 1.7, 2.6)
    again = row("A", 1.9, 2.2, 2.9)
    assert [[r.coder for r in group] for group in same_events((a, b, c))] == [["A", "B", "C"]]
    groups = same_events((a, b, c, again))
    # C overlaps the second row of A by 0.7 of 1.3 s, and B by 0.7 of 1.3 s as well: either way no event has A twice.
    assert sorted(sorted(r.coder for r in group) for group in groups) in (
        [["A", "B"], ["A", "C"]],
        [["A"], ["A", "B", "C"]],
    )


def test_closest_pairs_first():
    """One row of B between two of A goes to the one it overlaps more."""
    near, far, b = row("A", 1.0, 1.3, 2.0), row("A", 1.9, 2.2, 2.9), row("B", 1.05, 1.3, 2.05)
    assert [[r.onset for r in group] for group in same_events((near, far, b))] == [[1.0, 1.05], [1.9]]


def test_moments():
    """Rows that name one moment only go with rows of the same moment, one to one."""
    events = agreed(row("A", 1.0, 1.0, 1.0), row("B", 1.0, 1.0, 1.0), row("B", 1.0, 1.0, 1.0), row("C", 1.0, 1.2, 1.4))
    assert sorted(event.coders for event in events) == [("A", "B"), ("B",), ("C",)]


rows = st.lists(
    st.builds(
        lambda coder, onset, rise, fall, kind: row(coder, onset, onset + rise, onset + rise + fall, kind),
        st.sampled_from("ABCD"),
        st.integers(0, 40).map(lambda k: k / 10),
        st.integers(0, 5).map(lambda k: k / 10),
        st.integers(0, 5).map(lambda k: k / 10),
        st.sampled_from(["micro", "macro"]),
    ),
    max_size=12,
)


@given(rows)
def test_every_row_is_in_one_event(made):
    """No row is lost or used twice, no event has two rows of a coder, times are in order, and order of rows is no matter."""
    groups = same_events(made)
    assert sorted(map(id, made)) == sorted(id(r) for group in groups for r in group)
    assert all(len({r.coder for r in group}) == len(group) for group in groups)
    events = agreed(*made)
    assert all(e.onset <= e.apex <= e.offset for e in events)
    assert sum(len(e.coders) for e in events) == len(made)


def test_refusal():
    """An overlap of nothing is refused."""
    with pytest.raises(ValueError, match="min_iou: expected a value above 0 and up to 1, got 0"):
        agreed(row("A", 1.0, 1.2, 1.4), row("B", 1.0, 1.2, 1.4), min_iou=0)
