"""
What moves in a stretch of video, and by how much: turning waves (phase-based) or changing levels (linear).

Both ways of `mmme.features.face.magnification` stand here side by side: each prepares images, finds motion within a band of
frequencies stretch by stretch, and gives it to frames.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt, sosfilt_zi

from mmme.features.face.steerable import SteerableBand, SteerablePyramid

__all__ = ["Levels", "ToAndFro", "Waves"]

#: Of the filter in either direction; both together fall by 24 dB per octave.
_ORDER = 2
#: How far ahead the way back begins, in periods of the lower limit (of the upper one without): less than 1 % is missed.
_AHEAD_PERIODS = 1.5
#: Phases are averaged over so many wavelengths.
_SMOOTH_WAVES = 0.5
#: The finest level of the Laplacian pyramid holds waves of 2 to 8 px, each further level twice as long ones.
_FINEST_PX = 4.0
_COARSEST_PX = 8
#: Values that are filtered at once.
_STRIPE = 2_000_000


@dataclass(slots=True)
class ToAndFro:
    """
    A band-pass to and fro, whose way forward goes on from stretch to stretch.

    ``ahead`` is how many looks the way back begins ahead; beyond the end of the video what moved stays where it is.
    """

    sos: NDArray[np.float32]
    rest: NDArray[np.float32]
    ahead: int
    states: dict[int, NDArray[np.float32]] = field(default_factory=dict)

    @classmethod
    def of(cls, rate_hz: float, low_hz: float, high_hz: float) -> ToAndFro:
        """Make the filter [Hz]; a lower limit of 0 makes a low-pass."""
        kind, edges = ("bandpass", (low_hz, high_hz)) if low_hz > 0 else ("lowpass", high_hz)
        sos = butter(_ORDER, edges, kind, fs=rate_hz, output="sos")
        ahead = int(np.ceil(_AHEAD_PERIODS * rate_hz / (low_hz or high_hz)))
        return cls(sos.astype(np.float32), sosfilt_zi(sos).astype(np.float32), ahead)

    def __call__(self, place: int, x: NDArray[np.float32], n: int, *, ended: bool) -> NDArray[np.float32]:
        """Return the first ``n + 1`` values of what began at 0, or ``n`` and the last again at the end."""
        state = self.states.get(place)
        if state is None:
            state = np.zeros((len(self.sos), 2, *x.shape[1:]), np.float32)
        made = np.empty((n + 1, *x.shape[1:]), np.float32)
        height = max(1, _STRIPE // (len(x) * x.shape[2]))
        for top in range(0, x.shape[1], height):  # the filter makes several copies of what it is given
            rows = slice(top, top + height)
            made[:, rows], state[:, :, rows] = self._stripe(x[:, rows], state[:, :, rows], n, ended=ended)
        self.states[place] = state
        return made

    def _stripe(
        self, x: NDArray[np.float32], state: NDArray[np.float32], n: int, *, ended: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if ended:
            x = np.concatenate([x, np.repeat(x[-1:], self.ahead, axis=0)])
        head, state = sosfilt(self.sos, x[:n], axis=0, zi=state)
        forth = np.concatenate([head, sosfilt(self.sos, x[n:], axis=0, zi=state)[0]])
        settled = self.rest.reshape(*self.rest.shape, 1, 1) * forth[-1]
        return sosfilt(self.sos, forth[::-1], axis=0, zi=settled)[0][::-1][: n + 1], state


def _between(parts: NDArray[np.float32], place: NDArray[np.float64]) -> NDArray[np.float32]:
    """Interpolate linearly; the first of ``parts`` is at place -1."""
    left = np.floor(place).astype(np.intp)
    share = (place - left).astype(np.float32).reshape(-1, *[1] * (parts.ndim - 1))
    if not share.any():
        return parts[left + 1]
    return np.asarray(parts[left + 1] * (1 - share) + parts[left + 2] * share)


def _with_last(kept: NDArray[np.float32] | None, found: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put the last value of the stretch before in front."""
    return np.concatenate([found[:1] if kept is None else kept[-2:-1], found])


@dataclass(slots=True)
class Waves:
    """Motion as the turning of waves."""

    pyramid: SteerablePyramid
    alpha: float
    passed: ToAndFro
    turns: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    seen: dict[int, tuple[NDArray[np.complex64], NDArray[np.float32]]] = field(default_factory=dict)

    def prepared(self, images: NDArray[np.float32]) -> NDArray[np.complex64]:
        """Return what is kept of looks until they are due."""
        return self.pyramid.spectra(images)

    def find(self, ring: NDArray[np.complex64], n: int, *, ended: bool) -> None:
        """Find by how much the waves of the next ``n`` looks are to be turned."""
        for place, band in enumerate(self.pyramid.bands):
            waves = self.pyramid.analysed(ring, band)
            turn = self.passed(place, self._phases(place, waves, n), n, ended=ended)
            _smooth(turn, waves, band, self.pyramid.padded)
            turn *= self.alpha
            self.turns[place] = _with_last(self.turns.get(place), turn)  # at once: all of two stretches would not fit
            del waves, turn

    def _phases(self, place: int, waves: NDArray[np.complex64], n: int) -> NDArray[np.float32]:
        """Phases against the first look, followed from look to look so that far motion does not wrap."""
        before, phase = self.seen.get(place, (waves[0], np.zeros(waves.shape[1:], np.float32)))
        steps = np.conj(np.concatenate([before[None], waves[:-1]]))
        steps *= waves
        phases = np.arctan2(steps.imag, steps.real)
        phases[0] += phase
        np.cumsum(phases, axis=0, out=phases)
        self.seen[place] = (waves[n - 1].copy(), phases[n - 1].copy())
        return phases

    def moved(self, frames: NDArray[np.float32], place: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return frames at places of the stretch with their waves turned."""
        spectra = self.pyramid.spectra(frames)
        total = spectra * self.pyramid.rest
        for k, band in enumerate(self.pyramid.bands):
            waves = self.pyramid.analysed(spectra, band)
            turn = _between(self.turns[k], place)
            waves *= np.cos(turn) + 1j * np.sin(turn)
            self.pyramid.add(total, waves, band)
        return self.pyramid.images(total)


def _smooth(
    phases: NDArray[np.float32], waves: NDArray[np.complex64], band: SteerableBand, padded: tuple[int, int]
) -> None:
    """Average phases over their surroundings, weighted by how much there is of the wave; in place."""
    reach = _SMOOTH_WAVES * band.wavelength_px
    sigma_y, sigma_x = (max(reach * n / side, 1e-3) for n, side in zip(band.mask.shape, padded, strict=True))
    for k, phase in enumerate(phases):
        weight = np.abs(waves[min(k, len(waves) - 1)])
        weight += np.float32(1e-6) * (1 + weight.max())
        blurred = cv2.GaussianBlur(phase * weight, (0, 0), sigma_x, sigmaY=sigma_y)
        np.divide(blurred, cv2.GaussianBlur(weight, (0, 0), sigma_x, sigmaY=sigma_y), out=phase)


@dataclass(slots=True)
class Levels:
    """Motion as the change of grey levels, level by level of a Laplacian pyramid."""

    alpha: float
    wavelength_px: float
    passed: ToAndFro
    change: NDArray[np.float32] | None = None
    first: NDArray[np.float32] | None = None

    def prepared(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what is kept of looks until they are due: the images."""
        return images

    def find(self, ring: NDArray[np.float32], n: int, *, ended: bool) -> None:
        """Find what is to be added to the next ``n`` looks."""
        if self.first is None:
            self.first = ring[0].copy()
        finer = ring - self.first
        n_levels = max(1, int(np.log2(min(ring.shape[1:]) / _COARSEST_PX)))
        parts: list[NDArray[np.float32]] = []
        for level in range(n_levels + 1):
            coarser = _down(finer) if level < n_levels else None
            detail = finer if coarser is None else finer - _up(coarser, finer.shape[1:])
            parts.append(np.float32(self._gain(level)) * self.passed(level, detail, n, ended=ended))
            if coarser is not None:
                finer = coarser
        while len(parts) > 1:
            upper = parts.pop()
            parts[-1] += _up(upper, parts[-1].shape[1:])
        self.change = _with_last(self.change, parts[0])

    def _gain(self, level: int) -> float:
        """Gain of a level, so that what it adds still looks like motion."""
        reach = self.wavelength_px / (8 * (1 + self.alpha))
        return self.alpha if reach == 0 else float(np.clip(_FINEST_PX * 2**level / (8 * reach) - 1, 0, self.alpha))

    def moved(self, frames: NDArray[np.float32], place: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return frames at places of the stretch with the change added."""
        assert self.change is not None
        return np.asarray(frames + _between(self.change, place))


def _down(images: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.stack([cv2.pyrDown(image) for image in images])


def _up(images: NDArray[np.float32], size: tuple[int, ...]) -> NDArray[np.float32]:
    return np.stack([cv2.pyrUp(image, dstsize=(size[1], size[0])) for image in images])
