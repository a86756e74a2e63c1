"""Whether rows lie outside what a model was trained on, by their distance from the training rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmme.errors import ProtocolError

__all__ = ["Reference", "condensed", "reference"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reference:
    """
    Where training rows lie; no row of them is kept.

    Attributes
    ----------
    fill, mean, scale : (n_features,)
        Median for missing values; mean and deviation of the training rows.
    axes : (n_axes, n_features)
        Principal axes of the standardised rows.
    variance : (n_axes,)
        Variance along them.
    rest
        Variance that remains, per remaining dimension.
    threshold
        Distance beyond which a row is outside.
    """

    fill: Floats
    mean: Floats
    scale: Floats
    axes: Floats
    variance: Floats
    rest: float
    threshold: float = float("inf")

    def distance(self, X: ArrayLike) -> Floats:
        """Mahalanobis distance, variance off the axes taken as equal in all directions; ``(n_samples,)``, no unit."""
        rows = np.asarray(X, dtype=np.float64)
        z = (np.where(np.isnan(rows), self.fill, rows) - self.mean) / self.scale
        along = z @ self.axes.T
        off = np.maximum((z**2).sum(axis=1) - (along**2).sum(axis=1), 0)
        return np.asarray(np.sqrt((along**2 / self.variance).sum(axis=1) + off / self.rest))

    def outside(self, X: ArrayLike) -> NDArray[np.bool_]:
        """Rows farther than the threshold; ``(n_samples,)``."""
        return np.asarray(self.distance(X) > self.threshold)


#: Most areas per side of an image, and of each frame of a clip, whose means stand for it when rows are compared.
IMAGE_AREAS, FRAME_AREAS = 14, 8


def condensed(rows: ArrayLike, shape: tuple[int, ...]) -> Floats:
    """
    Bring rows to a size in which their distances can be learned from few of them: means over areas of images.

    Parameters
    ----------
    rows : (n_samples, n_values)
        Rows of one modality, flattened.
    shape
        Of one row before: columns ``(k,)``, an image ``(height, width, channels)`` with 1 or 3 channels, a clip
        ``(frames, height, width)``, or anything else, which stays as it is.

    Returns
    -------
    (n_samples, n_features)

    Examples
    --------
    >>> condensed(np.ones((2, 28 * 28 * 3)), (28, 28, 3)).shape, condensed(np.ones((2, 5)), (5,)).shape
    ((2, 588), (2, 5))
    """
    values = np.asarray(rows, dtype=np.float64)
    if len(shape) != 3:
        return values
    cube = values.reshape(len(values), *shape)
    if shape[2] in (1, 3):  # an image; motion of regions has 2 values each
        high, wide = (_areas(side, IMAGE_AREAS) for side in shape[:2])
        return np.einsum("ah,nhwc,bw->nabc", high, cube, wide, optimize=True).reshape(len(values), -1)
    if min(shape[1:]) >= 4 * FRAME_AREAS:  # a clip
        high, wide = (_areas(side, FRAME_AREAS) for side in shape[1:])
        return np.einsum("ah,nfhw,bw->nfab", high, cube, wide, optimize=True).reshape(len(values), -1)
    return values


def _areas(side: int, most: int) -> Floats:
    """Weights that average a side over at most so many areas, ``(n_areas, side)``."""
    n = min(side, most)
    belongs = np.arange(side) * n // side == np.arange(n)[:, None]
    return np.asarray(belongs / belongs.sum(axis=1, keepdims=True))


def _fitted(rows: Floats, n_axes: int) -> Reference:
    empty = np.isnan(rows).all(axis=0)
    fill = np.nanmedian(np.where(empty, 0.0, rows), axis=0)
    full = np.where(np.isnan(rows), fill, rows)
    mean, scale = full.mean(axis=0), full.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    _, size, axes = np.linalg.svd((full - mean) / scale, full_matrices=False)
    variance = size**2 / len(rows)
    rank = int((variance > 1e-9 * variance.max(initial=1e-300)).sum())
    k = min(n_axes, (rank + 1) // 2)  # with all axes kept nothing would be left to say how far off them rows may lie
    k = rank if rank == rows.shape[1] <= n_axes else k
    rest = float(variance[k:].sum() / max(rows.shape[1] - k, 1))
    return Reference(fill, mean, scale, axes[:k], variance[:k], max(rest, 1e-9))


def reference(X: ArrayLike, subjects: ArrayLike, *, n_axes: int = 20, quantile: float = 0.99) -> Reference:
    """
    Learn where training rows lie, and how far rows of a subject not seen lie from those of the others.

    Parameters
    ----------
    X : (n_samples, n_features)
        Training rows of one modality; NaN where missing.
    subjects : (n_samples,)
        Whose they are.
    n_axes
        Most principal axes kept.
    quantile
        Share of held-out training rows that the threshold lets through, 0 to 1.

    Raises
    ------
    ProtocolError
        With fewer than 3 subjects.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> known = reference(rng.normal(size=(60, 4)), np.repeat(list("abcdef"), 10))
    >>> known.outside([[0.0] * 4, [9.0] * 4]).tolist()
    [False, True]
    """
    rows, who = np.asarray(X, dtype=np.float64), np.asarray(subjects)
    if len(np.unique(who)) < 3:
        raise ProtocolError(
            f"reference of a model: expected at least 3 subjects to hold out, got {len(np.unique(who))}; train on more"
        )
    held = [_fitted(rows[who != one], n_axes).distance(rows[who == one]) for one in np.unique(who)]
    whole = _fitted(rows, n_axes)
    return Reference(
        whole.fill,
        whole.mean,
        whole.scale,
        whole.axes,
        whole.variance,
        whole.rest,
        float(np.quantile(np.concatenate(held), quantile)),
    )
