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
from typing import Any

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
    """

    what: str
    pattern: re.Pattern[str]
    anchors: tuple[str, ...]


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
        sought += [_date(day) for day in sorted({_day(d) for d in dates})]
        sought += [
            Sought("text that must not occur", re.compile(re.escape(t), re.IGNORECASE), (t.lower(),)) for t in texts if t
        ]
        sought.append(Sought("e-mail address", re.compile(_MAIL), ("@",)))
        sought.append(Sought("path of a computer", re.compile(_PATH, re.IGNORECASE), (*_PATH_ANCHORS, ":\\", "\\users")))
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
        for one in self.sought:
            for match in one.pattern.finditer(text):
                yield match.start(), match.end(), one.what

    def masked(self, text: str) -> str:
        """Text with every find as ``*``."""
        text = normalized(text)
        for one in self.sought:
            text = one.pattern.sub("*", text)
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
        tokens += [sign.join(order) for sign in ("", " ", "_", "-") for order in (whole, whole[::-1])]
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
        yield Sought(what, re.compile(rf"(?<!{_LETTER})(?:{both})(?!{_LETTER})", re.IGNORECASE), anchors)
    for token, either in zip(tokens, written, strict=True):
        if not _is_part(token, name):
            continue
        if not token.isascii() and len(token) < SHORT:  # scripts without spaces: no ends of words to look for
            pattern = either
        elif len(token) < SHORT:
            pattern = _short(token)
        else:
            pattern = rf"(?<!{_LETTER}){either}(?!{_LETTER})"
        yield Sought(what, re.compile(pattern, re.IGNORECASE), tuple(_anchors(token)))


def _either(token: str) -> str:
    return "(?:" + "|".join(re.escape(w) for w in sorted(_spellings(token), key=lambda w: (-len(w), w))) + ")"


def _short(token: str) -> str:
    """Pattern of a short name: a whole token that is no word of a sentence, unless it is written as a name."""
    t, capital = re.escape(token), re.escape(token.capitalize())
    alone = rf"(?<!{_LETTER})(?<!{_LETTER}[ ]){t}(?!{_LETTER})(?![ ]{_LETTER})"
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


def _date(day: dt.date) -> Sought:
    """Pattern of a day in its usual forms."""
    y, m, d, month = f"{day.year:04d}", f"0?{day.month}", f"0?{day.day}", _MONTHS[day.month - 1]
    if day.month > 9:
        m = str(day.month)
    if day.day > 9:
        d = str(day.day)
    name = f"{month[:3]}(?:{month[3:]})?\\.?" if month[3:] else month
    whole = f"{day:%Y%m%d}"
    forms = (
        rf"{whole}(?:(?!\d)|(?=[012]\d[0-5]\d))",
        rf"{y}(?P<a>[-/._: ]){m}(?P=a){d}(?!\d)",
        rf"{y} ?年 ?{m} ?月 ?{d} ?日",
        rf"{d}(?P<b>[-/._]){m}(?P=b){y}(?!\d)",
        rf"{m}(?P<c>[-/._]){d}(?P=c){y}(?!\d)",
        rf"{d}(?:st|nd|rd|th)?[ .-]{{1,2}}{name}[ ,-]{{1,2}}{y}(?!\d)",
        rf"{name} {d}(?:st|nd|rd|th)?,? {y}(?!\d)",
    )
    pattern = rf"(?<!\d)(?<!\d\.)(?:{'|'.join(forms)})"
    # Every form has the year next to a sign of its own, so that numbers which merely hold its digits are passed over.
    anchors = (whole, *(f"{y}{sign}" for sign in "-/._: 年"), f"{y} 年", *(f"{sign}{y}" for sign in "-/._ ,"))
    return Sought("day of recording", re.compile(pattern, re.IGNORECASE), anchors)


class ByteFilter:
    """
    Finds the places at which one of many byte strings begins, letters of any case, in one pass over the bytes.

    Every string of eight bytes holds four that begin at a multiple of four, so a quarter of the places decides; strings of
    three to seven bytes are found by aligned pairs. What passes is compared with eight (four) bytes at once, then in full.

    Parameters
    ----------
    strings
        At least two bytes each, ASCII letters small.

    Examples
    --------
    >>> ByteFilter([b"simalfa", b"an"]).starts(np.frombuffer(b"..SimAlfa.Anna", np.uint8)).tolist()
    [2, 10]
    """

    def __init__(self, strings: Iterable[bytes]) -> None:
        folded = sorted({bytes(b | _FOLD for b in s) for s in strings})
        if short := [s for s in folded if len(s) < 2]:
            raise DataError(f"strings to search for: expected at least 2 bytes, got {len(short[0])}")
        self._long = _Tier([s for s in folded if len(s) >= 8], 4)
        self._middle = _Tier([s for s in folded if 3 <= len(s) < 8], 2)
        self._pairs = _Tier([s for s in folded if len(s) == 2], 1)
        self.longest = max((len(s) for s in folded), default=0)

    def starts(self, data: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return sorted places in ``data`` (n,) at which a string begins."""
        folded = data | np.uint8(_FOLD)
        found = [tier.starts(folded) for tier in (self._long, self._middle, self._pairs) if tier.strings]
        return np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)


class _Tier:
    """Strings that are found by the same number of aligned bytes."""

    def __init__(self, strings: list[bytes], step: int) -> None:
        self.strings = strings
        self.step = step
        self.width = max(step, 2)
        self._all = tuple(strings)
        self._longest = max((len(s) for s in strings), default=0)
        self._table = np.zeros(1 << 16, dtype=bool)
        for s in strings:
            for shift in range(step):
                part = np.frombuffer(s[shift : shift + self.width], dtype=f"<u{self.width}")
                self._table[_key(part, self.width)] = True
        self._prefix = 8 if step == 4 else min((len(s) for s in strings), default=2)
        self._prefixes = np.unique(
            _gather(np.frombuffer(b"".join(s[: self._prefix] for s in strings), np.uint8), self._prefix)
        )

    def starts(self, folded: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the places at which one of the strings begins."""
        found = []
        for parity in range(2 if self.step == 1 else 1):  # pairs alone have no aligned part: both halves are looked at
            aligned = np.ascontiguousarray(folded[parity:])[: (len(folded) - parity) // self.width * self.width]
            hits = np.flatnonzero(self._table[_key(aligned.view(f"<u{self.width}"), self.width)]) * self.width + parity
            found += [hits - shift for shift in range(self.step)]
        at = np.concatenate(found)
        at = at[(at >= 0) & (at + self._prefix <= len(folded))]
        if not len(at):
            return at
        windows = folded[at[:, None] + np.arange(self._prefix)]
        at = np.sort(at[np.isin(_gather(windows.ravel(), self._prefix), self._prefixes)])
        whole = [k for k in at.tolist() if self._begins(folded, k)]
        return np.array(whole, dtype=np.int64)

    def _begins(self, folded: NDArray[np.uint8], at: int) -> bool:
        return folded[at : at + self._longest].tobytes().startswith(self._all)


def _key(values: NDArray[Any], width: int) -> NDArray[np.uint16]:
    """Sixteen bits of each value; of four bytes by multiplication, so that similar ones come apart."""
    if width == 2:
        return values.astype(np.uint16, copy=False)
    return ((values * np.uint32(2654435761)) >> np.uint32(16)).astype(np.uint16)


def _gather(flat: NDArray[np.uint8], width: int) -> NDArray[np.uint64]:
    """Numbers of ``width`` bytes each."""
    wide = np.zeros((len(flat) // width if width else 0, 8), dtype=np.uint8)
    wide[:, :width] = flat.reshape(-1, width)
    return wide.view("<u8").ravel()
