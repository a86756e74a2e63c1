"""All signals of the body at once, on the session clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from mmme.errors import ConfigError, DataError, unknown_name
from mmme.features.body import ecg, eda, ppg, rsp, skt
from mmme.features.brain import eeg
from mmme.features.tables import missing_table
from mmme.types import FeatureTable, Sample, Timeline

__all__ = ["COLUMNS", "SIGNALS", "body_features"]

#: What describes each stream, called with its default windows.
SIGNALS: Mapping[str, Callable[..., FeatureTable]] = MappingProxyType(
    {
        "eeg": eeg.eeg_features,
        "ecg": ecg.ecg_features,
        "ppg": ppg.ppg_features,
        "eda": eda.eda_features,
        "rsp": rsp.rsp_features,
        "skt": skt.skt_features,
    }
)
#: The columns each of them makes, known without a recording.
COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "eeg": eeg.COLUMNS,
        "ecg": ecg.COLUMNS,
        "ppg": ppg.COLUMNS,
        "eda": eda.COLUMNS,
        "rsp": rsp.COLUMNS,
        "skt": skt.COLUMNS,
    }
)


def body_features(timeline: Timeline, samples: Sequence[Sample], *, signals: Sequence[str] | None = None) -> FeatureTable:
    """
    Join the features of several signals, each with its default window.

    Tables of different subjects have the same columns and can be stacked (`mmme.features.tables.stack`): the columns of a
    signal that this subject lacks are NaN with the reason ``no stream 'eda'``.

    Parameters
    ----------
    timeline
        Streams of one subject in session time.
    samples
        Moments of the same subject.
    signals
        Names from `SIGNALS`, in the order of the columns; all of them by default.

    Returns
    -------
    FeatureTable
        One row per sample, in order.

    Raises
    ------
    ConfigError
        If a signal is unknown, named twice, or none is named.
    DataError
        If a sample is of another subject, or a stream is not in its stored unit.

    Examples
    --------
    >>> import numpy as np
    >>> from mmme.interval import Interval
    >>> from mmme.types import Markers, Stream
    >>> t = np.arange(0, 80, 0.1)
    >>> skt = Stream("skt", "biopac", t, 33.0 + 0.2 * t / 60, "°C", 10.0)
    >>> none = Markers("eeg", np.empty(0), np.empty(0, dtype=np.int64))
    >>> timeline = Timeline("S01", "01", {"skt": skt}, none, {}, {"skt": skt.span})
    >>> sample = Sample("S01-101", "S01", "sad-1", "sad", 29.9, 30.0, 30.2, Interval(0.0, 60.0))
    >>> table = body_features(timeline, [sample], signals=["skt", "eda"])
    >>> table.X.shape, table.reasons
    ((1, 18), ('', "no stream 'eda'"))
    """
    names = list(SIGNALS) if signals is None else list(signals)
    for name in names:
        if name not in SIGNALS:
            raise unknown_name("signal of the body", name, SIGNALS)
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"signals: expected each signal once and at least one, got {', '.join(names) or 'none'}")
    foreign = sorted({s.subject for s in samples} - {timeline.subject})
    if foreign:
        raise DataError(
            f"timeline {timeline.subject}: expected samples of {timeline.subject}, got some of {', '.join(foreign)}"
        )
    tables = [
        SIGNALS[name](timeline.streams[name], samples)
        if name in timeline.streams
        else missing_table(samples, COLUMNS[name], f"no stream '{name}'")
        for name in names
    ]
    joined = tables[0]
    for table in tables[1:]:
        joined = joined.joined(table)
    return joined
