"""
The pulse wave in the colour of the skin, by two methods.

Blood absorbs green more than red: with every beat the mean colour of the skin moves a little, by about 0.5 % in green, in
a direction of its own. POS and CHROM project the colour so that changes of brightness (light, movement) cancel and that
direction stays. Frames are first averaged over thirtieths of a second at their true times, so that nothing depends on
the frame rate.

References
----------
Wang, den Brinker, Stuijk & de Haan (2017), POS, doi:10.1109/TBME.2016.2609282.
de Haan & Jeanne (2013), CHROM, doi:10.1109/TBME.2013.2266196.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from mmme.errors import DataError
from mmme.features.face.skin_colour import SkinTrace
from mmme.features.sampling import Regular

__all__ = ["BAND_HZ", "GRID_HZ", "PulseWave", "chrom", "pos", "pulse_wave"]

#: 42 to 240 beats a minute.
BAND_HZ = (0.7, 4.0)
#: Rate on which everything is computed [Hz], whatever the camera's.
GRID_HZ = 30.0
#: Windows of both methods [s] (Wang 2017: 32 frames at 20 Hz).
METHOD_S = 1.6
#: Frames further apart are a gap, not jitter [s].
GAP_S = 0.25
#: Slower cameras do not show the fastest pulse [Hz].
SLOWEST_HZ = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class PulseWave:
    """
    The pulse as two methods see it, and the brightness of the skin, at 30 Hz.

    Parameters
    ----------
    t : (n,) float64
        Times [s], evenly spaced.
    pos, chrom : (n,) float64
        Relative change of colour; 0 where ``bad``.
    brightness : (n,) float64
        Relative change of the mean of red, green and blue against 1.6 s around; 0 where ``bad``.
    bad : (n,) bool
        True where there is no face, no frame for 0.25 s, or less than 1.6 s of both in one piece.
    overexposed : (n,) float64
        Share of the skin of which a channel stands at its end, 0..1; 0 where it is not known, or ``bad``.
    """

    t: NDArray[np.float64]
    pos: NDArray[np.float64]
    chrom: NDArray[np.float64]
    brightness: NDArray[np.float64]
    bad: NDArray[np.bool_]
    overexposed: NDArray[np.float64]

    def signal(self, x: NDArray[np.float64]) -> Regular:
        """Return one of the courses as samples for windows; each holds for the thirtieth of a second around its time."""
        return Regular(self.t - 0.5 / GRID_HZ, x, self.bad, GRID_HZ)


def pos(rgb: NDArray[np.float64], fs_hz: float) -> NDArray[np.float64]:
    """
    Pulse by the plane orthogonal to skin (POS).

    In every window of 1.6 s colour is divided by its mean, projected on green - blue and green + blue - 2 red, and these
    are added with weights that make them equally large; windows begin at every sample and are averaged. The projection of a
    window is linear in colour, so that the average over all windows is one product per sample, exact and without a loop.

    Parameters
    ----------
    rgb : (n, 3) float64
        Mean colour of the skin, above 0, evenly sampled, finite.
    fs_hz
        Rate [Hz].

    Returns
    -------
    (n,) float64
        Relative change of colour; NaN when there are less than 1.6 s.

    References
    ----------
    Wang, den Brinker, Stuijk & de Haan (2017), algorithm 1, doi:10.1109/TBME.2016.2609282.

    Examples
    --------
    >>> t = np.arange(300) / 30
    >>> beat = 0.005 * np.sin(2 * np.pi * 1.2 * t)[:, None] * np.array([0.33, 0.77, 0.53])
    >>> light = 1 + 0.05 * np.sin(2 * np.pi * 1.7 * t)[:, None]
    >>> found = pos(np.array([200.0, 150.0, 120.0]) * (1 + beat) * light, 30.0)
    >>> np.fft.rfftfreq(300, 1 / 30)[np.abs(np.fft.rfft(found)).argmax()].round(2)
    1.2
    """
    n, length = len(rgb), max(2, round(METHOD_S * fs_hz))
    if n < length:
        return np.full(n, np.nan)
    level = rgb / rgb.mean(axis=0)  # near 1: sums of squares keep their digits
    mean = _window_means(level, length)
    plane = np.array([[0.0, 1.0, -1.0], [-2.0, 1.0, 1.0]])
    second = _window_means((level[:, :, None] - 1) * (level[:, None, :] - 1), length)
    covariance = second - (mean - 1)[:, :, None] * (mean - 1)[:, None, :]
    rows = plane[None] / mean[:, None, :]  # of every window: from colour to the two projections
    variance = np.maximum(np.einsum("wpi,wij,wpj->wp", rows, covariance, rows), 0.0)
    ratio = np.zeros(len(mean))
    np.divide(np.sqrt(variance[:, 0]), np.sqrt(variance[:, 1]), out=ratio, where=variance[:, 1] > 1e-20)
    weights = rows[:, 0] + ratio[:, None] * rows[:, 1]  # (windows, 3); the weighted colour of a window has mean 0
    total = np.concatenate([np.zeros((1, 3)), np.cumsum(weights, axis=0)])
    last = np.minimum(np.arange(n), len(mean) - 1)
    first = np.maximum(np.arange(n) - length + 1, 0)
    over = (total[last + 1] - total[first]) / (last + 1 - first)[:, None]
    return np.asarray((over * level).sum(axis=1))


def _window_means(x: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Mean over every stretch of ``length`` rows, ``(n - length + 1, ...)``."""
    total = np.concatenate([np.zeros((1, *x.shape[1:])), np.cumsum(x, axis=0)])
    return np.asarray((total[length:] - total[:-length]) / length)


def chrom(rgb: NDArray[np.float64], fs_hz: float) -> NDArray[np.float64]:
    """
    Pulse by chrominance (CHROM).

    In windows of 1.6 s that overlap by half, colour is divided by its mean, X = 3 R - 2 G and Y = 1.5 R + G - 1.5 B are
    band-passed (0.7 to 4 Hz, third-order Butterworth, both ways), and X less Y, scaled to the size of X, is added up
    under Hann windows.

    Parameters
    ----------
    rgb : (n, 3) float64
        Mean colour of the skin, above 0, evenly sampled, finite.
    fs_hz
        Rate [Hz], above 8.

    Returns
    -------
    (n,) float64
        Relative change of colour; NaN when there are less than 1.6 s.

    References
    ----------
    de Haan & Jeanne (2013), equations 11 to 15, doi:10.1109/TBME.2013.2266196.

    Examples
    --------
    >>> t = np.arange(300) / 30
    >>> beat = 0.005 * np.sin(2 * np.pi * 1.2 * t)[:, None] * np.array([0.33, 0.77, 0.53])
    >>> found = chrom(np.array([200.0, 150.0, 120.0]) * (1 + beat), 30.0)
    >>> np.fft.rfftfreq(300, 1 / 30)[np.abs(np.fft.rfft(found)).argmax()].round(2)
    1.2
    """
    n, length = len(rgb), 2 * max(1, round(METHOD_S * fs_hz / 2))
    if n < length:
        return np.full(n, np.nan)
    starts = np.unique([*range(0, n - length + 1, length // 2), n - length])
    rows = sliding_window_view(rgb, length, axis=0)[starts]  # (windows, 3, length)
    level = rows / rows.mean(axis=2, keepdims=True)
    red, green, blue = level[:, 0], level[:, 1], level[:, 2]
    band = butter(3, BAND_HZ, "bandpass", fs=fs_hz, output="sos")
    x = sosfiltfilt(band, 3 * red - 2 * green, axis=1)
    y = sosfiltfilt(band, 1.5 * red + green - 1.5 * blue, axis=1)
    spread = y.std(axis=1)
    ratio = np.zeros(len(starts))
    np.divide(x.std(axis=1), spread, out=ratio, where=spread > 1e-10)
    hann = np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2
    added, weight = np.zeros(n), np.zeros(n)
    for start, part in zip(starts, (x - ratio[:, None] * y) * hann, strict=True):
        added[start : start + length] += part
        weight[start : start + length] += hann
    return added / weight


def pulse_wave(trace: SkinTrace) -> PulseWave:
    """
    Compute the pulse from the colour of the skin, whatever the frame rate.

    Parameters
    ----------
    trace
        Colour at the times of the frames.

    Raises
    ------
    DataError
        If there are fewer than 10 frames per second.

    Examples
    --------
    >>> t = np.arange(0, 12, 1 / 150)
    >>> beat = 1 + 0.005 * np.sin(2 * np.pi * 1.2 * t)[:, None] * np.array([0.33, 0.77, 0.53])
    >>> wave = pulse_wave(SkinTrace(t, np.array([200.0, 150.0, 120.0]) * beat))
    >>> len(wave.t), bool(wave.bad.any())
    (359, False)
    """
    rate_hz = 1.0 / float(np.median(np.diff(trace.t)))
    if rate_hz < SLOWEST_HZ:
        raise DataError(f"expected at least {SLOWEST_HZ:g} frames per second for a pulse, got {rate_hz:.2f} per second")
    t, rgb = _evenly(trace)
    wave = {name: np.full(len(t), np.nan) for name in ("pos", "chrom", "brightness")}
    length = round(METHOD_S * GRID_HZ)
    seen = np.isfinite(rgb[:, 0]) & (rgb > 0).all(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], seen, [False]])))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - start < length:
            continue
        piece = rgb[start:stop]
        wave["pos"][start:stop], wave["chrom"][start:stop] = pos(piece, GRID_HZ), chrom(piece, GRID_HZ)
        mean = piece.mean(axis=1)
        around = _window_means(np.pad(mean, (length // 2, length - length // 2 - 1), mode="edge"), length)
        wave["brightness"][start:stop] = mean / around - 1
    bad = ~np.isfinite(wave["pos"])
    by_pos, by_chrom, brightness = (np.where(bad, 0.0, wave[name]) for name in ("pos", "chrom", "brightness"))
    return PulseWave(t, by_pos, by_chrom, brightness, bad, _overexposed(trace, t, bad))


def _overexposed(trace: SkinTrace, t: NDArray[np.float64], bad: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of overexposed skin at 30 Hz."""
    if trace.overexposed is None:
        return np.zeros(len(t))
    known = np.isfinite(trace.overexposed)
    if not known.any():
        return np.zeros(len(t))
    return np.where(bad, 0.0, np.interp(t, trace.t[known], trace.overexposed[known]))


def _evenly(trace: SkinTrace) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Average colour over thirtieths of a second: the exact mean of the straight lines between frames.

    Faster cameras so give less noise, slower and uneven ones are bridged; NaN where a gap or a frame without face lies.
    """
    seen = np.isfinite(trace.rgb[:, 0])
    t, rgb = trace.t, np.where(seen[:, None], trace.rgb, 0.0)
    step = np.diff(t)
    broken = (step > GAP_S) | ~seen[1:] | ~seen[:-1]
    area = np.concatenate([np.zeros((1, 3)), np.cumsum(0.5 * (rgb[1:] + rgb[:-1]) * step[:, None], axis=0)])
    edge = t[0] + np.arange(int(np.floor((t[-1] - t[0]) * GRID_HZ + 1e-6)) + 1) / GRID_HZ
    left = np.clip(np.searchsorted(t, edge, side="right") - 1, 0, len(step) - 1)
    into = (edge - t[left])[:, None]
    slope = (rgb[left + 1] - rgb[left]) / step[left, None]
    until = area[left] + rgb[left] * into + 0.5 * slope * into**2
    holes = np.concatenate([[0], np.cumsum(broken)])
    last = np.clip(np.searchsorted(t, edge[1:], side="left") - 1, 0, len(step) - 1)
    mean = np.diff(until, axis=0) * GRID_HZ
    mean[holes[last + 1] > holes[left[:-1]]] = np.nan
    return edge[:-1] + 0.5 / GRID_HZ, mean
