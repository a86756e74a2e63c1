"""
What the five peripheral signals of a session of 75 min at 1000 Hz cost: time against NeuroKit2's pipelines, and memory.

Ours: read ECG, PPG, RSP, EDA and SKT (cleaning, events, quality), then describe 48 trials of about 60 s, all different in
length, with quality and heart rate variability in time and frequency. NeuroKit2: `ecg_process`, `ppg_process`,
`rsp_process` and `eda_process` on the same arrays, without any trial. Both by turns in one process, CPU time, one BLAS
thread, medians. Memory: the largest resident size of a fresh process that holds the arrays, less what it held before.
Fails below 20 times, or above 300 MB. Prints the lines of docs/speed.md. Takes some minutes; `--profile` shows our time by
part and by function instead.
"""

from __future__ import annotations

import argparse
import cProfile
import pickle
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

FS, MINUTES, TRIALS, TRIAL_S, BASELINE_S = 1000.0, 75.0, 48, 60.0, 10.0
LEAST_TIMES, MOST_MB = 20.0, 300.0
UNITS = {"ecg": "V", "ppg": "V", "rsp": "V", "eda": "µS", "skt": "°C"}


def simulated(minutes: float) -> dict[str, NDArray[np.float64]]:
    """One body that answers to two expressions a minute; times and five signals."""
    from mmme.simulate.body import draw_body, ecg_mv, eda_us, ppg_v, rsp_v, skt_c
    from mmme.simulate.expressions import TrueExpression
    from mmme.simulate.responses import draw_responses

    rng = np.random.default_rng(0)
    t = np.arange(round(60.0 * minutes * FS)) / FS
    onsets = np.sort(rng.uniform(10.0, t[-1] - 20.0, int(2 * minutes)))
    made = [TrueExpression("micro", "surprise", ("AU1",), a, a + 0.15, a + 0.4, 1.0) for a in onsets]
    body = draw_body(rng, 0.0, 60.0 * minutes, draw_responses(rng, made, effect=1.0, gain=1.0))
    return {
        "t": t,
        "ecg": 1e-3 * ecg_mv(rng, body, t),
        "ppg": ppg_v(rng, body, t),
        "rsp": rsp_v(rng, body, t),
        "eda": eda_us(rng, body, t),
        "skt": skt_c(rng, body, t),
    }


def trials(stop_s: float) -> list[Any]:
    """One occasion list per trial: lengths differ by milliseconds, so none can share a call."""
    from mmme.features.windows import Occasions, Windows

    rng = np.random.default_rng(1)
    n = min(TRIALS, int(stop_s / (1.2 * TRIAL_S)))
    starts = np.linspace(BASELINE_S + 1.0, stop_s - TRIAL_S - 2.0, n)
    return [
        Occasions(Windows(starts[k : k + 1], d), Windows(starts[k : k + 1] - BASELINE_S, BASELINE_S), starts[k : k + 1])
        for k, d in enumerate(TRIAL_S + rng.uniform(-0.5, 0.5, n))
    ]


def parts() -> dict[str, tuple[Callable[..., Any], Callable[..., Any]]]:
    """Reader and columns of each signal; columns that need the heart are given it."""
    from mmme.features.body import ecg, eda, ppg, rsp, skt

    return {
        "ecg": (ecg.read_ecg, lambda made, on: ecg.ecg_columns(made["ecg"], on)),
        "ppg": (ppg.read_ppg, lambda made, on: ppg.ppg_columns(made["ppg"], on)),
        "rsp": (rsp.read_rsp, lambda made, on: rsp.rsp_columns(made["rsp"], on, made["ecg"].beats)),
        "eda": (eda.read_eda, lambda made, on: eda.eda_columns(made["eda"], on)),
        "skt": (skt.read_skt, lambda made, on: skt.skt_columns(made["skt"], on)),
    }


def ours(streams: dict[str, Any], occasions: list[Any], took: dict[str, float] | None = None) -> dict[str, Any]:
    """Read and judge every signal, then describe every trial: values and quality."""
    made: dict[str, Any] = {}
    described: dict[str, Any] = {}
    for name, (read, columns) in parts().items():
        started = time.process_time()
        made[name] = read(streams[name])
        between = time.process_time()
        described[name] = [(columns(made, on), made[name].verdict.index(on.windows)) for on in occasions]
        if took is not None:
            took[f"{name}: read"] = between - started
            took[f"{name}: {len(occasions)} trials"] = time.process_time() - between
    assert not any(m.refused for m in made.values()), [m.refused for m in made.values()]
    return made | {"described": described}


def neurokits(arrays: dict[str, NDArray[np.float64]]) -> None:
    """The four pipelines as its manual has them."""
    import neurokit2 as nk

    nk.ecg_process(arrays["ecg"], sampling_rate=int(FS))
    nk.ppg_process(arrays["ppg"], sampling_rate=int(FS))
    nk.rsp_process(arrays["rsp"], sampling_rate=int(FS))
    nk.eda_process(arrays["eda"], sampling_rate=int(FS))


def streams_of(arrays: dict[str, NDArray[np.float64]]) -> dict[str, Any]:
    from mmme.types import Stream

    return {name: Stream(name, "biopac", arrays["t"], arrays[name], unit, FS) for name, unit in UNITS.items()}


def peak_mb(folder: Path, whose: str) -> float:
    """Largest resident size of a fresh process less that with the arrays in it [MB]."""
    command = [sys.executable, __file__, "--child", whose, "--arrays", str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


def resident_mb(name: str) -> float:
    """VmRSS or VmHWM, its largest value, of this process [MB]; `getrusage` would count what the parent held."""
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith(name))
    return float(line.split()[1]) * 1024 / 1e6


def child(folder: Path, whose: str) -> None:
    """Hold the arrays and the libraries, then work; prints what that took [MB]."""
    import neurokit2  # noqa: F401  # what importing takes is not what a recording takes

    parts()
    arrays = {path.stem: np.load(path) for path in sorted(folder.glob("*.npy"))}
    warm = {name: x[:60_000].copy() for name, x in arrays.items()}
    ours(streams_of(warm), [])  # loads what is imported inside functions
    Path("/proc/self/clear_refs").write_text("5")  # the largest value is counted from here
    before = resident_mb("VmRSS")
    if whose == "ours":
        ours(streams_of(arrays), trials(arrays["t"][-1]))
    else:
        neurokits(arrays)
    print(resident_mb("VmHWM") - before)


def profiled(arrays: dict[str, NDArray[np.float64]]) -> None:
    """Our time by part, and the functions that take most of it."""
    streams, occasions = streams_of(arrays), trials(arrays["t"][-1])
    took: dict[str, float] = {}
    ours(streams, occasions)
    ours(streams, occasions, took)
    for name, seconds in took.items():
        print(f"{name:22s} {seconds:6.3f} s")
    print(f"{'all':22s} {sum(took.values()):6.3f} s\n")
    profile = cProfile.Profile()
    profile.runcall(ours, streams, occasions)
    pstats.Stats(profile).sort_stats("tottime").print_stats(30)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--child", choices=["ours", "neurokit"], help=argparse.SUPPRESS)
    parser.add_argument("--arrays", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    with threadpool_limits(1):
        if chosen.child:
            child(chosen.arrays, chosen.child)
            return 0
        arrays = simulated(chosen.minutes)
        if chosen.profile:
            profiled(arrays)
            return 0
        streams, occasions = streams_of(arrays), trials(arrays["t"][-1])
        kept_mb = len(pickle.dumps({k: v for k, v in ours(streams, occasions).items() if k != "described"})) / 1e6
        took: dict[str, list[float]] = {"ours": [], "NeuroKit2": []}
        by_part: dict[str, list[float]] = {}
        for _ in range(chosen.rounds):
            started, single = time.process_time(), {}
            ours(streams, occasions, single)
            took["ours"].append(time.process_time() - started)
            for name, seconds in single.items():
                by_part.setdefault(name, []).append(seconds)
            started = time.process_time()
            neurokits(arrays)
            took["NeuroKit2"].append(time.process_time() - started)
        with tempfile.TemporaryDirectory() as folder:
            for name, x in arrays.items():
                np.save(Path(folder) / f"{name}.npy", x)
            del streams, arrays
            memory = {"ours": peak_mb(Path(folder), "ours"), "NeuroKit2": peak_mb(Path(folder), "neurokit")}
    seconds = {name: statistics.median(values) for name, values in took.items()}
    print("| part | CPU |\n|---|---|")
    for name, values in by_part.items():
        print(f"| {name} | {1e3 * statistics.median(values):.0f} ms |")
    for name in seconds:
        print(f"| {name}, all | {seconds[name]:.2f} s, {memory[name]:.0f} MB beyond the arrays |")
    times = seconds["NeuroKit2"] / seconds["ours"]
    print(
        f"\n{times:.1f} times less CPU than NeuroKit2 (bound {LEAST_TIMES:g}); {memory['ours']:.0f} MB (bound {MOST_MB:g});"
    )
    print(f"what is kept of the recording: {kept_mb:.1f} MB")
    fine = times >= LEAST_TIMES and memory["ours"] <= MOST_MB
    print("within bounds" if fine else "OUT OF BOUNDS")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
