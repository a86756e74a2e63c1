"""
Muscle activity around a moment, from one or two surface EMG channels: strength, when it starts, and its median frequency.

The muscle moves the face, so activity starts before an expression is seen: latencies against an apex are mostly negative.

References
----------
Fridlund and Cacioppo (1986), Guidelines for human electromyographic research, doi:10.1111/j.1469-8986.1986.tb00676.x.
Hodges and Bui (1996), onset by a threshold above rest, doi:10.1016/0921-884X(96)95190-5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mmme.errors import DataError
from mmme.features.body.doubts import marked_share
from mmme.features.body.levels import levels, means
from mmme.features.body.muscle_power import PACE_HZ, SPECTRA_HZ, MusclePower, muscle_power
from mmme.features.quality import Verdict, verdict_from
from mmme.features.sampling import Regular, expect_unit, regular, unreadable
from mmme.features.tables import Column, feature_table
from mmme.features.windows import Occasions, Windows, either, first_reason, occasions_around, too_short
from mmme.types import FeatureTable, Sample, Stream

__all__ = ["COLUMNS", "Muscle", "emg_columns", "emg_features", "read_emg"]

_MEASURES = ("rms_uv", "log_rms", "peak_uv", "change", "onset_s", "median_hz")
COLUMNS = tuple(f"emg_{side}_{measure}" for side in "ab" for measure in _MEASURES)

#: Range at or below which a channel is flat [V]: a hundredth of the noise of a good amplifier.
FLAT_V = 1e-8
#: Lower rates hold too little of what a muscle makes.
LEAST_HZ = 200.0
#: Length of the envelope's windows [s].
ENVELOPE_S = 0.05
#: An onset lies this many standard deviations above rest, for at least this long [s]; Hodges and Bui (1996).
ONSET_SDS, ONSET_LASTS_S = 3.0, 0.05
#: Rest is described by at least this much [s].
REST_NEEDS_S = 1.0
#: A spectrum needs at least this much [s].
SPECTRUM_NEEDS_S = 1.0
#: Surface EMG of a face stays below this; more is a cable or an electrode that moved [µV].
HIGHEST_UV = 5000.0
#: More than this share of the power within 1 Hz of mains frequency or its multiples is hum.
HUM_SHARE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """
    One muscle.

    Parameters
    ----------
    refused
        Why nothing can be computed; empty when usable.
    power
        Its power every 10 ms, in the band of muscles.
    """

    refused: str
    power: MusclePower


@dataclass(frozen=True, slots=True, eq=False)
class Muscle:
    """
    EMG of one or two channels, analysed once.

    Parameters
    ----------
    refused
        Why nothing can be computed from the first channel; empty when usable.
    verdict
        What speaks against each channel, second by second.
    channels
        One or two.
    """

    refused: str
    verdict: Verdict
    channels: tuple[Channel, ...]


def read_emg(stream: Stream, second: Stream | None = None) -> Muscle:
    """
    Filter, measure and judge EMG.

    Parameters
    ----------
    stream
        One or more channels [V], session time; the first two are used.
    second
        The second muscle where it is a stream of its own (``emg_b``).

    Raises
    ------
    DataError
        If a unit is not V.

    Examples
    --------
    >>> x = 1e-5 * np.random.default_rng(0).standard_normal(20_000)
    >>> muscle = read_emg(Stream("emg", "biopac", np.arange(20_000) / 1000, x, "V", 1000.0))
    >>> muscle.refused, len(muscle.channels), muscle.verdict.over_all()
    ('', 1, (1.0, ''))
    """
    read: list[Channel] = []
    verdicts: list[Verdict] = []
    for signal in _signals(stream, second):
        channel, verdict = _read(signal)
        if read and np.array_equal(read[0].power.t, channel.power.t):  # one copy of the times
            channel = replace(channel, power=replace(channel.power, t=read[0].power.t))
        read.append(channel)
        verdicts.append(verdict)
    n = max(v.codes.shape[1] for v in verdicts)
    codes = np.ones((len(verdicts), n), dtype=np.uint8)  # 1: samples are missing, where one channel is shorter
    for row, verdict in zip(codes, verdicts, strict=True):
        row[: verdict.codes.shape[1]] = verdict.codes[0]
    parts = ("emg_a", "emg_b")[: len(read)] if len(read) > 1 else ()
    return Muscle(read[0].refused, Verdict(verdicts[0].start_s, codes, verdicts[0].causes, parts), tuple(read))


def _signals(stream: Stream, second: Stream | None) -> list[Regular]:
    """One or two channels, each on its own."""
    expect_unit(stream, "V")
    signals = [regular(stream)]
    if signals[0].x.ndim == 2:
        first = signals[0]
        signals = [Regular(first.t, first.x[:, j], first.bad, first.fs_hz) for j in range(min(2, first.x.shape[1]))]
    if second is not None and len(signals) == 1:
        expect_unit(second, "V")
        other = regular(second)
        if other.x.ndim != 1:
            raise DataError(f"stream '{second.name}': expected one channel of a second muscle, got {other.x.shape[1]}")
        signals.append(other)
    return signals


def _read(signal: Regular) -> tuple[Channel, Verdict]:
    """Measure and judge one channel."""
    refused = unreadable(signal, flat=FLAT_V)
    if not refused and signal.fs_hz < LEAST_HZ:
        refused = f"EMG at {signal.fs_hz:.3g} Hz, needs {LEAST_HZ:g} Hz"
    power = muscle_power(signal, flat_v=FLAT_V, silent=bool(refused))
    second = np.minimum(np.arange(power.flat.size) * SPECTRA_HZ / PACE_HZ, power.hum_share.size - 1).astype(np.int64)
    doubts = {
        "signal is flat": power.flat,
        "signal is clipped": power.clipped,
        f"above {HIGHEST_UV / 1e3:g} mV": power.mean_square > HIGHEST_UV**2,
        "mains hum exceeds muscle": power.hum_share[second] > HUM_SHARE,
    }
    return Channel(refused, power), verdict_from(power.squares, doubts)


def emg_columns(muscle: Muscle, occasions: Occasions) -> dict[str, Column]:
    """
    Describe occasions by their muscle activity.

    Parameters
    ----------
    muscle
        The recording, analysed.
    occasions
        ``k`` windows, their baselines and events.

    Returns
    -------
    dict of str to Column
        For the first two muscles, ``emg_a_`` and ``emg_b_``, between 20 and 450 Hz (0.45 of the rate where that is less):
        ``rms_uv`` of the window; ``log_rms`` mean natural logarithm of the envelope (RMS of 50 ms, in µV), which a single
        burst moves less; ``peak_uv`` largest envelope; ``change`` of ``log_rms`` against the baseline; ``onset_s`` when the
        envelope first exceeds the baseline's mean by 3 standard deviations for at least 50 ms, minus the event: negative
        before it, to 10 ms; ``median_hz`` half of the power lies below it, to 4 Hz, in windows of at least 1 s.

    Examples
    --------
    >>> t = np.arange(20_000) / 1000
    >>> x = np.where((t >= 10.0) & (t < 10.4), 5e-5, 4e-6) * np.random.default_rng(0).standard_normal(t.size)
    >>> muscle = read_emg(Stream("emg", "biopac", t, x, "V", 1000.0))
    >>> at = np.array([10.2])
    >>> columns = emg_columns(muscle, Occasions(Windows(at - 1.0, 2.0), Windows(at - 4.0, 3.0), at))
    >>> round(float(columns["emg_a_onset_s"][0][0]), 1), columns["emg_b_change"][1].tolist()
    (-0.2, ['no second EMG channel'])
    """
    columns: dict[str, Column] = {}
    for index, side in enumerate("ab"):
        if index < len(muscle.channels) and not muscle.channels[index].refused:
            found = _described(muscle.channels[index], occasions)
        else:
            missing = "no second EMG channel" if index >= len(muscle.channels) else muscle.channels[index].refused
            nothing = (np.full(len(occasions), np.nan), np.full(len(occasions), missing))
            found = dict.fromkeys(_MEASURES, nothing)
        columns |= {f"emg_{side}_{name}": found[name] for name in _MEASURES}
    return columns


def _described(channel: Channel, occasions: Occasions) -> dict[str, Column]:
    """Measures of one muscle."""
    windows, squares = occasions.windows, channel.power.squares
    why = _reasons(channel, windows, "window")
    envelope = _envelope(squares)
    logs = Regular(squares.t, np.log(np.maximum(envelope.x, 1e-6)), squares.bad, squares.fs_hz)
    here = means(logs, windows)
    if occasions.baseline is None:
        why_change, change = occasions.uncompared(), np.full(why.size, np.nan)
        onset = (change, why_change)
    else:
        why_change = either(why, _reasons(channel, occasions.baseline, "baseline"))
        change = here - means(logs, occasions.baseline)
        why_onset = either(why_change, too_short(occasions.baseline, REST_NEEDS_S, what="baseline"))
        onset = _onset(squares, envelope, occasions, either(occasions.eventless(), why_onset))
    peaks = _largest(envelope, windows)
    median_hz = channel.power.median_hz(windows)
    return {
        "rms_uv": (np.sqrt(np.maximum(means(squares, windows), 0.0)), why),
        "log_rms": (here, why),
        "peak_uv": (peaks, why),
        "change": (change, why_change),
        "onset_s": onset,
        "median_hz": (median_hz, either(why, too_short(windows, SPECTRUM_NEEDS_S))),
    }


def _reasons(channel: Channel, of: Windows, what: str) -> NDArray[np.str_]:
    """Say why windows cannot be used."""
    power = channel.power
    signal = power.squares
    marks = {"flat": power.flat, "cut": power.clipped, "strong": power.mean_square > HIGHEST_UV**2}
    share = {name: marked_share(marked, signal, of) for name, marked in marks.items()}
    return first_reason(
        of.start_s.size,
        (of.outside(signal), f"{what} leaves the recording"),
        (of.touches_bad(signal), f"{what} touches missing samples"),
        (share["flat"] > 0, f"signal is flat in the {what}"),
        (share["cut"] > 0, f"signal is clipped in the {what}"),
        (share["strong"] > 0, f"above {HIGHEST_UV / 1e3:g} mV in the {what}"),
    )


def _envelope(squares: Regular) -> Regular:
    """RMS of the 50 ms around each 10 ms [µV]."""
    n = round(ENVELOPE_S * PACE_HZ)
    total = np.concatenate([[0.0], np.cumsum(squares.x)])
    first = np.clip(np.arange(squares.x.size) - n // 2, 0, max(0, squares.x.size - n))
    mean = (total[np.minimum(first + n, squares.x.size)] - total[first]) / n
    return Regular(squares.t, np.sqrt(np.maximum(mean, 0.0)), squares.bad, squares.fs_hz)


def _largest(envelope: Regular, windows: Windows) -> NDArray[np.float64]:
    """Largest envelope of each window, ``(k,)``."""
    n = min(windows.n_samples(envelope), envelope.x.size)
    return np.asarray(sliding_window_view(envelope.x, n)[windows.first_sample(envelope)].max(axis=1))


def _onset(squares: Regular, envelope: Regular, occasions: Occasions, why: NDArray[np.str_]) -> Column:
    """First rise of each window above rest that lasts, relative to the event [s]."""
    assert occasions.baseline is not None
    rest = levels(envelope, occasions.baseline)
    threshold = rest.mean + ONSET_SDS * rest.sd
    windows, lasts = occasions.windows, round(ONSET_LASTS_S * PACE_HZ)
    n, first = min(windows.n_samples(envelope), envelope.x.size), windows.first_sample(envelope)
    above = sliding_window_view(envelope.x, n)[first] > threshold[:, None]
    count = np.cumsum(np.pad(above, ((0, 0), (1, 0))), axis=1)
    held = count[:, lasts:] - count[:, :-lasts] == lasts if n >= lasts else np.zeros((why.size, 1), dtype=bool)
    some = held.any(axis=1)
    start = first + np.argmax(held, axis=1)
    # The envelope looks 20 ms ahead: the onset is the first of its own 10 ms above the threshold from there on.
    near = np.clip(start[:, None] + np.arange(lasts + 1), 0, squares.x.size - 1)
    start = start + np.argmax(squares.x[near] > threshold[:, None] ** 2, axis=1)
    onset = squares.t[np.minimum(start, squares.t.size - 1)] - occasions.at_s
    none = first_reason(why.size, (~some, f"no activity {ONSET_SDS:g} SD above the baseline"))
    return np.where(some, onset, np.nan), either(why, none)


def emg_features(
    stream: Stream,
    samples: Sequence[Sample],
    *,
    before_s: float = 1.0,
    after_s: float = 1.0,
    baseline_s: float = 2.0,
    second: Stream | None = None,
) -> FeatureTable:
    """
    Muscle activity in a window around each apex, against the seconds before.

    The default window is the second before and the second after the apex: an expression's muscles are active from before
    its onset on. The baseline is the 2 s before that.

    Parameters
    ----------
    stream
        EMG [V], session time; the first two channels are used.
    samples
        Moments to describe.
    before_s, after_s
        Window ``[apex - before_s, apex + after_s)``.
    baseline_s
        Length of the baseline, which ends where the window begins [s].
    second
        The second muscle where it is a stream of its own.

    Returns
    -------
    FeatureTable
        `COLUMNS`, see `emg_columns`; NaN with its reason where there is no value.

    Raises
    ------
    DataError
        If a unit is not V.
    ConfigError
        If a window has no length.

    Examples
    --------
    >>> from mmme.interval import Interval
    >>> x = 1e-5 * np.random.default_rng(0).standard_normal(20_000)
    >>> stream = Stream("emg", "biopac", np.arange(20_000) / 1000, x, "V", 1000.0)
    >>> table = emg_features(stream, [Sample("a", "S01", "sad-1", "sad", 9.9, 10.0, 10.2, Interval(0.0, 20.0))])
    >>> round(float(table.X[0, 0]))
    9
    """
    occasions = occasions_around(samples, before_s=before_s, after_s=after_s, baseline_s=baseline_s)
    return feature_table(samples, emg_columns(read_emg(stream, second), occasions))
