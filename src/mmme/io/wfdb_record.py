"""WFDB records (PhysioNet) through the wfdb package."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import wfdb

from mmme.errors import DataError, raise_faults
from mmme.types import Reading, Stream

__all__ = ["read_wfdb"]

_ANNOTATORS = ("atr", "trigger", "events", "qrs")


def read_wfdb(path: str | os.PathLike[str]) -> Reading:
    """
    Read a WFDB record.

    Parameters
    ----------
    path
        Header, ``.hea``; its signal files lie beside it. Records of several segments are joined.

    Returns
    -------
    Reading
        One stream per signal under its name, in the header's unit, each at its own rate; annotations of a file ``.atr`` (or
        ``.trigger``, ``.events``) beside it as texts. Undefined samples are NaN and counted in ``findings``.

    Raises
    ------
    DataError
        If wfdb cannot read the record, or a signal's name is in it twice.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError("*.hea: expected a WFDB header, got no file")
    record_name = str(path.with_suffix(""))
    try:
        record = wfdb.rdrecord(record_name, smooth_frames=False)
    except Exception as error:
        raise DataError(
            f"*.hea: expected a WFDB record, got one that wfdb cannot read ({type(error).__name__}); "
            "are its signal files there?"
        ) from None
    names = [str(name) for name in record.sig_name]
    raise_faults(
        "*.hea",
        [
            f"signal '{n}': expected each name once, got {names.count(n)}"
            for n in dict.fromkeys(names)
            if names.count(n) > 1
        ],
    )
    per_frame = record.samps_per_frame or [1] * len(names)
    signals = record.e_p_signal if record.e_p_signal is not None else list(record.p_signal.T)
    streams, findings = [], []
    for name, unit, each, x in zip(names, record.units, per_frame, signals, strict=True):
        fs = float(record.fs) * each
        undefined = int(np.isnan(x).sum())
        if undefined:
            findings.append(f"{name}: {undefined} of {len(x)} samples are undefined")
        streams.append(Stream(name, "wfdb", np.arange(len(x)) / fs, np.asarray(x, np.float64), str(unit or ""), fs))
    text_t_s, texts = _annotations(record_name, float(record.fs))
    return Reading(tuple(streams), text_t_s, texts, tuple(findings), record.base_datetime)


def _annotations(record_name: str, fs: float) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], tuple[str, ...]]:
    """Annotations of the first annotator that is there: the note where there is one, else the symbol."""
    for annotator in _ANNOTATORS:
        if Path(f"{record_name}.{annotator}").is_file():
            found = wfdb.rdann(record_name, annotator)
            texts = tuple(
                (note or "").strip("\x00 ") or str(symbol)
                for note, symbol in zip(found.aux_note, found.symbol, strict=True)
            )
            return np.asarray(found.sample, dtype=np.float64) / float(found.fs or fs), texts
    return np.empty(0), ()
