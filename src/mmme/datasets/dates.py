"""
Days of recording, moved so far back that nobody learns them, and by so much for each subject that intervals stay.

BIDS lets dates be shifted to keep participants anonymous, asks that the shift be the same for all recordings of a subject
("acquisition times ... are randomly shifted by the same amount within a subject"), and recommends dates up to 1925 so that
a shifted date is seen to be one (Common principles, "Units"; https://bids-specification.readthedocs.io/en/stable/).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac

from mmme.errors import DataError

__all__ = ["LAST_SHIFTED_YEAR", "shift_days", "shifted"]

LAST_SHIFTED_YEAR = 1924
"""Shifted dates are in this year or earlier, as long as the true one is not after `_LAST_TRUE_YEAR`."""
_LAST_TRUE_YEAR = 2099
_SPREAD_DAYS = 1 << 14  # about 45 years: the true day hides among as many
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
        Days to subtract, 63918 to 80301 (175 to 220 years): everything recorded until 2099 lands in 1924 or earlier.
        The 16384 shifts are equally likely.

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
        When it was recorded, in years 1945 to 2099.
    secret, subject
        As in `shift_days`.

    Returns
    -------
    datetime
        In 1924 or earlier. Intervals between the recordings of one subject are those of the true moments.

    Raises
    ------
    DataError
        If the year is not within 1945 to 2099, or the secret is too short.

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
