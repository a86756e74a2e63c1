"""Peripheral signals as functions of true time, with planted responses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from mmme.simulate.expressions import TrueExpression, expression_amplitude
from mmme.simulate.responses import Response

__all__ = ["Body", "draw_body", "ecg_mv", "eda_us", "emg_mv", "heart_rate_bpm", "ppg_v", "rsp_v", "skt_c"]

_GRID_HZ = 50.0  # of the slow states: phase of breathing, instantaneous heart rate

# Waves of one heart beat: time from the R peak [s] (scaled with the beat's length for T and P), width [s], size [mV].
_ECG_WAVES = ((-0.18, 0.025, 0.12), (-0.026, 0.009, -0.12), (0.0, 0.010, 1.1), (0.028, 0.010, -0.25), (0.26, 0.045, 0.28))


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """
    The slow states of one body over a session.

    Parameters
    ----------
    grid : (n,) float64
        True times of the states [s].
    breath : (n,) float64
        Phase of breathing [rad].
    bpm : (n,) float64
        Instantaneous heart rate [beats/min].
    beats : (n_beats,) float64
        True times of R peaks [s].
    temperature : (n,) float64
        Skin temperature [°C].
    conductance : (n,) float64
        Skin conductance [µS].
    pulse : (n,) float64
        Relative amplitude of the pulse wave.
    """

    grid: NDArray[np.float64]
    breath: NDArray[np.float64]
    bpm: NDArray[np.float64]
    beats: NDArray[np.float64]
    temperature: NDArray[np.float64]
    conductance: NDArray[np.float64]
    pulse: NDArray[np.float64]


def _after(t: NDArray[np.float64], start: float, peak_s: float, end_s: float) -> NDArray[np.float64]:
    """Rise from ``start`` to 1 after ``peak_s``, and back to 0 after ``end_s``."""
    return expression_amplitude(t, start, start + peak_s, start + end_s)


def _slow_noise(rng: np.random.Generator, n: int, seconds: float) -> NDArray[np.float64]:
    """Gaussian noise of unit standard deviation that changes within about ``seconds``."""
    noise = gaussian_filter1d(rng.standard_normal(n), seconds * _GRID_HZ, mode="reflect")
    return np.asarray((noise - noise.mean()) / noise.std())


def _conductance(rng: np.random.Generator, t: NDArray[np.float64], responses: Sequence[Response]) -> NDArray[np.float64]:
    """Tonic level, spontaneous and planted responses (0.7 s rise, 3 s decay) [µS]."""
    level = rng.uniform(3.0, 9.0) + 0.25 * _slow_noise(rng, len(t), 15.0)
    starts = [(r.onset_s + r.scr_latency_s, r.scr_us) for r in responses]
    spontaneous = rng.poisson(1.5 / 60 * (t[-1] - t[0]))
    starts += list(zip(rng.uniform(t[0], t[-1], spontaneous), rng.uniform(0.03, 0.2, spontaneous), strict=True))
    rise, decay = 0.7, 3.0
    peak_s = np.log(decay / rise) * rise * decay / (decay - rise)
    largest = np.exp(-peak_s / decay) - np.exp(-peak_s / rise)
    for start, size in starts:
        since = np.maximum(t - start, 0.0)
        level = level + size * (np.exp(-since / decay) - np.exp(-since / rise)) / largest
    return np.asarray(np.maximum(level, 0.3))


def draw_body(rng: np.random.Generator, start_s: float, stop_s: float, responses: Sequence[Response]) -> Body:
    """
    Draw the slow states of a body and plant responses in them.

    Parameters
    ----------
    rng
        Source of chance.
    start_s, stop_s
        Stretch of true time [s] that is needed.
    responses
        Planted reactions.

    Returns
    -------
    Body
        States on a 50 Hz grid, and heart beats.

    Examples
    --------
    >>> body = draw_body(np.random.default_rng(0), 0.0, 60.0, [])
    >>> 40 < len(body.beats) < 120
    True
    """
    t = np.arange(start_s - 2.0, stop_s + 2.0, 1 / _GRID_HZ)
    n = len(t)
    breathing = rng.uniform(13.0, 17.0) + 0.8 * _slow_noise(rng, n, 8.0)
    bpm = rng.uniform(62.0, 82.0) + 1.5 * _slow_noise(rng, n, 10.0)
    slope = rng.normal(0, 2e-4) + 4e-4 * _slow_noise(rng, n, 20.0)
    pulse = 1.0 + 0.05 * _slow_noise(rng, n, 6.0)
    for r in responses:
        breathing += r.rsp_per_min * _after(t, r.onset_s, 1.5, 5.0)
        bpm += r.hr_bpm * _after(t, r.onset_s, 2.5, 6.0)
        slope += r.skt_c_per_s * ((t >= r.onset_s) & (t < r.onset_s + 6.0)) / 2
        pulse *= 1.0 - r.ppg_dip * _after(t, r.onset_s, 3.0, 7.0)
    breath = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.cumsum(breathing) / 60 / _GRID_HZ
    bpm = bpm + rng.uniform(1.5, 3.5) * np.sin(breath)
    temperature = rng.uniform(31.5, 34.0) + np.cumsum(slope) / _GRID_HZ
    turns = np.cumsum(bpm / 60) / _GRID_HZ + rng.uniform()
    beats = np.interp(np.arange(np.ceil(turns[0]), turns[-1]), turns, t)
    beats = beats + rng.normal(0, 0.004, len(beats))
    return Body(t, breath, bpm, beats, temperature, _conductance(rng, t, responses), pulse)


def heart_rate_bpm(body: Body, t: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Heart rate from the last full beat, held, as a monitor shows it.

    Parameters
    ----------
    body
        Whose.
    t : (n,)
        True times [s].

    Returns
    -------
    (n,) float64
        [beats/min].

    Examples
    --------
    >>> body = draw_body(np.random.default_rng(0), 0.0, 20.0, [])
    >>> bool(np.all(heart_rate_bpm(body, np.arange(5.0, 15.0)) > 40))
    True
    """
    last = np.clip(np.searchsorted(body.beats, t, side="right") - 1, 1, len(body.beats) - 1)
    return np.asarray(60.0 / (body.beats[last] - body.beats[last - 1]))


def ecg_mv(rng: np.random.Generator, body: Body, t: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Electrocardiogram: P, Q, R, S and T as Gaussian waves around each beat, baseline wander with breathing, noise.

    Parameters
    ----------
    rng
        Source of the noise.
    body
        Whose.
    t : (n,)
        True sample times [s].

    Returns
    -------
    (n,) float64
        [mV].

    Examples
    --------
    >>> body = draw_body(np.random.default_rng(0), 0.0, 20.0, [])
    >>> float(ecg_mv(np.random.default_rng(0), body, np.arange(0.0, 20.0, 0.001)).max()) > 0.8
    True
    """
    wave = 0.06 * np.sin(np.interp(t, body.grid, body.breath)) + rng.normal(0, 0.012, len(t))
    after = np.searchsorted(body.beats, t)
    for neighbour in (-1, 0):
        beat = np.clip(after + neighbour, 0, len(body.beats) - 1)
        since = t - body.beats[beat]
        stretch = np.sqrt(60.0 / np.interp(body.beats, body.grid, body.bpm))[beat]
        for centre, width, size in _ECG_WAVES:
            place = centre * stretch if abs(centre) > 0.1 else centre
            wave += size * np.exp(-0.5 * ((since - place) / width) ** 2)
    return np.asarray(wave)


def ppg_v(rng: np.random.Generator, body: Body, t: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Photoplethysmogram: a systolic and a dicrotic wave 0.2 s and more after each beat, scaled by the pulse amplitude.

    Parameters
    ----------
    rng
        Source of the noise.
    body
        Whose.
    t : (n,)
        True sample times [s].

    Returns
    -------
    (n,) float64
        [V].

    Examples
    --------
    >>> body = draw_body(np.random.default_rng(0), 0.0, 20.0, [])
    >>> float(np.ptp(ppg_v(np.random.default_rng(0), body, np.arange(0.0, 20.0, 0.01)))) > 0.5
    True
    """
    wave = 0.05 * np.sin(np.interp(t, body.grid, body.breath)) + rng.normal(0, 0.008, len(t))
    after = np.searchsorted(body.beats, t)
    sizes = np.interp(body.beats, body.grid, body.pulse)
    for neighbour in (-2, -1):
        beat = after + neighbour
        known = (beat >= 0) & (beat < len(body.beats))
        beat = np.clip(beat, 0, len(body.beats) - 1)
        since = t - body.beats[beat]
        pulse = np.exp(-0.5 * ((since - 0.36) / 0.085) ** 2) + 0.35 * np.exp(-0.5 * ((since - 0.62) / 0.10) ** 2)
        wave += known * sizes[beat] * pulse
    return np.asarray(wave)


def rsp_v(rng: np.random.Generator, body: Body, t: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Respiration belt [V] at true sample times; breathing in is upward.

    Examples
    --------
    >>> body = draw_body(np.random.default_rng(0), 0.0, 20.0, [])
    >>> rsp_v(np.random.default_rng(0), body, np.arange(5.0)).shape
    (5,)
    """
    phase = np.interp(t, body.grid, body.breath)
    return np.asarray(1.2 * np.sin(phase) + 0.15 * np.sin(2 * phase + 0.6) + rng.normal(0, 0.01, len(t)))


def eda_us(rng: np.random.Generator, body: Body, t: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Skin conductance [µS] at true sample times.

    Examples
    --------
    >>> body = draw_body(np.random.default_rng(0), 0.0, 20.0, [])
    >>> bool(np.all(eda_us(np.random.default_rng(0), body, np.arange(5.0)) > 0))
    True
    """
    return np.asarray(np.interp(t, body.grid, body.conductance) + rng.normal(0, 0.002, len(t)))


def skt_c(rng: np.random.Generator, body: Body, t: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Skin temperature [°C] at true sample times, in steps of 0.0006 °C as a receiver gives it.

    Examples
    --------
    >>> body = draw_body(np.random.default_rng(0), 0.0, 20.0, [])
    >>> bool(np.all(skt_c(np.random.default_rng(0), body, np.arange(5.0)) > 25))
    True
    """
    exact = np.interp(t, body.grid, body.temperature) + rng.normal(0, 0.0015, len(t))
    return np.asarray(np.rint(exact / 0.0006) * 0.0006)


def emg_mv(
    rng: np.random.Generator, t: NDArray[np.float64], expressions: Sequence[TrueExpression], size: float = 0.03
) -> NDArray[np.float64]:
    """
    Surface electromyogram: noise that grows while any expression lasts; it carries no emotion.

    Parameters
    ----------
    rng
        Source of the noise.
    t : (n,)
        True sample times [s].
    expressions
        That move muscles.
    size
        Standard deviation at the apex of an expression of 1 px [mV]; 0.004 mV at rest.

    Returns
    -------
    (n,) float64
        [mV].

    Examples
    --------
    >>> emg_mv(np.random.default_rng(0), np.arange(5.0), []).shape
    (5,)
    """
    spread = np.full(len(t), 0.004)
    for e in expressions:
        first, last = np.searchsorted(t, [e.onset_s, e.offset_s])
        spread[first:last] += size * e.amplitude_px * expression_amplitude(t[first:last], e.onset_s, e.apex_s, e.offset_s)
    return np.asarray(spread * rng.standard_normal(len(t)))
