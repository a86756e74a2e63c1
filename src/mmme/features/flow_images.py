"""Onset-to-apex flow of the registered face: what most recognition of micro-expressions starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError
from mmme.features.flow import flow, optical_strain
from mmme.features.landmarks import FaceFinder, FaceMesh, nearest
from mmme.features.regions import skin_mask
from mmme.features.registration import head_motion, register, similarity
from mmme.types import FeatureTable, Sample, Stream

__all__ = ["CHANNELS", "flow_images", "pooled", "standardised_images"]

CHANNELS = ("u", "v", "strain")
FACE_PX = 128
REASONS = ("", "no face at the onset", "apex is the onset", "no frame at the onset or the apex", "no face at the apex")


def mean_frame(video: Stream, at_s: float, within_s: float) -> NDArray[np.float32]:
    """Average the frames within ``within_s`` of a time, the nearest at least: camera noise falls, motion hardly blurs."""
    first, last = np.searchsorted(video.t, [at_s - within_s, at_s + within_s])
    middle = int(nearest(video.t, np.array([at_s]))[0])
    frames = video.x[min(int(first), middle) : max(int(last), middle + 1)]
    return np.asarray(np.mean(frames, axis=0, dtype=np.float32))


def _image(
    video: Stream, sample: Sample, finder: FaceFinder, size: int, method: str, average_s: float
) -> tuple[NDArray[np.float32] | None, int]:
    slack_s = 2 * float(np.median(np.diff(video.t[:1000])))
    moments = np.array([sample.onset, sample.apex])
    onset, apex = nearest(video.t, moments)
    if np.abs(video.t[[onset, apex]] - moments).max() > slack_s:
        return None, 3
    if onset == apex:
        return None, 2
    points = finder.find(video.x[int(onset)])
    if points is None:
        return None, 1
    if finder.find(video.x[int(apex)]) is None:
        return None, 4
    matrix = similarity(points, FACE_PX)
    first, second = (register(mean_frame(video, t, average_s), matrix, FACE_PX) for t in (sample.onset, sample.apex))
    field = flow(first, second, method=method)
    field = field - head_motion(field, skin_mask(points, matrix, FACE_PX))
    image = np.dstack([field, optical_strain(field)])
    return np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA), dtype=np.float32), 0


def flow_images(
    video: Stream,
    samples: Sequence[Sample],
    *,
    size: int = 28,
    method: str = "dis",
    average_s: float = 0.012,
    finder: FaceFinder | None = None,
) -> FeatureTable:
    """
    Describe each sample by the flow from its onset to its apex.

    Both moments are registered by the onset's landmarks, so that no jitter between two detections becomes motion; the
    motion of the head, which most of the skin follows, is taken off.

    Parameters
    ----------
    video
        Grey frames on the clock of the samples.
    samples
        Onset and apex are used.
    size
        Side of the images [px].
    method
        As in `mmme.features.flow.flow`.
    average_s
        Frames this far around each moment are averaged [s].
    finder
        Detector; the face mesh by default.

    Returns
    -------
    FeatureTable
        ``X (n, size, size, 3)``: motion to the right and downwards [px of a 128-px face] and strain. A row without a
        face, whose apex is its onset, or outside the video is NaN and says so.

    Raises
    ------
    DataError
        If there are no samples.
    """
    if not samples:
        raise DataError("flow images: expected at least one sample, got none; are there expressions of this kind?")
    X = np.full((len(samples), size, size, len(CHANNELS)), np.nan, dtype=np.float32)
    reason = np.zeros(len(samples), dtype=np.uint8)

    def fill(with_finder: FaceFinder) -> None:
        for k, sample in enumerate(samples):
            image, reason[k] = _image(video, sample, with_finder, size, method, average_s)
            if image is not None:
                X[k] = image

    if finder is not None:
        fill(finder)
    else:
        with FaceMesh() as mesh:
            fill(mesh)
    return FeatureTable.build(
        X,
        [],
        [s.id for s in samples],
        [s.subject for s in samples],
        [s.stimulus for s in samples],
        [s.label for s in samples],
        reason=reason,
        reasons=REASONS,
        origin={"flow": f"{method}, onset to apex, {size} px, {average_s} s averaged"},
    )


def standardised_images(table: FeatureTable) -> FeatureTable:
    """
    Bring each channel of each image to mean 0 and deviation 1, by itself.

    For images that were stretched to their own minimum and maximum: their zero and scale mean nothing. Nothing is
    learned from other rows, so nothing can leak. Flow in pixels needs none of it, and would lose its amplitude.

    Parameters
    ----------
    table
        ``X (n, height, width, channels)``.

    Returns
    -------
    FeatureTable
        The same rows; a channel without any variation becomes 0.

    Examples
    --------
    >>> X = np.array([0.0, 2.0, 0.0, 2.0]).reshape(1, 2, 2, 1)
    >>> images = FeatureTable.build(X, [], ["a"], ["S1"], ["v"], ["pos"])
    >>> standardised_images(images).X.ravel().tolist()
    [-1.0, 1.0, -1.0, 1.0]
    """
    mean = table.X.mean(axis=(1, 2), keepdims=True)
    deviation = table.X.std(axis=(1, 2), keepdims=True)
    X = (table.X - mean) / np.where(deviation > 0, deviation, 1)
    return replace(table, X=np.asarray(X, dtype=np.float32))


def pooled(table: FeatureTable, *, block: int = 2) -> FeatureTable:
    """
    Average the images of a tensor table over blocks and name each value.

    Parameters
    ----------
    table
        ``X (n, height, width, channels)``.
    block
        Side of a block [px]; it divides height and width.

    Returns
    -------
    FeatureTable
        ``X (n, height/block * width/block * channels)`` with columns such as ``u_r00_c13``.

    Raises
    ------
    DataError
        If the table holds no images or the block does not divide them.

    Examples
    --------
    >>> X = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> images = FeatureTable.build(X, [], ["a"], ["S1"], ["v"], ["pos"])
    >>> pooled(images).X.tolist()
    [[2.5, 4.5, 10.5, 12.5]]
    """
    if table.X.ndim != 4 or table.X.shape[1] % block or table.X.shape[2] % block:
        raise DataError(f"pooling: expected images whose sides are multiples of {block} px, got X of shape {table.X.shape}")
    n, height, width, channels = table.X.shape
    rows, columns = height // block, width // block
    X = table.X.reshape(n, rows, block, columns, block, channels).mean(axis=(2, 4))
    names = CHANNELS if channels == len(CHANNELS) else tuple(f"channel{k}" for k in range(channels))
    return replace(
        table,
        X=np.ascontiguousarray(X.reshape(n, -1), dtype=np.float32),
        columns=tuple(f"{c}_r{i:02d}_c{j:02d}" for i in range(rows) for j in range(columns) for c in names),
        reason=np.repeat(table.reason[:, None], rows * columns * channels, axis=1),
    )
