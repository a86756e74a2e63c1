"""
Time and memory of a whole analysis: 20 subjects, 48 trials of a minute, 64 channels, with and without components.

Usage: ``python benchmarks/analysis_scale.py FOLDER [--subjects 20] [--jobs 2]``. Simulated recordings at 250 Hz are made
first and are not counted. Prints CPU time, what it comes to for 20 subjects on two processes, and the largest memory of all
together; ends with 1 above 30 minutes or 4 GB. Measured subjects are kept in FOLDER, as `mmme analyse` keeps them.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path

from mmme.neuro.group import GroupSettings, analyse_group
from mmme.neuro.subject import FaceMotion, SubjectSettings, analyse_subject, load_subject, save_subject
from mmme.report.analysis_page import AnalysisMaterial, write_analysis_page
from mmme.simulate import PlantedEffects, mechanism_session
from mmme.workers import Workers

LIMIT_S, LIMIT_GB = 1800.0, 4.0


@dataclass(frozen=True)
class Used:
    """What one process needed."""

    cpu_s: float
    gb: float


def measure(job: tuple[Path, int]) -> Used:
    """Simulate one subject, then measure it and store what was found."""
    folder, number = job
    made = mechanism_session(number, effects=PlantedEffects(theta_uv=9.0, hr_bpm=-3.0), trials=48, channels=64, seed=8)
    face = FaceMotion(made.face_t_s, made.face.mean(axis=1), made.face)
    started = time.process_time()
    found = analyse_subject(made.timeline, made.trials, face=face, settings=SubjectSettings())
    save_subject(found, folder / f"sub-{number:02d}.npz")
    return Used(time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)


def main() -> int:
    """Measure all, put them together, draw the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--subjects", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    jobs = [(asked.folder, number) for number in range(asked.subjects)]
    with Workers(asked.jobs) as workers:
        used = []
        for outcome in workers.as_completed(measure, jobs):
            if outcome.value is None:
                raise SystemExit(outcome.error)
            used.append(outcome.value)
    started = time.process_time()
    subjects = [one for _, k in jobs if (one := load_subject(asked.folder / f"sub-{k:02d}.npz")) is not None]
    group = analyse_group(subjects, settings=GroupSettings())
    together = time.process_time() - started
    material = AnalysisMaterial(
        "simulated", simulated=True, group=group, validation={}, methods="", notes=group.notes, failures=()
    )
    write_analysis_page(material, asked.folder)
    drawn = time.process_time() - started - together
    gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    each = sum(one.cpu_s for one in used)
    whole_s = 20 * each / len(used) / 2 + together + drawn
    largest = max(2 * max(one.gb for one in used), gb)
    print("| subjects | a subject | all together | page | 20 on two cores | memory |\n|---|---|---|---|---|---|")
    row = [
        f"{each / len(used):.0f} s CPU",
        f"{together:.0f} s",
        f"{drawn:.0f} s",
        f"{whole_s / 60:.1f} min",
        f"{largest:.1f} GB",
    ]
    print(f"| {len(used)} | {' | '.join(row)} |")
    return int(whole_s > LIMIT_S or largest > LIMIT_GB)


if __name__ == "__main__":
    raise SystemExit(main())
