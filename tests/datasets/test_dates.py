"""Shifted days tell nothing but intervals."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmme.datasets.dates import shift_days, shifted
from mmme.errors import DataError

SECRET = "a" * 32
moments = st.datetimes(dt.datetime.fromisoformat("1945-01-01"), dt.datetime.fromisoformat("2035-12-31"))


@given(moments, moments, st.text(max_size=8))
def test_intervals_stay(first, second, subject):
    """The interval between two recordings of one subject is that of the true moments, and both lie in 1924 or before."""
    moved = [shifted(m, SECRET, subject) for m in (first, second)]
    assert moved[1] - moved[0] == second - first
    assert max(moved).year <= 1924


def test_dates_that_fif_can_hold():
    """Recordings of 2023 to 2035 land where both BIDS (until 1925) and FIF (from 14 December 1901) want them."""
    for day in ("2023-01-01T12:00", "2035-12-31T23:59"):
        moved = [shifted(dt.datetime.fromisoformat(day), SECRET, f"S{k}") for k in range(2000)]
        assert min(moved) > dt.datetime.fromisoformat("1901-12-14")
        assert max(moved).year <= 1924


def test_known_shift():
    """The shift is 40542 days and the first 8 bytes of HMAC-SHA256 modulo 3650, so it can be repeated elsewhere."""
    # printf 'mmme dates S01' | openssl dgst -sha256 -hmac aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    import hashlib

    pad = SECRET.encode().ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in pad) + b"mmme dates S01").digest()
    outer = hashlib.sha256(bytes(b ^ 0x5C for b in pad) + inner).digest()
    assert shift_days(SECRET, "S01") == 40542 + int.from_bytes(outer[:8], "big") % 3650
    assert (dt.date(2035, 12, 31) - dt.timedelta(days=40542)) == dt.date(1924, 12, 31)


def test_shift_is_of_the_subject_and_the_secret():
    """Text and bytes are the same secret; another subject or secret gives another shift, spread over years."""
    assert shift_days(SECRET, "S01") == shift_days(SECRET.encode(), "S01")
    assert shift_days(SECRET, "S01") != shift_days("b" * 32, "S01")
    shifts = {shift_days(SECRET, f"S{k:02d}") for k in range(200)}
    assert len(shifts) > 185
    assert min(shifts) >= 40542
    assert max(shifts) <= 44191
    assert max(shifts) - min(shifts) > 3000


def test_faults():
    """A short secret and an impossible year are refused."""
    with pytest.raises(DataError, match="a secret of at least 16 characters, got 3"):
        shift_days("abc", "S01")
    with pytest.raises(DataError, match="expected a recording of 1945 to 2035, got one of 2036"):
        shifted(dt.datetime.fromisoformat("2036-01-01"), SECRET, "S01")
