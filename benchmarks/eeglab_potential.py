"""
Potentials of a real recording, against plain MNE.

Usage: ``python benchmarks/eeglab_potential.py eeglab_data.set [--figure potential.png]``, the sample recording of EEGLAB:
32 channels, 128 Hz, 80 squares shown. The same band, reference, epochs and baseline, once by
`mmme.neuro.evoked.locked_means` and once by `mne.io.Raw.filter`, `mne.Epochs` and `average`. Ends with 1 when a channel
differs by more than 0.001 µV anywhere, or fewer than 70 squares are used.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import mne
import numpy as np

from mmme.features.brain.cleaning import EegSettings, read_eeg
from mmme.neuro.evoked import EvokedSettings, locked_means
from mmme.types import Stream

BOUND_UV = 1e-3
BAND_HZ = (1.0, 40.0)
WINDOW = EvokedSettings(before_s=0.5, after_s=1.0, baseline_s=(-0.2, 0.0), step_s=1 / 128, swing_uv=1e6)


def main() -> int:
    """Average both ways and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--figure", type=Path)
    asked = parser.parse_args()
    raw = mne.io.read_raw_eeglab(asked.recording, preload=True, verbose="error")
    squares = raw.annotations.onset[raw.annotations.description == "square"]
    stream = Stream("eeg", "eeg", raw.times.copy(), raw.get_data().T, "V", raw.info["sfreq"], tuple(raw.ch_names))

    clean = read_eeg(stream, EegSettings(low_hz=BAND_HZ[0], high_hz=BAND_HZ[1], reference="average", bad="list"))
    means = locked_means(clean, {"square": (squares.tolist(), squares.tolist())}, settings=WINDOW)
    ours, t_s = means.values["square"][0], means.t_s - 0.5 / clean.fs_hz

    raw.rename_channels(lambda name: next((own for own in clean.channels if own.lower() == name.lower()), name))
    plain = raw.copy().pick(list(clean.channels)).filter(*BAND_HZ, verbose="error")
    trusted = [
        name for name, flat in zip(clean.channels, clean.flat, strict=True) if not flat and name not in clean.bad_channels
    ]
    plain.set_eeg_reference(trusted, verbose="error")
    # An epoch whose wavelets would leave the recording is used by neither.
    used = [s for s in squares if locked_means(clean, {"one": ([s], [s])}, settings=WINDOW).counts["one"]]
    events = np.array([[round(s * raw.info["sfreq"]), 0, 1] for s in used])
    epochs = mne.Epochs(plain, events, tmin=-0.5, tmax=1.0, baseline=(-0.2, -1 / 128), preload=True, verbose="error")
    theirs = epochs.average().get_data(picks=list(clean.channels)) * 1e6
    at = np.round((t_s - epochs.tmin) * clean.fs_hz).astype(int)
    inside = (at >= 0) & (at < theirs.shape[1])
    apart = np.abs(ours[:, inside] - theirs[:, at[inside]])
    size = np.abs(theirs).max()
    print("| squares used | channels | largest potential | largest difference | smallest correlation of a channel |")
    print("|---|---|---|---|---|")
    r = min(np.corrcoef(a, b)[0, 1] for a, b in zip(ours[:, inside], theirs[:, at[inside]], strict=True))
    n = f"{means.counts['square']} (MNE {len(epochs)}) of {squares.size}"
    print(f"| {n} | {len(clean.channels)} | {size:.2f} µV | {apart.max():.0e} µV | {r:.6f} |")
    if clean.bad_channels:
        print(f"\nNot in the reference: {', '.join(clean.bad_channels)}.")
    if asked.figure:
        draw(asked.figure, t_s, ours, theirs[:, at[inside]], clean.channels)
    return int(apart.max() > BOUND_UV or means.counts["square"] < 70)


def draw(path: Path, t_s: np.ndarray, ours: np.ndarray, theirs: np.ndarray, channels: tuple[str, ...]) -> None:
    """Show both, one over the other, in the channel with the largest potential and over the back of the head."""
    import matplotlib.pyplot as plt

    names = [channels[np.abs(theirs).max(axis=1).argmax()], "Pz", "Oz"]
    figure, panels = plt.subplots(1, 3, figsize=(9, 2.8), sharey=True, layout="constrained")
    for panel, name in zip(panels, dict.fromkeys(names), strict=False):
        row = channels.index(name)
        panel.plot(t_s, theirs[row], color="#b9c3cd", lw=4, label="MNE")
        panel.plot(t_s, ours[row], color="#1f5fa8", lw=1.2, label="mmme")
        panel.axvline(0, color="#66717d", lw=0.6)
        panel.set(title=name, xlabel="from the square [s]")
    panels[0].set_ylabel("µV")
    panels[0].legend(frameon=False)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    raise SystemExit(main())
