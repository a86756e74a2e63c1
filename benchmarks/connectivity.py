"""
Time of PLV, PLI, wPLI and coherence of all pairs of 62 channels in trials of 60 s at 250 Hz, against mne-connectivity.

Prints the table of docs/connectivity.md and exits with 1 where the ratio of a form is below 4 in the precision of the
features (single), or numbers differ. mne-connectivity takes 48 trials over epochs, but only 2 over time, at 18 s each, and
8 with tapers.
Median CPU time per trial, by turns, one BLAS thread.
"""

from __future__ import annotations

import os

os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import sys
import time
from collections.abc import Callable
from functools import partial

import mne
import numpy as np
from mne_connectivity import spectral_connectivity_epochs, spectral_connectivity_time
from numpy.typing import NDArray

from mmme.features.brain.connectivity import connectivity_over_epochs, connectivity_over_time

N_CHANNELS, SECONDS, FS = 62, 60, 250.0
MEASURES = ["plv", "pli", "wpli", "coh"]
HZ = np.arange(4.0, 45.0, 2.0)
BOUND = 4.0
#: Largest differences that are allowed, of double and of single precision; PLI in single may count two looks otherwise.
SAME = (1e-9, 1e-4)


def trial(seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N_CHANNELS, int(SECONDS * FS)))
    mixing = np.eye(N_CHANNELS) + 0.1 * rng.normal(size=(N_CHANNELS, N_CHANNELS))
    return 10 * (mixing @ x + 0.3 * np.roll(x, 4, axis=1)[::-1])


def epochs(x: NDArray[np.floating]) -> NDArray[np.floating]:
    return x.reshape(N_CHANNELS, 30, 500).swapaxes(0, 1)


def theirs_over_epochs(x: NDArray[np.floating], *, mode: str) -> list[NDArray[np.float64]]:
    found = spectral_connectivity_epochs(
        epochs(x), method=MEASURES, sfreq=FS, mode=mode, mt_bandwidth=4.0, fmin=4.0, fmax=44.9
    )
    return [c.get_data().reshape(N_CHANNELS, N_CHANNELS, -1) for c in found]


def ours_over_epochs(x: NDArray[np.floating], *, bandwidth_hz: float | None) -> list[NDArray[np.floating]]:
    found = connectivity_over_epochs(epochs(x), FS, MEASURES, low_hz=4.0, high_hz=45.0, bandwidth_hz=bandwidth_hz)[1]
    return [found[name] for name in MEASURES]


def theirs_over_time(x: NDArray[np.floating]) -> list[NDArray[np.float64]]:
    found = spectral_connectivity_time(x[None], freqs=HZ, method=MEASURES, sfreq=FS, average=True)
    return [c.get_data().reshape(N_CHANNELS, N_CHANNELS, -1) for c in found]


def ours_over_time(x: NDArray[np.floating]) -> list[NDArray[np.floating]]:
    found = connectivity_over_time(x, FS, MEASURES, HZ)
    return [found[name] for name in MEASURES]


def timed(way: Callable[[NDArray[np.floating]], list[NDArray[np.floating]]], x: NDArray[np.floating]):
    started = time.process_time()
    values = way(x)
    return time.process_time() - started, values


def main() -> int:
    mne.set_log_level("ERROR")
    hann, slepian = (partial(theirs_over_epochs, mode=mode) for mode in ("fourier", "multitaper"))
    forms = {
        "over epochs, 30 of 2 s, Hann": (hann, partial(ours_over_epochs, bandwidth_hz=None), 48, 4 / 30),
        "over epochs, 30 of 2 s, 7 tapers": (slepian, partial(ours_over_epochs, bandwidth_hz=4.0), 8, 4 / 30),
        "over time, 21 Morlet wavelets": (theirs_over_time, ours_over_time, 2, 4 / 15000),
    }
    below = np.tril_indices(N_CHANNELS, -1)
    missed = False
    print("| form | mne-connectivity | double | ratio | single | ratio | differences: double, single, PLI in single |")
    print("|---|---|---|---|---|---|---|")
    for name, (theirs, ours, n_trials, two_looks) in forms.items():
        ours(trial(99)), ours(trial(99).astype(np.float32))
        took, worst = [], np.zeros(3)
        for seed in range(n_trials):
            x = trial(seed)
            t0, expected = timed(theirs, x)
            t1, double = timed(ours, x)
            t2, single = timed(ours, x.astype(np.float32))
            took.append((t0, t1, t2))
            for measure, e, d, s in zip(MEASURES, expected, double, single, strict=True):
                e = np.moveaxis(e, 2, 0)[:, *below]
                k = 2 if measure == "pli" else 1
                worst[0] = max(worst[0], np.abs(d[:, *below] - e).max())
                worst[k] = max(worst[k], np.abs(s[:, *below] - e).max())
        t0, t1, t2 = np.median(took, axis=0)
        shown = ", ".join(f"{w:.0e}" for w in worst)
        ratios = f"{t1:.3f} s | {t0 / t1:.1f} | {t2:.3f} s | {t0 / t2:.1f}"
        print(f"| {name} ({n_trials} trials) | {t0:.3f} s | {ratios} | {shown} |", flush=True)
        missed |= bool(t0 / t2 < BOUND or (worst > (*SAME, two_looks + 1e-6)).any())
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
