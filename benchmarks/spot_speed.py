"""
What spotting costs: the motion of all regions per frame against TV-L1, and `mmme spot` on a long video.

    python benchmarks/spot_speed.py [--minutes 10]

First, one frame after the other and by turns on one thread: OpenCV's TV-L1 with its defaults at 128x128, as SOFTNet asks
for it, and here: register the face, flow (DIS, 128x128), take off the head, mean of all regions. Then `mmme spot`, as a
process of its own, on a 640x480 video at 30 frames per second (H.264; a simulated minute, repeated without encoding it
again). Fails when the motion of the regions is less than 10 times cheaper than TV-L1 or what it computes beside the flow
costs more than a fifth of TV-L1; when the video takes longer than it lasts; or when memory exceeds 1.5 GB, also as
extrapolated to two hours from a third of the length and the whole.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from mmme.features.face.flow import flow
from mmme.features.face.landmarks import FaceMesh
from mmme.features.face.regions import region_masks, skin_mask
from mmme.features.face.registration import head_motion, register, similarity
from mmme.simulate import long_recording

FPS, ROUNDS = 30, 24
LEAST_RATIO, MOST_BESIDE, MOST_GB = 10.0, 0.2, 1.5
RUN = "import resource, sys; from mmme.cli import main; sys.argv = ['mmme', *sys.argv[1:]]\ntry: main()\nfinally: "
RUN += "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"


def per_frame() -> bool:
    """CPU per frame of both, by turns."""
    cv2.setNumThreads(1)
    frames = next(long_recording(0, minutes=1, frame_px=240).frames())[: ROUNDS + 1]
    with FaceMesh() as finder:
        points = finder.find(frames[0])
    matrix = similarity(points, 128)
    skin, weights = skin_mask(points, matrix, 128), region_masks(points, matrix, 128).reshape(12, -1)
    weights = weights / weights.sum(axis=1, keepdims=True)
    first = register(frames[0], matrix, 128)
    tvl1 = cv2.optflow.DualTVL1OpticalFlow.create()
    costs: dict[str, list[float]] = {"tvl1": [], "register": [], "dis": [], "regions": []}
    for frame in frames[1:]:
        marks = [time.process_time()]
        small = cv2.resize(frame, (128, 128), interpolation=cv2.INTER_AREA)
        tvl1.calc(cv2.resize(frames[0], (128, 128), interpolation=cv2.INTER_AREA), small, None)
        marks.append(time.process_time())
        face = register(frame, matrix, 128)
        marks.append(time.process_time())
        field = flow(first, face)
        marks.append(time.process_time())
        _ = weights @ (field - head_motion(field, skin)).reshape(-1, 2)
        marks.append(time.process_time())
        for name, cost in zip(costs, np.diff(marks), strict=True):
            costs[name].append(1000 * float(cost))
    ms = {name: statistics.median(values) for name, values in costs.items()}
    own, beside = ms["register"] + ms["dis"] + ms["regions"], ms["register"] + ms["regions"]
    print(
        f"CPU per frame: TV-L1 {ms['tvl1']:.1f} ms; motion of all regions {own:.2f} ms (register {ms['register']:.2f}, DIS "
        f"{ms['dis']:.2f}, head and regions {ms['regions']:.2f}): {ms['tvl1'] / own:.0f} times cheaper; beside the flow "
        f"{beside / ms['tvl1']:.3f} of TV-L1, {beside / ms['dis']:.2f} of DIS"
    )
    return ms["tvl1"] / own >= LEAST_RATIO and beside / ms["tvl1"] <= MOST_BESIDE


def make(path: Path, minutes: int) -> None:
    """A minute is drawn and encoded once; its packets follow each other as often as needed."""
    rng = np.random.default_rng(0)
    room = rng.integers(98, 104, (480, 640), dtype=np.uint8)
    packets = []
    with av.open(str(path.with_suffix(".one.mp4")), "w") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"crf": "20", "preset": "veryfast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for chunk in long_recording(2, minutes=1, fps=FPS, frame_px=240).frames():
            for face in chunk:
                picture = room.copy()
                picture[120:360, 200:440] = face
                out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")))
        out.mux(stream.encode())
    with av.open(str(path.with_suffix(".one.mp4"))) as one, av.open(str(path), "w") as out:
        source = one.streams.video[0]
        stream = out.add_stream_from_template(source)
        packets = [(bytes(p), p.pts, p.is_keyframe) for p in one.demux(source) if p.size]
        ticks = round(Fraction(60) / source.time_base)
        for k in range(minutes):
            for data, pts, key in packets:
                packet = av.Packet(data)
                packet.stream, packet.time_base = stream, source.time_base
                packet.pts = packet.dts = pts + k * ticks
                packet.is_keyframe = key
                out.mux(packet)


def spot(video: Path) -> tuple[float, float]:
    """Wall time [s] and largest memory [GB] of the command."""
    started = time.perf_counter()
    own = [sys.executable, "-c", RUN, "spot", str(video), "--out", str(video.parent / video.stem), "--quiet", "--json"]
    done = subprocess.run(own, check=True, capture_output=True, text=True)
    return time.perf_counter() - started, float(done.stderr.split()[-1]) / 1e6


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=10)
    minutes = parser.parse_args().minutes
    good = per_frame()
    with tempfile.TemporaryDirectory() as folder:
        taken = {}
        for length in (max(1, minutes // 3), minutes):
            video = Path(folder) / f"long{length}.mp4"
            make(video, length)
            wall_s, gb = spot(video)
            taken[length] = gb
            good &= wall_s < 60 * length
            lengths = wall_s / 60 / length
            print(f"{length} min of 640x480, {FPS} per second: {wall_s:.0f} s, {lengths:.2f} lengths, {gb:.2f} GB")
    (a, low), (b, high) = sorted(taken.items())
    two_hours = high + (high - low) / max(b - a, 1) * (120 - b)
    print(f"memory of two hours, extrapolated: {two_hours:.2f} GB")
    return int(not (good and two_hours < MOST_GB))


if __name__ == "__main__":
    sys.exit(main())
