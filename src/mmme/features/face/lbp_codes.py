"""
Binary codes of the pixels of a clip: where its neighbours in space and time are at least as bright as each.

Neighbours off the grid are interpolated linearly along each axis, at places rounded to 1e-5 px (scikit-image's rule). The
comparison is exact: for whole grey levels it is that of the real numbers, and in an area of one grey level, of whatever
kind, every bit is set. Float clips are compared as floats, not as bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["GRID", "Codes", "Pattern", "pattern_codes", "uniform_bins"]

#: Steps per pixel in which neighbours are placed. With it and 8 or 16 bits of grey level, all products below are whole
#: numbers under 2^53, which float64 holds without rounding.
GRID = 100_000
#: Centre frames worked on at a time: what they and their neighbours need stays in the processor's cache.
SLAB = 8

Place = tuple[int, int, int]
Image = NDArray[np.float64]
Codes = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, slots=True)
class Pattern:
    """
    Neighbours of a pixel.

    Parameters
    ----------
    plane
        Name, becomes part of column names.
    places
        Of the neighbours as (t, y, x) in steps of 1 / GRID, off the grid along two axes at most; the first one sets the
        lowest bit of the code.
    uniform
        Whether codes that are not uniform share a bin.
    """

    plane: str
    places: tuple[Place, ...]
    uniform: bool = False


@lru_cache(maxsize=16)
def uniform_bins(n: int) -> tuple[NDArray[np.intp], int]:
    """
    Return the bin of each code of n bits, and the number of bins: uniform codes in ascending order, then all others.

    Uniform is what changes at most twice between 0 and 1 going round (doi:10.1109/TPAMI.2002.1017623).

    Examples
    --------
    >>> bins, n_bins = uniform_bins(8)
    >>> n_bins, bins[[0, 1, 2, 3, 4, 5, 254, 255]].tolist()
    (59, [0, 1, 2, 3, 4, 58, 56, 57])
    """
    codes = np.arange(2**n)
    turned = (codes >> 1) | ((codes & 1) << (n - 1))
    changes = ((codes ^ turned)[:, None] >> np.arange(n) & 1).sum(axis=1)
    uniform = changes <= 2
    n_bins = int(uniform.sum()) + int(not uniform.all())
    return np.where(uniform, np.cumsum(uniform) - 1, n_bins - 1).astype(np.intp), n_bins


class _Slab:
    """
    Some centre frames with the frames around them, and what of them several comparisons share.

    Frames are flat: a neighbour is then a shift along one line, and every step below runs over memory without a gap. What
    wraps round from one row to the next lies in the border, where nothing is counted.
    """

    def __init__(self, clip: NDArray[Any], radii: tuple[int, int, int]) -> None:
        rx, ry, self.rt = radii
        self.width = clip.shape[2]
        self.clip = clip.reshape(len(clip), -1)
        self.exact = self.clip.astype(np.float64)
        self.scaled = GRID * self.exact
        self.start = ry * self.width + rx
        self.n = self.clip.shape[1] - 2 * self.start
        self.centre(0)

    def centre(self, i: int) -> None:
        """Make one frame the centre."""
        self.now = i + self.rt
        self.finest = GRID * self.scaled[self.now]
        self.kept: dict[tuple[int, ...], tuple[Image, Image]] = {}

    def reaches(self, place: Place) -> NDArray[np.bool_]:
        """Tell where the neighbour at a place is at least as bright as the centre, first inner pixel to last."""
        (kt, ft), (ky, fy), (kx, fx) = (divmod(q, GRID) for q in place)
        frame = self.now + kt
        here = self._part(ky * self.width + kx)
        between = [(axis, f) for axis, f in enumerate((ft, fy, fx)) if f]
        if not between:
            return np.asarray(self.clip[frame, here] >= self.clip[self.now, self._part(0)])
        once = self._between(frame, *between[0])
        if len(between) == 1:
            return once[here] >= self.scaled[self.now, self._part(0)]
        axis, f = between[1]  # a plane has no place that is off the grid along all three axes
        key = (frame, *between[0], axis)
        if key not in self.kept:
            self.kept[key] = (GRID * once, self._steps(once, axis))
        start, steps = self.kept[key]
        return _ahead(start[here], steps[here], f) >= self.finest[self._part(0)]

    def _part(self, shift: int) -> slice:
        return slice(self.start + shift, self.start + shift + self.n)

    def _steps(self, image: Image, axis: int) -> Image:
        stride = self.width if axis == 1 else 1
        return image[stride:] - image[:-stride]

    def _between(self, frame: int, axis: int, f: int) -> Image:
        """Interpolate f / GRID of the way to the next frame, row or column, in units of a grey level / GRID."""
        if (frame, axis, f) not in self.kept:
            self.kept = {}  # places come in order: what was made for the last is not needed again
            steps = self.exact[frame + 1] - self.exact[frame] if axis == 0 else self._steps(self.exact[frame], axis)
            self.kept[frame, axis, f] = (_ahead(self.scaled[frame, : len(steps)], steps, f), steps)
        return self.kept[frame, axis, f][0]


def _ahead(start: Image, steps: Image, f: int) -> Image:
    """Return ``start + f * steps`` in one pass."""
    return np.asarray(cv2.scaleAdd(steps, float(f), start)).reshape(-1)


def pattern_codes(
    clip: NDArray[np.generic], patterns: Sequence[Pattern], radii: tuple[int, int, int]
) -> Iterator[list[Codes]]:
    """Yield the flat code images of all patterns, for each frame that has neighbours before and after it."""
    rt = radii[2]
    places = sorted({place for pattern in patterns for place in pattern.places})  # planes share those along an axis
    for first in range(0, len(clip) - 2 * rt, SLAB):
        slab = _Slab(clip[first : first + SLAB + 2 * rt], radii)
        for i in range(len(slab.clip) - 2 * rt):
            slab.centre(i)
            compared = {place: slab.reaches(place).view(np.uint8) for place in places}
            images = []
            for pattern in patterns:
                code: NDArray[Any] = np.zeros(slab.n, dtype=np.uint8 if len(pattern.places) <= 8 else np.uint16)
                for bit, place in enumerate(pattern.places):
                    code |= compared[place] * code.dtype.type(1 << bit)
                images.append(code)
            yield images
