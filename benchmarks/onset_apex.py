"""
Where the time of one expression goes: read, register, flow, strain, descriptor; as the study's own video holds it.

A simulated 640x480 recording at 150 frames per second in the study's lossless format; one thread; all parts and both paths
measured by turns, CPU medians. Prints the figures of docs/speed.md. Fails when the path with the default flow costs more
than the flow alone of the field's habit (TV-L1), or when what is computed beside the flow costs a third of TV-L1 or 2.5
times DIS.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from mmme.features.face.clips import FACE_PX, ClipSettings, FaceClip, mean_frame, open_clip
from mmme.features.face.descriptors import FACE_DESCRIPTORS
from mmme.features.face.flow import flow, optical_strain
from mmme.features.face.landmarks import FaceMesh
from mmme.features.face.regions import skin_mask
from mmme.features.face.registration import head_motion, register, similarity
from mmme.interval import Interval
from mmme.io.ffv1 import write_ffv1
from mmme.io.video import open_video
from mmme.simulate import TrueExpression, simulate_clip
from mmme.types import Sample, Stream

N_EXPRESSIONS, N_ROUNDS = 8, 5


def recording(folder: Path) -> tuple[Stream, list[Sample]]:
    """A face 480 px high in frames of 640x480, with micro-expressions."""
    times = [(0.4 + k, 0.55 + k, 0.75 + k) for k in range(N_EXPRESSIONS)]
    events = [TrueExpression("micro", "happy", ("AU12",), *at, 2.0) for at in times]
    t, frames, _ = simulate_clip(
        0, fps=150.0, duration_s=N_EXPRESSIONS + 0.5, events=events, frame_px=480, head_motion_px=2.0
    )
    rng = np.random.default_rng(0)
    wall = rng.integers(98, 104, (480, 640), dtype=np.uint8)

    def whole() -> np.ndarray:
        for face in frames:
            image = wall.copy()
            image[:, 80:560] = face
            yield image

    write_ffv1(folder / "face.mkv", whole(), t)
    video = open_video(folder / "face.mkv")
    stream = Stream("video", "camera", video.t_s, video, "grey level", 150.0)
    return stream, [Sample(f"e{k}", "S01", "v", "x", *at, Interval(k, k + 1)) for k, at in enumerate(times)]


def parts(clip: FaceClip) -> dict[str, Callable[[], object]]:
    """What one expression costs, by part, in the order in which it happens; detection of the face apart."""
    video, sample, average_s = clip.video, clip.sample, clip.settings.average_s
    frames = [mean_frame(video, at, average_s) for at in (sample.onset, sample.apex)]
    field = flow(clip.onset_face, clip.apex_face)

    def registered() -> None:
        matrix = similarity(clip.points, FACE_PX)
        skin_mask(clip.points, matrix, FACE_PX)
        for frame in frames:
            register(frame, matrix, FACE_PX)

    return {
        "read the frames around onset and apex": lambda: [
            mean_frame(video, at, average_s) for at in (sample.onset, sample.apex)
        ],
        "register both": registered,
        "flow (dis)": lambda: flow(clip.onset_face, clip.apex_face),
        "head motion off": lambda: head_motion(field, clip.skin),
        "strain": lambda: optical_strain(field),
        "descriptor (flow image)": lambda: FACE_DESCRIPTORS["flow-images"](clip),
        "descriptor (Bi-WOOF)": lambda: FACE_DESCRIPTORS["bi-woof"](clip),
        "whole path, dis": lambda: FACE_DESCRIPTORS["flow-images"](
            FaceClip(video, sample, clip.points, ClipSettings(flow="dis"))
        ),
        "TV-L1 alone": lambda: flow(clip.onset_face, clip.apex_face, method="tvl1"),
        "whole path, TV-L1": lambda: FACE_DESCRIPTORS["flow-images"](
            FaceClip(video, sample, clip.points, ClipSettings(flow="tvl1"))
        ),
    }


def main() -> int:
    cv2.setNumThreads(1)
    took: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        video, samples = recording(Path(folder))
        with FaceMesh() as finder:
            clips = [open_clip(video, sample, finder, ClipSettings()) for sample in samples]
        for clip in clips:
            assert np.isfinite(clip.motion).all()
        for _ in range(N_ROUNDS):
            for clip in clips:
                for name, part in parts(clip).items():
                    started = time.process_time()
                    part()
                    took.setdefault(name, []).append(time.process_time() - started)
    ms = {name: statistics.median(values) * 1e3 for name, values in took.items()}
    print("| part | CPU per expression |\n|---|---|")
    for name, value in ms.items():
        print(f"| {name} | {value:.1f} ms |")
    beside = ms["register both"] + ms["head motion off"] + ms["strain"] + ms["descriptor (flow image)"]
    print(f"\ncomputed beside the flow: {beside / ms['flow (dis)']:.2f} of DIS, {beside / ms['TV-L1 alone']:.2f} of TV-L1")
    rest = ms["whole path, TV-L1"] - ms["TV-L1 alone"]
    print(f"everything but the flow, reading included: {rest / ms['TV-L1 alone']:.2f} of TV-L1")
    ratio = ms["whole path, dis"] / ms["TV-L1 alone"]
    print(f"whole path with dis: {ratio:.2f} of TV-L1 alone")
    fine = beside < ms["TV-L1 alone"] / 3 and beside < 2.5 * ms["flow (dis)"] and ratio < 1
    print("within bounds" if fine else "OUT OF BOUNDS")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
