"""
EEG of 75 minutes from file to clean, against MNE doing the same plainly; simulated.

`python benchmarks/eeg_session.py [MINUTES]` writes a Curry recording of 64 channels at 1000 Hz to a temporary folder and
reports, each way in processes of its own, run in turn, medians of CPU seconds:

- opening the `.cdt` by memory map (bound: 0.1 s);
- file to filtered 250 Hz: MNE's load, polyphase resampling and FIR, against ours (bounds: 8 times less CPU, equal to
  1e-5 of the signal's size, peak below 1.5 GB);
- all of `read_eeg`: the same with bad channels, power line, muscle activity, reference and quality.

Ends with 1 when a bound is missed. MNE holds about 5 GB.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

FS, N_CHANNELS, ROUNDS = 1000, 64, 3
LEAST_RATIO, MOST_DIFFERENCE, MOST_GB, MOST_OPENING_S = 8.0, 1e-5, 1.5, 0.1
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def write_curry(path: Path, minutes: float) -> None:
    """Noise that falls with frequency, alpha, mains and offsets of some mV, as a Curry 8 recording."""
    from mmme.simulate.brain import EEG_NAMES

    rng = np.random.default_rng(0)
    n = int(60 * minutes * FS)
    offset = rng.normal(0, 3000, N_CHANNELS)
    level = np.zeros(N_CHANNELS)
    with path.open("wb") as file:
        for a in range(0, n, 50_000):
            m = min(50_000, n - a)
            walk = level + np.cumsum(rng.standard_normal((m, N_CHANNELS), dtype=np.float32) * 0.8, axis=0)
            level = 0.98 * walk[-1]
            t = (a + np.arange(m)) / FS
            wave = 8 * np.sin(2 * np.pi * 10.2 * t) + 5 * np.sin(2 * np.pi * 50 * t)
            (walk + wave[:, None] + offset).astype("<f4").tofile(file)
    head = (
        "DATA_PARAMETERS START\n   DataGuid             = {00000000-0000-0000-0000-000000000000}\n"
        "   DataByteOrder        = INTEL\n   DataSampOrder        = SAMP\n   AmplifierInfo        = \n"
        "   FileVersion          =  800\n   DataFormat           =  6\n"
        f"   NumSamples = {n}\n   NumTrials = 1\n   NumChannels = {N_CHANNELS}\n   StartYear = 2000\n   StartMonth = 1\n"
        "   StartDay = 1\n   StartHour = 0\n   StartMin = 0\n   StartSec = 0\n   StartMillisec = 0\n"
        f"   SampleTimeUsec = {1e6 / FS:g}\n   SampleFreqHz = {FS}\n   TriggerOffsetUsec = 0\nDATA_PARAMETERS END\n\n"
        f"DEVICE_PARAMETERS START\n   DataUnit = uV\n   NumChanThisGroup = {N_CHANNELS}\nDEVICE_PARAMETERS END\n\n"
    )
    lists = {"SENSORS": [f" {k} 10 90" for k in range(N_CHANNELS)], "LABELS": list(EEG_NAMES)}
    for name, lines in lists.items():
        head += f"{name} START\n   ListNrRows = 1\n{name} END\n\n"
        head += f"{name} START_LIST\n" + "\n".join(lines) + f"\n{name} END_LIST\n\n"
    path.with_suffix(".cdt.dpa").write_text(head, encoding="utf-8")


def with_mne(path: Path, kept: Path | None) -> None:
    """Load, resample, filter."""
    import mne

    mne.set_log_level("ERROR")
    raw = mne.io.read_raw_curry(path, preload=True)
    raw.resample(250, method="polyphase", pad="line")
    raw.filter(0.5, 45.0)
    if kept:
        from mmme.features.brain.regions import REGIONS

        scalp = {name.upper() for region in REGIONS.values() for name in region}
        names = [name for name in raw.ch_names if name.upper() in scalp]
        np.save(kept, 1e6 * raw.get_data(names)[:, ::7])


def filtered(path: Path, kept: Path | None) -> None:
    """The same numbers by our parts."""
    from mmme.features.brain.decimation import decimated_channels
    from mmme.features.brain.filters import apply_fir, band_pass
    from mmme.features.brain.regions import REGIONS
    from mmme.io.eeg import read_eeg

    stream = read_eeg(path).streams[0]
    numbers, scale = stream.x.stored()
    x = decimated_channels(numbers, 4, scale=scale * 1e6)
    y = apply_fir(x, band_pass(250.0, 0.5, 45.0, n_times=x.shape[1])[0], out=x)
    if kept:
        scalp = {name.upper() for region in REGIONS.values() for name in region}
        np.save(kept, y[[i for i, name in enumerate(stream.channels) if name.upper() in scalp]][:, ::7])


def cleaned(path: Path, _: Path | None) -> None:
    """All of the cleaning."""
    from mmme.features.brain.cleaning import read_eeg as clean
    from mmme.io.eeg import read_eeg

    made = clean(read_eeg(path).streams[0])
    assert not made.refused, made.refused


def opened(path: Path, _: Path | None) -> None:
    """Header and memory map; imports are not counted."""
    from mmme.io.eeg import read_eeg

    read_eeg(path)
    start = time.process_time()
    assert read_eeg(path).streams[0].x.shape[1] == N_CHANNELS
    print(json.dumps({"opening_s": time.process_time() - start}), file=sys.stderr)


WAYS = {"mne": with_mne, "filtered": filtered, "cleaned": cleaned, "opened": opened}


def child(way: str, path: Path, kept: Path | None) -> dict[str, float]:
    command = [sys.executable, __file__, way, str(path), *([str(kept)] if kept else [])]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = json.loads(done.stdout.splitlines()[-1])
    extra = json.loads(done.stderr.splitlines()[-1]) if way == "opened" else {}
    return {
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime - told["imports_s"],
        **told,
        **extra,
    }


def work(way: str, path: Path, kept: Path | None) -> None:
    """In the child: the libraries are loaded before the clock starts."""
    import mne  # noqa: F401
    import scipy.signal  # noqa: F401

    import mmme.features.brain.cleaning
    import mmme.io.eeg  # noqa: F401

    imports_s = time.process_time()
    WAYS[way](path, kept)
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({"imports_s": imports_s, "peak_gb": peak_gb, "own_s": time.process_time() - imports_s}))


def main(minutes: float) -> int:
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "session.cdt"
        write_curry(path, minutes)
        for k in range(ROUNDS):
            for way in WAYS:
                runs[way].append(
                    child(way, path, Path(folder) / f"{way}.npy" if k == 0 and way in ("mne", "filtered") else None)
                )
        theirs, ours = np.load(Path(folder) / "mne.npy"), np.load(Path(folder) / "filtered.npy")
    difference = float(np.sqrt(np.mean((theirs - ours) ** 2)) / theirs.std())
    cpu = {way: median(r["own_s"] for r in found) for way, found in runs.items()}
    peak = {way: max(r["peak_gb"] for r in found) for way, found in runs.items()}
    opening = median(r["opening_s"] for r in runs["opened"])
    ratio = cpu["mne"] / cpu["filtered"]
    print(
        f"simulated EEG, {minutes:g} min, {N_CHANNELS} channels, {FS} Hz; medians of {ROUNDS} interleaved runs, one thread"
    )
    print(f"open .cdt              {opening:8.3f} s CPU")
    for way, words in (("mne", "MNE to filtered"), ("filtered", "ours to filtered"), ("cleaned", "all of read_eeg")):
        print(
            f"{words:22s} {cpu[way]:8.2f} s CPU   peak {peak[way]:.2f} GB   {cpu['mne'] / cpu[way]:.1f} times less than MNE"
        )
    print(f"difference             {difference:.1e} of the signal's size")
    missed = [
        text
        for text, is_missed in (
            (f"ratio {ratio:.1f}, bound {LEAST_RATIO}", ratio < LEAST_RATIO),
            (f"difference {difference:.1e}, bound {MOST_DIFFERENCE:.0e}", difference > MOST_DIFFERENCE),
            (f"peak {peak['cleaned']:.2f} GB, bound {MOST_GB}", max(peak["cleaned"], peak["filtered"]) > MOST_GB),
            (f"opening {opening:.3f} s, bound {MOST_OPENING_S}", opening > MOST_OPENING_S),
        )
        if is_missed
    ]
    print("\n".join(f"MISSED: {text}" for text in missed) or "all bounds hold")
    return 1 if missed else 0


if __name__ == "__main__":
    if len(sys.argv) > 2:
        work(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
    else:
        sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 75.0))
