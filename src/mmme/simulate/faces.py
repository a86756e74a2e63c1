"""
Simulated identities: a public-domain portrait, warped and toned, with eyelids that close and action units that move.

The portrait is `skimage.data.astronaut` (NASA, public domain; ships with scikit-image).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from mmme.errors import unknown_name

__all__ = ["ACTION_UNITS", "Face", "au_field", "make_face"]

# Landmarks in pixels (x, y) of the 512 x 512 portrait, measured once with MediaPipe Face Mesh 0.10.21 (refined, static
# mode); "left" is the left of the image.
_LANDMARKS: Mapping[str, tuple[float, float]] = {
    "brow_inner_left": (215.9, 89.8),
    "brow_inner_right": (235.8, 91.5),
    "brow_outer_left": (190.5, 89.5),
    "brow_outer_right": (261.0, 94.0),
    "eye_outer_left": (195.2, 100.9),
    "eye_inner_left": (213.3, 103.7),
    "eye_top_left": (202.8, 97.6),
    "eye_bottom_left": (203.4, 104.3),
    "eye_inner_right": (237.0, 104.9),
    "eye_outer_right": (255.8, 104.3),
    "eye_top_right": (248.3, 99.7),
    "eye_bottom_right": (246.6, 106.7),
    "cheek_left": (195.0, 112.5),
    "cheek_right": (254.5, 116.0),
    "nose_tip": (223.4, 130.0),
    "nose_side_left": (212.5, 116.0),
    "nose_side_right": (235.5, 117.5),
    "upper_lip_left": (210.0, 132.0),
    "upper_lip_right": (236.5, 133.5),
    "mouth_left": (201.8, 139.2),
    "mouth_right": (245.0, 141.0),
    "lip_top": (223.6, 140.5),
    "lip_bottom": (222.7, 154.6),
    "lower_lip_left": (211.1, 151.0),
    "lower_lip_right": (235.3, 152.3),
    "chin": (222.0, 166.0),
}
_CENTRE = (224.5, 128.0)  # of the frame, in portrait pixels
_FIELD = 168.0  # side of the frame, in portrait pixels: the face fills a little more than half of the width
_MARGIN = 0.08  # of the frame on every side of the canvas, so that a moving head does not show the canvas' end
_OVERSAMPLING = 2  # canvas pixels per frame pixel: linear interpolation then blurs all sub-pixel positions alike
_LID_LEVELS = 9


@dataclass(frozen=True, slots=True)
class _Blob:
    """Gaussian displacement around a landmark: sigma in portrait pixels, direction (x right, y down)."""

    landmark: str
    sigma: float
    direction: tuple[float, float]


def _pair(stem: str, sigma: float, left: tuple[float, float]) -> tuple[_Blob, _Blob]:
    """Mirror images on the left and the right side of the face."""
    return _Blob(f"{stem}_left", sigma, left), _Blob(f"{stem}_right", sigma, (-left[0], left[1]))


ACTION_UNITS: Mapping[str, tuple[_Blob, ...]] = MappingProxyType(
    {
        "AU1": _pair("brow_inner", 8.0, (0.0, -1.0)),
        "AU2": _pair("brow_outer", 8.0, (0.0, -1.0)),
        "AU4": _pair("brow_inner", 9.0, (0.45, 0.9)),
        "AU5": _pair("eye_top", 5.0, (0.0, -1.0)),
        "AU6": _pair("cheek", 8.0, (0.2, -1.0)),
        "AU7": _pair("eye_bottom", 5.5, (0.0, -1.0)),
        "AU9": _pair("nose_side", 7.0, (0.0, -1.0)),
        "AU10": _pair("upper_lip", 7.0, (0.0, -1.0)),
        "AU12": _pair("mouth", 9.0, (-0.75, -0.65)),
        "AU14": _pair("mouth", 7.0, (0.95, 0.1)),
        "AU15": _pair("mouth", 8.0, (-0.2, 1.0)),
        "AU16": _pair("lower_lip", 6.0, (-0.3, 1.0)),
        "AU17": (_Blob("chin", 10.0, (0.0, -1.0)),),
        "AU18": (*_pair("mouth", 8.0, (1.0, 0.0)), *_pair("lower_lip", 5.0, (0.6, -0.3))),
        "AU20": _pair("mouth", 9.0, (-1.0, 0.15)),
        "AU23": (
            *_pair("mouth", 5.0, (0.4, 0.0)),
            _Blob("lip_top", 6.0, (0.0, 0.8)),
            _Blob("lip_bottom", 6.0, (0.0, -0.8)),
        ),
        "AU24": (_Blob("lip_top", 6.0, (0.0, 1.0)), _Blob("lip_bottom", 6.0, (0.0, -1.0))),
        "AU25": (_Blob("lip_bottom", 9.0, (0.0, 1.0)),),
        "AU26": (_Blob("chin", 14.0, (0.0, 1.0)),),
    }
)
"""Action units that can be moved, each as Gaussian displacements around landmarks."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """
    One identity, ready to be rendered.

    Parameters
    ----------
    frame_px
        Side of the frames [px].
    canvases : (n_levels, side, side) uint8
        The face with open (first) to closed (last) eyelids, on a finer grid and with a margin.
    margin_px
        Margin of the canvas [frame px].
    landmarks
        Name to (x, y) [frame px] of the neutral face with the head at rest.
    portrait_scale
        Frame pixels per portrait pixel.

    Notes
    -----
    Canvas position ``c`` of frame position ``f`` is ``2 (f + margin_px)``, both counted from pixel centres.
    """

    frame_px: int
    canvases: NDArray[np.uint8]
    margin_px: float
    landmarks: Mapping[str, tuple[float, float]]
    portrait_scale: float

    @property
    def oversampling(self) -> int:
        """Canvas pixels per frame pixel."""
        return _OVERSAMPLING


def au_field(face: Face, au: str) -> NDArray[np.float32]:
    """
    Displacement field of one action unit at strength 1.

    Parameters
    ----------
    face
        Whose landmarks.
    au
        One of `ACTION_UNITS`.

    Returns
    -------
    (frame_px, frame_px, 2) float32
        Movement (x right, y down) of what is seen at each pixel at apex; its largest length is 1 px.

    Raises
    ------
    ConfigError
        If the action unit is not one that can be moved.

    Examples
    --------
    >>> field = au_field(make_face(np.random.default_rng(0), 64), "AU12")
    >>> round(float(np.hypot(field[..., 0], field[..., 1]).max()), 3)
    1.0
    """
    if au not in ACTION_UNITS:
        raise unknown_name("action unit", au, ACTION_UNITS)
    y, x = np.mgrid[: face.frame_px, : face.frame_px].astype(np.float32)
    field = np.zeros((face.frame_px, face.frame_px, 2))
    for blob in ACTION_UNITS[au]:
        cx, cy = face.landmarks[blob.landmark]
        sigma = blob.sigma * face.portrait_scale
        weight = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2))
        field += weight[..., None] * np.asarray(blob.direction) / np.hypot(*blob.direction)
    return (field / np.hypot(field[..., 0], field[..., 1]).max()).astype(np.float32)


@lru_cache(maxsize=1)
def _portrait() -> NDArray[np.float64]:
    """Return the grey portrait, 0..1."""
    from skimage import data

    return np.asarray(data.astronaut()[..., :3] @ np.array([0.2125, 0.7154, 0.0721]) / 255.0)


def _lower_lids(image: NDArray[np.float64], closure: float) -> NDArray[np.float64]:
    """Portrait whose upper eyelids have come down by this share of the opening; the skin above is stretched along."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float64)
    source_y = y.copy()
    for side in ("left", "right"):
        (x0, y0), (x1, y1) = _LANDMARKS[f"eye_outer_{side}"], _LANDMARKS[f"eye_inner_{side}"]
        along = np.clip((x - x0) / (x1 - x0), 0.0, 1.0)
        arch = 4 * along * (1 - along)
        axis = y0 + along * (y1 - y0)
        middle = (y0 + y1) / 2
        upper = axis - (middle - _LANDMARKS[f"eye_top_{side}"][1]) * arch
        lower = axis + (_LANDMARKS[f"eye_bottom_{side}"][1] + 0.5 - middle) * arch
        lid = upper + closure * (lower - upper)
        crease = upper - 6.0
        inside = (arch > 0) & (y > crease) & (y < lid)
        stretched = crease + (y - crease) * (upper - crease) / (lid - crease)
        source_y = np.where(inside, stretched, source_y)
    return np.asarray(map_coordinates(image, [source_y, x], order=1, mode="nearest"))


@lru_cache(maxsize=1)
def _lid_portraits() -> tuple[NDArray[np.float64], ...]:
    """Return the portrait with eyelids open to closed; the same for all identities."""
    image = _portrait()
    return (image, *(_lower_lids(image, closure) for closure in np.linspace(0, 1, _LID_LEVELS)[1:]))


@dataclass(frozen=True, slots=True)
class _Warp:
    """From frame positions to portrait positions: scale, mirror, and a few long waves."""

    frame_px: int
    scale: tuple[float, float]
    mirrored: bool
    waves: Sequence[tuple[float, float, float, float, float]]  # kx, ky [rad per portrait px], phase, ax, ay [px]

    def portrait(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Portrait position seen at frame position (x, y)."""
        step = _FIELD / self.frame_px
        half = (self.frame_px - 1) / 2
        u = (x - half) * step * self.scale[0] * (-1 if self.mirrored else 1)
        v = (y - half) * step * self.scale[1]
        du, dv = np.zeros_like(u), np.zeros_like(v)
        for kx, ky, phase, ax, ay in self.waves:
            wave = np.sin(kx * u + ky * v + phase)
            du, dv = du + ax * wave, dv + ay * wave
        return _CENTRE[0] + u + du, _CENTRE[1] + v + dv

    def frame(self, px: float, py: float) -> tuple[float, float]:
        """Frame position at which a portrait position is seen, by fixed-point steps (the waves are shallow)."""
        step = _FIELD / self.frame_px
        sign = -1 if self.mirrored else 1
        x = y = np.array((self.frame_px - 1) / 2)
        for _ in range(40):
            qx, qy = self.portrait(x, y)
            x = x + 0.8 * sign * (px - qx) / (step * self.scale[0])
            y = y + 0.8 * (py - qy) / (step * self.scale[1])
        return float(x), float(y)


def _draw_warp(rng: np.random.Generator, frame_px: int) -> _Warp:
    """Draw the geometry of an identity."""
    waves = []
    for _ in range(4):
        wavelength, angle = rng.uniform(90.0, 180.0), rng.uniform(0, 2 * np.pi)
        k = 2 * np.pi / wavelength
        ax, ay = rng.normal(0.0, 1.4, 2)
        waves.append((k * np.cos(angle), k * np.sin(angle), rng.uniform(0, 2 * np.pi), ax, ay))
    sx, sy = rng.uniform(0.93, 1.07, 2)
    return _Warp(frame_px, (float(sx), float(sy)), bool(rng.random() < 0.5), waves)


def make_face(rng: np.random.Generator, frame_px: int = 128) -> Face:
    """
    Draw an identity.

    Parameters
    ----------
    rng
        Source of chance: geometry (mirror, proportions, long waves of some px) and tone (gamma, contrast, light).
    frame_px
        Side of the frames [px].

    Returns
    -------
    Face
        Canvases with open to closed eyelids, and landmarks.

    Examples
    --------
    >>> face = make_face(np.random.default_rng(0), 64)
    >>> face.landmarks["mouth_left"][1] > face.landmarks["eye_top_left"][1]
    True
    """
    warp = _draw_warp(rng, frame_px)
    gamma, contrast, base = rng.uniform(0.75, 1.3), rng.uniform(0.8, 1.0), rng.uniform(0.02, 0.08)
    light_x, light_y = rng.uniform(-0.15, 0.15, 2)
    margin = float(round(_MARGIN * frame_px))
    side = round(_OVERSAMPLING * (frame_px + 2 * margin))
    y, x = np.mgrid[:side, :side] / _OVERSAMPLING - margin
    px, py = warp.portrait(x, y)
    light = 1.0 + light_x * (x / frame_px - 0.5) * 2 + light_y * (y / frame_px - 0.5) * 2
    step = _FIELD / frame_px / _OVERSAMPLING
    canvases = np.empty((_LID_LEVELS, side, side), np.uint8)
    for level, portrait in enumerate(_lid_portraits()):
        smooth = gaussian_filter(portrait, 0.5 * step) if step > 0.8 else portrait
        seen = np.clip(map_coordinates(smooth, [py, px], order=3, mode="nearest"), 0, 1)
        toned = (base + contrast * seen**gamma) * light * 0.92
        canvases[level] = np.clip(np.rint(gaussian_filter(toned, 0.7) * 255), 0, 255)
    landmarks = {name: warp.frame(*position) for name, position in _LANDMARKS.items()}
    if warp.mirrored:  # "left" stays the left of the image
        other = {"left": "right", "right": "left"}
        landmarks = {
            (f"{name.rpartition('_')[0]}_{other[name.rpartition('_')[2]]}" if name.rpartition("_")[2] in other else name): p
            for name, p in landmarks.items()
        }
    return Face(frame_px, canvases, margin, MappingProxyType(landmarks), frame_px / _FIELD)
