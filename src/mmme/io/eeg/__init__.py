"""
EEG recordings of every format, read block by block through MNE.

Curry (``.cdt``, ``.dat``), EEGLAB (``.set``), BrainVision (``.vhdr``), EDF and BDF, Neuroscan (``.cnt``), GDF and FIF all
become one `Reading`: a stream ``eeg`` in V with typed channels, a stream ``trigger`` where there is a stimulus channel, and
the annotations. Samples stay on disk until they are sliced; blocks of about ten seconds are read at least as fast as the
whole file at once, in constant memory.
"""

from __future__ import annotations

import datetime as dt
import functools
import importlib
import logging
import os
import re
import threading
import types
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mne
import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError, raise_faults
from mmme.io.eeg.channels import channel_types, known_type, montage_name
from mmme.types import Reading, Stream, listed

__all__ = ["EEG_SUFFIXES", "RawSamples", "channel_types", "montage_name", "read_eeg"]

_BLOCK = 50_000  # rows read at a time
_TOO_SMALL_V = 1e-8  # noise of an amplifier with shorted inputs is fifty times this, 5 mV taken for 5 nV half of it
_LOCK = threading.Lock()

_TRIGGER = re.compile(r"trig(?:ger)?(?:\s?\d+)?|sti\s?\d{1,3}|stim?(?:ulus)?|status|events?|din\s?\d*", re.IGNORECASE)
_HINTS = {
    ".cdt": "are its .cdt.dpa (or .cdt.dpo) beside it, and all EEG channels placed in it?",
    ".dat": "are its .dap and .rs3 beside it, and all EEG channels placed in them?",
    ".set": "is its .fdt beside it?",
    ".vhdr": "are its .eeg and .vmrk beside it, under the names that it states?",
}
_READERS: Mapping[str, tuple[str, Callable[..., Any]]] = types.MappingProxyType(
    {
        ".cdt": ("Curry", mne.io.read_raw_curry),
        ".dat": ("Curry 7", mne.io.read_raw_curry),
        ".set": ("EEGLAB", mne.io.read_raw_eeglab),
        ".vhdr": ("BrainVision", mne.io.read_raw_brainvision),
        ".edf": ("EDF", functools.partial(mne.io.read_raw_edf, stim_channel=None)),  # else MNE cuts 100.998 down to 100
        ".bdf": ("BDF", functools.partial(mne.io.read_raw_bdf, stim_channel=None)),
        ".gdf": ("GDF", functools.partial(mne.io.read_raw_gdf, stim_channel=None)),
        ".cnt": ("Neuroscan", mne.io.read_raw_cnt),
        ".fif": ("FIF", functools.partial(mne.io.read_raw_fif, allow_maxshield="yes")),
    }
)
EEG_SUFFIXES: tuple[str, ...] = tuple(_READERS)
# what MNE warns of: said elsewhere or of no concern here; and in our words
_SAID_ELSEWHERE = re.compile(
    r"'boundary' events|naming convention|Setting preload=True|coordinate information|Number of records from the header|"
    r"channel type|Unknown types|filter|Inferring number of",
    re.IGNORECASE,
)
_IN_OUR_WORDS: Mapping[str, str] = types.MappingProxyType(
    {
        r"Omitted (\d+) annotation.*": r"\1 annotations lie outside the data and are left out",
        r"Limited (\d+) annotation.*": r"\1 annotations reach beyond the data and end with it",
        r"Data file name in EEG.data.*": r"the .set names another .fdt than the one beside it, which was read",
    }
)


class RawSamples:
    """
    Samples of an MNE recording, (n, channels) or one column (n,), read from disk block by block when sliced.

    Parameters
    ----------
    raw
        MNE's recording, not loaded.
    picks
        Channels by position, in this order; one number for a single column.
    """

    dtype = np.dtype(np.float64)

    def __init__(self, raw: Any, picks: Sequence[int] | int) -> None:
        self._raw = raw
        self._picks = np.asarray(picks, dtype=np.int64)

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, channels) or (n,)."""
        return (int(self._raw.n_times), *self._picks.shape)

    @property
    def ndim(self) -> int:
        """2, or 1 for a single column."""
        return 1 + self._picks.ndim

    def __len__(self) -> int:
        """Count samples."""
        return int(self._raw.n_times)

    def stored(self) -> tuple[NDArray[Any], NDArray[np.float64]] | None:
        """
        Return the numbers of a ``.cdt`` or ``.fdt`` as on disk, and the factor of each column [V]; None elsewhere.

        Such files are nothing but single-precision microvolts, all channels of a sample side by side; one in the middle is
        compared with what MNE reads there.
        """
        path = Path(self._raw.filenames[0])
        n, n_channels = len(self), len(self._raw.ch_names)
        if path.suffix.lower() not in (".cdt", ".fdt") or self.ndim != 2 or path.stat().st_size != 4 * n * n_channels:
            return None
        numbers = np.memmap(path, dtype="<f4", mode="r", shape=(n, n_channels))
        own = len(self._picks)
        if not np.array_equal(self._picks, np.arange(own)):
            return None
        if not np.allclose(numbers[n // 2, :own] * 1e-6, self[n // 2], rtol=1e-6, atol=1e-12):
            return None
        return numbers, np.full(n_channels, 1e-6)

    def __getitem__(self, index: Any) -> Any:
        """Return samples of an index, a slice or an array of rows; a second index chooses channels."""
        rows, columns = index if isinstance(index, tuple) else (index, ...)
        picks = self._picks[columns]
        if isinstance(rows, (int, np.integer)):
            return self._read(range(len(self))[int(rows)], 1, 1, np.atleast_1d(picks))[0].reshape(picks.shape)
        wanted = range(len(self))[rows] if isinstance(rows, slice) else np.arange(len(self))[rows]
        if len(wanted) == 0:
            return np.empty((0, *picks.shape))
        low, high = int(min(wanted[0], wanted[-1])), int(max(wanted[0], wanted[-1]))
        if isinstance(wanted, range):
            step = abs(wanted.step)
            found = self._read(low, len(wanted), step, np.atleast_1d(picks))[:: 1 if wanted.step > 0 else -1]
        else:
            low, high = int(wanted.min()), int(wanted.max())
            found = self._read(low, high - low + 1, 1, np.atleast_1d(picks))[wanted - low]
        return found.reshape(len(wanted), *picks.shape)

    def _read(self, start: int, count: int, step: int, picks: NDArray[np.int64]) -> NDArray[np.float64]:
        """Every step-th row from ``start`` on, a block at a time, so that no second copy of a long slice exists."""
        found = np.empty((count, len(picks)))
        chosen = slice(None) if np.array_equal(picks, np.arange(len(self._raw.ch_names))) else picks
        per = max(1, _BLOCK // step)
        for k in range(0, count, per):
            last = min(k + per, count) - 1
            # `get_data` makes the times of the whole recording for every block; an index makes those of the block
            block = self._raw[chosen, start + k * step : start + last * step + 1][0]
            found[k : last + 1] = block[:, ::step].T
        return found


def read_eeg(path: str | os.PathLike[str]) -> Reading:
    """
    Open an EEG recording; samples stay on disk.

    Parameters
    ----------
    path
        The file that MNE opens: ``.cdt .dat .set .vhdr .edf .bdf .gdf .cnt .fif``; what belongs to it lies beside it.

    Returns
    -------
    Reading
        Stream ``eeg`` (n, channels) in V with the file's channel names, typed ``EEG, HEOG, VEOG, EOG, ECG, EMG, REF`` or
        ``MISC``; stream ``trigger`` (n,) where there is a stimulus channel. A file that holds body signals and no EEG, and
        channels at another rate than the EEG, become one stream each, under their labels.

    Raises
    ------
    DataError
        If a file is missing, cut short, discontinuous (EDF+D), cut into epochs, or one that MNE cannot read.

    Notes
    -----
    - EEGLAB means microvolts. Some exports hold their bipolar channels (EOG, ECG, EMG) in volts all the same: a channel
      whose first ten seconds vary by less than 10 nV becomes a finding; its values stay as they are.
    - Curry: MNE names all events of one type after the first of them, so a remark in Curry replaces the number of its type.
    - Neuroscan writes dates as month/day/year or day/month/year and does not say which; MNE reads month/day/year.
    - EDF: the date 1985-01-01 stands for none.
    """
    path = Path(path)
    if path.suffix.lower() not in _READERS:
        raise DataError(f"*{path.suffix}: expected an EEG file ({', '.join(_READERS)}), got another ending")
    with _told() as odd:
        raw, about_size = _opened(path)
        raws = _by_rate(path, raw)
    odd = [_in_our_words(text, path) for text in odd if not _SAID_ELSEWHERE.search(text)] + about_size
    streams, about = _streams(raws)
    text_t_s = np.asarray(raw.annotations.onset, dtype=np.float64) - float(raw.first_time)
    texts = tuple(str(text) for text in raw.annotations.description)
    odd += [*about, *_text_findings(text_t_s, texts)]
    return Reading(tuple(streams), text_t_s, texts, tuple(odd), _started(path, raw))


def _opened(path: Path) -> tuple[Any, list[str]]:
    """MNE's recording and findings on its size, with one sentence for whatever is wrong with the file."""
    suffix = path.suffix.lower()
    name, read = _READERS[suffix]
    if not path.is_file():
        raise DataError(f"{path.name}: expected a recording ({name}), got no file")
    head = _head(path)[192:197].decode("latin-1") if suffix in (".edf", ".bdf") else ""
    if head.endswith("+D"):  # records have times of their own, which MNE passes over
        raise DataError(f"{path.name}: expected a continuous recording, got {head} with gaps; export it as {head[:4]}C")
    try:
        with _mapped_curry(path):
            raw = read(path, preload=False, verbose="WARNING")
        if not isinstance(raw, mne.io.BaseRaw):
            raise TypeError("it is cut into epochs")  # noqa: TRY301
        odd = _size_findings(path, raw)
        raw.get_data(start=raw.n_times - 1)
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"{path.name}: expected a continuous recording ({name}), got one that MNE cannot read "
            f"({type(error).__name__}: {_in_our_words(str(error), path)[:160]}); {_HINTS.get(suffix, 'is it cut short?')}"
        ) from None
    if raw.info["bads"]:
        odd.append(f"channels marked as bad in the file: {listed(raw.info['bads'], 20)}")
    return raw, odd


@contextmanager
def _told() -> Iterator[list[str]]:
    """Collect what MNE and its readers warn of."""
    said: list[str] = []
    handler, mnes = logging.NullHandler(), logging.getLogger("mne")
    logging.getLogger().addHandler(handler)  # curryreader would install a handler of its own for the whole process
    mnes.addFilter(_nothing)  # MNE prints what it warns of, with names of files
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield said
        said += dict.fromkeys(" ".join(str(w.message).split()) for w in caught if issubclass(w.category, RuntimeWarning))
    finally:
        logging.getLogger().removeHandler(handler)
        mnes.removeFilter(_nothing)


def _nothing(_: logging.LogRecord) -> bool:
    """Let no record pass."""
    return False


@contextmanager
def _mapped_curry(path: Path) -> Iterator[None]:
    """Let curryreader map the samples instead of loading all of them, twice, only to count them."""
    if path.suffix.lower() not in (".cdt", ".dat"):
        yield
        return
    faults: list[str] = []

    def mapped(file: str, dtype: Any, count: int = -1, sep: str = "") -> NDArray[Any]:
        if sep:
            faults.append("expected binary samples, got text; save it as raw float in Curry")
        elif (size := Path(file).stat().st_size) < 4 * count:
            faults.append(f"expected {4 * count} bytes of samples by its header, got {size}; is it cut short?")
        return np.memmap(file, dtype, mode="r", shape=(int(count),))

    reader: Any = importlib.import_module("curryreader")
    with _LOCK:
        reader.np = types.SimpleNamespace(**{**vars(np), "fromfile": mapped})
        try:
            yield
        except Exception:
            raise_faults(path.name, faults[:1])
            raise
        finally:
            reader.np = np
    raise_faults(path.name, faults[:1])


def _size_findings(path: Path, raw: Any) -> list[str]:
    """Compare the size of the file of samples with the header; `DataError` where samples are missing or too many."""
    suffix, n_channels = path.suffix.lower(), len(raw.ch_names)
    if suffix in (".edf", ".bdf"):
        head = _head(path)
        n_records, record_s = int(head[236:244]), float(head[244:252])
        stated_s, got_s = n_records * record_s, raw.n_times / raw.info["sfreq"]
        if n_records < 0:
            return [f"the recording was not closed; its length of {got_s:g} s is that of the file"]
        if got_s < stated_s - 0.5 * record_s:
            raise DataError(f"{path.name}: expected {stated_s:g} s by its header, got {got_s:g} s; is it cut short?")
        return [f"it holds {got_s:g} s, its header states {stated_s:g} s"] if got_s > stated_s + 0.5 * record_s else []
    data = Path(raw.filenames[0])
    width = {"short": 2, "int": 4, "single": 4}.get(raw.orig_format, 0) if suffix == ".vhdr" else 4
    separate = suffix in (".cdt", ".dat", ".vhdr") or data.suffix.lower() == ".fdt"
    expected, size = raw.n_times * n_channels * width, data.stat().st_size
    if separate and width and size != expected:
        raise DataError(
            f"{path.name}: expected {expected} bytes of samples ({raw.n_times} x {n_channels}), got {size}; "
            "is its file of samples cut short, or does it belong to another header?"
        )
    if suffix == ".set" and not separate:
        size_mb = raw.n_times * n_channels * 8 / 1e6
        return [f"its samples are inside the .set and fill {size_mb:.0f} MB of memory; with a .fdt they would stay on disk"]
    return []


def _head(path: Path) -> bytes:
    """First 256 bytes of a file."""
    with path.open("rb") as file:
        return file.read(256)


def _by_rate(path: Path, raw: Any) -> list[Any]:
    """One recording per sampling rate, the one of most channels first: MNE would interpolate the slower ones."""
    extras = (getattr(raw, "_raw_extras", None) or [{}])[0]
    if "n_samps" not in extras or "sel" not in extras:
        return [raw]
    per_record = np.asarray(extras["n_samps"])[np.asarray(extras["sel"], dtype=np.int64)]
    rates, counts = np.unique(per_record, return_counts=True)
    if len(rates) == 1:
        return [raw]
    read = _READERS[path.suffix.lower()][1]
    groups = [[n for n, k in zip(raw.ch_names, per_record, strict=True) if k == rates[at]] for at in np.argsort(-counts)]
    return [read(path, include=names, preload=False, verbose="WARNING") for names in groups]


def _streams(raws: Sequence[Any]) -> tuple[list[Stream], list[str]]:
    """Streams of a file, and what is odd about its channels."""
    names = [name for raw in raws for name in raw.ch_names]
    kinds = [kind for raw in raws for kind in raw.get_channel_types()]
    units = {name: _unit(unit) for raw in raws for name, unit in (getattr(raw, "_orig_units", None) or {}).items()}
    trigger = _trigger_channel(names, kinds)
    stimulus = [n for n, k in zip(names, kinds, strict=True) if k == "stim" or _TRIGGER.fullmatch(n.strip())]
    typed, odd = channel_types([n for n in names if n not in stimulus], dict(zip(names, kinds, strict=True)))
    if len(stimulus) > 1:
        odd.append(f"stimulus channels left out beside {trigger}: {listed(n for n in stimulus if n != trigger)}")
    body_only = not {"EEG", "REF"} & set(typed.values()) and any(known_type(name) for name in typed)
    streams: list[Stream] = []
    for raw in raws:
        fs = float(raw.info["sfreq"])
        t = np.arange(raw.n_times, dtype=np.float64)
        t /= fs
        rest = [n for n in raw.ch_names if n not in stimulus]
        if raw is raws[0] and rest and not body_only:
            x = RawSamples(raw, [raw.ch_names.index(n) for n in rest])
            streams.append(Stream("eeg", "eeg", t, x, "V", fs, tuple(rest), tuple(typed[n] for n in rest)))
            odd += _unit_findings(x, fs, rest, typed, units)
        else:
            streams += [
                Stream(n, "eeg", t, RawSamples(raw, raw.ch_names.index(n)), units.get(n, "V"), fs, (n,)) for n in rest
            ]
        if trigger in raw.ch_names:
            unit = units.get(trigger, "" if kinds[names.index(trigger)] == "stim" else "V")
            streams.append(Stream("trigger", "eeg", t, RawSamples(raw, raw.ch_names.index(trigger)), unit, fs, (trigger,)))
    return streams, odd


def _trigger_channel(names: Sequence[str], kinds: Sequence[str]) -> str:
    """Name of the channel that carries trigger values; a summed one is preferred to single lines; empty where none is."""
    stimulus = [n for n, k in zip(names, kinds, strict=True) if k == "stim" or _TRIGGER.fullmatch(n.strip())]
    summed = [
        n for n in stimulus if n.upper().replace(" ", "") in ("TRIGGER", "STATUS", "STI014", "STI101", "TRIG", "EVENT")
    ]
    return (summed or stimulus or [""])[0]


def _unit(unit: str) -> str:
    """Return the unit of values as MNE returns them: V, else the file's unit, empty where MNE knows none."""
    return "V" if re.fullmatch(r"[mµun]?V", unit) else "" if unit == "n/a" else unit


def _unit_findings(
    x: RawSamples, fs: float, names: Sequence[str], typed: Mapping[str, str], units: Mapping[str, str]
) -> list[str]:
    """Channels that are not in V, or hardly can be."""
    other = [f"{n} ({units[n] or 'no unit'})" for n in names if units.get(n, "V") != "V"]
    odd = [f"channels not in V: {listed(other)}"] if other else []
    spread = np.ptp(x[: min(len(x), int(10 * fs))], axis=0)
    return odd + [
        f"channel {name} varies by {s:.1e} V only; is it in V where the file means µV?"
        for name, s in zip(names, spread, strict=True)
        if 0 < s < _TOO_SMALL_V and typed[name] != "MISC"
    ]


def _text_findings(t_s: NDArray[np.float64], texts: Sequence[str]) -> list[str]:
    """Cuts, pauses and stretches marked as bad."""
    cuts = [t for t, text in zip(t_s, texts, strict=True) if re.match(r"(?i).*boundary|new segment", text) and t > 0]
    bad = sum(text.upper().startswith("BAD") and "BOUNDARY" not in text.upper() for text in texts)
    odd = []
    if cuts:
        odd.append(f"{len(cuts)} cuts or pauses in the recording, the first at {cuts[0]:.3f} s; times count on over them")
    if bad:
        odd.append(f"{bad} stretches are marked as bad in the file")
    return odd


def _in_our_words(text: str, path: Path) -> str:
    """One line without folders and names of files, which may hold names of people."""
    for pattern, words in _IN_OUR_WORDS.items():
        text = re.sub(pattern, words, text)
    text = re.sub(rf"(?<!\w){re.escape(path.stem)}(?!\w)", "*", text.replace(str(path.parent) + os.sep, ""))
    endings = "cdt|dpa|dpo|cef|ceo|dap|dat|rs3|set|fdt|vhdr|vmrk|eeg|edf|bdf|cnt|fif|gdf"
    return " ".join(re.sub(rf"[^\s'\"(),;]+(\.(?:{endings}))\b", r"*\1", text).split())


def _started(path: Path, raw: Any) -> dt.datetime | None:
    """Wall-clock start as the file has it, without a time zone."""
    started: dt.datetime | None = raw.info["meas_date"]
    if started is None or started.date() == dt.date(1985, 1, 1):
        return None
    if path.suffix.lower() == ".cnt":  # MNE takes the clock time of Neuroscan for that of this computer's zone
        started = started.astimezone()
    return started.replace(tzinfo=None)
