"""Action units: every written form, and nothing guessed."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmme.errors import DataError
from mmme.io.action_units import parse_action_units, read_action_units
from mmme.types import ActionUnit

UNITS = st.builds(
    ActionUnit,
    number=st.integers(1, 99),
    side=st.sampled_from(["", "L", "R"]),
    intensity=st.sampled_from(["", "A", "B", "C", "D", "E"]),
    doubtful=st.booleans(),
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (4, "AU4"),
        (4.0, "AU4"),
        ("4.0", "AU4"),
        ("4+7", "AU4 AU7"),
        ("AU4, AU7", "AU4 AU7"),
        ("AU4; au7", "AU4 AU7"),
        ("AU4 AU7", "AU4 AU7"),
        ("4 7", "AU4 AU7"),
        ("AU1+2", "AU1 AU2"),
        ("AU 4", "AU4"),
        ("AU06", "AU6"),
        ("L2", "AU2L"),
        ("R12", "AU12R"),
        ("AU12L", "AU12L"),
        ("L-AU12", "AU12L"),
        ("AU12 (left)", "AU12L"),
        ("left 12", "AU12L"),
        ("17?", "AU17?"),
        ("17 (?)", "AU17?"),
        ("15A", "AU15A"),
        ("L12C", "AU12CL"),
        ("AU12CL?", "AU12CL?"),
        ("4+L10", "AU4 AU10L"),
        ("4 L10", "AU4 AU10L"),
        ("R4,5", "AU4R AU5"),
        ("4，11", "AU4 AU11"),
        ("(R6 or R12)+R15", "AU6R? AU12R? AU15R"),
        ("(1+2) or 4", "AU1? AU2? AU4?"),
        ("R14A or 17A or 24A", "AU14AR? AU17A? AU24A?"),
        ("12/14", "AU12? AU14?"),
        ("1+12 or 14", "AU1 AU12? AU14?"),
        ("AD38+M58", "AU38 AU58"),
        ("12+15 ", "AU12 AU15"),
        ("", ""),
        ("/", ""),
        ("n/a", ""),
        (None, ""),
        (float("nan"), ""),
    ],
)
def test_each_written_form_is_read(written: object, meant: str):
    """Numbers as Excel stores them, signs, sides, strengths, doubt, brackets, full-width commas."""
    assert " ".join(str(unit) for unit in parse_action_units(written)) == meant
    assert read_action_units(written).notes == ()


@pytest.mark.parametrize(
    ("written", "meant", "note"),
    [
        ("A1B+A2C", "AU1B AU2C", "A1B: asymmetric"),
        ("T23", "AU23", "T23: top"),
        ("B18+25", "AU18 AU25", "B18: bottom"),
        ("ref(7B)+43", "AU7B AU43", "ref(7B): of the reference face"),
        ("10A/B", "AU10", "10A/B: intensity A or B"),
        ("4(B/C)+7B", "AU4 AU7B", "4(B/C): intensity B or C"),
        ("A/L12", "AU12", "A/L12: side A or L"),
        ("AU4+AU12(k)", "AU4 AU12", "AU12(k): marked (k)"),
        ("4+", "AU4", "'4+': a sign without an action unit"),
        ("?", "", "action units written as '?'"),
        ("0", "", "action units written as '0'"),
    ],
)
def test_what_an_action_unit_has_no_place_for_is_a_note(written: str, meant: str, note: str):
    """FACS marks beyond side, strength and doubt are kept in words."""
    coded = read_action_units(written)
    assert " ".join(str(unit) for unit in coded.units) == meant
    assert note in coded.notes
    assert coded.unread == ()


@pytest.mark.parametrize(
    "written", ["smile", "12.15", "1-2", "100", "4L10", "12AB", "LR12", 1215, 0.5, "4+blink", "AU", "12LR"]
)
def test_what_is_no_action_unit_is_named_not_guessed(written: object):
    """A typing slip, a number that Excel made, a word: unread, and an error where nothing else is allowed."""
    coded = read_action_units(written)
    assert coded.unread
    with pytest.raises(DataError, match=r"^expected action units such as '4\+7', 'L12' or 'AU4, AU7', got '.+'$"):
        parse_action_units(written)


def test_free_text_leaves_the_action_units_beside_it():
    """SAMM writes 'soft focus' among action units."""
    coded = read_action_units("R14+17+soft focus")
    assert ([str(u) for u in coded.units], coded.unread) == (["AU14R", "AU17"], ("soft focus",))


def test_a_date_that_a_spreadsheet_made_is_told():
    """Excel turns 1/2 into a day."""
    assert read_action_units(dt.datetime(2024, 1, 2)).unread == ("the date 2024-01-02",)  # noqa: DTZ001


@given(st.lists(UNITS, min_size=1, max_size=6), st.sampled_from(["+", ", ", " + ", ";"]))
def test_what_is_stored_reads_as_what_it_was(units: list[ActionUnit], sign: str):
    """The stored form is one of the forms read."""
    assert parse_action_units(sign.join(str(unit) for unit in units)) == tuple(units)
