"""64-channel EEG with the four bipolar channels of the MMME layout, and what is planted in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfftfreq

from mmme.simulate.expressions import TrueExpression, expression_amplitude
from mmme.simulate.render import eyelid_closure
from mmme.simulate.responses import Response

__all__ = ["BIPOLAR", "EEG_NAMES", "eeg_uv", "electrode_position"]

# Neuroscan 64-channel cap in its order: 62 scalp electrodes and the mastoids M1, M2.
EEG_NAMES: tuple[str, ...] = (
    "FP1", "FPZ", "FP2", "AF3", "AF4", "F7", "F5", "F3", "F1", "FZ", "F2", "F4", "F6", "F8", "FT7", "FC5",
    "FC3", "FC1", "FCZ", "FC2", "FC4", "FC6", "FT8", "T7", "C5", "C3", "C1", "CZ", "C2", "C4", "C6", "T8",
    "M1", "TP7", "CP5", "CP3", "CP1", "CPZ", "CP2", "CP4", "CP6", "TP8", "M2", "P7", "P5", "P3", "P1", "PZ",
    "P2", "P4", "P6", "P8", "PO7", "PO5", "PO3", "POZ", "PO4", "PO6", "PO8", "CB1", "O1", "OZ", "O2", "CB2",
)  # fmt: skip
BIPOLAR: tuple[str, ...] = ("HEO", "VEO", "EKG", "EMG")

_ROWS = {
    "FP": 4.0, "AF": 3.1, "F": 2.0, "FT": 1.0, "FC": 1.0, "T": 0.0, "C": 0.0, "M": -1.4, "TP": -1.0, "CP": -1.0,
    "P": -2.0, "PO": -3.0, "O": -3.8, "CB": -4.2,
}  # fmt: skip
_SOURCES = 14


def electrode_position(name: str) -> tuple[float, float]:
    """
    Rough place of an electrode on a flat head, in steps of the cap.

    Parameters
    ----------
    name
        Of the electrode, for example ``FC5``.

    Returns
    -------
    tuple of float
        ``(x, y)``: x to the right -4..4, y to the front -4.2..4.

    Examples
    --------
    >>> electrode_position("F3"), electrode_position("CZ")
    ((-2.0, 2.0), (0.0, 0.0))
    """
    stem = name.rstrip("0123456789Z")
    digits = name[len(stem) :]
    y = _ROWS[stem]
    if digits == "Z":
        return 0.0, y
    number = int(digits)
    side = -1.0 if number % 2 else 1.0
    steps = (number + 1) // 2
    if stem == "M":
        return side * 5.0, y
    if stem in ("FP", "O", "CB"):
        return side * (1.3 if stem != "CB" else 2.0), y
    return side * float(steps), y


def _coloured(
    rng: np.random.Generator,
    rows: int,
    n: int,
    fs: float,
    gain: NDArray[np.float64] | None,
    band: tuple[float, float] | None,
) -> NDArray[np.float32]:
    """Gaussian noise of unit standard deviation, either with the given gain per frequency or flat in a band [Hz]."""
    length = next_fast_len(n, real=True)
    hz = rfftfreq(length, 1 / fs)
    if gain is None:
        assert band is not None
        gain = ((hz >= band[0]) & (hz <= band[1])).astype(float)
    spectrum = rng.standard_normal((rows, len(hz)), dtype=np.float32) + 1j * rng.standard_normal(
        (rows, len(hz)), dtype=np.float32
    )
    noise = irfft(spectrum * gain.astype(np.float32), length, axis=1)[:, :n]
    return np.asarray(noise / noise.std(axis=1, keepdims=True), dtype=np.float32)


def _one_over_f(n: int, fs: float) -> NDArray[np.float64]:
    """Amplitude gain of noise whose power falls with 1/f above 1 Hz."""
    hz = rfftfreq(next_fast_len(n, real=True), 1 / fs)
    return np.asarray(np.where(hz < 0.1, 0.0, 1.0 / np.sqrt(np.maximum(hz, 1.0))))


def _topography(x: float, y: float, width: float) -> NDArray[np.float32]:
    """Weight of every electrode around a place on the head."""
    place = np.array([electrode_position(name) for name in EEG_NAMES])
    return np.exp(-((place[:, 0] - x) ** 2 + (place[:, 1] - y) ** 2) / (2 * width**2)).astype(np.float32)


def _around_apex(t: NDArray[np.float64], responses: Sequence[Response], name: str) -> NDArray[np.float64]:
    """Change of a rhythm's amplitude: factor ``exp(value)`` during the second around each apex, with soft ends."""
    change = np.zeros(len(t))
    for r in responses:
        first, last = np.searchsorted(t, [r.apex_s - 0.75, r.apex_s + 0.75])
        ramp = np.clip((0.75 - np.abs(t[first:last] - r.apex_s)) / 0.25, 0.0, 1.0)
        change[first:last] += float(getattr(r, name)) * ramp
    return np.exp(change)


def _theta(rng: np.random.Generator, t: NDArray[np.float64], responses: Sequence[Response]) -> NDArray[np.float64]:
    """Bursts of 4-7 Hz in the half second after each onset, random phase [µV]."""
    wave = np.zeros(len(t))
    for r in responses:
        first, last = np.searchsorted(t, [r.onset_s, r.onset_s + 0.5])
        since = t[first:last] - r.onset_s
        hz, phase = rng.uniform(4.5, 6.5), rng.uniform(0, 2 * np.pi)
        wave[first:last] += r.theta_uv * np.sin(np.pi * since / 0.5) ** 2 * np.sin(2 * np.pi * hz * since + phase)
    return wave


def eeg_uv(
    rng: np.random.Generator,
    t: NDArray[np.float64],
    fs: float,
    *,
    expressions: Sequence[TrueExpression],
    responses: Sequence[Response],
    blinks: Sequence[tuple[float, float]],
    ecg: NDArray[np.float64],
) -> NDArray[np.float32]:
    """
    All 68 channels of the EEG amplifier.

    Background 1/f activity from shared sources and each electrode, posterior alpha, frontal left and right alpha and
    frontocentral beta that change around each apex, frontal midline theta after each onset, blinks in the frontal
    electrodes and VEO, and muscle noise over frontal and temporal electrodes while an expression lasts.

    Parameters
    ----------
    rng
        Source of chance.
    t : (n,) float64
        True times of the samples [s].
    fs
        Sampling rate [Hz].
    expressions
        That move muscles.
    responses
        Planted changes.
    blinks
        Start and length [s].
    ecg : (n,) float64
        Heart signal for the channel EKG [mV].

    Returns
    -------
    (68, n) float32
        [µV], `EEG_NAMES` then `BIPOLAR`.

    Examples
    --------
    >>> t = np.arange(0, 4, 0.004)
    >>> eeg_uv(np.random.default_rng(0), t, 250.0, expressions=[], responses=[], blinks=[], ecg=0 * t).shape
    (68, 1000)
    """
    n = len(t)
    pink = _one_over_f(n, fs)
    columns: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []

    def add(topography: NDArray[np.float32], wave: NDArray[np.float32] | NDArray[np.float64]) -> None:
        columns.append((topography, wave.astype(np.float32)))

    for wave in _coloured(rng, _SOURCES, n, fs, pink, None):
        add(_topography(rng.uniform(-4, 4), rng.uniform(-4, 4), 2.2), np.float32(5.0) * wave)
    alpha = _coloured(rng, 5, n, fs, None, (8.5, 11.5))
    for wave, x in zip(alpha[:3], (-1.8, 0.0, 1.8), strict=True):
        add(_topography(x, -3.2, 1.8), rng.uniform(5.0, 9.0) * wave)
    add(_topography(-2.6, 2.0, 1.1), 4.5 * alpha[3] * _around_apex(t, responses, "alpha_left"))
    add(_topography(2.6, 2.0, 1.1), 4.5 * alpha[4] * _around_apex(t, responses, "alpha_right"))
    beta = _coloured(rng, 1, n, fs, None, (15.0, 25.0))[0]
    add(_topography(0.0, 1.0, 1.5), 2.5 * beta * _around_apex(t, responses, "beta"))
    add(_topography(0.0, 1.8, 1.3), _theta(rng, t, responses))
    closure = eyelid_closure(t, blinks)
    add(_topography(0.0, 4.6, 1.6), rng.uniform(110.0, 160.0) * closure)

    data = np.empty((len(EEG_NAMES) + len(BIPOLAR), n), np.float32)
    scalp = data[: len(EEG_NAMES)]
    np.matmul(np.stack([w for w, _ in columns], axis=1), np.stack([wave for _, wave in columns]), out=scalp)
    for row in scalp:
        row += np.float32(1.5) * rng.standard_normal(n, dtype=np.float32)
    scalp += 2.0 * _coloured(rng, 1, n, fs, pink, None)  # activity of the reference
    temporal = np.maximum(_topography(-4.2, 1.2, 1.4), _topography(4.2, 1.2, 1.4)) + 0.3 * _topography(0.0, 4.0, 2.0)
    for e in expressions:
        first, last = np.searchsorted(t, [e.onset_s, e.offset_s])
        envelope = expression_amplitude(t[first:last], e.onset_s, e.apex_s, e.offset_s)
        muscle = rng.standard_normal((len(EEG_NAMES), last - first), dtype=np.float32)
        scalp[:, first:last] += (4.0 * e.amplitude_px * temporal[:, None] * envelope * muscle).astype(np.float32)

    drift = 15.0 * _coloured(rng, 2, n, fs, pink, None)
    data[-4] = drift[0]
    data[-3] = drift[1] - 320.0 * closure
    data[-2] = 1000.0 * 0.9 * ecg
    data[-1] = 6.0 * rng.standard_normal(n, dtype=np.float32)
    return data
