"""Flow images of whole tables: standardised one by one, or pooled over blocks for a classifier."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mmme.errors import DataError
from mmme.types import FeatureTable

__all__ = ["CHANNELS", "pooled", "standardised_images"]

CHANNELS = ("u", "v", "strain")


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
