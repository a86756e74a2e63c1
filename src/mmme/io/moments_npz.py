"""Where in which video the rows of a spotting table lie, on disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError, raise_faults
from mmme.interval import Interval

__all__ = ["Moments", "read_moments", "write_moments"]


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """
    The time grid of a spotting table.

    Parameters
    ----------
    videos : (n_rows,)
        Video (trial) of each row.
    times_s : (n_rows,)
        Session time of each row [s].
    spans
        Stretch of every video that is searched.
    """

    videos: NDArray[np.str_]
    times_s: NDArray[np.float64]
    spans: Mapping[str, Interval]


def write_moments(moments: Moments, path: Path) -> None:
    """
    Write a time grid; an existing file is replaced only once the new one is complete.

    Examples
    --------
    >>> import tempfile
    >>> grid = Moments(np.array(["a"]), np.array([1.5]), {"a": Interval(0.0, 6.0)})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_moments(grid, Path(folder) / "m.npz")
    ...     read_moments(Path(folder) / "m.npz").spans["a"].stop
    6.0
    """
    temporary = path.with_name(f".{path.name}.partial")
    with temporary.open("wb") as file:
        np.savez(
            file,
            videos=moments.videos,
            times_s=moments.times_s,
            names=np.array(list(moments.spans), dtype=np.str_),
            spans=np.array([[s.start, s.stop] for s in moments.spans.values()]).reshape(-1, 2),
        )
    os.replace(temporary, path)  # noqa: PTH105 - atomic on every platform


def read_moments(path: Path) -> Moments:
    """
    Read a time grid that `write_moments` wrote.

    Raises
    ------
    DataError
        If the file is missing or lacks an array.
    """
    if not path.exists():
        raise DataError(f"{path}: expected the time grid of a spotting table, got no file")
    with np.load(path, allow_pickle=False) as archive:
        missing = [k for k in ("videos", "times_s", "names", "spans") if k not in archive.files]
        raise_faults(str(path), [f"expected an array '{k}', got none" for k in missing])
        spans = {str(n): Interval(float(a), float(b)) for n, (a, b) in zip(archive["names"], archive["spans"], strict=True)}
        return Moments(archive["videos"], archive["times_s"], spans)
