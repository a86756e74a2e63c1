"""
From a file of EEG to band power per trial, in CPU time and memory, against the way of the notebook published with MMME.

Both ways read the same BrainVision file (64 channels and 2 bipolar ones at 1000 Hz, coloured noise, trials of 60 s,
33 s between them), each in a process of its own with one BLAS thread, in turns. The notebook's way: MNE reads the file, FIR
0.04 to 48 Hz at 1000 Hz (82,501 taps), pandas data frame, per trial 40 periodograms of 1 s (of which it uses 512 samples)
of the last 40 s, means of five bands. Its loop over rows that gives every sample its marker is left out, in its favour.
Ours: `eeg_features` over the whole of each trial, with its baseline and frontal asymmetry.

The bound is that of a session: with ``--whole``, 75 minutes with 48 trials, ours may take a tenth of the CPU time (the
notebook's way takes 7 GB there, the file 1.2 GB of disk). In the default of 10 minutes and 6 trials, what ours does once
per recording (bad channels, line, design of the filter) weighs more, and the bound is a fifth. Ours may take 1.5 GB. Ends
with exit code 1 where a bound is missed. Then the families are timed from a cleaned recording in memory: 48 trials, 300
expressions, 20 windows a second.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

CHANNELS_HZ, TRIAL_S, REST_S = 1000.0, 60.0, 33.0
BOUND_SHARE, BOUND_SHARE_SHORT, BOUND_GB = 0.1, 0.2, 1.5
BANDS = ((1, 4), (4, 8), (8, 13), (13, 30), (30, 47))


def trial_starts(minutes: float) -> np.ndarray:
    return np.arange(REST_S, 60 * minutes - TRIAL_S - 1.0, TRIAL_S + REST_S)[: round(48 * minutes / 55)]


def written(folder: Path, minutes: float) -> Path:
    """A recording in blocks of ten seconds: noise that falls with frequency, levels of some mV."""
    from scipy.signal import lfilter

    from mmme.io.brainvision import write_brainvision
    from mmme.simulate import BIPOLAR, EEG_NAMES

    names = (*EEG_NAMES, *BIPOLAR[:2])
    rng = np.random.default_rng(0)
    level = rng.normal(0, 2e-3, len(names))

    def blocks() -> Iterator[np.ndarray]:
        state = np.zeros((1, len(names)))
        for _ in range(round(6 * minutes)):
            noise = rng.standard_normal((10_000, len(names)), dtype=np.float32) * 1e-6
            x, state = lfilter([1.0], [1.0, -0.97], noise, axis=0, zi=state)
            yield x + level

    path = folder / "eeg.vhdr"
    write_brainvision(path, blocks(), CHANNELS_HZ, names)
    return path


def notebooks_way(path: Path, minutes: float) -> np.ndarray:
    import mne
    from scipy.signal import periodogram

    raw = mne.io.read_raw_brainvision(path, preload=True, verbose="error")
    raw.filter(l_freq=0.04, h_freq=48, verbose="error")
    frame = raw.to_data_frame()
    x = frame.iloc[:, 1:].to_numpy()
    features = []
    for start in trial_starts(minutes):
        last = round((start + TRIAL_S) * CHANNELS_HZ)
        seconds = []
        for first in range(last - 40_000, last, 1000):
            f, density = periodogram(
                x[first : first + 1000], fs=1000, window="boxcar", nfft=512, return_onesided=False, axis=0
            )
            seconds.append([density[(f >= low) & (f < high)].mean(axis=0) for low, high in BANDS])
        features.append(np.log(np.mean(seconds, axis=0)))
    return np.array(features)


def our_way(path: Path, minutes: float) -> np.ndarray:
    from mmme.features.brain.eeg import eeg_features
    from mmme.interval import Interval
    from mmme.io.brainvision import read_brainvision
    from mmme.types import Sample, Stream

    file = read_brainvision(path)
    t = np.arange(file.x.shape[0]) / file.fs
    trials = [
        Sample(f"S01-{i}", "S01", "sad-1", "sad", a, a, a, Interval(a, a + TRIAL_S))
        for i, a in enumerate(trial_starts(minutes))
    ]
    stream = Stream("eeg", "eeg", t, file.x, "V", file.fs, file.channels)
    table = eeg_features(stream, trials, before_s=0.0, after_s=TRIAL_S, baseline_s=3.0, by="channel")
    assert np.isfinite(table.X[:, ["faa" not in c for c in table.columns]]).all()
    return table.X


WAYS = {"notebook": notebooks_way, "ours": our_way}


def measured(way: str, path: Path, minutes: float) -> dict[str, float]:
    """CPU seconds and peak memory of one way in a fresh process, imports not counted as time."""
    command = [sys.executable, __file__, "--way", way, "--file", str(path), "--minutes", str(minutes)]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=one_thread)
    return json.loads(done.stdout.splitlines()[-1])


def run_way(way: str, path: Path, minutes: float) -> None:
    modules = ["mne", "pandas", "scipy.signal", "mmme.io.brainvision", "mmme.features.brain.eeg"]
    for module in modules:
        importlib.import_module(module)
    before = time.process_time()
    WAYS[way](path, minutes)
    cpu_s = time.process_time() - before
    print(json.dumps({"cpu_s": cpu_s, "gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}))


def families() -> None:
    """CPU time of every family from a cleaned recording of 75 min and 62 channels at 250 Hz."""
    from mmme.features.brain.clean import CleanEeg
    from mmme.features.brain.families import EEG_FAMILIES
    from mmme.features.brain.regions import REGIONS
    from mmme.features.quality import Verdict
    from mmme.features.windows import Occasions, Windows

    names = tuple(c for region in REGIONS.values() for c in region)[:62]
    n, fs_hz = 75 * 60 * 250, 250.0
    rng = np.random.default_rng(0)
    x = rng.standard_normal((62, n), dtype=np.float32)
    nothing = np.zeros((62, 0), dtype=np.float32)
    fine = Verdict(0.0, np.zeros((62, 75 * 60), dtype=np.uint8), ("channel is flat",))
    none = np.zeros(62, dtype=bool)
    clean = CleanEeg(np.arange(n) / fs_hz, x, np.zeros(n, dtype=bool), fs_hz, names, none, {}, (), nothing, fine, {})

    def around(at: np.ndarray, duration_s: float, before_s: float) -> Occasions:
        windows = Windows(at - before_s, duration_s)
        return Occasions(windows, windows.before(2.0), at)

    starts = 20 + 90 * np.arange(48.0)
    sets = {
        "48 trials of 60 s": [around(starts[[i]], TRIAL_S + 0.004 * i, 0.0) for i in range(48)],
        "300 expressions, 4 s": [around(np.sort(rng.uniform(5, 4400, 300)), 4.0, 1.0)],
        "1 min at 20 Hz, 4 s": [around(np.arange(60, 120, 0.05), 4.0, 2.0)],
    }
    print("\n| family | " + " | ".join(sets) + " |\n|---|" + "---|" * len(sets))
    for name, family in EEG_FAMILIES.items():
        cells = []
        for each in sets.values():
            before = time.process_time()
            for one in each:
                family.columns(clean, one, by="both")
            cells.append(f"{time.process_time() - before:.1f} s")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--whole", action="store_true", help="75 minutes instead of 10")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--minutes", type=float, default=10.0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        run_way(arguments.way, arguments.file, arguments.minutes)
        return 0
    minutes = 75.0 if arguments.whole else arguments.minutes
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), minutes)
        runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for way in (*WAYS, *WAYS):
            runs[way].append(measured(way, path, minutes))
    trials = len(trial_starts(minutes))
    print(f"{minutes:g} min, 66 channels, 1000 Hz, {trials} trials\n\n| way | CPU | memory |\n|---|---|---|")
    cpu = {way: statistics.median(r["cpu_s"] for r in found) for way, found in runs.items()}
    gb = {way: max(r["gb"] for r in found) for way, found in runs.items()}
    for way in WAYS:
        print(f"| {way} | {cpu[way]:.1f} s | {gb[way]:.2f} GB |")
    share, bound = cpu["ours"] / cpu["notebook"], BOUND_SHARE if arguments.whole else BOUND_SHARE_SHORT
    print(f"\nours / notebook: {share:.3f} of the CPU time (bound {bound:g})")
    failed = gb["ours"] > BOUND_GB or share > bound
    families()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
