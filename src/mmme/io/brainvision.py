"""BrainVision recordings: header and markers written by pybv, samples block by block, read back as a memory map."""

from __future__ import annotations

import configparser
import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pybv
from numpy.typing import NDArray

from mmme.errors import DataError, raise_faults

__all__ = ["BrainVision", "ScaledSamples", "read_brainvision", "write_brainvision"]

_FORMATS: dict[str, np.dtype[Any]] = {"IEEE_FLOAT_32": np.dtype("<f4"), "INT_16": np.dtype("<i2")}
_VOLTS = {"µV": 1e-6, "μV": 1e-6, "uV": 1e-6, "": 1e-6, "mV": 1e-3, "V": 1.0, "nV": 1e-9}


class ScaledSamples:
    """Samples (n, channels) in V over a memory map of stored numbers; slices are converted when they are read."""

    dtype = np.dtype(np.float64)
    ndim = 2

    def __init__(self, path: Path, stored: np.dtype[Any], scale_v: NDArray[np.float64]) -> None:
        self._path, self._stored, self._scale = path, stored, scale_v
        self._map: NDArray[Any] | None = None
        self._n = path.stat().st_size // (stored.itemsize * scale_v.size)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, channels)."""
        return int(self._n), int(self._scale.size)

    def __len__(self) -> int:
        """Count samples."""
        return int(self._n)

    def __getitem__(self, index: Any) -> NDArray[np.float64]:
        """Return samples as NumPy would from an array (n, channels)."""
        if self._map is None:
            self._map = np.memmap(self._path, dtype=self._stored, mode="r", shape=self.shape)
        scale = np.broadcast_to(self._scale, self.shape)[index]
        return np.asarray(self._map[index] * scale, dtype=np.float64)

    def stored(self) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Return the numbers as they lie on disk, and the factor of each channel [V]."""
        return np.memmap(self._path, dtype=self._stored, mode="r", shape=self.shape), self._scale

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:  # noqa: FBT001 (NumPy's protocol)
        """All samples at once."""
        return np.asarray(self[:], dtype=dtype)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the memory map behind when sent to another process."""
        return {**self.__dict__, "_map": None}


@dataclass(frozen=True, slots=True, eq=False)
class BrainVision:
    """Samples (n, channels) [V], lazy; rate [Hz]; channel names."""

    x: ScaledSamples
    fs: float
    channels: tuple[str, ...]


def write_brainvision(
    path: str | os.PathLike[str],
    blocks: Iterable[NDArray[np.float64]],
    fs: float,
    channels: Sequence[str],
    *,
    marker_t_s: NDArray[np.float64] | None = None,
    marker_codes: NDArray[np.int64] | None = None,
) -> int:
    """
    Write ``.vhdr``, ``.vmrk`` and ``.eeg`` (32-bit microvolts) without names, dates or paths.

    Parameters
    ----------
    path
        Header file, ``.vhdr``.
    blocks
        Samples (m, channels) [V], one block after the other; only one is held in memory.
    fs
        Sampling rate [Hz].
    channels
        One name each.
    marker_t_s, marker_codes : (k,)
        Times [s] from the first sample, and trigger values above 0; values of 0 cannot be written in this format.

    Returns
    -------
    int
        Number of samples written.

    Raises
    ------
    DataError
        If a block does not fit the channels, holds NaN, nothing is written, or a marker lies outside.
    """
    path = Path(path)
    data = path.with_suffix(".eeg")
    partial = data.with_name(data.name + ".partial")
    n = 0
    try:
        with partial.open("wb") as file:
            for block in blocks:
                if block.ndim != 2 or block.shape[1] != len(channels):
                    raise DataError(f"{path.name}: expected blocks (m, {len(channels)}), got {block.shape}")
                if not np.isfinite(block).all():
                    raise DataError(f"{path.name}: expected finite samples, got NaN or infinity after sample {n}")
                (block * 1e6).astype("<f4").tofile(file)
                n += block.shape[0]
        if n < 2:
            raise DataError(f"{path.name}: expected at least 2 samples, got {n}")
        onsets = np.rint((marker_t_s if marker_t_s is not None else np.empty(0)) * fs).astype(np.int64)
        codes = marker_codes if marker_codes is not None else np.empty(0, dtype=np.int64)
        outside = np.flatnonzero((onsets < 0) | (onsets >= n) | (codes < 1))
        raise_faults(path.name, [f"marker {codes[i]} at {onsets[i] / fs:.3f} s cannot be written" for i in outside])
        _write_headers(path, n, fs, channels, onsets, codes)
        partial.replace(data)
    finally:
        partial.unlink(missing_ok=True)
    return n


def _write_headers(
    path: Path, n: int, fs: float, channels: Sequence[str], onsets: NDArray[np.int64], codes: NDArray[np.int64]
) -> None:
    """Let pybv write the header from one sample of all channels, and the markers from all samples of one."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        place = {"sfreq": fs, "fname_base": path.stem, "resolution": 1.0, "unit": "µV", "fmt": "binary_float32"}
        header, markers = Path(folder) / "header", Path(folder) / "markers"
        pybv.write_brainvision(data=np.zeros((len(channels), 1)), ch_names=list(channels), folder_out=header, **place)
        events = [
            {"onset": int(onset), "duration": 1, "description": int(code), "type": "Stimulus"}
            for onset, code in zip(onsets, codes, strict=True)
        ]
        pybv.write_brainvision(data=np.zeros((1, n)), ch_names=["x"], events=events, folder_out=markers, **place)
        (markers / path.with_suffix(".vmrk").name).replace(path.with_suffix(".vmrk"))
        (header / path.name).replace(path)


def read_brainvision(path: str | os.PathLike[str]) -> BrainVision:
    """
    Open a multiplexed binary BrainVision recording; samples stay on disk.

    Parameters
    ----------
    path
        Header file, ``.vhdr``.

    Returns
    -------
    BrainVision
        Lazy samples in V, rate and names.

    Raises
    ------
    DataError
        If the header or its data file is missing, in another layout, or the file is cut short.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path.name}: expected a BrainVision header, got no file")
    text = re.split(r"^\[Comment\]", path.read_text(encoding="utf-8", errors="replace"), flags=re.MULTILINE)[0]
    header = configparser.ConfigParser(interpolation=None, strict=False, comment_prefixes=(";",), allow_no_value=True)
    header.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        header.read_string(text[text.index("[") :])
        common = header["Common Infos"]
        fs, n_channels = 1e6 / float(common["SamplingInterval"]), int(common["NumberOfChannels"])
        parts = [header["Channel Infos"][f"Ch{k + 1}"].split(",") for k in range(n_channels)]
        stored = _FORMATS.get(header["Binary Infos"]["BinaryFormat"])
        layout = common.get("DataFormat"), common.get("DataOrientation")
    except (ValueError, KeyError, configparser.Error) as error:
        raise DataError(f"{path.name}: expected a BrainVision header, got one without {error}") from None
    if stored is None or layout != ("BINARY", "MULTIPLEXED"):
        raise DataError(f"{path.name}: expected multiplexed binary float32 or int16, got {layout}")
    scale, faults = [], []
    for part in parts:
        unit = part[3].strip() if len(part) > 3 else ""
        if unit not in _VOLTS:
            faults.append(f"channel {part[0]}: expected a unit of volts, got '{unit}'")
        scale.append(float(part[2] or 1.0) * _VOLTS.get(unit, 1.0))
    raise_faults(path.name, faults)
    data = path.with_name(common["DataFile"].replace("$b", path.stem))
    if not data.is_file():
        raise DataError(f"{path.name}: expected its data file {data.name} beside it, got none")
    if data.stat().st_size % (stored.itemsize * n_channels):
        raise DataError(
            f"{data.name}: expected whole samples of {n_channels} channels, got {data.stat().st_size} bytes; cut short?"
        )
    names = tuple(part[0].replace(r"\1", ",") for part in parts)
    return BrainVision(ScaledSamples(data, stored, np.array(scale)), fs, names)
