"""WFDB records (PhysioNet) through the wfdb package."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import wfdb

from mmme.errors import DataError
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
        ``.trigger``, ``.events``) beside it as texts. Undefined samples are NaN and counted in ``findings``;
        names that repeat are told. ``started`` where the header has a date and a time.

    Raises
    ------
    DataError
        If wfdb cannot read the record or its annotations, or there is no signal with samples.
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
    names = [str(name or f"signal {k}") for k, name in enumerate(record.sig_name or (), start=1)]
    if not names:
        raise DataError("*.hea: expected a record with signals, got one without")
    per_frame = record.samps_per_frame or [1] * len(names)
    signals = record.e_p_signal if record.e_p_signal is not None else list(record.p_signal.T)
    streams, findings = [], []
    for name, unit, each, x in zip(names, record.units, per_frame, signals, strict=True):
        fs = float(record.fs) * each
        undefined = int(np.isnan(x).sum())
        if undefined == len(x):
            findings.append(f"{name}: expected samples, got none that is defined; left out")
            continue
        if undefined:
            findings.append(f"{name}: {undefined} of {len(x)} samples are undefined")
        streams.append(Stream(name, "wfdb", np.arange(len(x)) / fs, np.asarray(x, np.float64), str(unit or ""), fs))
    if not streams:
        raise DataError("*.hea: expected a record with samples, got none that is defined")
    findings += [
        f"label '{name}' is there {names.count(name)} times" for name in dict.fromkeys(names) if names.count(name) > 1
    ]
    if record.base_datetime is None and record.base_time is not None:
        findings.append("the header tells a time of day without a date; it is not used")
    text_t_s, texts = _annotations(record_name, float(record.fs))
    return Reading(tuple(streams), text_t_s, texts, tuple(findings), record.base_datetime)


def _annotations(record_name: str, fs: float) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], tuple[str, ...]]:
    """Annotations of the first annotator that is there: the note where there is one, else the symbol."""
    for annotator in _ANNOTATORS:
        if Path(f"{record_name}.{annotator}").is_file():
            try:
                found = wfdb.rdann(record_name, annotator)
            except Exception as error:
                raise DataError(
                    f"*.{annotator}: expected WFDB annotations, got some that wfdb cannot read ({type(error).__name__})"
                ) from None
            texts = tuple(
                (note or "").strip("\x00 ") or str(symbol)
                for note, symbol in zip(found.aux_note, found.symbol, strict=True)
            )
            return np.asarray(found.sample, dtype=np.float64) / float(found.fs or fs), texts
    return np.empty(0), ()
