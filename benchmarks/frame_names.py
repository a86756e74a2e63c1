"""
Indexing a folder of frames by their names, without opening any: names per second.

    python benchmarks/frame_names.py [--minutes 75]

Fails below 20,000 names per second of CPU time.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from mmme.io.frames import frame_clock, index_frames

FPS = 150.0
AT_LEAST = 20_000


def main() -> int:
    """Make empty files with the names of a session, and index them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=75.0)
    n = int(parser.parse_args().minutes * 60 * FPS)
    rng = np.random.default_rng(0)
    ms = np.maximum.accumulate(np.rint(1000 * (36_000 + np.arange(n) / FPS) + rng.exponential(2.0, n)).astype(int))
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for k, stamp in enumerate(ms.tolist()):
            s, left = divmod(stamp, 1000)
            name = f"2024-01-02-{s // 3600:02d}-{s // 60 % 60:02d}-{s % 60:02d}-{left:03d}-{k % 1000 + 1:03d}-100.tif"
            (folder / name).touch()
        started = time.process_time()
        frames = index_frames(folder)
        indexed_s = time.process_time() - started
        clock = frame_clock(frames.host_s, frames.code)
        clock_s = time.process_time() - started - indexed_s
    error_ms = 1e3 * np.abs(np.diff(clock.t_s) - 1 / FPS).max()
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{n} names: {indexed_s:.2f} s CPU, {n / indexed_s:,.0f} names per second; their clock {clock_s:.2f} s CPU")
    print(f"memory {peak_gb:.2f} GB; no frame-to-frame time is off by more than {error_ms:.2f} ms")
    if n / indexed_s < AT_LEAST:
        print(f"FAILED: expected {AT_LEAST} names per second")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
