"""Files of the EEG amplifier (EEGLAB ``.set`` and ``.fdt``) and of the BIOPAC (AcqKnowledge ``.mat``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

__all__ = ["BIOPAC_LABELS", "BIOPAC_UNITS", "digital_lines", "write_acqknowledge_mat", "write_eeglab"]

BIOPAC_LABELS: tuple[str, ...] = (
    "PPG, X, PPGED-R",
    "RSP, X, RSPEC-R",
    "EMG A, X, EMG2-R",
    "SKT A, X, SKT2-R",
    "EDA, X, PPGED-R",
    "ECG, X, RSPEC-R",
    "EMG B, X, EMG2-R",
    "SKT B, X, SKT2-R",
    *(f"Digital (STP Input {bit})" for bit in range(8)),
    "ECG rate (.5 - 35 Hz)",
)
BIOPAC_UNITS: tuple[str, ...] = (
    *("Volts", "Volts", "mV", "deg C", "microsiemens", "mV", "mV", "deg C"),
    *(["Volts"] * 8),
    "BPM",
)


def write_eeglab(
    folder: Path,
    name: str,
    data: NDArray[np.float32],
    channels: Sequence[str],
    fs: float,
    markers: Sequence[tuple[int, str]],
) -> None:
    """
    Write an EEGLAB pair ``name.set`` (version 5 MAT file) and ``name.fdt`` (float32, channels fastest).

    Parameters
    ----------
    folder
        Existing folder.
    name
        File name without ending.
    data : (n_channels, n) float32
        [µV].
    channels
        One name per row.
    fs
        Sampling rate [Hz].
    markers
        Sample index from 0 and text of each event.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_eeglab(Path(folder), "a", np.zeros((1, 5), np.float32), ["CZ"], 100.0, [(2, "101")])
    ...     sorted(p.name for p in Path(folder).iterdir())
    ['a.fdt', 'a.set']
    """
    n = data.shape[1]
    np.ascontiguousarray(data.T, dtype="<f4").tofile(folder / f"{name}.fdt")
    labels = np.zeros(len(channels), dtype=[("labels", object), ("ref", object), ("type", object)])
    labels[:] = [(channel, "", "") for channel in channels]
    events = np.zeros(
        len(markers), dtype=[("type", object), ("latency", object), ("duration", object), ("urevent", object)]
    )
    events[:] = [(text, float(sample + 1), 0.0, float(i + 1)) for i, (sample, text) in enumerate(markers)]
    eeg = {
        "setname": name,
        "filename": f"{name}.set",
        "filepath": "",
        "nbchan": float(len(channels)),
        "trials": 1.0,
        "pnts": float(n),
        "srate": float(fs),
        "xmin": 0.0,
        "xmax": (n - 1) / fs,
        "times": np.zeros((0, 0)),
        "data": f"{name}.fdt",
        "icawinv": np.zeros((0, 0)),
        "icasphere": np.zeros((0, 0)),
        "icaweights": np.zeros((0, 0)),
        "icaact": np.zeros((0, 0)),
        "chanlocs": labels,
        "chaninfo": {"nosedir": "+X"},
        "ref": "common",
        "event": events,
        "epoch": np.zeros((0, 0)),
        "comments": "simulated",
        "saved": "yes",
    }
    savemat(folder / f"{name}.set", {"EEG": eeg}, appendmat=False)


def digital_lines(rng: np.random.Generator, levels: NDArray[np.int64]) -> NDArray[np.float64]:
    """
    Eight held digital lines of a value; at one change in four some bits switch one sample late.

    Parameters
    ----------
    rng
        Source of chance.
    levels : (n,) int64
        Value per sample, 0..255.

    Returns
    -------
    (n, 8) float64
        0 or 5 V; column k is bit k.

    Examples
    --------
    >>> digital_lines(np.random.default_rng(0), np.array([100])).tolist()
    [[0.0, 0.0, 5.0, 0.0, 0.0, 5.0, 5.0, 0.0]]
    """
    bits = (levels[:, None] >> np.arange(8)) & 1
    for edge in np.flatnonzero(np.diff(levels)) + 1:
        if rng.random() < 0.25:
            late = rng.random(8) < 0.5
            bits[edge, late] = bits[edge - 1, late]
    return bits * 5.0


def write_acqknowledge_mat(path: Path, data: NDArray[np.float64], rate_hz: float) -> None:
    """
    Write what AcqKnowledge exports: data, labels, units, interval between samples.

    Parameters
    ----------
    path
        File to write.
    data : (n, 17) float64
        In the order and units of `BIOPAC_LABELS` and `BIOPAC_UNITS`.
    rate_hz
        Sampling rate [Hz].

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_acqknowledge_mat(Path(folder) / "a.mat", np.zeros((3, 17)), 1000.0)
    """
    content = {
        "data": data,
        "isi": 1000.0 / rate_hz,
        "isi_units": "ms",
        "labels": np.array(BIOPAC_LABELS),
        "start_sample": 0.0,
        "units": np.array(BIOPAC_UNITS),
    }
    savemat(path, content, appendmat=False)
