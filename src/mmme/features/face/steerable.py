"""
Complex steerable pyramid: an image as waves of few lengths and directions, whose phases are where things are.

Built from masks in the Fourier domain (after doi:10.1023/A:1026553619983; used for motion by
doi:10.1145/2461912.2461966). Only one of each pair of opposite frequencies is kept, so that coefficients are complex and
a shift of the image turns their phase. Each band keeps just the rectangle of frequencies it lives in: its coefficients
are as many as it needs, and carry no more than the phase *between* images, which is all that motion asks for.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft2, ifft2, irfft2, next_fast_len, rfft2

from mmme.errors import ConfigError, DataError

__all__ = ["SteerableBand", "SteerablePyramid", "steerable_pyramid"]

#: Below this share of the peak a band is cut off; what is cut stays in the rest, so that nothing is lost.
_NEGLIGIBLE = 0.02
_LEAST_PX = 16


@dataclass(frozen=True, slots=True, eq=False)
class SteerableBand:
    """
    Waves of about one length and direction.

    Parameters
    ----------
    wavelength_px
        Length in the middle of the band [px].
    direction
        Of the wave [rad]: 0 are upright stripes, which move across; pi/2 lying ones; y runs downwards.
    mask : (rows, columns) float32
        How much of each frequency.
    places : (rows, columns) intp
        Where the frequencies are in the flat half spectrum of a real image.
    mirrored : (columns,) bool
        Where the opposite frequency is there instead.
    twin_rows : (rows,) intp
        Where the opposite of each frequency of ``upright`` is in the flat half spectrum.
    upright
        Column of frequencies that do not change across, of which the half spectrum has both opposites; -1 without.
    """

    wavelength_px: float
    direction: float
    mask: NDArray[np.float32]
    places: NDArray[np.intp]
    mirrored: NDArray[np.bool_]
    twin_rows: NDArray[np.intp]
    upright: int


@dataclass(frozen=True, slots=True, eq=False)
class SteerablePyramid:
    """
    Masks for images of one size; made by `steerable_pyramid`.

    Parameters
    ----------
    shape
        Height and width of the images [px].
    padded
        The same with mirrored borders, so that the left border does not see the right one.
    bands
        From short waves to long ones.
    rest : (padded height, padded width // 2 + 1) float32
        Share of each frequency that no band holds: the very shortest and the longest waves.
    """

    shape: tuple[int, int]
    padded: tuple[int, int]
    bands: tuple[SteerableBand, ...]
    rest: NDArray[np.float32]

    def spectra(self, images: NDArray[np.float32]) -> NDArray[np.complex64]:
        """Return the half spectra ``(k, *rest.shape)`` of images ``(k, *shape)``."""
        if images.ndim != 3 or images.shape[1:] != self.shape:
            raise DataError(f"steerable pyramid: expected images (k, {self.shape[0]}, {self.shape[1]}), got {images.shape}")
        top, left = (self.padded[0] - self.shape[0]) // 2, (self.padded[1] - self.shape[1]) // 2
        bottom, right = self.padded[0] - self.shape[0] - top, self.padded[1] - self.shape[1] - left
        found = np.empty((len(images), *self.rest.shape), np.complex64)
        for image, target in zip(images, found, strict=True):
            wide = cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_REFLECT_101)
            target[...] = rfft2(wide)
        return found

    def analysed(self, spectra: NDArray[np.complex64], band: SteerableBand) -> NDArray[np.complex64]:
        """Return the coefficients ``(k, *band.mask.shape)`` of a band."""
        part = np.take(spectra.reshape(len(spectra), -1), band.places, axis=1)
        part.imag[:, :, band.mirrored] *= -1
        part *= band.mask
        return np.asarray(ifft2(part, axes=(1, 2), overwrite_x=True))

    def add(self, total: NDArray[np.complex64], coefficients: NDArray[np.complex64], band: SteerableBand) -> None:
        """Add what a band contributes to the half spectra of the images."""
        part = fft2(coefficients, axes=(1, 2))
        part *= band.mask
        flat = total.reshape(len(total), -1)
        if band.upright >= 0:
            flat[:, band.twin_rows] += part[:, :, band.upright].conj()
        # In two steps: both of a pair of opposites may be in the rectangle, and adding to one place twice adds once.
        flat[:, band.places[:, ~band.mirrored]] += part[:, :, ~band.mirrored]
        if band.mirrored.any():
            flat[:, band.places[:, band.mirrored]] += part[:, :, band.mirrored].conj()

    def images(self, total: NDArray[np.complex64]) -> NDArray[np.float32]:
        """Return images ``(k, *shape)`` from half spectra to which rest and bands have been added."""
        top, left = (self.padded[0] - self.shape[0]) // 2, (self.padded[1] - self.shape[1]) // 2
        made = np.empty((len(total), *self.shape), np.float32)
        for one, image in zip(total, made, strict=True):
            image[...] = irfft2(one, self.padded)[top : top + self.shape[0], left : left + self.shape[1]]
        return made


def steerable_pyramid(shape: tuple[int, int], *, octaves: float = 1.0, directions: int = 4) -> SteerablePyramid:
    """
    Make the masks for images of a size.

    Parameters
    ----------
    shape
        Height and width [px], at least 16 each.
    octaves
        From one band to the next; 0.5 with 8 directions follows about twice the shift, at twice the work.
    directions
        Bands per wavelength.

    Returns
    -------
    SteerablePyramid
        Adding all bands and the rest gives the image back (to rounding), whatever the parameters.

    Raises
    ------
    ConfigError
        If the bands are not between an eighth of an octave and one, or there are fewer than two directions.
    DataError
        If the images are too small.

    Examples
    --------
    >>> pyramid = steerable_pyramid((32, 40))
    >>> image = np.random.default_rng(0).uniform(0, 255, (1, 32, 40)).astype(np.float32)
    >>> spectra = pyramid.spectra(image)
    >>> total = spectra * pyramid.rest
    >>> for band in pyramid.bands:
    ...     pyramid.add(total, pyramid.analysed(spectra, band), band)
    >>> bool(np.abs(pyramid.images(total) - image).max() < 1e-3)
    True
    """
    if not (0.125 <= octaves <= 1 and directions >= 2):
        raise ConfigError(
            f"steerable pyramid: expected 0.125 to 1 octaves and at least 2 directions, got {octaves:g} and {directions}"
        )
    if min(shape) < _LEAST_PX:
        raise DataError(f"steerable pyramid: expected images of at least {_LEAST_PX} px, got {shape[0]} x {shape[1]} px")
    height, width = (next_fast_len(side + 2 * max(8, min(shape) // 16)) for side in shape)
    down, across = (np.fft.fftfreq(n) for n in (height, width))
    with np.errstate(divide="ignore"):
        level = np.log2(np.hypot(down[:, None], across))  # octaves below one wave per pixel
    angle = np.arctan2(down[:, None], across)
    norm = np.sqrt(2.0 ** (2 * directions - 2) / (directions * comb(2 * directions - 2, directions - 1)))
    rest = np.ones((height, width))
    bands = []
    first = -1.0 - octaves  # the shortest waves of the first band are two pixels long
    for k in range(1 + int((np.log2(min(shape)) - 1 + first) / octaves)):
        middle = first - k * octaves
        away = np.abs(level - middle)
        ring = np.cos(0.5 * np.pi * np.minimum(away / octaves, 1))
        for direction in np.pi * np.arange(directions) / directions:
            mask = ring * norm * np.maximum(np.cos(angle - direction), 0) ** (directions - 1)
            mask[mask <= _NEGLIGIBLE * mask.max()] = 0
            mask = mask.astype(np.float32).astype(np.float64)
            rest -= mask**2 + np.roll(mask[::-1, ::-1] ** 2, 1, axis=(0, 1))
            bands.append(_trimmed(mask, 2.0**-middle, float(direction)))
    return SteerablePyramid(shape, (height, width), tuple(bands), rest[:, : width // 2 + 1].astype(np.float32))


def _trimmed(mask: NDArray[np.float64], wavelength_px: float, direction: float) -> SteerableBand:
    """Cut a mask down to the rectangle of frequencies that matter, of a size that transforms fast."""
    height, width = mask.shape
    half = width // 2 + 1
    rows, columns = (_stretch((mask > 0).any(axis=1 - axis)) for axis in (0, 1))
    mirrored = columns >= half
    there = np.where(mirrored, (-columns) % width, columns)
    down = np.where(mirrored[None, :], (-rows[:, None]) % height, rows[:, None])
    upright = np.flatnonzero(columns == 0)
    return SteerableBand(
        wavelength_px,
        direction,
        mask[rows[:, None], columns].astype(np.float32),
        down * half + there[None, :],
        mirrored,
        ((-rows) % height) * half,
        int(upright[0]) if len(upright) else -1,
    )


def _stretch(wanted: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Places of a stretch of frequencies, negative ones included, that holds all that are wanted."""
    n = len(wanted)
    numbers = np.rint(np.fft.fftfreq(n) * n).astype(np.intp)[wanted]
    low, high = int(numbers.min()), int(numbers.max())
    length = min(next_fast_len(high - low + 1), n)
    return np.arange(low, low + length) % n
