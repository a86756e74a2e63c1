"""
What motion magnification does: gain, filters, noise, simulated micro-expressions, head motion, time and memory.

Prints the tables of docs/magnification.md and fails when a bound is missed. Faces are simulated from scikit-image's
public-domain portrait.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import shift as shifted
from scipy.signal import butter, sosfilt, sosfiltfilt
from skimage import data

from mmme.features.face.flow import flow
from mmme.features.face.magnification import magnified, magnify
from mmme.simulate import TrueExpression, expression_amplitude, simulate_clip

METHODS = ("phase", "linear")
FPS = 60


def moved_by(first: np.ndarray, second: np.ndarray) -> float:
    """Shift to the right that explains the middle of the second image best [px]; least squares, iterated."""
    inner = (slice(24, -24), slice(24, -24))
    found = 0.0
    for _ in range(12):
        back = shifted(second, (0, -found), order=3, mode="nearest")
        slope = np.gradient(0.5 * (first + back), axis=1)[inner]
        found += float((slope * (first - back)[inner]).sum() / (slope**2).sum())
    return found


def turned_by(first: np.ndarray, second: np.ndarray, wavelength_px: float) -> float:
    """Shift of stripes to the right [px], from the phase of their own wave; up to half a wave."""
    inner = slice(32, -32)
    wave = np.exp(-2j * np.pi * np.arange(first.shape[1]) / wavelength_px)[inner]
    one, other = ((image[inner, inner] * wave).sum() for image in (first, second))
    return float(-np.angle(other / one) * wavelength_px / (2 * np.pi))


def gains() -> None:
    print("\n### Gain\n\n| what moves | shift | alpha | phase | linear, all waves | linear, from 16 px |")
    print("|---|---|---|---|---|---|")
    x = np.indices((128, 128))[1]
    portrait = cv2.resize(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)[10:250, 100:340], (128, 128), interpolation=3)
    apex = 20  # quarter of a period of 3 Hz after a whole number of periods
    for what in ("grating of 16 px", "portrait"):
        for amplitude in (0.1, 0.2, 0.3):
            by = amplitude * np.sin(2 * np.pi * 3 * np.arange(60) / FPS)
            if what == "portrait":
                clip = np.stack([shifted(portrait.astype(np.float32), (0, s), order=3, mode="nearest") for s in by])
            else:
                clip = np.array([128 + 50 * np.sin(2 * np.pi * (x - s) / 16) for s in by], dtype=np.float32)
            for alpha in (5.0, 10.0, 20.0):
                row = []
                for method, wave in (("phase", 0.0), ("linear", 0.0), ("linear", 16.0)):
                    made = magnify(clip, FPS, alpha=alpha, low_hz=0.5, high_hz=10, method=method, wavelength_px=wave)
                    seen = [
                        moved_by(c[apex], c[apex + 5]) if what == "portrait" else turned_by(c[apex], c[apex + 5], 16)
                        for c in (clip, made)
                    ]
                    row.append(seen[1] / seen[0] / (1 + alpha))
                assert abs(row[0] - 1) < (0.1 if what == "portrait" else 0.05), (what, amplitude, alpha, row)
                if (1 + alpha) * amplitude < 16 / 16 and what != "portrait":  # first order: a sixteenth of the wave
                    assert abs(row[1] - 1) < 0.1, (amplitude, alpha, row)
                print(f"| {what} | {amplitude} px | {alpha:g} | " + " | ".join(f"{100 * g:.0f} %" for g in row) + " |")


def filters() -> None:
    """Which band, and to and fro or forward only: on the course of expressions and of a swaying head."""
    print(
        "\n### Band\n\n| filter | low | 0.05 + 0.10 s | 0.10 + 0.20 s | 0.25 + 0.25 s | sway 0.1 Hz | 0.23 Hz | 0.41 Hz |"
    )
    print("|---|---|---|---|---|---|---|---|")
    t = np.arange(4000) / 200
    for kind, low, high in (
        ("forward only", 0.5, 10),
        ("to and fro", 0.3, 10),
        ("to and fro", 0.5, 10),
        ("to and fro", 1.0, 10),
        ("to and fro", 0.5, 5),
        ("to and fro", 0.5, 15),
    ):
        sos = butter(2, (low, high), "bandpass", fs=200, output="sos")
        passed = (
            (lambda x, s=sos: sosfiltfilt(s, x, padlen=0)) if kind == "to and fro" else (lambda x, s=sos: sosfilt(s, x))
        )
        row = []
        for rise, fall in ((0.05, 0.1), (0.1, 0.2), (0.25, 0.25)):
            y = passed(expression_amplitude(t, 10, 10 + rise, 10 + rise + fall))
            row.append(f"{y.max():.2f}, {y.min():+.2f}, {1e3 * (t[y.argmax()] - 10 - rise):+.0f} ms")
        for hz in (0.1, 0.23, 0.41):
            wave = np.exp(2j * np.pi * hz * t)
            y = passed(wave.real) + 1j * passed(wave.imag)
            row.append(f"{abs(1 + 10 * (y / wave)[1800:2200]).mean():.1f}x")
        print(f"| {kind} | {low:g} to {high:g} Hz | " + " | ".join(row) + " |")


def expressions() -> None:
    """Flow from before the onset to the apex, where the expression moves most."""
    print("\n### Simulated micro-expressions (alpha 10)\n")
    print("| method | band | planted | flow before | flow after | gain | rest restless by |\n|---|---|---|---|---|---|---|")
    for amplitude in (0.1, 0.2, 0.5):
        for method in METHODS:
            for low in (0.0, 0.5):
                before, after, noise = [], [], []
                for seed, aus in enumerate((("AU12",), ("AU4",), ("AU1", "AU2"))):
                    event = TrueExpression("micro", "happy", aus, 1.0, 1.15, 1.4, amplitude)
                    _, frames, truth = simulate_clip(seed, fps=FPS, duration_s=2.0, events=[event], frame_px=128)
                    true = truth.displacement(1.15)
                    most = np.hypot(*true.transpose(2, 0, 1)) > 0.7 * amplitude
                    made = magnify(frames, FPS, alpha=10, low_hz=low, high_hz=10, method=method)
                    for clip, kept in ((frames.astype(np.float32), before), (made, after)):
                        field = flow(clip[54:58].mean(axis=0), clip[68:71].mean(axis=0))
                        kept.append((field[most] * true[most]).sum() / np.linalg.norm(true[most], axis=1).sum())
                    noise.append(made[10:50].std(axis=0).mean() / frames[10:50].astype(np.float32).std(axis=0).mean())
                b, a = np.mean(before), np.mean(after)
                print(
                    f"| {method} | {low:g} to 10 Hz | {amplitude} px | {b:.2f} px | {a:.2f} px | {a / b:.1f} "
                    f"| {np.mean(noise):.2f}x |"
                )
                if method == "phase":
                    assert a > 3 * b, (amplitude, low, b, a)


def heads() -> None:
    """A head that sways, without any expression: how far the face seems to move within 0.2 s."""
    print("\n### Head motion (alpha 10; no expression)\n")
    print("| head sways by | method | band | mean flow over 0.2 s before | after |\n|---|---|---|---|---|")
    for sway in (0.0, 0.5, 1.5, 4.0):
        _, frames, _ = simulate_clip(3, fps=FPS, duration_s=4.0, frame_px=128, head_motion_px=sway)
        for method, low in (("phase", 0.5), ("linear", 0.5), ("phase", 0.0)):
            made = magnify(frames, FPS, alpha=10, low_hz=low, high_hz=10, method=method)
            row = []
            for clip in (frames.astype(np.float32), made):
                fields = [flow(clip[k], clip[k + 12])[32:96, 32:96] for k in range(60, 180, 12)]
                row.append(np.mean([np.linalg.norm(f, axis=2).mean() for f in fields]))
            print(f"| {sway:g} px | {method} | {low:g} to 10 Hz | {row[0]:.2f} px | {row[1]:.2f} px |")


class Film:
    """Frames of any number that take no memory."""

    def __init__(self, n: int, height: int, width: int) -> None:
        self.shape = (n, height, width)
        self.wide = np.random.default_rng(0).integers(0, 255, (height, width + 64)).astype(np.uint8)

    def __getitem__(self, piece: slice) -> np.ndarray:
        return np.stack([self.wide[:, k % 64 : k % 64 + self.shape[2]] for k in range(*piece.indices(self.shape[0]))])


def peak_kb() -> int:
    """Most memory that this process held so far; the system's other counter remembers the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def one(method: str, height: int, width: int, fps: int, n: int) -> None:
    before = peak_kb()
    started = time.process_time()
    made = sum(len(block) for block in magnified(Film(n, height, width), fps, method=method))
    assert made == n
    took = time.process_time() - started
    print(f"{1e3 * took / n:.1f} {(peak_kb() - before) / 1024:.0f}")


def costs() -> None:
    """Each in a process of its own; time of one core."""
    print("\n### Time and memory (0.5 to 10 Hz)\n\n| size | rate | frames | method | per frame | memory |")
    print("|---|---|---|---|---|---|")
    memory = {}
    for height, width, fps, n in ((128, 128, 30, 200), (128, 128, 30, 800), (128, 128, 200, 800), (480, 640, 30, 150)):
        for method in METHODS:
            args = [method, *map(str, (height, width, fps, n))]
            said = subprocess.run([sys.executable, __file__, *args], capture_output=True, text=True, check=True).stdout
            ms, mb = map(float, said.split())
            memory[method, width, fps, n] = mb
            print(f"| {width} x {height} | {fps} Hz | {n} | {method} | {ms:.1f} ms | {mb:.0f} MB |")
    for method in METHODS:
        assert memory[method, 128, 30, 800] < 1.25 * memory[method, 128, 30, 200] + 10, "memory grows with the length"


if __name__ == "__main__":
    cv2.setNumThreads(1)
    if len(sys.argv) > 1:
        one(sys.argv[1], *map(int, sys.argv[2:]))
    else:
        filters()
        gains()
        expressions()
        heads()
        costs()
