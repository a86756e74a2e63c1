"""
How much a face differs from what it was before and will be after, by the methods of spotting without training.

Every method looks at three registered faces, ``reach`` before a moment, at it, and ``reach`` after, and at nothing else, so
that a recording of any length is read once and never held. All of them say nothing at the ends and without a face.

References
----------
lbp-chi2: Moilanen et al. 2014, doi:10.1109/ICPR.2014.303; Li et al. 2018, arXiv:1511.00423.
strain: Shreve et al. 2011, doi:10.1109/FG.2011.5771451.
mdmd: Wang et al. 2017, doi:10.1016/j.neucom.2016.12.034; baseline of MEGC 2020, arXiv:1912.11985.
region-flow: main-direction mean of regions (MDMO, doi:10.1109/TAFFC.2015.2485205) to both sides, as MSOF does.
apex-frequency: Li et al. 2018, doi:10.1109/ICIP.2018.8451376.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.feature import local_binary_pattern

from mmme.errors import ConfigError, unknown_name
from mmme.features.face.flow import flow, optical_strain
from mmme.features.face.mdmd import mdmd
from mmme.features.face.mdmo import main_motion
from mmme.features.face.pooling import histograms, means
from mmme.features.face.regions import Regions, blocks

__all__ = ["DIFFERENCE_METHODS", "difference_curves"]

Image = NDArray[np.float32]

#: Blocks a side, and how many of the largest are averaged.
BLOCKS, LARGEST = 6, 12
PATTERNS = 59
BLUR_PX = 1.5
#: Cycles per pixel above which a change is fine, and the longest half of its window [moments].
FINE, LONGEST_HALF = 0.25, 12


@dataclass(slots=True, eq=False)
class Face:
    """A registered face, and its pattern histograms once they were asked for."""

    image: Image
    counted: NDArray[np.float64] | None = None

    def patterns(self) -> NDArray[np.float64]:
        """Share of each uniform pattern by block, ``(36, 59)``."""
        if self.counted is None:
            # patterns of neighbours are patterns of the camera's noise unless that is taken off
            grey = np.clip(np.rint(gaussian_filter(self.image, BLUR_PX)), 0, 255).astype(np.uint8)
            code = local_binary_pattern(grey, 8, 1, "nri_uniform").astype(np.intp)
            counts = histograms(code, None, _grid(self.image.shape), PATTERNS)
            self.counted = counts / counts.sum(axis=1, keepdims=True)
        return self.counted


Window = Sequence[Face]


@lru_cache(maxsize=4)
def _grid(shape: tuple[int, int]) -> Regions:
    return blocks(BLOCKS, BLOCKS, shape)


def _largest(values: NDArray[np.float64]) -> float:
    return float(np.sort(values)[-LARGEST:].mean())


def _moved(first: Face, second: Face) -> Image:
    """Flow less that of the whole face: its median, which a few moving parts do not touch."""
    field = flow(first.image, second.image)
    return np.asarray(field - np.median(field.reshape(-1, 2), axis=0))


def _chi2(window: Window) -> NDArray[np.float64]:
    now, around = window[len(window) // 2].patterns(), 0.5 * (window[0].patterns() + window[-1].patterns())
    total = now + around
    return np.asarray(np.sum(np.divide((now - around) ** 2, total, out=np.zeros_like(total), where=total > 0), axis=1))


def _by_patterns(window: Window) -> float:
    return _largest(_chi2(window))


def _by_strain(window: Window) -> float:
    first, now, after = window[0], window[len(window) // 2], window[-1]
    field = 0.5 * (_moved(first, now) + _moved(after, now))  # what came and will go again, not what has just gone
    return _largest(means(optical_strain(field)[..., None], _grid(field.shape[:2]))[:, 0])


def _by_main_direction(window: Window) -> float:
    first, now, after = window[0], window[len(window) // 2], window[-1]
    return float(mdmd(_moved(first, now), _moved(first, after), _grid(first.image.shape)).values[-1])


def _by_regions(window: Window) -> float:
    first, now, after = window[0], window[len(window) // 2], window[-1]
    grid = _grid(first.image.shape)
    there, back = (main_motion(field, grid) for field in (_moved(first, now), _moved(after, now)))
    return _largest(np.linalg.norm(0.5 * (there + back), axis=1))


def _by_both(window: Window) -> float:
    """Patterns and motion agree on where: their geometric mean, block by block."""
    first, now, after = window[0], window[len(window) // 2], window[-1]
    grid = _grid(first.image.shape)
    values = mdmd(_moved(first, now), _moved(first, after), grid).values[:-1]
    return _largest(np.sqrt(_chi2(window) * np.maximum(values, 0.0)))


def _by_frequency(window: Window, n: int) -> float:
    middle = len(window) // 2
    stack = np.stack([face.image for face in list(window)[middle - n : middle + n + 1]])
    weight = np.hanning(len(stack) + 2)[1:-1, None, None]  # what happens at the moment counts more than before and after
    stack = weight * (stack - (weight * stack).sum(axis=0) / weight.sum())
    side = min(stack.shape[1:]) // BLOCKS
    tiles = (
        stack[:, : BLOCKS * side, : BLOCKS * side].reshape(len(stack), BLOCKS, side, BLOCKS, side).transpose(1, 3, 0, 2, 4)
    )
    f_t, f_y, f_x = np.meshgrid(np.fft.fftfreq(len(stack)), np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij")
    # only what changes in time: a still face is fine-grained too
    fine = (np.sqrt(f_t**2 + f_y**2 + f_x**2) > FINE) & (f_t != 0)
    amplitude = np.abs(np.fft.rfftn(tiles, axes=(2, 3, 4)))[..., fine].mean(axis=-1)
    return _largest(amplitude.ravel())


#: What each method makes of the faces from ``reach`` before to ``reach`` after a moment.
DIFFERENCE_METHODS: Mapping[str, Callable[[Window], float]] = MappingProxyType(
    {
        "lbp-chi2": _by_patterns,
        "strain": _by_strain,
        "mdmd": _by_main_direction,
        "region-flow": _by_regions,
        "collaborative": _by_both,
        "apex-frequency": lambda window: _by_frequency(window, min(LONGEST_HALF, len(window) // 2)),
    }
)


def difference_curves(
    faces: Iterable[tuple[int, Image]], n_moments: int, methods: Sequence[str], reaches: Sequence[int]
) -> dict[tuple[str, int], NDArray[np.float64]]:
    """
    Follow how a face differs from before and after.

    Parameters
    ----------
    faces
        Number of the moment and registered face, in order; moments without a face are left out.
    n_moments
        How many there are.
    methods
        Of `DIFFERENCE_METHODS`.
    reaches
        Moments before and after.

    Returns
    -------
    dict
        By method and reach, ``(n_moments,)``, NaN where a face is missing in between.

    Raises
    ------
    ConfigError
        If a method is not known or a reach is no positive number.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> still = rng.integers(0, 255, (36, 36)).astype(np.float32)
    >>> faces = [(k, np.roll(still, 1, axis=1) if k == 5 else still) for k in range(11)]
    >>> curve = difference_curves(faces, 11, ["lbp-chi2"], [2])["lbp-chi2", 2]
    >>> int(np.nanargmax(curve)), bool(np.isnan(curve[1]))
    (5, True)
    """
    for name in methods:
        if name not in DIFFERENCE_METHODS:
            raise unknown_name("spotting method", name, DIFFERENCE_METHODS)
    if not reaches or min(reaches) < 1:
        raise ConfigError(f"difference curves: expected reaches of 1 moment or more, got {list(reaches)}")
    curves = {(name, reach): np.full(n_moments, np.nan) for name in methods for reach in reaches}
    most = max(reaches)
    kept: deque[tuple[int, Face]] = deque(maxlen=2 * most + 1)
    for index, image in faces:
        if kept and index != kept[-1][0] + 1:
            kept.clear()
        kept.append((index, Face(np.asarray(image, dtype=np.float32))))
        for reach in reaches:
            if len(kept) >= 2 * reach + 1:
                window = [face for _, face in list(kept)[-(2 * reach + 1) :]]
                for name in methods:
                    curves[name, reach][index - reach] = DIFFERENCE_METHODS[name](window)
    return curves
