"""
Days of recording, moved so far back that nobody learns them, and by so much for each subject that intervals stay.

BIDS lets dates be shifted to keep participants anonymous, by the same number of days for all recordings of a subject, and
recommends shifted dates in 1925 or earlier, so that they are seen to be shifted (Common principles, "Units";
https://bids-specification.readthedocs.io/en/stable/common-principles.html). MNE's FIF format has no dates before
14 December 1901, so that they should not be moved further than needed either: recordings of 2023 to 2035 land in 1902 to
1924 and suit both.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac

from mmme.errors import DataError

__all__ = ["LAST_SHIFTED_YEAR", "shift_days", "shifted"]

LAST_SHIFTED_YEAR = 1924
"""Shifted dates are in this year or earlier."""
_LAST_TRUE_YEAR = 2035
_SPREAD_DAYS = 3650  # the true day hides among as many
_LEAST_DAYS = (dt.date(_LAST_TRUE_YEAR, 12, 31) - dt.date(LAST_SHIFTED_YEAR, 12, 31)).days


def shift_days(secret: bytes | str, subject: str) -> int:
    """
    Days by which the dates of one subject are moved back.

    Parameters
    ----------
    secret
        Random text of at least 16 characters, kept with the key and never in the study. Whoever has it can undo the shift.
    subject
        Code of the subject. The same code gives the same shift in every run.

    Returns
    -------
    int
        Days to subtract, 40542 to 44191 (111 to 121 years): everything recorded until 2035 lands in 1924 or earlier.
        The 3650 shifts are equally likely.

    Raises
    ------
    DataError
        If the secret is shorter than 16 characters.

    References
    ----------
    HMAC-SHA256: RFC 2104, doi:10.17487/RFC2104.

    Examples
    --------
    >>> days = shift_days("0123456789abcdef", "S01")
    >>> days == shift_days(b"0123456789abcdef", "S01"), days == shift_days("0123456789abcdef", "S02")
    (True, False)
    """
    key = secret.encode() if isinstance(secret, str) else secret
    if len(key) < 16:
        raise DataError(
            f"shift of dates: expected a secret of at least 16 characters, got {len(key)}; "
            "a short one can be guessed, and with it the day of recording"
        )
    digest = hmac.new(key, f"mmme dates {subject}".encode(), hashlib.sha256).digest()
    return _LEAST_DAYS + int.from_bytes(digest[:8], "big") % _SPREAD_DAYS


def shifted(moment: dt.datetime, secret: bytes | str, subject: str) -> dt.datetime:
    """
    Moment of recording, moved back by whole days; its time of day stays.

    Parameters
    ----------
    moment
        When it was recorded, in years 1945 to 2035.
    secret, subject
        As in `shift_days`.

    Returns
    -------
    datetime
        In 1924 or earlier. Intervals between the recordings of one subject are those of the true moments.

    Raises
    ------
    DataError
        If the year is not within 1945 to 2035, or the secret is too short.

    Examples
    --------
    >>> secret = "0123456789abcdef"
    >>> first, second = (shifted(dt.datetime(2024, 3, day, 14, 30), secret, "S01") for day in (1, 8))
    >>> (second - first).days, first.year <= 1924, (first.hour, first.minute)
    (7, True, (14, 30))
    """
    if not 1945 <= moment.year <= _LAST_TRUE_YEAR:
        raise DataError(f"shift of dates: expected a recording of 1945 to {_LAST_TRUE_YEAR}, got one of {moment.year}")
    return moment - dt.timedelta(days=shift_days(secret, subject))
