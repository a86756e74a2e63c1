"""Single images, grey or in colour, as cameras save them one per frame."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError

__all__ = ["luma", "read_colour", "read_grey", "read_image"]


def read_image(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """
    Read an 8-bit image without converting anything.

    Parameters
    ----------
    path
        TIFF, PNG, BMP or JPEG file.

    Returns
    -------
    (height, width) or (height, width, 3) uint8
        Grey levels, or red, green, blue.

    Raises
    ------
    DataError
        If the file is missing, is no image, is see-through or has more than 8 bits.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     done = cv2.imwrite(f"{folder}/a.png", np.array([[[0, 0, 255]]], np.uint8))  # OpenCV writes blue first
    ...     read_image(f"{folder}/a.png").tolist()
    [[[255, 0, 0]]]
    """
    image = _decoded(path)
    if image.dtype != np.uint8 or (image.ndim != 2 and image.shape[2] != 3):
        raise DataError(f"{Path(path).name}: expected 8-bit grey or colour, got {image.dtype} of shape {image.shape}")
    return image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def read_grey(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """
    Read an 8-bit grey image without converting anything.

    Parameters
    ----------
    path
        TIFF, PNG or JPEG file.

    Returns
    -------
    (height, width) uint8
        Grey levels.

    Raises
    ------
    DataError
        If the file is missing, is no image, has colour or more than 8 bits.
    """
    image = _decoded(path)
    if image.ndim != 2 or image.dtype != np.uint8:
        raise DataError(f"{Path(path).name}: expected 8-bit grey, got {image.dtype} of shape {image.shape}")
    return image


def read_colour(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """
    Read an 8-bit colour image.

    Parameters
    ----------
    path
        TIFF, PNG, BMP or JPEG file.

    Returns
    -------
    (height, width, 3) uint8
        Red, green, blue.

    Raises
    ------
    DataError
        As `read_image`, and if the image is grey.
    """
    image = read_image(path)
    if image.ndim != 3:
        raise DataError(f"{Path(path).name}: expected 8-bit colour, got grey of shape {image.shape}")
    return image


def luma(colour: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """
    Grey levels of a colour image: 0.299 red + 0.587 green + 0.114 blue, rounded.

    Parameters
    ----------
    colour : (height, width, 3) uint8
        Red, green, blue.

    Returns
    -------
    (height, width) uint8

    References
    ----------
    ITU-R Recommendation BT.601-7 (2011), section 2.5.1.

    Examples
    --------
    >>> luma(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)).tolist()
    [[76, 150, 29]]
    """
    return np.asarray(cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY))


def _decoded(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read an image as it is stored (colour: blue first)."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (half the time of NumPy's and pathlib's, once per frame)
            content = np.frombuffer(file.read(), dtype=np.uint8)
    except OSError:
        raise DataError(f"{Path(path).name}: expected an image, got no file") from None
    image = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if content.size else None
    if image is None:
        raise DataError(
            f"{Path(path).name}: expected an image, got {content.size} bytes that are none; was the copy cut short?"
        )
    return image
