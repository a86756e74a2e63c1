"""Single grey images, as cameras save them one per frame."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError

__all__ = ["read_grey"]


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
    if image.ndim != 2 or image.dtype != np.uint8:
        raise DataError(f"{Path(path).name}: expected 8-bit grey, got {image.dtype} of shape {image.shape}")
    return image
