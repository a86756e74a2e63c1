"""
Pulse rate from the colour of a face (remote photoplethysmography), with a quality that says when there is none.

The spectrum (Hann) of each window of some 10 s is padded with zeros to steps of less than 0.5 bpm; its highest peak between
42 and 240 bpm, refined by a parabola, is the rate. Two rates closer than 2 / window (12 bpm at 10 s) are one peak. The
quality is the power around that peak and around its double, against the power of the rest of the band [dB].

A rate is given only where the quality reaches `MIN_SNR_DB`, both methods (`mmme.features.face.pulse_wave`) agree,
brightness does not swing far more at that very rate, and skin is not overexposed; elsewhere it is NaN with the reason.
What cannot be told from a pulse is a light that changes colour, towards green and back, at the rate of a pulse
(docs/rppg.md).

References
----------
de Haan & Jeanne (2013), signal-to-noise ratio of a pulse, doi:10.1109/TBME.2013.2266196.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import detrend

from mmme.errors import ConfigError, DataError
from mmme.features.face.landmarks import FaceFinder, FaceMesh, NoFaceError
from mmme.features.face.pulse_wave import BAND_HZ, GRID_HZ, PulseWave, pulse_wave
from mmme.features.face.skin_colour import has_colour, skin_trace
from mmme.features.tables import feature_table, missing_table
from mmme.features.windows import SAME_S, Windows, cut, first_reason, windows_around
from mmme.interval import Interval
from mmme.types import FeatureTable, Sample, Stream

__all__ = ["COLUMNS", "MIN_SNR_DB", "PulseCurve", "pulse_around", "pulse_curve", "pulse_features", "pulse_rates"]

COLUMNS = ("rppg_hr_bpm", "rppg_snr_db", "rppg_disagreement_bpm", "rppg_brightness_ratio")

#: Half widths of what counts as pulse around the rate and around its double [Hz]: a Hann window of 10 s is that wide.
PEAK_HZ, HARMONIC_HZ = 0.2, 0.2
STEP_BPM = 0.5
#: Below, a rate is not given; see docs/rppg.md for how it was chosen.
MIN_SNR_DB = 3.0
#: Rates of POS and CHROM further apart are not given [bpm].
MAX_APART_BPM = 3.0
#: Brightness that swings this many times more than the pulse at the very rate of the pulse is its likely source.
MAX_BRIGHTNESS = 10.0
#: Share of the skin with a channel at 255 beyond which light that swings is cut off and looks like a pulse.
MAX_OVEREXPOSED = 0.05
#: Shortest window of a rate [s].
SHORTEST_S = 4.0
#: Seconds on both sides of windows that are read too, so that both methods have a whole window of their own at the ends.
AROUND_S = 1.6
_ROWS = 512

NO_COLOUR = "the video is grey: no pulse from the face"
NO_FACE = "no face is seen"
NO_FRAMES = "no frames in the window"


@dataclass(frozen=True, slots=True, eq=False)
class PulseCurve:
    """
    Pulse rate through time.

    Parameters
    ----------
    t : (k,) float64
        Middles of the windows [s].
    window_s
        Their length [s].
    bpm : (k,) float64
        Rate; NaN where ``why`` says why.
    snr_db : (k,) float64
        Quality of the POS spectrum [dB]; NaN without a face.
    disagreement_bpm : (k,) float64
        Distance between the rates of POS and CHROM.
    brightness_ratio : (k,) float64
        Swing of the brightness at the rate found, against that of the pulse.
    why : (k,) str
        Empty where there is a rate.
    """

    t: NDArray[np.float64]
    window_s: float
    bpm: NDArray[np.float64]
    snr_db: NDArray[np.float64]
    disagreement_bpm: NDArray[np.float64]
    brightness_ratio: NDArray[np.float64]
    why: NDArray[np.str_]

    @property
    def valid_share(self) -> float:
        """Share of the windows that have a rate; NaN without windows."""
        return float(np.mean(self.why == "")) if len(self.why) else float("nan")


def pulse_rates(wave: PulseWave, windows: Windows) -> PulseCurve:
    """
    Rate and quality of the pulse in each window.

    Parameters
    ----------
    wave
        The pulse.
    windows
        ``k`` windows of one length, at least 4 s.

    Returns
    -------
    PulseCurve
        One row per window, in its order.

    Raises
    ------
    ConfigError
        If the windows are too short.

    Examples
    --------
    >>> from mmme.features.face.skin_colour import SkinTrace
    >>> t = np.arange(0, 12, 1 / 60)
    >>> beat = 1 + 0.005 * np.sin(2 * np.pi * 1.2 * t)[:, None] * np.array([0.33, 0.77, 0.53])
    >>> wave = pulse_wave(SkinTrace(t, np.array([200.0, 150.0, 120.0]) * beat))
    >>> found = pulse_rates(wave, Windows(np.array([1.0, 5.0]), 10.0))
    >>> found.bpm.round(1).tolist(), found.why.tolist()
    ([72.0, nan], ['', 'window leaves the recording'])
    """
    _expect_length(windows.duration_s)
    k = windows.start_s.size
    courses = [wave.signal(x) for x in (wave.pos, wave.chrom, wave.brightness)]
    values, over = np.full((4, k), np.nan), np.zeros(k)
    outside, unseen = windows.outside(courses[0]), windows.touches_bad(courses[0])
    usable = np.flatnonzero(~outside & ~unseen)
    for start in range(0, len(usable), _ROWS):
        some = usable[start : start + _ROWS]
        part = Windows(windows.start_s[some], windows.duration_s)
        values[:, some] = _described(*(cut(course, part) for course in courses))
        over[some] = cut(wave.signal(wave.overexposed), part).mean(axis=1)
    bpm, snr_db, apart, ratio = values
    why = first_reason(
        k,
        (outside, "window leaves the recording"),
        (unseen, NO_FACE),
        (np.isneginf(bpm), "colour does not change"),
        (np.isnan(bpm), "no peak between 42 and 240 bpm"),
        (over > MAX_OVEREXPOSED, f"more than {MAX_OVEREXPOSED:.0%} of the skin is overexposed"),
        (snr_db < MIN_SNR_DB, f"signal quality below {MIN_SNR_DB:g} dB"),
        (ratio > MAX_BRIGHTNESS, "brightness swings at the same rate: light or movement"),
        (~(apart <= MAX_APART_BPM), f"POS and CHROM are more than {MAX_APART_BPM:g} bpm apart"),
    )
    bpm = np.where(why == "", bpm, np.nan)
    return PulseCurve(windows.start_s + windows.duration_s / 2, windows.duration_s, bpm, snr_db, apart, ratio, why)


def _described(
    by_pos: NDArray[np.float64], by_chrom: NDArray[np.float64], brightness: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Rate [bpm] (minus infinity where nothing changes), quality [dB], disagreement [bpm], brightness ratio: ``(4, k)``."""
    f, power = _spectra(by_pos)
    band = (f >= BAND_HZ[0]) & (f <= BAND_HZ[1])
    found = _peaks(f, power, band)
    apart = 60 * np.abs(_peaks(f, _spectra(by_chrom)[1], band) - found)
    near = np.abs(f[None] - found[:, None]) <= PEAK_HZ
    pulse = band & (near | (np.abs(f[None] - 2 * found[:, None]) <= HARMONIC_HZ))
    total, inside = (power * band).sum(axis=1), (power * pulse).sum(axis=1)
    still = by_pos.std(axis=1) < 1e-9
    with np.errstate(divide="ignore", invalid="ignore"):
        snr_db = 10 * np.log10(inside / (total - inside))
        ratio = np.sqrt((_spectra(brightness)[1] * near).sum(axis=1) / (power * near).sum(axis=1))
    rate = np.where(still, -np.inf, 60 * found)
    return np.stack([rate, *(np.where(still | np.isnan(found), np.nan, v) for v in (snr_db, apart, ratio))])


def _spectra(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies [Hz] in steps of less than `STEP_BPM`, and the power of each row, less its line, under a Hann window."""
    n = rows.shape[1]
    padded = 1 << int(np.ceil(np.log2(max(n, GRID_HZ * 60 / STEP_BPM))))
    spectrum = np.fft.rfft(detrend(rows, axis=1) * np.hanning(n), padded, axis=1)
    return np.fft.rfftfreq(padded, 1 / GRID_HZ), np.asarray(np.abs(spectrum) ** 2, dtype=np.float64)


def _peaks(f: NDArray[np.float64], power: NDArray[np.float64], band: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Frequency of the highest peak of each row in the band, by a parabola through its logarithm; NaN without a peak."""
    peak = (power[:, 1:-1] > power[:, :-2]) & (power[:, 1:-1] >= power[:, 2:]) & band[1:-1]
    at = np.where(peak, power[:, 1:-1], 0.0).argmax(axis=1) + 1
    rows = np.arange(len(power))
    with np.errstate(divide="ignore", invalid="ignore"):
        low, mid, high = np.log(power[rows, at - 1]), np.log(power[rows, at]), np.log(power[rows, at + 1])
        moved = 0.5 * (low - high) / (low - 2 * mid + high)
    return np.where(peak[rows, at - 1] & np.isfinite(moved), f[at] + moved * (f[1] - f[0]), np.nan)


def pulse_curve(
    video: Stream,
    span: Interval | None = None,
    *,
    window_s: float = 10.0,
    step_s: float = 1.0,
    finder: FaceFinder | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PulseCurve:
    """
    Follow the pulse rate of a face.

    Parameters
    ----------
    video
        Frames in colour (``x.colour(i)``), at least 10 per second.
    span
        Part of the video; all of it by default.
    window_s, step_s
        Length of the windows and from one to the next [s].
    finder
        Detector; the face mesh by default.
    progress
        Called with frames done, and all.

    Returns
    -------
    PulseCurve
        Windows from the first frame on; none where the video is shorter than one.

    Raises
    ------
    DataError
        If the video is grey or too slow, or shows no face.
    ConfigError
        If windows are shorter than 4 s or do not move on.
    """
    _expect_length(window_s)
    if not step_s > 0:
        raise ConfigError(f"step: expected above 0 s, got {step_s:g} s")
    trace = skin_trace(video, span, finder=finder, progress=progress)
    if trace.is_grey:
        raise DataError(
            f"{video.device}: expected a video in colour, got a grey picture; a pulse is in the colour of the skin"
        )
    wave = pulse_wave(trace)
    n = int(np.floor((len(wave.t) / GRID_HZ - window_s) / step_s + SAME_S)) + 1
    start_s = wave.t[:1] - 0.5 / GRID_HZ + np.arange(max(0, n)) * step_s
    return pulse_rates(wave, Windows(start_s, window_s))


def pulse_around(video: Stream, windows: Windows, *, finder: FaceFinder | None = None) -> PulseCurve:
    """
    Pulse rate in given windows; only the frames in and near them are read.

    Parameters
    ----------
    video
        Frames in colour (``x.colour(i)``), at least 10 per second.
    windows
        ``k`` windows of one length, at least 4 s.
    finder
        Detector; the face mesh by default.

    Returns
    -------
    PulseCurve
        One row per window, in its order; windows without a face or colour have that as reason.

    Raises
    ------
    DataError
        If there are fewer than 10 frames per second.
    ConfigError
        If windows are shorter than 4 s.
    """
    _expect_length(windows.duration_s)
    k = windows.start_s.size
    values = np.full((4, k), np.nan)
    why = np.full(k, "window leaves the recording" if has_colour(video) else NO_COLOUR, dtype=object)
    inside = (windows.start_s >= video.t[0] - SAME_S) & (windows.stop_s <= video.t[-1] + SAME_S) & has_colour(video)
    groups = _together(windows, np.flatnonzero(inside))
    with nullcontext(finder) if finder is not None or not groups else FaceMesh() as looking:
        for some in groups:
            part = Windows(windows.start_s[some], windows.duration_s)
            span = Interval(float(part.start_s.min()) - AROUND_S, float(part.stop_s.max()) + AROUND_S)
            if np.ptp(video.between(span).indices(len(video))[:2]) < 2:
                why[some] = NO_FRAMES
                continue
            try:
                trace = skin_trace(video, span, finder=looking)
            except NoFaceError:
                why[some] = NO_FACE
                continue
            if trace.is_grey:
                why[some] = NO_COLOUR
                continue
            found = pulse_rates(pulse_wave(trace), part)
            values[:, some] = found.bpm, found.snr_db, found.disagreement_bpm, found.brightness_ratio
            why[some] = found.why
    bpm, snr_db, apart, ratio = values
    middle_s = windows.start_s + windows.duration_s / 2
    return PulseCurve(middle_s, windows.duration_s, bpm, snr_db, apart, ratio, why.astype(str))


def _together(windows: Windows, which: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Group windows whose surroundings overlap, so that each frame is read once."""
    ordered = which[np.argsort(windows.start_s[which], kind="stable")]
    apart = np.diff(windows.start_s[ordered]) > windows.duration_s + 2 * AROUND_S
    return [group for group in np.split(ordered, np.flatnonzero(apart) + 1) if group.size]


def _expect_length(window_s: float) -> None:
    """Refuse windows that hold too few beats."""
    if not window_s >= SHORTEST_S:
        raise ConfigError(f"window: expected at least {SHORTEST_S:g} s for a pulse rate, got {window_s:g} s")


def pulse_features(
    video: Stream,
    samples: Sequence[Sample],
    *,
    before_s: float = 5.0,
    after_s: float = 5.0,
    finder: FaceFinder | None = None,
) -> FeatureTable:
    """
    Pulse rate from the face in a window around each apex, with its quality.

    Parameters
    ----------
    video
        Frames on the clock of the samples.
    samples
        Moments to describe.
    before_s, after_s
        Window ``[apex - before_s, apex + after_s)``, at least 4 s.
    finder
        Detector; the face mesh by default.

    Returns
    -------
    FeatureTable
        ``rppg_hr_bpm``; ``rppg_snr_db``, ``rppg_disagreement_bpm`` and ``rppg_brightness_ratio`` as in `PulseCurve`, also
        where they refuse the rate. NaN with its reason elsewhere, everywhere where the video is grey.

    Raises
    ------
    ConfigError
        If the window is shorter than 4 s.
    DataError
        If there are fewer than 10 frames per second.
    """
    windows = windows_around(samples, before_s=before_s, after_s=after_s)
    _expect_length(windows.duration_s)
    if not has_colour(video):
        return missing_table(samples, COLUMNS, NO_COLOUR)
    found = pulse_around(video, windows, finder=finder)
    measured = first_reason(len(samples), *((found.why == r, r) for r in np.unique(found.why[np.isnan(found.snr_db)])))
    columns = {COLUMNS[0]: (found.bpm, found.why)}
    for name, values in zip(COLUMNS[1:], (found.snr_db, found.disagreement_bpm, found.brightness_ratio), strict=True):
        columns[name] = (values, measured)
    return feature_table(samples, columns)
