"""
Error and quality of the pulse from the colour of a face, on simulated faces and on noise, and its speed.

Prints the tables of docs/rppg.md; ends with exit code 1 when a rate that is given is off by more than 3 bpm where a pulse
is planted, when noise gets a rate in more than 1 % of the windows, or when head or light movement alone gets one. Films
are written and read again as the importer does it (FFV1), or compressed by H.264. Takes some minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
import numpy as np

from mmme.features.face.landmarks import FaceMesh
from mmme.features.face.pulse_wave import chrom, pos, pulse_wave
from mmme.features.face.rppg import MAX_APART_BPM, MIN_SNR_DB, PulseCurve, pulse_curve, pulse_rates
from mmme.features.face.skin_colour import SkinTrace
from mmme.features.windows import Windows
from mmme.io.ffv1 import write_ffv1
from mmme.io.video import VideoFrames, open_video
from mmme.simulate import simulate_pulse_clip
from mmme.types import Stream

BOUND_BPM, NOISE_SHARE = 3.0, 0.01
RATES = (48.0, 80.0, 150.0)
SECONDS = 12.5
BEAT = np.array([0.33, 0.77, 0.53])
CONDITIONS: dict[str, dict] = {
    "still, noise of 1.8 levels": {},
    "no noise but 8 bits": {"noise": 0.0},
    "noise of 4 levels": {"noise": 4.0},
    "head sways by 2 px, light drifts, blinks": {"head_motion_px": 2.0, "blinks": True},
    "head sways by 5 px, light drifts, blinks": {"head_motion_px": 5.0, "blinks": True},
    "head nods by 1 px at 102 per minute": {"nod_hz": 1.7, "nod_px": 1.0},
    "light swings by 2 % at 102 per minute": {"light_hz": 1.7, "light": 0.02},
}
OF_ALL_TONES = ("noise of 4 levels", "head sways by 2 px, light drifts, blinks")
COMPRESSED = {"H.264, crf 18": 18, "H.264, crf 23": 23, "H.264, crf 28": 28}
NOTHING: dict[str, dict] = {
    "still head": {},
    "a photograph, no noise": {"noise": 0.0},
    "head sways by 5 px, blinks": {"head_motion_px": 5.0, "blinks": True},
    "head nods by 0.5 px at 78 per minute": {"nod_hz": 1.3, "nod_px": 0.5},
    "head nods by 2 px at 78 per minute": {"nod_hz": 1.3, "nod_px": 2.0},
    "white light swings by 3 % at 90 per minute": {"light_hz": 1.5, "light": 0.03},
    "warm light swings by 2 % at 90 per minute": {"light_hz": 1.5, "light": 0.02, "light_rgb": (1.2, 1.0, 0.7)},
}
GREENISH = {"light_hz": 1.5, "light": 0.005, "light_rgb": (0.4, 1.0, 0.6)}


@dataclass
class Windowed:
    """Differences from the planted rate, and quality, of all windows of some clips."""

    error: list[float]
    snr: list[float]
    n: int = 0

    def add(self, curve: PulseCurve, planted: np.ndarray) -> None:
        good = curve.why == ""
        self.error += np.abs(curve.bpm - planted)[good].tolist()
        self.snr += curve.snr_db[np.isfinite(curve.snr_db)].tolist()
        self.n += len(curve.t)

    def cells(self) -> str:
        error = np.array(self.error)
        snr = f"{np.median(self.snr):.1f}" if self.snr else ""
        worst = f"{np.median(error):.2f} | {error.max():.2f}" if error.size else " | "
        return f"{error.size} of {self.n} | {snr} | {worst}"


def film(folder: Path, t: np.ndarray, frames: np.ndarray, crf: int | None = None) -> VideoFrames:
    """Write a film without loss or by H.264, and open it."""
    if crf is None:
        write_ffv1(folder / "a.mkv", iter(frames), t)
        return open_video(folder / "a.mkv")
    with av.open(str(folder / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": str(crf), "preset": "medium"})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for k, image in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts = k
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return open_video(folder / "a.mp4")


def measured(mesh: FaceMesh, seed: int, crf: int | None = None, **how) -> tuple[PulseCurve, np.ndarray]:
    """The rates of one simulated clip, and those planted."""
    t, frames, truth = simulate_pulse_clip(seed, duration_s=SECONDS, **how)
    with tempfile.TemporaryDirectory() as folder:
        video = film(Path(folder), t, frames, crf)
        curve = pulse_curve(Stream("video", "film", video.t_s, video, "grey level"), finder=mesh)
        video.close()
    return curve, np.array([truth.bpm[np.abs(t - at) < 5].mean() for at in curve.t])


def cases(*, quick: bool) -> Iterator[tuple[str, str, dict, int | None]]:
    """Tone, condition, how to simulate, and compression."""
    sway = "head sways by 2 px"
    for name, how in CONDITIONS.items():
        yield "medium", name, how, None
    for name, crf in COMPRESSED.items():
        yield "medium", f"{name}, {sway}", {"head_motion_px": 2.0, "frame_px": 256}, crf
    for tone in () if quick else ("light", "dark"):
        for name in OF_ALL_TONES:
            yield tone, name, {"tone": tone, **CONDITIONS[name]}, None
        yield tone, f"H.264, crf 23, {sway}", {"tone": tone, "head_motion_px": 2.0, "frame_px": 256}, 23


def planted(mesh: FaceMesh, *, quick: bool) -> list[str]:
    """Table of clips with a pulse; what missed the bound."""
    print("| skin | condition | windows with a rate | median quality [dB] | median error [bpm] | largest error [bpm] |")
    print("|---|---|---|---|---|---|")
    missed = []
    for tone, name, how, crf in cases(quick=quick):
        all_windows = Windowed([], [])
        for k, bpm in enumerate(RATES[1:2] if quick else RATES):
            all_windows.add(*measured(mesh, k, crf, bpm=bpm, **how))
        print(f"| {tone} | {name} | {all_windows.cells()} |", flush=True)
        if max(all_windows.error, default=0.0) > BOUND_BPM:
            missed.append(f"{tone}, {name}: off by {max(all_windows.error):.2f} bpm")
    return missed


def frame_rates(mesh: FaceMesh) -> list[str]:
    """Table over frame rates: same face, same pulse."""
    print("\n| frames per second | windows with a rate | median quality [dB] | median error [bpm] | largest error [bpm] |")
    print("|---|---|---|---|---|")
    missed = []
    for fps in (15.0, 30.0, 60.0, 150.0, 200.0):
        all_windows = Windowed([], [])
        for k, bpm in enumerate((60.0, 120.0)):
            all_windows.add(*measured(mesh, k, bpm=bpm, fps=fps, head_motion_px=2.0, blinks=True))
        print(f"| {fps:g} | {all_windows.cells()} |", flush=True)
        if max(all_windows.error, default=0.0) > BOUND_BPM:
            missed.append(f"{fps:g} frames per second: off by {max(all_windows.error):.2f} bpm")
    return missed


def nothing(mesh: FaceMesh) -> list[str]:
    """Table of clips without a pulse; what got a rate all the same."""
    print("\n| no pulse, but | windows with a rate | median quality [dB] | why not |")
    print("|---|---|---|---|")
    missed = []
    for name, how in {**NOTHING, "greenish light swings by 0.5 % at 90 per minute": GREENISH}.items():
        curves = [measured(mesh, seed, pulse=0.0, **how)[0] for seed in range(2)]
        why = np.concatenate([c.why for c in curves])
        snr = np.concatenate([c.snr_db for c in curves])
        told = "; ".join(f"{text} ({n})" for text, n in zip(*np.unique(why[why != ""], return_counts=True), strict=True))
        level = f"{np.nanmedian(snr):.1f}" if np.isfinite(snr).any() else ""
        print(f"| {name} | {np.sum(why == '')} of {len(why)} | {level} | {told} |", flush=True)
        if how is not GREENISH and np.any(why == ""):
            missed.append(f"without a pulse, {name}: {np.sum(why == '')} of {len(why)} windows got a rate")
    return missed


def quality(n: int) -> list[str]:
    """Tables of what quality means: share of wrong rates by quality, and of noise that passes the limits."""
    rng, rows = np.random.default_rng(0), []
    t, at = np.arange(0, 14, 1 / 30), Windows(np.array([2.0]), 10.0)
    skin, middle = np.array([180.0, 130.0, 105.0]), (t >= 2) & (t < 12)
    for _ in range(n):
        size, level = rng.choice([0.0007, 0.0015, 0.003, 0.006]), 10 ** rng.uniform(-2, 0)
        rate = rng.uniform(45, 160) + 2 * np.sin(2 * np.pi * 0.25 * t + rng.uniform(0, 6))
        turns = 2 * np.pi * np.cumsum(rate / 60) / 30
        rgb = skin * (1 + size * (np.sin(turns) + 0.35 * np.sin(2 * turns + 0.8))[:, None] * BEAT)
        rgb += rng.normal(0, level, rgb.shape) + np.cumsum(rng.normal(0, 0.15 * level, rgb.shape), axis=0)
        found = raw_rates(SkinTrace(t, rgb), at)
        rows.append((abs(found[0][0] - rate[middle].mean()), found[1][0]))
    error, snr = np.array(rows).T
    print(f"\n| quality [dB] | rates | off by more than {BOUND_BPM:g} bpm | 95th percentile of the error [bpm] |")
    print("|---|---|---|---|")
    edges = (-np.inf, -3, -1, 0, 1, 2, MIN_SNR_DB, 5, 8, np.inf)
    for low, high in pairwise(edges):
        some = (snr >= low) & (snr < high)
        wrong, far = np.mean(error[some] > BOUND_BPM), np.percentile(error[some], 95)
        print(f"| {low:g} to {high:g} | {some.sum()} | {wrong:.1%} | {far:.1f} |")
    print("\n| noise alone, window [s] | 99th percentile of quality [dB] | windows with a rate |")
    print("|---|---|---|")
    missed = []
    for window_s in (5.0, 10.0, 20.0):
        t = np.arange(0, n * window_s + 2, 1 / 30)
        noise = skin + rng.normal(0, 0.1, (len(t), 3)) + 0.02 * np.cumsum(rng.normal(0, 0.1, (len(t), 3)), axis=0)
        curve = pulse_rates(pulse_wave(SkinTrace(t, noise)), Windows(window_s * np.arange(n), window_s))
        passed = np.mean(curve.why == "")
        print(f"| {window_s:g} | {np.nanpercentile(curve.snr_db, 99):.1f} | {passed:.2%} |")
        if passed > NOISE_SHARE:
            missed.append(f"noise in windows of {window_s:g} s: {passed:.2%} got a rate")
    return missed


def raw_rates(trace: SkinTrace, windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    """Rates whatever their quality, and the quality."""
    from mmme.features.face import rppg

    kept = rppg.MIN_SNR_DB, rppg.MAX_APART_BPM
    rppg.MIN_SNR_DB, rppg.MAX_APART_BPM = -np.inf, np.inf
    try:
        curve = pulse_rates(pulse_wave(trace), windows)
    finally:
        rppg.MIN_SNR_DB, rppg.MAX_APART_BPM = kept
    return curve.bpm, curve.snr_db


def speed(mesh: FaceMesh) -> None:
    """Process time of each step."""
    t, frames, _ = simulate_pulse_clip(0, duration_s=10.5, frame_px=480)
    with tempfile.TemporaryDirectory() as folder:
        video = film(Path(folder), t, frames)
        took = []
        for _ in range(3):
            start = time.process_time()
            pulse_curve(Stream("video", "film", video.t_s, video, "grey level"), finder=mesh)
            took.append(time.process_time() - start)
    rgb = np.random.default_rng(0).normal(150, 1, (18_000, 3))
    start = time.process_time()
    pos(rgb, 30.0)
    between = time.process_time()
    chrom(rgb, 30.0)
    end = time.process_time()
    print(f"\nwhole way, 480 px, FFV1: {1e3 * np.median(took) / len(t):.1f} ms per frame of process time")
    print(f"ten minutes of skin colour: POS {1e3 * (between - start):.0f} ms, CHROM {1e3 * (end - between):.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="medium skin and one rate only")
    quick = parser.parse_args().quick
    print(f"A rate is given from {MIN_SNR_DB:g} dB on, where both methods are within {MAX_APART_BPM:g} bpm.\n")
    with FaceMesh() as mesh:
        missed = planted(mesh, quick=quick) + frame_rates(mesh) + nothing(mesh)
        speed(mesh)
    missed += quality(400 if quick else 4000)
    for text in missed:
        print(f"missed: {text}", file=sys.stderr)
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
