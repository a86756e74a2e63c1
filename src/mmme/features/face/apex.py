"""
When an expression is strongest, estimated from its clip where nobody annotated the apex.

Each method makes a curve over the frames and takes its peak; `middle` looks at nothing and is what the others have to
beat. Errors of all of them on simulated expressions are in docs/apex.md; the default was chosen from that table. All
lengths are in seconds, so that the same settings hold at 30 and at 200 frames per second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks
from skimage.feature import local_binary_pattern

from mmme.errors import ConfigError, DataError, unknown_name
from mmme.features.face.facial_dynamics import smoothed
from mmme.features.face.flow import flow
from mmme.features.face.landmarks import nearest
from mmme.features.face.pooling import expect_shape, histograms, means
from mmme.features.face.regions import Regions, blocks
from mmme.features.face.registration import head_motion

__all__ = ["APEX_METHODS", "SEARCHES", "ApexEstimate", "divided", "estimate_apex"]

APEX_METHODS = ("flow", "lbp", "frequency", "middle")
SEARCHES = ("peak", "divided")
#: Moments per second at which flow is taken; frames around each are averaged, so that more frames mean less noise.
_FLOW_HZ = 60.0
_STRONGEST = 3
_UNIFORM_PATTERNS = 59
#: Window [s] and lowest frequency (of 0.5 cycles per pixel or frame) of the frequency method.
_WINDOW_S, _CUTOFF = 0.1, 0.25


@dataclass(frozen=True, slots=True, eq=False)
class ApexEstimate:
    """
    Where the apex of a clip lies.

    Parameters
    ----------
    time_s
        Time of the apex [s], that of a frame.
    index
        Of that frame.
    curve : (k,) float64
        Strength of the expression at each frame, in the method's unit (``flow``: px); NaN where a method is blind.
    method
        How it was found.
    """

    time_s: float
    index: int
    curve: NDArray[np.float64]
    method: str


def estimate_apex(
    clip: NDArray[np.generic],
    t: NDArray[np.float64],
    *,
    method: str = "flow",
    regions: Regions | None = None,
    skin: NDArray[np.bool_] | None = None,
    sigma_s: float = 0.02,
    search: str = "peak",
    flow_method: str = "dis",
) -> ApexEstimate:
    """
    Estimate the apex of one expression.

    Parameters
    ----------
    clip : (k, height, width)
        Registered frames from onset to offset, grey levels, all by one transform.
    t : (k,)
        Their times [s].
    method
        ``flow``: motion against the onset in the regions that move most. ``lbp``: how little the local binary patterns
        of the regions correlate with those of the onset (doi:10.1007/978-3-319-16178-5_20). ``frequency``: energy of
        high spatio-temporal frequencies in a sliding window (doi:10.1109/ICIP.2018.8451376). ``middle``: halfway
        between first and last frame.
    regions
        Facial regions, best without the eyes (`mmme.features.face.regions.region_masks`); 6 x 6 blocks by default, in which
        a blink counts as an expression.
    skin : (height, width) bool
        What mostly follows the head, for taking its motion off (``flow``); the whole image by default.
    sigma_s
        Smoothing of the curve [s].
    search
        ``peak`` of the curve, or ``divided``: again and again the half with the larger sum of peaks
        (doi:10.1109/ACPR.2015.7486586).
    flow_method
        As in `mmme.features.face.flow.flow`.

    Returns
    -------
    ApexEstimate

    Raises
    ------
    ConfigError
        If a method or search is not known, or the smoothing is not positive.
    DataError
        If there are fewer than three frames, times do not fit or increase, or regions lie on other pixels.

    Examples
    --------
    >>> x = np.indices((64, 64))[1]
    >>> texture = (128 + 60 * np.sin(x / 4) * np.cos(x.T / 5)).astype(np.float32)
    >>> stretch = np.exp(-((x - 32.0) ** 2 + (x.T - 32.0) ** 2) / 100)
    >>> t = np.arange(16) / 30
    >>> clip = [texture + 20 * np.exp(-((now - 0.2) ** 2) / 0.005) * stretch * np.cos(x / 4) for now in t]
    >>> estimate_apex(np.stack(clip), t).index
    6
    """
    _expect(clip, t, method, search, sigma_s)
    regions = regions if regions is not None else blocks(6, 6, (clip.shape[1], clip.shape[2]))
    expect_shape("apex", clip.shape[1:], regions)
    if method == "middle":
        index = int(nearest(t, np.array([0.5 * (t[0] + t[-1])]))[0])
        return ApexEstimate(float(t[index]), index, np.full(len(t), np.nan), method)
    if method == "flow":
        skin = skin if skin is not None else np.ones(clip.shape[1:], dtype=bool)
        curve = _flow_curve(clip, t, regions, skin, sigma_s, flow_method)
    elif method == "lbp":
        curve = smoothed(_lbp_curve(clip, regions), t, sigma_s)
    else:
        curve = _frequency_curve(clip, t)
    known = np.flatnonzero(np.isfinite(curve))
    if not len(known):
        raise DataError(f"apex: expected a clip longer than the window of {_WINDOW_S} s, got {t[-1] - t[0]:.3f} s")
    place = divided(curve[known]) if search == "divided" else int(curve[known].argmax())
    index = int(known[place])
    return ApexEstimate(float(t[index]), index, curve, method)


def _expect(clip: NDArray[np.generic], t: NDArray[np.float64], method: str, search: str, sigma_s: float) -> None:
    if method not in APEX_METHODS:
        raise unknown_name("apex method", method, APEX_METHODS)
    if search not in SEARCHES:
        raise unknown_name("apex search", search, SEARCHES)
    if not sigma_s > 0:
        raise ConfigError(f"apex: expected smoothing by more than 0 s, got {sigma_s} s")
    if clip.ndim != 3 or len(clip) < 3 or t.shape != (len(clip),):
        raise DataError(
            f"apex: expected at least three grey frames (k, height, width) and a time for each, got {clip.shape}, {t.shape}"
        )
    if not (np.diff(t) > 0).all():
        raise DataError("apex: expected increasing times")


def _flow_curve(
    clip: NDArray[np.generic],
    t: NDArray[np.float64],
    regions: Regions,
    skin: NDArray[np.bool_],
    sigma_s: float,
    flow_method: str,
) -> NDArray[np.float64]:
    """Smoothed distance of the regions that move most from where they were at the first moment [px]."""
    rate = min(_FLOW_HZ, 1 / float(np.median(np.diff(t))))
    moment = np.rint((t - t[0]) * rate).astype(np.intp)
    frames, times = [], []
    for m in np.unique(moment):
        frames.append(np.mean(clip[moment == m], axis=0, dtype=np.float32))
        times.append(float(t[moment == m].mean()))
    moved = np.zeros((len(frames), len(regions), 2))
    for k, frame in enumerate(frames[1:], start=1):
        field = flow(frames[0], frame, method=flow_method)
        moved[k] = means(field - head_motion(field, skin), regions)
    steady = smoothed(moved, np.array(times), sigma_s, at=t)
    distance = np.linalg.norm(steady - moved[0], axis=2)
    return np.asarray(np.sort(distance, axis=1)[:, -_STRONGEST:].mean(axis=1))


def _lbp_curve(clip: NDArray[np.generic], regions: Regions) -> NDArray[np.float64]:
    """One minus the correlation of each frame's pattern histograms with the first frame's, mean over the regions."""
    bytes_ = np.clip(np.rint(clip.astype(np.float32)), 0, 255).astype(np.uint8)
    described = np.stack(
        [
            histograms(local_binary_pattern(f, 8, 1, "nri_uniform").astype(np.intp), None, regions, _UNIFORM_PATTERNS)
            for f in bytes_
        ]
    )
    length = np.linalg.norm(described, axis=2)
    alike = (described * described[0]).sum(axis=2) / (length * length[0])
    return np.asarray(1 - alike.mean(axis=1))


def _frequency_curve(clip: NDArray[np.generic], t: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean amplitude of high frequencies of 6 x 6 blocks in a window around each frame; NaN where it leaves the clip."""
    half = max(1, round(0.5 * _WINDOW_S / float(np.median(np.diff(t)))))
    side = min(clip.shape[1:]) // 6
    cut = clip[:, : 6 * side, : 6 * side].astype(np.float32)
    tiles = cut.reshape(len(clip), 6, side, 6, side).transpose(1, 3, 0, 2, 4)
    n = 2 * half + 1
    f_t, f_y, f_x = np.meshgrid(np.fft.fftfreq(n), np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij")
    high = np.sqrt(f_t**2 + f_y**2 + f_x**2) > 0.5 * _CUTOFF
    curve = np.full(len(clip), np.nan)
    for k in range(half, len(clip) - half):
        amplitude = np.abs(np.fft.rfftn(tiles[:, :, k - half : k + half + 1], axes=(2, 3, 4)))
        curve[k] = amplitude[..., high].mean()
    return curve


def divided(curve: NDArray[np.float64]) -> int:
    """
    Search the apex by halves: keep the half whose peaks add up to more, until one peak is left.

    Parameters
    ----------
    curve : (k,)
        Finite.

    Returns
    -------
    int
        Index of the remaining peak; of the largest value where there is no peak at all.

    Examples
    --------
    >>> divided(np.array([0, 1, 0, 2, 0, 5, 0, 0.0]))  # the peak of 5 outweighs those of 1 and 2
    5
    >>> divided(np.array([0, 3, 0, 3, 0, 5, 0, 0.0]))  # two peaks of 3 outweigh one of 5
    3
    """
    peaks, _ = find_peaks(curve)
    start, stop = 0, len(curve)
    while len(peaks) > 1:
        middle = (start + stop) // 2
        left, right = peaks[peaks < middle], peaks[peaks >= middle]
        if curve[left].sum() > curve[right].sum():
            peaks, stop = left, middle
        else:
            peaks, start = right, middle
    return int(peaks[0]) if len(peaks) else int(curve.argmax())
