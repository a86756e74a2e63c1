"""
Import of a full-length session against MNE's way: CPU time and memory, in one interleaved run.

A session of 75 minutes, 70 EEG channels at 1000 Hz (EEGLAB, 1.3 GB) is simulated. Two programs are then run in turn,
each in a process of its own:

* `mmme import`: hash of the source, streaming to BrainVision, markers, events, leak scan, manifest;
* MNE: `mne.io.read_raw_eeglab(..., preload=True)`, then `mne.export.export_raw` to BrainVision.

With ``--whole`` a BIOPAC export of 17 columns and the frames' names of a camera are imported too (only mmme does that).
Fails when mmme needs more CPU time than MNE, or 1 GB of memory or more.

    python benchmarks/import_session.py [--minutes 75] [--runs 2] [--whole]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import scipy.io

FS = 1000
NAMES = [f"E{k:02d}" for k in range(1, 71)]
LAYOUT = """
name = "Benchmark"
licence = "none"
streams = ["eeg"]

[sessions]
folder = '(?P<name>[a-z]+)(?P<date>\\d{8})'

[devices.eeg]
files = ["*.set"]
markers = "annotations"

[devices.biopac]
files = ["*.mat"]
markers = "lines"
optional = true

[stimuli]
happy = [101, 102, 103, 104]
"""
MNE = """
import sys, mne
raw = mne.io.read_raw_eeglab(sys.argv[1], preload=True, verbose="ERROR")
mne.export.export_raw(sys.argv[2], raw, fmt="brainvision", overwrite=True, verbose="ERROR")
"""


def write_set(path: Path, n: int) -> None:
    """Write an EEGLAB pair of white noise with an event every 500 s."""
    rng = np.random.default_rng(0)
    with path.with_suffix(".fdt").open("wb") as file:
        for start in range(0, n, 100_000):
            rng.standard_normal((min(100_000, n - start), len(NAMES)), dtype=np.float32).tofile(file)
    locations = np.zeros(len(NAMES), dtype=[("labels", object)])
    locations["labels"] = NAMES
    latency = np.arange(1, n, max(n // 9, 1), dtype=float)[:8]
    event = np.zeros(len(latency), dtype=[("type", object), ("latency", float)])
    event["type"] = ["101", "100", "102", "100", "103", "100", "104", "100"][: len(latency)]
    event["latency"] = latency
    eeg = {
        "setname": "", "nbchan": len(NAMES), "pnts": n, "trials": 1, "srate": float(FS), "xmin": 0.0,
        "xmax": (n - 1) / FS, "data": path.with_suffix(".fdt").name, "ref": "common", "chanlocs": locations,
        "chaninfo": {"nosedir": "+X"}, "event": event, "epoch": [], "icawinv": [], "icaweights": [], "icasphere": [],
    }  # fmt: skip
    scipy.io.savemat(path, {"EEG": eeg}, appendmat=False)


def write_mat(path: Path, n: int) -> None:
    """Write an AcqKnowledge export of eight signals, eight digital lines and a calculated column."""
    rng = np.random.default_rng(1)
    labels = ["PPG, X, PPGED-R", "RSP, X, RSPEC-R", "EMG A, X, EMG2-R", "SKT A, X, SKT2-R", "EDA, X, PPGED-R"]
    labels += ["ECG, X, RSPEC-R", "EMG B, X, EMG2-R", "SKT B, X, SKT2-R"]
    labels += [f"Digital (STP Input {k})" for k in range(8)] + ["ECG rate (.5 - 35 Hz)"]
    units = ["Volts", "Volts", "mV", "deg C", "microsiemens", "mV", "mV", "deg C", *["Volts"] * 8, "BPM"]
    data = np.zeros((n, len(labels)), order="F")
    for k in range(8):
        data[:, k] = rng.standard_normal(n)
    trial = (np.arange(n) // max(n // 9, 1)).clip(max=7)
    code = np.array([101, 100, 102, 100, 103, 100, 104, 100])[trial]
    for k in range(8):
        data[:, 8 + k] = 5.0 * ((code >> k) & 1)
    content = {"data": data, "labels": np.array(labels), "units": np.array(units), "isi": 1000.0 / FS, "isi_units": "ms"}
    scipy.io.savemat(path, {**content, "start_sample": 0.0}, appendmat=False)


def measure(command: list[str]) -> tuple[float, float]:
    """CPU seconds and peak memory [GB] of a command."""
    script = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
        "u = resource.getrusage(resource.RUSAGE_CHILDREN); print(u.ru_utime + u.ru_stime, u.ru_maxrss)"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script, *command], check=True, capture_output=True, text=True, env=environment
    )
    cpu_s, kb = done.stdout.split()[-2:]
    return float(cpu_s), float(kb) / 1e6


def main() -> int:
    """Run both in turn and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=75.0)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--whole", action="store_true")
    options = parser.parse_args()
    n = int(options.minutes * 60 * FS)
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        session = folder / "raw" / "somebody20240102"
        session.mkdir(parents=True)
        (folder / "layout.toml").write_text(LAYOUT, encoding="utf-8")
        write_set(session / "eeg.set", n)
        if options.whole:
            write_mat(session / "biopac.mat", n)
        ours = [
            str(Path(sys.executable).with_name("mmme")),
            "import",
            str(folder / "raw"),
            str(folder / "study"),
            "--quiet",
        ]
        ours += ["--layout", str(folder / "layout.toml"), "--key", str(folder / "key.csv")]
        peer = [sys.executable, "-c", MNE, str(session / "eeg.set"), str(folder / "peer.vhdr")]
        rows = []
        for _ in range(options.runs):
            shutil.rmtree(folder / "study", ignore_errors=True)
            rows.append((*measure(ours), *measure(peer)))
    cpu_s, gb, peer_s, peer_gb = (float(np.median(column)) for column in zip(*rows, strict=True))
    print(f"| {options.minutes:g} min, {len(NAMES)} channels, {FS} Hz | CPU [s] | memory [GB] |\n|---|---|---|")
    print(f"| mmme import{', with BIOPAC' if options.whole else ''} | {cpu_s:.1f} | {gb:.2f} |")
    print(f"| MNE, preload and export to BrainVision | {peer_s:.1f} | {peer_gb:.2f} |")
    print(
        f"\nratio of CPU time {cpu_s / peer_s:.2f}, of memory {gb / peer_gb:.2f}; {options.runs} interleaved runs, medians"
    )
    if not options.whole and (cpu_s >= peer_s or gb >= 1.0):
        print("FAILED: expected less CPU time than MNE and less than 1 GB")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
