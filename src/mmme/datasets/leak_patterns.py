"""
What is searched for when a study is scanned: participants' names, days of recording, e-mail addresses, paths.

A `Search` knows each as an exact pattern for texts. Most bytes of a study are numbers in which nothing of it can be, so a
`ByteFilter` first tells the few places that are worth a look; it is one pass of array operations over any number of names.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError

__all__ = ["ByteFilter", "Search", "Sought", "normalized"]

_FOLD = 0x20  # makes ASCII letters small and leaves digits, points, dashes and strokes alone
_LETTER = r"[^\W\d_]"
_BETWEEN = r"(?:[\s_\-.,+]|%20){0,3}"
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_MAIL = r"(?<![\w.+-])[\w.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}(?![\w-])"
_PATH = (
    r"(?<![\w.:/~-])/(?:home|Users|root|mnt|media|Volumes|scratch)/[^\s\"'<>|]+"
    r"|(?<![A-Za-z])[A-Za-z]:\\{1,2}[^\\/:*?\"<>|\r\n\t]+\\"
    r"|\\\\{1,3}[A-Za-z0-9_.-]{2,}\\{1,2}Users\\"
)
_PATH_ANCHORS = ("/home/", "/users/", "/root/", "/mnt/", "/media/", "/volumes/", "/scratch/")
SHORT = 4  # letters; a shorter name is a syllable of many words
LONG = 6  # letters; only these are searched for among samples


@dataclass(frozen=True, slots=True)
class Sought:
    """
    One thing to search for.

    Parameters
    ----------
    what
        What a find is called; never what was searched for itself.
    pattern
        Exact pattern for texts.
    anchors
        Lower-case texts of which each find holds at least one; they tell where the pattern is worth a try.
    days
        Days of which a find must be one; None where the pattern says all.
    """

    what: str
    pattern: str
    anchors: tuple[str, ...]
    days: frozenset[tuple[int, int, int]] | None = None

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield start and end of what is in a text."""
        for match in _compiled(self.pattern).finditer(text):
            if self.days is None or _days_of(match) & self.days:
                yield match.span()


@lru_cache(maxsize=4096)  # most names are never near, so their patterns are not made before they are
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Search:
    """
    All that is searched for.

    Parameters
    ----------
    sought
        With exact patterns.
    samples
        By bytes in small letters: text, coding, and what a find among samples is called. Names of six letters and more.
    """

    sought: tuple[Sought, ...]
    samples: Mapping[bytes, tuple[str, str, str]]

    @classmethod
    def build(
        cls, names: Mapping[str, str] | Iterable[str], dates: Iterable[str | dt.date], texts: Iterable[str] = ()
    ) -> Search:
        """
        Make the patterns.

        Parameters
        ----------
        names
            Names of participants; a mapping gives the code of each, by which a find is then called.
        dates
            Days of recording, as dates or as ``YYYYMMDD`` or ``YYYY-MM-DD``.
        texts
            Further texts that must not occur, for example the name of a town.

        Raises
        ------
        DataError
            If a date is none.
        """
        codes = dict(names) if isinstance(names, Mapping) else dict.fromkeys(names, "a participant")
        sought = [one for name, code in codes.items() for one in _name(name, f"name of {code}")]
        if days := {_day(day) for day in dates}:
            sought.append(_dates(days))
        sought += [Sought("text that must not occur", re.escape(t), tuple(_cased(t))) for t in texts if t]
        sought.append(Sought("e-mail address", _MAIL, ("@",)))
        sought.append(Sought("path of a computer", _PATH, (*_PATH_ANCHORS, "\\")))
        samples: dict[bytes, tuple[str, str, str]] = {}
        for name, code in codes.items():
            for written in _whole_words(name):
                for coding in ("utf-8", "utf-16-le", "utf-32-le"):
                    samples[written.encode(coding)] = (written, coding, f"name of {code}")
        return cls(tuple(sought), samples)

    def finds(self, text: str) -> Iterator[tuple[int, int, str]]:
        """
        Yield start, end and kind of everything that is in a text.

        Examples
        --------
        >>> search = Search.build({"Anna Schmidt": "S03"}, ["20240630"])
        >>> [(text, what) for start, end, what in search.finds("anna_schmidt 2024年6月30日") for text in ["..."]]
        [('...', 'name of S03'), ('...', 'day of recording')]
        """
        text = normalized(text)
        low = text.lower()
        for one in self.sought:
            if any(anchor in low for anchor in one.anchors):
                yield from ((start, stop, one.what) for start, stop in one.spans(text))

    def masked(self, text: str) -> str:
        """Text with every find as ``*``."""
        text = normalized(text)
        for start, stop, _ in sorted(self.finds(text), reverse=True):
            text = text[:start] + "*" + text[min(stop, len(text)) :]
        return text

    def by_anchor(self) -> dict[bytes, list[Sought]]:
        """Return what may be at a place, by the bytes found there; ASCII letters small."""
        table: dict[bytes, list[Sought]] = {}
        for one in self.sought:
            for anchor in one.anchors:
                table.setdefault(anchor.encode(), []).append(one)
        return table


def normalized(text: str | bytes) -> str:
    """Return a text with accents joined to their letters; bytes are taken for UTF-8."""
    return unicodedata.normalize("NFC", text if isinstance(text, str) else text.decode("utf-8", errors="replace"))


def _tokens(name: str) -> list[str]:
    return [token for token in re.findall(r"[^\W_]+", unicodedata.normalize("NFC", name)) if re.search(_LETTER, token)]


def _is_part(token: str, name: str) -> bool:
    """Tell whether a token may stand for the name: all of it, or a part that is no mere syllable."""
    return len(_tokens(name)) == 1 or len(token) >= SHORT or not token.isascii()


def _whole_words(name: str) -> set[str]:
    """Return spellings of a name and its parts that are long enough to be no chance among samples."""
    tokens = [t for t in _tokens(name) if _is_part(t, name)]
    whole = _tokens(name)
    if len(whole) > 1:
        # A part of six letters is found beside a sign; only where parts are short or there is no sign, joined ones count.
        signs = ("",) if any(len(t) >= LONG for t in tokens) else ("", " ", "_", "-")
        tokens += [sign.join(order) for sign in signs for order in (whole, whole[::-1])]
    return {w for token in tokens for w in _spellings(token) if len(w.encode()) >= LONG}


def _spellings(token: str) -> set[str]:
    """Return a token in small letters as it is written, decomposed, and without accents."""
    low = token.lower()
    bare = "".join(c for c in unicodedata.normalize("NFD", low) if not unicodedata.combining(c))
    german = low.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue").replace("ß", "ss")
    return {low, bare, german, unicodedata.normalize("NFD", low), unicodedata.normalize("NFC", low)} - {""}


def _name(name: str, what: str) -> Iterator[Sought]:
    """Patterns of a name: the whole in both orders, and its parts."""
    tokens = _tokens(name)
    if not tokens:
        return  # digits alone are no name
    written = [_either(token) for token in tokens]
    if len(tokens) > 1:
        both = "|".join(_BETWEEN.join(order) for order in (written, written[::-1]))
        longest = max(tokens, key=len)
        anchors = tuple(_anchors(longest))
        yield Sought(what, rf"(?<!{_LETTER})(?:{both})(?!{_LETTER})", anchors)
    for token, either in zip(tokens, written, strict=True):
        if not _is_part(token, name):
            continue
        if not token.isascii() and len(token) < SHORT:  # scripts without spaces: no ends of words to look for
            pattern = either
        elif len(token) < SHORT:
            pattern = _short(token)
        else:
            pattern = rf"(?<!{_LETTER}){either}(?!{_LETTER})"
        yield Sought(what, pattern, tuple(_anchors(token)))


def _either(token: str) -> str:
    return "(?:" + "|".join(re.escape(w) for w in sorted(_spellings(token), key=lambda w: (-len(w), w))) + ")"


def _short(token: str) -> str:
    """Pattern of a short name: a whole token that is no word of a sentence, unless it is written as a name."""
    t, capital = re.escape(token), re.escape(token.capitalize())
    before = rf"(?<!{_LETTER})(?:(?<! )|(?<=[:=] ))"
    alone = rf"{before}{t}(?!{_LETTER})(?! \S)"
    named = rf"(?-i:(?<=[a-z,] ){capital}(?!{_LETTER}))"
    return f"(?:{alone}|{named})"


def _anchors(token: str) -> Iterator[str]:
    for written in _spellings(token):
        yield from _cased(written)


def _cased(text: str) -> set[str]:
    """Return a text as it is searched for among bytes; small ASCII letters stand for large ones, others do not."""
    return {text.lower()} if text.isascii() else {text.lower(), text.upper(), text.title()}


def _day(day: str | dt.date) -> dt.date:
    if isinstance(day, dt.date):
        return dt.date(day.year, day.month, day.day)
    try:
        return dt.datetime.strptime(day.replace("-", ""), "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise DataError(
            f"days to search for: expected YYYYMMDD or YYYY-MM-DD, got a text of {len(day)} characters"
        ) from None


def _dates(days: set[dt.date]) -> Sought:
    """Pattern of days in their usual forms."""
    month = "|".join(f"{name[:3]}(?:{name[3:]})?" if name[3:] else name for name in _MONTHS)
    forms = (
        r"(?P<ya>\d{4})(?P<ma>[01]\d)(?P<da>[0-3]\d)(?:(?!\d)|(?=[012]\d[0-5]\d))",
        r"(?P<yb>\d{4})(?P<sb>[-/._: ])(?P<mb>\d\d?)(?P=sb)(?P<db>\d\d?)(?!\d)",
        r"(?P<yc>\d{4}) ?年 ?(?P<mc>\d\d?) ?月 ?(?P<dc>\d\d?) ?日",
        r"(?P<dd>\d\d?)(?P<sd>[-/._])(?P<md>\d\d?)(?P=sd)(?P<yd>\d{4})(?!\d)",
        rf"(?P<de>\d\d?)(?:st|nd|rd|th)?[ .-]{{1,2}}(?P<ne>{month})\.?[ ,-]{{1,2}}(?P<ye>\d{{4}})(?!\d)",
        rf"(?P<nf>{month})\.? (?P<df>\d\d?)(?:st|nd|rd|th)?,? (?P<yf>\d{{4}})(?!\d)",
    )
    pattern = rf"(?<!\d)(?<!\d\.)(?:{'|'.join(forms)})"
    years = {f"{day.year:04d}" for day in days}
    # Every form has the year next to a sign of its own, so that numbers which merely hold its digits are passed over.
    anchors = {f"{day:%Y%m%d}" for day in days}
    anchors |= {f"{y}{sign}" for y in years for sign in ("-", "/", ".", "_", ":", " ", "年")}
    anchors |= {f"{sign}{y}" for y in years for sign in "-/._ ,"}
    return Sought("day of recording", pattern, tuple(sorted(anchors)), frozenset((d.year, d.month, d.day) for d in days))


def _days_of(match: re.Match[str]) -> set[tuple[int, int, int]]:
    """Return the days that a date may mean: 06/07/2024 is in June or in July."""
    found = {name: value for name, value in match.groupdict().items() if value is not None}
    form = next(name[1] for name in found if name[0] == "y")
    year, day = int(found["y" + form]), int(found["d" + form])
    if "n" + form in found:
        starts = [name[:3].lower() for name in _MONTHS]
        return {(year, starts.index(found["n" + form][:3].lower()) + 1, day)}
    month = int(found["m" + form])
    return {(year, month, day), (year, day, month)} if form == "d" else {(year, month, day)}


class ByteFilter:
    """
    Finds the places at which one of many byte strings begins, letters of any case, in one pass over the bytes.

    Each byte is looked up once: bit ``k`` says whether it is the ``k``-th byte of any string. Neighbours whose bits fit
    together are worth a comparison, first with four or five bytes at once, then in full.

    Parameters
    ----------
    words
        Strings of at least two bytes, ASCII letters small.
    dated
        Strings of at least five bytes with four digits of a year, after one sign at most; kept apart, as digits are many.

    Examples
    --------
    >>> ByteFilter([b"simalfa", b"an"], [b".2024"]).starts(b"..SimAlfa.Anna 1.5.2024").tolist()
    [2, 10, 18]
    """

    def __init__(self, words: Iterable[bytes], dated: Iterable[bytes] = ()) -> None:
        all_words, all_dated = (sorted({bytes(b | _FOLD for b in s) for s in strings}) for strings in (words, dated))
        if short := [s for s in all_words if len(s) < 2]:
            raise DataError(f"strings to search for: expected at least 2 bytes, got {len(short[0])}")
        self._depth = 4 if all_dated else 8
        lead = [(s, 0) for s in all_words]
        years = [(s, 0 if s[:4].isdigit() else 1) for s in all_dated]
        table = np.zeros(256, dtype=np.uint8)
        folded = np.arange(256, dtype=np.uint8) | np.uint8(_FOLD)
        for first_bit, strings in ((0, lead), (4, years)):
            depth = min([self._depth, *(len(s) - shift for s, shift in strings)])  # beyond it, any byte will do
            for k in range(self._depth if strings else 0):
                allowed = [s[shift + k] for s, shift in strings] if k < depth else range(256)
                table |= np.isin(folded, np.array(allowed, dtype=np.uint8)).astype(np.uint8) << np.uint8(first_bit + k)
        self._table = table.tobytes()
        self._bits = self._moved = np.empty(0, dtype=np.uint8)  # kept: new memory costs more than what is done in it
        self._groups = [
            (bit, _Strings(strings)) for bit, strings in ((np.uint8(1), lead), (np.uint8(16), years)) if strings
        ]

    def starts(self, data: bytes) -> NDArray[np.int64]:
        """Return sorted places in ``data`` at which a string begins."""
        if not self._groups:
            return np.empty(0, dtype=np.int64)
        n = len(data)
        if len(self._bits) < n + self._depth:
            self._bits, self._moved = (np.empty(n + self._depth, dtype=np.uint8) for _ in range(2))
        bits, moved = self._bits[: n + self._depth], self._moved
        bits[:n] = np.frombuffer(data.translate(self._table), dtype=np.uint8)
        bits[n:] = 0xFF
        step = 1
        while step < self._depth:  # after it, bit 0 (4) of a place stands for itself and its next 3 or 7 neighbours
            np.right_shift(bits[step:], np.uint8(step), out=moved[: len(bits) - step])
            bits = np.bitwise_and(bits[:-step], moved[: len(bits) - step], out=bits[:-step])
            step *= 2
        fits = bits[:n]
        raw = np.frombuffer(data, dtype=np.uint8)
        marked = moved[:n].view(np.bool_)
        found = []
        for bit, strings in self._groups:
            np.not_equal(np.bitwise_and(fits, bit, out=moved[:n]), 0, out=marked)
            found.append(strings.confirmed(raw, np.flatnonzero(marked)))
        return np.unique(np.concatenate(found))


class _Strings:
    """Strings of one group, compared with what lies at the places that passed."""

    def __init__(self, leads: list[tuple[bytes, int]]) -> None:
        strings = [string for string, _ in leads]
        self.all = tuple(strings)
        self._shifts = sorted({shift for _, shift in leads})  # from the place that passed back to where a string begins
        self._longest = max(len(s) for s in strings)
        self._prefix = min([8, *(len(s) for s in strings)])
        self._prefixes = np.unique(_numbers(b"".join(s[: self._prefix] for s in strings), self._prefix))

    def confirmed(self, raw: NDArray[np.uint8], at: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the places at which a string begins, given those at which its leading letters or its year may be."""
        at = np.concatenate([at - shift for shift in self._shifts])
        at = at[(at >= 0) & (at + self._prefix <= len(raw))]
        windows = raw[at[:, None] + np.arange(self._prefix)] | np.uint8(_FOLD)
        at = at[np.isin(_numbers(windows.tobytes(), self._prefix), self._prefixes)]
        whole = [k for k in at.tolist() if self._begins(raw, k)]
        return np.array(whole, dtype=np.int64)

    def _begins(self, raw: NDArray[np.uint8], at: int) -> bool:
        return (raw[at : at + self._longest] | np.uint8(_FOLD)).tobytes().startswith(self.all)


def _numbers(data: bytes, width: int) -> NDArray[np.uint64]:
    """Numbers of ``width`` bytes each, 8 at most."""
    wide = np.zeros((len(data) // width, 8), dtype=np.uint8)
    wide[:, :width] = np.frombuffer(data, dtype=np.uint8).reshape(-1, width)
    return wide.view("<u8").ravel()
