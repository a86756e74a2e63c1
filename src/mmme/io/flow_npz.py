"""
Onset-to-apex flow images of several data sets in one ``.npz``, as used for the MEGC2019 composite.

Arrays: ``X (n, height, width, channels)`` uint8 or float, ``y (n,)`` class numbers, ``subject``, ``dataset``, ``clip``.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmme.errors import DataError, raise_faults
from mmme.types import FeatureTable

__all__ = ["MEGC2019_CLASSES", "read_flow_npz"]

MEGC2019_CLASSES = ("negative", "positive", "surprise")
KEYS = ("X", "y", "subject", "dataset", "clip")


def _faults(arrays: dict[str, NDArray[Any]], classes: Sequence[str]) -> list[str]:
    X, y = arrays["X"], arrays["y"]
    faults = []
    if X.ndim != 4:
        faults.append(f"X: expected shape (n, height, width, channels), got {X.shape}")
    if not np.issubdtype(X.dtype, np.number):
        faults.append(f"X: expected numbers, got {X.dtype}")
    elif not np.isfinite(X).all():
        faults.append("X: expected finite values, got NaN or infinity")
    n = X.shape[0] if X.ndim else 0
    faults += [
        f"{key}: expected shape ({n},), one per image, got {arrays[key].shape}"
        for key in KEYS[1:]
        if arrays[key].shape != (n,)
    ]
    if faults:
        return faults
    if not np.issubdtype(y.dtype, np.integer):
        faults.append(f"y: expected class numbers, got {y.dtype}")
    else:
        known = ", ".join(f"{i} {name}" for i, name in enumerate(classes))
        faults += [f"y: expected a class ({known}), got {v}" for v in np.unique(y).tolist() if not 0 <= v < len(classes)]
    faults += [
        f"{key}: expected a name in every row, got {int(np.sum(arrays[key].astype(np.str_) == ''))} blanks"
        for key in ("subject", "dataset", "clip")
        if np.any(arrays[key].astype(np.str_) == "")
    ]
    return faults


def read_flow_npz(path: Path, *, classes: Sequence[str] = MEGC2019_CLASSES) -> FeatureTable:
    """
    Read flow images into a tensor table.

    Parameters
    ----------
    path
        The ``.npz`` file.
    classes
        Name of each class number, by default those of MEGC2019: 0 negative, 1 positive, 2 surprise.

    Returns
    -------
    FeatureTable
        ``X (n, height, width, channels)`` with values as stored, rows named ``dataset/subject/clip``, stimuli the clips
        (there is no other word of what was watched), stratum ``dataset``, origin with the SHA-256 of the file. Subjects
        keep their names where each belongs to one data set, and become ``dataset/subject`` where one does not.

    Raises
    ------
    DataError
        If the file is missing, is not an ``.npz``, or its arrays are missing or do not fit; all faults at once.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "flow.npz"
    ...     np.savez(path, X=np.zeros((2, 28, 28, 3), np.uint8), y=[0, 2], subject=["s1", "s2"],
    ...              dataset=["smic", "smic"], clip=["s1_ne_01", "s2_sur_01"])
    ...     table = read_flow_npz(path)
    >>> table.X.shape, table.labels.tolist(), table.trial_ids[0]
    ((2, 28, 28, 3), ['negative', 'surprise'], 'smic/s1/s1_ne_01')
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [
                f"expected an array '{key}', got none (there are: {', '.join(file)})" for key in KEYS if key not in file
            ]
            raise_faults(str(path), missing)
            arrays = {key: file[key] for key in KEYS}
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected an .npz file of flow images, got none") from error
    except (ValueError, zipfile.BadZipFile, EOFError, AttributeError, TypeError) as error:
        raise DataError(f"{path}: expected an .npz file of plain arrays, got {type(error).__name__}: {error}") from error
    raise_faults(str(path), _faults(arrays, classes))
    subject, dataset, clip = (arrays[key].astype(np.str_) for key in ("subject", "dataset", "clip"))
    pairs = {(d, s) for d, s in zip(dataset.tolist(), subject.tolist(), strict=True)}
    if len({s for _, s in pairs}) < len(pairs):
        subject = np.array([f"{d}/{s}" for d, s in zip(dataset, subject, strict=True)])
    rows = [f"{d}/{s}/{c}" for d, s, c in zip(dataset, arrays["subject"], clip, strict=True)]
    repeated = sorted({r for r in rows if rows.count(r) > 1}) if len(set(rows)) < len(rows) else []
    raise_faults(str(path), [f"clip {r}: expected once, got {rows.count(r)} times" for r in repeated])
    return FeatureTable.build(
        arrays["X"],
        (),
        rows,
        subject.tolist(),
        clip.tolist(),
        [classes[i] for i in arrays["y"].tolist()],
        strata={"dataset": dataset.tolist()},
        origin={"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
    )
