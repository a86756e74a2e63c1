"""EEGLAB recordings (``.set`` with ``.fdt``), read lazily through MNE."""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mne
import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError

__all__ = ["Eeglab", "EeglabSamples", "read_eeglab"]

_TYPES = {"HEO": "HEOG", "HEOG": "HEOG", "VEO": "VEOG", "VEOG": "VEOG", "EKG": "ECG", "ECG": "ECG", "EMG": "EMG"}
_MASTOIDS = ("M1", "M2")
_DIGITS = re.compile(r"\d{1,3}")
_TOO_SMALL_V = 1e-10  # amplifier noise alone is a thousand times this


class EeglabSamples:
    """Samples (n, channels) in V, read from disk block by block when sliced along the first axis."""

    dtype = np.dtype(np.float64)
    ndim = 2

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    @property
    def shape(self) -> tuple[int, int]:
        """(n, channels)."""
        return int(self._raw.n_times), len(self._raw.ch_names)

    def __len__(self) -> int:
        """Count samples."""
        return self.shape[0]

    def __getitem__(self, index: Any) -> NDArray[np.float64]:
        """Return samples of a slice, as (m, channels), or of one index, as (channels,)."""
        rows, columns = index if isinstance(index, tuple) else (index, slice(None))
        if isinstance(rows, (int, np.integer)):
            at = range(len(self))[int(rows)]
            return np.asarray(self._raw.get_data(start=at, stop=at + 1)[:, 0][columns])
        start, stop, step = slice(*rows.indices(len(self))).indices(len(self))
        if stop <= start or step < 0:
            return np.empty((0, self.shape[1]))[:, columns]
        return np.asarray(self._raw.get_data(start=start, stop=stop).T[::step, columns])


@dataclass(frozen=True, slots=True, eq=False)
class Eeglab:
    """
    One EEGLAB recording.

    Parameters
    ----------
    x
        Samples (n, channels) [V], lazy.
    fs
        Sampling rate [Hz].
    channels
        Names as written.
    types
        One each: ``EEG``, ``HEOG``, ``VEOG``, ``ECG``, ``EMG``, or ``REF`` for the mastoids.
    t : (m,) float64
        Times of trigger events on the device clock [s].
    codes : (m,) int64
        Their values.
    findings
        What was odd, one sentence each: other annotations, channels that seem to be in another unit.
    """

    x: EeglabSamples
    fs: float
    channels: tuple[str, ...]
    types: tuple[str, ...]
    t: NDArray[np.float64]
    codes: NDArray[np.int64]
    findings: tuple[str, ...]


def read_eeglab(path: str | os.PathLike[str]) -> Eeglab:
    """
    Open an EEGLAB recording; samples stay on disk.

    Parameters
    ----------
    path
        ``.set`` file; its ``.fdt`` lies beside it.

    Returns
    -------
    Eeglab
        Lazy samples in V, names, types and trigger events.

    Raises
    ------
    DataError
        If either file is missing, or MNE cannot read it as a continuous recording.

    Notes
    -----
    EEGLAB means microvolts. Some exports hold their bipolar channels (EOG, ECG, EMG) in volts all the same: a channel whose
    first ten seconds vary by less than 0.1 nV becomes a finding; its values stay as they are.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path.name}: expected an EEGLAB .set file, got no file")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            raw = mne.io.read_raw_eeglab(path, preload=False, verbose="ERROR")
        except Exception as error:
            reason = " ".join(str(error).replace(str(path.parent), "").split())[:160]
            raise DataError(
                f"{path.name}: expected a continuous EEGLAB recording, got one that MNE cannot read "
                f"({type(error).__name__}: {reason}); is its .fdt beside it?"
            ) from None
    findings = [" ".join(str(w.message).split()) for w in caught if "nnotation" in str(w.message)]
    channels = tuple(raw.ch_names)
    types = tuple("REF" if name.upper() in _MASTOIDS else _TYPES.get(name.upper(), "EEG") for name in channels)
    texts = [str(text).strip() for text in raw.annotations.description]
    digits = np.array([bool(_DIGITS.fullmatch(text)) and int(text) < 256 for text in texts], dtype=bool)
    others = sorted({text for text, number in zip(texts, digits, strict=True) if not number})
    findings += [f"annotation '{text}' is no trigger value" for text in others]
    onsets = np.asarray(raw.annotations.onset, dtype=np.float64)
    samples = EeglabSamples(raw)
    spread = np.ptp(samples[: min(len(samples), int(10 * raw.info["sfreq"]))], axis=0)
    findings += [
        f"channel {name} varies by {s:.1e} V only; is it in V where the file means µV?"
        for name, s in zip(channels, spread, strict=True)
        if 0 < s < _TOO_SMALL_V
    ]
    codes = np.array([int(text) for text, number in zip(texts, digits, strict=True) if number], dtype=np.int64)
    return Eeglab(samples, float(raw.info["sfreq"]), channels, types, onsets[digits], codes, tuple(findings))
