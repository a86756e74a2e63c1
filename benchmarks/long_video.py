"""
A long video at a high frame rate: landmarks, registration and the flow of all regions in every frame.

    python benchmarks/long_video.py [--seconds 120] [--rate 150]

Makes a video of 640x480 at 150 frames per second (H.264) with a simulated face that sways, blinks and shows a
micro-expression every ten seconds, and follows it at the frame rate. Fails when that takes more than 4 times the length of
the video (wall time, two cores), needs more than 1 GB, or loses the face.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import cv2
import numpy as np

from mmme.features.face.motion import motion_curve
from mmme.io.video import open_video
from mmme.models.spotting import spot
from mmme.simulate import TrueExpression
from mmme.simulate.faces import make_face
from mmme.simulate.render import draw_sway, render_frames
from mmme.types import Stream

FPS = 150
MOST_LENGTHS, MOST_GB = 4.0, 1.0


def planted(seconds: float) -> list[TrueExpression]:
    """One smile every ten seconds, 0.4 s long."""
    return [TrueExpression("micro", "happy", ("AU12",), t, t + 0.18, t + 0.4, 1.5) for t in np.arange(5.0, seconds - 1, 10)]


def make(path: Path, seconds: int) -> None:
    """Write the video, a second at a time; the face is drawn at half its size and enlarged."""
    rng = np.random.default_rng(0)
    face, sway, events = make_face(rng, 120), draw_sway(rng, 2.0), planted(seconds)
    y, x = np.mgrid[:480, :640]
    room = (110 + 40 * np.sin(x / 90) + 30 * np.cos(y / 70)).astype(np.uint8)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"crf": "20", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for second in range(seconds):
            t = second + np.arange(FPS) / FPS
            blinks = [(second + 0.4, 0.2)] if second % 4 == 0 else []
            for small in render_frames(face, t, events, blinks=blinks, sway=sway, noise=1.8, rng=rng):
                room[120:360, 200:440] = cv2.resize(small, (240, 240), interpolation=cv2.INTER_CUBIC)
                frame = av.VideoFrame.from_ndarray(room, format="gray").reformat(format="yuv420p")
                out.mux(stream.encode(frame))
        out.mux(stream.encode())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--rate", type=float, default=float(FPS), help="moments per second")
    parser.add_argument("--make", type=Path, help="only write the video")
    asked = parser.parse_args()
    if asked.make:
        make(asked.make, asked.seconds)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.mp4"
        own = [sys.executable, __file__, "--seconds", str(asked.seconds), "--make", str(path)]
        subprocess.run(own, check=True)  # in a process of its own, whose memory is not counted here
        started, cpu = time.perf_counter(), time.process_time()
        frames = open_video(path)
        video = Stream("video", path.name, frames.t_s, frames, "grey level")
        curve = motion_curve(video, rate_hz=asked.rate)
        wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    seen = float(np.isfinite(curve.total).mean())
    found = spot(curve)
    hits = sum(any(abs(s.apex - e.apex_s) < 0.1 for s in found) for e in planted(asked.seconds))
    print(f"{len(video.t)} frames of 640x480, {asked.seconds} s; {len(curve.t)} moments, {len(curve.track.t)} looks")
    print(f"wall {wall_s:.1f} s = {wall_s / asked.seconds:.2f} lengths; CPU {cpu_s:.1f} s")
    print(f"memory {peak_gb:.2f} GB; face seen in {seen:.1%} of moments")
    print(f"spotted {len(found)}, of {len(planted(asked.seconds))} planted micro-expressions {hits}")
    failed = wall_s > MOST_LENGTHS * asked.seconds or peak_gb > MOST_GB or seen < 0.999
    if failed:
        print(f"FAILED: expected at most {MOST_LENGTHS:g} lengths, {MOST_GB:g} GB and the face in every moment")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
